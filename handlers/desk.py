"""What every handler works with: the desk, and the unit of work around one receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

import structlog

from channels.base import Channel, Chat, Suggestion
from handlers.crew import STORE_WAIT, Crew
from inbox import receipts
from inbox.conversations import Numbers
from inbox.erasure import without_raw
from inbox.errors import Conflict, InboxError, StoreUnavailable
from inbox.machinery import Claim, DeskKey
from inbox.model import Account, Principal, Receipt, Secretary
from inbox.parts import AccountId, ChannelId, ConversationId
from inbox.store.base import Changes, Store, Watch
from inbox.topics import in_topic
from inbox.triage import Triage

log = structlog.get_logger(__name__)

T = TypeVar("T")

LARGE = 8 * 2**20
"""Octets from which a raw form or a file is taken in hand one at a time."""


class Texts(Protocol):
    """The sentences people read, in their language."""

    def say(self, language: str, key: str, **args: str) -> str:
        """The sentence of the catalogue with its arguments filled in."""
        ...

    def when(self, language: str, time_zone: str, instant: datetime, now: datetime) -> str:
        """An instant as people say it: the hour today, the day before it otherwise."""
        ...

    def day(self, language: str, day: date) -> str:
        """A day in words, the week's and the year's."""
        ...

    def tongue(self, language: str, tongue: str) -> str:
        """What a language is called in another."""
        ...

    def weekday(self, language: str, day: date) -> str:
        """A day of the coming year in words: the week's, and the month's."""
        ...

    def hour(self, language: str, at: time) -> str:
        """A time of the day as people write it."""
        ...

    def day_of_week(self, language: str, number: int) -> str:
        """The short name of a day of the week, Monday being 0."""
        ...

    def size(self, language: str, octets: int) -> str:
        """A file's size as people say it."""
        ...


class Meter(Protocol):
    """Whom the handlers tell what happened, for the figures."""

    def arrivals(self, channel: ChannelId, count: int) -> None: ...

    def delivered(self, channel: ChannelId, outcome: str) -> None: ...

    def card_shown(self, channel: ChannelId, seconds: float) -> None: ...


@dataclass(frozen=True)
class Desk:
    """The running desk: its store, its channels, its accounts, its clock."""

    store: Store
    channels: Mapping[ChannelId, Channel]
    chats: Mapping[ChannelId, Chat]
    """Those of the channels that secretaries can be reached through as well."""
    accounts: Mapping[AccountId, Account]
    own_account: Mapping[ChannelId, AccountId]
    """The account of a channel that serves only one."""
    desk_bots: frozenset[ChannelId]
    """The bots through which secretaries join."""
    key: DeskKey
    texts: Texts
    clock: Callable[[], datetime]
    meter: Meter
    language: str
    time_zone: str
    undo: timedelta
    """How long a sent reply can be taken back."""
    worker: str
    """This worker's name in leases."""
    country: str = "FR"
    """Whose telephone numbers are written without a country code."""
    trial: timedelta = timedelta(0)
    """For how long after a secretary joined a supervisor approves what she writes."""
    crew: Crew | None = None
    """The workers on this store, where there may be others."""
    numbers: Numbers = field(init=False)
    triage: Triage = field(init=False)
    turns: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    """Held by a unit of work that met a Conflict while it is decided anew."""
    large: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    """Held while a raw form of more than `LARGE` octets is in memory: of mails of 128 MiB, one at a time."""

    def local(self, instant: datetime) -> datetime:
        """An instant by the desk's own clock: what people of the desk mean by "tomorrow"."""
        return instant.astimezone(ZoneInfo(self.time_zone))

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", Numbers(self.store))
        object.__setattr__(
            self, "triage", Triage(self.store, self.key, self.numbers, self.accounts, country=self.country)
        )


class Unit:
    """One receipt being handled: its effect and its end are one commit.

    When the commit meets a Conflict, the whole receipt is handled again with
    a new Unit: read again, decide again.
    """

    def __init__(self, desk: Desk, receipt: Receipt, claim: Claim | None = None) -> None:
        """Begin.

        Args:
            claim: under which it is handled; once that is lost, nothing is committed.
        """
        self.desk = desk
        self.receipt = receipt
        self.claim = claim
        self.now = desk.clock()
        self.where: tuple[Secretary | Principal, int, int | None] | None = None
        """Who wrote or pressed in a topic or a group, the chat and its topic: the answer is put there."""
        self.refusal: InboxError | None = None
        """Why whoever wrote or pressed may not, whatever it is."""
        self.toast = ""
        self.toast_is_alert = False
        self.suggestions: list[Suggestion] = []
        self.committed = False
        self.conflict: Conflict | None = None
        """What a handler met that means: read again, decide again."""

    async def commit(
        self,
        changes: Changes,
        *,
        account_id: AccountId | None = None,
        conversation_id: ConversationId | None = None,
        erased: bool = False,
    ) -> None:
        """Commit what the receipt causes, and the receipt as handled.

        Args:
            erased: its raw form goes in the same commit.
        """
        done = receipts.handled(self.receipt, self.now, account_id, conversation_id)
        await self._commit(
            changes + (without_raw(done, self.now, at_once=True) if erased else Changes(replacements=[done]))
        )

    async def ignore(
        self,
        reason: str,
        account_id: AccountId | None = None,
        conversation_id: ConversationId | None = None,
        *,
        erased: bool = False,
    ) -> None:
        """Commit that the receipt changes nothing, and why.

        Args:
            erased: its raw form goes in the same commit.
        """
        done = receipts.ignored(self.receipt, reason, self.now, account_id, conversation_id)
        await self._commit(without_raw(done, self.now, at_once=True) if erased else Changes(replacements=[done]))

    async def _commit(self, changes: Changes) -> None:
        if self.committed:
            raise RuntimeError("a receipt has one commit")
        if self.where is not None:
            person, chat_id, thread_id = self.where
            changes = in_topic(changes, person, self.receipt.channel_id, chat_id, thread_id)
        await self.desk.store.commit(changes + Changes(expectations=[self.claim] if self.claim else []))
        self.committed = True

    def say(self, sentence: str, *, alert: bool = False) -> None:
        """What whoever pressed a button is told, once the commit stands."""
        self.toast = sentence
        self.toast_is_alert = alert


async def patiently(step: Callable[[], Awaitable[T]]) -> T:
    """Do a step, over and over until the store can be reached."""
    while True:
        try:
            return await step()
        except StoreUnavailable as failure:
            log.warning("store_unavailable", detail=str(failure))
            await asyncio.sleep(STORE_WAIT)


async def news(watch: Watch, said: asyncio.Event, timeout: float | None) -> None:
    """Return at the next commit that is watched, when `said` is set, or after `timeout` seconds."""
    waiting = [asyncio.create_task(watch.wait(timeout)), asyncio.create_task(said.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
