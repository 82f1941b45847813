"""The connection: PyMongo's asynchronous client, or Motor in its place, and what their errors mean."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, urlsplit

import msgspec
from bson.errors import BSONError
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, ExecutionTimeout, OperationFailure, PyMongoError, WTimeoutError
from pymongo.read_concern import ReadConcern

from inbox.errors import StoreUnavailable
from inbox.store.mongo.shapes import Stored

DriverName = Literal["pymongo", "motor"]

IN_FLIGHT = 24
"""Operations under way at once, first come, first served. Unthrottled at 128 the slowest take a second."""
SELECTION = 10_000
"""Milliseconds to wait for a primary: an election takes as long by default."""
ANSWER = 20_000
"""Milliseconds an answer may take: a connection that hangs half-open is given up."""

DURABLE = WriteConcern(w="majority", j=True, wtimeout=10_000)
"""On the disks of a majority: what is acknowledged outlives a power cut and the loss of the primary."""
# Majority: nothing is read that a new primary could take back; and what a commit acknowledged, a majority holds,
# so the primary's next read shows it. "linearizable" would also catch a primary that was deposed and has not
# noticed, but answers only queries by a unique key. What such a primary shows is refused at the commit.
SEEN = ReadConcern("majority")
ONE_MOMENT = ReadConcern("snapshot")


class Link:
    """One client, and the one database in it.

    Attributes:
        address: where, as it may be shown: no user, no password.
    """

    def __init__(self, url: str, driver: DriverName) -> None:
        self.address = shown(url)
        self._driver = driver
        self._client = _client(url, driver)
        self.database = self._database()

    def _database(self) -> AsyncDatabase[Stored]:
        found = self._client.get_default_database(
            read_preference=ReadPreference.PRIMARY, write_concern=DURABLE, read_concern=SEEN
        )
        # Motor's has the same methods; what it returns where PyMongo's is awaited goes through `_settled`.
        return cast("AsyncDatabase[Stored]", found)

    @property
    def admin(self) -> AsyncDatabase[Stored]:
        """Where questions about the server are asked."""
        return cast("AsyncDatabase[Stored]", self._client.get_database("admin"))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncClientSession]:
        """A session; a transaction it leaves open is aborted."""
        session: AsyncClientSession = await _settled(self._client.start_session())
        try:
            yield session
        finally:
            # Here and not by leaving the session: Motor would wait for the server in the loop's own thread.
            if session.in_transaction:
                await _settled(session.abort_transaction())  # which says nothing of a server that is gone
            await _settled(session.end_session())

    async def begin(self, session: AsyncClientSession) -> None:
        """Begin a transaction: one moment of the data, durable when it is committed."""
        await _settled(
            session.start_transaction(
                read_concern=ONE_MOMENT, write_concern=DURABLE, read_preference=ReadPreference.PRIMARY
            )
        )

    async def watch(self, pipeline: Sequence[Mapping[str, Any]], *, await_ms: int) -> AsyncChangeStream[Stored]:
        """What is committed to the database from now on (with Motor: from the first question on)."""
        return cast(
            "AsyncChangeStream[Stored]",
            await _settled(self.database.watch(pipeline, max_await_time_ms=await_ms)),
        )

    async def close(self, within: float) -> None:
        """Take leave of the server; one that does not answer within so many seconds is left without."""
        if self._driver == "motor":  # whose farewell is said in the loop's own thread
            await asyncio.to_thread(self._client.close)
            return
        try:
            async with asyncio.timeout(within):
                await self._client.close()
        except TimeoutError:
            await self._client.close()  # the sessions it waits for are forgotten by now

    @contextmanager
    def unavailable(self) -> Iterator[None]:
        """Let no exception of a driver or of msgspec leave."""
        try:
            yield
        except (PyMongoError, BSONError, msgspec.MsgspecError) as error:
            raise StoreUnavailable(f"{self.address}: {in_words(error)}") from error


def _client(url: str, driver: DriverName) -> Any:
    given = {name.lower() for name, _ in parse_qsl(urlsplit(url).query)}
    usual: dict[str, Any] = {
        "appName": "permanence",
        "serverSelectionTimeoutMS": SELECTION,
        "connectTimeoutMS": SELECTION,
        "socketTimeoutMS": ANSWER,
        "maxPoolSize": IN_FLIGHT + 4,
    }
    options = {name: value for name, value in usual.items() if name.lower() not in given}
    if driver == "motor":
        try:
            from motor.motor_asyncio import AsyncIOMotorClient
        except ImportError as missing:
            raise StoreUnavailable("Motor is not installed: pip install 'permanence[mongodb]'") from missing
        return AsyncIOMotorClient(url, **options)
    return AsyncMongoClient(url, **options)


async def _settled(answer: Any) -> Any:
    """What one of the drivers has awaited and the other returns at once."""
    return await answer if inspect.isawaitable(answer) else answer


@contextmanager
def heeding_cancellation() -> Iterator[None]:
    """Cancel the task all the same, where a driver lost its cancellation.

    PyMongo waits by `asyncio.wait_for`, which before Python 3.12 forgets that
    it was cancelled when what it waits for is done at that moment (gh-86296).
    A loop that lost it would never end.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


def shown(url: str) -> str:
    """An address that may be shown: user, password and options left out."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def in_words(error: Exception) -> str:
    """What went wrong, without the driver's view of the topology."""
    if isinstance(error, OperationFailure) and error.details and "errmsg" in error.details:
        return f"{error.details['errmsg']} (code {error.code})"
    return str(error).partition(", Timeout:")[0].partition(" (configured timeouts")[0] or type(error).__name__


def may_have_happened(error: PyMongoError) -> bool:
    """Whether a write that failed so may stand all the same."""
    if error.has_error_label("UnknownTransactionCommitResult") or error.has_error_label("RetryableWriteError"):
        return True
    return isinstance(error, ConnectionFailure | WTimeoutError | ExecutionTimeout)
