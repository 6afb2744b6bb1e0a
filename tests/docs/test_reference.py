"""The reference is complete and right: what the code has, its tables have, and nothing else."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
import treq
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.process import BIN
from support.prose import read_blocks
from support.tables import REFERENCE, code, rows, sections
from twisted.logger import LogEvent, globalLogPublisher
from twisted.web.client import Agent, HTTPConnectionPool

import pypihub
from pypihub import errors
from pypihub.cli import main
from pypihub.commands import children, run, running
from pypihub.commands import token as token_of
from pypihub.commands.check import _OF_OWNER, _OF_PROJECT, _TO_GITHUB
from pypihub.commands.environment import Index, variables
from pypihub.config import Bytes, Config, Pattern, Replace, Seconds, parse_config
from pypihub.config.tables import TLS, Table
from pypihub.config.values import decode_value
from pypihub.daemon import listening, notify, scraping
from pypihub.daemon.activation import without_systemd
from pypihub.daemon.listening import make_endpoints
from pypihub.daemon.logs import _Told
from pypihub.daemon.merging import merged
from pypihub.daemon.reloading import tell_of_restart
from pypihub.github import calls, points, storage
from pypihub.github.credentials import Token
from pypihub.index.names import Owner
from pypihub.sandbox.samples import sample_wheel
from pypihub.tally import BOUNDS
from pypihub.web import access, responses, routes
from pypihub.web.app import App
from pypihub.web.health import PATHS, Phase
from pypihub.web.visits import GONE

SOURCES = sorted(path for path in Path(pypihub.__file__).parent.rglob("*.py") if "sandbox" not in path.parts)
NOTHING = "–"
LEVELS = {name: name for name in ("info", "warn", "error", "critical")} | {"failure": "critical"}


# Configuration


def keys(kind: type[Table], path: str = "") -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """The keys of a table by their dotted names, those of tables in it in place of these."""
    for field in msgspec.structs.fields(kind):
        inner = [each for each in (field.type, *get_args(field.type)) if isinstance(each, type)]
        table = next((each for each in inner if issubclass(each, Table)), None)
        if table is not None:
            yield from keys(table, f"{path}{field.name}.")
        else:
            yield path + field.name, field


def told_keys() -> dict[str, dict[str, str]]:
    """The rows of the page by dotted names."""
    found = {}
    for heading, text in sections("configuration.md"):
        if re.fullmatch(r"\[[a-z]+\]", heading):
            table = [line for line in text.splitlines() if line.startswith("|")]
            assert table[0] == "| key | default | value | what it is |", heading
            for line in table[2:]:
                key, default, value, _ = (cell.strip() for cell in line.split("|")[1:-1])
                found[f"{heading[1:-1]}.{code(key)[0]}"] = {"default": default, "value": value}
    return found


def test_every_key_of_the_configuration_is_in_its_table() -> None:
    assert set(told_keys()) == {name for name, _ in keys(Config)}


@pytest.mark.parametrize(("name", "field"), list(keys(Config)), ids=[name for name, _ in keys(Config)])
def test_a_keys_default_and_values_are_those_of_the_code(name: str, field: msgspec.structs.FieldInfo) -> None:
    row = told_keys()[name]
    if row["default"] == NOTHING:
        assert field.default in (None, msgspec.NODEFAULT)
    else:
        value = tomllib.loads(f"value = {code(row['default'])[0]}")["value"]
        assert msgspec.convert(value, field.type, dec_hook=decode_value) == field.default
        assert type(value) is not str or value == value.strip()
    assert row["value"] == kind_of(field.type)


def kind_of(kind: Any) -> str:
    """A type in the page's words."""
    if get_origin(kind) is Literal:
        *most, last = (f'`"{value}"`' for value in get_args(kind))
        return f"{', '.join(most)} or {last}"
    if meta := next((each for each in getattr(kind, "__metadata__", ()) if isinstance(each, msgspec.Meta)), None):
        return f"{meta.ge} to {meta.le}" if meta.le is not None else f"{meta.ge} or more"
    words = {
        str: "text", bool: "true or false", Seconds: "duration", Bytes: "size", Path: "path", Pattern: "RE2 pattern",
        tuple[str, ...]: "list of texts",
    }  # fmt: skip
    kinds = [each for each in (get_args(kind) if kind not in words else (kind,)) if each is not type(None)]
    return " or ".join(words[each] for each in kinds)


