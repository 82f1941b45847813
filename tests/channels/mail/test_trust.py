"""Where a mail comes from: only our own server's word counts, however well somebody imitates it."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.mail.dkim import KeyUnavailable
from channels.mail.trust import Judge, read_results
from inbox.particulars import Trust, Verdict
from tests.channels.mail.signing import record, signed

OURS = "mx.desk.example"
BORDER = "Received: from client.example by mx.desk.example; Mon, 2 Mar 2026 09:00:00 +0100\r\n"
FROM = "From: Paul <paul@client.example>\r\n"


def judged(*head: str, sender: str = FROM, trusted: tuple[str, ...] = (OURS,)) -> Trust | None:
    raw = "".join(head) + sender + "To: cabinet@roux.example\r\nSubject: x\r\n\r\nBonjour\r\n"
    return Judge(trusted)(raw.encode())


def said(results: str, *, by: str = f"{OURS}; ", sender: str = FROM, trusted: tuple[str, ...] = (OURS,)) -> Trust:
    trust = judged(f"Authentication-Results: {by}{results}\r\n", BORDER, sender=sender, trusted=trusted)
    assert trust is not None
    return trust


# ---------------------------------------------------------------- what it comes to


@pytest.mark.parametrize(
    "results",
    [
        "dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=client.example",
        "dkim=pass header.i=@client.example header.s=s1 header.b=abc; spf=none",
        "dkim=pass (2048-bit key; unprotected) header.d=client.example",
        "dkim=fail header.d=client.example; dkim=pass header.d=mail.client.example",
        "spf=pass (desk: domain of paul@client.example designates 192.0.2.1) smtp.mailfrom=paul@client.example",
        "spf=pass smtp.mail=client.example",
        'spf=pass smtp.mailfrom="paul@client.example"',
        "spf/1=pass smtp.mailfrom=bounce@em.client.example; dmarc=none",
        "spf=fail smtp.mailfrom=srs@forwarder.example; dkim=pass header.d=client.example; dmarc=pass",
        "SPF=Pass SMTP.MailFrom=Client.Example",
        "dmarc=bestguesspass action=none header.from=client.example",
        "dkim=fail header.d=client.example; dmarc=pass header.from=<paul@client.example>",
    ],
)
def test_a_mail_that_proves_where_it_is_from(results: str) -> None:
    assert said(results).verdict is Verdict.VERIFIED


@pytest.mark.parametrize(
    "results",
    [
        "dmarc=fail (p=REJECT sp=REJECT dis=NONE) header.from=client.example",
        "dmarc=fail (p=quarantine dis=quarantine) header.from=client.example",
        "dmarc=fail(p=reject) header.from=client.example",
        'dmarc=fail reason="SPF not aligned (relaxed), No valid DKIM" header.from=client.example (policy=reject)',
        "dmarc=fail header.from=client.example policy.dmarc=quarantine",
        "dmarc=fail policy.published-domain-policy=reject policy.applied-disposition=none header.from=client.example",
        "dmarc=fail action=oreject header.from=client.example",
        "spf=pass smtp.mailfrom=evil.example; dkim=pass header.d=evil.example; dmarc=fail (p=reject)",
        "spf=fail smtp.mailfrom=paul@client.example; dkim=none",
        "spf=hardfail smtp.mailfrom=paul@client.example; dmarc=none",
        "spf=fail smtp.mailfrom=client.example; dkim=none; dmarc=fail action=quarantine header.from=client.example;"
        "compauth=fail reason=000",
    ],
)
def test_a_mail_its_owner_disowns(results: str) -> None:
    assert said(results).verdict is Verdict.FORGED


@pytest.mark.parametrize(
    "results",
    [
        "dmarc=fail (p=none dis=none) header.from=client.example",
        "dmarc=fail action=none header.from=client.example; compauth=fail reason=001",
        "spf=pass smtp.mailfrom=evil.example; dkim=none",
        "dkim=pass header.d=evil.example",
        "dkim=pass header.d=notclient.example; spf=softfail smtp.mailfrom=client.example",
        "spf=fail smtp.mailfrom=client.example; dkim=pass header.d=forwarder.example",
        "spf=softfail smtp.mailfrom=client.example",
        "dkim=fail header.d=client.example",
        "spf=fail smtp.mailfrom=client.example; dkim=none; dmarc=fail (p=none) header.from=client.example",
        # A list that our server believes (RFC 8617): it let the mail in against its owner's policy.
        "dmarc=fail (p=reject dis=none) header.from=client.example; arc=pass (i=1 spf=pass)",
        "spf=pass smtp.helo=client.example",
    ],
)
def test_a_mail_that_proves_nothing(results: str) -> None:
    assert said(results).verdict is Verdict.UNVERIFIED


@pytest.mark.parametrize(
    "results",
    ["none", "spf=none; dkim=none; dmarc=none", "spf=temperror; dkim=none", "spf=neutral; dmarc=permerror", ""],
)
def test_a_mail_nobody_can_tell_about(results: str) -> None:
    assert said(results).verdict is Verdict.UNKNOWN


def test_a_policy_for_what_is_under_a_domain() -> None:
    under = "From: x@news.client.example\r\n"
    lax = "dmarc=fail (p=REJECT sp=NONE dis=NONE) header.from=news.client.example"
    assert said(lax, sender=under).verdict is Verdict.UNVERIFIED
    assert said(lax.replace("news.", "")).verdict is Verdict.FORGED
    strict = "dmarc=fail (p=NONE sp=REJECT dis=NONE) header.from=news.client.example"
    assert said(strict, sender=under).verdict is Verdict.FORGED


def test_the_words_are_kept() -> None:
    trust = said("spf=pass smtp.mailfrom=a@evil.example; dkim=none; dmarc=fail (p=reject) header.from=client.example")
    assert trust == Trust(verdict=Verdict.FORGED, spf="pass", dkim="none", dmarc="fail", by=OURS)


# ---------------------------------------------------------------- whose word


def test_nobody_elses_word_counts() -> None:
    forged = "Authentication-Results: mx.evil.example; dmarc=pass header.from=client.example\r\n"
    assert judged(forged, BORDER) is None
    assert judged(forged, BORDER, trusted=()) is None
    assert judged(BORDER) is None


def test_what_a_forger_wrote_below_does_not_count() -> None:
    true = f"Authentication-Results: {OURS}; dmarc=fail (p=reject) header.from=client.example\r\n"
    forged = f"Authentication-Results: {OURS}; dmarc=pass header.from=client.example\r\n"
    for head in ((true, BORDER, forged), (BORDER, true, "Received: from a by b; x\r\n", forged)):
        trust = judged(*head)
        assert trust is not None
        assert trust.verdict is Verdict.FORGED


def test_several_fields_of_our_server_are_one_word() -> None:
    trust = judged(
        f"Authentication-Results: {OURS}; dkim=fail header.d=client.example\r\n",
        f"Authentication-Results: {OURS}; spf=pass smtp.mailfrom=client.example\r\n",
        f"Authentication-Results: {OURS}; dmarc=pass header.from=client.example\r\n",
        BORDER,
    )
    assert trust == Trust(verdict=Verdict.VERIFIED, spf="pass", dkim="fail", dmarc="pass", by=OURS)


def test_a_server_has_many_hosts() -> None:
    trust = said("dmarc=pass header.from=client.example", by="Phl-Mx-03.desk.example 1; ", trusted=("*.desk.example",))
    assert (trust.verdict, trust.by) == (Verdict.VERIFIED, "phl-mx-03.desk.example")
    assert (
        judged("Authentication-Results: evildesk.example; dmarc=pass\r\n", BORDER, trusted=("*.desk.example",)) is None
    )


def test_exchange_online_names_no_server() -> None:
    results = (
        "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=client.example; dkim=pass (signature was verified)\r\n"
        " header.d=client.example;dmarc=pass action=none header.from=client.example;compauth=pass reason=100"
    )
    trust = said(results, by="", trusted=("microsoft",))
    assert trust == Trust(verdict=Verdict.VERIFIED, spf="pass", dkim="pass", dmarc="pass", by="microsoft")
    assert judged(f"Authentication-Results: {results}\r\n", BORDER) is None
    assert judged(f"Authentication-Results: microsoft; {results}\r\n", BORDER, trusted=("microsoft",)) is None


def test_a_chain_counts_where_nothing_from_outside_can_stand() -> None:
    chain = f"ARC-Authentication-Results: i=1; {OURS}; dmarc=pass header.from=client.example\r\n"
    trust = judged(chain, BORDER)
    assert trust is not None
    assert trust.verdict is Verdict.VERIFIED
    assert judged(BORDER, chain) is None
    assert judged(chain.replace(OURS, "mx.evil.example"), BORDER) is None


def test_received_spf_counts_beside_our_servers_word_only() -> None:
    spf = 'Received-SPF: {} (desk) client-ip=192.0.2.1; envelope-from="a@client.example"; receiver=mx.desk.example;\r\n'
    ours = f"Authentication-Results: {OURS}; dkim=none\r\n"
    good = judged(BORDER, spf.format("pass"), ours)
    bad = judged(BORDER, ours, spf.format("Fail"))
    assert good is not None
    assert bad is not None
    assert (good.verdict, good.spf) == (Verdict.VERIFIED, "pass")
    assert (bad.verdict, bad.spf) == (Verdict.FORGED, "fail")
    assert judged(BORDER, spf.format("pass")) is None
    elsewhere = judged(BORDER, ours, spf.format("pass").replace("mx.desk", "mx.evil"))
    assert elsewhere is not None
    assert elsewhere.spf == ""


@pytest.mark.parametrize(
    "sender",
    [
        "From: paul@client.example, eve@evil.example\r\n",
        "From: paul@client.example\r\nFrom: eve@evil.example\r\n",
        "From: nobody\r\n",
        "",
    ],
)
def test_a_mail_of_several_writers_or_none_is_nobodys(sender: str) -> None:
    assert said("dmarc=pass header.from=client.example", sender=sender).verdict is Verdict.UNVERIFIED


def test_a_pass_for_another_from_is_none() -> None:
    assert said("dmarc=pass header.from=evil.example").verdict is Verdict.UNKNOWN


def test_an_accented_domain_is_one_domain() -> None:
    sender = "From: =?utf-8?q?L=C3=A9a?= <lea@école.example>\r\n"
    assert said("dmarc=pass header.from=xn--cole-9oa.example", sender=sender).verdict is Verdict.VERIFIED


def test_a_field_is_read_as_the_grammar_says() -> None:
    read = read_results(
        b' "mx.desk.example" (host (nested \\) ; x)) 1 ; (none so far) dkim=pass reason="good; signature"'
        b"\r\n\theader.d=a.example header.i=@a.example (x=y); spf=fail (p=none)\r\n smtp.mailfrom=b.example;"
    )
    assert read.by == "mx.desk.example"
    assert [(r.method, r.result) for r in read.results] == [("dkim", "pass"), ("spf", "fail")]
    assert read.results[0].properties == {
        "reason": "good; signature",
        "header.d": "a.example",
        "header.i": "@a.example",
    }


# ---------------------------------------------------------------- our own look

KEY = Ed25519PrivateKey.generate()
MAIL = (
    b"From: Paul <paul@client.example>\r\nTo: cabinet@roux.example\r\nSubject: x\r\nDate: x\r\n"
    b"Message-ID: <1@client.example>\r\n\r\nBonjour\r\n"
)


def found(name: str) -> bytes | None:
    return record(KEY)


def looked(raw: bytes) -> Trust | None:
    return Judge((), found, clock=lambda: 0.0)(raw)


def test_our_own_look_where_no_server_looked() -> None:
    assert looked(signed(MAIL, KEY)) == Trust(verdict=Verdict.VERIFIED, dkim="pass")
    tampered = looked(signed(MAIL, KEY).replace(b"Bonjour", b"Bonsoir"))
    assert tampered == Trust(verdict=Verdict.UNVERIFIED, dkim="fail")
    assert looked(MAIL) is None
    assert looked(signed(MAIL, KEY, domain="list.example")) is None
    assert looked(b"From: eve@evil.example\r\n" + signed(MAIL, KEY)) is None


def test_our_servers_word_goes_first() -> None:
    judge = Judge((OURS,), found, clock=lambda: 0.0)
    above = f"Authentication-Results: {OURS}; dkim=fail header.d=client.example\r\n{BORDER}".encode()
    trust = judge(above + signed(MAIL, KEY))
    assert trust is not None
    assert (trust.verdict, trust.by) == (Verdict.UNVERIFIED, OURS)
    silent = f"Authentication-Results: {OURS}; none\r\n{BORDER}".encode()
    trust = judge(silent + signed(MAIL, KEY))
    assert trust == Trust(verdict=Verdict.VERIFIED, dkim="pass")


def test_a_key_that_cannot_be_had_leaves_it_open() -> None:
    def unavailable(name: str) -> bytes | None:
        raise KeyUnavailable("silence")

    assert Judge((), unavailable)(signed(MAIL, KEY)) == Trust(verdict=Verdict.UNKNOWN, dkim="temperror")


def test_a_judge_that_fails_keeps_no_mail_from_being_read() -> None:
    def broken(name: str) -> bytes | None:
        raise RuntimeError("a bug")

    assert Judge((), broken)(signed(MAIL, KEY)) is None


# ---------------------------------------------------------------- whatever comes


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='ab=;()"\\. @<>/1\t', max_size=200))
def test_nothing_raises(value: str) -> None:
    read_results(value.encode())
    judged(f"Authentication-Results: {OURS}; {value}\r\n", f"Received-SPF: {value}\r\n")


def test_what_is_made_to_cost_time_does_not() -> None:
    started = time.process_time()
    for bomb in ("(" * 60_000, '"' * 60_001, "\\" * 60_001, "a" * 60_000, "a=" * 30_000, "a " * 30_000, ";" * 60_000):
        judged(f"Authentication-Results: {OURS}; {bomb}\r\n", f"Received-SPF: {bomb}\r\n")
    judged(*[f"Authentication-Results: {OURS}; spf=pass\r\n"] * 5000)
    assert time.process_time() - started < 2
