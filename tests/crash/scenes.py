"""What people do on the day that is sure to pass a boundary; each ends when they see that it took effect.

Nobody here knows that the worker dies: who pressed does not press again, and
waits for what must come. So whatever a scene waits for is the proof that
nothing was lost.
"""

from __future__ import annotations

import asyncio
import re
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec

from channels.mail.parse import LONGEST_TEXT
from handlers.callbacks import (
    Approvals,
    Ask,
    Calls,
    Duty,
    JoinContact,
    Links,
    Listing,
    Merge,
    MoveTo,
    Next,
    Prove,
    Queue,
    Show,
    Speak,
    Split,
    Team,
    WantTopics,
    check,
)
from inbox.invitations import deep_link_payload
from inbox.machinery import DeskKey, Forgotten
from inbox.model import (
    Alarm,
    DeliveryKind,
    DeliveryState,
    Forum,
    Instruction,
    Message,
    Proof,
    Receipt,
    ReceiptState,
    Topic,
    TopicChoice,
)
from inbox.parts import AccountId, ChannelId
from inbox.proofs import code_of, proof_token
from inbox.restored import mark
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    ALARMS_DUE,
    CONVERSATIONS_OF_ACCOUNT,
    CONVERSATIONS_SNOOZED,
    DELIVERIES_BY_STATE,
    DRAFTS_SCHEDULED,
    MESSAGES_OF_CONVERSATION,
    PRINCIPALS_DIGESTING,
    RECEIPTS_BY_STATE,
)
from inbox.store.sqlite import SqliteStore
from tests.crash.day import CABINET, NORA, Day
from tests.crash.mortal import Death
from tests.flow.running import SOPHIE, Json, find_button, mail
from tests.sounds import wav

TELEGRAM = "telegram:desk"
NOTHING = {"message_id": 1}
"""A message long gone: its buttons can still be pressed."""

# ---------------------------------------------------------------- what comes


async def a_mail_comes(day: Day) -> None:
    day.mail("Puis-je passer jeudi ?")
    await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")


async def a_mail_comes_again(day: Day) -> None:
    raw = day.mail("Puis-je passer jeudi ?")
    await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")
    day.mail("", raw=raw, again=True)


async def lucas_writes(day: Day) -> Json:
    """He comes through the plumber's link, and writes; anyone may take it."""
    day.lucas.user.start("garnier")
    await day.sees(day.lucas, "Plomberie Garnier")
    said = day.lucas_writes("Ma chaudière fuit")
    await day.sees(day.anne, "Ma chaudière fuit", button="take:")
    return said


async def the_same_message_comes_under_two_numbers(day: Day) -> None:
    said = await lucas_writes(day)
    day.telegram.inject({"message": said})


async def somebody_comes_without_a_link(day: Day) -> None:
    day.lucas.user.start()
    await day.sees(day.lucas, "Écrivez-nous votre demande")


async def somebody_comes_through_a_link(day: Day) -> None:
    day.lucas.user.start("garnier")
    await day.sees(day.lucas, "Plomberie Garnier")


async def a_client_presses_a_secretarys_button(day: Day) -> None:
    day.press_data(day.lucas, NOTHING, Queue().pack())
    await _ended(day, TELEGRAM, ReceiptState.IGNORED)


async def an_update_of_an_unknown_kind_comes(day: Day) -> None:
    day.telegram.inject({"aura": {"of": "a later year"}})
    await _ended(day, TELEGRAM, ReceiptState.IGNORED)


async def an_unreadable_update_comes(day: Day) -> None:
    day.parked = 1
    day.telegram.inject({"message": {"text": "from nobody, nowhere"}})
    await _ended(day, TELEGRAM, ReceiptState.PARKED)


async def _ended(day: Day, channel: str, state: ReceiptState) -> None:
    async def look(store: Store) -> list[Receipt]:
        return await store.list(RECEIPTS_BY_STATE, channel, state)

    assert len(await day.until(look)) == 1


async def lucas_blocks_us(day: Day) -> None:
    await lucas_writes(day)
    day.lucas.user.block()
    await _shown_blocked(day)


async def _shown_blocked(day: Day) -> None:
    day.press(day.anne, await day.sees(day.anne, "Ma chaudière fuit", button="take:"), "take:")
    await day.sees(day.anne, "Ma chaudière fuit", "bloqué nos messages", button="rel:")


async def a_stranger_blocks_us(day: Day) -> None:
    day.lucas.user.block()
    await _ended(day, TELEGRAM, ReceiptState.IGNORED)


# ---------------------------------------------------------------- who is there


async def paul_joins(day: Day) -> None:
    link = await _invited(day)
    paul = day.telegram.user(503, "Paul")
    paul.start(link)
    assert await paul.wait_for(lambda m: "Bienvenue Paul" in m.get("text", ""), seconds=60)
    # Joined once, and for good: what his link let him do, it lets nobody else.
    day.lucas.user.start(link)
    await day.sees(day.lucas, "Cette invitation a déjà servi")


async def somebody_comes_with_an_invitation_of_nobodys(day: Day) -> None:
    day.lucas.user.start("i-nobody-made-this")
    await day.sees(day.lucas, "Cette invitation n’existe pas")


async def _invited(day: Day) -> str:
    """What the link carries; who died making one makes another."""
    while (said := await day.command("invite", "--name", "Paul")) is None:
        pass
    found = re.search(r"\?start=(\S+)", said)
    assert found is not None, said
    return found[1]


async def anne_leaves_and_comes_back(day: Day) -> None:
    """What waits for her goes back to the queue, and is dealt to her again."""
    await a_mail_comes(day)
    day.anne.user.send_text("/fin")
    await day.sees(day.anne, "Au revoir Anne", "1 demande")
    await day.sees(day.anne, "Puis-je passer jeudi ?", "Dans la file")
    day.anne.user.send_text("/ici")
    await day.sees(day.anne, "Bonjour Anne, vous êtes en service")
    await day.sees(day.anne, "Puis-je passer jeudi ?", "Pour vous", button="rel:")


async def anne_leaves_by_button(day: Day) -> None:
    day.press_data(day.anne, NOTHING, Duty(on=False).pack())
    await day.sees(day.anne, "Au revoir Anne")


# ---------------------------------------------------------------- the queue


async def anne_looks_at_the_queue(day: Day) -> None:
    day.anne.user.send_text("/file")
    await day.sees(day.anne, "File · 0", button="queue")


async def anne_refreshes_the_queue(day: Day) -> None:
    day.press_data(day.anne, NOTHING, Queue().pack())
    await day.sees(day.anne, "File · 0", button="queue")


