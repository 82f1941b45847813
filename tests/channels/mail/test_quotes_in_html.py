# ruff: noqa: E501  # mails as programs write them
"""Whole answers in HTML, as mail programs write them: what is new in them is found as in plain text."""

from __future__ import annotations

import re

import pytest

from channels.mail.html import html_to_text
from channels.mail.quotes import fresh_spans, fresh_words

WORDS = "Bonjour,<br>mardi me va."
SAID = "Bonjour,mardimeva."

ANSWERS = [
    pytest.param(
        f'<div dir="ltr">{WORDS}</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">Le lun. 2 mars 2026 à 14:05, Cabinet Roux &lt;<a href="mailto:c@roux.example">c@roux.example</a>&gt; a écrit :<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex"><div>Pouvez-vous venir ?</div></blockquote></div>',
        SAID,
        id="gmail",
    ),
    pytest.param(
        f'<div>{WORDS}</div><div class="gmail_quote">On 11-Apr-2011, at 6:54 PM, Bob &lt;bob@example.com&gt; wrote:<div>Test</div></div>',
        SAID,
        id="gmail-noquote",
    ),
    pytest.param(
        f'{WORDS}<div class="gmail_quote">On 11-Apr-2011, at 6:54 PM, Bob &lt;bob@example.com&gt; wrote:<div>Test</div></div>',
        SAID,
        id="gmail-compact",
    ),
    pytest.param(
        '<div class="gmail_quote"><div class="gmail_attr">Le lun. 2 mars 2026 à 14:05, C &lt;c@roux.example&gt; a écrit :<br></div><blockquote class="gmail_quote">Quel jour ?</blockquote><div>Mardi.</div><blockquote class="gmail_quote">Quelle heure ?</blockquote><div>10 h.</div></div>',
        ">Queljour?Mardi.>Quelleheure?10h.",
        id="gmail-inline",
    ),
    pytest.param(
        f'<div dir="ltr">{WORDS}<br clear="all"><div><br></div><span class="gmail_signature_prefix">-- </span><br><div dir="ltr" class="gmail_signature">Nora Petit<br>01 99 00</div></div>',
        SAID,
        id="gmail-sig",
    ),
    pytest.param(
        '<div>Mes points :</div><blockquote style="margin: 0 0 0 40px; border: none; padding: 0px;"><div>point un</div></blockquote>',
        "Mespoints:pointun",
        id="indent",
    ),
    pytest.param(
        '<div>Mes points :</div><blockquote class="webkit-indent-blockquote" style="margin: 0 0 0 40px; border: none; padding: 0px;"><div>point un</div></blockquote><div>Fin</div>',
        "Mespoints:pointunFin",
        id="indent-webkit",
    ),
    pytest.param(
        f'<html><body>{WORDS}<br><div><br><blockquote type="cite"><div>Le 2 mars 2026 à 14:05, Cabinet &lt;c@roux.example&gt; a écrit :</div><br class="Apple-interchange-newline"><div>Pouvez-vous venir ?</div></blockquote></div></body></html>',
        SAID,
        id="apple",
    ),
    pytest.param(
        f'<div>{WORDS}</div><div><div>Le 2 mars 2026 à 14:05, Cabinet &lt;c@roux.example&gt; a écrit :</div><br><blockquote type="cite"><div>Pouvez-vous venir ?</div></blockquote></div>',
        SAID,
        id="apple2",
    ),
    pytest.param(
        f'<div class="WordSection1"><p class="MsoNormal">{WORDS}<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b>De&nbsp;:</b> Cabinet Roux &lt;c@roux.example&gt; <br><b>Envoyé&nbsp;:</b> lundi 2 mars 2026 14:05<br><b>À&nbsp;:</b> Nora<br><b>Objet&nbsp;:</b> RE: RDV<o:p></o:p></p></div><p class="MsoNormal">Pouvez-vous venir ?</p></div>',
        SAID,
        id="outlook2016",
    ),
    pytest.param(
        f'<div>{WORDS}</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri"><b>De :</b> Cabinet &lt;c@roux.example&gt;<br><b>Envoyé :</b> lundi 2 mars 2026 14:05<br><b>À :</b> Nora &lt;n@p.example&gt;<br><b>Objet :</b> RDV</font><div>&nbsp;</div></div><div>Pouvez-vous venir ?</div>',
        SAID,
        id="owa",
    ),
    pytest.param(
        f'<div>{WORDS}<br><br><hr id="stopSpelling">Date: Tue, 22 May 2012 18:29:16 -0600<br>To: xx@hotmail.example<br>From: bob@example.com<br>Subject: You<br><br><div>Pouvez-vous</div></div>',
        SAID,
        id="hotmail",
    ),
    pytest.param(
        f'<div>{WORDS}</div><hr id="stopSpelling">Subject: You<br>From: bob@example.com<br>To: xx@hotmail.example<br>Date: Tue, 22 May 2012 18:29:16 -0600<br><br>Pouvez-vous',
        SAID,
        id="hotmail2",
    ),
    pytest.param(
        f'<body><p>{WORDS}</p><div class="moz-cite-prefix">Le 02/03/2026 à 14:05, Cabinet a écrit&nbsp;:<br></div><blockquote type="cite" cite="mid:x"><p>Pouvez-vous venir ?</p></blockquote></body>',
        SAID,
        id="thunderbird",
    ),
    pytest.param(
        f'<div class="ydp yahoo-style-wrap"><div>{WORDS}</div><div><br></div></div><div id="yahoo_quoted_1" class="yahoo_quoted"><div style="font-size:13px"><div>Le lundi 2 mars 2026 à 14:05:12 UTC+1, Cabinet &lt;c@roux.example&gt; a écrit :</div><div><br></div><div>Pouvez-vous venir ?</div></div></div>',
        SAID,
        id="yahoo",
    ),
    pytest.param(
        f'<div><span>{WORDS}</span></div><div><hr size="1"><font size="2" face="Arial"> <b><span style="font-weight:bold;">From:</span></b> Cabinet &lt;c@roux.example&gt;<br> <b><span>To:</span></b> Nora <br> <b><span>Sent:</span></b> Wednesday, April 13, 2011 3:47 PM<br> <b><span>Subject:</span></b> Re: x<br></font><br>Pouvez-vous</div>',
        SAID,
        id="yahoo-old",
    ),
    pytest.param(
        f'<div>{WORDS}</div><div class="protonmail_signature_block"><div>Envoyé avec la messagerie sécurisée <a href="https://proton.me">Proton Mail</a>.</div></div><div class="protonmail_quote">Le lundi 2 mars 2026 à 14:05, Cabinet &lt;c@roux.example&gt; a écrit :<br><blockquote class="protonmail_quote" type="cite">Pouvez-vous</blockquote></div>',
        SAID,
        id="proton",
    ),
    pytest.param(
        f'<div>{WORDS}</div><div><br></div><div id="composer_signature">Envoyé depuis mon appareil Galaxy</div><div><br></div><div><!-- originalMessage --><div>-------- Message d\'origine --------</div><div>De : Cabinet &lt;c@roux.example&gt; </div><div>Date : 02/03/2026  14:05  (GMT+01:00) </div><div>À : n@p.example </div><div>Objet : RDV </div><div><br></div></div>Pouvez-vous',
        SAID,
        id="samsung",
    ),
    pytest.param(
        f'<div>{WORDS}<div name="quote" style="margin:10px 5px 5px 10px; padding: 10px 0 10px 10px; border-left:2px solid #C3D9E5;"><div style="margin:0 0 10px 0;"><b>Gesendet:</b>&nbsp;Montag, 2. März 2026 um 14:05 Uhr<br/><b>Von:</b>&nbsp;"Praxis" &lt;p@roux.example&gt;<br/><b>An:</b>&nbsp;n@p.example<br/><b>Betreff:</b>&nbsp;Termin</div><div name="quoted-content">Pouvez-vous</div></div></div>',
        SAID,
        id="gmx",
    ),
    pytest.param(
        f'<p>{WORDS}</p><blockquote style="border-left:2px solid #1010ff; margin-left:5px"><p>&gt; Message du 02/03/26 14:05<br>&gt; De : "Cabinet" &lt;c@roux.example&gt;<br>&gt; A : n@p.example<br>&gt; Objet : RDV<br></p>Pouvez-vous</blockquote>',
        SAID,
        id="orange",
    ),
    pytest.param(
        f'<div>{WORDS}</div><hr id="zwchr"><div style="color:#000"><b>De: </b>"Cabinet" &lt;c@roux.example&gt;<br><b>À: </b>"Nora" &lt;n@p.example&gt;<br><b>Envoyé: </b>Lundi 2 Mars 2026 14:05:33<br><b>Objet: </b>RDV<br></div><div>Pouvez-vous</div>',
        SAID,
        id="zimbra",
    ),
    pytest.param(
        f'<div class="foo">{WORDS}</div><span id="OLK_SRC_BODY_SECTION"><div style="border-top: #b5c4df 1pt solid"><span>From: </span> Cabinet &lt;c@roux.example&gt;<br><span>Date: </span> Saturday, September 22, 2012 1:21 PM<br><span>To: </span> n@p.example<br><span>Subject: </span> RDV<br></div><div>Pouvez-vous</div></span>',
        SAID,
        id="olk",
    ),
    pytest.param(
        f'<div>{WORDS}<br><br><br>Mon, 9 Apr 2012 10:12:33 +0400 от Bob &lt;bob@example.com&gt;:<br><blockquote style="border-left:1px solid #0857A6; margin:10px; padding:0 0 0 10px;"><div>Pouvez-vous</div></blockquote></div>',
        SAID,
        id="mailru",
    ),
    pytest.param(
        f'<font>{WORDS}<br><br><div style="clear:both"></div>-----Original Message-----<br>From: Cabinet &lt;c@roux.example&gt;<br>To: n &lt;n@p.example&gt;<br>Sent: Mon, Apr 9, 2012 4:26 pm<br>Subject: Test<br><br><div id="AOLMsgPart">Pouvez-vous</div></font>',
        SAID,
        id="aol",
    ),
    pytest.param(
        f'<div>{WORDS}</div><div style="padding-top: 5px; border-top-color: rgb(229, 229, 229); border-top-width: 1px; border-top-style: solid;"><div><font face="x" style="line-height: 15pt;"><b>From:</b>&nbsp;Cabinet<br><b>Sent:</b>&nbsp;Friday, 5 March 2026 10:12<br><b>To:</b>&nbsp;Nora</font></div></div><div>Pouvez-vous</div>',
        SAID,
        id="winmail",
    ),
    pytest.param(
        f'<div>{WORDS}</div><hr id="zwchr"><b>From: </b>"Cabinet" &lt;c@roux.example&gt;<br><b>To: </b>n@p.example<br><b>Sent: </b>Tuesday, April 10, 2012 6:22:22 AM<br><b>Subject: </b>Re: T<br><br>Pouvez-vous',
        SAID,
        id="comcast",
    ),
    pytest.param(
        f'<div name="messageBodySection">{WORDS}</div><div name="messageReplySection">On Mar 2, 2026 at 14:05 +0100, Cabinet &lt;c@roux.example&gt;, wrote:<br><blockquote type="cite" style="border-left-color: grey">Pouvez-vous</blockquote></div>',
        SAID,
        id="spark",
    ),
    pytest.param(
        f"<div>{WORDS}<br><br><div>Date: Tue, 22 May 2012 18:29:16 -0600<br>From: bob@example.com</div><div>Pouvez-vous</div></div>",
        SAID,
        id="date-from",
    ),
    pytest.param(f"{WORDS}<blockquote>Pouvez-vous</blockquote>", SAID, id="blockquote-only"),
    pytest.param(
        f"{WORDS}<blockquote><div>On 11-Apr-2011, at 6:54 PM, Bob wrote:</div><div>Test</div></blockquote>",
        SAID,
        id="attr-in-bq",
    ),
    pytest.param(
        '<div>Bonjour,</div><div>Le 2 mars 2026 à 14:05, C &lt;c@r.example&gt; a écrit :</div><blockquote type="cite">Pouvez-vous</blockquote><div>mardi me va.</div>',
        SAID,
        id="after-quote",
    ),
    pytest.param(
        f"<p>{WORDS}</p><p><b>From:</b> Anna Roux<br><b>Sent:</b> Monday, March 2, 2026 2:05 PM<br><b>To:</b> Nora; Paul;<br>Anne<br><b>Subject:</b> RE: x</p><p>Pouvez-vous</p>",
        SAID,
        id="bold-colon",
    ),
    pytest.param(
        f"<div>{WORDS}</div><table><tr><td><b>De :</b></td><td>Cabinet &lt;c@roux.example&gt;</td></tr><tr><td><b>Envoyé :</b></td><td>lundi 2 mars 2026 14:05</td></tr><tr><td><b>À :</b></td><td>Nora</td></tr><tr><td><b>Objet :</b></td><td>RDV</td></tr></table><div>Pouvez-vous</div>",
        SAID,
        id="table-head",
    ),
    pytest.param(
        f"<font>{WORDS}</font><br><br><table width=100%><tr><td>From: &nbsp; &nbsp; &nbsp; &nbsp;</td><td>Anna Roux/FR</td></tr><tr><td>To: </td><td>Nora &lt;n@p.example&gt;</td></tr><tr><td>Date: </td><td>02/03/2026 14:05</td></tr><tr><td>Subject: </td><td>Re: x</td></tr></table><hr noshade><br>Pouvez-vous",
        SAID,
        id="notes",
    ),
]


@pytest.mark.parametrize(("markup", "said"), ANSWERS)
def test_what_is_new_in_a_mail_of_html_is_found(markup: str, said: str) -> None:
    text, _ = html_to_text(markup)
    assert re.sub(r"\s+", "", fresh_words(text, fresh_spans(text))) == said
