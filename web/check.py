#!/usr/bin/env python3
"""check.py types | check.py modules | check.py packages: type check of the page, the tests of its modules in node, or only
the npm packages that tests need."""

import subprocess
import sys

sys.dont_write_bytecode = True
import modules  # noqa: E402

SCRIPTS = {"types": "typecheck", "modules": "test", "packages": None}


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in SCRIPTS:
        print(__doc__, file=sys.stderr)
        return 2
    with modules.installed(everything=True):
        if arguments[0] == "packages":
            return 0
        return subprocess.run(["npm", "run", "--silent", SCRIPTS[arguments[0]]], cwd=modules.WEB, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
