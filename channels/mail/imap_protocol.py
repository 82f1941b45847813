"""One IMAP connection on aioimaplib's protocol, made fit to be held for months.

aioimaplib gives the transport, tags and commands. Replaced here is what fails
in the long run: its parser (recursive, quadratic, misled by a text that ends
in `{12}`), commands that nobody wakes when the connection dies, answers that
reach the wrong command after a timeout, and EXISTS lost while another command
runs. The rule that makes this simple: one command at a time, and whatever is
not answered in time and in full ends the connection.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from aioimaplib import aioimaplib

Parts = list[bytes | bytearray]
"""One response of the server: line, literal, line, literal … line."""

# A line is buffered whole: a UID SEARCH over a million mails answers with one of 8 MB.
LONGEST_LINE = 32 * 2**20
LARGEST_LITERAL = 256 * 2**20

_LITERAL = re.compile(rb"~?\{(\d{1,18})\+?\}$")
# RFC 3501 §7.1: a status response ends in free text, never in a literal, whatever that text looks like
_STATUS = re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH)\b", re.I)
_EXISTS = re.compile(rb"\* \d+ EXISTS\b", re.I)
_TOLD = re.compile(rb"\* STATUS ", re.I)
_OVERFLOW = re.compile(rb"\* OK \[NOTIFICATIONOVERFLOW\b", re.I)
_FETCH = re.compile(rb"\* \d+ FETCH ", re.I)
_TOKEN = re.compile(rb'([()])|"((?:[^"\\]|\\.)*)"|((?:\[[^\]\[]{0,1000}\]|[^\s()"])+)', re.S)


class Disconnected(Exception):
    """The connection is over; says why. What was asked may or may not have been done."""


class Answer(NamedTuple):
    """What the server said to one command."""

    status: str
    """OK, NO or BAD (RFC 3501 §7.1)."""
    text: str
    untagged: list[Parts]

    @property
    def code(self) -> str:
        """The response code (RFC 3501 §7.1, RFC 5530), upper case, without its arguments; else ""."""
        found = re.match(r"\[([^\] ]+)", self.text)
        return found[1].upper() if found else ""


class _Exchange(aioimaplib.Command):  # type: ignore[misc]  # aioimaplib is published without types
    """A command and all that is said until its tagged answer."""

    def __init__(self, name: str, tag: str, *args: str, uid: bool, answers: tuple[bytes, ...], timeout: float) -> None:
        super().__init__(name, tag, *args, prefix="UID" if uid else None, timeout=timeout)
        self.untagged: list[Parts] = []
        self.answers = deque(answers)
        self.status: str | None = None
        self.text = ""

    def still_talking(self) -> None:
        self._reset_timer()

    def patient_for(self, timeout: float | None) -> None:
        self._event.clear()
        self._timeout = timeout
        self._reset_timer()

    def proceed(self) -> None:
        self._event.set()

    def end(self, status: str, text: str) -> None:
        self.status, self.text = status, text
        self._timer.cancel()
        self._event.set()

    def fail(self, exception: Exception) -> None:
        self._exception = exception
        self._timer.cancel()
        self._event.set()

    def _timeout_callback(self) -> None:
        # aioimaplib's CommandTimeout quotes the whole command, LOGIN's password included
        self.fail(TimeoutError())


class ImapProtocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]  # aioimaplib is published without types
    """The connection. `ask` and `idle` raise Disconnected once it is over, and nothing else of their own."""

    pending_sync_command: _Exchange | None
    state: str
    transport: Any

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        # At DEBUG that library logs tokens and passwords.
        if not aioimaplib.log.level:
            aioimaplib.log.setLevel(logging.INFO)
        self.failure: str | None = None
        self.news = asyncio.Event()
        """Something arrived since this was last cleared: RFC 3501 §7 lets EXISTS come during any command."""
        self.on_news: Callable[[], None] | None = None
        self.on_status: Callable[[Parts], bool] | None = None
        """Whether what is told of a folder that is not open (RFC 5465 §5.2) is news."""
        self.overflowed = False
        """The server tells of such folders no more (RFC 5465 §5.8)."""
        self.greeting = b""
        self._greeted = asyncio.Event()
        self._wake = asyncio.Event()
        self._lost = asyncio.Event()
        self._turn = asyncio.Lock()
        self._buffer = bytearray()
        self._scanned = 0
        self._parts: Parts = []
        self._literal = bytearray()
        self._owed = 0
        self._sealed = False

    # ------------------------------------------------------------ what we say

    async def greeted(self) -> bytes:
        """The server's first line, once it came."""
        await self._greeted.wait()
        self._raise_if_over()
        return self.greeting

    async def ask(
        self, name: str, *args: str, timeout: float, uid: bool = False, answers: tuple[bytes, ...] = ()
    ) -> Answer:
        """Send one command and return what the server says to it, be it OK, NO or BAD.

        Args:
            timeout: seconds of silence after which the connection is given up.
            answers: what to send, in turn, each time the server says `+`.
        """
        async with self._turn:
            command = self._begin(name, *args, timeout=timeout, uid=uid, answers=answers)
            try:
                await self._answered(command)
            finally:
                self._finish(command)
            return Answer(command.status or "", command.text, command.untagged)

    async def idle(self, renewal: float, timeout: float) -> Answer | None:
        """Wait until something arrived (`news` is set) or `renewal` seconds passed. None when all is well.

        The DONE that ends it makes the server answer: when this returns the
        connection is alive. An Answer means that the server does not want to idle.
        """
        self._raise_if_over()
        if self.news.is_set():
            return None
        async with self._turn:
            self._wake.clear()
            command = self._begin("IDLE", timeout=timeout)
            try:
                await self._answered(command)
                if command.status is not None:
                    return Answer(command.status, command.text, [])
                command.patient_for(None)
                try:
                    async with asyncio.timeout(renewal):
                        if not self.news.is_set():
                            await self._wake.wait()
                except TimeoutError:
                    pass
                self._raise_if_over()
                if command.status is None:
                    command.patient_for(timeout)
                    self.transport.write(b"DONE\r\n")
                    await self._answered(command)
            finally:
                self._finish(command)
        return None

    async def start_tls(self, context: ssl.SSLContext, host: str, timeout: float) -> Answer:
        """STARTTLS, and the handshake if the server agrees."""
        answer = await self.ask("STARTTLS", timeout=timeout)
        if answer.status == "OK":
            self._raise_if_over()
            self._sealed = False
            try:
                self.transport = await asyncio.get_running_loop().start_tls(
                    self.transport, self, context, server_hostname=host, ssl_handshake_timeout=timeout
                )
            except BaseException:
                self.fail("the TLS handshake failed")
                self._lost.set()  # asyncio tells the plain protocol only of handshakes that succeeded
                raise
        return answer

    def fail(self, reason: str) -> None:
        """End the connection at once, and wake whoever waits for it."""
        if self.failure is not None:
            return
        self.failure = reason
        if self.transport is not None:
            self.transport.abort()
        if self.pending_sync_command is not None:
            self.pending_sync_command.fail(Disconnected(reason))
        for event in (self.news, self._wake, self._greeted):
            event.set()

    async def closed(self) -> None:
        """Returns when the socket is let go."""
        if self.transport is not None:
            await self._lost.wait()

    def _begin(
        self, name: str, *args: str, timeout: float, uid: bool = False, answers: tuple[bytes, ...] = ()
    ) -> _Exchange:
        self._raise_if_over()
        command = _Exchange(name, self.new_tag(), *args, uid=uid, answers=answers, timeout=timeout)
        self.pending_sync_command = command
        self.transport.write(f"{command}\r\n".encode())
        return command

    async def _answered(self, command: _Exchange) -> None:
        try:
            await command.wait()
        except TimeoutError:
            raise Disconnected(f"no answer to {command.name} in time") from None

    def _finish(self, command: _Exchange) -> None:
        self.pending_sync_command = None
        if command.status is None:
            # A late answer would be taken for the next command's.
            self.fail(f"{command.name} was given up")

    def _raise_if_over(self) -> None:
        if self.failure is not None:
            raise Disconnected(self.failure)

    # ------------------------------------------------------------ what we hear

    def data_received(self, data: bytes) -> None:
        if self.failure is not None:
            return
        if self.pending_sync_command is not None:
            self.pending_sync_command.still_talking()
        if self._owed:  # then nothing is buffered
            piece = data[: self._owed]
            self._literal += piece
            self._owed -= len(piece)
            if self._owed:
                return
            self._parts.append(self._literal)
            data = data[len(piece) :]
        self._buffer += data
        at = self._read_lines()
        del self._buffer[:at]
        if len(self._buffer) > LONGEST_LINE:
            self.fail("the server sent a line without end")

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"connection lost ({exc})" if exc else "the server closed the connection")
        self._lost.set()
        super().connection_lost(exc)

    def _read_lines(self) -> int:
        buffer, at = self._buffer, 0
        while self.failure is None:
            if self._sealed and at < len(buffer):
                self.fail("the server spoke between agreeing to STARTTLS and the handshake")
                return at
            end = buffer.find(b"\r\n", max(at, self._scanned))
            if end < 0:
                self._scanned = max(0, len(buffer) - at - 1)  # its \r may be here already
                return at
            self._scanned = 0
            line = bytes(buffer[at:end])
            at = end + 2
            self._parts.append(line)
            size = self._literal_after(line)
            if size is None:
                parts, self._parts = self._parts, []
                self._hear(parts)
                continue
            if size > LARGEST_LITERAL:
                self.fail(f"the server announced {size} octets in one piece")
                return at
            self._literal = bytearray(buffer[at : at + size])
            at += len(self._literal)
            self._owed = size - len(self._literal)
            if self._owed:
                return at
            self._parts.append(self._literal)
        return at

    def _literal_after(self, line: bytes) -> int | None:
        first = self._parts[0]
        if not first.startswith(b"* ") or _STATUS.match(first):
            return None
        found = _LITERAL.search(line)
        return int(found[1]) if found else None

    def _hear(self, parts: Parts) -> None:
        line = bytes(parts[0])
        command = self.pending_sync_command
        if self.state == aioimaplib.CONNECTED:
            self.state = aioimaplib.NONAUTH
            self.greeting = line
            # RFC 3501 §7.1: OK, PREAUTH or BYE, and nothing else
            if re.match(rb"\* (?:OK|PREAUTH)\b", line, re.I):
                self._greeted.set()
            else:
                self.fail("the server greets with " + line[:200].decode("utf-8", "replace"))
        elif line.startswith(b"* "):
            self._hear_untagged(line, parts)
        elif line.startswith(b"+"):
            self._hear_continuation()
        elif command is not None and line.startswith(command.tag.encode() + b" "):
            status, _, text = line[len(command.tag) + 1 :].decode("utf-8", "replace").partition(" ")
            command.end(status.upper(), text)
            self._wake.set()
            if command.name == "STARTTLS" and command.status == "OK":
                # Nothing may be read between this answer and the handshake: it would be taken for
                # something said under TLS (RFC 3501 §6.2.1, CVE-2011-0411).
                self.transport.pause_reading()
                self._sealed = True
        elif line:
            self.fail("the server's answer belongs to no command")

    def _hear_untagged(self, line: bytes, parts: Parts) -> None:
        command = self.pending_sync_command
        name = command.name if command is not None else ""
        if re.match(rb"\* BYE\b", line, re.I) and name != "LOGOUT":
            self.fail("the server said goodbye: " + line[6:206].decode("utf-8", "replace"))
            return
        if _EXISTS.match(line) or (_TOLD.match(line) and self.on_status is not None and self.on_status(parts)):
            self.news.set()
            self._wake.set()
            if self.on_news is not None:
                self.on_news()
        elif _OVERFLOW.match(line):
            self.overflowed = True
            self.news.set()
            self._wake.set()
        elif b"[UIDVALIDITY" in line.upper() and name not in ("EXAMINE", "SELECT"):
            # RFC 3501 §2.3.1.1: the UIDs we know are void; begin anew
            self.fail("the folder was replaced")
            return
        if command is not None and name != "IDLE":
            command.untagged.append(parts)

    def _hear_continuation(self) -> None:
        command = self.pending_sync_command
        if command is None:
            self.fail("the server asked for more of nothing")
        elif command.name == "IDLE":
            command.proceed()
        elif command.answers:
            self.transport.write(command.answers.popleft())
        elif command.name == "AUTHENTICATE":
            # RFC 3501 §6.2.2: "*" cancels; left without an answer, the server would wait for ever
            self.transport.write(b"*\r\n")
        else:
            self.fail(f"the server asked for more of {command.name}")


