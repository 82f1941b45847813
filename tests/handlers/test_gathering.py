"""Conversations made one or two, moved to another account; people who are one: what is pressed, seen and found."""

from __future__ import annotations

import asyncio

import msgspec

from handlers.callbacks import (
    Ask,
    Close,
    Give,
    History,
    JoinContact,
    Later,
    Menu,
    Merge,
    MoveTo,
    Person,
    Release,
    Send,
    Show,
    Speak,
    Split,
    Take,
)
from inbox.erasure import erase
from inbox.model import AddressKind, Contact, Role, Status
from inbox.parts import ConversationId, new_id
from inbox.store.base import Changes
from inbox.store.documents import ADDRESSES_OF_CONTACT, CONVERSATION_BY_NUMBER, MESSAGES_OF_CONVERSATION
from tests.builders import BERNARD, KEY, ROUX
from tests.handlers.stage import CABINET_TOKEN, Seat, Seen, Stage, labels

NOT_HERS = "Introuvable, ou hors de vos comptes."


async def opened(seat: Seat, words: str, label: str) -> Seen:
    """The card with these words, one of its further menus open."""
    await seat.presses(await seat.sees(words, kind=Menu), Menu, "⋯")
    await seat.presses(await seat.sees(words, kind=History), Menu, label)
    return await seat.sees(words, kind=Menu)


# ---------------------------------------------------------------- merging


