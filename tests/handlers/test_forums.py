"""A group in which an account's topics are kept: who may link it, whose words count, and what takes over."""

from __future__ import annotations

import msgspec
import pytest

from bot.demo.telegram_state import Group
from handlers.callbacks import Ask, Close, Give, Menu, Prioritise, Release, Send
from inbox.model import Forum, Presence, Role
from inbox.store.base import Changes
from tests.builders import BERNARD, DESK, ROUX
from tests.handlers.stage import Seat, Seen, Stage, button, is_said

GROUP = -1_001_234


class Room:
    """A group, and what is seen in it."""

    def __init__(self, stage: Stage, *members: Seat, id: int = GROUP) -> None:
        self.stage = stage
        self.group: Group = stage.telegram.group(id, "Cabinet", *(m.user for m in members))
        self.chat = stage.telegram.bot().chat_with(self.group)

    async def says(self, seat: Seat, text: str, *, topic: int | None = None, to: Seen | None = None) -> None:
        seat.user.send_to(self.group, text, topic=topic, reply_to=to["message_id"] if to else None)
        await self.stage.quiet()

    async def presses(self, seat: Seat, message: Seen, kind: type, label: str = "") -> str:
        data = button(message, kind, label)
        assert data is not None, f"no {kind.__name__} under {message.get('text')}"
        answer = await seat.user.press_in(self.group, message["message_id"], data)
        await self.stage.quiet()
        return answer.text

    @property
    def names(self) -> list[str]:
        return [topic["name"] for topic in self.chat.topics.values()]

    def number(self, beginning: str) -> int:
        (found,) = [n for n, topic in self.chat.topics.items() if topic["name"].startswith(beginning)]
        return found

    def read(self, topic: int | None = None) -> list[Seen]:
        """What the bot shows in a topic, or outside of any."""
        return [
            m
            for m in self.chat.messages.values()
            if m["from"]["is_bot"] and m.get("message_thread_id") == topic and is_said(m)
        ]

    def last(self, topic: int | None = None) -> str:
        return str(self.read(topic)[-1].get("text"))


async def linked(stage: Stage, *members: Seat, to: str = f" {ROUX}") -> tuple[Room, Seat]:
    chief = await stage.join("Chef", role=Role.SUPERVISOR, on_duty=False)
    room = Room(stage, chief, *members)
    await room.says(chief, f"/sujets ici{to}")
    assert await stage.store.find(Forum, f"{DESK}:{GROUP}") is not None
    return room, chief


