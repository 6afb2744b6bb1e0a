"""Where GitHub's web site is."""

from __future__ import annotations

import pytest

from pypihub.github.web import web_url


@pytest.mark.parametrize(
    ("api_url", "expected"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://github.example.com/api/v3", "https://github.example.com"),
        ("https://api.octo.ghe.com", "https://octo.ghe.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_it_is_beside_the_api(api_url: str, expected: str) -> None:
    assert web_url(api_url) == expected
