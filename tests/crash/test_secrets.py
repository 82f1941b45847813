"""A bad day of the real program, and every octet of it that others may read: no secret, and no word of a client."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

import aiohttp
import pytest

from bot.demo.telegram_server import TelegramServer
from channels.mail.bearer import bearer
from channels.mail.oauth import TokenFile
from inbox.machinery import DeskKey
from inbox.store.sqlite import SqliteStore
from tests.flow.running import ADDRESS, At, mail
from tests.servers.authorization import AuthorizationServer
from tests.servers.dovecot import Dovecot, free_ports
from tests.servers.scripted_smtp import ScriptedSmtp

TOKEN = "42000001:AAEmarkerOfTheDeskTokenMARK_ab-cd1"
WRONG_TOKEN = "43000002:AAEmarkerOfTheWrongTokenMARK_ab-cd2"
HOOK_TOKEN = "44000003:AAEmarkerOfTheHookedTokenMARK_ab-cd3"
SECRETS = {
    "token": TOKEN.partition(":")[2],
    "wrong token": WRONG_TOKEN.partition(":")[2],
    "hooked token": HOOK_TOKEN.partition(":")[2],
    "imap password": "imap&MARK é/er \\'zq",
    "smtp password": "smtp+MARK=wort%zq",
    "webhook secret": "webhookMARKsecretzq0123456789",
    "database password": "mongoMARKwordzq",
    "client secret": "client~MARK secret+zq",
}
ACCESS = "ya29.access-MARK-token_zq/0123456789+abc=="
PATIENCE = 90.0
WORDS = {
    "subject": "Objet-MARK-zq de la cliente",
    "body": "Corps-MARK-zq: ma fille a de la fièvre",
    "chat": "Message-MARK-zq: mon code est 4471",
    "reply": "Reponse-MARK-zq: venez jeudi",
}


def forms(secret: str) -> Iterator[str]:
    """How a text may look in what a program says."""
    octets = secret.encode()
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], octets.hex())
    yield from (ascii(secret)[1:-1], json.dumps(secret)[1:-1], repr(octets)[2:-1])
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + octets).decode()
        yield whole[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6]


class Day:
    """What the program said, by where it said it."""

    def __init__(self, directory: Path, config: Path) -> None:
        self.directory = directory
        self.config = config
        self.said: dict[str, str] = {}

    async def permanence(self, *arguments: str | Path, config: Path | None = None) -> int:
        """One command, to its end."""
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("permanence"),
            *arguments,
            "--config",
            config or self.config,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
        self.said[f"{len(self.said)} {' '.join(map(str, arguments))}"] = said.decode("utf-8", "replace")
        return process.returncode or 0

    @asynccontextmanager
    async def at_work(self, *, before: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
        """The worker, with all it logs; `before` runs in its process first."""
        name = f"{len(self.said)} run"
        log = self.directory / f"{len(self.said)}.log"
        command = ["permanence", "run", "--config", str(self.config)]
        script = f"{before}\nfrom bot.cli import main\nimport sys\nsys.argv = {command!r}\nmain()"
        with log.open("wb") as stream:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, stdout=stream, stderr=asyncio.subprocess.STDOUT
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                await process.wait()
            self.said[name] = log.read_text("utf-8", "replace")

    async def hears(self, log: int, *parts: str) -> str:
        """Wait until the worker has logged all of these."""
        path = self.directory / f"{log}.log"
        async with asyncio.timeout(PATIENCE):
            while not all(part in (text := path.read_text("utf-8", "replace")) for part in parts):  # noqa: ASYNC110  # a file
                await asyncio.sleep(0.05)
        return text

    def leaks(self, secrets: dict[str, str]) -> list[tuple[str, str, str]]:
        """Whatever of these was said anywhere: which, where, and how."""
        names = {f"the name {path}": str(path) for path in self.directory.rglob("*")}
        return [
            (what, where, form)
            for what, secret in secrets.items()
            for form in dict.fromkeys(forms(secret))
            for where, text in {**self.said, **names}.items()
            if form in text
        ]


CONFIG = """
[logs]
level = "debug"
[desk]
undo_seconds = 0
[web]
port = {web}
[accounts.cabinet]
name = "Cabinet"
mailbox = "cabinet"
identity = {{ display_name = "Cabinet", from_address = "{address}" }}
[mailboxes.cabinet]
account = "cabinet"
start_at = "beginning"
imap = {{ host = "127.0.0.1", port = {imap}, tls = "none", user = "cabinet", password = "{dovecot}" }}
smtp = {{ host = "127.0.0.1", port = {smtp}, tls = "none", user = "cabinet", password = "{smtp_password}" }}
[mailboxes.locked]
imap = {{ host = "127.0.0.1", port = {imap}, tls = "none", user = "locked", password = {imap_password} }}
smtp = {{ host = "127.0.0.1", port = {smtp}, tls = "tls" }}
[mailboxes.modern]
account = "cabinet"
imap = {{ host = "127.0.0.1", port = {modern_imap}, tls = "none", user = "modern" }}
smtp = {{ host = "127.0.0.1", port = {modern_smtp}, tls = "none" }}
[mailboxes.modern.oauth]
provider = "other"
client_id = "desk"
client_secret = "{client_secret}"
authorize_url = "{provider}/authorize"
token_url = "{provider}/token"
device_url = "{provider}/device"
scopes = ["mail"]
[bots.desk]
token = "{token}"
api_server = "{api}"
account = "cabinet"
[bots.stranger]
token = "{wrong}"
api_server = "{api}"
desk = false
[bots.hooked]
token = "{hook}"
api_server = "{api}"
desk = false
receive = "webhook"
webhook = {{ url = "https://desk.test/t", secret = "{secret}", port = {hook_port} }}
"""

CRASHES = f"""
from handlers import deliveries, timers
from bot import worker
async def explode(*_, **__):
    raise RuntimeError("https://api.test/bot{TOKEN}/getMe with " + repr({SECRETS["smtp password"]!r}))
