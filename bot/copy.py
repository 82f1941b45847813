"""Moving a running firm from one store to another: as often as needed beside its worker, then once without."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from inbox.errors import Duplicate, NotFound
from inbox.machinery import Transfer
from inbox.parts import BlobId, Document
from inbox.store.base import Blob, Changes, Store
from inbox.store.documents import KINDS
from inbox.transfer import INTO, OUT, fingerprint

PAGE = 200
MOST_OCTETS = 8 * 2**20
"""Octets of blobs committed together, at most; a larger one goes alone."""
NOT_COPIED = (Transfer,)
"""What a store says of itself alone."""

_encode = msgspec.json.Encoder().encode


class CannotCopy(Exception):
    """The firm cannot be moved so; `remedy` says what can be done. Nothing was changed."""

    def __init__(self, says: str, remedy: str = "") -> None:
        super().__init__(says)
        self.remedy = remedy


class Shown(Protocol):
    """Whom the copying tells how far it is."""

    def begin(self, what: str) -> None:
        """Something else is looked at from here on."""

    def advance(self, count: int) -> None:
        """So many more were looked at."""


class Line(NamedTuple):
    """One kind, compared: how many, and a hash over all of them in the order of ids."""

    kind: str
    here: tuple[int, str]
    there: tuple[int, str]

    @property
    def equal(self) -> bool:
        """Whether both stores hold the same."""
        return self.here == self.there


@dataclass
class Moved:
    """What one pass brought over."""

    written: int = 0
    removed: int = 0
    blobs: int = 0
    octets: int = 0
    put_off: int = 0
    """Documents that changed too fast for a pass beside the worker."""
    lines: tuple[Line, ...] = ()


async def move(
    source: Store,
    target: Store,
    *,
    source_name: str,
    target_name: str,
    clock: Callable[[], datetime],
    shown: Shown,
    rehearse: bool,
) -> Moved:
    """Make the target hold what the source holds, verify it, and say in both that the firm has moved.

    Killed at any moment and called again, it goes on. What is there already
    is compared and left.

    Args:
        rehearse: a worker may be at the source: it is copied as far as it holds still, not verified as a whole, and
            the firm does not move.

    Raises:
        CannotCopy: the target is not empty and no unfinished copy of this source; or the two differ in the end.
    """
    transfer = await _begun(source, target, source_name, target_name, clock())
    moved = Moved()
    transfer = await _move_blobs(source, target, transfer, shown, moved)
    for kind in _kinds():
        await _move_kind(source, target, kind, shown, moved, again=not rehearse)
    if rehearse:
        return moved
    moved.lines = (*[await _compared(source, target, kind, shown) for kind in _kinds()], await _blobs(source, target))
    if wrong := [line.kind for line in moved.lines if not line.equal]:
        raise CannotCopy(
            f"the two stores differ in {', '.join(wrong)}: the copy is not finished",
            "See that nothing else writes to either store, and start the same command again",
        )
    # The old store first: killed between the two, no worker runs on either, and the same command ends it.
    before = await source.find(Transfer, OUT)
    out = Transfer(
        id=OUT,
        version=before.version if before else 0,
        peer=target_name,
        fingerprint=transfer.fingerprint,
        began_at=transfer.began_at,
        finished_at=clock(),
    )
    await source.commit(Changes(replacements=[out]) if before else Changes(inserts=[out]))
    await target.commit(Changes(replacements=[msgspec.structs.replace(transfer, finished_at=clock())]))
    return moved


def _kinds() -> list[type[Document]]:
    return [kind for kind in KINDS if kind not in NOT_COPIED]


# ---------------------------------------------------------------- may it be done


async def _begun(source: Store, target: Store, source_name: str, target_name: str, now: datetime) -> Transfer:
    print_of_source = await fingerprint(source)
    if print_of_source is None:
        raise CannotCopy(f"no desk has ever run on {source_name}", "There is nothing to move: name the new store")
    half = await source.find(Transfer, INTO)
    if half is not None and half.finished_at is None:
        raise CannotCopy(
            f"{source_name} is itself half a copy of {half.peer}", "End that copy first, or name the whole store"
        )
    left = await source.find(Transfer, OUT)
    transfer = await target.find(Transfer, INTO)
    if transfer is None:
        if left is not None:
            raise CannotCopy(f"{source_name} was moved to {left.peer} on {left.finished_at:%Y-%m-%d}", "Move that one")
        holds = await _first_there(target)
        if holds is not None:
            raise CannotCopy(
                f"{target_name} is not empty ({holds}), and is not an unfinished copy of {source_name}",
                "Name an empty store",
            )
        began = Transfer(id=INTO, peer=source_name, fingerprint=print_of_source, began_at=now)
        await target.commit(Changes(inserts=[began]))
        return msgspec.structs.replace(began, version=1)
    if transfer.fingerprint != print_of_source:
        raise CannotCopy(
            f"{target_name} is a copy of another firm's store, {transfer.peer}", "Name an empty store, or that source"
        )
    if transfer.finished_at is not None:
        raise CannotCopy(
            f"{source_name} was moved to {target_name} on {transfer.finished_at:%Y-%m-%d %H:%M} UTC, all of it",
            "The desk may be running there already: nothing is copied over it",
        )
    return transfer


async def _first_there(store: Store) -> str | None:
    for kind, name in KINDS.items():
        if await store.scan(kind, limit=1):
            return f"it holds a document of kind {name}"
    return "it holds raw forms" if await store.list_blobs(limit=1) else None


# ---------------------------------------------------------------- raw forms


async def _move_blobs(source: Store, target: Store, transfer: Transfer, shown: Shown, moved: Moved) -> Transfer:
    """Every blob there, each read back once and compared; none that the source has no more."""
    shown.begin("raw forms")
    behind = ""
    while True:
        page = list(await source.list_blobs(after=behind, limit=PAGE))
        last = page[-1] if len(page) == PAGE else None
        there = await _blobs_between(target, behind, last)
        gone = [blob_id for blob_id in there if blob_id not in set(page)]
        missing = [blob_id for blob_id in page if blob_id not in there]
        if gone:
            await target.commit(Changes(blob_deletions=gone))
            moved.removed += len(gone)
        doubtful = [b for b in page if b > transfer.blobs_compared]
        if missing and missing[0] <= transfer.blobs_compared:
            # It came late into what was compared: whoever is killed now must not be believed.
            transfer = await _compared_to(target, transfer, behind)
            doubtful = page
        await _copy_blobs(source, target, missing, moved)
        for blob_id in doubtful:
            await _compare_blob(source, target, blob_id)
        shown.advance(len(page))
        if page and page[-1] > transfer.blobs_compared:
            transfer = await _compared_to(target, transfer, page[-1])
        if last is None:
            return transfer
        behind = last


async def _blobs_between(store: Store, after: str, until: str | None) -> set[BlobId]:
    found: set[BlobId] = set()
    while page := await store.list_blobs(after=after, limit=PAGE):
        found |= {blob_id for blob_id in page if until is None or blob_id <= until}
        after = page[-1]
        if until is not None and after >= until:
            break
    return found


async def _copy_blobs(source: Store, target: Store, missing: Sequence[BlobId], moved: Moved) -> None:
    batch: list[Blob] = []
    for blob_id in missing:
        try:
            blob = Blob(blob_id, await source.read_blob(blob_id))
        except NotFound:
            continue  # erased meanwhile, beside its worker
        if batch and sum(len(b.data) for b in batch) + len(blob.data) > MOST_OCTETS:
            await target.commit(Changes(blobs=batch))
            batch = []
        batch.append(blob)
        moved.blobs += 1
        moved.octets += len(blob.data)
    if batch:
        await target.commit(Changes(blobs=batch))


async def _compare_blob(source: Store, target: Store, blob_id: BlobId) -> None:
    try:
        wanted = hashlib.sha256(await source.read_blob(blob_id)).digest()
    except NotFound:
        return
    if hashlib.sha256(await target.read_blob(blob_id)).digest() != wanted:
        await target.commit(Changes(blob_deletions=[blob_id]))
        raise CannotCopy(
            f"the raw form {blob_id} is not what was copied", "Start the same command again: it is brought over anew"
        )


async def _compared_to(target: Store, transfer: Transfer, blob_id: str) -> Transfer:
    after = msgspec.structs.replace(transfer, blobs_compared=blob_id)
    await target.commit(Changes(replacements=[after]))
    return msgspec.structs.replace(after, version=after.version + 1)


# ---------------------------------------------------------------- documents


async def _move_kind(
    source: Store, target: Store, kind: type[Document], shown: Shown, moved: Moved, *, again: bool
) -> None:
    """Every document of a kind there as it is here. Two may have handed a unique key on: the second look ends that.

    Args:
        again: the source holds still, so what is put off at first is not put off for long.
    """
    shown.begin(KINDS[kind])
    put_off = await _pass_over(source, target, kind, shown, moved)
    if put_off and again:
        # All that was outdated there is gone or brought up to date: nothing holds a key any more that is another's.
        put_off = await _pass_over(source, target, kind, shown, moved)
    moved.put_off += put_off


async def _pass_over(source: Store, target: Store, kind: type[Document], shown: Shown, moved: Moved) -> int:
    put_off, behind = 0, ""
    while True:
        page = {document.id: document for document in await source.scan(kind, after=behind, limit=PAGE)}
        last = max(page) if len(page) == PAGE else None
        there = {d.id: d async for d in _documents(target, kind, behind, last)}
        gone = [d for d in there.values() if d.id not in page]
        changed = [
            msgspec.structs.replace(d, version=there[d.id].version)
            for d in page.values()
            if d.id in there and _same(d) != _same(there[d.id])
        ]
        missing = [msgspec.structs.replace(d, version=0) for d in page.values() if d.id not in there]
        changes = Changes(deletions=gone, replacements=changed, inserts=missing)
        try:
            if changes:
                await target.commit(changes)
                moved.written += len(changed) + len(missing)
        except Duplicate:
            outdated = [there[d.id] for d in changed]
            await target.commit(Changes(deletions=[*gone, *outdated]))
            put_off += len(changed) + len(missing)
        moved.removed += len(gone)
        shown.advance(len(page))
        if last is None:
            return put_off
        behind = last


def _same(document: Document) -> Document:
    return msgspec.structs.replace(document, version=0)


async def _documents(store: Store, kind: type[Document], after: str, until: str | None) -> AsyncIterator[Document]:
    while page := await store.scan(kind, after=after, limit=PAGE):
        for document in page:
            if until is not None and document.id > until:
                return
            yield document
        after = page[-1].id


# ---------------------------------------------------------------- verified


async def _compared(source: Store, target: Store, kind: type[Document], shown: Shown) -> Line:
    shown.begin(f"{KINDS[kind]}, compared")
    return Line(KINDS[kind], await _hash(source, kind, shown), await _hash(target, kind, shown))


async def _hash(store: Store, kind: type[Document], shown: Shown) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    async for document in _documents(store, kind, "", None):
        digest.update(_encode(_same(document)) + b"\n")
        count += 1
        if count % PAGE == 0:
            shown.advance(PAGE)
    return count, digest.hexdigest()


async def _blobs(source: Store, target: Store) -> Line:
    """The blobs by name: the octets of each were compared when it was brought over."""
    return Line("raw forms", *[await _hash_names(store) for store in (source, target)])


async def _hash_names(store: Store) -> tuple[int, str]:
    count, digest, after = 0, hashlib.sha256(), ""
    while page := await store.list_blobs(after=after, limit=PAGE):
        digest.update("\n".join(page).encode() + b"\n")
        count, after = count + len(page), page[-1]
    return count, digest.hexdigest()
