"""A mail's text by its lines, made once for all that look for quotations in it.

Most lines are somebody's sentence and nothing else, which their first and last characters tell. They are found here
by one look each, so that the rules of `heads`, `quotes` and `forwards` are asked of the others only: asked of every
line of every mail, they would take longer than all the rest of the reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from channels.mail.heads import ABOVE_BEGINS, LAST_COLON, find_attribution, may_end_one, unmarked_lines
from channels.mail.signatures import SENT_BEGINS, SENT_ENDS

MOST_LINES = 4000
"""Lines that are looked at; what comes after them counts as read."""

MOST_TRIED = 400
"""Lines a mail may have that could end an attribution: of more, some list of moments is made, and no answer."""

_BEGINS = (*ABOVE_BEGINS, *SENT_BEGINS)
_BEGINS_BY_TWO = frozenset(
    first + second
    for begins in _BEGINS
    for first in (begins[0], begins[0].upper())
    for second in (begins[1], begins[1].upper())
)
_ENDS_BY_ONE = frozenset(letter for ends in SENT_ENDS for letter in (ends[-1], ends[-1].upper()))
_LETTERS = frozenset(chr(code) for code in (*range(0x250), *range(0x370, 0x530)) if chr(code).isalpha())
"""Of the Latin, Greek and Cyrillic alphabets: in others a line that names a device begins and ends in many ways."""
_ENDS_SENTENCES = _LETTERS | frozenset("0123456789.,;!?…»”’'\"€%")


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a text.

    Attributes:
        written: as they stand in it.
        said: `unmarked`; "" where nothing stands in them.
        odd: the numbers of those that are neither empty nor a sentence: that name, draw or quote something, or may end
            an attribution that no marked quotation follows.
    """

    written: Sequence[str]
    said: Sequence[str]
    odd: Sequence[int]
    _found: dict[tuple[int, bool], int | None] = field(default_factory=dict)

    def find_attribution(self, end: int, *, quoted: bool) -> int | None:
        """The same as `heads.find_attribution`, sought once, and for no more than `MOST_TRIED` lines."""
        if not may_end_one(self.said[end], quoted=quoted):
            return None
        if (end, quoted) not in self._found:
            seek = len(self._found) < MOST_TRIED
            self._found[end, quoted] = find_attribution(self.said, end, quoted=quoted) if seek else None
        return self._found[end, quoted]


def lines_of(text: str) -> Lines:
    """The first `MOST_LINES` lines of a text."""
    written = text.split("\n", MOST_LINES)[:MOST_LINES]
    said = unmarked_lines(text, MOST_LINES)
    return Lines(written, said, [n for n, line in enumerate(said) if line and not _is_sentence(line)])


def _is_sentence(line: str) -> bool:
    if line[0] == " ":
        line = line.lstrip(" ")
    last = line[-1]
    if line[0] not in _LETTERS or last not in _ENDS_SENTENCES or ">" in line or "：" in line:  # noqa: RUF001
        return False
    if ":" in line and (":" in line[:LAST_COLON] or "  " in line):
        return False
    if line[:2] in _BEGINS_BY_TWO and line.lower().startswith(_BEGINS):
        return False
    return len(line) > 1 and (last not in _ENDS_BY_ONE or not line[-12:].lower().endswith(SENT_ENDS))
