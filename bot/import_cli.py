"""`permanence import`: years of mail from files, as history."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.config import Settings
from bot.terminal import DEFAULT_CONFIG, ConfigPath, do, existing_store, expected, fail, now, read_settings, say, screen
from channels.mail.archive import Archive, NoArchive, open_archive, read
from channels.mail.parse import read_mail
from handlers.importing import Importing, Outcome
from inbox.accounts import list_accounts
from inbox.machinery import DeskKey
from inbox.matching import THE_KEY
from inbox.model import Account
from inbox.store.base import Store


def import_mail(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="An mbox file, a Maildir, or a folder of Maildirs.")],
    account: Annotated[str, typer.Option("--account", metavar="KEY", help="The account whose mail it is.")],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Bring years of mail in as history: threaded, found by later answers; nobody is told, nothing waits.

    Works beside a running worker. Broken off, the same command goes on where
    it was; what is there already is not brought in twice. What the account
    would not keep (retention_days) is left out.
    """
    with expected():
        settings = read_settings(config)
        try:
            archive = open_archive(path)
        except NoArchive as failure:
            fail(
                str(failure),
                "Name an mbox file (a line 'From ' before each mail) or a Maildir (folders cur and new)",
            )
        except OSError as failure:
            fail(f"{path} cannot be read: {failure.strerror}", "Name a file or a folder that you may read")
        outcomes = do(_import(settings, archive, account))
        total = sum(outcomes.values())
        say(f"✓ {path}: {total} of {len(archive.mails)} mails looked at, {outcomes[Outcome.NEW]} brought in")
        for outcome in (Outcome.KNOWN, Outcome.TOO_OLD, Outcome.ERASED):
            if outcomes[outcome]:
                say(f"  {outcomes[outcome]} {outcome}")
        if total < len(archive.mails):
            say(f"  {len(archive.mails) - total} were looked at by an earlier run")


async def _import(settings: Settings, archive: Archive, account_id: str) -> Counter[Outcome]:
    outcomes: Counter[Outcome] = Counter()
    async with existing_store(settings) as store:
        importing = await _for(store, account_id)
        done = await importing.done(archive.fingerprint)
        with _bar() as bar:
            task = bar.add_task("mails", total=len(archive.mails), completed=done)
            for number, kept in enumerate(archive.mails[done:], done + 1):
                raw = await asyncio.to_thread(read, kept)
                envelope = await asyncio.to_thread(read_mail, raw)
                outcomes[await importing.take(raw, envelope, f"{archive.fingerprint} {number}")] += 1
                bar.advance(task)
    return outcomes


async def _for(store: Store, account_id: str) -> Importing:
    accounts = {str(each.id): each for each in await list_accounts(store) if not each.retired}
    account: Account | None = accounts.get(account_id)
    if account is None:
        fail(f"there is no account {account_id}", f"Name one of: {', '.join(sorted(accounts)) or 'none yet'}")
    if account.mailbox is None:
        fail(
            f"account {account_id} has no mailbox to answer through",
            f'Give it one in the config, mailbox = "…" in [accounts.{account_id}], and start the desk once',
        )
    key = await store.find(DeskKey, THE_KEY)
    if key is None:
        fail("the desk was never started on this store", "permanence run, once")
    return Importing(store, key, account, account.mailbox, now)


def _bar() -> Progress:
    return Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=screen(),
        disable=not screen().is_terminal,
    )
