#!/usr/bin/python3
"""The tools on the store as an operator uses them: beside a world in which people trade, and without one. What they print can be
read by programs, what they change is asked for and logged, what is wrong is found and named.

    scene_tools.py PATH_TO_SEOM      prints TAP

check: full
"""
import contextlib
import json
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile
import time

from seom_scene import PATIENCE_S, Line, World, clean_environment, main, run, until

TRADERS = 40
SWITCHED_S, LATE_S = 1.0, 1.0   # the promise; on a busy machine


class Traders:
    """People who do nothing but trade, for as long as the block lasts."""

    def __init__(self, seom, world, base):
        self.answers, self.tickets = pathlib.Path(base, "answers"), pathlib.Path(base, "tickets")
        self.process = subprocess.Popen(
            [seom, "bots", "--to", f"127.0.0.1:{world.address[1]}", "--profile", "trade", "--count", str(TRADERS), "--think", "20",
             "--observers", "0", "--mute", "--answers", self.answers, "--tickets", self.tickets],
            stdin=subprocess.DEVNULL, env=clean_environment())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE_S)

    def answered(self):
        return len(self.answers.read_text(encoding="ascii").splitlines()) if self.answers.exists() else 0

    def go_on(self, more=200):
        begun = self.answered()
        assert until(lambda: self.answered() > begun + more), "nobody trades"

    def who(self):
        lines = self.tickets.read_text(encoding="ascii").splitlines()
        return [bytes.fromhex(line) for line in lines[1:] if line != "-"]


@contextlib.contextmanager
def busy_world(seom):
    """A world, its directory, and its traders."""
    with tempfile.TemporaryDirectory(prefix="seom-tools-") as base:
        data = pathlib.Path(base, "data")
        data.mkdir()
        with World(seom, data) as world, Traders(seom, world, base) as traders:
            traders.go_on()
            yield world, data, traders


def told(done, code=0):
    """The last line of stdout."""
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def refused(done, code, *parts):
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    for part in parts:
        assert part in done.stderr, f"'{part}' is not named:\n{done.stderr}"


def key_of(player):
    return f"0001/player/{player:016x}"


def get(seom, data, key):
    return told(run(seom, "doc", "get", key, "--data", data))["document"]