async def test_two_requests_of_one_client_are_made_one_and_answers_to_either_find_it(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Mon premier mot")
    await lea.sees("Mon premier mot", kind=Release)
    second = await stage.mail("Mon second mot", subject="Autre chose")
    await lea.sees("Mon second mot", kind=Release)
    assert await lea.holds() == 2
    card = await opened(lea, "Mon second mot", "Réunir")
    assert await lea.presses(card, Merge, "#1") == "#2 est réunie dans #1."
    await lea.sees("#1", "Mon premier mot", "Mon second mot", "réunie avec #2 par Léa", kind=Release)
    await lea.sees("#2", "Suite dans #1")
    assert await lea.holds() == 1
    assert await stage.said() == ["Mon premier mot", "Mon second mot"]
    await stage.mail("Alors ?", answers=second)
    await lea.sees("#1", "Mon premier mot", "Alors ?", kind=Release)
    assert await stage.desk.store.find_by(CONVERSATION_BY_NUMBER, 3) is None
    lea.writes("Oui à tout.", to=await lea.sees("Alors ?", kind=Release))
    await lea.presses(await lea.sees("Aperçu", "Oui à tout.", kind=Send), Send)
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_erasing_what_is_left_of_a_merged_request_takes_nothing_from_the_other(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Mon premier mot")
    await lea.sees("Mon premier mot", kind=Release)
    await stage.mail("Mon second mot", subject="Autre chose")
    lea.writes("Bien reçu.", to=await lea.sees("Mon second mot", kind=Release))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    await lea.presses(await opened(lea, "Mon second mot", "Réunir"), Merge, "#1")
    await stage.quiet()
    store = stage.desk.store
    erasure = await erase(store, KEY, await stage.conversation(2), stage.desk.clock(), undecided=False)
    await store.commit(erasure.changes)
    for message in await store.list(MESSAGES_OF_CONVERSATION, (await stage.conversation(1)).id):
        assert message.blob_id is not None
        assert await store.read_blob(message.blob_id)
    assert await stage.said() == ["Mon premier mot", "Mon second mot", "Bien reçu."]


async def test_a_reply_to_the_old_card_goes_where_its_words_went(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Mon premier mot")
    await lea.sees("Mon premier mot", kind=Release)
    await stage.mail("Mon second mot", subject="Autre chose")
    old = await opened(lea, "Mon second mot", "Réunir")
    await lea.presses(old, Merge, "#1")
    lea.writes("Bien reçu.", to=old)
    preview = await lea.sees("Aperçu de votre réponse · #1", "Bien reçu.", kind=Send)
    # She wrote it before she saw both: what she may have missed stands above her words.
    assert "Mon premier mot" in str(preview["text"]) or "Mon second mot" in str(preview["text"])


async def test_a_draft_goes_along_and_does_not_leave_unread(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Mon premier mot")
    await lea.sees("Mon premier mot", kind=Release)
    await stage.mail("Mon second mot", subject="Autre chose")
    lea.writes("Brouillon", to=await lea.sees("Mon second mot", kind=Release))
    await lea.sees("Aperçu", "Brouillon", kind=Send)
    await lea.presses(await opened(lea, "Mon second mot", "Réunir"), Merge, "#1")
    preview = await lea.sees("Aperçu de votre réponse · #1", "Brouillon", kind=Send)
    assert "J’ai lu, envoyer quand même" in " ".join(labels(preview))


async def test_two_people_merging_at_once_make_one(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR, on_duty=False)
    await stage.mail("Mon premier mot")
    await lea.sees("Mon premier mot", kind=Release)
    await stage.mail("Mon second mot", subject="Autre chose")
    card = await lea.sees("Mon second mot", kind=Release)
    press = Merge(conversation=(await stage.conversation(2)).id, number=1)
    toasts = await asyncio.gather(lea.forges(card, press), sophie.forges(card, press), lea.forges(card, press))
    assert sorted(toasts) == [*["#2 est déjà réunie à une autre."] * 2, "#2 est réunie dans #1."]
    assert await stage.said() == ["Mon premier mot", "Mon second mot"]


async def test_another_clients_is_merged_by_its_number_once_she_knows_whose_it_is(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Mon premier mot")
    await lea.sees("Mon premier mot", kind=Release)
    await stage.mail("De ma femme", sender="Zoé <zoe@example.net>", subject="Le même sujet")
    card = await opened(lea, "De ma femme", "Réunir")
    assert not any("#1" in label for label in labels(card))
    await lea.presses(card, Ask, "Autre numéro")
    question = await lea.sees("avec quelle demande la réunir ?")
    lea.writes("la première", to=question)
    await lea.sees("Je n’ai pas compris ce numéro")
    lea.writes("#1", to=question)
    sure = await lea.sees("Réunir #2 avec #1 (Paul Martin · Rendez-vous) ?", kind=Merge)
    await lea.presses(sure, Merge)
    await lea.sees("#1", "Mon premier mot", "De ma femme", kind=Release)


async def test_what_may_not_be_one_stays_two(stage: Stage) -> None:
    lea, ines = await stage.join("Léa", serves=[ROUX]), await stage.join("Inès", serves=[BERNARD])
    await stage.mail("Mon premier mot")
    card = await lea.sees("Mon premier mot", kind=Release)
    nora = stage.client()
    nora.user.start("bernard")
    nora.writes("Fuite d’eau")
    await ines.sees("Fuite d’eau")
    me = (await stage.conversation(1)).id
    assert await lea.forges(card, Merge(conversation=me, number=2)) == NOT_HERS
    assert await lea.forges(card, Merge(conversation=me, number=99)) == NOT_HERS
    assert await lea.forges(card, Merge(conversation=me, number=1)) == "C’est la même demande."
    assert await ines.forges(card, Merge(conversation=me, number=2)) == NOT_HERS
    nora.user.start("roux")
    nora.writes("Bonjour docteur")
    await lea.sees("Bonjour docteur", kind=Release)
    assert (await lea.forges(card, Merge(conversation=me, number=3))).startswith("Elles viennent par deux canaux")


async def test_what_a_colleague_holds_is_not_merged_from_under_her(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Mon premier mot")
    await lea.sees("Mon premier mot", kind=Release)
    await stage.mail("Mon second mot", subject="Autre chose")
    card = await lea.sees("Mon second mot", kind=Release)
    ines = await stage.join("Inès")
    await lea.presses(await opened(lea, "Mon premier mot", "Passer à"), Give, "Inès")
    press = Merge(conversation=(await stage.conversation(2)).id, number=1)
    assert await lea.forges(card, press) == "Une collègue tient #1. Demandez-la-lui, ou à une superviseuse."
    assert await ines.forges(card, press) == "Une collègue tient #2. Demandez-la-lui, ou à une superviseuse."


# ---------------------------------------------------------------- splitting


async def test_one_message_becomes_a_request_of_its_own(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("Un rendez-vous ?")
    second = await stage.mail("Et ma facture ?", answers=first, subject="Re: Rendez-vous")
    card = await opened(lea, "Et ma facture ?", "Séparer")
    assert await lea.presses(card, Split, "facture") == "C’est maintenant la demande #2."
    await lea.sees("#2", "Et ma facture ?", "séparée de #1", kind=Release)
    assert await stage.said(1) == ["Un rendez-vous ?"]
    assert await stage.said(2) == ["Et ma facture ?"]
    assert await lea.holds() == 2
    await stage.mail("Pour la facture : merci", answers=second)
    await lea.sees("#2", "Pour la facture : merci", kind=Release)
    assert await lea.presses(card, Split, "facture") == "La liste a changé : rouvrez-la."
    assert await stage.desk.store.find_by(CONVERSATION_BY_NUMBER, 3) is None


async def test_what_is_split_from_an_absent_colleagues_goes_to_whoever_is_there(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("Un rendez-vous ?")
    await stage.mail("Et ma facture ?", answers=first, subject="Re: Rendez-vous")
    await lea.sees("Et ma facture ?", kind=Release)
    lea.writes("Oui.", to=await lea.sees("Et ma facture ?", kind=Release))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    await lea.leaves_by_force()
    sophie = await stage.join("Sophie", role=Role.SUPERVISOR)
    card = await sophie.sees("Bonjour Sophie")
    message = (await stage.store.list(MESSAGES_OF_CONVERSATION, (await stage.conversation()).id))[1]
    assert await sophie.forges(card, Split(message=message.id, number=1)) == "C’est maintenant la demande #2."
    await stage.deal()
    assert await stage.holder(2) == "Sophie"
    assert await stage.holder(1) == "Léa"


async def test_the_only_message_is_not_split(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Un rendez-vous ?")
    card = await opened(lea, "Un rendez-vous ?", "Réunir")
    (message,) = await stage.desk.store.list(MESSAGES_OF_CONVERSATION, (await stage.conversation()).id)
    assert await lea.forges(card, Split(message=message.id, number=1)) == "Il n’y a qu’un message : rien à séparer."


# ---------------------------------------------------------------- moving


async def test_a_request_moves_with_all_it_holds_and_the_wall_closes_behind_it(stage: Stage) -> None:
    lea = await stage.join("Léa", serves=[ROUX])
    sophie = await stage.join("Sophie", role=Role.SUPERVISOR, on_duty=False)
    nora = stage.client()
    nora.user.start("roux")
    nora.writes("Ma chaudière fuit")
    card = await lea.sees("Ma chaudière fuit", kind=Release)
    lea.writes("Nous regardons.", to=card)
    await lea.sees("Aperçu", "Nous regardons.", kind=Send)
    await sophie.forges(card, Show(conversation=(await stage.conversation()).id))
    there = await opened(sophie, "Ma chaudière fuit", "Changer de compte")
    await sophie.presses(there, MoveTo, "Bernard")
    await lea.sees("#1 est passée à un autre compte (Sophie)")
    conversation = await stage.conversation()
    contact = await stage.desk.store.get(Contact, conversation.contact_id)
    assert (conversation.account_id, contact.account_id) == (BERNARD, BERNARD)
    assert await lea.holds() == 0
    assert await lea.forges(card, Take(conversation=conversation.id)) == NOT_HERS
    nora.writes("Et ce n’est pas fini")
    await stage.quiet()
    assert await stage.said() == ["Ma chaudière fuit", "Et ce n’est pas fini"]
    assert lea.sees_nothing_of("Et ce n’est pas fini")
    ines = await stage.join("Inès", serves=[BERNARD])
    lea.writes("Trop tard", to=card)
    await ines.forges(card, Show(conversation=conversation.id))
    await ines.presses(await ines.sees("Ma chaudière fuit", "Et ce n’est pas fini", kind=Menu), Menu, "⋯")
    await ines.presses(await ines.sees("Ma chaudière fuit", kind=History), History)
    await ines.sees("Historique de #1", "passée au compte Plomberie Bernard par Sophie")


async def test_who_has_several_addresses_is_known_there_by_the_one_it_was_written_from(stage: Stage) -> None:
    sophie = await stage.join("Sophie", role=Role.SUPERVISOR)
    nora = stage.client()
    nora.user.start("roux")
    nora.writes("Par Telegram")
    await sophie.sees("Par Telegram", kind=Release)
    first = await stage.mail("Par mail")
    card = await sophie.sees("Par mail", kind=Release)
    # The one who stays was first known by Telegram.
    await sophie.forges(card, JoinContact(conversation=(await stage.conversation(1)).id, number=2))
    sophie.writes("/file")
    await sophie.sees("#2", "Nora")
    card = await opened(sophie, "Par mail", "Changer de compte")
    assert "paul.martin@example.net" in str(card["text"])
    await sophie.presses(card, MoveTo, "Bernard")
    moved = await stage.conversation(2)
    assert moved.account_id == BERNARD
    (address,) = await stage.store.list(ADDRESSES_OF_CONTACT, moved.contact_id)
    assert (address.kind, address.value) == (AddressKind.MAIL, "paul.martin@example.net")
    assert first in [m.external_id for m in await stage.store.list(MESSAGES_OF_CONVERSATION, moved.id)]


async def test_an_account_that_cannot_answer_there_does_not_get_it(stage: Stage) -> None:
    sophie = await stage.join("Sophie", role=Role.SUPERVISOR)
    nora = stage.client()
    nora.user.start("", token=CABINET_TOKEN)
    nora.writes("Par le robot du cabinet", token=CABINET_TOKEN)
    card = await opened(sophie, "Par le robot du cabinet", "Changer de compte")
    assert (await sophie.presses(card, MoveTo, "Bernard")).startswith("Le client écrit au robot d’un autre compte")
    assert (await stage.conversation()).account_id == ROUX


async def test_only_whoever_answers_for_all_moves(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Un rendez-vous ?")
    await lea.presses(await lea.sees("Un rendez-vous ?", kind=Menu), Menu, "⋯")
    card = await lea.sees("Un rendez-vous ?", kind=History)
    assert not any("Changer de compte" in label for label in labels(card))
    press = MoveTo(conversation=(await stage.conversation()).id, position=0, check="")
    assert await lea.forges(card, press) == "Votre rôle ne le permet pas. Demandez à une superviseuse."


# ---------------------------------------------------------------- people


async def test_two_contacts_are_one_person_from_then_on(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Par mail")
    await lea.sees("Par mail", kind=Release)
    nora = stage.client(502, "Paulo")
    nora.user.start("roux")
    nora.writes("Par Telegram")
    await lea.sees("Par Telegram", kind=Release)
    await lea.presses(await lea.sees("Par mail", kind=Menu), Menu, "⋯")
    await lea.presses(await lea.sees("Par mail", kind=Person), Person)
    await lea.presses(await lea.sees("paul.martin@example.net", "1 demande", kind=Speak), Ask, "Même personne")
    lea.writes("#2", to=await lea.sees("Qui est la même personne"))
    sure = await lea.sees("Paul Martin et Paulo", kind=JoinContact)
    await lea.presses(sure, JoinContact)
    await lea.sees("👤 Paul Martin", "paul.martin@example.net", "Telegram", "2 demandes")
    one, two = await stage.conversation(1), await stage.conversation(2)
    assert one.contact_id == two.contact_id
    assert len(await stage.desk.store.list(ADDRESSES_OF_CONTACT, one.contact_id)) == 2
    nora.writes("Encore moi")
    await lea.sees("Encore moi", "Par Telegram")
    assert await lea.presses(sure, JoinContact) == "C’est déjà une seule personne."


async def test_people_of_two_accounts_are_never_one(stage: Stage) -> None:
    sophie = await stage.join("Sophie", role=Role.SUPERVISOR)
    await stage.mail("Par mail")
    card = await sophie.sees("Par mail", kind=Release)
    nora = stage.client()
    nora.user.start("bernard")
    nora.writes("Fuite d’eau")
    await sophie.sees("Fuite d’eau")
    press = JoinContact(conversation=(await stage.conversation(1)).id, number=2)
    assert await sophie.forges(card, press) == NOT_HERS


async def test_a_contacts_language_is_said_by_its_name_and_chosen(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Hello")
    await lea.presses(await lea.sees("Hello", kind=Menu), Menu, "⋯")
    await lea.presses(await lea.sees("Hello", kind=Person), Person)
    portrait = await lea.sees("👤 Paul Martin", "français", kind=Speak)
    await lea.presses(portrait, Speak, "anglais")
    await lea.sees("👤 Paul Martin", "🗣 anglais", kind=Speak)
    contact = await stage.desk.store.get(Contact, (await stage.conversation()).contact_id)
    assert contact.language == "en"
    assert (await stage.conversation()).status is Status.OPEN


# ---------------------------------------------------------------- what a merge may not lose


async def test_what_an_absent_colleague_held_goes_to_whoever_is_there_once_it_waits_again(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Mon premier mot")
    lea.writes("Répondu.", to=await lea.sees("Mon premier mot", kind=Release))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    await lea.leaves_by_force()
    ines = await stage.join("Inès")
    sophie = await stage.join("Sophie", role=Role.SUPERVISOR, on_duty=False)
    await stage.mail("Mon second mot", subject="Autre chose")
    card = await ines.sees("Mon second mot", kind=Release)
    press = Merge(conversation=(await stage.conversation(2)).id, number=1)
    assert await sophie.forges(card, press) == "#2 est réunie dans #1."
    await ines.sees("#1", "Mon premier mot", "Mon second mot")
    assert await stage.holder(1) == "Inès"
    assert await ines.holds() == 1


async def test_what_was_put_off_is_not_buried_in_what_is_closed(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Mon premier mot")
    card = await lea.sees("Mon premier mot", kind=Close)
    await lea.presses(card, Close)
    await stage.mail("Mon second mot", subject="Autre chose")
    await lea.presses(await opened(lea, "Mon second mot", "Plus tard"), Later, "Demain")
    await lea.sees("Mon second mot", "😴")
    press = Merge(conversation=(await stage.conversation(2)).id, number=1)
    await lea.forges(card, press)
    await lea.sees("#1", "Mon premier mot", "Mon second mot", "Pour vous", kind=Release)
    merged = await stage.conversation(1)
    assert (merged.status, merged.snoozed_until_at) == (Status.OPEN, None)
    assert merged.waiting_since_at is not None
    assert await lea.holds() == 1


async def test_one_person_with_two_chats_is_answered_in_the_one_they_write_in(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora, zoe = stage.client(501, "Nora"), stage.client(502, "Zoé")
    for client, words in ((zoe, "Par l’un"), (nora, "Par l’autre")):
        client.user.start("roux")
        client.writes(words)
        await lea.sees(words, kind=Release)
    await lea.presses(await lea.sees("Par l’un", kind=Close), Close)
    card = await lea.sees("Par l’autre", kind=Release)
    press = JoinContact(conversation=(await stage.conversation(2)).id, number=1)
    await lea.forges(card, press)
    zoe.writes("Me revoici")
    await lea.sees("#1", "Par l’un", "Me revoici")
    assert await stage.said(2) == ["Par l’autre"]
    assert (await stage.conversation(1)).chat_id != (await stage.conversation(2)).chat_id


async def test_a_quote_of_what_is_put_off_beside_an_open_one_is_taken_in(stage: Stage) -> None:
    """Two conversations of one chat are open where one was moved in: one of them has no key, and needs none."""
    lea = await stage.join("Léa")
    nora = stage.client()
    nora.user.start("roux")
    said = nora.writes("La première")
    await lea.sees("La première", kind=Release)
    await lea.presses(await opened(lea, "La première", "Plus tard"), Later, "Demain")
    await lea.sees("La première", "😴")
    first = await stage.conversation(1)
    second = msgspec.structs.replace(
        first, id=ConversationId(new_id()), version=0, number=2, status=Status.OPEN, snoozed_until_at=None,
        assignee_id=None, queued_at=first.opened_at, waiting_since_at=None,
    )  # fmt: skip
    keyless = msgspec.structs.replace(first, open_chat=None)
    await stage.store.commit(Changes(replacements=[keyless], inserts=[second]))
    nora.writes("Et la première ?", to=said)
    await lea.sees("#1", "La première", "Et la première ?", kind=Release)
    await stage.quiet()
    assert await stage.ledger_is_balanced()
    assert (await stage.conversation(1)).open_chat is None
    assert (await stage.conversation(2)).open_chat == first.open_chat
