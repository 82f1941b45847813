"""DKIM by the letter of its RFCs: their own examples, signatures made here, and every way to tamper with one."""

from __future__ import annotations

import time
from base64 import b64encode
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.mail import dkim
from channels.mail.dkim import KeyUnavailable, check
from tests.channels.mail.signing import HEADERS, Key, record, signed

NOW = 1_800_000_000.0
NAME = "s1._domainkey.client.example"
MAIL = (
    b"From: Paul Martin <paul@client.example>\r\n"
    b"To: cabinet@roux.example\r\n"
    b"Subject: Rendez-vous\r\n  de jeudi\r\n"
    b"Date: Mon, 02 Mar 2026 09:00:00 +0100\r\n"
    b"Message-ID: <1@client.example>\r\n"
    b"\r\n"
    b"Bonjour,\r\n\r\npuis-je  venir jeudi ? \r\n\r\n\r\n"
)


@cache
def rsa(size: int = 2048) -> Key:
    return generate_private_key(65537, size)


@cache
def ed25519() -> Key:
    return Ed25519PrivateKey.generate()


def result(raw: bytes, key: Key | None = None, *, published: bytes | None = None, now: float = NOW) -> str:
    """The result of the one signature."""
    keys = {NAME: published or record(key or rsa())}
    (one,) = check(raw, keys.get, now)
    return one.result


# ---------------------------------------------------------------- the RFCs' own examples

BODY = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
HEAD = (
    b"From: Joe SixPack <joe@football.example.com>\r\n"
    b"To: Suzie Q <suzie@shopping.example.net>\r\n"
    b"Subject: Is dinner ready?\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
)
ED = b"""DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r
 subject : date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r
"""
RSA = b"""DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r
 date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r
"""
KEYS = {
    "brisbane._domainkey.football.example.com": b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "test._domainkey.football.example.com": b"v=DKIM1; k=rsa; p="
    b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb"
    b"2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9Pzo"
    b"xZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
    "brisbane._domainkey.example.com": b"v=DKIM1; p="
    b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN"
    b"2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhit"
    b"dY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
}
RFC_6376 = b"""DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r
      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r
      h=Received : From : To : Subject : Date : Message-ID;\r
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\r
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\r
      4bmp/YzhwvcubU4=;\r
Received: from client1.football.example.com  [192.0.2.1]\r
      by submitserver.example.com with SUBMISSION;\r
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r
"""


def test_the_example_of_rfc_8463() -> None:
    assert [one.result for one in check(ED + RSA + HEAD + b"\r\n" + BODY, KEYS.get, NOW)] == ["pass", "pass"]


def test_the_example_of_rfc_6376() -> None:
    # Its words stand one space apart (erratum 4926).
    body = BODY.replace(b"  ", b" ")
    (one,) = check(RFC_6376 + HEAD + b"\r\n" + body, KEYS.get, NOW)
    assert (one.domain, one.result) == ("example.com", "pass")


# ---------------------------------------------------------------- what holds


@pytest.mark.parametrize("key", [rsa, ed25519])
@pytest.mark.parametrize("relaxed", [True, False])
def test_a_signature_holds(key: object, relaxed: bool) -> None:
    mine = key()  # type: ignore[operator]
    assert result(signed(MAIL, mine, relaxed=relaxed), mine) == "pass"


@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"\r\n\r\n\r\n", b" \r\n\t\r\n", b"no line end", b"a\r\r\n\r\n", b"\ra"]
)
@pytest.mark.parametrize("relaxed", [True, False])
def test_any_body_can_be_signed(body: bytes, relaxed: bool) -> None:
    head = MAIL.partition(b"\r\n\r\n")[0]
    assert result(signed(head + b"\r\n\r\n" + body, rsa(), relaxed=relaxed)) == "pass"


def test_a_body_longer_than_a_piece_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dkim, "PIECE", 10)
    mail = MAIL + b"\r\n \t \r\nx\r\n" * 50 + b"\r\n" * 30
    for relaxed in (True, False):
        raw = signed(mail, rsa(), relaxed=relaxed)
        assert result(raw) == "pass"
        assert result(raw + b"y") == "fail"


def test_what_a_relaxed_signature_lets_pass() -> None:
    raw = signed(MAIL, rsa())
    raw = raw.replace(b"Subject: Rendez-vous\r\n  de jeudi", b"SUBJECT :   Rendez-vous de\r\n\tjeudi  ")
    raw = raw.replace(b"puis-je  venir", b"puis-je \t venir") + b"\r\n\r\n"
    assert result(raw) == "pass"
    assert result(raw.replace(b"\r\n", b"\n")) == "pass"


def test_fields_above_and_between_do_not_matter() -> None:
    raw = signed(MAIL, rsa())
    assert result(b"Received: from a by b\r\nX-Spam: no\r\n" + raw.replace(b"To:", b"X-Note: 1\r\nTo:")) == "pass"


