"""What people see, whole, in both languages: each screen as it is written down in `screens/`.

A screen that is meant to change is written down anew: REWRITE_SCREENS=1, and the difference is read before it is kept.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from handlers import previews, views
from handlers.digests import digest_screen
from handlers.rota import on_call_screen
from handlers.slips import taken_screen
from handlers.views import Screen, Voice
from handlers.ways import ways_screen
from inbox.digests import Digest, Entry
from inbox.model import (
    BusinessConnection,
    DeliveryState,
    Direction,
    DraftState,
    Instruction,
    InstructionKind,
    OnCall,
    Principal,
    Status,
    Way,
)
from inbox.notices import DigestNotice
from inbox.parts import Because
from tests.builders import DESK, NOW, ROUX, a_conversation, a_file, a_message, a_reply, a_secretary, an_account, at
from tests.handlers import test_screens as simple
from tests.handlers.test_views import EN, FR, a_card, a_preview, a_queue, numbered

WRITTEN_DOWN = Path(__file__).parent / "screens"
LEA = a_secretary("Léa")


def principal() -> Principal:
    return Principal(
        id="principal-701",
        name="Hélène Roux",
        telegram_user_id=701,
        chat_id=701,
        channel_id=DESK,
        language="fr",
        accounts=(ROUX,),
        joined_at=NOW,
        way=Way.BOTH,
        digest_hour=18,
    )


def held_card(voice: Voice) -> Screen:
    because = Because(key="because.only_one", args={"name": "Léa", "count": "2"})
    conversation = numbered(a_conversation(holder=LEA, because=because))
    conversation = msgspec.structs.replace(conversation, answer_by_at=at(120), tags=("ordonnance",))
    words = a_message(conversation, "Puis-je venir jeudi ?\n\nMerci", attachments=(a_file(size=12_345),))
    instruction = Instruction(
        id="i",
        account_id=ROUX,
        text="pas de rendez-vous jeudi",
        kind=InstructionKind.WARNING,
        given_by="principal-701",
        giver_name="Hélène Roux",
        created_at=NOW,
        confirmed_at=NOW,
    )
    facts = a_card(conversation, words, viewer=LEA, holder=LEA)
    return views.card(dataclasses.replace(facts, instructions=[instruction]), voice)


def late_card_in_the_queue(voice: Voice) -> Screen:
    conversation = numbered(a_conversation(because=Because(key="because.by_hand")))
    conversation = msgspec.structs.replace(conversation, answer_by_at=at(20))
    return views.card(a_card(conversation, a_message(conversation), viewer=LEA), voice)


def answered_card(voice: Voice) -> Screen:
    conversation = msgspec.structs.replace(numbered(a_conversation(holder=LEA)), waiting_since_at=None)
    asked = a_message(conversation, "Puis-je venir ?")
    reply = a_message(conversation, "Oui, jeudi à 9 h.", direction=Direction.OUTBOUND)
    reply = msgspec.structs.replace(reply, author_name="Léa")
    sent = msgspec.structs.replace(a_reply(reply), state=DeliveryState.SENT, due_at=None, ended_at=at(4))
    facts = a_card(conversation, asked, reply, viewer=LEA, holder=LEA, replies={reply.id: [sent]})
    return views.card(facts, voice)


def blocked_card(voice: Voice) -> Screen:
    conversation = numbered(a_conversation(holder=LEA))
    facts = a_card(conversation, a_message(conversation), viewer=LEA, holder=LEA, blocked=True)
    return views.card(dataclasses.replace(facts, other_ways=["paul.martin@example.net"]), voice)


def card_in_her_own_telegram(voice: Voice) -> Screen:
    conversation = msgspec.structs.replace(numbered(a_conversation(holder=LEA)), chat_id=501, through=701)
    gone = msgspec.structs.replace(a_message(conversation, "Mon code est 4711"), deleted_at=at(5))
    connection = BusinessConnection(
        id="bot:701",
        channel_id=DESK,
        telegram_user_id=701,
        connection_id="c1",
        chat_id=701,
        name="Dr Roux",
        is_enabled=True,
        may_reply=True,
        connected_at=NOW,
    )
    facts = a_card(conversation, a_message(conversation, "Bonjour"), gone, viewer=LEA, holder=LEA)
    return views.card(dataclasses.replace(facts, own_telegram=connection, channel_icon="📲"), voice)


def closed_card(voice: Voice) -> Screen:
    conversation = msgspec.structs.replace(
        numbered(a_conversation(holder=LEA)), status=Status.CLOSED, closed_at=NOW, waiting_since_at=None
    )
    return views.card(a_card(conversation, a_message(conversation), viewer=LEA, holder=LEA), voice)


def fresh_preview(voice: Voice) -> Screen:
    return previews.preview(a_preview(), voice)


def stale_preview(voice: Voice) -> Screen:
    facts = a_preview()
    return previews.preview(a_preview(unseen=[a_message(facts.conversation, "Plutôt vendredi ?")]), voice)


def sent_preview(voice: Voice) -> Screen:
    return previews.preview(a_preview(state=DraftState.SENT, undoable=True), voice)


def the_queue(voice: Voice) -> Screen:
    mine = [msgspec.structs.replace(numbered(a_conversation(holder=LEA), 8), answer_by_at=at(120))]
    facts = a_queue(waiting=[numbered(a_conversation())], mine=mine)
    return views.queue(dataclasses.replace(facts, unread=frozenset([mine[0].id]), late_count=1), voice)


def ways(voice: Voice) -> Screen:
    account = msgspec.structs.replace(an_account(), messages_to="helene@roux.example")
    return ways_screen(principal(), [account], voice)


def taken(voice: Voice) -> Screen:
    return taken_screen("Appel reçu à 10:00\n\nDe : Mme Durand", an_account(), "", voice)


def days_on_call(voice: Voice) -> Screen:
    days = OnCall(
        id="on-call",
        account_id=ROUX,
        principal_id="principal-701",
        name="Hélène Roux",
        given_by="principal-701",
        giver_name="Hélène Roux",
        begins_at=at(-600),
        ends_at=at(2300),
        created_at=NOW,
    )
    return on_call_screen(days, an_account(), None, voice)


def digest(voice: Voice) -> Screen:
    found = Digest(an_account(), 3, 1, 2, 1, [Entry(NOW, "Paul Martin", "Rendez-vous")])
    return digest_screen([found], DigestNotice(principal_id="principal-701", since_at=at(-600), until_at=NOW), voice)


SCREENS: Mapping[str, Callable[[Voice], Screen]] = {
    "a card in her hands": held_card,
    "a late card in the queue": late_card_in_the_queue,
    "a card that was answered": answered_card,
    "a card of somebody who blocked the bot": blocked_card,
    "a card in a professional's own Telegram": card_in_her_own_telegram,
    "a closed card": closed_card,
    "a card with a reply that is ready": simple.card,
    "a preview": fresh_preview,
    "a preview older than what arrived": stale_preview,
    "a preview that was sent": sent_preview,
    "a scheduled preview": simple.scheduled,
    "a preview to approve": simple.asked,
    "a preview that came back": simple.returned,
    "the queue": the_queue,
    "the team": simple.team,
    "a telephone message": simple.slip,
    "whom a call was for": simple.which,
    "a telephone message as its account has it": taken,
    "how an account's messages come": ways,
    "days on call, read back": days_on_call,
    "what the day brought": digest,
    "what was answered in an account's name": simple.answers,
}
"""By what they show."""


@pytest.mark.parametrize(("language", "voice"), [("fr", FR), ("en", EN)])
def test_every_screen_is_as_it_is_written_down(language: str, voice: Voice) -> None:
    shown = "\n".join(f"# {name}\n\n{drawn(screen(voice))}\n" for name, screen in SCREENS.items())
    path = WRITTEN_DOWN / f"{language}.txt"
    if os.environ.get("REWRITE_SCREENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8"), "REWRITE_SCREENS=1 writes the screens down as they are now"


def drawn(screen: Screen) -> str:
    """A screen as text, its buttons in brackets below, a row a line."""
    rows = [" ".join(f"[{button.text}]" for button in row) for row in screen.keyboard]
    return "\n".join([screen.text, *(["", *rows] if rows else [])])
