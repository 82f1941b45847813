"""The nouns of the desk, as they are stored: frozen documents and the parts they are made of.

Every document carries the `version` it was read at; a replacement is accepted
only while the store still holds that version (see `inbox.store.base`).
Instants are aware UTC and end in `_at`. A field that is None is absent from
every index that names it: that is how a queue stays as short as its work.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType

import msgspec
import uuid_utils

from inbox.hours import Hours
from inbox.particulars import PLAIN, Failure, Particulars
from inbox.parts import Part as Part

AccountId = NewType("AccountId", str)
BlobId = NewType("BlobId", str)
ChannelId = NewType("ChannelId", str)
ContactId = NewType("ContactId", str)
ConversationId = NewType("ConversationId", str)
DeliveryId = NewType("DeliveryId", str)
DraftId = NewType("DraftId", str)
MessageId = NewType("MessageId", str)
ReceiptId = NewType("ReceiptId", str)
SecretaryId = NewType("SecretaryId", str)
SlipId = NewType("SlipId", str)

PHONE = ChannelId("phone")
"""By which a call came that is passed on to nobody by mail."""

UNSORTED = AccountId("unsorted")
"""The lane of requests whose account is not known yet; only supervisors see it."""


def new_id() -> str:
    """A UUIDv7: unique everywhere, and increasing within this process even if the clock steps back."""
    return str(uuid_utils.uuid7())


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Anything the store keeps. `version` is 0 until it was first committed."""

    id: str
    version: int = 0


class Because(Part, frozen=True, kw_only=True):
    """A reason people can read: the key of a sentence in the catalogue and its arguments."""

    key: str
    args: dict[str, str] = msgspec.field(default_factory=dict)


# ---------------------------------------------------------------- what arrives


class ReceiptState(StrEnum):
    """Where a receipt is between arrival and its end."""

    WAITING = "waiting"
    HANDLED = "handled"
    IGNORED = "ignored"
    PARKED = "parked"


class Receipt(Document, frozen=True, kw_only=True):
    """One thing a channel handed us, raw, before we know whose it is.

    It ends in exactly one of handled, ignored (with `reason`) or parked (with
    `error`), and can be replayed from its blob. Receipts are handled in the
    order of their sequence within a `lane` (a mailbox, a Telegram chat).
    """

    id: ReceiptId
    channel_id: ChannelId
    lane: str
    source_key: str | None
    """What the source calls it (`uidvalidity:uid`, an update_id); unique per channel while not None."""
    blob_id: BlobId
    size: int
    """Octets of the raw form."""
    sequence: int = 0
    """How many the channel had received once this one was: their order, whichever worker took them in and whatever
    its clock said."""
    arrived_at: datetime
    state: ReceiptState = ReceiptState.WAITING
    waiting_in: ChannelId | None
    """The channel while the receipt waits, else None."""
    deaths: int = 0
    """How often a worker died with this receipt first in its lane."""
    reason: str | None = None
    error: str | None = None
    ended_at: datetime | None = None
    account_id: AccountId | None = None
    conversation_id: ConversationId | None = None
    erased_at: datetime | None = None
    """When its raw form was erased; the receipt itself stays, for the ledger."""
    erased_key: str | None = None
    """What the erased message is known by should it come again: a keyed hash that tells nothing."""


class Cursor(Document, frozen=True, kw_only=True):
    """How far a channel has been received, committed together with what it covers. Its id is the channel's."""

    id: ChannelId
    position: str
    """The channel's own words; only that channel reads them."""
    received: int = 0
    """Receipts ever committed for the channel: the ledger's independent tally."""
    updated_at: datetime


# ---------------------------------------------------------------- whom we work for


class Identity(Part, frozen=True, kw_only=True):
    """In whose name an account's replies leave."""

    display_name: str
    from_address: str | None = None
    signature: str = ""


class AssignmentMode(StrEnum):
    """Whether the rule deals an account's conversations, or people take them."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class Account(Document, frozen=True, kw_only=True):
    """A firm or professional we work for, brought in line with the config at every start."""

    id: AccountId
    name: str
    language: str
    time_zone: str
    identity: Identity
    mailbox: ChannelId | None = None
    """Where its mail leaves from; it may be shared with other accounts."""
    addresses: tuple[str, ...] = ()
    """Addresses that mean this account when a mailbox is shared, lower case; `*@domain` is every one of a domain."""
    tags: tuple[str, ...] = ()
    """Words besides its id by which a mailbox's server names it."""
    assignment: AssignmentMode = AssignmentMode.AUTOMATIC
    reopen_days: int = 14
    """A closed Telegram conversation reopens when its contact writes again within this many days."""
    retention_days: int | None = None
    """Closed conversations older than this are erased; None: they are kept."""
    acknowledgement: str | None = None
    """What whoever opens a conversation by mail is told at once; "" is the desk's own sentence, None nothing."""
    messages_to: str | None = None
    """The mail address telephone messages for it are passed on to."""
    approval: bool = False
    """Replies of secretaries leave in its name only once a supervisor approved them."""
    hours: Hours | None = None
    """When it is open, by its own clocks; None: always."""
    answer_minutes: int | None = None
    """Within how many minutes of opening time its clients are told to expect an answer; None: they are told nothing."""
    tells_in_chats: bool = False
    """Whoever begins a matter in Telegram is told one line where it helps: that it is closed, or when to expect us."""
    show_names: bool = False
    """What leaves in its name may say which secretary wrote it."""
    retired: bool = False
    """No longer in the config; its history stays."""


