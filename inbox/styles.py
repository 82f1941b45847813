"""How words are set: bold, quoted, a link behind them. Offsets and lengths count UTF-16 units, as Telegram does.

Source: Bot API MessageEntity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from inbox.parts import Entity

INLINE = ("bold", "italic", "underline", "strikethrough", "spoiler", "code", "text_link")
BLOCKS = ("blockquote", "expandable_blockquote", "pre")
_SCHEMES = ("http://", "https://", "mailto:", "tel:")
MOST = 100
"""Source: Bot API; a message with more loses those that are too many."""


def units(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def kept(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Those that say how words are set and lead nowhere strange: what Telegram finds by itself, it finds again."""
    return tuple(
        e
        for e in entities
        if e.length > 0
        and (e.type in INLINE or e.type in BLOCKS)
        and (e.type != "text_link" or (e.url or "").lower().startswith(_SCHEMES))
    )[:MOST]


def moved(styles: Iterable[Entity], by: int) -> tuple[Entity, ...]:
    """The same, where so many units stand before the words now."""
    return tuple(Entity(type=s.type, offset=s.offset + by, length=s.length, url=s.url) for s in styles)


def joined(words: str, styles: Sequence[Entity], more: str, more_styles: Sequence[Entity]) -> tuple[Entity, ...]:
    """Those of two texts with an empty line between them; of one alone, where the other is empty."""
    before = units(words) + 2 if words and more else 0
    return (*styles, *moved(more_styles, before))


def carried_over(styles: Sequence[Entity], before: str, after: str) -> tuple[Entity, ...]:
    """Where they are once characters were taken out of a text, or its end was cut off."""
    if not styles:
        return ()
    at: list[int] = []  # for each unit of `before`, and its end, how many units of `after` precede it
    passed, i = 0, 0
    for character in before:
        wide = units(character)
        is_left = i < len(after) and after[i] == character
        at += [passed] * wide
        if is_left:
            passed, i = passed + wide, i + 1
    at.append(passed)

    def place(unit: int) -> int:
        return at[min(max(unit, 0), len(at) - 1)]

    return tuple(
        Entity(type=s.type, offset=place(s.offset), length=length, url=s.url)
        for s in styles
        if (length := place(s.offset + s.length) - place(s.offset)) > 0
    )


def within(styles: Iterable[Entity], start: int, end: int) -> tuple[Entity, ...]:
    """What of them falls into a stretch, counted from where that begins."""
    return tuple(
        Entity(type=s.type, offset=first - start, length=last - first, url=s.url)
        for s in styles
        if (first := max(s.offset, start)) < (last := min(s.offset + s.length, end))
    )


def runs(text: str, styles: Sequence[Entity]) -> Iterator[tuple[str, tuple[Entity, ...]]]:
    """The text in stretches in which nothing begins or ends, each with what it is set in."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    end = len(encoded) // 2
    edges = {0, end}
    for edge in (e for s in styles for e in (s.offset, s.offset + s.length)):
        # Nothing begins or ends within a character of two units.
        if 0 <= edge <= end and not 0xDC <= (encoded[edge * 2 + 1] if edge < end else 0) <= 0xDF:
            edges.add(edge)
    for start, stop in pairwise(sorted(edges)):
        stretch = encoded[start * 2 : stop * 2].decode("utf-16-le", "surrogatepass")
        yield stretch, tuple(s for s in styles if s.offset <= start and stop <= s.offset + s.length)
