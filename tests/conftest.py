"""What all tests share: nothing may be lost or left behind, and a hub to talk to."""

from __future__ import annotations

import gc
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from hypothesis import settings
from support.hub import Hub, start_hub
from support.process import Process
from support.tools import Tools
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

if TYPE_CHECKING:
    from support.browser import Browser

settings.register_profile("here", deadline=None)  # machines that run tests are busy
settings.load_profile("here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="FOLDER", help="keep pictures of the pages that a browser shows")


@pytest.fixture(scope="session")
def reactor() -> Any:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    gc.collect()
    gc.freeze()  # what is imported by now need not be searched for lost Deferreds after each test
    return reactor


@pytest.fixture(autouse=True)
def nothing_is_lost(reactor: Any) -> Iterator[None]:
    """Fails a test that logs a failure (a lost Deferred, a 500) or leaves a timer behind."""
    failures: list[str] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"].getTraceback())

    before = list(reactor.getDelayedCalls())
    globalLogPublisher.addObserver(observe)
    yield
    for _ in range(20):  # what was hung up on is told of it when the reactor comes round to it
        pytest_twisted.blockon(deferLater(reactor, 0))
        left = [call for call in reactor.getDelayedCalls() if call not in before]
        if not left:
            break
    gc.collect()
    globalLogPublisher.removeObserver(observe)
    assert not failures, "\n".join(["a failure was logged:", *failures])
    assert not left, f"timers were left behind: {left}"


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The access log is written at once."""
    monkeypatch.setattr("pypihub.web.access.DELAY", 0)


@pytest.fixture(autouse=True)
def busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page waits for may take its time: a process that renders a README, or the sandbox."""
    monkeypatch.setattr("pypihub.web.readmes.PATIENCE", 60.0)
    monkeypatch.setattr("pypihub.catalog.listings.PATIENCE", 60.0)


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """Every event that is logged during the test, formatted with all that it holds."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(f"{formatEvent(event)} {event!r}")

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """The tools that publish and install."""
    return Tools(tmp_path_factory.mktemp("tools"))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A Chromium with nobody's settings in it."""
    from support.browser import Browser  # selenium takes a while to import

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
            browser.keep(Path(folder) / f"{name}.png")

    return take


@pytest.fixture
def pass_time(reactor: Any) -> Iterator[Callable[[float], None]]:
    """Sets the reactor's clock on by so many seconds: a short time in a test may be over before its next step.

    What was to be done meanwhile is done as soon as the reactor goes on.
    """
    seconds, passed = reactor.seconds, [0.0]
    reactor.seconds = lambda: seconds() + sum(passed)
    yield passed.append
    reactor.seconds = seconds


@pytest_twisted.async_yield_fixture
async def make_hub(reactor: Any, pass_time: Callable[[float], None]) -> AsyncIterator[Callable[..., Any]]:
    """Makes hubs; they are stopped after the test. See `support.hub.start_hub` for the options."""
    hubs: list[Hub] = []

    async def make(**options: Any) -> Hub:
        hubs.append(await start_hub(reactor, **options))
        return hubs[-1]

    yield make
    for hub in hubs:
        await hub.stop()


@pytest_twisted.async_yield_fixture
async def hub(make_hub: Callable[..., Any]) -> AsyncIterator[Hub]:
    """A hub as a user has it who configured nothing."""
    yield await make_hub()


@pytest.fixture
def run(reactor: Any, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Runs a command in a folder of its own, `run(*command, in_terminal=False, **environment)`.

    What runs after the test is killed.
    """
    started: list[Process] = []

    def start(*command: str, in_terminal: bool = False, **environment: str) -> Process:
        words = list(command)
        started.append(Process(reactor, words, cwd=tmp_path, environment=environment, in_terminal=in_terminal))
        return started[-1]

    yield start
    left = [process for process in started if process.code is None]
    for process in left:
        process.signal("KILL")
        pytest_twisted.blockon(Deferred.fromCoroutine(process.ends()))
    assert not left, "a process was left running"
