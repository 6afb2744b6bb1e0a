"""Whatever a stranger sends, over a socket: in time a well-formed answer of a kind that is meant, or the end.

What is known to be nasty is tried in all places, and what hypothesis thinks of. The strangers are in a thread of their
own, where hypothesis may wait for the socket.
"""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_twisted
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pytest_twisted import ensureDeferred
from support.answers import Reply, read_replies
from support.forms import CONTENT_TYPE, field, file, form
from support.hub import Hub, basic
from twisted.internet.threads import deferToThread

from pypihub.sandbox.samples import sample_wheel

EXAMPLES = 60
TIME = 60.0
"""Seconds after which a connection counts as one that hangs; the hub's limits are a part of one."""
MEANT = {200, 206, 301, 302, 304, 400, 401, 403, 404, 405, 406, 413, 414, 416, 431}

CORPUS = [
    b"", b"/", b"//", b".", b"..", b"../../etc/passwd", b"..%2f..%2fetc", b"%2e%2e/", b"%252e%252e%252f", b"%2F",
    b"%5c", b"%00", b"\x00", b"%", b"%zz", b"%ff", b"\xff\xfe", b"\xc3\xa9", b"%c3%a9", b"%c0%ae", b"%ed%a0%80",
    b"%0d%0aX-Evil:%201", b"\r\nX-Evil: 1", b"\nX-Evil: 1", b"\rX-Evil: 1", b"%0aSet-Cookie:a=b", b"\x0b", b"\x7f",
    b"\t", b"\xe2\x80\xae",
    b"<script>alert(1)</script>", b"\"><img src=x onerror=alert(1)>", b"' OR 1=1--", b"{{7*7}}", b"${jndi:ldap://x}",
    b"http://elsewhere/", b"//elsewhere", b"file:///etc/passwd", b"?", b"#", b"?format=", b"?format=%ff", b"?a=b&a=c",
    b"*", b"a" * 300, b"9" * 400, b"-1", b"1e999", b"nan", b"-" * 50, b"_.-", b"demo", b"Demo", b"octo", b"__token__",
    b"1.0", b"1!2.0.post3.dev4+local", b"1.0" + b".0" * 100, b"9" * 5000, b"CON", b"~root", b"con\xc2\xa0",
]  # fmt: skip
QUALITIES = [
    b"text/html;q=nan",
    b"*/*;q=1e400",
    b";",
    b",,,",
    b"a/b/c;q",
    b'text/html;q="1',
    b"application/json;q=0.5.5",
]
RANGES = [
    b"bytes=", b"bytes=-", b"bytes=0-", b"bytes=-0", b"bytes=5-1", b"bytes=0-0,2-3", b"bytes=999999999999999999999-",
    b"items=0-1", b"bytes=a-b", b"bytes=--1", b"bytes=" + b"0-1," * 500,
]  # fmt: skip
LOGINS = [
    b"", b"Basic", b"Basic ", b"Basic =", b"Basic !!!", b"Bearer x", b"Digest username=\"a\"", b"basic\tYTpi", b"\xff",
    *(b"Basic " + base64.b64encode(plain) for plain in (b":", b"octo", b"octo:", b":x", b"a:b:c", b"\xff:\xff",
      b"octo:a\r\nX-Evil: 1", b"octo:\x00", b"o/../x:y", b"octo:" + b"t" * 9000, b"__token__:x", b"-:x", b"a b:x")),
]  # fmt: skip
TAGS = [b'"', b"W/", b'W/"', b"*", b'"a","b', b'""', b"\xff", b'"' + b"a" * 5000 + b'"', b",", b'W/"x" "y"']

nasty = st.sampled_from(CORPUS)
words = st.one_of(nasty, st.binary(max_size=40), st.text(max_size=20).map(lambda text: text.encode(errors="replace")))
values = st.one_of(
    words, st.lists(st.sampled_from(QUALITIES + RANGES + LOGINS + TAGS + CORPUS), max_size=3).map(b",".join)
)
paths = st.builds(
    lambda start, rest: start + b"/".join(rest),
    st.sampled_from(
        [
            b"/",
            b"/simple/",
            b"/octo/simple/",
            b"/legacy/",
            b"/asset/",
            b"/octo/asset/1/",
            b"/pypi/",
            b"/octo/pypi/",
            b"",
        ]
    ),
    st.lists(words, max_size=4),
)
NAMES = [
    b"Authorization", b"Accept", b"Accept-Encoding", b"Range", b"If-Range", b"If-None-Match", b"If-Modified-Since",
    b"Host",
    b"Cache-Control", b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"Expect", b"Connection", b"User-Agent",
    b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Request-ID", b"Cookie", b"Upgrade", b"Forwarded", b"Referer",
]  # fmt: skip


