"""An Enterprise Server: a GitHub in a box under the paths that such a server has."""

from __future__ import annotations

from typing import Any

import treq
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

_PASSED_ON = (b"content-type", b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset", b"location")


async def enterprise_server(reactor: Any, api_url: str) -> Any:
    """A listening port for the GitHub at `api_url`: REST at /api/v3, GraphQL at /api/graphql."""
    site = Site(_Paths(api_url))
    site.noisy = False
    return await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(site)


class _Paths(Resource):
    isLeaf = True

    def __init__(self, api_url: str) -> None:
        super().__init__()
        self._api_url = api_url

    def render(self, request: Any) -> Any:
        path = request.uri.decode("ascii").removeprefix("/api").removeprefix("/v3")
        own = (b"Host", b"Content-Length", b"Connection")
        sent = {name: values for name, values in request.requestHeaders.getAllRawHeaders() if name not in own}
        asked = treq.request(
            request.method.decode("ascii"),
            self._api_url + path,
            headers=sent,
            data=request.content.read(),
            persistent=False,
            allow_redirects=False,
        )

        async def answer() -> None:
            response = await asked
            request.setResponseCode(response.code)
            for name in _PASSED_ON:
                request.responseHeaders.setRawHeaders(name, response.headers.getRawHeaders(name, []))
            request.write(await response.content())
            request.finish()

        Deferred.fromCoroutine(answer()).addErrback(request.processingFailed)
        return NOT_DONE_YET
