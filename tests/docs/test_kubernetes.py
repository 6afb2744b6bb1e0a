"""The manifests of the page about Kubernetes: what they name is there, and PyPIHub runs with their configuration."""

from __future__ import annotations

import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import treq
import yaml
from pytest_twisted import ensureDeferred
from support.fronts import replaced
from support.process import Process, free_port
from support.prose import ROOT, read_blocks
from twisted.internet.task import deferLater

from pypihub.config import Config, load_config

FILES = {block.value: block for block in read_blocks(ROOT / "docs/howto/kubernetes.md") if block.mark == "file"}
MANIFESTS: list[dict[str, Any]] = [
    manifest for block in FILES.values() for manifest in yaml.safe_load_all(block.text) if manifest is not None
]
LABELS = {"app.kubernetes.io/name": "pypihub"}


def the(kind: str) -> Any:
    """The one manifest of a kind."""
    (found,) = (manifest for manifest in MANIFESTS if manifest["kind"] == kind)
    return found


def pod() -> Any:
    return the("Deployment")["spec"]["template"]["spec"]


def container() -> Any:
    (only,) = pod()["containers"]
    return only


def ports() -> dict[str, int]:
    """The container's ports by name."""
    return {port["name"]: port["containerPort"] for port in container()["ports"]}


def toml() -> str:
    """The configuration, which is a file in the container."""
    (text,) = the("ConfigMap")["data"].values()
    return str(text)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "pypihub.toml"
    file.write_text(toml())
    return load_config(file)


def dockerfile(name: str) -> str:
    """What follows the last instruction of the name."""
    return re.findall(rf"^{name} (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[-1]


def test_the_pods_serve_where_the_manifests_look_for_them(config: Config) -> None:
    assert ports() == {"http": config.server.port, "metrics": int(str(config.metrics.endpoint).removeprefix("tcp:"))}
    assert config.server.host == "0.0.0.0"  # noqa: S104 - in a pod
    assert config.server.tls is None
    (served,) = the("Service")["spec"]["ports"]
    assert served["targetPort"] in ports()
    allowed = [port["port"] for rule in the("NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]]
    assert allowed == ["http", "metrics"]
    route = the("HTTPRoute")["spec"]
    (rule,) = route["rules"]
    assert rule["backendRefs"] == [{"name": the("Service")["metadata"]["name"], "port": served["port"]}]
    (listener,) = the("Gateway")["spec"]["listeners"]
    assert route["parentRefs"] == [{"name": the("Gateway")["metadata"]["name"], "sectionName": listener["name"]}]
    assert route["hostnames"] == [listener["hostname"]]
    assert config.server.url == f"https://{listener['hostname']}"


def test_all_select_the_pods() -> None:
    deployment = the("Deployment")["spec"]
    assert deployment["template"]["metadata"]["labels"] == LABELS
    assert deployment["selector"]["matchLabels"] == LABELS
    assert the("Service")["spec"]["selector"] == LABELS
    assert the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == LABELS
    assert the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == LABELS
    assert the("PodDisruptionBudget")["spec"]["minAvailable"] < deployment["replicas"]


def test_the_pods_are_what_the_image_is_made_for() -> None:
    user, _, group = dockerfile("USER").partition(":")
    security = pod()["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (int(user), int(group))
    assert security["runAsNonRoot"]
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {mount["mountPath"]: mount["name"] for mount in container()["volumeMounts"]}
    kinds = {volume["name"]: set(volume) - {"name"} for volume in pod()["volumes"]}
    (name,) = the("ConfigMap")["data"]
    folder = next(path for path, volume in mounted.items() if kinds[volume] == {"configMap"})
    assert f'"{folder}/{name}"' in dockerfile("CMD")
    writable = {path for path, volume in mounted.items() if kinds[volume] == {"emptyDir"}}
    assert writable == {dockerfile("VOLUME"), "/tmp"}  # noqa: S108 - as the image has it
    assert all(volume["configMap"]["name"] == "pypihub" for volume in pod()["volumes"] if "configMap" in volume)
    assert pod()["automountServiceAccountToken"] is False


def test_they_have_the_time_to_end(config: Config) -> None:
    seconds = pod()["terminationGracePeriodSeconds"]
    (command, pause) = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    stopping = re.search(r"^TimeoutStopSec=(\d+)s$", (ROOT / "etc/systemd/pypihub.service").read_text(), re.MULTILINE)
    assert stopping
    assert seconds >= int(pause) + int(stopping[1])
    assert seconds >= int(pause) + config.server.drain + 30


@pytest_twisted.async_yield_fixture
async def started(reactor: Any, tmp_path: Path) -> AsyncIterator[dict[str, int]]:
    """PyPIHub with the configuration of the page, and which port each of the container's is here."""
    here = {name: free_port() for name in ports()}
    text = replaced(
        toml(),
        ("[server]\n", f"[server]\nhost = '127.0.0.1'\nport = {here['http']}\n"),
        (f'"tcp:{ports()["metrics"]}"', f'"tcp:{here["metrics"]}:interface=127.0.0.1"'),
    )
    assert tomllib.loads(text)["metrics"]["endpoint"].startswith("tcp:")
    (tmp_path / "pypihub.toml").write_text(text)
    (cache := tmp_path / "cache").mkdir()
    command = ["pypihub", "-c", "pypihub.toml"]
    process = Process(reactor, command, cwd=tmp_path, environment={"CACHE_DIRECTORY": str(cache)})
    await process.says("listens on 127.0.0.1")
    yield here
    process.signal("TERM")
    assert await process.ends() == 0


@ensureDeferred
async def test_the_probes_are_answered_and_metrics_are_there(reactor: Any, started: dict[str, int]) -> None:
    probes = {kind: container()[kind]["httpGet"] for kind in ("livenessProbe", "readinessProbe")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    for port, path in [*((probe["port"], probe["path"]) for probe in probes.values()), ("metrics", "/metrics")]:
        for _ in range(1000):  # it is not ready at once
            answer = await treq.get(f"http://127.0.0.1:{started[port]}{path}", timeout=20, persistent=False)
            content = await treq.content(answer)
            if answer.code == 200:
                break
            await deferLater(reactor, 0.02)
        assert (answer.code, bool(content)) == (200, True), path
