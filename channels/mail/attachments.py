"""The files of a mail: what they are called, what kind they are, how large."""

from __future__ import annotations

import re

from channels.mail.headers import decode_text, first, read_head, tidy
from channels.mail.parts import Part, decoded_size
from channels.mail.sounds import seconds_of
from inbox.parts import Attachment, AttachmentKind

MOST_ATTACHMENTS = 200
LONGEST_FILE_NAME = 150

_ENDINGS = {
    "application/pdf": ".pdf", "application/pkcs7-mime": ".p7m", "application/pkcs7-signature": ".p7s",
    "application/pgp-signature": ".asc", "application/zip": ".zip", "application/msword": ".doc",
    "audio/amr": ".amr", "audio/mpeg": ".mp3", "audio/mp3": ".mp3", "audio/x-wav": ".wav", "audio/x-m4a": ".m4a",
    "audio/amr-wb": ".awb", "audio/wave": ".wav", "audio/vnd.wave": ".wav", "audio/3gpp": ".3gp", "audio/basic": ".au",
    "audio/opus": ".opus", "audio/flac": ".flac", "audio/mp4": ".m4a", "audio/ogg": ".ogg", "audio/wav": ".wav",
    "image/gif": ".gif", "image/heic": ".heic", "image/jpeg": ".jpg", "image/jpg": ".jpg", "image/png": ".png",
    "image/svg+xml": ".svg", "image/webp": ".webp", "image/tiff": ".tiff", "image/bmp": ".bmp",
    "message/rfc822": ".eml", "message/global": ".eml", "text/calendar": ".ics", "text/css": ".css",
    "text/csv": ".csv", "text/html": ".html", "text/plain": ".txt", "text/rtf": ".rtf", "text/vcard": ".vcf",
    "text/x-vcard": ".vcf", "text/xml": ".xml", "message/delivery-status": ".txt", "text/rfc822-headers": ".txt",
    "video/mp4": ".mp4", "video/quicktime": ".mov", "video/webm": ".webm",
}  # fmt: skip
_TYPES = {ending: media_type for media_type, ending in reversed(_ENDINGS.items())}
_KINDS = {
    ".jpg": AttachmentKind.PHOTO, ".jpeg": AttachmentKind.PHOTO, ".png": AttachmentKind.PHOTO,
    ".webp": AttachmentKind.PHOTO, ".mp3": AttachmentKind.AUDIO, ".m4a": AttachmentKind.AUDIO,
    ".wav": AttachmentKind.VOICE, ".flac": AttachmentKind.AUDIO, ".amr": AttachmentKind.VOICE,
    ".awb": AttachmentKind.VOICE,
    ".ogg": AttachmentKind.VOICE, ".oga": AttachmentKind.VOICE, ".opus": AttachmentKind.VOICE,
    ".mp4": AttachmentKind.VIDEO, ".mov": AttachmentKind.VIDEO, ".webm": AttachmentKind.VIDEO,
}  # fmt: skip


def media_type_of(name: str) -> str:
    """What a file is by the end of its name."""
    return _TYPES.get("." + name.rpartition(".")[2].lower(), "application/octet-stream")


def list_attachments(raw: bytes, files: list[Part], defects: dict[str, None]) -> tuple[Attachment, ...]:
    """The files as the desk lists them, each by its path; more than it lists is a defect."""
    if len(files) > MOST_ATTACHMENTS:
        defects["too_many_attachments"] = None
    listed = []
    for part in files[:MOST_ATTACHMENTS]:
        name, size = file_name(raw, part), decoded_size(raw, part)
        kind = _kind(part.media_type, name)
        attachment = Attachment(
            name=name,
            media_type=part.media_type,
            size=size,
            kind=kind,
            path=part.path,
            seconds=seconds_of(raw, part, size) if kind in _SOUNDS else 0,
        )
        listed.append(attachment)
    return tuple(listed)


_SOUNDS = frozenset({AttachmentKind.AUDIO, AttachmentKind.VOICE})
# What programs call a file they do not know.
_VAGUE = frozenset({"application/octet-stream", "application/ogg", "application/x-download", "application/download"})


def _kind(media_type: str, name: str) -> AttachmentKind:
    named = _KINDS.get("." + name.rpartition(".")[2].lower())
    main = media_type.partition("/")[0]
    # An audio/wav called .mp3 is one, a video/mp4 called .m4a has no picture.
    if named is not None and (media_type in _VAGUE or (main in ("audio", "video") and named in _SOUNDS)):
        return named
    typed = _KINDS.get(_ENDINGS.get(media_type, ""))
    if typed is not None:
        return typed
    # Sounds of other types come from telephones.
    return {"audio": AttachmentKind.VOICE, "video": AttachmentKind.VIDEO}.get(main, AttachmentKind.FILE)


_LIKE_A_NAME = re.compile(r"[^/\\:]{1,100}\.[A-Za-z0-9]{2,5}")


def _described(part: Part) -> str:
    """The name in fields meant for something else, where one of them is the name of a file."""
    for field in ("content-description", "content-location"):
        said = decode_text(first(part.fields, field), 200).strip("\"'")
        if _LIKE_A_NAME.fullmatch(said):
            return said
    return ""


# What separates folders anywhere, and what Windows refuses in a name.
_UNSAFE = re.compile(r'[/\\:*?"<>|]+')


def file_name(raw: bytes, part: Part) -> str:
    """A name to save it under: no folder, nothing hidden in it; one made up where its author gave none."""
    name = tidy(part.file_name, 20_000)
    ending = _ENDINGS.get(part.media_type, ".txt" if part.media_type.startswith("text/") else ".bin")
    if not name and part.media_type.startswith("message/"):
        head = read_head(part.source if part.source is not None else raw, part.start, part.end)
        subject = decode_text(first(head.fields, "subject"), 80)
        name = subject + ending if subject else ""
    if not name:
        name = _described(part)
    name = _UNSAFE.sub("_", name).strip(" ")
    if not name.strip("._ "):
        return f"attachment-{part.path}{ending}"
    if len(name) > LONGEST_FILE_NAME:
        stem, dot, last = name.rpartition(".")
        kept = dot + last if stem and len(last) <= 10 else ""
        name = (stem if kept else name)[: LONGEST_FILE_NAME - len(kept)] + kept
    return name.rstrip(". ")
