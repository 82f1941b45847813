"""A secretary's day in a real browser, as the guide in docs/ tells it: one person sits in her chair."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from bot.demo.desk import DemoDesk
from bot.demo.letters import Person, read, write
from bot.demo.scene import CLAIRE, CLAIRE_HERSELF, LUCAS, SOPHIE, VASSEUR
from bot.wiring import open_store
from inbox.model import DeliveryKind, DeliveryState
from inbox.parts import ChannelId
from inbox.store.documents import DELIVERIES_BY_STATE
from tests.bot.demo.test_page import choose_holder
from tests.bot.demo.test_page import desk as desk
from tests.bot.demo.test_page import page as page
from tests.bot.demo.test_page import scene as scene
from tests.bot.demo.test_page import served as served

PICTURES = Path(__file__).parents[3] / ".artifacts" / "guide"


async def arrives(desk: DemoDesk, person: Person, words: str) -> None:
    """A mail with these words is in somebody's inbox."""
    await desk.mail.wait_for(person.address, lambda mail: words in read(mail).text, seconds=20)


async def all_is_noted(desk: DemoDesk) -> None:
    """Nothing is being shown to anybody at this moment."""
    async with open_store(desk.settings, exclusive=False) as store:
        bot = ChannelId("telegram:demo")
        while True:
            busy = [
                await store.list(DELIVERIES_BY_STATE, bot, DeliveryKind.NOTICE, state, limit=1)
                for state in (DeliveryState.DUE, DeliveryState.LEASED)
            ]
            if not any(busy):
                return
            await asyncio.sleep(0.05)


