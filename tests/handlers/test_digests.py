"""What a day brought, told once, at the hour those an account belongs to chose, by their way."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bot.locales import Catalogue
from channels.errors import OutcomeUnknown, TemporaryFailure
from handlers.callbacks import Digest, Dismiss, Principals, Release, Send
from handlers.digests import digest_due, digest_screen, keep_digesting
from handlers.views import Voice
from inbox.digests import Digest as Found
from inbox.digests import Entry, next_at
from inbox.model import DeliveryState, Status, Way
from inbox.notices import DigestNotice
from inbox.parts import AccountId
from inbox.store.base import Changes
from inbox.store.documents import DELIVERIES_DUE
from tests.builders import MAIL, NOW, an_account
from tests.handlers.owners import joined, passed_on, supervisor, told_by_mail, wants
from tests.handlers.stage import Clock, Monday, Seat, Stage


@pytest.fixture
def clock() -> Clock:
    return Monday()


async def asks(owner: Seat, hour: int) -> None:
    owner.writes("/moyens")
    await owner.forges(await owner.sees("Résumé du jour", kind=Digest), Digest(hour=hour))
    await owner.sees("Résumé du jour", kind=Digest)


def digests(owner: Seat) -> list[str]:
    return [each for each in owner.screen if each.startswith("🗞 Résumé du")]


async def at(stage: Stage, clock: Clock, hours: float) -> float | None:
    """So many hours after Monday at ten, whatever is due."""
    clock.ahead = timedelta(hours=hours)
    wait = await digest_due(stage.desk)
    await stage.quiet()
    return wait


async def answered(stage: Stage, lea: Seat, subject: str) -> None:
    await stage.mail(f"Question sur {subject}", subject=subject)
    lea.writes("Oui.", to=await lea.sees(f"Question sur {subject}", kind=Release))
    await lea.presses(await lea.sees("Aperçu", subject, "Oui.", kind=Send), Send)
    await stage.quiet()


async def test_it_tells_what_came_was_answered_and_waits_and_names_nobody_of_the_desk(
    stage: Stage, clock: Clock
) -> None:
    helene = await joined(stage, await supervisor(stage))
    lea = await stage.join("Léa")
    await asks(helene, 18)
    await answered(stage, lea, "Devis")
    await stage.mail("Puis-je venir ?", subject="Rendez-vous")
    await passed_on(lea)
    nora = stage.client()
    nora.user.start("bernard")
    nora.writes("Ma chaudière fuit")
    await stage.quiet()
    assert await digest_due(stage.desk) == pytest.approx(8 * 3600, abs=60)
    assert digests(helene) == []
    assert await at(stage, clock, 8) == pytest.approx(24 * 3600, abs=60)
    (text,) = digests(helene)
    assert text.splitlines()[:7] == [
        "🗞 Résumé du lundi 2 mars",
        "",
        "Dr Hélène Roux",
        "2 messages reçus",
        "1 réponse donnée en votre nom",
        "1 message téléphonique pris",
        "1 demande en attente",
    ]
    for words in ("Rendez-vous", "Devis", "Appel de Mme Durand", "Paul Martin"):
        assert words in text
    assert helene.sees_nothing_of("Léa", "chaudière", "Bernard")


async def test_it_comes_once_a_day_whoever_looks_and_only_when_there_is_something_to_say(
    stage: Stage, clock: Clock
) -> None:
    helene = await joined(stage, await supervisor(stage))
    lea = await stage.join("Léa")
    await asks(helene, 18)
    await passed_on(lea)
    clock.ahead = timedelta(hours=9)
    await asyncio.gather(*(digest_due(stage.desk) for _ in range(3)))
    await at(stage, clock, 9)
    assert len(digests(helene)) == 1
    # Tuesday brings nothing.
    await at(stage, clock, 33)
    assert len(digests(helene)) == 1
    await passed_on(lea, "M. Petit, 06 12 34 56 79, fuite")
    await at(stage, clock, 57)
    assert len(digests(helene)) == 2
    assert "Mme Durand" not in digests(helene)[1]
    assert "1 message téléphonique pris" in digests(helene)[1]


async def test_by_mail_it_is_a_letter_that_says_a_machine_wrote_it(stage: Stage, clock: Clock) -> None:
    told_by_mail(stage)
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    paul = await joined(stage, marc, 702, "Paul")
    lea = await stage.join("Léa")
    await asks(helene, 18)
    await asks(paul, 18)
    await wants(paul, Way.MAIL)
    await passed_on(lea)
    stage.letters.sent.clear()
    await at(stage, clock, 8)
    await at(stage, clock, 8)
    # Two who read one address are told there once.
    ((letter, raw),) = stage.letters.sent
    assert letter.recipients == ("helene@roux.example",)
    mail = message_from_bytes(raw, policy=policy.default)
    assert (mail["Subject"], mail["Auto-Submitted"]) == ("Résumé du lundi 2 mars", "auto-generated")
    body = mail.get_body(("plain",))
    assert body is not None
    assert "1 message téléphonique pris" in body.get_content()
    assert "Léa" not in raw.decode()
    assert digests(helene) == digests(paul) == []


async def test_a_letter_that_may_have_left_is_never_sent_again(stage: Stage, clock: Clock) -> None:
    told_by_mail(stage)
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    await asks(helene, 18)
    await stage.join("Léa")
    await stage.mail("Puis-je venir ?")
    await stage.quiet()
    stage.letters.failures.append(OutcomeUnknown(MAIL, "the line broke", reason="failure.broken"))
    await at(stage, clock, 8)
    for hours in (9, 10):
        await at(stage, clock, hours)
        stage.deliveries._look.set()
        await stage.quiet()
    assert stage.letters.sent == []
    assert not stage.letters.failures
    assert sum("peut-être pas arrivé à Hélène : il n’est pas renvoyé" in each for each in marc.screen) == 1


async def test_a_letter_whose_worker_died_is_told_to_the_supervisors(stage: Stage, clock: Clock) -> None:
    told_by_mail(stage)
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    await asks(helene, 18)
    await stage.join("Léa")
    await stage.mail("Puis-je venir ?")
    await stage.quiet()
    stage.letters.failures.append(TemporaryFailure(MAIL, "451", retry_after=timedelta(hours=1)))
    await at(stage, clock, 8)
    (waiting,) = [d for d in await stage.store.list(DELIVERIES_DUE) if isinstance(d.payload, DigestNotice)]
    # As it stands where a worker was killed while it handed it over.
    held = msgspec.structs.replace(
        waiting, state=DeliveryState.LEASED, due_at=None, leased_by="dead", lease_until_at=stage.desk.clock()
    )
    await stage.store.commit(Changes(replacements=[held]))
    stage.deliveries._look.set()
    await marc.sees("Le résumé du jour n’est peut-être pas arrivé à Hélène : il n’est pas renvoyé.")
    assert stage.letters.sent == []


@pytest.mark.parametrize(("accounts", "left"), [(2, ""), (7, ""), (10, ""), (14, "et 4 autres comptes")])
def test_however_much_there_is_it_is_one_message(accounts: int, left: str) -> None:
    voice = Voice(Catalogue(), "fr", "Europe/Paris", NOW)
    one = Entry(
        NOW, "Mme Marie-Christine Dupont 🏥", "Demande de rendez-vous pour un contrôle annuel et une ordonnance"
    )
    found = [
        Found(an_account(AccountId(f"compte{n}"), name=f"Cabinet du docteur {n}"), 9, 2, 4, 3, [one] * 9)
        for n in range(accounts)
    ]
    screen = digest_screen(found, DigestNotice(principal_id="p", since_at=NOW, until_at=NOW), voice)
    assert len(screen.text.encode("utf-16-le")) // 2 <= 4096
    assert all(f"Cabinet du docteur {n}" in screen.text for n in range(min(accounts, 10)))
    assert screen.text.endswith(left)
    # Whose requests are named no more, still has them counted.
    assert screen.text.count("autres demandes") == min(accounts, 10)


async def test_what_is_not_urgent_waits_for_it_where_there_is_no_address(stage: Stage, clock: Clock) -> None:
    helene = await joined(stage, await supervisor(stage))
    await wants(helene, Way.URGENT)
    await asks(helene, 18)
    lea = await stage.join("Léa")
    assert await passed_on(lea) == "Transmis à Dr Hélène Roux."
    await passed_on(lea, "M. Petit, 06 12 34 56 79, fuite, urgent")
    await helene.sees("Message pour", "M. Petit")
    assert helene.sees_nothing_of("Durand")
    assert await lea.holds() == 0
    clock.ahead = timedelta(hours=8)
    stage.deliveries._look.set()
    await helene.sees("Message pour", "Mme Durand", "06 12 34 56 78")
    await at(stage, clock, 8)
    (text,) = digests(helene)
    assert "2 messages téléphoniques pris" in text
    assert (await stage.conversation(1)).status is Status.CLOSED


async def test_off_by_default_and_off_again_it_never_comes(stage: Stage, clock: Clock) -> None:
    helene = await joined(stage, await supervisor(stage))
    lea = await stage.join("Léa")
    await passed_on(lea)
    assert await at(stage, clock, 30) is None
    helene.writes("/moyens")
    shown = await helene.sees("Vous n’en recevez pas", kind=Digest)
    assert await helene.presses(shown, Digest, "8 h") == "Votre résumé viendra chaque jour à 8 h."
    shown = await helene.sees("Chaque jour à 8 h", kind=Digest)
    assert await helene.presses(shown, Digest, "Pas de résumé") == "Vous ne recevrez plus de résumé."
    assert await helene.forges(shown, Digest(hour=3)) == "Introuvable, ou hors de vos comptes."
    await passed_on(lea, "M. Petit, 06 12 34 56 79, fuite")
    assert await at(stage, clock, 60) is None
    assert digests(helene) == []


async def test_who_cannot_be_reached_is_told_to_the_supervisors(stage: Stage, clock: Clock) -> None:
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    lea = await stage.join("Léa")
    await asks(helene, 18)
    await passed_on(lea)
    helene.user.block()
    await stage.quiet()
    await at(stage, clock, 8)
    await marc.sees("Le résumé du jour n’a pas pu être remis à Hélène")


async def test_who_is_dismissed_is_told_nothing(stage: Stage, clock: Clock) -> None:
    marc = await supervisor(stage)
    helene = await joined(stage, marc)
    lea = await stage.join("Léa")
    await asks(helene, 18)
    await passed_on(lea)
    marc.writes("/titulaire")
    await marc.presses(await marc.sees("Titulaires : quel compte", kind=Principals), Principals, "Roux")
    await marc.presses(await marc.sees("• Hélène", kind=Dismiss), Dismiss)
    await at(stage, clock, 8)
    assert digests(helene) == []


async def test_the_loop_sleeps_until_somebody_wants_one(stage: Stage, clock: Clock) -> None:
    helene = await joined(stage, await supervisor(stage))
    lea = await stage.join("Léa")
    await passed_on(lea)
    loop = asyncio.create_task(keep_digesting(stage.desk))
    try:
        clock.ahead = timedelta(hours=8) - timedelta(seconds=2) - (clock() - NOW)
        await asks(helene, 18)
        await lea.stage.mail("Puis-je venir ?")
        await helene.sees("Résumé du lundi 2 mars", "1 message reçu")
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


@pytest.mark.parametrize("hour", [8, 20])
def test_it_is_the_same_hour_on_days_that_are_longer_or_shorter(hour: int) -> None:
    paris = ZoneInfo("Europe/Paris")
    for first in (date(2026, 3, 27), date(2026, 10, 23)):
        now = datetime(first.year, first.month, first.day, tzinfo=UTC)
        seen = []
        for _ in range(5):
            now = next_at(hour, "Europe/Paris", now)
            seen.append(now.astimezone(paris))
        assert [each.date() for each in seen] == [first + timedelta(days=n) for n in range(5)]
        assert {each.hour for each in seen} == {hour}
