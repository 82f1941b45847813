"""A process that is killed: `python -m tests.inbox.store.load FILE FIRST` commits until then.

It numbers its units from FIRST, and says each one's number once its commit returned.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from inbox.machinery import Counter
from inbox.model import Event
from inbox.parts import BlobId, ConversationId
from inbox.store.base import Blob, Changes
from inbox.store.sqlite import SqliteStore
from tests.contracts.documents import make


def unit(number: int) -> Changes:
    """Three documents of different kinds that belong together."""
    return Changes(
        inserts=[
            make(Event, id=f"event-{number}", conversation_id=ConversationId("one")),
            make(Counter, id=f"counter-{number}"),
        ],
        blobs=[Blob(BlobId(f"blob-{number}"), b"raw" * 2000)],
    )


async def _main(path: Path, first: int) -> None:
    async with SqliteStore(path, exclusive=True) as store:
        numbers = itertools.count(first)

        async def one_after_another() -> None:
            for number in numbers:
                await store.commit(unit(number))
                os.write(1, b"%d\n" % number)

        await asyncio.gather(*(one_after_another() for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