class AddressKind(StrEnum):
    """What an address is an address of."""

    MAIL = "mail"
    TELEGRAM = "telegram"
    PHONE = "phone"


class Contact(Document, frozen=True, kw_only=True):
    """A person who writes: one person, many addresses, one account."""

    id: ContactId
    account_id: AccountId
    name: str
    language: str | None = None
    note: str = ""
    """What whoever answers should know; nobody else ever sees it."""
    barred_at: datetime | None = None
    """Since when what they write rings nobody and waits for nobody; it is kept."""
    former_ids: tuple[ContactId, ...] = ()
    former_names: tuple[str, ...] = ()
    """Of contacts who were found to be this person: what was noted under them is this person's."""
    created_at: datetime


class Address(Document, frozen=True, kw_only=True):
    """One address of a contact. (account, kind, value) is unique, so a person is found, never guessed."""

    account_id: AccountId
    contact_id: ContactId
    former_id: ContactId | None = None
    """The contact it was first of, where that one was found to be another: what was noted under them goes with it."""
    former_name: str = ""
    """What that one was called then."""
    kind: AddressKind
    value: str
    """A mail address in lower case, a Telegram user id, or a telephone number in international form (E.164)."""
    channel_id: ChannelId
    """The channel it was last written from."""
    chat_id: int | None = None
    blocked_at: datetime | None = None
    """Since when this person refuses our messages there."""
    last_used_at: datetime


# ---------------------------------------------------------------- who answers


class Role(StrEnum):
    """What someone may do: answer; also place, move and answer for all; also own the desk."""

    SECRETARY = "secretary"
    SUPERVISOR = "supervisor"
    OWNER = "owner"


class Secretary(Document, frozen=True, kw_only=True):
    """Someone invited to answer. Her rights are checked in `inbox`, never in the buttons."""

    id: SecretaryId
    name: str
    role: Role
    language: str
    telegram_user_id: int
    chat_id: int
    channel_id: ChannelId
    """The bot she joined through: her cards come from it."""
    accounts: tuple[AccountId, ...] | None = None
    """The accounts she may serve; None is all of them."""
    active: bool = True
    capacity: int = 20
    """She is dealt nothing more while this many conversations she holds wait for an answer."""
    reviewed: bool | None = None
    """Whether her replies need a supervisor's approval in every account; None: while she is new, where the desk says
    so."""
    joined_at: datetime


class Presence(Document, frozen=True, kw_only=True):
    """Whether a secretary is there, and how much she holds. Its id is the secretary's.

    Every assignment replaces it in the same commit, so that `open_count` is
    exact and two assignments to one person see each other.
    """

    id: SecretaryId
    on_duty: bool = False
    since_at: datetime
    open_count: int = 0
    """Conversations she holds that wait for an answer."""
    last_assigned_at: datetime | None = None


class Invitation(Document, frozen=True, kw_only=True):
    """A single-use, expiring way in. Only the hash of its token is kept."""

    token_hash: str
    role: Role
    name: str | None = None
    accounts: tuple[AccountId, ...] | None = None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    used_by: SecretaryId | None = None


class Way(StrEnum):
    """How what is for somebody we work for comes to them."""

    TELEGRAM = "telegram"
    MAIL = "mail"
    BOTH = "both"
    URGENT = "urgent"
    """By Telegram at once what is urgent; the rest does not ring."""


class Principal(Document, frozen=True, kw_only=True):
    """Someone we work for: they speak for their accounts, and see nothing of another."""

    name: str
    telegram_user_id: int
    chat_id: int
    channel_id: ChannelId
    """The bot they joined through."""
    language: str
    accounts: tuple[AccountId, ...]
    active: bool = True
    """Whether there is an account they speak for."""
    way: Way | None = None
    """How messages for them come; None, where they never said: by mail, where the account has an address for them."""
    digest_hour: int | None = None
    """At which hour of their accounts' clock they want to be told what the day brought; None: never."""
    digest_at: datetime | None = None
    """When that is next: set exactly while they want it."""
    digest_since_at: datetime | None = None
    """Until when they know."""
    joined_at: datetime


class BusinessConnection(Document, frozen=True, kw_only=True):
    """Somebody's own Telegram account, which they connected to a bot so that the desk answers in it.

    Its id is `channel:user`: whoever connects anew is the same. Source: Bot API BusinessConnection.
    """

    channel_id: ChannelId
    telegram_user_id: int
    connection_id: str
    """What Telegram calls it now; another once it was made anew."""
    former_ids: tuple[str, ...] = ()
    """What it was called before: something sent then may be handled only now."""
    chat_id: int
    """Their chat with the bot."""
    name: str
    language: str | None = None
    account_id: AccountId | None = None
    """For which of their accounts, where they said so."""
    is_enabled: bool
    may_reply: bool
    made_at: datetime | None = None
    """When the connection was made that stands now."""
    connected_at: datetime
    """When the first was."""


