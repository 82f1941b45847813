"""What the people of the desk say to each other about a conversation: it stands in it, and never leaves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime

import msgspec

from inbox.assignment import require_serves
from inbox.errors import InvalidTransition
from inbox.model import Conversation, Direction, Message, Secretary
from inbox.parts import MessageId, new_id

LONGEST_NOTE = 4000
MOST_TAGS = 10
LONGEST_TAG = 30


def noted(conversation: Conversation, author: Secretary, text: str, now: datetime) -> tuple[Conversation, Message]:
    """The conversation with one more note, which counts as nothing its contact said.

    Raises:
        InvalidTransition: it says nothing.
        NotFound: it is not in an account she serves.
    """
    require_serves(author, conversation.account_id)
    text = text.strip()[:LONGEST_NOTE]
    if not text:
        raise InvalidTransition("error.empty_note")
    note_id = MessageId(new_id())
    note = Message(
        id=note_id,
        account_id=conversation.account_id,
        conversation_id=conversation.id,
        position=conversation.message_count + 1,
        direction=Direction.NOTE,
        channel_id=conversation.channel_id,
        author_id=author.id,
        author_name=author.name,
        text=text,
        external_id=f"note:{note_id}",
        created_at=now,
    )
    return msgspec.structs.replace(conversation, message_count=note.position), note


def mentioned(text: str, colleagues: Iterable[Secretary]) -> list[Secretary]:
    """Who is named in a note by @ and a word of their name, whatever the capitals and accents."""
    words = {plain(word) for word in re.findall(r"@([\w'’-]+)", text)}
    return [each for each in colleagues if words & {plain(word) for word in (*each.name.split(), each.name)}]


def plain(word: str) -> str:
    """A word as people mean it: without capitals and accents."""
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))


def tagged(conversation: Conversation, secretary: Secretary, words: str) -> Conversation:
    """The conversation marked with these words, parted by commas or line ends, in place of those it had.

    Raises:
        InvalidTransition: they are too many, or one is too long.
        NotFound: it is not in an account she serves.
    """
    require_serves(secretary, conversation.account_id)
    tags: dict[str, str] = {}
    for word in re.split(r"[,;\n]", words):
        said = " ".join(word.split()).lstrip("#").strip()
        if said:
            tags.setdefault(plain(said), said)
    if len(tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in tags.values()):
        raise InvalidTransition("error.tags", count=str(MOST_TAGS), most=str(LONGEST_TAG))
    return msgspec.structs.replace(conversation, tags=tuple(tags.values()))
