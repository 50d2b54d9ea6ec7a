#!/usr/bin/python3
"""Directories, disks and ports as they should not be: each is refused with one line that names the thing and the remedy, with
exit 1 or 2, and nothing that was there is lost. Then islands of one's own.

    scene_data.py PATH_TO_SEOM        prints TAP

check: full
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

from seom_scene import ROOT, Line, World, clean_environment, listing, main, run, until

ADDRESSES = ["--play", "127.0.0.1:0", "--http", "127.0.0.1:0", "--bots", "0", "--for", "1"]


def dev(seom, data, *options):
    """A world that is expected not to start; it would stop after a second."""
    return run(seom, "dev", "--data", data, *ADDRESSES, *options)


def refused(done, code, *parts):
    assert done.returncode == code, done
    assert done.stdout == "", done
    for part in parts:
        assert re.search(part, done.stderr), f"'{part}' is not told\n{done.stderr}"
    assert "CHECK" not in done.stderr and "Sanitizer" not in done.stderr, done.stderr


@contextlib.contextmanager
def directory():
    with tempfile.TemporaryDirectory(prefix="seom-data-") as path:
        yield path


@contextlib.contextmanager
def lived_in(seom):
    """A directory in which somebody has walked: (path, who stands where)."""
    with directory() as data:
        with World(seom, data) as world, Line(world.address).hello():
            assert world.stop() == 0
        people = listing(seom, data)
        assert len(people) == 1, people
        yield data, people


def nothing_lost(seom, data, people):
    assert listing(seom, data) == people
    done = dev(seom, data)
    assert done.returncode == 0, done
    assert listing(seom, data) == people


def test_a_directory_that_cannot_be_written(seom):
    refused(dev(seom, "/proc/seom"), 1, "/proc/seom")
    with directory() as data:
        file = pathlib.Path(data, "file")
        file.write_text("I was here first", encoding="utf-8")
        refused(dev(seom, file), 1, str(file))
        assert file.read_text(encoding="utf-8") == "I was here first"
    if os.geteuid() == 0:
        return None  # root may write everywhere
    with directory() as data:
        os.chmod(data, 0o500)
        refused(dev(seom, data), 1, data)
    return None


def test_another_seom_lives_there(seom):
    with directory() as data, World(seom, data) as world:
        refused(dev(seom, data), 1, re.escape(data), str(world.process.pid), r"stop|--data")
        assert world.status()["uptime_s"] >= 0
        assert world.stop() == 0


def test_a_port_that_is_taken(seom):
    with socket.create_server(("127.0.0.1", 0)) as taken, directory() as data:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for option in ("--play", "--http"):
            refused(dev(seom, data, option, address), 1, re.escape(address), option)


def test_an_open_address_needs_plain(seom):
    with directory() as data:
        refused(dev(seom, data, "--play", "0.0.0.0:0"), 2, "play", r"0\.0\.0\.0", "--plain")
        assert os.listdir(data) == [], "it was refused before anything was made"


def test_an_unknown_key(seom):
    with directory() as data:
        pathlib.Path(data, "seom.yaml").write_text("bots: 0\nblots: 3\n", encoding="utf-8")
        refused(dev(seom, data), 2, r"seom\.yaml:2:", "'blots'")


def test_damaged_files_are_named_and_left_alone(seom):
    with lived_in(seom) as (data, people):
        for name in ("ticket.key", "world.json", "store.mdb"):
            path = pathlib.Path(data, name)
            sound = path.read_bytes()
            whole = [b"\xff" * len(sound)] if name != "ticket.key" else []  # any 32 bytes are a key
            short = 3 * 4096 if name == "store.mdb" else len(sound) // 2
            for damaged in (b"", sound[:short], *whole):
                path.write_bytes(damaged)
                done = dev(seom, data)
                refused(done, 1, re.escape(str(path)), "restore|backup")
                assert path.read_bytes() == damaged, f"{name} was changed"
            path.write_bytes(sound)
        nothing_lost(seom, data, people)


def test_a_lost_key_or_birth_is_not_made_anew(seom):
    """Where a store is, its key and its birth must be, too: a new key would lock everybody out without a word."""
    with lived_in(seom) as (data, people):
        for name in ("ticket.key", "world.json"):
            path = pathlib.Path(data, name)
            sound = path.read_bytes()
            path.unlink()
            refused(dev(seom, data), 1, re.escape(str(path)), "restore|backup")
            assert not path.exists()
            path.write_bytes(sound)
        nothing_lost(seom, data, people)


def test_sigterm_while_it_starts(seom):
    """At any moment: it ends soon, not by a crash, and the directory is good afterwards."""
    with lived_in(seom) as (data, people):
        for delay_ms in (0, 2, 5, 10, 20, 40, 60, 90, 130, 200):
            with subprocess.Popen([seom, "dev", "--data", data, *ADDRESSES[:-2]], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  env=clean_environment()) as process:
                time.sleep(delay_ms / 1000)
                process.send_signal(signal.SIGTERM)
                try:
                    told = process.communicate(timeout=10)[1]
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise AssertionError(f"SIGTERM after {delay_ms} ms was not heard") from None
            assert process.returncode in (0, -signal.SIGTERM), (delay_ms, process.returncode, told)
        nothing_lost(seom, data, people)


def test_for_of_any_length(seom):
    with directory() as data:
        refused(dev(seom, data, "--for", "99999999999999999999"), 2, "for")
        with World(seom, data, "--for", "31536000") as world:
            time.sleep(1.5)
            assert world.process.poll() is None, world.told()
            assert world.stop() == 0
        start = time.monotonic()
        assert dev(seom, data).returncode == 0
        assert time.monotonic() - start < 5


# ---------------------------------------------------------------- islands

def islands_of(world):
    return json.loads(world.get("/islands.json"))


def test_the_same_islands_twice(seom):
    with directory() as data:
        told = []
        for _ in range(2):
            with World(seom, data) as world:
                told.append(islands_of(world))
                assert world.stop() == 0
        assert told[0] == told[1]
        assert len(told[0]["islands"] if isinstance(told[0], dict) else told[0]) == 33


def import_some(seom, into):
    source = ROOT / "worlds"
    rings = sorted(source.rglob("*.csv"))
    assert rings, f"no coast in {source}"
    done = run(seom, "islands", "import", rings[0], "--out", into)
    assert done.returncode == 0, done
    return done


def test_islands_of_ones_own(seom):
    with directory() as data, directory() as islands:
        import_some(seom, islands)
        files = sorted(pathlib.Path(islands).iterdir())
        assert len(files) > 1, files
        for file in files[2:]:
            file.unlink()
        with World(seom, data, "--islands", islands, bots=3) as world:
            assert world.status()["islands"] == 2, world.status()
            assert until(lambda: world.status()["players"] == 3), world.status()
            assert world.stop() == 0
        assert len(listing(seom, data)) == 3


def test_broken_islands_are_named(seom):
    with directory() as data, directory() as islands:
        refused(dev(seom, data, "--islands", islands), 1, re.escape(islands), "import")
        refused(dev(seom, data, "--islands", f"{islands}/nowhere"), 1, f"{re.escape(islands)}/nowhere")
        import_some(seom, islands)
        file = sorted(pathlib.Path(islands).iterdir())[0]
        sound = file.read_bytes()
        turned = bytes(byte ^ (0xff if i == len(sound) // 2 else 0) for i, byte in enumerate(sound))
        for broken in (b"", sound[:-1], sound + b"x", turned):
            file.write_bytes(broken)
            refused(dev(seom, data, "--islands", islands), 1, re.escape(str(file)))


# ---------------------------------------------------------------- bots without a world

def test_bots_without_a_world(seom):
    """They try again and again until their time is over, and say so: exit 1, and the report tells that nobody was connected."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()
    done = run(seom, "bots", "--to", address, "--count", "3", "--for", "3", "--warm-up", "0", timeout_s=60)
    passed_s = time.monotonic() - start
    assert done.returncode == 1, done
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["connected"] == 0 and told["players"] == 3 and told["never_in"] == 3, told
    assert address in done.stderr, done.stderr
    assert passed_s < 20, passed_s


