"""Octets as text: by the charset a mail names, as programs name and misname them. Nothing here raises."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_CHARSETS = {
    # What is labelled Latin-1 or ASCII is written on Windows (WHATWG Encoding §4.2).
    "ascii": "utf-8", "us-ascii": "utf-8", "ansi_x3.4-1968": "utf-8", "7bit": "utf-8", "8bit": "utf-8",
    "unknown-8bit": "utf-8", "x-unknown": "utf-8", "utf8mb4": "utf-8", "utf-8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8", "unicode": "utf-16", "ucs-2": "utf-16", "iso-10646-ucs-2": "utf-16",
    "ucs-4": "utf-32", "iso-10646-ucs-4": "utf-32", "unicode-1-1-utf-7": "utf-7", "ansi": "cp1252",
    "iso-8859-1": "cp1252", "iso8859-1": "cp1252", "iso_8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252",
    "l1": "cp1252", "iso-latin-1": "cp1252", "iso-ir-100": "cp1252", "latin9": "iso-8859-15",
    "latin-9": "iso-8859-15", "iso-8859-9": "cp1254", "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8",
    "visual": "iso-8859-8", "logical": "iso-8859-8", "iso-8859-6-i": "iso-8859-6", "iso-8859-6-e": "iso-8859-6",
    "windows-874": "cp874", "iso-8859-11": "cp874", "tis-620": "cp874",
    "macintosh": "mac_roman", "mac": "mac_roman", "mac-ce": "mac_latin2", "mac-centraleurroman": "mac_latin2",
    "mac-icelandic": "mac_iceland", "mac-ukrainian": "mac_cyrillic", "mac-japanese": "cp932",
    "mac-korean": "cp949", "mac-chinesesimp": "gb18030", "mac-chinesetrad": "big5hkscs",
    "sjis": "cp932", "shift_jis": "cp932", "shift-jis": "cp932", "ms_kanji": "cp932", "windows-31j": "cp932",
    "cswindows31j": "cp932", "csshiftjis": "cp932", "ms932": "cp932",
    "gb2312": "gb18030", "gbk": "gb18030", "gb_2312-80": "gb18030", "csgb2312": "gb18030", "euc-cn": "gb18030",
    "cp936": "gb18030", "ms936": "gb18030", "hz-gb-2312": "hz",
    "euc-kr": "cp949", "euckr": "cp949", "ks_c_5601-1987": "cp949", "ks_c_5601-1989": "cp949", "ksc5601": "cp949",
    "ksc_5601": "cp949", "cseuckr": "cp949", "korean": "cp949",
    "big5": "big5hkscs", "cn-big5": "big5hkscs", "x-big5": "big5hkscs", "big5-eten": "big5hkscs",
    "cp950": "big5hkscs", "csbig5": "big5hkscs", "euc-jp": "euc_jp", "eucjp": "euc_jp", "koi8-ru": "koi8-u",
    "koi8": "koi8-r", "iso-2022-jp-1": "iso2022_jp", "iso-2022-jp-2": "iso2022_jp_2", "csiso2022jp": "iso2022_jp",
    "iso-2022-jp-ms": "iso2022_jp",
}  # fmt: skip
_NUMBERED = re.compile(r"(?:cp|win|windows|ibm|dos|ms|oem|codepage)[-_]?0?(\d{3,5})")
# Python's text codecs that are no charset of a mail; some of them take quadratic time.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"})
_WORD = re.compile(r"[\"'\s]*([\w.:+-]{1,40})", re.ASCII)
_BY_ESCAPES = (b"\x1b$B", b"\x1b$@", b"\x1b(J", b"\x1b$(")
# What says it is 7 bits and is not.
_INSTEAD = {"iso2022_jp": ("utf-8", "cp932", "euc_jp"), "iso2022_kr": ("utf-8", "cp949"), "hz": ("utf-8", "gb18030")}


def decode_octets(octets: bytes, charset: str | None) -> str:
    """Text from octets: by the named charset where that fits, else by UTF-8, else by what fits always."""
    name = _codec(charset[:60] if charset else "")
    if name == "utf-8" and octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-16"
    if name == "utf-16" and not octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # RFC 2781 §4.3 says big-endian; Windows writes otherwise.
        name = "utf-16-le" if octets[1:4096:2].count(0) > octets[0:4096:2].count(0) else "utf-16-be"
    elif name == "utf-8" and b"\x1b" in octets and any(mark in octets for mark in _BY_ESCAPES):
        name = "iso2022_jp"  # Japanese programs of old named no charset
    for wanted in dict.fromkeys((name, *_INSTEAD.get(name, ()), "utf-8")):
        try:
            return _whole(octets.decode(wanted))
        except UnicodeError:
            if octets.isascii():
                break  # a code with shifts (ISO-2022), damaged: it is certainly not UTF-8
    if name in ("iso2022_jp", "iso2022_jp_2", "iso2022_jp_ext"):
        return _japanese(octets)
    if name == "utf-8":
        # Some octets of a UTF-8 text were damaged, or it was never UTF-8.
        text = octets.decode("utf-8", "replace")
        bad = text.count("\ufffd")
        return text if bad * 4 < len(octets) - len(text) + bad else octets.decode("cp1252", "replace")
    return _whole(octets.decode(name, "replace"))


@lru_cache(maxsize=256)
def _codec(charset: str) -> str:
    """Python's name for a charset; UTF-8 for none and for what is none."""
    named = _WORD.match(charset)
    if named is None:
        return "utf-8"
    said = named[1].lower()
    plain = said.removeprefix("x-")
    numbered = _NUMBERED.fullmatch(plain)
    for each in (said, plain, plain.replace("_", "-"), *(("cp" + numbered[1],) if numbered else ())):
        for name in (_CHARSETS.get(each), each, each.replace("-", "_") if each.startswith("mac") else None):
            if name is None:
                continue
            try:
                codec = codecs.lookup(name)
            except LookupError:
                continue
            if codec.name not in _NO_CHARSETS and codec._is_text_encoding:
                return codec.name
    return "utf-8"


