"""Mutated mails and updates read, one after the other: `python -m tests.crash.fuzzing mails|updates SEED COUNT FOLDER`.

What breaks a promise is saved in the folder as a file, named by its content, and ends the run.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
import traceback
from collections.abc import Callable
from email.parser import BytesParser
from email.utils import getaddresses
from pathlib import Path
from random import Random

import msgspec
from aiogram.types import Update as AiogramUpdate
from pymap.mime import MessageContent

from bot.locales import Catalogue
from channels.base import Reply
from channels.mail.compose import compose, wire_address
from channels.mail.compose import preview as preview_of
from channels.mail.headers import is_address
from channels.mail.parse import extract, read_mail
from channels.telegram.parse import read_update
from channels.telegram.updates import arrival
from handlers import previews, views
from handlers.legible import units
from handlers.previews import PreviewFacts
from handlers.views import CardFacts, Screen, Voice
from inbox.conversations import opened, received
from inbox.drafts import reply_recipients
from inbox.envelope import Blocked, Envelope, Ignored, Unreadable, Update
from inbox.matching import sign_message_id
from inbox.model import Conversation, Message
from inbox.notices import Letter
from inbox.parts import ChannelId, MessageId
from tests.builders import DESK, KEY, MAIL, NOW, a_contact, a_draft, a_receipt, a_secretary, an_account
from tests.crash.mutations import Json, mutated_mail, mutated_update, seed_mails, seed_updates

MOST_SECONDS = 1.0
"""Of CPU for one mail or update, with all the checks."""
THOROUGHLY = 10
"""One in so many is also answered and shown, and the answer read by others."""
OURS = sign_message_id(KEY, MessageId("0190a3c1-0000-7000-8000-000000000001"), "roux.example")
# Whatever could end a line, for whoever reads it: header, log, card (Unicode TR 14, BK, CR, LF, NL; and NUL).
LINE_ENDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
FIELDS = {
    *("from", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references", "content-language"),
    *("mime-version", "content-type"),
}
_FIELD = re.compile(rb"[A-Z][A-Za-z-]+: [^\r\n\0]*(?:\r\n[ \t][^\r\n\0]+)*\r\n")

_account, _secretary, _catalogue = an_account(), a_secretary(), Catalogue()
_voice = Voice(_catalogue, "fr", "Europe/Paris", NOW)


class Broken(AssertionError):
    """A promise that does not hold for an input."""


def hold(promise: object, what: str) -> None:
    """Raise Broken unless the promise holds."""
    if not promise:
        raise Broken(what)


# ---------------------------------------------------------------- mails


def check_mail(raw: bytes, *, thoroughly: bool = True) -> None:
    """Every promise about a mail from outside.

    Args:
        thoroughly: have the other parsers read the answer, and draw the screens: five times the rest.

    Raises:
        Broken: or whatever else was raised while it was read, answered or shown.
    """
    envelope = read_mail(raw)
    hold("unreadable" not in envelope.defects, "reading raised")
    hold(msgspec.json.decode(msgspec.json.encode(envelope), type=Envelope) == envelope, "it cannot be stored")
    for name, value in header_values(envelope):
        hold(not LINE_ENDS.search(value), f"a line end in {name}: {value!r}")
    for file in envelope.attachments[:3]:
        extract(raw, file.path)
    conversation, message = taken_in(envelope, MAIL)
    reply = an_answer(conversation, message)
    check_letter(reply, by_others=thoroughly)
    if thoroughly:
        check_screens(reply)


def header_values(envelope: Envelope) -> list[tuple[str, str]]:
    """What of an envelope stands on one line, wherever it is written."""
    return [
        ("sender", envelope.sender.value),
        ("name", envelope.sender.name),
        ("subject", envelope.subject),
        ("external_id", envelope.external_id),
        ("reply_to", envelope.reply_to or ""),
        ("references", "".join((*envelope.references, *envelope.thread))),
        ("recipients", "".join((*envelope.recipients, *envelope.addressed_to))),
        ("file", "".join(file.name + file.media_type + file.path for file in envelope.attachments)),
    ]


def taken_in(envelope: Envelope, channel_id: ChannelId) -> tuple[Conversation, Message]:
    """The request that begins with it."""
    contact, receipt = a_contact(envelope.sender.name or envelope.sender.value), a_receipt(channel_id)
    conversation = opened(1, _account, contact, channel_id, envelope, NOW, related=None)
    return received(conversation, contact, envelope, receipt, envelope.external_id, NOW)


def an_answer(conversation: Conversation, message: Message) -> Reply:
    """A secretary's answer to it."""
    return Reply(
        account=_account,
        conversation=conversation,
        message_id=MessageId("0190a3c1-0000-7000-8000-000000000001"),
        external_id=OURS,
        text="Bien reçu, à jeudi.",
        answers=message,
        recipients=reply_recipients(message, _account) if conversation.chat_id is None else (),
        attachments=(),
        now=NOW,
    )


