import pytest

from inbox.contacts import REFRESH_AFTER, Known, account_last_chosen, account_spoken_to, know, set_blocked
from inbox.envelope import Sender
from inbox.errors import Conflict
from inbox.model import Address, AddressKind, Contact
from inbox.parts import AccountId, ChannelId
from inbox.store.documents import ADDRESS_BY_VALUE, ADDRESSES_OF_CONTACT
from inbox.store.sqlite import SqliteStore
from tests.builders import (
    BERNARD,
    DESK,
    MAIL,
    NOW,
    ROUX,
    a_chat_message,
    a_conversation,
    a_message,
    at,
    put,
)

PAUL = Sender(kind=AddressKind.MAIL, value="paul.martin@example.net", name="Paul Martin")
NORA = Sender(kind=AddressKind.TELEGRAM, value="501", name="Nora Petit", language="fr", chat_id=501)


async def meet(
    store: SqliteStore,
    sender: Sender,
    account: AccountId = ROUX,
    channel: ChannelId = MAIL,
    minutes: float = 0,
    *,
    chosen: bool = False,
) -> Known:
    known = await know(store, account, channel, sender, at(minutes), chosen=chosen)
    await store.commit(known.changes)
    return known


async def test_whoever_writes_first_becomes_a_contact_and_is_known_from_then_on(store: SqliteStore) -> None:
    first = await meet(store, PAUL)
    assert (first.is_new, first.contact.name, first.contact.account_id) == (True, "Paul Martin", ROUX)
    again = await meet(store, PAUL, minutes=5)
    assert (again.is_new, again.contact.id) == (False, first.contact.id)
    assert not again.changes, "writing again within the day costs no write"


async def test_a_nameless_writer_is_called_by_the_address(store: SqliteStore) -> None:
    known = await meet(store, Sender(kind=AddressKind.MAIL, value="x@example.net"))
    assert known.contact.name == "x@example.net"


async def test_one_person_is_another_contact_in_another_account(store: SqliteStore) -> None:
    here, there = await meet(store, PAUL), await meet(store, PAUL, BERNARD)
    assert here.contact.id != there.contact.id
    assert (await store.get(Contact, there.contact.id)).account_id == BERNARD


async def test_mails_without_a_readable_sender_are_never_taken_for_one_person(store: SqliteStore) -> None:
    nobody = Sender(kind=AddressKind.MAIL, value="")
    first, second = await meet(store, nobody), await meet(store, nobody)
    assert first.contact.id != second.contact.id


async def test_two_first_mails_at_once_make_one_contact(store: SqliteStore) -> None:
    first = await know(store, ROUX, MAIL, PAUL, NOW)
    second = await know(store, ROUX, MAIL, PAUL, NOW)
    await store.commit(first.changes)
    with pytest.raises(Conflict):
        await store.commit(second.changes)


async def test_an_address_remembers_when_it_was_last_used_day_by_day(store: SqliteStore) -> None:
    known = await meet(store, PAUL)
    later = REFRESH_AFTER.total_seconds() / 60 + 1
    await meet(store, PAUL, minutes=later)
    (address,) = await store.list(ADDRESSES_OF_CONTACT, known.contact.id)
    assert address.last_used_at == at(later)


async def test_writing_again_lifts_a_block(store: SqliteStore) -> None:
    await meet(store, NORA, channel=DESK)
    changes, _ = await set_blocked(store, DESK, 501, at(1), blocked=True)
    await store.commit(changes)
    await meet(store, NORA, channel=DESK, minutes=2)
    address = await store.find_by(ADDRESS_BY_VALUE, ROUX, AddressKind.TELEGRAM, "501")
    assert address is not None
    assert address.blocked_at is None


async def test_a_block_is_noted_in_every_account_the_person_writes_to_through_that_bot_and_once(
    store: SqliteStore,
) -> None:
    await meet(store, NORA, ROUX, DESK)
    await meet(store, NORA, BERNARD, DESK)
    await meet(store, NORA, AccountId("autre"), ChannelId("telegram:other"))
    changes, addresses = await set_blocked(store, DESK, 501, at(1), blocked=True)
    await store.commit(changes)
    assert {a.account_id for a in addresses} == {ROUX, BERNARD}
    again, none = await set_blocked(store, DESK, 501, at(2), blocked=True)
    assert not again
    assert none == []


async def test_the_link_somebody_came_through_last_says_whom_they_speak_to(store: SqliteStore) -> None:
    assert await account_last_chosen(store, DESK, 501) is None
    await meet(store, NORA, ROUX, DESK, chosen=True)
    await meet(store, NORA, BERNARD, DESK, 1, chosen=True)
    assert await account_last_chosen(store, DESK, 501) == BERNARD
    await meet(store, NORA, ROUX, DESK, 2, chosen=True)
    assert await account_last_chosen(store, DESK, 501) == ROUX
    assert await account_last_chosen(store, ChannelId("telegram:other"), 501) is None


async def test_an_edit_or_a_reply_speaks_to_the_account_that_has_the_message_whatever_link_came_since(
    store: SqliteStore,
) -> None:
    known = await meet(store, NORA, ROUX, DESK, chosen=True)
    conversation = a_conversation(known.contact, channel_id=DESK, chat_id=501)
    await put(store, a_message(conversation, "Mon ordonnance", external_id=f"{DESK}:501:7"))
    await meet(store, NORA, BERNARD, DESK, 1, chosen=True)
    edit = a_chat_message("Mon ordonnance svp", message_id=7, edit=True)
    assert await account_spoken_to(store, DESK, 501, edit) == ROUX
    assert await account_spoken_to(store, DESK, 501, a_chat_message("Merci", replies_to=7)) == ROUX
    assert await account_spoken_to(store, DESK, 501, a_chat_message("Merci", replies_to=8)) is None
    assert await account_spoken_to(store, DESK, 501, a_chat_message("Une fuite")) is None
    # A forged reply reaches only accounts this very person writes to.
    assert await account_spoken_to(store, DESK, 502, a_chat_message("Merci", user_id=501, replies_to=7)) is None


async def test_an_address_belongs_to_one_contact(store: SqliteStore) -> None:
    known = await meet(store, PAUL)
    stored = await store.find_by(ADDRESS_BY_VALUE, ROUX, AddressKind.MAIL, PAUL.value)
    assert isinstance(stored, Address)
    assert stored.contact_id == known.contact.id
