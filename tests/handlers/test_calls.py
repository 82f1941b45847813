"""Telephone messages: taken, corrected, passed on once, kept to call back; and what the account gets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email import message_from_bytes, policy

import msgspec

from handlers.callbacks import Calls, DropCall, KeepCall, MarkCall, PassOn, Release, Send, Wake
from handlers.timers import wake_due
from inbox.model import Contact, Priority, Status
from inbox.parts import AccountId
from inbox.store.base import Changes
from inbox.store.documents import CONVERSATION_BY_NUMBER
from tests.builders import BERNARD, ROUX
from tests.handlers.stage import Clock, Seat, Seen, Stage

WORDS = "Mme Durand, 06 12 34 56 78, rendez-vous à déplacer, urgent"


def told_by_mail(stage: Stage, account: AccountId = ROUX, address: str = "helene@roux.example") -> None:
    """Its telephone messages go to this address."""
    accounts = stage.desk.accounts
    assert isinstance(accounts, dict)
    accounts[account] = msgspec.structs.replace(accounts[account], messages_to=address)


async def taken(lea: Seat, words: str = WORDS) -> Seen:
    """A message she took for Dr Roux, before it is passed on."""
    lea.writes("/appel")
    await lea.presses(await lea.sees("Pour qui est cet appel ?", kind=Calls), Calls, "Roux")
    lea.writes(words, to=await lea.sees("Qui appelle, son numéro, pourquoi ?"))
    return await lea.sees("Message téléphonique · Dr Hélène Roux", kind=PassOn)


async def test_a_call_is_passed_on_by_mail_and_done(stage: Stage) -> None:
    told_by_mail(stage)
    lea = await stage.join("Léa")
    slip = await taken(lea)
    assert str(slip["text"]).splitlines()[1:5] == [
        "De : Mme Durand",
        "Téléphone : 06 12 34 56 78",
        "Motif : rendez-vous à déplacer",
        "🔴 Urgent",
    ]
    assert await lea.presses(slip, PassOn) == "Transmis à Dr Hélène Roux."
    await stage.quiet()
    ((letter, raw),) = stage.letters.sent
    assert letter.recipients == ("helene@roux.example",)
    mail = message_from_bytes(raw, policy=policy.default)
    body = mail.get_body(("plain",))
    assert body is not None
    assert mail["Subject"] == "Appel de Mme Durand : rendez-vous à déplacer"
    assert "Téléphone : 06 12 34 56 78\nMotif : rendez-vous à déplacer\n🔴 Urgent" in body.get_content().replace(
        "\r\n", "\n"
    )
    assert "Léa" not in raw.decode()
    conversation = await stage.conversation()
    assert (conversation.status, conversation.priority) == (Status.CLOSED, Priority.URGENT)
    assert await lea.holds() == 0


async def test_it_is_passed_on_once_however_often_it_is_pressed(stage: Stage) -> None:
    told_by_mail(stage)
    lea = await stage.join("Léa")
    slip = await taken(lea)
    toasts = await asyncio.gather(*(lea.presses(slip, PassOn) for _ in range(3)))
    assert sorted(toasts) == ["Ce message est déjà transmis, gardé ou abandonné."] * 2 + ["Transmis à Dr Hélène Roux."]
    await stage.quiet()
    assert len(stage.letters.sent) == 1
    assert await stage.desk.store.find_by(CONVERSATION_BY_NUMBER, 2) is None


async def test_the_answer_of_the_account_finds_the_message(stage: Stage) -> None:
    told_by_mail(stage)
    lea = await stage.join("Léa")
    await lea.presses(await taken(lea), PassOn)
    await stage.quiet()
    ((letter, _),) = stage.letters.sent
    await stage.mail("Dites-lui jeudi", answers=letter.message_id, sender="helene@roux.example")
    await lea.sees("Appel de Mme Durand", "Dites-lui jeudi", kind=Release)
    assert await stage.count_conversations() == 1


async def test_it_is_corrected_by_being_written_anew(stage: Stage) -> None:
    told_by_mail(stage)
    lea = await stage.join("Léa")
    old = await taken(lea)
    lea.writes("Mme Durant, 06 12 34 56 79, ordonnance", to=old)
    new = await lea.sees("Mme Durant", "06 12 34 56 79", "ordonnance", kind=PassOn)
    # What she reads on the older one is not what would leave.
    assert (await lea.presses(old, PassOn)).startswith("Ce brouillon a changé")
    await lea.presses(new, MarkCall, "Urgent")
    new = await lea.sees("Mme Durant", "🔴 Urgent", kind=PassOn)
    await lea.presses(new, PassOn)
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_a_number_that_cannot_be_one_is_asked_for_again(stage: Stage) -> None:
    lea = await stage.join("Léa")
    lea.writes("/appel roux Mme Durand, 06 12 34")
    lea.writes("/appel roux Mme Durand, 06 12 34 56")
    await lea.sees("« 06 12 34 56 » n’est pas un numéro possible")
    lea.writes("/appel roux Mme Durand, +1 123 456 7890")
    await lea.sees("Message téléphonique", "Ce numéro ne semble pas attribué", kind=PassOn)


async def test_in_one_line_it_needs_one_press(stage: Stage) -> None:
    told_by_mail(stage)
    lea = await stage.join("Léa")
    lea.writes(f"/appel roux {WORDS}")
    await lea.presses(await lea.sees("Mme Durand", kind=PassOn), PassOn)
    await stage.quiet()
    assert len(stage.letters.sent) == 1
    lea.writes("/appel zorro Mme Durand")
    await lea.sees("s’appellent « zorro »")


async def test_what_the_desk_calls_back_waits_for_its_moment_and_is_nobody_elses(stage: Stage, clock: Clock) -> None:
    told_by_mail(stage)
    lea = await stage.join("Léa")
    slip = await taken(lea, "Mme Durand, 06 12 34 56 78, devis, rappeler demain 10 h")
    await lea.presses(slip, KeepCall, "Nous rappelons")
    slip = await lea.sees("Le secrétariat rappelle", kind=PassOn)
    assert await lea.presses(slip, PassOn, "Garder") == "C’est la demande #1."
    await lea.sees("Appel de Mme Durand", "😴 Mise de côté jusqu’à", kind=Wake)
    assert stage.letters.sent == []
    clock.ahead = timedelta(days=2)
    await wake_due(stage.desk)
    card = await lea.sees("Appel de Mme Durand", "le moment prévu est venu", kind=Release)
    lea.writes("Bonjour", to=card)
    await lea.sees("Cet appel n’a pas de canal pour répondre")


async def test_without_an_address_it_waits_for_whoever_is_there(stage: Stage) -> None:
    lea = await stage.join("Léa", on_duty=False)
    ines = await stage.join("Inès")
    slip = await taken(lea)
    assert "Ce compte n’a ni adresse" in str(slip["text"])
    await lea.presses(slip, PassOn, "Garder")
    await ines.sees("Appel de Mme Durand", "06 12 34 56 78", kind=Release)
    assert await ines.holds() == 1


async def test_who_calls_again_is_known_by_the_number(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await lea.presses(await taken(lea), PassOn)
    await lea.presses(await taken(lea, "Jeanne Durand, 0612345678, rappelle"), PassOn)
    first, second = await stage.conversation(1), await stage.conversation(2)
    assert first.contact_id == second.contact_id


async def test_thrown_away_it_is_gone(stage: Stage) -> None:
    told_by_mail(stage)
    lea = await stage.join("Léa")
    slip = await taken(lea)
    await lea.presses(slip, DropCall)
    assert await lea.presses(slip, PassOn) == "Ce message est déjà transmis, gardé ou abandonné."
    await stage.quiet()
    assert stage.letters.sent == []
    assert await stage.count_conversations() == 0


async def test_the_wall_stands_before_telephone_messages(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès", serves=[BERNARD])
    slip = await taken(lea)
    press = next(
        key["callback_data"]
        for row in slip["reply_markup"]["inline_keyboard"]
        for key in row
        if key["callback_data"].startswith("pass:")
    )
    assert await ines.forges(slip, press) == "Introuvable, ou hors de vos comptes."
    ines.writes("/appel roux Mme Durand, 06 12 34 56 78")
    await ines.sees("Message téléphonique · ")
    assert ines.sees_nothing_of("Roux")


async def test_whom_the_desk_blocked_is_kept_and_rings_nobody_when_they_call(stage: Stage) -> None:
    told_by_mail(stage)
    lea = await stage.join("Léa")
    await lea.presses(await taken(lea), PassOn)
    await stage.quiet()
    contact = await stage.store.get(Contact, (await stage.conversation(1)).contact_id)
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(contact, barred_at=contact.created_at)]))
    assert await lea.presses(await taken(lea, "Mme Durand, 0612345678, encore moi"), PassOn) == "C’est la demande #2."
    await stage.quiet()
    assert len(stage.letters.sent) == 1
    assert (await stage.conversation(2)).status is Status.CLOSED


async def test_a_mail_address_that_begins_with_a_plus_is_no_call(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Bonjour", sender="Zoé <+zoe@example.net>")
    lea.writes("Bonjour Zoé", to=await lea.sees("Bonjour", kind=Release))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    assert (await stage.conversation()).status is Status.OPEN
