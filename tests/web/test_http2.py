"""Over TLS clients may speak HTTP/2: all is as it is by HTTP/1.1, and many answers share a connection."""

from __future__ import annotations

import hashlib
import resource
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.forms import CONTENT_TYPE, form, upload_parts
from support.hub import Hub
from support.streams import Streams, connect_streams
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from pypihub.sandbox.faults import CutBody, Hang, Latency
from pypihub.sandbox.samples import sample_wheel

CONTENT = bytes(range(256)) * 4000


@dataclass
class Secure:
    """A hub by https, and clients that trust its certificate."""

    hub: Hub
    crt: Path
    opened: list[Any]

    def client(self, *, http2: bool = True) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.crt))
        self.opened.append(
            httpx.Client(
                base_url=self.hub.url,
                auth=("octo", self.hub.token),
                http2=http2,
                verify=context,
                trust_env=False,
                timeout=60,
            )
        )
        return self.opened[-1]

    async def ask(self, method: str, path: str, *, http2: bool = True, **how: Any) -> httpx.Response:
        answer = await deferToThread(self.client(http2=http2).request, method, path, **how)
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        return answer

    async def streams(self, **how: Any) -> Streams:
        self.opened.append(await connect_streams(self.hub, self.crt, **how))
        return self.opened[-1]

    async def close(self) -> None:
        for each in self.opened:
            each.close() if isinstance(each, httpx.Client) else each.hang_up()


@pytest_twisted.async_yield_fixture
async def make_secure(make_hub: Callable[..., Any], tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Secure]]]:
    crt, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    write_certificate(crt, key)
    made: list[Secure] = []

    async def make(**options: Any) -> Secure:
        made.append(Secure(await make_hub(tls=(crt, key), **options), crt, []))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest_twisted.async_fixture
async def secure(make_secure: Callable[..., Awaitable[Secure]]) -> Secure:
    return await make_secure()


def publish(hub: Hub, content: bytes | Path | None = None) -> str:
    """The path of a file in a private repository."""
    name, wheel = sample_wheel("demo", "1.0")
    asset = hub.world.add_repository("octo/demo").add_release("v1").add_asset(name, content or wheel)
    return f"/asset/{asset.id}/{name}"


