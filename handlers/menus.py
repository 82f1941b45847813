"""What more can be done with a conversation: the menus under a card, and its history. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from handlers import callbacks
from handlers.legible import one_line, person
from inbox.assignment import is_supervisor
from inbox.errors import NotFound
from inbox.model import Conversation, Direction, Event, Priority, Status
from inbox.moments import read_moment
from inbox.notices import Purpose
from inbox.parts import UNSORTED, Button

if TYPE_CHECKING:
    from handlers.views import CardFacts, Voice

MORE, LATER, GIVE, PRIORITY, TEMPLATES = "more", "later", "give", "prio", "tpl"
GATHER, SPLIT, MOVE = "gather", "split", "move"
MOST_OFFERED = 8
MOMENTS = {
    "hour": "dans 1 heure",
    "evening": "ce soir",
    "morning": "demain 9h",
    "monday": "lundi 9h",
    "week": "dans 1 semaine",
}
"""What the buttons of `LATER` mean, in words of `inbox.moments`."""


def usual_moment(until: str, now: datetime) -> datetime:
    """The moment one of those buttons means.

    Raises:
        NotFound: there is no such button.
    """
    moment = read_moment(MOMENTS[until], now) if until in MOMENTS else None
    if moment is None:
        raise NotFound
    return moment


MOST_COLLEAGUES = 20
PRIORITY_MARKS = {Priority.URGENT: "🔴", Priority.NORMAL: "", Priority.LATER: "🔵"}


def menu_rows(facts: CardFacts, voice: Voice) -> list[list[Button]]:
    """The buttons of the menu that is open under a card."""
    target = facts.conversation.id
    back = [callbacks.button(f"◀ {voice.say('button.back')}", callbacks.Menu(conversation=target, page=""))]
    match facts.menu:
        case "later":
            return [*_moments(target, voice), back]
        case "give":
            return [*_colleagues(facts), back]
        case "tpl":
            return [*_templates(facts), back]
        case "gather":
            return [*_mergeable(facts, voice), back]
        case "split":
            return [*_separable(facts, voice), back]
        case "move":
            return [*_places(facts), back]
        case "prio":
            return [_priorities(facts, voice), back]
        case _:
            return [*_more(facts, voice), back]


def _more(facts: CardFacts, voice: Voice) -> list[list[Button]]:
    conversation, say = facts.conversation, voice.say
    target, is_open = conversation.id, conversation.status is not Status.CLOSED
    mine = facts.holder is not None and facts.holder.id == facts.viewer.id
    has_a_say = is_open and (mine or (is_supervisor(facts.viewer) and facts.holder is not None))
    rows = [
        [
            callbacks.button(say("button.note"), callbacks.Ask(conversation=target, purpose=Purpose.NOTE)),
            callbacks.button(say("button.tags"), callbacks.Ask(conversation=target, purpose=Purpose.TAGS)),
        ]
    ]
    if mine and is_open:
        rows[0].append(callbacks.button(say("button.templates"), callbacks.Menu(conversation=target, page=TEMPLATES)))
    if is_open and (has_a_say or is_supervisor(facts.viewer)):
        rows.append([callbacks.button(say("button.give"), callbacks.Menu(conversation=target, page=GIVE))])
    if has_a_say:
        rows[-1].append(callbacks.button(say("button.later"), callbacks.Menu(conversation=target, page=LATER)))
    last = [
        callbacks.button(say("button.contact"), callbacks.Person(conversation=target)),
        callbacks.button(say("button.history"), callbacks.History(conversation=target)),
    ]
    if is_open:
        last.insert(0, callbacks.button(say("button.priority"), callbacks.Menu(conversation=target, page=PRIORITY)))
    third = []
    if conversation.merged_into is None:
        third.append(callbacks.button(say("button.merge"), callbacks.Menu(conversation=target, page=GATHER)))
        if conversation.chat_id is None and conversation.inbound_count > 1:
            third.append(callbacks.button(say("button.split"), callbacks.Menu(conversation=target, page=SPLIT)))
        if is_supervisor(facts.viewer) and is_open and conversation.account_id != UNSORTED:
            third.append(callbacks.button(say("button.move"), callbacks.Menu(conversation=target, page=MOVE)))
    return [*rows, last, third]


def _mergeable(facts: CardFacts, voice: Voice) -> list[list[Button]]:
    target = facts.conversation.id
    rows = [
        [
            callbacks.button(
                f"{'✔️ ' if each.status is Status.CLOSED else ''}#{each.number} · {person(each.subject, 40)}",
                callbacks.Merge(conversation=target, number=each.number),
            )
        ]
        for each in facts.mergeable[:MOST_OFFERED]
    ]
    return [
        *rows,
        [callbacks.button(voice.say("button.merge_other"), callbacks.Ask(conversation=target, purpose=Purpose.MERGE))],
    ]


def _separable(facts: CardFacts, voice: Voice) -> list[list[Button]]:
    inbound = [m for m in facts.messages if m.direction is Direction.INBOUND]
    return [
        [
            callbacks.button(
                f"{voice.when(message.created_at)} · {person(message.text or message.subject, 40)}",
                callbacks.Split(message=message.id, number=facts.conversation.number),
            )
        ]
        for message in reversed(inbound[-MOST_OFFERED:])
    ]


def _places(facts: CardFacts) -> list[list[Button]]:
    said = callbacks.check([account.id for account in facts.places])
    return [
        [
            callbacks.button(
                one_line(account.name, 50),
                callbacks.MoveTo(conversation=facts.conversation.id, position=position, check=said),
            )
        ]
        for position, account in enumerate(facts.places[:MOST_PLACES])
    ]


MOST_PLACES = 90
"""Telegram shows at most a hundred buttons under a message."""


def _moments(target: str, voice: Voice) -> list[list[Button]]:
    buttons = [
        callbacks.button(voice.say(f"moment.{until}"), callbacks.Later(conversation=target, until=until))
        for until in MOMENTS
    ]
    asked = callbacks.button(
        voice.say("button.later_asked"), callbacks.Ask(conversation=target, purpose=Purpose.SNOOZE)
    )
    return [buttons[:2], buttons[2:4], [buttons[4], asked]]


def _colleagues(facts: CardFacts) -> list[list[Button]]:
    said = callbacks.check([each.id for each in facts.receivers])
    return [
        [
            callbacks.button(
                person(each.name, 40) or "?",
                callbacks.Give(conversation=facts.conversation.id, position=position, check=said),
            )
        ]
        for position, each in enumerate(facts.receivers[:MOST_COLLEAGUES])
    ]


def _templates(facts: CardFacts) -> list[list[Button]]:
    said = callbacks.check([each.id for each in facts.templates])
    buttons = [
        callbacks.button(
            one_line(each.name, 30),
            callbacks.UseTemplate(conversation=facts.conversation.id, position=position, check=said),
        )
        for position, each in enumerate(facts.templates)
    ]
    return [buttons[at : at + 2] for at in range(0, len(buttons), 2)]


def _priorities(facts: CardFacts, voice: Voice) -> list[Button]:
    conversation = facts.conversation
    return [
        callbacks.button(
            f"{'✓ ' if conversation.priority is priority else ''}{voice.say(f'priority.{priority.name.lower()}')}",
            callbacks.Prioritise(conversation=conversation.id, level=priority.value),
        )
        for priority in Priority
    ]


# ---------------------------------------------------------------- marks, history


def marks(conversation: Conversation, voice: Voice) -> str:
    """A line of its priority and tags; "" where it has neither."""
    said = []
    if conversation.priority is not Priority.NORMAL:
        named = voice.say(f"priority.{conversation.priority.name.lower()}")
        said.append(f"{PRIORITY_MARKS[conversation.priority]} {named}")
    said += [f"#{one_line(tag.replace(' ', '_'), 40)}" for tag in conversation.tags]
    return " · ".join(said)


def event_line(event: Event, people: Mapping[str, str], voice: Voice) -> str:
    """One line of history, without its moment.

    Args:
        people: the names of those of the desk who are named in it, by id.
    """
    said = dict(event.detail)
    because = said.pop("because", "")
    if because:
        said = {"why": voice.say(because, **said)}
    if until := said.get("until"):
        said["until"] = voice.when(datetime.fromisoformat(until))
    if level := said.get("level"):
        said["level"] = voice.say(f"priority.{level}")
    said["name"] = people.get(event.actor, "") or person(event.actor_name, 60) or "?"
    return voice.say(f"event.{event.kind}", **said)
