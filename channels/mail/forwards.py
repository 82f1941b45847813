# ruff: noqa: RUF001, E501  # words of many alphabets, some of them wide
"""Mails that hand another mail on: who first wrote it, what it said, and what whoever hands it on says to that.

Only what is quoted in words is read here; a mail that is attached whole is a part of its own (`attached_forwards`).
All of it is what the one who hands it on claims.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from channels.mail.headers import is_address, read_date, tidy
from channels.mail.heads import (
    Head,
    HeadBlock,
    find_attribution,
    head_of,
    is_head_of_a_mail,
    is_original_line,
    labels_pattern,
    read_head_block,
)
from channels.mail.lines import Lines, lines_of
from inbox.particulars import Forward

LONGEST_NAME = 200


class Found(NamedTuple):
    """A mail quoted in another's text."""

    forward: Forward
    words: str
    """What whoever hands it on says, before it; "" where they say nothing."""
    began_at: int
    """Where in the text it begins, in characters: everything before it is theirs."""
    date: str
    """When it was written, as its header says; "" where it does not."""


def find_forward(subject: str | None, text: str, lines: Lines | None = None) -> Found | None:
    """The mail that this one hands on, quoted in its text; None where it quotes none, or only what it answers.

    Args:
        subject: of this mail; None where it is not known, and only the text can tell.
        lines: those of the text, where they are known.
    """
    read = lines or lines_of(text)
    written, said = read.written, read.said
    is_named = subject is None or is_forward_subject(subject)
    for number in _where_it_may_begin(read):
        line = said[number]
        if not line.strip(" >|*"):
            continue
        marked = _after_marker(said, number) if _may_mark(line) else None
        if marked is not None:
            return marked.found(written, number)
        headed = _headed(said, number) if is_named else None
        if headed is not None:
            return headed.found(written, number)
        if is_original_line(line):
            return None  # an answer, with what it answers
        start = read.find_attribution(number, quoted=_is_quoted(said, number + 1))
        if start is not None:
            attributed = subject is not None and is_named and not _is_quoted(said, start - 1)
            return _attributed(said, start, number).found(written, start) if attributed else None
        if read_head_block(said, number) is not None:
            return None
    return None


def _where_it_may_begin(lines: Lines) -> Iterator[int]:
    """The lines that are not somebody's sentence, and those that marks of a quotation follow."""
    last = -1
    for number in lines.odd:
        if last < number - 1 and _is_quoted(lines.said, number):
            yield number - 1
        yield number
        last = number


# ---------------------------------------------------------------- subjects

_FORWARDED = re.compile(
    r"\s*(?:\[[^\]]{1,40}\]\s*)?(?:fwd?|fw|tr|wg|i|rv|enc|res\.enc|doorst|vs|vb|vl|pd|přep|fs|továbbítás|továbbított üzenet|"
    r"továbbítva|trimis|redirecționat|İlt|ilt|i̇lt|転送|转发|轉寄|전달|прд|пер|пересл|преп|προώθ|πρθ|"
    r"fwd\(\d\)|tran?sf[ée]r[ée]?|inoltro|inoltr)\s?(?:\[\d{1,2}\]|\(\d{1,2}\))?\s?[:：]",
    re.I,
)


def is_forward_subject(subject: str) -> bool:
    """Whether a subject begins as programs begin that of a mail they hand on; the outermost prefix counts."""
    return _FORWARDED.match(subject) is not None


def bare_forward_subject(subject: str) -> str:
    """The subject without those prefixes."""
    while (found := _FORWARDED.match(subject)) is not None:
        subject = subject[found.end() :]
    return subject.strip()


# ---------------------------------------------------------------- where it begins

