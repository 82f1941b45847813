"""Long text in several messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channels.telegram.split import split


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_text_that_fits_is_one_message() -> None:
    assert split("x" * 4096) == ["x" * 4096]


def test_paragraphs_stay_whole_where_they_can() -> None:
    first, second = "a" * 30 + "\n" + "b" * 30, "c" * 60
    assert split(f"{first}\n\n{second}", 100) == [first, second]


def test_lines_stay_whole_where_paragraphs_cannot() -> None:
    assert split("a" * 60 + "\n" + "b" * 60, 100) == ["a" * 60, "b" * 60]


def test_words_stay_whole_where_lines_cannot() -> None:
    assert split("a" * 60 + " " + "b" * 60, 100) == ["a" * 60, "b" * 60]


def test_what_has_no_break_is_cut() -> None:
    assert split("a" * 250, 100) == ["a" * 100, "a" * 100, "a" * 50]


def test_an_emoji_is_never_halved() -> None:
    parts = split("x" + "😀" * 100, 10)
    assert "".join(parts) == "x" + "😀" * 100
    assert max(map(units, parts)) <= 10


def test_nothing_to_say_is_no_message() -> None:
    assert split(" \n ") == []


@given(text=st.text(alphabet=st.sampled_from("ab é😀\n \t"), max_size=400), longest=st.integers(2, 40))
def test_nothing_but_white_space_is_lost_and_no_part_is_too_long_or_empty(text: str, longest: int) -> None:
    parts = split(text, longest)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(part.strip() and units(part) <= longest for part in parts)
