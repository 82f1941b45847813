"""What a secretary writes by mail besides words: copies, files, and the address she writes from."""

from __future__ import annotations

import email
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import msgspec

from handlers import callbacks
from handlers.callbacks import Copy, CopyAll, Discard, DropFile, Send, To, Undo
from inbox.addressees import reply_candidates
from inbox.model import Account, Draft, Message
from inbox.particulars import Forward, Particulars
from inbox.parts import Attachment
from inbox.store.documents import MESSAGES_OF_CONVERSATION
from tests.builders import ROUX, a_conversation, a_message, an_account
from tests.handlers.stage import CABINET_TOKEN, Seat, Stage, button, labels

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
PDF = b"%PDF-1.7\n.\r\n..\nFrom here\n" + bytes(range(256))[::-1] * 30


async def circular(stage: Stage, **fields: str) -> None:
    """A mail to the account and two others."""
    mail = EmailMessage()
    known = {
        "From": "Paul Martin <paul.martin@example.net>",
        "To": "cabinet@roux.example, Anne Petit <anne.petit@example.net>",
        "Cc": "luc.morel@example.org",
        "Subject": "Réunion",
        "Message-ID": "<reunion@example.net>",
    }
    for name, value in (known | {name.replace("_", "-"): value for name, value in fields.items()}).items():
        mail[name] = value
    mail.set_content("Jeudi convient-il à tous ?")
    await stage.mail_raw(mail.as_bytes())


async def drafted(stage: Stage, lea: Seat, text: str = "Oui, jeudi.") -> dict[str, Any]:
    card = await lea.sees("Pour vous")
    lea.writes(text, to=card)
    return await lea.sees(text, kind=Send)


def left(stage: Stage) -> EmailMessage:
    _, raw = stage.letters.sent[-1]
    read = email.message_from_bytes(raw, policy=default)
    assert isinstance(read, EmailMessage)
    assert not read.defects
    return read


def files_of(mail: EmailMessage) -> list[tuple[str | None, str, bytes]]:
    return [(p.get_filename(), p.get_content_type(), p.get_payload(decode=True)) for p in mail.iter_attachments()]  # type: ignore[misc]


# ---------------------------------------------------------------- copies


async def test_a_reply_goes_to_its_writer_alone_until_she_chooses_all(stage: Stage) -> None:
    lea = await stage.join()
    await circular(stage)
    preview = await drafted(stage, lea)
    assert "Copie" not in preview["text"]
    assert "👥 Répondre à tous (3)" in labels(preview)
    await lea.presses(preview, CopyAll)
    preview = await lea.sees("Copie : anne.petit@example.net, luc.morel@example.org", kind=Send)
    assert [one for one in labels(preview) if "cc" in one] == [
        "✓ cc : anne.petit@example.net",
        "✓ cc : luc.morel@example.org",
    ]
    assert "cabinet@roux.example" not in "".join(labels(preview))
    await lea.presses(preview, Copy, "luc.morel")
    preview = await lea.sees("Copie : anne.petit@example.net", kind=Send)
    assert "+ cc : luc.morel@example.org" in labels(preview)
    await lea.presses(preview, Send)
    mail = left(stage)
    assert (mail["To"], mail["Cc"]) == ("paul.martin@example.net", "anne.petit@example.net")
    assert stage.letters.sent[-1][0].recipients == ("paul.martin@example.net", "anne.petit@example.net")
    sent = await lea.sees("Votre réponse", "Copie : anne.petit@example.net")
    assert not labels(sent)


