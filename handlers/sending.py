"""What leaves: a draft that is sent, or taken back while none of it has left."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import nullcontext
from datetime import datetime

import msgspec
from aiogram import Router
from aiogram.types import CallbackQuery

from channels.base import Channel, Parcel, Reply
from handlers.callbacks import Send, Undo, check_draft
from handlers.desk import LARGE, Desk, Unit
from handlers.views import Voice
from inbox.addressees import sender_address
from inbox.approval import told_approvers
from inbox.assignment import require_serves
from inbox.business import require_answerable
from inbox.conversations import event
from inbox.drafts import (
    last_inbound,
    outgoing,
    require_author,
    undone,
)
from inbox.errors import FilesAwaited, InvalidTransition, NotFound, Stale
from inbox.matching import sign_message_id
from inbox.model import Conversation, Draft, Secretary
from inbox.notices import Letter
from inbox.outbox import card_for, keep_for, last_unsettled_reply, preview_for, replies, sentence_for, unsent_id
from inbox.parts import Because, BlobId, MessageId, new_id
from inbox.passing import called_off, told_in_telegram
from inbox.reachable import require_reachable
from inbox.set_aside import set_back
from inbox.store.base import Changes


def build_router() -> Router:
    """Send and Undo."""
    router = Router(name="sending")
    router.callback_query.register(send, Send.filter())
    router.callback_query.register(undo, Undo.filter())
    return router


async def send(
    query: CallbackQuery, callback_data: Send, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Her draft becomes a message and a delivery due when the time to undo is over."""
    store = desk.store
    draft = await store.get(Draft, callback_data.draft)
    require_author(draft, secretary)
    conversation = await store.get(Conversation, draft.conversation_id)
    require_serves(secretary, conversation.account_id)
    if callback_data.check != check_draft(draft):
        await show_newest(draft, unit, secretary, voice)
        return
    # The preview she pressed showed her this much; nothing newer can be claimed seen.
    seen = min(max(draft.seen_inbound, callback_data.seen), conversation.inbound_count)
    draft = msgspec.structs.replace(draft, seen_inbound=seen)
    try:
        changes = await leaving(desk, draft, conversation, secretary, unit.now, unit.now + desk.undo)
    except (Stale, FilesAwaited) as refusal:
        await refuse_for_now(refusal, draft, unit, secretary, voice)
        return
    changes += await told_approvers(store, draft, changes.newest(draft), unit.now)
    await unit.commit(changes, account_id=conversation.account_id, conversation_id=conversation.id)
    unit.say(voice.say("toast.sending", seconds=str(int(desk.undo.total_seconds()))))


async def show_newest(draft: Draft, unit: Unit, secretary: Secretary, voice: Voice) -> None:
    """What she read where she pressed is not what would leave: she is shown what would."""
    newest = preview_for(secretary, draft, unit.now, fresh=False)
    await unit.commit(Changes(inserts=[newest]), account_id=draft.account_id, conversation_id=draft.conversation_id)
    unit.say(voice.say("error.draft_changed"), alert=True)


async def refuse_for_now(
    refusal: Stale | FilesAwaited, draft: Draft, unit: Unit, secretary: Secretary, voice: Voice
) -> None:
    """Say why a draft stays, and see to it that she can go on."""
    if isinstance(refusal, Stale):
        mend = preview_for(secretary, draft, unit.now, fresh=False)
    else:
        mend = keep_for(secretary, draft, unit.now)  # whatever kept the file away, it is asked for once more, at once
    await unit.commit(Changes(inserts=[mend]), account_id=draft.account_id, conversation_id=draft.conversation_id)
    unit.say(voice.say(refusal.key, **refusal.args_shown), alert=True)


