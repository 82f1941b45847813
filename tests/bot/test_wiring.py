import socket
from pathlib import Path

import pytest
from aiohttp import ClientSession

from bot.config import load
from bot.settings import Settings
from bot.wiring import (
    Unobserved,
    build_channels,
    build_mailbox,
    channel_ids,
    declared_accounts,
    declared_owners,
    desk_bots,
    open_store,
    own_accounts,
    routes,
)
from channels.mail.mailbox import Mailbox
from channels.telegram.bot import TelegramBot
from inbox.errors import StoreUnavailable
from inbox.invitations import DeclaredOwner
from inbox.model import AssignmentMode
from inbox.particulars import Verdict
from inbox.parts import ChannelId
from inbox.store.base import Changes
from tests.bot.test_config import EXAMPLE, SECRETS


def example(**environ: str) -> Settings:
    return load(EXAMPLE, SECRETS | environ)


def test_every_declared_mailbox_and_bot_becomes_a_channel() -> None:
    settings = example()
    channels = build_channels(settings, Unobserved())
    assert list(channels) == [
        "mail:cabinet-roux",
        "mail:permanence",
        "mail:siege",
        "telegram:permanence",
        "telegram:docteur-roux",
    ]
    assert list(channels) == channel_ids(settings)
    assert [channel.id for channel in channels.values()] == list(channels)
    assert [type(channel) for channel in channels.values()] == [Mailbox, Mailbox, Mailbox, TelegramBot, TelegramBot]


def test_a_mailbox_believes_the_server_the_config_names() -> None:
    shown = example().mailboxes["cabinet-roux"]
    mailbox = shown.model_copy(update={"trusted_authserv_id": ("mx.roux.example",), "verify_dkim": False})
    raw = (
        b"Authentication-Results: mx.roux.example; dmarc=pass header.from=client.example\r\n"
        b"From: paul@client.example\r\n\r\nBonjour"
    )
    believing, plain = build_mailbox("a", mailbox, Unobserved()), build_mailbox("b", shown, Unobserved())
    trust = believing.read(raw).particulars.trust
    assert trust is not None
    assert (trust.verdict, trust.by) == (Verdict.VERIFIED, "mx.roux.example")
    assert plain.read(raw).particulars.trust is None
    assert b"Bonjour" in plain.page(raw, str)


def test_a_channel_of_one_account_is_its_own_and_secretaries_join_by_the_desks_bots() -> None:
    settings = example()
    assert own_accounts(settings) == {"mail:cabinet-roux": "docteur-roux", "telegram:docteur-roux": "docteur-roux"}
    assert desk_bots(settings) == ["telegram:permanence"]


def test_accounts_are_as_declared_and_the_from_address_is_one_of_theirs() -> None:
    doctor, lawyer, plumber = declared_accounts(example(PERMANENCE_DESK__LANGUAGE="en"))
    assert (doctor.id, doctor.name, doctor.language, doctor.mailbox) == (
        "docteur-roux",
        "Dr Camille Roux",
        "fr",
        "mail:cabinet-roux",
    )
    assert doctor.addresses == ("secretariat@cabinet-roux.example", "contact@cabinet-roux.example")
    assert doctor.identity.signature == "Le secrétariat du Dr Camille Roux\n12 rue des Lilas, 69003 Lyon"
    assert (lawyer.assignment, lawyer.language, lawyer.time_zone) == (AssignmentMode.MANUAL, "en", "Europe/Paris")
    assert plumber.addresses == ("bernard@permanence.example", "accueil+plomberie-bernard@permanence.example")
    assert (plumber.mailbox, plumber.reopen_days) == ("mail:permanence", 14)


def test_closed_conversations_are_kept_as_long_as_the_account_says_else_the_desk() -> None:
    assert [a.retention_days for a in declared_accounts(example())] == [365, None, None]
    by_the_desk = example(PERMANENCE_DESK__RETENTION_DAYS="90", PERMANENCE_ACCOUNTS__MAITRE_LEFEVRE__RETENTION_DAYS="0")
    assert [a.retention_days for a in declared_accounts(by_the_desk)] == [365, None, 90]


def test_an_account_answers_from_the_mailbox_that_serves_it_alone() -> None:
    settings = example()
    roux = settings.accounts["docteur-roux"].model_copy(update={"mailbox": None})
    settings = settings.model_copy(update={"accounts": settings.accounts | {"docteur-roux": roux}})
    assert declared_accounts(settings)[0].mailbox == "mail:cabinet-roux"


def test_owners_are_reached_through_the_desks_first_bot() -> None:
    assert declared_owners(example()) == [
        DeclaredOwner(
            telegram_user_id=4242424242, name="Anne Lemoine", language="fr", channel_id=ChannelId("telegram:permanence")
        )
    ]


async def test_one_worker_holds_the_store_and_others_may_look(tmp_path: Path) -> None:
    settings = example(PERMANENCE_STORE__URL=f"sqlite:{tmp_path}/desk.db")
    told: list[int] = []
    async with open_store(settings, exclusive=True, on_commit=lambda units, seconds: told.append(units)) as store:
        async with open_store(settings, exclusive=False):
            pass
        with pytest.raises(StoreUnavailable):
            async with open_store(settings, exclusive=True):
                pass
        await store.commit(Changes(inserts=declared_accounts(settings)))
    assert told == [1]


async def test_a_webhook_is_heard_where_the_config_says_while_it_is_entered(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = example(PERMANENCE_BOTS__DOCTEUR_ROUX__WEBHOOK__PORT=str(port))
    channels = build_channels(settings, Unobserved())
    url = f"http://127.0.0.1:{port}/telegram/docteur-roux"
    async with ClientSession() as telegram:
        async with routes(settings, channels):
            # the bot itself does not run yet: Telegram is told to come again
            answers = []
            for secret in ("wrong", SECRETS["PERMANENCE_BOTS__DOCTEUR_ROUX__WEBHOOK__SECRET"]):
                headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
                async with telegram.post(url, json={"update_id": 1}, headers=headers) as answer:
                    answers.append(answer.status)
            assert answers == [403, 503]
        with pytest.raises(OSError, match=str(port)):
            await telegram.post(url, json={})
    for channel in channels.values():
        await channel.close()


def test_the_tags_of_a_shared_mailbox_are_addresses_of_the_accounts_that_name_it() -> None:
    settings = example(
        PERMANENCE_ACCOUNTS__MAITRE_LEFEVRE__TAGS='["avocat"]',
        PERMANENCE_MAILBOXES__PERMANENCE__ROUTE_HEADER="X-Account",
    )
    doctor, lawyer, plumber = declared_accounts(settings)
    assert not any("+" in address for address in doctor.addresses)  # its mailbox is its own
    assert lawyer.tags == ("avocat",)
    assert {a for a in lawyer.addresses if "+" in a} == {
        "accueil+maitre-lefevre@permanence.example",
        "accueil+avocat@permanence.example",
    }
    assert "accueil+plomberie-bernard@permanence.example" in plumber.addresses
    raw = b"X-Account: Avocat\r\nReceived: by us\r\nFrom: paul@client.example\r\n\r\nBonjour"
    mailbox = build_mailbox("permanence", settings.mailboxes["permanence"], Unobserved())
    assert mailbox.read(raw).routed == "avocat"
    own = declared_accounts(example(PERMANENCE_MAILBOXES__PERMANENCE__ADDRESS="Desk@permanence.example"))[1]
    assert "desk+maitre-lefevre@permanence.example" in own.addresses