class Chair:
    """Somebody's Telegram on the page."""

    def __init__(self, page: Page, desk: DemoDesk, name: str, panel: str = "#desk-chat") -> None:
        self._page = page
        self._desk = desk
        self._name = name
        self.panel = page.locator(panel)

    async def sit(self) -> None:
        await self.panel.get_by_role("tab", name=self._name).click()

    async def sees(self, *parts: str, button: str = "") -> Locator:
        """Her newest bubble that says all this, with a button of this name."""
        bubble = self.panel.locator(".message.theirs")
        for part in parts:
            bubble = bubble.filter(has_text=part)
        if button:
            bubble = bubble.filter(has=self._page.get_by_role("button", name=button))
        await expect(bubble.last).to_be_visible(timeout=15_000)
        return bubble.last

    async def presses(self, name: str, *parts: str) -> None:
        """The button of that name under her newest bubble that says this."""
        bubble = await self.sees(*parts, button=name)
        await bubble.get_by_role("button", name=name).first.click()

    async def says(self, words: str, *, to: Locator | None = None) -> None:
        if to is not None:
            # Nobody answers a card in the hundredth of a second in which the desk notes that it was shown.
            await all_is_noted(self._desk)
            await to.locator(".bubble").click()
        field = self.panel.get_by_label("Écrire un message")
        await field.fill(words)
        await self.panel.get_by_label("Envoyer").click()

    async def goes_to(self, place: str) -> None:
        """The chat with somebody, or with the bot."""
        await self.panel.get_by_role("button", name=place, exact=True).click()

    async def picture(self, name: str, *parts: str) -> None:
        """Her newest bubble that says this, with its buttons."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        await (await self.sees(*parts)).screenshot(path=PICTURES / f"{name}.png")


@pytest.mark.usefixtures("scene")
async def test_a_secretarys_day(page: Page, desk: DemoDesk) -> None:
    await page.set_viewport_size({"width": 1280, "height": 900})
    card = await choose_holder(page, desk, "Renouvellement d’ordonnance", "Pour vous")
    name = "Anne" if "Anne" in (await page.locator("#desk-chat [aria-selected=true]").inner_text()) else "Lise"
    her, marc = Chair(page, desk, name), Chair(page, desk, "Marc")
    other = Chair(page, desk, "Lise" if name == "Anne" else "Anne")
    await other.sit()
    await other.says("/fin")
    await other.sees("Au revoir")
    await her.sit()

    # The card, and what more can be done with it.
    await her.picture("fiche", "Renouvellement", "Pour vous")
    await her.presses("⋯ Plus", "Renouvellement")
    await her.sees("Renouvellement", button="Réunir")
    await her.picture("plus", "Renouvellement")
    await her.presses("Note", "Renouvellement")
    await her.says("Vérifier la carte Vitale", to=await her.sees("votre note ?"))
    card = await her.sees("Renouvellement", "📝", "Vérifier la carte Vitale", button="⋯ Plus")

    # A reply, read by a supervisor first, who corrects it.
    await her.says("Bonjour,\n\nLe docteur renouvelle votre ordonnance.", to=card)
    await her.sees("Aperçu", "renouvelle votre ordonnance", button="Envoyer")
    await her.picture("apercu", "Aperçu", "renouvelle votre ordonnance")
    await her.presses("Faire relire", "Aperçu")
    await marc.sit()
    asked = await marc.sees("à relire", "renouvelle votre ordonnance", button="Approuver")
    await marc.says("Bonjour,\n\nLe docteur renouvelle votre ordonnance, elle sera prête jeudi.", to=asked)
    await marc.sees("à relire", "prête jeudi", button="Approuver")
    await marc.picture("relire", "à relire", "prête jeudi")
    await marc.presses("Approuver", "prête jeudi")
    await her.sit()
    await her.sees("a approuvé votre réponse")
    await arrives(desk, SOPHIE, "prête jeudi")

    # A telephone message.
    await her.says("/appel vasseur Mme Roy, 06 12 34 56 78, résultats d’analyse, urgent, rappeler demain 10 h")
    await her.sees("Message téléphonique", "06 12 34 56 78", button="Transmettre")
    await her.picture("appel", "Message téléphonique")
    await her.presses("Transmettre", "Message téléphonique")
    await arrives(desk, CLAIRE, "06 12 34 56 78")

    # A second mail of the same client is the same matter; the answer leaves tomorrow.
    raw = write(SOPHIE, VASSEUR.address, "Ma carte", "Et faut-il apporter ma carte Vitale ?")
    await desk.mail.submit(SOPHIE.address, [VASSEUR.address], raw)
    await her.sees("Ma carte", "carte Vitale", button="⋯ Plus")
    await her.presses("⋯ Plus", "Ma carte")
    await her.presses("Réunir", "Ma carte")
    await her.sees("Ma carte", button="Renouvellement")
    await her.picture("reunir", "Ma carte")
    await her.presses("Renouvellement", "Ma carte")
    both = await her.sees("Renouvellement", "réunie avec", "carte Vitale", button="⋯ Plus")
    await her.says("Oui, apportez-la.", to=both)
    await her.presses("Plus tard", "Aperçu", "apportez-la")
    await her.presses("Demain 9 h", "apportez-la")
    await her.sees("Réponse programmée", "apportez-la", button="Envoyer maintenant")
    await her.picture("programmer", "Réponse programmée")


@pytest.mark.usefixtures("scene")
async def test_a_doctors_morning(page: Page, desk: DemoDesk) -> None:
    """Whom the desk works for joins by a link, says when she is away, and every card of her account says it."""
    await page.set_viewport_size({"width": 1280, "height": 900})
    marc = Chair(page, desk, "Marc")
    doctor = Chair(page, desk, CLAIRE_HERSELF.first_name, panel="#client-chat")
    await marc.sit()
    await marc.says("/titulaire")
    await marc.presses(VASSEUR.name, "Titulaires")
    await marc.presses("Nouveau lien", "Titulaires", VASSEUR.name)
    link = await (await marc.sees("Il sert une seule fois")).inner_text()
    found = re.search(r"https://t\.me/permanence_demo_bot\?start=(\S+)", link)
    assert found is not None

    await doctor.sit()
    await doctor.says(f"/start {found[1]}")
    await doctor.sees("Vous voici relié à votre secrétariat")
    await doctor.picture("accueil", "Vous voici relié à votre secrétariat")
    await doctor.presses("Consignes", "Vous voici relié")
    await doctor.presses("Consigne ou absence", "Consignes")
    await doctor.says("congé du 3 au 14 août", to=await doctor.sees("écrivez la consigne"))
    await doctor.sees("C’est bien cela ?", "congé du 3 au 14 août")
    await doctor.picture("consigne", "C’est bien cela ?", "congé du 3 au 14 août")
    await doctor.presses("C’est bien cela", "C’est bien cela ?", "congé")
    await doctor.sees("Donnée par")

    # Her patients write to her, in her own Telegram: the desk answers there, and she when she likes.
    patient = Chair(page, desk, LUCAS.first_name, panel="#client-chat")
    await doctor.goes_to("📲 Relier Permanence à mon Telegram")
    await doctor.sees("le secrétariat lit et répond en votre nom", VASSEUR.name)
    await patient.sit()
    await patient.goes_to(f"👤 {CLAIRE_HERSELF.name}")
    await patient.says("Docteur, mon certificat est-il prêt ?")
    card = await choose_holder(page, desk, "mon certificat est-il prêt", "Dans le Telegram de Claire")
    name = "Anne" if "Anne" in (await page.locator("#desk-chat [aria-selected=true]").inner_text()) else "Lise"
    her = Chair(page, desk, name)
    await her.picture("son-telegram", "mon certificat est-il prêt")
    await her.says("Bonjour, oui : passez quand vous voulez.", to=card)
    await her.presses("Envoyer", "Aperçu", "passez quand vous voulez")
    await patient.sees("passez quand vous voulez")
    await patient.says("Merci ! Faut-il ma carte ?")
    await her.sees("Faut-il ma carte", "⏳")
    await doctor.sit()
    await doctor.goes_to(f"👤 {LUCAS.name}")
    await doctor.sees("Faut-il ma carte")
    await doctor.says("Non, à tout de suite.")
    await her.sees("Faut-il ma carte", "Claire", "Non, à tout de suite.", "✓")
    await patient.sit()
    await patient.goes_to(f"👤 {CLAIRE_HERSELF.name}")
    mine = patient.panel.locator(".message.mine", has_text="Faut-il ma carte")
    await mine.hover()
    await mine.get_by_role("button", name="Supprimer pour les deux").click()
    await her.sees("Faut-il ma carte", "🗑")
    await doctor.sit()
    await doctor.goes_to("📲 Retirer Permanence de mon Telegram")
    await doctor.goes_to("Permanence")
    await doctor.sees("ne lit et n’écrit plus rien dans votre Telegram")