def beside_the_reactor(test: Callable[..., None]) -> Any:
    """A test that runs in a thread while the reactor serves."""

    @ensureDeferred
    @wraps(test, updated=())
    async def run(*arguments: Any, **named: Any) -> None:
        await deferToThread(test, *arguments, **named)

    return run


def exchange(hub: Hub, sent: bytes) -> bytes:
    """All that comes back; fails where the connection does not end in time."""
    read = b""
    connection = socket.create_connection(("127.0.0.1", urlsplit(hub.url).port or 0), TIME)
    with closing(connection), suppress(ConnectionError):  # it need not read all that is sent before it closes
        connection.sendall(sent)
        while piece := connection.recv(65536):
            read += piece
    return read


def ask(hub: Hub, sent: bytes) -> list[Reply]:
    """The answers; each is sound and of a kind that is meant."""
    replies = read_replies(exchange(hub, sent), is_head=sent.startswith(b"HEAD "))
    for reply in replies:
        assert reply.code in MEANT, reply
    return replies


def request(path: bytes, *headers: bytes, method: bytes = b"GET", login: bytes | None = None) -> bytes:
    head = [method + b" " + path + b" HTTP/1.1", b"Host: x", b"Connection: close", *headers]
    if login is not None:
        head.append(b"Authorization: " + login)
    return b"\r\n".join([*head, b"", b""])


async def start(make_hub: Any, seconds: float) -> Hub:
    """A hub with a project, which waits so long for the rest of a request, or for the next one."""
    limits = dict.fromkeys(("idle", "headers", "body"), seconds) | {"failed_logins_per_minute": 10**9}
    hub: Hub = await make_hub(limits=limits, ttl=60, mode="proxy")
    name, content = sample_wheel("demo", "1.0")
    hub.world.add_repository("octo/demo").add_release("v1").add_asset(name, content)
    return hub


@pytest_twisted.async_fixture
async def known(make_hub: Any) -> Hub:
    """A hub that answers: also on a busy machine a request is there in time."""
    return await start(make_hub, 20)


@pytest_twisted.async_fixture
async def hasty(make_hub: Any) -> Hub:
    """A hub that ends connections soon, for what has no end by itself; it need not answer."""
    return await start(make_hub, 0.1)


@pytest.fixture
def login(known: Hub) -> bytes:
    return basic("octo", known.token).encode()


def tries(number: int = EXAMPLES) -> Any:
    """So many examples of what hypothesis thinks of, all with one hub."""
    return settings(max_examples=number, suppress_health_check=list(HealthCheck), database=None)


def single_line(value: bytes) -> bool:
    """Whether a client can put it into a line at all."""
    return not any(byte in value for byte in b"\r\n")


@beside_the_reactor
@tries()
@given(sent=st.one_of(st.binary(max_size=200), st.lists(words, max_size=6).map(b" ".join)), ends=st.booleans())
@example(sent=b"GET / HTTP/9.9", ends=True)
@example(sent=b"GET  HTTP/1.1", ends=True)
@example(sent=b"PRI * HTTP/2.0", ends=True)
@example(sent=b"\x16\x03\x01\x02\x00", ends=True)
@example(sent=b"CONNECT elsewhere:443 HTTP/1.1", ends=True)
@example(sent=b"GET / HTTP/1.1\r\n : x", ends=True)
@example(sent=b"GET / HTTP/1.1\r\nA\x00B: x", ends=True)
def test_any_bytes_for_a_request(hasty: Hub, sent: bytes, ends: bool) -> None:
    ask(hasty, sent + (b"\r\n\r\n" if ends else b""))


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"BREW"])
@beside_the_reactor
@tries(30)
@given(path=paths)
def test_any_path(known: Hub, login: bytes, method: bytes, path: bytes) -> None:
    ask(known, request(path, method=method, login=login))


@pytest.mark.parametrize("start", [b"/simple/", b"/octo/simple/", b"/pypi/", b"/asset/1/", b"/legacy/+simple/", b"/"])
@beside_the_reactor
def test_every_nasty_word_in_every_path(known: Hub, login: bytes, start: bytes) -> None:
    for word in CORPUS:
        if single_line(word):
            for end in (b"", b"/", b"/json", b"/" + word):
                (reply,) = ask(known, request(start + word + end, login=login))
                assert b"<script" not in reply.body
                assert not reply.headers.get(b"location", b"").startswith((b"//", b"http", b"\\"))


@pytest.mark.parametrize("name", NAMES)
@beside_the_reactor
@tries(25)
@given(value=values)
def test_any_value_of_a_header(hasty: Hub, name: bytes, value: bytes) -> None:
    login = None if name == b"Authorization" else basic("octo", hasty.token).encode()
    ask(hasty, request(b"/simple/demo/", name + b": " + value, login=login))


