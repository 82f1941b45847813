"""Replies without what they quote, in the words of the labelled cases of kind `reply_trim`."""

from __future__ import annotations

from typing import Any

from channels.mail.html import html_to_text
from channels.mail.quotes import fresh_spans, fresh_words


def predict(case: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """The prediction for one case."""
    text = raw.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    if case["format"] == "html":
        text, _ = html_to_text(text)
    spans = fresh_spans(text, with_signature=case.get("signature") == "kept")
    return {"reply": fresh_words(text, spans)}
