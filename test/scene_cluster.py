#!/usr/bin/python3
"""A cluster on one machine, and the death of each of its parts while people play: who plays stays connected and goes on, what
died is started again, and what is told about it is true. Each test prints the seconds that people lost: the longest time in
which somebody's questions were not answered, beyond the pause between two of them.

    scene_cluster.py PATH_TO_SEOM      prints TAP

check: full
"""
import atexit
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from seom_scene import PATIENCE_S, Gone, Line, clean_environment, client_frame, decode, distance_mm, lives, main, run, until

PEOPLE = 24
ASK_S = 0.2             # between two questions of somebody
SETTLED_S = 1.5         # so long everybody is heard before something dies
HOME_LOST_S = 5.0       # the promises; for a home that is stopped, not dead, twice that
STOPPED_LOST_S = 10.0
GATE_LOST_S = 10.0
DRAIN_LOST_S = 1.5      # 0.3 on a machine that does nothing else
STOOD_MM = 500
LEFT = 16
BENCH_END_S = 15       # far less than the 40 s after which a bench kills its cluster


class Cluster:
    """Homes, gates, PostgreSQL and etcd. Ends with the scene, or after ten minutes."""

    def __init__(self, seom, homes=3, gates=2, bots=0, options=()):
        self.seom, self.options = seom, ["--homes", homes, "--gates", gates, "--bots", bots, *options]
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="seom-cluster-", dir="/tmp"))
        self.base.chmod(0o755)  # PostgreSQL runs as somebody else and has to pass through
        self.data = self.base / "data"
        self.log = self.base / "log"
        self.process = None

    def up(self):
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.seom, "cluster", "up", "--data", str(self.data), "--http", "127.0.0.1:0", "--play", "127.0.0.1:0", "--for",
                 "600", *map(str, self.options)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())
        up = until(lambda: "Ctrl-C stops" in self.told() or self.process.poll() is not None, 60)
        assert up and self.process.poll() is None, f"it did not come up:\n{self.told()}\n{self.logs()}"
        self.http = re.findall(r"the map +(http://127\.0\.0\.1:\d+)", self.told())[-1]
        self.gates = [("127.0.0.1", int(port)) for port in re.findall(
            r":(\d+)", re.findall(r"players +(.*)", self.told())[-1])]

    def told(self):
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def logs(self):
        return "\n".join(f"{path.name}: {path.read_text(encoding='utf-8', errors='replace')[-600:]}"
                         for path in sorted(self.data.glob("logs/*.log")))

    def do(self, *arguments):
        """The JSON of a tool that has to succeed."""
        done = run(self.seom, *arguments, "--data", self.data, timeout_s=150)
        assert done.returncode == 0, f"seom {arguments}: {done.stderr}\n{self.told()[-2000:]}"
        return json.loads(done.stdout.splitlines()[-1])

    def nodes(self):
        return {row["name"]: row for row in self.do("nodes")["nodes"]}

    def get(self, path):
        with urllib.request.urlopen(self.http + path, timeout=PATIENCE_S) as answer:
            return answer.read().decode("utf-8")

    def people(self):
        """What the map shows; None: nothing is known yet."""
        people = json.loads(self.get("/people.json"))
        return people if people.get("known", True) else None

    def all_serve(self):
        nodes = self.nodes()
        return all(n["state"] == "serving" and n["links"] == n["links_expected"] for n in nodes.values()) and nodes

    def playing(self):
        """At all homes; who is gone lingers for a while."""
        return sum(n.get("players", 0) - n.get("lingering", 0) for n in self.nodes().values() if n["role"] == "home")

    def busiest_home(self):
        homes = [n for n in self.nodes().values() if n["role"] == "home" and n["state"] == "serving"]
        return max(homes, key=lambda n: n["players"])

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        shutil.rmtree(self.base, ignore_errors=True)


