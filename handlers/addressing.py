"""What a secretary chooses on a preview besides its words: whom it goes to, who gets a copy, which files go with it."""

from __future__ import annotations

import re

import msgspec
from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import Copy, CopyAll, DropFile, To, check
from handlers.desk import Desk, Unit
from handlers.drafts import addressed
from handlers.views import Voice
from inbox.addressees import copy_candidates, everyone, reply_candidates, with_copy
from inbox.approval import told_approvers
from inbox.drafts import changed, find_open, last_inbound, require_author, require_may_write, written
from inbox.errors import InvalidTransition
from inbox.model import Conversation, Draft, Secretary
from inbox.model import Message as Said
from inbox.outbox import preview_for
from inbox.store.base import Changes

ADDRESS = re.compile(r"[^\s<>()\[\]\\,;:@\"\x00-\x20\x7f-\x9f]{1,64}@[^\s<>()\[\]\\,;:@\"\x00-\x20\x7f-\x9f]{1,253}")


def build_router() -> Router:
    """The buttons of a preview that say whom and what, and /cc."""
    router = Router(name="addressing")
    router.callback_query.register(write_to, To.filter())
    router.callback_query.register(copy_to_all, CopyAll.filter())
    router.callback_query.register(copy, Copy.filter())
    router.callback_query.register(drop_file, DropFile.filter())
    router.message.register(name_copies, Command("cc"))
    return router


async def write_to(
    query: CallbackQuery, callback_data: To, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """The draft goes to another of those it may be for."""
    draft, conversation, answers = await _by_mail(desk, callback_data.draft, secretary)
    candidates = reply_candidates(answers, desk.accounts[conversation.account_id])
    address = _chosen(candidates, callback_data.position, callback_data.check)
    chosen = msgspec.structs.replace(draft, recipients=(address,)) if address else None
    await _settle(draft, chosen, unit, desk, secretary, voice)


async def copy_to_all(
    query: CallbackQuery, callback_data: CopyAll, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A copy to all the answered mail was for."""
    draft, conversation, answers = await _by_mail(desk, callback_data.draft, secretary)
    account = desk.accounts[conversation.account_id]
    wanted = everyone(draft, answers, account)
    is_current = callback_data.check == check(copy_candidates(draft, answers, account))
    chosen = msgspec.structs.replace(draft, copies=wanted) if is_current else None
    await _settle(draft, chosen, unit, desk, secretary, voice)


async def copy(
    query: CallbackQuery, callback_data: Copy, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A copy to one of them, or no longer."""
    draft, conversation, answers = await _by_mail(desk, callback_data.draft, secretary)
    candidates = copy_candidates(draft, answers, desk.accounts[conversation.account_id])
    address = _chosen(candidates, callback_data.position, callback_data.check)
    chosen = with_copy(draft, address, wanted=callback_data.wanted) if address else None
    await _settle(draft, chosen, unit, desk, secretary, voice)


async def drop_file(
    query: CallbackQuery, callback_data: DropFile, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A file does not go with it."""
    draft = await desk.store.get(Draft, callback_data.draft)
    require_author(draft, secretary)
    paths = [file.path for file in draft.attachments]
    chosen, gone = None, None
    if _chosen(paths, callback_data.position, callback_data.check) is not None:
        rest = list(draft.attachments)
        gone = rest.pop(callback_data.position)
        chosen = msgspec.structs.replace(draft, attachments=tuple(rest))
    erased = [gone.blob_id] if gone is not None and gone.blob_id else []
    await _settle(draft, chosen, unit, desk, secretary, voice, Changes(blob_deletions=erased))


def _chosen(candidates: tuple[str, ...] | list[str], position: int, said: str) -> str | None:
    """What stands there, if it is still the list that was shown."""
    return candidates[position] if said == check(candidates) and 0 <= position < len(candidates) else None


async def _by_mail(desk: Desk, draft_id: str, secretary: Secretary) -> tuple[Draft, Conversation, Said | None]:
    draft = await desk.store.get(Draft, draft_id)
    require_author(draft, secretary)
    conversation = await desk.store.get(Conversation, draft.conversation_id)
    require_may_write(conversation, secretary)
    if conversation.chat_id is not None:
        raise InvalidTransition("error.copies_by_mail")
    return draft, conversation, await last_inbound(desk.store, conversation.id)


async def _settle(
    draft: Draft,
    chosen: Draft | None,
    unit: Unit,
    desk: Desk,
    secretary: Secretary,
    voice: Voice,
    besides: Changes | None = None,
) -> None:
    """Commit what was chosen, if anything, and show the preview as it is now. None: what was pressed is out of date."""
    if chosen is None:
        unit.say(voice.say("error.choice_changed"), alert=True)
    elif chosen != draft:
        chosen = changed(chosen, unit.now)
    newest = chosen or draft
    changes = Changes(replacements=[newest] if newest != draft else [])
    changes += Changes(inserts=[preview_for(secretary, newest, unit.now, fresh=False)])
    if newest != draft:
        changes += await told_approvers(desk.store, draft, newest, unit.now)
    await unit.commit(
        changes + (besides or Changes()), account_id=draft.account_id, conversation_id=draft.conversation_id
    )


async def name_copies(message: Message, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """`/cc a@b, c@d` in reply to a card or preview: they get a copy; with a minus before it, one gets none."""
    _, _, said = (message.text or "").partition(" ")
    words = [word for word in re.split(r"[\s,;]+", said) if word]
    if not words:
        raise InvalidTransition("error.cc_how")
    if message.reply_to_message is None and message.message_thread_id is None:
        raise InvalidTransition("error.cc_reply")
    conversation, seen, _ = await addressed(message, unit, desk)
    if conversation.chat_id is not None:
        raise InvalidTransition("error.copies_by_mail")
    existing = await find_open(desk.store, conversation.id, secretary.id)
    require_may_write(conversation, secretary)
    draft = existing or written(None, conversation, secretary, "", (), seen, None, unit.now)
    for word in words:
        wanted, address = not word.startswith("-"), word.lstrip("-").strip("<>")
        if not ADDRESS.fullmatch(address):
            raise InvalidTransition("error.no_address", address=address)
        draft = with_copy(draft, address.lower(), wanted=wanted)
    draft = changed(draft, unit.now)
    changes = Changes(replacements=[draft]) if existing else Changes(inserts=[draft])
    changes += Changes(inserts=[preview_for(secretary, draft, unit.now, fresh=True)])
    if existing is not None:
        changes += await told_approvers(desk.store, existing, draft, unit.now)
    await unit.commit(changes, account_id=conversation.account_id, conversation_id=conversation.id)
