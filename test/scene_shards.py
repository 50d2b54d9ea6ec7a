#!/usr/bin/python3
"""Four shards, sixty processes: each shard a network namespace of its own with ten homes, three gates and two relays, all of
them linked as the rule says and not one link more. What is said to the whole world crosses, once, also when relays die; where
somebody stands never does; and a player whose island belongs to another shard is led there.

    scene_shards.py PATH_TO_SEOM        prints TAP

check: full
"""
import atexit
import ctypes
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import etcd
import postgres
from seom_scene import PATIENCE_S, ROOT, Line, clean_environment, client_frame, hello_frame, main, run, until

SHARDS, HOMES, GATES, RELAYS = 4, 10, 3, 2
PLAYERS_MAX = 60        # a small node needs little memory
START_S = 90            # for all, on two cores that do other things as well
HOME_PORT, RELAY_PORT, GATE_PORT = 21000, 22000, 23000
HUB = "10.91.0.1"
CLONE_NEWNET = 0x40000000
WORLD = 1               # the channel
BEATS_BYTES_S = 200     # both ways of a link: a beat and its answer each second, and now and then where gates are
SAID_S = 5.0            # until everybody has heard a line, when a relay on its way is silent


def host(shard):
    return f"10.91.0.{10 + shard}"


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True, capture_output=True, text=True)


class Etcd(etcd.Server):
    """On the bridge between the namespaces."""

    @property
    def url(self):
        return f"http://{HUB}:{self.port}"


class Node:
    """A process in the namespace of its shard."""

    def __init__(self, sea, role, shard, index, *options):
        self.role, self.shard, self.index = role, shard, index
        self.name = f"{role}-{index}" if shard == 1 else f"{role}-{shard}-{index}"
        self.socket = sea.data / f"{self.name}.sock"
        with open(sea.logs / self.name, "ab") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/proc/{sea.namespaces[shard].pid}/ns/net", "setpriv", "--pdeathsig", "KILL", "--", sea.seom,
                 role, "--data", sea.data, "--shard", str(shard), "--index", str(index), "--plain", *map(str, options)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE_S)
            line.connect(str(self.socket))
            line.sendall(json.dumps({"command": command}).encode() + b"\n")
            text = b""
            while not text.endswith(b"\n"):
                more = line.recv(65536)
                if not more:
                    break
                text += more
        return json.loads(text)

    def status(self):
        """None: it does not answer (yet)."""
        try:
            return self.ask("status")
        except (OSError, ValueError):
            return None

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)


