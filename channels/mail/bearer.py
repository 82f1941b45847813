"""What is said to a mail server that takes an OAuth2 token in place of a password (RFC 7628, and Google's XOAUTH2)."""

from __future__ import annotations

from typing import Protocol


class Tokens(Protocol):
    """Where the tokens of one mailbox come from."""

    async def token(self, refused: str | None = None) -> str:
        """A token that lasts long enough to log in.

        Args:
            refused: one that a server did not take, though its time was not over: another is made.

        Raises:
            ChannelError: LoginRejected where a person must give permission, TemporaryFailure for now.
        """
        ...

    async def given(self) -> None:
        """Return once a person gave permission after the last that was refused."""
        ...

    async def close(self) -> None:
        """Let what the provider is being asked come to its end: the last thing that is asked of it."""
        ...


def bearer(mechanism: str, user: str, host: str, port: int, token: str) -> bytes:
    """The first answer of XOAUTH2 or OAUTHBEARER (RFC 7628 §3.1)."""
    if mechanism == "XOAUTH2":
        return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()
    # RFC 5801 §4: in the name "=" and "," are written so.
    name = user.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01".encode()


def mechanism_of(offered: frozenset[str]) -> str | None:
    """The mechanism to take of those a server offers (names without AUTH=, upper case); None: it offers neither."""
    return next((name for name in ("OAUTHBEARER", "XOAUTH2") if name in offered), None)


RESIGNED = {"XOAUTH2": b"", "OAUTHBEARER": b"\x01"}
"""What ends the exchange once the server said why it refuses (RFC 7628 §3.2.3)."""
