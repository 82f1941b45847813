"""Whether a long history makes the desk slower: the same work on a store with little behind it and on one with much.

Both stores are open in one process, and every measure takes turns between
them; each repetition is about other documents, chosen from the whole history.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from statistics import median, quantiles
from typing import IO, NamedTuple

from aiogram import Bot

from bot.locales import Catalogue
from channels.base import (
    Accept,
    Arrival,
    ChatFile,
    ChatMessage,
    Finding,
    Parcel,
    Preview,
    Reply,
    SentAs,
    Suggestion,
    Take,
)
from channels.telegram.parse import read_update
from handlers.deliveries import Deliveries
from handlers.desk import Desk
from handlers.handover import Handover
from handlers.incoming import Incoming, accepting
from handlers.queue import deal_waiting, list_queued
from handlers.start import build_dispatcher
from inbox.envelope import Connected, Reading
from inbox.ledger import Ledger
from inbox.model import Conversation, Delivery, Receipt, Secretary
from inbox.notices import CardNotice, Letter, Post, QueueNotice, TextNotice
from inbox.outbox import leased, notice
from inbox.parts import Attachment, Because, Document
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    CONVERSATION_BY_NUMBER,
    DELIVERIES_DUE,
    DELIVERIES_LEASED,
    MESSAGES_OF_CONVERSATION,
    RECEIPTS_WAITING,
)
from inbox.store.sqlite import SqliteStore
from tests.bench import history
from tests.bench.history import DESK, KEY, MAIL, accounts, address_of, secretaries
from tests.contracts import backends
from tests.handlers.stage import Letterbox, Uncounted

WARM_UP = 30
REPETITIONS = 200
COLD = 25
OCTETS_EACH = 16_000
"""More than a conversation takes."""
SIZES_ELSEWHERE = (1_000, 20_000)
SETTLE = 0.03
"""Seconds between two measures: longer than the loops take to lie down again."""
DELIVERIES = 20
"""Due at once, all to different chats."""
PATIENCE = 60.0


class _Bot:
    """A bot whose calls take no time."""

    id = DESK

    def __init__(self) -> None:
        self._ids = itertools.count(time.time_ns() // 1_000_000)  # never again on a store that is kept

    async def run(self, position: str | None, accept: Accept) -> None:
        await asyncio.Event().wait()

    def read(self, raw: bytes) -> Reading:
        return read_update(raw)

    def extract(self, raw: bytes, attachment: Attachment) -> bytes:
        raise NotImplementedError

    def page(self, raw: bytes, say: Callable[[str], str]) -> bytes:
        raise NotImplementedError

    def compose(self, reply: Reply) -> tuple[Parcel, ...]:
        raise NotImplementedError

    def preview(self, reply: Reply) -> Preview:
        raise NotImplementedError

    async def ready(self, payload: Letter | Post) -> float:
        return 0.0

    async def send(self, payload: Letter | Post, raw: bytes | None) -> SentAs:
        return SentAs(str(next(self._ids)))

    async def show(self, message: ChatMessage) -> SentAs:
        return SentAs(str(message.edits or next(self._ids)))

    async def hand_over(self, file: ChatFile) -> SentAs:
        return SentAs(str(next(self._ids)))

    async def fetch_file(self, file_id: str) -> bytes:
        return b""

    async def open_topic(self, chat_id: int, name: str, colour: int) -> int:
        return next(self._ids)

    async def name_topic(self, chat_id: int, topic: int, name: str) -> None: ...

    async def shut_topic(self, chat_id: int, topic: int, *, shut: bool) -> None: ...

    async def pin(self, chat_id: int, message_id: int) -> None: ...

    async def unpin(self, chat_id: int, message_id: int) -> None: ...

    async def is_member(self, chat_id: int, user_id: int) -> bool:
        return True

    async def connection(self, connection: str) -> Connected:
        raise NotImplementedError

    async def keeps_topics(self) -> bool:
        return True

    async def answer_press(self, callback_query_id: str, text: str = "", *, alert: bool = False) -> None: ...

    async def answer_search(self, inline_query_id: str, found: Sequence[Suggestion]) -> None: ...

    async def link(self, payload: str) -> str:
        return payload

    async def list_keys(self, position: str) -> list[str] | None:
        return None

    async def fetch(self, keys: Sequence[str], take: Take) -> None: ...

    async def check(self) -> list[Finding]:
        return []

    async def readmitted(self) -> None: ...

    async def close(self) -> None: ...


class _Running:
    """A desk on a store with a history, its loops for arrivals and deliveries running."""

    def __init__(self, store: Store, conversations: int) -> None:
        self.store = store
        self._conversations = conversations
        self._chance = random.Random(conversations)
        self._mails = itertools.count(time.time_ns() // 1_000_000)
        self.desk = Desk(
            store=store,
            channels={MAIL: Letterbox(), DESK: _Bot()},
            chats={DESK: _Bot()},
            accounts=accounts(),
            own_account={},
            desk_bots=frozenset([DESK]),
            key=KEY,
            texts=Catalogue(),
            clock=lambda: datetime.now(UTC),
            meter=Uncounted(),
            language="fr",
            time_zone="Europe/Paris",
            undo=timedelta(seconds=15),
            worker="bench",
        )
        self._handover = Handover(self.desk)
        self._ledger = Ledger(store)
        self._people = secretaries()
        self._picked: list[Conversation] = []

    @asynccontextmanager
    async def loops(self) -> AsyncIterator[None]:
        incoming = Incoming(self.desk, MAIL, build_dispatcher(), {DESK: Bot("1:calls-nobody")})
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(incoming.run()), group.create_task(Deliveries(self.desk).run())]
            await asyncio.sleep(SETTLE)
            yield
            for loop in running:
                loop.cancel()

    async def pick(self, count: int) -> None:
        """Choose which of the history the measures are about; never the same twice."""
        numbers = self._chance.sample(range(1, self._conversations + 1), count)
        found = [await self.store.find_by(CONVERSATION_BY_NUMBER, number) for number in numbers]
        self._picked += [conversation for conversation in found if conversation is not None]

    def _old(self) -> Conversation:
        return self._picked.pop()

    # ------------------------------------------------------------ what is measured

    async def intake(self) -> float:
        """One mail: from the channel's hand to the end of its receipt. Half of them answer something old."""
        number = next(self._mails)
        mail = EmailMessage()
        sender, account = f"somebody.new.{number}@example.org", number
        if number % 2:
            old = self._old()
            sender = old.participants[0]
            account = int(old.account_id.removeprefix("cabinet-"))
            [said] = await self.store.list(MESSAGES_OF_CONVERSATION, old.id, limit=1)
            mail["In-Reply-To"] = f"<{said.external_id}>"
        mail["From"], mail["To"], mail["Subject"] = sender, address_of(account), f"Question {number}"
        mail["Message-ID"] = f"<{number}.{self._chance.getrandbits(64):x}@example.org>"
        mail.set_content("Bonjour, pouvez-vous me rappeler ?")
        raw = mail.as_bytes()
        began = time.perf_counter()
        await accepting(self.desk, MAIL)([Arrival(f"9:{number}", "INBOX", raw)], f"9:{number}")
        await self._until_none(Receipt, lambda: self.store.list(RECEIPTS_WAITING, MAIL, limit=1))
        took = time.perf_counter() - began
        await self._delivered()
        return took

    async def queue(self) -> float:
        """What *next*, the queue's screen and dealing ask."""
        secretary = self._chance.choice(self._people)
        screen = notice(QueueNotice(secretary_id=secretary.id), DESK, secretary.chat_id, self.desk.clock())
        began = time.perf_counter()
        waiting = await list_queued(self.desk, secretary, limit=1)
        await self._handover.hand_over(leased(screen, self.desk.worker, self.desk.clock()))
        await deal_waiting(self.desk)
        took = time.perf_counter() - began
        if not waiting:
            raise RuntimeError("nothing was in the queue")
        return took

    async def card(self) -> float:
        """A fresh card of an old conversation: read, rendered, handed over."""
        old = self._old()
        secretary = await self.store.get(Secretary, old.assignee_id or "")
        card = notice(
            CardNotice(secretary_id=secretary.id, conversation_id=old.id, fresh=True),
            DESK,
            secretary.chat_id,
            self.desk.clock(),
        )
        began = time.perf_counter()
        reference, beside = await self._handover.hand_over(leased(card, self.desk.worker, self.desk.clock()))
        took = time.perf_counter() - began
        if not reference or not beside:
            raise RuntimeError("no card was shown")
        return took

    async def outbox(self) -> float:
        """Twenty deliveries that fall due: found, leased, handed over, settled."""
        now = self.desk.clock()
        because = Because(key="ask.which")
        due = [
            notice(TextNotice(chat_id=chat, language="fr", because=because), DESK, chat, now)
            for chat in range(DELIVERIES)
        ]
        began = time.perf_counter()
        await self.store.commit(Changes(inserts=due))
        await self._delivered()
        return time.perf_counter() - began

    async def ledger(self) -> float:
        """What each scrape of the figures asks: whether every receipt is accounted for."""
        began = time.perf_counter()
        lines = await self._ledger.balance([MAIL, DESK], self.desk.clock())
        took = time.perf_counter() - began
        if not all(line.balanced for line in lines):
            raise RuntimeError(f"the ledger is not balanced: {lines}")
        return took

    async def _delivered(self) -> None:
        await self._until_none(Delivery, lambda: self.store.list(DELIVERIES_DUE, limit=1))
        await self._until_none(Delivery, lambda: self.store.list(DELIVERIES_LEASED, limit=1))

    async def _until_none(self, kind: type[Document], look: Callable[[], Awaitable[Sequence[Document]]]) -> None:
        watch = self.store.watch(kind)
        async with asyncio.timeout(PATIENCE):
            while await look():
                await watch.wait()
        watch.close()


