"""The certificate and the key that TLS is served with, read from PEM files; every error names its key."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

from pypihub.errors import ConfigError


def read_certificates(crt: Path, key_file: Path) -> tuple[list[Certificate], PrivateKeyTypes]:
    """The certificate, with the chain behind it, and its key; raises ConfigError where they are not that."""
    try:
        pem = crt.read_bytes()
        certificates = load_pem_x509_certificates(pem)
        public_key = certificates[0].public_key()
        if pem.count(b"CERTIFICATE-----") != 2 * len(certificates):
            raise ValueError("the last one is cut")
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"server.tls.crt: should be a PEM certificate: {_why(crt, error)}") from None
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, UnsupportedAlgorithm, TypeError) as error:  # TypeError: the key is encrypted
        raise ConfigError(f"server.tls.key: should be a PEM private key: {_why(key_file, error)}") from None
    if public_key != key.public_key():
        raise ConfigError("server.tls.key: should be the key of server.tls.crt, and belongs to another certificate")
    return certificates, key


def _why(file: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{file}: {error.strerror}"
    if isinstance(error, UnsupportedAlgorithm):
        return f"{file} holds one of a kind that is not known here"
    return f"{file} is encrypted" if isinstance(error, TypeError) else f"{file} holds none, or a broken one"
