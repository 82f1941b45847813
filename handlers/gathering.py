"""Conversations made one or two, moved to another account; contacts who turn out to be one person."""

from __future__ import annotations

from aiogram import Router
from aiogram.types import CallbackQuery

from handlers.callbacks import JoinContact, Merge, MoveTo, Speak, Split, check
from handlers.desk import Desk, Unit
from handlers.queue import others_told
from handlers.views import Voice
from inbox import outbox
from inbox.alarms import raised
from inbox.assignment import balance, balance_all, get_served, is_supervisor, require_serves
from inbox.contacts import joined, speaking
from inbox.conversations import event, placement_event
from inbox.errors import InvalidTransition, NotAllowed, NotFound
from inbox.merging import merged, require_say, split
from inbox.model import Contact, Conversation, Draft, Message, Secretary
from inbox.moving import destinations, moved
from inbox.notices import ContactNotice
from inbox.parts import Because, Button
from inbox.store.base import Changes
from inbox.store.documents import CONVERSATION_BY_NUMBER


def build_router() -> Router:
    """What brings together and sets apart."""
    router = Router(name="gathering")
    router.callback_query.register(merge, Merge.filter())
    router.callback_query.register(set_apart, Split.filter())
    router.callback_query.register(move, MoveTo.filter())
    router.callback_query.register(join, JoinContact.filter())
    router.callback_query.register(speak, Speak.filter())
    return router


async def _numbered(desk: Desk, number: int, beside: Conversation, secretary: Secretary) -> Conversation:
    """The conversation people call so, in the same account: of others nothing is said, not even that they are there."""
    found = await desk.store.find_by(CONVERSATION_BY_NUMBER, number)
    if found is None or found.account_id != beside.account_id:
        raise NotFound
    require_serves(secretary, found.account_id)
    return found


def number_in(words: str) -> int:
    """The number somebody named.

    Raises:
        InvalidTransition: they named none.
    """
    said = words.strip().lstrip("#").strip()
    if not said.isdecimal() or len(said) > 12:
        raise InvalidTransition("error.number_unclear")
    return int(said)


# ---------------------------------------------------------------- conversations


