"""Who waits for commits, whatever the backend: woken by what a commit leaves behind, at once and not for nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from inbox.parts import Document
from inbox.store.base import Changes, Value, Watch
from inbox.store.columns import Column, column


class _Any:
    """Stands for every value but None."""


_ANY = _Any()


class Watches:
    """Everybody who waits, by what they wait for."""

    def __init__(self) -> None:
        self._all: set[_Watch] = set()
        self._of_kind: defaultdict[type[Document], set[_Watch]] = defaultdict(set)
        self._of_field: defaultdict[type[Document], dict[str, defaultdict[object, set[_Watch]]]] = defaultdict(dict)

    def add(self, kinds: frozenset[type[Document]], field: str | None, equal: Value) -> Watch:
        """See `inbox.store.base.Store.watch`."""
        watch = _Watch(self)
        self._all.add(watch)
        for kind in kinds:
            if field is None:
                self._of_kind[kind].add(watch)
            else:
                by_value = self._of_field[kind].setdefault(field, defaultdict(set))
                by_value[_ANY if equal is None else column(equal)].add(watch)
        return watch

    def wake(self, changes: Changes) -> None:
        """These changes were committed."""
        for kind in changes.kinds():
            _set(self._of_kind[kind])
        for document in (*changes.inserts.values(), *changes.replacements.values()):
            for field, by_value in self._of_field[type(document)].items():
                _set_matching(by_value, column(getattr(document, field)))

    def wake_elsewhere(self, kind: type[Document], left: Mapping[str, Column] | None) -> None:
        """Another process committed a document of the kind.

        Args:
            left: its indexed fields as they are now, those that are None left out; None where it was deleted.
        """
        _set(self._of_kind[kind])
        if left is not None:
            for field, by_value in self._of_field[kind].items():
                _set_matching(by_value, left.get(field))

    def wake_all(self) -> None:
        """Something may have been committed."""
        _set(self._all)

    def forget(self, watch: _Watch) -> None:
        """Nobody holds it any more."""
        self._all.discard(watch)
        tables: list[Any] = [self._of_kind, *(t for fields in self._of_field.values() for t in fields.values())]
        for table in tables:
            for watches in table.values():
                watches.discard(watch)


def _set(watches: set[_Watch]) -> None:
    for watch in watches:
        watch.event.set()


def _set_matching(by_value: Mapping[object, set[_Watch]], value: Column) -> None:
    if value is not None:
        _set(by_value.get(_ANY, set()))
        _set(by_value.get(value, set()))


class _Watch(Watch):
    def __init__(self, watches: Watches) -> None:
        self._watches = watches
        self.event = asyncio.Event()

    async def wait(self, timeout: float | None = None) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self.event.wait()
        except TimeoutError:
            return False
        self.event.clear()
        return True

    def close(self) -> None:
        self._watches.forget(self)
