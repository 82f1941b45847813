"""Outlook's winmail.dat, made by hand and broken by chance, read."""

from __future__ import annotations

import base64
import random
import struct
import time

import pytest

from channels.mail.parse import extract, read_mail
from channels.mail.rtf import LONGEST, decompress, rtf_to_text
from channels.mail.winmail import read_winmail

Pairs = tuple[tuple[int, int, bytes], ...]


def attribute(level: int, identity: int, data: bytes) -> bytes:
    return struct.pack("<BII", level, identity, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def properties(*pairs: tuple[int, int, bytes]) -> bytes:
    """A list of properties: id, type, value."""
    said = struct.pack("<I", len(pairs))
    for identity, kind, value in pairs:
        said += struct.pack("<HH", kind, identity)
        if identity >= 0x8000:
            said += bytes(16) + struct.pack("<II", 0, 0x1234)
        if kind in (0x1E, 0x1F, 0x102, 0x0D):
            said += struct.pack("<II", 1, len(value)) + value + bytes(-len(value) % 4)
        else:
            said += value
    return said


def winmail(message: Pairs = (), files: tuple[tuple[str, bytes], ...] = (), *more: bytes) -> bytes:
    said = b"\x78\x9f\x3e\x22\x01\x00" + attribute(1, 0x00069007, struct.pack("<II", 1252, 0))
    if message:
        said += attribute(1, 0x00069003, properties(*message))
    for name, data in files:
        said += attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00018010, b"COURT~1.PDF\0")
        said += attribute(2, 0x0006800F, data)
        said += attribute(2, 0x00069005, properties((0x3707, 0x1F, name.encode("utf-16-le") + b"\0\0")))
    return said + b"".join(more)


def mail_with(octets: bytes, text: str = "", media_type: str = "application/ms-tnef") -> bytes:
    return (
        (
            "From: a@x.test\nSubject: s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
            f"--b\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
            f"--b\nContent-Type: {media_type}; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n"
        ).encode()
        + base64.encodebytes(octets)
        + b"--b--\n"
    )


RTF = (
    rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}{\*\generator x;}\pard Bonjour \'c9lodie,\par "
    rb"\u224?\u-10179?\u-8694? ligne\line deux \{ok\}\par}"
)
PAGE_IN_RTF = (
    rb"{\rtf1\ansi\ansicpg1252\fromhtml1 {\fonttbl{\f0 Arial;}}{\*\htmltag19 <html>}{\*\htmltag50 <body>}"
    rb"{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 D\'e9j\'e0 {\*\htmltag84 <b>}\htmlrtf {\b \htmlrtf0 vu"
    rb"{\*\htmltag92 </b>}\htmlrtf }\htmlrtf0 \htmlrtf\par}\htmlrtf0 {\*\htmltag72 </p>}{\*\htmltag27 </html>}}"
)


def plainly(rtf: bytes) -> bytes:
    """In the form that is not compressed ([MS-OXRTFCP] §2.2.1)."""
    return struct.pack("<IIII", len(rtf) + 12, len(rtf), 0x414C454D, 0) + rtf


def literally(rtf: bytes) -> bytes:
    """Compressed, with no run that is referred to; a reference to where the next octet goes ends it."""
    tail = len(rtf) % 8
    whole = len(rtf) - tail
    said = b"".join(b"\0" + rtf[at : at + 8] for at in range(0, whole, 8))
    end = (207 + len(rtf)) % 4096
    said += bytes([1 << tail]) + rtf[whole:] + struct.pack(">H", end << 4)
    return struct.pack("<IIII", len(said) + 12, len(rtf), 0x75465A4C, 0) + said


# ---------------------------------------------------------------- files


def test_its_files_are_files_of_the_mail() -> None:
    raw = mail_with(winmail(files=(("Pièce jointe.pdf", b"%PDF-1"), ("photo.jpg", b"\xff\xd8\xff"))), "Bonjour")
    read = read_mail(raw)
    assert read.text == "Bonjour"
    assert [(f.name, f.size, f.path) for f in read.attachments] == [
        ("Pièce jointe.pdf", 6, "2/tnef/1"),
        ("photo.jpg", 3, "2/tnef/2"),
    ]
    assert [f.media_type for f in read.attachments] == ["application/pdf", "image/jpeg"]
    assert extract(raw, "2/tnef/1") == b"%PDF-1"
    assert extract(raw, "2/tnef/2") == b"\xff\xd8\xff"
    assert extract(raw, "2").startswith(b"\x78\x9f")
    for path in ("2/tnef/3", "2/tnef", "2/", "1/tnef/1"):
        with pytest.raises(KeyError):
            extract(raw, path)


