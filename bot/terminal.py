"""What every command shares: how it reads the settings, what it says, how it fails."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from bot import logs, wiring
from bot.config import CONFIG_VARIABLE, ConfigError, Problem, Settings, load
from channels.errors import ChannelError, LoginRejected
from inbox.errors import Conflict, InboxError, StoreDamaged, StoreTooNew, StoreUnavailable
from inbox.store.base import Store

FAILED = 1
BAD_CONFIG = 2
DAMAGED = "Stop the desk; permanence restore puts the last backup in its place, and keeps what is there beside it"

T = TypeVar("T")

ConfigPath = Annotated[
    Path, typer.Option("--config", envvar=CONFIG_VARIABLE, metavar="PATH", help="The config file.", show_default=True)
]
DEFAULT_CONFIG = Path("config.toml")


def screen() -> Console:
    """Standard output, made when used: whoever captures it gets it. Never cuts a line short for a pipe."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=1000)


def say(*lines: str) -> None:
    """Print lines."""
    out = screen()
    for line in lines:
        out.print(line, soft_wrap=True)


def fail(says: str, remedy: str = "", code: int = FAILED) -> NoReturn:
    """Say on standard error what went wrong and what to do, and end."""
    error = Console(stderr=True, highlight=False, markup=False, emoji=False)
    error.print(Text(f"✗ {logs.masked(says)}", style="red"), soft_wrap=True)
    if remedy:
        error.print(f"  {logs.masked(remedy)}", soft_wrap=True)
    raise typer.Exit(code)


def fail_with_problems(failure: ConfigError) -> NoReturn:
    """Say every mistake of the settings, and end."""
    error = Console(stderr=True, highlight=False, markup=False, emoji=False)
    for problem in failure.problems:
        show_problem(error, problem, "✗", "red")
    count = len(failure.problems)
    error.print(f"{count} mistake{'s' if count > 1 else ''} in the settings; nothing was started.", soft_wrap=True)
    raise typer.Exit(BAD_CONFIG)


def show_problem(console: Console, problem: Problem, mark: str, style: str) -> None:
    """One mistake, or one unsafe choice, where it is and how to mend it."""
    what = " ".join(part for part in (problem.key, problem.says) if part)
    console.print(Text(f"{mark} {problem.place}: ", style=style) + Text(what, style="default"), soft_wrap=True)
    if problem.remedy:
        console.print(f"  {problem.remedy}", soft_wrap=True)


@contextmanager
def expected() -> Iterator[None]:
    """Say what is expected to go wrong in one sentence, with where and what to do. The rest is a traceback."""
    try:
        yield
    except ConfigError as failure:
        fail_with_problems(failure)
    except BaseExceptionGroup as group:
        known = [leaf for leaf in _leaves(group) if isinstance(leaf, _EXPECTED)]
        if not known or len(known) < len(list(_leaves(group))):
            raise
        fail(*in_words(known[0]))
    except _EXPECTED as failure:
        fail(*in_words(failure))
    except OSError as failure:
        if failure.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
            raise
        fail(failure.strerror or str(failure), "Choose another host or port for [web] or the webhook in the config")


_EXPECTED = (StoreUnavailable, StoreTooNew, ChannelError, InboxError)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner


def in_words(failure: BaseException) -> tuple[str, str]:
    """What is expected to go wrong, in a sentence, and what to do."""
    match failure:
        case StoreTooNew():
            return str(failure), ""
        case StoreDamaged():
            return str(failure), DAMAGED
        case StoreUnavailable():
            return str(failure), "permanence check tells whether it can be read and written, is whole, and has room"
        case LoginRejected():
            return str(failure), "Correct the password or token in the config; permanence check tells more"
        case ChannelError():
            return str(failure), "permanence check says what is wrong with every channel"
        case Conflict():
            return "somebody else changed it at the same moment", "Try again"
        case _:
            return str(failure), ""


def read_settings(path: Path) -> Settings:
    """The settings; their secrets are masked in everything said from now on."""
    settings = load(path)
    for secret in settings.secrets():
        logs.mask(secret)
    return settings


def now() -> datetime:
    """The instant."""
    return datetime.now(UTC)


def do(work: Coroutine[Any, Any, T]) -> T:
    """Run what waits, to its end."""
    return asyncio.run(work)


def existing_store(settings: Settings) -> Store:
    """The store, unless there is none yet: looking must not make one, perhaps as the wrong user."""
    if not settings.store.shared and not settings.store.path.exists():
        fail(f"there is no store {settings.store.path} yet", "permanence run makes it")
    return wiring.open_store(settings, exclusive=False)


def printable(text: str) -> str:
    """The text with nothing a terminal would obey: what arrives was written by strangers."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
