"""The words of a mail: which of its parts are shown, and what they say."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from channels.mail.attachments import file_name
from channels.mail.containers import inside, is_cms, is_winmail, without
from channels.mail.headers import decode_octets, read_ids
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
        self.pages: list[Part] = []
        """The HTML parts among those whose words are shown, or are the same as those shown."""
        self._tree = tree
        self._raw = tree.raw
        self._read: dict[str, _Words] = {}
        self._last_resort: list[Part] = []
        self._by_id: dict[str, Part] | None = None
        self._marked: set[str] = set()
        self.text, self.is_cut = self._joined(self._shown(tree.root, self.files))
        if not self.text and self._last_resort:
            self.text, is_cut = self._joined(iter(self._last_resort))
            self.is_cut |= is_cut

    def _joined(self, parts: Iterator[Part]) -> tuple[str, bool]:
        pieces: list[str] = []
        pictures: list[str] = []
        room = LONGEST_TEXT
        cut = False
        for part in parts:
            if room <= 0:
                cut = True
                break
            if part.media_type.startswith("image/"):
                # Between two texts, as Apple Mail puts it: there is its place.
                if pieces and part.path not in self._marked:
                    pictures.append(picture_mark(file_name(self._raw, part)))
                continue
            words = self._words(part)
            if words.text and pictures:
                pieces += pictures
                room -= sum(map(len, pictures))
                pictures = []
            cut |= words.is_cut or len(words.text) > room
            if words.text:
                pieces.append(words.text[: max(room, 0)])
                room -= len(words.text)
        return "\n\n".join(pieces)[:LONGEST_TEXT], cut

    def _shown(self, part: Part, files: list[Part]) -> Iterator[Part]:
        """The parts whose words are shown, and the pictures that stand among them."""
        if part.parts is None:
            yield from self._leaf(part, files)
        elif part.media_type == "multipart/alternative":
            yield from self._best(part, files)
        else:
            among_words = part.media_type == "multipart/mixed"
            for child in part.parts:
                if among_words and child.media_type.startswith("image/") and child.disposition[0] != "attachment":
                    files.append(child)
                    yield child
                else:
                    yield from self._shown(child, files)

    def _leaf(self, part: Part, files: list[Part]) -> Iterator[Part]:
        if _is_text(part):
            if part.media_type == "text/html":
                self.pages.append(part)
            else:
                files += inside(self._tree, part)
            yield part
            return
        if not (is_winmail(part) or is_cms(part)):
            files.append(part)
            if _is_other_text(part):
                self._last_resort.append(part)
            return
        found = inside(self._tree, part)
        if is_cms(part) or not found:
            files.append(part)
        for child in found:
            if is_cms(part):
                yield from self._shown(child, files)
            elif child.path.endswith("/text"):
                # The mail's own words say the same where there are any.
                self._last_resort.append(child)
                self.pages += [child] if child.media_type == "text/html" else []
            else:
                files.append(child)

    def _best(self, alternative: Part, files: list[Part]) -> list[Part]:
        """One of the forms of the same words: the plain one, unless it says nothing."""
        forms: list[list[Part]] = []
        for child in alternative.parts or ():
            mine: list[Part] = []
            forms.append(list(self._shown(child, mine)))
            # Another form of the same words is no file; a picture or an invitation is.
            files += [file for file in mine if not file.media_type.startswith("text/x-amp")]
        plain = [form for form in forms if form and all(part.media_type != "text/html" for part in form)]
        others = [form for form in forms if form and form not in plain]
        for form in plain:
            said = self._said(form)
            # "Your mail program does not show HTML": what the mail says is then in the other form.
            apology = len(said) < 250 and _NEEDS_HTML.search(said)
            if said and not (apology and any(len(self._said(other)) > 4 * len(said) for other in others)):
                return form
        return next(iter((*others, *plain)), [])

    def _said(self, form: list[Part]) -> str:
        return "".join(self._words(part).text for part in form if not part.media_type.startswith("image/"))

    def _words(self, part: Part) -> _Words:
        words = self._read.get(part.path)
        if words is None:
            words = self._read[part.path] = self._read_words(part)
        return words

    def _read_words(self, part: Part) -> _Words:
        octets = without(part.inside, MOST_OCTETS) if part.inside else decode_part(self._raw, part, MOST_OCTETS)
        is_cut = part.end - part.start > MOST_OCTETS
        charset = part.parameters.get("charset")
        if part.media_type == "text/html":
            if charset is None:
                declared = _META_CHARSET.search(octets[:4096])
                charset = declared[1].decode() if declared else None
            text, left_out = html_to_text(self._with_pictures(decode_octets(octets, charset)))
            return _Words(tidied(text), is_cut or left_out)
        text = decode_octets(octets, charset)
        is_cut |= len(text) > 4 * LONGEST_TEXT
        text = text[: 4 * LONGEST_TEXT]
        if part.media_type in _ENRICHED:
            text = _without_commands(text)
        if part.parameters.get("format", "").lower() == "flowed":
            text = _unwrapped(text, joined=part.parameters.get("delsp", "").lower() == "yes")
        return _Words(tidied(text), is_cut)

    def _with_pictures(self, page: str) -> str:
        """A page with the names of the mail's own pictures in their places.

        Pictures from elsewhere show nothing: they are decoration, or count who reads.
        """
        if "cid:" not in page and "CID:" not in page:
            return page
        if self._by_id is None:
            # RFC 2392: what a page can show.
            self._by_id = {}
            for part in _leaves(self._tree):
                for each in read_ids(part.fields.get("content-id", ()), 1):
                    self._by_id.setdefault(each.lower(), part)
        by_id = self._by_id

        def name_of(picture: re.Match[str]) -> str:
            source = _SOURCE.search(picture[0])
            if source is None or len({side.lower() for side in _POINT.findall(picture[0])}) == 2:
                return picture[0]
            part = by_id.get(html.unescape(unquote(source[1])).lower())
            if part is None:
                return picture[0]
            self._marked.add(part.path)
            return html.escape(picture_mark(file_name(self._raw, part)))

        return _PICTURE.sub(name_of, page)


_NEEDS_HTML = re.compile(r"\bhtml\b", re.I)


def _leaves(tree: Tree) -> Iterator[Part]:
    for leaf in tree.root.leaves():
        yield leaf
        for child in leaf.inside or ():
            yield from child.leaves()


# ---------------------------------------------------------------- pictures

_PICTURE = re.compile(r"<img\b[^<>]{0,8000}>", re.I)
_SOURCE = re.compile(r"\bsrc\s{0,9}=\s{0,9}[\"']?\s{0,9}cid:([^\"'\s>]{1,900})", re.I)
_POINT = re.compile(r"\b(width|height)\s{0,9}[=:]\s{0,9}[\"']?\s{0,9}[01](?:px)?(?![\w.%])", re.I)


def picture_mark(name: str) -> str:
    """What stands in a text where a picture of the mail is shown, in every language the same."""
    return f"[🖼 {name}]"


# ---------------------------------------------------------------- words

# What is text for programs, or another form of a text that is there.
_NO_WORDS = frozenset(
    (
        *("text/calendar", "text/x-vcalendar", "text/vcard", "text/x-vcard", "text/directory", "text/x-amp-html"),
        *("text/watch-html", "text/css", "text/csv", "text/xml", "text/rtf", "text/rfc822", "text/rfc822-headers"),
        *("text/rfc822-header", "text/javascript", "text/x-moz-deleted", "text/tab-separated-values"),
    )
)
_ENRICHED = frozenset({"text/enriched", "text/richtext"})


def _is_text(part: Part) -> bool:
    return part.media_type in ("text/plain", "text/html") and part.disposition[0] != "attachment" and not part.file_name


def _is_other_text(part: Part) -> bool:
    """Whether it is a text of another kind, to be shown where nothing else is (RFC 2046 §4.1.4)."""
    if not part.media_type.startswith("text/") or part.media_type in _NO_WORDS:
        return False
    return part.disposition[0] != "attachment" and not part.file_name


_COMMAND = re.compile(r"<(/?)([a-zA-Z0-9-]{1,60})>|(<<)|(\n+)")
_SILENT = re.compile(r"<param>[^<]{0,1000}</param>", re.I)


def _without_commands(text: str) -> str:
    """The words of a text/enriched (RFC 1896)."""

    def shown(found: re.Match[str]) -> str:
        if found[3]:
            return "<"
        if found[4]:
            return " " if len(found[4]) == 1 else found[4][1:]
        return "\n" if found[2].lower() in ("nl", "paragraph") and not found[1] else ""

    return _COMMAND.sub(shown, _SILENT.sub("", text.replace("\r\n", "\n")))


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff]")
_EMPTY_LINES = re.compile(r"\n{4,}")


def tidied(text: str) -> str:
    """Text with LF ends, no trailing blanks, no control characters and at most two empty lines together."""
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
