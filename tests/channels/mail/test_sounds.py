from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from channels.mail.parse import read_mail
from inbox.parts import Attachment, AttachmentKind
from tests.sounds import SOUNDS, encoded, gsm_wav, wav, wide_amr


def carried(octets: bytes, media_type: str = "audio/x-wav", name: str = "msg0001.wav", said: str = "") -> Attachment:
    """A sound as a mail's only attachment."""
    mail = EmailMessage()
    mail.set_content("Nouveau message vocal de 01 99 00 12 34")
    main, _, sub = media_type.partition("/")
    mail.add_attachment(octets, maintype=main, subtype=sub, filename=name)
    if said:
        mail.get_payload(1)["Content-Duration"] = said  # type: ignore[index]
    (attachment,) = read_mail(mail.as_bytes()).attachments
    return attachment


@pytest.mark.parametrize(
    ("make", "seconds"),
    [
        (lambda: wav(83), 83),
        (lambda: wav(0.2), 1),
        (lambda: wav(3, 44_100), 3),
        (lambda: encoded("pcm_alaw", "wav", 5), 5),
        (lambda: gsm_wav(9), 9),
        (lambda: encoded("libopencore_amrnb", "amr", 11), 11),
        (lambda: wide_amr(4), 4),
    ],
)
def test_a_sound_says_how_long_it_lasts(make: Callable[[], bytes], seconds: int) -> None:
    assert carried(make()).seconds == seconds


@pytest.mark.parametrize("make", SOUNDS.values(), ids=SOUNDS.keys())
def test_what_it_says_is_what_is_heard(make: Callable[[], bytes]) -> None:
    assert carried(make()).seconds in (0, 2)


def test_a_length_that_was_written_before_the_sound_was_is_not_believed() -> None:
    sound = bytearray(wav(6))
    sound[4:8] = sound[40:44] = struct.pack("<I", 0xFFFFFFFF)
    assert carried(bytes(sound)).seconds == 6


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"RIFF",
        wav(1)[:43],
        wav(0),
        wav(5)[:28] + bytes(4) + wav(5)[32:],  # no octets a second
        wav(1)[:28] + struct.pack("<I", 1) + wav(1)[32:40] + struct.pack("<I", 2**31) + bytes(100_000),  # for days
        b"RIFF\0\0\0\0WAVE" + b"LIST\0\0\0\0" * 10_000,
        b"RIFF\0\0\0\0WAVE" + b"LIST\xff\xff\xff\xff" + bytes(5000),
        b"#!AMR\n",
        b"#!AMR\n\x4c\x4c",  # a type that is none
        b"#!AMR\n" + b"\x7c" * 100_000,
        b"#!AMR\n" + b"\x7c" * (5 * 2**20),
    ],
)
def test_what_says_nothing_believable_says_nothing(octets: bytes) -> None:
    attachment = carried(octets)
    assert attachment.kind is AttachmentKind.VOICE
    assert attachment.seconds == 0


@pytest.mark.parametrize(
    ("said", "seconds"), [("33", 33), (" 7 ", 7), ("0", 0), ("-1", 0), ("a", 0), ("²", 0), ("999999", 0), ("9" * 99, 0)]
)
def test_where_the_sound_does_not_tell_the_mail_may(said: str, seconds: int) -> None:
    assert carried(b"ID3", "audio/mpeg", "message.mp3", said).seconds == seconds
    assert carried(wav(2), said=said).seconds == 2


def test_only_sounds_have_a_length() -> None:
    assert carried(wav(2), "application/pdf", "message.pdf", "33").seconds == 0


def test_a_sound_in_any_encoding_says_how_long_it_lasts() -> None:
    head = b"Content-Type: audio/wav; name=a.wav\nContent-Disposition: attachment\nContent-Transfer-Encoding: "
    for encoding, octets in (("base64", base64.encodebytes(wav(2))), ("binary", wav(2))):
        (attachment,) = read_mail(head + encoding.encode() + b"\n\n" + octets).attachments
        assert attachment.seconds == 2
