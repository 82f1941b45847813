"""What an account wants, from the sentence to the cards and off them again; and whom we work for, who says so."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from handlers.callbacks import (
    Answered,
    Dismiss,
    Instruct,
    Instructions,
    InstructionsOf,
    InvitePrincipal,
    NewInstruction,
    Principals,
    Release,
    Send,
    Take,
)
from handlers.timers import turn_due
from inbox.model import Instruction, Role
from inbox.store.documents import INSTRUCTIONS_STANDING, PRINCIPALS, SECRETARY_BY_TELEGRAM
from tests.builders import BERNARD, ROUX
from tests.handlers.stage import Clock, Monday, Seat, Seen, Stage, button, labels


@pytest.fixture
def clock() -> Clock:
    return Monday()


async def supervisor(stage: Stage, serves: list[str] | None = None) -> Seat:
    return await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False, serves=serves)  # type: ignore[arg-type]


async def asked(seat: Seat, account: str = "Dr Hélène Roux") -> Seen:
    """The question for the words of an instruction, from the command on."""
    seat.writes("/consignes")
    await seat.presses(await seat.sees("quel compte", kind=Instructions), Instructions, account)
    await seat.presses(await seat.sees("Consignes", account, kind=NewInstruction), NewInstruction)
    return await seat.sees(account, "écrivez la consigne")


async def read_back(seat: Seat, words: str, account: str = "Dr Hélène Roux") -> Seen:
    seat.writes(words, to=await asked(seat, account))
    return await seat.sees("C’est bien cela ?", words, kind=Instruct)


async def given(seat: Seat, words: str, account: str = "Dr Hélène Roux") -> Seen:
    await seat.presses(await read_back(seat, words, account), Instruct, "✅")
    return await seat.sees("Donnée par", words, kind=Instruct)


async def standing(stage: Stage) -> list[Instruction]:
    return await stage.store.list(INSTRUCTIONS_STANDING, ROUX)


async def link_for(seat: Seat, account: str = "Dr Hélène Roux") -> str:
    seat.writes("/titulaire")
    await seat.presses(await seat.sees("Titulaires : quel compte", kind=Principals), Principals, account)
    await seat.presses(await seat.sees("Titulaires", account, kind=InvitePrincipal), InvitePrincipal)
    seen = await seat.sees("Il sert une seule fois")
    found = re.search(r"https://t\.me/permanence_demo_bot\?start=(\S+)", seen["text"])
    assert found is not None
    return found[1]


async def joined(stage: Stage, seat: Seat, id: int = 701, name: str = "Hélène") -> Seat:
    doctor = stage.client(id, name)
    doctor.user.start(await link_for(seat))
    await doctor.sees("Vous voici relié à votre secrétariat", kind=Instructions)
    return doctor


# ---------------------------------------------------------------- instructions


async def test_it_is_read_back_with_its_days_before_it_holds_and_then_stands_on_every_card(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    await stage.mail()
    await lea.sees("Rendez-vous", kind=Release)
    proposed = await read_back(marc, "congé du 2 au 14 mars")
    assert "🏖 Du lundi 2 mars 2026 au samedi 14 mars 2026 : congé du 2 au 14 mars" in proposed["text"]
    await stage.quiet()
    assert lea.sees_nothing_of("congé")
    await marc.presses(proposed, Instruct, "✅")
    await lea.sees("Rendez-vous", "🏖 congé du 2 au 14 mars — Jusqu’au samedi 14 mars 2026", kind=Release)


async def test_what_was_read_wrongly_is_corrected_by_a_reply_or_by_its_kind(stage: Stage) -> None:
    marc = await supervisor(stage)
    marc.writes("pas de rendez-vous vendredi", to=await read_back(marc, "pas de rendez-vous jeudi"))
    proposed = await marc.sees("🏖 vendredi 6 mars 2026", kind=Instruct)
    await marc.presses(proposed, Instruct, "À dire")
    await marc.presses(await marc.sees("🗣 vendredi 6 mars 2026", kind=Instruct), Instruct, "✅")
    await marc.sees("Donnée par Marc", "🗣 vendredi 6 mars 2026")
    (only,) = await standing(stage)
    assert only.text == "pas de rendez-vous vendredi"


async def test_what_was_shown_before_it_was_corrected_cannot_be_confirmed(stage: Stage) -> None:
    marc = await supervisor(stage)
    old = await read_back(marc, "pas de rendez-vous jeudi")
    marc.writes("pas de rendez-vous vendredi", to=old)
    await marc.sees("vendredi 6 mars 2026", kind=Instruct)
    assert "changé" in await marc.presses(old, Instruct, "✅")
    assert await standing(stage) == []


async def test_what_was_thrown_away_takes_no_words_and_is_never_in_force(stage: Stage) -> None:
    marc = await supervisor(stage)
    old = await read_back(marc, "pas de rendez-vous jeudi")
    await marc.presses(old, Instruct, "Supprimer")
    await marc.sees("Elle ne vaut pas")
    marc.writes("pas de rendez-vous vendredi", to=old)
    await marc.sees("Cette consigne a été levée")
    assert "levée" in await marc.presses(old, Instruct, "✅")
    assert await standing(stage) == []


async def test_days_that_are_not_clear_are_asked_for_again(stage: Stage) -> None:
    marc = await supervisor(stage)
    question = await asked(marc)
    marc.writes("les 3 et 9 mars", to=question)
    await marc.sees("Les jours ne sont pas clairs")
    marc.writes("x" * 301, to=question)
    await marc.sees("300 caractères au plus")
    marc.writes("absent le 3 mars", to=question)
    await marc.sees("C’est bien cela ?", "mardi 3 mars 2026")


async def test_it_is_announced_begins_and_vanishes_by_itself(stage: Stage, clock: Clock) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    await given(marc, "congé du 10 au 11 mars")
    await stage.mail()
    card = await lea.sees("Rendez-vous", kind=Release)
    assert "congé" not in card["text"]
    assert await turn_due(stage.desk) == pytest.approx(4 * 86400 + 14 * 3600, abs=60)
    for day, line in ((6, "Bientôt : 🏖 congé"), (8.2, "🏖 congé du 10 au 11 mars"), (10, None)):
        clock.ahead = timedelta(days=day)
        await asyncio.gather(turn_due(stage.desk), turn_due(stage.desk))
        await turn_due(stage.desk)
        await stage.quiet()
        card = await lea.sees("Rendez-vous", kind=Release)
        assert (line in card["text"]) if line else ("congé" not in card["text"])
        assert ("Bientôt" in card["text"]) == (day == 6)
    assert await standing(stage) == []
    assert await turn_due(stage.desk) is None


async def test_a_lifted_one_leaves_the_cards_and_pressed_twice_it_is_lifted_once(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    await stage.mail()
    shown = await given(marc, "ne jamais donner mon portable")
    await lea.sees("Rendez-vous", "⚠️ ne jamais donner mon portable", kind=Release)
    lift = button(shown, Instruct, "Lever")
    assert lift is not None
    assert [await marc.forges(shown, lift) for _ in range(2)] == ["La consigne ne vaut plus."] * 2
    assert "portable" not in (await lea.sees("Rendez-vous", kind=Release))["text"]
    assert "levée" in await marc.forges(shown, lift.replace(":lift:", ":ok:"))
    assert await standing(stage) == []


async def test_warnings_come_first_and_a_button_shows_what_a_card_cannot(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    for words in ("dites que le parking est gratuit", "noter le nom du médecin", "absent demain", "ne jamais tutoyer"):
        await given(marc, words)
    await stage.mail()
    card = await lea.sees("Rendez-vous", "et 1 autre consigne", kind=InstructionsOf)
    assert card["text"].index("jamais tutoyer") < card["text"].index("demain") < card["text"].index("le nom du médecin")
    assert "parking" not in card["text"]
    await lea.presses(card, InstructionsOf)
    listed = await lea.sees("Consignes · Dr Hélène Roux", "parking est gratuit", "Toujours — Marc")
    assert labels(listed) == []


async def test_only_those_who_answer_for_an_account_give_its_instructions(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    paule = await stage.join("Paule", role=Role.SUPERVISOR, on_duty=False, serves=[BERNARD])
    lea.writes("/consignes")
    await lea.sees("Votre rôle ne le permet pas")
    proposed = await read_back(marc, "absent demain")
    confirm = button(proposed, Instruct, "✅")
    assert confirm is not None
    for other in (lea, paule):
        anything = await other.sees("")
        await other.forges(anything, confirm)
    paule.writes("/consignes")
    await paule.sees("Consignes · Plomberie Bernard")
    assert await standing(stage) == []


# ---------------------------------------------------------------- principals


async def test_a_principal_joins_by_a_link_that_serves_once(stage: Stage) -> None:
    marc = await supervisor(stage)
    link = await link_for(marc)
    doctor, other = stage.client(701, "Hélène"), stage.client(702, "Curieux")
    doctor.user.start(link)
    await doctor.sees("Bonjour Hélène", "pour Dr Hélène Roux", kind=Instructions)
    other.user.start(link)
    await other.sees("Cette invitation a déjà servi")
    assert [p.name for p in await stage.store.list(PRINCIPALS, True)] == ["Hélène"]
    assert await stage.store.find_by(SECRETARY_BY_TELEGRAM, 701) is None


async def test_of_two_who_open_a_link_together_one_joins(stage: Stage) -> None:
    link = await link_for(await supervisor(stage))
    people = [stage.client(700 + number, f"Curieux {number}") for number in range(4)]
    for each in people:
        each.user.start(link)
    await stage.quiet()
    assert len(await stage.store.list(PRINCIPALS, True)) == 1
    screens = ["\n".join(each.screen) for each in people]
    assert sum("Vous voici relié" in screen for screen in screens) == 1
    assert sum("a déjà servi" in screen for screen in screens) == 3


async def test_one_person_speaks_for_several_accounts_and_loses_one_alone(stage: Stage) -> None:
    marc = await supervisor(stage)
    doctor = await joined(stage, marc)
    doctor.user.start(await link_for(marc, "Plomberie Bernard"))
    await doctor.sees("relié", "pour Plomberie Bernard")
    await given(doctor, "fermé demain", "Plomberie Bernard")
    (principal,) = await stage.store.list(PRINCIPALS, True)
    assert principal.accounts == (ROUX, BERNARD)
    marc.writes("/titulaire")
    await marc.presses(await marc.sees("Titulaires : quel compte", kind=Principals), Principals, "Bernard")
    await marc.presses(await marc.sees("Titulaires · Plomberie Bernard", kind=Dismiss), Dismiss)
    doctor.writes("/consignes")
    await doctor.sees("Consignes · Dr Hélène Roux", "Aucune consigne")


async def test_a_link_expires(stage: Stage, clock: Clock) -> None:
    link = await link_for(await supervisor(stage))
    clock.ahead = timedelta(days=7, seconds=1)
    doctor = stage.client(701, "Hélène")
    doctor.user.start(link)
    await doctor.sees("expiré")
    assert await stage.store.list(PRINCIPALS, True) == []


async def test_a_secretary_who_opens_the_link_stays_one_and_the_link_stays_good(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    link = await link_for(marc)
    lea.user.start(link)
    await lea.sees("Vous travaillez au secrétariat")
    assert await stage.store.list(PRINCIPALS, True) == []
    doctor = stage.client(701, "Hélène")
    doctor.user.start(link)
    await doctor.sees("Vous voici relié")


async def test_a_principal_gives_an_absence_and_every_card_of_the_account_shows_it(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    await stage.mail()
    doctor = await joined(stage, marc)
    await doctor.presses(await doctor.sees("relié", kind=Instructions), Instructions)
    await doctor.presses(await doctor.sees("Aucune consigne", kind=NewInstruction), NewInstruction)
    doctor.writes("pas de rendez-vous jeudi", to=await doctor.sees("écrivez la consigne"))
    proposed = await doctor.sees("🏖 jeudi 5 mars 2026 : pas de rendez-vous jeudi", kind=Instruct)
    await doctor.presses(proposed, Instruct, "✅")
    await lea.sees("Rendez-vous", "Bientôt : 🏖 pas de rendez-vous jeudi — jeudi 5 mars 2026", kind=Release)
    shown = await doctor.sees("Donnée par Hélène", kind=Instruct)
    await doctor.presses(shown, Instruct, "Lever")
    await stage.quiet()
    assert "jeudi 5 mars" not in (await lea.sees("Rendez-vous", kind=Release))["text"]


async def test_a_principal_reaches_nothing_of_another_account_nor_of_the_desk(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    await stage.mail()
    card = await lea.sees("Rendez-vous", kind=Release)
    others = await given(marc, "ne jamais donner le code", "Plomberie Bernard")
    doctor = await joined(stage, marc)
    home = await doctor.sees("relié", kind=Instructions)
    lift, release = button(others, Instruct, "Lever"), button(card, Release)
    assert lift is not None
    assert release is not None
    assert await doctor.forges(home, lift) != ""
    await doctor.forges(home, release)
    await doctor.forges(home, InvitePrincipal(position=0, check="x"))
    await doctor.presses(home, Instructions)
    await stage.quiet()
    assert doctor.sees_nothing_of("code", "Bernard", "Paul Martin")
    assert await stage.holder() == "Léa"
    assert len(await stage.store.list(INSTRUCTIONS_STANDING, BERNARD)) == 1


async def test_what_else_a_principal_writes_is_a_request_about_the_account_and_is_answered(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    doctor = await joined(stage, marc)
    doctor.writes("Pouvez-vous rappeler Mme Durand ?")
    card = await lea.sees("Dr Hélène Roux", "Hélène", "rappeler Mme Durand", kind=Release)
    assert (await stage.conversation()).account_id == ROUX
    assert card is not None
    doctor.user.start("")
    await doctor.sees("Bonjour Hélène. Dr Hélène Roux :", kind=Instructions)
    await stage.quiet()
    assert await stage.said() == ["Pouvez-vous rappeler Mme Durand ?"]


async def test_who_is_dismissed_speaks_for_nobody_and_is_heard_as_a_client(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    doctor = await joined(stage, marc)
    home = await doctor.sees("relié", kind=Instructions)
    marc.writes("/titulaire")
    await marc.presses(await marc.sees("Titulaires : quel compte", kind=Principals), Principals, "Roux")
    seen = await marc.sees("• Hélène", kind=Dismiss)
    data = button(seen, Dismiss)
    assert data is not None
    assert "n’agit plus" in await marc.forges(seen, data)
    assert await marc.forges(seen, data) != ""
    await doctor.presses(home, Instructions)
    doctor.writes("Allô ?")
    await lea.sees("Allô ?", kind=Release)
    assert doctor.sees_nothing_of("Aucune consigne")


async def test_a_principal_sees_what_was_answered_in_their_name_and_by_nobodys_name(stage: Stage) -> None:
    marc, lea = await supervisor(stage), await stage.join("Léa")
    doctor = await joined(stage, marc)
    await doctor.presses(await doctor.sees("Vous voici relié", kind=Answered), Answered)
    await doctor.sees("Répondu en votre nom", "Rien encore.")
    nora = stage.client()
    nora.user.start("bernard")
    nora.writes("Ma chaudière fuit")
    card = await lea.sees("Ma chaudière fuit", kind=Take)
    await lea.presses(card, Take)
    lea.writes("Nous passons demain.", to=await lea.sees("Ma chaudière fuit", kind=Release))
    await lea.presses(await lea.sees("Aperçu", "Nous passons demain.", kind=Send), Send)
    for n in range(6):
        await stage.mail(f"Question {n}", subject=f"Sujet {n}")
        lea.writes(f"Réponse {n}", to=await lea.sees(f"Question {n}", kind=Release))
        await lea.presses(await lea.sees("Aperçu", f"Réponse {n}", kind=Send), Send)
    await stage.quiet()
    doctor.writes("/repondu")
    page = await doctor.sees("Répondu en votre nom", "Paul Martin", "Sujet 5", "Réponse 5", kind=Answered)
    assert str(page["text"]).index("Réponse 5") < str(page["text"]).index("Réponse 1")
    await doctor.presses(page, Answered, "▶")
    await doctor.sees("Répondu en votre nom", "Réponse 0", kind=Answered)
    assert doctor.sees_nothing_of("Léa", "Nous passons demain", "chaudière")
    # Whoever speaks for nobody is shown nothing.
    await nora.forges(page, Answered(page=0))
    assert nora.sees_nothing_of("Répondu en votre nom")
