"""Every screen, in both languages, as people read it; and none that Telegram would refuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiogram.filters.callback_data import CallbackData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.locales import Catalogue
from channels.base import Preview
from handlers import callbacks, outcomes, previews, views
from handlers.legible import one_line, shortened, units
from handlers.previews import PreviewFacts
from handlers.views import CardFacts, QueueFacts, Screen, Voice
from inbox.model import (
    Account,
    BusinessConnection,
    Contact,
    Conversation,
    Delivery,
    DeliveryState,
    Direction,
    DraftState,
    Message,
    Priority,
    Revision,
    Role,
    Secretary,
    Status,
    Topic,
)
from inbox.notices import FileForm
from inbox.particulars import Automatic, BusinessCard, Meeting, Particulars, Protection, Trust, Verdict
from inbox.parts import UNSORTED, AttachmentKind, Because, Button, MessageId, SecretaryId, new_id
from tests.builders import (
    DESK,
    NOW,
    a_contact,
    a_conversation,
    a_draft,
    a_file,
    a_message,
    a_reply,
    a_secretary,
    an_account,
    at,
)

TEXTS = Catalogue()
FR = Voice(TEXTS, "fr", "Europe/Paris", at(30))
EN = Voice(TEXTS, "en", "Europe/Paris", at(30))


def a_card(
    conversation: Conversation,
    *messages: Message,
    viewer: Secretary,
    holder: Secretary | None = None,
    account: Account | None = None,
    contact: Contact | None = None,
    replies: Mapping[MessageId, Sequence[Delivery]] | None = None,
    blocked: bool = False,
    message_count: int | None = None,
    address: str = "paul.martin@example.net",
    known: Sequence[str] = (),
) -> CardFacts:
    return CardFacts(
        viewer=viewer,
        conversation=conversation,
        account=account or an_account(),
        contact=contact or a_contact(),
        contact_address=address,
        known=known,
        channel_icon="✉️",
        holder=holder,
        messages=messages,
        replies=replies or {},
        message_count=len(messages) if message_count is None else message_count,
        blocked=blocked,
    )


def numbered(conversation: Conversation, number: int = 7) -> Conversation:
    return msgspec.structs.replace(conversation, number=number)


def labels(screen: Screen) -> list[list[str]]:
    """The buttons, row by row, besides the one that every card ends with."""
    rows = [[button.text for button in row] for row in screen.keyboard]
    return [row for row in rows if row not in (["⋯ Plus"], ["⋯ More"])]


def emphasised(screen: Screen) -> list[tuple[str, str]]:
    """The stretches that are bold or italic."""
    encoded = screen.text.encode("utf-16-le")
    return [(e.type, encoded[e.offset * 2 : (e.offset + e.length) * 2].decode("utf-16-le")) for e in screen.entities]


# ---------------------------------------------------------------- card


@pytest.mark.parametrize(
    ("voice", "changes", "says"),
    [
        (FR, {}, "📲 Dans le Telegram de Dr Roux, en son nom · réponse possible au plus tard demain à 10 h"),
        (EN, {}, "📲 In Dr Roux’s own Telegram, in their name · can be answered tomorrow at"),
        (FR, {"is_enabled": False}, "📲 Dr Roux a retiré le secrétariat de son Telegram"),
        (EN, {"may_reply": False}, "📲 Dr Roux did not give the right to answer in their Telegram"),
    ],
)
def test_a_card_says_in_whose_telegram_it_is_answered(voice: Voice, changes: dict[str, bool], says: str) -> None:
    lea = a_secretary("Léa")
    conversation = msgspec.structs.replace(numbered(a_conversation(holder=lea)), chat_id=501, through=701)
    connection = BusinessConnection(
        id="bot:701",
        channel_id=DESK,
        telegram_user_id=701,
        connection_id="c1",
        chat_id=701,
        name="Dr Roux",
        is_enabled=True,
        may_reply=True,
        connected_at=at(0),
    )
    facts = a_card(conversation, a_message(conversation, "Bonjour"), viewer=lea, holder=lea)
    facts = dataclasses.replace(facts, own_telegram=msgspec.structs.replace(connection, **changes))
    assert says in views.card(facts, voice).text


def test_a_card_as_its_holder_reads_it() -> None:
    lea = a_secretary("Léa")
    conversation = numbered(
        a_conversation(holder=lea, because=Because(key="because.only_one", args={"name": "Léa", "count": "2"}))
    )
    message = a_message(conversation, "Puis-je venir jeudi ?\n\nMerci", attachments=(a_file(size=12_345),))
    screen = views.card(a_card(conversation, message, viewer=lea, holder=lea), FR)
    assert screen.text == (
        "#7 · Dr Hélène Roux\n"
        "👤 Paul Martin (paul.martin@example.net) ✉️\n"
        "📌 Rendez-vous\n"
        "🟢 Pour vous — seule personne en service : Léa (2 en cours)\n"
        "⏳ Attend depuis 10:00\n"
        "\n"
        "💬 Paul Martin · 10:00\n"
        "Puis-je venir jeudi ?\n"
        "\n"
        "Merci\n"
        "📎 ordonnance.pdf (12 ko)"
    )
    assert labels(screen) == [["↩ Remettre en file", "✔ Clore"], ["📎 Voir la pièce jointe"]]
    assert emphasised(screen) == [
        ("bold", "#7 · Dr Hélène Roux"),
        ("bold", "Rendez-vous"),
        ("italic", "💬 Paul Martin · 10:00"),
        ("blockquote", "Puis-je venir jeudi ?\n\nMerci"),
    ]


def test_a_subject_that_is_only_the_first_words_said_is_not_said_twice() -> None:
    lea = a_secretary("Léa")
    conversation = msgspec.structs.replace(a_conversation(holder=lea), subject="Ma chaudière fuit, pouvez-vous…")
    message = a_message(conversation, "Ma chaudière fuit, pouvez-vous venir ce soir ?")
    assert "📌" not in views.card(a_card(conversation, message, viewer=lea, holder=lea), FR).text
    later = a_message(conversation, "Alors ?")
    shown = views.card(a_card(conversation, later, viewer=lea, holder=lea), FR).text
    assert "📌 Ma chaudière fuit, pouvez-vous…" in shown


def test_the_same_card_in_english() -> None:
    lea = a_secretary("Léa")
    conversation = numbered(
        a_conversation(holder=lea, because=Because(key="because.only_one", args={"name": "Léa", "count": "2"}))
    )
    message = a_message(conversation, attachments=(a_file(size=12_345), a_file("b.pdf")))
    screen = views.card(a_card(conversation, message, viewer=lea, holder=lea), EN)
    assert "🟢 Yours — only Léa is on duty (2 open)\n⏳ Waiting since 10:00" in screen.text
    assert labels(screen) == [["↩ Put back", "✔ Close"], ["📎 See the 2 attachments"]]


def test_a_sound_of_a_mail_says_how_long_it_lasts_and_can_be_listened_to() -> None:
    lea = a_secretary("Léa")
    conversation = numbered(a_conversation(holder=lea))
    sound = msgspec.structs.replace(a_file("msg0001.wav", 330_000), kind=AttachmentKind.VOICE, seconds=83)
    unknown = msgspec.structs.replace(a_file("a.mp3", 0), kind=AttachmentKind.AUDIO, seconds=7)
    message = a_message(conversation, attachments=(a_file(), sound))
    screen = views.card(a_card(conversation, message, viewer=lea, holder=lea), FR)
    assert "🎤 msg0001.wav (1:23 · 330 ko)" in screen.text
    assert labels(screen)[1:] == [["▶️ Écouter"], ["📎 Voir les 2 pièces jointes"]]
    message = a_message(conversation, attachments=(unknown, sound))
    screen = views.card(a_card(conversation, message, viewer=lea, holder=lea), EN)
    assert "🎵 a.mp3 (0:07)" in screen.text
    assert labels(screen)[1:] == [["▶️ Listen to the 2 messages"], ["📎 See the 2 attachments"]]
    ours = msgspec.structs.replace(message, direction=Direction.OUTBOUND)
    assert ["▶️ Listen"] not in labels(views.card(a_card(conversation, ours, viewer=lea, holder=lea), EN))
    in_telegram = msgspec.structs.replace(conversation, chat_id=1)
    shown = labels(views.card(a_card(in_telegram, message, viewer=lea, holder=lea), EN))
    assert shown[1:] == [["📎 See the 2 attachments"]], "what comes from there plays as it is"


def test_a_card_in_the_queue_offers_to_take_it_and_says_why_it_waits() -> None:
    conversation = a_conversation(because=Because(key="because.nobody_present"))
    screen = views.card(a_card(conversation, a_message(conversation), viewer=a_secretary()), FR)
    assert "📥 Dans la file — personne n’est en service pour ce compte" in screen.text
    assert labels(screen) == [["✋ Prendre"]]


def test_a_colleagues_card_offers_nothing_but_to_a_supervisor_who_may_put_it_back() -> None:
    ines = a_secretary("Inès")
    conversation = a_conversation(holder=ines, waiting=False)
    message = a_message(conversation)
    seen = views.card(a_card(conversation, message, viewer=a_secretary("Léa"), holder=ines), FR)
    assert "🔒 Chez Inès" in seen.text
    assert "✓ Répondu" in seen.text
    assert labels(seen) == []
    marc = a_secretary("Marc", role=Role.SUPERVISOR)
    assert labels(views.card(a_card(conversation, message, viewer=marc, holder=ines), FR)) == [["↩ Remettre en file"]]


def test_a_closed_card_offers_to_open_it_again() -> None:
    lea = a_secretary()
    conversation = msgspec.structs.replace(a_conversation(holder=lea), status=Status.CLOSED, waiting_since_at=None)
    screen = views.card(a_card(conversation, a_message(conversation), viewer=lea, holder=lea), FR)
    assert "✔️ Close" in screen.text
    assert labels(screen) == [["Rouvrir"]]


def test_every_card_ends_with_what_more_can_be_done_and_its_menus_lead_back() -> None:
    lea, ines = a_secretary("Léa"), a_secretary("Inès")
    facts = a_card(conversation := a_conversation(holder=lea), a_message(conversation), viewer=lea, holder=lea)
    assert [button.text for button in views.card(facts, FR).keyboard[-1]] == ["⋯ Plus"]
    menus = {
        menu: labels(views.card(dataclasses.replace(facts, menu=menu, receivers=[ines]), FR))
        for menu in ("more", "later", "give", "prio", "nonsense")
    }
    assert menus["more"] == [
        ["📝 Note", "🏷 Étiquettes", "📄 Modèles"],
        ["👉 Passer à…", "😴 Plus tard…"], ["🔺 Priorité…", "👤 Contact", "🕘 Historique"],
        ["🔗 Réunir…"], ["◀ Retour"],
    ]  # fmt: skip
    assert menus["later"] == [
        ["Dans 1 h", "Ce soir 18 h"], ["Demain 9 h", "Lundi 9 h"], ["Dans une semaine", "Autre moment…"], ["◀ Retour"]
    ]  # fmt: skip
    assert menus["give"] == [["Inès"], ["◀ Retour"]]
    assert menus["prio"] == [["Urgent", "✓ Normal", "Peut attendre"], ["◀ Retour"]]
    assert menus["nonsense"] == menus["more"]
    seen = dataclasses.replace(facts, viewer=ines, menu="more")
    assert labels(views.card(seen, FR))[:2] == [
        ["📝 Note", "🏷 Étiquettes"],
        ["🔺 Priorité…", "👤 Contact", "🕘 Historique"],
    ]


def test_marks_notes_and_a_moment_to_come_stand_on_the_card() -> None:
    lea = a_secretary("Léa")
    conversation = msgspec.structs.replace(
        a_conversation(holder=lea),
        status=Status.SNOOZED,
        snoozed_until_at=at(24 * 60),
        because=Because(key="because.snoozed", args={"name": "Léa"}),
        priority=Priority.URGENT,
        tags=("facture", "à rappeler"),
    )
    note = a_message(conversation, text="Rappeler avant midi", direction=Direction.NOTE)
    note = msgspec.structs.replace(note, author_name="Inès")
    facts = a_card(conversation, a_message(conversation), note, viewer=lea, holder=lea)
    screen = views.card(facts, FR)
    assert "🔴 Urgent · #facture · #à_rappeler" in screen.text
    assert "😴 Mise de côté jusqu’à 3 mars 10:00 — mise de côté par Léa" in screen.text
    assert "📝 Note de Inès, pour le secrétariat seul · 10:00\nRappeler avant midi" in screen.text
    assert labels(screen)[0] == ["Reprendre maintenant"]
    assert "😴 Put off until 3 Mar 10:00" in views.card(facts, EN).text


def test_an_unsorted_card_offers_to_place_it() -> None:
    marc = a_secretary("Marc", role=Role.SUPERVISOR)
    conversation = a_conversation(account_id=UNSORTED, holder=marc)
    screen = views.card(a_card(conversation, a_message(conversation), viewer=marc, holder=marc), FR)
    assert labels(screen)[0] == ["🗂 Attribuer à un compte"]


def test_a_card_says_what_it_refers_to_that_its_client_blocked_us_and_what_was_edited() -> None:
    lea = a_secretary()
    conversation = msgspec.structs.replace(a_conversation(holder=lea), related_number=3)
    message = msgspec.structs.replace(a_message(conversation), revisions=(_revision(),))
    screen = views.card(a_card(conversation, message, viewer=lea, holder=lea, blocked=True), FR)
    assert "🔗 Fait référence à #3, sans y avoir pris part" in screen.text
    assert "⛔ Le client a bloqué nos messages." in screen.text
    assert "💬 Paul Martin · 10:00 · modifié" in screen.text


MEETING = Meeting(
    method="request",
    title="Bilan",
    starts_at=datetime(2026, 3, 3, 13, tzinfo=UTC),
    ends_at=datetime(2026, 3, 3, 14, tzinfo=UTC),
    place="12 rue des Lilas",
    organizer="Jean Petit",
    repeats="weekly",
)
CARD = BusinessCard(name="Jean Petit", organization="ACME", phones=("+33 1",), addresses=("j@x.test",))


@pytest.mark.parametrize(
    ("facts", "french", "english"),
    [
        (
            Particulars(meetings=(MEETING,)),
            "📅 Invitation : Bilan, mardi 3 mars 2026 de 14:00 à 15:00, 12 rue des Lilas, toutes les semaines, "
            "par Jean Petit",
            "📅 Invitation: Bilan, Tuesday, March 3, 2026 from 14:00 to 15:00, 12 rue des Lilas, every week, "
            "by Jean Petit",
        ),
        (
            Particulars(meetings=(Meeting(method="cancel", starts_at=datetime(2026, 7, 3, 13, tzinfo=UTC)),)),
            "📅 Réunion annulée : sans titre, vendredi 3 juillet 2026 à 15:00",
            "📅 Meeting cancelled: untitled, Friday, July 3, 2026 at 15:00",
        ),
        (
            Particulars(meetings=(Meeting(method="reply", answer="accepted", title="Bilan", attendees=("Anne",)),)),
            "📅 Invitation acceptée : Bilan, Anne",
            "📅 Invitation accepted: Bilan, Anne",
        ),
        (
            Particulars(meetings=(Meeting(title="Salon", first_day=date(2026, 3, 3), last_day=date(2026, 3, 4)),)),
            "📅 Événement : Salon, du mardi 3 mars 2026 au mercredi 4 mars 2026",
            "📅 Event: Salon, Tuesday, March 3, 2026 to Wednesday, March 4, 2026",
        ),
        (
            Particulars(meetings=(msgspec.structs.replace(MEETING, ends_at=datetime(2026, 3, 4, 9, tzinfo=UTC)),)),
            "📅 Invitation : Bilan, du mardi 3 mars 2026 à 14:00 au mercredi 4 mars 2026 à 10:00",
            "📅 Invitation: Bilan, Tuesday, March 3, 2026 at 14:00 to Wednesday, March 4, 2026 at 10:00",
        ),
        (
            Particulars(cards=(CARD,)),
            "📇 Jean Petit · ACME · +33 1 · j@x.test",
            "📇 Jean Petit · ACME · +33 1 · j@x.test",
        ),
        (
            Particulars(protection=Protection.SIGNED_SMIME),
            "🔏 Signé (S/MIME), signature non vérifiée",
            "🔏 Signed (S/MIME), signature not verified",
        ),
        (
            Particulars(protection=Protection.ENCRYPTED_PGP),
            "🔒 Chiffré (PGP) : illisible ici, le fichier est joint",
            "🔒 Encrypted (PGP): cannot be read here, the file is attached",
        ),
        (
            Particulars(meetings=(Meeting(title="🔒 Chiffré\n📅 Faux", place="\u202e" + "x" * 5000),)),
            "📅 Événement : Chiffré Faux, xxx",
            "📅 Event: Chiffré Faux, xxx",
        ),
    ],
)  # fmt: skip
def test_a_card_says_what_a_mail_carries(facts: Particulars, french: str, english: str) -> None:
    lea = a_secretary()
    conversation = a_conversation(holder=lea)
    message = msgspec.structs.replace(a_message(conversation, attachments=(a_file(),)), particulars=facts)
    for voice, line in ((FR, french), (EN, english)):
        text = views.card(a_card(conversation, message, viewer=lea, holder=lea), voice).text
        assert line in text
        assert units(text) <= views.LONGEST


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (DeliveryState.DUE, "⏱ part bientôt"),
        (DeliveryState.LEASED, "⏱ part bientôt"),
        (DeliveryState.SENT, "✓ envoyé à 10:05"),
        (DeliveryState.DEAD, "✗ échec"),
        (DeliveryState.UNKNOWN, "❓ peut-être parti"),
        (DeliveryState.CANCELLED, "abandonné"),
    ],
)
def test_a_reply_says_how_far_it_got(state: DeliveryState, says: str) -> None:
    lea = a_secretary("Léa")
    conversation = a_conversation(holder=lea)
    reply = a_message(conversation, "Oui", direction=Direction.OUTBOUND, author="Léa")
    delivery = a_reply(reply, state, ended_at=at(5) if state is DeliveryState.SENT else None)
    screen = views.card(a_card(conversation, reply, viewer=lea, holder=lea, replies={reply.id: [delivery]}), FR)
    assert f"↩️ Léa · 10:00 · {says}\nOui" in screen.text


def test_a_retry_is_told_apart_from_a_reply_that_has_its_first_try_before_it_and_says_why() -> None:
    conversation = a_conversation(holder=a_secretary())
    reply = a_message(conversation, direction=Direction.OUTBOUND)
    assert outcomes.delivery_state([a_reply(reply, error="failure.connection", attempts=1)], FR) == (
        "🔁 pas encore parti, nouvel essai prévu — Le serveur d’envoi est injoignable."
    )


def test_what_may_have_left_is_put_before_its_holder_with_all_that_can_be_done() -> None:
    lea = a_secretary("Léa")
    conversation = a_conversation(holder=lea)
    reply = a_message(conversation, "Oui", direction=Direction.OUTBOUND, author="Léa")
    unknown = a_reply(reply, DeliveryState.UNKNOWN, error="failure.worker_died", ended_at=at(5))
    facts = a_card(conversation, reply, viewer=lea, holder=lea, replies={reply.id: [unknown]})
    screen = views.card(facts, FR)
    assert "❓ La réponse est peut-être partie. Demandez au client s’il l’a reçue, puis décidez." in screen.text
    assert "Le programme s’est arrêté pendant l’envoi." in screen.text
    assert labels(screen)[0] == ["🔁 Renvoyer", "✓ C’est arrivé", "🚫 Abandonner"]
    dead = a_reply(reply, DeliveryState.DEAD, error="failure.recipient_refused", ended_at=at(5))
    failed = views.card(a_card(conversation, reply, viewer=lea, holder=lea, replies={reply.id: [dead]}), FR)
    assert labels(failed)[0] == ["🔁 Renvoyer", "🚫 Abandonner"]
    other = a_secretary("Zoé")
    seen = views.card(a_card(conversation, reply, viewer=other, holder=lea, replies={reply.id: [dead]}), FR)
    assert "La réponse n’est pas partie" in seen.text
    assert labels(seen) == [], "she sees it, but it is not hers to decide"


def test_older_messages_that_do_not_fit_are_counted() -> None:
    lea = a_secretary()
    conversation = a_conversation(holder=lea)
    long = [a_message(conversation, "mot " * 500, position=n) for n in range(1, 6)]
    screen = views.card(a_card(conversation, *long, viewer=lea, holder=lea), FR)
    assert "… 3 messages plus anciens" in screen.text
    short = [a_message(conversation, "oui", position=n) for n in range(1, 4)]
    assert "anciens" not in views.card(a_card(conversation, *short, viewer=lea, holder=lea), FR).text
    more = views.card(a_card(conversation, *short, viewer=lea, holder=lea, message_count=4), FR)
    assert "… 1 message plus ancien\n" in more.text


def test_a_name_cannot_break_its_line_or_turn_it_around() -> None:
    assert one_line("a\nb\r\n c\u2028d") == "a b c d"
    assert one_line("\u202eabc\u202c\u2066x\u2069") == "abcx"
    lea = a_secretary()
    conversation = msgspec.structs.replace(
        a_conversation(holder=lea), subject="Urgent\n🟢 Pour vous\u202e", because=Because(key="because.new")
    )
    contact = a_contact("Paul\n\n📥 Dans la file")
    screen = views.card(a_card(conversation, a_message(conversation), viewer=lea, holder=lea, contact=contact), FR)
    assert screen.text.splitlines()[1] == "👤 Paul Dans la file (paul.martin@example.net) ✉️"
    assert screen.text.splitlines()[2] == "📌 Urgent 🟢 Pour vous"
    assert FR.say("because.taken", name="Léa\n\u202eX" + "x" * 500) == "prise par " + "Léa X" + "x" * 114 + "…"


# ---------------------------------------------------------------- whose it is


def from_there(message: Message, verdict: Verdict, automatic: Automatic | None = None) -> Message:
    known = Particulars(trust=Trust(verdict=verdict), automatic=automatic)
    return msgspec.structs.replace(message, particulars=known)


@pytest.mark.parametrize(
    ("verdict", "voice", "line"),
    [
        (Verdict.FORGED, FR, "⛔ Expéditeur falsifié : le propriétaire de cette adresse désavoue ce mail."),
        (Verdict.FORGED, EN, "⛔ Forged sender: the owner of this address disowns this mail."),
        (Verdict.UNVERIFIED, FR, "⚠️ Rien ne prouve que ce mail vienne bien de cette adresse."),
        (Verdict.UNVERIFIED, EN, "⚠️ Nothing proves that this mail comes from this address."),
    ],
)
def test_a_card_warns_before_the_words_of_whom_nobody_vouches_for(verdict: Verdict, voice: Voice, line: str) -> None:
    lea = a_secretary("Léa")
    conversation = a_conversation()
    text = views.card(a_card(conversation, from_there(a_message(conversation), verdict), viewer=lea), voice).text
    assert line in text
    assert text.index(line) < text.index("Bonjour")


def test_a_card_says_nothing_of_mails_that_are_what_they_say() -> None:
    lea, conversation = a_secretary("Léa"), a_conversation()
    plain = views.card(a_card(conversation, a_message(conversation), viewer=lea), FR).text
    for verdict in (Verdict.VERIFIED, Verdict.UNKNOWN):
        message = from_there(a_message(conversation), verdict)
        assert views.card(a_card(conversation, message, viewer=lea), FR).text == plain
    machine = from_there(a_message(conversation), Verdict.UNVERIFIED, Automatic.NOTICE)
    assert "prouve" not in views.card(a_card(conversation, machine, viewer=lea), FR).text


def test_a_card_names_whom_an_address_imitates() -> None:
    lea = a_secretary("Léa")
    fake, real = "paul.martin@clinique-durant.example", "paul.martin@clinique-durand.example"
    conversation = a_conversation(participants=(fake, real))
    message = a_message(conversation, address=fake)
    facts = a_card(conversation, message, viewer=lea, address=fake, known=[real])
    assert f"⚠️ {fake} ressemble à {real} sans l’être" in views.card(facts, FR).text
    assert f"⚠️ {fake} looks like {real} and is not" in views.card(facts, EN).text
    later = a_conversation(participants=(real, fake))
    both = [a_message(later, address=real), a_message(later, address=fake, position=2)]
    text = views.card(a_card(later, *both, viewer=lea, address=real), FR).text
    assert f"{fake} ressemble à {real}" in text
    assert f"{real} ressemble" not in text, "who was there first imitates nobody"
    ours = views.card(a_card(a_conversation(), viewer=lea, address="x@cabinet-r0ux.example"), FR).text
    assert "ressemble" not in ours
    account = an_account()
    domain = str(account.identity.from_address).rpartition("@")[2]
    near = f"x@{domain}.evil.example"
    assert f"⚠️ {near} ressemble à " in views.card(a_card(a_conversation(), viewer=lea, address=near), FR).text


def test_a_card_says_where_answers_are_led() -> None:
    lea, conversation = a_secretary("Léa"), a_conversation()
    led = msgspec.structs.replace(a_message(conversation), reply_to="paul@elsewhere.example")
    assert (
        "↪️ Ses réponses doivent aller à paul@elsewhere.example"
        in views.card(a_card(conversation, led, viewer=lea), FR).text
    )
    near = msgspec.structs.replace(a_message(conversation), reply_to="billing@mail.example.net")
    assert "↪️" not in views.card(a_card(conversation, near, viewer=lea), FR).text


def test_a_card_offers_all_of_a_mail_where_it_shows_only_part() -> None:
    lea, conversation = a_secretary("Léa"), a_conversation()
    offered = ["📄 Mail complet", "✉️ Original (.eml)"]

    def has_it(message: Message) -> bool:
        return offered in labels(views.card(a_card(conversation, message, viewer=lea), FR))

    plain = msgspec.structs.replace(a_message(conversation), blob_id="raw")
    assert not has_it(plain)
    assert has_it(msgspec.structs.replace(plain, truncated=True))
    assert has_it(msgspec.structs.replace(plain, particulars=Particulars(is_rich=True)))
    assert has_it(msgspec.structs.replace(plain, particulars=Particulars(protection=Protection.ENCRYPTED_PGP)))
    assert not has_it(msgspec.structs.replace(plain, truncated=True, blob_id=None))


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("Devis", "Devis.html"),
        ("", "mail.html"),
        ("../../etc/passwd", "_.._etc_passwd.html"),
        ('a/b\\c:d*"<>|', "a_b_c_d_.html"),
        ("x\r\ny", "x y.html"),
        ("..", "mail.html"),
    ],
)
def test_a_mails_file_has_a_name_any_machine_takes(subject: str, name: str) -> None:
    message = msgspec.structs.replace(a_message(a_conversation()), subject=subject)
    assert views.whole_mail(message, FileForm.PAGE, 1).name == name
    assert views.whole_mail(message, FileForm.ORIGINAL, 1).media_type == "message/rfc822"


def test_a_preview_says_when_it_goes_elsewhere_than_to_who_wrote() -> None:
    lea, conversation = a_secretary("Léa"), a_conversation()
    facts = PreviewFacts(
        draft=a_draft(conversation, lea),
        conversation=conversation,
        preview=Preview(headers=(("preview.to", "paul@elsewhere.example"),), text="Oui"),
        unseen=[],
        unseen_count=0,
        deliveries=[],
        undoable=False,
        redirected_from="paul.martin@example.net",
    )
    assert (
        "⚠️ Part à une autre adresse que celle qui a écrit : paul.martin@example.net" in previews.preview(facts, FR).text
    )
    assert "⚠️ Goes to another address than the one that wrote" in previews.preview(facts, EN).text


# ---------------------------------------------------------------- preview


def a_preview(
    *,
    state: DraftState = DraftState.OPEN,
    unseen: Sequence[Message] = (),
    deliveries: Sequence[Delivery] = (),
    undoable: bool = False,
    text: str = "Oui, jeudi.\n\n-- \nSecrétariat",
    headers: tuple[tuple[str, str], ...] = (
        ("preview.from", "Dr Roux <cabinet@roux.example>"),
        ("preview.to", "paul.martin@example.net"),
        ("preview.subject", "Re: Rendez-vous"),
    ),
) -> PreviewFacts:
    lea = a_secretary()
    conversation = numbered(a_conversation(holder=lea, inbound_count=4))
    draft = msgspec.structs.replace(
        a_draft(conversation, lea, seen_inbound=4 - len(unseen)), state=state, message_id=MessageId(new_id())
    )
    return PreviewFacts(
        draft=draft,
        conversation=conversation,
        preview=Preview(headers=headers, text=text),
        unseen=unseen,
        unseen_count=len(unseen),
        deliveries=deliveries,
        undoable=undoable,
    )


def test_a_preview_shows_the_reply_as_its_reader_will_see_it() -> None:
    facts = a_preview()
    screen = previews.preview(facts, FR)
    assert screen.text == (
        "Aperçu de votre réponse · #7\n"
        "De : Dr Roux <cabinet@roux.example>\n"
        "À : paul.martin@example.net\n"
        "Objet : Re: Rendez-vous\n"
        "\n"
        "Oui, jeudi.\n"
        "\n"
        "-- \n"
        "Secrétariat"
    )
    assert labels(screen) == [["📤 Envoyer"], ["📅 Plus tard…", "🖋 Faire relire"], ["✏ Modifier", "🗑 Supprimer"]]
    assert (
        screen.keyboard[0][0].data
        == callbacks.Send(draft=facts.draft.id, seen=4, check=callbacks.check_draft(facts.draft)).pack()
    )
    assert previews.preview(facts, EN).text.startswith("Preview of your reply · #7\nFrom: Dr Roux")


def test_a_preview_puts_what_arrived_since_above_and_sends_only_knowing_it() -> None:
    conversation = a_conversation()
    facts = a_preview(unseen=[a_message(conversation, "Non, vendredi !", author="Paul")])
    screen = previews.preview(facts, FR)
    assert "⚠ Arrivé depuis que vous avez écrit :\n💬 Paul\nNon, vendredi !\nDe :" in screen.text
    assert labels(screen)[0] == ["📤 J’ai lu, envoyer quand même"]
    assert (
        screen.keyboard[0][0].data
        == callbacks.Send(draft=facts.draft.id, seen=4, check=callbacks.check_draft(facts.draft)).pack()
    )


def test_a_sent_preview_says_what_became_of_it_and_can_be_undone_while_it_can() -> None:
    reply = a_message(a_conversation(), direction=Direction.OUTBOUND)
    waiting = previews.preview(a_preview(state=DraftState.SENT, deliveries=[a_reply(reply)], undoable=True), FR)
    assert waiting.text.startswith("Votre réponse · #7")
    assert waiting.text.endswith("⏱ part bientôt · vous pouvez encore l’annuler")
    assert labels(waiting) == [["⏪ Annuler l’envoi"]]
    gone = a_reply(reply, DeliveryState.SENT, ended_at=at(5))
    sent = previews.preview(a_preview(state=DraftState.SENT, deliveries=[gone]), FR)
    assert sent.text.endswith("✓ envoyé à 10:05")
    assert labels(sent) == []


def test_a_discarded_preview_says_so_and_offers_nothing() -> None:
    screen = previews.preview(a_preview(state=DraftState.DISCARDED), FR)
    assert screen.text.startswith("Brouillon supprimé · #7")
    assert labels(screen) == []


# ---------------------------------------------------------------- queue


def a_queue(
    waiting: Sequence[Conversation] = (),
    mine: Sequence[Conversation] = (),
    *,
    on_duty: bool = True,
    waiting_count: int | None = None,
    name: str = "Paul Martin",
) -> QueueFacts:
    return QueueFacts(
        viewer=a_secretary(),
        on_duty=on_duty,
        waiting=waiting,
        waiting_count=len(waiting) if waiting_count is None else waiting_count,
        mine=mine,
        account_names={an_account().id: an_account().name},
        contact_names={c.contact_id: name for c in (*waiting, *mine)},
    )


def test_the_queue_shows_what_waits_and_why_and_what_she_holds() -> None:
    first = numbered(a_conversation(because=Because(key="because.nobody_present")), 11)
    held = numbered(a_conversation(holder=a_secretary(), waiting=False), 9)
    screen = views.queue(a_queue([first], [held], waiting_count=3), FR)
    assert screen.text == (
        "File · 3 demandes en attente\n"
        "#11 · Dr Hélène Roux · Paul Martin · Rendez-vous · ⏳ 10:00\n"
        "   personne n’est en service pour ce compte\n"
        "… et 2 autres\n"
        "\n"
        "À vous · 1 ouverte\n"
        "#9 · Dr Hélène Roux · Paul Martin · Rendez-vous · ✓"
    )
    assert labels(screen) == [
        ["▶ Suivante"],
        ["#11", "#9"],
        ["📥 En file", "🟢 À moi", "🏢 Comptes"],
        ["🔄 Actualiser", "⚪ Je pars"],
    ]


def test_an_empty_queue_says_so_and_off_duty_she_is_asked_to_come() -> None:
    screen = views.queue(a_queue(on_duty=False), EN)
    assert screen.text == ("Queue · 0 requests waiting\n⚪ You are not on duty.\nNothing waits. 🎉\n\nYours · 0 open")
    assert labels(screen) == [["📥 Queue", "🟢 Mine", "🏢 Accounts"], ["🔄 Refresh", "🟢 I am here"]]


def test_a_long_queue_shows_what_fits_and_counts_the_rest() -> None:
    long = Because(
        key="because.fewest_open", args={"name": "é" * 90, "other": "à" * 90, "count": "1", "other_count": "2"}
    )
    waiting = [msgspec.structs.replace(a_conversation(because=long), subject="x" * 200) for _ in range(10)]
    mine = [msgspec.structs.replace(a_conversation(holder=a_secretary()), subject="x" * 200) for _ in range(20)]
    screen = views.queue(a_queue(waiting, mine, name="n" * 100), FR)
    assert_telegram_takes(screen)
    assert screen.text.count("… et") == 2
    assert screen.text.count("⏳") >= 12


# ---------------------------------------------------------------- questions


def test_accounts_to_choose_from_come_eight_a_page() -> None:
    conversation = a_conversation()
    everyone = [an_account(name=f"Compte {n}") for n in range(20)]
    pages = [views.place_buttons(conversation, everyone, "abcd1234", page) for page in range(3)]
    assert [len(page) for page in pages] == [9, 9, 5]
    assert [[b.text for b in page[-1]] for page in pages] == [["▶"], ["◀", "▶"], ["◀"]]
    assert pages[2][0][0].text == "Compte 16"
    assert pages[2][0][0].data == callbacks.PlaceIn(conversation=conversation.id, position=16, check="abcd1234").pack()
    for absurd in (-1, -7, 10**6):
        for row in views.place_buttons(conversation, everyone, "abcd1234", absurd):
            assert_buttons_fit(row)


def test_a_superseded_card_points_down() -> None:
    assert views.superseded_card(numbered(a_conversation()), FR).text == "#7 · la fiche à jour est plus bas ↓"
    assert (
        previews.superseded_preview(numbered(a_conversation()), EN).text == "#7 · the current preview is further down ↓"
    )


def a_topic(conversation: Conversation, secretary: Secretary, *, told: int, card: int) -> Topic:
    return Topic(
        id=new_id(),
        conversation_id=conversation.id,
        secretary_id=secretary.id,
        channel_id=secretary.channel_id,
        chat_id=901,
        thread_id=7,
        thread_key="telegram:desk:901:7",
        name="#7",
        told_position=told,
        card_position=card,
    )


def test_where_a_card_stood_in_a_topic_stays_what_it_had_told_and_what_she_wrote_herself_stands_elsewhere() -> None:
    lea = a_secretary()
    conversation = numbered(a_conversation(holder=lea))
    said = [a_message(conversation, f"mot {position}", position=position) for position in (1, 2, 3)]
    hers = msgspec.structs.replace(said[1], direction=Direction.OUTBOUND, author_id=lea.id)
    facts = a_card(conversation, said[0], hers, said[2], viewer=lea, holder=lea)
    left = views.left_of_card(facts, FR, a_topic(conversation, lea, told=0, card=2))
    assert left is not None
    assert left.text.startswith("#7")
    assert "mot 1" in left.text
    assert "mot 2" not in left.text
    assert "mot 3" not in left.text
    assert left.keyboard == ()
    assert views.left_of_card(facts, EN, a_topic(conversation, lea, told=1, card=2)) is None
    theirs = msgspec.structs.replace(hers, author_id=SecretaryId("another"))
    left = views.left_of_card(a_card(conversation, theirs, viewer=lea), EN, a_topic(conversation, lea, told=1, card=2))
    assert left is not None
    assert "mot 2" in left.text


@pytest.mark.parametrize("word", ["x", "👨‍👩‍👧‍👦", "שלום ", "\ud83d", "\n"])
def test_what_stays_of_a_card_is_as_long_as_telegram_takes(word: str) -> None:
    lea = a_secretary()
    conversation = numbered(a_conversation(holder=lea))
    said = [a_message(conversation, word * 5000, position=position) for position in range(1, 13)]
    left = views.left_of_card(a_card(conversation, *said, viewer=lea), FR, a_topic(conversation, lea, told=0, card=12))
    assert left is not None
    assert_telegram_takes(left)


# ---------------------------------------------------------------- what Telegram takes


def assert_buttons_fit(row: Sequence[Button]) -> None:
    for button in row:
        assert button.text.strip()
        assert button.data is not None
        assert 1 <= len(button.data.encode()) <= 64


def assert_telegram_takes(screen: Screen) -> None:
    """As the Bot API checks a message: length, entities, buttons, and that it is Unicode at all."""
    length = len(screen.text.encode("utf-16-le")) // 2
    assert 0 < length <= 4096
    assert screen.text.strip()
    for entity in screen.entities:
        assert entity.offset >= 0
        assert entity.length >= 1
        assert entity.offset + entity.length <= length
    encoded = screen.text.encode("utf-16-le")
    for entity in screen.entities:
        encoded[entity.offset * 2 : (entity.offset + entity.length) * 2].decode("utf-16-le")
    for row in screen.keyboard:
        assert row
        assert_buttons_fit(row)
    msgspec.json.encode((screen.text, screen.entities, screen.keyboard))


HOSTILE = [
    "\ud83d",
    "\udc80",
    "\u202e",
    "\u2066",
    "\x00",
    "\u200f",
    "👩‍👩‍👧‍👦",
    "🇫🇷",
    "é" * 3,
    "\u0627",
    "\n\n",
    " \t ",
    "\U0001d518",
    "<b>",
    "*_`[",
]
words = st.lists(st.one_of(st.text(max_size=40), st.sampled_from(HOSTILE)), max_size=12).map("".join)
long_words = st.builds(lambda unit, times: (unit or "x") * times, words, st.sampled_from([1, 60, 3000]))
instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda d: d.replace(tzinfo=NOW.tzinfo))  # noqa: DTZ001
attachments = st.builds(
    lambda name, size, kind, seconds: msgspec.structs.replace(a_file(name, size), kind=kind, seconds=seconds),
    words,
    st.integers(0, 10**10),
    st.sampled_from(list(AttachmentKind)),
    st.integers(0, 10**6),
)
becauses = st.none() | st.builds(
    lambda key, one, two: Because(key=key, args={"name": one, "other": two, "count": "3", "other_count": "4"}),
    st.sampled_from(
        ["because.fewest_open", "because.longest_idle", "because.taken", "because.absent", "because.gone?"]
    ),
    words,
    words,
)
many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@st.composite
def messages(draw: Any, conversation: Conversation) -> Message:
    message = a_message(
        conversation,
        draw(long_words),
        direction=draw(st.sampled_from(list(Direction))),
        author=draw(words),
        attachments=tuple(draw(st.lists(attachments, max_size=3))) * draw(st.sampled_from([1, 17])),
        created_at=draw(instants),
        truncated=draw(st.booleans()),
    )
    return msgspec.structs.replace(message, revisions=(_revision(),) if draw(st.booleans()) else ())


@many
@given(st.data())
def test_whatever_is_said_a_card_is_a_message_telegram_takes(data: st.DataObject) -> None:
    viewer = a_secretary(data.draw(words), role=data.draw(st.sampled_from(list(Role))))
    holder = data.draw(st.sampled_from([None, viewer, a_secretary(data.draw(words))]))
    conversation = msgspec.structs.replace(
        a_conversation(holder=holder, waiting=data.draw(st.booleans())),
        subject=data.draw(long_words),
        because=data.draw(becauses),
        status=data.draw(st.sampled_from(list(Status))),
        account_id=data.draw(st.sampled_from(["roux", UNSORTED])),
        number=data.draw(st.integers(1, 10**9)),
        related_number=data.draw(st.none() | st.integers(1, 10**9)),
    )
    said = data.draw(st.lists(messages(conversation), max_size=6))
    replies = {
        m.id: [
            a_reply(m, state, error=data.draw(st.sampled_from(["failure.connection", "failure.never_heard_of", None])))
            for state in data.draw(st.lists(st.sampled_from(list(DeliveryState)), max_size=4))
        ]
        for m in said
        if m.direction is Direction.OUTBOUND
    }
    facts = a_card(
        conversation,
        *said,
        viewer=viewer,
        holder=holder,
        account=an_account(name=data.draw(long_words)),
        contact=a_contact(data.draw(long_words)),
        replies=replies,
        blocked=data.draw(st.booleans()),
        message_count=len(said) + data.draw(st.integers(0, 10**6)),
    )
    facts = CardFacts(**{f: getattr(facts, f) for f in facts.__slots__} | {"contact_address": data.draw(long_words)})
    assert_telegram_takes(views.card(facts, data.draw(st.sampled_from([FR, EN]))))


@many
@given(st.data())
def test_whatever_is_written_a_preview_is_a_message_telegram_takes(data: st.DataObject) -> None:
    conversation = a_conversation()
    state = data.draw(st.sampled_from(list(DraftState)))
    reply = a_message(conversation, direction=Direction.OUTBOUND)
    facts = a_preview(
        state=state,
        unseen=data.draw(st.lists(messages(conversation), max_size=4)) if state is DraftState.OPEN else [],
        deliveries=[a_reply(reply, s) for s in data.draw(st.lists(st.sampled_from(list(DeliveryState)), max_size=3))],
        undoable=data.draw(st.booleans()),
        text=data.draw(long_words),
        headers=tuple(
            (label, data.draw(long_words)) for label in ("preview.from", "preview.to", "preview.cc", "preview.subject")
        ),
    )
    assert_telegram_takes(previews.preview(facts, data.draw(st.sampled_from([FR, EN]))))


@many
@given(st.data())
def test_whatever_waits_the_queue_is_a_message_telegram_takes(data: st.DataObject) -> None:
    def some(most: int) -> list[Conversation]:
        return [
            msgspec.structs.replace(a_conversation(), subject=data.draw(long_words), because=data.draw(becauses))
            for _ in range(data.draw(st.integers(0, most)))
        ]

    waiting, mine = some(5) * 2, some(5) * 4
    facts = a_queue(
        waiting, mine, name=data.draw(long_words), waiting_count=len(waiting) + data.draw(st.integers(0, 99))
    )
    assert_telegram_takes(views.queue(facts, data.draw(st.sampled_from([FR, EN]))))


@pytest.mark.parametrize("unit", ["x", "😀", "\ud83d", "\u202e", "a\u0301", "\n"])
def test_a_body_of_a_hundred_thousand_characters_and_fifty_files_still_makes_a_card(unit: str) -> None:
    lea = a_secretary("L" * 300)
    conversation = a_conversation(holder=lea)
    files = tuple(a_file("f" * 300, 10**9) for _ in range(50))
    message = a_message(conversation, unit * 100_000, attachments=files, truncated=True, author="A" * 1000)
    screen = views.card(a_card(conversation, message, viewer=lea, holder=lea), FR)
    assert_telegram_takes(screen)
    assert "autres pièces jointes" in screen.text


@many
@given(words, st.integers(1, 50))
def test_a_shortened_text_is_short_enough_and_whole_where_it_fits(text: str, most: int) -> None:
    short = shortened(text, most)
    assert units(short) <= most
    short.encode("utf-8")
    clean = "".join(c for c in text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore"))
    if units(text) <= most:
        assert short == clean
    else:
        assert short.endswith("…")
        assert clean.startswith(short[:-1])


def test_every_button_of_every_kind_fits_in_64_octets() -> None:
    longest: dict[type, Any] = {str: new_id(), int: 10**9, bool: False}
    special = {"check": "0" * 8, "verdict": "again", "form": "original", "act": "absence"}
    special |= {"page": "later", "purpose": "contact_name", "until": "evening", "view": "account", "account": "a" * 51}
    kinds = [
        kind
        for kind in vars(callbacks).values()
        if isinstance(kind, type) and issubclass(kind, CallbackData) and kind is not CallbackData
    ]
    assert len(kinds) >= 16
    for kind in kinds:
        values = {
            name: special.get(name, longest[str])
            if f.annotation is str
            else 99  # so many pages are turned
            if name == "page"
            else longest[f.annotation]  # type: ignore[index]
            for name, f in kind.model_fields.items()
        }
        made = kind(**values)
        assert len(made.pack().encode()) <= 64
        assert kind.unpack(made.pack()) == made
    assert len({kind.__prefix__ for kind in kinds}) == len(kinds)


def test_instants_are_said_as_people_say_them() -> None:
    assert FR.when(NOW) == "10:00"
    assert FR.when(NOW - timedelta(days=3)) == "27 févr. 10:00"
    assert EN.when(NOW - timedelta(days=400)).endswith("2025 10:00")


def _revision() -> Revision:
    return Revision(text="avant", until_at=at(1))
