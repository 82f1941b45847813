"""What large receivers publish that a mail must be, asked of every kind of letter that leaves.

Whom they ask of its server (static address, reverse DNS, SPF, DKIM, TLS) is answered by the relay; what is left to
the letter is here. Sources, by name of their page: Gmail "Email sender guidelines" and "Gmail message header limits";
Outlook.com "Policies, practices and guidelines" and Exchange's 550 5.1.20; Yahoo "Sender best practices"; iCloud
"Postmaster information"; GMX and WEB.DE "Anforderungen und Empfehlungen"; Orange "Postmaster"; La Poste and the
French providers' "Conseils aux expéditeurs"; Postfix and Sendmail for what most others run.
"""

from __future__ import annotations

import dataclasses
import email
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from email.policy import default
from email.utils import parseaddr, parsedate_to_datetime
from html.parser import HTMLParser

import pytest

from channels.base import Parcel, Reply
from channels.mail import acknowledgement
from channels.mail.compose import compose
from inbox.addressees import MOST_COPIES
from inbox.notices import Letter
from inbox.parts import Attachment, AttachmentKind
from tests.channels.mail.test_compose import NOW, message, reply

LONG_ID = f"{'i' * 600}@client.test"
LETTERS: dict[str, Reply] = {
    "an answer": reply(answers=message(), signature="Cabinet Roux\n01 23 45 67 89"),
    "to everyone": reply(
        copies=tuple(f"{'c' * 60}{number}@{'d' * 60}.{'e' * 60}.test" for number in range(MOST_COPIES)),
        answers=message(references=tuple(f"{number}.{LONG_ID}" for number in range(60)), external_id=LONG_ID),
    ),
    "a subject of a thousand letters": reply(subject="x" * 1000, answers=message()),
    "a subject of a thousand words": reply(subject="rendez-vous " * 100, answers=message()),
    "a subject in Russian": reply(subject="Здравствуйте, уважаемый доктор " * 40, answers=message()),
    "a subject in pictures": reply(subject="👩‍👩‍👧" * 200, answers=message()),
    "a subject of nothing": reply(subject="", answers=message()),
    "a name in Japanese": reply(name="田中クリニック" * 20, answers=message()),
    "an address for a name": reply(name="contact@cabinet.test", answers=message()),
    "two addresses for a name": reply(name="a@x.test, b@y.test", answers=message()),
    "lines without end": reply("x" * 5000 + "\n" + "é" * 5000, answers=message("y" * 5000)),
    "dots and Froms": reply(".\n..\nFrom here\n" + "\n" * 50, answers=message("From me\n.\n")),
    "markup": reply("<div style='display:none'>a</div> <font size=0>b</font> https://x.test/?a=1", answers=message()),
    "a file": dataclasses.replace(
        reply(answers=message()),
        attachments=(
            Attachment(
                name=f"{'é' * 300}.pdf", media_type="application/pdf", size=4, kind=AttachmentKind.FILE, path="1"
            ),
        ),
        contents=(b"%PDF" * 1000,),
    ),
    "no answer": reply(),
}
WRITERS: dict[str, Callable[[Reply], tuple[Parcel, ...]]] = {"reply": compose, "by itself": acknowledgement.compose}

every_letter = pytest.mark.parametrize(
    ("of", "write"),
    [pytest.param(of, w, id=f"{name}, {by}") for name, of in LETTERS.items() for by, w in WRITERS.items()],
)


def written(of: Reply, write: Callable[[Reply], tuple[Parcel, ...]]) -> tuple[Letter, bytes]:
    (parcel,) = write(of)
    assert isinstance(parcel.payload, Letter)
    return parcel.payload, parcel.blobs[0].data


def fields(raw: bytes) -> list[tuple[str, str]]:
    """Name and value of each, the value as it is written, folds and all."""
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    return [(name, value) for name, _, value in (f.partition(": ") for f in re.split(r"\r\n(?![ \t])", head))]


@every_letter
def test_fields_that_stand_once_stand_once_and_those_that_must_stand_do(
    of: Reply, write: Callable[[Reply], tuple[Parcel, ...]]
) -> None:
    """GMX, WEB.DE: no Bcc, Cc, Date, From, Sender, Subject, To twice; Gmail the same of all of RFC 5322 §3.6."""
    _, raw = written(of, write)
    counts = Counter(name.lower() for name, _ in fields(raw))
    assert set(counts.values()) == {1}
    assert counts.keys() >= {"from", "to", "subject", "date", "message-id", "mime-version", "content-type"}
    assert counts.keys().isdisjoint({"bcc", "sender", "return-path", "precedence"})


