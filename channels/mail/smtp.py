"""Mail out: handed to a server with one of three outcomes: sent, not sent, or nobody can know."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponse,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from aiosmtplib.protocol import SMTPProtocol

from channels.base import Finding, SentAs
from channels.errors import (
    ChannelError,
    LoginRejected,
    OutcomeUnknown,
    PermanentFailure,
    SomeRefused,
    TemporaryFailure,
)
from channels.mail.bearer import RESIGNED, Tokens, bearer, mechanism_of
from channels.mail.headers import is_address, tidy
from inbox.notices import Letter
from inbox.parts import ChannelId


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail leaves: address, encryption, login."""

    host: str
    port: int
    tls: Literal["tls", "starttls", "none"]
    ca_file: Path | None = None
    """Trust what this file signs, and nothing else; None: what the system trusts."""
    user: str | None = None
    """None: the server takes mail without a login."""
    password: str | None = field(default=None, repr=False)
    tokens: Tokens | None = None
    """In place of the password, where the server takes OAuth2 only."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take: for each step what RFC 5321 §4.5.3.2 asks for, and an end to all of it.

    All together is less than nine tenths of a letter's lease (`inbox.outbox.LETTER_LEASE`).
    """

    connect: timedelta = timedelta(seconds=30)
    """Until there is a connection, encrypted if it is so from the first octet."""
    greeting: timedelta = timedelta(minutes=5)
    """§4.5.3.2.1: servers under load, and those that slow spam down, are slow to greet."""
    command: timedelta = timedelta(minutes=5)
    """§4.5.3.2.2 and .3: the answer to MAIL and to each RCPT; EHLO, STARTTLS and AUTH likewise."""
    go_ahead: timedelta = timedelta(minutes=2)
    """§4.5.3.2.4: the answer to DATA."""
    block: timedelta = timedelta(minutes=3)
    """§4.5.3.2.5: until it has taken one block of the text."""
    answer: timedelta = timedelta(minutes=10)
    """§4.5.3.2.6: after the final dot it may take ten minutes; hanging up sooner sends the client a second copy."""
    first_answer: timedelta = timedelta(seconds=15)
    """On a kept connection, which may be dead; then another is tried."""
    turn: timedelta = timedelta(seconds=100)
    """Until the letters before this one are done with."""
    before_text: timedelta = timedelta(minutes=20)
    """All of it, from connecting until it wants the text."""
    text: timedelta = timedelta(minutes=12)
    """All of the text, without the answer to it."""
    idle: timedelta = timedelta(seconds=30)
    """A connection is kept this long for the next mail."""

    @property
    def longest(self) -> timedelta:
        """What one letter can take at most."""
        return self.turn + self.before_text + self.text + self.answer


BLOCK = 64 * 1024
CHECK_WITHIN = timedelta(seconds=30)


