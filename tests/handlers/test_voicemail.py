"""A telephone provider's mail becomes a call by itself; every other mail with a sound stays a mail."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from channels.mail.parse import read_mail
from handlers.callbacks import Listen, Release, Send, TellAccount
from inbox.model import Status
from inbox.voicemail import as_call
from tests.handlers.stage import Stage
from tests.handlers.test_calls import told_by_mail
from tests.sounds import wav


def a_mail(sender: str, subject: str, text: str, *, sound: bool = True, automatic: bool = False) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "cabinet@roux.example", subject
    mail["Message-ID"] = "<v1@provider.example>"
    if automatic:
        mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    if sound:
        mail.add_attachment(wav(2), maintype="audio", subtype="wav", filename="msg0001.wav")
    return mail.as_bytes()


@pytest.mark.parametrize(
    ("sender", "subject", "text"),
    [
        ("OVHcloud <noreply@ovh.example>", "Nouveau message vocal de 0612345678", "Durée : 12 s"),
        (
            "Freebox <messagerie@free.example>",
            "[Freebox] Nouveau message vocal",
            "Appelant : 06 12 34 56 78\nDurée 00:12",
        ),
        (
            "Orange Pro <ne-pas-repondre@orange.example>",
            "Vous avez un nouveau message sur votre messagerie vocale",
            "Vous avez reçu un message du 06.12.34.56.78 le 12/03/2026 à 14:30.",
        ),
        ("Ringover <no-reply@ringover.example>", "Voicemail from +33 6 12 34 56 78", "You have a new voicemail"),
        (
            "Asterisk PBX <asterisk@pbx.example>",
            "[PBX]: New message 3 in mailbox 201",
            'You have a voicemail in mailbox 201 (01 42 68 53 00) from "Durand" <0612345678>',
        ),
        ("3CX <pbx@3cx.example>", "Nouveau message de la messagerie vocale", "Numéro : 0612345678\nPour : 201"),
    ],
)
def test_what_providers_write_is_a_call_from_whoever_called(sender: str, subject: str, text: str) -> None:
    call = as_call(read_mail(a_mail(sender, subject, text)), "FR")
    assert call is not None
    assert (call.sender.value, call.sender.name) == ("+33612345678", "06 12 34 56 78")
    assert call.particulars.automatic is None


@pytest.mark.parametrize(
    "raw",
    [
        a_mail("Paul <paul@client.example>", "Message vocal de 0612345678", "Écoutez ce message vocal"),
        a_mail("Asterisk <asterisk@pbx.example>", "New voicemail", "From: anonymous"),
        a_mail("OVH <noreply@ovh.example>", "Nouveau message vocal de 0612345678", "", sound=False),
        a_mail("Radio <noreply@radio.example>", "Votre podcast du 0612345678", "Bonne écoute"),
        a_mail("Facture <noreply@ovh.example>", "Votre facture", "Téléphone 0612345678, une question ? 3900"),
    ],
)
def test_any_other_mail_stays_a_mail(raw: bytes) -> None:
    assert as_call(read_mail(raw), "FR") is None


async def test_it_rings_plays_and_is_passed_on_to_the_account(stage: Stage) -> None:
    told_by_mail(stage)
    lea = await stage.join("Léa")
    await stage.mail_raw(
        a_mail("OVH <noreply@ovh.example>", "Nouveau message vocal de 0612345678", "Durée : 2 s", automatic=True)
    )
    card = await lea.sees("☎️", "06 12 34 56 78", "Pour vous", kind=Listen)
    assert await lea.holds() == 1
    await lea.presses(card, Listen)
    assert any("voice" in m for m in lea.user.messages())
    lea.writes("Bonjour", to=card)
    await lea.sees("Cet appel n’a pas de canal pour répondre")
    await lea.presses(card, TellAccount)
    preview = await lea.sees("Aperçu", "helene@roux.example", "Message vocal de 06 12 34 56 78", kind=Send)
    lea.writes("Mme Durand demande une ordonnance, à rappeler au 06 12 34 56 78.", to=preview)
    preview = await lea.sees("Aperçu", "helene@roux.example", "demande une ordonnance", kind=Send)
    await lea.presses(preview, Send)
    await stage.quiet()
    ((letter, _),) = stage.letters.sent
    assert letter.recipients == ("helene@roux.example",)
    assert (await stage.conversation()).status is Status.CLOSED


async def test_two_messages_of_one_caller_are_one_persons(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = a_mail("OVH <noreply@ovh.example>", "Nouveau message vocal de 0612345678", "Durée : 2 s")
    await stage.mail_raw(first)
    await stage.mail_raw(first)
    await stage.mail_raw(first.replace(b"v1@", b"v2@"))
    await lea.sees("06 12 34 56 78", kind=Release)
    await stage.quiet()
    one, two = await stage.conversation(1), await stage.conversation(2)
    assert one.contact_id == two.contact_id
    assert await lea.holds() == 2