async def anne_takes_the_next(day: Day) -> None:
    await lucas_writes(day)
    day.anne.user.send_text("/suivante")
    await day.sees(day.anne, "Ma chaudière fuit", "Pour vous", button="rel:")


async def anne_takes_one(day: Day) -> Json:
    await lucas_writes(day)
    day.press(day.anne, await day.sees(day.anne, "Ma chaudière fuit", button="take:"), "take:")
    return await day.sees(day.anne, "Ma chaudière fuit", "Pour vous", button="rel:")


async def lise_takes_what_anne_has(day: Day) -> None:
    day.lise.user.send_text("/ici")
    await day.sees(day.lise, "Bonjour Lise, vous êtes en service")
    await lucas_writes(day)
    offered = await day.sees(day.lise, "Ma chaudière fuit", button="take:")
    day.press(day.anne, await day.sees(day.anne, "Ma chaudière fuit", button="take:"), "take:")
    await day.sees(day.anne, "Ma chaudière fuit", "Pour vous", button="rel:")
    day.press(day.lise, offered, "take:")
    await day.sees(day.lise, "Ma chaudière fuit", "Chez Anne")


async def anne_puts_one_back(day: Day) -> None:
    await a_mail_comes(day)
    day.press(day.anne, await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:"), "rel:")
    await day.sees(day.anne, "Puis-je passer jeudi ?", "Dans la file", "remise en file", button="take:")


async def anne_asks_for_the_help(day: Day) -> None:
    day.anne.user.send_text("/aide")
    await day.sees(day.anne, "Bonjour Anne.", "/ici")


async def anne_asks_for_the_help_and_it_is_forgotten(day: Day) -> None:
    """Her receipt ends all the same: as ignored by the worker that forgets, with the help by one that does not."""
    day.anne.user.send_text("/aide")
    await day.settles()


async def anne_presses_what_is_no_button(day: Day) -> None:
    day.press_data(day.anne, NOTHING, "nonsense")
    await _ended(day, TELEGRAM, ReceiptState.IGNORED)


async def anne_writes_to_nobody(day: Day) -> None:
    day.anne.user.send_text("Bonjour ?")
    await day.sees(day.anne, "Vous ne tenez aucune demande")


async def anne_takes_the_next_of_nothing(day: Day) -> None:
    """The refusal is a toast, which may die with the worker; her press is settled all the same."""
    day.press_data(day.anne, NOTHING, Next().pack())
    await _ended(day, TELEGRAM, ReceiptState.HANDLED)


# ---------------------------------------------------------------- a request


async def anne_wants_it_anew(day: Day) -> None:
    await a_mail_comes(day)
    card = await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")
    data = find_button(card, "rel:")
    assert data is not None
    day.press_data(day.anne, card, Show(conversation=data.removeprefix("rel:")).pack())
    await day.sees(day.anne, "la fiche à jour est plus bas")


async def anne_closes_one(day: Day) -> None:
    await a_mail_comes(day)
    day.press(day.anne, await day.sees(day.anne, "Puis-je passer jeudi ?", button="close:"), "close:")
    await day.sees(day.anne, "Puis-je passer jeudi ?", "Close")


async def anne_keeps_a_template(day: Day) -> None:
    day.anne.user.send_text("/modele Fermé\nLe cabinet est fermé.")
    await day.sees(day.anne, "Le cabinet est fermé.", button="dtpl:")


async def anne_reads_her_templates(day: Day) -> None:
    await anne_keeps_a_template(day)
    day.anne.user.send_text("/modeles")
    day.press(day.anne, await day.sees(day.anne, "1 modèle", button="stpl:"), "stpl:")
    await day.sees(day.anne, "Le cabinet est fermé.", button="dtpl:", absent="1 modèle")


async def anne_drops_a_template(day: Day) -> None:
    await anne_keeps_a_template(day)
    day.press(day.anne, await day.sees(day.anne, "Le cabinet est fermé.", button="dtpl:"), "dtpl:")
    await day.sees(day.anne, "0 modèle")


async def anne_looks_for_a_template(day: Day) -> None:
    """What she typed may find nothing: the answer to it is nowhere kept, she types on."""
    day.telegram.bot().search(day.anne.user, "fermé")
    await day.settles()


async def anne_searches(day: Day) -> None:
    await a_mail_comes(day)
    await day.sees(day.anne, "Puis-je passer jeudi ?", button="close:")
    day.anne.user.send_text("/chercher passer jeudi")
    await day.sees(day.anne, "trouvées : 1", button="show:")


async def anne_lists_the_accounts(day: Day) -> None:
    day.press_data(day.anne, NOTHING, Listing(view="accounts", page=0, account="").pack())
    await day.sees(day.anne, "Quel compte ?")


async def anne_looks_back(day: Day) -> None:
    await a_mail_comes(day)
    day.press(day.anne, await day.sees(day.anne, "Puis-je passer jeudi ?", button="menu:"), "menu:")
    day.press(day.anne, await day.sees(day.anne, "Puis-je passer jeudi ?", button="hist:"), "hist:")
    await day.sees(day.anne, "Historique de #")


async def anne_notes(day: Day) -> None:
    await a_mail_comes(day)
    day.press(day.anne, await day.sees(day.anne, "Puis-je passer jeudi ?", button="menu:"), "menu:")
    day.press(day.anne, await day.sees(day.anne, "Puis-je passer jeudi ?", button="ask:"), "ask:")
    day.anne.reply(await day.sees(day.anne, "votre note ?"), "À rappeler")
    await day.sees(day.anne, "Puis-je passer jeudi ?", "📝 Note de", "À rappeler")


async def the_moment_comes_that_anne_put_one_off_to(day: Day) -> None:
    await a_mail_comes(day)
    for menu in ("more", "later"):
        card = await day.sees(day.anne, "Puis-je passer jeudi ?", button="menu:")
        day.press_data(day.anne, card, str(find_button(card, "menu:")).rpartition(":")[0] + f":{menu}")
    day.press(day.anne, await day.sees(day.anne, "Puis-je passer jeudi ?", button="later:"), "later:")
    await day.sees(day.anne, "Puis-je passer jeudi ?", "Mise de côté", button="wake:")
    async with SqliteStore(day.store) as store:
        (before,) = await store.list(CONVERSATIONS_SNOOZED, limit=2)
        await store.commit(Changes(replacements=[msgspec.structs.replace(before, snoozed_until_at=datetime.now(UTC))]))
    await day.sees(day.anne, "Puis-je passer jeudi ?", "le moment prévu est venu", button="rel:")


async def the_moment_comes_for_annes_reply(day: Day) -> None:
    day.press(day.anne, await _drafted(day), "pm:")
    day.written.append("Oui, jeudi à 9 h.")
    day.press(day.anne, await day.sees(day.anne, "Oui, jeudi à 9 h.", button="slot:"), "slot:")
    await day.sees(day.anne, "Réponse programmée", button="off:")
    async with SqliteStore(day.store) as store:
        (before,) = await store.list(DRAFTS_SCHEDULED, limit=2)
        await store.commit(Changes(replacements=[msgspec.structs.replace(before, send_at=datetime.now(UTC))]))
    await _left_or_may_have(day, "Oui, jeudi à 9 h.")


async def _asked(day: Day) -> None:
    day.press(day.anne, await _drafted(day), "appr:")
    await day.sees(day.lise, "Réponse de Anne à relire", "Oui, jeudi à 9 h.", button="ok:")


async def lise_approves_annes_reply(day: Day) -> None:
    await _asked(day)
    day.written.append("Oui, jeudi à 9 h.")
    day.press(day.lise, await day.sees(day.lise, "à relire", button="ok:"), "ok:")
    await _left_or_may_have(day, "Oui, jeudi à 9 h.")


async def lise_looks_at_what_is_to_be_approved(day: Day) -> None:
    await _asked(day)
    day.press_data(day.lise, NOTHING, Approvals().pack())
    await day.sees(day.lise, "Réponse de Anne à relire", button="ok:")


async def anne_takes_a_call(day: Day) -> Json:
    day.anne.user.send_text("/appel vasseur Mme Durand, 06 12 34 56 78, ordonnance à renouveler")
    return await day.sees(day.anne, "Mme Durand", "06 12 34 56 78", button="pass:")


async def anne_says_for_whom_a_call_was(day: Day) -> None:
    day.anne.user.send_text("/appel")
    day.press(day.anne, await day.sees(day.anne, "Pour qui est cet appel ?", button="calls:"), "calls:")
    await day.sees(day.anne, "Qui appelle, son numéro, pourquoi ?")


async def anne_turns_a_page_of_accounts(day: Day) -> None:
    day.press_data(day.anne, NOTHING, Calls(position=-1, check="", page=0).pack())
    await day.sees(day.anne, "Pour qui est cet appel ?", button="calls:")


async def anne_corrects_a_call(day: Day) -> Json:
    day.anne.reply(await anne_takes_a_call(day), "Mme Durand, 06 12 34 56 78, certificat")
    return await day.sees(day.anne, "Motif : certificat", button="pass:")


async def anne_marks_a_call(day: Day) -> None:
    day.press(day.anne, await anne_takes_a_call(day), "mark:")
    await day.sees(day.anne, "Mme Durand", "🔴 Urgent", button="pass:")


async def anne_throws_a_call_away(day: Day) -> None:
    day.press(day.anne, await anne_takes_a_call(day), "uncall:")
    await day.sees(day.anne, "Message transmis, gardé ou abandonné")


async def anne_passes_a_call_on(day: Day) -> None:
    day.press(day.anne, await anne_takes_a_call(day), "pass:")

    async def passed_on(store: Store) -> str | None:
        for delivery in await store.list(DELIVERIES_BY_STATE, ChannelId(CABINET), DeliveryKind.REPLY):
            return (await store.get(Message, delivery.message_id or "")).text
        return None

    # When the call came stands in it: only the desk knows.
    day.written.append(await day.until(passed_on))
    day.said.append(day.written[-1])
    await _left_or_may_have(day, day.written[-1])


async def anne_tells_the_account_of_a_call(day: Day) -> None:
    """She meant to call back, and leaves that to the account after all."""
    day.press(day.anne, await anne_takes_a_call(day), "ours:")
    day.press(day.anne, await day.sees(day.anne, "Le secrétariat rappelle", button="pass:"), "pass:")
    card = await day.sees(day.anne, "Appel de Mme Durand", button="tell:")

    async def said(store: Store) -> str | None:
        (conversation,) = await store.list(CONVERSATIONS_OF_ACCOUNT, "vasseur", limit=1) or (None,)
        found = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=1) if conversation else []
        return found[0].text if found else None

    day.said.append(await day.until(said))
    day.press(day.anne, card, "tell:")
    await day.sees(day.anne, "Aperçu", "claire@client.test", button="send")


