"""pypi-simple, the strictest reader of the Simple API, at a running daemon over a GitHub in a box."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub

# Prints what the project's page says and downloads every file of it into the current folder.
SCRIPT = """
import json, os
import pypi_simple

accept = {"json": pypi_simple.ACCEPT_JSON_ONLY, "html": pypi_simple.ACCEPT_HTML_ONLY}[os.environ["FORM"]]
with pypi_simple.PyPISimple(os.environ["INDEX"], auth=("octo", os.environ["TOKEN"]), accept=accept) as client:
    projects = client.get_index_page().projects
    page = client.get_project_page("app")
    for package in page.packages:
        client.download_package(package, package.filename)
    print(json.dumps({
        "projects": projects,
        "project": page.project,
        "repository_version": page.repository_version,
        "versions": page.versions,
        "packages": [
            {
                "filename": package.filename,
                "version": package.version,
                "digests": package.digests,
                "size": package.size,
                "upload_time": package.upload_time and package.upload_time.isoformat(),
            }
            for package in page.packages
        ],
    }))
"""


async def read(run: Callable[..., Any], hub: Hub, form: str) -> Any:
    """What the script prints."""
    ended = await run(sys.executable, "-c", SCRIPT, INDEX=f"{hub.url}/simple/", TOKEN=hub.token, FORM=form)
    assert ended.code == 0, ended.text
    return json.loads(ended.out)


def packages(hub: Hub) -> list[dict[str, Any]]:
    """What GitHub knows of app's files."""
    app: Any = hub.world.find_repository("octo", "app")
    return [
        {
            "filename": asset.name,
            "version": release.tag_name.removeprefix("v"),
            "digests": {"sha256": asset.sha256},
            "size": asset.size,
            "upload_time": max(asset.created_at, release.published_at).isoformat(),
        }
        for release in app.releases.values()
        for asset in release.assets.values()
    ]


@ensureDeferred
async def test_the_json_page_tells_all_that_github_knows(stocked: Hub, run: Callable[..., Any]) -> None:
    assert await read(run, stocked, "json") == {
        "projects": ["app", "lib"],
        "project": "app",
        "repository_version": "1.4",
        "versions": ["1.0", "1.1"],
        "packages": packages(stocked),
    }


@ensureDeferred
async def test_the_html_page_tells_what_html_can(stocked: Hub, run: Callable[..., Any]) -> None:
    found = await read(run, stocked, "html")
    assert (found["project"], found["repository_version"]) == ("app", "1.4")
    assert found["projects"] == ["app", "lib"]
    assert found["packages"] == [{**package, "size": None, "upload_time": None} for package in packages(stocked)]


@pytest.mark.parametrize("form", ["json", "html"])
@ensureDeferred
async def test_downloaded_files_pass_its_check_of_the_digests(
    stocked: Hub, run: Callable[..., Any], tmp_path: Path, form: str
) -> None:
    await read(run, stocked, form)
    app: Any = stocked.world.find_repository("octo", "app")
    for release in app.releases.values():
        for asset in release.assets.values():
            assert (tmp_path / asset.name).read_bytes() == asset.content
            assert asset.download_count >= 1
