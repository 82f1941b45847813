"""Bytes in by IMAP and Telegram, bytes out by SMTP and Telegram: the whole desk over real servers."""
