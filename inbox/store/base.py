"""The store as the rest of the desk sees it: read documents, decide, commit.

A unit of work reads what it needs, decides with pure functions of `inbox`,
and makes one `commit(changes)`. Nothing waits inside a transaction, so the
embedded store can commit many units with one sync and a server can retry
one as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from inbox.parts import AccountId, BlobId, Document
from inbox.words import Sought

D = TypeVar("D", bound=Document)

Value = str | int | bool | datetime | None
"""What an index compares. Enumerations compare by their value."""


class Index(Generic[D]):
    """One way documents of a kind are found; every query names one, so none can scan.

    A document with None in any of `fields` is not in the index. Order within
    an index is by its fields, then by id.

    Args:
        unique: two documents of the kind in this index never have the same fields.
    """

    __slots__ = ("fields", "kind", "name", "unique")

    def __init__(self, kind: type[D], name: str, fields: Sequence[str], *, unique: bool = False) -> None:
        self.kind = kind
        self.name = name
        self.fields = tuple(fields)
        self.unique = unique

    def __repr__(self) -> str:
        return f"Index({self.kind.__name__}.{self.name})"


class Blob(NamedTuple):
    """Raw octets, stored once and never changed."""

    id: BlobId
    data: bytes


class Changes:
    """What one unit of work commits: all of it, or nothing.

    Adding two Changes gives one; of two replacements of the same document the
    later stands, and a replacement of a document inserted by the same unit
    becomes that insert.
    """

    __slots__ = ("blob_deletions", "blobs", "deletions", "expectations", "inserts", "replacements")

    def __init__(
        self,
        *,
        inserts: Iterable[Document] = (),
        replacements: Iterable[Document] = (),
        deletions: Iterable[Document] = (),
        expectations: Iterable[Document] = (),
        blobs: Iterable[Blob] = (),
        blob_deletions: Iterable[BlobId] = (),
    ) -> None:
        """Collect what to commit.

        Args:
            replacements: each carries the version it was read at.
            deletions: likewise.
            expectations: documents that are not changed but must still be at the version they were read at.
            blob_deletions: octets to erase; where they are gone already, that is well.
        """
        self.inserts = {(type(d), d.id): d for d in inserts}
        self.replacements = {(type(d), d.id): d for d in replacements}
        self.deletions = {(type(d), d.id): d for d in deletions}
        self.expectations = {(type(d), d.id): d for d in expectations}
        self.blobs = tuple(blobs)
        self.blob_deletions = tuple(blob_deletions)

    def __add__(self, later: Changes) -> Changes:
        both = Changes(blobs=(*self.blobs, *later.blobs), blob_deletions=(*self.blob_deletions, *later.blob_deletions))
        both.inserts = {**self.inserts, **later.inserts}
        both.replacements = dict(self.replacements)
        for key, document in later.replacements.items():
            (both.inserts if key in both.inserts else both.replacements)[key] = document
        both.deletions = {**self.deletions, **later.deletions}
        both.expectations = {**self.expectations, **later.expectations}
        return both

    def __bool__(self) -> bool:
        return bool(self.inserts or self.replacements or self.deletions or self.blobs or self.blob_deletions)

    def newest(self, document: D) -> D:
        """The document as these changes leave it: rules that follow one another in a unit build on it."""
        key = (type(document), document.id)
        return self.replacements.get(key) or self.inserts.get(key) or document  # type: ignore[return-value]  # by key

    def kinds(self) -> frozenset[type[Document]]:
        """The kinds of document these changes touch: who watches them is woken."""
        return frozenset(kind for kind, _ in (*self.inserts, *self.replacements, *self.deletions))


class Watch(Protocol):
    """Wakes its holder when a commit touches the kinds it watches."""

    async def wait(self, timeout: float | None = None) -> bool:
        """True as soon as something was committed since the last `wait` returned; False after `timeout` seconds.

        Never misses a commit; may wake without one.
        """
        ...

    def close(self) -> None: ...


class Store(Protocol):
    """Where the desk's truth is kept.

    Reads see every commit that returned before they began. Two reads are two
    moments: what a decision rests on is protected by the versions it replaces
    or expects, not by reading together.

    Every method may raise StoreUnavailable.
    """

    async def get(self, kind: type[D], document_id: str) -> D:
        """The document.

        Raises:
            NotFound: no such document.
        """
        ...

    async def find(self, kind: type[D], document_id: str) -> D | None: ...

    async def find_many(self, kind: type[D], ids: Iterable[str]) -> dict[str, D]:
        """Those of the named documents that exist, by id."""
        ...

    async def find_by(self, index: Index[D], *equal: Value) -> D | None:
        """The first document whose leading index fields equal these values."""
        ...

    async def list(
        self,
        index: Index[D],
        *equal: Value,
        since: Value = None,
        until: Value = None,
        after: D | None = None,
        descending: bool = False,
        limit: int = 100,
    ) -> list[D]:
        """Documents whose leading index fields equal `equal`, in index order.

        Args:
            since: the field that follows `equal` is at least this.
            until: … and at most this.
            after: continue behind this document (paging), as it was when it was listed.

        Raises:
            ValueError: the index does not hold or does not answer what is asked (None, an unknown index).
        """
        ...

    async def count(self, index: Index[D], *equal: Value, since: Value = None, until: Value = None) -> int:
        """How many documents `list` would give without a limit; only where they are few is it cheap."""
        ...

    async def scan(self, kind: type[D], *, after: str = "", limit: int = 500) -> Sequence[D]:
        """Every document of a kind, a page at a time in the order of ids: for who copies or goes through all there is.

        Args:
            after: continue behind the document with this id.
        """
        ...

    async def search(
        self,
        kind: type[D],
        asked: Sought,
        within: Iterable[AccountId] | None,
        *,
        outside: AccountId | None = None,
        limit: int,
    ) -> Sequence[D]:
        """Documents of a kind in `inbox.words.SEARCHED` that have all the words, those written last first.

        Where something is quoted, the newest that have the words are looked into, `inbox.words.MOST_CHECKED` of them
        and `MOST_READ` octets at most: how words follow one another stands in no index.

        What was committed before the store knew of words is found once the
        store has gone through it, which it does by itself after it was opened.

        Args:
            within: only what is in one of these accounts; None: everything.
            outside: … but nothing of this one.

        Raises:
            ValueError: nothing is asked for.
        """
        ...

    async def list_blobs(self, *, after: str = "", limit: int = 500) -> Sequence[BlobId]:
        """Which blobs there are, a page at a time in the order of ids."""
        ...

    async def read_blob(self, blob_id: BlobId) -> bytes:
        """All octets of a blob.

        Raises:
            NotFound: no such blob.
        """
        ...

    async def commit(self, changes: Changes) -> None:
        """Make all of the changes durable (power cut included), or none.

        Deletions come first, then replacements, those with a None in a unique
        index before the others, then inserts: so a unit may hand a unique key
        from one document to another.

        A cancelled commit may or may not have happened.

        Raises:
            Duplicate: an insert met an existing id or unique key, or a replacement another's unique key.
            Conflict: a replaced, deleted or expected document is no longer at the version it was read at.
        """
        ...

    async def scrub(self) -> None:
        """Make what was deleted or replaced before unreadable in the store's own files too, as far as it can.

        Raises:
            StoreUnavailable: not now (something still reads it, or another process looks after the files).
        """
        ...

    def watch(self, *kinds: type[Document], field: str | None = None, equal: Value = None) -> Watch:
        """Wake on commits to these kinds, by this or any other process on the store.

        Args:
            field: an indexed field: only documents wake that a commit leaves with something in it.
            equal: … and with just this.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...
