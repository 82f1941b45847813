"""How long a card takes: the real worker between a real Dovecot and a Bot API on this machine.

Three moments a mail: the server accepted it, it announced it, our Bot API call
that sends the card arrived. What lies between the first two is the server's;
the rest is ours.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
import smtplib
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from bot.demo.telegram_server import TelegramServer
from tests.bench.corpus import Mail, make_corpus
from tests.servers.dovecot import Dovecot

HOST = "127.0.0.1"
USER = "support"
SECRETARIES = 5
"""Dealt to in turn, each at most twenty (her capacity)."""
WARM_UP = 6
PACE = (0.75, 0.95)
"""Seconds between two mails: longer than Dovecot gathers news (0.5 s), so that each is announced alone; and with
five secretaries far slower than Telegram allows a chat."""
PATIENCE = 20.0

CONFIG = """\
[store]
url = "sqlite:{store}"

[desk]
language = "fr"

[accounts.support]
name = "Support"
identity = {{ display_name = "Support", from_address = "support@desk.example" }}

[mailboxes.support]
account = "support"
imap = {{ host = "{host}", port = {imap_port}, tls = "none", user = "{user}", password = "{password}" }}
smtp = {{ host = "{host}", port = 1, tls = "none" }}

[bots.desk]
token = "{token}"
api_server = "{api_server}"

[logs]
level = "warning"

[web]
port = 0
"""
OWNER = """
[[owners]]
id = {id}
name = "Owner {id}"
"""


class Times(NamedTuple):
    """One mail's way, in seconds."""

    server: float
    """From accepted to announced to a plain connection that waits in IDLE."""
    ours: float
    """From announced to the worker to the Bot API call."""
    whole: float
    """From accepted to the Bot API call."""


class _Announced:
    """When the folder was first said to hold so many mails."""

    _EXISTS = re.compile(rb"^\* (\d+) EXISTS\r$", re.MULTILINE)

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._rest = b""

    def hear(self, data: bytes, now: float) -> None:
        lines = self._rest + data
        cut = lines.rfind(b"\n") + 1
        self._rest = lines[cut:]
        for found in self._EXISTS.finditer(lines, 0, cut):
            self._at.setdefault(int(found[1]), now)

    def at(self, count: int) -> float:
        """When it held `count`, or more at once."""
        return min(at for held, at in self._at.items() if held >= count)


class _Wire:
    """Between the worker and its IMAP server: passes every octet on at once, and notes what is announced."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.announced = _Announced()
        self.idling = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._join, HOST, 0)
        async with server:
            yield int(server.sockets[0].getsockname()[1])

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(HOST, self._port)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pass_questions(reader, to_server))
            both.create_task(self._pass_answers(from_server, writer))

    async def _pass_questions(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            writer.write(data)
            if data.endswith(b" IDLE\r\n"):
                self.idling.set()
        writer.close()

    async def _pass_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            now = time.monotonic()
            writer.write(data)
            self.announced.hear(data, now)
        writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(2**16)
    except ConnectionError:
        return b""


@asynccontextmanager
async def _plain_idle(dovecot: Dovecot) -> AsyncIterator[_Announced]:
    """A second connection to the mailbox that does nothing but wait in IDLE."""
    announced = _Announced()
    reader, writer = await asyncio.open_connection(HOST, dovecot.imap_port)
    writer.write(f"a LOGIN {USER} {dovecot.password}\r\nb EXAMINE INBOX\r\nc IDLE\r\n".encode())
    async with asyncio.timeout(PATIENCE):
        await reader.readuntil(b"+ idling\r\n")

    async def listen() -> None:
        while data := await _read(reader):
            announced.hear(data, time.monotonic())

    listening = asyncio.create_task(listen())
    try:
        yield announced
    finally:
        writer.close()
        await listening


@asynccontextmanager
async def _worker(config: Path, log: Path) -> AsyncIterator[None]:
    """`permanence run` on this config; asked to stop at the end."""
    program = Path(sys.executable).with_name("permanence")
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(program, "run", "--config", config, stdout=said, stderr=said)
    try:
        yield
        if process.returncode is not None:
            raise RuntimeError(f"the worker ended by itself ({process.returncode})")
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def measure(directory: Path, mails: int) -> list[Times]:
    """Deliver this many mails, one after another, and follow each to its card.

    Raises:
        RuntimeError: a mail got no card; with the worker's log.
    """
    log = directory / "worker.log"
    try:
        return await _measure(directory, mails, log)
    except Exception as failure:
        failure.add_note(f"The worker said: {log.read_text()[-4000:] if log.exists() else 'nothing'}")
        raise


async def _measure(directory: Path, mails: int, log: Path) -> list[Times]:
    config = directory / "config.toml"
    with Dovecot() as dovecot:
        wire = _Wire(dovecot.imap_port)
        async with TelegramServer(limits=True) as telegram, wire.open() as imap_port, _plain_idle(dovecot) as plain:
            people = [telegram.user(4_000_001 + number) for number in range(SECRETARIES)]
            config.write_text(
                CONFIG.format(
                    store=directory / "desk.db",
                    host=HOST,
                    imap_port=imap_port,
                    user=USER,
                    password=dovecot.password,
                    token=telegram.token,
                    api_server=telegram.url,
                )
                + "".join(OWNER.format(id=person.id) for person in people)
            )
            config.chmod(0o600)
            async with _worker(config, log):
                async with asyncio.timeout(PATIENCE):
                    await wire.idling.wait()
                for person in people:
                    person.send_text("/start")
                    person.send_text("/ici")
                    if await person.wait_for(lambda message: "reply_markup" in message, seconds=PATIENCE) is None:
                        raise RuntimeError("a secretary was not shown the queue")
                written = list(islice(_new_matters(), WARM_UP + mails))
                accepted = await _deliver(dovecot, telegram, written)
            if telegram.violations:
                raise RuntimeError("Telegram's limits were met: the figures would be theirs")
    times = []
    for number, (at, mail) in enumerate(zip(accepted, written, strict=True), 1):
        card = _card_at(telegram, mail) or 0.0
        times.append(Times(plain.at(number) - at, card - wire.announced.at(number), card - at))
    return times[WARM_UP:]


def _new_matters() -> Iterator[Mail]:
    """Mails of the corpus that answer nothing: each is a conversation, and a card, of its own."""
    return (mail for number, mail in enumerate(make_corpus()) if mail.root == number)


async def _deliver(dovecot: Dovecot, telegram: TelegramServer, mails: Sequence[Mail]) -> list[float]:
    """Hand the mails to the server one by one, each once the one before has its card; when each was accepted."""
    chance = random.Random(7)
    accepted = []
    shown = asyncio.Event()
    telegram.listeners.append(lambda _: shown.set())
    with smtplib.LMTP(HOST, dovecot.lmtp_port) as client:

        def hand_over(raw: bytes) -> float:
            client.sendmail("sender@example.org", [USER], raw.replace(b"\n", b"\r\n"))
            return time.monotonic()

        for mail in mails:
            pause = asyncio.create_task(asyncio.sleep(chance.uniform(*PACE)))
            accepted.append(await asyncio.to_thread(hand_over, mail.raw))
            async with asyncio.timeout(PATIENCE):
                while _card_at(telegram, mail) is None:
                    shown.clear()
                    await shown.wait()
            await pause
    return accepted


def _card_at(telegram: TelegramServer, mail: Mail) -> float | None:
    """When the call that sends its card arrived; its subject ends in a number no other has."""
    number = mail.subject.split()[-1]
    calls = telegram.made("sendMessage")
    return next((call.at for call in calls if number in str(call.parameters.get("text"))), None)
