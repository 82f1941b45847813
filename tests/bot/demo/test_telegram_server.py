"""The Bot API of this machine refuses, expires, conflicts and counts as the official one does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from tests.servers.telegram import Telegram, telegram

__all__ = ["telegram"]

OTHER = "77:another-bot-of-these-tests"


class Bot:
    """Calls the server as any program could: plain HTTP."""

    def __init__(self, server: Telegram, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def call(self, method: str, token: str | None = None, **params: Any) -> tuple[int, Any]:
        """The status and the result, or the whole body of a refusal."""
        url = f"{self.server.url}/bot{token or self.server.token}/{method}"
        async with self.session.post(url, json=params) as answer:
            body = await answer.json()
            return answer.status, body["result"] if body["ok"] else body

    async def refused(self, method: str, token: str | None = None, **params: Any) -> str:
        """The code and the words of a refusal."""
        status, body = await self.call(method, token, **params)
        assert body["error_code"] == status
        return f"{status} {body['description']}"

    async def updates(self, **params: Any) -> list[dict[str, Any]]:
        status, updates = await self.call("getUpdates", **params)
        assert status == 200, updates
        return list(updates)


@pytest_asyncio.fixture
async def bot(telegram: Telegram) -> AsyncIterator[Bot]:
    async with aiohttp.ClientSession() as session:
        yield Bot(telegram, session)


# ---------------------------------------------------------------- updates


async def test_updates_are_given_again_until_a_later_offset_confirms_them(telegram: Telegram, bot: Bot) -> None:
    for text in ("un", "deux", "trois"):
        telegram.lucie.send_text(text)
    first = await bot.updates()
    assert await bot.updates() == first
    assert [u["message"]["text"] for u in await bot.updates(offset=first[1]["update_id"])] == ["deux", "trois"]
    assert await bot.updates(offset=first[2]["update_id"] + 1) == []
    assert await bot.updates() == []


async def test_at_most_a_hundred_updates_come_at_once(telegram: Telegram, bot: Bot) -> None:
    for n in range(130):
        telegram.lucie.send_text(str(n))
    assert len(await bot.updates(limit=500)) == 100
    assert len(await bot.updates(limit=3)) == 3
    assert [u["message"]["text"] for u in await bot.updates(offset=-1)] == ["129"]


async def test_an_offset_far_in_the_future_counts_as_none(telegram: Telegram, bot: Bot) -> None:
    telegram.lucie.send_text("Bonjour")
    assert len(await bot.updates(offset=2_100_000_000)) == 1


async def test_a_poll_waits_until_something_comes(telegram: Telegram, bot: Bot) -> None:
    poll = asyncio.create_task(bot.updates(timeout=20))
    while telegram.bot().poll is None:  # noqa: ASYNC110  # the server has no event for it
        await asyncio.sleep(0.005)
    telegram.lucie.send_text("Bonjour")
    [update] = await poll
    assert update["message"]["from"] == {
        "id": 1001,
        "is_bot": False,
        "first_name": "Lucie",
        "last_name": "Martin",
        "username": "lucie_m",
        "language_code": "fr",
    }


async def test_of_two_pollers_the_older_is_refused(telegram: Telegram, bot: Bot) -> None:
    older = asyncio.create_task(bot.refused("getUpdates", timeout=20))
    while telegram.bot().poll is None:  # noqa: ASYNC110  # the server has no event for it
        await asyncio.sleep(0.005)
    newer = asyncio.create_task(bot.updates(timeout=20))
    assert (await older).startswith("409 Conflict: terminated by other getUpdates request")
    telegram.lucie.send_text("Bonjour")
    assert len(await newer) == 1


async def test_updates_expire_after_a_day_and_presses_after_150_seconds(telegram: Telegram, bot: Bot) -> None:
    _, message = await bot.call("sendMessage", chat_id=1001, text="?")
    press = asyncio.create_task(telegram.lucie.press(message["message_id"], "yes", seconds=5))
    await asyncio.sleep(0)
    telegram.lucie.send_text("Bonjour")
    telegram.clock.pass_by(149)
    assert [list(u)[1] for u in await bot.updates()] == ["callback_query", "message"]
    telegram.clock.pass_by(2)
    assert [list(u)[1] for u in await bot.updates()] == ["message"]
    telegram.clock.pass_by(24 * 3600)
    assert await bot.updates() == []
    press.cancel()


async def test_only_wanted_types_wait_and_the_wish_is_remembered(telegram: Telegram, bot: Bot) -> None:
    await bot.updates(allowed_updates=["message"])
    telegram.lucie.block()
    telegram.lucie.unblock()
    assert await bot.updates() == []
    telegram.lucie.send_text("Bonjour")
    assert len(await bot.updates()) == 1
    await bot.updates(allowed_updates=[])
    telegram.lucie.block()
    assert "my_chat_member" in (await bot.updates())[-1]


async def test_blocking_is_told_to_the_bot(telegram: Telegram, bot: Bot) -> None:
    telegram.lucie.block()
    telegram.lucie.unblock()
    changes = [u["my_chat_member"] for u in await bot.updates()]
    assert [(c["old_chat_member"]["status"], c["new_chat_member"]["status"]) for c in changes] == [
        ("member", "kicked"),
        ("kicked", "member"),
    ]


# ---------------------------------------------------------------- webhooks


class Hook:
    """Somewhere to be called: answers with the statuses it is told, then 200."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses: list[int] = []
        self.called: list[tuple[str | None, dict[str, Any]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.called.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token"), await request.json()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest_asyncio.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    app = web.Application()
    app.router.add_post("/hook", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


async def test_a_webhook_is_called_with_its_secret_until_it_takes_the_update(
    telegram: Telegram, bot: Bot, hook: Hook
) -> None:
    hook.statuses = [503, 500]
    telegram.lucie.send_text("Bonjour")
    await bot.call("setWebhook", url=hook.url, secret_token="s3cret")
    assert (await bot.refused("getUpdates")).startswith("409 Conflict: can't use getUpdates method while webhook")
    async with asyncio.timeout(10):
        while telegram.pending():  # noqa: ASYNC110  # the server has no event for it
            await asyncio.sleep(0.01)
    assert [secret for secret, _ in hook.called] == ["s3cret"] * 3
    assert {update["message"]["text"] for _, update in hook.called} == {"Bonjour"}
    _, info = await bot.call("getWebhookInfo")
    assert (info["url"], info["pending_update_count"]) == (hook.url, 0)
    await bot.call("deleteWebhook")
    telegram.lucie.send_text("Encore")
    assert len(await bot.updates()) == 1
    assert len(hook.called) == 3


async def test_a_webhook_that_cannot_be_called_says_so(telegram: Telegram, bot: Bot) -> None:
    telegram.lucie.send_text("Bonjour")
    await bot.call("setWebhook", url="http://127.0.0.1:9/hook")
    async with asyncio.timeout(10):
        while "last_error_message" not in (await bot.call("getWebhookInfo"))[1]:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)
    await bot.call("deleteWebhook", drop_pending_updates=True)
    assert await bot.updates() == []


async def test_a_webhook_needs_https_and_a_decent_secret(bot: Bot) -> None:
    assert "HTTPS" in await bot.refused("setWebhook", url="http://desk.example/")
    assert "secret token" in await bot.refused("setWebhook", url="https://desk.example/", secret_token="é")


# ---------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": " \n"}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "😀" * 2049}, "message is too long"),
        ({"text": "x", "chat_id": 31337}, "chat not found"),
        ({"text": "x", "chat_id": ""}, "chat_id is empty"),
        ({"text": "x", "reply_parameters": {"message_id": 999}}, "message to be replied not found"),
        (
            {"text": "x", "entities": [{"type": "bold", "offset": 0, "length": 2}]},
            "entity beginning at UTF-16 offset 0",
        ),
        ({"text": "😀x", "entities": [{"type": "bold", "offset": 1, "length": 1}]}, "in a middle of a UTF-16 symbol"),
        ({"text": "x", "entities": ["bold"]}, "can't parse entities"),
        ({"text": "x", "entities": "{"}, "can't parse entities JSON object"),
        (
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "é" * 33}]]}},
            "BUTTON_DATA",
        ),
        ({"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": ""}]]}}, "BUTTON_DATA"),
        ({"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a"}]]}}, "Text buttons are unallowed"),
        ({"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "", "url": "a.b"}]]}}, "non-empty text"),
        ({"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a", "url": "no url"}]]}}, "is invalid"),
        ({"text": "x", "reply_markup": {"inline_keyboard": "no"}}, "can't parse inline keyboard"),
    ],
)
async def test_what_telegram_refuses_is_refused_in_its_words(
    telegram: Telegram, bot: Bot, params: dict[str, Any], words: str
) -> None:
    refusal = await bot.refused("sendMessage", **{"chat_id": 1001, **params})
    assert refusal.startswith("400 Bad Request: ")
    assert words in refusal
    assert telegram.texts(telegram.lucie) == []


