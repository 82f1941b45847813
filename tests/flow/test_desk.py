"""What clients and secretaries see of the whole desk."""

from __future__ import annotations

import asyncio
import email
import email.policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path

from bot.demo.telegram_server import TelegramServer
from inbox.model import Role
from tests.flow.running import (
    ADDRESS,
    SOPHIE,
    At,
    Json,
    come_on_duty,
    desk_settings,
    eventually,
    invitation,
    mail,
    running,
)
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.sounds import encoded, length_of


def read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


async def test_a_mail_is_answered_from_telegram_in_its_thread_and_the_answer_comes_back_to_the_same_secretary(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        lise = await come_on_duty(settings, telegram, 502, "Lise")
        dovecot.deliver("cabinet", mail("Renouvellement", "Puis-je passer jeudi ?", message_id="q1@client.test"))
        holder, other = await _who_got_it(anne, lise, "Puis-je passer jeudi ?")
        card = await holder.sees("Dr Claire Vasseur", "Sophie Marchand", "Renouvellement", "Puis-je passer jeudi ?")

        holder.reply(card, "Bonjour,\n\nOui, jeudi à 9 h. À bientôt !")
        preview = await holder.sees("Aperçu", "Cabinet du Dr Vasseur", SOPHIE, "Re: Renouvellement", button="send")
        assert "Oui, jeudi à 9 h. À bientôt !" in preview["text"]
        assert "Secrétariat du Dr Vasseur" in preview["text"]
        assert dovecot.mails("sophie") == []
        await holder.press(preview, "send")
        (raw,) = await eventually(lambda: dovecot.mails("sophie"))
        sent = read(raw)
        assert sent["From"] == f"Cabinet du Dr Vasseur <{ADDRESS}>"
        assert sent["To"] == SOPHIE
        assert sent["Subject"] == "Re: Renouvellement"
        assert sent["In-Reply-To"] == "<q1@client.test>"
        assert sent["References"] == "<q1@client.test>"
        plain = sent.get_body(("plain",))
        rich = sent.get_body(("html",))
        assert plain is not None
        assert rich is not None
        assert plain.get_content().startswith(
            "Bonjour,\n\nOui, jeudi à 9 h. À bientôt !\n\n-- \nSecrétariat du Dr Vasseur"
        )
        assert "Oui, jeudi à 9 h." in rich.get_content()
        await holder.sees("#1", "envoyé à")

        answer = mail("Re: Renouvellement", "Parfait, merci.", message_id="q2@client.test", answers=sent)
        dovecot.deliver("cabinet", answer)
        again = await holder.sees("Parfait, merci.", button="close")
        assert "#1" in again["text"]
        assert "Oui, jeudi à 9 h." in again["text"]
        assert not any("Parfait" in str(m.get("text")) for m in other.user.messages())


async def test_a_photo_sent_in_telegram_arrives_as_an_attachment_octet_for_octet_with_its_copy(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    photo = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3000 + b"\r\n.\r\nFrom x"
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        dovecot.deliver("cabinet", mail("Plan", "Avez-vous le plan ?", message_id="q1@client.test"))
        card = await anne.sees("Avez-vous le plan ?")
        anne.user.send_file("photo", "plan.png", "image/png", photo, caption="Le voici.", reply_to=card["message_id"])
        preview = await anne.sees("Aperçu", "Le voici.", "photo-", button="send", absent="⏳")
        anne.reply(preview, "/cc anne@client.test")
        preview = await anne.sees("Aperçu", "Copie : anne@client.test", button="send", absent="⏳")
        await anne.press(preview, "send")
        for someone in ("sophie", "anne"):
            (raw,) = await eventually(lambda box=someone: dovecot.mails(box))
            sent = read(raw)
            assert (sent["To"], sent["Cc"]) == (SOPHIE, "anne@client.test")
            (file,) = sent.iter_attachments()
            assert file.get_content_type() == "image/jpeg"
            assert file.get_payload(decode=True) == photo


async def _who_got_it(anne: At, lise: At, words: str) -> tuple[At, At]:
    def look() -> tuple[At, At] | None:
        for one, other in ((anne, lise), (lise, anne)):
            if any(words in str(m.get("text")) for m in one.user.messages()):
                return one, other
        return None

    found: tuple[At, At] = await eventually(look)
    return found


async def test_a_telegram_message_is_answered_in_its_chat_and_the_answer_comes_back_to_the_same_secretary(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        lucas = At(telegram.user(601, "Lucas", "Petit"))
        lucas.user.start("garnier")
        await lucas.sees("Plomberie Garnier")
        question = lucas.user.send_text("Ma chaudière fuit, pouvez-vous venir ?")
        card = await anne.sees("Plomberie Garnier", "Lucas Petit", "Ma chaudière fuit", button="rel:")
        anne.reply(card, "Oui, cet après-midi.")
        await anne.press(await anne.sees("Aperçu", "Oui, cet après-midi.", button="send"), "send")
        got = await lucas.sees("Oui, cet après-midi.")
        assert got["text"].endswith("Oui, cet après-midi.")
        assert got["reply_to_message"]["message_id"] == question["message_id"]
        lucas.reply(got, "Merci, à quelle heure ?")
        again = await anne.sees("Merci, à quelle heure ?", button="rel:")
        assert "#1" in again["text"]


async def test_a_photo_a_document_and_a_voice_message_reach_the_secretary_whole(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        lucas = At(telegram.user(601, "Lucas"))
        lucas.user.start("garnier")
        await lucas.sees("Plomberie Garnier")
        for kind, name, media_type in (
            ("photo", "fuite.jpg", "image/jpeg"),
            ("document", "devis.pdf", "application/pdf"),
            ("voice", "message.ogg", "audio/ogg"),
        ):
            octets = f"octets of the {kind}".encode()
            lucas.user.send_file(kind, name, media_type, octets, caption=f"voici : {kind}")
            card = await anne.sees(f"voici : {kind}", button="files")
            await anne.press(card, "files")
            shown = await anne.user.wait_for(partial(_holds, kind))
            assert shown is not None
            file = shown[kind][-1] if kind == "photo" else shown[kind]
            assert anne.user.file(file["file_id"])[2] == octets


def _holds(kind: str, message: Json) -> bool:
    return kind in message


async def test_a_voice_mail_in_wav_plays_under_the_card_and_its_file_can_be_had(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        made = read(mail("Nouveau message vocal", "De : 01 99 00 12 34", message_id="v1@client.test"))
        octets = encoded("pcm_alaw", "wav", 12)
        made.add_attachment(octets, maintype="audio", subtype="x-wav", filename="msg0001.wav")
        dovecot.deliver("cabinet", made.as_bytes())
        card = await anne.sees("De : 01 99 00 12 34", "🎤 msg0001.wav (0:12 · 96 ko)", button="listen")
        await anne.press(card, "listen")
        shown = await anne.user.wait_for(partial(_holds, "voice"))
        assert shown is not None
        assert (shown["caption"], shown["voice"]["duration"]) == ("#1 · msg0001.wav", 12)
        assert 11.9 < length_of(anne.user.file(shown["voice"]["file_id"])[2]) < 12.1
        await anne.press(card, "files")
        shown = await anne.user.wait_for(partial(_holds, "document"))
        assert shown is not None
        name, _, got = anne.user.file(shown["document"]["file_id"])
        assert (name, got) == ("msg0001.wav", octets)


async def test_a_mails_attachment_reaches_the_secretary_whole(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        made = read(mail("Ordonnance", "Voir pièce jointe.", message_id="a1@client.test"))
        octets = bytes(range(256)) * 40
        made.add_attachment(octets, maintype="application", subtype="pdf", filename="ordonnance été.pdf")
        dovecot.deliver("cabinet", made.as_bytes())
        card = await anne.sees("Voir pièce jointe.", "ordonnance été.pdf", button="files")
        await anne.press(card, "files")
        shown = await anne.user.wait_for(lambda m: "document" in m)
        assert shown is not None
        name, _, got = anne.user.file(shown["document"]["file_id"])
        assert (name, got) == ("ordonnance été.pdf", octets)


async def test_a_refused_address_is_said_on_the_card_and_a_busy_one_is_tried_again(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        for number, who, said in ((1, "nobody", "n’est pas partie"), (2, "tempfail", "nouvel essai")):
            sender = f"{who}@client.test"
            dovecot.deliver("cabinet", mail("Bonjour", f"de {who}", sender=sender, message_id=f"r{number}@client.test"))
            card = await anne.sees(f"de {who}", button="rel:")
            anne.reply(card, f"Réponse à {who}.")
            await anne.press(await anne.sees("Aperçu", f"Réponse à {who}.", button="send"), "send")
            await anne.sees(f"#{number} ·", said)


async def test_a_clients_edit_and_a_block_are_seen_on_the_card(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        lucas = At(telegram.user(601, "Lucas"))
        lucas.user.start("garnier")
        await lucas.sees("Plomberie Garnier")
        said = lucas.user.send_text("Je suis au 12 rue des Lilas")
        await anne.sees("12 rue des Lilas", button="rel:")
        lucas.user.edit_text(said["message_id"], "Je suis au 21 rue des Lilas")
        card = await anne.sees("21 rue des Lilas", "modifié", button="rel:")
        lucas.user.block()
        await anne.sees("bloqué nos messages")
        anne.reply(card, "Nous arrivons.")
        await anne.press(await anne.sees("Aperçu", "Nous arrivons.", "bloqué nos messages", button="send"), "send")
        lucas.user.unblock()
        await anne.sees("Je suis au 21 rue des Lilas", "modifié", button="rel:")


async def test_a_long_reply_arrives_in_parts_in_order(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        lucas = At(telegram.user(601, "Lucas"))
        lucas.user.start("garnier")
        await lucas.sees("Plomberie Garnier")
        lucas.user.send_text("Que faut-il préparer ?")
        card = await anne.sees("Que faut-il préparer ?", button="rel:")
        first, second = "début " + "a" * 3000, "b" * 3000 + " fin 🎉"
        anne.reply(card, first)
        await anne.sees("Aperçu", "début", button="send")
        anne.reply(card, second)
        preview = await anne.user.wait_for(lambda m: str(m.get("text", "")).startswith("Aperçu") and "bbb" in m["text"])
        assert preview is not None
        await anne.press(preview, "send")
        await lucas.sees("fin 🎉")
        parts = [m["text"] for m in lucas.user.messages() if "aaa" in str(m.get("text")) or "bbb" in str(m.get("text"))]
        assert len(parts) == 2
        assert parts[0].endswith(first)
        assert parts[1] == second


async def test_two_secretaries_pressing_take_together_get_one_assignment(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram, assignment="manual")
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        lise = await come_on_duty(settings, telegram, 502, "Lise")
        dovecot.deliver("cabinet", mail("Urgent", "Qui répond ?", message_id="t1@client.test"))
        cards = await asyncio.gather(*(who.sees("Qui répond ?", button="take") for who in (anne, lise)))
        toasts = await asyncio.gather(anne.press(cards[0], "take"), lise.press(cards[1], "take"))
        assert sum("est à vous" in toast for toast in toasts) == 1
        winner = "Anne" if "est à vous" in toasts[0] else "Lise"
        assert f"Déjà prise par {winner}." in toasts
        loser = lise if winner == "Anne" else anne
        await loser.sees(f"Chez {winner}")


async def test_a_message_that_arrives_while_a_reply_waits_out_its_undo_time_holds_it_until_read(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram, undo_seconds=3600)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        lucas = At(telegram.user(601, "Lucas"))
        lucas.user.start("garnier")
        await lucas.sees("Plomberie Garnier")
        lucas.user.send_text("Venez lundi.")
        card = await anne.sees("Venez lundi.", button="rel:")
        anne.reply(card, "D’accord pour lundi.")
        await anne.press(await anne.sees("Aperçu", "D’accord pour lundi.", button="send"), "send")
        await anne.sees("Votre réponse", button="undo")
        lucas.user.send_text("Non, plutôt mardi !")
        await anne.sees("Elle est retenue")
        held = await anne.sees("Aperçu", "Arrivé depuis", "Non, plutôt mardi !", button="send")
        anne.reply(held, "D’accord pour mardi.")
        fresh = await anne.sees("Aperçu", "D’accord pour mardi.", absent="Arrivé depuis", button="send")
        await anne.press(fresh, "send")
        sent = await anne.sees("Votre réponse", "D’accord pour mardi.", button="undo")
        toast = await anne.press(sent, "undo")
        assert "Envoi annulé" in toast
        await anne.sees("Aperçu", "D’accord pour mardi.", button="send")
        assert not any("D’accord" in str(m.get("text")) for m in lucas.user.messages())


async def test_someone_who_leaves_hands_back_what_waits_and_whoever_comes_gets_it(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        dovecot.deliver("cabinet", mail("Bonjour", "Quelqu’un est là ?", message_id="p1@client.test"))
        await anne.sees("Quelqu’un est là ?", button="rel:")
        anne.user.send_text("/fin")
        await anne.sees("Au revoir Anne", "1 demande")
        await anne.sees("Dans la file", "Anne n’est plus en service")
        lise = await come_on_duty(settings, telegram, 502, "Lise")
        await lise.sees("Quelqu’un est là ?", "Pour vous", button="rel:")


async def test_words_from_a_stranger_without_a_link_wait_unsorted_until_a_supervisor_places_them(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer
) -> None:
    settings = desk_settings(tmp_path, dovecot, postfix.port, telegram)
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        marc = At(telegram.user(503, "Marc"))
        marc.user.start(await invitation(settings, "Marc", Role.SUPERVISOR))
        await marc.press(await marc.sees("Bienvenue", button="duty"), "duty")
        stranger = telegram.user(699, "Inconnu")
        stranger.send_text("Bonjour, c’est pour ma facture")
        card = await marc.sees("ma facture", button="place")
        assert not any("ma facture" in str(m.get("text")) for m in anne.user.messages())
        await marc.press(card, "place")
        await marc.press(await marc.sees("pour quel compte", button="in:"), "in:")
        placed = await marc.sees("Dr Claire Vasseur", "ma facture")
        assert "#1" in placed["text"]
