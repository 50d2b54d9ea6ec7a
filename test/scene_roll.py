#!/usr/bin/python3
"""A cluster gets another program while people play: `seom roll --half` from one version to the next and back, under people who
ask their homes five times a second and bots that trade. Nobody is disconnected but by the good-bye of a gate that hands over,
every command that was answered is done once, and the audit is balanced. A next version that is not well does not stay.

The next version is this one that says it speaks one version of links more. Where SEOM_SCENE_LONG is set (./check --long) it is
also the previous commit, built in build/previous/.

    scene_roll.py PATH_TO_SEOM      prints TAP

check: full
"""
import atexit
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from scene_cluster import PEOPLE, Cluster, Crowd, Somebody
from seom_scene import PATIENCE_S, ROOT, clean_environment, decode, main, run, until

TRADERS, THINK_MS = 20, 200
ROLL_S = 150
LOST_S = 3.0            # 0.3 on a machine that does nothing else


class Traders:
    """Bots that trade through all of it, and write down what they were answered."""

    def __init__(self, c):
        self.answers, self.log = c.base / "answers", c.base / "traders.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [c.seom, "bots", "--to", ",".join(f"{host}:{port}" for host, port in c.gates), "--profile", "trade", "--observers",
                 "0", "--quiet", "--count", str(TRADERS), "--think", str(THINK_MS), "--answers", str(self.answers)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())
        atexit.register(self.process.kill)

    def count(self):
        return self.answers.read_bytes().count(b"\n") if self.answers.exists() else 0

    def stop(self):
        """Once each of them was answered again: player -> the number of its last command."""
        before = self.count()
        assert until(lambda: self.count() >= before + TRADERS), self.log.read_text(encoding="utf-8")[-600:]
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)
        last = {}
        for line in self.answers.read_text(encoding="utf-8").splitlines():
            player, seq, _ = line.split()
            last[player] = max(last.get(player, 0), int(seq))
        return last


class Counted(Somebody):
    """Knows how its lines ended."""

    def __init__(self, c, number):
        super().__init__(c, number)
        self.goodbyes = 0

    def come_back(self):
        said = self.line.goodbye
        self.goodbyes += said is not None and decode.CODES[said["code"]] == "SERVER_STOPS"
        super().come_back()


class Audience(Crowd):
    def __init__(self, c):
        super().__init__(c)
        for somebody in self.people:
            somebody.__class__ = Counted
            somebody.goodbyes = 0


def cluster(seom):
    if not hasattr(cluster, "it"):
        cluster.it = Cluster(seom, homes=4, gates=2)
        atexit.register(cluster.it.end)
        cluster.it.up()
        cluster.it.traders = Traders(cluster.it)
    return cluster.it


def version(c, name, seom, *options):
    """A program that is this one, but says something else about itself."""
    path = c.base / name
    path.write_text(f'#!/bin/sh\ncase $1 in home|gate) exec "{seom}" "$@" {" ".join(options)};; *) exec "{seom}" "$@";; esac\n',
                    encoding="utf-8")
    path.chmod(0o755)
    return path


def roll(c, program, *options):
    done = run(c.seom, "roll", "--half", "--program", program, "--data", c.data, "--json", *options, timeout_s=ROLL_S)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def programs(c):
    return {n["program"] for n in c.nodes().values()}


def closed(c):
    """As of the last second."""
    return {name for name, n in c.nodes().items() if n["draining"]}


def rolled(c, program):
    """Rolls everything to a program, and says what people noticed."""
    with Audience(c) as crowd:
        before, since = c.traders.count(), time.monotonic()
        code, told, why = roll(c, program)
        lost = crowd.lost(since, PATIENCE_S)
        assert code == 0 and told[-1]["rolled"], (told[-3:], why[-2000:])
        steps = [step["stage"] for step in told[:-1]]
        assert [s for i, s in enumerate(steps) if i == 0 or steps[i - 1] != s] == \
            2 * ["room", "close", "replace", "health", "admit"], steps
        assert programs(c) == {str(program)}, programs(c)
        broken, goodbyes = crowd.broken(), sum(s.goodbyes for s in crowd.people)
        print(f"# {told[-1]['nodes']} nodes in {told[-1]['seconds']:.1f} s, {told[-1]['people_moved']} people moved to other homes: "
              f"of {PEOPLE} people {broken} times somebody was sent to another gate, {goodbyes} with a good-bye; lost p50 "
              f"{lost[len(lost) // 2]:.2f} s, p99 {lost[-1]:.2f} s; {c.traders.count() - before} commands answered meanwhile",
              flush=True)
        assert broken == goodbyes, f"{broken - goodbyes} lines ended without a good-bye"
        assert 0 < broken <= 2 * PEOPLE, f"{broken} of two gates with {PEOPLE} people"
        assert lost[-1] <= LOST_S, lost
        assert c.traders.count() > before, "nobody traded"
    assert until(c.all_serve), c.nodes()


