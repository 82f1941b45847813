"""The handlers as they run: a real store, the Bot API stand-in, a mailbox that does what the test says."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.filters.callback_data import CallbackData

from bot.demo.telegram_server import TelegramServer
from bot.locales import Catalogue
from channels.base import Accept, Arrival, Channel, Chat, Finding, Parcel, Preview, Reply, SentAs, Take
from channels.mail import acknowledgement, compose, page, parse
from channels.mail.trust import Judge
from channels.telegram.bot import TelegramBot
from channels.telegram.limits import Limits
from handlers.crew import Crew
from handlers.deliveries import Deliveries
from handlers.desk import Desk
from handlers.incoming import Incoming, accepting
from handlers.queue import deal_waiting
from handlers.start import build_dispatcher
from handlers.timers import keep_dealing
from inbox.envelope import Envelope
from inbox.ledger import balance
from inbox.model import Account, Conversation, Cursor, Delivery, Presence, Receipt, Role, Secretary, Status
from inbox.notices import Letter, Post
from inbox.parts import AccountId, Attachment, ChannelId
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    CONVERSATION_BY_NUMBER,
    CONVERSATIONS_HELD,
    CONVERSATIONS_QUEUED_ANYWHERE,
    DELIVERIES_BY_STATE,
    MESSAGES_OF_CONVERSATION,
    RECEIPTS_BY_STATE,
    RECEIPTS_WAITING,
    SECRETARIES,
)
from inbox.store.sqlite import SqliteStore
from tests.builders import DESK, KEY, MAIL, ROUX, a_presence, a_secretary, accounts, put

CABINET = ChannelId("telegram:cabinet")
CABINET_TOKEN = "43000001:AAE-second-token-that-opens-nothing"
PATIENCE = 20.0
Seen = dict[str, Any]


class Unobserved:
    """An observer nobody listens to."""

    def up(self, channel: ChannelId) -> None: ...

    def down(self, channel: ChannelId, reason: str, retry_in: float | None) -> None: ...

    def announced(self, channel: ChannelId) -> None: ...

    def owed(self, channel: ChannelId, something: bool) -> None: ...


class Uncounted:
    """A meter nobody reads."""

    def arrivals(self, channel: ChannelId, count: int) -> None: ...

    def delivered(self, channel: ChannelId, outcome: str) -> None: ...

    def card_shown(self, channel: ChannelId, seconds: float) -> None: ...


class _Unpaced(Limits):
    """No test waits for a chat's pace."""

    async def turn(self, chat_id: int) -> float:
        return self.paused_for(chat_id)


async def _hang_up(bot: TelegramBot) -> None:
    # aiogram's own close waits a quarter of a second for TLS to end; there is none here.
    session = bot.aiogram.session
    assert isinstance(session, AiohttpSession)
    if session._session is not None:
        await session._session.close()


