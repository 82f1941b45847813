"""Mails as people, programs and attackers write them, read."""

from __future__ import annotations

import base64
import binascii
import os
import tracemalloc
from datetime import UTC, datetime
from email.message import EmailMessage

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels.mail.parse import LONGEST_TEXT, extract, read_mail
from inbox.envelope import Envelope
from inbox.parts import AttachmentKind

HEAD = (
    "From: Élodie Lefèvre <Elodie@Client.Test>\nTo: cabinet@desk.test\nSubject: Rendez-vous\n"
    "Date: Mon, 12 Oct 2026 10:32:00 +0200\nMessage-ID: <question@client.test>\n"
)


def mail(*fields: str, body: str | bytes = "Bonjour,\nà lundi.\n", head: str = HEAD) -> bytes:
    octets = body if isinstance(body, bytes) else body.encode()
    return head.encode() + "".join(f"{field}\n" for field in fields).encode() + b"\n" + octets


def multipart(*parts: str, kind: str = "mixed") -> bytes:
    body = "".join(f"--limit\n{part}\n" for part in parts) + "--limit--\n"
    return mail(f'Content-Type: multipart/{kind}; boundary="limit"', body=body)


PLAIN = "Content-Type: text/plain; charset=utf-8\n\nLe texte, été."
PAGE = "Content-Type: text/html; charset=utf-8\n\n<p>La <b>page</b>, été.</p>"
PICTURE = (
    "Content-Type: image/png; name=logo.png\nContent-Disposition: inline\nContent-ID: <logo>\n"
    "Content-Transfer-Encoding: base64\n\niVBORw0KGgo="
)
PDF = "Content-Type: application/pdf; name=devis.pdf\n\n%PDF"


# ---------------------------------------------------------------- the usual


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_plain_mail_is_read_whatever_ends_its_lines(line_end: str) -> None:
    read = read_mail(mail("Content-Type: text/plain; charset=utf-8").replace(b"\n", line_end.encode()))
    assert (read.sender.value, read.sender.name) == ("elodie@client.test", "Élodie Lefèvre")
    assert read.subject == "Rendez-vous"
    assert read.text == "Bonjour,\nà lundi."
    assert read.external_id == "question@client.test"
    assert read.written_at == datetime(2026, 10, 12, 8, 32, tzinfo=UTC)
    assert read.recipients == read.addressed_to == ("cabinet@desk.test",)
    assert read.reply_to is None
    assert read.attachments == ()
    assert read.defects == ()


def test_where_it_was_delivered_comes_before_whom_it_names() -> None:
    read = read_mail(
        mail(
            "Cc: Anne <ANNE@client.test>, cabinet@desk.test",
            "Delivered-To: info@desk.test",
            "X-Original-To: a@desk.test",
        )
    )
    assert read.addressed_to == ("info@desk.test", "a@desk.test", "cabinet@desk.test", "anne@client.test")
    assert read.recipients == ("cabinet@desk.test", "anne@client.test")


def test_references_are_most_telling_first_and_the_thread_oldest_first() -> None:
    read = read_mail(
        mail(
            "In-Reply-To: Your message of Monday <c@desk.test>",
            "References: <a@client.test>\n\t<b@desk.test>\n <a@client.test> (a comment) <c@desk.test>",
        )
    )
    assert read.references == ("c@desk.test", "b@desk.test", "a@client.test")
    assert read.thread == ("a@client.test", "b@desk.test", "c@desk.test")


@pytest.mark.parametrize(
    ("field", "known_as"),
    [
        ("<a@b.test>", "a@b.test"),
        ("\n <a@b.test>", "a@b.test"),
        ("<a@\n b.test> (added by gateway)", "a@b.test"),
        ("a@b.test", "a@b.test"),
        ("<no-domain-1234>", "no-domain-1234"),
        ("<A+/=$%@B.Test>", "A+/=$%@B.Test"),
    ],
)
def test_a_message_id_is_known_as_it_is_written(field: str, known_as: str) -> None:
    head = HEAD.replace("<question@client.test>", field)
    assert read_mail(mail(head=head)).external_id == known_as


def test_answers_wanted_elsewhere_are_noted() -> None:
    assert read_mail(mail("Reply-To: Secrétariat <Office@client.test>")).reply_to == "office@client.test"
    assert read_mail(mail("Reply-To: elodie@client.test")).reply_to is None


