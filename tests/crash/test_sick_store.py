"""A store that cannot be written, or was damaged: nothing acknowledged that is not kept, and all goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from handlers.deliveries import MOST_SETTLINGS
from inbox.model import DeliveryState, ReceiptState
from inbox.store.base import Store
from inbox.store.documents import RECEIPTS_BY_STATE
from inbox.store.sqlite import SqliteStore
from tests.crash import scenes
from tests.crash.day import CABINET, WITHIN, Day
from tests.crash.nursery import Nursery
from tests.flow.running import mail
from tests.servers.scripted_smtp import ANSWERS_LATE

pytestmark = pytest.mark.asyncio(loop_scope="module")

FULL = "database or disk is full"
PAGE = 4096
PATIENT = 30_000
"""Octets of a mail that no place left over in the log's file has room for."""


class Disk:
    """A disk of four megabytes."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._filler = place / "filler"

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as filler:
            for octets in (PAGE * 16, PAGE, 1):
                while _has_room_for(filler.fileno(), bytes(octets)):
                    pass

    def make_room(self) -> None:
        self._filler.unlink()


def _has_room_for(descriptor: int, octets: bytes) -> bool:
    try:
        return os.write(descriptor, octets) > 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a disk that fills up must be mounted, which this user may not")
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _large(words: str, number: int) -> bytes:
    return mail("Demande", words, message_id=f"l{number}@client.test") + b"\r\n" * (PATIENT // 2)


# ---------------------------------------------------------------- a full disk


async def test_a_disk_that_is_full_as_mail_and_messages_come_keeps_them_at_their_servers(
    nursery: Nursery, morning: Path, tmp_path: Path, disk: Disk
) -> None:
    day = Day(tmp_path, nursery, disk=disk.place)
    async with day.open(before=morning):
        worker = await day.start()
        await scenes.a_mail_comes(day)
        disk.fill()
        day.mail("Et mon ordonnance ?", raw=_large("Et mon ordonnance ?", 1))
        day.lucas.user.start("garnier")
        day.lucas_writes("Ma chaudière fuit")
        # Said by name, and by every channel that cannot keep what came.
        await worker.says(FULL, "what arrived could not be kept", "the store cannot be reached")
        await _is_still_there(day)
        disk.make_room()
        await day.sees(day.anne, "Et mon ordonnance ?", button="rel:")
        await day.sees(day.anne, "Ma chaudière fuit", button="take:")
        await worker.says("nothing can be written to the store: no longer")
        assert worker.alive
        await day.settles()
        await day.is_true()


async def _is_still_there(day: Day) -> None:
    """Telegram was not told to forget the messages, nor was the mail passed over."""
    assert day.telegram.pending() == 2
    async with SqliteStore(day.store) as store:
        assert await store.count(RECEIPTS_BY_STATE, CABINET, ReceiptState.HANDLED) == 1
        assert not await day._has_every_mail(store)


async def test_a_disk_that_is_full_as_a_receipt_is_handled_makes_it_wait(
    nursery: Nursery, morning: Path, tmp_path: Path, disk: Disk
) -> None:
    day = Day(tmp_path, nursery, disk=disk.place)
    async with day.open(before=morning):
        worker = await day.start(plants=("waits",))
        day.mail("Puis-je passer jeudi ?")
        await day.until(_one_waits)
        disk.fill()
        Path(f"{worker.log}.handle").touch()
        await worker.says(FULL, '"store_unavailable"')
        disk.make_room()
        await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")
        assert worker.alive
        await day.settles()
        await day.is_true()


async def _one_waits(store: Store) -> bool:
    return await store.count(RECEIPTS_BY_STATE, CABINET, ReceiptState.WAITING) == 1


async def test_a_disk_that_is_full_as_a_reply_leaves_has_it_recorded_as_sent_once_there_is_room(
    nursery: Nursery, morning: Path, tmp_path: Path, disk: Disk
) -> None:
    """However often that was tried in vain: it is known that it left, so nobody is asked."""
    day = Day(tmp_path, nursery, disk=disk.place)
    async with day.open(before=morning):
        day.smtp.scripts[0] = {"text": ANSWERS_LATE}
        worker = await day.start(plants=("hasty",))
        answering = asyncio.create_task(scenes.a_mail_is_answered(day))
        await asyncio.wait_for(day.smtp.has_text.wait(), WITHIN)
        disk.fill()
        day.smtp.reads.set()
        await worker.says(FULL)
        async with asyncio.timeout(WITHIN):
            while worker.log.read_bytes().count(b'"store_unavailable"') <= 2 * MOST_SETTLINGS:  # noqa: ASYNC110  # a file
                await asyncio.sleep(0.05)
        disk.make_room()
        await answering
        await day.settles()
        await day.is_true()
        assert (await day.has_ended("Oui, jeudi à 9 h.")).state is DeliveryState.SENT
        assert day.arrived("Oui, jeudi à 9 h.") == 1


async def test_a_full_disk_at_the_start_is_named_and_with_room_it_starts(
    nursery: Nursery, morning: Path, tmp_path: Path, disk: Disk
) -> None:
    day = Day(tmp_path, nursery, disk=disk.place)
    async with day.open(before=morning):
        disk.fill()
        day.mail("Puis-je passer jeudi ?")
        worker = await day.start()
        assert await worker.ended() == 1
        assert "no room is left on its disk" in worker.last_words()
        assert "permanence check" in worker.last_words()
        disk.make_room()
        await day.start()
        await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")
        await day.settles()
        await day.is_true()


# ---------------------------------------------------------------- a store that must not be written


async def test_a_store_turned_read_only_is_worked_on_while_it_is_open_and_refused_by_name_at_the_next_start(
    nursery: Nursery, morning: Path, tmp_path: Path
) -> None:
    day = Day(tmp_path, nursery)
    async with day.open(before=morning):
        worker = await day.start(plants=("unprivileged",))
        await worker.says('"started"')
        files = [path for path in tmp_path.iterdir() if path.name.startswith("desk.db")]
        for path in files:
            path.chmod(0o444)
        tmp_path.chmod(0o555)
        await scenes.a_mail_comes(day)
        await worker.end(signal.SIGKILL)
        day.deaths += 1
        day.mail("Et mon ordonnance ?")
        refused = await day.start(plants=("unprivileged",))
        assert await refused.ended() == 1
        assert str(day.store) in refused.last_words()
        assert "permanence check" in refused.last_words()
        for path in files:
            path.chmod(0o600)
        tmp_path.chmod(0o755)
        await day.start(plants=("unprivileged",))
        await day.sees(day.anne, "Et mon ordonnance ?", button="rel:")
        await day.settles()
        await day.is_true()


# ---------------------------------------------------------------- what a power cut leaves


async def _killed_after_a_mail(day: Day) -> None:
    worker = await day.start()
    await scenes.a_mail_is_answered(day)
    await day.settles()
    await worker.end(signal.SIGKILL)
    day.deaths += 1


async def _goes_on(day: Day) -> None:
    """Another mail comes, and all that was and is said is there once."""
    await day.start()
    day.mail("Et mon ordonnance ?")
    await day.sees(day.anne, "Et mon ordonnance ?", button="rel:")
    await day.settles()
    await day.is_true()


def _log_of(store: Path) -> Path:
    return Path(f"{store}-wal")


FRAME = 24 + PAGE
HEAD = 32
"""Octets before the first frame of SQLite's log. sqlite.org/fileformat2.html#the_write_ahead_log"""


