"""A worker that slept through its lease: it hands nothing over on waking, and says what it knows of what it did."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from channels.errors import ChannelError, PermanentFailure, TemporaryFailure
from handlers.callbacks import Decide, Send
from handlers.deliveries import Deliveries
from inbox.outbox import LEASE, LETTER_LEASE
from inbox.parts import BlobId
from tests.builders import MAIL
from tests.handlers.stage import Seat, Stage, button


class Clock:
    """A clock that jumps while a process sleeps."""

    def __init__(self) -> None:
        self._slept = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._slept

    def sleep(self, span: timedelta) -> None:
        self._slept += span


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def sends(stage: Stage) -> Seat:
    """Léa has pressed Send; nobody waits until it left."""
    lea = await stage.join("Léa")
    await stage.mail("Allô")
    lea.writes("Bonsoir", to=await lea.sees("Allô"))
    preview = await lea.sees("Aperçu", kind=Send)
    await lea.user.press(preview["message_id"], button(preview, Send) or "")
    return lea


async def another_takes_over(stage: Stage) -> None:
    """A worker that lives finds the lease run out."""
    other = Deliveries(replace(stage.desk, worker="worker:2"))
    await other._recover()


def asleep_before_it_leaves(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Stop the worker between its lease and the hand-over: asleep, and what wakes it."""
    sleeps, wakes = asyncio.Event(), asyncio.Event()
    read = stage.store.read_blob

    async def slowly(blob_id: BlobId) -> bytes:
        raw = await read(blob_id)
        if b"Bonsoir" in raw and not raw.startswith(b"{"):  # the reply's octets, not the update that brought her words
            sleeps.set()
            await wakes.wait()
        return raw

    monkeypatch.setattr(stage.store, "read_blob", slowly)
    return sleeps, wakes


async def test_what_another_took_over_meanwhile_is_not_handed_over_on_waking(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps, wakes = asleep_before_it_leaves(stage, monkeypatch)
    lea = await sends(stage)
    await sleeps.wait()
    clock.sleep(LETTER_LEASE)
    await another_takes_over(stage)
    await lea.sees("peut-être partie", kind=Decide)
    wakes.set()
    # It knows now that nothing left: no person need decide.
    await lea.sees("Répondu", "Bonsoir")
    await stage.quiet()
    assert len(stage.letters.sent) == 1
    (sent,) = await stage.replies("sent")
    assert sent.attempts == 2  # the first, on waking, was dropped


async def test_what_slept_long_leaves_under_a_new_lease_only(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps, wakes = asleep_before_it_leaves(stage, monkeypatch)
    lea = await sends(stage)
    await sleeps.wait()
    clock.sleep(LETTER_LEASE / 2)
    wakes.set()
    await lea.sees("Répondu", "Bonsoir")
    (sent,) = await stage.replies("sent")
    assert sent.attempts == 2
    assert len(stage.letters.sent) == 1


async def test_a_reply_a_person_sent_again_meanwhile_leaves_once(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps, wakes = asleep_before_it_leaves(stage, monkeypatch)
    lea = await sends(stage)
    await sleeps.wait()
    clock.sleep(LETTER_LEASE)
    await another_takes_over(stage)
    card = await lea.sees("peut-être partie", kind=Decide)
    await lea.user.press(card["message_id"], button(card, Decide, "Renvoyer") or "")
    wakes.set()
    await lea.sees("Répondu", "Bonsoir")
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_a_worker_that_wakes_and_knows_that_it_was_sent_says_so(stage: Stage, clock: Clock) -> None:
    stage.letters.open.clear()
    lea = await sends(stage)
    await stage.letters.leaving.wait()
    clock.sleep(LETTER_LEASE)
    await another_takes_over(stage)
    await lea.sees("peut-être partie", kind=Decide)
    stage.letters.open.set()
    await lea.sees("Répondu", "Bonsoir", "envoyé à")
    await stage.quiet()
    (sent,) = await stage.replies("sent")
    assert (sent.error, sent.sent_as) == (None, "250 2.0.0 queued")
    assert len(stage.letters.sent) == 1


@pytest.mark.parametrize(
    ("failure", "then", "times"),
    [
        (TemporaryFailure(MAIL, "451", reason="failure.mailbox_busy", retry_after=timedelta(0)), "Répondu", 1),
        (PermanentFailure(MAIL, "550", reason="failure.recipient_refused"), "La réponse n’est pas partie.", 0),
    ],
)
async def test_a_worker_that_wakes_and_knows_that_it_was_not_sent_says_so(
    stage: Stage, clock: Clock, failure: ChannelError, then: str, times: int
) -> None:
    stage.letters.open.clear()
    stage.letters.failures.append(failure)
    lea = await sends(stage)
    await stage.letters.leaving.wait()
    clock.sleep(LETTER_LEASE)
    await another_takes_over(stage)
    await lea.sees("peut-être partie", kind=Decide)
    stage.letters.open.set()
    await lea.sees(then)
    await stage.quiet()
    assert len(stage.letters.sent) == times
    assert await stage.replies("unknown") == []


async def test_what_a_person_decided_meanwhile_stands(stage: Stage, clock: Clock) -> None:
    stage.letters.open.clear()
    lea = await sends(stage)
    await stage.letters.leaving.wait()
    clock.sleep(LETTER_LEASE)
    await another_takes_over(stage)
    card = await lea.sees("peut-être partie", kind=Decide)
    await lea.user.press(card["message_id"], button(card, Decide, "C’est arrivé") or "")
    await lea.sees("Répondu")
    stage.letters.open.set()
    await stage.quiet()
    (sent,) = await stage.replies("sent")
    assert sent.sent_as is not None
    assert sent.sent_as.startswith("confirmed by")


async def test_a_card_known_to_be_shown_is_not_shown_again(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    stage.telegram.fail_next("sendMessage", delay=1.0)
    await stage.mail("Allô")
    async with asyncio.timeout(5):
        while not stage.telegram.made("sendMessage"):  # noqa: ASYNC110  # the stand-in tells nobody of a call
            await asyncio.sleep(0.01)
    clock.sleep(LEASE)
    await another_takes_over(stage)
    await lea.sees("Allô")
    await stage.quiet()
    assert sum("Allô" in text for text in lea.screen) == 1
