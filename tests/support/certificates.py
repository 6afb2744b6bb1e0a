"""Certificates for tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, PrivateKeyTypes
from cryptography.x509.oid import NameOID


def write_certificate(
    crt: Path,
    key: Path,
    *,
    private: PrivateKeyTypes | None = None,
    issuer: CertificateIssuerPrivateKeyTypes | None = None,
    name: str = "localhost",
    issuer_name: str | None = None,
    is_authority: bool = True,
    hosts: Iterable[str] = (),
) -> bytes:
    """Writes a certificate for localhost (and `hosts`) and its key as PEM; the certificate's bytes.

    `private` is the certificate's key where its kind matters; `issuer` signs it, by default a key of its own. The
    common names are `name` and `issuer_name`, by default the same.
    """
    issuer = issuer or ec.generate_private_key(ec.SECP256R1())
    private = private or issuer
    subject, issued_by = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer_name or name)
    )
    known_as = [x509.DNSName(host) for host in ("localhost", *hosts)]
    names = x509.SubjectAlternativeName([*known_as, x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issued_by)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=60))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    crt.write_bytes(pem)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem


def write_authority_and_certificate(folder: Path, hosts: Iterable[str] = ()) -> tuple[Path, Path, Path]:
    """Writes an authority, and a certificate for localhost (and `hosts`) that it issued, and its key; these three."""
    files = folder / "ca.crt", folder / "tls.crt", folder / "tls.key"
    root = ec.generate_private_key(ec.SECP256R1())
    write_certificate(files[0], folder / "ca.key", private=root, issuer=root, name="Company Root")
    leaf = ec.generate_private_key(ec.SECP256R1())
    write_certificate(
        files[1], files[2], private=leaf, issuer=root, issuer_name="Company Root", is_authority=False, hosts=hosts
    )
    return files
