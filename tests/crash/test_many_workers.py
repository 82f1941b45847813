"""Three workers on one store, one of them killed or put to sleep every two seconds: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import signal
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.demo.telegram_server import TelegramServer
from inbox.ledger import balance, list_channels
from inbox.machinery import Claim, Lease, Worker
from inbox.model import Conversation, Cursor, DeliveryKind, DeliveryState, Direction, Message, ReceiptState
from inbox.store.base import Store
from inbox.store.documents import (
    DELIVERIES_BY_STATE,
    DELIVERIES_DUE,
    DELIVERIES_LEASED,
    MESSAGES_OF_CONVERSATION,
    RECEIPTS_BY_STATE,
    RECEIPTS_WAITING,
)
from inbox.store.mongo import MongoStore
from tests.contracts.backends import empty_database
from tests.crash.nursery import Child, Nursery
from tests.crash.test_worker_killed import Secretaries
from tests.flow.running import mail
from tests.servers.balancer import Balancer
from tests.servers.dovecot import Dovecot, free_ports
from tests.servers.scripted_smtp import ScriptedSmtp

WORKERS = 3
MAILBOXES = ("cabinet", "plomberie", "etude", "agence")
THREADS = 15
"""Matters a mailbox is written to about."""
LETTERS = 5
"""Mails of each matter."""
CHATTERS = 30
LINES = 10
"""Messages of each of them."""
EVERY = 2.0
"""Seconds between two deaths."""
SOAK = int(os.environ.get("SOAK", "1"))
"""How many times as many deaths: make soak."""
DEATHS = 20 * SOAK
ASLEEP = 13.0
"""Seconds a worker is stopped: longer than any lease outlives its holder's last beat."""
TAKEN_OVER_WITHIN = 15.0
SECRETARIES = 1
"""What waits for anybody is shown to everybody: each costs the test server thousands of commits."""
ANSWERED = "etude"
"""Whose matters are dealt to secretaries, who answer them."""
SECOND_TOKEN = "43000001:AAE-second-token-that-opens-nothing"
SECRET = "a-secret-of-this-test"

CONFIG = """
[store]
url = "{store}"
[web]
port = 0
{accounts}
[bots.desk]
token = "{token}"
api_server = "{api}"
account = "cabinet"
[bots.second]
token = "{second}"
api_server = "{api}"
account = "agence"
desk = false
receive = "webhook"
[bots.second.webhook]
url = "{webhook}/second"
secret = "{secret}"
port = {port}
"""
ACCOUNT = """
[accounts.{name}]
name = "{name}"
mailbox = "{name}"
assignment = "{assignment}"
[accounts.{name}.identity]
display_name = "{name}"
from_address = "{name}@desk.test"
[mailboxes.{name}]
account = "{name}"
start_at = "beginning"
[mailboxes.{name}.imap]
host = "127.0.0.1"
port = {imap}
tls = "none"
user = "{name}"
password = "{password}"
[mailboxes.{name}.smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"
user = ""
"""


class Firm:
    """Three workers, each started again whenever it dies."""

    def __init__(self, directory: Path, nursery: Nursery, configs: list[Path], chance: random.Random) -> None:
        self._directory = directory
        self._nursery = nursery
        self._configs = configs
        self._chance = chance
        self.workers: list[Child] = []
        self._asleep: set[int] = set()
        self._starts = 0
        self._waking: list[asyncio.Task[None]] = []
        self.killed: list[tuple[float, int]] = []
        """When each of the dead fell silent, and its process id."""

    async def start(self) -> None:
        self.workers = [await self._born(config) for config in self._configs]

    async def _born(self, config: Path) -> Child:
        self._starts += 1
        log = self._directory / f"worker{self._starts}.log"
        return await self._nursery.start("run", "--config", config, log=log, plants=("unhinted",))

    async def one_dies(self, *, asleep: bool) -> None:
        """Kill one of them, asleep or not, and start another; or stop it for longer than leases last, and wake it."""
        number = self._chance.randrange(WORKERS)
        worker = self.workers[number]
        assert worker.alive, worker.last_words()
        if worker.pid not in self._asleep:
            self.killed.append((time.monotonic(), worker.pid))
        if asleep and worker.pid not in self._asleep:
            self._asleep.add(worker.pid)
            worker.send(signal.SIGSTOP)
            self._waking.append(asyncio.create_task(self._wake(worker)))
            return
        self._asleep.discard(worker.pid)
        await worker.end(signal.SIGKILL)
        self.workers[number] = await self._born(self._configs[number])

    async def _wake(self, worker: Child) -> None:
        await asyncio.sleep(ASLEEP)
        worker.send(signal.SIGCONT)
        self._asleep.discard(worker.pid)

    async def all_awake(self) -> None:
        await asyncio.gather(*self._waking)

    async def stop(self) -> list[int]:
        """In order; how each ended."""
        return list(await asyncio.gather(*(worker.end(signal.SIGTERM) for worker in self.workers)))

    @property
    def sleeping(self) -> int:
        return len(self._asleep)


