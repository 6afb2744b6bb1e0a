"""The Dockerfile and compose.yaml, read as far as can be without an engine that builds and runs them."""

from __future__ import annotations

import fnmatch
import json
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import run
from threading import Thread

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CONFIG = "/etc/pypihub/pypihub.toml"


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage, with what follows them."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    instructions = [line.split(maxsplit=1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    starts = [number for number, (name, _) in enumerate(instructions) if name == "FROM"]
    assert starts[0] == 0
    ends = [*starts[1:], len(instructions)]
    return [[(name, rest) for name, rest in instructions[start:end]] for start, end in zip(starts, ends, strict=True)]


def last(name: str) -> str:
    """What follows the last instruction of the name in the final stage."""
    return [rest for other, rest in stages()[-1] if other == name][-1]


def copied() -> Iterator[tuple[str, str]]:
    """What is copied out of this folder, and to where."""
    for stage in stages():
        for name, rest in stage:
            if name == "COPY" and not rest.startswith("--from"):
                *sources, target = (word for word in rest.split() if not word.startswith("--"))
                yield from ((source, target) for source in sources)


def healthcheck() -> list[str]:
    command: list[str] = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    return command


def test_what_is_copied_is_there_and_is_sent_to_the_engine() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert ignored[0] == "*"
    sent = [line[1:] for line in ignored if line.startswith("!")]
    assert sorted(sent) == sorted({source for source, _ in copied()})
    for source, _ in copied():
        assert (ROOT / source).exists()
        assert not any(fnmatch.fnmatch(source, line.removeprefix("**/")) for line in ignored[1:])


def test_the_wheel_is_made_of_all_that_belongs_to_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [project["project"]["readme"], *wheel["packages"], *wheel["force-include"], "pyproject.toml"]
    sources = [Path(source) for source, _ in copied()]
    for file in needed:
        assert any(Path(file).is_relative_to(source) for source in sources), file


def test_the_final_stage_installs_nothing() -> None:
    first, final = stages()
    assert any("pip wheel" in rest for _, rest in first)
    assert any("--require-hashes -r requirements.lock" in rest for _, rest in first), "what it needs is as locked"
    assert first[0][1].partition(" ")[0] == final[0][1], "the environment's Python is the image's"
    for name, rest in final:
        assert name != "RUN" or shlex.split(rest)[0] == "install", rest


def test_it_runs_as_nobody_special_with_the_configuration_and_the_folder_that_are_there() -> None:
    user, _, group = last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert json.loads(last("CMD")) == ["pypihub", "-c", CONFIG]
    assert ("etc/pypihub.toml", CONFIG) in copied()
    (made,) = [shlex.split(rest) for name, rest in stages()[-1] if name == "RUN"]
    folder = last("VOLUME")
    assert made == ["install", "--directory", f"--owner={user}", f"--group={group}", "--mode=0700", folder]
    assert f"CACHE_DIRECTORY={folder}" in last("ENV").split()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_the_healthcheck_asks_whether_it_is_alive(monkeypatch: pytest.MonkeyPatch, status: int, code: int) -> None:
    asked: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), _answering(status or 500, asked.append))
    program, flag, text = healthcheck()
    assert (program, flag) == ("python", "-c")
    assert f":{last('EXPOSE')}/healthz" in text
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    if status is None:
        server.server_close()
    else:
        Thread(target=server.handle_request).start()
    text = text.replace(f":{last('EXPOSE')}/", f":{server.server_port}/")
    assert run([sys.executable, "-c", text], check=False, capture_output=True).returncode == code
    server.server_close()
    assert asked == (["/healthz"] if status else [])


def _answering(status: int, tell: Callable[[str], None]) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tell(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Answering


def test_compose_runs_what_the_dockerfile_makes() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    service = compose["services"]["pypihub"]
    assert (ROOT / service["build"] / "Dockerfile").exists()
    assert service["ports"] == [f"{last('EXPOSE')}:{last('EXPOSE')}"]
    configuration, cache, _ = (volume.split(":") for volume in service["volumes"])
    assert (ROOT / configuration[0] / Path(CONFIG).name).exists()
    assert configuration[1:] == [str(Path(CONFIG).parent), "ro"]
    assert cache[0] in compose["volumes"]
    assert cache[1] == last("VOLUME")
    assert service["read_only"]
    assert "privileged" not in service
    assert service["cap_drop"] == ["ALL"]
