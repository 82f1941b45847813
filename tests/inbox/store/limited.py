"""A process that may not write more than so much: `python -m tests.inbox.store.limited FILE`.

The limit is the kernel's, so that SQLite meets a real I/O error. It says what
became of a commit under the limit, and of one after it.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from inbox.errors import StoreUnavailable
from inbox.parts import BlobId
from inbox.store.base import Blob, Changes
from inbox.store.sqlite import SqliteStore


async def _main(path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.commit(Changes(blobs=[Blob(BlobId("before"), b"raw")]))
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        large = Changes(blobs=[Blob(BlobId("large"), bytes(2_000_000))])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, most))
        try:
            await store.commit(large)
        except StoreUnavailable as refused:
            sys.stdout.write(f"refused: {refused}\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        await store.commit(large)
        sys.stdout.write(f"{len(await store.read_blob(BlobId('large')))} octets, {await store.verify()}\n")


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
