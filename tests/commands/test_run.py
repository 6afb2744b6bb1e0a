"""`pypihub run`: real tools install through it with nothing else set up, and it is gone when they are."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import treq
import uv
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.process import Process
from twisted.internet.task import deferLater
from twisted.web.client import Agent

from pypihub.commands.run import _for_this_machine
from pypihub.config import Config, Downloads, Pages, Publish
from pypihub.sandbox.samples import sample_wheel

Run = Callable[..., Any]
PIP = [sys.executable, "-m", "pip"]


@pytest.fixture
def during(run: Callable[..., Process], hub: Hub, tmp_path: Path) -> Run:
    """Starts `pypihub run octo` with octo's token; the tools have no configuration, and their caches are its own."""
    file = tmp_path / "hub.toml"
    elsewhere = '[server]\nport = 1\n[log]\naccess = true\n[cache]\ndirectory = ""\n'
    file.write_text(f'{elsewhere}[github]\napi_url = "{hub.sandbox.api_url}"\n')
    clean = {
        "PYPIHUB_TOKEN": hub.token,
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_INDEX_URL": "",
        "PIP_EXTRA_INDEX_URL": "",
        "UV_INDEX": "",
        "UV_DEFAULT_INDEX": "",
    }

    def start(*arguments: str, **environment: Any) -> Process:
        return run("pypihub", "run", "octo", "-c", str(file), *arguments, **(clean | environment))

    return start


@pytest.fixture
def stocked(hub: Hub) -> Hub:
    """octo has app, which needs lib."""
    for name, requires in (("app", ["lib"]), ("lib", [])):
        made = hub.world.add_repository(f"octo/{name}")
        made.add_release("v1.0").add_asset(*sample_wheel(name, "1.0", requires=requires))
    return hub


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("tool", ["pip", "uv"])
@ensureDeferred
async def test_tools_install_with_nothing_else_set_up(stocked: Hub, during: Run, tmp_path: Path, tool: str) -> None:
    command = PIP if tool == "pip" else [uv.find_uv_bin(), "pip"]
    process = during("--no-pypi", "--", *command, "install", "--target", "there", "app")
    assert await process.ends() == 0, process.out + process.err
    assert {path.name for path in (tmp_path / "there").glob("*.py")} == {"app.py", "lib.py"}
    assert stocked.token not in process.out + process.err
    assert "GET /" not in process.out + process.err


@ensureDeferred
async def test_a_projects_index_of_that_name_is_this_one(stocked: Hub, during: Run, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "thing"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'
        '[tool.uv.sources]\napp = { index = "hub" }\nlib = { index = "hub" }\n'
        '[[tool.uv.index]]\nname = "hub"\nurl = "https://hub.invalid/octo/simple/"\nexplicit = true\n'
    )
    process = during("--", uv.find_uv_bin(), "sync", UV_NO_CONFIG="0")
    assert await process.ends() == 0, process.err
    assert "app==1.0" in process.err
    assert stocked.token not in (tmp_path / "uv.lock").read_text()


@ensureDeferred
async def test_uv_takes_a_name_from_here_that_pypi_has_too(stocked: Hub, during: Run, tmp_path: Path) -> None:
    stocked.world.add_repository("octo/pip").add_release("v0.1").add_asset(*sample_wheel("pip", "0.1"))
    process = during("--", uv.find_uv_bin(), "pip", "install", "--target", "there", "pip")
    assert await process.ends() == 0, process.err
    assert "pip==0.1" in process.err


@ensureDeferred
async def test_other_indexes_stay_beside_unless_they_are_not_wanted(during: Run) -> None:
    code = python("import os; print(*(f'{k}={v}' for k, v in sorted(os.environ.items())), sep='\\n')")
    before = {
        "PIP_INDEX_URL": "https://mirror/simple",
        "PIP_EXTRA_INDEX_URL": "https://more/simple\nhttps://most/simple",
        "UV_INDEX": "https://own/simple",
        "NO_PROXY": "example.org",
    }
    seen = {}
    for option in ("--port=31415", "--no-pypi"):
        process = during(option, "--", *code, **before)
        assert await process.ends() == 0
        seen[option] = dict(line.split("=", 1) for line in process.out.splitlines())
    beside, alone = seen.values()
    ours = beside["PYPIHUB_INDEX_URL"]
    assert ours.endswith("@127.0.0.1:31415/octo/simple/")
    assert beside["PIP_INDEX_URL"] == ours
    assert beside["PIP_EXTRA_INDEX_URL"] == "https://mirror/simple https://more/simple https://most/simple"
    assert beside["UV_INDEX"] == f"hub={ours} https://own/simple"
    assert beside["UV_DEFAULT_INDEX"] == ""
    assert beside["no_proxy"] == "example.org,127.0.0.1"
    ours = alone["PYPIHUB_INDEX_URL"]
    assert (alone["PIP_INDEX_URL"], alone["PIP_EXTRA_INDEX_URL"], alone["PDM_PYPI_URL"]) == (ours, ours, ours)
    assert (alone["UV_DEFAULT_INDEX"], alone["UV_INDEX"]) == (f"hub={ours}", "")


@pytest.mark.parametrize(("code", "status"), [("sys.exit(7)", 7), ("pass", 0), ("os.kill(os.getpid(), 9)", 137)])
@ensureDeferred
async def test_the_status_is_the_commands(during: Run, code: str, status: int) -> None:
    assert await during("--", *python(f"import os, sys; {code}")).ends() == status


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
@ensureDeferred
async def test_signals_are_passed_on(during: Run, name: str) -> None:
    code = (
        "import signal, sys, time\n"
        f"signal.signal(signal.SIG{name}, lambda *_: (print('told', flush=True), sys.exit(3)))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.01)"
    )
    process = during("--", *python(code))
    await process.says("ready\n")
    process.signal(name)
    assert await process.ends() == 3
    assert process.out == "ready\ntold\n"
    assert "Traceback" not in process.err


