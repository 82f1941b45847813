"""From settings to parts: which store, which channels, whose accounts. A new channel is one line here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from bot.settings import (
    AccountSettings,
    BotSettings,
    MailboxSettings,
    OAuthSettings,
    Settings,
    closure,
    minutes_in,
    store_url,
    tagged_addresses,
)
from channels.base import Channel, Observer
from channels.mail.afterwards import Afterwards
from channels.mail.doors import Doors
from channels.mail.imap import ImapServer, Limits
from channels.mail.keys import DnsKeys
from channels.mail.mailbox import Mailbox
from channels.mail.routing import RouteHeader
from channels.mail.smtp import SmtpServer
from channels.mail.trust import Judge
from inbox.hours import Closure, Hours, read_week
from inbox.invitations import DeclaredOwner
from inbox.model import Account, AssignmentMode, Identity
from inbox.parts import AccountId, ChannelId
from inbox.store.base import Store
from inbox.store.sqlite import SqliteStore
from inbox.watchkeeping import Patience

if TYPE_CHECKING:
    from channels.mail.oauth import App, TokenFile

    # aiogram takes seconds to import: only who builds a bot waits for it, not every `permanence receipts`
    from channels.telegram.bot import TelegramBot


class Unobserved:
    """An observer for channels that are only asked something."""

    def up(self, channel: ChannelId) -> None:
        """Nobody listens."""

    def down(self, channel: ChannelId, reason: str, retry_in: float | None) -> None:
        """Nobody listens."""

    def announced(self, channel: ChannelId) -> None:
        """Nobody listens."""

    def owed(self, channel: ChannelId, something: bool) -> None:
        """Nobody listens."""


def mail_channel(name: str) -> ChannelId:
    """The channel of a declared mailbox."""
    return ChannelId(f"mail:{name}")


def telegram_channel(name: str) -> ChannelId:
    """The channel of a declared bot."""
    return ChannelId(f"telegram:{name}")


def open_store(settings: Settings, *, exclusive: bool, on_commit: Callable[[int, float], None] | None = None) -> Store:
    """The store, to be entered. Exclusive is for the worker: there is one on an embedded store.

    Args:
        on_commit: told after each group of units how many they were and how many seconds they took.
    """
    if not settings.store.shared:
        return SqliteStore(settings.store.path, exclusive=exclusive, on_commit=on_commit)
    from inbox.store.mongo import MongoStore

    return MongoStore(settings.store.server_url(), driver=settings.store.driver, on_commit=on_commit)


def file_at(url: str) -> Path:
    """The file of an embedded store's address."""
    return Path(url.removeprefix("sqlite:"))


def open_at(url: str, *, exclusive: bool) -> Store:
    """The store at an address, to be entered.

    Raises:
        Wrong: it is no store's address.
    """
    if store_url(url).startswith("sqlite:"):
        return SqliteStore(file_at(url), exclusive=exclusive)
    from inbox.store.mongo import MongoStore

    return MongoStore(url)


def kept_beside(settings: Settings) -> Path:
    """The folder of the embedded store; of a server's, the one the program runs in."""
    return Path() if settings.store.shared else settings.store.path.absolute().parent


def build_channels(settings: Settings, observer: Observer) -> dict[ChannelId, Channel]:
    """Every declared channel, by its id; none is connected yet."""
    return dict(_channels(settings, observer))


def _channels(settings: Settings, observer: Observer) -> Iterator[tuple[ChannelId, Channel]]:
    limits = Limits(doors=Doors(settings.mail.logins_at_once))
    for name, mailbox in settings.mailboxes.items():
        yield mail_channel(name), build_mailbox(name, mailbox, observer, kept_beside(settings), limits)
    for name, bot in settings.bots.items():
        shared = bot.account is None and len(settings.accounts) > 1
        yield telegram_channel(name), build_bot(name, bot, observer, shared=shared)


