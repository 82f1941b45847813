"""What an index compares: the same in every backend, so that order and equality are too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum

Column = str | int | None
"""What an index holds of a field."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def column(value: object) -> Column:
    """A value as an index compares it: instants in microseconds, so that they sort; enumerations by value."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} cannot be indexed")