def test_what_would_be_done_is_told(seom):
    c = cluster(seom)
    assert until(c.all_serve), c.nodes()
    plan = c.do("roll", "--half", "--dry-run")["shards"]
    assert [half["nodes"] for half in plan[0]["halves"]] == [["home-1", "home-2", "gate-1"], ["home-3", "home-4", "gate-2"]], plan
    assert "4 homes of" in plan[0]["halves"][0]["room"] and "x 2" in plan[0]["halves"][0]["room"], plan
    for arguments, code, words in ((("--half", "--shard", "9"), 1, "no shard 9"), ((), 2, "--half"),
                                   (("--half", "--program", "/no/such"), 2, "no program")):
        done = run(seom, "roll", *arguments, "--data", c.data)
        assert done.returncode == code and words in done.stderr, done
    assert all(n["restarts"] == 0 for n in c.nodes().values()), "it was done"


def test_one_at_a_time(seom):
    c = cluster(seom)
    other = os.open(c.data, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for arguments in (("roll", "--half"), ("node", "restart", "home-1")):
            done = run(seom, *arguments, "--data", c.data)
            assert done.returncode == 1 and "is at work on this cluster" in done.stderr and not done.stdout, (arguments, done)
    finally:
        os.close(other)
    assert all(n["restarts"] == 0 for n in c.nodes().values()), "the one that was refused has begun"


def test_a_program_is_asked_before_anybody_is_sent_away(seom):
    c = cluster(seom)
    says = json.loads(run(seom, "version").stdout)
    newest = says["links"]["max"]
    strange = c.base / "seom-strange"
    strange.touch(mode=0o755)
    for other, words in (({"data_format": says["data_format"] + 1}, "planned maintenance"),
                         ({"links": {"min": newest + 1, "max": newest + 1}}, "planned maintenance"), (None, "is no seom")):
        line = "exit 0" if other is None else f"echo '{json.dumps(says | other)}'"
        strange.write_text(f'#!/bin/sh\n[ "$1" = version ] || exec "{seom}" "$@"\n{line}\n', encoding="utf-8")
        for arguments in (("roll", "--half"), ("roll", "--half", "--dry-run"), ("node", "restart", "home-1")):
            done = run(seom, *arguments, "--program", strange, "--data", c.data)
            assert done.returncode == 1 and words in done.stderr and not done.stdout, (arguments, done)
    nodes = c.nodes()
    assert all(n["restarts"] == 0 and n["state"] == "serving" and not n["draining"] for n in nodes.values()), nodes


def test_a_version_that_does_not_meet_is_refused_and_taken_back(seom):
    c = cluster(seom)
    _, newest = c.nodes()["home-1"]["protocol"]
    alien = version(c, "seom-alien", seom, f"--links-protocol {newest + 1}-{newest + 1}")
    code, told, why = roll(c, alien, "--pause", 0)
    assert code == 1 and not told[-1]["rolled"] and told[-1]["stage"] == "replace", (told[-1], why)
    assert "links" in told[-1]["why"] and told[-1]["back"] == ["home-1"] and not told[-1]["lost"], told[-1]
    log = (c.data / "logs" / "home-1.log").read_text(encoding="utf-8")
    assert "mesh.refused" in log and "protocol" in log, log[-2000:]
    assert until(c.all_serve) and programs(c) == {""}, c.nodes()


def test_a_half_that_is_not_well_goes_back(seom):
    c = cluster(seom)
    deaf = version(c, "seom-deaf", seom)
    deaf.write_text(f'#!/bin/sh\n[ "$1" = gate ] && exit 3\nexec "{seom}" "$@"\n', encoding="utf-8")
    code, told, why = roll(c, deaf, "--pause", 0)
    assert code == 1 and told[-1]["back"] == ["gate-1", "home-2", "home-1"] and not told[-1]["lost"], (told[-1], why)
    assert "exit code 3" in told[-1]["why"], told[-1]
    assert until(c.all_serve) and programs(c) == {""}, c.nodes()


def test_who_leaves_a_roll_leaves_nothing_behind(seom):
    c = cluster(seom)
    following = version(c, "seom-left", seom)
    for signal_number, at in ((signal.SIGINT, "home-1 gives its people away"), (signal.SIGTERM, "home-1 serves from")):
        c.do("node", "close", "gate-2")     # whoever is closed by somebody else stays so
        with open(c.base / "left.log", "w", encoding="utf-8") as log:
            left = subprocess.Popen([seom, "roll", "--half", "--program", following, "--data", c.data, "--pause", "600"],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=clean_environment())
        atexit.register(left.kill)
        told = lambda: (c.base / "left.log").read_text(encoding="utf-8")
        assert until(lambda: at in told()), told()
        left.send_signal(signal_number)
        result = json.loads(left.communicate(timeout=PATIENCE_S)[0])
        assert left.returncode == 1 and not result["rolled"] and result["stage"] == "replace", (result, told())
        assert f"interrupted by signal {signal_number}" in result["why"], result
        assert result["back"] == ["home-1"] and not result["lost"], (result, told())
        assert until(c.all_serve) and programs(c) == {""}, c.nodes()
        assert until(lambda: closed(c) == {"gate-2"}), c.nodes()
        c.do("node", "open", "gate-2")
        assert until(lambda: not closed(c)) and c.all_serve(), c.nodes()


def test_a_roll_that_was_killed_is_mended_by_hand(seom):
    c = cluster(seom)
    with open(c.base / "killed.log", "w", encoding="utf-8") as log:
        killed = subprocess.Popen([seom, "roll", "--half", "--data", c.data, "--pause", "600"], stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, env=clean_environment())
    atexit.register(killed.kill)
    assert until(lambda: "home-1 serves from" in (c.base / "killed.log").read_text(encoding="utf-8")), "it does not begin"
    killed.kill()
    killed.wait(PATIENCE_S)
    assert until(lambda: closed(c) == {"home-2", "gate-1"}), c.nodes()
    for name in ("home-2", "gate-1"):
        c.do("node", "open", name)
    assert until(lambda: not closed(c)) and c.all_serve(), c.nodes()
    for name, words in (("etcd", "no home or gate"), ("home-9", "no home or gate")):
        done = run(seom, "node", "open", name, "--data", c.data)
        assert done.returncode == 1 and words in done.stderr, done
    assert run(seom, "node", "restart", "home-1", "--program", seom, "--data", c.data).returncode == 0, "the claim outlived it"
    assert until(c.all_serve), c.nodes()


def test_to_the_next_version_and_back(seom):
    c = cluster(seom)
    now = c.nodes()["home-2"]["protocol"]
    then = [now[0], now[1] + 1]
    following = version(c, "seom-next", seom, f"--links-protocol {then[0]}-{then[1]}")
    c.do("node", "restart", "home-1", "--program", following)
    nodes = c.nodes()
    assert nodes["home-1"]["protocol"] == then and nodes["home-2"]["protocol"] == now, nodes
    assert all(n["writes"] == now[1] for n in nodes.values()), "somebody writes what the others cannot read"
    rolled(c, following)
    assert until(lambda: all(n["protocol"] == then and n["writes"] == then[1] for n in c.nodes().values())), c.nodes()
    rolled(c, pathlib.Path(seom))
    assert until(lambda: all(n["protocol"] == now and n["writes"] == now[1] for n in c.nodes().values())), c.nodes()


def previous():
    """The commit before this one, built; or why that is not possible."""
    found = subprocess.run(["git", "rev-parse", "HEAD~1"], cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        return None, "there is no commit before this one here: is the history shallow?"
    commit = found.stdout.strip()
    base = ROOT / "build" / "previous" / commit
    if not (base / "source").exists():
        (base / "unpacked").mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", base / "unpacked"], input=archive.stdout, check=True)
        (base / "unpacked").rename(base / "source")
    if not (base / "build" / "build.ninja").exists():
        subprocess.run(["meson", "setup", base / "build", base / "source", "-Dtests=false", "-Dpage=false"], check=True,
                       capture_output=True)
    subprocess.run(["ninja", "-C", base / "build", "seom"], check=True, capture_output=True)
    return base / "build" / "seom", commit[:12]


def test_the_previous_commit_and_this_one(seom):
    if not os.environ.get("SEOM_SCENE_LONG"):
        return "with --long only: it builds the previous commit"
    before, what = previous()
    if before is None:
        return what
    c = cluster(seom)
    print(f"# to the commit before, {what}, and back", flush=True)
    rolled(c, before)
    rolled(c, pathlib.Path(seom))
    return None


def test_every_command_was_done_once(seom):
    c = cluster(seom)
    store = json.loads((c.data / "cluster.json").read_text(encoding="utf-8"))["store"]
    assert c.traders.process.poll() is None, "the traders did not get through"
    answered = c.traders.stop()
    done = run(seom, "audit", "--store", store, timeout_s=PATIENCE_S)
    audit = json.loads(done.stdout.splitlines()[-1])
    print(f"# {TRADERS} traders: {sum(answered.values())} commands answered; audit: {audit}", flush=True)
    assert done.returncode == 0 and audit["balanced"] and audit["lost"] == audit["doubled"] == 0, (audit, done.stderr)
    assert audit["commands"] >= sum(answered.values()) > 100, audit


if __name__ == "__main__":
    main(sys.modules[__name__], __doc__)
