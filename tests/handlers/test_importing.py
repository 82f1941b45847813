"""Years of mail brought in as history: once each, in their threads, and nobody hears of it."""

from __future__ import annotations

import mailbox
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest

from channels.mail.archive import NoArchive, open_archive, read
from channels.mail.parse import read_mail
from handlers.callbacks import Release, Send
from handlers.forgetting import begin, forget
from handlers.importing import Importing, Outcome
from inbox.forgetting import find_contacts, trace
from inbox.holdings import conversations_of, plain, share_of
from inbox.ledger import balance, list_channels
from inbox.model import Account, Conversation, Delivery, Direction, Message, Status
from inbox.store.documents import MESSAGES_OF_CONVERSATION
from tests.builders import MAIL, NOW, ROUX
from tests.handlers.stage import Stage
from tests.handlers.test_forwards_flow import held

NORA = "Nora Petit <nora@petit.example>"
OURS = "Cabinet Roux <cabinet@roux.example>"


def letter(number: int, *, sender: str = NORA, to: str = OURS, answers: int | None = None) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, "Mon dossier"
    mail["Message-ID"] = f"<old{number}@petit.example>"
    mail["Date"] = format_datetime(NOW - timedelta(days=1000 - number))
    if answers is not None:
        mail["In-Reply-To"] = f"<old{answers}@petit.example>"
    mail.set_content(f"Lettre {number}\n\nFrom ici, tout va bien.\n")
    return mail


HISTORY = [
    letter(0),
    letter(1, sender=OURS, to=NORA, answers=0),
    letter(2, answers=1),
    letter(3, sender="Luc <luc@b.example>"),
]


def as_mbox(path: Path, mails: list[EmailMessage]) -> Path:
    box = mailbox.mbox(str(path))
    for mail in mails:
        box.add(mail)
    box.close()
    return path


def as_maildir(path: Path, mails: list[EmailMessage]) -> Path:
    box = mailbox.Maildir(str(path))
    for mail in mails:
        box.add(mail)
    return path


async def bring_in(stage: Stage, path: Path, *, keeps: int | None = None, at_most: int | None = None) -> list[Outcome]:
    account = msgspec.structs.replace(next(iter(stage.desk.accounts.values())), retention_days=keeps)
    importing = importer(stage, account)
    archive = open_archive(path)
    done = await importing.done(archive.fingerprint)
    outcomes = []
    for number, kept in enumerate(archive.mails[done:][:at_most], done + 1):
        raw = read(kept)
        outcomes.append(await importing.take(raw, read_mail(raw), f"{archive.fingerprint} {number}"))
    return outcomes


def importer(stage: Stage, account: Account) -> Importing:
    return Importing(stage.store, stage.desk.key, account, MAIL, stage.desk.clock)


@pytest.mark.parametrize("kind", [as_mbox, as_maildir])
async def test_history_is_threaded_closed_and_known_to_nobody_until_it_is_answered(
    stage: Stage, tmp_path: Path, kind: object
) -> None:
    lea = await stage.join("Léa")
    shown = len(lea.user.messages())
    assert callable(kind)
    path = kind(tmp_path / "old", HISTORY[::-1])
    assert await bring_in(stage, path) == [Outcome.NEW] * 4
    nora, luc = sorted(await stage.store.scan(Conversation), key=lambda c: c.number)
    messages = await stage.store.list(MESSAGES_OF_CONVERSATION, nora.id)
    assert [m.text.splitlines()[0] for m in messages] == ["Lettre 0", "Lettre 1", "Lettre 2"]
    assert [m.text.splitlines()[-1] for m in messages] == ["From ici, tout va bien."] * 3
    assert [m.direction for m in messages] == [Direction.INBOUND, Direction.OUTBOUND, Direction.INBOUND]
    assert [m.created_at for m in messages] == [NOW - timedelta(days=days) for days in (1000, 999, 998)]
    for conversation in (nora, luc):
        assert conversation.status is Status.CLOSED
        assert (conversation.assignee_id, conversation.queued_at, conversation.waiting_since_at) == (None, None, None)
    await stage.quiet()
    assert len(lea.user.messages()) == shown
    assert [d.conversation_id for d in await stage.store.scan(Delivery) if d.conversation_id] == []
    for line in await balance(stage.store, await list_channels(stage.store)):
        assert line.balanced

    await stage.mail("Où en est-on ?", sender=NORA, subject="Re: Mon dossier", answers="old2@petit.example")
    card = await lea.sees("Où en est-on ?", "Lettre 2", kind=Release)
    assert f"#{nora.number}" in card["text"]


async def test_what_is_there_already_is_not_brought_in_twice(stage: Stage, tmp_path: Path) -> None:
    await stage.mail_raw(HISTORY[0].as_bytes())
    await stage.quiet()
    path = as_mbox(tmp_path / "old", HISTORY)
    assert (await bring_in(stage, path)).count(Outcome.KNOWN) == 1
    assert await bring_in(stage, path) == [], "the same archive is done"
    longer = as_mbox(tmp_path / "longer", [*HISTORY, letter(4)])
    assert await bring_in(stage, longer) == [Outcome.KNOWN] * 4 + [Outcome.NEW]
    said = [m.text.splitlines()[0] for m in await stage.store.scan(Message)]
    assert sorted(said) == [f"Lettre {number}" for number in range(5)]


