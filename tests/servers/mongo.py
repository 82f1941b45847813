"""A MongoDB to test with: SecantusDB in a process of its own, on a free port, to be killed and started again.

`python -m tests.servers.mongo PORT FOLDER` is that process. It says "ready",
and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

import bson

from tests.uncounted import uncounted

ROOT = Path(__file__).parents[2]
ABANDONED = 3.0
"""Seconds after which a transaction whose client died is undone; mongod says a minute, unless it is told otherwise."""


class MongoServer:
    """The server, from entering to leaving; its data outlives a kill.

    SecantusDB is a beta that speaks MongoDB's protocol over MongoDB's own
    storage engine. It says it is a replica set of one member.

    Attributes:
        url: without a database: add `/name`.
    """

    def __init__(self, *, replica_set: bool = True) -> None:
        self._arguments = () if replica_set else ("alone",)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"mongodb://127.0.0.1:{self.port}"
        # In memory, where there is such a folder: it outlives every kill, and every commit's sync costs nothing.
        memory = Path("/dev/shm")
        self._folder = tempfile.mkdtemp(prefix="mongo-", dir=memory if memory.is_dir() else None)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start, with the data that is there; returns when it can be connected to."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.mongo", str(self.port), self._folder, *self._arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=uncounted(),
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said == b"ready\n", said

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def suspend(self) -> None:
        """Stop answering, connections open: SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Go on after `suspend`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.communicate()
            self._process = None


def forget_sockets() -> None:
    """Collect the sockets a driver left open when it was closed while it connected anew (PyMongo's `sock_connect`)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


What = Literal["passes", "is lost", "is done unheard"]


class Way:
    """A way to the server on which commits can be lost, from entering to leaving.

    Attributes:
        url: to be completed with a database's name by `at`.
        decide: what becomes of a commit that passes, by its number, from 0; a lost connection is closed.
        passed: how many commits came this way, those sent again included.
    """

    def __init__(self, server: MongoServer, decide: Callable[[int], Awaitable[What]]) -> None:
        self._server = server
        self.decide = decide
        self.passed = 0
        self._listener: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        # Direct: or the driver would go straight to the address the server says of itself.
        self.url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._listener is not None
        self._listener.close()
        self.cut()
        await asyncio.gather(*self._open, return_exceptions=True)

    def cut(self) -> None:
        """Close every connection there is."""
        for task in self._open:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._server.port)
            await self._carry(reader, writer, back, there)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either side is gone, or it was cut
        finally:
            self._open.discard(task)
            for end in (writer, there):
                if end is not None:
                    end.close()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamReader,
        there: asyncio.StreamWriter,
    ) -> None:
        answers = asyncio.create_task(_hand_on(back, writer))
        try:
            while True:
                message = await _message(reader)
                what: What = "passes"
                if _commits(message):
                    what = await self.decide(self.passed)
                    self.passed += 1
                if what == "is lost":
                    return
                if what == "is done unheard":
                    answers.cancel()
                    with suppress(asyncio.CancelledError):
                        await answers
                    there.write(message)
                    await _message(back)
                    return
                there.write(message)
                await there.drain()
        finally:
            answers.cancel()
            with suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                await answers


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(16)
    [length] = struct.unpack("<i", head[:4])
    return head + await reader.readexactly(length - 16)


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while octets := await reader.read(2**16):
        writer.write(octets)
        await writer.drain()
    writer.close()


def _commits(message: bytes) -> bool:
    """Whether the command makes something durable: the end of a transaction, or a write outside of any."""
    [code] = struct.unpack("<i", message[12:16])
    if code != 2013 or message[20] != 0:  # OP_MSG, its first section a document
        return False
    [length] = struct.unpack("<i", message[21:25])
    command = bson.decode(message[21 : 21 + length])
    name = next(iter(command))
    alone = name in ("insert", "update", "delete") and "txnNumber" in command and "autocommit" not in command
    return alone or name == "commitTransaction"


def _main(port: int, folder: str, *how: str) -> None:
    # here, for it is needed in this process alone, and takes a second to import
    from secantus import SecantusDBServer

    server = SecantusDBServer(
        host="127.0.0.1",
        port=port,
        storage_path=folder,
        sync_on_commit=True,
        enable_test_commands=True,
        transaction_lifetime_seconds=ABANDONED,
        replica_set_name=None if how else "desk",
    )
    server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()  # until whoever started us is gone, in whatever way
    server.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    _main(int(sys.argv[1]), *sys.argv[2:])
