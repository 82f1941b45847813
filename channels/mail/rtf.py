"""The words of an RTF text, and of one that Outlook has compressed ([MS-OXRTFCP]). Bounded, and nothing raises."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace

from channels.mail.headers import decode_octets

LONGEST = 4 * 2**20
"""Octets of RTF that are looked at."""
DEEPEST = 500

_COMPRESSED, _PLAIN = 0x75465A4C, 0x414C454D
# [MS-OXRTFCP] §2.1.3.1: what the window holds before the first octet.
_PREFILLED = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def decompress(octets: bytes) -> bytes:
    """The RTF in a PidTagRtfCompressed; what is damaged ends it."""
    if len(octets) < 16:
        return b""
    _, size, kind = struct.unpack_from("<III", octets)
    if kind == _PLAIN:
        return octets[16 : 16 + min(size, LONGEST)]
    if kind != _COMPRESSED:
        return b""
    window = bytearray(_PREFILLED + bytes(4096 - len(_PREFILLED)))
    write, most = len(_PREFILLED), min(size, LONGEST)
    said = bytearray()
    at, end = 16, len(octets)
    while at < end and len(said) < most:
        control = octets[at]
        at += 1
        for bit in range(8):
            if at >= end or len(said) >= most:
                break
            if not control >> bit & 1:
                window[write] = octets[at]
                said.append(octets[at])
                write, at = (write + 1) % 4096, at + 1
                continue
            if at + 2 > end:
                return bytes(said)
            token = octets[at] << 8 | octets[at + 1]
            at += 2
            offset = token >> 4
            if offset == write:
                return bytes(said)
            for step in range((token & 15) + 2):
                octet = window[(offset + step) % 4096]
                window[write] = octet
                said.append(octet)
                write = (write + 1) % 4096
    return bytes(said[:most])


_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?"  # a control word
    rb"|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
_UNSHOWN = frozenset(
    (
        *("fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "headerl", "headerr", "headerf"),
        *("footer", "footerl", "footerr", "footerf", "listtable", "listoverridetable", "revtbl", "rsidtbl", "filetbl"),
        *("generator", "themedata", "datastore", "latentstyles", "xmlnstbl", "mmathPr", "fldinst", "nonshppict"),
        *("pntext", "pntxta", "pntxtb", "bkmkstart", "bkmkend"),
    )
)
_SAID = {
    "par": "\n", "line": "\n", "row": "\n", "sect": "\n", "page": "\n", "tab": "\t", "cell": "\t",
    "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    "emspace": " ", "enspace": " ",
}  # fmt: skip


@dataclass(slots=True)
class _Group:
    """What holds until the brace closes."""

    hidden: bool = False
    twin: bool = False
    """Between \\htmlrtf and \\htmlrtf0: RTF for what the HTML says already ([MS-OXRTFEX] §2.1.3.1.2)."""
    after_unicode: int = 1
    """Characters behind a \\u that say the same to older readers."""


def rtf_to_text(rtf: bytes) -> tuple[str, bool]:
    """The words of an RTF text; and whether they are the HTML it was made from, given back ([MS-OXRTFEX])."""
    rtf = rtf[:LONGEST]
    is_html = b"\\fromhtml" in rtf[:1024]
    said: list[str] = []
    octets = bytearray()  # of one charset, perhaps half a character
    charset, skip = "cp1252", 0
    groups = [_Group()]

    def flush() -> None:
        if octets:
            said.append(decode_octets(bytes(octets), charset))
            octets.clear()

    starred = False
    for token in _TOKEN.finditer(rtf):
        word, number, code, symbol, brace, text = token.groups()
        group = groups[-1]
        shown = not group.hidden and (not is_html or not group.twin)
        if brace == b"{":
            flush()
            if len(groups) >= DEEPEST:
                break
            groups.append(replace(group))
        elif brace == b"}":
            flush()
            if len(groups) > 1:
                groups.pop()
        elif word is not None:
            name, value = word.decode(), int(number) if number else None
            if name == "u" and value is not None:
                flush()
                if shown:
                    said.append(chr(value & 0xFFFF))
                skip = group.after_unicode
                continue
            flush()
            if name == "bin" and value is not None:
                break  # raw octets follow, which could look like anything
            if name == "ansicpg" and value:
                charset = "utf-8" if value == 65001 else f"cp{value}"
            elif name == "uc" and value is not None:
                group.after_unicode = max(0, min(value, 10))
            elif name == "htmlrtf":
                group.twin = value != 0
            elif name == "htmltag" and starred:
                group.hidden = not is_html
            elif starred or name in _UNSHOWN:
                group.hidden = True
            elif shown and name in _SAID:
                # Between the pieces of HTML line ends are its own.
                said.append(_SAID[name])
        elif code is not None:
            if skip:
                skip -= 1
            elif shown:
                octets.append(int(code, 16))
        elif symbol is not None:
            if symbol == b"*":
                starred = True
                continue
            if skip:
                skip -= 1
            elif shown:
                octets += {b"~": b" ", b"_": b"-", b"-": b"", b"\n": b"\n", b"\r": b"\n"}.get(symbol, symbol)
        elif text is not None:
            kept = text[skip:]
            skip = max(0, skip - len(text))
            if shown:
                octets += kept
        starred = False
    flush()
    # Characters beyond the first plane come in two halves.
    whole = "".join(said).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole, is_html
