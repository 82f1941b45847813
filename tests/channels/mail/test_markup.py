"""What a secretary set in bold is bold in the letter, and nothing she wrote is markup."""

from __future__ import annotations

from channels.mail.markup import plain, styled
from inbox.parts import Entity


def over(text: str, words: str, kind: str, url: str | None = None) -> Entity:
    return Entity(type=kind, offset=text.index(words), length=len(words), url=url)


def test_every_style_has_its_tag() -> None:
    text = "Bonjour, oui. Non. Peut-être. x = 1"
    styles = (
        over(text, "oui", "bold"),
        over(text, "Non", "italic"),
        over(text, "Peut", "underline"),
        over(text, "être", "strikethrough"),
        over(text, "x = 1", "code"),
    )
    assert styled(text, styles) == ("Bonjour, <b>oui</b>. <i>Non</i>. <u>Peut</u>-<s>être</s>. <code>x = 1</code>")


def test_styles_that_stand_over_the_same_words_are_nested() -> None:
    text = "oui non"
    styles = (over(text, "oui non", "bold"), over(text, "non", "italic"))
    assert styled(text, styles) == "<b>oui </b><i><b>non</b></i>"


def test_a_link_leads_where_it_led_and_is_written_out_in_plain_words() -> None:
    text = "Voyez notre page."
    link = over(text, "notre page", "text_link", "https://roux.example/?a=1&b=2")
    assert styled(text, (link,)) == 'Voyez <a href="https://roux.example/?a=1&amp;b=2">notre page</a>.'
    assert plain(text, (link,)) == "Voyez notre page (https://roux.example/?a=1&b=2)."
    bare = "https://roux.example"
    assert plain(bare, (over(bare, bare, "text_link", bare),)) == bare


def test_a_quote_is_one_block_however_it_is_set_inside() -> None:
    text = "Avant\nCité en gras\nAprès"
    styles = (over(text, "Cité en gras", "blockquote"), over(text, "gras", "bold"))
    assert styled(text, styles).count("<blockquote") == 1
    assert styled(text, styles).endswith("en <b>gras</b></blockquote><br>\nAprès")


def test_nothing_written_is_markup() -> None:
    text = '<b>x</b> & "y"'
    hostile = (over(text, "x", "text_link", 'https://a.example/"onmouseover="alert(1)'),)
    html = styled(text, hostile)
    assert "<b>" not in html
    assert 'href="https://a.example/&quot;onmouseover=&quot;alert(1)"' in html