class Smtp:
    """Hands letters to one server over one connection, one at a time."""

    def __init__(self, channel_id: ChannelId, server: SmtpServer, patience: Patience | None = None) -> None:
        self._id = channel_id
        self._server = server
        self._patience = patience or Patience()
        self._one_at_a_time = asyncio.Lock()
        self._kept: SMTP | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    async def send(self, letter: Letter, raw: bytes) -> SentAs:
        """Hand one letter over, to all of its recipients or to none.

        Where the server refuses some of them, nothing is sent: one letter has
        one outcome, or nobody could say later who has it.

        Cancelled while the server has the text and has not answered, the
        letter may have left; whoever cancels must count it as unknown.

        Raises:
            TemporaryFailure: nothing was accepted; try again.
            PermanentFailure: nothing was accepted, and it never will be.
            OutcomeUnknown: the server had the text, or some of it, and gave no clear answer.
            SomeRefused: nothing was accepted; without some of its recipients it would be.
            LoginRejected: it refuses our credentials, or wants some and we have none.
        """
        self._refuse_impossible(letter)
        try:
            async with asyncio.timeout(self._patience.turn.total_seconds()):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            raise TemporaryFailure(self._id, "still sending another mail", reason="failure.server_busy") from None
        deadline = asyncio.get_running_loop().time() + self._patience.before_text.total_seconds()
        try:
            return await self._send(letter, raw, deadline)
        finally:
            self._one_at_a_time.release()

    async def close(self) -> None:
        """Let the connection go, once what is being sent is sent."""
        async with self._one_at_a_time:
            self._forget_expiry()
            smtp, self._kept = self._kept, None
            if smtp is not None:
                await _quit(smtp)

    def _refuse_impossible(self, letter: Letter) -> None:
        # A line break in an address would be another command.
        if not is_address(letter.sender):
            raise PermanentFailure(self._id, "the sender's address is none", reason="failure.sender_refused")
        if not letter.recipients or not all(map(is_address, letter.recipients)):
            raise PermanentFailure(self._id, "a recipient's address is none", reason="failure.recipient_refused")

    async def _send(self, letter: Letter, raw: bytes, deadline: float) -> SentAs:
        self._forget_expiry()
        smtp, self._kept = self._kept, None
        if smtp is not None:
            # Servers tire of a connection. Nothing was accepted on it, so another may be tried.
            with suppress(_NothingBegun):
                return await self._hand_over(smtp, letter, raw, deadline, self._patience.first_answer)
        smtp = await self._connect(deadline)
        try:
            return await self._hand_over(smtp, letter, raw, deadline)
        except _NothingBegun as ended:
            raise ended.failure from ended.__cause__

    def _keep(self, smtp: SMTP) -> None:
        self._kept = smtp
        self._expiry = asyncio.get_running_loop().call_later(self._patience.idle.total_seconds(), self._expire)

    def _forget_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _expire(self) -> None:
        smtp, self._kept, self._expiry = self._kept, None, None
        if smtp is not None:
            with suppress(SMTPException):
                if smtp.protocol is not None:
                    smtp.protocol.write(b"QUIT\r\n")
            smtp.close()

    # ------------------------------------------------------------ one letter

    async def _hand_over(
        self, smtp: SMTP, letter: Letter, raw: bytes, deadline: float, first_answer: timedelta | None = None
    ) -> SentAs:
        """Send over this connection, which is kept only where it is certainly in step afterwards."""
        at, patience = "sender", self._patience
        try:
            options = self._options(smtp, letter, raw)
            async with asyncio.timeout_at(deadline):
                sender = b"FROM:<%s>" % letter.sender.encode()
                await _ask(smtp, (250,), b"MAIL", sender, *options, within=first_answer or patience.command)
                at = "recipient"
                await self._name_recipients(smtp, letter)
                at = "text"
                await _ask(smtp, (354,), b"DATA", within=patience.go_ahead)
        except _Refused as refusal:
            failure = self._failure(at, refusal.answer)
            if await _is_reset(smtp):
                self._keep(smtp)
            else:
                _drop(smtp)
            if at == "sender":
                raise _NothingBegun(failure) from None
            raise failure from None
        except (SMTPException, OSError) as error:
            _drop(smtp)
            failure = TemporaryFailure(self._id, _described(error), reason="failure.connection")
            if at == "sender":
                raise _NothingBegun(failure) from _cause(error)
            raise failure from _cause(error)
        except PermanentFailure:
            self._keep(smtp)  # nothing was said on it
            raise
        except SomeRefused:
            if await _is_reset(smtp):
                self._keep(smtp)
            else:
                _drop(smtp)
            raise
        except BaseException:
            _drop(smtp)
            raise
        return await self._hand_over_text(smtp, raw, deadline + patience.text.total_seconds())

    async def _name_recipients(self, smtp: SMTP, letter: Letter) -> None:
        """Ask for every recipient, whatever is said of the one before.

        Raises:
            _Refused: for all of them, or for what has nothing to do with one of them.
            SomeRefused: for some.
        """
        refused: dict[str, tuple[_Refused, ChannelError]] = {}
        for recipient in letter.recipients:
            try:
                to = b"TO:<%s>" % recipient.encode()
                await _ask(smtp, (250, 251), b"RCPT", to, *_report_wanted(smtp), within=self._patience.command)
            except _Refused as refusal:
                failure = self._failure("recipient", refusal.answer)
                # 421: it is about to close the connection (RFC 5321 §4.2.3)
                known = ("failure.recipient_refused", "failure.mailbox_busy", "failure.too_large")
                about_one = isinstance(failure, PermanentFailure | TemporaryFailure) and failure.reason in known
                if not about_one or refusal.answer.code == 421:
                    raise
                refused[recipient] = refusal, failure
        if len(refused) == len(letter.recipients):
            # As long as one of them may have it later, all are asked for again.
            answers = sorted((refusal for refusal, _ in refused.values()), key=lambda r: r.answer.code)
            raise answers[0]
        if refused:
            raise SomeRefused(self._id, {recipient: failure for recipient, (_, failure) in refused.items()})

    async def _hand_over_text(self, smtp: SMTP, raw: bytes, deadline: float) -> SentAs:
        protocol = smtp.protocol
        if protocol is None or not protocol.is_connected:
            _drop(smtp)
            raise TemporaryFailure(self._id, "disconnected before the text", reason="failure.connection")
        answering = asyncio.create_task(protocol.read_response(timeout=None))
        try:
            early = await self._write_text(protocol, _as_data(raw), deadline, answering)
            if early is None:
                async with asyncio.timeout(self._patience.answer.total_seconds()):
                    answer = await answering
            else:
                answer = early
        except ChannelError:
            _drop(smtp)
            raise
        except (SMTPException, OSError) as error:
            _drop(smtp)
            raise OutcomeUnknown(self._id, _described(error), reason="failure.cut_off") from _cause(error)
        except BaseException:
            _drop(smtp)
            raise
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        if early is None and 200 <= answer.code < 300:
            if _has_said_more(smtp):
                _drop(smtp)
            else:
                self._keep(smtp)
            return SentAs(_shown(answer))
        _drop(smtp)  # it may have answered before it had read everything
        if 400 <= answer.code < 600:
            raise self._failure("answer", answer)
        raise OutcomeUnknown(self._id, f"an answer that is none: {_shown(answer)}", reason="failure.cut_off")

    async def _write_text(
        self, protocol: SMTPProtocol, data: bytes, deadline: float, answering: asyncio.Task[SMTPResponse]
    ) -> SMTPResponse | None:
        """Write the text block by block, and the final dot; the server's answer if it gives one before that.

        Until the final dot nothing can have been accepted, however the connection
        ends: a server drops what it has of the text (RFC 5321 §4.1.1.4, §4.1.1.10).

        Raises:
            TemporaryFailure: the server no longer takes it.
        """
        text = data[: -len(_END)]
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.sleep(0)  # from here on the answer is listened for
                for start in range(0, len(text), BLOCK):
                    protocol.write(text[start : start + BLOCK])
                    async with asyncio.timeout(self._patience.block.total_seconds()):
                        await protocol._drain_helper()
                    if answering.done():
                        return await answering
            # A process that slept since would wake here, and end a text that another may have sent meanwhile.
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError("too late to end the text")
            protocol.write(_END)
        except (SMTPException, OSError) as error:
            raise TemporaryFailure(self._id, _described(error), reason="failure.connection") from _cause(error)
        return None

    def _options(self, smtp: SMTP, letter: Letter, raw: bytes) -> list[bytes]:
        """What to say with MAIL.

        Raises:
            PermanentFailure: the server cannot take this letter, by what it says of itself.
        """
        options: list[bytes] = []
        if smtp.supports_extension("size"):  # RFC 1870
            limit = smtp.esmtp_extensions.get("size", "").strip()
            if limit.isdigit() and 0 < int(limit) < len(raw):
                raise PermanentFailure(
                    self._id, f"{len(raw)} octets; the server takes {limit}", reason="failure.too_large"
                )
            options.append(b"SIZE=%d" % len(raw))
        if not all(address.isascii() for address in (letter.sender, *letter.recipients)):
            if not smtp.supports_extension("smtputf8"):  # RFC 6531 §3.2
                raise PermanentFailure(
                    self._id, "an address beyond ASCII; the server has no SMTPUTF8", reason="failure.no_smtputf8"
                )
            options.append(b"SMTPUTF8")
        if not raw.isascii():
            if not smtp.supports_extension("8bitmime"):  # RFC 6152
                raise PermanentFailure(
                    self._id, "a text beyond ASCII; the server has no 8BITMIME", reason="failure.text_refused"
                )
            options.append(b"BODY=8BITMIME")
        if smtp.supports_extension("dsn"):  # RFC 3461 §4.3, §4.4
            options.append(b"RET=HDRS")
            envelope_id = _xtext(letter.message_id)
            if 0 < len(envelope_id) <= 100:
                options.append(b"ENVID=%s" % envelope_id)
        return options

    def _failure(self, at: str, answer: SMTPResponse) -> ChannelError:
        """What a server's clear answer means: nothing was accepted, now or for ever."""
        code, said = answer.code, _shown(answer)
        found = _ENHANCED.match(answer.message)
        enhanced = found[0] if found else ""
        if code in (530, 534, 535, 538):  # RFC 4954 §6
            return LoginRejected(self._id, said, reason="failure.login")
        if 500 <= code < 600 and code != 503:  # bad sequence of commands: the letter is not at fault
            if enhanced in ("5.2.3", "5.3.4") or (code == 552 and not enhanced.startswith("5.2.")):
                reason = "failure.too_large"
            elif at == "recipient" or enhanced.startswith(("5.1.1", "5.2.")):
                reason = "failure.recipient_refused"
            else:
                reason = "failure.sender_refused" if at == "sender" else "failure.text_refused"
            return PermanentFailure(self._id, said, reason=reason)
        if 400 <= code < 500:
            reason = "failure.mailbox_busy" if at == "recipient" else "failure.server_busy"
            return TemporaryFailure(self._id, said, reason=reason)
        return TemporaryFailure(self._id, f"out of step: {said}", reason="failure.connection")

    # ------------------------------------------------------------ the connection

    async def _connect(self, deadline: float) -> SMTP:
        """A connection that is encrypted and logged in as the settings say.

        Raises:
            ChannelError: LoginRejected or TemporaryFailure; `__cause__` is the OSError or ssl.SSLError if one was.
        """
        server = self._server
        smtp: SMTP | None = None
        try:
            async with asyncio.timeout_at(deadline):
                context = await self._context()
                smtp = SMTP(
                    hostname=server.host,
                    port=server.port,
                    use_tls=server.tls == "tls",
                    start_tls=False,  # by hand below: left to the library it is optional
                    tls_context=context,
                    local_hostname="localhost",
                    timeout=self._patience.command.total_seconds(),
                )
                await self._await_greeting(smtp)
                # RFC 5321 §4.1.4: our address, for a name would have to be found out and to be true.
                smtp.local_hostname = _address_literal(smtp)
                await smtp.ehlo()
                if server.tls == "starttls":
                    if not smtp.supports_extension("starttls"):
                        raise _NoEncryption
                    await smtp.starttls()
                    await smtp.ehlo()
                if server.user is not None:
                    if server.tokens is not None:
                        await self._present_token(smtp, server.user, server.tokens)
                    else:
                        await self._login(smtp, server.user, server.password or "")
        except BaseException as error:
            if smtp is not None:
                _drop(smtp)
            failure = self._connection_failure(error)
            if failure is None or failure is error:
                raise
            raise failure from _cause(error)
        return smtp

    async def _await_greeting(self, smtp: SMTP) -> None:
        patience = self._patience
        greeting = asyncio.create_task(smtp.connect(timeout=patience.greeting.total_seconds()))
        try:
            await asyncio.wait((greeting,), timeout=patience.connect.total_seconds())
            if smtp.protocol is None and not greeting.done():
                raise TimeoutError(f"no connection within {patience.connect.total_seconds():.0f} s")
            await greeting
        finally:
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)

    async def _context(self) -> ssl.SSLContext | None:
        if self._server.tls == "none":
            return None
        if self._tls is None:
            # Once: reading the certificates of the system takes longer than sending a mail.
            self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=self._server.ca_file)
        return self._tls

    async def _login(self, smtp: SMTP, user: str, password: str) -> None:
        # One try with one method: some servers lock out who fails twice.
        offered = smtp.server_auth_methods
        if "plain" in offered:
            await smtp.auth_plain(user, password)
        elif "login" in offered:
            await smtp.auth_login(user, password)
        elif "cram-md5" in offered:
            await smtp.auth_crammd5(user, password)
        else:
            raise LoginRejected(self._id, _NO_LOGIN_OFFERED, reason="failure.login")

    async def _present_token(self, smtp: SMTP, user: str, tokens: Tokens) -> None:
        mechanism = mechanism_of(frozenset(name.upper() for name in smtp.server_auth_methods))
        if mechanism is None:
            raise LoginRejected(self._id, _NO_TOKENS_TAKEN, reason="failure.login")
        refused: str | None = None
        while True:
            token = await tokens.token(refused)
            word = base64.b64encode(bearer(mechanism, user, self._server.host, self._server.port, token))
            answer = await smtp.execute_command(b"AUTH", mechanism.encode(), word)
            if answer.code == 334:  # why it refuses; it waits for a word before it says so
                answer = await smtp.execute_command(base64.b64encode(RESIGNED[mechanism]))
            if answer.code == 235:
                return
            if answer.code != 535 or refused is not None:
                # Some servers repeat what they refuse.
                said = answer.message.replace(word.decode(), "***").replace(token, "***")
                raise SMTPAuthenticationError(answer.code, said)
            refused = token  # it may have been withdrawn before its time: once more, with a new one

    def _connection_failure(self, error: BaseException) -> ChannelError | None:
        if isinstance(error, ChannelError):
            return error
        if isinstance(error, SMTPAuthenticationError) and 500 <= error.code < 600:
            return LoginRejected(self._id, _described(error), reason="failure.login")
        if isinstance(error, _NoEncryption):
            return TemporaryFailure(self._id, _NO_STARTTLS_OFFERED, reason="failure.tls")
        if isinstance(_cause(error), ssl.SSLError | FileNotFoundError | PermissionError | IsADirectoryError):
            # No socket is a file: of those, only ca_file is one.
            return TemporaryFailure(self._id, _described(error), reason="failure.tls")
        if isinstance(error, SMTPResponseException) and 400 <= error.code < 600:
            return TemporaryFailure(self._id, _described(error), reason="failure.server_busy")
        if isinstance(error, SMTPException | OSError | UnicodeError):  # UnicodeError: a host name that is none
            return TemporaryFailure(self._id, _described(error), reason="failure.connection")
        return None

    # ------------------------------------------------------------ check

    async def check(self) -> list[Finding]:
        """Connect, encrypt, log in; what is wrong with that, and what to do."""
        server = self._server
        subject = f"{self._id}: SMTP {server.host}:{server.port}"
        findings = []
        if server.tls == "none" and server.host not in ("localhost", "127.0.0.1", "::1"):
            says = "Every mail, and the password, travels readable by others."
            findings.append(Finding("warning", subject, says, 'Set tls to "tls" or "starttls".'))
        try:
            within = asyncio.get_running_loop().time() + CHECK_WITHIN.total_seconds()
            smtp = await self._connect(within)
        except ChannelError as failure:
            return [*findings, _explained(failure, server, subject)]
        says = "Takes mail without a login." if server.user is None else f"Logged in as {server.user}."
        findings.append(Finding("ok", subject, says))
        if not smtp.supports_extension("8bitmime"):
            says = "The server takes ASCII only (no 8BITMIME)."
            findings.append(Finding("warning", subject, says, "Nothing to mend here; addresses beyond ASCII fail."))
        await _quit(smtp)
        return findings


