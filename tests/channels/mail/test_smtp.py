"""Mail handed to servers that take it, refuse it, and leave one in doubt."""

from __future__ import annotations

import asyncio
import email
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email.policy import SMTP as AS_SENT
from pathlib import Path
from typing import Any

import pytest

from channels.errors import ChannelError, LoginRejected, OutcomeUnknown, PermanentFailure, SomeRefused, TemporaryFailure
from channels.mail.smtp import Patience, Smtp, SmtpServer
from inbox.notices import Letter
from inbox.outbox import LETTER_LEASE
from inbox.parts import BlobId, ChannelId
from tests.conftest import require_server
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.dovecot import Dovecot, free_ports
from tests.servers.postfix import Postfix
from tests.servers.scripted_smtp import (
    HANGS_UP,
    HANGS_UP_HALFWAY,
    READS_LATE,
    REFUSES_HALFWAY,
    SAYS_NOTHING,
    ScriptedSmtp,
)

DESK = ChannelId("mail:cabinet")
RAW = (
    b"From: Cabinet <cabinet@desk.test>\r\nTo: jean@client.test\r\nSubject: Re: rendez-vous\r\n"
    b"Message-ID: <1@desk.test>\r\n\r\nBonjour,\r\n.\r\n..\r\nA demain.\r\n"
)
QUICK = Patience(
    connect=timedelta(seconds=5),
    first_answer=timedelta(seconds=0.2),
    before_text=timedelta(seconds=5),
    answer=timedelta(seconds=5),
)


def letter(*recipients: str, sender: str = "cabinet@desk.test") -> Letter:
    return Letter(
        sender=sender,
        recipients=recipients or ("jean@client.test",),
        blob_id=BlobId("blob"),
        message_id="1@desk.test",
    )


@asynccontextmanager
async def smtp_to(port: int, patience: Patience = QUICK, **settings: Any) -> AsyncIterator[Smtp]:
    server = replace(SmtpServer("127.0.0.1", port, "none"), **settings)
    smtp = Smtp(DESK, server, patience)
    try:
        yield smtp
    finally:
        await smtp.close()


async def failure_of(smtp: Smtp, mail: Letter | None = None, raw: bytes = RAW) -> ChannelError:
    with pytest.raises(ChannelError) as failed:
        await smtp.send(mail or letter(), raw)
    return failed.value


# ---------------------------------------------------------------- a real server


@pytest.fixture
def postfix(dovecot: Dovecot) -> Iterator[Postfix]:
    require_server("postfix")
    if os.getuid() != 0:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail("Postfix's master runs as root only, and REQUIRE_SERVERS=1 demands it")
        pytest.skip("Postfix's master runs as root only")
    with Postfix(lmtp_port=dovecot.lmtp_port, sasl_port=dovecot.sasl_port) as server:
        yield server


async def mails_of(dovecot: Dovecot, user: str, count: int) -> list[bytes]:
    def wait() -> list[bytes]:
        deadline = time.monotonic() + 20
        while len(mails := dovecot.mails(user)) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return mails

    return await asyncio.to_thread(wait)


async def test_letters_arrive_whole_over_one_connection(postfix: Postfix, dovecot: Dovecot) -> None:
    async with smtp_to(postfix.port) as smtp:
        first = await smtp.send(letter(), RAW)
        await smtp.send(letter("jean@client.test", "anne@client.test"), RAW)
        assert first.reference.startswith("250 2.0.0 Ok: queued as ")
    for mail in await mails_of(dovecot, "jean", 2):
        assert mail.replace(b"\r\n", b"\n").endswith(b"\n\nBonjour,\n.\n..\nA demain.\n")
    assert len(await mails_of(dovecot, "anne", 1)) == 1
    log = (postfix.root / "maillog").read_text()
    assert log.count(": connect from") == 2  # the first looked whether the server is up