@pytest.mark.parametrize("missing", ["", "From: \n", "From: Marc Petit\n", "From: (nobody)\n"])
def test_without_a_from_address_the_sender_is_found_elsewhere_or_nowhere(missing: str) -> None:
    head = missing + "Subject: x\n"
    assert (
        read_mail(mail("Sender: b@client.test", "Return-Path: <c@client.test>", head=head)).sender.value
        == "b@client.test"
    )
    assert read_mail(mail("Return-Path: <c@client.test>", head=head)).sender.value == "c@client.test"
    unknown = read_mail(mail(head=head))
    assert unknown.sender.value == ""
    assert "no_sender" in unknown.defects


@pytest.mark.parametrize(
    ("charset", "name"),
    [("koi8-r", "Привет"), ("gb2312", "你好"), ("shift_jis", "こんにちは"), ("cp1250", "Žluťoučký")],
)
def test_a_header_that_is_not_encoded_is_in_the_charset_of_its_text(charset: str, name: str) -> None:
    raw = f"From: {name} <a@x.test>\nSubject: {name}\nContent-Type: text/plain; charset={charset}\n\n{name}"
    read = read_mail(raw.encode(charset))
    assert read.sender.name == read.subject == read.text == name


@pytest.mark.parametrize(
    ("field", "address", "name"),
    [
        (r"Pierre(un \) ami) <pierre(son compte)@x.test(sa machine)>", "pierre@x.test", "Pierre"),
        ("Groupe(des gens)\n :Anne <a@(chez Anne.)public.test>,\n b@x.test;", "a@public.test", "Anne"),
        ("<@a.test,@b.test:anne@x.test>", "anne@x.test", ""),
        ("anne@x  . test", "anne@x.test", ""),
        ("Anne <anne@x\n .test>", "anne@x.test", "Anne"),
        ("Anne Petit anne@x.test", "anne@x.test", "Anne Petit"),
        ("Anne anne@x.test>", "anne@x.test", "Anne"),
        ("Anne <anne@x.test", "anne@x.test", "Anne"),
        ("Anne <<anne@x.test>>", "anne@x.test", "Anne"),
        ("mailto:anne@x.test", "anne@x.test", ""),
        ("=?utf-8?B?QW5uZSA8YW5uZUB4LnRlc3Q+?=", "anne@x.test", "Anne"),
        ("=?utf-8?Q?Anne_=3Cb=40y=2Etest=3E?= <anne@x.test>", "anne@x.test", "Anne <b@y.test>"),
        ("Anne (au bureau (étage 2)) Petit <anne@x.test>", "anne@x.test", "Anne Petit"),
        ("anne@x.test (=?utf-8?q?=C3=89t=C3=A9?= P)", "anne@x.test", "Été P"),
        ("Anne (jamais fermé <anne@x.test>", "anne@x.test", "Anne (jamais fermé"),
    ],
)
def test_a_sender_is_read_however_the_field_is_written(field: str, address: str, name: str) -> None:
    sender = read_mail(mail(head=f"From: {field}\nSubject: x\n")).sender
    assert (sender.value, sender.name) == (address, name)


# ---------------------------------------------------------------- names and subjects


