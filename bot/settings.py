"""The settings: what can be declared, what each value may be, and what is unsafe about it.

`config.example.toml` is the manual of these classes; a test keeps the two alike.
`bot.config` reads them.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.toml_lines import Place
from channels.mail.afterwards import Afterwards
from channels.mail.doors import AT_ONCE
from inbox.accounts import ANY_AT
from inbox.hours import read_week, require_holidays
from inbox.invitations import INVITATION_PREFIX
from inbox.parts import UNSORTED

# ---------------------------------------------------------------- mistakes


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, or one unsafe choice: where it is, what it is, how to mend it. Never holds a secret."""

    source: str
    """The config file's path, or the name of an environment variable."""
    line: int | None
    key: str
    """The key with its tables, `mailboxes.cabinet.imap.port`; empty for the file as a whole."""
    says: str
    remedy: str

    @property
    def place(self) -> str:
        """Where to look, as editors take it: file and line."""
        return self.source if self.line is None else f"{self.source}:{self.line}"

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.key, self.says) if part) + f". {self.remedy}"


@dataclass(frozen=True)
class Origin:
    """Where each value was said: in which line of the file, or by which environment variable."""

    file: Path | None = None
    lines: Mapping[Place, int] = field(default_factory=dict)
    variables: Mapping[Place, str] = field(default_factory=dict)

    def problem(self, place: Place, says: str, remedy: str) -> Problem:
        key = dotted(place)
        if variable := self.variables.get(place):
            return Problem(variable, None, key, says, remedy)
        line = next((self.lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self.lines), None)
        return Problem("" if self.file is None else str(self.file), line, key, says, remedy)


def dotted(place: Place) -> str:
    """A place as people write it: `owners[1].id`, `mailboxes.cabinet.imap.port`."""
    return "".join(f"[{name + 1}]" if isinstance(name, int) else f".{name}" for name in place).lstrip(".")


class Wrong(ValueError):
    """A value a validator refuses, with the remedy. The value itself is named only where it is no secret."""

    def __init__(self, says: str, remedy: str) -> None:
        super().__init__(says)
        self.says = says
        self.remedy = remedy


# ---------------------------------------------------------------- values

Language = Literal["fr", "en"]

MOST_FOLDERS = 8
"""Of one mailbox. Servers allow ten to twenty connections to one (Gmail: 15)."""

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,50}\Z")
# not all that RFC 5321 allows, but nothing it forbids: quoted local parts are not written in configs
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\Z")
# the first word of Authentication-Results (RFC 8601 §2.2); "*." before a domain stands for all its hosts
_AUTHSERV_ID = re.compile(r"(\*\.(?=.*\.))?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z")
_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+\Z")


def _slug(value: str) -> str:
    if not _SLUG.match(value):
        raise Wrong(
            f"{value!r} cannot be a name",
            "Names have 1 to 51 lower-case letters a-z, digits and hyphens, and begin with a letter or digit",
        )
    return value


def _account_key(value: str) -> str:
    _slug(value)
    if value == UNSORTED or value.startswith(INVITATION_PREFIX):
        raise Wrong(
            f"{value!r} is reserved",
            f"Choose another key: {UNSORTED!r} is the unsorted lane, {INVITATION_PREFIX!r} begins invitations",
        )
    return value


def _address(value: str) -> str:
    if not _ADDRESS.match(value):
        raise Wrong(f"{value!r} is not a mail address", "Write the address alone, like contact@cabinet-martin.example")
    return value


def _authserv_id(value: str) -> str:
    if not _AUTHSERV_ID.match(value):
        raise Wrong(
            f"{value!r} is not what a mail server calls itself",
            'Copy the first word of "Authentication-Results:" in a mail of this mailbox, like mx.example.org',
        )
    return value.lower()


def _alias(value: str) -> str:
    if value.startswith(ANY_AT):
        domain = value.removeprefix(ANY_AT)
        if "." not in domain or not _ADDRESS.match(f"any@{domain}"):
            raise Wrong(f"{value!r} is not every address of a domain", "Write it like *@cabinet-martin.example")
        return value
    return _address(value)