async def test_texts_are_trimmed_and_their_entities_moved(telegram: Telegram, bot: Bot) -> None:
    entities = json.dumps([{"type": "bold", "offset": 2, "length": 3}])
    _, message = await bot.call(
        "sendMessage", chat_id=1001, text="\n gras, /aide https://a.example ", entities=entities
    )
    assert message["text"] == "gras, /aide https://a.example"
    assert message["entities"] == [
        {"type": "bold", "offset": 0, "length": 3},
        {"type": "bot_command", "offset": 6, "length": 5},
        {"type": "url", "offset": 12, "length": 17},
    ]


async def test_nobody_is_written_to_who_does_not_want_it(telegram: Telegram, bot: Bot) -> None:
    telegram.user(1003, "Zoé")
    never_started = await bot.refused("sendMessage", chat_id=1003, text="x")
    assert never_started == "403 Forbidden: bot can't initiate conversation with a user"
    telegram.lucie.block()
    assert await bot.refused("sendMessage", chat_id=1001, text="x") == "403 Forbidden: bot was blocked by the user"
    telegram.omar.gone = True
    assert await bot.refused("sendMessage", chat_id=1002, text="x") == "403 Forbidden: user is deactivated"


async def test_edits_change_what_is_on_the_screen_and_only_ones_own(telegram: Telegram, bot: Bot) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Oui", "callback_data": "yes"}]]}
    _, message = await bot.call("sendMessage", chat_id=1001, text="avant", reply_markup=keyboard)
    place = {"chat_id": 1001, "message_id": message["message_id"]}
    assert "message is not modified" in await bot.refused(
        "editMessageText", **place, text="avant", reply_markup=keyboard
    )
    await bot.call("editMessageText", **place, text="après", reply_markup=keyboard)
    await bot.call("editMessageReplyMarkup", **place)
    shown = telegram.lucie.messages()[-1]
    assert shown["text"] == "après"
    assert "reply_markup" not in shown
    assert shown["edit_date"]
    hers = telegram.lucie.send_text("à moi")["message_id"]
    assert "can't be edited" in await bot.refused("editMessageText", chat_id=1001, message_id=hers, text="x")
    assert "to edit not found" in await bot.refused("editMessageText", chat_id=1001, message_id=999, text="x")
    await bot.call("deleteMessage", **place)
    assert telegram.texts(telegram.lucie) == []
    assert "to delete not found" in await bot.refused("deleteMessage", **place)


