import string
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.machinery import DeskKey
from inbox.matching import (
    MOST_REFERENCES,
    Match,
    distinguishing_id,
    is_same,
    match_chat,
    match_mail,
    read_message_id,
    sign_message_id,
    takes_part,
)
from inbox.model import Contact, Conversation, Direction, Status
from inbox.particulars import Particulars, Trust, Verdict
from inbox.parts import ChannelId, ContactId, MessageId, new_id
from inbox.store.sqlite import SqliteStore
from tests.builders import (
    BERNARD,
    DESK,
    KEY,
    NOW,
    ROUX,
    a_chat_message,
    a_contact,
    a_conversation,
    a_mail,
    a_message,
    an_account,
    put,
)

PAUL = "paul.martin@example.net"


# ---------------------------------------------------------------- our own Message-IDs


def test_a_message_id_of_ours_names_its_message() -> None:
    message_id = MessageId(new_id())
    signed = sign_message_id(KEY, message_id, "roux.example")
    assert signed.endswith("@roux.example")
    assert read_message_id(KEY, signed) == message_id
    assert read_message_id(KEY, signed.replace("@roux.example", "@relay.example")) == message_id


def test_a_message_id_somebody_made_up_names_nothing() -> None:
    message_id = MessageId(new_id())
    signed = sign_message_id(KEY, message_id, "roux.example")
    other_key = DeskKey(id="other", secret=b"\x08" * 32)
    assert read_message_id(other_key, signed) is None
    local, _, domain = signed.partition("@")
    flipped = local[:-1] + ("0" if local[-1] != "0" else "1")
    for forged in (
        f"{flipped}@{domain}",
        f"{message_id}@{domain}",
        f"{message_id}.@{domain}",
        local,
        f"{new_id()}{signed[36:]}",
        "",
        "@",
        ".@x",
        f"{'é' * 36}.{'é' * 16}@x",
        f"{message_id}.\udc80@x",
        f"\udc80{signed}",
    ):
        assert read_message_id(KEY, forged) is None


@given(st.text(max_size=80))
def test_no_header_whatever_it_says_is_taken_for_ours_or_stops_us(header: str) -> None:
    assert read_message_id(KEY, header) is None


# ---------------------------------------------------------------- mail


class Known:
    """A conversation of Paul with Dr Roux: his mail, and our reply."""

    def __init__(self) -> None:
        self.paul = a_contact()
        self.conversation = a_conversation(self.paul, participants=(PAUL, "conjoint@example.net"))
        self.his = a_message(self.conversation, external_id="his@example.net")
        self.ours = a_message(self.conversation, "Oui", position=2, direction=Direction.OUTBOUND)
        self.ours = msgspec.structs.replace(self.ours, external_id=sign_message_id(KEY, self.ours.id, "roux.example"))


@pytest.fixture
async def known(store: SqliteStore) -> Known:
    scene = Known()
    await put(store, scene.paul, scene.conversation, scene.his, scene.ours)
    return scene


async def test_an_answer_to_our_mail_or_to_theirs_joins_the_conversation(known: Known, store: SqliteStore) -> None:
    for reference in (known.ours.external_id, "his@example.net"):
        match = await match_mail(store, KEY, ROUX, a_mail(references=(reference,)), known.paul.id)
        assert match.joins is not None
        assert match.joins.id == known.conversation.id


async def test_the_most_telling_reference_decides(known: Known, store: SqliteStore) -> None:
    other = a_conversation(known.paul)
    await put(store, other, a_message(other, external_id="other@example.net"))
    mail = a_mail(references=("unknown@example.net", "other@example.net", "his@example.net"))
    match = await match_mail(store, KEY, ROUX, mail, known.paul.id)
    assert match.joins is not None
    assert match.joins.id == other.id


async def test_somebody_in_copy_may_answer_and_a_stranger_may_not(known: Known, store: SqliteStore) -> None:
    reference = (known.ours.external_id,)
    copied = await match_mail(store, KEY, ROUX, a_mail(sender="conjoint@example.net", references=reference), None)
    assert copied.joins is not None
    stranger = a_mail(sender="inconnu@example.org", references=reference)
    assert await match_mail(store, KEY, ROUX, stranger, ContactId("somebody")) == Match(
        relates_to=await store.get(Conversation, known.conversation.id)
    )


async def test_a_reference_that_is_refused_does_not_hide_one_that_is_not(known: Known, store: SqliteStore) -> None:
    ada = a_contact("Ada Roy")
    hers = a_conversation(ada, participants=("ada.roy@example.net",))
    await put(store, ada, hers, a_message(hers, external_id="hers@example.net"))
    mail = a_mail(sender="ada.roy@example.net", references=("his@example.net", "hers@example.net"))
    match = await match_mail(store, KEY, ROUX, mail, ada.id)
    assert match.joins is not None
    assert match.joins.id == hers.id


async def test_no_reference_crosses_the_wall_between_accounts(known: Known, store: SqliteStore) -> None:
    for reference in (known.ours.external_id, "his@example.net"):
        mail = a_mail(references=(reference,))
        assert await match_mail(store, KEY, BERNARD, mail, known.paul.id) == Match()


async def test_our_message_that_was_undone_names_nothing(known: Known, store: SqliteStore) -> None:
    gone = sign_message_id(KEY, MessageId(new_id()), "roux.example")
    assert await match_mail(store, KEY, ROUX, a_mail(references=(gone,)), known.paul.id) == Match()


