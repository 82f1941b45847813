"""A store from before words were indexed: what it holds is found once it has been gone through, killed or not."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pymongo
import pytest

from inbox.model import Contact, Message
from inbox.parts import new_id
from inbox.store.base import Changes, Store
from inbox.store.mongo import MongoStore
from inbox.store.sqlite import SqliteStore
from inbox.words import sought
from tests.builders import ROUX
from tests.contracts.backends import empty_database
from tests.contracts.documents import make

PATIENCE = 20


def messages(count: int) -> list[Message]:
    return [make(Message, id=new_id(), account_id=ROUX, text=f"ancien {n}") for n in range(count)]


async def found(store: Store, query: str) -> Sequence[str]:
    return [m.text for m in await store.search(Message, sought(query), [ROUX], limit=1000)]


async def becomes(store: Store, query: str, wanted: Callable[[Sequence[str]], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not wanted(await found(store, query)):  # noqa: ASYNC110  # only the store knows
            await asyncio.sleep(0.01)


def forget_words(path: Path, kind: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in ("added", "gone", "changed"):
            connection.execute(f"DROP TRIGGER {kind}__words_{name}")
        connection.execute(f"DROP TRIGGER {kind}__gone")
        connection.execute(f"DROP TABLE {kind}__found")
        connection.execute(f"DROP TABLE {kind}__words")


async def test_what_was_there_before_is_found_newest_first_and_behind_what_came_since(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    old = messages(130)
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=[*old, make(Contact, id=new_id(), account_id=ROUX, name="Anne")]))
    forget_words(path, "message")
    forget_words(path, "contact")
    async with SqliteStore(path) as store:  # the command line leaves it to the worker
        assert await found(store, "ancien") == []
        await store.commit(Changes(inserts=[make(Message, id=new_id(), account_id=ROUX, text="ancien, mais neuf")]))
    async with SqliteStore(path, exclusive=True) as store:
        await becomes(store, "ancien", lambda texts: len(texts) == 131)
        assert await found(store, "ancien") == ["ancien, mais neuf", *(m.text for m in reversed(old))]
        async with asyncio.timeout(PATIENCE):
            while not await store.search(Contact, sought("anne"), None, limit=1):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_store_that_was_closed_half_way_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    old = messages(400)
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=old))
    forget_words(path, "message")
    async with SqliteStore(path, exclusive=True) as store:
        await becomes(store, "ancien", lambda texts: len(texts) > 0)
    with closing(sqlite3.connect(path)) as connection:
        [learnt] = connection.execute("SELECT count(*) FROM message__words").fetchone()
    assert 0 < learnt < 400
    async with SqliteStore(path, exclusive=True) as store:
        [gone] = await store.search(Message, sought("ancien 399"), None, limit=1)
        await store.commit(Changes(deletions=[gone]))
        await becomes(store, "ancien", lambda texts: len(texts) == 399)
        assert await found(store, "ancien") == [m.text for m in reversed(old[:-1])]
        assert await store.verify() == []


@pytest.mark.parametrize("half", [False, True])
async def test_mongodb_too(mongo_url: str, half: bool) -> None:
    old = messages(230)
    with empty_database(mongo_url) as url, pymongo.MongoClient[dict[str, Any]](url) as client:
        kept = client.get_default_database()["message"]
        async with MongoStore(url) as store:
            await store.commit(Changes(inserts=old))
        kept.update_many({"_id": {"$lt": old[100].id}} if half else {}, {"$unset": {"words": ""}})
        kept.drop_index("message__words")
        async with MongoStore(url) as store:
            await becomes(store, "ancien", lambda texts: len(texts) == 230)
            assert await found(store, "ancien") == [m.text for m in reversed(old)]
