"""Whom we work for, in Telegram: supervisors let them in, they say what they want, what else they write is kept."""

from __future__ import annotations

from datetime import time, timedelta

import msgspec
from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message
from aiogram.types import Update as TelegramUpdate

from handlers import business, callbacks, client, instructions, on_call
from handlers.callbacks import (
    AlarmSeen,
    Answered,
    ChooseBusiness,
    Digest,
    Dismiss,
    InvitePrincipal,
    Principals,
    Ways,
    check,
)
from handlers.desk import Desk, Unit
from handlers.views import Voice
from handlers.ways import way_named
from inbox import outbox
from inbox.alarms import seen
from inbox.assignment import is_supervisor
from inbox.contacts import know
from inbox.digests import wanted_at
from inbox.envelope import Envelope, Update
from inbox.errors import Conflict, InboxError, InvalidTransition, NotAllowed, NotFound
from inbox.invitations import token_hash
from inbox.model import Account, Principal, Secretary, Way
from inbox.notices import AnsweredNotice, PrincipalsNotice, TextNotice, WaysNotice
from inbox.on_call import list_rota
from inbox.parts import AccountId, Because, Button, ChannelId
from inbox.principals import accept, dismissed, invite_principal
from inbox.store.base import Changes, Store
from inbox.store.documents import PRINCIPAL_BY_TELEGRAM, PRINCIPAL_INVITATION_BY_TOKEN, SECRETARY_BY_TELEGRAM

LIFETIME = timedelta(days=7)
"""How long a link lets somebody in."""

# ---------------------------------------------------------------- supervisors


def build_router() -> Router:
    """/titulaire and its buttons."""
    router = Router(name="principals")
    router.message.register(choose, Command("titulaire", "titulaires", "principal", "principals"))
    router.callback_query.register(turn, Principals.filter())
    router.callback_query.register(invite, InvitePrincipal.filter())
    router.callback_query.register(dismiss, Dismiss.filter())
    return router