def test_the_keys_that_take_a_restart_are_told() -> None:
    started, new = Config(), other()
    said: list[str] = []

    def observe(event: LogEvent) -> None:
        said.append(event.get("keys", ""))

    globalLogPublisher.addObserver(observe)
    try:
        tell_of_restart(started, started.server, new)
    finally:
        globalLogPublisher.removeObserver(observe)
    (told,) = (text for heading, text in sections("configuration.md") if heading == "Reading it again")
    listed = [word for line in told.splitlines() if line.startswith("- ") for word in code(line)]
    assert sorted(listed) == sorted(said[0].split(", "))


def other() -> Config:
    """A configuration of which every value is another than the default."""

    def changed(kind: Any, name: str, value: Any) -> Any:
        if isinstance(value, Table):
            return type(value)(**{each: changed(kind, each, getattr(value, each)) for each in value.__struct_fields__})
        if name == "tls":
            return TLS(crt=Path("a"), key=Path("b"))
        if name == "replace":
            return (Replace(patt=Pattern("a"), repl="b"),)
        return {bool: lambda: not value, str: lambda: value + "x"}.get(type(value), lambda: (value or 0, "x"))()

    config: Config = changed(Config, "", Config())
    return config


def test_the_examples_of_values_are_some() -> None:
    kinds = {"duration": Seconds, "size": Bytes}
    shown = {row["kind"]: code(row["written as"]) for row in rows("configuration.md", "kind", "written as")}
    for kind, examples in ((kinds[name], shown[name]) for name in kinds):
        assert all(decode_value(kind, tomllib.loads(f"value = {example}")["value"]) for example in examples)
    assert decode_value(Bytes, "0KiB") == 0


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL", "ignore:X509")  # which Twisted uses still
def test_the_examples_of_endpoints_can_be_served(reactor: Any, tmp_path: Path) -> None:
    crt, key = tmp_path / "CERT.pem", tmp_path / "KEY.pem"
    write_certificate(crt, key)
    for row in rows("configuration.md", "endpoint", "what it is"):
        (endpoint, *_) = code(row["endpoint"])
        text = endpoint.replace("FOLDER", str(tmp_path)).replace("KEY.pem", str(key)).replace("CERT.pem", str(crt))
        server = parse_config({"server": {"endpoint": text}}, tmp_path).server
        assert make_endpoints(without_systemd(server), reactor, reactor), endpoint


def test_what_run_leaves_aside_is_told() -> None:
    (row,) = (row for row in rows("configuration.md", "command") if row["command"] == "`pypihub run`")
    new = other()
    served = run._for_this_machine(new, 1)
    aside = [f"[{table}]" for table in Config.__struct_fields__ if getattr(served, table) != getattr(new, table)]
    assert sorted(code(row["what it leaves aside"])) == sorted(aside)


# Routes


def test_the_routes_are_those_of_the_app() -> None:
    found = {
        f"{method} {re.sub('<(?:asset_)?([a-z]+)>', spelled, rule.rule)}"
        for rule in App.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method != "HEAD"
    }
    found |= {f"GET {path.decode()}" for path in PATHS}
    listed = [request for row in rows("routes.md", "request", "kind") for request in code(row["request"])]
    # A wheel's METADATA has the route of its file.
    assert found == {request.removesuffix(".metadata") for request in listed}
    assert len(listed) == len(set(listed))


def spelled(variable: re.Match[str]) -> str:
    """A part of a path as the page has it."""
    return {"filename": "NAME"}.get(variable[1], variable[1].upper())


def test_the_kinds_of_routes_are_those_that_metrics_count() -> None:
    kinds = set()
    for row in rows("routes.md", "request", "kind"):
        (kind,) = code(row["kind"])
        kinds.add(kind)
        for request in code(row["request"]):
            assert routes.route_of(request.partition(" ")[2].encode()) == kind, request
    assert kinds | {routes.OTHER} == label("`route`")


def test_the_phases_are_told() -> None:
    (row,) = (row for row in rows("routes.md", "key", "values") if row["key"] == "`status`")
    assert code(row["values"]) == [phase.value for phase in Phase]


# Status codes


