"""What a folder holds of what was to be received, and single mails of it fetched once more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from channels.base import Arrival
from channels.errors import TemporaryFailure
from channels.mail.imap import LARGEST_MAIL
from channels.mail.positions import Position
from inbox.errors import StoreUnavailable
from tests.channels.mail.test_mailbox import (
    QUICK,
    Kept,
    Watcher,
    keeping_back,
    mail,
    mailbox,
    receiving,
    server_at,
    server_of,
    subject_of,
)
from tests.servers.dovecot import Dovecot
from tests.servers.scripted_imap import ScriptedImap

AT = '"at":"2026-03-09T08:00:00Z"'


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as server:
        server.mails = {uid: mail(f"mail {uid}") for uid in range(1, 8)}
        yield server


async def keys(server: ScriptedImap, position: str) -> list[str] | None:
    return await mailbox(server_at(server)).list_keys(position)


class Taken:
    """Takes what is fetched once more."""

    def __init__(self) -> None:
        self.portions: list[list[Arrival]] = []

    async def __call__(self, arrivals: Sequence[Arrival]) -> None:
        self.portions.append(list(arrivals))

    @property
    def keys(self) -> list[str]:
        return [arrival.source_key for portion in self.portions for arrival in portion]


# ---------------------------------------------------------------- what was to be received


async def test_ours_is_what_came_from_the_first_start_on_up_to_the_position(scripted: ScriptedImap) -> None:
    assert await keys(scripted, f'{{"uidvalidity":7,"uid":6,{AT},"began":3}}') == ["7:3", "7:4", "7:5", "7:6"]
    assert await keys(scripted, f'{{"uidvalidity":7,"uid":6,{AT},"began":7}}') == []
    del scripted.mails[4]
    assert await keys(scripted, f'{{"uidvalidity":7,"uid":6,{AT},"began":3}}') == ["7:3", "7:5", "7:6"]


async def test_what_the_server_keeps_back_is_still_being_asked_for(scripted: ScriptedImap) -> None:
    assert await keys(scripted, f'{{"uidvalidity":7,"uid":6,{AT},"began":4,"missing":{{"5":2}}}}') == ["7:4", "7:6"]


async def test_a_position_of_a_version_that_did_not_say_where_it_began_claims_nothing_older(
    scripted: ScriptedImap,
) -> None:
    old = f'{{"uidvalidity":7,"uid":5,{AT}}}'
    assert await keys(scripted, old) == []
    kept = Kept()
    kept.position = old
    async with receiving(mailbox(server_at(scripted)), kept):
        await kept.holds(2)
    assert Position.from_text(kept.position).began == 6
    assert await keys(scripted, kept.position) == ["7:6", "7:7"]


async def test_a_folder_that_was_replaced_cannot_be_compared_before_it_was_received_again(
    scripted: ScriptedImap,
) -> None:
    with pytest.raises(TemporaryFailure, match="replaced"):
        await keys(scripted, f'{{"uidvalidity":6,"uid":6,{AT},"began":3}}')


async def test_of_a_replaced_folder_ours_is_what_was_received_again_and_all_that_came_since(dovecot: Dovecot) -> None:
    dovecot.deliver("desk", mail("before us"))
    kept, watcher = Kept(), Watcher()
    box = mailbox(server_of(dovecot), watcher, start_at="now")
    async with receiving(box, kept):
        await watcher.sees("up")
        await asyncio.to_thread(dovecot.deliver, "desk", mail("ours"))
        await kept.holds(1)
        with dovecot.client("desk") as client:
            client.append("INBOX", "", '"09-Mar-2021 09:00:00 +0000"', mail("before us, moved here"))
        await kept.holds(2)
        await asyncio.to_thread(dovecot.stop)
        dovecot.change_uidvalidity("desk")
        await asyncio.to_thread(dovecot.start)
        await kept.holds(4)  # those the server received lately, whosever they are
        with dovecot.client("desk") as client:
            client.append("INBOX", "", '"09-Mar-2021 09:00:00 +0000"', mail("moved here since"))
        await kept.holds(5)
    assert kept.subjects == ["ours", "before us, moved here", "before us", "ours", "moved here since"]
    listed = await box.list_keys(kept.position or "")
    assert listed == kept.keys[2:]


# ---------------------------------------------------------------- fetched once more


async def test_mails_are_fetched_once_more_oldest_first_and_what_is_gone_is_left_out(scripted: ScriptedImap) -> None:
    taken = Taken()
    await mailbox(server_at(scripted)).fetch(["7:5", "7:11", "7:3"], taken)
    assert taken.keys == ["7:3", "7:5"]
    assert [subject_of(arrival.raw) for arrival in taken.portions[0]] == ["mail 3", "mail 5"]
    assert all(" EXAMINE " in line or " SELECT " not in line for line in scripted.heard)


async def test_they_come_in_portions_a_memory_holds(scripted: ScriptedImap) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in range(1, 401)}
    taken = Taken()
    await mailbox(server_at(scripted)).fetch([f"7:{uid}" for uid in scripted.mails], taken)
    assert taken.keys == [f"7:{uid}" for uid in range(1, 401)]
    assert max(len(portion) for portion in taken.portions) == 50


async def test_one_that_is_never_delivered_or_ends_every_connection_is_reported_and_holds_up_nobody(
    scripted: ScriptedImap,
) -> None:
    never, box, taken = keeping_back(scripted, 2), mailbox(server_at(scripted), pace=QUICK), Taken()

    def script(tag: str, args: str) -> bytes | None:
        uids, _, items = args.partition(" ")
        return b"" if "BODY" in items and 5 in scripted.chosen(uids) else never(tag, args)

    scripted.scripts["UID FETCH"] = script
    await box.fetch([f"7:{uid}" for uid in range(1, 8)], taken)
    assert sorted(taken.keys) == [f"7:{uid}" for uid in range(1, 8)]
    reports = [a.source_key for p in taken.portions for a in p if b"X-Permanence-Undelivered" in a.raw]
    assert sorted(reports) == ["7:2", "7:5"]


async def test_one_that_is_too_large_is_reported(scripted: ScriptedImap) -> None:
    def script(tag: str, args: str) -> bytes | None:
        if "BODY" in args:
            return None
        return f"* 3 FETCH (UID 3 RFC822.SIZE {LARGEST_MAIL + 1})\r\n{tag} OK\r\n".encode()

    scripted.scripts["UID FETCH"] = script
    taken = Taken()
    await mailbox(server_at(scripted)).fetch(["7:3", "7:4"], taken)
    assert taken.keys == ["7:3", "7:4"]
    assert f"{LARGEST_MAIL + 1} octets".encode() in taken.portions[0][0].raw
    assert not any("BODY" in line and "FETCH 3" in line for line in scripted.heard)


async def test_what_cannot_be_kept_ends_it_at_once(scripted: ScriptedImap) -> None:
    async def refuse(_: Sequence[Arrival]) -> None:
        raise StoreUnavailable("the disk is full")

    with pytest.raises(StoreUnavailable):
        await mailbox(server_at(scripted)).fetch(["7:1", "7:2"], refuse)


async def test_a_server_that_cannot_be_reached_says_so(scripted: ScriptedImap) -> None:
    nobody = mailbox(replace(server_at(scripted), port=1))
    with pytest.raises(TemporaryFailure):
        await nobody.list_keys(f'{{"uidvalidity":7,"uid":6,{AT},"began":3}}')
    with pytest.raises(TemporaryFailure):
        await nobody.fetch(["7:1"], Taken())
