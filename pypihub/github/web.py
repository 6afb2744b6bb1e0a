"""GitHub's web site, beside its API: where people are sent."""

from __future__ import annotations

from urllib.parse import urlsplit


def web_url(api_url: str) -> str:
    """The web site's URL, by that of the REST API.

    The API of github.com, and of GHE.com, has a host of its own; on an Enterprise Server it is below `/api`.
    https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api
    """
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
