"""Flaws that other indexes had, each with a test that PyPIHub is without it. (Many are tested closer elsewhere too.)"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_twisted
import requests
from pytest_twisted import ensureDeferred
from support.forms import CONTENT_TYPE, form, upload_parts
from support.hub import Hub
from support.wire import connect
from twisted.internet.threads import deferToThread

import pypihub
from pypihub.config import load_config
from pypihub.errors import ConfigError
from pypihub.sandbox.faults import CutBody, Drop, Effect, GraphQLErrors, Hang, Html, PrimaryLimit, Status
from pypihub.sandbox.samples import sample_wheel
from pypihub.web.app import App

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
NAME, WHEEL = sample_wheel("demo", "1.0")
EVIL = '"><script>alert(1)</script>'
MakeHub = Callable[..., Any]


def add(hub: Hub, repository: str = "octo/demo", name: str = NAME, content: bytes = WHEEL, **release: Any) -> str:
    """The path of a file in a release."""
    asset = hub.world.add_repository(repository).add_release("v1", **release).add_asset(name, content)
    return f"/asset/{asset.id}/{name}"


async def upload(hub: Hub, name: str, content: bytes, **fields: str) -> requests.Response:
    body = form(upload_parts(name, content, **{"name": "demo", "version": "1.0", **fields}))
    answer: requests.Response = await deferToThread(
        requests.post,
        f"{hub.url}/legacy/",
        body,
        headers={"Content-Type": CONTENT_TYPE},
        auth=("octo", hub.token),
        timeout=30,
    )
    return answer


@pytest_twisted.async_fixture
async def cached(make_hub: MakeHub, tmp_path: Path) -> Hub:
    """A hub that keeps what it knows, in memory and on the disk."""
    hub: Hub = await make_hub(ttl=600, stale=600, cache=tmp_path / "cache")
    return hub


# What comes back to the client


@pytest.mark.parametrize("start", ["/simple/Demo", "/octo/simple/Demo", "/simple/De_mo/", "/simple"])
@ensureDeferred
async def test_no_cr_or_lf_comes_into_a_location_header(hub: Hub, start: str) -> None:
    for smuggled in ("%0d%0aX-Evil:1", "%0aX-Evil:1", "%0dX-Evil:1", "%e5%98%8d%e5%98%8aX-Evil:1"):
        for path in (f"{start}?a={smuggled}", f"{start}{smuggled}", f"{start}/{smuggled}/"):
            answer = await hub.get(path)
            assert not answer.headers.hasHeader("X-Evil")
            location = answer.header("Location") or ""
            assert location.isprintable()
            assert not location.startswith(("//", "http"))


@ensureDeferred
async def test_no_script_comes_through_a_name_a_reason_or_a_file_name(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    release = repository.add_release(f"v1{EVIL}", name=f"[yanked] {EVIL}")
    release.add_asset(NAME, WHEEL)
    release.add_asset(f"demo-2.0+{EVIL}.tar.gz", b"x")
    word = quote(EVIL, safe="")
    for path in ("/simple/demo/", f"/simple/{word}/", f"/{word}/simple/demo/", f"/{word}", f"/simple/?format={word}"):
        answer = await hub.get(path)
        assert "<script" not in answer.text
        assert answer.header("X-Content-Type-Options") == "nosniff"
    assert NAME in (await hub.get("/simple/demo/")).text


@ensureDeferred
async def test_a_client_s_name_changes_no_answer(cached: Hub) -> None:
    add(cached)
    for headers in ({}, JSON):
        answers = [
            await cached.get("/simple/demo/", headers={**headers, "User-Agent": agent})
            for agent in ("pip/26.3", "pip/1.0", "uv/0.13", "Mozilla/5.0", "", "\t")
        ]
        assert len({(answer.code, answer.header("ETag"), answer.body) for answer in answers}) == 1
        assert "User-Agent" not in (answers[0].header("Vary") or "")


@pytest.mark.parametrize(
    "accept", ["*/*;q=", "a/b;q=x,*/*;q=nan", "text/html;q=--1", ";q=1", "text/html;;;q=0..5", "*" * 5000]
)
@ensureDeferred
async def test_a_malformed_quality_is_no_mistake_of_ours(hub: Hub, accept: str) -> None:
    assert (await hub.get("/simple/", headers={"Accept": accept})).code in (200, 406)


@ensureDeferred
async def test_there_is_no_xml_rpc_for_entity_bombs(hub: Hub) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><methodCall><methodName>&b;</methodName></methodCall>'
    for path in ("/pypi", "/pypi/", "/RPC2", "/simple/", "/legacy/", "/"):
        answer = await deferToThread(
            requests.post,
            hub.url + path,
            bomb,
            headers={"Content-Type": "text/xml"},
            auth=("octo", hub.token),
            timeout=10,
        )
        assert answer.status_code in (400, 404, 405)
    sources = [file.read_text() for file in Path(pypihub.__file__).parent.rglob("*.py")]
    assert not [
        text for text in sources if re.search(r"^\s*(import|from) (xml|lxml|defusedxml|expat)", text, re.MULTILINE)
    ]


@pytest.mark.parametrize(
    "path",
    ["/simple/../../etc/passwd", "/simple/%2e%2e/%2e%2e/etc/passwd", "/simple/..%2f..%2fetc%2fpasswd/", "/simple/.%2e/",
     "/asset/..%2f1/x.whl", "/simple/%252e%252e%252fetc/", "/asset/%2e%2e/%2e%2e", "/..%5c..%5cetc/passwd",
     "/octo%2fdemo/simple/x/"],
)  # fmt: skip
@ensureDeferred
async def test_an_encoded_path_leads_nowhere(hub: Hub, path: str) -> None:
    answer = await hub.get(path)
    assert answer.code == 404
    assert "root:" not in answer.text
    assert all("passwd" not in call.path and ".." not in call.path for call in hub.sandbox.calls)


# Who may see what


@pytest.mark.parametrize("headers", [{}, JSON])
@ensureDeferred
async def test_nobody_gets_another_s_private_answer_from_the_cache(cached: Hub, headers: dict[str, str]) -> None:
    file = add(cached)
    assert (await cached.get(f"{file}.metadata")).code == 200  # the page changes with it
    owner_s = await cached.get("/simple/demo/", headers=headers)
    etag = str(owner_s.header("ETag"))
    assert (await cached.get(file)).code == 302
    stranger = cached.world.add_token("stranger")
    for path in ("/simple/demo/", file, f"{file}.metadata"):
        for more in ({}, {"If-None-Match": etag}, {"If-None-Match": "*"}):
            answer = await cached.get(path, token=stranger, headers={**headers, **more})
            assert answer.code == 404, (path, more)
    assert (await cached.get("/simple/demo/", headers={**headers, "If-None-Match": etag})).code == 304


@ensureDeferred
async def test_nobody_gets_another_s_404_from_the_cache(cached: Hub) -> None:
    stranger = cached.world.add_token("stranger")
    add(cached)
    assert (await cached.get("/simple/demo/", token=stranger)).code == 404
    assert (await cached.get("/simple/demo/")).code == 200
    assert (await cached.get("/simple/demo/", token=stranger)).code == 404


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@ensureDeferred
async def test_every_route_wants_credentials_but_those_that_tell_nothing(hub: Hub, accept: str) -> None:
    """What is for people is not there for tools, or tells them what this is."""
    add(hub)
    public = {"/legacy/": 200, "/octo/legacy/": 200, "/static/style.css": 200, "/static/icon.svg": 200}
    if accept == "*/*":
        public |= {"/": 200, "/octo/": 404}
    words = {"owner": "octo", "project": "demo", "asset_id": "RA_x", "filename": NAME, "version": "1.0", "name": "demo"}
    for rule in App.app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda field: words[field[1]], rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = await hub.request(method, path, user=None, headers={"Accept": accept})
            expected = public.get(path, 401) if method == "GET" else 401
            assert answer.code == expected, (method, path)
    for path in ("/admin", "/metrics", "/debug", "/config", "/status", "/stats", "/users", "/reload", "/shutdown"):
        assert (await hub.get(path, user=None)).code == 404
    assert hub.asked() == 0


@ensureDeferred
async def test_a_file_s_url_holds_only_for_its_owner_its_id_and_its_name(hub: Hub) -> None:
    path = add(hub)
    _, _, number, name = path.split("/")
    draft = add(hub, "octo/hidden", draft=True)
    foreign = add(hub, "other/demo")
    hub.world.add_repository("other/open", private=False).add_release("v1").add_asset("open-1.0.tar.gz", b"x")
    assert (await hub.get(path)).code == 302
    for wrong in (
        f"/asset/{number}/demo-2.0-py3-none-any.whl",
        f"/other{path}",
        f"/asset/RA_{number}/{name}",
        draft,
        foreign,
    ):
        assert (await hub.get(wrong)).code == 404, wrong
        assert (await hub.get(f"{wrong}.metadata")).code == 404, wrong


# Tokens and signed URLs


@ensureDeferred
async def test_a_token_is_in_no_cookie_no_log_no_answer_no_file_and_no_process_list(
    cached: Hub, tmp_path: Path, log_lines: list[str]
) -> None:
    file = add(cached)
    answers = [
        await cached.get(path) for path in ("/", "/simple/demo/", "/simple/Demo", file, f"{file}.metadata", "/nothing")
    ]
    for fault in (Status(500, b"{}"), Drop(), Status(200, b"{")):
        cached.sandbox.faults.add(fault, times=3)
        answers.append(await cached.get("/simple/other/"))
    assert not any(answer.headers.hasHeader("Set-Cookie") for answer in answers)
    told = "".join(f"{answer.headers} {answer.body!r} {answer.phrase}" for answer in answers)
    await cached.services.pop().stopService()
    kept = b"".join(each.read_bytes() for each in (tmp_path / "cache").rglob("*") if each.is_file())
    assert kept
    for place in (told, "\n".join(log_lines), kept.decode("latin-1"), " ".join(sys.argv)):
        assert cached.token not in place


@pytest.mark.parametrize("mode", ["redirect", "proxy"])
@ensureDeferred
async def test_no_token_is_sent_to_a_storage_host(make_hub: MakeHub, mode: str) -> None:
    hub = await make_hub(mode=mode)
    file = add(hub)
    await hub.get(f"{file}.metadata")
    answer = await hub.get(file)
    assert hub.token not in (answer.header("Location") or "")
    stored = [call for call in hub.sandbox.calls if call.where == "storage"]
    assert stored
    assert all("authorization" not in {name.lower() for name in call.headers} for call in stored)


@ensureDeferred
async def test_a_signed_url_is_not_logged_and_not_given_out_past_its_life(
    make_hub: MakeHub, log_lines: list[str]
) -> None:
    """GitHub's are good for five minutes. PyPIHub gives one out for a minute, so that who got it last has four."""
    hub = await make_hub(ttl=600)
    wire = await connect(hub)
    wire.send_head(add(hub), method="GET")
    assert await wire.answered() == 302
    wire.hang_up()
    signature = wire.received.partition(b"Location: ")[2].partition(b"\r\n")[0].partition(b"?")[2].decode()
    assert "sig=" in signature
    assert b"Cache-Control: no-store" in wire.received
    assert signature not in "\n".join(log_lines)
    (site,) = (each.site for each in hub.services[0] if hasattr(each, "site"))
    [*_, ready] = next(iter(site.front._known.values()))
    assert 50 < ready.until - hub.reactor.seconds() <= 60


