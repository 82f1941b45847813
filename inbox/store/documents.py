"""What is stored: the kinds of document, and the indexes by which each is found.

Every backend builds exactly these; a query cannot be asked that none of them answers.
"""

from __future__ import annotations

from typing import Final

from inbox.machinery import (
    Backup,
    Claim,
    Counter,
    DeskKey,
    Forgotten,
    Habit,
    Lease,
    Progress,
    Pulse,
    Recount,
    Transfer,
    Trouble,
    Worker,
)
from inbox.model import (
    Account,
    Address,
    Alarm,
    BusinessConnection,
    Contact,
    Conversation,
    Cursor,
    Delivery,
    Draft,
    Event,
    Forum,
    Instruction,
    Invitation,
    Message,
    OnCall,
    Presence,
    Principal,
    PrincipalInvitation,
    Proof,
    Receipt,
    Secretary,
    Shown,
    Slip,
    Template,
    Topic,
    TopicChoice,
    TopicRefusal,
)
from inbox.parts import Document
from inbox.store.base import Index

KINDS: Final[dict[type[Document], str]] = {
    Account: "account",
    Address: "address",
    Alarm: "alarm",
    Backup: "backup",
    BusinessConnection: "business_connection",
    Claim: "claim",
    Contact: "contact",
    Conversation: "conversation",
    Counter: "counter",
    Cursor: "cursor",
    Delivery: "delivery",
    DeskKey: "desk_key",
    Draft: "draft",
    Event: "event",
    Forgotten: "forgotten",
    Forum: "forum",
    Habit: "habit",
    Instruction: "instruction",
    Invitation: "invitation",
    Lease: "lease",
    Message: "message",
    OnCall: "on_call",
    Presence: "presence",
    Principal: "principal",
    PrincipalInvitation: "principal_invitation",
    Progress: "progress",
    Proof: "proof",
    Pulse: "pulse",
    Receipt: "receipt",
    Recount: "recount",
    Secretary: "secretary",
    Shown: "shown",
    Slip: "slip",
    Template: "template",
    Topic: "topic",
    TopicChoice: "topic_choice",
    TopicRefusal: "topic_refusal",
    Transfer: "transfer",
    Trouble: "trouble",
    Worker: "worker",
}

RECEIPT_BY_SOURCE = Index(Receipt, "by_source", ("channel_id", "source_key"), unique=True)
RECEIPTS_WAITING = Index(Receipt, "waiting", ("waiting_in", "sequence"))
RECEIPTS_BY_STATE = Index(Receipt, "by_state", ("channel_id", "state", "sequence"))
RECEIPTS_OF_CONVERSATION = Index(Receipt, "of_conversation", ("conversation_id",))
RECEIPT_ERASED = Index(Receipt, "erased", ("erased_key",))

CURSORS = Index(Cursor, "all", ("updated_at",))
TROUBLES = Index(Trouble, "all", ("told_at",))
ACCOUNTS = Index(Account, "all", ("retired",))

ADDRESS_BY_VALUE = Index(Address, "by_value", ("account_id", "kind", "value"), unique=True)
ADDRESSES_OF_CONTACT = Index(Address, "of_contact", ("contact_id",))
ADDRESSES_EVERYWHERE = Index(Address, "everywhere", ("channel_id", "kind", "value", "last_used_at"))
"""Across accounts: only to learn which account a Telegram user came for, never to show anything."""

SECRETARY_BY_TELEGRAM = Index(Secretary, "by_telegram", ("telegram_user_id",), unique=True)
SECRETARIES = Index(Secretary, "all", ("active",))
PRESENT = Index(Presence, "present", ("on_duty",))
INVITATION_BY_TOKEN = Index(Invitation, "by_token", ("token_hash",), unique=True)

PRINCIPAL_BY_TELEGRAM = Index(Principal, "by_telegram", ("telegram_user_id",), unique=True)
PRINCIPALS = Index(Principal, "all", ("active",))
BUSINESS_CONNECTIONS = Index(BusinessConnection, "by_connection", ("channel_id", "connection_id"))
PRINCIPALS_DIGESTING = Index(Principal, "digesting", ("digest_at",))
PRINCIPAL_INVITATION_BY_TOKEN = Index(PrincipalInvitation, "by_token", ("token_hash",), unique=True)
PROOF_BY_TOKEN = Index(Proof, "by_token", ("token_hash",), unique=True)
PROOF_OF_CONTACT = Index(Proof, "of_contact", ("open_for",), unique=True)
INSTRUCTIONS_STANDING = Index(Instruction, "standing", ("standing", "created_at"))
INSTRUCTIONS_TURNING = Index(Instruction, "turning", ("turns_at",))
"""Across accounts: only to bring cards up to date, never to show anything."""

