"""How a worker under test is made to die at one boundary, and brought where only bad luck would bring it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import struct
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from sys import _getframe
from typing import Any, Literal

import msgspec

from bot import worker
from bot.clock import SteadyClock
from channels.telegram.bot import TelegramBot
from channels.telegram.limits import Limits
from handlers import crew, deliveries, incoming, start
from handlers.incoming import Incoming
from inbox.parts import ChannelId
from inbox.store.base import Changes
from inbox.store.sqlite import SqliteStore
from inbox.triage import Triage
from inbox.watchkeeping import Patience
from tests.crash.boundaries import boundaries

When = Literal["before", "after"]
Plant = Literal[
    "paced", "busy", "forgets", "stumbles", "hangs", "waits", "hasty", "shared", "unprivileged", "unhinted", "watchful"
]

CABINET = ChannelId("mail:cabinet")


class Death(msgspec.Struct, frozen=True):
    """Where a worker kills itself: as SIGKILL, just before a commit is handed over, or just after it stands.

    Attributes:
        holding: words the commit must hold, where a boundary serves several purposes.
    """

    name: str
    when: When
    holding: str = ""


class Life(msgspec.Struct, frozen=True):
    """One start of the program.

    Attributes:
        plants: what is planted in it: see `PLANTS`.
        wall: a file that says by how many seconds the wall clock is wrong, now and as it changes.
    """

    arguments: tuple[str, ...]
    log: str
    death: Death | None = None
    plants: tuple[Plant, ...] = ()
    wall: str | None = None


def prepare(life: Life) -> None:
    """Make this process one that will live so."""
    if "paced" not in life.plants:
        _put(Limits, "turn", _unpaced)  # no test waits for a chat's pace, unless it asks to
    for plant in life.plants:
        PLANTS[plant](life)
    if life.wall is not None:
        _shift_the_wall(Path(life.wall))
    if life.death is not None:
        _arm(life.death)


def _arm(death: Death) -> None:
    boundary = boundaries()[death.name]
    commit = SqliteStore.commit

    async def die_after(committing: Awaitable[None]) -> None:
        await committing
        _die()

    def mortal(store: SqliteStore, changes: Changes) -> Awaitable[None]:
        if not boundary.is_in(_getframe(1)) or death.holding not in _words(changes):
            return commit(store, changes)
        if death.when == "before":
            _die()
        return die_after(commit(store, changes))

    _put(SqliteStore, "commit", mortal)


def _put(owner: object, name: str, planted: object) -> None:
    setattr(owner, name, planted)


def _words(changes: Changes) -> str:
    return repr([*changes.inserts.values(), *changes.replacements.values()])


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# ---------------------------------------------------------------- what is planted


async def _unpaced(limits: Limits, chat_id: int) -> float:
    return limits.paused_for(chat_id)


def _busy(life: Life) -> None:
    """The first message of a client's chat must wait for its turn."""
    ready = TelegramBot.ready
    asked: set[ChannelId] = set()

    async def once(bot: TelegramBot, payload: Any) -> float:
        if bot.id in asked or type(payload).__name__ != "Post":
            return await ready(bot, payload)
        asked.add(bot.id)
        return 0.2

    _put(TelegramBot, "ready", once)


def _forgets(life: Life) -> None:
    """The help's handler ends without a commit, as a handler with a bug would."""

    async def show_help(message: object) -> None: ...

    _put(start, "show_help", show_help)


def _stumbles(life: Life) -> None:
    """Every client's message meets a bug."""

    async def take_in(*_: object) -> None:
        raise RuntimeError("a bug")

    _put(Triage, "take_in", take_in)


def _hangs(life: Life) -> None:
    """No receipt is ever handled."""

    async def handle(*_: object) -> None:
        await asyncio.Event().wait()

    _put(Incoming, "_handle", handle)


def _shared(life: Life) -> None:
    """The store is shared among workers, as one on MongoDB is; they find out sooner than elsewhere who died."""
    opening = SqliteStore.__init__

    def __init__(store: SqliteStore, path: Path, *, exclusive: bool = False, **options: Any) -> None:  # noqa: N807
        opening(store, path, exclusive=False, **options)

    _put(SqliteStore, "__init__", __init__)
    among_others = worker._among_others
    _put(worker, "_among_others", lambda desk, **_: among_others(desk, shared=True))
    _put(worker, "Crew", partial(crew.Crew, beat=timedelta(seconds=0.25)))
    _put(deliveries, "RESCAN", 0.5)
    _put(incoming, "RESCAN", 0.5)


def _waits(life: Life) -> None:
    """No receipt is handled before there is a file beside the log that says so."""
    handle = Incoming._handle
    told = Path(f"{life.log}.handle")

    async def late(*args: Any) -> None:
        while not told.exists():  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.01)
        await handle(*args)

    _put(Incoming, "_handle", late)


def _hasty(life: Life) -> None:
    """A store that fails is asked again at once: an hour's tries are a second's."""
    _put(deliveries, "STORE_WAIT", 0.01)


def _unprivileged(life: Life) -> None:
    """Root may write everywhere; root without its capabilities is held by what a file says, as anybody is."""
    if os.geteuid() == 0:
        # capset(2): version 3 and this process, then effective, permitted and inheritable, twice
        head, none = struct.pack("Ii", 0x20080522, 0), bytes(24)
        failed = ctypes.CDLL(None, use_errno=True).capset(head, none)
        assert not failed, os.strerror(ctypes.get_errno())


def _unhinted(_: Life) -> None:
    """SecantusDB walks the whole of an index that is named to it, and plans well where none is: a test server's own."""
    from pymongo.asynchronous.collection import AsyncCollection
    from pymongo.asynchronous.cursor import AsyncCursor

    find, count = AsyncCollection.find, AsyncCollection.count_documents

    def find_unhinted(collection: Any, *arguments: Any, hint: str | None = None, **options: Any) -> Any:
        return find(collection, *arguments, **options)

    def count_unhinted(collection: Any, *arguments: Any, hint: str | None = None, **options: Any) -> Any:
        return count(collection, *arguments, **options)

    _put(AsyncCollection, "find", find_unhinted)
    _put(AsyncCollection, "count_documents", count_unhinted)
    _put(AsyncCursor, "hint", lambda cursor, name: cursor)


def _watchful(life: Life) -> None:
    """The owners are told after moments."""
    soon = timedelta(seconds=1)
    _put(worker, "patience", lambda _: Patience(down=soon, behind=timedelta(hours=1), silent={CABINET: None}))


PLANTS: dict[Plant, Callable[[Life], None]] = {
    "paced": lambda _: None,
    "busy": _busy,
    "forgets": _forgets,
    "stumbles": _stumbles,
    "hangs": _hangs,
    "shared": _shared,
    "waits": _waits,
    "hasty": _hasty,
    "unprivileged": _unprivileged,
    "unhinted": _unhinted,
    "watchful": _watchful,
}


def _shift_the_wall(by: Path) -> None:
    def wall() -> datetime:
        return datetime.fromtimestamp(time.time() + float(by.read_text()), UTC)

    run = worker.run
    _put(worker, "run", lambda settings: run(settings, clock=SteadyClock(wall=wall)))
