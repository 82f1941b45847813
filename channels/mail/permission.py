"""A person's permission for a mailbox, asked for once: by a browser on this machine, or by a code on any device."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx2
from aiohttp import web
from authlib.integrations.base_client import OAuthError

from channels.mail.oauth import PATIENCE, App, said_by

ALLOWED_WITHIN = 15 * 60.0
"""Seconds a person has in the browser."""
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DONE = "<!doctype html><meta charset=utf-8><title>Permanence</title><p>C’est fait, vous pouvez fermer cette page."


class NotGiven(Exception):
    """Nobody gave permission: why, and what to do."""

    def __init__(self, says: str, remedy: str) -> None:
        super().__init__(says)
        self.remedy = remedy


def _explained(failure: Exception) -> NotGiven:
    if isinstance(failure, OAuthError):
        remedy = "Look at client_id, client_secret, and what the app may ask for at the provider"
        return NotGiven(f"the provider says {said_by(failure)}", remedy)
    if isinstance(failure, httpx2.HTTPStatusError):
        return NotGiven(f"the provider answers {failure.response.status_code}", "Try again in a while")
    return NotGiven(
        f"the provider cannot be asked: {type(failure).__name__}", "See that this machine reaches it, and its clock"
    )


# ---------------------------------------------------------------- on this machine (RFC 8252)


async def allowed_by_browser(app: App, user: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """The permission of whoever opens a page on this machine and allows it.

    Args:
        tell: says a line to that person.

    Raises:
        NotGiven: nobody did, or the provider refuses.
    """
    try:
        return await _by_browser(app, user, tell)
    except (OAuthError, httpx2.HTTPError, ValueError) as failure:
        raise _explained(failure) from None


async def _by_browser(app: App, user: str, tell: Callable[[str], None]) -> dict[str, Any]:
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def arrived(request: web.Request) -> web.Response:
        query = request.query
        if not secrets.compare_digest(query.get("state", ""), state):
            return web.Response(status=400, text="This page belongs to another login.")
        if not answered.done():
            answered.set_result(query.get("code", "") or f"!{query.get('error', 'no code came')}")
        return web.Response(text=DONE, content_type="text/html")

    served = web.Application()
    served.router.add_get("/", arrived)
    runner = web.AppRunner(served, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        back = f"http://127.0.0.1:{port}/"
        async with app.client(redirect_uri=back, code_challenge_method="S256") as client:
            url, _ = client.create_authorization_url(
                app.provider.authorize_url,
                state=state,
                code_verifier=verifier,
                login_hint=user,
                **app.provider.further,
            )
            tell(f"Open this page in a browser on this machine, and allow it:\n  {url}")
            try:
                async with asyncio.timeout(ALLOWED_WITHIN):
                    code = await answered
            except TimeoutError:
                raise NotGiven(
                    "nobody allowed it in time", "Start the same command again; --device where there is no browser"
                ) from None
            if code.startswith("!"):
                raise OAuthError(error=code[1:])
            token = await client.fetch_token(app.provider.token_url, code=code, code_verifier=verifier)
            return dict(token)
    finally:
        await runner.cleanup()


# ---------------------------------------------------------------- on any device (RFC 8628)


async def allowed_by_code(app: App, user: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """The permission of whoever types a code on any device. As `allowed_by_browser`."""
    try:
        return await _by_code(app, user, tell)
    except (OAuthError, httpx2.HTTPError, ValueError, KeyError) as failure:
        raise _explained(failure) from None


async def _by_code(app: App, user: str, tell: Callable[[str], None]) -> dict[str, Any]:
    provider = app.provider
    if provider.device_url is None:
        raise NotGiven(
            "this provider gives no permission for mail by code", "Leave --device out, where there is a browser"
        )
    async with app.client() as client:
        what = {"client_id": app.client_id, "scope": " ".join(provider.scopes)}
        async with httpx2.AsyncClient(timeout=PATIENCE) as anybody:
            asked = await anybody.post(provider.device_url, data=what)
        asked.raise_for_status()
        grant = asked.json()
        tell(f"Open {grant['verification_uri']} in any browser as {user}, and type: {grant['user_code']}")
        every = float(grant.get("interval", 5))
        ends = time.monotonic() + float(grant.get("expires_in", ALLOWED_WITHIN))
        while time.monotonic() < ends:
            await asyncio.sleep(every)
            try:
                token = await client.fetch_token(
                    provider.token_url, grant_type=DEVICE_GRANT, device_code=grant["device_code"]
                )
            except OAuthError as failure:
                if failure.error == "slow_down":
                    every += 5  # RFC 8628 §3.5
                elif failure.error != "authorization_pending":
                    raise
            else:
                return dict(token)
    raise NotGiven("nobody allowed it in time", "Start the same command again")
