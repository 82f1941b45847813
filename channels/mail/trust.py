"""Whether a mail comes from where it says: what the receiving server found out (RFC 8601), else our own look at DKIM.

Anybody can write "Authentication-Results". Only what a server named in the
config wrote counts, and of that only what stands on top: a server takes away
what came from outside in its own name (RFC 8601 §5), and puts its own above.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from channels.mail import dkim
from channels.mail.fields import RawHead, read_fields
from channels.mail.headers import as_text, read_addresses
from inbox.domains import aligned, domain_of, in_ascii, registered
from inbox.envelope import Envelope
from inbox.particulars import Trust, Verdict

logger = logging.getLogger(__name__)

NAMELESS = "microsoft"
"""In the config: the header of Exchange Online, which names no server."""
LONGEST = 16 * 1024
MOST_RESULTS = 100


class Judge:
    """What is known about the origin of mails of one mailbox.

    Args:
        trusted: the authserv-ids of its server, lower case; `*.example.org` is every host under example.org, and
            `microsoft` the header of Exchange Online.
        find_key: where keys are looked up for mails its server said nothing of; None: nobody looks.
    """

    def __init__(
        self,
        trusted: Iterable[str] = (),
        find_key: dkim.FindKey | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._trusted = tuple(each.strip().lower() for each in trusted)
        self._find_key = find_key
        self._clock = clock

    @property
    def believes(self) -> bool:
        """Whether it believes any server."""
        return bool(self._trusted)

    def __call__(self, raw: bytes) -> Trust | None:
        """The mail's trust; None where nobody looked. Never raises."""
        try:
            return self._judged(raw)
        except Exception:
            # What a header is made to do to us must not keep the mail from being read.
            logger.exception("the origin of a mail of %d octets could not be judged", len(raw))
            return None

    def told(self, envelope: Envelope, raw: bytes) -> Envelope:
        """A mail's envelope with what is known about its origin."""
        trust = self(raw)
        if trust is None:
            return envelope
        return msgspec.structs.replace(envelope, particulars=msgspec.structs.replace(envelope.particulars, trust=trust))

    def _judged(self, raw: bytes) -> Trust | None:
        if not self._trusted and self._find_key is None:
            return None
        head = read_fields(raw)
        domains = _writers(head)
        said = _said_on_top(head, self._trusted) if self._trusted else None
        theirs = _verdict(said, domains) if said is not None else None
        if theirs is not None and (theirs.verdict is not Verdict.UNKNOWN or theirs.dkim):
            return theirs
        if self._find_key is None or len(domains) != 1:
            return theirs
        return _by_ourselves(head, raw, domains[0], self._find_key, self._clock()) or theirs


def _writers(head: RawHead) -> tuple[str, ...]:
    """The domains the mail says it is from: one, or nothing about it can be proved."""
    fields = head.named("from")
    addresses = read_addresses([field.value for field in fields])
    return tuple(domain_of(address.value) for address in addresses) if len(fields) == 1 else ()


# ---------------------------------------------------------------- what servers say


class Result(NamedTuple):
    """One method's result."""

    method: str
    """`spf`, `dkim`, `dmarc`, `compauth`, `arc` …"""
    result: str
    properties: dict[str, str]
    """`header.d`, `smtp.mailfrom` …, in lower case."""
    comment: str


class Said(NamedTuple):
    """All that one server says of a mail."""

    by: str
    results: tuple[Result, ...]


def read_results(value: bytes) -> Said:
    """What an Authentication-Results field says, whoever wrote it. `by` is "" where it names no server."""
    segments = list(_segments(" ".join(as_text(value[:LONGEST]).split())))
    by = ""
    if segments and "=" not in (named := segments[0][0].strip().partition(" ")[0]):
        by = named.strip('"').lower()
        segments[0] = (segments[0][0].strip().partition(" ")[2], segments[0][1])
    results = []
    for said, comment in segments[:MOST_RESULTS]:
        pairs = [(found[1].lower(), (found[2] or found[3] or "").lower()) for found in _PAIR.finditer(said)]
        if pairs:
            method, result = pairs[0]
            results.append(Result(method, _RESULTS.get(result, result), dict(reversed(pairs[1:])), comment.lower()))
    return Said(by, tuple(results))


