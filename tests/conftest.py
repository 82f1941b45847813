"""Fixtures every test has or may ask for: logging as it was, the installed servers."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator

import pytest
import structlog

from bot import logs
from tests.servers.dovecot import Dovecot
from tests.servers.mongo import MongoServer


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


@pytest.fixture(scope="session")
def mongo_url() -> Iterator[str]:
    """A MongoDB server's URL, without a database: MONGO_URL's where that is set, else one of our own."""
    if url := os.environ.get("MONGO_URL"):
        yield url
        return
    with MongoServer() as server:
        yield server.url


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Whatever a program under test configured is gone with it, streams that are closed by then included."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    loggers = [logging.getLogger(name) for name in logs._FLOORS]
    levels = [logger.level for logger in loggers]
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook = hook
    for logger, before in zip(loggers, levels, strict=True):
        logger.setLevel(before)
    structlog.reset_defaults()
    logs._secrets.clear()
    logs._secrets_pattern = None
