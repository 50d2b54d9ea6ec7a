#!/usr/bin/python3
"""Two people and their things, over real sockets and a real store: what one lays down the other sees, what one sends the other
is told of, and a command that was answered is answered the same after kill -9.

    scene_value.py PATH_TO_SEOM        prints TAP

check: sanitizers
"""
import sys
import tempfile

from seom_scene import Line, World, client_frame, decode, main, until, varint, write_message

FINE, MALFORMED, CONFLICT, NOT_FOUND = 0, 1, 13, 14
BAG, INBOX, MAIL = 1, 2, 5
FRUIT = 1
FIRST_COINS, FRUIT_PRICE = 100, 5

# proto/value.proto, as far as this scene goes.
STACK = {1: ("kind", "uint32"), 2: ("count", "uint32"), 3: ("uid", "uint64")}
HOLDINGS = {1: ("coins", "uint64"), 2: ("slots", [STACK])}
BAG_VIEW = {1: ("holds", HOLDINGS), 2: ("slots_max", "uint32"), 3: ("trades", ["uint64"])}
NOTICE = {1: ("kind", "uint32"), 2: ("id", "uint64"), 3: ("from", "uint64"), 4: ("day", "uint32"), 5: ("from_name", "string"),
          6: ("holds", "bool")}
INBOX_VIEW = {1: ("notices", [NOTICE])}
MAIL_VIEW = {1: ("from", "uint64"), 2: ("text", "string"), 3: ("holds", HOLDINGS), 4: ("day", "uint32")}
RESULT = {1: ("id", "uint64"), 2: ("gained", [STACK]), 3: ("coins_gained", "uint64"), 4: ("mail", "uint64")}
DEED = {
    2: ("drop", {1: ("slot", "uint32"), 2: ("count", "uint32")}),
    3: ("take", {1: ("entity", "uint64")}),
    7: ("buy", {1: ("kind", "uint32"), 2: ("count", "uint32")}),
    55: ("send", {1: ("to", "uint64"), 2: ("text", "string"), 3: ("coins", "uint64")}),
    56: ("claim", {1: ("mail", "uint64")}),
}


class Person(Line):
    """Somebody who owns things: commands in order, shows, and the things that lie about."""

    def __init__(self, address):
        super().__init__(address)
        self.things = {}
        self.number = 0

    def batch(self, data):
        super().batch(data)
        source = decode.Bytes(data)
        while source.left() > 0:
            kind, = source.take(1)
            for text in decode.RECORDS[kind](source, self.world_ms()):
                what, *pairs = text.split(" ")
                values = dict(pair.split("=", 1) for pair in pairs)
                if what == "thing":
                    self.things[int(values["entity"])] = values
                elif what == "leave":
                    self.things.pop(int(values["entity"]), None)

    def told(self, name):
        return [body for heard, body in self.messages if heard == name]

    def order(self, seq, body):
        """The result of a command: its code and what it says."""
        before = len(self.told("result"))
        self.say(client_frame(command={"seq": seq, "body": body}))
        assert self.hear(lambda: len(self.told("result")) > before), f"no result: {self.goodbye}, {self.ended}"
        result = self.told("result")[-1]
        assert result["seq"] == seq, result
        return result["code"], decode.read_message(RESULT, result["body"])

    def do(self, **deed):
        self.number += 1
        return self.order(self.number, write_message(DEED, deed))

    def show(self, what, view, entity=0):
        before = len(self.told("answer"))
        self.say(client_frame(request={"number": 7, "show": {"what": what, "id": entity}}))
        assert self.hear(lambda: len(self.told("answer")) > before)
        answer = self.told("answer")[-1]
        return decode.read_message(view, answer["shown"]) if answer["code"] == FINE else answer["code"]

    def bag(self):
        """Coins, and how many of each kind."""
        holds = self.show(BAG, BAG_VIEW)["holds"]
        counts = {}
        for slot in holds["slots"]:
            counts[slot["kind"]] = counts.get(slot["kind"], 0) + slot["count"]
        counts.pop(0, None)
        return holds["coins"], counts



