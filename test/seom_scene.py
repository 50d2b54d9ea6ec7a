"""What scenes with a running world share: the world itself (`seom dev` in a directory of its own, on ports that the kernel
chooses), players over raw sockets and WebSocket that speak docs/protocol.md through the independent decoder's schema, and the
runner that prints TAP. Time limits here are for a busy machine; a scene measures for itself what it promises."""
import base64
import json
import math
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "decoder"))
import decode  # noqa: E402  (its directory was just made known)

PATIENCE_S = 20
CHUNK_MM = 30000
CODE = {name: number for number, name in enumerate(decode.CODES)}
NOT_DONE = ("RETRY_AFTER", "CLOSED", "UNREADABLE")  # these answers use up no number


def until(what, patience_s=PATIENCE_S):
    """Asks again until what() answers something true; the last answer otherwise."""
    end = time.monotonic() + patience_s
    while True:
        answer = what()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.05)


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("SEOM_")}


def run(seom, *arguments, timeout_s=PATIENCE_S):
    return subprocess.run([seom, *map(str, arguments)], env=clean_environment(), stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=timeout_s, check=False)


# ---------------------------------------------------------------- the world

class World:
    """A running `seom dev`. Use with `with`: whatever happens, it does not outlive the block."""

    def __init__(self, seom, data, *options, bots=0):
        self.seom, self.data = seom, str(data)
        self.log = pathlib.Path(tempfile.mkstemp(prefix="seom-log-")[1])
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [seom, "dev", "--data", self.data, "--play", "127.0.0.1:0", "--http", "127.0.0.1:0", "--bots", str(bots),
                 "--for", "600", *map(str, options)], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=clean_environment())
        found = until(lambda: re.search(r"http://127\.0\.0\.1:\d+", self.told()) or self.process.poll() is not None)
        assert found and found is not True, f"no address was printed:\n{self.told()}"
        self.http = found[0]
        self.address = ("127.0.0.1", int(re.search(r"players +127\.0\.0\.1:(\d+)", self.told())[1]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.log.unlink()

    def told(self):
        return self.log.read_text(encoding="utf-8")

    def get(self, path):
        with urllib.request.urlopen(self.http + path, timeout=PATIENCE_S) as answer:
            return answer.read().decode("utf-8")

    def status(self):
        return json.loads(self.get("/status"))

    def metrics(self):
        """Series without the common labels -> value."""
        values = {}
        for line in self.get("/metrics").splitlines():
            if not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                values[re.sub(r'world="[^"]*",node="[^"]*",host="[^"]*",?', "", series).replace("{}", "")] = float(value)
        return values

    def drops(self):
        """Cause -> connections that ended so."""
        return {found[1]: int(value) for name, value in self.metrics().items()
                if (found := re.fullmatch(r'seom_drops_total\{cause="(\w+)"\}', name))}

    def children(self):
        """Ids of the processes it started."""
        listed = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in listed.split()]

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self, signal_number=signal.SIGTERM):
        self.process.send_signal(signal_number)
        return self.process.wait(PATIENCE_S)


def lives(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def listing(seom, data):
    """`seom players`: id -> (island, x_mm, y_mm)."""
    done = run(seom, "players", "--data", data)
    assert done.returncode == 0, done
    rows = json.loads(done.stdout.splitlines()[-1])["players"]
    found = {row["id"]: (row["island"], row["x_mm"], row["y_mm"]) for row in rows}
    assert len(found) == len(rows), "somebody is listed twice"
    return found


# ---------------------------------------------------------------- messages

def varint(value):
    out = bytearray()
    value &= (1 << 64) - 1
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, kind, value):
    if isinstance(kind, dict):
        value = write_message(kind, value)
    elif kind == "sint32":
        value = value << 1 if value >= 0 else (-value << 1) - 1
    elif kind == "string":
        value = value.encode("utf-8")
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(int(value))


def write_message(fields, values):
    """The decoder's tables, the other way round; what is None or missing is left out."""
    numbers = {name: (number, kind) for number, (name, kind) in fields.items()}
    return b"".join(field(*numbers[name], value) for name, value in values.items() if value is not None)


def client_frame(**message):
    return b"\0" + write_message(decode.CLIENT, message)


# Of proto/value.proto, what scenes do.
DEED = {5: ("craft", {1: ("kind", "uint32")}), 7: ("buy", {1: ("kind", "uint32"), 2: ("count", "uint32")}),
        50: ("split", {1: ("from", "uint32"), 2: ("to", "uint32"), 3: ("count", "uint32")})}


