"""What mails carry besides words: pictures among them, meetings, business cards, signatures, sounds, pages."""

from __future__ import annotations

import base64
import binascii
import random
import time
from datetime import UTC, date, datetime

import pytest

from channels.mail.calendars import read_calendar
from channels.mail.cards import read_cards
from channels.mail.charsets import decode_octets
from channels.mail.cms import read_cms
from channels.mail.parse import extract, read_mail
from inbox.envelope import Envelope
from inbox.particulars import BusinessCard, Meeting, Protection
from inbox.parts import AttachmentKind
from tests.channels.mail.test_winmail import mail_with, winmail

HEAD = "From: Élodie <elodie@client.test>\nTo: cabinet@desk.test\nDate: Mon, 12 Oct 2026 10:32:00 +0200\n"


def mail(kind: str, *parts: str | bytes, head: str = HEAD) -> bytes:
    body = b"".join(b"--b\n" + (part if isinstance(part, bytes) else part.encode()) + b"\n" for part in parts)
    return f"{head}MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary=b\n\n".encode() + body + b"--b--\n"


def read(kind: str, *parts: str | bytes) -> Envelope:
    return read_mail(mail(kind, *parts))


def page(markup: str) -> str:
    return f"Content-Type: text/html; charset=utf-8\n\n{markup}"


TEXT = "Content-Type: text/plain; charset=utf-8\n\n"
PICTURE = (
    "Content-Type: image/png; name=logo.png\nContent-ID: <Logo@x>\nContent-Disposition: inline\n"
    "Content-Transfer-Encoding: base64\n\niVBORw0KGgo="
)


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('<p>Avant</p><img src="cid:Logo@x"><p>Après</p>', "Avant\n\n[🖼 logo.png]\n\nAprès"),
        ("Vu <IMG alt=x SRC=cid:logo%40x> ici", "Vu [🖼 logo.png] ici"),
        ('Rien <img src="cid:autre@x"> ici', "Rien ici"),
        ('Rien <img src="https://x.test/p.gif" width="1" height="1"> ici', "Rien ici"),
        ('Rien <img width=1 height="1px" src="cid:Logo@x"> ici', "Rien ici"),
        ('Rien <img style="width:1px;height:1px" src="cid:Logo@x"> ici', "Rien ici"),
        ('Vu <img width="1200" height="1" src="cid:Logo@x"> ici', "Vu [🖼 logo.png] ici"),
    ],
)
def test_a_picture_is_named_where_the_page_shows_it(markup: str, text: str) -> None:
    envelope = read("related", page(markup), PICTURE)
    assert envelope.text == text
    assert [file.name for file in envelope.attachments] == ["logo.png"]


def test_a_picture_between_two_texts_is_named_there_and_elsewhere_only_listed() -> None:
    envelope = read("mixed", PICTURE, TEXT + "Avant", PICTURE, TEXT + "Après", PICTURE)
    assert envelope.text == "Avant\n\n[🖼 logo.png]\n\nAprès"
    assert [file.path for file in envelope.attachments] == ["1", "3", "5"]


def test_a_picture_a_page_shows_is_not_named_again_after_it() -> None:
    assert read("mixed", page("Vu <img src=cid:logo@x>"), PICTURE, TEXT + "Après").text == "Vu [🖼 logo.png]\n\nAprès"


def test_a_name_cannot_write_markup() -> None:
    evil = PICTURE.replace("logo.png", '"<b onclick=x>.png"')
    assert read("related", page("<img src=cid:logo@x>"), evil).text == "[🖼 _b onclick=x_.png]"


# ---------------------------------------------------------------- meetings

