"""The command line: run the desk, check it, let people in, look after what it received."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import re
import secrets
import shutil
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo

import structlog
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot import logs, wiring
from bot.config import CONFIG_VARIABLE, ConfigError, Problem, Settings, load
from bot.settings import of_the_process
from channels.base import Channel, Finding
from channels.errors import ChannelError, LoginRejected
from inbox.errors import Conflict, InboxError, InvalidTransition, NotFound, StoreDamaged, StoreTooNew, StoreUnavailable
from inbox.invitations import deep_link_payload
from inbox.invitations import invite as make_invitation
from inbox.ledger import balance, list_channels, list_receipts, replay
from inbox.model import AccountId, ChannelId, Receipt, ReceiptState, Role
from inbox.store.base import Changes, Store
from inbox.store.documents import SECRETARIES
from inbox.store.sqlite import SqliteStore

log = structlog.get_logger(__name__)

FAILED = 1
BAD_CONFIG = 2
CHECK_WITHIN = 45.0
"""Seconds a channel may take to be checked."""
LITTLE_DISK = 2**30
NO_DISK = 100 * 2**20
DAMAGED = "Stop the desk, keep a copy of the file and of those beside it, and put the last backup in its place"

T = TypeVar("T")

app = typer.Typer(
    name="permanence",
    help="A desk for many client accounts: mail and Telegram in, one queue, answered from Telegram.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
receipts = typer.Typer(help="The ledger: what every channel received and what became of it.")
app.add_typer(receipts, name="receipts")

ConfigPath = Annotated[
    Path, typer.Option("--config", envvar=CONFIG_VARIABLE, metavar="PATH", help="The config file.", show_default=True)
]
ChannelName = Annotated[
    str | None, typer.Option("--channel", metavar="ID", help="Only this channel, as mail:NAME or telegram:NAME.")
]
DEFAULT_CONFIG = Path("config.toml")


def main() -> None:
    """Run the command line."""
    app()


# ---------------------------------------------------------------- what is said


def _out() -> Console:
    """Standard output, made when used: whoever captures it gets it. Never cuts a line short for a pipe."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=1000)


def _say(*lines: str) -> None:
    out = _out()
    for line in lines:
        out.print(line, soft_wrap=True)


def _fail(says: str, remedy: str = "", code: int = FAILED) -> NoReturn:
    error = Console(stderr=True, highlight=False, markup=False, emoji=False)
    error.print(Text(f"✗ {logs.masked(says)}", style="red"), soft_wrap=True)
    if remedy:
        error.print(f"  {logs.masked(remedy)}", soft_wrap=True)
    raise typer.Exit(code)


def _fail_with_problems(failure: ConfigError) -> NoReturn:
    error = Console(stderr=True, highlight=False, markup=False, emoji=False)
    for problem in failure.problems:
        _show_problem(error, problem, "✗", "red")
    count = len(failure.problems)
    error.print(f"{count} mistake{'s' if count > 1 else ''} in the settings; nothing was started.", soft_wrap=True)
    raise typer.Exit(BAD_CONFIG)


def _show_problem(console: Console, problem: Problem, mark: str, style: str) -> None:
    what = " ".join(part for part in (problem.key, problem.says) if part)
    console.print(Text(f"{mark} {problem.place}: ", style=style) + Text(what, style="default"), soft_wrap=True)
    if problem.remedy:
        console.print(f"  {problem.remedy}", soft_wrap=True)


@contextmanager
def _expected() -> Iterator[None]:
    """Say what is expected to go wrong in one sentence, with where and what to do. The rest is a traceback."""
    try:
        yield
    except ConfigError as failure:
        _fail_with_problems(failure)
    except BaseExceptionGroup as group:
        known = [leaf for leaf in _leaves(group) if isinstance(leaf, _EXPECTED)]
        if not known or len(known) < len(list(_leaves(group))):
            raise
        _fail(*_in_words(known[0]))
    except _EXPECTED as failure:
        _fail(*_in_words(failure))
    except OSError as failure:
        if failure.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
            raise
        _fail(failure.strerror or str(failure), "Choose another host or port for [web] or the webhook in the config")