def question(line, number):
    """Who am I? The home answers out of its memory."""
    return client_frame(request={"number": number, "look": {"entity": line.welcome["entity"]}})


class Somebody:
    """Stands somewhere and asks now and then."""

    def __init__(self, cluster, number):
        self.cluster, self.gate = cluster, number % len(cluster.gates)
        self.line = Line(cluster.gates[self.gate]).hello()
        self.place = (self.line.motion["x_mm"], self.line.motion["y_mm"])
        self.number, self.next_at = 0, time.monotonic() + ASK_S * number / PEOPLE
        self.answered_at, self.broken, self.moved_mm = [], 0, 0

    def ask(self, now):
        if now < self.next_at:
            return
        self.next_at, self.number = now + ASK_S, self.number + 1
        try:
            self.line.say(question(self.line, self.number))
        except OSError:
            self.come_back()

    def hear(self):
        heard = len(self.line.messages)
        try:
            self.line.receive(0)
        except Gone:
            self.come_back()
            return
        for name, body in self.line.messages[heard:]:
            if name == "answer" and decode.CODES[body.get("code", 0)] == "FINE":
                self.answered_at.append(time.monotonic())

    def come_back(self):
        """With its ticket, to the next gate."""
        self.broken += 1
        ticket = self.line.welcome["ticket"]
        end = time.monotonic() + PATIENCE_S
        while True:
            self.line.socket.close()
            self.gate = (self.gate + 1) % len(self.cluster.gates)
            try:
                self.line = Line(self.cluster.gates[self.gate]).hello(ticket=ticket)
                break
            except (OSError, AssertionError):
                assert time.monotonic() < end, "no gate takes it back"
                time.sleep(0.1)
        now = (self.line.motion["x_mm"], self.line.motion["y_mm"])
        self.moved_mm = max(self.moved_mm, distance_mm(now, self.place))

    def lost_s(self, since):
        times = [since, *(t for t in self.answered_at if t > since), time.monotonic()]
        return max(0.0, max(b - a for a, b in zip(times, times[1:])) - ASK_S)