_WORDS = (
    r"forwarded message|forwarded by|begin forwarded message|start of forwarded message|message transféré|"
    r"début du message transféré|début du message réexpédié|message réexpédié|mail transféré|courriel transféré|"
    r"weitergeleitete nachricht|weitergeleitete e-mail|anfang der weitergeleiteten (?:nachricht|e-mail)|"
    r"mensaje reenviado|inicio del mensaje reenviado|mensagem (?:encaminhada|reencaminhada)|"
    r"início da mensagem (?:encaminhada|reencaminhada)|messaggio inoltrato|inizio messaggio inoltrato|"
    r"inizio del messaggio inoltrato|doorgestuurd bericht|begin doorgestuurd bericht|videresendt (?:meddelelse|besked)|"
    r"start på videresendt (?:besked|melding)|videresendt melding|vidarebefordrat (?:meddelande|mail|e-postmeddelande)|"
    r"vidarebefordrat mejl|vidarebefordrat brev|edelleenlähetetty viesti|välitetty viesti|viesti välitettiin|"
    r"välitetty sähköposti|edelleen lähetetty viesti|välitetyn viestin alku|przekazana wiadomość|wiadomość przekazana|"
    r"początek przekazywanej wiadomości|(?:treść )?przekazane(?:j|go) wiadomości|přeposlaná zpráva|"
    r"začátek přeposílané zprávy|začátek přeposlané zprávy|preposlaná správa|"
    r"začiatok preposlanej správy|začiatok preposielanej správy|továbbított (?:üzenet|levél)|továbbított üzenet kezdete|"
    r"mesaj redirecționat|mesaj redirecţionat|mesajul redirecționat|începutul mesajului redirecționat|începe mesajul redirecționat|"
    r"proslijeđena poruka|započni proslijeđenu poruku|započnite proslijeđenu poruku|edastatud kiri|edastatud sõnum|"
    r"persiųstas laiškas|pārsūtīts ziņojums|пересылаемое сообщение|пересланное сообщение|пересланное письмо|"
    r"начало переадресованного сообщения|перенаправленное сообщение|переслане повідомлення|"
    r"пересланий лист|початок листа, що пересилається|початок пересланого повідомлення|препратено съобщение|"
    r"προωθημένο μήνυμα|έναρξη προωθημένου μηνύματος|προωθημένο μήνυμα|iletilen mesaj|iletilmiş ileti|"
    r"iletilen ileti|i̇letilen ileti|yönlendirilen (?:ileti|mesaj)|i̇letilmiş mesaj|الرسالة المعاد توجيهها|رسالة معاد توجيهها|رسالة محولة|"
    r"הודעה שהועברה|הודעה מועברת|転送メッセージ|転送されたメッセージ|メッセージを転送|已转发邮件|转发邮件|转发的邮件|"
    r"以下是转发的邮件|轉寄的郵件|轉寄郵件|已轉寄郵件|開始轉寄郵件|开始转发的邮件|전달된 메시지|전달된 메일|전달한 메시지|"
    r"chuyển tiếp|missatge reenviat|inici del missatge reenviat"
)
_MARKER = re.compile(
    rf"[\s>|*]{{0,20}}(?:(?:[-_=~–—*]\s?){{2,20}}\s?(?:{_WORDS})\b[^\n]{{0,120}}?(?:[-_=~–—*]\s?){{2,20}}|(?:{_WORDS})\s?[:：])(.*)$",
    re.I,
)


class _Quoted(NamedTuple):
    """A forwarded mail's header, and where its words begin."""

    block: HeadBlock
    said_by: str

    def found(self, lines: Sequence[str], start: int) -> Found:
        values = self.block.values
        name, address = _person(self.said_by)
        recipients = [
            found.lower() for found in _ADDRESS.findall(f"{values.get(Head.TO, '')} {values.get(Head.CC, '')}")
        ]
        date = values.get(Head.DATE, "")
        forward = Forward(
            address=address,
            name=name,
            subject=tidy(values.get(Head.SUBJECT, ""), 1000).strip("* "),
            text=_without_end(_unquoted(lines[self.block.end :], start_quoted=_is_quoted(lines, start))),
            written_at=read_date(date.encode()),
            recipients=tuple(dict.fromkeys(recipient for recipient in recipients if is_address(recipient))),
        )
        before = "\n".join(lines[:start])
        return Found(forward, before.strip(), len(before), date)


def _may_mark(line: str) -> bool:
    """Whether a line can be a marker at all, by its first characters: most cannot."""
    return not _DRAWN.isdisjoint(line[:25]) or line[:25].strip(" >|*").lower()[:2] in _WORDS_BEGIN


_DRAWN = frozenset("-_=~–—*")
_WORDS_BEGIN = frozenset(word.removeprefix("(?:")[:2] for word in _WORDS.split("|"))


def _after_marker(lines: Sequence[str], number: int) -> _Quoted | None:
    """The header a marker announces: on the lines after it, or, as Yahoo has it, behind it on its own."""
    known = _MARKER.match(lines[number])
    marker = known or _RULED.match(lines[number])
    if marker is None or is_original_line(lines[number]):
        return None
    if marker[1].strip():
        split = _AT_LABELS.sub(r"\n\1", marker[1]).strip().split("\n")
        block = read_head_block(split, 0)
        if block is not None:
            return _quoted(block._replace(start=number, end=number + 1))
    for at in range(number + 1, min(number + 5, len(lines))):
        if lines[at].strip(" >|*"):
            block = read_head_block(lines, at)
            if block is not None:
                # Under a title that says nothing we know, somebody's form looks like a header too.
                return _quoted(block) if known is not None or is_head_of_a_mail(lines, block) else None
            # Yandex says "on …, X wrote:" there.
            ends = next((end for end in range(at, min(at + 3, len(lines))) if _starts_at(lines, at, end)), None)
            return _attributed(lines, at, ends) if ends is not None else None
    return None


def _starts_at(lines: Sequence[str], start: int, end: int) -> bool:
    return find_attribution(lines, end, quoted=False) == start


