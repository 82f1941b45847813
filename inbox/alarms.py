"""What is urgent, before whoever is on call: one after another, again and again, until one of them has seen it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from inbox.assignment import balance
from inbox.conversations import event, over
from inbox.errors import InvalidTransition, NotAllowed, NotFound
from inbox.model import Alarm, AlarmEnd, Conversation, Delivery, OnCall, Principal, Priority, Secretary, Status
from inbox.notices import AlarmNotice
from inbox.on_call import list_on_call, list_rota
from inbox.outbox import card_for, sentence_for, shown_to
from inbox.parts import Because
from inbox.passing import is_all_there_is, waits_again, whom_to_tell
from inbox.principals import require_principal
from inbox.store.base import Changes, Store
from inbox.store.documents import CONVERSATIONS_OF_ACCOUNT

AGAIN = timedelta(minutes=5)
"""After which the next on the list is called."""
ROUNDS = 3
"""How often each of the list is called before the desk is told that nobody saw it."""
MOST_CALLS = 60
_PAGE = 200


async def raised(store: Store, conversation: Conversation, now: datetime) -> Changes:
    """The first call for what is urgent, where somebody is on call; nothing where they are called for it already.

    Where days stand on the list and none of them can be called, the desk is told.

    Args:
        conversation: as it is to be committed.
    """
    if conversation.priority is not Priority.URGENT or conversation.status is Status.CLOSED:
        return Changes()
    before = await store.find(Alarm, conversation.id)
    if before is not None and before.due_at is not None and before.account_id == conversation.account_id:
        return Changes()
    on_call = await list_on_call(store, conversation.account_id, now)
    if not on_call:
        rota = await list_rota(store, conversation.account_id, now)
        is_somebodys_day = any(each.begins_at is not None and each.begins_at <= now for each in rota)
        return await _told_of_nobody(store, conversation, 0, now) if is_somebodys_day else Changes()
    new = Alarm(
        id=conversation.id,
        version=before.version if before is not None else 0,
        account_id=conversation.account_id,
        raised_at=now,
        due_at=now,
    )
    called, told = _call(new, on_call[0], conversation, now)
    said = event("alarm_raised", conversation, now, detail={"other": on_call[0].name})
    kept = Changes(inserts=[called]) if before is None else Changes(replacements=[called])
    return kept + Changes(inserts=[told, said])


async def raised_again(store: Store, conversation: Conversation, now: datetime) -> Changes:
    """The same for what is marked as urgent once more; what somebody has just seen does not ring again for that."""
    before = await store.find(Alarm, conversation.id)
    if before is not None and before.seen_at is not None and now - before.seen_at < AGAIN:
        return Changes()
    return await raised(store, conversation, now)


async def raised_unless_seen(store: Store, conversation: Conversation, now: datetime) -> Changes:
    """The same, unless somebody on call has seen it since it waits.

    Args:
        conversation: as it is to be committed; what waits in it no longer is seen as of when it was last written in.
    """
    before = await store.find(Alarm, conversation.id)
    since = conversation.waiting_since_at or conversation.last_message_at
    is_seen = before is not None and before.account_id == conversation.account_id and before.seen_at is not None
    if before is not None and is_seen and (before.seen_at or since) >= since:
        return Changes()
    return await raised(store, conversation, now)


async def days_begun(store: Store, before: OnCall, now: datetime) -> Changes:
    """What is committed when somebody's days begin: they are called for what is urgent, waits, and nobody has seen."""
    changes = Changes(replacements=[msgspec.structs.replace(before, turns_at=None)])
    if before.standing is None or before.ends_at is None or before.ends_at <= now:
        return changes
    last: Conversation | None = None
    while True:
        page = await store.list(
            CONVERSATIONS_OF_ACCOUNT, before.standing, Status.OPEN, descending=True, after=last, limit=_PAGE
        )
        for conversation in page:
            if conversation.priority is Priority.URGENT and conversation.waiting_since_at is not None:
                changes += await raised_unless_seen(store, conversation, now)
        if len(page) < _PAGE:
            return changes
        last = page[-1]


