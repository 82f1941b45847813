"""Notes, moments to come, hands, marks and history: what people press, answer and see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from handlers.callbacks import (
    Ask,
    Close,
    Give,
    History,
    Later,
    Menu,
    PreviewMenu,
    Prioritise,
    Release,
    Reopen,
    Send,
    SendLater,
    Wake,
)
from handlers.timers import wake_due
from inbox.model import Priority, Role, Status
from tests.builders import BERNARD, ROUX
from tests.handlers.stage import Clock, Seat, Seen, Stage, labels

NOT_HERS = "Introuvable, ou hors de vos comptes."


async def opened(seat: Seat, page: str = "more") -> Seen:
    """Her card with this menu under it."""
    card = await seat.sees("Rendez-vous", kind=Menu)
    await seat.presses(card, Menu, "⋯")
    card = await seat.sees("Rendez-vous", kind=History)
    if page != "more":
        label = {"later": "Plus tard", "give": "Passer à", "prio": "Priorité"}[page]
        await seat.presses(card, Menu, label)
        card = await seat.sees("Rendez-vous", kind=Menu)
    return card


async def noted(seat: Seat, words: str) -> None:
    await seat.presses(await opened(seat), Ask, "Note")
    seat.writes(words, to=await seat.sees("votre note ?"))
    await seat.stage.quiet()


async def test_a_note_stands_on_every_card_tells_whom_it_names_and_never_leaves(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès Petit", on_duty=False)
    elsewhere = await stage.join("Inès Autre", on_duty=False, serves=[BERNARD])
    await stage.mail("Puis-je venir jeudi ?")
    await noted(lea, "Elle est allergique, voir @ines avant de répondre")
    await lea.sees("📝 Note de Léa", "Elle est allergique")
    await ines.sees("Léa vous a citée dans une note de #1")
    await ines.sees("Rendez-vous", "Elle est allergique")
    assert elsewhere.sees_nothing_of("allergique", "citée")
    lea.writes("Oui, jeudi.", to=await lea.sees("Rendez-vous", kind=Release))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    ((_, raw),) = stage.letters.sent
    assert b"allergique" not in raw
    assert await stage.said() == [
        "Puis-je venir jeudi ?",
        "Elle est allergique, voir @ines avant de répondre",
        "Oui, jeudi.",
    ]
    assert await lea.holds() == 0


async def test_a_note_neither_holds_a_reply_nor_keeps_a_conversation_open(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    card = await lea.sees("Rendez-vous", kind=Release)
    await noted(lea, "vu")
    assert await lea.presses(card, Close) == "#1 est close."
    assert (await stage.conversation()).status is Status.CLOSED


async def test_what_is_put_off_weighs_on_nobody_and_comes_back_by_itself(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    assert await lea.presses(await opened(lea, "later"), Later, "Dans 1 h") != ""
    await lea.sees("Rendez-vous", "😴 Mise de côté jusqu’à", kind=Wake)
    assert await lea.holds() == 0
    assert await wake_due(stage.desk) == pytest.approx(3600, abs=60)
    clock.ahead = timedelta(minutes=61)
    assert await wake_due(stage.desk) is None
    await stage.quiet()
    await lea.sees("Pour vous — le moment prévu est venu", kind=Release)
    assert await lea.holds() == 1


async def test_what_comes_back_to_somebody_who_left_goes_to_whoever_is_there(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await lea.presses(await opened(lea, "later"), Later, "Demain")
    await lea.leaves_by_force()
    ines = await stage.join("Inès")
    clock.ahead = timedelta(days=2)
    await wake_due(stage.desk)
    await ines.sees("Rendez-vous", "Pour vous", kind=Release)
    assert await stage.holder() == "Inès"


async def test_a_client_who_writes_again_wakes_it_at_once(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail()
    await lea.presses(await opened(lea, "later"), Later, "Lundi")
    await stage.mail("C'est urgent finalement", answers=first)
    await lea.sees("C'est urgent finalement", "le client a réécrit", kind=Release)
    conversation = await stage.conversation()
    assert (conversation.status, conversation.snoozed_until_at) == (Status.OPEN, None)
    assert await lea.holds() == 1


async def test_a_moment_of_her_own_is_asked_until_it_is_understood(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await lea.presses(await opened(lea, "later"), Ask, "Autre moment")
    question = await lea.sees("jusqu’à quand ?")
    lea.writes("bientôt", to=question)
    await lea.sees("Je n’ai pas compris ce moment")
    lea.writes("demain 14 h 30", to=question)
    card = await lea.sees("Mise de côté jusqu’à", "14:30", kind=Wake)
    await lea.presses(card, Wake)
    await lea.sees("Rendez-vous", "Pour vous", kind=Release)
    assert await lea.holds() == 1


async def test_it_goes_into_a_colleagues_hands_with_a_word(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès", capacity=0)
    await stage.join("Zoé", serves=[BERNARD])
    await stage.mail()
    card = await opened(lea, "give")
    assert [label for label in labels(card) if "Retour" not in label] == ["Inès"]
    assert await lea.presses(card, Give, "Inès") == "#1 est passée à Inès."
    await ines.sees("Rendez-vous", "Pour vous — passée par Léa à Inès", kind=Release)
    lea.writes("@Inès il faut le rappeler", to=await lea.sees("Un mot pour elle ?"))
    await ines.sees("Rendez-vous", "il faut le rappeler")
    assert (await lea.holds(), await ines.holds()) == (0, 1)
    assert await lea.forges(card, Give(conversation=(await stage.conversation()).id, position=0, check="0" * 8)) != ""
    assert await stage.holder() == "Inès"


async def test_two_who_hand_it_over_together_move_it_once(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès", capacity=0)
    await stage.mail()
    card = await opened(lea, "give")
    await lea.presses(card, Give, "Inès")
    assert await lea.presses(card, Give, "Inès") == "La liste a changé : rouvrez-la."
    assert await ines.holds() == 1


async def test_what_is_urgent_is_dealt_first_and_shown_so(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    await stage.mail("un", subject="Premier")
    await stage.mail("deux", subject="Rendez-vous")
    await stage.quiet()
    second = (await stage.conversation(2)).id
    marc.writes("/file")
    queue = await marc.sees("#1", "#2")
    await marc.forges(queue, Prioritise(conversation=second, level=Priority.URGENT))
    marc.writes("/file")
    queue = await marc.sees("🔴#2")
    assert queue["text"].index("🔴#2") < queue["text"].index("#1")
    lea = await stage.join("Léa", capacity=1)
    await lea.sees("deux", "🔴 Urgent", kind=Release)
    assert await stage.holder(1) is None


async def test_tags_are_set_whole_and_taken_away(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await lea.presses(await opened(lea), Ask, "Étiquettes")
    question = await lea.sees("quelles étiquettes ?", "Maintenant : –")
    lea.writes("Facture, à rappeler, facture", to=question)
    await lea.sees("Rendez-vous", "#Facture · #à_rappeler")
    lea.writes(",".join(f"tag{n}" for n in range(11)), to=question)
    await lea.sees("Au plus 10 étiquettes")
    lea.writes("-", to=question)
    await stage.quiet()
    assert (await stage.conversation()).tags == ()


async def test_a_closed_conversation_is_opened_again_by_whoever_is_there(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await lea.presses(await lea.sees("Rendez-vous", kind=Close), Close)
    card = await lea.sees("Rendez-vous", kind=Reopen)
    assert await lea.presses(card, Reopen) == "#1 est rouverte : elle est à vous."
    await lea.sees("Rendez-vous", "rouverte par Léa", kind=Release)
    assert await lea.presses(card, Reopen) == "Cette conversation n’est pas close."


async def test_the_history_says_who_did_what_and_why(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await noted(lea, "vu")
    await lea.presses(await opened(lea, "prio"), Prioritise, "Urgent")
    await lea.presses(await opened(lea), History)
    told = await lea.sees("Historique de #1")
    lines = [line.partition(" · ")[2] for line in told["text"].splitlines()[1:]]
    assert lines == [
        "message de Paul Martin",
        "ouverte par Paul Martin",
        "attribuée : seule personne en service : Léa (0 en cours)",
        "note de Léa",
        "priorité « Urgent » par Léa",
    ]


async def test_nobody_does_anything_with_what_is_not_theirs(stage: Stage) -> None:
    lea, zoe = await stage.join("Léa"), await stage.join("Zoé", serves=[BERNARD])
    ines = await stage.join("Inès", serves=[ROUX], capacity=0)
    await stage.mail()
    card = await lea.sees("Rendez-vous", kind=Release)
    target = (await stage.conversation()).id
    zoe.writes("/file")
    hers = await zoe.sees("File")
    for press in (
        Menu(conversation=target, page="more"),
        Ask(conversation=target, purpose="note"),
        History(conversation=target),
        Later(conversation=target, until="hour"),
        Prioritise(conversation=target, level=0),
        Reopen(conversation=target),
        Wake(conversation=target),
    ):
        assert await zoe.forges(hers, press) == NOT_HERS
    ines.writes("/file")
    theirs = await ines.sees("File")
    for hold in (Later(conversation=target, until="hour"), Ask(conversation=target, purpose="snooze")):
        assert await ines.forges(theirs, hold) == "Votre rôle ne le permet pas. Demandez à une superviseuse."
    for nonsense in (
        Prioritise(conversation=target, level=7),
        Later(conversation=target, until="x"),
        Ask(conversation=target, purpose="x"),
    ):
        assert await lea.forges(card, nonsense) != ""
    assert zoe.sees_nothing_of("Rendez-vous")
    conversation = await stage.conversation()
    assert (conversation.priority, conversation.status) == (Priority.NORMAL, Status.OPEN)


async def test_the_first_look_of_a_day_says_what_it_holds(stage: Stage, clock: Clock) -> None:
    noon = datetime.now(UTC).replace(hour=12)
    clock.ahead = noon - datetime.now(UTC)
    lea = await stage.join("Léa")
    await stage.mail()
    await lea.presses(await opened(lea, "later"), Later, "Demain")
    await stage.mail("Et ma facture ?", subject="Facture")
    lea.writes("Demain.", to=await lea.sees("Facture", kind=Release))
    await lea.presses(await lea.sees("Aperçu", kind=PreviewMenu), PreviewMenu, "Plus tard")
    await lea.presses(await lea.sees("Aperçu", kind=SendLater), SendLater, "Demain")
    lea.writes("/fin")
    await lea.sees("Au revoir Léa")
    lea.writes("/ici")
    await stage.quiet()
    assert lea.sees_nothing_of("☀️")
    lea.writes("/fin")
    await stage.quiet()
    clock.ahead = noon + timedelta(hours=17) - datetime.now(UTC)
    lea.writes("/ici")
    await lea.sees("☀️ Bonjour Léa", "09:00 · #1 Rendez-vous revient", "09:00 · votre réponse à #2 Facture part", "File")
