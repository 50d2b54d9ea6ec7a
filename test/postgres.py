#!/usr/bin/python3
"""PostgreSQL servers for tests: Debian's binaries, a directory of their own, no rights, gone with whoever started them.

  test/postgres.py serve [--tcp] [SETTING=VALUE ...]
  test/postgres.py run COMMAND ...

serve prints the address of a new, empty server as one line, and stops it when stdin ends; it lies in memory where that is
possible. run has one on a disk, with everything as Debian sets it, as long as the command runs, in which {address} and
{pid} are the server's. Exit 77: PostgreSQL is not installed. Scenes import this file: Server, and Server.replica() for one that follows another."""
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

PATIENCE_S = 30
USER = "seom"
SKIPPED = 77


def binaries():
    """The directory of the newest installed server's programs; None: there is none."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


def servant():
    """As whom a server runs: it refuses to be root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise LookupError("there is no user postgres or nobody to run a server as")


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


def children(pid):
    listed = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(child) for child in listed.read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return []


class Server:
    """One server. Use with `with`: whatever happens, it does not outlive the block."""

    def __init__(self, tcp=False, parent=None, **settings):
        self.process = None
        self.servant = servant()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="seom-postgres-", dir=parent))
        self.directory.chmod(0o755)
        self.data, self.log = self.directory / "data", self.directory / "log"
        if self.servant:
            os.chown(self.directory, self.servant.pw_uid, self.servant.pw_gid)
        self.port = free_port() if tcp else 5432  # without TCP it is no more than a part of the socket's name
        self.settings = {"listen_addresses": "127.0.0.1" if tcp else "", "port": self.port,
                         "unix_socket_directories": self.directory, "log_min_messages": "warning",
                         "dynamic_shared_memory_type": "mmap", **settings}
        self.tcp = tcp

    def __enter__(self):
        try:
            if not self.data.exists():
                self.initialise()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGQUIT)  # at once, as its data goes, too
        shutil.rmtree(self.directory, ignore_errors=True)

    def command(self, program, *arguments):
        """It dies with the thread that starts it, so a killed test leaves nothing behind."""
        rights = []
        if self.servant:
            rights = ["--reuid", str(self.servant.pw_uid), "--regid", str(self.servant.pw_gid), "--clear-groups"]
        return ["setpriv", *rights, "--pdeathsig", "INT", "--", str(binaries() / program), *map(str, arguments)]

    def run(self, program, *arguments):
        done = subprocess.run(self.command(program, *arguments), cwd="/", stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=4 * PATIENCE_S, check=False,
                              env={**os.environ, "LC_ALL": "C"})
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout

    def initialise(self):
        self.run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "--no-locale", "--encoding", "UTF8", "--no-sync",
                 "--no-instructions")

    def start(self):
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command("postgres", "-D", self.data, *options), cwd="/", stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < end:
            # "ready" stands in the last line of the file as soon as it takes connections, a replica too.
            told = self.data / "postmaster.pid"
            if told.exists() and re.search(r"^ready\s*$", told.read_text(encoding="ascii"), re.MULTILINE):
                return
            time.sleep(0.02)
        raise AssertionError(f"the server did not start:\n{self.log.read_text(encoding='utf-8', errors='replace')}")

    def stop(self, signal_number=signal.SIGINT):
        """SIGINT ends its sessions and then itself, with everything on the disk."""
        if self.process is not None:
            self.process.send_signal(signal_number)
            self.process.wait(PATIENCE_S)
            self.process = None

    def kill(self):
        """kill -9 of the server and every process of it, as when its machine lost its power."""
        self.freeze(signal.SIGSTOP)  # so that none is born meanwhile
        for pid in [*children(self.process.pid), self.process.pid]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self.process = None
        # The one piece of memory that outlives them; a restart would clear it away.
        told = (self.data / "postmaster.pid").read_text(encoding="ascii").splitlines()
        memory = told[6].split()[1]
        subprocess.run(["ipcrm", "-m", memory], check=True)

    def freeze(self, signal_number=signal.SIGSTOP):
        """SIGSTOP or SIGCONT, to all of it."""
        os.kill(self.process.pid, signal_number)
        for pid in children(self.process.pid):
            os.kill(pid, signal_number)

    @property
    def host(self):
        return "127.0.0.1" if self.tcp else str(self.directory)

    def address(self):
        """The form that seom takes."""
        return address(self)

    def query(self, sql):
        """Rows of text, fields parted by |."""
        return self.run("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-p", self.port,
                        "-U", USER, "-d", "postgres", "-c", sql).splitlines()

    def replica(self, **settings):
        """A server, not yet entered, that follows this one as a synchronous standby could."""
        other = Server(self.tcp, self.directory.parent, **settings)
        self.run("pg_basebackup", "-D", other.data, "-h", self.directory, "-p", self.port, "-U", USER, "-R", "-X", "stream",
                 "-c", "fast", "--no-sync")
        return other

    def promote(self):
        self.run("pg_ctl", "promote", "-D", self.data, "-w", "-t", PATIENCE_S)


def address(*servers):
    """Of one server or of several of which the one that takes writes is meant."""
    hosts = ",".join(urllib.parse.quote(server.host, safe="") for server in servers)
    ports = ",".join(str(server.port) for server in servers)
    return f"postgresql://{USER}@/postgres?host={hosts}&port={ports}"


def main():
    arguments = sys.argv[1:]
    if arguments[:1] not in (["serve"], ["run"]):
        sys.exit(__doc__)
    if binaries() is None:
        print("PostgreSQL's server is not installed", file=sys.stderr)
        sys.exit(SKIPPED)
    if arguments[0] == "run":
        with Server(parent="/var/tmp") as server:
            told = {"{address}": server.address(), "{pid}": str(server.process.pid)}
            sys.exit(subprocess.run([told.get(word, word) for word in arguments[1:]], check=False).returncode)
    # Out of reach of whoever kills a test with all of its group: then stdin ends, and everything is cleared away.
    if os.getpgrp() != os.getpid():
        os.setsid()
    settings = dict(argument.split("=", 1) for argument in arguments[1:] if "=" in argument)
    # In memory where that is possible: most tests ask what is answered, not how long a disk takes.
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with Server("--tcp" in arguments, settings.pop("parent", parent), **settings) as server:
        print(server.address(), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
