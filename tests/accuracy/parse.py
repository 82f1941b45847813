"""What the reader says of a mail, in the words of the labelled cases of kind `parse`."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from channels.mail.headers import tidy
from channels.mail.parse import read_mail
from channels.mail.parts import Part, Tree, decode_part
from channels.mail.words import Text

# RFC 5322 §3.2.4: in a quoted string a backslash only keeps what follows it. The desk, which must save what
# Windows calls C:\devis.doc, keeps the backslash and makes a safe name of it; an answer has the letter's name.
_KEPT = re.compile(r"\\(.)", re.S)
# Where a picture stands among the words is no word of its author's.
_PICTURES = re.compile(r"\[🖼 [^\]\n]{0,200}\]")


def predict(case: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """The prediction for one case."""
    envelope = read_mail(raw)
    files = _files(raw)
    named = {part.path: _name(part) for part, _ in files}
    return {
        "subject": envelope.subject,
        "from_email": envelope.sender.value,
        "from_name": envelope.sender.name,
        "body": _PICTURES.sub("", envelope.text),
        "attachment_names": [named.get(file.path) or file.name for file in envelope.attachments],
        "attachment_files": [
            {"name": _name(part), "size": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
            for part, octets in files
        ],
    }


def _files(raw: bytes) -> list[tuple[Part, bytes]]:
    raw = raw if b"\n" in raw else raw.replace(b"\r", b"\n")
    tree = Tree(raw)
    return [(part, decode_part(raw, part)) for part in Text(tree).files]


def _name(part: Part) -> str:
    return tidy(_KEPT.sub(r"\1", part.file_name), 1000)
