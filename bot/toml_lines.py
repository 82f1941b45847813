"""On which line of a TOML text each key stands, so that a mistake can be pointed at."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

Place = tuple[str | int, ...]
"""Where a value is in the parsed text: table names, keys, positions in arrays."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
# TOML 1.0, "String": the longer quotes first
_STRING = re.compile(r'"""[\s\S]*?(?<!\\)(?:\\\\)*"{3,5}|' r"'''[\s\S]*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'")
_PLAIN = re.compile(r"[^,\]}\r\n#]*")


def line_index(text: str) -> Mapping[Place, int]:
    """The line, from 1, of every key and table of a text that `tomllib` has accepted."""
    return _Scan(text).run()


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Place, int] = {}
        self.lengths: dict[Place, int] = {}
        """How many tables of an array of tables have begun."""

    def run(self) -> dict[Place, int]:
        table: Place = ()
        while self._skip_blank() < len(self.text):
            if self.text.startswith("[[", self.at):
                self.at += 2
                table = self._begin_array_table()
                self.at += 2
            elif self.text[self.at] == "[":
                self.at += 1
                begin = self.at
                table = self._resolve(self._key())
                self._note(table, begin)
                self._skip_blank()
                self.at += 1
            else:
                self._pair(table)
        return self.lines

    def _begin_array_table(self) -> Place:
        begin = self.at
        key = self._key()
        array = (*self._resolve(key[:-1]), key[-1])
        self._note(array, begin)
        position = self.lengths.get(array, 0)
        self.lengths[array] = position + 1
        self._note((*array, position), begin)
        self._skip_blank()
        return (*array, position)

    def _resolve(self, key: Place) -> Place:
        """The key's place, inside the newest table of every array of tables on its way."""
        place: Place = ()
        for name in key:
            place = (*place, name)
            if place in self.lengths:
                place = (*place, self.lengths[place] - 1)
        return place

    def _pair(self, inside: Place) -> None:
        begin = self.at
        place = (*inside, *self._key())
        self._note(place, begin)
        self._skip_blank()
        self.at += 1  # the equals sign
        self._skip_blank()
        self._value(place)

    def _value(self, place: Place) -> None:
        opening = self.text[self.at]
        if opening == "{":
            self.at += 1
            while self._skip_to_item("}"):
                self._pair(place)
        elif opening == "[":
            self.at += 1
            position = 0
            while self._skip_to_item("]"):
                self._note((*place, position), self.at)
                self._value((*place, position))
                position += 1
        elif string := _STRING.match(self.text, self.at):
            self.at = string.end()
        elif plain := _PLAIN.match(self.text, self.at):
            self.at = plain.end()

    def _skip_to_item(self, closing: str) -> bool:
        """Whether another item follows; behind the closing bracket when none does."""
        while self._skip_blank() < len(self.text) and self.text[self.at] == ",":
            self.at += 1
        if self.at < len(self.text) and self.text[self.at] != closing:
            return True
        self.at += 1
        return False

    def _key(self) -> Place:
        names: list[str] = []
        while True:
            self._skip_blank()
            if string := _STRING.match(self.text, self.at):
                names.append(str(tomllib.loads(f"it = {string[0]}")["it"]))
                self.at = string.end()
            elif name := _NAME.match(self.text, self.at):
                names.append(name[0])
                self.at = name.end()
            else:
                # not TOML: rather no further line than never an end
                self.at = len(self.text)
            self._skip_blank()
            if not self.text.startswith(".", self.at):
                return tuple(names)
            self.at += 1

    def _skip_blank(self) -> int:
        if blank := _BLANK.match(self.text, self.at):
            self.at = blank.end()
        return self.at

    def _note(self, place: Place, at: int) -> None:
        line = self.text.count("\n", 0, at) + 1
        for length in range(1, len(place) + 1):
            self.lines.setdefault(place[:length], line)
