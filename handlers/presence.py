"""Who is there: /ici and /fin, and what happens to the requests of someone who leaves."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import Duty
from handlers.desk import Desk, Unit
from handlers.views import Voice
from inbox.conversations import desk_event
from inbox.model import Conversation, Presence, Secretary
from inbox.notices import QueueNotice, QueueView
from inbox.outbox import sentence_for, shown_to
from inbox.parts import UNSORTED, Because
from inbox.presence import handed_back
from inbox.store.base import Changes

DEALT = timedelta(seconds=1)
"""By then what waits has been dealt to whoever came."""


def build_router() -> Router:
    """Commands and buttons of presence."""
    router = Router(name="presence")
    router.message.register(come, Command("ici", "here"))
    router.message.register(leave, Command("fin", "done"))
    router.callback_query.register(press_duty, Duty.filter())
    return router


async def come(message: Message, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """She is there: what waits is dealt to her."""
    await unit.commit(await _came(unit, desk, secretary))


async def leave(message: Message, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """She leaves: what waits for her answer goes back to the queue."""
    await unit.commit(await _left(unit, desk, secretary))


async def press_duty(
    query: CallbackQuery, callback_data: Duty, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """The same, by button."""
    came = callback_data.on
    await unit.commit(await (_came if came else _left)(unit, desk, secretary))
    unit.say(voice.say("toast.on_duty" if came else "toast.off_duty"))


async def _came(unit: Unit, desk: Desk, secretary: Secretary) -> Changes:
    presence = await desk.store.get(Presence, secretary.id)
    is_first = desk.local(presence.since_at).date() < desk.local(unit.now).date()
    view = QueueView.MORNING if is_first and not presence.on_duty else QueueView.SHORT
    changes = Changes(
        inserts=[
            sentence_for(secretary, Because(key="presence.here", args={"name": secretary.name}), unit.now),
            # Drawn at once it would show what is just being dealt to her as nobody's.
            shown_to(secretary, QueueNotice(secretary_id=secretary.id, view=view), unit.now + DEALT),
        ]
    )
    if presence.on_duty:
        return changes
    on_duty = msgspec.structs.replace(presence, on_duty=True, since_at=unit.now)
    return changes + Changes(replacements=[on_duty], inserts=[desk_event("came", UNSORTED, unit.now, actor=secretary)])


async def _left(unit: Unit, desk: Desk, secretary: Secretary) -> Changes:
    gone = await handed_back(desk.store, secretary, unit.now)
    args = {"name": secretary.name, "count": str(sum(kind is Conversation for kind, _ in gone.replacements))}
    return gone + Changes(inserts=[sentence_for(secretary, Because(key="presence.gone", args=args), unit.now)])
