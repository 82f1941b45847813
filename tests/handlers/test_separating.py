"""An address taken out of a contact again: whose it is from then on, what goes with it, and what stays."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from handlers.callbacks import Ask, Duty, History, JoinContact, Menu, Person, Release, Speak, TakeOut
from handlers.forgetting import begin, forget
from handlers.separating import address_check
from inbox.forgetting import trace
from inbox.model import AddressKind, Contact, Role
from inbox.store.documents import (
    ADDRESS_BY_VALUE,
    ADDRESSES_OF_CONTACT,
    EVENTS_OF_CONVERSATION,
    KINDS,
    MESSAGES_OF_CONVERSATION,
)
from tests.builders import BERNARD, ROUX
from tests.handlers.stage import Clock, Seat, Seen, Stage, labels
from tests.handlers.test_proving import PAUL, letter, nora_in_telegram

NOT_HERS = "Introuvable, ou hors de vos comptes."
CHANGED = "La liste a changé : rouvrez-la."


async def one_person_by_mail_and_telegram(stage: Stage, lea: Seat) -> Seen:
    """Paul, of #1 by mail and #2 by Telegram; what she sees of him."""
    await stage.mail("Par mail")
    card = await lea.sees("Par mail", kind=Release)
    nora = stage.client(502, "Paulo")
    nora.user.start("roux")
    nora.writes("Par Telegram")
    await lea.sees("Par Telegram", kind=Release)
    await lea.forges(card, JoinContact(conversation=(await stage.conversation(1)).id, number=2))
    return await lea.sees("👤 Paul Martin", "2 demandes", kind=TakeOut)


async def test_an_address_becomes_a_contact_of_its_own_with_its_requests(stage: Stage) -> None:
    lea = await stage.join("Léa")
    both = await one_person_by_mail_and_telegram(stage, lea)
    paul = await stage.store.get(Contact, (await stage.conversation(1)).contact_id)
    await lea.presses(both, TakeOut, "Telegram")
    assert (await stage.conversation(2)).contact_id == paul.id, "she was only asked"
    sure = await lea.sees("Telegram 502 n’est pas à Paul Martin ?", kind=TakeOut)
    assert await lea.presses(sure, TakeOut) == "C’est un contact à part : Paulo."
    alone = await lea.sees("👤 Paul Martin", "✉️ paul.martin@example.net", "1 demande", kind=Speak)
    assert "Telegram" not in alone["text"]
    assert not [label for label in labels(alone) if "Détacher" in label], "a contact keeps its last address"
    one, two = await stage.conversation(1), await stage.conversation(2)
    assert one.contact_id == paul.id
    paulo = await stage.store.get(Contact, two.contact_id)
    assert (paulo.name, paulo.account_id) == ("Paulo", ROUX)
    for each, other, line in ((one, paulo, "address_taken_out"), (two, paul, "separated")):
        lines = [e.kind for e in await stage.store.list(EVENTS_OF_CONVERSATION, each.id)]
        assert [kind for kind in lines if kind in ("address_taken_out", "separated")] == [line]
        [said] = await stage.store.list(MESSAGES_OF_CONVERSATION, each.id)
        assert said.author_id == each.contact_id
        assert len(await stage.store.list(ADDRESSES_OF_CONTACT, other.id)) == 1
    # What was noted under the one who wrote there before they were joined is theirs again, and nobody else's.
    left = await stage.store.get(Contact, paul.id)
    assert (left.former_ids, left.former_names) == ((), ())
    assert len((await trace(stage.store, paulo)).ids) == 2
    # What they write from now on is each one's own.
    stage.client(502, "Paulo").writes("Encore moi")
    await lea.sees("Encore moi", "Par Telegram", "Paulo")
    assert (await stage.conversation(2)).contact_id == paulo.id


