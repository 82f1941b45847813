"""What strangers wrote, made fit for a screen of ours: it can pass for nothing but their words.

Nothing stored is changed; this is only how it is shown.
"""

from __future__ import annotations

import re
import unicodedata

from inbox.styles import units as units


def shortened(text: str, most: int) -> str:
    """The text, cut with an ellipsis when it is longer than `most` units; never inside a character.

    Half a character (a lone surrogate) cannot be sent at all: it is left out.
    """
    encoded = text.encode("utf-16-le", "surrogatepass")
    if len(encoded) <= most * 2:
        return encoded.decode("utf-16-le", "ignore")
    return encoded[: (most - 1) * 2].decode("utf-16-le", "ignore").rstrip() + "…"


MOST_SEEN = 16_384
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
# Unicode TR 9: what turns the text around it, and, left open, all that follows.
_DIRECTIONS = "\u202a-\u202e\u2066-\u2069"
# Unicode TR 36 §2.10: letters and spaces nobody sees. Joiners are none: emoji and Persian are made with them.
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"[{_CONTROLS}{_DIRECTIONS}{_INVISIBLE}]")
_JOINERS = re.compile("([\u200c\u200d])[\u200c\u200d]+")
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0e31\u0e34-\u0e3a"
    "\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
)
# No language stacks more than four on a letter; a hundred cover the lines above and below.
_FLOOD = re.compile(f"([{_MARKS}]{{4}})[{_MARKS}]+")


def legible(text: str) -> str:
    """Words of several lines without what cannot be seen, turns them around or spills over the lines beside them.

    Of very many only the first are looked at: no screen shows more.
    """
    seen = text if len(text) <= MOST_SEEN else text[:MOST_SEEN] + "…"
    return _FLOOD.sub(r"\1", _JOINERS.sub(r"\1", _HIDDEN.sub("", seen))).strip()


# The marks that say one's own direction inside a text; a name needs none.
_IN_NAMES = re.compile("[\u200e\u200f\u061c]")
_AT_THE_EDGE = re.compile(f"^[{_MARKS}\u200c\u200d\\s]+|[\u200c\u200d\\s]+$")


def one_line(text: str, most: int = 120) -> str:
    """A name or a subject that cannot break out of its line, nor turn the line around (Unicode TR 9)."""
    # Where a line ends first: what is hidden may be what ends it.
    text = _IN_NAMES.sub("", legible(" ".join(text[:MOST_SEEN].split())))
    return shortened(_AT_THE_EDGE.sub("", text), most)


# What begins or parts the desk's own lines.
_OURS = re.compile("[👤📌📥🟢🔒⏳✓✔💬↩✉✈📎🖼🎤🎵🎬⛔🔗⚠📅📇🔏]\ufe0f?|(?<!\\S)·(?!\\S)")


def person(name: str, most: int = 120) -> str:
    """What somebody calls themselves, without the signs by which the desk says something."""
    return one_line(_OURS.sub(" ", name), most)


# ---------------------------------------------------------------- look-alikes

_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
"""Alphabets with letters that look alike. A word in two of them is nobody's (Unicode TR 39 §5)."""
_WORD = re.compile(r"[^\W\d_]+")


def mixes_alphabets(text: str) -> bool:
    """Whether one of its words is written in two alphabets that look alike, as Latin and Cyrillic do."""
    return not text.isascii() and any(len(_alphabets(word)) > 1 for word in _WORD.findall(text[:1000]))


def _alphabets(word: str) -> set[str]:
    return {script for letter in set(word) for script in _SCRIPTS if unicodedata.name(letter, "").startswith(script)}


_ADDRESS = re.compile(r"[^\s<>()\"',;:@]+@[^\s<>()\"',;:@]+\.\w+")


def names_another_address(name: str, address: str) -> bool:
    """Whether somebody calls themselves by an address that is not theirs: "paul@client.test" <x@stranger.test>."""
    return bool(address) and any(found.lower() != address.lower() for found in _ADDRESS.findall(name[:1000]))


def same_name(one: str, other: str) -> bool:
    """Whether two names read alike: without accents, capitals, signs and what is hidden."""
    return bool(one) and _skeleton(one) == _skeleton(other) != ""


def _skeleton(name: str) -> str:
    whole = unicodedata.normalize("NFKD", name[:1000]).casefold()
    return "".join(character for character in whole if character.isalnum())
