"""HTML as text: what is hidden stays hidden, what is broken is still read, nothing takes long."""

from __future__ import annotations

import re

from inscriptis import get_text
from inscriptis.model.config import ParserConfig
from selectolax.lexbor import LexborHTMLParser

LONGEST = 1_000_000
"""Characters of HTML that are read."""
MOST_TAGS = 50_000

# Deeper than this, inscriptis gives up.
_DEEP = re.compile(r"(?:<(?:div|span|table|tr|td|blockquote|b|i|font)\b[^>]*>\s*){400}", re.IGNORECASE)
_BLANKS = re.compile(r"\n{3,}")


def text_of_html(html: str) -> str:
    """The words of an HTML part."""
    html = html[:LONGEST].replace("\x00", "")
    if html.count("<") > MOST_TAGS or _DEEP.search(html):
        return _plain(html)
    try:
        found = get_text(html, ParserConfig(display_links=False))
    except (RecursionError, ValueError, AssertionError, TypeError, AttributeError, IndexError, KeyError):
        return _plain(html)
    return _tidy(found)


def _plain(html: str) -> str:
    tree = LexborHTMLParser(html)
    for hidden in tree.css("script, style, head, template"):
        hidden.decompose()
    root = tree.body or tree.root
    return _tidy(root.text(separator="\n", strip=True)) if root is not None else ""


def _tidy(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.replace("\u00a0", " ").splitlines())
    return _BLANKS.sub("\n\n", lines).strip()
