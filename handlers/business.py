"""A professional's own Telegram, connected to a bot: the desk answers there in their name, and sees what they do.

Nothing is read there of anybody nobody here works for: it is set aside as
ignored, and its raw form erased.
"""

from __future__ import annotations

import msgspec
import structlog
from aiogram.types import CallbackQuery

from channels.errors import PermanentFailure
from handlers.callbacks import ChooseBusiness, check
from handlers.desk import Desk, Unit
from inbox import outbox
from inbox.assignment import balance, may_serve
from inbox.business import (
    account_for,
    accounts_of,
    addressed,
    answered_by,
    connected,
    connection_id,
    find_connection,
    rewritten,
    withdrawn,
)
from inbox.contacts import spoken
from inbox.conversations import event
from inbox.drafts import find_open, hold_stale_replies
from inbox.envelope import Connected, Correspondence, Envelope, Withdrawn
from inbox.errors import InvalidTransition, NotFound
from inbox.matching import chat_message_id, in_own_telegram, match_chat, open_chat_key
from inbox.model import (
    UNSORTED,
    AccountId,
    AddressKind,
    Because,
    BusinessConnection,
    Button,
    Contact,
    Conversation,
    ConversationId,
    Direction,
    Event,
    Message,
    Principal,
    Secretary,
    TextNotice,
    new_id,
)
from inbox.set_aside import hold_set_aside
from inbox.store.base import Changes
from inbox.store.documents import (
    ADDRESS_BY_VALUE,
    CONVERSATION_IN_CHAT,
    MESSAGE_BY_EXTERNAL_ID,
    PRINCIPAL_BY_TELEGRAM,
)

log = structlog.get_logger(__name__)

MOST_TO_CHOOSE = 20
"""Accounts somebody is asked to choose among."""
_NOT_OURS = "from a Telegram account nobody here works for"
_NOTHING_HERE = "nothing of the desk's in that chat"
_KNOWN = "received before"


async def _ignore(
    unit: Unit, reason: str, account_id: AccountId | None = None, conversation_id: ConversationId | None = None
) -> None:
    """It changes nothing here; and where it is none of the desk's, nothing of it is kept."""
    await unit.ignore(reason, account_id, conversation_id, erased=reason in (_NOT_OURS, _NOTHING_HERE))


async def _settle(
    unit: Unit, changes: Changes, account_id: AccountId | None, conversation_id: ConversationId | None = None
) -> None:
    await unit.commit(changes, account_id=account_id, conversation_id=conversation_id)


# ---------------------------------------------------------------- connecting


async def take_connection(unit: Unit, said: Connected) -> None:
    """Somebody connected the bot, changed what it may, or took it away: they are told what that means."""
    channel_id = unit.receipt.channel_id
    before = await unit.desk.store.find(BusinessConnection, connection_id(channel_id, said.telegram_user_id))
    connection = connected(said, before, channel_id, unit.now)
    principal = await unit.desk.store.find_by(PRINCIPAL_BY_TELEGRAM, said.telegram_user_id)
    theirs = accounts_of(principal, unit.desk.accounts)
    account_id = account_for(connection, theirs, unit.desk.own_account.get(channel_id))
    changes = _kept(connection)
    if principal is not None and account_id is not None:
        kind = "business_connected" if connection.is_enabled else "business_disconnected"
        changes += Changes(inserts=[_noted(kind, account_id, principal, unit)])
    await _settle(unit, changes + _told(unit, connection, principal, account_id, theirs), account_id)


def _kept(connection: BusinessConnection) -> Changes:
    return Changes(replacements=[connection]) if connection.version else Changes(inserts=[connection])


def _noted(kind: str, account_id: AccountId, principal: Principal, unit: Unit) -> Event:
    return Event(
        id=new_id(), account_id=account_id, at=unit.now, kind=kind, actor=principal.id, actor_name=principal.name
    )


def _told(
    unit: Unit,
    connection: BusinessConnection,
    principal: Principal | None,
    account_id: AccountId | None,
    theirs: list[AccountId],
) -> Changes:
    """What is so from now on, and for which account; of several, they are asked."""
    desk = unit.desk
    language = principal.language if principal is not None else spoken(connection.language, desk.language)
    buttons: tuple[tuple[Button, ...], ...] = ()
    args = {"name": connection.name}
    if account_id is None:
        key = "business.stranger" if connection.is_enabled else "business.off"
    elif not connection.is_enabled:
        key = "business.off"
    elif account_id == UNSORTED:
        key, buttons = "business.which", _choices(theirs, desk)
    else:
        key = "business.on" if connection.may_reply else "business.mute"
        args["account"] = desk.accounts[account_id].name
    notice = TextNotice(
        chat_id=connection.chat_id, language=language, because=Because(key=key, args=args), buttons=buttons
    )
    told = outbox.notice(notice, connection.channel_id, connection.chat_id, unit.now)
    return Changes(inserts=[told])


