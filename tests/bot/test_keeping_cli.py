"""`backup`, `restore`, `copy`, `forget` and `export` as they are typed."""

from __future__ import annotations

import asyncio
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from bot.cli import app
from bot.store_cli import shown_address
from inbox.machinery import Backup, Forgotten, Transfer
from inbox.model import (
    Address,
    Contact,
    Conversation,
    Cursor,
    DeliveryState,
    Direction,
    DraftState,
    Event,
    Message,
    Receipt,
)
from inbox.notices import Letter
from inbox.parts import Attachment, BlobId, Document, new_id
from inbox.receipts import arrived, handled
from inbox.restored import THE_BACKUP
from inbox.store.base import Blob, Changes
from inbox.store.sqlite import SqliteStore
from inbox.transfer import INTO, OUT
from tests.bot.test_cli import config_text, permanence, with_store, write_config
from tests.builders import (
    KEY,
    MAIL,
    NOW,
    a_contact,
    a_conversation,
    a_draft,
    a_message,
    a_reply,
    a_secretary,
    an_account,
    an_address,
)

PLUMBER, ROUX = "plombier", "roux"
ADDRESS = "paul@zqzq.example"
RAW = (
    f"From: Zqzq Paul <{ADDRESS}>\r\nTo: bernard@permanence.example\r\nSubject: zqzq fuite\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nzqzq: voici\r\n'
    '--b\r\nContent-Type: application/pdf; name="../../devis.pdf"\r\nContent-Disposition: attachment\r\n\r\n'
    "%PDF\r\n--b--\r\n"
).encode()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, config_text())


def a_person(
    account: str = PLUMBER, name: str = "Zqzq Paul", *, reply: DeliveryState = DeliveryState.SENT
) -> list[Any]:
    """A contact with one conversation, one answer, one draft; and the raw form."""
    lea = a_secretary("Léa Secrète")
    contact = a_contact(name, account)  # type: ignore[arg-type]
    about = a_conversation(contact, account_id=account, subject="zqzq fuite", participants=(ADDRESS,), waiting=False)  # type: ignore[arg-type]
    about = msgspec.structs.replace(about, queued_at=None)
    receipt = handled(arrived(MAIL, MAIL, new_id(), len(RAW), NOW), NOW, about.account_id, about.id)
    pdf = Attachment(name="../../devis.pdf", media_type="application/pdf", size=4, path="2")
    asked = msgspec.structs.replace(
        a_message(about, "zqzq: voici", author=name, author_id=contact.id, address=ADDRESS, attachments=(pdf,)),
        receipt_id=receipt.id,
        blob_id=receipt.blob_id,
    )
    letter = BlobId(f"letter-{new_id()}")
    answer = msgspec.structs.replace(
        a_message(about, "zqzq: merci", direction=Direction.OUTBOUND, position=2, author=lea.name, author_id=lea.id),
        recipients=(ADDRESS,),
        blob_id=letter,
    )
    payload = Letter(sender="b@permanence.example", recipients=(ADDRESS,), blob_id=letter, message_id="x")
    draft = msgspec.structs.replace(a_draft(about, lea, "zqzq: brouillon"), state=DraftState.DISCARDED, open_key=None)
    address = an_address(contact, ADDRESS)
    event = Event(
        id=new_id(),
        account_id=about.account_id,
        conversation_id=about.id,
        at=NOW,
        kind="closed",
        actor=lea.id,
        actor_name=lea.name,
    )
    blobs = [Blob(receipt.blob_id, RAW), Blob(letter, b"To: zqzq\r\n\r\nzqzq: merci")]
    return [
        contact,
        about,
        receipt,
        asked,
        answer,
        a_reply(answer, reply, payload=payload),
        draft,
        address,
        event,
        *blobs,
    ]


def keep(config: Path, *people: list[Any]) -> None:
    everything = [thing for person in people for thing in person]
    documents: list[Document] = [d for d in everything if isinstance(d, Document)]
    blobs = [b for b in everything if isinstance(b, Blob)]
    named = [an_account(key, name=key) for key in (PLUMBER, ROUX)]  # type: ignore[arg-type]
    received = sum(isinstance(d, Receipt) for d in documents)
    tally = Cursor(id=MAIL, position="1", received=received, updated_at=NOW)

    async def put(store: SqliteStore) -> None:
        await store.commit(Changes(inserts=[KEY, tally, *named, *documents], blobs=blobs))

    with_store(config, put)


