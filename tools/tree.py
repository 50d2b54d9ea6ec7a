"""What the checks share: the files of the tree and the rooms of the house."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Reach the outside only through struct env (docs/hacking.md).
LOGIC_ROOMS = ["base", "env", "wire", "client", "store", "fabric", "society", "world", "view", "rules", "proof"]
# Rooms that stand at the top of the tree instead of in src/.
TOP_ROOMS = ["client", "bots"]


def tracked(*patterns):
    """Paths of the files under version control that match, relative to the root, if still there."""
    out = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--", *patterns],
                         check=True, capture_output=True, text=True).stdout
    return [Path(p) for p in out.split("\0") if p and (ROOT / p).is_file()]


def room_order():
    """The rooms from the ground up, as docs/hacking.md prints them."""
    for line in (ROOT / "docs/hacking.md").read_text().splitlines():
        names = re.findall(r"`([a-z]+)`", line)
        if len(names) > 2 and line.count("<") == len(names) - 1:
            return names
    raise SystemExit("docs/hacking.md: no line with the order of the rooms (`a` < `b` < ...)")


def room_of(path):
    """The room a source file of the tree lives in, or None."""
    parts = Path(path).parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[0] in TOP_ROOMS and len(parts) > 1:
        return parts[0]
    return None


def room_directory(room):
    return room if room in TOP_ROOMS else f"src/{room}"
