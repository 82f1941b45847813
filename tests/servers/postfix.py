"""A real Postfix on a port of its own, delivering by LMTP; its master must run as root."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.servers.certificates import make_certificates
from tests.servers.dovecot import free_ports

MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.client.test
mydestination =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
default_transport = error:5.4.4 no outbound mail from tests
virtual_mailbox_domains = client.test, desk.test
virtual_transport = {transport}
smtpd_relay_restrictions = permit_mynetworks reject
smtpd_recipient_restrictions =
  check_recipient_access inline:{{ {{tempfail@client.test = 450 4.2.1 mailbox busy}}
    {{nobody@client.test = 550 5.1.1 no such user}} }}
  permit_mynetworks reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = {sasl}
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl_path}
message_size_limit = 50000000
mailbox_size_limit = 0
maillog_file = {root}/maillog
maillog_file_prefixes = {root}
fast_flush_domains =
"""

MASTER = """\
127.0.0.1:{port} inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"]


class Postfix:
    """The server, from entering to leaving; mail for client.test and desk.test is delivered, all else refused.

    Args:
        lmtp_port: where mail is delivered; None throws it away.
        sasl_port: who checks passwords; None lets everybody on this machine send.
    """

    def __init__(self, *, lmtp_port: int | None = None, sasl_port: int | None = None) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="postfix-")).resolve()
        (self.port,) = free_ports(1)
        self.certificates = make_certificates(self.root / "certificates")
        self._transport = f"lmtp:inet:127.0.0.1:{lmtp_port}" if lmtp_port else "discard:"
        self._sasl = f"inet:127.0.0.1:{sasl_port}" if sasl_port else ""
        self._master: subprocess.Popen[bytes] | None = None

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
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self) -> None:
        self.root.chmod(0o755)  # Postfix's processes, each as another user, must get in
        spool, config = self.root / "spool", self.root / "etc"
        shutil.rmtree(spool, ignore_errors=True)
        for directory in (spool, config, self.root / "data"):
            directory.mkdir(exist_ok=True)
        shutil.chown(self.root / "data", "postfix", "postfix")
        for name in _QUEUES:
            _make(spool / name, "postfix", "root", 0o700)
        _make(spool / "maildrop", "postfix", "postdrop", 0o1730)
        _make(spool / "public", "postfix", "postdrop", 0o2710)
        _make(spool / "pid", "root", "root", 0o755)
        main = MAIN.format(
            root=self.root,
            transport=self._transport,
            certificate=self.certificates.certificate,
            key=self.certificates.key,
            sasl="yes" if self._sasl else "no",
            sasl_path=self._sasl or "none",
        )
        for name, text in (("main.cf", main), ("master.cf", MASTER.format(port=self.port))):
            (config / name).write_text(text)
            # Postfix waits until a file it reads is older than two seconds.
            os.utime(config / name, (time.time() - 60,) * 2)
        self._master = subprocess.Popen(
            ["/usr/lib/postfix/sbin/master", "-c", config, "-s"],
            env={"PATH": "/usr/sbin:/usr/bin:/bin", "MAIL_CONFIG": str(config)},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self._master.poll() is not None or time.monotonic() > deadline:
                log = self.root / "maillog"
                raise RuntimeError(log.read_text()[-2000:] if log.exists() else "postfix did not start")
            time.sleep(0.02)

    def stop(self) -> None:
        master, self._master = self._master, None
        if master is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(master.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            master.wait(3)
        with suppress(ProcessLookupError):
            os.killpg(master.pid, signal.SIGKILL)
        master.wait()


def _make(directory: Path, owner: str, group: str, mode: int) -> None:
    directory.mkdir()
    shutil.chown(directory, owner, group)
    directory.chmod(mode)
