# ruff: noqa: RUF001, E501  # words of many alphabets, some of them wide
"""How mail programs of many languages head the mail they quote: "From: … Sent: …", "On … X wrote:", "Original Message".

Each says it in the language of its user, not of the mail. All of it is data here, and read a line at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class Head(StrEnum):
    """What a line of a quoted header names."""

    FROM = "from"
    DATE = "date"
    TO = "to"
    CC = "cc"
    REPLY_TO = "reply_to"
    SUBJECT = "subject"


_LABELS: dict[Head, str] = {
    # en fr de es pt it nl da no sv fi pl cs sk hu ro hr et lt lv ru uk bg el tr ar he ja zh ko vi ca
    Head.FROM: "from|sender|de|expéditeur|von|absender|remitente|remetente|da|mittente|van|afzender|fra|från|"
    "lähettäjä|od|nadawca|odesílatel|odosielateľ|feladó|expeditor|expeditorul|de la|šalje|saatja|nuo|no|от|от кого|отправитель|від|"
    "від кого|από|kimden|gönderen|من|מאת|差出人|送信者|送信元|发件人|發件人|寄件者|寄件人|보낸 사람|보낸사람|발신|từ|remitent",
    Head.DATE: "sent|date|envoyé|envoyé le|date d'envoi|gesendet|gesendet am|datum|enviado|enviado el|enviado em|fecha|"
    "data|inviato|verzonden|sendt|dato|skickat|skickades|lähetetty|päivämäärä|päiväys|pvm|wysłano|wysłane|odesláno|"
    "odoslané|dátum|küldve|küldés ideje|elküldve|trimis|dată|gönderilen|poslano|saadetud|kuupäev|išsiųsta|nosūtīts|отправлено|дата|"
    "отправлен|надіслано|відправлено|изпратено|στάλθηκε|ημερομηνία|εστάλη|tarih|gönderildi|gönderme tarihi|التاريخ|"
    "تم الإرسال|تاريخ|נשלח|תאריך|日付|日時|送信日時|送信日|日期|时间|時間|发送时间|发送日期|傳送時間|寄件日期|"
    "보낸 날짜|날짜|보낸날짜|ngày|đã gửi|enviat|datums|message du",
    Head.TO: "to|à|pour|destinataire|destinataires|an|empfänger|para|a|per|destinatario|aan|naar|til|till|"
    "vastaanottaja|kenelle|do|komu|dla|címzett|destinatarul|pre|adresat|către|catre|za|prima|kellele|kam|кому|до|до кого|получатель|προς|kime|"
    "alıcı|إلى|אל|宛先|送信先|收件人|收件者|받는 사람|받는사람|수신|đến|tới|per a",
    Head.CC: "cc|copie|copie à|kopie|copia|kopi|kopia|kópia|kopio|másolat|copie carbone|cópia|dw|копия|копія|"
    "κοιν|κοινοποίηση|bilgi|نسخة|עותק|抄送|副本|参照|참조|cci|bcc|tärkeys|priorité|importance",
    Head.REPLY_TO: "reply-to|reply to|répondre à|répondre-à|antwort an|antwort-an|responder a|responder para|"
    "rispondi a|risposta|antwoord aan|svar til|svar till|vastausosoite|odpowiedz do|odpovědět komu|válaszcím|"
    "ответить|yanıtla|返信先|回复至|回覆|회신",
    Head.SUBJECT: "subject|objet|sujet|betreff|asunto|assunto|oggetto|onderwerp|emne|ämne|aihe|temat|předmět|predmet|"
    "tárgy|subiect|subiectul|naslov|teema|tema|temats|тема|тема письма|θέμα|konu|الموضوع|נושא|件名|主题|主題|主旨|제목|"
    "chủ đề|assumpte",
}
_KIND = {label: kind for kind, labels in _LABELS.items() for label in labels.split("|")}
_HEAD_LINE = re.compile(r"[\s>|*_]{0,20}([^\s:：*_<>@\d][^:：<>@\n]{0,30}?)[\s*_]{0,5}[:：][*_]{0,3}(?:\s(.*))?$", re.S)
_NO_SPACE_LINE = re.compile(r"[\s>|*_]{0,20}([^\s:：*_<>@\d/]{1,20})[*_]{0,3}\s?[:：][*_]{0,3}(.*)$", re.S)
LONGEST_LINE = 1000


def labels_pattern() -> str:
    """Any label as it begins a field, with a capital where its alphabet has them; the longest that fits."""
    begun = {label[0].upper() + label[1:] for label in _KIND} | {"CC", "cc"}
    return "(?:" + "|".join(re.escape(label) for label in sorted(begun, key=len, reverse=True)) + ")"


def unmarked_lines(text: str, most: int) -> list[str]:
    """The lines of a text as their words are compared: special spaces made plain, ends trimmed, headers out of tables."""
    if (not text.isascii() or "\t" in text) and _SPACES_AND_INVISIBLE.search(text) is not None:
        text = _INVISIBLE.sub("", _SPACES.sub(" ", text))
    lines = [line[:LONGEST_LINE].rstrip() for line in text.split("\n", most)[:most]]
    return [_out_of_table(line) for line in lines] if "|" in text else lines


def _out_of_table(line: str) -> str:
    row = _ROW.match(line)
    return f"{row[1]}: {row[2]}" if row is not None and row[1].lower() in _KIND else line


_ROW = re.compile(r"\s?\|\s?([^\s|][^|]{0,30}?)\s?\|\s?([^|]*?)\s?\|$")
"""A header as a table drawn in text has it: | From | Anna |."""

_SPACES = re.compile("[\t\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufe00-\ufe0f\xad]")
_SPACES_AND_INVISIBLE = re.compile(f"{_SPACES.pattern}|{_INVISIBLE.pattern}")


def names_something(line: str) -> bool:
    """Whether a colon stands in a line: without one it is no line of a header."""
    return ":" in line or "：" in line


def head_of(line: str) -> tuple[Head, str] | None:
    """What a line names and its value, if it is a line of a quoted header."""
    colon = _COLON.search(line, 0, LAST_COLON)
    if colon is None or _kind_of(line[: colon.start()].strip(_AROUND_LABELS)) is None:
        return None
    for pattern in (_HEAD_LINE, _NO_SPACE_LINE):
        found = pattern.match(line)
        if found is not None and (kind := _kind_of(found[1])) is not None:
            return kind, (found[2] or "").strip()
    return None


def _kind_of(label: str) -> Head | None:
    return _KIND.get(unicodedata.normalize("NFC", label).strip().lower().replace("’", "'"))


_COLON = re.compile("[:：]")
LAST_COLON = 60
"""Characters before which the colon stands behind whatever a line is labelled with."""
_AROUND_LABELS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + ">|*_"


class HeadBlock(NamedTuple):
    """A quoted header, from `start` to before `end`."""

    start: int
    end: int
    values: dict[Head, str]


MOST_HEAD_LINES = 24


def read_head_block(lines: Sequence[str], at: int) -> HeadBlock | None:
    """The header that begins at this line: who, and at least two of when, to whom and about what.

    A line that names nothing continues the one before; empty lines may stand between.
    """
    first = head_of(lines[at])
    if first is None:
        return None
    values: dict[Head, str] = {}
    end, last, gaps = at, None, 0
    for number in range(at, min(at + MOST_HEAD_LINES, len(lines))):
        line = lines[number]
        if not line.strip(" >|*\t"):
            gaps += 1
            if gaps > 1 or last is None or (Head.SUBJECT in values and len(values) >= 4):
                break
            last = None
            continue
        named = head_of(line) or (_other_recipients(lines, number) if values else None)
        if named is not None and named[0] in values and named[0] in (Head.FROM, Head.DATE, Head.SUBJECT):
            break
        if named is not None:
            gaps = 0
            last = named[0]
            values.setdefault(last, named[1])
        elif last is None or number - end > 4 or not _continues(values[last], line):
            break
        else:
            values[last] = f"{values[last]} {line.strip(' >|')}"
        end = number + 1
    named_kinds = {kind for kind in values if kind in (Head.DATE, Head.TO, Head.SUBJECT)}
    if Head.FROM not in values or len(named_kinds) < 2:
        return None
    return HeadBlock(at, end, values)


def is_head_of_a_mail(lines: Sequence[str], block: HeadBlock) -> bool:
    """Whether a header is one a mail program wrote, not what somebody filled in: "From: Lyon, To: Paris"."""
    if not lines[block.start].strip(" >|*_")[:1].isupper() and Head.DATE not in block.values:
        return False
    values, date = block.values, block.values.get(Head.DATE, "")
    precise = _time(date) is not None or re.search(r"\d{4}", date) is not None
    if not any(_MAILBOX.search(value) for value in values.values()):
        # A journey has a date as well; only a mail was sent.
        was_sent = any(_SENT.match(line) for line in lines[block.start : block.end])
        if not precise or not (was_sent or Head.SUBJECT in values):
            return False
    # A form of a web site says no more than its sender, and goes on asking: "Telephone: …".
    asks_on = block.end < len(lines) and _OTHER.match(lines[block.end]) is not None
    return Head.TO in values or not asks_on


_SENT = re.compile(
    r"[\s>|*_]*(?:sent|envoyé|gesendet|enviado|inviato|verzonden|sendt|skickat|lähetetty|wysłano|odesláno|odoslané|"
    r"elküldve|trimis|poslano|отправлено|надіслано|изпратено|στάλθηκε|gönderildi|送信日時|发送时间|寄件日期|보낸 날짜)\b",
    re.I,
)


def read_shortest_head(lines: Sequence[str], at: int) -> HeadBlock | None:
    """A header that only says who and when, to the minute."""
    values = dict(named for line in lines[at : at + 2] if (named := head_of(line)) is not None)
    who, date = values.get(Head.FROM, ""), values.get(Head.DATE, "")
    asks_on = at + 2 < len(lines) and _OTHER.match(lines[at + 2]) is not None
    is_one = _MAILBOX.search(who) and _day(date) and _time(date) and not asks_on
    return HeadBlock(at, at + 2, values) if is_one else None


def read_unknown_head(lines: Sequence[str], at: int) -> HeadBlock | None:
    """The same in a language nobody told us of: three labels or more, under them a mailbox and a moment."""
    sender = _LABELLED.match(lines[at]) if "@" in lines[at] else None
    if sender is None or head_of(lines[at]) is not None or not _NAMED_MAILBOX.search(sender[1]):
        return None
    values = []
    for line in lines[at : at + 6]:
        labelled = _LABELLED.match(line)
        if labelled is None:
            break
        values.append(labelled[1])
    moment = any(_day(value) and _time(value) for value in values)
    return HeadBlock(at, at + len(values), {Head.FROM: sender[1]}) if len(values) >= 3 and moment else None


_HANDS_ON = re.compile(
    r"[^:.!?]{0,30}(?:forward|transf[ée]r|weitergeleitet|reenviad|encaminhad|inoltrat|doorgestuurd|vidarebefordra|"
    r"videresend|välitetty|przekazan|přeposíl|továbbított|пересыл|пересл|пересил|προωθη|iletilen|転送|转发|轉寄|전달|transmis)"
    r"[^:.!?]{0,30}[:：]$",
    re.I,
)


def says_it_hands_on(line: str) -> bool:
    """Whether it is the line that programs put above the header of a mail they hand on."""
    return _HANDS_ON.match(line.strip(" >*_")) is not None


_LABELLED = re.compile(r"\s{0,3}\*?[^\W\d_][^:：<>@\n]{0,24}?[\s*]{0,3}[:：]\*?\s*(\S.*)$")
_NAMED_MAILBOX = re.compile(r"\S\s?<[^\s<>@]{1,64}@[^\s<>@]{1,200}>")
_LABELS_IN_LINE = re.compile(r"(?:^|\s)\*?([^\W\d_][^\s:：*]{0,15}(?:\s[^\s:：*]{1,10})?)[\s*]{0,3}[:：]\*?(?=\s|$)")


def is_head_in_one_line(line: str) -> bool:
    """Whether a whole header stands in one line, as it does where a program lost its line ends."""
    if line.count(":") + line.count("：") < 3:
        return False
    first = head_of(line)
    if first is None or first[0] is not Head.FROM:
        return False
    kinds = {
        _KIND.get(word)
        for label in _LABELS_IN_LINE.findall(line)
        for word in (label.lower(), label.lower().split()[-1])
    }
    return {Head.FROM, Head.DATE, Head.SUBJECT} <= kinds and _day(line) is not None


_OTHER = re.compile(r"[\s>|*_]{0,20}[^\W\d_][^:：<>@\n]{0,30}?[\s*_]{0,3}[:：]")


def _other_recipients(lines: Sequence[str], number: int) -> tuple[Head, str] | None:
    """A line of a header whose label we do not know: it names addresses, or others we know follow it."""
    label = _OTHER.match(lines[number])
    if label is None:
        return None
    value = lines[number][label.end() :].strip()
    follows = number + 1 < len(lines) and head_of(lines[number + 1]) is not None
    return (Head.CC, value) if _MAILBOX.search(value) or follows else None


def _continues(value: str, line: str) -> bool:
    """Whether a line that names nothing can be the rest of the value before it."""
    return (
        not value
        or value.endswith((",", ";", "<", "-"))
        or (line.startswith((" ", "\t")) and len(line.strip()) < 200)
        or bool(re.match(r"[\s>]*(?:<?mailto:|<?[^\s<>@]{1,64}@[^\s<>@]{1,200}>?[;,]?\s*$|<[^<>]{3,200}>)", line))
    )


# ---------------------------------------------------------------- "On … X wrote:"

_WROTE = (
    r"wrote|writes|a écrit|écrit|ecrit|a e?crit|schrieb(?:\s.{0,60})?|hat\s.{0,60}geschrieben|geschrieben|geschreven|"
    r"(?:het\s)?volgende geschreven|schreef(?:\s.{0,60})?|escribió|escribio|ha escrito|escreveu|"
    r"ha scritto|scritto|scrive|skrev(?:\s.{0,80})?|kirjoitti(?:\s.{0,60})?|napisał(?:\(a\)|a)?|napisal(?:a|\(a\))?|"
    r"pisze|napsal(?:\(a\)|a)?|napísal(?:\(a\)|a)?|je napisa(?:o|la)|napisa(?:o|la) je|missatge de|honela idatzi|írta(?:\s.{0,30})?|ezt írta|a scris|kirjutas|rašė|"
    r"rakstīja|написал(?:\(а\)|а)?|писал(?:\(а\)|а)?|пишет|пише|написав|написала|έγραψε|yazdı|şunu yazdı|"
    r"كتب|כתב(?:\/ה|ה)?|מאת|写道|寫道|写了|のメール|が書きました|書きました|からのメッセージ|님이 작성|작성|đã viết|نوشت|"
    r"va escriure|menulis|skrifaði|escribiu|написа|је написао(?:\/ла)?|เขียนว่า|เขียน|viết"
)
_ENDS_AS_ATTRIBUTION = re.compile(
    rf"(?:(?:{_WROTE})\s?[:：]?|(?:{_WROTE})\s?[-–—]+|[>\])]\s?[:：]|>\)?\s?(?:{_WROTE})?\s?[:：]?)\s*$", re.I
)
_VERB = re.compile(rf"(?:{_WROTE})", re.I)
_OPENER = re.compile(
    r"[\s>*|-]{0,20}(?:on|le|am|el|il|em|op|den|dne|dňa|w dniu|dnia|la data de|pe|på|dana|den|στις|в|у|a|ma|w|"
    r"il giorno|il giorno|no dia|on the|at|tarihinde|בתאריך|في|在|於|vào|d\.)[\s\d,:]",
    re.I,
)
_MONTHS = (
    r"jan|feb|fév|fev|mar|mär|mrt|apr|avr|abr|kwi|maj|mai|may|mei|jun|juin|cze|jul|juil|lip|aug|août|aoû|ago|sie|sep|"
    r"wrz|oct|okt|out|paź|nov|lis|dec|déc|dez|dic|gru|янв|фев|мар|апр|мая|май|июн|июл|авг|сен|окт|ноя|дек|січ|лют|бер|"
    r"кві|тра|чер|лип|сер|вер|жов|лис|гру|ιαν|φεβ|μαρ|απρ|μαΐ|ιουν|ιουλ|αυγ|σεπ|οκτ|νοε|δεκ|oca|şub|nis|haz|tem|ağu|"
    r"eyl|eki|kas|ara|tam|hel|maa|huh|tou|kes|hei|elo|syy|lok|mar|jou|led|úno|bře|dub|kvě|čer|srp|zář|říj|pro|ene"
)
_DATE = re.compile(
    r"\d{1,4}\s?[./-]\s?\d{1,2}\s?[./-]\s?\d{1,4}"  # 03.02.2016, 2016-11-16, 2013/7/20
    rf"|\d{{1,2}}(?:\.|er|º|°|st|nd|rd|th|-го)?\s?(?:de\s|d['’]|of\s)?(?:{_MONTHS})\w*\.?"  # 8 May, 16 aug., 1er août
    rf"|(?:{_MONTHS})\w*\.?\s\d{{1,2}}\b"  # Mar 21
    r"|\d{2,4}\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日|\d{1,2}\s?月\s?\d{1,2}\s?日|\d{2,4}년\s?\d{1,2}월\s?\d{1,2}일"
    r"|\b(?:19|20)\d\d\b",
    re.I,
)
_TIME = re.compile(r"\b\d{1,2}\s?[:.hH]\s?\d{2}\b|\d{1,2}\s?(?:am|pm|a\.m\.|p\.m\.|uhr|h)\b|[上下]午|午[前後]", re.I)
_MAILBOX = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,200}|&lt;|<\s*(?:mailto:)?")

_SENTENCE_ENDS = re.compile(r"[^\W\d_]{4,}[.!?]\s")
_GMAIL = re.compile(r"\d{4}-\d{2}-\d{2} \d{1,2}:\d{2} (?:GMT|UTC)[+-]\d{1,2}:?\d{2} \S.{0,200}$")
"""As Gmail wrote for years in languages it had no sentence for."""

MOST_ATTRIBUTION_LINES = 7
LONGEST_ENDING = 160
_ENDINGS = tuple(":：-–—")


def find_attribution(lines: Sequence[str], end: int, *, quoted: bool) -> int | None:
    """Where the attribution begins whose last line is `end`; None where that line ends none.

    Args:
        quoted: whether a quotation follows: then less is asked of what introduces it.
    """
    if not may_end_one(lines[end], quoted=quoted):
        return None
    last = _last_words(lines, end)
    if _GMAIL.match(last) and not (end + 1 < len(lines) and lines[end + 1].strip() and not last.endswith(":")):
        return end
    if not may_end_attribution(lines, end, quoted=quoted):
        return None
    wrote = _verb(last[:40])
    if not quoted and wrote is not None and wrote.start() <= 3 and _MOMENT & _tells(last):
        return None  # "Wrote to you on Monday": who wrote, or when, comes first
    said, gaps, found = "", 0, None
    for start in range(end, max(end - MOST_ATTRIBUTION_LINES, -1), -1):
        line = lines[start]
        if not line.strip(" >|*"):
            gaps += 1
            if gaps > 1 or start == end:
                break
            continue
        ends_a_sentence = start < end and line.endswith((".", "!", "?", "。")) and not _tells(line)
        if ends_a_sentence or len(said) > 600:
            break
        known = _tells(said) & {"who"}
        if found is not None and "day" not in _tells(said) and not (found == start + 1 and _tells(line) - known):
            # Of whom it speaks is known, and not of when: that may stand a little further up.
            if _opens(line) or (not gaps and _begins_with_moment(line)):
                return start
            continue
        # Where a name is broken from its address, it stands at the end of the line above.
        is_broken = found == start + 1 and said.startswith(("<", "(", "["))
        if found is not None and not is_broken and not (found == start + 1 and _tells(line) - _tells(said)):
            break  # it is whole; what stands before is somebody's sentence
        said = f"{line.strip()} {said}"
        if found is None and not _introduces(said, quoted=quoted):
            continue
        if _opens(said):
            return start
        found = start
    return found


def may_end_one(line: str, *, quoted: bool) -> bool:
    """Whether a line is not one of the many that end no attribution, by its first and last characters alone."""
    last = line.strip(" >|*_")
    return last != "" and (quoted or last[-1] in _ENDING_CHARACTERS or last[0].isdigit() or len(last) == 1)


_ENDING_CHARACTERS = frozenset(_ENDINGS)


def may_end_attribution(lines: Sequence[str], end: int, *, quoted: bool) -> bool:
    """Whether it is worth looking for an attribution that ends here; costs little."""
    if not may_end_one(lines[end], quoted=quoted):
        return False
    last = _last_words(lines, end)
    if not last or not (quoted or last.endswith(_ENDINGS)):
        return _GMAIL.match(last) is not None
    return (
        _ends_as_attribution(last)
        or _ends_with_moment(lines, end, quoted=quoted)
        or _GMAIL.match(last) is not None
        or (end > 0 and last.endswith(":") and _ends_as_attribution(_two_lines(lines, end)))
    )


def _ends_as_attribution(last: str) -> bool:
    last = last[-LONGEST_ENDING:]
    may_end = _may_say_wrote(last) or not _BRACKETS.isdisjoint(last[-8:])
    return may_end and _ENDS_AS_ATTRIBUTION.search(last) is not None


_BRACKETS = frozenset(">])")
_STEMS = re.compile(
    r"wrote|writes|crit|schrieb|geschreven|schreef|escri|escreveu|scrive|skrev|kirjoitti|napis|pisze|naps|"
    r"napís|missatge de|idatzi|írta|scris|kirjutas|rašė|rakstīja|писал|пишет|пише|напис|έγραψε|yazdı|كتب|"
    r"כתב|מאת|写道|寫道|写了|のメール|書きました|からのメッセージ|작성|viết|نوشت|menulis|skrifaði|је написа|เขียน"
)
"""Each verb of `_WROTE` has one of these in it, in lower case."""


def _two_lines(lines: Sequence[str], end: int) -> str:
    above = lines[end - 1].strip(" >|*_")
    return f"{above} {lines[end].strip(' >|*_')}"[-LONGEST_ENDING:] if above else ""


def _last_words(lines: Sequence[str], end: int) -> str:
    last = lines[end].strip(" >|*_")
    return lines[end - 1].strip(" >|*_") + last if len(last) == 1 and end else last


def _ends_with_moment(lines: Sequence[str], end: int, *, quoted: bool) -> bool:
    """Whether a line may be the rest of "X wrote on Tuesday, March 2", broken anywhere."""
    last = lines[end].rstrip(" >|*_")
    if not (quoted or last.endswith((":", "："))) or not (_day(last[-200:]) or _time(last[-200:])):
        return False
    return quoted or any("@" in line or _verb(line) for line in lines[max(end - 2, 0) : end + 1])


def _opens(said: str) -> bool:
    """Whether these words begin as "On Monday, March 2" does."""
    moment = _day(said) or _time(said)
    return moment is not None and moment.start() <= 24 and _OPENER.match(said) is not None


_MOMENT = {"day", "time"}


def _day(said: str) -> re.Match[str] | None:
    return _DATE.search(said) if _DIGIT.search(said) is not None else None


def _time(said: str) -> re.Match[str] | None:
    return _TIME.search(said) if _DIGIT.search(said) is not None or "午" in said else None


def _verb(said: str) -> re.Match[str] | None:
    return _VERB.search(said) if _may_say_wrote(said) else None


_DIGIT = re.compile(r"\d")


def _may_say_wrote(said: str) -> bool:
    """Whether one of the `_STEMS` stands in it: the search for every verb takes ten times as long."""
    return _STEMS.search(said.lower()) is not None


def _tells(said: str) -> set[str]:
    """What of an attribution these words have."""
    parts = {
        "day": _day(said),
        "time": _time(said),
        "who": _MAILBOX.search(said),
        "verb": _verb(said),
    }
    return {name for name, found in parts.items() if found is not None}


def _introduces(said: str, *, quoted: bool) -> bool:
    moments = (_day(said) is not None) + (_time(said) is not None)
    verb = _verb(said) is not None
    ends_with_verb = _ends_as_attribution(said[-LONGEST_ENDING:].rstrip(" >*_"))
    if verb and said.rstrip(" >*_").endswith((":", "：")) and _MAILBOX.search(said):
        return quoted or ends_with_verb or moments == 2
    if not said.rstrip(" >*_").endswith(_ENDINGS):
        return quoted and moments + (_MAILBOX.search(said) is not None) >= 2
    verb = verb and (quoted or ends_with_verb)
    if moments and _MAILBOX.search(said):
        return verb or quoted or _begins_with_moment(said)
    if moments == 2:
        return verb or quoted
    return verb and (moments == 1 or quoted) and not _SENTENCE_ENDS.search(said)


def _begins_with_moment(said: str) -> bool:
    """Whether it says when, and then who, with no word between that tells more."""
    day = _day(said)
    return day is not None and day.start() <= 20


def is_attribution_of_marked(line: str) -> bool:
    """Whether a short line that marked quotation follows says whose that is, in words no program writes any more."""
    said = line.strip()
    return len(said) <= 100 and said.endswith((":", "：")) and _QUOTING.match(said) is not None


_QUOTING = re.compile(
    r"(?:quoting|quoth|citando|citazione|zitat von|citát|en citant|citeren|citat från|dixit|thus spake|цитирование)\b|"
    r"[^:.!?]{2,60}\s(?:replied|writes|said|wrote|answered|a répondu|antwortete|respondió|respondeu|ha risposto)\s?:$",
    re.I,
)


def is_attribution_with_words(line: str) -> bool:
    """Whether an attribution and what it introduces stand in one line, as Yahoo's telephones write them."""
    end = _WIDE_COLON.search(line) if "  " in line and names_something(line) else None
    if end is None:
        return False
    said = line[: end.start() + 1]
    return _tells(said) >= {"day", "who", "verb"} and _opens(said)