class PrincipalInvitation(Document, frozen=True, kw_only=True):
    """A single-use, expiring way to speak for an account. Only the hash of its token is kept."""

    account_id: AccountId
    token_hash: str
    invited_by: SecretaryId
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    used_by: str | None = None
    """The id of whoever joined by it."""


class Proof(Document, frozen=True, kw_only=True):
    """What is to prove that a mail address and a contact are one person's: a code and a link, sent there once.

    Only the hash of the link's token is kept; the code is made anew where it is compared (`inbox.proofs`).
    """

    account_id: AccountId
    contact_id: ContactId
    open_for: ContactId | None
    """The contact while it can be used; unique, so that only the newest is good."""
    mail: str
    """Where the code and the link were sent."""
    token_hash: str
    delivery_id: DeliveryId
    asked_by: SecretaryId
    tries: int = 0
    """Wrong codes so far."""
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


class InstructionKind(StrEnum):
    """What an instruction is about."""

    WARNING = "warning"
    ABSENCE = "absence"
    DO = "do"
    SAY = "say"


class Instruction(Document, frozen=True, kw_only=True):
    """What an account wants said or done, for good or for some days; in force once whoever gave it confirmed it."""

    account_id: AccountId
    text: str = ""
    """As it was written; empty until it was."""
    kind: InstructionKind = InstructionKind.DO
    begins_at: datetime | None = None
    """When its first day begins by the account's clock; None: with its confirmation."""
    ends_at: datetime | None = None
    """When its last day is over; None: never."""
    given_by: str
    """The id of a supervisor or principal."""
    giver_name: str
    created_at: datetime
    confirmed_at: datetime | None = None
    lifted_at: datetime | None = None
    """When it was ended before its days were over."""
    standing: AccountId | None = None
    """Its account, exactly while it is in force or to come."""
    turns_at: datetime | None = None
    """When the cards next show something else of it."""


class OnCall(Document, frozen=True, kw_only=True):
    """Some days on which somebody we work for is called for what is urgent; once whoever said so confirmed it."""

    account_id: AccountId
    principal_id: str
    name: str
    """Theirs."""
    text: str = ""
    """As it was written; empty until it was."""
    begins_at: datetime | None = None
    """When its first day begins by the account's clock."""
    ends_at: datetime | None = None
    """When its last day is over."""
    given_by: str
    """The id of a supervisor or principal."""
    giver_name: str
    created_at: datetime
    confirmed_at: datetime | None = None
    lifted_at: datetime | None = None
    standing: AccountId | None = None
    """Its account, once it was confirmed and unless it was lifted."""
    turns_at: datetime | None = None
    """When they are called for what is urgent already: set from when it was confirmed until its days have begun."""


# ---------------------------------------------------------------- what is talked about


class Status(StrEnum):
    """Whether a conversation needs anybody."""

    OPEN = "open"
    SNOOZED = "snoozed"
    CLOSED = "closed"


class Priority(IntEnum):
    """How soon a conversation's turn comes: of what waits, the lower goes first."""

    URGENT = 0
    NORMAL = 1
    LATER = 2


class Conversation(Document, frozen=True, kw_only=True):
    """A matter between one contact and one account, from first word to close."""

    id: ConversationId
    number: int
    """What people call it: #number."""
    account_id: AccountId
    contact_id: ContactId
    channel_id: ChannelId
    """It is answered through the channel it came by."""
    subject: str
    status: Status = Status.OPEN
    assignee_id: SecretaryId | None = None
    assigned_at: datetime | None = None
    because: Because | None = None
    """Why it is held by whom it is, or why it waits."""
    queued_at: datetime | None = None
    """Since when it waits to be taken: set exactly while it is open and nobody holds it."""
    waiting_since_at: datetime | None = None
    """The oldest inbound message not yet answered."""
    answer_by_at: datetime | None = None
    """By when the account promises that answer (`inbox.deadlines`): set only while somebody waits."""
    opened_at: datetime
    last_message_at: datetime
    closed_at: datetime | None = None
    message_count: int = 0
    inbound_count: int = 0
    """Inbound messages of people, and edits of them: what a writer must have seen (promise 7).

    What a machine wrote is not among them: an absence notice that comes while she writes is shown with her draft, but
    neither holds her reply nor keeps her from closing."""
    declined_by: tuple[SecretaryId, ...] = ()
    """Who put it back in the queue: it is not dealt to them again by itself."""
    participants: tuple[str, ...] = ()
    """Mail addresses, lower case, whose replies join it; a stranger with the right Message-ID does not."""
    chat_id: int | None = None
    """The Telegram chat it is held in."""
    through: int | None = None
    """The Telegram user whose own account that chat is in, and who is seen to answer; None: the bot's."""
    open_chat: str | None = None
    """`channel:chat:account` while open in Telegram; unique, so a chat has one open conversation an account. In
    somebody's own Telegram `channel:user/chat:account`."""
    priority: Priority = Priority.NORMAL
    tags: tuple[str, ...] = ()
    """Words it is marked with, as they were first written; no two that differ in capitals and accents alone."""
    snoozed_until_at: datetime | None = None
    """When it comes back by itself: set exactly while it is snoozed."""
    related_to: ConversationId | None = None
    related_number: int | None = None
    """The older conversation it refers to but may not join."""
    merged_into: ConversationId | None = None
    merged_number: int | None = None
    """The conversation its words are in now."""


