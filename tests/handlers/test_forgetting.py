"""Somebody who is forgotten is nowhere: no document, no raw form, no octet of the files; and nobody else is missing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import pytest

from bot.export import write_out
from bot.locales import Catalogue
from handlers.callbacks import Close, Release, Send, Ways
from handlers.forgetting import begin, forget
from inbox.blots import BLOT
from inbox.conversations import Numbers
from inbox.errors import Conflict, StillInUse
from inbox.forgetting import find_contacts, trace
from inbox.holdings import conversations_of, plain, share_of
from inbox.ledger import balance
from inbox.machinery import Forgotten
from inbox.model import (
    Address,
    AddressKind,
    BusinessConnection,
    Contact,
    Conversation,
    Cursor,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Direction,
    Draft,
    DraftState,
    Event,
    Message,
    Receipt,
    Revision,
    Shown,
    ShownKind,
    Topic,
    Way,
)
from inbox.notices import Letter, Post, SearchNotice, TextNotice
from inbox.outbox import card_for, notice
from inbox.parts import UNSORTED, Because, BlobId, ChannelId, Document, new_id
from inbox.personal import FIELDS, Holds
from inbox.receipts import arrived, handled, ignored, parked
from inbox.store.base import Blob, Changes, Store
from inbox.store.documents import KINDS
from inbox.store.sqlite import SqliteStore
from inbox.triage import Triage
from tests.builders import (
    BERNARD,
    DESK,
    KEY,
    MAIL,
    NOW,
    ROUX,
    a_contact,
    a_conversation,
    a_draft,
    a_file,
    a_mail,
    a_message,
    a_presence,
    a_reply,
    a_secretary,
    accounts,
    an_address,
    at,
)
from tests.handlers.owners import joined, passed_on, supervisor, wants
from tests.handlers.stage import Clock, Stage
from tests.handlers.test_business import doctor

D = TypeVar("D", bound=msgspec.Struct)
SECRET = "zqzq"
"""In every word of the person, and in nothing else."""
CHAT = 7_171_717_171
ADDRESS = "zqzq.paul@zqzq.example"
MARIE = "marie@example.net"


def clock() -> Any:
    return at(600)


class Words:
    """Puts a word of its own into every field that holds something of a client, as `inbox.personal` says it."""

    def __init__(self) -> None:
        self._count = 0
        self.given: list[str] = []

    def word(self) -> str:
        self._count += 1
        self.given.append(f"{SECRET}-{self._count}-é")
        return self.given[-1]

    def into(self, struct: D, **fixed: Any) -> D:
        fields = dict(fixed)
        for name, holds in FIELDS[type(struct)].items():
            value = getattr(struct, name)
            if name in fixed or holds not in (Holds.CLIENT, Holds.PARTS):
                continue
            fields[name] = self._value(value, holds)
        return msgspec.structs.replace(struct, **fields)

    def _value(self, value: Any, holds: Holds) -> Any:
        match value:
            case msgspec.Struct():
                return self.into(value)
            case tuple() if holds is Holds.PARTS:
                return tuple(self._value(v, holds) for v in value)
            case tuple():
                return (self.word(), *[self.word() for _ in value])
            case dict():
                return {name: self.word() for name in (*value, "more")}
            case str():
                return self.word()
        return value


class Told(NamedTuple):
    """What stands in the store: the person, and others who must not be missing afterwards."""

    person: Contact
    documents: list[Document]
    blobs: list[Blob]


def _raw(receipt: Receipt, said: str) -> Blob:
    return Blob(receipt.blob_id, said.encode())


def everything_of(words: Words, *, channel: ChannelId = MAIL) -> Told:
    """A person with a conversation by mail and one by Telegram, each with documents of every kind."""
    lea = a_secretary("Léa", telegram_user_id=901)
    person = words.into(a_contact("x", ROUX), language=f"{SECRET}")
    addresses = [
        an_address(person, ADDRESS),
        Address(
            id=new_id(),
            account_id=ROUX,
            contact_id=person.id,
            kind=AddressKind.TELEGRAM,
            value=str(CHAT),
            channel_id=DESK,
            chat_id=CHAT,
            last_used_at=NOW,
        ),
    ]
    documents: list[Document] = [lea, a_presence(lea, open_count=2), person, *addresses]
    blobs: list[Blob] = []
    for by_chat in (False, True):
        source = DESK if by_chat else MAIL
        conversation = a_conversation(
            person,
            channel_id=source,
            holder=lea,
            chat_id=CHAT if by_chat else None,
            participants=() if by_chat else (ADDRESS,),
        )
        conversation = msgspec.structs.replace(conversation, subject=words.word(), message_count=2)
        receipt = handled(
            arrived(source, str(CHAT) if by_chat else source, f"1:{by_chat}", 9, NOW), NOW, ROUX, conversation.id
        )
        again = ignored(
            arrived(source, str(CHAT) if by_chat else source, f"2:{by_chat}", 9, NOW),
            "received before",
            NOW,
            ROUX,
            conversation.id,
        )
        asked = words.into(
            a_message(conversation, attachments=(a_file(),), author_id=person.id),
            author_address=str(CHAT) if by_chat else ADDRESS,
            receipt_id=receipt.id,
            blob_id=receipt.blob_id,
            revisions=(Revision(text=words.word(), until_at=NOW),),
        )
        letter = BlobId(f"letter-{new_id()}")
        answer = words.into(
            a_message(conversation, direction=Direction.OUTBOUND, position=2, author_id=lea.id, author="Léa"),
            author_name="Léa",
            recipients=(ADDRESS,),
            blob_id=letter,
        )
        payload = (
            Post(chat_id=CHAT, text=words.word())
            if by_chat
            else Letter(sender="cabinet@roux.example", recipients=(ADDRESS,), blob_id=letter, message_id=words.word())
        )
        reply = words.into(a_reply(answer, DeliveryState.SENT, payload=payload, ended_at=NOW), payload=payload)
        unknown = words.into(a_reply(answer, DeliveryState.UNKNOWN, payload=payload), payload=payload)
        cancelled = words.into(
            a_reply(msgspec.structs.replace(answer, id=new_id()), DeliveryState.CANCELLED, payload=payload),
            payload=payload,
        )
        drafts = [
            words.into(a_draft(conversation, lea)),
            words.into(
                msgspec.structs.replace(
                    a_draft(conversation, lea), state=DraftState.SENT, open_key=None, message_id=answer.id
                )
            ),
            words.into(msgspec.structs.replace(a_draft(conversation, lea), state=DraftState.DISCARDED, open_key=None)),
        ]
        event = words.into(
            Event(
                id=new_id(),
                account_id=ROUX,
                conversation_id=conversation.id,
                at=NOW,
                kind="received",
                actor=person.id,
                detail={"message": asked.id},
            )
        )
        shown = Shown(
            id=new_id(),
            secretary_id=lea.id,
            kind=ShownKind.CARD,
            message_key=f"{DESK}:901:{by_chat}",
            telegram_message_id=1,
            conversation_id=conversation.id,
            shown_inbound=1,
            fingerprint="f",
            current_key=f"{lea.id}:card:{conversation.id}",
            shown_at=NOW,
        )
        topic = Topic(
            id=new_id(),
            conversation_id=conversation.id,
            secretary_id=lea.id,
            channel_id=DESK,
            chat_id=901,
            thread_id=7,
            thread_key=f"{DESK}:901:{conversation.id}",
            name=f"#7 {words.word()}",
        )
        # She pressed on the card of this one, and on the queue: both show words of the person.
        press = handled(arrived(DESK, "901", f"p:{by_chat}", 9, at(1)), at(1), ROUX, conversation.id)
        queue = handled(arrived(DESK, "901", f"q:{by_chat}", 9, at(1)), at(1), None, None)
        start = handled(arrived(DESK, str(CHAT), f"s:{by_chat}", 9, NOW), NOW, ROUX, None)
        odd = parked(arrived(MAIL, MAIL, f"odd:{by_chat}", 9, NOW), words.word(), NOW)
        greeting = msgspec.structs.replace(
            notice(
                TextNotice(chat_id=CHAT, language=SECRET, because=Because(key="client.welcome")),
                DESK,
                CHAT,
                NOW,
                kind=DeliveryKind.ACKNOWLEDGEMENT,
            ),
            state=DeliveryState.SENT,
            due_at=None,
            ended_at=NOW,
        )
        looked = notice(SearchNotice(secretary_id=lea.id, query=words.word()), DESK, lea.chat_id, NOW)
        looked = msgspec.structs.replace(looked, state=DeliveryState.SENT, due_at=None, ended_at=NOW)
        card = card_for(lea, conversation, NOW, fresh=True)
        documents += [
            conversation,
            receipt,
            again,
            asked,
            answer,
            reply,
            unknown,
            cancelled,
            *drafts,
            event,
            shown,
            topic,
            press,
            queue,
            start,
            odd,
            greeting,
            looked,
            card,
        ]
        said = json.dumps(words.word())
        blobs += [_raw(r, f"From: {ADDRESS} {words.word()} {said}") for r in (receipt, again, odd)]
        blobs += [_raw(r, f'{{"chat": {CHAT}, "text": {said}}}') for r in (press, queue, start)]
        blobs.append(Blob(letter, f"To: {ADDRESS}\r\n\r\n{words.word()}".encode()))
    return Told(person, documents, blobs)


async def put(store: Store, told: Told) -> None:
    """One document a commit: pages are split and rewritten as on a busy day."""
    for blob in told.blobs:
        await store.commit(Changes(blobs=[blob]))
    for document in told.documents:
        await store.commit(Changes(inserts=[document]))
    received: dict[ChannelId, int] = {}
    for document in told.documents:
        if isinstance(document, Receipt):
            received[document.channel_id] = received.get(document.channel_id, 0) + 1
    for channel, count in received.items():
        await store.commit(Changes(inserts=[Cursor(id=channel, position="1", received=count, updated_at=NOW)]))
    await store.commit(Changes(inserts=[KEY, *accounts().values()]))


async def words_left(store: Store) -> list[str]:
    """Where in the store a word of the person stands."""
    found: list[str] = []
    for kind, name in KINDS.items():
        after = ""
        while page := await store.scan(kind, after=after):
            for document in page:
                said = msgspec.json.encode(document).lower()
                if SECRET.encode() in said or str(CHAT).encode() in said:
                    found.append(f"{name}: {said.decode()}")
            after = page[-1].id
    after = ""
    while blobs := await store.list_blobs(after=after):
        for blob_id in blobs:
            raw = (await store.read_blob(blob_id)).lower()
            if SECRET.encode() in raw or str(CHAT).encode() in raw:
                found.append(f"blob: {raw!r}")
        after = blobs[-1]
    return found


def octets_left(path: Path) -> list[str]:
    """Which of the store's files still hold octets of the person."""
    files = [path, Path(f"{path}-wal"), Path(f"{path}-shm")]
    return [f.name for f in files if f.exists() and _holds(f.read_bytes())]


