"""The demo's one page: a client's side on the left, the desk's on the right, both alive.

It is served on 127.0.0.1 only, to pages of its own origin only, and tells
them of changes by server-sent events.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files as resource_files
from types import TracebackType
from typing import Self
from urllib.parse import quote

from aiohttp import web

from bot.demo.letters import File, Letter, Person, read, write
from bot.demo.mail_server import HOST, MailServer, Refused
from bot.demo.scene import ACCOUNTS, LANGUAGE, MAIL_CLIENTS, ROOMS, SECRETARIES, TALKS, TELEGRAM_CLIENTS
from bot.demo.telegram_server import TelegramServer, TelegramUser
from bot.demo.telegram_state import Group

_PAGE = resource_files("bot.demo") / "page"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_LARGEST_UPLOAD = 60_000_000
# What the page needs and nothing else: a message may hold anything, and none of it may run.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
_SHOWN_IN_PLACE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class DemoPage:
    """The web server of the page. `url` is its address once entered; port 0 takes a free one."""

    def __init__(self, mail: MailServer, telegram: TelegramServer, port: int) -> None:
        self._mail = mail
        self._telegram = telegram
        self._port = port
        self._listening: set[asyncio.Queue[str | None]] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._own_page_only], client_max_size=_LARGEST_UPLOAD)
        app.add_routes(
            [
                web.get("/", self._file),
                web.get("/{name:[a-z]+[.](?:js|css)}", self._file),
                web.get("/api/scene", self._scene),
                web.get("/api/events", self._events),
                web.get("/api/mail/{address}", self._mails),
                web.post("/api/mail/{address}", self._send_mail),
                web.get("/api/mail/{address}/{number:[0-9]+}/{index:[0-9]+}", self._mail_file),
                web.get("/api/chat/{person:[0-9]+}", self._chat),
                web.post("/api/chat/{person:[0-9]+}/text", self._send_text),
                web.post("/api/chat/{person:[0-9]+}/edit", self._edit_text),
                web.post("/api/chat/{person:[0-9]+}/delete", self._delete),
                web.post("/api/chat/{person:[0-9]+}/connect", self._connect),
                web.post("/api/chat/{person:[0-9]+}/press", self._press),
                web.post("/api/chat/{person:[0-9]+}/file", self._send_file),
                web.get("/api/chat/{person:[0-9]+}/file/{file_id}", self._chat_file),
            ]
        )
        app.on_shutdown.append(self._hang_up)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, HOST, self._port)
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        self.url = f"http://{HOST}:{self._port}"
        self._mail.listeners.append(self._mail_changed)
        self._telegram.listeners.append(self._chat_changed)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mail.listeners.remove(self._mail_changed)
        self._telegram.listeners.remove(self._chat_changed)
        await self._runner.cleanup()

    @web.middleware
    async def _own_page_only(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        # Another site's page can reach 127.0.0.1 too, even under a name of its own (DNS rebinding).
        if request.host not in (f"{HOST}:{self._port}", f"localhost:{self._port}"):
            raise web.HTTPForbidden(text="only as 127.0.0.1 or localhost")
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.host}":
            raise web.HTTPForbidden(text="only from its own page")
        answer = await handler(request)
        if not answer.prepared:
            answer.headers["Content-Security-Policy"] = _POLICY
            answer.headers["X-Content-Type-Options"] = "nosniff"
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name", "index.html")
        found = _PAGE / name
        if not found.is_file():
            raise web.HTTPNotFound
        return web.Response(body=found.read_bytes(), content_type=_TYPES[name.rpartition(".")[2]], charset="utf-8")

    async def _scene(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "language": LANGUAGE,
                "accounts": [{"name": account.name, "address": account.address} for account in ACCOUNTS],
                "starts": [{"name": account.name, "payload": account.id} for account in ACCOUNTS],
                "mail_clients": [
                    {"name": client.name, "short": client.name.partition(" ")[0], "address": client.address}
                    for client in MAIL_CLIENTS
                ],
                "telegram_clients": [
                    {"id": client.id, "name": client.name, "short": client.first_name} for client in TELEGRAM_CLIENTS
                ],
                "secretaries": [
                    {"id": person.id, "name": person.name, "short": person.first_name, "role": person.role}
                    for person in SECRETARIES
                ],
                "rooms": [{"id": room.id, "name": room.name, "link": f"/sujets ici {room.firm.id}"} for room in ROOMS],
                "talks": [[one.id, other.id] for one, other in TALKS],
            }
        )

    # -- what happens, as it happens

    def _mail_changed(self, address: str) -> None:
        self._tell({"mail": address})

    def _chat_changed(self, person: int) -> None:
        self._tell({"chat": person})

    def _tell(self, change: dict[str, str | int]) -> None:
        for queue in self._listening:
            queue.put_nowait(json.dumps(change))

    async def _hang_up(self, app: web.Application) -> None:
        for queue in self._listening:
            queue.put_nowait(None)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listening.add(queue)
        try:
            await answer.prepare(request)
            await answer.write(b"retry: 1000\n\n")
            while (change := await queue.get()) is not None:
                await answer.write(f"data: {change}\n\n".encode())
        except ConnectionResetError:
            pass  # the page was closed
        finally:
            self._listening.discard(queue)
        return answer

    # -- the client's mail program

    async def _mails(self, request: web.Request) -> web.Response:
        address = self._mailbox(request)
        return web.json_response(
            {
                "inbox": [_letter(read(mail)) for mail in self._mail.inbox(address)],
                "sent": [_letter(read(mail)) for mail in self._mail.sent(address)],
            }
        )

    async def _send_mail(self, request: web.Request) -> web.Response:
        address = self._mailbox(request)
        fields, files = await _form(request)
        client = next(client for client in MAIL_CLIENTS if client.address == address)
        answers = self._letter(address, int(fields["answers"])) if "answers" in fields else None
        to = fields.get("to", "").strip()
        try:
            raw = write(client, to, fields.get("subject", ""), fields.get("text", ""), answers=answers, files=files)
            await self._mail.submit(address, [to], raw)
        except Refused as refusal:
            raise web.HTTPBadRequest(text=str(refusal)) from refusal
        return web.Response(status=204)

    async def _mail_file(self, request: web.Request) -> web.Response:
        letter = self._letter(self._mailbox(request), int(request.match_info["number"]))
        try:
            file = letter.files[int(request.match_info["index"])]
        except IndexError:
            raise web.HTTPNotFound from None
        return _download(file.name, file.media_type, file.data)

    def _mailbox(self, request: web.Request) -> str:
        address = request.match_info["address"]
        if all(client.address != address for client in MAIL_CLIENTS):
            raise web.HTTPNotFound(text="no such client")
        return address

    def _letter(self, address: str, number: int) -> Letter:
        for mail in (*self._mail.inbox(address), *self._mail.sent(address)):
            if mail.number == number:
                return read(mail)
        raise web.HTTPNotFound(text="no such mail")

    # -- everybody's Telegram

    async def _chat(self, request: web.Request) -> web.Response:
        user, peer = self._user(request), self._peer(request)
        known: dict[str, object] = {"connected": user.is_connected()}
        if peer is not None:
            return web.json_response({**known, "messages": user.talk_with(peer), "topics": [], "pinned": []})
        chat = user.chat(group=self._group(request))
        known |= {"messages": list(chat.messages.values()), "topics": list(chat.topics.values())}
        return web.json_response({**known, "pinned": chat.pinned})

    async def _send_text(self, request: web.Request) -> web.Response:
        wanted, user, peer = await request.json(), self._user(request), self._peer(request)
        reply_to = wanted.get("reply_to")
        if peer is not None:
            user.writes_to(peer, wanted["text"], reply_to=reply_to)
        else:
            user.send_text(wanted["text"], reply_to=reply_to, topic=wanted.get("topic"), group=self._group(request))
        return web.Response(status=204)

    async def _edit_text(self, request: web.Request) -> web.Response:
        wanted, user, peer = await request.json(), self._user(request), self._peer(request)
        if peer is not None:
            user.edits_to(peer, wanted["message_id"], wanted["text"])
        else:
            user.edit_text(wanted["message_id"], wanted["text"], group=self._group(request))
        return web.Response(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        """Only what people say to each other: of its own chats a bot is never told."""
        wanted, user, peer = await request.json(), self._user(request), self._peer(request)
        if peer is None:
            raise web.HTTPBadRequest(text="only in a chat with somebody")
        user.deletes_with(peer, wanted["message_id"])
        return web.Response(status=204)

    async def _connect(self, request: web.Request) -> web.Response:
        """Connect the bot to somebody's own Telegram, or take it away."""
        wanted, user = await request.json(), self._user(request)
        if wanted["on"]:
            user.connect()
        elif user.is_connected():
            user.disconnect()
        return web.Response(status=204)

    async def _press(self, request: web.Request) -> web.Response:
        wanted, group, user = await request.json(), self._group(request), self._user(request)
        try:
            if group is None:
                answer = await user.press(wanted["message_id"], wanted["data"])
            else:
                answer = await user.press_in(group, wanted["message_id"], wanted["data"])
        except TimeoutError:
            raise web.HTTPGatewayTimeout(text="the desk did not answer") from None
        return web.json_response({"text": answer.text, "show_alert": answer.show_alert})

    async def _send_file(self, request: web.Request) -> web.Response:
        fields, files = await _form(request)
        if not files:
            raise web.HTTPBadRequest(text="no file")
        [file, *_] = files
        kind = "photo" if fields.get("kind") == "photo" else "document"
        user, peer = self._user(request), self._peer(request)
        if peer is not None:
            user.sends_to(peer, kind, file.name, file.media_type, file.data, caption=fields.get("caption", ""))
            return web.Response(status=204)
        user.send_file(
            kind,
            file.name,
            file.media_type,
            file.data,
            caption=fields.get("caption", ""),
            reply_to=int(fields["reply_to"]) if "reply_to" in fields else None,
            topic=int(fields["topic"]) if "topic" in fields else None,
            group=self._group(request),
        )
        return web.Response(status=204)

    async def _chat_file(self, request: web.Request) -> web.Response:
        try:
            name, media_type, data = self._user(request).file(request.match_info["file_id"])
        except KeyError:
            raise web.HTTPNotFound from None
        return _download(name, media_type, data)

    def _user(self, request: web.Request) -> TelegramUser:
        for person in (*TELEGRAM_CLIENTS, *SECRETARIES):
            if person.id == int(request.match_info["person"]):
                return self._telegram.user(person.id, person.first_name, person.last_name)
        raise web.HTTPNotFound(text="nobody of the scene")

    def _peer(self, request: web.Request) -> TelegramUser | None:
        """With whom somebody talks in their own Telegram; None: with the bot, or in a group."""
        named = request.query.get("with")
        if named is None:
            return None
        for one, other in (*TALKS, *((other, one) for one, other in TALKS)):
            if str(one.id) == request.match_info["person"] and str(other.id) == named:
                return self._telegram.user(other.id, other.first_name, other.last_name)
        raise web.HTTPNotFound(text="they do not know each other")

    def _group(self, request: web.Request) -> Group | None:
        """The group something is done in, of those whoever does it is in; None: their chat with the bot."""
        named = request.query.get("group")
        if named is None:
            return None
        for room in ROOMS:
            group = self._telegram.group_of(room.id)
            if str(room.id) == named and int(request.match_info["person"]) in group.members:
                return group
        raise web.HTTPNotFound(text="no such group")


