"""Who a contact is: their addresses, what is noted of them, and what there was with them. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiogram.utils.formatting import Bold, Italic, Text

from handlers import callbacks
from handlers.legible import legible, one_line, person, shortened
from handlers.separating import address_check, address_name
from handlers.views import Screen, Voice, screen_of
from inbox.contacts import LANGUAGES
from inbox.model import Account, Address, AddressKind, Contact, Conversation, Status
from inbox.notices import Purpose
from inbox.proofs import comes_back
from inbox.separating import reachable

MOST_TAKEN_OUT = 8
"""Addresses with a button of their own."""


@dataclass(frozen=True, slots=True)
class PortraitFacts:
    """All it shows."""

    conversation: Conversation
    """The one it is looked at from."""
    account: Account
    contact: Contact
    addresses: Sequence[Address]
    newest: Sequence[Conversation]
    """Their newest conversations, newest first."""
    count: int
    """How many there were in all."""
    may_bar: bool
    """Whether the viewer may block them."""


def portrait(facts: PortraitFacts, voice: Voice) -> Screen:
    """A contact of one account, as its secretaries see them."""
    contact, say, target = facts.contact, voice.say, facts.conversation.id
    content: list[Text | str] = [
        Bold(f"👤 {person(contact.name, 100) or '?'}"),
        f" · {one_line(facts.account.name, 60)}",
    ]
    if contact.barred_at is not None:
        content += ["\n", Bold(f"🚫 {say('portrait.barred', when=voice.when(contact.barred_at))}")]
    if contact.note:
        content += ["\n", Italic(f"💡 {shortened(legible(contact.note), 600)}")]
    for address in facts.addresses:
        if (line := _address(address, voice)) is not None:
            content += ["\n", line]
    tongue = (contact.language or facts.account.language).partition("-")[0]
    content += ["\n", say("portrait.language", tongue=voice.texts.tongue(voice.language, tongue))]
    content += ["\n", say("portrait.since", when=voice.when(contact.created_at)), "\n\n"]
    content.append(Bold(say("portrait.matters", count=str(facts.count))))
    for each in facts.newest:
        state = "✔️" if each.status is Status.CLOSED else "😴" if each.status is Status.SNOOZED else "🟢"
        content.append(f"\n{state} #{each.number} · {person(each.subject, 60)} · {voice.when(each.last_message_at)}")
    shows = [callbacks.button(f"#{each.number}", callbacks.Show(conversation=each.id)) for each in facts.newest]
    rows = [shows[at : at + 4] for at in range(0, len(shows), 4)]
    rows.append(
        [
            callbacks.button(
                say("button.contact_note"), callbacks.Ask(conversation=target, purpose=Purpose.CONTACT_NOTE)
            ),
            callbacks.button(
                say("button.contact_name"), callbacks.Ask(conversation=target, purpose=Purpose.CONTACT_NAME)
            ),
        ]
    )
    others = [each for each in LANGUAGES if each != tongue]
    rows.append(
        [
            callbacks.button(
                say("button.speak", tongue=voice.texts.tongue(voice.language, each)),
                callbacks.Speak(conversation=target, tongue=LANGUAGES.index(each)),
            )
            for each in others
        ]
    )
    rows[-1].append(callbacks.button(say("button.join"), callbacks.Ask(conversation=target, purpose=Purpose.JOIN)))
    if comes_back(facts.addresses):
        proves = callbacks.Prove(conversation=target, position=-1, check="")
        rows.append([callbacks.button(say("button.prove"), proves)])
    addresses = reachable(facts.addresses)
    if len(addresses) > 1:
        is_same = address_check(contact, addresses)
        out = [
            callbacks.button(
                say("button.take_out", address=address_name(address)),
                callbacks.TakeOut(conversation=target, position=position, check=is_same, sure=False),
            )
            for position, address in enumerate(addresses[:MOST_TAKEN_OUT])
        ]
        rows += [out[at : at + 2] for at in range(0, len(out), 2)]
    if facts.may_bar:
        bars = contact.barred_at is None
        says = say("button.bar" if bars else "button.unbar")
        rows.append([callbacks.button(says, callbacks.Bar(conversation=target, on=bars))])
    return screen_of(Text(*content), rows)


def _address(address: Address, voice: Voice) -> str | None:
    if address.kind is AddressKind.MAIL:
        return None if address.value.startswith("unknown:") else f"✉️ {one_line(address.value, 100)}"
    if address.kind is AddressKind.PHONE:
        return None if address.value.startswith("unknown:") else f"☎️ {one_line(address.value, 30)}"
    blocked = f" · {voice.say('portrait.blocks_us')}" if address.blocked_at is not None else ""
    return f"✈️ Telegram{blocked}"
