"""Whom we work for: a doctor, a lawyer, a plumber. They join by a single-use, expiring link, and see only their own."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from inbox.assignment import is_supervisor, require_serves
from inbox.conversations import desk_event
from inbox.errors import InvalidTransition, NotAllowed, NotFound
from inbox.invitations import token_hash
from inbox.machinery import DeskKey
from inbox.model import Event, OnCall, Principal, PrincipalInvitation, Secretary
from inbox.parts import UNSORTED, AccountId, ChannelId, new_id
from inbox.store.base import Changes, Store
from inbox.store.documents import PRINCIPALS

MOST_PRINCIPALS = 10_000


def require_principal(principal: Principal, account_id: AccountId) -> None:
    """Hold the wall around an account.

    Raises:
        NotFound: it is not theirs, or no longer.
    """
    if account_id not in principal.accounts:
        raise NotFound


def require_may_invite(supervisor: Secretary, account_id: AccountId) -> None:
    """Hold that she may say who speaks for an account.

    Raises:
        NotAllowed: she does not answer for all.
        NotFound: she does not serve it.
    """
    if not is_supervisor(supervisor):
        raise NotAllowed
    require_serves(supervisor, account_id)
    if account_id == UNSORTED:
        raise NotFound


def invite_principal(
    account_id: AccountId, supervisor: Secretary, key: DeskKey, now: datetime, lifetime: timedelta
) -> PrincipalInvitation:
    """A way in for whoever shows its token first, until it expires."""
    require_may_invite(supervisor, account_id)
    invitation_id = new_id()
    return PrincipalInvitation(
        id=invitation_id,
        account_id=account_id,
        token_hash=token_hash(token_of(invitation_id, key)),
        invited_by=supervisor.id,
        created_at=now,
        expires_at=now + lifetime,
    )


def token_of(invitation_id: str, key: DeskKey) -> str:
    """The token of an invitation: made anew where it is shown, so that it stands nowhere."""
    made = hmac.digest(key.secret, f"principal:{invitation_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def accept(
    invitation: PrincipalInvitation,
    *,
    telegram_user_id: int,
    chat_id: int,
    channel_id: ChannelId,
    name: str,
    language: str,
    now: datetime,
    existing: Principal | None,
    secretary: Secretary | None,
) -> tuple[Principal, Changes]:
    """Make whoever showed the token one who speaks for the account, and the invitation used, as one unit.

    Raises:
        InvalidTransition: it was used, has expired, or whoever opened it works at the desk; then it stays good.
    """
    if secretary is not None and secretary.active:
        raise InvalidTransition("error.principal_at_desk")
    if invitation.used_at is not None:
        raise InvalidTransition("error.invitation_used")
    if now >= invitation.expires_at:
        raise InvalidTransition("error.invitation_expired")
    if existing is None:
        joined = Principal(
            id=new_id(),
            name=name or str(telegram_user_id),
            telegram_user_id=telegram_user_id,
            chat_id=chat_id,
            channel_id=channel_id,
            language=language,
            accounts=(invitation.account_id,),
            joined_at=now,
        )
        changes = Changes(inserts=[joined])
    else:
        accounts = tuple(dict.fromkeys((*existing.accounts, invitation.account_id)))
        joined = msgspec.structs.replace(
            existing, accounts=accounts, chat_id=chat_id, channel_id=channel_id, active=True
        )
        changes = Changes(replacements=[joined])
    used = msgspec.structs.replace(invitation, used_at=now, used_by=joined.id)
    said = Event(
        id=new_id(),
        account_id=invitation.account_id,
        at=now,
        kind="principal_joined",
        actor=joined.id,
        actor_name=joined.name,
    )
    return joined, changes + Changes(replacements=[used], inserts=[said])


def dismissed(
    principal: Principal, account_id: AccountId, rota: Iterable[OnCall], supervisor: Secretary, now: datetime
) -> Changes:
    """What makes somebody speak for an account no longer; their other accounts stay theirs.

    Args:
        rota: the days on call that stand on the account's list; theirs are lifted.

    Raises:
        NotFound: they do not speak for it, or she does not serve it.
        NotAllowed: she does not answer for all.
    """
    require_may_invite(supervisor, account_id)
    require_principal(principal, account_id)
    accounts = tuple(each for each in principal.accounts if each != account_id)
    after = msgspec.structs.replace(principal, accounts=accounts, active=bool(accounts))
    said = desk_event("principal_dismissed", account_id, now, actor=supervisor, detail={"other": principal.name})
    days = [
        msgspec.structs.replace(each, lifted_at=now, standing=None, turns_at=None)
        for each in rota
        if each.principal_id == principal.id and each.account_id == account_id
    ]
    return Changes(replacements=[after, *days], inserts=[said])


async def list_principals(store: Store, account_id: AccountId) -> list[Principal]:
    """Who speaks for an account, by name."""
    everyone = await store.list(PRINCIPALS, True, limit=MOST_PRINCIPALS)
    return sorted((p for p in everyone if account_id in p.accounts), key=lambda p: (p.name, p.id))
