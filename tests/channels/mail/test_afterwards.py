"""Mail flagged or moved on the server once it is kept, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from channels.base import Arrival
from channels.mail.afterwards import Afterwards
from channels.mail.imap import ImapServer
from channels.mail.intake import Pace
from channels.mail.mailbox import Mailbox
from channels.mail.positions import Position
from inbox.errors import StoreUnavailable
from tests.channels.mail.test_mailbox import (
    DESK,
    NOWHERE,
    QUICK,
    SHORT,
    Kept,
    Watcher,
    check,
    keeping_back,
    mail,
    receiving,
    server_at,
    server_of,
    subject_of,
)
from tests.servers.dovecot import Dovecot
from tests.servers.scripted_imap import ScriptedImap

BRISK = replace(QUICK, afterwards=timedelta(seconds=0.05))
TO_DONE = "move:Done"


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as server:
        server.capabilities = "IMAP4rev1 IDLE MOVE UIDPLUS"
        server.mails = {uid: mail(f"mail {uid}") for uid in (1, 2, 3)}
        yield server


def mailbox(server: ImapServer, after: str, pace: Pace = BRISK) -> Mailbox:
    afterwards = Afterwards.from_text(after)
    return Mailbox(
        DESK, server, NOWHERE, Watcher(), start_at="beginning", pace=pace, limits=SHORT, afterwards=afterwards
    )


def settled(kept: Kept, count: int) -> bool:
    return len(kept.arrivals) >= count and not Position.from_text(kept.position or "").pending


def flags(dovecot: Dovecot) -> list[str]:
    with dovecot.client("desk") as client:
        return [line.decode() for line in client.fetch("1:*", "(FLAGS)")[1] if isinstance(line, bytes)]


def with_folder(dovecot: Dovecot, name: str = "Done") -> None:
    with dovecot.client("desk") as client:
        client.create(name)


def changes(scripted: ScriptedImap) -> list[str]:
    lines = [line.partition(" UID ")[2] for line in scripted.heard]
    return [line for line in lines if line.split(" ")[0] in ("MOVE", "COPY", "STORE", "EXPUNGE")]


@pytest.mark.parametrize(
    ("after", "expected"), [("seen", "\\Seen"), ("flag:\\Flagged", "\\Flagged"), ("flag:Permanence", "Permanence")]
)
async def test_what_is_kept_is_flagged(dovecot: Dovecot, after: str, expected: str) -> None:
    dovecot.deliver("desk", mail("one"), mail("two"))
    kept = Kept()
    async with receiving(mailbox(server_of(dovecot), after), kept):
        await kept.until(lambda: settled(kept, 2))
        await asyncio.to_thread(dovecot.deliver, "desk", mail("three"))
        await kept.until(lambda: settled(kept, 3))
    assert kept.subjects == ["one", "two", "three"]
    assert [expected in line for line in flags(dovecot)] == [True] * 3


async def test_nothing_on_the_server_changes_unless_asked(scripted: ScriptedImap) -> None:
    kept = Kept()
    async with receiving(mailbox(server_at(scripted), "nothing"), kept):
        await kept.holds(3)
        await scripted.someone_idles()
    assert changes(scripted) == []
    assert not any(" SELECT " in line for line in scripted.heard)


@pytest.mark.parametrize("capability", ["", "IMAP4rev1 IDLE UIDPLUS"])
async def test_what_is_kept_moves_and_nothing_else(dovecot: Dovecot, capability: str) -> None:
    dovecot.stop()
    dovecot.capability = capability
    dovecot.start()
    with_folder(dovecot)
    dovecot.deliver("desk", mail("somebody deletes this"))
    with dovecot.client("desk") as client:
        client.store("1", "+FLAGS", "\\Deleted")
    kept = Kept()
    box = Mailbox(
        DESK, server_of(dovecot), NOWHERE, Watcher(), pace=BRISK, limits=SHORT, afterwards=Afterwards.from_text(TO_DONE)
    )
    async with receiving(box, kept):
        await kept.until(lambda: kept.position is not None)
        await asyncio.to_thread(dovecot.deliver, "desk", mail("one"), mail("two"))
        await kept.until(lambda: settled(kept, 2))
    assert sorted(subject_of(raw) for raw in dovecot.mails("desk", "Done")) == ["one", "two"]
    # what others marked as deleted is theirs to expunge
    assert [subject_of(raw) for raw in dovecot.mails("desk")] == ["somebody deletes this"]
    assert await box.list_keys(kept.position or "") == []


async def test_what_could_not_be_kept_stays_untouched(scripted: ScriptedImap) -> None:
    kept = Kept()
    kept.refusals = [StoreUnavailable("the disk is full")] * 3

    async def keep(arrivals: Sequence[Arrival], position: str) -> None:
        if kept.refusals:
            assert changes(scripted) == []
        await Kept.__call__(kept, arrivals, position)

    task = asyncio.create_task(mailbox(server_at(scripted), TO_DONE).run(None, keep))
    await kept.until(lambda: settled(kept, 3))
    task.cancel()
    assert changes(scripted) == ['MOVE 1:3 "Done"']


async def test_killed_between_the_commit_and_the_move_it_is_moved_at_the_next_start(dovecot: Dovecot) -> None:
    with_folder(dovecot)
    dovecot.deliver("desk", mail("one"), mail("two"))
    kept = Kept()

    async def die_after_the_commit(arrivals: Sequence[Arrival], position: str) -> None:
        await kept(arrivals, position)
        if arrivals:
            task.cancel()
            await asyncio.sleep(60)  # here it dies: a step later the command would be on its way

    task = asyncio.create_task(mailbox(server_of(dovecot), TO_DONE).run(None, die_after_the_commit))
    await asyncio.wait([task])
    assert Position.from_text(kept.position or "").pending == (1, 2)
    assert len(dovecot.mails("desk")) == 2
    async with receiving(mailbox(server_of(dovecot), TO_DONE), kept):
        await kept.until(lambda: settled(kept, 2))
    assert len(dovecot.mails("desk", "Done")) == 2
    assert dovecot.mails("desk") == []
    assert kept.subjects == ["one", "two"]


@pytest.mark.parametrize("capability", ["", "IMAP4rev1 IDLE UIDPLUS"])
async def test_killed_after_the_move_and_before_its_commit_nothing_is_moved_twice(
    dovecot: Dovecot, capability: str
) -> None:
    dovecot.stop()
    dovecot.capability = capability
    dovecot.start()
    with_folder(dovecot)
    dovecot.deliver("desk", mail("one"), mail("two"))
    kept = Kept()

    async def die_before_the_second(arrivals: Sequence[Arrival], position: str) -> None:
        if kept.arrivals and not arrivals:
            task.cancel()
            await asyncio.sleep(1)
        await kept(arrivals, position)

    task = asyncio.create_task(mailbox(server_of(dovecot), TO_DONE).run(None, die_before_the_second))
    await asyncio.wait([task])
    assert Position.from_text(kept.position or "").pending == (1, 2)
    async with receiving(mailbox(server_of(dovecot), TO_DONE), kept):
        await kept.until(lambda: settled(kept, 2))
    assert sorted(subject_of(raw) for raw in dovecot.mails("desk", "Done")) == ["one", "two"]


async def test_copied_and_not_expunged_yet_it_is_not_copied_again(scripted: ScriptedImap) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE UIDPLUS"
    scripted.scripts["UID SEARCH"] = lambda tag, args: (
        f"* SEARCH 3\r\n{tag} OK\r\n".encode() if "UNDELETED" in args else None
    )
    kept = Kept()
    kept.position = '{"uidvalidity":7,"uid":3,"at":"2026-03-09T08:00:00Z","began":1,"pending":[1,2,3]}'
    async with receiving(mailbox(server_at(scripted), TO_DONE), kept):
        await kept.until(lambda: settled(kept, 0))
    assert changes(scripted) == ['COPY 3 "Done"', "STORE 1:3 +FLAGS.SILENT (\\Deleted)", "EXPUNGE 1:3"]


async def test_where_it_would_take_others_mail_away_nothing_moves(scripted: ScriptedImap) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE"
    kept = Kept()
    async with receiving(mailbox(server_at(scripted), TO_DONE), kept):
        await kept.holds(3)
        await scripted.someone_idles()
    assert changes(scripted) == []
    found = await check(server_at(scripted), sent_folder=None, afterwards=Afterwards.from_text(TO_DONE))
    assert ("error", "There is no folder Done to move mail to") in [(level, says) for level, says, _ in found]
    scripted.scripts["LIST"] = lambda tag, _: f'* LIST () "/" "Done"\r\n{tag} OK\r\n'.encode()
    found = await check(server_at(scripted), sent_folder=None, afterwards=Afterwards.from_text(TO_DONE))
    assert any("knows neither MOVE nor UIDPLUS" in says for _, says, _ in found)


async def test_a_refusal_holds_up_nobody_and_is_tried_again(scripted: ScriptedImap) -> None:
    refusals = 3

    def refuse(tag: str, _: str) -> bytes | None:
        nonlocal refusals
        refusals -= 1
        return f"{tag} NO [TRYCREATE] no such folder\r\n".encode() if refusals >= 0 else None

    scripted.scripts["UID MOVE"] = refuse
    kept = Kept()
    async with receiving(mailbox(server_at(scripted), TO_DONE), kept):
        await kept.holds(3)
        scripted.arrive(4, mail("mail 4"))
        await kept.until(lambda: settled(kept, 4))
    assert changes(scripted)[-1] == 'MOVE 1:4 "Done"'
    assert scripted.connections == 1


async def test_a_server_that_hangs_up_on_it_is_still_received(scripted: ScriptedImap) -> None:
    scripted.scripts["UID MOVE"] = lambda _tag, _args: b""
    kept = Kept()
    async with receiving(mailbox(server_at(scripted), TO_DONE, QUICK), kept):
        await kept.holds(3)
        await scripted.someone_idles()
        scripted.arrive(4, mail("mail 4"))
        await kept.holds(4)
    assert Position.from_text(kept.position or "").pending == (1, 2, 3, 4)


async def test_a_mail_a_report_stands_for_stays_where_the_report_says_it_is(scripted: ScriptedImap) -> None:
    scripted.scripts["UID FETCH"] = keeping_back(scripted, 2)
    kept = Kept()
    async with receiving(mailbox(server_at(scripted), TO_DONE), kept):
        await kept.until(lambda: settled(kept, 3))
    assert sorted(kept.keys) == ["7:1", "7:2", "7:3"]
    assert changes(scripted) == ['MOVE 1,3 "Done"']


async def test_once_it_is_no_longer_asked_for_what_was_left_stays(scripted: ScriptedImap) -> None:
    kept = Kept()
    kept.position = '{"uidvalidity":7,"uid":3,"at":"2026-03-09T08:00:00Z","began":1,"pending":[1,2,3]}'
    async with receiving(mailbox(server_at(scripted), "nothing"), kept):
        await kept.until(lambda: settled(kept, 0))
    assert changes(scripted) == []


@pytest.mark.parametrize("text", ["", "move:", "move: ", "flag:", "flag:\\Deleted", "flag:a b", "delete", "Seen"])
def test_what_cannot_be_done_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="nothing that can be done"):
        Afterwards.from_text(text)