def permission_of(name: str, oauth: OAuthSettings, beside: Path) -> tuple[App, TokenFile]:
    """Who asks for a mailbox's permission, and where it is kept: beside the store, where the config does not say."""
    # here, for most desks need none of it, and it takes a while to load
    from channels.mail.oauth import GOOGLE, App, Provider, TokenFile, microsoft

    secret = oauth.client_secret.get_secret_value() if oauth.client_secret is not None else None
    match oauth.provider:
        case "google":
            provider = GOOGLE
        case "microsoft":
            provider = microsoft(oauth.tenant)
        case _:
            urls = (oauth.authorize_url or "", oauth.token_url or "", oauth.device_url)
            provider = Provider(*urls, oauth.scopes)
    return App(provider, oauth.client_id, secret), TokenFile(oauth.permission or beside / f"{name}.permission")


def imap_server(name: str, mailbox: MailboxSettings, beside: Path) -> ImapServer:
    """Where a mailbox is read, and as whom."""
    imap, tokens = mailbox.imap, None
    if mailbox.oauth is not None:
        from channels.mail.oauth import TokenSource

        tokens = TokenSource(mail_channel(name), *permission_of(name, mailbox.oauth, beside))
    return ImapServer(
        host=imap.host,
        port=imap.port,
        tls=imap.tls,
        ca_file=imap.ca_file,
        user=imap.user,
        password=imap.password.get_secret_value(),
        folder=imap.received[0],
        more_folders=imap.received[1:],
        tokens=tokens,
    )


def build_mailbox(
    name: str, mailbox: MailboxSettings, observer: Observer, beside: Path = Path(), limits: Limits | None = None
) -> Mailbox:
    """One mailbox. What its smtp section leaves out of the login is the imap section's.

    Args:
        beside: the folder a permission is kept in, where the config does not say.
    """
    imap, smtp = mailbox.imap, mailbox.smtp
    reads = imap_server(name, mailbox, beside)
    user = imap.user if smtp.user is None else smtp.user
    password = imap.password if smtp.password is None else smtp.password
    return Mailbox(
        mail_channel(name),
        reads,
        SmtpServer(
            host=smtp.host,
            port=smtp.port,
            tls=smtp.tls,
            ca_file=smtp.ca_file,
            user=user or None,
            password=password.get_secret_value() if user else None,
            tokens=reads.tokens if user else None,
        ),
        observer,
        start_at=mailbox.start_at,
        sent_folder=mailbox.sent_folder or None,
        idle_renewal=timedelta(minutes=mailbox.idle_renewal_minutes),
        judge=Judge(mailbox.trusted_authserv_id, _keys if mailbox.verify_dkim else None),
        route=RouteHeader(mailbox.route_header.lower(), mailbox.route_header_below) if mailbox.route_header else None,
        afterwards=Afterwards.from_text(imap.after),
        limits=limits,
    )


_keys = DnsKeys()
"""One memory of keys for all mailboxes; it asks nobody before a signed mail comes."""


def build_bot(name: str, bot: BotSettings, observer: Observer, *, shared: bool = False) -> TelegramBot:
    """One bot. In one that several accounts share, each reply says for whom it speaks."""
    from channels.telegram.bot import TelegramBot

    return TelegramBot(
        telegram_channel(name),
        bot.token.get_secret_value(),
        observer,
        api_server=bot.api_server,
        receive=bot.receive,
        webhook_url=bot.webhook.url if bot.webhook else "",
        webhook_secret=bot.webhook.secret.get_secret_value() if bot.webhook else "",
        sign_replies=shared,
    )


@asynccontextmanager
async def routes(settings: Settings, channels: Mapping[ChannelId, Channel]) -> AsyncIterator[None]:
    """Listen, while it is entered, for what the bots' webhooks are called with.

    Raises:
        OSError: an address cannot be listened on.
    """
    from channels.telegram.bot import TelegramBot

    async with AsyncExitStack() as listening:
        for name, bot in settings.bots.items():
            channel = channels.get(telegram_channel(name))
            if bot.receive == "webhook" and bot.webhook is not None and isinstance(channel, TelegramBot):
                called = web.Application()
                called.add_routes(channel.routes())
                runner = web.AppRunner(called, access_log=None, shutdown_timeout=2)
                await runner.setup()
                listening.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, bot.webhook.host, bot.webhook.port).start()
        yield


