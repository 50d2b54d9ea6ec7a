#!/usr/bin/python3
"""Islands as somebody who builds a world meets them: import, import again, what is refused and why, show.

    scene_islands.py PATH_TO_SEOM        prints TAP

check: sanitizers
"""
import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import traceback

import etcd

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "worlds" / "ne10m_korea_sw_coast.csv"
TILE_KM2 = 1.875**2 / 1e6
SECONDS = 60

seom = None


class Answer:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}"

    def json(self, code=0):
        assert self.code == code, self
        return json.loads(self.out.splitlines()[-1])


def run(room, *arguments):
    return Answer(subprocess.run([seom, "islands", *map(str, arguments)], cwd=room, text=True, stdin=subprocess.DEVNULL,
                                 capture_output=True, timeout=SECONDS, check=False))


def square(x, y, side):
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def write_coast(path, rings):
    with open(path, "w", newline="", encoding="ascii") as file:
        writer = csv.writer(file)
        writer.writerow(["island", "seq", "lon", "lat", "x_m", "y_m"])
        for number, ring in enumerate(rings):
            for seq, (x, y) in enumerate(ring):
                writer.writerow([number, seq, 126.5, 34.5, x, y])
    return path


def files(room):
    return {path.name: path.read_bytes() for path in (room / "out").glob("*.island")}


def places(room):
    """Where each id lies."""
    islands = run(room, "show", "out").json()["islands"]
    return {island["id"]: (island["x_m"], island["y_m"]) for island in islands}


def test_the_shipped_coast(room):
    result = run(room, "import", SHIPPED, "--out", "out").json()
    assert result["islands"] == 33 and result["refused"] == 0 and result["new"] == 33, result
    assert abs(result["tiles"] * TILE_KM2 / result["area_km2"] - 1) < 0.001, result
    assert result["files_bytes"] == sum(map(len, files(room).values())), result
    shown = run(room, "show", "out", "--map").json()
    assert [island["id"] for island in shown["islands"]] == list(range(1, 34)), shown
    assert shown["tiles"] == result["tiles"], shown
    for island in shown["islands"]:
        assert island["memory_bytes"] - island["file_bytes"] < 1024, island
    jeju = run(room, "show", "out", "--id", "1")
    assert 1800 < jeju.json()["area_km2"] < 1900, jeju
    assert "@" in jeju.err and "\u28ff" in jeju.err, jeju  # harbour and land
    assert run(room, "show", "out/1.island").json() == jeju.json()


def test_again_changes_nothing(room):
    coast = write_coast(room / "a.csv", [square(0, 0, 100), square(500, 0, 200)])
    run(room, "import", coast, "--out", "out").json()
    before = files(room)
    result = run(room, "import", coast, "--out", "out").json()
    assert result["new"] == 0 and result["changed"] == 0 and result["islands"] == 2, result
    assert files(room) == before


def test_ids_are_for_ever(room):
    rings = [square(0, 0, 100), square(500, 0, 200), square(0, 900, 150)]
    run(room, "import", write_coast(room / "a.csv", rings), "--out", "out").json()
    before = places(room)
    more = [square(2000, 0, 90)] + rings[::-1]
    result = run(room, "import", write_coast(room / "b.csv", more), "--out", "out").json()
    assert result["new"] == 1, result
    after = places(room)
    assert after == before | {4: (2000, 0)}, after
    (room / "out" / "4.island").unlink()
    run(room, "import", room / "b.csv", "--out", "out").json()
    assert places(room) == before | {5: (2000, 0)}, "an id came back"


def test_land_moves_only_by_force(room):
    run(room, "import", write_coast(room / "a.csv", [square(0, 0, 100)]), "--out", "out").json()
    before = files(room)
    write_coast(room / "b.csv", [square(0, 0, 120)])
    refused = run(room, "import", "b.csv", "--out", "out")
    assert refused.json(1)["refused"] == 1 and "--force" in refused.err, refused
    assert files(room) == before
    forced = run(room, "import", "b.csv", "--out", "out", "--force").json()
    assert forced["changed"] == 1 and forced["refused"] == 0, forced
    assert files(room).keys() == before.keys() and files(room) != before