def all_of(config: Path, kind: type[Any]) -> list[Any]:
    async def read(store: SqliteStore) -> list[Any]:
        return list(await store.scan(kind))

    found: list[Any] = with_store(config, read)
    return found


def typed(*arguments: str | Path, config: Path, answers: str) -> Result:
    """The command with what is typed when it asks."""
    return CliRunner().invoke(app, [*map(str, arguments), "--config", str(config)], input=answers)


@contextmanager
def a_worker(config: Path) -> Iterator[None]:
    """Somebody who holds the store as its worker does."""
    ready, stop = Flag(), Flag()

    async def work() -> None:
        async with SqliteStore(config.parent / "permanence.db", exclusive=True):
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = Thread(target=lambda: asyncio.run(work()))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        stop.set()
        thread.join()


# ---------------------------------------------------------------- forget


def test_forgetting_shows_what_goes_asks_and_leaves_no_octet(config: Path) -> None:
    paul = a_person()
    keep(config, paul)
    refused = typed("forget", ADDRESS, config=config, answers="n\n")
    assert refused.exit_code == 1
    assert "1 conversations, 0 conversations of others, 2 messages, 1 files, 1 drafts" in refused.output
    assert len(all_of(config, Contact)) == 1
    done = typed("forget", ADDRESS, config=config, answers="y\n")
    assert done.exit_code == 0, done.output
    contact = paul[0]
    assert f"✓ {contact.id} is forgotten" in done.output
    for kind in (Contact, Address, Conversation, Message):
        assert all_of(config, kind) == []
    (forgotten,) = all_of(config, Forgotten)
    assert forgotten.scrubbed_at is not None
    files = [config.parent / name for name in ("permanence.db", "permanence.db-wal", "permanence.db.forgotten")]
    assert not any(b"zqzq" in file.read_bytes().lower() for file in files if file.exists())
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d {contact.id}\n", files[2].read_text())
    assert files[2].stat().st_mode & 0o077 == 0
    again = permanence("forget", contact.id, "--yes", config=config)
    assert again.exit_code == 0


def test_somebody_of_several_accounts_is_listed_and_refused_until_it_is_said_which(config: Path) -> None:
    here, there = a_person(), a_person(ROUX, "Zqzq Paul de Roux")
    keep(config, here, there)
    refused = permanence("forget", ADDRESS, "--yes", config=config)
    assert refused.exit_code == 1
    assert "contact of several accounts" in refused.stderr
    for contact in (here[0], there[0]):
        assert contact.id in refused.stdout
    done = permanence("forget", ADDRESS, "--account", ROUX, "--yes", config=config)
    assert done.exit_code == 0, done.output
    assert [c.id for c in all_of(config, Contact)] == [here[0].id]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody@example.org"], "nobody is known as nobody@example.org"),
        ([ADDRESS, "--account", "none"], "there is no account none"),
        (["\x1b[2J"], "nobody is known as \N{REPLACEMENT CHARACTER}[2J"),
    ],
)
def test_who_is_not_known_is_not_guessed(config: Path, arguments: list[str], says: str) -> None:
    keep(config, a_person())
    for command in (["forget", "--yes", *arguments], ["export", *arguments, str(config.parent / "out")]):
        refused = permanence(*command, config=config)
        assert refused.exit_code == 1
        assert says in refused.stderr
    assert len(all_of(config, Contact)) == 1


def test_nobody_is_forgotten_while_a_reply_waits_to_leave(config: Path) -> None:
    keep(config, a_person(reply=DeliveryState.DUE))
    refused = permanence("forget", ADDRESS, "--yes", config=config)
    assert refused.exit_code == 1
    assert "a reply has not left yet: nothing was erased" in refused.stderr
    assert all_of(config, Forgotten) == []


def test_an_erased_receipt_says_so_and_is_not_replayed(config: Path) -> None:
    paul = a_person()
    keep(config, paul)
    permanence("forget", ADDRESS, "--yes", config=config)
    (receipt,) = all_of(config, Receipt)
    shown = permanence("receipts", "show", receipt.id, config=config)
    assert (shown.exit_code, "only its line in the ledger is left" in shown.stdout) == (0, True)
    replayed = permanence("receipts", "replay", receipt.id, config=config)
    assert replayed.exit_code == 1
    assert "its raw form was erased" in replayed.stdout
    assert "balanced" in permanence("receipts", config=config).stdout


