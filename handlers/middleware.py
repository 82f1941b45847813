"""Between an update and its handler: a rule that says no becomes one sentence for whoever pressed or wrote."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import Message, TelegramObject

from handlers.desk import Unit
from handlers.views import Voice
from inbox.errors import AlreadyAssigned, Conflict, InboxError, Stale
from inbox.model import Secretary
from inbox.outbox import sentence_for
from inbox.parts import Because
from inbox.store.base import Changes


class OneSentence(BaseMiddleware):
    """Says an InboxError to the secretary whose update caused it.

    A Conflict that only means "read again" is left on the unit: the receipt is handled anew.
    """

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Run the handler; turn a refusal into its sentence."""
        unit: Unit = data["unit"]
        try:
            if unit.refusal is not None:
                raise unit.refusal
            return await handler(event, data)
        except InboxError as error:
            if isinstance(error, Conflict) and not isinstance(error, AlreadyAssigned | Stale):
                # Not raised through aiogram, which would log each one as an error with its whole way.
                unit.conflict = error
                return None
            if unit.committed:
                raise
            try:
                await self._say(error, event, unit, data["secretary"], data["voice"])
            except Conflict as conflict:
                unit.conflict = conflict
            return None

    async def _say(
        self, error: InboxError, event: TelegramObject, unit: Unit, secretary: Secretary, voice: Voice
    ) -> None:
        if isinstance(event, Message):
            because = Because(key=error.key, args=error.args_shown)
            said = sentence_for(secretary, because, unit.now, reply_to=event.message_id)
            await unit.commit(Changes(inserts=[said]))
        else:
            await unit.commit(Changes())
            unit.say(voice.say(error.key, **error.args_shown), alert=True)
