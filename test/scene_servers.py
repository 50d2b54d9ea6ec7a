#!/usr/bin/python3
"""A store of two PostgreSQL servers: a cluster whose people trade across them, and one server that is killed (-9, all of its
processes) and started again while they do. Afterwards the audit is balanced, what was told done is done, and no commit is
left in the middle. Servers in another order, or one of them alone, are refused.

    scene_servers.py PATH_TO_SEOM      prints TAP

check: full
"""
import contextlib
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import postgres
from seom_scene import clean_environment, main, run, until

TRADERS = 60
THINK_MS = 40
WORLD = 1
HEAD = f"{WORLD:04x}/"
AWAY_S = 4
MORE = 1500             # answers between two deaths
ROUNDS = 3
PATIENCE_S = 60


class Cluster:
    def __init__(self, seom, store, base):
        self.seom, self.store, self.data, self.log = seom, store, base / "data", base / "log"
        self.process = None

    def up(self):
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.seom, "cluster", "up", "--data", str(self.data), "--store", self.store, "--homes", "2", "--gates", "1",
                 "--bots", "0", "--http", "127.0.0.1:0", "--play", "127.0.0.1:0", "--for", "600"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())
        up = until(lambda: "Ctrl-C stops" in self.told() or self.process.poll() is not None, PATIENCE_S)
        assert up and self.process.poll() is None, f"it did not come up:\n{self.told()}\n{self.logs()}"
        return re.findall(r"(127\.0\.0\.1:\d+)", re.findall(r"players +(.*)", self.told())[-1])[0]

    def told(self):
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def logs(self):
        return "\n".join(f"{path.name}: {path.read_text(encoding='utf-8', errors='replace')[-800:]}"
                         for path in sorted(self.data.glob("logs/*.log")))

    def down(self):
        if self.process is not None and self.process.poll() is None:
            run(self.seom, "cluster", "down", "--data", self.data, timeout_s=PATIENCE_S)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE_S)
            if self.process.poll() is None:
                self.process.kill()


class Traders:
    def __init__(self, seom, to, base):
        self.answers = base / "answers"
        self.log = base / "traders.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [seom, "bots", "--to", to, "--profile", "trade", "--observers", "0", "--quiet", "--count", str(TRADERS),
                 "--think", str(THINK_MS), "--answers", str(self.answers)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())

    def count(self):
        return self.answers.read_bytes().count(b"\n") if self.answers.exists() else 0

    def more(self, count):
        wanted = self.count() + count
        assert until(lambda: self.count() >= wanted or self.process.poll() is not None, PATIENCE_S), \
            f"only {self.count()} of {wanted} answers\n{self.log.read_text(encoding='utf-8')[-800:]}"
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-800:]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE_S)

    def highest(self):
        """Of each player the last command that was answered as done or refused."""
        last = {}
        for line in self.answers.read_text(encoding="utf-8").splitlines():
            player, seq, _ = line.split()
            last[player] = max(last.get(player, 0), int(seq))
        return last


@contextlib.contextmanager
def two_servers():
    base = pathlib.Path(tempfile.mkdtemp(prefix="seom-servers-", dir="/tmp"))
    base.chmod(0o755)
    try:
        with postgres.Server(tcp=True) as first, postgres.Server(tcp=True) as second:
            yield first, second, base
    finally:
        shutil.rmtree(base, ignore_errors=True)


def short(server):
    """An address that fits twice into a setting."""
    return f"postgresql://{postgres.USER}@127.0.0.1:{server.port}/postgres"


def audit(seom, store):
    done = run(seom, "audit", "--store", store, timeout_s=PATIENCE_S)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


def left(servers):
    """Records and pends of commits that nobody has finished."""
    records = sum(int(s.query(f"SELECT count(*) FROM seom.document WHERE key LIKE '{HEAD}tx/%' AND value IS NOT NULL")[0])
                  for s in servers)
    pends = sum(int(s.query(
        "SELECT count(*) FROM seom.document WHERE length(value) > 1 AND get_byte(value, 0) = 1 AND get_byte(value, 1) > 1"
        f" AND key NOT LIKE '{HEAD}place/%' AND key NOT LIKE '{HEAD}tx/%'")[0]) for s in servers)
    return records, pends


def shares(servers):
    return [int(s.query(f"SELECT count(*) FROM seom.document WHERE key LIKE '{HEAD}player/%'")[0]) for s in servers]




def test_a_server_is_killed_and_started_again_while_people_trade(seom):
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with two_servers() as (first, second, base):
        store = f"{short(first)};{short(second)}"
        cluster = Cluster(seom, store, base)
        try:
            traders = Traders(seom, cluster.up(), base)
            try:
                traders.more(MORE)
                pauses = []
                for number in range(ROUNDS):
                    victim = (second, first)[number % 2]
                    victim.kill()
                    time.sleep(AWAY_S)
                    victim.start()
                    begun = time.monotonic()
                    traders.more(TRADERS)
                    pauses.append(time.monotonic() - begun)
                    traders.more(MORE)
            finally:
                traders.stop()
            assert until(lambda: left((first, second)) == (0, 0), 30), f"left in the middle: {left((first, second))}"
            cluster.down()
            code, told, why = audit(seom, store)
            assert code == 0 and told["balanced"], (told, why)
            answered = sum(traders.highest().values())
            assert told["commands"] >= answered > ROUNDS * MORE, (told["commands"], answered)
            assert min(shares((first, second))) > TRADERS / 5, shares((first, second))
            print(f"# {answered} commands answered; playing {', '.join(f'{p:.1f}' for p in pauses)} s after a server was back;"
                  f" players per server {shares((first, second))}")
        finally:
            cluster.down()
        for wrong in (f"{short(second)} {short(first)}", short(first)):
            done = run(seom, "audit", "--store", wrong, timeout_s=PATIENCE_S)
            assert done.returncode == 1 and "order" in done.stderr, (done.returncode, done.stderr)
    return None


if __name__ == "__main__":
    main(sys.modules[__name__], __doc__)
