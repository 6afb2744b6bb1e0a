"""The certificate and the key that TLS is served with, read from PEM files; every error names its key."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

from pypihub.errors import ConfigError


def read_certificates(
    crt: Path, key_file: Path, *, keys: tuple[str, str] = ("server.tls.crt", "server.tls.key")
) -> tuple[list[Certificate], PrivateKeyTypes]:
    """The certificate, with the chain behind it, and its key.

    Raises ConfigError where they are not that; `keys` are the names of the two in the configuration.
    """
    of_crt, of_key = keys
    try:
        certificates = _certificates(crt)
        public_key = certificates[0].public_key()
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{of_crt}: should be a PEM certificate: {_why(crt, error)}") from None
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, UnsupportedAlgorithm, TypeError) as error:  # TypeError: the key is encrypted
        raise ConfigError(f"{of_key}: should be a PEM private key: {_why(key_file, error)}") from None
    if public_key != key.public_key():
        raise ConfigError(f"{of_key}: should be the key of {of_crt}, and belongs to another certificate")
    return certificates, key


def read_authorities(file: Path, key: str) -> list[Certificate]:
    """The certificates of the authorities in a PEM file; raises ConfigError, which names the key that names it."""
    try:
        return _certificates(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{key}: should be a file of PEM certificates: {_why(file, error)}") from None


def _certificates(file: Path) -> list[Certificate]:
    pem = file.read_bytes()
    certificates = load_pem_x509_certificates(pem)
    if pem.count(b"CERTIFICATE-----") != 2 * len(certificates):
        raise ValueError("the last one is cut")
    return certificates


def _why(file: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{file}: {error.strerror}"
    if isinstance(error, UnsupportedAlgorithm):
        return f"{file} holds one of a kind that is not known here"
    return f"{file} is encrypted" if isinstance(error, TypeError) else f"{file} holds none, or a broken one"
