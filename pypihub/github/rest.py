"""Single calls to GitHub's REST API about one repository, and what its answers mean.

https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct
from twisted.web.iweb import IBodyProducer

from pypihub.errors import ForbiddenError, UploadRefusedError, UpstreamError
from pypihub.github.answers import Reply, readable, refuse_bad_status, shortened
from pypihub.github.credentials import Token
from pypihub.github.points import Budget, Points
from pypihub.github.transport import Transport

T = TypeVar("T")

NO_WRITE_ACCESS = (
    "This needs a token that may write to the repository: a fine-grained one with Contents: write, or a classic "
    "one with repo, of a user who may push."
)
_JSON = {"Accept": "application/vnd.github+json"}
_EMPTY = "The repository has no commit, and GitHub publishes no release in it. Push one, and publish again."
_IMMUTABLE = (
    "This release is immutable: GitHub takes no more files for it. Upload under a new version, and set [publish] draft "
    "= true so that a release can be published on GitHub once all its files are there."
)


class GoneError(UpstreamError):
    """What the call is about is not there, or the token may not write to it: GitHub does not say which."""


class TakenError(UploadRefusedError):
    """The release has an asset of this name, or the repository a release of this tag, already."""


class _Fault(Struct, frozen=True):
    resource: str = ""
    code: str = ""
    field: str | None = None
    message: str | None = None


class _Rejection(Struct, frozen=True):
    """The body of a 422: some of GitHub's have texts in place of objects."""

    message: str = ""
    errors: tuple[_Fault | str, ...] = ()


class Rest:
    """Calls with one token about one repository, whose present name is `name_with_owner`.

    None is repeated. Each raises GoneError, TakenError, UploadRefusedError for what else GitHub does not take (422),
    ForbiddenError and the other errors of `pypihub.errors` that begin with GitHub. `now` is a clock since the epoch.
    """

    def __init__(
        self,
        transport: Transport,
        points: Points,
        api_url: str,
        token: Token,
        name_with_owner: str,
        now: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._points = points
        self._url = f"{api_url}/repos/{quote(name_with_owner)}"
        self._token = token
        self._now = now

    async def get(self, path: str, kind: type[T]) -> T:
        """What is at the path below the repository's."""
        return self._read(await self._send("GET", path), kind)

    async def write(self, method: str, path: str, sent: Mapping[str, object], kind: type[T]) -> T:
        """The answer to a write with JSON."""
        with_type = {"Content-Type": "application/json"}
        return self._read(await self._send(method, path, with_type, msgspec.json.encode(sent)), kind, is_write=True)

    async def delete(self, path: str) -> None:
        """Deletes what is at the path; it may be gone already."""
        reply = await self._send("DELETE", path)
        if reply.status != 404:
            self._check(reply, (204,), is_write=True)

    async def upload(self, url: str, body: IBodyProducer, size: int, kind: type[T]) -> T:
        """The answer to an upload of `size` bytes."""
        headers = {**_JSON, "Content-Type": "application/octet-stream"}
        admit = partial(self._points.check, self._token, Budget.REST)
        reply = await self._transport.upload(url, self._token, headers, body, size, admit=admit)
        return self._read(reply, kind, is_write=True)

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        admit = partial(self._points.check, self._token, Budget.REST)
        all_headers = {**_JSON, **(headers or {})}
        return await self._transport.send(method, self._url + path, self._token, all_headers, body, admit=admit)

    def _read(self, reply: Reply, kind: type[T], *, is_write: bool = False) -> T:
        self._check(reply, (200, 201), is_write=is_write)
        with readable():
            return msgspec.json.decode(reply.body, type=kind)

    def _check(self, reply: Reply, wanted: Iterable[int], *, is_write: bool) -> None:
        with self._points.heeding(self._token, Budget.REST, reply):
            try:
                refuse_bad_status(reply, self._now())
            except ForbiddenError as error:
                if not is_write or error.sso_url:
                    raise
                raise ForbiddenError(f"{error.message} {NO_WRITE_ACCESS}") from None
        if reply.status == 404:
            raise GoneError("GitHub says that the release or the file went away meanwhile. Try again.")
        if reply.status == 422:
            raise _rejected(reply)
        if reply.status not in wanted:
            raise UpstreamError(f"GitHub answered a call about a release with status {reply.status}.")


def _rejected(reply: Reply) -> UploadRefusedError:
    with readable():
        rejection = msgspec.json.decode(reply.body, type=_Rejection)
    faults = [fault if isinstance(fault, _Fault) else _Fault(message=fault) for fault in rejection.errors]
    if any(fault.code == "already_exists" for fault in faults):
        return TakenError("There is an asset of this name, or a release of this tag, already.")
    if "immutable release" in rejection.message:
        return UploadRefusedError(_IMMUTABLE)
    if any(fault.message == "Repository is empty." for fault in faults):
        return UploadRefusedError(_EMPTY)
    if any(fault.field == "file_count" for fault in faults):
        return UploadRefusedError("This release is full: GitHub takes up to 1,000 files for one.")
    said = [fault.message or f"{fault.field} is {fault.code}" for fault in faults if fault.message or fault.code]
    return UploadRefusedError(f"GitHub does not take this: {shortened('; '.join(said) or rejection.message)}")