_RULED = re.compile(
    r"[\s>|*]{0,20}(?:[-_=~–—]\s?){2,20}\s?[^\W\d_][^-_=~–—\n]{2,60}(?:(?:[-_=~–—]\s?){2,20}[^-_=~–—\n]{2,60})?(?:[-_=~–—]\s?){2,20}(.*)$"
)
"""A line drawn with words in it: before a header it says in some language that a mail is handed on."""

_AT_LABELS = re.compile(rf"({labels_pattern()}\s?[:：])")


def _headed(lines: Sequence[str], number: int) -> _Quoted | None:
    """A header that begins here, under a line that says so or none."""
    at = number
    while at < min(number + 3, len(lines)) and (
        is_original_line(lines[at]) or _announces(lines, at) or not lines[at].strip(" >|*_-")
    ):
        at += 1
    if at == len(lines) or head_of(lines[at]) is None:
        return None
    block = read_head_block(lines, at)
    return _quoted(block) if block is not None else None


_END = re.compile(
    r"^[-_=–—]{2,20}\s?(?:end|fin|ende|fine|fim|final|einde|slut|slutt|loppu|koniec|konec|vége|sfârșit|конец|кінець|край|"
    r"τέλος)\b[^-_=–—\n]{2,80}[-_=–—]{2,20}$",
    re.I,
)


def _without_end(text: str) -> str:
    """The words before the line that says that they end, where a program writes one."""
    lines = text.split("\n")
    ends = next((number for number in range(len(lines) - 1, -1, -1) if _END.match(lines[number].strip())), None)
    return text if ends is None else "\n".join(lines[:ends]).strip()


def _announces(lines: Sequence[str], at: int) -> bool:
    """Whether a quoted line can only be one that its reader's program put above the header, in whatever language."""
    line = lines[at]
    if not line.startswith(">") or len(line) >= 60 or head_of(line) is not None:
        return False
    named = head_of(lines[at + 1]) if at + 1 < len(lines) and line.strip(" >") else None
    return line.endswith((":", "：")) or (named is not None and named[0] is Head.FROM)


def _quoted(block: HeadBlock) -> _Quoted:
    return _Quoted(block, block.values.get(Head.FROM, ""))


def _attributed(lines: Sequence[str], start: int, end: int) -> _Quoted:
    """What "On 3 March, Jean Martin <jean@…> wrote:" says."""
    said = " ".join(line.strip() for line in lines[start : end + 1])
    found = _NAMED.search(said)
    who = found[0].strip() if found is not None else ""
    while who[:1].islower() and who.partition(" ")[2][:1].isupper():
        who = who.partition(" ")[2]  # "user Jean Martin", in some language
    return _Quoted(HeadBlock(start, end + 1, {Head.DATE: said}), who)


# ---------------------------------------------------------------- who, and what

_ADDRESS = re.compile(r"[^\s<>\[\]()\"',;:]{1,64}@[^\s<>\[\]()\"',;:]{1,200}")
_NAMED = re.compile(
    r"(?:[\"„“][^\"“”\n]{1,100}[\"“”]|(?:[^\W\d_][\w.'’-]*\s){0,5}[^\W\d_][\w.'’-]*)?\s?[<\[(]{1,2}\s?(?:mailto:)?[^\s<>@]{1,64}@[^\s<>]{1,200}[>\])]"
)
_NAMELESS = re.compile(r"mailto:|[<>\[\]()\"„“”«»*]|&lt;|&gt;")


def _person(said: str) -> tuple[str, str]:
    """A name and an address, as far as a quoted header says them."""
    said = said[:1000].replace("mailto:", " ")
    found = _ADDRESS.search(said)
    address = found[0].strip(".").lower() if found is not None else ""
    # Before the address; behind it where nothing stands before: jean@example.org (Jean Martin).
    before, _, after = said.partition(found[0]) if found is not None else (said, "", "")
    names = (tidy(_NAMELESS.sub(" ", part), LONGEST_NAME).strip(" ,;:'") for part in (before, after.partition("<")[0]))
    name = next((name for name in names if name), "")
    return name, address if is_address(address) else ""


def _is_quoted(lines: Sequence[str], number: int) -> bool:
    return 0 <= number < len(lines) and lines[number].lstrip().startswith(">")


_MARK = re.compile(r"\s{0,4}>\s?")


def _unquoted(lines: Sequence[str], *, start_quoted: bool) -> str:
    """The words of what was handed on, without the marks of its quotation."""
    full = [line for line in lines if line.strip()]
    marks = sum(line.lstrip().startswith(">") for line in full)
    if start_quoted or (full and marks * 2 > len(full)):
        lines = [_MARK.sub("", line, count=1) for line in lines]
    indents = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    indent = min(indents, default=0)
    return "\n".join(line[indent:] for line in lines).strip()
