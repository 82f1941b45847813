"""For whom we work: accounts as the config declares them, and whom an arrival was written to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from inbox.model import Account, Identity
from inbox.parts import UNSORTED, AccountId
from inbox.store.base import Changes, Store
from inbox.store.documents import ACCOUNTS

MOST_ACCOUNTS = 10_000
ANY_AT = "*@"
"""What begins an address that stands for every address of a domain."""


def unsorted_account(name: str, language: str, time_zone: str, retention_days: int | None = None) -> Account:
    """The lane of requests whose account is not known yet; it answers in nobody's name."""
    return Account(
        id=UNSORTED,
        name=name,
        language=language,
        time_zone=time_zone,
        identity=Identity(display_name=name),
        retention_days=retention_days,
    )


async def list_accounts(store: Store) -> list[Account]:
    """Every account there ever was, the retired ones last."""
    serving = await store.list(ACCOUNTS, False, limit=MOST_ACCOUNTS)
    return serving + await store.list(ACCOUNTS, True, limit=MOST_ACCOUNTS)


def bring_in_line(declared: Sequence[Account], stored: Sequence[Account]) -> Changes:
    """What makes the stored accounts say what the config says.

    An account that is no longer declared is retired, never deleted: its
    history stays. Empty when nothing differs.
    """
    known = {account.id: account for account in stored}
    wanted = {account.id for account in declared}
    inserts = [account for account in declared if account.id not in known]
    replacements = []
    for account in declared:
        if (before := known.get(account.id)) is not None:
            after = msgspec.structs.replace(account, version=before.version)
            if after != before:
                replacements.append(after)
    replacements += [
        msgspec.structs.replace(account, retired=True)
        for account in stored
        if account.id not in wanted and account.id != UNSORTED and not account.retired
    ]
    return Changes(inserts=inserts, replacements=replacements)


def account_addressed(
    accounts: Iterable[Account], addressed_to: Sequence[str], own: AccountId | None, routed: str = ""
) -> AccountId | None:
    """Whose a mail is: the mailbox's own account, else the one its server names, else the one it was written to.

    An address means an account as it is written; else without its plus-tag;
    else by its domain, where all of that is the account's.

    None when no account, or more than one, is meant: a guess would show one
    client's words to another (promise 5). Nor is it guessed whose it may be
    beside what the server says, where that names no account.

    Args:
        routed: what `Envelope.routed` says.
    """
    if own is not None:
        return own
    serving = [account for account in accounts if not account.retired]
    owners = _owners(serving)
    if routed:
        name = routed.strip().lower()
        found = {account.id for account in serving if name == account.id or name in account.tags}
        found |= owners.get(_folded(name), set())
    else:
        found = set()
        for written in addressed_to:
            found |= next((owners[form] for form in _forms(written) if form in owners), set())
    return found.pop() if len(found) == 1 else None


def _owners(accounts: Iterable[Account]) -> dict[str, set[AccountId]]:
    owners: dict[str, set[AccountId]] = {}
    for account in accounts:
        for address in account.addresses:
            owners.setdefault(_folded(address), set()).add(account.id)
    return owners


def _forms(written: str) -> tuple[str, str, str]:
    """What an address may stand as in the config, most telling first."""
    address = _folded(written.strip())
    return address, without_tag(address), ANY_AT + address.rpartition("@")[2]


def _folded(address: str) -> str:
    return address.lower() if address.isascii() else _in_ascii(address.lower())


def is_written_to(account: Account, address: str) -> bool:
    """Whether that address is one of the account's, its domain's and its plus-tags' included."""
    own = {_folded(each) for each in (account.identity.from_address or "", *account.addresses) if each}
    return not own.isdisjoint(_forms(address))


def is_own_address(account: Account, address: str) -> bool:
    """Whether mail from there is the account's own, however its domain is written (RFC 5890: in Unicode or ASCII)."""
    own = {each.lower() for each in (account.identity.from_address or "", *account.addresses) if each}
    return address in own or address in {_in_ascii(each) for each in own}


def _in_ascii(address: str) -> str:
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return address


def without_tag(address: str) -> str:
    """The address without its plus-tag (RFC 5233): mail to it arrives at the same person."""
    local, at, domain = address.rpartition("@")
    untagged = local.partition("+")[0]
    return f"{untagged}{at}{domain}" if untagged else address