@pytest.mark.parametrize(
    ("field", "name", "address"),
    [
        ('"Dupont, Jean" <jean@x.test>', "Dupont, Jean", "jean@x.test"),
        ("Dupont, Jean <jean@x.test>", "Dupont, Jean", "jean@x.test"),
        ("=?utf-8?q?Dupont,_Jean?= <jean@x.test>", "Dupont, Jean", "jean@x.test"),
        ('"=?utf-8?b?w4lsb2RpZQ==?=" <e@x.test>', "Élodie", "e@x.test"),
        ("e@x.test (Élodie Roux)", "Élodie Roux", "e@x.test"),
        ("<<e@x.test>>", "", "e@x.test"),
        ("'e@x.test' <E@X.test>", "e@x.test", "e@x.test"),
        ('"Jean \\"le Grand\\"" <jean@x.test>', 'Jean "le Grand', "jean@x.test"),
        ("Amis: jean@x.test, anne@x.test;", "", "jean@x.test"),
        ("<@relay.test:jean@x.test>", "", "jean@x.test"),
        ('"jean paul"@x.test', "", '"jean paul"@x.test'),
        ("boss@firm.test <evil@x.test>", "boss@firm.test", "evil@x.test"),
        ("Jean <jean@x.test", "Jean", "jean@x.test"),
    ],
)
def test_an_address_is_read_as_it_was_meant(field: str, name: str, address: str) -> None:
    read = read_mail(mail(head=f"From: {field}\n"))
    assert (read.sender.name, read.sender.value) == (name, address)


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("jean@x.test]", "jean@x.test"),
        ("jean@[192.0.2.1]", "jean@[192.0.2.1]"),
        ("jean@x.test\u2026", "jean@x.test"),
        ("jean@\uff58.test", "jean@x.test"),
        # Made ASCII, these would be two addresses, a name with another address, a header line of its own.
        ("jean@x.test\uff0cvictim\uff20y.test", ""),
        ("jean@x.test\uff1cvictim@y.test\uff1e", ""),
        ("=?utf-8?q?jean=0D=0ABcc:_victim=40y.test?=", ""),
        ("<jean=?utf-8?q?=0D=0ABcc:_victim=40y.test?=@x.test>", ""),
        ("jean=?utf-8?q?=E2=80=A8victim=40y.test?=", ""),
        ("jean\u202e@x.test", ""),
        ("jean\x85@x.test", ""),
        ("=?utf-8?q?jean=40x.test?=", "jean@x.test"),
    ],
)
def test_nothing_hidden_in_an_address_makes_it_another(field: str, address: str) -> None:
    assert read_mail(mail(head=f"From: {field}\n")).sender.value == address


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        (b"=?utf-8?q?Caf=C3=A9?=", "Café"),
        (b"=?iso-8859-1?Q?Caf=E9_cr=E8me?=", "Café crème"),
        (b"=?windows-1252?q?l=92=E9t=E9?=", "l’été"),
        (b"=?utf-8?b?w4nDqQ==?=\n =?utf-8?b?w6k=?= fin", "Ééé fin"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
        (b"=?utf-8*fr?q?=C3=A9?=", "é"),
        (b"=?utf-8?q?deux mots?=", "deux mots"),
        (b"=?utf-8?q?vraiment??=", "vraiment?"),
        (b"=?utf-8?b?w6k?=", "é"),
        (b"=?nowhere?q?x=C3=A9?=", "xé"),
        ("Café crème".encode(), "Café crème"),
        ("Café crème".encode("cp1252"), "Café crème"),
        (b"=?utf-8?q?", "=?utf-8?q?"),
        (b"a\n  b\n\tc", "a b c"),
    ],
)
def test_a_subject_is_decoded_however_it_was_encoded(field: bytes, subject: str) -> None:
    assert read_mail(b"From: a@x.test\nSubject: " + field + b"\n\nx").subject == subject


@pytest.mark.parametrize(
    "hidden",
    [
        "=?utf-8?q?a=0D=0ABcc:_x@evil.test?=",
        "=?utf-8?b?YQ0KQmNjOiB4QGV2aWwudGVzdA==?=",
        "=?utf-8?q?a=E2=80=A8Bcc:_x@evil.test?=",
    ],
)
def test_no_line_break_hides_in_an_encoded_word(hidden: str) -> None:
    read = read_mail(mail(head=f"From: {hidden} <a@x.test>\nTo: {hidden} <b@x.test>\nSubject: {hidden}\n"))
    assert read.subject == read.sender.name == "a Bcc: x@evil.test"
    assert read.recipients == ("b@x.test",)


def test_a_name_cannot_turn_the_text_around_it() -> None:
    read = read_mail(mail(head="From: \u202egro.knab@sdn\u202c <a@x.test>\nSubject: a\u202eb\u2066c\n"))
    assert read.sender.name == "gro.knab@sdn"
    assert read.subject == "a b c"


# ---------------------------------------------------------------- text


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252", "iso-8859-15", "cp850"])
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_a_french_text_is_read_in_every_charset_and_encoding(charset: str, encoding: str) -> None:
    text = "Où êtes-vous ? Ça m’étonne : « déjà » à Noël.".replace("’", "'")
    octets = text.encode(charset)
    if encoding == "base64":
        octets = base64.encodebytes(octets)
    elif encoding == "quoted-printable":
        octets = "".join(f"={octet:02X}" for octet in octets).encode()
    read = read_mail(
        mail(f"Content-Type: text/plain; charset={charset}", f"Content-Transfer-Encoding: {encoding}", body=octets)
    )
    assert read.text == text


@pytest.mark.parametrize("charset", ["utf-8", "us-ascii", "nowhere", "", '"', "punycode", "hex"])
def test_a_text_whose_charset_is_a_lie_is_still_read(charset: str) -> None:
    for real in ("cp1252", "utf-8"):
        octets = "Très bien, à l’été prochain.".encode(real)
        assert read_mail(mail(f"Content-Type: text/plain; charset={charset}", body=octets)).text == octets.decode(real)


