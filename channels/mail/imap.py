"""A mailbox's IMAP server: connect, log in, look, fetch, wait, append.

Every failure is one of `channels.errors`; after any of them the connection is
over and a new one is made.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from aiohappyeyeballs import start_connection

from channels.errors import ChannelError, LoginRejected, TemporaryFailure
from channels.mail.bearer import RESIGNED, Tokens, bearer, mechanism_of
from channels.mail.doors import Doors
from channels.mail.imap_protocol import Answer, Disconnected, ImapProtocol, Parts, fetched, quoted, tokens
from inbox.parts import ChannelId

# RFC 2177 §3: a server may log out who is silent for 30 minutes.
LONGEST_IDLE = timedelta(minutes=29)

LARGEST_MAIL = 128 * 2**20
"""Octets; what is larger stays on the server and is reported."""

# RFC 5530 §3, and what Gmail, Exchange and Dovecot say while they cannot look the password up
_NOT_NOW_CODES = frozenset({"UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG", "THROTTLED", "OVERQUOTA"})
_NOT_NOW_WORDS = re.compile(
    r"\b(?:too many|try again|temporar\w*|later|unavailable|time[ds]?[ -]?out|busy|maintenance|throttl\w*|"
    r"not connected|internal error)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class ImapServer:
    """Where a mailbox is read, and as whom."""

    host: str
    port: int
    tls: Literal["tls", "starttls", "none"]
    ca_file: Path | None
    """Trust what this file signs, and nothing else; None: what the system trusts."""
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    tokens: Tokens | None = None
    """In place of the password, where the server takes OAuth2 only."""
    more_folders: tuple[str, ...] = ()
    """What is received besides."""

    @property
    def folders(self) -> tuple[str, ...]:
        """All that is received."""
        return (self.folder, *self.more_folders)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a server may be silent, and how many connections may be opened to it at a time."""

    connect: timedelta = timedelta(seconds=30)
    answer: timedelta = timedelta(seconds=120)
    """In the middle of a command. A search of a large mailbox is silent for long."""
    keepalive: timedelta = timedelta(seconds=60)
    doors: Doors = field(default_factory=Doors)
    """Whose turn it is to connect; waiting for it is none of the server's silence."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as it was when it was opened. UIDs mean something only together with `uidvalidity`."""

    uidvalidity: int
    uidnext: int
    """Every mail that arrives later has at least this UID."""
    exists: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a server tells of a folder that is not open. UIDVALIDITY is told when it changes, and at first."""

    uidvalidity: int
    uidnext: int


class Imap:
    """One connection, logged in. An async context manager; one task at a time uses it.

    Raises:
        LoginRejected: the server refuses user or password.
        TemporaryFailure: anything else; `__cause__` is the OSError or ssl.SSLError where there was one.
    """

    def __init__(self, channel: ChannelId, server: ImapServer, limits: Limits | None = None) -> None:
        self.channel = channel
        self.server = server
        self._limits = limits or Limits()
        self._timeout = self._limits.answer.total_seconds()
        self._protocol = ImapProtocol()
        self.capabilities: frozenset[str] = frozenset()
        self.told: dict[str, Told] = {}
        """How the folders are that `watch_folders` asked for, by their names, as far as the server told."""
        self._opened = False
        self._watched: dict[bytes, str] = {}
        """What the server may call the folders of `told`."""
        self._said: tuple[str, ...] = ()
        """What was presented instead of a password, in no error to be read."""

    async def __aenter__(self) -> Self:
        try:
            async with self._limits.doors.to(self.server.host):
                async with asyncio.timeout(self._limits.connect.total_seconds()):
                    await self._connect()
                    await self._login()
        except BaseException as error:
            await self._hang_up()
            if isinstance(error, OSError):  # TimeoutError and ssl.SSLError among them
                raise self._failure(error) from error
            if isinstance(error, Disconnected | ValueError):
                raise self._failure(error) from None
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None and self._protocol.failure is None:
                with suppress(Disconnected):
                    await self._protocol.ask("LOGOUT", timeout=5)
        finally:
            await self._hang_up()

    # ------------------------------------------------------------ opening

    async def _connect(self) -> None:
        server, loop = self.server, asyncio.get_running_loop()
        try:
            context = None if server.tls == "none" else tls_context(server.ca_file)
        except OSError as error:
            raise self._temporary(f"the CA file {server.ca_file} cannot be read: {error.strerror or error}") from error
        # asyncio's own race between IPv6 and IPv4 leaves sockets open when it is cancelled (Python 3.11).
        places = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
        connected = await start_connection(places, happy_eyeballs_delay=0.25)
        await loop.create_connection(
            lambda: self._protocol,
            sock=connected,
            ssl=context if server.tls == "tls" else None,
            server_hostname=server.host if server.tls == "tls" else None,
        )
        _notice_silence(self._protocol.transport.get_extra_info("socket"), self._limits.keepalive)
        greeting = await self._protocol.greeted()
        if server.tls == "starttls":
            if greeting.upper().startswith(b"* PREAUTH"):
                # Whoever greets so before TLS keeps STARTTLS from happening (CVE-2020-12398).
                raise self._temporary("the server claims to know us before TLS")
            await self._ask_capabilities()
            if "STARTTLS" not in self.capabilities:
                raise self._temporary("the server does not offer STARTTLS")
            assert context is not None  # noqa: S101  # for mypy: tls is not "none"
            answer = await self._protocol.start_tls(context, server.host, self._timeout)
            self._must_be_ok(answer, "STARTTLS")
        # RFC 3501 §6.2.1: what was said before TLS counts no more
        await self._ask_capabilities()

    async def _ask_capabilities(self) -> None:
        answer = await self._protocol.ask("CAPABILITY", timeout=self._timeout)
        self._must_be_ok(answer, "CAPABILITY")
        words = [value.decode("ascii", "replace").upper() for parts in answer.untagged for _, value in tokens(parts)]
        self.capabilities = frozenset(words)

    async def _login(self) -> None:
        if self._protocol.greeting.upper().startswith(b"* PREAUTH"):
            return
        user, password = self.server.user, self.server.password
        if re.search(r"[\0\r\n]", user + password):
            raise self._rejected("user or password contains a line break")
        answer = await (self._present_token(self.server.tokens) if self.server.tokens else self._say_password())
        if answer.status != "OK":
            words = _NOT_NOW_WORDS.search(answer.text) if answer.code in ("", "ALERT") else None
            detail = f"login refused: {answer.status} {answer.text}"
            if words or answer.status == "BAD" or answer.code in _NOT_NOW_CODES:
                raise self._temporary(detail)
            raise self._rejected(detail)
        # Servers show more to those they know, IDLE among it.
        await self._ask_capabilities()

    async def _present_token(self, tokens: Tokens) -> Answer:
        offered = frozenset(name.removeprefix("AUTH=") for name in self.capabilities if name.startswith("AUTH="))
        mechanism = mechanism_of(offered)
        if mechanism is None:
            raise self._rejected("the server takes no OAuth2 token (neither OAUTHBEARER nor XOAUTH2)")
        refused: str | None = None
        while True:
            token = await tokens.token(refused)
            word = bearer(mechanism, self.server.user, self.server.host, self.server.port, token)
            self._said = (token, base64.b64encode(word).decode())
            answers = tuple(base64.b64encode(each) + b"\r\n" for each in (word, RESIGNED[mechanism]))
            answer = await self._protocol.ask("AUTHENTICATE", mechanism, timeout=self._timeout, answers=answers)
            if answer.status != "NO" or answer.code in _NOT_NOW_CODES or refused is not None:
                return answer
            refused = token  # it may have been withdrawn before its time: once more, with a new one

    async def _say_password(self) -> Answer:
        user, password = self.server.user, self.server.password
        plain = "AUTH=PLAIN" in self.capabilities
        # RFC 3501 §4.3 and §6.2.3: a quoted string is ASCII; LOGIN is not even tried under LOGINDISABLED
        if (user + password).isascii() and "LOGINDISABLED" not in self.capabilities:
            return await self._protocol.ask("LOGIN", quoted(user), quoted(password), timeout=self._timeout)
        if plain:
            word = base64.b64encode(f"\0{user}\0{password}".encode())
            return await self._protocol.ask("AUTHENTICATE", "PLAIN", timeout=self._timeout, answers=(word + b"\r\n",))
        if self.server.tls == "none":
            raise self._rejected("the server takes no password without TLS")
        raise self._rejected("the server offers no way to log in with this user and password")

    # ------------------------------------------------------------ looking

    async def open_folder(self, name: str, *, to_change: bool = False) -> Folder:
        """Look into a folder, without changing it (EXAMINE, RFC 3501 §6.3.2) unless it is said to be changed."""
        self._opened = True
        answer = await self._ask("SELECT" if to_change else "EXAMINE", quoted(encode_folder(name)))
        said = {"UIDVALIDITY": 0, "UIDNEXT": 0, "EXISTS": 0}
        for parts in answer.untagged:
            line = bytes(parts[0]).decode("ascii", "replace")
            if found := re.match(r"\* (?:OK \[(UIDVALIDITY|UIDNEXT) (\d+)|(\d+) (EXISTS)\b)", line, re.I):
                said[(found[1] or found[4]).upper()] = int(found[2] or found[3])
        if not said["UIDNEXT"] and said["EXISTS"]:  # RFC 3501 §6.3.1: older servers do not tell it
            said["UIDNEXT"] = max(await self.search("ALL"), default=0) + 1
        return Folder(said["UIDVALIDITY"], max(1, said["UIDNEXT"]), said["EXISTS"])

    async def search(self, *criteria: str) -> list[int]:
        """The UIDs that match, ascending."""
        answer = await self._ask("SEARCH", *criteria, uid=True)
        found: set[int] = set()
        for parts in answer.untagged:
            line = bytes(parts[0])
            if line[:9].upper() == b"* SEARCH ":
                found.update(int(word) for word in line[9:].split() if word.isdigit())
        return sorted(found)

    async def search_from(self, uid: int, since: date | None = None) -> list[int]:
        """The UIDs from `uid` on, ascending; `since`: of mails the server received on that day or later."""
        criteria = [] if since is None else ["SINCE", f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}"]
        # RFC 3501 §6.4.8: n:* always includes the last mail, even when its UID is below n
        return [found for found in await self.search("UID", f"{uid}:*", *criteria) if found >= uid]

    async def still_there(self, uids: Iterable[int]) -> set[int]:
        """Those of these mails that were not deleted meanwhile."""
        # NOOP lets the server tell, and take in, what others expunged (RFC 3501 §7.4.1)
        await self._ask("NOOP")
        wanted = uid_set(uids)
        return set(await self.search("UID", wanted)) if wanted else set()

    async def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """The size of each mail as the server counts it; without those it does not tell."""
        sizes = {}
        for chunk in (uids[at : at + 300] for at in range(0, len(uids), 300)):
            answer = await self._ask("FETCH", uid_set(chunk), "(UID RFC822.SIZE)", uid=True, must_succeed=False)
            for parts in answer.untagged:
                items = fetched(parts)
                uid, size = _number(items.get("UID")), _number(items.get("RFC822.SIZE"))
                if uid is not None and size is not None:
                    sizes[uid] = size
        return sizes

    async def fetch(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The mails, whole, unmarked as read. What the server does not deliver is missing from the answer."""
        answer = await self._ask("FETCH", uid_set(uids), "(UID BODY.PEEK[])", uid=True, must_succeed=False)
        mails: dict[int, bytes] = {}
        answer.untagged.reverse()
        while answer.untagged:  # each is let go as soon as it is copied
            items = fetched(answer.untagged.pop())
            uid, body = _number(items.get("UID")), items.get("BODY[]")
            if uid is not None and body is not None:
                mails[uid] = body
        if answer.status != "OK" and not mails and answer.code in _NOT_NOW_CODES - {"SERVERBUG"}:
            raise self._temporary(f"FETCH refused: {answer.status} {answer.text}")
        return {uid: mails[uid] for uid in uids if uid in mails}

    # ------------------------------------------------------------ changing

    @property
    def can_move(self) -> bool:
        """Whether mail can be moved so that nothing else is touched (RFC 6851, RFC 4315)."""
        return not {"MOVE", "UIDPLUS"}.isdisjoint(self.capabilities)

    async def add_flag(self, uids: Sequence[int], flag: str) -> str:
        """Flag these mails of a folder opened to be changed; why the server refuses, or ""."""
        return await self._change("STORE", uid_set(uids), "+FLAGS.SILENT", f"({flag})")

    async def move(self, uids: Sequence[int], folder: str) -> str:
        """Move these mails of a folder opened to be changed; why the server refuses, or "".

        Broken off and repeated, a server without MOVE may have a mail twice
        in that folder, never nowhere.
        """
        name, wanted = quoted(encode_folder(folder)), uid_set(uids)
        if "MOVE" in self.capabilities:
            return await self._change("MOVE", wanted, name)
        # What is deleted by now was copied: by us, when this was broken off.
        left = await self.search("UID", wanted, "UNDELETED")
        if left and (refused := await self._change("COPY", uid_set(left), name)):
            return refused
        # RFC 4315 §2.1: EXPUNGE alone would take away what others marked as deleted
        return await self.add_flag(uids, "\\Deleted") or await self._change("EXPUNGE", wanted)

    async def _change(self, name: str, *args: str) -> str:
        answer = await self._ask(name, *args, uid=True, must_succeed=False)
        return "" if answer.status == "OK" else self._scrubbed(f"{name} refused: {answer.status} {answer.text}")

    # ------------------------------------------------------------ waiting

    @property
    def can_idle(self) -> bool:
        """Whether the server tells us by itself when something arrives (RFC 2177)."""
        return "IDLE" in self.capabilities

    @property
    def can_watch(self) -> bool:
        """Whether the server tells us by itself what arrives in folders that are not open (RFC 5465, RFC 3691)."""
        return self.capabilities >= {"IDLE", "NOTIFY", "UNSELECT"}

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be asked."""
        return self._protocol.failure is not None

    async def watch_folders(self, names: Sequence[str]) -> bool:
        """Close the open folder; from here on `wait` returns when something arrives in one of these.

        `told` says how each is now, but for those the server cannot open.
        False: it tells nothing, or told that it stops.
        """
        if self._protocol.overflowed:
            return False
        # NOTIFY says nothing of the open folder unless asked, and what arrives in it until another is opened is
        # never announced (seen on Dovecot). SET STATUS tells how each is and what changes from then on, with no gap.
        if self._opened:
            await self._ask("UNSELECT")
            self._opened = False
        if self._watched:
            # Dovecot 2.3 says how the folders are at a second SET, and tells nothing more, unless it was told to stop.
            await self._ask("NOTIFY", "NONE", must_succeed=False)
        self._protocol.on_status = self._hear_status
        coded = {encode_folder(name).encode(): name for name in names}
        plain = {name.encode(): name for name in names}
        self._watched = {**plain, **coded}
        # RFC 5465 §5: MessageNew must not be asked for without MessageExpunge
        events = "(MessageNew MessageExpunge)"
        # Dovecot up to 2.4.1 knows folders here by their plain names alone; others may call those BAD.
        for wanted in dict.fromkeys((tuple(self._watched), tuple(coded))):
            folders = " ".join(quoted(name.decode()) for name in wanted)
            answer = await self._ask("NOTIFY", "SET", "STATUS", f"(MAILBOXES ({folders}) {events})", must_succeed=False)
            if answer.status != "BAD":
                return answer.status == "OK"
        return False

    def _hear_status(self, parts: Parts) -> bool:
        # * STATUS name (attribute number …)
        words = [value for kind, value in tokens(parts) if kind in ("atom", "string")]
        if len(words) < 3:
            return False
        name = "INBOX" if words[2].upper() == b"INBOX" else self._watched.get(words[2])
        if name is None:
            return False
        said = {key.upper(): _number(value) for key, value in zip(words[3::2], words[4::2], strict=False)}
        before = self.told.get(name, Told(0, 0))
        now = Told(said.get(b"UIDVALIDITY") or before.uidvalidity, said.get(b"UIDNEXT") or before.uidnext)
        self.told[name] = now
        return now != before

    def tell_arrivals(self, announced: Callable[[], None] | None) -> None:
        """From now on call this whenever the server says that something arrived; None: nobody."""
        self._protocol.on_news = announced

    def forget_news(self) -> None:
        """What was announced so far will be found by the search that follows: `wait` need not return for it."""
        self._protocol.news.clear()

    async def wait(self, renewal: timedelta, poll: timedelta) -> bool:
        """Return as soon as something arrived since `forget_news`, and now and then without; whether it did.

        When nothing arrived, a round trip has proved the connection alive.
        """
        try:
            if self.can_idle:
                answer = await self._protocol.idle(min(renewal, LONGEST_IDLE).total_seconds(), self._timeout)
                if answer is not None:
                    # It offers what it does not keep: ask from now on, as of a server that never offered.
                    self.capabilities -= {"IDLE"}
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(renewal, poll).total_seconds()):
                        await self._protocol.news.wait()
                await self._ask("NOOP")
        except Disconnected as error:
            raise self._failure(error) from None
        return self._protocol.news.is_set()

    # ------------------------------------------------------------ keeping what we sent

    async def folders(self) -> dict[str, frozenset[str]]:
        r"""Every folder's name and its attributes, upper case (`\SENT` says where sent mail is kept: RFC 6154)."""
        extended = {"SPECIAL-USE", "LIST-EXTENDED"} <= self.capabilities
        answer = await self._ask("LIST", '""', '"*"', *(["RETURN", "(SPECIAL-USE)"] if extended else []))
        found = {}
        for parts in answer.untagged:
            # * LIST (attribute …) delimiter name
            words = [value for kind, value in tokens(parts) if kind in ("atom", "string")]
            if len(words) > 3 and words[1].upper() == b"LIST":
                name = decode_folder(words[-1].decode("utf-8", "replace"))
                found[name] = frozenset(word.decode("ascii", "replace").upper() for word in words[2:-2])
        return found

    async def append(self, folder: str, raw: bytes) -> None:
        """Put a mail into a folder, as read."""
        patience = timedelta(seconds=self._timeout + len(raw) / 32_768)  # a slow line is silent while it uploads
        await self._ask(
            "APPEND",
            quoted(encode_folder(folder)),
            "(\\Seen)",
            f"{{{len(raw)}}}",
            answers=(raw + b"\r\n",),
            patience=patience,
        )

    # ------------------------------------------------------------ failing

    async def _ask(
        self,
        name: str,
        *args: str,
        uid: bool = False,
        answers: tuple[bytes, ...] = (),
        patience: timedelta | None = None,
        must_succeed: bool = True,
    ) -> Answer:
        timeout = self._timeout if patience is None else patience.total_seconds()
        try:
            answer = await self._protocol.ask(name, *args, uid=uid, answers=answers, timeout=timeout)
        except (Disconnected, ValueError) as error:
            raise self._failure(error) from None
        if must_succeed:
            self._must_be_ok(answer, name)
        return answer

    def _must_be_ok(self, answer: Answer, name: str) -> None:
        if answer.status != "OK":
            raise self._temporary(f"{name} refused: {answer.status} {answer.text}")

    def _temporary(self, detail: str, reason: str = "failure.connection") -> TemporaryFailure:
        return TemporaryFailure(self.channel, self._scrubbed(detail), reason=reason)

    def _rejected(self, detail: str) -> LoginRejected:
        return LoginRejected(self.channel, self._scrubbed(detail), reason="failure.login")

    def _scrubbed(self, detail: str) -> str:
        # Some servers repeat what they did not understand.
        user, password = self.server.user, self.server.password
        for secret in (
            *self._said,
            password,
            base64.b64encode(f"\0{user}\0{password}".encode(errors="replace")).decode(),
        ):
            detail = detail.replace(secret, "***") if secret else detail
        return detail[:300]

    def _failure(self, error: Exception) -> ChannelError:
        """The same, in the words of `channels.errors`."""
        if isinstance(error, ChannelError):
            return error
        server = f"{self.server.host}:{self.server.port}"
        if isinstance(error, Disconnected):
            return self._temporary(str(error))
        if isinstance(error, TimeoutError):
            return self._temporary(f"{server} did not answer in time")
        if isinstance(error, ssl.SSLCertVerificationError):
            detail = f"the certificate of {server} cannot be trusted: {error.verify_message}"
            return self._temporary(detail, "failure.tls")
        if isinstance(error, ssl.SSLError):
            return self._temporary(f"no TLS with {server}: {error.reason or error}", "failure.tls")
        if isinstance(error, OSError):
            return self._temporary(f"no connection to {server}: {error.strerror or error}")
        return self._temporary("a name or password cannot be sent as it is written")

    async def _hang_up(self) -> None:
        self._protocol.fail("we hung up")
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._protocol.closed()


