"""What people at the desk and its clients see, through real updates, a real store and the Bot API stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest

from channels.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure
from handlers import callbacks, conversations
from handlers.callbacks import (
    Close,
    Decide,
    Discard,
    Files,
    Listen,
    Place,
    PlaceIn,
    Release,
    Send,
    Show,
    Take,
    Undo,
    Whole,
)
from inbox import outbox, presence
from inbox.invitations import deep_link_payload, invite
from inbox.model import AssignmentMode, DraftState, Presence, Role, Status
from inbox.store.documents import (
    CONVERSATIONS_QUEUED_ANYWHERE,
    DRAFT_OPEN,
    MESSAGES_OF_CONVERSATION,
    SECRETARY_BY_TELEGRAM,
)
from tests.builders import BERNARD, DESK, MAIL, ROUX, a_contact, a_conversation, a_message, put
from tests.handlers.stage import CABINET, CABINET_TOKEN, Seen, Stage, button, labels
from tests.sounds import length_of, wav

HOUR = timedelta(hours=1)


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Stage]:
    """Replies leave after an hour, so there is time to undo."""
    async with Stage(tmp_path / "desk.db", undo=HOUR) as running:
        yield running


# ---------------------------------------------------------------- mail, end to end


async def test_a_mail_becomes_a_card_a_draft_a_preview_and_a_reply_in_the_accounts_name(stage: Stage) -> None:
    lea = await stage.join("Léa")
    asked = await stage.mail("Puis-je venir jeudi ?", subject="Rendez-vous")
    card = await lea.sees("Rendez-vous", "Paul Martin", "Puis-je venir jeudi ?", "Dr Hélène Roux", kind=Release)
    assert "Pour vous — seule personne en service : Léa (0 en cours)" in card["text"]
    lea.writes("Oui, à dix heures.", to=card)
    preview = await lea.sees("Aperçu de votre réponse", "Oui, à dix heures.", kind=Send)
    assert "De : Dr Hélène Roux <cabinet@roux.example>" in preview["text"]
    assert "À : paul.martin@example.net" in preview["text"]
    assert "Objet : Re: Rendez-vous" in preview["text"]
    assert "Secrétariat du Dr Roux" in preview["text"]
    assert await lea.presses(preview, Send) == "Part dans 0 s."
    await lea.sees("Votre réponse · #1", "✓ envoyé à")
    card = await lea.sees("Répondu", "Oui, à dix heures.")
    assert "envoyé" in card["text"]
    ((letter, raw),) = stage.letters.sent
    mail = message_from_bytes(raw, policy=policy.default)
    assert letter.recipients == ("paul.martin@example.net",)
    assert (mail["From"], mail["Subject"]) == ("Dr Hélène Roux <cabinet@roux.example>", "Re: Rendez-vous")
    assert (mail["In-Reply-To"], mail["References"]) == (f"<{asked}>", f"<{asked}>")
    assert await lea.holds() == 0


async def test_who_asks_for_answers_elsewhere_gets_them_there_unless_it_is_in_the_middle_of_a_conversation(
    stage: Stage,
) -> None:
    lea = await stage.join("Léa")
    form = (
        "From: Formulaire <form@site.example>\nReply-To: paul.martin@example.net\nMessage-ID: <f1@x>\n\nPuis-je venir ?"
    )
    await stage.mail_raw(form.encode())
    lea.writes("Oui.", to=await lea.sees("Puis-je venir ?", kind=Release))
    preview = await lea.sees("Aperçu", "À : paul.martin@example.net", kind=Send)
    await lea.presses(preview, Send)
    await stage.quiet()
    assert stage.letters.sent[0][0].recipients == ("paul.martin@example.net",)
    ours = stage.letters.sent[0][0].message_id
    forged = (
        "From: paul.martin@example.net\nReply-To: mallory@example.org\nMessage-ID: <f2@x>\n"
        f"In-Reply-To: <{ours}>\n\nRappelez-moi ce que vous savez"
    )
    await stage.mail_raw(forged.encode())
    lea.writes("Voici.", to=await lea.sees("Rappelez-moi", "Oui.", kind=Release))
    await lea.sees("Aperçu", "Voici.", "À : paul.martin@example.net")


async def test_a_mail_that_asks_for_answers_at_our_own_address_is_answered_to_its_writer(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail_raw(b"From: paul@example.net\nReply-To: Cabinet@Roux.example\nMessage-ID: <f3@x>\n\nBonjour")
    lea.writes("Bonjour.", to=await lea.sees("Bonjour", kind=Release))
    await lea.sees("Aperçu", "À : paul@example.net")


async def test_the_clients_answer_to_our_mail_joins_the_conversation_and_goes_to_the_same_secretary(
    stage: Stage,
) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Puis-je venir jeudi ?")
    lea.writes("Oui.", to=await lea.sees("jeudi"))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    ines = await stage.join("Inès")
    ((letter, _),) = stage.letters.sent
    await stage.mail("Merci !", answers=letter.message_id)
    await lea.sees("Merci !", "Oui.", "jeudi")
    assert await stage.said() == ["Puis-je venir jeudi ?", "Oui.", "Merci !"]
    assert ines.sees_nothing_of("Merci", "#1 ·")


async def test_the_same_mail_delivered_again_has_one_effect_and_the_ledger_says_so(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô", message_id="one@example.net")
    await stage.mail("Allô", message_id="one@example.net")
    await stage.quiet()
    assert await stage.said() == ["Allô"]
    assert sum("Allô" in text for text in lea.screen) == 1
    (ignored,) = await stage.receipts(MAIL, "ignored")
    assert ignored.reason == "received before"
    assert await stage.ledger_is_balanced()


async def test_a_batch_the_mailbox_hands_over_twice_is_kept_once(stage: Stage) -> None:
    await stage.mail_raw(b"From: a@example.net\r\n\r\nUn", key="1:77")
    await stage.mail_raw(b"From: a@example.net\r\n\r\nUn", key="1:77")
    await stage.quiet()
    assert len(await stage.receipts(MAIL, "handled")) == 1
    assert await stage.ledger_is_balanced()


async def test_a_mail_nobody_can_read_is_kept_and_the_next_one_goes_on(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail_raw(b"\xff\xfe\x00 no mail at all \x00\xff")
    await stage.mail_raw(b"Subject: =?utf-8?b?//79?=\r\nReferences: <\xed\xa0\x80@x>\r\n\r\n\xed\xa0\x80")
    await stage.mail("Un vrai message")
    await lea.sees("Un vrai message")
    await stage.quiet()
    assert len(await stage.receipts(MAIL, "parked")) == 0
    assert await stage.ledger_is_balanced()


# ---------------------------------------------------------------- Telegram, end to end


async def test_a_client_who_comes_through_a_link_is_answered_where_they_wrote(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client()
    nora.user.start("roux")
    await nora.sees("vous écrivez à Dr Hélène Roux")
    question = nora.writes("Êtes-vous ouverts samedi ?")
    card = await lea.sees("Êtes-vous ouverts samedi ?", "Nora", "Dr Hélène Roux")
    lea.writes("Oui, jusqu’à midi.", to=card)
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    answer = await nora.sees("Oui, jusqu’à midi.")
    assert answer["reply_to_message"]["message_id"] == question["message_id"]
    nora.writes("Merci", to=answer)
    await lea.sees("Merci", "jusqu’à midi")
    assert await stage.said() == ["Êtes-vous ouverts samedi ?", "Oui, jusqu’à midi.", "Merci"]


async def test_an_edit_by_the_client_is_shown_and_blocks_send_until_seen(slow: Stage) -> None:
    lea, nora = await slow.join("Léa"), slow.client()
    nora.user.start("roux")
    question = nora.writes("Rendez-vous jeudi ?")
    card = await lea.sees("Rendez-vous jeudi ?")
    lea.writes("Oui.", to=card)
    preview = await lea.sees("Aperçu", kind=Send)
    nora.user.edit_text(question["message_id"], "Rendez-vous vendredi ?")
    await lea.sees("Rendez-vous vendredi ?", "modifié")
    assert "lisez-le d’abord" in await lea.presses(preview, Send)
    warned = await lea.sees("Aperçu", "Rendez-vous vendredi ?", "Oui.", kind=Send)
    assert "J’ai lu, envoyer quand même" in "".join(labels(warned))


async def test_an_older_message_that_was_edited_is_what_she_must_read_before_she_sends(slow: Stage) -> None:
    lea, nora = await slow.join("Léa"), slow.client()
    nora.user.start("roux")
    first = nora.writes("Mardi me va.")
    nora.writes("Ou sinon mercredi.")
    card = await lea.sees("Ou sinon mercredi.", "Mardi me va.")
    lea.writes("Mardi, alors.", to=card)
    await lea.sees("Aperçu", kind=Send)
    nora.user.edit_text(first["message_id"], "Mardi ne me va plus.")
    warned = await lea.sees("Aperçu", "Mardi, alors.", "Mardi ne me va plus.", kind=Send)
    assert "Ou sinon mercredi." not in warned["text"]


async def test_a_client_who_blocked_us_is_shown_as_such(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client()
    nora.user.start("roux")
    nora.writes("Allô")
    card = await lea.sees("Allô")
    lea.writes("Vous êtes là ?", to=card)
    preview = await lea.sees("Aperçu", kind=Send)
    # What Telegram says of it comes later than her press.
    stage.telegram.bot().chats[501].blocked = True
    await lea.presses(preview, Send)
    await lea.sees("La réponse n’est pas partie", "Le client a bloqué nos messages. Joignez-le autrement.")
    assert "bloqué nos messages" in (await lea.sees("Allô", kind=Decide))["text"]
    nora.user.unblock()
    await stage.quiet()
    newest = await lea.sees("Vous êtes là ?", "Dr Hélène Roux", kind=Decide)
    assert "⛔" not in newest["text"]


async def test_what_a_secretary_who_blocks_the_bot_holds_goes_to_someone_who_can_see_it(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client()
    nora.user.start("roux")
    nora.writes("Allô")
    await lea.sees("Allô", "Pour vous")
    lea.user.block()
    await stage.quiet()
    assert await stage.holder() is None
    ines = await stage.join("Inès")
    await ines.sees("Allô", "Pour vous")
    assert await stage.holder() == "Inès"
    assert await lea.holds() == 0


async def test_through_a_bot_of_its_own_a_client_needs_no_link(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client()
    nora.writes("Allô par le robot du cabinet", token=CABINET_TOKEN)
    await lea.sees("Allô par le robot du cabinet", "Dr Hélène Roux")
    nora.user.start("bernard")
    await nora.sees("Plomberie Bernard")
    assert (await stage.conversation()).channel_id == CABINET


async def test_what_was_said_to_one_account_is_never_shown_to_the_next(stage: Stage) -> None:
    roux, bernard = await stage.join("Léa", serves=[ROUX]), await stage.join("Inès", serves=[BERNARD])
    nora = stage.client()
    nora.user.start("roux")
    secret = nora.writes("Ma tension est à 18")
    await roux.sees("Ma tension est à 18")
    nora.user.start("bernard")
    nora.writes("Une fuite !")
    await bernard.sees("Une fuite !")
    nora.user.edit_text(secret["message_id"], "Ma tension est à 19")
    await roux.sees("Ma tension est à 19")
    nora.writes("Elle baisse", to=secret)
    await roux.sees("Elle baisse")
    await stage.quiet()
    assert bernard.sees_nothing_of("tension", "baisse")
    assert roux.sees_nothing_of("fuite")


# ---------------------------------------------------------------- who may press what


async def test_a_client_who_forges_a_secretarys_button_changes_nothing(stage: Stage) -> None:
    lea, nora = await stage.join("Léa", on_duty=False), stage.client()
    nora.user.start("roux")
    await nora.sees("vous écrivez à")
    nora.writes("Allô")
    await stage.quiet()
    conversation = await stage.conversation()
    (greeting,) = nora.user.messages()[1:2]
    for data in (
        Take(conversation=conversation.id),
        Close(conversation=conversation.id, seen=9),
        callbacks.Duty(on=True),
    ):
        assert await nora.forges(greeting, data) == ""
    assert await stage.conversation() == conversation
    assert nora.sees_nothing_of("#1")
    assert lea.name == "Léa"
    ignored = [r.reason for r in await stage.receipts(DESK, "ignored")]
    assert ignored.count("a press by someone who is not at the desk") == 3


async def test_a_secretary_of_other_accounts_finds_nothing_whatever_data_she_forges(slow: Stage) -> None:
    lea, ines = await slow.join("Léa", serves=[ROUX]), await slow.join("Inès", serves=[BERNARD])
    await slow.mail("Secret médical", subject="Secret")
    lea.writes("Réponse secrète", to=await lea.sees("Secret médical"))
    preview = await lea.sees("Aperçu", kind=Send)
    draft = callbacks.Send.unpack(button(preview, Send) or "")
    await lea.presses(preview, Send)
    await slow.quiet()
    conversation = await slow.conversation()
    (message, reply) = await slow.store.list(MESSAGES_OF_CONVERSATION, conversation.id)
    (delivery,) = await slow.replies("due")
    any_card = ines.user.messages()[0]
    words_gone = "Je ne retrouve plus votre texte. Répondez directement à la fiche."
    not_found = "Introuvable, ou hors de vos comptes."
    for data in (
        Take(conversation=conversation.id),
        Release(conversation=conversation.id),
        Close(conversation=conversation.id, seen=9),
        Show(conversation=conversation.id),
        Files(message=message.id),
        Files(message=reply.id),
        Listen(message=message.id),
        Whole(message=message.id, form="page"),
        Whole(message=message.id, form="original"),
        Whole(message=message.id, form="nonsense"),
        Whole(message=reply.id, form="original"),
        Decide(delivery=delivery.id, verdict="again"),
        Decide(delivery=delivery.id, verdict="nonsense"),
        callbacks.DraftFor(conversation=conversation.id),
        Take(conversation="nothing"),
    ):
        assert await ines.forges(any_card, data) in (not_found, words_gone)
    for forged in (
        Send(draft=draft.draft, seen=9, check=draft.check),
        Undo(draft=draft.draft),
        Discard(draft=draft.draft),
    ):
        assert await ines.forges(any_card, forged) == "Elle est entre les mains d’une collègue."
    for refused in (Place(conversation=conversation.id, page=0), PlaceIn(conversation="x", position=0, check="y")):
        assert "superviseuse" in await ines.forges(any_card, refused)
    assert await slow.conversation() == conversation
    assert ines.sees_nothing_of("Secret", "secrète", "Paul")


@pytest.mark.parametrize(
    "data", ["take", "take:a:b:c", "send:x:notanumber", "unknown:1", "duty:perhaps", "in:a:b:c", ":"]
)
async def test_malformed_button_data_is_answered_and_changes_nothing(stage: Stage, data: str) -> None:
    lea = await stage.join("Léa")
    assert await lea.forges(lea.user.messages()[0], data) == ""
    assert await stage.ledger_is_balanced()
    assert await stage.receipts(DESK, "parked") == []


async def test_an_invitation_makes_one_person_a_secretary_once(stage: Stage) -> None:
    token = "t" * 43
    now = stage.desk.clock()
    await put(stage.store, invite(Role.SECRETARY, token=token, now=now, lifetime=HOUR, name="Zoé"))
    zoe, thief = stage.client(900, "Zoé"), stage.client(901, "Max")
    zoe.user.start(deep_link_payload(token))
    welcome = await zoe.sees("Bienvenue", kind=callbacks.Duty)
    assert await zoe.presses(welcome, callbacks.Duty) == "Vous êtes en service."
    thief.user.start(deep_link_payload(token))
    await thief.sees("Cette invitation a déjà servi")
    thief.user.start(deep_link_payload("x" * 43))
    await thief.sees("Cette invitation n’existe pas")
    assert await stage.store.find_by(SECRETARY_BY_TELEGRAM, 901) is None


# ---------------------------------------------------------------- queue


async def test_two_who_press_take_together_one_gets_it_and_the_other_is_told_who(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès")
    nora = stage.client()
    nora.user.start("bernard")
    nora.writes("Une fuite !")
    cards = [await who.sees("Une fuite !", kind=Take) for who in (lea, ines)]
    told = await asyncio.gather(lea.presses(cards[0], Take), ines.presses(cards[1], Take))
    holder = await stage.holder()
    assert holder in ("Léa", "Inès")
    winner, loser = (0, 1) if holder == "Léa" else (1, 0)
    assert told[winner] == "#1 est à vous."
    assert told[loser] == f"Déjà prise par {holder}."
    await (lea, ines)[loser].sees(f"Chez {holder}")
    assert [await lea.holds() + await ines.holds()] == [1]


async def test_next_takes_what_has_waited_longest_in_her_accounts(stage: Stage) -> None:
    for client, account, text in ((501, "bernard", "Un"), (502, "bernard", "Deux")):
        nora = stage.client(client)
        nora.user.start(account)
        nora.writes(text)
        await stage.quiet()
    ines = await stage.join("Inès", serves=[BERNARD])
    ines.writes("/suivante")
    await ines.sees("Un", kind=Release)
    assert ines.sees_nothing_of("Deux")
    ines.writes("/file")
    shown = await ines.sees("1 demande en attente", "À vous · 1 ouverte")
    assert await ines.presses(shown, callbacks.Next) == "#2 est à vous."
    queue = await ines.sees("File", kind=callbacks.Queue)
    await ines.presses(queue, callbacks.Queue)
    ines.writes("/suivante")
    await ines.sees("Rien n’attend dans la file.")


async def test_what_is_put_back_goes_to_a_colleague_and_both_see_it(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    card = await lea.sees("Allô", kind=Release)
    ines = await stage.join("Inès")
    assert await lea.presses(card, Release) == "#1 est remise en file."
    await ines.sees("Allô", "Pour vous")
    await lea.sees("Chez Inès", "Allô")
    assert (await lea.holds(), await ines.holds()) == (0, 1)


async def test_a_supervisor_puts_a_colleagues_request_back_and_the_colleague_sees_it(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    await lea.sees("Pour vous", "Allô")
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    conversation = await stage.conversation()
    await marc.forges(marc.user.messages()[0], Show(conversation=conversation.id))
    card = await marc.sees("Chez Léa", kind=Release)
    await marc.presses(card, Release)
    await lea.sees("Dans la file", "Allô")
    assert await stage.holder() is None


async def test_who_leaves_gives_back_what_waits_and_it_is_dealt_to_who_is_there(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    await lea.sees("Allô", kind=Release)
    ines = await stage.join("Inès")
    lea.writes("/fin")
    await lea.sees("Au revoir Léa. 1 demande est retournée dans la file.")
    await ines.sees("Allô", "Pour vous")
    assert (await lea.holds(), await ines.holds()) == (0, 1)
    assert not (await stage.store.get(Presence, lea.secretary.id)).on_duty


async def test_who_comes_is_dealt_what_waits_oldest_first(stage: Stage) -> None:
    await stage.mail("Un")
    await stage.mail("Deux")
    await stage.quiet()
    lea = await stage.join("Léa", on_duty=False)
    lea.writes("/ici")
    await lea.sees("Deux", kind=Release)
    order = [text for text in lea.screen if "Pour vous" in text]
    assert ["Un" in order[0], "Deux" in order[1]] == [True, True]
    assert await lea.holds() == 2


async def test_who_comes_is_dealt_what_has_waited_longest_whichever_account_it_is_for(stage: Stage) -> None:
    assert isinstance(stage.desk.accounts, dict)
    bernard = stage.desk.accounts[BERNARD]
    stage.desk.accounts[BERNARD] = msgspec.structs.replace(bernard, assignment=AssignmentMode.AUTOMATIC)
    await stage.mail("Un")
    await stage.quiet()
    nora = stage.client()
    nora.user.start("bernard")
    nora.writes("Deux")
    await stage.quiet()
    await stage.mail("Trois")
    await stage.quiet()
    lea = await stage.join("Léa", on_duty=False, capacity=2)
    lea.writes("/ici")
    await lea.sees("Deux", kind=Release)
    await stage.quiet()
    assert [await stage.holder(number) for number in (1, 2, 3)] == ["Léa", "Léa", None]


async def test_a_request_everyone_declined_does_not_keep_those_behind_it_from_being_dealt(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Un")
    await lea.presses(await lea.sees("Un", kind=Release), Release)
    await lea.sees("Dans la file", "toutes les personnes présentes l’ont remise en file")
    lea.writes("/fin")
    await lea.sees("Au revoir")
    await stage.mail("Deux")
    await stage.quiet()
    lea.writes("/ici")
    await lea.sees("Deux", "Pour vous")
    assert await stage.holder(1) is None


async def test_unsorted_requests_are_seen_by_supervisors_only_and_placed_by_one_press(stage: Stage) -> None:
    lea, marc = await stage.join("Léa", serves=[ROUX]), await stage.join("Marc", role=Role.SUPERVISOR)
    nora = stage.client()
    nora.writes("Allô, je cherche le docteur")
    card = await marc.sees("je cherche le docteur", "À attribuer", kind=Place)
    await marc.presses(card, Place)
    question = await marc.sees("pour quel compte ?", kind=PlaceIn)
    assert labels(question) == ["Dr Hélène Roux", "Plomberie Bernard"]
    assert lea.sees_nothing_of("docteur")
    assert await marc.presses(question, PlaceIn, "Roux") == "Attribuée à Dr Hélène Roux."
    conversation = await stage.conversation()
    assert conversation.account_id == ROUX
    nora.writes("C’est pour jeudi")
    await marc.sees("C’est pour jeudi", "Dr Hélène Roux")
    assert await stage.said() == ["Allô, je cherche le docteur", "C’est pour jeudi"]
    assert "déjà son compte" in await marc.presses(question, PlaceIn, "Bernard")


async def test_a_request_placed_where_the_supervisor_may_not_look_goes_to_somebody_who_may(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, serves=[BERNARD])
    lea = await stage.join("Léa", serves=[ROUX])
    nora = stage.client()
    nora.writes("Pour le docteur")
    await marc.presses(await marc.sees("Pour le docteur", kind=Place), Place)
    await marc.presses(await marc.sees("pour quel compte ?", kind=PlaceIn), PlaceIn, "Roux")
    await lea.sees("Pour le docteur", "Pour vous")
    nora.writes("Ma tension est à 18")
    await lea.sees("Ma tension est à 18")
    assert marc.sees_nothing_of("tension")
    assert (await marc.holds(), await lea.holds()) == (0, 1)


# ---------------------------------------------------------------- drafts


async def test_undo_takes_the_reply_back_and_sending_it_again_sends_it_once(slow: Stage) -> None:
    lea = await slow.join("Léa")
    await slow.mail("Allô")
    lea.writes("Bonsoir", to=await lea.sees("Allô"))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    sent = await lea.sees("Votre réponse", "Bonsoir", kind=Undo)
    assert await lea.presses(sent, Undo) == "Envoi annulé : c’est à nouveau un brouillon."
    await lea.sees("Aperçu de votre réponse", "Bonsoir", kind=Send)
    assert await lea.presses(sent, Undo) == "Ce brouillon n’est plus ouvert."
    assert slow.letters.sent == []
    assert await slow.replies("due") == []


async def test_pressing_send_twice_sends_once(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    lea.writes("Bonsoir", to=await lea.sees("Allô"))
    preview = await lea.sees("Aperçu", kind=Send)
    first, second = await asyncio.gather(lea.presses(preview, Send), lea.presses(preview, Send))
    assert sorted((first, second)) == ["Ce brouillon n’est plus ouvert.", "Part dans 0 s."]
    assert len(stage.letters.sent) == 1


async def test_words_that_reply_to_the_preview_replace_the_draft_and_other_words_follow_it(slow: Stage) -> None:
    lea = await slow.join("Léa")
    await slow.mail("Allô")
    card = await lea.sees("Allô")
    lea.writes("Un.", to=card)
    lea.writes("Deux.", to=await lea.sees("Aperçu", "Un."))
    preview = await lea.sees("Aperçu", "Deux.")
    assert "Un." not in preview["text"]
    lea.writes("Trois.", to=card)
    await lea.sees("Aperçu", "Deux.\n\nTrois.")


async def test_send_on_an_outdated_preview_sends_nothing(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    card = await lea.sees("Allô")
    lea.writes("Un.", to=card)
    outdated = await lea.sees("Aperçu", "Un.", kind=Send)
    lea.writes("Deux.", to=card)
    current = await lea.sees("Aperçu", "Un.\n\nDeux.", kind=Send)
    await stage.quiet()
    assert "a changé" in await lea.forges(outdated, button(outdated, Send) or "")  # pressed just before it was folded
    assert stage.letters.sent == []
    await lea.presses(current, Send)
    assert len(stage.letters.sent) == 1


async def test_send_waits_until_the_preview_shows_an_edit(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    mine = lea.writes("Jeudu", to=await lea.sees("Allô"))
    preview = await lea.sees("Aperçu", "Jeudu", kind=Send)
    stage.telegram.fail_next("editMessageText", delay=0.3)
    lea.user.edit_text(mine["message_id"], "Jeudi")
    pressed = await lea.user.press(preview["message_id"], button(preview, Send) or "")
    assert "a changé" in pressed.text
    assert stage.letters.sent == []
    preview = await lea.sees("Aperçu", "Jeudi", kind=Send)
    await stage.quiet()
    assert await lea.presses(preview, Send) == "Part dans 0 s."
    assert b"Jeudi" in stage.letters.sent[0][1]


async def test_editing_her_own_message_edits_the_draft_in_place(slow: Stage) -> None:
    lea = await slow.join("Léa")
    await slow.mail("Allô")
    mine = lea.writes("Jeudu", to=await lea.sees("Allô"))
    before = await lea.sees("Aperçu", "Jeudu")
    lea.user.edit_text(mine["message_id"], "Jeudi")
    after = await lea.sees("Aperçu", "Jeudi")
    assert after["message_id"] == before["message_id"]
    await lea.presses(after, Discard)
    await lea.sees("Brouillon supprimé")
    lea.user.edit_text(mine["message_id"], "Vendredi")
    await lea.sees("Votre modification n’a rien changé")


async def test_words_that_reply_to_nothing_are_for_the_one_request_that_waits_or_she_is_asked(slow: Stage) -> None:
    lea = await slow.join("Léa")
    lea.writes("Allô ?")
    await lea.sees("Vous ne tenez aucune demande")
    await slow.mail("Un", subject="Premier")
    await lea.sees("Premier")
    lea.writes("Réponse au premier")
    await lea.sees("Aperçu", "Réponse au premier", "Premier")
    await slow.mail("Deux", subject="Second", sender="Ada Roy <ada.roy@example.net>")
    await lea.sees("Second")
    lea.writes("Pour qui ?")
    question = await lea.sees("Pour quelle demande ?", kind=callbacks.DraftFor)
    assert await lea.presses(question, callbacks.DraftFor, "Second") == "Brouillon pour #2."
    await lea.sees("Aperçu", "Second", "Pour qui ?")
    await lea.presses(question, callbacks.DraftFor, "Second")
    preview = await lea.sees("Aperçu", "Second", "Pour qui ?")
    assert preview["text"].count("Pour qui ?") == 1, "pressed twice, written once"
    lea.writes("Et encore ?")
    await slow.quiet()
    question = await lea.sees("Pour quelle demande ?", kind=callbacks.DraftFor)
    for _ in range(2):
        await lea.presses(question, callbacks.DraftFor, "Second")
    await slow.quiet()
    preview = await lea.sees("Aperçu", "Second", "Pour qui ?\n\nEt encore ?")
    assert preview["text"].count("Et encore ?") == 1, "nor joined twice to what was there"


async def test_unknown_commands_are_refused_at_once(stage: Stage) -> None:
    lea = await stage.join("Léa")
    lea.writes("/danse")
    await lea.sees("Je ne connais pas cette commande")
    lea.writes("Allô", to=await lea.sees("Je ne connais pas"))
    await lea.sees("Ce message n’est ni une fiche ni un aperçu")


async def test_what_arrives_meanwhile_blocks_send_until_read(slow: Stage) -> None:
    lea = await slow.join("Léa")
    first = await slow.mail("Jeudi ?")
    lea.writes("Oui.", to=await lea.sees("Jeudi ?"))
    preview = await lea.sees("Aperçu", kind=Send)
    await slow.mail("Non, vendredi !", answers=first)
    await lea.sees("Non, vendredi !", kind=Release)
    assert "lisez-le d’abord" in await lea.presses(preview, Send)
    assert await slow.replies("due") == []
    warned = await lea.sees("⚠", "Non, vendredi !", "Oui.", kind=Send)
    assert await lea.presses(warned, Send) == "Part dans 3600 s."


async def test_a_reply_about_to_leave_is_held_when_its_client_writes_again(slow: Stage) -> None:
    lea = await slow.join("Léa")
    first = await slow.mail("Jeudi ?")
    lea.writes("Oui.", to=await lea.sees("Jeudi ?"))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await slow.mail("Non, vendredi !", answers=first)
    await lea.sees("Elle est retenue")
    await lea.sees("Aperçu", "Non, vendredi !", "Oui.", kind=Send)
    assert await slow.replies("due") == []
    assert await slow.said() == ["Jeudi ?", "Non, vendredi !"]


async def test_an_old_preview_of_a_sent_reply_does_not_count_as_having_read_what_came_since(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("Jeudi ?")
    lea.writes("Oui.", to=await lea.sees("Jeudi ?"))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    old = await lea.sees("Votre réponse", "✓ envoyé")
    stage.letters.failures.append(TemporaryFailure(MAIL, "451", reason="failure.mailbox_busy"))
    await stage.mail("Non, vendredi !", answers=first)
    await stage.quiet()
    lea.writes("À bientôt.", to=old)
    preview = await lea.sees("Aperçu", "À bientôt.", kind=Send)
    assert "Non, vendredi !" in preview["text"]
    assert "quand même" in "".join(labels(preview))


async def test_a_secretary_who_lost_the_conversation_cannot_send(slow: Stage) -> None:
    lea = await slow.join("Léa")
    await slow.mail("Allô")
    card = await lea.sees("Allô", kind=Release)
    lea.writes("Oui.", to=card)
    preview = await lea.sees("Aperçu", kind=Send)
    await slow.join("Inès")
    await lea.presses(card, Release)
    assert await lea.presses(preview, Send) == "Elle est entre les mains d’une collègue."
    lea.writes("Encore", to=card)
    await lea.sees("Elle est entre les mains d’une collègue.")
    assert await slow.replies("due") == []


async def test_closing_ends_it_and_a_new_message_opens_it_again(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client()
    nora.user.start("roux")
    nora.writes("Allô")
    card = await lea.sees("Allô", kind=Close)
    assert await lea.presses(card, Close) == "#1 est close."
    await lea.sees("✔️ Close", "Allô")
    assert await lea.holds() == 0
    assert await lea.presses(card, Close) == "Cette conversation est close."
    nora.writes("Encore une chose")
    await lea.sees("Encore une chose", "le client a réécrit", kind=Close)
    assert (await stage.conversation()).status is Status.OPEN
    assert await lea.holds() == 1


async def test_a_card_that_does_not_show_the_newest_message_does_not_close_it_unread(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("Allô")
    card = await lea.sees("Allô", kind=Close)
    await stage.mail("C’est urgent !", answers=first)
    newer = await lea.sees("C’est urgent !", kind=Close)
    assert "lisez d’abord la fiche à jour" in await lea.presses(card, Close)
    assert (await stage.conversation()).status is Status.OPEN
    assert await lea.presses(newer, Close) == "#1 est close."


async def test_files_of_a_mail_are_handed_over(stage: Stage) -> None:
    lea = await stage.join("Léa")
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "a@example.net", "Papiers", "<p@example.net>"
    mail.set_content("Voici")
    mail.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="un.pdf")
    mail.add_attachment(b"%PDF-2", maintype="application", subtype="pdf", filename="deux.pdf")
    await stage.mail_raw(mail.as_bytes())
    card = await lea.sees("Papiers", "un.pdf", "deux.pdf", kind=Files)
    assert await lea.presses(card, Files) == "2 pièces jointes arrivent."
    handed = [m["document"] for m in lea.user.messages() if "document" in m]
    assert [lea.user.file(d["file_id"])[2] for d in handed] == [b"%PDF-1", b"%PDF-2"]


async def test_the_sounds_of_a_mail_play_in_the_chat_and_its_files_stay_files(stage: Stage) -> None:
    lea = await stage.join("Léa")
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "box@example.net", "Message vocal", "<v@example.net>"
    mail.set_content("De : 01 99 00 12 34")
    broken = b"RIFF" + bytes(2000)
    mail.add_attachment(wav(3), maintype="audio", subtype="x-wav", filename="msg0001.wav")
    mail.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="un.pdf")
    mail.add_attachment(broken, maintype="audio", subtype="x-wav", filename="msg0002.wav")
    await stage.mail_raw(mail.as_bytes())
    card = await lea.sees("🎤 msg0001.wav (0:03 · ", "un.pdf", "🎤 msg0002.wav (2", kind=Listen)
    assert await lea.presses(card, Listen) == "2 messages vocaux arrivent."
    heard, as_it_is = (m for m in lea.user.messages() if "caption" in m)
    assert heard["caption"] == "#1 · msg0001.wav"
    assert heard["voice"]["duration"] == 3
    assert length_of(lea.user.file(heard["voice"]["file_id"])[2]) == pytest.approx(3, abs=0.1)
    assert lea.user.file(as_it_is["document"]["file_id"])[2] == broken, "what cannot be played is not lost"
    await lea.presses(card, Files)
    handed = [m["document"] for m in lea.user.messages() if "document" in m][1:]
    assert [lea.user.file(d["file_id"])[2] for d in handed] == [wav(3), b"%PDF-1", broken]


async def test_a_mail_is_handed_over_whole_as_a_page_or_as_it_came(stage: Stage) -> None:
    lea = await stage.join("Léa")
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "a@example.net", "Le contrat", "<c@example.net>"
    mail.set_content("Premier article\n" + "Article suivant\n" * 10_000)
    raw = mail.as_bytes()
    await stage.mail_raw(raw)
    card = await lea.sees("Le contrat", "message abrégé", kind=Whole)
    assert await lea.presses(card, Whole, "Mail complet") == "Le mail complet arrive."
    assert await lea.presses(card, Whole, "Original") == "L’original arrive."
    assert await lea.presses(card, Whole, "Original") == "L’original arrive.", "pressed twice, it comes twice"
    page, original, again = [lea.user.file(m["document"]["file_id"]) for m in lea.user.messages() if "document" in m]
    assert page[2].count(b"Article suivant") == 10_000
    assert b"Copie s\xc3\xbbre de ce mail" in page[2]
    assert original[2] == again[2] == raw
    names = [m["document"]["file_name"] for m in lea.user.messages() if "document" in m]
    assert names == ["Le contrat.html", "Le contrat.eml", "Le contrat.eml"]


async def test_an_original_that_telegram_does_not_take_is_said_so(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Mot " * 40_000)
    card = await lea.sees("message abrégé", kind=Whole)
    stage.telegram.fail_next("sendDocument", status=413, description="Request Entity Too Large")
    await lea.presses(card, Whole, "Original")
    await lea.sees("Le fichier est trop gros pour Telegram.")


async def test_who_forges_a_client_is_not_let_into_their_conversation(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("Voici mon dossier", sender="paul@client.example")
    await lea.sees("Voici mon dossier")
    forged = EmailMessage()
    forged["Authentication-Results"] = "mx.cabinet.example; dmarc=fail (p=reject) header.from=client.example"
    forged["Received"] = "from evil.example by mx.cabinet.example; Mon, 2 Mar 2026 09:00:00 +0100"
    forged["From"], forged["Subject"], forged["In-Reply-To"] = "paul@client.example", "Re: Rendez-vous", f"<{first}>"
    forged.set_content("Voici mon nouvel IBAN")
    await stage.mail_raw(forged.as_bytes())
    await lea.sees("nouvel IBAN", "Expéditeur falsifié", "Fait référence à #1")
    assert await stage.said(1) == ["Voici mon dossier"]
    assert await stage.said(2) == ["Voici mon nouvel IBAN"]


async def test_who_looks_like_somebody_of_the_matter_is_named(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("Voici mon dossier", sender="paul@clinique-durand.example")
    await stage.mail("Nouvel IBAN", sender="paul@clinique-durant.example", answers=first)
    await lea.sees("Nouvel IBAN", "paul@clinique-durant.example ressemble à paul@clinique-durand.example")


async def test_a_reply_that_is_led_elsewhere_says_so_before_it_leaves(stage: Stage) -> None:
    lea = await stage.join("Léa")
    mail = EmailMessage()
    mail["From"], mail["Reply-To"], mail["Subject"] = "paul@client.example", "paul@elsewhere.example", "Devis"
    mail.set_content("Répondez-moi ici")
    await stage.mail_raw(mail.as_bytes())
    lea.writes("Oui", to=await lea.sees("Ses réponses doivent aller à paul@elsewhere.example"))
    await lea.sees("Aperçu", "Part à une autre adresse que celle qui a écrit : paul@client.example")


# ---------------------------------------------------------------- what leaves


async def test_a_temporary_failure_is_tried_again_and_shown_meanwhile(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    stage.letters.failures.append(TemporaryFailure(MAIL, "451", reason="failure.mailbox_busy"))
    lea.writes("Bonsoir", to=await lea.sees("Allô"))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    retrying = await lea.sees("Votre réponse", "nouvel essai prévu", kind=Undo)
    assert await lea.presses(retrying, Undo) == "Envoi annulé : c’est à nouveau un brouillon."
    assert stage.letters.sent == []


async def test_a_refusal_is_shown_and_sent_again_by_a_press(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    stage.letters.failures.append(PermanentFailure(MAIL, "550", reason="failure.recipient_refused"))
    lea.writes("Bonsoir", to=await lea.sees("Allô"))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    card = await lea.sees("La réponse n’est pas partie.", "refuse nos messages", kind=Decide)
    assert "déjà" not in await lea.presses(card, Decide, "Renvoyer")
    await lea.sees("Répondu", "Bonsoir")
    assert len(stage.letters.sent) == 1
    assert await lea.presses(card, Decide, "Renvoyer") == "C’est déjà réglé."
    assert len(stage.letters.sent) == 1


async def test_what_may_have_left_is_put_before_a_person_and_never_repeated(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    stage.letters.failures.append(OutcomeUnknown(MAIL, "the final dot", reason="failure.connection"))
    lea.writes("Bonsoir", to=await lea.sees("Allô"))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    card = await lea.sees("peut-être partie", kind=Decide)
    assert {"🔁 Renvoyer", "✓ C’est arrivé", "🚫 Abandonner"} <= set(labels(card))
    assert await lea.presses(card, Close) == "Une réponse n’est pas encore partie, ou attend votre décision."
    assert await lea.presses(card, Decide, "C’est arrivé") == "Noté : c’est arrivé."
    await lea.sees("Répondu", "Bonsoir")
    assert stage.letters.sent == []


async def test_a_failed_reply_stays_on_the_card_however_much_is_said_after_it(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("Allô")
    stage.letters.failures.append(PermanentFailure(MAIL, "550", reason="failure.recipient_refused"))
    lea.writes("Bonsoir", to=await lea.sees("Allô"))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await lea.sees("La réponse n’est pas partie.")
    for n in range(14):
        await stage.mail(f"Suite {n}", answers=first)
    await lea.sees("Suite 13", "La réponse n’est pas partie.", kind=Decide)


async def test_a_reply_that_is_being_handed_over_when_the_worker_dies_is_unknown_afterwards(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        lea = await stage.join("Léa")
        await stage.mail("Allô")
        stage.letters.open.clear()
        lea.writes("Bonsoir", to=await lea.sees("Allô"))
        preview = await lea.sees("Aperçu", kind=Send)
        await lea.user.press(preview["message_id"], button(preview, Send) or "")
        await stage.letters.leaving.wait()
    async with Stage(tmp_path / "desk.db", seeded=True) as again:
        await again.quiet()
        (lost,) = await again.replies("unknown")
        assert lost.error == "failure.worker_died"
        assert again.letters.sent == []


async def test_a_card_that_telegram_may_have_shown_is_shown_again_and_a_reply_to_either_works(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_WAIT", timedelta(milliseconds=10))
    lea = await stage.join("Léa")
    stage.telegram.fail_next("sendMessage", drop="after")
    await stage.mail("Allô")
    assert await lea.user.wait_for(lambda _: sum("Allô" in text for text in lea.screen) == 2)
    await stage.quiet()
    first, second = [m for m in lea.user.messages() if "Allô" in str(m.get("text"))]
    lea.writes("Par la première", to=first)
    await lea.sees("Aperçu", "Par la première")
    lea.writes("Par la seconde", to=second)
    await lea.sees("Aperçu", "Par la première\n\nPar la seconde")


# ---------------------------------------------------------------- many at once


async def test_a_hundred_clients_who_write_at_once_are_all_received_and_every_count_is_right(stage: Stage) -> None:
    # Every one of them changes how much the same person holds.
    lea = await stage.join("Léa", capacity=90)
    clients = [stage.client(5000 + n, f"Client {n}") for n in range(100)]
    for client in clients:
        client.writes("Allô", token=CABINET_TOKEN)
    await stage.quiet()
    assert await stage.receipts(CABINET, "parked") == []
    assert len(await stage.receipts(CABINET, "handled")) == 100
    assert await stage.ledger_is_balanced()
    assert await lea.holds() == 90
    assert await stage.count_conversations() == 100


async def test_an_update_of_an_unknown_kind_is_kept_and_the_rest_goes_on(stage: Stage) -> None:
    lea = await stage.join("Léa")
    stage.telegram.inject({"message_from_the_future": {"chat": {"id": 501}}})
    stage.telegram.inject({"message": {"message_id": 3}})
    nora = stage.client()
    nora.user.start("roux")
    nora.writes("Allô")
    await lea.sees("Allô")
    await stage.quiet()
    assert any("unknown update type" in (r.reason or "") for r in await stage.receipts(DESK, "ignored"))
    assert len(await stage.receipts(DESK, "parked")) == 1
    assert await stage.ledger_is_balanced()


async def test_a_bug_in_reading_parks_its_receipt_and_stops_nothing_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lea = await stage.join("Léa")
    reading = stage.letters.read

    def breaks(raw: bytes) -> object:
        if b"poison" in raw:
            raise RecursionError
        return reading(raw)

    monkeypatch.setattr(stage.letters, "read", breaks)
    await stage.mail("poison")
    await stage.mail("Allô")
    await lea.sees("Allô")
    (parked,) = await stage.receipts(MAIL, "parked")
    assert parked.error == "RecursionError while it was read; see the log"
    assert await stage.ledger_is_balanced()


async def test_in_english_she_reads_english(stage: Stage) -> None:
    ann = await stage.join("Ann", language="en")
    await stage.mail("Allô")
    card = await ann.sees("Yours", "only Ann is on duty", kind=Release)
    assert "✋ Take" not in labels(card)
    ann.writes("/queue")
    await ann.sees("Queue", "Yours")


async def test_a_draft_is_kept_from_its_first_word(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        lea = await stage.join("Léa")
        await stage.mail("Allô")
        lea.writes("Un long texte", to=await lea.sees("Allô"))
        await lea.sees("Aperçu")
    async with Stage(tmp_path / "desk.db", seeded=True) as again:
        conversation = await again.conversation()
        found = await again.store.find_by(DRAFT_OPEN, f"{conversation.id}:{conversation.assignee_id}")
        assert found is not None
        assert (found.text, found.state) == ("Un long texte", DraftState.OPEN)


async def test_who_leaves_gives_back_what_waits_however_much_she_has_answered_and_left_open(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "PAGE", 2)
    lea = await stage.join("Léa")
    answered = [a_conversation(holder=lea.secretary, waiting=False) for _ in range(5)]
    contact = a_contact()
    await put(stage.store, contact, *(msgspec.structs.replace(c, contact_id=contact.id) for c in answered))
    await stage.mail("Allô")
    await lea.sees("Allô", kind=Release)
    lea.writes("/fin")
    await lea.sees("1 demande est retournée dans la file.")
    assert await lea.holds() == 0
    assert await stage.store.count(CONVERSATIONS_QUEUED_ANYWHERE) == 1


async def test_an_older_preview_is_folded_so_that_nobody_sends_words_it_does_not_show(slow: Stage) -> None:
    lea = await slow.join("Léa")
    await slow.mail("Allô")
    card = await lea.sees("Allô", kind=Release)
    lea.writes("Un.", to=card)
    first = await lea.sees("Aperçu", "Un.", kind=Send)
    lea.writes("Deux.", to=card)
    await lea.sees("Aperçu", "Un.\n\nDeux.", kind=Send)
    await slow.quiet()
    (folded,) = [m for m in lea.user.messages() if m["message_id"] == first["message_id"]]
    assert folded["text"] == "#1 · l’aperçu à jour est plus bas ↓"
    assert labels(folded) == []


async def test_whoever_asks_for_a_file_that_cannot_be_handed_over_is_told_why(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client()
    nora.user.start("roux")
    nora.user.send_file("document", "film.mov", "video/quicktime", b"x", caption="Regardez")
    card = await lea.sees("Regardez", "film.mov", kind=Files)
    stage.telegram.fail_next("sendDocument", status=413, description="Request Entity Too Large")
    await lea.presses(card, Files)
    await lea.sees("Le fichier est trop gros pour Telegram.")


async def test_a_long_unsorted_conversation_is_placed_whole(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "PAGE", 2)
    marc, nora = await stage.join("Marc", role=Role.SUPERVISOR), stage.client()
    for n in range(5):
        nora.writes(f"Message {n}")
    await stage.quiet()
    await marc.presses(await marc.sees("Message 4", kind=Place), Place)
    await marc.presses(await marc.sees("pour quel compte ?", kind=PlaceIn), PlaceIn, "Roux")
    conversation = await stage.conversation()
    messages = await stage.store.list(MESSAGES_OF_CONVERSATION, conversation.id)
    assert [m.account_id for m in messages] == [ROUX] * 5


async def test_a_mail_that_its_account_has_already_is_not_placed_there_twice(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", own_account={CABINET: ROUX}) as stage:
        marc = await stage.join("Marc", role=Role.SUPERVISOR)
        await stage.mail("Pour qui ?", message_id="one@example.net", to="info@permanence.example")
        card = await marc.sees("Pour qui ?", kind=Place)
        here = await stage.conversation()
        await put(
            stage.store,
            msgspec.structs.replace(a_message(here, external_id="one@example.net"), account_id=ROUX, position=9),
        )
        await marc.presses(card, Place)
        told = await marc.presses(await marc.sees("pour quel compte ?", kind=PlaceIn), PlaceIn, "Roux")
        assert told == "Ce message est déjà chez Dr Hélène Roux : vous pouvez clore celui-ci."


# ---------------------------------------------------------------- the open reply box


def puts_into_replying(message: Seen) -> bool:
    return bool((message.get("reply_markup") or {}).get("force_reply"))


async def test_what_she_takes_opens_her_reply_box_and_what_comes_by_itself_never(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Bonjour")
    card = await lea.sees("Bonjour", kind=Close)
    assert not puts_into_replying(card), "she may be writing to somebody else"
    await lea.presses(card, Release)
    await stage.mail("Et moi ?", sender="Jean <jean@example.net>")
    lea.writes("/suivante")
    taken = await lea.user.wait_for(puts_into_replying, seconds=5)
    assert taken is not None
    assert await stage.holder() is not None
    lea.writes("Bien reçu.", to=taken)
    await lea.sees("Aperçu", "Bien reçu.", kind=Send)
    await stage.quiet()
    again = next(m for m in lea.user.messages() if m["message_id"] == taken["message_id"])
    assert puts_into_replying(again), "an edit cannot change it (Bot API 10.3)"
