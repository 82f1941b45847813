"""A worker on a backup's copy is in the past: nothing leaves a second time, and people are told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from handlers.callbacks import check_draft
from handlers.restored import settle_the_past
from inbox.conversations import NUMBERS
from inbox.machinery import Backup, Counter, Forgotten
from inbox.model import Contact, Conversation, Delivery, DeliveryKind, DeliveryState, Direction, Draft, Event, Role
from inbox.notices import PreviewNotice, TextNotice
from inbox.outbox import card_for
from inbox.parts import ContactId, new_id
from inbox.restored import SKIPPED_NUMBERS, mark
from inbox.store.base import Changes, Store
from inbox.store.sqlite import SqliteStore
from tests.builders import (
    KEY,
    NOW,
    a_contact,
    a_conversation,
    a_draft,
    a_message,
    a_presence,
    a_reply,
    a_secretary,
    accounts,
    at,
)
from tests.handlers.stage import a_desk

TAKEN = at(-700)


class Past:
    """A desk as it was when the backup was made: replies due, queued, leaving and sent; a draft open."""

    def __init__(self) -> None:
        self.lea, self.anne = a_secretary("Léa", telegram_user_id=901), a_secretary("Anne", role=Role.SUPERVISOR)
        self.contact = a_contact()
        self.about = a_conversation(self.contact, holder=self.lea, inbound_count=1)
        self.message = a_message(self.about, direction=Direction.OUTBOUND, author_id=self.lea.id, seen_inbound=1)
        reply = a_reply(self.message)
        self.pending = [
            msgspec.structs.replace(reply, id=new_id(), irrevocable=True),
            a_reply(self.message, DeliveryState.LEASED),
            msgspec.structs.replace(reply, id=new_id(), state=DeliveryState.QUEUED, due_at=None, after=reply.id),
            msgspec.structs.replace(reply, id=new_id(), kind=DeliveryKind.ACKNOWLEDGEMENT, message_id=None),
        ]
        self.sent = a_reply(self.message, DeliveryState.SENT, ended_at=TAKEN)
        self.card = card_for(self.lea, self.about, TAKEN, fresh=True)
        self.draft = msgspec.structs.replace(
            a_draft(self.about, self.lea), updated_at=TAKEN, set_aside=self.about.id, send_at=TAKEN
        )

    async def put(self, store: Store, backup: Backup | None) -> None:
        people = [self.lea, self.anne, a_presence(self.lea, open_count=1), a_presence(self.anne), self.contact]
        talk = [self.about, self.message, *self.pending, self.sent, self.card, self.draft]
        desk = [KEY, *accounts().values(), Counter(id=NUMBERS, next=17), *([backup] if backup else [])]
        await store.commit(Changes(inserts=[*people, *talk, *desk]))

    async def states(self, store: Store) -> list[DeliveryState]:
        return [(await store.get(Delivery, d.id)).state for d in self.pending]


@pytest.fixture
def past() -> Past:
    return Past()


async def told(store: Store) -> list[tuple[int, str, dict[str, str]]]:
    said = [d.payload for d in await store.scan(Delivery) if isinstance(d.payload, TextNotice)]
    return [(p.chat_id, p.because.key, p.because.args) for p in said]


async def test_what_may_have_left_since_waits_for_a_person_and_the_rest_goes_on(past: Past, tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        await past.put(store, mark(TAKEN))
        await settle_the_past(a_desk(store, clock=lambda: NOW), [])
        assert await past.states(store) == [DeliveryState.UNKNOWN] * 4
        held = await store.get(Delivery, past.pending[0].id)
        assert (held.error, held.irrevocable, held.due_at, held.lease_until_at) == (
            "failure.restored",
            True,
            None,
            None,
        )
        assert (await store.get(Delivery, past.sent.id)).state is DeliveryState.SENT
        assert (await store.get(Delivery, past.card.id)).state is DeliveryState.DUE
        backup = await store.get(Backup, "backup")
        assert (backup.settled_at, backup.held) == (NOW, 4)
        assert (await store.get(Counter, NUMBERS)).next == 17 + SKIPPED_NUMBERS
        (event,) = [e for e in await store.scan(Event) if e.kind == "restored"]
        assert event.detail == {"held": "4"}


async def test_everybody_is_told_and_shown_her_drafts_anew(past: Past, tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        await past.put(store, mark(TAKEN))
        await settle_the_past(a_desk(store, clock=lambda: NOW), [])
        number = f"#{past.about.number}"
        assert sorted(await told(store), key=str) == sorted(
            [
                (past.lea.chat_id, "notice.restored", {"when": "1 mars 22:20"}),
                (past.lea.chat_id, "notice.restored_drafts", {"numbers": number}),
                (past.anne.chat_id, "notice.restored", {"when": "1 mars 22:20"}),
                (past.anne.chat_id, "notice.restored_held", {"count": "4"}),
            ],
            key=str,
        )
        draft = await store.get(Draft, past.draft.id)
        assert draft.updated_at == NOW, "a preview from before must not send it"
        assert check_draft(draft) != check_draft(past.draft)
        assert (draft.send_at, draft.set_aside) == (None, None), "its moment may have come since, and it may have left"
        previews = [d.payload for d in await store.scan(Delivery) if isinstance(d.payload, PreviewNotice)]
        assert any(p.draft_id == draft.id and p.fresh for p in previews)


async def test_the_desks_own_store_is_left_alone_and_a_copy_is_settled_once(past: Past, tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "desk.db") as store:
        await past.put(store, None)
        before = await past.states(store)
        await settle_the_past(a_desk(store, clock=lambda: NOW), [past.contact.id])
        assert (await past.states(store), await told(store)) == (before, [])
        await store.commit(Changes(inserts=[mark(TAKEN)]))
        await settle_the_past(a_desk(store, clock=lambda: NOW), [])
        said = await told(store)
        again = a_reply(past.message)
        await store.commit(Changes(inserts=[again]))
        await settle_the_past(a_desk(store, clock=lambda: at(60)), [])
        assert await told(store) == said
        assert (await store.get(Delivery, again.id)).state is DeliveryState.DUE


class Died(Exception):
    """The worker is gone."""


def _mortal(store: Store, commits: int) -> None:
    """Have whoever works on the store die instead of their next commit but so many."""
    commit, left = store.commit, commits

    async def once_too_often(changes: Changes) -> None:
        nonlocal left
        if left == 0:
            raise Died
        left -= 1
        await commit(changes)

    store.commit = once_too_often  # type: ignore[method-assign]


async def test_killed_at_any_commit_the_next_start_ends_it(past: Past, tmp_path: Path) -> None:
    dies_at = 0
    died = True
    while died:
        died, path = False, tmp_path / f"{dies_at}.db"
        async with SqliteStore(path) as store:
            await past.put(store, mark(TAKEN))
            _mortal(store, dies_at)
            try:
                await settle_the_past(a_desk(store, clock=lambda: NOW), [])
            except Died:
                died = True
        async with SqliteStore(path) as store:
            await settle_the_past(a_desk(store, clock=lambda: NOW), [])
            assert await past.states(store) == [DeliveryState.UNKNOWN] * 4
            assert (await store.get(Backup, "backup")).held == 4
            assert len([key for _, key, _ in await told(store) if key == "notice.restored"]) == 2
            assert (await store.get(Counter, NUMBERS)).next == 17 + SKIPPED_NUMBERS
        dies_at += 1
    assert dies_at > 5


async def test_whoever_was_forgotten_since_is_forgotten_again(past: Past, tmp_path: Path) -> None:
    nobody = ContactId(new_id())
    async with SqliteStore(tmp_path / "desk.db") as store:
        await past.put(store, mark(TAKEN))
        await settle_the_past(a_desk(store, clock=lambda: NOW), [nobody, past.contact.id])
        assert await store.find(Contact, past.contact.id) is None
        assert await store.find(Conversation, past.about.id) is None
        assert [f.id for f in await store.scan(Forgotten)] == [past.contact.id]
        assert (await store.get(Backup, "backup")).settled_at == NOW
