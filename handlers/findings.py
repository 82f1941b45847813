"""What a search found, page by page. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiogram.utils.formatting import Bold, Italic, Text

from handlers import callbacks
from handlers.legible import one_line, person
from handlers.views import Screen, Voice, screen_of
from inbox.model import Conversation, Status
from inbox.search import MOST_FOUND, Found
from inbox.words import MOST_CHECKED, sought

ON_A_PAGE = 8


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """All a page shows."""

    query: str
    page: int
    found: Sequence[Found]
    """All that was found, of every page."""
    account_names: Mapping[str, str]
    contact_names: Mapping[str, str]


def findings(facts: FindingFacts, voice: Voice) -> Screen:
    """One page, with a button for each conversation and for the pages beside it."""
    say, count = voice.say, len(facts.found)
    pages = max((count + ON_A_PAGE - 1) // ON_A_PAGE, 1)
    page = min(facts.page, pages - 1)
    here = facts.found[page * ON_A_PAGE : (page + 1) * ON_A_PAGE]
    if not here and sought(facts.query).phrases:
        nothing = say("search.nothing_quoted", query=facts.query, count=str(MOST_CHECKED))
        return screen_of(Text(f"🔎 {nothing}"))
    if not here:
        return screen_of(Text(f"🔎 {say('search.nothing', query=facts.query)}"))
    content: list[Text | str] = [Bold(f"🔎 {say('search.title', query=facts.query, count=str(count))}")]
    if count == MOST_FOUND:
        content += ["\n", say("search.newest")]
    for each in here:
        conversation = each.conversation
        account = facts.account_names.get(conversation.account_id, conversation.account_id)
        contact = person(facts.contact_names.get(conversation.contact_id, ""), 40) or "?"
        line = f"\n{_mark(conversation)} #{conversation.number} · {one_line(account, 40)} · {contact}"
        content.append(f"{line} · {person(conversation.subject, 50)} · {voice.when(conversation.last_message_at)}")
        if passage := each.passage():
            content += ["\n   ", Italic(one_line(passage, 100))]
    shows = [
        callbacks.button(f"#{e.conversation.number}", callbacks.Show(conversation=e.conversation.id)) for e in here
    ]
    turns = [callbacks.button("◀", callbacks.Finding(page=page - 1, query=facts.query))] if page > 0 else []
    turns += [callbacks.button("▶", callbacks.Finding(page=page + 1, query=facts.query))] if page < pages - 1 else []
    return screen_of(Text(*content), [*(shows[at : at + 4] for at in range(0, len(shows), 4)), turns])


def _mark(conversation: Conversation) -> str:
    if conversation.status is Status.CLOSED:
        return "✔️"
    if conversation.status is Status.SNOOZED:
        return "😴"
    return "⏳" if conversation.waiting_since_at is not None else "✓"
