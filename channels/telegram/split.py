"""Long text in as many messages as Telegram needs, broken where people would break it."""

from __future__ import annotations

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


def _head(text: str, longest: int) -> str:
    """The longest beginning of at most `longest` units that ends between characters."""
    head = text[:longest]
    while len(head.encode("utf-16-le", "surrogatepass")) // 2 > longest:
        over = len(head.encode("utf-16-le", "surrogatepass")) // 2 - longest
        head = head[: -max(over // 2, 1)]
    return head
