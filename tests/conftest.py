"""Fixtures every test may ask for: the installed servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.servers.dovecot import Dovecot


def require_server(name: str) -> None:
    """Skip this test where a server is not installed; under REQUIRE_SERVERS=1 that is a failure."""
    if shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"):
        return
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"{name} is not installed, and REQUIRE_SERVERS=1 demands it")
    pytest.skip(f"{name} is not installed")


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    require_server("dovecot")
    with Dovecot() as server:
        yield server