def test_what_one_lays_down_the_other_sees(seom):
    with tempfile.TemporaryDirectory(prefix="seom-value-") as data, World(seom, data) as world:
        with Person(world.address) as one, Person(world.address) as two:
            one.hello()
            two.hello(island=one.island)
            assert one.bag() == (FIRST_COINS, {}), one.bag()
            assert one.do(buy={"kind": FRUIT, "count": 4})[0] == FINE
            assert one.bag() == (FIRST_COINS - 4 * FRUIT_PRICE, {FRUIT: 4}), one.bag()
            code, result = one.do(drop={"slot": 0, "count": 3})
            entity = result["id"]
            assert code == FINE and entity, (code, result)
            assert two.hear(lambda: entity in two.things), "nobody saw it fall"
            assert one.bag()[1] == {FRUIT: 1}
            assert one.do(take={"entity": entity})[0] == FINE
            assert two.hear(lambda: entity not in two.things), "it is still to be seen"
            assert one.do(take={"entity": entity})[0] == NOT_FOUND
            assert one.bag()[1] == {FRUIT: 4}


def test_what_one_sends_the_other_is_told_of(seom):
    with tempfile.TemporaryDirectory(prefix="seom-value-") as data, World(seom, data) as world:
        with Person(world.address) as one, Person(world.address) as two, Person(world.address) as three:
            for person in (one, two, three):
                person.hello()
            code, result = one.do(send={"to": two.welcome["player"], "text": "for you", "coins": 30})
            assert code == FINE, code
            assert two.hear(lambda: {"what": INBOX} in two.told("changed")), two.messages[-3:]
            notice, = two.show(INBOX, INBOX_VIEW)["notices"]
            assert notice["from"] == one.welcome["player"] and notice["id"] == result["id"], notice
            assert two.show(MAIL, MAIL_VIEW, notice["id"])["text"] == b"for you"
            assert three.show(MAIL, MAIL_VIEW, notice["id"]) == NOT_FOUND
            assert three.do(claim={"mail": notice["id"]})[0] != FINE
            assert two.do(claim={"mail": notice["id"]})[0] == FINE
            assert two.do(claim={"mail": notice["id"]})[0] == NOT_FOUND
            assert one.bag()[0] == FIRST_COINS - 30 and two.bag()[0] == FIRST_COINS + 30
            assert two.show(INBOX, INBOX_VIEW)["notices"] == []
            assert not one.told("changed"), one.told("changed")
            assert until(lambda: world.metrics()['seom_commands_total{code="FINE"}'] == 2)
            assert world.metrics()['seom_store_scan_total{role="play"}'] == 0


def test_what_was_answered_survives_kill_9(seom):
    with tempfile.TemporaryDirectory(prefix="seom-value-") as data:
        body = write_message(DEED, {"buy": {"kind": FRUIT, "count": 2}})
        with World(seom, data) as world, Person(world.address) as one:
            one.hello()
            first = one.order(1, body)
            assert first[0] == FINE
            ticket = one.welcome["ticket"]
            world.kill()
        with World(seom, data) as world, Person(world.address) as one:
            one.hello(ticket=ticket)
            assert one.welcome["last_seq"] == 1, one.welcome
            assert one.order(1, body) == first
            assert one.bag() == (FIRST_COINS - 2 * FRUIT_PRICE, {FRUIT: 2}), one.bag()
            other = write_message(DEED, {"buy": {"kind": FRUIT, "count": 9}})
            assert one.order(1, other)[0] == CONFLICT
            assert one.order(3, other)[0] == CONFLICT
            assert one.order(2, varint(3))[0] == MALFORMED
            assert one.order(3, body)[0] == FINE
            assert one.bag()[1] == {FRUIT: 4}


if __name__ == "__main__":
    main(sys.modules["__main__"], __doc__)
