"""A doctor's own Telegram: the desk answers there in her name, and she sees and does what she likes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from channels.base import Arrival
from handlers.callbacks import ChooseBusiness, Close, Menu, MoveTo, Place, PlaceIn, Send, Take, Undo
from handlers.incoming import accepting
from inbox.model import BusinessConnection, Message, Principal, Role, Status
from inbox.store.base import Changes
from inbox.store.documents import MESSAGES_OF_CONVERSATION
from tests.builders import BERNARD, DESK, MAIL, NOW, ROUX, put
from tests.handlers.stage import CABINET_TOKEN, Clock, Seat, Stage, button


def principal(user_id: int = 701, name: str = "Hélène Roux", *accounts: str) -> Principal:
    return Principal(
        id=f"principal-{user_id}",
        name=name,
        telegram_user_id=user_id,
        chat_id=user_id,
        channel_id=DESK,
        language="fr",
        accounts=tuple(accounts or (ROUX,)),  # type: ignore[arg-type]
        joined_at=NOW,
    )


async def doctor(stage: Stage, *accounts: str, may_reply: bool = True) -> Seat:
    """She speaks for her account, and connected the desk's bot to her own Telegram."""
    await put(stage.store, principal(701, "Hélène Roux", *accounts))
    helene = stage.client(701, "Hélène")
    helene.user.start("")
    helene.user.connect(may_reply=may_reply)
    await stage.quiet()
    return helene


def talk(one: Seat, other: Seat) -> list[str]:
    """What stands in the chat between two people, on the first one's screen."""
    return [str(m["text"]) for m in one.user.talk_with(other.user)]


async def messages(stage: Stage, number: int = 1) -> list[Message]:
    return await stage.store.list(MESSAGES_OF_CONVERSATION, (await stage.conversation(number)).id)


async def sends(lea: Seat, words: str, to: str) -> None:
    card = await lea.sees(to, kind=Close)
    lea.writes(words, to=card)
    await lea.presses(await lea.sees("Aperçu", words, kind=Send), Send)