class Sea:
    """All of it. Ends with the scene."""

    def __init__(self, seom):
        self.seom = seom
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="seom-shards-", dir="/tmp"))
        self.base.chmod(0o755)
        self.data, self.logs, self.islands = self.base / "data", self.base / "logs", self.base / "islands"
        self.data.mkdir()
        self.logs.mkdir()
        self.namespaces, self.nodes, self.servers = {}, [], []

    def open(self):
        done = run(self.seom, "islands", "import", "--out", self.islands, ROOT / "worlds/ne10m_korea_sw_coast.csv")
        assert done.returncode == 0, done.stderr
        self.open_namespaces()
        store = postgres.Server(max_connections=HOMES * SHARDS * 3 + 30, shared_buffers="32MB", fsync="on")
        directory = Etcd()
        for server in (store, directory):
            self.servers.append(server.__enter__())
        self.store, self.directory = store.address(), directory.url
        # One first: it makes the tables, the key and the world; then everybody, in any order.
        self.start("home", 1, 1)
        assert until(lambda: self.serves(self.nodes[0]), START_S), self.log(self.nodes[0])
        for shard, (role, count) in itertools.product(range(1, SHARDS + 1), (("relay", RELAYS), ("gate", GATES), ("home", HOMES))):
            for index in range(1, count + 1):
                if (role, shard, index) != ("home", 1, 1):
                    self.start(role, shard, index)

    def open_namespaces(self):
        """Our own one is the hub: everything in it goes with this process."""
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no network namespace of our own")
        ip("link", "set", "lo", "up")
        ip("link", "add", "hub", "type", "bridge")
        ip("address", "add", f"{HUB}/24", "dev", "hub")
        ip("link", "set", "hub", "up")
        for shard in range(1, SHARDS + 1):
            keeper = subprocess.Popen(["unshare", "--net", "setpriv", "--pdeathsig", "KILL", "--", "sleep", "1000"],
                                      stdin=subprocess.DEVNULL)
            self.namespaces[shard] = keeper
            ours = os.readlink("/proc/self/ns/net")
            assert until(lambda pid=keeper.pid: os.readlink(f"/proc/{pid}/ns/net") != ours), "no namespace"
            ip("link", "add", f"shard{shard}", "type", "veth", "peer", "name", "eth0", "netns", keeper.pid)
            ip("link", "set", f"shard{shard}", "master", "hub", "up")
            inside = ["nsenter", f"--net=/proc/{keeper.pid}/ns/net", "ip"]
            for words in (["link", "set", "lo", "up"], ["address", "add", f"{host(shard)}/24", "dev", "eth0"],
                          ["link", "set", "eth0", "up"]):
                subprocess.run([*inside, *words], check=True, capture_output=True)

    def start(self, role, shard, index):
        at, common = host(shard), ["--directory", self.directory]
        world = ["--islands", self.islands, "--players-max", PLAYERS_MAX]
        if role == "home":
            options = ["--links", f"{at}:{HOME_PORT + index}", "--store", self.store, "--shards", SHARDS, *common, *world]
        elif role == "relay":
            options = ["--links", f"{at}:{RELAY_PORT + index}", *common]
        else:
            options = ["--play", f"{at}:{GATE_PORT + index}", "--join", f"{at}:{HOME_PORT + 1},{at}:{HOME_PORT + 2}", *world]
        self.nodes.append(Node(self, role, shard, index, *options))

    def of(self, role, shard=None):
        return [n for n in self.nodes if n.role == role and shard in (None, n.shard)]

    def serves(self, node):
        status = node.status()
        return status is not None and status["state"] == "serving"

    def log(self, node):
        return (self.logs / node.name).read_text(encoding="utf-8", errors="replace")[-1500:]

    def wanting(self):
        """Nodes that do not serve yet, or lack links, with what they tell."""
        found = {}
        for node in self.nodes:
            status = node.status()
            if status is None or status["state"] != "serving" or status["links"] != links_of(node.role):
                found[node.name] = status and (status["state"], status["links"])
        return found

    def connections(self):
        """Between ports of links, as the kernel counts them: {(address, port, address, port)} without direction."""
        found = set()
        for keeper in self.namespaces.values():
            text = subprocess.run(["nsenter", f"--net=/proc/{keeper.pid}/ns/net", "ss", "-Htn", "state", "established"],
                                  check=True, capture_output=True, text=True).stdout
            for line in text.splitlines():
                ends = [re.fullmatch(r"\[?(?:::ffff:)?([\d.]+)\]?:(\d+)", end).groups() for end in line.split()[-2:]]
                if any(HOME_PORT <= int(port) < GATE_PORT for _, port in ends):
                    found.add(tuple(sorted(ends)))
        return found

    def resident_kb(self):
        return sum(int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{n.process.pid}/status").read_text(encoding="ascii"))[1])
                   for n in self.nodes if n.process.poll() is None)

    def close(self):
        for node in self.nodes:
            if node.process.poll() is None:
                node.process.kill()
        for node in self.nodes:
            node.process.wait(PATIENCE_S)
        for server in reversed(self.servers):
            server.__exit__()
        for keeper in self.namespaces.values():
            keeper.kill()
            keeper.wait(PATIENCE_S)
        shutil.rmtree(self.base, ignore_errors=True)


