"""Who a contact is, what is known of them, and that what somebody blocked writes rings nobody and is not lost."""

from __future__ import annotations

from handlers.callbacks import Ask, Bar, Close, Menu, Person, Release, Send, Show
from inbox.model import Status
from tests.builders import BERNARD, MAIL
from tests.handlers.stage import CABINET_TOKEN, Seat, Seen, Stage, button


async def portrait(seat: Seat, *words: str) -> Seen:
    """The contact of the card that says this, looked at."""
    await seat.presses(await seat.sees(*words, kind=Menu), Menu, "⋯")
    await seat.presses(await seat.sees(*words, kind=Person), Person)
    return await seat.sees("Connu depuis")


async def test_a_contact_is_seen_with_addresses_and_everything_there_was(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("un", subject="Premier")
    await lea.presses(await lea.sees("Premier", kind=Close), Close)
    await stage.mail("deux", subject="Second")
    await lea.sees("Second", "🗂 1 autre demande, #1")
    seen = await portrait(lea, "Second", "deux")
    assert "👤 Paul Martin · Dr Hélène Roux" in seen["text"]
    assert "✉️ paul.martin@example.net" in seen["text"]
    assert "2 demandes" in seen["text"]
    assert "🟢 #2 · Second" in seen["text"]
    assert "✔️ #1 · Premier" in seen["text"]
    await lea.presses(seen, Show, "#1")
    await lea.sees("Premier", "un", "✔️ Close")


async def test_what_should_be_known_and_the_name_stand_on_every_card(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail(subject="Visite")
    seen = await portrait(lea, "Visite")
    await lea.presses(seen, Ask, "Note sur le contact")
    question = await lea.sees("Que faut-il savoir de Paul Martin ?", "Maintenant : –")
    lea.writes("Sourd : n'appelez pas,\nécrivez", to=question)
    await lea.sees("Visite", "💡 Sourd : n'appelez pas, écrivez", kind=Release)
    await lea.presses(seen, Ask, "Renommer")
    lea.writes("M. Martin père", to=await lea.sees("Sous quel nom"))
    await lea.sees("👤 M. Martin père (paul.martin@example.net)", kind=Release)
    lea.writes("x" * 501, to=question)
    await lea.sees("Au plus 500 caractères")
    lea.writes("-", to=question)
    await stage.quiet()
    assert "💡" not in (await lea.sees("M. Martin père", kind=Release))["text"]
    lea.writes("Oui.", to=await lea.sees("M. Martin père", kind=Release))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    ((letter, raw),) = stage.letters.sent
    assert letter.recipients == ("paul.martin@example.net",)
    assert b"Sourd" not in raw


async def test_whoever_is_blocked_rings_nobody_and_nothing_of_theirs_is_lost(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("insultes", subject="Visite")
    seen = await portrait(lea, "Visite")
    assert await lea.presses(seen, Bar) == "Bloqué : ses messages sont gardés, classés, et ne sonnent plus."
    card = await lea.sees("Visite", "🚫 Bloqué", kind=Close)
    await stage.mail("encore", subject="Re: Visite", answers=first)
    await lea.sees("Visite", "encore")
    await lea.presses(card, Close)
    screens = len(lea.screen)
    await stage.mail("toujours", subject="Re: Visite", answers=first)
    await stage.mail("autre affaire", subject="Autre")
    await stage.quiet()
    assert len(lea.screen) == screens
    assert await stage.said(1) == ["insultes", "encore", "toujours"]
    filed = await stage.conversation(2)
    assert (filed.status, filed.assignee_id, await stage.said(2)) == (Status.CLOSED, None, ["autre affaire"])
    assert await lea.holds() == 0
    assert await stage.ledger_is_balanced()
    lea.writes("/file")
    assert "Autre" not in (await lea.sees("File"))["text"]
    seen = await portrait(lea, "Visite", "✔️ Close")
    assert "🚫 Bloqué depuis" in seen["text"]


async def test_whoever_is_let_in_again_rings_again(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail(subject="Visite")
    seen = await portrait(lea, "Visite")
    await lea.presses(seen, Bar)
    await lea.presses(seen, Bar)
    seen = await portrait(lea, "Visite", "🚫")
    assert "Ne plus bloquer" in str(seen["reply_markup"])
    assert await lea.presses(seen, Bar) == "Débloqué : ses prochains messages sonnent de nouveau."
    await stage.mail("me revoilà", subject="Nouvelle")
    await lea.sees("Nouvelle", "me revoilà", kind=Release)


async def test_a_blocked_client_of_telegram_is_heard_by_nobody_either(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = stage.client()
    nora.user.start("", token=CABINET_TOKEN)
    said = nora.writes("Bonjour", token=CABINET_TOKEN)
    await lea.presses(await portrait(lea, "Bonjour"), Bar)
    await lea.presses(await lea.sees("Bonjour", kind=Close), Close)
    screens = len(lea.screen)
    nora.writes("Répondez !", token=CABINET_TOKEN)
    nora.user.edit_text(said["message_id"], "Bonjour ???", token=CABINET_TOKEN)
    await stage.quiet()
    assert len(lea.screen) == screens
    assert (await stage.conversation()).status is Status.CLOSED
    assert await stage.said() == ["Bonjour ???", "Répondez !"]


async def test_only_who_answers_for_it_blocks_and_nobody_sees_beyond_their_accounts(stage: Stage) -> None:
    lea = await stage.join("Léa")
    zoe, ines = await stage.join("Zoé", serves=[BERNARD]), await stage.join("Inès", capacity=0)
    await stage.mail(subject="Visite")
    await lea.sees("Visite", kind=Release)
    target = (await stage.conversation()).id
    for seat, press, told in (
        (zoe, Person(conversation=target), "Introuvable, ou hors de vos comptes."),
        (zoe, Bar(conversation=target, on=True), "Introuvable, ou hors de vos comptes."),
        (ines, Bar(conversation=target, on=True), "Votre rôle ne le permet pas. Demandez à une superviseuse."),
    ):
        seat.writes("/file")
        assert await seat.forges(await seat.sees("File"), press) == told
    seen = await portrait(ines, "Visite") if button(await shown_to(ines), Menu) else None
    assert seen is None or button(seen, Bar) is None
    assert zoe.sees_nothing_of("Paul Martin")
    assert await stage.receipts(MAIL, "parked") == []


async def shown_to(seat: Seat) -> Seen:
    """A card of the only conversation, asked for."""
    seat.writes("/file")
    queue = await seat.sees("File")
    await seat.forges(queue, Show(conversation=(await seat.stage.conversation()).id))
    return await seat.sees("Visite", kind=Menu)