@every_letter
def test_it_is_from_one_address_the_same_as_in_its_envelope(
    of: Reply, write: Callable[[Reply], tuple[Parcel, ...]]
) -> None:
    """Gmail, Yahoo, GMX: what SPF and DKIM vouch for is From's domain; Exchange: not several without a Sender."""
    letter, raw = written(of, write)
    value = re.sub(r"\r\n ", " ", dict(fields(raw))["From"])
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|=\?[^?]*\?[bq]\?[^?]*\?=', "", value)
    assert bare.count("@") == 1
    assert "," not in bare
    assert parseaddr(value)[1] == letter.sender == "cabinet@cabinet.test"


@every_letter
def test_its_id_is_one_and_its_date_is_now(of: Reply, write: Callable[[Reply], tuple[Parcel, ...]]) -> None:
    """Gmail: a valid Message-ID of at most 500 characters; GMX: a Date that can be read."""
    _, raw = written(of, write)
    values = dict(fields(raw))
    assert re.fullmatch(r"<[\w.+-]{1,200}@[\w-]+(?:\.[\w-]+)+>", values["Message-ID"])
    assert re.fullmatch(r"\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}", values["Date"])
    assert abs(parsedate_to_datetime(values["Date"]) - NOW) < timedelta(seconds=1)


@every_letter
def test_its_header_is_within_every_limit(of: Reply, write: Callable[[Reply], tuple[Parcel, ...]]) -> None:
    """Gmail: Subject 998 characters, a field 32 KB; Sendmail: 32 KB in all; RFC 5322 §2.1.1: lines of 998."""
    _, raw = written(of, write)
    head = raw.partition(b"\r\n\r\n")[0]
    assert len(head) < 32_768
    assert len(dict(fields(raw))["Subject"]) <= 998
    assert all(len(value) < 32_000 for _, value in fields(raw))
    assert max(map(len, head.split(b"\r\n"))) < 998


@every_letter
def test_its_lines_are_short_and_end_as_lines_do(of: Reply, write: Callable[[Reply], tuple[Parcel, ...]]) -> None:
    """RFC 5321 §2.3.8 and, since SMTP smuggling, every server that refuses bare LF; Exchange refuses longer lines."""
    _, raw = written(of, write)
    body = raw.partition(b"\r\n\r\n")[2]
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")
    assert raw.isascii()
    assert b"\0" not in raw
    assert max(map(len, body.split(b"\r\n"))) <= 78


@every_letter
def test_an_answer_is_called_one_only_where_it_is_one(of: Reply, write: Callable[[Reply], tuple[Parcel, ...]]) -> None:
    """Gmail: no "Re:" or "Fwd:" that misleads; RFC 3834 §3.1.5: "Auto:" where a machine answers, and only there."""
    values = dict(fields(written(of, write)[1]))
    is_answer = of.answers is not None
    assert ("In-Reply-To" in values) == ("References" in values) == is_answer
    if "Auto-Submitted" in values:
        assert values["Subject"].startswith(("Auto:", "=?utf-8?q?Auto", "=?utf-8?b?QXV0b")) == is_answer
        assert values["Auto-Submitted"] == ("auto-replied" if is_answer else "auto-generated")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@every_letter
def test_nothing_in_it_is_hidden_or_fetched(of: Reply, write: Callable[[Reply], tuple[Parcel, ...]]) -> None:
    """Gmail, Outlook.com, Yahoo: no hidden words, no scripts, no forms; links say where they lead."""
    parsed = email.message_from_bytes(written(of, write)[1], policy=default)
    page = next(part for part in parsed.walk() if part.get_content_type() == "text/html")
    text = next(part for part in parsed.walk() if part.get_content_type() == "text/plain")
    markup = str(page.get_content())
    read = _Page()
    read.feed(markup)
    assert {tag for tag, _ in read.tags} <= {"html", "head", "meta", "body", "div", "br", "a", "blockquote"}
    styles = "".join(attributes.get("style") or "" for _, attributes in read.tags)
    assert not re.search(r"display|visibility|font-size|opacity|position|url\(", styles)
    for link, shown in re.findall(r'<a href="([^"]*)">([^<]*)</a>', markup):
        assert link == shown
    assert str(text.get_content()).strip()


@every_letter
def test_it_goes_to_no_more_than_large_providers_take(of: Reply, write: Callable[[Reply], tuple[Parcel, ...]]) -> None:
    """RFC 5321 §4.5.3.1.8: a server takes at least 100; Gmail's own takes that many by SMTP."""
    assert 0 < len(written(of, write)[0].recipients) <= 100
