"""What becomes of a draft that does not leave at once: it waits for a moment, or a supervisor reads it first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import structlog
from aiogram import F, Router
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import Approvals, Approve, AskAbout, AskApproval, CallOff, PreviewMenu, SendLater, check_draft
from handlers.desk import Desk, Unit
from handlers.drafts import message_key, set_in
from handlers.menus import usual_moment
from handlers.sending import leaving, refuse_for_now, show_newest
from handlers.views import Voice
from inbox import outbox
from inbox.approval import list_approvers, needs_approval, on_duty, told_approvers
from inbox.assignment import is_supervisor, may_serve
from inbox.conversations import event
from inbox.drafts import changed, require_author
from inbox.errors import (
    Conflict,
    FilesAwaited,
    InboxError,
    InvalidTransition,
    NotAllowed,
    NotFound,
    Stale,
    StoreUnavailable,
)
from inbox.model import Conversation, Draft, DraftState, Secretary, ShownKind
from inbox.moments import read_moment
from inbox.notices import PreviewNotice, Purpose, QuestionNotice
from inbox.parts import Because, DraftId
from inbox.set_aside import (
    approved,
    asked,
    corrected,
    list_asked,
    not_sent,
    require_asked,
    require_ready,
    returned,
    scheduled,
)
from inbox.store.base import Changes
from inbox.store.documents import SHOWN_BY_MESSAGE

log = structlog.get_logger(__name__)

MOST_TO_READ = 10


def build_router() -> Router:
    """The buttons of a preview that say when, and those of whoever approves. Include it before drafts."""
    router = Router(name="set_aside")
    router.callback_query.register(open_menu, PreviewMenu.filter())
    router.callback_query.register(send_later, SendLater.filter())
    router.callback_query.register(ask_about, AskAbout.filter())
    router.callback_query.register(call_off, CallOff.filter())
    router.callback_query.register(ask_approval, AskApproval.filter())
    router.callback_query.register(approve, Approve.filter())
    router.callback_query.register(show_asked, Approvals.filter())
    router.message.register(correct, F.text, ~F.text.startswith("/"), replies_to_anothers_draft)
    return router


async def _settle(unit: Unit, changes: Changes, draft: Draft) -> None:
    await unit.commit(changes, account_id=draft.account_id, conversation_id=draft.conversation_id)


async def _hers(desk: Desk, draft_id: str, secretary: Secretary) -> tuple[Draft, Conversation]:
    draft = await desk.store.get(Draft, draft_id)
    require_author(draft, secretary)
    return draft, await desk.store.get(Conversation, draft.conversation_id)


async def open_menu(
    query: CallbackQuery, callback_data: PreviewMenu, unit: Unit, desk: Desk, secretary: Secretary
) -> None:
    """The preview with another set of buttons."""
    draft, _ = await _hers(desk, callback_data.draft, secretary)
    menu = PreviewNotice(secretary_id=secretary.id, draft_id=draft.id, fresh=False, menu=callback_data.page[:10])
    shown = outbox.shown_to(secretary, menu, unit.now, about=draft)
    await _settle(unit, Changes(inserts=[shown]), draft)


# ---------------------------------------------------------------- when


async def send_later(
    query: CallbackQuery, callback_data: SendLater, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """The draft leaves by itself at one of the usual moments."""
    moment = usual_moment(callback_data.until, desk.local(unit.now))
    draft, conversation = await _hers(desk, callback_data.draft, secretary)
    if await _is_refused(callback_data.check, draft, conversation, unit, secretary, voice):
        return
    await _put_aside(draft, conversation, moment, unit, desk, secretary)
    unit.say(voice.say("toast.scheduled", when=voice.when(moment)))


async def ask_about(
    query: CallbackQuery, callback_data: AskAbout, unit: Unit, desk: Desk, secretary: Secretary
) -> None:
    """Ask for the moment a draft of hers leaves, or for the word one to approve is returned with."""
    draft = await desk.store.get(Draft, callback_data.draft)
    if callback_data.purpose == Purpose.RETURN:
        require_asked(draft, secretary)
    elif callback_data.purpose == Purpose.SCHEDULE:
        require_author(draft, secretary)
    else:
        raise NotFound
    conversation = await desk.store.get(Conversation, draft.conversation_id)
    purpose = Purpose(callback_data.purpose)
    question = QuestionNotice(
        secretary_id=secretary.id,
        conversation_id=conversation.id,
        purpose=purpose,
        because=Because(key=f"ask.{purpose}", args={"number": str(conversation.number)}),
        draft_id=draft.id,
    )
    asks = outbox.shown_to(secretary, question, unit.now, about=conversation)
    await _settle(unit, Changes(inserts=[asks]), draft)


async def answer_moment(words: str, draft_id: DraftId, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """The moment she was asked for."""
    moment = read_moment(words, desk.local(unit.now))
    if moment is None:
        raise InvalidTransition("error.moment_unclear")
    draft, conversation = await _hers(desk, draft_id, secretary)
    require_ready(draft, conversation, secretary)
    await _put_aside(draft, conversation, moment, unit, desk, secretary)


async def _is_refused(
    said: str, draft: Draft, conversation: Conversation, unit: Unit, secretary: Secretary, voice: Voice
) -> bool:
    """Whether what she pressed cannot be as she pressed it; she is told.

    Args:
        said: which words the preview showed.
    """
    if said != check_draft(draft):
        await show_newest(draft, unit, secretary, voice)
        return True
    try:
        require_ready(draft, conversation, secretary)
    except (Stale, FilesAwaited) as refusal:
        await refuse_for_now(refusal, draft, unit, secretary, voice)
        return True
    return False


async def _put_aside(
    draft: Draft, conversation: Conversation, moment: datetime | None, unit: Unit, desk: Desk, secretary: Secretary
) -> None:
    """The draft waits: for the moment, or for approval where it needs that or no moment is named."""
    account = desk.accounts.get(conversation.account_id)
    if account is None:
        raise NotFound
    is_free = draft.approved_by is not None or not needs_approval(account, secretary, desk.trial, unit.now)
    # Whoever takes, gives or closes it meanwhile decides without knowing of this reply: then it is decided anew.
    changes = Changes(expectations=[conversation])
    if moment is not None and is_free:
        after = scheduled(draft, moment, unit.now)
        detail = {"draft": draft.id, "until": moment.isoformat()}
        changes += Changes(inserts=[event("scheduled", conversation, unit.now, actor=secretary, detail=detail)])
        changes += await told_approvers(desk.store, draft, after, unit.now)
    else:
        after = asked(draft, moment, unit.now)
        approvers = await list_approvers(desk.store, draft.account_id, secretary.id)
        if not approvers:
            raise InvalidTransition("error.no_supervisor")
        told = await on_duty(desk.store, approvers)
        changes += Changes(
            inserts=[
                event("approval_asked", conversation, unit.now, actor=secretary, detail={"draft": draft.id}),
                *(outbox.preview_for(each, after, unit.now, fresh=True) for each in told),
            ]
        )
    changes += Changes(
        replacements=[after],
        inserts=[
            outbox.preview_for(secretary, after, unit.now, fresh=False),
            outbox.card_for(secretary, conversation, unit.now, fresh=False),
        ],
    )
    await _settle(unit, changes, draft)


async def call_off(
    query: CallbackQuery, callback_data: CallOff, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """It waits for nothing any more: its author says so, or who holds the conversation or answers for all."""
    before = await desk.store.get(Draft, callback_data.draft)
    conversation = await desk.store.get(Conversation, before.conversation_id)
    if not may_serve(secretary, before.account_id):
        raise NotFound
    is_hers = secretary.id in (before.author_id, conversation.assignee_id) or is_supervisor(secretary)
    if not is_hers:
        raise NotAllowed
    if before.state is not DraftState.OPEN or before.set_aside is None:
        raise InvalidTransition("error.not_set_aside")
    after = changed(before, unit.now)
    author = await desk.store.get(Secretary, before.author_id)
    changes = Changes(
        replacements=[after],
        inserts=[
            event("called_off", conversation, unit.now, actor=secretary, detail={"draft": before.id}),
            outbox.preview_for(author, after, unit.now, fresh=author.id != secretary.id),
            outbox.card_for(secretary, conversation, unit.now, fresh=False),
        ],
    )
    if author.id != secretary.id:
        args = {"number": str(conversation.number), "name": secretary.name}
        changes += Changes(inserts=[outbox.sentence_for(author, Because(key="notice.called_off", args=args), unit.now)])
    await _settle(unit, changes + await told_approvers(desk.store, before, after, unit.now), before)
    unit.say(voice.say("toast.called_off"))


# ---------------------------------------------------------------- approval


async def ask_approval(
    query: CallbackQuery, callback_data: AskApproval, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A supervisor is to read it before it leaves."""
    draft, conversation = await _hers(desk, callback_data.draft, secretary)
    # The preview she pressed showed her this much; nothing newer can be claimed seen.
    seen = min(max(draft.seen_inbound, callback_data.seen), conversation.inbound_count)
    draft = msgspec.structs.replace(draft, seen_inbound=seen)
    if await _is_refused(callback_data.check, draft, conversation, unit, secretary, voice):
        return
    await _put_aside(draft, conversation, None, unit, desk, secretary)
    unit.say(voice.say("toast.approval_asked"))


