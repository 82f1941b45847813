"""What documents are made of: parts that have no life of their own."""

from __future__ import annotations

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A value inside a document; it has no life of its own."""
