"""aiogram imported without the validators of four hundred types of which this program uses thirty.

aiogram asks pydantic to build each type's validator when it is first used
(`defer_build`), and then, at the end of its import, builds them all to tell
each what the names in its annotations mean: 128 MiB and 3 s of every start,
`permanence receipts` included (aiogram#1513). Here the names are put where
pydantic looks for them by itself, into the module of each type, and nothing
is built before it is used.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_NAME = re.compile(r"[A-Za-z_]\w*")


def import_aiogram() -> None:
    """Import it so, unless it was imported already. Before anything else imports it: what then does finds it there."""
    if "aiogram" in sys.modules:
        return
    asked: list[tuple[type[BaseModel], Mapping[str, Any]]] = []
    rebuild = BaseModel.model_rebuild.__func__  # type: ignore[attr-defined]  # a class method's function

    def model_rebuild(cls: type[BaseModel], /, *, _types_namespace: Mapping[str, Any] | None = None, **how: Any) -> Any:
        if _types_namespace is None or not cls.__module__.startswith("aiogram."):
            return rebuild(cls, _types_namespace=_types_namespace, **how)
        asked.append((cls, _types_namespace))
        return None

    original = BaseModel.__dict__["model_rebuild"]
    BaseModel.model_rebuild = classmethod(model_rebuild)  # type: ignore[assignment, method-assign]
    try:
        import aiogram  # noqa: F401
    finally:
        BaseModel.model_rebuild = original  # type: ignore[method-assign]
    # Only now: its methods are built as soon as their types are known.
    for cls, namespace in asked:
        known = vars(sys.modules[cls.__module__])
        for name in _named(cls) & namespace.keys():
            known.setdefault(name, namespace[name])


def _named(cls: type[BaseModel]) -> set[str]:
    """Every name in the annotations of a type and of those it inherits from."""
    annotations = (text for base in cls.__mro__ for text in inspect.get_annotations(base).values())
    return {name for text in annotations for name in _NAME.findall(str(text))}
