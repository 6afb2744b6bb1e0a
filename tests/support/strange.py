"""GitHub's answers with something wrong in them: types, nulls, numbers, texts, headers, statuses, bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

STATUSES = [
    100, 199, 200, 201, 202, 204, 206, 207, 226, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 409,
    410, 413, 415, 416, 418, 422, 428, 429, 451, 500, 501, 502, 503, 504, 511, 520, 599, 999,
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, 10**400, -(10**30), 0.5, 1e308, "", " ", "0",
    "null", "x" * 100_000,
    [], {}, [[]], [None], {"": ""}, [1, "2", None], "\x00", "\r\nX-Evil: 1", "<script>alert(1)</script>", "\ud800",
    "../../etc/passwd", "http://evil.example/", "https://api.github.com@evil.example/", "//evil.example",
    "\u202e\u0000",
    "javascript:alert(1)", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+14:00", "https://-bad-.example/", "https://a..b/", "https://h:/",
    "2026-01-01", "sha256:", "sha256:" + "g" * 64, "md5:x", "sha256:" + "0" * 64, '"><img src=x onerror=alert(1)>',
]  # fmt: skip
HEADERS = [
    ("x-ratelimit-remaining", "0"), ("x-ratelimit-remaining", "-1"), ("x-ratelimit-remaining", "9" * 30),
    ("x-ratelimit-reset", "0"), ("x-ratelimit-reset", "9" * 12), ("x-ratelimit-reset", "NaN"), ("retry-after", "-5"),
    ("retry-after", "9" * 12), ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"), ("x-ratelimit-resource", "\xff"),
    ("x-ratelimit-remaining", "\xff"), ("retry-after", "\xb2"), ("location", "\xff"), ("location", ""),
    ("location", "/relative"), ("location", "ftp://evil.example/"), ("location", "http://[::1"), ("location",
    "http://"),
    ("location", "http://evil.example:99999/"), ("location", "https://good.example/\xe9"), ("location", "https://a b/"),
    ("x-github-sso", "required; url=\xff"), ("x-github-sso", "required; url=https://x/\xff"), ("content-type", "\xff"),
    ("set-cookie", "a=b; domain=.com"), ("content-range", "bytes 0-0/*"), ("content-range", "\xff"), ("etag", "\xff"),
    ("content-encoding", "gzip"), ("content-encoding", "br"), ("content-encoding", "\xff"), ("last-modified", "\xff"),
    ("content-type", "text/html; charset=utf-16"), ("content-type", 'application/json; charset="nonsense'),
]  # fmt: skip
BODIES = [
    b"", b"null", b"[]", b"{}", b"0", b'""', b"true", b"nan", b"{", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe",
    b"\x00",
    b"<html><body>Unicorn!</body></html>", b'{"data": null}', b'{"data": {}}', b'{"errors": []}', b'{"errors": null}',
    b'{"data": null, "errors": [{}]}', b'{"errors": [{"message": null}]}', b'{"errors": [{"type": "NOT_FOUND"}]}',
    b'{"errors": [{"type": "NOT_FOUND", "path": []}]}', b'{"errors": [{"type": "NOT_FOUND", "path": [0, {}]}]}',
    b'{"errors": [{"extensions": {"code": "undefinedField", "fieldName": "digest"}}]}',
    b'{"errors": [{"extensions": {"code": "undefinedField", "fieldName": ["\\r\\n"]}}]}',
    b'{"errors": [{"type": "NOT_FOUND", "path": ["nodes", -1]}]}', b'{"errors": [{"message": "\\r\\nX-Evil: 1"}]}',
    b'{"errors": [{"type": "RATE_LIMIT"}]}', b'{"errors": [{"type": "RESOURCE_LIMITS_EXCEEDED"}]}',
    b'{"message": "Validation Failed", "errors": ["x", {"code": 5}, null]}', b'{"message": 5}',
    b'\xef\xbb\xbf{"data": {}}',
    b'{"message": "<script>alert(1)</script>\\r\\nX-Evil: 1", "errors": [{"message": "\\u0000"}]}', b"1e999",
    b'"\\ud800"',
]  # fmt: skip


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all that is in a tree, itself left out."""
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The tree with something else at a path; where the path is gone meanwhile, the tree."""
    changed = copy.deepcopy(tree)
    node = changed
    try:
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
    except (LookupError, TypeError):
        pass
    return changed


def single_faults(true: Any) -> Iterator[bytes]:
    """The bodies with one thing wrong: every value in every place, and what is no such answer at all."""
    for path in places(true):
        for value in VALUES:
            yield json.dumps(replaced(true, path, value)).encode()
    yield from BODIES
    whole = json.dumps(true).encode()
    yield from (whole[:end] for end in range(0, len(whole), max(1, len(whole) // 20)))


def bodies(true: Any) -> st.SearchStrategy[bytes]:
    """Bodies with several things wrong, or any bytes."""
    change = st.tuples(st.sampled_from(list(places(true))), st.sampled_from(VALUES))

    def changed(changes: list[tuple[tuple[Any, ...], Any]]) -> bytes:
        tree = true
        for path, value in changes:
            tree = replaced(tree, path, value)
        return json.dumps(tree).encode()

    return st.one_of(
        st.just(json.dumps(true).encode()),
        st.lists(change, max_size=4).map(changed),
        st.sampled_from(BODIES),
        st.binary(max_size=50),
    )


headers = st.lists(st.sampled_from(HEADERS), max_size=3)
statuses = st.one_of(st.just(200), st.sampled_from(STATUSES))
