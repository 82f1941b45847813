"""A mail as one HTML file, safe to open anywhere: nothing in it runs, nothing is fetched, nothing is sent.

Two walls, each enough by itself: what nh3 lets through, and a policy in the
file that forbids the browser all but showing it.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Callable, Iterator

import nh3

from channels.mail.containers import inside, is_cms, is_winmail
from channels.mail.headers import Fields, decode_octets, decode_text, first, read_addresses, tidy
from channels.mail.html import html_to_text
from channels.mail.parts import Part, Tree, decode_part, decoded_size

LARGEST_HTML = 2 * 2**20
"""Octets of a part's markup that are shown."""
LARGEST_TEXT = 8 * 2**20
LARGEST_PICTURE = 4 * 2**20
MOST_PICTURED = 12 * 2**20
"""Octets of all pictures in a page."""
MOST_ADDRESSES = 200
DEEPEST = 500
"""Markup nested deeper is shown as text: sanitisers and browsers alike take time with it."""
MOST_TAGS = 60_000
MOST_ENTITIES = 120_000
"""Markup with more of either is shown as text too: the sanitiser takes time in the square of them."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"

_TAGS = frozenset(
    ("a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center",
     "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure",
     "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "main",
     "mark", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span", "strike", "strong", "sub", "summary",
     "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr")
)  # fmt: skip
_SILENT = frozenset(
    ("applet", "audio", "base", "embed", "frame", "frameset", "head", "iframe", "link", "math", "meta", "noembed",
     "noframes", "noscript", "object", "script", "style", "svg", "template", "textarea", "title", "video", "xml")
)  # fmt: skip
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"align", "bgcolor", "color", "dir", "height", "lang", "style", "title", "valign", "width"},
    "a": {"href"},
    "img": {"alt", "src", "border"},
    "font": {"face", "size"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "rowspan", "nowrap"},
    "th": {"colspan", "rowspan", "nowrap"},
    "col": {"span"},
    "colgroup": {"span"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value"},
}
_STYLES = frozenset(
    ("background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left", "border-right",
     "border-spacing", "border-style", "border-top", "border-width", "color", "direction", "font", "font-family",
     "font-size", "font-style", "font-weight", "height", "line-height", "list-style-type", "margin", "margin-bottom",
     "margin-left", "margin-right", "margin-top", "max-width", "padding", "padding-bottom", "padding-left",
     "padding-right", "padding-top", "text-align", "text-decoration", "text-indent", "text-transform",
     "vertical-align", "white-space", "width", "word-break")
)  # fmt: skip
# Anything in CSS that could fetch, run or hide what it says behind an escape.
_UNSAFE_STYLE = re.compile(r"[\\@<]|/\*|\((?!\s*\d)|expression|javascript", re.I)
# What would draw over, or out of, what stands before it.
_NEGATIVE = re.compile(r"[:\s]-\s*[.\d]")
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.I)
_PICTURES = frozenset({"image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "image/bmp"})
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)


def build_page(raw: bytes, say: Callable[[str], str]) -> bytes:
    """The page of a mail, whatever the mail is. See `channels.base.Channel.page`."""
    raw = raw if b"\n" in raw else raw.replace(b"\r", b"\n")
    tree = Tree(raw)
    leaves = list(_leaves(tree, tree.root))
    # An Outlook mail may say all it says in its winmail.dat, and a sealed one all in its seal.
    words = list(_shown(tree, tree.root))
    if not any(decode_part(raw, part, 4096).strip() for part in words):
        words = [part for part in leaves if _is_words(part)]
    pictures = _Pictures(tree, leaves)
    bodies = [_body(tree, part, pictures) for part in words]
    files = [_file(part) for part in leaves if _is_file(part)]
    title = html.escape(decode_text(first(tree.root.fields, "subject")) or say("page.no_subject"))
    pieces = [
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=utf-8>\n",
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n',
        '<meta name="referrer" content="no-referrer">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>{title}</title>\n<style>{_LOOK}</style>\n</head>\n<body>\n",
        f"<header>\n<h1>{title}</h1>\n<dl>\n{_header(tree.root.fields, say)}</dl>\n",
        f"<p>{html.escape(say('page.made_safe'))}</p>\n</header>\n",
        *(f"<main>{body}</main>\n" for body in bodies),
        f"<footer>{html.escape(say('page.files'))} {', '.join(files)}</footer>\n" if files else "",
        "</body>\n</html>\n",
    ]
    return "".join(pieces).encode("utf-8", "replace")


_LOOK = (
    "body{font-family:system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;overflow-wrap:anywhere}"
    "body>header{border-bottom:1px solid #bbb;margin-bottom:1rem}h1{font-size:1.2rem}"
    "dl{display:grid;gap:.2rem 1rem;grid-template-columns:max-content 1fr;margin:0}dt{color:#666}dd{margin:0}"
    "body>header p,footer{color:#666;font-size:.8rem}.plain{white-space:pre-wrap}img{max-width:100%}"
    # Nothing of the mail is drawn outside its own place, over what stands above.
    "main{contain:paint;overflow:auto;position:relative}"
)


def _header(fields: Fields, say: Callable[[str], str]) -> str:
    lines = []
    for label, name in (("page.from", "from"), ("page.reply_to", "reply-to"), ("page.to", "to"), ("page.cc", "cc")):
        addresses = read_addresses(fields.get(name, ()))
        shown = [f"{a.name} <{a.value}>" if a.name and a.value else a.value or a.name for a in addresses]
        more = ["…"] if len(shown) > MOST_ADDRESSES else []
        if shown:
            lines.append((say(label), ", ".join([*shown[:MOST_ADDRESSES], *more])))
    if date := decode_text(first(fields, "date"), 100):
        lines.append((say("page.date"), date))
    return "".join(f"<dt>{html.escape(label)}</dt><dd>{html.escape(value)}</dd>\n" for label, value in lines)


# ---------------------------------------------------------------- what is shown


def _leaves(tree: Tree, part: Part) -> Iterator[Part]:
    """The parts of a part, and those inside containers instead of these."""
    for leaf in part.leaves():
        held = inside(tree, leaf) if is_cms(leaf) or is_winmail(leaf) else []
        if held:
            for child in held:
                yield from _leaves(tree, child)
        else:
            yield leaf


def _is_words(part: Part) -> bool:
    return part.media_type in ("text/html", "text/plain") and not _is_file(part)


def _shown(tree: Tree, part: Part) -> Iterator[Part]:
    """The parts that are the mail's words: of several forms of the same the richest."""
    if part.parts is None:
        if _is_words(part):
            yield part
        elif is_cms(part):
            for child in inside(tree, part):
                yield from _shown(tree, child)
    elif part.media_type == "multipart/alternative":
        forms = [list(_shown(tree, child)) for child in part.parts]
        rich = [form for form in forms if any(each.media_type == "text/html" for each in form)]
        yield from next(iter((*rich, *filter(None, forms))), [])
    else:
        for child in part.parts:
            yield from _shown(tree, child)