def patience(settings: Settings) -> Patience:
    """How long what may last before the owners are told."""
    hours = {name: mailbox.silent_after_hours for name, mailbox in settings.mailboxes.items()}
    return Patience(
        down=timedelta(minutes=settings.watch.down_after_minutes),
        behind=timedelta(minutes=settings.watch.behind_after_minutes),
        again=timedelta(hours=settings.watch.again_after_hours),
        silent={mail_channel(name): timedelta(hours=h) if h else None for name, h in hours.items() if h != 0},
    )


def channel_ids(settings: Settings) -> list[ChannelId]:
    """Every declared channel."""
    return [*map(mail_channel, settings.mailboxes), *map(telegram_channel, settings.bots)]


def own_accounts(settings: Settings) -> dict[ChannelId, AccountId]:
    """The account of every channel that serves only one."""
    channels = [(mail_channel(name), mailbox.account) for name, mailbox in settings.mailboxes.items()]
    channels += [(telegram_channel(name), bot.account) for name, bot in settings.bots.items()]
    return {channel: AccountId(account) for channel, account in channels if account is not None}


def desk_bots(settings: Settings) -> list[ChannelId]:
    """The bots through which secretaries join, in the config's order."""
    return [telegram_channel(name) for name, bot in settings.bots.items() if bot.desk]


def opening_hours(account: AccountSettings) -> Hours | None:
    """When an account is open, as the config declares it; None: always."""
    if account.hours is None:
        return None
    closures = [closure(days) for days in account.closed]
    return Hours(
        week=read_week(account.hours),
        holidays=account.holidays or "",
        closed=tuple(Closure(first=first, last=last) for first, last in closures),
    )


def declared_accounts(settings: Settings) -> list[Account]:
    """The accounts as the config declares them; the unsorted lane is not among them."""
    served = {mailbox.account: name for name, mailbox in settings.mailboxes.items() if mailbox.account is not None}
    accounts = []
    for key, account in settings.accounts.items():
        mailbox = account.mailbox or served.get(key)
        sender = account.identity.from_address
        addresses = (*account.addresses, *([sender] if sender else []))
        shared = settings.mailboxes[mailbox] if mailbox else None
        if shared is not None and shared.account is None:
            addresses += tuple(tagged_addresses(shared.address, shared.imap.user, (key, *account.tags)))
        accounts.append(
            Account(
                id=AccountId(key),
                name=account.name,
                language=account.language or settings.desk.language,
                time_zone=account.time_zone or settings.desk.time_zone,
                identity=Identity(
                    display_name=account.identity.display_name,
                    from_address=sender,
                    signature=account.identity.signature.strip(),
                ),
                mailbox=mail_channel(mailbox) if mailbox else None,
                addresses=tuple(dict.fromkeys(address.lower() for address in addresses)),
                tags=account.tags,
                assignment=AssignmentMode(account.assignment),
                acknowledgement=account.acknowledgement.text.strip() if account.acknowledgement.enabled else None,
                approval=account.approval,
                messages_to=account.messages_to,
                hours=opening_hours(account),
                answer_minutes=minutes_in(account.answer_within) if account.answer_within else None,
                tells_in_chats=account.acknowledgement.telegram,
                show_names=account.show_names,
                reopen_days=account.reopen_days,
                retention_days=(
                    settings.desk.retention_days if account.retention_days is None else account.retention_days
                )
                or None,
            )
        )
    return accounts


def declared_owners(settings: Settings) -> list[DeclaredOwner]:
    """The owners as the config declares them; the first of the desk's bots reaches them."""
    channel = desk_bots(settings)[0]
    return [
        DeclaredOwner(
            telegram_user_id=owner.id,
            name=owner.name,
            language=owner.language or settings.desk.language,
            channel_id=channel,
        )
        for owner in settings.owners
    ]
