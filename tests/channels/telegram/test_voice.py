from __future__ import annotations

import asyncio
import io
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from channels.base import ChatFile
from channels.errors import TemporaryFailure
from channels.telegram import transcode, voice
from channels.telegram.bot import TelegramBot
from channels.telegram.voice import Transcoder
from inbox.parts import Attachment, AttachmentKind
from tests.flow.running import eventually
from tests.servers.telegram import Telegram
from tests.sounds import SOUNDS, encoded, length_of, wav

LUCIE = 1001


@pytest.mark.parametrize("make", SOUNDS.values(), ids=SOUNDS.keys())
async def test_what_telephones_write_becomes_a_voice_message(make: Callable[[], bytes]) -> None:
    made = await Transcoder().to_voice(make())
    assert made is not None
    assert made.seconds == 2
    assert length_of(made.octets) == pytest.approx(2, abs=0.2)
    assert len(made.octets) < 12_000


# ---------------------------------------------------------------- sounds that are none, or meant to harm


async def test_of_a_sound_that_breaks_off_what_is_there_is_heard() -> None:
    made = await Transcoder().to_voice(wav(10)[:80_000])
    assert made is not None
    assert made.seconds == 5
    amr = encoded("libopencore_amrnb", "amr", 10)
    made = await Transcoder().to_voice(amr[: len(amr) // 2])
    assert made is not None
    assert made.seconds == 5


async def test_a_damaged_frame_is_left_out() -> None:
    amr = bytearray(encoded("libopencore_amrnb", "amr", 4))
    amr[6 + 13 * 20] = 0x7C  # a frame that says it has no data
    made = await Transcoder().to_voice(bytes(amr))
    assert made is not None
    assert made.seconds == 4


async def test_a_head_that_promises_a_hundred_hours_promises_nothing() -> None:
    sound = bytearray(wav(3))
    sound[40:44] = struct.pack("<I", 0xFFFFFFFF)
    made = await Transcoder().to_voice(bytes(sound))
    assert made is not None
    assert made.seconds == 3


def _zip() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("message.wav", wav(1))
    return written.getvalue()


def _slow_wav() -> bytes:
    """A megabyte that lasts twelve days: one sample a second."""
    sound = bytearray(wav(0) + bytes(2**20))
    sound[24:32] = struct.pack("<II", 1, 2)
    sound[40:44] = struct.pack("<I", 2**20)
    return bytes(sound)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"RIFF",
        b"RIFF\xff\xff\xff\xffWAVE",
        wav(0),
        wav(1)[:44],
        _zip(),
        b"RIFF" + os.urandom(50_000),
        wav(1)[:36] + os.urandom(50_000),
        b"#!AMR\n",
        b"#!AMR\n" + b"\xff" * 1000,
        b"#EXTM3U\nhttp://127.0.0.1/secret\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\0\0\0\x20ftyp3gp4" + bytes(1000),
        _slow_wav(),
        bytes(20 * 2**20 + 1),
    ],
)
async def test_what_cannot_be_made_a_voice_message_is_none(octets: bytes) -> None:
    assert await Transcoder().to_voice(octets) is None


async def test_more_than_twenty_minutes_stay_a_file() -> None:
    assert await Transcoder().to_voice(encoded("pcm_mulaw", "wav", 1201)) is None


def test_the_limits_hold_in_the_program_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    made, seconds = transcode.to_voice(wav(2))
    assert seconds == 2
    assert length_of(made) == pytest.approx(2, abs=0.1)
    for silent in (_zip(), wav(0), wav(1)[:30], b"#!AMR\n" + b"\x4c" * 1000):
        with pytest.raises(transcode.NotASound):
            transcode.to_voice(silent)
    monkeypatch.setattr(transcode, "MOST_SECONDS", 1)
    with pytest.raises(transcode.TooLong):
        transcode.to_voice(wav(2))


CONFINED = """
import os, runpy, socket, sys
runpy.run_path(sys.argv[1])["_confine"]()
def refused(what):
    try:
        what()
    except (OSError, MemoryError):
        return True
assert refused(lambda: open("/etc/passwd"))
assert refused(lambda: open("written", "w"))
assert refused(lambda: socket.socket())
assert sys.platform != "linux" or refused(lambda: bytearray(2**30))
assert not os.environ.get("SECRET")
print("confined")
"""


async def test_the_program_can_open_nothing_and_has_little_memory(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-I", "-c", CONFINED, str(voice.PROGRAM)], capture_output=True, text=True, cwd=tmp_path
    )
    assert run.stdout == "confined\n", run.stderr


def _instead(monkeypatch: pytest.MonkeyPatch, directory: Path, program: str) -> Path:
    """Another program in the transcoder's place; where it may write its process id."""
    path, pid = directory / "program.py", directory / "pid"
    path.write_text(f"import os, sys, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\n{program}")
    monkeypatch.setattr(voice, "PROGRAM", path)
    return pid