# ---------------------------------------------------------------- talking


class _Refused(Exception):
    """The server answered a command with something else than yes."""

    def __init__(self, answer: SMTPResponse) -> None:
        super().__init__(answer.code)
        self.answer = answer


class _NothingBegun(Exception):
    """Not even the sender was accepted."""

    def __init__(self, failure: ChannelError) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class _NoEncryption(Exception):
    """STARTTLS is wanted and not offered."""


_NO_STARTTLS_OFFERED = "the server does not offer STARTTLS"
_NO_LOGIN_OFFERED = "the server offers no login that we know"
_NO_TOKENS_TAKEN = "the server takes no OAuth2 token (neither OAUTHBEARER nor XOAUTH2)"


def _report_wanted(smtp: SMTP) -> list[bytes]:
    """That we want to hear of a letter that fails or is late, where the server can promise it (RFC 3461 §4.1)."""
    return [b"NOTIFY=FAILURE,DELAY"] if smtp.supports_extension("dsn") else []


def _xtext(text: str) -> bytes:
    """RFC 3461 §4: what is not plain as its hexadecimal digits."""
    return b"".join(
        bytes([octet]) if 33 <= octet <= 126 and octet not in b"+=" else b"+%02X" % octet
        for octet in text.encode("ascii", "replace")
    )