def _header_name(value: str) -> str:
    # RFC 5322 §2.2
    if not re.fullmatch(r"[!-9;-~]{1,76}", value):
        raise Wrong(f"{value!r} is not the name of a header", 'Write the name alone, like "X-Account"')
    if value.lower() in _WRITTEN_BY_ANYBODY:
        raise Wrong(f"whoever writes a mail writes {value}", "Name a header that only your own server writes")
    return value


def _same_name(folder: str) -> str:
    return "INBOX" if folder.upper() == "INBOX" else folder  # RFC 3501 §5.1


def _some_folders(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) > MOST_FOLDERS:
        raise Wrong(f"names {len(value)} folders", f"Each costs a connection: name {MOST_FOLDERS} at most")
    if len({_same_name(name) for name in value}) < len(value):
        raise Wrong("names a folder twice", "Keep each once")
    return value


def _after(value: str) -> str:
    try:
        Afterwards.from_text(value)
    except ValueError:
        raise Wrong(
            f"{value!r} is nothing that can be done",
            'Choose "nothing", "seen", "flag:" and a word or \\\\Flagged, or "move:" and a folder',
        ) from None
    return value


_WRITTEN_BY_ANYBODY = frozenset(("from", "to", "cc", "bcc", "subject", "sender", "reply-to", "message-id", "received"))


def _one_line(value: str) -> str:
    # a line break in a display name would be a header of its own
    if not value.strip() or not value.isprintable():
        raise Wrong("must be one line of text", "Write a name without line breaks or control characters")
    return value.strip()


def _time_zone(value: str) -> str:
    known = zoneinfo.available_timezones()
    if value not in known:
        near = difflib.get_close_matches(value, known, 1)
        raise Wrong(
            f"{value!r} is not a time zone",
            f"Did you mean {near[0]!r}?" if near else "Use a name of the IANA data base, like 'Europe/Paris'",
        )
    return value


def _week(value: str) -> str:
    try:
        read_week(value)
    except ValueError as wrong:
        raise Wrong(str(wrong), 'Write it like "mon-fri 8:30-12:30 14:00-18:30, sat 9:00-12:00"') from None
    return value


def _holidays_of(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}(-[A-Za-z0-9]{1,3})?", value):
        raise Wrong(f"{value!r} is no country", 'Write its two letters, like "FR", or with a region, like "FR-57"')
    try:
        require_holidays(value)
    except ValueError as wrong:
        raise Wrong(str(wrong), "Leave it out, and name the days under closed") from None
    return value


def _as_written(value: object) -> object:
    # TOML has dates of its own, which need no quotes
    return value.isoformat() if type(value) is date else value


def closure(value: str) -> tuple[date, date]:
    """The first and the last day of a closure as it is written: a date, or two with a slash between them."""
    first, _, last = value.partition("/")
    try:
        days = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
    except ValueError:
        raise Wrong(
            f"{value!r} is no date", 'Write "2026-12-24", or "2026-08-03/2026-08-21" for all from … to'
        ) from None
    if days[1] < days[0]:
        raise Wrong(f"{value!r} ends before it begins", "Write the first day first")
    return days


def _closure(value: str) -> str:
    closure(value)
    return value


_DURATION = re.compile(r"(?:(\d{1,3}) ?h)? ?(?:(\d{1,4}) ?min)?")


def minutes_in(value: str) -> int:
    """How many minutes a duration has, as it is written: `4 h`, `90 min`, `1 h 30 min`."""
    found = _DURATION.fullmatch(value.strip())
    minutes = int(found[1] or 0) * 60 + int(found[2] or 0) if found else 0
    if not 0 < minutes <= 60 * 24 * 31:
        raise Wrong(f"{value!r} is no duration", 'Write it like "4 h", "90 min" or "1 h 30 min"')
    return minutes


def _duration(value: str) -> str:
    minutes_in(value)
    return value


