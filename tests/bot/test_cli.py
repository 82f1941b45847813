import asyncio
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pymongo
import pytest
from aiohttp import web
from bson import ObjectId
from typer.testing import CliRunner, Result

from bot import worker
from bot.cli import app
from bot.settings import Settings
from inbox import receipts
from inbox.errors import StoreTooNew
from inbox.invitations import token_hash, token_in
from inbox.model import Cursor, Invitation, Receipt, ReceiptState, Role
from inbox.parts import ChannelId
from inbox.store.base import Blob, Changes
from inbox.store.documents import INVITATION_BY_TOKEN
from inbox.store.sqlite import SqliteStore
from tests.contracts.backends import at
from tests.servers.mongo import forget_sockets

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MAIL = ChannelId("mail:accueil")
BOT = ChannelId("telegram:desk")
TOKEN = "4242:hunter2-token-hunter2-token-hunter2"

MAIL_RAW = b"From: client@example.org\r\nSubject: Urgent \x1b[31mred\r\n\r\nThe boiler leaks, my code is 1234.\r\n"
UPDATE_RAW = b'{"update_id": 7, "message": {"text": "The boiler leaks", "date": 1, "photo": [{}]}}'


def config_text(api_server: str = "http://127.0.0.1:9", mail_port: int = 9) -> str:
    return f"""\
[accounts.plombier]
name = "Plomberie Bernard"
mailbox = "accueil"
identity = {{ display_name = "Plomberie Bernard", from_address = "bernard@permanence.example" }}

[accounts.roux]
name = "Dr Roux"
identity = {{ display_name = "Cabinet Roux" }}

[mailboxes.accueil]
imap = {{ host = "127.0.0.1", port = {mail_port}, tls = "none", user = "accueil", password = "hunter2-imap" }}
smtp = {{ host = "127.0.0.1", port = {mail_port}, tls = "none" }}

[bots.desk]
token = "{TOKEN}"
api_server = "{api_server}"

[bots.roux]
token = "77:hunter2-second"
api_server = "{api_server}"
account = "roux"
desk = false
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, config_text())


def write_config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def permanence(*arguments: str | Path, config: Path) -> Result:
    result = CliRunner().invoke(app, [*map(str, arguments), "--config", str(config)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "hunter2" not in result.output
    return result


def with_store(config: Path, work: Callable[[SqliteStore], Coroutine[Any, Any, Any]]) -> Any:
    async def opened() -> Any:
        async with SqliteStore(config.parent / "permanence.db") as store:
            return await work(store)

    return asyncio.run(opened())


def arrive(config: Path, channel: ChannelId, raw: bytes, end: ReceiptState, *, count: int = 1) -> list[Receipt]:
    async def receive(store: SqliteStore) -> list[Receipt]:
        arrived = [receipts.arrived(channel, channel, f"{channel}-{end}-{n}", len(raw), NOW) for n in range(count)]
        changes = Changes(
            inserts=[*arrived, Cursor(id=channel, position="1", received=count, updated_at=NOW)],
            blobs=[Blob(receipt.blob_id, raw) for receipt in arrived],
        )
        await store.commit(changes)
        stored = [await store.get(Receipt, receipt.id) for receipt in arrived]
        if end is ReceiptState.PARKED:
            ended = [receipts.parked(receipt, "the date \x1b[2J cannot be read", NOW) for receipt in stored]
        elif end is ReceiptState.IGNORED:
            ended = [receipts.ignored(receipt, "ignored.duplicate", NOW) for receipt in stored]
        else:
            return stored
        await store.commit(Changes(replacements=ended))
        return ended

    found: list[Receipt] = with_store(config, receive)
    return found


def state_of(config: Path, receipt: Receipt) -> ReceiptState:
    async def read(store: SqliteStore) -> ReceiptState:
        return (await store.get(Receipt, receipt.id)).state

    state: ReceiptState = with_store(config, read)
    return state


# ---------------------------------------------------------------- mistakes


BAD = '[bots.desk]\ntoken = "hunter2"\ntoken_fil = "x"\n'


def test_run_as_a_program_says_every_mistake_and_ends_with_2(tmp_path: Path) -> None:
    path = write_config(tmp_path, BAD)
    program = Path(sys.executable).with_name("permanence")
    ended = subprocess.run(
        [program, "run", "--config", path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.defpath, "COLUMNS": "20", "LANG": "C.UTF-8"},
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        f"✗ {path}:2: bots.desk.token is not a bot token",
        "  Copy the whole token BotFather gave: digits, a colon, letters and digits",
        f"✗ {path}:3: bots.desk.token_fil there is no such setting",
        "  Did you mean 'token_file'?",
        f"✗ {path}: accounts is missing",
        "  Declare whom the desk works for: [accounts.cabinet-martin]",
        "3 mistakes in the settings; nothing was started.",
    ]


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["invite"], ["receipts"], ["receipts", "list"], ["receipts", "replay", "--all"], ["backup", "copy.db"]],
)
def test_every_command_refuses_a_config_with_mistakes(tmp_path: Path, arguments: list[str]) -> None:
    result = permanence(*arguments, config=write_config(tmp_path, BAD))
    assert result.exit_code == 2
    assert "Did you mean 'token_file'?" in result.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "config.toml"]


def test_the_config_can_be_named_by_the_environment(config: Path) -> None:
    arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)
    result = CliRunner().invoke(app, ["receipts"], env={"PERMANENCE_CONFIG": str(config)})
    assert result.exit_code == 0
    assert "mail:accueil" in result.stdout


# ---------------------------------------------------------------- run


def test_a_second_worker_is_told_that_the_store_is_taken(config: Path) -> None:
    async def beside(_: SqliteStore) -> Result:
        return await asyncio.to_thread(permanence, "run", config=config)

    async def held() -> Result:
        async with SqliteStore(config.parent / "permanence.db", exclusive=True) as store:
            return await beside(store)

    result = asyncio.run(held())
    assert result.exit_code == 1
    assert f"{config.parent}/permanence.db is in use by another worker; stop that one first" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_store_from_a_newer_version_is_left_alone(config: Path) -> None:
    arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)
    with closing(sqlite3.connect(config.parent / "permanence.db")) as newer:
        newer.execute("PRAGMA user_version = 999")
    for arguments in (["run"], ["receipts"], ["backup", config.parent / "copy.db"]):
        result = permanence(*arguments, config=config)
        assert result.exit_code == 1
        assert "was written by a newer Permanence (schema 999" in result.stderr
    assert not (config.parent / "copy.db").exists()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = write_config(tmp_path, f"web = {{ port = {port} }}\n{config_text()}")
        result = permanence("run", config=config)
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-2:]
    assert str(port) in last[0]
    assert last[1] == "  Choose another host or port for [web] or the webhook in the config"


def test_an_unexpected_error_keeps_its_traceback(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Settings) -> None:
        raise ExceptionGroup("loops", [StoreTooNew("x"), ZeroDivisionError()])

    monkeypatch.setattr(worker, "run", broken)
    with pytest.raises(ExceptionGroup):
        permanence("run", config=config)


# ---------------------------------------------------------------- receipts


def test_the_ledger_is_a_table_that_balances_or_says_what_is_missing(config: Path) -> None:
    arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED, count=3)
    waiting = arrive(config, ChannelId("mail:gone"), MAIL_RAW, ReceiptState.WAITING)
    result = permanence("receipts", config=config)
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["channel", "received", "waiting", "handled", "ignored", "parked"],
        ["mail:accueil", "3", "0", "0", "0", "3", "balanced"],
        ["mail:gone", "1", "1", "0", "0", "0", "balanced,", "no", "longer", "in", "the", "config"],
        ["telegram:desk", "0", "0", "0", "0", "0", "balanced"],
        ["telegram:roux", "0", "0", "0", "0", "0", "balanced"],
    ]

    with_store(config, lambda store: store.commit(Changes(deletions=waiting)))
    result = permanence("receipts", config=config)
    assert result.exit_code == 1
    assert "1 missing" in result.stdout
    assert "receipts are missing from the ledger" in result.stderr


def test_looking_makes_no_store(config: Path) -> None:
    for arguments in (["receipts"], ["receipts", "list"], ["receipts", "show", "x"], ["backup", "copy.db"]):
        result = permanence(*arguments, config=config)
        assert result.exit_code == 1
        assert f"there is no store {config.parent}/permanence.db yet" in result.stderr
    assert list(config.parent.iterdir()) == [config]


def test_parked_receipts_are_listed_with_why_and_nothing_a_terminal_obeys(config: Path) -> None:
    parked = arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED, count=2)
    arrive(config, BOT, UPDATE_RAW, ReceiptState.IGNORED)
    result = permanence("receipts", "list", config=config)
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    for receipt, line in zip(parked, lines[1:], strict=True):
        assert line.startswith(receipt.id)
        assert "the date �[2J cannot be read" in line
        assert "2026-03-02 10:00:00" in line, "in the desk's time zone"
    assert "… and more" in permanence("receipts", "list", "--limit", "1", config=config).stdout
    ignored = permanence("receipts", "list", "--state", "ignored", "--channel", "telegram:desk", config=config)
    assert "ignored.duplicate" in ignored.stdout
    assert permanence("receipts", "list", "--state", "waiting", config=config).stdout == "No receipt is waiting.\n"


def test_a_channel_nobody_knows_is_refused_with_those_there_are(config: Path) -> None:
    arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)
    result = permanence("receipts", "list", "--channel", "mail:acceuil", config=config)
    assert result.exit_code == 1
    assert "Name one of: mail:accueil, telegram:desk, telegram:roux" in result.stderr


def test_a_receipt_shows_its_headers_and_never_its_text(config: Path) -> None:
    [mail] = arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)
    shown = permanence("receipts", "show", mail.id, config=config).stdout
    assert "Subject: Urgent �[31mred" in shown
    assert "state        parked" in shown
    assert "boiler" not in shown

    [update] = arrive(config, BOT, UPDATE_RAW, ReceiptState.IGNORED)
    shown = permanence("receipts", "show", update.id, config=config).stdout
    assert "message.text: 16 characters" in shown
    assert "update_id: 7" in shown
    assert "boiler" not in shown


def test_of_a_mail_without_an_empty_line_no_text_is_taken_for_a_header(config: Path) -> None:
    raw = b"Subject: Urgent\r\n folded\r\nThe boiler leaks: my code is 1234.\r\n"
    [mail] = arrive(config, MAIL, raw, ReceiptState.PARKED)
    shown = permanence("receipts", "show", mail.id, config=config).stdout
    assert "Subject: Urgent\n folded\n" in shown
    assert "boiler" not in shown


def test_the_raw_form_is_saved_octet_for_octet_for_its_owner_alone_and_never_over_a_file(
    config: Path, tmp_path: Path
) -> None:
    [mail] = arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)
    target = tmp_path / "mail.eml"
    result = permanence("receipts", "show", mail.id, "--save", target, config=config)
    assert result.exit_code == 0
    assert "boiler" not in result.stdout
    assert target.read_bytes() == MAIL_RAW
    assert target.stat().st_mode & 0o777 == 0o600
    again = permanence("receipts", "show", mail.id, "--save", target, config=config)
    assert (again.exit_code, again.stderr) == (1, f"✗ {target} exists already\n  Name a new file\n")


def test_a_receipt_nobody_knows_is_said_to_be_unknown(config: Path) -> None:
    arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)
    for command in ("show", "replay"):
        result = permanence("receipts", command, "nonsense", config=config)
        assert result.exit_code == 1
        assert "there is no receipt nonsense" in result.stderr


def test_one_receipt_is_replayed_and_only_once(config: Path) -> None:
    one, other = arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED, count=2)
    result = permanence("receipts", "replay", one.id, config=config)
    assert result.exit_code == 0
    assert result.stdout == f"✓ {one.id} waits again; it was parked: the date �[2J cannot be read\n"
    assert (state_of(config, one), state_of(config, other)) == (ReceiptState.WAITING, ReceiptState.PARKED)
    again = permanence("receipts", "replay", one.id, config=config)
    assert again.exit_code == 1
    assert again.stdout == f"! {one.id} is waiting: only what is parked or ignored is replayed\n"


def test_all_that_is_parked_is_replayed_of_one_channel_or_of_every(config: Path) -> None:
    mails = arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED, count=120)
    [update] = arrive(config, BOT, UPDATE_RAW, ReceiptState.PARKED)
    [ignored] = arrive(config, ChannelId("telegram:roux"), UPDATE_RAW, ReceiptState.IGNORED)
    result = permanence("receipts", "replay", "--all", "--channel", MAIL, config=config)
    assert result.stdout.splitlines()[-1] == "120 of 120 wait to be handled again."
    assert {state_of(config, mail) for mail in mails} == {ReceiptState.WAITING}
    assert state_of(config, update) is ReceiptState.PARKED
    result = permanence("receipts", "replay", "--all", config=config)
    assert result.stdout.splitlines()[-1] == "1 of 1 wait to be handled again."
    assert state_of(config, ignored) is ReceiptState.IGNORED
    assert permanence("receipts", "replay", "--all", config=config).stdout == "No receipt is parked.\n"


def test_replay_wants_one_or_all(config: Path) -> None:
    for arguments in ([], ["x", "--all"]):
        result = permanence("receipts", "replay", *arguments, config=config)
        assert result.exit_code == 2
        assert "name one receipt, or --all" in result.stderr


def test_a_worker_that_runs_hears_of_a_replay(config: Path) -> None:
    [parked] = arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)

    async def beside() -> bool:
        async with SqliteStore(config.parent / "permanence.db", exclusive=True) as store:
            watch = store.watch(Receipt)
            await asyncio.to_thread(permanence, "receipts", "replay", parked.id, config=config)
            woken = await watch.wait(10)
            watch.close()
            return woken and (await store.get(Receipt, parked.id)).state is ReceiptState.WAITING

    assert asyncio.run(beside())


# ---------------------------------------------------------------- backup


def test_a_backup_is_a_whole_store_made_beside_a_running_worker(config: Path, tmp_path: Path) -> None:
    [parked] = arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)
    (tmp_path / "copies").mkdir()
    copy = tmp_path / "copies/desk.db"

    async def beside() -> Result:
        async with SqliteStore(config.parent / "permanence.db", exclusive=True):
            return await asyncio.to_thread(permanence, "backup", copy, config=config)

    result = asyncio.run(beside())
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"✓ {copy}: ")
    assert copy.stat().st_mode & 0o777 == 0o600

    async def read() -> bytes:
        async with SqliteStore(copy) as store:
            return await store.read_blob((await store.get(Receipt, parked.id)).blob_id)

    assert asyncio.run(read()) == MAIL_RAW


def test_a_backup_overwrites_nothing_and_wants_a_folder(config: Path, tmp_path: Path) -> None:
    arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    result = permanence("backup", precious, config=config)
    assert (result.exit_code, precious.read_text()) == (1, "mine")
    assert f"{precious} exists already" in result.stderr
    result = permanence("backup", tmp_path / "none/copy.db", config=config)
    assert result.exit_code == 1
    assert f"there is no folder {tmp_path}/none" in result.stderr


# ---------------------------------------------------------------- a store on MongoDB


@pytest.fixture
def on_mongo(tmp_path: Path, mongo_url: str) -> Iterator[Path]:
    """A config whose store is a database that does not exist yet."""
    name = f"fresh_{ObjectId()}"
    yield write_config(tmp_path, f'[store]\nurl = "{at(mongo_url, name)}"\n{config_text()}')
    with pymongo.MongoClient[dict[str, Any]](mongo_url) as client:
        client.drop_database(name)


def test_check_names_the_mongodb_server_and_makes_no_store_there(on_mongo: Path, mongo_url: str) -> None:
    for _ in range(2):
        said = permanence("check", config=on_mongo).output
        assert re.search(r"✓ store: mongodb://\S+ answers: MongoDB \S+ replica set", said), said
        assert "a store will be made there at the first start" in said


def test_the_ledger_of_a_store_on_mongodb_is_shown_and_its_copy_left_to_mongodb(on_mongo: Path, tmp_path: Path) -> None:
    result = permanence("receipts", config=on_mongo)
    assert result.exit_code == 0, result.output
    assert re.search(r"mail:accueil +0 +0 +0 +0 +0 +balanced", result.stdout)
    said = permanence("check", config=on_mongo).output
    assert "! store: nobody owns the desk yet" in said
    result = permanence("backup", tmp_path / "copy.db", config=on_mongo)
    assert result.exit_code == 1
    assert "mongodump" in result.stderr
    assert not (tmp_path / "copy.db").exists()


def test_check_says_that_a_mongodb_server_does_not_answer_and_shows_no_password(tmp_path: Path) -> None:
    url = "mongodb://desk:hunter2-mongo@127.0.0.1:9/desk?serverSelectionTimeoutMS=200"
    said = permanence("check", config=write_config(tmp_path, f'[store]\nurl = "{url}"\n{config_text()}')).output
    forget_sockets()
    assert "✗ store: mongodb://127.0.0.1:9/desk: " in said
    assert "See that the server runs" in said


# ---------------------------------------------------------------- people and channels


@contextmanager
def bot_api(username: str = "permanence_bot") -> Iterator[str]:
    """The little of a Bot API server that is asked before anything runs; answers 401 to the token of bot 77."""

    async def answer(request: web.Request) -> web.Response:
        if request.match_info["token"].startswith("77:"):
            return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
        me = {"id": 4242, "is_bot": True, "first_name": "Desk", "username": username}
        hook = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
        results = {"getme": me, "getwebhookinfo": hook}
        return web.json_response({"ok": True, "result": results.get(request.match_info["method"].lower(), True)})

    ready, stop = Event(), Event()
    url: list[str] = []

    async def serve() -> None:
        served = web.Application()
        served.router.add_route("*", "/bot{token}/{method}", answer)
        runner = web.AppRunner(served)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        ready.set()
        await asyncio.to_thread(stop.wait)
        await runner.cleanup()

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield url[0]
    finally:
        stop.set()
        thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_an_invitation_is_a_link_whose_token_is_nowhere_else(tmp_path: Path) -> None:
    with bot_api() as api:
        config = write_config(tmp_path, config_text(api))
        result = permanence("invite", "--role", "supervisor", "--name", "Léa", "--account", "plombier", config=config)
    assert result.exit_code == 0, result.output
    [link] = result.stdout.splitlines()
    found = re.fullmatch(r"https://t\.me/permanence_bot\?start=([A-Za-z0-9_-]{1,64})", link)
    assert found
    token = token_in(found[1])
    assert token

    async def stored(store: SqliteStore) -> Invitation | None:
        return await store.find_by(INVITATION_BY_TOKEN, token_hash(token))

    invitation: Invitation = with_store(config, stored)
    assert (invitation.role, invitation.name, invitation.accounts) == (Role.SUPERVISOR, "Léa", ("plombier",))
    assert invitation.expires_at - invitation.created_at == timedelta(hours=48)
    assert token.encode() not in (tmp_path / "permanence.db").read_bytes()


def test_an_invitation_works_beside_a_running_worker(tmp_path: Path) -> None:
    async def beside(config: Path) -> Result:
        async with SqliteStore(tmp_path / "permanence.db", exclusive=True):
            return await asyncio.to_thread(permanence, "invite", config=config)

    with bot_api() as api:
        result = asyncio.run(beside(write_config(tmp_path, config_text(api))))
    assert result.exit_code == 0, result.output
    assert "as secretary, once, until" in result.stderr


def test_an_invitation_names_only_what_is_declared(config: Path) -> None:
    result = permanence("invite", "--account", "plombie", config=config)
    assert (result.exit_code, "Name one of: plombier, roux" in result.stderr) == (1, True)
    result = permanence("invite", "--bot", "roux", config=config)
    assert (result.exit_code, "Name one of: desk" in result.stderr) == (1, True)


def test_no_invitation_is_kept_when_telegram_cannot_be_asked(config: Path) -> None:
    result = permanence("invite", config=config)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "telegram:desk" in result.stderr
    assert not (config.parent / "permanence.db").exists()


def test_check_names_all_that_is_wrong_with_its_remedy_and_ends_with_1(tmp_path: Path) -> None:
    with bot_api() as api:
        config = write_config(tmp_path, config_text(api, free_port()))
        result = permanence("check", config=config)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    marks = {line[0] for line in lines if not line.startswith(" ")}
    assert marks <= {"✓", "!", "✗"}
    assert f"✓ {config}: 2 accounts, no mistake." in lines
    assert f"✓ store: {tmp_path}/permanence.db will be made at the first start" in lines
    wrong = [line for line in lines if line.startswith("✗")]
    assert any("mail:accueil" in line and "imap" in line.lower() for line in wrong)
    assert any("mail:accueil" in line and "smtp" in line.lower() for line in wrong)
    assert any("telegram:roux" in line for line in wrong)
    assert not any("telegram:desk" in line for line in wrong)
    for line in wrong:
        assert lines[lines.index(line) + 1].startswith("  "), "every mistake has its remedy"
    assert not (tmp_path / "permanence.db").exists()


def test_check_shows_mistakes_of_the_config_and_ends_with_1(tmp_path: Path) -> None:
    result = permanence("check", config=write_config(tmp_path, BAD))
    assert result.exit_code == 1
    assert "config.toml:3: bots.desk.token_fil there is no such setting" in result.stdout


def test_check_finds_a_damaged_store(tmp_path: Path) -> None:
    config = write_config(tmp_path, config_text())
    (tmp_path / "permanence.db").write_bytes(b"not a data base, but long enough to be taken for one" * 100)
    result = permanence("check", config=config)
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if "store:" in line]
    assert line.startswith("✗")


def test_check_of_an_existing_store_says_it_is_whole_and_that_nobody_owns_the_desk(config: Path) -> None:
    arrive(config, MAIL, MAIL_RAW, ReceiptState.PARKED)
    lines = permanence("check", config=config).stdout.splitlines()
    assert f"✓ store: {config.parent}/permanence.db is whole" in lines
    assert "! store: nobody owns the desk yet" in lines


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for command in ("run", "check", "demo", "invite", "receipts", "backup", "restore", "copy", "forget", "export"):
        assert re.search(rf"\b{command}\b", shown)
