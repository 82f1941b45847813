"""A Bot API on this machine: what Telegram does for bots, and what people do in Telegram.

It speaks HTTP as the Bot API does (offsets that confirm, limits, expiry,
429, refusals in Telegram's words), so the desk uses it as it uses Telegram,
from this process or another. People are played from Python: see
`bot.demo.telegram_people.TelegramUser`.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import aiohttp
from aiohttp import web

from bot.demo.telegram_business import Correspondence
from bot.demo.telegram_methods import FLOOD_CONTROLLED, METHODS, Upload
from bot.demo.telegram_people import TelegramUser
from bot.demo.telegram_rules import MAX_UPLOAD, Json, Params, Refusal, bad, integer, structure, too_many, truth
from bot.demo.telegram_state import Answer, DemoBot, Group, Person, Webhook, World

__all__ = ["Answer", "Call", "TelegramServer", "TelegramUser"]

HOST = "127.0.0.1"
LONGEST_POLL = 50
"""Client.h, LONG_POLL_MAX_TIMEOUT."""
MOST_CALLS = 100_000
CHAT_BURST, CHAT_RATE = 5, 1.0
"""What a chat takes at once, and a second in the long run. Telegram names "one message a second" and "short bursts"."""
OVERALL = 30
"""Messages a second of one bot, to all chats together. Source: "Bots FAQ: My bot is hitting limits"."""
_PROOF = "X-Telegram-Bot-Api-Secret-Token"


class Call(NamedTuple):
    """One call a bot made."""

    at: float
    """`time.monotonic()` when it was received whole."""
    method: str
    parameters: Json


@dataclass(slots=True)
class _Fault:
    method: str
    times: int
    status: int | None
    description: str
    retry_after: int | None
    drop: Literal["before", "after"] | None
    delay: float
    html: bool
    chat_id: int | None

    def concerns(self, method: str, params: Params) -> bool:
        """Whether this call is one of those that fail."""
        chat = self.chat_id is None or integer(params, "chat_id") == self.chat_id
        return self.method in ("", method) and chat


class _Hung(Exception):
    """Drop the connection instead of answering."""


class _Page(Exception):
    """Answer with a page for people, as what stands before the Bot API does when it is down."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class TelegramServer:
    """The Bot API at `url`, for the bots it was told of; the first is made with it.

    Args:
        clock: seconds since 1970; what updates and presses expire by.
        limits: enforce the sending limits with 429; `violations` counts either way.
        trusted: whose certificates webhooks may have; a certificate of one's own can be given to Telegram as well
            (Bot API, setWebhook, certificate).
    """

    def __init__(
        self,
        *,
        token: str = "42000001:AAE-demo-token-of-nobody-but-this-process",  # noqa: S107  # opens nothing but this process
        username: str = "permanence_demo_bot",
        name: str = "Permanence",
        clock: Callable[[], float] = time.time,
        limits: bool = False,
        port: int = 0,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self.token = token
        self.listeners: list[Callable[[int], None]] = []
        """Told the id of a person whose chat changed."""
        self.calls: deque[Call] = deque(maxlen=MOST_CALLS)
        self.limits = limits
        self.violations = 0
        """Messages sent faster than Telegram allows, whether refused or not."""
        self._port = port
        self._trusted = trusted
        self._world = World(clock, self._changed)
        self._world.correspondence = Correspondence(self._world.bots)
        self._people: dict[int, TelegramUser] = {}
        self._bots: dict[str, DemoBot] = {}
        self._faults: list[_Fault] = []
        self._callers: dict[str, asyncio.Task[None]] = {}
        self._paces: dict[tuple[str, int | None], _Pace] = {}
        self._runner: web.AppRunner | None = None
        self.add_bot(token, username, name)

    # ------------------------------------------------------------ up and down

    async def __aenter__(self) -> Self:
        await self.go_up()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.go_down()

    async def go_up(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application(client_max_size=MAX_UPLOAD + 2**20)
        app.router.add_route("*", "/bot{token}/{method}", self._api)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        # who hangs up has stopped polling; calls with an effect never wait, so none is cut short by this
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        for bot in self._bots.values():
            self._call_webhook(bot)

    async def go_down(self) -> None:
        """Refuse connections, and cut those there are. What bots and people know stays."""
        for caller in self._callers.values():
            caller.cancel()
        await asyncio.gather(*self._callers.values(), return_exceptions=True)
        self._callers.clear()
        for bot in self._bots.values():
            bot.wake(Refusal(500, "Internal Server Error: restart"))
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        """Where bots find it."""
        return f"http://{HOST}:{self._port}"

    # ------------------------------------------------------------ for whoever plays

    def add_bot(self, token: str, username: str, name: str) -> DemoBot:
        """One more bot."""
        self._bots[token] = DemoBot(token, username, name, self._world)
        return self._bots[token]

    def bot(self, token: str | None = None) -> DemoBot:
        """A bot's own state; the first bot's when none is named."""
        return self._bots[token or self.token]

    def user(
        self,
        id: int,
        first_name: str = "",
        last_name: str = "",
        *,
        username: str = "",
        language_code: str = "fr",
    ) -> TelegramUser:
        """A person; made when first named."""
        if id not in self._people:
            made = TelegramUser(id, first_name or f"Client {id}", last_name, username, language_code, self.bot)
            self._people[id] = self._world.people[id] = made
        return self._people[id]

    def group(self, id: int, title: str, *members: TelegramUser, token: str | None = None) -> Group:
        """A group with topics that a bot is an administrator of; its members are its ordinary ones."""
        made = Group(id, title)
        made.members = {member.id: "member" for member in members}
        self._world.people[id] = made
        self.bot(token).chat_with(made).started = True
        return made

    def group_of(self, id: int) -> Group:
        """A group that was made.

        Raises:
            KeyError: there is none of this id.
        """
        found = self._world.people[id]
        if not isinstance(found, Group):
            raise KeyError(id)
        return found

    def fail_next(
        self,
        method: str = "",
        *,
        times: int = 1,
        status: int | None = None,
        description: str = "",
        retry_after: int | None = None,
        drop: Literal["before", "after"] | None = None,
        delay: float = 0.0,
        html: bool = False,
        chat_id: int | None = None,
    ) -> None:
        """Make the next calls of a method (of any, when none is named; "download" is one here) fail.

        With a status (as a page instead of JSON, if `html`), or a 429, or by
        dropping the connection before or after the effect; `delay` seconds
        pass first. A delay alone only delays. `chat_id` spares all other chats.
        """
        fault = _Fault(method.lower(), times, status, description, retry_after, drop, delay, html, chat_id)
        self._faults.append(fault)

    def recover(self) -> None:
        """Forget every fault that was asked for."""
        self._faults.clear()

    def inject(self, update: Json, token: str | None = None) -> None:
        """Put an update of any shape before a bot; it gets an id when it has none."""
        self.bot(token).push_raw(update)

    def pending(self, token: str | None = None) -> int:
        """Updates not confirmed yet."""
        return len(self.bot(token).updates)

    def made(self, *methods: str) -> list[Call]:
        """The calls of these methods, in order."""
        wanted = {method.lower() for method in methods}
        return [call for call in self.calls if call.method.lower() in wanted]

    def _changed(self, person: Person) -> None:
        person.saw.set()
        for listener in list(self.listeners):
            listener(person.id)

    # ------------------------------------------------------------ HTTP

    async def _api(self, request: web.Request) -> web.StreamResponse:
        return await _told(request, self._answered)

    async def _answered(self, request: web.Request) -> web.Response:
        return _json({"ok": True, "result": await self._answer(request)}, 200)

    async def _answer(self, request: web.Request) -> Any:
        bot = self._bots.get(request.match_info["token"])
        if bot is None:
            raise Refusal(401, "Unauthorized")
        asked = request.match_info["method"].lower()
        name = _NAMES.get(asked, asked)
        params = await _params(request)
        self.calls.append(Call(time.monotonic(), name, params))
        fault = self._fault(asked, params)
        if fault is not None:
            await _fail(fault)
        if asked not in _NAMES:
            raise Refusal(404, "Not Found")
        if name in FLOOD_CONTROLLED:
            self._control_flood(bot, integer(params, "chat_id"))
        waits = self._waits(name)
        result = await waits(bot, params) if waits is not None else METHODS[name](bot, params)
        if fault is not None and fault.drop == "after":
            raise _Hung
        return result

    def _waits(self, name: str) -> Callable[[DemoBot, Params], Awaitable[Any]] | None:
        match name:
            case "getUpdates":
                return self._get_updates
            case "setWebhook":
                return self._set_webhook
            case "deleteWebhook":
                return self._delete_webhook
            case "getWebhookInfo":
                return self._get_webhook_info
        return None

    def _fault(self, method: str, params: Params) -> _Fault | None:
        for fault in self._faults:
            if fault.concerns(method, params):
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None

    def _control_flood(self, bot: DemoBot, chat_id: int) -> None:
        chat = self._paces.setdefault((bot.token, chat_id), _Pace(CHAT_BURST, CHAT_RATE))
        everyone = self._paces.setdefault((bot.token, None), _Pace(OVERALL, OVERALL))
        wait = max(chat.take(), everyone.take())
        if wait:
            self.violations += 1
            if self.limits:
                raise too_many(int(wait) + 1)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        return await _told(request, self._file)

    async def _file(self, request: web.Request) -> web.Response:
        fault = self._fault("download", {})
        if fault is not None:
            await _fail(fault)
        bot = self._bots.get(request.match_info["token"])
        path = request.match_info["path"]
        for file in bot.files.values() if bot is not None else ():
            if file.path == path:
                return web.Response(body=file.data, content_type="application/octet-stream")
        raise Refusal(404, "Not Found")

    # ------------------------------------------------------------ updates

    async def _get_updates(self, bot: DemoBot, params: Params) -> list[Json]:
        if bot.webhook is not None:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        _set_allowed(bot, params)
        limit = min(max(integer(params, "limit", 100), 1), 100)
        timeout = min(max(integer(params, "timeout"), 0), LONGEST_POLL)
        bot.confirm(integer(params, "offset"))
        found = bot.pending(limit)
        if found or not timeout:
            return found
        # Client.cpp, abort_long_poll: of two pollers it is the older that is refused
        other = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
        bot.wake(Refusal(409, other))
        bot.poll = mine = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                refusal = await mine
        except TimeoutError:
            return []
        finally:
            if bot.poll is mine:
                bot.poll = None
        if refusal is not None:
            raise refusal
        return bot.pending(limit)

    async def _set_webhook(self, bot: DemoBot, params: Params) -> bool:
        url, secret = str(params.get("url") or ""), params.get("secret_token")
        if not url:
            return await self._delete_webhook(bot, params)
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", str(secret)):
            raise bad("secret token contains unallowed characters")
        if not url.startswith(("https://", f"http://{HOST}", "http://localhost")):
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        _set_allowed(bot, params)
        await self._delete_webhook(bot, params)
        bot.wake(Refusal(409, "Conflict: terminated by setWebhook request"))
        bot.webhook = Webhook(url, str(secret) if secret else None)
        self._call_webhook(bot)
        return True

    async def _delete_webhook(self, bot: DemoBot, params: Params) -> bool:
        bot.webhook = None
        caller = self._callers.pop(bot.token, None)
        if caller is not None:
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
        if truth(params, "drop_pending_updates"):
            bot.updates.clear()
        return True

    async def _get_webhook_info(self, bot: DemoBot, params: Params) -> Json:
        webhook = bot.webhook
        info: Json = {
            "url": webhook.url if webhook else "",
            "has_custom_certificate": False,
            "pending_update_count": len(bot.pending()),
        }
        if webhook is not None and webhook.error:
            info |= {"last_error_date": int(webhook.error_at), "last_error_message": webhook.error}
        return info

    def _call_webhook(self, bot: DemoBot) -> None:
        if bot.webhook is not None:
            self._callers[bot.token] = asyncio.create_task(self._keep_calling(bot, bot.webhook))

    async def _keep_calling(self, bot: DemoBot, webhook: Webhook) -> None:
        """One update after the other, each until it was taken with 2xx; growing waits in between, as Telegram does."""
        headers = {_PROOF: webhook.secret} if webhook.secret else {}
        wait = 0.1
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=30)) as session:
            while True:
                bot.arrived.clear()
                waiting = bot.pending(1)
                if not waiting:
                    await bot.arrived.wait()
                    continue
                webhook.error = await _posted(session, webhook.url, waiting[0], self._trusted)
                if webhook.error is None:
                    bot.updates = [kept for kept in bot.updates if kept[1] is not waiting[0]]
                    wait = 0.1
                    continue
                webhook.error_at = self._world.clock()
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5.0)


