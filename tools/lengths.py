#!/usr/bin/python3
"""Lengths: files of at most 800 lines, C functions of at most 70, signature and closing brace included. The
format (clang-format) puts the braces of a function, and of nothing else, into the first column."""

import sys

from tree import ROOT, tracked

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
SOURCES = ["*.c", "*.h", "*.ts", "*.mjs", "*.py", "*.sh", "*.css", "*.glsl", "*.proto", "run", "check"]


def functions(lines):
    """(line of the signature, lines, name) of each function of a formatted C file."""
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number - 1
            # The signature: up to the blank line, comment or directive that precedes it.
            while start > 0 and lines[start - 1] and not lines[start - 1].startswith(("#", "/*", " *", "}")):
                start -= 1
        elif line == "}" and start is not None:
            signature = " ".join(lines[start:start + 3])
            yield start + 1, number - start + 1, signature.split("(")[0].split()[-1]
            start = None


def main():
    offences = count = 0
    files = tracked(*SOURCES)
    for path in files:
        lines = (ROOT / path).read_text().splitlines()
        if len(lines) > FILE_LINES_MAX:
            print(f"{path}: {len(lines)} lines, at most {FILE_LINES_MAX}")
            offences += 1
        if path.suffix not in (".c", ".h"):
            continue
        for at, length, name in functions(lines):
            count += 1
            if length > FUNCTION_LINES_MAX:
                print(f"{path}:{at}: {name}: {length} lines, at most {FUNCTION_LINES_MAX}")
                offences += 1
    print(f"{len(files)} files, {count} functions, {offences} offences")
    sys.exit(1 if offences or not count else 0)


main()
