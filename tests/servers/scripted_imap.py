"""An IMAP server that says what a test wants it to say: for answers no real server can be made to give."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Script = Callable[[str, str], bytes | None]
"""From tag and arguments to octets to send; None: what a good server would say; b"": hang up."""


class ScriptedImap:
    """One mailbox, any user. `scripts` replaces the answer to a command, by its name (`UID FETCH`).

    Attributes:
        mails: what is in the folder, by UID.
        heard: every line clients sent.
    """

    def __init__(self) -> None:
        self.mails: dict[int, bytes] = {}
        self.uidvalidity = 7
        self.capabilities = "IMAP4rev1 IDLE"
        self.greeting = b"* OK ready\r\n"
        self.scripts: dict[str, Script] = {}
        self.heard: list[str] = []
        self.appended: list[bytes] = []
        self.connections = 0
        self.deaf = False
        """Hears everything and says nothing more."""
        self.port = 0
        self._idle: dict[asyncio.StreamWriter, str] = {}
        self._told: dict[asyncio.StreamWriter, int] = {}
        self._idling = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def say(self, octets: bytes) -> None:
        """Tell every client that idles."""
        for writer in self._idle:
            writer.write(octets)

    def arrive(self, uid: int, raw: bytes) -> None:
        """A new mail: who idles is told now, who does not as soon as it does."""
        self.mails[uid] = raw
        for writer in self._idle:
            self._tell(writer)

    def _tell(self, writer: asyncio.StreamWriter) -> None:
        if self._told.get(writer) != len(self.mails):
            writer.write(b"* %d EXISTS\r\n" % len(self.mails))
            self._told[writer] = len(self.mails)

    async def someone_idles(self) -> None:
        async with asyncio.timeout(10):
            await self._idling.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        self.connections += 1
        try:
            writer.write(self.greeting)
            while line := await reader.readline():
                if not await self._answer(line.decode().rstrip("\r\n"), reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._idle.pop(writer, None)
            self._told.pop(writer, None)
            self._open.discard(writer)
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.heard.append(line)
        self._idling.clear()
        if self.deaf:
            return True
        if line == "DONE":
            tag = self._idle.pop(writer, None)
            writer.write(f"{tag} OK idled\r\n".encode() if tag else b"* BAD what\r\n")
            return True
        tag, _, rest = line.partition(" ")
        name, _, args = rest.partition(" ")
        if name == "UID":
            verb, _, args = args.partition(" ")
            name = f"UID {verb}"
        script = self.scripts.get(name)
        said = script(tag, args) if script is not None else None
        if said is not None:
            writer.write(said)
            return bool(said)
        if name == "IDLE":
            self._idle[writer] = tag
            self._idling.set()
            writer.write(b"+ idling\r\n")
            self._tell(writer)
            return True
        if name == "EXAMINE":
            self._told[writer] = len(self.mails)
        if name == "APPEND":
            writer.write(b"+ go on\r\n")
            self.appended.append(await reader.readexactly(int(line[line.rindex("{") + 1 : -1])))
            await reader.readline()
        writer.write(self._good(name, args) + f"{tag} OK {name} done\r\n".encode())
        return name != "LOGOUT"

    def _good(self, name: str, args: str) -> bytes:
        if name == "CAPABILITY":
            return f"* CAPABILITY {self.capabilities}\r\n".encode()
        if name in ("EXAMINE", "SELECT"):
            following = max(self.mails, default=0) + 1
            return (
                f"* FLAGS (\\Seen)\r\n* {len(self.mails)} EXISTS\r\n"
                f"* OK [UIDVALIDITY {self.uidvalidity}] valid\r\n* OK [UIDNEXT {following}] next\r\n"
            ).encode()
        if name == "UID SEARCH":
            wanted = self.chosen(args.removeprefix("UID ").split()[0]) if args.startswith("UID ") else self.mails
            return b"* SEARCH" + b"".join(b" %d" % uid for uid in wanted) + b"\r\n"
        if name == "UID FETCH":
            uids, _, items = args.partition(" ")
            return b"".join(self.fetched(uid, items) for uid in self.chosen(uids))
        return b"* BYE\r\n" if name == "LOGOUT" else b""

    def fetched(self, uid: int, items: str) -> bytes:
        """A good server's FETCH response for one mail."""
        number, raw = sorted(self.mails).index(uid) + 1, self.mails[uid]
        if "BODY" not in items:
            return b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (number, uid, len(raw))
        return b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (number, uid, len(raw), raw)

    def chosen(self, uid_set: str) -> list[int]:
        """The mails a sequence set means; n:* always means the last one too, as RFC 3501 §6.4.8 has it."""
        last = max(self.mails, default=0)
        chosen = set()
        for part in uid_set.split(","):
            found = re.fullmatch(r"(\d+|\*)(?::(\d+|\*))?", part)
            assert found, uid_set
            ends = sorted(last if end == "*" else int(end) for end in (found[1], found[2] or found[1]))
            chosen |= {uid for uid in self.mails if ends[0] <= uid <= ends[1]}
        return sorted(chosen)