async def test_her_patient_is_answered_in_her_own_telegram_in_her_name(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client(501, "Nora")
    helene = await doctor(stage)
    await helene.sees("C’est fait", "Dr Hélène Roux")
    nora.user.writes_to(helene.user, "Bonjour docteur, puis-je avancer mon rendez-vous ?")
    await lea.sees(
        "Nora",
        "avancer mon rendez-vous",
        "Dans le Telegram de Hélène",
        "réponse possible au plus tard demain",
        kind=Close,
    )
    assert talk(nora, helene) == ["Bonjour docteur, puis-je avancer mon rendez-vous ?"], "nothing by itself in her name"
    await sends(lea, "Oui, jeudi à 9 h.", "avancer mon rendez-vous")
    await stage.quiet()
    assert talk(nora, helene)[-1] == "Oui, jeudi à 9 h.", "without the line that says for which account a bot speaks"
    assert talk(helene, nora) == talk(nora, helene)
    (answer,) = [m for m in nora.user.talk_with(helene.user) if m["from"]["id"] == 701]
    assert "sender_business_bot" not in answer
    assert not nora.screen, "the bot itself wrote to her never"
    conversation = await stage.conversation()
    assert conversation.waiting_since_at is None
    # Our own reply comes back as an update of hers, and changes nothing.
    assert [m.text for m in await messages(stage)] == talk(nora, helene)


async def test_a_reply_quotes_what_it_answers_and_an_answer_to_it_finds_the_same_matter(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    asked = nora.user.writes_to(helene.user, "Une ordonnance ?")
    await sends(lea, "Elle est prête.", "Une ordonnance ?")
    await stage.quiet()
    there = helene.user.talk_with(nora.user)[-1]
    assert there["reply_to_message"]["text"] == asked["text"]
    nora.user.writes_to(helene.user, "Merci !", reply_to=nora.user.talk_with(helene.user)[-1]["message_id"])
    await lea.sees("Merci !", kind=Close)
    assert await stage.count_conversations() == 1


async def test_files_go_both_ways_and_an_album_is_one_message(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    bot = stage.telegram.bot()
    for name in ("un.jpg", "deux.jpg"):
        kept = bot.keep("photo", b"\xff\xd8" + name.encode(), name)
        nora.user.writes_to(helene.user, "", content={**kept, "media_group_id": "77"})
    card = await lea.sees("photo-1.jpg", "photo-2.jpg", kind=Close)
    assert await stage.count_conversations() == 1
    lea.user.send_file("document", "ordonnance.pdf", "application/pdf", b"%PDF", reply_to=card["message_id"])
    await lea.presses(await lea.sees("Aperçu", "ordonnance.pdf", kind=Send), Send)
    await stage.quiet()
    assert nora.user.talk_with(helene.user)[-1]["document"]["file_name"] == "ordonnance.pdf"


async def test_what_she_answers_herself_leaves_the_queue_and_is_seen(stage: Stage) -> None:
    nora, helene = stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Puis-je passer ?")
    await stage.quiet()
    assert (await stage.conversation()).queued_at is not None
    helene.user.writes_to(nora.user, "Oui, tout de suite.")
    await stage.quiet()
    conversation = await stage.conversation()
    assert (conversation.status, conversation.queued_at, conversation.waiting_since_at) == (Status.CLOSED, None, None)
    lea = await stage.join("Léa")
    nora.user.writes_to(helene.user, "Et demain ?")
    await lea.sees("Puis-je passer", "Hélène Roux", "Oui, tout de suite.", "Et demain ?", kind=Close)
    assert (await stage.conversation()).status is Status.OPEN
    assert await lea.holds() == 1


async def test_a_reply_in_preparation_does_not_leave_once_she_answered_herself(stage: Stage) -> None:
    async with Stage(stage._path.with_name("undo.db"), undo=timedelta(minutes=1)) as slow:
        lea, nora, helene = await slow.join("Léa"), slow.client(501, "Nora"), await doctor(slow)
        nora.user.writes_to(helene.user, "Le résultat ?")
        await sends(lea, "Nous vous rappelons.", "Le résultat ?")
        await lea.sees("Nous vous rappelons", kind=Undo)
        helene.user.writes_to(nora.user, "Il est bon, rassurez-vous.")
        await lea.sees("Le résultat ?", "Il est bon", kind=Close)
        await lea.sees("retenue")
        await slow.quiet()
        assert talk(nora, helene) == ["Le résultat ?", "Il est bon, rassurez-vous."]
        assert await lea.holds() == 0, "nobody waits any more"
        assert await slow.holder() == "Léa", "it stays hers until she closes it"


async def test_a_draft_begun_before_she_answered_shows_her_words_above_it(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Le résultat ?")
    lea.writes("Nous vous rappelons.", to=await lea.sees("Le résultat ?", kind=Close))
    await lea.sees("Aperçu", "Nous vous rappelons", kind=Send)
    helene.user.writes_to(nora.user, "Il est bon, rassurez-vous.")
    await lea.sees("Aperçu", "Il est bon, rassurez-vous.", "Nous vous rappelons")


async def test_what_her_telegram_says_by_itself_answers_nobody(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Le résultat ?")
    await lea.sees("Le résultat ?", kind=Close)
    helene.user.writes_to(nora.user, "", content={"text": "Je suis en congé.", "is_from_offline": True})
    await lea.sees("Le résultat ?", "Hélène Roux", "Je suis en congé.", "⏳", kind=Close)
    assert await lea.holds() == 1


async def test_whom_the_desk_works_for_no_longer_it_answers_for_no_longer(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Un mot ?")
    lea.writes("Voici.", to=await lea.sees("Un mot ?", kind=Close))
    preview = await lea.sees("Aperçu", kind=Send)
    known = await stage.store.get(Principal, "principal-701")
    left = msgspec.structs.replace(known, accounts=(), active=False)
    await stage.store.commit(Changes(replacements=[left]))
    assert "a retiré le secrétariat" in await lea.presses(preview, Send)
    nora.user.writes_to(helene.user, "Vous êtes là ?")
    await stage.quiet()
    assert talk(nora, helene) == ["Un mot ?", "Vous êtes là ?"]
    assert await stage.said() == ["Un mot ?"]


async def test_edits_and_deletions_are_mirrored(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Je viens à 9 h")
    await lea.sees("Je viens à 9 h", kind=Close)
    nora.user.writes_to(helene.user, "Mon code est 4711")
    await lea.sees("4711", kind=Close)
    first, second = (m["message_id"] for m in helene.user.talk_with(nora.user))
    nora.user.edits_to(helene.user, first, "Je viens à 10 h")
    await lea.sees("Je viens à 10 h", "modifié", kind=Close)
    nora.user.deletes_with(helene.user, second)
    card = await lea.sees("Mon code est 4711", "supprimé", kind=Close)
    struck = [e for e in card["entities"] if e["type"] == "strikethrough"]
    text = card["text"].encode("utf-16-le")
    words = [text[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le") for e in struck]
    assert words == ["Mon code est 4711"]
    assert (await stage.conversation()).waiting_since_at is not None, "the other message waits still"
    nora.user.deletes_with(helene.user, first)
    await lea.sees("✓", "Je viens à 10 h", "supprimé", kind=Close)
    await stage.quiet()
    assert await lea.holds() == 0


async def test_an_away_message_does_not_hide_what_the_client_said_above_a_draft(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Puis-je venir ?")
    lea.writes("Oui.", to=await lea.sees("Puis-je venir ?", kind=Close))
    await lea.sees("Aperçu", "Oui.", kind=Send)
    nora.user.writes_to(helene.user, "Non, annulez tout.")
    helene.user.writes_to(nora.user, "", content={"text": "Je suis en congé.", "is_from_offline": True})
    await stage.quiet()
    await lea.sees("Aperçu", "Arrivé depuis", "Non, annulez tout.", "Réponse automatique", "Oui.")


async def test_of_an_album_a_part_may_go_and_the_rest_still_waits(stage: Stage) -> None:
    nora, helene = stage.client(501, "Nora"), await doctor(stage)
    bot = stage.telegram.bot()
    for name in ("un.jpg", "deux.jpg"):
        kept = bot.keep("photo", b"\xff\xd8" + name.encode(), name)
        nora.user.writes_to(helene.user, "", content={**kept, "media_group_id": "77"})
    await stage.quiet()
    first, second = (m["message_id"] for m in helene.user.talk_with(nora.user))
    nora.user.deletes_with(helene.user, second)
    await stage.quiet()
    assert (await stage.conversation()).queued_at is not None
    lea = await stage.join("Léa")
    await lea.sees("photo-1.jpg", "supprimé en partie", "⏳", kind=Close)
    nora.user.deletes_with(helene.user, first)
    await lea.sees("photo-1.jpg", "supprimé à", "✓", kind=Close)


async def test_of_a_reply_in_several_messages_what_she_takes_out_is_seen(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Racontez-moi tout")
    card = await lea.sees("Racontez-moi", kind=Close)
    for words in ("Un début. " * 300, "Une suite. " * 300):
        lea.writes(words, to=card)
        await stage.quiet()
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    *_, one, other = helene.user.talk_with(nora.user)
    helene.user.edits_to(nora.user, other["message_id"], "Plus court.")
    await stage.quiet()
    assert "Une suite." in (await stage.said())[-1], "the other part is not thrown away for it"
    helene.user.deletes_with(nora.user, other["message_id"])
    await lea.sees("Racontez-moi", "supprimé en partie")
    helene.user.deletes_with(nora.user, one["message_id"])
    await lea.sees("Racontez-moi", "supprimé à")


async def test_what_was_deleted_before_anybody_held_it_waits_for_nobody(stage: Stage) -> None:
    nora, helene = stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Oups, mauvais destinataire")
    await stage.quiet()
    nora.user.deletes_with(helene.user, helene.user.talk_with(nora.user)[0]["message_id"])
    await stage.quiet()
    conversation = await stage.conversation()
    assert (conversation.status, conversation.queued_at) == (Status.CLOSED, None)
    lea = await stage.join("Léa")
    await stage.quiet()
    assert lea.sees_nothing_of("mauvais destinataire")


async def test_a_reply_written_before_a_deletion_is_held(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Annulez jeudi")
    card = await lea.sees("Annulez jeudi", kind=Close)
    nora.user.writes_to(helene.user, "ou plutôt vendredi")
    await lea.sees("ou plutôt vendredi", kind=Close)
    lea.writes("C’est annulé jeudi.", to=card)
    await lea.sees("Aperçu", "C’est annulé jeudi", kind=Send)
    numbers = [m["message_id"] for m in helene.user.talk_with(nora.user)]
    nora.user.deletes_with(helene.user, numbers[0])
    await stage.quiet()
    preview = await lea.sees("C’est annulé jeudi", "arrivés depuis", "Annulez jeudi", "supprimé", kind=Send)
    assert (await stage.conversation()).inbound_count == 3
    await lea.presses(preview, Send)
    await stage.quiet()
    assert talk(nora, helene)[-1] == "C’est annulé jeudi.", "shown with what changed, it may leave"


async def test_what_she_edits_of_what_was_answered_is_seen(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "À quelle heure ?")
    await sends(lea, "À 9 h.", "À quelle heure ?")
    await stage.quiet()
    helene.user.edits_to(nora.user, helene.user.talk_with(nora.user)[-1]["message_id"], "À 9 h 30.")
    await lea.sees("À quelle heure ?", "À 9 h 30.", "modifié")
    newest = (await messages(stage))[-1]
    assert newest.text == "À 9 h 30."
    assert [r.text for r in newest.revisions] == ["À 9 h."]


async def test_after_a_day_of_silence_nothing_leaves_and_she_who_writes_knows_why(stage: Stage, clock: Clock) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Rappelez-moi")
    card = await lea.sees("Rappelez-moi", kind=Close)
    lea.writes("Bien sûr.", to=card)
    preview = await lea.sees("Aperçu", kind=Send)
    clock.ahead = timedelta(hours=24, minutes=1)
    assert "24 heures" in await lea.presses(preview, Send)
    await stage.quiet()
    assert talk(nora, helene) == ["Rappelez-moi"]
    assert not await stage.replies("dead")


async def test_what_telegram_refuses_after_a_day_is_put_before_her(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Rappelez-moi")
    stage.telegram.fail_next("sendMessage", status=400, description="BUSINESS_PEER_USAGE_MISSING", chat_id=501)
    await sends(lea, "Bien sûr.", "Rappelez-moi")
    await lea.sees("Rappelez-moi", "Telegram ne laisse plus répondre")
    assert talk(nora, helene) == ["Rappelez-moi"]


@pytest.mark.parametrize("how", ["mute", "off"])
async def test_without_the_right_to_answer_nothing_leaves(stage: Stage, how: str) -> None:
    lea, nora = await stage.join("Léa"), stage.client(501, "Nora")
    helene = await doctor(stage)
    nora.user.writes_to(helene.user, "Un mot ?")
    card = await lea.sees("Un mot ?", kind=Close)
    lea.writes("Voici.", to=card)
    preview = await lea.sees("Aperçu", kind=Send)
    if how == "mute":
        helene.user.connect(may_reply=False)
        await helene.sees("n’a pas le droit d’y répondre")
    else:
        helene.user.disconnect()
        await helene.sees("ne lit et n’écrit plus rien")
    said = await lea.presses(preview, Send)
    assert ("n’a pas donné le droit" if how == "mute" else "a retiré le secrétariat") in said
    helene.user.connect(anew=True)
    await stage.quiet()
    await lea.presses(preview, Send)
    await stage.quiet()
    assert talk(nora, helene)[-1] == "Voici.", "under the new connection, in the same conversation"


async def test_nothing_is_read_in_the_telegram_of_somebody_nobody_works_for(stage: Stage) -> None:
    lea, nora, stranger = await stage.join("Léa"), stage.client(501, "Nora"), stage.client(801, "Victor")
    stranger.user.start("")
    stranger.user.connect()
    await stranger.sees("le secrétariat ne travaille pas pour vous")
    nora.user.writes_to(stranger.user, "Un secret")
    stranger.user.writes_to(nora.user, "Le mien")
    await stage.quiet()
    assert await stage.count_conversations() == 0
    assert lea.sees_nothing_of("secret", "Le mien")
    ignored = await stage.receipts(DESK, "ignored")
    assert len([r for r in ignored if r.erased_at is not None]) == 2
    assert await stage.ledger_is_balanced()


async def test_her_own_matters_in_chats_the_desk_has_no_part_in_are_not_kept(stage: Stage) -> None:
    nora, helene = stage.client(501, "Nora"), await doctor(stage)
    helene.user.writes_to(nora.user, "On dîne ce soir ?")
    await stage.quiet()
    assert await stage.count_conversations() == 0
    (only,) = [r for r in await stage.receipts(DESK, "ignored") if r.reason == "nothing of the desk's in that chat"]
    assert only.erased_at is not None


async def test_who_connected_it_while_nobody_listened_is_asked_for(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client(501, "Nora")
    helene = await doctor(stage)
    connection = await stage.store.get(BusinessConnection, f"{DESK}:701")
    await stage.store.commit(Changes(deletions=[connection]))
    nora.user.writes_to(helene.user, "Toujours là ?")
    await lea.sees("Toujours là ?", "Dans le Telegram de Hélène", kind=Close)


async def test_the_same_person_by_the_bot_and_by_her_telegram_has_two_matters_and_each_its_way(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.start(ROUX)
    nora.writes("Par le robot")
    await lea.sees("Par le robot", kind=Close)
    # Her own Telegram numbers its messages by itself: the same numbers name others.
    for number in range(1, 6):
        nora.user.writes_to(helene.user, f"Chez elle {number}")
    await lea.sees("Chez elle 5", kind=Close)
    await stage.quiet()
    assert await stage.said(1) == ["Par le robot"]
    assert len(await stage.said(2)) == 5
    assert (await stage.conversation(1)).contact_id == (await stage.conversation(2)).contact_id
    await sends(lea, "Réponse du robot", "Par le robot")
    await stage.quiet()
    await nora.sees("Réponse du robot")
    assert "Réponse du robot" not in talk(nora, helene)


async def test_a_patient_of_hers_comes_for_no_account_of_the_bots_by_that(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.start(BERNARD)
    nora.user.writes_to(helene.user, "Chez le docteur")
    await lea.sees("Chez le docteur", kind=Close)
    nora.writes("Chez le plombier")
    await lea.sees("Chez le plombier", kind=Take)
    assert (await stage.conversation(1)).account_id == ROUX
    assert (await stage.conversation(2)).account_id == BERNARD


async def test_who_speaks_for_two_accounts_says_for_which_and_until_then_a_supervisor_places_it(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR)
    nora, paul = stage.client(501, "Nora"), stage.client(502, "Paul")
    helene = await doctor(stage, ROUX, BERNARD)
    question = await helene.sees("pour lequel de vos comptes", kind=ChooseBusiness)
    nora.user.writes_to(helene.user, "Une fuite")
    await marc.sees("Une fuite", kind=Close)
    conversation = await stage.conversation()
    await marc.presses(await marc.sees("Une fuite", kind=Place), Place)
    await marc.presses(await marc.sees("pour quel compte", kind=PlaceIn), PlaceIn, "Bernard")
    assert (await stage.conversation()).account_id == BERNARD
    nora.user.writes_to(helene.user, "Au deuxième")
    await marc.sees("Une fuite", "Au deuxième")
    assert (await stage.conversation()).id == conversation.id
    await helene.presses(question, ChooseBusiness, "Roux")
    await helene.sees("C’est fait", "Dr Hélène Roux")
    paul.user.writes_to(helene.user, "Un rendez-vous")
    await marc.sees("Un rendez-vous", kind=Close)
    assert (await stage.conversation(2)).account_id == ROUX


async def two_accounts(stage: Stage) -> tuple[Seat, Seat]:
    """She speaks for Roux and Bernard; in each Nora wrote once and was answered by the desk."""
    helene = await doctor(stage, ROUX, BERNARD)
    question = await helene.sees("pour lequel de vos comptes", kind=ChooseBusiness)
    await helene.presses(question, ChooseBusiness, "Bernard")
    return helene, stage.client(501, "Nora")


async def test_what_she_answers_goes_where_what_she_answers_is(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR)
    helene, nora = await two_accounts(stage)
    question = await helene.sees("C’est fait", "Plomberie Bernard")
    nora.user.writes_to(helene.user, "Une fuite")
    await marc.presses(await marc.sees("Une fuite", kind=Take), Take)
    card = await marc.sees("Une fuite", kind=Close)
    await marc.presses(card, Close)
    asked = await helene.sees("pour lequel de vos comptes", kind=ChooseBusiness)
    del question
    await helene.presses(asked, ChooseBusiness, "Roux")
    nora.user.writes_to(helene.user, "Un rendez-vous")
    await marc.sees("Un rendez-vous", kind=Close)
    assert [(await stage.conversation(n)).account_id for n in (1, 2)] == [BERNARD, ROUX]
    helene.user.writes_to(nora.user, "Jeudi.")
    await stage.quiet()
    assert await stage.said(2) == ["Un rendez-vous", "Jeudi."], "the open one, not the last of another account"
    assert await stage.said(1) == ["Une fuite"]


async def test_words_of_one_account_do_not_come_into_another_as_what_is_answered(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR)
    helene, nora = await two_accounts(stage)
    nora.user.writes_to(helene.user, "Le code est 4711")
    await stage.quiet()
    number = nora.user.talk_with(helene.user)[0]["message_id"]
    known = await stage.store.get(Principal, "principal-701")
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(known, accounts=(ROUX,))]))
    nora.user.writes_to(helene.user, "Et jeudi ?", reply_to=number)
    card = await marc.sees("Et jeudi ?", kind=Close)
    assert (await stage.conversation(2)).account_id == ROUX
    assert "4711" not in card["text"]
    nora.user.edits_to(helene.user, number, "Le code est 0815")
    await stage.quiet()
    assert await stage.said(1) == ["Le code est 4711"]
    assert await stage.said(2) == ["Et jeudi ?"]


async def test_an_answer_to_a_part_of_a_long_reply_goes_to_its_account(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR)
    helene, nora = await two_accounts(stage)
    nora.user.writes_to(helene.user, "Tout sur la fuite")
    await marc.presses(await marc.sees("Tout sur la fuite", kind=Take), Take)
    card = await marc.sees("Tout sur la fuite", kind=Close)
    for words in ("Un début. " * 300, "SECRET de Bernard. " * 150):
        marc.writes(words, to=card)
        await stage.quiet()
    await marc.presses(await marc.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    part = nora.user.talk_with(helene.user)[-1]
    await marc.presses(await marc.sees("Tout sur la fuite", kind=Close), Close)
    await helene.presses(await helene.sees("pour lequel de vos comptes", kind=ChooseBusiness), ChooseBusiness, "Roux")
    nora.user.writes_to(helene.user, "Merci !", reply_to=part["message_id"])
    await stage.quiet()
    assert await stage.count_conversations() == 1
    assert (await stage.said(1))[-1] == "Merci !"
    assert (await stage.conversation(1)).account_id == BERNARD


async def test_one_deletion_over_two_matters_takes_both_off_who_holds_them(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR)
    helene, nora = await two_accounts(stage)
    nora.user.writes_to(helene.user, "Une fuite")
    await marc.presses(await marc.sees("Une fuite", kind=Take), Take)
    one = await stage.conversation(1)
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(one, open_chat=None)]))
    await helene.presses(await helene.sees("pour lequel de vos comptes", kind=ChooseBusiness), ChooseBusiness, "Roux")
    nora.user.writes_to(helene.user, "Un rendez-vous")
    await marc.sees("Un rendez-vous", kind=Close)
    await stage.quiet()
    assert await marc.holds() == 2
    nora.user.deletes_with(helene.user, *(m["message_id"] for m in nora.user.talk_with(helene.user)))
    await stage.quiet()
    assert await marc.holds() == 0


async def test_what_is_erased_at_once_and_handed_over_again_has_one_effect(stage: Stage) -> None:
    stranger = stage.client(801, "Victor")
    stranger.user.start("")
    connection = {"id": "c9", "user": stranger.user.as_user(), "user_chat_id": 801, "date": 1_000, "is_enabled": True}
    raw = json.dumps({"update_id": 4_000_000_000, "business_connection": connection}).encode()
    for position in ("1", "2"):
        await accepting(stage.desk, DESK)([Arrival("4000000000", "801", raw)], position)
        await stage.quiet()
    assert len([text for text in stranger.screen if "ne travaille pas pour vous" in text]) == 1
    assert await stage.ledger_is_balanced()


async def test_what_was_written_before_she_connected_is_none_of_the_desks_even_edited(stage: Stage) -> None:
    nora, helene = stage.client(501, "Nora"), await doctor(stage)
    helene.user.disconnect()
    nora.user.writes_to(helene.user, "Coucou ma chérie")
    connection = await stage.store.get(BusinessConnection, f"{DESK}:701")
    later = connection.connected_at + timedelta(hours=1)
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(connection, connected_at=later)]))
    helene.user.connect()
    await stage.quiet()
    nora.user.edits_to(helene.user, nora.user.talk_with(helene.user)[0]["message_id"], "Coucou mon cœur")
    await stage.quiet()
    assert await stage.count_conversations() == 0
    assert [r.reason for r in await stage.receipts(DESK, "ignored") if r.erased_at] == [
        "nothing of the desk's in that chat"
    ]


async def test_what_came_by_a_connection_that_was_made_anew_since_is_taken_in(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    old = (await stage.store.get(BusinessConnection, f"{DESK}:701")).connection_id
    helene.user.connect(anew=True)
    await stage.quiet()
    said = nora.user.as_user()
    stage.telegram.inject(
        {
            "business_message": {
                "message_id": 90,
                "from": said,
                "chat": nora.user.as_chat(),
                "date": int(datetime.now(UTC).timestamp()),
                "text": "Écrit avant",
                "business_connection_id": old,
            }
        }
    )
    await lea.sees("Écrit avant", kind=Close)
    now = await stage.store.get(BusinessConnection, f"{DESK}:701")
    assert now.is_enabled
    assert now.connection_id != old


async def test_who_connected_it_before_the_desk_worked_for_them_is_named_once_it_does(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), stage.client(701, "Hélène")
    helene.user.start("")
    helene.user.connect()
    await helene.sees("le secrétariat ne travaille pas pour vous")
    assert not (await stage.store.get(BusinessConnection, f"{DESK}:701")).name
    await put(stage.store, principal())
    nora.user.writes_to(helene.user, "Bonjour docteur")
    await lea.sees("Bonjour docteur", "Dans le Telegram de Hélène Roux", kind=Close)


async def test_what_is_told_late_of_an_older_connection_changes_nothing(stage: Stage) -> None:
    helene = await doctor(stage)
    known = await stage.store.get(BusinessConnection, f"{DESK}:701")
    old = {"id": "old", "user": helene.user.as_user(), "user_chat_id": 701, "date": 1_000, "is_enabled": False}
    stage.telegram.inject({"business_connection": old})
    await stage.quiet()
    now = await stage.store.get(BusinessConnection, f"{DESK}:701")
    assert (now.connection_id, now.is_enabled) == (known.connection_id, True)


async def test_while_telegram_cannot_say_whose_it_is_what_came_waits_in_order(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    connection = await stage.store.get(BusinessConnection, f"{DESK}:701")
    await stage.store.commit(Changes(deletions=[connection]))
    stage.telegram.fail_next("getBusinessConnection", status=502, html=True)
    nora.user.writes_to(helene.user, "Premier")
    nora.user.writes_to(helene.user, "Second")
    await lea.sees("Premier", "Second", kind=Close)
    assert await stage.said() == ["Premier", "Second"]
    assert not await stage.receipts(DESK, "parked")


async def test_a_connection_nobody_knows_is_put_before_people_and_nothing_is_lost(stage: Stage) -> None:
    await stage.join("Léa")
    nora, helene = stage.client(501, "Nora"), await doctor(stage)
    connection = await stage.store.get(BusinessConnection, f"{DESK}:701")
    await stage.store.commit(Changes(deletions=[connection]))
    stage.telegram.fail_next("getBusinessConnection", status=400, description="BUSINESS_CONNECTION_INVALID")
    nora.user.writes_to(helene.user, "Perdu ?")
    await stage.quiet()
    (parked,) = await stage.receipts(DESK, "parked")
    assert parked.erased_at is None


async def test_whom_we_stop_working_for_nothing_more_leaves_in_their_name(stage: Stage) -> None:
    async with Stage(stage._path.with_name("undo.db"), undo=timedelta(seconds=1)) as slow:
        lea, nora, helene = await slow.join("Léa"), slow.client(501, "Nora"), await doctor(slow)
        nora.user.writes_to(helene.user, "Un mot ?")
        await sends(lea, "Voici.", "Un mot ?")
        known = await slow.store.get(Principal, "principal-701")
        left = msgspec.structs.replace(known, accounts=(), active=False)
        await slow.store.commit(Changes(replacements=[left]))
        await lea.sees("Un mot ?", "n’est plus relié au secrétariat")
        assert talk(nora, helene) == ["Un mot ?"]


async def test_nothing_stays_of_our_own_words_that_come_back(stage: Stage) -> None:
    lea, nora, helene = await stage.join("Léa"), stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Le résultat ?")
    await sends(lea, "Négatif.", "Le résultat ?")
    await stage.quiet()
    (back,) = [r for r in await stage.receipts(DESK, "ignored") if r.reason == "our own message, come back"]
    assert back.erased_at is not None


async def test_for_which_account_is_answered_on_a_bot_that_is_none_of_the_desks(tmp_path: Path) -> None:
    async with Stage(tmp_path / "shared.db", own_account={MAIL: ROUX}) as shared:
        marc = await shared.join("Marc", role=Role.SUPERVISOR)
        await put(shared.store, principal(701, "Hélène Roux", ROUX, BERNARD))
        helene, nora = shared.client(701, "Hélène"), shared.client(501, "Nora")
        helene.user.start("", token=CABINET_TOKEN)
        helene.user.connect(token=CABINET_TOKEN)
        question = await helene.user.wait_for(
            lambda m: "pour lequel" in str(m.get("text")), token=CABINET_TOKEN, seconds=10
        )
        assert question is not None
        data = button(question, ChooseBusiness, "Roux")
        assert data is not None
        await helene.user.press(question["message_id"], data, token=CABINET_TOKEN)
        await shared.quiet()
        nora.user.writes_to(helene.user, "Un rendez-vous")
        await marc.sees("Un rendez-vous", kind=Close)
        assert (await shared.conversation()).account_id == ROUX


async def test_it_is_moved_only_to_an_account_she_speaks_for(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR)
    nora, helene = stage.client(501, "Nora"), await doctor(stage)
    nora.user.writes_to(helene.user, "Un rendez-vous")
    card = await marc.sees("Un rendez-vous", kind=Menu)
    await marc.forges(card, Menu(conversation=(await stage.conversation()).id, page="move"))
    moving = await marc.sees("Un rendez-vous", kind=MoveTo)
    assert "ne parle pas pour" in await marc.presses(moving, MoveTo, "Bernard")
    assert (await stage.conversation()).account_id == ROUX


async def test_who_takes_it_while_she_answers_finds_it_over(stage: Stage) -> None:
    lea, nora = await stage.join("Léa", serves=[BERNARD]), stage.client(501, "Nora")
    marc, helene = await stage.join("Marc", on_duty=False), await doctor(stage)
    nora.user.writes_to(helene.user, "Allô ?")
    await stage.quiet()
    helene.user.writes_to(nora.user, "Oui ?")
    await stage.quiet()
    conversation = await stage.conversation()
    assert "close" in await marc.forges(marc.writes("/file"), Take(conversation=conversation.id))
    assert lea.sees_nothing_of("Allô")
    assert await stage.holder() is None


async def test_what_cannot_be_read_is_parked_and_shown(stage: Stage) -> None:
    await stage.join("Léa")
    stage.telegram.inject({"business_message": {"message_id": 1, "chat": {"id": 5, "type": "private"}}})
    stage.telegram.inject({"deleted_business_messages": {"chat": {"id": 5}, "message_ids": "all"}})
    await stage.quiet()
    parked = await stage.receipts(DESK, "parked")
    assert len(parked) == 2
    assert all("lacks what its type promises" in (r.error or "") for r in parked)
