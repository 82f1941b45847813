"""A short day at a desk whose worker dies, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import email
import email.policy
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from bot.demo.telegram_server import TelegramServer
from inbox.ledger import balance, list_channels
from inbox.model import Cursor, Delivery, DeliveryKind, DeliveryState, Direction, Message, ReceiptState
from inbox.store.base import Store
from inbox.store.documents import (
    CONVERSATION_BY_NUMBER,
    DELIVERIES_BY_STATE,
    DELIVERIES_OF_MESSAGE,
    MESSAGES_OF_CONVERSATION,
    RECEIPTS_BY_STATE,
)
from inbox.store.sqlite import SqliteStore
from tests.crash.mortal import Death, Plant
from tests.crash.nursery import Child, Nursery
from tests.flow.running import At, Json, find_button, mail
from tests.servers.scripted_imap import ScriptedImap
from tests.servers.scripted_smtp import ScriptedSmtp

ANNE, LISE, LUCAS, NORA = 501, 502, 601, 602
CABINET = "mail:cabinet"
WITHIN = 60.0
"""Seconds anything may take: this machine may be busy with other things."""
UNSETTLED = (DeliveryState.DUE, DeliveryState.QUEUED, DeliveryState.LEASED)

CONFIG = """
[store]
url = "sqlite:{store}"
[desk]
undo_seconds = {undo}
[web]
port = 0
[accounts.vasseur]
name = "Dr Claire Vasseur"
mailbox = "cabinet"
messages_to = "claire@client.test"
[accounts.vasseur.identity]
display_name = "Cabinet du Dr Vasseur"
from_address = "cabinet@desk.test"
[accounts.garnier]
name = "Plomberie Garnier"
assignment = "manual"
[accounts.garnier.identity]
display_name = "Plomberie Garnier"
[mailboxes.cabinet]
account = "vasseur"
start_at = "beginning"
[mailboxes.cabinet.imap]
host = "127.0.0.1"
port = {imap}
tls = "none"
user = "cabinet"
password = "secret"
[mailboxes.cabinet.smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"
user = ""
[bots.desk]
token = "{token}"
api_server = "{api}"
[[owners]]
id = 501
name = "Anne"
[[owners]]
id = 502
name = "Lise"
"""


class Day:
    """The desk between stand-ins of its servers. Who plays it waits for what must be seen, however often it dies.

    Attributes:
        said: what clients wrote, to be found once each.
        written: what secretaries answered, to have left once each.
        deaths: how often a process was killed.
        parked: receipts that may end so.
        lucas_speaks: the plumber himself: he is told as those of the desk are, rather twice than never.
    """

    def __init__(self, directory: Path, nursery: Nursery, *, undo: int = 0, disk: Path | None = None) -> None:
        self.directory = directory
        self.store = (disk or directory) / "desk.db"
        self.said: list[str] = []
        self.written: list[str] = []
        self.deaths = 0
        self.parked = 0
        self.lucas_speaks = False
        self.of_the_command: Death | None = None
        self.worker: Child | None = None
        """The one started last."""
        self._workers: list[Child] = []
        self._nursery = nursery
        self._undo = undo
        self._logs = 0

    @asynccontextmanager
    async def open(self, before: Path | None) -> AsyncIterator[None]:
        """The servers up; the desk as an earlier day left it, when one is given."""
        async with AsyncExitStack() as servers:
            self.imap = await servers.enter_async_context(ScriptedImap())
            self.smtp = await servers.enter_async_context(ScriptedSmtp())
            self.telegram = await servers.enter_async_context(TelegramServer())
            self.anne = At(self.telegram.user(ANNE, "Anne"))
            self.lise = At(self.telegram.user(LISE, "Lise"))
            self.lucas = At(self.telegram.user(LUCAS, "Lucas"))
            if before is not None:
                shutil.copy(before, self.store)
            for who in (self.anne, self.lise):
                self.telegram.bot().chat_with(who.user).started = True
            self.config.write_text(
                CONFIG.format(
                    store=self.store,
                    undo=self._undo,
                    imap=self.imap.port,
                    smtp=self.smtp.port,
                    token=self.telegram.token,
                    api=self.telegram.url,
                )
            )
            self.config.chmod(0o600)
            try:
                yield
            finally:
                for worker in self._workers:
                    await worker.end(signal.SIGKILL)

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    # ------------------------------------------------------------ the program

    async def start(
        self, death: Death | None = None, plants: tuple[Plant, ...] = (), wall: Path | None = None
    ) -> Child:
        """Start the worker. It may die as it likes; who needs it alive starts it again."""
        log = self._log()
        self.worker = await self._nursery.start(
            "run", "--config", self.config, log=log, death=death, plants=plants, wall=wall
        )
        self._workers.append(self.worker)
        return self.worker

    async def command(self, *arguments: str, ends: tuple[int, ...] = (0,)) -> str | None:
        """What the command line says; None when it died at the boundary it was to die at, the first time.

        Args:
            ends: how it may end.
        """
        death, self.of_the_command = self.of_the_command, None
        child = await self._nursery.start(*arguments, "--config", self.config, log=self._log(), death=death)
        status = await child.ended()
        if death is not None:
            assert status == -signal.SIGKILL, f"{death.name} was not reached: {child.last_words()}"
            self.deaths += 1
            return None
        assert status in ends, child.last_words()
        return child.last_words()

    def _log(self) -> Path:
        self._logs += 1
        return self.directory / f"{self._logs}.log"

    # ------------------------------------------------------------ what people do

    def mail(self, words: str, *, raw: bytes | None = None, again: bool = False) -> bytes:
        """A mail of Sophie's arrives."""
        uid = max(self.imap.mails, default=0) + 1
        raw = raw or mail("Demande", words, message_id=f"m{uid}@client.test")
        self.imap.arrive(uid, raw)
        if not again:
            self.said.append(words)
        return raw

    def lucas_writes(self, words: str) -> Json:
        """Lucas, who came for the plumber, writes."""
        self.said.append(words)
        return self.lucas.user.send_text(words)

    def press(self, who: At, message: Json, begins: str) -> None:
        """Press a button. Its toast may die with the worker, so nobody waits for it: what it does shows elsewhere."""
        data = find_button(message, begins)
        assert data is not None, f"no button {begins!r} under {message.get('text')!r}"
        self.press_data(who, message, data)

    def press_data(self, who: At, message: Json, data: str) -> None:
        self.telegram.bot().press(who.user, message["message_id"], data)

    async def sees(self, who: At, *parts: str, button: str = "", absent: str = "") -> Json:
        """As `At.sees`, with all the patience a restart needs."""

        def wanted(message: Json) -> bool:
            said = str(message.get("text", ""))
            shown = all(part in said for part in parts) and (not absent or absent not in said)
            return shown and (not button or find_button(message, button) is not None)

        found = await who.user.wait_for(wanted, seconds=WITHIN)
        screen = "\n---\n".join(str(m.get("text")) for m in who.user.messages()[-4:])
        assert found is not None, f"{who.user.first_name} does not see {parts} {button!r}; the screen:\n{screen}"
        return found

    # ------------------------------------------------------------ what is true

    async def until(self, look: Callable[[Store], Awaitable[Any]]) -> Any:
        """What a look at the store finds, as soon as it finds something."""
        async with asyncio.timeout(WITHIN), SqliteStore(self.store) as store:
            while not (found := await look(store)):  # noqa: ASYNC110  # the store tells nobody in another process
                await asyncio.sleep(0.03)
            return found

    async def has_ended(self, words: str) -> Delivery:
        """The reply with these words once it was sent, or may have been."""

        async def look(store: Store) -> Delivery | None:
            for state in (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.DEAD):
                for channel in await list_channels(store):
                    for delivery in await store.list(DELIVERIES_BY_STATE, channel, DeliveryKind.REPLY, state):
                        message = await store.get(Message, delivery.message_id or "")
                        if message.text == words:
                            return delivery
            return None

        found: Delivery = await self.until(look)
        return found

    async def settles(self) -> None:
        """Wait until all that came was taken in and all that was to leave has left."""
        await self.until(self._is_settled)

    async def _is_settled(self, store: Store) -> bool:
        if self.telegram.pending() or not await self._has_every_mail(store):
            return False
        for line in await balance(store, await list_channels(store)):
            due = [
                await store.count(DELIVERIES_BY_STATE, line.channel, kind, state)
                for kind in DeliveryKind
                for state in UNSETTLED
            ]
            if line.waiting or any(due):
                return False
        return True

    async def _has_every_mail(self, store: Store) -> bool:
        if not self.imap.mails:
            return True
        cursor = await store.find(Cursor, CABINET)
        return cursor is not None and msgspec.json.decode(cursor.position)["uid"] >= max(self.imap.mails)

    async def is_true(self) -> None:
        """Nothing lost, nothing doubled, and what may have left says so."""
        async with SqliteStore(self.store) as store:
            assert await store.verify() == []
            for line in await balance(store, await list_channels(store)):
                assert line.balanced, line
            messages = await _messages(store)
            said = Counter(m.text.strip() for m in messages if m.direction is Direction.INBOUND)
            assert said == Counter(self.said), "what clients wrote is there once each"
            written = Counter(m.text.strip() for m in messages if m.direction is Direction.OUTBOUND)
            assert written == Counter(self.written), "what secretaries sent is there once each"
            for message in messages:
                if message.direction is Direction.OUTBOUND:
                    await self._has_left_as_it_says(store, message)
            parked = [await store.count(RECEIPTS_BY_STATE, c, ReceiptState.PARKED) for c in await list_channels(store)]
            assert sum(parked) == self.parked
        self._screens_are_clean()

    async def _has_left_as_it_says(self, store: Store, message: Message) -> None:
        deliveries = await store.list(DELIVERIES_OF_MESSAGE, message.id)
        states = {delivery.state for delivery in deliveries}
        arrived = self.arrived(message.text)
        if states == {DeliveryState.SENT}:
            assert arrived == 1, f"{message.text!r} says sent, and arrived {arrived} times"
        elif states == {DeliveryState.UNKNOWN}:
            assert arrived <= 1, f"{message.text!r} is unknown, and arrived {arrived} times"
        else:
            assert arrived == 0, f"{message.text!r} says {states}, and arrived {arrived} times"

    def arrived(self, words: str) -> int:
        """How often a client has these words, by mail or in Telegram; or a client's client, in his name."""
        mails = [email.message_from_bytes(taken.text, policy=email.policy.default) for taken in self.smtp.taken]
        plain = [part.get_content() for m in mails if (part := m.get_body(("plain",))) is not None]
        said = self.lucas.user.messages() + self.lucas.user.talk_with(self.telegram.user(NORA, "Nora"))
        shown = [str(m.get("text", "")) for m in said if m["from"]["is_bot"] or "sender_business_bot" in m]
        return sum(words in text.replace("\r\n", "\n") for text in (*plain, *shown))

    def _screens_are_clean(self) -> None:
        """A client reads nothing twice; who is told by a notice may, once for each time a worker died showing it."""
        for who, most in (
            (self.anne, self.deaths),
            (self.lise, self.deaths),
            (self.lucas, self.deaths if self.lucas_speaks else 0),
        ):
            said = (m for m in who.user.messages() if m["from"]["is_bot"] and "pinned_message" not in m)
            shown = Counter(_screen(m) for m in said)
            twice = {screen: times for screen, times in shown.items() if times > 1}
            assert sum(times - 1 for times in twice.values()) <= most, twice


def _screen(message: Json) -> str:
    return f"{message.get('text', '')}\n{message.get('reply_markup', '')}"


async def _messages(store: Store) -> list[Message]:
    found: list[Message] = []
    for conversation in await store.list(CONVERSATION_BY_NUMBER, limit=1000):
        found += await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=1000)
    return found
