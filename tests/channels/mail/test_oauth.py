"""OAuth2: permission asked for once, kept where nobody else reads it, and a fresh token at each login."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from channels.errors import LoginRejected, TemporaryFailure
from channels.mail.imap import Imap, ImapServer
from channels.mail.mailbox import Mailbox
from channels.mail.oauth import TokenFile, TokenSource
from channels.mail.permission import NotGiven, allowed_by_browser, allowed_by_code
from channels.mail.smtp import Smtp, SmtpServer
from inbox.notices import Letter
from inbox.parts import BlobId, ChannelId
from tests.channels.mail.test_mailbox import Watcher
from tests.conftest import require_server
from tests.servers.authorization import AuthorizationServer
from tests.servers.dovecot import Dovecot, access_token
from tests.servers.scripted_smtp import ScriptedSmtp

CABINET = ChannelId("mail:cabinet")


@pytest.fixture
def mail_server() -> Iterator[Dovecot]:
    require_server("dovecot")
    with Dovecot(takes_tokens=True) as server:
        yield server


@pytest.fixture
async def provider() -> AsyncIterator[AuthorizationServer]:
    async with AuthorizationServer("cabinet") as server:
        yield server


def source(provider: AuthorizationServer, path: Path, **kept: object) -> TokenSource:
    file = TokenFile(path)
    if kept:
        file.write(kept)
    return TokenSource(CABINET, provider.app(), file)


def imap_of(server: Dovecot, tokens: TokenSource) -> ImapServer:
    return ImapServer("127.0.0.1", server.imap_port, "none", None, "cabinet", "", tokens=tokens)


@pytest.mark.parametrize("offers", ["", "IMAP4rev1 IDLE AUTH=XOAUTH2", "IMAP4rev1 IDLE AUTH=OAUTHBEARER"])
async def test_a_mail_server_lets_us_in_by_either_mechanism(
    mail_server: Dovecot, provider: AuthorizationServer, tmp_path: Path, offers: str
) -> None:
    mail_server.stop()
    mail_server.capability = offers
    mail_server.start()
    tokens = source(provider, tmp_path / "permission", **provider.give(), expires_at=0)
    async with Imap(CABINET, imap_of(mail_server, tokens)) as imap:
        assert (await imap.open_folder("INBOX")).exists == 0
    assert provider.refreshes == 1


async def test_a_token_that_was_withdrawn_before_its_time_is_made_anew_once(
    mail_server: Dovecot, provider: AuthorizationServer, tmp_path: Path
) -> None:
    permission = provider.give() | {"access_token": "withdrawn", "expires_at": 2**40}
    tokens = source(provider, tmp_path / "permission", **permission)
    async with Imap(CABINET, imap_of(mail_server, tokens)):
        pass
    assert provider.refreshes == 1
    provider.makes = "never any good"
    tokens = source(
        provider, tmp_path / "permission", **(provider.give() | {"access_token": "bad", "expires_at": 2**40})
    )
    with pytest.raises(LoginRejected) as refused:
        async with Imap(CABINET, imap_of(mail_server, tokens)):
            pass
    assert "never any good" not in refused.value.detail
    assert provider.refreshes == 2


async def test_one_refresh_serves_all_who_ask_and_the_newest_permission_is_kept(
    provider: AuthorizationServer, tmp_path: Path
) -> None:
    path = tmp_path / "permission"
    tokens = source(provider, path, **provider.give(), expires_at=0)
    # Another worker on this machine, with the same file.
    other = TokenSource(CABINET, provider.app(), TokenFile(path))
    got = await asyncio.gather(*(each.token() for each in (tokens, other) * 5))
    assert len(set(got)) == 1
    assert provider.refreshes == 1
    kept = json.loads(path.read_text())
    assert kept["refresh_token"] in provider.valid
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".new")] == []


ANOTHER_WORKER = """
import asyncio, sys
from pathlib import Path
from channels.mail.oauth import App, Provider, TokenFile, TokenSource
async def work():
    app = App(Provider("", sys.argv[1], None, ("mail",)), "desk")
    tokens, last = TokenSource("mail:cabinet", app, TokenFile(Path(sys.argv[2]))), None
    for _ in range(15):
        last = await tokens.token(refused=last)
