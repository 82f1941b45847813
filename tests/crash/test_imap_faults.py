"""A mailbox received through every fault of servers and networks: nothing lost, nothing twice, and the owner knows.

Each goes through the running desk: a real server (or one that misbehaves on
demand), the store, and the owner's telephone.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.config import load
from bot.demo.telegram_server import TelegramServer
from bot.settings import Settings
from bot.wiring import open_store
from inbox.model import Receipt
from inbox.store.documents import RECEIPTS_BY_STATE
from tests.crash.program import Worker, at_work
from tests.flow.hurried import (
    LIMITS,
    MAILBOX,
    PACE,
    all_handled,
    config,
    hurry,
    ledger,
    notices,
    owned,
    quickly,
    the_owner,
    until,
)
from tests.flow.running import desk_settings, mail, running
from tests.servers.certificates import make_certificates
from tests.servers.dovecot import Dovecot
from tests.servers.line import Line
from tests.servers.scripted_imap import ScriptedImap

NOWHERE = 1
"""A port nobody sends mail through: nothing leaves in these tests."""
SOON = timedelta(seconds=1)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as server:
        yield server


def letter(number: int, words: str = "") -> bytes:
    """The client number so-and-so's mail: each is a request of its own."""
    return mail(
        f"Demande {number}",
        f"mail {number}{words}",
        sender=f"Client {number} <client{number}@client.test>",
        message_id=f"m{number}@client.test",
    )


def texts(count: int) -> list[str]:
    return [f"mail {number}" for number in range(count)]


def settings_of(tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, **imap: object) -> Settings:
    return owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram), **imap)  # type: ignore[arg-type]


# ---------------------------------------------------------------- the connection ends


async def test_a_server_killed_in_mid_literal_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    dovecot.deliver("cabinet", *(letter(number, "\n" + "x" * 60 * 400) for number in range(20)))
    killed = 0

    async def kill_in_the_middle(data: bytes) -> bytes | None:
        nonlocal killed
        if killed < 4 and b"BODY[] {" in data:
            killed += 1
            await asyncio.to_thread(dovecot.kill9)
            await asyncio.to_thread(dovecot.start)
            return data[: data.index(b"BODY[] {") + 5000] if killed % 2 else None
        return data

    async with Line(dovecot.imap_port) as line:
        line.to_client = kill_in_the_middle
        settings = settings_of(tmp_path, dovecot, telegram, port=line.port)
        async with running(settings):
            found = await until(settings, all_handled(20))
    assert killed == 4
    assert found.states == {"handled": 20}
    assert [text.partition("\n")[0] for text in found.texts] == texts(20)
    assert found.balanced


async def test_an_hour_in_a_black_hole_is_noticed_at_the_renewal_told_and_made_good(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half a second stands for the nine minutes between two renewals: seven of them are the hour.
    limits = replace(LIMITS, connect=timedelta(seconds=4), answer=timedelta(seconds=3))
    hurry(monkeypatch, quickly(down=SOON), limits=limits)
    anne = the_owner(telegram)
    async with Line(dovecot.imap_port) as line:
        settings = settings_of(tmp_path, dovecot, telegram, port=line.port)
        async with running(settings):
            dovecot.deliver("cabinet", letter(0))
            await until(settings, all_handled(1))
            line.go_silent(new_ones_too=True)
            dovecot.deliver("cabinet", *map(letter, range(1, 6)))
            before = line.connections
            down = await anne.sees("mail:cabinet", "pas de connexion depuis")
            assert line.connections > before  # it was found out, and tried again
            await asyncio.sleep(7 * PACE.idle_renewal.total_seconds())
            assert len((await ledger(settings)).keys) == 1
            line.recover()
            found = await until(settings, all_handled(6))
            await anne.sees("mail:cabinet", "rétablie")
    assert down["text"].startswith("🔌 mail:cabinet")
    assert found.texts == texts(6)
    assert found.states == {"handled": 6}
    assert len(notices(anne, "pas de connexion")) == 1
    assert len(notices(anne, "rétablie")) == 1


async def test_a_goodbye_in_idle_is_come_back_from_before_anybody_need_know(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, scripted: ScriptedImap, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(down=timedelta(seconds=30)))
    anne = the_owner(telegram)
    settings = settings_of(tmp_path, dovecot, telegram, port=scripted.port)
    async with running(settings):
        for number in range(5):
            await scripted.someone_idles()
            scripted.arrive(number + 1, letter(number))
            scripted.say(b"* BYE in the same breath\r\n")
            await until(settings, all_handled(number + 1))
        found = await ledger(settings)
    assert found.texts == texts(5)
    assert scripted.connections >= 5
    assert notices(anne, "mail:cabinet") == []


def peak(worker: Worker) -> int:
    """The most memory the worker ever held, in octets."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


@pytest.mark.timeout(300)
async def test_two_days_of_outage_end_with_two_thousand_mails_in_order_once_and_in_little_memory(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer
) -> None:
    count, padding = 2000, "\n" + ("x" * 70 + "\n") * 400
    path = config(tmp_path, dovecot, telegram)
    dovecot.deliver("cabinet", letter(0))
    settings = load(path, {})
    async with at_work(path) as worker:
        await until(settings, all_handled(1))
        await asyncio.to_thread(dovecot.stop)
        now = datetime.now(UTC)
        waiting = [(now - timedelta(hours=48) * (1 - n / count), letter(n, padding)) for n in range(1, count + 1)]
        dovecot.put("cabinet", waiting)
        octets = sum(len(raw) for _, raw in waiting)
        before = peak(worker)
        await asyncio.to_thread(dovecot.start)
        async with asyncio.timeout(200), open_store(settings, exclusive=False) as store:
            watch = store.watch(Receipt)
            while await store.count(RECEIPTS_BY_STATE, MAILBOX, "handled") <= count:
                await watch.wait(1)
        found = await ledger(settings)
        after = peak(worker)
        assert await worker.end(signal.SIGTERM) == 0
    assert [text.partition("\n")[0] for text in found.texts] == texts(count + 1)
    assert [int(key.partition(":")[2]) for key in found.keys] == list(range(1, count + 2))
    assert found.states == {"handled": count + 1}
    assert found.balanced
    assert octets > 50 * 2**20
    assert after - before < 40 * 2**20


# ---------------------------------------------------------------- the folder changes under us


async def test_a_folder_that_was_replaced_brings_nothing_twice_and_loses_nothing(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    settings = settings_of(tmp_path, dovecot, telegram)
    dovecot.deliver("cabinet", *map(letter, range(5)))
    async with running(settings):
        await until(settings, all_handled(5))
        await asyncio.to_thread(dovecot.stop)
        dovecot.change_uidvalidity("cabinet")
        await asyncio.to_thread(dovecot.start)
        dovecot.deliver("cabinet", *map(letter, range(5, 8)))
        found = await until(settings, all_handled(13))
    assert found.texts == texts(8)
    assert found.states == {"handled": 8, "ignored": 5}
    assert found.balanced
    assert len({key.partition(":")[0] for key in found.keys}) == 2


async def test_a_mail_another_program_deletes_between_search_and_fetch_stops_nobody(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    dovecot.deliver("cabinet", *map(letter, range(6)))
    deleted = False

    def delete() -> None:
        with dovecot.client("cabinet") as other:
            other.uid("STORE", "3", "+FLAGS", "(\\Deleted)")
            other.expunge()

    async def delete_first(data: bytes) -> bytes:
        nonlocal deleted
        if not deleted and b"BODY.PEEK" in data:
            deleted = True
            await asyncio.to_thread(delete)
        return data

    async with Line(dovecot.imap_port) as line:
        line.to_server = delete_first
        settings = settings_of(tmp_path, dovecot, telegram, port=line.port)
        async with running(settings):
            await until(settings, all_handled(5))
            dovecot.deliver("cabinet", letter(6))
            found = await until(settings, all_handled(6))
    assert deleted
    assert found.texts == [f"mail {number}" for number in (0, 1, 3, 4, 5, 6)]
    assert found.balanced


@pytest.mark.parametrize("way", ["renamed", "deleted"])
async def test_a_folder_renamed_or_deleted_under_us_is_told_and_received_once_it_is_back(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    hurry(monkeypatch, quickly(down=SOON))
    anne = the_owner(telegram)

    def file(*numbers: int, into: str) -> None:
        with dovecot.client("cabinet") as other:
            for number in numbers:
                other.append(into, "", "", letter(number))

    with dovecot.client("cabinet") as other:
        other.create("Clients")
    file(0, 1, into="Clients")
    settings = settings_of(tmp_path, dovecot, telegram, folder="Clients")
    async with running(settings):
        await until(settings, all_handled(2))
        with dovecot.client("cabinet") as other:
            if way == "renamed":
                other.rename("Clients", "Ailleurs")
            else:
                other.delete("Clients")
        await anne.sees("mail:cabinet", "pas de connexion depuis")
        with dovecot.client("cabinet") as other:
            if way == "renamed":
                other.append("Ailleurs", "", "", letter(2))
                other.rename("Ailleurs", "Clients")
            else:
                other.create("Clients")
                other.append("Clients", "", "", letter(2))
        await anne.sees("mail:cabinet", "rétablie")
        await until(settings, lambda found: "mail 2" in found.texts)
        file(3, into="Clients")
        found = await until(settings, lambda found: "mail 3" in found.texts and all_handled(4)(found))
    assert found.texts == texts(4)
    assert found.balanced


async def test_another_folder_put_in_the_place_of_ours_is_received_and_nothing_of_the_old_one_again(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with dovecot.client("cabinet") as other:
        other.create("Clients")
        other.append("Clients", "", "", letter(0))
    settings = settings_of(tmp_path, dovecot, telegram, folder="Clients")
    async with running(settings):
        await until(settings, all_handled(1))
        with dovecot.client("cabinet") as other:
            other.rename("Clients", "Archive")
            other.create("Clients")
            other.append("Clients", "", "", letter(1))
        found = await until(settings, lambda found: "mail 1" in found.texts and all_handled(2)(found))
    assert found.texts == texts(2)


# ---------------------------------------------------------------- the server does not let us in


async def test_a_login_refused_from_the_start_is_told_and_nothing_is_lost_once_it_is_corrected(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(down=SOON))
    anne = the_owner(telegram)
    dovecot.deliver("cabinet", *map(letter, range(3)))
    wrong = settings_of(tmp_path, dovecot, telegram, password=SecretStr("wrong"))
    async with running(wrong):
        await anne.sees("mail:cabinet", "refuse notre mot de passe")
        # It goes on for longer than a connection may be down: that was said already.
        await asyncio.sleep(2.5)
    assert len(notices(anne, "mail:cabinet")) == 1
    settings = settings_of(tmp_path, dovecot, telegram)
    async with running(settings):
        found = await until(settings, all_handled(3))
        await anne.sees("mail:cabinet", "rétablie")
    assert found.texts == texts(3)


async def test_a_login_refused_after_it_worked_is_told_and_tried_until_it_works_again(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(down=SOON))
    anne = the_owner(telegram)
    settings = settings_of(tmp_path, dovecot, telegram)
    dovecot.deliver("cabinet", letter(0))
    async with running(settings):
        await until(settings, all_handled(1))
        await asyncio.to_thread(dovecot.stop)
        right, dovecot.password = dovecot.password, "changed at the provider"
        await asyncio.to_thread(dovecot.start)
        dovecot.deliver("cabinet", letter(1))
        await anne.sees("mail:cabinet", "pas de connexion depuis")
        await asyncio.to_thread(dovecot.stop)
        dovecot.password = right
        await asyncio.to_thread(dovecot.start)
        found = await until(settings, all_handled(2))
        await anne.sees("mail:cabinet", "rétablie")
    assert found.texts == texts(2)


@pytest.mark.parametrize("what", ["expired", "other name", "unknown authority"])
async def test_a_wrong_certificate_is_told_and_no_password_leaves_before_it_is_right(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    hurry(monkeypatch, quickly(down=SOON))
    anne = the_owner(telegram)
    ca_file = tmp_path / "ca.pem"
    good = dovecot.certificates
    await asyncio.to_thread(dovecot.stop)
    names = ["mail.example.org"] if what == "other name" else []
    wrong = make_certificates(dovecot.root / "wrong", *names, days=0 if what == "expired" else 30)
    dovecot.certificates = wrong
    await asyncio.to_thread(dovecot.start)
    shutil.copy((good if what == "unknown authority" else wrong).ca_file, ca_file)
    dovecot.deliver("cabinet", *map(letter, range(2)))
    settings = settings_of(
        tmp_path, dovecot, telegram, port=dovecot.imaps_port, tls="tls", host="localhost", ca_file=ca_file
    )
    async with running(settings):
        await anne.sees("mail:cabinet", "pas de connexion depuis")
        assert (await ledger(settings)).keys == []
        assert "Login:" not in (dovecot.root / "dovecot.log").read_text()
        await asyncio.to_thread(dovecot.stop)
        dovecot.certificates = good
        await asyncio.to_thread(dovecot.start)
        shutil.copy(good.ca_file, ca_file)
        found = await until(settings, all_handled(2))
        await anne.sees("mail:cabinet", "rétablie")
    assert found.texts == texts(2)


# ---------------------------------------------------------------- mails that do not come


async def test_a_mail_announced_and_never_delivered_is_a_card_of_its_own_and_holds_up_nobody(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, scripted: ScriptedImap, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    anne = the_owner(telegram)
    anne.user.send_text("/ici")
    scripted.mails = {uid: letter(uid - 1) for uid in (1, 2, 3)}

    def keep_back(tag: str, args: str) -> bytes | None:
        uids, _, items = args.partition(" ")
        if "BODY" not in items or 2 not in scripted.chosen(uids):
            return None
        others = [scripted.fetched(uid, items) for uid in scripted.chosen(uids) if uid != 2]
        return b"".join(others) + f"{tag} OK\r\n".encode()

    scripted.scripts["UID FETCH"] = keep_back
    settings = settings_of(tmp_path, dovecot, telegram, port=scripted.port)
    async with running(settings):
        await until(settings, all_handled(3))
        card = await anne.sees("could not be fetched", "UID 2")
        scripted.arrive(4, letter(3))
        found = await until(settings, all_handled(4))
    assert "Permanence" in card["text"]
    assert found.keys == ["7:1", "7:3", "7:2", "7:4"]
    assert [text for text in found.texts if text.startswith("mail")] == ["mail 0", "mail 2", "mail 3"]
    assert found.balanced