# Old words for the same (RFC 7001 took them back, servers did not).
_RESULTS = {
    "hardfail": "fail",
    "success": "pass",
    "bestguesspass": "pass",
    "permfail": "permerror",
    "error": "temperror",
}
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|\\.|[();]|[^"\\();]+', re.S)
_PAIR = re.compile(r'(?<![\w.-])([a-z][\w.-]{0,60})(?:/\d{1,5})?=(?:"([^"]{0,1000})"|([^\s"]{0,1000}))', re.I)


def _segments(text: str) -> Iterator[tuple[str, str]]:
    """What stands between the semicolons: without comments, and the comments."""
    said: list[str] = []
    comment: list[str] = []
    depth = 0
    for found in _TOKEN.finditer(text):
        piece = found[0]
        if piece == "(":
            depth += 1
            comment.append(" ")
        elif piece == ")":
            depth = max(0, depth - 1)
            said.append(" ")
        elif depth:
            comment.append(piece)
        elif piece == ";":
            yield "".join(said), "".join(comment)
            said, comment = [], []
        else:
            said.append(piece)
    yield "".join(said), "".join(comment)


def _said_on_top(head: RawHead, trusted: Sequence[str]) -> Said | None:
    """What our server says: its topmost fields, down to where another server received the mail before it."""
    by = ""
    results: list[Result] = []
    beside: list[Result] = []
    """Received-SPF since the last Received: no server takes those from outside away, so one alone is nobody's."""
    received = 0
    handed: Said | None = None
    for field in head.fields:
        if field.name == "received":
            received += 1
            if results:
                break
            beside.clear()
        elif field.name == "authentication-results":
            said = read_results(field.value)
            if _is_trusted(said, trusted):
                by = by or said.by or NAMELESS
                results += said.results or [Result("none", "none", {}, "")]
        elif field.name == "received-spf":
            spf = _received_spf(field.value, trusted)
            beside += [spf] if spf is not None else []
        elif field.name == "arc-authentication-results" and not received and handed is None:
            # Anybody can begin a chain (RFC 8617 §4.1.1), and nobody takes it away: only above every Received,
            # where nothing from outside can stand, is it our server's own.
            said = read_results(_INSTANCE.sub(b"", field.value))
            handed = said if said.by and _is_trusted(said, trusted) else None
    if not results:
        return handed
    if not any(result.method == "spf" for result in results):
        results += beside
    return Said(by, tuple(results[:MOST_RESULTS]))


def named_on_top(raw: bytes) -> str:
    """Whose the topmost Authentication-Results of a mail are, as the config would name them; "" where it has none."""
    for field in read_fields(raw).named("authentication-results"):
        said = read_results(field.value)
        return (said.by if _HOST.fullmatch(said.by) else "") if said.by else NAMELESS if said.results else ""
    return ""


_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_INSTANCE = re.compile(rb"\A[ \t\r\n]*i[ \t]*=[ \t]*\d{1,3}[ \t]*;")


def _is_trusted(said: Said, trusted: Sequence[str]) -> bool:
    return (NAMELESS in trusted) if not said.by else said.by != NAMELESS and _is_named(said.by, trusted)


def _is_named(host: str, trusted: Sequence[str]) -> bool:
    return any(host == each or (each.startswith("*.") and host.endswith(each[1:])) for each in trusted)


_RECEIVED_SPF = re.compile(r"\s*([a-z]{3,12})\b", re.I)
_WRITTEN_BY = re.compile(r"\s*([\w.-]{1,255}):")


def _received_spf(value: bytes, trusted: Sequence[str]) -> Result | None:
    """RFC 7208 §9.1, where it says that one of our servers wrote it."""
    text = " ".join(as_text(value[:LONGEST]).split())
    found = _RECEIVED_SPF.match(text)
    if found is None:
        return None
    segments = list(_segments(text))
    pairs = {p[1].lower(): (p[2] or p[3] or "").lower() for said, _ in segments for p in _PAIR.finditer(said)}
    written = _WRITTEN_BY.match(segments[0][1])
    receiver = pairs.get("receiver", "") or (written[1].lower() if written else "")
    if not (_is_named(receiver, trusted) or (NAMELESS in trusted and receiver == "protection.outlook.com")):
        return None
    sender = pairs.get("envelope-from", "") if pairs.get("identity", "mailfrom") == "mailfrom" else ""
    return Result("spf", _RESULTS.get(found[1].lower(), found[1].lower()), {"smtp.mailfrom": sender}, "")


# ---------------------------------------------------------------- what it comes to


def _verdict(said: Said, domains: Sequence[str]) -> Trust:
    """What our server's results come to for a mail from these domains."""
    single = domains[0] if len(set(domains)) == 1 and len(domains) == 1 else ""
    dmarc = _of(said, "dmarc")
    if dmarc is not None and single and not _speaks_of(dmarc, single):
        dmarc = None  # of another From than the one people see
    signatures = [result for result in said.results if result.method == "dkim"]
    ours = [result for result in signatures if aligned(_signer(result), single)]
    signature = _best(ours) or _best(signatures)
    spf = _best([r for r in said.results if r.method == "spf" and aligned(_mail_from(r), single)]) or _of(said, "spf")
    trust = Trust(
        verdict=_weighed(said, single, dmarc, signature, spf),
        spf=_word(spf),
        dkim=_word(signature),
        dmarc=_word(dmarc),
        by=said.by,
    )
    if trust.verdict is Verdict.VERIFIED and not single:
        return Trust(verdict=Verdict.UNVERIFIED, spf=trust.spf, dkim=trust.dkim, dmarc=trust.dmarc, by=trust.by)
    return trust


def _weighed(said: Said, domain: str, dmarc: Result | None, signature: Result | None, spf: Result | None) -> Verdict:
    composite = _of(said, "compauth")
    signed = signature is not None and signature.result == "pass"
    sent = spf is not None and spf.result == "pass"
    if dmarc is not None and dmarc.result == "pass":
        return Verdict.VERIFIED
    if composite is not None and composite.result == "fail":
        # Microsoft's reasons: 000 and 010, DMARC's owner says so; 002, somebody at our side forbids it.
        forged = composite.properties.get("reason", "") in ("000", "002", "010")
        return Verdict.FORGED if forged else Verdict.UNVERIFIED
    if dmarc is not None and dmarc.result == "fail":
        return Verdict.FORGED if _forbids(dmarc, domain, said) else Verdict.UNVERIFIED
    if signed and signature is not None and aligned(_signer(signature), domain):
        return Verdict.VERIFIED
    if spf is not None and aligned(_mail_from(spf), domain):
        if sent:
            return Verdict.VERIFIED
        if spf.result == "fail":
            # A mail handed on by somebody's own server fails too; but then who handed it on may have signed it.
            return Verdict.UNVERIFIED if signed else Verdict.FORGED
    tried = {_word(spf), _word(signature)}
    return Verdict.UNVERIFIED if tried & {"pass", "fail", "softfail", "policy"} else Verdict.UNKNOWN


def _of(said: Said, method: str) -> Result | None:
    return next((result for result in said.results if result.method == method), None)


def _best(results: Sequence[Result]) -> Result | None:
    return next((result for result in results if result.result == "pass"), results[0] if results else None)


_A_WORD = re.compile(r"[a-z]{1,20}")


def _word(result: Result | None) -> str:
    """A result's word, if it is one: it is kept with the message."""
    found = _A_WORD.fullmatch(result.result) if result else None
    return found[0] if found else ""


def _domain_in(value: str) -> str:
    return in_ascii(value.strip("<>\"' ").rpartition("@")[2].strip("<>\"' "))


def _signer(result: Result) -> str:
    return _domain_in(result.properties.get("header.d") or result.properties.get("header.i", ""))


def _mail_from(result: Result) -> str:
    """Never the name a server gave itself in HELO: it is anybody's (RFC 7489 §3.1.2 takes it for bounces alone)."""
    return _domain_in(result.properties.get("smtp.mailfrom") or result.properties.get("smtp.mail", ""))


def _speaks_of(dmarc: Result, domain: str) -> bool:
    named = _domain_in(dmarc.properties.get("header.from", ""))
    return not named or named == domain or aligned(named, domain)


_POLICY = re.compile(r"\b(p|sp|dis|d|policy|disposition)[ ]?[=:][ ]?(none|quarantine|reject)\b", re.I)
_ACTIONS = frozenset({"reject", "quarantine", "oreject", "oquarantine", "pct.reject", "pct.quarantine"})


def _forbids(dmarc: Result, domain: str, said: Said) -> bool:
    """Whether the domain's owner says what to do with a mail that is not theirs, and it is not let in."""
    told: dict[str, str] = {}
    for name, policy in _POLICY.findall(dmarc.comment):
        told.setdefault(name, policy)
    properties = dmarc.properties
    published = told.get("p") or told.get("policy") or properties.get("policy.dmarc") or ""
    published = properties.get("policy.published-domain-policy") or published or properties.get("policy", "")
    below = told.get("sp", "") or properties.get("policy.published-sub-domain-policy", "")
    if below and domain != registered(domain):
        published = below
    done = told.get("dis") or told.get("disposition") or told.get("d") or properties.get("action", "")
    done = properties.get("policy.applied-disposition") or done
    if done in _ACTIONS:
        return True
    chain = _of(said, "arc")
    if chain is not None and chain.result == "pass" and done == "none":
        return False  # a list or a forwarder our server believes changed it on the way (RFC 8617)
    return published in ("reject", "quarantine")


# ---------------------------------------------------------------- our own look


def _by_ourselves(head: RawHead, raw: bytes, domain: str, find_key: dkim.FindKey, now: float) -> Trust | None:
    """A signature of the writer's own domain proves it; without one nothing is known, for SPF cannot be asked later."""
    if not head.named("dkim-signature"):
        return None
    checked = dkim.check(raw, find_key, now, only=lambda signer: aligned(signer, domain))
    results = [each.result for each in checked]
    if not results:
        return None
    if "pass" in results:
        return Trust(verdict=Verdict.VERIFIED, dkim="pass")
    worst = next((result for result in ("temperror", "neutral", "permerror") if result in results), "")
    if "fail" in results or "policy" in results:
        return Trust(verdict=Verdict.UNVERIFIED, dkim="fail" if "fail" in results else "policy")
    return Trust(verdict=Verdict.UNKNOWN, dkim=worst)
