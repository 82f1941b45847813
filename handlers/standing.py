"""What a card says of what its account wants, and for which days. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aiogram.utils.formatting import Bold, Italic, Text

from handlers.legible import legible, shortened
from inbox.instructions import holds
from inbox.model import Account, Instruction, InstructionKind

if TYPE_CHECKING:
    from handlers.views import Voice

ON_A_CARD = 3
"""Instructions a card shows; a button shows the others."""
ON_A_LINE = 160
ICONS = {
    InstructionKind.WARNING: "⚠️",
    InstructionKind.ABSENCE: "🏖",
    InstructionKind.DO: "📌",
    InstructionKind.SAY: "🗣",
}


def card_lines(shown: Sequence[Instruction], account: Account, voice: Voice) -> list[Text | str]:
    """What a card says of what its account wants, a line each, the most pressing first."""
    lines: list[Text | str] = []
    for each in shown[:ON_A_CARD]:
        said = f"{ICONS[each.kind]} {shortened(legible(each.text), ON_A_LINE)}"
        line = said if holds(each, voice.now) else f"{voice.say('instruction.coming')} {said}"
        if until := _until(each, account, voice):
            line += f" — {until}"
        lines += ["\n", Bold(line) if each.kind is InstructionKind.WARNING else line]
    if (others := len(shown) - ON_A_CARD) > 0:
        lines += ["\n", Italic(voice.say("card.instructions", count=str(others)))]
    return lines


def _until(instruction: Instruction, account: Account, voice: Voice) -> str:
    """The days as a card says them: of what holds, only its end matters."""
    first, last = days(instruction, account)
    if holds(instruction, voice.now) and first != last:
        return voice.say("period.until", last=_said(last, voice)) if last is not None else ""
    return "" if first is None and last is None else period(instruction, account, voice)


def period(instruction: Instruction, account: Account, voice: Voice) -> str:
    """The days it holds, in words, by the account's clock."""
    first, last = days(instruction, account)
    if first is None:
        return voice.say("period.always") if last is None else voice.say("period.until", last=_said(last, voice))
    if last is None:
        return voice.say("period.since", first=_said(first, voice))
    if first == last:
        return _said(first, voice)
    return voice.say("period.range", first=_said(first, voice), last=_said(last, voice))


def days(instruction: Instruction, account: Account) -> tuple[date | None, date | None]:
    """Its first and last day by the account's clock."""
    zone = ZoneInfo(account.time_zone)
    first = instruction.begins_at.astimezone(zone).date() if instruction.begins_at is not None else None
    last = (
        (instruction.ends_at.astimezone(zone) - timedelta(seconds=1)).date()
        if instruction.ends_at is not None
        else None
    )
    return first, last


def _said(day: date, voice: Voice) -> str:
    return voice.texts.day(voice.language, day)
