"""Who of those an account belongs to is called for what is urgent, and when: said in a sentence, and read back."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from inbox.errors import InvalidTransition, NotFound
from inbox.instructions import LONGEST_TEXT, Giver, midnight, require_may_instruct
from inbox.model import OnCall, Principal
from inbox.parts import AccountId, new_id
from inbox.periods import read_period
from inbox.principals import require_principal
from inbox.store.base import Store
from inbox.store.documents import ON_CALL

MOST_ON_A_LIST = 50
LONGEST = timedelta(days=366)


def begun(account_id: AccountId, principal: Principal, giver: Giver, now: datetime) -> OnCall:
    """Days on call whose words are still to come.

    Raises:
        NotAllowed: a secretary who does not answer for all.
        NotFound: an account that is not theirs, or not the principal's.
    """
    require_may_instruct(giver, account_id)
    require_principal(principal, account_id)
    return OnCall(
        id=new_id(),
        account_id=account_id,
        principal_id=principal.id,
        name=principal.name,
        given_by=giver.id,
        giver_name=giver.name,
        created_at=now,
    )


async def get_said(store: Store, on_call_id: str, giver: Giver) -> OnCall:
    """Days on call that they may read and change.

    Raises:
        NotFound: there are none, or they are another account's, or still somebody else's to confirm.
        NotAllowed: a secretary who does not answer for all.
    """
    on_call = await store.get(OnCall, on_call_id)
    require_may_instruct(giver, on_call.account_id)
    if on_call.confirmed_at is None and on_call.given_by != giver.id:
        raise NotFound
    return on_call


def worded(on_call: OnCall, words: str, time_zone: str, now: datetime) -> OnCall:
    """The same, with the days these words speak of by the account's clock.

    Raises:
        InvalidTransition: it holds already, or was thrown away; or the words are too long, or name no last day, or
            days that are unclear or past.
    """
    if on_call.lifted_at is not None or on_call.confirmed_at is not None:
        raise InvalidTransition("error.on_call_given")
    text = " ".join(words.split())
    if not text or len(text) > LONGEST_TEXT:
        raise InvalidTransition("error.instruction_long", count=str(LONGEST_TEXT))
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    period = read_period(text, today)
    if period.last is None:
        raise InvalidTransition("error.on_call_days")
    begins, ends = midnight(period.first or today, zone), midnight(period.last + timedelta(days=1), zone)
    if ends - begins > LONGEST:
        raise InvalidTransition("error.on_call_days")
    return msgspec.structs.replace(on_call, text=text, begins_at=begins, ends_at=ends)


def confirmed(on_call: OnCall, seen: int, now: datetime) -> OnCall:
    """The days as they were read back, on the account's list. Confirmed twice, the first time stands.

    Raises:
        InvalidTransition: it was lifted, its days are over, or it is not as it was shown, at version `seen`.
    """
    if on_call.lifted_at is not None:
        raise InvalidTransition("error.on_call_given")
    if on_call.confirmed_at is not None:
        return on_call
    if on_call.version != seen or on_call.ends_at is None:
        raise InvalidTransition("error.list_changed")
    if on_call.ends_at <= now:
        raise InvalidTransition("error.days_past")
    turns_at = max(on_call.begins_at or now, now)
    return msgspec.structs.replace(on_call, confirmed_at=now, standing=on_call.account_id, turns_at=turns_at)


def lifted(on_call: OnCall, now: datetime) -> OnCall:
    """The days on nobody's list any more; lifted twice, the first time stands."""
    return msgspec.structs.replace(on_call, lifted_at=on_call.lifted_at or now, standing=None, turns_at=None)


async def list_rota(store: Store, account_id: AccountId, now: datetime) -> list[OnCall]:
    """Who is, or will be, on call for an account: what began first is first."""
    found = await store.list(ON_CALL, account_id, since=now, limit=MOST_ON_A_LIST)
    still = [each for each in found if each.ends_at is not None and each.ends_at > now]
    return sorted(still, key=lambda each: (each.begins_at or now, each.id))


async def list_on_call(store: Store, account_id: AccountId, now: datetime) -> list[Principal]:
    """Who is on call for an account at this moment, in the order in which they were put on its list."""
    rota = [o for o in await list_rota(store, account_id, now) if o.begins_at is not None and o.begins_at <= now]
    people = await store.find_many(Principal, {each.principal_id for each in rota})
    named = dict.fromkeys(each.principal_id for each in sorted(rota, key=lambda o: (o.confirmed_at or now, o.id)))
    return [people[p] for p in named if p in people and people[p].active and account_id in people[p].accounts]


def require_room(rota: list[OnCall]) -> None:
    """Hold that the list has room.

    Raises:
        InvalidTransition: it has as many days as it may have.
    """
    if len(rota) >= MOST_ON_A_LIST:
        raise InvalidTransition("error.on_call_full", count=str(MOST_ON_A_LIST))
