"""Joined by proof: a code and a link are mailed, and who comes back with them by another way is the same person."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog
from aiogram import Router
from aiogram.types import CallbackQuery

from channels.base import Reply
from channels.errors import ChannelError
from handlers.addressing import ADDRESS
from handlers.callbacks import Ask, Prove, check
from handlers.desk import Desk, Unit
from handlers.legible import one_line
from handlers.views import Voice
from inbox import outbox
from inbox.accounts import is_own_address
from inbox.assignment import get_served
from inbox.contacts import address_name, never_chosen, spoken
from inbox.envelope import Envelope, Update
from inbox.errors import Conflict, InboxError, InvalidTransition
from inbox.invitations import deep_link_payload, token_hash
from inbox.matching import sign_message_id
from inbox.model import (
    Account,
    Address,
    AddressKind,
    Contact,
    Conversation,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Proof,
    Secretary,
)
from inbox.notices import Letter, Purpose, QuestionNotice, TextNotice
from inbox.particulars import Verdict, fresh_part
from inbox.parts import AccountId, Because, Button, ChannelId, MessageId, new_id
from inbox.proofs import (
    LANE,
    MOST_TRIES,
    asker_told,
    begun,
    belongs,
    code_in,
    code_in_mail,
    code_of,
    comes_back,
    find_open,
    guessed,
    in_place_of,
    is_right,
    proof_token,
    proved,
    require_good,
    used,
)
from inbox.separating import MOST_ADDRESSES, reachable
from inbox.store.base import Changes
from inbox.store.documents import (
    ADDRESS_BY_VALUE,
    ADDRESSES_OF_CONTACT,
    PROOF_BY_TOKEN,
    SECRETARY_BY_TELEGRAM,
)

log = structlog.get_logger(__name__)

MOST_OFFERED = 8
"""Addresses of a contact that have a button."""


def build_router() -> Router:
    """The button below a contact."""
    router = Router(name="proving")
    router.callback_query.register(ask, Prove.filter())
    return router


# ---------------------------------------------------------------- asking


async def ask(
    query: CallbackQuery, callback_data: Prove, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Which address the letter goes to; then the letter."""
    beside = await get_served(desk.store, callback_data.conversation, secretary)
    contact = await desk.store.get(Contact, beside.contact_id)
    addresses = reachable(await desk.store.list(ADDRESSES_OF_CONTACT, contact.id, limit=MOST_ADDRESSES))
    if not comes_back(addresses):
        raise InvalidTransition("error.proof_by_phone", contact=contact.name)
    mails = [a for a in addresses if a.kind is AddressKind.MAIL][:MOST_OFFERED]
    if callback_data.position != -1:
        if callback_data.check != check([contact.id, *(a.id for a in mails)]) or not (
            0 <= callback_data.position < len(mails)
        ):
            raise InvalidTransition("error.list_changed")
        await _send(beside, contact, mails[callback_data.position].value, unit, desk, secretary)
        unit.say(voice.say("toast.proof_sent"))
        return
    args = {"contact": contact.name}
    notice: Delivery
    if not mails:
        question = QuestionNotice(
            secretary_id=secretary.id,
            conversation_id=beside.id,
            purpose=Purpose.PROOF,
            because=Because(key="ask.proof", args=args),
        )
        notice = outbox.shown_to(secretary, question, unit.now, about=beside)
    else:
        is_same = check([contact.id, *(a.id for a in mails)])
        rows = [
            Button(
                text=f"✉️ {one_line(mail.value, 50)}",
                data=Prove(conversation=beside.id, position=position, check=is_same).pack(),
            )
            for position, mail in enumerate(mails)
        ]
        other = Button(
            text=voice.say("button.another_address"), data=Ask(conversation=beside.id, purpose=Purpose.PROOF).pack()
        )
        because = Because(key="ask.proof_where", args=args)
        buttons = tuple((row,) for row in (*rows, other))
        notice = outbox.sentence_for(secretary, because, unit.now, buttons=buttons, about=beside)
    await unit.commit(Changes(inserts=[notice]), account_id=beside.account_id, conversation_id=beside.id)


