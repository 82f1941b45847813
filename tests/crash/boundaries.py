"""Every place that hands a commit to the store, by name, read from the code itself."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "channels", "handlers", "inbox")
NOT_THE_DESK = ("bot/demo/", "inbox/store/")
"""The demo's store is thrown away at its end; a store's own commit is what is called."""
COMMITS = ("commit", "ignore")

Span = tuple[int | None, int | None, int | None, int | None]


@dataclass(frozen=True)
class Boundary:
    """One call that commits.

    Attributes:
        name: `module:function`, and which of several in that function, in the order they stand.
        spans: where the call stands, and the await around it: first and last line, first and last column.
    """

    name: str
    path: Path
    line: int
    spans: frozenset[Span]

    def is_in(self, frame: FrameType | None) -> bool:
        """Whether what runs in this frame was called, directly or not, from here."""
        while frame is not None:
            if frame.f_code.co_filename == str(self.path) and _span(frame.f_code, frame.f_lasti) in self.spans:
                return True
            frame = frame.f_back
        return False


def _span(code: CodeType, instruction: int) -> Span:
    first, last, begins, ends = list(code.co_positions())[instruction // 2]
    return first, last, begins, ends


@cache
def boundaries() -> Mapping[str, Boundary]:
    """All of them."""
    found = [boundary for package in PACKAGES for path in _modules(package) for boundary in _in_module(path)]
    return {boundary.name: boundary for boundary in found}


def _modules(package: str) -> Iterator[Path]:
    for path in sorted((ROOT / package).rglob("*.py")):
        if not path.relative_to(ROOT).as_posix().startswith(NOT_THE_DESK):
            yield path


def _in_module(path: Path) -> Iterator[Boundary]:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    seen: Counter[str] = Counter()
    for function, call, spans in _calls(ast.parse(path.read_text()), "", frozenset()):
        seen[function] += 1
        which = f" {seen[function]}" if seen[function] > 1 else ""
        yield Boundary(f"{module}:{function}{which}", path, call.lineno, spans)


def _calls(node: ast.AST, inside: str, around: frozenset[Span]) -> Iterator[tuple[str, ast.Call, frozenset[Span]]]:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) if name in COMMITS:
            yield inside, node, around | {_place(node)}
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        within = f"{inside}.{child.name}".lstrip(".") if named else inside  # type: ignore[attr-defined]  # they have names
        awaited = isinstance(node, ast.Await) and child is node.value
        yield from _calls(child, within, frozenset({_place(node)}) if awaited else frozenset())


def _place(node: ast.Call | ast.Await | ast.AST) -> Span:
    assert isinstance(node, ast.expr)
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset
