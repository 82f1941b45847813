"""The backends every promise of the store is kept by, each at an address another process can open too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inbox.store.base import Store
from inbox.store.sqlite import SqliteStore

BACKENDS = ("sqlite",)


@contextmanager
def empty(backend: str, folder: Path) -> Iterator[str]:
    """The address of a store with nothing in it, removed afterwards."""
    assert backend in BACKENDS
    yield f"{backend}:{folder / 'desk.db'}"


def open_at(address: str) -> Store:
    """The store at an address, to be entered."""
    backend, _, place = address.partition(":")
    assert backend in BACKENDS
    return SqliteStore(Path(place))