async def _ask(smtp: SMTP, wanted: tuple[int, ...], *command: bytes, within: timedelta) -> None:
    answer = await smtp.execute_command(*command, timeout=within.total_seconds())
    if _has_said_more(smtp):
        raise SMTPServerDisconnected("out of step: two answers to one command")
    if answer.code not in wanted:
        raise _Refused(answer)


def _has_said_more(smtp: SMTP) -> bool:
    """Whether an answer nobody asked for waits to be taken for the next one: the library does not look."""
    return smtp.protocol is not None and bool(smtp.protocol._buffer)


async def _is_reset(smtp: SMTP) -> bool:
    """Whether the next letter can be sent over this connection after a refusal."""
    try:
        return smtp.is_connected and (await smtp.execute_command(b"RSET", timeout=10)).code == 250
    except (SMTPException, OSError):
        return False
    except BaseException:
        _drop(smtp)
        raise


async def _quit(smtp: SMTP) -> None:
    with suppress(SMTPException, OSError):
        await smtp.quit(timeout=2)
    _drop(smtp)
    await asyncio.sleep(0)  # its transport ends in the loop's next round


def _drop(smtp: SMTP) -> None:
    """End a connection at once: nothing still buffered may reach the server after we gave up on it."""
    transport = smtp.transport
    smtp.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


