"""One topic a conversation, where she wants that and Telegram keeps it: what people do in it, and what takes over."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from bot.demo.telegram_rules import units
from handlers.callbacks import (
    Ask,
    Bar,
    Close,
    Give,
    History,
    Menu,
    Person,
    Release,
    Reopen,
    Send,
    Show,
    Take,
    WantTopics,
)
from handlers.topics import LONGEST_NAME, topic_name
from inbox.model import Contact, Priority, Role, Standing, Topic, TopicRefusal
from inbox.store.base import Changes
from tests.builders import BERNARD, ROUX
from tests.handlers.stage import Clock, Seat, Seen, Stage, button, is_said


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.telegram.bot().has_topics = True
    return stage


async def joined(stage: Stage, name: str = "Léa", *, wants: str = "oui", **kept: object) -> Seat:
    seat = await stage.join(name, **kept)  # type: ignore[arg-type]
    seat.writes(f"/sujets {wants}")
    await stage.quiet()
    return seat


def names(seat: Seat) -> list[str]:
    return [topic["name"] for topic in seat.user.topics()]


def number_of(seat: Seat, beginning: str) -> int:
    (found,) = [t["message_thread_id"] for t in seat.user.topics() if t["name"].startswith(beginning)]
    return int(found)


def read(seat: Seat, topic: int | None) -> list[str]:
    """What stands in a topic of hers, or outside of any, as it reads now."""
    found = [m for m in seat.user.messages() if m.get("message_thread_id") == topic and m["from"]["is_bot"]]
    return [str(m.get("text") or m.get("caption") or "") for m in found if is_said(m)]


async def says(seat: Seat, words: str, topic: int, to: Seen | None = None) -> None:
    seat.user.send_text(words, topic=topic, reply_to=to["message_id"] if to else None)
    await seat.stage.quiet()


# ---------------------------------------------------------------- a day in it


async def test_what_is_hers_comes_in_a_topic_of_its_own_and_is_answered_there_without_replying(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail("Puis-je venir jeudi ?")
    await stage.mail("Avez-vous mon dossier ?", sender="Zoé <zoe@example.net>", subject="Dossier")
    await stage.quiet()
    assert names(lea) == ["#1 Paul Martin · Rendez-vous", "#2 Zoé · Dossier"]
    first, second = number_of(lea, "#1"), number_of(lea, "#2")
    (card,) = read(lea, first)
    assert "Puis-je venir jeudi ?" in card
    await says(lea, "Oui, jeudi à 10 h.", first)
    assert "Oui, jeudi à 10 h." in read(lea, first)[-1]
    assert not any("jeudi à 10 h" in text for text in read(lea, second) + read(lea, None))
    await lea.presses(await lea.sees("Aperçu", "Oui, jeudi", kind=Send), Send)
    await stage.quiet()
    ((letter, raw),) = stage.letters.sent
    assert letter.recipients == ("paul.martin@example.net",)
    assert b"jeudi" in raw
    assert await stage.ledger_is_balanced()


async def test_two_conversations_are_answered_in_turn_and_never_each_others(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail("Un ?")
    await stage.mail("Deux ?", sender="Zoé <zoe@example.net>", subject="Dossier")
    await stage.quiet()
    first, second = number_of(lea, "#1"), number_of(lea, "#2")
    lea.user.send_text("Pour Paul", topic=first)
    lea.user.send_text("Pour Zoé", topic=second)
    await stage.quiet()
    for name in ("Pour Zoé", "Pour Paul"):
        await lea.presses(await lea.sees("Aperçu", name, kind=Send), Send)
    await stage.quiet()
    sent = {letter.recipients: raw for letter, raw in stage.letters.sent}
    assert b"Pour Paul" in sent["paul.martin@example.net",]
    assert "Zoé".encode() in sent["zoe@example.net",] or b"Pour Zo" in sent["zoe@example.net",]


async def test_a_topic_reads_from_above_as_it_came_with_her_buttons_below(stage: Stage) -> None:
    lea = await joined(stage)
    first = await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    await stage.mail("Ou plutôt vendredi ?", answers=first, subject="Re: Rendez-vous")
    await stage.mail("Répondez vite.", answers=first, subject="Re: Rendez-vous")
    await stage.quiet()
    topic = number_of(lea, "#1")
    one, two, card = read(lea, topic)
    assert "Puis-je venir jeudi ?" in one
    assert "vendredi" not in one
    assert "Ou plutôt vendredi ?" in two
    assert "jeudi" not in two
    assert "Répondez vite." in card
    newest = await lea.sees("Répondez vite.", kind=Release)
    assert newest["message_thread_id"] == topic
    assert read(lea, None)[-1].startswith("Un sujet par demande")


async def test_words_are_not_said_to_have_seen_what_came_after_her_card(stage: Stage) -> None:
    lea = await joined(stage)
    first = await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    await says(lea, "Oui.", topic := number_of(lea, "#1"))
    preview = await lea.sees("Aperçu", kind=Send)
    await stage.mail("Non, finalement vendredi !", answers=first)
    await stage.quiet()
    # The button as it was before the preview said what is new.
    await lea.forges(preview, button(preview, Send) or "")
    assert stage.letters.sent == []
    assert any("finalement vendredi" in text for text in read(lea, topic))


async def test_files_questions_history_and_refusals_stay_in_the_topic(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail()
    await stage.quiet()
    topic = number_of(lea, "#1")
    lea.user.send_file("document", "plan.pdf", "application/pdf", b"%PDF-1.4", topic=topic)
    await stage.quiet()
    assert (await lea.sees("Aperçu", "plan.pdf", kind=Send))["message_thread_id"] == topic
    await lea.presses(await lea.sees("Rendez-vous", kind=Release), Menu, "⋯")
    menu = await lea.sees("Rendez-vous", kind=History)
    await lea.presses(menu, History)
    assert (await lea.sees("Historique"))["message_thread_id"] == topic
    await lea.presses(menu, Ask, "Note")
    question = await lea.sees("votre note ?")
    assert question["message_thread_id"] == topic
    lea.writes("Elle est allergique", to=question)
    await stage.quiet()
    assert any("📝" in text and "allergique" in text for text in read(lea, topic))
    await says(lea, "/nimporte", topic)
    assert "Je ne connais pas cette commande" in read(lea, topic)[-1]
    await says(lea, "/file", topic)
    assert "Rendez-vous" in read(lea, topic)[-1]
    await says(lea, "/cc marie@example.net", topic)
    assert "marie@example.net" in (await lea.sees("Aperçu", "marie@example.net", kind=Send))["text"]


async def test_a_topic_says_by_its_name_how_it_stands(stage: Stage) -> None:
    lea, ines = await joined(stage), await joined(stage, "Inès")
    await stage.mail()
    await stage.quiet()
    holder = lea if lea.user.topics() else ines
    other = ines if holder is lea else lea
    topic = number_of(holder, "#1")
    await holder.presses(await holder.sees("Rendez-vous", kind=Close), Menu, "⋯")
    await holder.presses(await holder.sees("Rendez-vous", kind=History), Menu, "Passer")
    await holder.presses(await holder.sees("Rendez-vous", kind=Give), Give)
    await stage.quiet()
    assert names(holder) == ["➡️ #1 Paul Martin · Rendez-vous"]
    assert read(holder, topic).count(f"➡️ #1 est maintenant chez {other.name} : ce sujet est clos pour vous.") == 1
    assert names(other) == ["#1 Paul Martin · Rendez-vous"]
    # Late, in the old topic: refused there, and nothing is written.
    await says(holder, "Oui, jeudi.", topic)
    assert read(holder, topic)[-1] == "Elle est entre les mains d’une collègue."
    assert other.sees_nothing_of("Oui, jeudi.")
    await other.presses(await other.sees("Rendez-vous", kind=Close), Close)
    await stage.quiet()
    assert names(other) == ["✔️ #1 Paul Martin · Rendez-vous"]
    await other.presses(await other.sees("Rendez-vous", kind=Reopen), Reopen)
    await stage.quiet()
    assert names(other) == ["#1 Paul Martin · Rendez-vous"]
    assert len(await stage.store.scan(Topic)) == 2


async def test_two_pressing_together_one_in_her_topic_get_one_conversation_between_them(stage: Stage) -> None:
    lea, ines = await joined(stage), await joined(stage, "Inès", role=Role.SUPERVISOR)
    await stage.mail()
    await stage.quiet()
    holder, other = (lea, ines) if lea.user.topics() else (ines, lea)
    card = await holder.sees("Rendez-vous", kind=Close)
    conversation = await stage.conversation()
    await holder.presses(card, Release)
    # Dealt to the other at once: her topic is the only one that is not over.
    assert await stage.holder() == other.name
    late = [
        holder.forges(card, Close(conversation=conversation.id, seen=1)),
        other.forges(card, Take(conversation=conversation.id)),
    ]
    told = await asyncio.gather(*late)
    assert all(told), "a press without an answer"
    assert (await stage.conversation()).assignee_id == other.secretary.id
    assert names(holder) == ["➡️ #1 Paul Martin · Rendez-vous"]
    assert names(other) == ["#1 Paul Martin · Rendez-vous"]


async def test_whoever_leaves_has_her_topic_end_when_it_is_dealt_to_another(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail()
    await stage.quiet()
    topic = number_of(lea, "#1")
    lea.writes("/fin")
    await stage.quiet()
    assert names(lea) == ["#1 Paul Martin · Rendez-vous"]
    ines = await stage.join("Inès")
    await ines.sees("Rendez-vous", kind=Release)
    await stage.quiet()
    assert names(lea) == ["➡️ #1 Paul Martin · Rendez-vous"]
    assert read(lea, topic)[-1] == "➡️ #1 est maintenant chez Inès : ce sujet est clos pour vous."
    await stage.mail("Je répète : jeudi ?", answers="", subject="Rendez-vous")
    await stage.quiet()
    assert sum("maintenant chez" in text for text in read(lea, topic)) == 1
    # It comes back to her: the same topic goes on.
    await ines.presses(await ines.sees("puis-je venir", kind=Release), Menu, "⋯")
    lea.writes("/ici")
    await stage.quiet()
    await ines.presses(await ines.sees("puis-je venir", kind=History), Menu, "Passer")
    await ines.presses(await ines.sees("puis-je venir", kind=Give), Give)
    await stage.quiet()
    assert "#1 Paul Martin · Rendez-vous" in names(lea)
    assert (await lea.sees("puis-je venir", kind=Release))["message_thread_id"] == topic


async def test_a_topic_follows_what_its_contact_is_called(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail()
    await stage.quiet()
    await lea.presses(await lea.sees("Rendez-vous", kind=Release), Menu, "⋯")
    await lea.presses(await lea.sees("Rendez-vous", kind=History), Person)
    await lea.presses(await lea.sees("Paul Martin", kind=Bar), Ask, "Renommer")
    lea.writes("Mme Martin", to=await lea.sees("Sous quel nom"))
    await stage.quiet()
    assert names(lea) == ["#1 Mme Martin · Rendez-vous"]


async def test_what_she_takes_from_the_queue_moves_into_a_topic_and_what_is_nobodys_stays_outside(
    stage: Stage,
) -> None:
    lea = await joined(stage, on_duty=True, capacity=0)
    await stage.mail()
    await stage.quiet()
    assert names(lea) == []
    lea.writes("/file")
    await lea.presses(await lea.sees("#1", kind=Show), Show)
    await lea.presses(await lea.sees("Rendez-vous", kind=Take), Take)
    await stage.quiet()
    topic = number_of(lea, "#1 Paul Martin")
    assert (await lea.sees("Rendez-vous", kind=Release))["message_thread_id"] == topic
    lea.writes("/file")
    toast = await lea.presses(await lea.sees("#1", kind=Show), Show)
    assert toast == "La fiche de #1 est dans son sujet."


async def test_a_colleague_without_topics_has_plain_cards_as_ever(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await stage.quiet()
    assert "message_thread_id" not in await lea.sees("Rendez-vous", kind=Release)
    assert stage.telegram.made("createForumTopic") == []


async def test_topics_are_hers_to_begin_and_to_stop_however_late_the_button_is_pressed(stage: Stage) -> None:
    lea = await stage.join("Léa")
    lea.writes("/sujets")
    told = await lea.sees("Pas de sujets", kind=WantTopics)
    await lea.presses(told, WantTopics)
    await lea.presses(told, WantTopics)
    first = await stage.mail()
    await stage.quiet()
    topic = number_of(lea, "#1")
    lea.writes("/topics off")
    await stage.mail("Vous êtes là ?", answers=first)
    await stage.quiet()
    assert "message_thread_id" not in await lea.sees("Vous êtes là ?", kind=Release)
    # What stands in the old topic still finds its conversation.
    await says(lea, "Oui, jeudi.", topic)
    assert "Oui, jeudi." in (await lea.sees("Aperçu", kind=Send))["text"]
    assert names(lea) == ["#1 Paul Martin · Rendez-vous"]


# ---------------------------------------------------------------- walls


async def test_a_topic_of_an_account_she_no_longer_serves_takes_no_words_and_shows_nothing_new(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail()
    await stage.quiet()
    topic = number_of(lea, "#1")
    shown = read(lea, topic)
    secretary = await stage.store.get(type(lea.secretary), lea.secretary.id)
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(secretary, accounts=(BERNARD,))]))
    await says(lea, "Oui, jeudi.", topic)
    assert read(lea, topic)[:-1] == shown
    assert "hors de vos comptes" in read(lea, topic)[-1]
    assert ROUX not in {d.account_id for d in await stage.replies("due")}


async def test_words_in_a_topic_of_her_own_making_are_never_somebodys_by_chance(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail("Un ?")
    await stage.mail("Deux ?", sender="Zoé <zoe@example.net>", subject="Dossier")
    await stage.quiet()
    mine = lea.user.open_topic("À moi")
    await says(lea, "Pour qui ?", mine)
    assert "Pour quelle demande" in read(lea, mine)[-1] or "laquelle" in read(lea, mine)[-1].lower()
    assert stage.letters.sent == []


# ---------------------------------------------------------------- Telegram refuses


async def test_where_telegram_keeps_no_topics_plain_cards_come_and_she_is_told_once(stage: Stage, clock: Clock) -> None:
    stage.telegram.bot().has_topics = False
    lea = await joined(stage)
    for subject in ("Un", "Deux", "Trois"):
        await stage.mail(f"Au sujet de {subject}", subject=subject)
    await stage.quiet()
    assert all(any(f"Au sujet de {subject}" in text for text in lea.screen) for subject in ("Un", "Deux", "Trois"))
    assert sum("Threaded Mode" in text for text in lea.screen) == 1
    assert len(stage.telegram.made("createForumTopic")) == 1
    # Still off: Telegram is asked, which makes nothing, and nobody is told again.
    clock.ahead = timedelta(minutes=20)
    await stage.mail("Au sujet de quatre", subject="Quatre")
    await stage.quiet()
    assert len(stage.telegram.made("createForumTopic")) == 1
    # The cause is gone: the next one has its topic by itself.
    stage.telegram.bot().has_topics = True
    clock.ahead = timedelta(minutes=40)
    await stage.mail("Au sujet de cinq", subject="Cinq")
    await stage.quiet()
    assert names(lea) == ["#5 Paul Martin · Cinq"]
    assert await stage.store.find(TopicRefusal, lea.secretary.id) is None
    assert sum("Threaded Mode" in text for text in lea.screen) == 1


async def test_asking_for_topics_again_tries_again_at_once_and_says_again_what_is_wrong(stage: Stage) -> None:
    stage.telegram.bot().has_topics = False
    lea = await joined(stage)
    await stage.mail()
    await stage.quiet()
    lea.writes("/sujets oui")
    await stage.mail("Et moi ?", subject="Dossier")
    await stage.quiet()
    assert len(stage.telegram.made("createForumTopic")) == 2
    assert sum("Threaded Mode" in text for text in lea.screen) == 2


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ({"status": 429, "description": "Too Many Requests: retry after 40", "retry_after": 40}, "demande d’attendre"),
        ({"status": 400, "description": "Bad Request: TOPICS_TOO_MUCH"}, "il y en a trop"),
        ({"status": 400, "description": "Bad Request: not enough rights to create a topic"}, "refuse d’ouvrir"),
        ({"status": 502, "description": "Bad Gateway"}, "n’a pas ouvert le sujet"),
        ({"drop": "before"}, "n’a pas ouvert le sujet"),
        ({"drop": "after"}, "n’a pas ouvert le sujet"),
    ],
)
async def test_whatever_refuses_a_topic_the_plain_card_comes_at_once(
    stage: Stage, clock: Clock, refusal: dict[str, object], told: str
) -> None:
    lea = await joined(stage)
    stage.telegram.fail_next("createForumTopic", **refusal)  # type: ignore[arg-type]
    await stage.mail()
    await stage.quiet()
    card = await lea.sees("Rendez-vous", kind=Release)
    assert "message_thread_id" not in card
    assert sum(told in text for text in lea.screen) == 1
    made = len(stage.telegram.made("createForumTopic"))
    await stage.mail("Et moi ?", subject="Dossier")
    await stage.quiet()
    assert len(stage.telegram.made("createForumTopic")) == made, "it was tried again too soon"
    clock.ahead = timedelta(days=2)
    lea.writes("/sujets oui")
    await stage.mail("Et moi aussi ?", subject="Devis")
    await stage.quiet()
    assert "#3 Paul Martin · Devis" in names(lea)
    # At most one is empty, and it is there to be seen.
    assert len(names(lea)) <= 2
    lea.writes("Oui, jeudi.", to=await lea.sees("puis-je venir", kind=Release))
    await lea.sees("Aperçu", "Oui, jeudi.")


@pytest.mark.parametrize("silently", [True, False])
async def test_a_topic_she_deleted_is_made_anew_and_nothing_is_lost_meanwhile(stage: Stage, silently: bool) -> None:
    stage.telegram.bot().swallows_lost_topics = silently
    lea = await joined(stage)
    first = await stage.mail()
    await stage.quiet()
    lea.user.delete_topic(number_of(lea, "#1"))
    await stage.mail("Vous êtes là ?", answers=first)
    await stage.quiet()
    assert "message_thread_id" not in await lea.sees("Vous êtes là ?", kind=Release)
    await stage.mail("Ohé ?", answers=first)
    await stage.quiet()
    assert names(lea) == ["#1 Paul Martin · Rendez-vous"]
    card = await lea.sees("Ohé ?", kind=Release)
    assert card["message_thread_id"] == number_of(lea, "#1")
    await says(lea, "Oui, jeudi.", number_of(lea, "#1"))
    assert (await lea.sees("Aperçu", "Oui, jeudi."))["message_thread_id"] == number_of(lea, "#1")


async def test_her_preview_and_files_come_into_the_chat_where_the_topic_is_closed_or_gone(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail()
    await stage.quiet()
    card = await lea.sees("Rendez-vous", kind=Release)
    lea.user.close_topic(number_of(lea, "#1"))
    lea.writes("Oui, jeudi.", to=card)
    await stage.quiet()
    preview = await lea.sees("Aperçu", "Oui, jeudi.", kind=Send)
    assert "message_thread_id" not in preview
    await lea.presses(preview, Send)
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_a_bot_she_blocked_keeps_her_cards_from_nobody(stage: Stage) -> None:
    lea, ines = await joined(stage), await stage.join("Inès", on_duty=False)
    stage.telegram.bot().chat_with(lea.user).blocked = True
    await stage.mail()
    await stage.quiet()
    assert await stage.store.find(TopicRefusal, lea.secretary.id) is None
    assert await stage.holder() != "Léa"
    assert ines.secretary.active


async def test_her_own_pace_puts_a_topic_off_and_gives_it_up_for_nothing(stage: Stage) -> None:
    lea = await joined(stage)
    limits = stage.desk.chats[lea.secretary.channel_id]._limits  # type: ignore[attr-defined]
    limits.pause(lea.secretary.chat_id, 0.3)
    await stage.mail()
    await lea.sees("Rendez-vous", kind=Release)
    assert names(lea) == ["#1 Paul Martin · Rendez-vous"]
    assert await stage.store.find(TopicRefusal, lea.secretary.id) is None


async def test_a_name_that_cannot_be_changed_holds_nothing_up(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail()
    await stage.quiet()
    stage.telegram.fail_next("editForumTopic", status=400, description="Bad Request: not enough rights")
    await lea.presses(await lea.sees("Rendez-vous", kind=Close), Close)
    await stage.quiet()
    assert names(lea) == ["#1 Paul Martin · Rendez-vous"]
    await lea.presses(await lea.sees("Rendez-vous", kind=Reopen), Reopen)
    await stage.quiet()
    assert await stage.holder() == "Léa"


async def test_a_name_that_must_wait_keeps_no_card_waiting_and_is_given_in_the_end(stage: Stage, clock: Clock) -> None:
    lea = await joined(stage)
    await stage.mail()
    await stage.quiet()
    limit = "Too Many Requests: retry after 90"
    stage.telegram.fail_next("editForumTopic", status=429, description=limit, retry_after=90)
    await lea.presses(await lea.sees("Rendez-vous", kind=Close), Close)
    await stage.mail("Et mon devis ?", subject="Devis")
    await lea.sees("Et mon devis ?", kind=Release)
    assert names(lea) == ["#1 Paul Martin · Rendez-vous", "#2 Paul Martin · Devis"]
    clock.ahead = timedelta(minutes=2)
    await stage.mail("Et mon reçu ?", subject="Reçu")
    await stage.quiet()
    assert names(lea)[0] == "✔️ #1 Paul Martin · Rendez-vous"


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Paul", "x" * 500),
        ("👨‍👩‍👧‍👦" * 40, "🇫🇷" * 90),
        ("שרה כהן", "‏פגישה ביום חמישי " * 20),
        ("\u202eevil\u202c", "\n\n\x00\u202e"),
        ("", ""),
        ("é" * 300, "\ud83d"),
    ],
)
async def test_a_topics_name_is_one_line_that_telegram_takes(stage: Stage, name: str, subject: str) -> None:
    await stage.mail()
    await stage.quiet()
    conversation = msgspec.structs.replace(await stage.conversation(), subject=subject, number=12_345_678)
    contact = msgspec.structs.replace(await stage.store.get(Contact, conversation.contact_id), name=name)
    for standing in Standing:
        said = topic_name(conversation, contact, standing)
        assert 1 <= units(said) <= LONGEST_NAME
        assert "#12345678" in said
        assert not set(said) & set("\n\x00\u202e\u202c")
        said.encode()


async def test_a_topic_bears_the_colour_of_its_priority(stage: Stage) -> None:
    lea = await joined(stage, capacity=0)
    await stage.mail()
    await stage.quiet()
    conversation = msgspec.structs.replace(await stage.conversation(), priority=Priority.URGENT)
    await stage.store.commit(Changes(replacements=[conversation]))
    lea.writes("/suivante")
    await stage.quiet()
    ((topic),) = lea.user.topics()
    assert topic["icon_color"] == 0xFB6F5F
