#!/usr/bin/python3
"""What a running world tells about itself: /metrics is clean in the eyes of promtool and holds what docs/metrics.md
promises, /status has its keys, and a hostile client is counted under its cause.

    scene_metrics.py PATH_TO_SEOM        prints TAP

check: sanitizers
"""
import json
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BOTS = 5
PATIENCE_S = 20


def until(what, *arguments):
    """Asks again until what() answers something true; the last answer otherwise."""
    end = time.monotonic() + PATIENCE_S
    while True:
        answer = what(*arguments)
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.1)


class World:
    def __init__(self, seom, data):
        self.seom = seom
        self.log = pathlib.Path(data, "log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [seom, "dev", "--data", data, "--play", "127.0.0.1:0", "--http", "127.0.0.1:0", "--bots", str(BOTS),
                 "--for", "120"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        found = until(lambda: re.search(r"http://127\.0\.0\.1:(\d+)", self.log.read_text(encoding="utf-8")))
        assert found, f"no address was printed:\n{self.log.read_text(encoding='utf-8')}"
        self.http = found.group(0)

    def get(self, path):
        with urllib.request.urlopen(self.http + path, timeout=PATIENCE_S) as answer:
            return answer.read().decode("utf-8")

    def status(self):
        return json.loads(self.get("/status"))

    def values(self):
        """Series without the common labels -> value."""
        values = {}
        for line in self.get("/metrics").splitlines():
            if not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                values[re.sub(r'world="[^"]*",node="[^"]*",host="[^"]*",?', "", series).replace("{}", "")] = float(value)
        return values

    def play(self):
        host, port = self.status()["play"].rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=PATIENCE_S)

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE_S)


def test_status_has_its_keys(world):
    status = until(lambda: (s := world.status())["players"] >= BOTS and s)
    assert status, world.status()
    for key in ["players", "bots", "awake_chunks", "tick_ms_p99", "uptime_s", "version", "play"]:
        assert key in status, (key, status)
    assert status["bots"] == BOTS, status
    assert status["awake_chunks"] > 0, status


def test_promtool_finds_nothing_to_complain_about(world):
    if shutil.which("promtool") is None:
        return "promtool is not installed"
    done = subprocess.run(["promtool", "check", "metrics"], input=world.get("/metrics"), text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_everything_promised_is_told(world):
    promised = re.findall(r"^\| `(seom_\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"),
                          re.MULTILINE)
    assert len(promised) > 20, promised
    told = set(re.findall(r"^# TYPE (\S+) ", world.get("/metrics"), re.MULTILINE))
    assert told == set(promised), told ^ set(promised)


def test_the_three_words_name_everything(world):
    """world, host, node: in the tree, and on every series."""
    done = subprocess.run([world.seom, "tree", "--http", world.http.removeprefix("http://")], text=True,
                          capture_output=True, check=True)
    tree = json.loads(done.stdout.splitlines()[-1])["worlds"][0]
    host = tree["hosts"][0]
    labels = f'world="{tree["world"]}",node="{host["nodes"][0]["node"]}",host="{host["host"]}"'
    series = [line for line in world.get("/metrics").splitlines() if not line.startswith("#")]
    assert len(series) > 50, len(series)
    assert all(labels in line for line in series), [line for line in series if labels not in line][:3]


def test_the_world_moves(world):
    first = world.values()
    moved = until(lambda: (v := world.values())["seom_sends_total"] > first["seom_sends_total"] and
                  v["seom_moves_total"] > first["seom_moves_total"] and v)
    assert moved, [(name, value) for name, value in world.values().items() if re.search(r"(sends|moves)_total", name)]
    for name in ["seom_bytes_sent_total", "seom_bytes_received_total", "seom_changes_total", "seom_tick_seconds_count",
                 "seom_logic_queue_wait_seconds_count", "seom_process_cpu_seconds_total",
                 "seom_process_resident_memory_bytes", "seom_subscriptions"]:
        assert moved[name] > 0, (name, moved[name])
    assert 0 < moved["seom_encodes_per_change"] <= 2, moved["seom_encodes_per_change"]
    assert moved["seom_players"] >= BOTS, moved["seom_players"]
    assert moved["seom_bots"] == BOTS, moved["seom_bots"]


def drops(world, cause):
    return world.values()[f'seom_drops_total{{cause="{cause}"}}']


def test_hostile_clients_are_counted_by_cause(world):
    garbage = struct.pack("<I", 8) + b"\0" + b"\xff" * 7
    endless = struct.pack("<I", 1 << 30)
    for cause, sent in [("malformed", garbage), ("oversized", endless)]:
        before = drops(world, cause)
        with world.play() as line:
            line.sendall(sent)
            while line.recv(4096):  # until the server closes it
                pass
        assert until(lambda c=cause, b=before: drops(world, c) == b + 1), (cause, before, drops(world, cause))


def run_tests(world):
    tests = [(name, thing) for name, thing in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests) + 1}", flush=True)
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            skipped = test(world)
            print(f"ok {number} - {name}" + (f" # SKIP {skipped}" if skipped else ""), flush=True)
        except Exception:  # a test that breaks is a test that failed
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    return len(tests), failed


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="seom-metrics-") as data:
        world = World(str(pathlib.Path(sys.argv[1]).resolve()), data)
        try:
            count, failed = run_tests(world)
        finally:
            code = world.stop()
        print(f"{'ok' if code == 0 else 'not ok'} {count + 1} - it stops cleanly")
        if failed or code != 0:
            print("".join(f"# {line}\n" for line in world.log.read_text(encoding="utf-8").splitlines()[-20:]))
        sys.exit(1 if failed or code != 0 else 0)


if __name__ == "__main__":
    main()
