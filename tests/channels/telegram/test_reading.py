"""What updates say, known and unknown, whole and broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.telegram.parse import ALLOWED, LONGEST_NAME, lane_of, read_update
from inbox.envelope import Blocked, Connected, Correspondence, Envelope, Ignored, Unreadable, Update
from inbox.model import AddressKind
from inbox.parts import AttachmentKind

LUCIE = {"id": 1001, "is_bot": False, "first_name": "Lucie", "last_name": "Martin", "language_code": "fr"}
CHAT = {"id": 1001, "type": "private", "first_name": "Lucie"}


def a_message(**content: Any) -> dict[str, Any]:
    return {"message_id": 7, "from": LUCIE, "chat": CHAT, "date": 1_790_000_000, **content}


def read(**update: Any) -> Any:
    return read_update(json.dumps({"update_id": 1, **update}).encode())


def envelope_of(message: dict[str, Any], kind: str = "message") -> Envelope:
    reading = read(**{kind: message})
    assert isinstance(reading, Update), reading
    assert reading.envelope is not None
    return reading.envelope


def test_what_stands_in_a_topic_says_in_which_and_replies_to_nothing_by_that() -> None:
    begun = a_message(message_id=5, forum_topic_created={"name": "#1", "icon_color": 0})
    topic = {"message_thread_id": 5, "is_topic_message": True}
    reading = read(message=a_message(text="Oui", reply_to_message=begun, **topic))
    assert reading.topic == 5
    assert reading.envelope.replies_to is None
    assert "reply_to_message" not in reading.update["message"]
    assert reading.update["message"]["message_thread_id"] == 5
    answer = read(message=a_message(text="Oui", reply_to_message=a_message(message_id=6, text="?"), **topic))
    assert answer.envelope.replies_to.endswith(":6")
    # A thread of replies is no topic; nor is a number that cannot be one.
    for other in ({"message_thread_id": 5}, {"message_thread_id": "5", "is_topic_message": True}):
        reading = read(message=a_message(text="Oui", **other))
        assert reading.topic is None
        assert "message_thread_id" not in reading.update["message"]


def test_a_message_is_its_words_its_writer_and_its_moment() -> None:
    reading = read(message=a_message(text="Bonjour"))
    assert reading.telegram_user_id == reading.chat_id == 1001
    assert reading.callback_query_id is None
    envelope = reading.envelope
    assert (envelope.external_id, envelope.text, envelope.edit) == ("1001:7", "Bonjour", False)
    assert envelope.written_at == datetime.fromtimestamp(1_790_000_000, UTC)
    sender = envelope.sender
    assert (sender.kind, sender.value, sender.name, sender.language, sender.chat_id) == (
        AddressKind.TELEGRAM,
        "1001",
        "Lucie Martin",
        "fr",
        1001,
    )


def test_an_edit_says_what_it_replaces_and_when() -> None:
    envelope = envelope_of(a_message(text="Bonsoir", edit_date=1_790_000_060), "edited_message")
    assert envelope.edit
    assert envelope.external_id == "1001:7"
    assert envelope.written_at == datetime.fromtimestamp(1_790_000_060, UTC)


def test_a_reply_names_what_it_answers() -> None:
    envelope = envelope_of(a_message(text="Oui", reply_to_message=a_message(message_id=5, text="?")))
    assert envelope.replies_to == "1001:5"
    assert envelope.quotes == "?"


@pytest.mark.parametrize(
    ("beside", "quotes"),
    [
        ({"reply_to_message": a_message(message_id=5, text="Lundi ou mardi"), "quote": {"text": "mardi"}}, "mardi"),
        ({"reply_to_message": a_message(message_id=5, caption="Le plan")}, "Le plan"),
        ({"reply_to_message": {**a_message(message_id=5), "photo": [{"file_id": "x"}]}}, "[photo]"),
        ({"external_reply": {"origin": {"type": "user"}, "document": {"file_id": "x"}}}, "[document]"),
        ({"external_reply": {"origin": {"type": "user"}}, "quote": {"text": "ailleurs"}}, "ailleurs"),
        ({"quote": "?", "reply_to_message": a_message(message_id=5, text="x" * 5000)}, "x" * 1000),
        ({}, ""),
    ],
)
def test_the_words_that_are_answered_are_kept(beside: dict[str, Any], quotes: str) -> None:
    assert envelope_of(a_message(text="Oui", **beside)).quotes == quotes


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("/start", ""),
        ("/start docteur-roux", "docteur-roux"),
        ("/start@desk_bot docteur-roux", "docteur-roux"),
        ("/started yesterday", None),
        ("let us /start", None),
    ],
)
def test_start_and_its_payload_are_told_from_words(text: str, start: str | None) -> None:
    assert envelope_of(a_message(text=text)).start == start


def test_an_edited_start_is_no_start() -> None:
    assert envelope_of(a_message(text="/start x", edit_date=1_790_000_001), "edited_message").start is None


def test_hidden_links_are_written_out() -> None:
    text = "😀 ici et là"
    entities = [
        {"type": "text_link", "offset": 3, "length": 3, "url": "https://a.example/"},
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "text_link", "offset": 10, "length": 2, "url": "https://b.example/"},
        {"type": "text_link", "offset": "?", "length": 2, "url": "https://c.example/"},
    ]
    said = envelope_of(a_message(text=text, entities=entities)).text
    assert said == "😀 ici (https://a.example/) et là (https://b.example/)"


def test_a_link_that_hides_nothing_is_written_once() -> None:
    entities = [{"type": "text_link", "offset": 0, "length": 17, "url": "https://a.example/"}]
    assert envelope_of(a_message(text="https://a.example", entities=entities)).text == "https://a.example"


def test_of_a_photo_the_largest_size_is_kept() -> None:
    sizes = [
        {"file_id": "small", "width": 90, "height": 60, "file_size": 900},
        {"file_id": "large", "width": 1280, "height": 853, "file_size": 90_000},
        {"file_id": "middle", "width": 320, "height": 213},
    ]
    envelope = envelope_of(a_message(photo=sizes, caption="Voilà la fuite"))
    [photo] = envelope.attachments
    assert (photo.path, photo.size, photo.kind, photo.media_type) == (
        "large",
        90_000,
        AttachmentKind.PHOTO,
        "image/jpeg",
    )
    assert envelope.text == "Voilà la fuite"


@pytest.mark.parametrize(
    ("content", "kind", "name", "media_type"),
    [
        (
            {"document": {"file_id": "f", "file_name": "devis.pdf", "mime_type": "application/pdf"}},
            AttachmentKind.FILE,
            "devis.pdf",
            "application/pdf",
        ),
        ({"voice": {"file_id": "f", "mime_type": "audio/ogg"}}, AttachmentKind.VOICE, "voice-7.ogg", "audio/ogg"),
        ({"audio": {"file_id": "f", "file_name": "a.mp3"}}, AttachmentKind.AUDIO, "a.mp3", "audio/mpeg"),
        ({"video": {"file_id": "f"}}, AttachmentKind.VIDEO, "video-7.mp4", "video/mp4"),
        ({"video_note": {"file_id": "f"}}, AttachmentKind.VIDEO, "video-7.mp4", "video/mp4"),
        (
            {"animation": {"file_id": "f"}, "document": {"file_id": "f", "file_name": "chat.mp4"}},
            AttachmentKind.FILE,
            "chat.mp4",
            "application/octet-stream",
        ),
    ],
)
def test_files_are_attachments(content: dict[str, Any], kind: AttachmentKind, name: str, media_type: str) -> None:
    envelope = envelope_of(a_message(**content))
    [file] = envelope.attachments
    assert (file.kind, file.name, file.media_type, file.path) == (kind, name, media_type, "f")
    assert envelope.text == ""


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\devis.pdf", "devis.pdf"),
        ('a"\r\nX-Evil: 1.pdf', 'a"X-Evil: 1.pdf'),
        ("..", "document"),
        ("x" * 300 + ".pdf", "x" * (LONGEST_NAME - 4) + ".pdf"),
    ],
)
def test_a_files_name_is_a_name_and_nothing_else(given_name: str, kept: str) -> None:
    [file] = envelope_of(a_message(document={"file_id": "f", "file_name": given_name})).attachments
    assert file.name == kept


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"sticker": {"file_id": "s", "emoji": "😀"}}, "[sticker 😀]"),
        ({"sticker": {"file_id": "s"}}, "[sticker]"),
        (
            {"location": {"latitude": 48.85837, "longitude": 2.294481}},
            "[position https://www.openstreetmap.org/?mlat=48.858370&mlon=2.294481]",
        ),
        (
            {"contact": {"phone_number": "+33 1 99 00 12 34", "first_name": "Jean", "last_name": "Dupont"}},
            "[contact Jean Dupont, +33 1 99 00 12 34]",
        ),
        ({"dice": {"emoji": "🎲", "value": 5}}, "[🎲 5]"),
        (
            {"poll": {"question": "Lundi ?", "options": [{"text": "oui"}, {"text": "non"}]}},
            "[question: Lundi ? (oui / non)]",
        ),
        ({"hologram": {"file_id": "h"}, "is_glowing": True}, "[message: hologram]"),
        (
            {"text": "Regardez", "forward_origin": {"type": "user", "sender_user": {"first_name": "Paul"}}},
            "[↪ Paul]\nRegardez",
        ),
    ],
)
def test_what_has_no_words_is_described(content: dict[str, Any], said: str) -> None:
    assert envelope_of(a_message(**content)).text == said


def test_a_field_nobody_knows_does_not_disturb_known_words() -> None:
    assert envelope_of(a_message(text="Bonjour", aura={"colour": "blue"})).text == "Bonjour"


def test_half_a_surrogate_pair_becomes_a_question_mark_and_the_rest_stays() -> None:
    raw = b'{"update_id":1,"message":' + json.dumps(a_message(text="a\ud83dz")).encode() + b"}"
    reading = read_update(raw)
    assert isinstance(reading, Update)
    assert reading.envelope is not None
    assert reading.envelope.text == "a\ufffdz"
    json.dumps(reading.update, ensure_ascii=False).encode()


def test_a_press_is_an_update_without_an_envelope() -> None:
    reading = read(callback_query={"id": "77", "from": LUCIE, "message": a_message(text="?"), "data": "take"})
    assert isinstance(reading, Update)
    assert (reading.telegram_user_id, reading.chat_id, reading.callback_query_id) == (1001, 1001, "77")
    assert reading.envelope is None
    assert reading.update["callback_query"]


def test_a_press_on_a_message_too_old_to_be_shown_is_a_press() -> None:
    reading = read(callback_query={"id": "77", "from": LUCIE, "message": {"message_id": 1, "chat": CHAT, "date": 0}})
    assert isinstance(reading, Update)


@pytest.mark.parametrize(("status", "blocked"), [("kicked", True), ("member", False)])
def test_blocking_is_told_from_letting_in(status: str, blocked: bool) -> None:
    reading = read(my_chat_member={"chat": CHAT, "from": LUCIE, "date": 1, "new_chat_member": {"status": status}})
    assert reading == Blocked(telegram_user_id=1001, chat_id=1001, blocked=blocked)


@pytest.mark.parametrize(
    ("said", "may_reply"),
    [
        ({"rights": {"can_reply": True}}, True),
        ({"rights": {"can_read_messages": True}}, False),
        ({}, False),
        ({"can_reply": True}, True),  # as before Bot API 9.0
    ],
)
def test_what_a_bot_may_in_somebodys_own_telegram(said: dict[str, Any], may_reply: bool) -> None:
    connection = {"id": "c1", "user": LUCIE, "user_chat_id": 1001, "date": 1, "is_enabled": True, **said}
    reading = read(business_connection=connection)
    assert isinstance(reading, Connected)
    assert (reading.connection, reading.telegram_user_id, reading.chat_id) == ("c1", 1001, 1001)
    assert (reading.is_enabled, reading.may_reply) == (True, may_reply)


def test_who_wrote_in_somebodys_own_telegram_is_told_by_whose_chat_it_is() -> None:
    theirs = read(business_message=a_message(text="Bonjour", business_connection_id="c1"))
    own = {"id": 7, "is_bot": False, "first_name": "Docteur"}
    hers = read(business_message={**a_message(text="Oui", business_connection_id="c1"), "from": own})
    assert isinstance(theirs, Correspondence)
    assert isinstance(hers, Correspondence)
    assert (theirs.is_own, hers.is_own) == (False, True)
    assert hers.other.value == "1001"
    assert hers.envelope.sender.value == "7"


def test_our_own_words_that_come_back_are_known_and_an_edit_of_them_is_not() -> None:
    bot = {"id": 42, "is_bot": True, "first_name": "Permanence"}
    said = a_message(text="Oui", business_connection_id="c1", sender_business_bot=bot)
    assert read(business_message=said) == Ignored(reason="our own message, come back", erased=True)
    assert isinstance(read(edited_business_message=said), Correspondence)


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"thought_reading": {}}, "unknown update type: thought_reading"),
        ({}, "unknown update type: none"),
        ({"message": {**a_message(text="x"), "chat": {"id": -5, "type": "group"}}}, "not a private chat"),
        ({"my_chat_member": {"chat": {"id": -5, "type": "group"}}}, "not a private chat"),
        (
            {"callback_query": {"id": "1", "from": LUCIE, "message": {"chat": {"id": -5, "type": "group"}}}},
            "not a private chat",
        ),
        ({"message": a_message(pinned_message=a_message(text="x"))}, "a notice of Telegram's: pinned_message"),
    ],
)
def test_what_is_not_for_the_desk_is_ignored_with_its_reason(update: dict[str, Any], reason: str) -> None:
    said = read(**update)
    assert isinstance(said, Ignored)
    assert said.reason == reason
    assert said.erased is ("pinned" in reason), "it comes with all that was pinned"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"[" * 200_000,
        b'{"message": 5}',
        b'{"message": {"chat": {"id": 1001, "type": "private"}, "message_id": 7}}',
        b'{"message": {"chat": {"id": 1001, "type": "private"}, "from": {"id": 1001}}}',
        b'{"message": {"chat": {"id": 1e400, "type": "private"}, "from": {"id": 1}, "message_id": 7}}',
        b'{"message": {"chat": {"id": 99999999999999999999, "type": "private"}, "from": {"id": 1}, "message_id": 7}}',
        b'{"message": {"chat": {"id": 1, "type": "private"}, "from": {"id": 1}, "message_id": 7, "text": {}}}',
        b'{"message": {"chat": {"id": 1, "type": "private"}, "from": {"id": 1}, "message_id": 7, "photo": [5]}}',
        b'{"callback_query": {"id": 5, "from": {"id": 1}}}',
        b'{"my_chat_member": {"chat": {"id": 1, "type": "private"}, "from": {"id": 1}}}',
        b'{"business_connection": {"id": "c", "user_chat_id": 1}}',
        b'{"business_message": {"chat": {"id": 1, "type": "private"}, "from": {"id": 1}, "message_id": 7}}',
        b'{"deleted_business_messages": {"business_connection_id": "c", "chat": {"id": 1}, "message_ids": 7}}',
    ],
)
def test_what_is_broken_is_told_and_never_raised(raw: bytes) -> None:
    assert isinstance(read_update(raw), Unreadable)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "chat", "from", "message", "type", "text", "photo", "date"]), inner)
    ),
    max_leaves=12,
)


@given(content=_ANYTHING, kind=st.sampled_from(ALLOWED))
def test_no_content_makes_reading_raise(content: Any, kind: str) -> None:
    update = {"update_id": 1, kind: content}
    read_update(json.dumps(update).encode())
    lane_of(update)
