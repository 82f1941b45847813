"""What of the lists a secretary was not shown yet."""

from __future__ import annotations

from handlers.callbacks import Close, Listing, Queue, Show, Take
from inbox.model import Role, ShownKind
from inbox.store.base import Changes
from inbox.store.documents import SHOWN_OF_CONVERSATION
from tests.handlers.stage import CABINET_TOKEN, Stage


async def test_what_waits_is_marked_until_she_was_shown_it_and_again_when_more_came(stage: Stage) -> None:
    marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
    nora = stage.client()
    nora.user.start("", token=CABINET_TOKEN)
    nora.writes("Bonjour", token=CABINET_TOKEN)
    await stage.quiet()
    await stage.mail("Ma facture ?")
    await stage.quiet()
    marc.writes("/file")
    queue = await marc.sees("File", "\n🆕 #1 ·", "\n🆕 #2 ·", kind=Show)
    await marc.presses(queue, Show, "#1")
    await marc.sees("Bonjour", kind=Take)
    await stage.quiet()
    await marc.presses(queue, Queue, "Actualiser")
    await marc.sees("File", "\n#1 ·", "\n🆕 #2 ·")
    nora.writes("Vous êtes là ?", token=CABINET_TOKEN)
    await stage.quiet()
    await marc.presses(queue, Listing, "En file")
    await marc.sees("En file, par ordre de passage", "\n🆕 #1 ·", "\n🆕 #2 ·")


async def test_what_is_hers_and_was_not_shown_is_counted(stage: Stage) -> None:
    lea = await stage.join("Léa")
    for number in (1, 2):
        await stage.mail(f"demande {number}", sender=f"Client {number} <c{number}@x.example>")
        await lea.sees(f"demande {number}", kind=Close)
    await stage.quiet()
    lea.writes("/file")
    queue = await lea.sees("À vous · 2 ouvertes", kind=Listing)
    assert "non lue" not in queue["text"]
    # As where Telegram had not taken the card yet.
    [card] = await stage.store.list(SHOWN_OF_CONVERSATION, (await stage.conversation(2)).id, ShownKind.CARD)
    await stage.store.commit(Changes(deletions=[card]))
    await lea.presses(queue, Queue, "Actualiser")
    queue = await lea.sees("À vous · 2 ouvertes · 🆕 1 non lue", "\n🆕 #2 ·", "\n#1 ·", kind=Listing)
    await lea.presses(queue, Listing, "À moi")
    mine = await lea.sees("À vous · 🆕 1 non lue", "\n🆕 #2 ·", kind=Show)
    await lea.presses(mine, Show, "#2")
    await stage.quiet()
    lea.writes("/file")
    assert "🆕" not in (await lea.sees("À vous · 2 ouvertes\n", kind=Listing))["text"]
