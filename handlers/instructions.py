"""What an account wants: given by supervisors and principals alike, by the same buttons and the same words."""

from __future__ import annotations

from typing import Any

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import Instruct, Instructions, InstructionsOf, NewInstruction, check
from handlers.desk import Desk, Unit
from handlers.drafts import message_key
from handlers.forums import account_here
from handlers.views import Voice
from inbox import outbox
from inbox.assignment import is_supervisor, may_serve, require_serves
from inbox.errors import InvalidTransition, NotAllowed, NotFound
from inbox.instructions import (
    MOST_STANDING,
    Giver,
    begun,
    cards_of,
    confirmed,
    get_given,
    lifted,
    list_standing,
    of_kind,
    worded,
)
from inbox.model import Account, Conversation, Instruction, InstructionKind, Secretary, ShownKind
from inbox.notices import InstructionNotice, InstructionsNotice
from inbox.parts import UNSORTED, AccountId
from inbox.store.base import Changes
from inbox.store.documents import SHOWN_BY_MESSAGE

Pressed = Instructions | InstructionsOf | NewInstruction | Instruct


def build_router() -> Router:
    """/consignes, its buttons, and the words of an instruction. Include it before drafts, which take every message."""
    router = Router(name="instructions")
    router.message.register(choose, Command("consignes", "consigne", "instructions"))
    router.callback_query.register(press, is_pressed)
    router.message.register(write, F.text, ~F.text.startswith("/"), answers_an_instruction)
    return router


def spoken_for(desk: Desk, giver: Giver) -> list[Account]:
    """The accounts somebody may give instructions for, by name."""
    if isinstance(giver, Secretary):
        found = [a for a in desk.accounts.values() if is_supervisor(giver) and may_serve(giver, a.id)]
    else:
        found = [a for a in desk.accounts.values() if a.id in giver.accounts]
    return sorted((a for a in found if a.id != UNSORTED and not a.retired), key=lambda a: (a.name, a.id))


def understood(data: str) -> Pressed | None:
    """The button of an instruction that was pressed; None: it is another's."""
    kinds: tuple[type[Pressed], ...] = (Instructions, InstructionsOf, NewInstruction, Instruct)
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
    """A secretary's press."""
    await act(pressed, query.message.message_id if query.message else None, unit, desk, secretary, voice)


