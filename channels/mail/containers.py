"""Parts in the octets of a part: what Outlook's winmail.dat, a signed S/MIME message and uuencode in a text hold.

They are read as if they were parts of the mail. The path of one begins with
that of the part it is in: `2/tnef/1`, `1/cms/2.1`, `1/uu/1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO

from channels.mail.attachments import media_type_of
from channels.mail.cms import read_cms
from channels.mail.headers import Fields, as_text
from channels.mail.parts import Part, Tree, decode_part
from channels.mail.rtf import decompress, rtf_to_text
from channels.mail.winmail import Winmail, read_winmail

LARGEST = 32 * 2**20
"""Octets of one container; a larger one stays the file it is."""
DEEPEST = 3
MOST_OPENED = 20
"""Containers of one mail."""
MOST_UUENCODED = 50

TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
CMS = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})


def inside(tree: Tree, part: Part) -> list[Part]:
    """The parts in this one's octets, none for most: they are looked for once."""
    if part.inside is None:
        part.inside = _look(tree, part)
    return part.inside


def find_part(tree: Tree, path: str) -> Part | None:
    """The part of that path, also when it is inside another."""
    holder, *_ = path.partition("/")
    for leaf in tree.root.leaves():
        if leaf.path == holder:
            return leaf if leaf.path == path else _find_inside(tree, leaf, path)
    return None


def _find_inside(tree: Tree, part: Part, path: str) -> Part | None:
    for child in inside(tree, part):
        for leaf in child.leaves():
            if leaf.path == path:
                return leaf
            if path.startswith(leaf.path + "/"):
                return _find_inside(tree, leaf, path)
    return None


def is_winmail(part: Part) -> bool:
    """Whether it is a winmail.dat, by its type or, where gateways changed that, by its name."""
    return part.media_type in TNEF or (
        part.media_type == "application/octet-stream" and part.file_name.lower().strip() == "winmail.dat"
    )


def is_cms(part: Part) -> bool:
    """Whether it is a signed or encrypted S/MIME message, by its type or its name."""
    return part.media_type in CMS or (
        part.media_type == "application/octet-stream" and part.file_name.lower().strip() == "smime.p7m"
    )


def _look(tree: Tree, part: Part) -> list[Part]:
    if part.end - part.start > LARGEST or part.path.count("/") >= 2 * DEEPEST or tree.opened >= MOST_OPENED:
        return []
    tree.opened += is_winmail(part) or is_cms(part)
    if is_winmail(part):
        found = read_winmail(decoded := decode_part(tree.raw, part))
        return [] if found is None else _of_winmail(tree, found, decoded, f"{part.path}/tnef")
    if is_cms(part):
        content = read_cms(decode_part(tree.raw, part)).content
        return [_entity(tree, content, f"{part.path}/cms")] if content else []
    if part.media_type == "text/plain":
        return _of_text(tree, part)
    return []


# ---------------------------------------------------------------- winmail.dat


def _of_winmail(tree: Tree, found: Winmail, octets: bytes, path: str) -> list[Part]:
    parts = []
    # Outlook writes one of them; where there are more, all say the same, and HTML says most.
    text, markup = found.plain, b""
    if not text.strip():
        markup = found.html
        if not markup and found.rtf and not tree.rtf_read:
            tree.rtf_read = True  # once: it is slow, and a second one would be shown no more
            text, is_html = rtf_to_text(decompress(found.rtf))
            markup, text = (text.encode(), "") if is_html else (b"", text)
    if markup:
        charset = found.charset if markup is found.html else "utf-8"
        parts.append(_made(f"{path}/text", "text/html", markup, {"charset": charset}))
    elif text.strip():
        parts.append(_made(f"{path}/text", "text/plain", text.encode("utf-8", "replace"), {"charset": "utf-8"}))
    for number, file in enumerate(found.files, 1):
        media_type = file.media_type.strip().lower()
        if not _MEDIA_TYPE.fullmatch(media_type) or media_type.startswith(("multipart/", "message/")):
            media_type = media_type_of(file.name)
        fields: Fields = {"content-id": [f"<{file.content_id}>".encode()]} if file.content_id else {}
        part = Part(f"{path}/{number}", fields, file.start, file.end, media_type, {"name": file.name}, "")
        part.source = octets
        parts.append(_as_file(part))
    return parts


def _made(path: str, media_type: str, octets: bytes, parameters: dict[str, str]) -> Part:
    part = Part(path, {}, 0, len(octets), media_type, parameters, "")
    part.source = octets
    return part


def _as_file(part: Part) -> Part:
    part.fields.setdefault("content-disposition", [b"attachment"])
    part.inside = [] if not is_cms(part) and not is_winmail(part) else None
    return part


_MEDIA_TYPE = re.compile(r"[\w!#$&^+.-]{1,80}/[\w!#$&^+.-]{1,80}", re.ASCII)


# ---------------------------------------------------------------- signed S/MIME


def _entity(tree: Tree, octets: bytes, path: str) -> Part:
    """A whole MIME entity: what was signed (RFC 8551 §3.1)."""
    inner = Tree(octets)
    for defect in inner.defects:
        tree.defects[defect] = None
    for part in _all(inner.root):
        part.path = f"{path}/{part.path}" if part.path else path
        part.source = octets
    return inner.root


def _all(part: Part) -> Iterator[Part]:
    yield part
    for child in part.parts or ():
        yield from _all(child)


# ---------------------------------------------------------------- uuencode in a text

_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,200}?)[ \t]*\r?\n(?=[!-`])", re.M)
_END = re.compile(rb"^[ `]?[ \t]*\r?\nend[ \t]*\r?(?:\n|\Z)", re.M)


def _of_text(tree: Tree, part: Part) -> list[Part]:
    source = part.source if part.source is not None else tree.raw
    if part.encoding == "base64" or source.find(b"begin ", part.start, part.end) < 0:
        return []
    octets = decode_part(tree.raw, part)
    files: list[Part] = []
    at = 0
    while len(files) < MOST_UUENCODED:
        begins = _BEGIN.search(octets, at)
        if begins is None:
            break
        at = begins.end()
        if not _is_uuencode(octets, at):
            continue
        ends = _END.search(octets, at)
        if ends is None:
            break
        at = ends.end()
        name = as_text(begins[1])
        path = f"{part.path}/uu/{len(files) + 1}"
        file = Part(path, {}, begins.start(), ends.end(), media_type_of(name), {"name": name}, "uuencode")
        file.source = octets
        files.append(_as_file(file))
    return files


def _is_uuencode(octets: bytes, at: int) -> bool:
    """Whether the first line says its own length: no sentence that begins with "begin" does."""
    line = octets[at : at + 100].partition(b"\n")[0].rstrip()
    length = line[0] - 32 & 63
    return 0 < len(line) - 1 <= (length + 2) // 3 * 4 + 1 and not line.translate(None, _UU_LETTERS)


_UU_LETTERS = bytes(range(0x20, 0x61))


def without(files: list[Part], most: int) -> bytes:
    """A text's first octets without the uuencoded files in it."""
    octets = files[0].source or b""
    kept, at = BytesIO(), 0
    for start, end in (*((file.start, file.end) for file in files), (len(octets), len(octets))):
        kept.write(octets[at : min(start, at + most)])
        at = end
    return kept.getvalue()[:most]
