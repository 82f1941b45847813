"""How a worker under test is made to die at one boundary, and brought where only bad luck would bring it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from sys import _getframe
from typing import Any, Literal

import msgspec

from bot import worker
from bot.clock import SteadyClock
from channels.telegram.bot import TelegramBot
from channels.telegram.limits import Limits
from handlers import start
from handlers.incoming import Incoming
from inbox.model import ChannelId
from inbox.store.base import Changes
from inbox.store.sqlite import SqliteStore
from inbox.triage import Triage
from tests.crash.boundaries import boundaries

When = Literal["before", "after"]
Plant = Literal["paced", "busy", "forgets", "stumbles", "hangs"]


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
        PLANTS[plant]()
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


def _busy() -> None:
    """The first message of a client's chat must wait for its turn."""
    ready = TelegramBot.ready
    asked: set[ChannelId] = set()

    async def once(bot: TelegramBot, payload: Any) -> float:
        if bot.id in asked or type(payload).__name__ != "Post":
            return await ready(bot, payload)
        asked.add(bot.id)
        return 0.2

    _put(TelegramBot, "ready", once)


def _forgets() -> None:
    """The help's handler ends without a commit, as a handler with a bug would."""

    async def show_help(message: object) -> None: ...

    _put(start, "show_help", show_help)


def _stumbles() -> None:
    """Every client's message meets a bug."""

    async def take_in(*_: object) -> None:
        raise RuntimeError("a bug")

    _put(Triage, "take_in", take_in)


def _hangs() -> None:
    """No receipt is ever handled."""

    async def handle(*_: object) -> None:
        await asyncio.Event().wait()

    _put(Incoming, "_handle", handle)


PLANTS: dict[Plant, Callable[[], None]] = {
    "paced": lambda: None,
    "busy": _busy,
    "forgets": _forgets,
    "stumbles": _stumbles,
    "hangs": _hangs,
}


def _shift_the_wall(by: Path) -> None:
    def wall() -> datetime:
        return datetime.fromtimestamp(time.time() + float(by.read_text()), UTC)

    run = worker.run
    _put(worker, "run", lambda settings: run(settings, clock=SteadyClock(wall=wall)))
