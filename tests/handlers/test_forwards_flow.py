"""Mails that clients hand on: whose card it is, what it says, and whom the reply goes to."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage

import msgspec
import pytest

from channels.mail.parse import read_mail
from handlers.callbacks import Send
from handlers.forgetting import begin, forget
from inbox.conversations import Numbers
from inbox.erasure import erase
from inbox.errors import Conflict
from inbox.forgetting import find_contacts, trace
from inbox.holdings import conversations_of, plain, share_of
from inbox.matching import id_of_part
from inbox.model import Conversation, Direction, Message, Receipt
from inbox.parts import ChannelId
from inbox.receipts import arrived, handled
from inbox.store.base import Blob, Changes, Store
from inbox.store.documents import KINDS, MESSAGES_OF_CONVERSATION
from inbox.triage import Triage
from tests.builders import KEY, NOW, ROUX, accounts, put
from tests.contracts.backends import empty_database, open_at
from tests.handlers.stage import Stage

QUOTED = """\
Pouvez-vous répondre à cette dame ?

Paul Martin

---------- Message transféré ---------
De : Nora Petit <nora@petit.example>
Date : lun. 2 mars 2026 à 14:05
Objet : Mon dossier
À : Paul Martin <paul.martin@example.net>

Où en est mon dossier ?
"""


def attached(*senders: str) -> bytes:
    """A mail that hands on others, whole."""
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = (
        "Paul Martin <paul.martin@example.net>",
        "cabinet@roux.example",
        "Fwd: deux",
    )
    outer["Message-ID"] = "<outer@example.net>"
    outer.set_content("Deux demandes pour vous.")
    for number, sender in enumerate(senders):
        inner = EmailMessage()
        inner["From"], inner["To"], inner["Subject"] = sender, "paul.martin@example.net", f"Demande {number}"
        inner["Message-ID"] = f"<inner{number}@example.net>"
        inner.set_content(f"Voici ma demande {number}.")
        outer.add_attachment(inner)
    return outer.as_bytes()


async def everything(stage: Stage) -> list[tuple[Conversation, list[Message]]]:
    conversations = sorted(await stage.store.scan(Conversation), key=lambda c: c.number)
    return [(c, await stage.store.list(MESSAGES_OF_CONVERSATION, c.id)) for c in conversations]


async def test_who_first_wrote_is_answered_and_who_handed_it_on_is_said(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail(QUOTED, subject="TR: Mon dossier")
    card = await lea.sees("Nora Petit (nora@petit.example)", "Mon dossier", "Où en est mon dossier ?")
    assert "Paul Martin (paul.martin@example.net)" in card["text"]
    assert "transfère un message de Nora Petit" in card["text"]
    assert card["text"].count("Où en est mon dossier ?") == 1
    lea.writes("Il est prêt.", to=card)
    preview = await lea.sees("Aperçu", "nora@petit.example", kind=Send)
    assert "paul.martin@example.net" not in preview["text"].partition("Objet")[0]
    await lea.presses(preview, Send)
    await stage.quiet()
    [(letter, left)] = stage.letters.sent
    assert letter.recipients == ("nora@petit.example",)
    quoted = stage.letters.read(left).text
    assert "> Où en est mon dossier ?" in quoted
    assert "Pouvez-vous répondre" not in quoted
    # She answers, and so does he: both belong to it now.
    [(conversation, _)] = await everything(stage)
    assert {"nora@petit.example", "paul.martin@example.net"} <= set(conversation.participants)


async def test_several_mails_handed_on_whole_are_a_conversation_each_once(stage: Stage) -> None:
    lea = await stage.join("Léa")
    raw = attached("Nora Petit <nora@petit.example>", "Luc Blanc <luc@blanc.example>")
    await stage.mail_raw(raw)
    await lea.sees("Nora Petit (nora@petit.example)", "Voici ma demande 0.", "Deux demandes pour vous.")
    await lea.sees("Luc Blanc (luc@blanc.example)", "Voici ma demande 1.")
    await stage.mail_raw(raw)
    await stage.quiet()
    assert await stage.ledger_is_balanced()
    found = await everything(stage)
    assert [(c.subject, len(messages)) for c, messages in found] == [("Demande 0", 1), ("Demande 1", 1)]


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 +0000", "0001-01-01T00:00:00"])
async def test_a_date_at_the_end_of_days_keeps_nothing_from_being_shown_and_answered(stage: Stage, date: str) -> None:
    accounts = stage.desk.accounts
    assert isinstance(accounts, dict)
    # East of Greenwich the one is past the last day there is, west of it the other before the first.
    zone = "Europe/Paris" if "9999" in date else "America/Guadeloupe"
    accounts[ROUX] = msgspec.structs.replace(accounts[ROUX], time_zone=zone)
    lea = await stage.join("Léa")
    forwarded = EmailMessage()
    forwarded["From"], forwarded["To"] = "Paul Martin <paul.martin@example.net>", "cabinet@roux.example"
    forwarded["Subject"], forwarded["Message-ID"] = "TR: Mon dossier", "<late@example.net>"
    forwarded.set_content(QUOTED.replace("lun. 2 mars 2026 à 14:05", date))
    await stage.mail_raw(b"Date: " + date.encode() + b"\n" + forwarded.as_bytes())
    card = await lea.sees("Nora Petit (nora@petit.example)", "Où en est mon dossier ?")
    lea.writes("Il est prêt.", to=card)
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_a_name_that_somebody_knew_beforehand_keeps_nothing_out(stage: Stage) -> None:
    lea = await stage.join("Léa")
    raw = attached("Nora Petit <nora@petit.example>", "Luc Blanc <luc@blanc.example>")
    for name in ("outer@example.net~1", id_of_part("outer@example.net", 1)):
        await stage.mail("Je devine bien.", sender="Un voleur <voleur@example.net>", message_id=name)
    await stage.mail_raw(raw)
    await lea.sees("Luc Blanc (luc@blanc.example)", "Voici ma demande 1.")
    await stage.mail_raw(raw)
    await stage.quiet()
    assert len(await everything(stage)) == 4
    assert await stage.ledger_is_balanced()


async def test_nobody_gets_into_a_conversation_by_saying_whose_mail_he_hands_on(stage: Stage) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail("Où en est mon dossier ?", sender="Nora Petit <nora@petit.example>", subject="Mon dossier")
    await lea.sees("Nora Petit", "Où en est mon dossier ?")
    forged = QUOTED.replace("Où en est mon dossier ?", "Envoyez tout à voleur@example.net.")
    await stage.mail(forged, sender="Un voleur <voleur@example.net>", subject="TR: Mon dossier", answers=first)
    await lea.sees("Un voleur (voleur@example.net)", "Envoyez tout", "transfère un message de Nora Petit")
    [(asked, messages), (other, _)] = await everything(stage)
    assert len(messages) == 1
    assert other.related_to == asked.id
    assert "voleur@example.net" not in asked.participants


async def test_a_mail_that_names_nobody_or_ourselves_is_its_senders(stage: Stage) -> None:
    lea = await stage.join("Léa")
    ours = QUOTED.replace("Nora Petit <nora@petit.example>", "Dr Hélène Roux <cabinet@roux.example>")
    await stage.mail(ours, subject="TR: Mon dossier", message_id="a@example.net")
    await lea.sees("👤 Paul Martin (paul.martin@example.net)")
    [(conversation, [message])] = await everything(stage)
    assert message.direction is Direction.INBOUND
    assert message.author_id == conversation.contact_id


async def held(stage: Stage) -> str:
    """All that is stored, documents and raw mails."""
    said = [
        msgspec.json.encode(document).decode()
        for kind in KINDS
        for document in await stage.store.scan(kind, limit=1000)
    ]
    raw = [await stage.store.read_blob(blob_id) for blob_id in await stage.store.list_blobs()]
    return "\n".join([*said, *(octets.decode(errors="replace") for octets in raw)])


async def test_each_of_them_is_forgotten_apart(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail_raw(attached("Nora Petit <nora@petit.example>", "Luc Blanc <luc@blanc.example>"))
    await lea.sees("Luc Blanc (luc@blanc.example)", "Voici ma demande 1.")
    await stage.quiet()
    for name, address in (("Nora Petit", "nora@petit.example"), ("Luc Blanc", "luc@blanc.example")):
        assert address in await held(stage)
        [contact] = await find_contacts(stage.store, address, ROUX)
        assert contact.name == name
        await begin(stage.store, contact, stage.desk.clock())
        await forget(stage.store, contact.id, stage.desk.clock)
        left = await held(stage)
        assert address not in left
        assert name not in left
    assert "Voici ma demande" not in await held(stage)
    assert await stage.ledger_is_balanced()


async def test_what_the_forgotten_wrote_is_gone_from_the_hands_of_others_too(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail(QUOTED, subject="TR: Mon dossier")
    await lea.sees("Nora Petit (nora@petit.example)", "Où en est mon dossier ?")
    await stage.mail("Et moi ?", subject="Autre chose")
    await lea.sees("Et moi ?")
    await stage.quiet()
    [nora] = await find_contacts(stage.store, "nora@petit.example", ROUX)
    # Her share of what we hold is what she wrote, without what he says to it.
    traces = await trace(stage.store, nora)
    [conversation] = [c async for c in conversations_of(stage.store, traces)]
    share = await share_of(stage.store, traces, conversation)
    assert share.others == 0
    [shown] = [plain(message, traces) for message in share.messages]
    assert (shown["text"], shown["author_address"]) == ("Où en est mon dossier ?", "nora@petit.example")
    assert "Paul" not in str(shown)
    assert "paul.martin" not in str(shown)
    assert "Pouvez-vous" not in str(shown)
    await begin(stage.store, nora, stage.desk.clock())
    await forget(stage.store, nora.id, stage.desk.clock)
    left = await held(stage)
    assert "Où en est mon dossier" not in left
    assert "Et moi ?" in left
    assert await find_contacts(stage.store, "paul.martin@example.net", ROUX)
    assert await stage.ledger_is_balanced()


@pytest.mark.parametrize("gone", [0, 1], ids=["the first", "the second"])
async def test_whichever_of_them_is_too_old_the_other_keeps_the_mail_and_none_comes_again(
    stage: Stage, gone: int
) -> None:
    lea = await stage.join("Léa")
    raw = attached("Nora Petit <nora@petit.example>", "Luc Blanc <luc@blanc.example>")
    await stage.mail_raw(raw)
    await lea.sees("Luc Blanc (luc@blanc.example)", "Voici ma demande 1.")
    await stage.quiet()
    found = await everything(stage)

    async def erased(number: int) -> None:
        newest = await stage.store.get(Conversation, found[number][0].id)
        erasure = await erase(stage.store, stage.desk.key, newest, stage.desk.clock(), undecided=False)
        assert erasure.done
        await stage.store.commit(erasure.changes)

    await erased(gone)
    [(_, [message])] = await everything(stage)
    assert message.blob_id is not None
    assert f"Voici ma demande {1 - gone}.".encode() in await stage.store.read_blob(message.blob_id)
    assert await stage.store.verify() == []
    # A mailbox whose UIDs begin anew hands it over again.
    await stage.mail_raw(raw)
    await stage.quiet()
    assert [c.id for c, _ in await everything(stage)] == [found[1 - gone][0].id]
    await erased(1 - gone)
    await stage.mail_raw(raw)
    await stage.quiet()
    assert await everything(stage) == []
    assert await stage.ledger_is_balanced()
    assert "Voici ma demande" not in await held(stage)


async def test_two_workers_that_take_the_same_mail_together_open_each_conversation_once(mongo_url: str) -> None:
    raw = attached("Nora Petit <nora@petit.example>", "Luc Blanc <luc@blanc.example>")
    envelope = read_mail(raw)
    came = [arrived(ChannelId(f"mail:{name}"), "INBOX", "1:1", len(raw), NOW) for name in ("cabinet", "copy")]

    async def takes(store: Store, receipt: Receipt) -> str | None:
        triage = Triage(store, KEY, Numbers(store), accounts())
        while True:
            newest = await store.get(Receipt, receipt.id)
            taken = await triage.take_in(newest, envelope, ROUX, NOW)
            try:
                await store.commit(taken.changes + Changes(replacements=[handled(newest, NOW, ROUX, None)]))
            except Conflict:
                continue
            return taken.ignored

    with empty_database(mongo_url) as url:
        async with open_at(f"pymongo:{url}") as one, open_at(f"pymongo:{url}") as other:
            await put(one, KEY, *accounts().values())
            await one.commit(Changes(inserts=came, blobs=[Blob(receipt.blob_id, raw) for receipt in came]))
            ends = await asyncio.gather(takes(one, came[0]), takes(other, came[1]))
            assert set(ends) == {None, "received before"}
            found = await one.scan(Conversation)
            assert {c.subject for c in found} == {"Demande 0", "Demande 1"}
            assert len({c.number for c in found}) == len(found) == 2
            messages = await one.scan(Message)
            assert len(messages) == 2
            for message in messages:
                assert message.blob_id is not None
                assert await one.read_blob(message.blob_id) == raw
            assert len(await one.list_blobs()) == 3
