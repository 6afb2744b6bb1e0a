"""Ports that systemd opened before this process began, for endpoints such as `systemd:domain=INET:name=pypihub`."""

from __future__ import annotations

import os
import re
import socket
from typing import Any

import msgspec
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from pypihub.config import Server
from pypihub.daemon.ports import SharedPort
from pypihub.errors import ConfigError

_SYSTEMD = re.compile(r"((?:haproxy:)*)systemd:.*", re.DOTALL)


def is_activated(endpoint: str) -> bool:
    """Whether systemd opens the endpoint's port."""
    return _SYSTEMD.fullmatch(endpoint) is not None


def check_names(endpoint: str) -> None:
    """Raises ConfigError where systemd hands down several sockets of the endpoint's name: one of them would serve."""
    name = re.search(r":name=([^:]*)", endpoint)
    if name and os.environ.get("LISTEN_FDNAMES", "").split(":").count(name[1]) > 1:
        raise ConfigError(
            f'server.endpoint: systemd hands several sockets down as "{name[1]}"; give each a socket unit and a name'
        )


def without_systemd(server: Server) -> Server:
    """The same with TCP ports in place of systemd's, for a process that systemd hands none down to."""
    if server.endpoint is None:
        return server
    endpoints = [server.endpoint] if isinstance(server.endpoint, str) else server.endpoint
    return msgspec.structs.replace(server, endpoint=tuple(_SYSTEMD.sub(r"\1tcp:0", text) for text in endpoints))


class AdoptedPorts:
    """Stands in for the reactor where an endpoint adopts a port.

    Twisted would take the endpoint's word for the port's family, and in the end would remove a Unix socket's file,
    though systemd goes on to listen there.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory) -> IListeningPort:
        """As the reactor's."""
        port = SharedPort(socket.socket(fileno=os.dup(fileDescriptor)), factory, self._reactor)
        port.startListening()
        return port