async def test_a_press_waits_for_its_answer_and_is_answered_in_time_or_never(telegram: Telegram, bot: Bot) -> None:
    _, message = await bot.call("sendMessage", chat_id=1001, text="?")
    press = asyncio.create_task(telegram.lucie.press(message["message_id"], "yes"))
    [update] = await bot.updates(timeout=5)
    query = update["callback_query"]
    assert (query["data"], query["message"]["text"]) == ("yes", "?")
    assert "LONG" in await bot.refused("answerCallbackQuery", callback_query_id=query["id"], text="x" * 201)
    await bot.call("answerCallbackQuery", callback_query_id=query["id"], text="Fait", show_alert=True)
    answer = await press
    assert (answer.text, answer.show_alert) == ("Fait", True)
    telegram.clock.pass_by(150)
    for query_id in (query["id"], "unknown"):
        assert "query is too old" in await bot.refused("answerCallbackQuery", callback_query_id=query_id)


async def test_two_bots_share_nothing(telegram: Telegram, bot: Bot) -> None:
    telegram.add_bot(OTHER, "other_bot", "Other")
    telegram.lucie.send_text("à l’autre", token=OTHER)
    sent = telegram.lucie.send_file("document", "a.txt", "text/plain", b"x")["document"]["file_id"]
    assert [list(u)[1] for u in await bot.updates()] == ["message"]
    refusal = await bot.refused("sendDocument", OTHER, chat_id=1001, document=sent)
    assert "wrong file identifier" in refusal
    await bot.call("sendMessage", OTHER, chat_id=1001, text="de l’autre")
    assert telegram.texts(telegram.lucie) == []
    assert telegram.lucie.messages(OTHER)[-1]["text"] == "de l’autre"


