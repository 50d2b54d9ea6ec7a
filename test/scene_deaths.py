#!/usr/bin/python3
"""What people notice when something dies, stands still, is cut off or has no room left: a cluster under people who ask their
homes, walk before spectators and trade, and one thing after the other that goes wrong with it. Each act prints the seconds
that people lost, who was disconnected, and fails when a process dies that nobody killed. At the end all that was traded is
audited. docs/deaths.md has the table. Root: cutting lines and a small disk need namespaces of the scene's own.

    scene_deaths.py PATH_TO_SEOM      prints TAP; with SEOM_SCENE_LONG=1 outages last as long as the promises say

check: full
"""
import atexit
import contextlib
import ctypes
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

from scene_cluster import ASK_S, PEOPLE, Cluster, Crowd, Somebody, guest_plays
from seom_scene import Gone, Line, clean_environment, decode, main, run, until

LONG = os.environ.get("SEOM_SCENE_LONG") == "1"
DIRECTORY_AWAY_S = 600 if LONG else 30
STORE_AWAY_S = 60 if LONG else 10
STOPPED_S = 33 if LONG else 15      # three leases; one and a half
CUT_S = 33 if LONG else 6
GATE_CUT_S = max(CUT_S, 10)         # a gate waits for a home that others hear
GATE_STOPPED_S = 60 if LONG else 10
FULL_S = 30 if LONG else 8
ROUNDS = 5 if LONG else 1           # of the kills

HOME_LOST_S = 5.0                   # the promises
STOPPED_LOST_S = 10.0
GATE_LOST_S = 10.0
ENGINE_LOST_S = 1.5                 # of movement, while an engine is away: nothing but a busy machine
BREAKER_S = 2.0
RECOVERY_S = 10.0
HEALED_S = 30.0
PATIENCE_S = 60
GROWN_BYTES = 32 << 20              # of a home, while a gate does not read

WALKERS = 6
PING_S = 5
HELD_UP_S = 0.3                     # is told
WINDOW_MM = 60000
TRADERS, THINK_MS = 20, 100
DISK_MB = 768
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000


# ---------------------------------------------------------------- people

class Spectator:
    """Sees one walker, by way of the other gate; what it heard stays when its line does not."""

    def __init__(self, cluster, walker):
        self.cluster, self.walker, self.gate = cluster, walker, (walker.gate + 1) % len(cluster.gates)
        self.heard_at = []
        self.ping_at = 0.0
        self.connect()

    def connect(self):
        self.line = Line(self.cluster.gates[self.gate]).hello(spectator=True)
        self.line.watch(self.walker.line.island, *self.walker.place, WINDOW_MM)

    def ping(self, now):
        """Who says nothing is let go."""
        if now >= self.ping_at:
            self.ping_at = now + PING_S
            with contextlib.suppress(OSError):
                self.line.ping()

    def hear(self):
        try:
            self.line.receive(0)
        except Gone:
            self.line.socket.close()
            self.gate = (self.gate + 1) % len(self.cluster.gates)
            with contextlib.suppress(OSError, AssertionError):
                self.connect()
        mine = self.line.heard_at.pop(self.walker.line.welcome["entity"], [])
        self.heard_at += mine


