"""A store with a long history, made in minutes: for the bench that asks whether history makes the desk slower.

A day of 10 000 conversations is made of documents as the desk leaves them;
further days are the same with other ids, addresses and dates. Days of an
embedded store are copied by SQLite itself. What is open, and who works, is the
same whatever the history: `LIVE` requests in the queue and in hands.
"""

# ruff: noqa: S608  # names come from the declarations of documents

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
import typing
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from inbox.accounts import unsorted_account
from inbox.assignment import weighs
from inbox.conversations import event
from inbox.machinery import Counter, DeskKey
from inbox.model import (
    Account,
    Address,
    AddressKind,
    AssignmentMode,
    Contact,
    Conversation,
    Cursor,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Direction,
    Draft,
    DraftState,
    Identity,
    Message,
    Presence,
    Receipt,
    ReceiptState,
    Role,
    Secretary,
    Shown,
    ShownKind,
    Status,
)
from inbox.notices import CardNotice, Letter
from inbox.parts import (
    AccountId,
    Because,
    BlobId,
    ChannelId,
    ContactId,
    ConversationId,
    DeliveryId,
    Document,
    DraftId,
    MessageId,
    ReceiptId,
    SecretaryId,
)
from inbox.store.base import Blob, Changes, Store
from inbox.store.documents import INDEXES
from inbox.store.sqlite import SqliteStore, sql

A_DAY = 10_000
"""Conversations of one day."""
MAIL = ChannelId("mail:cabinet")
DESK = ChannelId("telegram:desk")
ACCOUNTS = 10
BY_HAND = 2
"""So many of the accounts are taken by hand: what waits in the queue waits there."""
SECRETARIES = 20
HELD_BY_EACH = 12
CAPACITY = 1000
"""Nobody is ever full: every mail of an account that is dealt finds a holder."""
QUEUED = 300
LIVE = QUEUED + SECRETARIES * HELD_BY_EACH
TODAY = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
"""History ends here, well before the bench's clock."""
KEY = DeskKey(id="message-ids", secret=b"\x07" * 32)

Counted = dict[ChannelId, int]
"""How many receipts of each channel there are."""
Made = tuple[list[Document], list[Blob]]
"""What is kept together."""

_MARK = "5eed5eed"
"""How every id of the pattern day begins."""
_MARKED_DAY = datetime(2001, 2, 3, tzinfo=UTC)
_WORDS = """bonjour je vous écris au sujet de ma commande reçue hier matin elle est arrivée abîmée et il manque une
pièce pourriez vous me dire quand je recevrai le remplacement merci beaucoup cordialement"""


# ---------------------------------------------------------------- who is there


def accounts() -> dict[AccountId, Account]:
    """Ten firms that share one mailbox, and the unsorted lane."""
    firms = [
        Account(
            id=account_id(number),
            name=f"Cabinet {number}",
            language="fr",
            time_zone="Europe/Paris",
            identity=Identity(display_name=f"Cabinet {number}", from_address=address_of(number)),
            mailbox=MAIL,
            addresses=(address_of(number),),
            assignment=AssignmentMode.MANUAL if number < BY_HAND else AssignmentMode.AUTOMATIC,
        )
        for number in range(ACCOUNTS)
    ]
    return {firm.id: firm for firm in (*firms, unsorted_account("À attribuer", "fr", "Europe/Paris"))}


def account_id(number: int) -> AccountId:
    return AccountId(f"cabinet-{number % ACCOUNTS}")


def address_of(number: int) -> str:
    """Where clients write to an account."""
    return f"{account_id(number)}@desk.example"


def secretaries() -> list[Secretary]:
    """Everyone serves every account."""
    return [
        Secretary(
            id=SecretaryId(f"0a0a0a0a-0000-7000-8000-{number:012x}"),
            name=f"Secrétaire {number}",
            role=Role.SUPERVISOR if number == 0 else Role.SECRETARY,
            language="fr",
            telegram_user_id=7000 + number,
            chat_id=7000 + number,
            channel_id=DESK,
            capacity=CAPACITY,
            joined_at=TODAY - timedelta(days=365),
        )
        for number in range(SECRETARIES)
    ]


