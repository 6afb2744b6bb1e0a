"""The pages for people in a real Chromium, as one of them goes through. `--screenshots FOLDER` keeps pictures."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_twisted import ensureDeferred
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait
from support.gallery import OWNER, PROJECT, hang
from support.hub import Hub
from twisted.internet.threads import deferToThread

from pypihub.sandbox.samples import sample_wheel

_SERVER = "packages.example.com"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=OptimizationHints,MediaRouter,AutofillServerCommunication",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
)


class Browser:
    """A Chromium with nobody's settings in it. Every method blocks, so a thread uses it."""

    def __init__(self, profile: Path, chromium: str, driver: str) -> None:
        options = ChromeOptions()
        options.binary_location = chromium
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = Chrome(options=options, service=ChromeService(driver))
        self.driver.set_page_load_timeout(30)
        self.hosts: set[str] = set()

    def show(self, scheme: str = "light", width: int = 1200, height: int = 900) -> None:
        """Another colour scheme, or another size of the window."""
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str = "main") -> str:
        return str(self.find(selector).text)

    def follow(self, selector: str, *keys: str) -> None:
        """Clicks there, or types there, and waits until another page is shown: a click comes back before that."""
        before = self.find("html")
        self.find(selector).send_keys(*keys) if keys else self.find(selector).click()
        WebDriverWait(self.driver, 30, poll_frequency=0.05).until(staleness_of(before))

    def complaints(self) -> list[str]:
        """What the console said since it was read last; notes which hosts were asked meanwhile."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = urlsplit(message["params"]["request"]["url"])
                if url.scheme not in ("chrome", "chrome-untrusted", "data"):  # the browser's own first page
                    self.hosts.add(url.netloc.rpartition("@")[2])
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("there is no chromium with its chromedriver (Debian's packages chromium and chromium-driver)")
    started = Browser(tmp_path / "profile", chromium, driver)
    yield started
    with suppress(Exception):
        started.driver.quit()


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Browser, str], None]:
    """Keeps a picture of what is shown, where that is wanted."""
    folder = request.config.getoption("--screenshots")

    def take(browser: Browser, name: str) -> None:
        if folder:
            picture = Path(folder) / f"{name}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            browser.driver.save_screenshot(str(picture))
            if shutil.which("pngquant"):  # a third of the bytes
                subprocess.run(["pngquant", "--force", "--ext", ".png", "--speed", "1", str(picture)], check=True)

    return take


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
        _keep_both(browser, keep, "project", height=1260)

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
