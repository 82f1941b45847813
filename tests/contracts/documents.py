"""Documents of every kind, made from their declarations: a field nobody thought of here is covered too."""

from __future__ import annotations

import itertools
import types
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, NewType, TypeVar, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from inbox.parts import Document

D = TypeVar("D", bound=Document)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make(kind: type[D], /, **given: Any) -> D:
    """A document with every field set, none of them as in any other made before (but enumerations and flags)."""
    number = next(_numbers)
    fields: dict[str, Any] = {
        f.name: _value(f.type, f.name, number) for f in msgspec.structs.fields(kind) if f.name != "version"
    }
    return kind(**{**fields, **given})


def _value(declared: Any, name: str, number: int) -> object:
    plain: dict[Any, object] = {
        str: f"{name}-{number}",
        int: number,
        bool: True,
        bytes: b"\x00\xff%d" % number,
        datetime: START + timedelta(seconds=number, microseconds=number),
        date: START.date(),
    }
    if declared in plain:
        return plain[declared]
    if isinstance(declared, NewType):
        return _value(declared.__supertype__, name, number)
    origin, arguments = get_origin(declared), get_args(declared)
    if origin in (Union, types.UnionType):
        return _value(next(a for a in arguments if a is not type(None)), name, number)
    if origin is tuple:
        return (_value(arguments[0], name, number), _value(arguments[0], name, -number))
    if origin is dict:
        return {f"{name}-{number}": _value(arguments[1], name, number)}
    if issubclass(declared, Enum):
        return next(iter(declared))
    return declared(**{f.name: _value(f.type, f.name, number) for f in msgspec.structs.fields(declared)})


def optional(kind: type[Document], field: str) -> bool:
    """Whether the field may be None."""
    [declared] = [f.type for f in msgspec.structs.fields(kind) if f.name == field]
    return type(None) in get_args(declared)


def anything(declared: Any) -> st.SearchStrategy[Any]:
    """Every value the declared type allows: any text, any number of 64 bits, any instant, each member of a union."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(max_size=20),
        int: st.integers(-(2**63), 2**63 - 1),
        bool: st.booleans(),
        bytes: st.binary(max_size=20),
        type(None): st.none(),
        datetime: st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        date: st.dates(),
    }
    if declared in plain:
        return plain[declared]
    if isinstance(declared, NewType):
        return anything(declared.__supertype__)
    origin, arguments = get_origin(declared), get_args(declared)
    if origin in (Union, types.UnionType):
        return st.one_of(*(anything(argument) for argument in arguments))
    if origin is tuple and arguments[-1] is not ...:
        return st.tuples(*(anything(argument) for argument in arguments))
    if origin is tuple:
        return st.lists(anything(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(anything(arguments[0]), anything(arguments[1]), max_size=2)
    if issubclass(declared, Enum):
        return st.sampled_from(list(declared))
    fields = {f.name: anything(f.type) for f in msgspec.structs.fields(declared) if f.name != "version"}
    return st.builds(declared, **fields)