ON_CALL = Index(OnCall, "standing", ("standing", "ends_at"))
ON_CALL_TURNING = Index(OnCall, "turning", ("turns_at",))
"""Across accounts: only to call whoever is on call, never to show anything."""
ALARMS_DUE = Index(Alarm, "due", ("due_at",))
"""Across accounts: only to call whoever is on call, never to show anything."""

CONVERSATION_BY_NUMBER = Index(Conversation, "by_number", ("number",), unique=True)
CONVERSATIONS_QUEUED = Index(Conversation, "queued_by_priority", ("account_id", "priority", "queued_at"))
CONVERSATIONS_SNOOZED = Index(Conversation, "snoozed", ("snoozed_until_at",))
CONVERSATIONS_QUEUED_ANYWHERE = Index(Conversation, "queued_anywhere", ("queued_at",))
"""Across accounts: only to learn whether there is anything to deal, never to show anything."""
CONVERSATIONS_HELD = Index(Conversation, "held", ("assignee_id", "status", "last_message_at"))
CONVERSATIONS_DUE = Index(Conversation, "due", ("account_id", "answer_by_at"))
CONVERSATION_IN_CHAT = Index(Conversation, "in_chat", ("open_chat",), unique=True)
CONVERSATIONS_OF_ACCOUNT = Index(Conversation, "of_account", ("account_id", "status", "last_message_at"))
CONVERSATIONS_CLOSED = Index(Conversation, "closed", ("account_id", "closed_at"))
CONVERSATIONS_OF_CONTACT = Index(Conversation, "of_contact", ("contact_id", "last_message_at"))

MESSAGE_BY_EXTERNAL_ID = Index(Message, "by_external_id", ("account_id", "external_id"), unique=True)
MESSAGE_BY_ALBUM = Index(Message, "by_album", ("account_id", "album_key"))
MESSAGES_OF_CONVERSATION = Index(Message, "of_conversation", ("conversation_id", "position"), unique=True)

DRAFT_OPEN = Index(Draft, "open", ("open_key",), unique=True)
DRAFT_BY_SOURCE = Index(Draft, "by_source", ("source_key",))
DRAFT_BY_ALBUM = Index(Draft, "by_album", ("album_key",))
DRAFTS_OF_CONVERSATION = Index(Draft, "of_conversation", ("conversation_id",))
DRAFT_OF_MESSAGE = Index(Draft, "of_message", ("message_id",))
DRAFTS_SET_ASIDE = Index(Draft, "set_aside", ("set_aside",))
DRAFTS_SCHEDULED = Index(Draft, "scheduled", ("send_at",))
DRAFTS_ASKED = Index(Draft, "asked", ("asked_at",))
"""Across accounts: whoever is shown it sees only what is in hers."""

TEMPLATES = Index(Template, "on_shelf", ("shelf", "key"), unique=True)

EVENTS_OF_CONVERSATION = Index(Event, "of_conversation", ("conversation_id", "at"))

DELIVERIES_DUE = Index(Delivery, "due", ("due_at",))
DELIVERIES_LEASED = Index(Delivery, "leased", ("lease_until_at",))
DELIVERIES_AFTER = Index(Delivery, "after", ("after",))
DELIVERIES_OF_MESSAGE = Index(Delivery, "of_message", ("message_id",))
DELIVERIES_OF_CONVERSATION = Index(Delivery, "of_conversation", ("conversation_id", "kind", "state"))
DELIVERIES_BY_STATE = Index(Delivery, "by_state", ("channel_id", "kind", "state"))

SHOWN_BY_MESSAGE = Index(Shown, "by_message", ("message_key",), unique=True)
SHOWN_CURRENT = Index(Shown, "current", ("current_key",), unique=True)
SHOWN_OF_CONVERSATION = Index(Shown, "of_conversation", ("conversation_id", "kind"))
TOPICS = Index(Topic, "of_conversation", ("conversation_id", "secretary_id"), unique=True)
FORUMS = Index(Forum, "of_account", ("channel_id", "shelf"), unique=True)
TOPIC_BY_THREAD = Index(Topic, "by_thread", ("thread_key",), unique=True)

LEASES_OF_WORKER = Index(Lease, "of_worker", ("worker_id",))
CLAIMS_OF_WORKER = Index(Claim, "of_worker", ("worker_id",))

INDEXES: Final[tuple[Index[Document], ...]] = tuple(v for v in globals().values() if isinstance(v, Index))