# ---------------------------------------------------------------- files


async def test_an_uploaded_file_can_be_seen_fetched_and_sent_again(telegram: Telegram, bot: Bot) -> None:
    form = aiohttp.FormData()
    form.add_field("chat_id", "1001")
    form.add_field("document", "attach://one")
    form.add_field("caption", "Voici")
    form.add_field("one", b"%PDF octets", filename="plan.pdf", content_type="application/pdf")
    async with bot.session.post(f"{telegram.url}/bot{telegram.token}/sendDocument", data=form) as answer:
        sent = (await answer.json())["result"]
    file_id = sent["document"]["file_id"]
    assert telegram.lucie.file(file_id) == ("plan.pdf", "application/pdf", b"%PDF octets")
    _, file = await bot.call("getFile", file_id=file_id)
    async with bot.session.get(f"{telegram.url}/file/bot{telegram.token}/{file['file_path']}") as answer:
        assert await answer.read() == b"%PDF octets"
    status, again = await bot.call("sendDocument", chat_id=1002, document=file_id)
    assert (status, again["document"]["file_id"]) == (200, file_id)
    assert "can't use file" in await bot.refused("sendPhoto", chat_id=1002, photo=file_id)
    assert "caption is too long" in await bot.refused(
        "sendDocument", chat_id=1001, document=file_id, caption="x" * 1025
    )
    async with bot.session.get(f"{telegram.url}/file/bot{telegram.token}/documents/none") as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("method", "octets", "shown"),
    [
        ("voice", b"OggS" + bytes(24) + b"OpusHead" + bytes(9), "voice"),
        ("voice", b"ID3" + bytes(9), "voice"),
        ("voice", b"\xff\xfb\x90\x64", "voice"),
        ("voice", b"\0\0\0\x20ftypM4A ", "voice"),
        ("voice", b"OggS" + bytes(24) + b"\x01vorbis" + bytes(9), "document"),
        ("voice", b"RIFF\0\0\0\0WAVEfmt ", "document"),
        ("voice", b"#!AMR\n", "document"),
        ("audio", b"ID3" + bytes(9), "audio"),
        ("audio", b"OggS" + bytes(24) + b"OpusHead" + bytes(9), "document"),
        ("audio", b"RIFF\0\0\0\0WAVEfmt ", "document"),
    ],
)
async def test_a_sound_it_does_not_play_is_shown_as_a_document(
    telegram: Telegram, bot: Bot, method: str, octets: bytes, shown: str
) -> None:
    form = aiohttp.FormData()
    form.add_field("chat_id", "1001")
    form.add_field("duration", "12")
    form.add_field(method, octets, filename="message.ogg", content_type="audio/ogg")
    url = f"{telegram.url}/bot{telegram.token}/send{method.capitalize()}"
    async with bot.session.post(url, data=form) as answer:
        sent = (await answer.json())["result"]
    assert telegram.lucie.file(sent[shown]["file_id"])[2] == octets
    assert shown != "voice" or sent["voice"]["duration"] == 12


async def test_files_past_telegrams_limits_are_refused(telegram: Telegram, bot: Bot) -> None:
    big = telegram.lucie.send_file("video", "film.mp4", "video/mp4", bytes(20 * 2**20 + 1))
    assert "file is too big" in await bot.refused("getFile", file_id=big["video"]["file_id"])
    assert "invalid file_id" in await bot.refused("getFile", file_id="none")


# ---------------------------------------------------------------- the server itself


async def test_unknown_tokens_and_methods_are_refused(bot: Bot) -> None:
    assert await bot.refused("getMe", "1:unknown") == "401 Unauthorized"
    assert await bot.refused("readMinds") == "404 Not Found"


async def test_methods_are_called_in_any_case_by_get_and_by_form(telegram: Telegram, bot: Bot) -> None:
    url = f"{telegram.url}/bot{telegram.token}"
    async with bot.session.get(f"{url}/SENDMESSAGE", params={"chat_id": "1001", "text": "par GET"}) as answer:
        assert answer.status == 200
    async with bot.session.post(f"{url}/sendMessage", data={"chat_id": "1001", "text": "par formulaire"}) as answer:
        assert answer.status == 200
    assert telegram.texts(telegram.lucie) == ["par GET", "par formulaire"]
    assert [call.parameters["text"] for call in telegram.made("sendMessage")] == ["par GET", "par formulaire"]