async def anne_passes_on_what_she_changed_since(day: Day) -> None:
    old = await anne_takes_a_call(day)
    day.anne.reply(old, "Mme Durand, 06 12 34 56 78, certificat")
    await day.sees(day.anne, "Motif : certificat", button="pass:")
    day.press(day.anne, old, "pass:")
    await day.settles()


def _which(card: Json) -> tuple[str, int]:
    """The id and the number of the conversation a card shows."""
    released = find_button(card, "rel:")
    number = re.match(r"#(\d+)", str(card["text"]))
    assert released is not None
    assert number is not None
    return released.partition(":")[2], int(number[1])


async def _two_requests(day: Day) -> tuple[Json, Json]:
    """The cards of two requests, of two clients."""
    await a_mail_comes(day)
    first = await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")
    raw = mail("Autre", "Et ma facture ?", message_id="m9@client.test", sender="Zoé <zoe@client.test>")
    day.mail("Et ma facture ?", raw=raw)
    return first, await day.sees(day.anne, "Et ma facture ?", button="rel:")


async def anne_merges_two(day: Day) -> None:
    first, second = await _two_requests(day)
    day.press_data(day.anne, second, Merge(conversation=_which(second)[0], number=_which(first)[1]).pack())
    await day.sees(day.anne, "Puis-je passer jeudi ?", "Et ma facture ?", button="rel:")


async def anne_asks_which_are_one_person(day: Day) -> None:
    first, second = await _two_requests(day)
    day.press_data(day.anne, second, Ask(conversation=_which(second)[0], purpose="join").pack())
    day.anne.reply(await day.sees(day.anne, "Qui est la même personne"), f"#{_which(first)[1]}")
    await day.sees(day.anne, "sont-ils une seule personne ?", button="join:")


async def anne_joins_two_people(day: Day) -> None:
    first, second = await _two_requests(day)
    day.press_data(day.anne, second, JoinContact(conversation=_which(second)[0], number=_which(first)[1]).pack())
    await day.sees(day.anne, "👤 Zoé", "zoe@client.test", "2 demandes")


async def anne_takes_an_address_out(day: Day) -> None:
    await anne_joins_two_people(day)
    both = await day.sees(day.anne, "👤 Zoé", "2 demandes", button="out:")
    day.press(day.anne, both, "out:")
    day.press(day.anne, await day.sees(day.anne, "n’est pas à", button="out:"), "out:")
    await day.sees(day.anne, "👤 Zoé", "zoe@client.test", "1 demande", button="lang:")


