"""A thousand French support mails, the same octets every time.

600 new matters and 400 replies to one of them or to another reply; 2 to 40 KB
of text and HTML; 150 carry a PDF of 50 to 500 KB; UTF-8, ISO 8859-1 and
Windows-1252; quoted-printable, base64 and 8bit. Whoever changes a single
octet is told by `SHA256`: figures are comparable only over the same mails.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import quopri
import random
from collections.abc import Iterator
from dataclasses import dataclass
from email.generator import BytesGenerator
from email.header import Header
from email.message import Message
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import formataddr, formatdate
from pathlib import Path

MAILS = 1000
CONVERSATIONS = 600
STRANGERS = 80
"""Replies from somebody who has no part in the conversation: threading alone puts them into it, our rule
(`inbox.matching`) opens another that names it."""
ATTACHMENTS = 150
OCTETS = 66_376_323
SHA256 = "400d8c55ccc005999fa15cc2b6aae92e149ac0d01d556f2c80d068cfcbd38f2d"

_SEED = 42
_EPOCH = 1_760_000_000
_TO = "support@desk.example"
_TEXT = """bonjour madame monsieur commande facture numéro livraison retard colis reçu
abîmé remboursement délai hier matin après-midi équipe réponse problème connexion mot
de passe oublié compte créé adresse électronique modifiée société française siège
Besançon Orléans Nîmes Angoulême Saint-Étienne téléphone câble écran clé défectueuse
garantie expirée échange gratuit règlement chèque virement bancaire prélèvement
échéance août décembre février déjà très également malgré plusieurs relances où à là
être été êtes où ça façon leçon garçon reçue aperçu naïf maïs cœur œuvre sœur nœud
pièce jointe ci-dessous merci beaucoup cordialement bien à vous salutations
distinguées le la les un une des du au aux et ou mais donc car ni que qui dont nous
vous ils elles notre votre leur ce cette ces mon ton son est sont avons avez ont fait
peut doit voudrais souhaite demande informations complémentaires sujet dossier contrat
abonnement résiliation préavis tarif hausse imprévue vérifier s'il plaît urgent"""
_FIRST = "Élodie Zoé Jérôme François Hélène Benoît Chloé Noël Maël Agnès Léa Paul Marc Anaïs Inès"
_LAST = "Lefèvre Müller Garçon Bérenger Dupré Desprès Maître Petit Roux Côté Léger Noël Besnard"
_WORDS, _FIRST_NAMES, _LAST_NAMES = _TEXT.split(), _FIRST.split(), _LAST.split()
_CHARSETS = (("utf-8", 0.5), ("iso-8859-1", 0.25), ("windows-1252", 0.25))


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail of the corpus, lines ending in LF as in a Maildir."""

    raw: bytes
    message_id: str
    references: tuple[str, ...]
    root: int
    """The number of the mail that began the matter: its own, unless it is a reply."""
    subject: str
    address: str
    name: str
    quotable: str
    """Its first paragraph: what replies quote."""


def make_corpus() -> Iterator[Mail]:
    """All mails, oldest first.

    Raises:
        RuntimeError: at the end, when they are not octet for octet what they always were.
    """
    chance = random.Random(_SEED)
    replies = set(chance.sample(range(3, MAILS), MAILS - CONVERSATIONS))
    with_attachment = set(chance.sample(range(MAILS), ATTACHMENTS))
    written: list[Mail] = []
    digest = hashlib.sha256()
    for number in range(MAILS):
        mail = _write(chance, number, written, reply=number in replies, attach=number in with_attachment)
        written.append(mail)
        digest.update(mail.raw)
        yield mail
    if digest.hexdigest() != SHA256:
        raise RuntimeError("the corpus is not what it was: no figure measured on it can be compared")


def fill_maildir(place: Path) -> None:
    """Put the corpus into a Maildir whose server has not yet looked at it."""
    for folder in ("cur", "new", "tmp"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    for number, mail in enumerate(make_corpus()):
        # As Dovecot's own deliveries name them: S= octets on disk, W= octets with CRLF as IMAP counts them.
        size, wire_size = len(mail.raw), len(mail.raw) + mail.raw.count(b"\n")
        name = f"{_EPOCH + number}.M{number:06d}P1.bench,S={size},W={wire_size}"
        (place / "new" / name).write_bytes(mail.raw)


# Every draw from `chance` below counts: another order of drawing is another corpus.


def _write(chance: random.Random, number: int, written: list[Mail], *, reply: bool, attach: bool) -> Mail:
    charset = _draw_charset(chance)
    name = f"{chance.choice(_FIRST_NAMES)} {chance.choice(_LAST_NAMES)}"
    message_id = f"<{number:05d}.{chance.getrandbits(64):016x}@clients{chance.randint(1, 40)}.example.fr>"
    octets = int(2048 * (20 ** chance.random())) - 900  # log-uniform from 2 to 40 KB, headers included
    paragraphs = _prose(chance, max(600, octets // 3), charset)  # one third text, two thirds HTML
    if reply:
        recent = chance.random() < 0.9
        parent = written[chance.randrange(max(0, number - 300), number)] if recent else chance.choice(written)
        begun_by = written[parent.root]
        root, subject = parent.root, parent.subject
        references = (*parent.references, parent.message_id)[-10:]
        if chance.random() < 0.8:
            address, name = begun_by.address, begun_by.name
        else:
            address = f"collegue{chance.randint(1, 60)}@clients{chance.randint(1, 40)}.example.fr"
        quote = "\n".join("> " + line for line in _wrap(parent.quotable).splitlines())
        said = _fit(f"Le 12 octobre, {parent.name} a écrit :", charset)
        quoted = [said + "\n" + quote.encode(charset, "replace").decode(charset)]
        shown = "Re: " + subject
    else:
        root, references, quoted = number, (), []
        words = " ".join(chance.choice(_WORDS) for _ in range(chance.randint(3, 7)))
        shown = subject = f"{words.capitalize()} n°{number:05d}"
        address = f"client{chance.randint(1, 400)}@clients{chance.randint(1, 40)}.example.fr"
    message = _body(chance, number, charset, paragraphs, quoted, name, attach=attach)
    message["From"] = formataddr((_fit(name, charset), address))
    message["To"] = _TO
    message["Subject"] = Header(_fit(shown, charset), charset)  # type: ignore[assignment]  # typeshed knows str only
    message["Date"] = formatdate(_EPOCH + number * 37, localtime=False)
    message["Message-ID"] = message_id
    if reply:
        message["In-Reply-To"] = references[-1]
        message["References"] = "\n ".join(references)
    raw = io.BytesIO()
    BytesGenerator(raw, mangle_from_=False, maxheaderlen=0).flatten(message)
    return Mail(raw.getvalue(), message_id, references, root, subject, address, name, paragraphs[0])


def _body(
    chance: random.Random,
    number: int,
    charset: str,
    paragraphs: list[str],
    quoted: list[str],
    name: str,
    *,
    attach: bool,
) -> Message:
    closing = _fit(f"Cordialement,\n-- \n{name}", charset)
    text = "\n\n".join([*map(_wrap, paragraphs), *quoted, closing]) + "\n"
    style = "font-family:Arial;font-size:12pt;color:#333333;margin:0 0 8px 0"
    markup = (
        f'<html><head><meta charset="{charset}"></head><body>'
        + "".join(f'<p style="{style}">{html.escape(paragraph)}</p>\n' for paragraph in paragraphs)
        + "".join(f"<blockquote>{html.escape(words)}</blockquote>" for words in quoted)
        + f"<p>{html.escape(_fit(name, charset))}</p></body></html>\n"
    )
    alternative = MIMEMultipart("alternative", boundary=f"alt-{number:05d}-{chance.getrandbits(40):010x}")
    alternative.attach(_text_part(chance, text, "plain", charset))
    alternative.attach(_text_part(chance, markup, "html", charset))
    if not attach:
        return alternative
    mixed = MIMEMultipart("mixed", boundary=f"mix-{number:05d}-{chance.getrandbits(40):010x}")
    mixed.attach(alternative)
    document = MIMEApplication(chance.randbytes(chance.randint(50_000, 500_000)), "pdf")
    document.add_header("Content-Disposition", "attachment", filename=("utf-8", "", f"pièce_{number:05d}.pdf"))
    mixed.attach(document)
    return mixed


def _text_part(chance: random.Random, text: str, subtype: str, charset: str) -> Message:
    encoding = chance.choice(["qp", "qp", "b64"] if charset == "utf-8" else ["qp", "8bit"])
    part = MIMENonMultipart("text", subtype, charset=charset)
    raw = text.encode(charset)
    if encoding == "b64":
        part["Content-Transfer-Encoding"] = "base64"
        part.set_payload(base64.encodebytes(raw).decode())
    elif encoding == "qp":
        part["Content-Transfer-Encoding"] = "quoted-printable"
        part.set_payload(quopri.encodestring(raw).decode("ascii"))
    else:
        part["Content-Transfer-Encoding"] = "8bit"
        part.set_payload(raw.decode("ascii", "surrogateescape"))
    return part


def _draw_charset(chance: random.Random) -> str:
    drawn = chance.random()
    for charset, share in _CHARSETS:
        drawn -= share
        if drawn < 0:
            return charset
    return "utf-8"


def _fit(text: str, charset: str) -> str:
    if charset == "iso-8859-1":
        for sign, instead in (("œ", "oe"), ("Œ", "OE"), ("€", "EUR"), ("’", "'"), ("…", "...")):
            text = text.replace(sign, instead)
    return text


def _prose(chance: random.Random, size: int, charset: str) -> list[str]:
    sentences: list[str] = []
    length = 0
    while length < size:
        words = [chance.choice(_WORDS) for _ in range(chance.randint(6, 18))]
        price = f" : {chance.randint(10, 9999)},{chance.randint(10, 99)} €."
        sentence = " ".join(words).capitalize() + chance.choice([".", ".", " !", " ?", "…", price])
        if chance.random() < 0.3:
            sentence = sentence.replace("'", "’")
        sentences.append(_fit(sentence, charset))
        length += len(sentences[-1]) + 1
    paragraphs: list[str] = []
    while sentences:
        count = chance.randint(2, 5)
        paragraphs.append(" ".join(sentences[:count]))
        sentences = sentences[count:]
    return paragraphs


def _wrap(paragraph: str, width: int = 74) -> str:
    lines: list[str] = []
    line = ""
    for word in paragraph.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])
