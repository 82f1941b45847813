"""Who answers and where clients write, as a supervisor sees it. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiogram.utils.formatting import Bold, Text

from handlers import callbacks
from handlers.legible import one_line, person
from handlers.views import Screen, Voice, screen_of
from inbox.approval import is_reviewed
from inbox.assignment import is_supervisor
from inbox.model import Account, Presence, Secretary

ON_A_PAGE = 10


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who answers, and whether she is there."""

    secretary: Secretary
    presence: Presence | None


@dataclass(frozen=True, slots=True)
class TeamFacts:
    """All the screen shows."""

    members: Sequence[Member]
    page: int
    count: int
    trial: timedelta


def team_screen(facts: TeamFacts, voice: Voice) -> Screen:
    """A page of them: their role, whether they are there, what they hold, and whose replies are read first."""
    content: list[Text | str] = [Bold(voice.say("team.title", count=str(facts.count))), "\n", voice.say("team.how")]
    rows = []
    for each in facts.members:
        content += ["\n", _line(each, facts, voice)]
        if is_supervisor(each.secretary):
            continue
        on = not is_reviewed(each.secretary, facts.trial, voice.now)
        label = voice.say("button.review" if on else "button.no_review", name=person(each.secretary.name, 30))
        review = callbacks.Review(secretary=each.secretary.id, on=on, page=facts.page)
        rows.append([callbacks.button(label, review)])
    turns = [callbacks.button("◀", callbacks.Team(page=facts.page - 1))] if facts.page > 0 else []
    if (facts.page + 1) * ON_A_PAGE < facts.count:
        turns.append(callbacks.button("▶", callbacks.Team(page=facts.page + 1)))
    return screen_of(Text(*content), [*rows, turns])


LINKS_A_PAGE = 20


def links_screen(accounts: Sequence[Account], links: Sequence[str], page: int, count: int, voice: Voice) -> Screen:
    """By which link clients reach each account."""
    content: list[Text | str] = [Bold(f"🔗 {voice.say('team.links')}")]
    for account, link in zip(accounts, links, strict=True):
        content += ["\n\n", Bold(one_line(account.name, 60)), f"\n{link}"]
    turns = [callbacks.button("◀", callbacks.Links(page=page - 1))] if page > 0 else []
    if (page + 1) * LINKS_A_PAGE < count:
        turns.append(callbacks.button("▶", callbacks.Links(page=page + 1)))
    return screen_of(Text(*content), [turns])


def _line(member: Member, facts: TeamFacts, voice: Voice) -> str:
    secretary, presence = member.secretary, member.presence
    is_there = presence is not None and presence.on_duty
    line = f"{'🟢' if is_there else '⚪'} {person(secretary.name, 60)} · {voice.say(f'role.{secretary.role}')}"
    if presence is not None and presence.open_count:
        line += f" · {voice.say('team.holds', count=str(presence.open_count))}"
    if is_reviewed(secretary, facts.trial, voice.now):
        line += f" · 🖋 {voice.say('team.reviewed')}"
    return line