def _holds(octets: bytes) -> bool:
    lower = octets.lower()
    return SECRET.encode() in lower or str(CHAT).encode() in lower or SECRET.encode("utf-16-le") in lower


async def test_nothing_is_left_of_somebody_who_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    words = Words()
    told = everything_of(words)
    async with SqliteStore(path, exclusive=True) as store:
        await put(store, told)
        assert len(await words_left(store)) > 40
        before = await balance(store, [MAIL, DESK])
        await begin(store, await store.get(Contact, told.person.id), NOW)
        await forget(store, told.person.id, clock)
        assert await words_left(store) == []
        assert octets_left(path) != [], "the log holds what was before; or this test looks at nothing"
        await store.scrub()
        assert octets_left(path) == []
        assert await balance(store, [MAIL, DESK]) == before
        assert all(line.balanced for line in before)
        (event,) = await store.scan(Event)
        assert (event.kind, event.actor, event.actor_name, event.detail, event.conversation_id) == (
            "forgotten",
            "",
            "",
            {},
            None,
        )
        forgotten = await store.get(Forgotten, told.person.id)
        assert forgotten.erased_at == clock()
    assert octets_left(path) == []


async def snapshot(store: Store) -> dict[tuple[str, str], Document]:
    """Everything there is, but for what erasing itself writes."""
    found: dict[tuple[str, str], Document] = {}
    for kind, name in KINDS.items():
        after = ""
        while page := await store.scan(kind, after=after):
            found |= {(name, document.id): document for document in page}
            after = page[-1].id
    return found


