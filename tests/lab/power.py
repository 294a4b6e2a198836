# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the Redfish endpoint of the machines is reached and protected; lab.redfish is the endpoint itself."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from pathlib import Path

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER = "admin"
HTPASSWD, CERTIFICATE, KEY, ENDPOINT = "redfish.htpasswd", "redfish.crt", "redfish.key", "redfish.json"


def prepare(directory: Path) -> dict[str, str]:
    """Makes a certificate and a password; returns {username, password, ca}: what a client needs besides the URL."""
    password = secrets.token_urlsafe(12)
    # Few rounds: it is checked at every request, and it protects a toy.
    digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    _write(directory / HTPASSWD, f"{USER}:{digest}\n".encode())
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hitless lab redfish")])
    loopback = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName(loopback), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    _write(directory / CERTIFICATE, certificate.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(directory / KEY, private)
    return {"username": USER, "password": password, "ca": str(directory / CERTIFICATE)}


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
