"""What is kept for how long: closed conversations as the account says, and what is of no use any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from inbox import proofs
from inbox.erasure import Erasure, belongings, erase, without_raw, writers
from inbox.errors import StillInUse
from inbox.machinery import DeskKey, Progress
from inbox.model import (
    Account,
    Address,
    Contact,
    Conversation,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Instruction,
    Invitation,
    OnCall,
    PrincipalInvitation,
    Proof,
    Receipt,
    ReceiptState,
    Shown,
    Slip,
    Status,
)
from inbox.notices import Letter
from inbox.parts import ChannelId, ContactId
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    ADDRESSES_OF_CONTACT,
    CONVERSATIONS_CLOSED,
    CONVERSATIONS_OF_CONTACT,
    DELIVERIES_BY_STATE,
    PRINCIPALS,
    SECRETARIES,
)

KEEP_NOTICES = timedelta(days=14)
"""What a secretary was shown is in her chat; its delivery only helps to find out why something did not come."""
KEEP_SHOWN = timedelta(days=90)
"""So long a reply to an old card or preview still finds its conversation."""
KEEP_INVITATIONS = timedelta(days=30)
"""So long a link that was used or has expired says so, instead of being unknown."""
KEEP_SLIPS = timedelta(days=30)
"""So long a telephone message that was begun waits to be passed on."""
KEEP_PRESSES = timedelta(days=30)
"""So long the raw form of what was pressed and written at the desk can be looked at; it shows what clients wrote."""
PAGE = 100
MOST_PEOPLE = 10_000

_ENDED = (DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.CANCELLED, DeliveryState.UNKNOWN)


# ---------------------------------------------------------------- closed conversations


async def list_outdated(
    store: Store, account: Account, now: datetime, after: Conversation | None = None
) -> list[Conversation]:
    """The closed conversations that are older than the account keeps them, oldest first, a page at a time."""
    if account.retention_days is None:
        return []
    until = now - timedelta(days=account.retention_days)
    return await store.list(CONVERSATIONS_CLOSED, account.id, until=until, after=after, limit=PAGE)


async def erase_outdated(
    store: Store, key: DeskKey, conversation: Conversation, account: Account, now: datetime
) -> Erasure | None:
    """The next commit that erases a conversation, and with it whoever wrote nothing else to us since.

    None when it stays: it is open again, or a reply waits for a person.
    """
    if account.retention_days is None or conversation.status is not Status.CLOSED or conversation.closed_at is None:
        return None
    cutoff = now - timedelta(days=account.retention_days)
    if conversation.closed_at > cutoff:
        return None
    wrote = writers((await belongings(store, conversation)).messages) | {conversation.contact_id}
    try:
        erasure = await erase(store, key, conversation, now, undecided=False)
    except StillInUse:
        return None
    if erasure.done:
        for contact_id in sorted(wrote):
            erasure = Erasure(erasure.changes + await _contact_gone(store, contact_id, conversation, cutoff), done=True)
    return erasure


async def _contact_gone(store: Store, contact_id: ContactId, but: Conversation, cutoff: datetime) -> Changes:
    contact = await store.find(Contact, contact_id)
    addresses: Sequence[Address] = await store.list(ADDRESSES_OF_CONTACT, contact_id, limit=PAGE)
    others = await store.list(CONVERSATIONS_OF_CONTACT, contact_id, limit=2)
    # A day more: what was written since may have left the address as it was (`inbox.contacts.REFRESH_AFTER`).
    recent = any(address.last_used_at > cutoff - timedelta(days=1) for address in addresses)
    if contact is None or recent or any(other.id != but.id for other in others):
        return Changes()
    return Changes(deletions=[contact, *addresses])


# ---------------------------------------------------------------- what is of no use any more


async def outdated_deliveries(store: Store, channel: ChannelId, now: datetime) -> Changes:
    """Some of the notices and greetings that ended long ago. Replies stay as long as their conversation."""
    found: list[Delivery] = []
    for kind in (DeliveryKind.NOTICE, DeliveryKind.ACKNOWLEDGEMENT):
        for state in _ENDED:
            page = await store.list(DELIVERIES_BY_STATE, channel, kind, state, limit=PAGE)
            found += [d for d in page if d.ended_at is not None and now - d.ended_at > KEEP_NOTICES]
    letters = [d.payload.blob_id for d in found if isinstance(d.payload, Letter)]
    return Changes(deletions=found, blob_deletions=letters)


async def outdated_invitations(store: Store, now: datetime) -> Changes:
    """The invitations that nobody can use any more, and that nobody asks about."""
    found: list[Invitation | PrincipalInvitation] = [
        *await store.scan(Invitation),
        *await store.scan(PrincipalInvitation),
    ]
    return Changes(deletions=[i for i in found if now - (i.used_at or i.expires_at) > KEEP_INVITATIONS])


async def outdated_proofs(store: Store, now: datetime) -> Changes:
    """The codes and links by which nobody proves anything any more."""
    return Changes(deletions=[p for p in await store.scan(Proof) if now - p.expires_at > proofs.KEPT])


async def outdated_slips(store: Store, now: datetime) -> Changes:
    """The telephone messages that nobody passed on or threw away."""
    return Changes(deletions=[s for s in await store.scan(Slip) if now - s.updated_at > KEEP_SLIPS])


def outdated_instructions(page: Sequence[Instruction], now: datetime) -> Changes:
    """Those of a page of instructions that have not held for long, or that nobody ever confirmed."""
    ended = [i for i in page if i.standing is None]
    return Changes(deletions=[i for i in ended if now - (i.lifted_at or i.ends_at or i.created_at) > KEEP_SHOWN])


async def outdated_on_call(store: Store, now: datetime) -> Changes:
    """The days on call that are long over, or that nobody ever confirmed."""
    found = [o for o in await store.scan(OnCall) if o.standing is None or (o.ends_at or now) < now]
    return Changes(deletions=[o for o in found if now - (o.lifted_at or o.ends_at or o.created_at) > KEEP_SHOWN])


async def outdated_screens(store: Store, page: Sequence[Shown], now: datetime) -> Changes:
    """Those of a page of screens that nobody replies to any more: superseded, or of a closed conversation."""
    old = [shown for shown in page if now - shown.shown_at > KEEP_SHOWN]
    conversations = await store.find_many(Conversation, {s.conversation_id for s in old if s.conversation_id})

    def is_done(shown: Shown) -> bool:
        about = conversations.get(shown.conversation_id or "")
        return shown.current_key is None or about is None or about.status is Status.CLOSED

    return Changes(deletions=[shown for shown in old if is_done(shown)])


def outdated_presses(page: Sequence[Receipt], chats: DeskChats, now: datetime) -> Changes:
    """The raw forms of what was pressed and written at the desk, of a page of receipts older than they are kept.

    What is parked stays, for it can still be replayed.
    """
    changes = Changes()
    for receipt in page:
        ended = receipt.state in (ReceiptState.HANDLED, ReceiptState.IGNORED)
        if ended and receipt.erased_at is None and chats.show_clients(receipt):
            changes += without_raw(receipt, now)
    return changes


class DeskChats(NamedTuple):
    """The Telegram chats in which those at the desk, and those it works for, are shown what clients wrote.

    What somebody presses there, or replies to, stands in the update: a card, with a client's words.
    """

    secretaries: frozenset[str]
    """Their lanes."""
    principals: frozenset[str]

    @classmethod
    async def of(cls, store: Store) -> Self:
        """Those of all who are or were at the desk."""
        at_desk = [s for active in (True, False) for s in await store.list(SECRETARIES, active, limit=MOST_PEOPLE)]
        owners = [p for active in (True, False) for p in await store.list(PRINCIPALS, active, limit=MOST_PEOPLE)]
        return cls(frozenset(str(s.chat_id) for s in at_desk), frozenset(str(p.chat_id) for p in owners))

    def show_clients(self, receipt: Receipt) -> bool:
        """Whether what came may show any client, and is no client's own."""
        if not receipt.channel_id.startswith("telegram:"):
            return False
        # Groups, whose numbers are negative (Bot API, Chat), are the desk's: clients have private chats.
        if receipt.lane in self.secretaries or receipt.lane.startswith("-"):
            return True
        # A principal's own requests come by the same chat; each led to a conversation, and goes with it.
        return receipt.lane in self.principals and receipt.conversation_id is None


def older_than(instant: datetime) -> str:
    """An id no document made before that instant exceeds: ids are UUIDv7, whose first 48 bits are milliseconds."""
    milliseconds = f"{max(int(instant.timestamp() * 1000), 0):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-0"


def come_to(progress: Progress | None, loop: str, behind: str) -> Changes:
    """That the loop has looked at everything up to this id."""
    if progress is None:
        return Changes(inserts=[Progress(id=loop, behind=behind)])
    return Changes(replacements=[Progress(id=loop, version=progress.version, behind=behind)])
