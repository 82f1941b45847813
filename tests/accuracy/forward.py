"""Forwarded mails, in the words of the labelled cases of kind `forward`."""

from __future__ import annotations

from typing import Any

from channels.mail.forwards import bare_forward_subject, find_forward
from channels.mail.parse import read_mail
from inbox.particulars import fresh_part


def predict(case: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """The prediction for one case: of a text, or of a whole mail."""
    if case["format"] == "eml":
        return _of_mail(raw)
    found = find_forward(case["subject"], raw.decode("utf-8", "replace").replace("\r\n", "\n"))
    if found is None:
        return {"forwarded": False}
    forward = found.forward
    return {
        "forwarded": True,
        "from_address": forward.address or None,
        "from_name": forward.name or None,
        "subject": forward.subject or bare_forward_subject(case["subject"] or ""),
        "date": "present" if found.date else None,
        "body": forward.text,
        "message": found.words or None,
    }


def _of_mail(raw: bytes) -> dict[str, Any]:
    envelope = read_mail(raw)
    particulars = envelope.particulars
    if not particulars.forwards:
        return {"forwarded": False}
    forward = particulars.forwards[0]
    whole = bool(forward.path)
    words = envelope.text if whole and not particulars.fresh else fresh_part(envelope.text, particulars.fresh)
    return {
        "forwarded": True,
        "from_address": forward.address or None,
        "from_name": forward.name or None,
        "subject": forward.subject or bare_forward_subject(envelope.subject),
        "date": "present" if forward.written_at or not whole else None,
        "body": forward.text,
        "message": words.strip() or None,
    }
