"""What was answered in an account's name, for whom it belongs to. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Sequence

from aiogram.utils.formatting import BlockQuote, Bold, Text

from handlers import callbacks
from handlers.legible import legible, one_line, person, shortened
from handlers.views import Screen, Voice, screen_of
from inbox.answered import ON_A_PAGE, Answer
from inbox.parts import Button

LONGEST = 600
"""Units of one reply."""


def answers_screen(answers: Sequence[Answer], page: int, voice: Voice) -> Screen:
    """A page of replies, the newest first; nobody of the desk is named."""
    content: list[Text | str] = [Bold(f"📤 {voice.say('answered.title')}")]
    start = page * ON_A_PAGE
    shown = answers[start : start + ON_A_PAGE]
    if not shown:
        content += ["\n", voice.say("answered.none")]
    for each in shown:
        when, who = voice.when(each.message.created_at), person(each.contact, 60) or "?"
        content += ["\n\n", Bold(f"{when} · {who}"), f" · {one_line(each.conversation.subject, 80)}\n"]
        words = shortened(legible(each.message.text), LONGEST) or ", ".join(a.name for a in each.message.attachments)
        content.append(BlockQuote(words or "…"))
    turns = [_turn("◀", page - 1)] if page > 0 else []
    turns += [_turn("▶", page + 1)] if len(answers) > start + ON_A_PAGE else []
    return screen_of(Text(*content), [turns])


def _turn(label: str, page: int) -> Button:
    return Button(text=label, data=callbacks.Answered(page=page).pack())
