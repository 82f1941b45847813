"""Who imitates whom: every trick of the trade is seen, and two people of one provider are two people."""

from __future__ import annotations

import pytest

from inbox.lookalikes import looks_like, skeleton

OURS = ("contact@cabinet-roux.example", "accueil@cabinet-roux.example")
PAUL = "paul.martin@clinique-durand.example"


@pytest.mark.parametrize(
    "address",
    [
        "contact@cabinet-r0ux.example",
        "anyone@cabinet-r0ux.example",
        "anyone@cablnet-roux.example",
        "anyone@cabinetroux.example",
        "anyone@cabinet-rouux.example",
        "anyone@cabinet-ruox.example",
        "anyone@cabinet-rou.example",
        "anyone@cabinet-roux.test",
        "anyone@cabinet-roux.example.secure.test",
        "anyone@cabinet-roux-example.test",
        "anyone@cabinet-roux-paiement.test",
        "anyone@mon-cabinet-roux.test",
        "anyone@c\u0430binet-roux.example",
        "anyone@xn--cbinet-roux-yij.example",
        "anyone@cabinét-roux.example",
        "comtact@cabinet-rovx.example",
        "accuei1@cabinet-roux.example",
    ],
)
def test_an_imitation_of_ours_is_seen(address: str) -> None:
    assert looks_like(address, (), OURS) in OURS


@pytest.mark.parametrize(
    "address",
    [
        *OURS,
        "CONTACT@cabinet-roux.example",
        "camille@cabinet-roux.example",
        "contact@mail.cabinet-roux.example",
        "contact@cabinet-dupont.example",
        "cabinet@roux.example",
        "jean@orange.fr",
        "",
        "nobody",
        "@cabinet-roux.example",
        "x@",
    ],
)
def test_who_is_not_like_us_is_left_alone(address: str) -> None:
    assert looks_like(address, (), OURS) is None


@pytest.mark.parametrize(
    "address",
    [
        "paul.martin@clinique-durant.example",
        "paul.martin@clinique-durand.test",
        "paul.martin@cliniquedurand.example",
        "pau1.martin@clinique-durand.example",
        "paul.martin@dinique-durand.example",
        "paul.rnartin@clinique-durand.example",
    ],
)
def test_an_imitation_of_somebody_known_is_seen(address: str) -> None:
    assert looks_like(address, ["other@example.org", PAUL], OURS) == PAUL


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("jean@orange.fr", "jeanne@orange.fr"),
        ("jean.dupont@gmail.com", "jean.dupond@gmail.com"),
        ("jean@outlook.fr", "jean@outlook.com"),
        ("jean@ymail.com", "jean@gmail.com"),
        ("ali@gmail.com", "all@gmail.com"),
        ("marie@clinique-durant.example", "paul.martin@clinique-durand.example"),
        ("paul@site1.example", "paul@site2.example"),
        ("paul@agence-lyon1.example", "paul@agence-lyon2.example"),
        ("paul@abc.fr", "paul@abc.com"),
        ("paul@news.client.example", "paul@client.example"),
        ("paul.martin+devis@client.example", "paul.martin@client.example"),
        ("contact@garage.co.uk", "contact@garden.co.uk"),
    ],
)
def test_two_people_are_two_people(address: str, known: str) -> None:
    assert looks_like(address, [known]) is None
    assert looks_like(known, [address]) is None


def test_a_slip_of_the_provider_is_seen() -> None:
    assert looks_like("jean.dupont@gmial.com", ["jean.dupont@gmail.com"]) == "jean.dupont@gmail.com"


def test_an_own_address_at_a_provider_is_one_of_many() -> None:
    assert looks_like("somebody@orage.fr", (), ["plomberie.garnier@orange.fr"]) is None
    assert looks_like("plomberie.garnier@orange.com", (), ["plomberie.garnier@orange.fr"]) is None
    assert looks_like("plomberie.garnler@orange.fr", (), ["plomberie.garnier@orange.fr"]) is not None


def test_a_skeleton_is_what_the_eye_sees() -> None:
    assert skeleton("PayPaI") == skeleton("paypal") == skeleton("р\u0430ypal")  # noqa: RUF001
    assert skeleton("modern") == skeleton("modem")
    assert skeleton("roux") != skeleton("doux")


def test_a_crowd_and_nonsense_cost_little() -> None:
    crowd = [f"somebody{n}@client{n}.example" for n in range(100_000)]
    assert looks_like("x" * 100_000 + "@" + "y" * 100_000, crowd) is None
    assert looks_like("\ud800@\udfff.example", ["xn--\x00@xn--a.xn--"]) is None
