"""Every way a mail server can fail, seen from the secretary's Telegram and from the server: once, or nobody knows."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from bot.demo.telegram_server import TelegramServer
from bot.settings import OwnerSettings, Settings
from channels.mail import smtp
from channels.mail.smtp import Patience
from channels.telegram import bot
from channels.telegram.limits import Limits
from inbox import addressees, outbox
from inbox.model import Account, Message
from tests.conftest import require_server
from tests.flow.running import SOPHIE, At, come_on_duty, desk_settings, eventually, mail, running
from tests.servers.dovecot import Dovecot, free_ports
from tests.servers.postfix import Postfix
from tests.servers.scripted_smtp import (
    HANGS_UP,
    HANGS_UP_HALFWAY,
    NEVER_ENDS,
    SAYS_NOTHING,
    SLOWLY,
    ScriptedSmtp,
    Taken,
)

QUICK = Patience(
    connect=timedelta(seconds=3),
    greeting=timedelta(seconds=1.5),
    command=timedelta(seconds=1.5),
    go_ahead=timedelta(seconds=1.5),
    block=timedelta(seconds=1.5),
    answer=timedelta(seconds=1.5),
    first_answer=timedelta(seconds=1),
)
"""The limits in test time; the real ones are asked for at the end."""

RETRIES, UNDECIDED = "nouvel essai prévu", "peut-être partie"
Tls = Literal["starttls", "none"]


class _Unpaced(Limits):
    async def turn(self, chat_id: int) -> float:
        return self.paused_for(chat_id)


@pytest.fixture(autouse=True)
def in_test_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of minutes last moments; nobody waits for a chat's pace."""
    monkeypatch.setattr(smtp, "Patience", lambda: QUICK)
    monkeypatch.setattr(outbox, "FIRST_WAIT", timedelta(seconds=0.3))
    monkeypatch.setattr(outbox, "LONGEST_WAIT", timedelta(seconds=1))
    monkeypatch.setattr(bot, "Limits", _Unpaced)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def postfix(dovecot: Dovecot) -> Iterator[Postfix]:
    require_server("postfix")
    with Postfix(lmtp_port=dovecot.lmtp_port) as server:
        yield server


@dataclass
class Desk:
    """A running desk on which Anne answers Sophie's mails."""

    settings: Settings
    dovecot: Dovecot
    telegram: TelegramServer
    anne: At
    asked: int = 0

    async def answer(self, text: str = "Oui, jeudi.") -> None:
        """Sophie writes, Anne answers and presses Send."""
        self.asked += 1
        words = f"Question {self.asked} ?"
        raw = mail(f"Demande {self.asked}", words, message_id=f"q{self.asked}@client.test")
        await asyncio.to_thread(self.dovecot.deliver, "cabinet", raw)
        self.anne.reply(await self.anne.sees(words, button="rel:"), text)
        await self.anne.press(await self.anne.sees("Aperçu", text.splitlines()[0], button="send"), "send")


@asynccontextmanager
async def desk(
    directory: Path,
    dovecot: Dovecot,
    telegram: TelegramServer,
    port: int,
    *,
    tls: Tls = "none",
    login: bool = False,
    owner: int | None = None,
) -> AsyncIterator[Desk]:
    settings = desk_settings(directory, dovecot, port, telegram)
    box = settings.mailboxes["cabinet"]
    sends = box.smtp.model_copy(update={"tls": tls, "user": "cabinet" if login else "", "password": SecretStr("x")})
    owners = () if owner is None else (OwnerSettings(id=owner, name="Olga"),)
    settings = settings.model_copy(
        update={"mailboxes": {"cabinet": box.model_copy(update={"smtp": sends})}, "owners": owners}
    )
    async with running(settings):
        anne = await come_on_duty(settings, telegram, 501, "Anne")
        yield Desk(settings, dovecot, telegram, anne)


def message_id(text: bytes) -> str:
    return str(email.message_from_bytes(text, policy=email.policy.default)["Message-ID"])


