"""Bounces: whose address failed, and whether for good."""

from __future__ import annotations

from typing import Any

from channels.mail.parse import read_mail
from inbox.particulars import FailureKind


def predict(case: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """What the reader makes of one labelled mail. A report that all arrived is no bounce."""
    bounce = read_mail(raw).particulars.bounce
    failures = [f for f in bounce.failures if f.kind is not FailureKind.DELIVERED] if bounce else []
    is_permanent = any(f.kind is FailureKind.PERMANENT for f in failures)
    return {
        "is_bounce": bool(failures),
        "recipients": [{"address": f.address, "status": f.code} for f in failures if f.address],
        "status": "permanent" if is_permanent else "temporary",
    }
