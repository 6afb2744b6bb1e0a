"""What Prometheus collects: every number that an operator looks at, and nothing that is secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import treq
from prometheus_client.parser import text_string_to_metric_families
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.wire import connect
from twisted.web.client import Agent, HTTPConnectionPool

from pypihub.config import load_config
from pypihub.errors import ConfigError
from pypihub.sandbox.faults import Hang, PrimaryLimit, Status
from pypihub.sandbox.samples import sample_wheel
from pypihub.tally import BOUNDS, Timing

PAGE = "/simple/demo/"
DASHBOARD = Path(__file__).parent.parent.parent / "etc" / "grafana-dashboard.json"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(hub: Hub) -> str:
    response = await Agent(hub.reactor).request(b"GET", hub.metrics_url.encode())
    assert response.code == 200
    assert response.headers.getRawHeaders("Content-Type") == ["text/plain; version=0.0.4; charset=utf-8"]
    text: str = (await treq.content(response)).decode()
    return text


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, f"Prometheus refuses a metric that is there twice: {key}"
            found[key] = sample.value
    return found


async def value(hub: Hub, name: str, **labels: str) -> float | None:
    return samples(await scrape(hub)).get((name, frozenset(labels.items())))


def publish(hub: Hub) -> Any:
    return hub.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_wheel("demo", "1.0"))


@ensureDeferred
async def test_requests_are_counted_by_route_and_status(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(metrics=True)
    asset = publish(hub)
    for path in (PAGE, PAGE, "/simple/none/", "/healthz", f"/asset/{asset.id}/{asset.name}", "/what/is/this"):
        await hub.get(path)
    found = samples(await scrape(hub))
    for route, status, count in (
        ("page", "200", 2), ("page", "404", 1), ("health", "200", 1), ("file", "302", 1), ("other", "404", 1),
    ):  # fmt: skip
        assert found["pypihub_requests_total", frozenset({("route", route), ("status", status)})] == count
    for name in ("count", "bucket"):
        last = [("le", "+Inf")] if name == "bucket" else []
        assert found[f"pypihub_request_seconds_{name}", frozenset([("route", "page"), *last])] == 3
    assert 0 < found["pypihub_request_seconds_sum", frozenset({("route", "page")})] < 60


@ensureDeferred
async def test_looks_into_caches_are_counted(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(metrics=True, ttl=30)
    hub.pool = HTTPConnectionPool(hub.reactor)
    hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0.tar.gz", b"x")
    for accept in ("text/html", "text/html", "text/html", "text/html;q=0.5"):
        await hub.get(PAGE, headers={"Accept": accept})
    assert await value(hub, "pypihub_cache_looks_total", kind="front", outcome="hit") == 2
    assert await value(hub, "pypihub_cache_looks_total", kind="listing", outcome="miss") == 1
    assert await value(hub, "pypihub_cache_looks_total", kind="listing", outcome="hit") == 1
    assert await value(hub, "pypihub_cache_looks_total", kind="page", outcome="hit") == 1
    assert await value(hub, "pypihub_cache_bytes") > 0
    assert await value(hub, "pypihub_cache_limit_bytes") == 256 * 1024**2


@ensureDeferred
async def test_calls_to_github_are_counted_by_what_they_were_for_and_how_they_ended(
    make_hub: Callable[..., Any],
) -> None:
    hub = await make_hub(metrics=True, timeout=0.2)
    asset = publish(hub)
    await hub.get(f"/asset/{asset.id}/{asset.name}.metadata")
    await hub.get(PAGE)
    for fault in (Status(502, b""), Hang(), Status(500, b"")):
        hub.sandbox.faults.add(fault, times=1)
    await hub.get(PAGE)
    found = samples(await scrape(hub))
    calls = {
        (labels["kind"], labels["outcome"]): count
        for (name, pairs), count in found.items()
        if name == "pypihub_upstream_calls_total" and (labels := dict(pairs))
    }
    assert calls["listing", "ok"] >= 1
    assert (calls["lookup", "ok"], calls["storage", "ok"]) == (1, 1)
    assert calls["listing", "failed"] == 2
    assert calls["listing", "timeout"] == 1
    assert found["pypihub_upstream_in_flight", frozenset()] == 0
    assert found["pypihub_upstream_seconds_count", frozenset({("kind", "lookup")})] == 1


@ensureDeferred
async def test_the_breaker_is_shown(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(metrics=True)
    assert await value(hub, "pypihub_breaker_open", host="api") == 0
    hub.sandbox.faults.add(Status(500, b""), times=100)
    for _ in range(3):
        await hub.get(PAGE)
    assert await value(hub, "pypihub_breaker_open", host="api") == 1
    assert await value(hub, "pypihub_breaker_open", host="storage") == 0


@ensureDeferred
async def test_what_is_under_way_is_shown(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(metrics=True)
    hub.sandbox.faults.add(Hang(), times=1)
    wire = await connect(hub)
    wire.send_head(PAGE, method="GET")
    await wire.until(lambda: bool(hub.sandbox.calls))
    for name in ("pypihub_requests_in_flight", "pypihub_connections", "pypihub_upstream_in_flight"):
        assert await value(hub, name) == 1, name
    wire.hang_up()
    await hub.get("/")
    assert await value(hub, "pypihub_requests_in_flight") == 0
    assert await value(hub, "pypihub_upstream_in_flight") == 0
    assert await value(hub, "pypihub_upstream_calls_total", kind="listing", outcome="cancelled") == 1


@ensureDeferred
async def test_points_that_are_left_are_shown_by_a_hash_of_the_token(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(metrics=True)
    hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0.tar.gz", b"x")
    await hub.get(PAGE)
    found = {dict(pairs)["token"]: left for (name, pairs), left in samples(await scrape(hub)).items()
             if name == "pypihub_points_left" and dict(pairs)["budget"] == "graphql"}  # fmt: skip
    ((token, left),) = found.items()
    assert re.fullmatch("[0-9a-f]{8}", token)
    assert left == 4999


@ensureDeferred
async def test_as_many_tokens_as_there_may_be_take_a_hundred_lines(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(metrics=True)
    publish(hub)
    for _ in range(110):
        await hub.get(PAGE, token=hub.world.add_token("octo"))
    assert sum(name == "pypihub_points_left" for name, _ in samples(await scrape(hub))) <= 100


@ensureDeferred
async def test_nothing_secret_is_shown(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(metrics=True)
    asset = publish(hub)
    for path in (PAGE, f"/asset/{asset.id}/{asset.name}", f"/{hub.token}/simple/demo/"):
        await hub.get(path)
    hub.sandbox.faults.add(PrimaryLimit())
    await hub.get(PAGE)
    text = await scrape(hub)
    for secret in (hub.token, "octo", "demo", asset.id, "127.0.0.1", "http"):
        assert secret not in text


@ensureDeferred
async def test_the_build_the_store_and_the_process_are_shown(make_hub: Callable[..., Any], tmp_path: Path) -> None:
    hub = await make_hub(metrics=True, cache=tmp_path)
    while (await hub.get("/readyz", user=None)).code != 200:
        pass  # the store is being opened
    names = {name for name, _ in samples(await scrape(hub))}
    assert {"pypihub_build_info", "process_resident_memory_bytes", "process_open_fds"} <= names
    assert await value(hub, "pypihub_store_bytes") > 0


@ensureDeferred
async def test_metrics_are_on_an_endpoint_of_their_own_or_nowhere(make_hub: Callable[..., Any]) -> None:
    hub, other = await make_hub(metrics=True), await make_hub()
    assert not other.metrics_url
    for each in (hub, other):
        assert (await each.get("/metrics")).code == 404
    for path in ("/", "/simple/", "/metrics/x", "/healthz"):
        url = hub.metrics_url.removesuffix("/metrics") + path
        assert (await Agent(hub.reactor).request(b"GET", url.encode())).code == 404


def test_an_endpoint_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    from pypihub.daemon.service import make_service

    file = tmp_path / "hub.toml"
    file.write_text('[metrics]\nendpoint = "nonsense:1"\n')
    from twisted.internet import reactor

    with pytest.raises(ConfigError, match=r"^metrics\.endpoint: should be a Twisted server endpoint"):
        make_service(load_config(file), reactor)


def test_durations_are_counted_in_classes() -> None:
    timing = Timing()
    for seconds in (0, BOUNDS[0], BOUNDS[0] * 1.01, 1.0, 1e9):
        timing.add(seconds)
    assert timing.classes[0] == 2  # a bound belongs to its class
    assert timing.classes[1] == 1
    assert timing.classes[BOUNDS.index(1.0)] == 1
    assert timing.classes[-1] == 1


@ensureDeferred
async def test_the_dashboard_shows_what_there_is(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(metrics=True)
    asset = publish(hub)
    for path in (PAGE, f"/asset/{asset.id}/{asset.name}"):
        await hub.get(path)
    there = {name for name, _ in samples(await scrape(hub))} | {"pypihub_worker_up"}  # the last with workers only
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    used = {name for query in queries for name in re.findall(r"\b(?:pypihub|process)_[a-z_]+", query)}
    assert used <= there
    assert {name for name in there if name.startswith("pypihub_")} - used <= {
        "pypihub_request_seconds_count", "pypihub_request_seconds_sum",
        "pypihub_upstream_seconds_count", "pypihub_upstream_seconds_sum",
    }  # fmt: skip
