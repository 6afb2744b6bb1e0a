"""How exchanges wait, end and fail: on a clock, with an agent whose answers come when the test wants them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from pypihub.errors import BusyError, RateLimitedError, UpstreamTimeoutError, UpstreamUnreachableError
from pypihub.github.answers import Reply
from pypihub.github.breaker import MOST_FAILURES, BreakerOpenError
from pypihub.github.client import Client
from pypihub.github.credentials import SignedURL, Source, Token
from pypihub.github.places import MOST_AT_ONCE, MOST_OF_A_TOKEN, MOST_WAITING
from pypihub.github.transport import SLOWEST, Transport
from pypihub.index.names import Owner, Repository

TIMEOUT = 10


@implementer(IResponse)
class Response:
    """An answer without a body."""

    version = (b"HTTP", 1, 1)
    phrase = b""
    length = 0
    request = None
    previousResponse = None  # noqa: N815  # the name is the interface's

    def __init__(self, code: int) -> None:
        self.code = code
        self.headers = Headers()

    def deliverBody(self, protocol: Any) -> None:
        protocol.makeConnection(StringTransport())
        protocol.connectionLost(Failure(ResponseDone()))

    def setPreviousResponse(self, response: IResponse) -> None:
        raise NotImplementedError


@implementer(IAgent)
class Agent:
    """Keeps what is asked, until the test answers or the transport does not want to know any more."""

    def __init__(self) -> None:
        self.asked: list[Deferred[IResponse]] = []

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: object = None
    ) -> Deferred[IResponse]:
        self.asked.append(Deferred())
        return self.asked[-1]

    @property
    def under_way(self) -> list[Deferred[IResponse]]:
        return [each for each in self.asked if not each.called]

    def answer(self, code: int = 200, number: int = 1) -> None:
        for each in self.under_way[:number]:
            each.callback(Response(code))

    def fail(self, number: int = 1) -> None:
        for each in self.under_way[:number]:
            each.errback(Refused())


class Visit:
    """A caller who waits; `outcome` is the status that it got, or the kind of its error."""

    def __init__(self, exchange: Coroutine[Deferred[Any], Any, Reply]) -> None:
        self.outcome: int | type[BaseException] | None = None
        self.told = ""
        self._running = Deferred.fromCoroutine(exchange)
        self._running.addCallbacks(self._answered, self._failed)

    def leave(self) -> None:
        self._running.cancel()

    def _answered(self, reply: Reply) -> None:
        self.outcome = reply.status

    def _failed(self, failure: Failure) -> None:
        self.outcome, self.told = failure.type, failure.getErrorMessage()


class Room:
    """A transport, and who uses it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.agent = Agent()
        self.transport = Transport(self.agent, self.clock, TIMEOUT)
        self.limited = False

    def send(self, token: str = "mine", number: int = 1) -> list[Visit]:
        """API calls; none is to be sent while `limited`."""

        def admit() -> None:
            if self.limited:
                raise RateLimitedError("No points.")

        url = "http://api.example/"
        return [Visit(self.transport.send("GET", url, Token(token), {}, admit=admit)) for _ in range(number)]

    def fetch(self, number: int = 1) -> list[Visit]:
        """Readings from the storage, which may take a hundred seconds longer."""
        source = Source(SignedURL("http://storage.example/file"))
        return [Visit(self.transport.fetch(source, {}, 100 * SLOWEST)) for _ in range(number)]


def outcomes(visits: list[Visit]) -> set[int | type[BaseException] | None]:
    return {visit.outcome for visit in visits}


@pytest.fixture
def room() -> Room:
    return Room()


def test_one_token_asks_only_so_much_at_once_and_keeps_nobody_waiting(room: Room) -> None:
    room.send("mine", MOST_OF_A_TOKEN + 5)
    assert len(room.agent.asked) == MOST_OF_A_TOKEN
    room.send("yours", 1)
    assert len(room.agent.asked) == MOST_OF_A_TOKEN + 1
    room.agent.answer(number=3)
    assert len(room.agent.asked) == MOST_OF_A_TOKEN + 1 + 3


def test_the_storage_has_its_share_of_the_places(room: Room) -> None:
    room.fetch(MOST_AT_ONCE + 5)
    (visit,) = room.send()
    assert len(room.agent.asked) == MOST_AT_ONCE
    room.agent.answer(number=2)
    room.agent.answer(number=MOST_AT_ONCE)
    assert visit.outcome == 200


def test_whatever_the_end_the_place_is_the_next_one_s(room: Room) -> None:
    leaving, *others = room.send(number=MOST_OF_A_TOKEN)
    next_ones = room.send(number=3)
    leaving.leave()
    room.agent.fail()
    room.agent.answer()
    assert len(room.agent.asked) == MOST_OF_A_TOKEN + 3
    assert [others[0].outcome, others[1].outcome] == [UpstreamUnreachableError, 200]
    room.agent.answer(number=MOST_OF_A_TOKEN)
    assert outcomes(next_ones) == {200}


def test_the_wait_for_a_place_counts_as_a_wait_for_github(room: Room) -> None:
    room.send(number=MOST_OF_A_TOKEN)
    room.clock.advance(1)
    (visit,) = room.send()
    room.clock.advance(3)
    room.agent.answer()
    room.clock.advance(6.9)
    assert visit.outcome is None
    room.clock.advance(0.2)
    assert visit.outcome is UpstreamTimeoutError


