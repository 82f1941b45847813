"""Who holds a conversation, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from inbox.errors import AlreadyAssigned, Conflict, InvalidTransition, NotAllowed, NotFound
from inbox.model import Conversation, Presence, Role, Secretary, Status
from inbox.parts import UNSORTED, AccountId, Because, SecretaryId
from inbox.store.base import Changes, Store
from inbox.store.documents import PRESENT

MOST_PRESENT = 1000


class Candidate(NamedTuple):
    """Someone on duty who may serve the account."""

    secretary: Secretary
    presence: Presence


def may_serve(secretary: Secretary, account_id: AccountId) -> bool:
    """Whether this secretary may see and answer anything of the account."""
    if not secretary.active:
        return False
    if account_id == UNSORTED:
        return is_supervisor(secretary)
    return secretary.accounts is None or account_id in secretary.accounts


def is_supervisor(secretary: Secretary) -> bool:
    """Whether she also places, moves and answers for all."""
    return secretary.role in (Role.SUPERVISOR, Role.OWNER)


def require_serves(secretary: Secretary, account_id: AccountId) -> None:
    """Hold the wall around an account.

    Raises:
        NotFound: she may not even know it exists.
    """
    if not may_serve(secretary, account_id):
        raise NotFound


async def get_served(store: Store, conversation_id: str, secretary: Secretary) -> Conversation:
    """A conversation she may see and answer.

    Raises:
        NotFound: there is none, or it is in an account she does not serve.
    """
    conversation = await store.get(Conversation, conversation_id)
    require_serves(secretary, conversation.account_id)
    return conversation


async def list_present(store: Store, account_id: AccountId) -> list[Candidate]:
    """Everyone on duty who may serve the account."""
    present = await store.list(PRESENT, True, limit=MOST_PRESENT)
    secretaries = await store.find_many(Secretary, [p.id for p in present])
    return [
        Candidate(secretaries[p.id], p)
        for p in present
        if p.id in secretaries and may_serve(secretaries[p.id], account_id)
    ]


class Choice(NamedTuple):
    """Who gets it (None: it waits), and the reason people are shown."""

    chosen: Candidate | None
    because: Because


def choose(present: Iterable[Candidate], declined_by: Iterable[SecretaryId] = ()) -> Choice:
    """Among those on duty with room: fewest open first, then longest idle."""
    everyone = list(present)
    if not everyone:
        return Choice(None, Because(key="because.nobody_present"))
    declined = set(declined_by)
    willing = [c for c in everyone if c.secretary.id not in declined]
    if not willing:
        return Choice(None, Because(key="because.everyone_declined"))
    free = [c for c in willing if c.presence.open_count < c.secretary.capacity]
    if not free:
        return Choice(None, Because(key="because.nobody_free", args={"count": str(len(willing))}))
    ranked = sorted(free, key=_rank)
    first = ranked[0]
    args = {"name": first.secretary.name, "count": str(first.presence.open_count)}
    if len(ranked) == 1:
        alone = "because.only_one" if len(everyone) == 1 else "because.only_free"
        return Choice(first, Because(key=alone, args=args))
    second = ranked[1]
    args |= {"other": second.secretary.name, "other_count": str(second.presence.open_count)}
    tied = second.presence.open_count == first.presence.open_count
    return Choice(first, Because(key="because.longest_idle" if tied else "because.fewest_open", args=args))


_NEVER = datetime.min.replace(tzinfo=UTC)


def _rank(candidate: Candidate) -> tuple[int, datetime, str]:
    presence = candidate.presence
    return presence.open_count, presence.last_assigned_at or _NEVER, presence.id


def weighs(conversation: Conversation) -> bool:
    """Whether the conversation counts in its holder's `open_count`."""
    return (
        conversation.assignee_id is not None
        and conversation.status is Status.OPEN
        and conversation.waiting_since_at is not None
    )


async def balance(store: Store, before: Conversation | None, after: Conversation, now: datetime) -> Changes:
    """Keep the holders' `open_count` exact across a change of one conversation.

    The presences are replaced in the same commit as the conversation, so the
    counts can neither drift nor hide two assignments from each other.

    Raises:
        Conflict: whoever would get something to answer has left since that was decided.
    """
    return await balance_all(store, [(before, after)], now)


async def balance_all(
    store: Store, changed: Iterable[tuple[Conversation | None, Conversation]], now: datetime
) -> Changes:
    """The same across a change of several conversations, whose holders may be one person."""
    deltas: dict[SecretaryId, int] = {}
    newly: set[SecretaryId] = set()
    for before, after in changed:
        if before is not None and before.assignee_id is not None and weighs(before):
            deltas[before.assignee_id] = deltas.get(before.assignee_id, 0) - 1
        if after.assignee_id is None:
            continue
        if weighs(after):
            deltas[after.assignee_id] = deltas.get(after.assignee_id, 0) + 1
        if before is None or before.assignee_id != after.assignee_id:
            newly.add(after.assignee_id)
    replacements: list[Presence] = []
    for secretary_id, delta in deltas.items():
        if delta == 0 and secretary_id not in newly:
            continue
        presence = await store.get(Presence, secretary_id)
        if delta > 0 and not presence.on_duty:
            raise Conflict(f"{secretary_id} left meanwhile")
        replacements.append(
            msgspec.structs.replace(
                presence,
                open_count=presence.open_count + delta,
                last_assigned_at=now if secretary_id in newly else presence.last_assigned_at,
            )
        )
    return Changes(replacements=replacements)