async def test_a_request_in_which_both_wrote_stays_and_shows_who_else_writes(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("De Paul")
    card = await lea.sees("De Paul", kind=Release)
    await stage.mail("De Lise", sender="Lise <lise@example.net>")
    await lea.sees("De Lise", kind=Release)
    await lea.forges(card, JoinContact(conversation=(await stage.conversation(1)).id, number=2))
    await lea.sees("2 demandes", kind=TakeOut)
    await stage.mail("Lise, pour Paul", sender="Lise <lise@example.net>", answers=first)
    await lea.sees("Lise, pour Paul", "De Paul", kind=Release)
    both = await lea.sees("2 demandes", kind=TakeOut)
    await lea.presses(both, TakeOut, "lise@example.net")
    await lea.presses(await lea.sees("lise@example.net n’est pas à", kind=TakeOut), TakeOut)
    await stage.quiet()
    one, two = await stage.conversation(1), await stage.conversation(2)
    assert one.contact_id != two.contact_id
    authors = [m.author_id for m in await stage.store.list(MESSAGES_OF_CONVERSATION, one.id)]
    assert authors == [one.contact_id, two.contact_id]


async def test_two_people_at_once_and_a_late_press_take_it_out_once(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR, on_duty=False)
    both = await one_person_by_mail_and_telegram(stage, lea)
    await lea.presses(both, TakeOut, "Telegram")
    sure = await lea.sees("n’est pas à Paul Martin ?", kind=TakeOut)
    press = next(b["callback_data"] for row in sure["reply_markup"]["inline_keyboard"] for b in row)
    toasts = await asyncio.gather(lea.forges(sure, press), sophie.forges(sure, press), lea.forges(sure, press))
    assert sorted(toasts) == sorted(["C’est un contact à part : Paulo.", CHANGED, CHANGED])
    assert await lea.presses(both, TakeOut, "Telegram") == CHANGED
    await stage.quiet()
    telegram = await stage.store.find_by(ADDRESS_BY_VALUE, ROUX, AddressKind.TELEGRAM, "502")
    assert telegram is not None
    assert telegram.contact_id == (await stage.conversation(2)).contact_id


async def test_nobody_takes_anything_out_beyond_the_accounts_they_serve(stage: Stage) -> None:
    lea, zoe = await stage.join("Léa"), await stage.join("Zoé", serves=[BERNARD], on_duty=False)
    both = await one_person_by_mail_and_telegram(stage, lea)
    press = next(
        b["callback_data"]
        for row in both["reply_markup"]["inline_keyboard"]
        for b in row
        if b["callback_data"].startswith("out:")
    )
    assert await zoe.forges(both, f"{press[:-1]}1") == NOT_HERS
    assert (await stage.conversation(1)).contact_id == (await stage.conversation(2)).contact_id


@pytest.mark.parametrize("position", [-1, 2, 99])
async def test_a_forged_place_takes_nothing_out(stage: Stage, position: int) -> None:
    lea = await stage.join("Léa")
    both = await one_person_by_mail_and_telegram(stage, lea)
    check = next(
        b["callback_data"].split(":")[3]
        for row in both["reply_markup"]["inline_keyboard"]
        for b in row
        if b["callback_data"].startswith("out:")
    )
    press = TakeOut(conversation=(await stage.conversation(1)).id, position=position, check=check, sure=True)
    assert await lea.forges(both, press) == CHANGED


async def test_an_only_address_offers_nothing_to_take_out(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Par mail")
    await lea.presses(await lea.sees("Par mail", kind=Menu), Menu, "⋯")
    await lea.presses(await lea.sees("Par mail", kind=Person), Person)
    portrait = await lea.sees("👤 Paul Martin", "1 demande", kind=Speak)
    assert not [label for label in labels(portrait) if "Détacher" in label]
    conversation = await stage.conversation()
    contact = await stage.store.get(Contact, conversation.contact_id)
    is_same = address_check(contact, await stage.store.list(ADDRESSES_OF_CONTACT, contact.id))
    press = TakeOut(conversation=conversation.id, position=0, check=is_same, sure=True)
    assert await lea.forges(portrait, press) == "C’est sa seule adresse : un contact en garde toujours une."


async def test_of_a_long_history_nothing_is_taken_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    lea = await stage.join("Léa")
    both = await one_person_by_mail_and_telegram(stage, lea)
    monkeypatch.setattr("inbox.separating.MOST_READ", 3)
    await lea.presses(both, TakeOut, "Telegram")
    assert "Trop long" in await lea.presses(await lea.sees("n’est pas à Paul Martin ?", kind=TakeOut), TakeOut)
    assert (await stage.conversation(1)).contact_id == (await stage.conversation(2)).contact_id


async def test_what_was_first_written_by_another_and_handed_on_goes_with_its_address(stage: Stage) -> None:
    """Nobody wrote from that address themselves: whose it is, its participants say."""
    lea = await stage.join("Léa")
    await stage.mail("Par mail")
    card = await lea.sees("Par mail", kind=Release)
    await stage.mail(
        "Pour vous.\n\n---------- Forwarded message ---------\nFrom: Lise <lise@example.net>\n"
        "Date: Mon, 2 Mar 2026 at 09:00\nSubject: Devis\nTo: <cabinet@roux.example>\n\nMon devis ?",
        subject="Fwd: Devis",
        sender="Dr Roux <helene@elsewhere.example>",
    )
    await lea.sees("Mon devis ?", kind=Release)
    await lea.forges(card, JoinContact(conversation=(await stage.conversation(1)).id, number=2))
    both = await lea.sees("👤 Paul Martin", "2 demandes", kind=TakeOut)
    await lea.presses(both, TakeOut, "lise@example.net")
    await lea.presses(await lea.sees("lise@example.net n’est pas à", kind=TakeOut), TakeOut)
    one, two = await stage.conversation(1), await stage.conversation(2)
    assert one.contact_id != two.contact_id
    assert (await stage.store.get(Contact, two.contact_id)).name == "Lise"


async def test_nothing_of_whoever_was_taken_out_stays_with_the_other_once_they_are_forgotten(
    stage: Stage, clock: Clock
) -> None:
    lea = await stage.join("Léa")
    await stage.mail("De Paul")
    card = await lea.sees("De Paul", kind=Release)
    nora = stage.client(717_171_717, "Nora")
    nora.user.start("roux")
    nora.writes("Une douleur zqzq")
    other = await lea.sees("Une douleur zqzq", kind=Release)
    await lea.forges(other, Duty(on=True))  # of no conversation, and the card stands in it
    await lea.forges(other, Ask(conversation=(await stage.conversation(2)).id, purpose="contact_name"))
    lea.writes("Zoé Zqzq", to=await lea.sees("Sous quel nom"))
    await lea.sees("👤 Zoé Zqzq")
    await lea.forges(card, JoinContact(conversation=(await stage.conversation(1)).id, number=2))
    both = await lea.sees("2 demandes", kind=TakeOut)
    await lea.presses(both, TakeOut, "Telegram")
    sure = await lea.sees("Telegram 717171717 n’est pas à Paul Martin ?", kind=TakeOut)
    assert await lea.presses(sure, TakeOut) == "C’est un contact à part : Zoé Zqzq.", "the name she was given by hand"
    await lea.forges(card, History(conversation=(await stage.conversation(1)).id))
    await lea.sees("une adresse détachée de ce contact par Léa : elle est à quelqu’un d’autre")
    await lea.forges(card, History(conversation=(await stage.conversation(2)).id))
    await lea.sees("Telegram détachée d’un autre contact par Léa : Zoé Zqzq est un contact à part")
    paul = await stage.store.get(Contact, (await stage.conversation(1)).contact_id)
    assert paul.former_names == ()
    await stage.quiet()
    zoe = await stage.store.get(Contact, (await stage.conversation(2)).contact_id)
    await begin(stage.store, zoe, clock())
    await forget(stage.store, zoe.id, clock)
    for kind in KINDS:
        assert not [d for d in await stage.store.scan(kind) if b"zqzq" in msgspec.json.encode(d).lower()], kind
    left = [await stage.store.read_blob(blob_id) for blob_id in await stage.store.list_blobs()]
    assert not [raw for raw in left if b"zqzq" in raw.lower()], "nor in what she pressed before they were two"
    assert (await stage.said(1)) == ["De Paul"]


async def test_what_was_proved_names_nobody_beside_the_other_once_they_are_two(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    await stage.mail("Par mail")
    await lea.sees("Par mail", kind=Release)
    nora.writes(letter(stage)[2])
    await lea.sees("Par preuve, une seule personne : Nora")
    card = await lea.sees("Par mail", kind=Release)
    for number in (1, 2):
        await lea.forges(card, History(conversation=(await stage.conversation(number)).id))
        await lea.sees(f"#{number}", f"contacts réunis par preuve : Nora, {PAUL}")
    await lea.forges(card, Person(conversation=(await stage.conversation(1)).id))
    await lea.presses(await lea.sees("👤", "2 demandes", kind=TakeOut), TakeOut, PAUL)
    await lea.presses(await lea.sees(f"{PAUL} n’est pas à Nora ?", kind=TakeOut), TakeOut)
    for number in (1, 2):
        await lea.forges(card, History(conversation=(await stage.conversation(number)).id))
        await lea.sees(f"#{number}", "contacts réunis par preuve : ▒▒▒, ▒▒▒")
