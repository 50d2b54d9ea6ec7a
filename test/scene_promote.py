#!/usr/bin/python3
"""A world of one process moves to PostgreSQL: people trade in it while it is copied, it is stopped, the rest follows, and a
cluster goes on with it. The audit of the copy is what the world held, the same people come back with their tickets and trade
on, and nobody can start the world that was left. A server that is not empty is refused, and so is a copy that somebody
changed.

    scene_promote.py PATH_TO_SEOM      prints TAP

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
from scene_servers import Cluster
from seom_scene import World, clean_environment, main, run, until

TRADERS = 40
THINK_MS = 40
ANSWERS = 1500
PATIENCE_S = 60
OF_VALUE = ("minted", "held", "consumed", "coins_minted", "coins_held", "coins_consumed", "commands", "documents")


class Traders:
    """The same people whenever they come, as they keep their tickets."""

    def __init__(self, seom, to, base, name):
        self.answers, self.log = base / f"answers-{name}", base / f"traders-{name}.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [seom, "bots", "--to", to, "--profile", "trade", "--observers", "0", "--quiet", "--count", str(TRADERS),
                 "--think", str(THINK_MS), "--answers", str(self.answers), "--tickets", str(base / "tickets")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())

    def count(self):
        return self.answers.read_bytes().count(b"\n") if self.answers.exists() else 0

    def more(self, count):
        wanted = self.count() + count
        until(lambda: self.count() >= wanted or self.process.poll() is not None, PATIENCE_S)
        until(lambda: len(self.highest()) == TRADERS, PATIENCE_S)
        assert self.count() >= wanted and len(self.highest()) == TRADERS, f"{self.count()} of {wanted} answers\n{self.log.read_text(encoding='utf-8')[-800:]}"

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE_S)

    def highest(self):
        last = {}
        for line in self.answers.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # it is just being written
            player, seq, _ = line.split()
            last[player] = max(last.get(player, 0), int(seq))
        return last


@contextlib.contextmanager
def place():
    base = pathlib.Path(tempfile.mkdtemp(prefix="seom-promote-", dir="/tmp"))
    base.chmod(0o755)
    try:
        with postgres.Server(tcp=True) as server:
            yield server, f"postgresql://{postgres.USER}@127.0.0.1:{server.port}/postgres", base
    finally:
        shutil.rmtree(base, ignore_errors=True)


def audit(seom, *where):
    done = run(seom, "audit", *where, timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def of_value(told):
    return {name: told[name] for name in OF_VALUE}


def players(server):
    return set(server.query("SELECT substr(key, 13) FROM seom.document WHERE key LIKE '0001/player/%'"))


def refused(done, *words):
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    for word in words:
        assert word in done.stderr, (word, done.stderr)


def move(seom, data, store, base):
    """While people play; returns what was told, and for how long nobody could."""
    with World(seom, data) as world:
        traders = Traders(seom, f"{world.address[0]}:{world.address[1]}", base, "before")
        try:
            traders.more(ANSWERS)
            log = base / "promote.log"
            with open(log, "w", encoding="utf-8") as out:
                promotion = subprocess.Popen([seom, "promote", "--to", store, "--data", str(data)], stdout=subprocess.PIPE,
                                             stderr=out, stdin=subprocess.DEVNULL, text=True, env=clean_environment())
            assert until(lambda: "stop the world now" in log.read_text(encoding="utf-8") or promotion.poll() is not None,
                         PATIENCE_S) and promotion.poll() is None, log.read_text(encoding="utf-8")
            traders.more(ANSWERS // 3)  # they go on meanwhile: there is something left to copy
        finally:
            traders.stop()
        begun = time.monotonic()
        assert world.stop() == 0, world.told()
        out, _ = promotion.communicate(timeout=PATIENCE_S)
        assert promotion.returncode == 0, log.read_text(encoding="utf-8")
        return traders, json.loads(out.splitlines()[-1]), time.monotonic() - begun


def test_a_world_moves_with_its_people(seom):
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with place() as (server, store, base):
        data = base / "data"
        before, told, seconds = move(seom, data, store, base)
        assert told["balanced"] and told["commands"] >= sum(before.highest().values()) >= ANSWERS
        assert audit(seom, "--store", store) == told
        there = players(server)
        assert {f"{int(p):016x}" for p in before.highest()} <= there, "somebody is not there"
        refused(run(seom, "promote", "--to", store, "--data", data), "promot")
        with open(base / "dev.log", "w", encoding="utf-8") as log:
            dev = subprocess.run([seom, "dev", "--data", str(data), "--play", "127.0.0.1:0", "--http", "127.0.0.1:0", "--bots",
                                  "0", "--for", "5"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, timeout=PATIENCE_S,
                                 env=clean_environment(), check=False)
        assert dev.returncode == 1 and "moved" in (base / "dev.log").read_text(encoding="utf-8")

        cluster = Cluster(seom, store, base)
        try:
            traders = Traders(seom, cluster.up(), base, "after")
            try:
                traders.more(ANSWERS)
            finally:
                traders.stop()
        finally:
            cluster.down()
        after, later = traders.highest(), audit(seom, "--store", store)
        assert set(after) == set(before.highest()), "other people came back"
        assert players(server) == there, f"new people: {players(server) - there}"
        assert all(after[player] > seq for player, seq in before.highest().items()), "somebody began anew"
        assert later["commands"] >= told["commands"] + ANSWERS, (later, told)
        print(f"# {told['documents']} documents of value moved; {seconds:.1f} s from the stop to the end; {len(after)} people"
              " traded on")
    return None


def test_what_cannot_be_right_is_refused(seom):
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with place() as (server, store, base):
        data = base / "data"
        refused(run(seom, "promote", "--to", store, "--data", data), "world.json")
        with World(seom, data) as world:
            traders = Traders(seom, f"{world.address[0]}:{world.address[1]}", base, "one")
            try:
                traders.more(ANSWERS // 5)
            finally:
                traders.stop()
            assert world.stop() == 0
        told = audit(seom, "--data", data)
        # Somebody else writes there while it is copied.
        server.query("INSERT INTO seom.document VALUES ('0002/player/0002000000000001', 1, '\\x0801')")
        server.query("CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seom.document VALUES"
                     " ('0001/player/00010000000fffff', 1, '\\x0801') ON CONFLICT DO NOTHING; RETURN NULL; END $$;"
                     "CREATE TRIGGER more AFTER INSERT ON seom.document FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)"
                     " EXECUTE FUNCTION more()")
        refused(run(seom, "promote", "--to", store, "--data", data), "not what was copied", "DROP SCHEMA")
        refused(run(seom, "promote", "--to", store, "--data", data), "the server holds", "DROP SCHEMA")
        server.query("DROP SCHEMA seom CASCADE")
        assert of_value(audit(seom, "--data", data)) == of_value(told), "the world that stays was changed"
        done = run(seom, "promote", "--to", store, "--data", data, timeout_s=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        assert of_value(json.loads(done.stdout.splitlines()[-1])) == of_value(told)
        assert re.search(r"on the server: (\d+) documents, digest (\w+); here: \1, \2", done.stderr), done.stderr
    return None


if __name__ == "__main__":
    main(sys.modules[__name__], __doc__)
