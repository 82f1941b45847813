"""A mailbox received through everything servers and networks do."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from channels.base import Arrival, Channel
from channels.errors import LoginRejected, PermanentFailure, TemporaryFailure
from channels.mail.afterwards import Afterwards
from channels.mail.imap import Imap, ImapServer, Limits
from channels.mail.intake import Pace
from channels.mail.mailbox import Mailbox
from channels.mail.positions import Position
from channels.mail.smtp import SmtpServer
from channels.mail.trust import Judge
from inbox.envelope import Envelope as Reading
from inbox.errors import StoreUnavailable
from inbox.notices import Letter, Post
from inbox.parts import BlobId, ChannelId
from tests.servers.certificates import make_certificates
from tests.servers.dovecot import Dovecot
from tests.servers.line import Line
from tests.servers.scripted_imap import ScriptedImap

DESK = ChannelId("cabinet")
SHORT = Limits(connect=timedelta(seconds=3), answer=timedelta(seconds=5))
NOWHERE = SmtpServer("127.0.0.1", 1, "none", None, None, None)
QUICK = Pace(
    poll=timedelta(seconds=0.1),
    first_wait=timedelta(seconds=0.02),
    longest_wait=timedelta(seconds=0.2),
    login_wait=timedelta(seconds=0.1),
    undelivered=(timedelta(seconds=0.05), timedelta(seconds=0.05)),
)


class Kept:
    """Stands for the store: keeps what it accepts, as often as it is told to."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.position: str | None = None
        self.refusals: list[Exception] = []
        self._changed = asyncio.Event()

    async def __call__(self, arrivals: Sequence[Arrival], position: str) -> None:
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        self.arrivals += arrivals
        self.position = position
        self._changed.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not reached():
                self._changed.clear()
                await self._changed.wait()

    async def holds(self, count: int) -> None:
        await self.until(lambda: len(self.arrivals) >= count)

    @property
    def keys(self) -> list[str]:
        return [arrival.source_key for arrival in self.arrivals]

    @property
    def subjects(self) -> list[str]:
        return [subject_of(arrival.raw) for arrival in self.arrivals]


