"""How words are set survives what happens to the words: joined, cut, cleaned, parted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channels.telegram.split import split, split_styled
from inbox.parts import Entity
from inbox.styles import carried_over, joined, kept, moved, runs, units, within

WORDS = st.text(alphabet="ab \n😀é\x00\u200e", max_size=40)


def bold(offset: int, length: int) -> Entity:
    return Entity(type="bold", offset=offset, length=length)


def set_in(text: str, entity: Entity) -> str:
    """The words an entity stands over."""
    encoded = text.encode("utf-16-le")
    return encoded[entity.offset * 2 : (entity.offset + entity.length) * 2].decode("utf-16-le", "replace")


def test_what_telegram_finds_by_itself_and_strange_links_are_left_out() -> None:
    entities = [
        bold(0, 2),
        Entity(type="url", offset=0, length=3),
        Entity(type="text_link", offset=0, length=3, url="tg://user?id=5"),
        Entity(type="text_link", offset=0, length=3, url="HTTPS://cabinet.example"),
        Entity(type="text_link", offset=0, length=3),
        Entity(type="bold", offset=0, length=0),
    ]
    assert [e.type for e in kept(entities)] == ["bold", "text_link"]


def test_two_texts_joined_keep_what_each_is_set_in() -> None:
    styles = joined("😀 oui", (bold(3, 3),), "non", (bold(0, 3),))
    assert [set_in("😀 oui\n\nnon", s) for s in styles] == ["oui", "non"]
    assert joined("", (), "non", (bold(0, 3),)) == (bold(0, 3),)
    assert joined("oui", (bold(0, 3),), "", ()) == (bold(0, 3),)


def test_a_style_stands_over_the_same_words_once_characters_are_taken_out() -> None:
    before, after = "\u200e Oui,\x00 jeudi 😀.  ", "Oui, jeudi 😀."
    (style,) = carried_over((bold(units("\u200e Oui,\x00 "), 8),), before, after)
    assert set_in(after, style) == "jeudi 😀"
    assert carried_over((bold(0, 1),), before, after) == ()


@given(WORDS, st.integers(0, 30), st.integers(0, 30))
def test_styles_never_reach_beyond_the_words(text: str, offset: int, length: int) -> None:
    cleaned = text.replace("\x00", "").replace("\u200e", "").strip()
    for style in carried_over((bold(offset, length),), text, cleaned):
        assert style.offset >= 0
        assert style.offset + style.length <= units(cleaned)
        assert style.length > 0
    assert "".join(stretch for stretch, _ in runs(text, (bold(offset, length),))) == text


@given(WORDS, st.integers(0, 30), st.integers(1, 30))
def test_the_parts_of_a_text_are_set_as_the_whole_was(text: str, offset: int, length: int) -> None:
    parts = split_styled(text, (bold(offset, length),), longest=8)
    assert [part for part, _ in parts] == split(text, 8)
    for part, styles in parts:
        for style in styles:
            assert style.offset + style.length <= units(part)
            assert set_in(part, style) in set_in(text, bold(offset, length))


def test_a_stretch_counts_from_where_it_begins() -> None:
    assert within((bold(2, 6),), 4, 20) == (bold(0, 4),)
    assert within((bold(2, 2),), 4, 20) == ()
    assert moved((bold(2, 2),), 3) == (bold(5, 2),)