class Walker(Somebody):
    """Goes to and fro, and asks; says whether the others see it go."""

    def __init__(self, cluster, number):
        super().__init__(cluster, number)
        self.spectator = Spectator(cluster, self)

    def ask(self, now):
        due = now >= self.next_at
        super().ask(now)
        self.spectator.ping(now)
        if due:
            with contextlib.suppress(OSError):
                self.line.walk(600 if self.number // 4 % 2 else -600, 0, int(2000 * ASK_S))

    def unseen_s(self, since):
        times = [since, *(t for t in self.spectator.heard_at if t > since), time.monotonic()]
        return max(0.0, max(b - a for a, b in zip(times, times[1:])) - ASK_S)


class Town(Crowd):
    """People who ask, of whom some walk and are watched."""

    def __init__(self, cluster):
        threading.Thread.__init__(self, daemon=True)
        self.people = [(Walker if number < WALKERS else Somebody)(cluster, number) for number in range(PEOPLE)]
        self.walkers = self.people[:WALKERS]
        self.turns = []  # (when one began, how long after the one before): a machine that is busy holds us up as well
        self.enough, self.why = threading.Event(), None

    def __exit__(self, *error):
        super().__exit__(*error)
        for walker in self.walkers:
            walker.spectator.line.socket.close()

    def run(self):
        try:
            now = time.monotonic()
            while not self.enough.is_set():
                now, before = time.monotonic(), now
                self.turns.append((now, now - before))
                for somebody in self.people:
                    somebody.ask(now)
                hearing = [*self.people, *(w.spectator for w in self.walkers)]
                ready, _, _ = select.select([h.line.socket for h in hearing], [], [], 0.02)
                for one in hearing:
                    if one.line.socket in ready:
                        one.hear()
        except BaseException as why:
            self.why = why
            raise

    def settle(self):
        super().settle()
        assert until(lambda: all(w.spectator.heard_at for w in self.walkers)), "not every walker is seen"

    def held_up_s(self, since):
        return max(took for when, took in self.turns if when >= since)

    def unseen(self, since, walkers):
        """Once they are seen again: the seconds for which they were not."""
        happened = time.monotonic()
        until(lambda: all(w.spectator.heard_at[-1] > happened for w in walkers), RECOVERY_S)
        return sorted(w.unseen_s(since) for w in walkers)


class Traders:
    """Bots that trade all the time, through all acts; how their answers came."""

    def __init__(self, seom, c):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="seom-traders-"))  # not on the disk that will be full
        self.answers, self.log = self.base / "answers", self.base / "log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [seom, "bots", "--to", ",".join(f"{host}:{port}" for host, port in c.gates), "--profile", "trade", "--observers",
                 "0", "--quiet", "--count", str(TRADERS), "--think", str(THINK_MS), "--answers", str(self.answers)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())

    def count(self):
        return self.answers.read_bytes().count(b"\n") if self.answers.exists() else 0

    def more(self, patience_s, wanted=TRADERS):
        """Seconds until so many more were answered."""
        begun, before = time.monotonic(), self.count()
        until(lambda: self.count() >= before + wanted or self.process.poll() is not None, patience_s)
        assert self.process.poll() is None, f"the traders ended: {self.log.read_text(encoding='utf-8')[-600:]}"
        assert self.count() >= before + wanted, f"only {self.count() - before} commands were answered in {patience_s} s"
        return time.monotonic() - begun

    def stop(self):
        """What they tell of themselves."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)
        return json.loads(self.log.read_text(encoding="utf-8").splitlines()[-1])

    def last(self):
        """player -> the last of its commands that was answered for good."""
        last = {}
        for line in self.answers.read_text(encoding="utf-8").splitlines():
            player, seq, _ = line.split()
            last[player] = max(last.get(player, 0), int(seq))
        return last


# ---------------------------------------------------------------- the world

def own_namespaces():
    """Network and mounts of the scene's own: what it cuts and fills is nobody else's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    return True


class Sea(Cluster):
    """The cluster of all acts, with all that it writes on a small disk of its own, and its traders."""

    def __init__(self, seom):
        super().__init__(seom, homes=3, gates=2, options=("--for", 1800))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "none", self.base], check=True)
        self.traders = None

    def begin(self):
        self.up()
        self.traders = Traders(self.seom, self)
        self.traders.more(PATIENCE_S)

    def end(self):
        if self.traders is not None:
            self.traders.process.kill()
            self.traders.process.wait()
            shutil.rmtree(self.traders.base)
        super().end()
        subprocess.run(["umount", "-l", self.base], check=False)
        self.base.rmdir()

    def listed(self):
        return json.loads((self.data / "cluster.json").read_text(encoding="utf-8"))

    def pids(self):
        return {m["name"]: m["pid"] for m in self.listed()["members"]}

    def home_pids(self):
        return {name: row["pid"] for name, row in self.nodes().items() if row["role"] == "home"}


def sea(seom):
    if not hasattr(sea, "it"):
        sea.it = Sea(seom)
        atexit.register(sea.it.end)
        sea.it.begin()
    return sea.it


