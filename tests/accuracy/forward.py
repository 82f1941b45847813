"""Forwarded mails, in the words of the labelled cases of kind `forward`."""

from __future__ import annotations

from typing import Any

from channels.mail.forwards import bare_forward_subject, find_forward


def predict(case: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """The prediction for one case."""
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
