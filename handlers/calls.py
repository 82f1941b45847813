"""Telephone messages: taken in one go, passed on to whom the call was for, or kept to call back."""

from __future__ import annotations

from typing import Any

import msgspec
from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import Calls, DropCall, KeepCall, MarkCall, PassOn, TellAccount, check
from handlers.desk import Desk, Unit
from handlers.drafts import message_key
from handlers.forums import account_here
from handlers.sending import leaving
from handlers.slips import call_words, slip_subject, slip_text
from handlers.views import Voice
from inbox import outbox
from inbox.alarms import raised, raised_unless_seen
from inbox.assignment import balance, held_by, may_serve
from inbox.calls import begun, filled_out, get_hers, read_call
from inbox.contacts import know
from inbox.conversations import event, opened, placement_event, received
from inbox.deadlines import due
from inbox.drafts import open_key, require_open
from inbox.envelope import Envelope, Sender
from inbox.errors import InvalidTransition, NotFound
from inbox.model import (
    Account,
    AddressKind,
    Contact,
    Conversation,
    DeliveryState,
    Draft,
    Presence,
    Priority,
    Secretary,
    Slip,
    Status,
)
from inbox.model import Message as CalledIn
from inbox.notes import plain
from inbox.notices import CallsNotice, SlipNotice
from inbox.parts import PHONE, UNSORTED, AccountId, Because, ChannelId, DraftId, new_id
from inbox.passing import ON_THEIR_WAY, Routes, list_told, routes_to, told_in_telegram
from inbox.store.base import Changes
from inbox.store.documents import ADDRESS_BY_VALUE, MESSAGES_OF_CONVERSATION, SHOWN_BY_MESSAGE


def build_router() -> Router:
    """/appel, its buttons, and the words of a call. Include it before drafts, which take every other message."""
    router = Router(name="calls")
    router.message.register(take_call, Command("appel", "call"))
    router.callback_query.register(choose, Calls.filter())
    router.callback_query.register(mark, MarkCall.filter())
    router.callback_query.register(keep, KeepCall.filter())
    router.callback_query.register(drop, DropCall.filter())
    router.callback_query.register(pass_on, PassOn.filter())
    router.callback_query.register(tell_account, TellAccount.filter())
    router.message.register(write, F.text, ~F.text.startswith("/"), answers_a_slip)
    return router


def answered_accounts(desk: Desk, secretary: Secretary) -> list[Account]:
    """The accounts whose telephone she answers, by name."""
    served = (a for a in desk.accounts.values() if a.id != UNSORTED and not a.retired and may_serve(secretary, a.id))
    return sorted(served, key=lambda a: (a.name, a.id))


def _shown(unit: Unit, secretary: Secretary, payload: SlipNotice | CallsNotice) -> Changes:
    return Changes(inserts=[outbox.shown_to(secretary, payload, unit.now)])


async def _settle(
    unit: Unit,
    secretary: Secretary,
    changes: Changes,
    payload: SlipNotice | CallsNotice,
    account_id: AccountId | None,
) -> None:
    await unit.commit(changes + _shown(unit, secretary, payload), account_id=account_id)


def _pressed(query: CallbackQuery) -> int | None:
    return query.message.message_id if query.message else None


