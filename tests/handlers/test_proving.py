"""Contacts joined by proof: a link and a code mailed to one address come back by the other, and by nothing else."""

from __future__ import annotations

import re
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest

from channels.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure
from channels.telegram.bot import TelegramBot
from handlers.callbacks import Ask, JoinContact, Menu, Person, Prove, Release, Speak
from handlers.forgetting import begin, forget
from inbox.forgetting import trace
from inbox.holdings import asked_to_prove
from inbox.model import AddressKind, Contact, Conversation, Delivery, Proof, Role
from inbox.proofs import code_of
from inbox.store.documents import (
    ADDRESS_BY_VALUE,
    ADDRESSES_OF_CONTACT,
    EVENTS_OF_CONVERSATION,
    KINDS,
    MESSAGES_OF_CONVERSATION,
)
from tests.builders import BERNARD, MAIL, ROUX
from tests.handlers.declaring import declare
from tests.handlers.owners import passed_on
from tests.handlers.stage import CABINET, Clock, Seat, Seen, Stage, labels
from tests.handlers.test_machines import a_report

NOT_HERS = "Introuvable, ou hors de vos comptes."
PAUL = "paul.martin@example.net"


async def portrait_of(seat: Seat, words: str, number: int = 1) -> Seen:
    """The contact card of a request."""
    card = await seat.sees(words, kind=Release)
    await seat.forges(card, Person(conversation=(await seat.stage.conversation(number)).id))
    return await seat.sees("👤", kind=Prove)


async def nora_in_telegram(stage: Stage, lea: Seat) -> Seat:
    """Nora writes in Telegram, #1, and says that Paul's address is hers; Léa has the letter sent there."""
    nora = stage.client()
    nora.user.start("roux")
    nora.writes("Mon autre adresse est celle de Paul")
    await lea.presses(await portrait_of(lea, "Mon autre adresse"), Prove)
    lea.writes(PAUL, to=await lea.sees("Par quelle adresse mail Nora écrit-il aussi ?"))
    await lea.sees(f"Preuve demandée à {PAUL} pour Nora. Elle vaut 24 heures.")
    await stage.quiet()
    return nora


