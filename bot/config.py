"""Reading the settings: from the config file and the environment, with every mistake in them at once."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import PydanticBaseSettingsSource

from bot.references import find_mistakes
from bot.settings import Origin, Problem, Settings, StoreSettings, Wrong, dotted, password_in, who_else_may
from bot.toml_lines import Place, line_index

__all__ = ["CONFIG_VARIABLE", "ConfigError", "Environment", "Problem", "Settings", "load"]

ENV_PREFIX = "PERMANENCE_"
ENV_DELIMITER = "__"
CONFIG_VARIABLE = "PERMANENCE_CONFIG"
"""Names the config file; the command line reads it."""


class ConfigError(Exception):
    """The settings cannot be used; `problems` names every mistake, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a config file, with what the environment says over it.

    Paths in the file are relative to the file. Secrets are read from the
    files that are named for them.

    Raises:
        ConfigError: with every mistake in the file and the environment.
    """
    return _Loading(path, os.environ if environ is None else environ).settings()


class Environment(PydanticBaseSettingsSource):
    """`PERMANENCE_MAILBOXES__CABINET__IMAP__PASSWORD` and its like, as they would stand in the file.

    pydantic-settings' own source reads a password of digits as a number and
    cannot name a table with a hyphen in it; here text stays text unless the
    setting is a list or table (then it is JSON), and an underscore finds the
    declared name with a hyphen.
    """

    def __init__(self, environ: Mapping[str, str], declared: Mapping[str, Any]) -> None:
        super().__init__(Settings)
        self._environ = environ
        self._declared = declared
        self.variables: dict[Place, str] = {}
        self.not_json: list[Place] = []
        self.unknown: list[str] = []

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: variables are found by prefix, not by field."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for variable, value in sorted(self._environ.items()):
            name = variable.upper()
            # an empty variable is how compose files and units spell "not set"
            if not name.startswith(ENV_PREFIX) or name == CONFIG_VARIABLE or not value:
                continue
            place = self._place(name.removeprefix(ENV_PREFIX).lower().split(ENV_DELIMITER))
            if place is None:
                self.unknown.append(variable)
                continue
            self.variables[place] = variable
            into: Any = said
            for key in place[:-1]:
                into = into.setdefault(key, {})
                if not isinstance(into, dict):
                    break
            if isinstance(into, dict):
                into[place[-1]] = self._read(place, value)
        return said

    def _place(self, keys: list[str]) -> Place | None:
        if keys[0] not in Settings.model_fields or "" in keys:
            return None
        place: Place = ()
        here: Any = self._declared
        for key in keys:
            names = here if isinstance(here, dict) else {}
            found = next((name for name in names if name.lower().replace("-", "_") == key), key)
            place = (*place, found)
            here = names.get(found)
        return place

    def _read(self, place: Place, value: str) -> Any:
        kind = _kind_at(place)
        if kind is None or not _holds_more(kind):
            return value
        try:
            return json.loads(value)
        except ValueError:
            self.not_json.append(place)
            return None


def _kind_at(place: Place) -> Any:
    """The annotation of the setting at a place, or None where there is no such setting."""
    kind: Any = Settings
    for name in place:
        kind = _bare(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if name not in kind.model_fields:
                return None
            kind = kind.model_fields[str(name)].annotation
        elif typing.get_origin(kind) is dict:
            kind = typing.get_args(kind)[1]
        elif typing.get_origin(kind) is tuple:
            kind = typing.get_args(kind)[0]
        else:
            return None
    return _bare(kind)


def _bare(kind: Any) -> Any:
    """A type without `Annotated` and `| None`."""
    while True:
        if typing.get_origin(kind) is Annotated:
            kind = typing.get_args(kind)[0]
        elif isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
            kind = next(arm for arm in typing.get_args(kind) if arm is not type(None))
        else:
            return kind


def _holds_more(kind: Any) -> bool:
    return typing.get_origin(kind) in (dict, tuple) or (isinstance(kind, type) and issubclass(kind, BaseModel))


class _Loading:
    """One reading of a config file; gathers the mistakes of every step."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self.directory = path.absolute().parent
        self.environ = environ
        self.origin = Origin(file=path)
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.unread: set[Place] = set()
        """What could not be read, so that its absence is not a mistake of its own."""

    def settings(self) -> Settings:
        text = self._text()
        declared = self._parsed(text)
        environment = Environment(self.environ, declared)
        said = environment()
        self.origin = Origin(self.path, line_index(text), environment.variables)
        for place in environment.not_json:
            self.unread.add(place)
            self._mistake(place, "is not JSON", "Lists and tables are written as JSON in an environment variable")
        for variable in environment.unknown:
            self.warnings.append(
                Problem(variable, None, "", "names no setting and is ignored", _nearest_setting(variable))
            )
        secrets_in_file = any(self._is_secret(place) for place in self.origin.lines) or _holds_a_password(declared)
        values = _over(declared, said)
        self._resolve(values)
        settings = self._validated(values)
        self.problems += find_mistakes(values, self.origin)
        if self.problems or settings is None:
            raise ConfigError(sorted(dict.fromkeys(self.problems), key=_in_order))
        if secrets_in_file and (who := who_else_may(self.path)):
            says, remedy = f"holds secrets and {who} it", f"chmod 600 {self.path}"
            self.warnings.insert(0, Problem(str(self.path), None, "", says, remedy))
        settings._origin = self.origin
        settings._warnings = tuple(self.warnings)
        return settings

    def _text(self) -> str:
        try:
            return self.path.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            says, remedy = (
                "there is no such file",
                "Copy config.example.toml there and fill it in, or name another with --config",
            )
        except UnicodeDecodeError as error:
            says, remedy = f"is not UTF-8 text (byte {error.start})", "Save the file as UTF-8"
        except OSError as error:
            says, remedy = f"cannot be read: {error.strerror}", "Let the user who runs permanence read it"
        raise ConfigError([Problem(str(self.path), None, "", says, remedy)])

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            says, _, where = str(error).partition(" (at ")
            line = re.match(r"line (\d+)", where)
            at = int(line[1]) if line else text.count("\n") + 1
        problem = Problem(
            str(self.path),
            at,
            "",
            f"is not TOML: {says}",
            "See https://toml.io for how it is written; text stands between quotes",
        )
        raise ConfigError([problem])

    def _mistake(self, place: Place, says: str, remedy: str) -> None:
        self.problems.append(self.origin.problem(place, says, remedy))

    @staticmethod
    def _is_secret(place: Place) -> bool:
        return _kind_at(place) is SecretStr

    def _resolve(self, values: dict[str, Any]) -> None:
        """Make every path absolute, and put every secret kept in a file where it belongs."""
        store = values.get("store")
        url = store.get("url", "") if isinstance(store, dict) else ""
        if not url and isinstance(values.setdefault("store", {}), dict):
            values["store"]["url"] = url = StoreSettings().url
        if isinstance(url, str) and url.startswith("sqlite:") and not url.startswith("sqlite:/") and url != "sqlite:":
            values["store"]["url"] = f"sqlite:{self.directory / url.removeprefix('sqlite:')}"
        for place, table in list(_walk_raw(values)):
            for name, value in list(table.items()):
                here = (*place, name)
                if _kind_at(here) is Path and isinstance(value, str) and value:
                    table[name] = str(self.directory / value)
                    if name.endswith("_file") and self._is_secret((*place, name.removesuffix("_file"))):
                        self._read_secret(table, here)
                    elif name != "permission" and not Path(table[name]).is_file():  # that one a login makes
                        self._mistake(here, f"there is no file {table[name]}", "Name a file that exists")

    def _read_secret(self, table: dict[str, Any], place: Place) -> None:
        name = str(place[-1]).removesuffix("_file")
        path = Path(table[f"{name}_file"])
        if name in table:
            # a variable is how one overrides a file for once, but two in one place are a slip
            if (*place[:-1], name) not in self.origin.variables:
                self._mistake(place, f"{name} is given too", f"Keep either {name} or {name}_file")
            return
        try:
            secret = path.read_text(encoding="utf-8").strip("\r\n")
            says, remedy = f"{path} is empty", f"Write the {name} into it, on one line"
        except UnicodeDecodeError:
            secret, says, remedy = "", f"{path} is not text", f"Write the {name} into it, on one line"
        except OSError as error:
            secret, says = "", f"{path} cannot be read: {error.strerror}"
            remedy = f"Write the {name} into it, and let the user who runs permanence read it"
        if not secret.strip() or "\n" in secret:
            if secret.strip():
                says = f"{path} has more than one line"
            self._mistake(place, says, remedy)
            self.unread.add((*place[:-1], name))
            return
        table[name] = secret
        if who := who_else_may(path):
            self.warnings.append(self.origin.problem(place, f"{who} {path}", f"chmod 600 {path}"))

    def _validated(self, values: dict[str, Any]) -> Settings | None:
        try:
            return Settings(**values)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                place = tuple(name for name in detail["loc"] if name != "[key]")
                if place not in self.unread:
                    self._mistake(place, *_in_words(place, detail))
        return None


