"""The GitHub that a configuration names: its client, and what that stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.web.client import HTTPConnectionPool

from pypihub.config import GitHub
from pypihub.github.client import Client
from pypihub.github.connecting import configured_agent
from pypihub.github.patience import BACKOFF
from pypihub.github.transport import Transport
from pypihub.tally import Tally


@dataclass(frozen=True)
class Configured:
    """A client of GitHub's, until it is closed."""

    client: Client
    transport: Transport
    pool: HTTPConnectionPool

    async def close(self) -> None:
        """Ends the connections that are kept."""
        await self.pool.closeCachedConnections()  # type: ignore[no-untyped-call]  # Twisted has no types there


def configured_client(
    github: GitHub,
    environment: Mapping[str, str],
    reactor: Any,
    *,
    backoff: Sequence[float] = BACKOFF,
    tally: Tally | None = None,
) -> Configured:
    """The client for the configured GitHub, by way of the environment's proxy; nothing is asked yet.

    `backoff` is as for `Client`, and the `tally` as for `Transport`. Raises ConfigError like `configured_agent`.
    """
    agent, pool = configured_agent(github, environment, reactor)
    transport = Transport(agent, reactor, github.timeout, tally)
    client = Client(transport, reactor, api_url=github.api_url, graphql_url=github.graphql_url, backoff=backoff)
    return Configured(client, transport, pool)
