"""Telegram: updates in, Bot API calls out."""

from channels.telegram.lean import import_aiogram

# Importing does no work, but for this: whatever of this package is wanted, aiogram is, and this comes first.
import_aiogram()