def _choices(theirs: list[AccountId], desk: Desk) -> tuple[tuple[Button, ...], ...]:
    said = check(theirs)
    return tuple(
        (Button(text=desk.accounts[each].name[:60], data=ChooseBusiness(position=n, check=said).pack()),)
        for n, each in enumerate(theirs[:MOST_TO_CHOOSE])
    )


async def choose(unit: Unit, principal: Principal, query: CallbackQuery) -> None:
    """The account for which whoever writes to them is answered.

    Raises:
        NotFound: they have not connected the bot.
        InvalidTransition: their accounts changed since they were asked.
    """
    try:
        chosen = ChooseBusiness.unpack(query.data or "")
    except (TypeError, ValueError):
        raise NotFound from None
    store, channel_id = unit.desk.store, unit.receipt.channel_id
    connection = await store.find(BusinessConnection, connection_id(channel_id, principal.telegram_user_id))
    if connection is None:
        raise NotFound
    theirs = accounts_of(principal, unit.desk.accounts)
    if chosen.check != check(theirs) or not 0 <= chosen.position < len(theirs):
        raise InvalidTransition("error.list_changed")
    account_id = theirs[chosen.position]
    connection = msgspec.structs.replace(connection, account_id=account_id)
    changes = Changes(replacements=[connection], inserts=[_noted("business_connected", account_id, principal, unit)])
    await _settle(unit, changes + _told(unit, connection, principal, account_id, theirs), account_id)


class _Place:
    """Whose Telegram something happened in, and for which account it counts."""

    def __init__(
        self,
        connection: BusinessConnection,
        principal: Principal,
        accounts: list[AccountId],
        learned: Changes,
    ) -> None:
        self.connection = connection
        self.principal = principal
        self.accounts = accounts
        """Where it may count: where their correspondents' words go first, then the others they speak for."""
        self.learned = learned
        """What was only now learned of the connection."""

    @property
    def through(self) -> int:
        return self.connection.telegram_user_id


async def _place(unit: Unit, connection: str) -> _Place | None:
    """None: nothing there is the desk's to read.

    Raises:
        ChannelError: Telegram must be asked whose it is, and cannot be asked now.
    """
    store, channel_id = unit.desk.store, unit.receipt.channel_id
    found, learned = await find_connection(store, channel_id, connection), Changes()
    if found is None or not found.is_enabled:
        # Updates wait a day at Telegram, and no longer: who connected it while no worker ran is asked for.
        try:
            said = await unit.desk.chats[channel_id].connection(connection)
        except PermanentFailure as failure:
            log.info("business_connection_unknown", channel=channel_id, detail=failure.detail)
            return None
        before = await store.find(BusinessConnection, connection_id(channel_id, said.telegram_user_id))
        found = connected(said, before, channel_id, unit.now)
        learned = _kept(found)
    principal = await store.find_by(PRINCIPAL_BY_TELEGRAM, found.telegram_user_id)
    theirs = accounts_of(principal, unit.desk.accounts)
    first = account_for(found, theirs, unit.desk.own_account.get(channel_id))
    if principal is None or first is None:
        return None
    return _Place(found, principal, list(dict.fromkeys((first, *theirs, UNSORTED))), learned)


# ---------------------------------------------------------------- what is said there


async def take_message(unit: Unit, said: Correspondence) -> None:
    """A message to somebody we work for, or from them, in their own Telegram."""
    place = await _place(unit, said.connection)
    if place is None or said.other.value == str(place.through):
        await _ignore(unit, _NOT_OURS)
        return
    envelope = addressed(said.envelope, place.through)
    if said.is_own:
        await _take_own(unit, place, said, envelope)
        return
    account_id = await _account_for(unit, place, envelope)
    # Nothing is said by itself in somebody's own name.
    taken = await unit.desk.triage.take_in(unit.receipt, envelope, account_id, unit.now)
    if taken.ignored is not None:
        await _ignore(unit, taken.ignored, taken.account_id, taken.conversation_id)
        return
    await _settle(unit, taken.changes + place.learned, taken.account_id, taken.conversation_id)


async def _account_for(unit: Unit, place: _Place, envelope: Envelope) -> AccountId:
    """Where words go: to what they edit, then to where that chat is open already, then where their person said."""
    store, channel_id = unit.desk.store, unit.receipt.channel_id
    for account_id in place.accounts if envelope.edit else ():
        named = chat_message_id(channel_id, envelope.external_id)
        if await store.find_by(MESSAGE_BY_EXTERNAL_ID, account_id, named) is not None:
            return account_id
    for account_id in place.accounts if envelope.sender.chat_id is not None else ():
        key = open_chat_key(channel_id, envelope.sender.chat_id or 0, account_id, place.through)
        if await store.find_by(CONVERSATION_IN_CHAT, key) is not None:
            return account_id
    return place.accounts[0]


