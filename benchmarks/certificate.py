"""An authority and a certificate of it for loopback, as PEM files, and how the certificate is renewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_certificate(folder: Path, authority: Path, *, renew: bool = False) -> int:
    """Writes `tls.crt` and `tls.key`, and the authority's own certificate unless that is there; the serial number."""
    key_file = authority.with_suffix(".key")
    if renew:
        root = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        assert isinstance(root, ec.EllipticCurvePrivateKey)
    else:
        root = ec.generate_private_key(ec.SECP256R1())
        _write_key(key_file, root)
        authority.write_bytes(_certificate(root, root, "authority").public_bytes(serialization.Encoding.PEM))
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, root, "localhost")
    for name, content in (("tls.key", _pem(key)), ("tls.crt", certificate.public_bytes(serialization.Encoding.PEM))):
        (folder / f"{name}.new").write_bytes(content)
        (folder / f"{name}.new").replace(folder / name)
    return certificate.serial_number


def _certificate(key: ec.EllipticCurvePrivateKey, root: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    now, is_authority = datetime.now(UTC), key is root
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(root, hashes.SHA256())
    )


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.write_bytes(_pem(key))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
