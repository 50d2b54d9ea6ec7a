#!/usr/bin/python3
"""A gate that is restarted again and again while people come and go: whoever connects is let in by the process before or by
its heir. Nobody is refused, and no line ends before the server has said a word.

    scene_handover.py PATH_TO_SEOM      prints TAP

20 restarts; 100 where SEOM_SCENE_LONG is set, as ./check --long does.

check: full
"""
import os
import sys
import threading
import time

from scene_cluster import Cluster
from seom_scene import PATIENCE_S, Line, lives, main, until

RESTARTS = 100 if os.environ.get("SEOM_SCENE_LONG") else 20
BOTS = 100
CONNECTING = 2
CONNECTS_LEAST = 20     # for each restart: fewer would not find a gap


class Comer(threading.Thread):
    """Comes, waits for the first word, and goes, as fast as it can."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.enough = address, threading.Event()
        self.welcomes = self.goodbyes = self.slowest_s = 0
        self.wrong = []

    def run(self):
        while not self.enough.is_set():
            began = time.monotonic()
            try:
                with Line(self.address) as line:
                    self.come(line)
            except OSError as error:
                self.wrong.append(f"{type(error).__name__}: {error}")
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def come(self, line):
        try:
            line.hello(spectator=True)
            self.welcomes += 1
        except AssertionError as error:
            if line.goodbye is None:
                self.wrong.append(str(error))
            else:
                self.goodbyes += 1


def test_a_gate_is_restarted_and_nobody_is_refused(seom):
    c = Cluster(seom, homes=1, gates=2, bots=BOTS)
    try:
        c.up()
        assert until(lambda: c.playing() == BOTS), c.nodes()
        comers = [Comer(c.gates[0]) for _ in range(CONNECTING)]
        for comer in comers:
            comer.start()
        pids, seconds = [c.nodes()["gate-1"]["pid"]], []
        for _ in range(RESTARTS):
            seconds.append(c.do("node", "restart", "gate-1")["seconds"])
            pids.append(c.nodes()["gate-1"]["pid"])
            # The next heir has to wait until the gate before has said its good-byes.
            assert until(lambda: not lives(pids[-2])), "the gate before does not end"
        for comer in comers:
            comer.enough.set()
            comer.join(PATIENCE_S)
        welcomes, goodbyes = (sum(getattr(comer, what) for comer in comers) for what in ("welcomes", "goodbyes"))
        wrong = [what for comer in comers for what in comer.wrong]
        print(f"# {RESTARTS} restarts, {sorted(seconds)[len(seconds) // 2]:.2f} s each (longest {max(seconds):.2f}): "
              f"{welcomes + goodbyes} connects, {welcomes} welcomes, {goodbyes} good-byes, {len(wrong)} refused or reset, the "
              f"slowest {max(comer.slowest_s for comer in comers) * 1e3:.0f} ms", flush=True)
        assert not wrong, wrong[:10]
        assert len(set(pids)) == RESTARTS + 1, "a restart was none"
        assert welcomes >= CONNECTS_LEAST * RESTARTS, "too few to find a gap"
        assert until(lambda: c.playing() == BOTS, 60), f"bots did not come back: {c.nodes()}"
    finally:
        c.end()


if __name__ == "__main__":
    main(sys.modules[__name__], __doc__)
