"""The npm packages of the page, installed into web/node_modules by the lock file: esbuild alone for the build, the rest
(types, browser driver) when tests ask. Several builds may run at once, so whoever uses the packages holds a lock."""

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent
STAMP = WEB / "node_modules" / ".installed"


def _wanted(everything):
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    return f"{lock} {'all' if everything else 'build'}\n"


def _install(everything):
    if shutil.which("npm") is None:
        sys.exit("web: npm is not there; install it (Debian: apt install npm), or build without the page: -Dpage=false")
    # Scripts of packages are not run: esbuild works without its own.
    command = ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-progress", "--loglevel=error"]
    if not everything:
        command.append("--omit=dev")
    done = subprocess.run(command, cwd=WEB, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"web: npm ci failed; it needs the npm registry once, or its cache.\n{done.stdout}{done.stderr}")
    STAMP.write_text(_wanted(everything))


@contextlib.contextmanager
def installed(everything):
    """Packages are there and stay while inside."""
    with open(WEB / "package-lock.json", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        have = STAMP.read_text() if STAMP.exists() else ""
        if have not in (_wanted(everything), _wanted(True)):
            _install(everything)
        yield
