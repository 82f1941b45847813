"""What secretaries see of machines' mail: bounces, absence notices, newsletters; and what is told back."""

from __future__ import annotations

from email import message_from_bytes, policy

import msgspec
import pytest

from bot.locales import Catalogue
from channels.base import Arrival
from handlers.callbacks import Close, Release, Send
from handlers.incoming import accepting
from handlers.outcomes import delivery_state
from handlers.views import Voice
from inbox.acknowledgements import MOST_TO_ONE
from inbox.model import DeliveryState, Status
from inbox.notices import Letter
from inbox.particulars import Failure, FailureKind
from inbox.parts import BlobId
from inbox.store.base import Changes
from inbox.store.documents import DELIVERIES_BY_STATE, EVENTS_OF_CONVERSATION, MESSAGES_OF_CONVERSATION
from tests.builders import MAIL, NOW, ROUX, a_conversation, a_message, a_reply
from tests.handlers.stage import Seat, Seen, Stage, button

PAUL = "paul.martin@example.net"


def a_report(
    original_id: str, *, action: str = "failed", status: str = "5.1.1", who: str = PAUL, said: str = ""
) -> bytes:
    """What a mail server writes about a mail of this id."""
    return (
        "Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example.org>\nTo: cabinet@roux.example\n"
        f"Subject: Undelivered Mail Returned to Sender\nMessage-ID: <{action}.{status}@mx.example.org>\n"
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\n\nI'm sorry to have to inform you.\n\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; {who}\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; {said}\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{original_id}>\nSubject: Re: Rendez-vous\n--b--\n"
    ).encode()


def a_notice(
    answers: str = "", *, sender: str = f"Paul Martin <{PAUL}>", more: str = "Auto-Submitted: auto-replied"
) -> bytes:
    """A mail that no person wrote."""
    thread = f"In-Reply-To: <{answers}>\n" if answers else ""
    return (
        f"From: {sender}\nTo: cabinet@roux.example\nSubject: Réponse automatique : Rendez-vous\n{thread}{more}\n"
        "Message-ID: <absent@example.net>\nContent-Type: text/plain; charset=utf-8\n\nJe suis absent jusqu'au 12.\n"
    ).encode()


async def answered(stage: Stage, lea: Seat) -> str:
    """A client's mail, answered by her; the Message-ID the answer left with."""
    await stage.mail("Puis-je venir jeudi ?")
    card = await lea.sees("Puis-je venir jeudi ?", kind=Release)
    lea.writes("Oui, à dix heures.", to=card)
    await lea.presses(await lea.sees("Aperçu de votre réponse", kind=Send), Send)
    await stage.quiet()
    return stage.letters.sent[-1][0].message_id


async def kinds(stage: Stage, number: int = 1) -> list[str]:
    conversation = await stage.conversation(number)
    return [e.kind for e in await stage.store.list(EVENTS_OF_CONVERSATION, conversation.id)]