class AlarmEnd(StrEnum):
    """Why nobody is called any more for something urgent."""

    SEEN = "seen"
    CLOSED = "closed"
    CALM = "calm"
    """It is not urgent any more."""
    ELSEWHERE = "elsewhere"
    """It was merged, or moved to another account."""
    NOBODY = "nobody"
    """All were called as often as they are, and nobody saw it."""


class Alarm(Document, frozen=True, kw_only=True):
    """That those on call are called for a conversation, one after another, until one of them has seen it.

    Its id is the conversation's, and every call replaces it: there is never a
    second row of calls for one conversation.
    """

    id: ConversationId
    account_id: AccountId
    raised_at: datetime
    due_at: datetime | None
    """When the next is called: set exactly while somebody is to see it."""
    calls: int = 0
    """How many were made."""
    called: tuple[str, ...] = ()
    """Who was called, once each."""
    last: str = ""
    """Who was called last."""
    unreached: tuple[str, ...] = ()
    """Whom Telegram does not reach: they are passed over."""
    ended: AlarmEnd | None = None
    seen_by: str | None = None
    seen_name: str = ""
    seen_at: datetime | None = None


class Direction(StrEnum):
    """Which way a message goes; a note goes nowhere."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    NOTE = "note"


class AttachmentKind(StrEnum):
    """How a file is shown and handed on."""

    FILE = "file"
    PHOTO = "photo"
    VOICE = "voice"
    AUDIO = "audio"
    VIDEO = "video"


class Attachment(Part, frozen=True, kw_only=True):
    """A file that came with a message; found by `path`, never copied."""

    name: str
    media_type: str
    size: int
    """Octets once decoded; 0 where the source did not say."""
    kind: AttachmentKind = AttachmentKind.FILE
    path: str
    """In a mail the part's number in its tree (`2.1`); in Telegram the file id."""
    held_by: ChannelId | None = None
    """The bot whose file id that is, where it is of a secretary's: a file id means something to one bot only."""
    seconds: int = 0
    """How long a sound lasts; 0 where nothing says so."""
    blob_id: BlobId | None = None
    """Where we keep its octets ourselves: a secretary's file that leaves by another way than it came."""


class Revision(Part, frozen=True, kw_only=True):
    """What a message said before its author edited it."""

    text: str
    until_at: datetime


class Message(Document, frozen=True, kw_only=True):
    """One thing said in a conversation. (account, external_id) is unique: the same mail has one effect."""

    id: MessageId
    account_id: AccountId
    conversation_id: ConversationId
    position: int
    """1, 2, 3 … within its conversation."""
    opens: bool = False
    """It opened a conversation that was merged into this one."""
    album_key: str | None = None
    """`channel:chat:album` of the album it is: whatever comes of that later is a part of it."""
    direction: Direction
    channel_id: ChannelId
    author_id: ContactId | SecretaryId
    author_name: str
    author_address: str = ""
    reply_to: str = ""
    """Where its author wants answers, when that is another address (RFC 5322 §3.6.2)."""
    subject: str = ""
    text: str
    attachments: tuple[Attachment, ...] = ()
    external_id: str
    """Its Message-ID without brackets, `sha256:…` of a mail that has none, or `channel:chat:message` in Telegram;
    in somebody's own Telegram `channel:user/chat:message`."""
    references: tuple[str, ...] = ()
    """Message-IDs a reply must carry in References, oldest first, this one excluded."""
    recipients: tuple[str, ...] = ()
    """Mail: the addresses in To and Cc (inbound), or that we wrote to (outbound)."""
    copies: tuple[str, ...] = ()
    """Outbound mail: those of the recipients who have it as a copy."""
    delivered_to: tuple[str, ...] = ()
    """Inbound mail: the addresses it came to besides those in To and Cc."""
    written_at: datetime | None = None
    """When its author says it was written."""
    created_at: datetime
    """When we received or sent it."""
    receipt_id: ReceiptId | None = None
    blob_id: BlobId | None = None
    """Its raw form; attachments are parts of it."""
    revisions: tuple[Revision, ...] = ()
    parts: tuple[str, ...] = ()
    """Telegram: what its other parts are known by, as `external_id`: of an album, or a reply that left as several."""
    withdrawn: tuple[str, ...] = ()
    """Those of its parts that were taken out of the chat they stood in."""
    deleted_at: datetime | None = None
    """When all of it was. Its words are kept, and shown as such."""
    seen_inbound: int | None = None
    """Outbound: the conversation's `inbound_count` its author had seen."""
    truncated: bool = False
    """The text was longer than we show; the raw form has all of it."""
    quotes: str = ""
    """Inbound from Telegram: the words it answers, as its author sees them above it."""
    particulars: Particulars = PLAIN
    """What else is known of a mail."""


