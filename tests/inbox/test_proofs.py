"""What counts as a code, what a wrong one costs, and how long any of it is kept."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from inbox.errors import InvalidTransition
from inbox.invitations import token_hash
from inbox.machinery import DeskKey
from inbox.parts import SecretaryId
from inbox.proofs import (
    KEPT,
    LIFETIME,
    MOST_TRIES,
    begun,
    code_in,
    code_in_mail,
    code_of,
    guessed,
    is_right,
    proof_token,
    require_good,
    used,
)
from inbox.retention import outdated_proofs
from inbox.store.base import Store
from tests.builders import KEY, NOW, a_contact, put

LEA = SecretaryId("lea")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("123456", "123456"),
        (" 123 456. ", "123456"),
        ("123\u202f456", "123456"),
        ("12345", None),
        ("1234567", None),
        ("le code est 123456", None),
        ("٣٢١٤٥٦", None),
    ],
)
def test_a_message_is_a_code_where_it_is_nothing_else(words: str, code: str | None) -> None:
    assert code_in(words) == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Bonjour, le code est 123 456.\nLise", "123456"),
        ("123456", "123456"),
        ("tél. 06 12 34 56 78", None),
        ("dossier 1234567", None),
        ("2 123 456,78 €", None),
        ("x" * 400 + " 123456", None),
    ],
)
def test_in_a_mail_a_code_is_a_number_of_its_own(words: str, code: str | None) -> None:
    assert code_in_mail(words) == code


def test_a_code_is_its_proofs_and_its_desks_alone() -> None:
    one, other = (begun(a_contact(), "paul@example.net", LEA, KEY, NOW) for _ in range(2))
    assert is_right(one, code_of(one.id, KEY), KEY)
    assert (code_of(one.id, KEY), proof_token(one.id, KEY)) != (code_of(other.id, KEY), proof_token(other.id, KEY))
    elsewhere = DeskKey(id=KEY.id, secret=b"\x09" * 32)
    assert token_hash(proof_token(one.id, elsewhere)) != one.token_hash == token_hash(proof_token(one.id, KEY))


def test_after_the_last_try_it_proves_nothing_and_so_it_is_once_used_or_over() -> None:
    proof = begun(a_contact(), "paul@example.net", LEA, KEY, NOW)
    require_good(proof, NOW + LIFETIME - timedelta(seconds=1))
    spent = proof
    for _ in range(MOST_TRIES):
        assert spent.open_for is not None
        spent = guessed(spent)
    for over, at in ((spent, NOW), (used(proof, NOW), NOW), (proof, NOW + LIFETIME)):
        with pytest.raises(InvalidTransition, match=r"error\.proof_over"):
            require_good(over, at)


async def test_what_is_over_is_kept_for_two_days_more(store: Store) -> None:
    proof = begun(a_contact(), "paul@example.net", LEA, KEY, NOW)
    await put(store, proof)
    assert not await outdated_proofs(store, proof.expires_at + KEPT)
    [gone] = (await outdated_proofs(store, proof.expires_at + KEPT + timedelta(seconds=1))).deletions.values()
    assert msgspec.structs.replace(proof, version=1) == gone
