"""What can be said of a server before anything is kept on it; for `permanence check`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError, ServerSelectionTimeoutError

from inbox.store.mongo.layout import read_header
from inbox.store.mongo.link import DriverName, Link, in_words, shown

LEAVING = 3.0
CLOCKS_APART = timedelta(seconds=5)
"""More than this, and leases would run out early or late."""
ABANDONED_SECONDS = 15
"""A transaction whose worker was killed should be undone within this: until then, what it wrote is locked."""


class Seen(NamedTuple):
    """One thing worth saying."""

    level: Literal["ok", "warning", "error"]
    says: str
    remedy: str = ""


async def look(url: str, driver: DriverName) -> tuple[list[Seen], bool]:
    """Connect, change nothing, and say what a store there would meet; and whether there is one."""
    address = shown(url)
    try:
        link = Link(url, driver)
    except PyMongoError as failure:
        return [Seen("error", f"{address}: {in_words(failure)}", "Correct url in [store]")], False
    try:
        found = await _look(link)
        there = await read_header(link) is not None
        if not there and found[0].level == "ok":
            found.append(
                Seen("ok", f"a store will be made there at the first start, in the database {link.database.name}")
            )
        return found, there
    except ServerSelectionTimeoutError as failure:
        remedy = "See that the server runs, has a primary, and that this machine reaches it: name, port, firewall, TLS"
        return [Seen("error", f"{address}: {in_words(failure)}", remedy)], False
    except (OperationFailure, ConfigurationError) as failure:
        remedy = "See that user and password in [store] are right, and authSource in the URL's options if need be"
        return [Seen("error", f"{address}: {in_words(failure)}", remedy)], False
    except PyMongoError as failure:
        return [Seen("error", f"{address}: {in_words(failure)}", "See that the server runs and has a primary")], False
    finally:
        await link.close(LEAVING)


async def _look(link: Link) -> list[Seen]:
    began = datetime.now(UTC)
    hello = await link.admin.command("hello")
    ended = datetime.now(UTC)
    version = (await link.admin.command("buildInfo")).get("version", "?")
    # Whether we may use the database at all: a hello needs no password.
    await link.database.list_collection_names()
    if "setName" in hello:
        what = f"MongoDB {version}, replica set {hello['setName']} of {len(hello.get('hosts', ()))}"
    elif hello.get("msg") == "isdbgrid":
        what = f"MongoDB {version}, sharded"
    else:
        remedy = "A single member will do: start mongod with --replSet desk, then run rs.initiate() in mongosh once"
        return [Seen("error", f"{link.address} is not a replica set, and only those have transactions", remedy)]
    return [
        Seen("ok", f"{link.address} answers: {what}"),
        *_members(hello),
        *_clock(hello, began, ended),
        *await _transactions(link),
    ]


def _members(hello: Mapping[str, Any]) -> list[Seen]:
    hosts, arbiters = len(hello.get("hosts", ())), len(hello.get("arbiters", ()))
    if arbiters and hosts <= arbiters + 1:
        says = (
            f"of {hosts + arbiters} members {arbiters} hold no data: with one of the others down nothing is committed"
        )
        return [Seen("warning", says, "Give the replica set three members that hold data")]
    if hosts == 2 and not arbiters:
        says = "of two members both must be up: with one of them down nothing is committed"
        return [Seen("warning", says, "Give the replica set three members, or one")]
    return []


def _clock(hello: Mapping[str, Any], began: datetime, ended: datetime) -> list[Seen]:
    theirs = hello.get("localTime")
    if not isinstance(theirs, datetime):
        return []
    theirs = theirs.replace(tzinfo=UTC)  # as every date in BSON is
    apart = max(began - theirs, theirs - ended, timedelta())
    if apart <= CLOCKS_APART:
        return []
    says = f"its clock and this machine's are {apart.total_seconds():.0f} s apart"
    return [Seen("warning", says, "Let both keep time by NTP: leases and due times are compared across machines")]


async def _transactions(link: Link) -> list[Seen]:
    try:
        answer = await link.admin.command("getParameter", 1, transactionLifetimeLimitSeconds=1)
    except OperationFailure:
        return []  # not for this user to ask
    seconds = answer.get("transactionLifetimeLimitSeconds", 0)
    if seconds <= ABANDONED_SECONDS:
        return []
    says = f"what a killed worker was writing stays locked for {seconds} s"
    remedy = f"db.adminCommand({{setParameter: 1, transactionLifetimeLimitSeconds: {ABANDONED_SECONDS}}}) in mongosh"
    return [Seen("warning", says, remedy)]