async def choose(message: Message, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """`/titulaire`: of which account."""
    if not is_supervisor(secretary):
        raise NotAllowed
    accounts = instructions.spoken_for(desk, secretary)
    if not accounts:
        raise NotFound
    only = accounts[0].id if len(accounts) == 1 else None
    await _settle(unit, secretary, Changes(), PrincipalsNotice(secretary_id=secretary.id, account_id=only))


async def turn(query: CallbackQuery, callback_data: Principals, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """The account that was chosen, or another page of them."""
    if not is_supervisor(secretary):
        raise NotAllowed
    account_id = None
    if callback_data.position != -1:
        account_id = _at(desk, secretary, callback_data.position, callback_data.check).id
    page = max(0, min(callback_data.page, 999))
    notice = PrincipalsNotice(secretary_id=secretary.id, account_id=account_id, page=page, edits=_pressed(query))
    await _settle(unit, secretary, Changes(), notice)


async def invite(
    query: CallbackQuery, callback_data: InvitePrincipal, unit: Unit, desk: Desk, secretary: Secretary
) -> None:
    """A link for one person, once."""
    account = _at(desk, secretary, callback_data.position, callback_data.check)
    made = invite_principal(account.id, secretary, desk.key, unit.now, LIFETIME)
    notice = PrincipalsNotice(
        secretary_id=secretary.id, account_id=account.id, invitation_id=made.id, edits=_pressed(query)
    )
    await _settle(unit, secretary, Changes(inserts=[made]), notice)


async def dismiss(
    query: CallbackQuery, callback_data: Dismiss, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """They speak for the account no longer."""
    account = _at(desk, secretary, callback_data.position, callback_data.check)
    principal = await desk.store.get(Principal, callback_data.principal)
    rota = await list_rota(desk.store, account.id, unit.now)
    changes = dismissed(principal, account.id, rota, secretary, unit.now)
    notice = PrincipalsNotice(secretary_id=secretary.id, account_id=account.id, edits=_pressed(query))
    unit.say(voice.say("toast.dismissed", name=principal.name))
    await _settle(unit, secretary, changes, notice)


def _pressed(query: CallbackQuery) -> int | None:
    return query.message.message_id if query.message else None


def _at(desk: Desk, secretary: Secretary, position: int, said: str) -> Account:
    if not is_supervisor(secretary):
        raise NotAllowed
    accounts = instructions.spoken_for(desk, secretary)
    if said != check([account.id for account in accounts]) or not 0 <= position < len(accounts):
        raise InvalidTransition("error.list_changed")
    return accounts[position]


async def _settle(unit: Unit, secretary: Secretary, changes: Changes, notice: PrincipalsNotice) -> None:
    shown = outbox.shown_to(secretary, notice, unit.now)
    await unit.commit(changes + Changes(inserts=[shown]), account_id=notice.account_id)


# ---------------------------------------------------------------- principals


async def find_principal(store: Store, telegram_user_id: int) -> Principal | None:
    """Who somebody is to the desk, if they speak for an account."""
    found = await store.find_by(PRINCIPAL_BY_TELEGRAM, telegram_user_id)
    return found if found is not None and found.active else None


_ONLY_THEIRS = frozenset(kind.__prefix__ for kind in (AlarmSeen, Answered, ChooseBusiness, Digest, Ways))


def is_only_theirs(update: Update) -> bool:
    """Whether a button was pressed that nobody at the desk has: an owner the config declares may be both."""
    if update.callback_query_id is None:
        return False
    query = TelegramUpdate.model_validate(update.update).callback_query
    return query is not None and (query.data or "").partition(":")[0] in _ONLY_THEIRS


async def join(unit: Unit, update: Update, envelope: Envelope, token: str, language: str) -> bool:
    """Somebody follows a link to speak for an account; whether it was one."""
    desk, store = unit.desk, unit.desk.store
    invitation = await store.find_by(PRINCIPAL_INVITATION_BY_TOKEN, token_hash(token))
    if invitation is None or unit.receipt.channel_id not in desk.desk_bots:
        return False
    account = desk.accounts.get(invitation.account_id)
    try:
        if account is None or account.retired:
            raise NotFound
        principal, changes = accept(
            invitation,
            telegram_user_id=update.telegram_user_id,
            chat_id=update.chat_id,
            channel_id=unit.receipt.channel_id,
            name=envelope.sender.name,
            language=language,
            now=unit.now,
            existing=await store.find_by(PRINCIPAL_BY_TELEGRAM, update.telegram_user_id),
            secretary=await store.find_by(SECRETARY_BY_TELEGRAM, update.telegram_user_id),
        )
    except Conflict:
        raise
    except InboxError as error:
        said = _told(
            unit.receipt.channel_id, update.chat_id, language, unit, Because(key=error.key, args=error.args_shown)
        )
        await _say(unit, said)
        return True
    # From here on what they write besides is about this account.
    known = await know(store, account.id, unit.receipt.channel_id, envelope.sender, unit.now, chosen=True)
    await _say(unit, changes + known.changes + _home(unit, principal, "principal.joined", account), account.id)
    return True


async def take_update(unit: Unit, update: Update, principal: Principal) -> None:
    """Handle what a principal did at the desk's bot: their buttons and answers; the rest is a request of theirs."""
    desk = unit.desk
    voice = Voice(desk.texts, principal.language, desk.time_zone, unit.now)
    envelope = update.envelope
    try:
        if envelope is None:
            await _press(unit, update, principal, voice)
        elif not await _answer(unit, update, envelope, principal):
            await client.take_update(unit, update)
    except Conflict:
        raise
    except InboxError as error:
        if envelope is None:
            unit.say(voice.say(error.key, **error.args_shown), alert=True)
            await _say(unit, Changes())
        else:
            because = Because(key=error.key, args=error.args_shown)
            said = _told(principal.channel_id, principal.chat_id, principal.language, unit, because)
            await _say(unit, said)


async def _press(unit: Unit, update: Update, principal: Principal, voice: Voice) -> None:
    query = TelegramUpdate.model_validate(update.update).callback_query
    kind = (query.data or "").partition(":")[0] if query is not None else ""
    if query is not None and kind == Answered.__prefix__:
        await _show_answered(unit, principal, query)
        return
    if query is not None and kind == ChooseBusiness.__prefix__:
        await business.choose(unit, principal, query)
        return
    if query is not None and kind in (Ways.__prefix__, Digest.__prefix__):
        await _choose_way(unit, principal, query, voice)
        return
    if query is not None and kind == AlarmSeen.__prefix__:
        await _see(unit, principal, query.data or "", voice)
        return
    listed = on_call.understood(query.data or "") if query is not None else None
    if query is not None and listed is not None:
        edits = query.message.message_id if query.message else None
        await on_call.act(listed, edits, unit, unit.desk, principal, voice)
        return
    pressed = instructions.understood(query.data or "") if query is not None else None
    if query is None or pressed is None:
        await unit.ignore("a press by someone who is not at the desk")
        return
    edits = query.message.message_id if query.message else None
    await instructions.act(pressed, edits, unit, unit.desk, principal, voice)


async def _show_answered(unit: Unit, principal: Principal, query: CallbackQuery | None) -> None:
    """What was answered in their name: the newest; or the page that was turned to, in place."""
    page, edits = -1, None
    if query is not None:
        try:
            page = min(Answered.unpack(query.data or "").page, 999)
        except (TypeError, ValueError):
            raise NotFound from None
        edits = query.message.message_id if query.message is not None and page >= 0 else None
    notice = AnsweredNotice(principal_id=principal.id, page=max(page, 0), edits=edits)
    await _say(unit, Changes(inserts=[outbox.shown_to(principal, notice, unit.now)]))


async def _see(unit: Unit, principal: Principal, data: str, voice: Voice) -> None:
    """They have seen what they were called for."""
    try:
        conversation_id = AlarmSeen.unpack(data).conversation
    except (TypeError, ValueError):
        raise NotFound from None
    changes = await seen(unit.desk.store, conversation_id, principal, unit.now)
    unit.say(voice.say("toast.alarm_seen"))
    await _say(unit, changes)


async def _choose_way(unit: Unit, principal: Principal, query: CallbackQuery, voice: Voice) -> None:
    """How messages for them come from now on, and when they are told what the day brought; or how it is."""
    data = query.data or ""
    try:
        pressed = (Digest if data.partition(":")[0] == Digest.__prefix__ else Ways).unpack(data)
        if pressed == Ways(way=""):
            await _show_ways(unit, principal, None)
            return
        if isinstance(pressed, Ways):
            way = Way(pressed.way)
            after, said = msgspec.structs.replace(principal, way=way), voice.say("toast.way", way=way_named(way, voice))
        else:
            after, said = _with_digest(unit, principal, pressed.hour, voice)
    except (TypeError, ValueError):
        raise NotFound from None
    unit.say(said)
    changes = Changes(replacements=[after] if after != principal else [])
    await _show_ways(unit, principal, query.message.message_id if query.message else None, changes)


def _with_digest(unit: Unit, principal: Principal, hour: int, voice: Voice) -> tuple[Principal, str]:
    theirs = instructions.spoken_for(unit.desk, principal)
    zone = theirs[0].time_zone if theirs else unit.desk.time_zone
    after = wanted_at(principal, hour, zone, unit.now)
    if after.digest_hour is None:
        return after, voice.say("toast.no_digest")
    return after, voice.say("toast.digest", hour=voice.texts.hour(voice.language, time(after.digest_hour)))


async def _show_ways(unit: Unit, principal: Principal, edits: int | None, changes: Changes | None = None) -> None:
    shown = outbox.shown_to(principal, WaysNotice(principal_id=principal.id, edits=edits), unit.now)
    await _say(unit, (changes or Changes()) + Changes(inserts=[shown]))


async def _answer(unit: Unit, update: Update, envelope: Envelope, principal: Principal) -> bool:
    """Whether a message was meant for the desk's own questions and commands, and was handled."""
    try:
        message = TelegramUpdate.model_validate(update.update).message
    except ValueError:  # of a form that is newer than we are: it answers none of our questions, and is kept
        message = None
    if message is None:  # an edit, of what they wrote to us as any client does
        return False
    words = message.text or ""
    command = words.partition(" ")[0].partition("@")[0]
    if envelope.start == "" or command in ("/aide", "/help"):
        await _say(unit, _home(unit, principal, "principal.home", None))
        return True
    if command in ("/repondu", "/answered"):
        await _show_answered(unit, principal, None)
        return True
    if command in ("/moyens", "/moyen", "/ways"):
        await _show_ways(unit, principal, None)
        return True
    if command.removeprefix("/") in on_call.COMMANDS and command.startswith("/"):
        await on_call.begin(unit, unit.desk, principal)
        return True
    if command in ("/consignes", "/consigne", "/instructions"):
        await instructions.begin(unit, unit.desk, principal)
        return True
    if message.reply_to_message is None or not words:
        return False
    replied = message.reply_to_message.message_id
    on_call_id = await on_call.on_call_replied_to(unit, unit.desk, message.chat.id, replied)
    if on_call_id is not None:
        await on_call.put_words(on_call_id, words, unit, unit.desk, principal)
        return True
    instruction_id = await instructions.instruction_replied_to(unit, unit.desk, message.chat.id, replied)
    if instruction_id is None:
        return False
    await instructions.put_words(instruction_id, words, unit, unit.desk, principal)
    return True


def _home(unit: Unit, principal: Principal, key: str, account: Account | None) -> Changes:
    """What a principal can do here."""
    desk = unit.desk
    all_of_them = instructions.spoken_for(desk, principal)
    accounts = [account] if account is not None else all_of_them
    args = {"name": principal.name, "account": ", ".join(each.name for each in accounts)}
    listed = callbacks.Instructions(position=-1, check="", page=0)
    if len(all_of_them) == 1:
        listed = callbacks.Instructions(position=0, check=check([each.id for each in all_of_them]), page=0)
    open_them = Button(text=desk.texts.say(principal.language, "button.instructions"), data=listed.pack())
    because = Because(key=key, args=args)
    said = Button(text=desk.texts.say(principal.language, "button.answered"), data=Answered(page=-1).pack())
    ways = Button(text=desk.texts.say(principal.language, "button.ways"), data=Ways(way="").pack())
    mine = callbacks.Rota(position=listed.position, check=listed.check, page=0)
    rota = Button(text=desk.texts.say(principal.language, "button.rota"), data=mine.pack())
    rows = ((open_them, said), (ways, rota))
    return _told(principal.channel_id, principal.chat_id, principal.language, unit, because, rows)


def _told(
    channel_id: ChannelId,
    chat_id: int,
    language: str,
    unit: Unit,
    because: Because,
    buttons: tuple[tuple[Button, ...], ...] = (),
) -> Changes:
    notice = TextNotice(chat_id=chat_id, language=language, because=because, buttons=buttons)
    return Changes(inserts=[outbox.notice(notice, channel_id, chat_id, unit.now)])


async def _say(unit: Unit, changes: Changes, account_id: AccountId | None = None) -> None:
    await unit.commit(changes, account_id=account_id)
