#!/usr/bin/python3
"""Clients that mean no good, or are broken: each is counted by cause, reads a good-bye with the right code before its own line
closes, and nobody else notices: bots walk beside them and must never be disturbed. The long waits (5 s for a hello, 15 s of
silence or of not reading) run side by side.

    scene_hostile.py PATH_TO_SEOM        prints TAP

check: full sanitizers
"""
import collections
import json
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from seom_scene import PATIENCE_S, Line, WebLine, World, client_frame, hello_frame, listing, main, until

HELLO_S, SILENCE_S, LATE_S = 5, 15, 2.5  # a sweep of the gate a second, and a busy machine
BOTS = 5
CROWD = 60  # stand beside those who do not read, so that there is much to be read


def with_length(frame):
    return struct.pack("<I", len(frame)) + frame


def ends(line, code, patience_s=8):
    """The line ends with this code, and properly: a reset would lose the good-bye on a real network."""
    assert line.hear_end(patience_s) == code, (code, line.goodbye, line.ended)
    assert line.ended == "end", f"{code}: the line was reset"
    if line.websocket:
        assert line.closed == 1000, line.closed


# ---------------------------------------------------------------- at once
# Each takes the world, and tells under which cause it is counted. Both framings where both exist.

def garbage_before_hello(kind, world):
    with kind(world.address) as line:
        line.say(b"\0" + b"\xff" * 7)
        ends(line, "MALFORMED")
    return "malformed"


def garbage_after_hello(kind, world):
    with kind(world.address).hello() as line:
        line.say(b"\0\x12\x05\x0a")
        ends(line, "MALFORMED")
    return "malformed"


def unknown_format(kind, world):
    with kind(world.address).hello() as line:
        line.say(b"\7nothing")
        ends(line, "MALFORMED")
    return "malformed"


def large_before_hello(kind, world):
    with kind(world.address) as line:
        line.say(b"\0" * 1025)
        ends(line, "TOO_LARGE")
    return "oversized"


def large_after_hello(kind, world):
    with kind(world.address).hello() as line:
        try:
            line.say(b"\0" * 65537)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the head was enough
        ends(line, "TOO_LARGE")
    return "oversized"


def move_before_hello(kind, world):
    with kind(world.address) as line:
        line.say(client_frame(move={"move_no": 1, "motion": {"since_ms": 1}}))
        ends(line, "UNKNOWN_MESSAGE")
    return "unknown"


def second_hello(kind, world):
    with kind(world.address).hello() as line:
        line.say(hello_frame())
        ends(line, "UNKNOWN_MESSAGE")
    return "unknown"


def unknown_message(kind, world):
    with kind(world.address).hello() as line:
        line.say(b"\0\xfa\x01\x02hi")  # field 31
        ends(line, "UNKNOWN_MESSAGE")
    return "unknown"


def a_move_of_a_spectator(kind, world):
    with kind(world.address).hello(spectator=True) as line:
        line.say(client_frame(move={"move_no": 1, "motion": {"since_ms": 1}}))
        ends(line, "UNKNOWN_MESSAGE")
    return "unknown"


def no_common_protocol(kind, world):
    with kind(world.address) as line:
        line.say(hello_frame(protocol={"min": 1000, "max": 1001}))
        ends(line, "PROTOCOL")
    return "protocol"


def many_messages(kind, world):
    with kind(world.address).hello() as line:
        for _ in range(75):  # 60 at once are fine, and 30 a second come on top
            try:
                line.ping()
            except (BrokenPipeError, ConnectionResetError):
                break
        ends(line, "TOO_FAST")
        pongs = sum(name == "pong" for name, _ in line.messages)
        assert 50 <= pongs < 75, f"{pongs} answers"
    return "too_fast"


def many_bytes(kind, world):
    with kind(world.address).hello() as line:
        big = client_frame(command={"seq": 1, "body": b"x" * 2000})
        try:
            for _ in range(50):
                line.say(big)
        except (BrokenPipeError, ConnectionResetError):
            pass
        ends(line, "TOO_FAST")
    return "too_fast"


def forged_ticket(kind, world):
    with kind(world.address) as line:
        line.say(hello_frame(ticket=b"let me in"))
        ends(line, "BAD_TICKET")
    return "bad_ticket"


def zero_length(_, world):
    with Line(world.address) as line:
        line.send(struct.pack("<I", 0))
        ends(line, "MALFORMED")
    return "malformed"


def endless_length(_, world):
    with Line(world.address) as line:
        line.send(struct.pack("<I", 1 << 31))
        ends(line, "TOO_LARGE")
    return "oversized"


def not_masked(_, world):
    with WebLine(world.address) as line:
        line.piece(hello_frame(), masked=False)
        ends(line, "MALFORMED")
    return "malformed"


def text_instead_of_bytes(_, world):
    with WebLine(world.address) as line:
        line.piece(b"hello?", opcode=1)
        ends(line, "MALFORMED")
    return "malformed"


def reserved_bits(_, world):
    with WebLine(world.address) as line:
        line.piece(hello_frame(), opcode=0x42)
        ends(line, "MALFORMED")
    return "malformed"


