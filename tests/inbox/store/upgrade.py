"""A process that upgrades a store and is killed half way: `python -m tests.inbox.store.upgrade FILE AFTER`.

After so many contacts have gone through the migration it kills itself.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from inbox.store import migrations
from inbox.store.migrations import Migration
from inbox.store.sqlite import SqliteStore


def _migrations(after: int) -> tuple[Migration, ...]:
    done = itertools.count(1)

    def shout(document: dict[str, Any]) -> dict[str, Any]:
        if next(done) == after:
            os.kill(os.getpid(), signal.SIGKILL)
        return {**document, "name": document["name"].upper()}

    return (Migration(to=migrations.SCHEMA_VERSION, kind="contact", transform=shout),)


async def _main(path: Path, after: int) -> None:
    migrations.SCHEMA_VERSION += 1
    migrations.MIGRATIONS = _migrations(after)
    async with SqliteStore(path):
        pass


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