def test_what_is_wrong_is_named_by_row(room):
    crossing = [(0, 0), (60, 60), (60, 0), (0, 70)]
    write_coast(room / "a.csv", [crossing, square(500, 0, 100)])
    answer = run(room, "import", "a.csv", "--out", "out")
    result = answer.json(1)
    assert result["islands"] == 1 and result["refused"] == 1 and result["faults"] == 1, result
    assert "a.csv:2: island 0 crosses itself" in answer.err and "row 4" in answer.err, answer


def test_damage_is_named_by_file(room):
    coast = write_coast(room / "a.csv", [square(0, 0, 100), square(500, 0, 200)])
    run(room, "import", coast, "--out", "out").json()
    path = room / "out" / "2.island"
    whole = path.read_bytes()
    for damaged, says in [(whole[:-1], "cut"), (whole[:90] + bytes([whole[90] ^ 4]) + whole[91:], "damaged")]:
        path.write_bytes(damaged)
        for answer in [run(room, "show", "out"), run(room, "import", coast, "--out", "out")]:
            assert answer.code == 1 and answer.out == "", answer
            assert "out/2.island" in answer.err and says in answer.err, answer


def test_usage(room):
    for arguments, names in [((), "which command"), (("sink",), "sink"), (("import",), "CSV"), (("import", "x"), "--out"),
                             (("import", "x", "y", "--out", "z"), "y"), (("show",), "directory"),
                             (("show", "out", "--id", "0"), "0"), (("show", "out", "--id", "7x"), "7x"),
                             (("show", "out", "--maps"), "maps"), (("import", "x", "--out"), "out")]:
        answer = run(room, *arguments)
        assert answer.code == 2 and answer.out == "" and names in answer.err, (arguments, answer)
    for arguments in [("show", "none"), ("import", "none.csv", "--out", "out"), ("show", SHIPPED)]:
        answer = run(room, *arguments)
        assert answer.code == 1 and str(arguments[1]) in answer.err, (arguments, answer)


def test_to_which_shard_an_island_belongs(room):
    if etcd.program() is None:
        return "etcd is not installed"
    with etcd.Server() as directory:
        where = ["--directory", directory.url, "--shards", 3]

        def told(*words):
            return {row["id"]: (row["shard"], row["said"]) for row in run(room, "shards", *where, *words).json()["islands"]}

        dealt = told()
        assert len(dealt) > 10 and {shard for shard, _ in dealt.values()} == {1, 2, 3}, dealt
        assert not any(said for _, said in dealt.values()), dealt
        island, other, *_ = [number for number, (shard, _) in dealt.items() if shard == 1]

        asked = run(room, "shards", *where, "--data", room, f"{island}=2")
        assert asked.code == 1 and "--yes" in asked.err, asked  # nobody is here to ask
        assert told() == dealt
        assert told("--data", room, "--yes", f"{island}=2", f"{other}=3") == dealt | {island: (2, True), other: (3, True)}
        assert told("--world", 2) == dealt  # another world's islands are its own
        assert told("--data", room, "--yes", f"{other}=dealt") == dealt | {island: (2, True)}
        logged = [json.loads(line) for line in (room / "operator.log").read_text(encoding="utf-8").splitlines()]
        assert [line["what"] for line in logged] == ["islands shards"] * 2, logged
        assert logged[0]["details"][0] == {"island": island, "from": 1, "to": 2}, logged

        for words, parts in [(["999=1"], ["no island 999"]), ([f"{island}=4"], ["shard 4", "has 3"])]:
            answer = run(room, "shards", *where, "--data", room, "--yes", *words)
            assert answer.code == 1 and all(part in answer.err for part in parts), answer
        for word in ["3", "=2", "0=1", "3=0", "3=65", "3=two"]:
            answer = run(room, "shards", *where, word)
            assert answer.code == 2 and word.split("=")[-1] in answer.err, answer
        assert told() == dealt | {island: (2, True)}
        directory.stop()
        answer = run(room, "shards", *where)
        assert answer.code == 1 and directory.url in answer.err, answer
    return None


def main():
    global seom
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    seom = str(pathlib.Path(sys.argv[1]).resolve())
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            with tempfile.TemporaryDirectory(prefix="seom-islands-") as room:
                skipped = test(pathlib.Path(room))
            print(f"ok {number} - {name}" + (f" # SKIP {skipped}" if skipped else ""))
        except Exception:  # any failure of a test is reported and the next one runs
            failed += 1
            print(f"not ok {number} - {name}")
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
