"""Whatever arrives is kept and shown, and everything else goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.demo.telegram_server import TelegramServer
from bot.settings import Settings
from bot.wiring import open_store
from inbox.ledger import ChannelBalance, balance, list_channels, list_receipts
from inbox.model import Direction, Message, Receipt, ReceiptState
from inbox.store.base import Store
from inbox.store.documents import MESSAGES_OF_CONVERSATION
from tests.flow.running import PATIENCE, At, come_on_duty, desk_settings, mail, running
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix

MALFORMED = (
    b"From: =?utf-8?q?Caf=E9?= <cafe@client.test>\r\nSubject: =?x-no-such?b?!!!?= \xff\xfe\r\n"
    b'Content-Type: multipart/mixed; boundary="never"\r\nMessage-ID: <broken@client.test>\r\n\r\n'
    b"--other\r\nContent-Type: text/plain; charset=nope\r\n\r\nmots perdus \xe9\r\n"
)
NO_ID = b"From: sans@client.test\r\nTo: cabinet@desk.test\r\nSubject: Sans identifiant\r\n\r\nmail sans Message-ID\r\n"


async def ledger(settings: Settings) -> tuple[list[ChannelBalance], dict[ReceiptState, list[Receipt]]]:
    """What `permanence receipts` reads, beside the running worker."""
    async with open_store(settings, exclusive=False) as store:
        lines = await balance(store, await list_channels(store))
        return lines, {state: await list_receipts(store, state) for state in ReceiptState}


async def inbound(settings: Settings, receipts: list[Receipt]) -> list[Message]:
    async with open_store(settings, exclusive=False) as store:
        return [m for r in receipts if r.conversation_id for m in await _said(store, r)]


async def _said(store: Store, receipt: Receipt) -> list[Message]:
    messages = await store.list(MESSAGES_OF_CONVERSATION, receipt.conversation_id)
    return [m for m in messages if m.direction is Direction.INBOUND and m.receipt_id == receipt.id]


async def test_a_malformed_mail_a_huge_one_one_without_an_id_and_an_unknown_update_are_kept_and_the_rest_goes_on(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    huge = mail("Énorme", "voir la pièce jointe", message_id="huge@client.test").replace(
        b"Content-Type: text/plain", b"X-Was: text/plain"
    )
    head, _, _ = huge.partition(b"\n\n")
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\n"
    huge = (
        head.replace(b"MIME-Version: 1.0\n", b"")
        + b'\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
        + b"trente megaoctets\n--b\nContent-Type: application/zip; name=gros.zip\n"
        + b"Content-Transfer-Encoding: base64\n\n"
        + line * (30 * 2**20 // len(line))
        + b"--b--\n"
    )
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        await asyncio.to_thread(dovecot.deliver, "cabinet", MALFORMED, huge, NO_ID)
        telegram.inject({"message_of_the_future": {"chat": {"id": 77}, "words": "?"}})
        telegram.inject({"message": {"message_id": "not a number", "chat": {"id": 78, "type": "private"}}})
        lucas = At(telegram.user(601, "Lucas"))
        lucas.user.start("garnier")
        await lucas.sees("Plomberie Garnier")
        lucas.user.send_text("tout continue")
        await anne.sees("tout continue")
        await anne.sees("trente megaoctets", "gros.zip")
        await anne.sees("mail sans Message-ID")
        await anne.sees("mots perdus")
        async with asyncio.timeout(PATIENCE):
            while True:
                lines, by_state = await ledger(settings)
                if not any(line.waiting for line in lines):
                    break
                await asyncio.sleep(0.1)
        assert all(line.balanced for line in lines)
        (unknown,) = [r for r in by_state[ReceiptState.IGNORED] if "message_of_the_future" in (r.reason or "")]
        (broken,) = by_state[ReceiptState.PARKED]
        assert unknown.channel_id == broken.channel_id == "telegram:desk"
        assert broken.error
        async with open_store(settings, exclusive=False) as store:
            assert b"not a number" in await store.read_blob(broken.blob_id)
        mails = [r for r in by_state[ReceiptState.HANDLED] if r.channel_id == "mail:cabinet"]
        assert [r.size > 30 * 2**20 for r in mails] == [False, True, False]
        ids = [m.external_id for m in await inbound(settings, mails)]
        assert ids[:2] == ["broken@client.test", "huge@client.test"]
        assert ids[2].startswith("sha256:")
