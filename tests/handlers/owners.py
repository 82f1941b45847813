"""Those an account belongs to, at their Telegram: how they join, and what a call taken for them is."""

from __future__ import annotations

import re

import msgspec

from handlers.callbacks import InvitePrincipal, PassOn, Principals, Ways
from inbox.model import Role, Way
from inbox.parts import AccountId
from tests.builders import ROUX
from tests.handlers.stage import Seat, Seen, Stage

WORDS = "Mme Durand, 06 12 34 56 78, rendez-vous à déplacer, rappeler demain 10 h"


async def supervisor(stage: Stage, serves: list[AccountId] | None = None) -> Seat:
    return await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False, serves=serves)


def told_by_mail(stage: Stage, account: AccountId = ROUX, address: str = "helene@roux.example") -> None:
    """Its telephone messages go to this address."""
    accounts = stage.desk.accounts
    assert isinstance(accounts, dict)
    accounts[account] = msgspec.structs.replace(accounts[account], messages_to=address)


async def joined(stage: Stage, marc: Seat, id: int = 701, name: str = "Hélène", account: str = "Hélène Roux") -> Seat:
    """Somebody whom a supervisor let in."""
    marc.writes("/titulaire")
    await marc.presses(await marc.sees("Titulaires : quel compte", kind=Principals), Principals, account)
    await marc.presses(await marc.sees("Titulaires", account, kind=InvitePrincipal), InvitePrincipal)
    found = re.search(r"\?start=(\S+)", (await marc.sees("Il sert une seule fois"))["text"])
    assert found is not None
    owner = stage.client(id, name)
    owner.user.start(found[1])
    await owner.sees("Vous voici relié", kind=Ways)
    await stage.quiet()
    return owner


async def wants(owner: Seat, way: Way) -> Seen:
    """They choose how messages come."""
    owner.writes("/moyens")
    await owner.forges(await owner.sees("Vos messages", kind=Ways), Ways(way=way))
    return await owner.sees("Vos messages", kind=Ways)


async def passed_on(lea: Seat, words: str = WORDS, account: str = "roux") -> str:
    """A call she takes and passes on; what the toast says."""
    lea.writes(f"/appel {account} {words}")
    slip = await lea.sees("Message téléphonique", words.partition(",")[0], kind=PassOn)
    toast = await lea.presses(slip, PassOn)
    await lea.stage.quiet()
    return toast
