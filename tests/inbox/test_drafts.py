import msgspec
import pytest

from inbox.drafts import (
    discarded,
    find_open,
    hold_stale_replies,
    last_inbound,
    outgoing,
    reply_recipients,
    require_may_write,
    undone,
    written,
)
from inbox.errors import InvalidTransition, NotFound, Stale
from inbox.model import Conversation, Delivery, DeliveryState, Direction, Draft, DraftState, Message, Secretary, Status
from inbox.notices import Letter, PreviewNotice, TextNotice
from inbox.outbox import list_replies, replies
from inbox.parts import MessageId, new_id
from inbox.store.base import Changes
from inbox.store.sqlite import SqliteStore
from tests.builders import (
    BERNARD,
    NOW,
    a_conversation,
    a_draft,
    a_message,
    a_presence,
    a_secretary,
    an_account,
    at,
    put,
)

LETTER = Letter(sender="cabinet@roux.example", recipients=("paul.martin@example.net",), blob_id="b", message_id="m")  # type: ignore[arg-type]


async def send(
    store: SqliteStore, draft: Draft, conversation: Conversation, author: Secretary, *, behind: Delivery | None = None
) -> tuple[Message, Delivery]:
    """As the Send button does: the message, its delivery, the draft and the conversation in one commit."""
    conversation = await store.get(Conversation, conversation.id)
    answers = await last_inbound(store, conversation.id)
    out = outgoing(draft, conversation, an_account(), author, MessageId(new_id()), new_id(), answers, NOW)
    (delivery,) = replies(out.message, out.conversation, [LETTER], behind, NOW, at(0.25))
    await store.commit(Changes(inserts=[out.message, delivery], replacements=[out.draft, out.conversation]))
    return await store.get(Message, out.message.id), await store.get(Delivery, delivery.id)