class Clock:
    """What the desk takes for now: the time it is, and as much more as a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Monday(Clock):
    """The same, from a Monday at ten in Paris on."""

    def __init__(self) -> None:
        super().__init__()
        self._before = datetime.now(UTC) - datetime(2026, 3, 2, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return super().__call__() - self._before


class Letterbox:
    """A mailbox without its wires: mails are read and composed as they are, and leave as the test says."""

    id = MAIL

    def __init__(self) -> None:
        self.judge = Judge(["mx.cabinet.example"])
        self.sent: list[tuple[Letter, bytes]] = []
        self.failures: deque[Exception] = deque()
        self.leaving = asyncio.Event()
        """Set while a letter is being handed over."""
        self.open = asyncio.Event()
        """Cleared, a letter that is being handed over waits."""
        self.open.set()

    async def run(self, position: str | None, accept: Accept) -> None:
        await asyncio.Event().wait()

    async def list_keys(self, position: str) -> list[str] | None:
        return None

    async def fetch(self, keys: Sequence[str], take: Take) -> None: ...

    def read(self, raw: bytes) -> Envelope:
        return self.judge.told(parse.read_mail(raw), raw)

    def extract(self, raw: bytes, attachment: Attachment) -> bytes:
        return parse.extract(raw, attachment.path)

    def page(self, raw: bytes, say: Callable[[str], str]) -> bytes:
        return page.build_page(raw, say)

    def compose(self, reply: Reply) -> tuple[Parcel, ...]:
        return acknowledgement.compose(reply) if reply.automatic else compose.compose(reply)

    def preview(self, reply: Reply) -> Preview:
        return compose.preview(reply)

    async def ready(self, payload: Letter | Post) -> float:
        return 0.0

    async def send(self, payload: Letter | Post, raw: bytes | None) -> SentAs:
        assert isinstance(payload, Letter)
        assert raw is not None
        self.leaving.set()
        await self.open.wait()
        self.leaving.clear()
        if self.failures:
            raise self.failures.popleft()
        self.sent.append((payload, raw))
        return SentAs("250 2.0.0 queued")

    async def check(self) -> list[Finding]:
        return []

    async def readmitted(self) -> None: ...

    async def close(self) -> None: ...


def a_desk(
    store: Store,
    *,
    channels: Mapping[ChannelId, Channel] | None = None,
    chats: Mapping[ChannelId, Chat] | None = None,
    own_account: Mapping[ChannelId, AccountId] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    undo: timedelta = timedelta(),
    crew: Crew | None = None,
) -> Desk:
    """A desk over a store, for the accounts every test knows."""
    return Desk(
        store=store,
        channels=channels or {},
        chats=chats or {},
        accounts=accounts(),
        own_account={MAIL: ROUX, CABINET: ROUX} if own_account is None else own_account,
        desk_bots=frozenset([DESK]),
        key=KEY,
        texts=Catalogue(),
        clock=clock,
        meter=Uncounted(),
        language="fr",
        time_zone="Europe/Paris",
        undo=undo,
        worker=crew.worker if crew else "worker:1",
        crew=crew,
    )


class Stage:
    """A running desk: loops, store and stand-ins, all of them ended when it is left.

    Args:
        undo: how long a sent reply can be taken back; none, so that what is sent leaves at once.
        seeded: the store was on a stage before; its accounts are there.
        dealing: whether what waits in the queue is dealt by itself.
        clock: what the desk takes for now.
    """

    def __init__(
        self,
        path: Path,
        *,
        undo: timedelta = timedelta(),
        seeded: bool = False,
        dealing: bool = True,
        own_account: Mapping[ChannelId, AccountId] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._undo = undo
        self._seeded = seeded
        self._dealing = dealing
        self._own = {MAIL: ROUX, CABINET: ROUX} if own_account is None else own_account
        self._clock = clock
        self._mails = 0
        self.telegram = TelegramServer()
        self.letters = Letterbox()
        self.store: SqliteStore
        self.desk: Desk

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.telegram.add_bot(CABINET_TOKEN, "cabinet_bot", "Cabinet")
            await stack.enter_async_context(self.telegram)
            self.store = await stack.enter_async_context(SqliteStore(self._path))
            everyone: dict[AccountId, Account] = accounts()
            if not self._seeded:
                await put(self.store, *everyone.values(), KEY)
            bots = {
                DESK: TelegramBot(DESK, self.telegram.token, Unobserved(), api_server=self.telegram.url),
                CABINET: TelegramBot(CABINET, CABINET_TOKEN, Unobserved(), api_server=self.telegram.url),
            }
            for bot in bots.values():
                bot._limits = _Unpaced()
                stack.push_async_callback(_hang_up, bot)
            self.desk = a_desk(
                self.store,
                channels={MAIL: self.letters, **bots},
                chats=bots,
                own_account=self._own,
                clock=self._clock,
                undo=self._undo,
            )
            dispatcher = build_dispatcher()
            aiograms = {channel: bot.aiogram for channel, bot in bots.items()}
            self.deliveries = Deliveries(self.desk)
            loops = [self.deliveries.run()]
            loops += [Incoming(self.desk, channel, dispatcher, aiograms).run() for channel in self.desk.channels]
            loops += [bot.run(None, accepting(self.desk, channel)) for channel, bot in bots.items()]
            loops += [keep_dealing(self.desk)] if self._dealing else []
            stack.push_async_callback(self._end)
            self._tasks = [asyncio.create_task(loop) for loop in loops]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    # ------------------------------------------------------------ who is there

    async def join(
        self,
        name: str = "Léa",
        *,
        on_duty: bool = True,
        role: Role = Role.SECRETARY,
        serves: list[AccountId] | None = None,
        language: str = "fr",
        capacity: int = 20,
    ) -> Seat:
        """Somebody who works here."""
        secretary = a_secretary(name, role=role, serves=serves, language=language, capacity=capacity)
        seat = Seat(self, secretary.telegram_user_id, name)
        seat.secretary = secretary
        # She talked to the bot before, or it could not write to her.
        seat.user.start("")
        await put(self.store, secretary, a_presence(secretary, on_duty=on_duty))
        await self.quiet()
        return seat

    def client(self, id: int = 501, name: str = "Nora") -> Seat:
        """Somebody with a Telegram of their own."""
        return Seat(self, id, name)

    # ------------------------------------------------------------ mail

    async def mail(
        self,
        text: str = "Bonjour, puis-je venir jeudi ?",
        *,
        sender: str = "Paul Martin <paul.martin@example.net>",
        subject: str = "Rendez-vous",
        message_id: str = "",
        answers: str = "",
        to: str = "cabinet@roux.example",
    ) -> str:
        """A mail arrives; its Message-ID without brackets."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        name = message_id or f"{secrets.token_hex(8)}@example.net"
        mail["Message-ID"] = f"<{name}>"
        if answers:
            mail["In-Reply-To"] = mail["References"] = f"<{answers}>"
        mail.set_content(text)
        await self.mail_raw(mail.as_bytes())
        return name

    async def mail_raw(self, raw: bytes, *, key: str | None = None) -> None:
        self._mails += 1
        await accepting(self.desk, MAIL)([Arrival(key or f"1:{self._mails}", "INBOX", raw)], str(self._mails))

    # ------------------------------------------------------------ what is true

    async def quiet(self) -> None:
        """Nothing waits to be received, handled or delivered any more."""
        calm = 0
        async with asyncio.timeout(PATIENCE):
            while True:
                pending = self.telegram.pending() + self.telegram.pending(CABINET_TOKEN)
                for channel in self.desk.channels:
                    pending += await self.store.count(RECEIPTS_WAITING, channel)
                    for kind in ("notice", "acknowledgement", "reply"):
                        for state in ("due", "leased"):
                            found = await self.store.list(DELIVERIES_BY_STATE, channel, kind, state)
                            now = self._clock()
                            pending += sum(1 for d in found if d.due_at is None or d.due_at <= now)
                # One look is several moments: a delivery that ends in another may be seen in none of them.
                calm = 0 if pending else calm + 1
                if calm == 2:
                    return
                await asyncio.sleep(0.005)

    async def recorded(self) -> None:
        """What is on the screens is known to be: nobody answers faster than that."""
        watch = self.store.watch(Delivery)
        while await self.store.count(DELIVERIES_BY_STATE, DESK, "notice", "leased"):
            await watch.wait(1)
        watch.close()

    async def conversation(self, number: int = 1) -> Conversation:
        found = await self.store.find_by(CONVERSATION_BY_NUMBER, number)
        assert found is not None, f"there is no #{number}"
        return found

    async def count_conversations(self) -> int:
        """How many are open, held or waiting."""
        count = await self.store.count(CONVERSATIONS_QUEUED_ANYWHERE)
        for secretary in await self.store.list(SECRETARIES, True):
            count += await self.store.count(CONVERSATIONS_HELD, secretary.id, Status.OPEN)
        return count

    async def said(self, number: int = 1) -> list[str]:
        conversation = await self.conversation(number)
        return [m.text for m in await self.store.list(MESSAGES_OF_CONVERSATION, conversation.id)]

    async def holder(self, number: int = 1) -> str | None:
        conversation = await self.conversation(number)
        if conversation.assignee_id is None:
            return None
        return (await self.store.get(Secretary, conversation.assignee_id)).name

    async def replies(self, state: str) -> list[Delivery]:
        found: list[Delivery] = []
        for channel in self.desk.channels:
            found += await self.store.list(DELIVERIES_BY_STATE, channel, "reply", state)
        return found

    async def ledger_is_balanced(self) -> bool:
        channels = [c for c in self.desk.channels if await self.store.find(Cursor, c)]
        return all(line.balanced for line in await balance(self.store, channels))

    async def receipts(self, channel: ChannelId, state: str) -> list[Receipt]:
        return await self.store.list(RECEIPTS_BY_STATE, channel, state)

    async def deal(self) -> None:
        """Deal what waits once, where it is not dealt by itself."""
        await deal_waiting(self.desk)
        await self.quiet()