async def test_what_is_held_in_the_account_comes_in_the_group_and_is_answered_there(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, _ = await linked(stage, lea)
    await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    topic = room.number("#1 Paul Martin · Rendez-vous")
    card = room.read(topic)[-1]
    assert "Puis-je venir jeudi ?" in card["text"]
    assert "Pour vous" not in card["text"], "it is not for everybody who reads it"
    assert lea.sees_nothing_of("Puis-je venir jeudi ?")
    await room.says(lea, "Oui, jeudi à 10 h.", topic=topic)
    preview = room.read(topic)[-1]
    assert "Oui, jeudi à 10 h." in preview["text"]
    await room.presses(lea, preview, Send)
    ((letter, raw),) = stage.letters.sent
    assert letter.recipients == ("paul.martin@example.net",)
    assert b"jeudi" in raw
    await room.presses(lea, room.read(topic)[0], Close)
    assert room.names == ["✔️ #1 Paul Martin · Rendez-vous"]
    assert room.chat.topics[topic]["is_closed"] is True
    assert await stage.ledger_is_balanced()


async def test_only_a_supervisor_links_and_shows_no_more_than_she_may_see(stage: Stage) -> None:
    lea = await stage.join("Léa")
    narrow = await stage.join("Zoé", role=Role.SUPERVISOR, on_duty=False, serves=[BERNARD])
    room = Room(stage, lea, narrow)
    for seat, words in (
        (lea, "/sujets ici"),
        (lea, f"/sujets ici {ROUX}"),
        (narrow, "/sujets ici"),
        (narrow, f"/sujets ici {ROUX}"),
        (narrow, "/sujets ici nulle-part"),
        (narrow, "/sujets"),
    ):
        before = len(room.read())
        await room.says(seat, words)
        assert len(room.read()) == before + 1, f"{words} got no answer"
    assert await stage.store.scan(Forum) == []


async def test_the_wall_of_an_account_stands_around_its_group(stage: Stage) -> None:
    lea, zoe = await stage.join("Léa"), await stage.join("Zoé", on_duty=False, serves=[BERNARD])
    room, _ = await linked(stage, lea, zoe)
    await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    topic = room.number("#1")
    card = room.read(topic)[-1]
    refused = "Vous ne servez pas le compte de ce groupe : rien n’a été pris en compte."
    await room.says(zoe, "Oui, jeudi.", topic=topic)
    assert room.last(topic) == refused
    assert await room.presses(zoe, card, Close) == refused
    assert (await stage.conversation()).closed_at is None
    assert zoe.sees_nothing_of("jeudi")
    # What is another account's never comes here.
    account = stage.desk.accounts[BERNARD]
    await stage.store.commit(
        Changes(replacements=[msgspec.structs.replace(await stage.conversation(), account_id=account.id)])
    )
    await stage.mail("Encore un mot", sender="Ana <ana@example.net>", subject="Autre")
    await stage.quiet()
    assert not any("Bernard" in str(m.get("text")) for m in room.read(topic))


async def test_strangers_talk_and_other_groups_count_for_nothing(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, _ = await linked(stage, lea)
    other = Room(stage, lea, id=GROUP - 1)
    stranger = stage.client()
    await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    topic = room.number("#1")
    card = room.read(topic)[-1]
    before = await stage.count_conversations()
    await room.says(stranger, "Répondez oui !", topic=topic)
    await room.says(stranger, "/sujets ici")
    await room.says(stranger, "/start roux")
    await room.says(lea, "On déjeune ?")
    await other.says(lea, "Bonjour")
    assert await room.presses(stranger, card, Close) == "Seules les personnes du secrétariat peuvent s’en servir."
    assert await stage.count_conversations() == before
    assert stage.letters.sent == []
    assert room.read() == room.read()[:1], "talk is not answered"
    assert other.read() == []
    assert (await stage.conversation()).closed_at is None
    assert await stage.ledger_is_balanced()


async def test_a_colleague_in_the_group_is_told_whose_it_is_and_given_it_has_a_topic_of_it(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès", on_duty=False)
    room, _ = await linked(stage, lea, ines)
    await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    first = room.number("#1")
    await room.says(ines, "Oui, jeudi.", topic=first)
    assert room.last(first) == "Elle est entre les mains d’une collègue."
    ines.writes("/ici")
    await stage.quiet()
    await room.presses(lea, room.read(first)[0], Menu, "⋯")
    await room.presses(lea, room.read(first)[0], Menu, "Passer")
    await room.presses(lea, room.read(first)[0], Give)
    assert room.chat.topics[first]["name"].startswith("➡️ #1")
    assert room.chat.topics[first]["is_closed"] is True
    second = room.number("#1")
    assert "Puis-je venir jeudi ?" in room.last(second)
    await room.says(ines, "Oui, jeudi.", topic=second)
    assert "Oui, jeudi." in room.last(second)


async def test_whoever_is_not_in_the_group_has_her_cards_in_her_own_chat(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, _ = await linked(stage)
    first = await stage.mail("Puis-je venir jeudi ?")
    await lea.sees("Puis-je venir jeudi ?", kind=Release)
    assert room.names == []
    room.group.members[lea.user.id] = "member"
    await stage.mail("Et mon devis ?", subject="Devis")
    await stage.quiet()
    assert room.names == ["#2 Paul Martin · Devis"]
    # She leaves it: what comes then comes to her.
    room.group.members[lea.user.id] = "left"
    await stage.mail("Alors ?", subject="Devis", answers="")
    await stage.mail("Vous êtes là ?", answers=first)
    await stage.quiet()
    await lea.sees("Vous êtes là ?", kind=Release)
    assert room.names == ["#2 Paul Martin · Devis"]


@pytest.mark.parametrize("how", ["rights", "kicked", "deleted", "429"])
async def test_whatever_shuts_us_out_of_the_group_the_plain_card_comes_to_her(stage: Stage, how: str) -> None:
    lea = await stage.join("Léa")
    room, _ = await linked(stage, lea)
    first = await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    topic = room.number("#1")
    match how:
        case "rights":
            room.group.bot_may_manage = False
            room.chat.topics[topic]["is_closed"] = True
        case "kicked":
            room.chat.blocked = True
        case "deleted":
            stage.telegram.bot().drop_topic(room.chat, topic)
            room.group.bot_may_manage = False
        case "429":
            stage.telegram.fail_next(
                "createForumTopic", times=9, status=429, description="Too Many Requests: retry after 50", retry_after=50
            )
            stage.telegram.bot().drop_topic(room.chat, topic)
    await stage.mail("Vous êtes là ?", answers=first)
    await stage.mail("Et mon devis ?", subject="Devis")
    await stage.mail("Et mon reçu ?", subject="Reçu")
    await stage.quiet()
    for words in ("Vous êtes là ?", "Et mon devis ?", "Et mon reçu ?"):
        await lea.sees(words, kind=Release)
    told = "demande d’attendre" if how == "429" else "puis y envoie /sujets ici"
    assert sum(told in text for text in lea.screen) == 1
    lea.writes("Oui.", to=await lea.sees("Vous êtes là ?", kind=Release))
    await lea.presses(await lea.sees("Aperçu", "Oui.", kind=Send), Send)
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_who_throws_the_bot_out_of_the_group_sends_nobody_off_duty(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, chief = await linked(stage, lea)
    await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    room.chat.blocked = True
    # Only brought up to date: the card in the group cannot be, and so comes to her.
    conversation = await stage.conversation()
    await chief.forges(chief.user.start(), Prioritise(conversation=conversation.id, level=0))
    await lea.sees("Puis-je venir jeudi ?", kind=Release)
    assert await stage.holder() == "Léa"
    assert (await stage.store.get(Presence, lea.secretary.id)).on_duty


async def test_a_group_is_unlinked_and_what_is_next_comes_to_each_again(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, chief = await linked(stage, lea, to="")
    await stage.mail()
    await stage.quiet()
    assert len(room.names) == 1
    twice = Room(stage, chief, id=GROUP - 1)
    await twice.says(chief, "/sujets ici")
    assert "Un autre groupe a déjà ces sujets" in twice.last()
    await room.says(chief, "/sujets non")
    # What stands there stays as it was, and is brought up to date where she sees it.
    before = room.read(room.number("#1"))
    await chief.forges(chief.user.start(), Prioritise(conversation=(await stage.conversation()).id, level=0))
    await lea.sees("🔴", kind=Release)
    assert room.read(room.number("#1")) == before
    await stage.mail("Et mon devis ?", subject="Devis")
    await lea.sees("Et mon devis ?", kind=Release)
    assert len(room.names) == 1
    await twice.says(chief, "/sujets ici")
    await stage.mail("Et mon reçu ?", subject="Reçu")
    await stage.quiet()
    assert len(await stage.store.scan(Forum)) == 1


async def test_a_question_in_the_group_is_whose_it_is_and_opens_nobodys_reply_box(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès", on_duty=False)
    room, _ = await linked(stage, lea, ines)
    await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    topic = room.number("#1")
    await room.presses(lea, room.read(topic)[0], Menu, "⋯")
    await room.presses(lea, room.read(topic)[0], Ask, "Note")
    question = room.read(topic)[-1]
    assert "note" in question["text"]
    assert not question.get("reply_markup"), "Inès may be writing to somebody at this moment"
    await room.says(ines, "Oui, venez jeudi.", topic=topic, to=question)
    assert "Cette question est posée à une collègue" in room.last(topic)
    await room.says(lea, "Rappeler le matin", topic=topic, to=question)
    assert any("📝" in m["text"] and "Rappeler le matin" in m["text"] for m in room.read(topic))
