"""What those an account belongs to are told by itself, in their own chat with the desk."""

from __future__ import annotations

from collections.abc import Callable

from channels.base import Chat
from channels.errors import PermanentFailure
from handlers.desk import Desk
from handlers.digests import digest_screen, digests_for
from handlers.panels import message_of
from handlers.slips import call_words, taken_screen
from handlers.views import Voice
from inbox.model import Contact, Conversation, Delivery, DigestNotice, Message, Principal, Secretary, TakenNotice
from inbox.store.base import Changes


class Told:
    """Tells them, from the newest facts at the moment it is handed over."""

    def __init__(self, desk: Desk, chat: Callable[[Delivery], Chat]) -> None:
        """Begin.

        Args:
            chat: asked for last, once everything is read (see `Handover._require_lease`).
        """
        self._desk = desk
        self._chat = chat

    async def show(self, delivery: Delivery, payload: TakenNotice | DigestNotice) -> tuple[str, Changes]:
        """Show one; what the other side calls it, and what to commit beside that."""
        match payload:
            case TakenNotice():
                return await self._taken(delivery, payload)
            case DigestNotice():
                return await self._digest(delivery, payload)

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
        shown = message_of(principal, screen, silent=payload.quiet)
        return (await self._chat(delivery).show(shown)).reference, Changes()

    async def _digest(self, delivery: Delivery, payload: DigestNotice) -> tuple[str, Changes]:
        principal = await self._desk.store.get(Principal, payload.principal_id)
        if not principal.active:
            return "", Changes()
        digests = await digests_for(self._desk, principal, payload)
        shown = message_of(principal, digest_screen(digests, payload, self._voice(principal)), silent=payload.quiet)
        return (await self._chat(delivery).show(shown)).reference, Changes()
