"""The PEM files of Twisted's endpoints, and the mistakes in them that Twisted does not tell of.

https://docs.twisted.org/en/stable/core/howto/endpoints.html
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import (
    Certificate,
    DNSName,
    ExtensionNotFound,
    Name,
    SubjectAlternativeName,
    load_pem_x509_certificate,
)
from cryptography.x509.oid import NameOID

from pypihub.certificates import read_certificates
from pypihub.errors import ConfigError

SSL_KEYS = ("server.endpoint (certKey)", "server.endpoint (privateKey)")
"""What the certificate and the key of `ssl:` are called in errors."""

_WORD = re.compile(r"((?:\\.|[^:\\])*)(?::|\Z)", re.DOTALL)
_KEY = re.compile(r"([A-Za-z]+)=(.*)", re.DOTALL)
_SYSTEMD = re.compile(r"(?:haproxy:)*systemd:(.*)", re.DOTALL)
_FAMILY = r"(?:INET6?|UNIX)"
_INHERITED = re.compile(
    rf"(?:domain=)?{_FAMILY}:(?:(?:index=)?[0-9]+|name=[^:]+)|(?:index=[0-9]+|name=[^:]+):domain={_FAMILY}"
)
_PARAMETERS = {
    "tls": ("path", "port", "backlog", "interface"),
    "ssl": ("port", "privateKey", "certKey", "sslmethod", "interface", "backlog", "extraCertChain"),
}


def pem_files(endpoint: str) -> list[Path]:
    """The files that the endpoint's certificates come from; none where it has no TLS."""
    kind, given = _read(endpoint)
    if kind == "tls":
        return _in_folder(Path(given.get("path", "")))
    if kind == "ssl":
        key = given.get("privateKey") or "server.pem"
        names = (key, given.get("certKey") or key, given.get("extraCertChain"))
        return [Path(name) for name in names if name]
    return []


def check_endpoint(endpoint: str) -> None:
    """Raises ConfigError for TLS that would not answer anybody, or keep Twisted busy for ever.

    `systemd:…` Twisted looks at where systemd is, which a check of the file is not; here at its form alone.
    """
    if (match := _SYSTEMD.fullmatch(endpoint)) and not _INHERITED.fullmatch(match[1]):
        raise ConfigError(
            'server.endpoint: should name the socket and its family as "systemd:domain=INET:name=pypihub" does,'
            f' not "{endpoint}"'
        )
    kind, given = _read(endpoint)
    if kind == "tls":
        _check_folder(Path(given.get("path", "")))
    elif kind == "ssl":
        key, crt, *_ = pem_files(endpoint)
        read_certificates(crt, key, keys=SSL_KEYS)


def _read(endpoint: str) -> tuple[str, dict[str, str]]:
    """The kind of an endpoint and its parameters by name; another proxy's protocol may stand before it."""
    kind, *words = _WORD.findall(endpoint + ":")[:-1]  # the last match is the empty end
    if kind == "haproxy" and words:
        return _read(endpoint.partition(":")[2])
    positions = iter(_PARAMETERS.get(kind, ()))
    given: dict[str, str] = {}
    for word in words:
        match = _KEY.fullmatch(word)
        name, value = (match[1], match[2]) if match else (next(positions, ""), word)
        given[name] = re.sub(r"\\(.)", r"\1", value)
    return kind, given


def _in_folder(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*.pem") if file.is_file())


def _check_folder(folder: Path) -> None:
    """As Twisted reads the folder: each key's certificate, and behind it the chain of those that issued it."""
    certificates: dict[bytes, tuple[Path, Certificate]] = {}
    keys: set[bytes] = set()
    files = _in_folder(folder)
    if not files:
        raise ConfigError(f'server.endpoint: should name a folder that holds certificates (*.pem), not "{folder}"')
    for file in files:
        for label, block in _blocks(file):
            try:
                if "CERTIFICATE" in label:
                    certificate = load_pem_x509_certificate(block)
                    certificates[_public(certificate)] = (file, certificate)
                else:
                    keys.add(_public(load_pem_private_key(block, password=None)))
            except (ValueError, UnsupportedAlgorithm, TypeError):  # TypeError: the key is encrypted
                raise ConfigError(
                    f"server.endpoint: {file} should hold PEM certificates and their keys, and holds a {label} "
                    "that cannot be read"
                ) from None
    own = [certificates.pop(key) for key in keys if key in certificates]
    if not any(_hosts(certificate) for _, certificate in own):
        raise ConfigError(
            f'server.endpoint: "{folder}" should hold a certificate for a host name (subjectAltName) and its key'
        )
    issuers = {
        _seen_by_twisted(certificate.subject): (file, certificate) for file, certificate in certificates.values()
    }
    for _, certificate in own:
        _check_chain(certificate, issuers)


def _check_chain(certificate: Certificate, issuers: dict[tuple[object, ...], tuple[Path, Certificate]]) -> None:
    met = set()
    while (name := _seen_by_twisted(certificate.issuer)) in issuers:
        file, certificate = issuers[name]
        if name in met:
            raise ConfigError(
                f"server.endpoint: {file} holds a root certificate, which Twisted would follow for ever; "
                "clients have it, take it out"
            )
        met.add(name)


def _blocks(file: Path) -> list[tuple[str, bytes]]:
    try:
        pem = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"server.endpoint: {file} cannot be read: {error.strerror}") from None
    found = re.findall(rb"^(-----BEGIN ([^\n]*?)-----.*?)(?=^-----BEGIN|\Z)", pem, re.DOTALL | re.MULTILINE)
    return [(label.decode(errors="replace"), block) for block, label in found]


def _public(holder: Any) -> bytes:
    """The public key of a certificate or a private key."""
    encoded: bytes = holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _hosts(certificate: Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except (ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(DNSName)


_COMPARED = (
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.LOCALITY_NAME,
    NameOID.STATE_OR_PROVINCE_NAME,
    NameOID.COUNTRY_NAME,
    NameOID.EMAIL_ADDRESS,
)


def _seen_by_twisted(name: Name) -> tuple[object, ...]:
    """What Twisted compares of the name of a certificate or its issuer."""
    values = (name.get_attributes_for_oid(oid) for oid in _COMPARED)
    return tuple(found[0].value if found else None for found in values)
