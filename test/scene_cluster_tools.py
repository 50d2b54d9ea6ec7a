#!/usr/bin/python3
"""The tools on a cluster's store as an operator uses them, while people trade in it and afterwards: an audit is of one moment,
everything that was answered has its lines, what a tool writes the homes read, closed is closed everywhere within a second, and
a backup is what the tool says it is.

    scene_cluster_tools.py PATH_TO_SEOM      prints TAP

check: full
"""
import collections
import contextlib
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

import postgres
from scene_cluster import Cluster
from scene_servers import TRADERS, Traders, short
from seom_scene import PATIENCE_S, Line, main, run, until

AUDITS = 10
BUSY = 600                      # answers before anybody looks
SWITCHED_S, LATE_S = 1.0, 2.0   # the promise; on a busy machine
CLOSED_CODE = "17"
MOVING = ("dropped", "taken", "put into a chest", "taken out of a chest", "offered", "traded", "sent", "claimed")
NOBODY = "0001/player/0000000000000001"


@contextlib.contextmanager
def cluster_up(seom, *options):
    """Two homes and a gate, on engines of their own if none are given."""
    cluster = Cluster(seom, homes=2, gates=1, options=options)
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.end()


@contextlib.contextmanager
def busy_cluster(seom, *options):
    with cluster_up(seom, *options) as cluster:
        traders = Traders(seom, "%s:%d" % cluster.gates[0], cluster.base)
        try:
            traders.more(BUSY)
            yield cluster, traders
        finally:
            traders.stop()


def told(done, code=0):
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def refused(done, code, *parts):
    assert done.returncode == code and not done.stdout, f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr}"
    for part in parts:
        assert part in done.stderr, f"'{part}' is not named:\n{done.stderr}"


def store_of(cluster):
    return json.loads((cluster.data / "cluster.json").read_text(encoding="utf-8"))["store"]


def put(seom, where, key, document):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        return run(seom, "doc", "put", key, file.name, "--yes", *where)


def operator_log(cluster):
    return [json.loads(line) for line in (cluster.data / "operator.log").read_text(encoding="utf-8").splitlines()]


def closed_at(cluster):
    """Classes that are closed, of each home."""
    rows = [row for row in cluster.get("/metrics").splitlines() if row.startswith("seom_switches_closed{") and 'node="home-' in row]
    return [sum(int(row.split()[-1]) for row in rows if f'node="home-{n}"' in row) for n in (1, 2)]


def test_it_can_be_looked_at_while_people_trade_and_afterwards(seom):
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with busy_cluster(seom) as (cluster, traders):
        where = ("--data", cluster.data)

        def look():
            audit = told(run(seom, "audit", *where))
            assert audit["balanced"] and audit["one_moment"] and audit["doubled"] == audit["lost"] == 0, audit
            assert audit["minted"] == audit["held"] + audit["consumed"] > 0, audit
            return audit
        audits = []
        for _ in range(AUDITS):
            audits.append(look())
            traders.more(TRADERS)
        commands = [audit["commands"] for audit in audits]
        assert commands == sorted(set(commands)), f"nobody traded meanwhile: {commands}"

        # Everything that was answered as done, in whichever home, has its lines.
        fine = {tuple(map(int, line.split()[:2])) for line in traders.answers.read_text(encoding="ascii").splitlines()
                if line.endswith(" 0")}
        done = run(seom, "ledger", *where)
        assert told(done)["count"] > 0 == told(done)["unreadable"], done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()[:-1]]
        there = {(int(line["player"], 16), line["seq"]) for line in lines}
        assert fine and fine <= there, f"acknowledged and not in the ledger: {sorted(fine - there)[:5]}"

        player = int(collections.Counter(line["player"] for line in lines).most_common(1)[0][0], 16)
        key = f"0001/player/{player:016x}"
        mine = told(run(seom, "ledger", "--player", player, *where))["lines"]
        assert mine and all(key[5:] in (line["from"], line["to"]) for line in mine if line["count"]), mine
        history = told(run(seom, "doc", "history", key, "--store", store_of(cluster)))["lines"]
        assert history[:len(mine)] == mine, "the history is another"
        document = told(run(seom, "doc", "get", key, *where))["document"]
        assert document["last_seq"] >= max(line["seq"] for line in mine if int(line["player"], 16) == player), document
        people = {row["id"] for row in told(run(seom, "players", *where))["players"]}
        assert len(people) >= TRADERS and people >= {player for player, _ in fine}, people
        homes = {told(run(seom, "doc", "get", f"0001/player/{p:016x}", *where))["document"]["home_node"] for p in list(people)[:20]}
        assert len(homes) == 2, f"all of them are at {homes}"

        traders.stop()
        after = look()
        assert look()["commands"] == after["commands"] >= sum(traders.highest().values()), after
        cluster.do("cluster", "down")
        refused(run(seom, "audit", *where), 1, "PostgreSQL", str(cluster.data))
        print(f"# {AUDITS} audits of {commands[0]} to {commands[-1]} commands; {len(lines)} lines")
    return None


