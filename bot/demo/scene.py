"""Who is on the demo's stage and what has already been said there. All of them are invented."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

from bot.demo.letters import File, Person

LANGUAGE = "fr"
BOT_USERNAME = "permanence_demo_bot"
BOT_NAME = "Permanence"


@dataclass(frozen=True, slots=True)
class Firm:
    """An account of the desk."""

    id: str
    name: str
    display_name: str
    address: str
    signature: str
    assignment: Literal["automatic", "manual"]
    messages_to: str | None = None
    """Where its telephone messages go."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a Telegram of their own."""

    id: int
    first_name: str
    last_name: str
    role: Literal["", "secretary", "supervisor"] = ""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Opening:
    """A client's first mail."""

    client: Person
    firm: Firm
    subject: str
    text: str
    files: tuple[File, ...] = ()


CLAIRE = Person("Claire Vasseur", "claire.vasseur@courriel.test")
"""The doctor herself, at home: her telephone messages reach her there."""

VASSEUR = Firm(
    "vasseur",
    "Dr Claire Vasseur",
    "Cabinet du Dr Claire Vasseur",
    "cabinet@docteur-vasseur.test",
    "Secrétariat du Dr Claire Vasseur\nMédecine générale · 12, rue des Tilleuls",
    "automatic",
    CLAIRE.address,
)
LENOIR = Firm(
    "lenoir",
    "Maître Paul Lenoir",
    "Cabinet de Maître Paul Lenoir",
    "cabinet@lenoir-avocat.test",
    "Secrétariat de Maître Paul Lenoir\nAvocat à la cour · 3, place du Palais",
    "automatic",
)
GARNIER = Firm(
    "garnier",
    "Plomberie Garnier",
    "Plomberie Garnier",
    "contact@plomberie-garnier.test",
    "Plomberie Garnier\nDépannage et chauffage · 8, quai des Forges",
    "manual",
)
ACCOUNTS = (VASSEUR, LENOIR, GARNIER)

SOPHIE = Person("Sophie Marchand", "sophie.marchand@courriel.test")
KARIM = Person("Karim Benali", "karim.benali@courriel.test")
HELENE = Person("Hélène Dupuis", "helene.dupuis@courriel.test")
MAIL_CLIENTS = (SOPHIE, KARIM, HELENE, CLAIRE)

LUCAS = User(700_000_101, "Lucas", "Petit")
NADIA = User(700_000_102, "Nadia", "Ferrand")
CLAIRE_HERSELF = User(700_000_103, "Claire", "Vasseur")
TELEGRAM_CLIENTS = (LUCAS, NADIA, CLAIRE_HERSELF)
TALKS = ((LUCAS, CLAIRE_HERSELF), (NADIA, CLAIRE_HERSELF))
"""Who writes to each other in their own Telegram."""

ANNE = User(700_000_201, "Anne", "Rivière", "secretary")
LISE = User(700_000_202, "Lise", "Caron", "secretary")
MARC = User(700_000_203, "Marc", "Delmas", "supervisor")
SECRETARIES = (ANNE, LISE, MARC)


@dataclass(frozen=True, slots=True)
class Room:
    """A group with topics of the secretaries, made for a firm; the bot is its administrator."""

    id: int
    name: str
    firm: Firm


VASSEUR_ROOM = Room(-1_000_700_000_301, "Équipe Vasseur", VASSEUR)
ROOMS = (VASSEUR_ROOM,)


def _pdf(*lines: str) -> bytes:
    """The smallest PDF that shows some lines."""
    words = b"".join(b"(%s) Tj T*\n" % line.encode("cp1252") for line in lines)
    page = b"BT /F1 14 Tf 20 TL 72 760 Td\n" + words + b"ET"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    made = b"%PDF-1.4\n"
    offsets = []
    for number, part in enumerate(parts, 1):
        offsets.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return made + end % (table, len(made))


def drawing(width: int = 320, height: int = 200) -> bytes:
    """A small picture (PNG): a drop of water under a pipe."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # PNG filter type "none"
        for x in range(width):
            across, down = x - width // 2, y - 130
            in_pipe = 40 <= y < 72 or (abs(across) < 22 and 60 <= y < 88)
            in_drop = across * across + down * down < 26 * 26 or (0 <= y - 88 < 30 and abs(across) < (y - 88) * 0.7)
            rows += b"\x8a\x97\xa3" if in_pipe else b"\x3f\x8f\xd0" if in_drop else b"\xf2\xf4\xf0"

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + b"\x08\x02\x00\x00\x00")
        + chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + chunk(b"IEND", b"")
    )


def openings() -> tuple[Opening, ...]:
    """The mails the clients have already written, in the order they wrote them."""
    report = _pdf("Compte rendu d’expertise", "", "Dégât des eaux, 14 rue de la Paix", "Constats : voir page suivante.")
    return (
        Opening(
            SOPHIE,
            VASSEUR,
            "Renouvellement d’ordonnance",
            "Bonjour,\n\nMon traitement se termine vendredi. Le docteur Vasseur peut-elle renouveler mon "
            "ordonnance, ou faut-il que je prenne rendez-vous ?\n\nMerci d’avance,\nSophie Marchand\n",
        ),
        Opening(
            KARIM,
            LENOIR,
            "Compte rendu d’expertise",
            "Maître,\n\nVoici le compte rendu de l’expert, reçu ce matin. Pouvons-nous en parler avant "
            "l’audience du 12 ?\n\nCordialement,\nKarim Benali\n",
            (File("expertise.pdf", "application/pdf", report),),
        ),
        Opening(
            HELENE,
            GARNIER,
            "Fuite sous l’évier",
            "Bonjour,\n\nDepuis hier soir l’eau goutte sous mon évier (photo jointe). Quelqu’un peut-il "
            "passer demain dans la matinée ?\n\nHélène Dupuis\n",
            (File("evier.png", "image/png", drawing()),),
        ),
    )


CHATS: tuple[tuple[User, Firm, str], ...] = (
    (LUCAS, GARNIER, "Bonjour, ma chaudière affiche E02 et il n’y a plus d’eau chaude. Que faire ?"),
    (NADIA, VASSEUR, "Bonjour, serait-il possible d’avoir un rendez-vous cette semaine pour mon fils ?"),
)
"""What the clients have already written in Telegram, after following a firm's link."""
