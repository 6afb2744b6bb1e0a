"""Where PyPIHub listens: the endpoints that a configuration names, and the service that listens on one."""

from __future__ import annotations

from pathlib import Path
from select import POLLIN, poll
from typing import Any

import msgspec
from OpenSSL import SSL, crypto
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IReadDescriptor,
    IStreamServerEndpoint,
)
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypihub import __version__
from pypihub.certificates import read_certificates
from pypihub.config import Server
from pypihub.config.endpoints import SSL_KEYS, check_endpoint, pem_files
from pypihub.daemon.activation import check_names, is_activated
from pypihub.daemon.refusals import Keys, ListenError
from pypihub.errors import ConfigError

_log = Logger("pypihub")

TELLS = "PyPIHub {version} listens on {address}"
BACKLOG = 1024
"""Connections that may wait to be accepted; a build farm's come all at once."""


def make_endpoints(server: Server, reactor: Any, adopting: Any) -> list[IStreamServerEndpoint]:
    """Where to listen; `adopting` stands in for the reactor where systemd opened the port.

    Raises ConfigError for an endpoint that Twisted does not know, a port that systemd did not hand down, or TLS that
    OpenSSL refuses.
    """
    if server.endpoint is not None:
        strings = [server.endpoint] if isinstance(server.endpoint, str) else server.endpoint
        return [described(adopting if is_activated(text) else reactor, text) for text in strings]
    if server.tls is not None:
        context = _context(server.tls.crt, server.tls.key, ("server.tls.crt", "server.tls.key"))
        return [SSL4ServerEndpoint(reactor, server.port, context, backlog=BACKLOG, interface=server.host)]
    kind = TCP6ServerEndpoint if ":" in server.host else TCP4ServerEndpoint
    return [kind(reactor, server.port, backlog=BACKLOG, interface=server.host)]


def keys_of(server: Server) -> Keys:
    """What names the places of `make_endpoints` in the configuration."""
    if server.endpoint is not None:
        return Keys("server.endpoint", "server.endpoint")
    return Keys("server.host", "server.port")


def in_force(old: Server, new: Server) -> Server:
    """What of a new `[server]` applies to ports that are open: the certificates, and what is no matter of ports."""
    tls = new.tls if old.tls is not None and new.tls is not None else old.tls
    ports = {name: getattr(old, name) for name in ("host", "port", "endpoint", "workers")}
    return msgspec.structs.replace(new, tls=tls, **ports)


def described(reactor: Any, text: str, key: str = "server.endpoint") -> IStreamServerEndpoint:
    """An endpoint by Twisted's description; raises ConfigError for one that is none, in which the key is named."""
    check_endpoint(text)
    if is_activated(text):
        check_names(text)
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    except Exception as error:  # each of Twisted's parsers has errors of its own
        if is_activated(text) and isinstance(error, LookupError):
            raise ConfigError(
                f'server.endpoint: systemd handed no socket down for "{text}"; it starts PyPIHub by a socket unit that'
                " names it so (FileDescriptorName=)"
            ) from None
        raise ConfigError(
            f'{key}: should be a Twisted server endpoint such as "tcp:3141", not "{text}": {error}'
        ) from None
    if isinstance(endpoint, SSL4ServerEndpoint):
        key_file, crt, *_ = pem_files(text)
        _context(crt, key_file, SSL_KEYS)
    return endpoint


def _context(crt: Path, key_file: Path, keys: tuple[str, str]) -> CertificateOptions:
    """TLS 1.2 or later with the certificate, and the chain that follows it in the same file."""
    certificates, key = read_certificates(crt, key_file, keys=keys)
    try:
        certificate, *chain = map(crypto.X509.from_cryptography, certificates)
        options = CertificateOptions(
            privateKey=crypto.PKey.from_cryptography_key(key),  # type: ignore[arg-type]  # TypeError for kinds without TLS
            certificate=certificate,
            extraCertChain=chain,
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        options.getContext()  # OpenSSL says now what it would say at every connection
    except TypeError:
        raise ConfigError(f"{keys[1]}: should be a key for TLS, and {key_file} holds one of another kind") from None
    except (SSL.Error, crypto.Error) as error:
        why = ", ".join(reason for *_, reason in error.args[0])
        raise ConfigError(f"{keys[0]}: OpenSSL refuses {crt} or its key: {why}") from None
    return options


class Listener(Service):
    """Listens on one endpoint. A port that cannot be had is an error at once, while the daemon starts.

    `keys` are what names the endpoint in the configuration. `address` is where it listens, once it does; `tells` is a
    line for the log about it, or empty. Where it `accepts`, connections that were made before it stops are accepted.
    """

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        site: IProtocolFactory,
        keys: Keys,
        *,
        tells: str = TELLS,
        accepts: bool = True,
    ) -> None:
        self._endpoint = endpoint
        self._keys = keys
        self._site = site
        self._tells = tells
        self._accepts = accepts
        self._port: IListeningPort | None = None
        self.address: IAddress | None = None

    @property
    def where(self) -> str:
        """Its address in words."""
        if self.address is None:
            return "nothing"
        host, number = getattr(self.address, "host", None), getattr(self.address, "port", None)
        return str(self.address) if host is None else readable(host, number)

    def privilegedStartService(self) -> None:
        """Listens before twistd gives up its privileges; raises ListenError."""
        failures: list[Failure] = []
        self._endpoint.listen(self._site).addCallbacks(self._listens, failures.append)
        if not failures:
            return
        try:
            failures[0].raiseException()
        except (CannotListenError, OSError, OverflowError, TypeError, ValueError) as error:  # no port, no address
            raise ListenError(error, self._keys) from None

    def startService(self) -> None:
        """Listens, if that is not done yet."""
        super().startService()
        if self._port is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None]:
        """Listens no more."""
        super().stopService()
        port, self._port, self.address = self._port, None, None
        if IReadDescriptor.providedBy(port) and self._accepts:
            _accept_all(port)
        stopping = port.stopListening() if port is not None else None
        return succeed(None) if stopping is None else stopping

    def _listens(self, port: IListeningPort) -> None:
        self._port, self.address = port, port.getHost()
        if self._tells:
            _log.info(self._tells, version=__version__, address=self.where)


def _accept_all(port: Any) -> None:
    """Accepts the connections that wait: the system has made them, and would break them with the port."""
    if port.fileno() < 0:  # it is gone already
        return
    waiting = poll()
    waiting.register(port.fileno(), POLLIN)
    for _ in range(BACKLOG):
        if not waiting.poll(0):
            return
        port.doRead()


def readable(host: str, port: object) -> str:
    """An address as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