class DraftState(StrEnum):
    """What became of a draft."""

    OPEN = "open"
    SENT = "sent"
    DISCARDED = "discarded"


class Draft(Document, frozen=True, kw_only=True):
    """A reply in preparation; kept from its first word."""

    id: DraftId
    account_id: AccountId
    conversation_id: ConversationId
    author_id: SecretaryId
    text: str
    styles: tuple[Entity, ...] = ()
    """How its words are set."""
    attachments: tuple[Attachment, ...] = ()
    recipients: tuple[str, ...] | None = None
    """Mail: whom its author chose to write to; None: whom the rule names."""
    copies: tuple[str, ...] = ()
    """Mail: whom its author wants to have a copy."""
    seen_inbound: int
    """The conversation's `inbound_count` its author had on her screen when she wrote."""
    state: DraftState = DraftState.OPEN
    open_key: str | None
    """`conversation:author` while open; unique, so she has one draft a conversation."""
    source_key: str | None = None
    """`chat:message` of the message she wrote it in: editing that edits the draft."""
    sources: tuple[str, ...] = ()
    """Every message or press whose words are in it: none of them joins it twice."""
    album_key: str | None = None
    """`channel:chat:album` of the last album in it: Telegram hands over an album file by file."""
    message_id: MessageId | None = None
    set_aside: ConversationId | None = None
    """Its conversation, exactly while it waits for a moment or for approval."""
    send_at: datetime | None = None
    """When it leaves by itself: set exactly while it waits for that moment."""
    asked_at: datetime | None = None
    """Since when it waits for a supervisor's approval."""
    wanted_at: datetime | None = None
    """Of one that waits for approval: when it is to leave once it has that; None: at once."""
    approved_by: SecretaryId | None = None
    """Who approved its words as they are."""
    returned: Because | None = None
    """What a supervisor said who wants it written otherwise."""
    for_account: bool = False
    """It passes a call on to the account: those we work for who want it in Telegram are told there as well."""
    created_at: datetime
    updated_at: datetime


class Slip(Document, frozen=True, kw_only=True):
    """A telephone message in preparation; kept from its first word until it is a conversation, or thrown away."""

    id: SlipId
    account_id: AccountId
    author_id: SecretaryId
    """Who took the call."""
    words: str = ""
    """As she wrote it; empty until she did."""
    caller: str = ""
    number: str = ""
    """In international form (E.164); empty where the caller gave none."""
    reason: str = ""
    urgent: bool = False
    call_back: str = ""
    """When they want to be called back, as it was said."""
    call_back_at: datetime | None = None
    ours: bool = False
    """The desk calls back; the account is told nothing."""
    created_at: datetime
    updated_at: datetime


class Template(Document, frozen=True, kw_only=True):
    """An answer kept ready, with variables in braces. Its shelf and key are unique together."""

    shelf: str
    """The account it is for; "" where it is for all of them."""
    name: str
    key: str
    """Its name without capitals and accents."""
    text: str
    changed_by: SecretaryId
    changed_at: datetime


class Event(Document, frozen=True, kw_only=True):
    """One line of the history: who, what, when, why."""

    account_id: AccountId
    conversation_id: ConversationId | None = None
    at: datetime
    kind: str
    """In the past tense: `received`, `assigned`, `sent` …"""
    actor: str = ""
    """A secretary's or contact's id; empty for the desk itself."""
    actor_name: str = ""
    detail: dict[str, str] = {}


# ---------------------------------------------------------------- what leaves


class Entity(Part, frozen=True, kw_only=True):
    """A stretch of formatted text, in UTF-16 units. Source: Bot API MessageEntity."""

    type: str
    offset: int
    length: int
    url: str | None = None
    """Where a link leads that is behind the words."""


class Button(Part, frozen=True, kw_only=True):
    """One button under a message: either `data` (1–64 bytes) or `url`."""

    text: str
    data: str | None = None
    url: str | None = None


class Letter(Part, frozen=True, kw_only=True, tag="letter"):
    """A mail ready to leave: the exact bytes, fixed before the first attempt so that a retry is the same mail."""

    sender: str
    recipients: tuple[str, ...]
    blob_id: BlobId
    message_id: str
    copy: bool = False
    """Only for others than whom the mail is addressed to first: set where a server refused some of its recipients."""


class Post(Part, frozen=True, kw_only=True, tag="post"):
    """One Telegram message to a client: exactly one Bot API call."""

    chat_id: int
    through: int | None = None
    """The Telegram user from whose own account it leaves; None: from the bot's."""
    connection: str = ""
    """What Telegram calls that account's connection: set only where it is handed over."""
    text: str = ""
    styles: tuple[Entity, ...] = ()
    reply_to: int | None = None
    attachment: Attachment | None = None