def links_of(role):
    """The rule: homes with everybody of their shard, relays also with all relays."""
    return {"home": HOMES - 1 + GATES + RELAYS, "gate": HOMES, "relay": HOMES + RELAYS * SHARDS - 1}[role]


def links_in_all():
    inside = HOMES * (HOMES - 1) // 2 + HOMES * GATES + HOMES * RELAYS
    relays = RELAYS * SHARDS
    return SHARDS * inside + relays * (relays - 1) // 2


def gate(shard, index=1):
    return (host(shard), GATE_PORT + index)


def lines_heard(line, text):
    return [body for name, body in line.messages if name == "said" and body["text"] == text.encode()]


def say(line, text):
    line.say(client_frame(request={"number": 1, "say": {"text": text, "channel": WORLD}}))


def hear_all(people, text):
    """Seconds until everybody has heard it; each once, also after a while."""
    start = time.monotonic()
    for person in people:
        assert person.hear(lambda p=person: lines_heard(p, text), SAID_S), f"{text!r} was not heard by all"
    took_s = time.monotonic() - start
    time.sleep(1.0)
    for person in people:
        person.receive(0)
        assert len(lines_heard(person, text)) == 1, f"{text!r} was heard {len(lines_heard(person, text))} times"
    return took_s


SEA = []
PEOPLE = []


def enter():
    """Somebody at a gate of each shard; a second one in shard 1."""
    for shard, index in [*((s, 1) for s in range(1, SHARDS + 1)), (1, 3)]:
        PEOPLE.append(Line(gate(shard, index)).hello())


def test_sixty_processes_link_as_the_rule_says(seom):
    if os.getuid() != 0 or not (shutil.which("nsenter") and shutil.which("ip") and shutil.which("ss")):
        return "needs root and iproute2 for network namespaces"
    if etcd.program() is None or postgres.binaries() is None:
        return "etcd or PostgreSQL is not installed"
    sea = Sea(seom)
    SEA.append(sea)
    atexit.register(sea.close)
    start = time.monotonic()
    sea.open()
    up = until(lambda: not sea.wanting(), START_S)
    assert up, f"{sea.wanting()}\n" + "\n".join(f"{n.name}: {sea.log(n)}" for n in sea.nodes if n.name in sea.wanting())[:4000]
    took_s = time.monotonic() - start
    assert len(sea.nodes) == SHARDS * (HOMES + GATES + RELAYS) == 60
    expected = links_in_all()
    told = sum(n.status()["links"] for n in sea.nodes)
    assert told == 2 * expected, (told, expected)
    counted = until(lambda: len(sea.connections()) == expected and expected, 10) or len(sea.connections())
    assert counted == expected, f"the kernel counts {counted} connections, the rule says {expected}"
    print(f"# {len(sea.nodes)} processes, {counted} links, {sea.resident_kb() // 1024} MB resident, linked after {took_s:.1f} s")
    return None


def needs_sea():
    return "the sea is not up" if not SEA or SEA[0].wanting() else None


def test_a_line_crosses_to_all_shards_once(seom):
    if needs_sea():
        return needs_sea()
    enter()
    speaker, text = PEOPLE[0], "annyeong from shard one"
    say(speaker, text)
    took_s = hear_all(PEOPLE, text)
    said = lines_heard(PEOPLE[3], text)[0]
    assert said["channel"] == WORLD and said["player"] == speaker.welcome["player"], said
    say(PEOPLE[3], "and from shard four")
    hear_all(PEOPLE, "and from shard four")
    print(f"# heard by all in {took_s * 1000:.0f} ms")
    return None


