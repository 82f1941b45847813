"""Whose replies a supervisor reads before they leave, and who may do that."""

from __future__ import annotations

from datetime import datetime, timedelta

from inbox.assignment import is_supervisor, may_serve
from inbox.model import Account, Draft, Presence, Secretary
from inbox.outbox import preview_for
from inbox.parts import AccountId, SecretaryId
from inbox.store.base import Changes, Store
from inbox.store.documents import SECRETARIES

MOST_SECRETARIES = 10_000


def needs_approval(account: Account, author: Secretary, trial: timedelta, now: datetime) -> bool:
    """Whether a reply of hers leaves in the account's name only once a supervisor approved it.

    Args:
        trial: for how long after she joined nobody's replies leave unread.
    """
    return not is_supervisor(author) and (account.approval or is_reviewed(author, trial, now))


def is_reviewed(author: Secretary, trial: timedelta, now: datetime) -> bool:
    """Whether a supervisor reads all she writes, whatever the account."""
    if is_supervisor(author):
        return False
    return now - author.joined_at < trial if author.reviewed is None else author.reviewed


async def list_team(store: Store, supervisor: Secretary) -> list[Secretary]:
    """Who answers for an account she serves, by name."""
    everyone = await store.list(SECRETARIES, True, limit=MOST_SECRETARIES)
    return sorted((s for s in everyone if share_an_account(s, supervisor)), key=lambda s: (s.name, s.id))


def share_an_account(one: Secretary, other: Secretary) -> bool:
    """Whether there is an account that both may serve."""
    return one.accounts is None or other.accounts is None or bool(set(one.accounts) & set(other.accounts))


async def list_approvers(store: Store, account_id: AccountId, author_id: SecretaryId) -> list[Secretary]:
    """Who may approve what she writes: every other supervisor of the account."""
    everyone = await store.list(SECRETARIES, True, limit=MOST_SECRETARIES)
    return [s for s in everyone if is_supervisor(s) and may_serve(s, account_id) and s.id != author_id]


async def on_duty(store: Store, approvers: list[Secretary]) -> list[Secretary]:
    """Those of them who are there; all of them where nobody is."""
    present = await store.find_many(Presence, [s.id for s in approvers])
    return [s for s in approvers if s.id in present and present[s.id].on_duty] or approvers


async def told_approvers(store: Store, before: Draft, after: Draft, now: datetime) -> Changes:
    """Whoever was asked sees, in place, what became of it."""
    if before.asked_at is None and before.approved_by is None:
        return Changes()
    approvers = await list_approvers(store, after.account_id, after.author_id)
    return Changes(inserts=[preview_for(each, after, now, fresh=False) for each in approvers])
