"""MongoDB's primary lost in its commits: a mail comes in and its answer leaves all the same, each once."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.demo.telegram_server import TelegramServer
from bot.settings import StoreSettings
from inbox.ledger import balance, list_channels
from inbox.model import DeliveryKind, DeliveryState, Direction, Message
from inbox.parts import ConversationId
from inbox.store.base import Store
from inbox.store.documents import CONVERSATION_BY_NUMBER, DELIVERIES_OF_CONVERSATION, MESSAGES_OF_CONVERSATION
from inbox.store.mongo import MongoStore
from tests.conftest import require_server
from tests.contracts.backends import at
from tests.flow.running import At, come_on_duty, desk_settings, eventually, mail, running
from tests.servers.dovecot import Dovecot
from tests.servers.mongo import MongoServer, Way, What, forget_sockets
from tests.servers.scripted_smtp import ScriptedSmtp

QUESTION, ANSWER = "Puis-je passer jeudi ?", "Oui, jeudi à 9 h."
UNSETTLED = (DeliveryState.QUEUED, DeliveryState.DUE, DeliveryState.LEASED)
DEATHS = 4
BETWEEN = 9
"""Commits between two deaths of the server."""


class Losses:
    """What becomes of commits once it begins."""

    def __init__(self, server: MongoServer, how: str) -> None:
        self._server = server
        self._how = how
        self._begun = False
        self._since = 0
        self._dying = asyncio.Lock()
        self.lost = 0
        self.deaths = 0

    def begin(self) -> None:
        self._begun = True

    def end(self) -> None:
        self._begun = False

    async def decide(self, number: int) -> What:
        if not self._begun:
            return "passes"
        if self._how == "the server is killed":
            return await self._kill_now_and_then()
        what: What = "is lost" if self._how == "never arrives" else "is done unheard"
        # Two of five: so the driver's own second try is lost too.
        if number % 5 > 1:
            return "passes"
        self.lost += 1
        return what

    async def _kill_now_and_then(self) -> What:
        async with self._dying:
            self._since += 1
            if self._since < BETWEEN or self.deaths == DEATHS:
                return "passes"
            self._since = 0
            self.deaths += 1
            await asyncio.to_thread(self._server.kill)
            await asyncio.to_thread(self._server.start)
            self.lost += 1
            return "is lost"


@pytest.fixture(autouse=True)
def no_sockets_left() -> Iterator[None]:
    yield
    forget_sockets()


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.mark.parametrize(
    ("how", "driver"),
    [
        ("never arrives", "pymongo"),
        ("is done and its answer never arrives", "pymongo"),
        ("is done and its answer never arrives", "motor"),
        ("the server is killed", "pymongo"),
    ],
)
@pytest.mark.timeout(400)
async def test_a_mail_and_its_answer_pass_once_though_commits_are_lost(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, how: str, driver: str
) -> None:
    require_server("dovecot")
    with MongoServer() as server:
        losses = Losses(server, how)
        async with Way(server, losses.decide) as way, ScriptedSmtp() as smtp:
            settings = desk_settings(tmp_path, dovecot, smtp.port, telegram)
            store = StoreSettings.model_validate({"url": at(way.url, "desk"), "driver": driver})
            settings = settings.model_copy(update={"store": store})
            async with running(settings):
                anne = await come_on_duty(settings, telegram, 501, "Anne")
                losses.begin()
                dovecot.deliver("cabinet", mail("Rendez-vous", QUESTION, message_id="q1@client.test"))
                card = await sees(anne, QUESTION, button="rel:")
                anne.reply(card, ANSWER)
                preview = await sees(anne, "Aperçu", ANSWER, button="send")
                await anne.press(preview, "send", seconds=100)  # a server that is started anew answers late
                await eventually(lambda: smtp.taken, seconds=100)
                await sees(anne, "#1", "envoyé à")
                if how == "the server is killed":
                    assert losses.deaths
                losses.end()
                async with MongoStore(at(server.url, "desk")) as looking:
                    await is_true(looking)
            assert losses.lost
            assert len(smtp.taken) == 1
            assert read(smtp.taken[0].text).startswith(ANSWER)
            cards = [m for m in anne.user.messages() if QUESTION in str(m.get("text")) and "Aperçu" not in m["text"]]
            assert len(cards) == 1


def read(text: bytes) -> str:
    letter = email.message_from_bytes(text, policy=email.policy.default)
    plain = letter.get_body(("plain",))
    assert plain is not None
    return str(plain.get_content())


async def sees(anne: At, *parts: str, button: str = "") -> dict[str, object]:
    """What appears, patiently: two commits of five are lost on its way."""
    async with asyncio.timeout(100):
        while True:
            try:
                return await anne.sees(*parts, button=button)
            except AssertionError:
                continue


async def is_true(store: Store) -> None:
    """One mail came, one message was made of it, one answer left; nothing is in doubt, nothing is missing."""
    [conversation] = await store.list(CONVERSATION_BY_NUMBER)
    async with asyncio.timeout(60):
        while await _count(store, conversation.id, *UNSETTLED):  # noqa: ASYNC110  # other loops settle them
            await asyncio.sleep(0.05)
    assert await _count(store, conversation.id, DeliveryState.UNKNOWN, DeliveryState.DEAD) == 0
    assert await store.count(DELIVERIES_OF_CONVERSATION, conversation.id, DeliveryKind.REPLY, DeliveryState.SENT) == 1
    assert all(line.balanced for line in await balance(store, await list_channels(store)))
    messages: list[Message] = await store.list(MESSAGES_OF_CONVERSATION, conversation.id)
    assert [message.direction for message in messages] == [Direction.INBOUND, Direction.OUTBOUND]


async def _count(store: Store, conversation_id: ConversationId, *states: DeliveryState) -> int:
    counts = [
        await store.count(DELIVERIES_OF_CONVERSATION, conversation_id, kind, state)
        for kind in DeliveryKind
        for state in states
    ]
    return sum(counts)
