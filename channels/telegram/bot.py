"""A Telegram bot as a channel: clients write to it, secretaries work in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import PurePath
from typing import Any, Literal, TypeVar

import aiogram
import msgspec
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.methods import (
    AnswerCallbackQuery,
    AnswerInlineQuery,
    CloseForumTopic,
    CreateForumTopic,
    EditForumTopic,
    EditMessageText,
    GetBusinessConnection,
    GetChatMember,
    GetFile,
    GetMe,
    GetWebhookInfo,
    PinChatMessage,
    ReopenForumTopic,
    SendAudio,
    SendDocument,
    SendMessage,
    SendPhoto,
    SendVideo,
    SendVoice,
    SetWebhook,
    TelegramMethod,
    UnpinChatMessage,
)
from aiogram.types import (
    BufferedInputFile,
    ChatMemberAdministrator,
    ChatMemberMember,
    ChatMemberOwner,
    ChatMemberRestricted,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InlineQueryResultUnion,
    InputTextMessageContent,
    Message,
    MessageEntity,
    ReplyParameters,
)
from aiogram.utils.token import TokenValidationError
from aiohttp import ClientTimeout, web

from channels.base import (
    Accept,
    ChatFile,
    ChatMessage,
    Finding,
    Observer,
    Parcel,
    Preview,
    Reply,
    SentAs,
    Suggestion,
    Take,
)
from channels.errors import ChannelError, LoginRejected, PermanentFailure, TemporaryFailure
from channels.telegram.failures import FAILURES, failure_of, topic_refused
from channels.telegram.files import read_file, sound_kind
from channels.telegram.limits import Limits
from channels.telegram.parse import ALLOWED, read_connection, read_update
from channels.telegram.split import split_styled
from channels.telegram.updates import Polling, Waits, Webhook
from channels.telegram.voice import Busy, Transcoder, VoiceMessage
from inbox import styles
from inbox.envelope import Connected, Reading
from inbox.matching import in_own_telegram
from inbox.notices import Letter, Post
from inbox.parts import Attachment, AttachmentKind, Button, ChannelId, Entity

T = TypeVar("T")

CONNECT_TIMEOUT = 10.0
"""Seconds until a connection that does not come about is a failure in which nothing can have left."""
CALL_TIMEOUT = 30.0
UPLOAD_TIMEOUT = 300.0
LONGEST_TOAST = 200
LARGEST_UPLOAD = 50 * 2**20
"""Bot API, "Sending files". A server of one's own takes more, and says so itself."""


