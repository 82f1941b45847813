"""Addresses made to be taken for others: letters that look alike, a letter more or less, another ending.

A false alarm costs trust in every alarm, so people of one provider are never
compared by nearness: jean@orange.fr and jeanne@orange.fr are two people.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

from inbox.domains import aligned, domain_of, registered

MOST_COMPARED = 200

# Anybody has an address there, and what they are called under another ending is the same provider elsewhere.
_PROVIDERS = frozenset(
    ("aol", "bbox", "bluemail", "bluewin", "email", "fastmail", "free", "freenet", "gmail", "gmx", "googlemail",
     "hotmail", "icloud", "inbox", "interia", "laposte", "libero", "live", "mail", "mailbox", "me", "msn", "neuf",
     "numericable", "onet", "online", "orange", "outlook", "posteo", "proton", "protonmail", "qq", "seznam", "sfr",
     "skynet", "sunrise", "t-online", "telenet", "tiscali", "tutanota", "ukr", "virgilio", "voila", "wanadoo", "web",
     "wp", "yahoo", "yandex", "ymail", "zoho")
)  # fmt: skip
# Of Unicode TR 39's confusables, the letters of Cyrillic, Greek and extended Latin that pass for one of a to z.
_LETTERS = (
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d\u0475\u043a"
    "\u043c\u0442\u043d\u0432\u0433\u043f\u04cf\u03b1\u03bf\u03bd\u03c1\u03c4\u03c5\u03ba\u03b9\u03b3"
    "\u03c7\u03b5\u03b7\u03c9\u03b2\u0131\u0142\u00f8\u0111\u0127\u00df\u00fe\u0261\u0251\u0140"
)
_LIKE = str.maketrans(_LETTERS + "015|i", "aeopcyxsljhdqwvkmthbrnlaovptuklyxenwbllodhbpgal" + "olsll")
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


def looks_like(address: str, people: Iterable[str], ours: Iterable[str] = ()) -> str | None:
    """Which of these addresses this one imitates; None where it is one of them, or like none.

    Args:
        people: addresses of people we know. One is imitated by the same name at a domain like its own, or by a name
            whose letters look the same.
        ours: the account's own. Where its domain is its alone, any name at a domain like it counts.
    """
    local, domain = address.rpartition("@")[0].lower(), domain_of(address)
    own, known = list(ours), [*islice(people, MOST_COMPARED)]
    if not local or not domain or address.lower() in {each.lower() for each in (*own, *known)}:
        return None
    for each in (*own, *known):
        other, theirs = each.rpartition("@")[0].lower(), domain_of(each)
        if not other or not theirs:
            continue
        if domain == theirs or aligned(domain, theirs):
            if domain == theirs and local != other and len(local) > 4 and skeleton(local) == skeleton(other):
                return each
            continue
        if local == other or skeleton(local) == skeleton(other):
            if _imitates(domain, theirs, shortest=5):
                return each
        elif each in own and _label(theirs) not in _PROVIDERS and _imitates(domain, theirs, shortest=6, words=True):
            return each
    return None


@lru_cache(4096)
def skeleton(name: str) -> str:
    """What a name looks like: equal for two that a reader takes for one another."""
    name = unicodedata.normalize("NFKD", name[:320]).casefold()
    shape = "".join(character for character in name if not unicodedata.combining(character)).translate(_LIKE)
    for pair, one in _PAIRS:
        shape = shape.replace(pair, one)
    return shape


def _label(domain: str) -> str:
    """The name somebody chose: `cabinet-roux` of `mail.cabinet-roux.fr`, in Unicode."""
    return _in_unicode(registered(domain).partition(".")[0])


def _in_unicode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return label


def _imitates(domain: str, theirs: str, *, shortest: int, words: bool = False) -> bool:
    """Whether a domain, neither theirs nor under it, can be taken for theirs.

    Args:
        shortest: letters of a name from which one letter more, less or other is no chance.
        words: a word joined to a long name counts too.
    """
    name, their_name = _label(domain), _label(theirs)
    if name in _PROVIDERS and their_name in _PROVIDERS:
        return False
    if f".{theirs}." in f".{domain}":
        return True  # as the beginning of a longer one
    shape, their_shape = skeleton(name).replace("-", ""), skeleton(their_name).replace("-", "")
    if shape == their_shape:
        return len(their_shape) >= 4 or name != their_name
    if shape == skeleton(registered(theirs)).replace(".", "").replace("-", ""):
        return True  # its dot left out, or made a hyphen
    if name != _bare(name) == _bare(their_name) != their_name:
        return False  # numbers tell things apart: site1 is not site2
    same_ending = registered(domain).partition(".")[2] == registered(theirs).partition(".")[2]
    if len(their_shape) >= (shortest if same_ending else 8) and _is_near(shape, their_shape):
        return True
    return words and len(their_name) >= 8 and (name.startswith(f"{their_name}-") or name.endswith(f"-{their_name}"))


def _bare(name: str) -> str:
    return "".join(character for character in name if not character.isdigit())


def _is_near(one: str, other: str) -> bool:
    """Whether one letter more, less or other, or two in the other order, makes one of the other."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    left, right = one[start : len(one) - end], other[start : len(other) - end]
    return max(len(left), len(right)) == 1 or (len(left) == 2 and left == right[::-1])
