"""The words by which what is stored is found again. Pure; every store indexes exactly these.

A word is compared without capitals and accents; apostrophes, hyphens and all
else that is no letter or digit part words; a telephone number is one word
more, however it is spaced and with or without its country's code.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from inbox.model import Address, Contact, Conversation, Message
from inbox.parts import AccountId, Document

SEARCHED: Final[tuple[type[Document], ...]] = (Message, Conversation, Contact, Address)
"""The kinds of document that are found by their words."""

MOST_WORDS = 4000
"""Different words of one document that are indexed: of a longer text, the first."""
LONGEST_WORD = 40
"""Letters of a word that are compared."""
MOST_SOUGHT = 8
"""Words of a query that count."""
SHORTEST_BEGINNING = 3
"""Letters from which the last word of a query also finds words that begin with it."""
MOST_CHECKED = 500
"""Documents with all the words, the newest, in which a store looks whether they stand as they were quoted."""
MOST_READ = 2**20
"""Octets of those, as they are stored: of long mails fewer are looked into."""

_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_QUOTED = re.compile(r'["«»“”„‟]([^"«»“”„‟]*)(["«»“”„‟]|\Z)')
"""Telephones write their own quotation marks; one that is not closed goes to the end."""
_TELEPHONE = re.compile(r"\d(?:[ .\-/()\u00a0\u202f]{0,2}\d){8,14}(?!\d)")
_SUBSCRIBER = 9
"""The last digits of a telephone number, by which it is compared: those before them say how it is dialled."""


class Sought(NamedTuple):
    """What a query asks for: every one of these words, the last perhaps only begun."""

    words: tuple[str, ...]
    begun: str | None = None
    phrases: tuple[str, ...] = ()
    """What was quoted: words that stand next to one another in one text, a space before each and behind the last, which
    is only begun where no space follows it. They are among the words too."""

    def __bool__(self) -> bool:
        return bool(self.words or self.begun)

    def meets(self, word: str) -> bool:
        """Whether a word of a text is one that is asked for."""
        return word in self.words or (self.begun is not None and word.startswith(self.begun))

    def is_quoted_in(self, document: Document) -> bool:
        """Whether a document that has the words has them as they were quoted."""
        if not self.phrases:
            return True
        texts = [_spread(text) for text in _texts(document)]
        return all(any(_one_after_another(phrase).search(text) for text in texts) for phrase in self.phrases)


def sought(query: str) -> Sought:
    """The query's words, in the form in which they are indexed; nothing where it has none."""
    loose = _QUOTED.sub(" ", query)
    numbers = [_subscriber(found) for found in _TELEPHONE.finditer(loose)]
    rest = _TELEPHONE.sub(" ", loose)
    words = _plain_words(rest)
    last = words[-1] if words and not numbers and rest[-1:].strip() else ""
    phrases = []
    for found in _QUOTED.finditer(query):
        if not (quoted := _WORD.findall(_spread(found[1]))):
            continue
        ended = bool(found[2]) or not found[1][-1:].strip()
        phrases.append(f" {' '.join(quoted)}{' ' if ended else ''}")
        if not ended:
            last = quoted.pop()[:LONGEST_WORD]
        words += [word[:LONGEST_WORD] for word in quoted if _counts(word)]
    begun = last if len(last) >= SHORTEST_BEGINNING else None
    exact = [word for word in words if word != begun]
    return Sought(tuple(dict.fromkeys([*numbers, *exact]))[:MOST_SOUGHT], begun, tuple(phrases))


def words_of(document: Document) -> str:
    """By which words a document is found, spaces between; its account's mark is the first."""
    return _indexed(document.account_id, _texts(document))  # type: ignore[attr-defined]  # or it has no texts


def _texts(document: Document) -> tuple[str, ...]:
    match document:
        case Message():
            names = (attachment.name for attachment in document.attachments)
            parts = (document.subject, document.author_name, document.author_address, *names, document.text)
            return (*parts, *document.recipients, *(f"{f.name} {f.address}" for f in document.particulars.forwards))
        case Conversation():
            return (document.subject, *document.tags, *document.participants)
        case Contact():
            return (document.name, document.note)
        case Address():
            return (document.value,)
    raise TypeError(f"{type(document).__name__} is not searched")


@lru_cache(maxsize=4096)
def mark(account_id: AccountId) -> str:
    """What stands for an account among a document's words: no text has such a word."""
    return f"in:{hashlib.sha256(account_id.encode()).hexdigest()[:16]}"


def passage(text: str, query: Sought, around: int = 45) -> str:
    """Where in a text what was quoted stands, or else one of the words, with what surrounds it; "" where none does."""
    text = unicodedata.normalize("NFC", text)
    at = _quoted(text, query.phrases) if query.phrases else None
    if at is None:
        at = next((at for at, word in _words(text) if query.meets(word)), None)
    if at is None:
        numbers = (found.start() for found in _TELEPHONE.finditer(text) if _subscriber(found) in query.words)
        at = next(numbers, None)
    if at is None:
        return ""
    begin = max(at - around // 2, 0)
    shown = " ".join(text[begin : at + around].split())
    return f"{'…' if begin else ''}{shown}{'…' if at + around < len(text) else ''}"


def _indexed(account_id: AccountId, texts: Iterable[str]) -> str:
    words: dict[str, None] = {mark(account_id): None}
    for text in texts:
        words.update(dict.fromkeys(_plain_words(text)))
        for found in _TELEPHONE.finditer(text):
            words[_subscriber(found)] = None
        if len(words) > MOST_WORDS:
            break
    return " ".join([*words][:MOST_WORDS])


def _plain_words(text: str) -> list[str]:
    # A lone letter is what an apostrophe leaves: l’heure, d’accord.
    # An accent that follows its letter as a sign of its own would part the word. Folded is what is left once every word
    # stands there once: that is a quarter of a mail.
    different = dict.fromkeys(_WORD.findall(unicodedata.normalize("NFC", text)))
    different = dict.fromkeys(_WORD.findall(_folded(" ".join(different))))
    return [word[:LONGEST_WORD] for word in different if _counts(word)]


def _counts(word: str) -> bool:
    return len(word) > 1 or word.isdigit()


def _spread(text: str) -> str:
    """A text without capitals and accents, in which whatever parts words is no letter of a word for `re` either."""
    return _folded(unicodedata.normalize("NFC", text)).replace("_", " ")


@lru_cache(maxsize=256)
def _one_after_another(phrase: str) -> re.Pattern[str]:
    """Finds in what is spread the words of a phrase."""
    ends = r"\b" if phrase.endswith(" ") else ""
    return re.compile(r"\b" + r"\W+".join(phrase.split()) + ends)


def _quoted(text: str, phrases: Iterable[str]) -> int | None:
    """Where in a text the first of the phrases begins that it has."""
    spread = _spread(text)
    found = next((found for phrase in phrases if (found := _one_after_another(phrase).search(spread))), None)
    if found is None:
        return None
    before = len(_WORD.findall(spread, 0, found.start()))
    return next((word.start() for word in islice(_WORD.finditer(text), before, None)), None)


def _words(text: str) -> Iterator[tuple[int, str]]:
    for found in _WORD.finditer(unicodedata.normalize("NFC", text)):
        for word in _plain_words(found[0]):
            yield found.start(), word


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    plain = text.casefold().replace("œ", "oe").replace("æ", "ae")
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", plain)).casefold()


def _subscriber(found: re.Match[str]) -> str:
    return re.sub(r"\D", "", found[0])[-_SUBSCRIBER:]
