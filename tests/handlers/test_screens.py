"""Screens in both languages: whatever a screen can say is said as a sentence, in the language of who reads it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from handlers import previews, views
from handlers.answered import answers_screen
from handlers.callbacks import Calls
from handlers.colleagues import Member, TeamFacts, team_screen
from handlers.instructed import which_account
from handlers.slips import slip_screen, slip_subject, slip_text
from handlers.views import Screen, Voice
from inbox.answered import Answer
from inbox.calls import begun, filled_out, read_call
from inbox.model import Direction, Role, Slip
from inbox.parts import Because
from tests.builders import NOW, ROUX, a_conversation, a_message, a_presence, a_secretary, an_account, at
from tests.handlers.test_views import EN, FR, a_card, a_preview, labels, numbered

KEY = re.compile(r"\b(?:card|preview|button|call|team|answered|role)\.[a-z_]+")
LEA, MARC = a_secretary("Léa"), a_secretary("Marc", role=Role.SUPERVISOR)
WORDS = "Mme Durand, 06 12 34 56 78, ordonnance, urgent, rappeler dès que possible"


def a_slip() -> Slip:
    return filled_out(begun(ROUX, LEA, NOW), WORDS, read_call(WORDS, "FR", NOW), NOW)


def scheduled(voice: Voice) -> Screen:
    facts = a_preview()
    draft = msgspec.structs.replace(facts.draft, send_at=at(600), set_aside=facts.conversation.id)
    return previews.preview(dataclasses.replace(facts, draft=draft), voice)


def asked(voice: Voice) -> Screen:
    facts = a_preview()
    draft = msgspec.structs.replace(facts.draft, asked_at=NOW, wanted_at=at(600), set_aside=facts.conversation.id)
    return previews.preview(dataclasses.replace(facts, draft=draft, author=LEA), voice)


def returned(voice: Voice) -> Screen:
    facts = a_preview()
    because = Because(key="because.returned", args={"name": "Marc", "word": "Trop sec"})
    draft = msgspec.structs.replace(facts.draft, returned=because)
    return previews.preview(dataclasses.replace(facts, draft=draft, needs_approval=True), voice)


def card(voice: Voice) -> Screen:
    facts = a_card(
        conversation := numbered(a_conversation(holder=MARC)), a_message(conversation), viewer=MARC, holder=MARC
    )
    draft = msgspec.structs.replace(a_preview().draft, send_at=at(600), set_aside=conversation.id)
    return views.card(dataclasses.replace(facts, set_aside=[(draft, LEA)]), voice)


def team(voice: Voice) -> Screen:
    members = [Member(LEA, a_presence(LEA, open_count=2)), Member(MARC, None)]
    return team_screen(TeamFacts(members, 0, 2, timedelta(days=36500)), voice)


def answers(voice: Voice) -> Screen:
    conversation = a_conversation()
    message = a_message(conversation, "Oui, jeudi.", direction=Direction.OUTBOUND)
    return answers_screen([Answer(message, conversation, "Paul Martin")], 0, voice)


def slip(voice: Voice) -> Screen:
    return slip_screen(a_slip(), an_account(), "FR", has_way=True, voice=voice)


def which(voice: Voice) -> Screen:
    return which_account([an_account()], f"☎️ {voice.say('call.for_whom')}", Calls, 0)


@pytest.mark.parametrize(
    ("screen", "french", "english"),
    [
        (scheduled, "📅 Réponse programmée · #7 · part", "📅 Scheduled reply · #7 · leaves"),
        (asked, "🖋 Réponse de Léa à relire · #7 · 📅", "🖋 Reply by Léa to approve · #7 · 📅"),
        (returned, "↩️ Marc : Trop sec", "↩️ Marc: Trop sec"),
        (card, "📅 Réponse de Léa prête : elle part", "📅 Reply by Léa ready: it leaves"),
        (team, "🟢 Léa · secrétaire · 2 en cours · 🖋 relue", "🟢 Léa · secretary · 2 open · 🖋 read first"),
        (answers, "📤 Répondu en votre nom", "📤 Answered in your name"),
        (
            slip,
            "De : Mme Durand\nTéléphone : 06 12 34 56 78\nMotif : ordonnance",
            "From: Mme Durand\nTelephone: 06 12 34",
        ),
        (which, "☎️ Pour qui est cet appel ?", "☎️ Whom was this call for?"),
    ],
)
def test_a_screen_speaks_the_language_of_who_reads_it(
    screen: Callable[[Voice], Screen], french: str, english: str
) -> None:
    for voice, says in ((FR, french), (EN, english)):
        shown = screen(voice)
        assert says in shown.text
        # A key without its sentence, or an argument nobody gave, would stand there as it is.
        for text in (shown.text, *(label for row in labels(shown) for label in row)):
            assert not KEY.search(text), text
            assert "{" not in text


def test_a_telephone_message_is_passed_on_in_the_accounts_language() -> None:
    assert slip_subject(a_slip(), "FR", FR) == "Appel de Mme Durand : ordonnance"
    assert slip_subject(a_slip(), "FR", EN) == "Call from Mme Durand : ordonnance"
    assert "À rappeler : dès que possible\n🔴 Urgent" in slip_text(a_slip(), "FR", FR)
    assert "Call back: dès que possible\n🔴 Urgent" in slip_text(a_slip(), "FR", EN)
