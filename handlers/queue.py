"""The queue as a secretary uses it: look, take the next, take one, put one back; and how it is dealt by itself."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from datetime import datetime

from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import Listing, Next, Queue, Release, Take
from handlers.desk import Desk, Unit
from handlers.views import Voice
from inbox.assignment import balance, may_serve, released, require_serves, taken_by_hand
from inbox.conversations import event, placement_event
from inbox.drafts import find_open
from inbox.errors import AlreadyAssigned, Conflict, InvalidTransition, NotFound
from inbox.machinery import Lease
from inbox.model import AssignmentMode, Conversation, Presence, Priority, Secretary
from inbox.notices import QueueNotice, QueueView
from inbox.outbox import card_for, preview_for, shown_to
from inbox.parts import AccountId
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    CONVERSATIONS_DUE,
    CONVERSATIONS_QUEUED,
    CONVERSATIONS_QUEUED_ANYWHERE,
    PRESENT,
    SHOWN_OF_CONVERSATION,
)

HEADS = 50
MOST_PAGES = 99


def build_router() -> Router:
    """Commands and buttons of the queue."""
    router = Router(name="queue")
    router.message.register(show_queue, Command("file", "queue"))
    router.callback_query.register(refresh_queue, Queue.filter())
    router.callback_query.register(turn_page, Listing.filter())
    router.message.register(next_by_command, Command("suivante", "next"))
    router.callback_query.register(take_next, Next.filter())
    router.callback_query.register(take, Take.filter())
    router.callback_query.register(release, Release.filter())
    return router


async def show_queue(message: Message, unit: Unit, secretary: Secretary) -> None:
    """What waits, and what she holds."""
    await unit.commit(_queue_shown(unit, secretary, QueueNotice(secretary_id=secretary.id)))


async def refresh_queue(query: CallbackQuery, unit: Unit, secretary: Secretary) -> None:
    """The same by button, in place of the message pressed."""
    shown = QueueNotice(secretary_id=secretary.id, edits=query.message.message_id if query.message else None)
    await unit.commit(_queue_shown(unit, secretary, shown))


async def turn_page(query: CallbackQuery, callback_data: Listing, unit: Unit, secretary: Secretary) -> None:
    """A page of what waits, of what is hers, or of an account she serves."""
    if callback_data.view not in list(QueueView):
        raise NotFound
    view, account_id = QueueView(callback_data.view), AccountId(callback_data.account)
    if view is QueueView.ACCOUNT:
        require_serves(secretary, account_id)
    shown = QueueNotice(
        secretary_id=secretary.id,
        view=view,
        account_id=account_id or None,
        page=max(0, min(callback_data.page, MOST_PAGES)),
        edits=query.message.message_id if query.message else None,
    )
    await unit.commit(_queue_shown(unit, secretary, shown))


def _queue_shown(unit: Unit, secretary: Secretary, shown: QueueNotice) -> Changes:
    return Changes(inserts=[shown_to(secretary, shown, unit.now)])


async def list_queued(desk: Desk, secretary: Secretary, limit: int = HEADS) -> list[Conversation]:
    """What waits in the accounts she may serve, longest waiting first.

    Asked account by account: no query ever reads across their walls.
    """
    waiting: list[Conversation] = []
    for account_id in desk.accounts:
        if may_serve(secretary, account_id):
            waiting += await desk.store.list(CONVERSATIONS_QUEUED, account_id, limit=limit)
    return sorted(waiting, key=_place)[:limit]


async def count_queued(desk: Desk, secretary: Secretary) -> int:
    """How many wait in the accounts she may serve."""
    counts = [
        await desk.store.count(CONVERSATIONS_QUEUED, account_id)
        for account_id in desk.accounts
        if may_serve(secretary, account_id)
    ]
    return sum(counts)


async def list_late(desk: Desk, secretary: Secretary, limit: int = HEADS) -> list[Conversation]:
    """What should have been answered by now in the accounts she may serve, the longest overdue first."""
    late: list[Conversation] = []
    for account_id in desk.accounts:
        if may_serve(secretary, account_id):
            late += await desk.store.list(CONVERSATIONS_DUE, account_id, until=desk.clock(), limit=limit)
    return sorted(late, key=lambda c: (c.answer_by_at or c.opened_at, c.id))[:limit]


async def count_late(desk: Desk, secretary: Secretary) -> int:
    """How many those are."""
    counts = [
        await desk.store.count(CONVERSATIONS_DUE, account_id, until=desk.clock())
        for account_id in desk.accounts
        if may_serve(secretary, account_id)
    ]
    return sum(counts)


async def next_by_command(message: Message, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """Take what has waited longest."""
    await _take_next(unit, desk, secretary)


async def take_next(query: CallbackQuery, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice) -> None:
    """The same, by button."""
    number = await _take_next(unit, desk, secretary)
    unit.say(voice.say("toast.taken", number=str(number)))


async def _take_next(unit: Unit, desk: Desk, secretary: Secretary) -> int:
    waiting = await list_queued(desk, secretary, limit=1)
    if not waiting:
        raise InvalidTransition("error.queue_empty")
    await unit.commit(
        await _taken(desk, waiting[0], secretary, unit),
        account_id=waiting[0].account_id,
        conversation_id=waiting[0].id,
    )
    return waiting[0].number


async def take(
    query: CallbackQuery, callback_data: Take, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Take one conversation; when two press together, one gets it and the other is told who."""
    conversation = await desk.store.get(Conversation, callback_data.conversation)
    try:
        changes = await _taken(desk, conversation, secretary, unit)
    except AlreadyAssigned as taken:
        # Her card still offers it: it is brought up to date with the refusal.
        await unit.commit(Changes(inserts=[card_for(secretary, conversation, unit.now, fresh=False)]))
        unit.say(voice.say(taken.key, **taken.args_shown), alert=True)
        return
    await unit.commit(changes, account_id=conversation.account_id, conversation_id=conversation.id)
    unit.say(voice.say("toast.taken", number=str(conversation.number)))


