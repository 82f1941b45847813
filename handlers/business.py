"""A professional's own Telegram, connected to a bot: the desk answers there in their name, and sees what they do.

Nothing is read there of anybody nobody here works for: it is set aside as
ignored, and its raw form erased.
"""

from __future__ import annotations

import msgspec
import structlog
from aiogram.types import CallbackQuery
from aiogram.types import Update as TelegramUpdate

from channels.errors import PermanentFailure
from handlers.callbacks import ChooseBusiness, check
from handlers.desk import Desk, Unit
from inbox import outbox
from inbox.assignment import balance, balance_all, may_serve
from inbox.business import (
    account_for,
    accounts_of,
    addressed,
    answered_by,
    connected,
    connection_id,
    find_connection,
    is_older,
    rewritten,
    withdrawn,
)
from inbox.contacts import spoken
from inbox.conversations import event
from inbox.drafts import find_open, hold_stale_replies
from inbox.envelope import Connected, Correspondence, Envelope, Update, Withdrawn
from inbox.errors import InvalidTransition, NotFound
from inbox.matching import chat_message_id, in_own_telegram, match_chat, open_chat_key
from inbox.model import (
    AddressKind,
    BusinessConnection,
    Contact,
    Conversation,
    Direction,
    Event,
    Message,
    Principal,
    Secretary,
)
from inbox.notices import TextNotice
from inbox.parts import UNSORTED, AccountId, Because, Button, ConversationId, new_id
from inbox.set_aside import hold_set_aside
from inbox.store.base import Changes
from inbox.store.documents import (
    ADDRESS_BY_VALUE,
    CONVERSATION_IN_CHAT,
    CONVERSATIONS_OF_CONTACT,
    MESSAGE_BY_EXTERNAL_ID,
    MESSAGES_OF_CONVERSATION,
    PRINCIPAL_BY_TELEGRAM,
)

log = structlog.get_logger(__name__)

MOST_TO_CHOOSE = 20
"""Accounts somebody is asked to choose among."""
MOST_LOOKED_THROUGH = 5
"""Conversations of a contact, the newest, in which a part of a message is looked for."""
_NOT_OURS = "from a Telegram account nobody here works for"
_NOTHING_HERE = "nothing of the desk's in that chat"
_KNOWN = "received before"


async def _ignore(
    unit: Unit, reason: str, account_id: AccountId | None = None, conversation_id: ConversationId | None = None
) -> None:
    """It changes nothing here; and where it is none of the desk's, nothing of it is kept."""
    await unit.ignore(reason, account_id, conversation_id, erased=reason in (_NOT_OURS, _NOTHING_HERE))


async def _settle(
    unit: Unit,
    changes: Changes,
    account_id: AccountId | None,
    conversation_id: ConversationId | None = None,
    *,
    erased: bool = False,
) -> None:
    await unit.commit(changes, account_id=account_id, conversation_id=conversation_id, erased=erased)


# ---------------------------------------------------------------- connecting


async def take_connection(unit: Unit, said: Connected) -> None:
    """Somebody connected the bot, changed what it may, or took it away: they are told what that means."""
    channel_id = unit.receipt.channel_id
    before = await unit.desk.store.find(BusinessConnection, connection_id(channel_id, said.telegram_user_id))
    if before is not None and is_older(said, before):
        await _ignore(unit, "of a connection that was made anew since")
        return
    connection = connected(said, before, channel_id, unit.now)
    principal = await unit.desk.store.find_by(PRINCIPAL_BY_TELEGRAM, said.telegram_user_id)
    theirs = accounts_of(principal, unit.desk.accounts)
    account_id = account_for(connection, theirs, unit.desk.own_account.get(channel_id))
    # Of whom nobody works for only that they are is kept: they may join yet, and need not be asked for each time.
    changes = _kept(connection if theirs else msgspec.structs.replace(connection, name="", language=None))
    if principal is not None and account_id is not None:
        kind = "business_connected" if connection.is_enabled else "business_disconnected"
        changes += Changes(inserts=[_noted(kind, account_id, principal, unit)])
    changes += _told(unit, connection, principal, account_id, theirs)
    await _settle(unit, changes, account_id, erased=not theirs)


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


async def chosen(unit: Unit, update: Update) -> bool:
    """Whether somebody pressed for which of their accounts it is, on a bot that is none of the desk's."""
    query = TelegramUpdate.model_validate(update.update).callback_query
    principal = await unit.desk.store.find_by(PRINCIPAL_BY_TELEGRAM, update.telegram_user_id)
    is_choice = query is not None and (query.data or "").partition(":")[0] == ChooseBusiness.__prefix__
    if query is None or principal is None or not principal.active or not is_choice:
        return False
    try:
        await choose(unit, principal, query)
    except (NotFound, InvalidTransition) as error:
        unit.say(unit.desk.texts.say(principal.language, error.key, **error.args_shown), alert=True)
        return False
    return True


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
        self.in_parts: dict[str, list[Message]] = {}
        """By the other side of a chat: what was said there in several messages, looked up once."""

    @property
    def through(self) -> int:
        return self.connection.telegram_user_id


