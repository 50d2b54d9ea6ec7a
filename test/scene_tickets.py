#!/usr/bin/python3
"""Tickets: what brings people back. The newer connection wins; who lost the line is found where it stands; nobody else's
ticket opens the door.

    scene_tickets.py PATH_TO_SEOM        prints TAP

check: full
"""
import pathlib
import sys
import tempfile
import time

from seom_scene import Line, WebLine, World, client_frame, distance_mm, hello_frame, main, place_at, until


def test_a_world_of_tickets(seom):
    """One world for all of it; the parts take their people apart."""
    with tempfile.TemporaryDirectory(prefix="seom-tickets-") as data, World(seom, data) as world:
        newer_wins(world)
        taken_over_at_the_same_place(world)
        after_goodbye_nobody_stands_there(world)
        forged(world)


def newer_wins(world):
    for older_kind, newer_kind in [(Line, WebLine), (WebLine, Line)]:
        with older_kind(world.address).hello() as older:
            replaced = world.drops()["replaced"]
            with newer_kind(world.address).hello(ticket=older.welcome["ticket"]) as newer:
                assert older.hear_end() == "REPLACED", older.goodbye
                assert older.ended == "end", "the goodbye was followed by a reset"
                assert newer.welcome["player"] == older.welcome["player"]
                assert newer.welcome["session_epoch"] > older.welcome["session_epoch"]
                newer.ping()
                assert newer.hear(lambda: newer.messages[-1][0] == "pong"), "the newer one was disturbed"
                assert newer.goodbye is None
                assert until(lambda: world.drops()["replaced"] == replaced + 1), world.drops()


def taken_over_at_the_same_place(world):
    with Line(world.address).hello() as line:
        line.walk(500, 0, 1000)  # 1 m/s for one second
        line.hear(lambda: False, 1.2)
        gone_at = place_at(line.motion, line.world_ms())
        ticket, player = line.welcome["ticket"], line.welcome["player"]
    players = world.status()["players"]
    assert until(lambda: world.status()["lingering"] == players), "nobody has a line any more, but all still stand there"
    with Line(world.address).hello(ticket=ticket) as back:
        assert back.welcome["player"] == player
        stands_at = place_at(back.motion, back.world_ms())
        assert distance_mm(gone_at, stands_at) <= 1, (gone_at, stands_at)
        assert until(lambda: world.status()["lingering"] == players - 1), world.status()
        assert world.status()["players"] == players, "taken over, not doubled"


def after_goodbye_nobody_stands_there(world):
    before = world.status()["players"]
    with Line(world.address).hello() as line:
        assert until(lambda: world.status()["players"] == before + 1)
        line.say(client_frame(goodbye={"code": 16}))
        line.hear_end()
        assert until(lambda: world.status()["players"] == before), world.status()


def forged(world):
    with Line(world.address).hello() as line:
        ticket = line.welcome["ticket"]
    bad = world.drops()["bad_ticket"]
    turned = [bytes(byte ^ (1 if i == at else 0) for i, byte in enumerate(ticket)) for at in range(len(ticket))]
    forgeries = [*turned, ticket[:-1], ticket + b"\0", b"\0" * len(ticket), b"x"]
    for forgery in forgeries:
        with Line(world.address) as line:
            line.say(hello_frame(ticket=forgery))
            assert line.hear_end() == "BAD_TICKET", (forgery, line.goodbye, line.welcome)
    assert until(lambda: world.drops()["bad_ticket"] == bad + len(forgeries)), world.drops()


def test_a_ticket_of_another_world(seom):
    with tempfile.TemporaryDirectory(prefix="seom-tickets-") as one, tempfile.TemporaryDirectory(prefix="seom-tickets-") as other:
        with World(seom, one) as world, Line(world.address).hello() as line:
            ticket = line.welcome["ticket"]
        assert pathlib.Path(one, "ticket.key").stat().st_mode & 0o777 == 0o600
        with World(seom, other) as world, Line(world.address) as line:
            line.say(hello_frame(ticket=ticket))
            assert line.hear_end() == "BAD_TICKET", line.goodbye


def test_the_avatar_stays_30_s_and_no_longer(seom):
    """A lost line; somebody nearby watches the avatar go."""
    with tempfile.TemporaryDirectory(prefix="seom-tickets-") as data, World(seom, data) as world:
        with Line(world.address).hello() as line:
            pass
        lost = time.monotonic()
        assert until(lambda: world.metrics()["seom_players_lingering"] == 1)
        assert until(lambda: world.metrics()["seom_players_lingering"] == 0, 40), world.status()
        stayed_s = time.monotonic() - lost
        assert 29 <= stayed_s <= 33, stayed_s
        with Line(world.address).hello(ticket=line.welcome["ticket"]) as back:
            assert back.welcome["player"] == line.welcome["player"], "the ticket is good for longer than the avatar"
            assert distance_mm(place_at(line.motion, line.world_ms()), place_at(back.motion, back.world_ms())) <= 1


if __name__ == "__main__":
    main(sys.modules["__main__"], __doc__)