class Watcher:
    """Who held each mailbox when, as the store says."""

    def __init__(self) -> None:
        self.seen: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        """By lease: since when, and the process id of its holder."""

    async def watch(self, store: Store) -> None:
        while True:
            for lease in await store.scan(Lease):
                holder = int(lease.worker_id.split(":")[-2])
                if not self.seen[lease.id] or self.seen[lease.id][-1][1] != holder:
                    self.seen[lease.id].append((time.monotonic(), holder))
            await asyncio.sleep(0.3)

    def orphaned(self, killed: list[tuple[float, int]]) -> dict[str, float]:
        """By lease, the longest time from its holder's death until another held it."""
        longest: dict[str, float] = {}
        for name, holders in self.seen.items():
            for (_, holder), (since, _) in itertools.pairwise(holders):
                died = [at for at, pid in killed if pid == holder and at <= since]
                if died:
                    longest[name] = max(longest.get(name, 0.0), since - died[-1])
        return longest


def letter(mailbox: str, matter: int, number: int) -> bytes:
    """One mail of a correspondence; the last asks for an answer."""
    asks = f" répondez à {mailbox}{matter}" if mailbox == ANSWERED and number == LETTERS - 1 else ""
    raw = mail(
        f"Affaire {matter}",
        f"{mailbox} {matter} lettre {number}{asks}",
        sender=f"Client {matter} <client{matter}@{mailbox}.test>",
        message_id=f"{matter}.{number}@{mailbox}.test",
        to=f"{mailbox}@desk.test",
    )
    if number == 0:
        return raw
    answers = f"<{matter}.{number - 1}@{mailbox}.test>".encode()
    return b"In-Reply-To: " + answers + b"\r\nReferences: " + answers + b"\r\n" + raw


async def mails_arrive(dovecot: Dovecot, chance: random.Random) -> None:
    for number in range(LETTERS):
        for matter in range(THREADS):
            for mailbox in MAILBOXES:
                await asyncio.to_thread(dovecot.deliver, mailbox, letter(mailbox, matter, number))
            await asyncio.sleep(chance.uniform(0, 2 * DEATHS * EVERY / (LETTERS * THREADS)))


async def clients_write(telegram: TelegramServer, chance: random.Random) -> None:
    for number in range(LINES):
        for chatter in range(CHATTERS):
            token = None if chatter % 2 else SECOND_TOKEN
            telegram.user(7000 + chatter, f"Client {chatter}").send_text(f"{chatter} ligne {number}", token=token)
            await asyncio.sleep(chance.uniform(0, 2 * DEATHS * EVERY / (LINES * CHATTERS)))


def said_by_clients() -> Counter[str]:
    letters = [f"{m} {t} lettre {n}" for m in MAILBOXES for t in range(THREADS) for n in range(LETTERS)]
    lines = [f"{chatter} ligne {number}" for chatter in range(CHATTERS) for number in range(LINES)]
    return Counter(letters + lines)


async def all_ended(store: Store) -> None:
    """Wait until nothing waits and nothing is due, and every answer that was asked for was written and has left."""
    expected = sum(said_by_clients().values())
    while not await _has_ended(store, expected):  # noqa: ASYNC110  # no other process is told by name
        await asyncio.sleep(1)


async def _has_ended(store: Store, expected: int) -> bool:
    """Asked for as little as will do: the server that counts is the one the workers wait for."""
    if sum(cursor.received for cursor in await store.scan(Cursor)) < expected:
        return False
    if await store.list(RECEIPTS_WAITING, limit=1):
        return False
    if await store.list(DELIVERIES_DUE, limit=1) or await store.list(DELIVERIES_LEASED, limit=1):
        return False
    channel = f"mail:{ANSWERED}"
    ended = [
        await store.count(DELIVERIES_BY_STATE, channel, DeliveryKind.REPLY, state)
        for state in (DeliveryState.SENT, DeliveryState.UNKNOWN)
    ]
    return sum(ended) >= THREADS


async def nothing_lost_doubled_or_disordered(store: Store) -> None:
    for line in await balance(store, await list_channels(store)):
        assert line.balanced, line
        parked = await store.list(RECEIPTS_BY_STATE, line.channel, ReceiptState.PARKED)
        assert [(receipt.error, receipt.deaths) for receipt in parked] == []
    said: Counter[str] = Counter()
    for conversation in await store.scan(Conversation, limit=1000):
        messages = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=1000)
        words = [re.sub(r" répondez à \w+", "", m.text.strip()) for m in messages if m.direction is Direction.INBOUND]
        numbers = [int(found[1]) for text in words if (found := re.search(r"(?:lettre|ligne) (\d+)$", text))]
        assert numbers == sorted(numbers), f"out of order in #{conversation.number}: {words}"
        said.update(text for text in words if re.search(r"(?:lettre|ligne) \d+$", text))
    assert said == said_by_clients()


