"""A firm that moves from one store to another: all of it, once, however often it is broken off."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.copy import CannotCopy, Moved, move
from inbox.errors import StoreUnavailable
from inbox.machinery import Backup, DeskKey, Transfer, Worker
from inbox.model import Conversation, Draft, Receipt
from inbox.parts import BlobId, Document, new_id
from inbox.store.base import Blob, Changes, Store
from inbox.store.documents import KINDS
from inbox.transfer import INTO, OUT, fingerprint, refuse_half_a_store
from tests.builders import KEY, NOW, a_conversation, a_message, put
from tests.contracts.backends import empty, open_at
from tests.contracts.documents import make

PAIRS = [("sqlite", "sqlite"), ("sqlite", "pymongo")]
EACH = 3


class Silent:
    """Nobody looks on."""

    def begin(self, what: str) -> None: ...

    def advance(self, count: int) -> None: ...


@pytest.fixture(params=PAIRS, ids="-".join)
def addresses(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    url = request.getfixturevalue("mongo_url") if "pymongo" in request.param else None
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    with (
        empty(request.param[0], tmp_path / "from", url) as source,
        empty(request.param[1], tmp_path / "to", url) as target,
    ):
        yield source, target


@asynccontextmanager
async def both(addresses: tuple[str, str]) -> AsyncIterator[tuple[Store, Store]]:
    async with open_at(addresses[0]) as source, open_at(addresses[1]) as target:
        yield source, target


async def moved(source: Store, target: Store, *, rehearse: bool = False) -> Moved:
    return await move(
        source,
        target,
        source_name="the old one",
        target_name="the new one",
        clock=lambda: NOW,
        shown=Silent(),
        rehearse=rehearse,
    )


async def a_firm(store: Store, *, largest: int = 9 * 2**20) -> None:
    """Documents of every kind there is, whoever added it, and raw forms small, empty and large."""
    documents = [make(kind) for kind in KINDS if kind not in (Transfer, DeskKey) for _ in range(EACH)]
    blobs = [Blob(BlobId(new_id()), b"\r\n\x00\xff" * n) for n in (0, 1, 5000)]
    await store.commit(Changes(inserts=[KEY, *documents], blobs=blobs))
    await store.commit(Changes(blobs=[Blob(BlobId(new_id()), bytes(largest))]))


async def everything(store: Store) -> dict[tuple[str, str], Document | bytes]:
    found: dict[tuple[str, str], Document | bytes] = {}
    for kind, name in KINDS.items():
        after = ""
        while page := await store.scan(kind, after=after):
            found |= {(name, d.id): msgspec.structs.replace(d, version=0) for d in page if kind is not Transfer}
            after = page[-1].id
    after = ""
    while blobs := await store.list_blobs(after=after):
        found |= {("blob", blob_id): await store.read_blob(blob_id) for blob_id in blobs}
        after = blobs[-1]
    return found


async def test_everything_is_there_as_it_was_and_each_store_says_where_the_firm_is(addresses: tuple[str, str]) -> None:
    async with both(addresses) as (source, target):
        await a_firm(source)
        outcome = await moved(source, target)
        assert await everything(target) == await everything(source)
        assert outcome.written == EACH * (len(KINDS) - 2) + 1
        assert outcome.blobs == 4
        assert {line.kind for line in outcome.lines} == {*KINDS.values(), "raw forms"} - {"transfer"}
        assert all(line.equal and line.here[0] for line in outcome.lines)
        await refuse_half_a_store(target)
        with pytest.raises(StoreUnavailable, match="was moved to the new one"):
            await refuse_half_a_store(source)
        with pytest.raises(CannotCopy, match=r"was moved to the new one on .* all of it"):
            await moved(source, target)


@pytest.mark.parametrize("addresses", [("pymongo", "sqlite")], ids="-".join, indirect=True)
async def test_a_firm_moves_back_from_a_server_into_a_file(addresses: tuple[str, str]) -> None:
    async with both(addresses) as (source, target):
        await a_firm(source, largest=100)
        await moved(source, target)
        assert await everything(target) == await everything(source)


class Dies(Exception):
    """The process is gone."""


def mortal(store: Store, moment: int) -> Store:
    """The store, whose user dies just before one of its commits, or just after it: two moments a commit."""
    commit = store.commit
    passed = 0

    async def once_too_often(changes: Changes) -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            raise Dies
        await commit(changes)
        passed += 1
        if passed == moment:
            raise Dies

    store.commit = once_too_often  # type: ignore[method-assign]
    return store


@pytest.mark.parametrize("which", [0, 1], ids=["old", "new"])
async def test_broken_off_at_any_commit_in_either_store_the_same_command_ends_it(tmp_path: Path, which: int) -> None:
    firm = tmp_path / "firm.db"
    async with open_at(f"sqlite:{firm}") as source:
        await a_firm(source, largest=100)
        whole = await everything(source)
    for moment in await _moments(firm, which):
        died = False
        pair = (f"sqlite:{tmp_path / f'{moment}-from.db'}", f"sqlite:{tmp_path / f'{moment}-to.db'}")
        shutil.copy(firm, pair[0].removeprefix("sqlite:"))
        async with both(pair) as stores:
            mortal(stores[which], moment)
            try:
                await moved(*stores)
            except Dies:
                died = True
        async with both(pair) as (source, target):
            into = await target.find(Transfer, INTO)
            if into is None or into.finished_at is None:
                assert died
                if into is not None:
                    with pytest.raises(StoreUnavailable, match="not all here yet"):
                        await refuse_half_a_store(target)
                await moved(source, target)
            assert await everything(target) == whole
            await refuse_half_a_store(target)


async def _moments(firm: Path, which: int) -> list[int]:
    """Before and after each commit; of the many that bring over one kind after the other, a few."""
    pair = (f"sqlite:{firm.with_name('counted-from.db')}", f"sqlite:{firm.with_name('counted-to.db')}")
    shutil.copy(firm, pair[0].removeprefix("sqlite:"))
    async with both(pair) as stores:
        commits = 0
        commit = stores[which].commit

        async def counted(changes: Changes) -> None:
            nonlocal commits
            commits += 1
            await commit(changes)

        stores[which].commit = counted  # type: ignore[method-assign]
        await moved(*stores)
    assert commits > (0 if which == 0 else len(KINDS) - 2)
    return [m for m in range(1, 2 * commits + 1) if m <= 10 or m % 6 < 2 or m > 2 * commits - 4]


async def test_a_pass_beside_the_worker_and_a_short_one_after_it_bring_what_is_new_changed_or_gone(
    addresses: tuple[str, str],
) -> None:
    async with both(addresses) as (source, target):
        await a_firm(source)
        await moved(source, target, rehearse=True)
        with pytest.raises(StoreUnavailable, match="not all here yet"):
            await refuse_half_a_store(target)
        await refuse_half_a_store(source)
        before = await source.scan(Receipt)
        blobs = await source.list_blobs()
        conversation = a_conversation()
        await source.commit(
            Changes(
                inserts=[conversation, a_message(conversation)],
                replacements=[msgspec.structs.replace(before[0], reason="changed")],
                deletions=[before[1]],
                blobs=[Blob(BlobId("00000000-late"), b"older than all"), Blob(BlobId(new_id()), b"newer than all")],
                blob_deletions=[blobs[1]],
            )
        )
        outcome = await moved(source, target)
        assert (outcome.written, outcome.removed, outcome.blobs) == (3, 2, 2)
        assert await everything(target) == await everything(source)


@pytest.mark.parametrize("upwards", [True, False])
async def test_a_unique_key_handed_from_one_document_to_another_is_no_obstacle(
    addresses: tuple[str, str], upwards: bool
) -> None:
    """As many as fill pages, so that who gives and who takes are committed apart."""
    async with both(addresses) as (source, target):
        drafts = sorted(
            (make(Draft, id=new_id(), open_key=f"key-{n}" if n % 2 else None) for n in range(500)), key=lambda d: d.id
        )
        await put(source, KEY, *drafts)
        await moved(source, target, rehearse=True)
        stored = sorted([*await source.scan(Draft, limit=1000)], key=lambda d: d.id, reverse=not upwards)
        half = len(stored) // 2
        given = [d for d in stored[:half] if d.open_key is not None]
        takes = [d for d in stored[half:] if d.open_key is None]
        handed = [
            changed
            for one, other in zip(given, takes, strict=False)
            for changed in (
                msgspec.structs.replace(one, open_key=None),
                msgspec.structs.replace(other, open_key=one.open_key),
            )
        ]
        await source.commit(Changes(replacements=handed))
        await moved(source, target)
        assert await everything(target) == await everything(source)


async def test_a_backups_mark_moves_with_it(addresses: tuple[str, str]) -> None:
    async with both(addresses) as (source, target):
        await put(source, KEY, Backup(id="backup", taken_at=NOW))
        await moved(source, target)
        assert (await target.get(Backup, "backup")).settled_at is None


async def test_nothing_is_copied_over_another_store(addresses: tuple[str, str]) -> None:
    async with both(addresses) as (source, target):
        with pytest.raises(CannotCopy, match="no desk has ever run on the old one"):
            await moved(source, target)
        await put(source, KEY)
        conversation = a_conversation()
        await put(target, conversation)
        with pytest.raises(CannotCopy, match=r"the new one is not empty .*conversation"):
            await moved(source, target)
        assert [d.id for d in await target.scan(Conversation)] == [conversation.id]


async def test_a_copy_of_another_firm_is_named_and_left(addresses: tuple[str, str]) -> None:
    async with both(addresses) as (source, target):
        await put(source, KEY)
        other = Transfer(id=INTO, peer="sqlite:elsewhere.db", fingerprint="another", began_at=NOW)
        await put(target, other)
        with pytest.raises(CannotCopy, match=r"another firm's store, sqlite:elsewhere\.db"):
            await moved(source, target)


async def test_half_a_copy_and_a_store_that_was_left_are_no_sources(addresses: tuple[str, str]) -> None:
    async with both(addresses) as (source, target):
        half = Transfer(id=INTO, peer="sqlite:whole.db", fingerprint="f", began_at=NOW)
        await put(source, KEY, half)
        with pytest.raises(CannotCopy, match=r"half a copy of sqlite:whole\.db"):
            await moved(source, target)
        left = Transfer(id=OUT, peer="mongodb://there", fingerprint="f", began_at=NOW, finished_at=NOW)
        await source.commit(Changes(deletions=[await source.get(Transfer, INTO)], inserts=[left]))
        with pytest.raises(CannotCopy, match="was moved to mongodb://there"):
            await moved(source, target)


async def test_a_raw_form_that_differs_is_brought_over_anew(addresses: tuple[str, str]) -> None:
    async with both(addresses) as (source, target):
        await a_firm(source)
        await put(target, Transfer(id=INTO, peer="x", fingerprint=(await fingerprint_of(source)), began_at=NOW))
        blob_id = (await source.list_blobs())[1]
        await target.commit(Changes(blobs=[Blob(blob_id, b"half of")]))
        with pytest.raises(CannotCopy, match=f"{blob_id} is not what was copied"):
            await moved(source, target)
        await moved(source, target)
        assert await everything(target) == await everything(source)


async def fingerprint_of(store: Store) -> str:
    found = await fingerprint(store)
    assert found
    return found


async def test_a_document_that_changes_while_it_is_verified_is_noticed(addresses: tuple[str, str]) -> None:
    async with both(addresses) as (source, target):
        await a_firm(source)

        scan, late = source.scan, [make(Receipt, id=new_id())]

        async def scan_beside_somebody(kind: type[Any], *, after: str = "", limit: int = 500) -> Sequence[Any]:
            if kind is Conversation and await target.scan(Worker, limit=1) and late:
                await source.commit(Changes(inserts=[late.pop()]))
            return await scan(kind, after=after, limit=limit)

        source.scan = scan_beside_somebody  # type: ignore[method-assign]
        with pytest.raises(CannotCopy, match="differ in receipt"):
            await move(
                source, target, source_name="a", target_name="b", clock=lambda: NOW, shown=Silent(), rehearse=False
            )
        with pytest.raises(StoreUnavailable):
            await refuse_half_a_store(target)
        await refuse_half_a_store(source)
        await moved(source, target)
        assert await everything(target) == await everything(source)
