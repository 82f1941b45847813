"""The worker on several folders of a mailbox, whose mail it moves away once it has it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.demo.telegram_server import TelegramServer
from bot.wiring import Unobserved, build_mailbox, open_store
from handlers.reconciling import reconcile
from inbox.model import Cursor
from tests.flow.hurried import MAILBOX, all_handled, hurry, owned, quickly, until
from tests.flow.running import desk_settings, running
from tests.flow.test_reconciling import NOWHERE, letter, texts
from tests.servers.dovecot import Dovecot


async def test_a_mail_in_two_folders_is_read_once_and_what_moved_away_is_no_gap(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly())
    dovecot.deliver("cabinet", letter(0))
    with dovecot.client("cabinet") as client:
        client.create("Commandes")
        client.append("Commandes", "", "", letter(1))
    settings = owned(
        desk_settings(tmp_path, dovecot, NOWHERE, telegram), folders=("INBOX", "Commandes"), after="move:Done"
    )
    with dovecot.client("cabinet") as client:
        client.create("Done")
    async with running(settings):
        await until(settings, all_handled(2))
        # A rule of the mailbox, or a person, puts into the other folder what was received from the first.
        with dovecot.client("cabinet") as client:
            client.append("Commandes", "", "", letter(0))
        found = await until(settings, all_handled(3))
        async with asyncio.timeout(10):
            while len(dovecot.mails("cabinet", "Done")) < 3:  # noqa: ASYNC110  # it is the server's disk that is asked
                await asyncio.sleep(0.05)
    assert sorted(found.texts) == texts(2)
    assert found.states == {"handled": 2, "ignored": 1}
    assert found.balanced
    assert not dovecot.mails("cabinet") + dovecot.mails("cabinet", "Commandes")
    async with open_store(settings, exclusive=False) as store:
        mailbox = build_mailbox("cabinet", settings.mailboxes["cabinet"], Unobserved())
        compared = await reconcile(store, mailbox, desk_bots=[], clock=lambda: datetime.now(UTC))
        assert (compared.on_server, compared.gaps) == (0, 0)
        assert (await store.get(Cursor, MAILBOX)).received == 3
