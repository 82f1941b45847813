"""The catalogue: the same in both languages, nothing said that is not in it, nothing in it that is not said."""

from __future__ import annotations

import ast
import string
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

import bot
from bot.locales import LANGUAGES, Catalogue
from handlers.legible import units

ROOT = Path(bot.__file__).parents[1]
TOAST = 200
"""Units of what somebody who pressed a button is told. Source: Bot API answerCallbackQuery."""
LONGEST_ARGUMENT = "é" * 60

FAMILIES = {
    "delivery.": ("dead", "unknown"),
    "trouble.": ("dead", "unknown"),
    "toast.": ("again", "sent", "drop"),
    "meeting.": (
        *("request", "cancel", "counter", "reply", "accepted", "declined", "tentative", "publish"),
        *("daily", "weekly", "monthly", "yearly"),
    ),
    "role.": ("secretary", "supervisor", "owner"),
    "priority.": ("urgent", "normal", "later"),
    "moment.": ("hour", "evening", "morning", "monday", "week"),
    "ask.": ("note", "tags", "snooze", "contact_name", "contact_note", "schedule", "return", "merge", "join", "proof"),
    "event.": (
        *("acknowledged", "acknowledgement_undelivered", "arrived", "assigned", "blocked", "unblocked", "closed"),
        *("confirmed", "delayed", "delivery_dead", "delivery_unknown", "edited", "filed", "given_up", "handed_over"),
        *("held", "imported", "not_acknowledged", "noted", "opened", "placed", "prioritised", "queued", "received"),
        *("released", "reopened", "send_pressed", "sent", "sent_again", "snoozed", "tagged", "taken", "undelivered"),
        *("undone", "woken", "barred", "unbarred", "renamed", "annotated"),
        *("scheduled", "approval_asked", "approved", "returned", "corrected", "called_off", "called", "told"),
        *("answered_by_owner", "rewritten", "withdrawn"),
        *("told_principal", "not_told_principal", "alarm_raised", "alarm_seen", "alarm_nobody", "alarm_unreached"),
        *(
            "merged",
            "merged_into",
            "split",
            "moved",
            "contacts_joined",
        ),
        *(
            "address_taken_out",
            "separated",
            "contacts_proved",
            "alarm_uncalled",
        ),
    ),
    "way.": ("telegram", "mail", "both", "urgent"),
    "ways.": ("telegram", "mail", "both", "urgent"),
    "kind.": ("warning", "absence", "do", "say"),
    "protection.": ("signed_smime", "signed_pgp", "encrypted_smime", "encrypted_pgp"),
}
"""Keys that are put together where they are said, and what they are put together with."""


def catalogues() -> dict[str, Catalog]:
    folder = resources.files("bot.locales")
    return {
        language: read_po(BytesIO(folder.joinpath(f"{language}.po").read_bytes()), locale=language, abort_invalid=True)
        for language in LANGUAGES
    }


CATALOGUES = catalogues()
KEYS = {m.id if isinstance(m.id, str) else m.id[0] for m in CATALOGUES["fr"] if m.id}
SECTIONS = {key.partition(".")[0] for key in KEYS}


