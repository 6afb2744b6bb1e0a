"""No token, no Authorization header and no signed URL shows itself: not in a log, an error or a repr."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_twisted import ensureDeferred

from pypihub.sandbox.faults import CutBody, Drop, Hang, Html, PrimaryLimit, Status


@pytest.mark.parametrize("form", ["text", "json"])
@ensureDeferred
async def test_nothing_secret_is_logged_or_told(make_hub: Callable[..., Any], log_lines: list[str], form: str) -> None:
    hub = await make_hub(timeout=0.05, log={"format": form})
    asset = hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0.tar.gz", b"x")
    file = f"/asset/{asset.id}/{asset.name}"
    wrong = "ghp_" + "wrong" * 7
    answers = [
        await hub.get("/simple/demo/"),
        await hub.get("/simple/missing/"),
        await hub.get("/simple/demo/", token=wrong),
        await hub.get("/simple/demo/", token=wrong),
        await hub.get(f"/simple/demo/?token={wrong}"),
        await hub.get("/%ff/", headers={"User-Agent": f"curl {wrong}"}),
        await hub.get(f"/{wrong}/simple/demo/", headers={"User-Agent": wrong, "X-Request-ID": wrong}),
        await hub.get("/simple/demo/", user=wrong),
    ]
    for fault in (Drop(), Hang(), Html(502), CutBody(10), Status(200, b"no json")):
        hub.sandbox.faults.add(fault, times=3)
        answers.append(await hub.get("/simple/demo/"))
        answers.append(await hub.get("/simple/demo/"))
    redirect = await hub.get(file)
    for fault in (Drop(), Drop(), PrimaryLimit()):
        hub.sandbox.faults.add(fault, times=3)
        answers.append(await hub.get("/simple/demo/"))
    signature = urlsplit(redirect.header("Location")).query
    assert redirect.code == 302
    assert signature
    told = "".join(str(answer) for answer in answers) + redirect.text + redirect.phrase
    logged = "\n".join(log_lines)
    for secret in (hub.token, wrong, base64.b64encode(f"octo:{hub.token}".encode()).decode(), signature):
        assert secret not in told
        assert secret not in logged
    assert logged


@ensureDeferred
async def test_a_log_line_cannot_be_forged(make_hub: Callable[..., Any], log_lines: list[str]) -> None:
    hub = await make_hub()
    await hub.get("/simple/a%0Ab%22/", headers={"User-Agent": 'curl"evil'})
    (line,) = (line for line in log_lines if "pypihub.access" in line)
    assert "\n" not in line
