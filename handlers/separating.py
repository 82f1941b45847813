"""An address taken out of a contact: asked before it is done, as joining is."""

from __future__ import annotations

from aiogram import Router
from aiogram.types import CallbackQuery

from handlers.callbacks import TakeOut, check
from handlers.desk import Desk, Unit
from handlers.legible import one_line
from handlers.queue import others_told
from handlers.views import Voice
from inbox import outbox
from inbox.assignment import get_served
from inbox.errors import InvalidTransition
from inbox.model import Address, AddressKind, Contact, Conversation, Secretary
from inbox.notices import ContactNotice
from inbox.parts import Because, Button
from inbox.separating import MOST_ADDRESSES, reachable, separated
from inbox.store.base import Changes
from inbox.store.documents import ADDRESSES_OF_CONTACT


def build_router() -> Router:
    """The button below a contact."""
    router = Router(name="separating")
    router.callback_query.register(take_out, TakeOut.filter())
    return router


def address_check(contact: Contact, addresses: list[Address]) -> str:
    """Tells whether a contact has still the addresses of which a button names a place."""
    return check([contact.id, *(a.id for a in addresses)])


def address_name(address: Address) -> str:
    """An address in a few words, told from the contact's others."""
    return f"Telegram {address.value}" if address.kind is AddressKind.TELEGRAM else one_line(address.value, 60)


async def take_out(
    query: CallbackQuery, callback_data: TakeOut, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """First the question, then a contact of its own."""
    beside = await get_served(desk.store, callback_data.conversation, secretary)
    contact = await desk.store.get(Contact, beside.contact_id)
    addresses = reachable(await desk.store.list(ADDRESSES_OF_CONTACT, contact.id, limit=MOST_ADDRESSES))
    if callback_data.check != address_check(contact, addresses) or not 0 <= callback_data.position < len(addresses):
        raise InvalidTransition("error.list_changed")
    address = addresses[callback_data.position]
    if not callback_data.sure:
        await _asked(callback_data, beside, contact, address, unit, desk, secretary)
        return
    new, conversations, changes = await separated(desk.store, contact, address.id, secretary, unit.now)
    for each in conversations:
        changes += await others_told(desk.store, each, secretary, unit)
    shown = ContactNotice(secretary_id=secretary.id, conversation_id=beside.id)
    changes += Changes(
        inserts=[
            outbox.card_for(secretary, beside, unit.now, fresh=False),
            outbox.shown_to(secretary, shown, unit.now, about=beside),
        ]
    )
    await unit.commit(changes, account_id=beside.account_id, conversation_id=beside.id)
    unit.say(voice.say("toast.taken_out", contact=new.name))


async def _asked(
    pressed: TakeOut,
    beside: Conversation,
    contact: Contact,
    address: Address,
    unit: Unit,
    desk: Desk,
    secretary: Secretary,
) -> None:
    because = Because(key="ask.take_out_sure", args={"contact": contact.name, "address": address_name(address)})
    label = desk.texts.say(secretary.language, "button.take_out_sure")
    button = Button(text=label, data=pressed.model_copy(update={"sure": True}).pack())
    asked = outbox.sentence_for(secretary, because, unit.now, buttons=((button,),), about=beside)
    await unit.commit(Changes(inserts=[asked]), account_id=beside.account_id, conversation_id=beside.id)