# ---------------------------------------------------------------- export


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_an_export_has_all_we_hold_of_them_and_nothing_of_anybody_else(config: Path, name: str) -> None:
    paul = a_person()
    nora = a_person(ROUX, "Nora de Roux")
    keep(config, paul, nora)
    path = config.parent / name
    done = permanence("export", paul[0].id, path, config=config)
    assert done.exit_code == 0, done.output
    assert path.stat().st_mode & 0o077 == 0
    files = unpacked(path)
    number = paul[1].number
    assert files[f"mails/{number}-1.eml"] == RAW
    assert files[f"mails/{number}-2.eml"].endswith(b"zqzq: merci")
    assert files[f"attachments/{number}-1-1-_.._devis.pdf"].startswith(b"%PDF")
    told = json.loads(files[f"conversations/{number}.json"])
    assert [m["text"] for m in told["messages"]] == ["zqzq: voici", "zqzq: merci"]
    assert [d["text"] for d in told["drafts"]] == ["zqzq: brouillon"]
    page = files["index.html"].decode()
    for words in ('lang="fr"', "Vos données", "zqzq: voici", "zqzq: merci", "zqzq: brouillon"):
        assert words in page
    everything = b"".join(files.values())
    for stranger in ("Nora", "Léa", "Secrète", nora[1].id):
        assert stranger.encode() not in everything
    again = permanence("export", paul[0].id, path, config=config)
    assert "exists already" in again.stderr


def unpacked(path: Path) -> dict[str, bytes]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    found = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert all(file.stat().st_mode & 0o077 == 0 for file in path.rglob("*"))
    return found


# ---------------------------------------------------------------- backup, restore, check


def test_a_backup_is_put_back_and_what_was_there_stands_aside(config: Path) -> None:
    paul = a_person()
    keep(config, paul)
    copy = config.parent / "copy.db"
    assert permanence("backup", copy, config=config).exit_code == 0
    assert all_of(config, Backup) == [], "the store itself is no copy"
    octets = copy.read_bytes()
    permanence("forget", ADDRESS, "--yes", config=config)
    noted = permanence("backup", config.parent / "later.db", config=config)
    assert "1 contact was forgotten, the last on" in noted.stdout
    assert "permanence.db.forgotten" in noted.stdout

    with a_worker(config):
        refused = permanence("restore", copy, config=config)
        assert (refused.exit_code, "in use by a worker" in refused.stderr) == (1, True)
    done = permanence("restore", copy, config=config)
    assert done.exit_code == 0, done.output
    assert copy.read_bytes() == octets, "the backup stays as it is"
    (backup,) = all_of(config, Backup)
    assert (backup.id, backup.settled_at) == (THE_BACKUP, None)
    (aside,) = [p for p in config.parent.glob("permanence.db.replaced-*") if p.suffix != ".lock"]

    async def look() -> list[Any]:
        async with SqliteStore(aside) as store:
            return [await store.scan(Contact), await store.scan(Forgotten)]

    contacts, forgotten = asyncio.run(look())
    assert (contacts, [f.id for f in forgotten]) == ([], [paul[0].id])
    said = permanence("check", config=config).stdout
    assert "a copy of " in said
    assert "1 contacts who were forgotten since are in this copy" in said
    assert not list(config.parent.glob("*.restoring*"))


def test_a_damaged_backup_is_not_put_in_the_place_of_anything(config: Path) -> None:
    keep(config, a_person())
    copy = config.parent / "copy.db"
    permanence("backup", copy, config=config)
    octets = bytearray(copy.read_bytes())
    octets[4096 * 3 : 4096 * 5] = b"\xff" * 8192
    copy.write_bytes(octets)
    refused = permanence("restore", copy, config=config)
    assert refused.exit_code == 1
    assert len(all_of(config, Contact)) == 1
    assert not list(config.parent.glob("permanence.db.replaced-*"))
    assert not list(config.parent.glob("*.restoring*"))