_WIDE_COLON = re.compile(r"[:：]\s{2,}(?=\S)")


# ---------------------------------------------------------------- "-----Original Message-----"

_ORIGINAL = (
    r"original message|original appointment|message d'origine|message original|message d’origine|"
    r"courriel original|mail original|e-mail original|ursprüngliche nachricht|originalnachricht|original-nachricht|ursprüngliche e-mail|"
    r"mensaje original|correo original|mensagem original|messaggio originale|oorspronkelijk bericht|"
    r"oprindelig meddelelse|original meddelelse|opprinnelig melding|opprinnelig e-post|ursprungligt meddelande|"
    r"ursprungsmeddelande|originalmeddelande|alkuperäinen viesti|wiadomość oryginalna|oryginalna wiadomość|"
    r"původní (?:zpráva|e-mail)|pôvodná správa|eredeti üzenet|mesaj original|izvorna poruka|originalna poruka|algne kiri|"
    r"исходное сообщение|исходное письмо|оригинальное сообщение|оригінальне повідомлення|початкове повідомлення|"
    r"αρχικό μήνυμα|orijinal ileti|orijinal mesaj|özgün ileti|الرسالة الأصلية|הודעה מקורית|元のメッセージ|"
    r"オリジナルメッセージ|original message|原始邮件|原始郵件|邮件原件|回复的原邮件|转发的原邮件|원본 메시지|원본 메일|thư gốc|missatge original|"
    r"reply message|reply above|antwort message|réponse originale"
)
_ORIGINAL_LINE = re.compile(
    rf"[\s>|*]{{0,10}}(?:[-_=–—*]\s?){{2,}}\s*(?:{_ORIGINAL})\s*:?\s*(?:[-_=–—*]\s?){{2,}}\s*$", re.I
)


