"""How mail is received: what the cursor says, what is fetched, and what happens to a mail the server keeps back."""

from __future__ import annotations

import logging
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from typing import Literal

import msgspec

from channels.base import Accept, Arrival
from channels.errors import TemporaryFailure
from channels.mail.afterwards import Afterwards
from channels.mail.imap import LARGEST_MAIL, Folder, Imap, Told
from channels.mail.positions import Position, Positions, canonical, key_of, told_apart
from inbox.parts import ChannelId

logger = logging.getLogger(__name__)

# Measured: 50 a range is four times as fast as one by one, and more gains nothing.
BATCH = 50
BATCH_OCTETS = 16 * 2**20
PORTION = 300
"""Mails received at one look: other folders of the connection have their turn in between."""
FATAL = 3
"""Connections a mail may end before it is left for later, and the others are fetched."""
CLOCKS_DIFFER = timedelta(days=2)
MOST_PENDING = 1000
OFTEN_ASKED = "It was asked for several times."


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a mailbox waits for what."""

    idle_renewal: timedelta = timedelta(minutes=9)
    """29 minutes at most (RFC 2177); each renewal proves the connection alive and looks again."""
    poll: timedelta = timedelta(seconds=30)
    """Between two looks, where the server does not tell by itself."""
    first_wait: timedelta = timedelta(seconds=1)
    longest_wait: timedelta = timedelta(minutes=5)
    """Between two connections: doubled from the first to the longest, with jitter."""
    login_wait: timedelta = timedelta(minutes=5)
    """After a login was refused that had worked before: servers say so during maintenance, and lock out who insists."""
    undelivered: tuple[timedelta, ...] = (
        timedelta(seconds=5),
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
    )
    """When a mail is asked for again that the server announced and did not deliver."""
    afterwards: timedelta = timedelta(minutes=1)
    """Until it is tried again to flag or move what was received, after the server refused."""

    copied_again: tuple[timedelta, ...] = (timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=10))
    """Until a copy of what was sent is put into its folder again, after the server refused or broke off."""

    def wait_after(self, wait: timedelta) -> timedelta:
        """How long to wait after a failure that followed a wait of so long."""
        return min(max(wait * 2, self.first_wait), self.longest_wait)

    def with_jitter(self, wait: timedelta) -> float:
        """So many seconds, or somewhat less: after an outage a hundred mailboxes do not knock at once."""
        return wait.total_seconds() * random.uniform(0.5, 1)


class Intake:
    """One folder's way into the store, across all the connections of a run."""

    def __init__(
        self,
        channel: ChannelId,
        folder: str,
        positions: Positions,
        accept: Accept,
        pace: Pace,
        *,
        start_at: Literal["now", "beginning"],
        afterwards: Afterwards | None = None,
    ) -> None:
        self._channel = channel
        self._name = folder
        self._positions = positions
        self._position = positions.find(folder)
        self._accept = accept
        self._pace = pace
        self._start_at = start_at
        self._one_by_one_to = 0
        self._fatal: Counter[int] = Counter()
        self._due: dict[int, float] = {}
        self._afterwards = afterwards
        self._afterwards_due = 0.0
        self.seen: Told | None = None
        """How the folder was at the last look: what it is told to be like since is news where it differs."""

    @property
    def folder(self) -> str:
        """Its name, as it is compared."""
        return canonical(self._name)

    @property
    def _scope(self) -> str:
        return self._positions.scope(self._name)

    async def receive(
        self,
        imap: Imap,
        announced: Callable[[], None],
        received: Callable[[], None],
        owed: Callable[[bool], None],
    ) -> None:
        """Receive over this connection until it ends, by an exception.

        Args:
            received: called each time something, or the fact that there is nothing, is safely known.
            owed: told whether the server has mails that are not received yet.
        """
        while True:
            # Opened anew after every quiet wait: a folder that was renamed or replaced under us stays open as it
            # was, says nothing, and receives nothing any more.
            imap.tell_arrivals(None)
            folder = await imap.open_folder(self._name, to_change=self._afterwards is not None)
            position = await self._begin(folder)
            imap.tell_arrivals(announced)
            while True:
                # Cleared before the search: what is announced from here on, the next search finds.
                imap.forget_news()
                position, more = await self._look(imap, folder, position, received, owed)
                if not more and not await imap.wait(self.until_next_try(), self._pace.poll):
                    break

    async def look(self, imap: Imap, received: Callable[[], None], owed: Callable[[bool], None]) -> bool:
        """Open the folder and receive what is there, up to a portion of it; whether there is more."""
        folder = await imap.open_folder(self._name, to_change=self._afterwards is not None)
        position = await self._begin(folder)
        position, more = await self._look(imap, folder, position, received, owed)
        self.seen = Told(folder.uidvalidity, max(folder.uidnext, position.uid + 1))
        return more

    async def _look(
        self,
        imap: Imap,
        folder: Folder,
        position: Position,
        received: Callable[[], None],
        owed: Callable[[bool], None],
    ) -> tuple[Position, bool]:
        if position.since is not None:
            # What came since the folder was found replaced is received whatever its date: it may be moved mail.
            began = position.began or folder.uidnext
            position, more = await self._catch_up(imap, position, received, owed, below=began)
            if more:
                return position, True
            uid = max(position.uid, began - 1)
            position = await self._commit([], msgspec.structs.replace(position, uid=uid, since=None))
        position, more = await self._catch_up(imap, position, received, owed)
        if more:
            return position, True
        received()
        position = await self._ask_again(imap, position)
        position = await self._change(imap, position)
        owed(bool(position.missing))
        return position, False

    async def _begin(self, folder: Folder) -> Position:
        """Where to go on in the folder as it is now.

        UIDs count only under their UIDVALIDITY (RFC 3501 §2.3.1.1). When that
        changed, every mail may be new to us and none is known by its UID; what
        we had is recognised later by its Message-ID. All of it is fetched
        again if the mailbox was received from its beginning; else only what
        the server received since two days before our last commit, so that
        years that precede us are not taken for news. A server moved without
        its dates (INTERNALDATE) still brings all: more, never less.
        """
        if self._position is None:
            self._position = self._positions.recognise(self._name, folder.uidvalidity)
        if self._position is None:
            uid = folder.uidnext - 1 if self._start_at == "now" else 0
            first = Position(uidvalidity=folder.uidvalidity, uid=uid, at=datetime.now(UTC), began=uid + 1)
            return await self._commit([], first)
        known = self._position
        if known.uidvalidity == folder.uidvalidity:
            # A version that did not say where it began: what nobody knows to be ours is not claimed.
            began = known.uid + 1 if known.since is None else folder.uidnext
            return known if known.began is not None else _begun(known, began)
        since = None if self._start_at == "beginning" else known.since or (known.at - CLOCKS_DIFFER).date()
        logger.warning("%s: the folder was replaced; fetching again what came since %s", self._channel, since or "ever")
        self._one_by_one_to = 0
        self._fatal.clear()
        self._due.clear()
        again = Position(uidvalidity=folder.uidvalidity, uid=0, at=known.at, since=since)
        return await self._commit([], _begun(again, 1 if since is None else folder.uidnext))

    async def _catch_up(
        self,
        imap: Imap,
        position: Position,
        received: Callable[[], None],
        owed: Callable[[bool], None],
        below: int | None = None,
    ) -> tuple[Position, bool]:
        """Receive the next portion; whether there is more."""
        uids = await imap.search_from(position.uid + 1, position.since)
        uids = [uid for uid in uids if below is None or uid < below]
        portion = uids[:PORTION]
        if portion:
            owed(True)
            sizes = await imap.sizes(portion)
            for batch in batches(portion, sizes, self._one_by_one_to):
                position = await self._take(imap, position, batch, sizes)
                received()
                position = await self._change(imap, position)
        return position, len(uids) > PORTION

    async def _take(self, imap: Imap, position: Position, batch: list[int], sizes: dict[int, int]) -> Position:
        oversized = {uid for uid in batch if sizes.get(uid, 0) > LARGEST_MAIL}
        later = {uid for uid in batch if self._fatal[uid] >= FATAL}
        wanted = [uid for uid in batch if uid not in oversized | later]
        try:
            mails = await imap.fetch(wanted) if wanted else {}
        except TemporaryFailure:
            # One of them may be what ends the connection: on the next they come one by one.
            self._one_by_one_to = batch[-1]
            if len(wanted) == 1:
                self._fatal[wanted[0]] += 1
            raise
        lost = [uid for uid in wanted if uid not in mails]
        # What was deleted between search and fetch was never received.
        later |= await imap.still_there(lost) & set(lost) if lost else set()
        validity, scope = position.uidvalidity, self._scope
        arrivals = []
        for uid in batch:
            if uid in mails:
                arrivals.append(arrival(self._channel, validity, uid, mails[uid], scope))
            elif uid in oversized:
                arrivals.append(report(self._channel, validity, uid, too_large(sizes[uid]), scope))
        for uid in later:
            logger.warning("%s: the server announced UID %d and did not deliver it", self._channel, uid)
            self._due[uid] = monotonic() + self._pause_after(1)
            del self._fatal[uid]
        missing = position.missing | dict.fromkeys(sorted(later), 1)
        position = msgspec.structs.replace(position, uid=batch[-1], missing=missing)
        return await self._commit(arrivals, self._to_change(position, mails))

    async def _ask_again(self, imap: Imap, position: Position) -> Position:
        """Ask for what the server kept back, when it is due; after the last try, report it instead.

        Every try is committed before it is made, so that a mail that ends the
        connection, or this process, is not tried for ever.
        """
        for uid, tries in sorted(position.missing.items()):
            if self._due.get(uid, 0) > monotonic():
                continue
            arrivals = []
            if tries <= len(self._pace.undelivered):
                missing = position.missing | {uid: tries + 1}
                position = await self._commit([], msgspec.structs.replace(position, missing=missing))
                self._due[uid] = monotonic() + self._pause_after(tries + 1)
                mails = await imap.fetch([uid])
                validity = position.uidvalidity
                arrivals = [arrival(self._channel, validity, uid, raw, self._scope) for raw in mails.values()]
                position = self._to_change(position, mails)
            if not arrivals and await imap.still_there([uid]):
                if tries < len(self._pace.undelivered):
                    continue
                logger.error("%s: UID %d was never delivered; a report takes its place", self._channel, uid)
                arrivals = [report(self._channel, position.uidvalidity, uid, OFTEN_ASKED, self._scope)]
            missing = {other: count for other, count in position.missing.items() if other != uid}
            position = await self._commit(arrivals, msgspec.structs.replace(position, missing=missing))
        return position

    def _to_change(self, position: Position, received: Iterable[int]) -> Position:
        """The position once these mails are kept. A report stands for none: it says that its mail is where it was."""
        if self._afterwards is None:
            return position
        pending = sorted({*position.pending, *received})
        return msgspec.structs.replace(position, pending=tuple(pending[-MOST_PENDING:]))

    async def _change(self, imap: Imap, position: Position) -> Position:
        """Flag or move what is received, as the config asks. It holds up nothing that arrives.

        What is to be done is committed together with the mails, and that it
        is done after it was: killed in between, it is done again.
        """
        if not position.pending or (self._afterwards is not None and self._afterwards_due > monotonic()):
            return position
        if self._afterwards is not None:
            # Set before it is tried: were this what ends the connection, the next would begin with receiving.
            self._afterwards_due = monotonic() + self._pace.afterwards.total_seconds()
            if refused := await self._afterwards.do(imap, position.pending):
                logger.warning("%s: what was received stays as it was on the server: %s", self._channel, refused)
                return position
            self._afterwards_due = 0.0
        return await self._commit([], msgspec.structs.replace(position, pending=()))

    def _pause_after(self, tries: int) -> float:
        waits = self._pace.undelivered
        return waits[tries - 1].total_seconds() if tries <= len(waits) else 0

    def until_next_try(self) -> timedelta:
        """How long nothing need be looked at, unless something is announced."""
        position = self._position
        if position is None:
            return timedelta(0)
        waits = [timedelta(seconds=self._due.get(uid, 0) - monotonic()) for uid in position.missing]
        if position.pending:
            waits.append(timedelta(seconds=self._afterwards_due - monotonic()))
        return max(timedelta(0), min([self._pace.idle_renewal, *waits]))

    async def _commit(self, arrivals: Sequence[Arrival], position: Position) -> Position:
        position = msgspec.structs.replace(position, at=datetime.now(UTC))
        try:
            await self._positions.keep(self._accept, self._name, arrivals, position)
        except Exception as error:  # whatever it was: not kept, so it is fetched and offered again
            raise TemporaryFailure(self._channel, f"what arrived could not be kept: {type(error).__name__}") from error
        self._position = position
        return position


