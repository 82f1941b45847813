"""A mailbox as a channel: mail comes in by IMAP and leaves by SMTP."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Literal

from channels.base import Accept, Finding, Observer, Parcel, Preview, Reply, SentAs, Take
from channels.errors import ChannelError, LoginRejected, PermanentFailure
from channels.mail import acknowledgement, compose, page, parse
from channels.mail.afterwards import Afterwards
from channels.mail.imap import Imap, ImapServer, Limits
from channels.mail.imap_protocol import quoted
from channels.mail.intake import Intake, Pace
from channels.mail.positions import Positions, canonical
from channels.mail.recount import Recount
from channels.mail.routing import RouteHeader
from channels.mail.smtp import Smtp, SmtpServer
from channels.mail.together import Line, Together
from channels.mail.trust import Judge, named_on_top
from channels.mail.watch import Watch, WatchOfSome
from inbox.envelope import Envelope
from inbox.notices import Letter, Post
from inbox.parts import Attachment, ChannelId

logger = logging.getLogger(__name__)

COPIES_WAITING = 32
"""Copies for the Sent folder held in memory at once; more are not made."""
KEEP_COPIES = ("smtp.gmail.com", "smtp.googlemail.com", "smtp.office365.com", "smtp-mail.outlook.com")
"""Servers that put what they send into the Sent folder by themselves: a second copy would stand beside theirs."""
LOOKED_AT = 10
"""Mails that a check looks at, the newest."""
LARGEST_LOOKED_AT = 2**20


class Mailbox:
    """One mailbox. See `channels.base.Channel` for what each method promises."""

    def __init__(
        self,
        id: ChannelId,
        imap: ImapServer,
        smtp: SmtpServer,
        observer: Observer,
        *,
        start_at: Literal["now", "beginning"] = "now",
        sent_folder: str | None = None,
        idle_renewal: timedelta | None = None,
        pace: Pace | None = None,
        limits: Limits | None = None,
        judge: Judge | None = None,
        route: RouteHeader | None = None,
        afterwards: Afterwards | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            start_at: what the first start ever takes in: what arrives from now on, or all that is there.
            sent_folder: where a copy of what is sent goes; None: nowhere; "auto": where the server keeps sent mail.
            judge: says where a mail comes from; None: nobody does.
            route: where the server says whose a mail is; None: nowhere.
            afterwards: what is done on the server with a mail once it is kept; None: nothing.
        """
        self.id = id
        self._imap = imap
        self._smtp = Smtp(id, smtp)
        self._observer = observer
        self._start_at: Literal["now", "beginning"] = start_at
        self._keeps_copies = sent_folder == "auto" and smtp.host.lower().rstrip(".") in KEEP_COPIES
        self._sent_folder = None if self._keeps_copies else sent_folder
        self._pace = pace or Pace()
        if idle_renewal is not None:
            self._pace = replace(self._pace, idle_renewal=idle_renewal)
        self._limits = limits or Limits()
        self._judge = judge
        self._route = route
        self._afterwards = afterwards
        self._copies: set[asyncio.Task[None]] = set()
        self._copying = asyncio.Lock()
        self._closing = asyncio.Event()
        self._plain = imap.folder
        """Which folder's keys name no folder."""

    # ------------------------------------------------------------ in

    async def run(self, position: str | None, accept: Accept) -> None:
        positions = self._positions(position)
        watch = Watch(self.id, self._observer, len(positions.folders))
        lines = [
            Line(self._intake(folder, positions, accept), watch.of(number))
            for number, folder in enumerate(positions.folders)
        ]
        known_here = asyncio.Event()
        places, server = self._limits.doors.places, self._imap
        if len(lines) > 1:
            with places(server.host, server.user, 1):
                await self._receive_together(lines, known_here, told=True)
            logger.info("%s: the server does not tell of folders that are not open", self.id)
        with places(server.host, server.user, len(lines)) as connections:
            own = len(lines) if len(lines) <= connections else connections - 1
            try:
                async with asyncio.TaskGroup() as group:
                    for line in lines[:own]:
                        group.create_task(self._receive(line, known_here))
                    if lines[own:]:
                        group.create_task(self._receive_together(lines[own:], known_here, told=False))
            except BaseExceptionGroup as several:
                refused = several.subgroup(LoginRejected)
                if refused is None:
                    raise
                raise next(each for each in refused.exceptions if isinstance(each, LoginRejected)) from None

    def _intake(self, folder: str, positions: Positions, accept: Accept) -> Intake:
        return Intake(
            self.id, folder, positions, accept, self._pace, start_at=self._start_at, afterwards=self._afterwards
        )

    async def _receive(self, line: Line, known_here: asyncio.Event) -> None:
        """Receive one folder over a connection of its own: one that idles tells of one folder only (RFC 2177)."""
        watch = line.watch

        async def receive(imap: Imap, received: Callable[[], None]) -> None:
            def known() -> None:
                received()
                watch.up()

            await line.intake.receive(imap, watch.announced, known, watch.owed)

        await self._persist(receive, watch, known_here)

    async def _receive_together(self, lines: Sequence[Line], known_here: asyncio.Event, *, told: bool) -> None:
        """Receive several folders over one connection. `told`: until the server does not tell of them."""
        together = Together(lines, self._pace, told)
        watch = lines[0].watch.whole.of(*(number for line in lines for number in line.watch.numbers))

        async def receive(imap: Imap, received: Callable[[], None]) -> None:
            if imap.can_watch or not told:
                await together.receive(imap, watch.announced, received)

        await self._persist(receive, watch, known_here)

    async def _persist(
        self,
        receive: Callable[[Imap, Callable[[], None]], Awaitable[None]],
        watch: WatchOfSome,
        known_here: asyncio.Event,
    ) -> None:
        """Receive over one connection after the other, until `receive` returns."""
        wait = timedelta(0)
        while True:
            up_since: float | None = None

            def received() -> None:
                nonlocal up_since
                if up_since is None:
                    up_since = monotonic()

            reason, login_refused = "unforeseen", False
            try:
                async with Imap(self.id, self._imap, self._limits) as imap:
                    known_here.set()
                    await receive(imap, received)
                    return
            except LoginRejected as failure:
                if not known_here.is_set():
                    watch.down(failure.detail, None)
                    raise
                login_refused, reason = True, failure.detail
            except ChannelError as failure:
                reason = failure.detail
            except Exception:
                # A mailbox is received for months: what nobody foresaw must not end it.
                logger.exception("%s: receiving failed in a way nobody foresaw", self.id)
            if up_since is not None and monotonic() - up_since > wait.total_seconds():
                wait = timedelta(0)
            wait = self._pace.wait_after(wait)
            seconds = self._pace.with_jitter(self._pace.login_wait if login_refused else wait)
            watch.down(reason, seconds)
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def _connected_aside(self) -> AsyncIterator[Imap]:
        """A connection that receives nothing."""
        async with (
            self._limits.doors.aside(self._imap.host, self._imap.user),
            Imap(self.id, self._imap, self._limits) as imap,
        ):
            yield imap

    async def list_keys(self, position: str) -> list[str] | None:
        return await self._recount().list_keys(self._positions(position))

    async def fetch(self, keys: Sequence[str], take: Take) -> None:
        await self._recount().fetch(keys, {"": self._plain}, take)

    def _positions(self, text: str | None) -> Positions:
        positions = Positions(text, self._imap.folders)
        self._plain = positions.plain
        return positions

    def _recount(self) -> Recount:
        return Recount(self.id, self._connected_aside, self._pace.undelivered[0])

    def read(self, raw: bytes) -> Envelope:
        envelope = parse.read_mail(raw)
        if self._route is not None:
            envelope = self._route.told(envelope, raw)
        return envelope if self._judge is None else self._judge.told(envelope, raw)

    def extract(self, raw: bytes, attachment: Attachment) -> bytes:
        return parse.extract(raw, attachment.path)

    def page(self, raw: bytes, say: Callable[[str], str]) -> bytes:
        return page.build_page(raw, say)

    # ------------------------------------------------------------ out

    def compose(self, reply: Reply) -> tuple[Parcel, ...]:
        return acknowledgement.compose(reply) if reply.automatic else compose.compose(reply)

    def preview(self, reply: Reply) -> Preview:
        return compose.preview(reply)

    async def ready(self, payload: Letter | Post) -> float:
        return 0.0

    async def send(self, payload: Letter | Post, raw: bytes | None) -> SentAs:
        if not isinstance(payload, Letter) or raw is None:
            raise PermanentFailure(self.id, "a mailbox sends letters only")
        sent = await self._smtp.send(payload, raw)
        if self._sent_folder is not None:
            # Not waited for: were this process to end meanwhile, a reply that did leave would count as unknown.
            self._copy_to_sent(raw, payload.message_id)
        return sent

    def _copy_to_sent(self, raw: bytes, message_id: str) -> None:
        if len(self._copies) >= COPIES_WAITING:
            logger.warning("%s: sent, but not copied to the Sent folder: the server is too slow", self.id)
            return
        task = asyncio.create_task(self._append(raw, message_id))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _append(self, raw: bytes, message_id: str) -> None:
        for number, wait in enumerate((*self._pace.copied_again, None)):
            try:
                async with self._copying:
                    await self._append_once(raw, message_id, again=number > 0)
            except ChannelError as failure:
                logger.warning("%s: sent, but not copied to the Sent folder: %s", self.id, failure.detail)
                if wait is None or isinstance(failure, LoginRejected):
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait.total_seconds()):
                        await self._closing.wait()
                        return
            else:
                return

    async def _append_once(self, raw: bytes, message_id: str, *, again: bool) -> None:
        """Put the copy there, unless it is there already: a server that broke off may have kept it."""
        async with self._connected_aside() as imap:
            folder = self._sent_folder
            if folder == "auto":
                folder = _sent_among(await imap.folders())
            if folder is None:
                logger.warning("%s: sent, but not copied: the server marks no folder as \\Sent", self.id)
                return
            if again:
                await imap.open_folder(folder)
                if await imap.search("HEADER", "Message-ID", quoted(f"<{message_id}>")):
                    return
            await imap.append(folder, raw)

    async def readmitted(self) -> None:
        if self._imap.tokens is None:
            await asyncio.Event().wait()
        else:
            await self._imap.tokens.given()

    async def close(self) -> None:
        self._closing.set()
        if self._copies:
            _, late = await asyncio.wait(self._copies, timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._smtp.close()
        if self._imap.tokens is not None:
            await self._imap.tokens.close()

    # ------------------------------------------------------------ check

    async def check(self) -> list[Finding]:
        return [*await self._check_imap(), *await self._smtp.check()]

    async def _check_imap(self) -> list[Finding]:
        server = self._imap
        subject = f"{self.id} imap"
        try:
            await asyncio.get_running_loop().getaddrinfo(server.host, server.port)
        except (OSError, UnicodeError):
            remedy = "Check host, and this machine's name resolution"
            return [Finding("error", subject, f"No server has the name {server.host}", remedy)]
        findings = []
        if server.tls == "none" and server.host not in ("localhost", "127.0.0.1", "::1"):
            says = "The password and every mail can be read on their way"
            findings.append(Finding("warning", subject, says, 'Set tls to "tls" or "starttls"'))
        try:
            async with Imap(self.id, server, self._limits) as imap:
                findings.append(Finding("ok", subject, f"{server.host}:{server.port} lets {server.user} in"))
                findings += await self._check_folders(imap, subject)
        except ChannelError as failure:
            findings.append(_explained(failure, server, subject))
        return findings

    async def _check_folders(self, imap: Imap, subject: str) -> list[Finding]:
        findings = []
        folders = await imap.folders()
        names = {canonical(name) for name in folders}
        for wanted in map(canonical, self._imap.folders):
            if wanted in names or wanted == "INBOX":
                folder = await imap.open_folder(wanted)
                findings.append(Finding("ok", subject, f"{wanted} holds {folder.exists} mails"))
                if wanted == canonical(self._imap.folder):
                    findings += await self._check_origin(imap, folder.exists, subject)
            else:
                setting = "folders" if self._imap.more_folders else "folder"
                remedy = f"Set {setting} to one of: {', '.join(sorted(names)[:20])}"
                findings.append(Finding("error", subject, f"There is no folder {wanted}", remedy))
        if not imap.can_idle:
            every = round(self._pace.poll.total_seconds())
            says = f"The server does not announce new mail (no IDLE); it is asked every {every} seconds"
            findings.append(Finding("warning", subject, says, "Nothing to mend here; mail may show up that much later"))
        findings += self._check_afterwards(imap, subject, names)
        if self._keeps_copies:
            findings.append(Finding("ok", subject, "The server that sends keeps the copies of what is sent"))
        if self._sent_folder is not None:
            sent = _sent_among(folders) if self._sent_folder == "auto" else self._sent_folder
            if sent is None:
                remedy = f"Set sent_folder to one of: {', '.join(sorted(names)[:20])}"
                findings.append(Finding("warning", subject, "The server marks no folder as \\Sent", remedy))
            elif sent not in names:
                remedy = f"Create it, or set sent_folder to one of: {', '.join(sorted(names)[:20])}"
                findings.append(Finding("warning", subject, f"There is no folder {sent} for sent mail", remedy))
            else:
                findings.append(Finding("ok", subject, f"Sent mail is kept in {sent}"))
        return findings

    async def _check_origin(self, imap: Imap, exists: int, subject: str) -> list[Finding]:
        """Which server's word on the origin of mails could be believed, where the config names none."""
        if self._judge is None or self._judge.believes or not exists:
            return []
        sizes = await imap.sizes(await imap.search(f"{max(1, exists - LOOKED_AT + 1)}:*"))
        mails = await imap.fetch([uid for uid, size in sizes.items() if size < LARGEST_LOOKED_AT])
        writers = {name for raw in mails.values() if (name := named_on_top(raw))}
        if len(writers) != 1:
            return []
        writer = writers.pop()
        says = "The card cannot tell forged senders: no server's word on where mails come from is believed"
        remedy = f'If {writer} is what this mailbox\'s own server calls itself, set trusted_authserv_id = ["{writer}"]'
        return [Finding("warning", subject, says, remedy)]

    def _check_afterwards(self, imap: Imap, subject: str, names: Collection[str]) -> Iterator[Finding]:
        wanted = self._afterwards.folder if self._afterwards is not None else ""
        if not wanted:
            return
        if wanted not in names:
            remedy = f"Create it, or set after to move to one of: {', '.join(sorted(names)[:20])}"
            yield Finding("error", subject, f"There is no folder {wanted} to move mail to", remedy)
        elif not imap.can_move:
            says = "The server knows neither MOVE nor UIDPLUS: all mail stays where it is"
            yield Finding("warning", subject, says, 'Set after to "seen", or to a flag')
        else:
            yield Finding("ok", subject, f"What is received moves to {wanted}")


def _sent_among(folders: dict[str, frozenset[str]]) -> str | None:
    return next((name for name, attributes in folders.items() if "\\SENT" in attributes), None)


# X509_V_ERR_… of OpenSSL's x509_vfy.h
_OTHER_NAME = (62, 64)
_NOT_VALID_NOW = (9, 10)


def _explained(failure: ChannelError, server: ImapServer, subject: str) -> Finding:
    cause = failure.__cause__
    says, remedy = f"{server.host}:{server.port} cannot be used ({failure.detail})", "Check host, port and tls"
    if isinstance(failure, LoginRejected):
        says = f"{server.host}:{server.port} does not let {server.user} in ({failure.detail})"
        remedy = "Check user and password; some providers want IMAP switched on, or a password made for this program"
        if server.tokens is not None:
            remedy = (
                f"permanence mailbox login {failure.channel.partition(':')[2]}, as a person who may use {server.user}"
            )
    elif isinstance(cause, ssl.SSLCertVerificationError):
        if cause.verify_code in _OTHER_NAME:
            remedy = f"The certificate names other servers than {server.host}: set host to a name it is made for"
        elif cause.verify_code in _NOT_VALID_NOW:
            remedy = "The server's owner must renew the certificate; or this machine's clock is wrong"
        elif server.ca_file is not None:
            remedy = f"The certificate is not signed by the CA in {server.ca_file}: set ca_file to the right one"
        else:
            remedy = "A CA this machine does not know signed the certificate: set ca_file to that CA's certificate"
    elif isinstance(cause, ssl.SSLError):
        remedy = 'Check port and tls: port 993 usually wants tls = "tls", port 143 tls = "starttls"'
    elif isinstance(cause, ConnectionRefusedError):
        remedy = "Nothing listens there: check host and port, and that the server runs"
    elif isinstance(cause, TimeoutError):
        remedy = 'Check host and port; port 993 wants tls = "tls"; a firewall may be in between'
    return Finding("error", subject, says, remedy)