_EXPECTED = (StoreUnavailable, StoreTooNew, ChannelError, InboxError)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner


def _in_words(failure: BaseException) -> tuple[str, str]:
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


def _settings(path: Path) -> Settings:
    settings = load(path)
    for secret in settings.secrets():
        logs.mask(secret)
    return settings


def _now() -> datetime:
    return datetime.now(UTC)


def _do(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


# ---------------------------------------------------------------- run, check, demo


@app.command()
def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the desk until it is told to stop (SIGTERM or Ctrl-C).

    Ends with 2 when the settings have mistakes, with 1 when another worker
    has the store or it cannot be opened.
    """
    from bot import worker

    with _expected():
        settings = _settings(config)
        logs.configure(settings.logs.format, settings.logs.level)
        for warning in [*settings.warnings(), *of_the_process()]:
            log.warning("unsafe_setting", place=warning.place, key=warning.key, says=warning.says, mend=warning.remedy)
        _do(worker.run(settings))


@app.command()
def check(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Connect to everything the config names; say what is wrong and how to mend it.

    Changes nothing, and works beside a running worker. Ends with 0 when
    nothing is wrong, warnings allowed.
    """
    out = _out()
    try:
        settings = _settings(config)
    except ConfigError as failure:
        for problem in failure.problems:
            _show_problem(out, problem, "✗", "red")
        raise typer.Exit(FAILED) from None
    _show(out, Finding("ok", str(config), f"{len(settings.accounts)} accounts, no mistake."))
    for warning in [*settings.warnings(), *of_the_process()]:
        _show_problem(out, warning, "!", "yellow")
    findings = _do(_check_everything(settings, out))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(FAILED)


_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


def _show(out: Console, finding: Finding) -> None:
    mark, style = _MARKS[finding.level]
    out.print(
        Text(f"{mark} ", style=style) + Text(f"{finding.subject}: {logs.masked(finding.says)}", style="default"),
        soft_wrap=True,
    )
    if finding.remedy and finding.level != "ok":
        out.print(f"  {logs.masked(finding.remedy)}", soft_wrap=True)


async def _check_everything(settings: Settings, out: Console) -> list[Finding]:
    """All findings, each shown as soon as its part has answered."""
    found: list[Finding] = []
    channels = wiring.build_channels(settings, wiring.Unobserved())
    checks = [_check_store(settings), *(_check_channel(channel) for channel in channels.values())]
    for answered in asyncio.as_completed([asyncio.ensure_future(check) for check in checks]):
        for finding in await answered:
            _show(out, finding)
            found.append(finding)
    return found


async def _check_channel(channel: Channel) -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_WITHIN):
            return await channel.check()
    except TimeoutError:
        says = f"did not answer within {CHECK_WITHIN:.0f} s"
        return [Finding("error", channel.id, says, "See that this machine reaches the server: name, port, firewall")]
    except ChannelError as failure:
        return [Finding("error", channel.id, failure.detail, _in_words(failure)[1])]
    finally:
        await channel.close()


async def _check_store(settings: Settings) -> list[Finding]:
    if settings.store.shared:
        return await _check_server(settings)
    path = settings.store.path
    found: list[Finding] = []
    if not path.parent.is_dir():
        says = f"there is no folder {path.parent}"
        return [Finding("error", "store", says, "Create it, for the user who runs permanence")]
    free = shutil.disk_usage(path.parent).free
    if free < LITTLE_DISK:
        says = f"{free // 2**20} MiB are free on the disk of {path.parent}"
        remedy = "Make room: a full disk stops the desk (nothing is lost: mail waits at its server)"
        found.append(Finding("error" if free < NO_DISK else "warning", "store", says, remedy))
    if not path.exists():
        return [*found, Finding("ok", "store", f"{path} will be made at the first start")]
    try:
        async with SqliteStore(path) as store:
            wrong = await store.verify()
            owned = await _is_owned(settings, store)
    except StoreTooNew as failure:
        return [*found, Finding("error", "store", str(failure))]
    except StoreDamaged as failure:
        return [*found, Finding("error", "store", str(failure), DAMAGED)]
    except StoreUnavailable as failure:
        remedy = f"See that {path} and its folder belong to the user who runs permanence, and that its disk is sound"
        return [*found, Finding("error", "store", str(failure), remedy)]
    if wrong:
        return [*found, Finding("error", "store", f"{path} is damaged: {wrong[0]}", DAMAGED)]
    found.append(Finding("ok", "store", f"{path} is whole"))
    return found if owned else [*found, _UNOWNED]


