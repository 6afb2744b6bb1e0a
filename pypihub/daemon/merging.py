"""The metrics of several workers as one page, on which each metric says whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector


def merged(reports: Mapping[str, bytes]) -> bytes:
    """All metrics by worker, and which worker told any."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Merged(reports))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, reports: Mapping[str, bytes]) -> None:
        self._reports = reports

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("pypihub_worker_up", "Whether the worker told its metrics.", labels=("worker",))
        families: dict[str, Metric] = {}
        for worker, text in self._reports.items():
            up.add_metric([worker], float(bool(text)))
            for family in text_string_to_metric_families(text.decode()):
                whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                whole.samples += [
                    sample._replace(labels={**sample.labels, "worker": worker}) for sample in family.samples
                ]
        return [up, *families.values()]