def test_who_gets_a_place_late_has_half_of_the_time_for_github(room: Room) -> None:
    room.send(number=MOST_OF_A_TOKEN)
    room.clock.advance(0.2)
    late, later = room.send(number=2)
    room.clock.advance(9.7)
    room.agent.answer(number=2)
    room.clock.advance(4.9)
    assert (late.outcome, later.outcome) == (None, None)
    room.agent.under_way[-2].callback(Response(200))
    room.clock.advance(0.2)
    assert (late.outcome, later.outcome) == (200, UpstreamTimeoutError)


def test_who_gets_no_place_in_time_is_told_and_github_is_not_to_blame(room: Room) -> None:
    room.fetch(MOST_AT_ONCE)
    visits = room.send(number=2 * MOST_FAILURES)
    room.clock.advance(TIMEOUT - 0.1)
    assert outcomes(visits) == {None}
    room.clock.advance(0.1)
    assert outcomes(visits) == {UpstreamTimeoutError}
    assert visits[0].told == "There was no place towards GitHub within 10 s."
    assert len(room.agent.asked) == MOST_AT_ONCE
    assert not room.transport.api.is_open


def test_who_leaves_the_queue_is_not_sent(room: Room) -> None:
    room.send(number=MOST_OF_A_TOKEN)
    leaving, staying = room.send(number=2)
    leaving.leave()
    assert leaving.outcome is CancelledError
    room.agent.answer(number=2)
    assert len(room.agent.asked) == MOST_OF_A_TOKEN + 1
    room.agent.under_way[-1].callback(Response(404))
    assert staying.outcome == 404


def test_who_leaves_is_neither_a_failure_nor_a_success(room: Room) -> None:
    for _ in range(MOST_FAILURES - 1):
        room.send()
        room.agent.fail()
    for visit in room.send(number=MOST_OF_A_TOKEN):
        visit.leave()
    assert not room.transport.api.is_open
    room.send()
    room.agent.fail()
    assert room.transport.api.is_open


def test_more_than_can_wait_are_told_at_once(room: Room) -> None:
    visits = room.send(number=MOST_OF_A_TOKEN + MOST_WAITING)
    assert outcomes(visits) == {None}
    assert outcomes(room.send(number=3)) == {BusyError}
    assert len(room.agent.asked) == MOST_OF_A_TOKEN


def test_those_who_wait_when_the_breaker_opens_are_told_and_not_sent(room: Room) -> None:
    under_way = room.send(number=MOST_OF_A_TOKEN)
    visits = room.send(number=MOST_WAITING)
    room.agent.fail(MOST_FAILURES)
    assert outcomes(under_way[:MOST_FAILURES]) == {UpstreamUnreachableError}
    assert len(room.agent.asked) == MOST_OF_A_TOKEN + MOST_FAILURES - 1
    assert outcomes(visits[MOST_FAILURES - 1 :]) == {BreakerOpenError}
    assert outcomes(room.send()) == {BreakerOpenError}


def test_while_the_breaker_is_open_nobody_waits_for_a_place(room: Room) -> None:
    room.send(number=MOST_FAILURES)
    room.agent.fail(MOST_FAILURES)
    room.fetch(MOST_AT_ONCE)
    assert outcomes(room.send()) == {BreakerOpenError}


def test_the_client_does_not_try_an_open_breaker_again(room: Room) -> None:
    api = "http://api.example"
    client = Client(room.transport, room.clock, api_url=api, graphql_url=f"{api}/graphql")
    room.send(number=MOST_FAILURES)
    room.agent.fail(MOST_FAILURES)
    listing = Deferred.fromCoroutine(client.listing(Token("mine"), Repository(Owner("octo"), "demo")))
    assert listing.called
    with pytest.raises(BreakerOpenError):
        listing.result.raiseException()
    listing.addErrback(lambda _: None)
    assert not room.clock.getDelayedCalls()


def test_one_probe_at_a_time_goes_to_github_once_the_pause_is_over(room: Room) -> None:
    for _ in range(MOST_FAILURES):
        room.send()
        room.agent.fail()
    room.clock.advance(1)
    probe, other = room.send(number=2)
    assert len(room.agent.under_way) == 1
    assert (probe.outcome, other.outcome) == (None, BreakerOpenError)
    room.agent.answer(404)
    assert probe.outcome == 404
    visits = room.send(number=2)
    room.agent.answer(number=2)
    assert outcomes(visits) == {200}


def test_the_storage_s_trouble_is_not_the_api_s_and_not_the_other_way_round(room: Room) -> None:
    for _ in range(MOST_FAILURES):
        room.fetch()
        room.agent.answer(500)
    assert (room.transport.storage.is_open, room.transport.api.is_open) == (True, False)
    (refused,) = room.fetch()
    assert refused.told.startswith("GitHub's storage has failed 5 times in a row")
    room.send()
    assert len(room.agent.under_way) == 1
    room.agent.answer(500)
    for _ in range(MOST_FAILURES - 1):
        room.send()
        room.agent.answer(500)
    room.clock.advance(1)
    (visit,) = room.fetch()
    room.agent.answer(206)
    assert visit.outcome == 206
    assert (room.transport.storage.is_open, room.transport.api.is_open) == (False, True)


def test_what_is_no_more_admitted_after_the_wait_is_not_sent(room: Room) -> None:
    room.send(number=MOST_OF_A_TOKEN)
    visits = room.send(number=MOST_WAITING)
    room.limited = True
    assert outcomes(room.send(number=1)) == {RateLimitedError}
    room.agent.answer(429)
    assert outcomes(visits) == {RateLimitedError}
    assert len(room.agent.asked) == MOST_OF_A_TOKEN
