"""A Telegram bot as a channel: clients write to it, secretaries work in it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Literal, TypeVar

import aiogram
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    MessageEntity,
    ReplyParameters,
)
from aiohttp import ClientConnectorError, web

from channels.base import Accept, ChatFile, ChatMessage, Finding, Observer, Parcel, Preview, Reply, SentAs
from channels.errors import ChannelError, LoginRejected, OutcomeUnknown, PermanentFailure, TemporaryFailure
from channels.telegram.limits import Limits
from channels.telegram.parse import ALLOWED, read_update
from channels.telegram.split import split
from channels.telegram.updates import BY_WEBHOOK, Polling, Webhook
from inbox.envelope import Reading
from inbox.model import Attachment, AttachmentKind, Button, ChannelId, Letter, Post

T = TypeVar("T")

SEND_TIMEOUT = 30
UPLOAD_TIMEOUT = 300
LONGEST_PACE = 20.0
"""Seconds a message may wait for its chat's pace before it is put off instead."""


class TelegramBot:
    """One bot. See `channels.base.Chat` for what each method promises.

    Args:
        api_server: the address of a Bot API server of one's own; None or the public one: Telegram's.
        poll_timeout: seconds Telegram may hold a poll open; at most 50 have an effect.
        receive: "webhook" needs `webhook_url` and `webhook_secret`.
        sign_replies: say on the first line for which account a reply speaks (a bot several accounts share).
    """

    def __init__(
        self,
        id: ChannelId,
        token: str,
        observer: Observer,
        *,
        api_server: str | None = None,
        poll_timeout: int = 50,
        receive: Literal["polling", "webhook"] = "polling",
        webhook_url: str = "",
        webhook_secret: str = "",
        sign_replies: bool = False,
    ) -> None:
        self.id = id
        api = TelegramAPIServer.from_base(api_server) if api_server else PRODUCTION
        self.aiogram = aiogram.Bot(
            token, session=AiohttpSession(api=api), default=DefaultBotProperties(link_preview_is_disabled=True)
        )
        self._observer = observer
        self._poll_timeout = poll_timeout
        self._webhook_url = webhook_url
        self._webhook_secret = webhook_secret
        self._webhook = Webhook(id, webhook_secret) if receive == "webhook" else None
        self._sign_replies = sign_replies
        self._limits = Limits()
        self._username = ""

    # ------------------------------------------------------------ in

    async def run(self, position: str | None, accept: Accept) -> None:
        if self._webhook is None:
            await Polling(self.id, self.aiogram, self._observer, self._poll_timeout).run(position, accept)
            return
        self._webhook.open(accept)
        try:
            await accept([], BY_WEBHOOK)
            await self._set_webhook()
            self._observer.up(self.id)
            await asyncio.Event().wait()
        finally:
            self._webhook.close()

    async def _set_webhook(self) -> None:
        wait = 1.0
        while True:
            try:
                await self._call(
                    lambda: self.aiogram.set_webhook(
                        self._webhook_url,
                        secret_token=self._webhook_secret,
                        allowed_updates=list(ALLOWED),
                        drop_pending_updates=False,
                    ),
                    repeatable=True,
                )
            except LoginRejected:
                raise
            except ChannelError as failure:
                self._observer.down(self.id, failure.detail, wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 60.0)
            else:
                return

    def routes(self) -> list[web.RouteDef]:
        """What must be served for Telegram to call; nothing when polling."""
        return [] if self._webhook is None else [web.post("/{tail:.*}", self._webhook.handle)]

    def read(self, raw: bytes) -> Reading:
        return read_update(raw)

    def extract(self, raw: bytes, attachment: Attachment) -> bytes:
        """Not for Telegram: its files are fetched, not cut out of an update.

        Raises:
            ValueError: always.
        """
        raise ValueError("Telegram keeps files apart from updates: use fetch_file")

    # ------------------------------------------------------------ out, to clients

    def compose(self, reply: Reply) -> tuple[Parcel, ...]:
        chat_id = reply.conversation.chat_id
        if chat_id is None:
            raise ValueError("not a conversation held in Telegram")
        parts = split(self._signed(reply))
        answered = _message_id_in(chat_id, reply)
        return tuple(
            Parcel(Post(chat_id=chat_id, text=part, reply_to=answered if i == 0 else None))
            for i, part in enumerate(parts)
        )

    def preview(self, reply: Reply) -> Preview:
        identity = reply.account.identity
        return Preview(headers=(("preview.from", identity.display_name),), text=self._signed(reply))

    def _signed(self, reply: Reply) -> str:
        name = reply.account.identity.display_name
        return f"{name} :\n{reply.text}" if self._sign_replies and name else reply.text

    async def send(self, payload: Letter | Post, raw: bytes | None) -> SentAs:
        if not isinstance(payload, Post):
            raise PermanentFailure(self.id, "a bot sends posts only")
        if payload.attachment is not None:
            return await self.hand_over(
                ChatFile(payload.chat_id, payload.attachment, None, payload.text, payload.reply_to)
            )
        return await self._send_text(payload.chat_id, payload.text, reply_to=payload.reply_to)

    # ------------------------------------------------------------ out, to secretaries

    async def show(self, message: ChatMessage) -> SentAs:
        entities = [MessageEntity(type=e.type, offset=e.offset, length=e.length) for e in message.entities]
        markup = _markup(message.keyboard)
        if message.edits is None:
            return await self._send_text(
                message.chat_id,
                message.text,
                entities=entities,
                reply_markup=markup,
                reply_to=message.reply_to,
                silent=message.silent,
            )
        edits = message.edits
        try:
            await self._paced(
                message.chat_id,
                lambda: self.aiogram.edit_message_text(
                    message.text,
                    chat_id=message.chat_id,
                    message_id=edits,
                    entities=entities,
                    parse_mode=None,
                    reply_markup=markup,
                    request_timeout=SEND_TIMEOUT,
                ),
                repeatable=True,
            )
        except _NotModified:
            pass
        except PermanentFailure as failure:
            if failure.reason != "failure.refused":
                raise
            raise PermanentFailure(self.id, failure.detail, reason="failure.cannot_edit") from None
        return SentAs(str(edits))

    async def _send_text(
        self,
        chat_id: int,
        text: str,
        *,
        entities: list[MessageEntity] | None = None,
        reply_markup: InlineKeyboardMarkup | None = None,
        reply_to: int | None = None,
        silent: bool = False,
    ) -> SentAs:
        # Entities, never parse_mode: what a person wrote is text, not markup.
        sent = await self._paced(
            chat_id,
            lambda: self.aiogram.send_message(
                chat_id,
                text,
                entities=entities,
                parse_mode=None,
                reply_markup=reply_markup,
                reply_parameters=_reply(reply_to),
                disable_notification=silent,
                request_timeout=SEND_TIMEOUT,
            ),
        )
        return SentAs(str(sent.message_id))

    async def hand_over(self, file: ChatFile) -> SentAs:
        name, method = _method(self.aiogram, file.attachment.kind)
        content: str | BufferedInputFile = file.attachment.path
        if file.data is not None:
            content = BufferedInputFile(file.data, file.attachment.name)
            if file.attachment.kind is AttachmentKind.PHOTO:
                # A picture of any size or shape arrives whole as a document.
                name, method = _method(self.aiogram, AttachmentKind.FILE)
        sent: Message = await self._paced(
            file.chat_id,
            lambda: method(
                file.chat_id,
                **{name: content},
                caption=file.caption or None,
                parse_mode=None,
                reply_parameters=_reply(file.reply_to),
                request_timeout=UPLOAD_TIMEOUT,
            ),
        )
        return SentAs(str(sent.message_id))

    async def fetch_file(self, file_id: str) -> bytes:
        async def fetch() -> bytes:
            found = await self.aiogram.get_file(file_id)
            octets = io.BytesIO()
            await self.aiogram.download_file(found.file_path or "", octets, timeout=UPLOAD_TIMEOUT)
            return octets.getvalue()

        try:
            return await self._call(fetch, repeatable=True)
        except PermanentFailure as failure:
            if "too big" in failure.detail:
                raise PermanentFailure(self.id, failure.detail, reason="failure.file_too_big") from None
            raise

    async def answer_press(self, callback_query_id: str, text: str = "", *, alert: bool = False) -> None:
        try:
            await self._call(
                lambda: self.aiogram.answer_callback_query(
                    callback_query_id, text=text[:200] or None, show_alert=alert, request_timeout=10
                ),
                repeatable=True,
            )
        except PermanentFailure as failure:
            if failure.reason != "failure.refused":  # "query is too old": she sees the card, not the toast
                raise

    def link(self, payload: str) -> str:
        return f"https://t.me/{self._username}?start={payload}"

    async def learn_name(self) -> str:
        """Ask Telegram what this bot is called; `link` needs it.

        Raises:
            ChannelError: Telegram cannot be asked, or refuses the token.
        """
        me = await self._call(lambda: self.aiogram.get_me(request_timeout=15), repeatable=True)
        self._username = me.username or ""
        return self._username

    # ------------------------------------------------------------ looking after it

    async def check(self) -> list[Finding]:
        try:
            name = await self.learn_name()
            hook = await self._call(lambda: self.aiogram.get_webhook_info(request_timeout=15), repeatable=True)
        except LoginRejected:
            return [Finding("error", self.id, "Telegram refuses the token", "Copy it anew from @BotFather")]
        except ChannelError as failure:
            return [
                Finding(
                    "error",
                    self.id,
                    f"Telegram cannot be reached ({failure.detail})",
                    "Check the network and api_server",
                )
            ]
        findings = [Finding("ok", self.id, f"@{name} answers")]
        if self._webhook is None and hook.url:
            findings.append(
                Finding("warning", self.id, "a webhook is set, so polling gets nothing", "`permanence run` removes it")
            )
        if hook.last_error_message and self._webhook is not None:
            findings.append(
                Finding(
                    "warning", self.id, f"Telegram's last call failed: {hook.last_error_message}", "Check webhook.url"
                )
            )
        return findings

    async def close(self) -> None:
        await self.aiogram.session.close()

    # ------------------------------------------------------------ one call

    async def _paced(self, chat_id: int, call: Callable[[], Awaitable[T]], *, repeatable: bool = False) -> T:
        """One call that shows something in a chat, within the limits."""
        left = self._limits.paused_for(chat_id)
        if left > 0:
            raise TemporaryFailure(self.id, "asked to wait", reason="failure.rate", retry_after=timedelta(seconds=left))
        try:
            async with asyncio.timeout(LONGEST_PACE):
                await self._limits.wait(chat_id)
        except TimeoutError:
            raise TemporaryFailure(self.id, "the chat's pace", reason="failure.rate") from None
        try:
            return await self._call(call, repeatable=repeatable)
        except TemporaryFailure as failure:
            if failure.retry_after is not None:
                self._limits.pause(chat_id, failure.retry_after.total_seconds())
            raise

    async def _call(self, call: Callable[[], Awaitable[T]], *, repeatable: bool = False) -> T:
        """One Bot API call, its failure told in our terms.

        Args:
            repeatable: calling it twice does no harm, so an unknown outcome is a temporary failure.
        """
        try:
            return await call()
        except (TelegramUnauthorizedError, TelegramNotFound) as error:
            raise LoginRejected(self.id, _said(error), reason="failure.login") from None
        except TelegramRetryAfter as error:
            wait = timedelta(seconds=error.retry_after)
            raise TemporaryFailure(self.id, "429", reason="failure.rate", retry_after=wait) from None
        except TelegramForbiddenError as error:
            raise PermanentFailure(self.id, _said(error), reason="failure.blocked_by_client") from None
        except TelegramEntityTooLarge as error:
            raise PermanentFailure(self.id, _said(error), reason="failure.file_too_big") from None
        except TelegramBadRequest as error:
            if "message is not modified" in error.message:
                raise _NotModified(self.id, "not modified") from None
            raise PermanentFailure(self.id, _said(error), reason="failure.refused") from None
        except TelegramNetworkError as error:
            if repeatable or _never_left(error):
                raise TemporaryFailure(self.id, "the network failed", reason="failure.connection") from None
            raise OutcomeUnknown(self.id, "the connection broke", reason="failure.connection") from None
        except (TelegramServerError, TelegramAPIError, ClientDecodeError, AiogramError, OSError, TimeoutError) as error:
            detail = type(error).__name__
            if repeatable:
                raise TemporaryFailure(self.id, detail, reason="failure.connection") from None
            raise OutcomeUnknown(self.id, detail, reason="failure.connection") from None