def test_what_a_tool_writes_the_homes_read(seom):
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with cluster_up(seom) as cluster, Line(cluster.gates[0]).hello() as line:
        where = ("--data", cluster.data)
        key = f"0001/player/{line.welcome['player']:016x}"
        while line.do(buy={"kind": 1, "count": 1}) == "FINE":
            pass  # until there is nothing left to pay with
        before = told(run(seom, "doc", "get", key, *where))
        document = before["document"]
        left = document["bag"].get("coins", 0)
        document["bag"]["coins"] = left + 50
        refused(run(seom, "doc", "put", key, "/dev/null", *where), 1)
        assert told(put(seom, where, key, document))["version"] == before["version"] + 1
        assert line.do(buy={"kind": 1, "count": 1}) == "FINE", "the home did not see the coins"
        logged = operator_log(cluster)[-1]
        assert logged["what"] == "doc put" and logged["details"]["key"] == key, logged
        assert logged["details"]["before"]["bag"].get("coins", 0) == left, logged

        # Coins from nowhere are found, and named; with their line they are what an operator gave.
        done = run(seom, "audit", *where)
        red = told(done, 1)
        assert not red["balanced"] and red["doubled"] == 50 and key in done.stderr, (red, done.stderr)
        document = told(run(seom, "doc", "get", key, *where))["document"]
        document["ledger"].append({"at_ms": document["ledger"][-1]["at_ms"], "reason": 19, "to": "ACCOUNT_PLAYER",
                                   "to_id": line.welcome["player"], "kind": 0, "count": 50})
        told(put(seom, where, key, document))
        assert told(run(seom, "audit", *where))["balanced"]

        # A key that nobody ever had, written twice: it is counted on.
        assert told(put(seom, where, NOBODY, {}))["version"] == 1
        assert told(put(seom, where, NOBODY, {}))["version"] == 2
        nowhere = ("--store", store_of(cluster), "--data", cluster.base / "nowhere")
        refused(put(seom, nowhere, NOBODY, {}), 1, "operator.log", "--data")
        refused(run(seom, "doc", "get", NOBODY[:-1] + "2", *where), 1, "no such document")
    return None


