"""A draft as its client will see it, what became of it, and what its author, or who approves it, can do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiogram.utils.formatting import BlockQuote, Bold, Italic, Text

from channels.base import Preview
from handlers import callbacks
from handlers.legible import (
    legible,
    one_line,
    person,
    shortened,
    units,
)
from handlers.menus import LATER, MOMENTS
from handlers.outcomes import delivery_state
from handlers.views import LONGEST, Screen, Voice, blocked_lines, file_lines, heard, screen_of
from inbox import styles
from inbox.model import Conversation, Delivery, Draft, DraftState, Message, Secretary
from inbox.notices import Purpose
from inbox.parts import Attachment, Button


@dataclass(frozen=True, slots=True)
class PreviewFacts:
    """All a preview shows."""

    draft: Draft
    conversation: Conversation
    preview: Preview
    unseen: Sequence[Message]
    """What the contact said after the draft's author last looked, oldest first."""
    unseen_count: int
    deliveries: Sequence[Delivery]
    undoable: bool
    to: Sequence[str] = ()
    """Whom it goes to by mail."""
    to_candidates: Sequence[str] = ()
    """Whom else it may be for."""
    copy_candidates: Sequence[str] = ()
    """Who may get a copy, those who do among them."""
    everyone: Sequence[str] = ()
    """Who gets one when all are answered."""
    awaited: Sequence[Attachment] = ()
    """Its files that are still being fetched."""
    automatic: Sequence[Message] = ()
    """What machines sent since the draft was begun, oldest first: to be known, not to be answered."""
    redirected_from: str = ""
    """The address of who wrote, where they had the reply led to another domain."""
    author: Secretary | None = None
    """Who wrote it, where that is not whoever it is shown to."""
    needs_approval: bool = False
    """It leaves only once a supervisor approved it."""
    received: Sequence[Message] = ()
    """The newest of what the contact said, oldest first: what whoever approves the draft reads it against."""
    approver: Secretary | None = None
    """Who approved it."""
    menu: str = ""
    """Which menu is open under it; "" for its own buttons."""
    blocked: bool = False
    """The contact refuses our messages: it cannot leave."""
    other_ways: Sequence[str] = ()
    """Where else the contact may be reached."""


