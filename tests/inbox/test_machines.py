"""What machines' mail changes at the desk: little, and never silently nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from inbox.conversations import Numbers, closed
from inbox.envelope import Envelope
from inbox.matching import sign_message_id
from inbox.model import Conversation, Delivery, DeliveryState, Direction, Presence, Secretary, Status
from inbox.notices import CardNotice, Letter
from inbox.outbox import come_back, leased, sent
from inbox.particulars import Automatic, Bounce, Failure, FailureKind, Particulars
from inbox.parts import AccountId, BlobId
from inbox.store.base import Changes
from inbox.store.documents import EVENTS_OF_CONVERSATION, MESSAGES_OF_CONVERSATION
from inbox.store.sqlite import SqliteStore
from inbox.triage import Taken, Triage
from tests.builders import (
    BERNARD,
    KEY,
    NOW,
    ROUX,
    a_mail,
    a_message,
    a_presence,
    a_receipt,
    a_reply,
    a_secretary,
    accounts,
    at,
    put,
)

PAUL = "paul.martin@example.net"


def a_machines(
    text: str = "Absent.", *, kind: Automatic = Automatic.REPLY, list_id: str = "", **given: Any
) -> Envelope:
    said = Particulars(automatic=kind, unanswerable=True, list_id=list_id)
    return msgspec.structs.replace(a_mail(text, sender=given.pop("sender", PAUL)), particulars=said, **given)


def a_bounce(original_id: str, *, kind: FailureKind = FailureKind.PERMANENT, address: str = PAUL) -> Envelope:
    failure = Failure(address=address, kind=kind, code="5.1.1")
    said = Particulars(
        automatic=Automatic.BOUNCE, unanswerable=True, bounce=Bounce(failures=(failure,), original_id=original_id)
    )
    return msgspec.structs.replace(a_mail("Undelivered", sender="mailer-daemon@mx.example.org"), particulars=said)


class Desk:
    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.triage = Triage(store, KEY, Numbers(store), accounts())

    async def take(self, envelope: Envelope, *, account: AccountId = ROUX, minutes: float = 0) -> Taken:
        taken = await self.triage.take_in(a_receipt(), envelope, account, at(minutes))
        await self.store.commit(taken.changes)
        return taken

    async def conversation(self, taken: Taken) -> Conversation:
        assert taken.conversation_id is not None
        return await self.store.get(Conversation, taken.conversation_id)

    async def join(self, name: str = "Léa") -> Secretary:
        secretary = a_secretary(name)
        await put(self.store, secretary, a_presence(secretary, on_duty=True))
        return secretary

    async def replied(self, conversation: Conversation) -> Delivery:
        """A reply of ours in it, that left."""
        message = a_message(conversation, "Oui.", direction=Direction.OUTBOUND, position=2)
        name = sign_message_id(KEY, message.id, "roux.example")
        message = msgspec.structs.replace(message, external_id=name, recipients=(PAUL,))
        letter = Letter(sender="cabinet@roux.example", recipients=(PAUL,), blob_id=BlobId("x"), message_id=name)
        delivery = a_reply(message, DeliveryState.SENT, payload=letter, ended_at=NOW)
        after = msgspec.structs.replace(conversation, message_count=2, waiting_since_at=None)
        held = await self.store.get(Presence, str(conversation.assignee_id))
        idle = msgspec.structs.replace(held, open_count=0)
        await self.store.commit(Changes(inserts=[message, delivery], replacements=[after, idle]))
        return delivery


@pytest.fixture
def desk(store: SqliteStore) -> Desk:
    return Desk(store)


def cards(taken: Taken) -> list[tuple[bool, bool]]:
    """Of each card: whether it is a new one, and whether that is quiet."""
    payloads = [d.payload for d in taken.changes.inserts.values() if isinstance(d, Delivery)]
    return [(p.fresh, p.quiet) for p in payloads if isinstance(p, CardNotice)]


@pytest.mark.parametrize("status", [Status.OPEN, Status.SNOOZED, Status.CLOSED])
async def test_a_machines_mail_leaves_its_conversation_as_it_stands(desk: Desk, status: Status) -> None:
    lea = await desk.join()
    asked = a_mail()
    before = await desk.conversation(await desk.take(asked))
    if status is Status.CLOSED:
        before = closed(before, lea, 1, NOW)
    before = msgspec.structs.replace(before, status=status, waiting_since_at=None)
    await desk.store.commit(Changes(replacements=[before]))
    taken = await desk.take(a_machines(references=(asked.external_id,), recipients=("claire@example.net",)), minutes=5)
    after = await desk.conversation(taken)
    assert after.id == before.id
    assert cards(taken) == [(False, False)]
    unchanged = {"version", "message_count", "last_message_at"}
    assert {f: getattr(after, f) for f in after.__struct_fields__ if f not in unchanged} == {
        f: getattr(before, f) for f in before.__struct_fields__ if f not in unchanged
    }
    assert after.message_count == before.message_count + 1


async def test_it_is_kept_once(desk: Desk) -> None:
    notice = a_machines()
    first = await desk.take(notice)
    assert (await desk.take(notice)).ignored == "received before"
    assert len(await desk.store.list(MESSAGES_OF_CONVERSATION, first.conversation_id)) == 1


async def test_one_about_something_new_is_dealt_quietly_and_weighs_nothing(desk: Desk) -> None:
    lea = await desk.join()
    taken = await desk.take(a_machines(kind=Automatic.NOTICE, sender="fax@operateur.example"))
    conversation = await desk.conversation(taken)
    assert (conversation.assignee_id, conversation.waiting_since_at) == (lea.id, None)
    assert cards(taken) == [(True, True)]
    assert (await desk.store.get(Presence, lea.id)).open_count == 0


async def test_where_requests_are_taken_by_hand_the_queue_shows_it_and_nobody_is_rung(desk: Desk) -> None:
    await desk.join("Léa")
    await desk.join("Inès")
    taken = await desk.take(a_machines(kind=Automatic.NOTICE), account=BERNARD)
    conversation = await desk.conversation(taken)
    assert (conversation.status, conversation.queued_at, cards(taken)) == (Status.OPEN, NOW, [])


async def test_a_newsletter_is_filed_until_a_person_writes(desk: Desk) -> None:
    await desk.join()
    news = a_machines(kind=Automatic.NOTICE, list_id="news.shop.example", sender="news@shop.example")
    taken = await desk.take(news)
    filed = await desk.conversation(taken)
    assert (filed.status, filed.closed_at, filed.queued_at, cards(taken)) == (Status.CLOSED, NOW, None, [])
    answer = a_mail("Une vraie question", sender="news@shop.example", references=(news.external_id,))
    after = await desk.conversation(await desk.take(answer, minutes=1))
    assert (after.id, after.status, after.waiting_since_at) == (filed.id, Status.OPEN, at(1))


async def test_a_report_reopens_and_makes_the_client_wait_again(desk: Desk) -> None:
    lea = await desk.join()
    conversation = await desk.conversation(await desk.take(a_mail()))
    delivery = await desk.replied(conversation)
    before = closed(await desk.store.get(Conversation, conversation.id), lea, 1, at(1))
    await desk.store.commit(Changes(replacements=[before]))
    assert isinstance(delivery.payload, Letter)
    taken = await desk.take(a_bounce(delivery.payload.message_id), minutes=5)
    after = await desk.conversation(taken)
    assert (after.status, after.assignee_id, after.waiting_since_at) == (Status.OPEN, lea.id, at(5))
    assert (after.message_count, after.inbound_count) == (before.message_count, before.inbound_count)
    assert cards(taken) == [(True, False)]
    assert (await desk.store.get(Presence, lea.id)).open_count == 1
    (marked,) = (await desk.store.get(Delivery, delivery.id)).reported
    assert (marked.address, marked.kind) == (PAUL, FailureKind.PERMANENT)
    again = await desk.take(a_bounce(delivery.payload.message_id), minutes=6)
    assert again.ignored == "reported before"
    assert not again.changes


async def test_a_report_that_is_faster_than_the_servers_yes_is_kept(desk: Desk) -> None:
    await desk.join()
    conversation = await desk.conversation(await desk.take(a_mail()))
    delivery = await desk.replied(conversation)
    kept = await desk.store.get(Delivery, delivery.id)
    leaving = msgspec.structs.replace(kept, state=DeliveryState.DUE, ended_at=None, due_at=at(1))
    await desk.store.commit(Changes(replacements=[leased(leaving, "worker:1", at(1))]))
    in_hand = await desk.store.get(Delivery, delivery.id)
    assert isinstance(delivery.payload, Letter)
    await desk.take(a_bounce(delivery.payload.message_id), minutes=2)
    current = come_back(in_hand, await desk.store.get(Delivery, delivery.id))
    assert current is not None
    await desk.store.commit(await sent(desk.store, current, "250 ok", at(3)))
    after = await desk.store.get(Delivery, delivery.id)
    assert (after.state, [f.address for f in after.reported]) == (DeliveryState.SENT, [PAUL])
    assert (await desk.store.get(Conversation, conversation.id)).waiting_since_at == at(2)


@pytest.mark.parametrize("kind", [FailureKind.DELAYED, FailureKind.DELIVERED])
async def test_what_has_not_failed_is_only_noted(desk: Desk, kind: FailureKind) -> None:
    await desk.join()
    conversation = await desk.conversation(await desk.take(a_mail()))
    delivery = await desk.replied(conversation)
    assert isinstance(delivery.payload, Letter)
    taken = await desk.take(a_bounce(delivery.payload.message_id, kind=kind), minutes=5)
    after = await desk.conversation(taken)
    assert (after.waiting_since_at, cards(taken)) == (None, [(False, False)])
    history = [e.kind for e in await desk.store.list(EVENTS_OF_CONVERSATION, conversation.id)]
    assert history[-1] == {FailureKind.DELAYED: "delayed", FailureKind.DELIVERED: "arrived"}[kind]


async def test_a_report_finds_nothing_under_another_account(desk: Desk) -> None:
    await desk.join()
    conversation = await desk.conversation(await desk.take(a_mail()))
    delivery = await desk.replied(conversation)
    assert isinstance(delivery.payload, Letter)
    taken = await desk.take(a_bounce(delivery.payload.message_id), account=BERNARD)
    assert taken.conversation_id != conversation.id
    assert (await desk.store.get(Delivery, delivery.id)).reported == ()
    assert (await desk.conversation(taken)).account_id == BERNARD
