"""Long text in as many messages as Telegram needs, broken where people would break it."""

from __future__ import annotations

from inbox import styles
from inbox.parts import Entity

LONGEST = 4096
"""UTF-16 units of one message. Source: Bot API sendMessage."""

_BREAKS = ("\n\n", "\n", " ")


def split(text: str, longest: int = LONGEST) -> list[str]:
    """The text in parts of at most `longest` UTF-16 units: between paragraphs, else lines, else words.

    Nothing is lost but the white space at a break.
    """
    parts: list[str] = []
    rest = text.strip()
    while len(rest.encode("utf-16-le", "surrogatepass")) // 2 > longest:
        head = _head(rest, longest)
        for mark in _BREAKS:
            at = head.rfind(mark)
            # A break in the first half would make many short messages.
            if at > len(head) // 2:
                head = head[:at]
                break
        parts.append(head.rstrip())
        rest = rest[len(head) :].lstrip()
    parts.append(rest)
    return [part for part in parts if part]


def split_styled(text: str, set_as: tuple[Entity, ...], longest: int = LONGEST) -> list[tuple[str, tuple[Entity, ...]]]:
    """The parts of a text, each with how its words are set."""
    parts: list[tuple[str, tuple[Entity, ...]]] = []
    at = 0
    for part in split(text, longest):
        at = text.index(part, at)
        start = styles.units(text[:at])
        parts.append((part, styles.within(set_as, start, start + styles.units(part))))
        at += len(part)
    return parts


def _head(text: str, longest: int) -> str:
    """The longest beginning of at most `longest` units that ends between characters."""
    head = text[:longest]
    while len(head.encode("utf-16-le", "surrogatepass")) // 2 > longest:
        over = len(head.encode("utf-16-le", "surrogatepass")) // 2 - longest
        head = head[: -max(over // 2, 1)]
    return head
