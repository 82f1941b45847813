"""Reading mails, ours against the standard library's default policy, and whether both say the same.

`policy.default` and `get_body` are what most Python programs read mail with;
it decodes its attachments, we count their octets: nobody has asked for them yet.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import NamedTuple

from channels.mail.parse import read_mail
from tests.bench.corpus import make_corpus

MAILS = 1000
OF_THE_CORPUS = 500
ROUNDS = 5


class Read(NamedTuple):
    """What both say of a mail."""

    sender: str
    name: str
    subject: str
    recipients: tuple[str, ...]
    text: str
    files: tuple[tuple[str, int], ...]
    """Name and size of each."""


def by_us(raw: bytes) -> Read:
    """What our reader says."""
    envelope = read_mail(raw)
    return Read(
        envelope.sender.value,
        envelope.sender.name,
        envelope.subject,
        envelope.recipients,
        envelope.text,
        tuple((file.name, file.size) for file in envelope.attachments),
    )


def by_default(raw: bytes) -> Read:
    """What the standard library says."""
    message = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    sender = message["from"].addresses[0]
    recipients = [a.addr_spec.lower() for name in ("to", "cc") if message[name] for a in message[name].addresses]
    body = message.get_body(("plain", "html"))
    files = []
    for part in message.iter_attachments():
        content = part.get_payload(decode=True)
        files.append((part.get_filename() or "", len(content if isinstance(content, bytes) else b"")))
    return Read(
        sender.addr_spec.lower(),
        sender.display_name,
        str(message["subject"]),
        tuple(dict.fromkeys(recipients)),
        body.get_content() if body else "",
        tuple(files),
    )


# ---------------------------------------------------------------- mails


def mixed_mails(most: int = MAILS) -> list[bytes]:
    """Half of them of the corpus, half of every other usual shape; the same each time."""
    chance = random.Random(11)
    half = min(OF_THE_CORPUS, most // 2)
    return [
        *(mail.raw for mail in itertools.islice(make_corpus(), half)),
        *itertools.islice(_others(chance), most - half),
    ]


_NAMES = ("Zoë Ångström", "Иван Петров", "山田太郎", "Jean Dupont", "Σοφία", "O'Brien, Pat", "Müller & Söhne", "김민수")
_TEXTS = (
    "Bonjour,\n\nvoici les documents demandés.\n\nCordialement",
    "Guten Tag,\n\nanbei die Rechnung über 1.234,56 €.\n\nMit freundlichen Grüßen",
    "Здравствуйте!\n\nСпасибо большое.\n",  # noqa: RUF001  # it is Russian
    "お世話になっております。\n資料をお送りします。\n",
    "Hi,\n\njust checking in.\n\n> On Monday you wrote:\n> fine\n",
)


def _others(chance: random.Random) -> Iterator[bytes]:
    shapes: tuple[Callable[[EmailMessage, random.Random], None], ...] = (_plain, _two_forms, _with_files, _a_reply)
    for number in itertools.count():
        message = EmailMessage(policy=policy.SMTP if number % 3 else policy.default)
        message["From"] = f'"{chance.choice(_NAMES)}" <Client{number}@Firm{number % 40}.example>'
        message["To"] = "support@desk.example, " + ", ".join(f"c{n}@desk.example" for n in range(number % 4))
        message["Subject"] = f"{chance.choice(_NAMES)} : {chance.choice(_TEXTS).splitlines()[-1]} n° {number}"
        message["Date"] = "Mon, 12 Oct 2026 10:32:00 +0200"
        message["Message-ID"] = f"<{number}.{chance.getrandbits(60)}@firm.example>"
        for name in ("Received", "X-Spam-Status", "DKIM-Signature", "Authentication-Results"):
            for hop in range(3):
                message[f"{name if name == 'Received' else f'{name}-{hop}'}"] = (
                    f"from a{hop} by b; x={'y' * 90} z={hop}"
                )
        shapes[number % len(shapes)](message, chance)
        yield message.as_bytes()


def _text(chance: random.Random) -> tuple[str, str]:
    """A text and a charset that has it."""
    at = chance.randrange(len(_TEXTS))
    text = _TEXTS[at] * chance.randrange(1, 30)
    return text, chance.choice(("utf-8", ("iso-8859-1", "cp1252", "windows-1251", "iso-2022-jp", "us-ascii")[at]))


def _plain(message: EmailMessage, chance: random.Random) -> None:
    text, charset = _text(chance)
    try:
        message.set_content(text, charset=charset)
    except UnicodeEncodeError:
        message.set_content(text)


def _two_forms(message: EmailMessage, chance: random.Random) -> None:
    _plain(message, chance)
    message.add_alternative(f"<html><body><p>{chance.choice(_TEXTS)}</p></body></html>" * 5, subtype="html")


def _with_files(message: EmailMessage, chance: random.Random) -> None:
    _two_forms(message, chance)
    for number in range(chance.randrange(1, 4)):
        octets = chance.randbytes(chance.randrange(1000, 60_000))
        message.add_attachment(octets, "application", "pdf", filename=f"pièce {number}.pdf")


def _a_reply(message: EmailMessage, chance: random.Random) -> None:
    message["In-Reply-To"] = "<0@desk.example>"
    message["References"] = " ".join(f"<{n}.{n}@desk.example>" for n in range(20))
    _plain(message, chance)


# ---------------------------------------------------------------- measure


def measure() -> float:
    """How many times as fast we are, the median of rounds in which both take turns."""
    mails = mixed_mails()
    ratios = []
    for _ in range(ROUNDS):
        default, ours = _seconds(by_default, mails), _seconds(by_us, mails)
        ratios.append(default / ours)
    return statistics.median(ratios)


def _seconds(read: Callable[[bytes], Read], mails: list[bytes]) -> float:
    began = time.process_time()
    for mail in mails:
        read(mail)
    return time.process_time() - began