async def _taken(desk: Desk, before: Conversation, secretary: Secretary, unit: Unit) -> Changes:
    presence = await desk.store.get(Presence, secretary.id)
    after = await taken_by_hand(desk.store, before, secretary, presence, unit.now)
    if after is before:
        return Changes(inserts=[card_for(secretary, before, unit.now, fresh=True, asks=True)])
    changes = Changes(
        replacements=[after],
        inserts=[
            event("taken", after, unit.now, actor=secretary),
            card_for(secretary, after, unit.now, fresh=True, asks=True),
        ],
    )
    changes += await balance(desk.store, before, after, unit.now)
    return changes + await others_told(desk.store, after, secretary, unit)


async def others_told(store: Store, conversation: Conversation, actor: Secretary, unit: Unit) -> Changes:
    """Bring every other card of the conversation up to date."""
    shown = await store.list(SHOWN_OF_CONVERSATION, conversation.id, "card")
    ids = {s.secretary_id for s in shown if s.current_key is not None} - {actor.id}
    others = await store.find_many(Secretary, ids)
    return Changes(inserts=[card_for(other, conversation, unit.now, fresh=False) for other in others.values()])


async def release(
    query: CallbackQuery, callback_data: Release, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Put a conversation back; it is dealt to someone else, or waits with the reason."""
    before = await desk.store.get(Conversation, callback_data.conversation)
    after = released(before, secretary, unit.now)
    placement = await desk.triage.deal(after, unit.now)
    after = placement.conversation
    changes = Changes(
        replacements=[after],
        inserts=[
            event("released", after, unit.now, actor=secretary),
            placement_event(after, unit.now),
            *placement.notices,
            *([] if after.assignee_id == secretary.id else [card_for(secretary, after, unit.now, fresh=False)]),
        ],
    )
    changes += await balance(desk.store, before, after, unit.now)
    changes += await others_told(desk.store, after, secretary, unit)
    draft = await find_open(desk.store, before.id, secretary.id)
    if draft is not None:
        changes += Changes(inserts=[preview_for(secretary, draft, unit.now, fresh=False)])
    await unit.commit(changes, account_id=after.account_id, conversation_id=after.id)
    unit.say(voice.say("toast.released", number=str(after.number)))


async def deal_waiting(desk: Desk, lease: Lease | None = None) -> None:
    """Deal what waits to whoever is there and has room, oldest first; what nobody can take stays.

    Args:
        lease: once it is lost, nothing is dealt.
    """
    if not await desk.store.list(CONVERSATIONS_QUEUED_ANYWHERE, limit=1):
        return
    if not await desk.store.list(PRESENT, True, limit=1):
        return
    automatic = [a.id for a in desk.accounts.values() if a.assignment is not AssignmentMode.MANUAL]
    lines = {account_id: line for account_id in automatic if (line := await _line(desk, account_id))}
    while lines:
        # Across accounts: were one emptied first, a busy account would keep everybody from the others for ever.
        account_id = min(lines, key=lambda account: _place(lines[account][0]))
        before = lines[account_id].popleft()
        if not await _dealt(desk, before, lease):
            del lines[account_id]  # nobody has room; those behind it wait for the same people
        elif not lines[account_id]:
            lines[account_id] = await _line(desk, account_id, after=before)
            if not lines[account_id]:
                del lines[account_id]


def _place(conversation: Conversation) -> tuple[Priority, datetime, str]:
    return conversation.priority, conversation.queued_at or conversation.opened_at, conversation.id


async def _line(desk: Desk, account_id: AccountId, after: Conversation | None = None) -> deque[Conversation]:
    """Who waits in one account, longest waiting first: as many as are read at once."""
    return deque(await desk.store.list(CONVERSATIONS_QUEUED, account_id, after=after, limit=HEADS))


async def _dealt(desk: Desk, before: Conversation, lease: Lease | None) -> bool:
    """Deal one; False: it waits, and so do those behind it."""
    now = desk.clock()
    placement = await desk.triage.deal(before, now)
    after = placement.conversation
    if after == before:
        return bool(before.declined_by)  # it waits for others than those behind it
    changes = Changes(
        replacements=[after], inserts=placement.notices, expectations=[lease] if lease is not None else []
    )
    if after.assignee_id is not None:
        changes += Changes(inserts=[placement_event(after, now)])
    with suppress(Conflict):  # taken by hand meanwhile, or it changed: the commit that did so wakes the dealing again
        changes += await balance(desk.store, before, after, now)
        await desk.store.commit(changes)
    return True
