"""An envelope: what a channel's reader understood of one receipt, in words every channel shares."""

from __future__ import annotations

from datetime import datetime

from inbox.model import AddressKind
from inbox.particulars import PLAIN, Particulars
from inbox.parts import Attachment, Part


class Sender(Part, frozen=True, kw_only=True):
    """Who wrote, as the channel knows it."""

    kind: AddressKind
    value: str
    """A mail address in lower case ("" where none could be read), or a Telegram user id."""
    name: str = ""
    language: str | None = None
    chat_id: int | None = None
    through: int | None = None
    """The Telegram user in whose own account they wrote; None: they wrote to the bot."""


class Envelope(Part, frozen=True, kw_only=True):
    """One inbound message, understood as far as possible. Reading never fails.

    What could not be understood is named in `defects`, and the raw form is
    kept beside it.
    """

    external_id: str
    """As in `inbox.model.Message.external_id`; in Telegram `chat:message`, as only its own channel numbers it."""
    sender: Sender
    subject: str = ""
    text: str = ""
    truncated: bool = False
    attachments: tuple[Attachment, ...] = ()
    written_at: datetime | None = None
    references: tuple[str, ...] = ()
    """Message-IDs it answers, most telling first: In-Reply-To, then References newest first. No brackets."""
    thread: tuple[str, ...] = ()
    """Its References and In-Reply-To in header order (oldest first): what a reply's References must repeat."""
    addressed_to: tuple[str, ...] = ()
    """Addresses it was delivered or written to (Delivered-To, X-Original-To, To, Cc), lower case, no doubles."""
    recipients: tuple[str, ...] = ()
    """To and Cc, lower case."""
    routed: str = ""
    """Whose the mailbox's own server says it is, in a header the config names: an account's key, tag or address."""
    reply_to: str | None = None
    """Where its author wants answers, when that is not the sender's address."""
    album: str | None = None
    """The album it is a part of, as its source names it: Telegram hands one over file by file."""
    edit: bool = False
    """It replaces the text of the message with the same `external_id`."""
    start: str | None = None
    """The payload of the deep link the contact came through ("" for a bare /start); None when it is no start."""
    replies_to: str | None = None
    """Telegram: `external_id` of the message it replies to."""
    quotes: str = ""
    """Telegram: the words it answers, the part that was picked out of them where its author picked one."""
    defects: tuple[str, ...] = ()
    particulars: Particulars = PLAIN


class Ignored(Part, frozen=True, kw_only=True):
    """The channel knows this receipt has nothing for the desk, and why: it is kept and shown as ignored."""

    reason: str
    erased: bool = False
    """Nothing of its raw form stays."""


class Update(Part, frozen=True, kw_only=True):
    """A Telegram update: a secretary's goes to the dispatcher, a client's message by its envelope."""

    update: dict[str, object]
    """Of it, what the desk reads, in the form Telegram gave it."""
    telegram_user_id: int
    chat_id: int
    callback_query_id: str | None = None
    inline_query_id: str | None = None
    envelope: Envelope | None = None
    """Set for a message, or an edit of one, in a private chat."""
    topic: int | None = None
    """The topic of the chat it was said or pressed in."""
    in_group: bool = False
    """It is from a group with topics, not from a private chat."""


class Blocked(Part, frozen=True, kw_only=True):
    """A Telegram user blocked the bot, or let it in again."""

    telegram_user_id: int
    chat_id: int
    blocked: bool


class Connected(Part, frozen=True, kw_only=True):
    """Somebody connected a bot to their own Telegram account, changed what it may there, or took it away."""

    connection: str
    telegram_user_id: int
    chat_id: int
    """Their chat with the bot."""
    name: str
    language: str | None = None
    is_enabled: bool
    may_reply: bool
    made_at: datetime | None = None
    """When they connected it."""


class Correspondence(Part, frozen=True, kw_only=True):
    """A message, or an edit of one, in a chat of somebody's own Telegram account that a bot is connected to."""

    connection: str
    envelope: Envelope
    """From whoever wrote: the other side, or the account's own person."""
    other: Sender
    """The other side of the chat."""
    sent_at: datetime | None = None
    """When it was first sent, whatever was edited since."""
    by_itself: bool = False
    """Nobody wrote it at that moment: an away message, a greeting, or one that was scheduled."""

    @property
    def is_own(self) -> bool:
        """Whether the account's own person wrote it."""
        return self.envelope.sender.value != self.other.value


class Withdrawn(Part, frozen=True, kw_only=True):
    """Messages were taken out of such a chat."""

    connection: str
    chat_id: int
    external_ids: tuple[str, ...]
    """As in `Envelope.external_id`."""


class Unreadable(Part, frozen=True, kw_only=True):
    """The receipt is of a kind we know, but cannot be read: it is parked with `error`."""

    error: str


Reading = Envelope | Update | Blocked | Connected | Correspondence | Withdrawn | Ignored | Unreadable
"""What a channel makes of one receipt."""
