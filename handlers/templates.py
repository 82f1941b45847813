"""Answers kept ready: supervisors keep them, a press puts one into a draft."""

from __future__ import annotations

from aiogram import Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, InlineQuery, Message

from channels.base import Suggestion
from handlers.callbacks import DropTemplate, ShowTemplate, UseTemplate, check
from handlers.desk import Desk, Unit
from handlers.drafts import Words, last_seen, message_key, put
from handlers.filling import fill
from handlers.legible import one_line
from handlers.views import Voice
from inbox import outbox
from inbox.assignment import is_supervisor, may_serve, require_serves
from inbox.drafts import find_open, require_may_write
from inbox.errors import InvalidTransition, NotAllowed
from inbox.model import Conversation, Secretary, Template
from inbox.notes import plain
from inbox.notices import TemplatesNotice
from inbox.parts import AccountId
from inbox.store.base import Changes
from inbox.store.documents import SHOWN_BY_MESSAGE, TEMPLATES
from inbox.templates import MOST_ON_A_SHELF, kept, list_shelf, list_templates, matching, names_author

MOST_FOUND = 50
"""Source: Bot API answerInlineQuery."""


def build_router() -> Router:
    """Commands and buttons of answers kept ready."""
    router = Router(name="templates")
    router.message.register(keep, Command("modele", "template"))
    router.message.register(list_all, Command("modeles", "templates"))
    router.callback_query.register(show, ShowTemplate.filter())
    router.callback_query.register(drop, DropTemplate.filter())
    router.callback_query.register(use, UseTemplate.filter())
    router.inline_query.register(find)
    return router


async def keep(message: Message, command: CommandObject, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """Keep an answer: its name (after its account's key, where it is for one) on the first line, its words below."""
    first, _, text = (command.args or "").partition("\n")
    word, _, rest = first.strip().partition(" ")
    shelf, name = (word, rest) if word in desk.accounts else ("", first)
    existing = await desk.store.find_by(TEMPLATES, shelf, plain(" ".join(name.split())))
    template = kept(existing, shelf, name, text, secretary, unit.now)
    if existing is None and len(await list_shelf(desk.store, shelf)) >= MOST_ON_A_SHELF:
        raise InvalidTransition("error.templates_full", count=str(MOST_ON_A_SHELF))
    changes = Changes(replacements=[template]) if existing else Changes(inserts=[template])
    await unit.commit(
        changes + _shown(unit, secretary, TemplatesNotice(secretary_id=secretary.id, template_id=template.id))
    )


async def list_all(message: Message, unit: Unit, secretary: Secretary) -> None:
    """All she may keep, to be read and dropped."""
    if not is_supervisor(secretary):
        raise NotAllowed
    await unit.commit(_shown(unit, secretary, TemplatesNotice(secretary_id=secretary.id)))


async def show(query: CallbackQuery, callback_data: ShowTemplate, unit: Unit, secretary: Secretary) -> None:
    """One whole, or a page of their list, in place of the message pressed."""
    if not is_supervisor(secretary):
        raise NotAllowed
    shown = TemplatesNotice(
        secretary_id=secretary.id,
        template_id=callback_data.template or None,
        page=max(0, min(callback_data.page, 999)),
        edits=query.message.message_id if query.message else None,
    )
    await unit.commit(_shown(unit, secretary, shown))


async def drop(
    query: CallbackQuery, callback_data: DropTemplate, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Keep it no longer, as it was read; what drafts were made of it stays."""
    if not is_supervisor(secretary):
        raise NotAllowed
    template = await desk.store.get(Template, callback_data.template)
    if template.shelf:
        require_serves(secretary, AccountId(template.shelf))
    if template.version != callback_data.seen:
        raise InvalidTransition("error.list_changed")
    shown = TemplatesNotice(secretary_id=secretary.id, edits=query.message.message_id if query.message else None)
    await unit.commit(Changes(deletions=[template]) + _shown(unit, secretary, shown))
    unit.say(voice.say("toast.template_dropped"))


def _shown(unit: Unit, secretary: Secretary, payload: TemplatesNotice) -> Changes:
    return Changes(inserts=[outbox.shown_to(secretary, payload, unit.now)])


async def find(inline_query: InlineQuery, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice) -> None:
    """What is kept ready for the accounts she serves and has the words she types; one press sends it to us."""
    served = {a.id: a.name for a in desk.accounts.values() if may_serve(secretary, a.id) and not a.retired}
    kept_ready = [each for shelf in ("", *served) for each in await list_shelf(desk.store, shelf)]
    unit.suggestions = [
        Suggestion(
            id=each.id,
            title=each.name,
            says=f"{served.get(AccountId(each.shelf)) or voice.say('templates.common')} · {one_line(each.text, 80)}",
            text=each.text,
        )
        for each in matching(kept_ready, inline_query.query)[:MOST_FOUND]
    ]
    await unit.ignore("an answer was looked for")


async def use(
    query: CallbackQuery, callback_data: UseTemplate, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """The answer, filled in, in her draft: behind what she wrote already."""
    store = desk.store
    conversation = await store.get(Conversation, callback_data.conversation)
    require_may_write(conversation, secretary)
    ready = await list_templates(store, conversation.account_id)
    if callback_data.check != check([t.id for t in ready]) or not 0 <= callback_data.position < len(ready):
        raise InvalidTransition("error.list_changed")
    template = ready[callback_data.position]
    text = await fill(template, conversation, unit, desk, secretary)
    existing = await find_open(store, conversation.id, secretary.id)
    if existing is not None and existing.text.endswith(text):
        raise InvalidTransition("error.template_used")
    message_id = query.message.message_id if query.message else 0
    pressed = message_key(unit.receipt.channel_id, secretary.chat_id, message_id)
    card = await store.find_by(SHOWN_BY_MESSAGE, pressed)
    # The card she pressed showed her this much; nothing newer can be claimed seen.
    seen = card.shown_inbound if card is not None else await last_seen(desk, conversation, secretary)
    await put(conversation, Words(text, (), f"{pressed}:{template.id}"), seen, unit, desk, secretary, replaces=False)
    is_withheld = names_author(template) and not desk.accounts[conversation.account_id].show_names
    key = "toast.name_withheld" if is_withheld else "toast.draft"
    unit.say(voice.say(key, number=str(conversation.number)))
