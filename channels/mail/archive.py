"""Mail kept in files: mbox and Maildir, a mail at a time, oldest first, however large the archive is."""

from __future__ import annotations

import hashlib
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from channels.mail.headers import first, read_date, read_head

LONGEST_HEAD = 64 * 1024
_FROM_LINE = re.compile(rb"(?:\A|\n)From [^\r\n]{0,1000}\r?\n")
_HEADER = re.compile(rb"[!-9;-~]{1,100}:|>From ")
_EMPTY_LINE = re.compile(rb"\n(\r?\n)\Z")
_STUFFED = re.compile(rb"^>(>*From )", re.M)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class NoArchive(Exception):
    """The path is neither an mbox nor a Maildir. Its text says what is there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where one mail is kept."""

    path: Path
    start: int
    end: int
    written_at: datetime
    """By its Date; where it has none, of the mail before it in the file."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The mails of an archive, oldest first.

    Attributes:
        fingerprint: changes with what is in it and where; the order of `mails` does not change without it.
    """

    mails: list[Kept]
    fingerprint: str


def open_archive(path: Path) -> Archive:
    """Look through an mbox, a Maildir, or a folder of Maildirs: headers only.

    Raises:
        NoArchive: it is none of these.
        OSError: it cannot be read.
    """
    if path.is_dir():
        folders = [folder for folder in (path, *sorted(path.rglob("*"))) if _is_maildir(folder)]
        if not folders:
            raise NoArchive(f"{path} is a folder, and no Maildir: it has neither cur nor new")
        mails = [kept for folder in folders for kept in _in_maildir(folder)]
    else:
        mails = list(_in_mbox(path))
        if not mails and path.stat().st_size:
            raise NoArchive(f"{path} is no mbox: it does not begin with a line 'From '")
    mails.sort(key=lambda kept: (kept.written_at, str(kept.path), kept.start))
    digest = hashlib.sha256()
    for kept in mails:
        digest.update(f"{kept.path.name}\x00{kept.start}\x00{kept.end}\n".encode("utf-8", "surrogateescape"))
    return Archive(mails, digest.hexdigest())


def read(kept: Kept) -> bytes:
    """The mail as it was received: what an mbox adds to it is taken away."""
    with kept.path.open("rb") as file:
        file.seek(kept.start)
        raw = file.read(kept.end - kept.start)
    if _is_maildir(kept.path.parent.parent):
        return raw
    # mboxrd (RFC 4155 names no quoting; qmail's mbox(5) does): one mark more than the line had.
    return _STUFFED.sub(rb"\1", raw)


def _is_maildir(folder: Path) -> bool:
    return folder.is_dir() and (folder / "cur").is_dir() and (folder / "new").is_dir()


def _in_maildir(folder: Path) -> Iterator[Kept]:
    for part in ("cur", "new"):
        for entry in sorted(os.scandir(folder / part), key=lambda entry: entry.name):
            if entry.is_file() and not entry.name.startswith("."):
                path, size = Path(entry.path), entry.stat().st_size
                with path.open("rb") as file:
                    head = file.read(LONGEST_HEAD)
                written_at = _written_at(head) or datetime.fromtimestamp(entry.stat().st_mtime, UTC)
                yield Kept(path, 0, size, written_at)


def _in_mbox(path: Path) -> Iterator[Kept]:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
            starts = [found.end() for found in _FROM_LINE.finditer(octets) if _HEADER.match(octets, found.end())]
            if not starts or octets[:5] != b"From ":
                return
            ends = [octets.rfind(b"\nFrom ", 0, start) + 1 for start in starts[1:]]
            last = _BEGINNING
            for start, end in zip(starts, [*ends, len(octets)], strict=True):
                last = _written_at(octets[start : min(start + LONGEST_HEAD, end)]) or last
                # The empty line before the next "From " is the file's, not the mail's.
                empty = _EMPTY_LINE.search(octets, max(end - 4, start), end)
                yield Kept(path, start, end - len(empty[1]) if empty is not None else end, last)


def _written_at(head: bytes) -> datetime | None:
    return read_date(first(read_head(head, 0, len(head)).fields, "date"))