class Seat:
    """One person at their Telegram: what they do there, and what they see."""

    secretary: Secretary

    def __init__(self, stage: Stage, id: int, name: str) -> None:
        self.stage = stage
        self.name = name
        self.user = stage.telegram.user(id, name)

    def writes(self, text: str, *, to: Seen | None = None, token: str | None = None) -> Seen:
        return self.user.send_text(text, reply_to=to["message_id"] if to else None, token=token)

    async def presses(self, message: Seen, kind: type[CallbackData], label: str = "") -> str:
        """Press a button under a message; what the toast says."""
        data = button(message, kind, label)
        assert data is not None, f"no {kind.__name__} under: {message.get('text')}"
        return await self.forges(message, data)

    async def forges(self, message: Seen, data: str | CallbackData) -> str:
        """Press with data of one's own making."""
        packed = data if isinstance(data, str) else data.pack()
        answer = await self.user.press(message["message_id"], packed)
        await self.stage.quiet()
        return answer.text

    async def sees(self, *parts: str, kind: type[CallbackData] | None = None) -> Seen:
        """The newest message that says all this, once there is one."""

        def wanted(message: Seen) -> bool:
            says = str(message.get("text") or message.get("caption") or "")
            return (
                bool(message["from"]["is_bot"])
                and all(part in says for part in parts)
                and (kind is None or button(message, kind) is not None)
            )

        found = await self.user.wait_for(wanted, seconds=PATIENCE)
        screen = "\n---\n".join(str(m.get("text")) for m in self.user.messages()[-4:])
        assert found is not None, f"{self.name} does not see {parts}; the newest are:\n{screen}"
        await self.stage.recorded()
        return dict(found)

    @property
    def screen(self) -> list[str]:
        """What the bot said, oldest first, as it reads now."""
        return [str(m.get("text") or m.get("caption") or "") for m in self.user.messages() if m["from"]["is_bot"]]

    def sees_nothing_of(self, *words: str) -> bool:
        return not any(word in text for text in self.screen for word in words)

    async def holds(self) -> int:
        return (await self.stage.store.get(Presence, self.secretary.id)).open_count

    async def leaves_by_force(self) -> None:
        """Off duty without a word."""
        presence = await self.stage.store.get(Presence, self.secretary.id)
        await self.stage.store.commit(Changes(replacements=[msgspec.structs.replace(presence, on_duty=False)]))


def button(message: Seen, kind: type[CallbackData], label: str = "") -> str | None:
    """The data of the button of this kind under a message."""
    for row in (message.get("reply_markup") or {}).get("inline_keyboard", []):
        for key in row:
            data = str(key.get("callback_data") or "")
            if data.partition(":")[0] == kind.__prefix__ and label in key["text"]:
                return data
    return None


def is_said(message: Seen) -> bool:
    """Whether it is more than Telegram's own notice that a topic began or something was pinned."""
    return not {"forum_topic_created", "pinned_message"} & message.keys()


def labels(message: Seen) -> list[str]:
    """The buttons under a message, as they read."""
    return [key["text"] for row in (message.get("reply_markup") or {}).get("inline_keyboard", []) for key in row]
