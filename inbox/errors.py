"""What can go wrong inside the desk.

InboxError            its text is safe to show a secretary
├── NotFound          no such thing, or not in an account she serves
├── NotAllowed        her role does not permit it
├── InvalidTransition it is not in a state where that can be done
│   └── StillInUse    a reply leaves, or a receipt waits: it cannot be erased yet
└── Conflict          someone else changed it first: read again, decide again
    ├── Duplicate     a unique key already exists
    ├── AlreadyAssigned
    ├── LeaseLost     another worker does it now
    └── Stale         something arrived that its author has not seen
StoreUnavailable      nothing was committed, or it is not known to be: retry
└── StoreDamaged      what is stored is broken: a backup must take its place
StoreTooNew           the store was written by a newer Permanence
"""

from __future__ import annotations


class InboxError(Exception):
    """A rule said no. `key` and `args` name the sentence of the catalogue that says so to people."""

    key = "error.generic"

    def __init__(self, message: str = "", **args: str) -> None:
        super().__init__(message or self.key)
        self.args_shown = args


class NotFound(InboxError):
    """No such thing, or not in an account she serves: she is not told which."""

    key = "error.not_found"


class NotAllowed(InboxError):
    """Her role does not permit it."""

    key = "error.not_allowed"


class InvalidTransition(InboxError):
    """It is not in a state where that can be done; `key` says which."""

    def __init__(self, key: str = "error.invalid_transition", **args: str) -> None:
        super().__init__(key, **args)
        self.key = key


class FilesAwaited(InvalidTransition):
    """A file of the draft has not come yet from where it is kept."""


class StillInUse(InvalidTransition):
    """A reply is about to leave, or a receipt waits to be handled: nothing was erased. The text says which."""

    def __init__(self, says: str) -> None:
        super().__init__()
        self.says = says

    def __str__(self) -> str:
        return self.says


class Conflict(InboxError):
    """A document is no longer at the version it was read at. Nothing was committed."""

    key = "error.conflict"


class Duplicate(Conflict):
    """An insert met an existing id or unique key. Nothing was committed.

    Attributes:
        kind: the stored kind's name; index: the unique index's name, or "id".
    """

    def __init__(self, kind: str, index: str) -> None:
        super().__init__(f"{kind}: {index} already exists")
        self.kind = kind
        self.index = index


class AlreadyAssigned(Conflict):
    """Someone else holds the conversation; `assignee_name` says who."""

    key = "error.already_assigned"

    def __init__(self, assignee_name: str) -> None:
        super().__init__(f"already held by {assignee_name}", name=assignee_name)
        self.assignee_name = assignee_name


class LeaseLost(Conflict):
    """This worker slept, and another does now what it did. Nothing was committed."""


class Stale(Conflict):
    """The client wrote something the author of the draft has not seen; `unseen` says how many times."""

    key = "error.stale"

    def __init__(self, unseen: int) -> None:
        super().__init__(f"{unseen} unseen", count=str(unseen))
        self.unseen = unseen


class StoreUnavailable(Exception):
    """The store cannot be reached or written (disk full, read-only, primary lost). Retry."""


class StoreDamaged(StoreUnavailable):
    """What is stored cannot be read any more (a failing disk): a person must put a backup in its place."""


class StoreTooNew(Exception):
    """The store was written by a newer version of Permanence; opening it could destroy what we do not know."""
