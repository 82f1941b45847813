"""What every channel is: one way in and out for clients.

An adapter moves octets and words; it never decides whose a message is, never
writes to the store, and never retries what may have had an effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from inbox.envelope import Connected, Reading
from inbox.model import Account, Conversation, Message
from inbox.notices import Letter, Post
from inbox.parts import Attachment, Button, ChannelId, Entity, MessageId
from inbox.store.base import Blob


@dataclass(frozen=True, slots=True)
class Arrival:
    """One thing received, raw."""

    source_key: str
    """What the source calls it; the same thing delivered again has the same key."""
    lane: str
    """Arrivals of one lane are handled in order."""
    raw: bytes


Accept = Callable[[Sequence[Arrival], str], Awaitable[None]]
"""Commits arrivals together with the channel's new position; once it returns, they are kept.

It tolerates what it has seen before, and an empty sequence (only the position moves).
"""

Take = Callable[[Sequence[Arrival]], Awaitable[None]]
"""Commits arrivals that an earlier position covers already; once it returns, they are kept."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer about to leave: everything a channel needs to give it its final form."""

    account: Account
    conversation: Conversation
    message_id: MessageId
    external_id: str
    """The Message-ID it must carry, without brackets (mail)."""
    text: str
    answers: Message | None
    """The inbound message it answers."""
    recipients: tuple[str, ...]
    """Mail: whom it goes to."""
    attachments: tuple[Attachment, ...]
    now: datetime
    copies: tuple[str, ...] = ()
    """Mail: who gets a copy."""
    styles: tuple[Entity, ...] = ()
    """How its words are set."""
    sender: str = ""
    """Mail: the address it leaves from, which is one of the account's; "" is its identity's."""
    contents: tuple[bytes, ...] = ()
    """Mail: the octets of the attachments, in their order."""
    in_name_of: str = ""
    """Telegram: who is seen to write, where that is somebody in their own account."""
    automatic: bool = False
    """Written by the desk itself: it must say so, that no machine answers it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A reply as its reader will see it."""

    headers: tuple[tuple[str, str], ...]
    """Label (a key of the catalogue: `preview.from`, `preview.to`, `preview.subject`) and value."""
    text: str
    styles: tuple[Entity, ...] = ()
    """How its words are set."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One thing to hand over: becomes one delivery. `blobs` are committed with it."""

    payload: Letter | Post
    blobs: tuple[Blob, ...] = ()
    attachments: tuple[Attachment, ...] | None = None
    """The reply's files as they are found in what leaves; None: as they are named in the reply."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message for a secretary's or a client's chat, as `handlers.views` made it."""

    chat_id: int
    text: str
    entities: tuple[Entity, ...] = ()
    keyboard: tuple[tuple[Button, ...], ...] = ()
    edits: int | None = None
    """The message id to bring up to date in place, instead of sending a new one."""
    reply_to: int | None = None
    silent: bool = False
    asks: bool = False
    """Whoever sees it is put into replying to it; what is edited stays as it was in this."""
    topic: int | None = None
    """The topic of the chat it belongs in; what is edited stays where it is."""


@dataclass(frozen=True, slots=True)
class ChatFile:
    """A file for a secretary's or a client's chat: by `file_id` where Telegram has it, else its octets."""

    chat_id: int
    attachment: Attachment
    data: bytes | None
    caption: str = ""
    reply_to: int | None = None
    playable: bool = False
    """A sound: made into what plays in the chat, where that can be done; else it is handed over as it is."""
    topic: int | None = None
    connection: str = ""
    """Somebody's own account it leaves from, by what Telegram calls its connection; "" is the bot's."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something somebody looked for by typing in a chat: a press on it sends its text there, in their name."""

    id: str
    title: str
    says: str
    text: str


@dataclass(frozen=True, slots=True)
class SentAs:
    """How the receiving side acknowledged it."""

    reference: str
    """A server's answer, or the Telegram message id."""
    topic: int | None = None
    """The topic it stands in; Telegram may have put it elsewhere than it was to go."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `permanence check`."""

    level: Literal["ok", "warning", "error"]
    subject: str
    says: str
    remedy: str = ""


class Observer(Protocol):
    """Whom a channel tells how it is doing: logs, health and metrics listen here."""

    def up(self, channel: ChannelId) -> None:
        """Connected and receiving."""

    def down(self, channel: ChannelId, reason: str, retry_in: float | None) -> None:
        """Not receiving; tries again in `retry_in` seconds, or never (None)."""

    def announced(self, channel: ChannelId) -> None:
        """The server just told us that something arrived (for latency measures)."""

    def owed(self, channel: ChannelId, something: bool) -> None:
        """Whether the server has something for us that it did not hand over yet. It may be said again."""


