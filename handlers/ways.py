"""How what is for somebody we work for comes to them, as they choose it. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

from aiogram.utils.formatting import Bold, Italic, Text

from handlers import callbacks
from handlers.legible import one_line
from handlers.views import Screen, Voice, screen_of
from inbox.digests import HOURS
from inbox.model import Account, Principal, Way
from inbox.passing import has_mail

ICONS = {Way.TELEGRAM: "💬", Way.MAIL: "✉️", Way.BOTH: "💬✉️", Way.URGENT: "🔴"}


def way_of(principal: Principal, accounts: Sequence[Account]) -> Way:
    """The way that counts: the one they chose, or what holds where they never did."""
    if principal.way is not None:
        return principal.way
    return Way.MAIL if any(has_mail(account) for account in accounts) else Way.TELEGRAM


def way_named(way: Way, voice: Voice) -> str:
    """A way as it is called."""
    return f"{ICONS[way]} {voice.say(f'way.{way}')}"


def ways_screen(principal: Principal, accounts: Sequence[Account], voice: Voice) -> Screen:
    """How their messages come, and the buttons that change it."""
    say, chosen = voice.say, way_of(principal, accounts)
    content: list[Text | str] = [Bold(f"📬 {say('ways.title')}"), "\n", say("ways.how")]
    without = [account.name for account in accounts if not has_mail(account)]
    reached = [f"{account.name} : {account.messages_to}" for account in accounts if has_mail(account)]
    content += ["\n\n", Bold(way_named(chosen, voice)), "\n", say(f"ways.{chosen}")]
    for line in reached:
        content += ["\n", f"✉️ {one_line(line, 120)}"]
    if without and chosen is not Way.TELEGRAM:
        content += ["\n", Italic(say("ways.no_mail", account=", ".join(without)))]
    hour = principal.digest_hour
    content += ["\n\n", Bold(f"🗞 {say('digest.wanted')}"), "\n"]
    content.append(
        say("digest.never") if hour is None else say("digest.daily", hour=voice.texts.hour(voice.language, time(hour)))
    )
    hours = [
        callbacks.button(f"{'✓ ' if each == hour else ''}{_hour(each, voice)}", callbacks.Digest(hour=each))
        for each in HOURS
    ]
    none = callbacks.button(f"{'✓ ' if hour is None else ''}{say('button.no_digest')}", callbacks.Digest(hour=-1))
    buttons = [
        callbacks.button(f"{'✓ ' if way is chosen else ''}{way_named(way, voice)}", callbacks.Ways(way=way))
        for way in Way
    ]
    return screen_of(Text(*content), [buttons[:2], buttons[2:], hours, [none]])


def _hour(hour: int, voice: Voice) -> str:
    return f"🗞 {voice.texts.hour(voice.language, time(hour))}"