def sentences(language: str, key: str) -> tuple[str, ...]:
    """What is said for a key: one sentence, or one for each plural."""
    message = CATALOGUES[language].get(key)
    assert message is not None, f"{key} is missing in {language}"
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def modules() -> Iterator[ast.Module]:
    for package in ("inbox", "handlers", "channels"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"), str(path))
    for name in ("worker.py", "export.py"):
        yield ast.parse((ROOT / "bot" / name).read_text(encoding="utf-8"), name)


NODES = [node for module in modules() for node in ast.walk(module)]


def used() -> set[str]:
    """Every key that the code says."""
    found: set[str] = set()
    for node in NODES:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _looks_like_a_key(node.value):
            found.add(node.value)
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            prefix = str(node.values[0].value)
            if prefix.endswith(".") and prefix[:-1] in SECTIONS:
                found |= {prefix + end for end in FAMILIES[prefix]}
    return found


def recorded() -> set[str]:
    """Every kind of event that is written into a conversation's history by its name."""
    calls = [node for node in NODES if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "event"]
    return {str(call.args[0].value) for call in calls if call.args and isinstance(call.args[0], ast.Constant)}


def _looks_like_a_key(text: str) -> bool:
    section, dot, name = text.partition(".")
    return bool(dot) and section in SECTIONS and name.isidentifier()


def said_with() -> Iterator[tuple[str, set[str]]]:
    """Every key that is said with its arguments beside it, and their names."""
    for node in NODES:
        if not isinstance(node, ast.Call) or any(keyword.arg is None for keyword in node.keywords):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        if called in ("say", "InvalidTransition") and node.args:
            said = node.args[0]
            for constant in (said.body, said.orelse) if isinstance(said, ast.IfExp) else (said,):
                if isinstance(constant, ast.Constant) and constant.value in KEYS:
                    yield str(constant.value), set(named)
        elif called == "Because" and isinstance(named.get("key"), ast.Constant):
            args = named.get("args")
            if args is None or isinstance(args, ast.Dict):
                keys = args.keys if args is not None else []
                names = {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
                yield str(named["key"].value), names  # type: ignore[attr-defined]


def test_every_line_of_history_has_a_sentence() -> None:
    assert recorded() <= set(FAMILIES["event."])


# ---------------------------------------------------------------- both the same


def test_both_languages_have_the_same_sentences() -> None:
    by_language = {
        language: {m.id if isinstance(m.id, str) else m.id[0] for m in catalogue if m.id}
        for language, catalogue in CATALOGUES.items()
    }
    assert by_language["fr"] == by_language["en"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_empty_doubtful_or_there_twice(language: str) -> None:
    text = resources.files("bot.locales").joinpath(f"{language}.po").read_text(encoding="utf-8")
    written = [line for line in text.splitlines() if line.startswith("msgid ") and line != 'msgid ""']
    assert len(written) == len(set(written))
    for key in KEYS:
        assert all(sentence.strip() for sentence in sentences(language, key)), key
        message = CATALOGUES[language].get(key)
        assert message is not None
        assert not message.fuzzy, key


def test_both_languages_take_the_same_arguments_and_plurals() -> None:
    for key in KEYS:
        fr, en = sentences("fr", key), sentences("en", key)
        assert len(fr) == len(en), key
        assert placeholders(fr[-1]) == placeholders(en[-1]), key
        for sentence in (*fr, *en):
            # "one request" may leave its number out
            assert placeholders(fr[-1]) - {"count"} <= placeholders(sentence) <= placeholders(fr[-1]), key


# ---------------------------------------------------------------- said and there


def test_every_key_the_code_says_has_a_sentence() -> None:
    assert used() - KEYS == set()


def test_every_sentence_is_said_somewhere() -> None:
    previews = {f"preview.{label}" for label in ("from", "to", "cc", "subject")}
    assert KEYS - used() - previews == set()


def test_every_key_is_said_with_all_the_arguments_its_sentence_takes() -> None:
    missing: defaultdict[str, set[str]] = defaultdict(set)
    for key, given in said_with():
        for language in LANGUAGES:
            for sentence in sentences(language, key):
                missing[key] |= placeholders(sentence) - given
    assert {key: names for key, names in missing.items() if names} == {}


def test_reasons_of_failures_take_no_arguments() -> None:
    for key in KEYS:
        if key.startswith("failure."):
            assert placeholders(sentences("fr", key)[0]) == set()


# ---------------------------------------------------------------- short enough


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_press_is_answered_with_fits_in_a_toast(language: str) -> None:
    for key in KEYS:
        if not key.startswith(("toast.", "error.")):
            continue
        for sentence in sentences(language, key):
            filled = sentence.format_map(defaultdict(lambda: LONGEST_ARGUMENT))
            assert units(filled) <= TOAST, f"{key}: {units(filled)}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_button_can_be_read_on_a_telephone(language: str) -> None:
    for key in KEYS:
        if key.startswith("button."):
            for sentence in sentences(language, key):
                assert units(sentence) <= 36, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_longer_than_a_message(language: str) -> None:
    for key in KEYS:
        for sentence in sentences(language, key):
            filled = sentence.format_map(defaultdict(lambda: LONGEST_ARGUMENT * 2))
            assert units(filled) <= 1500, key


# ---------------------------------------------------------------- how it is said


def test_a_count_chooses_the_plural_of_its_language() -> None:
    texts = Catalogue()
    assert [texts.say("fr", "queue.title", count=n) for n in ("0", "1", "2")] == [
        "File · 0 demande en attente",
        "File · 1 demande en attente",
        "File · 2 demandes en attente",
    ]
    assert [texts.say("en", "queue.title", count=n) for n in ("0", "1", "2")] == [
        "Queue · 0 requests waiting",
        "Queue · 1 request waiting",
        "Queue · 2 requests waiting",
    ]


def test_what_is_unknown_is_said_somehow() -> None:
    texts = Catalogue()
    assert texts.say("fr", "no.such_key") == "no.such_key"
    assert texts.say("de", "delivery.due") == texts.say("fr", "delivery.due")
    assert texts.say("fr", "because.taken") == "prise par {name}"
    assert texts.say("fr", "because.taken", name="{count} %s") == "prise par {count} %s"


@pytest.mark.parametrize(
    ("octets", "fr", "en"),
    [
        (0, "0 o", "0 B"),
        (999, "999 o", "999 B"),
        (1_000, "1 ko", "1 kB"),
        (1_540, "1,5 ko", "1.5 kB"),
        (123_456, "123 ko", "123 kB"),
        (31_457_280, "31 Mo", "31 MB"),
    ],
)
def test_sizes_are_said_as_people_say_them(octets: int, fr: str, en: str) -> None:
    assert (Catalogue().size("fr", octets), Catalogue().size("en", octets)) == (fr, en)


def test_an_instant_is_said_in_the_time_of_the_place_also_across_midnight_and_the_change_of_clocks() -> None:
    texts = Catalogue()
    now = datetime(2026, 3, 29, 22, 30, tzinfo=UTC)
    assert texts.when("fr", "Europe/Paris", datetime(2026, 3, 29, 22, 5, tzinfo=UTC), now) == "00:05"
    assert texts.when("fr", "Europe/Paris", datetime(2026, 3, 29, 0, 30, tzinfo=UTC), now) == "29 mars 01:30"
    assert texts.when("fr", "Europe/Paris", datetime(2026, 3, 29, 1, 30, tzinfo=UTC), now) == "29 mars 03:30"
    assert texts.when("en", "America/Montreal", datetime(2025, 12, 31, 23, 0, tzinfo=UTC), now) == "31 Dec 2025 18:00"