asyncio.run(work())
"""


async def test_two_processes_go_on_with_one_permission_whose_every_part_may_be_used_once(
    provider: AuthorizationServer, tmp_path: Path
) -> None:
    path = tmp_path / "permission"
    TokenFile(path).write(provider.give() | {"expires_at": 0})
    provider.thinks = 0.02
    command = [sys.executable, "-c", ANOTHER_WORKER, f"{provider.url}/token", str(path)]
    workers = [await asyncio.create_subprocess_exec(*command) for _ in range(2)]
    async with asyncio.timeout(60):
        assert [await worker.wait() for worker in workers] == [0, 0]
    assert 15 <= provider.refreshes <= 30
    assert json.loads(path.read_text())["refresh_token"] in provider.valid


async def test_who_gives_up_while_another_process_refreshes_leaves_nothing_held(
    provider: AuthorizationServer, tmp_path: Path
) -> None:
    path = tmp_path / "permission"
    tokens = source(provider, path, **provider.give(), expires_at=0)
    another = os.open(tmp_path / "permission.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(another, fcntl.LOCK_EX)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await tokens.token()
    os.close(another)
    async with asyncio.timeout(10):
        assert await tokens.token()
        assert await TokenSource(CABINET, provider.app(), TokenFile(path)).token()
    assert provider.refreshes == 1


@pytest.mark.parametrize("goes_on", [True, False], ids=["runs on", "stops"])
async def test_a_permission_that_rotates_outlives_whoever_gave_up_waiting_for_it(
    provider: AuthorizationServer, tmp_path: Path, goes_on: bool
) -> None:
    path = tmp_path / "permission"
    tokens = source(provider, path, **provider.give(), expires_at=0)
    provider.thinks = 0.5
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await tokens.token()
    assert provider.refreshes == 1, "it was used up"
    await (tokens.token() if goes_on else tokens.close())
    assert json.loads(path.read_text())["refresh_token"] in provider.valid
    assert await source(provider, path).token()
    assert provider.refreshes == 1


async def test_a_permission_is_not_used_up_where_the_next_cannot_be_kept(
    provider: AuthorizationServer, tmp_path: Path
) -> None:
    path = tmp_path / "permission"
    tokens = source(provider, path, **provider.give(), expires_at=0)
    in_the_way = tmp_path / f"permission.{os.getpid()}.new"
    in_the_way.mkdir()
    with pytest.raises(TemporaryFailure, match=str(path)):
        await tokens.token()
    assert provider.refreshes == 0
    in_the_way.rmdir()
    assert await tokens.token()


@pytest.mark.parametrize("answer", ["{}", "[]", "7", '{"refresh_token": "new"}', '{"access_token": 7}', "<p>"])
async def test_an_answer_without_a_token_changes_nothing(
    provider: AuthorizationServer, tmp_path: Path, answer: str
) -> None:
    tokens = source(provider, tmp_path / "permission", **provider.give(), expires_at=0)
    provider.answers = answer
    with pytest.raises(TemporaryFailure):
        await tokens.token()
    provider.answers = '{"error": {"no": "word"}}'
    with pytest.raises(LoginRejected):
        await tokens.token()
    provider.answers = None
    assert await tokens.token()


async def test_a_provider_that_is_away_is_asked_again_and_one_that_refuses_asks_for_a_person(
    provider: AuthorizationServer, tmp_path: Path
) -> None:
    tokens = source(provider, tmp_path / "permission", **provider.give(), expires_at=0)
    provider.trouble = 503
    with pytest.raises(TemporaryFailure, match="503"):
        await tokens.token()
    provider.trouble = None
    assert await tokens.token()
    provider.valid.clear()
    with pytest.raises(LoginRejected, match="invalid_grant; permanence mailbox login cabinet"):
        await tokens.token(refused=await tokens.token())


async def test_a_permission_that_others_may_read_or_that_is_none_is_refused_by_name(
    provider: AuthorizationServer, tmp_path: Path
) -> None:
    path = tmp_path / "permission"
    with pytest.raises(LoginRejected, match=f"no permission in {path} yet; permanence mailbox login cabinet"):
        await source(provider, path).token()
    tokens = source(provider, path, **provider.give())
    path.chmod(0o644)
    with pytest.raises(LoginRejected, match=f"chmod 600 {path}"):
        await tokens.token()
    path.write_text("[]")
    path.chmod(0o600)
    with pytest.raises(LoginRejected, match="holds no permission"):
        await tokens.token()


async def test_a_permission_given_later_is_noticed_and_one_that_was_refused_is_not_tried_again(
    provider: AuthorizationServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.mail.oauth.LOOKED_FOR_EVERY", 0.01)
    tokens = source(provider, tmp_path / "permission")
    with pytest.raises(LoginRejected):
        await tokens.token()
    missed = asyncio.create_task(tokens.given())
    await asyncio.sleep(0.05)
    assert not missed.done()
    TokenFile(tmp_path / "permission").write({"refresh_token": "of another app", "expires_at": 0})
    await asyncio.wait_for(missed, 5)
    with pytest.raises(LoginRejected):
        await tokens.token()
    refused = asyncio.create_task(tokens.given())
    await asyncio.sleep(0.05)
    assert not refused.done()
    TokenFile(tmp_path / "permission").write({**provider.give(), "expires_at": 0})
    await asyncio.wait_for(refused, 5)
    assert await tokens.token()
    # It was renewed by ourselves: that a mail server refuses it all the same is no reason to try it once more.
    refused = asyncio.create_task(tokens.given())
    await asyncio.sleep(0.05)
    assert not refused.done()
    refused.cancel()


async def test_a_check_names_the_command_that_mends_it(
    mail_server: Dovecot, provider: AuthorizationServer, tmp_path: Path
) -> None:
    tokens = source(provider, tmp_path / "permission")
    mailbox = Mailbox(
        CABINET,
        imap_of(mail_server, tokens),
        SmtpServer("127.0.0.1", mail_server.lmtp_port, "none", user="cabinet", tokens=tokens),
        Watcher(),
    )
    wrong = [finding for finding in await mailbox.check() if finding.level == "error"]
    assert "permanence mailbox login cabinet, as a person who may use cabinet" in wrong[0].remedy
    assert "no permission" in wrong[0].says


async def test_permission_by_browser(provider: AuthorizationServer) -> None:
    said: list[str] = []
    asking = asyncio.create_task(allowed_by_browser(provider.app(), "cabinet@desk.test", said.append))
    while not said:  # noqa: ASYNC110  # it is told in passing
        await asyncio.sleep(0.01)
    page = re.search(r"http\S+", said[0])
    assert page is not None
    back = provider.allow(page[0])
    async with httpx2.AsyncClient() as browser:
        forged = await browser.get(re.sub(r"state=[^&]+", "state=somebody-elses", back))
        assert forged.status_code == 400
        assert (await browser.get(back)).status_code == 200
    token = await asking
    assert token["refresh_token"] in provider.valid


async def test_permission_by_code_on_any_device(provider: AuthorizationServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def at_once(seconds: float, sleep: object = asyncio.sleep) -> None:
        pauses.append(seconds)
        await sleep(0)  # type: ignore[operator]

    monkeypatch.setattr("channels.mail.permission.asyncio.sleep", at_once)
    said: list[str] = []
    token = await allowed_by_code(provider.app(), "cabinet@desk.test", said.append)
    assert "ABCD" in said[0]
    assert token["refresh_token"] in provider.valid
    assert [round(pause, 2) for pause in pauses if pause >= 0.05] == [0.05, 0.05, 5.05]
    with pytest.raises(NotGiven, match="no permission for mail by code"):
        await allowed_by_code(provider.app(by_code=False), "cabinet@desk.test", said.append)


class Submission:
    """A mail server that takes nothing but XOAUTH2."""

    def __init__(self) -> None:
        self.presented: list[str] = []
        self.taken = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        good = access_token("cabinet")
        while line := (await reader.readline()).strip():
            verb, _, rest = line.decode().partition(" ")
            if verb.upper() == "EHLO":
                writer.write(b"250-here\r\n250 AUTH XOAUTH2\r\n")
            elif verb.upper() == "AUTH":
                word = base64.b64decode(rest.removeprefix("XOAUTH2 ")).decode()
                found = re.fullmatch(r"user=cabinet\x01auth=Bearer (\S+)\x01\x01", word)
                assert found is not None
                self.presented.append(found[1])
                writer.write(b"235 in\r\n" if found[1].partition(".")[0] == good.partition(".")[0] else b"334 e30=\r\n")
            elif verb.upper() in ("MAIL", "RCPT"):
                writer.write(b"250 ok\r\n")
            elif verb.upper() == "DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                self.taken += 1
                writer.write(b"250 taken\r\n")
            elif verb.upper() == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            await writer.drain()
        # An empty line is the word that ends a refused exchange.
        writer.write(b"535 5.7.8 refused\r\n")
        await writer.drain()
        await self(reader, writer) if not reader.at_eof() else writer.close()


async def test_no_token_is_repeated_that_a_server_or_a_provider_repeats(
    provider: AuthorizationServer, tmp_path: Path
) -> None:
    provider.makes = "ya29.secret"
    tokens = source(provider, tmp_path / "permission", **provider.give(), expires_at=0)
    word = base64.b64encode(b"user=cabinet\x01auth=Bearer ya29.secret\x01\x01").decode()
    refusal = f"535-5.7.8 refused: {word}\r\n535 5.7.8 refused: ya29.secret"
    scripts = {"EHLO": "250-scripted.test\r\n250 AUTH XOAUTH2", "AUTH": refusal}
    letter = Letter(sender="a@desk.test", recipients=("b@x.test",), blob_id=BlobId("b"), message_id="m@desk.test")
    async with ScriptedSmtp.saying(scripts) as server:
        smtp = Smtp(CABINET, SmtpServer("127.0.0.1", server.port, "none", user="cabinet", tokens=tokens))
        with pytest.raises(LoginRejected) as refused:
            await smtp.send(letter, b"Subject: x\r\n\r\nx\r\n")
        await smtp.close()
    assert refused.value.detail.count("refused: ***") == 2
    assert "ya29" not in refused.value.detail
    assert word not in refused.value.detail
    provider.answers = json.dumps({"error": json.loads((tmp_path / "permission").read_text())["refresh_token"]})
    with pytest.raises(LoginRejected, match="the provider says an error of its own"):
        await tokens.token(refused="ya29.secret")


async def test_a_reply_leaves_by_a_server_that_takes_tokens_only(provider: AuthorizationServer, tmp_path: Path) -> None:
    script = Submission()
    server = await asyncio.start_server(script, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tokens = source(provider, tmp_path / "permission", **provider.give(), expires_at=0)
    smtp = Smtp(CABINET, SmtpServer("127.0.0.1", port, "none", user="cabinet", tokens=tokens))
    letter = Letter(sender="a@desk.test", recipients=("b@x.test",), blob_id=BlobId("b"), message_id="m@desk.test")
    await smtp.send(letter, f"Date: {datetime.now(UTC)}\r\n\r\nBonjour\r\n".encode())
    await smtp.close()
    server.close()
    assert script.taken == 1
    assert len(script.presented) == 1
