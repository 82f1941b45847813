"""Every way the Bot API can fail: clients read a reply once, secretaries lose no card, and somebody is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.telegram import bot, updates
from channels.telegram.bot import TelegramBot
from handlers import views
from handlers.callbacks import Decide, Duty, Files, Send
from inbox import outbox
from inbox.model import Delivery, DeliveryKind, DeliveryState, Role
from inbox.parts import ChannelId
from inbox.store.documents import DELIVERIES_BY_STATE
from tests.builders import DESK
from tests.channels.telegram.parts import Keeper, Listener
from tests.handlers import stage as playing
from tests.handlers.stage import Seat, Stage, button

Fault = dict[str, Any]

PASSES: dict[str, Fault] = {
    "429": {"retry_after": 1},
    "500": {"status": 500},
    "502": {"status": 502},
    "504": {"status": 504},
    "a page instead of an answer": {"status": 502, "html": True},
    "dropped before the effect": {"drop": "before"},
    "dropped after the effect": {"drop": "after"},
    "no answer in time": {"delay": 3.0},
}
"""What passes by itself."""
SOME = ["429", "a page instead of an answer", "dropped before the effect", "dropped after the effect"]
"""Of these, one of each kind."""


@pytest.fixture(autouse=True)
def in_test_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of seconds last moments."""
    monkeypatch.setattr(outbox, "FIRST_WAIT", timedelta(seconds=0.1))
    monkeypatch.setattr(bot, "CALL_TIMEOUT", 1.0)
    monkeypatch.setattr(bot, "UPLOAD_TIMEOUT", 1.0)
    monkeypatch.setattr(updates, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(playing, "PATIENCE", 30.0)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with Stage(tmp_path / "desk.db") as running:
        yield running


async def nora_writes(stage: Stage, text: str = "Ma chaudière fuit") -> Seat:
    nora = stage.client(501, "Nora")
    nora.user.start("roux")
    await nora.sees("Roux")
    nora.writes(text)
    return nora


async def press_send(lea: Seat, card: Any, text: str) -> None:
    lea.writes(text, to=card)
    preview = await lea.sees("Aperçu", text, kind=Send)
    await lea.user.press(preview["message_id"], button(preview, Send) or "")


async def all_shown(stage: Stage) -> None:
    """Wait until nothing for a secretary is on its way any more, what is to be tried again included."""
    async with asyncio.timeout(playing.PATIENCE):
        watch = stage.store.watch(Delivery)
        for state in (DeliveryState.DUE, DeliveryState.LEASED) * 2:
            while await stage.store.count(DELIVERIES_BY_STATE, DESK, DeliveryKind.NOTICE, state):
                await watch.wait(1)
        watch.close()


async def shown_again_elsewhere(lea: Seat) -> None:
    """Wait until every retry that could come has come: one that is due later is done with, too."""
    await asyncio.sleep(8 * outbox.FIRST_WAIT.total_seconds())
    await lea.stage.mail("Entre-temps")
    await lea.sees("Entre-temps")


# ---------------------------------------------------------------- replies to clients: never twice


@pytest.mark.parametrize("fault", PASSES)
async def test_a_reply_that_met_a_fault_is_read_once_or_a_person_decides(stage: Stage, fault: str) -> None:
    lea = await stage.join("Léa")
    nora = await nora_writes(stage)
    card = await lea.sees("chaudière")
    stage.telegram.fail_next("sendMessage", chat_id=501, **PASSES[fault])
    await press_send(lea, card, "Nous arrivons.")
    if fault == "429":
        await lea.sees("Votre réponse", "nouvel essai prévu")
        await nora.sees("Nous arrivons.")
        await lea.sees("Répondu")
        assert nora.screen.count("Nous arrivons.") == 1
        return
    trouble = await lea.sees("peut-être partie", "sans que le serveur dise ce qu’il a fait", kind=Decide)
    await shown_again_elsewhere(lea)
    arrived = 1 if fault == "dropped after the effect" else 0
    assert nora.screen.count("Nous arrivons.") == arrived  # nothing left by itself
    await lea.presses(trouble, Decide, "C’est arrivé" if arrived else "Renvoyer")
    await lea.sees("chaudière", "Répondu")
    assert nora.screen.count("Nous arrivons.") == 1


NEVER: dict[str, tuple[Fault, str]] = {
    "blocked": (
        {"status": 403, "description": "Forbidden: bot was blocked by the user"},
        "Le client a bloqué nos messages.",
    ),
    "deactivated": (
        {"status": 403, "description": "Forbidden: user is deactivated"},
        "Ce compte Telegram n’existe plus",
    ),
    "kicked": (
        {"status": 403, "description": "Forbidden: bot was kicked from the group chat"},
        "Le client a bloqué nos messages.",
    ),
    "no chat": ({"status": 400, "description": "Bad Request: chat not found"}, "Ce compte Telegram n’existe plus"),
    "too long": (
        {"status": 400, "description": "Bad Request: message is too long"},
        "Telegram refuse ce message.",
    ),
}


@pytest.mark.parametrize("fault", NEVER)
async def test_a_reply_telegram_refuses_is_told_to_its_author(stage: Stage, fault: str) -> None:
    how, says = NEVER[fault]
    lea = await stage.join("Léa")
    nora = await nora_writes(stage)
    card = await lea.sees("chaudière")
    stage.telegram.fail_next("sendMessage", chat_id=501, **how)
    await press_send(lea, card, "Nous arrivons.")
    trouble = await lea.sees("La réponse n’est pas partie", says, kind=Decide)
    assert "Nous arrivons." not in nora.screen
    await lea.presses(trouble, Decide, "Renvoyer")
    await lea.sees("chaudière", "Répondu")
    assert nora.screen.count("Nous arrivons.") == 1


async def test_a_reply_to_a_message_that_is_gone_arrives_without_hanging_on_it(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = await nora_writes(stage)
    card = await lea.sees("chaudière")
    gone = "Bad Request: message to be replied not found"
    stage.telegram.fail_next("sendMessage", chat_id=501, status=400, description=gone)
    await press_send(lea, card, "Nous arrivons.")
    got = await nora.sees("Nous arrivons.")
    assert "reply_to_message" not in got
    await lea.sees("Répondu")
    assert nora.screen.count("Nous arrivons.") == 1


async def test_the_second_half_of_a_long_reply_waits_until_a_person_decided_about_the_first(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = await nora_writes(stage)
    card = await lea.sees("chaudière")
    lea.writes("a" * 3000, to=card)
    await lea.sees("Aperçu", kind=Send)
    stage.telegram.fail_next("sendMessage", chat_id=501, drop="after")
    lea.writes("b" * 3000, to=card)
    preview = await lea.sees("Aperçu", "bbb", kind=Send)
    await lea.user.press(preview["message_id"], button(preview, Send) or "")
    trouble = await lea.sees("peut-être partie", kind=Decide)
    await shown_again_elsewhere(lea)
    assert not any("bbb" in text for text in nora.screen)
    await lea.presses(trouble, Decide, "C’est arrivé")
    await nora.sees("bbb")
    assert [text[0] for text in nora.screen if len(text) > 1000] == ["a", "b"]


async def test_when_telegram_slows_the_whole_bot_down_everything_arrives_once(stage: Stage) -> None:
    lea = await stage.join("Léa")
    stage.telegram.fail_next("sendMessage", times=3, retry_after=1)
    nora, marc = stage.client(501, "Nora"), stage.client(502, "Marc")
    for client in (nora, marc):
        client.user.start("roux")
        client.writes(f"Ici {client.name}")
    for client in (nora, marc):
        await press_send(lea, await lea.sees(f"Ici {client.name}"), f"Bonjour {client.name}")
        await client.sees(f"Bonjour {client.name}")
    await lea.sees("Ici Marc", "Répondu")
    for client in (nora, marc):
        assert client.screen.count(f"Bonjour {client.name}") == 1
        assert sum(f"Ici {client.name}" in text for text in lea.screen) == 1


# ---------------------------------------------------------------- what secretaries see: never lost


@pytest.mark.parametrize("fault", [*SOME, "no answer in time"])
async def test_cards_previews_sentences_and_files_that_met_a_fault_are_shown_once_or_twice(
    stage: Stage, fault: str
) -> None:
    lea = await stage.join("Léa")
    stage.telegram.fail_next("sendMessage", chat_id=lea.user.id, **PASSES[fault])
    nora = stage.client(501, "Nora")
    nora.user.start("roux")
    nora.user.send_file("document", "plan.pdf", "application/pdf", b"%PDF", caption="Voici le plan")
    card = await lea.sees("Voici le plan", kind=Files)
    await all_shown(stage)
    stage.telegram.fail_next("sendMessage", chat_id=lea.user.id, **PASSES[fault])
    lea.writes("Bien reçu.", to=card)
    await lea.sees("Aperçu", "Bien reçu.", kind=Send)
    await all_shown(stage)
    stage.telegram.fail_next("sendMessage", chat_id=lea.user.id, **PASSES[fault])
    lea.writes("/nonsense")
    await lea.sees("Je ne connais pas cette commande")
    await all_shown(stage)
    stage.telegram.fail_next("sendDocument", chat_id=lea.user.id, **PASSES[fault])
    await lea.user.press(card["message_id"], button(card, Files) or "")
    assert await lea.user.wait_for(lambda m: "document" in m, seconds=playing.PATIENCE)
    await all_shown(stage)
    most = 2 if fault == "dropped after the effect" else 1
    for shown in ("Aperçu", "Je ne connais pas"):
        assert 1 <= sum(shown in text for text in lea.screen) <= most
    cards = [text for text in lea.screen if "Voici le plan" in text and "Aperçu" not in text]
    assert 1 <= len(cards) <= most, cards
    assert 1 <= sum("document" in m for m in lea.user.messages()) <= most


@pytest.mark.parametrize("fault", [*SOME, "gone"])
async def test_a_card_whose_edit_met_a_fault_says_what_is_true_in_the_end(stage: Stage, fault: str) -> None:
    lea = await stage.join("Léa")
    nora = await nora_writes(stage, "Allô ?")
    card = await lea.sees("Allô ?")
    lea.writes("Oui, j’écoute.", to=card)
    preview = await lea.sees("Aperçu", kind=Send)
    gone: Fault = {"status": 400, "description": "Bad Request: message to edit not found"}
    stage.telegram.fail_next("editMessageText", **PASSES.get(fault, gone))
    await lea.user.press(preview["message_id"], button(preview, Send) or "")
    await nora.sees("Oui, j’écoute.")
    await lea.sees("Allô ?", "Répondu", "envoyé à")
    await lea.sees("Votre réponse", "envoyé à")
    await stage.quiet()
    assert nora.screen.count("Oui, j’écoute.") == 1


async def test_an_edit_to_what_it_already_says_is_done(stage: Stage) -> None:
    lea = await stage.join("Léa")
    nora = await nora_writes(stage, "Allô ?")
    card = await lea.sees("Allô ?")
    same = "Bad Request: message is not modified: specified new message content is exactly the same"
    stage.telegram.fail_next("editMessageText", status=400, description=same)
    await press_send(lea, card, "Oui ?")
    await nora.sees("Oui ?")
    await stage.quiet()
    assert await dead_notices(stage) == 0


async def dead_notices(stage: Stage) -> int:
    return await stage.store.count(DELIVERIES_BY_STATE, DESK, DeliveryKind.NOTICE, DeliveryState.DEAD)


# ---------------------------------------------------------------- what can never be shown: somebody is told

REFUSED: Fault = {"status": 400, "description": "Bad Request: can't parse entities: something new"}


async def test_a_request_whose_holder_cannot_be_shown_it_goes_to_a_colleague_and_supervisors_are_told(
    stage: Stage,
) -> None:
    lea = await stage.join("Léa")
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    stage.telegram.fail_next("sendMessage", chat_id=lea.user.id, **REFUSED)
    await nora_writes(stage)
    await marc.sees("#1", "Telegram refuse d’afficher cette fiche à Léa", "Prévenez l’administrateur")
    await lea.sees("#1", "Telegram refuse d’afficher cette fiche")
    await stage.quiet()
    assert await stage.holder() is None
    assert await lea.holds() == 0
    ines = await stage.join("Inès")
    await ines.sees("chaudière", "Pour vous")
    assert await stage.holder() == "Inès"


async def test_a_request_nobody_can_be_shown_waits_in_the_queue_with_the_reason(stage: Stage) -> None:
    lea, ines = await stage.join("Léa"), await stage.join("Inès")
    for seat in (lea, ines):
        stage.telegram.fail_next("sendMessage", chat_id=seat.user.id, **REFUSED)
    await nora_writes(stage)
    await lea.sees("Telegram refuse d’afficher cette fiche")
    await ines.sees("Telegram refuse d’afficher cette fiche")
    await stage.quiet()
    assert await stage.holder() is None
    lea.writes("/file")
    await lea.sees("1 demande", "#1", "chaudière")


async def test_a_card_a_bug_cannot_draw_is_told_like_one_telegram_refuses(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lea = await stage.join("Léa")
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)

    def draw(*_: object) -> views.Screen:
        raise RuntimeError("a bug")

    monkeypatch.setattr(views, "card", draw)
    await nora_writes(stage)
    await marc.sees("#1", "Telegram refuse d’afficher cette fiche à Léa")
    await stage.quiet()
    assert await stage.holder() is None
    assert await lea.holds() == 0


@pytest.mark.parametrize("fault", ["blocked", "deactivated", "no chat"])
async def test_what_a_secretary_holds_whom_nothing_reaches_any_more_goes_to_someone_who_can_see_it(
    stage: Stage, fault: str
) -> None:
    how, _ = NEVER[fault]
    lea = await stage.join("Léa")
    nora = await nora_writes(stage)
    await lea.sees("chaudière", "Pour vous")
    ines = await stage.join("Inès")
    # Telegram need not say so by an update: it is learned from a card that cannot be shown.
    for method in ("sendMessage", "editMessageText"):
        stage.telegram.fail_next(method, times=1000, chat_id=lea.user.id, **how)
    nora.writes("Vous êtes là ?")
    await ines.sees("Vous êtes là ?", "Pour vous")
    assert await stage.holder() == "Inès"
    await stage.quiet()
    assert await lea.holds() == 0
    stage.telegram.recover()
    lea.writes("/ici")
    await lea.sees("en service")


async def test_a_preview_telegram_refuses_is_told_to_its_author(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await nora_writes(stage)
    card = await lea.sees("chaudière")
    stage.telegram.fail_next("sendMessage", chat_id=lea.user.id, **REFUSED)
    lea.writes("Nous arrivons.", to=card)
    await lea.sees("Telegram refuse ce message. Prévenez l’administrateur.")


# ---------------------------------------------------------------- presses, updates, webhooks


@pytest.mark.parametrize("fault", SOME)
async def test_a_press_whose_answer_met_a_fault_took_effect_once(stage: Stage, fault: str) -> None:
    lea = await stage.join("Léa", on_duty=False)
    lea.writes("/file")
    shown = await lea.sees("File", kind=Duty)
    stage.telegram.fail_next("answerCallbackQuery", **PASSES[fault])
    pressing = asyncio.create_task(lea.user.press(shown["message_id"], button(shown, Duty) or "", seconds=3))
    await lea.sees("en service")
    await asyncio.gather(pressing, return_exceptions=True)
    await stage.quiet()
    assert sum("vous êtes en service" in text for text in lea.screen) == 1


@pytest.mark.parametrize(
    "fault",
    [*SOME, "no answer in time", "another poller", "webhook"],
)
async def test_updates_that_met_a_fault_on_their_way_are_handled_once(stage: Stage, fault: str) -> None:
    conflicts = {
        "another poller": "Conflict: terminated by other getUpdates request",
        "webhook": "Conflict: can't use getUpdates method while webhook is active",
    }
    how: Fault = PASSES.get(fault) or {"status": 409, "description": conflicts[fault]}
    lea = await stage.join("Léa")
    stage.telegram.fail_next("getUpdates", times=2, **how)
    nora = stage.client(501, "Nora")
    nora.user.start("roux")
    nora.writes("Allô ?")
    assert await lea.user.wait_for(lambda m: "Allô ?" in str(m.get("text")), seconds=playing.PATIENCE)
    await stage.quiet()
    assert await stage.said() == ["Allô ?"]


@pytest.mark.parametrize("fault", [*SOME, "refused"])
async def test_a_webhook_that_could_not_be_set_is_set_later_and_said_meanwhile(stage: Stage, fault: str) -> None:
    telegram, listener, keeper = stage.telegram, Listener(), Keeper()
    telegram.add_bot("44000001:AAE-third-token-that-opens-nothing", "third_bot", "Third")
    how: Fault = PASSES.get(fault) or {"status": 400, "description": "Bad Request: bad webhook: Failed to resolve host"}
    third = TelegramBot(
        ChannelId("telegram:third"),
        "44000001:AAE-third-token-that-opens-nothing",
        listener,
        api_server=telegram.url,
        receive="webhook",
        webhook_url="http://127.0.0.1:9/",
        webhook_secret="s" * 32,
    )
    telegram.fail_next("setWebhook", **how)
    receiving = asyncio.create_task(third.run(None, keeper))
    try:
        await listener.hears("up")
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        await third.close()
    assert listener.said[0].startswith("down: the webhook could not be set")
    assert listener.said[-1] == "up"