def test_it_is_known_by_its_name_too() -> None:
    octets = winmail(files=(("a.txt", b"x"),))
    assert [f.name for f in read_mail(mail_with(octets, "o", "application/octet-stream")).attachments] == ["a.txt"]


def test_a_mail_attached_in_it_gives_its_files() -> None:
    inner = winmail(files=(("dedans.txt", b"inner"),))
    data = properties((0x3701, 0x0D, bytes(16) + inner), (0x3001, 0x1E, b"Fwd\0"))
    outer = winmail(
        (), (("dehors.txt", b"outer"),), attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00069005, data)
    )
    raw = mail_with(outer, "o")
    assert [f.name for f in read_mail(raw).attachments] == ["dehors.txt", "dedans.txt"]
    assert extract(raw, "2/tnef/2") == b"inner"


@pytest.mark.parametrize("octets", [b"", b"no tnef", winmail(), winmail()[:10], b"\x78\x9f\x3e\x22" + b"\xff" * 50])
def test_one_that_holds_nothing_stays_a_file(octets: bytes) -> None:
    read = read_mail(mail_with(octets, "o"))
    assert [f.name for f in read.attachments] == ["winmail.dat"]
    assert "unreadable" not in read.defects


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (((0x1000, 0x1F, "Le texte, été.\0".encode("utf-16-le")),), "Le texte, été."),
        (((0x1000, 0x1E, "Le texte, été.\0".encode("cp1252")),), "Le texte, été."),
        (((0x3FDE, 0x03, struct.pack("<I", 65001)), (0x1013, 0x102, "<b>La page</b>, été".encode())), "La page, été"),
        (((0x1009, 0x102, plainly(RTF)),), "Bonjour Élodie,\nà😊 ligne\ndeux {ok}"),
        (((0x1009, 0x102, literally(RTF)),), "Bonjour Élodie,\nà😊 ligne\ndeux {ok}"),
        (((0x1009, 0x102, literally(PAGE_IN_RTF)),), "Déjà vu"),
        (((0x8001, 0x1F, b"x\0"), (0x0E08, 0x03, bytes(4)), (0x1000, 0x1F, "Oui\0".encode("utf-16-le"))), "Oui"),
    ],
)  # fmt: skip
def test_its_words_are_shown_where_the_mail_has_none(message: Pairs, text: str) -> None:
    octets = winmail(message)
    assert read_mail(mail_with(octets)).text == text
    assert read_mail(mail_with(octets, "Le mail le dit.")).text == "Le mail le dit."


def test_a_run_that_was_said_before_is_said_again() -> None:
    # {\rtf1\ansi is in the window from the beginning, at 0; "aaaa…" repeats what it just wrote.
    said = bytes([0b101]) + struct.pack(">H", 0 << 4 | 8) + b"x" + struct.pack(">H", 217 << 4 | 6)
    assert decompress(struct.pack("<IIII", 0, 19, 0x75465A4C, 0) + said) == b"{\\rtf1\\ans" + b"x" * 9


@pytest.mark.parametrize(
    "rtf", [b"", b"{", b"}" * 100, b"{" * 10_000, b"\\", b"\\'", b"\\u", b"\\bin99999 x", b"\\uc9\\u1"]
)
def test_broken_rtf_is_read_as_far_as_it_goes(rtf: bytes) -> None:
    assert isinstance(rtf_to_text(rtf)[0], str)


# ---------------------------------------------------------------- broken and hostile


def test_whatever_is_broken_in_it_the_mail_is_read() -> None:
    chance = random.Random(7)
    whole = winmail(
        ((0x1009, 0x102, literally(RTF)), (0x1000, 0x1F, "Oui\0".encode("utf-16-le"))),
        (("a.txt", b"x" * 50), ("b.txt", b"y" * 50)),
    )
    for _ in range(1500):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 8)):
            broken[chance.randrange(4, len(broken))] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        read = read_winmail(bytes(broken[: chance.randrange(4, len(broken) + 1)]))
        assert read is not None
        for file in read.files:
            assert 0 <= file.start <= file.end <= len(broken)
        rtf_to_text(decompress(read.rtf))


def test_counts_that_lie_cost_nothing() -> None:
    many = struct.pack("<I", 0xFFFFFFFF) + struct.pack("<HHI", 0x1003, 0x1000, 0xFFFFFFFF)
    began = time.process_time()
    assert read_winmail(winmail() + attribute(1, 0x00069003, many) * 1000) is not None
    repeated = struct.pack("<IIII", 0, 0xFFFFFFFF, 0x75465A4C, 0) + (b"\xff" + b"\x00\x0f" * 8) * 50_000
    assert len(decompress(repeated)) <= LONGEST + 17
    assert time.process_time() - began < 5