def test_closed_is_closed_at_every_home(seom):
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with busy_cluster(seom) as (cluster, traders), Line(cluster.gates[0]).hello() as line:
        where = ("--data", cluster.data)
        assert told(run(seom, "switches", *where)) == {"closed": [], "why": ""}
        assert line.do(buy={"kind": 1, "count": 5}) == "FINE"

        def is_closed():
            return line.do(split={"from": 0, "to": 4, "count": 1}) == "CLOSED"

        def follows(closed):
            begun = time.monotonic()
            assert until(lambda: is_closed() == closed), "the home does not follow"
            late_s = time.monotonic() - begun
            assert late_s < SWITCHED_S + LATE_S, f"it took {late_s:.1f} s"
            assert until(lambda: closed_at(cluster) == ([4, 4] if closed else [0, 0])), closed_at(cluster)
            return late_s
        assert not is_closed()
        closed = told(run(seom, "switches", "--close", "wealth-transfer", "--why", "a swindle", *where))
        assert closed == {"closed": ["arrange", "take", "trade", "mail"], "why": "a swindle"}, closed
        late_s = follows(True)
        assert line.do(buy={"kind": 1, "count": 1}) in ("FINE", "REFUSED"), "gathering is not closed"

        # Nobody anywhere gives or gets: no line of such a kind is written any more.
        def transfers():
            lines = [json.loads(text) for text in run(seom, "ledger", *where).stdout.splitlines()[:-1]]
            return sum(row["reason"] in MOVING for row in lines)
        moved, begun = transfers(), traders.count()
        assert moved > 0, "nobody ever did"
        traders.more(5 * TRADERS)
        since = [text.split()[2] for text in traders.answers.read_text(encoding="ascii").splitlines()[begun:]]
        assert CLOSED_CODE in since and transfers() == moved, (set(since), moved, transfers())
        assert told(run(seom, "switches", "--open", "all", "--store", store_of(cluster), *where))["closed"] == []
        follows(False)
        traders.more(5 * TRADERS)
        assert transfers() > moved, "nobody does any more"
        assert [row["what"] for row in operator_log(cluster)] == ["switches", "switches"]
        print(f"# closed after {late_s:.2f} s")
    return None


