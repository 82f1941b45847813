"""Who answers, and where clients write: what a supervisor looks at, and whose replies are read before they leave."""

from __future__ import annotations

import msgspec
from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import Links, Review, Team
from handlers.desk import Desk, Unit
from handlers.views import Voice
from inbox import outbox
from inbox.approval import share_an_account
from inbox.assignment import is_supervisor
from inbox.conversations import desk_event
from inbox.errors import NotAllowed, NotFound
from inbox.model import Secretary
from inbox.notices import LinksNotice, TeamNotice
from inbox.parts import UNSORTED
from inbox.store.base import Changes


def build_router() -> Router:
    """/equipe, /liens and their buttons."""
    router = Router(name="team")
    router.message.register(show, Command("equipe", "team"))
    router.callback_query.register(turn, Team.filter())
    router.callback_query.register(review, Review.filter())
    router.message.register(show_links, Command("liens", "links"))
    router.callback_query.register(turn_links, Links.filter())
    return router


async def show_links(message: Message, unit: Unit, secretary: Secretary) -> None:
    """By which link clients reach each account she serves."""
    if not is_supervisor(secretary):
        raise NotAllowed
    await unit.commit(_linked(unit, secretary, 0, None))


async def turn_links(query: CallbackQuery, callback_data: Links, unit: Unit, secretary: Secretary) -> None:
    """Another page of links, in place."""
    if not is_supervisor(secretary):
        raise NotAllowed
    edits = query.message.message_id if query.message else None
    await unit.commit(_linked(unit, secretary, callback_data.page, edits))


def _linked(unit: Unit, secretary: Secretary, page: int, edits: int | None) -> Changes:
    shown = LinksNotice(secretary_id=secretary.id, page=max(0, min(page, 999)), edits=edits)
    return Changes(inserts=[outbox.shown_to(secretary, shown, unit.now)])


async def show(message: Message, unit: Unit, secretary: Secretary) -> None:
    """Everyone who answers for an account she serves."""
    if not is_supervisor(secretary):
        raise NotAllowed
    await unit.commit(_shown(unit, secretary, 0, None))


async def turn(query: CallbackQuery, callback_data: Team, unit: Unit, secretary: Secretary) -> None:
    """Another page, in place."""
    if not is_supervisor(secretary):
        raise NotAllowed
    await unit.commit(_shown(unit, secretary, callback_data.page, query.message.message_id if query.message else None))


async def review(
    query: CallbackQuery, callback_data: Review, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """From now on her replies are read before they leave, or no longer."""
    if not is_supervisor(secretary):
        raise NotAllowed
    before = await desk.store.get(Secretary, callback_data.secretary)
    if is_supervisor(before) or not share_an_account(before, secretary):
        raise NotFound
    after = msgspec.structs.replace(before, reviewed=callback_data.on)
    changes = _shown(unit, secretary, callback_data.page, query.message.message_id if query.message else None)
    if after != before:
        kind = "reviewed" if callback_data.on else "not_reviewed"
        said = desk_event(kind, UNSORTED, unit.now, actor=secretary, detail={"other": before.name})
        changes += Changes(replacements=[after], inserts=[said])
    await unit.commit(changes)
    unit.say(voice.say("toast.reviewed" if callback_data.on else "toast.not_reviewed", name=before.name))


def _shown(unit: Unit, secretary: Secretary, page: int, edits: int | None) -> Changes:
    shown = TeamNotice(secretary_id=secretary.id, page=max(0, min(page, 999)), edits=edits)
    return Changes(inserts=[outbox.shown_to(secretary, shown, unit.now)])
