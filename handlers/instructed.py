"""What an account wants, and who speaks for it, as it is shown. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiogram.filters.callback_data import CallbackData
from aiogram.utils.formatting import Bold, Italic, Text

from handlers import callbacks
from handlers.legible import legible, one_line, person, shortened
from handlers.standing import ICONS, period
from handlers.views import Screen, Voice, screen_of
from handlers.ways import way_named, way_of
from inbox.model import Account, Instruction, InstructionKind, Principal
from inbox.parts import Button

ON_A_PAGE = 8


def which_account(accounts: Sequence[Account], title: str, kind: type[CallbackData], page: int) -> Screen:
    """Which account; each leads on by a button of that kind."""
    start, said = page * ON_A_PAGE, callbacks.check([account.id for account in accounts])
    rows = [
        [callbacks.button(one_line(account.name, 50), kind(position=start + i, check=said, page=0))]
        for i, account in enumerate(accounts[start : start + ON_A_PAGE])
    ]
    turns = [callbacks.button("◀", kind(position=-1, check="", page=page - 1))] if page > 0 else []
    more = start + ON_A_PAGE < len(accounts)
    turns += [callbacks.button("▶", kind(position=-1, check="", page=page + 1))] if more else []
    return screen_of(Text(Bold(title)), [*rows, turns])


@dataclass(frozen=True, slots=True)
class Place:
    """Where an account stands in the list of those somebody speaks for; None: they only read."""

    position: int
    check: str


def instructions_screen(
    standing: Sequence[Instruction], account: Account, place: Place | None, page: int, voice: Voice
) -> Screen:
    """What an account wants, in force and to come; one press each for who may lift them."""
    say = voice.say
    content: list[Text | str] = [Bold(f"📋 {say('instructions.title', account=account.name)}")]
    if not standing:
        content += ["\n", say("instructions.none")]
    start = page * ON_A_PAGE
    rows: list[list[Button]] = []
    for number, each in enumerate(standing[start : start + ON_A_PAGE], start + 1):
        words = shortened(legible(each.text), 300)
        content += ["\n\n", f"{number}. {ICONS[each.kind]} {words}", "\n"]
        content.append(Italic(f"{period(each, account, voice)} — {person(each.giver_name, 60)}"))
        if place is not None:
            shown = callbacks.Instruct(instruction=each.id, act="show", seen=each.version)
            rows.append([callbacks.button(f"{number}. {one_line(each.text, 40)}", shown)])
    if place is not None:
        turns = [callbacks.button("◀", _list(place, page - 1))] if page > 0 else []
        turns += [callbacks.button("▶", _list(place, page + 1))] if len(standing) > start + ON_A_PAGE else []
        new = callbacks.NewInstruction(position=place.position, check=place.check)
        rows += [turns, [callbacks.button(say("button.new_instruction"), new)]]
    return screen_of(Text(*content), rows)


def instruction_screen(instruction: Instruction, account: Account, place: Place | None, voice: Voice) -> Screen:
    """One instruction: read back before it holds, or with what can be done to it."""
    say = voice.say
    head = Bold(f"📋 {say('instructions.title', account=account.name)}")
    said = f"{ICONS[instruction.kind]} {period(instruction, account, voice)} : {legible(instruction.text)}"
    content: list[Text | str] = [head, "\n\n", said, "\n"]
    back = [[callbacks.button(f"◀ {say('button.back')}", _list(place, 0))]] if place is not None else []
    lift = callbacks.button(say("button.lift_instruction"), _act(instruction, "lift"))
    if instruction.lifted_at is not None:
        return screen_of(Text(*content, "\n", say("instruction.lifted")), back)
    if instruction.confirmed_at is not None:
        over = instruction.standing is None
        content += ["\n", say("instruction.over" if over else "instruction.holds", name=instruction.giver_name)]
        return screen_of(Text(*content), [*([] if over else [[lift]]), *back])
    kinds = [
        callbacks.button(
            f"{'✓ ' if kind is instruction.kind else ''}{ICONS[kind]} {say(f'kind.{kind}')}", _act(instruction, kind)
        )
        for kind in InstructionKind
    ]
    content += ["\n", Bold(say("instruction.right")), "\n", Italic(say("instruction.how"))]
    drop = callbacks.button(say("button.discard"), _act(instruction, "lift"))
    return screen_of(
        Text(*content),
        [[callbacks.button(say("button.confirm_instruction"), _act(instruction, "ok"))], kinds[:2], kinds[2:], [drop]],
    )


def principals_screen(
    principals: Sequence[Principal], account: Account, place: Place, link: str, until: str, voice: Voice
) -> Screen:
    """Who speaks for an account; and the link that lets somebody, where one was just made."""
    say = voice.say
    content: list[Text | str] = [Bold(f"👔 {say('principals.title', account=account.name)}")]
    rows = []
    for each in principals[:20]:
        content += ["\n", f"• {person(each.name, 60)} — {way_named(way_of(each, [account]), voice)}"]
        gone = callbacks.Dismiss(principal=each.id, position=place.position, check=place.check)
        rows.append([callbacks.button(say("button.dismiss", name=person(each.name, 30)), gone)])
    if not principals:
        content += ["\n", say("principals.none")]
    if link:
        content += ["\n\n", say("principals.link", until=until), "\n", link]
    new = callbacks.InvitePrincipal(position=place.position, check=place.check)
    return screen_of(Text(*content), [*rows, [callbacks.button(say("button.invite_principal"), new)]])


def _list(place: Place, page: int) -> callbacks.Instructions:
    return callbacks.Instructions(position=place.position, check=place.check, page=page)


def _act(instruction: Instruction, act: str) -> callbacks.Instruct:
    return callbacks.Instruct(instruction=instruction.id, act=act, seen=instruction.version)