class CardNotice(Part, frozen=True, kw_only=True, tag="card"):
    """Show a secretary the newest state of a conversation."""

    secretary_id: SecretaryId
    conversation_id: ConversationId
    fresh: bool
    """True: a new card that rings; False: the one she has is brought up to date in place."""
    quiet: bool = False
    """A new card that does not ring: no person waits behind it."""
    asks: bool = False
    """She wanted to see it: where she may answer, she is put into replying to it."""
    menu: str = ""
    """Which of its menus is open under it (`handlers.menus`); "" is its own buttons."""


class PreviewNotice(Part, frozen=True, kw_only=True, tag="preview"):
    """Show a secretary her draft, or a supervisor one to approve, exactly as the client will see it."""

    secretary_id: SecretaryId
    draft_id: DraftId
    fresh: bool
    menu: str = ""
    """Which of its menus is open under it; "" is its own buttons."""


class Purpose(StrEnum):
    """What the answer to a question is for."""

    NOTE = "note"
    TAGS = "tags"
    SNOOZE = "snooze"
    CONTACT_NAME = "contact_name"
    CONTACT_NOTE = "contact_note"
    SCHEDULE = "schedule"
    RETURN = "return"
    SEARCH = "search"
    """Of no conversation."""
    MERGE = "merge"
    JOIN = "join"
    PROOF = "proof"


class Asked(Part, frozen=True, kw_only=True):
    """What somebody asked to be shown, and where: it is shown there, as far as who else reads it may see it."""

    topic: int | None = None
    """The topic they asked in."""
    group: int | None = None
    """The group they asked in; None: their own chat."""


class QuestionNotice(Asked, frozen=True, kw_only=True, tag="question"):
    """Ask a secretary something, most often about a conversation; what she replies to it is the answer."""

    secretary_id: SecretaryId
    conversation_id: ConversationId | None
    purpose: Purpose
    because: Because
    """The question."""
    reply_to: int | None = None
    draft_id: DraftId | None = None
    """The draft it is about."""


class ContactNotice(Asked, frozen=True, kw_only=True, tag="contact"):
    """Show a secretary who the contact of a conversation is, and what else there was with them."""

    secretary_id: SecretaryId
    conversation_id: ConversationId


class SearchNotice(Asked, frozen=True, kw_only=True, tag="search"):
    """Show a secretary what she may see and what has these words, a page of it."""

    secretary_id: SecretaryId
    query: str
    page: int = 0
    edits: int | None = None


class TemplatesNotice(Asked, frozen=True, kw_only=True, tag="templates"):
    """Show a supervisor the answers kept ready, or one of them whole."""

    secretary_id: SecretaryId
    template_id: str | None = None
    page: int = 0
    edits: int | None = None


class TopicNotice(Part, frozen=True, kw_only=True, tag="topic"):
    """Have the name of a conversation's topic in a secretary's chat say how it stands."""

    secretary_id: SecretaryId
    conversation_id: ConversationId


class PinNotice(Part, frozen=True, kw_only=True, tag="pin"):
    """Have a conversation's newest card pinned in its topic, and the one before no longer."""

    secretary_id: SecretaryId
    conversation_id: ConversationId


class SlipNotice(Asked, frozen=True, kw_only=True, tag="slip"):
    """Show a secretary the telephone message she takes, or ask her for its words."""

    secretary_id: SecretaryId
    slip_id: SlipId
    edits: int | None = None


class CallsNotice(Asked, frozen=True, kw_only=True, tag="calls"):
    """Ask a secretary for which account a telephone message is."""

    secretary_id: SecretaryId
    page: int = 0
    edits: int | None = None


class TeamNotice(Asked, frozen=True, kw_only=True, tag="team"):
    """Show a supervisor who answers for the accounts she serves, and whose replies are read first."""

    secretary_id: SecretaryId
    page: int = 0
    edits: int | None = None


class InstructionsNotice(Asked, frozen=True, kw_only=True, tag="instructions"):
    """Show what an account wants; or, of no account, whose instructions there are."""

    person_id: str
    """A secretary or principal."""
    account_id: AccountId | None = None
    page: int = 0
    edits: int | None = None


class InstructionNotice(Asked, frozen=True, kw_only=True, tag="instruction"):
    """Show an instruction to whoever may give it, or ask for its words."""

    person_id: str
    """A supervisor or principal."""
    instruction_id: str
    edits: int | None = None


class PrincipalsNotice(Asked, frozen=True, kw_only=True, tag="principals"):
    """Show a supervisor who speaks for an account, and a link she just made; or, of no account, the accounts."""

    secretary_id: SecretaryId
    account_id: AccountId | None = None
    page: int = 0
    invitation_id: str | None = None
    edits: int | None = None


class AnsweredNotice(Asked, frozen=True, kw_only=True, tag="answered"):
    """Show somebody we work for what was answered in their name."""

    principal_id: str
    page: int = 0
    edits: int | None = None


class WaysNotice(Asked, frozen=True, kw_only=True, tag="ways"):
    """Ask somebody we work for how what is for them is to come."""

    principal_id: str
    edits: int | None = None


class TakenNotice(Part, frozen=True, kw_only=True, tag="taken"):
    """Show somebody we work for a telephone message that was taken for them."""

    principal_id: str
    message_id: MessageId
    secretary_id: SecretaryId
    """Who passes it on."""
    quiet: bool = False
    """It does not ring."""