MEASURES: dict[str, Callable[[_Running], Awaitable[float]]] = {
    "growth_intake": _Running.intake,
    "growth_queue": _Running.queue,
    "growth_card": _Running.card,
    "growth_outbox": _Running.outbox,
    "growth_ledger": _Running.ledger,
}


class Grown(NamedTuple):
    """One measure on both stores."""

    name: str
    small: float
    """Median seconds with little history."""
    large: float
    """… and with much."""

    @property
    def ratio(self) -> float:
        return self.large / self.small


async def compare(
    small: Store,
    large: Store,
    sizes: tuple[int, int],
    say: Callable[[str], None],
    *,
    repetitions: int = REPETITIONS,
    before_each: Callable[[], None] | None = None,
    names: Iterable[str] = MEASURES,
    suffix: str = "",
) -> list[Grown]:
    """Every measure, in turn on both stores; medians.

    Args:
        before_each: called before every repetition, outside the measured time.
    """
    sides = (_Running(small, sizes[0]), _Running(large, sizes[1]))
    found = []
    warm_up = 0 if before_each else WARM_UP
    async with sides[0].loops(), sides[1].loops():
        for name in names:
            times: tuple[list[float], list[float]] = ([], [])
            for side in sides:
                await side.pick(repetitions + warm_up)
            for number in range(warm_up + repetitions):
                # Who goes first alternates: what else the machine does meets both alike.
                for which in (0, 1) if number % 2 else (1, 0):
                    if before_each:
                        before_each()
                    await asyncio.sleep(SETTLE)
                    took = await MEASURES[name](sides[which])
                    if number >= warm_up:
                        times[which].append(took)
            grown = Grown(name + suffix, median(times[0]), median(times[1]))
            tails = [1e3 * quantiles(each, n=20, method="inclusive")[-1] for each in times]
            say(
                f"{grown.name}: {1e3 * grown.small:.2f} ms at {sizes[0]}, {1e3 * grown.large:.2f} ms at {sizes[1]}"
                f" (p95 {tails[0]:.2f}, {tails[1]:.2f}): {grown.ratio:.2f}"
            )
            found.append(grown)
    return found


