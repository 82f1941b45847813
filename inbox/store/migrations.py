"""How stored documents change from one version of the schema to the next, whatever the backend.

A field that is added with a default needs no migration: old documents read
as if they had it. Neither does an index: backends build what is declared and
missing. Anything else (a rename, a split, a new meaning) is a function over
the plain document, listed here with the version it leads to:

    def _with_priority(document: dict[str, Any]) -> dict[str, Any]:
        urgent = document.pop("urgent", False)
        return {**document, "priority": "high" if urgent else "normal"}

    SCHEMA_VERSION = 2
    MIGRATIONS = (Migration(to=2, kind="conversation", transform=_with_priority),)

SQLite applies what is pending in one transaction: all documents are changed,
or none. MongoDB, whose transactions end after a minute, goes page by page:
each document says which version wrote it, workers of the old version stop at
once, and an upgrade that was broken off is taken up where it was left. What
comes out must be a document as `inbox.model` declares
it now, with the id it had. Add a test that reads a document as the old
version wrote it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

SCHEMA_VERSION = 1

Transform = Callable[[dict[str, Any]], dict[str, Any]]


class Migration(NamedTuple):
    """One step: every document of `kind` goes through `transform` on the way to version `to`."""

    to: int
    kind: str
    """The kind's name in `inbox.store.documents.KINDS`."""
    transform: Transform


MIGRATIONS: tuple[Migration, ...] = ()


def pending(kind: str, version: int) -> tuple[Transform, ...]:
    """What documents of the kind, as `version` wrote them, still have to go through, in order."""
    ahead = [step for step in MIGRATIONS if step.kind == kind and version < step.to <= SCHEMA_VERSION]
    return tuple(step.transform for step in sorted(ahead, key=lambda step: step.to))
