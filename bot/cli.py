"""The command line: run the desk, check it, let people in, look after what it received."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import structlog
import typer
from rich.console import Console
from rich.text import Text

from bot import logs, wiring
from bot.config import ConfigError, Settings
from bot.import_cli import import_mail
from bot.ledger_cli import receipts
from bot.mailbox_cli import mailbox
from bot.people_cli import export, forget
from bot.settings import of_the_process
from bot.store_cli import backup, copy, findings, restore
from bot.terminal import (
    DAMAGED,
    DEFAULT_CONFIG,
    FAILED,
    ConfigPath,
    do,
    expected,
    fail,
    in_words,
    now,
    read_settings,
    say,
    screen,
    show_problem,
)
from channels.base import Channel, Finding
from channels.errors import ChannelError
from inbox.errors import StoreDamaged, StoreTooNew, StoreUnavailable
from inbox.invitations import deep_link_payload
from inbox.invitations import invite as make_invitation
from inbox.model import Role
from inbox.parts import AccountId
from inbox.store.base import Changes, Store
from inbox.store.documents import SECRETARIES
from inbox.store.sqlite import SqliteStore

log = structlog.get_logger(__name__)

CHECK_WITHIN = 45.0
"""Seconds a channel may take to be checked."""
LITTLE_DISK = 2**30
NO_DISK = 100 * 2**20

app = typer.Typer(
    name="permanence",
    help="A desk for many client accounts: mail and Telegram in, one queue, answered from Telegram.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(receipts, name="receipts")
app.add_typer(mailbox, name="mailbox")
for command in (backup, restore, copy, forget, export):
    app.command()(command)
app.command(name="import")(import_mail)


def main() -> None:
    """Run the command line."""
    app()


# ---------------------------------------------------------------- run, check, demo


@app.command()
def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the desk until it is told to stop (SIGTERM or Ctrl-C).

    Ends with 2 when the settings have mistakes, with 1 when another worker
    has the store or it cannot be opened.
    """
    from bot import worker

    with expected():
        settings = read_settings(config)
        logs.configure(settings.logs.format, settings.logs.level)
        for warning in [*settings.warnings(), *of_the_process()]:
            log.warning("unsafe_setting", place=warning.place, key=warning.key, says=warning.says, mend=warning.remedy)
        do(worker.run(settings))


@app.command()
def check(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Connect to everything the config names; say what is wrong and how to mend it.

    Changes nothing, and works beside a running worker. Ends with 0 when
    nothing is wrong, warnings allowed.
    """
    out = screen()
    try:
        settings = read_settings(config)
    except ConfigError as failure:
        for problem in failure.problems:
            show_problem(out, problem, "✗", "red")
        raise typer.Exit(FAILED) from None
    _show(out, Finding("ok", str(config), f"{len(settings.accounts)} accounts, no mistake."))
    for warning in [*settings.warnings(), *of_the_process()]:
        show_problem(out, warning, "!", "yellow")
    findings = do(_check_everything(settings, out))
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
        return [Finding("error", channel.id, failure.detail, in_words(failure)[1])]
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
            found += await findings(store, settings)
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
    try:
        from inbox.store.mongo.look import look
    except StoreUnavailable as missing:
        return [Finding("error", "store", str(missing))]
    seen, there = await look(settings.store.server_url(), settings.store.driver)
    found = [Finding(level, "store", says, remedy) for level, says, remedy in seen]
    if not there or any(finding.level == "error" for finding in found):
        return found  # to open it would make it
    try:
        async with wiring.open_store(settings, exclusive=False) as store:
            found += await findings(store, settings)
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
    with expected():
        settings = read_settings(config)
        for key in account or ():
            if key not in settings.accounts:
                fail(f"{config} declares no account {key}", f"Name one of: {', '.join(settings.accounts)}")
        desk = [known for known, declared in settings.bots.items() if declared.desk]
        through = bot or desk[0]
        if through not in desk:
            fail(f"{config} declares no bot {through} of the desk's", f"Name one of: {', '.join(desk)}")
        link, expires_at = do(_invite(settings, Role(role), name, account or None, through))
        until = expires_at.astimezone(ZoneInfo(settings.desk.time_zone))
        say(link)
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
        link = await channel.link(deep_link_payload(token))
    finally:
        await channel.close()
    invitation = make_invitation(
        role,
        token=token,
        now=now(),
        lifetime=timedelta(hours=settings.desk.invitation_hours),
        name=name,
        accounts=None if accounts is None else [AccountId(key) for key in accounts],
    )
    async with wiring.open_store(settings, exclusive=False) as store:
        await store.commit(Changes(inserts=[invitation]))
    return link, invitation.expires_at
