#!/usr/bin/python3
"""Two decoders of the player protocol, the server's own (`seom decode`) and one that was written from docs/protocol.md
(test/decoder/decode.py), print the same text of the same recordings.

    scene_decoder.py PATH_TO_SEOM        prints TAP

check: sanitizers
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = 60
SEEDS = 20
KINDS = {
    ">": {"hello", "move", "request.say", "request.look", "request.camera", "request.show", "command", "ping", "goodbye"},
    "<": {"welcome", "answer", "result", "goodbye", "changed", "lobby", "pong", "motion", "leave", "say", "forget", "range", "range.entry", "self",
          "thing", "density", "density.cell", "island", "unknown"},
}

seom = recorder = None


def run(*arguments):
    return subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)


def ours(dump):
    return run(seom, "decode", dump)


def theirs(dump):
    return run(sys.executable, HERE / "decoder" / "decode.py", dump)


def agreed(dump):
    """The lines that both print of a sound recording."""
    first, second = ours(dump), theirs(dump)
    assert first.returncode == 0, first
    assert second.returncode == 0, second
    if first.stdout != second.stdout:
        pairs = zip(first.stdout.splitlines() + [b"(end)"], second.stdout.splitlines() + [b"(end)"])
        number, (one, other) = next((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        raise AssertionError(f"line {number}:\n  seom decode: {one}\n  decode.py:   {other}")
    return first.stdout.decode("ascii").splitlines()


def recording(directory, seed):
    path = pathlib.Path(directory) / f"recording-{seed}"
    subprocess.run([recorder, str(seed), path], check=True, timeout=SECONDS)
    return path


def test_both_say_the_same_of_everything_there_is():
    seen = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="seom-decoder-") as directory:
        for seed in range(SEEDS):
            for line in agreed(recording(directory, seed)):
                _, way, what = line.split(" ")[:3]
                seen[way, what] += 1
    for way, kinds in KINDS.items():
        assert {what for w, what in seen if w == way} == kinds, seen
    assert min(seen.values()) >= SEEDS, seen


def test_bytes_that_were_tampered_with_are_noticed_by_both():
    """A byte of the stream is changed. A decoder may stop there, and they need not agree on which field was at fault; but what
    both print before is the same, and a change is never overlooked by one alone."""
    with tempfile.TemporaryDirectory(prefix="seom-decoder-") as directory:
        path = recording(directory, 1)
        sound, whole = path.read_bytes(), ours(path).stdout
        noticed = 0
        for at in range(200, 8200, 400):
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 0x40]) + sound[at + 1:])
            first, second = ours(path).stdout, theirs(path).stdout
            assert (first == whole) == (second == whole), f"byte {at}"
            noticed += first != whole
        assert noticed >= 15, noticed


def test_what_is_no_recording_is_an_error():
    with tempfile.TemporaryDirectory(prefix="seom-decoder-") as directory:
        path = recording(directory, 2)
        sound = path.read_bytes()
        for bad in [sound[:-1], sound[:7], b"\x02" + sound[1:]]:
            path.write_bytes(bad)
            assert ours(path).returncode == 1
            assert theirs(path).returncode == 1
        path.write_bytes(b"")
        assert agreed(path) == []
        assert ours(pathlib.Path(directory) / "missing").returncode == 1


def started(directory):
    """A world of one island, so that people meet, and its player port."""
    log, coast, islands = (pathlib.Path(directory, name) for name in ["log", "coast.csv", "islands"])
    corners = [(0, 0), (1200, 0), (1200, 1200), (0, 1200), (0, 0)]
    coast.write_text("island,seq,x_m,y_m\n" + "".join(f"0,{n},{x},{y}\n" for n, (x, y) in enumerate(corners)))
    imported = run(seom, "islands", "import", coast, "--out", islands)
    assert imported.returncode == 0, imported
    with open(log, "w", encoding="utf-8") as out:
        world = subprocess.Popen([seom, "dev", "--data", f"{directory}/data", "--islands", islands, "--play", "127.0.0.1:0",
                                  "--http", "127.0.0.1:0", "--bots", "0", "--for", str(2 * SECONDS)],
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and world.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text(encoding="utf-8"))
        if found:
            with urllib.request.urlopen(found.group(0) + "/status", timeout=SECONDS) as answer:
                return world, json.load(answer)["play"]
        time.sleep(0.1)
    world.kill()
    raise AssertionError(f"no world:\n{log.read_text(encoding='utf-8')}")


def test_both_say_the_same_of_live_traffic():
    """A crowd in one chunk and people who walk in groups, as the first bot of each heard them."""
    with tempfile.TemporaryDirectory(prefix="seom-decoder-") as directory:
        world, address = started(directory)
        try:
            for profile, count, expected in [("dense", 22, {"motion"}), ("crowd", 150, {"range", "range.entry"})]:
                dump = pathlib.Path(directory, profile)
                bots = run(seom, "bots", "--to", address, "--count", str(count), "--profile", profile, "--warm-up", "1",
                           "--for", "4", "--quiet", "--dump", dump)
                assert bots.returncode == 0, bots
                lines = agreed(dump)
                seen = {line.split(" ")[2] for line in lines}
                missing = (expected | {"hello", "welcome", "island", "move", "ping", "pong"}) - seen
                assert not missing and not seen & {"malformed", "unknown"}, (profile, seen, missing)
                assert len(lines) > 100, (profile, len(lines))
        finally:
            world.terminate()
            world.wait(timeout=SECONDS)


def main():
    global seom, recorder
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    seom = str(pathlib.Path(sys.argv[1]).resolve())
    recorder = str(pathlib.Path(seom).parent / "test" / "decoder" / "make_recording")
    tests = [(name, thing) for name, thing in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {name}")
        except Exception:  # a test that breaks is a test that failed
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
