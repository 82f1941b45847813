"""A process that has imported the desk already and forks: a worker in a tenth of the time, as real as any.

`python -m tests.crash.nursery` is told lives on its standard input, one JSON
object a line, and says who was born and how each ended. Whoever is born runs
the command line in a process of its own, which signals end as they end any.
"""

from __future__ import annotations

import asyncio
import gc
import os
import selectors
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from bot import cli
from tests.crash.mortal import Death, Life, Plant, prepare
from tests.uncounted import uncounted

BORN_WITHIN = 60.0


class _Said(msgspec.Struct):
    born: int | None = None
    ended: int | None = None
    status: int = 0


class Child:
    """One process of the program."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def alive(self) -> bool:
        return not self._end.done()

    def send(self, how: signal.Signals) -> None:
        """Send a signal; nothing happens to who is gone."""
        if self.alive:
            os.kill(self.pid, how)

    async def ended(self) -> int:
        """How it ended, once it has: its exit status, or the negative number of the signal that killed it."""
        return await asyncio.shield(self._end)

    async def end(self, how: signal.Signals) -> int:
        self.send(how)
        return await self.ended()

    async def says(self, *events: str, seconds: float = 60) -> None:
        """Wait until its log has these words."""
        async with asyncio.timeout(seconds):
            while not all(event.encode() in self._read() for event in events):
                assert self.alive, f"ended with {self._end.result()}: {self.last_words()}"
                await asyncio.sleep(0.01)

    def _read(self) -> bytes:
        return self.log.read_bytes() if self.log.exists() else b""

    def last_words(self) -> str:
        return self._read()[-3000:].decode(errors="replace")


class Nursery:
    """Where workers are born."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._children: dict[int, Child] = {}
        self._births: asyncio.Queue[int] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.crash.nursery", stdin=PIPE, stdout=PIPE, env=uncounted()
        )
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in list(self._children.values()):
            await child.end(signal.SIGKILL)
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        if self._listening is not None:
            await self._listening

    async def start(
        self,
        *arguments: str | Path,
        log: Path,
        death: Death | None = None,
        plants: tuple[Plant, ...] = (),
        wall: Path | None = None,
    ) -> Child:
        """Run the command line with these arguments; what it says goes to the log, made new."""
        life = Life(tuple(map(str, arguments)), str(log), death, plants, str(wall) if wall else None)
        assert self._process is not None
        assert self._process.stdin is not None
        log.unlink(missing_ok=True)
        async with self._turn:
            self._process.stdin.write(msgspec.json.encode(life) + b"\n")
            async with asyncio.timeout(BORN_WITHIN):
                pid = await self._births.get()
            # Its end is heard of only after this: the listener has not run since.
            child = self._children[pid]
            child.log = log
            return child

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = msgspec.json.decode(line, type=_Said)
            if said.born is not None:
                self._children[said.born] = Child(said.born, Path())
                self._births.put_nowait(said.born)
            if said.ended is not None:
                self._children.pop(said.ended)._end.set_result(said.status)


# ---------------------------------------------------------------- the program


def main() -> None:
    """Bring up whoever is asked for until nobody asks any more."""
    gc.collect()
    gc.freeze()
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        asked = b""
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    octets = os.read(0, 65536)
                    if not octets:
                        return
                    *lives, asked = (asked + octets).split(b"\n")
                    for life in lives:
                        pid = _born(msgspec.json.decode(life, type=Life))
                        selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                        _say(_Said(born=pid))
                else:
                    _, status = os.waitpid(key.data, 0)
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _say(_Said(ended=key.data, status=os.waitstatus_to_exitcode(status)))


def _say(said: _Said) -> None:
    os.write(1, msgspec.json.encode(said) + b"\n")


def _born(life: Life) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70
    with suppress(BaseException):  # whatever happens in the child, it never becomes a second nursery
        log = os.open(life.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, 256)  # the nursery's ends of its children
        status = _live(life)
    os._exit(status)


def _live(life: Life) -> int:
    sys.argv = ["permanence", *life.arguments]
    try:
        prepare(life)
        cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001  # as the interpreter would: said, and the end
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
    return 0


if __name__ == "__main__":
    main()
