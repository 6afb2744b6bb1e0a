"""Pages for people: who gets them, what is on them, and that nothing on them is anything but text."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Answer, Hub

from pypihub.sandbox.failures import Status
from pypihub.sandbox.samples import sample_sdist, sample_wheel

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"}
PIP = {"Accept": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"}
MARKDOWN = "Description-Content-Type: text/markdown"
HOSTILE = "<script>alert(1)</script>\"'&<b onclick=x>"


class Links(HTMLParser):
    """Where a page leads, and what it loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self._last = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.attributes += values
        self._last = (values.get("href") or "") if tag == "a" else ""
        self.loaded += [value for value in (values.get("src"), values.get("href") if tag == "link" else None) if value]

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._last = ""

    def handle_data(self, data: str) -> None:
        if self._last and data.strip():
            self.found.setdefault(data.strip(), self._last)


def publish(hub: Hub, **more: Any) -> Any:
    """octo/demo with two versions."""
    repository = hub.world.add_repository("octo/demo", **more)
    for version in ("1.0", "1.1"):
        release = repository.add_release(f"v{version}")
        release.add_asset(*sample_wheel("demo", version, headers=[MARKDOWN], description=f"# Of {version}\n"))
        release.add_asset(*sample_sdist("demo", version))
    return repository


async def browse(hub: Hub, path: str, **how: Any) -> Answer:
    return await hub.get(path, headers=BROWSER, **how)


@ensureDeferred
async def test_a_browser_is_asked_for_credentials_and_a_tool_is_told_what_this_is(hub: Hub) -> None:
    asked = await browse(hub, "/", user=None)
    assert (asked.code, asked.header("WWW-Authenticate")) == (401, 'Basic realm="PyPIHub"')
    assert "Use the GitHub owner as the user name and a GitHub token as the password." in asked.text
    for headers in ({}, {"Accept": "*/*"}, PIP):
        told = await hub.get("/", user=None, headers=headers)
        assert (told.code, told.header("Content-Type")) == (200, "text/plain; charset=utf-8")
        assert told.text.count("\n") == 1
        assert told.header("Vary") == "Accept"
    assert hub.asked() == 0


@ensureDeferred
async def test_the_owner_s_projects_are_shown_with_what_is_known_of_them(hub: Hub) -> None:
    publish(hub, private=False).description = "It demonstrates"
    old = hub.world.add_repository("octo/old", archived=True)
    old.add_release("v1", name="[yanked]").add_asset("old-1.0rc1.tar.gz", b"x")
    for path, user in (("/", "octo"), ("/octo/", "__token__"), ("/OCTO/", "whoever")):
        page = await browse(hub, path, user=user)
        assert page.code == 200
        demo, other = re.findall(r"<li>.*?</li>", page.text, re.DOTALL)
        for text in ("demo", "Public", "It demonstrates", "1.1", '<time datetime="2025-'):
            assert text in demo
        for text in ("Private", "Archived", "Yanked", "1.0rc1"):
            assert text in other
            assert text not in demo
        link = urljoin(f"{hub.url}{path}", Links(page.text).found["demo"])
        assert link.lower() == f"{hub.url}/octo/project/demo/"
    assert hub.asked() == 3, "one call each"


