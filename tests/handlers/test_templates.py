"""Answers kept ready: supervisors keep them, a press makes a draft of one, and no brace ever reaches a client."""

from __future__ import annotations

from handlers.callbacks import Ask, DropTemplate, Menu, Release, Send, ShowTemplate, UseTemplate
from inbox.model import Role
from tests.builders import BERNARD, ROUX
from tests.handlers.declaring import declare
from tests.handlers.stage import Seat, Seen, Stage, labels


async def kept(marc: Seat, words: str) -> Seen:
    marc.writes(f"/modele {words}")
    return await marc.sees("📄", words.splitlines()[-1], kind=DropTemplate)


async def ready(lea: Seat) -> Seen:
    await lea.presses(await lea.sees("Rendez-vous", kind=Menu), Menu, "⋯")
    await lea.presses(await lea.sees("Rendez-vous", kind=Ask), Menu, "Modèles")
    return await lea.sees("Rendez-vous", kind=UseTemplate)


async def test_one_press_makes_a_draft_with_everything_filled_in(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    lea = await stage.join("Léa")
    declare(stage, show_names=True)
    await kept(marc, "Rendez-vous noté\nBonjour {contact},\n\nc’est noté au {compte}.\n{Secrétaire}")
    await kept(marc, "roux Fermeture\nLe cabinet est fermé.")
    await kept(marc, "bernard Devis\nNous passons demain.")
    await stage.mail()
    card = await ready(lea)
    assert [label for label in labels(card) if "◀" not in label] == ["Fermeture", "Rendez-vous noté"]
    assert await lea.presses(card, UseTemplate, "Rendez-vous noté") != ""
    preview = await lea.sees("Aperçu", "Bonjour Paul Martin,\n\nc’est noté au Dr Hélène Roux.\nLéa", kind=Send)
    assert await lea.presses(card, UseTemplate, "Rendez-vous noté") == "Ce texte est déjà à la fin de votre brouillon."
    await lea.presses(card, UseTemplate, "Fermeture")
    preview = await lea.sees("Aperçu", "Léa\n\nLe cabinet est fermé.", kind=Send)
    await lea.presses(preview, Send)
    await stage.quiet()
    ((_, raw),) = stage.letters.sent
    assert b"{" not in raw.partition(b"\r\n\r\n")[2].partition(b"--")[2].partition(b"<style")[0]


async def test_a_variable_that_is_none_or_has_no_value_is_refused_with_its_remedy(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    lea = await stage.join("Léa")
    marc.writes("/modele Essai\nBonjour {prenom}")
    await marc.sees("« prenom » n’est pas une variable")
    await kept(marc, "Salut\nBonjour {contact}")
    await stage.mail(sender="paul.martin@example.net")
    told = await lea.presses(await ready(lea), UseTemplate, "Salut")
    assert told.startswith("« contact » n’a pas de valeur ici")
    assert lea.sees_nothing_of("Aperçu")


async def test_the_same_name_changes_it_and_a_press_drops_it_as_it_was_read(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    lea = await stage.join("Léa")
    old = await kept(marc, "Fermé\nFermé lundi.")
    new = await kept(marc, "ferme\nFermé mardi.")
    assert "mardi" in new["text"]
    await stage.mail()
    stale = await ready(lea)
    assert [label for label in labels(stale) if "◀" not in label] == ["ferme"]
    assert await marc.presses(old, DropTemplate) == "La liste a changé : rouvrez-la."
    marc.writes("/modeles")
    listed = await marc.sees("1 modèle", kind=ShowTemplate)
    await marc.presses(listed, ShowTemplate, "ferme")
    assert await marc.presses(await marc.sees("Fermé mardi.", kind=DropTemplate), DropTemplate) == "Modèle supprimé."
    await marc.sees("0 modèle")
    assert await lea.presses(stale, UseTemplate, "ferme") == "La liste a changé : rouvrez-la."


async def test_who_keeps_them_answers_for_all_and_uses_them_who_holds_the_request(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    other = await stage.join("Rita", role=Role.SUPERVISOR, on_duty=False, serves=[BERNARD])
    lea, ines = await stage.join("Léa"), await stage.join("Inès", capacity=0)
    read = await kept(marc, "roux Fermé\nFermé lundi.")
    for seat in (lea, other):
        seat.writes("/modele roux Fermé\nOuvert !")
    await lea.sees("Votre rôle ne le permet pas")
    await other.sees("Introuvable, ou hors de vos comptes.")
    lea.writes("/modeles")
    await lea.sees("Votre rôle ne le permet pas")
    other.writes("/modeles")
    assert "Fermé" not in (await other.sees("0 modèle"))["text"]
    drop = str(read["reply_markup"]["inline_keyboard"][0][1]["callback_data"])
    assert await other.forges(await other.sees("0 modèle"), drop) == "Introuvable, ou hors de vos comptes."
    await stage.mail()
    card = await ready(lea)
    use = str(card["reply_markup"]["inline_keyboard"][0][0]["callback_data"])
    ines.writes("/file")
    assert await ines.forges(await ines.sees("File"), use) == "Elle est entre les mains d’une collègue."
    assert await lea.presses(await lea.sees("Rendez-vous", kind=UseTemplate), UseTemplate) != ""
    await lea.sees("Aperçu", "Fermé lundi.", kind=Send)


async def test_an_answer_is_found_by_typing_and_filled_in_where_it_lands(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa", serves=[ROUX]), await stage.join("Sophie", role=Role.SUPERVISOR)
    for words in (
        "Fermé\nLe cabinet est fermé, {contact}.",
        "Tarif\nLa visite coûte 30 €.",
        "bernard Tarif\nSur devis.",
    ):
        sophie.writes(f"/modele {words}")
    await sophie.sees("Sur devis.")
    await stage.mail()
    assert [found["title"] for found in await lea.user.search("")] == ["Fermé", "Tarif"]
    assert [found["title"] for found in await lea.user.search("FERME")] == ["Fermé"]
    assert await lea.user.search("devis") == []
    (found,) = await lea.user.search("cabinet")
    lea.user.pick(found, reply_to=(await lea.sees("Rendez-vous", kind=Release))["message_id"])
    await lea.sees("Aperçu", "Le cabinet est fermé, Paul Martin.", kind=Send)


async def test_whoever_is_not_of_the_desk_finds_nothing(stage: Stage) -> None:
    sophie, nora = await stage.join("Sophie", role=Role.SUPERVISOR), stage.client()
    sophie.writes("/modele Fermé\nLe cabinet est fermé.")
    await sophie.sees("Le cabinet est fermé.")
    assert await nora.user.search("") == []