def attempts(server: ScriptedSmtp) -> int:
    """How often somebody began to send: in a connection of its own, or in one that was kept."""
    return max(len(server.commands), sum(line.startswith("MAIL") for said in server.commands for line in said))


async def only_one(server: ScriptedSmtp) -> Taken:
    """What the server took: one letter, after whatever more it may be sent within a while."""
    await eventually(lambda: server.taken)
    assert len(server.taken) == 1
    return server.taken[0]


# ---------------------------------------------------------------- refused for now


NOT_NOW = {
    "greeting": ("421 4.3.2 full", "Le serveur d’envoi est momentanément occupé."),
    "EHLO": ("421 4.3.2 full", "Le serveur d’envoi est momentanément occupé."),
    "STARTTLS": ("454 4.7.0 TLS not available", "Le serveur d’envoi est momentanément occupé."),
    "AUTH": ("454 4.7.0 temporary failure", "Le serveur d’envoi est momentanément occupé."),
    "MAIL": ("451 4.3.0 later", "Le serveur d’envoi est momentanément occupé."),
    "RCPT": ("450 4.2.0 greylisted", "La boîte du client est momentanément indisponible."),
    "DATA": ("451 4.3.0 later", "Le serveur d’envoi est momentanément occupé."),
    "text": ("451 4.3.0 later", "Le serveur d’envoi est momentanément occupé."),
}
OFFERS = {"EHLO": "250-scripted.test\r\n250-AUTH PLAIN\r\n250-8BITMIME\r\n250 STARTTLS", "AUTH": "235 2.7.0 welcome"}


@pytest.mark.parametrize("at", NOT_NOW)
async def test_refused_for_now_it_is_tried_again_by_itself_and_arrives_once(
    at: str, tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer
) -> None:
    answer, says = NOT_NOW[at]
    tls: Tls = "starttls" if at == "STARTTLS" else "none"
    usual = {} if at in ("EHLO", "greeting") else OFFERS
    async with (
        ScriptedSmtp.saying({**usual, at: answer}) as server,
        desk(tmp_path, dovecot, telegram, server.port, tls=tls, login=at == "AUTH") as running_desk,
    ):
        await running_desk.answer()
        await running_desk.anne.sees(RETRIES, says)
        await eventually(lambda: attempts(server) >= 3)  # it goes on trying
        assert server.taken == []
        if tls == "starttls":
            return  # no certificate here: that it leaves in clear is what must not happen
        server.scripts = deque([OFFERS])
        server.hang_up()
        await running_desk.anne.sees("Répondu", "envoyé à")
        taken = await only_one(server)
        assert taken.recipients == [SOPHIE]
        assert {t.text for t in server.heard} == {taken.text}  # the same octets, at whichever attempt


async def test_without_a_server_it_is_tried_again_until_there_is_one(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer
) -> None:
    (port,) = free_ports(1)
    async with desk(tmp_path, dovecot, telegram, port) as running_desk:
        await running_desk.answer()
        await running_desk.anne.sees(RETRIES, "Le serveur d’envoi est injoignable.")
        async with ScriptedSmtp(port=port) as server:
            await running_desk.anne.sees("Répondu", "envoyé à")
            await only_one(server)


# ---------------------------------------------------------------- refused for ever


FOR_EVER = {
    "MAIL": ("550 5.7.1 not you", "Le serveur refuse notre adresse d’expédition."),
    "RCPT": ("550 5.1.1 no such user", "L’adresse n’existe pas ou refuse nos messages."),
    "DATA": ("554 5.5.1 no", "Le serveur refuse le texte de ce message."),
    "text": ("554 5.7.1 looks like spam", "Le serveur refuse le texte de ce message."),
}


@pytest.mark.parametrize("at", FOR_EVER)
async def test_refused_for_ever_its_author_is_rung_and_sends_the_same_mail_again(
    at: str, tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer
) -> None:
    answer, says = FOR_EVER[at]
    async with (
        ScriptedSmtp.saying({at: answer}) as server,
        desk(tmp_path, dovecot, telegram, server.port) as running_desk,
    ):
        await running_desk.answer()
        card = await running_desk.anne.sees("La réponse n’est pas partie.", says, button="del:")
        assert server.taken == []
        tried = attempts(server)
        server.scripts = deque([{}])
        server.hang_up()
        await running_desk.anne.press(card, "del:")
        await running_desk.anne.sees("Répondu", "envoyé à")
        taken = await only_one(server)
        assert {t.text for t in server.heard} == {taken.text}
        assert attempts(server) == tried + 1  # not tried by itself in between


