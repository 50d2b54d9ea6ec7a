#!/usr/bin/python3
"""A world that goes down, politely or not, and comes back: the same people stand where they stood. After kill -9 at most one
second of movement is lost, after SIGTERM or Ctrl-C nothing; and nothing of it outlives it.

How far somebody was moved is measured against what clients saw: an own player knows where it walked to, and spectators, one
for each bot, hear how the bots move until the line ends.

    scene_restart.py PATH_TO_SEOM        prints TAP

check: full sanitizers
"""
import contextlib
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time

from seom_scene import (PATIENCE_S, Line, WebLine, World, distance_mm, lives, listing, main, place_at, until)

BOTS = 50
WINDOW_MM = 200000
SAVED_EVERY_S = 1.0     # the promise
LATE_S = 0.3            # on a busy machine: the fsync, and the tick that begins it
WALK_MM_S, RIDE_MM_S = 7000, 45000
SEEN_LATE_MS = 150      # how long news may be under way to a spectator


def up_with_bots(seom, data):
    world = World(seom, data, bots=BOTS)
    try:
        assert until(lambda: world.status()["players"] == BOTS and world.status()["lingering"] == 0), world.status()
        assert until(lambda: len(listing(seom, data)) >= BOTS), "the bots were not saved"
    except BaseException:
        world.kill()
        raise
    return world


class Watch(threading.Thread):
    """Spectators that hear until their line ends: what was last seen of each bot, and when the world went away."""

    def __init__(self, world, people):
        super().__init__()
        self.lines = []
        for _, (island, x_mm, y_mm) in sorted(people.items()):
            line = Line(world.address).hello(spectator=True)
            line.watch(island, x_mm, y_mm, WINDOW_MM)
            self.lines.append(line)
        self.enough = threading.Event()
        self.start()

    def run(self):
        waiting = list(self.lines)
        while waiting and not self.enough.is_set():
            for line in list(waiting):
                line.hear(lambda: False, 0.002)
                if line.ended:
                    line.end_ms = line.world_ms()
                    waiting.remove(line)

    def seen(self):
        """entity -> what was heard last of it, by whomever."""
        seen = {}
        for line in self.lines:
            for entity, motion in line.motions.items():
                if entity not in seen or motion["since_ms"] > seen[entity]["since_ms"]:
                    seen[entity] = motion
        return seen

    def end_ms(self):
        return max(line.end_ms for line in self.lines)

    def close(self):
        self.enough.set()
        self.join(PATIENCE_S)
        for line in self.lines:
            line.socket.close()


def speed_mm_s(motion):
    return (motion["vx"] ** 2 + motion["vy"] ** 2) ** 0.5 * 2


def tickets_of(data):
    lines = pathlib.Path(data, "bots.tickets").read_text(encoding="ascii").splitlines()
    assert lines[0] == "seom tickets 1", lines[0]
    return [bytes.fromhex(line) for line in lines[1:] if line != "-"]


def stands(world, tickets):
    """Who comes with each ticket, and where it stands: id -> (island, x_mm, y_mm)."""
    found = {}
    with contextlib.ExitStack() as stack:
        for ticket in tickets:
            line = stack.enter_context(Line(world.address)).hello(ticket=ticket)
            found[line.welcome["player"]] = (line.island, *place_at(line.motion, line.world_ms()))
    return found


def everywhere_the_same(people, others, tolerance_mm, what):
    assert set(people) == set(others), f"{what}: {set(people) ^ set(others)}"
    for player, (island, x_mm, y_mm) in people.items():
        assert others[player][0] == island, f"{what}: {player} is on another island"
        far_mm = distance_mm((x_mm, y_mm), others[player][1:])
        assert far_mm <= tolerance_mm, f"{what}: {player} stands {far_mm:.0f} mm off: {(x_mm, y_mm)}, {others[player]}"


def lost_mm(seen, end_ms, people):
    """player -> (distance between where it was when the world went down and where it is listed, its speed)."""
    lost = {}
    for player, (_, x_mm, y_mm) in people.items():
        if player in seen:
            motion = seen[player]
            lost[player] = distance_mm(place_at(motion, end_ms), (x_mm, y_mm)), speed_mm_s(motion)
    return lost


