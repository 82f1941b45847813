"""Mails made to cost more than they say: each is read in bounded time and memory, and is kept and shown."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec
import pytest

from bot.locales import Catalogue
from channels.mail.parse import LONGEST_TEXT, MOST_ATTACHMENTS
from handlers import views
from handlers.legible import units
from handlers.views import LONGEST, CardFacts, Voice
from inbox.conversations import opened, received
from inbox.parts import AccountId
from tests.builders import NOW, a_contact, a_receipt, a_secretary, an_account
from tests.crash import bombs
from tests.crash.bombs import MIB
from tests.crash.reading import Report

MOST_SECONDS = 5.0
MOST_MEMORY = 512 * MIB
TIMES_ITS_SIZE = 4
SMALL = 32 * MIB
"""What reading any page may take, however small: its tree is many times its text."""
SHORTENED = "l’original est conservé en entier"

# All they say was read; it is only more than it looks, or little.
WHOLE = {
    *("a thousand mails in one another", "alternatives in one another", "forms of pages", "entities that grow"),
    *("base64 of 200 mb", "base64 of 200 mb without a line end", "broken base64 of 100 mb", "uuencode of 50 mb"),
    *("quoted printable of 100 mb", "blanks before a line end", "a sender of encoded words"),
    *("parameters of one quote", "tnef and archives"),
}


async def read_apart(file: Path) -> Report:
    """What a process of its own says that reading this mail took."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.crash.reading", file),
        # What counts lines would be counted as what reading costs.
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()[-2000:]
    return msgspec.json.decode(said, type=Report)


def card_of(report: Report) -> str:
    """The card of a request that begins with this mail, in French."""
    envelope, contact, account = report.envelope, a_contact(), an_account(AccountId("roux"))
    receipt = a_receipt()
    conversation = opened(1, account, contact, receipt.channel_id, envelope, NOW, related=None)
    conversation, message = received(conversation, contact, envelope, receipt, envelope.external_id, NOW)
    facts = CardFacts(
        viewer=a_secretary(),
        conversation=conversation,
        account=account,
        contact=contact,
        contact_address=envelope.sender.value,
        channel_icon="✉️",
        holder=None,
        messages=[message],
        replies={},
        message_count=1,
    )
    return views.card(facts, Voice(Catalogue(), "fr", "Europe/Paris", NOW)).text


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", bombs.BOMBS)
async def test_a_mail_bomb_costs_little_and_is_shown(name: str, tmp_path: Path) -> None:
    file = tmp_path / "bomb.eml"
    size = bombs.write(name, file)
    try:
        report = await read_apart(file)
    finally:
        file.unlink()
    most = min(MOST_MEMORY, max(TIMES_ITS_SIZE * size, SMALL))
    for cost in (report.read, *report.extracted):
        assert cost.seconds < MOST_SECONDS
        assert cost.growth < most
    envelope = report.envelope
    assert "unreadable" not in envelope.defects
    assert len(envelope.text) <= LONGEST_TEXT
    assert len(envelope.attachments) <= MOST_ATTACHMENTS
    assert len(msgspec.json.encode(envelope)) < 3_000_000
    assert envelope.truncated is (name not in WHOLE), envelope.defects
    card = card_of(report)
    assert units(card) <= LONGEST
    assert (SHORTENED in card) is envelope.truncated
