"""`permanence backup`, `restore` and `copy`: the store as a whole, copied, put back, moved to another."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from bot import logs, wiring
from bot.config import Settings
from bot.copy import CannotCopy, Moved, move
from bot.memory import memory_at, memory_of, remember, remembered
from bot.settings import Wrong, store_url
from bot.terminal import DEFAULT_CONFIG, ConfigPath, do, expected, fail, now, read_settings, say, screen
from channels.base import Finding
from inbox.forgetting import everyone_forgotten, missing_here
from inbox.leases import BEAT, SILENT_LOOKS
from inbox.machinery import Transfer, Worker
from inbox.restored import find_unsettled, list_in_doubt, mark
from inbox.store.base import Store
from inbox.store.documents import KINDS
from inbox.store.sqlite import SqliteStore
from inbox.store.sqlite import restore as put_back
from inbox.transfer import INTO, OUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# ---------------------------------------------------------------- backup


def backup(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The copy: a new file.")],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Copy the whole store to a new file, and verify the copy. Works beside a running worker."""
    with expected():
        settings = read_settings(config)
        if settings.store.shared:
            fail(
                "the store is on a MongoDB server, whose own tool copies it",
                "mongodump --uri=URL --archive=FILE --gzip, on a replica set with --oplog for one moment of all of it "
                "(without a database in the URL); permanence check names the server",
            )
        if path.exists():
            fail(f"{path} exists already", "Name a new file; a backup never overwrites")
        if not path.absolute().parent.is_dir():
            fail(f"there is no folder {path.absolute().parent}", "Create it first")
        note = do(_backup(settings, path))
        say(f"✓ {path}: {path.stat().st_size:,} octets, verified".replace(",", " "), *note)


async def _backup(settings: Settings, path: Path) -> list[str]:
    if not settings.store.path.exists():
        fail(f"there is no store {settings.store.path} yet", "permanence run makes it")
    async with SqliteStore(settings.store.path) as store:
        try:
            await store.backup(path, mark=mark(now()))
        except OSError as failure:
            fail(f"{path} cannot be written: {failure.strerror}", "Name a file in a folder you may write to")
        note = await _who_was_forgotten(store, settings)
    async with SqliteStore(path) as copy:
        wrong = await copy.verify()
    if wrong:
        fail(f"{path} is damaged: {wrong[0]}", "permanence check tells whether the store is whole; try another disk")
    return note


async def _who_was_forgotten(store: Store, settings: Settings) -> list[str]:
    """What backups have to do with those who were forgotten: how many, since when, and where it is remembered."""
    forgotten = [person async for person in everyone_forgotten(store)]
    if not forgotten:
        return []
    last = max(person.asked_at for person in forgotten)
    count = len(forgotten)
    return [
        f"{count} contact{'s were' if count > 1 else ' was'} forgotten, the last on {last:%Y-%m-%d}. Older backups "
        f"hold them still: delete those, or keep {memory_of(settings)}, by which a worker on one forgets them again."
    ]


# ---------------------------------------------------------------- restore


def restore(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A backup, or a copy of the store's file.")],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Verify a backup and put it in the store's place; what is there stands aside. The worker must be stopped.

    The next worker knows that it starts in the past: replies that may have
    left since are put before people, never sent again.
    """
    with expected():
        settings = read_settings(config)
        if settings.store.shared:
            fail(
                "only a store in a file is restored so",
                f"permanence copy --from sqlite:{path} brings it to an empty data base",
            )
        if not path.is_file():
            fail(f"there is no file {path}", "Name a backup that permanence backup made")
        store = settings.store.path
        if store.exists() and store.samefile(path) and Path(f"{path}-wal").exists():
            fail(f"{path} is the store itself, and was not closed", "Start and stop the desk once, or name a backup")
        aside = store.with_name(f"{store.name}.replaced-{now():%Y%m%dT%H%M%S}")
        made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        taken_at, wrong = do(put_back(path, store, aside, mark(made)))
        if wrong:
            fail(f"{path} is damaged: {wrong[0]}", "Nothing was changed; take another backup")
        say(f"✓ {store} is what it was on {taken_at:%Y-%m-%d %H:%M:%S} UTC")
        if aside.exists():
            say(f"  What was there is {aside}; delete it once it is of no use")
        say("  Replies that may have left since will be put before people. Now: permanence check, permanence run")


# ---------------------------------------------------------------- copy


def copy(
    to: Annotated[
        str, typer.Option("--to", envvar="PERMANENCE_COPY_TO", metavar="URL", help="Where to: an empty store.")
    ],
    origin: Annotated[
        str | None,
        typer.Option("--from", envvar="PERMANENCE_COPY_FROM", metavar="URL", help="Where from; else the config's."),
    ] = None,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Beside the running worker, as far as it holds still; the firm does not move."),
    ] = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Move the firm to another store: sqlite:PATH or mongodb://…, whichever way.

    For little standstill, rehearse beside the running worker, as often as you
    like; then stop the worker and run it without --rehearse, which brings over
    only what is new, changed or gone, verifies all of it, and says what to put
    into the config. Broken off at any moment, the same command goes on. An
    address with a password is better given by the environment than typed.
    """
    with expected():
        settings = read_settings(config) if origin is None else None
        source = origin or (settings.store.url if settings is not None else "")
        for name, url in (("--from", source), ("--to", to)):
            _mask_address(url)
            try:
                store_url(url)
            except Wrong as wrong:
                fail(f"{name} {wrong.says}", wrong.remedy)
        moved = do(_copy(source, to, rehearse=rehearse))
        if rehearse:
            _say_rehearsed(moved)
            return
        _show_compared(moved)
        memory, there = memory_at(source, config), memory_at(to, config)
        if memory != there and (known := remembered(memory)):
            remember(there, known, now())
        say(
            f"✓ {shown_address(source)} has moved to {shown_address(to)}, all of it, compared",
            "  Now write the new address into the config, under [store] (or into PERMANENCE_STORE__URL):",
            f'  url = "{shown_address(to, whole=True)}"',
            "  then: permanence check, permanence run. No worker starts on the old store any more; keep it a while.",
        )


_PASSWORD = re.compile(r"(?<=:)[^:@/]+(?=@)")


def _mask_address(url: str) -> None:
    found = _PASSWORD.search(url)
    if found is not None:
        logs.mask(found[0])
        logs.mask(url)


def shown_address(url: str, *, whole: bool = False) -> str:
    """An address without its secrets: no user, no password, no options.

    Args:
        whole: as it is written into the config, with *** for what stays secret.
    """
    if url.startswith("sqlite:"):
        return url
    if whole:
        return _PASSWORD.sub("***", url.partition("?")[0]) + ("?…" if "?" in url else "")
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def _copy(source_url: str, target_url: str, *, rehearse: bool) -> Moved:
    source_name, target_name = shown_address(source_url), shown_address(target_url)
    if source_url == target_url:
        fail("both addresses name the same store", "Name another with --to")
    if source_url.startswith("sqlite:") and not wiring.file_at(source_url).exists():
        fail(f"there is no store {source_name}", "Name the file the desk runs on")
    async with (
        wiring.open_at(source_url, exclusive=not rehearse) as source,
        wiring.open_at(target_url, exclusive=True) as target,
        _no_worker(source, source_name, rehearse=rehearse),
    ):
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=screen(),
            disable=not screen().is_terminal,
        ) as progress:
            try:
                return await move(
                    source,
                    target,
                    source_name=source_name,
                    target_name=target_name,
                    clock=now,
                    shown=_Bar(progress, steps=len(KINDS) * (1 if rehearse else 2)),
                    rehearse=rehearse,
                )
            except CannotCopy as refusal:
                fail(str(refusal), refusal.remedy)


