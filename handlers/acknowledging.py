"""Telling a client by itself that his message arrived, in the commit that takes it in."""

from __future__ import annotations

import asyncio
from datetime import datetime

from channels.base import Reply
from handlers.desk import Desk
from handlers.expecting import fill, line_for
from inbox.acknowledgements import acknowledgement
from inbox.assignment import list_present
from inbox.contacts import spoken
from inbox.conversations import event
from inbox.matching import sign_message_id
from inbox.model import AssignmentMode, Contact, Conversation, DeliveryKind, Message
from inbox.notices import Letter, TextNotice
from inbox.outbox import notice
from inbox.parts import MessageId
from inbox.store.base import Changes


async def acknowledged(desk: Desk, conversation: Conversation, message: Message, now: datetime) -> Changes:
    """The acknowledgement of the mail that opened a conversation: to leave once, and a line of history.

    It bears the signed name of that mail: an answer to it finds the
    conversation, and a report about it what it was.
    """
    channel = desk.channels.get(conversation.channel_id)
    if channel is None:
        return Changes()
    account = desk.accounts[conversation.account_id]
    language, text = account.language, account.acknowledgement or ""
    if not text:
        contact = await desk.store.find(Contact, conversation.contact_id)
        language = spoken(contact.language if contact is not None else None, account.language)
        text = desk.texts.say(language, "acknowledgement.text") + "\n\n{hours} {answer}"
    text = fill(text, account, desk.texts, language, now)
    domain = (account.identity.from_address or "").rpartition("@")[2]
    reply = Reply(
        account=account,
        conversation=conversation,
        message_id=MessageId(f"acknowledgement-{message.id}"),
        external_id=sign_message_id(desk.key, message.id, domain),
        text=text,
        answers=message,
        recipients=(message.author_address,),
        attachments=(),
        now=now,
        automatic=True,
    )
    changes = Changes(inserts=[event("acknowledged", conversation, now, detail={"message": message.id})])
    for parcel in await asyncio.to_thread(channel.compose, reply):
        if isinstance(parcel.payload, Letter):
            changes += Changes(
                inserts=[acknowledgement(conversation, message, parcel.payload, now)], blobs=list(parcel.blobs)
            )
    return changes


async def told_what_to_expect(desk: Desk, conversation: Conversation, language: str | None, now: datetime) -> Changes:
    """One line for whoever begins a matter in Telegram, where it helps, and a line of history; else nothing.

    Args:
        conversation: as it is to be committed, with who holds it.
        language: their Telegram's.
    """
    if conversation.chat_id is None:
        return Changes()
    account = desk.accounts[conversation.account_id]
    spoken_in = spoken(language, account.language)
    has_holder = conversation.assignee_id is not None
    if not has_holder and account.assignment is AssignmentMode.MANUAL:
        has_holder = bool(await list_present(desk.store, account.id))  # one of them takes it
    because = line_for(account, desk.texts, spoken_in, now, has_holder=has_holder)
    if because is None:
        return Changes()
    told = notice(
        TextNotice(chat_id=conversation.chat_id, language=spoken_in, because=because),
        conversation.channel_id,
        conversation.chat_id,
        now,
        account_id=account.id,
        conversation_id=conversation.id,
        kind=DeliveryKind.ACKNOWLEDGEMENT,
    )
    return Changes(inserts=[told, event("told", conversation, now)])