async def _form(request: web.Request) -> tuple[dict[str, str], list[File]]:
    """The words and the files of a posted form; a file field left empty is no file."""
    fields: dict[str, str] = {}
    files: list[File] = []
    for name, value in (await request.post()).items():
        if isinstance(value, str):
            fields[name] = value.replace("\r\n", "\n")
        elif isinstance(value, web.FileField) and value.filename:
            data = await asyncio.to_thread(value.file.read)
            files.append(File(value.filename, _media_type(value.filename, value.content_type), data))
    return fields, files


def _media_type(name: str, told: str) -> str:
    guessed = mimetypes.guess_type(name)[0]
    return told if re.fullmatch(r"[\w.+-]+/[\w.+-]+", told) else guessed or "application/octet-stream"


def _download(name: str, media_type: str, data: bytes) -> web.Response:
    """A file to keep; only pictures are shown in the page."""
    in_place = media_type in _SHOWN_IN_PLACE
    quoted = quote(name, safe="")
    return web.Response(
        body=data,
        content_type=media_type if in_place else "application/octet-stream",
        headers={
            # RFC 6266 §4.3: filename* carries any character
            "Content-Disposition": f"{'inline' if in_place else 'attachment'}; filename*=UTF-8''{quoted}"
        },
    )


def _letter(letter: Letter) -> dict[str, object]:
    def person(shown: Person) -> dict[str, str]:
        return {"name": shown.name, "address": shown.address}

    return {
        "number": letter.number,
        "from": person(letter.sender),
        "to": person(letter.recipients[0] if letter.recipients else Person("", "")),
        "reply_to": letter.reply_to,
        "subject": letter.subject,
        "date": letter.date.isoformat(),
        "text": letter.text,
        "attachments": [
            {"index": index, "name": file.name, "size": len(file.data)} for index, file in enumerate(letter.files)
        ],
    }
