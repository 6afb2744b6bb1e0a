"""How much strangers may ask for: requests at once, and failed logins of an address."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_network

from twisted.web.http import HTTPChannel
from twisted.web.server import Request

from pypihub.config import Limits
from pypihub.errors import BusyError, HeadTooLargeError, TooManyLoginsError, URLTooLongError
from pypihub.web.addresses import ClientAddress

MOST_ADDRESSES = 10_000
"""Addresses whose failed logins are remembered."""

_PREFIX = 64  # bits of an IPv6 address that tell whose it is: each customer has at least so many addresses


class FailedLogins:
    """Counts failed logins of each address; so many of a minute are forgiven, one after the other."""

    def __init__(self, per_minute: int, seconds: Callable[[], float]) -> None:
        self._most = per_minute
        self._seconds = seconds
        self._counts: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many are left, and when that was

    def note(self, address: str) -> None:
        """One more."""
        key = whose(address)
        self._counts[key] = self._left(key) + 1, self._seconds()
        self._counts.move_to_end(key)
        if len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)

    def wait(self, address: str) -> float:
        """Seconds until the address may try again; 0 where it may now."""
        too_many = self._left(whose(address)) - (self._most - 1) if self._counts else 0
        return max(0.0, too_many * 60 / self._most)

    def _left(self, key: str) -> float:
        count, then = self._counts.get(key, (0, 0))
        return max(0.0, count - (self._seconds() - then) * self._most / 60)


class Gate:
    """What requests pass on their way to the routes; those that the front answers do not.

    It holds the `limits` of connections too.
    """

    def __init__(self, limits: Limits, client_address: ClientAddress, seconds: Callable[[], float]) -> None:
        self.limits = limits
        self._client_address = client_address
        self._logins = FailedLogins(limits.failed_logins_per_minute, seconds)
        self._in_flight = 0

    def enter(self, request: Request) -> None:
        """Lets a request in that is there as a whole; it leaves when it is finished. Raises like `check`."""
        self.check(request)
        self._in_flight += 1
        request.notifyFinish().addBoth(self._leave)

    def check(self, request: Request) -> None:
        """Looks at a request whose body may still have to come: by coming slowly it takes nobody's place.

        Raises URLTooLongError, HeadTooLargeError, TooManyLoginsError and BusyError.
        """
        limits = self.limits
        if len(request.uri) > limits.url_length:
            raise URLTooLongError(f"The URL is too long: this server takes up to {limits.url_length} bytes.")
        if not isinstance(request.channel, HTTPChannel) and _head_size(request) > limits.header_size:
            raise HeadTooLargeError(f"The headers are too large: this server takes up to {limits.header_size} bytes.")
        if has_login(request):
            address = self._client_address(request)
            wait = self._logins.wait(address)
            if wait:
                raise TooManyLoginsError(f"Too many logins from {address} failed. Try again in a moment.", wait)
        if self._in_flight >= limits.in_flight:
            raise BusyError("Too many requests are under way already. Try again in a moment.")

    def refused(self, request: Request) -> None:
        """The request's credentials were not accepted. (Many a client asks without any first: that is no login.)"""
        if has_login(request):
            self._logins.note(self._client_address(request))

    def _leave(self, _: object) -> None:
        self._in_flight -= 1


def has_login(request: Request) -> bool:
    """Whether the request came with credentials of any kind."""
    return request.requestHeaders.hasHeader(b"authorization")


def whose(address: str) -> str:
    """The address, or the network of those that one customer has."""
    return str(ip_network((address, _PREFIX), strict=False)) if ":" in address else address


def _head_size(request: Request) -> int:
    """Of HTTP/2, which has no lines to count; Twisted counts those of HTTP/1."""
    headers = request.requestHeaders.getAllRawHeaders()
    return len(request.uri) + sum(len(name) + len(value) for name, values in headers for value in values)