def fragments_without_a_beginning(_, world):
    with WebLine(world.address) as line:
        line.piece(hello_frame(), opcode=0)
        ends(line, "MALFORMED")
    return "malformed"


def garbage_http(_, world):
    """Not a WebSocket yet: closed without a word."""
    for text in [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET nothing\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"\xff" * 100 + b"\r\n\r\n"]:
        with Line(world.address) as line:
            line.send(text)
            assert line.hear_end() is None
            assert line.bytes == b"", line.bytes
    return {"malformed": 3}


def endless_http(_, world):
    with Line(world.address) as line:
        line.send(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500)
        assert line.hear_end() is None
    return "oversized"


def goodbye(kind, world):
    with kind(world.address).hello() as line:
        line.say(client_frame(goodbye={"code": 16}))
        ends(line, "LEFT")
    return "left"


def websocket_closes(_, world):
    """The close frame is answered with a close frame, and nothing follows it."""
    with WebLine(world.address).hello() as line:
        line.piece(struct.pack(">H", 1001) + b"going away", opcode=8)
        assert line.hear_end() is None and line.ended == "end", line.ended
        assert line.closed == 1001, line.closed
    return "left"


def line_is_cut(kind, world):
    with kind(world.address).hello() as line:
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    return "lost"


BOTH = [garbage_before_hello, garbage_after_hello, unknown_format, large_before_hello, large_after_hello, move_before_hello,
        second_hello, unknown_message, a_move_of_a_spectator, no_common_protocol, many_messages, many_bytes, forged_ticket,
        goodbye, line_is_cut]
ONE = [zero_length, endless_length, not_masked, text_instead_of_bytes, reserved_bits, fragments_without_a_beginning,
       garbage_http, endless_http, websocket_closes]


def test_each_ends_with_its_code(seom):
    with tempfile.TemporaryDirectory(prefix="seom-hostile-") as data, World(seom, data, bots=BOTS) as world:
        assert until(lambda: world.status()["players"] >= BOTS)
        expected, wrong = collections.Counter(world.drops()), []
        for act, kind in [*((act, kind) for act in BOTH for kind in (Line, WebLine)), *((act, None) for act in ONE)]:
            try:
                cause = act(kind, world)
                expected.update(cause if isinstance(cause, dict) else {cause: 1})
            except Exception:
                wrong.append(f"{act.__name__} over {kind.__name__ if kind else 'its own'}:\n{traceback.format_exc()}")
        assert not wrong, "\n".join(wrong)
        counted_as(world, expected)
        assert world.status()["players"] >= BOTS, "the bots were disturbed"


def counted_as(world, expected):
    assert until(lambda: world.drops() == expected, 5), \
        f"missing {expected - collections.Counter(world.drops())}, too many {collections.Counter(world.drops()) - expected}"


# ---------------------------------------------------------------- what is allowed

def test_what_is_allowed(seom):
    with tempfile.TemporaryDirectory(prefix="seom-hostile-") as data, World(seom, data) as world:
        allowed(world)


def allowed(world):
    before = world.drops()
    with WebLine(world.address) as line:
        hello = hello_frame()
        line.piece(hello[:5], final=False)
        line.piece(b"are you there?", opcode=9)
        line.piece(hello[5:], opcode=0)
        assert line.hear(lambda: line.welcome), "a hello in fragments, with a ping in between"
        assert line.pongs == [b"are you there?"], line.pongs
        line.piece(b"", opcode=10)  # a pong nobody asked for
        line.ping()
        assert line.hear(lambda: line.messages[-1][0] == "pong")
    with Line(world.address) as line:
        for byte in with_length(hello_frame()):
            line.send(bytes([byte]))
        assert line.hear(lambda: line.welcome), "a hello byte by byte"
    with Line(world.address) as line:
        line.send(with_length(hello_frame()) + with_length(client_frame(ping={"client_ms": 5})))
        assert line.hear(lambda: line.welcome or line.goodbye)
    after = world.drops()
    assert all(after[cause] == before[cause] for cause in before if cause not in ("lost", "unknown")), (before, after)


# ---------------------------------------------------------------- slow ones, each on a thread of its own

def slow_hello(world, expected):
    """Says nothing at all."""
    with Line(world.address) as line:
        start = time.monotonic()
        line.hear_end(HELLO_S + LATE_S)
        passed_s = time.monotonic() - start
        assert HELLO_S - 0.5 <= passed_s <= HELLO_S + LATE_S, passed_s
    expected["too_slow"] += 1


def half_open(world, expected):
    """Three bytes: not even its framing is known."""
    with Line(world.address) as line:
        line.send(b"GET")
        line.hear_end(HELLO_S + LATE_S)
    expected["too_slow"] += 1


def dribbled_hello(world, expected):
    """A byte a second is no sign of life."""
    with Line(world.address) as line:
        dribble(line, with_length(hello_frame(client="x" * 60)))
        ends(line, "TOO_SLOW", LATE_S)
    expected["too_slow"] += 1