class _NotModified(PermanentFailure):
    """An edit to what the message already says."""


def _said(error: TelegramAPIError) -> str:
    """Telegram's own words; they hold neither token nor text."""
    return error.message[:200]


def _never_left(error: BaseException) -> bool:
    """Whether the connection was refused, so that nothing can have had an effect."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ClientConnectorError | ConnectionRefusedError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _message_id_in(chat_id: int, reply: Reply) -> int | None:
    if reply.answers is None:
        return None
    *_, chat, message = ("", *reply.answers.external_id.split(":"))
    return int(message) if chat == str(chat_id) and message.isdigit() else None


def _reply(message_id: int | None) -> ReplyParameters | None:
    # The client may have deleted what we answer.
    return None if message_id is None else ReplyParameters(message_id=message_id, allow_sending_without_reply=True)


def _markup(rows: tuple[tuple[Button, ...], ...]) -> InlineKeyboardMarkup | None:
    if not rows:
        return None
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=b.text, callback_data=b.data, url=b.url) for b in row] for row in rows
        ]
    )


def _method(bot: aiogram.Bot, kind: AttachmentKind) -> tuple[str, Callable[..., Awaitable[Any]]]:
    methods: dict[AttachmentKind, tuple[str, Callable[..., Awaitable[Any]]]] = {
        AttachmentKind.PHOTO: ("photo", bot.send_photo),
        AttachmentKind.VOICE: ("voice", bot.send_voice),
        AttachmentKind.AUDIO: ("audio", bot.send_audio),
        AttachmentKind.VIDEO: ("video", bot.send_video),
        AttachmentKind.FILE: ("document", bot.send_document),
    }
    return methods[kind]
