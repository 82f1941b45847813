"""How long a sound lasts, where that can be told without decoding it."""

from __future__ import annotations

import struct

from channels.mail.headers import as_text, first
from channels.mail.parts import Part, decode_part

LONGEST = 24 * 3600
"""Seconds; what says more says nothing."""
MOST_HEAD = 4096
MOST_AMR = 4 * 2**20
"""Octets whose frames are counted: twenty minutes at the highest rate are fewer."""
MOST_FRAMES = 20 * 60 * 50
_FRAMES_A_SECOND = 50

# RFC 4867 §5.3: a frame begins with an octet that tells its type, and so its length (3GPP TS 26.101 and 26.201).
_AMR = (
    (b"#!AMR\n", (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)),
    (b"#!AMR-WB\n", (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)),
)


def seconds_of(raw: bytes, part: Part, size: int) -> int:
    """The seconds a sound of a mail lasts: by its own head or frames, else as its mail says; 0 where neither tells."""
    head = decode_part(raw, part, MOST_HEAD)
    if head.startswith(b"RIFF"):
        seconds = _of_wave(head, size)
    elif any(head.startswith(magic) for magic, _ in _AMR):
        seconds = _of_amr(decode_part(raw, part)) if size <= MOST_AMR else 0
    else:
        said = as_text(first(part.fields, "content-duration")).strip()  # RFC 3803 §2
        seconds = int(said) if said.isascii() and said.isdigit() and len(said) <= 6 else 0
    return max(1, round(seconds)) if 0 < seconds <= LONGEST else 0


def _of_wave(head: bytes, size: int) -> float:
    at, rate = 12, 0
    while at + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, at)
        at += 8
        if name == b"fmt " and at + 12 <= len(head):
            (rate,) = struct.unpack_from("<I", head, at + 8)  # octets a second, whatever the encoding
        if name == b"data":
            # What is written while it is recorded may promise any length.
            return min(length, max(size - at, 0)) / rate if rate else 0
        at += length + length % 2
    return 0


def _of_amr(octets: bytes) -> float:
    magic, lengths = next((magic, lengths) for magic, lengths in _AMR if octets.startswith(magic))
    at, frames = len(magic), 0
    while at < len(octets) and frames <= MOST_FRAMES:
        length = lengths[octets[at] >> 3 & 15]
        if not length:
            break
        at += length
        frames += 1
    return frames / _FRAMES_A_SECOND if frames <= MOST_FRAMES else 0
