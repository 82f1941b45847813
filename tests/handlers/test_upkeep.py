"""What has been kept long enough goes, a little at a time; what is still needed stays, and the ledger balances."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from channels.base import Arrival
from handlers.desk import Desk
from handlers.incoming import accepting
from handlers.upkeep import Leaps, Upkeep, keep_tidy
from inbox.calls import begun
from inbox.erasure import MOST_AT_ONCE
from inbox.errors import InvalidTransition
from inbox.invitations import invite
from inbox.ledger import balance, replay
from inbox.machinery import Forgotten, Lease
from inbox.model import (
    Contact,
    Conversation,
    Cursor,
    Delivery,
    DeliveryState,
    Event,
    Instruction,
    Invitation,
    Message,
    PrincipalInvitation,
    Receipt,
    ReceiptState,
    Role,
    Shown,
    ShownKind,
    Slip,
    Status,
)
from inbox.outbox import card_for
from inbox.parts import AccountId, BlobId, Document, new_id
from inbox.receipts import arrived, handled, ignored, parked
from inbox.store.base import Blob, Changes, Store
from inbox.store.sqlite import SqliteStore
from inbox.words import Sought
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
    a_message,
    a_reply,
    a_secretary,
    accounts,
    an_address,
)
from tests.handlers.stage import a_desk
from tests.handlers.test_business import principal

YEAR = timedelta(days=365)
LATER = NOW + YEAR + timedelta(days=31)


def desk(store: Store, *, days: int | None = 365, clock: Callable[[], datetime] = lambda: LATER) -> Desk:
    """The doctor's conversations are kept for a year, the plumber's for ever."""
    kept = accounts() | {ROUX: msgspec.structs.replace(accounts()[ROUX], retention_days=days)}
    return replace(a_desk(store, clock=clock), accounts=kept)


class Matter:
    """A closed conversation with all that hangs on it."""

    def __init__(self, account: AccountId = ROUX, *, closed_at: datetime = NOW, contact: Contact | None = None) -> None:
        lea = a_secretary()
        self.contact = contact or a_contact(account_id=account)
        about = a_conversation(self.contact, account_id=account, waiting=False, participants=("p@example.net",))
        self.conversation = msgspec.structs.replace(
            about, status=Status.CLOSED, closed_at=closed_at, queued_at=None, last_message_at=closed_at
        )
        self.receipt = handled(arrived(MAIL, MAIL, new_id(), 5, closed_at), closed_at, account, about.id)
        self.message = msgspec.structs.replace(
            a_message(about, author_id=self.contact.id), receipt_id=self.receipt.id, blob_id=self.receipt.blob_id
        )
        self.address = an_address(self.contact, f"{self.contact.id}@example.net", used_at=closed_at)
        self.reply = a_reply(self.message, DeliveryState.SENT, ended_at=closed_at)
        event = Event(id=new_id(), account_id=account, conversation_id=about.id, at=closed_at, kind="closed")
        self.documents: list[Document] = [self.conversation, self.receipt, self.message, self.reply, event]
        self.documents += [a_draft(about, lea), *([] if contact else [self.contact, self.address])]
        self.blobs = [Blob(self.receipt.blob_id, b"words")]

    async def put(self, store: Store) -> None:
        await store.commit(Changes(inserts=self.documents, blobs=self.blobs))

    async def left(self, store: Store) -> set[str]:
        """The kinds of what is still there."""
        found = {type(d).__name__ for d in self.documents if await store.find(type(d), d.id) is not None}
        return found | ({"raw"} if self.receipt.blob_id in await store.list_blobs() else set())


WHOLE = {"Conversation", "Receipt", "Message", "Delivery", "Event", "Draft", "Contact", "Address", "raw"}


async def test_what_was_closed_long_enough_ago_goes_whole_and_only_its_line_in_the_ledger_stays(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        old, recent, of_bernard = Matter(), Matter(closed_at=LATER - YEAR + timedelta(hours=1)), Matter(BERNARD)
        for matter in (old, recent, of_bernard):
            await matter.put(store)
        await store.commit(Changes(inserts=[Cursor(id=MAIL, position="1", received=3, updated_at=NOW)]))
        before = await balance(store, [MAIL])
        await Upkeep(desk(store)).erase_outdated()
        assert await old.left(store) == {"Receipt"}
        assert await recent.left(store) == WHOLE
        assert await of_bernard.left(store) == WHOLE
        assert await balance(store, [MAIL]) == before
        assert before[0].balanced
        receipt = await store.get(Receipt, old.receipt.id)
        assert (receipt.state, receipt.source_key) == (ReceiptState.HANDLED, old.receipt.source_key)
        assert (receipt.erased_at, receipt.conversation_id, receipt.account_id) == (LATER, None, ROUX)


async def test_nothing_goes_where_nothing_is_set(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        matter = Matter()
        await matter.put(store)
        await Upkeep(desk(store, days=None)).erase_outdated()
        assert await matter.left(store) == WHOLE


async def test_whoever_wrote_again_stays_a_contact(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        old = Matter()
        again = Matter(contact=old.contact, closed_at=LATER)
        for matter in (old, again):
            await matter.put(store)
        await Upkeep(desk(store)).erase_outdated()
        assert await old.left(store) == {"Receipt", "Contact", "Address"}
        assert await again.left(store) == WHOLE - {"Contact", "Address"}


@pytest.mark.parametrize("state", [s for s in DeliveryState if s not in (DeliveryState.SENT, DeliveryState.CANCELLED)])
async def test_a_reply_that_has_not_ended_keeps_its_conversation(tmp_path: Path, state: DeliveryState) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        matter = Matter()
        await matter.put(store)
        await store.commit(Changes(inserts=[a_reply(matter.message, state)]))
        await Upkeep(desk(store)).erase_outdated()
        assert await matter.left(store) == WHOLE


async def test_one_that_is_open_again_stays(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        matter = Matter()
        await matter.put(store)
        stored = await store.get(Conversation, matter.conversation.id)
        await store.commit(Changes(replacements=[msgspec.structs.replace(stored, status=Status.OPEN, closed_at=None)]))
        await Upkeep(desk(store)).erase_outdated()
        assert await matter.left(store) == WHOLE


async def test_a_very_long_conversation_goes_in_several_commits(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        matter = Matter()
        more = [
            msgspec.structs.replace(matter.message, id=new_id(), position=n + 2, external_id=f"{n}@x", blob_id=None)
            for n in range(MOST_AT_ONCE + 20)
        ]
        await matter.put(store)
        await store.commit(Changes(inserts=more))
        await Upkeep(desk(store)).erase_outdated()
        assert await store.scan(Message) == []
        assert await matter.left(store) == {"Receipt"}


async def test_an_erased_receipt_is_known_when_it_comes_again_and_cannot_be_replayed(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        matter = Matter()
        await matter.put(store)
        await store.commit(Changes(inserts=[Cursor(id=MAIL, position="1", received=1, updated_at=NOW)]))
        running = desk(store)
        await Upkeep(running).erase_outdated()
        assert matter.receipt.source_key is not None
        await accepting(running, MAIL)([Arrival(matter.receipt.source_key, "INBOX", b"words")], "2")
        (line,) = await balance(store, [MAIL])
        assert (line.received, line.balanced) == (1, True)
        end = ignored(await store.get(Receipt, matter.receipt.id), "ignored", NOW)
        with pytest.raises(InvalidTransition, match=r"error\.raw_erased"):
            replay(end, NOW)


async def test_an_update_whose_number_was_an_erased_ones_is_received(tmp_path: Path) -> None:
    """Telegram begins its numbers anew after a week of silence."""
    async with SqliteStore(tmp_path / "desk.db") as store:
        matter = Matter()
        by_chat = msgspec.structs.replace(matter.receipt, channel_id=DESK, lane="501", source_key="77")
        matter.documents[1] = by_chat
        await matter.put(store)
        await store.commit(Changes(inserts=[Cursor(id=DESK, position="1", received=1, updated_at=NOW)]))
        running = desk(store)
        await Upkeep(running).erase_outdated()
        assert (await store.get(Receipt, by_chat.id)).lane == DESK, "a chat's number is its user's"
        await accepting(running, DESK)([Arrival("77", "501", b"{}")], "2")
        (line,) = await balance(store, [DESK])
        assert (line.received, line.waiting, line.balanced) == (2, 1, True)


async def test_what_is_of_no_use_any_more_goes_and_what_is_stays(tmp_path: Path) -> None:
    lea = a_secretary("Léa", telegram_user_id=901)
    contact = a_contact()
    open_one, closed_one = a_conversation(contact), Matter(BERNARD).conversation

    def a_card(ended: datetime | None, state: DeliveryState = DeliveryState.SENT) -> Delivery:
        due = card_for(lea, open_one, NOW, fresh=True)
        return msgspec.structs.replace(due, state=state, due_at=None, ended_at=ended)

    def a_screen(about: Conversation, at: datetime, *, current: bool) -> Shown:
        # An id tells when it was made.
        made = f"{int(at.timestamp() * 1000):012x}"
        unique = new_id()
        return Shown(
            id=f"{made[:8]}-{made[8:]}-{unique[14:]}",
            secretary_id=lea.id,
            kind=ShownKind.CARD,
            message_key=unique,
            telegram_message_id=1,
            conversation_id=about.id,
            shown_inbound=1,
            fingerprint="f",
            current_key=unique if current else None,
            shown_at=at,
        )

    def an_invitation(expires: datetime, used: datetime | None = None) -> Invitation:
        made = invite(Role.SECRETARY, token=new_id(), now=NOW, lifetime=timedelta(hours=1))
        return msgspec.structs.replace(made, expires_at=expires, used_at=used)

    def a_link(expires: datetime) -> PrincipalInvitation:
        return PrincipalInvitation(
            id=new_id(),
            account_id=ROUX,
            token_hash=new_id(),
            invited_by=lea.id,
            created_at=NOW,
            expires_at=expires,
        )

    def an_instruction(at: datetime, *, stands: bool) -> Instruction:
        return Instruction(
            id=new_id(),
            account_id=ROUX,
            given_by=lea.id,
            giver_name="Léa",
            created_at=at,
            standing=ROUX if stands else None,
        )

    def a_slip(at: datetime) -> Slip:
        return msgspec.structs.replace(begun(ROUX, lea, at), words="Mme Durand")

    def aged(receipt: Receipt, at: datetime) -> Receipt:
        made = f"{int(at.timestamp() * 1000):012x}"
        return msgspec.structs.replace(receipt, id=f"{made[:8]}-{made[8:]}-{receipt.id[14:]}", arrived_at=at)

    def came(lane: str, at: datetime, end: str = "handled", about: Conversation | None = None) -> Receipt:
        new = aged(arrived(DESK, lane, new_id(), 5, at), at)
        ends = {"handled": handled(new, at, None, about.id if about else None), "parked": parked(new, "a bug", at)}
        return ends[end]

    day = timedelta(days=1)
    gone: list[Document] = [
        a_slip(LATER - 31 * day),
        a_card(LATER - 15 * day),
        a_card(LATER - 15 * day, DeliveryState.DEAD),
        a_screen(open_one, LATER - 91 * day, current=False),
        a_screen(closed_one, LATER - 91 * day, current=True),
        an_invitation(LATER - 31 * day),
        an_invitation(LATER + day, used=LATER - 31 * day),
        a_link(LATER - 31 * day),
        an_instruction(LATER - 91 * day, stands=False),
    ]
    kept: list[Document] = [
        a_slip(LATER - 29 * day),
        a_card(LATER - 13 * day),
        a_screen(open_one, LATER - 91 * day, current=True),
        a_screen(open_one, LATER - 89 * day, current=False),
        an_invitation(LATER - 29 * day),
        an_invitation(LATER + day),
        a_link(LATER - 29 * day),
        an_instruction(LATER - 89 * day, stands=False),
        an_instruction(LATER - 91 * day, stands=True),
    ]
    old = LATER - 31 * day
    # What a secretary pressed, what somebody pressed in a group of the desk, and what a principal did; not what that
    # one, or a client, asked for.
    raw_gone = [came("901", old), came("-1007", old), came("701", old), came("702", old)]
    raw_kept = [
        came("901", LATER - 29 * day),
        came("701", LATER - 29 * day),
        came("901", old, "parked"),
        came("777", old),
        came("701", old, about=open_one),
    ]
    receipts = [*raw_gone, *raw_kept]
    async with SqliteStore(tmp_path / "desk.db") as store:
        people = [lea, principal(701), msgspec.structs.replace(principal(702), active=False)]
        inserts = [*people, contact, open_one, closed_one, *gone, *kept, *receipts]
        tally = Cursor(id=DESK, position="1", received=len(receipts), updated_at=NOW)
        await store.commit(Changes(inserts=[*inserts, tally], blobs=[Blob(r.blob_id, b"words") for r in receipts]))
        for _ in range(2):
            await Upkeep(desk(store, days=None)).erase_outdated()
            assert [d for d in gone if await store.find(type(d), d.id) is not None] == []
            assert [d for d in kept if await store.find(type(d), d.id) is None] == []
            assert set(await store.list_blobs()) == {r.blob_id for r in raw_kept}
        (line,) = await balance(store, [DESK])
        assert line.balanced


async def test_a_worker_that_lost_its_lease_erases_nothing(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        matter = Matter()
        await matter.put(store)
        await store.commit(Changes(inserts=[Lease(id="tidy", worker_id="worker:1", taken_at=NOW)]))
        mine = await store.get(Lease, "tidy")
        await store.commit(Changes(replacements=[msgspec.structs.replace(mine, worker_id="worker:2")]))
        await Upkeep(desk(store), mine).erase_outdated()
        assert await matter.left(store) == WHOLE


def test_a_clock_that_leaps_ahead_is_not_believed_before_it_stayed_there() -> None:
    ahead, passed = timedelta(), 0.0
    leaps = Leaps(lambda: NOW + ahead + timedelta(seconds=passed), lambda: passed)
    passed = 3600
    assert not leaps.ahead()
    ahead, passed = 2 * YEAR, 7200
    assert leaps.ahead(), "no year may be erased on the word of a clock that just leapt"
    passed = 10800
    assert not leaps.ahead()
    ahead = timedelta()
    assert not leaps.ahead(), "set back, it erases less"


async def test_the_rounds_go_on_by_themselves(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        matter = Matter()
        await matter.put(store)
        watch = store.watch(Conversation)
        tidying = asyncio.create_task(keep_tidy(desk(store), every=0.05))
        try:
            async with asyncio.timeout(20):
                while await matter.left(store) != {"Receipt"}:
                    await watch.wait(1)
        finally:
            tidying.cancel()
            await asyncio.gather(tidying, return_exceptions=True)


async def test_somebody_whose_erasing_was_broken_off_is_erased_by_the_worker_and_the_files_with_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "desk.db"
    async with SqliteStore(path, exclusive=True) as store:
        matter = Matter()
        matter.blobs = [Blob(BlobId(matter.receipt.blob_id), b"zqzq words")]
        await matter.put(store)
        asked = Forgotten(id=matter.contact.id, account_id=ROUX, asked_at=NOW)
        await store.commit(Changes(inserts=[KEY, asked, *accounts().values()]))
        tidying = asyncio.create_task(keep_tidy(desk(store)))
        try:
            async with asyncio.timeout(20):
                watch = store.watch(Forgotten)
                while (await store.get(Forgotten, asked.id)).scrubbed_at is None:
                    await watch.wait(1)
        finally:
            tidying.cancel()
            await asyncio.gather(tidying, return_exceptions=True)
        assert await matter.left(store) == {"Receipt"}
        assert b"zqzq" not in path.read_bytes() + Path(f"{path}-wal").read_bytes()


async def test_no_octet_of_what_was_kept_long_enough_stays_in_the_files(tmp_path: Path) -> None:
    """Not in the index of words either, where what is deleted stays until its parts are merged."""
    path, secret = tmp_path / "desk.db", b"zqzqzq"

    def left() -> list[str]:
        return [f.name for f in (path, Path(f"{path}-wal")) if f.exists() and secret in f.read_bytes()]

    async with SqliteStore(path, exclusive=True) as store:
        await store.commit(Changes(inserts=[KEY, *accounts().values()]))
        old = Matter()
        old.documents = [
            msgspec.structs.replace(d, text=f"Rendez-vous {secret.decode()}") if d is old.message else d
            for d in old.documents
        ]
        await old.put(store)
        young = Matter(closed_at=LATER)
        for each in (*(Matter(BERNARD) for _ in range(20)), young):  # each commit is a part of the index
            await each.put(store)
        assert left() != []
        tidy = Upkeep(desk(store))
        await tidy.erase_outdated()
        assert await old.left(store) <= {"Receipt"}
        assert left() == []
        assert await young.left(store) == WHOLE
        found = await store.search(Message, Sought(("jeudi",)), None, limit=50)
        assert {m.id for m in found} == {m.id for m in await store.scan(Message)} != set()
        assert await store.verify() == []