async def test_broken_off_it_goes_on_where_it_was(stage: Stage, tmp_path: Path) -> None:
    path = as_mbox(tmp_path / "old", HISTORY)
    assert await bring_in(stage, path, at_most=3) == [Outcome.NEW] * 3
    assert await bring_in(stage, path) == [Outcome.NEW]


async def test_what_the_account_would_not_keep_is_left_out(stage: Stage, tmp_path: Path) -> None:
    path = as_mbox(tmp_path / "old", [letter(0), letter(990)])
    keeps = (stage.desk.clock() - NOW).days + 30
    assert await bring_in(stage, path, keeps=keeps) == [Outcome.TOO_OLD, Outcome.NEW]


async def test_a_live_conversation_only_gets_its_past(stage: Stage, tmp_path: Path) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Bonjour, une question", sender=NORA, message_id="old0@petit.example")
    await lea.sees("Bonjour, une question")
    [before] = await stage.store.scan(Conversation)
    assert await bring_in(stage, as_mbox(tmp_path / "old", [letter(1, answers=0)])) == [Outcome.NEW]
    [after] = await stage.store.scan(Conversation)
    assert after.message_count == before.message_count + 1
    unchanged = ("status", "assignee_id", "inbound_count", "waiting_since_at", "last_message_at")
    assert all(getattr(after, name) == getattr(before, name) for name in unchanged)


async def test_whoever_is_forgotten_is_forgotten_in_history_and_not_brought_in_again(
    stage: Stage, tmp_path: Path
) -> None:
    await bring_in(stage, as_mbox(tmp_path / "old", HISTORY))
    [nora] = await find_contacts(stage.store, "nora@petit.example", ROUX)
    traces = await trace(stage.store, nora)
    shares = [await share_of(stage.store, traces, c) async for c in conversations_of(stage.store, traces)]
    told = [[plain(message, traces) for message in share.messages] for share in shares]
    assert [(m["text"].splitlines()[0], "author_name" in m) for m in told[0]] == [
        ("Lettre 0", True),
        ("Lettre 1", False),
        ("Lettre 2", True),
    ]
    await begin(stage.store, nora, stage.desk.clock())
    await forget(stage.store, nora.id, stage.desk.clock)
    left = await held(stage)
    assert "nora@petit.example" not in left
    assert "Nora Petit" not in left
    assert "Lettre 3" in left
    # The same mails of another archive, which wrote a line of its own above each.
    elsewhere = [message_from_bytes(b"X-Folder: 2\n" + each.as_bytes(), policy=policy.default) for each in HISTORY]
    assert await bring_in(stage, as_mbox(tmp_path / "other", elsewhere)) == [Outcome.ERASED] * 3 + [Outcome.KNOWN]
    assert "nora@petit.example" not in await held(stage)


async def test_a_reply_of_the_desk_and_mails_that_share_its_name_are_told_apart(stage: Stage, tmp_path: Path) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Bonjour, une question", sender=NORA, message_id="new0@petit.example")
    lea.writes("Voici la réponse.", to=await lea.sees("Bonjour, une question"))
    await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
    await stage.quiet()
    [(_, raw)] = stage.letters.sent
    copy = message_from_bytes(raw, policy=policy.default)
    # Somebody else may write under the name of what we sent; and a program of ours may use a name twice.
    forged = letter(1, sender="Luc <luc@b.example>")
    other, again = letter(2, sender=OURS, to=NORA), letter(3, sender=OURS, to=NORA)
    forged.replace_header("Message-ID", copy["Message-ID"])
    again.replace_header("Message-ID", other["Message-ID"])
    path = as_mbox(tmp_path / "sent", [copy, forged, other, again])
    assert sorted(await bring_in(stage, path)) == [Outcome.NEW] * 3 + [Outcome.KNOWN]


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("Bonjour")
    for name in ("empty", "text"):
        with pytest.raises(NoArchive, match=name):
            open_archive(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        open_archive(tmp_path / "nothing")


def test_an_mbox_is_read_as_it_was_received(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(
        b"From a@b Mon Mar  2 14:05:00 2026\r\nSubject: 1\r\n\r\n>From here\r\n>>From there\r\nFrom now on\r\n\r\n"
        b"From a@b Mon Mar  2 14:06:00 2026\r\nSubject: 2\r\nDate: Mon, 2 Mar 2026 14:06:00 +0000\r\n\r\nlast"
    )
    first, second = open_archive(path).mails
    assert read(first) == b"Subject: 1\r\n\r\nFrom here\r\n>From there\r\nFrom now on\r\n"
    assert read(second).endswith(b"\r\n\r\nlast")
    assert second.written_at == datetime.fromisoformat("2026-03-02T14:06:00+00:00")
