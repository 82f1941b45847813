"""What an account wants said or done: given in a sentence, shown back, in force once confirmed, gone when over."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from inbox.assignment import is_supervisor, require_serves
from inbox.errors import InvalidTransition, NotAllowed, NotFound
from inbox.model import Instruction, InstructionKind, Principal, Secretary, Status
from inbox.notes import plain
from inbox.outbox import card_for
from inbox.parts import AccountId, new_id
from inbox.periods import read_period
from inbox.principals import require_principal
from inbox.store.base import Changes, Store
from inbox.store.documents import CONVERSATIONS_OF_ACCOUNT, INSTRUCTIONS_STANDING

Giver = Secretary | Principal
"""Who gives instructions: a principal for their own accounts, a supervisor for those she serves."""

LONGEST_TEXT = 300
MOST_STANDING = 30
ANNOUNCED = timedelta(days=3)
"""For how long before it begins an instruction stands on the cards as one that comes."""
_MOST_CARDS = 100
"""Open conversations of an account whose cards are brought up to date at once."""

_WARNING = re.compile(r"\b(?:jamais|attention|urgent|ne pas|surtout|never|do not|don't|warning|careful)\b")
_ABSENCE = re.compile(
    r"\b(?:conges?|absente?s?|absence|vacances|ferme|fermee?|fermeture|pas de rendez-vous|pas de rdv|indisponible"
    r"|holidays?|vacation|absent|away|closed|off|no appointments?|out of office)\b"
)
_SAY = re.compile(r"^(?:dites|dire|repondez|repondre|annoncez|annoncer|say|tell|answer)\b")


def require_may_instruct(giver: Giver, account_id: AccountId) -> None:
    """Hold that somebody may speak for an account.

    Raises:
        NotAllowed: a secretary who does not answer for all.
        NotFound: an account that is not theirs.
    """
    if isinstance(giver, Principal):
        require_principal(giver, account_id)
        return
    if not is_supervisor(giver):
        raise NotAllowed
    require_serves(giver, account_id)


async def get_given(store: Store, instruction_id: str, giver: Giver) -> Instruction:
    """An instruction they may read and change: one of the account's, or one they are about to give.

    Raises:
        NotFound: there is none, or it is another account's, or still somebody else's to confirm.
        NotAllowed: a secretary who does not answer for all.
    """
    instruction = await store.get(Instruction, instruction_id)
    require_may_instruct(giver, instruction.account_id)
    if instruction.confirmed_at is None and instruction.given_by != giver.id:
        raise NotFound
    return instruction


def begun(account_id: AccountId, giver: Giver, now: datetime) -> Instruction:
    """An instruction whose words are still to come."""
    require_may_instruct(giver, account_id)
    return Instruction(id=new_id(), account_id=account_id, given_by=giver.id, giver_name=giver.name, created_at=now)


def worded(instruction: Instruction, words: str, time_zone: str, now: datetime) -> Instruction:
    """The instruction with these words, and with the days they speak of by the account's clock.

    Raises:
        InvalidTransition: it is in force already; or the words are too long, or their days unclear or past.
    """
    require_unconfirmed(instruction)
    text = " ".join(words.split())
    if not text or len(text) > LONGEST_TEXT:
        raise InvalidTransition("error.instruction_long", count=str(LONGEST_TEXT))
    zone = ZoneInfo(time_zone)
    period = read_period(text, now.astimezone(zone).date())
    return msgspec.structs.replace(
        instruction,
        text=text,
        kind=_kind(text),
        begins_at=midnight(period.first, zone) if period.first is not None else None,
        ends_at=midnight(period.last + timedelta(days=1), zone) if period.last is not None else None,
    )


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins by an account's clock."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _kind(text: str) -> InstructionKind:
    said = plain(text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    if _WARNING.search(said):
        return InstructionKind.WARNING
    if _ABSENCE.search(said):
        return InstructionKind.ABSENCE
    return InstructionKind.SAY if _SAY.search(said) else InstructionKind.DO


def require_unconfirmed(instruction: Instruction) -> None:
    """Hold that it is not in force yet: what the cards say is not changed under those who read it.

    Raises:
        InvalidTransition: it is, or was, or was thrown away.
    """
    if instruction.lifted_at is not None:
        raise InvalidTransition("error.instruction_lifted")
    if instruction.confirmed_at is not None:
        raise InvalidTransition("error.instruction_given")


def of_kind(instruction: Instruction, kind: InstructionKind) -> Instruction:
    """The instruction as another kind of one than its words seemed to be."""
    require_unconfirmed(instruction)
    return msgspec.structs.replace(instruction, kind=kind)


def confirmed(instruction: Instruction, seen: int, now: datetime) -> Instruction:
    """The instruction in force, as it was read back. Confirmed twice, the first time stands.

    Raises:
        InvalidTransition: it was lifted, its days are over, or it is not as it was shown, at version `seen`.
    """
    if instruction.lifted_at is not None:
        raise InvalidTransition("error.instruction_lifted")
    if instruction.confirmed_at is not None:
        return instruction
    if instruction.version != seen or not instruction.text:
        raise InvalidTransition("error.list_changed")
    if instruction.ends_at is not None and instruction.ends_at <= now:
        raise InvalidTransition("error.days_past")
    in_force = msgspec.structs.replace(instruction, confirmed_at=now, standing=instruction.account_id)
    return msgspec.structs.replace(in_force, turns_at=_next_turn(in_force, now))


def lifted(instruction: Instruction, now: datetime) -> Instruction:
    """The instruction, in force no more; lifted twice, the first time stands."""
    return msgspec.structs.replace(instruction, lifted_at=instruction.lifted_at or now, standing=None, turns_at=None)


def turned(instruction: Instruction, now: datetime) -> Instruction:
    """The instruction after one of its moments (announced, begun, over) has passed."""
    over = instruction.ends_at is not None and instruction.ends_at <= now
    return msgspec.structs.replace(
        instruction,
        standing=None if over else instruction.standing,
        turns_at=None if over else _next_turn(instruction, now),
    )


def _next_turn(instruction: Instruction, now: datetime) -> datetime | None:
    """When cards next show something else of it."""
    begins = [] if instruction.begins_at is None else [instruction.begins_at - ANNOUNCED, instruction.begins_at]
    moments = [*begins, *([] if instruction.ends_at is None else [instruction.ends_at])]
    return min((each for each in moments if each > now), default=None)


def holds(instruction: Instruction, now: datetime) -> bool:
    """Whether it is in force at this moment."""
    begun_by = instruction.begins_at is None or instruction.begins_at <= now
    return begun_by and not _is_over(instruction, now)


def _is_over(instruction: Instruction, now: datetime) -> bool:
    return instruction.ends_at is not None and instruction.ends_at <= now


def on_cards(standing: Iterable[Instruction], now: datetime) -> list[Instruction]:
    """Those that hold or are about to: warnings first, then absences, then the rest."""
    shown = [
        each
        for each in standing
        if not _is_over(each, now) and (each.begins_at is None or each.begins_at - ANNOUNCED <= now)
    ]
    return sorted(shown, key=lambda each: (_RANK[each.kind], not holds(each, now), each.id))


_RANK = {
    InstructionKind.WARNING: 0,
    InstructionKind.ABSENCE: 1,
    InstructionKind.DO: 2,
    InstructionKind.SAY: 3,
}


async def list_standing(store: Store, account_id: AccountId) -> list[Instruction]:
    """What an account wants, in force or to come, the oldest first."""
    return await store.list(INSTRUCTIONS_STANDING, account_id, limit=MOST_STANDING)


async def cards_of(store: Store, account_id: AccountId, now: datetime) -> Changes:
    """The open cards of an account brought up to date; none of them rings."""
    changes = Changes()
    held = await store.list(CONVERSATIONS_OF_ACCOUNT, account_id, Status.OPEN, descending=True, limit=_MOST_CARDS)
    holders = await store.find_many(Secretary, {c.assignee_id for c in held if c.assignee_id is not None})
    for conversation in held:
        holder = holders.get(conversation.assignee_id) if conversation.assignee_id is not None else None
        if holder is not None:
            changes += Changes(inserts=[card_for(holder, conversation, now, fresh=False)])
    return changes
