"""What mail servers report of mails that did not arrive: a mail in, what became of whom out.

The form of RFC 3464 is read where there is one, however badly labelled; else
the words, as some thirty kinds of server have written them in a dozen
languages for forty years. Only a machine's mail is read so: a person who
complains of a bounce, and quotes it, has not sent one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from channels.mail.bounce_fields import (
    ADDRESS,
    COMMANDED,
    LABELLED,
    LEADING,
    LONGEST_LINE,
    MOST_LINES,
    REFUSED,
    Group,
    begin_of_header,
    clean,
    groups_in,
    is_header,
    typed,
)
from channels.mail.bounce_words import DELAYS, FAILURES, code_in, code_of_words
from channels.mail.headers import (
    LONGEST_ID,
    Fields,
    as_text,
    decode_octets,
    decode_text,
    first,
    read_addresses,
    read_head,
    read_ids,
    tidy,
)
from channels.mail.html import html_to_text
from channels.mail.parts import Part, Tree, decode_part
from inbox.particulars import Bounce, Failure, FailureKind

MOST_OCTETS = 256 * 1024
"""Of a part that are read: a report says what it has to say sooner, and quotes the whole mail after that."""
MOST_FAILURES = 100
LONGEST_SAYING = 300
LONGEST_NOTICE = 40_000
"""Characters of the words that are searched."""


def read_bounce(tree: Tree) -> Bounce | None:
    """What a mail server reports in this mail; None when it is no such report.

    Takes time in proportion to the mail's first few hundred kilobytes.
    """
    if not _may_be(tree):
        return None
    report = _Report(tree)
    if not report.is_one():
        return None
    failures = tuple(itertools.islice(report.failures(), MOST_FAILURES))
    return Bounce(failures=failures, original_id=report.original_id())


def _may_be(tree: Tree) -> bool:
    """Whether the header alone leaves it possible: nothing else is read of what people send."""
    fields = tree.root.fields
    return (
        tree.root.media_type == "multipart/report"
        or "x-failed-recipients" in fields
        or b"auto-" in first(fields, "auto-submitted").lower()
        or from_machine(fields)
        or _NO_REPLY.search(as_text(first(fields, "from"))[:500]) is not None
    )


def from_machine(fields: Fields) -> bool:
    """Whether it comes from what a mail server calls itself, or from nobody (RFC 5321 §4.5.5)."""
    return is_null_path(fields) or _is_named_machine(fields)


def _is_named_machine(fields: Fields) -> bool:
    value = first(fields, "from")[:5000]
    if b"@" in value and not MAY_BE_MACHINE.search(value):
        return False
    sender = as_text(value)[:500]
    addresses = [address.value for address in read_addresses(fields.get("from", ())[:1])]
    if any(_MACHINE_ADDRESS.match(address) for address in addresses):
        return True
    return not any(addresses) and _MACHINE_NAME.search(sender) is not None


def is_null_path(fields: Fields) -> bool:
    """Whether its envelope had no sender: what answers by itself does not answer such a mail."""
    path = as_text(first(fields, "return-path"))[:500].strip().lower()
    return path.startswith("<>") or path.lstrip("<").startswith("mailer-daemon")


MAY_BE_MACHINE = re.compile(rb"daemon|master|system|deliver|bounce|exchange", re.I)
"""What `_MACHINE_ADDRESS` cannot be without."""
_MACHINE_ADDRESS = re.compile(
    r"(?:mailer-?_?daemon|mail-?daemon|poo?st[_-]?master|mail(?:er)?-?system|maildeliver\w*|mail-?delivery\w*|mdaemon"
    r"|microsoftexchange\w*|double-bounce|mail-?bounces?|bounced?-?mail|[\w.-]{0,60}-postmaster)"
    r"(?:[+-][^@]{0,200})?@",
    re.I,
)
_MACHINE_NAME = re.compile(r"mailer.?daemon|postmaster|mail deliver|<>|mail system", re.I)


# ---------------------------------------------------------------- taking apart


class _Report:
    """One mail, looked at as a report."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._fields = tree.root.fields
        self._subject = decode_text(first(self._fields, "subject"), 300)
        self._texts: list[str] = []
        self._groups: list[Group] = []
        self._returned: Fields = {}
        self._is_other = False
        """It reports something else: that it was read, that it was called spam."""
        self._has_status = False
        report_type = tree.root.parameters.get("report-type", "").lower()
        self._machine = from_machine(self._fields)
        self._is_named = _is_named_machine(self._fields)
        self._is_report = tree.root.media_type == "multipart/report" and report_type in ("", "delivery-status")
        for part in tree.root.leaves():
            self._look_at(part)
        self._notice = self._without_returned("\n\n".join(self._texts)[: 2 * LONGEST_NOTICE])[:LONGEST_NOTICE]
        if not self._groups:
            self._groups = list(groups_in(self._notice, strict=True))
        if self._machine and not self._groups:
            self._groups = list(groups_in("\n\n".join(self._texts), strict=True))

    def _look_at(self, part: Part) -> None:
        kind = part.media_type
        if kind in _OTHER_REPORTS:
            self._is_other = True
        elif kind in _STATUS:
            self._has_status = True
            self._groups += groups_in(self._words(part), strict=False)
        elif kind in _RETURNED:
            if not self._returned:
                self._returned = self._head_of(part)
        elif part.path != "1" and is_header(part.fields):
            self._returned = self._returned or part.fields  # the mail stands there as if it were a part
        elif kind in ("text/plain", "text/html") and len(self._texts) < 8:
            if kind == "text/html" and any(self._texts):
                return  # another form of the same words
            self._texts.append(self._words(part))

    def _head_of(self, part: Part) -> Fields:
        if part.encoding in ("base64", "quoted-printable"):
            # Against RFC 2046 §5.2.1, and seen.
            octets = decode_part(self._tree.raw, part, MOST_OCTETS)
            return read_head(octets, 0, len(octets)).fields
        return read_head(self._tree.raw, part.start, part.end).fields

    def _words(self, part: Part) -> str:
        octets = decode_part(self._tree.raw, part, MOST_OCTETS)
        text = decode_octets(octets[:MOST_OCTETS], part.parameters.get("charset"))
        if part.media_type == "text/html":
            text, _ = html_to_text(text)
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def _without_returned(self, text: str) -> str:
        """The report's own words: what follows them is the header of the mail it gives back."""
        lines = text.split("\n")
        at = begin_of_header(lines)
        if at is None:
            return text
        notice = "\n".join(lines[:at])
        if not notice.strip():
            return text  # nothing was said before it: it is the report's own
        if not self._returned:
            head = "\n".join(line[:LONGEST_LINE] for line in lines[at : at + 400]).encode("utf-8", "replace")
            self._returned = read_head(head, 0, len(head)).fields
        return notice

    # ------------------------------------------------------------ is it one

    def is_one(self) -> bool:
        """Whether a mail server wrote this about a mail."""
        fields = self._fields
        if self._is_other and not self._has_status:
            return False
        told = any(group.is_of_recipient for group in self._groups)
        if self._is_report and self._has_status:
            # A person who hands a report on sends no report.
            return told or self._machine
        auto = b"auto-" in first(fields, "auto-submitted").lower() or "x-failed-recipients" in fields
        suspect = self._machine or auto or _NO_REPLY.search(as_text(first(fields, "from"))[:500]) is not None
        if not suspect:
            return False
        if told and (self._has_status or self._machine):
            return True
        if "x-failed-recipients" in fields:
            return True
        if _ABSENCE.search(self._subject) or (_ANSWERED.match(self._subject) and not self._gives_back()):
            return False
        said = self._subject
        words = self._notice[:20_000]
        if not self._is_named:
            # An absence notice comes from nobody too, and may say that nothing is handed on meanwhile.
            return FAILURES.search(words) is not None and bool(self._returned or code_in(words))
        if FAILURES.search(words) or FAILURES.search(said) or DELAYS.search(said):
            return True
        return bool(self._returned or self._addresses()) and code_in(words) != ""

    def _gives_back(self) -> bool:
        """Whether a mail server sends its reader's own mail back: some put "Re:" before its subject."""
        own = {a.value for a in read_addresses(self._fields.get("to", ())[:1])}
        return self._is_named and any(a.value in own for a in read_addresses(self._returned.get("from", ())))

    # ------------------------------------------------------------ of whom

    def failures(self) -> Iterator[Failure]:
        groups = [group for group in self._groups if group.is_of_recipient]
        seen: set[str] = set()
        known = self._addresses() if any(not group.address() for group in groups) else []
        for number, group in enumerate(groups):
            address = group.address() or (known[number] if len(known) == len(groups) else "")
            if address not in seen or not address:
                seen.add(address)
                yield self._failure_of(group, address)
        if groups:
            return
        addresses = self._addresses()
        status = next((group for group in self._groups if "status" in group.fields or "action" in group.fields), None)
        for address in addresses or [""]:
            if status is not None:
                yield self._failure_of(status, address)
            else:
                yield self._told_in_words(address, alone=len(addresses) < 2)

    def _failure_of(self, group: Group, address: str) -> Failure:
        fields = group.fields
        diagnostic = typed(fields.get("diagnostic-code", "")) or typed(fields.get("x-diagnostic-code", ""))
        status = fields.get("status", "")
        own = code_in(status)
        words = diagnostic or typed(fields.get("status", "")).partition("(")[2].rstrip(")")
        given = _given_code(own, code_in(diagnostic))
        action = re.match(r"[a-z]*", fields.get("action", "").strip().lower())
        kind = _kind(action[0] if action else "", given, self._is_delay)
        return Failure(
            address=address,
            kind=kind,
            code=_told_code(given, kind, words or self._notice[:20_000]),
            says=tidy(words or self._saying_of(address), LONGEST_SAYING),
        )

    def _told_in_words(self, address: str, *, alone: bool) -> Failure:
        words = self._saying_of(address)
        given = code_in(words)
        if not given or (alone and given.endswith(".0.0")):
            given = _given_code(given, code_in(self._notice[:20_000]))
        kind = _kind("", given, self._is_delay)
        code = _told_code(given, kind, words)
        if not code or code.endswith(".0.0"):
            code = _told_code(code, kind, self._notice[:20_000] + self._subject)
        return Failure(address=address, kind=kind, code=code, says=tidy(words, LONGEST_SAYING))

    @cached_property
    def _is_delay(self) -> bool:
        return DELAYS.search(self._subject) is not None or DELAYS.search(self._notice[:5000]) is not None

    def _saying_of(self, address: str) -> str:
        """What stands by an address, up to the next one."""
        if not address:
            return ""
        lines = [line[:LONGEST_LINE].strip() for line in self._notice.split("\n")[:MOST_LINES]]
        for at, line in enumerate(lines):
            if address not in line.lower():
                continue
            said = [line.strip("<>: ") if line.lower().strip("<>: ") != address else ""]
            for following in lines[at + 1 : at + 12]:
                if (not following and any(said)) or LEADING.match(following) or following.startswith("---"):
                    break
                said.append(following)
            words = " ".join(filter(None, said))
            if words:
                return words
        return ""

    def _addresses(self) -> list[str]:
        """Whom the words speak of, by the most telling place that names anybody."""
        failed = [a.value for a in read_addresses(self._fields.get("x-failed-recipients", ())) if a.value]
        if failed:
            return list(dict.fromkeys(failed))
        lines = [line[:LONGEST_LINE] for line in self._notice.split("\n")[:MOST_LINES]]
        alone = [m[1] for line in lines for m in LEADING.finditer(line) if line.strip(" <>:\r").endswith(m[1])]
        leading = list(dict.fromkeys(filter(None, map(clean, alone))))[:1]
        for wanted in (LEADING, COMMANDED, REFUSED, LABELLED):
            named = [m[1] for line in lines for m in wanted.finditer(line)]
            found = self._others(named) or self._others(named, machines=wanted is COMMANDED)
            if found:
                return found
            if wanted is COMMANDED and leading:
                return leading  # he wrote to himself
        found = self._others(m[0] for line in lines for m in ADDRESS.finditer(line))
        if found:
            return found[:1]
        to = self._others(a.value for a in read_addresses(self._returned.get("to", ())))
        if len(to) == 1:
            return to
        # What looked like the header of the mail it gives back was not.
        return self._others(m[0] for text in self._texts for m in ADDRESS.finditer(text[:20_000]))[:1]

    def _others(self, found: Iterable[str], *, machines: bool = False) -> list[str]:
        """Those of the addresses that are neither the writer of the mail nor of the report, nor whom to complain to."""
        own = {a.value for a in read_addresses(self._fields.get("to", ())[:1])}
        own |= {a.value for a in read_addresses(self._returned.get("from", ()))}
        own |= {a.value for a in read_addresses(self._fields.get("from", ()))}
        all_of_them = list(dict.fromkeys(filter(None, map(clean, found))))
        return [a for a in all_of_them if a not in own and (machines or not _MACHINE_ADDRESS.match(a))]

    # ------------------------------------------------------------ of what

    def original_id(self) -> str:
        """The Message-ID of the mail it speaks of."""
        for fields, name in (
            (self._returned, "message-id"),
            (self._fields, "x-original-message-id"),
            (self._fields, "original-message-id"),
        ):
            found = read_ids(fields.get(name, ())[:1], 1)
            if found:
                return found[0]
        for group in self._groups:
            for name in ("x-original-message-id", "original-message-id"):
                found = read_ids([group.fields.get(name, "").encode()], 1)
                if found:
                    return found[0]
            envelope = tidy(_from_xtext(group.fields.get("original-envelope-id", "")), LONGEST_ID).strip("<> ")
            if "@" in envelope:
                return envelope  # RFC 3461 §4.4: what we called it when we handed it over
        for text in self._texts:
            quoted = _QUOTED_ID.search(text)
            if quoted:
                return quoted[1]
        if not self._is_named:
            return ""  # whoever answers has these fields
        found = read_ids([*self._fields.get("in-reply-to", ()), *self._fields.get("references", ())][:2], 1)
        return found[0] if found else ""