async def _check_server(settings: Settings) -> list[Finding]:
    from inbox.store.mongo.look import look

    found = [
        Finding(level, "store", says, remedy)
        for level, says, remedy in await look(settings.store.server_url(), settings.store.driver)
    ]
    if any(finding.level == "error" for finding in found):
        return found
    try:
        async with wiring.open_store(settings, exclusive=False) as store:
            owned = await _is_owned(settings, store)
    except (StoreTooNew, StoreUnavailable) as failure:
        return [
            *found,
            Finding("error", "store", str(failure), "See that the user named in [store] may read and write"),
        ]
    return found if owned else [*found, _UNOWNED]


_UNOWNED = Finding(
    "warning",
    "store",
    "nobody owns the desk yet",
    "Add an [[owners]] to the config, or: permanence invite --role owner",
)


async def _is_owned(settings: Settings, store: Store) -> bool:
    if settings.owners:
        return True
    return any(secretary.role is Role.OWNER for secretary in await store.list(SECRETARIES, True, limit=10_000))


@app.command()
def demo(
    script: Annotated[bool, typer.Option("--script", help="Play a short day without a browser.")] = False,
    port: Annotated[int, typer.Option("--port", help="The page's port; 0: any free one.")] = 8765,
) -> None:
    """Run the whole desk on this machine, with one web page to try it. Nothing to configure."""
    from bot.demo import desk

    raise typer.Exit(desk.main(script, port))


# ---------------------------------------------------------------- people


class RoleName(StrEnum):
    """The roles as they are written on the command line."""

    SECRETARY = "secretary"
    SUPERVISOR = "supervisor"
    OWNER = "owner"