async def anne_asks_for_a_proof(day: Day) -> None:
    """Of the doctor's client in Telegram: she is asked for the address."""
    day.lucas.user.start("vasseur")
    await day.sees(day.lucas, "Vasseur")
    day.lucas_writes("J’ai aussi une adresse mail")
    card = await day.sees(day.anne, "J’ai aussi une adresse mail", button="rel:")
    day.press_data(day.anne, card, Prove(conversation=_which(card)[0], position=-1, check="").pack())
    await day.sees(day.anne, "Par quelle adresse mail")


async def anne_has_a_proof_mailed(day: Day) -> Proof:
    await anne_asks_for_a_proof(day)
    day.anne.reply(await day.sees(day.anne, "Par quelle adresse mail"), "lucas@client.test")
    await day.sees(day.anne, "Preuve demandée à lucas@client.test")

    async def look(store: Store) -> Proof | None:
        return next(iter(await store.scan(Proof)), None)

    proof: Proof = await day.until(look)
    return proof


async def _key(day: Day) -> DeskKey:
    async def look(store: Store) -> DeskKey | None:
        return next(iter(await store.scan(DeskKey)), None)

    key: DeskKey = await day.until(look)
    return key


async def lucas_writes_the_code(day: Day) -> None:
    proof = await anne_has_a_proof_mailed(day)
    day.lucas.user.send_text(code_of(proof.id, await _key(day)))
    await day.sees(day.lucas, "Merci, c’est confirmé")
    await day.sees(day.anne, "Par preuve, une seule personne")


async def lucas_opens_the_link(day: Day) -> None:
    proof = await anne_has_a_proof_mailed(day)
    day.lucas.user.start(deep_link_payload(proof_token(proof.id, await _key(day))))
    await day.sees(day.lucas, "Merci, c’est confirmé")
    await day.sees(day.anne, "Par preuve, une seule personne")


async def lucas_opens_the_link_again(day: Day) -> None:
    proof = await anne_has_a_proof_mailed(day)
    for said in ("Merci, c’est confirmé", "Ce lien ne vaut plus"):
        day.lucas.user.start(deep_link_payload(proof_token(proof.id, await _key(day))))
        await day.sees(day.lucas, said)


async def anne_says_how_to_write_to_her(day: Day) -> None:
    await a_mail_comes(day)
    card = await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")
    day.press_data(day.anne, card, Speak(conversation=_which(card)[0], tongue=1).pack())
    await day.sees(day.anne, "👤", "anglais", button="lang:")


async def anne_sets_a_message_apart(day: Day) -> None:
    first, second = await _two_requests(day)
    day.press_data(day.anne, second, Merge(conversation=_which(second)[0], number=_which(first)[1]).pack())
    card = await day.sees(day.anne, "Puis-je passer jeudi ?", "Et ma facture ?", button="rel:")

    async def newest(store: Store) -> str | None:
        said = await store.list(MESSAGES_OF_CONVERSATION, _which(card)[0], descending=True, limit=1)
        return said[0].id if said else None

    day.press_data(day.anne, card, Split(message=await day.until(newest), number=_which(card)[1]).pack())
    await day.sees(day.anne, "Et ma facture ?", "séparée de", button="rel:")


async def anne_moves_one(day: Day) -> None:
    """Lucas's, to the doctor: whatever he wrote goes along."""
    await lucas_writes(day)
    card = await day.sees(day.anne, "Ma chaudière fuit", button="take:")
    taken = find_button(card, "take:")
    assert taken is not None
    places = check(["vasseur"])
    day.press_data(day.anne, card, MoveTo(conversation=taken.partition(":")[2], position=0, check=places).pack())
    await day.sees(day.anne, "Ma chaudière fuit", "Dr Claire Vasseur")


async def anne_looks_at_the_team(day: Day) -> None:
    day.anne.user.send_text("/equipe")
    await day.sees(day.anne, "Équipe", "Lise")


async def anne_looks_at_the_links(day: Day) -> None:
    day.anne.user.send_text("/liens")
    await day.sees(day.anne, "Dr Claire Vasseur", "?start=vasseur")


async def anne_turns_a_page_of_the_links(day: Day) -> None:
    day.press_data(day.anne, NOTHING, Links(page=0).pack())
    await day.sees(day.anne, "Dr Claire Vasseur", "?start=vasseur")


async def anne_turns_a_page_of_the_team(day: Day) -> None:
    day.press_data(day.anne, NOTHING, Team(page=0).pack())
    await day.sees(day.anne, "Équipe", "Lise")


async def anne_has_pauls_replies_read(day: Day) -> None:
    await paul_joins(day)
    await anne_looks_at_the_team(day)
    day.press(day.anne, await day.sees(day.anne, "Équipe", button="read:"), "read:")
    await day.sees(day.anne, "Paul", "relue")


async def anne_opens_a_file(day: Day) -> None:
    from email import message_from_bytes, policy

    made = message_from_bytes(mail("Devis", "Voici le devis", message_id="f1@client.test"), policy=policy.default)
    made.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="devis.pdf")
    day.mail("Voici le devis", raw=made.as_bytes())
    day.press(day.anne, await day.sees(day.anne, "Voici le devis", button="files"), "files")
    assert await day.anne.user.wait_for(lambda m: "document" in m, seconds=60)


async def anne_listens(day: Day) -> None:
    from email import message_from_bytes, policy

    made = message_from_bytes(mail("Message vocal", "De : 01 99", message_id="v1@client.test"), policy=policy.default)
    made.add_attachment(wav(2), maintype="audio", subtype="wav", filename="message.wav")
    day.mail("De : 01 99", raw=made.as_bytes())
    day.press(day.anne, await day.sees(day.anne, "De : 01 99", button="listen"), "listen")
    assert await day.anne.user.wait_for(lambda m: "voice" in m, seconds=60)


async def anne_opens_a_mail_whole(day: Day) -> None:
    words = "Voici le contrat\n" + "Article suivant\n" * 8000
    day.mail(words[:LONGEST_TEXT], raw=mail("Contrat", words, message_id="c1@client.test"))
    day.press(day.anne, await day.sees(day.anne, "Voici le contrat", button="whole:"), "whole:")
    assert await day.anne.user.wait_for(lambda m: "document" in m, seconds=60)


async def a_stranger_is_placed(day: Day) -> None:
    day.lucas_writes("C’est pour ma facture")
    day.press(day.anne, await day.sees(day.anne, "ma facture", button="place"), "place")
    day.press(day.anne, await day.sees(day.anne, "pour quel compte", button="in:"), "in:")
    await day.sees(day.anne, "Dr Claire Vasseur", "ma facture", button="rel:")