REFUSED_FOR_EVER_EARLY = {
    "greeting": ("554 5.3.2 no service here", "Le serveur d’envoi est momentanément occupé."),
    "EHLO": ("550 5.3.2 go away", "Le serveur d’envoi est momentanément occupé."),
    "STARTTLS": ("501 5.5.4 no", "Le serveur d’envoi est momentanément occupé."),
    "AUTH": ("535 5.7.8 wrong password", "Le serveur d’envoi refuse notre mot de passe."),
}


@pytest.mark.parametrize("at", REFUSED_FOR_EVER_EARLY)
async def test_a_server_that_lets_nobody_in_condemns_no_letter(
    at: str, tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer
) -> None:
    answer, says = REFUSED_FOR_EVER_EARLY[at]
    tls: Tls = "starttls" if at == "STARTTLS" else "none"
    usual = {} if at in ("EHLO", "greeting") else OFFERS
    olga = telegram.user(599, "Olga")
    olga.start()
    async with (
        ScriptedSmtp.saying({**usual, at: answer}) as server,
        desk(tmp_path, dovecot, telegram, server.port, tls=tls, login=at == "AUTH", owner=599) as running_desk,
    ):
        await running_desk.answer()
        await running_desk.anne.sees(RETRIES, says)
        await eventually(lambda: attempts(server) >= 3)
        assert server.taken == []
        if at == "AUTH":
            told = [m for m in olga.messages() if "refuse notre mot de passe" in str(m.get("text"))]
            assert len(told) == 1  # once, however often it is tried
            server.scripts = deque([OFFERS])
            await running_desk.anne.sees("Répondu", "envoyé à")
            await only_one(server)


# ---------------------------------------------------------------- broken off, babbling, slow


@pytest.mark.parametrize(
    ("at", "how"),
    [  # the channel's own tests go through all of them
        ("greeting", SAYS_NOTHING),
        ("EHLO", NEVER_ENDS),
        ("MAIL", HANGS_UP),
        ("RCPT", "hello, who is there?"),
        ("DATA", HANGS_UP),
        ("DATA", SAYS_NOTHING),
    ],
)
async def test_whatever_goes_wrong_before_the_text_nothing_left_and_it_is_tried_again(
    at: str, how: str, tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer
) -> None:
    async with (
        ScriptedSmtp.saying({at: how}) as server,
        desk(tmp_path, dovecot, telegram, server.port) as running_desk,
    ):
        await running_desk.answer()
        await running_desk.anne.sees(RETRIES, "Le serveur d’envoi est injoignable.")
        server.scripts = deque([{}])
        await running_desk.anne.sees("Répondu", "envoyé à")
        await only_one(server)


