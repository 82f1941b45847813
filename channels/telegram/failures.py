"""What a failed Bot API call means for us. Only class names and Telegram's own words are passed on.

aiohttp's words can hold the address of the call, and the address holds the token.
"""

from __future__ import annotations

from datetime import timedelta

from aiogram.exceptions import (
    AiogramError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiohttp import ClientConnectorError, ClientError, ConnectionTimeoutError

from channels.errors import (
    ChannelError,
    LoginRejected,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    TopicRefused,
)

FAILURES = (AiogramError, ClientError, OSError, TimeoutError)
"""Whatever a call can end with besides an answer."""

# Telegram's words for a message that is no longer there to be edited, or never was ours.
_NOT_EDITABLE = ("message can't be edited", "message to edit not found", "message_id_invalid", "no text in the message")


# … for a chat that is no more, or never spoke to this bot.
_NO_CHAT = ("chat not found", "user not found", "peer_id_invalid", "input_user_deactivated")
# … for somebody's own account that no longer lets the bot in, and for who did not write there for a day.
_NO_CONNECTION = ("business_connection_invalid", "business connection not found", "business_peer_invalid")
_SILENT_FOR_A_DAY = "business_peer_usage_missing"
# … for a topic that takes nothing any more.
_NO_TOPIC = ("thread not found", "topic_closed", "topic_deleted", "topic_id_invalid", "topic not found")
# … for a chat that has no topics, and for one that has too many.
_NO_FORUM = ("not a forum", "forums_disabled", "chat_not_forum")
_TOO_MANY_TOPICS = ("topics_too_much", "too many topics", "too many forum topics")

FULL_FOR = timedelta(days=1)
OFF_FOR = timedelta(minutes=10)
DOWN_FOR = timedelta(minutes=5)
"""How long nothing else is tried, where Telegram names no time."""


def failure_of(channel: str, error: Exception, *, repeatable: bool) -> ChannelError:
    """The failure in our terms.

    Args:
        repeatable: calling again does no harm, so an unknown outcome is a temporary failure.
    """
    match error:
        case TelegramUnauthorizedError() | TelegramNotFound():
            return LoginRejected(channel, _said(error), reason="failure.login")
        case TelegramRetryAfter():
            after = timedelta(seconds=error.retry_after)
            return TemporaryFailure(channel, "Telegram asks to wait (429)", reason="failure.rate", retry_after=after)
        case TelegramForbiddenError():
            gone = "deactivated" in error.message.lower()
            reason = "failure.chat_gone" if gone else "failure.blocked_by_client"
            return PermanentFailure(channel, _said(error), reason=reason)
        case TelegramEntityTooLarge():
            return PermanentFailure(channel, _said(error), reason="failure.file_too_big")
        case TelegramBadRequest() | TelegramMigrateToChat():
            return PermanentFailure(channel, _said(error), reason=_refusal(error.message))
    if not isinstance(error, TelegramNetworkError | TelegramServerError) and isinstance(error, TelegramAPIError):
        # An answer that is neither yes nor a failure of theirs: it did not happen.
        return TemporaryFailure(channel, _said(error))
    detail = type(error.__cause__ or error).__name__
    if not repeatable and _may_have_left(error):
        return OutcomeUnknown(channel, detail, reason="failure.cut_off")
    return TemporaryFailure(channel, detail, reason="failure.connection")


def topic_refused(failure: ChannelError) -> TopicRefused:
    """Why there is no topic, and when another try is worth it."""
    said = failure.detail.lower()
    reason, after = "topics.refused", None
    if isinstance(failure, PermanentFailure):
        if any(known in said for known in _NO_FORUM):
            reason, after = "topics.off", OFF_FOR
        elif any(known in said for known in _TOO_MANY_TOPICS):
            reason, after = "topics.full", FULL_FOR
    elif isinstance(failure, TemporaryFailure) and failure.retry_after is not None:
        reason, after = "topics.rate", failure.retry_after
    else:
        # Cut off or down. It may have made one all the same: no further card must try it at once.
        reason, after = "topics.down", DOWN_FOR
    return TopicRefused(failure.channel, failure.detail, reason=reason, retry_after=after)


def _refusal(words: str) -> str:
    lower = words.lower()
    if any(known in lower for known in _NOT_EDITABLE):
        return "failure.cannot_edit"
    if _SILENT_FOR_A_DAY in lower:
        return "failure.business_day"
    if any(known in lower for known in _NO_CONNECTION):
        return "failure.business_off"
    if any(known in lower for known in _NO_CHAT):
        return "failure.chat_gone"
    if any(known in lower for known in _NO_TOPIC):
        return "failure.topic_gone"
    return "failure.file_too_big" if "file is too big" in lower else "failure.refused"


def _may_have_left(error: Exception) -> bool:
    """Whether anything can have reached Telegram: not without a connection."""
    return not isinstance(error.__cause__ or error, ClientConnectorError | ConnectionTimeoutError)


def _said(error: TelegramAPIError) -> str:
    """Telegram's own words; they hold neither token nor text."""
    return error.message[:200]
