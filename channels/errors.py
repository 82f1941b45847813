"""How a channel fails. A library's exception never leaves the module that imports the library.

ChannelError
├── TemporaryFailure   try again; anything not recognised counts as this
├── PermanentFailure   never try again: dead, and the assignee is told
├── OutcomeUnknown     it may have left: a person decides
└── LoginRejected      stop this channel and tell the owner
"""

from __future__ import annotations

from datetime import timedelta


class ChannelError(Exception):
    """Something went wrong between us and a server.

    Attributes:
        channel: the channel's id.
        reason: the key of a sentence people may read.
        detail: for the log only, never shown; contains no secret and no message body.
    """

    def __init__(self, channel: str, detail: str, *, reason: str = "failure.other") -> None:
        super().__init__(f"{channel}: {detail}")
        self.channel = channel
        self.detail = detail
        self.reason = reason


class TemporaryFailure(ChannelError):
    """Not sent; try again, not before `retry_after` where the server named a time."""

    def __init__(
        self, channel: str, detail: str, *, reason: str = "failure.other", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(channel, detail, reason=reason)
        self.retry_after = retry_after


class PermanentFailure(ChannelError):
    """Not sent, and never will be."""


class OutcomeUnknown(ChannelError):
    """It may have been accepted; nobody can know from here. Never repeated blindly."""


class LoginRejected(ChannelError):
    """The server refuses our credentials."""
