"""A GitHub in a box, with a client that is nothing but an HTTP client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_twisted
import treq
from twisted.web.client import Agent

from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import Release, World


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read whole; header names in lower case."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Box:
    """A running sandbox, a world with the user `octo` and their token, and a client."""

    def __init__(self, reactor: Any, **options: Any) -> None:
        self.clock = Clock()
        self.world = World(now=self.clock)
        self.token = self.world.add_token("octo")
        self.sandbox = Sandbox(reactor, self.world, **options)
        self._client = treq.client.HTTPClient(Agent(reactor, connectTimeout=5))

    async def request(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> Answer:
        sent = {"User-Agent": "tests", **(headers or {})}
        if token:
            sent["Authorization"] = f"bearer {token}"
        response = await self._client.request(
            method, url, headers=sent, data=data, allow_redirects=False, unbuffered=True, timeout=20
        )
        got = {
            name.decode().lower(): b", ".join(values).decode() for name, values in response.headers.getAllRawHeaders()
        }
        # Twisted counts Content-Length as the connection's and not as the response's.
        return Answer(response.code, {"content-length": str(response.length), **got}, await response.content())

    async def get(self, url: str, **how: Any) -> Answer:
        return await self.request("GET", url, **how)

    async def rest(self, method: str, path: str, sent: Any = None, *, token: str | None = None) -> Answer:
        """A call to the REST API with JSON, by default with the token of `octo`."""
        data = None if sent is None else json.dumps(sent).encode()
        return await self.request(method, f"{self.sandbox.api_url}{path}", token=token or self.token, data=data)

    async def upload(
        self,
        release: Release,
        name: str,
        content: Any,
        *,
        token: str | None = None,
        kind: str | None = "a/b",
        **more: str,
    ) -> Answer:
        """An upload of bytes or of an open file, by default with the token of `octo`."""
        described = (await self.rest("GET", f"/repos/octo/hello/releases/{release.database_id}")).json()
        url = described["upload_url"].replace("{?name,label}", f"?{urlencode({'name': name, **more})}")
        headers = {"Content-Type": kind} if kind else {}
        return await self.request("POST", url, token=token or self.token, data=content, headers=headers)

    async def post(
        self, query: str, *, token: str | None = None, operation: str | None = None, **variables: Any
    ) -> Answer:
        question = {"query": query, "variables": variables, "operationName": operation}
        data = json.dumps(question).encode()
        return await self.request("POST", self.sandbox.graphql_url, token=token or self.token, data=data)

    async def ask(self, query: str, *, token: str | None = None, **variables: Any) -> Any:
        """The answer's object of a query that GitHub answers with 200."""
        answer = await self.post(query, token=token, **variables)
        assert answer.code == 200, answer
        return answer.json()


@pytest.fixture(scope="session")
def reactor() -> Any:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    return reactor


@pytest_twisted.async_yield_fixture
async def make_box(reactor: Any) -> AsyncIterator[Callable[..., Awaitable[Box]]]:
    """Makes running boxes; the options are the sandbox's."""
    boxes: list[Box] = []

    async def make(**options: Any) -> Box:
        box = Box(reactor, **options)
        await box.sandbox.start()
        boxes.append(box)
        return box

    yield make
    for box in boxes:
        await box.sandbox.stop()


@pytest_twisted.async_yield_fixture
async def box(make_box: Callable[..., Awaitable[Box]]) -> AsyncIterator[Box]:
    """A box without options."""
    yield await make_box()