def test_kill_9_loses_at_most_a_second(seom):
    with tempfile.TemporaryDirectory(prefix="seom-restart-") as data:
        with up_with_bots(seom, data) as world, Line(world.address).hello() as walker:
            time.sleep(5.5)  # the herd keeps its tickets every five seconds
            bots = world.children()
            assert len(bots) == 1 and lives(bots[0]), bots
            watch = Watch(world, {player: at for player, at in listing(seom, data).items()})
            begin = time.monotonic()
            while time.monotonic() - begin < 2.5:  # to and fro, a change every 300 ms
                direction = 1 if int((time.monotonic() - begin) / 0.9) % 2 else -1
                walker.walk(direction * 2000, 0, 400)
                walker.hear(lambda: False, 0.3)
            online = listing(seom, data)
            world.kill()
            walker.hear(lambda: walker.ended)
            walker_at, end_ms = place_at(walker.motion, walker.world_ms()), walker.world_ms()
            watch.join(PATIENCE_S)
            seen = watch.seen()
            watch.close()
            assert until(lambda: not lives(bots[0]), 5), "the bots outlived their world"
        offline = listing(seom, data)
        assert set(offline) == set(online) and len(offline) == BOTS + 1, (len(offline), len(online))

        lost = lost_mm(seen, end_ms, offline)
        assert len(lost) >= BOTS * 0.9, f"only {len(lost)} of {BOTS} bots were seen"
        assert sum(speed > 0 for _, speed in lost.values()) >= 5, "hardly anybody walked"
        bound_s = SAVED_EVERY_S + LATE_S
        for player, (far_mm, _) in lost.items():
            assert far_mm <= RIDE_MM_S * bound_s, f"{player} lost {far_mm:.0f} mm"
        far_mm = distance_mm(walker_at, offline[walker.welcome["player"]][1:])
        assert far_mm <= WALK_MM_S * bound_s, f"the walker lost {far_mm:.0f} mm"
        far = sorted(far_mm for far_mm, _ in lost.values())
        print(f"# lost by kill -9: bots median {far[len(far) // 2]:.0f} mm, most {far[-1]:.0f} mm; the walker {far_mm:.0f} mm")

        tickets = [*tickets_of(data), walker.welcome["ticket"]]
        with World(seom, data) as world:
            everywhere_the_same(offline, stands(world, tickets), 1, "after the restart")
            assert world.stop() == 0
        everywhere_the_same(offline, listing(seom, data), 1, "offline again")
        with up_with_bots(seom, data) as world:
            assert set(listing(seom, data)) == set(offline), "other bots came back"
            assert world.stop() == 0


def test_who_stays_away_stands_still(seom):
    """Their last motion ended when the world went down; later starts must not walk them on."""
    with tempfile.TemporaryDirectory(prefix="seom-restart-") as data:
        with up_with_bots(seom, data) as world:
            time.sleep(3)
            world.kill()
        stood = listing(seom, data)
        assert len(stood) == BOTS, len(stood)
        for start in range(2):
            with World(seom, data) as world:
                time.sleep(2)
                assert world.stop() == 0
            everywhere_the_same(stood, listing(seom, data), 0, f"start {start + 1} without them")


def goes_politely(seom, signal_number):
    with tempfile.TemporaryDirectory(prefix="seom-restart-") as data:
        with up_with_bots(seom, data) as world, Line(world.address).hello() as walker, \
                WebLine(world.address).hello() as web, Line(world.address).hello(spectator=True) as spectator:
            bots = world.children()
            watch = Watch(world, listing(seom, data))
            time.sleep(1.5)
            walker.walk(2000, 1000, 300)
            walker.hear(lambda: False, 0.5)  # corrected, if there was the sea
            world.process.send_signal(signal_number)
            for line in (walker, web, spectator):
                assert line.hear_end() == "SERVER_STOPS", (line.goodbye, line.ended)
                assert line.ended == "end", line.ended
                assert line.goodbye["retry_after_ms"] > 0, line.goodbye
                assert len(line.goodbye["gates"]) == 1, line.goodbye
            assert web.closed == 1000, web.closed
            end_ms = walker.world_ms()
            assert world.process.wait(PATIENCE_S) == 0, world.told()
            assert "everything is on disk" in world.told(), world.told()
            watch.join(PATIENCE_S)
            assert all(line.goodbye is not None for line in watch.lines), "somebody was not told good-bye"
            seen = watch.seen()
            watch.close()
            assert not lives(bots[0]), "the bots outlived their world"
        offline = listing(seom, data)
        assert len(offline) == BOTS + 2, len(offline)
        assert offline[walker.welcome["player"]] == (walker.island, *place_at(walker.motion, end_ms)), "the walker moved"
        for player, (_, x_mm, y_mm) in offline.items():
            if player in seen:
                off = [distance_mm(place_at(seen[player], end_ms - late_ms), (x_mm, y_mm)) for late_ms in range(0, 1500, 10)]
                assert min(off) <= RIDE_MM_S * SEEN_LATE_MS / 1000, f"{player} stands {min(off):.0f} mm from its way"
        with World(seom, data) as world:
            everywhere_the_same(offline, stands(world, [*tickets_of(data), walker.welcome["ticket"], web.welcome["ticket"]]), 1,
                                "after the restart")


def test_sigterm_loses_nothing(seom):
    goes_politely(seom, signal.SIGTERM)


def test_ctrl_c_loses_nothing(seom):
    goes_politely(seom, signal.SIGINT)


def test_sigterm_to_the_whole_group(seom):
    """Ctrl-C in a terminal reaches the bots as well: they must not take the world's order to stop for their own affair."""
    with tempfile.TemporaryDirectory(prefix="seom-restart-") as data, up_with_bots(seom, data) as world:
        bots = world.children()
        for pid in (*bots, world.process.pid):
            os.kill(pid, signal.SIGINT)
        assert world.process.wait(PATIENCE_S) == 0, world.told()
        assert not lives(bots[0])
        assert world.told().splitlines()[-1].endswith("everything is on disk"), f"somebody had the last word:\n{world.told()}"
        assert len(listing(seom, data)) == BOTS


if __name__ == "__main__":
    main(sys.modules["__main__"], __doc__)
