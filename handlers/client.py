"""What a client can do in Telegram: write, edit, come through a link; and join the desk with an invitation."""

from __future__ import annotations

from handlers import business, principals, proving
from handlers.acknowledging import told_what_to_expect
from handlers.callbacks import Duty
from handlers.desk import Unit
from handlers.expecting import greeting
from inbox.contacts import account_last_chosen, account_spoken_to, know, set_blocked, spoken
from inbox.conversations import event
from inbox.envelope import Blocked, Envelope, Update
from inbox.errors import InboxError
from inbox.invitations import accept_invitation, token_hash, token_in
from inbox.matching import open_chat_key
from inbox.model import Conversation, Delivery, DeliveryKind, Secretary
from inbox.notices import TextNotice
from inbox.outbox import card_for, notice
from inbox.parts import UNSORTED, AccountId, Because, Button
from inbox.presence import handed_back
from inbox.store.base import Changes
from inbox.store.documents import CONVERSATION_IN_CHAT, INVITATION_BY_TOKEN, SECRETARY_BY_TELEGRAM


async def take_update(unit: Unit, update: Update) -> None:
    """Handle what somebody did who is not a secretary."""
    envelope = update.envelope
    if envelope is None:
        if update.callback_query_id is not None and await business.chosen(unit, update):
            return
        await unit.ignore("a press by someone who is not at the desk")
        return
    token = token_in(envelope.start or "")
    if token is not None:
        await _join(unit, update, envelope, token)
    elif envelope.start is not None:
        await _arrive(unit, envelope, envelope.start)
    else:
        await _write(unit, update, envelope)


async def _write(unit: Unit, update: Update, envelope: Envelope) -> None:
    """A client's message or edit goes to the account they came for."""
    desk = unit.desk
    channel_id, user_id = unit.receipt.channel_id, update.telegram_user_id
    account_id = (
        desk.own_account.get(channel_id)
        or await account_spoken_to(desk.store, channel_id, user_id, envelope)
        or await account_last_chosen(desk.store, channel_id, user_id)
    )
    if account_id is None or account_id not in desk.accounts:
        account_id = UNSORTED
    guess = await proving.guess(unit, envelope, account_id)
    if guess is not None and guess.is_right:
        # It was for the desk itself: nobody waits for an answer to it.
        await unit.commit(await proving.taken(guess, unit, envelope, Changes()), account_id=account_id)
        return
    taken = await desk.triage.take_in(unit.receipt, envelope, account_id, unit.now)
    if taken.ignored is not None:
        await unit.ignore(taken.ignored, taken.account_id, taken.conversation_id)
        return
    changes = taken.changes
    if guess is not None:
        changes = await proving.taken(guess, unit, envelope, changes)
    if taken.acknowledge is not None and taken.conversation is not None:
        changes += await told_what_to_expect(desk, taken.conversation, envelope.sender.language, unit.now)
    await unit.commit(changes, account_id=taken.account_id, conversation_id=taken.conversation_id)


async def _arrive(unit: Unit, envelope: Envelope, payload: str) -> None:
    """A bare /start, or one through an account's link: greeted, and remembered for whom they came."""
    desk = unit.desk
    channel_id = unit.receipt.channel_id
    chosen = await account_last_chosen(desk.store, channel_id, int(envelope.sender.value))
    named = desk.own_account.get(channel_id) or AccountId(payload)
    # A link that names nobody any more changes nothing for who came before: they are told to whom they write.
    for account_id in filter(None, (named, chosen)):
        account = desk.accounts.get(account_id)
        if account is not None and not account.retired and account.id != UNSORTED:
            break
    else:
        account = None
    if account is None:
        welcome = Because(key="client.welcome")
        await unit.commit(Changes(inserts=[_told(unit, envelope, welcome, desk.language)]))
        return
    known = await know(desk.store, account.id, channel_id, envelope.sender, unit.now, chosen=True)
    language = spoken(envelope.sender.language, account.language)
    switched = chosen not in (None, UNSORTED, account.id) and channel_id not in desk.own_account
    welcome = greeting(account, desk.texts, language, unit.now, switched=switched)
    told = _told(unit, envelope, welcome, account.language)
    await unit.commit(known.changes + Changes(inserts=[told]), account_id=account.id)


def _told(
    unit: Unit, envelope: Envelope, because: Because, language: str, buttons: tuple[tuple[Button, ...], ...] = ()
) -> Delivery:
    """One sentence to whoever wrote, in their language where we speak it."""
    chat_id = envelope.sender.chat_id or 0
    payload = TextNotice(
        chat_id=chat_id, language=spoken(envelope.sender.language, language), because=because, buttons=buttons
    )
    return notice(payload, unit.receipt.channel_id, chat_id, unit.now, kind=DeliveryKind.ACKNOWLEDGEMENT)


async def _join(unit: Unit, update: Update, envelope: Envelope, token: str) -> None:
    """Somebody follows an invitation: from here on they are a secretary."""
    desk = unit.desk
    language = spoken(envelope.sender.language, desk.language)
    if await principals.join(unit, update, envelope, token, language):
        return
    if await proving.opened(unit, update, envelope, token):
        return
    invitation = await desk.store.find_by(INVITATION_BY_TOKEN, token_hash(token))
    if invitation is None or unit.receipt.channel_id not in desk.desk_bots:
        refusal = Because(key="error.invitation_unknown")
        await unit.commit(Changes(inserts=[_told(unit, envelope, refusal, desk.language)]))
        return
    try:
        changes = accept_invitation(
            invitation,
            telegram_user_id=update.telegram_user_id,
            chat_id=update.chat_id,
            channel_id=unit.receipt.channel_id,
            name=envelope.sender.name,
            language=language,
            now=unit.now,
            existing=await desk.store.find_by(SECRETARY_BY_TELEGRAM, update.telegram_user_id),
            principal=await principals.find_principal(desk.store, update.telegram_user_id),
        )
    except InboxError as error:
        refusal = Because(key=error.key, args=error.args_shown)
        await unit.commit(Changes(inserts=[_told(unit, envelope, refusal, language)]))
        return
    come = Button(text=desk.texts.say(language, "button.come"), data=Duty(on=True).pack())
    welcome = Because(key="help.joined", args={"name": envelope.sender.name})
    await unit.commit(changes + Changes(inserts=[_told(unit, envelope, welcome, language, ((come,),))]))


async def note_blocked(unit: Unit, blocked: Blocked) -> None:
    """A client blocked the bot, or let it in again: whoever holds their conversation sees it."""
    desk, channel_id = unit.desk, unit.receipt.channel_id
    changes, addresses = await set_blocked(
        desk.store, channel_id, blocked.telegram_user_id, unit.now, blocked=blocked.blocked
    )
    secretary = await desk.store.find_by(SECRETARY_BY_TELEGRAM, blocked.telegram_user_id)
    if blocked.blocked and secretary is not None and secretary.channel_id == channel_id:
        # Her cards no longer reach her: whoever cannot see a request does not hold it.
        changes += await handed_back(desk.store, secretary, unit.now)
    for address in addresses:
        key = open_chat_key(channel_id, blocked.chat_id, address.account_id)
        conversation: Conversation | None = await desk.store.find_by(CONVERSATION_IN_CHAT, key)
        if conversation is None:
            continue
        kind = "blocked" if blocked.blocked else "unblocked"
        changes += Changes(inserts=[event(kind, conversation, unit.now)])
        if conversation.assignee_id is not None:
            holder = await desk.store.get(Secretary, conversation.assignee_id)
            changes += Changes(inserts=[card_for(holder, conversation, unit.now, fresh=blocked.blocked)])
    if changes:
        await unit.commit(changes)
    else:
        await unit.ignore("nothing changed")
