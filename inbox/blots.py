"""What others wrote in a conversation somebody is forgotten from, without that person's addresses and name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import msgspec

from inbox.parts import BlobId
from inbox.personal import FIELDS, Holds

BLOT = "▒▒▒"
LONGEST_PHRASE = 400
"""Octets before an address among which the name it belongs to is looked for."""
S = TypeVar("S", bound=msgspec.Struct)
_EXACT = frozenset({"external_id", "lane", "message_id", "open_chat", "path", "sent_as"})
"""Fields by which something is found: never a word in them is the person's, and what they name is a colleague's."""
# The name an address belongs to, perhaps encoded (RFC 2047), perhaps on the line before.
_PHRASE = re.compile(rb'(?:"[^"\r\n]{0,300}"|[^,:;<>"\r\n]*)[ \t]*(?:\r?\n[ \t]+)?<\Z')


class Blots:
    """Blots a person out.

    Args:
        mail: their addresses.
        names: theirs; one of a single word may be anybody's, and stays.
        message_ids: of what they wrote.
    """

    def __init__(self, mail: Collection[str], names: Collection[str], message_ids: Collection[str]) -> None:
        self._mail = mail
        self._message_ids = message_ids
        names = [name for name in names if " " in name.strip()]
        self._words = re.compile(_any_of(*mail, *names, *message_ids), re.IGNORECASE)
        self._raw = re.compile(self._words.pattern.encode("utf-8", "surrogatepass"), re.IGNORECASE)
        self._addressed = re.compile(rb"<(?=(?:%s)>)" % _any_of(*mail).encode(), re.IGNORECASE)

    def text(self, text: str) -> str:
        """The text without them."""
        return self._words.sub(BLOT, text)

    def octets(self, raw: bytes) -> bytes:
        """A raw mail without them, as long as it was. What is encoded as a whole is not looked into."""
        blotted = bytearray(raw)
        for found in self._addressed.finditer(raw):
            # Looked for backwards from the address, and not far: a line of 30 MB must not cost its square.
            from_here = max(found.end() - LONGEST_PHRASE, 0)
            phrase = _PHRASE.search(raw, from_here, found.end())
            if phrase is not None:
                blotted[phrase.start() : phrase.end() - 1] = _crossed_out(raw[phrase.start() : phrase.end() - 1])
        for found in self._raw.finditer(raw):
            blotted[found.start() : found.end()] = _crossed_out(found[0])
        return bytes(blotted)

    def document(self, document: S, moved: Mapping[BlobId, BlobId]) -> S:
        """A document without them, its raw form where that is now."""
        after: dict[str, Any] = {}
        for field, holds in FIELDS[type(document)].items():
            value = getattr(document, field)
            if field == "blob_id" and value is not None:
                after[field] = moved.get(value, value)
            elif field == "references":
                after[field] = tuple(v for v in value if v not in self._message_ids)
            elif field not in _EXACT and holds in (Holds.CLIENT, Holds.PARTS):
                after[field] = self._value(value, moved)
        return msgspec.structs.replace(document, **after)

    def _value(self, value: Any, moved: Mapping[BlobId, BlobId]) -> Any:
        match value:
            case str():
                return "" if self._is_theirs(value) else self.text(value)
            case tuple():
                kept = (v for v in value if not (isinstance(v, str) and self._is_theirs(v)))
                return tuple(self._value(v, moved) for v in kept)
            case dict():
                return {name: self._value(v, moved) for name, v in value.items()}
            case msgspec.Struct():
                return self.document(value, moved)
        return value

    def _is_theirs(self, value: str) -> bool:
        return value.lower() in self._mail or value in self._message_ids


def _any_of(*words: str) -> str:
    """Any of these, but not as the end of something longer, nor its beginning."""
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(rf"(?<![\w.+%-]){re.escape(word)}(?![\w-]|\.\w)" for word in longest_first) or r"(?!)"


def _crossed_out(octets: bytes) -> bytes:
    return re.sub(rb'[^\s<>"]', b"x", octets)