def _is_file(part: Part) -> bool:
    if part.media_type in ("text/html", "text/plain"):
        return part.disposition[0] == "attachment" or bool(part.file_name)
    return not (part.media_type in _PICTURES and "content-id" in part.fields)


def _file(part: Part) -> str:
    return html.escape(tidy(part.file_name, 150) or part.media_type)


def _body(tree: Tree, part: Part, pictures: _Pictures) -> str:
    is_html = part.media_type == "text/html"
    largest = LARGEST_HTML if is_html else LARGEST_TEXT
    octets = decode_part(tree.raw, part, largest)[: largest + 1000]
    charset = part.parameters.get("charset")
    if is_html and charset is None and (declared := _META_CHARSET.search(octets[:4096])):
        charset = declared[1].decode()
    text = decode_octets(octets, charset)
    if is_html and _is_easy(text):
        return _sanitised(_ENDLESS_TAG.sub("", text), pictures)
    if is_html:
        text, _ = html_to_text(text)
    return f'<div class="plain">{html.escape(text)}</div>'


# A picture in the text, or more attributes than anybody compares with one another.
_ENDLESS_TAG = re.compile(r"<[a-zA-Z][^<>]{8000,}>?")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,40})")
# Elements without an end, or whose end is often left out.
_FLAT = frozenset(
    ("area", "base", "br", "col", "colgroup", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option",
     "p", "param", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track", "wbr")
)  # fmt: skip


def _is_easy(markup: str) -> bool:
    """Whether a sanitiser is done with it at once: formatting that is never ended is repeated in all that follows."""
    depth = deepest = tags = 0
    for found in _TAG.finditer(markup):
        tags += 1
        if found[2].lower() not in _FLAT:
            depth = max(0, depth - 1) if found[1] else depth + 1
            deepest = max(deepest, depth)
    return deepest <= DEEPEST and tags <= MOST_TAGS and markup.count("&") <= MOST_ENTITIES


def _sanitised(markup: str, pictures: _Pictures) -> str:
    def allowed(tag: str, attribute: str, value: str) -> str | None:
        match attribute:
            case "src":
                return pictures.as_data(value)
            case "href":
                return value if _SAFE_LINK.match(value.strip()) else None
            case "style":
                return _safe_style(value)
            case _:
                return value

    return nh3.clean(
        markup,
        tags=set(_TAGS),
        clean_content_tags=set(_SILENT),
        attributes=_ATTRIBUTES,
        attribute_filter=allowed,
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        filter_style_properties=set(_STYLES),
        link_rel="noopener noreferrer",
        strip_comments=True,
    )


def _safe_style(style: str) -> str | None:
    """The declarations of a style that only say how something looks."""
    if '"' in style or "'" in style:
        # Where a string stands, what looks like a declaration may be part of it, and the other way round.
        return None if _UNSAFE_STYLE.search(style) or _NEGATIVE.search(style) else style
    kept = [each for each in style.split(";") if not (_UNSAFE_STYLE.search(each) or _NEGATIVE.search(each))]
    return ";".join(kept) or None


class _Pictures:
    """The pictures a mail carries for its own text, by the name it calls them by (RFC 2392)."""

    def __init__(self, tree: Tree, parts: list[Part]) -> None:
        self._tree = tree
        self._named = {_content_id(part): part for part in parts if "content-id" in part.fields}
        self._made: dict[str, str | None] = {}
        self._room = MOST_PICTURED

    def as_data(self, source: str) -> str | None:
        """The picture itself in place of its name; None for whatever would have to be fetched."""
        name = source.strip()
        if name[:4].lower() != "cid:":
            return None
        name = _unquoted(name[4:])
        if name not in self._made:
            self._made[name] = self._encoded(self._named.get(name))
        made = self._made[name]
        if made is None or len(made) > self._room:
            return None
        self._room -= len(made)  # each place it is shown at counts
        return made

    def _encoded(self, part: Part | None) -> str | None:
        if part is None or part.media_type not in _PICTURES:
            return None
        size = decoded_size(self._tree.raw, part)
        if size > LARGEST_PICTURE or size * 4 // 3 > self._room:  # none is made that is not shown
            return None
        return f"data:{part.media_type};base64,{b64encode(decode_part(self._tree.raw, part)).decode()}"


def _content_id(part: Part) -> str:
    return decode_octets(first(part.fields, "content-id"), None).strip().strip("<>").strip()


def _unquoted(name: str) -> str:
    return re.sub("%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), name[:1000]).strip("<>")
