"""Mail out: handed to a server with one of three outcomes, sent, not sent, or nobody can know."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from channels.base import Finding, SentAs
from channels.errors import ChannelError, LoginRejected, OutcomeUnknown, PermanentFailure, TemporaryFailure
from inbox.model import ChannelId, Letter

CONNECT_TIMEOUT = 30.0
COMMAND_TIMEOUT = 300.0
"""RFC 5321 §4.5.3.2: five minutes for MAIL, RCPT and DATA."""
FINAL_DOT_TIMEOUT = 600.0
"""RFC 5321 §4.5.3.2.6: hanging up sooner sends the client a second copy."""
IDLE = 30.0
"""Seconds a connection is kept for the next mail."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail leaves: address, encryption, login."""

    host: str
    port: int
    tls: Literal["tls", "starttls", "none"]
    ca_file: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)


class Smtp:
    """Hands letters to one server over one connection, one at a time."""

    def __init__(self, channel_id: ChannelId, server: SmtpServer) -> None:
        self._id = channel_id
        self._server = server
        self._smtp: aiosmtplib.SMTP | None = None
        self._used_at = 0.0
        self._busy = asyncio.Lock()
        self._tls: ssl.SSLContext | None = None
        self._closer: asyncio.TimerHandle | None = None

    async def send(self, letter: Letter, raw: bytes) -> SentAs:
        """Hand one letter over, to all of its recipients or to none.

        Raises:
            TemporaryFailure: nothing was accepted; try again.
            PermanentFailure: nothing was accepted, and it never will be.
            OutcomeUnknown: the server had the text and gave no clear answer.
            LoginRejected: it refuses our credentials.
        """
        async with self._busy:
            if self._closer is not None:
                self._closer.cancel()
            try:
                return await self._send(letter, raw)
            finally:
                self._used_at = time.monotonic()
                self._closer = asyncio.get_running_loop().call_later(IDLE, self._drop)

    async def _send(self, letter: Letter, raw: bytes) -> SentAs:
        smtp, fresh = await self._connection()
        if not fresh and not await self._begun(smtp):
            # Its server hung up while it was kept; nothing was said on it yet.
            self._drop()
            smtp, fresh = await self._connection()
        try:
            await self._envelope(smtp, letter, raw)
        except BaseException as error:  # noqa: BLE001  # a cancellation too must not leave the connection out of step
            raise await self._not_sent(smtp, error) from None
        try:
            answer = await smtp.data(raw, timeout=FINAL_DOT_TIMEOUT)
        except SMTPResponseException as error:
            if 400 <= error.code < 600:
                raise await self._not_sent(smtp, error) from None
            # Code -1: replies are out of step, so none of them says what became of the text.
            self._drop()
            raise OutcomeUnknown(self._id, f"unclear answer {error.code}", reason="failure.connection") from None
        except (SMTPException, OSError, TimeoutError, ssl.SSLError) as error:
            self._drop()
            raise OutcomeUnknown(self._id, type(error).__name__, reason="failure.connection") from None
        except BaseException:
            self._drop()  # cancelled in the text: the connection is out of step
            raise
        return SentAs(f"{answer.code} {answer.message}"[:300])

    @staticmethod
    async def _begun(smtp: aiosmtplib.SMTP) -> bool:
        """Whether a kept connection still answers."""
        try:
            await smtp.rset(timeout=10)
        except (SMTPException, OSError, TimeoutError):
            return False
        return True

    async def _envelope(self, smtp: aiosmtplib.SMTP, letter: Letter, raw: bytes) -> None:
        if smtp.is_ehlo_or_helo_needed:
            await smtp.ehlo()
        options: list[str] = []
        limit = smtp.esmtp_extensions.get("size", "")
        if smtp.supports_extension("size"):
            if limit.isdigit() and 0 < int(limit) < len(raw):
                raise PermanentFailure(
                    self._id, f"{len(raw)} octets, the server takes {limit}", reason="failure.too_large"
                )
            options.append(f"SIZE={len(raw)}")
        if not raw.isascii():
            if not smtp.supports_extension("8bitmime"):
                raise PermanentFailure(self._id, "an 8-bit text, and no 8BITMIME", reason="failure.refused")
            options.append("BODY=8BITMIME")
        international = not all(address.isascii() for address in (letter.sender, *letter.recipients))
        if international:
            if not smtp.supports_extension("smtputf8"):
                raise PermanentFailure(
                    self._id, "an address beyond ASCII, and no SMTPUTF8", reason="failure.recipient_refused"
                )
            options.append("SMTPUTF8")
        encoding = "utf-8" if international else "ascii"
        try:
            await smtp.mail(letter.sender, options=options, encoding=encoding)
        except SMTPResponseException as error:
            raise await self._refused(smtp, error, "failure.sender_refused") from None
        for recipient in letter.recipients:
            try:
                await smtp.rcpt(recipient, encoding=encoding)
            except SMTPResponseException as error:
                # All or none: a reply that reaches some of its readers cannot be repeated.
                raise await self._refused(smtp, error, "failure.recipient_refused") from None

    async def _not_sent(self, smtp: aiosmtplib.SMTP, error: BaseException) -> BaseException:
        """The failure to raise for an error before the server had the text, or after it clearly refused it."""
        match error:
            case ChannelError():
                return error
            case SMTPResponseException():
                return await self._refused(smtp, error, "failure.refused")
            case SMTPException() | OSError() | TimeoutError() | ValueError():
                self._drop()
                if isinstance(error, UnicodeError):
                    return PermanentFailure(self._id, "an address beyond ASCII", reason="failure.recipient_refused")
                return TemporaryFailure(self._id, type(error).__name__, reason="failure.connection")
            case _:
                self._drop()
                return error

    async def _refused(self, smtp: aiosmtplib.SMTP, error: SMTPResponseException, reason: str) -> ChannelError:
        detail = f"{error.code} {error.message}"[:300]
        if error.code == 421 or not 400 <= error.code < 600:
            self._drop()
        else:
            try:
                await smtp.rset(timeout=10)
            except (SMTPException, OSError, TimeoutError):
                self._drop()
        if error.code in (530, 534, 535, 538):
            self._drop()
            return LoginRejected(self._id, detail, reason="failure.login")
        if 500 <= error.code < 600 and error.code != 503:
            large = error.code == 552 or "5.3.4" in detail
            return PermanentFailure(self._id, detail, reason="failure.too_large" if large else reason)
        busy = reason == "failure.recipient_refused"
        return TemporaryFailure(self._id, detail, reason="failure.mailbox_busy" if busy else "failure.connection")

    # ------------------------------------------------------------ the connection

    async def _connection(self) -> tuple[aiosmtplib.SMTP, bool]:
        """The kept connection, or a fresh one (True)."""
        if self._smtp is not None and self._smtp.is_connected:
            return self._smtp, False
        server = self._server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=COMMAND_TIMEOUT,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            tls_context=self._context() if server.tls != "none" else None,
        )
        try:
            await smtp.connect(timeout=CONNECT_TIMEOUT)
            if server.user is not None:
                await smtp.login(server.user, server.password or "", timeout=CONNECT_TIMEOUT)
        except SMTPAuthenticationError as error:
            smtp.close()
            if 400 <= error.code < 500:
                raise TemporaryFailure(self._id, f"login: {error.code}", reason="failure.login") from None
            raise LoginRejected(self._id, f"login: {error.code}", reason="failure.login") from None
        except ssl.SSLError as error:
            smtp.close()
            raise TemporaryFailure(self._id, f"TLS: {error.reason}", reason="failure.tls") from None
        except (SMTPConnectError, SMTPServerDisconnected, SMTPException, OSError, TimeoutError) as error:
            smtp.close()
            is_tls = isinstance(error.__cause__, ssl.SSLError) or "certificate" in str(error).lower()
            reason = "failure.tls" if is_tls else "failure.connection"
            raise TemporaryFailure(self._id, f"{type(error).__name__}: {error}"[:300], reason=reason) from None
        except BaseException:
            smtp.close()
            raise
        self._smtp = smtp
        return smtp, True

    def _context(self) -> ssl.SSLContext:
        # Made once: loading the certificates costs more than a whole delivery.
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._server.ca_file)
        return self._tls

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    async def check(self) -> list[Finding]:
        """Connect, encrypt, log in; what is wrong with that, and what to do."""
        subject = f"{self._id} smtp"
        place = f"{self._server.host}:{self._server.port}"
        try:
            async with self._busy:
                smtp, _ = await self._connection()
                if smtp.is_ehlo_or_helo_needed:
                    await smtp.ehlo()
        except LoginRejected as failure:
            return [
                Finding("error", subject, f"{place} refuses the login ({failure.detail})", "Check user and password")
            ]
        except ChannelError as failure:
            remedy = (
                "Check ca_file and that host is the name on the certificate"
                if failure.reason == "failure.tls"
                else "Check host, port and tls, and that this machine may connect there"
            )
            return [Finding("error", subject, f"{place} cannot be used ({failure.detail})", remedy)]
        except (SMTPException, OSError, TimeoutError) as error:
            return [Finding("error", subject, f"{place}: {type(error).__name__}", "Check host, port and tls")]
        return [Finding("ok", subject, f"{place} takes mail")]

    async def close(self) -> None:
        """Let the connection go."""
        if self._closer is not None:
            self._closer.cancel()
        async with self._busy:
            smtp, self._smtp = self._smtp, None
            if smtp is None:
                return
            try:
                await smtp.quit(timeout=2)
            except (SMTPException, OSError, TimeoutError):
                smtp.close()
