"""DKIM, checked by us: who signed a mail, and whether it is still what they signed (RFC 6376, 8301, 8463).

Pure but for the look-up of keys, which the caller gives. Costs time in
proportion to the mail, and a few signatures at most are looked at.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from channels.mail.fields import RawField, RawHead, read_fields, with_crlf
from inbox.domains import in_ascii

MOST_SIGNATURES = 4
LARGEST_BODY = 64 * 2**20
LONGEST_SIGNATURE = 16 * 1024
LONGEST_KEY = 8 * 1024
PIECE = 2**20

FindKey = Callable[[str], bytes | None]
"""The TXT record at a name, its strings joined; None: there is none. Raises KeyUnavailable."""


class KeyUnavailable(Exception):
    """Nobody can say now what stands at a name."""


class Checked(NamedTuple):
    """One signature, and what it is worth. `result` is RFC 8601 §2.7.1's word."""

    domain: str
    """Who signed, in ASCII."""
    result: str
    why: str = ""


class _Unfit(Exception):
    """A signature that says nothing: its result, and why."""

    def __init__(self, result: str, why: str) -> None:
        super().__init__(why)
        self.result = result
        self.why = why


def check(
    raw: bytes, find_key: FindKey, now: float, *, only: Callable[[str], bool] = lambda domain: True
) -> list[Checked]:
    """What each DKIM signature of a mail is worth, the first few from the top.

    Args:
        now: seconds since 1970; a signature that expired before says nothing any more.
        only: which signers are of interest; no key of any other is looked up.
    """
    head = read_fields(raw)
    bodies = _Bodies(raw, head.body)
    checked: list[Checked] = []
    for field in head.named("dkim-signature"):
        if len(checked) == MOST_SIGNATURES:
            break
        domain = ""
        try:
            tags = _tags(field.value)
            domain = in_ascii(_text(tags.get("d", b"")))
            if not domain or not only(domain):
                continue
            _check_one(field, tags, domain, head, bodies, find_key, now)
        except _Unfit as unfit:
            checked.append(Checked(domain, unfit.result, unfit.why))
        except KeyUnavailable as failure:
            checked.append(Checked(domain, "temperror", str(failure)))
        else:
            checked.append(Checked(domain, "pass"))
    return checked


# ---------------------------------------------------------------- one signature


def _check_one(
    field: RawField,
    tags: Mapping[str, bytes],
    domain: str,
    head: RawHead,
    bodies: _Bodies,
    find_key: FindKey,
    now: float,
) -> None:
    """Return where the signature holds.

    Raises:
        _Unfit: it does not.
        KeyUnavailable: its key cannot be had now.
    """
    if not head.whole:
        raise _Unfit("neutral", "its header cannot be read whole")
    if tags.get("v") != b"1":
        raise _Unfit("permerror", "version")
    algorithm = _text(tags.get("a", b"")).lower()
    if algorithm == "rsa-sha1":
        raise _Unfit("policy", "SHA-1")  # RFC 8301 §3.1: verifiers MUST NOT
    if algorithm not in ("rsa-sha256", "ed25519-sha256"):
        raise _Unfit("permerror", "algorithm")
    selector = in_ascii(_text(tags.get("s", b"")))
    signature, wanted = _base64(tags.get("b", b"")), _base64(tags.get("bh", b""))
    if not selector or not signature or not wanted:
        raise _Unfit("permerror", "a tag is missing")
    identity = in_ascii(_text(tags["i"]).rpartition("@")[2]) if "i" in tags else domain
    if identity != domain and not identity.endswith("." + domain):
        raise _Unfit("permerror", "i= is not under d=")
    signed = [name.strip().lower() for name in _text(tags.get("h", b"")).split(":")]
    if "from" not in signed:
        raise _Unfit("permerror", "From is not signed")
    if b"dns/txt" not in tags.get("q", b"dns/txt"):
        raise _Unfit("permerror", "query")
    _require_in_time(tags, now)
    of_header, of_body = _canonicalisations(tags)
    _require_alone(head, signed)
    # The body first: it costs no look-up.
    length = _number(tags, "l")
    digest, size = bodies.digest(of_body, length)
    if length is not None and length > size:
        raise _Unfit("permerror", "l= is more than there is")
    if digest != wanted:
        raise _Unfit("fail", "body")
    key = _key(find_key(f"{selector}._domainkey.{domain}"), algorithm, strict=identity != domain)
    _require_signature(key, signature, _signed_octets(field, signed, head, of_header))
    if length is not None and length < size:
        # RFC 6376 §8.2: anybody may have added what follows.
        raise _Unfit("policy", "only part of the body is signed")