@ensureDeferred
async def test_projects_of_one_repository_do_not_share_its_description(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(replace=[("^.*$", "mono")])
    repository = hub.world.add_repository("octo/mono")
    repository.description = "All of it"
    release = repository.add_release("v1")
    release.add_asset(*sample_wheel("one", "1.0"))
    release.add_asset(*sample_wheel("two", "2.0"))
    page = await browse(hub, "/")
    assert "All of it" not in page.text
    assert page.text.count("In the repository mono") == 2


@ensureDeferred
async def test_a_search_finds_projects_without_asking_github_again(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=60)
    for number in range(101):
        hub.world.add_repository(f"octo/p{number:03}").add_release("v1").add_asset(f"p{number:03}-1.tar.gz", b"x")
    first = await browse(hub, "/")
    assert (first.text.count("<li>"), "Page 1 of 2" in first.text) == (100, True)
    second = await browse(hub, "/" + Links(first.text).found["Next"])
    assert (second.text.count("<li>"), "p100" in second.text) == (1, True)
    found = await browse(hub, "/octo/?q=P04")
    assert "10 of 101 projects found for “P04”" in found.text
    assert 'value="P04"' in found.text
    none = await browse(hub, f"/?q={'%3Cscript%3E' * 50}&page=nonsense")
    assert "0 of 101 projects" in none.text
    assert "<script>" not in none.text
    assert hub.asked() == 2, "for the first 100 repositories, and for the rest"


@pytest.mark.parametrize("path", ["/project/demo/", "/octo/project/demo/"])
@ensureDeferred
async def test_a_project_is_shown_with_the_version_that_would_be_installed(
    make_hub: Callable[..., Any], path: str
) -> None:
    hub = await make_hub(server={"url": "https://packages.example.com/hub"})
    publish(hub)
    page = await browse(hub, path)
    assert page.code == 200
    for text in ('demo <span class="version">1.1', "A sample of demo", ">Of 1.1<", "Private"):
        assert text in page.text
    links = Links(page.text)
    assert links.found["octo/demo"] == f"{hub.sandbox.api_url}/octo/demo"
    assert links.found["Release notes"].endswith("/octo/demo/releases/tag/v1.1")
    assert "https://__token__:$PYPIHUB_TOKEN@packages.example.com/hub/octo/simple/" in page.text
    wheel = urljoin(f"{hub.url}{path}", links.found["demo-1.1-py3-none-any.whl"])
    assert (await hub.head(wheel.removeprefix(hub.url))).code == 200
    for url in links.loaded:
        loaded = await hub.get(urljoin(f"{hub.url}{path}", url).removeprefix(hub.url), user=None)
        assert (loaded.code, bool(loaded.header("ETag"))) == (200, True)
    older = await browse(hub, urljoin(path, links.found["1.0"]))
    assert "Of 1.0" in older.text
    assert "demo==1.0" in older.text
    assert "Installers take version" in older.text
    assert (await browse(hub, f"{path}?version=7")).code == 404
    assert (await browse(hub, f"{path}?version={'1' * 3000}")).code == 404


@ensureDeferred
async def test_yanked_versions_and_archived_repositories_are_marked(hub: Hub) -> None:
    repository = publish(hub, archived=True)
    repository.releases["v1.1"].name = "[yanked] eats data"
    page = await browse(hub, "/project/demo/")
    assert re.search(r'<h1>demo <span class="version">1\.0', page.text)
    assert '<span class="reason">eats data</span>' in page.text
    assert "The repository is archived" in page.text
    yanked = await browse(hub, "/project/demo/?version=1.1")
    assert "<strong>This version is yanked</strong>: eats data" in yanked.text


@ensureDeferred
async def test_where_all_versions_are_yanked_the_lines_pin_the_one_that_is_shown(hub: Hub) -> None:
    for release in publish(hub).releases.values():
        release.name = "[yanked]"
    page = await browse(hub, "/project/demo/")
    assert "This version is yanked" in page.text
    for line in ("pip install demo==1.1<", " demo==1.1\n", "poetry add --source hub demo==1.1<", "pdm add demo==1.1<"):
        assert line in page.text


@ensureDeferred
async def test_what_a_project_requires_is_shown_with_how_pip_gets_it_from_pypi(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    for version, requires in (("1", ['pytest; extra == "test"']), ("2", ["iniconfig>=2", 'pytest; extra == "test"'])):
        repository.add_release(f"v{version}").add_asset(*sample_wheel("demo", version, requires=requires))
    page = await browse(hub, "/project/demo/")
    assert "<li>iniconfig&gt;=2</li>" in page.text
    assert '<li>pytest <span class="where">extra test</span></li>' in page.text
    assert page.text.count("pip download --no-deps") == 1
    assert Links(page.text).found["requires"] == "#requires"
    older = await browse(hub, "/project/demo/?version=1")
    assert "extra test" in older.text
    assert "--no-deps" not in older.text, "pip gets it from here alone"


@ensureDeferred
async def test_without_its_own_url_no_page_tells_one(hub: Hub) -> None:
    """Whatever Host says, and whoever passed the request on."""
    publish(hub)
    more = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    page = await hub.get("/project/demo/", headers=BROWSER | more)
    assert "evil.example" not in page.text
    assert hub.url not in page.text.replace(hub.sandbox.api_url, "")
    assert "@HOST/octo/simple/" in page.text
    assert hub.token not in page.text


@ensureDeferred
async def test_nothing_that_others_wrote_is_more_than_text(hub: Hub) -> None:
    repository = publish(hub)
    repository.description = HOSTILE
    headers = [
        f"Summary: {HOSTILE}",
        f"License: {HOSTILE}",
        f"Author: {HOSTILE}",
        f"Requires-Python: {HOSTILE}",
        f"Requires-Dist: {HOSTILE}; {HOSTILE}",
        f"Project-URL: {HOSTILE}, https://e.example/{HOSTILE}",
        "Project-URL: Evil, javascript:alert(1)",
        MARKDOWN,
    ]
    release = repository.add_release("v2", name=f"[yanked] {HOSTILE}")
    release.add_asset(*sample_wheel("demo", "2", headers=headers, description=f"{HOSTILE}\n\n[x](javascript:alert(1))"))
    for path in ("/", "/project/demo/?version=2", f"/?q={quote(HOSTILE)}"):
        page = await browse(hub, path)
        assert page.code == 200
        assert "&lt;script&gt;" in page.text
        links = Links(page.text)
        assert "script" not in links.tags
        assert not any(name.startswith(("on", "style")) for name in links.attributes)
        assert "javascript:" not in page.text.replace("Evil, javascript:alert(1)", "")


@ensureDeferred
async def test_pages_are_kept_to_themselves_by_their_headers(hub: Hub) -> None:
    publish(hub)
    for path in ("/", "/octo/", "/project/demo/", "/project/nothing/"):
        page = await browse(hub, path)
        assert page.header("Content-Security-Policy") == (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
            " frame-ancestors 'none'"
        )
        assert page.header("Referrer-Policy") == "no-referrer"
        assert page.header("X-Content-Type-Options") == "nosniff"
        assert page.header("Cache-Control") in ("private, max-age=0, must-revalidate", "no-store")


@ensureDeferred
async def test_remote_images_are_shown_where_that_is_allowed(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(remote_images=True)
    text = "![logo](https://images.example/logo.png)"
    wheel = sample_wheel("demo", "1", headers=[MARKDOWN], description=text)
    hub.world.add_repository("octo/demo").add_release("v1").add_asset(*wheel)
    page = await browse(hub, "/project/demo/")
    assert 'src="https://images.example/logo.png"' in page.text
    assert "img-src 'self' https:;" in str(page.header("Content-Security-Policy"))


@ensureDeferred
async def test_a_page_that_the_browser_has_is_not_sent_again(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=60)
    publish(hub)
    for path in ("/", "/project/demo/", "/static/style.css"):
        first = await browse(hub, path)
        again = await hub.get(path, headers=BROWSER | {"If-None-Match": str(first.header("ETag"))})
        assert (again.code, again.body) == (304, b"")


@ensureDeferred
async def test_everyone_sees_what_their_token_sees(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=60)
    publish(hub)
    stranger = hub.world.add_token("stranger")
    assert "demo" in (await browse(hub, "/octo/")).text
    assert (await browse(hub, "/octo/project/demo/")).code == 200
    for _ in range(2):
        assert "demo" not in (await browse(hub, "/octo/", token=stranger)).text
        assert (await browse(hub, "/octo/project/demo/", token=stranger)).code == 404
    refused = await browse(hub, "/octo/project/demo/", token="ghp_revoked")
    assert (refused.code, bool(refused.header("WWW-Authenticate"))) == (401, True)


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/octo", "octo/"),
        ("/octo?q=x", "octo/?q=x"),
        ("/project/My_Demo/", "../my-demo/"),
        ("/project/demo?version=1.0", "demo/?version=1.0"),
        ("/octo/project/My.Demo", "my-demo/"),
    ],
)
@ensureDeferred
async def test_other_spellings_lead_to_the_page(hub: Hub, path: str, location: str) -> None:
    answer = await browse(hub, path)
    assert (answer.code, answer.header("Location")) == (301, location)


@ensureDeferred
async def test_what_is_no_page_is_not_found_before_anybody_is_asked_for_credentials(hub: Hub) -> None:
    for path in ("/favicon.ico", "/robots.txt", "/static/nothing", "/.env"):
        assert (await browse(hub, path, user=None)).code == 404
    assert (await hub.get("/octo/", headers=PIP)).code == 404


@ensureDeferred
async def test_an_owner_called_project_keeps_its_index(hub: Hub) -> None:
    repository = hub.world.add_repository("project/simple", private=False)
    repository.add_release("v1").add_asset(*sample_wheel("simple", "1.0"))
    listed = await hub.get("/project/simple/", user="__token__", headers=PIP)
    assert '"name":"simple"' in listed.text
    files = await hub.get("/project/simple/simple/", user="__token__", headers=PIP)
    assert "simple-1.0-py3-none-any.whl" in files.text
    assert (await browse(hub, "/project/simple/", user="project")).text.count("<h1>simple ") == 1


@ensureDeferred
async def test_the_index_leads_a_browser_to_the_pages_and_stays_as_it_is_for_tools(
    make_hub: Callable[..., Any],
) -> None:
    hub = await make_hub(ttl=60)
    publish(hub)
    for owner in ("", "/octo"):
        for path, target in ((f"{owner}/simple/demo/", f"{owner}/project/demo/"), (f"{owner}/simple/", f"{owner}/")):
            tools = await hub.get(path)
            people = await browse(hub, path)
            (text,) = set(Links(people.text).found) - set(Links(tools.text).found)
            assert urljoin(path, Links(people.text).found[text]) == target
            assert (await browse(hub, target)).code == 200
            for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/vnd.pypi.simple.v1+html"}):
                assert "/project/" not in (await hub.get(path, headers=headers)).text


@ensureDeferred
async def test_trouble_has_a_page_in_a_browser_and_a_line_for_tools(hub: Hub) -> None:
    publish(hub)
    hub.sandbox.faults.add(Status(502), times=None)
    for code, path in ((502, "/project/demo/"), (404, "/project/-/"), (502, "/octo/project/demo/")):
        page = await browse(hub, path)
        assert (page.code, page.header("Content-Type")) == (code, "text/html; charset=utf-8")
        assert "<h1>" in page.text
        for url in Links(page.text).loaded:
            assert (await hub.get(urljoin(path, url), user=None)).code == 200
    line = await hub.get("/octo/project/other/")
    assert line.code in (502, 503)
    assert (line.header("Content-Type"), line.text.count("\n")) == ("text/plain; charset=utf-8", 1)


@ensureDeferred
async def test_while_the_storage_fails_a_project_is_shown_without_its_description(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=0.5)
    publish(hub)
    hub.sandbox.faults.add(Status(503), where="storage", times=None)
    page = await browse(hub, "/project/demo/")
    assert (page.code, "could not be read from GitHub just now" in page.text) == (200, True)
    assert "demo-1.1-py3-none-any.whl" in page.text
    assert "No wheel of this version has one." not in page.text
    assert (await hub.get("/pypi/demo/json")).code in (502, 503), "a tool is not told half of it"
    hub.sandbox.faults.clear()
    for _ in range(2000):  # until what is kept for a moment is made anew
        if "A sample of demo" in page.text:
            break
        page = await browse(hub, "/project/demo/")
        assert page.code == 200
    assert ">Of 1.1<" in page.text
    assert "could not be read" not in page.text


@ensureDeferred
async def test_a_readme_that_takes_long_keeps_nobody_waiting(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys, time; sys.stdin.read(); print('rendered', flush=True); time.sleep(60)"
    monkeypatch.setattr("pypihub.web.readmes._PROGRAM", (sys.executable, "-c", code))
    monkeypatch.setattr("pypihub.web.readmes.PATIENCE", 0.01)
    publish(hub)
    page = await browse(hub, "/project/demo/")
    assert (page.code, "It is being rendered." in page.text) == (200, True)
    assert "demo-1.1-py3-none-any.whl" in page.text


@pytest.mark.parametrize(
    "code",
    ["1/0", "import os; os.abort()", "pass", "import sys; sys.stdout.write('x' * 20_000_000); sys.stdout.flush()"],
)
@ensureDeferred
async def test_a_readme_that_cannot_be_rendered_is_shown_as_it_is(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, log_lines: list[str], code: str
) -> None:
    monkeypatch.setattr("pypihub.web.readmes._PROGRAM", (sys.executable, "-c", code))
    publish(hub)
    page = await browse(hub, "/project/demo/")
    assert "<pre># Of 1.1</pre>" in page.text
    assert any("A README is shown as plain text" in line for line in log_lines)


@ensureDeferred
async def test_a_readme_is_rendered_once_for_all(
    make_hub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    code = f"import sys; sys.stdin.read(); open({str(tmp_path / 'log')!r}, 'a').write('x'); print('<p>done</p>')"
    monkeypatch.setattr("pypihub.web.readmes._PROGRAM", (sys.executable, "-c", code))
    hub = await make_hub(ttl=60)
    publish(hub, readers=["friend"])
    friend = hub.world.add_token("friend")
    for token in (None, friend):
        for path in ("/project/demo/", "/octo/project/demo/"):
            assert "<p>done</p>" in (await browse(hub, path, token=token)).text
    assert (tmp_path / "log").read_text() == "x"


@ensureDeferred
async def test_a_project_without_a_wheel_has_a_page_too(hub: Hub) -> None:
    hub.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_sdist("demo", "1"))
    page = await browse(hub, "/project/demo/")
    assert "demo-1.tar.gz" in page.text
    assert "No wheel of this version has one." in page.text


@ensureDeferred
async def test_a_screen_reader_finds_its_way(hub: Hub) -> None:
    publish(hub)
    for path in ("/", "/project/demo/", "/project/nothing/"):
        page = (await browse(hub, path)).text
        assert '<html lang="en">' in page
        assert page.count("<main") == page.count("<h1>") == page.count("<header") == page.count("<footer") == 1
        assert page.index('href="#main"') < page.index("<header")
        assert page.count('id="main"') == 1
        assert page.count("<input") == page.count("<label")
        names = re.findall(r'aria-labelledby="([^"]+)"', page)
        assert set(names) <= set(re.findall(r' id="([^"]+)"', page))
    project = (await browse(hub, "/project/demo/")).text
    assert 'aria-current="page">1.1<' in project
    assert '<th role="rowheader" scope="row">' in project
