"""Files Telegram keeps, read whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiogram import Bot
from aiogram.client.telegram import PRODUCTION


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
