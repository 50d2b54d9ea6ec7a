#!/usr/bin/python3
"""An independent decoder of the player protocol, written from docs/protocol.md: decode.py DUMP prints what part 8 of that page
says, one line per message and record. It shares nothing with the server but the page, so that the two check each other."""
import struct
import sys

TO_SERVER, TO_CLIENT = 0, 1
FRAME_MAX = 65536
MOTION_LASTS_MAX = 10000
CHUNK_MM = 30000

CODES = ["FINE", "MALFORMED", "TOO_LARGE", "UNKNOWN_MESSAGE", "TOO_FAST", "TOO_SLOW", "SILENT", "PROTOCOL", "BAD_TICKET",
         "REPLACED", "SERVER_STOPS", "FULL", "RETRY_AFTER", "CONFLICT", "NOT_FOUND", "REFUSED", "LEFT", "CLOSED", "UNREADABLE",
         "TOO_FAR", "NO_ROOM"]


class Malformed(Exception):
    pass


class Unknown(Exception):
    pass


class Bytes:
    """Reads little-endian numbers; a step past the end is malformed."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        if count > self.left():
            raise Malformed("ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def numbers(self, layout):
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def varint(self):
        value = 0
        for index in range(10):
            byte, = self.take(1)
            value |= (byte & 0x7f) << (7 * index)
            if byte < 0x80:
                if value >= 1 << 64:
                    break
                return value
        raise Malformed("a varint of more than 64 bits")


# ---------------------------------------------------------------- protobuf: part 3

def signed64(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def signed32(value):
    value &= 0xffffffff
    return value - (1 << 32) if value >= 1 << 31 else value


def zigzag(value):
    value &= 0xffffffff
    return -(value + 1 >> 1) if value & 1 else value >> 1


def text_of(data):
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("a string that is not UTF-8") from error
    return data


# Field types: how a value is read, and what it is when it is left out. A dict is a message; a list of one thing is repeated.
TYPES = {
    "uint32": (0, lambda v: v & 0xffffffff, 0), "uint64": (0, lambda v: v, 0), "int64": (0, signed64, 0),
    "int32": (0, signed32, 0), "sint32": (0, zigzag, 0), "bool": (0, lambda v: int(v != 0), 0), "string": (2, text_of, b""), "bytes": (2, bytes, b""),
}
MOTION = {1: ("x_mm", "sint32"), 2: ("y_mm", "sint32"), 3: ("vx", "sint32"), 4: ("vy", "sint32"), 5: ("since_ms", "int64"),
          6: ("lasts_ms", "uint32")}
GOODBYE = {1: ("code", "uint32"), 2: ("retry_after_ms", "uint32"), 3: ("gates", ["string"])}
CLIENT = {
    1: ("hello", {1: ("protocol", {1: ("min", "uint32"), 2: ("max", "uint32")}), 2: ("ticket", "bytes"), 3: ("spectator", "bool"),
                  4: ("island", "uint32"), 5: ("client", "string")}),
    2: ("move", {1: ("move_no", "uint32"), 2: ("motion", MOTION), 3: ("look", "uint32")}),
    3: ("request", {1: ("number", "uint32"), 2: ("say", {1: ("text", "string"), 2: ("channel", "uint32")}),
                    3: ("look", {1: ("entity", "uint64")}),
                    4: ("camera", {1: ("island", "uint32"), 2: ("x_mm", "int32"), 3: ("y_mm", "int32"), 4: ("w_mm", "uint32"),
                                   5: ("h_mm", "uint32")}),
                    5: ("show", {1: ("what", "uint32"), 2: ("id", "uint64")})}),
    4: ("command", {1: ("seq", "uint64"), 2: ("body", "bytes")}),
    5: ("goodbye", GOODBYE),
    6: ("ping", {1: ("client_ms", "int64")}),
}
LIMITS = ["frame_bytes_max", "messages_per_s", "messages_burst", "bytes_per_s", "silence_ms_max", "say_bytes_max"]
SERVER = {
    1: ("welcome", {1: ("protocol", "uint32"), 2: ("limits", {i + 1: (name, "uint32") for i, name in enumerate(LIMITS)}),
                    3: ("world_ms", "int64"), 4: ("entity", "uint64"), 5: ("player", "uint64"), 6: ("session_epoch", "uint64"),
                    7: ("last_seq", "uint64"), 8: ("ticket", "bytes"), 9: ("island", "uint32"), 10: ("motion", MOTION),
                    11: ("gates", ["string"]), 12: ("speeds", [{1: ("look", "uint32"), 2: ("mm_per_s", "uint32")}])}),
    2: ("answer", {1: ("number", "uint32"), 2: ("code", "uint32"),
                   3: ("look", {1: ("entity", "uint64"), 2: ("look", "uint32"), 3: ("name", "string")}), 4: ("shown", "bytes")}),
    3: ("result", {1: ("seq", "uint64"), 2: ("code", "uint32"), 3: ("body", "bytes")}),
    4: ("goodbye", GOODBYE),
    5: ("pong", {1: ("client_ms", "int64"), 2: ("world_ms", "int64")}),
    6: ("changed", {1: ("what", "uint32")}),
    7: ("lobby", {1: ("code", "uint32"), 2: ("retry_after_ms", "uint32")}),
    8: ("said", {1: ("channel", "uint32"), 2: ("player", "uint64"), 3: ("name", "string"), 4: ("text", "string")}),
}


def read_value(source, wire_type):
    if wire_type == 0:
        return source.varint()
    if wire_type == 2:
        return source.take(source.varint())
    if wire_type in (1, 5):
        return source.take(8 if wire_type == 1 else 4)
    raise Malformed(f"wire type {wire_type}")


def convert(kind, wire_type, value):
    if isinstance(kind, dict):
        if wire_type != 2:
            raise Malformed("a message of another wire type")
        return read_message(kind, value)
    expected, read, _ = TYPES[kind]
    if wire_type != expected:
        raise Malformed("another wire type")
    return read(value)


def read_message(fields, data):
    """A dict by name; fields that are left out have their zero, messages that are left out are None."""
    message = {name: [] if isinstance(kind, list) else None if isinstance(kind, dict) else TYPES[kind][2]
               for name, kind in fields.values()}
    source = Bytes(data)
    while source.left() > 0:
        tag = source.varint()
        value = read_value(source, tag & 7)
        name, kind = fields.get(tag >> 3, (None, None))
        if isinstance(kind, list):
            message[name].append(convert(kind[0], tag & 7, value))
        elif name is not None:
            message[name] = convert(kind, tag & 7, value)
    return message


# ---------------------------------------------------------------- lines: part 8

def hexadecimal(data):
    return data.hex()


def quoted(data):
    plain = (chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in data)
    return '"' + "".join(plain) + '"'


def code_name(code):
    return CODES[code] if code < len(CODES) else code


def pairs(*values):
    """name, value, name, value ..."""
    return "".join(f" {name}={value}" for name, value in zip(values[::2], values[1::2]))


def motion_text(m):
    if not 0 <= m["lasts_ms"] <= MOTION_LASTS_MAX:
        raise Malformed("lasts")
    return pairs("x", m["x_mm"], "y", m["y_mm"], "vx", m["vx"], "vy", m["vy"], "since", m["since_ms"], "lasts", m["lasts_ms"])


def gates_text(gates):
    return "".join(pairs("gate", quoted(gate)) for gate in gates)


def goodbye_line(m):
    return "goodbye" + pairs("code", code_name(m["code"]), "retry_after_ms", m["retry_after_ms"]) + gates_text(m["gates"])


def request_line(m):
    if m["say"]:
        return "request.say" + pairs("number", m["number"], "text", quoted(m["say"]["text"]))
    if m["look"]:
        return "request.look" + pairs("number", m["number"], "entity", m["look"]["entity"])
    if m["camera"]:
        c = m["camera"]
        if max(c["island"], c["x_mm"] + c["w_mm"], c["y_mm"] + c["h_mm"]) > 0x7FFFFFFF:
            raise Malformed("camera")
        return "request.camera" + pairs("number", m["number"], "island", c["island"], "x", c["x_mm"], "y", c["y_mm"],
                                        "w", c["w_mm"], "h", c["h_mm"])
    if m["show"]:
        return "request.show" + pairs("number", m["number"], "what", m["show"]["what"], "id", m["show"]["id"])
    raise Unknown


def welcome_line(m):
    limits = "".join(pairs(name, m["limits"][name]) for name in LIMITS)
    ids = "".join(pairs(name, m[name]) for name in ["world_ms", "entity", "player", "session_epoch", "last_seq"])
    motion = motion_text(m["motion"]) if m["motion"] else ""
    speeds = "".join(pairs("speed", f"{s['look']}:{s['mm_per_s']}") for s in m["speeds"])
    return ("welcome" + pairs("protocol", m["protocol"]) + limits + ids
            + pairs("ticket", hexadecimal(m["ticket"]), "island", m["island"]) + motion + gates_text(m["gates"]) + speeds)


def answer_line(m):
    look = m["look"]
    seen = pairs("entity", look["entity"], "look", look["look"], "name", quoted(look["name"])) if look else ""
    if m["shown"]:
        seen = pairs("shown", hexadecimal(m["shown"]))
    return "answer" + pairs("number", m["number"], "code", code_name(m["code"])) + seen


MESSAGE_LINES = {
    "hello": lambda m: "hello" + pairs("min", m["protocol"]["min"], "max", m["protocol"]["max"], "ticket",
                                       hexadecimal(m["ticket"]), "spectator", m["spectator"], "island", m["island"],
                                       "client", quoted(m["client"])),
    "move": lambda m: "move" + pairs("no", m["move_no"], "look", m["look"]) + motion_text(m["motion"]),
    "request": request_line,
    "command": lambda m: "command" + pairs("seq", m["seq"], "body", hexadecimal(m["body"])),
    "ping": lambda m: "ping" + pairs("client_ms", m["client_ms"]),
    "welcome": welcome_line,
    "answer": answer_line,
    "result": lambda m: "result" + pairs("seq", m["seq"], "code", code_name(m["code"]), "body", hexadecimal(m["body"])),
    "goodbye": goodbye_line,
    "changed": lambda m: "changed" + pairs("what", m["what"]),
    "lobby": lambda m: "lobby" + pairs("code", code_name(m["code"]), "retry_after_ms", m["retry_after_ms"]),
    "said": lambda m: "said" + pairs("channel", m["channel"], "player", m["player"], "name", quoted(m["name"]),
                                     "text", quoted(m["text"])),
    "pong": lambda m: "pong" + pairs("client_ms", m["client_ms"], "world_ms", m["world_ms"]),
}


# ---------------------------------------------------------------- batches: part 4

def nearest(low, now):
    ahead = (low - now) & 0xffffffff
    return now + ahead - (1 << 32 if ahead >= 1 << 31 else 0)


def read_body(source, now):
    entity, look, x, y, vx, vy, since, lasts = source.numbers("QBiihhIH")
    if entity == 0:
        raise Malformed("nobody")
    return body_text(entity, look, x, y, vx, vy, nearest(since, now), lasts)


def body_text(entity, look, x, y, vx, vy, since, lasts):
    motion = {"x_mm": x, "y_mm": y, "vx": vx, "vy": vy, "since_ms": since, "lasts_ms": lasts}
    return pairs("entity", entity, "look", look) + motion_text(motion)


def read_range(source, now):
    cx, cy, first, last, at, count = source.numbers("HHQQIH")
    at = nearest(at, now)
    lines = ["range" + pairs("cx", cx, "cy", cy, "first", first, "last", last, "at", at, "count", count)]
    entity = first
    for index in range(count):
        step = source.varint()
        look, x, y, vx, vy, lasts = source.numbers("BHHbbB")
        entity += step
        shift = look >> 4
        if (index > 0 and step == 0) or not 0 < entity <= last or shift > 5 or max(x, y) >= CHUNK_MM or lasts > 250:
            raise Malformed("an entry of a range")
        lines.append("range.entry" + body_text(entity, look & 15, cx * CHUNK_MM + x, cy * CHUNK_MM + y, vx * (8 << shift),
                                               vy * (8 << shift), at, lasts * 40))
    return lines


def read_say(source, _):
    entity, count = source.numbers("QB")
    if entity == 0 or count > 200:
        raise Malformed("say")
    return ["say" + pairs("entity", entity, "text", quoted(source.take(count)))]


def read_thing(source, _):
    entity, kind, x, y, count = source.numbers("QBiiB")
    if entity == 0 or count > 64:
        raise Malformed("thing")
    return ["thing" + pairs("entity", entity, "kind", kind, "x", x, "y", y, "attributes", hexadecimal(source.take(count)))]


def read_density(source, _):
    island, cell_m, count = source.numbers("IHH")
    if cell_m == 0 or count > 2048:
        raise Malformed("density")
    lines = ["density" + pairs("island", island, "cell_m", cell_m, "count", count)]
    for _ in range(count):
        column, row, people = source.numbers("HHH")
        lines.append("density.cell" + pairs("column", column, "row", row, "people", people))
    return lines


def read_leave(source, _):
    entity, cx, cy = source.numbers("QHH")
    if entity == 0:
        raise Malformed("nobody left")
    return ["leave" + pairs("entity", entity, "cx", cx, "cy", cy)]


def read_forget(source, _):
    cx, cy = source.numbers("HH")
    return ["forget" + pairs("cx", cx, "cy", cy)]


def read_self(source, now):
    flags, move_no = source.numbers("BI")
    return ["self" + pairs("flags", flags, "move_no", move_no) + read_body(source, now)]


RECORDS = {
    1: lambda source, now: ["motion" + read_body(source, now)],
    2: read_leave,
    3: read_say,
    4: read_forget,
    5: read_range,
    6: read_self,
    7: read_thing,
    8: read_density,
    9: lambda source, now: ["island" + pairs("island", *source.numbers("I"))],
}


# ---------------------------------------------------------------- a connection

class Connection:
    def __init__(self, out):
        self.out = out
        self.streams = [b"", b""]
        self.over = [False, False]
        self.world_ms = self.world_at_us = 0

    def line(self, direction, mono_us, text):
        self.out.write(f"{mono_us} {'><'[direction]} {text}"[:4095] + "\n")

    def batch(self, mono_us, data):
        now = self.world_ms + max(0, mono_us - self.world_at_us) // 1000
        source = Bytes(data)
        while source.left() > 0:
            kind, = source.take(1)
            if kind not in RECORDS:
                raise Malformed(f"record {kind}")
            for text in RECORDS[kind](source, now):
                self.line(TO_CLIENT, mono_us, text)

    def message(self, direction, mono_us, data):
        fields = SERVER if direction == TO_CLIENT else CLIENT
        message = {name: body for name, body in read_message(fields, data).items() if body is not None}
        if not message:
            raise Unknown
        name, body = message.popitem()
        self.line(direction, mono_us, MESSAGE_LINES[name](body))
        if name in ("welcome", "pong"):
            self.world_ms, self.world_at_us = body["world_ms"], mono_us

    def frame(self, direction, mono_us, frame):
        if frame[0] == 1 and direction == TO_CLIENT:
            self.batch(mono_us, frame[1:])
        elif frame[0] == 0:
            try:
                self.message(direction, mono_us, frame[1:])
            except Unknown:
                self.line(direction, mono_us, "unknown")
        else:
            raise Malformed(f"format {frame[0]}")

    def frames(self, direction, mono_us):
        stream = self.streams[direction]
        while len(stream) >= 4:
            length, = struct.unpack_from("<I", stream)
            if not 0 < length <= FRAME_MAX:
                raise Malformed("length")
            if len(stream) < 4 + length:
                break
            self.frame(direction, mono_us, stream[4:4 + length])
            stream = stream[4 + length:]
        self.streams[direction] = stream

    def piece(self, direction, mono_us, data):
        if self.over[direction]:
            return
        self.streams[direction] += data
        try:
            self.frames(direction, mono_us)
        except Malformed:
            self.line(direction, mono_us, "malformed")
            self.over[direction] = True


def decode(dump, out):
    connection = Connection(out)
    source = Bytes(dump)
    while source.left() > 0:
        direction, mono_us, length = source.numbers("BqI")
        data = source.take(length)
        if direction > TO_CLIENT or mono_us < 0:
            raise Malformed("a piece")
        connection.piece(direction, mono_us, data)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        dump = file.read()
    try:
        decode(dump, sys.stdout)
    except Malformed as error:
        sys.exit(f"{sys.argv[1]}: no dump: {error}")


if __name__ == "__main__":
    main()