async def test_a_server_that_speaks_an_octet_at_a_time_gets_the_mail_all_the_same(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer
) -> None:
    slow = {"greeting": "220 slow", "EHLO": "250 slow", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on"}
    says = {at: f"{SLOWLY}{answer}" for at, answer in {**slow, "text": "250 2.0.0 queued"}.items()}
    async with (
        ScriptedSmtp.saying(says) as server,
        desk(tmp_path, dovecot, telegram, server.port) as running_desk,
    ):
        await running_desk.answer()
        await running_desk.anne.sees("Répondu", "envoyé à")
        await only_one(server)


async def test_a_connection_that_breaks_in_the_middle_of_a_long_text_is_tried_again(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = smtp._as_data
    monkeypatch.setattr(smtp, "_as_data", lambda raw: whole(raw + b"X" * 70 + b"\r\n" + b"x\r\n" * 10_000_000))
    async with (
        ScriptedSmtp.saying({"text": HANGS_UP_HALFWAY}) as server,
        desk(tmp_path, dovecot, telegram, server.port) as running_desk,
    ):
        await running_desk.answer()
        await running_desk.anne.sees(RETRIES, "Le serveur d’envoi est injoignable.")
        monkeypatch.setattr(smtp, "_as_data", whole)
        server.scripts = deque([{}])
        await running_desk.anne.sees("Répondu", "envoyé à")
        await only_one(server)


@pytest.mark.parametrize("how", [HANGS_UP, HANGS_UP_HALFWAY, SAYS_NOTHING, NEVER_ENDS, "hello?", "354 go on"])
async def test_whatever_goes_wrong_after_the_final_dot_a_person_decides_and_nothing_is_repeated_before(
    how: str, tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer
) -> None:
    async with (
        ScriptedSmtp.saying({"text": how}, {}) as server,
        desk(tmp_path, dovecot, telegram, server.port) as running_desk,
    ):
        await running_desk.answer("Oui, jeudi.")
        card = await running_desk.anne.sees(UNDECIDED, "La connexion s’est coupée pendant l’envoi", button="del:")
        # Another answer goes its way meanwhile, behind every retry that could have come before it.
        await asyncio.sleep(4 * outbox.FIRST_WAIT.total_seconds())
        await running_desk.answer("Pour autre chose.")
        await running_desk.anne.sees("Pour autre chose.", "envoyé à")
        assert [b"autre chose" in t.text for t in server.taken] == [True]
        await running_desk.anne.press(card, "del:")
        await running_desk.anne.sees("Oui, jeudi.", "Répondu", "envoyé à")
        assert len(server.taken) == 2
        if server.heard[0].text != server.taken[0].text:  # it had heard the whole of it the first time
            assert message_id(server.heard[0].text) == message_id(server.taken[1].text)
            assert server.heard[0].text == server.taken[1].text


# ---------------------------------------------------------------- one of three


async def test_of_three_recipients_those_who_are_not_refused_have_it_once_and_she_reads_who_has_not(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = (SOPHIE, "nobody@client.test", "anne@client.test", "tempfail@client.test")

    def with_copies(answers: Message | None, account: Account) -> tuple[str, ...]:
        return three if answers is not None else ()  # as if she had chosen them

    monkeypatch.setattr(addressees, "reply_recipients", with_copies)
    async with desk(tmp_path, dovecot, telegram, postfix.port) as running_desk:
        await running_desk.answer()
        await running_desk.anne.sees(
            "La réponse n’est pas partie pour nobody@client.test.",
            "L’adresse n’existe pas",
            "pas encore à tempfail@client.test",
            button="del:",
        )
        log = postfix.root / "maillog"
        # Asked for with the others, and then alone, over and over.
        await eventually(lambda: log.read_text().count("450 4.2.1 <tempfail@client.test>") >= 4)
        (sophies,) = await eventually(lambda: dovecot.mails("sophie"))
        (annes,) = await eventually(lambda: dovecot.mails("anne"))
        assert message_id(sophies) == message_id(annes)
        assert log.read_text().count("550 5.1.1 <nobody@client.test>") == 1
        card = await running_desk.anne.sees("La réponse n’est pas partie pour nobody", button="del:")
        drop = next(b for row in card["reply_markup"]["inline_keyboard"] for b in row if "Abandonner" in b["text"])
        await running_desk.anne.press(card, drop["callback_data"])
        await running_desk.anne.sees("Répondu", "pas encore à tempfail", absent="n’est pas partie")
        assert (len(dovecot.mails("sophie")), len(dovecot.mails("anne"))) == (1, 1)


# ---------------------------------------------------------------- the real limits


def test_the_real_limits_are_those_of_the_standard() -> None:
    """RFC 5321 §4.5.3.2.1 to .6."""
    minutes = [
        limit.total_seconds() / 60
        for limit in (
            Patience().greeting,
            Patience().command,
            Patience().go_ahead,
            Patience().block,
            Patience().answer,
        )
    ]
    assert minutes == [5, 5, 2, 3, 10]