class Watcher:
    """Stands for logs, health and metrics."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, float | None]] = []
        self.owes = False
        self._changed = asyncio.Event()

    def up(self, channel: ChannelId) -> None:
        self._note("up")

    def down(self, channel: ChannelId, reason: str, retry_in: float | None) -> None:
        self._note("down", reason, retry_in)

    def announced(self, channel: ChannelId) -> None:
        self._note("announced")

    def owed(self, channel: ChannelId, something: bool) -> None:
        self.owes = something

    def _note(self, kind: str, reason: str = "", retry_in: float | None = None) -> None:
        self.events.append((kind, reason, retry_in))
        self._changed.set()

    def count(self, kind: str) -> int:
        return sum(event[0] == kind for event in self.events)

    async def sees(self, kind: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.count(kind) < times:
                self._changed.clear()
                await self._changed.wait()


def subject_of(raw: bytes) -> str:
    return next(line[9:].decode() for line in raw.splitlines() if line.startswith(b"Subject: "))


def mail(subject: str) -> bytes:
    return f"From: alice@client.test\r\nSubject: {subject}\r\n\r\nUn mot.\r\n".encode()


def server_of(dovecot: Dovecot, port: int | None = None) -> ImapServer:
    return ImapServer("127.0.0.1", port or dovecot.imap_port, "none", None, "desk", dovecot.password)


def mailbox(
    server: ImapServer,
    watcher: Watcher | None = None,
    *,
    start_at: Literal["now", "beginning"] = "beginning",
    pace: Pace = QUICK,
    limits: Limits = SHORT,
) -> Mailbox:
    return Mailbox(DESK, server, NOWHERE, watcher or Watcher(), start_at=start_at, pace=pace, limits=limits)


@asynccontextmanager
async def receiving(box: Mailbox, kept: Kept) -> AsyncIterator[None]:
    """The mailbox runs inside, and leaves nothing behind."""
    before = asyncio.all_tasks()
    task = asyncio.create_task(box.run(kept.position, kept))
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await box.close()
    assert not [task for task in asyncio.all_tasks() - before if "tests" not in repr(task)]


@pytest.fixture(autouse=True)
def nothing_unforeseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert "nobody foresaw" not in caplog.text


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as server:
        yield server


def server_at(scripted: ScriptedImap) -> ImapServer:
    return ImapServer("127.0.0.1", scripted.port, "none", None, "desk", "secret-word")


# ---------------------------------------------------------------- what is received


async def test_a_mailbox_is_received_whole_and_in_order(dovecot: Dovecot) -> None:
    subjects = [f"mail {number}" for number in range(120)]
    dovecot.deliver("desk", *map(mail, subjects))
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_of(dovecot), watcher), kept):
        await kept.holds(120)
        assert kept.subjects == subjects
        assert [raw.raw.replace(b"\r\n", b"\n") for raw in kept.arrivals] == dovecot.mails("desk")
        assert {arrival.lane for arrival in kept.arrivals} == {DESK}
        validity = Position.from_text(kept.position or "").uidvalidity
        assert kept.keys == [f"{validity}:{uid}" for uid in range(1, 121)]
        assert watcher.events == [("up", "", None)]


async def test_the_first_start_takes_what_arrives_from_now_on(dovecot: Dovecot) -> None:
    dovecot.deliver("desk", mail("before"))
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_of(dovecot), watcher, start_at="now"), kept):
        await kept.until(lambda: kept.position is not None)
        assert kept.arrivals == []
        assert Position.from_text(kept.position or "").uid == 1
        await watcher.sees("up")
        await asyncio.to_thread(dovecot.deliver, "desk", mail("after"))
        await kept.holds(1)
        assert kept.subjects == ["after"]
        assert watcher.count("announced") == 1


async def test_what_arrived_before_the_first_position_was_kept_is_not_lost(dovecot: Dovecot) -> None:
    dovecot.deliver("desk", mail("before"))
    kept = Kept()
    async with receiving(mailbox(server_of(dovecot), start_at="now"), kept):
        await kept.until(lambda: kept.position is not None)
    dovecot.deliver("desk", mail("while we were away"))
    async with receiving(mailbox(server_of(dovecot), start_at="now"), kept):
        await kept.holds(1)
    assert kept.subjects == ["while we were away"]


async def test_a_restart_goes_on_where_it_was(dovecot: Dovecot) -> None:
    kept = Kept()
    for number in range(3):
        dovecot.deliver("desk", mail(f"mail {number}"))
        async with receiving(mailbox(server_of(dovecot)), kept):
            await kept.holds(number + 1)
    assert kept.subjects == ["mail 0", "mail 1", "mail 2"]


async def test_a_server_that_announces_nothing_is_looked_at_regularly(dovecot: Dovecot) -> None:
    dovecot.stop()
    dovecot.capability = "IMAP4rev1 UIDPLUS"
    dovecot.start()
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_of(dovecot), watcher), kept):
        await watcher.sees("up")
        await asyncio.to_thread(dovecot.deliver, "desk", mail("polled"))
        await kept.holds(1)
    assert kept.subjects == ["polled"]


async def test_mail_is_fetched_in_bounded_portions(scripted: ScriptedImap) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in range(1, 121)}
    large = {100, 101, 102}

    def script(tag: str, args: str) -> bytes | None:
        if "BODY" in args:
            return None
        sizes = [
            f"* 1 FETCH (UID {uid} RFC822.SIZE {10_000_000 if uid in large else 50})\r\n" for uid in scripted.mails
        ]
        return "".join(sizes).encode() + f"{tag} OK\r\n".encode()

    scripted.scripts["UID FETCH"] = script
    kept = Kept()
    async with receiving(mailbox(server_at(scripted)), kept):
        await kept.holds(120)
    assert kept.subjects == [f"mail {uid}" for uid in range(1, 121)]
    portions = [line.split()[3] for line in scripted.heard if "BODY.PEEK" in line]
    assert portions == ["1:50", "51:100", "101", "102:120"]


# ---------------------------------------------------------------- what servers and networks do


async def test_a_server_killed_again_and_again_loses_and_doubles_nothing(dovecot: Dovecot) -> None:
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_of(dovecot), watcher), kept):
        for outage in range(5):
            mails = [mail(f"mail {outage * 30 + number}") for number in range(30)]
            await asyncio.to_thread(dovecot.deliver, "desk", *mails)
            await kept.holds(outage * 30 + outage * 7)  # in the middle of it
            dovecot.kill9()
            await watcher.sees("down", outage + 1)
            await asyncio.to_thread(dovecot.start)
        await kept.holds(150)
    # Killed in mid-delivery, Dovecot may number neighbours the other way round.
    assert sorted(kept.subjects) == sorted(f"mail {number}" for number in range(150))
    assert [int(key.partition(":")[2]) for key in kept.keys] == list(range(1, 151))


async def test_a_server_that_says_goodbye_while_we_wait_is_come_back_to(dovecot: Dovecot) -> None:
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_of(dovecot), watcher), kept):
        await watcher.sees("up")
        await asyncio.sleep(0.1)
        await asyncio.to_thread(dovecot.stop)
        await watcher.sees("down")
        assert "goodbye" in watcher.events[1][1]
        await asyncio.to_thread(dovecot.start)
        await asyncio.to_thread(dovecot.deliver, "desk", mail("after"))
        await kept.holds(1)
    assert kept.subjects == ["after"]


async def test_a_line_that_went_dead_without_a_word_is_noticed(dovecot: Dovecot) -> None:
    kept, watcher = Kept(), Watcher()
    pace = replace(QUICK, idle_renewal=timedelta(seconds=0.3))
    limits = Limits(connect=timedelta(seconds=5), answer=timedelta(seconds=0.5))
    async with Line(dovecot.imap_port) as line:
        box = mailbox(server_of(dovecot, line.port), watcher, pace=pace, limits=limits)
        async with receiving(box, kept):
            await watcher.sees("up")
            line.go_silent()
            await asyncio.to_thread(dovecot.deliver, "desk", mail("unheard"))
            await kept.holds(1)
            assert watcher.count("announced") == 0
            assert "no answer" in watcher.events[1][1]
    assert kept.subjects == ["unheard"]


async def test_waits_grow_to_the_longest_with_jitter_and_begin_anew_after_success(scripted: ScriptedImap) -> None:
    watcher, kept = Watcher(), Kept()
    scripted.greeting = b"* BYE not today\r\n"
    async with receiving(mailbox(server_at(scripted), watcher), kept):
        await watcher.sees("down", 7)
        scripted.greeting = b"* OK ready\r\n"
        await watcher.sees("up")
        await scripted.someone_idles()
        await asyncio.sleep(0.25)
        failures = watcher.count("down")
        scripted.say(b"* BYE for now\r\n")
        await watcher.sees("down", failures + 1)
    waits = [retry_in for kind, _, retry_in in watcher.events if kind == "down" and retry_in is not None]
    for wait, longest in zip(waits, [0.02, 0.04, 0.08, 0.16, 0.2, 0.2, 0.2], strict=False):
        assert longest / 2 <= wait <= longest
    assert waits[-1] <= 0.02


async def test_a_login_refused_at_first_stops_the_mailbox(dovecot: Dovecot) -> None:
    watcher = Watcher()
    box = mailbox(replace(server_of(dovecot), password="wrong"), watcher)
    with pytest.raises(LoginRejected):
        await box.run(None, Kept())
    assert [(kind, retry_in) for kind, _, retry_in in watcher.events] == [("down", None)]


async def test_a_login_refused_after_it_worked_is_tried_again(dovecot: Dovecot) -> None:
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_of(dovecot), watcher), kept):
        await watcher.sees("up")
        await asyncio.to_thread(dovecot.stop)
        right, dovecot.password = dovecot.password, "under maintenance"
        await asyncio.to_thread(dovecot.start)
        async with asyncio.timeout(20):
            while not any("login refused" in reason for _, reason, _ in watcher.events):
                await watcher.sees("down", watcher.count("down") + 1)
        await asyncio.to_thread(dovecot.stop)
        dovecot.password = right
        await asyncio.to_thread(dovecot.start)
        await asyncio.to_thread(dovecot.deliver, "desk", mail("after maintenance"))
        await kept.holds(1)


async def test_what_could_not_be_kept_is_offered_again(dovecot: Dovecot) -> None:
    dovecot.deliver("desk", *[mail(f"mail {number}") for number in range(60)])
    kept, watcher = Kept(), Watcher()
    kept.refusals = [StoreUnavailable(), StoreUnavailable(), ValueError("what nobody foresaw")]
    async with receiving(mailbox(server_of(dovecot), watcher), kept):
        await kept.holds(60)
    assert kept.subjects == [f"mail {number}" for number in range(60)]
    assert [reason for kind, reason, _ in watcher.events if kind == "down"] == [
        f"what arrived could not be kept: {kind}" for kind in ("StoreUnavailable", "StoreUnavailable", "ValueError")
    ]


async def test_what_nobody_foresaw_does_not_end_the_mailbox(
    scripted: ScriptedImap, caplog: pytest.LogCaptureFixture
) -> None:
    class Stumbling(Watcher):
        def up(self, channel: ChannelId) -> None:
            super().up(channel)
            if self.count("up") == 1:
                raise KeyError(channel)

    scripted.mails = {1: mail("one"), 2: mail("two")}
    kept, watcher = Kept(), Stumbling()
    async with receiving(mailbox(server_at(scripted), watcher), kept):
        await watcher.sees("up", 2)
    assert kept.subjects == ["one", "two"]
    assert [reason for kind, reason, _ in watcher.events if kind == "down"] == ["unforeseen"]
    assert "nobody foresaw" in caplog.text
    caplog.clear()


async def test_cancelled_in_the_middle_of_a_mail_it_leaves_nothing_behind(scripted: ScriptedImap) -> None:
    asked = asyncio.Event()

    def script(_: str, args: str) -> bytes | None:
        if "BODY" not in args:
            return None
        asked.set()
        return b"* 1 FETCH (UID 1 BODY[] {100}\r\nabc"

    scripted.mails = {1: mail("never whole")}
    scripted.scripts["UID FETCH"] = script
    kept = Kept()
    async with receiving(mailbox(server_at(scripted)), kept):
        await asyncio.wait_for(asked.wait(), 10)
    assert kept.arrivals == []


# ---------------------------------------------------------------- a folder that was replaced


async def test_a_replaced_folder_is_received_again_from_its_beginning(dovecot: Dovecot) -> None:
    dovecot.deliver("desk", mail("one"), mail("two"))
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_of(dovecot), watcher), kept):
        await kept.holds(2)
        await asyncio.to_thread(dovecot.stop)
        dovecot.change_uidvalidity("desk")
        await asyncio.to_thread(dovecot.start)
        await kept.holds(4)
        await asyncio.to_thread(dovecot.deliver, "desk", mail("three"))
        await kept.holds(5)
    assert kept.subjects == ["one", "two", "one", "two", "three"]
    first, again = kept.keys[:2], kept.keys[2:4]
    assert [key.partition(":")[2] for key in again] == [key.partition(":")[2] for key in first]
    assert not set(first) & set(again)


async def test_a_replaced_folder_brings_no_history_that_precedes_us(dovecot: Dovecot) -> None:
    dovecot.deliver("desk", mail("years ago"), mail("yesterday"))
    for path in dovecot.folder_path("desk").glob("*/*"):
        if path.parent.name in ("new", "cur"):
            age = 1000 if b"years ago" in path.read_bytes() else 1
            os.utime(path, (time.time() - age * 86_400,) * 2)
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_of(dovecot), watcher, start_at="now"), kept):
        await watcher.sees("up")
        await asyncio.to_thread(dovecot.stop)
        dovecot.change_uidvalidity("desk")
        await asyncio.to_thread(dovecot.start)
        await kept.holds(1)
        # The search by date ends with it: a mail that another program moves here comes with its old date.
        with dovecot.client("desk") as client:
            client.append("INBOX", "", '"09-Mar-2021 09:00:00 +0000"', mail("moved here"))
        await kept.holds(2)
        assert Position.from_text(kept.position or "").since is None
    assert kept.subjects == ["yesterday", "moved here"]


async def test_the_second_look_at_a_replaced_folder_survives_interruptions(scripted: ScriptedImap) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in range(1, 101)}
    kept = Kept()
    kept.position = '{"uidvalidity":6,"uid":900,"at":"2026-03-09T08:00:00Z"}'
    hung_up = 0

    def script(_: str, args: str) -> bytes | None:
        nonlocal hung_up
        if "BODY" in args and args.startswith("51") and hung_up < 2:
            hung_up += 1
            return b""
        return None

    scripted.scripts["UID FETCH"] = script
    async with receiving(mailbox(server_at(scripted), start_at="now"), kept):
        await kept.until(lambda: Position.from_text(kept.position or "").uid == 100)
    assert kept.subjects == [f"mail {uid}" for uid in range(1, 101)]
    searches = [line.partition("SEARCH ")[2] for line in scripted.heard if "SEARCH" in line]
    assert searches[0] == "UID 1:* SINCE 7-Mar-2026"
    assert "SINCE 7-Mar-2026" in searches[2]


# ---------------------------------------------------------------- mails a server keeps back


def keeping_back(scripted: ScriptedImap, uid: int, *, times: int | None = None) -> Callable[[str, str], bytes | None]:
    """A script for UID FETCH that leaves one mail out, always or so many times."""
    left = times

    def script(tag: str, args: str) -> bytes | None:
        nonlocal left
        uids, _, items = args.partition(" ")
        if "BODY" not in items or left == 0 or uid not in scripted.chosen(uids):
            return None
        if left is not None:
            left -= 1
        others = [scripted.fetched(other, items) for other in scripted.chosen(uids) if other != uid]
        return b"".join(others) + f"{tag} OK\r\n".encode()

    return script


async def test_a_mail_never_delivered_holds_up_nobody_and_is_reported(
    scripted: ScriptedImap, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in (1, 2, 3)}
    scripted.scripts["UID FETCH"] = keeping_back(scripted, 2)
    kept = Kept()
    async with receiving(mailbox(server_at(scripted)), kept):
        await kept.holds(2)
        assert kept.keys == ["7:1", "7:3"]
        assert Position.from_text(kept.position or "").missing == {2: 1}
        await kept.holds(3)
        assert Position.from_text(kept.position or "").missing == {}
        scripted.arrive(4, mail("mail 4"))
        await kept.holds(4)
    assert kept.keys == ["7:1", "7:3", "7:2", "7:4"]
    header, _, text = kept.arrivals[2].raw.partition(b"\r\n\r\n")
    assert b"X-Permanence-Undelivered: uidvalidity=7; uid=2" in header
    assert b"UID 2" in text
    assert "UID 2 was never delivered" in caplog.text


async def test_a_mail_kept_back_for_a_while_is_received_late(scripted: ScriptedImap) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in (1, 2, 3)}
    scripted.scripts["UID FETCH"] = keeping_back(scripted, 2, times=2)
    kept = Kept()
    async with receiving(mailbox(server_at(scripted)), kept):
        await kept.holds(3)
    assert kept.subjects == ["mail 1", "mail 3", "mail 2"]


async def test_a_mail_kept_back_is_remembered_over_a_restart(scripted: ScriptedImap) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in (1, 2, 3)}
    scripted.scripts["UID FETCH"] = keeping_back(scripted, 2)
    kept = Kept()
    async with receiving(mailbox(server_at(scripted), pace=replace(QUICK, undelivered=(timedelta(hours=1),))), kept):
        await kept.holds(2)
    scripted.scripts.clear()
    async with receiving(mailbox(server_at(scripted)), kept):
        await kept.holds(3)
    assert kept.subjects == ["mail 1", "mail 3", "mail 2"]


async def test_a_mail_kept_back_and_then_deleted_is_forgotten(scripted: ScriptedImap) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in (1, 2, 3)}
    scripted.scripts["UID FETCH"] = keeping_back(scripted, 2)
    kept = Kept()
    async with receiving(mailbox(server_at(scripted), pace=replace(QUICK, undelivered=(timedelta(seconds=1),))), kept):
        await kept.holds(2)
        del scripted.mails[2]
        await kept.until(lambda: not Position.from_text(kept.position or "").missing)
    assert kept.subjects == ["mail 1", "mail 3"]


async def test_a_mail_deleted_between_search_and_fetch_was_never_received(scripted: ScriptedImap) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in (1, 2, 3)}

    def script(_: str, args: str) -> bytes | None:
        if "BODY" in args:
            scripted.mails.pop(2, None)
        return None

    scripted.scripts["UID FETCH"] = script
    kept = Kept()
    async with receiving(mailbox(server_at(scripted)), kept):
        await kept.holds(2)
        assert Position.from_text(kept.position or "").missing == {}
    assert kept.subjects == ["mail 1", "mail 3"]


async def test_a_mail_that_ends_every_connection_holds_up_nobody_and_is_reported(scripted: ScriptedImap) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in range(1, 8)}

    def script(_: str, args: str) -> bytes | None:
        uids, _, items = args.partition(" ")
        return b"" if "BODY" in items and 3 in scripted.chosen(uids) else None

    scripted.scripts["UID FETCH"] = script
    kept = Kept()
    async with receiving(mailbox(server_at(scripted)), kept):
        await kept.holds(7)
    assert kept.keys == [f"7:{uid}" for uid in (1, 2, 4, 5, 6, 7, 3)]
    assert b"X-Permanence-Undelivered" in kept.arrivals[-1].raw


async def test_a_mail_too_large_to_take_in_is_reported_and_left_where_it_is(scripted: ScriptedImap) -> None:
    scripted.mails = {uid: mail(f"mail {uid}") for uid in (1, 2, 3)}

    def script(tag: str, args: str) -> bytes | None:
        items = args.partition(" ")[2]
        if "BODY" in items:
            return None
        said = [scripted.fetched(uid, items) for uid in (1, 3)]
        return b"".join(said) + f"* 2 FETCH (UID 2 RFC822.SIZE 999999999)\r\n{tag} OK\r\n".encode()

    scripted.scripts["UID FETCH"] = script
    kept = Kept()
    async with receiving(mailbox(server_at(scripted)), kept):
        await kept.holds(3)
    assert kept.keys == ["7:1", "7:2", "7:3"]
    assert b"999999999 octets" in kept.arrivals[1].raw
    assert [line.split()[3] for line in scripted.heard if "BODY.PEEK" in line] == ["1,3"]


# ---------------------------------------------------------------- what leaves

LETTER = Letter(
    sender="cabinet@account.test",
    recipients=("alice@client.test",),
    blob_id=BlobId("letter-1"),
    message_id="1@account.test",
)


class Taken:
    """What an SMTP server took."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # its name there
        assert isinstance(envelope.original_content, bytes)
        self.mails.append(envelope.original_content)
        return "250 taken"


