"""The catalogue: every sentence people read, in French and English, complete in both."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from importlib import resources
from io import BytesIO
from typing import Final
from zoneinfo import ZoneInfo

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations

LANGUAGES: Final = ("fr", "en")


class Catalogue:
    """Says a sentence by its key. Keys are names, so that a sentence can be bettered without touching the code."""

    def __init__(self) -> None:
        self._translations = {language: _load(language) for language in LANGUAGES}

    def say(self, language: str, key: str, **args: str) -> str:
        """The sentence in this language (French for one we do not speak), its arguments filled in.

        A `count` among them chooses the plural. A key without a sentence is
        said as it is: a strange word on a screen is better than no screen.
        """
        translations = self._translations.get(language) or self._translations[LANGUAGES[0]]
        count = args.get("count", "")
        number = int(count) if count.isdigit() else 1
        sentence = translations.ungettext(key, key, number)
        if sentence == key:  # it has no plural, and gettext keeps those apart
            sentence = translations.ugettext(key)
        return sentence.format_map(_Given(args))

    def when(self, language: str, time_zone: str, instant: datetime, now: datetime) -> str:
        """The hour for today, day and hour for this year, the whole date otherwise."""
        zone = ZoneInfo(time_zone)
        local, today = instant.astimezone(zone), now.astimezone(zone)
        hour = format_time(local, "HH:mm", locale=language)
        if local.date() == today.date():
            return hour
        skeleton = "d MMM" if local.year == today.year else "d MMM y"
        return f"{format_date(local, skeleton, locale=language)} {hour}"

    def day(self, language: str, day: date) -> str:
        """A day in words, the week's and the year's."""
        return format_date(day, "full", locale=language)

    def tongue(self, language: str, tongue: str) -> str:
        """What a language (ISO 639) is called in another; its code where that is not known."""
        try:
            return Locale.parse(tongue).get_display_name(language) or tongue
        except (UnknownLocaleError, ValueError):
            return tongue

    def weekday(self, language: str, day: date) -> str:
        """A day of the coming year in words: the week's, and the month's."""
        said = format_date(day, "EEEE d MMMM", locale=language)
        return re.sub(r"\b1 ", "1er ", said) if language == "fr" else said

    def hour(self, language: str, at: time) -> str:
        """A time of the day as people write it."""
        if language != "fr":
            return format_time(at, "H:mm", locale=language)
        return f"{at.hour} h {at.minute:02}" if at.minute else f"{at.hour} h"

    def day_of_week(self, language: str, number: int) -> str:
        """The short name of a day of the week, Monday being 0."""
        return format_date(date(2024, 1, 1 + number), "EEE", locale=language)

    def size(self, language: str, octets: int) -> str:
        """A file's size, as people say it."""
        units = ("o", "ko", "Mo") if language == "fr" else ("B", "kB", "MB")
        value, unit = float(octets), 0
        while value >= 1000 and unit < len(units) - 1:
            value, unit = value / 1000, unit + 1
        return f"{format_decimal(round(value, 1 if 0 < value < 10 and unit else 0), locale=language)} {units[unit]}"


class _Given(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def _load(language: str) -> Translations:
    source = resources.files(__name__).joinpath(f"{language}.po").read_bytes()
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(source), locale=language))
    compiled.seek(0)
    return Translations(fp=compiled)
