"""A provider's authorization server: permission by browser and by code, tokens that end, refresh tokens that rotate."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import secrets
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web

from channels.mail.oauth import App, Provider
from tests.servers.dovecot import access_token

CLIENT_ID = "desk"


class AuthorizationServer:
    """The server, from entering to leaving (RFC 6749, 7636, 8628).

    Attributes:
        lasts: seconds a token it makes is said to last.
        refreshes: how often a refresh token was used.
        trouble: the status it answers every token request with, for as long as it is set.
        makes: what it makes a token of, when that is not a good one.
        thinks: seconds from when a refresh token is used up to the answer that holds the next one.
        answers: what it answers a refresh with in place of a token, as it stands.
    """

    def __init__(self, user: str) -> None:
        self.user = user
        self.lasts = 3600
        self.refreshes = 0
        self.trouble: int | None = None
        self.makes: str | None = None
        self.thinks = 0.0
        self.answers: str | None = None
        self.valid: set[str] = set()
        self.secrets: set[str] = set()
        """All that it ever gave and nobody else may see: tokens of both kinds, codes for devices."""
        self._codes: dict[str, tuple[str, str]] = {}
        self._device: dict[str, int] = {}
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        served = web.Application()
        served.router.add_post("/token", self._token)
        served.router.add_post("/device", self._begin)
        self._runner = web.AppRunner(served)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def app(self, *, by_code: bool = True) -> App:
        """What the desk is to it."""
        device = f"{self.url}/device" if by_code else None
        return App(Provider(f"{self.url}/authorize", f"{self.url}/token", device, ("mail",)), CLIENT_ID)

    def give(self) -> dict[str, object]:
        """What a person's permission becomes."""
        number = next(self._numbers)
        refresh = f"refresh-{number}-{secrets.token_hex(8)}"
        self.valid.add(refresh)
        token = self.makes or access_token(self.user, seconds=self.lasts)
        self.secrets |= {token, refresh}
        return {"access_token": token, "refresh_token": refresh, "expires_in": self.lasts, "token_type": "Bearer"}

    def allow(self, page: str) -> str:
        """A person opens this page and allows it: where their browser is sent."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
        assert (asked["client_id"], asked["response_type"], asked["scope"]) == (CLIENT_ID, "code", "mail")
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_hex(8)
        self._codes[code] = (asked["code_challenge"], asked["redirect_uri"])
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    async def _begin(self, request: web.Request) -> web.Response:
        asked = await request.post()
        assert asked["client_id"] == CLIENT_ID
        code = secrets.token_hex(8)
        self._device[code] = 2
        self.secrets.add(code)
        return web.json_response(
            {
                "device_code": code,
                "user_code": "ABCD",
                "verification_uri": f"{self.url}/type",
                "interval": 0.05,
                "expires_in": 60,
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        asked = await request.post()
        if self.trouble is not None:
            return web.Response(status=self.trouble, text="not now")
        match asked["grant_type"]:
            case "authorization_code":
                challenge, redirect = self._codes.pop(str(asked["code"]))
                digest = hashlib.sha256(str(asked["code_verifier"]).encode()).digest()
                assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
                assert asked["redirect_uri"] == redirect
            case "refresh_token":
                self.refreshes += 1
                if asked["refresh_token"] not in self.valid:
                    return _refused("invalid_grant")
                if self.answers is not None:
                    return web.Response(text=self.answers, content_type="application/json")
                self.valid.discard(str(asked["refresh_token"]))
                given = self.give()
                await asyncio.sleep(self.thinks)
                return web.json_response(given)
            case _:
                left = self._device[str(asked["device_code"])]
                self._device[str(asked["device_code"])] = left - 1
                if left:
                    return _refused("authorization_pending" if left > 1 else "slow_down")
        return web.json_response(self.give())


def _refused(error: str) -> web.Response:
    return web.json_response({"error": error}, status=400)
