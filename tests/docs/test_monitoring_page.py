"""The page about monitoring: what Prometheus is told to look at is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import treq
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.prose import ROOT, read_blocks

from pypihub.sandbox.samples import sample_wheel

FILES = {block.value: block.text for block in read_blocks(ROOT / "docs/howto/monitoring.md") if block.mark == "file"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(FILES["pypihub.rules.yml"])["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


@ensureDeferred
async def test_the_alerts_ask_for_metrics_and_labels_that_there_are(make_hub: Callable[..., Any]) -> None:
    hub: Hub = await make_hub(metrics=True)
    hub.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_wheel("demo", "1.0"))
    assert (await hub.get("/simple/demo/")).code == 200
    page = await treq.text_content(await treq.get(hub.metrics_url, persistent=False))
    labels: dict[str, set[str]] = {"up": {"job"}}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels.setdefault(sample.name, {"job"}).update(sample.labels)
    assert rules()
    for rule in rules():
        asked = re.findall(r"\b((?:pypihub|process)_\w+|up\b)(?:\{([^}]*)\})?", rule["expr"])
        assert asked, rule
        for name, selectors in asked:
            assert name in labels, rule
            assert set(re.findall(r"(\w+)=", selectors)) <= labels[name], rule
        of = asked[0][0]
        for grouped in re.findall(r"by \(([^)]*)\)", rule["expr"]):
            assert set(grouped.replace(" ", "").split(",")) <= labels[of], rule
    assert 'route="page"' in page


def test_prometheus_finds_the_metrics_and_the_rules() -> None:
    scraping = yaml.safe_load(FILES["prometheus.yml"])
    (job,) = scraping["scrape_configs"]
    assert all(f'job="{job["job_name"]}"' in rule["expr"] for rule in rules() if "job=" in rule["expr"])
    ((target,),) = (each["targets"] for each in job["static_configs"])
    host, _, port = target.partition(":")
    assert f'endpoint = "tcp:{port}:interface={host}"' in FILES["pypihub.toml"]
    assert scraping["rule_files"] == ["pypihub.rules.yml"]


def test_the_operator_finds_the_pods() -> None:
    monitor = yaml.safe_load(FILES["podmonitor.yaml"])["spec"]
    blocks = read_blocks(ROOT / "docs/howto/kubernetes.md")
    (text,) = (block.text for block in blocks if block.value.endswith("deployment.yaml"))
    template = next(yaml.safe_load_all(text))["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    ports = {port["name"] for container in template["spec"]["containers"] for port in container["ports"]}
    job = template["metadata"]["labels"][monitor["jobLabel"]]
    assert all(f'job="{job}"' in rule["expr"] for rule in rules() if "job=" in rule["expr"])
    assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports
