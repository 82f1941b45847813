"""Mails made to cost more than they say, written to a file piece by piece: the large ones are never held whole here."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

MIB = 2**20
HEAD = (
    b"From: bombe@stranger.test\r\nTo: cabinet@roux.example\r\nSubject: Bombe\r\nMessage-ID: <bomb@stranger.test>\r\n"
)
MIXED = HEAD + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
WORDS = b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nLes premiers mots.\r\n"
Pieces = Iterator[bytes]

_LINE = base64.b64encode(bytes(range(57))) + b"\r\n"


def _repeated(piece: bytes, octets: int) -> Pieces:
    """The piece as often as it takes to make so many octets."""
    block = piece * max(1, MIB // len(piece))
    for _ in range(octets // len(block)):
        yield block
    yield piece * (octets % len(block) // len(piece))


def _mail(head: bytes, body: bytes = b"Bonjour.\r\n") -> Pieces:
    yield HEAD + head + b"\r\n" + body


def _page(page: bytes) -> Pieces:
    return _mail(b"Content-Type: text/html; charset=utf-8\r\n", page)


def ten_thousand_parts() -> Pieces:
    yield MIXED + WORDS
    for number in range(10_000):
        yield b"--b\r\nContent-Type: application/zip; name=%d.zip\r\n\r\nPK%d\r\n" % (number, number)
    yield b"--b--\r\n"


def ten_thousand_texts() -> Pieces:
    yield MIXED
    for number in range(10_000):
        yield b"--b\r\nContent-Type: text/html\r\n\r\n<p>Le texte %d.</p>\r\n" % number
    yield b"--b--\r\n"


def a_thousand_levels() -> Pieces:
    yield HEAD
    for level in range(1000):
        yield b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level)
        if level == 0:
            yield b"Content-Type: text/plain\r\n\r\nLes premiers mots.\r\n--b0\r\n"
    yield b"Content-Type: text/plain\r\n\r\nAu fond.\r\n"
    for level in reversed(range(1000)):
        yield b"--b%d--\r\n" % level


def a_thousand_mails_in_one_another() -> Pieces:
    yield MIXED + WORDS + b"--b\r\n"
    for level in range(1000):
        yield b"Content-Type: message/rfc822\r\n\r\nSubject: Niveau %d\r\n" % level
    yield b"\r\nAu fond.\r\n--b--\r\n"


def alternatives_in_one_another() -> Pieces:
    """Each level has two forms, and each form two: a reader that looks twice at each looks 2^40 times."""
    yield HEAD
    for level in range(45):
        yield b'Content-Type: multipart/alternative; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level)
        yield b"Content-Type: text/html\r\n\r\n<p>%d</p>\r\n--b%d\r\n" % (level, level)
    yield b"Content-Type: text/plain\r\n\r\nhtml\r\n"


def one_header_of_100_mb() -> Pieces:
    yield HEAD + b"X-Long: "
    yield from _repeated(b"a", 100 * MIB)
    yield b"\r\n\r\nLe texte.\r\n"


def one_folded_header_of_100_mb() -> Pieces:
    yield HEAD + b"X-Long: a"
    yield from _repeated(b"\r\n aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 100 * MIB)
    yield b"\r\n\r\nLe texte.\r\n"


def a_million_headers() -> Pieces:
    yield HEAD
    for number in range(1_000_000):
        yield b"X-%06d: %090d\r\n" % (number, number)
    yield b"\r\nLe texte.\r\n"


def a_million_addresses() -> Pieces:
    yield HEAD + b"Cc: "
    for number in range(1_000_000):
        yield b"%06d@stranger.test,\r\n " % number
    yield b"x@stranger.test\r\n\r\nLe texte.\r\n"


def base64_of_200_mb() -> Pieces:
    yield MIXED + WORDS + b"--b\r\nContent-Type: application/zip; name=gros.zip\r\n"
    yield b"Content-Transfer-Encoding: base64\r\n\r\n"
    yield from _repeated(_LINE, 200 * MIB)
    yield b"--b--\r\n"


def base64_of_200_mb_without_a_line_end() -> Pieces:
    yield MIXED + WORDS + b"--b\r\nContent-Type: application/zip; name=gros.zip\r\n"
    yield b"Content-Transfer-Encoding: base64\r\n\r\n"
    yield from _repeated(b"QUJD", 200 * MIB)
    yield b"\r\n--b--\r\n"


def broken_base64_of_100_mb() -> Pieces:
    yield MIXED + WORDS + b"--b\r\nContent-Type: application/zip; name=gros.zip\r\n"
    yield b"Content-Transfer-Encoding: base64\r\n\r\n"
    yield from _repeated(b"QUJ*D\r\n", 100 * MIB)
    yield b"A\r\n--b--\r\n"


def base64_text_of_200_mb() -> Pieces:
    yield HEAD + b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    yield from _repeated(_LINE, 200 * MIB)


def quoted_printable_of_100_mb() -> Pieces:
    yield MIXED + WORDS + b"--b\r\nContent-Type: application/zip; name=gros.zip\r\n"
    yield b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    yield from _repeated(b"=41=\r\n", 100 * MIB)
    yield b"\r\n--b--\r\n"


def uuencode_of_50_mb() -> Pieces:
    yield MIXED + WORDS + b"--b\r\nContent-Type: application/zip; name=gros.zip\r\n"
    yield b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 gros.zip\r\n"
    yield from _repeated(b"M" + b"#" * 60 + b"\r\n", 25 * MIB)
    yield from _repeated(b"\xff\r\n", 25 * MIB)
    yield b"end\r\n--b--\r\n"


def boundaries_that_almost_are() -> Pieces:
    yield MIXED + WORDS
    yield from _repeated(b"--b-\r\n--bb\r\n--b x\r\n--", 30 * MIB)
    yield b"\r\n--b--\r\n"


def boundaries_that_are_prefixes_of_one_another() -> Pieces:
    yield HEAD
    boundary = b"b"
    for _ in range(60):
        yield b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (boundary, boundary)
        boundary += b"b"
    yield from _repeated(b"--" + b"b" * 70 + b"\r\n", 10 * MIB)


def one_boundary_for_all_levels() -> Pieces:
    yield HEAD
    yield from _repeated(b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n', 10 * MIB)


def levels_over_a_large_body() -> Pieces:
    """Fifty levels, each of which is searched to its end for a delimiter that never comes."""
    yield HEAD
    for level in range(60):
        yield b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level)
    yield b"\r\n"
    yield from _repeated(b"--" + b"-" * 70 + b"\r\n", 100 * MIB)


def a_boundary_of_1_mb() -> Pieces:
    boundary = b"b" * MIB
    yield HEAD + b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\n'
    for _ in range(10):
        yield b"--" + boundary + b"\r\n\r\nPartie.\r\n"
    yield b"--" + boundary + b"--\r\n"


def line_ends_only() -> Pieces:
    return _repeated(b"\r\n", 50 * MIB)


def carriage_returns_only() -> Pieces:
    yield HEAD.replace(b"\r\n", b"\r")
    yield from _repeated(b"\r", 50 * MIB)


def blanks_before_a_line_end() -> Pieces:
    yield MIXED
    yield from _repeated(b"--b" + b" " * 100_000, 20 * MIB)


def comments_in_comments() -> Pieces:
    return _mail(
        b"Cc: " + b"(" * 30_000 + b"x" + b")" * 30_000 + b" <a@stranger.test>\r\n Reply-To: (" + b"(\\" * 15_000
    )


def encoded_words_without_end() -> Pieces:
    run = b" ".join(b"=?utf-8?b?%s?=" % base64.b64encode(b"\xc3\xa9" * 20) for _ in range(3000))
    return _mail(b"Comments: " + run + b"\r\nX-Q: " + b"=?utf-8?q?" * 20_000 + b"\r\n")


def a_sender_of_encoded_words() -> Pieces:
    run = b"\r\n ".join(b"=?iso-2022-jp?q?=1B$B%s?=" % (b"=30" * 20) for _ in range(700))
    yield b"From: " + run + b" <a@stranger.test>\r\nSubject: " + run + b"\r\n\r\nBonjour.\r\n"


def parameters_without_end() -> Pieces:
    pieces = b"".join(b"; name*%d*=%%C3%%A9%s" % (n % 1000, b"a" * 20) for n in range(5000))
    return _mail(b"Content-Type: text/plain" + pieces + b"\r\nContent-Disposition: attachment" + pieces + b"\r\n")


def parameters_of_one_quote() -> Pieces:
    return _mail(b'Content-Type: text/plain; a="' + b"\\" * 60_000 + b"\r\nContent-Disposition: x" + b";a=" * 20_000)


def tags_in_tags() -> Pieces:
    return _page(b"<div><b><i><span>" * 300_000 + b"Au fond.")


def a_table_in_each_cell() -> Pieces:
    return _page(b"<table><tr><td>" * 50_000 + b"Au fond." + b"</td></tr></table>" * 50_000)


def a_table_of_a_million_cells() -> Pieces:
    return _page(b"<table><tr>" + b"<td>x" * 1000 + (b"<tr>" + b"<td>x" * 1000) * 1000)


def entities_without_end() -> Pieces:
    return _page(b"<p>" + b"&lt;&#9999999999;&CounterClockwiseContourIntegral;" * 100_000)


def entities_that_grow() -> Pieces:
    doctype = b"<!DOCTYPE html [<!ENTITY a 'aaaaaaaaaa'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    )
    return _page(doctype + b"]><p>&j;&j;&j;</p>")


def attributes_without_end() -> Pieces:
    return _page(b"".join(b"<p a%d=1 style='display:none;%s'>x" % (n, b"a:b;" * 50) for n in range(20_000)))


def lists_in_lists() -> Pieces:
    return _page(b"<ul><li><ol><li>x" * 30_000)


def unclosed_comments_and_scripts() -> Pieces:
    return _page(b"<!--<script><style><template><head " * 100_000)


def tables_of_pages() -> Pieces:
    """Two hundred texts, each as costly as one may be."""
    yield MIXED
    page = b"<blockquote><table><tr><td>x</td>" * 150 + b"<a href='x'>y</a> " * 15_000
    for _ in range(200):
        yield b"--b\r\nContent-Type: text/html\r\n\r\n" + page + b"\r\n"
    yield b"--b--\r\n"


def pages_that_say_nothing() -> Pieces:
    """As many pages as are taken apart, none of which uses up the room for text."""
    yield MIXED
    page = b"<div style='display:none'>" + b"<p>x</p>" * 30_000 + b"</div>"
    for _ in range(500):
        yield b"--b\r\nContent-Type: text/html\r\n\r\n" + page + b"\r\n"
    yield b"--b--\r\n"


def forms_of_pages() -> Pieces:
    """Forms of the same words, each of them to be read before one is chosen."""
    yield HEAD + b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    yield b"--b\r\nContent-Type: text/plain\r\n\r\nhtml\r\n"
    page = b"<i>" * 150 + b"<p style='display:none'>x<p>" * 10_000
    for _ in range(480):
        yield b"--b\r\nContent-Type: text/html\r\n\r\n" + page + b"\r\n"
    yield b"--b--\r\n"


def tnef_and_archives() -> Pieces:
    yield MIXED + WORDS
    for name in (
        b"winmail.dat",
        b"../../etc/passwd.zip",
        b"a.zip/b.zip/c.exe",
        b"x" * 5000 + b".tar.gz",
        b"con.zip\0.exe",
    ):
        yield b'--b\r\nContent-Type: application/ms-tnef\r\nContent-Disposition: attachment; filename="%s"\r\n' % name
        yield b"Content-Transfer-Encoding: base64\r\n\r\n"
        yield base64.encodebytes(b"\x78\x9f\x3e\x22" + b"\xff" * 300_000)
    yield b"--b--\r\n"


def a_text_of_one_line_of_100_mb() -> Pieces:
    yield HEAD + b"Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\r\n\r\n"
    yield from _repeated(b"mot ", 100 * MIB)


def a_text_of_quote_marks() -> Pieces:
    yield HEAD + b"Content-Type: text/plain; charset=utf-8; format=flowed\r\n\r\n"
    yield from _repeated(b">" * 2000 + b" \r\n", 20 * MIB)


def a_charset_for_each_part() -> Pieces:
    yield MIXED
    charsets = (
        b"utf-7",
        b"utf-16",
        b"utf-32",
        b"iso-2022-jp",
        b"hz",
        b"idna",
        b"punycode",
        b"unicode_escape",
        b"zip",
        b"big5",
    )
    for charset in charsets:
        yield b"--b\r\nContent-Type: text/plain; charset=" + charset + b"\r\n\r\n"
        yield from _repeated(b"+AGE-\x1b$B~{a~}\\u0041", 3 * MIB)
        yield b"\r\n"
    yield b"--b--\r\n"


def a_report_of_recipients_without_end() -> Pieces:
    yield b"From: MAILER-DAEMON@example.org\r\nTo: cabinet@desk.test\r\nSubject: Undelivered\r\n\r\n"
    yield from _repeated(b"Final-Recipient: rfc822; \r\n\r\n", MIB)


def a_mail_that_hands_on_a_thousand() -> Pieces:
    yield HEAD.replace(b"Subject: ", b"Subject: Fwd: ") + MIXED.removeprefix(HEAD)
    for number in range(1000):
        yield b"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: n%d@example.org\r\n\r\n" % number
        yield b"mot " * 10_000 + b"\r\n"
    yield b"--b--\r\n"


BOMBS: dict[str, Callable[[], Pieces]] = {
    made.__name__.replace("_", " "): made
    for made in (
        *(ten_thousand_parts, ten_thousand_texts, a_thousand_levels, a_thousand_mails_in_one_another),
        *(alternatives_in_one_another, one_header_of_100_mb, one_folded_header_of_100_mb, a_million_headers),
        *(a_million_addresses, base64_of_200_mb, base64_of_200_mb_without_a_line_end, broken_base64_of_100_mb),
        *(base64_text_of_200_mb, quoted_printable_of_100_mb, uuencode_of_50_mb, boundaries_that_almost_are),
        *(boundaries_that_are_prefixes_of_one_another, one_boundary_for_all_levels, levels_over_a_large_body),
        *(a_boundary_of_1_mb, line_ends_only, carriage_returns_only, blanks_before_a_line_end),
        *(comments_in_comments, encoded_words_without_end, a_sender_of_encoded_words, parameters_without_end),
        *(parameters_of_one_quote, tags_in_tags, a_table_in_each_cell, a_table_of_a_million_cells),
        *(entities_without_end, entities_that_grow, attributes_without_end, lists_in_lists),
        *(unclosed_comments_and_scripts, tables_of_pages, pages_that_say_nothing, forms_of_pages, tnef_and_archives),
        *(a_text_of_one_line_of_100_mb, a_text_of_quote_marks, a_charset_for_each_part),
        *(a_report_of_recipients_without_end, a_mail_that_hands_on_a_thousand),
    )
}


def write(name: str, file: Path) -> int:
    """Write a bomb to a file; its size."""
    with file.open("wb") as out:
        return sum(out.write(piece) for piece in BOMBS[name]())