# What is configured, and what happens in trouble


@pytest.mark.parametrize("only", ["crt", "key"])
def test_tls_with_only_one_of_certificate_and_key_is_a_mistake(tmp_path: Path, only: str) -> None:
    file = tmp_path / "pypihub.toml"
    file.write_text(f'[server.tls]\n{only} = "tls.pem"\n')
    with pytest.raises(ConfigError, match=r"server\.tls"):
        load_config(file)


@ensureDeferred
async def test_an_owner_may_be_written_in_any_case(make_hub: MakeHub) -> None:
    hub = await make_hub(owners=["OCTO"])
    add(hub, "Octo/Demo")
    for user in ("octo", "Octo", "OCTO"):
        assert (await hub.get("/simple/demo/", user=user)).code == 200
        assert (await hub.get(f"/{user}/simple/demo/")).code == 200


@ensureDeferred
async def test_a_name_may_be_written_in_any_way(hub: Hub) -> None:
    add(hub, "octo/my-pkg", "my_pkg-1.0-py3-none-any.whl")
    for name in ("My_Pkg", "my.pkg", "MY--PKG", "my-pkg"):
        answer = await hub.get(f"/simple/{name}/")
        assert (answer.code, answer.header("Location")) in ((200, None), (301, "../my-pkg/"))


