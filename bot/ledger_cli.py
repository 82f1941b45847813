"""`permanence receipts`: the ledger, what every channel received and what became of it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from bot import logs, wiring
from bot.config import Settings
from bot.terminal import (
    BAD_CONFIG,
    DEFAULT_CONFIG,
    FAILED,
    ConfigPath,
    do,
    existing_store,
    expected,
    fail,
    now,
    printable,
    read_settings,
    say,
    screen,
)
from channels.errors import ChannelError
from handlers.reconciling import Reconciled, reconcile
from inbox.errors import Conflict, InvalidTransition, NotFound
from inbox.ledger import balance, list_channels, list_receipts, replay
from inbox.model import Receipt, ReceiptState
from inbox.parts import ChannelId
from inbox.store.base import Store

receipts = typer.Typer(help="The ledger: what every channel received and what became of it.")

ChannelName = Annotated[
    str | None, typer.Option("--channel", metavar="ID", help="Only this channel, as mail:NAME or telegram:NAME.")
]


class EndState(StrEnum):
    """The states of which receipts can be listed."""

    PARKED = "parked"
    WAITING = "waiting"
    IGNORED = "ignored"


@receipts.callback(invoke_without_command=True)
def show_ledger(
    context: typer.Context,
    compare: Annotated[
        bool,
        typer.Option("--reconcile", help="Compare it with the mail servers' lists; take in what is missing."),
    ] = False,
    channel: ChannelName = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Show how many receipts of each channel are in which state, and whether all are accounted for.

    Works beside a running worker. Ends with 1 when a receipt is missing, or a
    mail was (--reconcile).
    """
    if context.invoked_subcommand is not None:
        return
    with expected():
        settings = read_settings(config)
        if compare:
            _reconcile(settings, channel)
        elif not do(_show_ledger(settings, channel)):
            fail(
                "receipts are missing from the ledger",
                "permanence receipts --reconcile takes in again what the mail server still has. Keep a copy of the "
                "store (permanence backup) and report it: this must never happen",
            )


async def _show_ledger(settings: Settings, channel: str | None) -> bool:
    async with existing_store(settings) as store:
        declared = wiring.channel_ids(settings)
        one = await _known_channel(store, settings, channel)
        shown = sorted({*declared, *await list_channels(store)}) if one is None else [one]
        lines = await balance(store, shown)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("channel", no_wrap=True)
    for name in ("received", "waiting", "handled", "ignored", "parked"):
        table.add_column(name, justify="right")
    table.add_column("")
    for line in lines:
        verdict = "balanced" if line.balanced else _off_by(line.missing)
        if line.channel not in declared:
            verdict += ", no longer in the config"
        counts = (line.received, line.waiting, line.handled, line.ignored, line.parked)
        table.add_row(
            line.channel,
            *(f"{count:,}".replace(",", " ") for count in counts),
            Text(verdict, style="" if line.balanced else "red"),
        )
    screen().print(table)
    return all(line.balanced for line in lines)


def _off_by(missing: int) -> str:
    return f"{missing} missing" if missing > 0 else f"{-missing} more than received"


# ---------------------------------------------------------------- compared with the servers


def _reconcile(settings: Settings, channel: str | None) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("channel", no_wrap=True)
    for name in ("on the server", "known", "gaps", "taken in"):
        table.add_column(name, justify="right")
    table.add_column("")
    outcomes = do(_reconcile_all(settings, channel))
    for name, outcome in outcomes:
        table.add_row(name, *_reconciled(outcome))
    screen().print(table)
    if any(isinstance(outcome, ChannelError) for _, outcome in outcomes):
        fail("not every mailbox could be asked", "permanence check says what is wrong with every channel")
    if any(isinstance(outcome, Reconciled) and outcome.gaps for _, outcome in outcomes):
        fail(
            "mails were missing from the ledger",
            "What was taken in is handled by the running worker, or the next. Please report it: this must never happen",
        )


