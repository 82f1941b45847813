"""Telling a client by itself that his mail arrived, in the commit that takes it in."""

from __future__ import annotations

import asyncio
from datetime import datetime

from channels.base import Reply
from handlers.desk import Desk
from inbox.acknowledgements import acknowledgement
from inbox.conversations import event
from inbox.matching import sign_message_id
from inbox.model import Conversation, Letter, Message, MessageId
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
    text = account.acknowledgement or desk.texts.say(account.language, "acknowledgement.text")
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
