"""Accounts as another config would declare them, on a stage that runs."""

from __future__ import annotations

from typing import Any

import msgspec

from inbox.model import Account
from inbox.parts import AccountId
from tests.builders import ROUX
from tests.handlers.stage import Stage


def declare(stage: Stage, account_id: AccountId = ROUX, **changes: Any) -> Account:
    """The account from here on."""
    accounts = stage.desk.accounts
    assert isinstance(accounts, dict)
    declared: Account = msgspec.structs.replace(accounts[account_id], **{"tells_in_chats": True, **changes})
    accounts[account_id] = declared
    return declared
