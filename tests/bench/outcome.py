"""What one run of an intake took in and what it cost, as its process tells the bench."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import msgspec


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The floor's and ours alike."""

    seconds: float
    """From before the connection to after the last commit."""
    cpu_seconds: float
    """User and system in the same time, all threads."""
    peak_rss_mib: float
    """The most memory the process ever held, interpreter and libraries included."""
    conversations: int
    messages: int
    attachments: int

    def tell(self) -> None:
        """Print it for the bench to read."""
        print(msgspec.json.encode(self).decode(), flush=True)


def cpu_seconds() -> float:
    """What this process has used since it began, without its children."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_rss_mib() -> float:
    """The most memory this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():
        # Of this program alone: ru_maxrss begins with what the parent held when it forked.
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line[:6] == "VmHWM:") / 1024
    octets_a_unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * octets_a_unit / 2**20