def test_bots_stop_at_ctrl_c(seom):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with subprocess.Popen([seom, "bots", "--to", address, "--count", "3", "--quiet"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()) as process:
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=10)[0]
    assert process.returncode == 1, process.returncode
    assert json.loads(told.splitlines()[-1])["connected"] == 0, told


def test_bots_find_a_world_that_comes_back(seom):
    with directory() as data, World(seom, data) as world:
        address = f"{world.address[0]}:{world.address[1]}"
        with subprocess.Popen([seom, "bots", "--to", address, "--count", "5", "--quiet", "--warm-up", "0"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              env=clean_environment()) as bots:
            assert until(lambda: world.status()["players"] == 5)
            assert world.stop() == 0
            with World(seom, data, "--play", address) as again:
                assert until(lambda: again.status()["players"] == 5), again.status()
                time.sleep(1)
                bots.send_signal(signal.SIGINT)
                told = json.loads(bots.communicate(timeout=10)[0].splitlines()[-1])
            assert bots.returncode == 0, bots.returncode
            assert told["connected"] == 5 and told["lost"] == 5 and told["never_in"] == 0, told


def test_bots_tell_who_never_came_in(seom):
    """Whoever finds no room is not lost: no line broke on which somebody played."""
    with directory() as data, World(seom, data, "--players-max", 3) as world:
        address = f"{world.address[0]}:{world.address[1]}"
        with subprocess.Popen([seom, "bots", "--to", address, "--count", "5", "--warm-up", "0"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()) as bots:
            assert until(lambda: world.status()["players"] == 3), world.status()
            assert until(lambda: "3/5" in bots.stderr.readline())
            bots.send_signal(signal.SIGINT)
            told = json.loads(bots.communicate(timeout=10)[0].splitlines()[-1])
    assert told["connected"] == 3 and told["never_in"] == 2 and told["lost"] == 0, told


if __name__ == "__main__":
    main(sys.modules["__main__"], __doc__)
