"""A Chromium for tests, and pictures of what it shows."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

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

    def keep(self, picture: Path) -> None:
        """Writes what is shown into a PNG file, in a third of the bytes where pngquant is there."""
        picture.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(picture))
        if shutil.which("pngquant"):
            subprocess.run(["pngquant", "--force", "--ext", ".png", "--speed", "1", str(picture)], check=True)

    def complaints(self) -> list[str]:
        """What the console said since it was read last; notes which hosts were asked meanwhile."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = urlsplit(message["params"]["request"]["url"])
                if url.scheme not in ("chrome", "chrome-untrusted", "data"):  # the browser's own first page
                    self.hosts.add(url.netloc.rpartition("@")[2])
        return [entry["message"] for entry in self.driver.get_log("browser")]