def _half_a_frame(store: Path) -> None:
    log = _log_of(store)
    octets = log.read_bytes()
    log.write_bytes(octets + octets[HEAD : HEAD + FRAME // 2])


def _noise_at_the_end(store: Path) -> None:
    with _log_of(store).open("ab") as log:
        log.write(os.urandom(3 * FRAME))


def _nothing_at_the_end(store: Path) -> None:
    with _log_of(store).open("ab") as log:
        log.write(bytes(3 * FRAME))


def _every_page_of_the_log_torn_in_the_file(store: Path) -> None:
    """The power went as the log was being copied into the file: of each page, only the first half got there."""
    octets = _log_of(store).read_bytes()
    pages = {int.from_bytes(octets[at : at + 4], "big") for at in range(HEAD, len(octets) - FRAME + 1, FRAME)}
    there = store.stat().st_size // PAGE
    with store.open("r+b") as file:
        for page in pages:
            if page <= there:
                file.seek((page - 1) * PAGE + PAGE // 2)
                file.write(os.urandom(PAGE // 2))


@pytest.mark.parametrize(
    "tear", [_half_a_frame, _noise_at_the_end, _nothing_at_the_end, _every_page_of_the_log_torn_in_the_file]
)
async def test_what_a_power_cut_left_half_written_was_never_said_to_be_kept_and_all_else_is_there(
    nursery: Nursery, morning: Path, tmp_path: Path, tear: Callable[[Path], None]
) -> None:
    day = Day(tmp_path, nursery)
    async with day.open(before=morning):
        await _killed_after_a_mail(day)
        tear(day.store)
        await _goes_on(day)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.9])
async def test_of_a_log_cut_short_what_is_gone_is_fetched_from_the_mail_server_again(
    nursery: Nursery, morning: Path, tmp_path: Path, kept: float
) -> None:
    """A disk that lost what it had said to be safe. Cards come again; whatever clients wrote is there once."""
    day = Day(tmp_path, nursery)
    async with day.open(before=morning):
        worker = await day.start()
        for words in ("Puis-je passer jeudi ?", "Et vendredi ?", "Alors samedi ?"):
            day.mail(words)
            await day.sees(day.anne, words, button="rel:")
        await day.settles()
        await worker.end(signal.SIGKILL)
        day.deaths += 1
        size = _log_of(day.store).stat().st_size
        os.truncate(_log_of(day.store), int(size * kept))
        day.deaths = 100  # as often as that may a screen come again
        await _goes_on(day)


# ---------------------------------------------------------------- a file that is damaged


def _noise_at_a_table(store: Path) -> None:
    with contextlib.closing(sqlite3.connect(store)) as connection:
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'delivery'").fetchone()
    _overwrite(store, (page - 1) * PAGE)


def _noise_at_the_beginning(store: Path) -> None:
    _overwrite(store, 0)


def _overwrite(store: Path, at: int) -> None:
    with store.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(PAGE))


def _cut_short(store: Path) -> None:
    os.truncate(store, store.stat().st_size - PAGE * 5 // 2)


@pytest.mark.parametrize("damage", [_noise_at_a_table, _noise_at_the_beginning, _cut_short])
async def test_a_damaged_file_is_refused_at_the_start_by_name_with_the_remedy_and_left_as_it_is(
    nursery: Nursery, morning: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    day = Day(tmp_path, nursery)
    async with day.open(before=morning):
        worker = await day.start()
        await scenes.a_mail_comes(day)
        await day.settles()
        assert await worker.end(signal.SIGTERM) == 0
        damage(day.store)
        damaged = day.store.read_bytes()
        day.mail("Et mon ordonnance ?")
        refused = await day.start()
        assert await refused.ended() == 1
        assert f"{day.store} is damaged: " in refused.last_words()
        assert "puts the last backup in its place" in refused.last_words()
        assert day.store.read_bytes() == damaged
        # With the backup in its place the day goes on: what it does not have is fetched again.
        for path in day.directory.glob("desk.db*"):
            path.unlink()
        shutil.copy(morning, day.store)
        await day.start()
        await day.sees(day.anne, "Et mon ordonnance ?", button="rel:")
        await day.settles()
        day.deaths = 1
        await day.is_true()
