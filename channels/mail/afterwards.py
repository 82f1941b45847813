"""What is done on the server with a mail that is safely kept: nothing, a flag, or a move to another folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    # the settings name what can be done, and need no wire for that
    from channels.mail.imap import Imap

_FLAG = re.compile(r"\\(?:Seen|Flagged|Answered)|[A-Za-z0-9$_.-]{1,64}", re.I)


@dataclass(frozen=True, slots=True)
class Afterwards:
    """One of the two; done twice it is as done once."""

    flag: str = ""
    folder: str = ""

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        r"""What `seen`, `flag:\Flagged`, `flag:Permanence` or `move:Archive` ask for; None: nothing.

        Raises:
            ValueError: it is none of these.
        """
        what, _, argument = text.partition(":")
        if text == "nothing":
            return None
        if text == "seen":
            return cls(flag="\\Seen")
        # \Deleted has every other program's EXPUNGE take the mail away
        if what == "flag" and _FLAG.fullmatch(argument):
            return cls(flag=argument)
        if what == "move" and argument.strip() and argument.isprintable():
            return cls(folder=argument)
        raise ValueError(f"{text!r} is nothing that can be done")

    async def do(self, imap: Imap, uids: Sequence[int]) -> str:
        """Do it to these mails of the open folder, but for those that are gone; why the server refuses, or ""."""
        if self.flag:
            return await imap.add_flag(uids, self.flag)
        if not imap.can_move:
            return "the server knows neither MOVE nor UIDPLUS"
        return await imap.move(uids, self.folder)
