"""What documents are made of: their ids, their common form, and the parts several of them share."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

import msgspec
import uuid_utils

AccountId = NewType("AccountId", str)
BlobId = NewType("BlobId", str)
ChannelId = NewType("ChannelId", str)
ContactId = NewType("ContactId", str)
ConversationId = NewType("ConversationId", str)
DeliveryId = NewType("DeliveryId", str)
DraftId = NewType("DraftId", str)
MessageId = NewType("MessageId", str)
ReceiptId = NewType("ReceiptId", str)
SecretaryId = NewType("SecretaryId", str)
SlipId = NewType("SlipId", str)

PHONE = ChannelId("phone")
"""By which a call came that is passed on to nobody by mail."""

UNSORTED = AccountId("unsorted")
"""The lane of requests whose account is not known yet; only supervisors see it."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A value inside a document; it has no life of its own."""


def new_id() -> str:
    """A UUIDv7: unique everywhere, and increasing within this process even if the clock steps back."""
    return str(uuid_utils.uuid7())


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Anything the store keeps. `version` is 0 until it was first committed."""

    id: str
    version: int = 0


class Because(Part, frozen=True, kw_only=True):
    """A reason people can read: the key of a sentence in the catalogue and its arguments."""

    key: str
    args: dict[str, str] = msgspec.field(default_factory=dict)


class AttachmentKind(StrEnum):
    """How a file is shown and handed on."""

    FILE = "file"
    PHOTO = "photo"
    VOICE = "voice"
    AUDIO = "audio"
    VIDEO = "video"


class Attachment(Part, frozen=True, kw_only=True):
    """A file that came with a message; found by `path`, never copied."""

    name: str
    media_type: str
    size: int
    """Octets once decoded; 0 where the source did not say."""
    kind: AttachmentKind = AttachmentKind.FILE
    path: str
    """In a mail the part's number in its tree (`2.1`); in Telegram the file id."""
    held_by: ChannelId | None = None
    """The bot whose file id that is, where it is of a secretary's: a file id means something to one bot only."""
    seconds: int = 0
    """How long a sound lasts; 0 where nothing says so."""
    blob_id: BlobId | None = None
    """Where we keep its octets ourselves: a secretary's file that leaves by another way than it came."""


class Entity(Part, frozen=True, kw_only=True):
    """A stretch of formatted text, in UTF-16 units. Source: Bot API MessageEntity."""

    type: str
    offset: int
    length: int
    url: str | None = None
    """Where a link leads that is behind the words."""


class Button(Part, frozen=True, kw_only=True):
    """One button under a message: either `data` (1–64 bytes) or `url`."""

    text: str
    data: str | None = None
    url: str | None = None
