"""A hundred thousand broken mails and as many broken updates: none stops us, and none becomes something else.

`SOAK` multiplies their number, `FUZZ_SEED` draws others, `FUZZ_MAILS` names a folder of mails that are broken as
well. What is found is saved beside the tests, as one more that `test_what_was_found_once` reads.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from random import Random

import pytest

from channels.telegram.updates import arrival
from handlers.incoming import accepting
from inbox.model import Delivery, Receipt, Role
from inbox.parts import ChannelId
from inbox.store.documents import DELIVERIES_BY_STATE, RECEIPTS_WAITING
from tests.builders import DESK, MAIL
from tests.crash.fuzzing import check_mail, check_update
from tests.crash.mutations import Json, mutated_mail, mutated_update, seed_mails, seed_updates
from tests.handlers.stage import Stage
from tests.uncounted import uncounted

SOAK = float(os.environ.get("SOAK") or 1)
SEED = int(os.environ.get("FUZZ_SEED") or 20_261_127)
COUNT = int(100_000 * SOAK)
SHARD = 12_500
"""Inputs a process checks before it ends."""
SAMPLE = int(600 * SOAK)
"""Of each kind go the whole way, through a real store to a screen."""
CRASHERS = Path(__file__).parent / "crashers"
PATIENCE = 60 * SOAK


# ---------------------------------------------------------------- reading, answering, drawing


@pytest.mark.timeout(900 * SOAK)
@pytest.mark.parametrize("kind", ["mails", "updates"])
async def test_whatever_arrives_is_read_answered_and_shown_as_it_is(kind: str) -> None:
    turns = asyncio.Semaphore(os.cpu_count() or 1)

    async def run(seed: int) -> str:
        async with turns:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.crash.fuzzing", kind, str(seed), str(SHARD), CRASHERS),
                env=uncounted(),  # it would take thrice the time
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await process.communicate()
            return said.decode() if process.returncode else ""

    found = await asyncio.gather(*(run(SEED + number) for number in range(max(1, COUNT // SHARD))))
    assert not any(found), "\n\n".join(filter(None, found))


@pytest.mark.parametrize("file", sorted(CRASHERS.iterdir()), ids=lambda file: file.name)
def test_what_was_found_once_is_not_found_again(file: Path) -> None:
    if file.suffix == ".eml":
        check_mail(file.read_bytes())
    else:
        check_update(json.loads(file.read_bytes()))


def test_the_same_seed_breaks_them_the_same_way() -> None:
    def made(seed: int) -> list[Json]:
        chance = Random(seed)
        return [
            *(mutated_mail(seed_mails(), chance) for _ in range(20)),
            *(json.dumps(mutated_update(seed_updates(), chance)) for _ in range(20)),
        ]

    assert made(SEED) == made(SEED)
    assert made(SEED) != made(SEED + 1)


# ---------------------------------------------------------------- the whole way


async def ended(stage: Stage, channel_id: ChannelId) -> list[Receipt]:
    """What was parked, once nothing waits any more and every screen was shown."""
    watch = stage.store.watch(Receipt)
    async with asyncio.timeout(PATIENCE):
        while await stage.store.count(RECEIPTS_WAITING, channel_id):
            await watch.wait(1)
    watch.close()
    watch = stage.store.watch(Delivery)
    async with asyncio.timeout(PATIENCE):
        while [d for s in ("due", "leased") for d in await stage.store.list(DELIVERIES_BY_STATE, DESK, "notice", s)]:
            await watch.wait(1)
    watch.close()
    assert await stage.ledger_is_balanced()
    # A screen Telegram refuses would be one nobody sees.
    refused = await stage.store.list(DELIVERIES_BY_STATE, DESK, "notice", "dead")
    assert [(d.payload, d.error) for d in refused] == []
    return await stage.receipts(channel_id, "parked")


async def saved(stage: Stage, receipt: Receipt, suffix: str) -> str:
    file = CRASHERS / f"{receipt.id}{suffix}"
    file.write_bytes(await stage.store.read_blob(receipt.blob_id))
    return f"seed {SEED}, saved as {file}: {receipt.error}"


@pytest.mark.timeout(240 * SOAK)
async def test_every_broken_mail_ends_on_a_card(tmp_path: Path) -> None:
    chance, mails = Random(SEED), seed_mails()
    async with Stage(tmp_path / "desk.db") as stage:
        await stage.join("Léa", capacity=10 * SAMPLE)
        for _ in range(SAMPLE):
            await stage.mail_raw(mutated_mail(mails, chance))
        parked = await ended(stage, MAIL)
        assert [await saved(stage, receipt, ".eml") for receipt in parked] == []
        reasons = {receipt.reason for receipt in await stage.receipts(MAIL, "ignored")}
        assert reasons <= {"received before"}


@pytest.mark.timeout(240 * SOAK)
async def test_every_broken_update_of_a_client_or_a_secretary_ends_and_is_parked_only_if_nobody_could_read_it(
    tmp_path: Path,
) -> None:
    chance, updates = Random(SEED), seed_updates()
    async with Stage(tmp_path / "desk.db") as stage:
        lea = await stage.join("Léa", capacity=10 * SAMPLE, role=Role.SUPERVISOR)
        nora = stage.client(501, "Nora")
        nora.user.start("roux")
        await stage.quiet()
        # Half of them come from her.
        hers = json.loads(json.dumps(updates).replace("501", str(lea.user.id)))
        batch = []
        for number in range(SAMPLE):
            update = mutated_update(updates if number % 2 else hers, chance)
            if isinstance(update.get("update_id"), int):
                update["update_id"] = 5_000_000 + number
            batch.append(arrival(update))
        await accepting(stage.desk, DESK)(batch, "1")
        parked = await ended(stage, DESK)
        ours = [
            receipt
            for receipt in parked
            if "see the log" in (receipt.error or "") or "decided" in (receipt.error or "")
        ]
        assert [await saved(stage, receipt, ".json") for receipt in ours] == []
