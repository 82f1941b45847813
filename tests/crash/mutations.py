"""Mails and updates as their senders' programs make them, and the same a little or thoroughly broken.

Everything is drawn from the `random.Random` given: the same seed makes the same input.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from bot.demo.telegram_server import TelegramServer

Json = Any

LARGEST_SEED = 20_000
"""Octets of a mail that is mutated: the many small ones find more."""

# ---------------------------------------------------------------- mails

_BINARY = base64.encodebytes(bytes(range(256))).decode()


def _lines(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in lines)


_HEAD = _lines(
    "From: Élodie Lefèvre <elodie@client.test>",
    "To: cabinet@roux.example",
    "Subject: Rendez-vous",
    "Date: Mon, 12 Oct 2026 10:32:00 +0200",
    "Message-ID: <question@client.test>",
)
_TEXT = _lines(
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "Bonjour =C3=A9t=C3=A9,=",
    " oui",
)
_PAGE = _lines(
    "Content-Type: text/html; charset=iso-8859-15",
    "Content-Transfer-Encoding: 8bit",
    "",
    "<html><head><style>p{}</style></head><body><p>Bonjour <b>à</b> vous</p><blockquote>cité<br>deux</blockquote>",
    "<table><tr><td>1</td><td>2</td></tr></table><ul><li>un<li>deux</ul></body></html>",
)
_FILE = _lines(
    'Content-Type: application/pdf; name="=?utf-8?q?re=C3=A7u.pdf?="',
    "Content-Disposition: attachment; filename*0*=utf-8''re%C3%A7u; filename*1=\".pdf\"",
    "Content-Transfer-Encoding: base64",
    "",
    *_BINARY.splitlines(),
)
_PICTURE = _lines("Content-Type: image/png", "Content-ID: <i>", "Content-Transfer-Encoding: base64", "", "iVBORw0KGgo=")
_ORDINARY = _HEAD + _lines("", "Bonjour,", "", "> cité", "-- ", "Élodie")
_WITH_A_FILE = _HEAD + _lines("Content-Type: multipart/mixed; boundary=b", "", "--b", _TEXT + "--b", _FILE + "--b--")
_TWO_FORMS = _HEAD + _lines(
    'Content-Type: multipart/alternative; boundary="a"', "", "--a", _TEXT + "--a", _PAGE + "--a--"
)
_FORWARDED = _HEAD + _lines(
    "Content-Type: multipart/mixed; boundary=b",
    "",
    "--b",
    "Content-Type: multipart/related; boundary=r",
    "",
    "--r",
    _PAGE + "--r",
    _PICTURE + "--r--",
    "--b",
    "Content-Type: message/rfc822",
    "",
    _HEAD,
    "Transmis.",
    "--b--",
)
_FLOWED = _HEAD + _lines(
    "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes",
    "",
    "Un long ",
    "paragraphe ",
    ">> cité ",
    ">> encore",
)
_UUENCODED = _HEAD + _lines(
    "Content-Transfer-Encoding: x-uuencode",
    "Content-Type: application/zip; name=a.zip",
    "",
    "begin 644 a",
    "#0V%T",
    "`",
    "end",
)
_EVERY_FIELD = _lines(
    'From: "Dupont, Jean" <jean@client.test>, (un ami) b@client.test',
    "Reply-To: =?utf-8?b?w4ljcmlyZQ==?= <r@client.test>",
    'To: Groupe: a@x.test, "b c"@y.test;, cabinet@roux.example',
    "Cc: undisclosed-recipients:;",
    "Subject: =?utf-8?q?R=C3=A9?= =?iso-8859-1?Q?=E9?= suite",
    " (pliée)",
    "Message-ID:",
    " <1$2@client.test>",
    "In-Reply-To: <0190a3c1-0000-7000-8000-000000000001.0123456789abcdef@roux.example>",
    "References: <un@x.test>",
    "\t<deux@x.test> <trois@x.test>",
    "Date: lundi",
    "Delivered-To: cabinet@roux.example",
    "",
    "Suite",
)
_BOUNCE = _lines(
    "Return-Path: <>",
    "From: MAILER-DAEMON@mx.test (Mail Delivery System)",
    "To: cabinet@roux.example",
    "Subject: Undelivered",
    "Auto-Submitted: auto-replied",
    "Message-ID: <dsn@mx.test>",
    "Content-Type: multipart/report; report-type=delivery-status; boundary=d",
    "",
    "--d",
    "",
    "It failed.",
    "--d",
    "Content-Type: message/delivery-status",
    "",
    "Reporting-MTA: dns; mx.test",
    "",
    "Final-Recipient: rfc822; a@b.test",
    "Action: failed",
    "Status: 5.1.1",
    "--d",
    "Content-Type: text/rfc822-headers",
    "",
    _HEAD + "--d--",
)
_CALENDAR = _lines(
    "BEGIN:VCALENDAR",
    "METHOD:REQUEST",
    "BEGIN:VTIMEZONE",
    "TZID:Ici",
    "BEGIN:STANDARD",
    "DTSTART:16010101T030000",
    "TZOFFSETTO:+0100",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    "END:STANDARD",
    "END:VTIMEZONE",
    "BEGIN:VEVENT",
    "DTSTART;TZID=Ici:20260303T140000",
    "DURATION:PT1H",
    'ATTENDEE;PARTSTAT=ACCEPTED;CN="Petit, Anne":mailto:anne@client.test',
    "SUMMARY:Bilan\\, suite",
    "END:VEVENT",
    "END:VCALENDAR",
)
_CARD = _lines(
    "BEGIN:VCARD",
    "N;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:Lef=E8vre;=C9lodie",
    "ORG:ACME;Ventes",
    "TEL;VOICE:+33 1 23",
    "EMAIL:e@client.test",
    "END:VCARD",
)
# [MS-OXTNEF] §2.1: a body and a file; RFC 5652 §5: a content of seven letters.
_TNEF = base64.encodebytes(
    bytes.fromhex("789f3e220100010c800200040000004f7569000000")
    + bytes.fromhex("02029006000200000000000000021080010006000000612e706466000000")
    + bytes.fromhex("020f80060004000000255044460000")
    + bytes.fromhex("010390060012000000010000001e00001001000000020000004f0000000000")
).decode()
_SEALED = base64.encodebytes(
    bytes.fromhex("302d06092a864886f70d010702a020301e0201013100301506092a864886f70d010701a008040668690a686f0a3100")
).decode()
_CARRYING = _HEAD + _lines(
    "Content-Type: multipart/mixed; boundary=b",
    "",
    "--b",
    "Content-Type: text/html",
    "",
    '<p>Vu <img src="cid:i"></p>',
    "--b",
    _PICTURE + "--b",
    "Content-Type: text/calendar; method=REQUEST",
    "",
    _CALENDAR + "--b",
    "Content-Type: text/vcard",
    "",
    _CARD + "--b",
    "Content-Type: application/ms-tnef; name=winmail.dat",
    "Content-Transfer-Encoding: base64",
    "",
    _TNEF + "--b",
    "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
    "Content-Transfer-Encoding: base64",
    "",
    _SEALED + "--b--",
)
_MAILS = (
    *(_ORDINARY, _WITH_A_FILE, _TWO_FORMS, _FORWARDED, _HEAD + _PAGE, _FLOWED, _UUENCODED, _EVERY_FIELD, _BOUNCE),
    _CARRYING,
    _HEAD + _lines("", "Voici", "begin 644 a.txt", "#0V%T", "`", "end", "fin"),
    _HEAD + _lines("Content-Type: text/plain; charset=iso-2022-jp", "", "\x1b$B$3$s\x1b(B"),
    _HEAD + _lines("Content-Type: text/calendar; method=REQUEST", "", "BEGIN:VCALENDAR", "END:VCALENDAR"),
    "From x@y Mon Oct 12 10:32:00 2026\n" + _HEAD.replace("\r\n", "\n") + "\nmbox\n",
    "Subject: sans rien\n\n",
)

_FRAGMENTS = (
    *(b"From: ", b"To: ", b"Cc: ", b"Subject: ", b"Message-ID: ", b"References: ", b"In-Reply-To: ", b"Date: "),
    *(b"Reply-To: ", b"Sender: ", b"Bcc: victime@x.test", b"Delivered-To: ", b"Content-Type: ", b"MIME-Version: 1.0"),
    *(b"multipart/mixed; boundary=b", b"multipart/alternative; boundary=a", b"message/rfc822", b"text/plain"),
    *(b"text/html", b"; charset=utf-16", b"; charset=utf-7", b"; charset=iso-2022-jp", b"; charset=hz", b"\x1b$B"),
    *(b"; charset=idna", b"Content-Transfer-Encoding: base64\r\n", b"x-uuencode", b"begin 644 x\n"),
    *(b"Content-Transfer-Encoding: quoted-printable\r\n", b"Content-Disposition: attachment; filename="),
    *(b"; filename*0*=utf-8''%0d%0aBcc:%20x", b"; name*9=x", b"=?utf-8?q?=0D=0ABcc:_x@y.test?=", b"=?utf-8?q?=C3"),
    *(b"=?utf-8?b?DQpCY2M6IHhAeS50ZXN0?=", b"=?x?b?", b"?=", b"=?utf-8?q?=00?=", b"=?utf-8?q?=E2=80=A8?="),
    *(b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\r\n ", b" ", b"\t", b"\0", b"\x0b", b"\x0c", b"\x85", b"\x1a"),
    *(b"\x7f", b"\xed\xa0\x80", b"\xff\xfe", b"\xe9", b"\xc3\xa9", b"\xf0\x9f\x98\x80" * 40, b"A" * 300),
    # separators, overrides, isolates, what is invisible, stacked marks, a Cyrillic letter, a family, a tag
    *map(str.encode, ("\u2028", "\u2029", "\u202e", "\u2066", "\u200b", "\ufeff", "\u0085", "e\u0301\u0301\u0301")),
    *map(str.encode, ("\u0430", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U000e0041")),
    *(b"=", b"@", b'"', b"(", b")", b"\\", b"<", b">", b",", b";", b":", b"<a@b.test>", b'"a\\"b"@c.test', b"a@b@c"),
    *(b"a@[127.0.0.1]", b"--b\r\n", b"--a\r\n", b"--b--", b"--", b"<div", b"<blockquote>", b"</", b"<!--", b"<script>"),
    *(b"&#0;", b"&#xD800;", b"&lrm;", b"%s", b"{name}", b"$(x)", b"../../x", b"CON", b"(" * 50, b"<" * 50),
)  # fmt: skip


def seed_mails() -> list[bytes]:
    """What is mutated: mails of our own, and those of the folder FUZZ_MAILS names, if any."""
    mails = [text.encode("utf-8") for text in _MAILS] + [text.encode("latin-1", "replace") for text in _MAILS[:8]]
    folder = os.environ.get("FUZZ_MAILS")
    if folder:
        files = sorted(file for file in Path(folder).iterdir() if file.stat().st_size <= LARGEST_SEED)
        mails += [file.read_bytes() for file in files]
    return mails


def mutated_mail(seeds: list[bytes], chance: Random) -> bytes:
    """One of the mails after one to six changes."""
    mail = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 6))):
        mail = chance.choice(_CHANGES)(mail, seeds, chance)
    return mail[: 2 * LARGEST_SEED]


def _place(mail: bytes, chance: Random) -> int:
    """Anywhere, but rather in the header and at the beginning of lines."""
    if chance.random() < 0.5:
        head = mail.find(b"\n\r\n")
        at = chance.randrange((head if head > 0 else len(mail)) + 1)
    else:
        at = chance.randrange(len(mail) + 1)
    if chance.random() < 0.4:
        at = mail.find(b"\n", at) + 1
    return at


def _inserted(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    at = _place(mail, chance)
    return mail[:at] + chance.choice(_FRAGMENTS) + mail[at:]


def _inserted_often(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    at = _place(mail, chance)
    return mail[:at] + chance.choice(_FRAGMENTS) * chance.randrange(2, 200) + mail[at:]


def _value_replaced(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    """Another value for some field: fragments one after the other."""
    start = mail.find(b": ", _place(mail, chance)) + 2
    end = mail.find(b"\n", start)
    value = b"".join(chance.choice(_FRAGMENTS) for _ in range(chance.randrange(1, 6)))
    return mail[:start] + value + mail[end if end >= 0 else len(mail) :]


def _cut(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    at = _place(mail, chance)
    return mail[:at] + mail[at + chance.randrange(1, 80) :]


def _cut_off(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    return mail[: _place(mail, chance)]


def _doubled(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    at = _place(mail, chance)
    return mail[:at] + mail[at : at + chance.randrange(1, 200)] * chance.randrange(2, 6) + mail[at:]


def _flipped(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    at = chance.randrange(len(mail) + 1)
    return mail[:at] + bytes([chance.randrange(256)]) + mail[at + 1 :]


def _spliced(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    other = chance.choice(seeds)
    return mail[: _place(mail, chance)] + other[_place(other, chance) :]


def _other_line_ends(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    return mail.replace(*chance.choice(((b"\r\n", b"\n"), (b"\r\n", b"\r"), (b"\n", b"\r\n"), (b"\r\n", b"\n\r"))))


def _other_charset(mail: bytes, seeds: list[bytes], chance: Random) -> bytes:
    charset = chance.choice((b"utf-7", b"utf-16", b"utf-32", b"big5", b"hz", b"iso-2022-kr", b"punycode", b"none", b""))
    return mail.replace(b"utf-8", charset)


_CHANGES: tuple[Callable[[bytes, list[bytes], Random], bytes], ...] = (
    *(_inserted, _inserted, _inserted, _value_replaced, _value_replaced, _value_replaced, _inserted_often),
    *(_cut, _cut_off, _doubled, _flipped, _flipped, _spliced, _other_line_ends, _other_charset),
)


# ---------------------------------------------------------------- updates


def seed_updates() -> list[Json]:
    """Updates of every kind the desk asks for, as the stand-in for Telegram makes them."""
    server = TelegramServer(clock=lambda: 1_790_000_000.0)
    (bot,) = server._bots.values()
    bot.next_update_id = 1_000_000
    nora = server.user(501, "Nora")
    nora.start("roux")
    first = nora.send_text(
        "Bonjour, voir le site", entities=[{"type": "text_link", "offset": 9, "length": 12, "url": "https://x.test"}]
    )
    nora.send_text("une réponse", reply_to=first["message_id"])
    nora.edit_text(first["message_id"], "Bonjour, corrigé")
    for kind in ("photo", "document", "voice", "audio", "video"):
        nora.send_file(kind, f"{kind}.bin", "application/octet-stream", b"x", caption="une légende")
    for content in (
        {"sticker": {"file_id": "s", "emoji": "👍"}},
        {"location": {"latitude": 48.85, "longitude": 2.35}},
        {"venue": {"location": {"latitude": 48.85, "longitude": 2.35}, "title": "Cabinet", "address": "1 rue X"}},
        {"contact": {"first_name": "Max", "last_name": "Y", "phone_number": "+33600000000"}},
        {"dice": {"emoji": "🎲", "value": 4}},
        {"poll": {"question": "Quand ?", "options": [{"text": "lundi"}, {"text": "mardi"}]}},
        {"forward_origin": {"type": "user", "sender_user": {"id": 7, "first_name": "Zoé"}}, "text": "transmis"},
        {"pinned_message": {"message_id": 1}},
        {"something_new": {"a": 1}},
    ):
        nora.send_raw(content)
    nora.block()
    nora.unblock()
    press = {"id": "123", "from": nora.as_user(), "chat_instance": "-501", "data": "take:0190a3c1"}
    bot.push("callback_query", {**press, "message": first})
    bot.push("callback_query", {**press, "message": {"message_id": 3, "chat": nora.as_chat(), "date": 0}})
    bot.push("callback_query", {**press, "inline_message_id": "x"})
    bot.push_raw({"message_of_the_future": {"chat": {"id": 77}, "words": "?"}})
    # The stand-in draws the ids of its files; here they are the same each time.
    said = json.dumps([update for _, update in bot.updates])
    updates: list[Json] = json.loads(re.sub(r"[0-9a-f]{16}", "0123456789abcdef", said))
    return updates


_VALUES: tuple[Json, ...] = (
    *(None, True, False, 0, -1, 1, 501, 2**31, 2**52, 2**63, -(2**63), 10**30, 1e308, -0.0, 0.5, "", "0", "501"),
    *([], {}, [[]], [None], [1, "a", {}], {"id": 1}, {"id": None}, {"": ""}, [{"text": 1}]),
    *({"chat": {"id": 5, "type": "private"}}, "private", "supergroup", "channel", "a" * 5000, "\ud800", "\udfff\ud800"),
    *("\0", "\r\nX: y", "\u202e\u2066", "\u2028", "e" + "\u0301" * 300, "\U0001f600" * 2000, "\u3164", "\u0430dmin"),
    *("/start", "/start i-x", "/start unsorted", "/start " + "x" * 100, "/file", "take:x", "send:x:1", ":" * 64),
    *("\xe9" * 32, "<b>gras</b>", "*gras*", "[a](tg://user?id=1)", "https://x.test", "%s{}"),
)  # fmt: skip
_NAMES = (
    *("message", "edited_message", "callback_query", "my_chat_member", "channel_post", "update_id", "chat", "from"),
    *("id", "type", "text", "caption", "entities", "caption_entities", "message_id", "date", "edit_date", "data"),
    *("photo", "document", "voice", "audio", "video", "video_note", "animation", "sticker", "poll", "venue"),
    *("location", "contact", "dice", "file_id", "file_name", "file_size", "mime_type", "first_name", "last_name"),
    *("username", "language_code", "reply_to_message", "forward_origin", "new_chat_member", "status", ""),
    *("pinned_message", "web_app_data", "story", "is_bot", "business_connection", "business_message", "rights", "user"),
    *("edited_business_message", "deleted_business_messages", "business_connection_id", "message_ids", "is_enabled"),
)  # fmt: skip


def mutated_update(seeds: list[Json], chance: Random) -> Json:
    """One of the updates after one to five changes anywhere in it."""
    update = deepcopy(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        holder = _somewhere(update, chance)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = chance.choice(keys) if keys else None
        how = chance.random()
        if how < 0.6 and key is not None:
            holder[key] = _another(holder[key], seeds, chance)
        elif how < 0.75 and key is not None:
            del holder[key]
        elif isinstance(holder, dict):
            holder[chance.choice(_NAMES)] = _another(None, seeds, chance)
        else:
            holder.append(_another(None, seeds, chance))
    return update


def _somewhere(update: Json, chance: Random) -> Json:
    """An object or list of it, each step down as likely as staying."""
    holder = update
    while True:
        inner = [
            value
            for value in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(value, dict | list)
        ]
        if not inner or chance.random() < 0.3:
            return holder
        holder = chance.choice(inner)


def _another(value: Json, seeds: list[Json], chance: Random) -> Json:
    how = chance.random()
    if how < 0.7:
        return deepcopy(chance.choice(_VALUES))
    if how < 0.85 and isinstance(value, str) and value:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice(("\0", "\ud83d", "\u202e", "\n", "\u0301" * 50, "😀", value)) + value[at:]
    if how < 0.9 and isinstance(value, int):
        return value + chance.choice((-1, 1, 10**6, 2**60))
    if how < 0.95:
        deep: Json = deepcopy(chance.choice(_VALUES))
        for _ in range(chance.randrange(1, 60)):
            deep = [deep] if chance.random() < 0.5 else {chance.choice(_NAMES): deep}
        return deep
    other = chance.choice(seeds)
    return deepcopy(next((inner for inner in other.values() if isinstance(inner, dict)), other))
