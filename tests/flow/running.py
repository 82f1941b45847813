"""A running desk for tests: the real worker between a real Dovecot, a real SMTP server and a Bot API stand-in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from bot import worker
from bot.demo.telegram_people import TelegramUser
from bot.demo.telegram_server import TelegramServer
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
from inbox.invitations import deep_link_payload, invite
from inbox.model import Role
from inbox.store.base import Changes
from tests.servers.dovecot import Dovecot

PATIENCE = 20.0
Json = dict[str, Any]
Assignment = Literal["automatic", "manual"]

ADDRESS = "cabinet@desk.test"
SOPHIE = "sophie@client.test"


def desk_settings(
    directory: Path,
    dovecot: Dovecot,
    smtp_port: int,
    telegram: TelegramServer,
    *,
    assignment: Assignment = "automatic",
    undo_seconds: int = 0,
) -> Settings:
    """A doctor with a mailbox and a plumber with a shared bot."""
    mailbox = MailboxSettings(
        account="vasseur",
        imap=ImapSettings(
            host="127.0.0.1",
            port=dovecot.imap_port,
            tls="none",
            user="cabinet",
            password=SecretStr(dovecot.password),
        ),
        smtp=SmtpSettings(host="127.0.0.1", port=smtp_port, tls="none", user=""),
        start_at="beginning",
        verify_dkim=False,
    )
    return Settings(
        store=StoreSettings(url=f"sqlite:{directory / 'desk.db'}"),
        desk=DeskSettings(undo_seconds=undo_seconds),
        accounts={
            "vasseur": AccountSettings(
                name="Dr Claire Vasseur",
                identity=IdentitySettings(
                    display_name="Cabinet du Dr Vasseur",
                    from_address=ADDRESS,
                    signature="Secrétariat du Dr Vasseur",
                ),
                mailbox="cabinet",
                assignment=assignment,
            ),
            "garnier": AccountSettings(
                name="Plomberie Garnier",
                identity=IdentitySettings(display_name="Plomberie Garnier"),
                assignment=assignment,
            ),
        },
        mailboxes={"cabinet": mailbox},
        bots={"desk": BotSettings(token=SecretStr(telegram.token), api_server=telegram.url)},
        web=WebSettings(port=0),
    )


async def invitation(settings: Settings, name: str, role: Role = Role.SECRETARY) -> str:
    """What the deep link of a new invitation carries."""
    token = secrets.token_urlsafe(32)
    made = invite(role, token=token, now=datetime.now(UTC), lifetime=timedelta(hours=1), name=name)
    async with open_store(settings, exclusive=False) as store:
        await store.commit(Changes(inserts=[made]))
    return deep_link_payload(token)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """The worker in this process; its failure fails the test."""
    started, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(worker.run(settings, started=started.set, stop=stop))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if task.done():
            await task
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


@dataclass
class At:
    """Someone at their Telegram: waits for what must appear, presses what is there."""

    user: TelegramUser
    patience: float = PATIENCE
    """Seconds until what must appear appears."""

    async def sees(self, *parts: str, button: str = "", absent: str = "") -> Json:
        """The newest message of the bot with all of these words, and a button whose data begins so."""

        def wanted(message: Json) -> bool:
            said = str(message.get("text", ""))
            return (
                all(part in said for part in parts)
                and (not absent or absent not in said)
                and (not button or find_button(message, button) is not None)
            )

        found = await self.user.wait_for(wanted, seconds=self.patience)
        if found is None:
            screen = "\n---\n".join(str(m.get("text")) for m in self.user.messages()[-4:])
            raise AssertionError(f"{self.user.first_name} does not see {parts} {button!r}; the screen:\n{screen}")
        return found

    async def press(self, message: Json, button: str, *, seconds: float = 15.0) -> str:
        """Press a button by how its data begins; the toast."""
        data = find_button(message, button)
        assert data is not None, f"no button {button!r} under {message.get('text')!r}"
        answer = await self.user.press(message["message_id"], data, seconds=seconds)
        return answer.text

    def reply(self, message: Json, text: str) -> Json:
        """Reply to a message."""
        return self.user.send_text(text, reply_to=message["message_id"])


def find_button(message: Json, begins: str) -> str | None:
    """The data of the first button that begins so."""
    for row in (message.get("reply_markup") or {}).get("inline_keyboard", []):
        for button in row:
            if str(button.get("callback_data", "")).startswith(begins):
                return str(button["callback_data"])
    return None


async def come_on_duty(settings: Settings, telegram: TelegramServer, user_id: int, name: str) -> At:
    """Join by invitation, and be there."""
    who = At(telegram.user(user_id, name))
    who.user.start(await invitation(settings, name))
    welcome = await who.sees("Bienvenue", button="duty")
    await who.press(welcome, "duty")
    await who.sees("en service")
    return who


def mail(
    subject: str,
    text: str,
    *,
    sender: str = f"Sophie Marchand <{SOPHIE}>",
    message_id: str,
    answers: EmailMessage | None = None,
    to: str = ADDRESS,
) -> bytes:
    """A client's mail; an answer threads itself as mail programs do."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, to, subject
    made["Message-ID"], made["Date"] = f"<{message_id}>", format_datetime(datetime.now(UTC))
    if answers is not None:
        made["In-Reply-To"] = answers["Message-ID"]
        made["References"] = f"{answers.get('References', '')} {answers['Message-ID']}".strip()
    made.set_content(text)
    return made.as_bytes()


async def eventually(look: Any, *, seconds: float = PATIENCE) -> Any:
    """What `look` gives, as soon as it gives something."""
    async with asyncio.timeout(seconds):
        while not (found := look()):  # noqa: ASYNC110  # a Maildir tells nobody
            await asyncio.sleep(0.02)
        return found