def test_a_backup_is_what_the_tool_says(seom):
    """Its command, run while people trade, and restored into another server, is a world that balances."""
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with busy_cluster(seom) as (cluster, traders):
        where, file = ("--data", cluster.data), cluster.base / "sunday"

        def command(tool):
            done = run(seom, tool, file, *where)
            refused(done, 1, "PostgreSQL keeps")
            words = shlex.split(done.stderr.splitlines()[-1].replace("`", "").replace(";", " "))
            begin = next(n for n, word in enumerate(words) if word.startswith("pg_"))
            end = next(n for n in range(begin, len(words)) if words[n] in ("keeps", "puts"))
            return words[begin:end], done.stderr

        def do(words):
            done = subprocess.run([str(postgres.binaries() / words[0]), *words[1:]], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        dump, why = command("backup")
        assert f"{cluster.data}/ticket.key" in why and (cluster.data / "ticket.key").exists(), why
        do(dump)
        traders.more(TRADERS)
        restore, _ = command("restore")
        assert f"--dbname={store_of(cluster)}" in restore, restore
        with postgres.Server() as server:
            do([word if not word.startswith("--dbname=") else f"--dbname={server.address()}" for word in restore])
            audit = told(run(seom, "audit", "--store", server.address()))
            assert audit["balanced"] and 0 < audit["commands"], audit
        later = told(run(seom, "audit", *where))
        assert later["commands"] > audit["commands"], "the backup is of a later day"
        for arguments in (("store", "verify"), ("store", "copy", file)):
            refused(run(seom, *arguments, *where), 1, "PostgreSQL keeps", "seom ")
    return None


def test_a_standby_is_read_too(seom):
    """One that follows while people trade; and it alone, when the server that takes writes is gone."""
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with postgres.Server() as primary, busy_cluster(seom, "--store", primary.address()) as (cluster, traders), \
            primary.replica() as standby:
        def look(*servers):
            audit = told(run(seom, "audit", "--store", postgres.address(*servers)))
            assert audit["balanced"] and audit["one_moment"] and audit["commands"] > 0, audit
            return audit["commands"]
        assert look(standby) <= look(primary)
        traders.more(TRADERS)
        answered = sum(traders.highest().values())
        assert look(standby, primary) >= answered, "the server that takes writes was not asked"
        traders.stop()
        primary.kill()
        assert look(primary, standby) == look(standby)
        where = ("--data", cluster.base, "--store", standby.address())
        refused(run(seom, "switches", "--close", "all", *where, timeout_s=3 * PATIENCE_S), 1, "does not answer")
        assert told(run(seom, "switches", *where))["closed"] == []
    return None


def test_several_servers(seom):
    """One document at a time goes as before; what is not of one moment says so, and a part alone is refused."""
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with postgres.Server(tcp=True) as first, postgres.Server(tcp=True) as second, \
            cluster_up(seom, "--store", f"{short(first)};{short(second)}") as cluster:
        where = ("--data", cluster.data)
        with Line(cluster.gates[0]).hello() as line:
            assert line.do(buy={"kind": 1, "count": 5}) == "FINE"
            key = f"0001/player/{line.welcome['player']:016x}"
            document = told(run(seom, "doc", "get", key, *where))
            assert document["document"]["last_seq"] > 0, document
            assert told(put(seom, where, key, document["document"]))["version"] == document["version"] + 1
            told(run(seom, "switches", "--close", "all", *where))
            assert until(lambda: line.do(buy={"kind": 1, "count": 1}) == "CLOSED"), "the home does not follow"
            told(run(seom, "switches", "--open", "all", *where))
            assert line.welcome["player"] in [row["id"] for row in told(run(seom, "players", *where))["players"]]
        done = run(seom, "audit", *where)
        audit = told(done)
        assert audit["balanced"] and not audit["one_moment"] and "not read from one moment" in done.stderr, (audit, done.stderr)
        assert "not read from one moment" in run(seom, "ledger", *where).stderr
        refused(run(seom, "backup", cluster.base / "file", *where), 1, "all of them are needed")
        for tool in (("audit",), ("ledger",), ("doc", "get", key), ("players",), ("switches",)):
            refused(run(seom, *tool, "--store", short(second)), 1, "order")
    return None


def test_a_cluster_goes_on_where_its_world_is(seom):
    """The store it was started with is its store, said or not; another is refused, and so is a cluster.json that is broken."""
    if postgres.binaries() is None:
        return "PostgreSQL's server is not installed"
    with postgres.Server() as server, cluster_up(seom, "--store", server.address()) as cluster:
        file = cluster.data / "cluster.json"
        with Line(cluster.gates[0]).hello() as line:
            player, ticket = line.welcome["player"], line.welcome["ticket"]
        cluster.do("cluster", "down")
        assert cluster.process.wait(PATIENCE_S) == 0, cluster.told()
        saved = file.read_text(encoding="utf-8")

        up = (seom, "cluster", "up", "--data", cluster.data, "--http", "127.0.0.1:0", "--play", "127.0.0.1:0", "--for", "1")
        for option in ("--store", "--etcd"):
            refused(run(*up, option, "http://127.0.0.1:1", timeout_s=PATIENCE_S), 1, "another world", "--data")
        for text in ("", "{broken", saved[:len(saved) // 2]):
            file.write_text(text, encoding="utf-8")
            refused(run(*up, timeout_s=PATIENCE_S), 1, str(file), "move it away")
            assert file.read_text(encoding="utf-8") == text, "it was written over"
        file.write_text(saved, encoding="utf-8")

        cluster.options = []
        cluster.up()
        assert store_of(cluster) == server.address() and not (cluster.data / "postgres").exists()
        assert len(cluster.nodes()) == 3, "it has another shape"
        with Line(cluster.gates[0]).hello(ticket=ticket) as line:
            assert line.welcome["player"] == player, "somebody else's world"
    return None


def test_what_is_no_cluster_is_said(seom):
    with tempfile.TemporaryDirectory(prefix="seom-tools-") as base:
        file = pathlib.Path(base, "cluster.json")
        for text in ("{", "{}", '{"store": 1, "world": 1}', '{"store": "postgresql:///x", "world": 70000}'):
            file.write_text(text, encoding="ascii")
            refused(run(seom, "audit", "--data", base), 2, str(file), "--store")
        file.write_text('{"store": "postgresql://x?nonsense=1", "world": 1}', encoding="ascii")
        refused(run(seom, "players", "--data", base), 1, "nonsense")
        refused(run(seom, "audit", "--store", f"postgresql://nobody@/x?host={base}", timeout_s=PATIENCE_S), 1, base)
        assert [path.name for path in pathlib.Path(base).iterdir()] == ["cluster.json"], "something was made"


if __name__ == "__main__":
    main(sys.modules[__name__], __doc__)
