"""An SMTP server that answers as a test says: to what it accepts, what it refuses, and when it hangs up."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

HANGS_UP = "hangs up"
SAYS_NOTHING = "says nothing"
NEVER_ENDS = "never ends"
"""An answer of lines without a last one."""
SLOWLY = "slowly "
"""Before an answer: an octet at a time, fifty a second."""
HANGS_UP_HALFWAY = "hangs up halfway"
"""As the answer to the text: after its first octets."""

ANSWERS_LATE = "answers late"
"""As the answer to the text: yes, once `reads` is set."""

REFUSES_HALFWAY = "refuses halfway"
"""As the answer to the text: says that it is too large after its first octets, and reads the rest all the same."""

READS_LATE = "reads late"
"""As the answer to the text: reads it only when `reads` is set, to the end of the connection, and says nothing."""

USUAL = {
    "greeting": "220 ready",
    "EHLO": "250-scripted.test\r\n250-8BITMIME\r\n250 SIZE 50000000",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "text": "250 2.0.0 queued as 42",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}


@dataclass
class Taken:
    """One letter the server said yes to."""

    sender: str
    recipients: list[str]
    text: bytes


@dataclass
class ScriptedSmtp:
    """The server, from entering to leaving.

    Attributes:
        scripts: one a connection, what it says otherwise than usual; the last one stays.
        commands: every line it was sent, by connection.
        says: what each connection says, in the order they came; a change counts at once.
        taken: what it accepted.
        heard: every text that came whole, whatever was answered.
        has_text: set when a whole text arrived.
        late: what was read of a text after `reads` was set.
    """

    scripts: deque[Mapping[str, str]] = field(default_factory=lambda: deque([{}]))
    commands: list[list[str]] = field(default_factory=list)
    says: list[dict[str, str]] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    heard: list[Taken] = field(default_factory=list)
    has_text: asyncio.Event = field(default_factory=asyncio.Event)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    late: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    port: int = 0
    tls: ssl.SSLContext | None = None

    @classmethod
    def saying(cls, *scripts: Mapping[str, str]) -> Self:
        return cls(deque(scripts or [{}]))

    async def __aenter__(self) -> Self:
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._said = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def hears(self, command: str) -> None:
        """Wait until somebody said this."""
        async with asyncio.timeout(10):
            while not any(command in commands for commands in self.commands):
                self._said.clear()
                await self._said.wait()

    def hang_up(self) -> None:
        """End every connection."""
        for writer in self._open:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        says = {**USUAL, **(self.scripts.popleft() if len(self.scripts) > 1 else self.scripts[0])}
        self.says.append(says)
        commands: list[str] = []
        self.commands.append(commands)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._talk(reader, writer, says, commands)
        except asyncio.CancelledError:
            pass
        finally:
            self._open.discard(writer)
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, says: Mapping[str, str], commands: list[str]
    ) -> None:
        letter = Taken("", [], b"")
        await _say(writer, says["greeting"])
        while line := await reader.readline():
            command = line.decode(errors="replace").rstrip("\r\n")
            commands.append(command)
            self._said.set()
            verb = command.split(" ", 1)[0].upper()
            if verb == "MAIL":
                letter = Taken(command[11:].partition(">")[0], [], b"")
            elif verb == "RCPT":
                letter.recipients.append(command[9:].partition(">")[0])
            answer = says.get(f"{verb} {len(letter.recipients)}", says.get(verb, says.get("else", "502 what?")))
            await _say(writer, answer)
            if verb == "DATA" and answer.removeprefix(SLOWLY).startswith("354"):
                if says["text"] == HANGS_UP_HALFWAY:
                    await reader.readexactly(10)
                    return
                if says["text"] in (READS_LATE, REFUSES_HALFWAY):
                    if says["text"] == READS_LATE:
                        await self.reads.wait()
                    else:
                        await reader.readexactly(10)
                        await _say(writer, "552 5.3.4 too large")
                    text = b""
                    with suppress(ConnectionError):
                        while octets := await reader.read(2**20):
                            text += octets
                    self.late.set_result(text)
                    return
                letter.text = await reader.readuntil(b"\r\n.\r\n")
                self.heard.append(letter)
                self.has_text.set()
                answer = says["text"]
                if answer == ANSWERS_LATE:
                    await self.reads.wait()
                    answer = USUAL["text"]
                await _say(writer, answer)
                if answer.removeprefix(SLOWLY).startswith("250"):
                    self.taken.append(letter)
            if verb == "QUIT":
                return


async def _say(writer: asyncio.StreamWriter, answer: str) -> None:
    if answer == SAYS_NOTHING:
        await asyncio.Event().wait()
    if answer == NEVER_ENDS:
        while True:
            writer.write(b"250-and another thing\r\n" * 50)
            await writer.drain()
            await asyncio.sleep(0.001)
    if answer.startswith(SLOWLY):
        for octet in f"{answer.removeprefix(SLOWLY)}\r\n".encode():
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0.02)
        return
    if answer == HANGS_UP:
        raise ConnectionResetError
    writer.write(answer.encode("utf-8", "surrogateescape") + b"\r\n")
    await writer.drain()
