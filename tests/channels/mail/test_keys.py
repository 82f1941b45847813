"""Keys from a name server: remembered, and never waited for long."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from channels.mail import keys
from channels.mail.dkim import KeyUnavailable
from channels.mail.keys import DnsKeys
from tests.servers.dns import NameServer


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer({"a._domainkey.client.example": ['"v=DKIM1; " "p=abc"']}) as server:
        yield server


class Clock:
    """A clock a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_found_joined_and_remembered(server: NameServer) -> None:
    find, name = DnsKeys(server.address), "a._domainkey.client.example"
    assert find(name) == find(name) == b"v=DKIM1; p=abc"
    assert server.asked == [name]


def test_what_is_not_there_is_remembered_too(server: NameServer) -> None:
    find = DnsKeys(server.address)
    assert find("b._domainkey.client.example") is find("b._domainkey.client.example") is None
    assert len(server.asked) == 1


def test_a_key_is_asked_for_again_when_its_owner_wants(server: NameServer) -> None:
    clock = Clock()
    find, name = DnsKeys(server.address, clock=clock), "a._domainkey.client.example"
    find(name)
    server.records[name] = ['"p="']
    clock.now = server.ttl - 1
    assert find(name) == b"v=DKIM1; p=abc"
    clock.now = server.ttl + 1
    assert find(name) == b"p="


def test_of_several_records_only_the_one_key_is_meant(server: NameServer) -> None:
    server.records |= {"x.example": ["v=spf1", "p=abc"], "y.example": ["p=abc", "p=def"]}
    find = DnsKeys(server.address)
    assert find("x.example") == b"p=abc"
    assert find("y.example") is None


def test_a_domain_whose_servers_are_broken_has_no_key(server: NameServer) -> None:
    server.broken = True
    assert DnsKeys(server.address)("a._domainkey.client.example") is None


def test_silence_is_not_waited_for_again_and_again(server: NameServer) -> None:
    server.silent = True
    clock = Clock()
    find = DnsKeys(server.address, patience=0.05, clock=clock)
    for n in range(keys.MOST_FAILURES):
        with pytest.raises(KeyUnavailable):
            find(f"a.owner{n}.example")
    asked = len(server.asked)
    started = time.monotonic()
    for n in range(100):
        with pytest.raises(KeyUnavailable):
            find(f"a.other{n}.example")
    assert len(server.asked) == asked
    assert time.monotonic() - started < 0.05
    clock.now = keys.FIRST_REST + 1
    with pytest.raises(KeyUnavailable):
        find("again.example")
    assert len(server.asked) > asked, "now and then it is tried"
    asked = len(server.asked)
    clock.now = 2 * keys.FIRST_REST + 2
    with pytest.raises(KeyUnavailable):
        find("more.example")
    assert len(server.asked) == asked, "and the rest grows"
    server.silent = False
    clock.now += keys.LONGEST_REST
    assert find("a._domainkey.client.example") == b"v=DKIM1; p=abc"


def test_one_silent_owner_keeps_nobody_from_the_others(server: NameServer) -> None:
    find = DnsKeys(server.address, patience=0.05)
    server.silent = True
    for n in range(20):
        with pytest.raises(KeyUnavailable):
            find(f"s{n}._domainkey.slow.example")
    assert {"s0._domainkey.slow.example"} == set(server.asked), "he is not asked again at once"
    server.silent = False
    assert find("a._domainkey.client.example") == b"v=DKIM1; p=abc"


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 70 + ".example", "é.example", "a" * 300, "\x00.example"])
def test_a_name_that_is_none_does_no_harm(server: NameServer, name: str) -> None:
    assert DnsKeys(server.address)(name) is None


def test_few_are_kept(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_KEPT", 10)
    find = DnsKeys(server.address)
    for n in range(30):
        find(f"{n}.example")
    assert len(find._known) == 10
