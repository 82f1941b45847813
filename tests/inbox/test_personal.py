"""Every field of what is stored is decided about: whose personal data stands in it."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from inbox.personal import FIELDS, Holds
from inbox.store.documents import KINDS


def structs_in(declared: Any) -> Iterator[type[msgspec.Struct]]:
    if get_origin(declared) in (Union, types.UnionType, tuple, dict):
        for argument in get_args(declared):
            yield from structs_in(argument)
    elif isinstance(declared, type) and issubclass(declared, msgspec.Struct):
        yield declared


def all_stored() -> set[type[msgspec.Struct]]:
    found: set[type[msgspec.Struct]] = set()
    ahead: list[type[msgspec.Struct]] = list(KINDS)
    while ahead:
        struct = ahead.pop()
        if struct not in found:
            found.add(struct)
            ahead += [inner for declared in get_type_hints(struct).values() for inner in structs_in(declared)]
    return found


def test_every_kind_of_document_and_part_is_decided_about_and_nothing_else() -> None:
    assert set(FIELDS) == all_stored()


@pytest.mark.parametrize("struct", sorted(all_stored(), key=str), ids=str)
def test_every_field_is_decided_about(struct: type[msgspec.Struct]) -> None:
    assert list(FIELDS[struct]) == list(dict.fromkeys(FIELDS[struct]))
    assert set(FIELDS[struct]) == set(struct.__struct_fields__), "say in inbox/personal.py what stands in the new field"


@pytest.mark.parametrize("struct", sorted(all_stored(), key=str), ids=str)
def test_what_is_made_of_parts_says_so(struct: type[msgspec.Struct]) -> None:
    for field, declared in get_type_hints(struct).items():
        holds_parts = any(True for _ in structs_in(declared))
        # An account's identity is the account's as a whole.
        assert not holds_parts or FIELDS[struct][field] in (Holds.PARTS, Holds.DESK), field