class Scene:
    """Léa holds a conversation whose client wrote once."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.lea = a_secretary("Léa")
        self.conversation = a_conversation(holder=self.lea)
        self.question = a_message(self.conversation)

    async def set(self) -> "Scene":
        await put(self.store, self.lea, a_presence(self.lea, open_count=1), self.conversation, self.question)
        return self

    async def stored(self) -> Conversation:
        return await self.store.get(Conversation, self.conversation.id)

    async def written_again(self) -> Conversation:
        """The conversation as an arriving message makes it."""
        before = await self.stored()
        return msgspec.structs.replace(before, inbound_count=before.inbound_count + 1)

    async def draft(self, text: str = "Oui, jeudi à dix heures.") -> Draft:
        draft = a_draft(self.conversation, self.lea, text)
        await put(self.store, draft)
        return await self.store.get(Draft, draft.id)

    async def sent(self, text: str, behind: Delivery | None = None) -> tuple[Draft, Message, Delivery]:
        draft = await self.draft(text)
        message, delivery = await send(self.store, draft, self.conversation, self.lea, behind=behind)
        return await self.store.get(Draft, draft.id), message, delivery


@pytest.fixture
async def scene(store: SqliteStore) -> Scene:
    return await Scene(store).set()


# ---------------------------------------------------------------- writing


def test_her_words_begin_a_draft_that_remembers_what_she_had_seen() -> None:
    lea = a_secretary()
    conversation = a_conversation(holder=lea, inbound_count=3)
    draft = written(None, conversation, lea, "Bonjour", (), 2, "chat:9", NOW)
    assert (draft.text, draft.seen_inbound, draft.state, draft.source_key) == ("Bonjour", 2, DraftState.OPEN, "chat:9")


def test_further_words_replace_the_draft_and_never_forget_what_was_seen() -> None:
    lea = a_secretary()
    conversation = a_conversation(holder=lea, inbound_count=3)
    draft = a_draft(conversation, lea, seen_inbound=3)
    again = written(draft, conversation, lea, "Mieux", (), 1, None, at(1))
    assert (again.id, again.text, again.seen_inbound) == (draft.id, "Mieux", 3)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda lea, other: a_conversation(holder=other), "error.not_yours"),
        (lambda lea, other: a_conversation(), "error.take_it_first"),
        (lambda lea, other: msgspec.structs.replace(a_conversation(holder=lea), status=Status.CLOSED), "error.closed"),
    ],
)
def test_only_the_holder_of_an_open_conversation_writes_in_it(make: object, says: str) -> None:
    lea, other = a_secretary("Léa"), a_secretary("Inès")
    with pytest.raises(InvalidTransition) as refused:
        require_may_write(make(lea, other), lea)  # type: ignore[operator]
    assert refused.value.key == says


def test_a_secretary_who_may_not_serve_the_account_is_not_told_that_the_conversation_exists() -> None:
    lea = a_secretary(serves=[BERNARD])
    with pytest.raises(NotFound):
        require_may_write(a_conversation(holder=lea), lea)


def test_a_draft_is_discarded_once_and_only_by_its_author() -> None:
    lea, other = a_secretary("Léa"), a_secretary("Inès")
    draft = a_draft(a_conversation(holder=lea), lea)
    with pytest.raises(InvalidTransition) as refused:
        discarded(draft, other, NOW)
    assert refused.value.key == "error.not_yours"
    gone = discarded(draft, lea, NOW)
    assert (gone.state, gone.open_key) == (DraftState.DISCARDED, None)
    with pytest.raises(InvalidTransition) as again:
        discarded(gone, lea, NOW)
    assert again.value.key == "error.draft_gone"


# ---------------------------------------------------------------- sending


def test_a_draft_written_before_the_newest_message_is_stale_and_says_by_how_many() -> None:
    lea = a_secretary()
    conversation = a_conversation(holder=lea, inbound_count=4)
    with pytest.raises(Stale) as stale:
        outgoing(
            a_draft(conversation, lea, seen_inbound=2),
            conversation,
            an_account(),
            lea,
            MessageId("m"),
            "e",
            a_message(conversation),
            NOW,
        )
    assert stale.value.unseen == 2
    assert stale.value.args_shown == {"count": "2"}


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_an_empty_draft_does_not_leave(text: str) -> None:
    lea = a_secretary()
    conversation = a_conversation(holder=lea)
    with pytest.raises(InvalidTransition) as refused:
        outgoing(
            a_draft(conversation, lea, text),
            conversation,
            an_account(),
            lea,
            MessageId("m"),
            "e",
            a_message(conversation),
            NOW,
        )
    assert refused.value.key == "error.empty_draft"


def test_an_answer_wanted_at_our_own_address_goes_to_the_writer_however_the_address_is_written() -> None:
    account = an_account(from_address="Cabinet@Roux.example")
    asked = msgspec.structs.replace(
        a_message(a_conversation(), address="paul@example.net"), position=1, reply_to="cabinet@roux.example"
    )
    assert reply_recipients(asked, account) == ("paul@example.net",)


def test_a_mail_reply_needs_somebody_to_go_to_and_a_name_to_leave_in() -> None:
    lea = a_secretary()
    conversation = a_conversation(holder=lea)
    draft = a_draft(conversation, lea)
    nobody = a_message(conversation, address="")
    with pytest.raises(InvalidTransition) as refused:
        outgoing(draft, conversation, an_account(), lea, MessageId("m"), "e", nobody, NOW)
    assert refused.value.key == "error.no_recipient"
    with pytest.raises(InvalidTransition) as refused:
        outgoing(
            draft,
            conversation,
            an_account(from_address=None),
            lea,
            MessageId("m"),
            "e",
            a_message(conversation),
            NOW,
        )
    assert refused.value.key == "error.no_identity"


def test_a_reply_goes_to_whoever_wrote_last_and_repeats_the_whole_thread() -> None:
    lea = a_secretary()
    conversation = a_conversation(holder=lea)
    answers = a_message(conversation, external_id="third@x", references=("first@x", "second@x"))
    out = outgoing(
        a_draft(conversation, lea), conversation, an_account(), lea, MessageId("m"), "ours@roux", answers, NOW
    )
    assert out.message.recipients == ("paul.martin@example.net",)
    assert out.message.references == ("first@x", "second@x", "third@x")
    assert out.message.author_address == "cabinet@roux.example"
    assert (out.draft.state, out.draft.open_key, out.draft.message_id) == (DraftState.SENT, None, "m")
    assert out.conversation.waiting_since_at == conversation.waiting_since_at, "it is answered once it was sent"


# ---------------------------------------------------------------- taking back


async def test_undo_makes_the_reply_a_draft_again_and_nothing_leaves(scene: Scene, store: SqliteStore) -> None:
    draft, message, delivery = await scene.sent("Oui, jeudi.")
    await store.commit(await undone(store, draft, await scene.stored(), scene.lea, at(0.1)))
    again = await find_open(store, scene.conversation.id, scene.lea.id)
    assert again is not None
    assert (again.id, again.text, again.state) == (draft.id, "Oui, jeudi.", DraftState.OPEN)
    assert (await store.get(Delivery, delivery.id)).state is DeliveryState.CANCELLED
    assert await store.find(Message, message.id) is None


async def test_undo_after_the_reply_was_leased_is_too_late(scene: Scene, store: SqliteStore) -> None:
    draft, _, delivery = await scene.sent("Oui, jeudi.")
    leased = msgspec.structs.replace(
        delivery, state=DeliveryState.LEASED, due_at=None, leased_by="w", lease_until_at=at(12), attempts=1
    )
    await store.commit(Changes(replacements=[leased]))
    with pytest.raises(InvalidTransition) as refused:
        await undone(store, draft, await scene.stored(), scene.lea, at(0.3))
    assert refused.value.key == "error.too_late"


async def test_nobody_undoes_the_reply_of_another(scene: Scene, store: SqliteStore) -> None:
    draft, _, _ = await scene.sent("Oui, jeudi.")
    with pytest.raises(InvalidTransition) as refused:
        await undone(store, draft, await scene.stored(), a_secretary("Inès"), at(0.1))
    assert refused.value.key == "error.not_yours"


async def test_words_taken_back_stand_before_what_she_wrote_meanwhile_and_she_is_shown_both(
    scene: Scene, store: SqliteStore
) -> None:
    draft, _, _ = await scene.sent("Oui, jeudi.")
    newer = await scene.draft("Apportez votre carte.")
    changes = await undone(store, draft, await scene.stored(), scene.lea, at(0.1))
    await store.commit(changes)
    now_open = await find_open(store, scene.conversation.id, scene.lea.id)
    assert now_open is not None
    assert (now_open.id, now_open.text) == (newer.id, "Oui, jeudi.\n\nApportez votre carte.")
    assert (await store.get(Draft, draft.id)).state is DraftState.DISCARDED
    assert newer.id in previewed(changes), "what Send would send now is on her screen"


async def test_an_edit_of_one_message_does_not_wipe_out_words_that_were_joined_to_it(
    scene: Scene, store: SqliteStore
) -> None:
    draft, _, _ = await scene.sent("Oui, jeudi.")
    newer = a_draft(scene.conversation, scene.lea, "Apportez votre carte.", source_key="telegram:desk:1:2")
    await put(store, newer)
    await store.commit(await undone(store, draft, await scene.stored(), scene.lea, at(0.1)))
    assert (await store.get(Draft, newer.id)).source_key is None


def previewed(changes: Changes) -> set[str]:
    """The drafts whose previews are sent anew or brought up to date."""
    payloads = [d.payload for d in changes.inserts.values() if isinstance(d, Delivery)]
    return {p.draft_id for p in payloads if isinstance(p, PreviewNotice)}


def told(changes: Changes) -> list[str]:
    """The sentences said to secretaries."""
    payloads = [d.payload for d in changes.inserts.values() if isinstance(d, Delivery)]
    return [p.because.key for p in payloads if isinstance(p, TextNotice)]


async def test_a_reply_that_has_not_left_is_held_when_its_client_writes_again(scene: Scene, store: SqliteStore) -> None:
    draft, message, delivery = await scene.sent("Oui, jeudi.")
    changes = await hold_stale_replies(store, await scene.written_again(), at(0.1))
    await store.commit(changes)
    assert (await store.get(Delivery, delivery.id)).state is DeliveryState.CANCELLED
    assert (await store.get(Draft, draft.id)).state is DraftState.OPEN
    assert await store.find(Message, message.id) is None
    assert told(changes) == ["notice.held"]
    assert previewed(changes) == {draft.id}


async def test_two_replies_held_at_once_become_one_draft_in_the_order_they_were_written(
    scene: Scene, store: SqliteStore
) -> None:
    first, _, leaving = await scene.sent("Oui, jeudi.")
    second, _, behind = await scene.sent("Apportez votre carte.", behind=leaving)
    await store.commit(await hold_stale_replies(store, await scene.written_again(), at(0.1)))
    now_open = await find_open(store, scene.conversation.id, scene.lea.id)
    assert now_open is not None
    assert now_open.text == "Oui, jeudi.\n\nApportez votre carte."
    drafts = [await store.get(Draft, d.id) for d in (first, second)]
    assert sorted(d.state for d in drafts) == [DraftState.DISCARDED, DraftState.OPEN]
    for delivery in (leaving, behind):
        assert (await store.get(Delivery, delivery.id)).state is DeliveryState.CANCELLED


async def test_replies_held_while_she_writes_the_next_one_lose_no_word(scene: Scene, store: SqliteStore) -> None:
    _, _, leaving = await scene.sent("Un.")
    await scene.sent("Deux.", behind=leaving)
    await scene.draft("Trois.")
    await store.commit(await hold_stale_replies(store, await scene.written_again(), at(0.1)))
    now_open = await find_open(store, scene.conversation.id, scene.lea.id)
    assert now_open is not None
    assert now_open.text == "Un.\n\nDeux.\n\nTrois."


async def test_a_reply_that_is_leaving_is_not_held(scene: Scene, store: SqliteStore) -> None:
    _, message, delivery = await scene.sent("Oui, jeudi.")
    leased = msgspec.structs.replace(
        delivery, state=DeliveryState.LEASED, due_at=None, leased_by="w", lease_until_at=at(12), attempts=1
    )
    await store.commit(Changes(replacements=[leased]))
    assert not await hold_stale_replies(store, await scene.written_again(), at(0.3))
    assert [d.state for d in await list_replies(store, message.id)] == [DeliveryState.LEASED]


async def test_a_reply_answers_the_newest_message_of_the_client_not_one_of_ours(
    scene: Scene, store: SqliteStore
) -> None:
    later = a_message(scene.conversation, "Et vendredi ?", position=2, created_at=at(1))
    ours = a_message(scene.conversation, "Un instant", position=3, direction=Direction.OUTBOUND)
    await put(store, later, ours)
    found = await last_inbound(store, scene.conversation.id)
    assert found is not None
    assert found.text == "Et vendredi ?"
