"""A reply leaves set as it was written, by mail and by Telegram, and its preview shows it so."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

from handlers.callbacks import Release, Send
from tests.handlers.stage import Seat, Seen, Stage


def over(text: str, words: str, kind: str, **more: Any) -> dict[str, Any]:
    offset = len(text[: text.index(words)].encode("utf-16-le")) // 2
    return {"type": kind, "offset": offset, "length": len(words.encode("utf-16-le")) // 2, **more}


def set_in(message: Seen, kind: str) -> list[str]:
    """The words of a message that are set so."""
    encoded = str(message["text"]).encode("utf-16-le")
    return [
        encoded[e["offset"] * 2 : (e["offset"] + e["length"]) * 2].decode("utf-16-le")
        for e in message.get("entities") or []
        if e["type"] == kind
    ]


async def written(seat: Seat, text: str, *styles: dict[str, Any]) -> Seen:
    card = await seat.sees("Rendez-vous", kind=Release)
    seat.user.send_text(text, entities=list(styles), reply_to=card["message_id"])
    return await seat.sees("Aperçu", text[:10], kind=Send)


async def test_a_letter_is_set_as_its_preview_shows_it(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    text = "😀 Oui, jeudi à 9 h. Voici le plan."
    preview = await written(
        lea, text, over(text, "jeudi", "bold"), over(text, "le plan", "text_link", url="https://roux.example/plan")
    )
    assert "jeudi" in set_in(preview, "bold")
    assert set_in(preview, "text_link") == ["le plan"]
    await lea.presses(preview, Send)
    await stage.quiet()
    ((_, raw),) = stage.letters.sent
    letter = message_from_bytes(raw, policy=policy.default)
    html, plain = letter.get_body(("html",)), letter.get_body(("plain",))
    assert html is not None
    assert plain is not None
    assert "Oui, <b>jeudi</b> à 9 h." in html.get_content()
    assert '<a href="https://roux.example/plan">le plan</a>' in html.get_content()
    assert "Voici le plan (https://roux.example/plan)." in plain.get_content()


async def test_a_telegram_reply_is_set_as_she_set_it(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client()
    nora.user.start("roux")
    nora.writes("Puis-je venir ?")
    card = await lea.sees("Puis-je venir ?", kind=Release)
    text = "Oui, jeudi."
    lea.user.send_text(text, entities=[over(text, "jeudi", "bold")], reply_to=card["message_id"])
    preview = await lea.sees("Aperçu", kind=Send)
    # Words that come after keep what stood before them as it was set.
    lea.user.send_text("À bientôt", entities=[over("À bientôt", "bientôt", "italic")], reply_to=card["message_id"])
    preview = await lea.sees("Aperçu", "À bientôt", kind=Send)
    assert set_in(preview, "bold")[-1:] == ["jeudi"]
    await lea.presses(preview, Send)
    await stage.quiet()
    got = await nora.sees("Oui, jeudi.")
    assert set_in(got, "bold") == ["jeudi"]
    assert set_in(got, "italic") == ["bientôt"]


async def test_editing_her_message_sets_it_anew(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    text = "Oui, jeudi."
    card = await lea.sees("Rendez-vous", kind=Release)
    mine = lea.user.send_text(text, entities=[over(text, "jeudi", "bold")], reply_to=card["message_id"])
    await lea.sees("Aperçu", text, kind=Send)
    lea.user.edit_text(mine["message_id"], "Oui, vendredi.")
    preview = await lea.sees("Aperçu", "Oui, vendredi.", kind=Send)
    assert "vendredi" not in set_in(preview, "bold")
