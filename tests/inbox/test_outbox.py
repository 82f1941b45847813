from datetime import timedelta

import msgspec
import pytest

from inbox import outbox
from inbox.drafts import hold_before_retry
from inbox.errors import Conflict, InvalidTransition
from inbox.matching import match_chat
from inbox.model import (
    Conversation,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Direction,
    Draft,
    DraftState,
    Message,
    Presence,
)
from inbox.notices import CardNotice, Letter, Post
from inbox.parts import DeliveryId
from inbox.store.base import Changes
from inbox.store.documents import DELIVERIES_DUE, DELIVERIES_LEASED, DRAFT_OPEN
from inbox.store.sqlite import SqliteStore
from tests.builders import (
    BERNARD,
    DESK,
    MAIL,
    NOW,
    a_chat_message,
    a_contact,
    a_conversation,
    a_draft,
    a_message,
    a_presence,
    a_secretary,
    an_account,
    at,
    put,
)

UNDO = timedelta(seconds=15)


class Scene:
    """Léa holds a conversation whose client wrote once, and has pressed Send."""

    def __init__(self, store: SqliteStore, *, chat_id: int | None = None) -> None:
        self.store = store
        self.lea = a_secretary("Léa")
        self.contact = a_contact()
        self.conversation = a_conversation(
            self.contact, holder=self.lea, chat_id=chat_id, channel_id=MAIL if chat_id is None else DESK
        )
        self.question = a_message(self.conversation)
        self.sent = 1

    async def set(self) -> "Scene":
        await put(self.store, self.lea, a_presence(self.lea, open_count=1), self.contact)
        await put(self.store, self.conversation, self.question)
        return self

    async def reply(
        self, text: str = "Oui", parts: int = 1, *, seen: int = 1, now: float = 0, behind: Delivery | None = None
    ) -> list[Delivery]:
        self.sent += 1
        external = "" if self.conversation.chat_id is None else "unsent:"
        message = a_message(
            self.conversation,
            text,
            position=self.sent,
            direction=Direction.OUTBOUND,
            author="Léa",
            author_id=self.lea.id,
            seen_inbound=seen,
        )
        if external:
            message = msgspec.structs.replace(message, external_id=outbox.unsent_id(message.id))
        draft = a_draft(self.conversation, self.lea, text, seen_inbound=seen)
        draft = msgspec.structs.replace(draft, state=DraftState.SENT, open_key=None, message_id=message.id)
        payloads: list[Letter | Post] = [
            Letter(sender="a@x.example", recipients=("b@x.example",), blob_id="b", message_id="m")  # type: ignore[arg-type]
            if self.conversation.chat_id is None
            else Post(chat_id=self.conversation.chat_id, text=f"{text} {n}")
            for n in range(parts)
        ]
        made = outbox.replies(message, self.conversation, payloads, behind, at(now), at(now) + UNDO)
        await put(self.store, message, draft, *made)
        return [await self.store.get(Delivery, d.id) for d in made]

    async def leased(self, delivery: Delivery, minutes: float = 1) -> Delivery:
        current = await self.store.get(Delivery, delivery.id)
        await self.store.commit(Changes(replacements=[outbox.leased(current, "worker:1", at(minutes))]))
        return await self.store.get(Delivery, delivery.id)

    async def arrives(self, delivery: Delivery, sent_as: str = "250 ok", minutes: float = 1) -> None:
        leased = await self.leased(delivery, minutes)
        await self.store.commit(await outbox.sent(self.store, leased, sent_as, at(minutes)))

    async def now(self, delivery: Delivery) -> Delivery:
        return await self.store.get(Delivery, delivery.id)

    async def state(self, delivery: Delivery) -> DeliveryState:
        return (await self.now(delivery)).state

    async def stored(self) -> Conversation:
        return await self.store.get(Conversation, self.conversation.id)

    async def client_writes(self) -> None:
        before = await self.stored()
        after = msgspec.structs.replace(before, inbound_count=before.inbound_count + 1)
        await self.store.commit(Changes(replacements=[after]))

    async def holds(self) -> int:
        return (await self.store.get(Presence, self.lea.id)).open_count


@pytest.fixture
async def scene(store: SqliteStore) -> Scene:
    return await Scene(store).set()


@pytest.fixture
async def chat(store: SqliteStore) -> Scene:
    return await Scene(store, chat_id=501).set()


