"""A line between the desk and a server that cuts, goes dead without a word, or lets a test act in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

Gate = Callable[[bytes], Awaitable[bytes | None]]
"""Given what is about to pass: what passes instead; None: the line is cut."""


async def open_gate(data: bytes) -> bytes:
    """Everything passes."""
    return data


class Line:
    """Passes connections on to a port of this machine.

    Attributes:
        to_server, to_client: what everything that passes goes through.
        connections: how many were made so far.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        self.to_server: Gate = open_gate
        self.to_client: Gate = open_gate
        self.connections = 0
        self._dead: set[int] = set()
        self._dead_from_now_on = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def go_silent(self, *, new_ones_too: bool = False) -> None:
        """What is connected now hears nothing more, not even an end; `new_ones_too`: what connects later as well."""
        self._dead |= set(range(self.connections))
        self._dead_from_now_on = new_ones_too

    def recover(self) -> None:
        """What connects from now on passes. What went dead stays so."""
        self._dead_from_now_on = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        self._writers.add(writer)
        if self._dead_from_now_on:
            self._dead.add(number)
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(back)
        for source, target, up in ((reader, back, True), (there, writer, False)):
            task = asyncio.create_task(self._pass(source, target, number, up=up))
            self._tasks.add(task)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, number: int, *, up: bool) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if number in self._dead:
                    continue
                through = await (self.to_server if up else self.to_client)(data)
                if through is None:
                    target.transport.abort()
                    return
                target.write(through)
            if number not in self._dead:
                target.close()
