"""How someone becomes a secretary: by a single-use, expiring link, or because the config declares an owner."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from inbox.conversations import desk_event
from inbox.errors import InvalidTransition
from inbox.model import Invitation, Presence, Principal, Role, Secretary
from inbox.parts import UNSORTED, AccountId, ChannelId, Part, SecretaryId, new_id
from inbox.store.base import Changes

INVITATION_PREFIX = "i-"
"""Tells an invitation's deep link from an account's; no account's key begins so."""

_RANK = {Role.SECRETARY: 0, Role.SUPERVISOR: 1, Role.OWNER: 2}


class DeclaredOwner(Part, frozen=True, kw_only=True):
    """An owner as the config names them, and the bot that reaches them."""

    telegram_user_id: int
    name: str
    language: str
    channel_id: ChannelId


def token_hash(token: str) -> str:
    """What is kept of a token: whoever reads the store cannot make the link."""
    # the token is 256 random bits: nothing to guess, so nothing to slow down or salt
    return hashlib.sha256(token.encode()).hexdigest()


def deep_link_payload(token: str) -> str:
    """What `?start=` carries: at most 64 of A–Z a–z 0–9 _ - (Telegram's limit)."""
    return INVITATION_PREFIX + token


def token_in(payload: str) -> str | None:
    """The token a deep link carried, or None when it is no invitation."""
    return payload.removeprefix(INVITATION_PREFIX) if payload.startswith(INVITATION_PREFIX) else None


def invite(
    role: Role,
    *,
    token: str,
    now: datetime,
    lifetime: timedelta,
    name: str | None = None,
    accounts: Sequence[AccountId] | None = None,
) -> Invitation:
    """A way in for whoever shows the token first, until it expires.

    Args:
        token: made by `secrets.token_urlsafe(32)`.
        accounts: the accounts they may serve; None is all of them.
    """
    return Invitation(
        id=new_id(),
        token_hash=token_hash(token),
        role=role,
        name=name,
        accounts=None if accounts is None else tuple(accounts),
        created_at=now,
        expires_at=now + lifetime,
    )


def accept_invitation(
    invitation: Invitation,
    *,
    telegram_user_id: int,
    chat_id: int,
    channel_id: ChannelId,
    name: str,
    language: str,
    now: datetime,
    existing: Secretary | None,
    principal: Principal | None,
) -> Changes:
    """Make whoever showed the token a secretary, and the invitation used, as one unit.

    Someone who is one already loses nothing: the higher role stands and
    accounts add up. Someone who was sent away gets what this invitation
    grants and no more.

    Raises:
        InvalidTransition: it was used, has expired, or whoever opened it speaks for an account; then it stays good.
    """
    if principal is not None and principal.active:
        raise InvalidTransition("error.secretary_is_principal")
    if invitation.used_at is not None:
        raise InvalidTransition("error.invitation_used")
    if now >= invitation.expires_at:
        raise InvalidTransition("error.invitation_expired")
    if existing is None:
        joined = Secretary(
            id=SecretaryId(new_id()),
            name=invitation.name or name or str(telegram_user_id),
            role=invitation.role,
            language=language,
            telegram_user_id=telegram_user_id,
            chat_id=chat_id,
            channel_id=channel_id,
            accounts=invitation.accounts,
            joined_at=now,
        )
        changes = Changes(inserts=[joined, Presence(id=joined.id, since_at=now)])
    else:
        kept = existing if existing.active else None
        joined = msgspec.structs.replace(
            existing,
            name=invitation.name or existing.name,
            role=max(invitation.role, kept.role, key=_RANK.__getitem__) if kept else invitation.role,
            accounts=_together(kept.accounts, invitation.accounts) if kept else invitation.accounts,
            chat_id=chat_id,
            channel_id=channel_id,
            active=True,
        )
        changes = Changes(replacements=[joined])
    used = msgspec.structs.replace(invitation, used_at=now, used_by=joined.id)
    said = desk_event("joined", UNSORTED, now, actor=joined, detail={"role": joined.role.value})
    return changes + Changes(replacements=[used], inserts=[said])


def _together(old: tuple[AccountId, ...] | None, new: tuple[AccountId, ...] | None) -> tuple[AccountId, ...] | None:
    if old is None or new is None:
        return None
    return tuple(dict.fromkeys((*old, *new)))


def owners_in_line(declared: Sequence[DeclaredOwner], stored: Iterable[Secretary], now: datetime) -> Changes:
    """What makes every declared owner an owner, active and for all accounts; empty when they all are.

    Nobody is demoted here: someone who left the config keeps the role until
    an owner takes it back. What a known person set meanwhile (name, language,
    the bot they use) stays.
    """
    known = {secretary.telegram_user_id: secretary for secretary in stored}
    changes = Changes()
    for owner in declared:
        before = known.get(owner.telegram_user_id)
        if before is None:
            secretary = Secretary(
                id=SecretaryId(new_id()),
                name=owner.name,
                role=Role.OWNER,
                language=owner.language,
                telegram_user_id=owner.telegram_user_id,
                # a private chat's id is the user's (Bot API, Chat.id)
                chat_id=owner.telegram_user_id,
                channel_id=owner.channel_id,
                joined_at=now,
            )
            changes += Changes(inserts=[secretary, Presence(id=secretary.id, since_at=now)])
        else:
            secretary = msgspec.structs.replace(before, role=Role.OWNER, accounts=None, active=True)
            if secretary == before:
                continue
            changes += Changes(replacements=[secretary])
        said = desk_event("joined", UNSORTED, now, actor=secretary, detail={"role": Role.OWNER.value})
        changes += Changes(inserts=[said])
    return changes
