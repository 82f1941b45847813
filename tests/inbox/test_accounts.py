import msgspec
import pytest

from inbox.accounts import account_addressed, bring_in_line, is_written_to, unsorted_account, without_tag
from inbox.model import Account, Identity
from inbox.parts import UNSORTED, AccountId


def account(key: str, *addresses: str, version: int = 0, retired: bool = False) -> Account:
    return Account(
        id=AccountId(key),
        version=version,
        name=key.title(),
        language="fr",
        time_zone="Europe/Paris",
        identity=Identity(display_name=key.title()),
        addresses=addresses,
        retired=retired,
    )


ROUX = account("roux", "contact@roux.example", "urgence@roux.example")
BERNARD = account("bernard", "bernard@permanence.example", "devis+web@permanence.example")


def test_accounts_that_say_what_the_config_says_change_nothing() -> None:
    stored = [msgspec.structs.replace(ROUX, version=3), msgspec.structs.replace(BERNARD, version=1)]
    assert not bring_in_line([BERNARD, ROUX], stored)


def test_a_new_account_is_inserted_and_a_changed_one_replaced_at_the_version_it_was_read_at() -> None:
    renamed = msgspec.structs.replace(ROUX, name="Dr Roux")
    changes = bring_in_line([renamed, BERNARD], [msgspec.structs.replace(ROUX, version=3)])
    assert list(changes.inserts.values()) == [BERNARD]
    assert list(changes.replacements.values()) == [msgspec.structs.replace(renamed, version=3)]
    assert not changes.deletions


def test_an_account_that_left_the_config_is_retired_once_and_comes_back_when_declared_again() -> None:
    stored = msgspec.structs.replace(ROUX, version=3)
    retired = msgspec.structs.replace(stored, retired=True)
    assert list(bring_in_line([], [stored]).replacements.values()) == [retired]
    assert not bring_in_line([], [retired])
    assert list(bring_in_line([ROUX], [retired]).replacements.values()) == [stored]


def test_the_unsorted_lane_is_never_retired() -> None:
    lane = unsorted_account("À trier", "fr", "Europe/Paris")
    assert lane.id == UNSORTED
    assert not bring_in_line([], [lane])


@pytest.mark.parametrize(
    ("addressed_to", "expected"),
    [
        (["bernard@permanence.example"], "bernard"),
        (["Bernard@Permanence.Example"], "bernard"),
        (["accueil@permanence.example", "urgence@roux.example"], "roux"),
        (["contact+rdv@roux.example"], "roux"),
        (["devis+web@permanence.example"], "bernard"),
        (["contact@roux.example", "urgence@roux.example"], "roux"),
        (["devis@permanence.example"], None),
        (["accueil@permanence.example"], None),
        ([], None),
        (["+tag@roux.example", "@", ""], None),
    ],
)
def test_a_mail_is_for_the_account_whose_address_it_was_written_to(
    addressed_to: list[str], expected: str | None
) -> None:
    assert account_addressed([ROUX, BERNARD], addressed_to, None) == expected


def test_a_mail_to_two_accounts_is_for_neither_until_somebody_places_it() -> None:
    assert account_addressed([ROUX, BERNARD], ["contact@roux.example", "bernard@permanence.example"], None) is None
    both = account("autre", "contact@roux.example")
    assert account_addressed([ROUX, both], ["contact@roux.example"], None) is None


def test_the_mailboxes_own_account_comes_before_any_address() -> None:
    assert account_addressed([ROUX, BERNARD], ["contact@roux.example"], BERNARD.id) == BERNARD.id


def test_a_retired_account_is_written_to_in_vain() -> None:
    retired = msgspec.structs.replace(ROUX, retired=True)
    assert account_addressed([retired, BERNARD], ["contact@roux.example"], None) is None


def test_only_the_local_part_has_a_tag() -> None:
    assert without_tag("a+b+c@d+e.example") == "a@d+e.example"
    assert without_tag("+b@d.example") == "+b@d.example"
    assert without_tag("nobody") == "nobody"


SHARED = [
    msgspec.structs.replace(ROUX, addresses=(*ROUX.addresses, "accueil+roux@permanence.example", "*@roux.example")),
    msgspec.structs.replace(BERNARD, tags=("plomberie",), addresses=(*BERNARD.addresses, "*@bücher.example")),
]


@pytest.mark.parametrize(
    ("addressed_to", "expected"),
    [
        (["Accueil+ROUX@permanence.example"], "roux"),
        (["accueil+roux@permanence.example", "accueil@permanence.example"], "roux"),
        (["accueil+nobody@permanence.example"], None),
        (["info+roux@elsewhere.example"], None),  # a tag says nothing at an address that is not the mailbox's
        (["jamais.vu@roux.example"], "roux"),
        (["jamais.vu@sub.roux.example"], None),
        (["bestellung@xn--bcher-kva.example"], "bernard"),
        (["bestellung@BÜCHER.example"], "bernard"),
        (["jamais.vu@roux.example", "bernard@permanence.example"], None),
    ],
)
def test_a_tag_or_a_whole_domain_tells_whose_a_mail_is(addressed_to: list[str], expected: str | None) -> None:
    assert account_addressed(SHARED, addressed_to, None) == expected


def test_an_address_of_its_own_comes_before_its_domains() -> None:
    guest = account("guest", "guest@roux.example")
    assert account_addressed([*SHARED, guest], ["guest+rdv@roux.example"], None) == "guest"


@pytest.mark.parametrize(
    ("routed", "expected"),
    [
        ("bernard", "bernard"),
        (" Plomberie ", "bernard"),
        ("urgence@roux.example", "roux"),
        ("nobody", None),
        ("*", None),
        ("x@roux.example", None),
        ("roux bernard", None),
    ],
)
def test_what_the_server_says_comes_before_the_address_and_is_not_guessed_at(routed: str, expected: str | None) -> None:
    assert account_addressed(SHARED, ["contact@roux.example"], None, routed) == expected
    assert account_addressed(SHARED, ["contact@roux.example"], BERNARD.id, routed) == BERNARD.id


def test_what_is_written_to_an_account_is_told_by_every_form_of_its_addresses() -> None:
    roux, _ = SHARED
    assert is_written_to(roux, "contact+rdv@Roux.example")
    assert is_written_to(roux, "anybody@roux.example")
    assert not is_written_to(roux, "anybody@bernard.example")
