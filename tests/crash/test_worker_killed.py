"""SIGKILL and SIGTERM at random moments of a busy day: nothing lost, nothing doubled, what may have left says so."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bot.demo.telegram_server import TelegramServer
from inbox.ledger import balance, list_channels
from inbox.model import DeliveryKind, DeliveryState, Direction, Message, ReceiptState
from inbox.store.base import Store
from inbox.store.documents import (
    CONVERSATION_BY_NUMBER,
    DELIVERIES_BY_STATE,
    MESSAGES_OF_CONVERSATION,
    RECEIPTS_BY_STATE,
)
from inbox.store.sqlite import SqliteStore
from tests.conftest import require_server
from tests.crash.nursery import Child, Nursery
from tests.flow.running import Json, find_button, mail
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix

SOAK = int(os.environ.get("SOAK", "1"))
"""How many times as many rounds: make soak."""
DESKS = 2
"""Side by side: while one starts, the other is killed."""
KILLS = 300 * SOAK
STOPS = 50 * SOAK
STOPPED_WITHIN = 10.0
SECRETARIES = 20
CHATTERS = 20
ANSWERED = 6
"""One request in so many is answered."""

CONFIG = """
[store]
url = "sqlite:desk.db"
[desk]
undo_seconds = 0
[web]
port = 0
[accounts.cabinet]
name = "Cabinet"
mailbox = "cabinet"
[accounts.cabinet.identity]
display_name = "Cabinet"
from_address = "{user}@desk.test"
[mailboxes.cabinet]
account = "cabinet"
start_at = "beginning"
[mailboxes.cabinet.imap]
host = "127.0.0.1"
port = {imap}
tls = "none"
user = "{user}"
password = "{password}"
[mailboxes.cabinet.smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"
user = ""
[bots.desk]
token = "{token}"
api_server = "{api}"
account = "cabinet"
"""


@pytest.fixture
def postfix(dovecot: Dovecot) -> Iterator[Postfix]:
    require_server("postfix")
    with Postfix(lmtp_port=dovecot.lmtp_port) as server:
        yield server


class Secretaries:
    """People who answer what they see, press again what nobody answered, and never tire."""

    def __init__(self, telegram: TelegramServer, count: int = SECRETARIES) -> None:
        self._users = [telegram.user(5000 + n, f"Secrétaire {n}") for n in range(count)]
        self._answered: set[tuple[int, int]] = set()
        self.wrote: set[str] = set()

    def come(self) -> None:
        for user in self._users:
            user.send_text("/ici")

    async def work(self) -> None:
        """Reply to the cards whose words ask for it; press Send on every preview until it is gone."""
        while True:
            for user in self._users:
                for message in user.messages():
                    await self._look(user.id, message)
            await asyncio.sleep(0.2)

    async def _look(self, user_id: int, message: Json) -> None:
        said = str(message.get("text", ""))
        user = next(u for u in self._users if u.id == user_id)
        asked = re.search(r"répondez à (\w+)", said)
        key = (user_id, message["message_id"])
        card = find_button(message, "rel:") is not None
        if asked and card and key not in self._answered and f"R-{asked[1]}." not in self.wrote:
            self._answered.add(key)
            self.wrote.add(f"R-{asked[1]}.")
            user.send_text(f"R-{asked[1]}.", reply_to=message["message_id"])
        data = find_button(message, "send")
        if data is not None:
            with suppress(TimeoutError):  # the worker died: what is still there is pressed again
                await user.press(message["message_id"], data, seconds=3)


class Desk:
    """One desk on the servers it shares with others: its worker, its clients, its secretaries."""

    def __init__(self, directory: Path, name: str, nursery: Nursery, dovecot: Dovecot, postfix: Postfix) -> None:
        directory.mkdir()
        self.chance = random.Random(name)
        self.slowest_stop = 0.0
        self._name = name
        self._nursery = nursery
        self._dovecot = dovecot
        self._postfix = postfix
        self._config = directory / "config.toml"
        self._store = directory / "desk.db"
        self._log = directory / "log"
        self._worker: Child | None = None
        self._sent = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Clients write and secretaries answer, while it is entered."""
        async with TelegramServer() as self._telegram:
            self._write_config()
            secretaries = Secretaries(self._telegram)
            secretaries.come()
            await self._started()
            working = asyncio.create_task(secretaries.work())
            writing = asyncio.create_task(self._clients())
            try:
                yield
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                # Who was first in line as five workers died is parked; whoever looks after the desk plays it again.
                await self._play_again()
                await self._all_ended()
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
                await self._all_ended()  # their last press too
                await self.stops()
                await self._nothing_lost_or_doubled()
            finally:
                for task in (writing, working):
                    task.cancel()
                await asyncio.gather(writing, working, return_exceptions=True)
                if self._worker is not None:
                    await self._worker.end(signal.SIGKILL)

    def _write_config(self) -> None:
        owners = "".join(f'[[owners]]\nid = {5000 + n}\nname = "Secrétaire {n}"\n' for n in range(SECRETARIES))
        config = CONFIG.format(
            user=self._name,
            imap=self._dovecot.imap_port,
            password=self._dovecot.password,
            smtp=self._postfix.port,
            token=self._telegram.token,
            api=self._telegram.url,
        )
        self._config.write_text(config + owners)
        self._config.chmod(0o600)

    async def _play_again(self) -> None:
        log = self._log.with_suffix(".command")
        replaying = await self._nursery.start("receipts", "replay", "--all", "--config", self._config, log=log)
        assert await replaying.ended() == 0, replaying.last_words()

    async def _born(self) -> Child:
        self._worker = await self._nursery.start("run", "--config", self._config, log=self._log, plants=("paced",))
        return self._worker

    async def _started(self) -> Child:
        worker = await self._born()
        await worker.says('"started"')
        return worker

    # ------------------------------------------------------------ its worker

    async def dies(self, times: int) -> None:
        """Kill its worker, starting or started, and start another."""
        for death in range(times):
            worker = self._worker
            assert worker is not None
            await asyncio.sleep(self.chance.uniform(0, 1))
            assert await worker.end(signal.SIGKILL) == -signal.SIGKILL, worker.last_words()
            # One in three is killed as it may be starting still; were all, nothing would ever be done.
            await (self._born() if death % 3 == 0 else self._started())

    async def is_stopped(self, times: int) -> None:
        """Stop its worker in order, and start another."""
        for _ in range(times):
            await asyncio.sleep(self.chance.uniform(0, 1.5))
            await self.stops()
            await self._started()

    async def stops(self) -> None:
        assert self._worker is not None
        began = time.monotonic()
        assert await self._worker.end(signal.SIGTERM) == 0, self._worker.last_words()
        self.slowest_stop = max(self.slowest_stop, time.monotonic() - began)
        assert self.slowest_stop < STOPPED_WITHIN

    # ------------------------------------------------------------ its clients

    async def _clients(self) -> None:
        """Mails and messages, until nobody asks for more; some are to be answered."""
        while True:
            number = self._sent
            asks = number % ANSWERED == 0
            raw = mail(
                f"Demande {number}",
                f"mail {number}" + (f" répondez à m{number}" if asks else ""),
                sender=f"Client {number} <{self._client(number)}@client.test>",
                message_id=f"{self._name}-{number}@client.test",
                to=f"{self._name}@desk.test",
            )
            delivering = asyncio.create_task(asyncio.to_thread(self._dovecot.deliver, self._name, raw))
            # Who asks for an answer asks once: two answers to one card would be one draft.
            chatter = self._telegram.user(8000 + number if asks else 7000 + number % CHATTERS)
            chatter.send_text(f"message {number}" + (f" répondez à t{number}" if asks else ""))
            self._sent += 1
            await asyncio.shield(delivering)
            await asyncio.sleep(self.chance.uniform(0.2, 0.7))

    def _client(self, number: int) -> str:
        return f"{self._name}-client{number}"

    @property
    def _wanted(self) -> set[str]:
        return {f"R-{kind}{number}." for number in range(0, self._sent, ANSWERED) for kind in "mt"}

    # ------------------------------------------------------------ what is true

    async def _all_ended(self) -> None:
        """Wait until nothing waits and nothing is due, and every asked-for reply was written and sent."""
        async with asyncio.timeout(240), SqliteStore(self._store) as store:
            while not await self._has_ended(store):  # noqa: ASYNC110  # the store tells nobody in another process
                await asyncio.sleep(0.5)

    async def _has_ended(self, store: Store) -> bool:
        lines = await balance(store, await list_channels(store))
        if any(line.waiting for line in lines) or sum(line.received for line in lines) < 2 * self._sent:
            return False
        for line in lines:
            for kind in DeliveryKind:
                for state in (DeliveryState.DUE, DeliveryState.QUEUED, DeliveryState.LEASED):
                    if await store.count(DELIVERIES_BY_STATE, line.channel, kind, state):
                        return False
        return set(await self._replies(store)) >= self._wanted

    async def _replies(self, store: Store) -> dict[str, list[DeliveryState]]:
        """What became of each reply.

        One that was held back because its client wrote meanwhile was cancelled, and sent again by its author.
        """
        states: dict[str, list[DeliveryState]] = {}
        for channel in await list_channels(store):
            for state in (s for s in DeliveryState if s is not DeliveryState.CANCELLED):
                for delivery in await store.list(DELIVERIES_BY_STATE, channel, DeliveryKind.REPLY, state, limit=10_000):
                    message = await store.get(Message, delivery.message_id or "")
                    states.setdefault(message.text.strip(), []).append(state)
        return states

    async def _nothing_lost_or_doubled(self) -> None:
        async with SqliteStore(self._store, exclusive=True) as store:
            assert await store.verify() == []
            for line in await balance(store, await list_channels(store)):
                assert line.balanced, line
                assert line.waiting == 0
                parked = await store.list(RECEIPTS_BY_STATE, line.channel, ReceiptState.PARKED)
                assert [(receipt.error, receipt.deaths) for receipt in parked] == []
            said = Counter(re.sub(r" répondez à \w+", "", text) for text in await _inbound(store))
            assert said == Counter(f"{kind} {n}" for kind in ("mail", "message") for n in range(self._sent))
            self.replies = await self._replies(store)
        arrived = self._arrived()
        for words in self._wanted:
            ended = self.replies[words]
            assert len(ended) == 1, f"{words} was made {len(ended)} times"
            assert ended[0] in (DeliveryState.SENT, DeliveryState.UNKNOWN)
            if ended[0] is DeliveryState.SENT:
                assert arrived[words] == 1, f"{words} says sent, and arrived {arrived[words]} times"
            else:
                assert arrived[words] <= 1, f"{words} is unknown, and arrived {arrived[words]} times"

    def _arrived(self) -> Counter[str]:
        """How often each reply was found where its client reads it."""
        arrived: Counter[str] = Counter()
        for number in range(0, self._sent, ANSWERED):
            for raw in self._dovecot.mails(self._client(number)):
                arrived[f"R-m{number}."] += f"R-m{number}.".encode() in raw
            for shown in self._telegram.user(8000 + number).messages():
                if shown["from"]["is_bot"]:
                    arrived[str(shown.get("text", ""))] += 1
        return arrived

    @property
    def unknown(self) -> int:
        return sum(ended == [DeliveryState.UNKNOWN] for ended in self.replies.values())


async def _inbound(store: Store) -> list[str]:
    """What clients said, in every conversation there is."""
    found: list[str] = []
    last = None
    while page := await store.list(CONVERSATION_BY_NUMBER, after=last):
        for conversation in page:
            messages = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=10_000)
            found += [m.text.strip() for m in messages if m.direction is Direction.INBOUND]
        last = page[-1]
    return found


