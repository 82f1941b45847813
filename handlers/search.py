"""Finding a conversation again: `/chercher` and words, or the words as an answer to our question."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import Finding
from handlers.desk import Desk, Unit
from handlers.drafts import message_key
from inbox import outbox
from inbox.model import Secretary, ShownKind
from inbox.notices import Purpose, QuestionNotice, SearchNotice
from inbox.parts import Because
from inbox.search import MOST_FOUND
from inbox.store.base import Changes
from inbox.store.documents import SHOWN_BY_MESSAGE
from inbox.words import sought

MOST_OCTETS = 48
"""Of a query: the buttons that turn its pages hold it, and a button holds 64."""


def build_router() -> Router:
    """The command, its question, its pages. Include it before whatever else takes answers."""
    router = Router(name="search")
    router.message.register(search, Command("chercher", "search"))
    router.callback_query.register(turn, Finding.filter())
    router.message.register(answer, F.text, ~F.text.startswith("/"), answers_what_to_search)
    return router


async def search(message: Message, command: CommandObject, unit: Unit, secretary: Secretary) -> None:
    """What is found, or the question what to look for."""
    await _search(command.args or "", unit, secretary)


async def answer(message: Message, unit: Unit, secretary: Secretary) -> None:
    """The words she was asked for."""
    await _search(message.text or "", unit, secretary)


async def turn(query: CallbackQuery, callback_data: Finding, unit: Unit, secretary: Secretary) -> None:
    """Another page of what is found now, in place."""
    shown = SearchNotice(
        secretary_id=secretary.id,
        query=_held(callback_data.query),
        page=max(0, min(callback_data.page, MOST_FOUND)),
        edits=query.message.message_id if query.message else None,
    )
    await _show(shown, unit, secretary)


async def answers_what_to_search(message: Message, unit: Unit, desk: Desk) -> bool:
    """Whether a message replies to our question what to look for."""
    if message.reply_to_message is None:
        return False
    key = message_key(unit.receipt.channel_id, message.chat.id, message.reply_to_message.message_id)
    shown = await desk.store.find_by(SHOWN_BY_MESSAGE, key)
    return shown is not None and shown.kind is ShownKind.QUESTION and shown.purpose is Purpose.SEARCH


async def _search(words: str, unit: Unit, secretary: Secretary) -> None:
    query = _held(words)
    if sought(query):
        await _show(SearchNotice(secretary_id=secretary.id, query=query), unit, secretary)
        return
    question = QuestionNotice(
        secretary_id=secretary.id, purpose=Purpose.SEARCH, because=Because(key="ask.search"), conversation_id=None
    )
    await _show(question, unit, secretary)


async def _show(payload: SearchNotice | QuestionNotice, unit: Unit, secretary: Secretary) -> None:
    shown = outbox.shown_to(secretary, payload, unit.now)
    await unit.commit(Changes(inserts=[shown]))


def _held(words: str) -> str:
    """The query as a button can hold it; a colon parts what stands in a button."""
    whole = " ".join(words.replace(":", " ").split()).encode("utf-8", "ignore")
    return whole[:MOST_OCTETS].decode("utf-8", "ignore").strip()