def _token(value: SecretStr) -> SecretStr:
    if not _TOKEN.match(value.get_secret_value()):
        raise Wrong(
            "is not a bot token",
            "Copy the whole token BotFather gave: digits, a colon, letters and digits",
        )
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        whole = False
    if not whole:
        raise Wrong("is not a web address", "Write all of it, like https://desk.example.org/telegram")
    return value.rstrip("/")


def _public_url(value: str) -> str:
    if urlsplit(_url(value)).scheme != "https":
        raise Wrong(
            "is not an https address", "Telegram calls webhooks by https only: let a proxy with TLS listen there"
        )
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    # Bot API, setWebhook, secret_token
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", value.get_secret_value()):
        raise Wrong(
            "is not a usable secret", "Use 16 to 256 letters, digits, _ and -; `openssl rand -hex 32` makes one"
        )
    return value


_DATABASE = re.compile(r"[A-Za-z0-9_-]{1,60}\Z")


def store_url(value: str) -> str:
    """The address of a store, if it is one."""
    scheme, _, rest = value.partition(":")
    if scheme in ("mongodb", "mongodb+srv"):
        _mongo_url(value)
    elif scheme != "sqlite" or not rest or rest.startswith("//"):
        raise Wrong(
            "is not a store",
            'Write "sqlite:" and a path, like "sqlite:permanence.db" or "sqlite:/var/lib/permanence/desk.db", '
            'or "mongodb://" with servers and database, like "mongodb://db1,db2,db3/permanence"',
        )
    return value


def _mongo_url(value: str) -> None:
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    login, _, servers = parts.netloc.rpartition("@")
    if not servers or "@" in login:
        raise Wrong(
            "does not name a server",
            'Write it like "mongodb://db1,db2,db3/permanence"; @, / and : in a password are written %40, %2F and %3A, '
            "or the password stands in password_file",
        )
    if not _DATABASE.match(parts.path.removeprefix("/")):
        raise Wrong(
            "does not name a database",
            "End it with a database of the desk's own, in letters, digits, _ and -, like "
            '"mongodb://db1,db2,db3/permanence"; options follow behind a question mark',
        )


