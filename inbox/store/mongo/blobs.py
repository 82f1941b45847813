"""Raw mail in GridFS: a file's octets in chunks, and a files document that makes it exist.

The bucket is `blob`, a file's name the blob's id: `mongofiles --prefix blob`
reads it. Chunks of what is small are written by the unit's own transaction.
What is large is uploaded before it, since a transaction must end within a
minute; only the files document in the transaction makes it visible. An upload
that no unit made visible is told by its row in `blob.uploads`, and swept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bson import ObjectId
from pymongo import ASCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from inbox.errors import Conflict, NotFound, StoreUnavailable
from inbox.parts import BlobId
from inbox.store.base import Blob
from inbox.store.mongo.layout import CHUNKS, FILES, UPLOADS
from inbox.store.mongo.link import Link
from inbox.store.mongo.shapes import Stored

CHUNK = 255 * 1024
"""As GridFS has it: mongodb.com/docs/manual/core/gridfs."""
SMALL = 2**20
"""Octets of a blob that its unit's transaction writes whole."""
SMALL_TOGETHER = 8 * 2**20
AT_ONCE = 16
"""Chunks written by one command."""
ABANDONED = timedelta(days=1)
"""An upload as old as this is nobody's."""

_log = logging.getLogger(__name__)


class File(NamedTuple):
    """A blob on its way into GridFS."""

    id: ObjectId
    blob: Blob
    uploaded: bool
    """Its chunks are written before the transaction."""


def planned(blobs: Sequence[Blob]) -> list[File]:
    """Which blobs the transaction writes whole, and which are uploaded before it."""
    files, together = [], 0
    for blob in blobs:
        size = len(blob.data)
        small = size <= SMALL and together + size <= SMALL_TOGETHER
        together += size if small else 0
        files.append(File(ObjectId(), blob, uploaded=not small))
    return files


async def upload(link: Link, files: Sequence[File]) -> None:
    """Write the chunks of what is large; nobody sees them yet."""
    for file in files:
        if file.uploaded:
            await link.database[UPLOADS].insert_one({"_id": file.id, "begun_at": datetime.now(UTC)})
            for chunks in _groups(file):
                await link.database[CHUNKS].insert_many(chunks)


async def add(link: Link, files: Sequence[File], mark: ObjectId, session: AsyncClientSession) -> None:
    """Within a transaction: make the files exist."""
    for file in files:
        if file.uploaded:
            claimed = await link.database[UPLOADS].delete_one({"_id": file.id, "swept": None}, session=session)
            if not claimed.deleted_count:
                raise StoreUnavailable(f"{link.address}: blob {file.blob.id} took more than a day to upload")
        else:
            for chunks in _groups(file):
                await link.database[CHUNKS].insert_many(chunks, session=session)
    await link.database[FILES].insert_many([_described(file, mark) for file in files], session=session)


def _described(file: File, mark: ObjectId) -> Stored:
    return {
        "_id": file.id,
        "filename": file.blob.id,
        "length": len(file.blob.data),
        "chunkSize": CHUNK,
        "uploadDate": datetime.now(UTC),
        "metadata": {"unit": mark},
    }


def _groups(file: File) -> Iterator[list[Stored]]:
    data = memoryview(file.blob.data)
    chunks = [(n, at) for n, at in enumerate(range(0, len(data), CHUNK))]
    for first in range(0, len(chunks), AT_ONCE):
        yield [
            {"_id": ObjectId(), "files_id": file.id, "n": n, "data": bytes(data[at : at + CHUNK])}
            for n, at in chunks[first : first + AT_ONCE]
        ]


async def erase(link: Link, blob_ids: Sequence[BlobId], session: AsyncClientSession) -> list[ObjectId]:
    """Within a transaction: let the blobs exist no more. Their chunks are left to `sweep_up`."""
    files = link.database[FILES]
    found = files.find({"filename": {"$in": list(blob_ids)}}, {"_id": 1}, session=session).hint("blob__by_id")
    ids = [file["_id"] for file in await found.to_list(None)]
    if ids:
        removed = await files.delete_many({"_id": {"$in": ids}}, session=session)
        if removed.deleted_count != len(ids):
            raise Conflict("a blob is erased by another unit")
        rows = [{"_id": file_id, "begun_at": datetime.now(UTC), "swept": True} for file_id in ids]
        await link.database[UPLOADS].insert_many(rows, session=session)
    return ids


async def read(link: Link, blob_id: BlobId) -> bytes:
    """All octets of a blob. Raises NotFound."""
    file = await _find(link, blob_id)
    if file is None:
        raise NotFound(f"no blob {blob_id}")
    chunks = link.database[CHUNKS].find({"files_id": file["_id"]}, {"data": 1}).sort("n", ASCENDING)
    data = b"".join([chunk["data"] for chunk in await chunks.hint("blob__of_file").to_list(None)])
    if len(data) == file["length"]:
        return data
    if await _find(link, blob_id) is None:
        raise NotFound(f"no blob {blob_id}")  # erased while we read
    raise StoreUnavailable(f"{link.address}: blob {blob_id} is damaged: {len(data)} octets of {file['length']}")


async def _find(link: Link, blob_id: BlobId) -> Stored | None:
    return await link.database[FILES].find_one({"filename": blob_id}, hint="blob__by_id")


async def list_ids(link: Link, after: str, limit: int) -> list[BlobId]:
    """Which blobs there are, in the order of ids."""
    if limit == 0:
        return []  # which MongoDB takes for no limit
    where = {"filename": {"$gt": after}}
    found = link.database[FILES].find(where, {"_id": 0, "filename": 1}).sort("filename", ASCENDING).limit(limit)
    return [BlobId(file["filename"]) for file in await found.hint("blob__by_id").to_list(None)]


# ---------------------------------------------------------------- what nobody sees any more


async def sweep_up(link: Link, files: Sequence[ObjectId]) -> None:
    """Remove the chunks of files that exist no more, or never did. A failure leaves them to `sweep`."""
    try:
        for file_id in files:
            await _remove(link, file_id)
    except PyMongoError as failure:
        _log.warning("chunks are left to be swept later: %s", failure)


async def _remove(link: Link, file_id: ObjectId) -> None:
    await link.database[CHUNKS].delete_many({"files_id": file_id}, hint="blob__of_file")
    await link.database[UPLOADS].delete_one({"_id": file_id})


async def sweep(link: Link, now: datetime) -> int:
    """Remove what was uploaded and never made visible, or erased and not removed. How many files that was."""
    uploads = link.database[UPLOADS]
    # The row's id holds the moment it was made: the primary key answers this.
    old = ObjectId.from_datetime(now - ABANDONED)
    unseen = uploads.find({"_id": {"$lt": old}, "swept": None}).hint("_id_")
    abandoned = [row["_id"] for row in await unseen.to_list(None)]
    for file_id in abandoned:
        # A unit that is about to make it visible deletes this row: one of the two finds it changed.
        await uploads.update_one({"_id": file_id, "swept": None}, {"$set": {"swept": True}})
    # All there are: a row is an upload under way, or one to be swept.
    gone = [row["_id"] for row in await uploads.find({"swept": True}).to_list(None)]
    for file_id in gone:
        await _remove(link, file_id)
    return len(gone)