class Act:
    """One thing that goes wrong before a town's eyes; begins healthy, and ends when all is linked again. victims: which
    processes may die of it."""

    def __init__(self, seom, *victims):
        self.c, self.victims, self.killed = sea(seom), {*victims}, set()
        assert until(self.c.all_serve, PATIENCE_S), self.c.nodes()
        self.before = self.c.pids()
        self.town = Town(self.c)

    def __enter__(self):
        self.town.__enter__()
        self.since = time.monotonic()
        return self

    def kill(self, name, *options):
        self.killed.add(name)
        self.since = time.monotonic()
        self.c.do("node", "kill", name, *options)

    def __exit__(self, error, *rest):
        self.town.__exit__(error, *rest)
        if error is None:
            self.is_over()

    def is_over(self):
        assert until(self.c.all_serve, HEALED_S), f"it does not heal: {self.c.nodes()}"
        now = self.c.pids()
        died = {name for name, pid in self.before.items() if now[name] != pid}
        others = died - self.victims - self.killed
        assert not others, f"{others} died as well\n{self.c.told()[-1500:]}\n{self.c.logs()}"
        assert self.killed <= died, f"{self.killed - died} lives on"

    def told(self, what, promise_s, disconnected=0, walkers=None):
        """Everybody is answered again; prints what it cost, and compares it with the promise. walkers: who is to be seen."""
        lost = self.town.lost(self.since, promise_s + PATIENCE_S)
        unseen = self.town.unseen(self.since, walkers or self.town.walkers)
        broken, held_up = self.town.broken(), self.town.held_up_s(self.since)
        print(f"# {what}: lost p50 {lost[len(lost) // 2]:.2f} s, max {lost[-1]:.2f} s; not seen to walk for at most"
              f" {unseen[-1]:.2f} s; {broken} disconnected"
              + (f"; the scene itself was held up for {held_up:.1f} s" if held_up > HELD_UP_S else ""), flush=True)
        assert broken <= disconnected, f"{broken} connections broke"
        assert lost[-1] <= promise_s + held_up, lost
        assert unseen[-1] <= promise_s + held_up, unseen


# ---------------------------------------------------------------- kill -9 of each role

def test_a_home_is_killed(seom):
    for _ in range(ROUNDS):
        with Act(seom) as act:
            home = act.c.busiest_home()
            act.kill(home["name"], "-9")
            act.told(f"kill -9 of {home['name']}, {home['players']} players", HOME_LOST_S)
            act.c.traders.more(HOME_LOST_S + RECOVERY_S)