def hello_frame(**hello):
    return client_frame(hello={"protocol": {"min": 1, "max": 1}, "client": "scene", **hello})


def place_at(motion, now_ms):
    """docs/protocol.md part 1."""
    dt = min(max(now_ms - motion["since_ms"], 0), motion["lasts_ms"])
    return tuple(motion[axis + "_mm"] + int(motion["v" + axis] * 2 * dt / 1000) for axis in "xy")


def distance_mm(a, b):
    return math.hypot(a[0] - b[0], a[1] - b[1])


class Gone(Exception):
    """The line ended; how tells "end" or "reset"."""

    def __init__(self, how):
        super().__init__(how)
        self.how = how


# ---------------------------------------------------------------- players

class Line:
    """A player's connection: TCP, the frames after one another. What it hears is kept: welcome, goodbye, the motions of
    others by entity, the corrections of its own."""
    websocket = False

    def __init__(self, address, receive_bytes=0):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(address)
        self.bytes = b""
        self.messages, self.motions, self.heard_at = [], {}, {}
        self.welcome = self.goodbye = self.island = self.motion = self.world_at = None
        self.move_no = self.corrections = self.seq = 0
        self.ended = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def say(self, frame):
        self.send(struct.pack("<I", len(frame)) + frame)

    def world_ms(self):
        """World time, late by half a round trip on loopback."""
        world_ms, mono_s = self.world_at
        return world_ms + int((time.monotonic() - mono_s) * 1000)

    def hello(self, **hello):
        self.say(hello_frame(**hello))
        self.hear(lambda: self.welcome or self.goodbye)
        assert self.welcome, f"no welcome but {self.goodbye or self.ended}"
        return self

    def ping(self):
        self.say(client_frame(ping={"client_ms": 1}))

    def walk(self, vx, vy, lasts_ms, since_ms=None, look=0):
        """Goes on from where it is now."""
        now_ms = self.world_ms() if since_ms is None else since_ms
        x_mm, y_mm = place_at(self.motion, now_ms)
        self.motion = {"x_mm": x_mm, "y_mm": y_mm, "vx": vx, "vy": vy, "since_ms": now_ms, "lasts_ms": lasts_ms}
        self.move_no += 1
        self.say(client_frame(move={"move_no": self.move_no, "motion": self.motion, "look": look}))

    def do(self, patience_s=PATIENCE_S, **deed):
        """Does one thing, as do(buy={"kind": 1, "count": 2}), and waits: the name of the code that it was answered with. What was
        not done uses up no number."""
        heard = len(self.messages)
        self.say(client_frame(command={"seq": self.seq + 1, "body": write_message(DEED, deed)}))

        def result():
            return next((body for name, body in self.messages[heard:] if name == "result" and body["seq"] == self.seq + 1), None)
        self.hear(result, patience_s)
        assert result() is not None, f"no result of {deed}: {self.messages[heard:]} {self.ended}"
        code = decode.CODES[result().get("code", 0)]
        self.seq += code not in NOT_DONE
        return code

    def watch(self, island, x_mm, y_mm, side_mm):
        self.say(client_frame(request={"number": 1, "camera": {
            "island": island, "x_mm": x_mm - side_mm // 2, "y_mm": y_mm - side_mm // 2, "w_mm": side_mm, "h_mm": side_mm}}))

    # -------- hearing

    def receive(self, wait_s):
        """Takes in what comes within wait_s, frame by frame. False: nothing came. Raises Gone at the end."""
        if not select.select([self.socket], [], [], wait_s)[0]:
            return False
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            raise Gone("reset") from None
        if not data:
            raise Gone("end")
        self.bytes += data
        for frame in self.frames():
            self.frame(frame)
        return True

    def hear(self, enough, patience_s=PATIENCE_S):
        """Until enough() is true or the line ends."""
        end = time.monotonic() + patience_s
        while not enough() and self.ended is None:
            left_s = end - time.monotonic()
            if left_s <= 0:
                return None
            try:
                self.receive(left_s)
            except Gone as gone:
                self.ended = gone.how
        return enough()

    def hear_end(self, patience_s=PATIENCE_S):
        """Until the line ends; the code of the goodbye that came before, None without one."""
        self.hear(lambda: self.ended, patience_s)
        assert self.ended, f"the line did not end within {patience_s} s"
        return None if self.goodbye is None else decode.CODES[self.goodbye["code"]]

    def frames(self):
        while len(self.bytes) >= 4:
            length, = struct.unpack_from("<I", self.bytes)
            if len(self.bytes) < 4 + length:
                return
            frame, self.bytes = self.bytes[4:4 + length], self.bytes[4 + length:]
            yield frame

    def frame(self, frame):
        assert self.goodbye is None, "something came after the goodbye"
        if frame[0] == 1:
            self.batch(frame[1:])
            return
        message = {name: body for name, body in decode.read_message(decode.SERVER, frame[1:]).items() if body is not None}
        name, body = message.popitem()
        self.messages.append((name, body))
        if name in ("welcome", "pong"):
            self.world_at = (body["world_ms"], time.monotonic())
        if name == "welcome":
            self.welcome, self.island, self.motion = body, body["island"], body["motion"]
            self.seq = body.get("last_seq", 0)
        elif name == "goodbye":
            self.goodbye = body

    def batch(self, data):
        """The records in the words of `seom decode`."""
        source = decode.Bytes(data)
        now_ms = self.world_ms()
        while source.left() > 0:
            kind, = source.take(1)
            for text in decode.RECORDS[kind](source, now_ms):
                what, *pairs = text.split(" ")
                if what in ("island", "motion", "range.entry", "self"):
                    self.heard(what, {name: int(value) for name, value in (pair.split("=") for pair in pairs)})

    def heard(self, what, values):
        if what == "island":
            self.island = values["island"]
            return
        motion = {"x_mm": values["x"], "y_mm": values["y"], "vx": values["vx"], "vy": values["vy"],
                  "since_ms": values["since"], "lasts_ms": values["lasts"]}
        entity = values["entity"]
        if what == "self":
            self.motion = motion
            self.corrections += 1
        elif entity not in self.motions or motion["since_ms"] >= self.motions[entity]["since_ms"]:
            self.motions[entity] = motion
            self.heard_at.setdefault(entity, []).append(time.monotonic())


class WebLine(Line):
    """The same over WebSocket; closed tells the status of the server's close frame."""
    websocket = True

    def __init__(self, address, receive_bytes=0):
        super().__init__(address, receive_bytes)
        self.closed, self.pongs = None, []
        key = base64.b64encode(os.urandom(16)).decode("ascii")
        self.send(f"GET /play HTTP/1.1\r\nHost: scene\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode("ascii"))
        while b"\r\n\r\n" not in self.bytes:
            data = self.socket.recv(4096)
            assert data, f"the handshake was not answered: {self.bytes}"
            self.bytes += data
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101 "), head

    def piece(self, payload, opcode=2, final=True, masked=True):
        mask = os.urandom(4) if masked else b""
        head = bytes([opcode | (0x80 if final else 0)])
        length = len(payload)
        flag = 0x80 if masked else 0
        head += bytes([flag | length]) if length < 126 else (
            bytes([flag | 126]) + struct.pack(">H", length) if length < 65536 else bytes([flag | 127]) + struct.pack(">Q", length))
        body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if masked else payload
        self.send(head + mask + body)

    def say(self, frame):
        self.piece(frame)

    def frames(self):
        while len(self.bytes) >= 2:
            first, second = self.bytes[:2]
            assert second < 0x80, "a server does not mask"
            length, at = second, 2
            if second == 126:
                if len(self.bytes) < 4:
                    return
                (length,), at = struct.unpack(">H", self.bytes[2:4]), 4
            elif second == 127:
                if len(self.bytes) < 10:
                    return
                (length,), at = struct.unpack(">Q", self.bytes[2:10]), 10
            if len(self.bytes) < at + length:
                return
            payload, self.bytes = self.bytes[at:at + length], self.bytes[at + length:]
            assert self.closed is None, "something came after the close frame"
            if first == 0x82:
                yield payload
            elif first == 0x8a:
                self.pongs.append(payload)
            elif first == 0x88:
                self.closed = struct.unpack(">H", payload[:2])[0] if payload else 1005
            else:
                raise AssertionError(f"a frame of kind {first:#x}")


# ---------------------------------------------------------------- TAP

def main(module, description):
    """Runs every test_*(seom) of the module, in their order."""
    if len(sys.argv) != 2:
        sys.exit(description)
    # A shell that runs checks behind itself has them ignore SIGINT, and what they start would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seom = str(pathlib.Path(sys.argv[1]).resolve())
    tests = [(name, thing) for name, thing in vars(module).items() if name.startswith("test_")]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        start = time.monotonic()
        try:
            skipped = test(seom)
            print(f"ok {number} - {name}" + (f" # SKIP {skipped}" if skipped else ""), flush=True)
        except Exception:  # a test that breaks is a test that failed
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
        print(f"# {time.monotonic() - start:.1f} s", flush=True)
    sys.exit(1 if failed else 0)
