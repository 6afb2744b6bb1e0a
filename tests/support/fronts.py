"""Web servers that stand in front of a hub: nginx and Caddy, each with the configuration that a page has for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.process import Process, free_port, takes_connections

_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
_NGINX = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp;
    scgi_temp_path {folder}/temp;
    include {folder}/pypihub.conf;
}}
"""


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """The text with one thing in place of another, each of which is there once."""
    for old, new in pairs:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


class Front:
    """A web server that serves https on `port` of loopback, once started, and keeps its files in `folder`."""

    def __init__(self, reactor: Any, folder: Path, certificate: tuple[Path, Path]) -> None:
        self.folder = folder
        self.port = free_port()
        self.certificate = certificate
        self._reactor = reactor
        self._process: Process | None = None
        folder.mkdir()

    def logged(self) -> str:
        """All that it wrote into its logs."""
        return "".join(file.read_text() for file in self.folder.glob("*.log"))

    async def stop(self) -> None:
        if self._process is not None:
            self._process.signal("TERM")
            await self._process.ends()
            self._process = None

    async def _run(self, *command: str | Path) -> None:
        """Returns when it takes connections."""
        words = [str(word) for word in command]
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        self._process = Process(self._reactor, words, cwd=self.folder, timeout=240, environment=home)
        try:
            await takes_connections(self._reactor, self.port, self._process)
        except AssertionError as error:
            raise AssertionError(f"{error}{self.logged()}") from None


class Nginx(Front):
    """nginx, with a file as /etc/nginx/conf.d has them; other addresses, certificates and logs stand in for its own."""

    program = shutil.which("nginx", path=_PATH)
    needed = pytest.mark.skipif(program is None, reason="no nginx here: apt-get install nginx-light")

    async def start(self, configuration: str) -> None:
        crt, key = self.certificate
        configuration = replaced(
            configuration,
            ("listen 443 ", f"listen 127.0.0.1:{self.port} "),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("/etc/nginx/hub.example.com.crt", str(crt)),
            ("/etc/nginx/hub.example.com.key", str(key)),
            ("/var/log/nginx/", f"{self.folder}/"),
        )
        (self.folder / "pypihub.conf").write_text(configuration)
        # As root its workers would be another user, who cannot read the folder.
        user = "" if os.geteuid() else "user root;"
        file = self.folder / "nginx.conf"
        file.write_text(_NGINX.format(folder=self.folder, user=user))
        await self._run(str(self.program), "-p", self.folder, "-c", file, "-e", self.folder / "error.log")


class Caddy(Front):
    """Caddy, with a Caddyfile that names one site; other ports and a certificate of ours stand in for its own."""

    program = shutil.which("caddy", path=_PATH)
    needed = pytest.mark.skipif(program is None, reason="no caddy here: apt-get install caddy")

    async def start(self, configuration: str) -> None:
        crt, key = self.certificate
        configuration = replaced(
            configuration,
            (
                "auto_https disable_redirects\n",
                f"auto_https disable_redirects\n\tadmin off\n\thttps_port {self.port}\n",
            ),
            ("\nhub.example.com {\n", f"\nhub.example.com {{\n\tbind 127.0.0.1\n\ttls {crt} {key}\n"),
            ("/var/log/caddy/", f"{self.folder}/"),
        )
        file = self.folder / "Caddyfile"
        file.write_text(configuration)
        await self._run(str(self.program), "run", "--config", file, "--adapter", "caddyfile")
