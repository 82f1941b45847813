"""Certificates of an authority that exists for one test run."""

from __future__ import annotations

import ipaddress
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """A server's certificate and key, and the authority to trust for it."""

    ca_file: Path
    certificate: Path
    key: Path


def make_certificates(directory: Path, *names: str, days: int = 30) -> Certificates:
    """A new authority and a certificate it signed for `names` (localhost and 127.0.0.1 unless told).

    Args:
        days: how long the certificate is valid; 0: it has expired.
    """
    directory.mkdir(parents=True, exist_ok=True)
    made = Certificates(directory / "ca.pem", directory / "certificate.pem", directory / "key.pem")
    ca_key, request, extensions = directory / "ca-key.pem", directory / "request.pem", directory / "extensions.cnf"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    _openssl("req", "-x509", *curve, "-days", "30", "-subj", f"/CN=Test CA {directory.name}",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", ca_key, "-out", made.ca_file)  # fmt: skip
    _openssl("req", *curve, "-subj", "/CN=test server", "-keyout", made.key, "-out", request)
    wanted = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names or ("localhost", "127.0.0.1"))
    extensions.write_text(f"subjectAltName={wanted}\nbasicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\n")
    _openssl("x509", "-req", "-in", request, "-CA", made.ca_file, "-CAkey", ca_key, "-set_serial", "1",
             "-days", str(days), "-extfile", extensions, "-out", made.certificate)  # fmt: skip
    return made


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
