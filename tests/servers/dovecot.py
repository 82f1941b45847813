"""A real Dovecot on ports of its own: any user, one password, mail in Maildir."""

from __future__ import annotations

import base64
import grp
import hashlib
import hmac
import imaplib
import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from tests.servers.certificates import Certificates, make_certificates

CONFIG = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 0
mail_location = maildir:{root}/mail/%n
mail_privileged_group =
mail_fsync = never
disable_plaintext_auth = no
auth_mechanisms = plain login{mechanisms}
auth_failure_delay = 0
mail_max_userip_connections = 500
imap_capability = {capability}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
protocol lmtp {{
  auth_username_format = %n
}}
passdb {{
  driver = static
  args = password={password}
  mechanisms = plain login
}}
{tokens}
userdb {{
  driver = static
  args = uid={user} gid={group} home={root}/mail/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  user = {user}
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
service anvil {{
  chroot =
  # else a refused login delays the next ones
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service ipc {{
  chroot =
}}
service imap-urlauth-login {{
  chroot =
}}
service auth-worker {{
  user = {user}
}}
service auth {{
  user = {user}
  inet_listener {{
    address = 127.0.0.1
    port = {sasl_port}
  }}
}}
"""


TOKENS = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {root}/oauth2.conf
}}
"""
TOKEN_KEY = b"a key of this test alone, to sign tokens with"


def access_token(user: str, *, seconds: float = 3600) -> str:
    """A token this server takes for so long (RFC 7519)."""
    now = int(time.time())
    head = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part({'sub': user, 'iat': now - 5, 'exp': now + int(seconds)})}"
    signature = hmac.new(TOKEN_KEY, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Dovecot:
    """The server, from `start` to `stop`; started again it has the same ports and the same mail.

    Attributes:
        password: every user's; a change counts from the next start.
        capability: what IMAP offers, where that shall differ from all Dovecot can; likewise.
        further: what its config says besides; likewise.
    """

    def __init__(self, *, takes_tokens: bool = False) -> None:
        self._takes_tokens = takes_tokens
        # Not pytest's tmp_path: a unix socket's path has at most 107 octets.
        self.root = Path(tempfile.mkdtemp(prefix="dovecot-")).resolve()
        self.password = "desk-password"
        self.capability = ""
        self.further = ""
        self.imap_port, self.imaps_port, self.lmtp_port, self.sasl_port = free_ports(4)
        account = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._user, self._uid, self._gid = account.pw_name, account.pw_uid, account.pw_gid
        self._master: subprocess.Popen[bytes] | None = None
        self.certificates: Certificates = make_certificates(self.root / "certificates")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.kill9()
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self) -> None:
        shutil.rmtree(self.root / "run", ignore_errors=True)  # sockets left by kill -9 refuse a start
        for name in ("run", "state", "mail", "keys/default/HS256"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "keys/default/HS256/default").write_bytes(base64.b64encode(TOKEN_KEY))
        (self.root / "oauth2.conf").write_text(
            "introspection_mode = local\n"
            f"local_validation_key_dict = fs:posix:prefix={self.root}/keys/\n"
            "username_attribute = sub\n"
        )
        config = self.root / "dovecot.conf"
        config.write_text(
            CONFIG.format(
                root=self.root,
                user=self._user,
                group=grp.getgrgid(self._gid).gr_name,
                password=self.password,
                mechanisms=" xoauth2 oauthbearer" if self._takes_tokens else "",
                tokens=TOKENS.format(root=self.root) if self._takes_tokens else "",
                capability=self.capability,
                certificate=self.certificates.certificate,
                key=self.certificates.key,
                imap_port=self.imap_port,
                imaps_port=self.imaps_port,
                lmtp_port=self.lmtp_port,
                sasl_port=self.sasl_port,
            )
            + self.further
        )
        as_root = os.getuid() == 0
        if as_root:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, self._uid, self._gid)
        self._master = subprocess.Popen(
            [shutil.which("dovecot") or "/usr/sbin/dovecot", "-F", "-c", config],
            start_new_session=True,  # a process group of its own, so that its children can be ended with it
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._uid if as_root else None,
            group=self._gid if as_root else None,
            extra_groups=[] if as_root else None,
        )
        deadline = time.monotonic() + 10
        for port in (self.imap_port, self.imaps_port, self.lmtp_port):
            while True:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if self._master.poll() is not None or time.monotonic() > deadline:
                    log = self.root / "dovecot.log"
                    raise RuntimeError(log.read_text()[-2000:] if log.exists() else "dovecot did not start")
                time.sleep(0.02)

    def stop(self) -> None:
        """An orderly stop: connected clients hear BYE."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """Every process of it, at once."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        master, self._master = self._master, None
        if master is None:
            return
        # The master alone would leave the processes of idling clients alive; and in its first moments it hears nothing.
        for _ in range(20):
            with suppress(ProcessLookupError):
                os.killpg(master.pid, how)
            with suppress(subprocess.TimeoutExpired):
                master.wait(0.15)
                break
        with suppress(ProcessLookupError):
            os.killpg(master.pid, signal.SIGKILL)
        master.wait()

    def deliver(self, user: str, *mails: bytes) -> None:
        """As a mail server would, by LMTP. Returns when they are in the mailbox."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as client:
            for mail in mails:
                client.sendmail("sender@example.org", [user], mail)

    def put(self, user: str, mails: Sequence[tuple[datetime, bytes]]) -> None:
        """Have mails lie there that the server received at these times, in this order, while nobody looked."""
        place = self.folder_path(user) / "new"
        for number, (at, mail) in enumerate(mails):
            path = place / f"{int(at.timestamp())}.M{number:06}P1.put"
            path.write_bytes(mail)
            os.utime(path, (at.timestamp(), at.timestamp()))
            if os.getuid() == 0:
                os.chown(path, self._uid, self._gid)

    def mails(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """What is in a folder, oldest first."""
        place = self.folder_path(user, folder)
        files = [path for name in ("new", "cur") for path in (place / name).glob("*")]
        # 1773043200.M12345P678.host: second, microsecond, process
        return [
            path.read_bytes() for path in sorted(files, key=lambda path: [*map(int, re.findall(r"\d+", path.name))])
        ]

    def folder_path(self, user: str, folder: str = "INBOX") -> Path:
        """Where the Maildir of a folder is (an ASCII name)."""
        return self.root / "mail" / user / ("" if folder == "INBOX" else f".{folder}")

    def change_uidvalidity(self, user: str) -> None:
        """As when a mailbox was restored from a copy. Only while stopped."""
        place = self.folder_path(user)
        listed = place / "dovecot-uidlist"
        listed.write_text(re.sub(r" V(\d+) ", lambda found: f" V{int(found[1]) + 1} ", listed.read_text(), count=1))
        for index in place.glob("dovecot.index*"):
            index.unlink()

    @contextmanager
    def client(self, user: str, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
        """Another mail program on the same mailbox."""
        with imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=10) as client:
            client.login(user, self.password)
            client.select(folder)
            yield client


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()
