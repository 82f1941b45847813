"""The desk in a hurry: what takes it minutes and hours takes moments, and the owner's telephone beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import wiring, worker
from bot.demo.telegram_server import TelegramServer
from bot.settings import OwnerSettings, Settings
from bot.wiring import open_store
from channels.mail.imap import Limits
from channels.mail.intake import Pace
from channels.mail.mailbox import Mailbox
from inbox.ledger import balance, list_channels
from inbox.model import Message, Receipt, ReceiptState
from inbox.parts import ChannelId
from inbox.store.base import Store
from inbox.watchkeeping import Patience
from tests.flow.running import ADDRESS, PATIENCE, At
from tests.servers.dovecot import Dovecot

OWNER = 901
MAILBOX = wiring.mail_channel("cabinet")

PACE = Pace(
    idle_renewal=timedelta(seconds=0.5),
    poll=timedelta(seconds=0.2),
    first_wait=timedelta(seconds=0.05),
    longest_wait=timedelta(seconds=0.3),
    login_wait=timedelta(seconds=0.3),
    undelivered=(timedelta(seconds=0.05), timedelta(seconds=0.05)),
)
LIMITS = Limits(connect=timedelta(seconds=15), answer=timedelta(seconds=15))
LONG = timedelta(hours=1)


CONFIG = """
[store]
url = "{store}"
[[owners]]
id = {owner}
name = "Anne"
[accounts.vasseur]
name = "Dr Claire Vasseur"
mailbox = "cabinet"
identity = {{ display_name = "Cabinet du Dr Vasseur", from_address = "{address}" }}
[accounts.garnier]
name = "Plomberie Garnier"
identity = {{ display_name = "Plomberie Garnier" }}
[mailboxes.cabinet]
account = "vasseur"
start_at = "beginning"
imap = {{ host = "127.0.0.1", port = {imap}, tls = "none", user = "cabinet", password = "{password}" }}
smtp = {{ host = "127.0.0.1", port = 1, tls = "none", user = "" }}
[bots.desk]
token = "{token}"
api_server = "{api}"
"""


def hurry(
    monkeypatch: pytest.MonkeyPatch, patience: Patience | None = None, pace: Pace = PACE, limits: Limits = LIMITS
) -> None:
    """Have the worker that is started next keep short times."""

    def build(*args: Any, idle_renewal: timedelta, **named: Any) -> Mailbox:
        return Mailbox(*args, **{**named, "pace": pace, "limits": limits})

    monkeypatch.setattr(wiring, "Mailbox", build)
    if patience is not None:
        monkeypatch.setattr(worker, "patience", lambda _: patience)


def quickly(
    *,
    down: timedelta = LONG,
    behind: timedelta = LONG,
    again: timedelta = LONG,
    silent: Mapping[ChannelId, timedelta | None] | None = None,
) -> Patience:
    """What is told at once; what a test does not ask for, it does not hear of."""
    return Patience(down=down, behind=behind, again=again, silent=silent or {})


def owned(settings: Settings, *, port: int | None = None, **imap: Any) -> Settings:
    """The same desk with an owner, and its mailbox on another port or otherwise different."""
    box = settings.mailboxes["cabinet"]
    changed = {**({"port": port} if port is not None else {}), **imap}
    box = box.model_copy(update={"imap": box.imap.model_copy(update=changed)})
    return settings.model_copy(
        update={"owners": (OwnerSettings(id=OWNER, name="Anne"),), "mailboxes": {"cabinet": box}}
    )


def config(tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, port: int | None = None) -> Path:
    """The same desk, as the command line reads it."""
    path = tmp_path / "config.toml"
    path.write_text(
        CONFIG.format(
            store=f"sqlite:{tmp_path / 'desk.db'}",
            owner=OWNER,
            address=ADDRESS,
            imap=port or dovecot.imap_port,
            password=dovecot.password,
            token=telegram.token,
            api=telegram.url,
        )
    )
    path.chmod(0o600)
    return path


def the_owner(telegram: TelegramServer) -> At:
    """Anne, who owns the desk and pressed Start."""
    anne = At(telegram.user(OWNER, "Anne"))
    anne.user.start()
    return anne


def notices(anne: At, *words: str) -> list[str]:
    """What the bot told her with all of these words."""
    said = [str(m.get("text", "")) for m in anne.user.messages() if m["from"]["is_bot"]]
    return [text for text in said if all(word in text for word in words)]


@dataclass
class Ledger:
    """What the store holds of the mailbox."""

    keys: list[str] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)
    balanced: bool = False
    texts: list[str] = field(default_factory=list)
    """What clients wrote, in the order of their conversations."""


async def ledger(settings: Settings) -> Ledger:
    """The ledger and the conversations, read beside the running worker."""
    async with open_store(settings, exclusive=False) as store:
        return await ledger_of(store)


async def ledger_of(store: Store) -> Ledger:
    receipts = [r for r in await everything(store, Receipt) if r.channel_id == MAILBOX]
    lines = await balance(store, await list_channels(store))
    states: dict[str, int] = {}
    for receipt in receipts:
        states[receipt.state.value] = states.get(receipt.state.value, 0) + 1
    return Ledger(
        keys=[r.source_key or "" for r in receipts],
        states=states,
        balanced=all(line.balanced for line in lines),
        texts=[m.text.strip() for m in await everything(store, Message) if m.channel_id == MAILBOX],
    )


async def everything(store: Store, kind: Any) -> list[Any]:
    """All documents of a kind, oldest first."""
    found: list[Any] = []
    while page := await store.scan(kind, after=found[-1].id if found else ""):
        found += page
    return found


async def until(settings: Settings, reached: Callable[[Ledger], bool], *, seconds: float = 3 * PATIENCE) -> Ledger:
    """The ledger, as soon as it is as expected."""
    async with open_store(settings, exclusive=False) as store:
        watch = store.watch(Receipt)
        try:
            found = await ledger_of(store)
            for _ in range(int(seconds * 5)):
                if reached(found):
                    return found
                await watch.wait(0.2)
                found = await ledger_of(store)
        finally:
            watch.close()
    raise AssertionError(f"not reached: {found}")


def all_handled(count: int) -> Callable[[Ledger], bool]:
    """So many receipts, each at its end."""
    return lambda found: len(found.keys) >= count and not found.states.get(ReceiptState.WAITING)
