#!/usr/bin/env python3
"""embed.py NAME FILE OUT.c OUT.h: puts a file into the binary as `const struct slice NAME`.

The bytes stand in an array of numbers, which every C compiler takes whatever its limit on strings is. A NUL follows
them that is not counted, so text can also be read as a C string.
"""
import os
import re
import sys

BYTES_A_LINE = 24


def source(name, header, data, origin):
    lines = [",".join(map(str, data[at : at + BYTES_A_LINE])) + "," for at in range(0, len(data), BYTES_A_LINE)]
    return (
        f"/* Made by tools/embed.py from {origin}; do not edit. */\n"
        f'#include "{header}"\n\n'
        f"static const unsigned char bytes[] = {{\n" + "\n".join(lines) + "\n0};\n\n"
        f"const struct slice {name} = {{.at = bytes, .bytes = sizeof bytes - 1}};\n"
    )


def header_of(name, origin):
    guard = f"SEOM_EMBEDDED_{name.upper()}_H"
    return (
        f"/* Made by tools/embed.py from {origin}; do not edit. */\n"
        f"#ifndef {guard}\n#define {guard}\n\n"
        f'#include "base/bytes.h"\n\n'
        f"extern const struct slice {name};\n\n#endif\n"
    )


def main(arguments):
    if len(arguments) != 4 or not re.fullmatch(r"[a-z][a-z0-9_]*", arguments[0]):
        print(__doc__, file=sys.stderr)
        return 2
    name, path, out_c, out_h = arguments
    with open(path, "rb") as file:
        data = file.read()
    origin = os.path.basename(path)
    with open(out_h, "w", encoding="ascii") as file:
        file.write(header_of(name, origin))
    with open(out_c, "w", encoding="ascii") as file:
        file.write(source(name, os.path.basename(out_h), data, origin))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