def test_a_few_damaged_octets_do_not_spoil_a_text() -> None:
    read = read_mail(mail("Content-Type: text/plain; charset=utf-8", body="déjà été là ".encode() * 20 + b"\xff fin"))
    assert read.text == "déjà été là " * 20 + "\ufffd fin"


def test_the_plain_form_is_shown_when_it_says_something() -> None:
    assert read_mail(multipart(PLAIN, PAGE, kind="alternative")).text == "Le texte, été."
    assert read_mail(multipart("\n \n", PAGE, kind="alternative")).text == "La page, été."
    apology = "Content-Type: text/plain\n\nYour program cannot show HTML mail."
    page = f"Content-Type: text/html\n\n<p>{'Le vrai message. ' * 20}</p>"
    assert read_mail(multipart(apology, page, kind="alternative")).text.startswith("Le vrai message.")


def test_texts_that_follow_one_another_are_all_shown() -> None:
    footer = "Content-Type: text/plain\n\nPied de liste"
    assert read_mail(multipart(PAGE, PDF, footer)).text == "La page, été.\n\nPied de liste"


def test_a_page_is_shown_as_it_reads() -> None:
    page = """<html><head><title>non</title><style>p{color:red}</style></head><body>
      <div style="display:none">caché</div><p>Bonjour&nbsp;<b>Élodie</b>,</p><p>deux<br>lignes &eacute;&#233; &lt;3</p>
      <ul><li>un</li><li>deux</li></ul><script>alert(1)</script>
      <table><tr><td>Prix</td><td>3&euro;</td></tr></table>
      <blockquote>cité<blockquote>plus tôt</blockquote></blockquote><p>fin</p></body></html>"""
    read = read_mail(mail("Content-Type: text/html; charset=utf-8", body=page))
    lines = [" ".join(line.split()) for line in read.text.splitlines() if line.strip()]
    assert lines == [
        "Bonjour Élodie,", "deux", "lignes éé <3", "* un", "* deux", "Prix 3€", "> cité", "> > plus tôt", "fin",
    ]  # fmt: skip


def test_a_page_that_names_its_own_charset_is_believed() -> None:
    page = '<html><meta http-equiv="Content-Type" content="text/html; charset=iso-8859-15"><p>3 €'
    assert read_mail(mail("Content-Type: text/html", body=page.encode("iso-8859-15"))).text.strip() == "3 €"


def test_wrapped_paragraphs_are_joined_again() -> None:
    flowed = "Un paragraphe \nsur deux lignes.\n> cité \n> aussi\n-- \nÉlodie\n"
    read = read_mail(mail("Content-Type: text/plain; charset=utf-8; format=flowed", body=flowed))
    assert read.text == "Un paragraphe sur deux lignes.\n> cité aussi\n-- \nÉlodie"


def test_quoted_history_stays() -> None:
    text = "Oui.\n\nLe 12 octobre, Cabinet a écrit :\n> Lundi ?\n>\n> -- \n> Cabinet"
    assert read_mail(mail("Content-Type: text/plain; charset=utf-8", body=text)).text == text.replace("-- \n", "--\n")


def test_a_long_text_is_cut_and_said_so() -> None:
    short = read_mail(mail(body="x" * LONGEST_TEXT))
    assert (len(short.text), short.truncated) == (LONGEST_TEXT, False)
    for body in ("x" * (LONGEST_TEXT + 1), "é " * 5_000_000):
        long = read_mail(mail(body=body))
        assert (len(long.text), long.truncated) == (LONGEST_TEXT, True)


# ---------------------------------------------------------------- attachments


def test_attachments_are_listed_with_their_exact_size_and_found_by_their_path() -> None:
    written = EmailMessage()
    written.set_content("Voici.")
    written.add_alternative("<p>Voici <img src='cid:logo'>", subtype="html")
    files = {f"pièce {number}.pdf": os.urandom(number) for number in (0, 1, 2, 3, 56, 57, 58, 100_001)}
    for name, octets in files.items():
        written.add_attachment(octets, "application", "pdf", filename=name)
    written.add_attachment("À lire, été.", filename="notes.txt")
    written.add_attachment("égalité " * 200_000, cte="quoted-printable", filename="long.txt")
    raw = bytes(written)
    read = read_mail(raw)
    assert read.text == "Voici."
    assert [file.name for file in read.attachments] == [*files, "notes.txt", "long.txt"]
    assert [file.path for file in read.attachments] == [str(number) for number in range(2, 12)]
    for file in read.attachments:
        octets = extract(raw, file.path)
        assert len(octets) == file.size
        assert octets == files.get(file.name, octets)
    assert extract(raw, "10").decode().strip() == "À lire, été."
    assert extract(raw, "1.1").strip() == b"Voici."


