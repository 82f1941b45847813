"""Many folders over few connections: those a server tells of by itself, and those it does not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pytest

from channels.mail import imap
from channels.mail.doors import Doors
from channels.mail.imap import Imap, Limits
from channels.mail.mailbox import Mailbox
from tests.channels.mail.test_mailbox import (
    DESK,
    NOWHERE,
    QUICK,
    SHORT,
    Kept,
    Watcher,
    mail,
    mailbox,
    receiving,
    server_of,
)
from tests.servers.dovecot import Dovecot

FOLDERS = tuple(f"Dossier {number}" for number in range(12))


class Counted:
    """How many connections there are, and were at most."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.most = 0
        enter, leave = Imap.__aenter__, Imap.__aexit__

        async def entered(connection: Imap) -> Imap:
            self.now += 1
            self.most = max(self.most, self.now)
            return await enter(connection)

        async def left(connection: Imap, *exc: object) -> None:
            self.now -= 1
            await leave(connection, *exc)  # type: ignore[arg-type]

        monkeypatch.setattr(imap.Imap, "__aenter__", entered)
        monkeypatch.setattr(imap.Imap, "__aexit__", left)


@pytest.fixture
def many(dovecot: Dovecot) -> Dovecot:
    with dovecot.client("desk") as client:
        for name in FOLDERS:
            client.create(f'"{name}"')
    return dovecot


def put(server: Dovecot, folder: str, subject: str) -> None:
    with server.client("desk") as client:
        client.append(f'"{folder}"', "", "", mail(subject))


async def test_a_dozen_folders_are_watched_over_one_connection_and_each_at_once(
    many: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, kept, watcher = Counted(monkeypatch), Kept(), Watcher()
    slow = replace(QUICK, poll=QUICK.poll * 1000)  # nothing is found by looking regularly
    box = mailbox(replace(server_of(many), more_folders=FOLDERS), watcher, pace=slow)
    async with receiving(box, kept):
        await watcher.sees("up")
        for number, folder in enumerate((*FOLDERS[::-1], "INBOX"), 1):
            began = monotonic()
            await asyncio.to_thread(put, many, folder, folder)
            await kept.holds(number)
            assert monotonic() - began < 5
    assert sorted(kept.subjects) == sorted((*FOLDERS, "INBOX"))
    assert counted.most == 1


async def test_where_a_server_tells_of_no_other_folders_each_has_a_connection_up_to_what_a_user_may_have(
    many: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    many.stop()
    many.capability = "IMAP4rev1 IDLE UNSELECT"
    many.start()
    counted, kept, watcher = Counted(monkeypatch), Kept(), Watcher()
    limits = Limits(SHORT.connect, SHORT.answer, SHORT.keepalive, Doors(per_user=6))
    box = mailbox(replace(server_of(many), more_folders=FOLDERS), watcher, limits=limits)
    async with receiving(box, kept):
        await watcher.sees("up")
        for folder in (FOLDERS[0], FOLDERS[-1], "INBOX"):
            await asyncio.to_thread(put, many, folder, folder)
        await kept.holds(3)
    assert sorted(kept.subjects) == sorted((FOLDERS[0], FOLDERS[-1], "INBOX"))
    assert 2 <= counted.most <= 6


async def test_a_server_that_promises_to_tell_and_does_not_is_believed_no_more(
    many: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Imap.watch_folders

    async def lies(connection: Imap, names: tuple[str, ...]) -> bool:
        answer = await told(connection, names)
        connection._protocol.on_status = None  # whatever it says is not heard
        return answer

    monkeypatch.setattr(Imap, "watch_folders", lies)
    kept, watcher = Kept(), Watcher()
    often = replace(QUICK, idle_renewal=timedelta(seconds=0.5))
    box = mailbox(replace(server_of(many), more_folders=FOLDERS[:2]), watcher, pace=often)
    async with receiving(box, kept):
        await watcher.sees("up")
        for number in range(1, 5):
            await asyncio.to_thread(put, many, FOLDERS[number % 2], str(number))
            await kept.holds(number)
    assert kept.subjects == ["1", "2", "3", "4"]


async def test_two_mailboxes_of_one_user_share_what_the_user_may_have(
    many: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    many.stop()
    many.capability = "IMAP4rev1 IDLE"
    many.start()
    counted, first, second = Counted(monkeypatch), Kept(), Kept()
    limits = Limits(SHORT.connect, SHORT.answer, SHORT.keepalive, Doors(per_user=5))
    server = replace(server_of(many), more_folders=FOLDERS[:6])
    boxes = [
        Mailbox(DESK, server, NOWHERE, Watcher(), start_at="beginning", pace=QUICK, limits=limits) for _ in range(2)
    ]
    runs = [asyncio.create_task(box.run(None, kept)) for box, kept in zip(boxes, (first, second), strict=True)]
    try:
        await asyncio.to_thread(put, many, FOLDERS[5], "un")
        await asyncio.gather(first.holds(1), second.holds(1))
    finally:
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
    assert counted.most <= 5