def _call(alarm: Alarm, principal: Principal, conversation: Conversation, now: datetime) -> tuple[Alarm, Delivery]:
    notice = AlarmNotice(principal_id=principal.id, conversation_id=conversation.id, fresh=True)
    after = msgspec.structs.replace(
        alarm,
        calls=alarm.calls + 1,
        called=tuple(dict.fromkeys((*alarm.called, principal.id))),
        last=principal.id,
        due_at=now + AGAIN,
    )
    return after, shown_to(principal, notice, now, about=conversation)


async def next_call(store: Store, before: Alarm, now: datetime) -> Changes:
    """What is committed when an alarm is due: the next call; or its end, where it is over or nobody saw it."""
    conversation = await store.find(Conversation, before.id)
    if conversation is None:
        return Changes(deletions=[before])
    if conversation.merged_into is not None:
        target = await _words_of(store, conversation)
        changes = await _ended(store, before, AlarmEnd.ELSEWHERE, conversation, now)
        return changes + await raised(store, target, now) if target is not None else changes
    if conversation.status is Status.CLOSED:
        return await _ended(store, before, AlarmEnd.CLOSED, conversation, now)
    if conversation.priority is not Priority.URGENT:
        return await _ended(store, before, AlarmEnd.CALM, conversation, now)
    if conversation.account_id != before.account_id:
        anew = await raised(store, conversation, now)
        is_called_anew = anew.newest(before) is not before
        return anew if is_called_anew else anew + await _ended(store, before, AlarmEnd.ELSEWHERE, conversation, now)
    on_call = await _callable(store, before, now)
    if not _is_left_to_call(before, on_call):
        return await _unseen(store, before, conversation, now)
    after, told = _call(before, _behind(on_call, before.last), conversation, now)
    changes = Changes(replacements=[after], inserts=[told])
    if conversation.assignee_id is not None:
        holder = await store.get(Secretary, conversation.assignee_id)
        changes += Changes(inserts=[card_for(holder, conversation, now, fresh=False)])
    return changes


async def _callable(store: Store, alarm: Alarm, now: datetime) -> list[Principal]:
    return [p for p in await list_on_call(store, alarm.account_id, now) if p.id not in alarm.unreached]


def _is_left_to_call(alarm: Alarm, on_call: Sequence[Principal]) -> bool:
    return alarm.calls < min(ROUNDS * len(on_call), MOST_CALLS)


async def _words_of(store: Store, merged: Conversation) -> Conversation | None:
    """Where its words are now: what they joined, always an older one, may have joined another since."""
    target: Conversation | None = merged
    while target is not None and target.merged_into is not None:
        target = await store.find(Conversation, target.merged_into)
    return target


def _behind(on_call: Sequence[Principal], last: str) -> Principal:
    ids = [each.id for each in on_call]
    return on_call[(ids.index(last) + 1) % len(ids)] if last in ids else on_call[0]


async def _ended(store: Store, before: Alarm, end: AlarmEnd, conversation: Conversation, now: datetime) -> Changes:
    after = msgspec.structs.replace(before, due_at=None, ended=end)
    return Changes(replacements=[after]) + await _brought_up(store, after, conversation, now)


async def _brought_up(store: Store, alarm: Alarm, conversation: Conversation, now: datetime) -> Changes:
    """What those who were called were shown, as it is now; and the card of whoever holds the conversation."""
    people = await store.find_many(Principal, alarm.called)
    notices = [
        shown_to(
            people[each],
            AlarmNotice(principal_id=each, conversation_id=conversation.id, fresh=False),
            now,
            about=conversation,
        )
        for each in alarm.called
        if each in people and each not in alarm.unreached
    ]
    if conversation.assignee_id is not None:
        holder = await store.get(Secretary, conversation.assignee_id)
        notices.append(card_for(holder, conversation, now, fresh=False))
    return Changes(inserts=notices)


async def _unseen(store: Store, before: Alarm, conversation: Conversation, now: datetime) -> Changes:
    """Everyone was called as often as they are: from here on the desk must see to it."""
    changes = await _ended(store, before, AlarmEnd.NOBODY, conversation, now)
    changes += await _told_of_nobody(store, conversation, before.calls, now)
    return changes + await waits_again(store, conversation, Because(key="because.alarm_nobody"), now)


