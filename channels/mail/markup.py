"""What a person wrote, as a letter shows it: words alone, and as HTML set as they were."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from inbox import styles
from inbox.parts import Entity

_LINK = re.compile(r"https?://[^\s<>\"']{0,2000}[^\s<>\"'.,;:!?)\]]")
_TAGS = {"bold": "b", "italic": "i", "underline": "u", "strikethrough": "s", "code": "code"}
_QUOTE = '<blockquote style="margin:0 0 0 .8ex;border-left:2px solid #999;padding-left:1ex">'


def plain(text: str, set_as: Sequence[Entity]) -> str:
    """The words, with the address of every link behind it."""
    links = {s.offset + s.length: s.url for s in set_as if s.type == "text_link" and s.url}
    written, at = "", 0
    for stretch, active in styles.runs(text, set_as):
        at += styles.units(stretch)
        written += stretch
        url = links.get(at)
        if url and any(s.type == "text_link" for s in active) and url != stretch:
            written += f" ({url})"
    return written


def styled(text: str, set_as: Sequence[Entity]) -> str:
    """The words as HTML: escaped, their lines and spaces kept, set as their author set them."""
    done: list[str] = []
    open_block: Entity | None = None
    for stretch, active in styles.runs(text, set_as):
        block = next((s for s in active if s.type in styles.BLOCKS), None)
        if block is not open_block:
            done.append(_end(open_block))
            done.append(_beginning(block))
            open_block = block
        done.append(_inline(stretch, active))
    return "".join([*done, _end(open_block)])


def _beginning(block: Entity | None) -> str:
    if block is None:
        return ""
    return '<pre style="white-space:pre-wrap">' if block.type == "pre" else _QUOTE


def _end(block: Entity | None) -> str:
    if block is None:
        return ""
    return "</pre>" if block.type == "pre" else "</blockquote>"


def _inline(stretch: str, active: Sequence[Entity]) -> str:
    link = next((s.url for s in active if s.type == "text_link"), None)
    words = _escaped(stretch) if link else marked_up(stretch)
    for each in active:
        tag = _TAGS.get(each.type)
        words = f"<{tag}>{words}</{tag}>" if tag else words
    return f'<a href="{html.escape(link, quote=True)}">{words}</a>' if link else words


def marked_up(text: str) -> str:
    """Plain text as HTML: escaped, its lines and spaces kept, its links links."""
    done: list[str] = []
    at = 0
    for link in _LINK.finditer(text):
        url = html.escape(link[0], quote=True)
        done += [_escaped(text[at : link.start()]), f'<a href="{url}">{url}</a>']
        at = link.end()
    done.append(_escaped(text[at:]))
    return "".join(done)


def _escaped(text: str) -> str:
    return html.escape(text).replace("  ", " &nbsp;").replace("\n", "<br>\n")