def cards(changes: Changes) -> list[bool]:
    """The cards shown, and whether each rings."""
    payloads = [d.payload for d in changes.inserts.values() if isinstance(d, Delivery)]
    return [p.fresh for p in payloads if isinstance(p, CardNotice)]


# ---------------------------------------------------------------- sent


async def test_a_reply_is_due_when_the_time_to_undo_is_over(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply()
    assert (reply.state, reply.due_at) == (DeliveryState.DUE, NOW + UNDO)
    assert await store.list(DELIVERIES_DUE, until=at(0.2)) == []
    assert [d.id for d in await store.list(DELIVERIES_DUE, until=at(0.25))] == [reply.id]


async def test_once_it_was_sent_the_conversation_is_answered_and_weighs_no_more(
    scene: Scene, store: SqliteStore
) -> None:
    (reply,) = await scene.reply()
    await scene.arrives(reply)
    ended = await scene.now(reply)
    assert (ended.state, ended.sent_as, ended.ended_at) == (DeliveryState.SENT, "250 ok", at(1))
    assert (ended.lease_until_at, ended.leased_by, ended.due_at) == (None, None, None)
    assert (await scene.stored()).waiting_since_at is None
    assert await scene.holds() == 0


async def test_a_client_who_wrote_while_the_reply_was_leaving_still_waits(scene: Scene) -> None:
    (reply,) = await scene.reply(seen=1)
    await scene.client_writes()
    await scene.arrives(reply)
    assert (await scene.stored()).waiting_since_at == NOW
    assert await scene.holds() == 1


async def test_the_parts_of_a_long_message_leave_in_order_and_answer_only_together(chat: Scene) -> None:
    first, second, third = await chat.reply(parts=3)
    assert [await chat.state(d) for d in (first, second, third)] == ["due", "queued", "queued"]
    await chat.arrives(first, "11")
    assert [await chat.state(d) for d in (second, third)] == ["due", "queued"]
    await chat.arrives(second, "12")
    assert (await chat.stored()).waiting_since_at == NOW
    await chat.arrives(third, "13")
    assert (await chat.stored()).waiting_since_at is None


async def test_a_reply_behind_another_still_has_its_own_time_to_undo(scene: Scene) -> None:
    (first,) = await scene.reply("Un", now=0)
    (second,) = await scene.reply("Deux", now=0.2, behind=first)
    await scene.arrives(first, minutes=0.25)
    assert (await scene.now(second)).due_at == at(0.2) + UNDO


async def test_a_reply_behind_another_that_was_undone_still_has_its_own_time_to_undo(
    scene: Scene, store: SqliteStore
) -> None:
    (first,) = await scene.reply("Un", now=0)
    (second,) = await scene.reply("Deux", now=0.2, behind=first)
    message = await store.get(Message, first.message_id or "")
    await store.commit(await outbox.cancel_reply(store, message, at(0.21)))
    assert await scene.state(first) is DeliveryState.CANCELLED
    assert (await scene.now(second)).due_at == at(0.2) + UNDO


async def test_a_telegram_reply_is_named_as_telegram_named_it_so_that_answers_to_it_find_it(
    chat: Scene, store: SqliteStore
) -> None:
    (reply,) = await chat.reply()
    await chat.arrives(reply, "4711")
    conversation = await chat.stored()
    await store.commit(Changes(replacements=[msgspec.structs.replace(conversation, open_chat=None)]))
    answer = a_chat_message("Merci", replies_to=4711)
    match = await match_chat(store, DESK, an_account(), answer, chat.contact, at(5))
    assert match.joins is not None
    assert match.joins.id == conversation.id


async def test_two_telegram_replies_confirmed_by_the_same_person_do_not_clash(chat: Scene, store: SqliteStore) -> None:
    for text in ("Un", "Deux"):
        (reply,) = await chat.reply(text)
        lost = await chat.leased(reply)
        await store.commit(await outbox.unknown(store, lost, "failure.connection", at(2)))
        await store.commit(await outbox.confirm_sent(store, await chat.now(reply), chat.lea, at(3)))
        assert await chat.state(reply) is DeliveryState.SENT


# ---------------------------------------------------------------- failures


async def test_a_failure_without_effect_is_tried_again_after_growing_waits(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply()
    waits = []
    for _ in range(12):
        leased = await scene.leased(reply)
        await store.commit(await outbox.retried(store, leased, "failure.connection", None, at(1)))
        again = await scene.now(reply)
        assert again.state is DeliveryState.DUE
        assert again.due_at is not None
        waits.append((again.due_at - at(1)).total_seconds())
    assert waits[:4] == [5, 10, 20, 40]
    assert waits == sorted(waits)
    assert waits[-1] == outbox.LONGEST_WAIT.total_seconds()


async def test_a_server_that_names_a_time_is_obeyed(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply()
    leased = await scene.leased(reply)
    await store.commit(await outbox.retried(store, leased, "failure.rate", timedelta(hours=1), at(1)))
    assert (await scene.now(reply)).due_at == at(61)


async def test_after_two_days_of_trying_a_person_is_asked(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply()
    leased = await scene.leased(reply)
    changes = await outbox.retried(store, leased, "failure.connection", None, NOW + timedelta(days=2, minutes=1))
    await store.commit(changes)
    assert await scene.state(reply) is DeliveryState.DEAD
    assert cards(changes) == [True]


async def test_a_dead_reply_rings_its_author_and_keeps_back_what_follows(scene: Scene, store: SqliteStore) -> None:
    (first,) = await scene.reply("Un")
    (second,) = await scene.reply("Deux", behind=first)
    changes = await outbox.died(store, await scene.leased(first), "failure.recipient_refused", at(1))
    await store.commit(changes)
    assert cards(changes) == [True]
    assert await scene.state(second) is DeliveryState.QUEUED
    assert (await scene.stored()).waiting_since_at == NOW


async def test_a_reply_whose_worker_died_may_have_left_so_it_is_never_repeated_by_itself(
    scene: Scene, store: SqliteStore
) -> None:
    (reply,) = await scene.reply()
    leased = await scene.leased(reply)
    await store.commit(await outbox.lease_expired(store, leased, at(20)))
    ended = await scene.now(reply)
    assert (ended.state, ended.error) == (DeliveryState.UNKNOWN, "failure.worker_died")
    assert DeliveryKind.REPLY not in {d.kind for d in await store.list(DELIVERIES_DUE)}
    assert await store.list(DELIVERIES_LEASED) == []


async def test_a_notice_whose_worker_died_is_shown_again(scene: Scene, store: SqliteStore) -> None:
    card = outbox.card_for(scene.lea, scene.conversation, NOW, fresh=True)
    await put(store, card)
    await store.commit(await outbox.lease_expired(store, await scene.leased(card), at(20)))
    assert await scene.state(card) is DeliveryState.DUE


@pytest.mark.parametrize("kind", [DeliveryKind.REPLY, DeliveryKind.ACKNOWLEDGEMENT])
def test_what_a_client_reads_is_not_repeatable(kind: DeliveryKind) -> None:
    card = outbox.card_for(a_secretary(), a_conversation(), NOW, fresh=True)
    assert outbox.is_repeatable(card)
    assert not outbox.is_repeatable(msgspec.structs.replace(card, kind=kind))


async def test_two_workers_lease_a_delivery_once(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply()
    await store.commit(Changes(replacements=[outbox.leased(reply, "worker:1", at(1))]))
    with pytest.raises(Conflict):
        await store.commit(Changes(replacements=[outbox.leased(reply, "worker:2", at(1))]))


# ---------------------------------------------------------------- taking back


async def test_a_reply_that_failed_without_effect_can_still_be_taken_back(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply()
    await store.commit(await outbox.retried(store, await scene.leased(reply), "failure.connection", None, at(1)))
    message = await store.get(Message, reply.message_id or "")
    await store.commit(await outbox.cancel_reply(store, message, at(2)))
    assert await scene.state(reply) is DeliveryState.CANCELLED


async def test_what_may_have_left_once_is_never_taken_back(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply()
    await store.commit(await outbox.unknown(store, await scene.leased(reply), "failure.connection", at(1)))
    await store.commit(await outbox.send_again(store, await scene.now(reply), scene.lea, at(2)))
    message = await store.get(Message, reply.message_id or "")
    with pytest.raises(InvalidTransition) as refused:
        await outbox.cancel_reply(store, message, at(2))
    assert refused.value.key == "error.too_late"


async def test_half_a_message_is_never_taken_back(chat: Scene, store: SqliteStore) -> None:
    first, _ = await chat.reply(parts=2)
    await chat.arrives(first, "11")
    message = await store.get(Message, first.message_id or "")
    with pytest.raises(InvalidTransition):
        await outbox.cancel_reply(store, message, at(2))


async def test_a_reply_that_failed_while_its_client_wrote_again_is_held_before_it_is_tried_again(
    scene: Scene, store: SqliteStore
) -> None:
    (reply,) = await scene.reply(seen=1)
    leased = await scene.leased(reply)
    await scene.client_writes()
    await store.commit(await outbox.retried(store, leased, "failure.connection", None, at(1)))
    await store.commit(await hold_before_retry(store, await scene.now(reply), at(2)))
    assert await scene.state(reply) is DeliveryState.CANCELLED
    draft = await store.find_by(DRAFT_OPEN, f"{scene.conversation.id}:{scene.lea.id}")
    assert isinstance(draft, Draft)
    assert draft.seen_inbound == 1


async def test_a_reply_whose_author_has_seen_everything_is_tried_again(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply(seen=1)
    await store.commit(await outbox.retried(store, await scene.leased(reply), "failure.connection", None, at(1)))
    assert not await hold_before_retry(store, await scene.now(reply), at(2))


async def test_a_reply_a_person_sent_again_knowing_all_is_not_held(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply(seen=1)
    await store.commit(await outbox.died(store, await scene.leased(reply), "failure.refused", at(1)))
    await scene.client_writes()
    await store.commit(await outbox.send_again(store, await scene.now(reply), scene.lea, at(2)))
    await store.commit(await outbox.retried(store, await scene.leased(reply), "failure.connection", None, at(3)))
    assert not await hold_before_retry(store, await scene.now(reply), at(4))


# ---------------------------------------------------------------- a person decides


async def test_send_again_sends_the_same_octets_and_give_up_lets_the_next_go(chat: Scene, store: SqliteStore) -> None:
    first, rest = await chat.reply("Un", parts=2)
    (behind,) = await chat.reply("Deux", behind=rest)
    await store.commit(await outbox.died(store, await chat.leased(first), "failure.refused", at(1)))
    await store.commit(await outbox.send_again(store, await chat.now(first), chat.lea, at(2)))
    again = await chat.now(first)
    assert (again.state, again.due_at, again.payload, again.error) == (DeliveryState.DUE, at(2), first.payload, None)
    await store.commit(await outbox.died(store, await chat.leased(first), "failure.refused", at(3)))
    await store.commit(await outbox.give_up(store, await chat.now(first), chat.lea, at(4)))
    assert [await chat.state(d) for d in (first, rest, behind)] == ["cancelled", "cancelled", "due"]
    assert (await chat.stored()).waiting_since_at == NOW, "nobody answered"


async def test_confirming_that_it_arrived_answers_the_conversation(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply()
    await store.commit(await outbox.unknown(store, await scene.leased(reply), "failure.connection", at(1)))
    await store.commit(await outbox.confirm_sent(store, await scene.now(reply), scene.lea, at(2)))
    assert (await scene.stored()).waiting_since_at is None
    assert await scene.holds() == 0


async def test_only_what_is_undecided_can_be_decided_and_only_once(scene: Scene, store: SqliteStore) -> None:
    (reply,) = await scene.reply()
    for decide in (outbox.send_again, outbox.confirm_sent, outbox.give_up):
        with pytest.raises(InvalidTransition) as refused:
            await decide(store, reply, scene.lea, at(1))
        assert refused.value.key == "error.already_decided"
    await store.commit(await outbox.unknown(store, await scene.leased(reply), "failure.connection", at(1)))
    undecided = await scene.now(reply)
    first = await outbox.send_again(store, undecided, scene.lea, at(2))
    second = await outbox.give_up(store, undecided, scene.lea, at(2))
    await store.commit(first)
    with pytest.raises(Conflict):
        await store.commit(second)


async def test_the_newest_reply_that_has_not_ended_is_what_the_next_waits_for(scene: Scene) -> None:
    assert await outbox.last_unsettled_reply(scene.store, scene.conversation.id) is None
    (first,) = await scene.reply("Un")
    (second,) = await scene.reply("Deux", behind=first)
    tail = await outbox.last_unsettled_reply(scene.store, scene.conversation.id)
    assert tail is not None
    assert tail.id == second.id
    await scene.arrives(first)
    await scene.arrives(second, minutes=2)
    assert await outbox.last_unsettled_reply(scene.store, scene.conversation.id) is None


def test_a_notice_names_its_chat_as_lane_so_that_cards_keep_their_order() -> None:
    lea = a_secretary()
    card = outbox.card_for(lea, a_conversation(account_id=BERNARD), NOW, fresh=True)
    assert card.lane == f"{DESK}:{lea.chat_id}"
    assert (card.state, card.due_at, card.account_id) == (DeliveryState.DUE, NOW, BERNARD)
    assert DeliveryId(card.id) != outbox.card_for(lea, a_conversation(), NOW, fresh=True).id


# ---------------------------------------------------------------- some recipients refused


TO, CC, THIRD = "b@x.example", "c@x.example", "d@x.example"
BUSY, GONE = ("failure.mailbox_busy", None, False), ("failure.recipient_refused", None, True)


async def divided(scene: Scene, refused: dict[str, tuple[str, timedelta | None, bool]]) -> dict[str, Delivery]:
    """A letter to three is refused for some of them; the deliveries by their recipients."""
    (delivery,) = await scene.reply()
    letter = Letter(sender="a@x.example", recipients=(TO, CC, THIRD), blob_id="b", message_id="m")  # type: ignore[arg-type]
    await scene.store.commit(Changes(replacements=[msgspec.structs.replace(delivery, payload=letter)]))
    leased = await scene.leased(delivery)
    await scene.store.commit(await outbox.divided(scene.store, leased, refused, at(1)))
    assert delivery.message_id is not None
    found: dict[str, Delivery] = {}
    for part in await outbox.list_replies(scene.store, delivery.message_id):
        assert isinstance(part.payload, Letter)
        found |= dict.fromkeys(part.payload.recipients, part)
    return found


async def test_of_three_recipients_the_two_who_are_not_refused_have_it_at_once_and_each_is_in_one_delivery(
    scene: Scene,
) -> None:
    parts = await divided(scene, {CC: GONE})
    assert parts[TO].id == parts[THIRD].id != parts[CC].id
    assert (parts[TO].state, parts[TO].due_at) == (DeliveryState.DUE, at(1))
    assert (parts[CC].state, parts[CC].error) == (DeliveryState.DEAD, "failure.recipient_refused")
    assert {(p.payload.blob_id, p.payload.message_id) for p in parts.values() if isinstance(p.payload, Letter)} == {
        ("b", "m")
    }


async def test_a_mailbox_that_is_busy_is_tried_again_alone(scene: Scene) -> None:
    parts = await divided(scene, {CC: BUSY, THIRD: ("failure.mailbox_busy", timedelta(minutes=3), False)})
    assert len({p.id for p in parts.values()}) == 3
    assert parts[CC].due_at == at(1) + outbox.FIRST_WAIT
    assert parts[THIRD].due_at == at(4)


async def test_the_client_is_answered_once_the_mail_reached_whom_it_is_addressed_to(scene: Scene) -> None:
    parts = await divided(scene, {CC: BUSY})
    await scene.arrives(parts[TO])
    assert (await scene.stored()).waiting_since_at is None


async def test_the_client_still_waits_while_only_others_have_it(scene: Scene) -> None:
    parts = await divided(scene, {TO: BUSY})
    await scene.arrives(parts[CC])
    assert (await scene.stored()).waiting_since_at is not None
    await scene.arrives(parts[TO], minutes=2)
    assert (await scene.stored()).waiting_since_at is None


async def test_a_divided_reply_none_of_which_left_can_be_taken_back_whole(scene: Scene, store: SqliteStore) -> None:
    parts = await divided(scene, {CC: BUSY})
    message = await store.get(Message, parts[TO].message_id or "")
    await store.commit(await outbox.cancel_reply(store, message, at(1)))
    assert {(await scene.now(p)).state for p in parts.values()} == {DeliveryState.CANCELLED}


async def test_the_author_sees_a_divided_reply_at_once_and_is_rung_where_somebody_never_gets_it(scene: Scene) -> None:
    for refused, rings in (({CC: BUSY}, False), ({CC: GONE, THIRD: GONE}, True)):
        (delivery,) = await scene.reply()
        letter = Letter(sender="a@x.example", recipients=(TO, CC, THIRD), blob_id="b", message_id="m")  # type: ignore[arg-type]
        leased = msgspec.structs.replace(await scene.leased(delivery), payload=letter)
        assert cards(await outbox.divided(scene.store, leased, refused, at(1))) == [rings]