def called_with(name: str) -> set[int]:
    """The numbers that calls of this name in `pypihub.web` are given as they stand."""
    found: set[int] = set()
    for path in (path for path in SOURCES if path.parent.name == "web"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == name:
                numbers = [
                    each for argument in node.args for each in ast.walk(argument) if isinstance(each, ast.Constant)
                ]
                found |= {each.value for each in numbers if type(each.value) is int and 100 <= each.value < 600}
    return found


def test_the_status_codes_are_those_that_web_answers() -> None:
    answered = {status for _, status in responses._STATUS}
    for name in ("send_error", "setResponseCode", "_turn_away", "Ready"):
        numbers = called_with(name)
        assert numbers, f"nothing calls {name} any more"
        answered |= numbers
    of_storage = re.findall(r"^ {12}(\d{3}):", inspect.getsource(storage.Storage._open), re.MULTILINE)
    assert of_storage, "which answers of storage are passed on?"
    answered |= {int(status) for status in of_storage} | {GONE}
    assert {int(row["status"]) for row in rows("status-codes.md", "status", "when")} == answered


def test_every_error_has_a_status() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.PyPIHubError)]
    of_commands = {errors.PyPIHubError, errors.ConfigError, errors.CommandError}
    for kind in set(kinds) - of_commands:
        assert any(issubclass(kind, each) for each, _ in responses._STATUS), kind


# Metrics


def label(name: str) -> set[str]:
    """The values of a label, as the page has them."""
    values = {
        value for row in rows("metrics.md", "label", "value") if row["label"] == name for value in code(row["value"])
    }
    assert values, name
    return values


Families = dict[str, tuple[str, frozenset[str]]]


def families(text: bytes) -> Families:
    """The metrics in a text, under the names that one asks Prometheus for: type and labels."""
    found: Families = {}
    kind = ""
    for line in text.decode().splitlines():
        if line.startswith("# TYPE "):
            kind = line.split()[3]
        elif not line.startswith("#"):
            match = re.match(r"(\w+)(?:\{(.*)\})? ", line)
            assert match is not None
            name = re.sub("_(bucket|sum|count)$", "", match[1]) if kind == "histogram" else match[1]
            found[name] = kind, frozenset(re.findall(r'(\w+)="', match[2] or "")) - {"le"}
    return found


@ensureDeferred
async def test_the_metrics_are_those_that_the_registry_has(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(metrics=True, ttl=30)
    hub.pool = HTTPConnectionPool(hub.reactor)
    asset = hub.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_wheel("demo", "1.0"))
    for path in ("/simple/demo/", "/simple/demo/", "/simple/", f"/asset/{asset.id}/{asset.name}"):
        await hub.get(path)
    text = await treq.content(await Agent(hub.reactor).request(b"GET", hub.metrics_url.encode()))
    told = {
        code(row["metric"])[0]: (row["type"], frozenset(code(row["labels"])))
        for row in rows("metrics.md", "metric", "type", "labels")
    }
    assert told == families(text) | {"pypihub_worker_up": families(merged({"1": b""}))["pypihub_worker_up"]}
    looks = set(re.findall(r'pypihub_cache_looks_total\{kind="(\w+)"', text.decode()))
    assert looks == label("`kind` of a look")
    assert set(re.findall(r'host="(\w+)"', text.decode())) == label("`host`")


def test_the_labels_values_are_those_of_the_code() -> None:
    assert label("`route`") == {*routes._KINDS, routes.OTHER}
    assert label("`kind` of a call") == {str(kind) for kind in calls.Call}
    assert label("`budget`") == {str(budget) for budget in points.Budget}
    source = "".join(path.read_text() for path in SOURCES)
    looks = set(re.findall(r'looked\([^)]*"(\w+)"\)', source))
    assert looks == label("`outcome` of a look")
    ended = inspect.getsource(calls.counted) + inspect.getsource(calls._class)
    assert set(re.findall(r'(?:outcome = |return |else |, )"(\w+)"', ended)) == label("`outcome` of a call")


def test_the_classes_of_histograms_are_told() -> None:
    told = re.search(
        r"end at ([^m]+) milliseconds, (.+?) seconds\.", " ".join((REFERENCE / "metrics.md").read_text().split())
    )
    assert told is not None
    milliseconds, seconds = ([float(each) for each in re.findall(r"[\d.]+", part)] for part in told.groups())
    assert tuple(each / 1000 for each in milliseconds) + tuple(seconds) == BOUNDS


# The log


def test_a_requests_line_is_told_field_by_field() -> None:
    rows_of_fields = rows("log.md", "JSON", "text")
    assert {field for row in rows_of_fields for field in code(row["JSON"])} == set(access.Line.__struct_fields__)
    by_name = {name for row in rows_of_fields for name in re.findall(r"`(\w+)=`", row["text"])}
    assert by_name == set(re.findall(r"\b(\w+)=", inspect.getsource(access.Line.text)))