class ConnectionUnknown(Exception):
    """Neither the store nor Telegram knows whose it is: what came by it is parked, to be looked at."""


async def _place(unit: Unit, connection: str) -> _Place | None:
    """None: nothing there is the desk's to read.

    Raises:
        TemporaryFailure: Telegram must be asked whose it is, and cannot be asked now.
        ConnectionUnknown: Telegram does not know either.
    """
    store, channel_id = unit.desk.store, unit.receipt.channel_id
    found, learned = await find_connection(store, channel_id, connection), Changes()
    if found is None:
        # Updates wait a day at Telegram, and no longer: who connected it while no worker ran is asked for.
        try:
            said = await unit.desk.chats[channel_id].connection(connection)
        except PermanentFailure as failure:
            raise ConnectionUnknown(failure.detail) from None
        found = await store.find(BusinessConnection, connection_id(channel_id, said.telegram_user_id))
        if found is None or (said.is_enabled and not is_older(said, found)):
            found = connected(said, found, channel_id, unit.now)
            learned = _kept(found)
    principal = await store.find_by(PRINCIPAL_BY_TELEGRAM, found.telegram_user_id)
    theirs = accounts_of(principal, unit.desk.accounts)
    first = account_for(found, theirs, unit.desk.own_account.get(channel_id))
    if principal is None or first is None:
        return None
    if not found.name:  # they connected it before the desk worked for them
        found = msgspec.structs.replace(found, name=principal.name)
        learned = _kept(found)
    return _Place(found, principal, list(dict.fromkeys((first, *theirs, UNSORTED))), learned)


# ---------------------------------------------------------------- what is said there


async def take_message(unit: Unit, said: Correspondence) -> None:
    """A message to somebody we work for, or from them, in their own Telegram."""
    place = await _place(unit, said.connection)
    if place is None or said.other.value == str(place.through):
        await _ignore(unit, _NOT_OURS)
        return
    envelope = addressed(said.envelope, place.through)
    about = envelope.external_id if envelope.edit else envelope.replies_to
    held_by = await _holds(unit, place, said.other.value, about)
    if said.is_own:
        await _take_own(unit, place, said, envelope, held_by)
        return
    if envelope.edit and held_by is None and not _came_first_after(said, place):
        await _ignore(unit, _NOTHING_HERE)
        return
    if envelope.edit and held_by is None and await _is_anothers(unit, envelope):
        await _ignore(unit, _NOTHING_HERE)
        return
    account_id = held_by if held_by is not None else await _open_in(unit, place, envelope) or place.accounts[0]
    if held_by is None:
        # Whatever it answers was not said to this account, for all that is known here: a wall.
        envelope = msgspec.structs.replace(envelope, quotes="")
    # Nothing is said by itself in somebody's own name.
    taken = await unit.desk.triage.take_in(unit.receipt, envelope, account_id, unit.now)
    if taken.ignored is not None:
        await _ignore(unit, taken.ignored, taken.account_id, taken.conversation_id)
        return
    await _settle(unit, taken.changes + place.learned, taken.account_id, taken.conversation_id)


def _came_first_after(said: Correspondence, place: _Place) -> bool:
    """Whether a message was written once the bot was connected: an older one is none of the desk's, edited or not."""
    return said.sent_at is not None and said.sent_at >= place.connection.connected_at


async def _holds(unit: Unit, place: _Place, other: str, named: str | None) -> AccountId | None:
    """The account of theirs that has a message, or one of its parts."""
    found = await _named(unit, place, other, named) if named is not None else None
    return found.account_id if found is not None else None


async def _known_as(unit: Unit, account_id: AccountId, name: str) -> Message | None:
    return await unit.desk.store.find_by(MESSAGE_BY_EXTERNAL_ID, account_id, name)


async def _is_anothers(unit: Unit, envelope: Envelope) -> bool:
    """Whether it edits what was said to an account that its person speaks for no longer: a wall."""
    name = chat_message_id(unit.receipt.channel_id, envelope.external_id)
    for account_id in unit.desk.accounts:
        if await _known_as(unit, account_id, name) is not None:
            return True
    return False


async def _open_in(unit: Unit, place: _Place, envelope: Envelope) -> AccountId | None:
    """The account of theirs in which that chat is open."""
    if envelope.sender.chat_id is None:
        return None
    for account_id in place.accounts:
        key = open_chat_key(unit.receipt.channel_id, envelope.sender.chat_id, account_id, place.through)
        if await unit.desk.store.find_by(CONVERSATION_IN_CHAT, key) is not None:
            return account_id
    return None


