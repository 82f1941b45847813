"""How a channel fails. A library's exception never leaves the module that imports the library.

ChannelError
├── TemporaryFailure   try again; anything not recognised counts as this
├── PermanentFailure   never try again: dead, and the assignee is told
│   └── TopicRefused   no topic of its own for a conversation: plain cards take over
├── SomeRefused        not sent; without some of its recipients it would be
├── OutcomeUnknown     it may have left: a person decides
└── LoginRejected      stop this channel and tell the owner
"""

from __future__ import annotations

from collections.abc import Mapping
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


class TopicRefused(PermanentFailure):
    """No topic was made, or none that we know of. What was to go into it can go into the chat as it is.

    Attributes:
        retry_after: when it is worth another try; None: not before somebody changes something.
    """

    def __init__(self, channel: str, detail: str, *, reason: str, retry_after: timedelta | None) -> None:
        super().__init__(channel, detail, reason=reason)
        self.retry_after = retry_after


class SomeRefused(ChannelError):
    """Not sent: a server refuses some of the recipients, each for a reason of its own, and would take the others.

    Attributes:
        refused: for each of those, its PermanentFailure or TemporaryFailure.
    """

    def __init__(self, channel: str, refused: Mapping[str, ChannelError]) -> None:
        said = "; ".join(failure.detail for failure in refused.values())
        super().__init__(channel, f"{len(refused)} of its recipients: {said}", reason="failure.recipient_refused")
        self.refused = dict(refused)


class OutcomeUnknown(ChannelError):
    """It may have been accepted; nobody can know from here. Never repeated blindly."""


class LoginRejected(ChannelError):
    """The server refuses our credentials."""
