"""Several folders of one mailbox."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from channels.base import Arrival
from channels.errors import LoginRejected
from channels.mail.afterwards import Afterwards
from channels.mail.imap import ImapServer
from channels.mail.mailbox import Mailbox
from channels.mail.positions import Position, Positions, canonical, place_of
from tests.channels.mail.test_mailbox import (
    DESK,
    NOWHERE,
    QUICK,
    SHORT,
    Kept,
    Watcher,
    check,
    mail,
    mailbox,
    receiving,
    server_of,
    subject_of,
)
from tests.channels.mail.test_recount import Taken
from tests.servers.dovecot import Dovecot

ORDERS = "Commandes été"
OLD = '{"uidvalidity":7,"uid":3,"at":"2026-03-09T08:00:00Z","began":1}'


@pytest.fixture
def filled(dovecot: Dovecot) -> Dovecot:
    dovecot.deliver("desk", mail("inbox 1"))
    with dovecot.client("desk") as client:
        client.create('"Commandes &AOk-t&AOk-"')
        append(dovecot, "order 1")
    return dovecot


def append(dovecot: Dovecot, subject: str) -> None:
    with dovecot.client("desk") as client:
        client.append('"Commandes &AOk-t&AOk-"', "", "", mail(subject))


def both(dovecot: Dovecot) -> ImapServer:
    return replace(server_of(dovecot), more_folders=(ORDERS,))


async def test_every_folder_is_received_and_watched(filled: Dovecot) -> None:
    kept, watcher = Kept(), Watcher()
    box = mailbox(both(filled), watcher)
    async with receiving(box, kept):
        await kept.holds(2)
        await watcher.sees("up")
        await asyncio.to_thread(append, filled, "order 2")
        await asyncio.to_thread(filled.deliver, "desk", mail("inbox 2"))
        await kept.holds(4)
    assert sorted(kept.subjects) == ["inbox 1", "inbox 2", "order 1", "order 2"]
    assert watcher.events.count(("up", "", None)) == 1
    assert {key.partition(":")[2] for key in kept.keys} == {"1", "2", f"1:{ORDERS}", f"2:{ORDERS}"}
    listed = await box.list_keys(kept.position or "")
    assert sorted(listed or []) == sorted(kept.keys)
    taken = Taken()
    await box.fetch(kept.keys, taken)
    arrivals = [arrival for portion in taken.portions for arrival in portion]
    assert {a.source_key: subject_of(a.raw) for a in arrivals} == dict(zip(kept.keys, kept.subjects, strict=True))


async def test_a_restart_goes_on_where_each_folder_was(filled: Dovecot) -> None:
    kept = Kept()
    async with receiving(mailbox(both(filled)), kept):
        await kept.holds(2)
    append(filled, "order 2")
    async with receiving(mailbox(both(filled)), kept):
        await kept.holds(3)
    filled.deliver("desk", mail("inbox 2"))
    async with receiving(mailbox(both(filled)), kept):
        await kept.holds(4)
    assert sorted(kept.subjects) == ["inbox 1", "inbox 2", "order 1", "order 2"]


async def test_a_folder_added_later_begins_as_at_a_first_start_and_changes_nothing_for_the_others(
    filled: Dovecot,
) -> None:
    kept = Kept()
    async with receiving(mailbox(server_of(filled), start_at="now"), kept):
        await kept.until(lambda: kept.position is not None)
        await asyncio.to_thread(filled.deliver, "desk", mail("inbox 2"))
        await kept.holds(1)
    filled.deliver("desk", mail("inbox 3"))
    # In whatever order they are named: the keys of the first one ever stay as they were.
    server = replace(server_of(filled), folder=ORDERS, more_folders=("inbox",))
    watcher = Watcher()
    async with receiving(mailbox(server, watcher, start_at="now"), kept):
        await watcher.sees("up")
        await asyncio.to_thread(append, filled, "order 2")
        await kept.holds(3)
    assert sorted(kept.subjects) == ["inbox 2", "inbox 3", "order 2"]
    places = dict(zip(kept.subjects, map(place_of, kept.keys), strict=True))
    assert [places[name][1:] for name in ("inbox 2", "inbox 3", "order 2")] == [(2, ""), (3, ""), (2, f":{ORDERS}")]


async def test_the_keys_of_two_folders_differ_where_uidvalidity_and_uids_are_the_same() -> None:
    positions = Positions(None, ["INBOX", "A", "A:1"])
    same = Position(uidvalidity=7, uid=1, at=datetime.now(UTC))
    kept = Kept()
    for folder in reversed(positions.folders):
        await positions.keep(kept, folder, [Arrival(f"7:1{positions.scope(folder)}", DESK, b"")], same)
    assert kept.keys == ["7:1:A:1", "7:1:A", "7:1"]
    assert [place_of(key) for key in kept.keys] == [(7, 1, ":A:1"), (7, 1, ":A"), (7, 1, "")]
    again = Positions(kept.position, ["A", "inbox"])
    assert again.plain == "INBOX"
    assert again.find("A") == again.find("Inbox") == again.find("A:1") == same
    assert again.find("B") is None


async def test_a_position_of_a_version_that_knew_one_folder_is_of_the_one_named_first() -> None:
    positions = Positions(OLD, ["Ventes", "INBOX"])
    assert positions.find("Ventes") == Position.from_text(OLD)
    assert positions.find("INBOX") is None
    kept = Kept()
    await positions.keep(kept, "INBOX", [], Position.from_text(OLD))
    # what only knows one folder still reads its position out of it
    assert Position.from_text(kept.position or "") == Position.from_text(OLD)
    assert Positions(kept.position, ["INBOX"]).plain == "Ventes"


async def test_another_folder_received_first_is_none_of_the_plain_ones_business() -> None:
    positions = Positions(None, ["INBOX", "A"])
    kept = Kept()
    await positions.keep(kept, "A", [], Position.from_text(OLD))
    again = Positions(kept.position, ["INBOX", "A"])
    assert again.find("INBOX") is None
    assert (again.plain, again.find("A")) == ("INBOX", Position.from_text(OLD))


async def test_two_folders_committing_at_once_lose_neither_position() -> None:
    positions, kept = Positions(None, ["INBOX", "A"]), Kept()
    at = [Position(uidvalidity=7, uid=uid, at=datetime.now(UTC)) for uid in (1, 2)]
    await asyncio.gather(*(positions.keep(kept, name, [], at[n]) for n, name in enumerate(positions.folders)))
    again = Positions(kept.position, ["INBOX", "A"])
    assert [again.find(name) for name in ("INBOX", "A")] == at


async def test_what_moves_from_one_folder_is_received_from_the_other_and_no_gap(filled: Dovecot) -> None:
    kept = Kept()
    box = Mailbox(
        DESK, both(filled), NOWHERE, Watcher(), start_at="beginning", pace=QUICK, limits=SHORT,
        afterwards=Afterwards.from_text("move:Done"),
    )  # fmt: skip
    with filled.client("desk") as client:
        client.create("Done")
    async with receiving(box, kept):
        await kept.holds(2)
        await kept.until(lambda: '"pending"' not in (kept.position or ""))
    assert sorted(subject_of(raw) for raw in filled.mails("desk", "Done")) == ["inbox 1", "order 1"]
    assert await box.list_keys(kept.position or "") == []


async def test_one_folder_that_is_gone_is_told_and_holds_up_no_other(filled: Dovecot) -> None:
    kept, watcher = Kept(), Watcher()
    server = replace(server_of(filled), more_folders=("Nowhere",))
    async with receiving(mailbox(server, watcher), kept):
        await kept.holds(1)
        await watcher.sees("down")
    assert watcher.count("up") == 0
    why = next(event[1] for event in watcher.events if event[0] == "down")
    assert "Nowhere" in why or "EXAMINE refused" in why
    found = await check(server, sent_folder=None)
    assert [level for level, _, _ in found] == ["ok", "ok", "error"]
    assert found[2][2].startswith("Set folders to one of: ")


async def test_a_login_refused_at_first_stops_all_of_it(filled: Dovecot) -> None:
    with pytest.raises(LoginRejected):
        async with asyncio.timeout(10):
            await mailbox(replace(both(filled), password="wrong")).run(None, Kept())


def test_the_inbox_is_one_in_any_case() -> None:
    assert [canonical(name) for name in ("inbox", "InBox", "Inbox/a")] == ["INBOX", "INBOX", "Inbox/a"]


async def test_a_folder_renamed_on_the_server_and_in_the_config_goes_on_where_it_was(filled: Dovecot) -> None:
    kept = Kept()
    async with receiving(mailbox(replace(server_of(filled), folder=ORDERS)), kept):
        await kept.holds(1)
    append(filled, "order 2")
    with filled.client("desk") as client:
        client.rename('"Commandes &AOk-t&AOk-"', "Ventes")
    box = mailbox(replace(server_of(filled), folder="Ventes"), start_at="now")
    async with receiving(box, kept):
        await kept.holds(2)
    assert kept.subjects == ["order 1", "order 2"]
    assert await box.list_keys(kept.position or "") == kept.keys
