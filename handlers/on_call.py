"""Who is on call for an account: said by those it belongs to and by supervisors, by the same buttons and words."""

from __future__ import annotations

from typing import Any

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import NewOnCall, Rota, SetOnCall
from handlers.desk import Desk, Unit
from handlers.drafts import message_key
from handlers.instructions import account_at, spoken_for
from handlers.views import Voice
from inbox import outbox
from inbox.assignment import is_supervisor
from inbox.errors import NotAllowed, NotFound
from inbox.instructions import Giver
from inbox.model import OnCall, Principal, Secretary, ShownKind
from inbox.notices import OnCallNotice, RotaNotice
from inbox.on_call import begun, confirmed, get_said, lifted, list_rota, require_room, worded
from inbox.parts import AccountId
from inbox.principals import require_principal
from inbox.store.base import Changes
from inbox.store.documents import SHOWN_BY_MESSAGE

Pressed = Rota | NewOnCall | SetOnCall
COMMANDS = ("astreinte", "astreintes", "oncall")


def build_router() -> Router:
    """/astreinte, its buttons, and the days in words. Include it before drafts, which take every message."""
    router = Router(name="on_call")
    router.message.register(choose, Command(*COMMANDS))
    router.callback_query.register(press, is_pressed)
    router.message.register(write, F.text, ~F.text.startswith("/"), answers_for_days)
    return router


def understood(data: str) -> Pressed | None:
    """The button of a list that was pressed; None: it is another's."""
    kinds: tuple[type[Pressed], ...] = (Rota, NewOnCall, SetOnCall)
    for kind in kinds:
        if data.partition(":")[0] == kind.__prefix__:
            try:
                return kind.unpack(data)
            except (TypeError, ValueError):
                return None
    return None


def is_pressed(query: CallbackQuery) -> dict[str, Any] | bool:
    """Whether it is one of our buttons, and which."""
    pressed = understood(query.data or "")
    return {"pressed": pressed} if pressed is not None else False


async def press(
    query: CallbackQuery, pressed: Pressed, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A supervisor's press."""
    if not is_supervisor(secretary):
        raise NotAllowed
    await act(pressed, query.message.message_id if query.message else None, unit, desk, secretary, voice)


async def choose(message: Message, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """`/astreinte`: for which account."""
    if not is_supervisor(secretary):
        raise NotAllowed
    await begin(unit, desk, secretary)


async def begin(unit: Unit, desk: Desk, giver: Giver) -> None:
    """The accounts somebody speaks for; where it is one, who is on call for that one."""
    accounts = spoken_for(desk, giver)
    if not accounts:
        raise NotFound
    only = accounts[0].id if len(accounts) == 1 else None
    await _settle(unit, _listed(unit, giver, only, 0, None), only)


async def act(pressed: Pressed, edits: int | None, unit: Unit, desk: Desk, giver: Giver, voice: Voice) -> None:
    """Whatever was pressed, by whoever may."""
    match pressed:
        case Rota(position=-1):
            await _settle(unit, _listed(unit, giver, None, pressed.page, edits), None)
        case Rota():
            account = account_at(desk, giver, pressed.position, pressed.check)
            await _settle(unit, _listed(unit, giver, account.id, pressed.page, edits), account.id)
        case NewOnCall():
            account = account_at(desk, giver, pressed.position, pressed.check)
            require_room(await list_rota(desk.store, account.id, unit.now))
            principal = await desk.store.get(Principal, pressed.principal or giver.id)
            new = begun(account.id, principal, giver, unit.now)
            await _settle(unit, Changes(inserts=[new]) + _shown(unit, giver, new, None), account.id)
        case SetOnCall():
            await _set(pressed, edits, unit, desk, giver, voice)


async def _set(pressed: SetOnCall, edits: int | None, unit: Unit, desk: Desk, giver: Giver, voice: Voice) -> None:
    before = await get_said(desk.store, pressed.on_call, giver)
    after, held = before, Changes()
    match pressed.act:
        case "ok":
            after = confirmed(before, pressed.seen, unit.now)
            if after != before:
                # Whoever sends them away at this moment, or did meanwhile, finds no days of theirs afterwards.
                principal = await desk.store.get(Principal, before.principal_id)
                require_principal(principal, before.account_id)
                require_room(await list_rota(desk.store, before.account_id, unit.now))
                held = Changes(expectations=[principal])
            unit.say(voice.say("toast.on_call", name=before.name))
        case "lift":
            after = lifted(before, unit.now)
            unit.say(voice.say("toast.off_call", name=before.name))
        case "show":
            pass
        case _:
            raise NotFound
    changes = _shown(unit, giver, after, edits)
    if after != before:
        changes += Changes(replacements=[after]) + held
    await _settle(unit, changes, after.account_id)


async def answers_for_days(message: Message, unit: Unit, desk: Desk) -> dict[str, Any] | bool:
    """Whether a message replies to days on call, or to the question for them."""
    if message.reply_to_message is None:
        return False
    found = await on_call_replied_to(unit, desk, message.chat.id, message.reply_to_message.message_id)
    return {"on_call_id": found} if found is not None else False


async def on_call_replied_to(unit: Unit, desk: Desk, chat_id: int, message_id: int) -> str | None:
    """The days on call that a message of ours asks for or shows."""
    key = message_key(unit.receipt.channel_id, chat_id, message_id)
    shown = await desk.store.find_by(SHOWN_BY_MESSAGE, key)
    return shown.instruction_id if shown is not None and shown.kind is ShownKind.ON_CALL else None


async def write(message: Message, unit: Unit, desk: Desk, secretary: Secretary, on_call_id: str) -> None:
    """The days, in place of what stood there; they hold once they were read back and confirmed."""
    await put_words(on_call_id, message.text or "", unit, desk, secretary)


async def put_words(on_call_id: str, words: str, unit: Unit, desk: Desk, giver: Giver) -> None:
    """The days in words, shown as they were understood."""
    before = await get_said(desk.store, on_call_id, giver)
    account = desk.accounts.get(before.account_id)
    if account is None:
        raise NotFound
    after = worded(before, words, account.time_zone, unit.now)
    changes = Changes(replacements=[after] if after != before else []) + _shown(unit, giver, after, None)
    await _settle(unit, changes, account.id)


def _listed(unit: Unit, giver: Giver, account_id: AccountId | None, page: int, edits: int | None) -> Changes:
    notice = RotaNotice(person_id=giver.id, account_id=account_id, page=max(0, min(page, 999)), edits=edits)
    return Changes(inserts=[outbox.shown_to(giver, notice, unit.now)])


def _shown(unit: Unit, giver: Giver, on_call: OnCall, edits: int | None) -> Changes:
    notice = OnCallNotice(person_id=giver.id, on_call_id=on_call.id, edits=edits)
    return Changes(inserts=[outbox.shown_to(giver, notice, unit.now)])


async def _settle(unit: Unit, changes: Changes, account_id: AccountId | None) -> None:
    await unit.commit(changes, account_id=account_id)