# ---------------------------------------------------------------- what it means


def tokens(parts: Parts, start: int = 0) -> Iterator[tuple[str, bytes]]:
    """The words of a response from octet `start` of its first line: ("(", …), (")", …), ("atom", …), ("string", …)."""
    for index, part in enumerate(parts):
        if index % 2:
            yield "string", bytes(part)
            continue
        text = bytes(part)
        marker = _LITERAL.search(text) if index + 1 < len(parts) else None
        for found in _TOKEN.finditer(text, 0 if index else start, marker.start() if marker else len(text)):
            bracket, quote, atom = found.groups()
            if bracket:
                yield bracket.decode(), bracket
            elif atom is not None:
                yield "atom", atom
            else:
                yield "string", re.sub(rb"\\(.)", rb"\1", quote, flags=re.S)


def fetched(parts: Parts) -> dict[str, bytes | None]:
    """The items of one FETCH response by name, in whatever order they stand; None for NIL. Lists are left out."""
    begin = _FETCH.match(parts[0])
    items: dict[str, bytes | None] = {}
    if not begin:
        return items
    depth, key = 0, ""
    for kind, value in tokens(parts, begin.end()):
        if kind == "(":
            depth += 1
        elif kind == ")":
            depth -= 1
            key = ""
            if not depth:
                break
        elif depth == 1 and not key:
            key = value.decode("ascii", "replace").upper()
        elif depth == 1:
            items[key] = None if kind == "atom" and value.upper() == b"NIL" else value
            key = ""
    return items


def quoted(text: str) -> str:
    """A quoted string (RFC 3501 §4.3). Line breaks are refused when the command is made."""
    return str(aioimaplib.quoted(text))
