"""READMEs as HTML that is safe to show: no script, no style, no form, and no image from elsewhere unless allowed.

Rendering runs code that was never made for hostile texts: highlighters and parsers whose regular expressions can take
hours, which would stop every thread of a process. So this module is also a program, which renders one README
in a process of its own, with a limit to its time and memory:

    python -m pypihub.index.readme < request > html
"""

from __future__ import annotations

import re
import resource
import signal
import sys
from contextlib import suppress
from email.message import Message
from html import escape, unescape
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Struct

LONGEST = 512 * 1024
"""Characters that are rendered; what is longer is shown as plain text, cut off there."""
LONGEST_HTML = 4 * 1024 * 1024
"""Bytes that may become of it."""
TIME = 10
"""Seconds that rendering may take."""
MEMORY = 1024**3
"""Bytes of address space that it may take."""

_IMAGE = re.compile(r'<img(?:\s+(?:alt="(?P<alt>[^"]*)"|[\w-]+(?:="[^"]*")?))*\s*/?>')
_PREFIX = "user-content-"  # of every id, so that none is one of the page's own


class Readme(Struct, frozen=True):
    """A README to render. `tree` is the URL that its relative links are below.

    `content_type` is METADATA's Description-Content-Type; with `remote_images` they are left in.
    """

    text: str
    content_type: str | None
    tree: str
    remote_images: bool


def rendered(readme: Readme) -> str:
    """The README as HTML; as plain text where it is no valid reStructuredText, or longer than what is rendered."""
    html = _rendered(readme) if len(readme.text) <= LONGEST else None
    if html is None or len(html) > LONGEST_HTML:
        return plain(readme)
    return html


def plain(readme: Readme) -> str:
    """The README's text as it is, in HTML."""
    cut = "…" if len(readme.text) > LONGEST else ""
    return f"<pre>{escape(readme.text[:LONGEST])}{cut}</pre>"


def _rendered(readme: Readme) -> str | None:
    # Late, for they take a while, and whoever only asks for a rendering needs none of them.
    from readme_renderer import markdown, rst

    kind, variant = _kind(readme.content_type)
    if kind == "text/markdown":
        return _cleaned(markdown.render(readme.text, variant=variant) or "", readme)
    if kind == "text/x-rst":
        html = rst.render(readme.text)
        return None if html is None else _cleaned(html, readme)
    return None


def _kind(content_type: str | None) -> tuple[str, str]:
    """The media type, reStructuredText where it is not told (as the specification has it), and Markdown's variant."""
    message = Message()
    message["Content-Type"] = content_type or "text/x-rst"
    variant = message.get_param("variant", "GFM")
    return message.get_content_type(), "CommonMark" if str(variant).lower() == "commonmark" else "GFM"


def _cleaned(html: str, readme: Readme) -> str:
    """What readme-renderer cleaned already, with links that work from here."""
    import nh3
    from readme_renderer.clean import ALLOWED_ATTRIBUTES, ALLOWED_TAGS

    def attribute(tag: str, name: str, value: str) -> str | None:
        if name == "id":
            return _prefixed(value)
        if (tag, name) == ("a", "href"):
            return f"#{_prefixed(value[1:])}" if value.startswith("#") else _absolute(value, readme.tree)
        if (tag, name) == ("img", "src"):
            return _absolute(value, readme.tree.replace("/blob/", "/raw/", 1)) if readme.remote_images else None
        return value

    # What stands for images goes in before the last cleaning, so that nothing depends on how it was put together.

    return nh3.clean(
        html if readme.remote_images else _IMAGE.sub(_alternative, html),
        tags=ALLOWED_TAGS,
        attributes=ALLOWED_ATTRIBUTES,
        attribute_filter=attribute,
        link_rel="nofollow noopener noreferrer",
        url_schemes={"http", "https", "mailto"},
        set_tag_attribute_values={"input": {"disabled": "", "type": "checkbox"}},
    )


def _alternative(image: re.Match[str]) -> str:
    """What stands for an image: its text."""
    text = unescape(image["alt"] or "").strip()
    return f'<span class="image">{escape(text)}</span>' if text else ""


def _prefixed(name: str) -> str:
    return name if name.startswith(_PREFIX) else _PREFIX + name


def _absolute(url: str, base: str) -> str | None:
    """A URL of the README, seen from the repository."""
    try:
        whole = urljoin(base, url)
        return whole if urlsplit(whole).scheme in ("http", "https", "mailto") else None
    except ValueError:
        return None


def main() -> None:
    """Reads a `Readme` in JSON, writes HTML. Whatever takes too long is ended by the system."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(TIME)
    with suppress(OSError, ValueError):  # where the system lets nobody change limits, time remains
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    readme = msgspec.json.decode(sys.stdin.buffer.read(), type=Readme)
    sys.stdout.buffer.write(rendered(readme).encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
