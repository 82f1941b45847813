"""The desk's clock: the wall's, but it never goes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

log = structlog.get_logger(__name__)

JUMP = timedelta(seconds=5)
"""A difference worth a line in the log; less is what setting a clock by the network does all day."""
SLEW = 0.05
"""How much slower it goes while it waits for the wall: an hour is made good in twenty."""


MOST_BEHIND = timedelta(days=1)
"""A wall further behind than this was wrong before, not now: it is followed."""


def _wall() -> datetime:
    return datetime.now(UTC)


class SteadyClock:
    """Tells the time as the wall's clock does, as long as that one goes forward.

    When the wall is set back, this goes on from where it was, a little slower,
    until the wall has caught up: what is due in five seconds is due in five
    seconds, not in an hour and five. A wall that is set forward is followed at
    once; a machine that slept wakes so.

    Args:
        wall: the time as this machine has it.
        monotonic: seconds that nobody sets.
    """

    def __init__(self, wall: Callable[[], datetime] = _wall, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._read_at = monotonic()
        self._wall_was = self._told = wall()

    def __call__(self) -> datetime:
        """The time now, never before what was told last."""
        wall, read_at = self._wall(), self._monotonic()
        passed = timedelta(seconds=read_at - self._read_at)
        self._note_jump(wall - self._wall_was - passed)
        self._wall_was, self._read_at = wall, read_at
        self._told = max(wall, self._told + passed * (1 - SLEW))
        return self._told

    def not_before(self, instant: datetime) -> None:
        """Go on from an instant that has been already: the wall was set back since, while nobody looked."""
        behind = instant - self()
        if behind <= timedelta():
            return
        if behind > MOST_BEHIND:
            log.error("clock_far_behind", seconds=round(behind.total_seconds(), 1), since=instant.isoformat())
            return
        if behind >= JUMP:
            log.warning("clock_behind", seconds=round(behind.total_seconds(), 1))
        self._told = instant

    def _note_jump(self, jump: timedelta) -> None:
        if abs(jump) < JUMP:
            return
        log.warning(
            "clock_jumped",
            seconds=round(jump.total_seconds(), 1),
            direction="back" if jump < timedelta() else "forward",
        )
