#!/usr/bin/python3
"""Purity: the objects of the logic rooms ask only for each other and for what stands on the list below: no
clock, file, socket, thread, engine or chance. Usage: tools/purity.py BUILD_DIR. Exit 1 on any other symbol."""

import re
import subprocess
import sys
from pathlib import Path

from tree import LOGIC_ROOMS, room_directory

# Everything else is an offence. Regular expressions over whole symbol names.
ALLOWED = [
    # memory and strings
    r"malloc|calloc|realloc|reallocarray|free|aligned_alloc",
    r"mem(cpy|move|set|cmp|chr|mem|rchr|pcpy)",
    r"str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|pbrk|tol|toll|toul|toull|tod)|strn?casecmp|stpcpy",
    r"v?snprintf|__isoc99_v?sscanf|__ctype_b_loc|__ctype_to(lower|upper)_loc",
    # arithmetic and order
    r"abs|labs|llabs|l?l?div|qsort|bsearch",
    r"(sqrt|cbrt|sin|cos|sincos|tan|asin|acos|atan|atan2|exp|exp2|log|log2|log10|pow|hypot|fmod|floor|ceil|round"
    r"|trunc|nearbyint|rint|lrint|llrint|lround|llround|ldexp|frexp|modf|fabs|fmin|fmax)f?",
    # what compilers put in
    r"__stack_chk_fail|__(mem|str|v?snprintf)\w*_chk|_GLOBAL_OFFSET_TABLE_|abort",
    r"__(add|sub|mul)[vod]\w+|__u?(div|mod|divmod)[dt]i[34]|__float\w+|__fix\w+|__(popcount|clz|ctz|parity)[dst]i2",
    # libraries without a side
    r"crypto_(generichash|auth|shorthash|verify)\w*|sodium_(memcmp|memzero|is_zero|bin2\w+|\w+2bin)",
    r"XXH\w+|protobuf_c_\w+",
]
# A failed CHECK without a hook speaks to stderr; nothing else of base does.
ALLOWED_IN = {("base", "check.c"): r"stderr|fprintf|fwrite"}
# What proof may use besides logic rooms (as in rooms.py).
PROOF_ALSO = ["sim", "watch", "bots"]


def room_objects(build, room):
    directory = build / room_directory(room) / f"lib{room}.a.p"
    return sorted(directory.glob("*.o"))


def symbols(objects, *options):
    """Symbol names that nm lists, by object."""
    found = {}
    for path in objects:
        out = subprocess.run(["nm", *options, path], check=True, capture_output=True, text=True).stdout
        found[path] = {line.split()[-1].split("@")[0] for line in out.splitlines() if line.strip()}
    return found


def defined_in(build, rooms):
    names = set()
    for room in rooms:
        for defined in symbols(room_objects(build, room), "-g", "--defined-only").values():
            names |= defined
    for defined in symbols(build.glob("proto/libproto.a.p/*.o"), "-g", "--defined-only").values():
        names |= defined
    return names


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = Path(sys.argv[1])
    allowed = re.compile("|".join(f"(?:{p})" for p in ALLOWED))
    logic = defined_in(build, LOGIC_ROOMS)
    offences = looked_at = 0
    for room in LOGIC_ROOMS:
        known = logic | (defined_in(build, PROOF_ALSO) if room == "proof" else set())
        for path, undefined in symbols(room_objects(build, room), "-u").items():
            looked_at += 1
            source = path.name.removesuffix(".o")
            also = ALLOWED_IN.get((room, source), r"(?!)")
            for name in sorted(undefined - known):
                if not allowed.fullmatch(name) and not re.fullmatch(also, name):
                    print(f"{room_directory(room)}/{source}: {name}")
                    offences += 1
    print(f"{looked_at} objects, {offences} offences")
    sys.exit(1 if offences or not looked_at else 0)


main()
