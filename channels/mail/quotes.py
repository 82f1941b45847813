# ruff: noqa: RUF001  # words of many alphabets
"""Which words of a mail its author wrote now: the rest is quoted, a signature, or a footer somebody's server added.

Nothing is taken away: what is told is where the new words stand, and whoever shows them can show all of it. In
doubt a line is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from enum import Enum

from channels.mail.heads import find_attribution, head_of, is_original_line, read_head_block, unmarked
from inbox.particulars import fresh_part

MOST_LINES = 4000
"""Lines looked at; what comes after them counts as read."""
LONGEST_SIGNATURE = 25
LONGEST_FOOTER = 12

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


def fresh_spans(text: str) -> Spans:
    """Where the author's own new words stand in a mail's text, as (start, end) in characters.

    () when all of it is theirs; also where nothing would be left: a mail that only quotes says what it quotes.
    """
    lines = text.split("\n", MOST_LINES)[:MOST_LINES]
    kept = _kept([unmarked(line) for line in lines])
    if all(kept) or not any(kept[n] and line.strip() for n, line in enumerate(lines)):
        return ()
    return _spans(lines, kept)


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


def _kept(lines: list[str]) -> list[bool]:
    kinds = _kinds(lines)
    kept = [True] * len(lines)
    end = _cut_at(lines, kinds, kept)
    _drop_signature(lines, kinds, kept, end)
    _drop_quotations(kinds, kept, end)
    for number in range(end, len(lines)):
        kept[number] = False
    return kept


# ---------------------------------------------------------------- what each line is

_QUOTE = re.compile(r"\s{0,4}(?:>|\|\s|\|$|[A-Z][A-Za-z]{0,2}>(?:\s|$))")
_SEPARATOR = re.compile(r"\s*(?:[-_=*─—–‐]\s?){5,}\s*$|\s*[-—–]{2,4}\s*$|\s*[—–]\s*$")


def _kinds(lines: Sequence[str]) -> list[_Line]:
    kinds = [_kind(line) for line in lines]
    fence, fenced = None, set[int]()
    for number, line in enumerate(lines):
        # What stands between fences is code, whatever it looks like.
        if line.lstrip().startswith("```"):
            if fence is not None:
                kinds[fence : number + 1] = [_Line.TEXT] * (number + 1 - fence)
                fenced.update(range(fence, number + 1))
            fence = number if fence is None else None
    _mark_heads(lines, kinds, fenced)
    _mark_attributions(lines, kinds, fenced)
    return kinds


def _kind(line: str) -> _Line:
    if not line.strip():
        return _Line.EMPTY
    if is_original_line(line):
        return _Line.ORIGINAL
    if _QUOTE.match(line):
        return _Line.QUOTED
    if _SEPARATOR.match(line):
        return _Line.SEPARATOR
    if _is_device_line(line):
        return _Line.DEVICE
    return _Line.TEXT


def _mark_heads(lines: Sequence[str], kinds: list[_Line], fenced: Set[int]) -> None:
    number = 0
    while number < len(lines):
        if (
            number not in fenced
            and kinds[number] is _Line.TEXT
            and (block := read_head_block(lines, number)) is not None
        ):
            kinds[block.start : block.end] = [_Line.HEAD] * (block.end - block.start)
            number = block.end
        else:
            number += 1


def _mark_attributions(lines: Sequence[str], kinds: list[_Line], fenced: Set[int]) -> None:
    for number, kind in enumerate(kinds):
        if number in fenced or kind not in (_Line.TEXT, _Line.QUOTED, _Line.SEPARATOR):
            continue
        follows = next((k for k in kinds[number + 1 : number + 4] if k is not _Line.EMPTY), None)
        if kind is _Line.QUOTED and _depth(lines[number]) > 1:
            continue
        start = find_attribution(lines, number, quoted=follows is _Line.QUOTED and kind is not _Line.QUOTED)
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
    while number < len(kinds):
        kind = kinds[number]
        if kind in (_Line.ORIGINAL, _Line.HEAD) or (kind is _Line.ATTRIBUTION and not _quotes_next(kinds, number)):
            if said:
                return _without_separator(kinds, number)
            while number < len(kinds) and kinds[number] is kind:
                kept[number] = False
                number += 1
            continue
        said = said or kind is _Line.TEXT
        number += 1
    return len(kinds)


def _quotes_next(kinds: Sequence[_Line], number: int) -> bool:
    """Whether a marked quotation follows an attribution."""
    while number < len(kinds) and kinds[number] in (_Line.ATTRIBUTION, _Line.EMPTY):
        number += 1
    return number < len(kinds) and kinds[number] is _Line.QUOTED


def _without_separator(kinds: Sequence[_Line], end: int) -> int:
    """The same place, before the line drawn above it."""
    while end and kinds[end - 1] in (_Line.EMPTY, _Line.SEPARATOR, _Line.DEVICE):
        end -= 1
    return end


def _drop_quotations(kinds: Sequence[_Line], kept: list[bool], end: int) -> None:
    """An attribution goes, with what it introduces; marks that nobody introduced stay where an answer follows them."""
    last_text = max((n for n in range(end) if kept[n] and kinds[n] is _Line.TEXT), default=-1)
    answered = _is_answered_within(kinds, kept, end)
    introduced = False
    for number in range(end):
        kind = kinds[number]
        if kind is _Line.ATTRIBUTION:
            introduced = True
            kept[number] = False
        elif kind is _Line.QUOTED and (number > last_text or (introduced and not answered)):
            kept[number] = False


def _is_answered_within(kinds: Sequence[_Line], kept: Sequence[bool], end: int) -> bool:
    """Whether the answers stand between the quoted lines, which they would say nothing without."""
    runs: list[_Line] = []
    for kind in (kinds[n] for n in range(end) if kept[n]):
        if kind in (_Line.TEXT, _Line.QUOTED) and (not runs or runs[-1] is not kind):
            runs.append(kind)
    quoted = [n for n, kind in enumerate(runs) if kind is _Line.QUOTED and n + 1 < len(runs)]
    return bool(quoted) and (quoted[0] > 0 or len(quoted) > 1)


# ---------------------------------------------------------------- signatures and footers


def _drop_signature(lines: Sequence[str], kinds: Sequence[_Line], kept: list[bool], end: int) -> None:
    number = 0
    said = False
    while number < end:
        if not kept[number]:
            number += 1
            continue
        kind, line = kinds[number], lines[number]
        stop = None
        if kind is _Line.DEVICE and said:
            kept[number] = False
        elif said and _begins_signature(line):
            stop = _end_of_signature(kinds, kept, number, end, LONGEST_SIGNATURE)
        elif said and kind is _Line.SEPARATOR:
            stop = _end_of_footer(lines, kinds, kept, number, end)
        elif said and _is_short_signature(line) and _nothing_follows(kinds, kept, number, end):
            kept[number] = False
        if stop is not None:
            kept[number:stop] = [False] * (stop - number)
            number = stop
            continue
        said = said or kind is _Line.TEXT
        number += 1


_SIGNATURE = re.compile(r"\s{0,2}(?:--|—|–)\s?$")


def _begins_signature(line: str) -> bool:
    """RFC 3676 §4.3 says "-- "; programs write it without its space, or with a longer dash."""
    return _SIGNATURE.match(line) is not None


def _end_of_signature(kinds: Sequence[_Line], kept: Sequence[bool], start: int, end: int, longest: int) -> int | None:
    stop = start + 1
    while stop < end and kept[stop] and kinds[stop] is not _Line.QUOTED:
        stop += 1
    lines = sum(kind is not _Line.EMPTY for kind in kinds[start:stop])
    return stop if lines <= longest else None


_ADDRESS = re.compile(r"https?://|www\.|[^\s<>@]{1,64}@[^\s<>@]{1,200}")


def _end_of_footer(
    lines: Sequence[str], kinds: Sequence[_Line], kept: Sequence[bool], start: int, end: int
) -> int | None:
    """Where what stands under a line drawn to the end of the mail ends, if it is what lists and servers add."""
    stop = _end_of_signature(kinds, kept, start, end, LONGEST_FOOTER)
    if stop is None or any(kept[n] and kinds[n] is _Line.TEXT for n in range(stop, end)):
        return None
    under = lines[start + 1 : stop]
    texts = [line for line in under if line.strip()]
    signs = len(texts) <= 4 and "_" in lines[start]
    return stop if not texts or signs or any(_ADDRESS.search(line) for line in texts) else None


_NAMED = re.compile(r"\s?(?:--\s?|-|/|~)([^\W\d_][\w'’.]*)(?:\s[^\W\d_][\w'’.]*){0,3}\s*$")


def _is_short_signature(line: str) -> bool:
    """Whether it is a name behind a dash: -Jeanne Martin."""
    found = _NAMED.match(line)
    return found is not None and (found[1][0].isupper() or line.lstrip().startswith(("~", "/"))) and " - " not in line


def _nothing_follows(kinds: Sequence[_Line], kept: Sequence[bool], number: int, end: int) -> bool:
    return not any(kept[n] and kinds[n] is _Line.TEXT for n in range(number + 1, end))


_SENT = (
    r"sent|get outlook for|envoyé|envoyée|télécharger outlook|obtenir outlook|gesendet|von meinem|"
    r"diese nachricht wurde|"
    r"outlook für|enviado|enviada|obtener outlook|obter o outlook|inviato|scarica outlook|ottieni outlook|verzonden|"
    r"verstuurd|outlook voor|sendt|hent outlook|skickat|skickades|lähetetty|hanki outlook|wysłano|wysłane|odesláno|"
    r"odoslané|küldve|elküldve|trimis|poslano|saadetud|отправлено|надіслано|изпратено|στάλθηκε|gönderildi|"
    r"iphone'umdan|iphone’umdan|ipad'imden|tillgänglig|από το|enviat"
)
_DEVICE = (
    r"iphon|ipad|ipod|android|samsung|galaxy|huawei|htc|nokia|sony|xperia|xiaomi|redmi|pixel|oneplus|blackberry|"
    r"windows|outlook|mail\b|mailbox|airmail|yahoo|gmail|inbox|proton|spark|thunderbird|k-9|bluemail|mobile|mobil|"
    r"portable|móvil|movil|cell|phone|smartphone|handy|tablet|telefon|téléphone|teléfono|telefoon|telefono|phone|"
    r"puhelin|телефон|айфон|ti-85|aquamail|boxer|nine\b|newton|verizon|at&t|t-mobile|orange|sfr|device|appareil|gerät"
)
_SENT_LINE = re.compile(rf"(?:{_SENT})\b.{{0,80}}?(?:{_DEVICE})", re.I)
_SENT_OTHERWISE = re.compile(
    r"(?:從我的|从我的|寄自我的).{0,30}(?:傳送|发送|发出)|发自我的.{0,30}|.{1,30}から送信|나의.{1,30}에서 보냄|"
    r".{1,30}에서 보냄|.{1,30}(?:umdan|imden|dan) gönderildi|(?:sent )?(?:from|via) my (?:\w+\s?){1,4}|"
    r"(?:get|télécharger|obtenir|hole) \[?outlook .{0,80}|"
    r"ᐧ|\w+ from (?:my )?mobile|נשלח מה.{1,20}|أرسلت من.{1,30}|.{0,12}lähetetty .{0,30}(?:sta|stä|lta|ltä)|"
    r"(?:von|vom) (?:meinem )?(?:handy|iphone|ipad|android).{0,30}gesendet.?",
    re.I,
)
_PROSE = re.compile(r"[,;]\s(?:is|was|it|but|so|and|which|et|mais|donc|und|aber|y|pero)\b|\?\s*$", re.I)


def _is_device_line(line: str) -> bool:
    """Whether a line says from what kind of device the mail was sent."""
    said = line.strip().strip("<>()[]*_•· ").strip()
    if not said or len(said) > 140 or _PROSE.search(said) or head_of(said) is not None:
        return False
    return _SENT_LINE.match(said) is not None or _SENT_OTHERWISE.fullmatch(said) is not None
