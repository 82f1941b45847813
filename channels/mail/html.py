"""What an HTML mail says, as plain text. Bounded in time and memory, whatever it is given."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.html_properties import Display
from inscriptis.model.config import ParserConfig
from inscriptis.model.css import CssParse
from inscriptis.model.html_element import HtmlElement
from inscriptis.model.tag import CustomHtmlTagHandlerMapping
from selectolax.lexbor import LexborHTMLParser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inscriptis.model.html_document_state import HtmlDocumentState

LONGEST = 300_000
"""Characters of markup that are looked at, styles and scripts not counted."""
# libxml2 drops what is nested deeper than 256 elements; lexbor takes time quadratic in the depth.
DEEPEST_FOR_INSCRIPTIS = 200
DEEPEST_FOR_LEXBOR = 2000

# A picture in the text, or the fifty thousand attributes that libxml2 compares with one another.
_ENDLESS_TAG = re.compile(r"<[a-zA-Z][^<>]{8000,}>?")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*+)[^<>]*+>")
# Elements without an end, or whose end is often left out.
_FLAT = frozenset(
    [
        *(
            "area",
            "base",
            "br",
            "col",
            "embed",
            "hr",
            "img",
            "input",
            "link",
            "meta",
            "param",
            "source",
            "track",
            "wbr",
        ),
        *("p", "li", "dt", "dd", "option", "td", "th", "tr", "tbody", "thead", "tfoot", "colgroup", "html", "body"),
    ]
)
_BLOCKS = "address,article,aside,blockquote,br,div,dd,dt,footer,h1,h2,h3,h4,h5,h6,header,hr,li,p,pre,section,tr"
_QUOTE_BEGINS, _QUOTE_ENDS, _INDENT_BEGINS = "\ue000", "\ue001", "\ue002"
# They may stand inside a line, where a block begins or ends: that is a line's end too.
_QUOTE_MARK = re.compile("([\ue000-\ue002])")


def html_to_text(markup: str) -> tuple[str, bool]:
    """The words of an HTML document, quoted passages marked with "> "; and whether some of it was left out."""
    markup = _ENDLESS_TAG.sub("", _without_silent(markup.replace("\x00", "")))
    cut = len(markup) > LONGEST
    markup = markup[:LONGEST].translate({0xE000: None, 0xE001: None, 0xE002: None})
    depth = _depth(markup)
    text = ""
    if depth <= DEEPEST_FOR_INSCRIPTIS:
        text = _by_inscriptis(markup)
    if not text.strip() and depth <= DEEPEST_FOR_LEXBOR:
        text = _by_lexbor(markup)
    if not text.strip():
        text = html.unescape(_TAG.sub(" ", markup))
    return _quotes_marked(text), cut


def _without_silent(markup: str) -> str:
    """Without what is never shown. By hand: a pattern of lazy stars takes quadratic time on ends that never come."""
    kept: list[str] = []
    at = 0
    lower = markup.lower()
    if len(lower) != len(markup):  # "İ" grows
        lower = markup
    nowhere: set[str] = set()
    for found in re.finditer(r"<!--|<(?:style|script|head|template)(?=[\s>/])", lower):
        if found.start() < at:
            continue
        end = "-->" if found[0] == "<!--" else f"</{found[0][1:]}"
        stop = -1 if end in nowhere else lower.find(end, found.end())
        if stop < 0:
            nowhere.add(end)
            continue
        kept.append(markup[at : found.start()])
        at = stop + 3 if end == "-->" else lower.find(">", stop) + 1 or len(lower)
    kept.append(markup[at:])
    return "".join(kept)


def _depth(markup: str) -> int:
    depth = deepest = 0
    for closes, name in _TAG.findall(markup):
        if name.lower() in _FLAT:
            continue
        depth = max(0, depth - 1) if closes else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _by_inscriptis(markup: str) -> str:
    if not markup.strip():
        return ""
    try:
        text: str = get_text(markup, _config())
    except Exception:  # noqa: BLE001  # libxml2's and its wrapper's errors have no common base; lexbor reads it then
        return ""
    return text


def _config() -> ParserConfig:
    css = dict(CSS_PROFILES["strict"])
    # Tables are layout here, and columns would not line up in the reader's font; padding cells to the
    # widest of their column also makes 250 MB of 145 KB.
    css["tr"] = HtmlElement(display=Display.block)
    css["td"] = css["th"] = HtmlElement(display=Display.inline, suffix="  ")
    css["table"] = css["section"] = css["dt"] = css["dd"] = HtmlElement(display=Display.block)
    css["ul"] = css["ol"] = HtmlElement(display=Display.block, padding_inline=2)
    plain = dict.fromkeys(("table", "tr", "td", "th"))
    config = ParserConfig(
        css=css,
        custom_html_tag_handler_mapping=CustomHtmlTagHandlerMapping(
            start_tag_mapping={**plain, "blockquote": _begin_quote},
            end_tag_mapping={**plain, "blockquote": _end_quote},
        ),
    )
    config.attribute_handler.attribute_mapping = {"style": _style}
    return config


def _style(style: str, element: HtmlElement) -> None:
    """Of a style, only what hides or keeps white space: a margin of a million lines is not honoured."""
    for directive in style.lower().split(";"):
        key, _, value = directive.partition(":")
        value = value.replace("!important", "").strip()
        if key.strip() == "display":
            CssParse.attr_display(value, element)
        elif key.strip() == "white-space":
            CssParse.attr_white_space(value, element)


def _begin_quote(state: HtmlDocumentState, attributes: Mapping[str, str]) -> None:
    state.tags[-1].write(_INDENT_BEGINS if _only_indents(attributes) else _QUOTE_BEGINS)


def _only_indents(attributes: Mapping[str, str]) -> bool:
    """Whether its author only moved a paragraph to the right: programs take the same element for that."""
    names = attributes.get("class", "").lower()
    if attributes.get("type", "").lower() == "cite" or "quote" in names.replace("blockquote", ""):
        return False
    return "indent" in names or _NO_BORDER.search(attributes.get("style", "")[:1000]) is not None


_NO_BORDER = re.compile(r"(?:^|[;\s])border\s*:\s*(?:none|0(?:px)?)\s*(?:none)?\s*(?:;|$)", re.I)


def _end_quote(state: HtmlDocumentState) -> None:
    state.tags[-1].write(_QUOTE_ENDS)


def _by_lexbor(markup: str) -> str:
    tree = LexborHTMLParser(markup)
    for node in tree.css(_BLOCKS):
        node.insert_before("\n")
    return tree.text()


def _quotes_marked(text: str) -> str:
    depth = 0
    marks: list[bool] = []  # of each element that is open, whether it quotes
    lines = []
    for line in text.split("\n"):
        pieces = _QUOTE_MARK.split(line)
        for piece in pieces:
            if piece in (_QUOTE_BEGINS, _INDENT_BEGINS):
                depth += piece == _QUOTE_BEGINS
                marks.append(piece == _QUOTE_BEGINS)
            elif piece == _QUOTE_ENDS:
                depth -= marks.pop() if marks else 0
            elif len(pieces) == 1 or piece.strip():
                lines.append(("> " * min(depth, 10) + piece.strip()).rstrip() if depth else piece)
    return "\n".join(lines)