@pytest.mark.parametrize(
    ("name", "corpus"),
    [
        (b"Accept", QUALITIES), (b"Accept-Encoding", QUALITIES), (b"Range", RANGES), (b"If-Range", TAGS),
        (b"If-None-Match", TAGS), (b"Authorization", LOGINS),
    ],
)  # fmt: skip
@beside_the_reactor
def test_every_nasty_value_of_its_header(known: Hub, login: bytes, name: bytes, corpus: list[bytes]) -> None:
    page = exchange(known, request(b"/simple/demo/", login=login))
    file_path = re.findall(rb'href="\.\./\.\.(/asset/[^"#]+)', page)[0]
    for path in (b"/simple/demo/", file_path):
        for value in corpus:
            ask(known, request(path, name + b": " + value, login=login if name != b"Authorization" else None))


@beside_the_reactor
@tries()
@given(user=words, password=words, scheme=st.sampled_from([b"Basic", b"basic", b"BASIC", b"Bearer", b"Basic\t"]))
def test_any_credentials(known: Hub, user: bytes, password: bytes, scheme: bytes) -> None:
    login = scheme + b" " + base64.b64encode(user + b":" + password)
    (reply,) = ask(known, request(b"/simple/demo/", login=login))
    assert reply.code in (401, 403, 404)


@beside_the_reactor
@tries()
@given(name=words, version=words, owner=words)
def test_any_name_and_version(known: Hub, login: bytes, name: bytes, version: bytes, owner: bytes) -> None:
    for path in (b"/pypi/%s/json" % name, b"/pypi/%s/%s/json" % (name, version), b"/%s/simple/%s/" % (owner, name)):
        ask(known, request(path, login=login))


@beside_the_reactor
@tries()
@given(fields=st.dictionaries(st.text(max_size=15), st.text(max_size=40), max_size=6), filename=st.text(max_size=40))
@example(fields={":action": "file_upload", "name": "demo", "version": "1.0"}, filename="../../etc/passwd")
@example(fields={":action": "file_upload", "name": "demo", "version": "9" * 5000}, filename="demo-1.0.tar.gz")
@example(fields={":action": "file_upload", "name": "demo\r\nX-Evil: 1", "version": "1.0"}, filename="demo-1.0.tar.gz")
def test_any_form(known: Hub, login: bytes, fields: dict[str, str], filename: str) -> None:
    parts = [
        (name.encode(errors="replace").decode(), None, value.encode(errors="replace")) for name, value in fields.items()
    ]
    body = form([*parts, file(filename.encode(errors="replace").decode(), b"x")])
    headers = [b"Content-Type: " + CONTENT_TYPE.encode(), b"Content-Length: %d" % len(body)]
    (reply,) = ask(known, request(b"/legacy/", *headers, method=b"POST", login=login) + body)
    assert reply.code == 400


@beside_the_reactor
@tries(30)
@given(
    body=st.binary(max_size=300),
    kind=st.one_of(st.just(CONTENT_TYPE.encode()), values),
    more=st.sampled_from([0, 0, 0, -1, 1]),
)
def test_any_body(hasty: Hub, body: bytes, kind: bytes, more: int) -> None:
    login = basic("octo", hasty.token).encode()
    for framing in (b"Content-Length: %d" % max(0, len(body) + more), b"Transfer-Encoding: chunked"):
        ask(hasty, request(b"/legacy/", b"Content-Type: " + kind, framing, method=b"POST", login=login) + body)


@beside_the_reactor
def test_two_lengths_are_no_request(known: Hub, login: bytes) -> None:
    """A proxy may believe one, PyPIHub the other: so requests are smuggled."""
    for framing in (
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Content-Length: +5",),
        (b"Content-Length: 5,5",),
        (b"Content-Length: 0x5",),
        (b"Transfer-Encoding: xchunked",),
        (b"Content-Length : 5",),
    ):
        sent = request(b"/", *framing, method=b"POST", login=login) + b"0\r\n\r\nGET /simple/ HTTP/1.1\r\n\r\n"
        assert [reply.code for reply in ask(known, sent)] == [400]


@beside_the_reactor
def test_fields_that_a_form_has_at_all(known: Hub, login: bytes) -> None:
    body = form([field("a", "b")])
    headers = [b"Content-Type: " + CONTENT_TYPE.encode(), b"Content-Length: %d" % len(body)]
    assert [reply.code for reply in ask(known, request(b"/legacy/", *headers, method=b"POST", login=login) + body)] == [
        400
    ]
