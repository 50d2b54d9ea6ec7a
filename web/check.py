#!/usr/bin/env python3
"""check.py types | check.py modules: type check of the page, and the tests of its modules in node."""

import subprocess
import sys

sys.dont_write_bytecode = True
import modules  # noqa: E402

SCRIPTS = {"types": "typecheck", "modules": "test"}


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in SCRIPTS:
        print(__doc__, file=sys.stderr)
        return 2
    with modules.installed(everything=True):
        return subprocess.run(["npm", "run", "--silent", SCRIPTS[arguments[0]]], cwd=modules.WEB, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