def test_a_field_named_twice_is_taken_from_below() -> None:
    mail = b"X-A: 2\r\nX-A: 1\r\n" + MAIL
    raw = signed(mail, rsa(), headers=HEADERS + ":x-a:x-a:x-a")
    assert result(raw) == "pass"
    assert result(raw.replace(b"X-A: 2\r\nX-A: 1", b"X-A: 1\r\nX-A: 2")) == "fail"
    assert result(raw.replace(b"X-A: 2", b"X-A: 3\r\nX-A: 2")) == "fail", "it was signed that there is no third"


def test_the_identity_may_be_under_the_signer() -> None:
    assert result(signed(MAIL, rsa(), more=" i=paul@mail.client.example;")) == "pass"
    assert result(signed(MAIL, rsa(), more=" i=paul@other.example;")) == "permerror"
    assert result(signed(MAIL, rsa(), more=" i=paul@notclient.example;")) == "permerror"


def test_a_key_in_the_older_form_is_a_key() -> None:
    assert result(signed(MAIL, rsa()), published=record(rsa(), form=PublicFormat.PKCS1)) == "pass"


# ---------------------------------------------------------------- what does not


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"jeudi ?", b"lundi ?"),
        (b"Bonjour,", b" Bonjour,"),
        (b"Rendez-vous", b"Rendezvous"),
        (b"paul@client.example>\r\nTo", b"eve@client.example>\r\nTo"),
        (b"Date: Mon, 02 Mar 2026 09:00:00 +0100\r\n", b""),
        (b"\r\n\r\nBonjour", b"\r\n\r\n\r\nBonjour"),
    ],
)
def test_whatever_is_changed_is_seen(before: bytes, after: bytes) -> None:
    raw = signed(MAIL, rsa())
    assert before in raw
    assert result(raw.replace(before, after)) == "fail"


def test_words_added_behind_are_seen() -> None:
    assert result(signed(MAIL, rsa()) + b"Et payez vite.\r\n") == "fail"


def test_a_simple_signature_lets_nothing_pass() -> None:
    raw = signed(MAIL, rsa(), relaxed=False)
    assert result(raw.replace(b"puis-je  venir", b"puis-je venir")) == "fail"
    assert result(raw.replace(b"Rendez-vous\r\n  de", b"Rendez-vous de")) == "fail"


def test_another_key_is_seen() -> None:
    assert result(signed(MAIL, rsa()), published=record(generate_private_key(65537, 2048))) == "fail"


def test_part_of_a_body_is_not_the_mail() -> None:
    whole = signed(MAIL, rsa(), length=len(b"Bonjour,\r\n\r\npuis-je venir jeudi ?\r\n"))
    assert result(whole) == "pass"
    part = signed(MAIL, rsa(), length=10)
    assert result(part) == "policy"
    assert result(signed(MAIL, rsa(), length=9999)) == "permerror"


@pytest.mark.parametrize("field", [b"From: Eve <eve@client.example>", b"Subject: Autre chose", b"Date: today"])
def test_a_second_field_beside_the_signed_one_is_seen(field: bytes) -> None:
    assert result(field + b"\r\n" + signed(MAIL, rsa())) == "policy"
    # Signed twice, it cannot be added.
    assert result(field + b"\r\n" + signed(MAIL, rsa(), headers=f"{HEADERS}:{HEADERS}")) == "fail"


def test_weak_signatures_say_nothing() -> None:
    assert result(signed(MAIL, rsa(), algorithm="rsa-sha1")) == "policy"
    assert result(signed(MAIL, rsa(1024), selector="s1"), rsa(1024)) == "pass"
    weak = (
        bytes.fromhex("305c300d06092a864886f70d0101010500034b003048024100") + b"\xc5" * 64 + bytes.fromhex("0203010001")
    )

    assert result(signed(MAIL, rsa()), published=b"p=" + b64encode(weak)) == "policy"


def test_an_expired_signature_says_nothing() -> None:
    raw = signed(MAIL, rsa(), more=f" t={int(NOW)}; x={int(NOW) + 60};")
    assert result(raw) == "pass"
    assert result(raw, now=NOW + 61) == "neutral"
    assert result(signed(MAIL, rsa(), more=f" t={int(NOW)}; x={int(NOW) - 60};"), now=0) == "permerror"


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (b"v=DKIM1; p=", "permerror"),
        (b"v=DKIM2; p=abcd", "permerror"),
        (b"p=!!!", "permerror"),
        (b"p=AAAA", "permerror"),
        (b"nonsense", "permerror"),
        (b"p=AAAA; p=BBBB", "permerror"),
        (b"p=" + b"A" * 100_000, "permerror"),
        (b"k=ed25519; p=AAAA", "permerror"),
        (b"k=rsa; h=sha1; p=AAAA", "permerror"),
        (b"k=rsa; s=tlsrpt; p=AAAA", "permerror"),
        (b"", "permerror"),
    ],
)
def test_a_strange_key_says_nothing(published: bytes, expected: str) -> None:
    (one,) = check(signed(MAIL, rsa()), {NAME: published}.get, NOW)
    assert one.result == expected