async def test_letters_sent_at_the_same_time_wait_for_one_another(postfix: Postfix, dovecot: Dovecot) -> None:
    async with smtp_to(postfix.port) as smtp:
        await asyncio.gather(*(smtp.send(letter(), RAW) for _ in range(20)))
    assert len(await mails_of(dovecot, "jean", 20)) == 20


async def test_a_busy_mailbox_is_tried_again_and_one_that_does_not_exist_is_not(
    postfix: Postfix, dovecot: Dovecot
) -> None:
    async with smtp_to(postfix.port) as smtp:
        some = await failure_of(smtp, letter("jean@client.test", "tempfail@client.test", "nobody@client.test"))
        assert isinstance(some, SomeRefused)
        busy, nobody = some.refused["tempfail@client.test"], some.refused["nobody@client.test"]
        assert isinstance(busy, TemporaryFailure)
        assert (busy.reason, busy.detail[:9]) == ("failure.mailbox_busy", "450 4.2.1")
        assert isinstance(nobody, PermanentFailure)
        assert nobody.reason == "failure.recipient_refused"
        await smtp.send(letter("anne@client.test"), RAW)
    await mails_of(dovecot, "anne", 1)
    assert dovecot.mails("jean") == []  # all of the recipients or none


async def test_a_login_over_starttls_lets_mail_leave(postfix: Postfix, dovecot: Dovecot) -> None:
    login: dict[str, Any] = {"tls": "starttls", "ca_file": postfix.certificates.ca_file, "user": "cabinet"}
    async with smtp_to(postfix.port, password=dovecot.password, **login) as smtp:
        await smtp.send(letter(), RAW)
        assert [(finding.level, finding.says) for finding in await smtp.check()] == [("ok", "Logged in as cabinet.")]
    async with smtp_to(postfix.port, password="another", **login) as smtp:
        refused = await failure_of(smtp)
        assert isinstance(refused, LoginRejected)
        assert "another" not in refused.detail
        assert [finding.level for finding in await smtp.check()] == ["error"]
    assert len(await mails_of(dovecot, "jean", 1)) == 1


async def test_a_certificate_signed_by_somebody_else_is_refused_and_check_says_what_to_do(
    postfix: Postfix, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path / "other")
    async with smtp_to(postfix.port, tls="starttls", ca_file=other.ca_file) as smtp:
        refused = await failure_of(smtp)
        assert isinstance(refused, TemporaryFailure)
        assert refused.reason == "failure.tls"
        (finding,) = await smtp.check()
        assert finding.level == "error"
        assert str(other.ca_file) in finding.remedy


async def test_a_letter_larger_than_the_server_takes_is_refused_before_it_is_sent(postfix: Postfix) -> None:
    async with smtp_to(postfix.port) as smtp:
        refused = await failure_of(smtp, raw=RAW + b"x" * 50_000_001)
    assert isinstance(refused, PermanentFailure)
    assert refused.reason == "failure.too_large"


# ---------------------------------------------------------------- clear answers


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("greeting", "failure.server_busy"),
        ("EHLO", "failure.server_busy"),
        ("MAIL", "failure.server_busy"),
        ("RCPT", "failure.mailbox_busy"),
        ("DATA", "failure.server_busy"),
        ("text", "failure.server_busy"),
    ],
)
@pytest.mark.parametrize("answer", ["421 4.3.2 going down", "450 4.2.0 not now", "454 4.7.0 not now"])
async def test_a_refusal_for_now_is_temporary_and_the_next_letter_leaves(at: str, reason: str, answer: str) -> None:
    async with ScriptedSmtp.saying({at: answer}, {}) as server, smtp_to(server.port) as smtp:
        failure = await failure_of(smtp)
        assert isinstance(failure, TemporaryFailure)
        assert failure.reason == reason
        assert server.taken == []
        server.scripts.appendleft({})
        server.hang_up()
        await smtp.send(letter(), RAW)
        assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("at", "answer", "reason"),
    [
        ("MAIL", "550 5.7.1 not you", "failure.sender_refused"),
        ("MAIL", "552 5.3.4 too large", "failure.too_large"),
        ("MAIL", "553 5.1.8 who?", "failure.sender_refused"),
        ("RCPT", "550 5.1.1 no such user", "failure.recipient_refused"),
        ("RCPT", "552 5.2.2 mailbox full", "failure.recipient_refused"),
        ("RCPT", "501 what", "failure.recipient_refused"),
        ("DATA", "554 5.5.1 no valid recipients", "failure.text_refused"),
        ("text", "554 5.7.1 it looks like spam", "failure.text_refused"),
        ("text", "552 5.3.4 too large", "failure.too_large"),
        ("text", "550 5.1.1 nobody there after all", "failure.recipient_refused"),
    ],
)
async def test_a_refusal_for_ever_is_permanent(at: str, answer: str, reason: str) -> None:
    async with ScriptedSmtp.saying({at: answer}) as server, smtp_to(server.port) as smtp:
        failure = await failure_of(smtp)
    assert isinstance(failure, PermanentFailure)
    assert (failure.reason, failure.detail) == (reason, answer)
    assert server.taken == []


