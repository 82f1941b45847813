"""A professional's own Telegram account, in which the desk answers: whose it is, what may be said there, and when.

Source: Bot API BusinessConnection, BusinessBotRights (can_reply), BusinessMessagesDeleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from inbox.conversations import event, over
from inbox.envelope import Connected, Envelope
from inbox.errors import InvalidTransition
from inbox.matching import in_own_telegram
from inbox.model import (
    Account,
    BusinessConnection,
    Conversation,
    Direction,
    Event,
    Message,
    Principal,
    Receipt,
    Revision,
    Status,
)
from inbox.particulars import Automatic
from inbox.parts import UNSORTED, AccountId, Because, ChannelId, MessageId, SecretaryId, new_id
from inbox.store.base import Changes, Store
from inbox.store.documents import BUSINESS_CONNECTIONS, MESSAGES_OF_CONVERSATION, PRINCIPAL_BY_TELEGRAM

REPLIES_WITHIN = timedelta(days=1)
"""For how long after the other side wrote Telegram lets a bot answer them. Source: Bot API BusinessBotRights."""
MOST_CONNECTIONS = 10_000
MOST_FORMER = 10
_LOOKED_BACK = 100


def connection_id(channel_id: ChannelId, telegram_user_id: int) -> str:
    """What somebody's connection to a bot is found by."""
    return f"{channel_id}:{telegram_user_id}"


def connected(
    said: Connected, before: BusinessConnection | None, channel_id: ChannelId, now: datetime
) -> BusinessConnection:
    """The connection as Telegram tells it now; for which account it is, its person said before."""
    former = (*before.former_ids, before.connection_id) if before is not None else ()
    return BusinessConnection(
        id=connection_id(channel_id, said.telegram_user_id),
        version=before.version if before is not None else 0,
        channel_id=channel_id,
        telegram_user_id=said.telegram_user_id,
        connection_id=said.connection,
        former_ids=tuple(each for each in dict.fromkeys(former) if each != said.connection)[-MOST_FORMER:],
        chat_id=said.chat_id,
        name=said.name,
        language=said.language,
        account_id=before.account_id if before is not None else None,
        is_enabled=said.is_enabled,
        may_reply=said.may_reply,
        made_at=said.made_at,
        connected_at=before.connected_at if before is not None else now,
    )


def is_older(said: Connected, known: BusinessConnection) -> bool:
    """Whether what is said is of a connection that another has taken the place of."""
    return said.made_at is not None and known.made_at is not None and said.made_at < known.made_at


async def find_connection(store: Store, channel_id: ChannelId, connection: str) -> BusinessConnection | None:
    """The connection Telegram names so, or did before it was made anew."""
    found = await store.find_by(BUSINESS_CONNECTIONS, channel_id, connection)
    if found is not None:
        return found
    everybody = await store.list(BUSINESS_CONNECTIONS, channel_id, limit=MOST_CONNECTIONS)
    return next((each for each in everybody if connection in each.former_ids), None)


def accounts_of(principal: Principal | None, accounts: Mapping[AccountId, Account]) -> list[AccountId]:
    """The accounts somebody speaks for, by name; none for whoever nobody here works for."""
    if principal is None or not principal.active:
        return []
    theirs = (accounts[each] for each in principal.accounts if each in accounts)
    return [a.id for a in sorted((a for a in theirs if not a.retired), key=lambda a: (a.name, a.id))]


def account_for(
    connection: BusinessConnection, theirs: Sequence[AccountId], own_account: AccountId | None
) -> AccountId | None:
    """The account for which their correspondents are answered; unsorted as long as they did not say which of several.

    None: there is none, or the bot is another account's. Nothing that is written there is the desk's to read.
    """
    if own_account is not None:
        return own_account if own_account in theirs else None
    if connection.account_id in theirs:
        return connection.account_id
    if len(theirs) == 1:
        return theirs[0]
    return UNSORTED if theirs else None


async def speaks_for(store: Store, telegram_user_id: int, account_id: AccountId) -> bool:
    """Whether the desk still works for somebody, in an account; in the unsorted lane, at all."""
    principal = await store.find_by(PRINCIPAL_BY_TELEGRAM, telegram_user_id)
    return principal is not None and principal.active and account_id in (*principal.accounts, UNSORTED)


async def require_speaks(store: Store, conversation: Conversation, account: Account) -> None:
    """Hold that whoever is seen to answer in a conversation speaks for an account.

    Raises:
        InvalidTransition: they do not.
    """
    if conversation.through is None:
        return
    if not await speaks_for(store, conversation.through, account.id):
        raise InvalidTransition("error.move_business", account=account.name)


def addressed(envelope: Envelope, through: int) -> Envelope:
    """The envelope as of that person's own Telegram, whose chats and messages have numbers of their own."""
    return msgspec.structs.replace(
        envelope,
        external_id=in_own_telegram(through, envelope.external_id),
        replies_to=in_own_telegram(through, envelope.replies_to) if envelope.replies_to is not None else None,
        album=in_own_telegram(through, envelope.album) if envelope.album is not None else None,
        sender=msgspec.structs.replace(envelope.sender, through=through),
    )


# ---------------------------------------------------------------- answering


def replies_until(messages: Iterable[Message]) -> datetime | None:
    """Until when Telegram lets the desk answer; None where nothing of the other side is known."""
    theirs = (m.written_at or m.created_at for m in messages if m.direction is Direction.INBOUND)
    last = max(theirs, default=None)
    return last + REPLIES_WITHIN if last is not None else None


