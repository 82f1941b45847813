"""What an observer is told of a mailbox, whose folders each know of themselves alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.base import Observer
from inbox.parts import ChannelId


@dataclass
class Watch:
    """A mailbox is up when all its folders are, and something is owed when it is in one of them."""

    channel: ChannelId
    observer: Observer
    folders: int
    up: set[int] = field(default_factory=set)
    owing: set[int] = field(default_factory=set)

    def of(self, *numbers: int) -> WatchOfSome:
        """What one of the folders tells, or several that share a connection."""
        return WatchOfSome(self, frozenset(numbers))


@dataclass(frozen=True)
class WatchOfSome:
    """Their part of it."""

    whole: Watch
    numbers: frozenset[int]

    def up(self) -> None:
        """They are received. It may be said again."""
        whole = self.whole
        if not self.numbers <= whole.up:
            whole.up |= self.numbers
            if len(whole.up) == whole.folders:
                whole.observer.up(whole.channel)

    def down(self, reason: str, retry_in: float | None) -> None:
        """They are not, and why."""
        self.whole.up -= self.numbers
        self.whole.observer.down(self.whole.channel, reason, retry_in)

    def announced(self) -> None:
        """Something arrived."""
        self.whole.observer.announced(self.whole.channel)

    def owed(self, something: bool) -> None:
        """Whether the server has mails in them that are not received yet."""
        if something:
            self.whole.owing |= self.numbers
        else:
            self.whole.owing -= self.numbers
        self.whole.observer.owed(self.whole.channel, bool(self.whole.owing))
