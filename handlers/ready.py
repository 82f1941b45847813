"""How answers kept ready are shown to whoever keeps them. Pure, as all screens are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiogram.utils.formatting import Bold, Text

from handlers import callbacks
from handlers.legible import legible, one_line, shortened
from handlers.views import Screen, Voice, screen_of
from inbox.model import Template

ON_A_PAGE = 10


def templates_screen(kept: Sequence[Template], names: Mapping[str, str], page: int, voice: Voice) -> Screen:
    """A page of them, one press each to read."""
    content: list[Text | str] = [
        Bold(voice.say("templates.title", count=str(len(kept)))),
        "\n",
        voice.say("templates.how"),
    ]
    start = page * ON_A_PAGE
    rows = [
        [callbacks.button(f"{one_line(each.name, 30)} · {_shelf(each, names, voice)}", _show(each.id, page))]
        for each in kept[start : start + ON_A_PAGE]
    ]
    turns = [callbacks.button("◀", _show("", page - 1))] if page > 0 else []
    turns += [callbacks.button("▶", _show("", page + 1))] if len(kept) > start + ON_A_PAGE else []
    return screen_of(Text(*content), [*rows, turns])


def template_screen(template: Template, names: Mapping[str, str], voice: Voice) -> Screen:
    """One of them whole."""
    head = Bold(f"📄 {one_line(template.name, 60)}")
    text = shortened(legible(template.text), 3500)
    drop = callbacks.DropTemplate(template=template.id, seen=template.version)
    rows = [[callbacks.button("◀", _show("", 0)), callbacks.button(voice.say("button.drop_template"), drop)]]
    return screen_of(Text(head, f" · {_shelf(template, names, voice)}\n\n", text), rows)


def _shelf(template: Template, names: Mapping[str, str], voice: Voice) -> str:
    return one_line(names.get(template.shelf, template.shelf), 30) if template.shelf else voice.say("templates.common")


def _show(template_id: str, page: int) -> callbacks.ShowTemplate:
    return callbacks.ShowTemplate(template=template_id, page=page)
