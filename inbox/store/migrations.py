"""How stored documents change from one version of the schema to the next, whatever the backend.

A field that is added with a default needs no migration: old documents read
as if they had it. Anything else (a rename, a split, a new meaning) is a
function over the plain document, listed here with the version it leads to:

    MIGRATIONS = (Migration(to=2, kind="conversation", transform=_with_priority),)

and SCHEMA_VERSION becomes that version. A backend applies what is pending in
one transaction: all documents are changed, or none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

SCHEMA_VERSION = 1


class Migration(NamedTuple):
    """One step: every document of `kind` goes through `transform` on the way to version `to`."""

    to: int
    kind: str
    """The kind's name in `inbox.store.documents.KINDS`."""
    transform: Callable[[dict[str, Any]], dict[str, Any]]


MIGRATIONS: tuple[Migration, ...] = ()
