"""Where DKIM's keys come from: DNS, asked with little patience, remembered, left alone while it does not answer."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

import dns.exception
import dns.name
import dns.resolver

from channels.mail.dkim import KeyUnavailable
from inbox.domains import registered

logger = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds one look-up may take."""
KEPT = 3600.0
"""Seconds a found record is believed at most; less where its owner says so."""
MISSING_KEPT = 600.0
MOST_KEPT = 2000
MOST_FAILURES = 5
"""Owners in a row whose names nobody answers for, after which none is asked for for a while."""
FIRST_REST = 60.0
"""Seconds a silent owner is left alone, and all are at first where everybody is silent."""
LONGEST_REST = 1800.0


class DnsKeys:
    """Looks TXT records up. For threads: reading mails does so side by side.

    Args:
        server: address and port of the one name server to ask; None: the machine's own.
    """

    def __init__(
        self,
        server: tuple[str, int] | None = None,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._server = server
        self._patience = patience
        self._clock = clock
        self._resolver: dns.resolver.Resolver | None = None
        self._known: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()
        self._silent: OrderedDict[str, float] = OrderedDict()
        """Until when an owner's names are not asked for: whoever wants us to wait has a server that is silent."""
        self._failures: set[str] = set()
        self._rest = FIRST_REST
        self._rests_until = 0.0
        self._lock = threading.Lock()

    def __call__(self, name: str) -> bytes | None:
        """The record at a name.

        Raises:
            KeyUnavailable: nobody answers, or nobody was asked because nobody answered the last times.
        """
        now, owner = self._clock(), registered(name)
        with self._lock:
            known = self._known.get(name)
            if known is not None and known[0] > now:
                return known[1]
            if now < self._rests_until or now < self._silent.get(owner, 0.0):
                raise KeyUnavailable("the name servers do not answer")
        try:
            record, lifetime = self._ask(name)
        except KeyUnavailable:
            self._failed(owner)
            raise
        with self._lock:
            self._failures.clear()
            self._rest = FIRST_REST
            _remember(self._known, name, (self._clock() + lifetime, record))
        return record

    def _ask(self, name: str) -> tuple[bytes | None, float]:
        try:
            asked = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError):
            return None, MISSING_KEPT  # no name can be so
        try:
            answer = self._made().resolve(asked, "TXT", lifetime=self._patience, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None, MISSING_KEPT
        except dns.resolver.NoNameservers:
            # Every server answered, and none could tell: one domain's trouble, not DNS's. It is asked again soon.
            return None, FIRST_REST
        except (dns.exception.DNSException, OSError) as error:
            raise KeyUnavailable(type(error).__name__) from error
        records = [b"".join(record.strings) for record in answer]
        # RFC 6376 §3.6.2.2: of several records none is meant, unless only one of them is a key.
        keys = [record for record in records if b"p=" in record] or records
        lifetime = min(KEPT, max(1.0, float(answer.rrset.ttl) if answer.rrset else 1.0))
        return (keys[0] if len(keys) == 1 else None), lifetime

    def _made(self) -> dns.resolver.Resolver:
        """The resolver, made when it is first needed: the machine may have no network, and need none."""
        with self._lock:
            if self._resolver is None:
                self._resolver = dns.resolver.Resolver(configure=self._server is None)
                if self._server is not None:
                    self._resolver.nameservers = [self._server[0]]
                    self._resolver.port = self._server[1]
                self._resolver.timeout = self._patience
                self._resolver.use_edns(0, 0, 1232)
            return self._resolver

    def _failed(self, owner: str) -> None:
        with self._lock:
            _remember(self._silent, owner, self._clock() + FIRST_REST)
            self._failures.add(owner)
            if len(self._failures) >= MOST_FAILURES:
                self._failures.pop()  # then one try at a time
                self._rests_until = self._clock() + self._rest
                self._rest = min(self._rest * 2, LONGEST_REST)
                logger.warning("the name servers do not answer: DKIM is not checked for a while")


def _remember(kept: OrderedDict[str, T], name: str, what: T) -> None:
    kept[name] = what
    kept.move_to_end(name)
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)