async def require_answerable(store: Store, conversation: Conversation, now: datetime) -> None:
    """Hold that Telegram lets the desk answer in somebody's own Telegram, and that it works for them.

    Raises:
        InvalidTransition: they took the bot away, or its right to answer; they speak for the account no longer; or
            the other side wrote too long ago.
    """
    if conversation.through is None:
        return
    connection = await store.find(BusinessConnection, connection_id(conversation.channel_id, conversation.through))
    speaks = await speaks_for(store, conversation.through, conversation.account_id)
    if connection is None or not connection.is_enabled or not speaks:
        raise InvalidTransition("error.business_off", name=connection.name if connection else "")
    if not connection.may_reply:
        raise InvalidTransition("error.business_mute", name=connection.name)
    newest = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True, limit=_LOOKED_BACK)
    until = replies_until(newest)
    if until is not None and now >= until:
        raise InvalidTransition("error.business_day", name=connection.name)


# ---------------------------------------------------------------- what its person does there


def answered_by(
    principal: Principal,
    conversation: Conversation,
    envelope: Envelope,
    receipt: Receipt,
    known_as: str,
    now: datetime,
    *,
    by_itself: bool,
) -> tuple[Conversation, Message]:
    """The conversation once its person answered in it themselves, and what they said.

    Nobody waits in it any more, and if nobody holds it it is over. Whoever
    writes a reply must see it before that leaves.

    Args:
        by_itself: their Telegram said it for them: whoever waits still does.
    """
    message = Message(
        id=MessageId(new_id()),
        account_id=conversation.account_id,
        conversation_id=conversation.id,
        position=conversation.message_count + 1,
        direction=Direction.OUTBOUND,
        channel_id=conversation.channel_id,
        author_id=SecretaryId(principal.id),
        author_name=principal.name,
        author_address=str(principal.telegram_user_id),
        text=envelope.text,
        attachments=envelope.attachments,
        external_id=known_as,
        written_at=envelope.written_at,
        created_at=now,
        receipt_id=receipt.id,
        blob_id=receipt.blob_id,
        quotes=envelope.quotes,
    )
    after = msgspec.structs.replace(conversation, message_count=conversation.message_count + 1, last_message_at=now)
    if by_itself:
        said = msgspec.structs.replace(message.particulars, automatic=Automatic.REPLY)
        return after, msgspec.structs.replace(message, particulars=said)
    after = msgspec.structs.replace(after, inbound_count=after.inbound_count + 1)
    because = Because(key="because.answered_by_owner", args={"name": principal.name})
    return settled(after, because, now), message


def is_own_answer(message: Message, conversation: Conversation) -> bool:
    """Whether whoever a conversation is held through said something in it themselves."""
    return message.direction is Direction.OUTBOUND and message.author_address == str(conversation.through)


def settled(conversation: Conversation, because: Because, now: datetime) -> Conversation:
    """The conversation once nobody waits in it: over, unless somebody holds it."""
    if conversation.status is Status.CLOSED:
        return conversation
    if conversation.assignee_id is not None:
        return msgspec.structs.replace(conversation, waiting_since_at=None, answer_by_at=None)
    return over(conversation, because, now)


def rewritten(
    conversation: Conversation, message: Message, envelope: Envelope, now: datetime
) -> tuple[Conversation, Message]:
    """The conversation once its person edited what was answered there: what it said before is kept.

    Whoever writes a reply must see it before that leaves.
    """
    after = msgspec.structs.replace(conversation, inbound_count=conversation.inbound_count + 1)
    return after, msgspec.structs.replace(
        message,
        text=envelope.text,
        attachments=envelope.attachments or message.attachments,
        revisions=(*message.revisions, Revision(text=message.text, until_at=now)),
    )


def names_of(message: Message) -> tuple[str, ...]:
    """What a message is known by in its chat, and what its other parts are."""
    return (message.external_id, *message.parts)


async def withdrawn(
    store: Store, conversation: Conversation, gone: Mapping[str, Message], now: datetime
) -> tuple[Conversation, Changes]:
    """The conversation once some of its messages were taken out of the chat, and those as they are shown from now on.

    Where nothing is left of what waited for an answer, nobody waits. Whoever
    writes a reply must see it before that leaves.

    Args:
        gone: by what they are known by, or a part of them is.
    """
    marked: dict[MessageId, Message] = {}
    for name, message in gone.items():
        before = marked.get(message.id, message)
        names = tuple(dict.fromkeys((*before.withdrawn, name)))
        whole = set(names_of(before)) <= set(names)
        marked[message.id] = msgspec.structs.replace(
            before, withdrawn=names, deleted_at=before.deleted_at or (now if whole else None)
        )
    lines: list[Event] = [event("withdrawn", conversation, now, detail={"message": each}) for each in marked]
    after = conversation
    if any(m.direction is Direction.INBOUND for m in marked.values()):
        after = msgspec.structs.replace(after, inbound_count=after.inbound_count + 1)
        if after.waiting_since_at is not None and not await _something_waits(store, after, marked):
            after = settled(after, Because(key="because.withdrawn"), now)
    return after, Changes(replacements=marked.values(), inserts=lines)


async def _something_waits(store: Store, conversation: Conversation, marked: Mapping[MessageId, Message]) -> bool:
    newest = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True, limit=_LOOKED_BACK)
    since = conversation.waiting_since_at
    return any(
        m.direction is Direction.INBOUND
        and marked.get(m.id, m).deleted_at is None
        and (since is None or m.created_at >= since)
        for m in newest
    )