def preview(facts: PreviewFacts, voice: Voice) -> Screen:
    """A draft exactly as the client will see it, and what became of it."""
    say, draft = voice.say, facts.draft
    head: list[Text | str] = [Bold(_preview_title(facts, voice))]
    if draft.returned is not None:
        head += ["\n", Bold(f"↩️ {say(draft.returned.key, **draft.returned.args)}")]
    if facts.blocked:
        head += blocked_lines(facts.other_ways, voice)
    if facts.author is not None and draft.asked_at is not None:
        head += ["\n", Italic(say("preview.to_approve"))]
        for message in facts.received[-2:]:
            head += heard(message, voice, 700)
    if draft.state is DraftState.OPEN and facts.unseen_count > 0:
        head += ["\n", Bold(say("preview.unseen", count=str(facts.unseen_count)))]
        for message in facts.unseen[-3:]:
            head += heard(message, voice, 500)
    for message in facts.automatic[-2:]:
        head += ["\n", Italic(f"{person(message.author_name, 60) or '?'} · {say('card.automatic')}")]
        if text := shortened(legible(message.text), 300):
            head += ["\n", BlockQuote(text)]
    head += [line for label, value in facts.preview.headers for line in ("\n", f"{say(label)} ", one_line(value, 300))]
    if facts.redirected_from and draft.state is DraftState.OPEN:
        head += ["\n", Bold(f"⚠️ {say('preview.redirected', address=facts.redirected_from)}")]
    tail: list[Text | str] = []
    if draft.state is DraftState.SENT:
        tail += ["\n\n", Italic(delivery_state(facts.deliveries, voice))]
        if facts.undoable:
            tail += [" · ", Italic(say("preview.undo_hint"))]
    room = LONGEST - 100 - units(Text(*head).render()[0]) - units(Text(*tail).render()[0])
    files = file_lines(draft.attachments, voice, room // 3)
    if facts.awaited:
        files += ["\n", Italic(say("preview.files_awaited", count=str(len(facts.awaited))))]
    if files:
        tail = ["\n", *files, *tail]
    room = LONGEST - 100 - units(Text(*head).render()[0]) - units(Text(*tail).render()[0])
    body = shortened(legible(facts.preview.text), room)
    screen = screen_of(Text(*head, "\n\n", body, *tail), _preview_buttons(facts, voice))
    above = units(Text(*head, "\n\n").render()[0])
    set_as = styles.moved(styles.carried_over(facts.preview.styles, facts.preview.text, body), above)
    return replace(screen, entities=(*screen.entities, *set_as))


def _preview_title(facts: PreviewFacts, voice: Voice) -> str:
    """What becomes of the draft."""
    say, draft, number = voice.say, facts.draft, str(facts.conversation.number)
    who = person(facts.author.name, 60) if facts.author is not None else ""
    if draft.state is DraftState.DISCARDED:
        return say("preview.discarded", number=number)
    if draft.state is DraftState.SENT:
        if facts.approver is not None:
            return say("preview.approved_title", number=number, name=person(facts.approver.name, 60))
        return say("preview.sent_title", number=number)
    if draft.asked_at is not None and facts.author is not None:
        title = say("preview.asked_by", number=number, name=who)
    elif draft.asked_at is not None:
        title = say("preview.asked", number=number, when=voice.when(draft.asked_at))
    elif draft.send_at is not None:
        return say("preview.scheduled", number=number, when=voice.ahead(draft.send_at))
    elif facts.author is not None:
        return say("preview.not_asked", number=number, name=who)
    else:
        return say("preview.title", number=number)
    if draft.wanted_at is not None:
        title += f" · 📅 {voice.when(draft.wanted_at)}"
    return title


def _preview_buttons(facts: PreviewFacts, voice: Voice) -> list[list[Button]]:
    say, draft = voice.say, facts.draft
    if draft.state is DraftState.SENT and facts.undoable:
        return [[callbacks.button(say("button.undo"), callbacks.Undo(draft=draft.id))]]
    if draft.state is not DraftState.OPEN:
        return []
    if facts.author is not None:
        return _approval_buttons(draft, voice) if draft.asked_at is not None else []
    drop = callbacks.button(say("button.discard"), callbacks.Discard(draft=draft.id))
    if draft.asked_at is not None:
        return [[callbacks.button(say("button.withdraw"), callbacks.CallOff(draft=draft.id)), drop]]
    if facts.menu == LATER:
        return _moments(draft, voice)
    stale = facts.unseen_count > 0
    seen = facts.conversation.inbound_count if stale else draft.seen_inbound
    said = callbacks.check_draft(draft)
    later = callbacks.button(say("button.send_later"), callbacks.PreviewMenu(draft=draft.id, page=LATER))
    now = callbacks.Send(draft=draft.id, seen=seen, check=said)
    if draft.send_at is not None:
        off = callbacks.button(say("button.call_off"), callbacks.CallOff(draft=draft.id))
        return [[callbacks.button(say("button.send_now"), now), later], [off, drop]]
    edit = callbacks.button(say("button.edit"), callbacks.Edit(draft=draft.id))
    ask = callbacks.button(
        say("button.ask_anyway" if stale else "button.ask_approval"),
        callbacks.AskApproval(draft=draft.id, seen=seen, check=said),
    )
    if stale and facts.needs_approval:
        first = [[ask], [edit, drop]]
    elif stale:
        first = [[callbacks.button(say("button.send_anyway"), now)], [edit, drop]]
    elif facts.needs_approval:
        first = [[ask], [later, edit, drop]]
    else:
        first = [[callbacks.button(say("button.send"), now)], [later, ask], [edit, drop]]
    return [*first, *_choices(facts, voice), *_without(draft, voice)]


def _approval_buttons(draft: Draft, voice: Voice) -> list[list[Button]]:
    ok = voice.say("button.approve_later" if draft.wanted_at is not None else "button.approve")
    back = callbacks.AskAbout(draft=draft.id, purpose=Purpose.RETURN)
    return [
        [callbacks.button(ok, callbacks.Approve(draft=draft.id, check=callbacks.check_draft(draft)))],
        [callbacks.button(voice.say("button.return"), back)],
    ]


def _moments(draft: Draft, voice: Voice) -> list[list[Button]]:
    said = callbacks.check_draft(draft)
    buttons = [
        callbacks.button(voice.say(f"moment.{until}"), callbacks.SendLater(draft=draft.id, until=until, check=said))
        for until in MOMENTS
    ]
    asks = callbacks.AskAbout(draft=draft.id, purpose=Purpose.SCHEDULE)
    back = callbacks.PreviewMenu(draft=draft.id, page="")
    return [
        buttons[:2],
        buttons[2:4],
        [buttons[4], callbacks.button(voice.say("button.later_asked"), asks)],
        [callbacks.button(f"◀ {voice.say('button.back')}", back)],
    ]


MOST_CHOICES = 8
"""Copies that have a button each; any others are named with /cc."""


def _choices(facts: PreviewFacts, voice: Voice) -> list[list[Button]]:
    """Whom else a mail may go to, and its copies: one button for all until one is chosen, then one each."""
    say, draft, candidates = voice.say, facts.draft, facts.copy_candidates
    rows = [
        [
            callbacks.button(
                say("button.to", address=one_line(address, 40)),
                callbacks.To(draft=draft.id, position=position, check=callbacks.check(facts.to_candidates)),
            )
        ]
        for position, address in enumerate(facts.to_candidates[:MOST_CHOICES])
        if address not in facts.to
    ]
    said = callbacks.check(candidates)
    if facts.everyone and not draft.copies:
        count = str(len(facts.everyone) + len(facts.to))
        rows.append(
            [callbacks.button(say("button.copy_all", count=count), callbacks.CopyAll(draft=draft.id, check=said))]
        )
    elif draft.copies:
        rows += [
            [
                callbacks.button(
                    f"{'✓' if address in draft.copies else '+'} cc : {one_line(address, 40)}",
                    callbacks.Copy(draft=draft.id, position=position, wanted=address not in draft.copies, check=said),
                )
            ]
            for position, address in enumerate(candidates[:MOST_CHOICES])
        ]
    return rows


def _without(draft: Draft, voice: Voice) -> list[list[Button]]:
    said = callbacks.check([file.path for file in draft.attachments])
    return [
        [
            callbacks.button(
                voice.say("button.drop_file", name=one_line(file.name, 30)),
                callbacks.DropFile(draft=draft.id, position=position, check=said),
            )
        ]
        for position, file in enumerate(draft.attachments[:MOST_CHOICES])
    ]


def superseded_preview(conversation: Conversation, voice: Voice) -> Screen:
    """What is left of a preview once a newer one of the same draft stands further down."""
    return screen_of(Text(Italic(voice.say("preview.superseded", number=str(conversation.number)))))