def test_positions_never_cross(seom):
    if needs_sea():
        return needs_sea()
    sea = SEA[0]
    before = {n.name: n.status() for n in sea.of("relay")}
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for person in PEOPLE:
            person.walk(500, 0, 400)
            person.receive(0)
        time.sleep(0.2)
    most = 0.0
    for node in sea.of("relay"):
        status = node.status()
        assert status["refused_kinds"] == {} and status["notes"]["refused"] == 0, status
        # Only beats went over its links meanwhile, and who has which gates.
        bytes_s = (status["link_bytes_in"] - before[node.name]["link_bytes_in"]) / 3
        most = max(most, bytes_s / status["links"])
    assert 0 < most < BEATS_BYTES_S, f"a relay hears {most:.0f} bytes a second of a node"
    print(f"# while five people walk a relay hears {most:.0f} bytes a second of each node")
    for shard, person in enumerate(PEOPLE[:SHARDS], 1):
        others = {p.welcome["entity"] for other, p in enumerate(PEOPLE[:SHARDS], 1) if other != shard}
        assert not others & set(person.motions), "somebody of another shard was seen"
    return None


def test_a_player_is_led_to_the_shard_of_the_island(seom):
    if needs_sea():
        return needs_sea()
    guest = Line(gate(2, 2)).hello()
    island, ticket, player = guest.welcome["island"], guest.welcome["ticket"], guest.welcome["player"]
    guest.say(client_frame(goodbye={"code": 16}))
    guest.hear_end()
    time.sleep(0.5)

    def led(**hello):
        stranger = Line(gate(4))
        stranger.say(hello_frame(**hello))
        assert stranger.hear_end() == "RETRY_AFTER", stranger.goodbye
        return sorted(address.decode() for address in stranger.goodbye["gates"])

    there = sorted(f"{host(2)}:{GATE_PORT + i}" for i in range(1, GATES + 1))
    assert until(lambda: led(ticket=ticket) == there, 15), led(ticket=ticket)
    assert led(island=island) == there  # who comes anew and wishes to be there
    address, port = there[0].split(":")
    back = Line((address, int(port))).hello(ticket=ticket)
    assert back.welcome["player"] == player and back.welcome["island"] == island
    return None


def test_an_island_can_be_given_to_another_shard(seom):
    """Said in the directory while everything runs: who wishes to be there is led to the gates of its new shard."""
    if needs_sea():
        return needs_sea()
    sea = SEA[0]

    def said(*words):
        return json.loads(run(sea.seom, "islands", "shards", "--data", sea.data, "--directory", sea.directory, "--shards", SHARDS,
                              "--islands", sea.islands, *words).stdout.splitlines()[-1])["islands"]

    island = next(row["id"] for row in said() if row["shard"] == 1)

    def led():
        stranger = Line(gate(4))
        stranger.say(hello_frame(island=island))
        assert stranger.hear_end() == "RETRY_AFTER", stranger.goodbye
        return {address.decode().split(":")[0] for address in stranger.goodbye["gates"]}

    assert led() == {host(1)}
    rows = said("--yes", f"{island}=3")
    assert {row["id"]: (row["shard"], row["said"]) for row in rows}[island] == (3, True), rows
    start = time.monotonic()
    assert until(lambda: led() == {host(3)}, 5), led()
    took_s = time.monotonic() - start
    said("--yes", f"{island}=dealt")
    assert until(lambda: led() == {host(1)}, 5), led()
    print(f"# known by a home after {took_s * 1000:.0f} ms")
    return None


def test_lines_cross_while_one_relay_of_each_shard_is_gone(seom):
    """Killed in two shards, stopped in the others, where nothing but silence tells of it."""
    if needs_sea():
        return needs_sea()
    sea = SEA[0]
    for shard in range(1, SHARDS + 1):
        relay = sea.of("relay", shard)[shard % RELAYS]
        if shard <= SHARDS // 2:
            relay.kill()
        else:
            relay.process.send_signal(signal.SIGSTOP)
    texts = []
    for number, person in enumerate(PEOPLE[:SHARDS]):
        texts.append(f"a relay died, {number}")
        say(person, texts[-1])
    took_s = max(hear_all(PEOPLE, text) for text in texts)
    print(f"# heard by all within {took_s:.1f} s, with one relay of each shard gone")
    return None


if __name__ == "__main__":
    main(sys.modules["__main__"], __doc__)