# ---------------------------------------------------------------- names, numbers, sockets

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def uid_set(uids: Iterable[int]) -> str:
    """Ascending UIDs as a sequence set: 1:3,7 (RFC 3501 §9)."""
    ranges: list[tuple[int, int]] = []
    for uid in sorted(uids):
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1] = (ranges[-1][0], uid)
        else:
            ranges.append((uid, uid))
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges)


def encode_folder(name: str) -> str:
    """A folder's name in modified UTF-7 (RFC 3501 §5.1.3)."""

    def shifted(found: re.Match[str]) -> str:
        word = base64.b64encode(found[0].encode("utf-16-be")).decode().rstrip("=")
        return "&" + word.replace("/", ",") + "-"

    return re.sub(r"[^\x20-\x7e]+", shifted, name.replace("&", "&-"))


def decode_folder(name: str) -> str:
    """The name a server's modified UTF-7 stands for; as it is where it stands for nothing."""

    def shifted(found: re.Match[str]) -> str:
        word = found[1].replace(",", "/")
        try:
            return base64.b64decode(word + "=" * (-len(word) % 4)).decode("utf-16-be") if word else "&"
        except ValueError:
            return found[0]

    return re.sub(r"&([^-]*)-", shifted, name)


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """What is trusted: shared by every connection, since each costs 150 KB and 20 ms to make.

    Raises:
        OSError: the file cannot be read.
    """
    return _tls_context(ca_file, ca_file.stat().st_mtime_ns if ca_file else 0)


@lru_cache(maxsize=32)
def _tls_context(ca_file: Path | None, _changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _number(word: bytes | None) -> int | None:
    return int(word) if word is not None and word.isdigit() and len(word) < 20 else None


def _notice_silence(sock: socket.socket | None, keepalive: timedelta) -> None:
    """Let the kernel notice a peer that vanished without a word; what a platform lacks, IDLE's renewal makes up for."""
    if sock is None:
        return
    idle = max(1, round(keepalive.total_seconds()))
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", idle),
        ("TCP_KEEPALIVE", idle),  # its name on macOS
        ("TCP_KEEPINTVL", max(1, idle // 4)),
        ("TCP_KEEPCNT", 4),
        ("TCP_USER_TIMEOUT", idle * 2000),  # RFC 5482, in milliseconds
    ):
        if (option := getattr(socket, name, None)) is not None:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