def _is_gone(pid: Path) -> bool:
    try:
        os.kill(int(pid.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    "program",
    [
        "sys.stdin.buffer.read()\nwhile True: sys.stdout.buffer.write(bytes(2**16))",
        "time.sleep(60)",
        "sys.stdin.buffer.read()\ntime.sleep(60)",
        "while True: pass",
        "os.kill(os.getpid(), 11)",
        "sys.exit(0)",
        "print(3); print('not a sound')",
        "print('x'); sys.stdout.flush(); sys.stdout.buffer.write(b'OggS' + bytes(24) + b'OpusHead' + bytes(99))",
        "import nothing_of_that_name",
    ],
)
async def test_whatever_becomes_of_the_program_nothing_of_it_is_left(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "TIMEOUT", 1.0)
    pid = _instead(monkeypatch, tmp_path, program)
    assert await Transcoder().to_voice(wav(60)) is None
    assert _is_gone(pid)


async def test_it_is_told_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERMANENCE_SECRET", "x")
    seen = tmp_path / "seen"
    _instead(monkeypatch, tmp_path, f"open({str(seen)!r}, 'w').write(repr(sorted(os.environ)))")
    await Transcoder().to_voice(wav(1))
    assert "SECRET" not in seen.read_text()


async def test_cancelled_it_is_killed_and_leaves_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = _instead(monkeypatch, tmp_path, "time.sleep(60)")
    transcoder = Transcoder()
    for _ in range(voice.MOST_AT_ONCE + 1):
        pid.unlink(missing_ok=True)
        making = asyncio.create_task(transcoder.to_voice(wav(60)))
        await eventually(lambda: pid.exists() and pid.read_text())
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        assert _is_gone(pid)


PARENT = """
import asyncio, resource, sys
from channels.telegram.voice import Transcoder
import channels.telegram.bot
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = asyncio.run(Transcoder().to_voice(sys.stdin.buffer.read()))
assert made.seconds == 60
assert "av" not in sys.modules
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_the_worker_does_not_load_what_decodes() -> None:
    run = subprocess.run([sys.executable, "-c", PARENT], input=wav(60), capture_output=True)
    assert not run.stderr.decode()
    assert int(run.stdout) < 8 * 1024, "kB: the sound and the voice message, and no decoders"


# ---------------------------------------------------------------- in the chat


def a_sound(name: str = "msg0001.wav") -> Attachment:
    return Attachment(name=name, media_type="audio/x-wav", size=1, kind=AttachmentKind.VOICE, path="2")


async def test_a_sound_plays_in_the_chat_under_its_name(telegram: Telegram, bot: TelegramBot) -> None:
    await bot.hand_over(ChatFile(LUCIE, a_sound(), wav(3), "#12 · msg0001.wav", playable=True))
    seen = telegram.lucie.messages()[-1]
    assert seen["caption"] == "#12 · msg0001.wav"
    assert seen["voice"]["duration"] == 3
    name, _, octets = telegram.lucie.file(seen["voice"]["file_id"])
    assert name == "msg0001.ogg"
    assert length_of(octets) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize(
    ("octets", "field"),
    [(b"ID3\x04" + bytes(100), "audio"), (_zip(), "document"), (wav(1)[:44], "document")],
)
async def test_what_plays_as_it_is_or_not_at_all_is_handed_over_as_it_is(
    telegram: Telegram, bot: TelegramBot, octets: bytes, field: str
) -> None:
    await bot.hand_over(ChatFile(LUCIE, a_sound(), octets, playable=True))
    seen = telegram.lucie.messages()[-1]
    assert telegram.lucie.file(seen[field]["file_id"])[2] == octets


async def test_asked_for_as_a_file_it_is_one(telegram: Telegram, bot: TelegramBot) -> None:
    await bot.hand_over(ChatFile(LUCIE, a_sound(), wav(3)))
    assert telegram.lucie.file(telegram.lucie.messages()[-1]["document"]["file_id"])[2] == wav(3)


async def test_when_many_are_being_made_the_next_comes_later(
    telegram: Telegram, bot: TelegramBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "PATIENCE", 0.1)
    _instead(monkeypatch, tmp_path, "time.sleep(60)")
    file = ChatFile(LUCIE, a_sound(), wav(1), playable=True)
    before = [asyncio.create_task(bot.hand_over(file)) for _ in range(voice.MOST_AT_ONCE)]
    await asyncio.sleep(0.05)
    with pytest.raises(TemporaryFailure) as failed:
        await bot.hand_over(file)
    assert failed.value.retry_after is not None
    for one in before:
        one.cancel()
    await asyncio.gather(*before, return_exceptions=True)


async def test_without_the_library_it_is_a_file_and_the_check_says_so(
    telegram: Telegram, bot: TelegramBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all("AMR" not in finding.says for finding in await bot.check())
    monkeypatch.setattr(voice, "find_spec", lambda name: None)
    await bot.hand_over(ChatFile(LUCIE, a_sound(), wav(1), playable=True))
    assert "document" in telegram.lucie.messages()[-1]
    (missing,) = [finding for finding in await bot.check() if "AMR" in finding.says]
    assert missing.level == "warning"
    assert "permanence[voice]" in missing.remedy
