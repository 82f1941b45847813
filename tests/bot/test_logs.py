import base64
import io
import json
import logging
import subprocess
import sys
import warnings
from typing import Any
from urllib.parse import quote

import pydantic
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot import logs

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw_"  # the shape of one, never a bot's


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def fail(message: str) -> None:
    local_variable = "a local's value"
    raise RuntimeError(message, len(local_variable))


def test_structlog_and_standard_logging_come_out_alike(out: io.StringIO) -> None:
    logs.configure("json", "info", out)

    structlog.get_logger("bot.worker").info("mailbox connected", mailbox="contact@cabinet.example")
    logging.getLogger("bot.worker").info("mailbox %s", "connected", extra={"mailbox": "contact@cabinet.example"})

    ours, theirs = lines(out)
    assert ours.pop("timestamp")[-1] == theirs.pop("timestamp")[-1] == "Z"
    expected = {"logger": "bot.worker", "level": "info", "mailbox": "contact@cabinet.example"}
    assert ours == theirs == {"event": "mailbox connected", **expected}


def test_what_is_bound_to_the_context_is_on_every_line(out: io.StringIO) -> None:
    logs.configure("json", "info", out)

    with structlog.contextvars.bound_contextvars(account="cabinet"):
        structlog.get_logger("bot").info("one")
        logging.getLogger("aiohttp.server").warning("two")

    assert [line["account"] for line in lines(out)] == ["cabinet", "cabinet"]


def test_below_the_level_nothing_is_written(out: io.StringIO) -> None:
    logs.configure("json", "WARNING", out)

    structlog.get_logger("bot").info("too little")
    logging.getLogger("bot").info("too little")

    assert out.getvalue() == ""


def test_configuring_again_replaces_rather_than_doubles(out: io.StringIO) -> None:
    logs.configure("console", "debug", io.StringIO())
    logs.configure("json", "info", out)

    logging.getLogger("bot").info("once")

    assert len(lines(out)) == 1


@pytest.mark.parametrize("name", ["aioimaplib", "aioimaplib.aioimaplib", "mail.log", "pymongo.command"])
def test_chatter_that_holds_passwords_stays_out_even_if_its_own_logger_is_opened(name: str, out: io.StringIO) -> None:
    logs.configure("json", "debug", out)
    chatty = logging.getLogger(name)
    before = chatty.level
    chatty.setLevel(logging.DEBUG)

    chatty.debug('Sending : ABCD1 LOGIN "marie" "hunter22"')
    chatty.error("the server went away")
    chatty.setLevel(before)

    assert [line["event"] for line in lines(out)] == ["the server went away"]


def test_a_library_whose_name_only_begins_alike_is_heard(out: io.StringIO) -> None:
    logs.configure("json", "debug", out)

    logging.getLogger("mailbox").debug("heard")

    assert [line["event"] for line in lines(out)] == ["heard"]


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_registered_secret_is_masked_wherever_it_stands(format_: Any, out: io.StringIO) -> None:
    logs.configure(format_, "info", out)
    secret = 'p@ss "w/rd" \\ é'
    logs.mask(secret)
    log = structlog.get_logger("bot")

    log.info("event %s", secret, value=secret, **{secret: "key"})
    log.info("nested", settings={"imap": {"password": secret}}, tried=[secret, (secret,)])
    log.info("formatted", url=f"https://host/{quote(secret, safe='')}/x", error=ValueError(secret))
    logging.getLogger("any").warning("standard %s and %r", secret, secret)
    try:
        fail(secret)
    except RuntimeError:
        log.exception("raised")

    written = out.getvalue()
    assert "***" in written
    for part in ("p@ss", "p%40ss", "w/rd"):
        assert part not in written


@pytest.mark.parametrize("before", ["", "\0cabinet\0", "x", "xy"])
@pytest.mark.parametrize("after", ["", "z", "zz"])
def test_a_login_a_server_repeats_in_its_refusal_shows_no_password(before: str, after: str) -> None:
    logs.mask("hunter2-é-hunter2")

    login = base64.b64encode(f"{before}hunter2-é-hunter2{after}".encode()).decode()
    left = logs.masked(f"535 5.7.8 refused: {login}")

    assert "***" in left
    begins = -(-len(before) * 8 // 6)
    assert all(login[place : place + 6] not in left for place in range(begins, begins + 16))


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    logs.mask("secret")
    logs.mask("secret-and-more")

    assert logs.masked("x secret-and-more y secret z") == "x *** y *** z"


def test_a_short_secret_is_masked_as_a_word_and_an_empty_one_not_at_all() -> None:
    logs.mask("ab")
    logs.mask("")
    logs.mask("  ")

    assert logs.masked("password ab of table abacus") == "password *** of table abacus"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (TOKEN, "123456789:***"),
        (f"https://api.example/bot{TOKEN}/getMe", "https://api.example/bot123456789:***/getMe"),
        (f"/bot{TOKEN.replace(':', '%3A')}/getMe", "/bot123456789%3A***/getMe"),
        ("mongodb://desk:hunter22@host/db", "mongodb://desk:***@host/db"),
        ("redis://:hunter22@host", "redis://:***@host"),
        ("at 12:30 conversation 1234567:1", "at 12:30 conversation 1234567:1"),
        ("http://host:8080/path?mail=a@b.example", "http://host:8080/path?mail=a@b.example"),
    ],
)
def test_tokens_and_passwords_in_urls_are_masked_unregistered(said: str, written: str) -> None:
    assert logs.masked(said) == written


