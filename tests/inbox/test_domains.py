"""Whose a domain is, with caution where only a list of all registries would know."""

from __future__ import annotations

import pytest

from inbox.domains import aligned, domain_of, in_ascii, is_public, registered


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("client.example", "client.example"),
        ("mail.client.example", "client.example"),
        ("a.b.client.co.uk", "client.co.uk"),
        ("em12.client.fr", "client.fr"),
    ],
)
def test_a_domain_and_what_is_under_it_are_one_owners(one: str, other: str) -> None:
    assert aligned(one, other)
    assert aligned(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("evil.co.uk", "co.uk"),
        ("evil.asso.fr", "asso.fr"),
        ("evil.github.io", "github.io"),
        ("evil.onmicrosoft.com", "onmicrosoft.com"),
        ("evil.com", "com"),
        ("notclient.example", "client.example"),
        # Without the public suffix list nobody knows whether these two are one owner's.
        ("news.client.example", "mail.client.example"),
        ("", ""),
        ("", "client.example"),
    ],
)
def test_two_domains_are_two_owners(one: str, other: str) -> None:
    assert not aligned(one, other)
    assert not aligned(other, one)


def test_what_is_registered() -> None:
    assert registered("mail.client.co.uk") == "client.co.uk"
    assert registered("mail.client.fr") == "client.fr"
    assert registered("a.b.shop.asso.fr") == "shop.asso.fr"
    assert registered("localhost") == "localhost"
    assert is_public("fr")
    assert not is_public("go.fr.example")


def test_a_domain_is_read_as_servers_write_it() -> None:
    assert domain_of("Léa@École.Example") == "xn--cole-9oa.example"
    assert in_ascii("Client.Example.") == "client.example"
    assert in_ascii("a..b") == in_ascii("x" * 300) == in_ascii("") == ""
    assert in_ascii("\u00e9" * 70 + ".example") == ""
