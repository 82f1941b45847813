import asyncio

import msgspec
import pytest

from inbox.conversations import (
    NUMBER_BLOCK,
    Numbers,
    bare_subject,
    closed,
    edited,
    opened,
    received,
    subject_from_text,
)
from inbox.errors import InvalidTransition, NotFound
from inbox.model import Status
from inbox.parts import Because
from inbox.store.sqlite import SqliteStore
from tests.builders import (
    BERNARD,
    DESK,
    MAIL,
    NOW,
    a_chat_message,
    a_contact,
    a_conversation,
    a_file,
    a_mail,
    a_message,
    a_receipt,
    a_secretary,
    an_account,
    at,
)


@pytest.mark.parametrize(
    ("subject", "bare"),
    [
        ("Re: Rendez-vous", "Rendez-vous"),
        ("RE : Rép: TR: Fwd: Rendez-vous", "Rendez-vous"),
        ("Re[2]: Rendez-vous", "Rendez-vous"),
        ("  AW:   Rendez-vous\r\n suite ", "Rendez-vous suite"),
        ("Rendez-vous: re: jeudi", "Rendez-vous: re: jeudi"),
        ("Réservation", "Réservation"),
        ("Re:", ""),
        ("", ""),
    ],
)
def test_a_subject_loses_what_mail_programs_put_before_an_answer(subject: str, bare: str) -> None:
    assert bare_subject(subject) == bare


def test_a_hostile_subject_costs_no_more_than_its_length() -> None:
    assert bare_subject("re" + " \t" * 200_000 + "x") == "re x"
    assert bare_subject("re:" * 200_000) == ""


def test_a_conversation_without_subject_is_named_by_its_first_words() -> None:
    assert subject_from_text("\n  \n Bonjour, \nune question") == "Bonjour,"
    long = subject_from_text("mot " * 40)
    assert len(long) <= 60
    assert long.endswith("…")
    assert subject_from_text(" \n") == ""


async def test_numbers_are_never_given_twice_by_several_workers_at_once(store: SqliteStore) -> None:
    workers = [Numbers(store) for _ in range(3)]
    taken = await asyncio.gather(*(w.take() for w in workers for _ in range(2 * NUMBER_BLOCK + 3)))
    assert len(set(taken)) == len(taken)
    assert min(taken) == 1


async def test_a_worker_that_starts_again_goes_on_behind_the_block_of_the_last(store: SqliteStore) -> None:
    assert await Numbers(store).take() == 1
    assert await Numbers(store).take() == 1 + NUMBER_BLOCK


# ---------------------------------------------------------------- opened and received


def test_a_new_conversation_waits_in_the_queue_with_a_reason_and_names_the_one_it_refers_to() -> None:
    contact, older = a_contact(), a_conversation()
    new = opened(7, an_account(), contact, MAIL, a_mail(subject="Re: Facture"), NOW, related=older)
    assert (new.number, new.subject, new.queued_at, new.because) == (7, "Facture", NOW, Because(key="because.new"))
    assert (new.related_to, new.related_number) == (older.id, older.number)
    assert new.open_chat is None


def test_a_message_is_kept_with_all_that_a_reply_will_need() -> None:
    contact = a_contact()
    mail = a_mail(
        "Oui",
        references=("b@x", "a@x"),
        recipients=("cabinet@roux.example", "copie@example.net"),
        reply_to="r@x.example",
    )
    receipt = a_receipt()
    before = opened(7, an_account(), contact, MAIL, mail, NOW, related=None)
    after, message = received(before, contact, mail, receipt, mail.external_id, NOW)
    assert (message.position, message.references, message.receipt_id) == (1, ("a@x", "b@x"), receipt.id)
    assert message.blob_id == receipt.blob_id
    assert (after.message_count, after.inbound_count, after.waiting_since_at) == (1, 1, NOW)
    assert after.participants == ("paul.martin@example.net", "r@x.example", "cabinet@roux.example", "copie@example.net")


