"""Log lines that carry no secret and no message: what happened, never what was said.

Everything the process logs, by structlog or by the standard library, ours or a
library's, takes the same way to the same stream.
"""

import base64
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TextIO
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_HIDDEN = "***"

# What these hold was written by or to a client; a retry's arguments are the message being retried.
_WORDS_OF_CLIENTS = frozenset({"body", "text", "raw", "html", "subject", "args", "kwargs"})

_FLOORS = {
    # its DEBUG prints the LOGIN line, its INFO prints server lines that may be mail
    "aioimaplib": logging.WARNING,
    # its INFO is a line for every update and every call
    "aiogram": logging.WARNING,
    # an ERROR with its traceback for whatever a handler raises, a Conflict that is decided anew included;
    # handlers.incoming logs what is an error, once
    "aiogram.event": logging.CRITICAL,
    "aiohttp.access": logging.WARNING,
    # at DEBUG these print the documents, commands and credentials that pass
    "asyncio": logging.INFO,
    "mail": logging.WARNING,
    "motor": logging.INFO,
    "pymap": logging.INFO,
    "pymongo": logging.INFO,
}

_BOT_TOKEN = re.compile(r"(?<!\d)(\d{6,})(:|%3[Aa])[A-Za-z0-9_-]{30,}")
# the user part may be empty, the password may contain anything but what ends it
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
# pydantic and aiogram quote what they could not read, which is a client's message
_QUOTED_INPUT = re.compile(r"(input_value=)[\s\S]*?(, input_type=)|^(Content: ).*$", re.MULTILINE)

_LEAST_BASE64 = 6
"""Shorter ones would be found in words that hold no secret."""

_secrets: set[str] = set()
_secrets_pattern: re.Pattern[str] | None = None


def mask(secret: str) -> None:
    """Keep this text out of every log line from now on, and whatever it becomes on its way through URLs and logins."""
    global _secrets_pattern
    if not secret.strip():
        return
    _secrets.update((secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], ascii(secret)[1:-1]))
    _secrets.update(json.dumps(secret, ensure_ascii=known)[1:-1] for known in (True, False))
    _secrets.update(_in_base64(secret.encode("utf-8", "surrogateescape")))
    # the longest first, or a secret that contains another would leave its end in sight; a very short
    # one only as a word of its own, or it would make every line unreadable
    _secrets_pattern = re.compile(
        "|".join(
            re.escape(known) if len(known) > 3 else rf"(?<!\w){re.escape(known)}(?!\w)"
            for known in sorted(_secrets, key=len, reverse=True)
        )
    )


def _in_base64(secret: bytes) -> Iterator[str]:
    """What of a secret shows in the base64 of a text that contains it, wherever it begins there.

    Servers repeat in a refusal the login they refuse: AUTH PLAIN is user and password as one (RFC 4616).
    """
    for before in range(3):
        # Six bits a character: those that also hold bits of a neighbour say nothing certain.
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            shown = encode(bytes(before) + secret).decode()[first:last]
            if len(shown) >= _LEAST_BASE64:
                yield shown


def masked(text: str) -> str:
    """The text with every secret in it replaced: registered ones, bot tokens, passwords in URLs."""
    if _secrets_pattern is not None:
        text = _secrets_pattern.sub(_HIDDEN, text)
    text = _BOT_TOKEN.sub(rf"\1\2{_HIDDEN}", text)
    return _URL_PASSWORD.sub(rf"\1{_HIDDEN}@", text)


def configure(format: Literal["json", "console"], level: str, stream: TextIO | None = None) -> None:
    """Send all log lines, masked, to the stream (standard error), as JSON or for people to read.

    May be called again; the last call holds. `level` is a name the standard
    library knows, in any case. Libraries whose chatter holds passwords or
    messages stay above their own floor whatever the level.
    """
    target = sys.stderr if stream is None else stream
    handler = _MaskedHandler(target)
    handler.addFilter(_above_its_floor)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # a plain traceback: one with local variables would print messages and passwords
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                _without_words_of_clients,
                _without_secrets,
                *_renderers(format, colors=target.isatty()),
            ],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, floor in _FLOORS.items():
        logging.getLogger(name).setLevel(max(floor, root.level))
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught


def _renderers(format: Literal["json", "console"], *, colors: bool) -> list[Processor]:
    if format == "json":
        return [structlog.processors.JSONRenderer(default=str)]
    return [
        _on_one_line,
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback),
    ]


def _above_its_floor(record: logging.LogRecord) -> bool:
    # Levels alone would not hold: a library may set its own loggers' level after us.
    return not any(
        record.levelno < floor and (record.name == name or record.name.startswith(f"{name}."))
        for name, floor in _FLOORS.items()
    )


def _without_words_of_clients(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    for key, value in event_dict.items():
        if key != "event":
            event_dict[key] = _length_if_words(key, value)
    for key in ("event", "exception"):
        if isinstance(event_dict.get(key), str):
            event_dict[key] = _QUOTED_INPUT.sub(_keep_the_frame, event_dict[key])
    return event_dict


def _keep_the_frame(match: re.Match[str]) -> str:
    return f"{match[1] or match[3]}{_HIDDEN}{match[2] or ''}"


def _length_if_words(key: object, value: Any) -> Any:
    # message_text is as much a message as text
    if isinstance(key, str) and key.lower().rpartition("_")[2] in _WORDS_OF_CLIENTS and value is not None:
        return len(value) if hasattr(value, "__len__") else _HIDDEN
    if isinstance(value, Mapping):
        return {inner: _length_if_words(inner, held) for inner, held in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_length_if_words(None, held) for held in value]
    return value


def _without_secrets(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    return {masked(str(key)): _value_without_secrets(value) for key, value in event_dict.items()}


def _value_without_secrets(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        # a chat's id is a number, and so may be a secret
        return value if (text := str(value)) == masked(text) else _HIDDEN
    if isinstance(value, Mapping):
        return {masked(str(key)): _value_without_secrets(held) for key, held in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_value_without_secrets(held) for held in value]
    return masked(str(value))


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


def _on_one_line(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Escape what could forge a second line or command the terminal; JSON does so by itself."""
    for key, value in event_dict.items():
        if isinstance(value, str):
            keep_lines = {**_CONTROLS, 0x0A: "\n", 0x09: "\t"} if key in ("exception", "stack") else _CONTROLS
            event_dict[key] = value.translate(keep_lines)
    return event_dict


class _MaskedHandler(logging.StreamHandler[TextIO]):
    """Writes the lines; one that cannot be written is named without its content."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the standard library's name)
        # The standard library would print the arguments unmasked.
        error = type(sys.exception()).__name__
        self.stream.write(f"a log line of {record.name} (line {record.lineno}) could not be written: {error}\n")
        self.flush()


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger("bot").critical("ended by an unexpected error", exc_info=(kind, error, trace))
