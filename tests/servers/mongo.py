"""A MongoDB to test with: SecantusDB in a process of its own, on a free port, to be killed and started again.

`python -m tests.servers.mongo PORT FOLDER` is that process. It says "ready",
and ends when its standard input does.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

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

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"mongodb://127.0.0.1:{self.port}"
        # In memory, where there is such a folder: it outlives every kill, and every commit's sync costs nothing.
        memory = Path("/dev/shm")
        self._folder = tempfile.TemporaryDirectory(prefix="mongo-", dir=memory if memory.is_dir() else None)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        self._folder.cleanup()

    def start(self) -> None:
        """Start, with the data that is there; returns when it can be connected to."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.mongo", str(self.port), self._folder.name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
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

    def resume(self) -> None:
        """Go on after `suspend`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.communicate()
            self._process = None


def _main(port: int, folder: Path) -> None:
    # python -m names it so; it is needed in this process alone
    from secantus import SecantusDBServer

    server = SecantusDBServer(
        host="127.0.0.1",
        port=port,
        storage_path=str(folder),
        sync_on_commit=True,
        enable_test_commands=True,
        transaction_lifetime_seconds=ABANDONED,
    )
    server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()  # until whoever started us is gone, in whatever way
    server.stop()


if __name__ == "__main__":
    _main(int(sys.argv[1]), Path(sys.argv[2]))
