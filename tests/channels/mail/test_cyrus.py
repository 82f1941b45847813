"""The same mailbox on Cyrus: what was shown of Dovecot holds there, word for word."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.channels.mail.test_afterwards import (
    test_killed_between_the_commit_and_the_move_it_is_moved_at_the_next_start as test_killed_before_the_move,
)
from tests.channels.mail.test_folders import (
    filled,
    test_a_restart_goes_on_where_each_folder_was,
    test_every_folder_is_received_and_watched,
    test_one_folder_that_is_gone_is_told_and_holds_up_no_other,
    test_what_moves_from_one_folder_is_received_from_the_other_and_no_gap,
)
from tests.channels.mail.test_mailbox import (
    test_a_mailbox_is_received_whole_and_in_order,
    test_a_restart_goes_on_where_it_was,
    test_nothing_is_copied_unless_asked,
    test_the_first_start_takes_what_arrives_from_now_on,
    test_what_could_not_be_kept_is_offered_again,
)
from tests.servers.cyrus import Cyrus, find_program

__all__ = (
    "filled",
    "test_a_mailbox_is_received_whole_and_in_order",
    "test_a_restart_goes_on_where_each_folder_was",
    "test_a_restart_goes_on_where_it_was",
    "test_every_folder_is_received_and_watched",
    "test_killed_before_the_move",
    "test_nothing_is_copied_unless_asked",
    "test_one_folder_that_is_gone_is_told_and_holds_up_no_other",
    "test_the_first_start_takes_what_arrives_from_now_on",
    "test_what_could_not_be_kept_is_offered_again",
    "test_what_moves_from_one_folder_is_received_from_the_other_and_no_gap",
)


@pytest.fixture
def dovecot() -> Iterator[Cyrus]:
    """The server those tests are given: here it is a Cyrus."""
    if find_program("imapd") is None:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail("Cyrus is not installed, and REQUIRE_SERVERS=1 demands it")
        pytest.skip("Cyrus is not installed")
    with Cyrus() as server:
        yield server