@pytest.mark.parametrize(
    "fault",
    [Drop(), Hang(), Html(502), Html(200), CutBody(10), Status(500, b""), Status(200, b"{}"), Status(404, b"{}"),
     GraphQLErrors(({"message": "x"},)), PrimaryLimit(), Status(401, b"{}"), Status(403, b"{}")],
)  # fmt: skip
@ensureDeferred
async def test_no_trouble_of_github_s_is_a_404(make_hub: MakeHub, fault: Any) -> None:
    hub = await make_hub(timeout=0.2)
    file = add(hub)
    hub.sandbox.faults.add(fault, times=None)
    for path in ("/simple/demo/", file, f"{file}.metadata"):
        assert (await hub.get(path)).code in (401, 403, 429, 502, 503, 504), path


@ensureDeferred
async def test_no_call_to_github_waits_for_ever(make_hub: MakeHub) -> None:
    for where, path in (("graphql", "/simple/demo/"), ("storage", "FILE.metadata")):
        hub = await make_hub(timeout=0.1)
        file = add(hub)
        hub.sandbox.faults.add(Hang(), where=where, times=None)
        began = hub.reactor.seconds()
        assert (await hub.get(path.replace("FILE", file))).code == 504
        assert hub.reactor.seconds() - began < 14  # less than the 15 s that it is by default


