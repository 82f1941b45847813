"""Which words of a mail its author wrote now: the rest is quoted, a signature, or a footer somebody's server added.

Nothing is taken away: what is told is where the new words stand, and whoever shows them can show all of it. In
doubt a line is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from enum import Enum
from itertools import groupby

from channels.mail.heads import (
    MOST_ATTRIBUTION_LINES,
    HeadBlock,
    find_attribution,
    is_attribution_of_marked,
    is_attribution_with_words,
    is_head_in_one_line,
    is_head_of_a_mail,
    is_original_line,
    may_end_attribution,
    may_end_one,
    names_something,
    read_head_block,
    read_shortest_head,
    read_unknown_head,
    says_it_hands_on,
)
from channels.mail.lines import Lines, lines_of
from channels.mail.signatures import (
    ADDRESS,
    begins_signature,
    goes_on,
    is_device_line,
    is_short_signature,
    underlines,
)
from inbox.particulars import fresh_part

LONGEST_SIGNATURE = 25
LONGEST_FOOTER = 12
LONGEST_GREETING = 2

Spans = tuple[tuple[int, int], ...]


class _Line(Enum):
    EMPTY = "empty"
    TEXT = "text"
    QUOTED = "quoted"
    ATTRIBUTION = "attribution"
    HEAD = "head"
    ORIGINAL = "original"
    SEPARATOR = "separator"
    DEVICE = "device"
    """"Sent from my phone"."""
    ARMOUR = "armour"
    """What OpenPGP wraps around words it signs (RFC 4880 §7)."""


def fresh_spans(text: str, lines: Lines | None = None, *, with_signature: bool = False) -> Spans:
    """Where the author's own new words stand in a mail's text, as (start, end) in characters.

    () when all of it is theirs; also where nothing would be left: a mail that only quotes says what it quotes.

    Args:
        lines: those of the text, where they are known.
        with_signature: whether a signature counts as theirs, and what their telephone and their list add.
    """
    lines = lines or lines_of(text)
    if all(plain or not said for plain, said in zip(lines.plain, lines.said, strict=True)):
        return ()  # sentences and nothing else
    written = lines.written
    kept = _kept(lines, with_signature=with_signature)
    if all(kept) or not any(kept[n] and line.strip() for n, line in enumerate(written)):
        return ()
    return _spans(written, kept)


def fresh_words(text: str, spans: Spans) -> str:
    """The words at these places; all of them where there are none."""
    return fresh_part(text, spans) if spans else text.strip()


def _spans(lines: Sequence[str], kept: Sequence[bool]) -> Spans:
    spans: list[tuple[int, int]] = []
    at = 0
    for line, is_kept in zip(lines, kept, strict=True):
        end = at + len(line) + 1
        if is_kept and spans and spans[-1][1] == at:
            spans[-1] = (spans[-1][0], end)
        elif is_kept:
            spans.append((at, end))
        at = end
    if spans and spans[-1][1] == at:
        spans[-1] = (spans[-1][0], at - 1)  # after the last line stands no line end
    return tuple((start, end) for start, end in spans if start < end)


def _kept(read: Lines, *, with_signature: bool) -> list[bool]:
    lines = read.said
    kinds = _kinds(read)
    if with_signature:
        kinds = [_Line.TEXT if kind is _Line.DEVICE else kind for kind in kinds]
    kept = [True] * len(lines)
    end = _cut_at(lines, kinds, kept)
    if not with_signature:
        _drop_signature(read, kinds, kept, end)
    _drop_quotations(kinds, kept, end)
    for number in range(end, len(lines)):
        kept[number] = False
    return kept


# ---------------------------------------------------------------- what each line is

_QUOTE = re.compile(r"\s{0,4}(?:>|\|\s|\|$|[A-Z][A-Za-z]{0,2}>(?:\s|$))")
_TABLE_ROW = re.compile(r"\s*\|[^|]+\|.*\|$")
_SEPARATOR = re.compile(r"\s*(?:[-_=*─—–\u2010]\s?){5,}\s*$|\s*[-—–]{2,4}\s*$|\s*[—–]\s*$")


def _kinds(read: Lines) -> list[_Line]:
    lines, plain = read.said, read.plain
    kinds = [_Line.TEXT if plain[n] else _kind(line, read.devices) for n, line in enumerate(lines)]
    fence, fenced = None, set[int]()
    for number, line in enumerate(lines):
        # What stands between fences is code, whatever it looks like.
        if not plain[number] and line.lstrip().startswith("```"):
            if fence is not None:
                kinds[fence : number + 1] = [_Line.TEXT] * (number + 1 - fence)
                fenced.update(range(fence, number + 1))
            fence = number if fence is None else None
    _mark_armour(lines, kinds)
    _mark_heads(lines, kinds, fenced)
    _mark_attributions(read, kinds, fenced)
    _mark_wrapped(lines, kinds)
    return kinds


def _kind(line: str, words: Sequence[str]) -> _Line:
    if not line.strip():
        return _Line.EMPTY
    if is_original_line(line) or is_head_in_one_line(line) or is_attribution_with_words(line):
        return _Line.ORIGINAL
    if _QUOTE.match(line) and not _TABLE_ROW.match(line):
        return _Line.QUOTED
    if _SEPARATOR.match(line):
        return _Line.SEPARATOR
    if is_device_line(line, words):
        return _Line.DEVICE
    return _Line.TEXT


def _mark_heads(lines: Sequence[str], kinds: list[_Line], fenced: Set[int]) -> None:
    number = 0
    while number < len(lines):
        if (
            kinds[number] is _Line.TEXT
            and names_something(lines[number])
            and number not in fenced
            and (block := _head_at(lines, kinds, number)) is not None
        ):
            kinds[block.start : block.end] = [_Line.HEAD] * (block.end - block.start)
            number = block.end
        else:
            number += 1


def _head_at(lines: Sequence[str], kinds: Sequence[_Line], number: int) -> HeadBlock | None:
    before = next((kinds[n] for n in range(number - 1, max(number - 3, -1), -1) if kinds[n] is not _Line.EMPTY), None)
    block = read_head_block(lines, number)
    if block is not None and (before is _Line.ORIGINAL or is_head_of_a_mail(lines, block)):
        return block
    if number and kinds[number - 1] is _Line.TEXT:
        return None
    return read_unknown_head(lines, number) or read_shortest_head(lines, number)


def _mark_armour(lines: Sequence[str], kinds: list[_Line]) -> None:
    number = 0
    while number < len(lines):
        begun = _ARMOUR.match(lines[number])
        end = number + 1
        if begun is None:
            number = end
            continue
        if begun[1] == "SIGNATURE":
            ends = (n + 1 for n in range(number, len(lines)) if lines[n].startswith("-----END PGP SIGNATURE"))
            end = next(ends, len(lines))
        else:
            while end < len(lines) and lines[end].startswith("Hash:"):
                end += 1
        kinds[number:end] = [_Line.ARMOUR] * (end - number)
        number = end


_ARMOUR = re.compile(r"-----BEGIN PGP (SIGNATURE|SIGNED MESSAGE)-----")
_SHORTEST_WRAPPED = 55


def _mark_wrapped(lines: Sequence[str], kinds: list[_Line]) -> None:
    """What a program broke off a quoted line that had grown too long is quoted."""
    for number in range(1, len(lines) - 1):
        above = lines[number - 1]
        if (
            kinds[number - 1] is kinds[number + 1] is _Line.QUOTED
            and kinds[number] is _Line.TEXT
            and len(above) >= _SHORTEST_WRAPPED
            and not above.endswith((".", "!", "?", ":"))
            and len(lines[number]) < len(above)
            and not lines[number][:1].isupper()
        ):
            kinds[number] = _Line.QUOTED


MOST_TRIED = 400
"""Lines a mail may have that could end an attribution: of more, some list of moments is made, and no answer."""


def _mark_attributions(read: Lines, kinds: list[_Line], fenced: Set[int]) -> None:
    lines, plain = read.said, read.plain
    tried = 0
    first_quoted = next((n for n, kind in enumerate(kinds) if kind is _Line.QUOTED), len(kinds))
    for number, kind in enumerate(kinds):
        if kind is _Line.QUOTED:
            if number - first_quoted > MOST_ATTRIBUTION_LINES or _depth(lines[number]) > 1:
                continue  # within a quotation: an older one, wherever it begins
            quoted = False
        elif kind is _Line.TEXT or kind is _Line.SEPARATOR:
            ahead = kinds[number + 1 : number + 4]
            quoted = _Line.QUOTED in ahead and next(k for k in ahead if k is not _Line.EMPTY) is _Line.QUOTED
            if plain[number] and not quoted:
                continue
        else:
            continue
        if number in fenced or not may_end_one(lines[number], quoted=quoted):
            continue
        start = None
        if may_end_attribution(lines, number, quoted=quoted):
            tried += 1
            if tried > MOST_TRIED:
                break
            start = find_attribution(lines, number, quoted=quoted)
        if start is None and quoted and is_attribution_of_marked(lines[number]):
            start = number
        if start is None or any(k in (_Line.HEAD, _Line.ATTRIBUTION) for k in kinds[start:number]):
            continue
        if kind is _Line.QUOTED and any(k is _Line.QUOTED for k in kinds[:start]):
            continue  # within a quotation: an older one
        kinds[start : number + 1] = [_Line.ATTRIBUTION] * (number + 1 - start)


def _depth(line: str) -> int:
    marks = line.lstrip()
    return len(marks) - len(marks.lstrip("> ")) - marks[: len(marks) - len(marks.lstrip("> "))].count(" ")


# ---------------------------------------------------------------- quotations


def _cut_at(lines: Sequence[str], kinds: Sequence[_Line], kept: list[bool]) -> int:
    """Where the quoted rest of the mail begins; headers that nothing stands before are dropped on the way."""
    said = False
    number = 0
    quotes_next = _quotes_next(kinds)
    while number < len(kinds):
        kind = kinds[number]
        if kind in _INTRODUCTIONS:
            if said and not quotes_next[number]:
                return _without_separator(lines, kinds, number)
            while number < len(kinds) and kinds[number] is kind:
                kept[number] = False
                number += 1
            continue
        said = said or kind is _Line.TEXT
        number += 1
    return len(kinds)


_INTRODUCTIONS = (_Line.ATTRIBUTION, _Line.ORIGINAL, _Line.HEAD)


def _quotes_next(kinds: Sequence[_Line]) -> list[bool]:
    """For each line, whether a quotation that is marked as such begins there or follows what introduces it there."""
    follows = [False] * (len(kinds) + 1)
    for number in range(len(kinds) - 1, -1, -1):
        passes = kinds[number] in (*_INTRODUCTIONS, _Line.EMPTY)
        follows[number] = kinds[number] is _Line.QUOTED or (passes and follows[number + 1])
    return follows


def _without_separator(lines: Sequence[str], kinds: Sequence[_Line], end: int) -> int:
    """The same place, before the line drawn above it, whatever is written in that."""
    while end and (
        kinds[end - 1] in (_Line.EMPTY, _Line.SEPARATOR, _Line.DEVICE)
        or _TITLE.match(lines[end - 1])
        or says_it_hands_on(lines[end - 1])
    ):
        end -= 1
    return end


_TITLE = re.compile(r"\s*[-_=–—*]{2,}[^\n]{1,100}?[-_=–—*]{2,}\s*$")


def _drop_quotations(kinds: Sequence[_Line], kept: list[bool], end: int) -> None:
    """An attribution goes, with what it introduces; marks that nobody introduced stay where an answer follows them."""
    last_text = max((n for n in range(end) if kept[n] and kinds[n] is _Line.TEXT), default=-1)
    answered = _is_answered_within(kinds, kept, end)
    introduced = False
    for number in range(end):
        kind = kinds[number]
        if kind in _INTRODUCTIONS:
            introduced = True
            kept[number] = False
        elif kind is _Line.QUOTED:
            kept[number] = number <= last_text and (answered or not introduced)
        elif kind is _Line.ARMOUR:
            kept[number] = False


def _is_answered_within(kinds: Sequence[_Line], kept: Sequence[bool], end: int) -> bool:
    """Whether the answers stand between the quoted lines, which they would say nothing without."""
    shown = [kind for n, kind in enumerate(kinds[:end]) if kept[n] and kind in (_Line.TEXT, _Line.QUOTED)]
    runs = [(kind, len(list(lines))) for kind, lines in groupby(shown)]
    if len(runs) == 3 and runs[1][0] is _Line.QUOTED:
        # A greeting above, or a name below, answers nothing.
        return min(runs[0][1], runs[2][1]) > LONGEST_GREETING
    return sum(kind is _Line.QUOTED for kind, _ in runs) > 1


# ---------------------------------------------------------------- signatures and footers


def _drop_signature(read: Lines, kinds: Sequence[_Line], kept: list[bool], end: int) -> None:
    lines, plain = read.said, read.plain
    number = 0
    said = False
    while number < end:
        if not kept[number] or (plain[number] and kinds[number] is _Line.TEXT):
            said = said or kept[number]
            number += 1
            continue
        kind, line = kinds[number], lines[number]
        stop = None
        if kind is _Line.DEVICE and said:
            within = _Line.TEXT in kinds[number - 1 : number + 2]
            kept[number] = within and not _nothing_follows(kinds, kept, number, end)
        elif said and begins_signature(line) and not goes_on(lines, number, end):
            stop = _end_of_signature(kinds, kept, number, end, LONGEST_SIGNATURE)
        elif said and kind is _Line.SEPARATOR and not underlines(lines, number):
            stop = _end_of_footer(lines, kinds, kept, number, end)
        elif said and is_short_signature(lines, number) and _nothing_follows(kinds, kept, number, end):
            kept[number] = False
        if stop is not None:
            kept[number:stop] = [False] * (stop - number)
            number = stop
            continue
        said = said or kind is _Line.TEXT
        number += 1


def _end_of_signature(kinds: Sequence[_Line], kept: Sequence[bool], start: int, end: int, longest: int) -> int | None:
    stop = start + 1
    while stop < end and kept[stop] and kinds[stop] is not _Line.QUOTED:
        stop += 1
    lines = sum(kind is not _Line.EMPTY for kind in kinds[start:stop])
    return stop if lines <= longest else None


def _end_of_footer(
    lines: Sequence[str], kinds: Sequence[_Line], kept: Sequence[bool], start: int, end: int
) -> int | None:
    """Where what stands under a line drawn to the end of the mail ends, if it is what lists and servers add."""
    stop = _end_of_signature(kinds, kept, start, end, LONGEST_FOOTER)
    if stop is None or any(kept[n] and kinds[n] is _Line.TEXT for n in range(stop, end)):
        return None
    under = lines[start + 1 : stop]
    texts = [line for line in under if line.strip()]
    if "_" not in lines[start] and len(re.split(r"\n{2,}", "\n".join(under).strip())) > 1:
        return None  # it parts paragraphs
    signs = len(texts) <= 4 and "_" in lines[start]
    return stop if not texts or signs or any(ADDRESS.search(line) for line in texts) else None


def _nothing_follows(kinds: Sequence[_Line], kept: Sequence[bool], number: int, end: int) -> bool:
    return not any(kept[n] and kinds[n] is _Line.TEXT for n in range(number + 1, end))
