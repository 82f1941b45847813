"""Finding a conversation again: by words, names and numbers, never beyond the accounts she serves."""

from __future__ import annotations

from pathlib import Path

from handlers.callbacks import Close, Finding, Show
from inbox.model import Role
from tests.builders import BERNARD
from tests.handlers.stage import Stage, labels


async def test_a_request_is_found_by_any_word_of_it_and_its_card_is_one_press_away(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Le chauffe-eau fuit.\nAppelez le 06 12 34 56 78.", subject="Dégât des eaux")
    await stage.quiet()
    for query in ("degat", "CHAUFFE", "martin chauf", "0612345678", "paul.martin@example.net", "#1", "1"):
        lea.writes(f"/chercher {query}")
        found = await lea.sees(f"« {query} » · trouvées : 1", "⏳ #1 · Dr Hélène Roux · Paul Martin", kind=Show)
        assert "Dégât des eaux" in found["text"]
    lea.writes("/chercher fuit")
    found = await lea.sees("« fuit »", "chauffe-eau fuit.", kind=Show)
    await lea.presses(found, Show, "#1")
    await lea.sees("Dégât des eaux", kind=Close)


async def test_a_closed_request_is_found_too(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Question close")
    await lea.presses(await lea.sees("Question close", kind=Close), Close)
    await stage.quiet()
    lea.writes("/search question")
    await lea.sees("« question »", "✔️ #1")


async def test_without_words_she_is_asked_and_her_reply_is_searched(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("ma facture")
    await stage.quiet()
    lea.writes("/chercher")
    question = await lea.sees("Que cherchez-vous ?")
    await stage.recorded()
    lea.writes("factures introuvables", to=question)
    await lea.sees("Rien trouvé pour « factures introuvables »")
    lea.writes("facture", to=question)
    await lea.sees("« facture » · trouvées : 1")
    lea.writes("/chercher ?!")
    await lea.sees("Que cherchez-vous ?")


async def test_words_in_quotation_marks_are_found_as_they_stand(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Il n’y a pas de rendez-vous jeudi.", subject="Agenda")
    await stage.quiet()
    lea.writes('/chercher "pas de rendez-vous"')
    await lea.sees("trouvées : 1", "pas de rendez-vous jeudi", kind=Show)
    lea.writes("/chercher « rendez vous pas »")
    await lea.sees("Rien trouvé pour « rendez vous pas », mot pour mot", "Sans guillemets")


async def test_quoted_words_that_are_longer_than_a_button_are_found_by_their_beginning(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Il n’y a pas de rendez-vous jeudi avant la semaine prochaine.")
    await stage.quiet()
    lea.writes('/chercher "Il n’y a pas de rendez-vous jeudi avant la semaine prochaine"')
    await lea.sees("trouvées : 1", kind=Show)


async def test_nothing_is_found_beyond_the_accounts_she_serves(stage: Stage) -> None:
    zoe = await stage.join("Zoé", serves=[BERNARD], on_duty=False)
    await stage.mail("secret médical", sender="Client <c@x.example>")
    await stage.quiet()
    for query in ("secret", "client", "#1", "1", "c@x.example"):
        zoe.writes(f"/chercher {query}")
        await zoe.sees(f"Rien trouvé pour « {query} »")
    assert zoe.sees_nothing_of("Dr Hélène Roux", "médical")


async def test_only_supervisors_find_what_nobody_has_placed_yet(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", own_account={}) as stage:
        lea = await stage.join("Léa", on_duty=False)
        marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
        await stage.mail("perdu", to="nobody@elsewhere.example")
        await stage.quiet()
        lea.writes("/chercher perdu")
        await lea.sees("Rien trouvé pour « perdu »")
        marc.writes("/chercher perdu")
        await marc.sees("« perdu » · trouvées : 1")


async def test_many_are_turned_page_by_page_in_place_and_a_late_press_shows_what_is_there(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    for number in range(1, 11):
        await stage.mail("devis urgent", subject=f"Matière {number}", sender=f"Client {number} <c{number}@x.example>")
        await stage.quiet()
    marc.writes("/chercher devis")
    first = await marc.sees("trouvées : 10", "#10 ·", "#3 ·", kind=Finding)
    assert "#2 ·" not in first["text"]
    messages = len(marc.screen)
    await marc.presses(first, Finding, "▶")
    second = await marc.sees("trouvées : 10", "#2 ·", "#1 ·")
    assert [label for label in labels(second) if label in "◀▶"] == ["◀"]
    await marc.forges(second, Finding(page=99, query="devis"))
    await marc.forges(second, Finding(page=-4, query="devis"))
    await marc.sees("#10 ·", kind=Finding)
    assert len(marc.screen) == messages