async def replies_left_as_they_say(store: Store, smtp: ScriptedSmtp) -> None:
    states: defaultdict[str, list[DeliveryState]] = defaultdict(list)
    for state in (s for s in DeliveryState if s is not DeliveryState.CANCELLED):
        for delivery in await store.list(DELIVERIES_BY_STATE, f"mail:{ANSWERED}", DeliveryKind.REPLY, state):
            message = await store.get(Message, delivery.message_id or "")
            states[message.text.strip()].append(state)
    assert set(states) == {f"R-{ANSWERED}{matter}." for matter in range(THREADS)}
    for words, ended in states.items():
        arrived = sum(words.encode() in taken.text for taken in smtp.taken)
        assert len(ended) == 1, f"{words} was made {len(ended)} times"
        if ended == [DeliveryState.SENT]:
            assert arrived == 1, f"{words} says sent, and arrived {arrived} times"
        else:
            assert ended == [DeliveryState.UNKNOWN], f"{words}: {ended}"
            assert arrived <= 1, f"{words} is unknown, and arrived {arrived} times"


@pytest.mark.timeout(600 * SOAK)
async def test_three_workers_that_die_and_sleep_in_turn_lose_double_and_disorder_nothing(
    tmp_path: Path, dovecot: Dovecot, mongo_url: str
) -> None:
    chance = random.Random(20261127)
    ports = free_ports(WORKERS)
    async with AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(Balancer(tmp_path / "tls", ports))
        telegram = await stack.enter_async_context(TelegramServer(trusted=balancer.trusted()))
        telegram.add_bot(SECOND_TOKEN, "second_bot", "Second")
        smtp = await stack.enter_async_context(ScriptedSmtp())
        nursery = await stack.enter_async_context(Nursery())
        url = stack.enter_context(empty_database(mongo_url))
        store = await stack.enter_async_context(MongoStore(url))
        configs = [tmp_path / f"config{n}.toml" for n in range(WORKERS)]
        for config, port in zip(configs, ports, strict=True):
            config.write_text(_config(url, dovecot, smtp, telegram, webhook=balancer.url, port=port), encoding="utf-8")
            config.chmod(0o600)
        secretaries = Secretaries(telegram, SECRETARIES)
        firm = Firm(tmp_path, nursery, configs, chance)
        await firm.start()
        secretaries.come()
        watcher = Watcher()
        watching, working = asyncio.create_task(watcher.watch(store)), asyncio.create_task(secretaries.work())
        arriving = [
            asyncio.create_task(mails_arrive(dovecot, chance)),
            asyncio.create_task(clients_write(telegram, chance)),
        ]
        for death in range(DEATHS):
            await asyncio.sleep(EVERY)
            await firm.one_dies(asleep=death % 3 == 0 and not firm.sleeping)
        await asyncio.gather(*arriving)
        await firm.all_awake()
        assert all(worker.alive for worker in firm.workers), [worker.last_words() for worker in firm.workers]
        async with asyncio.timeout(240):
            await all_ended(store)
        for task in (watching, working):
            task.cancel()
        await asyncio.gather(watching, working, return_exceptions=True)
        async with asyncio.timeout(60):
            await all_ended(store)  # their last press too
        assert await firm.stop() == [0] * WORKERS
        assert await store.scan(Worker) == []
        assert await store.scan(Claim) == []
        await nothing_lost_doubled_or_disordered(store)
        await replies_left_as_they_say(store, smtp)
        assert all(balancer.answered.values()), balancer.answered
        orphaned = watcher.orphaned(firm.killed)
        mailboxes = {f"receive mail:{name}" for name in MAILBOXES}
        assert not {name: wait for name, wait in orphaned.items() if name in mailboxes and wait > TAKEN_OVER_WITHIN}


def _config(
    url: str, dovecot: Dovecot, smtp: ScriptedSmtp, telegram: TelegramServer, *, webhook: str, port: int
) -> str:
    accounts = "".join(
        ACCOUNT.format(
            name=name,
            assignment="automatic" if name == ANSWERED else "manual",
            imap=dovecot.imap_port,
            smtp=smtp.port,
            password=dovecot.password,
        )
        for name in MAILBOXES
    )
    owners = "".join(f'[[owners]]\nid = {5000 + n}\nname = "Secrétaire {n}"\n' for n in range(SECRETARIES))
    return (
        CONFIG.format(
            store=url,
            accounts=accounts,
            token=telegram.token,
            second=SECOND_TOKEN,
            api=telegram.url,
            webhook=webhook,
            secret=SECRET,
            port=port,
        )
        + owners
    )
