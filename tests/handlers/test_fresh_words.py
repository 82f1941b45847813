"""Of a mail the card shows what is new; all of it is one press away."""

from __future__ import annotations

from handlers.callbacks import Whole
from inbox.model import Direction, Message
from inbox.store.documents import MESSAGES_OF_CONVERSATION
from tests.builders import ROUX
from tests.handlers.stage import Stage

ANSWER = """\
Mardi à 10 h me convient.

Le lun. 2 mars 2026 à 14:05, Cabinet Roux <cabinet@roux.example> a écrit :

> Pouvez-vous venir mardi ?
>
> Le cabinet
"""


async def test_what_is_quoted_is_hidden_and_shown_when_asked_for_as_often_as_that_is(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail(ANSWER)
    card = await lea.sees("Mardi à 10 h me convient.", "… texte cité ou signature masqué", kind=Whole)
    assert "Pouvez-vous venir" not in card["text"]
    for times in (1, 2):
        assert await lea.presses(card, Whole) == "Le texte entier arrive."
        shown = [m for m in lea.user.messages() if "> Pouvez-vous venir mardi ?" in str(m.get("text", ""))]
        assert len(shown) == times
        assert {"Mardi à 10 h me convient." in str(m["text"]) for m in shown} == {True}


async def test_a_text_too_long_to_be_shown_comes_as_a_file(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail(ANSWER + "> é\n" * 3000, subject="Rendez-vous : mardi ?")
    await lea.presses(await lea.sees("Mardi à 10 h me convient.", kind=Whole), Whole)
    (handed,) = [m["document"] for m in lea.user.messages() if "document" in m]
    assert handed["file_name"] == "Rendez-vous _ mardi _.txt"
    assert lea.user.file(handed["file_id"])[2].decode().startswith(ANSWER.rstrip())


async def test_a_mail_that_quotes_nothing_is_shown_as_it_is(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Puis-je venir mardi ?\n\n> c’est ainsi que je cite\n\nMerci.")
    card = await lea.sees("Puis-je venir mardi ?", "> c’est ainsi que je cite")
    assert "masqué" not in card["text"]
    assert "whole:" not in str(card["reply_markup"])


async def test_a_long_message_that_quotes_nothing_can_be_read_whole_as_well(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Voici tout.\n" + "Une phrase de plus. " * 180 + "\nLa fin.")
    card = await lea.sees("Voici tout.", kind=Whole)
    assert "La fin." not in card["text"]
    await lea.presses(card, Whole)
    await lea.sees("Voici tout.", "La fin.")


async def test_the_whole_text_is_for_those_who_serve_its_account(stage: Stage) -> None:
    lea, ines = await stage.join("Léa", serves=[ROUX]), await stage.join("Inès", serves=[])
    await stage.mail(ANSWER)
    await lea.sees("Mardi à 10 h me convient.")
    conversation = await stage.conversation()
    (message,) = await stage.store.list(MESSAGES_OF_CONVERSATION, conversation.id)
    assert isinstance(message, Message)
    assert message.direction is Direction.INBOUND
    any_screen = ines.user.messages()[0]
    for target in (message.id, "nothing"):
        told = await ines.forges(any_screen, Whole(message=target, form="text"))
        assert told == "Introuvable, ou hors de vos comptes."
    assert ines.sees_nothing_of("Mardi", "Pouvez-vous")


async def test_a_preview_shows_of_what_came_since_only_what_is_new(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("Puis-je venir ?")
    lea.writes("Oui.", to=await lea.sees("Puis-je venir ?"))
    await lea.sees("Aperçu")
    await stage.mail(ANSWER, answers=first)
    preview = await lea.sees("Aperçu", "Mardi à 10 h me convient.")
    assert "Pouvez-vous venir" not in preview["text"]