async def test_a_bots_own_affairs_are_accepted(bot: Bot) -> None:
    assert (await bot.call("getMe"))[1]["username"] == "permanence_demo_bot"
    commands = [{"command": "file", "description": "La file"}]
    assert (await bot.call("setMyCommands", commands=commands))[0] == 200
    assert (await bot.call("getMyCommands"))[1] == commands
    assert "COMMAND_INVALID" in await bot.refused("setMyCommands", commands=[{"command": "É", "description": "x"}])
    assert (await bot.call("sendChatAction", chat_id=1001, action="typing"))[0] == 200
    assert (await bot.call("getChat", chat_id=1001))[1]["first_name"] == "Lucie"
    assert (await bot.call("setMyDescription", description="x"))[0] == 200


async def test_too_many_messages_get_a_429_that_says_how_long(bot: Bot, telegram: Telegram) -> None:
    telegram.limits = True
    answers = [await bot.call("sendMessage", chat_id=1001, text=str(n)) for n in range(8)]
    refusals = [body for status, body in answers if status == 429]
    assert refusals
    assert telegram.violations == len(refusals)
    assert refusals[0]["parameters"] == {"retry_after": 1}
    assert refusals[0]["description"] == "Too Many Requests: retry after 1"


async def test_faults_come_as_often_as_they_were_asked_for(telegram: Telegram, bot: Bot) -> None:
    telegram.fail_next("sendMessage", times=2, status=500)
    telegram.fail_next("sendMessage", retry_after=7)
    telegram.fail_next("sendMessage", drop="before")
    telegram.fail_next("sendMessage", drop="after")
    send: dict[str, Any] = {"chat_id": 1001, "text": "x"}
    assert [(await bot.call("sendMessage", **send))[0] for _ in range(3)] == [500, 500, 429]
    for seen in (0, 1):
        with pytest.raises(aiohttp.ClientError):
            await bot.call("sendMessage", **send)
        assert len(telegram.texts(telegram.lucie)) == seen
    assert (await bot.call("sendMessage", **send))[0] == 200


async def test_a_server_that_was_down_knows_what_it_knew(telegram: Telegram, bot: Bot) -> None:
    telegram.lucie.send_text("avant")
    url = telegram.url
    await telegram.go_down()
    with pytest.raises(aiohttp.ClientError):
        await bot.call("getMe")
    await telegram.go_up()
    assert telegram.url == url
    assert len(await bot.updates()) == 1


async def test_people_see_wait_edit_and_delete(telegram: Telegram, bot: Bot) -> None:
    heard: list[int] = []
    telegram.listeners.append(heard.append)
    waiting = asyncio.create_task(telegram.lucie.wait_for(lambda m: m["text"] == "Bonjour"))
    await asyncio.sleep(0)
    await bot.call("sendMessage", chat_id=1001, text="Bonjour")
    seen = await waiting
    assert seen is not None
    assert heard == [1001]
    assert await telegram.lucie.wait_for(lambda m: m["text"] == "jamais", seconds=0.01) is None
    mine = telegram.lucie.send_text("Merci", reply_to=seen["message_id"])
    assert mine["reply_to_message"]["text"] == "Bonjour"
    telegram.lucie.edit_text(mine["message_id"], "Merci bien")
    assert (await bot.updates())[-1]["edited_message"]["text"] == "Merci bien"
    with pytest.raises(ValueError, match="own"):
        telegram.lucie.edit_text(seen["message_id"], "x")
    telegram.lucie.delete(seen["message_id"])
    assert [m["text"] for m in telegram.lucie.messages()] == ["/start", "Merci bien"]


# ---------------------------------------------------------------- topics


