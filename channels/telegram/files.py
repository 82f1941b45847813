"""Files Telegram keeps, read whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiogram import Bot
from aiogram.client.telegram import PRODUCTION

from inbox.parts import AttachmentKind


def sound_kind(octets: bytes) -> AttachmentKind:
    """As what a sound is sent so that it plays where it is shown, by its own first octets: a name may say anything.

    Bot API: sendVoice takes OGG with OPUS, sendAudio MP3 and M4A; anything else is a document.
    """
    if octets.startswith(b"OggS"):
        # RFC 7845 §3: the first page holds nothing but this.
        return AttachmentKind.VOICE if b"OpusHead" in octets[:100] else AttachmentKind.FILE
    # ISO 14496-12 §4.3: the first box says what it is.
    if octets[4:8] == b"ftyp" and octets[8:11] in (b"M4A", b"M4B", b"mp4", b"iso"):
        return AttachmentKind.AUDIO
    if octets.startswith(b"ID3") or (len(octets) > 2 and octets[0] == 0xFF and octets[1] & 0xE6 == 0xE2):
        return AttachmentKind.AUDIO  # ISO 11172-3: a frame begins with eleven ones; layer III
    return AttachmentKind.FILE


async def read_file(bot: Bot, path: str, timeout: float) -> bytes:
    """The octets of a file, by the path getFile gave."""
    local = Path(path)
    if local.is_absolute() and bot.session.api.base != PRODUCTION.base:
        # A Bot API server run with --local hands over the file itself (github.com/tdlib/telegram-bot-api).
        return await asyncio.to_thread(local.read_bytes)
    url = bot.session.api.file_url(bot.token, path)
    data = bytearray()
    async for piece in bot.session.stream_content(url, timeout=int(timeout)):
        data += piece
    return bytes(data)
