#!/usr/bin/python3
"""etcd servers for tests: Debian's program, a directory of their own, ports of loopback, gone with whoever started them.

  test/etcd.py serve

prints the URL of a new, empty server as one line, and stops it when stdin ends. Lines on stdin before that are orders, each
answered by a line when it is done: stop, start (with the data it had), compact, clear (all entries). Exit 77: etcd is not installed. Scenes
import this file: Server."""
import base64
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATIENCE_S = 30
SKIPPED = 77


def program():
    """None: it is not installed."""
    return shutil.which("etcd", path=os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / "build/tools")]))


def free_port():
    """Below the ports from which outgoing connections come."""
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Server:
    """One server. Use with `with`: whatever happens, it does not outlive the block."""

    def __init__(self):
        self.process = None
        # In memory where that is possible: tests ask what is answered, not how long a disk takes.
        parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="seom-etcd-", dir=parent))
        self.port, self.peer_port = free_port(), free_port()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        """It dies with the thread that starts it, so a killed test leaves nothing behind."""
        peer = f"http://127.0.0.1:{self.peer_port}"
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", program(), "--name", "seom", "--data-dir", self.directory / "data",
                 "--listen-client-urls", self.url, "--advertise-client-urls", self.url, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", f"seom={peer}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < end:
            try:
                self.call("kv/range", key=b"/")
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.02)
        log = (self.directory / "log").read_text(encoding="utf-8", errors="replace")
        raise AssertionError(f"etcd did not start:\n{log}")

    def stop(self, signal_number=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(signal_number)
            self.process.wait(PATIENCE_S)
            self.process = None

    def call(self, path, **arguments):
        """One request of its /v3 gateway; bytes are told in base64."""
        body = {name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
                for name, value in arguments.items()}
        request = urllib.request.Request(f"{self.url}/v3/{path}", json.dumps(body).encode())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return json.loads(answer.read())

    def compact(self):
        """Forgets what happened before now; a put makes sure that something did."""
        self.call("kv/put", key=b"/compacted", value=b"")
        revision = self.call("kv/range", key=b"/")["header"]["revision"]
        self.call("kv/compaction", revision=revision, physical=True)

    def clear(self):
        self.call("kv/deleterange", key=b"/", range_end=b"0")

    def entries(self, prefix=b"/seom/"):
        """{key: value} of everything under the prefix."""
        found = self.call("kv/range", key=prefix, range_end=prefix[:-1] + bytes([prefix[-1] + 1])).get("kvs", [])
        return {base64.b64decode(kv["key"]): base64.b64decode(kv.get("value", "")) for kv in found}


def main():
    if sys.argv[1:] != ["serve"]:
        sys.exit(__doc__)
    if program() is None:
        print("etcd is not installed", file=sys.stderr)
        sys.exit(SKIPPED)
    with Server() as server:
        orders = {"stop": server.stop, "start": server.start, "compact": server.compact, "clear": server.clear}
        print(server.url, flush=True)
        for line in sys.stdin:
            orders[line.strip()]()
            print("done", flush=True)


if __name__ == "__main__":
    main()