async def test_topics_are_made_named_written_in_and_deleted_and_refused_in_telegrams_words(
    telegram: Telegram, bot: Bot
) -> None:
    telegram.lucie.start()
    lucie = telegram.lucie.id
    assert "not a forum" in await bot.refused("createForumTopic", chat_id=lucie, name="#1")
    telegram.bot().has_topics = True
    assert (await bot.call("getMe"))[1]["has_topics_enabled"] is True
    assert "too long" in await bot.refused("createForumTopic", chat_id=lucie, name="x" * 129)
    _, topic = await bot.call("createForumTopic", chat_id=lucie, name="#1", icon_color=0xFB6F5F)
    number = topic["message_thread_id"]
    _, said = await bot.call("sendMessage", chat_id=lucie, text="Bonjour", message_thread_id=number)
    assert (said["message_thread_id"], said["is_topic_message"]) == (number, True)
    answer = telegram.lucie.send_text("Oui", topic=number)
    # Bot API, Message: what stands in a topic seems to reply to the message that began it.
    assert answer["reply_to_message"]["forum_topic_created"]["name"] == "#1"
    assert await bot.call("editForumTopic", chat_id=lucie, message_thread_id=number, name="#1 clos") == (200, True)
    assert "NOT_MODIFIED" in await bot.refused(
        "editForumTopic", chat_id=lucie, message_thread_id=number, name="#1 clos"
    )
    telegram.lucie.close_topic(number)
    assert "TOPIC_CLOSED" in await bot.refused("sendMessage", chat_id=lucie, text="x", message_thread_id=number)
    assert await bot.call("deleteForumTopic", chat_id=lucie, message_thread_id=number) == (200, True)
    assert "thread not found" in await bot.refused("sendMessage", chat_id=lucie, text="x", message_thread_id=number)
    telegram.bot().swallows_lost_topics = True
    _, elsewhere = await bot.call("sendMessage", chat_id=lucie, text="x", message_thread_id=number)
    assert "message_thread_id" not in elsewhere


# ---------------------------------------------------------------- people's own Telegram


async def test_a_bot_answers_in_a_persons_name_within_the_rights_and_the_day_it_has(
    telegram: Telegram, bot: Bot
) -> None:
    doctor, patient = telegram.lucie, telegram.user(1002, "Paul")
    connection = doctor.connect()
    patient.writes_to(doctor, "Bonjour")
    told, asked = await bot.updates()
    assert told["business_connection"]["rights"] == {"can_reply": True}
    assert asked["business_message"]["business_connection_id"] == connection
    assert asked["business_message"]["chat"]["id"] == 1002
    in_name: dict[str, Any] = {"business_connection_id": connection, "chat_id": 1002}
    _, sent = await bot.call("sendMessage", **in_name, text="Bonjour !")
    assert (sent["from"]["id"], sent["sender_business_bot"]["id"]) == (1001, 42000001)
    assert [m["text"] for m in patient.talk_with(doctor)] == ["Bonjour", "Bonjour !"]
    doctor.connect(may_reply=False)
    assert "400 Bad Request: not enough rights" in await bot.refused("sendMessage", **in_name, text="?")
    doctor.connect()
    telegram.clock.pass_by(24 * 3600 + 1)
    assert (await bot.refused("sendMessage", **in_name, text="?")).endswith("BUSINESS_PEER_USAGE_MISSING")
    doctor.disconnect()
    assert (await bot.refused("sendMessage", **in_name, text="?")).endswith("BUSINESS_CONNECTION_INVALID")
    assert (await bot.call("getBusinessConnection", business_connection_id=connection))[1]["is_enabled"] is False
    assert (await bot.call("getBusinessConnection", business_connection_id="none"))[0] == 400


async def test_what_is_pinned_says_so_once_and_is_refused_without_the_right(telegram: Telegram, bot: Bot) -> None:
    group = telegram.group(-1_005, "Cabinet", telegram.lucie)
    _, said = await bot.call("sendMessage", chat_id=group.id, text="Bonjour")
    which = {"chat_id": group.id, "message_id": said["message_id"]}
    group.bot_may_pin = False
    assert "not enough rights" in await bot.refused("pinChatMessage", **which)
    group.bot_may_pin = True
    for _ in range(2):
        assert await bot.call("pinChatMessage", **which) == (200, True)
    (told,) = [u["message"] for u in await bot.updates() if "pinned_message" in u.get("message", {})]
    assert told["pinned_message"]["text"] == "Bonjour"
    chat = telegram.bot().chat_with(group)
    assert chat.pinned == [said["message_id"]]
    assert await bot.call("unpinChatMessage", **which) == (200, True)
    assert chat.pinned == []
    assert "not found" in await bot.refused("pinChatMessage", chat_id=group.id, message_id=999)
