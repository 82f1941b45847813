"""A mail server in this process, for the demo and tests: IMAP by pymap, SMTP by aiosmtpd.

Mail is kept in memory and gone at the end. Every mailbox, an account's or a
client's, has an INBOX and a Sent folder. No TLS: it listens on 127.0.0.1 only.
"""

from __future__ import annotations

import asyncio
import secrets
import smtplib
from argparse import Namespace
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from proxyprotocol.sock import SocketInfo, SocketInfoLocal
from pymap.backend.dict import Config, Identity, Login
from pymap.concurrent import Subsystem
from pymap.context import connection_exit
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials.flag import Flag, Seen
from pymap.user import Passwords, UserMetadata
from pysasl.hashing import BuiltinHash

HOST = "127.0.0.1"
SENT = "Sent"
_LARGEST = 50_000_000


class Refused(Exception):
    """The mail server did not take the mail."""

    def __init__(self, code: int, says: str) -> None:
        super().__init__(f"{code} {says}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail in a mailbox."""

    number: int
    """Increases with every mail this server files, in whichever mailbox."""
    raw: bytes
    at: datetime


class MailServer:
    """An IMAP and an SMTP server over the same mailboxes, named by their addresses.

    SMTP delivers to the mailboxes there are and refuses other recipients with
    550, as it does nope@… wherever it is; later@… gets a 451 for ever.
    """

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = {address.lower(): password for address, password in passwords.items()}
        self._inboxes: dict[str, list[Mail]] = {address: [] for address in self._passwords}
        self._sent: dict[str, list[Mail]] = {address: [] for address in self._passwords}
        self._filed = 0
        self._changed = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._submissions: set[SMTP] = set()
        self.listeners: list[Callable[[str], None]] = []
        """Each is called with an address whose mailbox has changed."""
        self.imap_port = 0
        self.smtp_port = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._config = _Config()
        self._login = Login(self._config)
        hashes = Passwords(self._config)
        for address, password in self._passwords.items():
            user = UserMetadata(self._config, address, password=await hashes.hash_password(password))
            await self._identity(address).set(user)
            async with self._identity(address).new_session() as mailboxes:
                await mailboxes.create_mailbox(SENT)
        self._imap = await asyncio.start_server(self._imap_connection, HOST, 0)
        self._smtp = await loop.create_server(self._smtp_connection, HOST, 0)
        self.imap_port = self._imap.sockets[0].getsockname()[1]
        self.smtp_port = self._smtp.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._imap.close()
        self._smtp.close()
        for submission in list(self._submissions):
            if submission.transport is not None:
                submission.transport.abort()  # type: ignore[attr-defined]  # typed as BaseTransport
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._imap.wait_closed()
        await self._smtp.wait_closed()
        # the transports' own farewell takes one more turn of the loop
        await asyncio.sleep(0)

    def password(self, address: str) -> str:
        return self._passwords[address.lower()]

    def inbox(self, address: str) -> Sequence[Mail]:
        """What was delivered to a mailbox, oldest first."""
        return self._inboxes[address.lower()]

    def sent(self, address: str) -> Sequence[Mail]:
        """What a mailbox's owner submitted through `submit`, oldest first."""
        return self._sent[address.lower()]

    async def submit(self, sender: str, recipients: Sequence[str], raw: bytes) -> None:
        """Send a mail as a client's mail program does: by SMTP, a copy kept in its Sent folder.

        Raises:
            Refused: no recipient was taken, with the server's answer to the first.
        """
        await asyncio.to_thread(self._submit, sender, recipients, raw)
        await self._file(sender, raw, SENT)

    def _submit(self, sender: str, recipients: Sequence[str], raw: bytes) -> None:
        with smtplib.SMTP(HOST, self.smtp_port, local_hostname="localhost", timeout=120) as server:
            server.login(sender, self.password(sender))
            try:
                server.sendmail(sender, list(recipients), raw)
            except smtplib.SMTPRecipientsRefused as error:
                code, says = next(iter(error.recipients.values()))
                raise Refused(code, says.decode("utf-8", "replace")) from error
            except smtplib.SMTPResponseException as error:
                raise Refused(error.smtp_code, str(error.smtp_error)) from error

    async def deliver(self, address: str, raw: bytes, *, sender: str = "") -> Mail:
        """Put a mail into an inbox, with the trace a delivering server leaves (RFC 5321 §4.4)."""
        now = datetime.now(UTC)
        trace = (
            f"Return-Path: <{sender}>\r\nDelivered-To: {address}\r\n"
            f"Received: from localhost by mail.test; {format_datetime(now)}\r\n"
        )
        return await self._file(address, trace.encode() + raw, "INBOX")

    async def wait_for(self, address: str, wanted: Callable[[Mail], bool], *, seconds: float = 10) -> Mail:
        """The first mail of an inbox that is wanted, as soon as it is there.

        Raises:
            TimeoutError: it did not come.
        """
        async with asyncio.timeout(seconds):
            while True:
                for mail in self.inbox(address):
                    if wanted(mail):
                        return mail
                self._changed.clear()
                await self._changed.wait()

    async def _file(self, address: str, raw: bytes, folder: str) -> Mail:
        address = address.lower()
        self._filed += 1
        mail = Mail(self._filed, raw, datetime.now(UTC))
        flags: frozenset[Flag] = frozenset({Seen}) if folder == SENT else frozenset()
        async with AsyncExitStack() as connection:
            outer = connection_exit.set(connection)
            try:
                async with self._identity(address).new_session() as mailboxes:
                    await mailboxes.append_messages(folder, [AppendMessage(raw, mail.at, flags)])
            finally:
                connection_exit.reset(outer)
        (self._sent if folder == SENT else self._inboxes)[address].append(mail)
        self._changed.set()
        for listener in self.listeners:
            listener(address)
        return mail

    def _identity(self, address: str) -> Identity:
        return Identity(address, self._login, None, frozenset())

    # -- IMAP: pymap's own service opens its sockets where we could not see or close them

    def _imap_connection(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._serve_imap(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve_imap(self, reader: StreamReader, writer: StreamWriter) -> None:
        about: SocketInfo = SocketInfoLocal(writer, unique_id=secrets.token_bytes(4))
        try:
            await IMAPServer(self._login, self._config)(reader, writer, about)
        except ConnectionError:
            pass
        finally:
            writer.close()

    # -- SMTP

    def _smtp_connection(self) -> SMTP:
        return _Submission(self)

    async def handle_RCPT(  # noqa: N802  # the name aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        local = address.partition("@")[0].lower()
        if local == "later":
            return "451 4.3.0 Try again later"
        if local == "nope" or address.lower() not in self._inboxes:
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.original_content or b""
        for address in dict.fromkeys(recipient.lower() for recipient in envelope.rcpt_tos):
            await self.deliver(address, raw, sender=envelope.mail_from or "")
        return "250 2.0.0 Delivered"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        password = self._passwords.get(data.login.decode("utf-8", "replace").lower())
        known = password is not None and secrets.compare_digest(password.encode(), data.password)
        # handled=False: aiosmtpd then answers the refusal itself, with 535
        return AuthResult(success=known, handled=False)


class _Submission(SMTP):
    """One SMTP connection, known to its server while it lives so that stopping can end it."""

    def __init__(self, mail_server: MailServer) -> None:
        super().__init__(
            mail_server,
            enable_SMTPUTF8=True,
            hostname="mail.test",
            ident="Permanence demo",
            data_size_limit=_LARGEST,
            authenticator=mail_server.authenticate,
            auth_require_tls=False,
            loop=asyncio.get_running_loop(),
        )
        self._mail_server = mail_server

    def _create_session(self) -> Session:
        return _Session(self.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._mail_server._submissions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._mail_server._submissions.discard(self)
        super().connection_lost(error)


class _Session(Session):
    """aiosmtpd sets its own deprecated attribute at every login and logs a warning that it did."""

    login_data: Any = None


class _Config(Config):
    """pymap without its thread pool, its slow hashes and its DNS look-ups: all stays on this machine."""

    def __init__(self) -> None:
        args = Namespace(passlib_cfg=None, proxy_protocol=None)
        super().__init__(
            args,
            demo_data=False,
            demo_user="",
            demo_password="",
            host=HOST,
            port=0,
            tls_enabled=False,
            hash_context=BuiltinHash(rounds=1),
            cpu_subsystem=Subsystem.for_asyncio(),
        )

    @property
    def greeting(self) -> bytes:
        return b"Permanence demo"