class Crowd(threading.Thread):
    """People who ask for as long as the block lasts."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.people = [Somebody(cluster, number) for number in range(PEOPLE)]
        self.enough, self.why = threading.Event(), None

    def __enter__(self):
        self.start()
        self.settle()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.join(PATIENCE_S)
        for somebody in self.people:
            somebody.line.say(client_frame(goodbye={"code": LEFT}))
            somebody.line.socket.close()

    def run(self):
        try:
            while not self.enough.is_set():
                now = time.monotonic()
                for somebody in self.people:
                    somebody.ask(now)
                ready, _, _ = select.select([s.line.socket for s in self.people], [], [], 0.02)
                for somebody in self.people:
                    if somebody.line.socket in ready:
                        somebody.hear()
        except BaseException as why:
            self.why = why
            raise

    def all_answered_since(self, since):
        return all(s.answered_at and s.answered_at[-1] > since for s in self.people)

    def settle(self):
        assert until(lambda: self.all_answered_since(0)), "not everybody is answered"
        time.sleep(SETTLED_S)

    def lost(self, since, patience_s):
        """Once everybody is answered again: the seconds that they lost, in their order."""
        happened = time.monotonic()
        until(lambda: self.why or self.all_answered_since(happened), patience_s)
        assert self.why is None, self.why
        silent = [s for s in self.people if not s.answered_at or s.answered_at[-1] <= happened]
        assert not silent, f"{len(silent)} of {PEOPLE} are not answered any more after {patience_s} s"
        return sorted(s.lost_s(since) for s in self.people)

    def broken(self):
        return sum(s.broken for s in self.people)


def tell(what, lost):
    print(f"# {what}: lost p50 {lost[len(lost) // 2]:.2f} s, max {lost[-1]:.2f} s", flush=True)


def cluster(seom):
    """The one that all tests share, as it stands."""
    if not hasattr(cluster, "it"):
        cluster.it = Cluster(seom)
        atexit.register(cluster.it.end)
        cluster.it.up()
    return cluster.it


def guest_plays(c, gate=0):
    """Somebody new comes in and is answered."""
    with Line(c.gates[gate]).hello() as line:
        line.say(question(line, 1))
        line.hear(lambda: any(name == "answer" for name, _ in line.messages))
        return next((decode.CODES[body.get("code", 0)] for name, body in line.messages if name == "answer"), None) == "FINE"


def test_all_is_up_and_told(seom):
    c = cluster(seom)
    nodes = until(c.all_serve)
    assert nodes, c.nodes()
    assert sorted(nodes) == ["gate-1", "gate-2", "home-1", "home-2", "home-3"], nodes
    assert len({n["epoch"] for n in nodes.values()}) == 5 and len({n["pid"] for n in nodes.values()}) == 5, nodes
    listed = json.loads((c.data / "cluster.json").read_text(encoding="utf-8"))
    assert (c.data / "cluster.json").stat().st_mode & 0o777 == 0o600, "it may hold the password of a store"
    assert all("postgresql:" not in pathlib.Path(f"/proc/{n['pid']}/cmdline").read_text(encoding="utf-8") for n in nodes.values())
    assert {m["name"] for m in listed["members"]} == {*nodes, "postgres", "etcd"}, listed
    assert all(lives(m["pid"]) for m in listed["members"]), listed
    for name in [*nodes, "cluster"]:
        assert (c.data / f"{name}.sock").stat().st_mode & 0o777 == 0o600, name
    alone = [row["what"] for row in c.do("spof")["alone"]]
    assert any("PostgreSQL" in what for what in alone) and not any("home" in what for what in alone), alone


def test_who_comes_is_seen_by_all_tools(seom):
    c = cluster(seom)
    with Crowd(c):
        assert until(lambda: c.playing() == PEOPLE), c.nodes()
        assert until(lambda: json.loads(c.get("/status"))["players"] >= PEOPLE), c.get("/status")
        assert c.people() is None  # nobody has asked for them before: from now on they are
        assert until(lambda: sum(len(h["people"]) for h in (c.people() or {"homes": []})["homes"]) == PEOPLE)
        gates = json.loads(c.get("/config.json"))["gates"]
        assert gates == [f"{host}:{port}" for host, port in c.gates], gates
        players = re.findall(r'^seom_players\{[^}]*node="(home-\d)"[^}]*\} (\d+)', c.get("/metrics"), re.MULTILINE)
        assert sorted(name for name, _ in players) == ["home-1", "home-2", "home-3"], players
        assert c.get("/metrics").count("# TYPE seom_players gauge") == 1
        assert until(lambda: sum(int(count) for count in re.findall(
            r'^seom_gate_players\{[^}]*node="gate-\d"[^}]*\} (\d+)', c.get("/metrics"), re.MULTILINE)) == PEOPLE)


def test_a_home_dies(seom):
    c = cluster(seom)
    with Crowd(c) as crowd:
        home, since = c.busiest_home(), time.monotonic()
        c.do("node", "kill", home["name"], "-9")
        lost = crowd.lost(since, 2 * HOME_LOST_S)
        tell(f"kill -9 of {home['name']}, {home['players']} players", lost)
        assert crowd.broken() == 0, f"{crowd.broken()} connections broke"
        assert lost[-1] <= HOME_LOST_S, lost
        assert until(lambda: c.nodes()[home["name"]]["state"] == "serving"), c.nodes()
        again = c.nodes()[home["name"]]
        assert again["pid"] != home["pid"] and again["epoch"] > home["epoch"] and again["restarts"] == 1, again


def test_a_home_stands_still_and_comes_back(seom):
    c = cluster(seom)
    assert until(c.all_serve), c.nodes()
    with Crowd(c) as crowd:
        home, since = c.busiest_home(), time.monotonic()
        c.do("node", "kill", home["name"], "-STOP")
        lost = crowd.lost(since, 2 * STOPPED_LOST_S)
        tell(f"SIGSTOP of {home['name']}, {home['players']} players", lost)
        assert crowd.broken() == 0, f"{crowd.broken()} connections broke"
        assert lost[-1] <= STOPPED_LOST_S, lost
        assert until(lambda: c.nodes()[home["name"]]["state"] == "silent"), c.nodes()
        c.do("node", "kill", home["name"], "-CONT")
        until(lambda: c.nodes()[home["name"]].get("epoch", 0) > home["epoch"])
        again = c.nodes()[home["name"]]
        assert again["pid"] == home["pid"] and again["epoch"] > home["epoch"], f"it came back as it was: {again}"
        assert crowd.lost(time.monotonic(), HOME_LOST_S)[-1] <= HOME_LOST_S, "whoever came back took somebody away"
        assert crowd.broken() == 0, f"{crowd.broken()} connections broke"


def test_a_gate_dies(seom):
    c = cluster(seom)
    assert until(c.all_serve), c.nodes()
    with Crowd(c) as crowd:
        since = time.monotonic()
        c.do("node", "kill", "gate-1", "-9")
        lost = crowd.lost(since, 2 * GATE_LOST_S)
        tell("kill -9 of gate-1", lost)
        assert crowd.broken() >= PEOPLE // 2, f"only {crowd.broken()} connections broke"
        assert lost[-1] <= GATE_LOST_S, lost
        moved = max(s.moved_mm for s in crowd.people)
        assert moved <= STOOD_MM, f"somebody stands {moved} mm from where it stood"


def test_a_home_is_added_and_one_is_drained(seom):
    c = cluster(seom)
    assert until(c.all_serve), c.nodes()
    with Crowd(c) as crowd:
        assert c.do("node", "add")["name"] == "home-4"
        home, since = c.busiest_home(), time.monotonic()
        drained = c.do("node", "drain", home["name"])
        lost = crowd.lost(since, PATIENCE_S)
        tell(f"drain of {home['name']}, {home['players']} players, in {drained['seconds']:.1f} s", lost)
        assert crowd.broken() == 0, f"{crowd.broken()} connections broke"
        assert lost[-1] <= DRAIN_LOST_S, lost
        assert c.nodes()[home["name"]]["state"] == "ended", c.nodes()
        assert until(lambda: c.playing() == PEOPLE), c.nodes()
    c.do("node", "start", home["name"])
    assert until(c.all_serve), c.nodes()


def test_the_directory_is_away(seom):
    c = cluster(seom)
    assert until(c.all_serve), c.nodes()
    with Crowd(c) as crowd:
        c.do("node", "kill", "etcd", "-9", "--stay-dead")
        home, since = c.busiest_home(), time.monotonic()
        c.do("node", "kill", home["name"], "-9")
        lost = crowd.lost(since, 2 * HOME_LOST_S)
        tell(f"kill -9 of {home['name']} without etcd", lost)
        assert crowd.broken() == 0 and lost[-1] <= HOME_LOST_S, lost
        assert guest_plays(c), "nobody new is let in"
        assert until(lambda: c.nodes()[home["name"]]["state"] == "starting"), "a new node does not wait for etcd"
        c.do("node", "start", "etcd")
        assert until(c.all_serve), c.nodes()


def test_the_store_is_away(seom):
    c = cluster(seom)
    assert until(c.all_serve), c.nodes()
    with Crowd(c) as crowd:
        since = time.monotonic()
        c.do("node", "kill", "postgres", "-9", "--stay-dead")
        time.sleep(2)
        lost = crowd.lost(since, PATIENCE_S)
        tell("kill -9 of PostgreSQL, nobody waits for it", lost)
        assert crowd.broken() == 0 and lost[-1] <= DRAIN_LOST_S, lost
        c.do("node", "start", "postgres")
        homes = lambda: [n for n in c.nodes().values() if n["role"] == "home"]
        assert until(lambda: not any(n["store_away"] for n in homes())), homes()
        assert guest_plays(c, 1), "nobody new is let in"


def test_what_cannot_be_done_is_said(seom):
    c = cluster(seom)
    for arguments, word in ((("node", "kill", "home-77"), "seom nodes"), (("node", "drain", "etcd"), "no node"),
                            (("node", "restart", "etcd"), "no node"), (("node", "restart", "home-77"), "seom nodes"),
                            (("node", "add", "--role", "king"), "a gate or a relay"),
                            (("node", "add", "--shard", "999"), "from 1 to 1")):
        done = run(seom, *arguments, "--data", c.data)
        assert done.returncode == 1 and word in done.stderr and not done.stdout, done
    done = run(seom, "cluster", "up", "--data", c.data, "--http", "127.0.0.1:0")
    assert done.returncode == 1 and "seom cluster down" in done.stderr, done
    done = run(seom, "nodes", "--data", c.base)
    assert done.returncode == 1 and "seom cluster up" in done.stderr, done


def test_what_cannot_work_is_said_before_anything_is_made(seom):
    c = cluster(seom)
    with tempfile.TemporaryDirectory(prefix="seom-cluster-", dir="/tmp") as base:
        for options, word in ((("--etcd", "nonsense"), "http://127.0.0.1:2379"), (("--etcd", "http://" + 300 * "a"), "--etcd"),
                              (("--store", 300 * "a"), "store"), (("--http", c.http.removeprefix("http://")), "--http")):
            data = pathlib.Path(base, "data")
            done = run(seom, "cluster", "up", "--http", "127.0.0.1:0", "--data", data, *options)
            assert done.returncode != 0 and word in done.stderr and not done.stdout, done
            assert not (data / "postgres").exists() and not (data / "postgres.new").exists(), done
        file = pathlib.Path(base, "file")
        file.touch()
        done = run(seom, "cluster", "up", "--http", "127.0.0.1:0", "--data", file)
        assert done.returncode == 1 and "Not a directory" in done.stderr and "cluster down" not in done.stderr, done


def test_a_directory_that_postgres_cannot_use_is_refused_and_left_as_it_is(seom):
    with tempfile.TemporaryDirectory(prefix="seom-cluster-", dir="/tmp") as base:
        os.chmod(base, 0o755)
        shut = pathlib.Path(base, "shut")
        shut.mkdir(0o700)
        (shut / "letters").touch()
        refused = [(pathlib.Path(base, "one,two"), "a comma")] + ([(shut, "chmod o+x")] if os.geteuid() == 0 else [])
        for data, word in refused:
            done = run(seom, "cluster", "up", "--http", "127.0.0.1:0", "--data", data)
            assert done.returncode == 1 and word in done.stderr and not done.stdout, done
            assert not (data / "postgres").exists() and not (data / "postgres.new").exists(), done
        assert shut.stat().st_mode & 0o777 == 0o700, oct(shut.stat().st_mode)


def test_the_last_home_is_not_drained(seom):
    c = cluster(seom)
    assert until(c.all_serve), c.nodes()
    *others, last = [name for name, node in c.nodes().items() if node["role"] == "home"]
    for name in others:
        c.do("node", "drain", name)
    with Line(c.gates[0]).hello():
        refused = run(seom, "node", "drain", last, "--data", c.data)
    assert refused.returncode == 1 and "--force" in refused.stderr, refused
    assert c.nodes()[last]["state"] == "serving", c.nodes()
    for name in others:
        c.do("node", "start", name)
    assert until(c.all_serve), c.nodes()


def test_down_and_up_again_is_the_same_world(seom):
    c = cluster(seom)
    with Line(c.gates[0]).hello() as line:
        player, ticket = line.welcome["player"], line.welcome["ticket"]
        place = (line.motion["x_mm"], line.motion["y_mm"])
    gates = c.gates
    members = [m["pid"] for m in json.loads((c.data / "cluster.json").read_text(encoding="utf-8"))["members"] if m["pid"]]
    c.do("cluster", "down")
    assert c.process.wait(PATIENCE_S) == 0, c.told()
    assert len(members) >= 7 and not any(lives(pid) for pid in members), members
    c.up()
    assert c.gates == gates, "gates are where they were"
    with Line(c.gates[1]).hello(ticket=ticket) as line:
        assert line.welcome["player"] == player
        assert distance_mm((line.motion["x_mm"], line.motion["y_mm"]), place) <= STOOD_MM


def test_ctrl_c_and_sigterm_end_it_in_order(seom):
    c = cluster(seom)
    for number in (signal.SIGINT, signal.SIGTERM):
        members = [m["pid"] for m in json.loads((c.data / "cluster.json").read_text(encoding="utf-8"))["members"] if m["pid"]]
        os.kill(c.process.pid, number)
        assert c.process.wait(PATIENCE_S) == 0, (c.process.returncode, c.told())
        assert "ending: bots, gates, homes, engines" in c.told() and "all has ended" in c.told(), c.told()
        assert not list(c.data.glob("*.sock")), list(c.data.glob("*.sock"))
        assert members and not any(lives(pid) for pid in members), members
        c.up()


def test_a_detached_one_ends_with_whoever_waits_for_it(seom):
    with tempfile.TemporaryDirectory(prefix="seom-cluster-", dir="/tmp") as base:
        os.chmod(base, 0o755)
        data = pathlib.Path(base, "data")
        waiting = subprocess.Popen([seom, "cluster", "up", "--detach", "--homes", "1", "--gates", "1", "--bots", "0", "--data", str(data),
                                    "--http", "127.0.0.1:0", "--play", "127.0.0.1:0"], env=clean_environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert until(lambda: (data / "cluster.sock").exists()) and waiting.poll() is None
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(PATIENCE_S) == -signal.SIGINT
        log = data / "logs" / "cluster.log"
        assert until(lambda: log.exists() and "all has ended" in log.read_text(encoding="utf-8")), log.read_text(encoding="utf-8")
        assert until(lambda: not list(data.glob("*.sock"))), list(data.glob("*.sock"))
        assert not any(lives(m["pid"]) for m in json.loads((data / "cluster.json").read_text(encoding="utf-8"))["members"] if m["pid"])


def test_nothing_outlives_whoever_keeps_it(seom):
    c = cluster(seom)
    members = [m["pid"] for m in json.loads((c.data / "cluster.json").read_text(encoding="utf-8"))["members"]]
    assert members and all(lives(pid) for pid in members), members
    os.kill(c.process.pid, signal.SIGKILL)
    c.process.wait(PATIENCE_S)
    assert until(lambda: not any(lives(pid) for pid in members)), [pid for pid in members if lives(pid)]


def test_a_bench_leaves_nothing(seom):
    with tempfile.TemporaryDirectory(prefix="seom-bench-", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        for number in (None, signal.SIGTERM, signal.SIGINT):
            bench = subprocess.Popen(
                [seom, "bench", "cluster", "--homes", "1", "--gates", "1", "--players", "40", "--seconds", "1" if number is None else "60"],
                env=clean_environment() | {"TMPDIR": directory}, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE)
            told, asked_at = "", None
            for line in bench.stderr:
                told += line
                if number is not None and "writing 40 players" in line:
                    asked_at = time.monotonic()
                    bench.send_signal(number)
            assert (bench.wait(PATIENCE_S) == 0) == (number is None), told
            assert asked_at is None or time.monotonic() - asked_at < BENCH_END_S, f"{time.monotonic() - asked_at:.1f} s\n{told}"
            assert not os.listdir(directory), (told, os.listdir(directory))


if __name__ == "__main__":
    main(sys.modules[__name__], __doc__)
