"""A name server on loopback that says what a test has it say, or nothing."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer:
    """Answers TXT questions over UDP while it is entered; what it does not know does not exist."""

    def __init__(self, records: dict[str, list[str]] | None = None, *, ttl: int = 300) -> None:
        self.records = records or {}
        self.ttl = ttl
        self.asked: list[str] = []
        self.silent = False
        self.broken = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.sendto(b"", self.address)
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            octets, whose = self._socket.recvfrom(4096)
            if not octets:
                return
            query = dns.message.from_wire(octets)
            name = query.question[0].name.to_text(omit_final_dot=True).lower()
            self.asked.append(name)
            if self.silent:
                continue
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            found = self.records.get(name)
            if self.broken:
                answer.set_rcode(dns.rcode.SERVFAIL)
            elif found is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif found:
                answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "TXT", *found))
            self._socket.sendto(answer.to_wire(), whose)
