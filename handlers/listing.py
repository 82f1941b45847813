"""The queue by pages: what waits, what is hers, what is open in an account. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from aiogram.utils.formatting import Bold, Text

from handlers import callbacks
from handlers.legible import one_line
from handlers.views import UNREAD, Screen, Voice, entry_line, screen_of
from inbox.model import Account, Conversation, Secretary
from inbox.notices import QueueView
from inbox.parts import AccountId, Button, ConversationId

ON_A_PAGE = 8


@dataclass(frozen=True, slots=True)
class ListFacts:
    """All a page shows."""

    viewer: Secretary
    view: QueueView
    page: int
    account_id: AccountId | None
    """Of which account it is, where it is of one."""
    conversations: Sequence[Conversation]
    """Those of this page."""
    has_more: bool
    """Whether a page follows."""
    accounts: Sequence[Account]
    """Those the viewer serves, by name."""
    waiting: Mapping[AccountId, int]
    """How many wait in each, where accounts are listed."""
    contact_names: Mapping[str, str]
    holder_names: Mapping[str, str]
    unread: Set[ConversationId]
    """Those of this page that the viewer was not shown yet, or not whole."""
    unread_of_hers: int
    """Of what is hers, how many those are, where that is listed."""


def listing(facts: ListFacts, voice: Voice) -> Screen:
    """One page, with a button for each line and for the pages beside it."""
    say = voice.say
    names = {account.id: account.name for account in facts.accounts}
    account = names.get(facts.account_id or AccountId(""), "")
    back = callbacks.button(f"◀ {say('button.list_short')}", callbacks.Queue())
    if facts.view is QueueView.ACCOUNTS or (facts.view is QueueView.ACCOUNT and not account):
        return _accounts(facts, voice, back)
    title = {
        QueueView.WAITING: say("list.waiting"),
        QueueView.MINE: say("list.mine"),
        QueueView.LATE: f"⏰ {say('list.late')}",
        QueueView.ACCOUNT: say("list.account", account=account),
    }[facts.view]
    content: list[Text | str] = [Bold(title)]
    if facts.unread_of_hers:
        content.append(f" · {UNREAD} {say('list.unread', count=str(facts.unread_of_hers))}")
    if not facts.conversations:
        content += ["\n", say("list.nothing_late" if facts.view is QueueView.LATE else "list.empty")]
    for each in facts.conversations:
        of = "" if facts.view is QueueView.ACCOUNT else names.get(each.account_id, each.account_id)
        contact = facts.contact_names.get(each.contact_id, "")
        content.append(entry_line(each, of, contact, voice, unread=each.id in facts.unread))
        if facts.view in (QueueView.ACCOUNT, QueueView.LATE):
            held_by = facts.holder_names.get(each.assignee_id or "", "")
            content.append(f" · {one_line(held_by, 40) if held_by else say('list.nobody')}")
    shows = [callbacks.button(f"#{each.number}", callbacks.Show(conversation=each.id)) for each in facts.conversations]
    rows = [shows[at : at + 4] for at in range(0, len(shows), 4)]
    return screen_of(Text(*content), [*rows, _turns(facts, has_more=facts.has_more), [back]])


def _accounts(facts: ListFacts, voice: Voice, back: Button) -> Screen:
    here = facts.accounts[facts.page * ON_A_PAGE : (facts.page + 1) * ON_A_PAGE]
    rows = [
        [
            callbacks.button(
                f"{one_line(account.name, 40)} ({facts.waiting.get(account.id, 0)})",
                callbacks.Listing(view=QueueView.ACCOUNT, page=0, account=account.id),
            )
        ]
        for account in here
    ]
    has_more = len(facts.accounts) > (facts.page + 1) * ON_A_PAGE
    title = Bold(voice.say("list.accounts"))
    return screen_of(Text(title), [*rows, _turns(facts, has_more=has_more), [back]])


def _turns(facts: ListFacts, *, has_more: bool) -> list[Button]:
    def turn(text: str, page: int) -> Button:
        return callbacks.button(text, callbacks.Listing(view=facts.view, page=page, account=facts.account_id or ""))

    turns = [turn("◀", facts.page - 1)] if facts.page > 0 else []
    return [*turns, turn("▶", facts.page + 1)] if has_more else turns
