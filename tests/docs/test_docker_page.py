"""The page about containers: its files agree with the Dockerfile and compose.yaml, and the healthcheck works."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.fronts import replaced
from support.process import Process
from support.prose import ROOT, Block, read_blocks

from pypihub.config import load_config

BLOCKS = list(read_blocks(ROOT / "docs/howto/docker.md"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def the(file: str) -> Block:
    (block,) = (block for block in BLOCKS if block.value == file)
    return block


def service(text: str) -> dict[str, Any]:
    only: dict[str, Any] = yaml.safe_load(text)["services"]["pypihub"]
    return only


def test_the_service_is_as_confined_as_that_of_the_clone() -> None:
    ours, theirs = service(the("compose.yaml").text), service((ROOT / "compose.yaml").read_text())
    own = {"image", "build", "ports", "volumes"}
    assert {key: ours[key] for key in ours.keys() - own} == {key: theirs[key] for key in theirs.keys() - own}
    assert [volume.split(":")[1:] for volume in ours["volumes"]] == [
        volume.split(":")[1:] for volume in theirs["volumes"]
    ]
    assert ours["ports"] == [f"127.0.0.1:{theirs['ports'][0]}"]
    assert yaml.safe_load(the("compose.yaml").text)["volumes"].keys() == {"cache"}


def test_the_configuration_is_sound_and_where_the_image_reads_it(tmp_path: Path) -> None:
    configuration = the("pypihub/pypihub.toml")
    folder = service(the("compose.yaml").text)["volumes"][0].split(":")[1]
    assert f'"{folder}/{Path(configuration.value).name}"' in DOCKERFILE
    file = tmp_path / "pypihub.toml"
    (tls,) = (block.text for block in BLOCKS if block.language == "toml" and block != configuration)
    file.write_text(configuration.text + tls)
    write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    config = load_config(file)
    assert config.server.tls
    assert f"EXPOSE {config.server.port}\n" in DOCKERFILE


@ensureDeferred
async def test_the_healthcheck_s_command_asks_by_tls(
    make_hub: Callable[..., Any], run: Callable[..., Process], tmp_path: Path
) -> None:
    write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    hub = await make_hub(tls=(tmp_path / "tls.crt", tmp_path / "tls.key"))
    kind, program, *words, text = service(the("compose.override.yaml").text)["healthcheck"]["test"]
    assert [kind, program, *words] == ["CMD", "python", "-c"]
    port = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)[0]
    text = replaced(text, (f"https://127.0.0.1:{port}/", f"{hub.url.replace('localhost', '127.0.0.1')}/"))
    asked = run(sys.executable, "-c", text, https_proxy="http://127.0.0.1:9")
    assert await asked.ends() == 0, asked.err
    wrong = run(sys.executable, "-c", replaced(text, ("/healthz", "/health/z")))
    assert await wrong.ends() == 1