# ---------------------------------------------------------------- on which stores


def on_sqlite(directory: Path, small: int, large: int, say: Callable[[str], None]) -> list[Grown]:
    """The embedded store: warm, with a queue that grew as the history did, and from the disk."""
    paths = (directory / "little.db", directory / "much.db")
    room = shutil.disk_usage(directory).free
    if room < OCTETS_EACH * large:
        raise RuntimeError(
            f"{directory} has room for {room >> 30} GiB, and a store of {large} conversations takes"
            f" {OCTETS_EACH * large >> 30}: name another folder (BENCH_DIR) or other sizes (BENCH_GROWTH=10000,100000)"
        )
    for path, size in zip(paths, (small, large), strict=True):
        began = time.perf_counter()
        history.build(path, size)
        took, octets = time.perf_counter() - began, path.stat().st_size
        say(f"a store of {size} conversations: {octets / size / 1024:.1f} KiB each, made in {took:.0f} s")
    try:
        return asyncio.run(_on_sqlite(paths, (small, large), say))
    finally:
        for path in paths:
            for left in path.parent.glob(f"{path.name}*"):
                left.unlink()


async def _on_sqlite(paths: tuple[Path, Path], sizes: tuple[int, int], say: Callable[[str], None]) -> list[Grown]:
    # Closed after the stores: closing drops every lock this process has on a file, SQLite's too (see `file.create`).
    files = [path.open("rb", buffering=0) for path in paths]
    try:
        for file in files:
            while file.read(2**24):  # what memory holds of it, is held
                pass
        async with SqliteStore(paths[0], exclusive=True) as small:
            began = time.perf_counter()
            async with SqliteStore(paths[1], exclusive=True) as large:
                say(f"opened in {1e3 * (time.perf_counter() - began):.1f} ms")
                found = await compare(small, large, sizes, say)
                await history.queue_up(large, sizes[1] // 100, sizes[1])
                say(f"one in a hundred waits in the queue: {history.QUEUED}, and {sizes[1] // 100} more")
                found += await compare(small, large, sizes, say, names=["growth_queue"], suffix="_backlog")
                found += await compare(
                    small,
                    large,
                    sizes,
                    say,
                    names=["growth_intake", "growth_card"],
                    suffix="_cold",
                    repetitions=COLD,
                    before_each=lambda: _forget(files),
                )
        return found
    finally:
        for file in files:
            file.close()


def _forget(files: Iterable[IO[bytes]]) -> None:
    """Have the system keep nothing of these files in memory; what the store itself keeps is only its topmost pages."""
    for file in files:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def elsewhere(directory: Path, say: Callable[[str], None]) -> list[Grown]:
    """The first other backend, at the sizes its own commits fill in a minute."""
    return [
        grown
        for backend in [each for each in backends.BACKENDS if each != "sqlite"][:1]
        for grown in asyncio.run(_elsewhere(backend, directory, say))
    ]


async def _elsewhere(backend: str, directory: Path, say: Callable[[str], None]) -> list[Grown]:
    with backends.empty(backend, directory) as little, backends.empty(backend, directory) as much:
        async with backends.open_at(little) as small, backends.open_at(much) as large:
            for store, size in zip((small, large), SIZES_ELSEWHERE, strict=True):
                await history.fill(store, size)
            return await compare(small, large, SIZES_ELSEWHERE, say, suffix=f"_{backend}")
