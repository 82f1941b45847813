"""The least work that deserves the name of mail intake: what ours is measured against.

One pipelined `UID FETCH`, the standard library's parser (policy `default`),
threading by Message-ID, a conversation, a message, an event and the attachments
in SQLite (WAL, synchronous=FULL), one commit a mail with the cursor in it. A
mail already there is left alone. No raw form is kept, no ledger, no search,
nobody is told, and a malformed mail ends it.

Run as a program of its own; prints its outcome.
"""

from __future__ import annotations

import argparse
import email
import imaplib
import re
import sqlite3
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import NamedTuple

from tests.bench.outcome import Outcome, cpu_seconds, peak_rss_mib

_SCHEMA = """
CREATE TABLE conversation(id INTEGER PRIMARY KEY, subject TEXT, contact TEXT, updated TEXT, n INTEGER);
CREATE TABLE message(
    id INTEGER PRIMARY KEY, conv INTEGER, msgid TEXT UNIQUE, sender TEXT, date TEXT, text TEXT, html TEXT);
CREATE TABLE event(id INTEGER PRIMARY KEY, conv INTEGER, message INTEGER, kind TEXT, at REAL);
CREATE TABLE attachment(id INTEGER PRIMARY KEY, message INTEGER, name TEXT, data BLOB);
CREATE TABLE cursor(mailbox TEXT PRIMARY KEY, uidvalidity INTEGER, uid INTEGER);
"""
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_UID = re.compile(rb"UID (\d+)")
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class _Parsed(NamedTuple):
    message_id: str
    references: list[str]
    subject: str
    sender: str
    date: str
    text: str
    html: str
    attachments: list[tuple[str | None, bytes]]


def _fetch(host: str, port: int, user: str, password: str) -> Iterator[tuple[int, bytes]]:
    client = imaplib.IMAP4(host, port)
    client.login(user, password)
    client.select("INBOX", readonly=True)
    client.send(b"F1 UID FETCH 1:* (UID BODY.PEEK[])\r\n")
    while (line := client.readline()) and not line.startswith(b"F1"):
        literal = _LITERAL.search(line)
        if literal is None:
            continue
        raw = client.read(int(literal[1]))
        rest = client.readline()
        uid = _UID.search(line) or _UID.search(rest)
        if uid is not None:
            yield int(uid[1]), raw
    client.shutdown()


def _content(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _parse(raw: bytes) -> _Parsed:
    mail = email.message_from_bytes(raw, policy=default)
    references = _MESSAGE_ID.findall(mail.get("In-Reply-To", ""))
    references += _MESSAGE_ID.findall(mail.get("References", ""))[::-1]
    attachments = []
    for part in mail.iter_attachments():
        data = part.get_payload(decode=True)
        attachments.append((part.get_filename(), data if isinstance(data, bytes) else b""))
    return _Parsed(
        message_id=str(mail["Message-ID"]).strip(),
        references=references,
        subject=str(mail["Subject"]),
        sender=str(mail["From"]),
        date=str(mail["Date"]),
        text=_content(mail, "plain"),
        html=_content(mail, "html"),
        attachments=attachments,
    )


def _keep(db: sqlite3.Connection, mail: _Parsed) -> None:
    if db.execute("SELECT 1 FROM message WHERE msgid = ?", (mail.message_id,)).fetchone():
        return
    conversation: int | None = None
    for reference in mail.references:
        found = db.execute("SELECT conv FROM message WHERE msgid = ?", (reference,)).fetchone()
        if found:
            conversation = found[0]
            break
    if conversation is None:
        conversation = db.execute(
            "INSERT INTO conversation(subject, contact, updated, n) VALUES (?, ?, ?, 1)",
            (mail.subject, mail.sender, mail.date),
        ).lastrowid
    else:
        db.execute("UPDATE conversation SET updated = ?, n = n + 1 WHERE id = ?", (mail.date, conversation))
    message = db.execute(
        "INSERT INTO message(conv, msgid, sender, date, text, html) VALUES (?, ?, ?, ?, ?, ?)",
        (conversation, mail.message_id, mail.sender, mail.date, mail.text, mail.html),
    ).lastrowid
    db.execute(
        "INSERT INTO event(conv, message, kind, at) VALUES (?, ?, 'received', ?)",
        (conversation, message, time.time()),
    )
    for name, data in mail.attachments:
        db.execute("INSERT INTO attachment(message, name, data) VALUES (?, ?, ?)", (message, name, data))


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # three names, all below


def take_in(host: str, port: int, user: str, password: str, path: Path) -> Outcome:
    """Take a whole mailbox in, into a new file."""
    began, used = time.perf_counter(), cpu_seconds()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.executescript(_SCHEMA)
    for uid, raw in _fetch(host, port, user, password):
        mail = _parse(raw)
        db.execute("BEGIN IMMEDIATE")
        _keep(db, mail)
        db.execute("INSERT OR REPLACE INTO cursor VALUES (?, 0, ?)", (user, uid))
        db.execute("COMMIT")
    seconds, used = time.perf_counter() - began, cpu_seconds() - used
    outcome = Outcome(
        seconds=seconds,
        cpu_seconds=used,
        peak_rss_mib=peak_rss_mib(),
        conversations=_count(db, "conversation"),
        messages=_count(db, "message"),
        attachments=_count(db, "attachment"),
    )
    db.close()
    return outcome


def main() -> None:
    """As a program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--store", type=Path, required=True)
    given = parser.parse_args()
    take_in(given.host, given.port, given.user, given.password, given.store).tell()


if __name__ == "__main__":
    main()