@pytest.mark.parametrize("padding", ["", " "])
def test_an_old_encoding_is_still_read(padding: str) -> None:
    lines = "".join(binascii.b2a_uu(b"Bonjour").decode().rstrip("\n") + padding + "\n" for _ in range(3))
    part = (
        f"Content-Type: text/csv; name=a.csv\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 a.csv\n{lines}`\nend\n"
    )
    raw = multipart(PLAIN, part)
    assert extract(raw, "2") == b"Bonjour" * 3
    assert read_mail(raw).attachments[0].size == 21


def test_pictures_in_the_text_are_listed_too() -> None:
    (picture,) = read_mail(multipart(PAGE, PICTURE, kind="related")).attachments
    assert (picture.name, picture.media_type, picture.kind, picture.path) == (
        "logo.png",
        "image/png",
        AttachmentKind.PHOTO,
        "2",
    )
    assert picture.size == 8


def test_a_forwarded_mail_is_one_attachment() -> None:
    inner = "Content-Type: message/rfc822\n\nFrom: x@y.test\nSubject: =?utf-8?q?Facture_n=C2=B0_3?=\n\ncorps"
    raw = multipart(PLAIN, inner)
    read = read_mail(raw)
    assert read.text == "Le texte, été."
    (file,) = read.attachments
    assert (file.name, file.media_type, file.path) == ("Facture n° 3.eml", "message/rfc822", "2")
    assert extract(raw, "2").startswith(b"From: x@y.test\n")


@pytest.mark.parametrize(
    ("media_type", "name", "kind"),
    [
        ("image/jpeg", "a.jpg", AttachmentKind.PHOTO),
        ("application/octet-stream", "IMG_1.JPG", AttachmentKind.PHOTO),
        ("audio/mpeg", "a.mp3", AttachmentKind.AUDIO),
        ("audio/ogg; codecs=opus", "a.ogg", AttachmentKind.VOICE),
        ("video/mp4", "a.mp4", AttachmentKind.VIDEO),
        ("image/svg+xml", "a.svg", AttachmentKind.FILE),
        ("application/pdf", "a.jpg.pdf", AttachmentKind.FILE),
    ],
)
def test_a_file_is_known_by_its_kind(media_type: str, name: str, kind: AttachmentKind) -> None:
    part = f"Content-Type: {media_type}\nContent-Disposition: attachment; filename={name}\n\nx"
    assert read_mail(multipart(PLAIN, part)).attachments[0].kind is kind


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ('filename="../../etc/passwd"', ".._.._etc_passwd"),
        ('filename="C:\\Users\\x\\devis.doc"', "C_Users_x_devis.doc"),
        ("filename*=utf-8''pi%C3%A8ce%0D%0A.pdf", "pièce .pdf"),
        ("filename*0*=utf-8''tr%C3%A8s%20; filename*1=long; filename*2*=%20nom.pdf", "très long nom.pdf"),
        ('filename="=?utf-8?q?pi=C3=A8ce.pdf?="', "pièce.pdf"),
        ("filename=devis final.pdf", "devis final.pdf"),
        ('filename="photo\u202egpj.exe"', "photo gpj.exe"),
        ('filename="a\x00b\x07.pdf"', "a b .pdf"),
        (f'filename="{"x" * 5000}.pdf"', "x" * 146 + ".pdf"),
        ('filename=".."', "attachment-2.pdf"),
        ("x=y", "attachment-2.pdf"),
    ],
)
def test_a_file_name_is_safe_to_save_under(parameter: str, name: str) -> None:
    part = f"Content-Type: application/pdf\nContent-Disposition: attachment; {parameter}\n\nx"
    assert read_mail(multipart(PLAIN, part)).attachments[0].name == name


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ("Content-Type: application/pdf\nContent-Description: devis.pdf", "devis.pdf"),
        ("Content-Type: application/pdf\nContent-Description: =?utf-8?q?re=C3=A7u=2Epdf?=", "reçu.pdf"),
        ("Content-Type: image/png\nContent-Location: image001.png", "image001.png"),
        ("Content-Type: image/png\nContent-Location: https://x.test/a.png", "attachment-2.png"),
        ("Content-Type: application/pdf\nContent-Description: le devis", "attachment-2.pdf"),
        ('Content-Type: text/plain\nContent-Disposition: attachment filename="a b.txt"', "a b.txt"),
        ("Content-Type: text/plain name=a.txt", "a.txt"),
    ],
)
def test_a_file_name_is_found_where_programs_misplace_it(fields: str, name: str) -> None:
    read = read_mail(multipart(PLAIN, f"{fields}\n\nx"))
    assert [file.name for file in read.attachments] == [name]
    assert read.text == "Le texte, été."


