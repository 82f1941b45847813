"""Which words of a mail its author wrote now: the rest is quoted, a signature, or a footer somebody's server added.

Nothing is taken away: what is told is where the new words stand, and whoever shows them can show all of it. In
doubt a line is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from itertools import compress, groupby
from typing import Final

from channels.mail.heads import (
    MOST_ATTRIBUTION_LINES,
    HeadBlock,
    is_attribution_of_marked,
    is_attribution_with_words,
    is_head_in_one_line,
    is_head_of_a_mail,
    is_original_line,
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


class _Line:
    """What a line is. No Enum: to ask one for its members, line by line, takes a tenth of the reading."""

    EMPTY: Final = "empty"
    TEXT: Final = "text"
    QUOTED: Final = "quoted"
    ATTRIBUTION: Final = "attribution"
    HEAD: Final = "head"
    ORIGINAL: Final = "original"
    SEPARATOR: Final = "separator"
    DEVICE: Final = "device"
    """"Sent from my phone"."""
    ARMOUR: Final = "armour"
    """What OpenPGP wraps around words it signs (RFC 4880 §7)."""


_Kind = str
"""One of `_Line`."""


def fresh_spans(text: str, lines: Lines | None = None, *, with_signature: bool = False) -> Spans:
    """Where the author's own new words stand in a mail's text, as (start, end) in characters.

    () when all of it is theirs; also where nothing would be left: a mail that only quotes says what it quotes.

    Args:
        lines: those of the text, where they are known.
        with_signature: whether a signature counts as theirs, and what their telephone and their list add.
    """
    lines = lines or lines_of(text)
    if not lines.odd:
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
    here = set(kinds)
    end = len(lines) if here.isdisjoint(_INTRODUCTIONS) else _cut_at(lines, kinds, kept)
    if not with_signature:
        _drop_signature(read, kinds, kept, end)
    if not here.isdisjoint(_TAKEN_FROM_OTHERS):
        _drop_quotations(kinds, kept, end)
    kept[end:] = [False] * (len(lines) - end)
    return kept


# ---------------------------------------------------------------- what each line is

_QUOTE = re.compile(r"\s{0,4}(?:>|\|\s|\|$|[A-Z][A-Za-z]{0,2}>(?:\s|$))")
_TABLE_ROW = re.compile(r"\s*\|[^|]+\|.*\|$")
_SEPARATOR = re.compile(r"\s*(?:[-_=*─—–\u2010]\s?){5,}\s*$|\s*[-—–]{2,4}\s*$|\s*[—–]\s*$")


def _kinds(read: Lines) -> list[_Kind]:
    lines = read.said
    kinds = [_Line.TEXT if line else _Line.EMPTY for line in lines]
    for number in read.odd:
        kinds[number] = _kind(lines[number])
    fenced = _mark_fenced(read, kinds)
    _mark_armour(read, kinds)
    _mark_heads(read, kinds, fenced)
    _mark_attributions(read, kinds, fenced)
    _mark_wrapped(read, kinds)
    return kinds


def _mark_fenced(read: Lines, kinds: list[_Kind]) -> Set[int]:
    """What stands between fences is code, whatever it looks like."""
    fence, fenced = None, set[int]()
    for number in read.odd:
        if read.said[number].lstrip().startswith("```"):
            if fence is not None:
                kinds[fence : number + 1] = [_Line.TEXT] * (number + 1 - fence)
                fenced.update(range(fence, number + 1))
            fence = number if fence is None else None
    return fenced


def _kind(line: str) -> _Kind:
    if is_original_line(line) or is_head_in_one_line(line) or is_attribution_with_words(line):
        return _Line.ORIGINAL
    if _QUOTE.match(line) and not _TABLE_ROW.match(line):
        return _Line.QUOTED
    if _SEPARATOR.match(line):
        return _Line.SEPARATOR
    if is_device_line(line):
        return _Line.DEVICE
    return _Line.TEXT


def _mark_heads(read: Lines, kinds: list[_Kind], fenced: Set[int]) -> None:
    lines, end = read.said, 0
    for number in read.odd:
        if (
            number >= end
            and kinds[number] is _Line.TEXT
            and names_something(lines[number])
            and number not in fenced
            and (block := _head_at(lines, kinds, number)) is not None
        ):
            end = block.end
            kinds[number:end] = [_Line.HEAD] * (end - number)


def _head_at(lines: Sequence[str], kinds: Sequence[_Kind], number: int) -> HeadBlock | None:
    block = read_head_block(lines, number)
    if block is not None:
        above = (kinds[n] for n in range(number - 1, max(number - 3, -1), -1) if kinds[n] is not _Line.EMPTY)
        if next(above, None) is _Line.ORIGINAL or is_head_of_a_mail(lines, block):
            return block
    if number and kinds[number - 1] is _Line.TEXT:
        return None
    return read_unknown_head(lines, number) or read_shortest_head(lines, number)


def _mark_armour(read: Lines, kinds: list[_Kind]) -> None:
    lines = read.said
    for number in read.odd:
        begun = _ARMOUR.match(lines[number])
        end = number + 1
        if begun is None:
            continue
        if begun[1] == "SIGNATURE":
            ends = (n + 1 for n in range(number, len(lines)) if lines[n].startswith("-----END PGP SIGNATURE"))
            end = next(ends, len(lines))
        else:
            while end < len(lines) and lines[end].startswith("Hash:"):
                end += 1
        kinds[number:end] = [_Line.ARMOUR] * (end - number)


_ARMOUR = re.compile(r"-----BEGIN PGP (SIGNATURE|SIGNED MESSAGE)-----")
_SHORTEST_WRAPPED = 55


def _mark_wrapped(read: Lines, kinds: list[_Kind]) -> None:
    """What a program broke off a quoted line that had grown too long is quoted."""
    lines = read.said
    for before in read.odd:
        number = before + 1
        if kinds[before] is not _Line.QUOTED or number + 1 >= len(lines) or kinds[number] is not _Line.TEXT:
            continue
        above = lines[before]
        if (
            kinds[number + 1] is _Line.QUOTED
            and len(above) >= _SHORTEST_WRAPPED
            and not above.endswith((".", "!", "?", ":"))
            and len(lines[number]) < len(above)
            and not lines[number][:1].isupper()
        ):
            kinds[number] = _Line.QUOTED


def _mark_attributions(read: Lines, kinds: list[_Kind], fenced: Set[int]) -> None:
    lines = read.said
    first_quoted = next((number for number in read.odd if kinds[number] is _Line.QUOTED), len(kinds))
    introduce = _before_quotations(read, kinds)
    for number in sorted({*read.odd, *introduce}):
        kind = kinds[number]
        if kind is _Line.QUOTED:
            if number - first_quoted > MOST_ATTRIBUTION_LINES or _depth(lines[number]) > 1:
                continue  # within a quotation: an older one, wherever it begins
        elif kind is not _Line.TEXT and kind is not _Line.SEPARATOR:
            continue
        quoted = number in introduce
        if number in fenced:
            continue
        start = read.find_attribution(number, quoted=quoted)
        if start is None and quoted and is_attribution_of_marked(lines[number]):
            start = number
        if start is None or any(k in (_Line.HEAD, _Line.ATTRIBUTION) for k in kinds[start:number]):
            continue
        if kind is _Line.QUOTED and any(k is _Line.QUOTED for k in kinds[:start]):
            continue  # within a quotation: an older one
        kinds[start : number + 1] = [_Line.ATTRIBUTION] * (number + 1 - start)


def _before_quotations(read: Lines, kinds: Sequence[_Kind]) -> Set[int]:
    """The lines that a marked quotation follows, at most two empty ones between."""
    found = set[int]()
    for number in read.odd:
        if kinds[number] is _Line.QUOTED:
            before = number - 1
            while before >= 0 and number - before < 3 and kinds[before] is _Line.EMPTY:
                before -= 1
            if before >= 0 and (kinds[before] is _Line.TEXT or kinds[before] is _Line.SEPARATOR):
                found.add(before)
    return found


def _depth(line: str) -> int:
    marks = line.lstrip()
    return len(marks) - len(marks.lstrip("> ")) - marks[: len(marks) - len(marks.lstrip("> "))].count(" ")


# ---------------------------------------------------------------- quotations


def _cut_at(lines: Sequence[str], kinds: Sequence[_Kind], kept: list[bool]) -> int:
    """Where the quoted rest of the mail begins; headers that nothing stands before are dropped on the way."""
    said_at = kinds.index(_Line.TEXT) if _Line.TEXT in kinds else len(kinds)
    quoted_at = -1
    for number, kind in enumerate(kinds):
        if kind in _INTRODUCTIONS:
            begins = number == 0 or kinds[number - 1] is not kind
            if begins and number > max(said_at, quoted_at):
                quoted_at = _quotation_after(kinds, number)
                if quoted_at < 0:
                    return _without_separator(lines, kinds, number)
            kept[number] = False
    return len(kinds)


_INTRODUCTIONS = (_Line.ATTRIBUTION, _Line.ORIGINAL, _Line.HEAD)
_BEFORE_QUOTATIONS = (*_INTRODUCTIONS, _Line.EMPTY)
_TAKEN_FROM_OTHERS = (*_INTRODUCTIONS, _Line.QUOTED, _Line.ARMOUR)


def _quotation_after(kinds: Sequence[_Kind], number: int) -> int:
    """Where the quotation begins, marked as such, that is introduced here; -1: there is none."""
    while number < len(kinds) and kinds[number] in _BEFORE_QUOTATIONS:
        number += 1
    return number if number < len(kinds) and kinds[number] is _Line.QUOTED else -1


def _without_separator(lines: Sequence[str], kinds: Sequence[_Kind], end: int) -> int:
    """The same place, before the line drawn above it, whatever is written in that."""
    while end and (
        kinds[end - 1] in (_Line.EMPTY, _Line.SEPARATOR, _Line.DEVICE)
        or _TITLE.match(lines[end - 1])
        or says_it_hands_on(lines[end - 1])
    ):
        end -= 1
    return end


_TITLE = re.compile(r"\s*[-_=–—*]{2,}[^\n]{1,100}?[-_=–—*]{2,}\s*$")


def _drop_quotations(kinds: Sequence[_Kind], kept: list[bool], end: int) -> None:
    """An attribution goes, with what it introduces; marks that nobody introduced stay where an answer follows them."""
    last_text = next((n for n in range(end - 1, -1, -1) if kept[n] and kinds[n] is _Line.TEXT), -1)
    answered = _is_answered_within(kinds, kept, end)
    introduced = False
    for number, kind in enumerate(kinds[:end]):
        if kind is _Line.TEXT or kind is _Line.EMPTY:
            continue
        if kind in _INTRODUCTIONS:
            introduced = True
            kept[number] = False
        elif kind is _Line.QUOTED:
            kept[number] = number <= last_text and (answered or not introduced)
        elif kind is _Line.ARMOUR:
            kept[number] = False


def _is_answered_within(kinds: Sequence[_Kind], kept: Sequence[bool], end: int) -> bool:
    """Whether the answers stand between the quoted lines, which they would say nothing without."""
    shown = [kind for kind in compress(kinds[:end], kept) if kind is _Line.TEXT or kind is _Line.QUOTED]
    runs = [(kind, len(list(lines))) for kind, lines in groupby(shown)]
    if len(runs) == 3 and runs[1][0] is _Line.QUOTED:
        # A greeting above, or a name below, answers nothing.
        return min(runs[0][1], runs[2][1]) > LONGEST_GREETING
    return sum(kind is _Line.QUOTED for kind, _ in runs) > 1


# ---------------------------------------------------------------- signatures and footers


def _drop_signature(read: Lines, kinds: Sequence[_Kind], kept: list[bool], end: int) -> None:
    lines = read.said
    said_at = next((n for n in range(end) if kept[n] and kinds[n] is _Line.TEXT), end)
    for number in read.odd:
        if not said_at < number < end or not kept[number]:
            continue
        kind, line = kinds[number], lines[number]
        stop = None
        if kind is _Line.DEVICE:
            within = _Line.TEXT in kinds[number - 1 : number + 2]
            kept[number] = within and not _nothing_follows(kinds, kept, number, end)
        elif begins_signature(line) and not goes_on(lines, number, end):
            stop = _end_of_signature(kinds, kept, number, end, LONGEST_SIGNATURE)
        elif kind is _Line.SEPARATOR and not underlines(lines, number):
            stop = _end_of_footer(lines, kinds, kept, number, end)
        elif is_short_signature(lines, number) and _nothing_follows(kinds, kept, number, end):
            kept[number] = False
        if stop is not None:
            kept[number:stop] = [False] * (stop - number)


def _end_of_signature(kinds: Sequence[_Kind], kept: Sequence[bool], start: int, end: int, longest: int) -> int | None:
    stop = start + 1
    while stop < end and kept[stop] and kinds[stop] is not _Line.QUOTED:
        stop += 1
    lines = sum(kind is not _Line.EMPTY for kind in kinds[start:stop])
    return stop if lines <= longest else None


def _end_of_footer(
    lines: Sequence[str], kinds: Sequence[_Kind], kept: Sequence[bool], start: int, end: int
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
    said = any(ADDRESS.search(line) or _CONFIDENTIAL.search(line) for line in texts)
    return stop if not texts or signs or said else None


_CONFIDENTIAL = re.compile(
    r"confidenti|confidencia|vertraulich|riservat|vertrouwelijk|poufn|důvěrn|dôvern|luottamuks|fortrolig|konfidenti|"
    r"bizalmas|povjerljiv|privileged|конфиденц|конфіденц|εμπιστευτικ|gizli|機密|保密|기밀|secret professionnel|"
    r"berufsgeheimnis|segreto professionale|secreto profesional|beroepsgeheim|not the intended recipient|"
    r"pas le destinataire|nicht der (?:richtige|beabsichtigte|vorgesehene) (?:adressat|empfänger)|"
    r"(?:non|no|não) .{0,12}destinat",
    re.I,
)


def _nothing_follows(kinds: Sequence[_Kind], kept: Sequence[bool], number: int, end: int) -> bool:
    return not any(kept[n] and kinds[n] is _Line.TEXT for n in range(number + 1, end))