def put(seom, data, key, document):
    """As somebody who looked at it, changed it, and means it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        return run(seom, "doc", "put", key, file.name, "--yes", "--data", data)


def operator_log(data):
    return [json.loads(line) for line in pathlib.Path(data, "operator.log").read_text(encoding="utf-8").splitlines()]


def test_everything_can_be_looked_at(seom):
    """Each tool, beside the running world and without it."""
    with busy_world(seom) as (world, data, traders):
        def look():
            audit = told(run(seom, "audit", "--data", data))
            assert audit["balanced"] and audit["doubled"] == audit["lost"] == 0 and audit["commands"] > 0, audit
            assert audit["minted"] == audit["held"] + audit["consumed"] > 0, audit
            assert audit["coins_minted"] == audit["coins_held"] + audit["coins_consumed"] > 0, audit
            verified = told(run(seom, "store", "verify", "--data", data))
            assert verified["documents"] > TRADERS and verified["damaged"] == 0, verified
            fine = {tuple(map(int, line.split()[:2])) for line in traders.answers.read_text(encoding="ascii").splitlines()
                    if line.endswith(" 0")}
            done = run(seom, "ledger", "--data", data)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            assert told(done)["count"] == len(lines) - 1 > 0, done.stderr
            there = {(int(line["player"], 16), line["seq"]) for line in lines[:-1]}
            assert fine <= there, f"acknowledged and not in the ledger: {sorted(fine - there)[:5]}"
            player = int(lines[0]["player"], 16)
            mine = told(run(seom, "ledger", "--player", player, "--data", data))
            name = f"player/{player:016x}"
            assert mine["count"] == len(mine["lines"]) > 0, mine
            assert all(name in (line["from"], line["to"]) for line in mine["lines"] if line["count"]), mine
            assert told(run(seom, "ledger", "--player", hex(player), "--data", data))["count"] >= mine["count"]
            uid = next(line["uid"] for line in lines if "uid" in line)
            way = told(run(seom, "ledger", "--thing", "0x" + uid, "--data", data))["lines"]
            assert way[0]["from"] == "world" and all(line["uid"] == uid for line in way), way
            assert all(after["from"] == before["to"] for before, after in zip(way, way[1:])), f"it came from elsewhere: {way}"
            history = told(run(seom, "doc", "history", key_of(player), "--data", data))
            assert history["lines"][:mine["count"]] == mine["lines"], "the history is another"
            document = get(seom, data, key_of(player))
            assert document["last_seq"] > 0 and document["bag"] is not None, document
            assert told(run(seom, "switches", "--data", data)) == {"closed": [], "why": ""}
            return len(fine), len(lines) - 1
        for _ in range(5):  # each is one moment of a world that moves on
            look()
        traders.go_on()
        traders.process.terminate()
        traders.process.wait(PATIENCE_S)
        assert world.stop() == 0
        print("# %d commands done, %d lines" % look())


def test_what_a_tool_writes_the_world_reads(seom):
    """And what it does not know it keeps: a field of a later version survives a player's command."""
    with busy_world(seom) as (world, data, _), Line(world.address).hello() as line:
        key = key_of(line.welcome["player"])
        assert line.do(buy={"kind": 1, "count": 2}) == "FINE"
        document = get(seom, data, key)
        coins = document["bag"]["coins"]
        while line.do(buy={"kind": 1, "count": 1}) == "FINE":
            pass  # until there is nothing left to pay with
        document = get(seom, data, key)
        left = document["bag"].get("coins", 0)
        assert left < coins, document
        later = [{"field": 900, "wire": 0, "bytes": "05"}, {"field": 901, "wire": 2, "bytes": "03616263"}]
        document["bag"]["coins"], document["?"] = left + 50, later
        before = told(run(seom, "doc", "get", key, "--data", data))
        after = told(put(seom, data, key, document))
        assert after["version"] == before["version"] + 1, after
        assert line.do(buy={"kind": 1, "count": 1}) == "FINE", "the world did not see the coins"
        document = get(seom, data, key)
        assert document["?"] == later, f"a field that nobody knows was lost: {document}"
        assert document["bag"]["coins"] < left + 50, document

        logged = operator_log(data)[-1]
        assert logged["what"] == "doc put" and logged["yes"] and logged["details"]["key"] == key, logged
        assert logged["details"]["before"] == before["document"], logged

        # Coins from nowhere: the audit says so, by the name of the account.
        done = run(seom, "audit", "--data", data)
        red = told(done, 1)
        assert not red["balanced"] and red["doubled"] == 50 and red["lost"] == 0, red
        assert key in done.stderr, f"nobody is named:\n{done.stderr}"
        # So does a backup, which is made all the same.
        assert not told(run(seom, "backup", data / "red", "--data", data), 1)["balanced"]


def test_a_thing_more_is_found(seom):
    """A fruit that nobody picked, in a world that stands still; and one that is gone."""
    with tempfile.TemporaryDirectory(prefix="seom-tools-") as data:
        with World(seom, data) as world, Line(world.address).hello() as line:
            key = key_of(line.welcome["player"])
            assert line.do(buy={"kind": 1, "count": 3}) == "FINE"
            assert world.stop() == 0
        assert told(run(seom, "audit", "--data", data))["balanced"]
        for more, what in ((1, "doubled"), (-1, "lost")):
            document = get(seom, data, key)
            document["bag"]["slots"][0]["count"] = 3 + more
            told(put(seom, data, key, document))
            done = run(seom, "audit", "--data", data)
            red = told(done, 1)
            assert red[what] == 1 and not red["balanced"], red
            assert key in done.stderr, done.stderr
        # What an operator gives comes with its line, in one document; then everything is as it should be.
        document["bag"]["slots"][0]["count"] = 3 + 2
        document["ledger"].append({"at_ms": document["ledger"][-1]["at_ms"], "reason": 19, "to": "ACCOUNT_PLAYER",
                                   "to_id": line.welcome["player"], "kind": 1, "count": 2})
        told(put(seom, data, key, document))
        assert told(run(seom, "audit", "--data", data))["balanced"]
        history = told(run(seom, "doc", "history", key, "--data", data))["lines"]
        assert history[-1]["reason"] == "by the operator" and history[-1]["count"] == 2, history[-1]