_JIS = re.compile(rb"\x1b(\$[@B]|\$\([OPQD]|\([BJI])|\x0e|\x0f")


def _japanese(octets: bytes) -> str:
    """ISO-2022-JP with what Windows puts into it (CP50220): circled numbers, half-width letters."""
    said: list[str] = []
    mode, at = b"(B", 0
    for shift in [*_JIS.finditer(octets), None]:
        piece = octets[at : shift.start() if shift else len(octets)]
        if mode in (b"$@", b"$B"):
            said.append(_shift_jis(piece).decode("cp932", "replace"))
        elif mode == b"(I":
            said.append(bytes(octet | 0x80 for octet in piece).decode("cp932", "replace"))
        elif mode in (b"(B", b"(J"):
            said.append(piece.decode("cp932", "replace"))
        else:
            said.append(b"\x1b".join((b"", mode + piece)).decode("iso2022_jp_2004", "replace"))
        if shift:
            mode, at = (shift[1] or (b"(I" if shift[0] == b"\x0e" else b"(B")), shift.end()
    return _whole("".join(said))


def _shift_jis(piece: bytes) -> bytes:
    """Pairs of JIS X 0208 as Shift JIS; a line end in between goes through."""
    shifted = bytearray()
    at = 0
    while at < len(piece):
        high = piece[at]
        if high < 0x21 or high > 0x7E or at + 1 == len(piece):
            shifted.append(high)
            at += 1
            continue
        low = piece[at + 1]
        at += 2
        row = (high - 0x21) // 2 + 0x81
        shifted.append(row if row <= 0x9F else row + 0x40)
        if high % 2:
            shifted.append((low + 0x1F + (low >= 0x60)) & 0xFF)
        else:
            shifted.append((low + 0x7E) & 0xFF)
    return bytes(shifted)


def _whole(text: str) -> str:
    """Without lone surrogates, which UTF-7 and UTF-16 let through and no store takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