def test_a_damaged_store_makes_place_for_its_backup(config: Path) -> None:
    keep(config, a_person())
    copy, store = config.parent / "copy.db", config.parent / "permanence.db"
    permanence("backup", copy, config=config)
    store.write_bytes(b"not a store any more" * 1000)
    done = permanence("restore", copy, config=config)
    assert done.exit_code == 0, done.output
    assert len(all_of(config, Contact)) == 1
    (aside,) = [p for p in config.parent.glob("permanence.db.replaced-*") if p.suffix != ".lock"]
    assert aside.read_bytes().startswith(b"not a store any more")


def test_nothing_is_restored_from_nothing(config: Path) -> None:
    refused = permanence("restore", config.parent / "none.db", config=config)
    assert (refused.exit_code, "there is no file" in refused.stderr) == (1, True)


# ---------------------------------------------------------------- copy


def test_a_firm_moves_and_is_told_what_to_write_into_the_config(config: Path) -> None:
    keep(config, a_person())
    there = config.parent / "there.db"
    with a_worker(config):
        refused = permanence("copy", "--to", f"sqlite:{there}", config=config)
        assert refused.exit_code == 1
        assert "in use by another worker" in refused.stderr
        rehearsed = permanence("copy", "--to", f"sqlite:{there}", "--rehearse", config=config)
        assert rehearsed.exit_code == 0, rehearsed.output
        assert "rehearsed: " in rehearsed.stdout
    done = permanence("copy", "--to", f"sqlite:{there}", config=config)
    assert done.exit_code == 0, done.output
    assert f'url = "sqlite:{there}"' in done.stdout
    assert re.search(r"^message +2 +[0-9a-f]{16}$", done.stdout, re.M)
    (out,) = all_of(config, Transfer)
    assert (out.id, out.peer) == (OUT, f"sqlite:{there}")
    left = permanence("run", config=config)
    assert left.exit_code == 1
    assert "this firm was moved to sqlite:" in left.stderr
    said = permanence("check", config=config).stdout
    assert "the firm was moved from here to" in said
    again = permanence("copy", "--to", f"sqlite:{there}", config=config)
    assert (again.exit_code, "all of it" in again.stderr) == (1, True)
    # There is a way back: the old store, as of then, by the same rules as a backup's.
    back = permanence("restore", config.parent / "permanence.db", config=config)
    assert back.exit_code == 0, back.output
    assert all_of(config, Transfer) == []
    assert len(all_of(config, Backup)) == 1


def test_half_a_copy_is_not_run(config: Path, tmp_path: Path) -> None:
    keep(config, [Transfer(id=INTO, peer="sqlite:old.db", fingerprint="f", began_at=NOW)])
    refused = permanence("run", config=config)
    assert refused.exit_code == 1
    assert "a firm is being moved here from sqlite:old.db" in refused.stderr
    assert "half a copy of sqlite:old.db" in permanence("check", config=config).stdout


@pytest.mark.parametrize(
    ("url", "shown", "to_write"),
    [
        (
            "mongodb://desk:hunter2@db1,db2/desk?tlsCertificateKeyFilePassword=hunter2",
            "mongodb://db1,db2/desk",
            "mongodb://desk:***@db1,db2/desk?…",
        ),
        ("mongodb://db1/desk", "mongodb://db1/desk", "mongodb://db1/desk"),
        ("sqlite:desk.db", "sqlite:desk.db", "sqlite:desk.db"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str, to_write: str) -> None:
    assert shown_address(url) == shown
    assert shown_address(url, whole=True) == to_write


def test_what_is_no_address_is_refused_without_its_secrets(config: Path) -> None:
    keep(config, a_person())
    for url in ("mongodb://desk:hunter2@db1", "mongodb://desk:hunter2@", "postgres://desk:hunter2@db1/desk", "nothing"):
        refused = permanence("copy", "--to", url, config=config)  # which looks for hunter2 in all it said
        assert refused.exit_code == 1
        assert "--to " in refused.stderr


def test_who_was_forgotten_is_remembered_beside_the_new_store_too(config: Path) -> None:
    keep(config, a_person())
    permanence("forget", ADDRESS, "--yes", config=config)
    permanence("copy", "--to", f"sqlite:{config.parent / 'there.db'}", config=config)
    old, new = (config.parent / f"{name}.db.forgotten" for name in ("permanence", "there"))
    assert [line.split()[1] for line in old.read_text().splitlines()] == [
        line.split()[1] for line in new.read_text().splitlines()
    ]
