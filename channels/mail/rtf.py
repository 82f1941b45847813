"""The words of an RTF text, and of one that Outlook has compressed ([MS-OXRTFCP]). Bounded, and nothing raises."""

from __future__ import annotations

import re
import struct

from channels.mail.headers import decode_octets

LONGEST = 2**20
"""Octets of RTF that are looked at: styles and all, that is more text than is kept."""
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


def rtf_to_text(rtf: bytes) -> tuple[str, bool]:
    """The words of an RTF text; and whether they are the HTML it was made from, given back ([MS-OXRTFEX])."""
    rtf = rtf[:LONGEST]
    is_html = b"\\fromhtml" in rtf[:1024]
    said: list[str] = []
    octets = bytearray()  # of one charset, perhaps half a character
    charset = "cp1252"

    # What holds until the brace closes. `twin`: between \\htmlrtf and \\htmlrtf0 stands RTF for what the HTML says
    # already ([MS-OXRTFEX] §2.1.3.1.2). `after`: so many characters behind a \\u say the same to older readers.
    hidden, twin, after = False, False, 1
    outer: list[tuple[bool, bool, int]] = []
    skip = 0
    starred = False

    def flush() -> None:
        if octets:
            said.append(decode_octets(bytes(octets), charset))
            octets.clear()

    for token in _TOKEN.finditer(rtf):
        word, number, code, symbol, brace, text = token.groups()
        shown = not hidden and not (is_html and twin)
        if brace == b"{":
            if len(outer) >= DEEPEST:
                break
            outer.append((hidden, twin, after))
        elif brace == b"}":
            if outer:
                hidden, twin, after = outer.pop()
        elif word is not None:
            name, value = word.decode(), int(number) if number else None
            flush()
            if name == "u" and value is not None:
                if shown:
                    said.append(chr(value & 0xFFFF))
                skip = after
                continue
            if name == "bin" and value is not None:
                break  # raw octets follow, which could look like anything
            if name == "ansicpg" and value:
                charset = "utf-8" if value == 65001 else f"cp{value}"
            elif name == "uc" and value is not None:
                after = max(0, min(value, 10))
            elif name == "htmlrtf":
                twin = value != 0
            elif name == "htmltag" and starred:
                hidden = not is_html
            elif starred or name in _UNSHOWN:
                hidden = True
            elif shown and name in _SAID:
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
            if shown:
                octets += text[skip:]
            skip = max(0, skip - len(text))
        starred = False
    flush()
    # Characters beyond the first plane come in two halves.
    whole = "".join(said).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole, is_html
