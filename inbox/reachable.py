"""Whether a contact can still be written to where a conversation is held, and how else they can be reached."""

from __future__ import annotations

from collections.abc import Iterable

from inbox.errors import InvalidTransition
from inbox.model import Address, AddressKind, Conversation
from inbox.store.base import Store
from inbox.store.documents import ADDRESS_BY_VALUE


def is_blocked(addresses: Iterable[Address], conversation: Conversation) -> bool:
    """Whether its contact refuses our messages in the chat it is held in, or has no Telegram any more."""
    return any(address.blocked_at is not None and _is_there(address, conversation) for address in addresses)


def other_ways(addresses: Iterable[Address], conversation: Conversation) -> list[str]:
    """The addresses at which its contact may be reached besides: mail and telephone, in words."""
    return [
        address.value
        for address in addresses
        if address.kind is not AddressKind.TELEGRAM and not address.value.startswith("unknown:")
        if not _is_there(address, conversation)
    ]


async def require_reachable(store: Store, conversation: Conversation) -> None:
    """Hold that what is written in a conversation can arrive.

    Raises:
        InvalidTransition: its contact has blocked the bot, or left Telegram.
    """
    if conversation.chat_id is None:
        return
    # In a private chat, the chat's number is its user's (Bot API, Chat).
    address = await store.find_by(
        ADDRESS_BY_VALUE, conversation.account_id, AddressKind.TELEGRAM, str(conversation.chat_id)
    )
    if address is not None and is_blocked([address], conversation):
        raise InvalidTransition("error.client_blocked")


def _is_there(address: Address, conversation: Conversation) -> bool:
    return (
        address.kind is AddressKind.TELEGRAM
        and address.chat_id == conversation.chat_id
        and address.channel_id == conversation.channel_id
        and conversation.through is None  # whoever blocks a bot blocks nobody's own Telegram
    )
