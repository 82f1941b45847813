"""Signs mails as a sender's server does, so that tests can have any signature, good or bad."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Key = RSAPrivateKey | Ed25519PrivateKey
HEADERS = "from:to:subject:date:message-id"


def record(key: Key, *, more: str = "", form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    """What the signer publishes."""
    if isinstance(key, Ed25519PrivateKey):
        kind, octets = "ed25519", key.public_key().public_bytes_raw()
    else:
        kind, octets = "rsa", key.public_key().public_bytes(Encoding.DER, form)
    return f"v=DKIM1; k={kind};{more} p={b64encode(octets).decode()}".encode()


def signed(
    mail: bytes,
    key: Key,
    *,
    domain: str = "client.example",
    selector: str = "s1",
    headers: str = HEADERS,
    relaxed: bool = True,
    more: str = "",
    length: int | None = None,
    algorithm: str = "",
) -> bytes:
    """The mail with a signature above it. `more` is put among its tags as it is."""
    head, _, body = mail.partition(b"\r\n\r\n")
    lines = [line + b"\r\n" for line in re.split(rb"\r\n(?![ \t])", head)]
    text = _body(body, relaxed)
    text = text if length is None else text[:length]
    digest = b64encode(sha256(text).digest()).decode()
    kind = algorithm or ("ed25519-sha256" if isinstance(key, Ed25519PrivateKey) else "rsa-sha256")
    form = "relaxed" if relaxed else "simple"
    limit = "" if length is None else f" l={length};"
    field = (
        f"DKIM-Signature: v=1; a={kind}; c={form}/{form};{more}{limit}\r\n d={domain}; s={selector};\r\n"
        f"\th={headers};\r\n bh={digest};\r\n b="
    ).encode()
    octets = b"".join(_field(line, relaxed) for line in _chosen(lines, headers))
    octets += _field(field + b"\r\n", relaxed).removesuffix(b"\r\n")
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(sha256(octets).digest())
    else:
        signature = key.sign(octets, PKCS1v15(), SHA256())
    return field + b64encode(signature) + b"\r\n" + mail


def _chosen(lines: list[bytes], headers: str) -> list[bytes]:
    left, chosen = list(lines), []
    for name in headers.split(":"):
        for line in reversed(left):
            if line.lower().startswith(name.strip().lower().encode() + b":"):
                chosen.append(line)
                left.remove(line)
                break
    return chosen


def _field(line: bytes, relaxed: bool) -> bytes:
    if not relaxed:
        return line
    name, _, value = line.partition(b":")
    return name.lower().strip() + b":" + b" ".join(value.split()) + b"\r\n"


def _body(body: bytes, relaxed: bool) -> bytes:
    lines = body.split(b"\r\n")
    if relaxed:
        lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    text = b"".join(line + b"\r\n" for line in lines)
    return text or (b"" if relaxed else b"\r\n")