async def test_a_choice_pressed_twice_or_late_or_by_another_changes_nothing_more(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès", on_duty=False)
    await circular(stage)
    preview = await drafted(stage, lea)
    everyone = button(preview, CopyAll)
    assert everyone
    await lea.forges(preview, everyone)
    await lea.forges(preview, everyone)
    preview = await lea.sees("Copie : anne.petit@example.net, luc.morel@example.org", kind=Copy)
    without_luc = button(preview, Copy, "luc.morel")
    assert without_luc
    await lea.forges(preview, without_luc)
    await lea.forges(preview, without_luc)
    preview = await lea.sees("Copie : anne.petit@example.net\n", kind=Copy)
    assert "collègue" in await ines.forges(preview, without_luc)
    assert "a changé" in await lea.forges(
        preview, Copy(draft=without_luc.split(":")[1], position=0, wanted=True, check="0")
    )
    lea.writes("/cc zoe@example.net", to=preview)
    preview = await lea.sees("zoe@example.net", kind=Copy)
    assert "a changé" in await lea.forges(preview, without_luc)
    await lea.presses(preview, Send)
    assert left(stage)["Cc"] == "anne.petit@example.net, zoe@example.net"
    assert "n’est plus ouvert" in await lea.forges(preview, everyone)
    assert len(stage.letters.sent) == 1


async def test_she_names_a_copy_herself_and_what_is_no_address_is_said_to_be_none(stage: Stage) -> None:
    lea = await stage.join()
    await stage.mail()
    card = await lea.sees("Pour vous")
    lea.writes("/cc", to=card)
    await lea.sees("Écrivez /cc suivi d’une adresse")
    lea.writes("/cc zoe@example.net")
    await lea.sees("Pour quelle réponse ?")
    lea.writes("/cc pas une adresse", to=card)
    await lea.sees("« pas » n’est pas une adresse mail")
    lea.writes("/cc Zoe@Example.net, luc@example.org", to=card)
    preview = await lea.sees("Copie : zoe@example.net, luc@example.org", kind=Copy)
    assert "vide" in await lea.presses(preview, Send)
    lea.writes("Bonjour à tous.", to=card)
    preview = await lea.sees("Bonjour à tous.", "Copie : zoe@example.net, luc@example.org", kind=Send)
    lea.writes("/cc -luc@example.org", to=preview)
    preview = await lea.sees("Bonjour à tous.", "Copie : zoe@example.net\n", kind=Send)
    await lea.presses(preview, Send)
    assert left(stage)["Cc"] == "zoe@example.net"
    # Whoever had the reply takes part: her answer finds the conversation.
    await stage.mail("Bien reçu.", sender="Zoé <zoe@example.net>", answers=stage.letters.sent[0][0].message_id)
    await lea.sees("Bien reçu.")
    assert await stage.said() == ["Bonjour, puis-je venir jeudi ?", "Bonjour à tous.", "Bien reçu."]


async def test_a_client_in_telegram_has_no_copies(stage: Stage) -> None:
    lea, nora = await stage.join(), stage.client()
    nora.user.start("roux")
    nora.writes("Bonjour")
    card = await lea.sees("Pour vous", "Bonjour")
    lea.writes("/cc zoe@example.net", to=card)
    await lea.sees("Les copies n’existent que par mail.")
    lea.writes("Bonjour Nora", to=card)
    preview = await lea.sees("Bonjour Nora", kind=Send)
    assert button(preview, CopyAll) is None
    assert button(preview, To) is None


async def test_what_is_taken_back_keeps_its_copies_and_files(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", undo=timedelta(hours=1)) as stage:
        lea = await stage.join()
        await circular(stage)
        preview = await drafted(stage, lea)
        lea.user.send_file("document", "plan.pdf", "application/pdf", PDF, reply_to=preview["message_id"])
        preview = await lea.sees("Oui, jeudi.", "plan.pdf", kind=CopyAll)
        await stage.quiet()
        await lea.presses(preview, CopyAll)
        preview = await lea.sees("Copie : anne", kind=Send)
        await lea.presses(preview, Send)
        sent = await lea.sees("Votre réponse", "plan.pdf", kind=Undo)
        lea.writes("Autre chose.", to=sent)
        newer = await lea.sees("Autre chose.", kind=Send)
        lea.user.send_file("photo", "a.png", "image/png", PNG, reply_to=newer["message_id"])
        await lea.sees("Autre chose.", "photo-", kind=Send)
        await stage.quiet()
        await lea.presses(sent, Undo)
        joined = await lea.sees("Oui, jeudi.", "Autre chose.", "plan.pdf", "photo-", "Copie : anne", kind=Send)
        assert len([one for one in labels(joined) if "Retirer" in one]) == 2
        await lea.presses(joined, Send)
        await lea.sees("Votre réponse", "plan.pdf", "photo-", "Copie : anne", kind=Undo)


def handed_on(opens: bool) -> Message:
    """A mail that hands on another's."""
    forwards = (Forward(address="first@example.net"),)
    return msgspec.structs.replace(
        a_message(a_conversation(), position=1 if opens else 2), particulars=Particulars(forwards=forwards)
    )


def test_what_a_client_hands_on_is_answered_to_who_first_wrote_or_by_choice_to_the_client() -> None:
    account, writer = an_account(), "paul.martin@example.net"
    assert reply_candidates(handed_on(opens=True), account) == ("first@example.net", writer)
    assert reply_candidates(handed_on(opens=False), account) == (writer, "first@example.net")
    assert reply_candidates(None, account) == ()


# ---------------------------------------------------------------- from


async def test_a_reply_leaves_from_the_alias_that_was_written_to_and_from_no_other_accounts(stage: Stage) -> None:
    roux: Account = stage.desk.accounts[ROUX]
    aliased = msgspec.structs.replace(roux, addresses=(*roux.addresses, "urgences@roux.example"))
    stage.desk.accounts[ROUX] = aliased  # type: ignore[index]
    lea = await stage.join()
    await circular(stage, To="urgences@roux.example, contact@bernard.example")
    preview = await drafted(stage, lea)
    assert "urgences@roux.example" in preview["text"]
    assert "contact@bernard.example" not in preview["text"]
    await lea.presses(preview, Send)
    mail, letter = left(stage), stage.letters.sent[-1][0]
    assert mail["From"].addresses[0].addr_spec == letter.sender == "urgences@roux.example"
    assert mail["Message-ID"].endswith("@roux.example>")
    assert "urgences@roux.example" in (await lea.sees("Votre réponse"))["text"]


# ---------------------------------------------------------------- files


async def test_a_photo_leaves_by_mail_octet_for_octet_and_is_found_on_the_card(stage: Stage) -> None:
    lea = await stage.join()
    await stage.mail()
    card = await lea.sees("Pour vous")
    lea.user.send_file("photo", "a.png", "image/png", PNG, caption="Voici le plan.", reply_to=card["message_id"])
    preview = await lea.sees("Voici le plan.", "🖼 photo-", kind=DropFile)
    await stage.quiet()
    await lea.presses(preview, Send)
    ((name, kind, data),) = files_of(left(stage))
    assert (str(name)[:6], kind, data) == ("photo-", "image/jpeg", PNG)
    conversation = await stage.conversation()
    sent: Message = (await stage.store.list(MESSAGES_OF_CONVERSATION, conversation.id))[-1]
    assert stage.letters.extract(stage.letters.sent[0][1], sent.attachments[0]) == PNG
    card = await lea.sees("↩️", "🖼 photo-", kind=callbacks.Files)
    await lea.presses(card, callbacks.Files)
    handed = lea.user.messages()[-1]
    assert lea.user.file(handed["document"]["file_id"])[2] == PNG


async def test_an_album_is_one_draft_and_files_can_be_added_and_taken_out(stage: Stage) -> None:
    lea = await stage.join()
    await stage.mail()
    card = await lea.sees("Pour vous")
    lea.user.send_album(
        [("photo", "a.png", "image/png", PNG), ("document", "Ordonnance d’été.pdf", "application/pdf", PDF)],
        caption="Deux fichiers.",
        reply_to=card["message_id"],
    )
    preview = await lea.sees("Deux fichiers.", "photo-", "Ordonnance d’été.pdf", kind=Send)
    lea.user.send_file("voice", "", "audio/ogg", b"OggS" * 99, reply_to=preview["message_id"])
    preview = await lea.sees("Deux fichiers.", "photo-", "Ordonnance d’été.pdf", "voice-", kind=DropFile)
    assert sum("Aperçu" in text for text in lea.screen) == 1
    await lea.presses(preview, DropFile, "photo-")
    preview = await lea.sees("Deux fichiers.", "Ordonnance d’été.pdf", "voice-", kind=DropFile)
    await stage.quiet()
    await lea.presses(preview, Send)
    assert [(name if name and "voice" not in name else "voice", data) for name, _, data in files_of(left(stage))] == [
        ("Ordonnance d’été.pdf", PDF),
        ("voice", b"OggS" * 99),
    ]
    assert "Deux fichiers." in str(left(stage).get_body(("plain",)))


async def test_an_edited_caption_edits_the_draft(stage: Stage) -> None:
    lea = await stage.join()
    await stage.mail()
    card = await lea.sees("Pour vous")
    photo = lea.user.send_file("photo", "a.png", "image/png", PNG, caption="Voici", reply_to=card["message_id"])
    await lea.sees("Voici", kind=Send)
    lea.user.edit_text(photo["message_id"], "Voilà le plan")
    await lea.sees("Voilà le plan", "photo-", kind=Send)


async def test_a_file_that_does_not_come_keeps_the_letter_and_send_can_be_pressed_again(stage: Stage) -> None:
    lea = await stage.join()
    await stage.mail()
    card = await lea.sees("Pour vous")
    stage.telegram.fail_next("getFile", times=2, status=502)
    lea.user.send_file("document", "plan.pdf", "application/pdf", PDF, caption="Le plan", reply_to=card["message_id"])
    preview = await lea.sees("Le plan", "⏳ un fichier arrive encore", kind=Send)
    assert "n’a pas encore remis plan.pdf" in await lea.presses(preview, Send)
    assert stage.letters.sent == []
    assert "n’a pas encore remis plan.pdf" in await lea.presses(preview, Send)
    await stage.quiet()
    await lea.presses(preview, Send)
    assert files_of(left(stage))[0][2] == PDF


async def test_a_file_telegram_never_hands_over_leaves_the_draft_and_she_is_told(stage: Stage) -> None:
    lea = await stage.join()
    await stage.mail()
    card = await lea.sees("Pour vous")
    stage.telegram.fail_next("getFile", status=400, description="Bad Request: file is too big")
    lea.user.send_file("video", "film.mp4", "video/mp4", b"x" * 99, caption="Le film", reply_to=card["message_id"])
    await lea.sees("⚠ film.mp4 ne peut pas partir par ce chemin", "20 Mo")
    await stage.quiet()
    preview = await lea.sees("Le film", kind=Send)
    assert button(preview, DropFile) is None


async def test_files_too_large_for_a_mail_do_not_leave_and_the_remedy_is_said(stage: Stage) -> None:
    lea = await stage.join()
    await stage.mail()
    preview = await drafted(stage, lea)
    for name in ("un.bin", "deux.bin"):
        lea.user.send_file("document", name, "application/x-bin", b"x" * 10**7, reply_to=preview["message_id"])
        preview = await lea.sees(name, kind=DropFile)
    await stage.quiet()
    assert "18 Mo au plus" in await lea.presses(preview, Send)
    await lea.presses(preview, DropFile, "deux")
    preview = await lea.sees("un.bin", kind=Send)
    await lea.presses(preview, Send)
    assert len(files_of(left(stage))) == 1


async def test_files_reach_a_client_in_telegram_through_the_same_bot_and_another(stage: Stage) -> None:
    lea, nora, paul = await stage.join(), stage.client(), stage.client(502, "Paul")
    nora.user.start("roux")
    nora.writes("Par le bureau")
    card = await lea.sees("Pour vous", "Par le bureau")
    lea.user.send_file("document", "plan.pdf", "application/pdf", PDF, reply_to=card["message_id"])
    preview = await lea.sees("plan.pdf", kind=Send)
    await lea.presses(preview, Send)
    assert nora.user.file(nora.user.messages()[-1]["document"]["file_id"])[2] == PDF
    paul.user.start("", CABINET_TOKEN)
    paul.writes("Par le cabinet", token=CABINET_TOKEN)
    card = await lea.sees("Pour vous", "Par le cabinet")
    lea.user.send_file("photo", "a.png", "image/png", PNG, caption="Ici", reply_to=card["message_id"])
    preview = await lea.sees("Ici", "photo-", kind=Send)
    await stage.quiet()
    await lea.presses(preview, Send)
    said = paul.user.messages(CABINET_TOKEN)
    assert said[-2]["text"] == "Ici"
    assert paul.user.file(said[-1]["photo"][-1]["file_id"], CABINET_TOKEN)[2] == PNG


async def test_a_discarded_draft_keeps_none_of_its_files(stage: Stage) -> None:
    lea = await stage.join()
    await stage.mail()
    card = await lea.sees("Pour vous")
    lea.user.send_file("document", "plan.pdf", "application/pdf", PDF, reply_to=card["message_id"])
    preview = await lea.sees("plan.pdf", kind=Discard)
    await stage.quiet()
    before = await stage.store.list_blobs()
    await lea.presses(preview, Discard)
    (draft,) = await stage.store.scan(Draft)
    kept: Attachment = draft.attachments[0]
    assert kept.blob_id in before
    assert kept.blob_id not in await stage.store.list_blobs()


async def test_files_for_nobody_in_particular_are_asked_about(stage: Stage) -> None:
    lea = await stage.join()
    lea.user.send_file("photo", "a.png", "image/png", PNG)
    await lea.sees("Vous ne tenez aucune demande")
    await stage.mail("Un")
    await stage.quiet()
    lea.user.send_file("document", "plan.pdf", "application/pdf", PDF)
    await lea.sees("plan.pdf", kind=Send)
    await stage.mail("Deux", sender="Zoé <zoe@example.net>", subject="Autre")
    await stage.quiet()
    lea.user.send_file("photo", "b.png", "image/png", PNG)
    await lea.sees("Pour quelle demande ?")
    lea.user.send_raw({"location": {"latitude": 48.85, "longitude": 2.35}})
    await lea.sees("Seuls un texte ou des fichiers partent")
