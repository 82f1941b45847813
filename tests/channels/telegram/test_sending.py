"""What leaves: how it arrives, and what each failure is told as."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
import ssl
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from channels.base import ChatFile, ChatMessage, Reply
from channels.errors import ChannelError, LoginRejected, OutcomeUnknown, PermanentFailure, TemporaryFailure
from channels.telegram import bot as bot_module
from channels.telegram.bot import TelegramBot
from channels.telegram.files import read_file
from inbox.model import Direction, Message
from inbox.notices import Letter, Post
from inbox.parts import (
    Attachment,
    AttachmentKind,
    BlobId,
    Button,
    ChannelId,
    ContactId,
    ConversationId,
    Entity,
    MessageId,
    new_id,
)
from tests.builders import NOW, ROUX, a_conversation, an_account
from tests.channels.telegram.conftest import BuildBot
from tests.channels.telegram.parts import Listener
from tests.servers.telegram import CHANNEL, Telegram, closed_port

LUCIE = 1001


def a_post(text: str = "Bonjour", *, reply_to: int | None = None, attachment: Attachment | None = None) -> Post:
    return Post(chat_id=LUCIE, text=text, reply_to=reply_to, attachment=attachment)


def an_attachment(
    kind: AttachmentKind = AttachmentKind.FILE, *, name: str = "devis.pdf", path: str = "2"
) -> Attachment:
    return Attachment(name=name, media_type="application/octet-stream", size=0, kind=kind, path=path)


def a_reply(
    text: str = "Bonjour",
    *,
    answers: str | None = None,
    attachments: tuple[Attachment, ...] = (),
    channel: str = CHANNEL,
) -> Reply:
    inbound = None
    if answers is not None:
        inbound = Message(
            id=MessageId(new_id()),
            account_id=ROUX,
            conversation_id=ConversationId("c"),
            position=1,
            direction=Direction.INBOUND,
            channel_id=ChannelId(channel),
            author_id=ContactId("lucie"),
            author_name="Lucie",
            text="?",
            external_id=answers,
            created_at=NOW,
        )
    return Reply(
        account=an_account(),
        conversation=a_conversation(channel_id=CHANNEL, chat_id=LUCIE),
        message_id=MessageId("m"),
        external_id="unsent:m",
        text=text,
        answers=inbound,
        recipients=(),
        attachments=attachments,
        now=NOW,
    )


async def send_all(bot: TelegramBot, reply: Reply) -> list[str]:
    sent = []
    for parcel in bot.compose(reply):
        assert isinstance(parcel.payload, Post)
        sent.append((await bot.send(parcel.payload, None)).reference)
    return sent


# ---------------------------------------------------------------- to clients


async def test_a_client_reads_what_was_written_and_nothing_is_markup(telegram: Telegram, bot: TelegramBot) -> None:
    text = "Prix : <b>12 €</b> *TTC* _net_ & [ici](https://a.example) 😀"
    sent = await bot.send(a_post(text), None)
    message = telegram.lucie.messages()[-1]
    assert message["text"] == text
    assert [entity["type"] for entity in message.get("entities", [])] == ["url"]
    assert str(message["message_id"]) == sent.reference


async def test_a_reply_hangs_on_the_message_it_answers(telegram: Telegram, bot: TelegramBot) -> None:
    asked = telegram.lucie.send_text("Vous ouvrez quand ?")
    await send_all(bot, a_reply("À neuf heures", answers=f"{CHANNEL}:{LUCIE}:{asked['message_id']}"))
    assert telegram.lucie.messages()[-1]["reply_to_message"]["message_id"] == asked["message_id"]


async def test_a_reply_to_a_message_since_deleted_arrives_all_the_same(telegram: Telegram, bot: TelegramBot) -> None:
    asked = telegram.lucie.send_text("Oubliez")
    telegram.lucie.delete(asked["message_id"])
    await bot.send(a_post("Bien noté", reply_to=asked["message_id"]), None)
    assert telegram.texts(telegram.lucie) == ["Bien noté"]
    assert "reply_to_message" not in telegram.lucie.messages()[-1]


@pytest.mark.parametrize(
    "answers", ["telegram:other:1001:7", f"{CHANNEL}:9999:7", "17@mail.example", "sha256:1001:7x", "unsent:m"]
)
def test_only_a_message_of_this_bot_and_chat_is_replied_to(bot: TelegramBot, answers: str) -> None:
    [parcel] = bot.compose(a_reply(answers=answers))
    assert parcel.payload == a_post()


async def test_long_text_arrives_in_order_and_only_its_first_part_replies(telegram: Telegram, bot: TelegramBot) -> None:
    asked = telegram.lucie.send_text("?")
    paragraphs = [f"{n} " + "😀é" * 1000 for n in range(3)]
    reply = a_reply("\n\n".join(paragraphs), answers=f"{CHANNEL}:{LUCIE}:{asked['message_id']}")
    assert len(await send_all(bot, reply)) == 3
    assert telegram.texts(telegram.lucie) == paragraphs
    assert ["reply_to_message" in m for m in telegram.lucie.messages()[-3:]] == [True, False, False]


def test_composing_the_same_reply_gives_the_same_parcels(bot: TelegramBot) -> None:
    reply = a_reply("x " * 5000, attachments=(an_attachment(path="f"),))
    assert bot.compose(reply) == bot.compose(reply)


async def test_a_file_follows_the_words_by_its_id(telegram: Telegram, bot: TelegramBot) -> None:
    there = telegram.lucie.send_file("document", "plan.pdf", "application/pdf", b"%PDF")
    file = an_attachment(path=there["document"]["file_id"])
    await send_all(bot, a_reply("Voici", attachments=(file,)))
    words, document = telegram.lucie.messages()[-2:]
    assert words["text"] == "Voici"
    assert document["document"]["file_name"] == "plan.pdf"


async def test_a_shared_bot_says_for_whom_it_speaks(telegram: Telegram, build_bot: BuildBot) -> None:
    bot = build_bot(sign_replies=True)
    reply = a_reply("Bonjour")
    await send_all(bot, reply)
    assert telegram.texts(telegram.lucie) == ["Dr Hélène Roux :\nBonjour"]
    assert bot.preview(reply).text == "Dr Hélène Roux :\nBonjour"


def test_what_is_no_chat_cannot_be_composed(bot: TelegramBot) -> None:
    with pytest.raises(ValueError, match="Telegram"):
        bot.compose(dataclasses.replace(a_reply(), conversation=a_conversation()))
    with pytest.raises(ValueError, match="fetch_file"):
        bot.extract(b"{}", an_attachment())


async def test_a_letter_is_not_for_a_bot(bot: TelegramBot) -> None:
    letter = Letter(sender="a@a.example", recipients=(), blob_id=BlobId("b"), message_id="m")
    with pytest.raises(PermanentFailure):
        await bot.send(letter, b"")


# ---------------------------------------------------------------- to secretaries


async def test_a_card_has_its_formats_and_buttons(telegram: Telegram, bot: TelegramBot) -> None:
    card = ChatMessage(
        LUCIE,
        "😀 Fuite d’eau",
        entities=(Entity(type="bold", offset=3, length=11),),
        keyboard=((Button(text="Prendre", data="take:1"),), (Button(text="Site", url="https://a.example/"),)),
    )
    await bot.show(card)
    message = telegram.lucie.messages()[-1]
    assert message["entities"] == [{"type": "bold", "offset": 3, "length": 11}]
    [[take], [site]] = message["reply_markup"]["inline_keyboard"]
    assert (take["callback_data"], site["url"]) == ("take:1", "https://a.example/")


async def test_a_card_is_brought_up_to_date_in_place(telegram: Telegram, bot: TelegramBot) -> None:
    card = ChatMessage(LUCIE, "En attente", keyboard=((Button(text="Prendre", data="take:1"),),))
    shown = await bot.show(card)
    edited = await bot.show(ChatMessage(LUCIE, "Prise", edits=int(shown.reference)))
    again = await bot.show(ChatMessage(LUCIE, "Prise", edits=int(shown.reference)))
    assert shown.reference == edited.reference == again.reference
    assert telegram.texts(telegram.lucie) == ["Prise"]
    assert "reply_markup" not in telegram.lucie.messages()[-1]


async def test_a_card_that_is_gone_or_not_ours_cannot_be_edited(telegram: Telegram, bot: TelegramBot) -> None:
    hers = telegram.lucie.send_text("de moi")["message_id"]
    for message_id in (hers, 999_999):
        with pytest.raises(PermanentFailure) as failed:
            await bot.show(ChatMessage(LUCIE, "x", edits=message_id))
        assert failed.value.reason == "failure.cannot_edit"


async def test_an_edit_refused_for_what_it_says_is_not_taken_for_a_card_that_is_gone(
    telegram: Telegram, bot: TelegramBot
) -> None:
    shown = await bot.show(ChatMessage(LUCIE, "x"))
    with pytest.raises(PermanentFailure) as failed:
        await bot.show(ChatMessage(LUCIE, "y" * 4097, edits=int(shown.reference)))
    assert failed.value.reason == "failure.refused"


async def test_a_press_is_answered_with_a_toast_or_an_alert(telegram: Telegram, bot: TelegramBot) -> None:
    shown = await bot.show(ChatMessage(LUCIE, "?", keyboard=((Button(text="Oui", data="yes"),),)))
    press = asyncio.create_task(telegram.lucie.press(int(shown.reference), "yes"))
    await asyncio.sleep(0)
    query = telegram.bot().pending()[-1]["callback_query"]
    await bot.answer_press(query["id"], "é" * 300, alert=True)
    answer = await press
    assert answer.text == "é" * 199 + "…"
    assert answer.show_alert


async def test_an_expired_press_is_no_error(telegram: Telegram, bot: TelegramBot) -> None:
    await bot.answer_press("12345", "trop tard")


async def test_the_link_opens_this_bot(telegram: Telegram, bot: TelegramBot) -> None:
    assert await bot.link("docteur-roux") == "https://t.me/permanence_demo_bot?start=docteur-roux"


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("kind", "field"),
    [("photo", "photo"), ("document", "document"), ("voice", "voice"), ("audio", "audio"), ("video", "video")],
)
async def test_a_file_goes_to_another_chat_of_the_bot_as_what_it_is(
    telegram: Telegram, bot: TelegramBot, kind: str, field: str
) -> None:
    there = telegram.omar.send_file(kind, "x.bin", "application/octet-stream", b"\xff\xd8 octets")
    content = there[field][-1] if kind == "photo" else there[field]
    attachment_kind = AttachmentKind("file" if kind == "document" else kind)
    attachment = an_attachment(attachment_kind, path=content["file_id"])
    await bot.hand_over(ChatFile(LUCIE, attachment, None, caption="pour vous"))
    seen = telegram.lucie.messages()[-1]
    assert field in seen
    assert seen["caption"] == "pour vous"


@pytest.mark.parametrize("kind", [AttachmentKind.FILE, AttachmentKind.PHOTO])
async def test_a_file_from_a_mail_is_uploaded_whole(telegram: Telegram, bot: TelegramBot, kind: AttachmentKind) -> None:
    data = bytes(range(256)) * 1000
    await bot.hand_over(ChatFile(LUCIE, an_attachment(kind, name='dev"is\r\n é.pdf'), data))
    document = telegram.lucie.messages()[-1]["document"]
    name, _, octets = telegram.lucie.file(document["file_id"])
    assert octets == data
    assert "\n" not in name
    assert name.endswith("é.pdf")


@pytest.mark.parametrize(
    ("kind", "octets", "field"),
    [
        (AttachmentKind.VOICE, b"OggS" + bytes(24) + b"OpusHead" + bytes(100), "voice"),
        (AttachmentKind.VOICE, b"OggS" + bytes(24) + b"\x01vorbis" + bytes(100), "document"),
        (AttachmentKind.AUDIO, b"ID3\x04" + bytes(100), "audio"),
        (AttachmentKind.AUDIO, b"\xff\xfb\x90\x64" + bytes(100), "audio"),
        (AttachmentKind.AUDIO, b"\x00\x00\x00\x20ftypM4A " + bytes(100), "audio"),
        (AttachmentKind.AUDIO, b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(100), "document"),
        (AttachmentKind.AUDIO, b"#!AMR\n" + bytes(100), "document"),
        (AttachmentKind.FILE, b"ID3\x04" + bytes(100), "document"),
    ],
)
async def test_a_sound_from_a_mail_plays_where_telegram_can_play_it(
    telegram: Telegram, bot: TelegramBot, kind: AttachmentKind, octets: bytes, field: str
) -> None:
    await bot.hand_over(ChatFile(LUCIE, an_attachment(kind, name="message.wav"), octets))
    seen = telegram.lucie.messages()[-1]
    assert field in seen
    assert telegram.lucie.file(seen[field]["file_id"])[2] == octets


async def test_a_file_too_big_for_telegram_is_told_without_trying(listener: Listener) -> None:
    bot = TelegramBot(CHANNEL, "1:x", listener)
    with pytest.raises(PermanentFailure) as failed:
        await bot.hand_over(ChatFile(LUCIE, an_attachment(), bytes(50 * 2**20 + 1)))
    assert failed.value.reason == "failure.file_too_big"
    await bot.close()


async def test_a_file_too_big_for_the_server_is_told(telegram: Telegram, bot: TelegramBot) -> None:
    telegram.fail_next("sendDocument", status=413, description="Request Entity Too Large")
    with pytest.raises(PermanentFailure) as failed:
        await bot.hand_over(ChatFile(LUCIE, an_attachment(), b"x"))
    assert failed.value.reason == "failure.file_too_big"


async def test_a_clients_file_is_fetched_whole(telegram: Telegram, bot: TelegramBot) -> None:
    data = bytes(range(256)) * 2000
    there = telegram.lucie.send_file("document", "plan.pdf", "application/pdf", data)
    assert await bot.fetch_file(there["document"]["file_id"]) == data


async def test_files_that_cannot_be_fetched_say_why(telegram: Telegram, bot: TelegramBot) -> None:
    big = telegram.lucie.send_file("document", "film.mkv", "video/x-matroska", bytes(20 * 2**20 + 1))
    with pytest.raises(PermanentFailure) as failed:
        await bot.fetch_file(big["document"]["file_id"])
    assert failed.value.reason == "failure.file_too_big"
    with pytest.raises(PermanentFailure) as failed:
        await bot.fetch_file("of another bot")
    assert failed.value.reason == "failure.refused"


async def test_a_server_of_ones_own_hands_files_over_on_disk(bot: TelegramBot, tmp_path: Path) -> None:
    (tmp_path / "plan.pdf").write_bytes(b"%PDF")
    assert await read_file(bot.aiogram, str(tmp_path / "plan.pdf"), 5) == b"%PDF"


# ---------------------------------------------------------------- failures


async def test_a_client_who_blocked_us_is_told_apart(telegram: Telegram, bot: TelegramBot) -> None:
    telegram.lucie.block()
    for attempt in (bot.send(a_post(), None), bot.show(ChatMessage(LUCIE, "x"))):
        with pytest.raises(PermanentFailure) as failed:
            await attempt
        assert failed.value.reason == "failure.blocked_by_client"
    telegram.lucie.unblock()
    await bot.send(a_post("de retour"), None)
    assert telegram.texts(telegram.lucie) == ["de retour"]


async def test_what_telegram_refuses_is_dead(bot: TelegramBot) -> None:
    for post, reason in (
        (a_post("x" * 4097), "failure.refused"),
        (a_post("   "), "failure.refused"),
        (Post(chat_id=424242, text="nobody"), "failure.chat_gone"),
    ):
        with pytest.raises(PermanentFailure) as failed:
            await bot.send(post, None)
        assert failed.value.reason == reason


async def test_a_drop_before_or_after_the_effect_is_unknown_either_way(telegram: Telegram, bot: TelegramBot) -> None:
    telegram.fail_next("sendMessage", drop="before")
    with pytest.raises(OutcomeUnknown):
        await bot.send(a_post("jamais arrivé"), None)
    telegram.fail_next("sendMessage", drop="after")
    with pytest.raises(OutcomeUnknown):
        await bot.send(a_post("arrivé"), None)
    assert telegram.texts(telegram.lucie) == ["arrivé"]
    assert len(telegram.made("sendMessage")) == 2


async def test_an_answer_that_does_not_come_is_unknown(
    telegram: Telegram, bot: TelegramBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot_module, "CALL_TIMEOUT", 0.2)
    telegram.fail_next("sendMessage", delay=5)
    with pytest.raises(OutcomeUnknown):
        await bot.send(a_post(), None)


@pytest.mark.parametrize("status", [500, 502])
async def test_an_error_of_telegrams_own_is_unknown_for_a_message_and_temporary_for_an_edit(
    telegram: Telegram, bot: TelegramBot, status: int
) -> None:
    shown = await bot.show(ChatMessage(LUCIE, "x"))
    telegram.fail_next("sendMessage", status=status)
    telegram.fail_next("editMessageText", status=status)
    with pytest.raises(OutcomeUnknown):
        await bot.send(a_post(), None)
    with pytest.raises(TemporaryFailure):
        await bot.show(ChatMessage(LUCIE, "y", edits=int(shown.reference)))


async def test_a_dropped_edit_or_answer_may_be_repeated(telegram: Telegram, bot: TelegramBot) -> None:
    shown = await bot.show(ChatMessage(LUCIE, "x"))
    telegram.fail_next("editMessageText", drop="after")
    with pytest.raises(TemporaryFailure):
        await bot.show(ChatMessage(LUCIE, "y", edits=int(shown.reference)))
    telegram.fail_next("answerCallbackQuery", drop="before")
    with pytest.raises(TemporaryFailure):
        await bot.answer_press("1", "x")
    await bot.show(ChatMessage(LUCIE, "y", edits=int(shown.reference)))
    assert telegram.texts(telegram.lucie) == ["y"]


async def test_without_a_connection_nothing_can_have_left(
    telegram: Telegram, build_bot: BuildBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = build_bot(api_server=f"http://127.0.0.1:{closed_port()}")
    no_tls = build_bot(api_server=telegram.url.replace("http:", "https:"))
    for bot in (nobody, no_tls):
        with pytest.raises(TemporaryFailure):
            await bot.send(a_post(), None)
    monkeypatch.setattr(bot_module, "CONNECT_TIMEOUT", 0.3)
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        # A full queue: further connections are never completed (listen(2), backlog).
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for queued in (first, second):
            queued.setblocking(False)
            queued.connect_ex(deaf.getsockname())
        with pytest.raises(TemporaryFailure):
            await build_bot(api_server=f"http://127.0.0.1:{deaf.getsockname()[1]}").send(a_post(), None)


async def test_a_refused_token_stops_the_channel(telegram: Telegram, bot: TelegramBot) -> None:
    telegram.fail_next("sendMessage", status=401)
    with pytest.raises(LoginRejected):
        await bot.send(a_post(), None)


async def test_no_failure_tells_the_token_or_the_text(
    telegram: Telegram, build_bot: BuildBot, bot: TelegramBot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = telegram.token.partition(":")[2]
    words = "Le mot de passe est confidentiel"
    file_id = telegram.lucie.send_file("document", "a", "text/plain", b"x")["document"]["file_id"]
    unreachable = build_bot(api_server=f"http://127.0.0.1:{closed_port()}")
    wrong_place = build_bot(api_server=f"{telegram.url}/elsewhere")
    attempts: list[tuple[str, dict[str, Any], Callable[[], Awaitable[object]]]] = [
        ("", {}, lambda: unreachable.send(a_post(words), None)),
        ("", {}, lambda: wrong_place.send(a_post(words), None)),
        ("", {}, lambda: bot.send(a_post(words * 500), None)),
        ("download", {"status": 404}, lambda: bot.fetch_file(file_id)),
    ]
    faults: list[dict[str, Any]] = [{"drop": "before"}, *({"status": s} for s in (500, 401, 418)), {"retry_after": 1}]
    attempts += [("sendMessage", fault, lambda: bot.send(a_post(words), None)) for fault in faults]
    for method, fault, attempt in attempts:
        if fault:
            telegram.fail_next(method, **fault)
        with pytest.raises(ChannelError) as failed:
            await attempt()
        told = "".join(traceback.format_exception(failed.value, chain=True)) + repr(failed.value)
        assert secret not in told
        assert words not in told
        assert failed.value.__context__ is None
    assert secret not in caplog.text
    assert words not in caplog.text


def test_what_is_no_token_is_refused_without_telling_it(listener: Listener) -> None:
    with pytest.raises(ValueError, match="not a bot token") as refused:
        TelegramBot(CHANNEL, "my secret token", listener)
    assert "my secret" not in str(refused.value)


async def test_a_message_is_pinned_and_unpinned_and_neither_keeps_others_waiting(
    telegram: Telegram, bot: TelegramBot
) -> None:
    telegram.lucie.start()
    shown = int((await bot.show(ChatMessage(chat_id=LUCIE, text="Fiche"))).reference)
    pinned = telegram.bot().chat_with(telegram.lucie).pinned
    telegram.fail_next("pinChatMessage", status=429, description="Too Many Requests: retry after 30", retry_after=30)
    with pytest.raises(TemporaryFailure):
        await bot.pin(LUCIE, shown)
    await bot.show(ChatMessage(chat_id=LUCIE, text="Elle part tout de suite"))
    for _ in range(2):
        await bot.pin(LUCIE, shown)
    assert pinned == [shown]
    telegram.fail_next("pinChatMessage", status=400, description="Bad Request: CHAT_NOT_MODIFIED")
    await bot.pin(LUCIE, shown)
    for _ in range(2):
        await bot.unpin(LUCIE, shown)
    assert telegram.bot().chat_with(telegram.lucie).pinned == []
    with pytest.raises(PermanentFailure):
        await bot.pin(LUCIE, 999)
    telegram.fail_next("sendMessage", status=429, description="Too Many Requests: retry after 30", retry_after=30)
    with pytest.raises(TemporaryFailure):
        await bot.show(ChatMessage(chat_id=LUCIE, text="x"))
    before = len(telegram.made("pinChatMessage"))
    with pytest.raises(TemporaryFailure):
        await bot.pin(LUCIE, shown)
    assert len(telegram.made("pinChatMessage")) == before, "nothing is asked of a chat that is to be left alone"


async def test_check_says_what_is_wrong_and_how_to_mend_it(telegram: Telegram, build_bot: BuildBot) -> None:
    telegram.lucie.send_text("attend")
    [fine] = await build_bot().check()
    assert (fine.level, fine.says) == ("ok", "@permanence_demo_bot answers; 1 updates wait")
    [refused] = await build_bot(token="5:unknown").check()
    assert "BotFather" in refused.remedy
    [unreachable] = await build_bot(api_server=f"http://127.0.0.1:{closed_port()}").check()
    assert "network" in unreachable.remedy


def test_tls_is_verified(bot: TelegramBot) -> None:
    context = vars(bot.aiogram.session)["_connector_init"]["ssl"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
