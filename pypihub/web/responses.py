"""What goes onto the wire: pages, redirects, and every error as a status code with one helpful line."""

from __future__ import annotations

import math
import re
from http import HTTPStatus

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from pypihub.errors import (
    BusyError,
    CredentialsError,
    ForbiddenError,
    HeadTooLargeError,
    NotAcceptableError,
    NotFoundError,
    OwnerNotServedError,
    PyPIHubError,
    RateLimitedError,
    StoppingError,
    TokenRefusedError,
    UploadRefusedError,
    UploadTooLargeError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    URLTooLongError,
)
from pypihub.index.negotiate import matches_etag
from pypihub.index.simple import Page
from pypihub.web.ready import PRIVATE, Ready, ready_redirect

_log = Logger("pypihub")

NOTHING_HERE = "There is nothing at this URL. Packages are at /simple/PROJECT/."

# The first class that fits decides. 404 is for what is not there, 401 and 403 for credentials, and all trouble
# is 429 or 5xx: on a 404 pip and uv go on to the next index, where someone else may own a private name.
_STATUS = (
    (CredentialsError, 401),
    (TokenRefusedError, 401),
    (OwnerNotServedError, 403),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (NotAcceptableError, 406),
    (UploadRefusedError, 400),
    (UploadTooLargeError, 413),
    (URLTooLongError, 414),
    (HeadTooLargeError, 431),
    (RateLimitedError, 429),
    (StoppingError, 503),
    (BusyError, 503),
    (UpstreamTimeoutError, 504),
    (UpstreamUnreachableError, 503),
    (UpstreamError, 502),
)
_CHALLENGE = 'Basic realm="PyPIHub"'
_LONGEST_WAIT = 5
"""Seconds of Retry-After that a client is told at most: pip sleeps for as long without a word."""
_NO_REASON = re.compile(rb"[^\x20-\x7e]+")
_LONGEST_REASON = 400


def send_ready(request: Request, ready: Ready, age: float | None = None) -> bytes:
    """What is ready, or 304 where the client has it already; `age` tells how old a stale page is, in seconds."""
    known = b",".join(request.requestHeaders.getRawHeaders(b"if-none-match", []))
    is_known = bool(known and ready.etag) and matches_etag(known.decode("latin-1"), ready.etag)
    for name, value in ready.headers if not is_known else ready.validators:
        request.setHeader(name, value)
    if age is not None:
        request.setHeader("Age", str(int(age)))
        request.setHeader("Warning", '110 - "Response is Stale"')
    if is_known:
        request.setResponseCode(304)
        return b""
    request.setResponseCode(ready.code)
    return ready.body


def send_static(request: Request, page: Page) -> bytes:
    """A page that is the same for everyone."""
    request.setHeader("ETag", page.etag)
    request.setHeader("Cache-Control", "public, max-age=0, must-revalidate")
    known = b",".join(request.requestHeaders.getRawHeaders(b"if-none-match", []))
    if known and matches_etag(known.decode("latin-1"), page.etag):
        request.setResponseCode(304)
        return b""
    return send_page(request, page)


def send_page(request: Request, page: Page) -> bytes:
    """A page with its own headers, whatever the client has."""
    for name, value in page.headers:
        request.setHeader(name, value)
    return send_body(request, page.body, page.content_type)


def send_body(request: Request, body: bytes, content_type: str) -> bytes:
    """A body with its type and length; for HEAD Twisted leaves the body out."""
    request.setHeader("Content-Type", content_type)
    request.setHeader("Content-Length", str(len(body)))
    request.setHeader("X-Content-Type-Options", "nosniff")
    return body


def send_text(request: Request, text: str) -> bytes:
    """One line of plain text."""
    return send_body(request, f"{text}\n".encode(), "text/plain; charset=utf-8")


def send_file_head(request: Request, size: int) -> bytes:
    """What HEAD tells of a file of `size` bytes. (pip's fast-deps wants no redirect here.)"""
    request.setHeader("Content-Type", "application/octet-stream")
    request.setHeader("Content-Length", str(size))
    request.setHeader("Accept-Ranges", "bytes")
    request.setHeader("Cache-Control", "no-store")
    return b""


def send_metadata(request: Request, content: bytes) -> bytes:
    """A wheel's METADATA, as it is in the wheel."""
    request.setHeader("Cache-Control", PRIVATE)
    return send_body(request, content, "application/octet-stream")


def file_redirect(location: str, until: float) -> Ready:
    """A redirect to a file's bytes; `location` is ASCII, and serves up to the moment `until`."""
    body = b"The file is there.\n"
    headers = [
        ("Location", location),
        ("Cache-Control", "no-store"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return ready_redirect(headers, body, until)


def canonical_redirect(request: Request, location: str) -> bytes:
    """To the URL's canonical spelling, its query kept."""
    _, mark, query = request.uri.partition(b"?")
    safe = re.sub(rb"[^\x21-\x7e]", b"", query).decode()
    request.setResponseCode(301)
    request.setHeader("Location", location + (f"?{safe}" if mark else ""))
    request.setHeader("Cache-Control", PRIVATE)
    return send_text(request, "The canonical URL is there.")


def send_failure(request: Request, failure: Failure) -> bytes:
    """Any failure of a handler, as a response. What is not PyPIHub's own is logged and answered with 500."""
    error = failure.value
    if isinstance(error, MethodNotAllowed):
        request.setHeader("Allow", ", ".join(sorted(error.valid_methods or ())))
        return send_error(request, 405, "This URL does not take the method.")
    if isinstance(error, HTTPException):
        return send_error(request, 404, NOTHING_HERE)
    for kind, code in _STATUS:
        if isinstance(error, kind):
            _add_headers(request, error, code)
            return send_error(request, code, error.message)
    name = ", ".join(request.responseHeaders.getRawHeaders("X-Request-ID", ["-"]))
    _log.failure("Request {name} failed", failure, name=name)
    return send_error(request, 500, f"PyPIHub made a mistake; its log says more of request {name}.")


def send_error(request: Request, code: int, message: str) -> bytes:
    """An error: the reason phrase is for tools that show nothing else (twine), the body for the others (uv)."""
    line = " ".join(message.split())
    short = _NO_REASON.sub(b"?", line.encode("latin-1", "replace"))[:_LONGEST_REASON]
    reason = HTTPStatus(code).phrase.encode() + b": " + short
    request.setResponseCode(code, reason)
    request.setHeader("Cache-Control", "no-store")
    return send_text(request, line)


def _add_headers(request: Request, error: PyPIHubError, code: int) -> None:
    if code == 401:
        request.setHeader("WWW-Authenticate", _CHALLENGE)
    if isinstance(error, RateLimitedError) and error.retry_after is not None and error.retry_after <= _LONGEST_WAIT:
        request.setHeader("Retry-After", str(max(1, math.ceil(error.retry_after))))
    if isinstance(error, BusyError):
        request.setHeader("Retry-After", "1")