def asked(seom, answer, *arguments):
    """Runs it at a terminal and answers its question. Its exit code and what it said."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen([seom, *map(str, arguments)], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=clean_environment()) as process:
            os.write(master, answer.encode("ascii") + b"\n")
            _, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, err
    finally:
        os.close(master)
        os.close(slave)


def test_what_destroys_asks(seom):
    with busy_world(seom) as (world, data, traders):
        ledger = [json.loads(line) for line in run(seom, "ledger", "--data", data).stdout.splitlines()[:-1]]
        key = key_of(int(ledger[0]["player"], 16))
        traders.process.terminate()
        traders.process.wait(PATIENCE_S)
        # Who leaves has its place written into its document; a second of figures later that is done.
        assert until(lambda: world.status()["players"] == 0), world.status()
        file = data / "document.json"
        file.write_text(run(seom, "doc", "get", key, "--data", data).stdout, encoding="utf-8")
        version = json.loads(file.read_text(encoding="utf-8"))["version"]

        def now():
            return told(run(seom, "doc", "get", key, "--data", data))["version"]
        refused(run(seom, "doc", "put", key, file, "--data", data), 1, "Nobody is here to ask", "--yes", key)
        code, err = asked(seom, "no", "doc", "put", key, file, "--data", data)
        assert code == 1 and "[yes/no]" in err and "nothing was changed" in err, (code, err)
        assert now() == version and not (data / "operator.log").exists()
        code, err = asked(seom, "yes", "doc", "put", key, file, "--data", data)
        assert code == 0 and now() == version + 1, (code, err)
        assert operator_log(data)[-1]["yes"] is False, "somebody was asked"
        # What was deleted can be written again, and goes on counting.
        gone = next(line["from"] for line in ledger if line["reason"] == "claimed")
        missing = f"0001/{gone}"
        refused(run(seom, "doc", "get", missing, "--data", data), 1, missing, "no such document")
        pipe = subprocess.run([seom, "doc", "put", missing, "-", "--yes", "--data", str(data)], input='{"text": "again"}', text=True,
                              capture_output=True, env=clean_environment(), check=False)
        assert told(pipe)["version"] >= 3, pipe.stdout
        assert get(seom, data, missing) == {"text": "again"}


def comes_back(world, tickets, players):
    with contextlib.ExitStack() as stack:
        back = {stack.enter_context(Line(world.address)).hello(ticket=ticket).welcome["player"] for ticket in tickets}
    assert back == players, f"others came back: {back ^ players}"


def test_backup_and_restore(seom):
    """A backup taken while everybody trades; put into a new directory, and over a world."""
    with tempfile.TemporaryDirectory(prefix="seom-backup-") as kept:
        backup, new = pathlib.Path(kept, "sunday"), pathlib.Path(kept, "new")
        with busy_world(seom) as (world, data, traders):
            until(traders.tickets.exists)
            begun = traders.answered()
            done = run(seom, "backup", backup, "--data", data)
            audit = told(done)
            assert audit["balanced"] and audit["commands"] > 0, audit
            for name in ("sunday", "sunday.ticket.key", "sunday.world.json"):
                assert pathlib.Path(kept, name).stat().st_mode & 0o777 == 0o600, f"{name}: others may read it"
            assert f"{backup}.ticket.key" in done.stderr, "the secret is not spoken of"
            refused(run(seom, "backup", backup, "--data", data), 1, str(backup), "there already", "name another file")
            assert told(run(seom, "store", "copy", pathlib.Path(kept, "copy"), "--data", data))["file"].endswith("copy")
            traders.go_on(100)
            refused(run(seom, "restore", backup, "--yes", "--data", data), 1, str(world.process.pid))
            assert traders.answered() > begun and world.process.poll() is None
            people = json.loads(run(seom, "players", "--data", data).stdout.splitlines()[-1])["players"]
            players, tickets = {row["id"] for row in people}, traders.who()
            traders.process.terminate()
            traders.process.wait(PATIENCE_S)
            tickets = traders.who() or tickets
            world.kill()

            # Over the world itself: a day is undone, and what there was is kept.
            refused(run(seom, "restore", backup, "--data", data), 1, "Nobody is here to ask", "kept aside")
            later = told(run(seom, "audit", "--data", data))
            assert told(run(seom, "restore", backup, "--yes", "--data", data)) == audit
            assert later["commands"] > audit["commands"], "nothing was undone"
            aside = data / "store.mdb.before-restore-1"
            assert aside.exists() and operator_log(data)[-1]["what"] == "restore"
            with World(seom, data) as again:
                comes_back(again, tickets, players)
                with Line(again.address).hello(ticket=tickets[0]) as line:
                    line.do(buy={"kind": 1, "count": 1})
                assert again.stop() == 0
            assert told(run(seom, "audit", "--data", data))["balanced"]

        # Into a directory that is not there yet.
        assert told(run(seom, "restore", backup, "--data", new)) == audit
        assert (new / "store.mdb").stat().st_mode & 0o777 == 0o600
        with World(seom, new) as elsewhere:
            comes_back(elsewhere, tickets, players)
            assert elsewhere.stop() == 0

        # Without the key it is said, before anybody finds the door closed.
        pathlib.Path(kept, "sunday.ticket.key").unlink()
        done = run(seom, "restore", backup, "--data", pathlib.Path(kept, "keyless"))
        told(done)
        assert "without it the world will not start" in done.stderr, done.stderr
        broken = pathlib.Path(kept, "broken")
        broken.write_bytes(b"no store" * 1000)
        refused(run(seom, "restore", broken, "--yes", "--data", new), 1, "broken", "nothing was changed")
        assert not (new / "store.mdb.before-restore-1").exists()


def test_a_flipped_bit_is_found(seom):
    with busy_world(seom) as (_, data, traders):
        traders.go_on()
        spoilt = data / "spoilt"
        spoilt.mkdir()
        told(run(seom, "store", "copy", spoilt / "store.mdb", "--data", data))
        assert told(run(seom, "store", "verify", "--data", spoilt))["damaged"] == 0
        whole = (spoilt / "store.mdb").read_bytes()
        for found in re.finditer(b"for you", whole):  # the text of a mail; of some only what is left in a page of a claimed one
            flipped = bytearray(whole)
            flipped[found.start() + 2] ^= 0x10
            (spoilt / "store.mdb").write_bytes(flipped)
            done = run(seom, "store", "verify", "--data", spoilt)
            if done.returncode != 0:
                break
        assert told(done, 1)["damaged"] == 1, done.stderr
        key = re.search(r"damaged: (0001/mail/[0-9a-f]{16})$", done.stderr, re.MULTILINE)
        assert key, done.stderr
        refused(run(seom, "doc", "get", key[1], "--data", spoilt), 1, key[1], "checksum")
        red = told(run(seom, "audit", "--data", spoilt), 1)
        assert not red["balanced"] and red["unreadable"] == 1, red
        refused(run(seom, "restore", spoilt / "store.mdb", "--data", data / "elsewhere"), 1, "nothing was changed")
        assert not (data / "elsewhere" / "store.mdb").exists()


def test_switches(seom):
    """No wealth transfer, within a second, and only that."""
    with busy_world(seom) as (world, data, traders), Line(world.address).hello() as line:
        assert line.do(buy={"kind": 1, "count": 5}) == "FINE"

        def is_closed():
            return line.do(split={"from": 0, "to": 4, "count": 1}) == "CLOSED"

        def follows(closed):
            """How long it took."""
            begun = time.monotonic()
            assert until(lambda: is_closed() == closed), "the world does not follow"
            late_s = time.monotonic() - begun
            assert late_s < SWITCHED_S + LATE_S, f"it took {late_s:.1f} s"
            return late_s
        assert not is_closed()
        closed = told(run(seom, "switches", "--close", "wealth-transfer", "--why", "a swindle", "--data", data))
        assert closed == {"closed": ["arrange", "take", "trade", "mail"], "why": "a swindle"}, closed
        late_s = follows(True)
        assert until(lambda: sum(value for name, value in world.metrics().items() if "switches_closed" in name) == 4)
        assert line.do(buy={"kind": 1, "count": 1}) in ("FINE", "REFUSED"), "gathering is not closed"
        time.sleep(0.5)
        begun = traders.answered()
        traders.go_on(50)
        since = [line.split()[2] for line in traders.answers.read_text(encoding="ascii").splitlines()[begun:]]
        assert "17" in since and set(since) - {"17"}, f"either all or nothing is closed: {set(since)}"
        assert told(run(seom, "switches", "--open", "all", "--data", data))["closed"] == []
        follows(False)
        # The document is all there is to it.
        told(put(seom, data, "0001/meta/switches", {"closed": 2}))
        follows(True)
        assert told(run(seom, "switches", "--data", data))["closed"] == ["arrange"]
        told(run(seom, "switches", "--open", "arrange", "--data", data))
        follows(False)
        assert [line["what"] for line in operator_log(data)] == ["switches", "switches", "doc put", "switches"]
        print(f"# closed after {late_s:.2f} s")


def test_wrong_arguments(seom):
    with tempfile.TemporaryDirectory(prefix="seom-tools-") as base:
        data, file = pathlib.Path(base, "data"), pathlib.Path(base, "file")
        nobody = key_of(1)
        for arguments, *parts in (
                (["doc", "get"], "which document?"), (["doc", "get", "nonsense"], "\"nonsense\" is no key", "0001/player/"),
                (["doc", "put", nobody], "from which file?"), (["doc", "put", "0001//x", file], "is no key"),
                (["doc", "history", "0001/meta/clock"], "0001/meta/clock", "ledger"), (["doc", "get", nobody, "more"], "\"more\""),
                (["ledger", "--player", "Kim"], "\"Kim\"", "id"),
                (["ledger", "--player", "1", "--thing", "2"], "not both"), (["backup"], "to which file?"), (["restore"], "from which file?"),
                (["store", "copy"], "to which file?"), (["audit", "everything"], "\"everything\""),
                (["store", "verify", "more"], "\"more\""), (["switches", "--close", "walking"], "\"walking\"", "gather"),
                (["switches", "--why", "no reason"], "--why"), (["switches", "--open", "mail", "--close", "all"], "same time")):
            done = run(seom, *arguments)
            refused(done, 2, f"seom {arguments[0]}", *parts)
            assert done.stdout == "", done
        # A world that is not there: each says so, and none makes one.
        for arguments in (["audit"], ["ledger"], ["doc", "get", nobody], ["doc", "history", nobody], ["store", "verify"],
                          ["backup", file], ["store", "copy", file], ["switches"]):
            refused(run(seom, *arguments, "--data", data), 1, str(data))
            assert not data.exists() and not file.exists(), arguments
        with World(seom, base) as world:
            assert world.stop() == 0
        for text, part in (("", "file"), ("{", "file:1"), ('{"height": 3}', "no field \"height\""), ('{"last_seq": -1}', "last_seq"),
                           ('{"name": 7}', "name"), ('{"?": [{"field": 900, "wire": 2, "bytes": "ff"}]}', "?"), ("[]", "an object")):
            file.write_text(text, encoding="ascii")
            refused(run(seom, "doc", "put", nobody, file, "--yes", "--data", base), 1, part)
        file.write_text("{}", encoding="ascii")
        refused(run(seom, "doc", "put", "0001/hats/1", file, "--yes", "--data", base), 1, "hats")
        refused(run(seom, "doc", "get", nobody, "--data", base), 1, nobody, "no such document")
        assert not pathlib.Path(base, "operator.log").exists(), "something was changed"


if __name__ == "__main__":
    main(sys.modules["__main__"], __doc__)
