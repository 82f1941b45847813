"""What an observer is told of a mailbox, whose folders each know of themselves alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.base import Observer
from inbox.model import ChannelId


@dataclass
class Watch:
    """A mailbox is up when all its folders are, and something is owed when it is in one of them."""

    channel: ChannelId
    observer: Observer
    folders: int
    up: set[int] = field(default_factory=set)
    owing: set[int] = field(default_factory=set)

    def of(self, number: int) -> WatchOfOne:
        """What one of the folders tells."""
        return WatchOfOne(self, number)


@dataclass(frozen=True)
class WatchOfOne:
    """One folder's part of it."""

    whole: Watch
    number: int

    def up(self) -> None:
        """It is received."""
        whole = self.whole
        whole.up.add(self.number)
        if len(whole.up) == whole.folders:
            whole.observer.up(whole.channel)

    def down(self, reason: str, retry_in: float | None) -> None:
        """It is not, and why."""
        self.whole.up.discard(self.number)
        self.whole.observer.down(self.whole.channel, reason, retry_in)

    def announced(self) -> None:
        """Something arrived."""
        self.whole.observer.announced(self.whole.channel)

    def owed(self, something: bool) -> None:
        """Whether the server has mails in it that are not received yet."""
        if something:
            self.whole.owing.add(self.number)
        else:
            self.whole.owing.discard(self.number)
        self.whole.observer.owed(self.whole.channel, bool(self.whole.owing))