@pytest.mark.parametrize("answer", ["530 5.7.0 authentication required", "535 5.7.8 token expired"])
async def test_a_server_that_wants_a_login_first_rejects_ours(answer: str) -> None:
    async with ScriptedSmtp.saying({"MAIL": answer}) as server, smtp_to(server.port) as smtp:
        assert isinstance(await failure_of(smtp), LoginRejected)


@pytest.mark.parametrize(("answer", "kind"), [("550 5.1.1 no", PermanentFailure), ("452 4.2.2 full", TemporaryFailure)])
async def test_of_some_recipients_refused_each_is_named_and_none_gets_it(
    answer: str, kind: type[PermanentFailure] | type[TemporaryFailure]
) -> None:
    async with ScriptedSmtp.saying({"RCPT 2": answer}) as server, smtp_to(server.port) as smtp:
        failure = await failure_of(smtp, letter("jean@client.test", "x@client.test", "anne@client.test"))
        assert isinstance(failure, SomeRefused)
        ((recipient, why),) = failure.refused.items()
        assert recipient == "x@client.test"
        assert isinstance(why, kind)
        assert why.detail == answer
        await smtp.send(letter(), RAW)
    assert [taken.recipients for taken in server.taken] == [["jean@client.test"]]
    assert "RSET" in server.commands[0]
    assert len(server.commands) == 1


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"RCPT 1": "550 5.1.1 no", "RCPT 2": "550 5.1.1 no"}, PermanentFailure),
        ({"RCPT 1": "550 5.1.1 no", "RCPT 2": "450 4.2.0 later"}, TemporaryFailure),
    ],
)
async def test_all_recipients_refused_is_one_refusal_and_for_now_if_one_of_them_is(
    answers: dict[str, str], kind: type[ChannelError]
) -> None:
    async with ScriptedSmtp.saying(answers) as server, smtp_to(server.port) as smtp:
        assert isinstance(await failure_of(smtp, letter("jean@client.test", "x@client.test")), kind)


async def test_a_server_that_goes_away_between_two_recipients_refuses_neither() -> None:
    async with ScriptedSmtp.saying({"RCPT 2": "421 4.3.2 going down"}) as server, smtp_to(server.port) as smtp:
        failure = await failure_of(smtp, letter("jean@client.test", "x@client.test"))
    assert isinstance(failure, TemporaryFailure)


# ---------------------------------------------------------------- no answer, or none that can be understood


