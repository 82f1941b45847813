"""Automatic mail: a machine's or a person's."""

from __future__ import annotations

from typing import Any

from channels.mail.parse import read_mail


def predict(case: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """What the reader makes of one labelled mail."""
    return {"label": "human" if read_mail(raw).particulars.automatic is None else "auto"}
