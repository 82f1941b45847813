"""The largest mails, by the whole way: IMAP, store, reading, card, the files handed over, by the real program."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from bot.demo.telegram_server import TelegramServer
from channels.base import Arrival
from channels.mail.parse import read_mail
from handlers.desk import LARGE as ALONE
from handlers.incoming import accepting
from inbox.envelope import Envelope
from inbox.ledger import balance, list_channels, list_receipts
from inbox.model import ReceiptState
from inbox.store.sqlite import SqliteStore
from tests.builders import MAIL
from tests.crash.bombs import MIB
from tests.crash.program import at_work
from tests.crash.test_worker_killed import CONFIG
from tests.flow.running import ADDRESS, At, Json, mail
from tests.handlers.stage import Stage
from tests.servers.dovecot import Dovecot

MOST_MEMORY = 512 * MIB
MOST_SECONDS = 5.0
"""Of CPU for each mail, all the way."""
LARGE = 3
"""So many come one behind the other, or reading ahead would not show."""
LINE = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"
PATIENCE = 90.0


def large(name: str, *sizes: int) -> bytes:
    """A mail with a file for each of these sizes (encoded)."""
    files = [
        b"--b\r\nContent-Type: application/zip; name=f%d.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n%s"
        % (number, LINE * (size // len(LINE)))
        for number, size in enumerate(sizes, 1)
    ]
    head = (
        f"From: Client <{name}@client.test>\r\nTo: {ADDRESS}\r\nSubject: {name}\r\nMessage-ID: <{name}@client.test>\r\n"
    )
    return b"".join(
        [
            head.encode() + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n',
            b"--b\r\nContent-Type: text/plain\r\n\r\nvoici les fichiers de %s\r\n" % name.encode(),
            *files,
            b"--b--\r\n",
        ]
    )


class Watched:
    """A process, from outside: how large it was at its largest since `forget`, and how long it worked."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self._before = self._status("VmRSS")
        self._began = self._worked()
        (self._folder / "clear_refs").write_text("5")  # forget the peak so far (proc(5))

    def _status(self, field: str) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024

    def _worked(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def growth(self) -> int:
        return self._status("VmHWM") - self._before

    @property
    def seconds(self) -> float:
        return self._worked() - self._began


@pytest.mark.timeout(240)
async def test_the_largest_mails_are_taken_in_shown_and_their_files_handed_over_within_bounds(
    tmp_path: Path, dovecot: Dovecot
) -> None:
    config = tmp_path / "config.toml"
    async with TelegramServer() as telegram:
        said = CONFIG.format(
            user="cabinet",
            imap=dovecot.imap_port,
            password=dovecot.password,
            smtp=9,
            token=telegram.token,
            api=telegram.url,
        )
        config.write_text(said + '[[owners]]\nid = 501\nname = "Anne"\n')
        config.chmod(0o600)
        anne = At(telegram.user(501, "Anne"))
        async with at_work(config) as worker:
            anne.user.send_text("/ici")
            await anne.sees("en service")
            watched = Watched(worker.pid)
            for number in range(LARGE):
                raw = large(f"gros{number}", 90 * MIB, 30 * MIB)
                await asyncio.to_thread(dovecot.deliver, "cabinet", raw)
            await asyncio.to_thread(dovecot.deliver, "cabinet", large("enorme", 200 * MIB))
            await asyncio.to_thread(
                dovecot.deliver, "cabinet", mail("Suite", "tout continue", message_id="s@client.test")
            )
            await anne.user.wait_for(lambda m: "tout continue" in str(m.get("text")), seconds=PATIENCE)
            await anne.sees("tout continue")
            await anne.sees("The mail server announced a mail")
            for number in range(LARGE):
                card = await anne.sees(f"fichiers de gros{number}", "f1.zip", "f2.zip")
                await anne.press(card, "files")

            def is_file(message: Json) -> bool:
                return bool(message.get("document", {}).get("file_name") == "f2.zip")

            async with asyncio.timeout(PATIENCE):
                while len([m for m in anne.user.messages() if is_file(m)]) < LARGE:
                    anne.user.saw.clear()
                    await anne.user.saw.wait()
            (handed,) = {m["document"]["file_size"] for m in anne.user.messages() if is_file(m)}
            assert handed == 30 * MIB // len(LINE) * 57
            await anne.sees("trop gros")
            assert watched.growth < MOST_MEMORY
            assert watched.seconds < MOST_SECONDS * (LARGE + 2)
    async with SqliteStore(tmp_path / "desk.db") as store:
        assert all(line.balanced for line in await balance(store, await list_channels(store)))
        handled = await list_receipts(store, ReceiptState.HANDLED)
        assert [r.size > 120 * 10**6 for r in handled if r.channel_id == "mail:cabinet"].count(True) == LARGE
        assert not await list_receipts(store, ReceiptState.PARKED)


@pytest.mark.parametrize(("size", "together"), [(ALONE + MIB, False), (1000, True)])
async def test_large_mails_that_wait_are_read_one_at_a_time_and_small_ones_side_by_side(
    size: int, together: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, met = threading.Barrier(2), []

    def read(raw: bytes) -> Envelope:
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.5)
            met.append(raw)
        meeting.reset()
        return read_mail(raw)

    async with Stage(tmp_path / "desk.db") as stage:
        monkeypatch.setattr(stage.letters, "read", read)
        raws = [mail("Gros", "Bonjour", message_id=f"m{n}@client.test") + b"y" * size for n in range(3)]
        await accepting(stage.desk, MAIL)([Arrival(f"1:{n}", "INBOX", raw) for n, raw in enumerate(raws)], "3")
        await stage.quiet()
        assert len(await stage.receipts(MAIL, "handled")) == len(raws)
    assert bool(met) is together
