import pytest

from channels.mail.parse import read_mail
from channels.mail.routing import LONGEST, RouteHeader

BODY = b"From: paul@client.example\r\nTo: accueil@permanence.example\r\nSubject: Devis\r\n\r\nBonjour\r\n"
OURS = b"Received: from mx.client.example by mx.permanence.example; Fri, 27 Nov 2026 10:00:00 +0100\r\n"


def routed(raw: bytes, below: int = 0) -> str:
    return RouteHeader("x-account", below).told(read_mail(raw), raw).routed


@pytest.mark.parametrize(
    ("raw", "below", "expected"),
    [
        (b"X-Account: lefevre\r\n" + OURS + BODY, 0, "lefevre"),
        (b"Return-Path: <a@b.example>\r\nx-ACCOUNT:\r\n  <Lefevre@permanence.example>\r\n" + OURS + BODY, 0,
         "lefevre@permanence.example"),
        (OURS + b"X-Account: lefevre\r\n" + BODY, 0, ""),
        (b"X-Account: lefevre\r\n" + BODY, 0, "lefevre"),
        (OURS + b"X-Account: lefevre\r\n" + OURS + BODY, 1, "lefevre"),
        (OURS + OURS + b"X-Account: lefevre\r\n" + BODY, 1, ""),
        # the one on top is the server's; what stands below was there before
        (b"X-Account: roux\r\n" + OURS + b"X-Account: lefevre\r\n" + BODY, 1, "roux"),
        (b"X-Account: \r\nX-Account: lefevre\r\n" + OURS + BODY, 0, ""),
        (OURS + BODY + b"X-Account: lefevre\r\n", 0, ""),
        (b"X-Account: \xff\xfe\x00\r\n" + OURS + BODY, 0, None),
        (b"X-Account: " + b"a" * 10_000 + b"\r\n" + OURS + BODY, 0, "a" * LONGEST),
        (b"", 0, ""),
    ],
)  # fmt: skip
def test_only_where_nobody_else_can_write_it_a_header_tells_whose_a_mail_is(
    raw: bytes, below: int, expected: str | None
) -> None:
    said = routed(raw, below)
    assert expected is None or said == expected