def memory() -> int:
    """This process's memory now, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def same(answer: httpx.Response) -> dict[str, str]:
    """The headers that tell of the answer, not of the connection or the request."""
    others = ("date", "connection", "age", "warning", "x-request-id")
    return {name: value for name, value in answer.headers.items() if name not in others}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path", ["/", "/simple/demo/", "/simple/Demo", "/simple/missing/", "/nothing", "FILE", "METADATA"]
)
@ensureDeferred
async def test_an_answer_is_the_same_by_either(secure: Secure, method: str, path: str) -> None:
    file = publish(secure.hub)
    path = path.replace("FILE", file).replace("METADATA", f"{file}.metadata")
    await secure.ask("GET", f"{file}.metadata")  # the page changes with it
    one, other = [await secure.ask(method, path, http2=http2) for http2 in (False, True)]
    assert (one.status_code, one.content) == (other.status_code, other.content)
    if "location" in one.headers and "token" in one.headers["location"]:
        for answer in (one, other):
            answer.headers.pop("location")  # a signed one, of its own each time
    assert same(one) == same(other)


@ensureDeferred
async def test_what_a_client_has_already_is_304(secure: Secure) -> None:
    await secure.ask("GET", f"{publish(secure.hub)}.metadata")  # the page changes with it
    first = await secure.ask("GET", "/simple/demo/")
    again = await secure.ask("GET", "/simple/demo/", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


@ensureDeferred
async def test_many_answers_share_a_connection(secure: Secure) -> None:
    publish(secure.hub)
    streams = await secure.streams()
    asked = [streams.ask("/simple/demo/") for _ in range(50)]
    await streams.until(lambda: all(stream.is_whole for stream in asked))
    assert {stream.headers[":status"] for stream in asked} == {"200"}
    assert {len(stream.body) for stream in asked} == {len(asked[0].body)}
    assert not streams.goodbyes


@ensureDeferred
async def test_each_request_is_a_line_of_the_log(secure: Secure, log_lines: list[str]) -> None:
    await secure.ask("GET", "/simple/missing/")
    assert sum('"GET /simple/missing/" 404 ' in line for line in log_lines) == 1


@ensureDeferred
async def test_a_file_passes_at_its_reader_s_pace(
    make_secure: Callable[..., Awaitable[Secure]], tmp_path: Path
) -> None:
    secure = await make_secure(mode="proxy")
    with (tmp_path / "large.whl").open("wb") as file:
        file.truncate(200_000_000)
    path = publish(secure.hub, Path(file.name))
    streams = await secure.streams(reads=False)
    before = memory()
    stream = streams.ask(path)
    await streams.until(lambda: len(stream.body) >= 65535)
    for _ in range(200):  # whatever would flow flows now
        await deferLater(secure.hub.reactor, 0.001)
    assert len(stream.body) == 65535, "more than the window allows"
    assert memory() - before < 16_000_000
    other = streams.ask("/", "HEAD")  # it does not wait behind the file
    await streams.until(lambda: other.is_whole)
    busy = secure.hub.sandbox.connections
    streams.hang_up()
    await streams.until(lambda: secure.hub.sandbox.connections < busy)


@ensureDeferred
async def test_a_file_is_its_bytes(make_secure: Callable[..., Awaitable[Secure]]) -> None:
    secure = await make_secure(mode="proxy")
    answer = await secure.ask("GET", publish(secure.hub, CONTENT))
    assert answer.content == CONTENT
    assert answer.headers["content-length"] == str(len(CONTENT))


@ensureDeferred
async def test_a_file_that_breaks_off_is_a_stream_that_is_reset(make_secure: Callable[..., Awaitable[Secure]]) -> None:
    secure = await make_secure(mode="proxy")
    path = publish(secure.hub, CONTENT)
    secure.hub.sandbox.faults.add(CutBody(100_000), where="storage")
    streams = await secure.streams()
    cut, whole = streams.ask(path), streams.ask("/")
    await streams.until(lambda: cut.is_reset and whole.is_whole)
    assert not cut.is_whole


@ensureDeferred
async def test_an_upload_is_taken_in(secure: Secure) -> None:
    secure.hub.world.add_repository("octo/demo")
    token = secure.hub.token
    name, wheel = sample_wheel("demo", "1.0")
    body = form(upload_parts(name, wheel, "demo", "1.0", sha256_digest=hashlib.sha256(wheel).hexdigest()))
    answer = await secure.ask("POST", "/legacy/", content=body, headers={"Content-Type": CONTENT_TYPE})
    assert (answer.status_code, answer.text) == (200, "The file is published.\n")
    assert name in (await secure.ask("GET", "/simple/demo/")).text
    assert token == secure.hub.token


@ensureDeferred
async def test_an_upload_is_refused_before_its_end(make_secure: Callable[..., Awaitable[Secure]]) -> None:
    secure = await make_secure(max_size=1000)
    answer = await secure.ask("POST", "/legacy/", content=b"x" * 9_000_000, headers={"Content-Type": CONTENT_TYPE})
    assert answer.status_code == 413


@ensureDeferred
async def test_who_waits_for_us_is_not_timed_out(secure: Secure) -> None:
    """Twisted would end the connection after a minute without a frame, such as while GitHub takes an upload."""
    publish(secure.hub)
    site = secure.hub.services[0].serving.site
    site.timeOut = 0.1
    secure.hub.sandbox.faults.add(Latency(0.5))
    streams = await secure.streams()
    slow = streams.ask("/simple/demo/")
    await streams.until(lambda: slow.is_whole)
    assert slow.headers[":status"] == "200"
    await streams.until(lambda: streams.is_closed)  # now nobody waits


def stop_daemon(hub: Hub) -> Deferred[None]:
    """Stops the daemon, and not yet the sandbox."""
    stopping: Deferred[None] = hub.services.pop().stopService()
    return stopping


@ensureDeferred
async def test_when_it_is_stopped_all_that_was_begun_is_answered(secure: Secure) -> None:
    publish(secure.hub)
    secure.hub.sandbox.faults.add(Latency(0.3), times=None)
    streams = await secure.streams()
    asked = [streams.ask("/simple/demo/"), streams.ask("/"), streams.ask("/simple/missing/")]
    await streams.until(lambda: secure.hub.asked() >= 2 and asked[1].is_whole)
    stopping = stop_daemon(secure.hub)
    await streams.until(lambda: streams.goodbyes)
    assert streams.goodbyes == [2**31 - 1], "begin no more"
    late = streams.ask("/")  # it was on its way
    await stopping
    await streams.until(lambda: streams.is_closed)
    assert [stream.headers[":status"] for stream in (*asked, late)] == ["200", "200", "404", "200"]
    assert all(stream.is_whole for stream in (*asked, late))
    assert streams.goodbyes == [2**31 - 1, late.number]


@ensureDeferred
async def test_a_file_for_a_slow_reader_is_sent_whole_when_it_is_stopped(
    make_secure: Callable[..., Awaitable[Secure]],
) -> None:
    secure = await make_secure(mode="proxy")
    path = publish(secure.hub, CONTENT)
    streams = await secure.streams()
    first = streams.ask("/")
    await streams.until(lambda: first.is_whole)
    streams.transport.pauseProducing()
    stream = streams.ask(path)
    await streams.until(lambda: secure.hub.asked("storage"))
    stopping = stop_daemon(secure.hub)
    await deferLater(secure.hub.reactor, 0.1)
    streams.transport.resumeProducing()
    await gatherResults([stopping])
    await streams.until(lambda: streams.is_closed)
    assert stream.is_whole
    assert stream.body == CONTENT


@ensureDeferred
async def test_a_connection_on_which_nothing_goes_on_ends_at_once(secure: Secure) -> None:
    streams = await secure.streams()
    first = streams.ask("/")
    await streams.until(lambda: first.is_whole)
    await stop_daemon(secure.hub)
    await streams.until(lambda: streams.is_closed)
    assert streams.goodbyes[-1] == first.number


@ensureDeferred
async def test_it_takes_no_longer_than_configured(make_secure: Callable[..., Awaitable[Secure]]) -> None:
    secure = await make_secure(drain=0.2)
    publish(secure.hub)
    secure.hub.sandbox.faults.add(Hang(), times=None)
    streams = await secure.streams()
    stream = streams.ask("/simple/demo/")
    await streams.until(secure.hub.asked)
    await stop_daemon(secure.hub)
    await streams.until(lambda: stream.is_whole)
    assert stream.headers[":status"] == "503"
