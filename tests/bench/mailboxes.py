"""Two hundred mailboxes in one process: what each costs while nothing arrives, and how soon its mail is received.

Run by itself: `python -m tests.bench.mailboxes [MAILBOXES]`.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

from channels.base import Arrival
from channels.mail.doors import Doors
from channels.mail.imap import ImapServer, Limits, tls_context
from channels.mail.mailbox import Mailbox
from channels.mail.smtp import SmtpServer
from inbox.parts import ChannelId
from tests.servers.dovecot import Dovecot

MAILBOXES = 200
DELIVERED = 20
NOWHERE = SmtpServer("127.0.0.1", 1, "none", None, None, None)

# One process for all logins, TLS streams included; else each connection with TLS keeps one. And a kernel lets one
# user watch 128 places by inotify as it comes: beyond, Dovecot looks by itself, every thirty seconds if not told.
MANY = """
mailbox_idle_check_interval = 1 secs
default_client_limit = 4000
default_process_limit = 1000
service imap-login {
  service_count = 0
}
service imap {
  process_limit = 1000
}
"""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What the process of one run tells."""

    idle_kib: float
    """A mailbox, connected and idle: resident memory of the process with all, less what it was before."""
    idle_cpu: float
    """Percent of one core, for all of them together, in five idle seconds."""
    started_seconds: float
    """Until the last mailbox was up."""
    received_seconds: list[float]
    """From the server's OK to a mail until it is received."""


class _Counted:
    """Observer of all, and store of none."""

    def __init__(self, mailboxes: int) -> None:
        self.left = mailboxes
        self.all_up = asyncio.Event()

    def up(self, channel: ChannelId) -> None:
        self.left -= 1
        if not self.left:
            self.all_up.set()

    def down(self, channel: ChannelId, reason: str, retry_in: float | None) -> None:
        if retry_in is not None:
            print(f"{channel}: {reason}", file=sys.stderr, flush=True)

    def announced(self, channel: ChannelId) -> None:
        """Not counted."""

    def owed(self, channel: ChannelId, something: bool) -> None:
        """Not counted."""


def resident_kib() -> int:
    """What this process holds now."""
    gc.collect()
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


async def measure(dovecot: Dovecot, mailboxes: int, tls: Literal["tls", "none"]) -> Cost:
    """So many mailboxes, each of a user of its own."""
    observer = _Counted(mailboxes)
    limits = Limits(doors=Doors())
    port = dovecot.imaps_port if tls == "tls" else dovecot.imap_port
    authority = dovecot.certificates.ca_file if tls == "tls" else None
    if tls == "tls":
        tls_context(authority)  # shared by all
    arrived: asyncio.Queue[float] = asyncio.Queue()

    async def keep(arrivals: Sequence[Arrival], position: str) -> None:
        for _ in arrivals:
            arrived.put_nowait(time.monotonic())

    boxes = [
        Mailbox(
            ChannelId(f"mail:{number}"),
            ImapServer("localhost", port, tls, authority, f"box{number}", dovecot.password),
            NOWHERE,
            observer,
            start_at="now",
            idle_renewal=timedelta(minutes=25),
            limits=limits,
        )
        for number in range(mailboxes)
    ]
    before, began = resident_kib(), time.monotonic()
    tasks = [asyncio.create_task(box.run(None, keep)) for box in boxes]
    async with asyncio.timeout(120):
        await observer.all_up.wait()
    started = time.monotonic() - began
    await asyncio.sleep(1)
    idle, used = (resident_kib() - before) / mailboxes, time.process_time()
    await asyncio.sleep(5)
    cpu = (time.process_time() - used) / 5 * 100
    received = []
    for number in random.Random(7).sample(range(mailboxes), min(DELIVERED, mailboxes)):
        mail = f"From: a@client.example\r\nSubject: {number}\r\n\r\nBonjour\r\n".encode()
        await asyncio.to_thread(dovecot.deliver, f"box{number}", mail)
        accepted = time.monotonic()
        async with asyncio.timeout(10):
            received.append(max(0.0, await arrived.get() - accepted))
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)
    return Cost(idle_kib=idle, idle_cpu=cpu, started_seconds=started, received_seconds=received)


def main(mailboxes: int) -> None:
    """Print it as the bench does."""
    for tls in ("none", "tls"):
        with Dovecot() as dovecot:
            dovecot.stop()
            dovecot.further = MANY
            dovecot.start()
            cost = asyncio.run(measure(dovecot, mailboxes, tls))
        suffix = "_tls" if tls == "tls" else ""
        print(f"mailboxes_idle{suffix}_kib {cost.idle_kib:.3g} KiB", flush=True)
        print(f"mailboxes_idle{suffix}_cpu {cost.idle_cpu:.3g} %", flush=True)
        print(f"mailboxes_started{suffix}_s {cost.started_seconds:.3g} s", flush=True)
        print(f"mailboxes_received{suffix}_ms {1e3 * statistics.median(cost.received_seconds):.0f} ms", flush=True)
        print(f"mailboxes_received{suffix}_most_ms {1e3 * max(cost.received_seconds):.0f} ms", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MAILBOXES)
