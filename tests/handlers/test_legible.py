"""What strangers call themselves and write, on a card: it can pass for nothing else."""

from __future__ import annotations

import msgspec
import pytest

from handlers import previews, views
from handlers.legible import legible, mixes_alphabets, names_another_address, one_line, person, same_name, units
from handlers.views import Screen
from inbox.model import Direction
from inbox.parts import ContactId, new_id
from tests.builders import a_contact, a_conversation, a_file, a_message, a_secretary
from tests.handlers.test_views import FR, a_card, a_preview

MIXED = "mêlant deux alphabets"
OTHER = "affiche une autre adresse"
OURS = "Porte le nom de votre propre compte"
CYRILLIC_A, CYRILLIC_O = "\u0430", "\u043e"


def quoted(screen: Screen) -> list[str]:
    """What Telegram sets apart as somebody's words."""
    encoded = screen.text.encode("utf-16-le")
    return [
        encoded[e.offset * 2 : (e.offset + e.length) * 2].decode("utf-16-le")
        for e in screen.entities
        if e.type == "blockquote"
    ]


def card_of(name: str, address: str = "x@stranger.test", *, text: str = "Bonjour", subject: str = "Devis") -> Screen:
    lea = a_secretary()
    contact = a_contact(name)
    conversation = msgspec.structs.replace(a_conversation(contact, holder=lea), subject=subject)
    facts = a_card(conversation, a_message(conversation, text, author=name), viewer=lea, holder=lea, contact=contact)
    return views.card(
        views.CardFacts(**{f: getattr(facts, f) for f in facts.__slots__} | {"contact_address": address}), FR
    )


# ---------------------------------------------------------------- what is hidden


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Pa\u200bul\u2060 Mar\u00adtin\ufeff", "Paul Martin"),
        ("\u202eluaP\u202c \u2066Martin\u2069", "luaP Martin"),
        ("Paul\0\x1b[31m Martin\x85", "Paul[31m Martin"),
        ("\u3164\uffa0\u115f", ""),
        ("\u200d\u200c \u200d", ""),
        ("\u0301\u0301Paul", "Paul"),
        ("Pau" + "l\u0335" + "\u0301" * 200, "Paul\u0335\u0301\u0301\u0301"),
        ("\u0e01" + "\u0e47" * 90, "\u0e01" + "\u0e47" * 4),
        ("Paul\u2028🟢 Pour vous\u2029", "Paul 🟢 Pour vous"),
        ("\U000e0041\U000e0042Paul", "Paul"),
        ("Élodie Lefèvre-Ünal", "Élodie Lefèvre-Ünal"),
        ("علی‌رضا", "علی‌رضا"),
        ("Trần Thị Ngọc Ánh 👩‍👩‍👧", "Trần Thị Ngọc Ánh 👩‍👩‍👧"),
    ],
)
def test_a_name_shows_what_can_be_seen_and_nothing_else(written: str, shown: str) -> None:
    assert one_line(written) == shown


def test_words_keep_their_lines_and_lose_what_nobody_sees() -> None:
    assert legible("un\n\n\u202edeux\u202c\r\n\ttrois\0") == "un\n\ndeux\n\ttrois"
    assert units(legible("\u200b" * 1_000_000 + "mot")) < 20_000
    assert legible("שלום\u200f!") == "שלום\u200f!"


# ---------------------------------------------------------------- what looks like ours


@pytest.mark.parametrize(
    "name",
    [
        "🟢 Pour vous",
        "📥 Dans la file",
        "Léa · 10:32 · ✓ envoyé",
        "✉️ Paul",
        "↩️ Léa",
        "⏳ Attend",
        "⚠️ Paul",
        "🔒 chez Inès",
    ],
)
def test_a_name_says_nothing_in_the_desks_signs(name: str) -> None:
    assert not any(sign in person(name) for sign in "🟢📥✓✉↩⏳⚠🔒")
    assert "·" not in person(name)
    assert person("Gal·la") == "Gal·la"


def test_a_name_stands_on_one_line_with_its_real_address_last() -> None:
    screen = card_of("Paul Martin (paul.martin@example.net) ✉️\n📌 Autre sujet")
    assert screen.text.splitlines()[1] == "👤 Paul Martin (paul.martin@example.net) Autre sujet (x@stranger.test) ✉️"
    assert card_of("\u3164", "x@stranger.test").text.splitlines()[1] == "👤 x@stranger.test ✉️"
    assert card_of("\u3164", "").text.splitlines()[1] == "👤 ? ✉️"