def somebody_else(account_id: Any = ROUX, *, address: str = "nora@example.net", name: str = "Nora Petit") -> Told:
    """Another person, with words of their own."""
    contact = a_contact(name, account_id)
    conversation = a_conversation(contact, account_id=account_id, participants=(address,), subject="Autre chose")
    receipt = handled(arrived(MAIL, MAIL, new_id(), 9, NOW), NOW, account_id, conversation.id)
    message = msgspec.structs.replace(
        a_message(conversation, "Mot de Nora", author_id=contact.id, address=address, author=name),
        receipt_id=receipt.id,
        blob_id=receipt.blob_id,
    )
    documents = [
        contact,
        an_address(contact, address),
        msgspec.structs.replace(conversation, queued_at=None, waiting_since_at=None),
        receipt,
        message,
    ]
    return Told(contact, list(documents), [_raw(receipt, "Mot de Nora")])


async def test_whoever_is_not_forgotten_keeps_everything_and_so_does_the_same_person_under_another_account(
    tmp_path: Path,
) -> None:
    told, nora = everything_of(Words()), somebody_else()
    elsewhere = somebody_else(BERNARD, address=ADDRESS, name="Zqzq Paul")
    async with SqliteStore(tmp_path / "desk.db") as store:
        every = Told(
            told.person,
            [*told.documents, *nora.documents, *elsewhere.documents],
            [*told.blobs, *nora.blobs, *elsewhere.blobs],
        )
        await put(store, every)
        before = await snapshot(store)
        await begin(store, await store.get(Contact, told.person.id), NOW)
        await forget(store, told.person.id, clock)
        after = await snapshot(store)
        for other in (nora, elsewhere):
            for document in other.documents:
                (name,) = [n for k, n in KINDS.items() if k is type(document)]
                assert after[name, document.id] == before[name, document.id]
            for blob in other.blobs:
                assert await store.read_blob(blob.id) == blob.data
        assert await find_contacts(store, ADDRESS, None) == [before["contact", elsewhere.person.id]]


