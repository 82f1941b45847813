"""What leaves: letters and posts to clients, and what people of the desk, and whom it works for, are shown.

A notice says what is to be shown, never how it looks: that is made of the newest facts when it is handed over.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from inbox.parts import (
    AccountId,
    Attachment,
    Because,
    BlobId,
    Button,
    ConversationId,
    DraftId,
    Entity,
    MessageId,
    Part,
    SecretaryId,
    SlipId,
)


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
