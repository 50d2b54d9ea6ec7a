#!/usr/bin/env python3
"""Writes motion.json: where movers stand, worked out with fractions and truncated towards zero at the very end, which is
what src/wire/motion.h promises. C (web/test/motion_vectors_test.c) and TypeScript (web/test/motion.test.mjs) read it."""

import json
import random
from fractions import Fraction
from pathlib import Path

UNIT_MM_S = 2
CHUNK_MM = 30000


def at(m, at_ms):
    dt = min(max(at_ms - m["since_ms"], 0), m["lasts_ms"])
    moved = [int(Fraction(m[v] * UNIT_MM_S * dt, 1000)) for v in ("vx", "vy")]
    return [at_ms, m["x_mm"] + moved[0], m["y_mm"] + moved[1]]


def cases(rand):
    plain = {"x_mm": 0, "y_mm": 0, "vx": 0, "vy": 0, "since_ms": 0, "lasts_ms": 0}
    yield plain
    yield {**plain, "vx": 1, "vy": -1, "lasts_ms": 2000}
    yield {**plain, "vx": 32767, "vy": -32768, "since_ms": 5_000_000_000, "lasts_ms": 10000}
    yield {**plain, "x_mm": 29999, "y_mm": 1, "vx": 3500, "vy": -3500, "since_ms": (1 << 32) - 100, "lasts_ms": 1000}
    for _ in range(60):
        yield {
            "x_mm": rand.randrange(0, 80_000_000), "y_mm": rand.randrange(0, 80_000_000),
            "vx": rand.randrange(-22500, 22501), "vy": rand.randrange(-22500, 22501),
            "since_ms": rand.randrange(0, 1 << 41), "lasts_ms": rand.choice([0, 1, 999, 2000, rand.randrange(10001)]),
        }


def main():
    rand = random.Random(2026)
    motions = []
    for m in cases(rand):
        offsets = [-1000, -1, 0, 1, 333, m["lasts_ms"] - 1, m["lasts_ms"], m["lasts_ms"] + 1, 20000]
        offsets += [rand.randrange(0, 10000) for _ in range(3)]
        motions.append({"motion": m, "at": [at(m, m["since_ms"] + o) for o in offsets]})
    near = [(5, 5), (0, (1 << 32) - 1), ((1 << 32) - 1, 1 << 32), (123, (7 << 32) + 100), (4_000_000_000, (9 << 32) + 100)]
    times = []
    for low, near_ms in near:
        behind = (near_ms - low + (1 << 31)) % (1 << 32) - (1 << 31)
        times.append([low, near_ms, near_ms - behind])
    chunks = [[mm, mm // CHUNK_MM] for mm in (-30001, -30000, -1, 0, 1, 29999, 30000, 79_999_999)]
    lines = ",\n".join(json.dumps(m) for m in motions)
    text = f'{{"motions": [\n{lines}\n],\n"times": {json.dumps(times)},\n"chunks": {json.dumps(chunks)}}}\n'
    Path(__file__).with_name("motion.json").write_text(text)


main()
