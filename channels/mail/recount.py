"""A folder counted again: what it holds of all that was to be received, and what of that must be fetched once more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from channels.base import Arrival, Take
from channels.errors import TemporaryFailure
from channels.mail.imap import LARGEST_MAIL, Folder, Imap
from channels.mail.intake import OFTEN_ASKED, arrival, batches, report, too_large
from channels.mail.positions import Position, Positions, key_of, place_of
from inbox.parts import ChannelId

CHUNK = 300
TRIES = 3
"""How often a mail is asked for that ends the connection or is not delivered, before a report takes its place."""


class Recount:
    """A second look at a mailbox's folders, over connections of its own: receiving goes on beside it."""

    def __init__(
        self, channel: ChannelId, connect: Callable[[], AbstractAsyncContextManager[Imap]], pause: timedelta
    ) -> None:
        self._channel = channel
        self._connect = connect
        self._pause = pause.total_seconds()

    async def list_keys(self, positions: Positions) -> list[str]:
        """The keys of what the folders hold now and was to be received until their positions.

        Left out are mails that precede the first start, and those the server
        keeps back: they are still being asked for.

        Raises:
            TemporaryFailure: among others, a folder was replaced and is not received again yet.
        """
        keys: list[str] = []
        async with self._connect() as imap:
            for name in positions.folders:
                position = positions.find(name)
                if position is not None:
                    keys += await self._list(imap, name, position, positions.scope(name))
        return keys

    async def _list(self, imap: Imap, name: str, position: Position, scope: str) -> list[str]:
        began = position.began or position.uid + 1
        folder = await self._open(imap, name, position.uidvalidity)
        found = await imap.search_from(began) if began < folder.uidnext else []
        on = position.began_on or position.since
        if on is not None:
            found += await imap.search_from(1, on)
        ours = {uid for uid in found if uid <= position.uid and uid not in position.missing}
        return [key_of(position.uidvalidity, uid, scope) for uid in sorted(ours)]

    async def fetch(self, keys: Sequence[str], folders: Mapping[str, str], take: Take) -> None:
        """See `channels.base.Channel.fetch`.

        Args:
            folders: the name of the folder of each scope.
        """
        wanted: dict[tuple[str, int], list[int]] = {}
        for key in keys:
            validity, uid, scope = place_of(key)
            wanted.setdefault((scope, validity), []).append(uid)
        for (scope, validity), uids in sorted(wanted.items()):
            await self._fetch(folders.get(scope, scope[1:]), scope, validity, sorted(uids), take)

    async def _fetch(self, name: str, scope: str, validity: int, left: list[int], take: Take) -> None:
        tries: Counter[int] = Counter()
        one_by_one_to = 0
        while left:
            ended: set[int] = set()
            async with self._connect() as imap:
                await self._open(imap, name, validity)
                there = await imap.still_there(left[:CHUNK])
                ended.update(set(left[:CHUNK]) - there)
                asked = sorted(there & set(left[:CHUNK]))
                sizes = await imap.sizes(asked)
                for batch in batches(asked, sizes, one_by_one_to):
                    once = [uid for uid in batch if sizes.get(uid, 0) <= LARGEST_MAIL and tries[uid] < TRIES]
                    tries.update(once)
                    try:
                        mails = await imap.fetch(once) if once else {}
                    except TemporaryFailure:
                        # One of them may be what ends the connection: on the next they come one by one.
                        one_by_one_to = batch[-1]
                        if len(once) > 1:
                            tries.subtract(once)
                        break
                    taken = [
                        self._made(validity, uid, scope, mails, sizes)
                        for uid in batch
                        if uid in mails or uid not in once
                    ]
                    if taken:
                        await take(taken)
                    ended.update(uid for uid in batch if uid in mails or uid not in once)
            left = [uid for uid in left if uid not in ended]
            if left and not ended:
                await asyncio.sleep(self._pause)

    def _made(self, validity: int, uid: int, scope: str, mails: dict[int, bytes], sizes: dict[int, int]) -> Arrival:
        if uid in mails:
            return arrival(self._channel, validity, uid, mails[uid], scope)
        size = sizes.get(uid, 0)
        why = too_large(size) if size > LARGEST_MAIL else OFTEN_ASKED
        return report(self._channel, validity, uid, why, scope)

    async def _open(self, imap: Imap, name: str, validity: int) -> Folder:
        folder = await imap.open_folder(name)
        if folder.uidvalidity != validity:
            says = "the folder was replaced, and is first to be received again"
            raise TemporaryFailure(self._channel, says)
        return folder
