"""A Bot API on this machine: what Telegram does for bots, and what people do in Telegram.

It speaks HTTP as the Bot API does (offsets that confirm, limits, expiry,
429, refusals in Telegram's words), so the desk uses it as it uses Telegram.
People are played from Python: see `TelegramUser`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Self

import aiohttp
from aiohttp import web

HOST = "127.0.0.1"
UPDATES_KEPT = 24 * 3600.0
"""Seconds an update waits for its bot. Source: Bot API, "Getting updates"."""
PRESSES_KEPT = 150.0
"""Seconds a press can be answered."""
LARGEST_UPLOAD = 50 * 2**20
LARGEST_PHOTO = 10 * 2**20
LARGEST_DOWNLOAD = 20 * 2**20
_FILES = ("photo", "document", "voice", "audio", "video")
_ENTITIES = frozenset(
    [
        "mention",
        "hashtag",
        "cashtag",
        "bot_command",
        "url",
        "email",
        "phone_number",
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "custom_emoji",
        "date_time",
    ]
)

Json = dict[str, Any]


class ApiError(Exception):
    """A refusal, in Telegram's form."""

    def __init__(self, code: int, description: str, *, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after

    def answer(self) -> web.Response:
        """How Telegram says it."""
        body: Json = {"ok": False, "error_code": self.code, "description": self.description}
        if self.retry_after is not None:
            body["parameters"] = {"retry_after": self.retry_after}
        return web.json_response(body, status=self.code)


class Call(NamedTuple):
    """One call a bot made."""

    at: float
    """`time.monotonic()` when it was received whole."""
    method: str
    parameters: Json


class Answer(NamedTuple):
    """What somebody who pressed a button is told."""

    text: str
    show_alert: bool


@dataclass
class _Fault:
    method: str
    times: int
    status: int | None
    description: str
    retry_after: int | None
    drop: Literal["before", "after"] | None


@dataclass
class _File:
    name: str
    media_type: str
    data: bytes


@dataclass
class _Update:
    content: Json
    at: float


@dataclass
class _Bot:
    token: str
    username: str
    name: str
    updates: deque[_Update] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    allowed: list[str] | None = None
    webhook: str = ""
    webhook_secret: str = ""
    webhook_error: str = ""
    caller: asyncio.Task[None] | None = None
    poller: object = None
    update_ids: Iterable[int] = field(default_factory=lambda: itertools.count(100_000_001))
    message_ids: Iterable[int] = field(default_factory=lambda: itertools.count(1))
    chats: dict[int, list[Json]] = field(default_factory=dict)
    started: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)
    files: dict[str, _File] = field(default_factory=dict)
    sent_at: dict[int, deque[float]] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return int(self.token.partition(":")[0])

    @property
    def user(self) -> Json:
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.username}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class TelegramServer:
    """The Bot API at `url`, for the bots it was told of.

    Args:
        clock: seconds; what updates and presses expire by.
        limits: enforce the sending limits with 429, about a message a second a chat and thirty a second.
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
    ) -> None:
        self.token = token
        self.listeners: list[Callable[[int], None]] = []
        """Told the id of a person whose chat changed."""
        self.calls: list[Call] = []
        self.limits = limits
        self.violations = 0
        """Messages sent faster than Telegram allows, whether refused or not."""
        self._clock = clock
        self._port = port
        self._bots: dict[str, _Bot] = {}
        self._users: dict[int, TelegramUser] = {}
        self._faults: list[_Fault] = []
        self._presses: dict[str, tuple[float, asyncio.Future[Answer]]] = {}
        self._ids = itertools.count(1)
        self.add_bot(token, username, name)

    def add_bot(self, token: str, username: str, name: str) -> None:
        """One more bot."""
        self._bots[token] = _Bot(token, username, name)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_UPLOAD + 2**20)
        app.router.add_route("*", "/bot{token}/{method}", self._api)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for bot in self._bots.values():
            bot.arrived.set()
            if bot.caller is not None:
                bot.caller.cancel()
                await asyncio.gather(bot.caller, return_exceptions=True)
        await self._session.close()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where bots find it."""
        return f"http://{HOST}:{self._port}"

    # ------------------------------------------------------------ for whoever plays

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
        if id not in self._users:
            person = {"id": id, "is_bot": False, "first_name": first_name or f"Client {id}"}
            optional = {"last_name": last_name, "username": username, "language_code": language_code}
            self._users[id] = TelegramUser(self, person | {k: v for k, v in optional.items() if v})
        return self._users[id]

    def fail_next(
        self,
        method: str,
        *,
        times: int = 1,
        status: int | None = None,
        description: str = "",
        retry_after: int | None = None,
        drop: Literal["before", "after"] | None = None,
    ) -> None:
        """Make the next calls of a method fail: with a status, or by dropping the connection around the effect."""
        self._faults.append(_Fault(method.lower(), times, status, description, retry_after, drop))

    def inject(self, update: Json, token: str | None = None) -> Json:
        """Put an update of any shape before a bot; it gets an id when it has none."""
        bot = self._bots[token or self.token]
        content = {"update_id": next(iter(bot.update_ids)), **update}
        bot.updates.append(_Update(content, self._clock()))
        bot.arrived.set()
        if bot.webhook and (bot.caller is None or bot.caller.done()):
            bot.caller = asyncio.get_running_loop().create_task(self._call_webhook(bot))
        return content

    def pending(self, token: str | None = None) -> int:
        """Updates not confirmed yet."""
        return len(self._bots[token or self.token].updates)

    def made(self, *methods: str) -> list[Call]:
        """The calls of these methods, in order."""
        wanted = {method.lower() for method in methods}
        return [call for call in self.calls if call.method in wanted]

    def bot(self, token: str | None = None) -> _Bot:
        """A bot's own state."""
        return self._bots[token or self.token]

    def changed(self, person: int) -> None:
        """Tell listeners, and whoever waits for a message."""
        for listener in list(self.listeners):
            listener(person)
        if person in self._users:
            self._users[person].changed.set()

    def deliver_press(self, bot: _Bot, person: Json, message: Json, data: str) -> asyncio.Future[Answer]:
        """A press on its way; the future is what the person is told."""
        query_id = str(next(self._ids) + 4_000_000_000)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._presses[query_id] = (self._clock(), future)
        self.inject(
            {
                "callback_query": {
                    "id": query_id,
                    "from": person,
                    "message": message,
                    "chat_instance": str(bot.id),
                    "data": data,
                }
            },
            bot.token,
        )
        return future

    def keep_file(self, bot: _Bot, name: str, media_type: str, data: bytes) -> str:
        """Keep a file; its id, which is one bot's own."""
        file_id = f"F{bot.id}-{next(self._ids)}"
        bot.files[file_id] = _File(name, media_type, data)
        return file_id

    def stamp(self) -> int:
        """Now, as messages carry it."""
        return int(self._clock())

    # ------------------------------------------------------------ HTTP

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"].lower()
        try:
            bot = self._bots.get(request.match_info["token"])
            if bot is None:
                raise ApiError(401, "Unauthorized")
            parameters, uploads = await _parameters(request)
            self.calls.append(Call(time.monotonic(), method, parameters))
            fault = self._fault(method)
            if fault is not None and fault.drop == "before":
                return self._hang_up(request)
            if fault is not None and fault.drop is None:
                raise ApiError(
                    fault.status or 500, fault.description or "Internal Server Error", retry_after=fault.retry_after
                )
            handler = getattr(self, f"_do_{method}", None)
            if handler is None:
                raise ApiError(404, "Not Found")
            result = await handler(bot, parameters, uploads)
            if fault is not None:
                return self._hang_up(request)
            return web.json_response({"ok": True, "result": result})
        except ApiError as error:
            return error.answer()

    def _fault(self, method: str) -> _Fault | None:
        for fault in self._faults:
            if fault.method == method:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None

    @staticmethod
    def _hang_up(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=499)

    async def _download(self, request: web.Request) -> web.Response:
        bot = self._bots.get(request.match_info["token"])
        file = bot.files.get(request.match_info["path"].rpartition("/")[2]) if bot else None
        if file is None:
            raise web.HTTPNotFound
        return web.Response(body=file.data, content_type="application/octet-stream")

    # ------------------------------------------------------------ updates

    def _expire(self, bot: _Bot) -> None:
        now = self._clock()
        bot.updates = deque(
            u for u in bot.updates if now - u.at < (PRESSES_KEPT if "callback_query" in u.content else UPDATES_KEPT)
        )

    async def _do_getupdates(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> list[Json]:
        if bot.webhook:
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        me = object()
        bot.poller = me
        bot.arrived.set()  # an older poller learns that it is one too many
        offset, limit = int(parameters.get("offset") or 0), min(int(parameters.get("limit") or 100), 100)
        if "allowed_updates" in parameters:
            bot.allowed = _list(parameters["allowed_updates"]) or None
        until = time.monotonic() + min(int(parameters.get("timeout") or 0), 50)
        while offset > 0 and bot.updates and bot.updates[0].content["update_id"] < offset:
            bot.updates.popleft()
        while True:
            bot.arrived.clear()
            self._expire(bot)
            wanted = [u.content for u in bot.updates if self._is_allowed(bot, u.content)][:limit]
            left = until - time.monotonic()
            if wanted or left <= 0:
                return wanted
            try:
                async with asyncio.timeout(left):
                    await bot.arrived.wait()
            except TimeoutError:
                return []
            if bot.poller is not me:
                raise ApiError(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )

    @staticmethod
    def _is_allowed(bot: _Bot, update: Json) -> bool:
        known = {"message", "edited_message", "callback_query", "my_chat_member"}
        kinds = set(update) - {"update_id"}
        return bot.allowed is None or not kinds & known or bool(kinds & set(bot.allowed))

    async def _do_setwebhook(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> bool:
        bot.webhook = parameters.get("url", "")
        bot.webhook_secret = parameters.get("secret_token", "")
        if bot.webhook and (bot.caller is None or bot.caller.done()):
            bot.caller = asyncio.get_running_loop().create_task(self._call_webhook(bot))
        return True

    async def _do_deletewebhook(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> bool:
        bot.webhook = ""
        if str(parameters.get("drop_pending_updates", "")).lower() == "true":
            bot.updates.clear()
        return True

    async def _do_getwebhookinfo(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> Json:
        info: Json = {
            "url": bot.webhook,
            "has_custom_certificate": False,
            "pending_update_count": len(bot.updates),
        }
        if bot.webhook_error:
            info |= {"last_error_date": self.stamp(), "last_error_message": bot.webhook_error}
        return info

    async def _call_webhook(self, bot: _Bot) -> None:
        """Call until everything was taken with 2xx; growing waits in between, as Telegram does."""
        wait = 0.1
        while bot.webhook and bot.updates:
            update = bot.updates[0]
            headers = {"X-Telegram-Bot-Api-Secret-Token": bot.webhook_secret}
            try:
                async with self._session.post(bot.webhook, json=update.content, headers=headers) as answer:
                    taken, bot.webhook_error = (
                        answer.status // 100 == 2,
                        f"Wrong response from the webhook: {answer.status}",
                    )
            except aiohttp.ClientError:
                taken, bot.webhook_error = False, "Connection refused"
            if taken:
                bot.webhook_error = ""
                if bot.updates and bot.updates[0] is update:
                    bot.updates.popleft()
                wait = 0.1
                continue
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5.0)

    # ------------------------------------------------------------ the bot's own affairs

    async def _do_getme(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> Json:
        return bot.user | {
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    async def _agreed(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> bool:
        return True

    _do_setmycommands = _do_deletemycommands = _do_sendchataction = _do_setmydescription = _agreed

    # ------------------------------------------------------------ messages

    def _chat(self, bot: _Bot, parameters: Json) -> int:
        chat_id = int(parameters.get("chat_id") or 0)
        if chat_id not in self._users:
            raise ApiError(400, "Bad Request: chat not found")
        if chat_id in bot.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        if chat_id not in bot.started:
            raise ApiError(403, "Forbidden: bot can't initiate conversation with a user")
        return chat_id

    def _pace(self, bot: _Bot, chat_id: int) -> None:
        now = time.monotonic()
        for key, most, seconds in ((chat_id, 4, 3.0), (0, 30, 1.0)):
            recent = bot.sent_at.setdefault(key, deque())
            while recent and now - recent[0] >= seconds:
                recent.popleft()
            if len(recent) >= most:
                self.violations += 1
                if self.limits:
                    wait = max(int(seconds - (now - recent[0])) + 1, 1)
                    raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
            recent.append(now)

    def _message(self, bot: _Bot, chat_id: int, parameters: Json) -> Json:
        """A message of the bot, without its content yet."""
        message: Json = {
            "message_id": next(iter(bot.message_ids)),
            "from": bot.user,
            "chat": self._users[chat_id].as_chat(),
            "date": self.stamp(),
        }
        reply = _dict(parameters.get("reply_parameters"))
        if reply.get("message_id"):
            replied = _find(bot, chat_id, int(reply["message_id"]))
            if replied is not None:
                message["reply_to_message"] = {k: v for k, v in replied.items() if k != "reply_to_message"}
            elif not reply.get("allow_sending_without_reply"):
                raise ApiError(400, "Bad Request: message to be replied not found")
        markup = _markup(parameters)
        if markup is not None:
            message["reply_markup"] = markup
        return message

    def _keep(self, bot: _Bot, chat_id: int, message: Json) -> Json:
        bot.chats.setdefault(chat_id, []).append(message)
        self.changed(chat_id)
        return message

    async def _do_sendmessage(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> Json:
        chat_id = self._chat(bot, parameters)
        self._pace(bot, chat_id)
        content = _words(parameters, "text", "entities", 4096, "message is too long", "message text is empty")
        return self._keep(bot, chat_id, self._message(bot, chat_id, parameters) | content)

    async def _do_editmessagetext(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> Json:
        chat_id = self._chat(bot, parameters)
        message = self._editable(bot, chat_id, parameters)
        content = _words(parameters, "text", "entities", 4096, "message is too long", "message text is empty")
        markup = _markup(parameters)
        shown = (message.get("text"), message.get("entities", []), message.get("reply_markup"))
        if shown == (content["text"], content.get("entities", []), markup):
            raise ApiError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly "
                "the same as a current content and reply markup of the message",
            )
        for key in ("text", "entities", "reply_markup"):
            message.pop(key, None)
        message |= content | ({"reply_markup": markup} if markup else {}) | {"edit_date": self.stamp()}
        self.changed(chat_id)
        return message

    async def _do_editmessagereplymarkup(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> Json:
        chat_id = self._chat(bot, parameters)
        message = self._editable(bot, chat_id, parameters)
        markup = _markup(parameters)
        message.pop("reply_markup", None)
        message |= {"reply_markup": markup} if markup else {}
        self.changed(chat_id)
        return message

    @staticmethod
    def _editable(bot: _Bot, chat_id: int, parameters: Json) -> Json:
        message = _find(bot, chat_id, int(parameters.get("message_id") or 0))
        if message is None:
            raise ApiError(400, "Bad Request: message to edit not found")
        if not message["from"]["is_bot"]:
            raise ApiError(400, "Bad Request: message can't be edited")
        return message

    async def _do_deletemessage(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> bool:
        chat_id = self._chat(bot, parameters)
        message = _find(bot, chat_id, int(parameters.get("message_id") or 0))
        if message is None:
            raise ApiError(400, "Bad Request: message to delete not found")
        bot.chats[chat_id].remove(message)
        self.changed(chat_id)
        return True

    async def _do_answercallbackquery(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> bool:
        at, future = self._presses.pop(str(parameters.get("callback_query_id")), (float("-inf"), None))
        if future is None or self._clock() - at > PRESSES_KEPT:
            raise ApiError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        text = str(parameters.get("text") or "")
        if _units(text) > 200:
            raise ApiError(400, "Bad Request: MESSAGE_TOO_LONG")
        if not future.done():
            future.set_result(Answer(text, str(parameters.get("show_alert", "")).lower() == "true"))
        return True

    async def _send_file(self, kind: str, bot: _Bot, parameters: Json, uploads: dict[str, _File]) -> Json:
        chat_id = self._chat(bot, parameters)
        self._pace(bot, chat_id)
        given = str(parameters.get(kind) or "")
        if given.startswith("attach://"):
            file = uploads.get(given.removeprefix("attach://"))
            if file is None:
                raise ApiError(400, "Bad Request: there is no file in the request")
            if len(file.data) > (LARGEST_PHOTO if kind == "photo" else LARGEST_UPLOAD):
                raise ApiError(413, "Request Entity Too Large")
            file_id = self.keep_file(bot, file.name, file.media_type, file.data)
        else:
            file_id = given
            if file_id not in bot.files:
                raise ApiError(400, "Bad Request: wrong file identifier/HTTP URL specified")
        message = self._message(bot, chat_id, parameters) | _media(kind, file_id, bot.files[file_id])
        if parameters.get("caption"):
            message |= _words(parameters, "caption", "caption_entities", 1024, "message caption is too long", "")
        return self._keep(bot, chat_id, message)

    async def _do_sendphoto(self, bot: _Bot, parameters: Json, uploads: dict[str, _File]) -> Json:
        return await self._send_file("photo", bot, parameters, uploads)

    async def _do_senddocument(self, bot: _Bot, parameters: Json, uploads: dict[str, _File]) -> Json:
        return await self._send_file("document", bot, parameters, uploads)

    async def _do_sendvoice(self, bot: _Bot, parameters: Json, uploads: dict[str, _File]) -> Json:
        return await self._send_file("voice", bot, parameters, uploads)

    async def _do_sendaudio(self, bot: _Bot, parameters: Json, uploads: dict[str, _File]) -> Json:
        return await self._send_file("audio", bot, parameters, uploads)

    async def _do_sendvideo(self, bot: _Bot, parameters: Json, uploads: dict[str, _File]) -> Json:
        return await self._send_file("video", bot, parameters, uploads)

    async def _do_getfile(self, bot: _Bot, parameters: Json, _: dict[str, _File]) -> Json:
        file_id = str(parameters.get("file_id"))
        file = bot.files.get(file_id)
        if file is None:
            raise ApiError(400, "Bad Request: invalid file_id")
        if len(file.data) > LARGEST_DOWNLOAD:
            raise ApiError(400, "Bad Request: file is too big")
        return {
            "file_id": file_id,
            "file_unique_id": file_id,
            "file_size": len(file.data),
            "file_path": f"files/{file_id}",
        }


class TelegramUser:
    """One person, and what they do and see in their Telegram. Made by `TelegramServer.user`."""

    def __init__(self, server: TelegramServer, person: Json) -> None:
        self._server = server
        self.person = person
        self.changed = asyncio.Event()

    @property
    def id(self) -> int:
        """Their Telegram id, which is also their chat's."""
        return int(self.person["id"])

    def as_chat(self) -> Json:
        """Their private chat, as the Bot API shows it."""
        return {k: v for k, v in self.person.items() if k not in ("is_bot", "language_code")} | {"type": "private"}

    def messages(self, token: str | None = None) -> list[Json]:
        """The chat with a bot as it is on the screen, oldest first."""
        return list(self._server.bot(token).chats.get(self.id, []))

    def start(self, payload: str = "", token: str | None = None) -> Json:
        """Press Start, or open a deep link."""
        return self.send_text(f"/start {payload}".strip(), token=token)

    def send_text(self, text: str, *, reply_to: int | None = None, token: str | None = None, **more: Any) -> Json:
        """Write; `reply_to` is the message replied to."""
        content: Json = {"text": text} | more
        if text.startswith("/"):
            length = len(text.split()[0])
            content["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        return self._say(content, reply_to, token)

    def send_file(
        self,
        kind: str,
        name: str,
        media_type: str,
        data: bytes,
        *,
        caption: str = "",
        reply_to: int | None = None,
        token: str | None = None,
    ) -> Json:
        """Send a file: kind is photo, document, voice, audio or video."""
        bot = self._server.bot(token)
        file_id = self._server.keep_file(bot, name, media_type, data)
        content = _media(kind if kind in _FILES else "document", file_id, bot.files[file_id])
        return self._say(content | ({"caption": caption} if caption else {}), reply_to, token)

    def _say(self, content: Json, reply_to: int | None, token: str | None) -> Json:
        bot = self._server.bot(token)
        bot.started.add(self.id)
        message: Json = {
            "message_id": next(iter(bot.message_ids)),
            "from": self.person,
            "chat": self.as_chat(),
            "date": self._server.stamp(),
        } | content
        if reply_to is not None:
            replied = _find(bot, self.id, reply_to)
            if replied is not None:
                message["reply_to_message"] = {k: v for k, v in replied.items() if k != "reply_to_message"}
        bot.chats.setdefault(self.id, []).append(message)
        self._server.changed(self.id)
        self._server.inject({"message": message}, bot.token)
        return message

    def edit_text(self, message_id: int, text: str, token: str | None = None) -> Json:
        """Edit a message of one's own."""
        bot = self._server.bot(token)
        message = _find(bot, self.id, message_id)
        if message is None or message["from"]["is_bot"]:
            raise ValueError("only a message of one's own can be edited")
        message["caption" if "caption" in message else "text"] = text
        message["edit_date"] = self._server.stamp()
        self._server.changed(self.id)
        self._server.inject({"edited_message": dict(message)}, bot.token)
        return message

    async def press(self, message_id: int, data: str, *, token: str | None = None, seconds: float = 15.0) -> Answer:
        """Press a button by its data, whether or not it is still there; what one is told.

        Raises:
            TimeoutError: the press was not answered.
        """
        bot = self._server.bot(token)
        message = _find(bot, self.id, message_id) or {
            "message_id": message_id,
            "chat": self.as_chat(),
            "date": 0,  # Bot API InaccessibleMessage
        }
        shown = json.loads(json.dumps(message))
        async with asyncio.timeout(seconds):
            return await self._server.deliver_press(bot, self.person, shown, data)

    def block(self, token: str | None = None) -> None:
        """Block a bot."""
        bot = self._server.bot(token)
        bot.blocked.add(self.id)
        self._member(bot, "member", "kicked")

    def unblock(self, token: str | None = None) -> None:
        """Let it in again."""
        bot = self._server.bot(token)
        bot.blocked.discard(self.id)
        self._member(bot, "kicked", "member")

    def _member(self, bot: _Bot, old: str, new: str) -> None:
        def member(status: str) -> Json:
            return {"user": bot.user, "status": status} | ({"until_date": 0} if status == "kicked" else {})

        change = {
            "chat": self.as_chat(),
            "from": self.person,
            "date": self._server.stamp(),
            "old_chat_member": member(old),
            "new_chat_member": member(new),
        }
        self._server.inject({"my_chat_member": change}, bot.token)

    def file(self, file_id: str, token: str | None = None) -> tuple[str, str, bytes]:
        """A file of the chat: name, media type, octets.

        Raises:
            KeyError: there is none.
        """
        file = self._server.bot(token).files[file_id]
        return file.name, file.media_type, file.data

    async def wait_for(
        self, wanted: Callable[[Json], bool], *, seconds: float = 10.0, token: str | None = None
    ) -> Json | None:
        """The newest message in the chat that is wanted, as soon as there is one; None when there is none in time."""
        until = time.monotonic() + seconds
        while True:
            self.changed.clear()
            for message in reversed(self.messages(token)):
                if wanted(message):
                    return message
            left = until - time.monotonic()
            if left <= 0:
                return None
            try:
                async with asyncio.timeout(left):
                    await self.changed.wait()
            except TimeoutError:
                continue


# ---------------------------------------------------------------- forms


async def _parameters(request: web.Request) -> tuple[Json, dict[str, _File]]:
    if request.content_type == "application/json":
        return dict(await request.json()), {}
    parameters: Json = dict(request.query)
    uploads: dict[str, _File] = {}
    if request.method == "POST":
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                uploads[name] = _File(value.filename, value.content_type, value.file.read())
            else:
                parameters[name] = value
    return parameters, uploads


def _loaded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ApiError(400, "Bad Request: can't parse JSON object") from None


def _dict(value: Any) -> Json:
    loaded = _loaded(value) if value else {}
    return loaded if isinstance(loaded, dict) else {}


def _list(value: Any) -> list[Any]:
    loaded = _loaded(value) if value else []
    return loaded if isinstance(loaded, list) else []


def _find(bot: _Bot, chat_id: int, message_id: int) -> Json | None:
    return next((m for m in bot.chats.get(chat_id, []) if m["message_id"] == message_id), None)


def _words(parameters: Json, key: str, entities_key: str, most: int, too_long: str, empty: str) -> Json:
    text = str(parameters.get(key) or "")
    if not text.strip():
        raise ApiError(400, f"Bad Request: {empty}")
    length = _units(text)
    if length > most:
        raise ApiError(400, f"Bad Request: {too_long}")
    entities = _list(parameters.get(entities_key))
    for entity in entities:
        if entity.get("type") not in _ENTITIES:
            raise ApiError(400, "Bad Request: can't parse entities")
        if entity["offset"] < 0 or entity["length"] < 1 or entity["offset"] + entity["length"] > length:
            raise ApiError(400, "Bad Request: entity is out of the text")
    return {key: text} | ({entities_key: entities} if entities else {})


def _markup(parameters: Json) -> Json | None:
    markup = _dict(parameters.get("reply_markup"))
    if not markup.get("inline_keyboard"):
        return None
    for row in markup["inline_keyboard"]:
        for button in row:
            if not button.get("text"):
                raise ApiError(400, "Bad Request: inline keyboard button text is empty")
            data = button.get("callback_data")
            if data is not None and not 1 <= len(data.encode()) <= 64:
                raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
            if data is None and not button.get("url"):
                raise ApiError(400, "Bad Request: text buttons are unallowed in the inline keyboard")
    return markup


def _media(kind: str, file_id: str, file: _File) -> Json:
    common: Json = {"file_id": file_id, "file_unique_id": file_id, "file_size": len(file.data)}
    if kind == "photo":
        return {
            "photo": [common | {"file_id": file_id, "width": 90, "height": 60}, common | {"width": 900, "height": 600}]
        }
    named = common | {"file_name": file.name, "mime_type": file.media_type}
    if kind == "document":
        return {"document": named}
    if kind == "voice":
        return {"voice": common | {"mime_type": file.media_type, "duration": 3}}
    if kind == "audio":
        return {"audio": named | {"duration": 3}}
    return {"video": named | {"duration": 3, "width": 640, "height": 360}}