@pytest.mark.parametrize("path", ["", "0", "3", "1.1", "2.1", "x", "1" * 1000])
def test_a_path_that_names_no_part_is_an_error_of_its_own(path: str) -> None:
    with pytest.raises(KeyError):
        extract(multipart(PLAIN, PICTURE), path)


# ---------------------------------------------------------------- mails without a Message-ID


def test_a_mail_without_an_id_has_the_same_one_each_time_it_comes() -> None:
    head = HEAD.replace("Message-ID: <question@client.test>\n", "")
    first = mail("Received: by a", "Delivered-To: info@desk.test", head=head)
    again = mail("X-Spam: 3", "Return-Path: <x@y.test>", head="Received: by b\n\tand c\n" + head).replace(
        b"\n", b"\r\n"
    )
    assert read_mail(first).external_id.startswith("sha256:")
    assert read_mail(first).external_id == read_mail(again).external_id
    assert "no_message_id" in read_mail(first).defects
    for other in (
        mail(head=head, body="Autre chose"),
        mail(head=head.replace("10:32", "10:33")),
        mail(head=head + "Message-ID: <>\nCc: x@y.test\n"),
    ):
        assert read_mail(other).external_id.startswith("sha256:")
        assert read_mail(other).external_id != read_mail(first).external_id


def test_a_line_end_across_blocks_does_not_change_the_id() -> None:
    head = "From: a@x.test\n"
    for length in range(2**20 - 4, 2**20 + 2):
        raw = mail(head=head, body="x" * length + "\n" + "y" * 10)
        assert read_mail(raw).external_id == read_mail(raw.replace(b"\n", b"\r\n")).external_id


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("Mon, 12 Oct 2026 10:32:00 +0200 (CEST)", datetime(2026, 10, 12, 8, 32, tzinfo=UTC)),
        ("12 Oct 2026 10:32", datetime(2026, 10, 12, 10, 32, tzinfo=UTC)),
        ("Mon, 12 Oct 2026 10:32:00 -0000", datetime(2026, 10, 12, 10, 32, tzinfo=UTC)),
        ("2026-10-12T10:32:00+02:00", datetime(2026, 10, 12, 8, 32, tzinfo=UTC)),
        ("Mon, 32 Oct 2026 10:32:00 +0200", None),
        ("31 Dec 9999 23:59:59 -2300", None),
        ("hier", None),
        ("", None),
    ],
)
def test_a_date_is_the_moment_it_names_or_none(date: str, moment: datetime | None) -> None:
    head = HEAD.replace("Mon, 12 Oct 2026 10:32:00 +0200", date)
    assert read_mail(mail(head=head)).written_at == moment


# ---------------------------------------------------------------- broken and hostile


def test_an_mbox_line_and_a_line_that_is_none_do_not_end_the_header() -> None:
    raw = mail(head="From elodie@client.test Mon Oct 12 10:32:00 2026\nX-A: b\nthis is no field\n" + HEAD)
    read = read_mail(raw)
    assert read.external_id == "question@client.test"
    assert read.text == "Bonjour,\nà lundi."


def test_a_body_that_follows_without_an_empty_line_is_read() -> None:
    read = read_mail(b"From: a@x.test\nSubject: vite\nBonjour tout le monde\n\nfin")
    assert (read.subject, read.text) == ("vite", "Bonjour tout le monde\n\nfin")


def test_a_multipart_without_its_boundary_is_shown_as_it_is() -> None:
    for kind in ("multipart/mixed", "multipart/mixed; boundary=other"):
        read = read_mail(mail(f"Content-Type: {kind}", body="Le texte."))
        assert read.text == "Le texte."
        assert "multipart_without_parts" in read.defects


def test_a_boundary_that_is_missing_or_wrong_is_found() -> None:
    raw = multipart(PLAIN, PICTURE).replace(b'boundary="limit"', b'boundary="lost"')
    assert read_mail(raw).text == "Le texte, été."
    assert read_mail(raw).attachments[0].name == "logo.png"