def _from_xtext(text: str) -> str:
    """RFC 3461 §4: `+2B` is a plus sign."""
    return re.sub(r"\+([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), text[:1000])


_STATUS = frozenset(
    {"message/delivery-status", "message/global-delivery-status", "text/delivery-status", "application/delivery-status"}
)
_RETURNED = frozenset(
    {
        "message/rfc822",
        "message/global",
        "message/partial",
        "text/rfc822-headers",
        "text/rfc822-header",
        "text/rfc822",
        "message/rfc822-headers",
        "message/global-headers",
        "text/global-headers",
        "message/external-body",
    }
)
_OTHER_REPORTS = frozenset(
    {
        "message/disposition-notification",
        "message/global-disposition-notification",
        "message/feedback-report",
    }
)
_NO_REPLY = re.compile(r"\b(?:no|do.?not|ne.?pas)[._-]?(?:reply|repondre|response)", re.I)
_ANSWERED = re.compile(r"\s*(?:re|aw|sv|antw|odp|r|rif|res|fw|fwd|tr|wg|rv|enc)\s*:", re.I)
_ABSENCE = re.compile(r"automatic reply|auto.?reply|out of (?:the )?office|r.ponse automatique|abwesenheit", re.I)
_QUOTED_ID = re.compile(r"message-?id\s{0,3}[:=]\s{0,5}<([^<>\s]{3,900}@[^<>\s]{1,250})>", re.I)

# ---------------------------------------------------------------- how it stands

_VAGUE = re.compile(r"[245]\.(?:0\.\d+|5\.0|4\.1|7\.[01])|[245]\.\d\.0")


def _given_code(own: str, diagnosed: str) -> str:
    """The more telling of the codes a report gives; of the class it says."""
    if not own or (_VAGUE.fullmatch(own) and diagnosed and diagnosed[0] == own[0]):
        return diagnosed or own
    return own


def _told_code(given: str, kind: FailureKind, words: str) -> str:
    """The code given, or what the words amount to where that says more."""
    told = code_of_words(words) if not given or _VAGUE.fullmatch(given) else ""
    if not told:
        return given
    return (given[0] if given else "4" if kind is FailureKind.DELAYED else told[0]) + told[1:]


def _kind(action: str, code: str, delay: bool) -> FailureKind:
    match action:
        case "delayed":
            return FailureKind.DELAYED
        case "delivered" | "relayed" | "expanded":
            return FailureKind.DELIVERED
        case "failed":
            return FailureKind.TEMPORARY if code.startswith("4") else FailureKind.PERMANENT
    if code.startswith("2"):
        return FailureKind.DELIVERED
    if delay and not code.startswith("5"):
        return FailureKind.DELAYED
    return FailureKind.TEMPORARY if code.startswith("4") else FailureKind.PERMANENT
