#!/usr/bin/python3
"""A world with nobody in it sleeps: a few wake-ups a second and next to no CPU; so it does again after everybody has left.

    scene_idle.py PATH_TO_SEOM        prints TAP

check: full
"""
import pathlib
import sys
import tempfile
import time

from seom_scene import Line, World, client_frame, main, until

MEASURED_S = 10
WAKE_UPS_PER_S = 5  # all threads together
CPU_SHARE = 0.005
CPU_TICK_S = 0.01


def threads(pid):
    """Thread name and id -> (voluntary wake-ups, CPU seconds)."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text(encoding="utf-8")
        woken = int(next(line for line in status.splitlines() if line.startswith("voluntary_ctxt_switches")).split()[1])
        fields = (task / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        found[task.name] = woken, (int(fields[11]) + int(fields[12])) * CPU_TICK_S
    return found


def sleeps(world):
    before = threads(world.process.pid)
    time.sleep(MEASURED_S)
    after = threads(world.process.pid)
    wake_ups = {name: (after[name][0] - before[name][0]) / MEASURED_S for name in before}
    cpu = sum(after[name][1] - before[name][1] for name in before) / MEASURED_S
    print(f"# {sum(wake_ups.values()):.1f} wake-ups a second {list(wake_ups.values())}, {100 * cpu:.2f} % of a core")
    assert sum(wake_ups.values()) <= WAKE_UPS_PER_S, wake_ups
    assert cpu <= CPU_SHARE, cpu


def test_an_empty_world_sleeps(seom):
    with tempfile.TemporaryDirectory(prefix="seom-idle-") as data, World(seom, data) as world:
        time.sleep(2)
        sleeps(world)


def test_it_sleeps_again_when_everybody_has_left(seom):
    with tempfile.TemporaryDirectory(prefix="seom-idle-") as data, World(seom, data) as world:
        with Line(world.address).hello() as line, Line(world.address).hello(spectator=True) as spectator:
            spectator.watch(line.island, line.motion["x_mm"], line.motion["y_mm"], 100000)
            spectator.hear(lambda: line.welcome["entity"] in spectator.motions)
            assert until(lambda: world.status()["awake_chunks"] > 0), world.status()
            line.say(client_frame(goodbye={"code": 16}))
            line.hear_end()
        assert until(lambda: world.status()["players"] == 0 and world.status()["awake_chunks"] == 0, 40), world.status()
        time.sleep(12)  # the clock goes along until nobody can walk any more
        sleeps(world)


if __name__ == "__main__":
    main(sys.modules["__main__"], __doc__)
