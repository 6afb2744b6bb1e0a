"""The pages for people in a real Chromium, as one of them goes through. `--screenshots FOLDER` keeps pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pytest_twisted import ensureDeferred
from selenium.webdriver.common.keys import Keys
from support.browser import Browser
from support.gallery import OWNER, PROJECT, hang
from support.hub import Hub
from twisted.internet.threads import deferToThread

from pypihub.sandbox.samples import sample_wheel

_SERVER = "packages.example.com"


@ensureDeferred
async def test_a_person_logs_in_searches_opens_a_project_and_copies_the_line(
    make_hub: Callable[..., Any], browser: Browser, keep: Callable[[Browser, str], None]
) -> None:
    hub: Hub = await make_hub(server={"url": f"https://{_SERVER}"}, ttl=600)
    token = hang(hub.world)

    def walk() -> None:
        driver = browser.driver
        driver.get(hub.index_url(OWNER, token, "/"))
        assert "8 projects" in browser.text()
        assert "0.8.4" in browser.text(".projects li:nth-child(5)")
        assert "Archived" in browser.text(".projects li:nth-child(5)")
        _keep_both(browser, keep, "projects")

        browser.follow("#q", "FUEL", Keys.RETURN)
        assert "1 of 8 projects found for “FUEL”" in browser.text(".lead")
        _keep_both(browser, keep, "search", height=420)
        browser.follow(f"a[href$='project/{PROJECT}/']")

        assert browser.text("h1") == f"{PROJECT} 2.0.0"
        line = browser.find("#with-pip + dd code")
        line.click()
        assert driver.execute_script("return getSelection().toString()").strip() == (
            f'PIP_INDEX_URL="https://__token__:$PYPIHUB_TOKEN@{_SERVER}/{OWNER}/simple/" pip install {PROJECT}'
        )
        driver.execute_script("getSelection().removeAllRanges()")
        assert "async for reading" in browser.text(".readme")
        assert "2.1.0rc1" in browser.text(".versions")
        _keep_both(browser, keep, "project", height=1420)

        browser.follow(".versions a[href='?version=1.2.0']")
        assert "This version is yanked: loses the last reading of a stream" in browser.text(".notice.bad")
        browser.follow(".notice a[href='./']")
        assert browser.text("h1") == f"{PROJECT} 2.0.0"
        assert driver.title == f"{PROJECT} 2.0.0 – PyPIHub", "nothing of a README is run"
        assert token not in driver.page_source
        assert browser.complaints() == []
        assert browser.hosts == {urlsplit(hub.url).netloc}

    await deferToThread(walk)


_FORGED = """
const [url, name, content, done] = arguments;
const form = new FormData();
const fields = {":action": "file_upload", protocol_version: "1", filetype: "bdist_wheel", metadata_version: "2.2"};
const release = {name: "rocket-fuel", version: "9.0"};
for (const [field, value] of Object.entries({...fields, ...release})) form.append(field, value);
form.append("content", new Blob([Uint8Array.from(content)]), name);
fetch(url, {method: "POST", mode: "no-cors", credentials: "include", body: form}).then(() => done("sent"), done);
"""


@ensureDeferred
async def test_another_site_s_page_cannot_publish_with_the_credentials_of_a_person_who_logged_in(
    hub: Hub, browser: Browser
) -> None:
    token = hang(hub.world)
    repository = hub.world.find_repository(OWNER, PROJECT)
    assert repository is not None
    before = set(repository.releases)

    def walk() -> None:
        driver = browser.driver
        driver.get(hub.index_url(OWNER, token, "/"))
        assert "8 projects" in browser.text()
        driver.get(hub.sandbox.api_url)  # any other origin
        name, content = sample_wheel(PROJECT, "9.0")
        sent = driver.execute_async_script(_FORGED, f"{hub.url}/{OWNER}/legacy/", name, list(content))
        assert sent == "sent"

    await deferToThread(walk)
    assert set(repository.releases) == before


def _keep_both(browser: Browser, keep: Callable[[Browser, str], None], name: str, height: int = 900) -> None:
    for scheme in ("light", "dark"):
        browser.show(scheme, height=height)
        keep(browser, f"{name}-{scheme}")
    browser.show(width=390, height=844)
    assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= 390, "wider than a phone"
    keep(browser, f"{name}-phone")
    browser.show()
