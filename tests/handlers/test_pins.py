"""The newest card of a conversation is pinned in its topic, and whatever Telegram says to that, nothing hangs on it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inbox import outbox
from inbox.model import Topic
from inbox.notices import CardNotice, PinNotice
from inbox.store.base import Changes
from tests.handlers.stage import Clock, Seat, Stage
from tests.handlers.test_forums import linked
from tests.handlers.test_topics import joined, number_of


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.telegram.bot().has_topics = True
    return stage


def pinned(seat: Seat) -> list[str]:
    """What is pinned in her chat, as it reads."""
    chat = seat.stage.telegram.bot().chat_with(seat.user)
    return [str(chat.messages[number]["text"]) for number in chat.pinned]


def tries(stage: Stage) -> int:
    return len(stage.telegram.made("pinChatMessage"))


async def test_the_newest_card_is_pinned_in_its_topic_and_no_other(stage: Stage) -> None:
    lea = await joined(stage)
    first = await stage.mail("Puis-je venir jeudi ?")
    await stage.mail("Et mon devis ?", subject="Devis")
    await stage.quiet()
    one, other = pinned(lea)
    assert "Puis-je venir jeudi ?" in one
    assert "Et mon devis ?" in other
    await stage.mail("Alors, jeudi ?", answers=first)
    await stage.quiet()
    other, newest = pinned(lea)
    assert "Et mon devis ?" in other
    assert "Alors, jeudi ?" in newest
    chat = stage.telegram.bot().chat_with(lea.user)
    assert chat.messages[chat.pinned[-1]]["message_thread_id"] == number_of(lea, "#1")
    assert all(call.parameters["disable_notification"] == "true" for call in stage.telegram.made("pinChatMessage"))
    # What Telegram says of it is nobody's message.
    assert await stage.count_conversations() == 2
    assert await stage.ledger_is_balanced()


async def test_a_card_that_is_only_brought_up_to_date_is_not_pinned_again(stage: Stage) -> None:
    lea = await joined(stage)
    await stage.mail()
    await stage.quiet()
    conversation, before = await stage.conversation(), tries(stage)
    for notice in (
        CardNotice(secretary_id=lea.secretary.id, conversation_id=conversation.id, fresh=False, menu="more"),
        PinNotice(secretary_id=lea.secretary.id, conversation_id=conversation.id),
    ):
        shown = outbox.shown_to(lea.secretary, notice, stage.desk.clock(), about=conversation)
        await stage.store.commit(Changes(inserts=[shown]))
        await stage.quiet()
    assert tries(stage) == before == 1


async def test_what_is_in_no_topic_is_not_pinned(stage: Stage) -> None:
    lea = await joined(stage, wants="non")
    await stage.mail()
    await stage.quiet()
    assert pinned(lea) == []
    assert tries(stage) == 0


async def test_a_group_that_lets_nothing_be_pinned_has_its_cards_all_the_same(stage: Stage) -> None:
    lea = await stage.join("Léa")
    room, _ = await linked(stage, lea)
    room.group.bot_may_pin = False
    first = await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    topic = room.number("#1")
    assert "Puis-je venir jeudi ?" in room.last(topic)
    assert (room.chat.pinned, tries(stage)) == ([], 1)
    assert lea.sees_nothing_of("jeudi", "épingl")
    room.group.bot_may_pin = True
    await stage.mail("Alors ?", answers=first)
    await stage.mail("Vous êtes là ?", answers=first)
    await stage.quiet()
    (number,) = room.chat.pinned
    assert "Vous êtes là ?" in room.chat.messages[number]["text"]


@pytest.mark.parametrize("how", ["429", "after", "500"])
async def test_whatever_goes_wrong_it_is_pinned_once_and_the_card_comes_once(
    stage: Stage, clock: Clock, how: str
) -> None:
    lea = await joined(stage)
    match how:
        case "429":
            stage.telegram.fail_next("pinChatMessage", status=429, description="Too Many Requests", retry_after=1)
        case "after":
            stage.telegram.fail_next("pinChatMessage", drop="after")
        case "500":
            stage.telegram.fail_next("pinChatMessage", status=500, description="Internal Server Error")
    await stage.mail()
    await stage.quiet()
    await lea.sees("puis-je venir")
    clock.ahead += timedelta(seconds=6)
    lea.writes("/aide")  # the desk is asleep until the next try, by its own clock
    await stage.quiet()
    topics = await stage.store.scan(Topic)
    assert len(topics) == 1
    chat = stage.telegram.bot().chat_with(lea.user)
    assert chat.pinned == [topics[0].pinned]
    assert sum("pinned_message" in m for m in chat.messages.values()) == 1
    assert sum("puis-je venir" in text for text in lea.screen) == 1


async def test_a_card_that_was_deleted_meanwhile_keeps_the_next_from_nothing(stage: Stage) -> None:
    lea = await joined(stage)
    first = await stage.mail("Puis-je venir jeudi ?")
    await stage.quiet()
    chat = stage.telegram.bot().chat_with(lea.user)
    lea.user.delete(chat.pinned[0])
    chat.pinned.clear()
    await stage.mail("Alors, jeudi ?", answers=first)
    await stage.quiet()
    (newest,) = pinned(lea)
    assert "Alors, jeudi ?" in newest
