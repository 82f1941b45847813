"""The backends every promise of the store is kept by, each at an address another process can open too.

`sqlite:/path/desk.db`, `pymongo:mongodb://host/database`, `motor:mongodb://host/database`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import pymongo
from pymongo.database import Database

from inbox.store.base import Store
from inbox.store.mongo import MongoStore
from inbox.store.mongo.layout import HEADER
from inbox.store.sqlite import SqliteStore

BACKENDS = ("sqlite", "pymongo", "motor")

_numbers = itertools.count(1)
_emptied: dict[str, list[str]] = {}
"""Databases that were used and hold nothing any more, by server: to make one takes a second."""


@contextmanager
def empty(backend: str, folder: Path, mongo_url: str | None = None) -> Iterator[str]:
    """The address of a store with nothing in it, emptied afterwards.

    Args:
        mongo_url: a server's, without a database (the fixture `mongo_url`); None: what MONGO_URL says.
    """
    assert backend in BACKENDS
    if backend == "sqlite":
        yield f"{backend}:{folder / 'desk.db'}"
        return
    with empty_database(os.environ["MONGO_URL"] if mongo_url is None else mongo_url) as url:
        yield f"{backend}:{url}"


@contextmanager
def empty_database(mongo_url: str) -> Iterator[str]:
    """The URL of a database with nothing in it (but perhaps collections and indexes), emptied afterwards."""
    unused = _emptied.setdefault(mongo_url, [])
    name = unused.pop() if unused else f"desk_{os.getpid()}_{next(_numbers)}"
    yield at(mongo_url, name)
    client: pymongo.MongoClient[dict[str, Any]]
    with pymongo.MongoClient(mongo_url) as client:
        database: Database[dict[str, Any]] = client[name]
        for collection in database.list_collection_names():
            if collection != HEADER and database[collection].find_one() is not None:
                database[collection].delete_many({})
    unused.append(name)


def at(mongo_url: str, name: str) -> str:
    """A server's URL with a database's name."""
    server, question, options = mongo_url.partition("?")
    return f"{server.rstrip('/')}/{name}{question}{options}"


def open_at(address: str) -> Store:
    """The store at an address, to be entered."""
    backend, _, place = address.partition(":")
    assert backend in BACKENDS
    if backend == "sqlite":
        return SqliteStore(Path(place))
    return MongoStore(place, driver=cast("Literal['pymongo', 'motor']", backend))