def test_a_forged_boundary_in_a_part_does_not_end_it() -> None:
    parts = ["Content-Type: text/plain\n\nun\n--limitless\n --limit\n--limit x\n--lim\ndeux", PICTURE]
    read = read_mail(multipart(*parts))
    assert read.text == "un\n--limitless\n --limit\n--limit x\n--lim\ndeux"
    assert len(read.attachments) == 1


def test_a_mail_cut_off_in_an_attachment_is_read_up_to_there() -> None:
    whole = multipart(PLAIN, PICTURE)
    read = read_mail(whole[: whole.index(b"iVBOR") + 6])
    assert read.text == "Le texte, été."
    assert [file.name for file in read.attachments] == ["logo.png"]
    assert "unclosed" in read.defects


def nested(depth: int) -> bytes:
    return mail(
        body=b"",
        head=HEAD
        + "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(depth))
        + "Content-Type: text/plain\n\nau fond",
    )


HOSTILE = {
    "nothing at all": b"",
    "line ends only": b"\r\n" * 500_000,
    "noise": bytes(range(256)) * 4000,
    "colons": b":" * 1_000_000,
    "a subject of 1 MB": mail(head=f"From: a@x.test\nSubject: {'a' * 1_000_000}\n"),
    "a folded subject of 1 MB": mail(head="From: a@x.test\nSubject: " + "a b\n " * 200_000 + "\n"),
    "unfinished encoded words": mail(head="Subject: " + "=?utf-8?q?a" * 20_000 + "\n"),
    "a hundred thousand fields": mail(head="".join(f"X-{n}: a\n" for n in range(100_000))),
    "fields among lines that are none": mail(head="x\nX: a\n" * 20_000 + "To: a@x.test\n"),
    "an endless address": mail(head="From: " + "a" * 60_000 + "@\n"),
    "an endless domain": mail(head="From: @" + "a" * 60_000 + "\n"),
    "open brackets": mail(head="From: " + "(<" * 30_000 + "\n"),
    "open quotes": mail(head='From: "\\' * 8000 + "\n"),
    "commas": mail(head="From: a@x.test\nTo: " + "a," * 30_000 + "\n"),
    "ten thousand references": mail("References: " + " ".join(f"<{n}@x.test>" for n in range(10_000))),
    "empty parameters": mail("Content-Type: text/plain" + "; " * 30_000),
    "pieces of a parameter": mail("Content-Type: text/plain" + "; name*1*=x" * 5000),
    "multiparts in one another": nested(1000),
    "one boundary for all": mail(body=b"", head=HEAD + "Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 5000),
    "a hundred thousand parts": mail("Content-Type: multipart/mixed; boundary=b", body="--b\n\nx\n" * 100_000),
    "almost a boundary": mail("Content-Type: multipart/mixed; boundary=b", body="--b" * 300_000),
    "spaces": mail(body="a" + " " * 2_000_000 + "b"),
    "no end of a line": mail(body="x" * 5_000_000),
    "odd base64": mail("Content-Transfer-Encoding: base64", body="A" * 1_000_001),
    "odd quoted-printable": mail("Content-Transfer-Encoding: quoted-printable", body="=" * 1_000_001),
    "half characters": mail("Content-Type: text/plain; charset=utf-7", body="+2AA-" * 10_000),
    **{
        f"a page: {name}": mail("Content-Type: text/html", body=page)
        for name, page in {
            "deep": "<div>" * 100_000 + "x",
            "bold": "<b>" * 60_000 + "x",
            "one wide cell": f"<table><tr><td>{'x' * 50_000}</td><td>y</td></tr>{'<tr><td>y</td></tr>' * 5000}</table>",
            "margins": "<p style='margin-top:9999999em;padding-left:9999999em'>x</p>" * 1000,
            "attributes": "<p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x",
            "open tags": "<a" * 100_000,
            "a tag without an end": ("<" + "a" * 7900) * 30,
            "open comments": "<!--" * 100_000,
            "quotes": "<blockquote>x" * 20_000,
            "lists": "<ul><li>x" * 20_000,
            "a picture of 4 MB": f'<img src="data:image/png;base64,{"A" * 4_000_000}">x',
            "entities": "&#x41;" * 60_000,
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(10)
def test_a_hostile_mail_costs_little_and_can_be_stored(name: str) -> None:
    raw = HOSTILE[name]
    read = read_mail(raw)
    assert "unreadable" not in read.defects
    assert len(read.text) <= LONGEST_TEXT
    assert len(read.subject) <= 1000
    assert len(read.attachments) <= 200
    assert read.external_id
    stored = msgspec.json.encode(read)
    assert msgspec.json.decode(stored, type=Envelope) == read
    assert len(stored) < 3_000_000


def test_multiparts_nested_deeper_than_anybody_means_are_kept_as_a_file() -> None:
    read = read_mail(nested(1000))
    assert "nesting" in read.defects
    (file,) = read.attachments
    assert extract(nested(1000), file.path).endswith(b"au fond\n")
    assert read_mail(nested(30)).text == "au fond"


def test_thirty_megabytes_of_attachment_cost_little_memory() -> None:
    octets = os.urandom(22 * 2**20)
    raw = multipart(PLAIN, "Content-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\nBASE64")
    raw = raw.replace(b"BASE64", base64.encodebytes(octets)).replace(b"Message-ID: <question@client.test>\n", b"")
    assert len(raw) > 30 * 10**6
    tracemalloc.start()
    read = read_mail(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20
    assert read.text == "Le texte, été."
    assert read.attachments[0].size == len(octets)
    assert extract(raw, "2") == octets


def attached(encoding: str, octets: bytes) -> bytes:
    head = f"Content-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: {encoding}"
    return mail("Content-Type: multipart/mixed; boundary=b", body=f"--b\n{head}\n\n".encode() + octets + b"\n--b--\n")


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_large_file_whose_end_is_missing_is_decoded_up_to_there(missing: int) -> None:
    octets = os.urandom(3 * 2**20)
    raw = attached("base64", base64.encodebytes(octets).strip()[:-missing].replace(b"\n", b"*\n"))
    assert extract(raw, "1") == octets[:-missing]


@pytest.mark.parametrize("line", [b"=41=C3=A9 et suite=\r\n", b"=41=C3=A9 et suite ", b"==41=\n"])
def test_a_large_file_is_decoded_piece_by_piece_as_it_would_be_whole(line: bytes) -> None:
    octets = line * (3 * 2**20 // len(line))
    assert extract(attached("quoted-printable", octets), "1") == binascii.a2b_qp(octets)


def test_delimiters_are_told_from_what_looks_like_one_however_often_it_does() -> None:
    fake = "--b-\n--bb\n--b x\n x--b\n" * 2000
    read = read_mail(
        mail("Content-Type: multipart/mixed; boundary=b", body=f"{fake}--b\n\nun\n{fake}--b  \n\ndeux\n--b--\nx")
    )
    assert read.text == f"un\n{fake}\n\ndeux".replace("\n\n\ndeux", "\n\ndeux")


FRAGMENTS = [
    *(b"From: ", b"To: ", b"Subject: ", b"Message-ID: ", b"References: ", b"Date: ", b"Content-Type: "),
    *(b"multipart/mixed; boundary=b", b"multipart/alternative; boundary=c", b"message/rfc822", b"text/plain"),
    *(b"text/html; charset=", b"utf-16", b"iso-2022-jp", b"\x1b$B", b"Content-Transfer-Encoding: base64"),
    *(b"Content-Transfer-Encoding: quoted-printable", b"Content-Transfer-Encoding: x-uuencode", b"begin 644 x\n"),
    *(b"Content-Disposition: attachment; filename*0*=", b"utf-8''%", b"=?utf-8?q?=C3", b"=?x?b?", b"?="),
    *(b"\n", b"\r\n", b"\n\n", b" ", b"\t", b"\0", b"=", b"@", b'"', b"(", b"\\", b"<a@b.test>", b"\xe9", b"\xc3\xa9"),
    *(b"--b\n", b"--c\n", b"--b--", b"<div", b"<blockquote>", b"</", b">"),
]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=6), max_size=60).map(b"".join))
@example(b"Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B")
@example(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b--")
def test_no_octets_make_reading_fail(raw: bytes) -> None:
    read = read_mail(raw)
    assert "unreadable" not in read.defects
    assert read == read_mail(raw)
    assert msgspec.json.decode(msgspec.json.encode(read), type=Envelope) == read
    for file in read.attachments:
        assert "/" not in file.name
        extract(raw, file.path)


def test_a_mail_our_own_mistake_cannot_read_is_still_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> Envelope:
        raise RuntimeError

    monkeypatch.setattr("channels.mail.parse._read", broken)
    read = read_mail(mail(body="à lire"))
    assert read.defects == ("unreadable",)
    assert "Subject: Rendez-vous" in read.text
    assert read.external_id == read_mail(mail(body="à lire")).external_id