async def _reconcile_all(settings: Settings, channel: str | None) -> list[tuple[ChannelId, Reconciled | ChannelError]]:
    outcomes: list[tuple[ChannelId, Reconciled | ChannelError]] = []
    async with existing_store(settings) as store:
        wanted = await _known_channel(store, settings, channel)
        channels = wiring.build_channels(settings, wiring.Unobserved())
        try:
            for name in sorted(channels) if wanted is None else [wanted]:
                if name not in channels:
                    fail(f"{name} is no longer in the config", "Without it nobody knows where to ask")
                try:
                    found: Reconciled | ChannelError = await reconcile(
                        store,
                        channels[name],
                        desk_bots=wiring.desk_bots(settings),
                        clock=now,
                        patience=wiring.patience(settings),
                    )
                except ChannelError as failure:
                    found = failure
                outcomes.append((name, found))
        finally:
            for opened in channels.values():
                await opened.close()
    return outcomes


def _reconciled(outcome: Reconciled | ChannelError) -> tuple[str, str, str, str, Text]:
    if isinstance(outcome, ChannelError):
        return "", "", "", "", Text(logs.masked(outcome.detail), style="red")
    if outcome.on_server is None:
        kept = outcome.channel.startswith("mail:")
        return "", "", "", "", Text("nothing received yet" if kept else "Telegram keeps no list to compare with")
    if not outcome.gaps:
        verdict = Text("complete")
    elif outcome.taken_in == outcome.gaps:
        verdict = Text("was incomplete", style="red")
    else:
        verdict = Text("some were deleted at the server meanwhile, or taken in by a worker", style="red")
    figures = (outcome.on_server, outcome.known, outcome.gaps, outcome.taken_in)
    told, known, gaps, taken = (f"{figure:,}".replace(",", " ") for figure in figures)
    return told, known, gaps, taken, verdict


# ---------------------------------------------------------------- one by one