def test_the_fields_of_all_other_lines_are_told() -> None:
    (text,) = (text for heading, text in sections("log.md") if heading == "All other lines")
    said = " ".join(text.split())
    fields = re.search(r"As JSON it has (.+?)\. ", said)
    loggers = re.search(r"The loggers are (.+?)\. ", said)
    assert fields is not None
    assert loggers is not None
    assert code(fields[1]) == list(_Told.__struct_fields__)
    source = "".join(path.read_text() for path in SOURCES)
    assert set(code(loggers[1])) == set(re.findall(r'(?:Logger\(|ACCESS = )"(pypihub[a-z.]*)"', source))


def test_where_an_answer_came_from_is_told() -> None:
    told = {code(row["`cache`"])[0] for row in rows("log.md", "`cache`", "what it means")}
    assert told == (label("`outcome` of a look") - {"refresh"}) | {"front", "-"}


def messages() -> Iterator[tuple[str, str]]:
    """What is logged in the code: the level, and the message with its braces."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            logger, method, said = ast.unparse(node.func.value), node.func.attr, node.args[-1]
            if logger in ("_log", "self._log") and method in LEVELS and isinstance(node.args[0], ast.Constant):
                yield LEVELS[method], str(node.args[0].value)
            elif logger == "self" and method == "_tell" and isinstance(said, ast.JoinedStr):  # of the store
                yield "warn", ast.unparse(said)[2:-1].replace("self._place", "file")
    yield "info", listening.TELLS
    yield "info", re.findall(r'tells="(.+)"', inspect.getsource(scraping))[0]


def test_every_message_is_told() -> None:
    told = [(row["level"], code(row["message"])[0]) for row in rows("log.md", "level", "message")]
    assert sorted(told) == sorted({(level, text) for level, text in messages() if text != "{text}"})


# Command line


def helped() -> dict[str, str]:
    """The commands of the page that ask for help, and the output that it shows."""
    blocks = read_blocks(REFERENCE / "command-line.md")
    return {block.text.strip(): block.output or "" for block in blocks if block.text.strip().endswith("--help")}


def test_each_commands_help_is_told() -> None:
    commands = {f"pypihub {name} --help" for name, each in main.commands.items() if not each.hidden}
    assert set(helped()) == {"pypihub --help", "twistd pypihub --help", *commands}


@pytest.mark.parametrize("command", helped())
def test_help_is_told_word_by_word(command: str) -> None:
    program, *arguments = command.split()
    usual = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    printed = subprocess.run(
        [BIN / program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, env=usual
    ).stdout
    assert helped()[command].strip() == printed.strip()


def test_the_environment_of_a_command_is_told() -> None:
    index = Index("http://127.0.0.1:1", Owner("acme"), Token("ghp_x"))
    told = rows("command-line.md", "variable", "value", "when")
    for with_pypi, left_out in ((True, "`--no-pypi`"), (False, "without `--no-pypi`")):
        listed = {name for row in told if row["when"] != left_out for name in code(row["variable"])}
        assert listed == set(variables(index, {}, with_pypi=with_pypi))


def test_the_variables_that_hold_a_token_are_told() -> None:
    told = [code(row["where"])[0] for row in rows("command-line.md", "where", "what for")]
    assert told == [*token_of.VARIABLES, token_of._GH]


def test_the_steps_of_check_are_told() -> None:
    told = [row["step"] for row in rows("command-line.md", "step", "what is tried")]
    assert told == [step.name for step in (*_TO_GITHUB, *_OF_OWNER, *_OF_PROJECT)]


def test_the_variables_that_are_read_are_told() -> None:
    told = {name for row in rows("command-line.md", "variable", "what for") for name in code(row["variable"])}
    source = "".join(path.read_text() for path in SOURCES)
    assert set(re.findall(r'environ(?:ment)?\.get\(\s*"(\w+)"', source)) <= told
    assert told >= notify.FOR_THIS_PROCESS


def test_the_exit_statuses_are_told() -> None:
    told = {row["status"] for row in rows("command-line.md", "status", "when")}
    by_signal = f"{children._ENDED_BY_SIGNAL} and a signal's number"
    assert told >= {"0", "1", "2", str(run._NO_SUCH_COMMAND), str(running._INTERRUPTED), by_signal}
