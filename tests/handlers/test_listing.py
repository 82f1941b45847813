"""The queue by pages and by account: in place of the message pressed, and never beyond the accounts she serves."""

from __future__ import annotations

from handlers.callbacks import Listing, Queue, Show, Take
from inbox.model import Role
from tests.builders import BERNARD, ROUX
from tests.handlers.stage import Seat, Seen, Stage, labels


async def mails(stage: Stage, count: int) -> None:
    for number in range(1, count + 1):
        await stage.mail(
            f"demande {number}", subject=f"Matière {number}", sender=f"Client {number} <c{number}@x.example>"
        )
        await stage.quiet()


async def queue_of(seat: Seat) -> Seen:
    seat.writes("/file")
    return await seat.sees("File", kind=Listing)


async def test_what_waits_is_turned_page_by_page_in_place(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    await mails(stage, 10)
    shown = await queue_of(marc)
    messages = len(marc.screen)
    await marc.presses(shown, Listing, "En file")
    first = await marc.sees("En file, par ordre de passage", "#1 ·", "#8 ·", kind=Show)
    assert "#9 ·" not in first["text"]
    await marc.presses(first, Listing, "▶")
    second = await marc.sees("En file, par ordre de passage", "#9 ·", "#10 ·")
    assert [label for label in labels(second) if label in "◀▶"] == ["◀"]
    await marc.presses(second, Queue, "Vue d’ensemble")
    await marc.sees("File · 10 demandes en attente")
    assert len(marc.screen) == messages
    await marc.presses(await marc.sees("File · 10", kind=Listing), Listing, "En file")
    await marc.presses(await marc.sees("En file, par ordre", kind=Show), Show, "#3")
    await marc.sees("Matière 3", kind=Take)


async def test_an_account_shows_all_that_is_open_in_it_and_who_has_it(stage: Stage) -> None:
    lea = await stage.join("Léa", capacity=1)
    await mails(stage, 2)
    await lea.presses(await queue_of(lea), Listing, "Comptes")
    accounts = await lea.sees("Quel compte ?")
    assert "Dr Hélène Roux (1)" in labels(accounts)
    await lea.presses(accounts, Listing, "Dr Hélène Roux")
    seen = await lea.sees("Dr Hélène Roux · demandes ouvertes")
    assert "#1 · Client 1 · Matière 1 · ⏳" in seen["text"]
    assert [line.rpartition(" · ")[2] for line in seen["text"].splitlines()[1:]] == ["personne", "Léa"]
    await lea.presses(await queue_of(lea), Listing, "À moi")
    mine = await lea.sees("À vous", "#1 · Dr Hélène Roux")
    assert "#2" not in mine["text"]


async def test_no_list_reaches_beyond_the_accounts_she_serves(stage: Stage) -> None:
    zoe = await stage.join("Zoé", serves=[BERNARD], on_duty=False)
    await mails(stage, 1)
    shown = await queue_of(zoe)
    told = await zoe.forges(shown, Listing(view="account", page=0, account=ROUX))
    assert told == "Introuvable, ou hors de vos comptes."
    assert await zoe.forges(shown, Listing(view="nonsense", page=0, account="")) == told
    await zoe.forges(shown, Listing(view="account", page=-5, account=BERNARD))
    await zoe.sees("Plomberie Bernard · demandes ouvertes", "Rien ici.")
    await zoe.forges(shown, Listing(view="accounts", page=99, account=""))
    await zoe.forges(shown, Listing(view="waiting", page=99, account=ROUX))
    await zoe.sees("En file, par ordre de passage", "Rien ici.")
    assert zoe.sees_nothing_of("Matière", "Dr Hélène Roux")
