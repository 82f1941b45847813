"""Who was forgotten, remembered outside the store: a backup that is put back does not know of it.

A file beside the store, or beside the config where the store is a server's:
one line for each, the day and the contact's id, which says nothing of anybody
once the contact is gone. It must be kept as long as any backup is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from bot.settings import Settings
from inbox.parts import ContactId

SUFFIX = ".forgotten"


def memory_of(settings: Settings) -> Path:
    """Where it is written."""
    return memory_at(settings.store.url, settings.source)


def memory_at(url: str, config: Path | None) -> Path:
    """Where it is written for the store at an address."""
    kind, _, path = url.partition(":")
    return Path(f"{path if kind == 'sqlite' else config or 'permanence'}{SUFFIX}")


def remembered(memory: Path) -> list[ContactId]:
    """Everyone who was forgotten since this memory began, in order."""
    try:
        lines = memory.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [ContactId(words[1]) for line in lines if len(words := line.split()) == 2]


def remember(memory: Path, contact_ids: Iterable[ContactId], now: datetime) -> None:
    """Add to it; durable when it returns."""
    known = set(remembered(memory))
    lines = [f"{now:%Y-%m-%d} {contact_id}\n" for contact_id in contact_ids if contact_id not in known]
    descriptor = os.open(memory, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, "".join(lines).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
