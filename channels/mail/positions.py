"""How far each folder of a mailbox has been received: one text for all, kept whole with every commit."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec

from channels.base import Accept, Arrival

NEVER = -1
"""The UIDVALIDITY of a folder that was never received: RFC 3501 §9 has none below zero."""


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a folder has been received: everything up to `uid`, except `missing`."""

    uidvalidity: int
    uid: int
    at: datetime
    """When this was committed."""
    since: date | None = None
    """While a folder whose UIDs became void is gone through again: older mails than this are not fetched."""
    missing: dict[int, int] = {}
    """Mails the server has and did not deliver, and how often they were asked for."""
    began: int | None = None
    """Every mail from this UID on was to be received, whatever its date. None: a version wrote it that did not say."""
    began_on: date | None = None
    """Of those below `began`, the mails that reached the server on this day or later were; None: none were."""
    pending: tuple[int, ...] = ()
    """Mails that are received, and not flagged or moved yet as the config asks."""

    def to_text(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_text(cls, text: str) -> Position:
        return msgspec.json.decode(text, type=cls)


class _Whole(Position, frozen=True, kw_only=True, omit_defaults=True):
    """The position of the folder whose keys are plain, and beside it those of the others."""

    folder: str = ""
    """Its name. "": a version wrote it that knew one folder."""
    others: dict[str, Position] = {}


class Positions:
    """Where every folder of one mailbox is.

    Two folders may share UIDVALIDITY and UIDs (RFC 3501 §2.3.1.1 tells them
    apart by their names alone), so the keys of all but one folder name it.
    Which one that is was settled when the first position was written, and
    stays so whatever the config says later: a key means the same mail for ever.
    """

    def __init__(self, text: str | None, folders: Sequence[str]) -> None:
        self._turn = asyncio.Lock()
        self.folders = [canonical(name) for name in folders]
        whole = None if text is None else msgspec.json.decode(text, type=_Whole)
        self.plain = (whole.folder if whole is not None else "") or self.folders[0]
        self._of: dict[str, Position] = {}
        if whole is not None:
            self._of = dict(whole.others)
            if whole.uidvalidity != NEVER:
                own = {name: getattr(whole, name) for name in Position.__struct_fields__}
                self._of[self.plain] = Position(**own)

    def find(self, folder: str) -> Position | None:
        """Where a folder is; None: it was never received."""
        return self._of.get(canonical(folder))

    def scope(self, folder: str) -> str:
        """What the keys of a folder end in."""
        name = canonical(folder)
        return "" if name == self.plain else f":{name}"

    def recognise(self, folder: str, uidvalidity: int) -> Position | None:
        """Where a folder is that was renamed, on the server and in the config; None: it is a new one.

        A renamed folder keeps its UIDVALIDITY. Only the one whose keys do not name it can go on.
        """
        name, before = canonical(folder), self._of.get(self.plain)
        if self.plain in self.folders or name in self._of or before is None or before.uidvalidity != uidvalidity:
            return None
        self._of[name] = self._of.pop(self.plain)
        self.plain = name
        return before

    async def keep(self, accept: Accept, folder: str, arrivals: Sequence[Arrival], position: Position) -> None:
        """Have arrivals committed together with the position of their folder, one commit at a time."""
        async with self._turn:
            of = {**self._of, canonical(folder): position}
            await accept(arrivals, self._to_text(of))
            self._of = of

    def _to_text(self, of: dict[str, Position]) -> str:
        plain = of.get(self.plain) or Position(uidvalidity=NEVER, uid=0, at=datetime.now(UTC))
        own = {name: getattr(plain, name) for name in Position.__struct_fields__}
        others = {name: position for name, position in of.items() if name != self.plain}
        return msgspec.json.encode(_Whole(**own, folder=self.plain, others=others)).decode()


def canonical(folder: str) -> str:
    """A folder's name as it is compared: INBOX is one in any case (RFC 3501 §5.1), others are what they are."""
    return "INBOX" if folder.upper() == "INBOX" else folder


def key_of(validity: int, uid: int, scope: str = "") -> str:
    """The source key of a mail."""
    return f"{validity}:{uid}{scope}"


def place_of(key: str) -> tuple[int, int, str]:
    """UIDVALIDITY, UID and scope of a source key."""
    validity, _, rest = key.partition(":")
    uid, colon, folder = rest.partition(":")
    return int(validity), int(uid), colon + folder


def told_apart(scope: str) -> str:
    """A word for a folder that may stand in a Message-ID."""
    return f"{zlib.crc32(scope.encode()):08x}." if scope else ""
