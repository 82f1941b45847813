"""What Gmail and Exchange Online are known to do, played by a scripted server: nothing is lost, doubled or given up.

Of Gmail: Google's "IMAP Extensions" and its limits (15 connections, bandwidth). Of Exchange Online: what programs
that use it report (MailKit #849 and #1494, node-imap #523 and #689, aioimaplib #83).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from channels.mail.afterwards import Afterwards
from channels.mail.mailbox import Mailbox
from tests.channels.mail.test_mailbox import (
    DESK,
    NOWHERE,
    QUICK,
    SHORT,
    Kept,
    Watcher,
    keeping_back,
    mail,
    mailbox,
    receiving,
    server_at,
)
from tests.servers.scripted_imap import ScriptedImap

# as both say it to who is logged in
EXCHANGE = (
    "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CLIENTACCESSRULES "
    "CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE NAMESPACE LITERAL+"
)
GMAIL = (
    "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE "
    "CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584"
)


def once(answer: Callable[[str], bytes], times: int = 1) -> Callable[[str, str], bytes | None]:
    """So many answers of this kind, then good ones."""
    left = times

    def script(tag: str, _: str) -> bytes | None:
        nonlocal left
        left -= 1
        return answer(tag) if left >= 0 else None

    return script


@pytest.fixture
async def exchange() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as server:
        server.capabilities = EXCHANGE
        server.greeting = b"* OK The Microsoft Exchange IMAP4 service is ready. [UwBJADIAUAA=]\r\n"
        server.mails = {uid: mail(f"mail {uid}") for uid in (1, 2, 3)}
        yield server


@pytest.fixture
async def gmail() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as server:
        server.capabilities = GMAIL
        server.greeting = b"* OK Gimap ready for requests from 127.0.0.1 k2if6111336rvb.0\r\n"
        server.mails = {uid: mail(f"mail {uid}") for uid in (1, 2, 3)}
        yield server


# ---------------------------------------------------------------- Exchange Online


@pytest.mark.parametrize("factor", [0, 0.5, 3])
async def test_sizes_that_are_guesses_cut_no_mail(exchange: ScriptedImap, factor: float) -> None:
    def script(tag: str, args: str) -> bytes | None:
        if "BODY" in args:
            return None
        said = b"".join(
            b"* %d FETCH (RFC822.SIZE %d UID %d)\r\n" % (uid, len(raw) * factor, uid)
            for uid, raw in exchange.mails.items()
        )
        return said + f"{tag} OK FETCH completed.\r\n".encode()

    exchange.scripts["UID FETCH"] = script
    kept = Kept()
    async with receiving(mailbox(server_at(exchange)), kept):
        await kept.holds(3)
    assert [arrival.raw for arrival in kept.arrivals] == list(exchange.mails.values())


async def test_a_token_that_expires_while_we_wait_costs_a_connection_and_no_mail(exchange: ScriptedImap) -> None:
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_at(exchange), watcher), kept):
        await kept.holds(3)
        await exchange.someone_idles()
        exchange.say(b"* BYE Session invalidated - AccessTokenExpired\r\n")
        exchange.mails[4] = mail("mail 4")
        await kept.holds(4)
    assert kept.subjects == ["mail 1", "mail 2", "mail 3", "mail 4"]
    assert watcher.events[1][:2] == ("down", "the server said goodbye: Session invalidated - AccessTokenExpired")


@pytest.mark.parametrize("status", ["BAD", "NO"])
async def test_authenticated_but_not_connected_passes(exchange: ScriptedImap, status: str) -> None:
    refusal = f"{status} User is authenticated but not connected.\r\n* BYE Connection closed. 14\r\n"
    exchange.scripts["EXAMINE"] = once(lambda tag: f"{tag} {refusal}".encode(), 3)
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_at(exchange), watcher), kept):
        await kept.holds(3)
    assert (watcher.count("down"), exchange.connections) == (3, 4)


async def test_the_same_in_answer_to_the_very_first_login_does_not_stop_the_mailbox(exchange: ScriptedImap) -> None:
    exchange.scripts["LOGIN"] = once(lambda tag: f"{tag} NO User is authenticated but not connected.\r\n".encode(), 2)
    kept = Kept()
    async with receiving(mailbox(server_at(exchange)), kept):
        await kept.holds(3)


async def test_what_is_moved_in_without_being_announced_is_found_when_the_wait_is_renewed(
    exchange: ScriptedImap,
) -> None:
    kept = Kept()
    pace = replace(QUICK, idle_renewal=timedelta(seconds=0.1))
    async with receiving(mailbox(server_at(exchange), pace=pace), kept):
        await kept.holds(3)
        await exchange.someone_idles()
        exchange.mails[4] = mail("moved in")
        await kept.holds(4)
    assert kept.subjects[3] == "moved in"


async def test_a_meeting_it_cannot_render_holds_up_nobody(exchange: ScriptedImap) -> None:
    never = keeping_back(exchange, 2)

    def script(tag: str, args: str) -> bytes | None:
        alone = args.startswith("2 ") and "BODY" in args
        return f"{tag} NO Error in processing the request\r\n".encode() if alone else never(tag, args)

    exchange.scripts["UID FETCH"] = script
    kept = Kept()
    async with receiving(mailbox(server_at(exchange)), kept):
        await kept.holds(3)
    assert sorted(kept.keys) == ["7:1", "7:2", "7:3"]
    assert b"X-Permanence-Undelivered" in next(a.raw for a in kept.arrivals if a.source_key == "7:2")


# ---------------------------------------------------------------- Gmail


@pytest.mark.parametrize(
    "refusal",
    [
        "NO [ALERT] Too many simultaneous connections. (Failure)",
        "NO [UNAVAILABLE] Temporary System Error",
        "NO [OVERQUOTA] Account exceeded command or bandwidth limits. 1abc",
        "NO [LIMIT] Too many connections",
        "NO [THROTTLED] slow down",
    ],
)
async def test_a_limit_at_the_very_first_login_is_waited_out(gmail: ScriptedImap, refusal: str) -> None:
    gmail.scripts["LOGIN"] = once(lambda tag: f"{tag} {refusal}\r\n".encode(), 2)
    kept, watcher = Kept(), Watcher()
    async with receiving(mailbox(server_at(gmail), watcher), kept):
        await kept.holds(3)
    assert watcher.count("down") == 2


@pytest.mark.parametrize(
    "answer",
    [
        "{tag} NO [THROTTLED] Account exceeded command or bandwidth limits.\r\n",
        "{tag} NO [OVERQUOTA] Account exceeded command or bandwidth limits.\r\n",
        "* BYE Account exceeded command or bandwidth limits.\r\n",
    ],
)
async def test_too_much_traffic_is_waited_out_and_no_mail_is_taken_for_undeliverable(
    gmail: ScriptedImap, answer: str
) -> None:
    throttled = once(lambda tag: answer.format(tag=tag).encode(), 4)
    gmail.scripts["UID FETCH"] = lambda tag, args: throttled(tag, args) if "BODY" in args else None
    kept = Kept()
    async with receiving(mailbox(server_at(gmail)), kept):
        await kept.holds(3)
    assert kept.subjects == ["mail 1", "mail 2", "mail 3"]


async def test_a_wait_it_ends_after_ten_minutes_is_taken_up_again(gmail: ScriptedImap) -> None:
    kept = Kept()
    async with receiving(mailbox(server_at(gmail)), kept):
        await kept.holds(3)
        for uid in (4, 5):
            await gmail.someone_idles()
            gmail.say(b"* BYE System error\r\n")
            gmail.mails[uid] = mail(f"mail {uid}")
            await kept.holds(uid)
    assert kept.subjects == [f"mail {uid}" for uid in range(1, 6)]


async def test_what_it_says_of_labels_and_read_marks_meanwhile_is_passed_over(gmail: ScriptedImap) -> None:
    said = b'* 1 FETCH (X-GM-LABELS ("\\\\Important" "a (b") FLAGS (\\Seen $Phishing) UID 1 MODSEQ (12345))\r\n'
    good = gmail.fetched
    gmail.scripts["UID FETCH"] = lambda tag, args: (
        said + b"".join(good(uid, args) for uid in gmail.chosen(args.split(" ")[0])) + f"{tag} OK Success\r\n".encode()
    )
    kept = Kept()
    async with receiving(mailbox(server_at(gmail)), kept):
        await kept.holds(3)
        await gmail.someone_idles()
        gmail.say(said + b"* 3 EXPUNGE\r\n* VANISHED 3\r\n* 2 EXISTS\r\n")
        gmail.arrive(4, mail("mail 4"))
        await kept.holds(4)
    assert [arrival.raw for arrival in kept.arrivals] == [mail(f"mail {uid}") for uid in range(1, 5)]


async def test_what_moves_to_another_label_is_gone_from_here_and_no_gap(gmail: ScriptedImap) -> None:
    def move(tag: str, args: str) -> bytes:
        for uid in gmail.chosen(args.split(" ")[0]):
            del gmail.mails[uid]
        return f"* OK [COPYUID 12 1:3 7:9]\r\n* 1 EXPUNGE\r\n* 0 EXISTS\r\n{tag} OK (Success)\r\n".encode()

    gmail.scripts["UID MOVE"] = move
    kept = Kept()
    box = Mailbox(
        DESK, server_at(gmail), NOWHERE, Watcher(), start_at="beginning", pace=QUICK, limits=SHORT,
        afterwards=Afterwards.from_text("move:[Gmail]/Tous les messages"),
    )  # fmt: skip
    async with receiving(box, kept):
        await kept.holds(3)
        await gmail.someone_idles()
    assert gmail.mails == {}
    assert await box.list_keys(kept.position or "") == []


@pytest.mark.parametrize(
    ("host", "copied"), [("smtp.gmail.com", False), ("SMTP.office365.com.", False), ("x.test", True)]
)
async def test_no_second_copy_is_put_beside_the_one_the_server_keeps_itself(
    gmail: ScriptedImap, host: str, copied: bool
) -> None:
    gmail.scripts["LIST"] = lambda tag, _: f'* LIST (\\Sent) "/" "[Gmail]/Sent Mail"\r\n{tag} OK\r\n'.encode()
    box = Mailbox(DESK, server_at(gmail), replace(NOWHERE, host=host), Watcher(), sent_folder="auto", limits=SHORT)
    says = [found.says for found in await box._check_imap()]
    assert ("Sent mail is kept in [Gmail]/Sent Mail" in says) is copied
    assert ("The server that sends keeps the copies of what is sent" in says) is not copied