async def ask_proof(words: str, beside: Conversation, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """The address she answered with."""
    mail = words.strip().strip("<>").lower()
    if not ADDRESS.fullmatch(mail):
        raise InvalidTransition("error.no_address", address=words.strip())
    contact = await desk.store.get(Contact, beside.contact_id)
    await _send(beside, contact, mail, unit, desk, secretary)


async def _send(
    beside: Conversation, contact: Contact, mail: str, unit: Unit, desk: Desk, secretary: Secretary
) -> None:
    """The letter, in the commit that makes the proof."""
    account = desk.accounts.get(beside.account_id)
    mailbox = account.mailbox if account is not None and account.identity.from_address else None
    if account is None or mailbox is None or mailbox not in desk.channels:
        raise InvalidTransition("error.proof_no_mailbox")
    if any(is_own_address(each, mail) for each in desk.accounts.values()):
        raise InvalidTransition("error.proof_ours", address=mail)
    if not comes_back(await desk.store.list(ADDRESSES_OF_CONTACT, contact.id, limit=MOST_ADDRESSES)):
        raise InvalidTransition("error.proof_by_phone", contact=contact.name)
    gone = await in_place_of(desk.store, contact, mail, unit.now)
    proof = begun(contact, mail, secretary.id, desk.key, unit.now)
    letter = await _letter(beside, contact, proof, account, mailbox, unit, desk)
    said = Because(key="proof.sent", args={"address": mail, "contact": contact.name})
    told = outbox.sentence_for(secretary, said, unit.now, about=beside)
    changes = gone + letter + Changes(inserts=[proof, told])
    await unit.commit(changes, account_id=beside.account_id, conversation_id=beside.id)


async def _letter(
    beside: Conversation,
    contact: Contact,
    proof: Proof,
    account: Account,
    mailbox: ChannelId,
    unit: Unit,
    desk: Desk,
) -> Changes:
    """What is mailed: nothing in it says what the contact writes about, for it may reach a stranger."""
    addresses = await desk.store.list(ADDRESSES_OF_CONTACT, contact.id, limit=MOST_ADDRESSES)
    is_theirs = any(a.kind is AddressKind.MAIL and a.value == proof.mail for a in addresses)
    bots = [a.channel_id for a in addresses if a.kind is AddressKind.TELEGRAM]
    language = spoken(contact.language, account.language)
    link = await _link(proof, account, bots, desk) if is_theirs or bots else ""
    if is_theirs and not link:
        raise InvalidTransition("error.proof_no_bot")
    key = "proof.letter_link" if is_theirs else "proof.letter_both" if link else "proof.letter_code"
    text = desk.texts.say(language, key, account=account.name, link=link, code=code_of(proof.id, desk.key))
    domain = (account.identity.from_address or "").rpartition("@")[2]
    reply = Reply(
        account=account,
        conversation=Conversation(
            id=beside.id,
            number=beside.number,
            account_id=account.id,
            contact_id=contact.id,
            channel_id=beside.channel_id,
            subject=desk.texts.say(language, "proof.subject"),
            opened_at=unit.now,
            last_message_at=unit.now,
        ),
        message_id=MessageId(f"proof-{proof.id}"),
        external_id=sign_message_id(desk.key, MessageId(proof.id), domain),
        text=text,
        answers=None,
        recipients=(proof.mail,),
        attachments=(),
        now=unit.now,
        automatic=True,
    )
    changes = Changes()
    for parcel in await asyncio.to_thread(desk.channels[mailbox].compose, reply):
        if isinstance(parcel.payload, Letter):
            changes += Changes(inserts=[_delivery(proof, mailbox, parcel.payload)], blobs=list(parcel.blobs))
    return changes


def _delivery(proof: Proof, mailbox: ChannelId, letter: Letter) -> Delivery:
    """Of no conversation: whoever is at that address may have no part in any."""
    return Delivery(
        id=proof.delivery_id,
        account_id=proof.account_id,
        kind=DeliveryKind.ACKNOWLEDGEMENT,
        channel_id=mailbox,
        lane=f"{LANE}{proof.id}",
        state=DeliveryState.DUE,
        due_at=proof.created_at,
        payload=letter,
        created_at=proof.created_at,
    )


async def _link(proof: Proof, account: Account, bots: Sequence[ChannelId], desk: Desk) -> str:
    """Where whoever has the letter proves who they are in Telegram; "" where no bot of ours can be named.

    Args:
        bots: those they write to; the first that is still the account's has the link.
    """
    own = [channel for channel, of in desk.own_account.items() if of == account.id]
    shared = [channel for channel in desk.chats if channel not in desk.own_account]
    fit = [channel for channel in (*own, *shared) if channel in desk.chats]
    for channel in sorted(fit, key=lambda channel: channel not in bots):
        try:
            return await desk.chats[channel].link(deep_link_payload(proof_token(proof.id, desk.key)))
        except ChannelError as error:
            log.info("bot_not_named", channel=channel, reason=error.reason)
    return ""


# ---------------------------------------------------------------- coming back


async def opened(unit: Unit, update: Update, envelope: Envelope, token: str) -> bool:
    """Somebody opens a link in Telegram; whether it was one of these."""
    desk, store = unit.desk, unit.desk.store
    proof = await store.find_by(PROOF_BY_TOKEN, token_hash(token))
    account = desk.accounts.get(proof.account_id) if proof is not None else None
    if proof is None or account is None or desk.own_account.get(unit.receipt.channel_id, account.id) != account.id:
        return False
    language = spoken(envelope.sender.language, account.language)
    try:
        require_good(proof, unit.now)
        contact = await store.find(Contact, proof.contact_id)
        secretary = await store.find_by(SECRETARY_BY_TELEGRAM, update.telegram_user_id)
        if contact is None:
            raise InvalidTransition("error.proof_over")
        if secretary is not None and secretary.active:
            raise InvalidTransition("error.proof_at_desk")
        other = await _other(proof, contact, envelope, account, unit)
    except Conflict:
        raise
    except InboxError as error:
        refusal = Because(key=error.key, args=error.args_shown)
        await unit.commit(_told(unit, envelope, refusal, language))
        return True
    thanks = Because(key="client.proved", args={"account": account.name})
    changes = await _done(proof, contact, other, unit, Changes()) + _told(unit, envelope, thanks, language)
    await unit.commit(changes, account_id=account.id)
    return True


async def _other(proof: Proof, contact: Contact, envelope: Envelope, account: Account, unit: Unit) -> Address:
    """Which address turned out to be the contact's: of the two that were proved, the one that is not theirs yet.

    Raises:
        InvalidTransition: neither is: that says nothing of them.
    """
    store, sender = unit.desk.store, envelope.sender
    if await belongs(store, contact, AddressKind.MAIL, proof.mail):
        return Address(
            id=new_id(),
            account_id=account.id,
            contact_id=contact.id,
            kind=AddressKind.TELEGRAM,
            value=sender.value,
            channel_id=unit.receipt.channel_id,
            chat_id=sender.chat_id,
            last_used_at=await never_chosen(store, unit.receipt.channel_id, int(sender.value), unit.now),
        )
    if await belongs(store, contact, AddressKind.TELEGRAM, sender.value):
        return _mail_address(proof, contact, account, unit)
    raise InvalidTransition("error.proof_other")


def _mail_address(proof: Proof, contact: Contact, account: Account, unit: Unit) -> Address:
    return Address(
        id=new_id(),
        account_id=account.id,
        contact_id=contact.id,
        kind=AddressKind.MAIL,
        value=proof.mail,
        channel_id=account.mailbox or unit.receipt.channel_id,
        last_used_at=unit.now,
    )


class Guess(NamedTuple):
    """A code somebody came back with."""

    proof: Proof
    contact: Contact
    account: Account
    is_right: bool


async def guess(unit: Unit, envelope: Envelope, account_id: AccountId) -> Guess | None:
    """Whether what arrives is a code, from somebody who was sent one.

    A mail counts only where it is certain who wrote it: anybody can write a From.
    """
    desk, sender, said = unit.desk, envelope.sender, envelope.particulars
    if envelope.edit:
        return None
    if sender.kind is AddressKind.TELEGRAM:
        code = code_in(envelope.text)
    else:
        is_certain = said.trust is not None and said.trust.verdict is Verdict.VERIFIED
        is_a_persons = said.automatic is None and not said.forwards
        words = fresh_part(envelope.text, said.fresh) if said.fresh else envelope.text
        code = code_in_mail(words) if is_certain and is_a_persons else None
    address = await desk.store.find_by(ADDRESS_BY_VALUE, account_id, sender.kind, sender.value) if code else None
    account = desk.accounts.get(account_id)
    if code is None or address is None or account is None:
        return None
    contact = await desk.store.get(Contact, address.contact_id)
    proof = await find_open(desk.store, contact, unit.now)
    # To an address that is theirs already only a link was sent; what comes back from there proves nothing new.
    if proof is None or await belongs(desk.store, contact, AddressKind.MAIL, proof.mail):
        return None
    return Guess(proof, contact, account, is_right(proof, code, desk.key))


async def taken(guess: Guess, unit: Unit, envelope: Envelope, pending: Changes) -> Changes:
    """What a code changes: who is joined, or one try less.

    Args:
        pending: what the mail or message it came in changes itself; it is part of what is returned.
    """
    proof, contact, account, right = guess
    in_chat = envelope.sender.kind is AddressKind.TELEGRAM
    language = spoken(envelope.sender.language or contact.language, account.language)
    if right:
        other = _mail_address(proof, contact, account, unit)
        changes = await _done(proof, contact, other, unit, pending)
        said = Because(key="client.proved", args={"account": account.name})
        return changes + (_told(unit, envelope, said, language) if in_chat else Changes())
    after = guessed(proof)
    changes = pending + Changes(replacements=[after])
    left = MOST_TRIES - after.tries
    said = Because(key="client.code_wrong", args={"count": str(left)}) if left else Because(key="client.code_spent")
    if not left:
        spent = Because(key="proof.spent", args={"contact": contact.name, "address": proof.mail})
        changes += await asker_told(unit.desk.store, proof, spent, unit.now)
    return changes + (_told(unit, envelope, said, language) if in_chat else Changes())


async def _done(proof: Proof, contact: Contact, other: Address, unit: Unit, pending: Changes) -> Changes:
    """They are one person, and whoever asked is told; also where they have too much history to be joined at once."""
    args = {"contact": contact.name, "address": address_name(other)}
    store, now, done = unit.desk.store, unit.now, Because(key="proof.done", args=args)
    try:
        changes = await proved(store, proof, contact, other, now, pending)
    except InvalidTransition:
        changes, done = pending + Changes(replacements=[used(proof, now)]), Because(key="proof.too_long", args=args)
    return changes + await asker_told(store, proof, done, now)


def _told(unit: Unit, envelope: Envelope, because: Because, language: str) -> Changes:
    chat_id = envelope.sender.chat_id or 0
    payload = TextNotice(chat_id=chat_id, language=language, because=because)
    told = outbox.notice(payload, unit.receipt.channel_id, chat_id, unit.now, kind=DeliveryKind.ACKNOWLEDGEMENT)
    return Changes(inserts=[told])