def check_letter(reply: Reply, *, by_others: bool) -> None:
    """The answer's octets: by the letter of RFC 5322, and as Python, pymap and we ourselves read them."""
    (parcel,) = compose(reply)
    (blob,) = parcel.blobs
    letter = parcel.payload
    hold(isinstance(letter, Letter), "a letter is sent")
    assert isinstance(letter, Letter)
    head, _, _ = blob.data.partition(b"\r\n\r\n")
    fields = _FIELD.findall(head + b"\r\n")
    hold(b"".join(fields) == head + b"\r\n", "a line of the header is none")
    names = [field.partition(b":")[0].decode().lower() for field in fields]
    hold(len(set(names)) == len(names) and set(names) <= FIELDS, f"other fields than ours: {names}")
    wanted = [wire_address(recipient) for recipient in reply.recipients]
    hold(list(letter.recipients) == wanted, "other recipients than hers")
    if not by_others:
        return
    shown = [recipient for recipient in letter.recipients if is_address(recipient)]
    parsed = BytesParser().parsebytes(blob.data)
    hold([name.lower() for name in parsed] == names, "Python sees other fields")
    if all(recipient.isascii() for recipient in shown):
        read = [address for _, address in getaddresses([*parsed.get_all("To", []), *parsed.get_all("Cc", [])])]
        hold([a for a in read if a] == shown, f"Python sees other recipients: {read} for {shown}")
    hold(len(parsed.get_payload()) == 2, "Python sees other parts")
    other = MessageContent.parse(blob.data)
    hold([name.decode().lower() for name, _ in other.header.folded] == names, "pymap sees other fields")
    hold(len(list(other.body.nested)) == 2, "pymap sees other parts")
    ours = read_mail(blob.data)
    hold(list(ours.recipients) == [a.lower() for a in dict.fromkeys(shown)], f"we see {ours.recipients} for {shown}")
    hold(ours.external_id == OURS, "its id is not the one it was given")


# ---------------------------------------------------------------- screens


def check_screens(reply: Reply) -> None:
    """Every screen that shows the request is one Telegram takes."""
    conversation, message = reply.conversation, reply.answers
    assert message is not None
    contact = a_contact(message.author_name or message.author_address)
    facts = CardFacts(
        viewer=_secretary,
        conversation=conversation,
        account=_account,
        contact=contact,
        contact_address=message.author_address,
        channel_icon="✉️",
        holder=_secretary,
        messages=[message],
        replies={},
        message_count=1,
    )
    check_screen(views.card(facts, _voice))
    draft = PreviewFacts(
        draft=a_draft(conversation, _secretary),
        conversation=conversation,
        preview=preview_of(reply),
        unseen=[message],
        unseen_count=1,
        deliveries=[],
        undoable=False,
    )
    check_screen(previews.preview(draft, _voice))


def check_screen(screen: Screen) -> None:
    """Within the limits of sendMessage. Source: Bot API, MessageEntity, InlineKeyboardButton."""
    length = units(screen.text)
    hold(0 < length <= views.LONGEST, f"{length} units")
    hold("\0" not in screen.text, "NUL on a screen")
    screen.text.encode()
    for entity in screen.entities:
        hold(entity.offset >= 0 and entity.length > 0 and entity.offset + entity.length <= length, f"{entity}")
        hold(entity.type in ("bold", "italic", "blockquote"), f"{entity.type}: only what the desk itself marks")
    for row in screen.keyboard:
        for button in row:
            hold(1 <= len((button.data or "").encode()) <= 64, f"button data {button.data!r}")
            hold(button.text.strip() and not LINE_ENDS.search(button.text), f"button text {button.text!r}")


# ---------------------------------------------------------------- updates


def check_update(update: Json, *, thoroughly: bool = True) -> None:
    """Every promise about an update from outside."""
    kept = arrival(update)
    hold(kept.lane and kept.source_key and not LINE_ENDS.search(kept.lane), f"lane {kept.lane!r}")
    reading = read_update(kept.raw)
    match reading:
        case Update(envelope=envelope):
            msgspec.json.encode(reading.update)
            AiogramUpdate.model_validate(reading.update)  # or a secretary's words would be parked
            if envelope is None:
                hold(reading.callback_query_id is not None, "neither words nor a press")
                return
            hold(msgspec.json.decode(msgspec.json.encode(envelope), type=Envelope) == envelope, "it cannot be stored")
            if thoroughly:
                check_screens(an_answer(*taken_in(envelope, DESK)))
        case Ignored(reason=said) | Unreadable(error=said):
            hold(said and len(said) < 1000, "no reason")
            said.encode()
            hold(not LINE_ENDS.search(said), f"a line end in {said!r}")
        case Blocked():
            pass
        case _:
            raise Broken(f"a {type(reading).__name__}")


# ---------------------------------------------------------------- a run


def run(kind: str, seed: int, count: int, folder: Path) -> str:
    """Check so many inputs; what went wrong with the first that did, "" when none."""
    chance = Random(seed)
    mails, updates = seed_mails(), seed_updates()
    for number in range(count):
        made: Json = mutated_mail(mails, chance) if kind == "mails" else mutated_update(updates, chance)
        check: Callable[..., None] = check_mail if kind == "mails" else check_update
        began = time.process_time()
        try:
            check(made, thoroughly=number % THOROUGHLY == 0)
            seconds = time.process_time() - began
            hold(seconds < MOST_SECONDS, f"it took {seconds:.1f} s")
        except Exception:  # noqa: BLE001  # whatever it is, it is what is looked for
            raw = made if kind == "mails" else json.dumps(made, indent=1).encode()
            name = f"{hashlib.sha256(raw).hexdigest()[:16]}.{'eml' if kind == 'mails' else 'json'}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(raw)
            return f"seed {seed}, {kind} number {number}, saved as {folder / name}:\n{traceback.format_exc()}"
    return ""


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])) or None)
