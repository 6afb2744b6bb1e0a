"""nginx in front of a folder, as any user, without leaving a trace outside of that folder."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

_CONFIG = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    sendfile on;
    keepalive_timeout 75s;
    client_body_temp_path {folder}/temp;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp;
    scgi_temp_path {folder}/temp;
    types {{ application/vnd.pypi.simple.v1+json json; }}
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port};
        root {folder};
        index index.json;
    }}
}}
"""


class Nginx(ProcessProtocol):
    """nginx with one worker, keep-alive and no access log, on `port` of loopback once started."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        self._reactor = reactor
        self._folder = folder
        self._ended: Deferred[None] = Deferred()
        self._is_running = False
        self.port = free_port()

    async def start(self) -> None:
        """Returns when it takes connections; SystemExit in a clear line where there is no nginx."""
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise SystemExit("There is no nginx here to compare with: apt-get install nginx-light")
        user = "" if os.geteuid() else "user root;"  # whose worker would be another user, who cannot read the folder
        config = self._folder / "nginx.conf"
        config.write_text(_CONFIG.format(folder=self._folder, port=self.port, user=user))
        command = [program, "-p", str(self._folder), "-c", str(config), "-e", "stderr"]
        self._reactor.spawnProcess(self, program, command, childFDs={0: "w", 1: 2, 2: 2})
        self._is_running = True
        await self._until_ready()

    async def _until_ready(self) -> None:
        for _ in range(100):
            try:
                probe = await connectProtocol(TCP4ClientEndpoint(self._reactor, "127.0.0.1", self.port), Protocol())
            except ConnectError:
                if not self._is_running:
                    break
                await deferLater(self._reactor, 0.05)
            else:
                probe.transport.loseConnection()
                return
        await self.stop()
        raise SystemExit("nginx does not start.")

    async def stop(self) -> None:
        """Ends it; does nothing where it does not run."""
        if self._is_running:
            self.transport.signalProcess("TERM")
            await self._ended

    def processEnded(self, reason: Failure) -> None:
        self._is_running = False
        self._ended.callback(None)


def free_port() -> int:
    """A port of loopback that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
