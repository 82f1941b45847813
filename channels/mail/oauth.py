"""Logging in with OAuth2: who gives permission for a mailbox, where it is kept, and a fresh token for each login.

Google and Microsoft take no passwords any more (RFC 6749, RFC 8628, RFC 8252). What a person once allowed is kept
in a file only its owner reads; every access token is made from it, ahead of its end.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import stat
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from channels.errors import LoginRejected, TemporaryFailure
from inbox.parts import ChannelId

AHEAD = 120.0
"""Seconds before its end a token is no longer handed out: a login may take as long."""
PATIENCE = 30.0
ENDING = 5.0
"""Seconds that are left, when the program stops, for the provider's answer to come and be kept."""
_LOOKED_EVERY = 0.05
"""Seconds between two looks whether another process is done with the file: nothing tells."""
LOOKED_FOR_EVERY = 2.0
"""Seconds between two looks for a permission that a person is asked for."""
_LATER = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
"""RFC 6749 §4.1.2.1: not the permission is at fault."""


_ERROR = re.compile(r"[a-z]+(_[a-z]+){0,5}", re.A)


@dataclass(frozen=True, slots=True)
class Provider:
    """Where permission is asked for, and for what."""

    authorize_url: str
    token_url: str
    device_url: str | None
    """None: it gives no permission for mail to a device without a browser."""
    scopes: tuple[str, ...]
    further: Mapping[str, str] = field(default_factory=dict)
    """What else is asked, so that the permission lasts."""


GOOGLE = Provider(
    "https://accounts.google.com/o/oauth2/v2/auth",
    "https://oauth2.googleapis.com/token",
    None,
    ("https://mail.google.com/",),
    {"access_type": "offline", "prompt": "consent"},
)


def microsoft(tenant: str) -> Provider:
    """Microsoft 365, for the mailboxes of one tenant."""
    base = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
    return Provider(
        f"{base}/authorize",
        f"{base}/token",
        f"{base}/devicecode",
        (
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office.com/SMTP.Send",
            "offline_access",
        ),
    )


@dataclass(frozen=True, slots=True)
class App:
    """Who asks: this program as it is registered with the provider."""

    provider: Provider
    client_id: str
    client_secret: str | None = field(default=None, repr=False)

    def client(self, **further: Any) -> AsyncOAuth2Client:
        """A client for one exchange, to be entered."""
        return AsyncOAuth2Client(
            self.client_id,
            self.client_secret,
            scope=" ".join(self.provider.scopes),
            token_endpoint_auth_method="client_secret_post" if self.client_secret else "none",
            timeout=PATIENCE,
            **further,
        )


def said_by(failure: OAuthError) -> str:
    """A provider's word for what is wrong (RFC 6749 §5.2); no sentence, which may repeat a secret."""
    said = str(failure.error)
    return said if _ERROR.fullmatch(said) else "an error of its own"


