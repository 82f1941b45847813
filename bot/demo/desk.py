"""The whole desk on one machine: the real worker between a mail server and a Bot API of this process."""

from __future__ import annotations

import asyncio
import errno
import secrets
import signal
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import SecretStr
from rich.console import Console

from bot import logs, worker
from bot.demo import scene
from bot.demo.letters import write
from bot.demo.mail_server import HOST, MailServer
from bot.demo.script import UNDO_SECONDS, play
from bot.demo.seat import Seat
from bot.demo.telegram_server import TelegramServer
from bot.demo.web import DemoPage
from bot.settings import (
    AccountSettings,
    BotSettings,
    DeskSettings,
    IdentitySettings,
    ImapSettings,
    MailboxSettings,
    Settings,
    SmtpSettings,
    StoreSettings,
    WebSettings,
)
from bot.wiring import open_store
from handlers import callbacks
from inbox.invitations import deep_link_payload, invite
from inbox.model import Role
from inbox.store.base import Changes

T = TypeVar("T")


class DemoDesk:
    """The running desk and its surroundings; everything of it is gone when it is left.

    Args:
        directory: where the store's file is made.
    """

    def __init__(self, directory: Path, *, undo_seconds: int = 15) -> None:
        self._directory = directory
        self._undo_seconds = undo_seconds
        people = (*scene.MAIL_CLIENTS, *scene.ACCOUNTS)
        self.mail = MailServer({person.address: secrets.token_urlsafe(12) for person in people})
        self.telegram = TelegramServer(username=scene.BOT_USERNAME, name=scene.BOT_NAME)
        self.telegram.bot().has_topics = True  # so that /sujets can be tried
        for room in scene.ROOMS:
            members = (self.telegram.user(each.id, each.first_name, each.last_name) for each in scene.SECRETARIES)
            self.telegram.group(room.id, room.name, *members)
        self.settings: Settings
        self.worker: asyncio.Task[None]
        """The worker; it ends only by failing."""
        self._stop = asyncio.Event()
        self.invitations: dict[int, str] = {}
        """What `/start` carries for each secretary, by her Telegram id."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.mail)
            await stack.enter_async_context(self.telegram)
            self.settings = self._settings()
            await self._invite()
            started = asyncio.Event()
            self.worker = asyncio.create_task(
                worker.run(self.settings, started=started.set, stop=self._stop), name="worker"
            )
            stack.push_async_callback(self._worker_stopped)
            await self.unless_the_worker_fails(started.wait())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def stop_worker(self) -> None:
        """Ask the worker to stop in order, as SIGTERM does."""
        self._stop.set()

    async def _worker_stopped(self) -> None:
        self.stop_worker()
        await asyncio.wait([self.worker])

    async def unless_the_worker_fails(self, doing: Coroutine[Any, Any, T]) -> T:
        """Its result. When the worker ends first nothing else will come of it: it is cancelled, and why is raised."""
        task = asyncio.create_task(doing)
        try:
            await asyncio.wait([task, self.worker], return_when=asyncio.FIRST_COMPLETED)
            if self.worker.done() and not task.done():
                self.worker.result()
                raise RuntimeError("the worker has stopped")
            return await task
        finally:
            task.cancel()

    def _settings(self) -> Settings:
        return Settings(
            store=StoreSettings(url=f"sqlite:{self._directory / 'desk.sqlite3'}"),
            desk=DeskSettings(language=scene.LANGUAGE, undo_seconds=self._undo_seconds),
            accounts={firm.id: _account(firm) for firm in scene.ACCOUNTS},
            mailboxes={firm.id: self._mailbox(firm) for firm in scene.ACCOUNTS},
            bots={"demo": BotSettings(token=SecretStr(self.telegram.token), api_server=self.telegram.url)},
            web=WebSettings(port=0),
        )

    def _mailbox(self, firm: scene.Firm) -> MailboxSettings:
        password = SecretStr(self.mail.password(firm.address))
        return MailboxSettings(
            account=firm.id,
            imap=ImapSettings(host=HOST, port=self.mail.imap_port, tls="none", user=firm.address, password=password),
            smtp=SmtpSettings(host=HOST, port=self.mail.smtp_port, tls="none"),
            start_at="beginning",
            verify_dkim=False,  # it needs no network
        )

    async def _invite(self) -> None:
        """What `permanence invite` does, before the worker has the store."""
        async with open_store(self.settings, exclusive=False) as store:
            for person in scene.SECRETARIES:
                token = secrets.token_urlsafe(32)
                invitation = invite(
                    Role(person.role),
                    token=token,
                    now=datetime.now(UTC),
                    lifetime=timedelta(hours=1),
                    name=person.name,
                )
                await store.commit(Changes(inserts=[invitation]))
                self.invitations[person.id] = deep_link_payload(token)


def _account(firm: scene.Firm) -> AccountSettings:
    return AccountSettings(
        name=firm.name,
        identity=IdentitySettings(display_name=firm.display_name, from_address=firm.address, signature=firm.signature),
        mailbox=firm.id,
        assignment=firm.assignment,
        messages_to=firm.messages_to,
    )


async def open_scene(desk: DemoDesk) -> None:
    """Let everybody do what they have done before the page is looked at: join, come on duty, write."""
    for person in scene.SECRETARIES:
        seat = Seat(desk.telegram, person)
        seat.say(f"/start {desk.invitations[person.id]}")
        await seat.sees("a welcome", button=callbacks.Duty)
        if person.role == "secretary":
            seat.say("/ici")
            await seat.sees("the queue", button=callbacks.Queue)
    for opening in scene.openings():
        raw = write(opening.client, opening.firm.address, opening.subject, opening.text, files=opening.files)
        await desk.mail.submit(opening.client.address, [opening.firm.address], raw)
    for person, firm, text in scene.CHATS:
        seat = Seat(desk.telegram, person)
        seat.say(f"/start {firm.id}")
        await seat.sees("a greeting", firm.display_name)
        seat.say(text)


def main(script: bool, port: int) -> int:
    """Run the demo until it is interrupted, or its script to the end; the exit code."""
    logs.configure("console", "warning")
    out = Console(highlight=False)
    if script:
        return asyncio.run(_play(out))
    try:
        asyncio.run(_serve(out, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        out.print(f"Port {port} of this machine is taken. Choose another: permanence demo --port {port + 1}")
        return 1
    return 0


async def _play(out: Console) -> int:
    with tempfile.TemporaryDirectory(prefix="permanence-") as directory:
        async with DemoDesk(Path(directory), undo_seconds=UNDO_SECONDS) as desk:
            return await play(desk, out)


async def _serve(out: Console, port: int) -> None:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, interrupted.set)
    with tempfile.TemporaryDirectory(prefix="permanence-") as directory:
        async with (
            DemoDesk(Path(directory)) as desk,
            DemoPage(desk.mail, desk.telegram, port) as page,
        ):
            await desk.unless_the_worker_fails(open_scene(desk))
            out.print(f"The desk is open at [bold]{page.url}[/], for this machine only.")
            out.print("Ctrl+C closes it; all that was written is forgotten then.")
            await desk.unless_the_worker_fails(interrupted.wait())