EVENT = """BEGIN:VEVENT
DTSTART;TZID={zone}:20260303T140000
DTEND;TZID={zone}:20260303T150000
SUMMARY;LANGUAGE=fr:Réunion\\, bilan
LOCATION:12 rue des
  Lilas
ORGANIZER;CN="Petit, Jean":MAILTO:jean@client.test
ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=Anne:mailto:anne@client.test
ATTENDEE:mailto:b@client.test
RRULE:FREQ=WEEKLY;COUNT=3
BEGIN:VALARM
TRIGGER:-PT15M
SUMMARY:non
END:VALARM
END:VEVENT
"""
ZONE = """BEGIN:VTIMEZONE
TZID:Chez nous
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def calendar(*blocks: str, method: str = "REQUEST") -> bytes:
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:{method}\n{''.join(blocks)}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def meetings(*blocks: str, method: str = "REQUEST") -> list[Meeting]:
    return read_calendar(calendar(*blocks, method=method), None, "", UTC, "2")


def event(*lines: str) -> str:
    return "".join(f"{line}\n" for line in ("BEGIN:VEVENT", *lines, "END:VEVENT"))


@pytest.mark.parametrize(
    "zone",
    [
        *("Europe/Paris", "Romance Standard Time", "Chez nous", '"W. Europe Standard Time"'),
        "/freeassociation.sourceforge.net/Tzfile/Europe/Paris",
    ],
)
def test_an_invitation_is_read_by_whatever_name_its_zone_has(zone: str) -> None:
    assert meetings(ZONE, EVENT.format(zone=zone)) == [
        Meeting(
            method="request",
            title="Réunion, bilan",
            starts_at=datetime(2026, 3, 3, 13, tzinfo=UTC),
            ends_at=datetime(2026, 3, 3, 14, tzinfo=UTC),
            place="12 rue des Lilas",
            organizer="Petit, Jean",
            attendees=("Anne", "b@client.test"),
            repeats="weekly",
            path="2",
        )
    ]


def test_a_zone_of_its_own_knows_summer() -> None:
    (summer,) = meetings(ZONE, event("DTSTART;TZID=Chez nous:20260703T140000"))
    assert summer.starts_at == datetime(2026, 7, 3, 12, tzinfo=UTC)


def test_times_without_a_zone_are_the_calendars_or_the_authors() -> None:
    floating = event("DTSTART:20260303T140000", "DURATION:PT90M")
    (by_mail,) = read_mail(
        mail("mixed", TEXT + "o", b"Content-Type: text/calendar\n\n" + calendar(floating))
    ).particulars.meetings
    assert by_mail.starts_at == datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert by_mail.ends_at == datetime(2026, 3, 3, 13, 30, tzinfo=UTC)
    (by_calendar,) = meetings("X-WR-TIMEZONE:Asia/Tokyo\n", floating)
    assert by_calendar.starts_at == datetime(2026, 3, 3, 5, tzinfo=UTC)


def test_whole_days_end_on_their_last() -> None:
    (days,) = meetings(event("DTSTART;VALUE=DATE:20260303", "DTEND;VALUE=DATE:20260305", "SUMMARY:Salon"))
    assert (days.first_day, days.last_day, days.starts_at) == (date(2026, 3, 3), date(2026, 3, 4), None)
    (day,) = meetings(event("DTSTART;VALUE=DATE:20260303", "SUMMARY:Salon"))
    assert (day.first_day, day.last_day) == (date(2026, 3, 3), date(2026, 3, 3))


def test_an_answer_and_a_cancellation_say_so() -> None:
    (answer,) = meetings(
        event("DTSTART:20260303T130000Z", "ATTENDEE;PARTSTAT=DECLINED:mailto:a@b.test"), method="REPLY"
    )
    assert (answer.method, answer.answer, answer.attendees) == ("reply", "declined", ("a@b.test",))
    (cancelled,) = meetings(event("DTSTART:20260303T130000Z", "STATUS:CANCELLED"))
    assert cancelled.method == "cancel"


def test_one_invitation_in_two_forms_is_one() -> None:
    octets = calendar(EVENT.format(zone="Europe/Paris"))
    form = b"Content-Type: text/calendar; method=REQUEST; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    file = b"Content-Type: application/ics; name=invite.ics\nContent-Transfer-Encoding: base64\n\n"
    envelope = read("mixed", form + base64.encodebytes(octets), file + base64.encodebytes(octets))
    (meeting,) = envelope.particulars.meetings
    assert meeting.path == "1"
    assert [attachment.name for attachment in envelope.attachments] == ["attachment-1.ics", "invite.ics"]


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:hier",),
        ("DTSTART:00010101T000000", "DURATION:P99999999D"),
        ("DTSTART:99991231T235959Z", "DTEND:99991231T235959Z"),
        ("DTSTART;TZID=:20260303T140000", "DURATION:x", "ATTENDEE;PARTSTAT=:", "ORGANIZER;CN=:"),
        ("DTSTART;TZID=../../etc/passwd:20260303T140000",),
        ("DTSTART:20260303T140000", "DTSTART:20260304T140000", "SUMMARY", ":", ";"),
        ("DTSTART;VALUE=PERIOD:20260303T140000Z/PT1H",),
    ],
)
def test_a_broken_event_is_read_as_far_as_it_goes(lines: tuple[str, ...]) -> None:
    for found in meetings(event("SUMMARY:x", *lines)):
        assert found.starts_at is None or 1900 <= found.starts_at.year <= 2200


def test_broken_calendars_cost_little_and_raise_nothing() -> None:
    chance = random.Random(3)
    whole = calendar(ZONE, EVENT.format(zone="Chez nous"))
    began = time.process_time()
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 10)):
            broken[chance.randrange(len(broken))] = chance.choice(b'\r\n:;="T0Z,\\' + bytes([chance.randrange(256)]))
        read_calendar(bytes(broken), None, "", UTC, "1")
    endless = ZONE.replace("YEARLY;BYDAY=-1SU;BYMONTH=3", "SECONDLY")
    read_calendar(calendar(endless * 500, EVENT.format(zone="Chez nous") * 500), None, "", UTC, "1")
    read_calendar(calendar(event(*["ATTENDEE:mailto:a@b.test"] * 10_000, "X:" + "y" * 100_000)), None, "", UTC, "1")
    read_calendar(b"BEGIN:VEVENT\r\n" * 20_000, None, "", UTC, "1")
    assert time.process_time() - began < 5


# ---------------------------------------------------------------- business cards


def test_a_business_card_is_read_in_each_of_its_versions() -> None:
    old = (
        "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:Lef=E8vre;=C9lo=\r\ndie\r\n"
        "ORG:ACME;Ventes\r\nTEL;WORK;VOICE:+33 1 23 45 67 89\r\nEMAIL;PREF;INTERNET:E@Client.Test\r\nEND:VCARD\r\n"
    )
    new = (
        'BEGIN:VCARD\nVERSION:4.0\nFN:Jean\\, le\n  Grand\nTEL;VALUE=uri;TYPE="voice,home":tel:+33-1;ext=5\n'
        "item1.EMAIL:mailto:jean@client.test\nPHOTO:data:image/png;base64,AAAA\nEND:VCARD"
    )
    part = b"Content-Type: text/x-vcard; name=e.vcf\nContent-Transfer-Encoding: base64\n\n"
    envelope = read("mixed", TEXT + "o", part + base64.encodebytes((old + new).encode()))
    assert envelope.particulars.cards == (
        BusinessCard(
            name="Élodie Lefèvre",
            organization="ACME, Ventes",
            phones=("+33 1 23 45 67 89",),
            addresses=("e@client.test",),
            path="2",
        ),
        BusinessCard(name="Jean, le Grand", phones=("+33-1",), addresses=("jean@client.test",), path="2"),
    )
    assert envelope.attachments[0].name == "e.vcf"


def test_what_is_no_card_gives_none() -> None:
    for octets in (b"", b"BEGIN:VCARD\nEND:VCARD", b"BEGIN:VCARD\nTEL:\x00\nEMAIL:nobody\nEND:VCARD", b"\xff" * 1000):
        assert read_cards(octets, None, "1") == []
    many = b"BEGIN:VCARD\nFN:a%d\nEND:VCARD\n"
    assert len(read_cards(b"".join(many % n for n in range(100_000)), None, "1")) == 10


# ---------------------------------------------------------------- signatures and locks


def der(tag: int, *content: bytes) -> bytes:
    inner = b"".join(content)
    if len(inner) < 128:
        return bytes([tag, len(inner)]) + inner
    length = len(inner).to_bytes(4, "big")
    return bytes([tag, 0x84]) + length + inner


SIGNED, DATA = bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d010701")
ENVELOPED = bytes.fromhex("2a864886f70d010703")


def signed(content: bytes) -> bytes:
    inner = der(0x30, der(0x06, DATA), der(0xA0, der(0x04, content)))
    body = der(0x30, der(0x02, b"\1"), der(0x31), inner, der(0x31))
    return der(0x30, der(0x06, SIGNED), der(0xA0, body))


def signed_in_pieces(content: bytes) -> bytes:
    """As BER of no stated length (X.690 §8.1.3.6), which most programs write."""
    pieces = b"".join(der(0x04, content[at : at + 10]) for at in range(0, len(content), 10))
    inner = b"\x30\x80" + der(0x06, DATA) + b"\xa0\x80\x24\x80" + pieces + bytes(6)
    body = b"\x30\x80" + der(0x02, b"\1") + der(0x31) + inner + der(0x31) + bytes(2)
    return b"\x30\x80" + der(0x06, SIGNED) + b"\xa0\x80" + body + bytes(4)


def opaque(octets: bytes, parameters: str = "; smime-type=signed-data") -> bytes:
    head = (
        f"{HEAD}Content-Type: application/pkcs7-mime{parameters}; name=smime.p7m\nContent-Transfer-Encoding: base64\n\n"
    )
    return head.encode() + base64.encodebytes(octets)


ENTITY = (
    b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    + "Sous le sceau, été.".encode()
    + b"\r\n--i\r\nContent-Type: application/pdf; name=devis.pdf\r\n\r\n%PDF\r\n--i--\r\n"
)


@pytest.mark.parametrize("wrapped", [signed, signed_in_pieces])
@pytest.mark.parametrize("parameters", ["; smime-type=signed-data", ""])
def test_a_sealed_mail_is_read_inside_its_signature(wrapped: type[bytes], parameters: str) -> None:
    raw = opaque(wrapped(ENTITY), parameters)
    envelope = read_mail(raw)
    assert envelope.text == "Sous le sceau, été."
    assert envelope.particulars.protection is Protection.SIGNED_SMIME
    assert [(file.name, file.path) for file in envelope.attachments] == [
        ("smime.p7m", "1"),
        ("devis.pdf", "1/cms/2"),
    ]
    assert extract(raw, "1/cms/2") == b"%PDF"


def test_a_winmail_in_a_seal_is_opened_too() -> None:
    raw = opaque(signed(mail_with(winmail(files=(("devis.pdf", b"%PDF"),)), "Bonjour")))
    envelope = read_mail(raw)
    assert envelope.text == "Bonjour"
    assert [file.path for file in envelope.attachments] == ["1", "1/cms/2/tnef/1"]
    assert extract(raw, "1/cms/2/tnef/1") == b"%PDF"


def test_seals_in_seals_are_opened_so_far_only() -> None:
    octets = b"Content-Type: text/plain\r\n\r\nau fond"
    for _ in range(8):
        octets = b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\n" + signed(octets)
    raw = HEAD.encode() + octets
    assert len(read_mail(raw).attachments) <= 6


def test_broken_seals_raise_nothing() -> None:
    chance = random.Random(5)
    for whole in (signed(ENTITY), signed_in_pieces(ENTITY)):
        for _ in range(1000):
            broken = bytearray(whole)
            for _ in range(chance.randrange(1, 4)):
                broken[chance.randrange(min(80, len(broken)))] = chance.choice((0, 0x80, 0x24, 0x30, 0xFF, 0x84))
            read_cms(bytes(broken[: chance.randrange(len(broken))]))
    began = time.process_time()
    read_cms(b"\x30\x80" * 1_000_000)
    read_cms(signed_in_pieces(bytes(2_000_000)))
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("raw", "protection"),
    [
        (mail('signed; protocol="application/pgp-signature"', TEXT + "o", "Content-Type: x/y\n\nz"), "signed_pgp"),
        (mail('signed; protocol="application/pkcs7-signature"', TEXT + "o", "\n\nz"), "signed_smime"),
        (mail("signed", TEXT + "o", "Content-Type: application/x-pkcs7-signature\n\nz"), "signed_smime"),
        (mail('encrypted; protocol="application/pgp-encrypted"', "\n\nVersion: 1", "\n\nz"), "encrypted_pgp"),
        (opaque(der(0x30, der(0x06, ENVELOPED)), "; smime-type=enveloped-data"), "encrypted_smime"),
        (opaque(der(0x30, der(0x06, ENVELOPED)), ""), "encrypted_smime"),
        (mail("mixed", TEXT + "-----BEGIN PGP MESSAGE-----\n\nx\n-----END PGP MESSAGE-----"), "encrypted_pgp"),
        (mail("mixed", TEXT + "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\no"), "signed_pgp"),
        (opaque(der(0x30, der(0x06, SIGNED)), "; smime-type=certs-only"), None),
        (mail("mixed", TEXT + "Il a écrit -----BEGIN PGP MESSAGE-----"), None),
        (mail("mixed", TEXT + "o"), None),
    ],
)
def test_a_signed_or_locked_mail_is_said_to_be(raw: bytes, protection: str | None) -> None:
    assert read_mail(raw).particulars.protection == protection


# ---------------------------------------------------------------- pages, sounds


@pytest.mark.parametrize(
    ("markup", "rich"),
    [
        ("<p>Bonjour</p>", False),
        ("<table><tr><td>1<td>2<tr><td>3<td>4</table>", True),
        ("<table><tr><td>mise en page</td></tr></table>", False),
        ("<img src=a.png><img src=b.png>", True),
        ("<img src=logo.png>", False),
        ('<img src=a width=1 height=1><img src="b" style="height:0;width:0">', False),
        ("<form action=x><input></form>", True),
    ],
)
def test_a_page_that_shows_more_than_it_says_is_known(markup: str, rich: bool) -> None:
    assert read("alternative", page(markup)).particulars.is_rich is rich
    assert read("alternative", TEXT + "Bonjour", page(markup)).particulars.is_rich is rich


@pytest.mark.parametrize(
    ("media_type", "name", "kind"),
    [
        ("audio/x-wav", "message.wav", AttachmentKind.VOICE),
        ("audio/wav", "message.mp3", AttachmentKind.AUDIO),
        ("application/octet-stream", "msg0001.WAV", AttachmentKind.VOICE),
        ("audio/ogg", "message", AttachmentKind.VOICE),
        ("application/ogg", "message.opus", AttachmentKind.VOICE),
        ("audio/mpeg", "message.ogg", AttachmentKind.VOICE),
        ("video/mp4", "message.m4a", AttachmentKind.AUDIO),
        ("video/mp4", "film.mp4", AttachmentKind.VIDEO),
        ("application/pdf", "message.mp3", AttachmentKind.FILE),
        ("audio/AMR", "x", AttachmentKind.VOICE),
        ("audio/3gpp", "x", AttachmentKind.VOICE),
        ("video/3gpp", "x.3gp", AttachmentKind.VIDEO),
        ("audio/mpeg", "x", AttachmentKind.AUDIO),
    ],
)
def test_a_sound_is_known_by_its_type_and_its_name(media_type: str, name: str, kind: AttachmentKind) -> None:
    envelope = read("mixed", TEXT + "o", f"Content-Type: {media_type}; name={name}\n\nx")
    assert envelope.attachments[0].kind is kind


# ---------------------------------------------------------------- texts of other kinds


def test_a_text_of_another_kind_is_shown_where_there_is_no_other() -> None:
    enriched = "Content-Type: text/enriched\n\n<bold>Oui</bold>,\nà <color><param>red</param>lundi</color>.\n\n<<3"
    envelope = read("mixed", enriched)
    assert envelope.text == "Oui, à lundi.\n<3"
    assert envelope.attachments[0].name == "attachment-1.txt"
    assert read("mixed", TEXT + "Bonjour", enriched).text == "Bonjour"
    assert read("mixed", "Content-Type: text/markdown\n\n# Oui").text == "# Oui"
    assert read("mixed", "Content-Type: text/csv\n\na;b").text == ""


# ---------------------------------------------------------------- uuencode, charsets, encodings


def uuencoded(name: str, octets: bytes) -> str:
    lines = b"".join(binascii.b2a_uu(octets[at : at + 45]) for at in range(0, len(octets), 45))
    return f"begin 644 {name}\n{lines.decode()}`\nend\n"


def test_uuencoded_files_in_a_text_are_files() -> None:
    octets = bytes(range(256)) * 3
    text = f"Avant\n\n{uuencoded('a.png', octets)}\nentre\n\n{uuencoded('été.pdf', b'%PDF')}après"
    raw = mail("mixed", TEXT + text)
    envelope = read_mail(raw)
    assert envelope.text == "Avant\n\n\nentre\n\naprès"
    assert [(f.name, f.media_type, f.size, f.path) for f in envelope.attachments] == [
        ("a.png", "image/png", 768, "1/uu/1"),
        ("été.pdf", "application/pdf", 4, "1/uu/2"),
    ]
    assert extract(raw, "1/uu/1") == octets


@pytest.mark.parametrize(
    "text",
    [
        "begin 644 the work\nThen rest, and\nend",
        "begin 644 a.txt\n#0V%T\nno end",
        "On the day\nbegin 644\nend",
    ],
)
def test_words_that_begin_and_end_are_words(text: str) -> None:
    envelope = read("mixed", TEXT + text)
    assert (envelope.text, envelope.attachments) == (text, ())


def test_beginnings_without_an_end_cost_little() -> None:
    began = time.process_time()
    read("mixed", TEXT + "begin 644 a\nx\n" * 100_000)
    read("mixed", TEXT + "begin 644 a\n#0V%T\n" * 100_000)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("x-mac-cyrillic", "mac_cyrillic", "Привет, мир"),
        ("x-mac-ce", "mac_latin2", "Zażółć gęślą jaźń"),
        ("win-1251", "cp1251", "Привет, мир"),
        ("CP-850", "cp850", "Élève à Noël"),
        ("IBM866", "cp866", "Привет, мир"),
        ("iso-8859-16", "iso8859-16", "Ștefan, țară"),
        ("koi8-ru", "koi8-u", "Їжак ґанок"),
        ("windows-31j", "cp932", "①こんにちは㈱"),
        ("cn-big5", "big5", "你好世界"),
        ("hz-gb-2312", "hz", "你好世界"),
        ("x-windows-949", "cp949", "안녕하세요"),
        ("UNICODE-1-1-UTF-7", "utf-7", "Ça, déjà"),
        ("utf-16", "utf-16-be", "Déjà vu"),
        ("utf-16", "utf-16-le", "Déjà vu"),
        ("us-ascii", "iso2022_jp", "こんにちは"),
        ("iso-2022-jp", "cp932", "こんにちは"),
        ("iso-2022-jp", "utf-8", "こんにちは"),
    ],
)
def test_a_charset_is_found_by_the_names_programs_give_it(label: str, codec: str, text: str) -> None:
    assert decode_octets(text.encode(codec), label) == text


def test_japanese_that_windows_wrote_is_read_to_the_end() -> None:
    assert decode_octets(b"\x1b$B3t-!-j\x1b(B abc \x1b(I36\x1b(B", "iso-2022-jp") == "株①㈱ abc ｳｶ"


@pytest.mark.parametrize(
    ("encoding", "octets", "whole"),
    [
        ("base64 (as always)", b"Qm9uam91cg==", b"Bonjour"),
        ("Base-64", b"Qm9uam91cg==", b"Bonjour"),
        ("base64", b"Qm9u\r\nam91\r\ncg", b"Bonjour"),
        ("base64", b"Qm9uag==\nb3VyIQ==\n", b"Bonjour!"),
        ("base64", b"Qm9uag==\n-- \nsent by a list!", b"Bonj"),
        ("quotedprintable", b"caf=C3=A9 \nnoir=  \n!", "café\nnoir!".encode()),
        ("quoted-printable", b"a=ZZb=c3=a9=", "a=ZZbé".encode()),
        ("x-uue", uuencoded("a", b"Bonjour").encode(), b"Bonjour"),
        ("binary", bytes(range(256)), bytes(range(256))),
        ("8bit", "été\r\n".encode(), "été\r\n".encode()),
        ("x-unheard-of", b"abc", b"abc"),
    ],
)
def test_octets_are_decoded_as_programs_encode_them(encoding: str, octets: bytes, whole: bytes) -> None:
    head = f"Content-Type: application/x-y; name=a.bin\nContent-Transfer-Encoding: {encoding}\n\n"
    raw = mail("mixed", TEXT + "o", head.encode() + octets)
    (file,) = read_mail(raw).attachments
    assert extract(raw, file.path) == whole
    assert file.size == len(whole)