def test_a_key_may_forbid_names_under_its_domain_or_be_a_trial() -> None:
    raw = signed(MAIL, rsa(), more=" i=@mail.client.example;")
    assert result(raw, published=record(rsa(), more=" t=s;")) == "permerror"
    assert result(signed(MAIL, rsa()), published=record(rsa(), more=" t=s;")) == "pass"
    assert result(signed(MAIL, rsa()), published=record(rsa(), more=" t=y:s;")) == "neutral"
    assert result(signed(MAIL, rsa()), published=record(rsa(), more=" h=sha1 : sha256; s=email; n=note;")) == "pass"


@pytest.mark.parametrize(
    "tags",
    [
        "v=2; a=rsa-sha256; d=client.example; s=s1; h=from; bh=AAAA; b=AAAA",
        "a=rsa-sha256; d=client.example; s=s1; h=from; bh=AAAA; b=AAAA",
        "v=1; a=rsa-md5; d=client.example; s=s1; h=from; bh=AAAA; b=AAAA",
        "v=1; a=rsa-sha256; d=client.example; h=from; bh=AAAA; b=AAAA",
        "v=1; a=rsa-sha256; d=client.example; s=s1; h=to; bh=AAAA; b=AAAA",
        "v=1; a=rsa-sha256; d=client.example; s=s1; h=from; b=AAAA",
        "v=1; a=rsa-sha256; d=client.example; s=s1; h=from; bh=AAAA; b=?",
        "v=1; a=rsa-sha256; d=client.example; s=s1; h=from; bh=AAAA; b=AAAA; b=BBBB",
        "v=1; a=rsa-sha256; d=client.example; s=s1; h=from; bh=AAAA; b=AAAA; l=x",
        "v=1; a=rsa-sha256; d=client.example; s=s1; h=from; bh=AAAA; b=AAAA; c=strange",
        "v=1; a=rsa-sha256; d=client.example; s=s1; h=from; bh=AAAA; b=AAAA; q=http",
        "nonsense",
        "",
    ],
)
def test_a_strange_signature_says_nothing(tags: str) -> None:
    raw = f"DKIM-Signature: {tags}\r\n".encode() + MAIL
    assert all(one.result == "permerror" for one in check(raw, {NAME: record(rsa())}.get, NOW))


def test_no_key_is_looked_up_for_strangers_nor_for_a_body_that_was_changed() -> None:
    asked: list[str] = []

    def find(name: str) -> bytes | None:
        asked.append(name)
        return None

    raw = signed(signed(MAIL, rsa(), domain="list.example"), rsa())
    check(raw, find, NOW, only=lambda domain: domain == "client.example")
    assert asked == [NAME]
    check(signed(MAIL, rsa()) + b"more", find, NOW)
    assert asked == [NAME]


def test_a_key_that_cannot_be_had_now_is_said_so() -> None:
    def find(name: str) -> bytes | None:
        raise KeyUnavailable("silence")

    (one,) = check(signed(MAIL, rsa()), find, NOW)
    assert one.result == "temperror"


# ---------------------------------------------------------------- whatever comes


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 900))
def test_nothing_raises(junk: bytes, at: int) -> None:
    raw = signed(MAIL, ed25519())
    check(raw[:at] + junk + raw[at:], {NAME: record(ed25519())}.get, NOW)
    check(b"DKIM-Signature: " + junk + b"\r\n" + MAIL, {NAME: junk}.get, NOW)


def test_what_is_made_to_cost_time_does_not() -> None:
    bombs = [
        b"DKIM-Signature: " + b"a=1;" * 4000 + b"\r\n" + MAIL,
        b"DKIM-Signature: v=1; d=client.example; b" + b" " * 60_000 + b"\r\n" + MAIL,
        signed(MAIL, ed25519()) + b"\r\n" * 4_000_000,
        signed(MAIL, ed25519()) + b" \t" * 4_000_000,
        signed(MAIL, ed25519()) + b"\r" * 4_000_000,
        signed(MAIL, ed25519()) + b"\r\r\n" * 2_000_000,
        b"X: y\r\n" * 100_000 + signed(MAIL, ed25519()),
        b"DKIM-Signature: v=1; a=rsa-sha256; d=client.example; s=s1; h="
        + b"from:" * 3000
        + b"from; bh=AA==; b=AA==\r\n"
        + MAIL,
        signed(MAIL, ed25519()) * 1000,
    ]
    started = time.process_time()
    for bomb in bombs:
        check(bomb, {NAME: record(ed25519())}.get, NOW)
    assert time.process_time() - started < 3