async def approve(
    query: CallbackQuery, callback_data: Approve, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """It leaves, or waits for its moment: as it was read, or not at all."""
    before = await desk.store.get(Draft, callback_data.draft)
    require_asked(before, secretary)
    if callback_data.check != check_draft(before):
        await show_newest(before, unit, secretary, voice)
        return
    conversation = await desk.store.get(Conversation, before.conversation_id)
    author = await desk.store.get(Secretary, before.author_id)
    free = approved(before, secretary, unit.now)
    if before.wanted_at is not None and before.wanted_at > unit.now:
        after = scheduled(free, before.wanted_at, unit.now)
        changes = Changes(
            replacements=[after],
            inserts=[
                outbox.preview_for(author, after, unit.now, fresh=False),
                outbox.card_for(author, conversation, unit.now, fresh=False),
            ],
            expectations=[conversation],
        )
    else:
        due_at = unit.now + desk.undo
        changes = await leaving(desk, free, conversation, author, unit.now, due_at, is_decided=True)
    because = Because(key="notice.approved", args={"number": str(conversation.number), "name": secretary.name})
    changes += Changes(
        inserts=[
            event("approved", conversation, unit.now, actor=secretary, detail={"draft": before.id}),
            outbox.sentence_for(author, because, unit.now),
        ]
    )
    changes += await told_approvers(desk.store, before, changes.newest(before), unit.now)
    await _settle(unit, changes, before)
    unit.say(voice.say("toast.approved"))


async def replies_to_anothers_draft(
    message: Message, unit: Unit, desk: Desk, secretary: Secretary
) -> dict[str, Any] | bool:
    """Whether a message replies to the preview of a draft that somebody else wrote, and to which."""
    if message.reply_to_message is None:
        return False
    key = message_key(unit.receipt.channel_id, message.chat.id, message.reply_to_message.message_id)
    shown = await desk.store.find_by(SHOWN_BY_MESSAGE, key)
    if shown is None or shown.kind is not ShownKind.PREVIEW or shown.draft_id is None:
        return False
    draft = await desk.store.find(Draft, shown.draft_id)
    return {"draft": draft} if draft is not None and draft.author_id != secretary.id else False


async def correct(message: Message, unit: Unit, desk: Desk, secretary: Secretary, draft: Draft) -> None:
    """What a supervisor replies to a draft she was asked to approve stands in its place."""
    after = corrected(draft, secretary, message.text or "", set_in(message), unit.now)
    conversation = await desk.store.get(Conversation, draft.conversation_id)
    author = await desk.store.get(Secretary, draft.author_id)
    changes = Changes(
        replacements=[after],
        inserts=[
            event("corrected", conversation, unit.now, actor=secretary, detail={"draft": draft.id}),
            outbox.preview_for(author, after, unit.now, fresh=False),
            outbox.preview_for(secretary, after, unit.now, fresh=True),
        ],
    )
    others = await list_approvers(desk.store, draft.account_id, draft.author_id)
    changes += Changes(
        inserts=[outbox.preview_for(s, after, unit.now, fresh=False) for s in others if s.id != secretary.id]
    )
    await _settle(unit, changes, draft)


async def answer_return(words: str, draft_id: DraftId, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """It goes back to whoever wrote it, with the word she was asked for."""
    before = await desk.store.get(Draft, draft_id)
    after = returned(before, secretary, words, unit.now)
    conversation = await desk.store.get(Conversation, before.conversation_id)
    author = await desk.store.get(Secretary, before.author_id)
    changes = Changes(
        replacements=[after],
        inserts=[
            event("returned", conversation, unit.now, actor=secretary, detail={"draft": before.id}),
            outbox.preview_for(author, after, unit.now, fresh=True),
            outbox.card_for(author, conversation, unit.now, fresh=False),
        ],
    )
    await _settle(unit, changes + await told_approvers(desk.store, before, after, unit.now), before)


async def show_asked(query: CallbackQuery, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice) -> None:
    """Everything that waits for her approval, the oldest first, each to be read."""
    if not is_supervisor(secretary):
        raise NotAllowed
    waiting = await list_asked(desk.store, secretary)
    shown = [outbox.preview_for(secretary, draft, unit.now, fresh=True) for draft in waiting[:MOST_TO_READ]]
    await unit.commit(Changes(inserts=shown))
    unit.say(voice.say("toast.asked", count=str(len(waiting))))


# ---------------------------------------------------------------- when its moment has come


async def moment_come(desk: Desk, draft: Draft, now: datetime) -> Changes:
    """What a scheduled reply becomes at its moment: it leaves, or its author has it back and knows why."""
    conversation = await desk.store.find(Conversation, draft.conversation_id)
    author = await desk.store.find(Secretary, draft.author_id)
    if conversation is None or author is None:  # erased at this moment: nobody is left to write to, or for
        return Changes(replacements=[changed(draft, now)])
    try:
        return await leaving(desk, draft, conversation, author, now, now, is_decided=True)
    except Stale as stale:
        why: InboxError = stale
    except InboxError as refusal:
        if isinstance(refusal, Conflict):
            raise
        why = refusal
    except StoreUnavailable:
        raise
    except Exception:
        # Whatever one reply makes go wrong must not keep the others: its author has it back.
        log.exception("scheduled_reply_failed", draft=draft.id)
        because = Because(key="failure.other")
        return await not_sent(desk.store, draft, conversation, because, now)
    log.info("scheduled_reply_held", draft=draft.id, reason=why.key)
    return await not_sent(desk.store, draft, conversation, Because(key=why.key, args=why.args_shown), now)