def test_a_clients_words_are_set_apart_so_that_none_of_their_lines_is_the_desks() -> None:
    forged = "Bonjour\n\n↩️ Léa · 10:32 · envoyé\nOui, virez la somme.\n📎 facture.pdf (2 ko)\n🟢 Pour vous"
    assert quoted(card_of("Paul", text=forged)) == [forged]
    lea = a_secretary()
    conversation = a_conversation(holder=lea)
    ours = a_message(conversation, "Oui", direction=Direction.OUTBOUND, author="Léa")
    assert quoted(views.card(a_card(conversation, ours, viewer=lea, holder=lea), FR)) == []
    assert quoted(previews.preview(a_preview(unseen=[a_message(conversation, forged)]), FR)) == [forged]


@pytest.mark.parametrize(
    "text", ["<b>gras</b>", "*gras* _i_ `c`", "[ici](tg://user?id=1)", "&lt;a href=x&gt;", "</blockquote>"]
)
def test_markup_is_shown_as_it_was_written(text: str) -> None:
    screen = card_of(text, text="voici " + text, subject=text)
    assert screen.text.count(text) == 4
    assert {entity.type for entity in screen.entities} == {"bold", "italic", "blockquote"}


def test_whoever_else_writes_in_a_conversation_is_told_by_their_address() -> None:
    lea, paul = a_secretary(), a_contact("Paul Martin")
    conversation = a_conversation(paul, holder=lea)
    theirs = a_message(conversation, "un", author="Paul Martin")
    others = a_message(
        conversation, "deux", author="Paul Martin", address="x@stranger.test", author_id=ContactId(new_id()), position=2
    )
    screen = views.card(a_card(conversation, theirs, others, viewer=lea, holder=lea, contact=paul), FR)
    assert "💬 Paul Martin · 10:00\nun" in screen.text
    assert "💬 Paul Martin (x@stranger.test) · 10:00\ndeux" in screen.text


def test_a_file_is_named_on_one_line_the_way_it_ends() -> None:
    lea = a_secretary()
    conversation = a_conversation(holder=lea)
    message = a_message(conversation, "voici", attachments=(a_file("facture\u202efdp.exe\n🟢 Pour vous"),))
    assert "\n📎 facturefdp.exe 🟢 Pour vous (12 ko)" in views.card(a_card(conversation, message, viewer=lea), FR).text


# ---------------------------------------------------------------- look-alikes


@pytest.mark.parametrize(
    ("name", "address", "mark"),
    [
        (f"P{CYRILLIC_A}ul Martin", "x@stranger.test", MIXED),
        ("Paul Martin", f"paul@ex{CYRILLIC_A}mple.net", MIXED),
        ("paul.martin@example.net", "x@stranger.test", OTHER),
        ("Paul (paul.martin@example.net)", "x@stranger.test", OTHER),
        ("Dr Hélène Roux", "x@stranger.test", OURS),
        ("dr helene ROUX", "x@stranger.test", OURS),
        ("Dr\u200b Hélène. Roux", "x@stranger.test", OURS),
        ("Dr Hélène Roux", "", OURS),
    ],
)
def test_a_name_that_is_certainly_not_what_it_seems_is_marked(name: str, address: str, mark: str) -> None:
    text = card_of(name, address).text
    assert text.count("⚠️") == 1
    assert mark in text.splitlines()[2]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Paul Martin", "paul.martin@example.net"),
        ("paul.martin@example.net", "paul.martin@example.net"),
        ("Paul.Martin@Example.net", "paul.martin@example.net"),
        ("Дмитрий Иванов", "dmitri@example.net"),
        ("Иван Smith", "ivan@example.net"),
        ("Ελένη", "eleni@example.net"),
        ("Paul 😀 Łukasz Ünal", "x@stranger.test"),
        ("李小龍 Bruce", "x@stranger.test"),
        ("Dr Hélène Roux", "cabinet@roux.example"),
        ("", "x@stranger.test"),
        ("...", "x@stranger.test"),
    ],
)
def test_nobody_is_marked_for_a_name_as_people_have_them(name: str, address: str) -> None:
    assert "⚠️" not in card_of(name, address).text


def test_only_a_word_in_two_alphabets_is_a_mixture() -> None:
    assert mixes_alphabets(f"b{CYRILLIC_O}nj{CYRILLIC_O}ur")
    assert not mixes_alphabets("bonjour Иван 2 Ω")
    assert not names_another_address("x@y", "")
    assert not same_name("", "")
