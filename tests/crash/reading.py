"""One mail read in a process of its own, and what that cost: `python -m tests.crash.reading FILE`.

Prints what it read and, for the reading and for each attachment that was taken
out of it, the seconds of CPU and the octets by which the process grew.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from channels.mail.parse import extract, read_mail
from inbox.envelope import Envelope

T = TypeVar("T")

MOST_EXTRACTED = 5
WARM = (
    b"From: a@client.test\nContent-Type: multipart/mixed; boundary=b\n\n"
    b"--b\nContent-Type: text/html\n\n<p>Bonjour</p>\n--b\nContent-Type: image/png; name=a.png\n\nx\n--b--\n"
)


class Cost(msgspec.Struct, frozen=True):
    """What one step took."""

    seconds: float
    """Of this process's CPU: a busy machine does not change it."""
    growth: int
    """Octets the process was larger at its largest than before it held the mail."""


class Report(msgspec.Struct, frozen=True):
    """What the process says when it is done."""

    read: Cost
    extracted: list[Cost]
    envelope: Envelope


def _memory(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def _measured(work: Callable[[], T], before: int) -> tuple[T, Cost]:
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far (proc(5))
    began = time.process_time()
    result = work()
    return result, Cost(time.process_time() - began, _memory("VmHWM") - before)


def main(file: Path) -> None:
    """Read the file's mail, then its first attachments."""
    extract(WARM, read_mail(WARM).attachments[0].path)
    before = _memory("VmRSS")
    raw = file.read_bytes()
    envelope, read = _measured(lambda: read_mail(raw), before)
    extracted = [
        _measured(lambda path=attachment.path: len(extract(raw, path)), before)[1]  # type: ignore[misc]
        for attachment in envelope.attachments[:MOST_EXTRACTED]
    ]
    sys.stdout.buffer.write(msgspec.json.encode(Report(read, extracted, envelope)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