def held_by(conversation: Conversation, secretary_id: SecretaryId, because: Because, now: datetime) -> Conversation:
    """The conversation in this secretary's hands."""
    return msgspec.structs.replace(
        conversation, assignee_id=secretary_id, assigned_at=now, because=because, queued_at=None
    )


def queued(conversation: Conversation, because: Because, now: datetime) -> Conversation:
    """The conversation back in the queue, where it keeps the place its waiting gives it."""
    return msgspec.structs.replace(
        conversation,
        assignee_id=None,
        assigned_at=None,
        because=because,
        status=Status.OPEN,
        snoozed_until_at=None,
        queued_at=conversation.waiting_since_at or now,
    )


async def taken_by_hand(
    store: Store, conversation: Conversation, secretary: Secretary, presence: Presence, now: datetime
) -> Conversation:
    """The conversation once this secretary took it from the queue.

    Raises:
        AlreadyAssigned: someone else holds it.
        InvalidTransition: it is closed, or she is not on duty.
        NotFound: it is not in an account she serves.
    """
    require_serves(secretary, conversation.account_id)
    if conversation.status is Status.CLOSED:
        raise InvalidTransition("error.closed")
    if conversation.assignee_id == secretary.id:
        return conversation
    if conversation.assignee_id is not None:
        holder = await store.get(Secretary, conversation.assignee_id)
        raise AlreadyAssigned(holder.name)
    if not presence.on_duty:
        raise InvalidTransition("error.not_on_duty")
    return held_by(conversation, secretary.id, Because(key="because.taken", args={"name": secretary.name}), now)


def require_holds(conversation: Conversation, secretary: Secretary) -> None:
    """Hold that only its holder, or who answers for all, has a say in what becomes of a conversation somebody holds.

    Raises:
        InvalidTransition: it is closed, or nobody holds it.
        NotAllowed: somebody else does.
        NotFound: it is not in an account she serves.
    """
    require_serves(secretary, conversation.account_id)
    if conversation.status is Status.CLOSED:
        raise InvalidTransition("error.closed")
    if conversation.assignee_id is None:
        raise InvalidTransition("error.take_it_first")
    if conversation.assignee_id != secretary.id and not is_supervisor(secretary):
        raise NotAllowed


def receivers(present: Iterable[Candidate], conversation: Conversation) -> list[Candidate]:
    """Whom a conversation can be handed to, by name: on duty, serving its account, and not its holder."""
    others = (c for c in present if c.secretary.id != conversation.assignee_id)
    return sorted(others, key=lambda c: (c.secretary.name, c.secretary.id))


def handed_over(conversation: Conversation, giver: Secretary, receiver: Candidate, now: datetime) -> Conversation:
    """The conversation in a colleague's hands, who is there; she may be full, for somebody asked her.

    Raises:
        InvalidTransition: it is closed, or waits in the queue and the giver does not answer for all.
        NotAllowed: it is not the giver's to give.
        NotFound: giver or receiver does not serve the account.
    """
    if conversation.assignee_id is None and is_supervisor(giver):
        require_serves(giver, conversation.account_id)
        if conversation.status is Status.CLOSED:
            raise InvalidTransition("error.closed")
    else:
        require_holds(conversation, giver)
    require_serves(receiver.secretary, conversation.account_id)
    args = {"name": giver.name, "other": receiver.secretary.name}
    given = held_by(conversation, receiver.secretary.id, Because(key="because.handed_over", args=args), now)
    return msgspec.structs.replace(
        given,
        status=Status.OPEN,
        snoozed_until_at=None,
        declined_by=tuple(each for each in conversation.declined_by if each != receiver.secretary.id),
    )


def released(conversation: Conversation, secretary: Secretary, now: datetime) -> Conversation:
    """The conversation once this secretary put it back.

    Raises:
        NotAllowed: she neither holds it nor supervises.
        InvalidTransition: nobody holds it.
    """
    require_serves(secretary, conversation.account_id)
    if conversation.assignee_id is None or conversation.status is Status.CLOSED:
        raise InvalidTransition("error.not_held")
    if conversation.assignee_id != secretary.id and not is_supervisor(secretary):
        raise NotAllowed
    back = queued(conversation, Because(key="because.released", args={"name": secretary.name}), now)
    return msgspec.structs.replace(
        back, declined_by=tuple(dict.fromkeys((*conversation.declined_by, conversation.assignee_id)))
    )
