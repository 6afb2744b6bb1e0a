"""Metrics: what was counted, and how things stand, under the names that Prometheus collects.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import twisted
from pypihub import __version__
from pypihub.daemon.serving import Serving
from pypihub.tally import BOUNDS, Tally, Timing

_CLASSES = (*map(str, BOUNDS), "+Inf")


class Metrics:
    """The metrics of what this process serves, in a registry of their own."""

    def __init__(self, serving: Serving) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Counted(serving.tally))
        self._registry.register(_Standing(serving))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Counted(Collector):
    """What the tally has."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterable[Metric]:
        tally = self._tally
        requests = ((route, str(status), count) for (route, status), count in tally.requests.items())
        yield _counter("pypihub_requests", "Answers by kind of URL and status.", ("route", "status"), requests)
        text = "From a request's head to the end of its answer."
        yield _timings("pypihub_request_seconds", text, "route", tally.durations)
        looks = [("front", "hit", tally.front_hits), ("front", "miss", tally.front_misses)]
        looks += ((kind, outcome, count) for (kind, outcome), count in tally.looks.items())
        text = "Looks into caches; refresh is a renewal that nobody waits for."
        yield _counter("pypihub_cache_looks", text, ("kind", "outcome"), looks)
        calls = ((kind, outcome, count) for (kind, outcome), count in tally.calls.items())
        yield _counter("pypihub_upstream_calls", "Calls to GitHub by purpose and end.", ("kind", "outcome"), calls)
        text = "From the beginning of a call to GitHub to the end of its answer."
        yield _timings("pypihub_upstream_seconds", text, "kind", tally.call_durations)


class _Standing(Collector):
    """How things stand at the moment."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def collect(self) -> Iterable[Metric]:
        house, connections = self._serving.house, self._serving.site.connections
        github = house.github
        build = {"version": __version__, "python": platform.python_version(), "twisted": twisted.__version__}
        yield _gauge("pypihub_build_info", "What runs.", tuple(build), [(*build.values(), 1)])
        yield _one("pypihub_connections", "Open connections of clients.", len(connections))
        yield _one("pypihub_requests_in_flight", "Unanswered requests.", len(connections.under_way()))
        yield _one("pypihub_upstream_in_flight", "Calls to GitHub under way.", self._serving.tally.calls_under_way)
        yield _one("pypihub_upstream_waiting", "Calls that wait for a place towards GitHub.", github.transport.waiting)
        breakers = [(host, int(breaker.is_open)) for host, breaker in github.transport.breakers.items()]
        yield _gauge("pypihub_breaker_open", "Whether GitHub's host fails and is left in peace.", ("host",), breakers)
        left = {(token, str(budget)): points for token, budget, points in github.client.points.left()}
        text = "Points of GitHub's rate limits, by a hash of the token that ends with the process."
        yield _gauge("pypihub_points_left", text, ("token", "budget"), ((*key, value) for key, value in left.items()))
        memory = house.memory
        yield _one("pypihub_cache_bytes", "Memory that listings and pages take.", memory.used)
        yield _one("pypihub_cache_limit_bytes", "Memory that they may take.", memory.limit)
        yield _one("pypihub_store_bytes", "What the facts about files take on the disk.", house.store.size())


def _counter(name: str, text: str, labels: tuple[str, ...], counts: Iterable[tuple[str, str, int]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for *values, count in counts:
        family.add_metric(list(map(str, values)), float(count))
    return family


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[object, ...]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for *labelled, value in values:
        family.add_metric(list(map(str, labelled)), float(str(value)))
    return family


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _timings(name: str, text: str, label: str, timings: Mapping[str, Timing]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=(label,))
    for value, timing in timings.items():
        so_far = 0
        buckets = []
        for bound, count in zip(_CLASSES, timing.classes, strict=True):
            so_far += count
            buckets.append((bound, float(so_far)))
        family.add_metric([value], buckets, timing.total)
    return family
