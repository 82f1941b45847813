"""Several folders of a mailbox received over one connection, each in its turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

from channels.errors import ChannelError
from channels.mail.imap import Imap, Told
from channels.mail.intake import Intake, Pace
from channels.mail.watch import WatchOfSome

MISSED = 2
"""Looks in a row that found what was not announced, after which the server's word is not waited for any more."""


@dataclass
class Line:
    """One of the folders."""

    intake: Intake
    watch: WatchOfSome
    look_at: float = 0.0
    """When it is looked at though nothing was told of it."""
    failing: timedelta = timedelta(0)
    """How long was waited after its last failure; a success ends that."""
    heard: Told | None = None
    """What was told of it before the last look."""


@dataclass
class Together:
    """Folders looked at when the server tells of them (NOTIFY, RFC 5465), or regularly.

    A folder that cannot be opened or kept holds up no other; what ends the
    connection does, and comes last on the next.
    """

    lines: Sequence[Line]
    pace: Pace
    told: bool
    """The server is asked to tell. False: every folder is looked at as often as where nothing is announced."""
    _missed: int = field(default=0, init=False)

    async def receive(self, imap: Imap, announced: Callable[[], None], received: Callable[[], None]) -> None:
        """Receive until the connection ends, by an exception; return when the server does not tell, or not all.

        Args:
            received: called each time something, or the fact that there is nothing, is safely known.
        """
        for line in self.lines:
            line.look_at = 0.0
        while True:
            imap.tell_arrivals(None)
            if self.told and not await self._is_told(imap):
                return
            imap.forget_news()
            imap.tell_arrivals(announced)
            if not self._due(imap):
                until = min(line.look_at for line in self.lines) - monotonic()
                await imap.wait(timedelta(seconds=max(0.0, until)), self.pace.poll)
            for line in self._due(imap):
                await self._look(imap, line, received)

    async def _is_told(self, imap: Imap) -> bool:
        if self._missed >= MISSED or not await imap.watch_folders([line.intake.folder for line in self.lines]):
            return False
        good = (line.intake for line in self.lines if line.intake.seen is not None and not line.failing)
        return all(intake.folder in imap.told for intake in good)

    def _due(self, imap: Imap) -> list[Line]:
        now = monotonic()
        return [line for line in self.lines if line.look_at <= now or (not line.failing and _is_news(imap, line))]

    async def _look(self, imap: Imap, line: Line, received: Callable[[], None]) -> None:
        def known() -> None:
            received()
            line.watch.up()

        announced, before = _is_news(imap, line), line.intake.seen
        line.heard = imap.told.get(line.intake.folder)
        try:
            more = await line.intake.look(imap, known, line.watch.owed)
        except ChannelError as failure:
            if imap.is_over:
                self.lines = [*(other for other in self.lines if other is not line), line]
                raise
            line.failing = self.pace.wait_after(line.failing)
            seconds = self.pace.with_jitter(line.failing)
            line.look_at = monotonic() + seconds
            line.watch.down(failure.detail, seconds)
            return
        line.failing = timedelta(0)
        wait = timedelta(0) if more else line.intake.until_next_try()
        line.look_at = monotonic() + (wait if self.told else min(wait, self.pace.poll)).total_seconds()
        if announced:
            self._missed = 0
        elif before is not None and line.intake.seen != before:
            self._missed += 1


def _is_news(imap: Imap, line: Line) -> bool:
    told, seen = imap.told.get(line.intake.folder), line.intake.seen
    if told is None or told == line.heard:
        return False
    return seen is None or told.uidnext > seen.uidnext or told.uidvalidity not in (0, seen.uidvalidity)