class TelegramBot:
    """One bot. See `channels.base.Chat` for what each method promises.

    Args:
        api_server: the address of a Bot API server of one's own; None or the public one: Telegram's.
        poll_timeout: seconds Telegram may hold a poll open; at most 50 have an effect.
        receive: "webhook" needs `webhook_url` and `webhook_secret`.
        sign_replies: say on the first line for which account a reply speaks (a bot several accounts share).

    Raises:
        ValueError: no token, or a webhook without a secret.
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
        self._is_public = api.base == PRODUCTION.base
        try:
            self.aiogram = aiogram.Bot(
                token, session=AiohttpSession(api=api), default=DefaultBotProperties(link_preview_is_disabled=True)
            )
        except TokenValidationError:
            raise ValueError(f"{id}: not a bot token") from None
        self._observer = observer
        self._poll_timeout = poll_timeout
        self._webhook_url = webhook_url
        self._webhook_secret = webhook_secret
        self._webhook = Webhook(id, webhook_secret) if receive == "webhook" else None
        self._sign_replies = sign_replies
        self._limits = Limits()
        self._transcoder = Transcoder()
        self._username = ""

    # ------------------------------------------------------------ in

    async def run(self, position: str | None, accept: Accept) -> None:
        if self._webhook is None:
            await Polling(self.id, self.aiogram, self._observer, self._poll_timeout).run(position, accept)
            return
        self._webhook.open(accept)
        try:
            await self._set_webhook()
            self._observer.up(self.id)
            await asyncio.Event().wait()
        finally:
            self._webhook.close()

    @property
    def is_called(self) -> bool:
        """Whether Telegram calls (a webhook): then every worker may be called; else one at a time asks."""
        return self._webhook is not None

    async def list_keys(self, position: str) -> list[str] | None:
        return None

    async def fetch(self, keys: Sequence[str], take: Take) -> None:
        """Nothing: what was confirmed, Telegram has no longer (Bot API, getUpdates)."""

    async def _set_webhook(self) -> None:
        waits = Waits()
        method = SetWebhook(
            url=self._webhook_url,
            secret_token=self._webhook_secret,
            allowed_updates=list(ALLOWED),
            drop_pending_updates=False,
        )
        while True:
            try:
                await self._call(method, repeatable=True)
            except LoginRejected:
                raise
            except ChannelError as failure:
                after = failure.retry_after if isinstance(failure, TemporaryFailure) else None
                seconds = waits.after_failure(after.total_seconds() if after else 0.0)
                self._observer.down(self.id, f"the webhook could not be set: {failure.detail}", seconds)
                await asyncio.sleep(seconds)
            else:
                return

    def routes(self) -> list[web.RouteDef]:
        """What must be served for Telegram to call, on any path; nothing when polling."""
        return [] if self._webhook is None else [web.post("/{tail:.*}", self._webhook.handle)]

    def read(self, raw: bytes) -> Reading:
        return read_update(raw)

    def extract(self, raw: bytes, attachment: Attachment) -> bytes:
        """Not for Telegram: its files are fetched, not cut out of an update.

        Raises:
            ValueError: always.
        """
        raise ValueError("Telegram keeps files apart from updates: use fetch_file")

    def page(self, raw: bytes, say: Callable[[str], str]) -> bytes:
        """Not for Telegram: a message there is shown whole.

        Raises:
            ValueError: always.
        """
        raise ValueError("a message of Telegram's is no page")

    # ------------------------------------------------------------ out, to clients

    def compose(self, reply: Reply) -> tuple[Parcel, ...]:
        chat_id = reply.conversation.chat_id
        if chat_id is None:
            raise ValueError("not a conversation held in Telegram")
        text, set_as = self._signed(reply)
        through = reply.conversation.through
        posts = [
            Post(chat_id=chat_id, through=through, text=part, styles=each) for part, each in split_styled(text, set_as)
        ]
        posts += [Post(chat_id=chat_id, through=through, attachment=attachment) for attachment in reply.attachments]
        answered = self._answered(chat_id, reply)
        return tuple(
            Parcel(msgspec.structs.replace(post, reply_to=None if i else answered)) for i, post in enumerate(posts)
        )

    def preview(self, reply: Reply) -> Preview:
        name = reply.in_name_of or reply.account.identity.display_name
        text, set_as = self._signed(reply)
        return Preview(headers=(("preview.from", name),), text=text, styles=set_as)

    def _answered(self, chat_id: int, reply: Reply) -> int | None:
        if reply.answers is None or reply.answers.deleted_at is not None:
            return None
        # inbox.matching: `channel:chat:message`, with a suffix where one id names several messages.
        chat = in_own_telegram(reply.conversation.through, str(chat_id))
        found = re.fullmatch(rf"(?:{re.escape(self.id)}:)?{chat}:(\d+)(?:#.*)?", reply.answers.external_id)
        return int(found[1]) if found else None

    def _signed(self, reply: Reply) -> tuple[str, tuple[Entity, ...]]:
        name = reply.account.identity.display_name
        # In somebody's own Telegram it is they who are seen to write.
        signs = self._sign_replies and name and reply.text.strip() and reply.conversation.through is None
        above = f"{name} :\n" if signs else ""
        return above + reply.text, styles.moved(reply.styles, styles.units(above))

    async def ready(self, payload: Letter | Post) -> float:
        return await self._limits.turn(payload.chat_id) if isinstance(payload, Post) else 0.0

    async def send(self, payload: Letter | Post, raw: bytes | None) -> SentAs:
        if not isinstance(payload, Post):
            raise PermanentFailure(self.id, "a bot sends posts only", reason="failure.refused")
        try:
            return await self._post(payload, raw, payload.reply_to)
        except PermanentFailure as failure:
            if payload.reply_to is None or "replied not found" not in failure.detail:
                raise
        # `allow_sending_without_reply` asks for this; a server that refuses all the same sent nothing.
        return await self._post(payload, raw, None)

    async def _post(self, payload: Post, raw: bytes | None, reply_to: int | None) -> SentAs:
        if payload.attachment is not None:
            file = ChatFile(
                payload.chat_id, payload.attachment, raw, payload.text, reply_to, connection=payload.connection
            )
            given = await self._in_chat(payload.chat_id, self._carrying(file), timeout=UPLOAD_TIMEOUT)
            return SentAs(str(given.message_id))
        # Entities without parse_mode: what a person wrote is never markup.
        method = SendMessage(
            chat_id=payload.chat_id,
            text=payload.text,
            entities=_entities(payload.styles),
            reply_parameters=_reply(reply_to),
            business_connection_id=payload.connection or None,
        )
        sent = await self._in_chat(payload.chat_id, method)
        return SentAs(str(sent.message_id))

    # ------------------------------------------------------------ out, to secretaries

    async def show(self, message: ChatMessage) -> SentAs:
        entities = _entities(message.entities)
        if message.edits is None:
            send = SendMessage(
                chat_id=message.chat_id,
                text=message.text,
                entities=entities,
                reply_markup=_markup(message.keyboard, asks=message.asks),
                reply_parameters=_reply(message.reply_to),
                disable_notification=message.silent or None,
                message_thread_id=message.topic,
            )
            sent = await self._paced(message.chat_id, send)
            return SentAs(str(sent.message_id), sent.message_thread_id)
        edit = EditMessageText(
            chat_id=message.chat_id,
            message_id=message.edits,
            text=message.text,
            entities=entities,
            reply_markup=_keyboard(message.keyboard, asks=message.asks),
        )
        try:
            await self._paced(message.chat_id, edit, repeatable=True)
        except PermanentFailure as failure:
            if "message is not modified" not in failure.detail:
                raise
        return SentAs(str(message.edits))

    async def hand_over(self, file: ChatFile) -> SentAs:
        voice = await self._playable(file) if file.playable else None
        method = self._carrying(file) if voice is None else _speaking(voice, file)
        sent = await self._paced(file.chat_id, method, timeout=UPLOAD_TIMEOUT)
        return SentAs(str(sent.message_id), sent.message_thread_id)

    async def open_topic(self, chat_id: int, name: str, colour: int) -> int:
        await self._require_turn(chat_id)
        try:
            # Not `_in_chat`: topics have limits of their own, and a 429 to one must not keep cards waiting.
            made = await self._call(CreateForumTopic(chat_id=chat_id, name=name, icon_color=colour))
        except LoginRejected:
            raise
        except ChannelError as failure:
            refused = topic_refused(failure)
        else:
            return made.message_thread_id
        raise refused

    async def name_topic(self, chat_id: int, topic: int, name: str) -> None:
        await self._require_turn(chat_id)
        try:
            method = EditForumTopic(chat_id=chat_id, message_thread_id=topic, name=name)
            await self._call(method, repeatable=True)
        except PermanentFailure as failure:
            if "topic_not_modified" not in failure.detail.lower():
                raise

    async def shut_topic(self, chat_id: int, topic: int, *, shut: bool) -> None:
        await self._require_turn(chat_id)
        kind = CloseForumTopic if shut else ReopenForumTopic
        try:
            await self._call(kind(chat_id=chat_id, message_thread_id=topic), repeatable=True)
        except PermanentFailure as failure:
            if "topic_not_modified" not in failure.detail.lower():
                raise

    async def pin(self, chat_id: int, message_id: int) -> None:
        await self._aside(chat_id, PinChatMessage(chat_id=chat_id, message_id=message_id, disable_notification=True))

    async def unpin(self, chat_id: int, message_id: int) -> None:
        await self._aside(chat_id, UnpinChatMessage(chat_id=chat_id, message_id=message_id))

    async def _aside(self, chat_id: int, method: TelegramMethod[bool]) -> None:
        """A call that shows nothing by itself: it waits while its chat is paused, and pauses none."""
        left = self._limits.paused_for(chat_id)
        if left:
            later = timedelta(seconds=left)
            raise TemporaryFailure(self.id, "its chat is paused", reason="failure.rate", retry_after=later)
        try:
            await self._call(method, repeatable=True)
        except PermanentFailure as failure:
            if "not_modified" not in failure.detail.lower():
                raise

    async def is_member(self, chat_id: int, user_id: int) -> bool:
        try:
            member = await self._call(GetChatMember(chat_id=chat_id, user_id=user_id), repeatable=True)
        except LoginRejected:
            raise
        except ChannelError as failure:
            if "participant" in failure.detail.lower() or "user not found" in failure.detail.lower():
                return False
            refused = topic_refused(failure)
        else:
            return _is_inside(member)
        raise refused

    async def connection(self, connection: str) -> Connected:
        found = await self._call(GetBusinessConnection(business_connection_id=connection), repeatable=True)
        return read_connection(found.model_dump(mode="python", exclude_none=True))

    async def keeps_topics(self) -> bool:
        try:
            return bool((await self._call(GetMe(), repeatable=True)).has_topics_enabled)
        except ChannelError:
            return False  # asked again when it is next worth it

    async def _playable(self, file: ChatFile) -> VoiceMessage | None:
        """A sound made into a voice message; None for what plays as it is, and for what cannot be made to."""
        if file.data is None or sound_kind(file.data) is not AttachmentKind.FILE:
            return None
        try:
            return await self._transcoder.to_voice(file.data)
        except Busy:
            soon = timedelta(seconds=5)
            raise TemporaryFailure(self.id, "other sounds first", reason="failure.rate", retry_after=soon) from None

    def _carrying(self, file: ChatFile) -> TelegramMethod[Message]:
        content: str | BufferedInputFile = file.attachment.path
        kind = file.attachment.kind
        if file.data is not None:
            if self._is_public and len(file.data) > LARGEST_UPLOAD:
                raise PermanentFailure(self.id, f"{len(file.data)} octets", reason="failure.file_too_big")
            content = BufferedInputFile(file.data, _file_name(file.attachment.name))
            if kind is AttachmentKind.PHOTO and file.attachment.held_by is None:
                kind = AttachmentKind.FILE  # a picture of any size or shape arrives whole as a document
            elif kind in (AttachmentKind.VOICE, AttachmentKind.AUDIO):
                kind = sound_kind(file.data)
        return _media(kind, content, file)

    async def fetch_file(self, file_id: str) -> bytes:
        found = await self._call(GetFile(file_id=file_id), repeatable=True)
        try:
            return await read_file(self.aiogram, found.file_path or "", UPLOAD_TIMEOUT)
        except FAILURES as error:
            failure = failure_of(self.id, error, repeatable=True)
        raise failure

    async def answer_press(self, callback_query_id: str, text: str = "", *, alert: bool = False) -> None:
        shown = text if len(text) <= LONGEST_TOAST else f"{text[: LONGEST_TOAST - 1]}…"
        method = AnswerCallbackQuery(callback_query_id=callback_query_id, text=shown or None, show_alert=alert or None)
        try:
            await self._call(method, repeatable=True)
        except PermanentFailure as failure:
            if "query is too old" not in failure.detail:
                raise

    async def answer_search(self, inline_query_id: str, found: Sequence[Suggestion]) -> None:
        results: list[InlineQueryResultUnion] = [
            InlineQueryResultArticle(
                id=each.id,
                title=each.title,
                description=each.says,
                input_message_content=InputTextMessageContent(message_text=each.text),
            )
            for each in found
        ]
        # What one person may see is not another's, and what was changed is found at once.
        method = AnswerInlineQuery(inline_query_id=inline_query_id, results=results, cache_time=0, is_personal=True)
        try:
            await self._call(method, repeatable=True)
        except PermanentFailure as failure:
            if "query is too old" not in failure.detail:
                raise

    async def link(self, payload: str) -> str:
        name = self._username or await self.learn_name()
        return f"https://t.me/{name}?start={payload}"

    async def learn_name(self) -> str:
        """Ask Telegram what this bot is called.

        Raises:
            ChannelError: Telegram cannot be asked, or refuses the token.
        """
        me = await self._call(GetMe(), repeatable=True)
        self._username = me.username or ""
        return self._username

    # ------------------------------------------------------------ looking after it

    async def check(self) -> list[Finding]:
        try:
            name = await self.learn_name()
            hook = await self._call(GetWebhookInfo(), repeatable=True)
        except LoginRejected:
            return [self._finding("error", "Telegram refuses the token", "Copy it anew from @BotFather (/token)")]
        except ChannelError as failure:
            says = f"Telegram cannot be reached ({failure.detail})"
            return [self._finding("error", says, "Check the network, and api_server in the config")]
        findings = [self._finding("ok", f"@{name} answers; {hook.pending_update_count} updates wait")]
        if not self._transcoder.is_installed():
            says = "voice mail in WAV or AMR is handed over as a file: the library that makes it play is missing"
            findings.append(self._finding("warning", says, "pip install 'permanence[voice]'"))
        if self._webhook is None:
            if hook.url:
                says = "a webhook is set, so polling gets nothing"
                remedy = "permanence run removes it. If another program set it, give each its own bot"
                findings.append(self._finding("warning", says, remedy))
            return findings
        if hook.url != self._webhook_url:
            says = "another webhook is set" if hook.url else "the webhook is not set yet"
            findings.append(self._finding("warning", says, "permanence run sets it"))
        elif hook.last_error_message:
            says = f"Telegram could not call the webhook: {hook.last_error_message}"
            remedy = "Check webhook.url, the proxy behind it, and that permanence run is running"
            findings.append(self._finding("warning", says, remedy))
        return findings

    def _finding(self, level: Literal["ok", "warning", "error"], says: str, remedy: str = "") -> Finding:
        return Finding(level, self.id, says, remedy)

    async def readmitted(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        await self.aiogram.session.close()

    # ------------------------------------------------------------ one call

    async def _paced(
        self, chat_id: int, method: TelegramMethod[T], *, repeatable: bool = False, timeout: float | None = None
    ) -> T:
        """One call that shows something in a chat, within the limits."""
        await self._require_turn(chat_id)
        return await self._in_chat(chat_id, method, repeatable=repeatable, timeout=timeout)

    async def _require_turn(self, chat_id: int) -> None:
        wait = await self._limits.turn(chat_id)
        if wait:
            later = timedelta(seconds=wait)
            raise TemporaryFailure(self.id, "too much at once", reason="failure.rate", retry_after=later)

    async def _in_chat(
        self, chat_id: int, method: TelegramMethod[T], *, repeatable: bool = False, timeout: float | None = None
    ) -> T:
        """One call whose turn it is; a 429 pauses its chat."""
        try:
            return await self._call(method, repeatable=repeatable, timeout=timeout)
        except TemporaryFailure as failure:
            if failure.retry_after is not None:
                self._limits.pause(chat_id, failure.retry_after.total_seconds())
            raise

    async def _call(self, method: TelegramMethod[T], *, repeatable: bool = False, timeout: float | None = None) -> T:
        """One Bot API call, its failure told in our terms.

        Args:
            repeatable: calling it twice does no harm, so an unknown outcome is a temporary failure.
        """
        # aiogram hands this to aiohttp as it is.
        limits: Any = ClientTimeout(total=timeout or CALL_TIMEOUT, connect=CONNECT_TIMEOUT)
        try:
            return await self.aiogram(method, request_timeout=limits)
        except FAILURES as error:
            failure = failure_of(self.id, error, repeatable=repeatable)
        # Outside the handler: the library's error, which knows address and text, is not even a context.
        raise failure


def _entities(set_as: Sequence[Entity]) -> list[MessageEntity] | None:
    return [MessageEntity(type=e.type, offset=e.offset, length=e.length, url=e.url) for e in set_as] or None


def _is_inside(member: object) -> bool:
    """Bot API, ChatMember: who is restricted may be inside or not."""
    if isinstance(member, ChatMemberRestricted):
        return member.is_member
    return isinstance(member, ChatMemberOwner | ChatMemberAdministrator | ChatMemberMember)


def _reply(message_id: int | None) -> ReplyParameters | None:
    # The client may have deleted what we answer.
    return None if message_id is None else ReplyParameters(message_id=message_id, allow_sending_without_reply=True)


def _markup(rows: tuple[tuple[Button, ...], ...], *, asks: bool) -> InlineKeyboardMarkup | ForceReply | None:
    return ForceReply(force_reply=True) if asks and not rows else _keyboard(rows, asks=asks)


def _keyboard(rows: tuple[tuple[Button, ...], ...], *, asks: bool) -> InlineKeyboardMarkup | None:
    if not rows:
        return None
    keys = [[InlineKeyboardButton(text=b.text, callback_data=b.data, url=b.url) for b in row] for row in rows]
    # Buttons and an open reply box together: Bot API 10.3. A server that is older leaves the box closed.
    return InlineKeyboardMarkup(inline_keyboard=keys, force_reply=asks or None)


def _media(kind: AttachmentKind, content: str | BufferedInputFile, file: ChatFile) -> TelegramMethod[Message]:
    place: dict[str, Any] = {
        "chat_id": file.chat_id,
        "caption": file.caption or None,
        "reply_parameters": _reply(file.reply_to),
        "message_thread_id": file.topic,
        "business_connection_id": file.connection or None,
    }
    match kind:
        case AttachmentKind.PHOTO:
            return SendPhoto(photo=content, **place)
        case AttachmentKind.VOICE:
            return SendVoice(voice=content, **place)
        case AttachmentKind.AUDIO:
            return SendAudio(audio=content, **place)
        case AttachmentKind.VIDEO:
            return SendVideo(video=content, **place)
        case AttachmentKind.FILE:
            return SendDocument(document=content, **place)


def _speaking(voice: VoiceMessage, file: ChatFile) -> SendVoice:
    return SendVoice(
        chat_id=file.chat_id,
        voice=BufferedInputFile(voice.octets, f"{PurePath(_file_name(file.attachment.name)).stem}.ogg"),
        duration=voice.seconds,
        caption=file.caption or None,
        reply_parameters=_reply(file.reply_to),
        message_thread_id=file.topic,
    )


def _file_name(name: str) -> str:
    # aiogram writes names into the multipart head unquoted: a line break would be a header.
    kept = "".join(c for c in PurePath(name).name if c.isprintable())
    return kept or "file"