def _require_in_time(tags: Mapping[str, bytes], now: float) -> None:
    signed_at, expires_at = _number(tags, "t"), _number(tags, "x")
    if expires_at is None:
        return
    if signed_at is not None and expires_at < signed_at:
        raise _Unfit("permerror", "it expired before it was made")
    if expires_at < now:
        raise _Unfit("neutral", "expired")


# What a mail has once (RFC 5322 §3.6), and a reader shows of what stands there first.
_SINGLE = frozenset(
    ("from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "mime-version", "content-type",
     "content-transfer-encoding", "in-reply-to", "references")
)  # fmt: skip


def _require_alone(head: RawHead, signed: list[str]) -> None:
    """Hold that no unsigned field stands beside a signed one in its place (RFC 6376 §8.15)."""
    counts: dict[str, int] = {}
    for field in head.fields:
        counts[field.name] = counts.get(field.name, 0) + 1
    for name in _SINGLE.intersection(signed):
        if counts.get(name, 0) > 1 and counts[name] > signed.count(name):
            raise _Unfit("policy", f"another {name} beside the signed one")


_BLANKS = re.compile(rb"[ \t\r\n]+")
_SIGNATURE_TAG = re.compile(rb"((?:^|;)[ \t\r\n]*+b[ \t\r\n]*+=)[^;]*")


def _signed_octets(field: RawField, signed: list[str], head: RawHead, relaxed: bool) -> bytes:
    """RFC 6376 §3.7: the header fields h= names, the lowest first of each name, then the signature without b=."""
    left: dict[str, list[bytes]] = {}
    for one in head.fields:
        left.setdefault(one.name, []).append(one.octets)
    pieces = []
    for name in signed:
        standing = left.get(name)
        if standing:  # RFC 6376 §5.4: what is signed and not there counts as nothing
            pieces.append(_canonical(standing.pop(), relaxed))
    own_name, _, value = field.octets.partition(b":")
    bare = own_name + b":" + _SIGNATURE_TAG.sub(rb"\1", value, count=1)
    return b"".join(pieces) + _canonical(bare, relaxed).removesuffix(b"\r\n")


def _canonical(octets: bytes, relaxed: bool) -> bytes:
    if not relaxed:
        return octets
    name, _, value = octets.partition(b":")
    return name.strip().lower() + b":" + _BLANKS.sub(b" ", value).strip(b" ") + b"\r\n"


def _require_signature(key: RSAPublicKey | Ed25519PublicKey, signature: bytes, octets: bytes) -> None:
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature, octets, PKCS1v15(), SHA256())
        else:
            key.verify(signature, sha256(octets).digest())  # RFC 8463 §3: the hash is what is signed
    except InvalidSignature as error:
        raise _Unfit("fail", "signature") from error


# ---------------------------------------------------------------- tags


_TAG = re.compile(rb"[ \t\r\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=(.*)", re.S)


def _tags(value: bytes) -> dict[str, bytes]:
    """RFC 6376 §3.2. A tag that comes twice makes all of it nothing."""
    if len(value) > LONGEST_SIGNATURE:
        raise _Unfit("permerror", "too long")
    tags: dict[str, bytes] = {}
    for part in value.split(b";"):
        if not part.strip():
            continue
        found = _TAG.fullmatch(part)
        if found is None or (name := found[1].decode()) in tags:
            raise _Unfit("permerror", "it is no list of tags")
        tags[name] = found[2].strip()
    return tags


def _text(value: bytes) -> str:
    return _BLANKS.sub(b"", value).decode("utf-8", "replace")


