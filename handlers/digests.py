"""What a day brought, as those an account belongs to read it: in Telegram, or as a letter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256
from zoneinfo import ZoneInfo

from aiogram.utils.formatting import Bold, Text

from channels.base import Channel, Reply
from handlers.desk import Desk
from handlers.legible import one_line, person, units
from handlers.timers import do_due, keep
from handlers.views import LONGEST, Screen, Voice, screen_of
from inbox.digests import Digest, digest_of, due
from inbox.errors import NotFound
from inbox.machinery import Lease
from inbox.matching import sign_message_id
from inbox.model import Account, Conversation, Principal
from inbox.notices import DigestNotice, Letter
from inbox.parts import ChannelId, ContactId, ConversationId, DeliveryId, MessageId
from inbox.store.base import Changes
from inbox.store.documents import PRINCIPALS_DIGESTING

NEWEST = 5
"""Requests of an account that are named."""
MOST_ACCOUNTS = 10


async def keep_digesting(desk: Desk, lease: Lease | None = None) -> None:
    """Tell those who want it what the day brought, at their hour; sleeps exactly until the next one.

    Args:
        lease: under which this worker does it, where others might.
    """
    await keep(desk, PRINCIPALS_DIGESTING, lambda: digest_due(desk, lease))


async def digest_due(desk: Desk, lease: Lease | None = None) -> float | None:
    """Tell whoever's hour it is; the seconds until the next, None where nobody wants to be told."""
    return await do_due(desk, PRINCIPALS_DIGESTING, partial(_due, desk), lease)


async def _due(desk: Desk, principal: Principal, now: datetime) -> Changes:
    return await due(desk.store, principal, desk.accounts, desk.time_zone, now)


def digest_screen(digests: Sequence[Digest], notice: DigestNotice, voice: Voice) -> Screen:
    """What a while brought each account, in one message; nobody of the desk is named.

    Where it would be too long, fewer requests are named, and then fewer accounts: the last line says how many are not.
    """
    named = [(MOST_ACCOUNTS, newest) for newest in range(NEWEST, -1, -1)]
    named += [(accounts, 0) for accounts in range(MOST_ACCOUNTS - 1, 0, -1)]
    screens = (_naming(digests, accounts, newest, notice, voice) for accounts, newest in named)
    return next(screen for screen in screens if units(screen.text) <= LONGEST)


def _naming(digests: Sequence[Digest], accounts: int, newest: int, notice: DigestNotice, voice: Voice) -> Screen:
    content: list[Text | str] = [Bold(f"🗞 {_title(notice, voice)}")]
    for each in digests[:accounts]:
        content += ["\n\n", Bold(one_line(each.account.name, 60))]
        for line in _lines(each, voice, newest):
            content += ["\n", line]
    if (others := len(digests) - accounts) > 0:
        content += ["\n\n", voice.say("digest.other_accounts", count=str(others))]
    if not digests:
        content += ["\n", voice.say("digest.nothing")]
    return screen_of(Text(*content))


def _title(notice: DigestNotice, voice: Voice) -> str:
    day = notice.until_at.astimezone(ZoneInfo(voice.time_zone)).date()
    return voice.say("digest.title", day=voice.texts.weekday(voice.language, day))


def _lines(digest: Digest, voice: Voice, newest: int = NEWEST) -> list[str]:
    say = voice.say
    lines = [say("digest.received", count=str(digest.received)), say("digest.answered", count=str(digest.answered))]
    lines += [say("digest.calls", count=str(digest.calls))] if digest.calls else []
    lines += [say("digest.waiting", count=str(digest.waiting))]
    for entry in digest.newest[:newest]:
        lines.append(f"• {voice.when(entry.at)} · {person(entry.contact, 60) or '?'} · {one_line(entry.subject, 80)}")
    if (others := len(digest.newest) - newest) > 0:
        lines.append(say("digest.others", count=str(others)))
    return lines


async def digests_for(desk: Desk, principal: Principal, notice: DigestNotice) -> list[Digest]:
    """Of each account they speak for what there is to say, as it is now."""
    accounts = [desk.accounts[a] for a in principal.accounts if a in desk.accounts]
    found = [
        await digest_of(desk.store, account, notice.since_at, notice.until_at)
        for account in accounts
        if notice.account_id in (None, account.id) and not account.retired
    ]
    return [each for each in found if not each.is_empty]


async def digest_letter(
    desk: Desk, channel: Channel, principal: Principal, notice: DigestNotice, delivery_id: DeliveryId
) -> tuple[Letter, bytes]:
    """The same as a letter, that says a machine wrote it; by one name, however often it is tried.

    Nothing of it is kept: what it says of clients is erased where they are.

    Raises:
        NotFound: the account is no longer theirs, or has no address any more.
    """
    digests = await digests_for(desk, principal, notice)
    account = desk.accounts.get(notice.account_id) if notice.account_id is not None else None
    if account is None or account.messages_to is None or not principal.active or account.id not in principal.accounts:
        raise NotFound
    voice = Voice(desk.texts, account.language, account.time_zone, desk.clock())
    title = _title(notice, voice)
    lines = [line for each in digests for line in _lines(each, voice)]
    named = MessageId(sha256(delivery_id.encode()).hexdigest()[:32])
    domain = (account.identity.from_address or "").rpartition("@")[2] or "localhost"
    reply = Reply(
        account=account,
        conversation=_of(account, title, notice.until_at),
        message_id=named,
        external_id=sign_message_id(desk.key, named, domain),
        text="\n".join([f"{title} · {account.name}", "", *(lines or [voice.say("digest.nothing")])]),
        answers=None,
        recipients=(account.messages_to,),
        attachments=(),
        now=notice.until_at,
        automatic=True,
    )
    (parcel,) = await asyncio.to_thread(channel.compose, reply)
    if not isinstance(parcel.payload, Letter):
        raise NotFound
    return parcel.payload, parcel.blobs[0].data


def _of(account: Account, subject: str, at: datetime) -> Conversation:
    """What a letter is about that is in no conversation: its subject."""
    return Conversation(
        id=ConversationId(""),
        number=0,
        account_id=account.id,
        contact_id=ContactId(""),
        channel_id=account.mailbox or ChannelId(""),
        subject=subject,
        opened_at=at,
        last_message_at=at,
    )
