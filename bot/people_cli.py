"""`permanence forget` and `export`: a person erased everywhere, and all we hold about a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from bot import wiring
from bot.config import Settings
from bot.export import sink, write_out
from bot.locales import Catalogue
from bot.memory import memory_of, remember
from bot.terminal import (
    DEFAULT_CONFIG,
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
from handlers import forgetting
from inbox.errors import Conflict, StillInUse, StoreUnavailable
from inbox.forgetting import Traces, find_contacts, list_unfinished, scrubbed, trace
from inbox.holdings import conversations_of, share_of
from inbox.machinery import Forgotten
from inbox.model import Account, Contact
from inbox.parts import AccountId
from inbox.store.base import Store

Named = Annotated[
    str,
    typer.Argument(
        metavar="CONTACT",
        help="A contact's id, or a mail address, Telegram user id or telephone number (+33…) of theirs.",
    ),
]
AccountKey = Annotated[str | None, typer.Option("--account", metavar="KEY", help="The account whose contact they are.")]
WORKER_SCRUBS = 30.0
"""Seconds in which the running worker empties the log of its store."""


# ---------------------------------------------------------------- forget


def forget(
    contact: Named,
    account: AccountKey = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Erase a person everywhere: mails, messages, files, drafts, history, addresses. There is no way back.

    Works beside a running worker. Refused while a reply to them is still
    leaving. What others wrote in the same conversations stays, without the
    person's name and addresses.
    """
    with expected():
        settings = read_settings(config)
        do(_forget(settings, contact, account, yes=yes))


async def _forget(settings: Settings, named: str, account: str | None, *, yes: bool) -> None:
    async with _alone_or_beside(settings) as (store, alone):
        begun = await store.find(Forgotten, named) or await _broken_off(store, named, account)
        person = begun or await _begun(store, settings, named, account, yes=yes)
        if person.erased_at is None:
            try:
                await forgetting.forget(store, person.id, now)
            except StillInUse as busy:
                fail(
                    f"{busy}: not everything is erased",
                    "Start the desk, let it handle what waits, and start the same command again; "
                    "or leave it: the running worker goes on by itself",
                )
        if not await _scrubbed(store, person, alone=alone):
            say("! The worker has still to empty its log; it does so as soon as nobody reads the store")
        say(
            f"✓ {person.id} is forgotten",
            "  What their mail server and Telegram keep is not ours to erase: the mailbox itself, the cards in the "
            "secretaries' chats",
            f"  Older backups hold them still. Delete those, or keep {memory_of(settings)} with them: a worker that "
            "starts on one forgets them again",
        )


async def _broken_off(store: Store, named: str, account: str | None) -> Forgotten | None:
    """Whoever was being erased and is not known by any address any more: what is named now can be nobody else."""
    unfinished = await list_unfinished(store)
    if not unfinished or await find_contacts(store, named, AccountId(account) if account else None):
        return None
    return unfinished[0]


async def _begun(store: Store, settings: Settings, named: str, account: str | None, *, yes: bool) -> Forgotten:
    """The intent to erase them, committed and remembered; from here on whoever finds it goes on."""
    contact = await _the_one(store, settings, named, account)
    traces = await trace(store, contact)
    _show(await _what_goes(store, traces), traces)
    if not yes and not typer.confirm("Erase all of this? There is no way back", default=False):
        fail("nothing was erased")
    try:
        await forgetting.begin(store, contact, now())
    except StillInUse as busy:
        fail(f"{busy}: nothing was erased", "Wait until it left, or take it back; then start the same command again")
    remember(memory_of(settings), [contact.id], now())
    return await store.get(Forgotten, contact.id)


async def _scrubbed(store: Store, person: Forgotten, *, alone: bool) -> bool:
    """Whether the files hold nothing any more; the worker sees to that where there is one."""
    waited_until = asyncio.get_running_loop().time() + WORKER_SCRUBS
    while asyncio.get_running_loop().time() < waited_until:
        newest = await store.get(Forgotten, person.id)
        if newest.scrubbed_at is not None:
            return True
        if alone:
            try:
                await store.scrub()
                await store.commit(scrubbed(newest, now()))
            except (Conflict, StoreUnavailable):
                await asyncio.sleep(0.2)
            continue
        await asyncio.sleep(0.2)
    return False


@asynccontextmanager
async def _alone_or_beside(settings: Settings) -> AsyncIterator[tuple[Store, bool]]:
    """The store, and whether no worker is there to look after its file."""
    beside = existing_store(settings)
    alone = wiring.open_store(settings, exclusive=True)
    try:
        opened = await alone.__aenter__()
    except StoreUnavailable:
        async with beside as store:
            yield store, False
        return
    try:
        yield opened, True
    finally:
        await alone.__aexit__()


async def _the_one(store: Store, settings: Settings, named: str, account: str | None) -> Contact:
    if account is not None and await store.find(Account, account) is None:
        fail(f"there is no account {printable(account)}", f"Name one of: {', '.join(settings.accounts)}")
    found = await find_contacts(store, named, AccountId(account) if account else None)
    if not found:
        fail(f"nobody is known as {printable(named)}", "Name a contact's id, or one of their addresses as they write")
    if len(found) > 1:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("account", "contact", "name"):
            table.add_column(column, no_wrap=True)
        for contact in found:
            table.add_row(contact.account_id, contact.id, printable(contact.name))
        screen().print(table)
        fail(f"{printable(named)} is a contact of several accounts", "Say which with --account, or by the contact's id")
    return found[0]


async def _what_goes(store: Store, traces: Traces) -> dict[str, Any]:
    counts = {"conversations": 0, "conversations of others": 0, "messages": 0, "files": 0, "drafts": 0}
    async for conversation in conversations_of(store, traces):
        share = await share_of(store, traces, conversation)
        own = conversation.contact_id == traces.contact.id
        counts["conversations" if own else "conversations of others"] += 1
        counts["messages"] += len(share.messages)
        counts["files"] += sum(len(message.attachments) for message in share.messages)
        counts["drafts"] += len(share.drafts)
    return counts


def _show(counts: dict[str, Any], traces: Traces) -> None:
    contact = traces.contact
    addresses = ", ".join(address.value for address in traces.addresses)
    say(
        f"{printable(contact.name)} ({printable(addresses)}), contact {contact.id} of {contact.account_id}:",
        "  " + ", ".join(f"{count} {what}" for what, count in counts.items()),
    )


# ---------------------------------------------------------------- export


def export(
    contact: Named,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A new folder, or a new file that ends in .zip.")],
    account: AccountKey = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Write out all we hold about a person: documents, mails, files, and a page to read them by."""
    with expected():
        settings = read_settings(config)
        if not path.absolute().parent.is_dir():
            fail(f"there is no folder {path.absolute().parent}", "Create it first")
        count = do(_export(settings, contact, account, path))
        say(f"✓ {path}: {count} conversations; begin with index.html")


async def _export(settings: Settings, named: str, account_key: str | None, path: Path) -> int:
    channels = wiring.build_channels(settings, wiring.Unobserved())
    try:
        async with existing_store(settings) as store:
            contact = await _the_one(store, settings, named, account_key)
            account = await store.get(Account, contact.account_id)
            traces = await trace(store, contact)
            try:
                with sink(path) as to:
                    return await write_out(store, traces, account, channels, Catalogue(), to)
            except FileExistsError:
                fail(f"{path} exists already", "Name a new folder or file")
            except OSError as failure:
                fail(f"{path} cannot be written: {failure.strerror}", "Name a folder you may write to")
    finally:
        await asyncio.gather(*(channel.close() for channel in channels.values()))