def _base64(value: bytes) -> bytes:
    try:
        return b64decode(_BLANKS.sub(b"", value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _Unfit("permerror", "base64") from error


def _number(tags: Mapping[str, bytes], name: str) -> int | None:
    if name not in tags:
        return None
    digits = tags[name]
    if not digits.isdigit() or len(digits) > 76:
        raise _Unfit("permerror", f"{name}= is no number")
    return int(digits)


def _canonicalisations(tags: Mapping[str, bytes]) -> tuple[bool, bool]:
    """Whether header and body are taken relaxed (RFC 6376 §3.5, c=)."""
    header, _, body = _text(tags.get("c", b"simple/simple")).lower().partition("/")
    body = body or "simple"
    if header not in ("simple", "relaxed") or body not in ("simple", "relaxed"):
        raise _Unfit("permerror", "canonicalisation")
    return header == "relaxed", body == "relaxed"


# ---------------------------------------------------------------- keys


def _key(record: bytes | None, algorithm: str, *, strict: bool) -> RSAPublicKey | Ed25519PublicKey:
    """The public key of a record (RFC 6376 §3.6.1).

    Args:
        strict: the signature speaks for a domain under the signer's, which the record may forbid.
    """
    if record is None:
        raise _Unfit("permerror", "no key")
    if len(record) > LONGEST_KEY:
        raise _Unfit("permerror", "key too long")
    tags = _tags(record)
    wanted = algorithm.partition("-")[0]
    if tags.get("v", b"DKIM1") != b"DKIM1" or _text(tags.get("k", b"rsa")).lower() != wanted:
        raise _Unfit("permerror", "another kind of key")
    if "h" in tags and "sha256" not in _words(tags["h"]):
        raise _Unfit("permerror", "not for SHA-256")
    if not _words(tags.get("s", b"*")) & {"*", "email"}:
        raise _Unfit("permerror", "not for mail")
    flags = _words(tags.get("t", b""))
    if "s" in flags and strict:
        raise _Unfit("permerror", "i= must be d=")
    octets = _base64(tags.get("p", b""))
    if not octets:
        raise _Unfit("permerror", "revoked")
    key = _loaded(octets, wanted)
    if "y" in flags:
        raise _Unfit("neutral", "its signer only tries it out")
    if isinstance(key, RSAPublicKey) and not 1024 <= key.key_size <= 8192:
        raise _Unfit("policy", "key size")  # RFC 8301 §3.2: under 1024 bits MUST NOT; over 8192 it only costs time
    return key


def _loaded(octets: bytes, kind: str) -> RSAPublicKey | Ed25519PublicKey:
    try:
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(octets)
        # Both of RFC 8017's RSAPublicKey and SubjectPublicKeyInfo are in use (RFC 6376, erratum 3017).
        key = load_der_public_key(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _Unfit("permerror", "no key") from error
    if not isinstance(key, RSAPublicKey):
        raise _Unfit("permerror", "another kind of key")
    return key


def _words(value: bytes) -> set[str]:
    return {word.strip().lower() for word in _text(value).split(":")}


# ---------------------------------------------------------------- bodies


class _Bodies:
    """The digests of one mail's body; each is made once, however many signatures ask."""

    def __init__(self, raw: bytes, start: int) -> None:
        self._raw = raw
        self._start = start
        self._known: dict[tuple[bool, int | None], tuple[bytes, int]] = {}

    def digest(self, relaxed: bool, length: int | None) -> tuple[bytes, int]:
        """The SHA-256 of the first `length` octets of the canonical body, and how long all of that is."""
        if len(self._raw) - self._start > LARGEST_BODY:
            raise _Unfit("neutral", "too large to look at")
        known = self._known.get((relaxed, length))
        if known is None:
            made, size = sha256(), 0
            for piece in _canonical_body(self._raw, self._start, relaxed):
                made.update(piece if length is None else piece[: max(0, length - size)])
                size += len(piece)
            known = self._known[relaxed, length] = made.digest(), size
        return known


_RUNS = re.compile(rb"[ \t]+")


def _canonical_body(raw: bytes, start: int, relaxed: bool) -> Iterator[bytes]:
    """RFC 6376 §3.4.3 and §3.4.4, piece by piece: no second copy of a large mail."""
    empty, something = 0, False  # empty lines count only when something follows them
    while start < len(raw):
        stop = raw.find(b"\n", min(len(raw), start + PIECE)) + 1 or len(raw)
        piece = with_crlf(raw[start:stop])
        start = stop
        if not piece.endswith(b"\r\n"):
            piece += b"\r\n"
        if relaxed:
            piece = _RUNS.sub(b" ", piece).replace(b" \r\n", b"\r\n")
        end = _end_of_words(piece)
        if end:
            yield b"\r\n" * empty + piece[:end]
            empty, something = 0, True
        empty += (len(piece) - end) // 2
    if not something and not relaxed:
        yield b"\r\n"  # §3.4.3: an empty body is one empty line, but for relaxed


def _end_of_words(piece: bytes) -> int:
    """Where the last line that is not empty ends, with its line end; 0 where all are."""
    bare = len(piece.rstrip(b"\r\n"))
    lone = piece.rfind(b"\r\r", bare)  # a CR that ends no line is something its line says
    if lone >= 0:
        return lone + 3
    return bare + 2 if bare else 0
