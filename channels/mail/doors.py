"""How many connections may be opened to one server at a time: two hundred mailboxes do not storm it together."""

from __future__ import annotations

import asyncio
from collections import defaultdict

AT_ONCE = 8
"""Measured: Dovecot lets 200 in within 1.7 s so, and within 1.6 s by 64 at once; others take many for an attack."""


class Doors:
    """Shared by all mailboxes of a process; each server has its own."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._doors: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(at_once))

    def to(self, host: str) -> asyncio.Semaphore:
        """To be held while a connection is opened and logged in, not while it is used. First come, first in."""
        return self._doors[host.lower().rstrip(".")]