# ---------------------------------------------------------------- a reply


async def _drafted(day: Day, words: str = "Oui, jeudi à 9 h.") -> Json:
    await a_mail_comes(day)
    day.anne.reply(await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:"), words)
    return await day.sees(day.anne, "Aperçu", words, button="send")


async def anne_drafts(day: Day) -> None:
    await _drafted(day)


async def a_mail_is_answered(day: Day) -> None:
    preview = await _drafted(day)
    day.written.append("Oui, jeudi à 9 h.")
    day.press(day.anne, preview, "send")
    await _left_or_may_have(day, "Oui, jeudi à 9 h.")


async def a_message_is_answered(day: Day) -> None:
    card = await anne_takes_one(day)
    day.anne.reply(card, "Nous arrivons.")
    preview = await day.sees(day.anne, "Aperçu", "Nous arrivons.", button="send")
    day.written.append("Nous arrivons.")
    day.press(day.anne, preview, "send")
    await _left_or_may_have(day, "Nous arrivons.")


async def _left_or_may_have(day: Day, words: str) -> None:
    ended = await day.has_ended(words)
    if ended.state is DeliveryState.UNKNOWN:
        await day.sees(day.anne, words, button=f"del:{ended.id}")


async def a_reply_that_was_refused_is_sent_again(day: Day) -> None:
    """The server does not know the client today; tomorrow it does."""
    day.smtp.scripts[0] = {"RCPT": "550 5.1.1 no such user"}
    preview = await _drafted(day)
    day.written.append("Oui, jeudi à 9 h.")
    day.press(day.anne, preview, "send")
    refused = await day.sees(day.anne, "Oui, jeudi à 9 h.", "n’est pas partie", button="del:")
    day.smtp.scripts[0] = {}
    for says in day.smtp.says:
        says["RCPT"] = "250 2.1.5 ok"
    again = next(d for d in _datas(refused) if d.startswith("del:") and d.endswith("again"))
    day.press_data(day.anne, refused, again)
    await day.sees(day.anne, "Oui, jeudi à 9 h.", absent="n’est pas partie", button="close:")
    await day.until(lambda _: _arrived(day, "Oui, jeudi à 9 h."))


async def the_mail_server_wants_a_password(day: Day) -> None:
    """None is configured: the owners are told, and whoever dies telling them leaves a reply in doubt."""
    day.smtp.scripts[0] = {"MAIL": "530 5.7.0 Authentication required"}
    await a_mail_is_answered(day)


async def _arrived(day: Day, words: str) -> int:
    return day.arrived(words)


def _datas(message: Json) -> list[str]:
    rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    return [str(button.get("callback_data", "")) for row in rows for button in row]


async def anne_is_asked_which(day: Day) -> None:
    for words in ("Puis-je passer jeudi ?", "Et mon ordonnance ?"):
        day.mail(
            words, raw=mail(words, words, sender=f"{words[:2]}@client.test", message_id=f"{words[:2]}@client.test")
        )
        await day.sees(day.anne, words, button="rel:")
    day.anne.user.send_text("Oui, bien sûr.")
    day.press(day.anne, await day.sees(day.anne, "Pour quelle demande ?", button="for:"), "for:")
    await day.sees(day.anne, "Aperçu", "Oui, bien sûr.", button="send")


async def anne_corrects_her_words(day: Day) -> None:
    await a_mail_comes(day)
    card = await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")
    written = day.anne.reply(card, "Oui, jeudi à 9 h.")
    await day.sees(day.anne, "Aperçu", "Oui, jeudi à 9 h.", button="send")
    day.anne.user.edit_text(written["message_id"], "Oui, jeudi à 10 h.")
    await day.sees(day.anne, "Aperçu", "Oui, jeudi à 10 h.", button="send")


async def anne_sends_a_place(day: Day) -> None:
    day.anne.user.send_raw({"location": {"latitude": 48.85, "longitude": 2.35}})
    await day.sees(day.anne, "Seuls un texte ou des fichiers partent")


async def anne_adds_a_photo(day: Day) -> Json:
    preview = await _drafted(day)
    day.anne.user.send_file("photo", "a.jpg", "image/jpeg", b"octets", reply_to=preview["message_id"])
    return await day.sees(day.anne, "Aperçu", "photo-", button="unfile:", absent="⏳")


async def anne_takes_a_file_out(day: Day) -> None:
    day.press(day.anne, await anne_adds_a_photo(day), "unfile:")
    await day.sees(day.anne, "Aperçu", absent="photo-", button="send")


async def anne_names_a_copy(day: Day) -> None:
    preview = await _drafted(day)
    day.anne.user.send_text("/cc marc@client.test", reply_to=preview["message_id"])
    await day.sees(day.anne, "Aperçu", "Copie : marc@client.test", button="cc:")


async def anne_sends_before_the_file_is_here(day: Day) -> None:
    preview = await _drafted(day)
    day.telegram.fail_next("getFile", times=1000, status=502)
    day.anne.user.send_file("photo", "a.jpg", "image/jpeg", b"octets", reply_to=preview["message_id"])
    day.press(day.anne, await day.sees(day.anne, "Aperçu", "⏳", button="send"), "send")
    # Telegram keeps an answer from nobody for long.
    await asyncio.sleep(1)
    day.telegram.recover()
    await day.sees(day.anne, "Aperçu", "photo-", button="unfile:", absent="⏳")


async def anne_wants_topics(day: Day) -> None:
    day.telegram.bot().has_topics = True
    day.anne.user.send_text("/sujets oui")
    await day.sees(day.anne, "Un sujet par demande")


async def anne_wants_topics_by_button(day: Day) -> None:
    day.telegram.bot().has_topics = True
    day.press_data(day.anne, NOTHING, WantTopics(on=True).pack())
    await day.until(lambda store: store.scan(TopicChoice))


async def a_mail_comes_in_a_topic(day: Day) -> None:
    """Killed before we know what Telegram made, another is made: one stays empty, and all is in the other."""
    await anne_wants_topics(day)
    await a_mail_comes(day)
    topics = await day.until(lambda store: store.scan(Topic))
    assert len(topics) == 1
    card = await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")
    assert card["message_thread_id"] == topics[0].thread_id
    day.anne.user.send_text("Oui, jeudi.", topic=topics[0].thread_id)
    preview = await day.sees(day.anne, "Aperçu", "Oui, jeudi.", button="send")
    assert preview["message_thread_id"] == topics[0].thread_id
    assert len(day.anne.user.topics()) <= 2


async def a_card_is_pinned(day: Day) -> None:
    """Killed before we know that it is, the same is pinned again, and no other beside it."""
    await anne_wants_topics(day)
    await a_mail_comes(day)

    async def pinned(store: Store) -> list[int]:
        return [topic.pinned for topic in await store.scan(Topic) if topic.pinned is not None]

    (card,) = await day.until(pinned)
    chat = day.telegram.bot().chat_with(day.anne.user)
    assert chat.pinned == [card]
    assert "Puis-je passer jeudi ?" in chat.messages[card]["text"]
    assert sum("pinned_message" in message for message in chat.messages.values()) == 1


GROUP = -1_001_234


async def anne_links_a_group(day: Day) -> None:
    group = day.telegram.group(GROUP, "Cabinet", day.anne.user)
    day.anne.user.send_to(group, "/sujets ici")
    await day.until(lambda store: store.scan(Forum))


async def lucas_talks_in_a_group(day: Day) -> None:
    day.lucas.user.send_to(day.telegram.group(GROUP, "Cabinet", day.lucas.user), "Bonjour")
    await _ended(day, TELEGRAM, ReceiptState.IGNORED)


async def anne_mistypes_a_command(day: Day) -> None:
    day.anne.user.send_text("/xyz")
    await day.sees(day.anne, "Je ne connais pas cette commande")


async def anne_asks_how_to_edit(day: Day) -> None:
    day.press(day.anne, await _drafted(day), "edit")
    await day.sees(day.anne, "Répondez à l’aperçu avec le texte complet corrigé")


async def anne_throws_her_draft_away(day: Day) -> None:
    day.press(day.anne, await _drafted(day), "drop")
    await day.sees(day.anne, "Brouillon supprimé")


async def anne_sends_an_old_preview(day: Day) -> None:
    old = await _drafted(day)
    day.anne.reply(old, "Non, vendredi.")
    await day.sees(day.anne, "Aperçu", "Non, vendredi.", button="send")
    await day.sees(day.anne, "l’aperçu à jour est plus bas")
    day.press(day.anne, old, "send")
    await day.settles()


async def anne_sends_without_having_read_the_newest(day: Day) -> None:
    old = await _drafted(day)
    await day.settles()
    raw = mail("Re: Demande", "Plutôt vendredi !", message_id="m2@client.test").replace(
        b"\nDate:", b"\nIn-Reply-To: <m1@client.test>\nReferences: <m1@client.test>\nDate:"
    )
    day.mail("Plutôt vendredi !", raw=raw)
    await day.sees(day.anne, "Aperçu", "Arrivé depuis", "Plutôt vendredi !", button="send")
    day.press(day.anne, old, "send")
    await day.settles()


async def anne_takes_her_reply_back(day: Day) -> None:
    """Her words are a draft again; none of them left."""
    preview = await _drafted(day)
    day.press(day.anne, preview, "send")
    day.press(day.anne, await day.sees(day.anne, "Votre réponse", button="undo"), "undo")
    await day.sees(day.anne, "Aperçu", "Oui, jeudi à 9 h.", button="send")
    assert day.arrived("Oui, jeudi à 9 h.") == 0


# ---------------------------------------------------------------- what an earlier death leaves


async def a_message_waits_whose_worker_died(day: Day) -> None:
    """Nobody came to handle what Lucas wrote before the worker died."""
    worker = await day.start(plants=("hangs",))
    day.lucas_writes("Ma chaudière fuit")

    async def look(store: Store) -> int:
        return await store.count(RECEIPTS_BY_STATE, TELEGRAM, ReceiptState.WAITING)

    await day.until(look)
    await worker.end(signal.SIGKILL)
    day.deaths += 1


async def it_is_seen_at_last(day: Day) -> None:
    await day.sees(day.anne, "Ma chaudière fuit", button="place")


async def the_worker_is_told_to_stop(day: Day) -> None:
    assert day.worker is not None
    await day.worker.says('"started"')
    day.worker.send(signal.SIGTERM)
    await it_is_seen_at_last(day)


async def a_reply_was_leaving_when_the_worker_died(day: Day) -> None:
    worker = await day.start(Death("handlers.deliveries:Deliveries._lease", "after", "DeliveryKind.REPLY"))
    answering = asyncio.create_task(a_mail_is_answered(day))
    assert await worker.ended() == -signal.SIGKILL, worker.last_words()
    day.deaths += 1
    answering.cancel()
    with suppress(asyncio.CancelledError):
        await answering


async def it_may_have_left(day: Day) -> None:
    await _left_or_may_have(day, "Oui, jeudi à 9 h.")


# ---------------------------------------------------------------- among other workers


async def a_worker_died_among_others(day: Day) -> None:
    worker = await day.start(plants=("shared",))
    await worker.says('"lease_taken"')
    await worker.end(signal.SIGKILL)
    day.deaths += 1


async def another_worker_comes(day: Day) -> None:
    """Half of what the first one does becomes the other's."""
    assert day.worker is not None
    await day.worker.says('"lease_taken"', "receive telegram:desk")
    await day.start(plants=("shared",))
    await a_mail_comes(day)


async def the_worker_leaves_the_others(day: Day) -> None:
    assert day.worker is not None
    await day.worker.says('"lease_taken"')
    day.worker.send(signal.SIGTERM)
    await a_mail_comes(day)


# ---------------------------------------------------------------- beside the worker


async def a_mail_met_a_bug(day: Day) -> None:
    worker = await day.start(plants=("stumbles",))
    day.mail("Puis-je passer jeudi ?")
    await _ended(day, CABINET, ReceiptState.PARKED)
    assert await worker.end(signal.SIGTERM) == 0, worker.last_words()


async def the_parked_mail_is_replayed(day: Day) -> None:
    """The bug is gone; whoever died saying so says it again, and is told that it waits already."""
    while await day.command("receipts", "replay", "--all") is None:
        pass
    await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")


async def the_mailbox_refuses_our_password(day: Day) -> None:
    day.imap.scripts["LOGIN"] = lambda tag, _: f"{tag} NO [AUTHENTICATIONFAILED] no\r\n".encode()
    await day.sees(day.anne, "mail:cabinet")
    day.imap.scripts.clear()


async def the_mailbox_is_down_for_a_while(day: Day) -> None:
    """The server lets nobody in until the owner was told, and the owner is told once more when it does."""
    await a_mail_comes(day)
    day.imap.greeting = b"* BYE not now\r\n"
    day.imap.say(b"* BYE not any more\r\n")
    await day.sees(day.anne, "🔌 mail:cabinet", "pas de connexion depuis")
    day.imap.greeting = b"* OK ready\r\n"
    await day.sees(day.anne, "✅ mail:cabinet", "rétablie")


async def a_receipt_that_vanished_is_found(day: Day) -> None:
    """Whoever died comparing the ledger with the server does it again; the owner hears of it once."""
    await a_mail_comes(day)
    await day.settles()
    async with SqliteStore(day.store) as store:
        (receipt,) = await store.list(RECEIPTS_BY_STATE, CABINET, ReceiptState.HANDLED)
        await store.commit(Changes(deletions=[receipt]))
    while await day.command("receipts", "--reconcile", ends=(0, 1)) is None:
        pass
    await day.sees(day.anne, "🔎 mail:cabinet", "1 courriel")
    await _ended(day, CABINET, ReceiptState.IGNORED)


async def old_mail_is_brought_in(day: Day) -> None:
    """Whoever died bringing it in starts the same command again; each mail is there once."""
    path = day.directory / "old.mbox"
    words = [f"Ancienne lettre {number}" for number in range(2)]
    mails = [mail("Jadis", said, message_id=f"old{number}@client.test") for number, said in enumerate(words)]
    path.write_bytes(b"".join(b"From a@b Mon Mar  2 14:05:00 2020\r\n" + raw + b"\r\n" for raw in mails))
    while await day.command("import", str(path), "--account", "vasseur") is None:
        pass
    day.said += words


# ---------------------------------------------------------------- what is kept, and what is not


async def sophie_is_forgotten(day: Day) -> None:
    """Beside the worker, which then empties its log; whoever was interrupted types the same again."""
    await a_mail_comes(day)
    await day.settles()
    while await day.command("forget", SOPHIE, "--yes") is None:
        pass
    day.said.clear()

    async def look(store: Store) -> bool:
        return all(person.scrubbed_at is not None for person in await store.scan(Forgotten))

    assert await day.until(look)
    files = [file for suffix in ("", "-wal") if (file := day.store.with_name(f"{day.store.name}{suffix}")).exists()]
    assert not any(SOPHIE.encode() in file.read_bytes() for file in files)


async def the_store_comes_from_a_backup(day: Day) -> None:
    async with SqliteStore(day.store) as store:
        await store.commit(Changes(inserts=[mark(datetime.now(UTC))]))


async def the_desk_is_told_of_its_backup(day: Day) -> None:
    await day.sees(day.anne, "Le bureau a été rétabli depuis une sauvegarde")


# ---------------------------------------------------------------- what an account wants, and who says so


async def anne_gives_an_instruction(day: Day) -> None:
    day.anne.user.send_text("/consignes")
    day.press(day.anne, await day.sees(day.anne, "Consignes : quel compte", button="insl:"), "insl:")
    day.press(day.anne, await day.sees(day.anne, "Aucune consigne", button="insn:"), "insn:")
    day.anne.reply(await day.sees(day.anne, "écrivez la consigne"), "ne jamais donner le portable")
    proposed = await day.sees(day.anne, "C’est bien cela ?", "portable", button="ins:")
    data = str(find_button(proposed, "ins:")).split(":")
    day.press_data(day.anne, proposed, ":".join((*data[:2], "ok", data[3])))
    await day.sees(day.anne, "Donnée par Anne", "portable")


async def the_moment_comes_that_an_instruction_is_over(day: Day) -> None:
    async with SqliteStore(day.store) as store:
        given = Instruction(
            id="instruction",
            account_id=AccountId("vasseur"),
            text="absent aujourd’hui",
            given_by="anne",
            giver_name="Anne",
            ends_at=datetime.now(UTC),
            created_at=datetime.now(UTC),
            confirmed_at=datetime.now(UTC),
            standing=AccountId("vasseur"),
            turns_at=datetime.now(UTC),
        )
        await store.commit(Changes(inserts=[given]))

    async def over(store: Store) -> bool:
        return (await store.get(Instruction, "instruction")).standing is None

    await day.until(over)


async def _asks_for_the_doctor(day: Day) -> Json:
    day.anne.user.send_text("/titulaire")
    day.press(day.anne, await day.sees(day.anne, "Titulaires : quel compte", button="pril:"), "pril:")
    return await day.sees(day.anne, "Personne encore", button="prii:")


async def anne_asks_who_speaks_for_an_account(day: Day) -> None:
    await _asks_for_the_doctor(day)


async def the_doctor_joins(day: Day) -> None:
    day.press(day.anne, await _asks_for_the_doctor(day), "prii:")
    found = re.search(r"\?start=(\S+)", (await day.sees(day.anne, "Il sert une seule fois"))["text"])
    assert found is not None
    day.lucas.user.start(found[1])
    await day.sees(day.lucas, "Vous voici relié", button="insl:")


async def anne_opens_the_doctors_link(day: Day) -> None:
    day.press(day.anne, await _asks_for_the_doctor(day), "prii:")
    found = re.search(r"\?start=(\S+)", (await day.sees(day.anne, "Il sert une seule fois"))["text"])
    assert found is not None
    day.anne.user.start(found[1])
    await day.sees(day.anne, "Vous travaillez au secrétariat")


async def the_doctor_presses_what_is_a_secretarys(day: Day) -> None:
    await the_doctor_joins(day)
    day.press_data(day.lucas, NOTHING, Queue().pack())
    await _ended(day, TELEGRAM, ReceiptState.IGNORED)


async def the_doctor_connects_her_telegram(day: Day) -> None:
    await the_doctor_joins(day)
    day.lucas.user.connect()
    await day.sees(day.lucas, "C’est fait", "Dr Claire Vasseur")


async def _a_patient_writes_to_the_doctor(day: Day) -> Json:
    await the_doctor_connects_her_telegram(day)
    day.said.append("Docteur, un mot ?")
    nora = day.telegram.user(NORA, "Nora")
    nora.writes_to(day.lucas.user, "Docteur, un mot ?")
    return await day.sees(day.anne, "Docteur, un mot ?", "Dans le Telegram de Lucas", button="rel:")


async def a_patient_is_answered_in_the_doctors_name(day: Day) -> None:
    card = await _a_patient_writes_to_the_doctor(day)
    day.written.append("Elle vous rappelle.")
    day.anne.user.send_text("Elle vous rappelle.", reply_to=card["message_id"])
    day.press(day.anne, await day.sees(day.anne, "Aperçu", "Elle vous rappelle.", button="send:"), "send:")
    nora = day.telegram.user(NORA, "Nora")

    async def arrived(store: Store) -> bool:
        return "Elle vous rappelle." in [m.get("text") for m in nora.talk_with(day.lucas.user)]

    await day.until(arrived)


async def the_doctor_answers_herself(day: Day) -> None:
    await _a_patient_writes_to_the_doctor(day)
    day.written.append("Venez, je suis là.")
    day.lucas.user.writes_to(day.telegram.user(NORA, "Nora"), "Venez, je suis là.")
    await day.sees(day.anne, "Docteur, un mot ?", "Venez, je suis là.", button="rel:")


async def a_patient_takes_a_word_back(day: Day) -> None:
    await _a_patient_writes_to_the_doctor(day)
    nora, doctor = day.telegram.user(NORA, "Nora"), day.lucas.user
    nora.deletes_with(doctor, doctor.talk_with(nora)[0]["message_id"])
    await day.sees(day.anne, "Docteur, un mot ?", "supprimé", button="rel:")


async def somebody_nobody_works_for_connects_us(day: Day) -> None:
    day.lucas.user.start()
    day.lucas.user.connect()
    await day.sees(day.lucas, "le secrétariat ne travaille pas pour vous")
    day.telegram.user(NORA, "Nora").writes_to(day.lucas.user, "Rien pour vous")
    await _ended(day, TELEGRAM, ReceiptState.IGNORED)


async def the_plumber_joins(day: Day) -> Json:
    day.anne.user.send_text("/titulaire")
    asked = await day.sees(day.anne, "Titulaires : quel compte", button="pril:")
    place = next(
        key["callback_data"]
        for row in asked["reply_markup"]["inline_keyboard"]
        for key in row
        if "Garnier" in key["text"]
    )
    day.press_data(day.anne, asked, place)
    day.press(day.anne, await day.sees(day.anne, "Titulaires · Plomberie Garnier", button="prii:"), "prii:")
    found = re.search(r"\?start=(\S+)", (await day.sees(day.anne, "Il sert une seule fois"))["text"])
    assert found is not None
    day.lucas_speaks = True
    day.lucas.user.start(found[1])
    return await day.sees(day.lucas, "Vous voici relié", button="ways:")


async def the_plumber_chooses_how_messages_come(day: Day) -> None:
    day.press(day.lucas, await the_plumber_joins(day), "ways:")
    shown = await day.sees(day.lucas, "Vos messages", button="ways:")
    day.press_data(day.lucas, shown, "ways:urgent")
    await day.sees(day.lucas, "Vos messages", "Ce qui est urgent arrive ici aussitôt", button="ways:")


async def anne_passes_a_call_on_in_telegram(day: Day) -> None:
    await the_plumber_joins(day)
    day.anne.user.send_text("/appel garnier M. Petit, 06 12 34 56 78, fuite")
    day.press(day.anne, await day.sees(day.anne, "M. Petit", button="pass:"), "pass:")
    await day.sees(day.lucas, "Message pour Plomberie Garnier", "M. Petit")

    async def done(store: Store) -> str | None:
        for conversation in await store.list(CONVERSATIONS_OF_ACCOUNT, "garnier", "closed"):
            return (await store.list(MESSAGES_OF_CONVERSATION, conversation.id))[0].text
        return None

    day.said.append(await day.until(done))


async def the_hour_of_the_plumbers_digest_comes(day: Day) -> None:
    await anne_passes_a_call_on_in_telegram(day)
    shown = await day.sees(day.lucas, "Vous voici relié", button="ways:")
    day.press_data(day.lucas, shown, "dig:18")
    await day.sees(day.lucas, "Chaque jour à 18 h")
    async with SqliteStore(day.store) as store:
        (before,) = await store.list(PRINCIPALS_DIGESTING, limit=2)
        now = datetime.now(UTC)
        due = msgspec.structs.replace(before, digest_at=now, digest_since_at=now - timedelta(hours=1))
        await store.commit(Changes(replacements=[due]))
    await day.sees(day.lucas, "Résumé du", "1 message téléphonique pris")


async def the_plumber_is_on_call(day: Day) -> None:
    await the_plumber_joins(day)
    await _he_says_this_week(day)


async def _he_says_this_week(day: Day) -> None:
    day.lucas.user.send_text("/astreinte")
    listed = await day.sees(day.lucas, "Astreinte · Plomberie Garnier", button="rotn:")
    day.press(day.lucas, listed, "rotn:")
    day.lucas.reply(await day.sees(day.lucas, "quels jours d’astreinte"), "cette semaine")
    proposed = await day.sees(day.lucas, "C’est bien cela ?", button="rots:")
    day.press(day.lucas, proposed, "rots:")
    await day.sees(day.lucas, "Dit par Lucas")


async def the_plumber_is_called(day: Day) -> Json:
    """His request is urgent, and he is on call."""
    await the_plumber_is_on_call(day)
    day.anne.user.send_text("/appel garnier M. Petit, 06 12 34 56 78, fuite, urgent")
    day.press(day.anne, await day.sees(day.anne, "M. Petit", button="pass:"), "pass:")

    async def said(store: Store) -> str | None:
        for alarm in await store.list(ALARMS_DUE):
            return (await store.list(MESSAGES_OF_CONVERSATION, alarm.id))[0].text
        return None

    day.said.append(await day.until(said))
    return await day.sees(day.lucas, "Urgent · Plomberie Garnier", "M. Petit", button="saw:")


async def the_plumbers_days_begin(day: Day) -> None:
    """What is urgent waits already."""
    await the_plumber_joins(day)
    day.anne.user.send_text("/appel garnier M. Petit, 06 12 34 56 78, fuite, urgent")
    day.press(day.anne, await day.sees(day.anne, "M. Petit", button="ours:"), "ours:")
    day.press(day.anne, await day.sees(day.anne, "Le secrétariat rappelle", button="pass:"), "pass:")
    await day.sees(day.anne, "Appel de M. Petit", button="rel:")
    await _he_says_this_week(day)

    async def said(store: Store) -> str | None:
        for alarm in await store.list(ALARMS_DUE):
            return (await store.list(MESSAGES_OF_CONVERSATION, alarm.id))[0].text
        return None

    day.said.append(await day.until(said))
    await day.sees(day.lucas, "Urgent · Plomberie Garnier", "M. Petit", button="saw:")


async def the_plumber_has_seen_it(day: Day) -> None:
    day.press(day.lucas, await the_plumber_is_called(day), "saw:")
    await day.sees(day.lucas, "Urgent · Plomberie Garnier", "👁 Vu par Lucas")
    await day.sees(day.anne, "vu par Lucas, d’astreinte")


async def the_plumber_is_called_again(day: Day) -> None:
    await the_plumber_is_called(day)
    async with SqliteStore(day.store) as store:
        (alarm,) = await store.list(ALARMS_DUE)
        await store.commit(Changes(replacements=[msgspec.structs.replace(alarm, due_at=datetime.now(UTC))]))

    async def called_twice(store: Store) -> bool:
        return (await store.get(Alarm, alarm.id)).calls == 2

    await day.until(called_twice)
