"""For whom we work: accounts as the config declares them, and whom an arrival was written to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from inbox.model import UNSORTED, Account, AccountId, Identity
from inbox.store.base import Changes, Store
from inbox.store.documents import ACCOUNTS

MOST_ACCOUNTS = 10_000


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
    accounts: Iterable[Account], addressed_to: Sequence[str], own: AccountId | None
) -> AccountId | None:
    """Whose a mail is: the mailbox's own account, else the one account an address of which it was written to.

    None when no account, or more than one, was written to: a guess would
    show one client's words to another (promise 5).
    """
    if own is not None:
        return own
    owners: dict[str, set[AccountId]] = {}
    for account in accounts:
        if not account.retired:
            for address in account.addresses:
                owners.setdefault(address.lower(), set()).add(account.id)
    found: set[AccountId] = set()
    for written in addressed_to:
        address = written.strip().lower()
        found |= owners.get(address) or owners.get(without_tag(address), set())
    return found.pop() if len(found) == 1 else None


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
