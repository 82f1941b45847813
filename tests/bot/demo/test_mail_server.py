"""The demo's mail server, spoken to as mail programs speak to it."""

from __future__ import annotations

import asyncio
import imaplib
import smtplib
from collections.abc import AsyncIterator

import pytest

from bot.demo.mail_server import Mail, MailServer, Refused

pytestmark = pytest.mark.filterwarnings("error")

ALICE = "alice@client.test"
DESK = "cabinet@account.test"
MAIL = b"From: alice@client.test\r\nTo: cabinet@account.test\r\nSubject: Bonjour\r\n\r\nUn mot.\r\n.\r\n..\r\n"


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer({ALICE: "her secret", DESK: "our secret"}) as running:
        yield running


def read_folder(port: int, address: str, password: str, folder: str = "INBOX") -> list[bytes]:
    with imaplib.IMAP4("127.0.0.1", port, timeout=10) as client:
        client.login(address, password)
        assert client.select(folder, readonly=True)[0] == "OK"
        numbers = client.search(None, "ALL")[1][0].split()
        found = [client.fetch(number.decode(), "(BODY.PEEK[])")[1][0] for number in numbers]
        return [part[1] for part in found if isinstance(part, tuple)]


async def test_what_a_client_sends_is_in_the_other_mailbox_by_imap_and_in_her_sent_folder(
    server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    await server.submit(ALICE, [DESK], MAIL)

    [received] = await asyncio.to_thread(read_folder, server.imap_port, DESK, "our secret")
    assert received.endswith(MAIL)
    assert received.startswith(b"Return-Path: <alice@client.test>\r\nDelivered-To: cabinet@account.test\r\n")
    assert [mail.raw for mail in server.inbox(DESK)] == [received]
    assert await asyncio.to_thread(read_folder, server.imap_port, ALICE, "her secret", "Sent") == [MAIL]
    assert [mail.raw for mail in server.sent(ALICE)] == [MAIL]
    assert server.inbox(ALICE) == []
    assert [record.message for record in caplog.records if record.levelname != "INFO"] == []


async def test_an_idling_mail_program_is_told_at_once(server: MailServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.imap_port)
    async with asyncio.timeout(10):
        await reader.readline()
        for command in (f'a LOGIN "{DESK}" "our secret"', "b SELECT INBOX"):
            writer.write(f"{command}\r\n".encode())
            while not (await reader.readline()).startswith(command[:1].encode()):
                pass
        writer.write(b"c IDLE\r\n")
        assert (await reader.readline()).startswith(b"+")
        await server.submit(ALICE, [DESK], MAIL)
        assert await reader.readline() == b"* 1 EXISTS\r\n"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("recipient", "code"), [("nope@account.test", 550), ("later@account.test", 451), ("who@else.test", 550)]
)
async def test_a_recipient_it_does_not_take_is_refused_with_its_code(
    server: MailServer, recipient: str, code: int
) -> None:
    with pytest.raises(Refused) as refusal:
        await server.submit(ALICE, [recipient], MAIL)
    assert refusal.value.code == code
    assert server.sent(ALICE) == []


async def test_a_refused_recipient_does_not_keep_the_others_from_theirs(server: MailServer) -> None:
    await server.submit(ALICE, ["nope@account.test", DESK], MAIL)
    assert len(server.inbox(DESK)) == 1


async def test_a_wrong_password_opens_neither_server(server: MailServer) -> None:
    def log_in_by_smtp() -> None:
        with smtplib.SMTP("127.0.0.1", server.smtp_port, local_hostname="localhost", timeout=10) as client:
            client.login(ALICE, "our secret")

    with pytest.raises(smtplib.SMTPAuthenticationError):
        await asyncio.to_thread(log_in_by_smtp)
    with pytest.raises(imaplib.IMAP4.error):
        await asyncio.to_thread(read_folder, server.imap_port, ALICE, "our secret")


async def test_a_large_mail_is_taken_whole(server: MailServer) -> None:
    large = MAIL + b"0123456789abcdef" * 4 + b"\r\n"
    large += (b"0123456789abcdef" * 4 + b"\r\n") * (10_000_000 // 66)
    await server.submit(ALICE, [DESK], large)
    assert server.inbox(DESK)[0].raw.endswith(large)


async def test_waiting_for_a_mail_ends_with_the_one_that_was_wanted(server: MailServer) -> None:
    def says_second(mail: Mail) -> bool:
        return b"second" in mail.raw

    heard: list[str] = []
    server.listeners.append(heard.append)
    waiting = asyncio.create_task(server.wait_for(DESK, says_second))
    await server.submit(ALICE, [DESK], MAIL)
    await server.submit(ALICE, [DESK], MAIL.replace(b"Un mot", b"second"))
    assert b"second" in (await waiting).raw
    assert heard == [DESK, ALICE, DESK, ALICE]
    with pytest.raises(TimeoutError):
        await server.wait_for(ALICE, says_second, seconds=0.01)


async def test_stopping_ends_the_connections_that_are_open() -> None:
    async with MailServer({DESK: "our secret"}) as server:
        imap, to_imap = await asyncio.open_connection("127.0.0.1", server.imap_port)
        smtp, to_smtp = await asyncio.open_connection("127.0.0.1", server.smtp_port)
        await imap.readline()
        await smtp.readline()
    async with asyncio.timeout(10):
        assert (await imap.read()).startswith(b"* BYE")
        assert await smtp.read() == b""
    for writer in (to_imap, to_smtp):
        writer.close()