@app.command()
def invite(
    role: Annotated[RoleName, typer.Option("--role", help="What they may do.")] = RoleName.SECRETARY,
    name: Annotated[str | None, typer.Option("--name", help="How colleagues will see them; else Telegram's.")] = None,
    account: Annotated[
        list[str] | None, typer.Option("--account", metavar="KEY", help="An account they may serve; else all.")
    ] = None,
    bot: Annotated[
        str | None, typer.Option("--bot", metavar="NAME", help="The bot they join through; else the desk's first.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Print a link that lets one person join the desk, once, before it expires. Works beside a running worker."""
    with _expected():
        settings = _settings(config)
        for key in account or ():
            if key not in settings.accounts:
                _fail(f"{config} declares no account {key}", f"Name one of: {', '.join(settings.accounts)}")
        desk = [known for known, declared in settings.bots.items() if declared.desk]
        through = bot or desk[0]
        if through not in desk:
            _fail(f"{config} declares no bot {through} of the desk's", f"Name one of: {', '.join(desk)}")
        link, expires_at = _do(_invite(settings, Role(role), name, account or None, through))
        until = expires_at.astimezone(ZoneInfo(settings.desk.time_zone))
        _say(link)
        Console(stderr=True, highlight=False, markup=False).print(
            f"Lets one person join as {role.value}, once, until {until:%Y-%m-%d %H:%M %Z}. "
            "Whoever opens it first is in.",
            soft_wrap=True,
        )


async def _invite(
    settings: Settings, role: Role, name: str | None, accounts: Sequence[str] | None, through: str
) -> tuple[str, datetime]:
    token = secrets.token_urlsafe(32)
    channel = wiring.build_bot(through, settings.bots[through], wiring.Unobserved())
    try:
        await channel.learn_name()
        link = channel.link(deep_link_payload(token))
    finally:
        await channel.close()
    invitation = make_invitation(
        role,
        token=token,
        now=_now(),
        lifetime=timedelta(hours=settings.desk.invitation_hours),
        name=name,
        accounts=None if accounts is None else [AccountId(key) for key in accounts],
    )
    async with wiring.open_store(settings, exclusive=False) as store:
        await store.commit(Changes(inserts=[invitation]))
    return link, invitation.expires_at


# ---------------------------------------------------------------- the ledger


def _existing_store(settings: Settings) -> Store:
    """The store, unless there is none yet: looking must not make one, perhaps as the wrong user."""
    if not settings.store.shared and not settings.store.path.exists():
        _fail(f"there is no store {settings.store.path} yet", "permanence run makes it")
    return wiring.open_store(settings, exclusive=False)


class EndState(StrEnum):
    """The states of which receipts can be listed."""

    PARKED = "parked"
    WAITING = "waiting"
    IGNORED = "ignored"


@receipts.callback(invoke_without_command=True)
def show_ledger(context: typer.Context, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Show how many receipts of each channel are in which state, and whether all are accounted for.

    Works beside a running worker. Ends with 1 when a receipt is missing.
    """
    if context.invoked_subcommand is not None:
        return
    with _expected():
        settings = _settings(config)
        if not _do(_show_ledger(settings)):
            _fail(
                "receipts are missing from the ledger",
                "Keep a copy of the store (permanence backup) and report it: this must never happen",
            )


async def _show_ledger(settings: Settings) -> bool:
    async with _existing_store(settings) as store:
        declared = wiring.channel_ids(settings)
        lines = await balance(store, sorted({*declared, *await list_channels(store)}))
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
    _out().print(table)
    return all(line.balanced for line in lines)


def _off_by(missing: int) -> str:
    return f"{missing} missing" if missing > 0 else f"{-missing} more than received"


@receipts.command("list")
def list_some(
    state: Annotated[EndState, typer.Option("--state", help="Which.")] = EndState.PARKED,
    channel: ChannelName = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 100,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """List receipts that are parked (the default), waiting or ignored, oldest first."""
    with _expected():
        settings = _settings(config)
        found = _do(_read(settings, ReceiptState(state), channel, limit + 1))
        if not found:
            _say(f"No receipt is {state.value}.")
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
        _out().print(table)
        if len(found) > limit:
            _say(f"… and more: --limit {limit * 10}")


async def _read(settings: Settings, state: ReceiptState, channel: str | None, limit: int) -> list[Receipt]:
    async with _existing_store(settings) as store:
        name = await _known_channel(store, settings, channel)
        return await list_receipts(store, state, channel=name, limit=limit)


async def _known_channel(store: Store, settings: Settings, channel: str | None) -> ChannelId | None:
    if channel is None:
        return None
    known = sorted({*wiring.channel_ids(settings), *await list_channels(store)})
    if channel not in known:
        _fail(f"there is no channel {channel}", f"Name one of: {', '.join(known)}")
    return ChannelId(channel)


def _why(receipt: Receipt) -> str:
    why = receipt.error or receipt.reason or ""
    if receipt.state is ReceiptState.WAITING and receipt.deaths:
        why = f"{receipt.deaths} workers died with it first in line"
    return _printable(why)


def _printable(text: str) -> str:
    """The text with nothing a terminal would obey: what arrives was written by strangers."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@receipts.command("show")
def show_one(
    receipt_id: Annotated[str, typer.Argument(metavar="ID")],
    save: Annotated[
        Path | None, typer.Option("--save", metavar="PATH", help="Write its raw form, octet for octet, to a new file.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Show what is known about one receipt, and its headers; never its text."""
    with _expected():
        settings = _settings(config)
        receipt, raw = _do(_read_one(settings, receipt_id))
        for name, value in _facts(receipt):
            _say(f"{name:<12} {_printable(value)}")
        if save is not None:
            _write_new(save, raw)
            _say(f"{'saved':<12} {save}, {len(raw)} octets")
            return
        _say("", *_headers(receipt, raw))


async def _read_one(settings: Settings, receipt_id: str) -> tuple[Receipt, bytes]:
    async with _existing_store(settings) as store:
        receipt = await _get_receipt(store, receipt_id)
        return receipt, await store.read_blob(receipt.blob_id)


async def _get_receipt(store: Store, receipt_id: str) -> Receipt:
    try:
        return await store.get(Receipt, receipt_id)
    except NotFound:
        _fail(f"there is no receipt {_printable(receipt_id)}", "permanence receipts list shows the ids")


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
    ):
        if value:
            yield name, value


def _headers(receipt: Receipt, raw: bytes) -> Iterable[str]:
    if receipt.channel_id.startswith("telegram:"):
        return _shape_of_update(raw)
    head = raw[:65536].replace(b"\r\n", b"\n").decode("utf-8", "replace").split("\n")
    # Up to the first line that is none: not every mail has an empty line before its text.
    return [_printable(line.expandtabs()) for line in itertools.takewhile(_HEADER.match, head)]


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
        yield _printable(f"{name}: {len(value)} items")
    elif isinstance(value, str):
        yield _printable(f"{name}: {len(value)} characters")
    else:
        yield _printable(f"{name}: {value}")


def _write_new(path: Path, data: bytes) -> None:
    try:
        # nobody else's eyes: it is what a client wrote
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(data)
    except FileExistsError:
        _fail(f"{path} exists already", "Name a new file")
    except OSError as failure:
        _fail(f"{path} cannot be written: {failure.strerror}", "Name a file in a folder you may write to")


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
        _fail("name one receipt, or --all", "permanence receipts list shows the ids", BAD_CONFIG)
    with _expected():
        settings = _settings(config)
        _do(_replay(settings, receipt_id, channel))


async def _replay(settings: Settings, receipt_id: str | None, channel: str | None) -> None:
    async with _existing_store(settings) as store:
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
            _say("No receipt is parked.")
            return
        done = [await _replay_one(store, receipt) for receipt in parked]
        _say(f"{sum(done)} of {len(parked)} wait to be handled again.")


async def _replay_one(store: Store, receipt: Receipt) -> bool:
    try:
        await store.commit(replay(receipt, _now()))
    except (InvalidTransition, Conflict):
        newest = await store.get(Receipt, receipt.id)
        _say(f"! {receipt.id} is {newest.state.value}: only what is parked or ignored is replayed")
        return False
    _say(f"✓ {receipt.id} waits again; it was {receipt.state.value}: {_why(receipt)}")
    return True


# ---------------------------------------------------------------- backup


@app.command()
def backup(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The copy: a new file.")],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Copy the whole store to a new file, and verify the copy. Works beside a running worker."""
    with _expected():
        settings = _settings(config)
        if settings.store.shared:
            _fail(
                "the store is on a MongoDB server, whose own tool copies it",
                "mongodump --uri=URL --archive=FILE --gzip, on a replica set with --oplog for one moment of all of it "
                "(without a database in the URL); permanence check names the server",
            )
        if path.exists():
            _fail(f"{path} exists already", "Name a new file; a backup never overwrites")
        if not path.absolute().parent.is_dir():
            _fail(f"there is no folder {path.absolute().parent}", "Create it first")
        _do(_backup(settings, path))
        _say(f"✓ {path}: {path.stat().st_size:,} octets, verified".replace(",", " "))


async def _backup(settings: Settings, path: Path) -> None:
    if not settings.store.path.exists():
        _fail(f"there is no store {settings.store.path} yet", "permanence run makes it")
    async with SqliteStore(settings.store.path) as store:
        try:
            await store.backup(path)
        except OSError as failure:
            _fail(f"{path} cannot be written: {failure.strerror}", "Name a file in a folder you may write to")
    async with SqliteStore(path) as copy:
        wrong = await copy.verify()
    if wrong:
        _fail(f"{path} is damaged: {wrong[0]}", "permanence check tells whether the store is whole; try another disk")