async def merge(
    query: CallbackQuery, callback_data: Merge, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """The younger joins the older."""
    one = await get_served(desk.store, callback_data.conversation, secretary)
    other = await _numbered(desk, callback_data.number, one, secretary)
    stays, gone, changes = await merged(desk.store, one, other, secretary, unit.now)
    before = {c.id: c for c in (one, other)}
    changes += await balance_all(desk.store, [(before[c.id], c) for c in (stays, gone)], unit.now)
    for draft in [d for d in changes.replacements.values() if isinstance(d, Draft) and d.open_key]:
        author = await desk.store.get(Secretary, draft.author_id)
        changes += Changes(inserts=[outbox.preview_for(author, draft, unit.now, fresh=True)])
    if stays.assignee_id not in (None, secretary.id):
        holder = await desk.store.get(Secretary, stays.assignee_id or "")
        changes += Changes(inserts=[outbox.card_for(holder, stays, unit.now, fresh=True)])
    for each in (gone, stays):
        card = outbox.card_for(secretary, each, unit.now, fresh=each is stays)
        changes += Changes(inserts=[card]) + await others_told(desk.store, each, secretary, unit)
    await unit.commit(changes, account_id=stays.account_id, conversation_id=stays.id)
    unit.say(voice.say("toast.merged", number=str(gone.number), other=str(stays.number)))


async def ask_merge(words: str, beside: Conversation, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """The number she answered with: whose it is is shown before anything is done."""
    other = await _numbered(desk, number_in(words), beside, secretary)
    for each in (beside, other):
        require_say(each, secretary)
    contact = await desk.store.get(Contact, other.contact_id)
    args = {
        "number": str(beside.number),
        "other": str(other.number),
        "contact": contact.name,
        "subject": other.subject,
    }
    await _offered(
        Because(key="ask.merge_sure", args=args),
        "button.merge_with",
        Merge(conversation=beside.id, number=other.number).pack(),
        other,
        unit,
        desk,
        secretary,
    )


async def _offered(
    because: Because, label: str, data: str, other: Conversation, unit: Unit, desk: Desk, secretary: Secretary
) -> None:
    button = Button(text=desk.texts.say(secretary.language, label, number=str(other.number)), data=data)
    asked = outbox.sentence_for(secretary, because, unit.now, buttons=((button,),))
    await unit.commit(Changes(inserts=[asked]), account_id=other.account_id, conversation_id=other.id)


async def set_apart(
    query: CallbackQuery, callback_data: Split, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """One message becomes a conversation of its own, in the same hands."""
    message = await desk.store.get(Message, callback_data.message)
    before = await get_served(desk.store, message.conversation_id, secretary)
    if before.number != callback_data.number:
        raise InvalidTransition("error.list_changed")
    number = await desk.numbers.take()
    new, changes = await split(desk.store, before, message, number, secretary, unit.now)
    changes += await balance(desk.store, None, new, unit.now)
    changes += Changes(
        inserts=[
            placement_event(new, unit.now),
            outbox.card_for(secretary, before, unit.now, fresh=False),
            outbox.card_for(secretary, new, unit.now, fresh=True),
        ]
    )
    changes += await others_told(desk.store, before, secretary, unit)
    await unit.commit(changes, account_id=new.account_id, conversation_id=new.id)
    unit.say(voice.say("toast.split", number=str(new.number)))


async def move(
    query: CallbackQuery, callback_data: MoveTo, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """All of it goes to another account, and is dealt there."""
    before = await get_served(desk.store, callback_data.conversation, secretary)
    if not is_supervisor(secretary):
        raise NotAllowed
    places = destinations(desk.accounts, before, secretary)
    if callback_data.check != check([a.id for a in places]) or not 0 <= callback_data.position < len(places):
        raise InvalidTransition("error.list_changed")
    account = places[callback_data.position]
    gone_there, changes = await moved(desk.store, before, account, desk.own_account, secretary, unit.now)
    placement = await desk.triage.place(gone_there, unit.now)
    after = placement.conversation
    changes += Changes(
        replacements=[after],
        inserts=[
            placement_event(after, unit.now),
            *placement.notices,
            outbox.card_for(secretary, after, unit.now, fresh=False),
        ],
    )
    changes += await balance(desk.store, before, after, unit.now) + await raised(desk.store, after, unit.now)
    await unit.commit(changes, account_id=account.id, conversation_id=after.id)
    unit.say(voice.say("toast.placed", account=account.name))


# ---------------------------------------------------------------- contacts


async def ask_join(words: str, beside: Conversation, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """The number she answered with: both people are shown before they become one."""
    other = await _numbered(desk, number_in(words), beside, secretary)
    if other.contact_id == beside.contact_id:
        raise InvalidTransition("error.same_contact")
    people = await desk.store.find_many(Contact, [beside.contact_id, other.contact_id])
    args = {"contact": people[beside.contact_id].name, "other": people[other.contact_id].name}
    await _offered(
        Because(key="ask.join_sure", args=args),
        "button.join_with",
        JoinContact(conversation=beside.id, number=other.number).pack(),
        other,
        unit,
        desk,
        secretary,
    )


async def join(
    query: CallbackQuery, callback_data: JoinContact, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Two contacts become one."""
    beside = await get_served(desk.store, callback_data.conversation, secretary)
    other = await _numbered(desk, callback_data.number, beside, secretary)
    stays = await desk.store.get(Contact, beside.contact_id)
    gone = await desk.store.get(Contact, other.contact_id)
    changes = await joined(desk.store, stays, gone)
    said = event("contacts_joined", beside, unit.now, actor=secretary, detail={"contact": stays.name})
    shown = ContactNotice(secretary_id=secretary.id, conversation_id=beside.id)
    changes += Changes(
        inserts=[said, outbox.shown_to(secretary, shown, unit.now)],
    )
    await unit.commit(changes, account_id=beside.account_id, conversation_id=beside.id)
    unit.say(voice.say("toast.joined", contact=stays.name))


async def speak(
    query: CallbackQuery, callback_data: Speak, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """What the desk says to the contact by itself is said in this language."""
    conversation = await get_served(desk.store, callback_data.conversation, secretary)
    before = await desk.store.get(Contact, conversation.contact_id)
    after = speaking(before, callback_data.tongue)
    shown = ContactNotice(secretary_id=secretary.id, conversation_id=conversation.id)
    changes = Changes(inserts=[outbox.shown_to(secretary, shown, unit.now)])
    if after != before:
        said = event("annotated", conversation, unit.now, actor=secretary)
        changes += Changes(replacements=[after], inserts=[said])
    await unit.commit(changes, account_id=conversation.account_id, conversation_id=conversation.id)
    unit.say(voice.say("toast.speaks"))