def _in_order(problem: Problem) -> tuple[bool, int, str]:
    return problem.line is None, problem.line or 0, problem.key


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: _over(value, {}) if isinstance(value, dict) else value for name, value in below.items()}
    for name, value in above.items():
        old = both.get(name)
        both[name] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def _walk_raw(table: dict[str, Any], place: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    yield place, table
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _walk_raw(value, (*place, name))
        elif isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, dict):
                    yield from _walk_raw(item, (*place, name, position))


def _holds_a_password(declared: Mapping[str, Any]) -> bool:
    store = declared.get("store")
    url = store.get("url") if isinstance(store, dict) else None
    return isinstance(url, str) and bool(password_in(url))


def _nearest_setting(variable: str) -> str:
    head = variable.upper().removeprefix(ENV_PREFIX).partition(ENV_DELIMITER)[0].lower()
    near = difflib.get_close_matches(head, Settings.model_fields, 1)
    if near:
        return f"Did you mean {ENV_PREFIX}{near[0].upper()}{ENV_DELIMITER}…?"
    return f"Settings are named {ENV_PREFIX}TABLE{ENV_DELIMITER}KEY, like {ENV_PREFIX}BOTS__DESK__TOKEN"


def _in_words(place: Place, detail: ErrorDetails) -> tuple[str, str]:
    """A mistake pydantic found, in plain English, with its remedy."""
    name = str(place[-1]) if place else ""
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error" if isinstance(wrong := context.get("error"), Wrong):
            return wrong.says, wrong.remedy
        case "extra_forbidden":
            return "there is no such setting", _did_you_mean(place)
        case "missing":
            return "is missing", _how_to_give(place)
        case "literal_error":
            return "is not one of the choices", f"Choose {context['expected']}"
        case "too_short" if place in (("accounts",), ("bots",)):
            return "none is declared", _how_to_give(place)
        case "string_type":
            return "must be text", f'Write it between quotes: {name} = "…"'
        case "string_too_short":
            return "is empty", "Fill it in, or remove the line"
        case "int_type" | "int_parsing" | "int_from_float":
            return "must be a whole number", "Write its digits alone"
        case "greater_than_equal":
            return f"is below {context['ge']}", f"Use {context['ge']} or more"
        case "less_than_equal":
            return f"is above {context['le']}", f"Use {context['le']} or less"
        case "bool_type" | "bool_parsing":
            return "must be true or false", f"Write {name} = true or {name} = false"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a table", f"Write it as a section of its own: [{dotted(place)}]"
        case "tuple_type":
            return "must be a list", f'Write it between brackets: {name} = ["…"], or [[{name}]] for tables'
        case "path_type":
            return "must be a path", f'Write it between quotes: {name} = "…"'
        case _:
            return detail["msg"], "See config.example.toml for what it means"


def _did_you_mean(place: Place) -> str:
    parent = _kind_at(place[:-1]) if len(place) > 1 else Settings
    fields = parent.model_fields if isinstance(parent, type) and issubclass(parent, BaseModel) else {}
    near = difflib.get_close_matches(str(place[-1]), fields, 1)
    return f"Did you mean {near[0]!r}?" if near else f"Remove it; here stand {', '.join(fields)}"


def _how_to_give(place: Place) -> str:
    if place == ("accounts",):
        return "Declare whom the desk works for: [accounts.cabinet-martin]"
    if place == ("bots",):
        return "Declare the bot the secretaries work in: [bots.desk] with its token"
    if _kind_at(place) is SecretStr and all(isinstance(name, str) for name in place):
        variable = ENV_PREFIX + ENV_DELIMITER.join(str(name).upper().replace("-", "_") for name in place)
        return f"Set {variable} in the environment, or {place[-1]}_file to a file that holds it"
    if _holds_more(_kind_at(place)):
        return f"Add a section [{dotted(place)}]"
    return f"Add {place[-1]} = … to [{dotted(place[:-1])}]" if len(place) > 1 else f"Add {place[0]} = …"