# Uploads


@ensureDeferred
async def test_a_failed_upload_leaves_no_draft(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    hub.sandbox.faults.add(Status(500, b"{}"), where="uploads", times=None, effect=Effect.NONE)
    answer = await upload(hub, NAME, WHEEL)
    assert answer.status_code in (502, 503)
    for _ in range(200):
        if not repository.releases:
            break
        assert (await hub.get("/", user=None)).code == 200  # the reactor goes on
    assert not repository.releases


def packed(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def members() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(WHEEL)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@ensureDeferred
async def test_a_zip_bomb_is_refused(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    bomb = packed({**members(), "demo/zeros": bytes(300_000_000)})
    assert len(bomb) < 1_000_000
    answer = await upload(hub, NAME, bomb)
    assert answer.status_code == 400
    assert not repository.releases


@pytest.mark.parametrize(
    "polyglot",
    [b"GIF89a" + WHEEL, WHEEL + b"\x1f\x8b behind", b"#!/bin/sh\nexit\n" + WHEEL, WHEEL + WHEEL, b"%PDF-1.7\n" + WHEEL],
    ids=["before", "behind", "script", "twice", "pdf"],
)
@ensureDeferred
async def test_a_polyglot_is_refused(hub: Hub, polyglot: bytes) -> None:
    repository = hub.world.add_repository("octo/demo")
    answer = await upload(hub, NAME, polyglot)
    assert answer.status_code == 400
    assert not repository.releases


@pytest.mark.parametrize(("field", "value"), [("name", "other"), ("version", "2.0")])
@ensureDeferred
async def test_metadata_that_contradicts_the_form_is_refused(hub: Hub, field: str, value: str) -> None:
    repository = hub.world.add_repository("octo/demo")
    inside = {
        name: re.sub(rb"(?m)^%s: .*$" % field.title().encode(), f"{field.title()}: {value}".encode(), content)
        if name.endswith("METADATA")
        else content
        for name, content in members().items()
    }
    answer = await upload(hub, NAME, packed(inside))
    assert answer.status_code == 400
    assert not repository.releases