class DigestNotice(Part, frozen=True, kw_only=True, tag="digest"):
    """Tell somebody we work for what came in and what was answered in a while."""

    principal_id: str
    account_id: AccountId | None = None
    """By mail, to this account's address; None: in Telegram, of all they speak for."""
    since_at: datetime
    until_at: datetime
    quiet: bool = False
    """It does not ring."""


class RotaNotice(Asked, frozen=True, kw_only=True, tag="rota"):
    """Show who is on call for an account; or, of no account, whose lists there are."""

    person_id: str
    """A supervisor or principal."""
    account_id: AccountId | None = None
    page: int = 0
    edits: int | None = None


class OnCallNotice(Asked, frozen=True, kw_only=True, tag="oncall"):
    """Show days on call to whoever may say so, or ask for them."""

    person_id: str
    on_call_id: str
    edits: int | None = None


class AlarmNotice(Part, frozen=True, kw_only=True, tag="alarm"):
    """Call somebody who is on call for a conversation, or bring what they were shown up to date."""

    principal_id: str
    conversation_id: ConversationId
    fresh: bool
    """True: a call, that rings; False: what they have is brought up to date in place."""


class LinksNotice(Asked, frozen=True, kw_only=True, tag="links"):
    """Show a supervisor the links by which clients reach the accounts she serves."""

    secretary_id: SecretaryId
    page: int = 0
    edits: int | None = None


class HistoryNotice(Asked, frozen=True, kw_only=True, tag="history"):
    """Show a secretary what happened to a conversation, the newest lines of it."""

    secretary_id: SecretaryId
    conversation_id: ConversationId


class QueueView(StrEnum):
    """What of the queue is shown."""

    SHORT = ""
    """The beginning of what waits and of what is hers."""
    WAITING = "waiting"
    MINE = "mine"
    LATE = "late"
    """What should have been answered by now, whoever holds it."""
    ACCOUNT = "account"
    """All that is open in one account."""
    MORNING = "morning"
    """The same as the short one, below what the day holds for her."""
    ACCOUNTS = "accounts"
    """The accounts, to choose one of."""


class QueueNotice(Asked, frozen=True, kw_only=True, tag="queue"):
    """Show a secretary the queue, or a page of one view of it."""

    secretary_id: SecretaryId
    view: QueueView = QueueView.SHORT
    account_id: AccountId | None = None
    page: int = 0
    edits: int | None = None
    """The message it takes the place of, where that can still be."""


class TextNotice(Part, frozen=True, kw_only=True, tag="text"):
    """Tell a secretary, or anyone in a chat, one sentence of the catalogue."""

    chat_id: int
    language: str
    because: Because
    reply_to: int | None = None
    buttons: tuple[tuple[Button, ...], ...] = ()
    topic: int | None = None
    """The topic of the chat it belongs to."""


class FileForm(StrEnum):
    """What of a message is handed over as a file."""

    ATTACHMENT = "attachment"
    PAGE = "page"
    """All a mail says, as a page that is safe to open."""
    ORIGINAL = "original"
    """The mail as it came."""
    SOUND = "sound"
    """An attachment that is a sound, so that it plays in the chat."""
    TEXT = "text"
    """All that a message says in words, what it quotes included; as a message where one can hold it."""


class KeepNotice(Part, frozen=True, kw_only=True, tag="keep"):
    """Keep the files of a draft here that leave by another way than they came; its preview says how far that is."""

    secretary_id: SecretaryId
    draft_id: DraftId


class FileNotice(Asked, frozen=True, kw_only=True, tag="file"):
    """Hand a secretary one attachment of a message, or a mail whole."""

    secretary_id: SecretaryId
    message_id: MessageId
    index: int = 0
    """Which of the attachments."""
    form: FileForm = FileForm.ATTACHMENT


Payload = (
    Letter
    | Post
    | CardNotice
    | PreviewNotice
    | QueueNotice
    | QuestionNotice
    | HistoryNotice
    | ContactNotice
    | SearchNotice
    | TemplatesNotice
    | TeamNotice
    | InstructionsNotice
    | InstructionNotice
    | PrincipalsNotice
    | AnsweredNotice
    | WaysNotice
    | TakenNotice
    | DigestNotice
    | RotaNotice
    | OnCallNotice
    | AlarmNotice
    | LinksNotice
    | SlipNotice
    | CallsNotice
    | TopicNotice
    | PinNotice
    | TextNotice
    | FileNotice
    | KeepNotice
)


class DeliveryKind(StrEnum):
    """What a delivery is for."""

    REPLY = "reply"
    NOTICE = "notice"
    ACKNOWLEDGEMENT = "acknowledgement"


class DeliveryState(StrEnum):
    """Where a delivery is between its commit and its end."""

    QUEUED = "queued"
    """Waits for the delivery named in `after`."""
    DUE = "due"
    """Leaves at `due_at`; a retry is due again, with `attempts` above 0."""
    LEASED = "leased"
    """A worker is handing it over."""
    SENT = "sent"
    UNKNOWN = "unknown"
    """It may have left. A person decides."""
    DEAD = "dead"
    CANCELLED = "cancelled"
    """Undone before it left."""