@receipts.command("list")
def list_some(
    state: Annotated[EndState, typer.Option("--state", help="Which.")] = EndState.PARKED,
    channel: ChannelName = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 100,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """List receipts that are parked (the default), waiting or ignored, oldest first."""
    with expected():
        settings = read_settings(config)
        found = do(_read(settings, ReceiptState(state), channel, limit + 1))
        if not found:
            say(f"No receipt is {state.value}.")
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("id", "channel", "arrived"):
            table.add_column(column, no_wrap=True)
        table.add_column("octets", justify="right", no_wrap=True)
        table.add_column("why")
        zone = ZoneInfo(settings.desk.time_zone)
        for receipt in found[:limit]:
            arrived = f"{receipt.arrived_at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
            table.add_row(receipt.id, receipt.channel_id, arrived, str(receipt.size), _why(receipt))
        screen().print(table)
        if len(found) > limit:
            say(f"… and more: --limit {limit * 10}")


async def _read(settings: Settings, state: ReceiptState, channel: str | None, limit: int) -> list[Receipt]:
    async with existing_store(settings) as store:
        name = await _known_channel(store, settings, channel)
        return await list_receipts(store, state, channel=name, limit=limit)


async def _known_channel(store: Store, settings: Settings, channel: str | None) -> ChannelId | None:
    if channel is None:
        return None
    known = sorted({*wiring.channel_ids(settings), *await list_channels(store)})
    if channel not in known:
        fail(f"there is no channel {channel}", f"Name one of: {', '.join(known)}")
    return ChannelId(channel)


def _why(receipt: Receipt) -> str:
    why = receipt.error or receipt.reason or ""
    if receipt.state is ReceiptState.WAITING and receipt.deaths:
        why = f"{receipt.deaths} workers died with it first in line"
    return printable(why)


@receipts.command("show")
def show_one(
    receipt_id: Annotated[str, typer.Argument(metavar="ID")],
    save: Annotated[
        Path | None, typer.Option("--save", metavar="PATH", help="Write its raw form, octet for octet, to a new file.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Show what is known about one receipt, and its headers; never its text."""
    with expected():
        settings = read_settings(config)
        receipt, raw = do(_read_one(settings, receipt_id))
        for name, value in _facts(receipt):
            say(f"{name:<12} {printable(value)}")
        if receipt.erased_at is not None:
            return
        if save is not None:
            _write_new(save, raw)
            say(f"{'saved':<12} {save}, {len(raw)} octets")
            return
        say("", *_headers(receipt, raw))


async def _read_one(settings: Settings, receipt_id: str) -> tuple[Receipt, bytes]:
    async with existing_store(settings) as store:
        receipt = await _get_receipt(store, receipt_id)
        return receipt, b"" if receipt.erased_at else await store.read_blob(receipt.blob_id)


async def _get_receipt(store: Store, receipt_id: str) -> Receipt:
    try:
        return await store.get(Receipt, receipt_id)
    except NotFound:
        fail(f"there is no receipt {printable(receipt_id)}", "permanence receipts list shows the ids")


def _facts(receipt: Receipt) -> Iterator[tuple[str, str]]:
    yield "receipt", receipt.id
    yield "channel", receipt.channel_id
    yield "state", receipt.state.value
    yield "arrived", f"{receipt.arrived_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "octets", str(receipt.size)
    yield "lane", receipt.lane
    for name, value in (
        ("source key", receipt.source_key),
        ("ended", receipt.ended_at and f"{receipt.ended_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("reason", receipt.reason),
        ("error", receipt.error),
        ("account", receipt.account_id),
        ("conversation", receipt.conversation_id),
        (
            "erased",
            receipt.erased_at and f"{receipt.erased_at:%Y-%m-%d %H:%M:%S} UTC; only its line in the ledger is left",
        ),
    ):
        if value:
            yield name, value


def _headers(receipt: Receipt, raw: bytes) -> Iterable[str]:
    if receipt.channel_id.startswith("telegram:"):
        return _shape_of_update(raw)
    head = raw[:65536].replace(b"\r\n", b"\n").decode("utf-8", "replace").split("\n")
    # Up to the first line that is none: not every mail has an empty line before its text.
    return [printable(line.expandtabs()) for line in itertools.takewhile(_HEADER.match, head)]


_HEADER = re.compile(r"[!-9;-~]+[ \t]*:|[ \t]+\S")
"""A field of RFC 5322 §3.6.8, or the continuation of one."""


def _shape_of_update(raw: bytes) -> Iterable[str]:
    """What kind of update it is: names, numbers and dates, no words."""
    try:
        update = json.loads(raw)
    except ValueError:
        return ["not JSON"]
    return list(_shape("", update)) if isinstance(update, dict) else [type(update).__name__]


def _shape(name: str, value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _shape(f"{name}.{inner}".lstrip("."), item)
    elif isinstance(value, list):
        yield printable(f"{name}: {len(value)} items")
    elif isinstance(value, str):
        yield printable(f"{name}: {len(value)} characters")
    else:
        yield printable(f"{name}: {value}")


def _write_new(path: Path, data: bytes) -> None:
    try:
        # nobody else's eyes: it is what a client wrote
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(data)
    except FileExistsError:
        fail(f"{path} exists already", "Name a new file")
    except OSError as failure:
        fail(f"{path} cannot be written: {failure.strerror}", "Name a file in a folder you may write to")


@receipts.command("replay")
def replay_some(
    receipt_id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every parked receipt.")] = False,
    channel: ChannelName = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Have a parked or ignored receipt handled once more, from its raw form; or all that are parked.

    What it caused already is not caused again. A running worker takes it up
    within a second, else the next one does.
    """
    if (receipt_id is None) == (not everything):
        fail("name one receipt, or --all", "permanence receipts list shows the ids", BAD_CONFIG)
    with expected():
        settings = read_settings(config)
        do(_replay(settings, receipt_id, channel))


async def _replay(settings: Settings, receipt_id: str | None, channel: str | None) -> None:
    async with existing_store(settings) as store:
        if receipt_id is not None:
            receipt = await _get_receipt(store, receipt_id)
            if not await _replay_one(store, receipt):
                raise typer.Exit(FAILED)
            return
        name = await _known_channel(store, settings, channel)
        parked: list[Receipt] = []
        while page := await list_receipts(
            store, ReceiptState.PARKED, channel=name, after=parked[-1] if parked else None
        ):
            parked += page
        if not parked:
            say("No receipt is parked.")
            return
        done = [await _replay_one(store, receipt) for receipt in parked]
        say(f"{sum(done)} of {len(parked)} wait to be handled again.")


async def _replay_one(store: Store, receipt: Receipt) -> bool:
    try:
        await store.commit(replay(receipt, now()))
    except (InvalidTransition, Conflict):
        newest = await store.get(Receipt, receipt.id)
        if newest.erased_at is not None:
            says = f"its raw form was erased on {newest.erased_at:%Y-%m-%d}: there is nothing left to handle"
            say(f"! {receipt.id}: {says}")
            return False
        say(f"! {receipt.id} is {newest.state.value}: only what is parked or ignored is replayed")
        return False
    say(f"✓ {receipt.id} waits again; it was {receipt.state.value}: {_why(receipt)}")
    return True