_ABOVE_LINE = re.compile(
    r"\W*(?:please |merci de |bitte |veuillez )?(?:type your )?"
    r"(?:reply|respond|write|répond\w*|écri\w*|antwort\w*|schreib\w*|respond\w*|respuesta|resposta|rispond\w*|"
    r"svar\w*|skriv\w*|odpow\w*|odpov\w*|vastaa\w*|ответ\w*|відпов\w*|yanıt\w*)\b.{0,30}"
    r"\b(?:above|au-dessus|oberhalb|über|encima|arriba|acima|sopra|boven|ovanför|over|ovenfor|yläpuol\w*|powyżej|nad|"
    r"выше|вище|üst\w*)\b.{0,20}\b(?:line|ligne|linie|zeile|línea|linha|riga|lijn|regel|linjen?|viiva\w*|lini\w*|"
    r"čár\w*|řád\w*|строк\w*|лини\w*|ліні\w*|çizgi\w*)\b.{0,40}$",
    re.I,
)


ABOVE_BEGINS = (
    *("please ", "merci de ", "bitte ", "veuillez ", "type your ", "reply", "respond", "write", "répond", "écri"),
    *("antwort", "schreib", "respuesta", "resposta", "rispond", "svar", "skriv", "odpow", "odpov", "vastaa", "ответ"),
    *("відпов", "yanıt"),
)
"""As which a line may begin, in lower case, that says that answers stand above it."""


def is_original_line(line: str) -> bool:
    """Whether it says that an original follows, or that answers stand above it."""
    return 7 < len(line) < 200 and (_ORIGINAL_LINE.match(line) is not None or _ABOVE_LINE.match(line) is not None)
