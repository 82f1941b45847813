"""Replies that wait for a moment, or for somebody to read them: what is pressed, seen and sent."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec
import pytest

from channels.base import Parcel, Reply
from handlers.callbacks import (
    Approvals,
    Approve,
    AskAbout,
    AskApproval,
    CallOff,
    Close,
    PreviewMenu,
    Queue,
    Release,
    Review,
    Send,
    SendLater,
    Undo,
    check_draft,
)
from handlers.timers import send_due
from inbox.approval import needs_approval
from inbox.model import Draft, Role, Secretary, Shown
from inbox.store.base import Changes
from inbox.store.documents import DRAFTS_OF_CONVERSATION, SECRETARY_BY_TELEGRAM
from tests.builders import BERNARD, NOW, ROUX, a_secretary, an_account
from tests.handlers.stage import Clock, Seat, Seen, Stage, labels


async def drafted(seat: Seat, words: str = "Oui, jeudi.") -> Seen:
    seat.writes(words, to=await seat.sees("Rendez-vous", kind=Release))
    return await seat.sees("Aperçu", words, kind=PreviewMenu)


async def programmed(seat: Seat, label: str = "Demain 9 h") -> Seen:
    await seat.presses(await drafted(seat), PreviewMenu, "Plus tard")
    await seat.presses(await seat.sees("Oui, jeudi.", kind=SendLater), SendLater, label)
    return await seat.sees("📅 Réponse programmée", kind=CallOff)


async def in_anothers_hands(stage: Stage) -> tuple[Seat, Seat]:
    """A reply of Léa's that is to leave tomorrow, of a matter that Inès holds."""
    lea = await stage.join("Léa")
    await stage.mail()
    await programmed(lea)
    await lea.presses(await lea.sees("Rendez-vous", kind=Release), Release)
    ines = await stage.join("Inès")
    await stage.deal()
    return lea, ines


async def the_draft(stage: Stage) -> Draft:
    (draft,) = await stage.desk.store.list(DRAFTS_OF_CONVERSATION, (await stage.conversation()).id)
    return draft


async def reviewed(stage: Stage, seat: Seat) -> None:
    secretary = await stage.desk.store.find_by(SECRETARY_BY_TELEGRAM, seat.user.id)
    assert secretary is not None
    await stage.desk.store.commit(Changes(replacements=[msgspec.structs.replace(secretary, reviewed=True)]))


# ---------------------------------------------------------------- for a moment


async def its_moment_comes(stage: Stage, clock: Clock) -> float | None:
    """Two days on, whatever is due has left; the seconds until the next."""
    clock.ahead = timedelta(days=2)
    until_next = await send_due(stage.desk)
    await stage.quiet()
    return until_next