def test_a_gate_is_killed(seom):
    for number in range(ROUNDS):
        gate = f"gate-{number % 2 + 1}"
        with Act(seom) as act:
            act.kill(gate, "-9")
            act.told(f"kill -9 of {gate}", GATE_LOST_S, disconnected=PEOPLE // 2)
            assert act.town.broken() == PEOPLE // 2, f"only {act.town.broken()} connections broke"
            act.c.traders.more(GATE_LOST_S + RECOVERY_S)


def test_an_engine_is_killed(seom):
    for engine in ("etcd", "postgres"):
        for _ in range(ROUNDS):
            with Act(seom) as act:
                act.kill(engine, "-9")
                act.told(f"kill -9 of {engine}", ENGINE_LOST_S)
                print(f"# trading {act.c.traders.more(RECOVERY_S):.2f} s after that, logins {guests_come(act.c, act.since):.2f} s"
                      " after the kill")


# ---------------------------------------------------------------- engines away

def test_the_directory_is_away(seom):
    with Act(seom) as act:
        c = act.c
        act.kill("etcd", "-9", "--stay-dead")
        try:
            live_without_directory(act)
        finally:
            c.do("node", "start", "etcd")
        back = time.monotonic()
        assert until(c.all_serve, HEALED_S), c.nodes()
        print(f"# all nodes serve {time.monotonic() - back:.1f} s after etcd was back")


def live_without_directory(act):
    """People come, their home dies, they trade; only the new process waits."""
    c, end = act.c, time.monotonic() + DIRECTORY_AWAY_S
    assert guest_plays(c) and guest_plays(c, 1), "nobody new is let in"
    home = c.busiest_home()
    act.kill(home["name"], "-9")
    act.told(f"etcd away, and kill -9 of {home['name']}", HOME_LOST_S)
    logins = 0
    while time.monotonic() < end:
        c.traders.more(RECOVERY_S)
        assert guest_plays(c, logins % 2), f"nobody new is let in after {time.monotonic() - act.since:.0f} s"
        assert c.nodes()[home["name"]]["state"] == "starting", "a new node does not wait for etcd"
        logins += 1
        time.sleep(1)
    assert logins >= 5, logins
    assert all(n["directory_away_s"] > DIRECTORY_AWAY_S / 2 for n in serving_homes(c)), c.nodes()
    act.told(f"etcd away for {DIRECTORY_AWAY_S} s, {logins} logins", HOME_LOST_S)


def serving_homes(c):
    return [n for n in c.nodes().values() if n["role"] == "home" and n["state"] == "serving"]


DONE = ("FINE", "REFUSED")  # either is written before it is told


def buy(line, codes):
    """One command now: how long its answer took, and its code."""
    asked = time.monotonic()
    code = line.do(buy={"kind": 1, "count": 1}, patience_s=PATIENCE_S)
    codes.append((time.monotonic() - asked, code))
    return code in DONE


def guests_come(c, since):
    """Somebody new at each gate, as soon as they are let in; the seconds since then."""
    def comes(gate):
        with contextlib.suppress(AssertionError, OSError):
            return guest_plays(c, gate)
        return False
    assert all(until(lambda g=gate: comes(g), RECOVERY_S) for gate in range(len(c.gates))), "nobody new is let in"
    return time.monotonic() - since


@contextlib.contextmanager
def standing_still(c, name):
    c.do("node", "kill", name, "-STOP")
    try:
        yield
    finally:
        c.do("node", "kill", name, "-CONT")


def test_the_store_stands_still(seom):
    with Act(seom) as act, Line(sea(seom).gates[0]).hello() as buyer:
        c, codes = act.c, []
        assert buy(buyer, codes), codes
        codes.clear()
        with standing_still(c, "postgres"):
            end = time.monotonic() + STORE_AWAY_S
            while time.monotonic() < end:
                buy(buyer, codes)
                time.sleep(0.2)
            act.told(f"PostgreSQL stood still for {STORE_AWAY_S} s", ENGINE_LOST_S)
        back = time.monotonic()
        assert until(lambda: buy(buyer, codes), RECOVERY_S), codes[-5:]
        print(f"# the first command was answered after {codes[0][0]:.1f} s with {codes[0][1]}, {len(codes)} in all; done"
              f" {time.monotonic() - back:.1f} s after it went on, traders {c.traders.more(RECOVERY_S):.1f} s after that, logins"
              f" after {guests_come(c, back):.1f} s")
        assert {code for _, code in codes} <= {*DONE, "RETRY_AFTER"} and "RETRY_AFTER" in (code for _, code in codes), codes
        assert all(took <= BREAKER_S for took, _ in codes[:-1]), f"answers took {[f'{took:.1f}' for took, _ in codes]} s"


# ---------------------------------------------------------------- standing still

PLAYER = {3: ("session_epoch", "uint64"), 4: ("last_seq", "uint64"), 7: ("home_node", "uint64")}  # proto/documents.proto


def store_query(c, what):
    """Lines of PostgreSQL's own client; none when it says no."""
    return subprocess.run(["psql", "-At", c.listed()["store"], "-c", what], text=True, capture_output=True, timeout=PATIENCE_S,
                          check=False).stdout.splitlines()


def players(c):
    """Of each player what its document says, as PostgreSQL has it."""
    rows = [row.split("|") for row in store_query(c, "SELECT key, encode(value, 'hex') FROM seom.document"
                                                  " WHERE key LIKE '0001/player/%' AND value IS NOT NULL")]
    assert rows, "the store knows nobody"
    return {key: decode.read_message(PLAYER, bytes.fromhex(value)) for key, value in rows}


def stale(before, after, epoch):
    """Whose document has fallen into the hands of whoever was dead, or has gone back."""
    return [key for key, was in before.items() if was["home_node"] != epoch
            and (after[key]["home_node"] == epoch or after[key]["session_epoch"] < was["session_epoch"]
                 or after[key]["last_seq"] < was["last_seq"])]


def test_a_home_stands_still_for_leases(seom):
    with Act(seom) as act:
        c, home = act.c, act.c.busiest_home()
        had = [key for key, is_now in players(c).items() if is_now["home_node"] == home["epoch"]]
        with standing_still(c, home["name"]):
            act.told(f"SIGSTOP of {home['name']}, {home['players']} players", STOPPED_LOST_S)
            c.traders.more(STOPPED_LOST_S)
            time.sleep(max(0.0, act.since + STOPPED_S - time.monotonic()))
            before = players(c)
        again = until(lambda: (row := c.nodes()[home["name"]])["state"] == "serving" and row["epoch"] > home["epoch"] and row,
                      PATIENCE_S)
        assert again and again["pid"] == home["pid"], f"it came back as it was: {c.nodes()[home['name']]}"
        act.since = time.monotonic()
        time.sleep(2)
        act.told("it went on, and joined as a new one", ENGINE_LOST_S)
        c.traders.more(RECOVERY_S)
        moved = [key for key in had if before[key]["home_node"] != home["epoch"]]
        gone_back = stale(before, players(c), home["epoch"])
        print(f"# of {len(had)} players that it had claimed {len(moved)} were claimed by others meanwhile; stale commits:"
              f" {len(gone_back)}")
        assert len(moved) >= home["players"] - home["lingering"] > 0 and not gone_back, (moved, home, gone_back)


def memory_bytes(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii"))[1]) << 10


def test_a_gate_does_not_read(seom):
    with Act(seom) as act:
        c = act.c
        homes = c.home_pids()
        before = {name: memory_bytes(pid) for name, pid in homes.items()}
        stopped = [s for s in act.town.people if s.gate == 0]
        others = [s for s in act.town.people if s.gate != 0]
        with standing_still(c, "gate-1"):
            time.sleep(GATE_STOPPED_S)
            grown = max(memory_bytes(pid) - before[name] for name, pid in homes.items())
            lost, held_up = sorted(s.lost_s(act.since) for s in others), act.town.held_up_s(act.since)
        print(f"# SIGSTOP of gate-1 for {GATE_STOPPED_S} s: those of the other gate lost at most {lost[-1]:.2f} s; a home grew by"
              f" {grown / (1 << 20):.1f} MiB; the scene itself was held up for {held_up:.1f} s")
        assert grown <= GROWN_BYTES, grown
        assert lost[-1] <= ENGINE_LOST_S + held_up, lost
        assert act.town.lost(time.monotonic(), GATE_LOST_S)[-1] <= GATE_LOST_S, "who stood behind it does not play again"
        print(f"# {sum(s.broken for s in stopped)} of its {len(stopped)} were disconnected when it went on")


# ---------------------------------------------------------------- lines that are cut

def sockets(pid):
    """(port here, port there) of its established connections."""
    done = subprocess.run(["ss", "-Htnp", "state", "established"], text=True, capture_output=True, check=True)
    found = []
    for line in done.stdout.splitlines():
        if f"pid={pid}," in line:
            here, there = line.split()[2:4]
            found.append((int(here.rsplit(":", 1)[1]), int(there.rsplit(":", 1)[1])))
    return found


def between(pid, other):
    return [(here, there) for here, there in sockets(pid) if (there, here) in sockets(other)]


def link_ports(c):
    return {m["name"]: m["port"] for m in c.listed()["members"] if m["role"] == "home"}


@contextlib.contextmanager
def cut(c, name, others, one_way=False):
    """No byte passes between a home and others: what stands is cut, and nobody dials the home or is dialled by it anew. The
    home dials from a port of its own each time, so the dials of everybody to everybody wait as long; all other lines stand.
    one_way: only what the home says is lost."""
    pids = {n: row["pid"] for n, row in c.nodes().items()}
    rules = ["flush ruleset", "table inet scene {", "chain out {", "type filter hook output priority 0; policy accept;"]
    lines = [pair for other in others for pair in between(pids[name], pids[other])]
    assert lines, f"no line between {name} and {others}"
    for here, there in lines:
        rules.append(f"tcp sport {here} tcp dport {there} drop;")
        if not one_way:
            rules.append(f"tcp sport {there} tcp dport {here} drop;")
    ports = ", ".join(str(port) for port in link_ports(c).values())
    rules += [f"tcp dport {{ {ports} }} tcp flags & (syn | ack) == syn drop;", "}", "}"]
    subprocess.run(["nft", "-f", "-"], input="\n".join(rules), text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "flush", "ruleset"], check=True)


def heals(act, what):
    begun = time.monotonic()
    assert until(act.c.all_serve, HEALED_S), f"it does not heal: {act.c.nodes()}"
    print(f"# all links stand {time.monotonic() - begun:.1f} s after {what} heal", flush=True)


def test_two_homes_do_not_hear_each_other(seom):
    with Act(seom) as act:
        c = act.c
        epochs = {n: row["epoch"] for n, row in c.nodes().items()}
        with cut(c, "home-1", ["home-2"]):
            time.sleep(CUT_S)
            act.told(f"home-1 and home-2 cut off from each other for {CUT_S} s", HOME_LOST_S)
            c.traders.more(STOPPED_LOST_S)
        heals(act, "home-1 and home-2")
        assert epochs == {n: row["epoch"] for n, row in c.nodes().items()}, "somebody was declared dead whom others heard"


def test_a_gate_and_a_home_do_not_hear_each_other(seom):
    """Who plays by way of that gate gets another home. Those of the other gates stay where they are, and the people of this gate
    do not see them until it hears their home again: so only they are looked for whom spectators of gate-2 see."""
    with Act(seom) as act:
        seen = [w for w in act.town.walkers if w.spectator.gate == 1]
        c, home = act.c, act.c.busiest_home()["name"]
        with cut(c, home, ["gate-1"]):
            time.sleep(GATE_CUT_S)
            act.told(f"{home} and gate-1 cut off from each other for {GATE_CUT_S} s", STOPPED_LOST_S, walkers=seen)
            c.traders.more(STOPPED_LOST_S)
        heals(act, f"{home} and gate-1")


def test_a_home_is_not_heard_by_anybody(seom):
    with Act(seom) as act:
        c, home = act.c, act.c.busiest_home()
        with cut(c, home["name"], [n for n in c.nodes() if n != home["name"]], one_way=True):
            act.told(f"nobody hears {home['name']}, which hears all", STOPPED_LOST_S)
            time.sleep(max(0.0, act.since + CUT_S - time.monotonic()))
            c.traders.more(STOPPED_LOST_S)
        heals(act, home["name"])
        again = c.nodes()[home["name"]]
        assert again["epoch"] > home["epoch"], "it came back as it was"


# ---------------------------------------------------------------- no room left

def test_the_disk_is_full(seom):
    with Act(seom, "postgres", "etcd") as act, Line(sea(seom).gates[0]).hello() as buyer:
        c, codes = act.c, []
        assert buy(buyer, codes), codes
        with open(c.base / "fill", "wb") as fill:
            with contextlib.suppress(OSError):
                while True:
                    fill.write(bytes(1 << 20))
                    fill.flush()
            try:
                store_query(c, "SELECT pg_switch_wal()")  # what it writes next needs new room
                end = time.monotonic() + FULL_S
                while time.monotonic() < end:
                    buy(buyer, codes)
                    time.sleep(0.2)
                act.told(f"the disk was full for {FULL_S} s", ENGINE_LOST_S)
            finally:
                fill.truncate(0)
        back = time.monotonic()
        assert until(lambda: buy(buyer, codes), HEALED_S), codes[-5:]
        told = {code: sum(code == other for _, other in codes) for _, code in codes}
        print(f"# commands: {told}; done {time.monotonic() - back:.1f} s after there was room; traders"
              f" {c.traders.more(HEALED_S):.1f} s after that, logins {guests_come(c, back):.1f} s after there was room")
        assert set(told) <= {*DONE, "RETRY_AFTER"} and "RETRY_AFTER" in told, told


# ---------------------------------------------------------------- what is left

def test_nothing_is_lost(seom):
    c = sea(seom)
    assert until(c.all_serve, HEALED_S), c.nodes()
    told = c.traders.stop()
    time.sleep(2)  # what is under way is finished
    done = run(seom, "audit", "--store", c.listed()["store"], timeout_s=PATIENCE_S)
    assert done.stdout, done.stderr
    audit = json.loads(done.stdout.splitlines()[-1])
    answered = c.traders.last()
    print(f"# {sum(answered.values())} commands of {len(answered)} players answered; audit: {audit}")
    assert done.returncode == 0 and audit["balanced"] and audit["lost"] == audit["doubled"] == 0, (audit, done.stderr)
    assert audit["commands"] >= sum(answered.values()) > 100, (audit["commands"], sum(answered.values()))
    assert told["connected"] == TRADERS, told


if __name__ == "__main__":
    if not own_namespaces():
        print("1..0 # SKIP needs root, for namespaces of its own")
        sys.exit(77)
    main(sys.modules["__main__"], __doc__)
