"""What somebody asked for is shown where they asked: in a topic, and in a group as far as its wall lets."""

from __future__ import annotations

import re

import msgspec

from handlers.callbacks import (
    Ask,
    Calls,
    Files,
    History,
    InvitePrincipal,
    Menu,
    PassOn,
    Person,
    Principals,
)
from inbox import outbox
from inbox.model import Forum, Role
from inbox.notices import ContactNotice
from inbox.store.base import Changes
from inbox.store.documents import CONVERSATION_BY_NUMBER
from tests.builders import BERNARD, DESK
from tests.handlers.stage import Seat, Seen, Stage
from tests.handlers.test_forums import GROUP, Room, linked

AT_HOME = "📩 C’est dans votre conversation privée avec moi."
WORDS = "Mme Durand, 06 12 34 56 78, rendez-vous à déplacer"


def place(seat: Seat) -> int:
    """A topic of her own making."""
    seat.stage.telegram.bot().has_topics = True
    return seat.user.open_topic("À moi")


async def says(seat: Seat, words: str, topic: int, to: Seen | None = None) -> None:
    seat.user.send_text(words, topic=topic, reply_to=to["message_id"] if to else None)
    await seat.stage.quiet()


async def presses(seat: Seat, kind: type, label: str = "") -> None:
    await seat.presses(await seat.sees(kind=kind), kind, label)


def outside(seat: Seat) -> list[str]:
    """What the bot shows her outside of any topic."""
    found = [m for m in seat.user.messages() if m["from"]["is_bot"] and "message_thread_id" not in m]
    return [str(m.get("text")) for m in found]


async def test_a_telephone_message_stays_in_the_topic_it_was_begun_in(stage: Stage) -> None:
    lea = await stage.join("Léa")
    topic, before = place(lea), outside(lea)
    await says(lea, "/appel", topic)
    choice = await lea.sees("Pour qui est cet appel ?", kind=Calls)
    assert choice["message_thread_id"] == topic
    await lea.presses(choice, Calls, "Roux")
    question = await lea.sees("Qui appelle, son numéro, pourquoi ?")
    assert question["message_thread_id"] == topic
    await says(lea, WORDS, topic, question)
    slip = await lea.sees("Mme Durand", kind=PassOn)
    assert slip["message_thread_id"] == topic
    await says(lea, "Mme Durant, 06 12 34 56 78, ordonnance", topic, slip)
    slip = await lea.sees("Mme Durant", kind=PassOn)
    assert slip["message_thread_id"] == topic
    assert outside(lea) == before
    await lea.presses(slip, PassOn)
    assert (await stage.conversation()).subject == "Appel de Mme Durant : ordonnance"


COMMANDS = {
    "/aide": "Bonjour Marc",
    "/file": "Rien n’attend",
    "/chercher": "Que cherchez-vous",
    "/chercher ordonnance": "« ordonnance »",
    "/modeles": "0 modèle",
    "/equipe": "Marc",
    "/liens": "https://t.me/",
    "/consignes": "quel compte",
    "/titulaire": "Titulaires",
    "/appel": "Pour qui est cet appel ?",
}


