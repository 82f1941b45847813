"""Answers kept ready: for one account or for all, with variables that the moment fills in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from inbox.assignment import is_supervisor, require_serves
from inbox.errors import InvalidTransition, NotAllowed
from inbox.model import Secretary, Template
from inbox.notes import plain
from inbox.parts import AccountId, new_id
from inbox.store.base import Store
from inbox.store.documents import TEMPLATES

MOST_ON_A_SHELF = 40
LONGEST_NAME = 30
LONGEST_TEXT = 3000
_VARIABLE = re.compile(r"\{([^{}\n]{0,40})\}")
VARIABLES = {
    "contact": "contact",
    "client": "contact",
    "compte": "account",
    "account": "account",
    "date": "date",
    "secretaire": "secretary",
    "secretary": "secretary",
}
"""What may stand in braces, without capitals and accents, and what it stands for."""


def kept(existing: Template | None, shelf: str, name: str, text: str, supervisor: Secretary, now: datetime) -> Template:
    """The answer kept under this name: a new one, or the one there was with these words.

    Raises:
        NotAllowed: she does not answer for all.
        NotFound: she does not serve the account.
        InvalidTransition: name or text is empty or too long, or a variable is none we know.
    """
    if not is_supervisor(supervisor):
        raise NotAllowed
    if shelf:
        require_serves(supervisor, AccountId(shelf))
    name, text = " ".join(name.split()), text.strip()
    if not name or len(name) > LONGEST_NAME or not text or len(text) > LONGEST_TEXT:
        raise InvalidTransition("error.template", count=str(LONGEST_NAME), most=str(LONGEST_TEXT))
    unknown = [word for word in _VARIABLE.findall(text) if plain(word.strip()) not in VARIABLES]
    if unknown:
        raise InvalidTransition("error.template_variable", name=unknown[0])
    if existing is not None:
        return msgspec.structs.replace(existing, name=name, text=text, changed_by=supervisor.id, changed_at=now)
    return Template(
        id=new_id(), shelf=shelf, name=name, key=plain(name), text=text, changed_by=supervisor.id, changed_at=now
    )


def filled(template: Template, values: Mapping[str, str]) -> str:
    """Its words with the variables filled in.

    Args:
        values: by what the variables stand for.

    Raises:
        InvalidTransition: one of them has no value.
    """

    def value(found: re.Match[str]) -> str:
        said = values.get(VARIABLES.get(plain(found[1].strip()), ""), "")
        if not said:
            raise InvalidTransition("error.template_empty", name=found[1])
        return said

    return _VARIABLE.sub(value, template.text)


def names_author(template: Template) -> bool:
    """Whether it says who answers: what only an account that shows names lets out."""
    return any(VARIABLES.get(plain(word.strip())) == "secretary" for word in _VARIABLE.findall(template.text))


def matching(templates: Sequence[Template], words: str) -> list[Template]:
    """Those that have all the words, capitals and accents aside: in their names first."""
    wanted = plain(words).split()
    named = [t for t in templates if all(word in t.key for word in wanted)]
    said = [t for t in templates if t not in named and all(word in f"{t.key} {plain(t.text)}" for word in wanted)]
    return named + said


async def list_templates(store: Store, account_id: AccountId) -> list[Template]:
    """What is kept ready for an account, its own before the common ones, by name."""
    return [*await list_shelf(store, account_id), *await list_shelf(store, "")]


async def list_shelf(store: Store, shelf: str) -> list[Template]:
    """What is kept for one account, or for all ("")."""
    return await store.list(TEMPLATES, shelf, limit=MOST_ON_A_SHELF)