@pytest.mark.parametrize("at", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("answer", [HANGS_UP, "hello there", "999 what", "250 ok\r\n250 and more"])
async def test_before_the_text_a_server_that_breaks_off_or_babbles_certainly_has_nothing(at: str, answer: str) -> None:
    if (at, answer[:3]) == ("greeting", "250"):
        answer = "220 ready\r\n220 and more"
    async with ScriptedSmtp.saying({at: answer}) as server, smtp_to(server.port) as smtp:
        failure = await failure_of(smtp)
    assert isinstance(failure, TemporaryFailure)
    assert server.taken == []


@pytest.mark.parametrize("at", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_before_the_text_a_silent_server_is_given_up_in_time(at: str) -> None:
    patience = replace(QUICK, connect=timedelta(seconds=0.2), before_text=timedelta(seconds=0.3))
    async with ScriptedSmtp.saying({at: SAYS_NOTHING}) as server, smtp_to(server.port, patience) as smtp:
        failure = await failure_of(smtp)
    assert isinstance(failure, TemporaryFailure)
    assert failure.reason == "failure.connection"


@pytest.mark.parametrize(
    "answer", [HANGS_UP, HANGS_UP_HALFWAY, READS_LATE, SAYS_NOTHING, "hello there", "999 what", "354 go on", "0"]
)
async def test_after_the_text_has_begun_no_clear_answer_is_an_unknown_outcome(answer: str) -> None:
    patience = replace(QUICK, answer=timedelta(seconds=0.3))
    async with ScriptedSmtp.saying({"text": answer}, {}) as server, smtp_to(server.port, patience) as smtp:
        assert isinstance(await failure_of(smtp), OutcomeUnknown)
        await smtp.send(letter(), RAW)  # the next one is not out of step
        assert len(server.taken) == 1
        assert len(server.commands) == 2


async def test_of_a_text_we_gave_up_on_the_end_never_follows_so_it_is_certainly_not_sent() -> None:
    patience = replace(QUICK, block=timedelta(seconds=0.3))
    async with ScriptedSmtp.saying({"text": READS_LATE}) as server, smtp_to(server.port, patience) as smtp:
        assert isinstance(await failure_of(smtp, raw=RAW + b"x\r\n" * 10_000_000), TemporaryFailure)
        server.reads.set()
        assert not (await server.late).endswith(b"\r\n.\r\n")


async def test_a_connection_that_breaks_in_the_middle_of_a_long_text_leaves_no_doubt() -> None:
    async with ScriptedSmtp.saying({"text": HANGS_UP_HALFWAY}, {}) as server, smtp_to(server.port) as smtp:
        failure = await failure_of(smtp, raw=RAW + b"x\r\n" * 10_000_000)
        assert isinstance(failure, TemporaryFailure)
        assert failure.reason == "failure.connection"
        await smtp.send(letter(), RAW)
    assert len(server.taken) == 1


async def test_a_refusal_in_the_middle_of_a_long_text_is_heard_and_the_rest_is_not_sent() -> None:
    async with ScriptedSmtp.saying({"text": REFUSES_HALFWAY}) as server, smtp_to(server.port) as smtp:
        failure = await failure_of(smtp, raw=RAW + b"x\r\n" * 10_000_000)
        assert isinstance(failure, PermanentFailure)
        assert failure.reason == "failure.too_large"
        assert not (await server.late).endswith(b"\r\n.\r\n")


def test_all_that_one_letter_may_take_ends_before_its_lease() -> None:
    assert Patience().longest < LETTER_LEASE * 9 / 10


async def test_cancelling_while_the_server_thinks_leaves_no_connection_out_of_step() -> None:
    async with ScriptedSmtp.saying({"text": SAYS_NOTHING}, {}) as server, smtp_to(server.port) as smtp:
        sending = asyncio.create_task(smtp.send(letter(), RAW))
        await server.has_text.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await smtp.send(letter("anne@client.test"), RAW)
    assert [taken.recipients for taken in server.taken] == [["anne@client.test"]]
    assert len(server.commands) == 2


async def test_cancelling_during_a_refusal_leaves_no_connection_behind() -> None:
    async with (
        ScriptedSmtp.saying({"RCPT": "450 later", "RSET": SAYS_NOTHING}, {}) as server,
        smtp_to(server.port) as smtp,
    ):
        sending = asyncio.create_task(smtp.send(letter(), RAW))
        await server.hears("RSET")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await smtp.send(letter(), RAW)
    assert len(server.taken) == 1


# ---------------------------------------------------------------- kept connections


@pytest.mark.parametrize(
    "second_mail", [HANGS_UP, SAYS_NOTHING, "421 4.7.0 enough", "452 too many mails", "503 what?", "nonsense"]
)
async def test_a_kept_connection_that_has_gone_stale_is_replaced_before_anything_is_lost(second_mail: str) -> None:
    async with ScriptedSmtp.saying({}, {}) as server, smtp_to(server.port) as smtp:
        await smtp.send(letter(), RAW)
        server.says[0]["MAIL"] = second_mail
        await smtp.send(letter(), RAW)
    assert len(server.taken) == 2
    assert len(server.commands) == 2


async def test_a_connection_its_server_closed_meanwhile_is_replaced() -> None:
    async with ScriptedSmtp() as server, smtp_to(server.port) as smtp:
        await smtp.send(letter(), RAW)
        server.hang_up()
        await smtp.send(letter(), RAW)
    assert len(server.taken) == 2


async def test_a_refusal_on_a_kept_connection_stands_when_a_fresh_one_repeats_it() -> None:
    async with ScriptedSmtp.saying({}, {"MAIL": "550 5.7.1 blocked"}) as server, smtp_to(server.port) as smtp:
        await smtp.send(letter(), RAW)
        server.says[0]["MAIL"] = "550 5.7.1 blocked"
        assert isinstance(await failure_of(smtp), PermanentFailure)
    assert len(server.taken) == 1


async def test_a_connection_nobody_needs_is_closed_politely() -> None:
    patience = replace(QUICK, idle=timedelta(seconds=0.05))
    async with ScriptedSmtp() as server, smtp_to(server.port, patience) as smtp:
        await smtp.send(letter(), RAW)
        await server.hears("QUIT")
        await smtp.send(letter(), RAW)
    assert len(server.commands) == 2


async def test_who_waits_too_long_for_another_letter_is_told_before_anything_leaves() -> None:
    patience = replace(QUICK, turn=timedelta(seconds=0.2), answer=timedelta(seconds=1))
    async with ScriptedSmtp.saying({"text": SAYS_NOTHING}) as server, smtp_to(server.port, patience) as smtp:
        first = asyncio.create_task(failure_of(smtp))
        await server.has_text.wait()
        second = await failure_of(smtp)
        assert isinstance(second, TemporaryFailure)
        assert second.reason == "failure.server_busy"
        assert isinstance(await first, OutcomeUnknown)
    assert len(server.commands) == 1


# ---------------------------------------------------------------- what may be said at all


@pytest.mark.parametrize(
    "address",
    [
        "a@b.test>\r\nRCPT TO:<x@y.test",
        "a@b.test> SIZE=1",
        "",
        "nobody",
        "a@b.test, c@d.test",
        "a\n@b.test",
        "<a@b.test>",
    ],
)
async def test_what_is_no_address_never_reaches_a_server(address: str) -> None:
    async with ScriptedSmtp() as server, smtp_to(server.port) as smtp:
        for mail in (letter("jean@client.test", address), letter(sender=address)):
            assert isinstance(await failure_of(smtp, mail), PermanentFailure)
        await smtp.send(letter(), RAW)
    assert len(server.taken) == 1
    assert len(server.commands) == 1


async def test_an_address_beyond_ascii_leaves_only_where_the_server_takes_it() -> None:
    hello = "250-scripted.test\r\n250-8BITMIME\r\n250 SMTPUTF8"
    raw = RAW.replace(b"jean@", "jérôme@".encode())
    async with ScriptedSmtp.saying({"EHLO": hello}) as server, smtp_to(server.port) as smtp:
        await smtp.send(letter("jérôme@client.test"), raw)
    assert server.taken[0].recipients == ["jérôme@client.test"]
    assert server.commands[0][1] == "MAIL FROM:<cabinet@desk.test> SMTPUTF8 BODY=8BITMIME"
    async with ScriptedSmtp() as server, smtp_to(server.port) as smtp:
        failure = await failure_of(smtp, letter("jérôme@client.test"), raw)
        assert isinstance(failure, PermanentFailure)
        assert failure.reason == "failure.no_smtputf8"
        await smtp.send(letter(), RAW)
    assert len(server.taken) == 1


async def test_reports_of_failure_and_delay_are_asked_for_where_the_server_offers_them() -> None:
    hello = "250-scripted.test\r\n250 DSN"
    async with ScriptedSmtp.saying({"EHLO": hello}) as server, smtp_to(server.port) as smtp:
        await smtp.send(letter("jean@client.test", "anne@client.test"), RAW)
    said = server.commands[0]
    assert [line for line in said if line.startswith("MAIL")] == [
        f"MAIL FROM:<cabinet@desk.test> RET=HDRS ENVID={letter().message_id}"
    ]
    assert [line for line in said if line.startswith("RCPT")] == [
        "RCPT TO:<jean@client.test> NOTIFY=FAILURE,DELAY",
        "RCPT TO:<anne@client.test> NOTIFY=FAILURE,DELAY",
    ]


async def test_a_lone_line_feed_cannot_end_a_text_early() -> None:
    async with ScriptedSmtp() as server, smtp_to(server.port) as smtp:
        await smtp.send(letter(), b"Subject: x\r\n\r\nbefore\n.\nMAIL FROM:<evil@x.test>\r.\rafter")
    assert server.taken[0].text == (
        b"Subject: x\r\n\r\nbefore\r\n..\r\nMAIL FROM:<evil@x.test>\r\n..\r\nafter\r\n.\r\n"
    )
    assert len(server.commands[0]) == 5  # EHLO, MAIL, RCPT, DATA, QUIT


async def test_what_a_server_says_can_be_stored_and_shown() -> None:
    async with ScriptedSmtp.saying({"text": "250 merci\x07 \udce9"}) as server, smtp_to(server.port) as smtp:
        sent = await smtp.send(letter(), RAW)
    assert sent.reference == "250 merci ?"


# ---------------------------------------------------------------- connecting


async def test_a_server_that_is_not_there_is_a_temporary_failure() -> None:
    (port,) = free_ports(1)
    async with smtp_to(port) as smtp:
        failure = await failure_of(smtp)
        assert isinstance(failure, TemporaryFailure)
        assert failure.reason == "failure.connection"
        (finding,) = await smtp.check()
        assert finding.says == "Nothing listens there."


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".test", "double..dot"])
async def test_a_name_without_a_server_is_a_temporary_failure(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # no test asks a name server
    async with smtp_to(25, host=host) as smtp:
        assert isinstance(await failure_of(smtp), TemporaryFailure)
        assert (await smtp.check())[-1].says == f"No server has the name {host}."


async def test_without_starttls_no_password_and_no_mail_is_sent() -> None:
    async with (
        ScriptedSmtp() as server,
        smtp_to(server.port, tls="starttls", user="cabinet", password="secret") as smtp,
    ):
        failure = await failure_of(smtp)
        assert isinstance(failure, TemporaryFailure)
        assert failure.reason == "failure.tls"
        assert (await smtp.check())[0].level == "error"
    assert {command.split()[0] for commands in server.commands for command in commands} == {"EHLO"}


async def test_a_server_without_encryption_on_a_tls_port_is_said_so() -> None:
    async with ScriptedSmtp() as server, smtp_to(server.port, tls="tls") as smtp:
        failure = await failure_of(smtp)
        assert isinstance(failure, TemporaryFailure)
        assert failure.reason == "failure.tls"
        assert "does not speak TLS here" in (await smtp.check())[0].says


async def test_a_ca_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    async with ScriptedSmtp() as server, smtp_to(server.port, tls="tls", ca_file=missing) as smtp:
        assert (await failure_of(smtp)).reason == "failure.tls"
        assert (await smtp.check())[0].says == f"The file {missing} cannot be read."


async def test_a_login_the_server_does_not_offer_is_a_rejected_login() -> None:
    async with ScriptedSmtp() as server, smtp_to(server.port, user="cabinet", password="secret") as smtp:
        assert isinstance(await failure_of(smtp), LoginRejected)
        assert "offers no login" in (await smtp.check())[0].says


@pytest.mark.parametrize(("answer", "kind"), [("535 5.7.8 no", LoginRejected), ("454 4.7.0 later", TemporaryFailure)])
async def test_a_refused_login_is_tried_once_and_never_shown(answer: str, kind: type[ChannelError]) -> None:
    hello = "250-scripted.test\r\n250 AUTH CRAM-MD5 LOGIN PLAIN"
    async with (
        ScriptedSmtp.saying({"EHLO": hello, "AUTH": answer}) as server,
        smtp_to(server.port, user="cabinet", password="s3cret") as smtp,
    ):
        failure = await failure_of(smtp)
        assert isinstance(failure, kind)
        assert "s3cret" not in repr(smtp._server) + failure.detail
    assert sum(command.startswith("AUTH") for command in server.commands[0]) == 1


@pytest.mark.parametrize(
    ("method", "challenge", "answers"),
    [
        ("PLAIN", "235 welcome", ["AUTH PLAIN AGNhYmluZXQAc8OpY3JldA=="]),
        ("LOGIN", "334 UGFzc3dvcmQ6", ["AUTH LOGIN Y2FiaW5ldA==", "c8OpY3JldA=="]),
        ("CRAM-MD5", "334 PDFAeC50ZXN0Pg==", ["AUTH CRAM-MD5"]),
    ],
)
async def test_every_usual_way_to_log_in_is_known(method: str, challenge: str, answers: list[str]) -> None:
    says = {"EHLO": f"250-scripted.test\r\n250 AUTH {method}", "AUTH": challenge, "else": "235 welcome"}
    async with (
        ScriptedSmtp.saying(says) as server,
        smtp_to(server.port, user="cabinet", password="sécret") as smtp,
    ):
        await smtp.send(letter(), RAW)
    assert len(server.taken) == 1
    assert server.commands[0][1 : 1 + len(answers)] == answers


async def test_a_letter_leaves_encrypted_from_the_first_octet(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    server = ScriptedSmtp(tls=encrypting(certificates))
    async with server, smtp_to(server.port, tls="tls", ca_file=certificates.ca_file) as smtp:
        await smtp.send(letter(), RAW)
        await smtp.send(letter(), RAW)
    assert len(server.taken) == 2
    assert len(server.commands) == 1


async def test_a_certificate_for_another_name_is_refused_and_check_says_so(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path, "mail.other.test")
    server = ScriptedSmtp(tls=encrypting(certificates))
    async with server, smtp_to(server.port, tls="tls", ca_file=certificates.ca_file) as smtp:
        assert (await failure_of(smtp)).reason == "failure.tls"
        assert (await smtp.check())[0].remedy.startswith("It names other servers than 127.0.0.1")
    assert server.taken == []


def encrypting(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    return context


async def test_check_warns_of_a_password_that_travels_in_the_open() -> None:
    async with smtp_to(1, host="smtp.example.test", user="cabinet", password="secret") as smtp:
        assert (await smtp.check())[0].level == "warning"


async def test_a_letter_stays_readable_after_the_way_through_a_server(postfix: Postfix, dovecot: Dovecot) -> None:
    raw = RAW.replace(b"rendez-vous", b"=?utf-8?q?=C3=A9t=C3=A9?=")
    async with smtp_to(postfix.port) as smtp:
        await smtp.send(letter(), raw)
    (mail,) = await mails_of(dovecot, "jean", 1)
    assert email.message_from_bytes(mail, policy=AS_SENT)["Subject"] == "Re: été"
