"""Another process on the same store: `python -m tests.contracts.elsewhere ADDRESS increment ID TIMES`.

It says "open" once it has the store open, and begins when it is sent a line.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec

from inbox.errors import Conflict
from inbox.machinery import Counter
from inbox.store.base import Changes, Store
from tests.contracts.backends import open_at


async def increment(store: Store, counter_id: str) -> None:
    """Add one, however often somebody else comes first."""
    while True:
        counter = await store.get(Counter, counter_id)
        try:
            await store.commit(Changes(replacements=[msgspec.structs.replace(counter, next=counter.next + 1)]))
        except Conflict:
            continue
        return


async def _main(address: str, counter_id: str, times: int) -> None:
    async with open_at(address) as store:
        sys.stdout.write("open\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        for _ in range(times):
            await increment(store, counter_id)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[3], int(sys.argv[4])))