Slug = Annotated[str, AfterValidator(_slug)]
AccountKey = Annotated[str, AfterValidator(_account_key)]
MailAddress = Annotated[str, AfterValidator(_address)]
Alias = Annotated[str, AfterValidator(_alias)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
OneLine = Annotated[str, AfterValidator(_one_line)]
AuthservId = Annotated[str, AfterValidator(_authserv_id)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Week = Annotated[str, AfterValidator(_week)]
HolidaysOf = Annotated[str, AfterValidator(_holidays_of)]
ClosedDays = Annotated[str, BeforeValidator(_as_written), AfterValidator(_closure)]
Duration = Annotated[str, AfterValidator(_duration)]
Port = Annotated[int, Field(ge=1, le=65535)]
LocalPort = Annotated[int, Field(ge=0, le=65535)]
"""0: any free port."""
Tls = Literal["tls", "starttls", "none"]


# ---------------------------------------------------------------- the settings


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class StoreSettings(_Section):
    """Where the desk's truth is kept."""

    url: Annotated[str, Field(repr=False), AfterValidator(store_url)] = "sqlite:permanence.db"
    """May hold a server's password: show it by `shown` only."""
    password: SecretStr | None = None
    """Of the user in the URL. None: the one in the URL."""
    password_file: Path | None = None
    driver: Literal["pymongo", "motor"] = "pymongo"

    @model_validator(mode="after")
    def _password_is_somebodys(self) -> Self:
        login = urlsplit(self.url).netloc.rpartition("@")[0]
        if self.password is not None and (not login or ":" in login):
            raise Wrong(
                "has a password and no user for it, or two passwords",
                'Name the user alone in url, like "mongodb://desk@db1,db2,db3/permanence"',
            )
        return self

    @property
    def path(self) -> Path:
        """The file of the embedded store."""
        return Path(self.url.removeprefix("sqlite:"))

    @property
    def shared(self) -> bool:
        """Whether several workers may run on it."""
        return not self.url.startswith("sqlite:")

    def server_url(self) -> str:
        """Where a server's store is, with its password: a secret."""
        if self.password is None:
            return self.url
        scheme, _, rest = self.url.partition("://")
        login, at, place = rest.rpartition("@")
        return f"{scheme}://{login.partition(':')[0]}:{quote(self.password.get_secret_value(), safe='')}{at}{place}"


class DeskSettings(_Section):
    """The desk as a whole."""

    language: Language = "fr"
    time_zone: TimeZone = "Europe/Paris"
    undo_seconds: Annotated[int, Field(ge=0, le=3600)] = 15
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "FR"
    """Whose telephone numbers are written without a country code; ISO 3166."""
    invitation_hours: Annotated[int, Field(ge=1, le=24 * 90)] = 48
    approval_days: Annotated[int, Field(ge=0, le=3650)] = 0
    """For how long after a secretary joined a supervisor reads her replies before they leave."""
    retention_days: Annotated[int, Field(ge=1, le=36500)] | None = None
    """None: what was closed is kept."""


class IdentitySettings(_Section):
    """In whose name an account's replies leave."""

    display_name: OneLine
    from_address: MailAddress | None = None
    signature: str = ""


class AcknowledgementSettings(_Section):
    """What whoever opens a conversation is told at once."""

    enabled: bool = False
    """By mail, each time."""
    text: str = ""
    """Empty: a sentence of the desk's own, in the account's language. `{hours}` and `{answer}` are filled in."""
    telegram: bool = True
    """In Telegram, one line, and only where it helps."""

    @model_validator(mode="after")
    def _says_what_is_known(self) -> Self:
        unknown = [word for word in re.findall(r"\{(\w+)\}", self.text) if word not in ("hours", "answer")]
        if unknown:
            raise Wrong(f"says {{{unknown[0]}}}, which nothing fills in", "There are {hours} and {answer}")
        return self


def tagged_addresses(own: object, user: object, words: Iterable[str]) -> Iterator[str]:
    """The addresses of a shared mailbox, lower case, whose plus-tag names an account by one of these words."""
    local, at, domain = str(own or user or "").lower().rpartition("@")
    if at and _ADDRESS.match(f"{local}@{domain}"):
        yield from (f"{local}+{word}@{domain}" for word in words)


class AccountSettings(_Section):
    """A firm or professional the desk works for."""

    name: OneLine
    language: Language | None = None
    """None: the desk's."""
    time_zone: TimeZone | None = None
    """None: the desk's."""
    identity: IdentitySettings
    mailbox: str | None = None
    addresses: tuple[Alias, ...] = ()
    tags: tuple[Slug, ...] = ()
    """Words that mean this account besides its key, where a mailbox is shared."""
    assignment: Literal["automatic", "manual"] = "automatic"
    messages_to: MailAddress | None = None
    """Where telephone messages for it are passed on to."""
    approval: bool = False
    """A supervisor reads every secretary's reply before it leaves."""
    acknowledgement: AcknowledgementSettings = AcknowledgementSettings()
    hours: Week | None = None
    """When it is open; None: always."""
    holidays: HolidaysOf | None = None
    """Whose public holidays it is closed on."""
    closed: tuple[ClosedDays, ...] = ()
    answer_within: Duration | None = None
    """Of opening time; None: nothing is said about it."""
    show_names: bool = False
    reopen_days: Annotated[int, Field(ge=0, le=3650)] = 14
    retention_days: Annotated[int, Field(ge=0, le=36500)] | None = None
    """None: the desk's. 0: what was closed is kept."""

    @model_validator(mode="after")
    def _closes_what_is_open(self) -> Self:
        if self.hours is None and (self.holidays or self.closed):
            raise Wrong(
                "is open at all hours, and names days on which it is closed",
                'Say when it is open: hours = "mon-fri 8:30-12:30 14:00-18:30"',
            )
        return self


class ServerSettings(_Section):
    """One mail server: where it is and how to log in."""

    host: Annotated[str, Field(min_length=1)]
    port: Port
    tls: Tls = "tls"
    ca_file: Path | None = None


class ImapSettings(ServerSettings):
    """Where a mailbox is read."""

    port: Port = 993
    user: Annotated[str, Field(min_length=1)]
    password: SecretStr
    password_file: Path | None = None
    folder: Annotated[str, Field(min_length=1)] = "INBOX"
    folders: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], AfterValidator(_some_folders)] = ()
    """Empty: `folder` alone."""
    after: Annotated[str, AfterValidator(_after)] = "nothing"

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if self.folders and "folder" in self.model_fields_set:
            raise Wrong("has both folder and folders", "Keep folders, with all of them in it")
        target = self.after.removeprefix("move:")
        if target != self.after and _same_name(target) in {_same_name(name) for name in self.received}:
            raise Wrong(f"moves what it receives to {target!r}, which it receives", "Move it to another folder")
        return self

    @property
    def received(self) -> tuple[str, ...]:
        """The folders that are received; the first in the place of the one there may be only."""
        return self.folders or (self.folder,)

    @model_validator(mode="before")
    @classmethod
    def _usual_port(cls, values: Any) -> Any:
        return _with_usual_port(values, {"starttls": 143, "none": 143})


