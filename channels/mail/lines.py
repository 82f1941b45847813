"""A mail's text by its lines, made once for all that look for quotations in it.

Most lines are somebody's sentence and nothing else, which their first and last characters tell. They are found here
by one look each, so that the rules of `heads`, `quotes` and `forwards` are asked of the others only: asked of every
line of every mail, they would take longer than all the rest of the reading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from channels.mail.heads import ABOVE_BEGINS, unmarked_lines
from channels.mail.signatures import SENT_BEGINS, device_words

MOST_LINES = 4000
"""Lines that are looked at; what comes after them counts as read."""

# Begins with a letter, ends as no attribution ends; no colon, mark or bar in it.
_SENTENCE = re.compile(r" *[^\W\d_][^:：>|]*[^:：>|*_\s–—-]\Z")  # noqa: RUF001  # colons and dashes of several alphabets
_BEGINS = (*ABOVE_BEGINS, *SENT_BEGINS)
_BEGINS_BY_TWO = frozenset(begins[:2] for begins in _BEGINS)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a text.

    Attributes:
        written: as they stand in it.
        said: `unmarked`.
        plain: whether a line is a sentence: it names nothing, draws nothing, quotes nothing, and ends no attribution
            but one that a marked quotation follows.
        devices: the `device_words` of the text.
    """

    written: Sequence[str]
    said: Sequence[str]
    plain: Sequence[bool]
    devices: Sequence[str]


def lines_of(text: str) -> Lines:
    """The first `MOST_LINES` lines of a text."""
    written = text.split("\n", MOST_LINES)[:MOST_LINES]
    said = unmarked_lines(text, MOST_LINES)
    devices = device_words(text)
    return Lines(written, said, [_is_plain(line, devices) for line in said], devices)


def _is_plain(line: str, devices: Sequence[str]) -> bool:
    if _SENTENCE.match(line) is None:
        return False
    begins = line.lstrip(" ")
    if begins[:2].lower() in _BEGINS_BY_TWO and begins.lower().startswith(_BEGINS):
        return False
    return not devices or not any(word in line.lower() for word in devices)
