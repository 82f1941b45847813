"""Domains: which of them are one owner's, told without the public suffix list and therefore with caution."""

from __future__ import annotations

import unicodedata

LONGEST_DOMAIN = 255

# Under these anybody registers a name: at second level in two-letter domains the world over …
_SECOND_LEVEL = frozenset(
    ("ac", "ad", "asn", "asso", "av", "bel", "biz", "co", "com", "conf", "coop", "dr", "ed", "edu", "fin", "firm",
     "gen", "go", "gob", "gouv", "gov", "govt", "gr", "gv", "id", "idv", "ind", "inf", "info", "int", "k12", "law",
     "lg", "ltd", "me", "med", "mil", "mobi", "muni", "name", "ne", "net", "nhs", "nic", "nom", "or", "org", "plc",
     "pol", "police", "prd", "press", "pro", "pub", "rec", "res", "sch", "sld", "store", "tm", "tv", "web")
)  # fmt: skip
# … and under these, whose owners give names away to their customers.
_GIVEN_AWAY = frozenset(
    ("000webhostapp.com", "appspot.com", "azurewebsites.net", "blogspot.com", "blogspot.fr", "br.com", "cloudfront.net",
     "cn.com", "co.com", "de.com", "eu.com", "eu.org", "fly.dev", "free.fr", "gb.com", "github.io", "gitlab.io",
     "herokuapp.com", "hopto.org", "in.net", "jimdo.com", "jpn.com", "kiev.ua", "kyiv.ua", "lviv.ua", "msk.ru",
     "netlify.app", "no-ip.org", "onmicrosoft.com", "onrender.com", "ovh.net", "pages.dev", "pagesperso-orange.fr",
     "perso.sfr.fr", "ru.com", "spb.ru", "strikingly.com", "uk.com", "us.com", "vercel.app", "waw.pl", "web.app",
     "weebly.com", "wixsite.com", "wordpress.com", "workers.dev")
)  # fmt: skip


def in_ascii(domain: str) -> str:
    """A domain in lower case as servers write it (RFC 5890); "" where it is none."""
    domain = unicodedata.normalize("NFKC", domain[: 2 * LONGEST_DOMAIN]).strip().strip(".").lower()
    if not domain or len(domain) > LONGEST_DOMAIN or ".." in domain:
        return ""
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return ""


def domain_of(address: str) -> str:
    """The domain of an address, as servers write it."""
    return in_ascii(address.rpartition("@")[2])


def is_public(domain: str) -> bool:
    """Whether names under it belong to many owners, as far as a short list can tell."""
    labels = domain.split(".")
    if len(labels) < 2 or domain in _GIVEN_AWAY:
        return True
    return len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _SECOND_LEVEL


def registered(domain: str) -> str:
    """What its owner registered: `example.co.uk` of `mail.example.co.uk`. The domain itself where that is unknown."""
    labels = domain.split(".")
    for start in range(len(labels) - 2, -1, -1):
        candidate = ".".join(labels[start:])
        if not is_public(candidate):
            return candidate
    return domain


def aligned(one: str, other: str) -> bool:
    """Whether two domains, in ASCII, are one owner's: equal, or one under the other.

    RFC 7489 §3.1 also takes two domains under a third for one owner's. Without
    the public suffix list that is not known, so here it is no.
    """
    if not one or not other:
        return False
    if one == other:
        return True
    child, parent = (one, other) if len(one) > len(other) else (other, one)
    return child.endswith("." + parent) and not is_public(parent)