class TokenFile:
    """What a person allowed, in a file that nobody but its owner reads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Any] | None:
        """What is kept; None where nothing is.

        Raises:
            PermissionError: others may read it. Its text says the remedy.
            ValueError: it holds something else.
            OSError: it cannot be read.
        """
        try:
            mode = self.path.stat().st_mode
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        if stat.S_IMODE(mode) & 0o077:
            raise PermissionError(f"{self.path} can be read by others: chmod 600 {self.path}")
        kept = json.loads(text)
        if not isinstance(kept, dict) or not isinstance(kept.get("refresh_token"), str):
            raise ValueError(f"{self.path} holds no permission")
        return kept

    def write(self, token: Mapping[str, Any]) -> None:
        """Keep this from now on: whole or not at all, whatever dies."""
        kept = {name: token[name] for name in ("access_token", "refresh_token", "expires_at") if name in token}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Alone among all processes of this machine: a refresh token that is used twice may be void."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Never waited for in a thread: one whose caller gave up would still take it, and nobody give it back.
            while not _taken(lock):  # noqa: ASYNC110  # another process
                await asyncio.sleep(_LOOKED_EVERY)
            yield
        finally:
            os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class TokenSource:
    """Access tokens of one mailbox. Any number may ask at once: one refresh serves them all.

    Whoever asks may give up; what was asked of the provider goes on, for a
    permission that rotates (RFC 6749 §6) is lost with an answer nobody keeps.
    """

    def __init__(self, channel: ChannelId, app: App, file: TokenFile) -> None:
        self._channel = channel
        self._app = app
        self._file = file
        self._turn = asyncio.Lock()
        self._asked: set[asyncio.Task[str]] = set()
        self._tried = ""
        """The permission that was last used; "" where there was none."""

    async def token(self, refused: str | None = None) -> str:
        """A token that lasts long enough to log in.

        Args:
            refused: one that a server did not take, though its time was not over: another is made.

        Raises:
            LoginRejected: nobody gave permission, or it was withdrawn.
            TemporaryFailure: the provider cannot be asked now.
        """
        task = asyncio.create_task(self._token(refused))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        return await asyncio.shield(task)

    async def given(self) -> None:
        """Return once the file holds another permission than the one that was last used, whoever refused it."""
        while not self._is_another():  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(LOOKED_FOR_EVERY)

    def _is_another(self) -> bool:
        try:
            kept = self._file.read()
        except (OSError, ValueError):
            return False
        return kept is not None and kept["refresh_token"] != self._tried

    async def close(self) -> None:
        """Let what the provider is being asked come to its end."""
        if self._asked:
            _, late = await asyncio.wait(self._asked, timeout=ENDING)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _token(self, refused: str | None) -> str:
        async with self._turn:
            kept = await asyncio.to_thread(self._kept)
            if not self._is_good(kept, refused):
                kept = await self._refreshed(refused)
            return str(kept["access_token"])

    def _kept(self) -> dict[str, Any]:
        try:
            kept = self._file.read()
        except (OSError, ValueError) as failure:
            raise self._rejected(str(failure)) from None
        self._tried = str(kept["refresh_token"]) if kept is not None else ""
        if kept is None:
            raise self._rejected(f"there is no permission in {self._file.path} yet")
        return kept

    @staticmethod
    def _is_good(kept: Mapping[str, Any], refused: str | None) -> bool:
        expires_at = kept.get("expires_at")
        lasts = isinstance(expires_at, int | float) and expires_at - time.time() > AHEAD
        return lasts and isinstance(kept.get("access_token"), str) and kept["access_token"] != refused

    async def _refreshed(self, refused: str | None) -> dict[str, Any]:
        try:
            async with self._file.held():
                kept = await asyncio.to_thread(self._kept)
                if self._is_good(kept, refused):
                    return kept  # another worker was first
                # A full disk is found out before the permission is used up, not after.
                await asyncio.to_thread(self._file.write, kept)
                fresh = await self._exchanged(kept["refresh_token"])
                # RFC 6749 §6: a provider that gives no new refresh token leaves the old one valid.
                fresh = {"refresh_token": kept["refresh_token"], **fresh}
                await asyncio.to_thread(self._file.write, fresh)
                self._tried = str(fresh["refresh_token"])
                return fresh
        except OSError as failure:
            raise TemporaryFailure(self._channel, f"{self._file.path}: {failure.strerror}") from None

    async def _exchanged(self, refresh_token: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(2 * PATIENCE), self._app.client() as client:
                token = await client.refresh_token(self._app.provider.token_url, refresh_token=refresh_token)
        except OAuthError as failure:
            said = said_by(failure)
            if said in _LATER:
                raise TemporaryFailure(self._channel, f"the provider says {said}") from None
            raise self._rejected(f"the provider says {said}") from None
        except httpx2.HTTPStatusError as failure:
            raise TemporaryFailure(self._channel, f"the provider answers {failure.response.status_code}") from None
        except (httpx2.HTTPError, TimeoutError, ValueError) as failure:
            raise TemporaryFailure(self._channel, f"the provider cannot be asked: {type(failure).__name__}") from None
        if not isinstance(token.get("access_token"), str):
            raise TemporaryFailure(self._channel, "the provider's answer holds no token")
        return dict(token)

    def _rejected(self, detail: str) -> LoginRejected:
        name = self._channel.partition(":")[2]
        return LoginRejected(self._channel, f"{detail}; permanence mailbox login {name}", reason="failure.login")
