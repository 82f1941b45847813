"""The servers around the desk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from bot.demo.telegram_server import TelegramServer
from tests.conftest import require_server
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix


@pytest.fixture
def postfix(dovecot: Dovecot) -> Iterator[Postfix]:
    """Delivers what the desk sends into Dovecot, where the clients read it."""
    require_server("postfix")
    with Postfix(lmtp_port=dovecot.lmtp_port) as server:
        yield server


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server