async def test_a_reply_leaves_at_its_moment_dated_then_and_not_before(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await programmed(lea, "Dans 1 h")
    await lea.sees("Rendez-vous", "📅 Réponse de Léa prête", kind=Release)
    assert await send_due(stage.desk) == pytest.approx(3600, abs=60)
    await stage.quiet()
    assert stage.letters.sent == []
    clock.ahead = timedelta(minutes=61)
    assert await send_due(stage.desk) is None
    await stage.quiet()
    ((letter, raw),) = stage.letters.sent
    assert letter.recipients == ("paul.martin@example.net",)
    assert abs(parsedate_to_datetime(str(message_from_bytes(raw)["Date"])) - clock()) < timedelta(minutes=1)
    await lea.sees("Votre réponse", "Oui, jeudi.", "✓ envoyé")
    assert (await stage.conversation()).waiting_since_at is None


async def test_it_is_sent_once_however_often_its_moment_comes(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await programmed(lea)
    clock.ahead = timedelta(days=2)
    await asyncio.gather(send_due(stage.desk), send_due(stage.desk))
    await send_due(stage.desk)
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_called_off_it_is_a_draft_again_and_stays(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await lea.presses(await programmed(lea), CallOff)
    preview = await lea.sees("Aperçu de votre réponse", kind=Send)
    clock.ahead = timedelta(days=2)
    assert await send_due(stage.desk) is None
    await lea.presses(preview, Send)
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_it_can_leave_at_once_after_all(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await lea.presses(await programmed(lea), Send)
    await stage.quiet()
    assert len(stage.letters.sent) == 1
    await its_moment_comes(stage, clock)
    assert len(stage.letters.sent) == 1


async def test_a_client_who_writes_before_its_moment_keeps_it_back(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    first = await stage.mail()
    await programmed(lea)
    await stage.mail("Plutôt vendredi", answers=first)
    await lea.sees("✋ #1", "Elle est retenue")
    await lea.sees("Plutôt vendredi", "Oui, jeudi.", kind=Send)
    assert await its_moment_comes(stage, clock) is None
    assert stage.letters.sent == []


async def test_words_added_to_it_keep_it_back(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await programmed(lea)
    lea.writes("Et apportez l’ordonnance.", to=await lea.sees("Rendez-vous", kind=Release))
    await lea.sees("la réponse a changé")
    await lea.sees("Aperçu", "Oui, jeudi.\n\nEt apportez l’ordonnance.", kind=Send)
    await its_moment_comes(stage, clock)
    assert stage.letters.sent == []


async def test_it_leaves_though_its_author_went_home_and_another_holds_the_matter(stage: Stage, clock: Clock) -> None:
    _, ines = await in_anothers_hands(stage)
    await ines.sees("Rendez-vous", "📅 Réponse de Léa prête", kind=CallOff)
    await its_moment_comes(stage, clock)
    assert len(stage.letters.sent) == 1


async def test_who_answers_meanwhile_keeps_it_back_and_its_author_is_told(stage: Stage, clock: Clock) -> None:
    lea, ines = await in_anothers_hands(stage)
    await ines.presses(await drafted(ines, "C’est noté."), Send)
    await lea.sees("✋ #1 : Inès a répondu entre-temps")
    await its_moment_comes(stage, clock)
    assert [b"not=C3=A9" in raw or "noté".encode() in raw for _, raw in stage.letters.sent] == [True]


async def test_whoever_holds_the_matter_holds_a_colleagues_reply_back(stage: Stage, clock: Clock) -> None:
    lea, ines = await in_anothers_hands(stage)
    card = await ines.sees("Rendez-vous", kind=CallOff)
    assert await ines.presses(card, CallOff, "Retenir la réponse de Léa") == "Elle ne partira pas d’elle-même."
    await lea.sees("✋ #1 : Inès retient votre réponse")
    assert await ines.presses(card, CallOff) == "Elle n’attend plus rien."
    clock.ahead = timedelta(days=2)
    assert await send_due(stage.desk) is None


async def test_a_matter_is_not_closed_under_a_reply_that_waits(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await programmed(lea)
    toast = await lea.presses(await lea.sees("Rendez-vous", kind=Close), Close)
    assert toast.startswith("Une réponse attend encore son départ")


async def test_a_moment_of_her_own(stage: Stage, clock: Clock) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await lea.presses(await drafted(lea), PreviewMenu, "Plus tard")
    await lea.presses(await lea.sees("Oui, jeudi.", kind=AskAbout), AskAbout, "Autre moment")
    question = await lea.sees("quand doit partir la réponse ?")
    lea.writes("quand il fera beau", to=question)
    await lea.sees("Je n’ai pas compris ce moment")
    lea.writes("dans 2 jours", to=question)
    await lea.sees("📅 Réponse programmée", kind=CallOff)
    assert await send_due(stage.desk) == pytest.approx(2 * 86400, abs=4000)


async def test_one_that_cannot_leave_comes_back_to_its_author_with_the_reason(stage: Stage, clock: Clock) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR, on_duty=False)
    await stage.mail()
    await programmed(lea)
    secretary = await stage.desk.store.find_by(SECRETARY_BY_TELEGRAM, lea.user.id)
    assert secretary is not None
    await stage.desk.store.commit(Changes(replacements=[msgspec.structs.replace(secretary, active=False)]))
    clock.ahead = timedelta(days=2)
    assert await send_due(stage.desk) is None
    await lea.sees("la réponse programmée n’est pas partie")
    # Its holder is gone with its author: whoever answers for all has the card.
    await sophie.sees("Rendez-vous")
    assert stage.letters.sent == []


async def test_one_that_breaks_comes_back_and_keeps_no_other(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    await programmed(lea)

    def breaks(reply: Reply) -> tuple[Parcel, ...]:
        raise ValueError("a letter nobody can compose")

    clock.ahead = timedelta(days=2)
    with monkeypatch.context() as broken:
        broken.setattr(stage.letters, "compose", breaks)
        assert await send_due(stage.desk) is None
    await lea.sees("la réponse programmée n’est pas partie")
    await lea.presses(await lea.sees("Aperçu de votre réponse", kind=Send), Send)
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_a_preview_the_desk_does_not_remember_sends_what_it_shows_or_nothing(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    mine = lea.writes("Oui, jeudi.", to=await lea.sees("Rendez-vous", kind=Release))
    old = dict(await lea.sees("Aperçu", "Oui, jeudi.", kind=Send))
    lea.user.edit_text(mine["message_id"], "Non, vendredi.")
    await lea.sees("Aperçu", "Non, vendredi.", kind=Send)
    # As after a restore: what it showed her since is forgotten.
    await stage.store.commit(Changes(deletions=await stage.store.scan(Shown)))
    assert (await lea.presses(old, Send)).startswith("Ce brouillon a changé")
    assert stage.letters.sent == []


# ---------------------------------------------------------------- for approval


async def test_one_whose_replies_are_read_first_sends_nothing_alone(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR)
    await reviewed(stage, lea)
    await stage.mail("Puis-je venir jeudi ?")
    preview = await drafted(lea)
    assert not any("Envoyer" in label for label in labels(preview))
    draft = await the_draft(stage)
    refused = await lea.forges(preview, Send(draft=draft.id, seen=1, check=check_draft(draft)))
    assert refused == "Cette réponse doit être relue : pressez « Faire relire »."
    await lea.presses(preview, AskApproval)
    await lea.sees("🖋 Réponse à relire", kind=CallOff)
    asked = await sophie.sees("Réponse de Léa à relire", "Puis-je venir jeudi ?", "Oui, jeudi.", kind=Approve)
    await stage.quiet()
    assert stage.letters.sent == []
    assert await sophie.presses(asked, Approve) == "Approuvée."
    await stage.quiet()
    assert len(stage.letters.sent) == 1
    await lea.sees("✅ #1 : Sophie a approuvé votre réponse")
    assert await stage.said() == ["Puis-je venir jeudi ?", "Oui, jeudi."]


async def test_two_supervisors_together_approve_it_once(stage: Stage) -> None:
    lea = await stage.join("Léa")
    sophie, claire = await stage.join("Sophie", role=Role.SUPERVISOR), await stage.join("Claire", role=Role.SUPERVISOR)
    await stage.mail()
    await lea.presses(await drafted(lea), AskApproval)
    one, two = await sophie.sees("à relire", kind=Approve), await claire.sees("à relire", kind=Approve)
    toasts = await asyncio.gather(sophie.presses(one, Approve), claire.presses(two, Approve))
    assert sorted(toasts) == ["Approuvée.", "Elle n’est plus à relire : déjà approuvée, renvoyée ou reprise."]
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_a_correction_stands_in_place_of_her_words(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR)
    await stage.mail()
    await lea.presses(await drafted(lea), AskApproval)
    asked = await sophie.sees("Oui, jeudi.", kind=Approve)
    sophie.writes("Oui, jeudi à 9 h 30.", to=asked)
    corrected = await sophie.sees("Oui, jeudi à 9 h 30.", kind=Approve)
    await lea.sees("Réponse à relire", "Oui, jeudi à 9 h 30.")
    await sophie.presses(corrected, Approve)
    await stage.quiet()
    assert (await stage.said())[-1] == "Oui, jeudi à 9 h 30."


async def test_what_changed_since_it_was_read_is_not_approved(stage: Stage) -> None:
    lea = await stage.join("Léa")
    sophie, claire = await stage.join("Sophie", role=Role.SUPERVISOR), await stage.join("Claire", role=Role.SUPERVISOR)
    await stage.mail()
    await lea.presses(await drafted(lea), AskApproval)
    old = await claire.sees("Oui, jeudi.", kind=Approve)
    sophie.writes("Non, vendredi.", to=await sophie.sees("Oui, jeudi.", kind=Approve))
    await sophie.sees("Non, vendredi.", kind=Approve)
    assert await claire.presses(old, Approve) == (
        "Ce brouillon a changé : relisez-le sur son dernier aperçu, puis envoyez-le."
    )
    await stage.quiet()
    assert stage.letters.sent == []


async def test_returned_with_a_word_it_is_hers_again(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR)
    await reviewed(stage, lea)
    await stage.mail()
    await lea.presses(await drafted(lea), AskApproval)
    asked = await sophie.sees("à relire", kind=AskAbout)
    await sophie.presses(asked, AskAbout)
    sophie.writes("Trop sec, proposez une heure", to=await sophie.sees("que faut-il changer ?"))
    back = await lea.sees("↩️ Sophie : Trop sec, proposez une heure", "Oui, jeudi.", kind=AskApproval)
    lea.writes("Oui, jeudi à 10 h ?", to=back)
    await lea.presses(await lea.sees("Aperçu", "Oui, jeudi à 10 h ?", kind=AskApproval), AskApproval)
    await sophie.presses(await sophie.sees("Oui, jeudi à 10 h ?", kind=Approve), Approve)
    await stage.quiet()
    assert (await stage.said())[-1] == "Oui, jeudi à 10 h ?"


async def test_approved_for_later_it_waits_for_its_moment(stage: Stage, clock: Clock) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR)
    await reviewed(stage, lea)
    await stage.mail()
    await lea.presses(await drafted(lea), PreviewMenu, "Plus tard")
    await lea.presses(await lea.sees("Oui, jeudi.", kind=SendLater), SendLater, "Demain")
    await sophie.presses(await sophie.sees("à relire", "📅", kind=Approve), Approve)
    await lea.sees("📅 Réponse programmée", kind=CallOff)
    await stage.quiet()
    assert stage.letters.sent == []
    await its_moment_comes(stage, clock)
    assert len(stage.letters.sent) == 1


async def test_a_client_who_writes_meanwhile_ends_the_asking(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR)
    first = await stage.mail()
    await lea.presses(await drafted(lea), AskApproval)
    asked = await sophie.sees("à relire", kind=Approve)
    await stage.mail("Plutôt vendredi", answers=first)
    await sophie.sees("rien à relire")
    assert (await sophie.presses(asked, Approve)).startswith("Elle n’est plus à relire")
    await lea.sees("Plutôt vendredi", "Oui, jeudi.", kind=Send)
    assert stage.letters.sent == []


async def test_what_came_meanwhile_is_read_and_it_is_asked_for_all_the_same(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR)
    await reviewed(stage, lea)
    first = await stage.mail()
    await drafted(lea)
    await stage.mail("Plutôt vendredi", answers=first)
    preview = await lea.sees("Plutôt vendredi", "Oui, jeudi.", kind=AskApproval)
    assert await lea.presses(preview, AskApproval, "J’ai lu") == "Une superviseuse va la relire."
    await sophie.presses(await sophie.sees("Réponse de Léa à relire", "Plutôt vendredi", kind=Approve), Approve)
    await stage.quiet()
    assert len(stage.letters.sent) == 1


async def test_an_edit_that_changes_nothing_leaves_its_moment_and_one_that_does_is_told(
    stage: Stage, clock: Clock
) -> None:
    lea = await stage.join("Léa")
    await stage.mail()
    mine = lea.writes("Oui, jeudi.", to=await lea.sees("Rendez-vous", kind=Release))
    await lea.presses(await lea.sees("Aperçu", kind=PreviewMenu), PreviewMenu, "Plus tard")
    await lea.presses(await lea.sees("Oui, jeudi.", kind=SendLater), SendLater, "Demain")
    lea.user.edit_text(mine["message_id"], "Oui, jeudi.")
    await stage.quiet()
    assert (await the_draft(stage)).send_at is not None
    lea.user.edit_text(mine["message_id"], "Oui, vendredi.")
    await lea.sees("la réponse a changé, elle ne partira pas d’elle-même")
    await lea.sees("Aperçu", "Oui, vendredi.", kind=Send)
    clock.ahead = timedelta(days=2)
    assert await send_due(stage.desk) is None
    assert stage.letters.sent == []


async def test_the_supervisor_takes_back_what_she_approved(tmp_path: Path) -> None:
    async with Stage(tmp_path / "slow.db", undo=timedelta(seconds=60)) as stage:
        lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR)
        await stage.mail()
        await lea.presses(await drafted(lea), AskApproval)
        await sophie.presses(await sophie.sees("à relire", kind=Approve), Approve)
        await sophie.presses(await sophie.sees("Réponse approuvée par Sophie", kind=Undo), Undo)
        await lea.sees("✋ #1 : Sophie retient votre réponse")
        await lea.sees("Aperçu", "Oui, jeudi.", kind=Send)
        await sophie.sees("rien à relire")
        assert stage.letters.sent == []


async def test_all_that_waits_is_one_press_from_the_queue(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR, on_duty=False)
    await stage.mail()
    await lea.presses(await drafted(lea), AskApproval)
    await sophie.sees("à relire", kind=Approve)
    sophie.writes("/file")
    assert await sophie.presses(await sophie.sees("File", kind=Approvals), Approvals) == "1 réponse à relire."
    lea.writes("/file")
    assert not any("À relire" in label for label in labels(await lea.sees("File", kind=Queue)))


async def test_the_wall_stands_before_whoever_approves(stage: Stage) -> None:
    lea = await stage.join("Léa")
    elsewhere = await stage.join("Claire", role=Role.SUPERVISOR, serves=[BERNARD])
    await stage.mail()
    preview = await drafted(lea)
    assert await lea.presses(preview, AskApproval) == "Personne ne peut la relire : ce compte n’a pas de superviseuse."
    sophie = await stage.join("Sophie", role=Role.SUPERVISOR, serves=[ROUX])
    await lea.presses(preview, AskApproval)
    asked = await sophie.sees("à relire", kind=Approve)
    draft = await the_draft(stage)
    approve = Approve(draft=draft.id, check=check_draft(draft))
    assert await elsewhere.forges(asked, approve) == "Introuvable, ou hors de vos comptes."
    assert await lea.forges(preview, approve) == "Votre rôle ne le permet pas. Demandez à une superviseuse."
    assert elsewhere.sees_nothing_of("Oui, jeudi.")


async def test_nobody_approves_her_own_words(stage: Stage) -> None:
    sophie = await stage.join("Sophie", role=Role.SUPERVISOR)
    claire = await stage.join("Claire", role=Role.SUPERVISOR, on_duty=False)
    await stage.mail()
    await sophie.presses(await drafted(sophie), AskApproval)
    await claire.sees("Réponse de Sophie à relire", kind=Approve)
    draft = await the_draft(stage)
    approve = Approve(draft=draft.id, check=check_draft(draft))
    assert await sophie.forges(await sophie.sees("à relire", kind=CallOff), approve) != "Approuvée."


async def test_a_supervisor_says_whose_replies_are_read(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR)
    elsewhere = await stage.join("Odile", serves=[BERNARD])
    sophie.writes("/equipe")
    screen = await sophie.sees("Équipe · 3 personnes", "🟢 Léa · secrétaire", kind=Review)
    assert await sophie.presses(screen, Review, "Relire Léa") == ("Les réponses de Léa seront relues avant de partir.")
    screen = await sophie.sees("Léa · secrétaire · 🖋 relue", kind=Review)
    await stage.mail()
    assert not any("Envoyer" in label for label in labels(await drafted(lea)))
    await sophie.presses(screen, Review, "Ne plus relire Léa")
    lea.writes("/equipe")
    await lea.sees("Votre rôle ne le permet pas")
    press = Review(secretary=elsewhere.secretary.id, on=True, page=0)
    claire = await stage.join("Claire", role=Role.SUPERVISOR, serves=[ROUX])
    assert await claire.forges(screen, press) == "Introuvable, ou hors de vos comptes."
    assert await lea.forges(screen, press) == "Votre rôle ne le permet pas. Demandez à une superviseuse."


async def test_a_supervisor_finds_the_links_by_which_clients_come(stage: Stage) -> None:
    lea, sophie = await stage.join("Léa"), await stage.join("Sophie", role=Role.SUPERVISOR, serves=[ROUX, BERNARD])
    sophie.writes("/liens")
    await sophie.sees(
        "Dr Hélène Roux\nhttps://t.me/cabinet_bot?start=roux",
        "Plomberie Bernard\nhttps://t.me/permanence_demo_bot?start=bernard",
    )
    lea.writes("/liens")
    await lea.sees("Votre rôle ne le permet pas")


def test_she_is_read_while_she_is_new_where_the_desk_says_so() -> None:
    def needs(secretary: Secretary, *, days: int = 0, approval: bool = False, later: int = 0) -> bool:
        account = msgspec.structs.replace(an_account(), approval=approval)
        return needs_approval(account, secretary, timedelta(days=days), NOW + timedelta(days=later))

    lea = msgspec.structs.replace(a_secretary("Léa"), joined_at=NOW)
    assert [needs(lea), needs(lea, approval=True), needs(lea, days=30), needs(lea, days=30, later=31)] == [
        False,
        True,
        True,
        False,
    ]
    assert needs(msgspec.structs.replace(lea, reviewed=True))
    assert not needs(msgspec.structs.replace(lea, reviewed=False), days=30)
    assert not needs(msgspec.structs.replace(lea, role=Role.SUPERVISOR), approval=True)