async def _told_of_nobody(store: Store, conversation: Conversation, calls: int, now: datetime) -> Changes:
    number, count = {"number": str(conversation.number)}, {"count": str(calls)}
    because = Because(key="notice.alarm_uncalled", args=number)
    said = event("alarm_uncalled", conversation, now)
    if calls:
        because = Because(key="notice.alarm_nobody", args=number | count)
        said = event("alarm_nobody", conversation, now, detail=count)
    people = await whom_to_tell(store, conversation)
    return Changes(inserts=[*(sentence_for(s, because, now) for s in people), said])


async def seen(store: Store, conversation_id: str, principal: Principal, now: datetime) -> Changes:
    """Somebody on call has seen it: nobody else is called, and whoever was is told who; nothing, the second time.

    Raises:
        NotFound: it is not of an account of theirs, or nobody was ever called for it.
        NotAllowed: they are not on the list.
        InvalidTransition: somebody else has seen it, or it is over.
    """
    conversation = await store.get(Conversation, conversation_id)
    require_principal(principal, conversation.account_id)
    before = await store.find(Alarm, conversation.id)
    if before is None or before.account_id != conversation.account_id:
        raise NotFound
    if before.seen_by == principal.id:
        return Changes()
    if before.seen_by is not None:
        raise InvalidTransition("error.alarm_seen", name=before.seen_name)
    on_call = {each.id for each in await list_on_call(store, before.account_id, now)}
    if principal.id not in on_call | set(before.called):
        raise NotAllowed
    if before.ended is not None and before.ended is not AlarmEnd.NOBODY:
        raise InvalidTransition("error.alarm_over")
    after = msgspec.structs.replace(
        before,
        due_at=None,
        ended=AlarmEnd.SEEN,
        called=tuple(dict.fromkeys((*before.called, principal.id))),
        seen_by=principal.id,
        seen_name=principal.name,
        seen_at=now,
    )
    args = {"number": str(conversation.number), "name": principal.name}
    changes = Changes(
        replacements=[after],
        inserts=[event("alarm_seen", conversation, now, detail={"other": principal.name})],
    )
    if conversation.assignee_id is not None:
        holder = await store.get(Secretary, conversation.assignee_id)
        told = sentence_for(holder, Because(key="notice.alarm_seen", args=args), now)
        changes += Changes(inserts=[told])
    # Whether it is done with that is decided on what it is now.
    done = await _done(store, conversation, now) or Changes(expectations=[conversation])
    return changes + done + await _brought_up(store, after, done.newest(conversation), now)


async def _done(store: Store, before: Conversation, now: datetime) -> Changes:
    """A telephone message that was passed on is done once it was seen."""
    if before.waiting_since_at is not None or not await is_all_there_is(store, before):
        return Changes()
    after = over(before, Because(key="because.passed_on"), now)
    return Changes(replacements=[after]) + await balance(store, before, after, now)


async def not_reached(store: Store, call: AlarmNotice, now: datetime) -> Changes:
    """Whom a call cannot reach is passed over: the next is called at once, and the desk is told."""
    before = await store.find(Alarm, call.conversation_id)
    conversation = await store.find(Conversation, call.conversation_id)
    if before is None or conversation is None or before.due_at is None or call.principal_id in before.unreached:
        return Changes()
    principal = await store.get(Principal, call.principal_id)
    after = msgspec.structs.replace(
        before, unreached=(*before.unreached, principal.id), calls=before.calls - 1, due_at=now
    )
    args = {"number": str(conversation.number), "name": principal.name}
    goes_on = _is_left_to_call(after, await _callable(store, after, now))
    because = Because(key="notice.alarm_unreached" if goes_on else "notice.alarm_unreached_last", args=args)
    people = await whom_to_tell(store, conversation)
    return Changes(
        replacements=[after],
        inserts=[
            *(sentence_for(s, because, now) for s in people),
            event("alarm_unreached", conversation, now, detail={"other": principal.name}),
        ],
    )
