import re
import secrets
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from inbox.errors import InvalidTransition
from inbox.invitations import (
    DeclaredOwner,
    accept_invitation,
    deep_link_payload,
    invite,
    owners_in_line,
    token_hash,
    token_in,
)
from inbox.model import Event, Invitation, Presence, Role, Secretary
from inbox.parts import UNSORTED, AccountId, ChannelId, Document, SecretaryId
from inbox.store.base import Changes

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DESK = ChannelId("telegram:desk")
ROUX = AccountId("roux")
BERNARD = AccountId("bernard")


def invitation(
    role: Role = Role.SECRETARY, *, name: str | None = None, accounts: list[AccountId] | None = None
) -> Invitation:
    return invite(role, token="t0ken", now=NOW, lifetime=timedelta(hours=48), name=name, accounts=accounts)


def accept(way_in: Invitation, existing: Secretary | None = None, now: datetime = NOW) -> Changes:
    return accept_invitation(
        way_in,
        telegram_user_id=7,
        chat_id=7,
        channel_id=DESK,
        name="Léa",
        language="fr",
        now=now,
        existing=existing,
        principal=None,
    )


def secretary(
    role: Role = Role.SECRETARY, accounts: tuple[AccountId, ...] | None = None, *, active: bool = True
) -> Secretary:
    return Secretary(
        id=SecretaryId("s1"),
        version=4,
        name="Léa Petit",
        role=role,
        language="en",
        telegram_user_id=7,
        chat_id=7,
        channel_id=DESK,
        accounts=accounts,
        active=active,
        joined_at=NOW - timedelta(days=30),
    )


def one(documents: dict[tuple[type[Document], str], Document], kind: type[Document]) -> Document:
    [found] = [document for document in documents.values() if isinstance(document, kind)]
    return found


def test_only_the_hash_of_the_token_is_kept() -> None:
    token = secrets.token_urlsafe(32)
    way_in = invite(Role.OWNER, token=token, now=NOW, lifetime=timedelta(hours=1))
    assert token not in repr(way_in)
    assert way_in.token_hash == token_hash(token)
    assert way_in.expires_at == NOW + timedelta(hours=1)


def test_the_deep_link_fits_what_telegram_allows_and_gives_the_token_back() -> None:
    token = secrets.token_urlsafe(32)
    payload = deep_link_payload(token)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", payload)
    assert token_in(payload) == token
    assert token_in("docteur-roux") is None


def test_who_accepts_becomes_a_secretary_off_duty_and_the_invitation_is_used() -> None:
    changes = accept(invitation(accounts=[ROUX]))
    joined, presence = one(changes.inserts, Secretary), one(changes.inserts, Presence)
    assert isinstance(joined, Secretary)
    assert isinstance(presence, Presence)
    assert (joined.name, joined.role, joined.accounts, joined.channel_id) == ("Léa", Role.SECRETARY, (ROUX,), DESK)
    assert (presence.id, presence.on_duty, presence.open_count) == (joined.id, False, 0)
    used = one(changes.replacements, Invitation)
    assert isinstance(used, Invitation)
    assert (used.used_at, used.used_by) == (NOW, joined.id)
    said = one(changes.inserts, Event)
    assert isinstance(said, Event)
    assert (said.kind, said.account_id, said.actor, said.detail) == (
        "joined",
        UNSORTED,
        joined.id,
        {"role": "secretary"},
    )


def test_the_name_in_the_invitation_comes_before_telegrams() -> None:
    joined = one(accept(invitation(name="Mme Petit")).inserts, Secretary)
    assert isinstance(joined, Secretary)
    assert joined.name == "Mme Petit"


def test_an_invitation_serves_once() -> None:
    used = one(accept(invitation()).replacements, Invitation)
    assert isinstance(used, Invitation)
    with pytest.raises(InvalidTransition) as refused:
        accept(used)
    assert refused.value.key == "error.invitation_used"


def test_an_invitation_expires() -> None:
    way_in = invitation()
    accept(way_in, now=way_in.expires_at - timedelta(seconds=1))
    with pytest.raises(InvalidTransition) as refused:
        accept(way_in, now=way_in.expires_at)
    assert refused.value.key == "error.invitation_expired"


@pytest.mark.parametrize(
    ("had", "invited", "has"),
    [
        (Role.SECRETARY, Role.SUPERVISOR, Role.SUPERVISOR),
        (Role.OWNER, Role.SECRETARY, Role.OWNER),
        (Role.SUPERVISOR, Role.OWNER, Role.OWNER),
    ],
)
def test_a_secretary_who_accepts_again_keeps_the_higher_role(had: Role, invited: Role, has: Role) -> None:
    changes = accept(invitation(invited), secretary(had))
    joined = one(changes.replacements, Secretary)
    assert isinstance(joined, Secretary)
    assert (joined.role, joined.id, joined.version, joined.name, joined.language) == (has, "s1", 4, "Léa Petit", "en")
    assert not [kind for kind, _ in changes.inserts if kind in (Secretary, Presence)]


@pytest.mark.parametrize(
    ("had", "invited", "has"),
    [((ROUX,), [BERNARD, ROUX], (ROUX, BERNARD)), (None, [ROUX], None), ((ROUX,), None, None)],
)
def test_accounts_add_up(
    had: tuple[AccountId, ...] | None, invited: list[AccountId] | None, has: tuple[AccountId, ...] | None
) -> None:
    joined = one(accept(invitation(accounts=invited), secretary(accounts=had)).replacements, Secretary)
    assert isinstance(joined, Secretary)
    assert joined.accounts == has


def test_who_was_sent_away_comes_back_with_what_the_invitation_grants_and_no_more() -> None:
    gone = secretary(Role.OWNER, None, active=False)
    joined = one(accept(invitation(accounts=[ROUX]), gone).replacements, Secretary)
    assert isinstance(joined, Secretary)
    assert (joined.active, joined.role, joined.accounts) == (True, Role.SECRETARY, (ROUX,))


ANNE = DeclaredOwner(telegram_user_id=7, name="Anne", language="fr", channel_id=DESK)


def test_a_declared_owner_is_there_from_the_start() -> None:
    changes = owners_in_line([ANNE], [], NOW)
    owner = one(changes.inserts, Secretary)
    assert isinstance(owner, Secretary)
    assert (owner.role, owner.name, owner.chat_id, owner.accounts) == (Role.OWNER, "Anne", 7, None)
    assert one(changes.inserts, Presence).id == owner.id
    settled = msgspec.structs.replace(owner, version=1, name="Anne L.")
    assert not owners_in_line([ANNE], [settled], NOW)


def test_a_secretary_who_is_declared_owner_is_raised_and_brought_back() -> None:
    changes = owners_in_line([ANNE], [secretary(accounts=(ROUX,), active=False)], NOW)
    owner = one(changes.replacements, Secretary)
    assert isinstance(owner, Secretary)
    assert (owner.id, owner.version, owner.role, owner.active, owner.accounts) == ("s1", 4, Role.OWNER, True, None)
    assert owner.name == "Léa Petit"
    said = one(changes.inserts, Event)
    assert isinstance(said, Event)
    assert said.detail == {"role": "owner"}


def test_an_owner_who_left_the_config_stays_one() -> None:
    assert not owners_in_line([], [secretary(Role.OWNER)], NOW)
