"""What leaves is read the same by Python, by a third reader, and by ours: words, names, files, in any script."""

from __future__ import annotations

import email
import re
from email.message import EmailMessage
from email.policy import default

import fast_mail_parser
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels.base import Reply
from channels.mail.compose import _file_name, answer_subject, compose, letter_text
from channels.mail.headers import tidy
from channels.mail.parse import extract, read_mail
from inbox.notices import Letter
from inbox.parts import Attachment, AttachmentKind
from tests.channels.mail.test_compose import message, reply

LETTERS = st.sampled_from(
    [
        *"aeEzZ09éÈçœßøłčőğΩдЯїשםع中文日한ทி😀ﬁ’«»–…",
        *["👩\u200d👩\u200d👧", "🇫🇷", "e\u0301"],
        *" \"'\\.,;:@<>()[]?=_%*&/-+#|~`",
        "=?",
        "?=",
        "From ",
        "\t",
        "\x00",
        "\x1b",
        "\u200f",
        "\u2028",
        "\xa0",
    ]
)
WORDS = st.lists(LETTERS, max_size=40).map("".join) | st.sampled_from(
    ["x" * 300, "é" * 200, "=?utf-8?q?a?=", "a" * 75 + " " + "b" * 75, "Donaudampfschifffahrtsgesellschaft" * 4]
)
LINES = st.lists(
    WORDS | st.sampled_from([".", "..", "From me", ">From", "-- ", "", "--=_x", " x ", "y" * 1200, "\r", "\r\n"]),
    max_size=8,
).map("\n".join)
FILES = st.lists(st.tuples(WORDS, st.binary(max_size=300)), max_size=3)
QUICK = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def octets(of: Reply) -> bytes:
    return compose(of)[0].blobs[0].data


def flat(text: str) -> str:
    """As far as white space at a line's end is nobody's words."""
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()


def lines(text: str) -> list[str]:
    return [line for line in flat(text).split("\n") if line]


MARKS = "\"'<> "


def unspaced(name: str) -> str:
    return "".join(tidy(name).split())


def with_files(of: Reply, files: list[tuple[str, bytes]]) -> Reply:
    attachments = tuple(
        Attachment(name=name, media_type="application/pdf", size=len(data), kind=AttachmentKind.FILE, path=f"id{at}")
        for at, (name, data) in enumerate(files)
    )
    return Reply(
        **{field: getattr(of, field) for field in of.__dataclass_fields__ if field not in ("attachments", "contents")},
        attachments=attachments,
        contents=tuple(data for _, data in files),
    )


