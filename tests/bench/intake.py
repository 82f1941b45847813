"""Our whole intake of one mailbox: every part of the worker that mail passes through, in a process of its own.

Fetched, committed as receipts with the cursor, read, classified, placed in an
account, a contact and a conversation, each receipt brought to its end in its
own commit; dealing and deliveries run beside it as they do in the worker.
Nobody is on duty, so everything waits in the queue. Only Telegram and the web
parts are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

import channels.telegram  # noqa: F401  # as in the worker, before the handlers bring aiogram in: see channels.telegram.lean
from bot import logs, wiring
from bot.health import Metrics
from bot.locales import Catalogue
from bot.settings import (
    AccountSettings,
    BotSettings,
    IdentitySettings,
    ImapSettings,
    MailboxSettings,
    Settings,
    SmtpSettings,
    StoreSettings,
)
from handlers.deliveries import Deliveries
from handlers.desk import Desk
from handlers.incoming import Incoming, accepting
from handlers.start import build_dispatcher
from handlers.timers import keep_dealing
from inbox.accounts import unsorted_account
from inbox.ledger import balance
from inbox.machinery import DeskKey
from inbox.model import Message, Receipt
from inbox.parts import AccountId, ChannelId
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    CONVERSATIONS_QUEUED,
    MESSAGES_OF_CONVERSATION,
    RECEIPTS_BY_STATE,
    RECEIPTS_WAITING,
)
from tests.bench.outcome import Outcome, cpu_seconds, peak_rss_mib

ACCOUNT = AccountId("support")
LOOK_EVERY = 0.02
"""Seconds between two looks at what is left; so much a run may seem longer than it was, never shorter."""


class _Tally(Metrics):
    """The worker's own figures, and how many arrivals there were."""

    received_count = 0

    def arrivals(self, channel: str, count: int) -> None:
        super().arrivals(channel, count)
        self.received_count += count


def _settings(given: argparse.Namespace) -> Settings:
    password = SecretStr(given.password)
    return Settings(
        store=StoreSettings(url=f"sqlite:{given.store}"),
        accounts={
            ACCOUNT: AccountSettings(
                name="Support",
                identity=IdentitySettings(display_name="Support", from_address="support@desk.example"),
                mailbox="support",
            )
        },
        mailboxes={
            "support": MailboxSettings(
                account=ACCOUNT,
                imap=ImapSettings(host=given.host, port=given.port, tls="none", user=given.user, password=password),
                smtp=SmtpSettings(host=given.host, port=1, tls="none"),
                start_at="beginning",
            )
        },
        bots={"desk": BotSettings(token=SecretStr("1:not-used"))},
    )


async def take_in(settings: Settings, mails: int) -> Outcome:
    """Take in this many mails, into a new store."""
    tally = _Tally()
    channel_id = wiring.mail_channel("support")
    began, used = time.perf_counter(), cpu_seconds()
    async with wiring.open_store(settings, exclusive=True, on_commit=lambda _, took: tally.committed(took)) as store:
        accounts = [*wiring.declared_accounts(settings), unsorted_account("Unsorted", "en", "UTC")]
        await store.commit(Changes(inserts=accounts))
        mailbox = wiring.build_mailbox("support", settings.mailboxes["support"], wiring.Unobserved())
        desk = Desk(
            store=store,
            channels={channel_id: mailbox},
            chats={},
            accounts={account.id: account for account in accounts},
            own_account=wiring.own_accounts(settings),
            desk_bots=frozenset(),
            key=DeskKey(id="message-ids", secret=secrets.token_bytes(32)),
            texts=Catalogue(),
            clock=lambda: datetime.now(UTC),
            meter=tally,
            language="fr",
            time_zone="Europe/Paris",
            undo=timedelta(seconds=15),
            worker="bench",
        )
        watch = store.watch(Receipt)
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(keep_dealing(desk)),
                group.create_task(Deliveries(desk).run()),
                group.create_task(Incoming(desk, channel_id, build_dispatcher(), {}).run()),
                group.create_task(mailbox.run(None, accepting(desk, channel_id))),
            ]
            while tally.received_count < mails or await store.list(RECEIPTS_WAITING, channel_id, limit=1):
                await watch.wait()
                await asyncio.sleep(LOOK_EVERY)
            seconds, used = time.perf_counter() - began, cpu_seconds() - used
            for loop in loops:
                loop.cancel()
        watch.close()
        await mailbox.close()
        await _must_balance(store, channel_id, mails)
        messages = await _messages(store, channel_id, mails)
        return Outcome(
            seconds=seconds,
            cpu_seconds=used,
            peak_rss_mib=peak_rss_mib(),
            conversations=await store.count(CONVERSATIONS_QUEUED, ACCOUNT),
            messages=len(messages),
            attachments=sum(len(message.attachments) for message in messages),
        )


async def _must_balance(store: Store, channel_id: ChannelId, mails: int) -> None:
    [line] = await balance(store, [channel_id])
    if not line.balanced or line.handled != mails:
        raise RuntimeError(f"not every mail was handled, and exactly once: {line}")


async def _messages(store: Store, channel_id: ChannelId, mails: int) -> list[Message]:
    """Every message, found through the receipts: what the mails became."""
    receipts: list[Receipt] = await store.list(RECEIPTS_BY_STATE, channel_id, "handled", limit=mails + 1)
    known = {receipt.id for receipt in receipts}
    found: list[Message] = []
    for conversation_id in {receipt.conversation_id for receipt in receipts}:
        found += await store.list(MESSAGES_OF_CONVERSATION, conversation_id, limit=mails)
    return [message for message in found if message.receipt_id in known]


def main() -> None:
    """As a program; prints its outcome."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--mails", type=int, required=True)
    given = parser.parse_args()
    logs.configure("json", "warning")
    asyncio.run(take_in(_settings(given), given.mails)).tell()


if __name__ == "__main__":
    main()
