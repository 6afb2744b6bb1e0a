"""An init system, as far as a daemon sees it: a datagram socket that is told how the daemon is."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.task import deferLater


class Init:
    """Listens at a path, or with `@` in front in the abstract namespace."""

    def __init__(self, address: str, reactor: Any) -> None:
        self.address = address
        self._reactor = reactor
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)
        self._told: list[str] = []

    def told(self) -> list[str]:
        """All that it was told so far; the lines of each message are one text."""
        while True:
            try:
                self._told.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self._told

    def words(self) -> list[str]:
        """The first line of each message, repeated ones as one."""
        firsts = [message.partition("\n")[0] for message in self.told()]
        return [first for number, first in enumerate(firsts) if number == 0 or firsts[number - 1] != first]

    async def is_told(self, word: str, times: int = 1) -> str:
        """Waits for the message that begins with the word, for a minute at most."""
        for _ in range(6000):
            messages = [message for message in self.told() if message.partition("\n")[0] == word]
            if len(messages) >= times:
                return messages[times - 1]
            await deferLater(self._reactor, 0.01)
        raise AssertionError(f"it was not told {word}, but {self.told()}")

    def close(self) -> None:
        self._socket.close()