@QUICK
@given(text=LINES, subject=WORDS, name=WORDS, files=FILES)
@example(
    text=".\n..\nFrom me\n" + "x" * 2000, subject="é" * 100, name='Cabinet, Dr "R"', files=[("é" * 200 + ".pdf", b"")]
)
@example(text="", subject="=?utf-8?q?x?=", name="=?utf-8?q?x?=", files=[("=?utf-8?q?x?=.pdf", b"\r\n.\r\n")])
@example(
    text="a", subject="", name="", files=[("../../etc/passwd", b"\x00" * 100), ('a";b', b"b"), ("100%'s*.txt", b"c")]
)
def test_what_leaves_is_read_the_same_by_three_readers(
    text: str, subject: str, name: str, files: list[tuple[str, bytes]]
) -> None:
    copies = ("anne@client.test", "luc@client.test")
    of = with_files(
        reply(text, subject=subject, name=name, copies=copies, answers=message("Lundi ?\nFrom here\n.\n")), files
    )
    raw = octets(of)
    # RFC 5322 §2.1.1, §2.3: short lines that end in CRLF, and ASCII for whom that is all they know.
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 200
    assert not re.search(rb"^From ", raw, re.M)

    theirs = email.message_from_bytes(raw, policy=default)
    assert isinstance(theirs, EmailMessage)
    third = fast_mail_parser.parse_email(raw)
    ours = read_mail(raw)
    assert not [part.defects for part in theirs.walk() if part.defects]
    assert third.warnings == []
    assert ours.defects == ()

    wanted = answer_subject(subject)
    assert tidy(str(theirs["Subject"])) == tidy(third.subject) == ours.subject == wanted
    assert third.from_ is not None
    assert theirs["From"].addresses[0].addr_spec == third.from_.address == ours.sender.value == "cabinet@cabinet.test"
    shown = tidy(name, 200)
    # Python keeps the space between the encoded words of a name.
    assert unspaced(theirs["From"].addresses[0].display_name) == unspaced(shown)
    assert tidy(third.from_.display_name or "") == shown
    # Our reader takes quotes and angles around a name for marks that a program misplaced.
    assert ours.sender.name.strip(MARKS) == shown.strip(MARKS)
    assert [a.addr_spec for a in theirs["To"].addresses] == [a.address for a in third.to] == ["jean@client.test"]
    assert [a.addr_spec for a in theirs["Cc"].addresses] == [a.address for a in third.cc] == list(copies)
    assert ours.recipients == ("jean@client.test", *copies)

    words = letter_text(of)
    plain, page = theirs.get_body(("plain",)), theirs.get_body(("html",))
    assert plain is not None
    assert page is not None
    said = flat(str(plain.get_content()))
    assert said.startswith(flat(words))
    assert flat(third.text_plain[0]) == said
    assert flat(third.text_html[0]) == flat(str(page.get_content()))
    assert lines(ours.text) == lines(said)  # of many empty lines ours shows fewer

    names = [_file_name(file) for file in of.attachments]
    parts = list(theirs.iter_attachments())
    assert [part.get_filename() for part in parts] == names
    assert [file.filename for file in third.attachments] == names
    assert [file.name for file in ours.attachments] == names
    data = [data for _, data in files]
    assert [part.get_payload(decode=True) for part in parts] == data
    assert [file.content for file in third.attachments] == data
    assert [extract(raw, file.path) for file in ours.attachments] == data
    stored = compose(of)[0].attachments
    assert stored is not None
    assert [extract(raw, file.path) for file in stored] == data


def test_a_thousand_octets_of_any_kind_come_back_as_they_went() -> None:
    data = bytes(range(256)) * 1000
    of = with_files(reply(), [("tout.bin", data)])
    raw = octets(of)
    (part,) = email.message_from_bytes(raw, policy=default).iter_attachments()
    assert part.get_payload(decode=True) == data
    assert {len(line) for line in raw.split(b"\r\n") if re.fullmatch(rb"[A-Za-z0-9+/=]{70,}", line)} == {76}


@pytest.mark.parametrize("media_type", ["message/rfc822", "multipart/mixed", "nothing", "text/plain\r\nX: y", ""])
def test_a_file_of_a_kind_that_may_not_be_encoded_goes_as_octets(media_type: str) -> None:
    of = with_files(reply(), [("a.eml", b"From: x\r\n\r\ny")])
    odd = msgspec.structs.replace(of.attachments[0], media_type=media_type)
    of = Reply(**{f: getattr(of, f) for f in of.__dataclass_fields__ if f != "attachments"}, attachments=(odd,))
    (part,) = email.message_from_bytes(octets(of), policy=default).iter_attachments()
    assert part.get_content_type() == "application/octet-stream"
    assert part.get_payload(decode=True) == b"From: x\r\n\r\ny"


def test_who_is_written_to_has_no_copy_as_well_and_is_named_to_the_server_once() -> None:
    of = reply(recipients=("jean@client.test",), copies=("jean@client.test", "anne@client.test"))
    read = email.message_from_bytes(octets(of), policy=default)
    assert (read["To"], read["Cc"]) == ("jean@client.test", "anne@client.test")
    payload = compose(of)[0].payload
    assert isinstance(payload, Letter)
    assert payload.recipients == ("jean@client.test", "anne@client.test")
