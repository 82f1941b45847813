"""Sounds that Telegram does not play, made into voice messages by a child process (`channels.telegram.transcode`)."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import structlog

from channels.telegram.files import sound_kind
from inbox.parts import AttachmentKind

log = structlog.get_logger(__name__)

MOST_OCTETS = 20 * 2**20
"""Of a sound that is made into a voice message, and of a voice message."""
TIMEOUT = 60.0
"""Seconds: the child ends itself before."""
PATIENCE = 30.0
"""Seconds to wait for those before; later, it is somebody else's turn."""
MOST_AT_ONCE = 2

PROGRAM = Path(__file__).with_name("transcode.py")


@dataclass(frozen=True, slots=True)
class VoiceMessage:
    """OGG with Opus, as Telegram plays it."""

    octets: bytes
    seconds: int


class Busy(Exception):
    """Other sounds are being made into voice messages. Nothing was tried."""


class Transcoder:
    """Makes voice messages, a few at a time."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    @staticmethod
    def is_installed() -> bool:
        """Whether the library for it is there: the extra `voice`."""
        return find_spec("av") is not None

    async def to_voice(self, sound: bytes) -> VoiceMessage | None:
        """A sound as a voice message; None where it cannot be one, and stays the file it is.

        Raises:
            Busy: too many others were before it.
        """
        if not self.is_installed() or len(sound) > MOST_OCTETS:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                await self._slots.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            return await _transcoded(sound)
        finally:
            self._slots.release()


async def _transcoded(sound: bytes) -> VoiceMessage | None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",  # nothing beside the program is importable by it
        str(PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # Secrets stand in the environment. Some Pythons find their own library by this one.
        env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        start_new_session=True,
    )
    said, outcome = b"", "timeout"
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                said = await _exchange(process, sound)
                outcome = f"exit {await process.wait()}" if len(said) <= MOST_OCTETS else "endless"
    finally:
        await _end(process)
    seconds, _, octets = said.partition(b"\n")
    if outcome == "exit 0" and seconds.isdigit() and sound_kind(octets) is AttachmentKind.VOICE:
        return VoiceMessage(octets, int(seconds))
    log.info("sound_not_transcoded", outcome=outcome, octets=len(sound))
    return None


async def _exchange(process: asyncio.subprocess.Process, sound: bytes) -> bytes:
    """All it says, or a little more than it may."""
    said = bytearray()
    if process.stdin is None or process.stdout is None:
        return b""
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended without reading all: its exit code says why
        process.stdin.write(sound)
        await process.stdin.drain()
    process.stdin.close()
    while len(said) <= MOST_OCTETS and (piece := await process.stdout.read(2**16)):
        said += piece
    return bytes(said)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave nothing of it behind, whatever it was doing."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.communicate()  # reads what a dead process left in the pipe: only then is that closed