@asynccontextmanager
async def smtp_server() -> AsyncIterator[tuple[SmtpServer, Taken]]:
    taken = Taken()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(taken, hostname="mx.test", loop=loop), "127.0.0.1", 0)
    async with server:
        yield SmtpServer("127.0.0.1", server.sockets[0].getsockname()[1], "none", None, None, None), taken


@pytest.mark.parametrize("folder", ["auto", "Sent"])
async def test_a_copy_of_what_was_sent_is_in_the_sent_folder(dovecot: Dovecot, folder: str) -> None:
    async with smtp_server() as (smtp, taken):
        box = Mailbox(DESK, server_of(dovecot), smtp, Watcher(), sent_folder=folder)
        assert (await box.send(LETTER, mail("Re: Bonjour"))).reference.startswith("250")
        await box.close()
    assert taken.mails == [mail("Re: Bonjour")]
    assert [subject_of(copy) for copy in dovecot.mails("desk", "Sent")] == ["Re: Bonjour"]
    with dovecot.client("desk", "Sent") as client:
        assert client.search(None, "SEEN")[1] == [b"1"]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_copy_whose_fate_was_unknown_is_in_the_sent_folder_once(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    append, broken = Imap.append, iter((True, False))

    async def breaks_off(connection: Imap, folder: str, raw: bytes) -> None:
        ends = next(broken)
        if kept or not ends:
            await append(connection, folder, raw)
        if ends:
            raise TemporaryFailure(DESK, "the line broke")

    monkeypatch.setattr(Imap, "append", breaks_off)
    letter = b"Message-ID: <" + LETTER.message_id.encode() + b">\r\n" + mail("Re: Bonjour")
    async with smtp_server() as (smtp, _):
        pace = replace(QUICK, copied_again=(timedelta(seconds=0.01),))
        box = Mailbox(DESK, server_of(dovecot), smtp, Watcher(), sent_folder="Sent", pace=pace)
        await box.send(LETTER, letter)
        await asyncio.gather(*box._copies)
        await box.close()
    assert [subject_of(copy) for copy in dovecot.mails("desk", "Sent")] == ["Re: Bonjour"]


async def test_nothing_is_copied_unless_asked(dovecot: Dovecot) -> None:
    async with smtp_server() as (smtp, taken):
        box = Mailbox(DESK, server_of(dovecot), smtp, Watcher())
        await box.send(LETTER, mail("Re: Bonjour"))
        await box.close()
    assert len(taken.mails) == 1
    assert dovecot.mails("desk", "Sent") == []


async def test_a_copy_that_cannot_be_made_changes_nothing_about_what_was_sent(
    dovecot: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    async with smtp_server() as (smtp, taken):
        for server, folder, said in (
            (replace(server_of(dovecot), password="wrong"), "auto", "login refused"),
            (server_of(dovecot), "Nulle part", "APPEND refused"),
        ):
            box = Mailbox(DESK, server, smtp, Watcher(), sent_folder=folder)
            assert (await box.send(LETTER, mail("Re: Bonjour"))).reference.startswith("250")
            await box.close()
            assert said in caplog.messages[-1]
    assert len(taken.mails) == 2


async def test_a_server_without_a_folder_for_sent_mail_is_no_failure(
    scripted: ScriptedImap, caplog: pytest.LogCaptureFixture
) -> None:
    async with smtp_server() as (smtp, taken):
        box = Mailbox(DESK, server_at(scripted), smtp, Watcher(), sent_folder="auto")
        await box.send(LETTER, mail("Re: Bonjour"))
        await box.close()
    assert len(taken.mails) == 1
    assert scripted.appended == []
    assert "marks no folder" in caplog.text


async def test_a_mailbox_sends_nothing_but_letters() -> None:
    box = Mailbox(DESK, ImapServer("127.0.0.1", 1, "none", None, "desk", "secret-word"), NOWHERE, Watcher())
    with pytest.raises(PermanentFailure):
        await box.send(Post(chat_id=1, text="Bonjour"), None)


def test_what_a_mail_says_and_holds_is_read_from_its_raw_form() -> None:
    box: Channel = Mailbox(DESK, ImapServer("127.0.0.1", 1, "none", None, "desk", ""), NOWHERE, Watcher())
    raw = (
        b"From: Alice <alice@client.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nUn mot.\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b--\r\n"
    )
    read = box.read(raw)
    assert isinstance(read, Reading)
    assert read.sender.value == "alice@client.test"
    assert box.extract(raw, read.attachments[0]) == b"%PDF"


# ---------------------------------------------------------------- permanence check


async def check(
    server: ImapServer,
    sent_folder: str | None = "auto",
    judge: Judge | None = None,
    afterwards: Afterwards | None = None,
) -> list[tuple[str, str, str]]:
    limits = Limits(connect=timedelta(seconds=1))
    box = Mailbox(
        DESK, server, NOWHERE, Watcher(), sent_folder=sent_folder, limits=limits, judge=judge, afterwards=afterwards
    )
    try:
        findings = await box.check()
    finally:
        await box.close()
    return [(found.level, found.says, found.remedy) for found in findings if found.subject == "cabinet imap"]


async def test_check_finds_a_good_mailbox_good(dovecot: Dovecot) -> None:
    dovecot.deliver("desk", mail("one"))
    assert await check(server_of(dovecot)) == [
        ("ok", f"127.0.0.1:{dovecot.imap_port} lets desk in", ""),
        ("ok", "INBOX holds 1 mails", ""),
        ("ok", "Sent mail is kept in Sent", ""),
    ]


async def test_check_names_the_folders_there_are(dovecot: Dovecot) -> None:
    found = await check(replace(server_of(dovecot), folder="Boîte"), sent_folder="Envoyés")
    assert [level for level, _, _ in found] == ["ok", "error", "warning"]
    assert found[1][1:] == ("There is no folder Boîte", "Set folder to one of: INBOX, Sent")
    assert found[2][1] == "There is no folder Envoyés for sent mail"


async def test_check_names_the_server_whose_word_could_be_believed(dovecot: Dovecot) -> None:
    told = b"Authentication-Results: mx.desk.example; spf=none\r\n"
    dovecot.deliver("desk", told + b"Authentication-Results: mx.elsewhere.example; none\r\n" + mail("one"))
    dovecot.deliver("desk", mail("two"))
    dovecot.deliver("desk", told + mail("three"))
    (warning,) = [found for found in await check(server_of(dovecot), judge=Judge()) if found[0] == "warning"]
    assert warning[1].startswith("The card cannot tell forged senders")
    assert warning[2].endswith('set trusted_authserv_id = ["mx.desk.example"]')
    for judge in (None, Judge(["mx.desk.example"])):
        assert not [found for found in await check(server_of(dovecot), judge=judge) if found[0] == "warning"]
    dovecot.deliver("desk", told.replace(b"desk", b"other") + mail("four"))
    assert not [found for found in await check(server_of(dovecot), judge=Judge()) if found[0] == "warning"]


async def test_check_says_what_is_wrong_and_how_to_mend_it(dovecot: Dovecot) -> None:
    plain = server_of(dovecot)
    secure = replace(plain, host="localhost", port=dovecot.imaps_port, tls="tls")
    other = make_certificates(dovecot.root / "other").ca_file
    for server, says, remedy in (
        (replace(plain, password="wrong"), "does not let desk in", "Check user and password"),
        (replace(plain, host="mail.invalid"), "No server has the name mail.invalid", "Check host"),
        (replace(plain, port=1), "no connection to 127.0.0.1:1", "Nothing listens there"),
        (replace(secure, port=dovecot.imap_port), "no TLS", 'port 143 tls = "starttls"'),
        (replace(secure, tls="none"), "did not answer", 'port 993 wants tls = "tls"'),
        (secure, "cannot be trusted", "set ca_file to that CA's certificate"),
        (replace(secure, ca_file=other), "cannot be trusted", f"not signed by the CA in {other}"),
        (replace(secure, ca_file=other.with_name("none.pem")), "none.pem cannot be read", "Check"),
    ):
        [(level, said, mend)] = await check(server)
        assert level == "error"
        assert says in said
        assert remedy in mend


async def test_check_tells_a_certificate_made_for_another_name(dovecot: Dovecot) -> None:
    dovecot.stop()
    dovecot.certificates = make_certificates(dovecot.root / "elsewhere", "mail.example.org")
    dovecot.start()
    server = replace(
        server_of(dovecot), host="localhost", port=dovecot.imaps_port, tls="tls", ca_file=dovecot.certificates.ca_file
    )
    [(level, _, remedy)] = await check(server)
    assert (level, remedy) == (
        "error",
        "The certificate names other servers than localhost: set host to a name it is made for",
    )


async def test_check_warns_of_a_server_that_does_not_announce_mail(scripted: ScriptedImap) -> None:
    scripted.capabilities = "IMAP4rev1"
    found = await check(server_at(scripted))
    assert [(level, says) for level, says, _ in found if level == "warning"] == [
        ("warning", "The server does not announce new mail (no IDLE); it is asked every 30 seconds"),
        ("warning", "The server marks no folder as \\Sent"),
    ]
