"""What the desk keeps for itself: how its channels do, its workers and what each does for all, keys and counters."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from inbox.parts import AccountId, ChannelId, ContactId, Document


class Pulse(Document, frozen=True, kw_only=True):
    """When a channel was last known to receive, kept by whoever receives it. Its id is the channel's."""

    id: ChannelId
    heard_at: datetime
    """Before it was ever heard: since when it is expected."""
    owed_since_at: datetime | None = None
    """Since when its server has had something for us that it did not hand over."""


class Habit(Document, frozen=True, kw_only=True):
    """What a mailbox receives from hour to hour: what its silence is measured against. Its id is the channel's."""

    id: ChannelId
    received: int
    """The cursor's tally when it was last looked at."""
    heard_at: datetime
    """When something last arrived."""
    hours: dict[str, int] = msgspec.field(default_factory=dict)
    """Arrivals by the hour on the desk's clocks (`2026-03-09T08`), for the last weeks."""


class TroubleKind(StrEnum):
    """What the owners are told about a channel."""

    DOWN = "down"
    BEHIND = "behind"
    SILENT = "silent"


class Trouble(Document, frozen=True, kw_only=True):
    """Something about a channel that the owners were told and that is not over. Its id is `kind:channel`."""

    channel_id: ChannelId
    kind: TroubleKind
    since_at: datetime
    told_at: datetime
    """When they were last told."""


class Recount(Document, frozen=True, kw_only=True):
    """When a channel's receipts were last compared with what its source holds. Its id is the channel's."""

    id: ChannelId
    counted_at: datetime


class Worker(Document, frozen=True, kw_only=True):
    """A worker of the desk that is alive. It replaces its document at every beat: one that stops beating is buried."""

    host: str
    started_at: datetime
    beat_at: datetime
    """By its own clock, for people to read; what counts as silence is measured by who watches."""
    silence: int = 0
    """How often in a row another worker found that there was no beat since its own look before."""


class Lease(Document, frozen=True, kw_only=True):
    """What one worker does for all, for as long as it lives: receive a mailbox, deal the queue. Its id says what.

    A commit made under it expects it at the version it was taken at, so that
    a worker that slept while another took it over cannot commit.
    """

    worker_id: str
    taken_at: datetime


class Claim(Document, frozen=True, kw_only=True):
    """A lane one worker is working through, until it is empty. Its id says which; fenced as a lease is."""

    worker_id: str
    taken_at: datetime


class Counter(Document, frozen=True, kw_only=True):
    """The next number of a series; workers take numbers in blocks, so gaps are normal."""

    next: int


class DeskKey(Document, frozen=True, kw_only=True):
    """A secret made once by this store: it signs our Message-IDs."""

    secret: bytes


class Forgotten(Document, frozen=True, kw_only=True):
    """A contact who was, or is being, erased everywhere. Its id is the contact's, and nothing else of them is here.

    It is committed before anything is erased: whoever comes after a crash
    goes on.
    """

    id: ContactId
    account_id: AccountId
    asked_at: datetime
    erased_at: datetime | None = None
    """When no document and no blob held anything of them any more."""
    scrubbed_at: datetime | None = None
    """When the store's files held nothing of them either."""


class Progress(Document, frozen=True, kw_only=True):
    """How far a loop has come that goes once through everything, a little at a time. Its id says which loop."""

    behind: str
    """The id of the last document it looked at."""


class Backup(Document, frozen=True, kw_only=True):
    """Says in a copy of a store that it is one: a worker that starts on it knows that it is in the past.

    The store it was made from has none.
    """

    taken_at: datetime
    settled_at: datetime | None = None
    """When a worker had put before people whatever may have happened since; from then on it is the desk's store."""
    held: int = 0
    """How many deliveries were put before a person."""


class Transfer(Document, frozen=True, kw_only=True):
    """That a firm moves or moved: `in`, on the store it moves into; `out`, on the one it left."""

    peer: str
    """The other store's address, without its secrets."""
    fingerprint: str
    """Of the store the firm comes from, whatever address it has."""
    began_at: datetime
    finished_at: datetime | None = None
    """None: half of it may be missing here, and no worker runs on it."""
    blobs_compared: str = ""
    """Every blob up to this id was read back and compared with its original."""
