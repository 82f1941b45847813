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
from inbox.assignment import queued
from inbox.conversations import desk_event
from inbox.model import UNSORTED, Because, Conversation, Presence, QueueNotice, Secretary, Status
from inbox.outbox import card_for, notice, sentence_for
from inbox.store.base import Changes
from inbox.store.documents import CONVERSATIONS_HELD
from inbox.triage import placement_event

PAGE = 500

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
    changes = Changes(
        inserts=[
            sentence_for(secretary, Because(key="presence.here", args={"name": secretary.name}), unit.now),
            # Drawn at once it would show what is just being dealt to her as nobody's.
            notice(QueueNotice(secretary_id=secretary.id), secretary.channel_id, secretary.chat_id, unit.now + DEALT),
        ]
    )
    if presence.on_duty:
        return changes
    on_duty = msgspec.structs.replace(presence, on_duty=True, since_at=unit.now)
    return changes + Changes(replacements=[on_duty], inserts=[desk_event("came", UNSORTED, unit.now, actor=secretary)])


async def _left(unit: Unit, desk: Desk, secretary: Secretary) -> Changes:
    gone = await handed_back(unit, desk, secretary)
    args = {"name": secretary.name, "count": str(sum(kind is Conversation for kind, _ in gone.replacements))}
    return gone + Changes(inserts=[sentence_for(secretary, Because(key="presence.gone", args=args), unit.now)])


async def handed_back(unit: Unit, desk: Desk, secretary: Secretary) -> Changes:
    """What changes when somebody is no longer there: off duty, and what waits for her in the queue again."""
    presence = await desk.store.get(Presence, secretary.id)
    waiting = [c for c in await _held(desk, secretary) if c.waiting_since_at is not None]
    if not presence.on_duty and not waiting:
        return Changes()
    changes = Changes(
        replacements=[
            msgspec.structs.replace(
                presence, on_duty=False, since_at=unit.now, open_count=presence.open_count - len(waiting)
            )
        ],
        inserts=[desk_event("left", UNSORTED, unit.now, actor=secretary)],
    )
    because = Because(key="because.absent", args={"name": secretary.name})
    for before in waiting:
        after = queued(before, because, unit.now)
        changes += Changes(
            replacements=[after],
            inserts=[placement_event(after, unit.now), card_for(secretary, after, unit.now, fresh=False)],
        )
    return changes


async def _held(desk: Desk, secretary: Secretary) -> list[Conversation]:
    """Every open conversation she holds: answered ones gather over the months, and what waits stands behind them."""
    held: list[Conversation] = []
    while True:
        last = held[-1] if held else None
        page = await desk.store.list(CONVERSATIONS_HELD, secretary.id, Status.OPEN, after=last, limit=PAGE)
        held += page
        if len(page) < PAGE:
            return held