async def test_who_only_pretends_to_be_the_client_opens_a_conversation_that_names_the_old_one(
    known: Known, store: SqliteStore
) -> None:
    for verdict in Verdict:
        envelope = msgspec.structs.replace(
            a_mail(sender=PAUL, references=(known.ours.external_id,)),
            particulars=Particulars(trust=Trust(verdict=verdict)),
        )
        match = await match_mail(store, KEY, ROUX, envelope, known.paul.id)
        if verdict is Verdict.FORGED:
            assert match.joins is None
            assert match.relates_to is not None
        else:
            assert match.joins is not None
            assert match.joins.id == known.conversation.id


async def test_a_forged_header_of_many_references_is_read_no_further_than_it_helps(
    known: Known, store: SqliteStore
) -> None:
    many = tuple(f"{n}@example.net" for n in range(MOST_REFERENCES))
    mail = a_mail(references=(*many, "his@example.net"))
    assert await match_mail(store, KEY, ROUX, mail, known.paul.id) == Match()


def test_nobody_takes_part_without_an_address() -> None:
    conversation = a_conversation(participants=("",))
    assert not takes_part(conversation, "", None)


# ---------------------------------------------------------------- Telegram


class Chat:
    """Nora's conversation with Dr Roux in Telegram."""

    def __init__(self) -> None:
        self.nora = a_contact("Nora Petit")
        self.conversation = a_conversation(self.nora, channel_id=DESK, chat_id=501)
        self.question = a_message(self.conversation, external_id=f"{DESK}:501:7")


@pytest.fixture
async def chat(store: SqliteStore) -> Chat:
    scene = Chat()
    await put(store, scene.nora, scene.conversation, scene.question)
    return scene


async def joined(store: SqliteStore, contact: Contact, days: float = 0, replies_to: int | None = None) -> Match:
    envelope = a_chat_message("Encore", replies_to=replies_to)
    return await match_chat(store, DESK, an_account(), envelope, contact, NOW + timedelta(days=days))


async def test_a_chat_goes_on_in_the_conversation_that_is_open(chat: Chat, store: SqliteStore) -> None:
    match = await joined(store, chat.nora)
    assert match.joins is not None
    assert match.joins.id == chat.conversation.id


async def test_somebody_new_begins_a_conversation(store: SqliteStore) -> None:
    assert await match_chat(store, DESK, an_account(), a_chat_message(), None, NOW) == Match()


async def test_a_reply_goes_to_the_conversation_replied_to_although_another_is_open(
    chat: Chat, store: SqliteStore
) -> None:
    other = msgspec.structs.replace(a_conversation(chat.nora, channel_id=DESK, chat_id=501), open_chat=None)
    await put(store, other, a_message(other, external_id=f"{DESK}:501:3"))
    match = await joined(store, chat.nora, replies_to=3)
    assert match.joins is not None
    assert match.joins.id == other.id


async def test_a_reply_to_somebody_elses_message_joins_nothing_of_theirs(chat: Chat, store: SqliteStore) -> None:
    max_ = a_contact("Max")
    match = await match_chat(store, DESK, an_account(), a_chat_message(user_id=502, replies_to=7), max_, NOW)
    assert match == Match()
    forged = msgspec.structs.replace(a_chat_message(user_id=502), replies_to="501:7")
    assert await match_chat(store, DESK, an_account(), forged, max_, NOW) == Match()


@pytest.mark.parametrize(("days", "reopens"), [(13.9, True), (14.1, False)])
async def test_a_closed_conversation_opens_again_within_the_accounts_days(
    store: SqliteStore, days: float, reopens: bool
) -> None:
    nora = a_contact("Nora Petit")
    done = msgspec.structs.replace(
        a_conversation(nora, channel_id=DESK, chat_id=501),
        status=Status.CLOSED,
        closed_at=NOW,
        queued_at=None,
        open_chat=None,
    )
    await put(store, nora, done)
    match = await joined(store, nora, days)
    found = match.joins if reopens else match.relates_to
    assert found is not None
    assert found.id == done.id
    assert (match.joins is None) is not reopens


async def test_a_conversation_by_mail_or_through_another_bot_is_not_continued_in_this_chat(
    store: SqliteStore,
) -> None:
    nora = a_contact("Nora Petit")
    await put(store, nora, a_conversation(nora), a_conversation(nora, channel_id=ChannelId("telegram:x"), chat_id=501))
    assert await joined(store, nora) == Match()


# ---------------------------------------------------------------- the same message


def test_the_same_words_by_the_same_writer_are_the_same_mail() -> None:
    conversation = a_conversation()
    message = a_message(conversation, "Page 1")
    same = a_mail("Page 1", subject=message.subject)
    assert is_same(message, same)
    assert not is_same(message, a_mail("Page 2", subject=message.subject))
    assert not is_same(message, a_mail("Page 1", subject="Autre"))
    assert not is_same(message, a_mail("Page 1", subject=message.subject, sender="x@example.org"))


@given(st.text(alphabet=string.printable + "é\ud800", max_size=20))
def test_an_id_that_tells_two_mails_apart_is_the_same_each_time(text: str) -> None:
    mail = a_mail(text, message_id="one@x")
    other = msgspec.structs.replace(mail, text=text + "!")
    taken = mail.external_id
    for _ in range(3):
        given = distinguishing_id(mail, taken)
        assert given == distinguishing_id(mail, taken)
        assert given not in (distinguishing_id(other, taken), taken)
        taken = given