def words(raw: bytes) -> str:
    body = message_from_bytes(raw, policy=policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def is_quiet(stage: Stage, card: Seen) -> bool:
    """Whether a card came without ringing."""
    (call,) = [c for c in stage.telegram.made("sendMessage") if c.parameters.get("text") == card["text"]][-1:]
    return str(call.parameters.get("disable_notification")).lower() == "true"


async def card_of(lea: Seat) -> Seen:
    return await lea.sees("#1 · Dr Hélène Roux", kind=Release)


def acknowledging(stage: Stage, text: str = "") -> None:
    """Have the account say by itself that a mail arrived."""
    accounts = stage.desk.accounts
    assert isinstance(accounts, dict)
    accounts[ROUX] = msgspec.structs.replace(accounts[ROUX], acknowledgement=text)


# ---------------------------------------------------------------- bounces


async def test_a_reply_that_bounces_comes_back_to_its_author_with_what_to_do(stage: Stage) -> None:
    lea = await stage.join("Léa")
    sent = await answered(stage, lea)
    await lea.presses(await card_of(lea), Close)
    assert (await stage.conversation()).status is Status.CLOSED
    await stage.mail_raw(a_report(sent, said="550 5.1.1 User unknown"))
    card = await lea.sees("✗ La réponse n’est pas arrivée chez paul.martin@example.net.", kind=Release)
    assert "L’adresse paul.martin@example.net n’existe pas : vérifiez-la avec le client par téléphone." in card["text"]
    assert "✗ non remis à paul.martin@example.net" in card["text"]
    assert "Pour vous — la réponse n’est pas arrivée" in card["text"]
    assert "✓ envoyé" not in card["text"]
    assert "MAILER-DAEMON" not in card["text"]
    assert not is_quiet(stage, card)
    conversation = await stage.conversation()
    assert (conversation.status, conversation.inbound_count) == (Status.OPEN, 1)
    assert conversation.waiting_since_at is not None
    assert await lea.holds() == 1
    assert await stage.said() == ["Puis-je venir jeudi ?", "Oui, à dix heures."]
    assert "undelivered" in await kinds(stage)
    assert await stage.ledger_is_balanced()


async def test_in_english_too(stage: Stage) -> None:
    lea = await stage.join("Lea", language="en")
    await stage.mail("May I come?")
    card = await lea.sees("May I come?", kind=Release)
    lea.writes("Yes.", to=card)
    await lea.presses(await lea.sees("Yes.", kind=Send), Send)
    await stage.mail_raw(a_report(stage.letters.sent[-1][0].message_id, status="5.2.2"))
    card = await lea.sees("The mailbox of paul.martin@example.net is full: tell the client by phone", kind=Release)
    assert "✗ not delivered to paul.martin@example.net" in card["text"]


async def test_a_report_that_comes_twice_has_one_effect(stage: Stage) -> None:
    lea = await stage.join("Léa")
    sent = await answered(stage, lea)
    await stage.mail_raw(a_report(sent))
    await lea.sees("La réponse n’est pas arrivée", kind=Release)
    await stage.quiet()
    before = await stage.conversation()
    screens = len(lea.screen)
    await stage.mail_raw(a_report(sent))
    await stage.quiet()
    assert await stage.conversation() == before
    assert len(lea.screen) == screens
    assert (await kinds(stage)).count("undelivered") == 1
    (ignored,) = await stage.receipts(MAIL, "ignored")
    assert ignored.reason == "reported before"
    assert await stage.ledger_is_balanced()


async def test_a_delay_is_only_noted_and_a_success_too(stage: Stage) -> None:
    lea = await stage.join("Léa")
    sent = await answered(stage, lea)
    await lea.presses(await card_of(lea), Close)
    screens = len(lea.screen)
    await stage.mail_raw(a_report(sent, action="delayed", status="4.4.1"))
    await lea.sees("retardé pour paul.martin@example.net, le serveur réessaie")
    conversation = await stage.conversation()
    assert (conversation.status, conversation.waiting_since_at) == (Status.CLOSED, None)
    await stage.mail_raw(a_report(sent, action="delivered", status="2.0.0"))
    await lea.sees("✓✓ remis à paul.martin@example.net")
    await stage.quiet()
    assert len(lea.screen) == screens, "the card changed in place"
    assert (await kinds(stage))[-2:] == ["delayed", "arrived"]


async def test_a_report_puts_it_in_the_queue_where_its_holder_is_gone(stage: Stage) -> None:
    lea = await stage.join("Léa")
    sent = await answered(stage, lea)
    await lea.presses(await card_of(lea), Close)
    await lea.leaves_by_force()
    ines = await stage.join("Inès")
    await stage.mail_raw(a_report(sent))
    await ines.sees("L’adresse paul.martin@example.net n’existe pas", kind=Release)
    assert await stage.holder() == "Inès"


@pytest.mark.parametrize("change", ["signature", "account"])
async def test_a_forged_report_reaches_no_conversation(stage: Stage, change: str) -> None:
    lea = await stage.join("Léa")
    sent = await answered(stage, lea)
    forged = sent
    if change == "signature":
        message, _, rest = sent.partition(".")
        forged = f"{message}.{'0' * 16}@{rest.partition('@')[2]}"
    else:
        conversation = await stage.conversation()
        (_, reply) = await stage.store.list(MESSAGES_OF_CONVERSATION, conversation.id)
        elsewhere = msgspec.structs.replace(reply, account_id="bernard")
        await stage.store.commit(Changes(replacements=[elsewhere]))
    before = await stage.conversation()
    await stage.mail_raw(a_report(forged))
    await stage.quiet()
    assert await stage.conversation() == before
    assert lea.sees_nothing_of("n’est pas arrivée")
    # It is a machine's mail like any other: kept, and shown without ringing.
    other = await stage.conversation(2)
    assert (other.status, other.waiting_since_at, other.inbound_count) == (Status.OPEN, None, 0)


# ---------------------------------------------------------------- machines' mail


async def test_an_absence_notice_changes_nothing_but_is_seen(stage: Stage) -> None:
    lea = await stage.join("Léa")
    sent = await answered(stage, lea)
    await lea.presses(await card_of(lea), Close)
    before = await stage.conversation()
    screens = len(lea.screen)
    await stage.mail_raw(a_notice(sent))
    card = await lea.sees("🤖 Réponse automatique", "Je suis absent jusqu'au 12.")
    assert "Close" in card["text"]
    await stage.quiet()
    after = await stage.conversation()
    assert (after.status, after.waiting_since_at, after.inbound_count) == (Status.CLOSED, None, before.inbound_count)
    assert after.message_count == before.message_count + 1
    assert len(lea.screen) == screens


async def test_an_absence_notice_is_shown_with_the_draft_and_does_not_hold_it(stage: Stage) -> None:
    lea = await stage.join("Léa")
    asked = await stage.mail("Puis-je venir jeudi ?")
    card = await lea.sees("Puis-je venir jeudi ?", kind=Release)
    lea.writes("Oui, à dix heures.", to=card)
    await lea.sees("Aperçu de votre réponse", kind=Send)
    await stage.mail_raw(a_notice(asked))
    preview = await lea.sees("Aperçu de votre réponse", "🤖 Réponse automatique", "Je suis absent", kind=Send)
    assert button(preview, Send, "Envoyer") is not None
    await lea.presses(preview, Send)
    await stage.quiet()
    (letter, raw) = stage.letters.sent[-1]
    assert letter.recipients == (PAUL,)
    # It answers the person, not the machine.
    assert message_from_bytes(raw, policy=policy.default)["In-Reply-To"] == f"<{asked}>"
    assert (await stage.conversation()).waiting_since_at is None


async def test_a_machines_mail_about_something_new_waits_without_ringing(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès")
    await stage.mail_raw(a_notice(sender="Fax <fax@operateur.example>", more="Auto-Submitted: auto-generated"))
    await stage.quiet()
    holder = {"Léa": lea, "Inès": ines}[str(await stage.holder())]
    card = await holder.sees("🤖 Message automatique", "Je suis absent", kind=Release)
    assert is_quiet(stage, card)
    assert "seule une machine a écrit" in card["text"]
    assert await holder.holds() == 0
    (other,) = {lea, ines} - {holder}
    assert other.sees_nothing_of("Message automatique")


async def test_a_newsletter_is_filed_and_shown_to_nobody(stage: Stage) -> None:
    lea = await stage.join("Léa")
    more = "List-Id: <news.shop.example>\nList-Unsubscribe: <https://shop.example/out>\nPrecedence: bulk"
    await stage.mail_raw(a_notice(sender="Shop <news@shop.example>", more=more))
    await stage.quiet()
    conversation = await stage.conversation()
    assert (conversation.status, conversation.queued_at, conversation.assignee_id) == (Status.CLOSED, None, None)
    assert lea.sees_nothing_of("Réponse automatique")
    assert "filed" in await kinds(stage)
    assert await stage.ledger_is_balanced()


# ---------------------------------------------------------------- acknowledgements


async def test_a_mail_about_something_new_is_acknowledged_once(stage: Stage) -> None:
    acknowledging(stage)
    lea = await stage.join("Léa")
    asked = await stage.mail("Puis-je venir jeudi ?", subject="Rendez-vous à midi")
    await stage.quiet()
    ((letter, raw),) = stage.letters.sent
    mail = message_from_bytes(raw, policy=policy.default)
    assert (letter.sender, letter.recipients) == ("cabinet@roux.example", (PAUL,))
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Subject"] == "Auto: Rendez-vous à midi"
    assert mail["To"] == PAUL
    assert mail["In-Reply-To"] == f"<{asked}>"
    text = words(raw)
    assert "Nous avons bien reçu votre message" in text
    assert "Puis-je venir jeudi" not in text, "nothing is quoted"
    assert "acknowledged" in await kinds(stage)
    # His answer to it finds the conversation, and is not acknowledged.
    await stage.mail("J'oubliais : à midi.", answers=letter.message_id)
    await lea.sees("J'oubliais : à midi.", kind=Release)
    await stage.quiet()
    assert await stage.said() == ["Puis-je venir jeudi ?", "J'oubliais : à midi."]
    assert len(stage.letters.sent) == 1


async def test_the_copy_of_an_acknowledgement_in_a_watched_folder_is_no_news(stage: Stage) -> None:
    acknowledging(stage)
    await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    before = await stage.conversation()
    await stage.mail_raw(stage.letters.sent[0][1])
    await stage.quiet()
    assert await stage.conversation() == before
    (ignored,) = await stage.receipts(MAIL, "ignored")
    assert (ignored.reason, ignored.conversation_id) == ("our own message, come back", before.id)
    assert await stage.ledger_is_balanced()


async def test_the_account_says_it_in_its_own_words_or_not_at_all(stage: Stage) -> None:
    await stage.mail("Bonjour")
    await stage.quiet()
    assert stage.letters.sent == []
    acknowledging(stage, "Reçu, merci.")
    await stage.mail("Bonjour encore", subject="Autre chose")
    await stage.quiet()
    ((_, raw),) = stage.letters.sent
    assert words(raw).startswith("Reçu, merci.")


async def test_a_report_about_an_acknowledgement_is_only_noted(stage: Stage) -> None:
    acknowledging(stage)
    lea = await stage.join("Léa")
    await stage.mail("Puis-je venir jeudi ?")
    await lea.sees("Puis-je venir jeudi ?", kind=Release)
    await stage.quiet()
    await stage.mail_raw(a_report(stage.letters.sent[0][0].message_id))
    await stage.mail_raw(a_report(stage.letters.sent[0][0].message_id))
    await stage.quiet()
    assert (await kinds(stage)).count("acknowledgement_undelivered") == 1
    assert lea.sees_nothing_of("n’est pas arrivée")


async def test_two_desks_that_acknowledge_each_other_stop(stage: Stage) -> None:
    acknowledging(stage)
    await stage.mail("Bonjour", sender="Autre bureau <bureau@autre.example>", subject="Bonjour")
    await stage.quiet()
    assert len(stage.letters.sent) == 1
    # The other desk has the same manners.
    (_, raw) = stage.letters.sent[0]
    theirs = raw.replace(b"cabinet@roux.example", b"bureau@autre.example").replace(
        b"To: bureau@autre.example\r\n", b"To: cabinet@roux.example\r\n"
    )
    await stage.mail_raw(theirs.replace(b"Message-ID: <", b"Message-ID: <theirs."))
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_one_without_manners_is_answered_so_often_a_day_and_no_more(stage: Stage) -> None:
    acknowledging(stage)
    for number in range(MOST_TO_ONE + 3):
        # No mark of a machine, no thread: each opens a conversation of its own.
        await stage.mail(
            f"Votre message {number} nous est parvenu.", sender="bureau@autre.example", subject=f"N° {number}"
        )
        await stage.quiet()
    assert len(stage.letters.sent) == MOST_TO_ONE
    assert "not_acknowledged" in await kinds(stage, MOST_TO_ONE + 1)
    assert "acknowledged" in await kinds(stage, MOST_TO_ONE)
    await stage.mail("Bonjour", sender="nora@example.org", subject="Autre")
    await stage.quiet()
    assert len(stage.letters.sent) == MOST_TO_ONE + 1, "others are told as before"


async def test_a_mailbox_acknowledges_so_many_an_hour_and_no_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inbox.acknowledgements.MOST_FROM_ONE", 3)
    acknowledging(stage)
    for number in range(5):
        await stage.mail("Bonjour", sender=f"robot{number}@example.org", subject=f"N° {number}")
    await stage.quiet()
    assert len(stage.letters.sent) == 3
    assert await stage.store.count(DELIVERIES_BY_STATE, MAIL, "acknowledgement", "sent") == 3


async def test_the_same_mail_fetched_twice_is_acknowledged_once(stage: Stage) -> None:
    acknowledging(stage)
    raw = (
        b"From: Paul <paul@example.net>\nTo: cabinet@roux.example\nSubject: x\nMessage-ID: <x@example.net>\n\nBonjour\n"
    )
    await accepting(stage.desk, MAIL)([Arrival("9:1", "INBOX", raw)], "9")
    await accepting(stage.desk, MAIL)([Arrival("10:1", "INBOX", raw)], "10")
    await stage.quiet()
    assert len(stage.letters.sent) == 1


# ---------------------------------------------------------------- a card's words


def test_of_several_recipients_each_has_its_own_words() -> None:
    nora = "nora@example.org"
    message = a_message(a_conversation())
    letter = Letter(sender="cabinet@roux.example", recipients=(PAUL, nora), blob_id=BlobId("b"), message_id="x")
    sent = a_reply(message, DeliveryState.SENT, payload=letter, ended_at=NOW)
    voice = Voice(Catalogue(), "fr", "Europe/Paris", NOW)

    def state(*failures: Failure) -> str:
        return delivery_state([msgspec.structs.replace(sent, reported=failures)], voice)

    failed = Failure(address=nora, kind=FailureKind.PERMANENT, code="5.1.1")
    arrived = Failure(address=PAUL, kind=FailureKind.DELIVERED, code="2.0.0")
    assert state() == "✓ envoyé à 10:00"
    assert state(arrived, failed) == f"✓ envoyé à 10:00 · ✗ non remis à {nora} · ✓✓ remis à {PAUL}"
    assert state(failed, msgspec.structs.replace(failed, address=PAUL)) == (
        f"✗ non remis à {nora} · ✗ non remis à {PAUL}"
    )
    nameless = msgspec.structs.replace(failed, address="")
    assert state(nameless) == f"✓ envoyé à 10:00 · ✗ non remis à {PAUL}, {nora}"