async def _take_own(
    unit: Unit, place: _Place, said: Correspondence, envelope: Envelope, held_by: AccountId | None
) -> None:
    """What its person said there themselves: whoever they answered waits for the desk no longer."""
    channel_id, now = unit.receipt.channel_id, unit.now
    known = await _named(unit, place, said.other.value, envelope.external_id)
    if known is not None:
        await _rewrite(unit, place, known, envelope)
        return
    before = await _spoken_in(unit, place, said, envelope, held_by) if not envelope.edit else None
    if before is None:
        await _ignore(unit, _NOTHING_HERE)
        return
    known_as = chat_message_id(channel_id, envelope.external_id)
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
    """They edited what was answered, by them or in their name; of several parts only the history says so."""
    if not envelope.edit or known.direction is not Direction.OUTBOUND or known.text == envelope.text:
        await _ignore(unit, _KNOWN, known.account_id, known.conversation_id)
        return
    before = await unit.desk.store.get(Conversation, known.conversation_id)
    after, edited = rewritten(before, known, envelope, unit.now)
    line = event("rewritten", after, unit.now, actor=place.principal, detail={"message": known.id})
    changes = Changes(replacements=[edited] if not known.parts else [], inserts=[line])
    changes += await _shown(unit, before, after, changes, fresh=False)
    await _settle(unit, changes, known.account_id, known.conversation_id)


async def _spoken_in(
    unit: Unit, place: _Place, said: Correspondence, envelope: Envelope, held_by: AccountId | None
) -> Conversation | None:
    """The conversation with the other side of a chat: that of what they answer, the open one, or the last."""
    store, channel_id = unit.desk.store, unit.receipt.channel_id
    first = held_by or await _open_in(unit, place, envelope)
    for account_id in (first,) if first is not None else place.accounts:
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
    gone: dict[ConversationId, dict[str, Message]] = {}
    for external_id in said.external_ids:
        name = in_own_telegram(place.through, external_id)
        message = await _named(unit, place, str(said.chat_id), name)
        known_as = chat_message_id(unit.receipt.channel_id, name)
        if message is not None and known_as not in message.withdrawn:
            gone.setdefault(message.conversation_id, {})[known_as] = message
    if not gone:
        await _ignore(unit, _NOTHING_HERE)
        return
    changes, moved = place.learned, []
    for conversation_id, messages in gone.items():
        before = await unit.desk.store.get(Conversation, conversation_id)
        after, marked = await withdrawn(unit.desk.store, before, messages, unit.now)
        changes += marked
        changes += await _seen(unit, before, after, changes, fresh=False)
        moved.append((before, after))
    # Together: one secretary may hold them all.
    changes += await balance_all(unit.desk.store, moved, unit.now)
    first = next(iter(gone))
    account_id = next(iter(gone[first].values())).account_id
    await _settle(unit, changes, account_id, first)


async def _named(unit: Unit, place: _Place, other: str, name: str) -> Message | None:
    """The message known so, or that has a part known so: an album, or a reply that left as several."""
    known_as = chat_message_id(unit.receipt.channel_id, name)
    for account_id in place.accounts:
        found = await _known_as(unit, account_id, known_as)
        if found is not None:
            return found
    in_parts = place.in_parts.get(other)
    if in_parts is None:
        in_parts = place.in_parts[other] = await _said_in_parts(unit, place, other)
    return next((message for message in in_parts if known_as in message.parts), None)


async def _said_in_parts(unit: Unit, place: _Place, other: str) -> list[Message]:
    """The newest albums, and replies that left as several messages, in a chat of theirs."""
    store, found = unit.desk.store, []
    for account_id in place.accounts:
        address = await store.find_by(ADDRESS_BY_VALUE, account_id, AddressKind.TELEGRAM, other)
        if address is None:
            continue
        matters = await store.list(
            CONVERSATIONS_OF_CONTACT, address.contact_id, descending=True, limit=MOST_LOOKED_THROUGH
        )
        for conversation in matters:
            if conversation.through == place.through:
                newest = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True)
                found += [message for message in newest if message.parts]
    return found


async def _shown(unit: Unit, before: Conversation, after: Conversation, so_far: Changes, *, fresh: bool) -> Changes:
    """The rest of the unit: replies written without having seen it are held, its holder sees it, and holds so much."""
    seen = await _seen(unit, before, after, so_far, fresh=fresh)
    return seen + await balance(unit.desk.store, before, after, unit.now)


async def _seen(unit: Unit, before: Conversation, after: Conversation, so_far: Changes, *, fresh: bool) -> Changes:
    store, now = unit.desk.store, unit.now
    changes = Changes(replacements=[after])
    if after.inbound_count != before.inbound_count:
        changes += await hold_stale_replies(store, after, now)
        changes += await hold_set_aside(store, after, so_far + changes, now)
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
