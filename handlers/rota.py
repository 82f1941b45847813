"""Who is on call, and what they are called for, as it is shown. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aiogram.utils.formatting import BlockQuote, Bold, Italic, Text

from handlers import callbacks
from handlers.legible import legible, one_line, person, shortened
from handlers.views import Screen, screen_of
from inbox.model import Account, Alarm, AlarmEnd, Conversation, OnCall, Principal
from inbox.parts import Button

if TYPE_CHECKING:
    from handlers.instructed import Place
    from handlers.views import Voice

ON_A_PAGE = 10
LONGEST_WORDS = 2000
"""Units of what somebody is called for."""


def days_of(on_call: OnCall, account: Account, voice: Voice) -> str:
    """Its days, in words, by the account's clock."""
    if on_call.begins_at is None or on_call.ends_at is None:
        return ""
    zone, day = ZoneInfo(account.time_zone), voice.texts.day
    first = on_call.begins_at.astimezone(zone).date()
    last = (on_call.ends_at.astimezone(zone) - timedelta(seconds=1)).date()
    if first == last:
        return day(voice.language, first)
    return voice.say("period.range", first=day(voice.language, first), last=day(voice.language, last))


def rota_screen(
    rota: Sequence[OnCall],
    principals: Sequence[Principal],
    account: Account,
    place: Place,
    viewer_id: str,
    page: int,
    voice: Voice,
) -> Screen:
    """Who is on call and will be; one press each to change it, and to put oneself, or somebody, on the list."""
    say = voice.say
    content: list[Text | str] = [Bold(f"📟 {say('rota.title', account=account.name)}"), "\n", Italic(say("rota.how"))]
    if not rota:
        content += ["\n\n", say("rota.none")]
    start = page * ON_A_PAGE
    rows: list[list[Button]] = []
    for number, each in enumerate(rota[start : start + ON_A_PAGE], start + 1):
        now = each.begins_at is not None and each.begins_at <= voice.now
        mark = "🟢" if now else "🗓"
        content += ["\n\n" if number == start + 1 else "\n", f"{number}. {mark} {person(each.name, 60)} — "]
        content.append(days_of(each, account, voice))
        shown = callbacks.SetOnCall(on_call=each.id, act="show", seen=each.version)
        rows.append([callbacks.button(f"{number}. {person(each.name, 40)}", shown)])
    turns = [callbacks.button("◀", _list(place, page - 1))] if page > 0 else []
    turns += [callbacks.button("▶", _list(place, page + 1))] if len(rota) > start + ON_A_PAGE else []
    rows.append(turns)
    me = [each for each in principals if each.id == viewer_id]
    for who in me or principals[:20]:
        label = say("button.on_call_me") if me else say("button.on_call_other", name=person(who.name, 30))
        new = callbacks.NewOnCall(position=place.position, check=place.check, principal="" if me else who.id)
        rows.append([callbacks.button(label, new)])
    if not principals:
        content += ["\n", say("rota.nobody")]
    return screen_of(Text(*content), rows)


def _list(place: Place, page: int) -> callbacks.Rota:
    return callbacks.Rota(position=place.position, check=place.check, page=page)


def on_call_screen(on_call: OnCall, account: Account, place: Place | None, voice: Voice) -> Screen:
    """Some days: read back before they hold, or with what can be done to them."""
    say = voice.say
    content: list[Text | str] = [Bold(f"📟 {say('rota.title', account=account.name)}"), "\n\n"]
    content += [f"{person(on_call.name, 60)} : {days_of(on_call, account, voice)}", "\n"]
    back = [[callbacks.button(f"◀ {say('button.back')}", _list(place, 0))]] if place is not None else []
    if on_call.lifted_at is not None:
        return screen_of(Text(*content, "\n", say("on_call.lifted")), back)
    if on_call.confirmed_at is not None:
        if on_call.ends_at is not None and on_call.ends_at <= voice.now:
            return screen_of(Text(*content, "\n", say("on_call.over")), back)
        content += ["\n", say("on_call.holds", name=on_call.giver_name)]
        return screen_of(Text(*content), [[callbacks.button(say("button.off_call"), _set(on_call, "lift"))], *back])
    content += ["\n", Bold(say("instruction.right")), "\n", Italic(say("instruction.how"))]
    yes = callbacks.button(say("button.confirm_instruction"), _set(on_call, "ok"))
    return screen_of(Text(*content), [[yes], [callbacks.button(say("button.discard"), _set(on_call, "lift"))]])


def _set(on_call: OnCall, act: str) -> callbacks.SetOnCall:
    return callbacks.SetOnCall(on_call=on_call.id, act=act, seen=on_call.version)


def alarm_screen(
    alarm: Alarm, conversation: Conversation, account: Account, contact: str, words: str, voice: Voice
) -> Screen:
    """What somebody on call is called for; with one button while nobody has seen it. Nobody of the desk is named."""
    say = voice.say
    content: list[Text | str] = [Bold(f"📟 {say('alarm.title', account=account.name)}"), "\n"]
    content.append(f"👤 {person(contact, 60) or '?'} · {one_line(conversation.subject, 120)}\n")
    content.append(BlockQuote(shortened(legible(words), LONGEST_WORDS) or "…"))
    if alarm.seen_at is not None:
        content += ["\n", Bold(f"👁 {say('alarm.seen', name=alarm.seen_name, when=voice.when(alarm.seen_at))}")]
    elif alarm.ended is not None and alarm.ended is not AlarmEnd.NOBODY:
        content += ["\n", say("alarm.over")]
    else:
        content += ["\n", Italic(say("alarm.how"))]
        pressed = callbacks.AlarmSeen(conversation=conversation.id)
        return screen_of(Text(*content), [[callbacks.button(say("button.alarm_seen"), pressed)]])
    return screen_of(Text(*content))


def alarm_line(alarm: Alarm, last: str, voice: Voice) -> str:
    """What a card says of it.

    Args:
        last: the name of whoever was called last.
    """
    say = voice.say
    if alarm.seen_at is not None:
        return f"👁 {say('alarm.seen', name=alarm.seen_name, when=voice.when(alarm.seen_at))}"
    if alarm.ended is AlarmEnd.NOBODY:
        return f"📟 {say('alarm.nobody', count=str(alarm.calls))}"
    if alarm.due_at is not None:
        return f"📟 {say('alarm.calling', name=last, count=str(alarm.calls))}"
    return ""
