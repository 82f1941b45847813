"""The database brought in line with the declarations: collections, indexes, and documents of older versions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne, UpdateOne
from pymongo.errors import CollectionInvalid, DuplicateKeyError, OperationFailure

from inbox.errors import StoreTooNew, StoreUnavailable
from inbox.store import migrations
from inbox.store.mongo.link import Link
from inbox.store.mongo.shapes import COLLECTIONS, READ, Collection, Stored, declared, declared_words, index_name

HEADER: Final = "permanence"
"""The collection whose one document says that this is a store of ours, and of which version."""
THE_STORE: Final = {"_id": "store"}

FILES: Final = "blob.files"
CHUNKS: Final = "blob.chunks"
UPLOADS: Final = "blob.uploads"

BLOB_INDEXES: Final[dict[str, list[IndexModel]]] = {
    FILES: [IndexModel([("filename", ASCENDING)], name="blob__by_id", unique=True)],
    CHUNKS: [IndexModel([("files_id", ASCENDING), ("n", ASCENDING)], name="blob__of_file", unique=True)],
    UPLOADS: [],
}

PAGE = 200
UPGRADE_HELD = timedelta(minutes=2)
"""How long an upgrade is believed to go on after its last page."""

_NAMESPACE_EXISTS = 48


async def bring_in_line(link: Link) -> None:
    """Make collections and indexes what is declared, and documents what this version reads.

    An upgrade that is broken off is taken up again by the next opening:
    every document says by which version it was written.
    """
    await _refuse_what_has_no_transactions(link)
    schema = await _refuse_strangers(link)
    names = set(await link.database.list_collection_names())
    await _make_collections(link, {*BLOB_INDEXES, *(kept.name for kept in COLLECTIONS.values())} - names)
    for name, indexes in BLOB_INDEXES.items():
        await _align_indexes(link, name, {index.document["name"]: index for index in indexes})
    if schema < migrations.SCHEMA_VERSION:
        await _upgrade(link, schema)
    await asyncio.gather(*(_align(link, kept) for kept in COLLECTIONS.values()))


async def _refuse_what_has_no_transactions(link: Link) -> None:
    hello = await link.admin.command("hello")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreUnavailable(
            f"{link.address} is not a replica set, and only those have transactions. A single member will do: "
            "start mongod with --replSet desk, then run rs.initiate() in mongosh once"
        )


async def _refuse_strangers(link: Link) -> int:
    """The version of the schema; an empty database becomes a store of this one."""
    # The names first: whoever makes a store writes the header before anything else.
    others = [name for name in await link.database.list_collection_names() if not name.startswith("system.")]
    header = await read_header(link)
    if header is None:
        if set(others) - {HEADER}:
            raise StoreUnavailable(f"{link.address} is a database, but not a store of Permanence")
        try:
            await link.database[HEADER].insert_one({**THE_STORE, "schema": migrations.SCHEMA_VERSION})
        except DuplicateKeyError:
            return await _refuse_strangers(link)  # another worker was first
        return migrations.SCHEMA_VERSION
    refuse_newer(link, header)
    return int(header["schema"])


async def read_header(link: Link) -> Stored | None:
    """What the store says of itself."""
    return await link.database[HEADER].find_one(THE_STORE)


def refuse_newer(link: Link, header: Mapping[str, Any]) -> None:
    """Raise StoreTooNew when a newer version has the store, or is upgrading it."""
    newest = max(int(header["schema"]), int(header.get("upgrading_to", 0)))
    if newest > migrations.SCHEMA_VERSION:
        raise StoreTooNew(
            f"{link.address} was written by a newer Permanence (schema {newest}, this one knows "
            f"{migrations.SCHEMA_VERSION}); run that version, or restore a backup"
        )


async def _make_collections(link: Link, names: set[str]) -> None:
    async def make(name: str) -> None:
        try:
            await link.database.create_collection(name)
        except CollectionInvalid:
            pass  # another worker opens the store at this moment
        except OperationFailure as failure:
            if failure.code != _NAMESPACE_EXISTS:
                raise

    await asyncio.gather(*map(make, names))


# ---------------------------------------------------------------- indexes


async def _align_indexes(link: Link, name: str, wanted: Mapping[str, IndexModel]) -> bool:
    """Drop those of ours that are not declared, or otherwise; build what is missing. Whether any was missing."""
    found = await link.database[name].index_information()
    for known in found:
        if "__" in known and (known not in wanted or not _is_as_declared(found[known], wanted[known])):
            await link.database[name].drop_index(known)
    missing = [
        model for known, model in wanted.items() if known not in found or not _is_as_declared(found[known], model)
    ]
    if missing:
        await link.database[name].create_indexes(missing)
    return bool(missing)


def _is_as_declared(found: Mapping[str, Any], model: IndexModel) -> bool:
    wanted = model.document
    return (
        [(field, int(direction)) for field, direction in found["key"]] == list(wanted["key"].items())
        and bool(found.get("unique")) == bool(wanted.get("unique"))
        and _plain(found.get("partialFilterExpression", {})) == _plain(wanted.get("partialFilterExpression", {}))
    )


def _plain(value: Any) -> Any:
    return {key: _plain(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value


async def _align(link: Link, kept: Collection[Any]) -> None:
    wanted = {index_name(index): declared(index) for index in kept.indexes}
    found = await link.database[kept.name].index_information()
    if any(name not in found or not _is_as_declared(found[name], wanted[name]) for name in wanted):
        # A version that did not declare the index may have written here: its columns are not to be trusted.
        await _rewrite(link, kept)
    await _align_indexes(link, kept.name, {**wanted, **(declared_words(kept.name) if kept.is_searched else {})})


async def learn_words(link: Link) -> None:
    """Make findable what was there before the store knew of words, the newest first.

    Broken off, the next opening goes on: what has its words already is left.
    """
    for kept in COLLECTIONS.values():
        documents = link.database[kept.name]
        unknown = {"words": {"$exists": False}}
        if not kept.is_searched or await documents.find_one(unknown, {"_id": 1}) is None:
            continue
        newest = documents.find(unknown, READ | {"version": 1, "unit": 1}).sort("_id", DESCENDING)
        while page := await newest.limit(PAGE).to_list(PAGE):
            # Who writes a document meanwhile writes its words too.
            await documents.bulk_write(
                [
                    UpdateOne(
                        {"_id": stored["_id"], "version": stored["version"], "unit": stored["unit"]},
                        {"$set": kept.found_by(kept.read(stored))},
                    )
                    for stored in page
                ],
                ordered=False,
            )
            behind = {"_id": {"$lt": page[-1]["_id"]}}
            newest = documents.find({**unknown, **behind}, READ | {"version": 1, "unit": 1}).sort("_id", DESCENDING)


# ---------------------------------------------------------------- upgrades


async def _upgrade(link: Link, schema: int) -> None:
    """Bring all documents to this version, alone: workers of older versions stop when they see it announced."""
    header = link.database[HEADER]
    now = datetime.now(UTC)
    free = {"$or": [{"upgrading_to": {"$exists": False}}, {"upgrade_held_until": {"$lt": now}}]}
    announced = {"upgrading_to": migrations.SCHEMA_VERSION, "upgrade_held_until": now + UPGRADE_HELD}
    taken = await header.update_one({**THE_STORE, "schema": schema, **free}, {"$set": announced})
    if not taken.matched_count:
        raise StoreUnavailable(f"{link.address} is being upgraded by another worker; start this one again in a minute")
    for kept in COLLECTIONS.values():
        if migrations.pending(kept.name, schema):
            await _align_indexes(link, kept.name, {})  # keys may collide while documents change one by one
            await _rewrite(link, kept)
    done = {"$set": {"schema": migrations.SCHEMA_VERSION}, "$unset": {"upgrading_to": "", "upgrade_held_until": ""}}
    await header.update_one(THE_STORE, done)


async def _rewrite(link: Link, kept: Collection[Any]) -> None:
    """Bring the form and the columns of every document to what this version writes."""
    documents = link.database[kept.name]
    behind = ""
    while page := await documents.find({"_id": {"$gt": behind}}).sort("_id", ASCENDING).limit(PAGE).to_list(PAGE):
        changes = [change for stored in page if (change := _rewritten(link, kept, stored)) is not None]
        if changes:
            # Who writes a document meanwhile writes it whole: then there is nothing to do for us.
            await documents.bulk_write(changes, ordered=False)
        await link.database[HEADER].update_one(
            {**THE_STORE, "upgrading_to": migrations.SCHEMA_VERSION},
            {"$set": {"upgrade_held_until": datetime.now(UTC) + UPGRADE_HELD}},
        )
        behind = page[-1]["_id"]


def _rewritten(link: Link, kept: Collection[Any], stored: Stored) -> ReplaceOne[Stored] | None:
    try:
        document = kept.read(stored)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(f"{link.address}: {kept.name} {stored['_id']} cannot be read: {error}") from error
    columns = {field: stored[field] for field in kept.fields if field in stored}
    if stored["schema"] == migrations.SCHEMA_VERSION and columns == kept.columns(document):
        return None
    unchanged = {"_id": stored["_id"], "version": stored["version"], "unit": stored["unit"]}
    return ReplaceOne(unchanged, kept.stored(document, ObjectId()))