async def _take_own(unit: Unit, place: _Place, said: Correspondence, envelope: Envelope) -> None:
    """What its person said there themselves: whoever they answered waits for the desk no longer."""
    store, channel_id, now = unit.desk.store, unit.receipt.channel_id, unit.now
    known_as = chat_message_id(channel_id, envelope.external_id)
    for account_id in place.accounts:
        known = await store.find_by(MESSAGE_BY_EXTERNAL_ID, account_id, known_as)
        if known is not None:
            await _rewrite(unit, place, known, envelope)
            return
    before = await _spoken_in(unit, place, said, envelope) if not envelope.edit else None
    if before is None:
        await _ignore(unit, _NOTHING_HERE)
        return
    after, message = answered_by(
        place.principal, before, envelope, unit.receipt, known_as, now, by_itself=said.by_itself
    )
    changes = place.learned + Changes(inserts=[message])
    if not said.by_itself:
        line = event("answered_by_owner", after, now, actor=place.principal, detail={"message": message.id})
        changes += Changes(inserts=[line])
    changes += await _shown(unit, before, after, changes, fresh=not said.by_itself)
    await _settle(unit, changes, after.account_id, after.id)


async def _rewrite(unit: Unit, place: _Place, known: Message, envelope: Envelope) -> None:
    if not envelope.edit or known.direction is not Direction.OUTBOUND or known.text == envelope.text:
        await _ignore(unit, _KNOWN, known.account_id, known.conversation_id)
        return
    conversation = await unit.desk.store.get(Conversation, known.conversation_id)
    line = event("rewritten", conversation, unit.now, actor=place.principal, detail={"message": known.id})
    changes = Changes(replacements=[rewritten(known, envelope, unit.now)], inserts=[line])
    changes += await _shown(unit, conversation, conversation, changes, fresh=False)
    await _settle(unit, changes, known.account_id, known.conversation_id)


async def _spoken_in(unit: Unit, place: _Place, said: Correspondence, envelope: Envelope) -> Conversation | None:
    """The conversation with the other side of a chat, as that side would find it."""
    store, channel_id = unit.desk.store, unit.receipt.channel_id
    for account_id in place.accounts:
        address = await store.find_by(ADDRESS_BY_VALUE, account_id, AddressKind.TELEGRAM, said.other.value)
        if address is None:
            continue
        contact = await store.get(Contact, address.contact_id)
        account = unit.desk.accounts[account_id]
        match = await match_chat(store, channel_id, account, envelope, contact, unit.now)
        if match.joins is not None:
            return match.joins
    return None


async def take_withdrawal(unit: Unit, said: Withdrawn) -> None:
    """Messages were taken out of a chat: whoever sees them here sees that, and answers nothing that is gone."""
    place = await _place(unit, said.connection)
    if place is None:
        await _ignore(unit, _NOT_OURS)
        return
    gone: dict[ConversationId, list[Message]] = {}
    for external_id in said.external_ids:
        message = await _named(unit, place, external_id)
        if message is not None and message.deleted_at is None:
            gone.setdefault(message.conversation_id, []).append(message)
    if not gone:
        await _ignore(unit, _NOTHING_HERE)
        return
    changes = place.learned
    for conversation_id, messages in gone.items():
        before = await unit.desk.store.get(Conversation, conversation_id)
        after, marked = await withdrawn(unit.desk.store, before, messages, unit.now)
        changes += marked
        changes += await _shown(unit, before, after, changes, fresh=False)
    (first, *_) = gone.values()
    await _settle(unit, changes, first[0].account_id, first[0].conversation_id)


async def _named(unit: Unit, place: _Place, external_id: str) -> Message | None:
    known_as = chat_message_id(unit.receipt.channel_id, in_own_telegram(place.through, external_id))
    for account_id in place.accounts:
        found = await unit.desk.store.find_by(MESSAGE_BY_EXTERNAL_ID, account_id, known_as)
        if found is not None:
            return found
    return None


async def _shown(unit: Unit, before: Conversation, after: Conversation, so_far: Changes, *, fresh: bool) -> Changes:
    """The rest of the unit: replies written without having seen it are held, and its holder sees it."""
    store, now = unit.desk.store, unit.now
    changes = Changes(replacements=[after])
    if after.inbound_count != before.inbound_count:
        changes += await hold_stale_replies(store, after, now)
        changes += await hold_set_aside(store, after, so_far + changes, now)
    changes += await balance(store, before, after, now)
    if after.assignee_id is None:
        return changes
    holder = await store.get(Secretary, after.assignee_id)
    if not may_serve(holder, after.account_id):
        return changes
    changes += Changes(inserts=[outbox.card_for(holder, after, now, fresh=fresh, quiet=True)])
    draft = await find_open(store, after.id, holder.id)
    if draft is not None:
        changes += Changes(inserts=[outbox.preview_for(holder, draft, now, fresh=False)])
    return changes
