"""The first thing a secretary presses, and the help."""

from __future__ import annotations

from aiogram import Dispatcher, Router
from aiogram.filters import Command, CommandStart
from aiogram.types import Message

from handlers import (
    actions,
    addressing,
    calls,
    conversations,
    drafts,
    gathering,
    instructions,
    on_call,
    presence,
    principals,
    proving,
    queue,
    search,
    sending,
    separating,
    set_aside,
    team,
    templates,
    topics,
)
from handlers.desk import Unit
from handlers.middleware import OneSentence
from inbox.assignment import is_supervisor
from inbox.model import Secretary
from inbox.outbox import sentence_for
from inbox.parts import Because
from inbox.store.base import Changes


def build_router() -> Router:
    """/start and /aide."""
    router = Router(name="start")
    router.message.register(show_help, CommandStart())
    router.message.register(show_help, Command("aide", "help"))
    return router


async def show_help(message: Message, unit: Unit, secretary: Secretary) -> None:
    """What she can do here."""
    key = "help.supervisor" if is_supervisor(secretary) else "help.secretary"
    told = sentence_for(secretary, Because(key=key, args={"name": secretary.name}), unit.now)
    await unit.commit(Changes(inserts=[told]))


def build_dispatcher() -> Dispatcher:
    """Everything a secretary can press or write, behind one refusal-to-sentence middleware."""
    dispatcher = Dispatcher()
    for observer in (
        dispatcher.message,
        dispatcher.edited_message,
        dispatcher.callback_query,
        dispatcher.inline_query,
    ):
        observer.outer_middleware(OneSentence())
    dispatcher.include_routers(
        build_router(),
        queue.build_router(),
        search.build_router(),
        presence.build_router(),
        conversations.build_router(),
        addressing.build_router(),
        actions.build_router(),
        templates.build_router(),
        set_aside.build_router(),
        calls.build_router(),
        gathering.build_router(),
        separating.build_router(),
        proving.build_router(),
        instructions.build_router(),
        on_call.build_router(),
        principals.build_router(),
        team.build_router(),
        topics.build_router(),
        sending.build_router(),
        drafts.build_router(),
    )
    return dispatcher
