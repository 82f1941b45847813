"""What IMAP servers say, well and badly, and what we make of it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Literal

import pytest

from channels.errors import LoginRejected, TemporaryFailure
from channels.mail.imap import Imap, ImapServer, Limits, decode_folder, encode_folder, uid_set
from channels.mail.imap_protocol import ImapProtocol, fetched, tokens
from inbox.parts import ChannelId
from tests.servers.certificates import make_certificates
from tests.servers.dovecot import Dovecot
from tests.servers.scripted_imap import ScriptedImap

DESK = ChannelId("cabinet")
MAIL = b"From: alice@client.test\r\nSubject: Bonjour\r\n\r\nUn mot.\r\n"
SHORT = Limits(connect=timedelta(seconds=5), answer=timedelta(seconds=5))
SOON = timedelta(seconds=0.3)
LONG = timedelta(minutes=5)


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as server:
        yield server


def at_port(port: int, password: str = "secret-word", user: str = "desk") -> ImapServer:
    return ImapServer("127.0.0.1", port, "none", None, user, password)


def at(server: Dovecot, tls: Literal["tls", "starttls", "none"] = "none", user: str = "desk") -> ImapServer:
    port = server.imaps_port if tls == "tls" else server.imap_port
    ca_file = None if tls == "none" else server.certificates.ca_file
    return ImapServer("localhost" if tls != "none" else "127.0.0.1", port, tls, ca_file, user, server.password)


# ---------------------------------------------------------------- against Dovecot


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
async def test_mail_is_fetched_whole_and_left_unread(dovecot: Dovecot, tls: Literal["none", "starttls", "tls"]) -> None:
    dovecot.deliver("desk", MAIL)
    async with Imap(DESK, at(dovecot, tls)) as imap:
        folder = await imap.open_folder("INBOX")
        assert (folder.exists, folder.uidnext) == (1, 2)
        assert folder.uidvalidity > 0
        assert await imap.search_from(1) == [1]
        assert await imap.search_from(2) == []
        mails = await imap.fetch([1])
        assert mails[1].endswith(MAIL)
        assert await imap.sizes([1]) == {1: len(mails[1])}
        assert imap.can_idle
    with dovecot.client("desk") as client:
        assert client.search(None, "UNSEEN")[1] == [b"1"]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_server_of_an_unknown_authority_is_not_trusted(
    dovecot: Dovecot, tls: Literal["starttls", "tls"]
) -> None:
    other = make_certificates(dovecot.root / "other")
    for ca_file in (other.ca_file, None):
        with pytest.raises(TemporaryFailure, match="cannot be trusted") as failure:
            async with Imap(DESK, replace(at(dovecot, tls), ca_file=ca_file)):
                pytest.fail("it was trusted")
        assert isinstance(failure.value.__cause__, ssl.SSLCertVerificationError)


async def test_a_certificate_for_another_name_is_refused(dovecot: Dovecot) -> None:
    dovecot.stop()
    dovecot.certificates = make_certificates(dovecot.root / "elsewhere", "mail.example.org")
    dovecot.start()
    with pytest.raises(TemporaryFailure, match="localhost"):
        async with Imap(DESK, at(dovecot, "tls")):
            pytest.fail("it was trusted")


async def test_a_missing_authority_file_is_named(dovecot: Dovecot) -> None:
    with pytest.raises(TemporaryFailure, match=r"nowhere\.pem"):
        async with Imap(DESK, replace(at(dovecot, "tls"), ca_file=dovecot.root / "nowhere.pem")):
            pytest.fail("it was trusted")


async def test_a_wrong_password_is_a_refused_login_and_shown_nowhere(
    dovecot: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aioimaplib.aioimaplib").setLevel(logging.NOTSET)
    server = replace(at(dovecot), password='wr"on\\g')
    with pytest.raises(LoginRejected) as refusal:
        async with Imap(DESK, server):
            pytest.fail("it was let in")
    for text in (str(refusal.value), repr(server), caplog.text):
        assert "wr" not in text.replace("wrong", "").replace("write", "")


@pytest.mark.parametrize("name", ["Étude & Associés", "Réception/日本語", 'Deux "mots"'])
async def test_folders_with_names_in_any_script_are_opened_and_appended_to(dovecot: Dovecot, name: str) -> None:
    with dovecot.client("desk") as client:
        quoted = name.replace("&", "&-").replace('"', '\\"')
        for plain, coded in (("É", "&AMk-"), ("é", "&AOk-"), ("日本語", "&ZeVnLIqe-")):
            quoted = quoted.replace(plain, coded)
        assert client.create(f'"{quoted}"')[0] == "OK"
    async with Imap(DESK, at(dovecot)) as imap:
        assert name in await imap.folders()
        await imap.append(name, MAIL)
        assert (await imap.open_folder(name)).exists == 1
        assert (await imap.fetch([1])) == {1: MAIL}


async def test_the_folder_for_sent_mail_is_found_by_its_mark(dovecot: Dovecot) -> None:
    async with Imap(DESK, at(dovecot)) as imap:
        assert "\\SENT" in (await imap.folders())["Sent"]


async def test_a_folder_that_does_not_exist_is_a_failure_and_the_connection_goes_on(dovecot: Dovecot) -> None:
    async with Imap(DESK, at(dovecot)) as imap:
        with pytest.raises(TemporaryFailure, match="EXAMINE refused"):
            await imap.open_folder("Nulle part")
        assert (await imap.open_folder("INBOX")).exists == 0


async def test_mail_is_announced_while_we_wait(dovecot: Dovecot) -> None:
    announced = 0

    def count() -> None:
        nonlocal announced
        announced += 1

    async with Imap(DESK, at(dovecot)) as imap:
        await imap.open_folder("INBOX")
        imap.tell_arrivals(count)
        imap.forget_news()
        await imap.wait(SOON, SOON)
        assert announced == 0
        waiting = asyncio.create_task(imap.wait(LONG, LONG))
        await asyncio.to_thread(dovecot.deliver, "desk", MAIL)
        await asyncio.wait_for(waiting, 10)
        assert announced == 1
        await asyncio.wait_for(imap.wait(LONG, LONG), 10)  # not forgotten: it returns at once
        assert await imap.search_from(1) == [1]


async def test_mail_announced_during_another_command_is_not_forgotten(dovecot: Dovecot) -> None:
    async with Imap(DESK, at(dovecot)) as imap:
        await imap.open_folder("INBOX")
        imap.forget_news()
        await asyncio.to_thread(dovecot.deliver, "desk", MAIL)
        await imap.still_there([1])
        await asyncio.wait_for(imap.wait(LONG, LONG), 10)


async def test_only_what_came_since_a_day_is_found_when_asked_so(dovecot: Dovecot) -> None:
    with dovecot.client("desk") as client:
        client.append("INBOX", "", '"09-Mar-2021 09:00:00 +0000"', MAIL)
        client.append("INBOX", "", '"09-Mar-2022 09:00:00 +0000"', MAIL)
    async with Imap(DESK, at(dovecot)) as imap:
        await imap.open_folder("INBOX")
        assert await imap.search_from(1, date(2022, 3, 9)) == [2]
        assert await imap.search_from(1, date(2021, 3, 9)) == [1, 2]


async def test_a_large_mail_passes_both_ways_unchanged(dovecot: Dovecot) -> None:
    mail = b"Subject: grand\r\n\r\n" + b"\r\n".join(b"%076d {12}" % line for line in range(60_000)) + b"\r\n"
    async with Imap(DESK, at(dovecot, "tls")) as imap:
        await imap.append("INBOX", mail)
        await imap.open_folder("INBOX")
        assert await imap.fetch([1]) == {1: mail}


async def test_a_killed_server_is_noticed_at_once_in_the_middle_of_waiting(dovecot: Dovecot) -> None:
    async with Imap(DESK, at(dovecot)) as imap:
        await imap.open_folder("INBOX")
        imap.forget_news()
        waiting = asyncio.create_task(imap.wait(LONG, LONG))
        await asyncio.sleep(0.1)
        dovecot.kill9()
        with pytest.raises(TemporaryFailure, match="connection"):
            await asyncio.wait_for(waiting, 10)
        with pytest.raises(TemporaryFailure):
            await imap.search("ALL")


async def test_a_server_that_stops_says_goodbye_and_that_is_heard(dovecot: Dovecot) -> None:
    async with Imap(DESK, at(dovecot)) as imap:
        await imap.open_folder("INBOX")
        imap.forget_news()
        waiting = asyncio.create_task(imap.wait(LONG, LONG))
        await asyncio.sleep(0.1)
        dovecot.stop()
        with pytest.raises(TemporaryFailure, match="goodbye"):
            await asyncio.wait_for(waiting, 10)


# ---------------------------------------------------------------- against odd servers


async def fetch_all(scripted: ScriptedImap) -> dict[int, bytes]:
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        await imap.open_folder("INBOX")
        return await imap.fetch(await imap.search_from(1))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n", b"abc"),
        (b"* 1 FETCH (BODY[] {3}\r\nabc UID 1)\r\n", b"abc"),
        (b"* 1 FETCH (FLAGS (\\Seen (odd)) BODY[] {3}\r\nabc UID 1 MODSEQ (12))\r\n", b"abc"),
        (b'* 1 FETCH (UID 1 BODY[] "a\\"b(c")\r\n', b'a"b(c'),
        (b"* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\n", b""),
        (b'* 1 FETCH (UID 1 BODY[] "")\r\n', b""),
        (b"* 1 FETCH (UID 1 BODY[] NIL)\r\n", None),
        (b"* 1 FETCH (FLAGS (\\Seen))\r\n", None),
        (b"* 1 fetch (uid 1 body[] {3}\r\nabc)\r\n", b"abc"),
        (b"* 1 FETCH (UID 1 BODY[] {10}\r\n)\r\n* BYE {)\r\n", b")\r\n* BYE {"),
        (b"* 9 EXISTS\r\n* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n* 2 FETCH (FLAGS ())\r\n* 1 RECENT\r\n", b"abc"),
        (b"* OK [ALERT] almost full {12}\r\n* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n", b"abc"),
        (b"* OK [ALERT [odd] ) brackets\r\n* 1 FETCH (UID 1 FLAGS ([a) BODY[] {3}\r\nabc)\r\n", b"abc"),
        (b"* 2 FETCH (UID 7 BODY[] {4}\r\nmore)\r\n* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n", b"abc"),
    ],
)
async def test_a_mail_is_recognised_however_its_answer_is_arranged(
    scripted: ScriptedImap, said: bytes, expected: bytes | None
) -> None:
    scripted.mails = {1: MAIL}
    scripted.scripts["UID FETCH"] = lambda tag, _: said + f"{tag} OK text ending in {{12}}\r\n".encode()
    assert await fetch_all(scripted) == ({} if expected is None else {1: expected})


async def test_an_answer_is_understood_octet_by_octet_and_in_one_piece() -> None:
    answer = b"* 1 FETCH (UID 1 BODY[] {9}\r\na\r\nb\r\n{2})\r\n* OK {9}\r\n* 2 FETCH (BODY[] {0}\r\n UID 2)\r\n"
    for step in (1, 2, 7, len(answer)):
        protocol = ImapProtocol()
        protocol.state = "NONAUTH"
        heard: list[dict[str, bytes | None]] = []
        protocol._hear = lambda parts, heard=heard: heard.append(fetched(parts))  # type: ignore[method-assign,misc]
        for at in range(0, len(answer), step):
            protocol.data_received(answer[at : at + step])
        assert heard == [{"UID": b"1", "BODY[]": b"a\r\nb\r\n{2}"}, {}, {"BODY[]": b"", "UID": b"2"}]


def test_words_are_split_as_the_server_wrote_them() -> None:
    parts: list[bytes | bytearray] = [b'* LIST (\\Sent) "/" "a \\"b\\""', b"x", b""]
    words = [value for kind, value in tokens(parts[:1]) if kind in ("atom", "string")]
    assert words == [b"*", b"LIST", b"\\Sent", b"/", b'a "b"']


def test_brackets_without_end_cost_no_more_than_they_are_long() -> None:
    assert fetched([b"* 1 FETCH (UID 1 X " + b"[" * 200_000 + b")"])["UID"] == b"1"
    assert fetched([b"* 1 FETCH " + b"(" * 200_000]) == {}


async def test_three_thousand_answers_in_one_read_are_no_trouble(scripted: ScriptedImap) -> None:
    scripted.mails = dict.fromkeys(range(1, 3001), b"x")
    assert len(await fetch_all(scripted)) == 3000


async def test_a_search_from_beyond_the_last_mail_finds_nothing(scripted: ScriptedImap) -> None:
    scripted.mails = {5: MAIL}
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        await imap.open_folder("INBOX")
        assert await imap.search_from(6) == []
    assert any("UID SEARCH UID 6:*" in line for line in scripted.heard)


async def test_uidnext_is_worked_out_where_the_server_does_not_tell_it(scripted: ScriptedImap) -> None:
    scripted.mails = {5: MAIL, 9: MAIL}
    scripted.scripts["EXAMINE"] = lambda tag, _: f"* 2 EXISTS\r\n* OK [UIDVALIDITY 3] x\r\n{tag} OK\r\n".encode()
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        folder = await imap.open_folder("INBOX")
    assert (folder.uidvalidity, folder.uidnext) == (3, 10)


async def test_user_and_password_may_contain_any_sign(scripted: ScriptedImap) -> None:
    async with Imap(DESK, at_port(scripted.port, 'a"b\\c d', 'des"k'), SHORT):
        pass
    assert any(line.endswith(' LOGIN "des\\"k" "a\\"b\\\\c d"') for line in scripted.heard)


async def test_a_password_beyond_ascii_goes_by_authenticate(scripted: ScriptedImap) -> None:
    scripted.capabilities = "IMAP4rev1 AUTH=PLAIN"
    scripted.scripts["AUTHENTICATE"] = lambda tag, _: b"+ \r\n"

    def word(tag: str, _: str) -> bytes:
        return scripted.heard[-2].split()[0].encode() + b" OK in\r\n"

    scripted.scripts[""] = word  # a line of one word: the base64 of NUL desk NUL clé
    async with Imap(DESK, at_port(scripted.port, "clé"), SHORT):
        assert scripted.heard[-2] == "AGRlc2sAY2zDqQ=="


async def test_login_is_not_tried_where_the_server_forbids_it(scripted: ScriptedImap) -> None:
    scripted.capabilities = "IMAP4rev1 LOGINDISABLED"
    with pytest.raises(LoginRejected, match="without TLS"):
        async with Imap(DESK, at_port(scripted.port), SHORT):
            pytest.fail("it was let in")
    assert not any("secret-word" in line for line in scripted.heard)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("NO [AUTHENTICATIONFAILED] no such luck", LoginRejected),
        ("NO LOGIN failed.", LoginRejected),
        ("NO [ALERT] Application-specific password required", LoginRejected),
        ("NO [AUTHENTICATIONFAILED] try again later", LoginRejected),
        ("NO [UNAVAILABLE] Temporary authentication failure.", TemporaryFailure),
        ("NO [LIMIT] too many", TemporaryFailure),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", TemporaryFailure),
        ("NO Server busy, try again later", TemporaryFailure),
        ("BAD User is authenticated but not connected.", TemporaryFailure),
        ('BAD Unknown: LOGIN "desk" "secret-word"', TemporaryFailure),
    ],
)
async def test_a_refused_login_is_told_from_a_server_in_trouble(
    scripted: ScriptedImap, answer: str, kind: type[Exception]
) -> None:
    scripted.scripts["LOGIN"] = lambda tag, _: f"{tag} {answer}\r\n".encode()
    with pytest.raises((LoginRejected, TemporaryFailure)) as failure:
        async with Imap(DESK, at_port(scripted.port), SHORT):
            pytest.fail("it was let in")
    assert type(failure.value) is kind
    assert "secret-word" not in str(failure.value)


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (b"* BYE too many connections\r\n", "too many connections"),
        (b"", "in time"),
        (b"\x16\x03\x01\r\n", "greets with"),
    ],
)
async def test_a_server_that_greets_badly_is_a_failure(scripted: ScriptedImap, greeting: bytes, said: str) -> None:
    scripted.greeting = greeting
    with pytest.raises(TemporaryFailure, match=said):
        async with Imap(DESK, at_port(scripted.port), replace(SHORT, connect=SOON)):
            pytest.fail("it was let in")


async def test_nothing_listening_is_a_failure() -> None:
    with pytest.raises(TemporaryFailure, match="no connection") as failure:
        async with Imap(DESK, at_port(1), SHORT):
            pytest.fail("it was let in")
    assert isinstance(failure.value.__cause__, ConnectionRefusedError)


async def test_starttls_that_is_not_offered_is_not_done_without(scripted: ScriptedImap) -> None:
    with pytest.raises(TemporaryFailure, match="does not offer STARTTLS"):
        async with Imap(DESK, replace(at_port(scripted.port), tls="starttls"), SHORT):
            pytest.fail("it was let in")
    scripted.greeting = b"* PREAUTH welcome\r\n"
    with pytest.raises(TemporaryFailure, match="before TLS"):
        async with Imap(DESK, replace(at_port(scripted.port), tls="starttls"), SHORT):
            pytest.fail("it was let in")
    assert not any("LOGIN" in line for line in scripted.heard)


async def test_what_is_slipped_in_before_tls_is_not_believed(scripted: ScriptedImap) -> None:
    scripted.capabilities = "IMAP4rev1 STARTTLS"
    scripted.scripts["STARTTLS"] = lambda tag, _: f"{tag} OK go\r\n* CAPABILITY IMAP4rev1\r\n".encode()
    with pytest.raises(TemporaryFailure, match="between agreeing to STARTTLS"):
        async with Imap(DESK, replace(at_port(scripted.port), tls="starttls"), SHORT):
            pytest.fail("it was let in")


async def test_silence_in_the_middle_of_a_command_ends_the_connection(scripted: ScriptedImap) -> None:
    scripted.mails = {1: MAIL}
    scripted.scripts["UID FETCH"] = lambda *_: b"* 1 FETCH (UID 1 BODY[] {100}\r\nabc"
    limits = Limits(connect=timedelta(seconds=5), answer=SOON)
    async with Imap(DESK, at_port(scripted.port), limits) as imap:
        await imap.open_folder("INBOX")
        with pytest.raises(TemporaryFailure, match="no answer to FETCH in time"):
            await imap.fetch([1])
        with pytest.raises(TemporaryFailure):  # a late answer must reach nobody
            await imap.search("ALL")


async def test_a_command_given_up_ends_the_connection(scripted: ScriptedImap) -> None:
    scripted.scripts["UID SEARCH"] = lambda *_: b"* SEARCH 1\r\n"
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        await imap.open_folder("INBOX")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await imap.search("ALL")
        with pytest.raises(TemporaryFailure, match="given up"):
            await imap.open_folder("INBOX")


async def test_two_tasks_at_once_get_each_its_own_answer(scripted: ScriptedImap) -> None:
    scripted.mails = {1: b"one", 2: b"two", 3: b"three"}
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        await imap.open_folder("INBOX")
        answers = await asyncio.gather(*(imap.fetch([uid]) for uid in (1, 2, 3)))
    assert answers == [{1: b"one"}, {2: b"two"}, {3: b"three"}]


@pytest.mark.parametrize("said", [b"X9 OK whose\r\n", b"+ more?\r\n", b"* BYE\r\n", b"* OK [UIDVALIDITY 9] new\r\n"])
async def test_an_answer_out_of_step_ends_the_connection(scripted: ScriptedImap, said: bytes) -> None:
    scripted.scripts["UID SEARCH"] = lambda tag, _: said + f"* SEARCH 1\r\n{tag} OK\r\n".encode()
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        await imap.open_folder("INBOX")
        with pytest.raises(TemporaryFailure):
            await imap.search("ALL")


async def test_a_piece_too_large_to_hold_is_not_read(scripted: ScriptedImap) -> None:
    scripted.scripts["UID FETCH"] = lambda *_: b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\nabc"
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        await imap.open_folder("INBOX")
        with pytest.raises(TemporaryFailure, match="99999999999 octets"):
            await imap.fetch([1])


async def test_a_server_without_idle_is_asked(scripted: ScriptedImap) -> None:
    scripted.capabilities = "IMAP4rev1"
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        await imap.open_folder("INBOX")
        imap.forget_news()
        await imap.wait(LONG, SOON)
    assert any(line.endswith(" NOOP") for line in scripted.heard)


async def test_a_server_that_offers_idle_and_refuses_it_is_asked_instead(scripted: ScriptedImap) -> None:
    scripted.scripts["IDLE"] = lambda tag, _: f"{tag} NO not today\r\n".encode()
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        await imap.open_folder("INBOX")
        imap.forget_news()
        await imap.wait(LONG, SOON)
        assert not imap.can_idle
        await imap.wait(LONG, SOON)
    assert [line.split()[1] for line in scripted.heard[-3:]] == ["IDLE", "NOOP", "LOGOUT"]


async def test_a_server_that_ends_idle_by_itself_is_alive(scripted: ScriptedImap) -> None:
    async with Imap(DESK, at_port(scripted.port), SHORT) as imap:
        await imap.open_folder("INBOX")
        imap.forget_news()
        scripted.scripts["IDLE"] = lambda tag, _: f"+ idling\r\n* OK still here\r\n{tag} OK enough\r\n".encode()
        await asyncio.wait_for(imap.wait(LONG, LONG), 5)
        assert await imap.search("ALL") == []


async def test_a_connection_that_died_without_a_word_is_found_out_by_the_renewal(scripted: ScriptedImap) -> None:
    limits = Limits(connect=timedelta(seconds=5), answer=SOON)
    async with Imap(DESK, at_port(scripted.port), limits) as imap:
        await imap.open_folder("INBOX")
        imap.forget_news()
        waiting = asyncio.create_task(imap.wait(SOON, SOON))
        await scripted.someone_idles()
        scripted.deaf = True
        with pytest.raises(TemporaryFailure, match="no answer to IDLE in time"):
            await asyncio.wait_for(waiting, 5)


# ---------------------------------------------------------------- names and numbers


@pytest.mark.parametrize(
    ("name", "coded"),
    [
        ("INBOX", "INBOX"),
        ("Tom & Jerry", "Tom &- Jerry"),
        ("Éléments envoyés", "&AMk-l&AOk-ments envoy&AOk-s"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 §5.1.3
        ("😀", "&2D3eAA-"),
    ],
)
def test_a_folder_name_is_coded_as_servers_expect(name: str, coded: str) -> None:
    assert encode_folder(name) == coded
    assert decode_folder(coded) == name


def test_a_folder_name_that_is_no_code_stays_as_it_is() -> None:
    assert decode_folder("a & b") == "a & b"
    assert decode_folder("&ééé-x") == "&ééé-x"


def test_uids_are_written_as_ranges() -> None:
    assert uid_set([1, 2, 3, 7, 9, 10]) == "1:3,7,9:10"
    assert uid_set([]) == ""