# ---------------------------------------------------------------- what was said


class Day:
    """One day's documents. The same number gives the same documents; ids increase in the order things happened.

    Args:
        mark: how its ids begin: the leading half of a UUIDv7's instant.
        received: how much each channel received before; what it receives that day is added.
        closed: whether what is made is over; else it waits in the queue or in hands.
    """

    def __init__(self, day: datetime, mark: str, first_number: int, received: Counted, *, closed: bool = True) -> None:
        self._day = day
        self._mark = mark
        self._first_number = first_number
        self._received = received
        self._closed = closed
        self._chance = random.Random(f"{mark}:{closed}")
        self._count = itertools.count()
        self._people = secretaries()
        self._known: dict[AccountId, list[tuple[Contact, str]]] = {}

    def _id(self) -> str:
        order = next(self._count)
        return (
            f"{self._mark}-{order >> 12:04x}-7{order & 0xFFF:03x}"
            f"-{0x8000 | self._chance.getrandbits(14):04x}-{self._chance.getrandbits(48):012x}"
        )

    def conversations(self, count: int) -> Iterator[Made]:
        """So many conversations, each with everything that belongs to it."""
        for number in range(count):
            yield self._conversation(number)

    def _words(self, count: int) -> str:
        return " ".join(self._chance.choices(_WORDS.split(), k=count))

    def _contact(self, account: AccountId, at: datetime) -> tuple[Contact, str, list[Document]]:
        """Somebody new two times in five, else somebody who wrote that day before."""
        known = self._known.setdefault(account, [])
        if known and self._chance.random() < 0.6:
            contact, address = self._chance.choice(known)
            return contact, address, []
        contact = Contact(id=ContactId(self._id()), account_id=account, name=f"Client {self._words(1)}", created_at=at)
        address = f"{contact.id}@example.net"
        known.append((contact, address))
        return (
            contact,
            address,
            [
                contact,
                Address(
                    id=self._id(),
                    account_id=account,
                    contact_id=contact.id,
                    kind=AddressKind.MAIL,
                    value=address,
                    channel_id=MAIL,
                    last_used_at=at,
                ),
            ],
        )

    def _receipt(
        self, channel: ChannelId, lane: str, conversation: Conversation, at: datetime, size: int
    ) -> tuple[Receipt, Blob]:
        blob = Blob(BlobId(self._id()), self._chance.randbytes(size // 2).hex().encode())
        receipt_id = ReceiptId(self._id())
        self._received[channel] = self._received.get(channel, 0) + 1
        receipt = Receipt(
            id=receipt_id,
            channel_id=channel,
            lane=lane,
            source_key=f"1:{receipt_id}",
            blob_id=blob.id,
            size=len(blob.data),
            sequence=self._received[channel],
            arrived_at=at,
            # one in twenty changed nothing: a copy, an old button
            state=ReceiptState.IGNORED if self._chance.random() < 0.05 else ReceiptState.HANDLED,
            waiting_in=None,
            ended_at=at,
            account_id=conversation.account_id,
            conversation_id=conversation.id,
        )
        return receipt, blob

    def _message(self, of: Conversation, position: int, author: Contact | Secretary, at: datetime) -> Message:
        ours = isinstance(author, Secretary)
        message_id = MessageId(self._id())
        return Message(
            id=message_id,
            account_id=of.account_id,
            conversation_id=of.id,
            position=position,
            direction=Direction.OUTBOUND if ours else Direction.INBOUND,
            channel_id=MAIL,
            author_id=author.id,
            author_name=author.name,
            author_address="" if ours else of.participants[0],
            subject=of.subject,
            text=self._words(10),
            external_id=f"{message_id}@example.net",
            recipients=of.participants if ours else (),
            created_at=at,
            seen_inbound=1 if ours else None,
        )

    def _conversation(self, number: int) -> Made:
        began = self._day + timedelta(seconds=7 * number)
        queued = not self._closed and number < QUEUED
        holder = self._people[number % SECRETARIES]
        account = account_id(number % BY_HAND if queued else number)
        contact, address, made = self._contact(account, began)
        spoke_again = self._closed and number % 5 == 0
        conversation = Conversation(
            id=ConversationId(self._id()),
            number=self._first_number + number,
            account_id=account,
            contact_id=contact.id,
            channel_id=MAIL,
            subject=self._words(4),
            status=Status.CLOSED if self._closed else Status.OPEN,
            assignee_id=None if queued else holder.id,
            assigned_at=None if queued else began,
            because=Because(key="because.by_hand" if queued else "because.longest_idle", args={"name": holder.name}),
            queued_at=began if queued else None,
            waiting_since_at=None if self._closed else began,
            opened_at=began,
            last_message_at=began + timedelta(minutes=50 if self._closed else 0),
            closed_at=began + timedelta(minutes=60) if self._closed else None,
            message_count=1 + self._closed + spoke_again,
            inbound_count=1 + spoke_again,
            participants=(address,),
        )
        first = self._message(conversation, 1, contact, began)
        receipt, blob = self._receipt(MAIL, "INBOX", conversation, began, 240)
        first = msgspec.structs.replace(first, receipt_id=receipt.id, blob_id=blob.id)
        blobs = [blob]
        made += [conversation, first, receipt]
        made += [self._event(kind, conversation, began) for kind in ("received", "assigned")]
        if not queued:
            made += self._card(conversation, holder, began)
        if self._closed:
            answer, letter = self._answer(conversation, holder, began + timedelta(minutes=40))
            made += answer
            blobs.append(letter)
            press, update = self._receipt(DESK, str(holder.chat_id), conversation, began + timedelta(minutes=40), 160)
            made.append(press)
            blobs.append(update)
        if spoke_again:
            again = self._message(conversation, 3, contact, began + timedelta(minutes=50))
            receipt, blob = self._receipt(MAIL, "INBOX", conversation, again.created_at, 240)
            made += [msgspec.structs.replace(again, receipt_id=receipt.id, blob_id=blob.id), receipt]
            blobs.append(blob)
        return made, blobs

    def _event(self, kind: str, of: Conversation, at: datetime) -> Document:
        return msgspec.structs.replace(event(kind, of, at), id=self._id())

    def _delivery(self, of: Conversation, at: datetime, payload: CardNotice | Letter, **fields: Any) -> Delivery:
        return Delivery(
            id=DeliveryId(self._id()),
            account_id=of.account_id,
            conversation_id=of.id,
            state=DeliveryState.SENT,
            due_at=None,
            attempts=1,
            payload=payload,
            created_at=at,
            ended_at=at,
            **fields,
        )

    def _card(self, of: Conversation, holder: Secretary, at: datetime) -> list[Document]:
        delivery = self._delivery(
            of,
            at,
            CardNotice(secretary_id=holder.id, conversation_id=of.id, fresh=True),
            kind=DeliveryKind.NOTICE,
            channel_id=DESK,
            lane=f"{DESK}:{holder.chat_id}",
            sent_as=str(of.number),
        )
        shown_id = self._id()
        shown = Shown(
            id=shown_id,
            secretary_id=holder.id,
            kind=ShownKind.CARD,
            message_key=f"{DESK}:{holder.chat_id}:{shown_id}",
            telegram_message_id=of.number,
            conversation_id=of.id,
            shown_inbound=1,
            fingerprint=self._chance.randbytes(32).hex(),
            current_key=f"{holder.id}:card:{of.id}",
            shown_at=at,
        )
        return [delivery, shown]

    def _answer(self, of: Conversation, holder: Secretary, at: datetime) -> tuple[list[Document], Blob]:
        said = self._message(of, 2, holder, at)
        letter = Blob(BlobId(self._id()), self._chance.randbytes(100).hex().encode())
        draft = Draft(
            id=DraftId(self._id()),
            account_id=of.account_id,
            conversation_id=of.id,
            author_id=holder.id,
            text=said.text,
            seen_inbound=1,
            state=DraftState.SENT,
            open_key=None,
            source_key=f"{holder.chat_id}:{self._id()}",
            message_id=said.id,
            created_at=at,
            updated_at=at,
        )
        delivery = self._delivery(
            of,
            at,
            Letter(sender=address_of(0), recipients=of.participants, blob_id=letter.id, message_id=said.external_id),
            message_id=said.id,
            kind=DeliveryKind.REPLY,
            channel_id=MAIL,
            lane=f"conversation:{of.id}",
            sent_as="250 2.0.0 queued",
        )
        return [said, *([] if of.number % 10 else [draft]), delivery, self._event("closed", of, at)], letter


def _mark_of(day: datetime) -> str:
    """How the ids made then begin (RFC 9562 §5.7: the instant in milliseconds)."""
    return f"{int(day.timestamp() * 1000) >> 16:08x}"


def _day_of(number: int, days: int) -> datetime:
    """Yesterday is the last."""
    midnight = TODAY.replace(hour=0)
    return midnight - timedelta(days=days - number)


# ---------------------------------------------------------------- whatever the history


def _people_and_live(conversations: int, received: Counted) -> Iterator[Made]:
    yield [KEY, *accounts().values()], []
    yield [Counter(id="conversation-number", next=conversations + LIVE + 1)], []
    holders: list[SecretaryId | None] = []
    day = Day(TODAY - timedelta(hours=2), _mark_of(TODAY), conversations + 1, received, closed=False)
    for documents, blobs in day.conversations(LIVE):
        holders += [d.assignee_id for d in documents if isinstance(d, Conversation) and weighs(d)]
        yield documents, blobs
    for secretary in secretaries():
        count = holders.count(secretary.id)
        yield (
            [
                secretary,
                Presence(id=secretary.id, on_duty=True, since_at=TODAY, open_count=count, last_assigned_at=TODAY),
            ],
            [],
        )


def _cursors(received: Counted) -> list[Cursor]:
    return [Cursor(id=channel, position="1", received=count, updated_at=TODAY) for channel, count in received.items()]


def _more_queued(count: int, conversations: int) -> Iterator[Made]:
    day = Day(TODAY - timedelta(days=3), _mark_of(TODAY - timedelta(days=3)), conversations + 10**6, {}, closed=False)
    for documents, _ in day.conversations(count):
        kept = [document for document in documents if isinstance(document, Contact | Address | Message)]
        [conversation] = [document for document in documents if isinstance(document, Conversation)]
        waits = msgspec.structs.replace(
            conversation,
            account_id=account_id(conversation.number % BY_HAND),
            assignee_id=None,
            queued_at=conversation.opened_at,
            waiting_since_at=conversation.opened_at,
        )
        yield [*kept, waits], []


# ---------------------------------------------------------------- any store


async def fill(store: Store, conversations: int) -> None:
    """The same through the store's own commits: for one that is small, or not SQLite's."""
    received: Counted = {}
    days = -(-conversations // A_DAY)
    for number in range(days):
        day, first = _day_of(number, days), number * A_DAY + 1
        count = min(A_DAY, conversations - first + 1)
        await _keep(store, Day(day, _mark_of(day), first, received).conversations(count))
    await _keep(store, _people_and_live(conversations, received))
    await store.commit(Changes(inserts=_cursors(received)))


async def queue_up(store: Store, count: int, conversations: int) -> None:
    """So many more wait in the queue, as if nobody had taken anything for days."""
    await _keep(store, _more_queued(count, conversations))


async def _keep(store: Store, made: Iterator[Made]) -> None:
    while batch := list(itertools.islice(made, 20)):
        documents = [document for each, _ in batch for document in each]
        await store.commit(Changes(inserts=documents, blobs=[blob for _, raw in batch for blob in raw]))


# ---------------------------------------------------------------- SQLite, by the million


def build(path: Path, conversations: int) -> None:
    """A new embedded store with this many closed conversations behind what is live; whole days of them."""
    if conversations % A_DAY:
        raise ValueError(f"{conversations} conversations are not whole days of {A_DAY}")
    asyncio.run(_make(path))
    days = conversations // A_DAY
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # If it is interrupted, it begins anew: nothing need be durable, or taken back.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000", "temp_store = FILE"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("ATTACH ':memory:' AS pattern")
        connection.execute("BEGIN")
        for index in INDEXES:  # made at the end, sorted: by the million that is minutes less
            connection.execute(f"DROP INDEX {sql.index_name(index)}")
        for name in (*(table.name for table in sql.TABLES.values()), "blob"):
            connection.execute(f"CREATE TABLE pattern.{name} AS SELECT * FROM main.{name} WHERE false")
        of_a_day: Counted = {}
        _insert(connection, "pattern", Day(_MARKED_DAY, _MARK, 1, of_a_day).conversations(A_DAY))
        copies = [_copied(table) for table in sql.TABLES.values()]
        copies.append("INSERT INTO main.blob (id, data) SELECT replace(id, :mark, :new_mark), data FROM pattern.blob")
        for number in range(days):
            day = _day_of(number, days)
            given = {
                "mark": _MARK,
                "new_mark": _mark_of(day),
                "date": _MARKED_DAY.date().isoformat(),
                "new_date": day.date().isoformat(),
                "later": (day - _MARKED_DAY) // timedelta(microseconds=1),
                "numbers": number * A_DAY,
                "mails": number * of_a_day[MAIL],
                "updates": number * of_a_day[DESK],
            }
            for copied in copies:
                connection.execute(copied, given)
        received = {channel: days * count for channel, count in of_a_day.items()}
        _insert(connection, "main", _people_and_live(conversations, received))
        _insert(connection, "main", [([*_cursors(received)], [])])
        for index in INDEXES:
            connection.execute(sql.create_index(index))
        for table in sql.TABLES.values():
            if table.words is not None:  # a row without words: the worker is not to go through them while we measure
                connection.execute(
                    f"INSERT INTO {table.name}__words (id, words) SELECT id, '' FROM {table.name} "
                    f"WHERE id NOT IN (SELECT id FROM {table.name}__words)"
                )
        connection.execute("COMMIT")


async def _make(path: Path) -> None:
    async with SqliteStore(path, exclusive=True):
        pass


def _insert(connection: sqlite3.Connection, schema: str, made: Iterable[Made]) -> None:
    into = f"INSERT INTO {schema}."
    for documents, blobs in made:
        for document in documents:
            table = sql.table(type(document))
            after = msgspec.structs.replace(document, version=1)
            connection.execute(table.insert.replace("INSERT INTO ", into), (*table.row(after), document.id))
        connection.executemany(f"{into}blob (id, data) VALUES (?, ?)", blobs)


def _copied(table: sql.Table[Any]) -> str:
    """The pattern day's documents of a kind as another day's: other ids, dates and numbers, in columns and bodies."""
    types = typing.get_type_hints(table.kind)
    body = "replace(replace(CAST(body AS TEXT), :mark, :new_mark), :date, :new_date)"
    counted = {
        "number": "number + :numbers",
        "sequence": f"sequence + CASE channel_id WHEN '{MAIL}' THEN :mails ELSE :updates END",
    }
    for field in counted.keys() & table.fields:
        body = f"""replace({body}, '"{field}":' || {field} || ',', '"{field}":' || ({counted[field]}) || ',')"""
    columns = {"id": "replace(id, :mark, :new_mark)", "version": "version", "body": f"CAST({body} AS BLOB)"}
    for field in table.fields:
        kinds = {types[field], *typing.get_args(types[field])}
        if datetime in kinds:
            columns[field] = f"{field} + :later"
        elif field in counted:
            columns[field] = counted[field]
        else:
            columns[field] = field if kinds & {int, bool} else f"replace({field}, :mark, :new_mark)"
    chosen = ", ".join(columns.values())
    return f"INSERT INTO main.{table.name} ({', '.join(columns)}) SELECT {chosen} FROM pattern.{table.name}"