async def test_every_command_is_answered_in_the_topic_it_is_written_in(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    topic, before = place(marc), outside(marc)
    for words, shows in COMMANDS.items():
        await says(marc, words, topic)
        assert (await marc.sees(shows))["message_thread_id"] == topic, words
    assert outside(marc) == before


async def test_pages_and_questions_of_a_panel_stay_in_its_topic(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    topic, before = place(marc), outside(marc)
    await says(marc, "/chercher", topic)
    await says(marc, "ordonnance", topic, await marc.sees("Que cherchez-vous"))
    assert (await marc.sees("« ordonnance »"))["message_thread_id"] == topic
    await says(marc, "/titulaire", topic)
    await presses(marc, Principals, "Roux")
    await presses(marc, InvitePrincipal)
    invited = await marc.sees("Il sert une seule fois")
    assert invited["message_thread_id"] == topic
    assert outside(marc) == before


async def test_whom_we_work_for_is_answered_in_the_topic_they_write_in(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    marc.writes("/titulaire")
    await presses(marc, Principals, "Roux")
    await presses(marc, InvitePrincipal)
    found = re.search(r"start=(\S+)", (await marc.sees("Il sert une seule fois"))["text"])
    assert found is not None
    helene = stage.client(601, "Hélène")
    helene.user.start(found[1])
    await helene.sees("Hélène")
    topic, before = place(helene), outside(helene)
    for words, shows in (("/repondu", "Répondu"), ("/consignes", "Consignes"), ("/aide", "Hélène")):
        await says(helene, words, topic)
        assert (await helene.sees(shows))["message_thread_id"] == topic
    assert outside(helene) == before


# ---------------------------------------------------------------- in a group


async def with_a_card(stage: Stage, *members: Seat) -> tuple[Room, int, Seen]:
    """The group of Dr Roux, the topic of what waits there, and its card."""
    room, _ = await linked(stage, *members)
    await stage.mail()
    await stage.quiet()
    topic = room.number("#1")
    return room, topic, room.read(topic)[-1]


async def test_a_call_in_an_accounts_group_is_that_accounts_and_stays_there(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès", on_duty=False)
    room, topic, _ = await with_a_card(stage, lea, ines)
    at_home = len(lea.screen)
    await room.says(lea, "/appel", topic=topic)
    question = room.read(topic)[-1]
    assert "Dr Hélène Roux" in question["text"]
    await room.says(lea, WORDS, topic=topic, to=question)
    slip = room.read(topic)[-1]
    assert "Mme Durand" in slip["text"]
    # It is hers, whoever else reads it.
    assert await room.presses(ines, slip, PassOn) != ""
    await room.says(ines, "Autre chose, 06 12 34 56 78", topic=topic, to=slip)
    assert await stage.store.find_by(CONVERSATION_BY_NUMBER, 2) is None
    await room.presses(lea, slip, PassOn)
    assert (await stage.conversation(2)).subject == "Appel de Mme Durand : rendez-vous à déplacer"
    assert len(lea.screen) == at_home
    (done,) = [m for m in room.read(topic) if m["message_id"] == slip["message_id"]]
    assert "Mme Durand" not in done["text"]


async def test_a_call_for_another_account_shows_the_group_nothing(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, topic, _ = await with_a_card(stage, lea)
    await room.says(lea, f"/appel {BERNARD} {WORDS}", topic=topic)
    assert room.last(topic) == AT_HOME
    slip = await lea.sees("Mme Durand", kind=PassOn)
    await lea.presses(slip, PassOn)
    assert not any("Durand" in str(m.get("text")) for m in room.chat.messages.values() if m["from"]["is_bot"])


async def test_in_a_group_of_all_accounts_the_choice_of_one_stays_there(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, _ = await linked(stage, lea, to="")
    await stage.mail()
    await stage.quiet()
    topic = room.number("#1")
    await room.says(lea, "/appel", topic=topic)
    await room.presses(lea, room.read(topic)[-1], Calls, "Bernard")
    assert "Bernard" in room.last(topic)
    assert lea.sees_nothing_of("Qui appelle")


async def test_what_a_colleague_asks_for_under_a_card_in_the_group_is_shown_there(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès", on_duty=False)
    room, topic, card = await with_a_card(stage, lea, ines)
    at_home = len(ines.screen)
    # The menu opens under the card that is there, whoever presses.
    await room.presses(ines, card, Menu, "⋯")
    menu = room.read(topic)[0]
    for kind, shows in ((Person, "paul.martin@example.net"), (History, "Historique")):
        await room.presses(ines, menu, kind)
        assert shows in room.last(topic)
    await room.presses(ines, menu, Ask, "Note")
    await room.says(ines, "Il est allergique", topic=topic, to=room.read(topic)[-1])
    assert len(ines.screen) == at_home
    assert "Il est allergique" in await stage.said()


async def test_a_file_a_colleague_asks_for_comes_where_she_asked(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès", on_duty=False)
    room, _, _ = await with_a_card(stage, lea, ines)
    at_home = len(ines.screen)
    await stage.mail_raw(
        b"From: Paul Martin <paul.martin@example.net>\r\nTo: cabinet@roux.example\r\nSubject: Scan\r\n"
        b"Message-ID: <scan@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf\r\n"
        b"Content-Disposition: attachment; filename=scan.pdf\r\n\r\n%PDF-1.4\r\n"
    )
    await stage.quiet()
    second = room.number("#2")
    await room.presses(ines, room.read(second)[-1], Files)
    assert room.read(second)[-1]["document"]["file_name"] == "scan.pdf"
    assert len(ines.screen) == at_home


async def test_what_is_about_more_than_the_group_comes_in_private_and_the_group_says_so(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, chief = await linked(stage, lea)
    await stage.mail()
    await stage.quiet()
    topic = room.number("#1")
    for words in ("/file", "/chercher martin", "/chercher", "/liens", "/titulaire", "/equipe"):
        at_home, shown = len(chief.screen), len(room.read(topic))
        await room.says(chief, words, topic=topic)
        assert [m["text"] for m in room.read(topic)[shown:]] == [AT_HOME], words
        assert len(chief.screen) == at_home + 1, words


async def test_whatever_changed_since_it_was_asked_its_wall_is_looked_at_when_it_is_shown(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, _, _ = await with_a_card(stage, lea)
    conversation = await stage.conversation()
    asked = ContactNotice(secretary_id=lea.secretary.id, conversation_id=conversation.id, group=GROUP, topic=999)

    async def is_shown() -> None:
        await stage.store.commit(
            Changes(inserts=[outbox.shown_to(lea.secretary, asked, stage.desk.clock(), about=conversation)])
        )
        await stage.quiet()

    await is_shown()
    assert "paul.martin@example.net" in room.last(), "its topic is gone: it stands in the group all the same"
    room.chat.blocked = True
    await is_shown()
    await lea.sees("👤", "paul.martin@example.net")
    room.chat.blocked = False
    shown = len(room.read())
    forum = await stage.store.find(Forum, f"{DESK}:{GROUP}")
    assert forum is not None
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(forum, shelf=BERNARD)]))
    await is_shown()
    assert [m["text"] for m in room.read()[shown:]] == [AT_HOME]