worker.keep_dealing = explode
"""
STUMBLES = f"""
from handlers import views
def stumble(*_):
    raise ValueError("cannot draw for " + {SECRETS["webhook secret"]!r})
views.card = stumble
"""


def refusing_login() -> ScriptedSmtp:
    """A server that repeats the login it refuses."""
    login = base64.b64encode(f"\0cabinet\0{SECRETS['smtp password']}".encode()).decode()
    refusal = f"535 5.7.8 refused: {login} ({SECRETS['smtp password']})"
    return ScriptedSmtp.saying({"EHLO": "250-scripted.test\r\n250-AUTH PLAIN\r\n250 8BITMIME", "AUTH": refusal})


def word(port: int) -> str:
    """What a mail server is shown for a token."""
    return base64.b64encode(bearer("XOAUTH2", "modern", "127.0.0.1", port, ACCESS)).decode()


async def imap_that_repeats(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An IMAP server that repeats the login it refuses, and what it reads in it."""
    writer.write(b"* OK ready\r\n")
    while line := (await reader.readline()).decode():
        tag, _, command = line.strip().partition(" ")
        if command.startswith("AUTHENTICATE"):
            writer.write(b"+ \r\n")
            said = (await reader.readline()).decode().strip()
            writer.write(f"{tag} NO refused: {said} ({ACCESS})\r\n".encode())
        else:
            writer.write(f"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n{tag} OK\r\n".encode())
        await writer.drain()
    writer.close()


def smtp_that_repeats() -> ScriptedSmtp:
    """An SMTP server that does the same."""
    refusal = f"535-5.7.8 refused: {word(0)}\r\n535 5.7.8 refused: {ACCESS}"
    return ScriptedSmtp.saying({"EHLO": "250-scripted.test\r\n250-AUTH XOAUTH2\r\n250 8BITMIME", "AUTH": refusal})