async def take_call(message: Message, command: CommandObject, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """`/appel`, and the account and the words behind it as far as she wrote them; in an account's group, that one."""
    accounts = answered_accounts(desk, secretary)
    if not accounts:
        raise NotFound
    account, words = _named(accounts, (command.args or "").strip())
    if account is None:
        here = await account_here(unit)
        likely = [a for a in accounts if here in (None, a.id)]
        account = likely[0] if len(likely) == 1 else None
    if account is None:
        if words:
            raise InvalidTransition("error.call_account", name=words.split()[0][:30])
        await _settle(unit, secretary, Changes(), CallsNotice(secretary_id=secretary.id), None)
        return
    slip = begun(account.id, secretary, unit.now)
    if words:
        slip = _filled(slip, words, unit, desk)
    notice = SlipNotice(secretary_id=secretary.id, slip_id=slip.id)
    await _settle(unit, secretary, Changes(inserts=[slip]), notice, account.id)


def _named(accounts: list[Account], words: str) -> tuple[Account | None, str]:
    """The account whose key, or a word of whose name, stands first; and what follows."""
    first, _, rest = words.partition(" ")
    wanted = plain(first.strip(",;:"))
    found = [a for a in accounts if a.id == wanted] or [a for a in accounts if wanted in plain(a.name).split()]
    return (found[0], rest.strip()) if wanted and len(found) == 1 else (None, words)


def _filled(slip: Slip, words: str, unit: Unit, desk: Desk) -> Slip:
    return filled_out(slip, words, read_call(words, desk.country, desk.local(unit.now)), unit.now)


async def choose(query: CallbackQuery, callback_data: Calls, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """The account the call was for, whose words are asked for then; or another page of accounts, in place."""
    if callback_data.position == -1:
        page = max(0, min(callback_data.page, 999))
        turned = CallsNotice(secretary_id=secretary.id, page=page, edits=_pressed(query))
        await _settle(unit, secretary, Changes(), turned, None)
        return
    accounts = answered_accounts(desk, secretary)
    if callback_data.check != check([a.id for a in accounts]) or not 0 <= callback_data.position < len(accounts):
        raise InvalidTransition("error.list_changed")
    slip = begun(accounts[callback_data.position].id, secretary, unit.now)
    notice = SlipNotice(secretary_id=secretary.id, slip_id=slip.id)
    await _settle(unit, secretary, Changes(inserts=[slip]), notice, slip.account_id)


async def answers_a_slip(message: Message, unit: Unit, desk: Desk) -> dict[str, Any] | bool:
    """Whether a message replies to a telephone message, or to the question for its words."""
    if message.reply_to_message is None:
        return False
    key = message_key(unit.receipt.channel_id, message.chat.id, message.reply_to_message.message_id)
    shown = await desk.store.find_by(SHOWN_BY_MESSAGE, key)
    return {"slip_id": shown.slip_id} if shown is not None and shown.slip_id is not None else False


async def write(message: Message, unit: Unit, desk: Desk, secretary: Secretary, slip_id: str) -> None:
    """The words of the call, in place of what stood there."""
    slip = await get_hers(desk.store, slip_id, secretary)
    slip = _filled(slip, message.text or "", unit, desk)
    notice = SlipNotice(secretary_id=secretary.id, slip_id=slip.id)
    await _settle(unit, secretary, Changes(replacements=[slip]), notice, slip.account_id)


async def mark(query: CallbackQuery, callback_data: MarkCall, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """Urgent or not."""
    slip = await get_hers(desk.store, callback_data.slip, secretary)
    await _marked(slip, msgspec.structs.replace(slip, urgent=callback_data.urgent), query, unit, secretary)


async def keep(query: CallbackQuery, callback_data: KeepCall, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """Who calls back."""
    slip = await get_hers(desk.store, callback_data.slip, secretary)
    await _marked(slip, msgspec.structs.replace(slip, ours=callback_data.ours), query, unit, secretary)


async def _marked(before: Slip, after: Slip, query: CallbackQuery, unit: Unit, secretary: Secretary) -> None:
    notice = SlipNotice(secretary_id=secretary.id, slip_id=after.id, edits=_pressed(query))
    changed = [msgspec.structs.replace(after, updated_at=unit.now)] if after != before else []
    await _settle(unit, secretary, Changes(replacements=changed), notice, after.account_id)


async def drop(
    query: CallbackQuery, callback_data: DropCall, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Throw it away."""
    slip = await get_hers(desk.store, callback_data.slip, secretary)
    notice = SlipNotice(secretary_id=secretary.id, slip_id=slip.id, edits=_pressed(query))
    await _settle(unit, secretary, Changes(deletions=[slip]), notice, slip.account_id)
    unit.say(voice.say("toast.discarded"))


async def pass_on(
    query: CallbackQuery, callback_data: PassOn, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """It becomes a conversation: on its way to the account, or waiting to be called back."""
    slip = await get_hers(desk.store, callback_data.slip, secretary)
    account = desk.accounts.get(slip.account_id)
    if account is None:
        raise NotFound
    notice = SlipNotice(secretary_id=secretary.id, slip_id=slip.id, edits=_pressed(query))
    if slip.version != callback_data.seen or not slip.words:
        await _settle(unit, secretary, Changes(), notice, account.id)
        unit.say(voice.say("error.draft_changed"), alert=True)
        return
    told = Voice(desk.texts, account.language, account.time_zone, unit.now)
    way = Routes()
    if not slip.ours and not await _is_barred(slip, desk):
        way = await routes_to(desk.store, account, urgent=slip.urgent)
    conversation, message, changes = await _become(slip, account, told, unit, desk, by_mail=way.mail)
    if way.exist and not way.mail:
        conversation = msgspec.structs.replace(conversation, waiting_since_at=None, answer_by_at=None)
    conversation, placed = await _placed(slip, conversation, unit, desk, secretary, is_hers=way.exist or slip.ours)
    changes += placed + Changes(deletions=[slip]) + _shown(unit, secretary, notice)
    if way.mail:
        draft = Draft(
            id=DraftId(new_id()),
            account_id=account.id,
            conversation_id=conversation.id,
            author_id=secretary.id,
            text=slip_text(slip, desk.country, told),
            recipients=(account.messages_to or "",),
            seen_inbound=conversation.inbound_count,
            open_key=open_key(conversation.id, secretary.id),
            approved_by=secretary.id,  # whom it goes to is the account itself
            for_account=True,
            created_at=unit.now,
            updated_at=unit.now,
        )
        changes += Changes(inserts=[draft, outbox.preview_for(secretary, draft, unit.now, fresh=True)])
        changes += await leaving(desk, draft, conversation, secretary, unit.now, unit.now + desk.undo, is_decided=True)
    elif way.exist:
        changes += await told_in_telegram(desk.store, account, conversation, message, secretary, unit.now, unit.now)
    if way.exist:
        changes += await raised(desk.store, conversation, unit.now)
        unit.say(voice.say("toast.passed_on", account=account.name))
    else:
        unit.say(voice.say("toast.call_kept", number=str(conversation.number)))
    await unit.commit(changes, account_id=account.id, conversation_id=conversation.id)


async def _is_barred(slip: Slip, desk: Desk) -> bool:
    """Whether somebody called whom the desk blocked: that is kept, and rings nobody."""
    address = await desk.store.find_by(ADDRESS_BY_VALUE, slip.account_id, AddressKind.PHONE, slip.number)
    return address is not None and (await desk.store.get(Contact, address.contact_id)).barred_at is not None


async def _become(
    slip: Slip, account: Account, told: Voice, unit: Unit, desk: Desk, *, by_mail: bool
) -> tuple[Conversation, CalledIn, Changes]:
    """The conversation it is from now on, with whoever called, and what they said."""
    channel_id = account.mailbox if by_mail and account.mailbox is not None else PHONE
    envelope = Envelope(
        external_id=f"{PHONE}:{slip.id}",
        sender=Sender(kind=AddressKind.PHONE, value=slip.number, name=slip.caller or slip.number),
        subject=slip_subject(slip, desk.country, told),
        text=slip_text(slip, desk.country, told),
        reply_to=account.messages_to if by_mail else None,
    )
    known = await know(desk.store, account.id, channel_id, envelope.sender, unit.now)
    number = await desk.numbers.take()
    new = opened(number, account, known.contact, channel_id, envelope, unit.now, related=None)
    new, message = received(new, known.contact, envelope, unit.receipt, envelope.external_id, unit.now)
    # The receipt is her press: it is nobody's words.
    message = msgspec.structs.replace(message, channel_id=channel_id, receipt_id=None, blob_id=None)
    new = due(msgspec.structs.replace(new, priority=Priority.URGENT if slip.urgent else Priority.NORMAL), account)
    lines = [
        event("opened", new, unit.now, actor=known.contact),
        event("called", new, unit.now, actor=known.contact, detail={"message": message.id}),
    ]
    return new, message, known.changes + Changes(inserts=[message, *lines])


async def _placed(
    slip: Slip, conversation: Conversation, unit: Unit, desk: Desk, secretary: Secretary, *, is_hers: bool
) -> tuple[Conversation, Changes]:
    """With whoever took the call, if she is there and it is hers to see to; else with whomever the rule names."""
    presence = await desk.store.get(Presence, secretary.id)
    if conversation.status is Status.CLOSED:  # somebody the desk blocked
        return conversation, Changes(inserts=[conversation])
    if not (is_hers and presence.on_duty):
        placement = await desk.triage.place(conversation, unit.now)
        after, notices = placement.conversation, placement.notices
        changes = Changes(inserts=[after, placement_event(after, unit.now), *notices])
        return after, changes + await balance(desk.store, None, after, unit.now)
    after = held_by(conversation, secretary.id, Because(key="because.call", args={"name": secretary.name}), unit.now)
    if slip.ours and slip.call_back_at is not None and slip.call_back_at > unit.now:
        after = msgspec.structs.replace(
            after,
            status=Status.SNOOZED,
            snoozed_until_at=slip.call_back_at,
            because=Because(key="because.snoozed", args={"name": secretary.name}),
        )
    card = outbox.card_for(secretary, after, unit.now, fresh=True, quiet=True)
    changes = Changes(inserts=[after, placement_event(after, unit.now), card])
    return after, changes + await balance(desk.store, None, after, unit.now)


async def tell_account(
    query: CallbackQuery, callback_data: TellAccount, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A call that waits becomes a draft to the account, and is answered by mail; or goes to it by Telegram alone."""
    before = await desk.store.get(Conversation, callback_data.conversation)
    require_open(before, secretary)
    account = desk.accounts.get(before.account_id)
    urgent = before.priority is Priority.URGENT
    way = await routes_to(desk.store, account, urgent=urgent) if account is not None else Routes()
    if account is None or not way.exist:
        raise InvalidTransition("error.no_way")
    if before.assignee_id != secretary.id:
        raise InvalidTransition("error.not_yours" if before.assignee_id else "error.take_it_first")
    (first,) = await desk.store.list(MESSAGES_OF_CONVERSATION, before.id, limit=1)
    if before.channel_id != PHONE:
        raise InvalidTransition("error.already_told")
    if account.mailbox is not None and way.mail:
        changes = await _drafted(before, first, account, account.mailbox, unit, secretary)
        said = voice.say("toast.draft", number=str(before.number))
    else:
        changes = await _told_at_once(before, first, account, unit, secretary)
        said = voice.say("toast.passed_on", account=account.name)
    changes += await raised_unless_seen(desk.store, changes.newest(before), unit.now)
    card = outbox.card_for(secretary, changes.newest(before), unit.now, fresh=False)
    await unit.commit(changes + Changes(inserts=[card]), account_id=account.id, conversation_id=before.id)
    unit.say(said)


async def _told_at_once(
    before: Conversation, first: CalledIn, account: Account, unit: Unit, secretary: Secretary
) -> Changes:
    """The call as its account reads it in Telegram; it is done once somebody has it."""
    store = unit.desk.store
    if await list_told(store, before.id, *ON_THEIR_WAY, DeliveryState.SENT):
        raise InvalidTransition("error.already_told")
    after = msgspec.structs.replace(
        before, waiting_since_at=None, answer_by_at=None, because=Because(key="because.passing_on")
    )
    told = await told_in_telegram(store, account, after, first, secretary, unit.now, unit.now)
    return told + Changes(replacements=[after]) + await balance(store, before, after, unit.now)


async def _drafted(
    before: Conversation, first: CalledIn, account: Account, mailbox: ChannelId, unit: Unit, secretary: Secretary
) -> Changes:
    """The call as a draft to its account, by mail from now on."""
    desk = unit.desk
    told = Voice(desk.texts, account.language, account.time_zone, unit.now)
    contact = await desk.store.get(Contact, before.contact_id)
    words = call_words(first, contact, desk.country, told)
    after = msgspec.structs.replace(before, channel_id=mailbox)
    draft = Draft(
        id=DraftId(new_id()),
        account_id=account.id,
        conversation_id=after.id,
        author_id=secretary.id,
        text=words,
        recipients=(account.messages_to or "",),
        seen_inbound=before.inbound_count,
        open_key=open_key(after.id, secretary.id),
        for_account=True,
        created_at=unit.now,
        updated_at=unit.now,
    )
    answered = msgspec.structs.replace(first, reply_to=account.messages_to or "")
    return Changes(
        replacements=[after, answered],
        inserts=[draft, outbox.preview_for(secretary, draft, unit.now, fresh=True)],
    )
