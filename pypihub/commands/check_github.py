"""The steps of `pypihub check` to GitHub: the configuration, the token, the connection, and what GitHub says to it."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from urllib.parse import urlsplit

from twisted.internet.threads import deferToThread

from pypihub.commands.scene import Scene
from pypihub.commands.steps import Outcome, failed, left_out, passed
from pypihub.commands.token import find_token_and_origin, github_host
from pypihub.config import load_config
from pypihub.errors import CommandError, ConfigError, ForbiddenError, PyPIHubError, RateLimitedError, TokenRefusedError
from pypihub.github.configured import configured_client
from pypihub.github.connecting import configured_way
from pypihub.github.handshake import shake_hands
from pypihub.github.proxies import Proxies
from pypihub.github.standing import kind_of
from pypihub.lines import one_line

_SOON = 14  # days in which a token, or a certificate, is about to end
_MOST_ADDRESSES = 3


async def read_configuration(scene: Scene) -> Outcome:
    """Whether the configuration can be used."""
    try:
        scene.config = load_config(scene.file)
        scene.github = configured_client(scene.config.github, os.environ, scene.reactor)
    except ConfigError as error:
        return failed(error.message, "Correct it; etc/pypihub.toml explains each key.")
    return passed(f"{scene.file or 'the defaults'}; GitHub is at {scene.config.github.api_url}")


async def find_the_token(scene: Scene) -> Outcome:
    """Where the token comes from, and what kind it is."""
    host = github_host(scene.config.github.api_url)
    try:
        scene.token, origin = await deferToThread(find_token_and_origin, os.environ, host)
    except CommandError as error:
        return failed(error.message, "A fine-grained token with Contents: read will do, or a classic one with repo.")
    if scene.token.reveal().startswith("ghr_"):
        return failed(f"{origin} holds a refresh token, which only makes others.", "Use the token that it makes.")
    return passed(f"{kind_of(scene.token)}, from {origin}")


async def look_up_host(scene: Scene) -> Outcome:
    """Whether the host that is connected to, be it a proxy, has an address."""
    url = urlsplit(scene.config.github.api_url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    proxy = Proxies.of(os.environ).to(host, port) if url.scheme == "https" else None
    wanted, way = (proxy.host, f"the proxy to {host}, ") if proxy else (host, "")
    try:
        found = await deferToThread(socket.getaddrinfo, wanted, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no name"
        return failed(f"{way}{wanted} has no address: {why}.", "Check the name, and this machine's DNS.")
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    more = " …" if len(addresses) > _MOST_ADDRESSES else ""
    return passed(f"{way}{wanted} is {', '.join(addresses[:_MOST_ADDRESSES])}{more}")


async def shake_hands_with_api(scene: Scene) -> Outcome:
    """Whether TLS comes about, with a certificate that is trusted here."""
    github = scene.config.github
    host = urlsplit(github.api_url).hostname
    if not github.api_url.startswith("https:"):
        return left_out("github.api_url is http: what passes there can be read on its way, the token too")
    way = configured_way(github, os.environ, scene.reactor)
    try:
        shaken = await shake_hands(way, scene.reactor, github.timeout)
    except PyPIHubError as error:
        return failed(
            error.message,
            "Where an authority of your own made its certificate, name that in github.ca_file; check the clock, and"
            " https_proxy where there is a proxy.",
        )
    return passed(
        f"{shaken.version} with {host}, certificate by {one_line(shaken.issuer)}, {_until(shaken.good_until)}"
    )


async def ask_api(scene: Scene) -> Outcome:
    """Whether the API answers at all, be it with a refusal, which is told by the steps behind."""
    begun = scene.reactor.seconds()
    try:
        scene.standing = await scene.github.client.standing(scene.token)
    except (TokenRefusedError, ForbiddenError, RateLimitedError) as error:
        scene.refusal = error
    return passed(f"{scene.config.github.graphql_url} answered in {scene.reactor.seconds() - begun:.2f} s")


async def see_what_token_may(scene: Scene) -> Outcome:
    """Whether GitHub accepts the token, and what it tells of it."""
    if scene.refusal is not None:
        if isinstance(scene.refusal, RateLimitedError):
            return left_out("GitHub does not say while its limit is reached")
        raise scene.refusal
    standing = scene.standing
    if standing.scopes is None:
        scopes = "its permissions GitHub does not tell"
    else:
        scopes = f"scopes: {', '.join(standing.scopes) or 'none'}"
        if "repo" not in standing.scopes:
            scopes += " (without repo it sees public repositories only)"
    return passed(f"accepted; {scopes}; {_until(standing.expires_at)}")


async def count_points(scene: Scene) -> Outcome:
    """Whether the token has points left."""
    if scene.refusal is not None:
        raise scene.refusal
    points = scene.standing.points
    if points is None:
        return passed("this GitHub does not count them")
    when = points.reset_at.astimezone(UTC).strftime("%H:%M UTC")
    left = f"{points.remaining:,} of {points.limit:,} are left until {when}"
    if points.remaining == 0:
        return failed(left, "Wait until then, or use the token of somebody else.")
    return passed(left)


def _until(moment: datetime | None) -> str:
    if moment is None:
        return "GitHub tells no expiry"
    days = (moment - datetime.now(UTC)).days
    soon = f" (in {days} days)" if days <= _SOON else ""
    return f"good until {moment.astimezone(UTC):%Y-%m-%d}{soon}"