def dribbled_handshake(world, expected):
    with Line(world.address) as line:
        dribble(line, b"GET / HTTP/1.1\r\nHost: somewhere\r\n")
        assert line.hear_end(LATE_S) is None
    expected["too_slow"] += 1


def dribble(line, data):
    start = time.monotonic()
    for byte in data:
        line.send(bytes([byte]))
        line.hear(lambda: False, 1)
        if line.ended or line.goodbye:
            break
    passed_s = time.monotonic() - start
    assert HELLO_S - 1 <= passed_s <= HELLO_S + LATE_S, passed_s


def slow_hello_after_handshake(world, expected):
    """The deadline is for all of it."""
    start = time.monotonic()
    with WebLine(world.address) as line:
        ends(line, "TOO_SLOW", HELLO_S + LATE_S)
    assert HELLO_S - 0.5 <= time.monotonic() - start <= HELLO_S + LATE_S
    expected["too_slow"] += 1


def silent(world, expected):
    with Line(world.address).hello() as line:
        start = time.monotonic()
        ends(line, "SILENT", SILENCE_S + LATE_S)
        passed_s = time.monotonic() - start
        assert SILENCE_S - 1 <= passed_s <= SILENCE_S + LATE_S, passed_s
    expected["silent"] += 1


def websocket_pings_are_no_life(world, expected):
    """What counts is a whole message of the protocol."""
    with WebLine(world.address).hello() as line:
        for _ in range(SILENCE_S + 5):
            if line.ended:
                break
            try:
                line.piece(b"", opcode=9)
            except OSError:
                break
            line.hear(lambda: line.ended, 1)
        ends(line, "SILENT", LATE_S)
    expected["silent"] += 1


def ask_much(line, seconds):
    """Two windows in turn, each with the whole crowd in it: the most that a client may ask for."""
    island, x_mm, y_mm = line.crowd
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for side_mm in (100000, 60000):
            line.watch(island, x_mm, y_mm, side_mm)
            time.sleep(0.05)


def does_not_read(world, expected):
    """It talks, so it is not silent; but what it is sent stays in the buffers until they are full."""
    with Line(world.address, receive_bytes=2048).hello(spectator=True) as line:
        line.crowd = world.crowd
        start = time.monotonic()
        try:
            ask_much(line, 60)
            raise AssertionError("it was never cut")
        except (BrokenPipeError, ConnectionResetError):
            passed_s = time.monotonic() - start
        assert passed_s >= SILENCE_S, passed_s
    expected["too_slow"] += 1


def reads_in_jerks(world, expected):
    """Five seconds without reading, then all of it, is a slow phone and nothing else."""
    with Line(world.address, receive_bytes=2048).hello(spectator=True) as line:
        line.crowd = world.crowd
        for _ in range(4):
            ask_much(line, 5)
            while line.receive(0.05):
                assert line.goodbye is None, line.goodbye
        line.ping()
        assert line.hear(lambda: line.messages[-1][0] == "pong"), line.goodbye or line.ended
        assert len(line.motions) >= CROWD / 2, f"saw {len(line.motions)} people"
    expected["lost"] += 1


SLOW = [slow_hello, half_open, dribbled_hello, dribbled_handshake, slow_hello_after_handshake, silent,
        websocket_pings_are_no_life, does_not_read, reads_in_jerks]


def test_slow_ones_are_cut_in_time_and_nobody_else(seom):
    """The crowd beside them is `seom bots`, which notices for itself whether it was disturbed."""
    with tempfile.TemporaryDirectory(prefix="seom-hostile-") as data, World(seom, data) as world:
        crowd = subprocess.Popen([seom, "bots", "--to", f"{world.address[0]}:{world.address[1]}", "--count", str(CROWD),
                                  "--profile", "crowd", "--quiet", "--warm-up", "1"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert until(lambda: world.status()["players"] == CROWD), world.status()
            assert until(lambda: len(listing(seom, data)) == CROWD)
            time.sleep(1)
            world.crowd = collections.Counter((island, x_mm // 30000 * 30000, y_mm // 30000 * 30000)
                                              for island, x_mm, y_mm in listing(seom, data).values()).most_common(1)[0][0]
            all_at_once(world)
            status = world.status()
            assert status["players"] - status["lingering"] == CROWD, status
        finally:
            crowd.terminate()
            told = crowd.communicate(timeout=PATIENCE_S)[0]
        told = json.loads(told.splitlines()[-1])
        assert told["lost"] == 0 and told["connected"] == CROWD, told
        assert sum(told["invariants_checked"].values()) > 0 and not any(told["invariants_broken"].values()), told


def all_at_once(world):
    expected, wrong = collections.Counter(world.drops()), []

    def act_out(act):
        try:
            act(world, expected)
        except Exception:
            wrong.append(f"{act.__name__}:\n{traceback.format_exc()}")

    threads = [threading.Thread(target=act_out, args=[act]) for act in SLOW]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, "\n".join(wrong)
    counted_as(world, expected)


if __name__ == "__main__":
    main(sys.modules["__main__"], __doc__)
