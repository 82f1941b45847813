"""One person at their Telegram, as the demo's script and the tests play them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

from aiogram.filters.callback_data import CallbackData

from bot.demo.scene import User
from bot.demo.telegram_server import TelegramServer

Seen = dict[str, Any]
"""A message as a Telegram client has it (Bot API, Message)."""

PATIENCE = 20.0
"""Seconds anything may take to be seen."""


class NotSeen(Exception):
    """Somebody did not see what the desk promises."""


class Seat:
    """What a person can do at their Telegram, and what they see there."""

    def __init__(self, telegram: TelegramServer, person: User) -> None:
        self.person = person
        self._user = telegram.user(person.id, person.first_name, person.last_name)

    @property
    def messages(self) -> list[Seen]:
        """The chat with the desk's bot as it is on the screen, oldest first."""
        return self._user.messages()

    def say(self, text: str, *, reply_to: Seen | None = None) -> None:
        self._user.send_text(text, reply_to=reply_to["message_id"] if reply_to else None)

    async def press(self, message: Seen, button: type[CallbackData], *, label: str | None = None) -> str:
        """Press a button of a message, as it was when it was seen; what the toast or the alert says.

        Raises:
            NotSeen: it has no such button, or the press was not answered.
        """
        data = find_button(message, button, label)
        if data is None:
            raise NotSeen(
                f"{self.person.first_name} sees no button {label or button.__prefix__!r} on:\n{words(message)}"
            )
        try:
            return (await self._user.press(message["message_id"], data)).text
        except TimeoutError:
            raise NotSeen(f"nothing answered {self.person.first_name}'s press on {button.__prefix__!r}") from None

    async def sees(
        self, what: str, *parts: str, button: type[CallbackData] | None = None, seconds: float | None = None
    ) -> Seen:
        """The newest message of the bot that says all the parts and has the button, as soon as there is one.

        Raises:
            NotSeen: there is none in time; it tells what is there instead.
        """
        seconds = PATIENCE if seconds is None else seconds
        found = await self._user.wait_for(lambda message: says(message, parts, button), seconds=seconds)
        if found is None:
            newest = words(self.messages[-1]) if self.messages else "nothing at all"
            missing = f"{self.person.first_name} did not see {what} in {seconds:g} s"
            raise NotSeen(f"{missing} (looking for {parts}). The newest message is:\n{newest}")
        # as it is now: the one on the screen goes on changing
        return copy.deepcopy(found)

    def has(self, *parts: str, button: type[CallbackData] | None = None) -> bool:
        """Whether any message of the bot says all of this, and has the button."""
        return any(says(message, parts, button) for message in self.messages)


def says(message: Seen, parts: Iterable[str], button: type[CallbackData] | None = None) -> bool:
    """Whether a message is the bot's, says all the parts and has the button."""
    return (
        message["from"]["is_bot"]
        and all(part in words(message) for part in parts)
        and (button is None or find_button(message, button) is not None)
    )


def words(message: Seen) -> str:
    """What a message says."""
    return str(message.get("text") or message.get("caption") or "")


def number(message: Seen) -> str:
    """The conversation a message is about: its `#number`.

    Raises:
        NotSeen: it names none.
    """
    found = re.search(r"#\d+", words(message))
    if found is None:
        raise NotSeen(f"no conversation number in:\n{words(message)}")
    return found[0]


def labels(message: Seen) -> list[str]:
    """The buttons under a message, as they read."""
    return [button["text"] for button in _buttons(message)]


def find_button(message: Seen, kind: type[CallbackData], label: str | None = None) -> str | None:
    """The data of the button of that kind (and with that label) under a message."""
    for button in _buttons(message):
        data = str(button.get("callback_data") or "")
        of_kind = data.partition(kind.__separator__)[0] == kind.__prefix__
        if of_kind and (label is None or label in button["text"]):
            return data
    return None


def _buttons(message: Seen) -> list[dict[str, Any]]:
    keyboard = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    return [button for row in keyboard for button in row]