class _Bar:
    """How far the copying is: which kind of how many, and how many documents so far."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self._progress = progress
        self._whole: TaskID = progress.add_task("", total=steps)
        self._looked_at = 0

    def begin(self, what: str) -> None:
        self._progress.update(self._whole, description=what, advance=1 if self._looked_at else 0)

    def advance(self, count: int) -> None:
        self._looked_at += count
        self._progress.update(self._whole)


@asynccontextmanager
async def _no_worker(store: Store, name: str, *, rehearse: bool) -> AsyncIterator[None]:
    """Hold that nobody works on the store. A file's lock says so; workers on a server are listened for."""
    if not rehearse and not isinstance(store, SqliteStore):
        before = {worker.id: worker.version for worker in await store.scan(Worker)}
        watch = store.watch(Worker)
        try:
            if before and await watch.wait((SILENT_LOOKS * BEAT).total_seconds()):
                after = {worker.id: worker.version for worker in await store.scan(Worker)}
                if any(before.get(worker) != version for worker, version in after.items()):
                    fail(f"a worker runs on {name}", "Stop every worker first, or copy with --rehearse beside them")
        finally:
            watch.close()
    yield


def _say_rehearsed(moved: Moved) -> None:
    say(
        f"✓ rehearsed: {moved.written} documents and {moved.blobs} raw forms written, {moved.removed} removed"
        + (f"; {moved.put_off} changed too fast and follow" if moved.put_off else ""),
        "  Rehearse again, or stop the worker and run the same command without --rehearse",
    )


def _show_compared(moved: Moved) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("kind", no_wrap=True)
    table.add_column("here and there", justify="right")
    table.add_column("sha256", no_wrap=True)
    for line in moved.lines:
        table.add_row(line.kind, f"{line.here[0]:,}".replace(",", " "), line.here[1][:16])
    screen().print(table)


# ---------------------------------------------------------------- check


async def findings(store: Store, settings: Settings) -> list[Finding]:
    """What this store says of itself: a backup's copy, half a copy, one that was left; and who was forgotten."""
    found: list[Finding] = []
    into, out = await store.find(Transfer, INTO), await store.find(Transfer, OUT)
    if into is not None and into.finished_at is None:
        says = f"half a copy of {into.peer}; no worker runs on it"
        found.append(Finding("error", "store", says, "End it with the same permanence copy"))
    if out is not None and out.finished_at is not None:
        says = f"the firm was moved from here to {out.peer}; no worker runs on it"
        found.append(Finding("error", "store", says, "Write that address into [store] url"))
    if (copied := await find_unsettled(store)) is not None:
        held = len(await list_in_doubt(store))
        says = (
            f"a copy of {copied.taken_at:%Y-%m-%d %H:%M:%S} UTC: the next worker starts there; "
            f"{held} deliveries that may have left since will be put before people"
        )
        found.append(
            Finding("warning", "store", says, "What came by Telegram since is not in it; tell the secretaries")
        )
    missing = 0
    for contact_id in remembered(memory_of(settings)):
        missing += await missing_here(store, contact_id, now()) is not None
    if missing:
        says = f"{missing} contacts who were forgotten since are in this copy; the next worker forgets them again"
        found.append(Finding("warning", "store", says, "Nothing to do; permanence run does it first"))
    found += [Finding("ok", "store", line) for line in await _who_was_forgotten(store, settings)]
    return found
