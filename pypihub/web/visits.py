"""Requests that know what is told of them: their number, whose packages they were for, and what they came to."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import count
from time import perf_counter
from typing import Any

from twisted.python.failure import Failure

from pypihub.tally import Visit
from pypihub.web.bodies import StreamedRequest

FRONT = Visit(cache="front")
"""What every request comes to that the front answers."""
_NOWHERE = Visit()
GONE = 499
"""The status in logs, as of nginx, where a client went away before an answer began; it is never sent."""


def request_ids() -> Iterator[str]:
    """Ids of requests, each different from those of other processes; they say nothing else."""
    process = secrets.token_hex(4)
    return (f"{process}-{number:x}" for number in count(1))


class VisitedRequest(StreamedRequest):
    """A request with an `id`, which its client is told, and the moment at which it `began`: when its head was there."""

    id = "-"
    began = 0.0
    owner = "-"
    visit = _NOWHERE

    def gotLength(self, length: int | None) -> None:
        """Twisted's: the head is there."""
        channel: Any = self.channel
        self.began = perf_counter()
        self.id = next(channel.site.request_ids)
        super().gotLength(length)

    def connectionLost(self, reason: Failure) -> None:
        """Twisted's: the client has gone. What it was not answered is told of all the same."""
        if self.path and not self._is_refused:
            if not self.startedWriting:
                self.code = GONE
            channel: Any = self.channel
            channel.site.log(self)
        super().connectionLost(reason)

    def tell_id(self) -> None:
        """Puts the id into the answer's head."""
        self.setHeader("X-Request-ID", self.id)
