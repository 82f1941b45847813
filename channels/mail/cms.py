"""What a signed S/MIME mail says (RFC 5652): its content, cut out of the signature, which is not checked."""

from __future__ import annotations

from typing import NamedTuple

_SIGNED = bytes.fromhex("2a864886f70d010702")
_ENVELOPED = bytes.fromhex("2a864886f70d010703")
_AUTH_ENVELOPED = bytes.fromhex("2a864886f70d0109100117")
_COMPRESSED = bytes.fromhex("2a864886f70d0109100109")
DEEPEST = 20
MOST_PIECES = 100_000


class Cms(NamedTuple):
    """What a pkcs7-mime body is."""

    kind: str
    """`signed`, `enveloped`, `compressed`; "" for anything else."""
    content: bytes = b""
    """Of a signed one: what was signed, where it is inside."""


class _Value(NamedTuple):
    tag: int
    start: int
    end: int
    """-1: it ends where its content says so (BER's indefinite length)."""


class _Broken(Exception):
    """It is no DER, or BER of a kind nobody writes."""


def read_cms(octets: bytes) -> Cms:
    """What these octets are. Never raises, on anything."""
    try:
        return _read(octets)
    except (_Broken, IndexError):
        return Cms("")


def _read(octets: bytes) -> Cms:
    outer = _value(octets, 0)
    kind = _value(octets, outer.start)
    if outer.tag != 0x30 or kind.tag != 0x06:
        return Cms("")
    oid = octets[kind.start : kind.end]
    if oid in (_ENVELOPED, _AUTH_ENVELOPED):
        return Cms("enveloped")
    if oid == _COMPRESSED:
        return Cms("compressed")
    if oid != _SIGNED:
        return Cms("")
    signed = _value(octets, _value(octets, kind.end).start)  # [0] SignedData
    version = _value(octets, signed.start)
    digests = _value(octets, version.end)
    inner = _value(octets, _end(octets, digests, 0))
    inner_kind = _value(octets, inner.start)
    if inner_kind.end >= (inner.end if inner.end >= 0 else len(octets)):
        return Cms("signed")
    holder = _value(octets, inner_kind.end)
    if holder.tag != 0xA0:
        return Cms("signed")
    return Cms("signed", b"".join(_strings(octets, _value(octets, holder.start))))


def _value(octets: bytes, at: int) -> _Value:
    tag, length = octets[at], octets[at + 1]
    if tag & 31 == 31:
        raise _Broken
    start = at + 2
    if length == 0x80:
        return _Value(tag, start, -1)
    if length > 0x80:
        count = length & 0x7F
        if count > 5:
            raise _Broken
        length = int.from_bytes(octets[start : start + count], "big")
        start += count
    # What is cut off is read as far as it goes.
    return _Value(tag, start, min(start + length, len(octets)))


def _end(octets: bytes, value: _Value, depth: int) -> int:
    """Where a value ends, its end mark included."""
    if value.end >= 0:
        return value.end
    if depth > DEEPEST:
        raise _Broken
    at = value.start
    while octets[at : at + 2] != b"\0\0":
        at = _end(octets, _value(octets, at), depth + 1)
    return at + 2


def _strings(octets: bytes, value: _Value) -> list[bytes]:
    """The octet strings a content is made of, one or many (X.690 §8.7)."""
    if value.tag == 0x04 and value.end >= 0:
        return [octets[value.start : value.end]]
    if value.tag != 0x24:
        raise _Broken
    pieces: list[bytes] = []
    at = value.start
    stop = value.end if value.end >= 0 else len(octets)
    while at + 2 <= stop and octets[at : at + 2] != b"\0\0" and len(pieces) < MOST_PIECES:
        piece = _value(octets, at)
        if piece.tag != 0x04 or piece.end < 0:
            break
        pieces.append(octets[piece.start : piece.end])
        at = piece.end
    return pieces
