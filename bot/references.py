"""What one part of the settings says about another: names that must exist, things that may be said only once.

Works on raw values, before they are validated, so that one mistake hides no other.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from bot.settings import Origin, Problem, WebhookSettings, WebSettings, tagged_addresses
from bot.toml_lines import Place


def find_mistakes(values: Mapping[str, Any], origin: Origin) -> Iterator[Problem]:
    """Every broken reference and every double in the raw settings."""
    return _References(values, origin).mistakes()


class _References:
    def __init__(self, values: Mapping[str, Any], origin: Origin) -> None:
        self.origin = origin
        self.accounts = _tables(values.get("accounts"))
        self.mailboxes = _tables(values.get("mailboxes"))
        self.bots = _tables(values.get("bots"))
        self.owners = values.get("owners")
        self.web = values.get("web")

    def mistakes(self) -> Iterator[Problem]:
        yield from self._of_accounts()
        yield from self._of_mailboxes()
        yield from self._of_bots()
        yield from self._doubles("owners", self._owner_ids(), "this person is declared twice", "Keep one of them")
        yield from self._ports()

    def _names_one(self, place: Place, name: object, of: Mapping[str, Any], what: str) -> Iterator[Problem]:
        if isinstance(name, str) and name not in of:
            near = difflib.get_close_matches(name, of, 1)
            remedy = (
                f"Did you mean {near[0]!r}?" if near else f"Declare [{what}.{name}], or name one of: {', '.join(of)}"
            )
            yield self.origin.problem(place, f"nothing is declared as [{what}.{name}]", remedy)

    def _of_accounts(self) -> Iterator[Problem]:
        served = {m["account"]: name for name, m in self.mailboxes.items() if isinstance(m.get("account"), str)}
        for key, account in self.accounts.items():
            yield from self._names_one(
                ("accounts", key, "mailbox"), account.get("mailbox"), self.mailboxes, "mailboxes"
            )
            identity = account.get("identity")
            if (
                (account.get("mailbox") or key in served)
                and isinstance(identity, dict)
                and not identity.get("from_address")
            ):
                yield self.origin.problem(
                    ("accounts", key, "identity", "from_address"),
                    "is missing, and this account has a mailbox",
                    "Add the address its replies come from",
                )
        remedy = "Leave it to one of them"
        words = list(self._claimed_twice(self._words(), "this word means another account too", remedy))
        yield from words
        if not words:  # else each would be said once more, of the addresses they are in
            yield from self._claimed_twice(self._addresses(), "another account has this address too", remedy)

    def _addresses(self) -> Iterator[tuple[Place, str, str]]:
        """Whose which address is, and where that is said; what a mailbox's plus-tags make an account's included."""
        for key, account in self.accounts.items():
            for position, address in enumerate(_list(account.get("addresses"))):
                yield ("accounts", key, "addresses", position), key, address.lower()
        for key, account in self.accounts.items():
            identity = account.get("identity")
            sender = identity.get("from_address") if isinstance(identity, dict) else None
            if isinstance(sender, str):
                yield ("accounts", key, "identity", "from_address"), key, sender.lower()
            shared = self.mailboxes.get(str(account.get("mailbox")))
            if shared is not None and not shared.get("account"):
                imap = shared.get("imap")
                user = imap.get("user") if isinstance(imap, dict) else None
                for place, word in self._words_of(key, account):
                    for address in tagged_addresses(shared.get("address"), user, [word]):
                        yield place, key, address

    def _words(self) -> Iterator[tuple[Place, str, str]]:
        yield from ((("accounts", key), key, key) for key in self.accounts)
        for key, account in self.accounts.items():
            for place, word in self._words_of(key, account):
                yield place, key, word

    def _words_of(self, key: str, account: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
        yield ("accounts", key), key
        for position, word in enumerate(_list(account.get("tags"))):
            yield ("accounts", key, "tags", position), word

    def _claimed_twice(self, claims: Iterator[tuple[Place, str, str]], says: str, remedy: str) -> Iterator[Problem]:
        """What two accounts claim, but not that both write from one address: each may have a mailbox of its own."""
        first: dict[str, tuple[Place, str]] = {}
        for place, key, claimed in claims:
            before, owner = first.setdefault(claimed, (place, key))
            if owner != key and not place[-1] == before[-1] == "from_address":
                line = self.origin.problem(before, "", "").line
                yield self.origin.problem(place, says + (f" (line {line})" if line else ""), remedy)

    def _of_mailboxes(self) -> Iterator[Problem]:
        for name, mailbox in self.mailboxes.items():
            place = ("mailboxes", name, "account")
            owner = mailbox.get("account")
            yield from self._names_one(place, owner, self.accounts, "accounts")
            for key, account in self.accounts.items():
                if owner in self.accounts and key != owner and account.get("mailbox") == name:
                    yield self.origin.problem(
                        ("accounts", key, "mailbox"),
                        f"{name!r} serves the account {owner!r} alone",
                        f"Remove account from [mailboxes.{name}], or give {key!r} a mailbox of its own",
                    )
        yield from self._doubles(
            "mailboxes",
            (
                (("mailboxes", name, "imap"), folder)
                for name, mailbox in self.mailboxes.items()
                for folder in _same_folders(mailbox.get("imap"))
            ),
            "another mailbox reads the same folder",
            "Keep one of them: every mail would arrive twice",
        )

    def _of_bots(self) -> Iterator[Problem]:
        for name, bot in self.bots.items():
            yield from self._names_one(("bots", name, "account"), bot.get("account"), self.accounts, "accounts")
            if bot.get("receive") == "webhook" and "webhook" not in bot:
                yield self.origin.problem(
                    ("bots", name, "receive"), "there is no webhook", f"Add a section [bots.{name}.webhook]"
                )
        if self.bots and all(
            str(bot.get("desk", True)).lower() in ("false", "0", "no", "off") for bot in self.bots.values()
        ):
            yield self.origin.problem(
                ("bots",), "no bot is the desk's, so nobody can join", "Set desk = true for at least one"
            )
        yield from self._doubles(
            "bots",
            ((("bots", name, "token"), _bot_id(bot.get("token"))) for name, bot in self.bots.items()),
            "another entry is the same bot",
            "Keep one of them: Telegram lets one program receive for a token",
        )

    def _owner_ids(self) -> Iterator[tuple[Place, object]]:
        for position, owner in enumerate(self.owners if isinstance(self.owners, list) else ()):
            if isinstance(owner, dict):
                yield ("owners", position, "id"), owner.get("id")

    def _ports(self) -> Iterator[Problem]:
        web = self.web if isinstance(self.web, dict) else {}
        taken = {web.get("port", WebSettings().port): "[web]"}
        for name, bot in self.bots.items():
            webhook = bot.get("webhook")
            if bot.get("receive") == "webhook" and isinstance(webhook, dict):
                port = webhook.get("port", WebhookSettings.model_fields["port"].default)
                if port and port in taken:
                    yield self.origin.problem(
                        ("bots", name, "webhook", "port"), f"port {port} is {taken[port]}'s", "Choose another port"
                    )
                taken[port] = f"[bots.{name}.webhook]"

    def _doubles(self, table: str, values: Iterator[tuple[Place, object]], says: str, remedy: str) -> Iterator[Problem]:
        first: dict[object, Place] = {}
        for place, value in values:
            if value is None or not isinstance(value, (str, int, tuple)):
                continue
            if value in first:
                line = self.origin.problem(first[value], "", "").line
                yield self.origin.problem(place, says + (f" (line {line})" if line else ""), remedy)
            first.setdefault(value, place)


def _tables(value: object) -> dict[str, dict[str, Any]]:
    return {name: item for name, item in value.items() if isinstance(item, dict)} if isinstance(value, dict) else {}


def _list(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _bot_id(token: object) -> object:
    """A bot may be given a new token: the number before the colon stays (Bot API, "Authorizing your bot")."""
    if not isinstance(token, str):
        return None
    return token.partition(":")[0]


def _same_folders(imap: object) -> set[tuple[str, str, str]]:
    if not isinstance(imap, dict) or not all(isinstance(imap.get(name), str) for name in ("host", "user")):
        return set()
    # Whatever the port: a server lets in by several.
    folders = _list(imap.get("folders")) or [str(imap.get("folder", "INBOX"))]
    names = {"INBOX" if folder.upper() == "INBOX" else folder for folder in folders}
    return {(imap["host"].lower().rstrip("."), imap["user"], name) for name in sorted(names)}