async def test_a_long_life_of_changes_leaves_no_octet_behind(tmp_path: Path) -> None:
    """Bodies that grow and shrink leave copies in free blocks and pages, unless each is overwritten as it goes."""
    path = tmp_path / "desk.db"
    words = Words()
    told = everything_of(words)
    async with SqliteStore(path, exclusive=True) as store:
        await put(store, told)
        for round_ in range(40):
            nora = somebody_else(address=f"nora{round_}@example.net")
            await store.commit(Changes(inserts=nora.documents, blobs=nora.blobs))
            for document in told.documents:
                if isinstance(document, Message | Draft):
                    newest = await store.get(type(document), document.id)
                    size = (round_ * 37 % 11) * 900
                    changed = msgspec.structs.replace(newest, text=f"{words.word()} " * (1 + size // 12))
                    await store.commit(Changes(replacements=[changed]))
            if round_ % 7 == 3:
                await store.scrub()  # as the worker's log is copied into the file now and then
        await begin(store, await store.get(Contact, told.person.id), NOW)
        await forget(store, told.person.id, clock)
        await store.scrub()
        assert await words_left(store) == []
        assert octets_left(path) == []
        assert await store.verify() == []


async def with_a_colleague(store: Store) -> tuple[Contact, Contact, Conversation, list[Message]]:
    """A matter that the person began and Marie, who was copied in, went on with."""
    paul = a_contact("Zqzq Paul")
    marie = a_contact("Marie Blanc")
    conversation = a_conversation(paul, subject="zqzq: ma facture", participants=(ADDRESS, MARIE))
    conversation = msgspec.structs.replace(conversation, message_count=4, inbound_count=2)
    receipts = [handled(arrived(MAIL, MAIL, str(n), 9, NOW), NOW, ROUX, conversation.id) for n in range(2)]
    first = msgspec.structs.replace(
        a_message(
            conversation,
            "zqzq, ma facture ?",
            author="Zqzq Paul",
            author_id=paul.id,
            address=ADDRESS,
            external_id="one@zqzq.example",
        ),
        receipt_id=receipts[0].id,
        blob_id=receipts[0].blob_id,
        recipients=(MARIE,),
    )
    told_paul = msgspec.structs.replace(
        a_message(conversation, "Bonjour zqzq", direction=Direction.OUTBOUND, position=2), recipients=(ADDRESS,)
    )
    second = msgspec.structs.replace(
        a_message(
            conversation,
            f"Je suis sa collègue ; écrivez à {ADDRESS}.",
            author="Marie Blanc",
            author_id=marie.id,
            address=MARIE,
            external_id="two@example.net",
            references=("one@zqzq.example", "zero@example.net"),
            position=3,
        ),
        receipt_id=receipts[1].id,
        blob_id=receipts[1].blob_id,
        recipients=(ADDRESS, "other@example.net"),
        subject="La facture",
    )
    told_marie = msgspec.structs.replace(
        a_message(conversation, "Bonjour Marie", direction=Direction.OUTBOUND, position=4), recipients=(MARIE,)
    )
    raw = (
        f"From: Marie <{MARIE}>\r\nTo: =?utf-8?q?Zqzq_Paul?= <{ADDRESS}>,\r\n"
        f' "Zqzq Paul" <{ADDRESS}>, Anne <other@example.net>\r\n'
        f"References: <one@zqzq.example>\r\n\r\nEcrivez à {ADDRESS.upper()} ou jean-{ADDRESS}.\r\n"
    ).encode()
    addresses = [an_address(who, value) for who, value in ((paul, ADDRESS), (marie, MARIE))]
    await store.commit(
        Changes(
            inserts=[
                KEY,
                *accounts().values(),
                paul,
                marie,
                *addresses,
                conversation,
                *receipts,
                first,
                told_paul,
                second,
                told_marie,
            ],
            blobs=[_raw(receipts[0], "zqzq"), Blob(receipts[1].blob_id, raw)],
        )
    )
    return paul, marie, conversation, [first, told_paul, second, told_marie]


async def test_what_a_colleague_wrote_stays_hers_without_the_person(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        paul, marie, conversation, messages = await with_a_colleague(store)
        await begin(store, await store.get(Contact, paul.id), NOW)
        await forget(store, paul.id, clock)
        after = await store.get(Conversation, conversation.id)
        assert (after.contact_id, after.subject, after.participants) == (marie.id, "La facture", (MARIE,))
        left = {m.id: m for m in await store.scan(Message)}
        assert set(left) == {messages[2].id, messages[3].id}
        hers = left[messages[2].id]
        assert hers.text == f"Je suis sa collègue ; écrivez à {BLOT}."
        assert hers.recipients == ("other@example.net",)
        assert hers.references == ("zero@example.net",)
        assert (hers.author_name, hers.author_address, hers.external_id) == ("Marie Blanc", MARIE, "two@example.net")
        raw = await store.read_blob(hers.blob_id or BlobId(""))
        assert f"From: Marie <{MARIE}>".encode() in raw
        assert b"Anne <other@example.net>" in raw
        assert b"<one@" not in raw
        # Somebody else's address that only ends like theirs is somebody else's.
        assert raw.lower().count(SECRET.encode()) == raw.lower().count(f"jean-{ADDRESS}".encode()) * 2 == 2
        receipt = await store.get(Receipt, hers.receipt_id or "")
        assert (receipt.blob_id, receipt.size) == (hers.blob_id, 9)


async def test_whoever_was_only_copied_in_is_taken_out_of_others_conversations(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        paul, marie, conversation, messages = await with_a_colleague(store)
        await begin(store, await store.get(Contact, marie.id), NOW)
        await forget(store, marie.id, clock)
        after = await store.get(Conversation, conversation.id)
        assert (after.contact_id, after.participants) == (paul.id, (ADDRESS,))
        assert {m.id for m in await store.scan(Message)} == {messages[0].id, messages[1].id}
        assert (await store.get(Message, messages[0].id)).recipients == ()


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.DUE, DeliveryState.LEASED])
async def test_nobody_is_forgotten_while_a_reply_to_them_is_leaving(tmp_path: Path, state: DeliveryState) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        paul, _, _, messages = await with_a_colleague(store)
        reply = a_reply(
            messages[1],
            state,
            payload=Letter(sender="c@roux.example", recipients=(ADDRESS,), blob_id=BlobId("l"), message_id="x"),
        )
        await store.commit(Changes(inserts=[reply]))
        before = await snapshot(store)
        with pytest.raises(StillInUse, match="a reply has not left yet"):
            await begin(store, await store.get(Contact, paul.id), NOW)
        assert await snapshot(store) == before
        sent = msgspec.structs.replace(
            await store.get(Delivery, reply.id), state=DeliveryState.SENT, due_at=None, lease_until_at=None
        )
        await store.commit(Changes(replacements=[sent]))
        await begin(store, await store.get(Contact, paul.id), NOW)


class Dies(SqliteStore):
    """A store whose process is gone at one of its commits."""

    def __init__(self, path: Path, at_commit: int) -> None:
        super().__init__(path)
        self._left = at_commit

    async def commit(self, changes: Changes) -> None:
        if self._left == 0:
            raise asyncio.CancelledError
        self._left -= 1
        await super().commit(changes)


async def test_broken_off_at_any_commit_it_is_ended_by_whoever_comes(tmp_path: Path) -> None:
    told, nora = everything_of(Words()), somebody_else()
    commits = 0
    while True:
        path = tmp_path / f"{commits}.db"
        async with SqliteStore(path) as store:
            await put(store, Told(told.person, [*told.documents, *nora.documents], [*told.blobs, *nora.blobs]))
            untouched = [await store.get(type(d), d.id) for d in nora.documents]
        died = False
        async with Dies(path, commits) as dying:
            try:
                await begin(dying, await dying.get(Contact, told.person.id), NOW)
                await forget(dying, told.person.id, clock)
            except asyncio.CancelledError:
                died = True
        async with SqliteStore(path) as store:
            if await store.find(Forgotten, told.person.id) is None:
                await begin(store, await store.get(Contact, told.person.id), NOW)
            await forget(store, told.person.id, clock)
            await forget(store, told.person.id, clock)
            assert await words_left(store) == []
            assert [await store.get(type(d), d.id) for d in nora.documents] == untouched
            assert [e.kind for e in await store.scan(Event)] == ["forgotten"]
            assert all(line.balanced for line in await balance(store, [MAIL, DESK]))
        commits += 1
        if not died:
            break
    assert commits > 5


async def test_what_was_erased_is_known_should_the_mail_server_hand_it_over_again(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        await store.commit(Changes(inserts=[KEY, *accounts().values()]))
        triage = Triage(store, KEY, Numbers(store), accounts())
        envelope = a_mail(message_id="again@example.net")

        async def arrives(key: str, mail: Any) -> Any:
            receipt = arrived(MAIL, MAIL, key, 9, NOW)
            await store.commit(Changes(inserts=[receipt], blobs=[_raw(receipt, "x")]))
            receipt = await store.get(Receipt, receipt.id)
            taken = await triage.take_in(receipt, mail, ROUX, NOW)
            end = (
                handled(receipt, NOW, ROUX, taken.conversation_id)
                if taken.ignored is None
                else ignored(receipt, taken.ignored, NOW, ROUX)
            )
            await store.commit(taken.changes + Changes(replacements=[end]))
            return taken

        first = await arrives("1", envelope)
        assert first.ignored is None
        (contact,) = await find_contacts(store, "paul.martin@example.net", None)
        await begin(store, contact, NOW)
        await forget(store, contact.id, clock)
        again = await arrives("2", envelope)
        assert again.ignored == "received before, and erased since"
        assert await find_contacts(store, "paul.martin@example.net", None) == []
        other_words = await arrives("3", a_mail("Tout autre chose", message_id="again@example.net"))
        assert other_words.ignored is None, "a scanner that uses its Message-IDs again must not be silenced"


async def test_a_mail_that_arrives_in_the_middle_makes_somebody_we_do_not_know(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        await store.commit(Changes(inserts=[KEY, *accounts().values()]))
        triage = Triage(store, KEY, Numbers(store), accounts())
        receipts = [arrived(MAIL, MAIL, str(n), 9, NOW) for n in range(2)]
        await store.commit(Changes(inserts=receipts, blobs=[_raw(r, "x") for r in receipts]))
        stored = [await store.get(Receipt, r.id) for r in receipts]
        first = await triage.take_in(stored[0], a_mail(), ROUX, NOW)
        await store.commit(first.changes + Changes(replacements=[handled(stored[0], NOW, ROUX, first.conversation_id)]))
        # Decided before the person is forgotten, committed after.
        second = await triage.take_in(stored[1], a_mail("Encore moi"), ROUX, NOW)
        (contact,) = await find_contacts(store, "paul.martin@example.net", None)
        await begin(store, contact, NOW)
        erasing = asyncio.create_task(forget(store, contact.id, clock))
        await asyncio.sleep(0)
        await store.commit(Changes(replacements=[ignored(stored[1], "nothing", NOW)]))
        await erasing
        with pytest.raises(Conflict):
            await store.commit(second.changes)


async def test_what_placing_a_request_left_in_the_unsorted_lane_goes_too(tmp_path: Path) -> None:
    told = everything_of(Words())
    left = a_contact("zqzq left behind", UNSORTED)
    known = an_address(left, ADDRESS)
    async with SqliteStore(tmp_path / "desk.db") as store:
        await put(store, Told(told.person, [*told.documents, left, known], told.blobs))
        await begin(store, await store.get(Contact, told.person.id), NOW)
        await forget(store, told.person.id, clock)
        assert await words_left(store) == []


async def test_their_share_of_what_we_hold_names_nobody_else(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        paul, marie, _, messages = await with_a_colleague(store)
        traces = await trace(store, await store.get(Contact, marie.id))
        (found,) = [c async for c in conversations_of(store, traces)]
        share = await share_of(store, traces, found)
        assert [m.id for m in share.messages] == [messages[2].id, messages[3].id]
        assert share.others == 2
        shown = json.dumps([plain(d, traces) for d in (found, *share.messages, *share.events)])
        assert "Je suis sa" in shown
        assert paul.name not in shown
        assert "ma facture ?" not in shown


async def test_what_those_we_work_for_pressed_goes_with_the_client_it_shows_and_their_own_requests_stay(
    stage: Stage, clock: Clock
) -> None:
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    await wants(helene, Way.TELEGRAM)
    lea = await stage.join("Léa")
    helene.writes("Pouvez-vous rappeler le laboratoire ?")
    await lea.sees("le laboratoire", kind=Release)
    await passed_on(lea, "Mme Zqzq, 06 12 34 56 78, une douleur zqzq")
    await helene.forges(await helene.sees("Message pour", "Zqzq"), Ways(way=""))
    await stage.quiet()
    called = await stage.store.get(Contact, (await stage.conversation(2)).contact_id)
    await begin(stage.store, called, clock())
    await forget(stage.store, called.id, clock)
    left = [await stage.store.read_blob(blob_id) for blob_id in await stage.store.list_blobs()]
    assert not [raw for raw in left if b"zqzq" in raw.lower()]
    assert any(b"le laboratoire" in raw for raw in left)
    assert await words_left(stage.store) == []
    assert await stage.ledger_is_balanced()


async def test_nothing_is_left_of_what_somebody_wrote_in_the_own_telegram_of_whom_we_work_for(
    stage: Stage, clock: Clock
) -> None:
    lea, helene, person = await stage.join("Léa"), await doctor(stage), stage.client(CHAT, "Zqzq")
    written, edited, deleted = "Je viens à 9 h, zqzq", "Je viens à 10 h, zqzq", "Mon code est zqzq"
    person.user.writes_to(helene.user, written)
    await lea.sees(written, kind=Close)
    person.user.writes_to(helene.user, deleted)
    await lea.sees(deleted, kind=Close)
    first, second = (m["message_id"] for m in helene.user.talk_with(person.user))
    person.user.edits_to(helene.user, first, edited)
    await lea.sees(edited, kind=Close)
    person.user.deletes_with(helene.user, second)
    await lea.sees(deleted, "supprimé", kind=Close)
    helene.user.writes_to(person.user, "Entendu")
    await lea.sees("Entendu")
    # They connect a Telegram of their own, for which nobody here works; and something of theirs cannot be read.
    person.user.connect()
    stage.telegram.inject({"business_message": {"message_id": 1, "chat": {"id": CHAT, "type": "private"}}})
    await stage.quiet()
    for blob_id in await stage.store.list_blobs():
        raw = await stage.store.read_blob(blob_id)
        assert b'"business_connection":' not in raw or b"Zqzq" not in raw, "nobody here works for them"
    contact = await stage.store.get(Contact, (await stage.conversation()).contact_id)
    traces = await trace(stage.store, contact)
    files: dict[str, bytes] = {}

    class _Files:
        def write(self, name: str, data: bytes) -> None:
            files[name] = data

    account = stage.desk.accounts[ROUX]
    assert await write_out(stage.store, traces, account, stage.desk.channels, Catalogue(), _Files()) == 1
    told = b"".join(files.values()).decode()
    assert all(words in told for words in (written, edited, deleted))
    await begin(stage.store, contact, clock())
    await forget(stage.store, contact.id, clock)
    assert await words_left(stage.store) == []
    kept = await stage.store.scan(BusinessConnection)
    assert [connection.telegram_user_id for connection in kept] == [701], "hers stays"
    assert await stage.ledger_is_balanced()


async def test_a_colleague_of_the_same_first_name_loses_nothing_that_is_parked(stage: Stage, clock: Clock) -> None:
    await stage.join("Zoé")
    person = stage.client(CHAT, "Zoé")
    person.user.start(ROUX)
    person.writes("Bonjour")
    await stage.quiet()
    colleague = {"id": 502, "is_bot": False, "first_name": "Zoé"}
    stage.telegram.inject(
        {"message": {"message_id": 5, "from": colleague, "chat": {"id": 502, "type": "private"}, "text": {}}}
    )
    await stage.quiet()
    (parked,) = await stage.receipts(DESK, "parked")
    contact = await stage.store.get(Contact, (await stage.conversation()).contact_id)
    await begin(stage.store, contact, clock())
    await forget(stage.store, contact.id, clock)
    assert (await stage.store.get(Receipt, parked.id)).erased_at is None
    assert await stage.store.read_blob(parked.blob_id)


async def test_who_is_forgotten_while_something_leaves_stops_nothing(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Bonjour")
    lea.writes("Voici.", to=await lea.sees("Bonjour", kind=Release))
    stage.letters.open.clear()
    preview = await lea.sees("Aperçu", "Voici.", kind=Send)
    press = asyncio.create_task(lea.presses(preview, Send))
    await stage.letters.leaving.wait()
    (leased,) = await stage.replies("leased")
    await stage.store.commit(Changes(deletions=[leased]))
    stage.letters.open.set()
    await press
    await stage.mail("Encore moi", sender="Jean <jean@example.net>", subject="Autre")
    await lea.sees("Encore moi", kind=Release)