def _begun(position: Position, began: int) -> Position:
    return msgspec.structs.replace(position, began=began, began_on=position.since)


def batches(uids: Sequence[int], sizes: dict[int, int], one_by_one_to: int = 0) -> Iterator[list[int]]:
    """The mails in portions a memory holds; those up to a UID each in one of its own."""
    batch: list[int] = []
    octets = 0
    for uid in uids:
        size = sizes.get(uid, 2**20)
        size = size if size <= LARGEST_MAIL else 0  # it is not fetched
        alone = uid <= one_by_one_to
        if batch and (alone or len(batch) == BATCH or octets + size > BATCH_OCTETS):
            yield batch
            batch, octets = [], 0
        batch.append(uid)
        octets += size
    if batch:
        yield batch


def arrival(channel: ChannelId, validity: int, uid: int, raw: bytes, scope: str = "") -> Arrival:
    """One mail of a folder; its key is its place in it."""
    return Arrival(source_key=key_of(validity, uid, scope), lane=channel, raw=raw)


def report(channel: ChannelId, validity: int, uid: int, why: str, scope: str = "") -> Arrival:
    """What stands for a mail that cannot be had: it says so, by its header and in words."""
    name = re.sub(r"[^\w.-]", "-", channel, flags=re.ASCII)
    where = f", folder {scope[1:]}" if scope else ""
    raw = (
        f"From: Permanence <undelivered@permanence.invalid>\r\n"
        f"Subject: A mail could not be fetched (UID {uid})\r\n"
        f"Date: {format_datetime(datetime.now(UTC))}\r\n"
        f"Message-ID: <{validity}.{uid}.{told_apart(scope)}{name}@permanence.invalid>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        f"X-Permanence-Undelivered: uidvalidity={validity}; uid={uid}\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "\r\n"
        f"The mail server announced a mail (UID {uid}) and did not deliver it. {why}\r\n"
        f"It is still in the mailbox{where}: please look there.\r\n"
    ).encode()
    return arrival(channel, validity, uid, raw, scope)


def too_large(size: int) -> str:
    """Why a mail is not fetched."""
    return f"It is larger than this desk takes in ({size} octets)."
