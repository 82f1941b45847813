"""Whatever happens in whatever order, what the desk promises holds.

A state machine drives the real handlers over a real store: mails and updates
arrive (once and again), people come, leave, take, put back, write, send,
undo and decide; servers fail in all their ways, and the worker dies. After
every step all promises are looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

from aiogram import Bot
from aiogram.filters.callback_data import CallbackData
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.locales import Catalogue
from channels.base import Accept, Arrival, ChatFile, ChatMessage, Finding, Parcel, Preview, Reply, SentAs, Take
from channels.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure
from channels.telegram.parse import read_update
from handlers import callbacks
from handlers.deliveries import Deliveries
from handlers.desk import Desk
from handlers.incoming import Incoming, accepting
from handlers.queue import deal_waiting
from handlers.start import build_dispatcher
from inbox.assignment import may_serve, weighs
from inbox.envelope import Reading
from inbox.ledger import balance
from inbox.model import (
    UNSORTED,
    Attachment,
    Because,
    ChannelId,
    Conversation,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Direction,
    DraftState,
    Letter,
    Message,
    Post,
    Presence,
    Role,
    Secretary,
    Status,
    TextNotice,
)
from inbox.outbox import notice
from inbox.store.base import Changes
from inbox.store.documents import (
    CONVERSATION_BY_NUMBER,
    DELIVERIES_DUE,
    DELIVERIES_LEASED,
    DELIVERIES_OF_CONVERSATION,
    DRAFT_OF_MESSAGE,
    DRAFT_OPEN,
    MESSAGES_OF_CONVERSATION,
    PRESENT,
    RECEIPTS_BY_STATE,
    RECEIPTS_WAITING,
    SECRETARIES,
    SHOWN_CURRENT,
)
from inbox.store.sqlite import SqliteStore
from tests.builders import BERNARD, DESK, KEY, MAIL, NOW, ROUX, a_presence, a_secretary, accounts, put
from tests.handlers.stage import Letterbox, Uncounted

T = TypeVar("T")

MOST = 500
CLIENTS = (501, 502)
WRITERS = ("paul.martin@example.net", "ada.roy@example.net")
picks = st.integers(0, 10**6)
"""Chooses one of what is there at that moment."""


HAPPENINGS = (
    *["mail", "chat", "answers", "time_passes"] * 4,
    *["replies_to_her_card", "sends", "presses", "duty"] * 3,
    *["takes_back", "decides", "the_next_to_leave_fail", "edit"] * 2,
    *["mail_again", "update_again", "comes_through_a_link", "leaves_while_a_client_writes", "all_press_take"],
    *["takes_the_next", "writes_to_nobody", "places", "the_worker_dies", "a_client_writes_while_a_letter_leaves"],
)
"""What can happen, the common more often. One rule chooses: hypothesis would leave whole kinds of rule out of a run."""


class Postbox(Letterbox):
    """A sending server that remembers what may have left, and when a reply came too early."""

    def __init__(self, machine: Desktop) -> None:
        super().__init__()
        self.machine = machine
        self.may_have_left: Counter[str] = Counter()

    async def send(self, payload: Letter | Post, raw: bytes | None) -> SentAs:
        assert isinstance(payload, Letter)
        await self.machine.looked_at_before_it_leaves(payload.message_id)
        self.may_have_left[payload.message_id] += 1
        try:
            return await super().send(payload, raw)
        except (TemporaryFailure, PermanentFailure):
            self.may_have_left[payload.message_id] -= 1
            raise


class Screen:
    """A bot whose messages nobody looks at; its failures are those of the test."""

    def __init__(self, machine: Desktop) -> None:
        self.id: ChannelId = DESK
        self.machine = machine
        self.ids = itertools.count(1000)
        self.posts: list[Post] = []
        self.failures: deque[Exception] = deque()

    async def run(self, position: str | None, accept: Accept) -> None:
        await asyncio.Event().wait()

    def read(self, raw: bytes) -> Reading:
        return read_update(raw)

    def extract(self, raw: bytes, attachment: Attachment) -> bytes:
        raise NotImplementedError

    def compose(self, reply: Reply) -> tuple[Parcel, ...]:
        assert reply.conversation.chat_id is not None
        words = reply.text.split("\n\n")
        return tuple(Parcel(Post(chat_id=reply.conversation.chat_id, text=part)) for part in words)

    def preview(self, reply: Reply) -> Preview:
        return Preview(headers=(), text=reply.text)

    async def ready(self, payload: Letter | Post) -> float:
        return 0.0

    async def send(self, payload: Letter | Post, raw: bytes | None) -> SentAs:
        assert isinstance(payload, Post)
        if self.failures:
            raise self.failures.popleft()
        self.posts.append(payload)
        return SentAs(str(next(self.ids)))

    async def show(self, message: ChatMessage) -> SentAs:
        return SentAs(str(message.edits or next(self.ids)))

    async def hand_over(self, file: ChatFile) -> SentAs:
        return SentAs(str(next(self.ids)))

    async def fetch_file(self, file_id: str) -> bytes:
        return b""

    async def answer_press(self, callback_query_id: str, text: str = "", *, alert: bool = False) -> None: ...

    def link(self, payload: str) -> str:
        return payload

    async def list_keys(self, position: str) -> list[str] | None:
        return None

    async def fetch(self, keys: Sequence[str], take: Take) -> None: ...

    async def check(self) -> list[Finding]:
        return []

    async def close(self) -> None: ...


class Desktop(RuleBasedStateMachine):
    """The desk, and everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="desk-")
        self.runner = asyncio.Runner()
        self.now = NOW
        self.update_ids = itertools.count(1)
        self.message_ids = itertools.count(1)
        self.mails: list[tuple[str, bytes]] = []
        self.updates: list[dict[str, Any]] = []
        self.client_messages: dict[int, list[int]] = {client: [] for client in CLIENTS}
        self.expected: Counter[str] = Counter()
        """How many messages of clients there must be."""
        self.again: Counter[str] = Counter()
        """How often a person had a letter sent once more."""
        self.stale: list[str] = []

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(step)

    def clock(self) -> datetime:
        return self.now

    # ------------------------------------------------------------ begin and end

    @initialize()
    def open(self) -> None:
        self.run(self._open())

    async def _open(self) -> None:
        people = [
            a_secretary("Léa", capacity=2),
            a_secretary("Inès", serves=[ROUX]),
            a_secretary("Marc", role=Role.SUPERVISOR, serves=[BERNARD]),
        ]
        here = [a_presence(p, on_duty=p.name != "Inès") for p in people]
        async with SqliteStore(Path(self.folder.name) / "desk.db") as store:
            await put(store, *accounts().values(), KEY, *people, *here)
            self.people = [await store.get(Secretary, p.id) for p in people]
        self.postbox, self.screen = Postbox(self), Screen(self)
        await self._start()
        await self._updates(self._text(CLIENTS[0], "/start roux"))

    async def _start(self) -> None:
        self.store = SqliteStore(Path(self.folder.name) / "desk.db")
        await self.store.__aenter__()
        self.desk = Desk(
            store=self.store,
            channels={MAIL: self.postbox, DESK: self.screen},
            chats={DESK: self.screen},
            accounts=accounts(),
            own_account={MAIL: ROUX},
            desk_bots=frozenset([DESK]),
            key=KEY,
            texts=Catalogue(),
            clock=self.clock,
            meter=Uncounted(),
            language="fr",
            time_zone="Europe/Paris",
            undo=timedelta(seconds=15),
            worker="worker:1",
        )
        bots = {DESK: Bot("1:nobody-calls-telegram-with-this")}
        dispatcher = build_dispatcher()
        loops = [Incoming(self.desk, channel, dispatcher, bots).run() for channel in self.desk.channels]
        loops.append(Deliveries(self.desk).run())
        self.tasks = [asyncio.create_task(loop) for loop in loops]

    async def _stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self.tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        await self.store.__aexit__(None, None, None)

    def teardown(self) -> None:
        async def end() -> None:
            self.postbox.open.set()
            await self._stop()

        if hasattr(self, "tasks"):
            self.run(end())
        self.runner.close()
        self.folder.cleanup()

    # ------------------------------------------------------------ what arrives

    async def _updates(self, *contents: dict[str, Any]) -> None:
        made = [{"update_id": next(self.update_ids), **content} for content in contents]
        self.updates += made
        await self._deliver(made)

    async def _deliver(self, updates: list[dict[str, Any]]) -> None:
        arrivals = [
            Arrival(
                str(u["update_id"]),
                str((u.get("message") or u.get("edited_message") or u["callback_query"])["from"]["id"]),
                json.dumps(u).encode(),
            )
            for u in updates
        ]
        await accepting(self.desk, DESK)(arrivals, str(updates[-1]["update_id"] + 1))

    def _person(self, id: int) -> dict[str, Any]:
        return {"id": id, "is_bot": False, "first_name": f"P{id}", "language_code": "fr"}

    def _chat(self, id: int) -> dict[str, Any]:
        return {"id": id, "type": "private", "first_name": f"P{id}"}

    def _text(self, who: int, text: str, *, reply_to: int | None = None, number: int | None = None) -> dict[str, Any]:
        message: dict[str, Any] = {
            "message_id": number or next(self.message_ids),
            "from": self._person(who),
            "chat": self._chat(who),
            "date": int(self.now.timestamp()),
            "text": text,
        }
        if reply_to is not None:
            message["reply_to_message"] = {"message_id": reply_to, "chat": self._chat(who), "date": 0}
        return {"message": message}

    def _press(self, who: Secretary, data: CallbackData) -> dict[str, Any]:
        return {
            "callback_query": {
                "id": str(next(self.update_ids)),
                "from": self._person(who.telegram_user_id),
                "chat_instance": "1",
                "message": {"message_id": 1, "chat": self._chat(who.chat_id), "date": 0},
                "data": data.pack(),
            }
        }

    async def mail(self, pick: int, flag: bool) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"] = WRITERS[pick % 2], "cabinet@roux.example"
        mail["Subject"], mail["Message-ID"] = "Rendez-vous", f"<{len(self.mails)}@example.net>"
        said = [m for m in await self._messages() if "@" in m.external_id]
        if flag and said:
            mail["In-Reply-To"] = f"<{said[pick % len(said)].external_id}>"
        mail.set_content(f"mail {len(self.mails)}")
        self.mails.append((f"1:{len(self.mails)}", mail.as_bytes()))
        self.expected["mail"] += 1
        await self._mail(-1)

    async def _mail(self, position: int, *, key: str = "") -> None:
        source, raw = self.mails[position]
        await accepting(self.desk, MAIL)([Arrival(key or source, "INBOX", raw)], source)

    async def mail_again(self, pick: int, flag: bool) -> None:
        """The mailbox hands a mail over once more: the same one, or a copy under another uid."""
        if self.mails:
            await self._mail(pick % len(self.mails), key=f"2:{next(self.update_ids)}" if flag else "")

    async def chat(self, pick: int, flag: bool) -> None:
        client = CLIENTS[pick % 2]
        earlier = self.client_messages[client]
        reply_to = earlier[pick % len(earlier)] if flag and earlier else None
        await self._updates(self._said(client, reply_to))

    def _said(self, client: int, reply_to: int | None = None) -> dict[str, Any]:
        number = next(self.message_ids)
        self.client_messages[client].append(number)
        self.expected["chat"] += 1
        return self._text(client, f"chat {number}", reply_to=reply_to, number=number)

    async def edit(self, pick: int, flag: bool) -> None:
        client = CLIENTS[pick % 2]
        if earlier := self.client_messages[client]:
            number = earlier[-1] if flag else earlier[pick % len(earlier)]
            content = self._text(client, f"edited {next(self.update_ids)}", number=number)
            await self._updates({"edited_message": content["message"] | {"edit_date": 0}})

    async def comes_through_a_link(self, pick: int, flag: bool) -> None:
        payload = ("roux", "bernard", "")[pick % 3]
        await self._updates(self._text(CLIENTS[int(flag)], f"/start {payload}".strip()))

    async def update_again(self, pick: int, flag: bool) -> None:
        await self._deliver([self.updates[-1 if flag else pick % len(self.updates)]])

    # ------------------------------------------------------------ what people do

    async def duty(self, pick: int, flag: bool) -> None:
        await self._updates(self._press(self._one(pick), callbacks.Duty(on=flag)))

    async def leaves_while_a_client_writes(self, pick: int, flag: bool) -> None:
        await self._updates(self._press(self._one(pick), callbacks.Duty(on=False)), self._said(CLIENTS[int(flag)]))

    async def presses(self, pick: int, flag: bool) -> None:
        """Any button of a card, by whoever holds it or by anyone."""
        if found := await self._conversations():
            conversation = found[pick % len(found)]
            kind: Any = (callbacks.Take, callbacks.Release, callbacks.Close)[pick // 7 % 3]
            who = await self._holder(conversation) if flag else None
            seen = {"seen": conversation.inbound_count} if kind is callbacks.Close else {}
            await self._updates(self._press(who or self._one(pick // 3), kind(conversation=conversation.id, **seen)))

    async def all_press_take(self, pick: int, flag: bool) -> None:
        if found := await self._conversations():
            data = callbacks.Take(conversation=found[pick % len(found)].id)
            await self._updates(*(self._press(person, data) for person in self.people))

    async def takes_the_next(self, pick: int, flag: bool) -> None:
        await self._updates(self._press(self._one(pick), callbacks.Next()))

    async def replies_to_her_card(self, pick: int, flag: bool) -> None:
        held = [c for c in await self._conversations() if c.assignee_id is not None and c.status is Status.OPEN]
        if not held:
            return
        conversation = held[pick % len(held)]
        holder = await self.store.get(Secretary, conversation.assignee_id or "")
        card = await self.store.find_by(SHOWN_CURRENT, f"{holder.id}:card:{conversation.id}")
        if card is not None:
            text = "un\n\ndeux\n\ntrois" if flag else "oui"
            await self._updates(self._text(holder.telegram_user_id, text, reply_to=card.telegram_message_id))

    async def writes_to_nobody(self, pick: int, flag: bool) -> None:
        await self._updates(self._text(self._one(pick).telegram_user_id, "à qui ?"))

    async def sends(self, pick: int, flag: bool) -> None:
        """Send, having read or not, once or twice."""
        if drafts := await self.store.list(DRAFT_OPEN, limit=MOST):
            draft = drafts[pick % len(drafts)]
            conversation = await self.store.get(Conversation, draft.conversation_id)
            seen = conversation.inbound_count if flag else draft.seen_inbound
            author = await self.store.get(Secretary, draft.author_id)
            press = self._press(author, callbacks.Send(draft=draft.id, seen=seen))
            await self._updates(*([press] * (1 + pick % 2)))

    async def answers(self, pick: int, flag: bool) -> None:
        """The common case: she replies to the card and sends what she wrote."""
        await self.replies_to_her_card(pick, flag)
        await self._quiet()
        await self.sends(pick, True)

    async def takes_back(self, pick: int, flag: bool) -> None:
        drafts = await self.store.list(DRAFT_OPEN if flag else DRAFT_OF_MESSAGE, limit=MOST)
        if drafts:
            draft = drafts[-1 if pick % 2 else pick % len(drafts)]
            author = await self.store.get(Secretary, draft.author_id)
            data = callbacks.Discard(draft=draft.id) if flag and pick % 3 else callbacks.Undo(draft=draft.id)
            await self._updates(self._press(author, data))

    async def decides(self, pick: int, flag: bool) -> None:
        """About what failed: one of them, or all of them at once."""
        undecided = [d for d in await self._replies() if d.state in (DeliveryState.DEAD, DeliveryState.UNKNOWN)]
        if not undecided:
            return
        delivery = undecided[pick % len(undecided)]
        verdict = ("again", "sent", "drop")[pick // 5 % 3]
        if verdict == "again" and isinstance(delivery.payload, Letter):
            self.again[delivery.payload.message_id] += 1
        data = callbacks.Decide(delivery=delivery.id, verdict=verdict)
        conversation = await self.store.get(Conversation, delivery.conversation_id or "")
        holder = await self._holder(conversation)
        await self._updates(*(self._press(p, data) for p in ([holder] if flag and holder else self.people)))

    async def places(self, pick: int, flag: bool) -> None:
        """An unsorted request is given its account."""
        unsorted = [c for c in await self._conversations() if c.account_id == UNSORTED]
        if unsorted:
            places = sorted((a for a in self.desk.accounts.values() if a.id != UNSORTED), key=lambda a: (a.name, a.id))
            check = hashlib.sha256("\x00".join(a.id for a in places).encode()).hexdigest()[:8]
            data = callbacks.PlaceIn(conversation=unsorted[pick % len(unsorted)].id, position=int(flag), check=check)
            await self._updates(self._press(self.people[2], data))

    # ------------------------------------------------------------ what goes wrong, and time

    async def the_next_to_leave_fail(self, pick: int, flag: bool) -> None:
        make = (TemporaryFailure, PermanentFailure, OutcomeUnknown)[pick % 3]
        for channel in (self.postbox, self.screen):
            channel.failures.extend(make(channel.id, "as told", reason="failure.connection") for _ in range(1 + flag))

    async def time_passes(self, pick: int, flag: bool) -> None:
        self.now += timedelta(seconds=20 if flag else (5, 600, 100_000)[pick % 3])
        await self._wake()

    async def _wake(self) -> None:
        """What became due by the test's clock is looked at: the real one did not move."""
        nobody = TextNotice(chat_id=1, language="fr", because=Because(key="ask.which"))
        await self.store.commit(Changes(inserts=[notice(nobody, DESK, 1, self.now)]))

    async def a_client_writes_while_a_letter_leaves(self, pick: int, flag: bool) -> None:
        self.postbox.open.clear()
        if flag:
            self.postbox.failures.appendleft(TemporaryFailure(MAIL, "as told", reason="failure.connection"))
        self.now += timedelta(seconds=20)
        await self._wake()
        await asyncio.sleep(0.01)
        await self.mail(pick, True)
        async with asyncio.timeout(30):
            while await self.store.count(RECEIPTS_WAITING, MAIL):  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        self.postbox.open.set()

    async def the_worker_dies(self, pick: int, flag: bool) -> None:
        """While a letter leaves, if one is due."""
        self.postbox.open.clear()
        self.now += timedelta(seconds=20 if flag else 0)
        await self._wake()
        await asyncio.sleep(0.01)
        await self._stop()
        self.postbox.open.set()
        self.postbox.leaving.clear()
        await self._start()

    @rule(what=st.sampled_from(HAPPENINGS), pick=picks, flag=st.booleans())
    def happens(self, what: str, pick: int, flag: bool) -> None:
        step: Callable[[int, bool], Coroutine[Any, Any, None]] = getattr(self, what)
        self.run(step(pick, flag))

    # ------------------------------------------------------------ what is true

    async def _holder(self, conversation: Conversation) -> Secretary | None:
        return await self.store.find(Secretary, conversation.assignee_id) if conversation.assignee_id else None

    def _one(self, pick: int) -> Secretary:
        return self.people[pick % len(self.people)]

    async def _conversations(self) -> list[Conversation]:
        return await self.store.list(CONVERSATION_BY_NUMBER, limit=MOST)

    async def _messages(self) -> list[Message]:
        return await self.store.list(MESSAGES_OF_CONVERSATION, limit=10 * MOST)

    async def _replies(self) -> list[Delivery]:
        found = await self.store.list(DELIVERIES_OF_CONVERSATION, limit=10 * MOST)
        return [d for d in found if d.kind is DeliveryKind.REPLY]

    async def looked_at_before_it_leaves(self, external_id: str) -> None:
        """Promise 7, asked at the moment a letter leaves."""
        for message in await self._messages():
            if message.external_id == external_id:
                conversation = await self.store.get(Conversation, message.conversation_id)
                deliveries = [d for d in await self._replies() if d.message_id == message.id]
                if (message.seen_inbound or 0) < conversation.inbound_count and not deliveries[0].irrevocable:
                    self.stale.append(external_id)

    async def _quiet(self) -> None:
        """Everything that can be done at this moment is done."""
        before: list[Conversation] = []
        async with asyncio.timeout(30):
            while True:
                for task in self.tasks:
                    if task.done():
                        task.result()
                waiting = sum([await self.store.count(RECEIPTS_WAITING, c) for c in (MAIL, DESK)])
                due = await self.store.list(DELIVERIES_DUE, until=self.now, limit=1)
                leased = await self.store.list(DELIVERIES_LEASED, limit=1)
                if not waiting and not due and not leased:
                    await deal_waiting(self.desk)
                    after = await self._conversations()
                    if after == before:
                        return
                    before = after
                await asyncio.sleep(0.002)

    @invariant()
    def every_promise_holds(self) -> None:
        if hasattr(self, "tasks"):
            self.run(self._quiet())
            self.run(self._look())

    async def _look(self) -> None:
        conversations = await self._conversations()
        messages = await self._messages()
        replies = await self._replies()
        await self._nothing_is_lost_or_doubled(messages)
        await self._holders_are_there(conversations)
        self._conversations_are_whole(conversations, messages)
        self._outbox_is_whole(replies)
        await self._drafts_are_whole(messages)
        assert self.stale == [], "a reply left whose author had not seen everything"
        for message_id, times in self.postbox.may_have_left.items():
            assert times <= 1 + self.again[message_id], "a letter may have left twice, and nobody said so"

    async def _nothing_is_lost_or_doubled(self, messages: list[Message]) -> None:
        for line in await balance(self.store, [MAIL, DESK]):
            assert line.balanced, line
        for channel in (MAIL, DESK):
            parked = await self.store.list(RECEIPTS_BY_STATE, channel, "parked")
            assert parked == [], [r.error for r in parked]
        inbound = Counter(
            "mail" if m.channel_id == MAIL else "chat" for m in messages if m.direction is Direction.INBOUND
        )
        assert inbound == self.expected

    async def _holders_are_there(self, conversations: list[Conversation]) -> None:
        everyone = {s.id: s for s in await self.store.list(SECRETARIES, True)}
        on_duty = {p.id for p in await self.store.list(PRESENT, True)}
        holds = Counter(c.assignee_id for c in conversations if weighs(c))
        for secretary in everyone.values():
            presence = await self.store.get(Presence, secretary.id)
            assert presence.open_count == holds[secretary.id], f"{secretary.name} holds {holds[secretary.id]}"
        for c in conversations:
            if c.status is Status.CLOSED:
                assert (c.queued_at, c.waiting_since_at, c.open_chat) == (None, None, None)
            elif c.assignee_id is None:
                assert c.queued_at is not None
                assert c.because is not None
            else:
                assert c.queued_at is None
                assert may_serve(everyone[c.assignee_id], c.account_id)
                assert c.assignee_id in on_duty or c.waiting_since_at is None

    @staticmethod
    def _conversations_are_whole(conversations: list[Conversation], messages: list[Message]) -> None:
        by_id = {c.id: c for c in conversations}
        for m in messages:
            assert by_id[m.conversation_id].account_id == m.account_id
        for c in conversations:
            of_it = [m for m in messages if m.conversation_id == c.id]
            inbound = [m for m in of_it if m.direction is Direction.INBOUND]
            assert c.inbound_count == len(inbound) + sum(len(m.revisions) for m in inbound)
            assert len({m.position for m in of_it}) == len(of_it)
            assert all(m.position <= c.message_count for m in of_it)
        chats = [c.open_chat for c in conversations if c.open_chat]
        assert len(chats) == len(set(chats))

    @staticmethod
    def _outbox_is_whole(replies: list[Delivery]) -> None:
        by_id = {d.id: d for d in replies}
        ended = (DeliveryState.SENT, DeliveryState.CANCELLED)
        for d in replies:
            assert (d.due_at is not None) is (d.state is DeliveryState.DUE)
            assert (d.lease_until_at is not None) is (d.state is DeliveryState.LEASED)
            assert (d.after is not None) is (d.state is DeliveryState.QUEUED)
            if d.after is not None:
                assert by_id[d.after].state not in ended, "what waits behind it will wait for ever"

    async def _drafts_are_whole(self, messages: list[Message]) -> None:
        ids = {m.id for m in messages}
        for draft in await self.store.list(DRAFT_OPEN, limit=MOST):
            assert (draft.state, draft.message_id) == (DraftState.OPEN, None)
        for draft in await self.store.list(DRAFT_OF_MESSAGE, limit=MOST):
            assert draft.state is DraftState.SENT
            assert draft.message_id in ids


TestPromises = Desktop.TestCase
TestPromises.settings = settings(
    max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