def test_a_number_that_is_a_secret_is_masked_and_others_stay_numbers(out: io.StringIO) -> None:
    logs.configure("json", "info", out)
    logs.mask("48151623")

    structlog.get_logger("bot").info("pin", given=48151623, tries=3, late=None, ok=True)

    (line,) = lines(out)
    assert (line["given"], line["tries"], line["late"], line["ok"]) == ("***", 3, None, True)


@given(st.text(min_size=4).filter(lambda text: text.strip()), st.text(), st.text())
def test_no_text_around_a_secret_brings_it_to_light(secret: str, before: str, after: str) -> None:
    logs._secrets.clear()
    logs.mask(secret)

    left = logs.masked(f"{before}{secret}{after}")

    assert secret not in left.replace("***", "") or secret in (before + after)


def test_an_exception_is_told_with_its_cause_and_notes_but_without_locals(out: io.StringIO) -> None:
    logs.configure("json", "info", out)
    logs.mask("hunter22")

    try:
        try:
            fail("login hunter22 refused")
        except RuntimeError as error:
            error.add_note(f"asked of bot{TOKEN}")
            raise ExceptionGroup("two tasks failed", [error]) from error
    except ExceptionGroup:
        structlog.get_logger("bot").exception("stopping")

    (line,) = lines(out)
    assert "login *** refused" in line["exception"]
    assert "bot123456789:***" in line["exception"]
    assert "two tasks failed" in line["exception"]
    assert "a local's value" not in line["exception"]


def test_messages_are_logged_as_their_length(out: io.StringIO) -> None:
    logs.configure("json", "info", out)

    structlog.get_logger("bot").info(
        "handled",
        subject="Rendez-vous",
        text="Bonjour",
        raw=b"From: x",
        html=None,
        message_text="abc",
        Body=object(),
        conversation={"subject": "Fuite d'eau", "number": 12},
        messages=[{"body": "12345"}],
        context="kept",
    )

    (line,) = lines(out)
    assert (line["subject"], line["text"], line["raw"], line["html"], line["message_text"]) == (
        11,
        7,
        7,
        None,
        3,
    )
    assert line["Body"] == "***"
    assert line["conversation"] == {"subject": 11, "number": 12}
    assert line["messages"] == [{"body": 5}]
    assert line["context"] == "kept"


def test_the_input_a_validation_error_quotes_is_left_out(out: io.StringIO) -> None:
    logs.configure("json", "info", out)

    class Update(pydantic.BaseModel):
        update_id: int

    # in a variable, for a traceback quotes the code
    said = "Bonjour docteur,\nj'ai mal"
    try:
        Update.model_validate({"update_id": said})
    except pydantic.ValidationError as error:
        logging.getLogger("aiogram").exception("Failed: %s", error)
        logging.getLogger("aiogram").error("Failed to deserialize\nContent: %s\nin all", {"text": said})

    first, second = lines(out)
    assert "valid integer" in first["exception"]
    assert "docteur" not in out.getvalue()
    assert second["event"] == "Failed to deserialize\nContent: ***\nin all"


def test_a_line_for_people_cannot_forge_another_line(out: io.StringIO) -> None:
    logs.configure("console", "info", out)

    structlog.get_logger("bot").info("from\n2026-01-01 [critical] all lost\x1b[2J", name="a\r\nb")

    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()


def test_a_traceback_for_people_keeps_its_lines(out: io.StringIO) -> None:
    logs.configure("console", "info", out)

    try:
        fail("shown")
    except RuntimeError:
        structlog.get_logger("bot").exception("stopping")

    assert "RuntimeError: ('shown'" in out.getvalue().splitlines()[-1]


def test_a_line_that_cannot_be_made_is_named_without_its_arguments(out: io.StringIO) -> None:
    logs.configure("json", "info", out)
    logs.mask("hunter22")

    logging.getLogger("any").warning("one %d", "hunter22")

    assert "a log line of any" in out.getvalue()
    assert "hunter22" not in out.getvalue()


def test_a_warning_is_a_log_line(out: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure("json", "info", out)
        warnings.warn(f"deprecated bot{TOKEN}", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)

    (line,) = lines(out)
    assert line["logger"] == "py.warnings"
    assert "123456789:***" in line["event"]


@pytest.mark.parametrize(("error", "heard"), [("RuntimeError", True), ("KeyboardInterrupt", False)])
def test_the_error_that_ends_the_process_is_masked_too(error: str, heard: bool) -> None:
    program = f"from bot import logs; logs.configure('json', 'info'); raise {error}('asked of bot{TOKEN}')"

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert TOKEN not in ended.stderr
    assert ("ended by an unexpected error" in ended.stderr) is heard