class Delivery(Document, frozen=True, kw_only=True):
    """One row of the outbox, written in the commit of the change that causes it."""

    id: DeliveryId
    account_id: AccountId | None
    conversation_id: ConversationId | None = None
    message_id: MessageId | None = None
    """The message it carries, or acknowledges."""
    kind: DeliveryKind
    channel_id: ChannelId
    lane: str
    """Deliveries of one lane (a chat, a conversation) leave one after another."""
    state: DeliveryState
    due_at: datetime | None
    """Set exactly while due."""
    lease_until_at: datetime | None = None
    """Set exactly while leased."""
    leased_by: str | None = None
    after: DeliveryId | None = None
    """Set exactly while queued: the delivery that must end first."""
    earliest_at: datetime | None = None
    """It leaves no sooner, even once what it waited for has ended: until then it can be undone."""
    irrevocable: bool = False
    """It may have left already, or a person said that it must leave: it is never taken back."""
    attempts: int = 0
    payload: Payload
    created_at: datetime
    ended_at: datetime | None = None
    sent_as: str | None = None
    """What the receiving side calls it: a server's answer, a Telegram message id."""
    error: str | None = None
    """Why it failed, in words safe to show."""
    reported: tuple[Failure, ...] = ()
    """What mail servers reported since of its recipients, the last word on each."""


class ShownKind(StrEnum):
    """What a message of ours in a secretary's chat shows."""

    CARD = "card"
    PREVIEW = "preview"
    QUESTION = "question"
    SLIP = "slip"
    INSTRUCTION = "instruction"
    ON_CALL = "on_call"
    ALARM = "alarm"


class Shown(Document, frozen=True, kw_only=True):
    """A message of ours in a secretary's or principal's chat: what a reply to it, or a press on it, is about.

    The current one of a conversation or draft has `current_key`; older ones
    stay known, so that a reply to yesterday's card still finds its conversation.
    """

    secretary_id: SecretaryId
    kind: ShownKind
    message_key: str
    """`channel:chat:message`; unique."""
    telegram_message_id: int
    conversation_id: ConversationId | None
    """None: of a telephone message, which is none yet, and of an instruction."""
    draft_id: DraftId | None = None
    slip_id: SlipId | None = None
    instruction_id: str | None = None
    """Of an instruction, or of days on call."""
    shown_inbound: int
    """The conversation's `inbound_count` at that rendering."""
    asks: bool = False
    """It put her into replying to it (Bot API, InlineKeyboardMarkup, force_reply: it stays so when it is edited)."""
    fingerprint: str
    """Of what was rendered: an equal rendering is not sent again."""
    current_key: str | None
    """`secretary:card:conversation` or `secretary:preview:draft` while current; unique."""
    shown_at: datetime
    purpose: Purpose | None = None
    """Of a question: what its answer is for."""


class TopicChoice(Document, frozen=True, kw_only=True):
    """Whether a secretary wants one topic a conversation in her chat. Its id is hers; only she changes it."""

    id: SecretaryId
    wanted: bool
    chosen_at: datetime


class Forum(Document, frozen=True, kw_only=True):
    """A group with topics in which those of an account, or of all, are kept. Its id is `channel:chat`."""

    channel_id: ChannelId
    chat_id: int
    shelf: str
    """The account it is for; "" where it is for all of them. Together with the channel unique."""
    linked_by: SecretaryId
    linked_at: datetime


class TopicRefusal(Document, frozen=True, kw_only=True):
    """That Telegram keeps no topics for a secretary in a chat, so that she has plain cards. Its id is of the two."""

    reason: str
    """The key of the sentence she was told."""
    refused_at: datetime
    told_at: datetime
    again_at: datetime | None
    """When it is worth another try; None: not before she asks for topics again."""


class Standing(StrEnum):
    """How a topic stands, which its name says."""

    OPEN = "open"
    GIVEN = "given"
    """Somebody else has the conversation."""
    CLOSED = "closed"


class Topic(Document, frozen=True, kw_only=True):
    """A forum topic, in a secretary's chat or a group, in which one conversation is shown her, and hers to write in.

    Only whoever hands over her deliveries, one after another, changes it.
    """

    conversation_id: ConversationId
    secretary_id: SecretaryId
    """One topic a conversation and secretary; together unique."""
    channel_id: ChannelId
    chat_id: int
    """Her own chat, or a group's."""
    thread_id: int
    """Bot API: message_thread_id."""
    thread_key: str
    """`channel:chat:thread`; unique."""
    name: str
    """What it was last to be called."""
    standing: Standing = Standing.OPEN
    told_position: int = 0
    """The last message that stands in the topic for good, where older cards stood."""
    card_position: int = 0
    """The last message its newest card showed when it came."""
    pinned: int | None = None
    """The message that we pinned in it."""


# ---------------------------------------------------------------- how the channels do


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
    hours: dict[str, int] = {}
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


# ---------------------------------------------------------------- the desk itself


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