@pytest.mark.timeout(400)
async def test_nothing_secret_and_no_word_of_a_client_is_ever_said(tmp_path: Path, dovecot: Dovecot) -> None:
    web, hook_port = free_ports(2)
    repeats = await asyncio.start_server(imap_that_repeats, "127.0.0.1", 0)
    async with (
        TelegramServer(token=TOKEN) as telegram,
        refusing_login() as smtp,
        smtp_that_repeats() as modern_smtp,
        AuthorizationServer("modern") as provider,
        repeats,
    ):
        telegram.add_bot(HOOK_TOKEN, "hooked_bot", "Hooked")
        telegram.fail_next("setWebhook", status=400, description="Bad Request: bad webhook: Failed to resolve host")
        config = tmp_path / "config.toml"
        config.write_text(
            CONFIG.format(
                address=ADDRESS,
                web=web,
                imap=dovecot.imap_port,
                dovecot=dovecot.password,
                smtp=smtp.port,
                smtp_password=SECRETS["smtp password"],
                imap_password=json.dumps(SECRETS["imap password"], ensure_ascii=False),
                token=TOKEN,
                wrong=WRONG_TOKEN,
                hook=HOOK_TOKEN,
                api=telegram.url,
                secret=SECRETS["webhook secret"],
                hook_port=hook_port,
                client_secret=SECRETS["client secret"],
                provider=provider.url,
                modern_imap=repeats.sockets[0].getsockname()[1],
                modern_smtp=modern_smtp.port,
            )
        )
        config.chmod(0o644)
        day = Day(tmp_path, config)
        await _allowed(day, provider)
        assert await day.permanence("check") == 1

        first = len(day.said)
        async with day.at_work():
            await day.hears(
                first, '"started"', '"mail:modern"', "login_rejected", "the webhook could not be set", "unsafe_setting"
            )
            invitation = await _invited(day)
            anne = At(telegram.user(501, "Anne"), PATIENCE)
            anne.user.start(invitation)
            await anne.press(await anne.sees("Bienvenue", button="duty"), "duty")
            await anne.sees("en service")
            dovecot.deliver("cabinet", mail(WORDS["subject"], WORDS["body"], message_id="m1@client.test"))
            telegram.user(601, "Lucas").send_text(WORDS["chat"])
            telegram.user(601).send_text(f"/start {WORDS['chat']}")
            telegram.inject({"update_id": 9_000_001, "message": {"text": WORDS["chat"], "chat": "nonsense"}})
            card = await anne.sees(WORDS["body"], button="rel:")
            telegram.fail_next("sendMessage", drop="after", chat_id=501)
            anne.reply(card, WORDS["reply"])
            await anne.press(await anne.sees("Aperçu", WORDS["reply"], button="send"), "send")
            await anne.sees("nouvel essai prévu", "refuse notre mot de passe")
            await day.hears(first, "failure.login")
            for path in ("/healthz", "/metrics"):
                day.said[f"GET {path}"] = await _get(f"http://127.0.0.1:{web}{path}")
            day.said["the webhook"] = await _get(f"http://127.0.0.1:{hook_port}/t")
            await day.permanence("receipts", "list", "parked")
            for receipt in re.findall(
                r"[0-9a-f]{8}-[0-9a-f-]{27}", day.said[f"{len(day.said) - 1} receipts list parked"]
            ):
                await day.permanence("receipts", "show", receipt)
            assert await day.permanence("backup", tmp_path / "copy.db") == 0

        # A bug while drawing, a bug that ends the program, a store that is none.
        second = len(day.said)
        provider.valid.clear()
        async with day.at_work(before=STUMBLES):
            await day.hears(second, '"started"')
            dovecot.deliver("cabinet", mail(WORDS["subject"], WORDS["body"], message_id="m2@client.test"))
            await day.hears(second, "delivery_failed")
        async with day.at_work(before=CRASHES) as process:
            async with asyncio.timeout(60):
                await process.wait()
        assert "RuntimeError" in list(day.said.values())[-1]
        key = await _key(tmp_path / "permanence.db")
        (tmp_path / "permanence.db").write_bytes(b"no store " * 1000)
        async with day.at_work() as process:
            async with asyncio.timeout(60):
                await process.wait()
        await day.permanence("check")
        elsewhere = tmp_path / "elsewhere.toml"
        url = f"mongodb://desk:{SECRETS['database password']}@127.0.0.1:9/desk?serverSelectionTimeoutMS=200"
        elsewhere.write_text(f'[store]\nurl = "{url}"\n' + config.read_text())
        elsewhere.chmod(0o600)
        await day.permanence("check", config=elsewhere)

    given = {f"given by the provider {number}": secret for number, secret in enumerate(provider.secrets)}
    assert provider.refreshes > 3
    assert day.leaks({**SECRETS, **given, "invitation": invitation.removeprefix("join-"), "desk key": key}) == []
    assert day.leaks(WORDS) == []
    # That there was something to hide.
    worked = day.said[next(where for where in day.said if where.endswith("run"))]
    assert "5.7.8 refused: " in worked
    assert "***" in worked
    assert {"desk.undo_seconds", "holds secrets and everybody on this machine can read it"} <= {
        line[name] for line in map(_read, worked.splitlines()) for name in ("key", "says") if line.get(name)
    }
    assert not any("Traceback" in said for where, said in day.said.items() if "run" not in where)


async def _allowed(day: Day, provider: AuthorizationServer) -> None:
    """A person gives permission for the modern mailbox, after a provider that was away; it lasts for one login."""
    provider.makes, provider.trouble, provider.lasts = ACCESS, 503, 60
    assert await day.permanence("mailbox", "login", "modern", "--device") == 1
    provider.trouble = None
    assert await day.permanence("mailbox", "login", "modern", "--device") == 1, "the mail server refuses the token"
    kept = TokenFile(day.directory / "modern.permission").read()
    assert kept is not None
    assert kept["access_token"] == ACCESS


def _read(line: str) -> dict[str, str]:
    return dict(json.loads(line)) if line.startswith("{") else {}


async def _invited(day: Day) -> str:
    """The payload of an invitation's link: what the command prints is for one person, so it is not scanned."""
    await day.permanence("invite", "--role", "owner", "--name", "Anne")
    where = list(day.said)[-1]
    link = re.search(r"start=(\S+)", day.said.pop(where))
    assert link is not None
    return link[1]


async def _get(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return f"{dict(answer.headers)}\n{await answer.text()}"


async def _key(path: Path) -> str:
    async with SqliteStore(path) as store:
        return (await store.get(DeskKey, "message-ids")).secret.decode("latin-1")
