"""What stands between Telegram and several workers: TLS ends here, and each call goes to the next that answers."""

from __future__ import annotations

import itertools
import ssl
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web

from tests.servers.certificates import Certificates, make_certificates

ANSWERS_WITHIN = 3.0
"""Seconds until a worker that does not answer is passed over, as every balancer does."""


class Balancer:
    """A reverse proxy in turn over loopback ports.

    Attributes:
        answered: how many calls each worker answered with 2xx, by its port.
    """

    def __init__(self, directory: Path, ports: list[int]) -> None:
        self._certificates: Certificates = make_certificates(directory)
        self._ports = itertools.cycle(ports)
        self._count = len(ports)
        self.answered = dict.fromkeys(ports, 0)
        self.url = ""

    def trusted(self) -> ssl.SSLContext:
        """What a client needs to trust it."""
        return ssl.create_default_context(cafile=self._certificates.ca_file)

    async def __aenter__(self) -> Self:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(self._certificates.certificate, self._certificates.key)
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWERS_WITHIN))
        app = web.Application()
        app.add_routes([web.post("/{tail:.*}", self._passed_on)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=server).start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _passed_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        for port in itertools.islice(self._ports, self._count):
            try:
                async with self._session.post(
                    f"http://127.0.0.1:{port}{request.path}", data=body, headers=request.headers
                ) as answer:
                    self.answered[port] += answer.ok
                    return web.Response(status=answer.status)
            except (aiohttp.ClientError, TimeoutError):
                continue  # dead, or asleep
        return web.Response(status=502)
