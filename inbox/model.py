"""The nouns of the desk, as they are stored: frozen documents and the parts they are made of.

Every document carries the `version` it was read at; a replacement is accepted
only while the store still holds that version (see `inbox.store.base`).
Instants are aware UTC and end in `_at`. A field that is None is absent from
every index that names it: that is how a queue stays as short as its work.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum

import msgspec

from inbox.hours import Hours
from inbox.notices import Payload, Purpose
from inbox.particulars import PLAIN, Failure, Particulars
from inbox.parts import (
    AccountId,
    Attachment,
    Because,
    BlobId,
    ChannelId,
    ContactId,
    ConversationId,
    DeliveryId,
    Document,
    DraftId,
    Entity,
    MessageId,
    Part,
    ReceiptId,
    SecretaryId,
    SlipId,
)

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
    detail: dict[str, str] = msgspec.field(default_factory=dict)


# ---------------------------------------------------------------- what leaves


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
