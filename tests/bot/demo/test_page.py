"""The demo's page in a real browser, in front of the real worker."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiogram.filters.callback_data import CallbackData
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from bot.demo.desk import DemoDesk, open_scene
from bot.demo.mail_server import HOST
from bot.demo.scene import ANNE, GARNIER, LISE, LUCAS, SOPHIE, VASSEUR, VASSEUR_ROOM, drawing
from bot.demo.seat import Seat
from bot.demo.web import DemoPage
from bot.wiring import open_store
from handlers import callbacks
from inbox.model import Conversation, Secretary
from inbox.store.base import Store
from tests.conftest import require_server

CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    "--no-sandbox",  # as root, in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURE = Path(__file__).parents[3] / ".artifacts" / "demo.png"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    require_server("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[DemoDesk]:
    async with DemoDesk(tmp_path, undo_seconds=1) as running:
        yield running


@pytest.fixture
async def served(desk: DemoDesk) -> AsyncIterator[DemoPage]:
    async with DemoPage(desk.mail, desk.telegram, 0) as page:
        yield page


@pytest.fixture
async def scene(desk: DemoDesk) -> None:
    await open_scene(desk)


@pytest.fixture
async def page(served: DemoPage) -> AsyncIterator[Page]:
    """The page. Whatever goes wrong in it fails the test."""
    wrong: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 800}, locale="fr-FR")
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
        await page.goto(served.url)
        await expect(page.locator("body[data-ready]")).to_be_attached()
        yield page
        await page.close()
    assert wrong == []


def button(kind: type[CallbackData], within: Locator) -> Locator:
    """The newest button of that kind in a chat."""
    return within.locator(f'[data-press^="{kind.__prefix__}:"]').last


async def choose_holder(page: Page, desk: DemoDesk, *parts: str) -> Locator:
    """Show, on the right, the secretary who was dealt it; her newest bubble about it."""
    seats = {person: Seat(desk.telegram, person) for person in (ANNE, LISE)}
    while not any(seat.has(*parts) for seat in seats.values()):
        await page.wait_for_timeout(20)
    holder = next(person for person, seat in seats.items() if seat.has(*parts))
    right = page.locator("#desk-chat")
    await right.get_by_role("tab", name=holder.first_name).click()
    return right.locator(".message.theirs", has_text=parts[0]).last


@pytest.mark.usefixtures("scene")
async def test_a_mail_typed_on_the_left_is_answered_on_the_right_and_arrives_on_the_left(
    page: Page, desk: DemoDesk
) -> None:
    left, right = page.locator("#mail"), page.locator("#desk-chat")
    await left.get_by_role("tab", name="Sophie").click()
    await left.get_by_role("button", name="Écrire").click()
    await left.get_by_label("À", exact=True).fill(VASSEUR.address)
    await left.get_by_label("Objet").fill("Vaccin contre la grippe")
    await left.get_by_label("Message").fill("Bonjour,\n\nQuand puis-je passer <b>me faire vacciner</b> ?\n\nSophie")
    await left.get_by_role("button", name="Envoyer").click()

    card = await choose_holder(page, desk, "Vaccin contre la grippe")
    await expect(card).to_contain_text("Sophie Marchand")
    # what a client writes is text, never HTML
    await expect(card).to_contain_text("<b>me faire vacciner</b>")

    await card.locator(".bubble").click()
    await right.get_by_label("Écrire un message").fill("Bonjour Madame,\n\nMardi à 10 h, sans rendez-vous.")
    await right.get_by_label("Écrire un message").press("Enter")
    preview = right.locator(".message.theirs", has=page.locator('[data-press^="send:"]'))
    await expect(preview).to_contain_text(VASSEUR.display_name)
    await button(callbacks.Send, right).click()
    await expect(right.locator(".toast")).to_be_visible()

    row = left.locator(".mail-row", has_text="Re: Vaccin contre la grippe")
    await expect(row).to_be_visible(timeout=15_000)
    await row.click()
    reading = left.locator(".reading")
    await expect(reading).to_contain_text("Mardi à 10 h, sans rendez-vous.")
    await expect(reading).to_contain_text(f"{VASSEUR.display_name} <{VASSEUR.address}>")
    PICTURE.parent.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURE)

    await reading.get_by_role("button", name="Répondre").click()
    body = left.get_by_label("Message")
    await body.fill("C’est noté, merci.\n\n" + await body.input_value())
    await left.get_by_role("button", name="Envoyer").click()
    await expect(right.locator(".message.theirs", has_text="C’est noté, merci.").last).to_contain_text(
        re.compile(r"#\d+")
    )
    [reply] = desk.mail.inbox(SOPHIE.address)
    assert reply.raw.count(b"In-Reply-To") == 1


@pytest.mark.usefixtures("scene")
async def test_a_photo_sent_in_telegram_is_seen_by_the_secretary_who_takes_it(
    page: Page, desk: DemoDesk, tmp_path: Path
) -> None:
    client, right = page.locator("#client-chat"), page.locator("#desk-chat")
    await client.get_by_role("tab", name="Lucas").click()
    await expect(client.locator(".message.mine").last).to_contain_text("chaudière")

    await right.get_by_role("tab", name="Lise").click()
    await right.get_by_label("Écrire un message").fill("/file")
    await right.get_by_label("Envoyer").click()
    queue = right.locator(".message.theirs", has=page.locator('[data-press^="show:"]')).last
    await expect(queue).to_contain_text(GARNIER.name)
    await expect(queue).to_contain_text("Lucas")
    waiting = await queue.locator(".text").inner_text()
    [number] = [re.findall(r"#\d+", line)[0] for line in waiting.splitlines() if "Lucas" in line]
    await queue.get_by_role("button", name=number, exact=True).click()
    await button(callbacks.Take, right).click()
    mine = right.locator(".message.theirs", has=page.locator('[data-press^="rel:"]'))
    await expect(mine.last).to_contain_text("chaudière")

    picture = tmp_path / "chaudiere.png"
    picture.write_bytes(drawing())
    await client.locator('input[type="file"]').set_input_files(picture)
    await client.get_by_role("button", name="Comme photo").click()
    await expect(client.locator(".message.mine img").last).to_be_visible()
    await expect(mine.last).to_contain_text("🖼")
    await button(callbacks.Files, mine.last).click()
    shown = right.locator(".message.theirs img").last
    await expect(shown).to_be_visible()
    assert await shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320


@pytest.mark.usefixtures("scene")
async def test_what_she_writes_in_a_topic_is_the_answer_to_what_stands_there(page: Page, desk: DemoDesk) -> None:
    right = page.locator("#desk-chat")
    words = right.get_by_label("Écrire un message")
    for name in ("Anne", "Lise"):
        await right.get_by_role("tab", name=name).click()
        await words.fill("/sujets oui")
        await words.press("Enter")
        await expect(right.locator(".message.theirs").last).to_contain_text("Un sujet par demande")
    left = page.locator("#mail")
    await left.get_by_role("button", name="Écrire").click()
    await left.get_by_label("À", exact=True).fill(VASSEUR.address)
    await left.get_by_label("Objet").fill("Certificat de sport")
    await left.get_by_label("Message").fill("Faut-il un rendez-vous ?")
    await left.get_by_role("button", name="Envoyer").click()
    await choose_holder(page, desk, "Certificat de sport")
    topic = right.locator(".topics .chip", has_text="Certificat de sport")
    await topic.click()
    await expect(right.locator(".service").first).to_contain_text("Sujet créé : #")
    card = right.locator(".message.theirs", has=page.locator('[data-press^="rel:"]'))
    await expect(card).to_contain_text("Faut-il un rendez-vous ?")
    await words.fill("Oui, dix minutes suffisent.")
    await words.press("Enter")
    preview = right.locator(".message.theirs", has=page.locator('[data-press^="send:"]'))
    await expect(preview).to_contain_text("Oui, dix minutes suffisent.")
    PICTURE.parent.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURE.with_name("topics.png"))


@pytest.mark.usefixtures("scene")
async def test_the_firms_group_is_linked_and_what_stands_in_its_topics_is_answered_there(
    page: Page, desk: DemoDesk
) -> None:
    right = page.locator("#desk-chat")
    words = right.get_by_label("Écrire un message")
    await right.get_by_role("tab", name="Marc").click()
    await right.get_by_role("button", name=VASSEUR_ROOM.name).click()
    await right.get_by_role("button", name=f"/sujets ici {VASSEUR.id}").click()
    await expect(right.locator(".message.theirs").last).to_contain_text(VASSEUR.name)

    left = page.locator("#mail")
    await left.get_by_role("button", name="Écrire").click()
    await left.get_by_label("À", exact=True).fill(VASSEUR.address)
    await left.get_by_label("Objet").fill("Certificat de sport")
    await left.get_by_label("Message").fill("Faut-il un rendez-vous ?")
    await left.get_by_role("button", name="Envoyer").click()
    await right.locator(".topics .chip", has_text="Certificat de sport").click()
    card = right.locator(".message.theirs", has=page.locator('[data-press^="rel:"]'))
    await expect(card).to_contain_text("Faut-il un rendez-vous ?")
    await expect(right.locator(".pin")).to_contain_text("📌")

    # Marc reads it; whoever holds it answers, in the same group.
    await words.fill("Je crois que oui")
    await words.press("Enter")
    await expect(right.locator(".message.theirs").last).to_contain_text("entre les mains d’une collègue")
    async with open_store(desk.settings, exclusive=False) as store:
        holder = await store.get(Secretary, (await _of(store, "Certificat de sport")).assignee_id or "")
    await right.get_by_role("tab", name=holder.name.partition(" ")[0]).click()
    await right.locator(".topics .chip", has_text="Certificat de sport").click()
    await expect(right.locator(".message.theirs .author").first).to_have_text("Marc")
    await words.fill("Oui, dix minutes suffisent.")
    await words.press("Enter")
    preview = right.locator(".message.theirs", has=page.locator('[data-press^="send:"]'))
    await expect(preview).to_contain_text("Oui, dix minutes suffisent.")
    PICTURE.parent.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURE.with_name("group.png"))
    await button(callbacks.Send, right).click()
    row = left.locator(".mail-row", has_text="Re: Certificat de sport")
    await expect(row).to_be_visible(timeout=15_000)
    # The chats with the bot are as they were.
    await right.get_by_role("button", name="Permanence", exact=True).click()
    await expect(right.locator(".message", has_text="dix minutes")).to_have_count(0)


async def _of(store: Store, subject: str) -> Conversation:
    return next(each for each in await store.scan(Conversation) if each.subject == subject)


async def test_a_click_on_en_says_the_page_in_english(page: Page) -> None:
    await page.get_by_role("button", name="EN", exact=True).click()
    await expect(page.locator("#clients-title")).to_have_text("The clients’ side")
    await expect(page.locator("#mail").get_by_role("button", name="Write")).to_be_visible()


async def test_the_page_is_served_to_this_machine_and_its_own_origin_only(served: DemoPage) -> None:
    async with aiohttp.ClientSession() as browser:
        async with browser.get(served.url) as answer:
            assert answer.status == 200
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        async with browser.get(served.url, headers={"Host": "attacker.test"}) as answer:
            assert answer.status == 403
        text = f"{served.url}/api/chat/{ANNE.id}/text"
        async with browser.post(text, json={"text": "/fin"}, headers={"Origin": "http://attacker.test"}) as answer:
            assert answer.status == 403
        for person, group in ((LUCAS, VASSEUR_ROOM.id), (ANNE, -1), (ANNE, "x")):
            async with browser.get(f"{served.url}/api/chat/{person.id}?group={group}") as answer:
                assert answer.status == 404, "a group is its members' only"
    assert served.url.startswith(f"http://{HOST}:")


@pytest.mark.usefixtures("scene")
async def test_what_a_secretary_takes_opens_her_reply_box(page: Page, desk: DemoDesk) -> None:
    right = page.locator("#desk-chat")
    await right.get_by_role("tab", name="Anne").click()
    field = right.get_by_label("Écrire un message")
    await field.fill("/suivante")
    await field.press("Enter")
    await expect(right.locator(".context")).to_contain_text("Répondre à")
    await field.fill("Nous passons demain.")
    await field.press("Enter")
    preview = right.locator(".message.theirs", has=page.locator('[data-press^="send:"]'))
    await expect(preview).to_contain_text("Nous passons demain.")