async def leaving(
    desk: Desk,
    draft: Draft,
    conversation: Conversation,
    author: Secretary,
    now: datetime,
    due_at: datetime,
    *,
    is_decided: bool = False,
) -> Changes:
    """What is committed so that a draft leaves: it becomes a message and its deliveries.

    Args:
        due_at: until then it can be taken back.
        is_decided: its author said before that it is to leave, then or once it is approved.

    Raises:
        Stale: the contact wrote after what its author had seen.
        FilesAwaited: a file of it is not here yet.
        InvalidTransition: it cannot leave.
    """
    store = desk.store
    message_id = MessageId(new_id())
    account = desk.accounts.get(conversation.account_id)
    channel = desk.channels.get(conversation.channel_id)
    if account is None or channel is None:
        raise InvalidTransition("error.channel_gone")
    await require_reachable(store, conversation)
    await require_answerable(store, conversation, now)
    answers = await last_inbound(store, conversation.id)
    out = outgoing(
        draft,
        conversation,
        account,
        author,
        message_id,
        _external_id(desk, conversation, message_id, sender_address(answers, account)),
        answers,
        now,
        trial=desk.trial,
        is_decided=is_decided,
    )
    reply = Reply(
        account=account,
        conversation=out.conversation,
        message_id=message_id,
        external_id=out.message.external_id,
        text=out.message.text,
        styles=draft.styles,
        answers=answers,
        recipients=tuple(r for r in out.message.recipients if r not in out.message.copies),
        attachments=out.message.attachments,
        now=now,
        copies=out.message.copies,
        sender=out.message.author_address,
    )
    size = sum(file.size for file in reply.attachments)
    async with desk.large if conversation.chat_id is None and size > LARGE else nullcontext():
        parcels = await _composed(desk, channel, reply)
    letter = next((p.payload for p in parcels if isinstance(p.payload, Letter)), None)
    message = msgspec.structs.replace(out.message, blob_id=BlobId(letter.blob_id) if letter else None)
    if parcels[0].attachments is not None:
        message = msgspec.structs.replace(message, attachments=parcels[0].attachments)
    tail = await last_unsettled_reply(store, conversation.id)
    deliveries = replies(
        message,
        out.conversation,
        [p.payload for p in parcels],
        tail,
        now,
        due_at,
    )
    changes = Changes(
        inserts=[
            message,
            *deliveries,
            event("send_pressed", conversation, now, actor=author, detail={"message": message.id}),
            preview_for(author, out.draft, now, fresh=False),
            card_for(author, out.conversation, now, fresh=False),
        ],
        replacements=[out.draft, out.conversation],
        # Were it to end meanwhile, nobody would let go what waits for it.
        expectations=[tail] if tail else [],
        blobs=[blob for p in parcels for blob in p.blobs],
    )
    if draft.for_account:
        changes += await told_in_telegram(store, account, conversation, message, author, now, due_at)
    args = {"number": str(conversation.number), "name": author.name}
    answered = Because(key="notice.answered_meanwhile", args=args)
    return changes + await set_back(store, conversation, answered, now, but=author.id)


async def _composed(desk: Desk, channel: Channel, reply: Reply) -> tuple[Parcel, ...]:
    """The reply's final form; a letter holds its files."""
    if reply.conversation.chat_id is None:
        contents = [await desk.store.read_blob(file.blob_id or BlobId("")) for file in reply.attachments]
        reply = dataclasses.replace(reply, contents=tuple(contents))
    return await asyncio.to_thread(channel.compose, reply)


def _external_id(desk: Desk, conversation: Conversation, message_id: MessageId, sender: str | None) -> str:
    if conversation.chat_id is not None:
        return unsent_id(message_id)
    domain = (sender or "").rpartition("@")[2] or "localhost"
    return sign_message_id(desk.key, message_id, domain)


async def undo(
    query: CallbackQuery, callback_data: Undo, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Take a sent reply back while none of it has left."""
    draft = await desk.store.get(Draft, callback_data.draft)
    conversation = await desk.store.get(Conversation, draft.conversation_id)
    try:
        changes = await undone(desk.store, draft, conversation, secretary, unit.now)
    except NotFound:
        raise InvalidTransition("error.too_late") from None
    if draft.for_account:
        changes += await called_off(desk.store, conversation.id, draft.message_id, unit.now)
    changes += Changes(inserts=[card_for(secretary, conversation, unit.now, fresh=False)])
    if draft.author_id != secretary.id:
        author = await desk.store.get(Secretary, draft.author_id)
        because = Because(key="notice.called_off", args={"number": str(conversation.number), "name": secretary.name})
        told = sentence_for(author, because, unit.now)
        changes += Changes(inserts=[told, card_for(author, conversation, unit.now, fresh=False)])
    await unit.commit(changes, account_id=draft.account_id, conversation_id=draft.conversation_id)
    unit.say(voice.say("toast.undone"))