@pytest.mark.timeout(900 * SOAK)
async def test_three_hundred_kills_lose_nothing_and_double_nothing(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix
) -> None:
    async with Nursery() as nursery:
        desks = [Desk(tmp_path / f"k{n}", f"k{n}", nursery, dovecot, postfix) for n in range(DESKS)]

        async def a_day(desk: Desk) -> None:
            async with desk.open():
                await desk.dies(KILLS // DESKS)

        await asyncio.gather(*map(a_day, desks))
    for desk in desks:
        # Unknown is for the few that were leaving at the moment of a kill.
        assert desk.unknown < len(desk.replies) / 2


@pytest.mark.timeout(600 * SOAK)
async def test_fifty_stops_end_in_ten_seconds_lose_nothing_and_leave_nothing_in_doubt(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix
) -> None:
    async with Nursery() as nursery:
        desks = [Desk(tmp_path / f"s{n}", f"s{n}", nursery, dovecot, postfix) for n in range(DESKS)]

        async def a_day(desk: Desk) -> None:
            async with desk.open():
                await desk.is_stopped(STOPS // DESKS)

        await asyncio.gather(*map(a_day, desks))
    # Every server answered in time: whatever was being handed over ended before its worker did.
    assert [desk.unknown for desk in desks] == [0] * DESKS
