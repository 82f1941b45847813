"""What those an account belongs to are told by itself, in their own chat with the desk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from channels.base import Chat
from channels.errors import PermanentFailure
from handlers.desk import Desk
from handlers.digests import digest_screen, digests_for
from handlers.drafts import current_key, message_key
from handlers.panels import message_of
from handlers.rota import alarm_screen
from handlers.slips import call_words, taken_screen
from handlers.views import Voice
from inbox.model import (
    Account,
    Alarm,
    Contact,
    Conversation,
    Delivery,
    Direction,
    Message,
    Principal,
    Secretary,
    Shown,
    ShownKind,
)
from inbox.notices import AlarmNotice, DigestNotice, TakenNotice
from inbox.parts import SecretaryId, new_id
from inbox.store.base import Changes
from inbox.store.documents import MESSAGES_OF_CONVERSATION, SHOWN_CURRENT

LOOKS_BACK = 12
"""Messages among which the last that people wrote is looked for."""


class Told:
    """Tells them, from the newest facts at the moment it is handed over."""

    def __init__(self, desk: Desk, chat: Callable[[Delivery], Chat]) -> None:
        """Begin.

        Args:
            chat: asked for last, once everything is read (see `Handover._require_lease`).
        """
        self._desk = desk
        self._chat = chat

    async def show(self, delivery: Delivery, payload: TakenNotice | DigestNotice | AlarmNotice) -> tuple[str, Changes]:
        """Show one; what the other side calls it, and what to commit beside that."""
        match payload:
            case TakenNotice():
                return await self._taken(delivery, payload)
            case DigestNotice():
                return await self._digest(delivery, payload)
            case AlarmNotice():
                return await self._alarm(delivery, payload)

    def _voice(self, principal: Principal) -> Voice:
        return Voice(self._desk.texts, principal.language, self._desk.time_zone, self._desk.clock())

    async def _taken(self, delivery: Delivery, payload: TakenNotice) -> tuple[str, Changes]:
        store = self._desk.store
        principal = await store.get(Principal, payload.principal_id)
        message = await store.get(Message, payload.message_id)
        account = self._desk.accounts.get(message.account_id)
        if account is None or not principal.active or account.id not in principal.accounts:
            # Somebody who was dismissed meanwhile reads nothing more; the desk learns that it reached nobody.
            raise PermanentFailure(delivery.channel_id, "speaks for it no longer", reason="failure.dismissed")
        conversation = await store.get(Conversation, message.conversation_id)
        contact = await store.get(Contact, conversation.contact_id)
        told = Voice(self._desk.texts, account.language, account.time_zone, self._desk.clock())
        words = call_words(message, contact, self._desk.country, told)
        by = await store.find(Secretary, payload.secretary_id) if account.show_names else None
        screen = taken_screen(words, account, by.name if by is not None else "", self._voice(principal))
        alarm = await store.find(Alarm, conversation.id)
        is_called = alarm is not None and principal.id in alarm.called  # and rung by that
        shown = message_of(principal, screen, silent=payload.quiet or is_called)
        return (await self._chat(delivery).show(shown)).reference, Changes()

    async def _digest(self, delivery: Delivery, payload: DigestNotice) -> tuple[str, Changes]:
        principal = await self._desk.store.get(Principal, payload.principal_id)
        if not principal.active:
            return "", Changes()
        digests = await digests_for(self._desk, principal, payload)
        shown = message_of(principal, digest_screen(digests, payload, self._voice(principal)), silent=payload.quiet)
        return (await self._chat(delivery).show(shown)).reference, Changes()

    async def _alarm(self, delivery: Delivery, payload: AlarmNotice) -> tuple[str, Changes]:
        """A call that rings, for whoever is on call and as long as it is one; or what it became, in its place."""
        desk, store, now = self._desk, self._desk.store, self._desk.clock()
        principal = await store.get(Principal, payload.principal_id)
        conversation = await store.get(Conversation, payload.conversation_id)
        alarm = await store.get(Alarm, conversation.id)
        account = desk.accounts.get(conversation.account_id) or await store.get(Account, conversation.account_id)
        is_theirs = principal.active and account.id in principal.accounts and alarm.account_id == account.id
        key = current_key(principal.id, ShownKind.ALARM, conversation.id)
        current = await store.find_by(SHOWN_CURRENT, key)
        if not is_theirs or (payload.fresh and alarm.due_at is None) or (not payload.fresh and current is None):
            return "", Changes()
        if payload.fresh and current is not None and current.shown_at >= delivery.created_at:
            return "", Changes()  # calls that waited for Telegram to come back are one call
        newest = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True, limit=LOOKS_BACK)
        said = _last_said(newest)
        contact = await store.get(Contact, conversation.contact_id)
        voice = Voice(desk.texts, principal.language, account.time_zone, now)
        words = call_words(said, contact, desk.country, voice) if said is not None else ""
        screen = alarm_screen(alarm, conversation, account, contact.name, words, voice)
        chat = self._chat(delivery)
        if current is not None and not payload.fresh:
            try:
                edited = message_of(principal, screen, edits=current.telegram_message_id)
                return (await chat.show(edited)).reference, Changes()
            except PermanentFailure as failure:
                if failure.reason != "failure.cannot_edit":
                    raise
        sent = await chat.show(message_of(principal, screen))
        shown = Shown(
            id=new_id(),
            secretary_id=SecretaryId(principal.id),
            kind=ShownKind.ALARM,
            message_key=message_key(delivery.channel_id, principal.chat_id, int(sent.reference)),
            telegram_message_id=int(sent.reference),
            conversation_id=conversation.id,
            shown_inbound=conversation.inbound_count,
            fingerprint="",
            current_key=key,
            shown_at=now,
        )
        older = [msgspec.structs.replace(current, current_key=None)] if current is not None else []
        return sent.reference, Changes(inserts=[shown], replacements=older)


def _last_said(newest: Sequence[Message]) -> Message | None:
    """What people last wrote or said, of the newest messages."""
    came = (m for m in newest if m.direction is Direction.INBOUND)
    return max(came, key=lambda m: m.position, default=None)
