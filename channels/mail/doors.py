"""How many connections one server gets, at a time and for each user."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 8
"""Measured: Dovecot lets 200 in within 1.7 s so, and within 1.6 s by 64 at once; others take many for an attack."""
PER_USER = 8
"""Gmail allows 15 and Dovecot 10 unless told otherwise, and people's own programs are among them."""
ASIDE = 2
"""Those of a user that are held for a moment: to keep a copy, to count again."""


class Doors:
    """Shared by all mailboxes of a process; each server has its own."""

    def __init__(self, at_once: int = AT_ONCE, per_user: int = PER_USER) -> None:
        self._doors: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(at_once))
        self._aside: defaultdict[tuple[str, str], asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(ASIDE))
        self._to_wait = per_user - ASIDE
        self._waiting: Counter[tuple[str, str]] = Counter()

    def to(self, host: str) -> asyncio.Semaphore:
        """To be held while a connection is opened and logged in, not while it is used. First come, first in."""
        return self._doors[_name(host)]

    def aside(self, host: str, user: str) -> asyncio.Semaphore:
        """To be held as long as a connection is, that does not wait for mail."""
        return self._aside[_name(host), user]

    @contextmanager
    def places(self, host: str, user: str, wanted: int) -> Iterator[int]:
        """How many connections a mailbox may hold inside to wait for mail: as it wants if there are, at least one."""
        key = _name(host), user
        granted = max(1, min(wanted, self._to_wait - self._waiting[key]))
        self._waiting[key] += granted
        try:
            yield granted
        finally:
            self._waiting[key] -= granted


def _name(host: str) -> str:
    return host.lower().rstrip(".")