_NAMES = {name.lower(): name for name in (*METHODS, "getUpdates", "setWebhook", "deleteWebhook", "getWebhookInfo")}


class _Pace:
    """Messages a second, with a burst; counts time itself, since no test can bend Telegram's clock."""

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = burst
        self._rate = rate
        self._left = burst
        self._at = time.monotonic()

    def take(self) -> float:
        """0, or the seconds until one more would be allowed."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


def _set_allowed(bot: DemoBot, params: Params) -> None:
    # Bot API: "if not specified, the previous setting will be used"; an empty list is the default set
    wanted = structure(params, "allowed_updates")
    if wanted is not None:
        bot.allowed = frozenset(map(str, wanted)) or None


async def _fail(fault: _Fault) -> None:
    """Do to a call what was asked for, as far as that comes before its effect."""
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.drop == "before":
        raise _Hung
    if fault.retry_after is not None:
        raise too_many(fault.retry_after)
    if fault.status is not None and fault.html:
        raise _Page(fault.status)
    if fault.status is not None:
        raise Refusal(fault.status, fault.description or _SAID.get(fault.status, "Internal Server Error"))


_SAID = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 502: "Bad Gateway"}


async def _posted(session: aiohttp.ClientSession, url: str, update: Json, trusted: ssl.SSLContext | None) -> str | None:
    """Call a webhook with one update; what went wrong, or None when it was taken."""
    try:
        async with session.post(url, json=update, ssl=trusted or True) as answer:
            return None if answer.ok else f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except (aiohttp.ClientError, TimeoutError):
        return "Connection refused"


async def _told(
    request: web.Request, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The answer, or a refusal as the Bot API puts it, or no answer at all."""
    try:
        return await answer(request)
    except Refusal as refusal:
        body: Json = {"ok": False, "error_code": refusal.code, "description": refusal.description}
        if refusal.parameters:
            body["parameters"] = refusal.parameters
        return _json(body, refusal.code)
    except _Page as page:
        return web.Response(text="<html><body>Bad Gateway</body></html>", status=page.status, content_type="text/html")
    except _Hung:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


async def _params(request: web.Request) -> Params:
    """A call's parameters, however they came: query, form, multipart or JSON."""
    params: Params = dict(request.query)
    if request.content_type == "application/json":
        try:
            params.update(await request.json())
        except (ValueError, TypeError):
            raise bad("can't parse JSON object") from None
        return params
    try:
        form = await request.post()
    except web.HTTPRequestEntityTooLarge:
        raise Refusal(413, "Request Entity Too Large") from None
    for name, value in form.items():
        if isinstance(value, web.FileField):
            params[name] = Upload(value.filename, value.content_type, value.file.read())
        else:
            params[name] = value
    return params


def _json(body: Json, status: int) -> web.Response:
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")
