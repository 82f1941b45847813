"""A real Cyrus on ports of its own: any user, any password."""

from __future__ import annotations

import imaplib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.servers.certificates import Certificates, make_certificates
from tests.servers.dovecot import free_ports

# Debian installs one IMAP server at a time: beside Dovecot, the IMAP daemon of cyrus-imapd is unpacked to the second.
PLACES = ("/usr/lib/cyrus/bin", "/usr/local/lib/cyrus/bin")

IMAPD = """\
configdirectory: {root}/conf
defaultpartition: default
partition-default: {root}/mail
proc_path: {root}/run/proc
mboxname_lockpath: {root}/run/lock
lmtpsocket: {root}/run/lmtp
idlesocket: {root}/run/idle
notifysocket: {root}/run/notify
sievedir: {root}/sieve
altnamespace: yes
unixhierarchysep: yes
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Sent
xlist-sent: Sent
tls_server_cert: {certificate}
tls_server_key: {key}
skiplist_unsafe: yes
"""

MASTER = """\
START {{
  recover cmd="{ctl} -C {config} -r"
}}
SERVICES {{
  imap cmd="{imapd} -C {config}" listen="127.0.0.1:{imap_port}" prefork=1 maxforkrate=1000
  imaps cmd="{imapd} -C {config} -s" listen="127.0.0.1:{imaps_port}" prefork=0 maxforkrate=1000
  lmtp cmd="{lmtpd} -C {config} -a" listen="127.0.0.1:{lmtp_port}" prefork=1 maxforkrate=1000
}}
DAEMON {{
  idled cmd="{idled} -C {config}"
}}
"""


def find_program(name: str) -> str | None:
    """Where a program of Cyrus is; None: it is not installed."""
    return shutil.which(name, path=os.pathsep.join(PLACES))


class Cyrus:
    """The server, from `start` to `stop`; started again it has the same ports and the same mail.

    Attributes:
        further: what its imapd.conf says besides; a change counts from the next start.
    """

    password = "any-will-do"

    def __init__(self) -> None:
        # Not pytest's tmp_path: a unix socket's path has at most 107 octets.
        self.root = Path(tempfile.mkdtemp(prefix="cyrus-")).resolve()
        self.further = ""
        self.imap_port, self.imaps_port, self.lmtp_port = free_ports(3)
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
        shutil.rmtree(self.root / "run", ignore_errors=True)
        # idled tells each imapd through a socket in conf/socket; without that folder it tells nobody
        for name in ("run", "conf/socket", "mail", "sieve"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        config, services = self.root / "imapd.conf", self.root / "cyrus.conf"
        made = self.certificates
        config.write_text(IMAPD.format(root=self.root, certificate=made.certificate, key=made.key) + self.further)
        programs = {name: find_program(name) for name in ("imapd", "lmtpd", "idled")}
        services.write_text(
            MASTER.format(
                ctl=find_program("ctl_cyrusdb"),
                config=config,
                imap_port=self.imap_port,
                imaps_port=self.imaps_port,
                lmtp_port=self.lmtp_port,
                **programs,
            )
        )
        as_root = os.getuid() == 0
        if as_root:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, self._uid, self._gid)
        self._master = subprocess.Popen(
            [find_program("master") or "master", "-C", config, "-M", services, "-p", self.root / "run/master.pid"],
            env={"CYRUS_USER": self._user, "PATH": os.defpath},
            start_new_session=True,  # a process group of its own, so that its children can be ended with it
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._uid if as_root else None,
            group=self._gid if as_root else None,
            extra_groups=[] if as_root else None,
        )
        deadline = time.monotonic() + 20
        for port in (self.imap_port, self.imaps_port, self.lmtp_port):
            while True:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if self._master.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("Cyrus did not start; it says why to syslog")
                time.sleep(0.02)

    def stop(self) -> None:
        """An orderly stop: who waits is let go."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """Every process of it, at once."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        master, self._master = self._master, None
        if master is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(master.pid, how)
        with suppress(subprocess.TimeoutExpired):
            master.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(master.pid, signal.SIGKILL)
        master.wait()

    def deliver(self, user: str, *mails: bytes) -> None:
        """As a mail server would, by LMTP. Returns when they are in the mailbox."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as client:
            for mail in mails:
                client.sendmail("sender@example.org", [user], mail)

    def mails(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """What is in a folder, oldest first, with the line ends a Maildir has."""
        with self.client(user, folder) as client:
            said = client.uid("FETCH", "1:*", "(BODY.PEEK[])")[1]
        return [part[1].replace(b"\r\n", b"\n") for part in said if isinstance(part, tuple)]

    @contextmanager
    def client(self, user: str, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
        """Another mail program on the same mailbox."""
        with imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=10) as client:
            client.login(user, self.password)
            client.select(folder)
            yield client
