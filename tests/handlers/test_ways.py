"""How telephone messages reach those they are for: by the ways each of them chose, and never to nobody."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from channels.errors import TemporaryFailure
from handlers.callbacks import (
    Digest,
    Dismiss,
    Merge,
    PassOn,
    Principals,
    Release,
    Reopen,
    Send,
    TellAccount,
    Undo,
    Ways,
)
from inbox.model import Message, Principal, Status, Way
from inbox.parts import PHONE
from inbox.passing import Routes, routes, told_in_telegram
from inbox.store.base import Changes
from inbox.store.documents import CONVERSATION_BY_NUMBER, DELIVERIES_LEASED, MESSAGES_OF_CONVERSATION, PRINCIPALS
from tests.builders import BERNARD, MAIL, NOW, ROUX, an_account
from tests.contracts.documents import make
from tests.handlers.owners import WORDS, joined, passed_on, supervisor, told_by_mail, wants
from tests.handlers.stage import Clock, Seat, Stage, labels


async def taken(owner: Seat, *words: str) -> str:
    return str((await owner.sees("Message pour", *words))["text"])


async def test_who_joins_is_asked_and_chooses_by_one_press(stage: Stage) -> None:
    told_by_mail(stage)
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    await helene.presses(await helene.sees("relié", kind=Ways), Ways)
    screen = await helene.sees("Vos messages", "Ils arrivent par mail", "helene@roux.example", kind=Ways)
    assert labels(screen)[:4] == ["💬 Telegram", "✓ ✉️ Mail", "💬✉️ Les deux", "🔴 Seulement l’urgent"]
    for _ in range(2):
        assert await helene.presses(screen, Ways, "Les deux") == "C’est noté : 💬✉️ Les deux."
    await helene.sees("Vos messages", "Ils arrivent ici et par mail", kind=Ways)
    marc.writes("/titulaire")
    await marc.presses(await marc.sees("Titulaires : quel compte", kind=Principals), Principals, "Roux")
    await marc.sees("• Hélène — 💬✉️ Les deux", kind=Dismiss)


async def test_what_is_no_way_changes_nothing(stage: Stage) -> None:
    helene = await joined(stage, await supervisor(stage))
    home = await helene.sees("relié", kind=Ways)
    assert await helene.forges(home, "ways:pigeon") == "Introuvable, ou hors de vos comptes."
    (principal,) = await stage.store.list(PRINCIPALS, True)
    assert principal.way is None
    stranger = stage.client()
    await stranger.forges(home, Ways(way="both"))
    assert stranger.sees_nothing_of("Vos messages")


async def test_an_account_without_an_address_is_told_in_telegram_and_the_call_is_done(stage: Stage) -> None:
    helene = await joined(stage, await supervisor(stage))
    lea = await stage.join("Léa")
    assert await passed_on(lea) == "Transmis à Dr Hélène Roux."
    text = await taken(helene, "Message pour Dr Hélène Roux", "Mme Durand", "06 12 34 56 78")
    assert "Motif : rendez-vous à déplacer" in text
    assert "À rappeler : demain" in text or "10:00" in text or "10 h" in text
    assert "Léa" not in text
    conversation = await stage.conversation()
    assert (conversation.status, conversation.channel_id) == (Status.CLOSED, PHONE)
    assert await lea.holds() == 0
    assert stage.letters.sent == []


async def test_by_both_ways_each_comes_once_however_often_it_is_pressed(stage: Stage) -> None:
    told_by_mail(stage)
    helene = await joined(stage, await supervisor(stage))
    await wants(helene, Way.BOTH)
    lea = await stage.join("Léa")
    lea.writes(f"/appel roux {WORDS}")
    slip = await lea.sees("Mme Durand", kind=PassOn)
    await asyncio.gather(*(lea.presses(slip, PassOn) for _ in range(3)))
    await stage.quiet()
    assert len(stage.letters.sent) == 1
    assert sum("Message pour" in each for each in helene.screen) == 1
    assert (await stage.conversation()).status is Status.CLOSED
    assert await stage.store.find_by(CONVERSATION_BY_NUMBER, 2) is None


async def test_the_name_of_who_took_it_stands_there_where_the_account_wants_it(stage: Stage) -> None:
    accounts = stage.desk.accounts
    assert isinstance(accounts, dict)
    accounts[ROUX] = msgspec.structs.replace(accounts[ROUX], show_names=True)
    helene = await joined(stage, await supervisor(stage))
    lea = await stage.join("Léa")
    await passed_on(lea)
    assert "Pris par Léa" in await taken(helene)


async def test_each_of_an_accounts_has_it_their_way_and_nobody_elses_at_all(stage: Stage) -> None:
    told_by_mail(stage)
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    paul = await joined(stage, marc, 702, "Paul")
    bernard = await joined(stage, marc, 703, "Bernard", "Plomberie Bernard")
    await wants(helene, Way.TELEGRAM)
    await wants(paul, Way.URGENT)
    await wants(bernard, Way.TELEGRAM)
    lea = await stage.join("Léa")
    await passed_on(lea)
    await taken(helene, "Mme Durand")
    assert paul.sees_nothing_of("Durand")
    # What does not ring for Paul comes by mail.
    assert len(stage.letters.sent) == 1
    await passed_on(lea, "M. Petit, 06 12 34 56 79, fuite, urgent")
    await taken(paul, "M. Petit", "🔴 Urgent")
    assert len(stage.letters.sent) == 1
    assert bernard.sees_nothing_of("Durand", "Petit", "Roux")


async def test_taken_back_it_is_taken_back_everywhere_and_sent_again_it_comes_once(stage: Stage) -> None:
    told_by_mail(stage)
    object.__setattr__(stage.desk, "undo", timedelta(seconds=20))
    helene = await joined(stage, await supervisor(stage))
    await wants(helene, Way.BOTH)
    lea = await stage.join("Léa")
    await passed_on(lea)
    await lea.presses(await lea.sees("Mme Durand", kind=Undo), Undo)
    await stage.quiet()
    assert helene.sees_nothing_of("Durand")
    object.__setattr__(stage.desk, "undo", timedelta())
    await lea.presses(await lea.sees("Aperçu", "Mme Durand", kind=Send), Send)
    await stage.quiet()
    assert sum("Message pour" in each for each in helene.screen) == 1
    assert len(stage.letters.sent) == 1


async def test_once_somebody_has_read_it_it_is_not_taken_back_from_the_others(stage: Stage) -> None:
    told_by_mail(stage)
    helene = await joined(stage, await supervisor(stage))
    await wants(helene, Way.BOTH)
    lea = await stage.join("Léa")
    stage.letters.failures.append(TemporaryFailure(MAIL, "451", retry_after=timedelta(hours=1)))
    await passed_on(lea)
    await taken(helene, "Mme Durand")
    assert await lea.presses(await lea.sees("Mme Durand", kind=Undo), Undo) == "Trop tard : le message est parti."
    await stage.quiet()
    # The letter that waits still leaves, once, and what she read comes no second time.
    assert [d.error for d in await stage.replies("due")] != []
    assert sum("Message pour" in each for each in helene.screen) == 1


async def quietly_at_six(stage: Stage) -> tuple[Seat, Seat]:
    """One who is told at once, and one whose telephone stays silent until the day is told."""
    marc = await supervisor(stage)
    helene, paul = await joined(stage, marc), await joined(stage, marc, 702, "Paul")
    await wants(helene, Way.TELEGRAM)
    await wants(paul, Way.URGENT)
    paul.writes("/moyens")
    await paul.forges(await paul.sees("Résumé du jour"), Digest(hour=18))
    await paul.sees("Résumé du jour", "18")
    return helene, paul


async def test_what_somebody_opened_again_is_not_closed_by_whom_it_reaches_late(stage: Stage, clock: Clock) -> None:
    helene, paul = await quietly_at_six(stage)
    lea = await stage.join("Léa")
    await passed_on(lea)
    await taken(helene, "Mme Durand")
    card = await lea.sees("Mme Durand", kind=Reopen)
    assert await lea.presses(card, Reopen) == "#1 est rouverte : elle est à vous."
    clock.ahead = timedelta(days=1)
    stage.deliveries._look.set()
    await taken(paul, "Mme Durand")
    await stage.quiet()
    await lea.sees("Mme Durand", "rouverte par Léa", kind=Release)
    assert (await stage.conversation()).status is Status.OPEN
    assert await stage.holder() == "Léa"


async def test_what_was_brought_together_is_not_opened_again_and_late_notices_still_arrive(
    stage: Stage, clock: Clock
) -> None:
    _, paul = await quietly_at_six(stage)
    lea = await stage.join("Léa")
    await passed_on(lea)
    await passed_on(lea, "M. Petit, 06 12 34 56 79, fuite")
    old = await lea.sees("M. Petit", kind=Reopen)
    two = await stage.conversation(2)
    assert await lea.forges(old, Merge(conversation=two.id, number=1)) == "#2 est réunie dans #1."
    assert await lea.forges(old, Reopen(conversation=two.id)) == "#2 est déjà réunie à une autre."
    assert (await stage.conversation(2)).status is Status.CLOSED
    # Opened again all the same, before this was refused: the desk still delivers, and starts.
    empty = msgspec.structs.replace(await stage.conversation(2), status=Status.OPEN, closed_at=None)
    await stage.store.commit(Changes(replacements=[empty]))
    clock.ahead = timedelta(days=1)
    stage.deliveries._look.set()
    await taken(paul, "M. Petit")
    await taken(paul, "Mme Durand")
    await stage.mail("Bonjour ?")
    await lea.sees("Bonjour ?", kind=Release)


async def test_a_rule_that_fails_leaves_what_was_delivered_delivered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    helene = await joined(stage, await supervisor(stage))
    lea = await stage.join("Léa")

    async def broken(*args: object) -> Changes:
        raise LookupError("a rule nobody thought of")

    monkeypatch.setattr("handlers.passing.arrived", broken)
    await passed_on(lea)
    assert len([each for each in helene.screen if "Message pour" in each]) == 1
    await stage.mail("Bonjour ?")
    await lea.sees("Bonjour ?", kind=Release)
    leased = await stage.store.list(DELIVERIES_LEASED)
    assert leased == []


async def test_who_blocked_the_bot_has_it_by_mail_and_the_desk_is_told(stage: Stage) -> None:
    told_by_mail(stage)
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    await wants(helene, Way.TELEGRAM)
    lea = await stage.join("Léa")
    helene.user.block()
    await stage.quiet()
    await passed_on(lea)
    for who in (lea, marc):
        await who.sees("appel #1 n’a pas pu être remis à Hélène", "parti par mail")
    ((letter, raw),) = stage.letters.sent
    assert letter.recipients == ("helene@roux.example",)
    assert b"06 12 34 56 78" in raw
    assert (await stage.conversation()).status is Status.CLOSED


async def test_who_blocked_the_bot_and_has_no_address_is_a_request_that_waits(stage: Stage) -> None:
    marc = await supervisor(stage)
    people = [await joined(stage, marc, 701 + n, name) for n, name in enumerate(("Hélène", "Paul"))]
    lea = await stage.join("Léa")
    for each in people:
        each.user.block()
    await stage.quiet()
    await passed_on(lea)
    await lea.sees("appel #1", "pas d’adresse de mail", "attend de nouveau")
    await lea.sees("Appel de Mme Durand", "le message n’a pu être remis à personne", kind=Release)
    assert await lea.holds() == 1
    # One of them lets the bot in again: it is passed on from the card.
    people[1].user.unblock()
    card = await lea.sees("Appel de Mme Durand", kind=TellAccount)
    assert await lea.presses(card, TellAccount) == "Transmis à Dr Hélène Roux."
    await stage.quiet()
    await taken(people[1], "Mme Durand")
    assert (await stage.conversation()).status is Status.CLOSED
    assert await lea.holds() == 0


async def test_who_is_dismissed_while_it_is_on_its_way_reads_nothing_and_the_desk_is_told(stage: Stage) -> None:
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    lea = await stage.join("Léa")
    await passed_on(lea)
    await taken(helene, "Mme Durand")
    (principal,) = await stage.store.list(PRINCIPALS, True)
    conversation, account = await stage.conversation(), stage.desk.accounts[ROUX]
    message: Message = (await stage.store.list(MESSAGES_OF_CONVERSATION, conversation.id))[0]
    now = stage.desk.clock()
    again = await told_in_telegram(stage.store, account, conversation, message, lea.secretary, now, now)
    gone = msgspec.structs.replace(principal, accounts=(BERNARD,))
    await stage.store.commit(again + Changes(replacements=[gone]))
    await marc.sees("appel #1 n’a pas pu être remis à Hélène")
    assert sum("Message pour" in each for each in helene.screen) == 1


async def test_what_was_moved_meanwhile_goes_to_neither_account_by_itself(stage: Stage) -> None:
    told_by_mail(stage)
    told_by_mail(stage, BERNARD, "bernard@bernard.example")
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    await wants(helene, Way.TELEGRAM)
    lea = await stage.join("Léa")
    await passed_on(lea)
    conversation, account = await stage.conversation(), stage.desk.accounts[ROUX]
    message = (await stage.store.list(MESSAGES_OF_CONVERSATION, conversation.id))[0]
    now = stage.desk.clock()
    again = await told_in_telegram(stage.store, account, conversation, message, lea.secretary, now, now)
    moved = [msgspec.structs.replace(each, account_id=BERNARD) for each in (conversation, message)]
    await stage.store.commit(again + Changes(replacements=moved))
    await marc.sees("appel #1 n’a pas pu être remis à Hélène")
    assert stage.letters.sent == []
    assert sum("Message pour" in each for each in helene.screen) == 1


async def test_a_reply_to_it_comes_to_the_desk_with_what_it_is_about(stage: Stage) -> None:
    helene = await joined(stage, await supervisor(stage))
    lea = await stage.join("Léa")
    await passed_on(lea)
    helene.writes("Dites-lui jeudi", to=await helene.sees("Message pour", "Mme Durand"))
    await lea.sees("Dites-lui jeudi", "Mme Durand", kind=Release)


async def test_a_call_that_waits_is_told_once_where_two_press(stage: Stage) -> None:
    lea = await stage.join("Léa")
    lea.writes(f"/appel roux {WORDS}")
    await lea.presses(await lea.sees("Mme Durand", kind=PassOn), PassOn, "Garder")
    helene = await joined(stage, await supervisor(stage))
    lea.writes("/file")
    shown = await lea.sees("Appel de Mme Durand", kind=Release)
    tell = TellAccount(conversation=(await stage.conversation()).id)
    toasts = await asyncio.gather(*(lea.forges(shown, tell) for _ in range(2)))
    await stage.quiet()
    assert "Transmis à Dr Hélène Roux." in toasts
    assert sum("Message pour" in each for each in helene.screen) == 1


@pytest.mark.parametrize(
    ("address", "ways", "urgent", "expected"),
    [
        (True, (), False, (True, 0, 0)),
        (False, (), False, (False, 0, 0)),
        (True, (None,), False, (True, 0, 0)),
        (False, (None,), False, (False, 1, 0)),
        (False, (Way.MAIL,), False, (False, 1, 0)),
        (True, (Way.TELEGRAM,), False, (False, 1, 0)),
        (True, (Way.BOTH,), False, (True, 1, 0)),
        (True, (Way.URGENT,), False, (True, 0, 0)),
        (True, (Way.URGENT,), True, (False, 1, 0)),
        (False, (Way.URGENT,), False, (False, 0, 1)),
        (True, (Way.TELEGRAM, Way.MAIL), False, (True, 1, 0)),
    ],
)
def test_no_choice_leaves_a_message_without_a_way(
    address: bool, ways: tuple[Way | None, ...], urgent: bool, expected: tuple[bool, int, int]
) -> None:
    account = msgspec.structs.replace(an_account(), messages_to="helene@roux.example" if address else None)
    people = [make(Principal, way=way, accounts=(ROUX,), joined_at=NOW) for way in ways]
    found: Routes = routes(account, people, urgent=urgent)
    assert (found.mail, len(found.rings), len(found.quietly)) == expected