async def choose(message: Message, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """`/consignes`: for which account."""
    if not is_supervisor(secretary):
        raise NotAllowed
    await begin(unit, desk, secretary)


async def begin(unit: Unit, desk: Desk, giver: Giver) -> None:
    """The accounts somebody speaks for; where it is one, or in the group of one, what that one wants."""
    here = await account_here(unit)
    accounts = [a for a in spoken_for(desk, giver) if here in (None, a.id)]
    if not accounts:
        raise NotFound
    only = accounts[0].id if len(accounts) == 1 else None
    await _settle(unit, _listed(unit, giver, only, 0, None), only)


async def act(pressed: CallbackData, edits: int | None, unit: Unit, desk: Desk, giver: Giver, voice: Voice) -> None:
    """Whatever was pressed, by whoever may."""
    match pressed:
        case Instructions(position=-1):
            await _settle(unit, _listed(unit, giver, None, pressed.page, edits), None)
        case Instructions():
            account = account_at(desk, giver, pressed.position, pressed.check)
            await _settle(unit, _listed(unit, giver, account.id, pressed.page, edits), account.id)
        case InstructionsOf():
            conversation = await desk.store.get(Conversation, pressed.conversation)
            if not isinstance(giver, Secretary):
                raise NotFound
            require_serves(giver, conversation.account_id)
            changes = _listed(unit, giver, conversation.account_id, 0, None)
            await _settle(unit, changes, conversation.account_id)
        case NewInstruction():
            account = account_at(desk, giver, pressed.position, pressed.check)
            if len(await list_standing(desk.store, account.id)) >= MOST_STANDING:
                raise InvalidTransition("error.instructions_full", count=str(MOST_STANDING))
            new = begun(account.id, giver, unit.now)
            await _settle(unit, Changes(inserts=[new]) + _shown(unit, giver, new, None), account.id)
        case Instruct():
            await _instruct(pressed, edits, unit, desk, giver, voice)


async def _instruct(pressed: Instruct, edits: int | None, unit: Unit, desk: Desk, giver: Giver, voice: Voice) -> None:
    before = await get_given(desk.store, pressed.instruction, giver)
    after, touches_cards = before, False
    match pressed.act:
        case "ok":
            after = confirmed(before, pressed.seen, unit.now)
            touches_cards = after != before
            unit.say(voice.say("toast.instruction_given"))
        case "lift":
            after = lifted(before, unit.now)
            touches_cards = before.standing is not None
            unit.say(voice.say("toast.instruction_lifted"))
        case "show":
            pass
        case kind if kind in list(InstructionKind):
            after = of_kind(before, InstructionKind(kind))
        case _:
            raise NotFound
    changes = _shown(unit, giver, after, edits)
    if after != before:
        changes += Changes(replacements=[after])
    if touches_cards:
        changes += await cards_of(desk.store, after.account_id, unit.now)
    await _settle(unit, changes, after.account_id)


async def answers_an_instruction(message: Message, unit: Unit, desk: Desk) -> dict[str, Any] | bool:
    """Whether a message replies to an instruction, or to the question for its words."""
    if message.reply_to_message is None:
        return False
    found = await instruction_replied_to(unit, desk, message.chat.id, message.reply_to_message.message_id)
    return {"instruction_id": found} if found is not None else False


async def instruction_replied_to(unit: Unit, desk: Desk, chat_id: int, message_id: int) -> str | None:
    """The instruction that a message of ours asks for or shows."""
    key = message_key(unit.receipt.channel_id, chat_id, message_id)
    shown = await desk.store.find_by(SHOWN_BY_MESSAGE, key)
    return shown.instruction_id if shown is not None and shown.kind is ShownKind.INSTRUCTION else None


async def write(message: Message, unit: Unit, desk: Desk, secretary: Secretary, instruction_id: str) -> None:
    """Its words, in place of what stood there; they hold once they were read back and confirmed."""
    await put_words(instruction_id, message.text or "", unit, desk, secretary)


async def put_words(instruction_id: str, words: str, unit: Unit, desk: Desk, giver: Giver) -> None:
    """The words of an instruction that is not in force yet; it is shown as it was understood."""
    before = await get_given(desk.store, instruction_id, giver)
    account = desk.accounts.get(before.account_id)
    if account is None:
        raise NotFound
    after = worded(before, words, account.time_zone, unit.now)
    changes = Changes(replacements=[after] if after != before else []) + _shown(unit, giver, after, None)
    await _settle(unit, changes, account.id)


def account_at(desk: Desk, giver: Giver, position: int, said: str) -> Account:
    """The account at a place of the list somebody was shown.

    Raises:
        InvalidTransition: the list is another by now.
    """
    accounts = spoken_for(desk, giver)
    if said != check([account.id for account in accounts]) or not 0 <= position < len(accounts):
        raise InvalidTransition("error.list_changed")
    return accounts[position]


def _listed(unit: Unit, giver: Giver, account_id: AccountId | None, page: int, edits: int | None) -> Changes:
    notice = InstructionsNotice(person_id=giver.id, account_id=account_id, page=max(0, min(page, 999)), edits=edits)
    return Changes(inserts=[outbox.shown_to(giver, notice, unit.now)])


def _shown(unit: Unit, giver: Giver, instruction: Instruction, edits: int | None) -> Changes:
    notice = InstructionNotice(person_id=giver.id, instruction_id=instruction.id, edits=edits)
    return Changes(inserts=[outbox.shown_to(giver, notice, unit.now)])


async def _settle(unit: Unit, changes: Changes, account_id: AccountId | None) -> None:
    await unit.commit(changes, account_id=account_id)