class SmtpSettings(ServerSettings):
    """Where a mailbox's replies leave."""

    port: Port = 465
    user: str | None = None
    """None: the IMAP user. Empty: no login."""
    password: SecretStr | None = None
    """None: the IMAP password."""
    password_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _usual_port(cls, values: Any) -> Any:
        return _with_usual_port(values, {"starttls": 587, "none": 25})


def _with_usual_port(values: Any, ports: Mapping[str, int]) -> Any:
    if isinstance(values, dict) and "port" not in values and values.get("tls") in ports:
        return {**values, "port": ports[values["tls"]]}
    return values


class OAuthSettings(_Section):
    """A mailbox whose provider takes no passwords: who asks for permission, and where it is kept."""

    provider: Literal["google", "microsoft", "other"]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,100}$")] = "organizations"
    permission: Path | None = None
    """None: beside the store, named after the mailbox."""
    authorize_url: Annotated[str, AfterValidator(_url)] | None = None
    token_url: Annotated[str, AfterValidator(_url)] | None = None
    device_url: Annotated[str, AfterValidator(_url)] | None = None
    scopes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.provider == "other" and not (self.authorize_url and self.token_url and self.scopes):
            raise Wrong(
                "does not say where to ask", "Set authorize_url, token_url and scopes as your provider names them"
            )
        return self


