"""Replies without what they quote, in the words of the labelled cases of kind `reply_trim`."""

from __future__ import annotations

from typing import Any

from channels.mail.html import html_to_text
from channels.mail.parse import read_mail
from channels.mail.quotes import fresh_spans, fresh_words


def predict(case: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """The prediction for one case: of a text, of a page, or of a whole mail."""
    whole = case["format"] == "eml"
    text = read_mail(raw).text if whole else raw.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    if case["format"] == "html":
        text, _ = html_to_text(text)
    spans = fresh_spans(text, with_signature=case.get("signature") == "kept")
    return {"reply": fresh_words(text, spans)}
