#!/usr/bin/python3
"""Room order: a file includes only its own room and rooms below it, as "room/thing.h"; the order is the
one line of docs/hacking.md. A logic room never includes a room that reaches the outside; proof, which
puts everything together for the simulator, may include sim, watch and bots. meson.build must enter the
rooms in the same order. Tests, and files whose opening comment says "For tests" or "[Used by] Tests only", may use any
room below them; nothing else includes those. Prints every offence; exit 1 when there is one."""

import re
import sys
from pathlib import Path

from tree import LOGIC_ROOMS, ROOT, room_directory, room_of, room_order, tracked

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# In no room: made by the build, or what the binary carries as bytes.
ROOMLESS = re.compile(r"[a-z_]+\.pb-c\.h|revision\.h|(worlds|web)/[a-z_]+\.h")
# What proof may use besides logic rooms.
PROOF_ALSO = ["sim", "watch", "bots"]


def for_tests(path):
    """Whether a file, given from the root, is a test or a helper of tests."""
    path = Path(path)
    if path.stem.endswith("_test"):
        return True
    header = ROOT / path.with_suffix(".h")
    told = header if header.is_file() else ROOT / path
    opening = told.read_text()[:600].split("*/")[0] if told.is_file() else ""
    return re.search(r"\b(For tests|Tests only|Used by tests only)\b", opening) is not None


def allowed_rooms(room, order, is_test):
    below = order[:order.index(room) + 1]
    if room not in LOGIC_ROOMS or is_test:
        return below
    also = PROOF_ALSO if room == "proof" else []
    return [r for r in below if r in LOGIC_ROOMS or r in also]


def check_file(path, order):
    """The offences of one file, as text."""
    room = room_of(path)
    if room is None:
        return []
    if room not in order:
        return [f"{path}: room {room} has no place in the order of docs/hacking.md"]
    allowed = allowed_rooms(room, order, for_tests(path))
    found = []
    for included in INCLUDE.findall((ROOT / path).read_text()):
        target = included.split("/")[0]
        if ROOMLESS.fullmatch(included):
            continue
        if "/" not in included:
            found.append(f'{path}: "{included}" is written without its room')
        elif target not in order:
            found.append(f'{path}: "{included}" is in no room')
        elif target not in allowed:
            why = "stands above" if order.index(target) > order.index(room) else "reaches the outside, unlike"
            found.append(f'{path}: "{included}": {target} {why} {room}')
        elif for_tests(f"{room_directory(target)}/{included.split('/', 1)[1]}") and not for_tests(path):
            found.append(f'{path}: "{included}" is for tests only')
    return found


def check_meson(order):
    entered = re.findall(r"^subdir\('(?:src/)?([a-z]+)'\)", (ROOT / "meson.build").read_text(), re.MULTILINE)
    entered = [r for r in entered if (ROOT / room_directory(r)).is_dir() and r in order]
    if entered != order:
        return [f"meson.build enters {' '.join(entered)}, docs/hacking.md says {' '.join(order)}"]
    return []


def main():
    order = room_order()
    files = tracked("src/**.c", "src/**.h", *[f"{r}/**.{x}" for r in ("client", "bots") for x in "ch"])
    found = check_meson(order)
    for path in files:
        found += check_file(Path(path), order)
    for offence in found:
        print(offence)
    print(f"{len(files)} files in {len(order)} rooms, {len(found)} offences")
    sys.exit(1 if found or not files else 0)


main()