class MailboxSettings(_Section):
    """A mailbox: read by IMAP, answered by SMTP."""

    oauth: OAuthSettings | None = None
    imap: ImapSettings
    smtp: SmtpSettings
    account: str | None = None
    address: MailAddress | None = None
    """None: the IMAP user, if that is one."""
    route_header: HeaderName | None = None
    route_header_below: Annotated[int, Field(ge=0, le=10)] = 0
    """How many Received lines its own servers write above that header."""
    start_at: Literal["now", "beginning"] = "now"
    sent_folder: str = ""
    idle_renewal_minutes: Annotated[int, Field(ge=1, le=29)] = 25
    silent_after_hours: Annotated[int, Field(ge=0, le=24 * 366)] | None = None
    """None: its own habit tells. 0: never."""
    trusted_authserv_id: tuple[AuthservId, ...] = ()
    verify_dkim: bool = True

    @model_validator(mode="before")
    @classmethod
    def _no_password_beside_oauth(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("oauth") is not None and isinstance(values.get("imap"), dict):
            return {**values, "imap": {"password": "", **values["imap"]}}
        return values


class MailSettings(_Section):
    """What all mailboxes share."""

    logins_at_once: Annotated[int, Field(ge=1, le=1000)] = AT_ONCE


class WebhookSettings(_Section):
    """Where Telegram calls, and where this program listens for it."""

    url: Annotated[str, AfterValidator(_public_url)]
    secret: Annotated[SecretStr, AfterValidator(_webhook_secret)]
    secret_file: Path | None = None
    host: str = "127.0.0.1"
    port: LocalPort = 8086


class BotSettings(_Section):
    """A Telegram bot: clients write to it, secretaries work in it."""

    token: Annotated[SecretStr, AfterValidator(_token)]
    token_file: Path | None = None
    account: str | None = None
    desk: bool = True
    api_server: Annotated[str, AfterValidator(_url)] = "https://api.telegram.org"
    receive: Literal["polling", "webhook"] = "polling"
    webhook: WebhookSettings | None = None


class OwnerSettings(_Section):
    """Someone who owns the desk from the start."""

    id: Annotated[int, Field(ge=1)]
    name: OneLine
    language: Language | None = None
    """None: the desk's."""


class WatchSettings(_Section):
    """When the owners are told that a channel is not well."""

    down_after_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 10
    behind_after_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 30
    again_after_hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24


class LogSettings(_Section):
    """What is logged, and how."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class WebSettings(_Section):
    """Where /healthz and /metrics are served."""

    host: str = "127.0.0.1"
    port: LocalPort = 8085


class Settings(BaseSettings):
    """Everything the config declares. `bot.config.load` makes it; made directly, it takes its arguments alone."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    store: StoreSettings = StoreSettings()
    desk: DeskSettings = DeskSettings()
    owners: tuple[OwnerSettings, ...] = ()
    accounts: Annotated[dict[AccountKey, AccountSettings], Field(min_length=1)]
    mail: MailSettings = MailSettings()
    mailboxes: dict[Slug, MailboxSettings] = {}
    bots: Annotated[dict[Slug, BotSettings], Field(min_length=1)]
    watch: WatchSettings = WatchSettings()
    logs: LogSettings = LogSettings()
    web: WebSettings = WebSettings()

    _origin: Origin = PrivateAttr(default_factory=Origin)
    _warnings: tuple[Problem, ...] = PrivateAttr(default=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only: `bot.config.load` reads file and environment itself, to know where each value was said."""
        return (init_settings,)

    @property
    def source(self) -> Path | None:
        """The file these settings were read from."""
        return self._origin.file

    def secrets(self) -> Iterator[str]:
        """Every secret in these settings, for those who keep them out of sight."""
        for _, value in _walk_values(self):
            if isinstance(value, SecretStr) and value.get_secret_value():
                yield value.get_secret_value()
        if password := password_in(self.store.url):
            yield from {password, unquote(password)}

    def warnings(self) -> list[Problem]:
        """What works but is unsafe: passwords in clear over a network, secrets or figures open to others."""
        found = list(self._warnings)
        say = self._origin.problem
        for name, mailbox in self.mailboxes.items():
            for part, server in (("imap", mailbox.imap), ("smtp", mailbox.smtp)):
                if server.tls == "none" and not is_loopback(server.host):
                    found.append(
                        say(
                            ("mailboxes", name, part, "tls"),
                            f"the password and every mail travel in clear to {server.host}",
                            'Set tls to "tls" or "starttls"',
                        )
                    )
        for name, bot in self.bots.items():
            server_url = urlsplit(bot.api_server)
            if server_url.scheme == "http" and not is_loopback(server_url.hostname or ""):
                found.append(
                    say(
                        ("bots", name, "api_server"),
                        f"the token and every message travel in clear to {server_url.hostname}",
                        "Use https, or a Bot API server on this machine",
                    )
                )
        for name, bot in self.bots.items():
            if bot.receive == "webhook" and bot.webhook is not None and not is_loopback(bot.webhook.host):
                found.append(
                    say(
                        ("bots", name, "webhook", "host"),
                        f"whoever reaches {bot.webhook.host} can call the webhook without TLS",
                        'Set host to "127.0.0.1", with the proxy that speaks TLS on this machine',
                    )
                )
        if self.desk.undo_seconds == 0:
            found.append(
                say(
                    ("desk", "undo_seconds"),
                    "a reply leaves the moment Send is pressed, and nobody can take it back",
                    "Give people some seconds: undo_seconds = 15",
                )
            )
        found += self._open_store()
        if not is_loopback(self.web.host):
            found.append(
                say(
                    ("web", "host"),
                    f"/healthz and /metrics are open to whoever reaches {self.web.host}",
                    'Set host to "127.0.0.1", or let a firewall or proxy guard the port',
                )
            )
        return found

    def _open_store(self) -> Iterator[Problem]:
        """The store holds every mail and message: its file, and its place in its folder, are its owner's alone."""
        place = ("store", "url")
        if self.store.shared:
            strangers = [host for host in self._database_hosts() if not is_loopback(host)]
            if strangers:
                says = f"the login and all that is kept travel in clear to {', '.join(strangers)}"
                yield self._origin.problem(place, says, 'Let the servers speak TLS, and end the URL with "?tls=true"')
            if self._takes_any_certificate():
                says = "whoever stands between can pretend to be the server: its certificate is not verified"
                yield self._origin.problem(place, says, "Name its authority instead: tlsCAFile=/path/ca.pem")
            return
        path = self.store.path
        for file in (path, Path(f"{path}-wal")):
            if file.is_file() and (who := who_else_may(file)):
                yield self._origin.problem(place, f"{who} {file}", f"chmod 600 {file}")
        folder = path.absolute().parent
        if os.name == "posix" and folder.is_dir():
            mode = folder.stat().st_mode
            if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
                says = f"others can put another file in its place: the folder {folder} is open to them"
                yield self._origin.problem(place, says, f"chmod go-w {folder}")

    def _takes_any_certificate(self) -> bool:
        loose = {"tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames"}
        options = parse_qsl(urlsplit(self.store.url).query)
        return any(name.lower() in loose and value.lower() == "true" for name, value in options)

    def _database_hosts(self) -> list[str]:
        """The servers the store is reached at without TLS."""
        parts = urlsplit(self.store.url)
        options = {name.lower(): value.lower() for name, value in parse_qsl(parts.query)}
        # mongodb+srv means TLS unless it says otherwise (the connection string's specification)
        usual = "true" if parts.scheme == "mongodb+srv" else "false"
        if options.get("tls", options.get("ssl", usual)) == "true":
            return []
        servers = parts.netloc.rpartition("@")[2].split(",")
        return [server if server.endswith("]") else re.sub(r":\d*\Z", "", server) for server in servers]


def who_else_may(path: Path) -> str:
    """Who besides its owner can read or change this file, in words that want its name; empty for nobody."""
    if os.name != "posix":
        return ""
    mode = path.stat().st_mode
    changes, reads = mode & (stat.S_IWGRP | stat.S_IWOTH), mode & (stat.S_IRGRP | stat.S_IROTH)
    if not changes | reads:
        return ""
    everybody = (changes or reads) & (stat.S_IROTH | stat.S_IWOTH)
    who = "everybody on this machine" if everybody else "everybody in its group"
    return f"{who} can {'change' if changes else 'read'}"


def of_the_process() -> list[Problem]:
    """What is unsafe about how this program was started, whatever the settings say."""
    if os.name != "posix" or os.geteuid() != 0:
        return []
    says = "runs as root, so that any fault in it is a fault of the whole machine"
    return [Problem("permanence", None, "", says, "Run it as a user of its own, as docs/permanence.service does")]


def password_in(url: str) -> str:
    """The password of a URL, as it stands there; empty where there is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[0].partition(":")[2]
    except ValueError:  # it is no URL
        return ""


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") in ("localhost", "localhost.localdomain")


def _walk_values(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    yield place, value
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _walk_values(getattr(value, name), (*place, name))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _walk_values(item, (*place, name))
    elif isinstance(value, tuple):
        for position, item in enumerate(value):
            yield from _walk_values(item, (*place, position))