def test_a_second_message_does_not_make_the_first_look_younger() -> None:
    contact = a_contact()
    waiting = a_conversation(contact)
    after, _ = received(waiting, contact, a_mail(), a_receipt(), "e", at(30))
    assert (after.waiting_since_at, after.queued_at, after.last_message_at) == (NOW, NOW, at(30))


def test_a_closed_conversation_opens_again_and_says_so_even_when_somebody_still_has_it() -> None:
    contact, lea = a_contact(), a_secretary()
    done = closed(a_conversation(contact, holder=lea), lea, 1, at(1))
    done = msgspec.structs.replace(done, declined_by=(a_secretary().id,))
    after, _ = received(done, contact, a_mail(), a_receipt(), "e", at(30))
    assert (after.status, after.closed_at, after.waiting_since_at) == (Status.OPEN, None, at(30))
    assert after.assignee_id == lea.id
    assert after.because == Because(key="because.reopened")
    assert after.declined_by == (), "whoever declined it then may be asked again"


def test_a_closed_conversation_nobody_holds_opens_into_the_queue() -> None:
    contact = a_contact()
    done = msgspec.structs.replace(a_conversation(contact), status=Status.CLOSED, closed_at=NOW, queued_at=None)
    after, _ = received(done, contact, a_mail(), a_receipt(), "e", at(30))
    assert after.queued_at == at(30)


def test_of_two_open_conversations_in_one_chat_only_one_keeps_the_chat() -> None:
    # The second came about when an unsorted request was placed in an account that has one open already.
    contact = a_contact("Nora Petit")
    without = msgspec.structs.replace(a_conversation(contact, channel_id=DESK, chat_id=501), open_chat=None)
    after, _ = received(without, contact, a_chat_message(), a_receipt(DESK), "e", at(1))
    assert after.open_chat is None, "the other one has it: taking it would meet Duplicate for ever"


def test_a_reopened_chat_is_where_the_next_message_goes() -> None:
    contact, lea = a_contact("Nora Petit"), a_secretary()
    done = closed(a_conversation(contact, channel_id=DESK, chat_id=501, holder=lea), lea, 1, at(1))
    assert done.open_chat is None
    after, _ = received(done, contact, a_chat_message(), a_receipt(DESK), "e", at(2))
    assert after.open_chat == f"{DESK}:501:roux"


# ---------------------------------------------------------------- edited and closed


def test_an_edit_keeps_what_was_said_before_and_must_be_seen() -> None:
    conversation = a_conversation(inbound_count=2)
    message = a_message(conversation, "jeudi")
    after, changed = edited(conversation, message, a_chat_message("vendredi", edit=True), at(1))
    assert (changed.text, [r.text for r in changed.revisions]) == ("vendredi", ["jeudi"])
    assert after.inbound_count == 3
    assert after.message_count == conversation.message_count


def test_an_edit_without_files_keeps_those_there_were() -> None:
    conversation = a_conversation()
    message = a_message(conversation, attachments=(a_file(),))
    _, changed = edited(conversation, message, a_chat_message("voici", edit=True), at(1))
    assert changed.attachments == (a_file(),)


def test_closing_is_for_the_holder_of_an_open_conversation() -> None:
    lea, ines = a_secretary("Léa"), a_secretary("Inès")
    mine = a_conversation(holder=lea)
    done = closed(mine, lea, 1, at(5))
    assert (done.status, done.closed_at, done.waiting_since_at, done.queued_at) == (Status.CLOSED, at(5), None, None)
    assert done.assignee_id == lea.id, "it stays in her history"
    with pytest.raises(InvalidTransition) as unread:
        closed(msgspec.structs.replace(mine, inbound_count=2), lea, 1, at(5))
    assert unread.value.key == "error.unread"
    for who, conversation, says in ((ines, mine, "error.not_yours"), (lea, done, "error.closed")):
        with pytest.raises(InvalidTransition) as refused:
            closed(conversation, who, 1, at(6))
        assert refused.value.key == says
    with pytest.raises(NotFound):
        closed(mine, a_secretary(serves=[BERNARD]), 1, at(6))