def letter(stage: Stage) -> tuple[EmailMessage, str, str]:
    """The newest letter that left, the payload of its link and its code; "" for what it has not."""
    mail = message_from_bytes(stage.letters.sent[-1][1], policy=policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    assert body is not None
    said = str(body.get_content())
    link, code = re.search(r"\?start=(\S+)", said), re.search(r": (\d{6})\s", said)
    return mail, link[1] if link else "", code[1] if code else ""


async def one_person(stage: Stage, *kinds: AddressKind) -> Contact:
    """The contact of #1, whose addresses are of these kinds."""
    contact = await stage.store.get(Contact, (await stage.conversation()).contact_id)
    addresses = await stage.store.list(ADDRESSES_OF_CONTACT, contact.id)
    assert sorted(a.kind for a in addresses) == sorted(kinds)
    return contact


async def test_whoever_opens_the_link_from_their_telegram_is_the_one_at_the_address(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Par mail")
    await lea.sees("Par mail", kind=Release)
    nora = stage.client()
    nora.user.start("roux")
    nora.writes("Par Telegram")
    await lea.presses(await portrait_of(lea, "Par Telegram", 2), Prove)
    lea.writes(PAUL, to=await lea.sees("Par quelle adresse mail"))
    await lea.sees("Preuve demandée")
    await stage.quiet()
    mail, payload, code = letter(stage)
    assert (mail["To"], mail["Subject"]) == (PAUL, "Confirmez votre adresse")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "cabinet@roux.example" in mail["From"]
    assert "Par Telegram" not in mail.as_string(), "it may reach a stranger"
    assert payload
    assert code
    nora.user.start(payload)
    await nora.sees("Merci, c’est confirmé. Dr Hélène Roux sait que c’est vous.")
    await lea.sees(f"Par preuve, une seule personne : Nora, {PAUL}.")
    contact = await one_person(stage, AddressKind.MAIL, AddressKind.TELEGRAM)
    for number in (1, 2):
        conversation = await stage.conversation(number)
        assert conversation.contact_id == contact.id
        kinds = [e.kind for e in await stage.store.list(EVENTS_OF_CONVERSATION, conversation.id)]
        assert kinds.count("contacts_proved") == 1
    nora.user.start(payload)
    await nora.sees("Ce lien ne vaut plus")


async def test_the_code_written_in_the_chat_proves_the_address_and_waits_for_no_answer(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    _, _, code = letter(stage)
    nora.writes(f"{code[:3]} {code[3:]}")
    await nora.sees("Merci, c’est confirmé.")
    await lea.sees("Par preuve, une seule personne : Nora")
    await one_person(stage, AddressKind.MAIL, AddressKind.TELEGRAM)
    assert await stage.said() == ["Mon autre adresse est celle de Paul"]
    await stage.mail("Je passe au mail")
    await lea.sees("Je passe au mail", "Nora")
    assert (await stage.conversation(2)).contact_id == (await stage.conversation(1)).contact_id
    assert await stage.ledger_is_balanced()


async def test_what_was_joined_by_hand_meanwhile_is_proved_all_the_same(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    _, payload, _ = letter(stage)
    await stage.mail("Par mail")
    card = await lea.sees("Par mail", kind=Release)
    await lea.forges(card, JoinContact(conversation=(await stage.conversation(1)).id, number=2))
    nora.user.start(payload)
    await nora.sees("Merci, c’est confirmé.")
    await lea.sees("Par preuve, une seule personne : Nora")
    await one_person(stage, AddressKind.MAIL, AddressKind.TELEGRAM)


async def test_five_wrong_codes_and_the_right_one_is_too_late(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    _, payload, code = letter(stage)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for left in ("4 essais", "3 essais", "2 essais", "1 essai."):
        nora.writes(wrong)
        await nora.sees(f"Ce n’est pas le code. Il vous reste {left}")
    nora.writes(wrong)
    await nora.sees("il ne vaut plus : demandez-en un autre")
    await lea.sees(f"Cinq codes faux de Nora : la preuve demandée à {PAUL} ne vaut plus.")
    nora.writes(code)
    nora.user.start(payload)
    await nora.sees("Ce lien ne vaut plus")
    await stage.quiet()
    await one_person(stage, AddressKind.TELEGRAM)
    # What was no code of ours may have been meant for whoever answers: all of it is kept.
    assert (await stage.said())[1:] == [*[wrong] * 5, code]


async def test_after_a_day_neither_code_nor_link_proves_anything(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    _, payload, code = letter(stage)
    clock.ahead = timedelta(hours=24)
    nora.writes(code)
    nora.user.start(payload)
    await nora.sees("Ce lien ne vaut plus")
    await stage.quiet()
    await one_person(stage, AddressKind.TELEGRAM)
    assert code in await stage.said()


async def test_a_new_letter_voids_the_one_before_and_none_follows_at_once(stage: Stage, clock: Clock) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR, on_duty=False)
    nora = await nora_in_telegram(stage, lea)
    _, first, _ = letter(stage)
    question = await lea.sees("Par quelle adresse mail")
    lea.writes(PAUL.upper(), to=question)
    await lea.sees(f"Une preuve vient d’être demandée à {PAUL} : attendez dix minutes.")
    clock.ahead = timedelta(minutes=11)
    lea.writes(PAUL, to=question)
    await stage.quiet()
    assert len(stage.letters.sent) == 2
    clock.ahead = timedelta(minutes=22)
    card = await lea.sees("👤", kind=Prove)
    await sophie.forges(card, Ask(conversation=(await stage.conversation()).id, purpose="proof"))
    asked = await sophie.sees("Par quelle adresse mail")
    lea.writes(PAUL, to=question)
    sophie.writes(PAUL, to=asked)
    await stage.quiet()
    assert len(stage.letters.sent) == 3, "of two who ask together one sends"
    nora.user.start(first)
    await nora.sees("Ce lien ne vaut plus")
    await one_person(stage, AddressKind.TELEGRAM)


async def test_who_has_the_address_and_is_somebody_else_proves_nothing(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await nora_in_telegram(stage, lea)
    _, payload, code = letter(stage)
    stranger = stage.client(777, "Le vrai Paul")
    stranger.user.start(payload)
    await stranger.sees("Rien ne change : ouvrez ce lien depuis le Telegram avec lequel vous nous écrivez.")
    stranger.user.start("roux")
    stranger.writes(code)
    await stage.quiet()
    await one_person(stage, AddressKind.TELEGRAM)
    assert await stage.said(2) == [code]
    lea.user.start(payload)
    await lea.sees("Vous répondez ici")


async def test_a_client_by_mail_proves_a_telegram_we_did_not_know(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Par mail")
    await lea.presses(await portrait_of(lea, "Par mail"), Prove)
    where = await lea.sees("Où envoyer le lien de preuve de Paul Martin ?", kind=Prove)
    assert await lea.presses(where, Prove, PAUL) == "Preuve demandée."
    assert await lea.presses(where, Prove, PAUL) == f"Une preuve vient d’être demandée à {PAUL} : attendez dix minutes."
    await stage.quiet()
    _, payload, code = letter(stage)
    assert code == "", "from there it would come back the way it went"
    paulo = stage.client(502, "Paulo")
    paulo.user.start(payload, token=None)
    await paulo.sees("Merci, c’est confirmé.")
    await one_person(stage, AddressKind.MAIL, AddressKind.TELEGRAM)
    paulo.writes("Je suis là aussi")
    await lea.sees("Je suis là aussi", "Paul Martin", kind=Release)


async def test_whoever_proves_an_address_goes_on_writing_to_the_account_they_came_for(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = stage.client()
    nora.user.start("bernard")
    nora.writes("Ma chaudière fuit")
    await lea.sees("Ma chaudière fuit")
    await stage.mail("Par mail")
    await lea.presses(await portrait_of(lea, "Par mail", 2), Prove)
    await lea.presses(await lea.sees("Où envoyer le lien", kind=Prove), Prove, PAUL)
    await stage.quiet()
    _, payload, _ = letter(stage)
    nora.user.start(payload)
    await nora.sees("Merci, c’est confirmé. Dr Hélène Roux sait que c’est vous.")
    nora.writes("Et la chaudière, vous venez quand ?")
    await lea.sees("vous venez quand", "Plomberie Bernard")
    assert await stage.said(1) == ["Ma chaudière fuit", "Et la chaudière, vous venez quand ?"]
    # Once they come for the other account, that one knows them.
    nora.user.start("roux")
    nora.writes("Et mon rendez-vous ?")
    await lea.sees("Et mon rendez-vous ?", "Paul Martin", "Dr Hélène Roux", kind=Release)


def verified(text: str, result: str = "pass", answers: str = "") -> bytes:
    mail = EmailMessage()
    mail["Authentication-Results"] = f"mx.cabinet.example; dmarc={result} header.from=example.net"
    mail["From"], mail["To"], mail["Subject"] = "Lise <lise@example.net>", "cabinet@roux.example", "Code"
    mail["Message-ID"] = f"<{result}.{text[:5]}@example.net>"
    if answers:
        mail["In-Reply-To"] = mail["References"] = f"<{answers}>"
    mail.set_content(text)
    return mail.as_bytes()


async def test_another_mail_address_is_proved_by_a_code_in_a_mail_that_is_certain(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Par mail", sender="Lise <lise@example.net>")
    await lea.presses(await portrait_of(lea, "Par mail"), Prove)
    await lea.presses(await lea.sees("Où envoyer le lien", kind=Prove), Ask)
    lea.writes(f"<{PAUL}>", to=await lea.sees("Par quelle adresse mail"))
    await lea.sees("Preuve demandée")
    await stage.quiet()
    _, payload, code = letter(stage)
    assert payload == ""
    await stage.mail(f"Le code : {code}", sender="Lise <lise@example.net>")
    await stage.mail_raw(verified(code, "fail"))
    await stage.quiet()
    await one_person(stage, AddressKind.MAIL)
    await stage.mail_raw(verified(f"Bonjour, le code est {code}.\n\nLise, tél. 06 12 34 56 78"))
    await lea.sees("Par preuve, une seule personne : Lise")
    await one_person(stage, AddressKind.MAIL, AddressKind.MAIL)
    await lea.sees("le code est", kind=Release)


@pytest.mark.parametrize("in_the_others", [False, True], ids=["a new thread", "the other's thread"])
@pytest.mark.parametrize("stays", ["Lise", "Paul Martin"])
async def test_what_else_the_mail_with_the_code_says_waits_in_its_thread_as_any_mail(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, stays: str, *, in_the_others: bool
) -> None:
    """Who stays is the one whose history is too long to be moved."""
    lea = await stage.join("Léa")
    await stage.mail("Par mail", sender="Lise <lise@example.net>")
    await lea.sees("Par mail", kind=Release)
    thread = await stage.mail("De Paul", subject="Dossier", to="cabinet@roux.example, lise@example.net")
    await lea.sees("De Paul", kind=Release)
    if stays == "Paul Martin":
        await stage.mail("Encore de Paul", subject="Devis")
        await lea.sees("Encore de Paul", kind=Release)
        monkeypatch.setattr("inbox.contacts.MOST_JOINED", 1)
    await lea.presses(await portrait_of(lea, "Par mail"), Prove)
    await lea.presses(await lea.sees("Où envoyer le lien", kind=Prove), Ask)
    lea.writes(PAUL, to=await lea.sees("Par quelle adresse mail"))
    await stage.quiet()
    _, _, code = letter(stage)
    await stage.mail_raw(verified(f"Voici le code : {code}. Rappelez avant midi", answers=thread * in_the_others))
    await lea.sees("Rappelez avant midi", stays, kind=Release)
    await lea.sees("Par preuve, une seule personne : Lise")
    contact = await one_person(stage, AddressKind.MAIL, AddressKind.MAIL)
    assert contact.name == stays
    number = 2 if in_the_others else len(await stage.store.scan(Conversation))
    before = await stage.conversation(number)
    said = ["De Paul"] * in_the_others + [f"Voici le code : {code}. Rappelez avant midi"]
    assert await stage.said(number) == said
    assert (before.message_count, before.inbound_count) == (len(said), len(said))
    # Whoever writes there next is heard.
    await stage.mail_raw(verified("Toujours sans réponse", answers="pass.Voici@example.net"))
    await lea.sees("Toujours sans réponse", stays, kind=Release)
    after = await stage.conversation(number)
    assert await stage.said(number) == [*said, "Toujours sans réponse"]
    assert (after.message_count, after.contact_id) == (len(said) + 1, contact.id)
    assert {m.author_id for m in await stage.store.list(MESSAGES_OF_CONVERSATION, after.id)} == {contact.id}
    assert await stage.ledger_is_balanced()


async def test_a_letter_that_does_not_arrive_is_told_to_whoever_asked_once(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    _, _, code = letter(stage)
    for _ in range(2):
        await stage.mail_raw(a_report(stage.letters.sent[-1][0].message_id))
    await lea.sees(f"La preuve demandée à {PAUL} n’est pas arrivée : cette adresse ne reçoit rien.")
    await stage.quiet()
    assert sum("n’est pas arrivée" in text for text in lea.screen) == 1
    nora.writes(code)
    await stage.quiet()
    await one_person(stage, AddressKind.TELEGRAM)
    assert code in await stage.said(), "it proves nothing any more"


async def test_a_letter_our_own_server_refuses_is_told_too(stage: Stage) -> None:
    lea = await stage.join("Léa")
    stage.letters.failures.append(PermanentFailure(MAIL, "550", reason="failure.recipient_refused"))
    await nora_in_telegram(stage, lea)
    await lea.sees(f"La preuve demandée à {PAUL} n’est pas arrivée")
    assert stage.letters.sent == []


@pytest.mark.parametrize("words", ["pas une adresse", "a@b@c", "cabinet@roux.example", ""])
async def test_what_is_no_address_of_a_client_gets_no_letter(stage: Stage, words: str) -> None:
    lea = await stage.join("Léa")
    nora = stage.client()
    nora.user.start("roux")
    nora.writes("Bonjour")
    await lea.presses(await portrait_of(lea, "Bonjour"), Prove)
    question = await lea.sees("Par quelle adresse mail")
    if words:
        lea.writes(words, to=question)
        await lea.sees("adresse de la maison" if "roux" in words else "n’est pas une adresse")
    await stage.quiet()
    assert stage.letters.sent == []


async def test_a_proof_stays_within_its_account(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", own_account={MAIL: ROUX, CABINET: BERNARD}) as stage:
        lea, zoe = await stage.join("Léa"), await stage.join("Zoé", serves=[BERNARD], on_duty=False)
        nora = await nora_in_telegram(stage, lea)
        _, payload, code = letter(stage)
        cabinet = "43000001:AAE-second-token-that-opens-nothing"
        nora.user.start(payload, token=cabinet)
        nora.writes(code, token=cabinet)
        await stage.quiet()
        await one_person(stage, AddressKind.TELEGRAM)
        assert await stage.store.find_by(ADDRESS_BY_VALUE, BERNARD, AddressKind.MAIL, PAUL) is None
        conversation = await stage.conversation()
        shown = await lea.sees("👤", kind=Prove)
        assert await zoe.forges(shown, Prove(conversation=conversation.id, position=-1, check="")) == NOT_HERS
        assert await zoe.forges(shown, Ask(conversation=conversation.id, purpose="proof")) == NOT_HERS
        forged = Prove(conversation=conversation.id, position=0, check="00000000")
        assert await lea.forges(shown, forged) == "La liste a changé : rouvrez-la."
        assert len(stage.letters.sent) == 1


@pytest.mark.parametrize("payload", ["i-", "i-x", "i-" + "A" * 43, "i-../../etc"])
async def test_a_forged_link_has_no_effect(stage: Stage, payload: str) -> None:
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    [before] = await stage.store.scan(Proof)
    nora.user.start(payload)
    await stage.quiet()
    assert await stage.store.scan(Proof) == [before]
    await one_person(stage, AddressKind.TELEGRAM)


async def test_neither_token_nor_code_stands_in_a_document_and_both_go_with_whoever_is_forgotten(
    stage: Stage, clock: Clock
) -> None:
    lea = await stage.join("Léa")
    await nora_in_telegram(stage, lea)
    _, payload, code = letter(stage)
    for kind in KINDS:
        for document in await stage.store.scan(kind):
            said = msgspec.json.encode(document).decode()
            assert payload.removeprefix("i-") not in said
            assert f'"{code}"' not in said
    [proof] = await stage.store.scan(Proof)
    sent = await stage.store.get(Delivery, proof.delivery_id)
    contact = await stage.store.get(Contact, proof.contact_id)
    conversation = await stage.conversation()
    await lea.sees("👤", kind=Speak)
    await stage.quiet()
    [told] = await asked_to_prove(stage.store, await trace(stage.store, contact))
    assert told == proof, "what was asked of them is theirs to have"
    await begin(stage.store, contact, clock())
    await forget(stage.store, contact.id, clock)
    assert await stage.store.scan(Proof) == []
    assert await stage.store.find(Delivery, sent.id) is None
    assert await stage.store.find(Conversation, conversation.id) is None
    assert sent.payload.blob_id not in await stage.store.list_blobs()  # type: ignore[union-attr]


async def test_of_two_long_histories_the_shorter_moves_and_where_none_can_both_stay(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    for words in ("Par mail", "Encore par mail"):
        await stage.mail(words)
        await lea.sees(words, kind=Release)
    _, payload, _ = letter(stage)
    monkeypatch.setattr("inbox.contacts.MOST_JOINED", 1)
    nora.user.start(payload)
    await nora.sees("Merci, c’est confirmé.")
    contact = await one_person(stage, AddressKind.MAIL, AddressKind.TELEGRAM)
    assert (await stage.conversation(3)).contact_id == contact.id
    assert contact.name == "Paul Martin", "whose history stayed"


async def test_who_is_proved_and_has_too_long_a_history_is_told_of(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    await stage.mail("Par mail")
    await lea.sees("Par mail", kind=Release)
    _, payload, _ = letter(stage)
    monkeypatch.setattr("inbox.contacts.MOST_JOINED", 0)
    nora.user.start(payload)
    await nora.sees("Merci, c’est confirmé.")
    await lea.sees(f"Par preuve, une seule personne : Nora, {PAUL}. Leurs historiques sont trop longs")
    await one_person(stage, AddressKind.TELEGRAM)


async def test_where_the_bot_cannot_be_named_the_letter_has_the_code_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unnamed(bot: TelegramBot, payload: str) -> str:
        raise TemporaryFailure(bot.id, "not now")

    monkeypatch.setattr(TelegramBot, "link", unnamed)
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    _, payload, code = letter(stage)
    assert payload == ""
    nora.writes(code)
    await nora.sees("Merci, c’est confirmé.")
    await stage.mail("Par mail", sender="Lise <lise@example.net>")
    await lea.presses(await portrait_of(lea, "Par mail", 2), Prove)
    where = await lea.sees("Où envoyer le lien de preuve de Lise ?", kind=Prove)
    assert "Aucun robot Telegram" in await lea.presses(where, Prove, "lise@example.net")


async def test_an_account_without_a_mailbox_sends_no_letter(stage: Stage) -> None:
    declare(stage, mailbox=None)
    lea = await stage.join("Léa")
    nora = stage.client()
    nora.user.start("roux")
    nora.writes("Bonjour")
    await lea.presses(await portrait_of(lea, "Bonjour"), Prove)
    lea.writes(PAUL, to=await lea.sees("Par quelle adresse mail"))
    await lea.sees("Ce compte n’a pas de boîte mail d’où envoyer une preuve.")
    assert await stage.store.scan(Proof) == []


async def test_of_a_letter_that_may_not_have_left_whoever_asked_is_told_and_what_was_sent_stays_good(
    stage: Stage,
) -> None:
    stage.letters.failures.append(OutcomeUnknown(MAIL, "the connection broke"))
    lea = await stage.join("Léa")
    nora = await nora_in_telegram(stage, lea)
    await lea.sees(f"La preuve demandée à {PAUL} n’est peut-être pas partie. Si rien n’y arrive, demandez-en une autre")
    [proof] = await stage.store.scan(Proof)
    nora.writes(code_of(proof.id, stage.desk.key))
    await nora.sees("Merci, c’est confirmé.")
    await one_person(stage, AddressKind.MAIL, AddressKind.TELEGRAM)
    assert sum("peut-être pas partie" in text for text in lea.screen) == 1


async def test_whoever_is_known_by_telephone_only_is_offered_no_proof(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await passed_on(lea)
    card = await lea.sees("👤 Mme Durand", kind=Menu)
    conversation = await stage.conversation()
    await lea.forges(card, Person(conversation=conversation.id))
    portrait = await lea.sees("👤 Mme Durand", kind=Speak)
    assert not [label for label in labels(portrait) if "preuve" in label]
    refused = "Connu par téléphone seulement, Mme Durand ne pourrait rien prouver"
    assert refused in await lea.forges(portrait, Prove(conversation=conversation.id, position=-1, check=""))
    await lea.forges(portrait, Ask(conversation=conversation.id, purpose="proof"))
    lea.writes(PAUL, to=await lea.sees("Par quelle adresse mail"))
    await lea.sees(refused)
    await stage.quiet()
    assert await stage.store.scan(Proof) == []
