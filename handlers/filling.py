"""An answer kept ready, filled in for one conversation."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from handlers.desk import Desk, Unit
from inbox.model import Contact, Conversation, Secretary, Template
from inbox.templates import filled, list_templates


async def fill(template: Template, conversation: Conversation, unit: Unit, desk: Desk, secretary: Secretary) -> str:
    """Its words for this client, today.

    Raises:
        InvalidTransition: one of its variables has no value here.
    """
    account, contact = desk.accounts[conversation.account_id], await desk.store.get(Contact, conversation.contact_id)
    values = {
        "contact": "" if "@" in contact.name else contact.name,
        "account": account.identity.display_name or account.name,
        "date": desk.texts.day(account.language, unit.now.astimezone(ZoneInfo(account.time_zone)).date()),
        "secretary": secretary.name if account.show_names else account.identity.display_name or account.name,
    }
    return filled(template, values)


async def filled_in(text: str, conversation: Conversation, unit: Unit, desk: Desk, secretary: Secretary) -> str:
    """The words she sent; where they are those of an answer kept ready, found by typing, filled in.

    Raises:
        InvalidTransition: one of its variables has no value here.
    """
    if "{" not in text:
        return text
    for template in await list_templates(desk.store, conversation.account_id):
        if template.text == text.strip():
            return await fill(template, conversation, unit, desk, secretary)
    return text