@ensureDeferred
async def test_ctrl_c_in_a_terminal_reaches_the_command_once(reactor: Any, during: Run) -> None:
    code = (
        "import os, select, signal, sys\nseen = []\n"
        "signal.signal(signal.SIGINT, lambda *_: (seen.append(1), print('told', flush=True)))\n"
        "print('there', os.environ['PYPIHUB_INDEX_URL'].partition('@')[2]); print('ready', flush=True)\n"
        # not input(): a signal in the moment before it blocks would be told only after the next line
        "while not select.select([sys.stdin], [], [], 0.01)[0]: pass\n"
        "print('times', len(seen))"
    )
    process = during("--", *python(code), in_terminal=True)
    await process.says("ready")
    os.kill(process.pid, signal.SIGSTOP)  # two signals at the same moment would be one
    process.types("\x03")
    await process.says("told")
    os.kill(process.pid, signal.SIGCONT)
    url = f"http://{await process.says('there')}"
    await treq.content(await Agent(reactor).request(b"GET", url.encode()))  # it has taken the signal by now
    process.types("\n")
    assert await process.ends() == 0
    assert "times 1" in process.out


@ensureDeferred
async def test_a_command_that_a_signal_ends_has_a_shells_status(during: Run) -> None:
    process = during("--", *python("print('ready', flush=True); import time; time.sleep(60)"))
    await process.says("ready")
    process.signal("TERM")
    assert await process.ends() == 128 + signal.SIGTERM


@ensureDeferred
async def test_the_token_is_in_no_argument_list_and_the_port_is_closed_afterwards(
    hub: Hub, during: Run, tmp_path: Path
) -> None:
    code = "import os, time; print('port', os.environ['PYPIHUB_INDEX_URL'].rpartition(':')[2]); print('.', flush=True)"
    process = during("--", *python(f"{code}; time.sleep(60)"))
    await process.says("\n.")
    port = int((await process.says("port")).partition("/")[0])
    with socket.create_connection(("127.0.0.1", port)):
        pass
    lists = b"".join(arguments_of_all())
    assert b"pypihub\0run" in lists
    assert hub.token.encode() not in lists
    process.signal("TERM")
    await process.ends()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass
    assert hub.token not in process.out + process.err
    assert not any(hub.token.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def arguments_of_all() -> Iterator[bytes]:
    """The argument lists of all processes."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            yield path.read_bytes()


@ensureDeferred
async def test_the_command_has_the_terminals_input(during: Run) -> None:
    process = during("--", "cat")
    process.tells("hello")
    assert await process.ends() == 0
    assert process.out == "hello"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--", "no-such-command"], 127, "pypihub: no-such-command: there is no such command.\n"),
        ([], 2, "What is to run?"),
        (["--env-file", "x", "--", "true"], 2, "What is to run?"),
        (["pip", "--version"], 2, "If it is COMMAND's, write: pypihub run OWNER -- COMMAND …"),
        (["--nopypi", "--", "pip"], 2, "Error: No such option '--nopypi'. Did you mean '--no-pypi'?\n"),
    ],
)
@ensureDeferred
async def test_what_cannot_run_says_so(during: Run, arguments: list[str], status: int, said: str) -> None:
    process = during(*arguments)
    assert await process.ends() == status
    assert said in process.err
    assert "Traceback" not in process.err


@ensureDeferred
async def test_a_port_that_is_taken_is_a_line(during: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = during("--port", str(taken.getsockname()[1]), "--", "true")
        assert await process.ends() == 1
    assert process.err.startswith("pypihub: cannot listen on 127.0.0.1 port ")
    assert len(process.err.splitlines()) == 1


@ensureDeferred
async def test_an_owner_who_is_not_served_is_told_before(hub: Hub, run: Any, tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('[github]\nowners = ["acme"]\n')
    process = run("pypihub", "-c", "hub.toml", "run", "octo", "--", "true", PYPIHUB_TOKEN=hub.token)
    assert await process.ends() == 1
    assert process.err == "pypihub: octo is not among github.owners.\n"


@ensureDeferred
async def test_an_environment_file_is_for_those_that_come_later(
    reactor: Any, stocked: Hub, during: Run, run: Any, tmp_path: Path
) -> None:
    file = tmp_path / "env"
    process = during("--no-pypi", "--env-file", str(file))
    while not file.exists() or not file.read_text().endswith("\n"):
        await deferLater(reactor, 0.01)
    assert file.stat().st_mode & 0o777 == 0o600
    variables = dict(line.split("=", 1) for line in file.read_text().splitlines())
    pip = run(*PIP, "install", "--target", "there", "app", **variables, PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="")
    assert await pip.ends() == 0, pip.err
    process.signal("TERM")
    assert await process.ends() == 0
    assert (process.out, process.err) == ("", "")


def test_of_a_configuration_all_counts_but_where_it_listens_and_what_it_logs() -> None:
    wanted = Config(pages=Pages(remote_images=True), downloads=Downloads(mode="proxy"), publish=Publish(draft=True))
    served = _for_this_machine(wanted, 3141)
    for table in set(Config.__struct_fields__) - {"server", "log", "metrics"}:
        assert getattr(served, table) == getattr(wanted, table), table
