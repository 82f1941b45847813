"""Who is on call, and how what is urgent reaches one of them: in order, again and again, until somebody saw it."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

import msgspec
import pytest

from handlers.alarms import begin_due, call_due, keep_beginning, keep_calling
from handlers.callbacks import (
    AlarmSeen,
    Close,
    Dismiss,
    Duty,
    History,
    Instructions,
    Merge,
    NewOnCall,
    PassOn,
    Principals,
    Prioritise,
    Release,
    Rota,
    Send,
    SetOnCall,
    TellAccount,
    Ways,
)
from handlers.timers import wake_due
from inbox.alarms import AGAIN, ROUNDS, next_call
from inbox.erasure import erase
from inbox.invitations import DeclaredOwner, deep_link_payload, invite, owners_in_line
from inbox.model import Alarm, AlarmEnd, Delivery, Priority, Role, Status
from inbox.on_call import list_on_call, list_rota
from inbox.parts import UNSORTED, ChannelId
from inbox.store.base import Changes
from inbox.store.documents import PRINCIPALS
from tests.builders import BERNARD, ROUX
from tests.handlers.owners import joined, passed_on, supervisor, told_by_mail
from tests.handlers.stage import Clock, Monday, Seat, Seen, Stage, button, labels

URGENT = "Mme Durand, 06 12 34 56 78, douleur, urgent"


@pytest.fixture
def clock() -> Clock:
    return Monday()


async def read_back(owner: Seat, words: str) -> Seen:
    """The days they say, as they were understood."""
    owner.writes("/astreinte")
    listed = await owner.sees("Astreinte · Dr Hélène Roux", kind=NewOnCall)
    await owner.presses(listed, NewOnCall, "Je suis d’astreinte")
    owner.writes(words, to=await owner.sees("quels jours"))
    return await owner.sees("C’est bien cela ?", kind=SetOnCall)


async def on_call(owner: Seat, words: str = "du 2 au 4 mars") -> None:
    await owner.presses(await read_back(owner, words), SetOnCall, "✅")
    await owner.stage.quiet()


async def two_on_call(stage: Stage) -> tuple[Seat, Seat, Seat]:
    """A supervisor, and two who are on call, in this order."""
    marc = await supervisor(stage)
    helene, paul = await joined(stage, marc), await joined(stage, marc, 702, "Paul")
    await on_call(helene)
    await on_call(paul)
    return marc, helene, paul


def calls(owner: Seat) -> list[str]:
    return [each for each in owner.screen if each.startswith("📟 Urgent")]


async def after(stage: Stage, clock: Clock, minutes: float) -> float | None:
    """So many minutes after the beginning, whoever is to be called then."""
    clock.ahead = timedelta(minutes=minutes)
    await begin_due(stage.desk)
    wait = await call_due(stage.desk)
    await stage.quiet()
    return wait


async def made_urgent(stage: Stage, lea: Seat, number: int = 1) -> Seen:
    card = await lea.sees("Rendez-vous", kind=Release)
    conversation = await stage.conversation(number)
    await lea.forges(card, Prioritise(conversation=conversation.id, level=Priority.URGENT))
    return card


# ---------------------------------------------------------------- the list


async def test_days_are_read_back_before_they_hold_and_then_stand_on_the_list(stage: Stage) -> None:
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    await helene.presses(await helene.sees("relié", kind=Rota), Rota)
    await helene.sees("Personne n’est d’astreinte", kind=NewOnCall)
    proposed = await read_back(helene, "d’astreinte du 7 au 8 mars")
    assert "Hélène : Du samedi 7 mars 2026 au dimanche 8 mars 2026" in proposed["text"]
    assert await list_on_call(stage.store, ROUX, stage.desk.clock() + timedelta(days=5)) == []
    assert (await helene.presses(proposed, SetOnCall, "✅")).startswith("C’est noté : Hélène est d’astreinte")
    await helene.sees("Dit par Hélène", kind=SetOnCall)
    there = await list_on_call(stage.store, ROUX, stage.desk.clock() + timedelta(days=5))
    assert [each.name for each in there] == ["Hélène"]
    assert await list_on_call(stage.store, ROUX, stage.desk.clock()) == []
    marc.writes("/astreinte")
    await marc.presses(await marc.sees("Astreinte : quel compte", kind=Rota), Rota, "Roux")
    listed = await marc.sees("1. 🗓 Hélène — Du samedi 7 mars 2026 au dimanche 8 mars 2026", kind=SetOnCall)
    await marc.presses(listed, SetOnCall)
    shown = await marc.sees("Dit par Hélène", kind=SetOnCall)
    for _ in range(2):
        assert await marc.presses(shown, SetOnCall, "Retirer") == "Hélène n’est plus d’astreinte ces jours-là."
    await marc.sees("Cette astreinte ne vaut pas, ou plus")
    assert await list_on_call(stage.store, ROUX, stage.desk.clock() + timedelta(days=5)) == []


async def test_a_supervisor_says_it_for_somebody_and_corrects_it_by_a_reply(stage: Stage) -> None:
    marc = await supervisor(stage)
    await joined(stage, marc)
    marc.writes("/astreinte")
    await marc.presses(await marc.sees("Astreinte : quel compte", kind=Rota), Rota, "Roux")
    await marc.presses(await marc.sees("Astreinte · Dr Hélène Roux", kind=NewOnCall), NewOnCall, "Hélène est")
    question = await marc.sees("quels jours d’astreinte pour Hélène")
    marc.writes("à partir du 3 mars", to=question)
    await marc.sees("Dites jusqu’à quel jour")
    marc.writes("les 3 et 9 mars", to=question)
    await marc.sees("Les jours ne sont pas clairs")
    marc.writes("mardi", to=question)
    old = await marc.sees("Hélène : mardi 3 mars 2026", kind=SetOnCall)
    marc.writes("mercredi", to=old)
    new = await marc.sees("Hélène : mercredi 4 mars 2026", kind=SetOnCall)
    # What was shown before it was corrected cannot be confirmed.
    assert "changé" in await marc.presses(old, SetOnCall, "✅")
    await marc.presses(new, SetOnCall, "✅")
    await stage.quiet()
    assert len(await list_on_call(stage.store, ROUX, stage.desk.clock() + timedelta(days=2))) == 1


async def test_the_wall_stands_before_lists_and_calls(stage: Stage) -> None:
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    bernard = await joined(stage, marc, 703, "Bernard", "Plomberie Bernard")
    lea = await stage.join("Léa")
    paule = await stage.join("Paule", on_duty=False, serves=[BERNARD])
    proposed = await read_back(helene, "du 2 au 4 mars")
    confirm = button(proposed, SetOnCall, "✅")
    assert confirm is not None
    for other in (bernard, lea, paule):
        await other.forges(await other.sees("") if other is bernard else proposed, confirm)
    assert await list_on_call(stage.store, ROUX, stage.desk.clock()) == []
    await helene.presses(proposed, SetOnCall, "✅")
    await passed_on(lea, URGENT)
    await helene.sees("Urgent · Dr Hélène Roux", kind=AlarmSeen)
    saw = AlarmSeen(conversation=(await stage.conversation()).id)
    home = await bernard.sees("relié", kind=Instructions)
    assert await bernard.forges(home, saw) == "Introuvable, ou hors de vos comptes."
    assert (await stage.store.get(Alarm, (await stage.conversation()).id)).seen_by is None
    assert bernard.sees_nothing_of("Durand", "Roux", "Hélène")
    lea.writes("/astreinte")
    await lea.sees("Votre rôle ne le permet pas")


# ---------------------------------------------------------------- calls


async def test_an_urgent_call_reaches_who_is_on_call_and_is_done_once_they_saw_it(stage: Stage) -> None:
    told_by_mail(stage)
    helene = await joined(stage, await supervisor(stage))
    await on_call(helene)
    lea = await stage.join("Léa")
    await passed_on(lea, URGENT)
    call = await helene.sees("Urgent · Dr Hélène Roux", "Mme Durand", "06 12 34 56 78", "douleur", kind=AlarmSeen)
    assert "Léa" not in str(call["text"])
    # The letter has left; the desk still waits for somebody to see it.
    assert len(stage.letters.sent) == 1
    assert (await stage.conversation()).status is Status.OPEN
    await lea.sees("Appel de Mme Durand", "Astreinte prévenue : Hélène")
    for _ in range(2):
        assert (await helene.presses(call, AlarmSeen)).startswith("C’est noté")
    await stage.quiet()
    seen = await helene.sees("Urgent · Dr Hélène Roux", "👁 Vu par Hélène")
    assert labels(seen) == []
    await lea.sees("👁 #1 : vu par Hélène, d’astreinte.")
    await lea.sees("Appel de Mme Durand", "👁 Vu par Hélène, 10:0")
    assert (await stage.conversation()).status is Status.CLOSED
    assert await lea.holds() == 0


async def test_it_goes_round_the_list_until_somebody_sees_it_and_the_others_see_who(stage: Stage, clock: Clock) -> None:
    _, helene, paul = await two_on_call(stage)
    lea = await stage.join("Léa")
    await stage.mail()
    await made_urgent(stage, lea)
    await helene.sees("Urgent · Dr Hélène Roux", "Paul Martin", "Rendez-vous", "puis-je venir jeudi", kind=AlarmSeen)
    assert calls(paul) == []
    assert await call_due(stage.desk) == pytest.approx(AGAIN.total_seconds(), abs=10)
    await after(stage, clock, 5.1)
    call = await paul.sees("Urgent · Dr Hélène Roux", kind=AlarmSeen)
    assert (len(calls(helene)), len(calls(paul))) == (1, 1)
    # Whichever worker looks, and however many: one call each time.
    clock.ahead = timedelta(minutes=10.3)
    await asyncio.gather(*(call_due(stage.desk) for _ in range(3)))
    await stage.quiet()
    assert (len(calls(helene)), len(calls(paul))) == (2, 1)
    await paul.presses(call, AlarmSeen)
    await stage.quiet()
    assert await after(stage, clock, 60) is None
    assert (len(calls(helene)), len(calls(paul))) == (2, 1)
    assert labels(await helene.sees("👁 Vu par Paul")) == []
    card = await lea.sees("Rendez-vous", "👁 Vu par Paul", kind=Release)
    assert (await stage.conversation()).status is Status.OPEN
    await lea.forges(card, History(conversation=(await stage.conversation()).id))
    await lea.sees("Historique de #1", "urgent : Hélène, d’astreinte, est prévenu", "vu par Paul, d’astreinte")


async def test_of_two_who_see_it_together_one_has_it_and_the_other_is_told_who(stage: Stage, clock: Clock) -> None:
    _, helene, paul = await two_on_call(stage)
    lea = await stage.join("Léa")
    await passed_on(lea, URGENT)
    await after(stage, clock, 5.1)
    first = await helene.sees("Urgent ·", kind=AlarmSeen)
    second = await paul.sees("Urgent ·", kind=AlarmSeen)
    toasts = await asyncio.gather(helene.presses(first, AlarmSeen), paul.presses(second, AlarmSeen))
    alarm = await stage.store.get(Alarm, (await stage.conversation()).id)
    loser = toasts[1] if alarm.seen_name == "Hélène" else toasts[0]
    assert loser == f"{alarm.seen_name} l’a déjà vu et s’en occupe."
    assert sum(each.startswith("C’est noté") for each in toasts) == 1
    assert sum("#1 : vu par" in each for each in lea.screen) == 1


async def test_nobody_sees_it_and_the_desk_is_told_once_after_a_bounded_number_of_calls(
    stage: Stage, clock: Clock
) -> None:
    marc, helene, paul = await two_on_call(stage)
    lea = await stage.join("Léa")
    await passed_on(lea, URGENT)
    for n in range(1, 2 * ROUNDS + 4):
        await after(stage, clock, 5.2 * n)
    assert (len(calls(helene)), len(calls(paul))) == (ROUNDS, ROUNDS)
    assert await call_due(stage.desk) is None
    for who in (marc, lea):
        assert sum("#1 est urgent, et personne d’astreinte ne l’a vu" in each for each in who.screen) == 1
    await lea.sees("Appel de Mme Durand", "personne d’astreinte ne l’a vu", kind=Release)
    assert await lea.holds() == 1
    # Late is not never.
    await paul.presses(await paul.sees("Urgent ·", kind=AlarmSeen), AlarmSeen)
    await lea.sees("Appel de Mme Durand", "👁 Vu par Paul")


@pytest.mark.parametrize("how", ["calm", "closed"])
async def test_it_stops_when_it_is_urgent_no_more_or_done(stage: Stage, clock: Clock, how: str) -> None:
    _, helene, paul = await two_on_call(stage)
    lea = await stage.join("Léa")
    await stage.mail()
    card = await made_urgent(stage, lea)
    call = await helene.sees("Urgent ·", kind=AlarmSeen)
    conversation = await stage.conversation()
    if how == "calm":
        await lea.forges(card, Prioritise(conversation=conversation.id, level=Priority.NORMAL))
    else:
        await lea.forges(card, Close(conversation=conversation.id, seen=conversation.inbound_count))
    assert await after(stage, clock, 5.1) is None
    assert (len(calls(helene)), len(calls(paul))) == (1, 0)
    assert labels(await helene.sees("Urgent ·", "C’est terminé")) == []
    assert await helene.presses(call, AlarmSeen) == "C’est terminé : rien à faire."
    assert (await stage.store.get(Alarm, conversation.id)).ended is AlarmEnd(how)


async def test_whom_telegram_does_not_reach_is_passed_over_at_once_and_the_desk_told(
    stage: Stage, clock: Clock
) -> None:
    marc, helene, paul = await two_on_call(stage)
    lea = await stage.join("Léa")
    helene.user.block()
    await stage.quiet()
    loop = asyncio.create_task(keep_calling(stage.desk))
    try:
        lea.writes(f"/appel roux {URGENT}")
        await lea.presses(await lea.sees("Mme Durand", kind=PassOn), PassOn)
        await paul.sees("Urgent · Dr Hélène Roux", kind=AlarmSeen)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    for who in (marc, lea):
        await who.sees("#1 : Hélène, d’astreinte, ne peut pas être joint")
    assert len(calls(paul)) == 1


async def test_when_none_of_them_can_be_reached_the_desk_is_told_at_once(stage: Stage) -> None:
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    await on_call(helene)
    lea = await stage.join("Léa")
    helene.user.block()
    await stage.quiet()
    await passed_on(lea, URGENT)
    assert await call_due(stage.desk) is None
    await stage.quiet()
    await marc.sees("#1 est urgent, et personne d’astreinte ne peut être appelé. Joignez le compte autrement.")
    (told,) = [each for each in marc.screen if "Hélène, d’astreinte" in each]
    assert told == "📟 #1 : Hélène, d’astreinte, ne peut pas être joint dans Telegram."
    assert not any("après 0" in each for each in (*marc.screen, *lea.screen))
    await lea.sees("Appel de Mme Durand", "personne d’astreinte ne l’a vu", kind=Release)


async def test_calls_that_waited_for_telegram_ring_once(stage: Stage) -> None:
    helene = await joined(stage, await supervisor(stage))
    await on_call(helene)
    lea = await stage.join("Léa")
    await passed_on(lea, URGENT)
    await helene.sees("Urgent ·", kind=AlarmSeen)
    alarm = await stage.store.get(Alarm, (await stage.conversation()).id)
    waiting = [await next_call(stage.store, alarm, stage.desk.clock()) for _ in range(3)]
    late = Changes(inserts=[d for each in waiting for d in each.inserts.values() if isinstance(d, Delivery)])
    await stage.store.commit(late)
    await stage.quiet()
    assert len(calls(helene)) == 2


async def test_moved_to_another_account_it_is_that_ones_who_are_called(stage: Stage, clock: Clock) -> None:
    marc, helene, paul = await two_on_call(stage)
    lea = await stage.join("Léa")
    await stage.mail()
    await made_urgent(stage, lea)
    await helene.sees("Urgent ·", kind=AlarmSeen)
    bernard = await joined(stage, marc, 703, "Bernard", "Plomberie Bernard")
    bernard.writes("/astreinte")
    await bernard.presses(await bernard.sees("Astreinte · Plomberie Bernard", kind=NewOnCall), NewOnCall)
    bernard.writes("du 2 au 4 mars", to=await bernard.sees("quels jours"))
    await bernard.presses(await bernard.sees("C’est bien cela ?", kind=SetOnCall), SetOnCall, "✅")
    before = await stage.conversation()
    moved = msgspec.structs.replace(before, account_id=BERNARD)
    await stage.store.commit(Changes(replacements=[moved]))
    await after(stage, clock, 5.1)
    alarm = await stage.store.get(Alarm, before.id)
    assert (alarm.account_id, alarm.calls) == (BERNARD, 1)
    assert (len(calls(helene)), calls(paul)) == (1, [])
    call = await helene.sees("Urgent ·", kind=AlarmSeen)
    assert await helene.presses(call, AlarmSeen) == "Introuvable, ou hors de vos comptes."


async def test_erased_it_is_called_for_no_more(stage: Stage, clock: Clock) -> None:
    _, helene, paul = await two_on_call(stage)
    lea = await stage.join("Léa")
    await stage.mail()
    await made_urgent(stage, lea)
    await helene.sees("Urgent ·", kind=AlarmSeen)
    conversation = await stage.conversation()
    gone = await erase(stage.store, stage.desk.key, conversation, stage.desk.clock(), undecided=True)
    await stage.store.commit(gone.changes)
    assert await after(stage, clock, 5.1) is None
    assert calls(paul) == []
    assert await stage.store.find(Alarm, conversation.id) is None


async def test_a_worker_that_comes_late_goes_on_where_the_other_died_and_who_comes_off_is_called_no_more(
    stage: Stage, clock: Clock
) -> None:
    marc = await supervisor(stage)
    helene, paul = await joined(stage, marc), await joined(stage, marc, 702, "Paul")
    await on_call(helene, "aujourd’hui")
    await on_call(paul, "du 2 au 4 mars")
    lea = await stage.join("Léa")
    await passed_on(lea, URGENT)
    await helene.sees("Urgent ·", kind=AlarmSeen)
    # It is after midnight when the next worker comes: Hélène is off.
    assert await after(stage, clock, 15 * 60) == pytest.approx(AGAIN.total_seconds(), abs=10)
    await after(stage, clock, 15 * 60 + 6)
    assert (len(calls(helene)), len(calls(paul))) == (1, 2)


async def test_nobody_on_call_is_nobody_called(stage: Stage) -> None:
    helene = await joined(stage, await supervisor(stage))
    await on_call(helene, "du 7 au 8 mars")
    lea = await stage.join("Léa")
    await passed_on(lea, URGENT)
    await stage.mail()
    await made_urgent(stage, lea, 2)
    await stage.quiet()
    assert calls(helene) == []
    assert await call_due(stage.desk) is None


async def test_made_urgent_again_there_is_one_row_of_calls(stage: Stage, clock: Clock) -> None:
    _, helene, paul = await two_on_call(stage)
    lea = await stage.join("Léa")
    await stage.mail()
    card = await made_urgent(stage, lea)
    conversation = await stage.conversation()
    for level in (Priority.NORMAL, Priority.URGENT, Priority.URGENT):
        await lea.forges(card, Prioritise(conversation=conversation.id, level=level))
    await stage.quiet()
    assert (len(calls(helene)), len(calls(paul))) == (1, 0)
    await after(stage, clock, 5.1)
    assert (len(calls(helene)), len(calls(paul))) == (1, 1)


async def test_merged_into_another_it_is_that_one_they_are_called_for(stage: Stage, clock: Clock) -> None:
    _, helene, _ = await two_on_call(stage)
    lea = await stage.join("Léa")
    await stage.mail("Premier", subject="Un")
    await stage.mail("Second", subject="Deux")
    await lea.sees("Second", kind=Release)
    one, two = await stage.conversation(1), await stage.conversation(2)
    card = await lea.sees("Second", kind=Release)
    await lea.forges(card, Prioritise(conversation=two.id, level=Priority.URGENT))
    await lea.forges(card, Merge(conversation=two.id, number=1))
    await stage.quiet()
    assert (await stage.conversation(2)).merged_into == one.id
    await after(stage, clock, 5.1)
    alarm = await stage.store.get(Alarm, one.id)
    assert alarm.due_at is not None
    assert (await stage.store.get(Alarm, two.id)).due_at is None
    await helene.sees("Urgent ·", "Un", kind=AlarmSeen)


async def test_a_call_told_to_its_account_later_calls_whoever_is_on_call(stage: Stage, clock: Clock) -> None:
    marc = await supervisor(stage)
    lea = await stage.join("Léa")
    await passed_on(lea, URGENT)  # nobody to tell it to
    await passed_on(lea, "M. Petit, 06 12 34 56 79, fuite, urgent")
    helene = await joined(stage, marc)
    await on_call(helene)
    card = await lea.sees("Appel de M. Petit", kind=Release)
    one, two = [TellAccount(conversation=(await stage.conversation(n)).id) for n in (1, 2)]
    assert await lea.forges(card, one) == "Transmis à Dr Hélène Roux."
    await helene.sees("Urgent · Dr Hélène Roux", "Mme Durand", kind=AlarmSeen)
    told_by_mail(stage)
    await lea.forges(card, two)
    call = await helene.sees("Urgent · Dr Hélène Roux", "M. Petit", kind=AlarmSeen)
    await lea.presses(await lea.sees("Aperçu", "M. Petit", kind=Send), Send)
    await stage.quiet()
    assert (await stage.conversation(2)).status is Status.OPEN
    await helene.presses(call, AlarmSeen)
    assert (await stage.conversation(2)).status is Status.CLOSED
    assert len(calls(helene)) == 2


async def test_its_client_writes_again_after_it_was_done_and_they_are_called_again(stage: Stage, clock: Clock) -> None:
    _, helene, _ = await two_on_call(stage)
    lea = await stage.join("Léa")
    first = await stage.mail(subject="Rendez-vous")
    await made_urgent(stage, lea)
    await helene.presses(await helene.sees("Urgent ·", kind=AlarmSeen), AlarmSeen)
    await stage.mail("Encore un mot", subject="Re: Rendez-vous", answers=first)
    await lea.sees("Encore un mot", kind=Close)
    await stage.quiet()
    # It was in hand: whoever saw it is not rung again.
    assert len(calls(helene)) == 1
    await lea.presses(await lea.sees("Encore un mot", kind=Close), Close)
    await stage.mail("C’est encore pire", subject="Re: Rendez-vous", answers=first)
    call = await helene.sees("Urgent ·", "C’est encore pire", kind=AlarmSeen)
    assert len(calls(helene)) == 2
    assert (await helene.presses(call, AlarmSeen)).startswith("C’est noté")


async def test_merged_twice_before_the_next_call_it_is_not_lost(stage: Stage, clock: Clock) -> None:
    _, helene, paul = await two_on_call(stage)
    lea = await stage.join("Léa")
    for n in (1, 2, 3):
        await stage.mail(f"Mot {n}", subject="Rendez-vous" if n == 3 else f"Affaire {n}")
        await lea.sees(f"Mot {n}", kind=Release)
    card = await made_urgent(stage, lea, 3)
    await helene.sees("Urgent ·", "Mot 3", kind=AlarmSeen)
    for n in (3, 2):
        await lea.forges(card, Merge(conversation=(await stage.conversation(n)).id, number=n - 1))
    await after(stage, clock, 5.1)
    await helene.sees("Urgent ·", "Affaire 1", kind=AlarmSeen)
    await after(stage, clock, 10.3)
    await paul.sees("Urgent ·", "Affaire 1", kind=AlarmSeen)
    assert (await stage.store.get(Alarm, (await stage.conversation(1)).id)).due_at is not None


async def test_marked_urgent_once_more_they_are_called_unless_somebody_has_just_seen_it(
    stage: Stage, clock: Clock
) -> None:
    marc = await supervisor(stage)
    lea = await stage.join("Léa")
    await stage.mail()
    card = await made_urgent(stage, lea)
    helene = await joined(stage, marc)
    await on_call(helene)
    assert calls(helene) == []
    urgent = Prioritise(conversation=(await stage.conversation()).id, level=Priority.URGENT)
    for _ in range(2):
        await lea.forges(card, urgent)
    await helene.presses(await helene.sees("Urgent ·", kind=AlarmSeen), AlarmSeen)
    await lea.forges(card, urgent)
    await stage.quiet()
    assert len(calls(helene)) == 1
    clock.ahead = timedelta(minutes=6)
    await lea.forges(card, urgent)
    await stage.quiet()
    assert len(calls(helene)) == 2


async def test_days_that_begin_call_for_what_is_urgent_already(stage: Stage, clock: Clock) -> None:
    marc = await supervisor(stage)
    helene, paul = await joined(stage, marc), await joined(stage, marc, 702, "Paul")
    lea = await stage.join("Léa")
    await stage.mail()
    await made_urgent(stage, lea)
    await stage.mail("Rien ne presse", subject="Facture")
    await lea.sees("Rien ne presse", kind=Release)
    await on_call(helene, "mardi")
    await after(stage, clock, 0)
    assert calls(helene) == []
    loop = asyncio.create_task(keep_beginning(stage.desk))
    try:
        # Confirmed while they are on: at once, whoever looks.
        await on_call(paul, "aujourd’hui")
        call = await paul.sees("Urgent ·", "Rendez-vous", kind=AlarmSeen)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    await after(stage, clock, 4)
    assert (calls(helene), len(calls(paul))) == ([], 1)
    await paul.presses(call, AlarmSeen)
    # What somebody saw is nobody else's when their day begins; what nobody could be called for is.
    await stage.mail("Très mal", subject="Douleur")
    await lea.sees("Très mal", kind=Release)
    two = await stage.conversation(3)
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(two, priority=Priority.URGENT)]))
    assert await begin_due(stage.desk) == pytest.approx(14 * 3600, abs=600)
    clock.ahead = timedelta(hours=14, minutes=1)
    await asyncio.gather(*(begin_due(stage.desk) for _ in range(3)))
    await stage.quiet()
    assert await begin_due(stage.desk) is None
    assert len(calls(helene)) == 1
    assert "Douleur" in calls(helene)[0]


async def test_what_was_seen_and_done_before_is_called_for_anew_when_days_begin(stage: Stage, clock: Clock) -> None:
    _, helene, _ = await two_on_call(stage)
    lea = await stage.join("Léa")
    first = await stage.mail(subject="Rendez-vous")
    await made_urgent(stage, lea)
    await helene.presses(await helene.sees("Urgent ·", kind=AlarmSeen), AlarmSeen)
    await lea.presses(await lea.sees("Rendez-vous", kind=Close), Close)
    # Nobody is on call any more when the client writes again; from the day after, somebody is.
    clock.ahead = timedelta(days=4)
    await stage.mail("C’est revenu", subject="Re: Rendez-vous", answers=first)
    await lea.sees("C’est revenu", kind=Close)
    assert len(calls(helene)) == 1
    await on_call(helene, "samedi")
    clock.ahead = timedelta(days=4, hours=15)
    await begin_due(stage.desk)
    await helene.sees("Urgent ·", "C’est revenu", kind=AlarmSeen)


async def test_told_to_its_account_after_somebody_saw_it_nobody_is_rung_again(stage: Stage, clock: Clock) -> None:
    marc = await supervisor(stage)
    lea = await stage.join("Léa")
    await passed_on(lea, "Mme Durand, 06 12 34 56 78, douleur")  # nobody to tell it to
    helene = await joined(stage, marc)
    await on_call(helene)
    card = await lea.sees("Appel de Mme Durand", kind=Release)
    await lea.forges(card, Prioritise(conversation=(await stage.conversation()).id, level=Priority.URGENT))
    await helene.presses(await helene.sees("Urgent ·", kind=AlarmSeen), AlarmSeen)
    clock.ahead = timedelta(minutes=20)
    assert (await lea.forges(card, TellAccount(conversation=(await stage.conversation()).id))).startswith("Transmis")
    await stage.quiet()
    await after(stage, clock, 40)
    assert len(calls(helene)) == 1


async def test_what_was_put_off_is_called_for_when_it_comes_back(stage: Stage, clock: Clock) -> None:
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    lea = await stage.join("Léa")
    await stage.mail()
    await made_urgent(stage, lea)
    one = await stage.conversation()
    until = clock() + timedelta(hours=20)
    later = msgspec.structs.replace(one, status=Status.SNOOZED, snoozed_until_at=until)
    await stage.store.commit(Changes(replacements=[later]))
    await on_call(helene, "mardi")
    clock.ahead = timedelta(hours=15)
    await begin_due(stage.desk)
    await stage.quiet()
    assert calls(helene) == []
    clock.ahead = timedelta(hours=20, minutes=1)
    await wake_due(stage.desk)
    await helene.sees("Urgent ·", "Rendez-vous", kind=AlarmSeen)


async def test_who_is_sent_away_is_on_call_no_more_and_comes_on_no_list_again(stage: Stage) -> None:
    marc, _, paul = await two_on_call(stage)
    proposed = await read_back(paul, "du 9 au 10 mars")
    for name in ("Hélène", "Paul"):
        marc.writes("/titulaire")
        await marc.presses(await marc.sees("Titulaires : quel compte", kind=Principals), Principals, "Roux")
        await marc.presses(await marc.sees("Titulaires", "Roux", kind=Dismiss), Dismiss, name)
    marc.writes("/astreinte")
    await marc.presses(await marc.sees("Astreinte : quel compte", kind=Rota), Rota, "Roux")
    await marc.sees("Astreinte · Dr Hélène Roux", "Personne n’est d’astreinte")
    await paul.presses(proposed, SetOnCall, "✅")
    assert await list_rota(stage.store, ROUX, stage.desk.clock()) == []


async def test_where_days_stand_and_nobody_can_be_called_the_desk_is_told(stage: Stage, clock: Clock) -> None:
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    await on_call(helene)
    bernard = await joined(stage, marc, 703, "Bernard", "Plomberie Bernard")
    bernard.writes("/astreinte")
    await bernard.presses(await bernard.sees("Astreinte · Plomberie Bernard", kind=NewOnCall), NewOnCall)
    bernard.writes("du 2 au 4 mars", to=await bernard.sees("quels jours"))
    await bernard.presses(await bernard.sees("C’est bien cela ?", kind=SetOnCall), SetOnCall, "✅")
    (principal,) = [p for p in await stage.store.list(PRINCIPALS, True) if p.name == "Hélène"]
    # As it was left before days went with whoever was sent away.
    gone = msgspec.structs.replace(principal, accounts=(UNSORTED,))
    await stage.store.commit(Changes(replacements=[gone]))
    lea = await stage.join("Léa")
    await stage.mail()
    await made_urgent(stage, lea)
    for who in (marc, lea):
        await who.sees("📟 #1 est urgent, et personne d’astreinte ne peut être appelé. Joignez le compte autrement.")
    assert calls(helene) == []
    # The same where it is moved there while somebody else's are called.
    await stage.mail(subject="Chaudière")
    card = await lea.sees("Chaudière", kind=Release)
    two = await stage.conversation(2)
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(two, account_id=BERNARD)]))
    await lea.forges(card, Prioritise(conversation=two.id, level=Priority.URGENT))
    await bernard.sees("Urgent ·", kind=AlarmSeen)
    moved = msgspec.structs.replace(await stage.conversation(2), account_id=ROUX)
    await stage.store.commit(Changes(replacements=[moved]))
    assert await after(stage, clock, 5.1) is None
    await marc.sees("📟 #2 est urgent, et personne d’astreinte ne peut être appelé")
    assert (await stage.store.get(Alarm, two.id)).ended is AlarmEnd.ELSEWHERE


async def test_the_list_has_no_more_days_than_it_may_have(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    marc = await supervisor(stage)
    helene, paul = await joined(stage, marc), await joined(stage, marc, 702, "Paul")
    monkeypatch.setattr("inbox.on_call.MOST_ON_A_LIST", 1)
    first, second = await read_back(helene, "du 2 au 4 mars"), await read_back(paul, "du 5 au 6 mars")
    await helene.presses(first, SetOnCall, "✅")
    assert "1" in await paul.presses(second, SetOnCall, "✅")
    rota = await list_rota(stage.store, ROUX, stage.desk.clock())
    assert [each.name for each in rota] == ["Hélène"]


async def test_who_speaks_for_an_account_does_not_join_the_desk_by_a_link(stage: Stage) -> None:
    helene = await joined(stage, await supervisor(stage))
    token = secrets.token_urlsafe(32)
    way_in = invite(Role.SECRETARY, token=token, now=stage.desk.clock(), lifetime=timedelta(days=1))
    await stage.store.commit(Changes(inserts=[way_in]))
    helene.user.start(deep_link_payload(token))
    await helene.sees("Vous êtes titulaire d’un compte : ce lien est pour le secrétariat. Il reste valable.")
    nora = stage.client()
    nora.user.start(deep_link_payload(token))
    await nora.sees("Bienvenue", kind=Duty)


async def test_an_owner_of_the_desk_who_speaks_for_an_account_presses_both_sorts_of_buttons(stage: Stage) -> None:
    helene = await joined(stage, await supervisor(stage))
    await on_call(helene)
    # The config names her since.
    declared = DeclaredOwner(telegram_user_id=701, name="Hélène", language="fr", channel_id=ChannelId("telegram:desk"))
    await stage.store.commit(owners_in_line([declared], [], stage.desk.clock()))
    lea = await stage.join("Léa")
    await passed_on(lea, URGENT)
    call = await helene.sees("Urgent ·", kind=AlarmSeen)
    assert (await helene.presses(call, AlarmSeen)).startswith("C’est noté")
    await lea.sees("#1 : vu par Hélène, d’astreinte")
    assert await helene.presses(await helene.sees("relié", kind=Ways), Ways) == ""
    await helene.sees("Vos messages", kind=Ways)
    helene.writes("/astreinte")
    await helene.sees("Astreinte : quel compte", kind=Rota)
    # Nobody else at the desk gets anything by that button.
    assert await lea.forges(await lea.sees("vu par Hélène"), AlarmSeen(conversation="x" * 36)) == ""
