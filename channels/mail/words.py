"""The words of a mail: which of its parts are shown, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from channels.mail.headers import decode_octets
from channels.mail.html import html_to_text
from channels.mail.parts import Part, Tree, decode_part

LONGEST_TEXT = 100_000
"""Characters of a mail's text that are kept."""
MOST_OCTETS = 2 * 2**20
"""Of an encoded text that are decoded: even as quoted-printable UTF-8 that is more than is kept."""


class _Words(NamedTuple):
    """What a part says, and whether some of it was left out."""

    text: str
    is_cut: bool


class Text:
    """Chooses the parts whose words are shown; every other one is a file."""

    def __init__(self, tree: Tree) -> None:
        self.files: list[Part] = []
        self._raw = tree.raw
        self._read: dict[str, _Words] = {}
        pieces: list[str] = []
        room = LONGEST_TEXT
        self.is_cut = False
        for part in self._shown(tree.root, self.files):
            if room <= 0:
                self.is_cut = True
                break
            words = self._words(part)
            self.is_cut |= words.is_cut or len(words.text) > room
            if words.text:
                pieces.append(words.text[:room])
                room -= len(words.text)
        self.text = "\n\n".join(pieces)[:LONGEST_TEXT]

    def _shown(self, part: Part, files: list[Part]) -> Iterator[Part]:
        if part.parts is None:
            if _is_text(part):
                yield part
            else:
                files.append(part)
        elif part.media_type == "multipart/alternative":
            yield from self._best(part, files)
        else:
            for child in part.parts:
                yield from self._shown(child, files)

    def _best(self, alternative: Part, files: list[Part]) -> list[Part]:
        """One of the forms of the same words: the plain one, unless it says nothing."""
        forms: list[list[Part]] = []
        for child in alternative.parts or ():
            mine: list[Part] = []
            forms.append(list(self._shown(child, mine)))
            # Another form of the same words is no file; a picture or an invitation is.
            files += [file for file in mine if not file.media_type.startswith("text/x-amp")]
        plain = [form for form in forms if form and all(part.media_type == "text/plain" for part in form)]
        others = [form for form in forms if form and form not in plain]
        for form in plain:
            said = self._said(form)
            # "Your mail program does not show HTML": what the mail says is then in the other form.
            apology = len(said) < 250 and _NEEDS_HTML.search(said)
            if said and not (apology and any(len(self._said(other)) > 4 * len(said) for other in others)):
                return form
        return next(iter((*others, *plain)), [])

    def _said(self, form: list[Part]) -> str:
        return "".join(self._words(part).text for part in form)

    def _words(self, part: Part) -> _Words:
        words = self._read.get(part.path)
        if words is None:
            words = self._read[part.path] = _read_words(self._raw, part)
        return words


_NEEDS_HTML = re.compile(r"\bhtml\b", re.I)


def _read_words(raw: bytes, part: Part) -> _Words:
    octets = decode_part(raw, part, MOST_OCTETS)
    is_cut = part.end - part.start > MOST_OCTETS
    charset = part.parameters.get("charset")
    if part.media_type == "text/html":
        if charset is None:
            declared = _META_CHARSET.search(octets[:4096])
            charset = declared[1].decode() if declared else None
        text, left_out = html_to_text(decode_octets(octets, charset))
        return _Words(tidied(text), is_cut or left_out)
    text = decode_octets(octets, charset)
    is_cut |= len(text) > 4 * LONGEST_TEXT
    text = text[: 4 * LONGEST_TEXT]
    if part.parameters.get("format", "").lower() == "flowed":
        text = _unwrapped(text, joined=part.parameters.get("delsp", "").lower() == "yes")
    return _Words(tidied(text), is_cut)


def _is_text(part: Part) -> bool:
    if part.media_type not in ("text/plain", "text/html"):
        return False
    return part.disposition[0] != "attachment" and not part.file_name


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff]")
_EMPTY_LINES = re.compile(r"\n{4,}")


def tidied(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # RFC 3676 §4.3: "-- " begins a signature.
    text = "\n".join([line if line == "-- " else line.rstrip(" \t\xa0") for line in lines])
    return _EMPTY_LINES.sub("\n\n\n", _UNSEEN.sub("", text)).strip("\n")


def _unwrapped(text: str, *, joined: bool) -> str:
    """Paragraphs as they were before they were wrapped to be sent (RFC 3676 §4)."""
    lines: list[str] = []
    open_at = -1  # the quote depth of the paragraph that the next line continues
    for line in text.replace("\r\n", "\n").split("\n"):
        words = line.lstrip(">")
        depth = len(line) - len(words)
        words = words[1:] if words.startswith(" ") else words
        if depth == open_at and words != "-- ":
            lines[-1] += words
        else:
            lines.append(f"{'>' * depth} {words}" if depth else words)
        flows = words.endswith(" ") and words != "-- "
        if flows and joined:
            lines[-1] = lines[-1][:-1]
        open_at = depth if flows else -1
    return "\n".join(lines)
