"""By when an answer is due, on the card and in the queue, and what is late."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from handlers.callbacks import Close, Listing, Merge, Queue, Send, Show, Split, Take
from inbox.model import Account, Role
from inbox.store.base import Changes
from inbox.store.documents import MESSAGES_OF_CONVERSATION
from tests.builders import BERNARD, ROUX
from tests.handlers.declaring import declare
from tests.handlers.stage import CABINET_TOKEN, Clock, Seat, Seen, Stage, labels


async def queue_of(seat: Seat, *parts: str) -> Seen:
    seat.writes("/file")
    return await seat.sees("File", *parts, kind=Listing)


async def test_a_card_says_by_when_it_is_to_be_answered_and_since_when_that_is_past(stage: Stage, clock: Clock) -> None:
    declare(stage, answer_minutes=60)
    lea = await stage.join("Léa")
    await stage.mail("Une place jeudi ?", subject="Agenda")
    await lea.sees("Une place jeudi", "à répondre avant", kind=Close)
    assert not [label for label in labels(await queue_of(lea)) if "retard" in label]
    clock.ahead = timedelta(minutes=61)
    late = await queue_of(lea, "en retard depuis")
    assert "⏰ En retard : 1" in labels(late)
    await lea.presses(late, Listing, "En retard")
    listed = await lea.sees("En retard, le plus ancien d’abord", "#1", "en retard depuis", "Léa", kind=Show)
    await lea.presses(listed, Show, "#1")
    card = await lea.sees("Une place jeudi", "en retard depuis", kind=Close)
    lea.writes("Oui, à 9 h.", to=card)
    await lea.presses(await lea.sees("Oui, à 9 h.", kind=Send), Send)
    await stage.quiet()
    assert (await stage.conversation()).answer_by_at is None
    await lea.presses(listed, Queue, "Vue d’ensemble")
    answered = await queue_of(lea, "· ✓")
    assert not [label for label in labels(answered) if "retard" in label]


async def test_a_second_message_moves_no_deadline_and_one_after_an_answer_begins_anew(
    stage: Stage, clock: Clock
) -> None:
    declare(stage, answer_minutes=60)
    lea, nora = await stage.join("Léa"), stage.client()
    nora.user.start("", token=CABINET_TOKEN)
    nora.writes("Bonjour", token=CABINET_TOKEN)
    await stage.quiet()
    first = (await stage.conversation()).answer_by_at
    clock.ahead = timedelta(minutes=30)
    nora.writes("Vous êtes là ?", token=CABINET_TOKEN)
    await stage.quiet()
    assert first is not None
    assert (await stage.conversation()).answer_by_at == first
    lea.writes("Bonjour, oui.", to=await lea.sees("Vous êtes là", kind=Close))
    await lea.presses(await lea.sees("Bonjour, oui.", kind=Send), Send)
    await stage.quiet()
    nora.writes("Merci, et demain ?", token=CABINET_TOKEN)
    await stage.quiet()
    again = await stage.conversation()
    assert again.answer_by_at is not None
    assert again.waiting_since_at is not None
    assert again.answer_by_at - again.waiting_since_at == timedelta(minutes=60)


async def test_what_is_late_is_listed_longest_first_and_never_beyond_the_accounts_served(
    stage: Stage, clock: Clock
) -> None:
    declare(stage, answer_minutes=60)
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    zoe = await stage.join("Zoé", serves=[BERNARD], on_duty=False)
    for number in (1, 2):
        await stage.mail(f"demande {number}", sender=f"Client {number} <c{number}@x.example>")
        await stage.quiet()
        clock.ahead += timedelta(minutes=5)
    clock.ahead += timedelta(hours=2)
    await marc.presses(await queue_of(marc), Listing, "En retard : 2")
    listed = await marc.sees("En retard, le plus ancien", "#1", "#2", "personne")
    assert listed["text"].index("#1") < listed["text"].index("#2")
    shown = await queue_of(zoe)
    assert not [label for label in labels(shown) if "retard" in label]
    await zoe.forges(shown, Listing(view="late", page=0, account=ROUX))
    await zoe.sees("En retard", "Rien n’est en retard.")
    assert zoe.sees_nothing_of("#1", "Client")


async def test_an_account_that_promises_nothing_is_never_late(stage: Stage, clock: Clock) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    await stage.mail("demande")
    await stage.quiet()
    clock.ahead = timedelta(days=3)
    shown = await queue_of(marc)
    assert not [label for label in labels(shown) if "retard" in label]
    await marc.presses(shown, Show, "#1")
    assert "avant" not in (await marc.sees("demande", kind=Take))["text"]


async def test_two_requests_made_one_keep_the_earlier_deadline_and_what_is_set_apart_has_its_own(
    stage: Stage, clock: Clock
) -> None:
    account = declare(stage, answer_minutes=60)
    kept = await stage.store.get(Account, account.id)
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(kept, answer_minutes=60)]))
    lea = await stage.join("Léa")
    await stage.mail("Ma facture ?")
    await stage.quiet()
    clock.ahead = timedelta(minutes=20)
    await stage.mail("Mon adresse a changé.")
    await stage.quiet()
    first, second = [(await stage.conversation(number)).answer_by_at for number in (1, 2)]
    card = await lea.sees("Mon adresse a changé", kind=Close)
    await lea.forges(card, Merge(conversation=(await stage.conversation(1)).id, number=2))
    await stage.quiet()
    assert [(await stage.conversation(number)).answer_by_at for number in (1, 2)] == [first, None]
    _, moved = await stage.store.list(MESSAGES_OF_CONVERSATION, (await stage.conversation(1)).id)
    await lea.forges(card, Split(message=moved.id, number=1))
    await stage.quiet()
    assert [(await stage.conversation(number)).answer_by_at for number in (1, 3)] == [first, second]
