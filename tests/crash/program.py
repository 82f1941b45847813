"""The real program in a process of its own, as `permanence run` starts it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Worker:
    """The real program in a process of its own, killed and started again at will."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._process: asyncio.subprocess.Process | None = None
        self.log = config.with_suffix(".log")
        self._starts = 0

    async def start(self) -> None:
        """Return once it is at work: killed earlier, it would only have died importing."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                Path(sys.executable).with_name("permanence"), "run", "--config", self._config, stdout=log, stderr=log
            )

        self._starts += 1
        async with asyncio.timeout(30):
            while self.log.read_bytes().count(b'"started"') < self._starts:
                assert self._process.returncode is None, self.log.read_text()[-2000:]
                await asyncio.sleep(0.05)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def end(self, how: signal.Signals) -> int:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(how)
        return await self._process.wait()


@asynccontextmanager
async def at_work(config: Path) -> AsyncIterator[Worker]:
    worker = Worker(config)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.end(signal.SIGKILL)