class Channel(Protocol):
    """One way in and out for clients: a mailbox, a Telegram bot."""

    id: ChannelId

    async def run(self, position: str | None, accept: Accept) -> None:
        """Receive until cancelled, from `position` (None: the first start ever) on.

        Forget a message (cursor, offset) only after `accept` returns: it is
        then committed. `accept` tolerates the same message twice.
        Reconnects by itself for ever, with growing, jittered waits.

        Raises:
            LoginRejected: credentials refused; receiving has stopped.
        """

    async def readmitted(self) -> None:
        """Return once there is a reason to try a login again that was rejected: a person gave permission anew.

        Never, where only a new config would be one.
        """
        ...

    async def list_keys(self, position: str) -> list[str] | None:
        """What the source has now of all that `position` says was received: the source keys, in any order.

        What precedes the first start is not among them, nor what the position says is still to be had.
        None: the source keeps no list to compare with (Telegram forgets what was taken).

        Raises:
            ChannelError: the source cannot be asked now.
        """
        ...

    async def fetch(self, keys: Sequence[str], take: Take) -> None:
        """Have `take` commit once more what the source calls so, in portions a memory holds, oldest first.

        What was deleted at the source meanwhile is left out; what it has and does not deliver comes as a report.

        Raises:
            ChannelError: the source cannot be asked now. What was taken until then is kept.
        """
        ...

    def read(self, raw: bytes) -> Reading:
        """What one receipt says. Never raises on any content; may be slow: call it in a thread."""
        ...

    def extract(self, raw: bytes, attachment: Attachment) -> bytes:
        """The octets of one attachment of a raw message (mail)."""
        ...

    def page(self, raw: bytes, say: Callable[[str], str]) -> bytes:
        """All a raw message says, as one HTML file in which nothing runs, nothing is fetched, nothing is sent (mail).

        Args:
            say: gives the words of the catalogue, `page.…`.
        """
        ...

    def compose(self, reply: Reply) -> tuple[Parcel, ...]:
        """The final form of a reply: what leaves, in that order. Pure; the same call gives the same parcels."""
        ...

    def preview(self, reply: Reply) -> Preview:
        """What `compose` of the same reply would make, for its author's eyes."""
        ...

    async def ready(self, payload: Letter | Post) -> float:
        """Wait briefly for this payload's turn; the seconds it must still be put off, 0 when it may be sent now.

        Nothing leaves here: a worker that dies waiting for a turn leaves no doubt behind.
        """
        ...

    async def send(self, payload: Letter | Post, raw: bytes | None) -> SentAs:
        """Hand one payload over, whose turn it is (`ready`); `raw` is the blob a Letter or a Post's file names.

        Raises:
            ChannelError: one of its four subclasses, never a library's own.
        """
        ...

    async def check(self) -> list[Finding]:
        """Connect, log in, look, and say what is wrong and how to mend it."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""


class Chat(Channel, Protocol):
    """A channel secretaries can be reached through as well: a Telegram bot."""

    async def show(self, message: ChatMessage) -> SentAs:
        """Send a message, or edit one in place (editing to what it already says succeeds).

        Raises:
            ChannelError: as for `send`. A message that can no longer be edited is a PermanentFailure
                with reason "failure.cannot_edit"; one whose topic is closed or gone, "failure.topic_gone".
        """
        ...

    async def hand_over(self, file: ChatFile) -> SentAs: ...

    async def open_topic(self, chat_id: int, name: str, colour: int) -> int:
        """Make a topic in a chat; what Telegram calls it. Each call may make one, whatever comes of it.

        Raises:
            TopicRefused: there is none, or nothing says that there is: show it in the chat as it is.
            TemporaryFailure: it is not this chat's turn; nothing was asked.
            LoginRejected: credentials refused.
        """
        ...

    async def name_topic(self, chat_id: int, topic: int, name: str) -> None:
        """Give a topic another name (the name it has already succeeds).

        Raises:
            ChannelError: as for `show`.
        """
        ...

    async def shut_topic(self, chat_id: int, topic: int, *, shut: bool) -> None:
        """Close a group's topic to further words, or open it again (as it is already succeeds).

        Raises:
            ChannelError: as for `show`.
        """
        ...

    async def pin(self, chat_id: int, message_id: int) -> None:
        """Pin a message of ours without a sound (one that is pinned already succeeds).

        It takes no message's turn, and a refusal to hurry keeps no message waiting.

        Raises:
            ChannelError: as for `show`. Where this bot may not pin, a PermanentFailure.
        """
        ...

    async def unpin(self, chat_id: int, message_id: int) -> None:
        """Take a message from those that are pinned (one that is not pinned succeeds).

        Raises:
            ChannelError: as for `pin`.
        """
        ...

    async def is_member(self, chat_id: int, user_id: int) -> bool:
        """Whether somebody is in a group, and so sees what is shown there.

        Raises:
            TopicRefused: this bot cannot ask: nothing can be shown there.
            LoginRejected: credentials refused.
        """
        ...

    async def connection(self, connection: str) -> Connected:
        """What Telegram knows of somebody's own account that is connected to this bot (Bot API, getBusinessConnection).

        Raises:
            ChannelError: it knows none of that name, or cannot be asked now.
        """
        ...

    async def keeps_topics(self) -> bool:
        """Whether this bot may have topics in private chats, as far as Telegram says so."""
        ...

    async def fetch_file(self, file_id: str) -> bytes:
        """The octets of a file Telegram keeps.

        Raises:
            ChannelError: PermanentFailure with reason "failure.file_too_big" past the server's limit.
        """
        ...

    async def answer_press(self, callback_query_id: str, text: str = "", *, alert: bool = False) -> None:
        """Tell who pressed what came of it. An expired press is not an error."""

    async def link(self, payload: str) -> str:
        """The deep link that opens this bot with `/start payload`.

        Raises:
            ChannelError: what it is called is not known yet, and cannot be asked.
        """
        ...

    async def answer_search(self, inline_query_id: str, found: Sequence[Suggestion]) -> None:
        """Show somebody what they look for by typing. One that expired is not an error."""
        ...