_END = b"\r\n.\r\n"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_DOT = re.compile(rb"^\.", re.M)


def _as_data(raw: bytes) -> bytes:
    """A mail as DATA wants it: lines end in CRLF, dots are doubled, a dot ends it (RFC 5321 §4.5.2).

    A lone CR or LF would let a text end early on one server and not on another.
    """
    text = raw if raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r") else _LINE_END.sub(b"\r\n", raw)
    return _DOT.sub(b"..", text) + (b".\r\n" if text.endswith(b"\r\n") else b"\r\n.\r\n")


def _address_literal(smtp: SMTP) -> str:
    host = smtp.get_transport_info("sockname")[0]
    return f"[IPv6:{host.partition('%')[0]}]" if ":" in host else f"[{host}]"


_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")  # RFC 2034


def _shown(answer: SMTPResponse) -> str:
    # Octets that are no UTF-8 come as lone surrogates, which no store takes.
    return tidy(f"{answer.code} {answer.message}".encode("utf-8", "replace").decode(), 300)


def _described(error: BaseException) -> str:
    error = _cause(error) or error
    said = str(error).encode("utf-8", "replace").decode()
    return tidy(f"{type(error).__name__}: {said}" if said else type(error).__name__, 300)


def _cause(error: BaseException) -> BaseException | None:
    """The operating system's or OpenSSL's own error behind a library's."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError | UnicodeError) and not isinstance(inner, SMTPException):
            return inner
        inner = inner.__cause__
    return None


# X509_V_ERR_… of OpenSSL's x509_vfy.h
_OTHER_NAME = (62, 64)
_NOT_VALID_NOW = (9, 10)


def _explained(failure: ChannelError, server: SmtpServer, subject: str) -> Finding:
    cause = failure.__cause__
    if failure.detail == _NO_LOGIN_OFFERED:
        says = "The server offers no login that we know."
        remedy = 'If tls is "none", set it to "tls" or "starttls": many servers offer a login only then.'
    elif isinstance(failure, LoginRejected):
        says = f"The server refuses to log in {server.user}."
        remedy = "Check user and password; some providers want a password made for this program."
        if server.tokens is not None:
            remedy = (
                f"permanence mailbox login {failure.channel.partition(':')[2]}; the provider may have to allow SMTP."
            )
    elif isinstance(cause, ssl.SSLCertVerificationError):
        says = f"The server's certificate is not accepted: {cause.verify_message}."
        if cause.verify_code in _OTHER_NAME:
            remedy = f"It names other servers than {server.host}: set host to a name it is made for."
        elif cause.verify_code in _NOT_VALID_NOW:
            remedy = "The server's owner must renew it; or this machine's clock is wrong."
        elif server.ca_file is not None:
            remedy = f"It is not signed by the CA in {server.ca_file}: set ca_file to the CA that signed it."
        else:
            remedy = "It is signed by a CA this machine does not know: set ca_file to that CA's certificate."
    elif failure.detail == _NO_STARTTLS_OFFERED:
        says = "The server does not offer STARTTLS here."
        remedy = 'Port 587 usually wants tls = "starttls", port 465 tls = "tls".'
    elif isinstance(cause, ssl.SSLError):
        says = "The server does not speak TLS here, or no version of it that is safe."
        remedy = 'Port 465 usually wants tls = "tls", port 587 tls = "starttls".'
    elif failure.reason == "failure.tls":  # an OSError: the file of the authority
        says, remedy = f"The file {server.ca_file} cannot be read.", "Correct ca_file, or let this user read it."
    elif isinstance(cause, socket.gaierror | UnicodeError):
        says = f"No server has the name {server.host}."
        remedy = "Correct the host in the configuration, or this machine's name resolution."
    elif isinstance(cause, ConnectionRefusedError):
        says, remedy = "Nothing listens there.", "Correct host and port, and see that the server runs."
    elif isinstance(cause, TimeoutError):
        says = "The server does not answer."
        remedy = 'Correct host and port; port 465 wants tls = "tls"; a firewall may be in between.'
    else:
        says, remedy = failure.detail, "If it stays so, ask whoever runs the server, with this sentence."
    return Finding("error", subject, says, remedy)
