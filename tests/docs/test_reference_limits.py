"""The limits of the reference are those of the code, each with its number, and in the order of the page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from support.tables import rows

from pypihub import lines
from pypihub.catalog import chores, hashes, listings, lookups, publishing, shown, store, threads, tokens, wheels
from pypihub.config import Config
from pypihub.daemon import listening, ports, renewing, reports, workers
from pypihub.github import breaker, downloads, listing, patience, places, points, storage, survey, transport, tunnels
from pypihub.github.connecting import pooled_agent
from pypihub.index import (
    about,
    headers,
    mapping,
    members,
    names,
    overview,
    projects,
    readme,
    requires,
    uploads,
    ziptail,
)
from pypihub.web import (
    access,
    addresses,
    auth,
    bodies,
    connections,
    front,
    limits,
    multipart,
    pages,
    readmes,
    ready,
    responses,
)
from pypihub.web import uploads as intake
from pypihub.web.channel import HubChannel


def size(number: int) -> str:
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if number and number % 2**power == 0:
            return f"{number // 2**power} {unit}"
    return f"{number:,} bytes"


def time(seconds: float) -> str:
    return f"{seconds:,g} s"


def count(number: int) -> str:
    return f"{number:,}"


def key(name: str, form: Callable[[Any], str] = count) -> str:
    value: Any = Config()
    for part in name.split("."):
        value = getattr(value, part)
    return f"`{name}`: {form(value)}"


def default(function: Callable[..., Any], name: str) -> Any:
    """The default of a parameter."""
    return inspect.signature(function).parameters[name].default


BOUNDS: list[tuple[str, str]] = [
    # Requests and connections
    ("the headers of a request, with its first line", key("limits.header_size", size)),
    ("header lines of a request", count(HubChannel.maxHeaders)),
    ("a URL", key("limits.url_length", lambda value: f"{value:,} bytes")),
    ("a connection without a request", key("limits.idle", time)),
    ("an answer that nobody reads", key("limits.idle", time)),
    ("the headers of a request, from their first byte on", key("limits.headers", time)),
    ("connections of an address", key("limits.connections_per_address")),
    (
        "connections that wait to be accepted, by `server.host` and `server.port`",
        count(listening.BACKLOG),
    ),
    ("requests under way", key("limits.in_flight")),
    ("failed logins of an address in a minute", key("limits.failed_logins_per_minute")),
    ("addresses whose failed logins are remembered", count(limits.MOST_ADDRESSES)),
    ("a token or password", f"{auth.LONGEST_TOKEN:,} characters"),
    ("a body where none is taken", size(bodies.MOST_UNWANTED)),
    ("addresses in `X-Forwarded-For` that are looked at, from its end", count(addresses.MOST_PROXIES)),
    ("for how long a token that GitHub refused is not tried again", time(default(tokens.RefusedTokens, "lifetime"))),
    ("tokens of which that is remembered", count(default(tokens.RefusedTokens, "size"))),
    ("a wait that `Retry-After` tells of", time(responses._LONGEST_WAIT)),
    # Caches
    ("a listing or page is shown without asking GitHub", key("cache.ttl", time)),
    ("it is shown longer while GitHub has trouble", key("cache.stale", lambda value: f"{value / 3600:g} h")),
    ("for how long `no-cache` is answered by what GitHub said last", time(listings.FRESHEST)),
    ("a page while METADATA or hashes of its files are being found out", time(pages.UNFINISHED)),
    ("the wait for GitHub where there is an older answer", time(listings.PATIENCE)),
    ("between two tries in the background while GitHub has trouble", time(listings.PAUSE)),
    ("what GitHub does not have is remembered for", key("cache.ttl", time)),
    ("of so many repositories and owners", count(listings.MOST_MISSING)),
    ("a file's place and its temporary URL", time(default(lookups.Lookups, "lifetime"))),
    ("so many of them", count(default(lookups.Lookups, "size"))),
    ("one that has another name than the wanted one", time(lookups.MOMENT)),
    ("listings, pages, READMEs", key("cache.memory", size)),
    ("requests that are answered again at once", f"{front.MOST_KNOWN:,}, in a {front._SHARE}th of that"),
    (
        "files whose size and METADATA are told without asking",
        f"{shown.MOST_FILES:,}, in an {shown._SHARE}th of that",
    ),
    ("METADATA in `cache.directory`", size(default(store.Store, "limit"))),
    ("hashes there, and files that were seen, each", count(default(store.Store, "rows"))),
    # Pages
    ("a page that is not compressed", f"{ready.WORTH_IT:,} bytes"),
    ("projects on a page for people", count(overview.AT_ONCE)),
    ("a search", f"{overview.LONGEST_SEARCH} characters"),
    ("versions on a project's page", count(about.MOST_VERSIONS)),
    ("files of the version there", count(about.MOST_FILES)),
    ("links there", count(about.MOST_LINKS)),
    ("requirements there", count(requires.MOST)),
    ("a README", f"{readme.LONGEST:,} characters"),
    ("the HTML of a README", size(readme.LONGEST_HTML)),
    ("the time to render it", time(readme.TIME)),
    ("the memory to render it", size(readme.MEMORY)),
    ("READMEs that are rendered at once", "1"),
    ("READMEs that wait or are rendered", count(readmes.MOST_WAITING)),
    ("the wait for a README", time(readmes.PATIENCE)),
    ("the reason of a yanked release", f"{lines.LONGEST} characters"),
    # Files through PyPIHub
    ('files that are being sent, with `downloads.mode = "proxy"`', count(storage.MOST_DOWNLOADS)),
    ("a download that its reader does not read", time(downloads.LONGEST_PAUSE)),
    ("a download that GitHub's storage does not send", key("github.timeout", time)),
    ("wheels whose METADATA is read ahead at once", count(wheels.READ_AT_ONCE)),
    ("wheels that wait for it", count(wheels.MOST_WAITING)),
    ("work in the background that failed is not tried again", time(chores.PAUSE)),
    ("failures that are remembered", count(chores.MOST_FAILED)),
    (
        "a listing, packed, or a part of a wheel, that is worked on in a thread",
        f"{size(threads.LARGE)} and more",
    ),
    ("so many threads at once", count(threads.AT_ONCE)),
    ("files that wait to be hashed", count(hashes.MOST_WAITING)),
    ("a file that is hashed", key("metadata.hash_up_to", size)),
    ("METADATA of a wheel", size(headers.LARGEST_METADATA)),
    ("the directory of a wheel", size(ziptail._LARGEST_DIRECTORY)),
    ("members of an archive", count(members.MOST_MEMBERS)),
    # Uploads
    ("a file", key("publish.max_size", size)),
    ("a file at GitHub", f"below {size(uploads._SIZE_LIMIT)}"),
    ("uploads that come or are published", count(intake.MOST_AT_ONCE)),
    ("of them checked at once", count(publishing.CHECKED_AT_ONCE)),
    ("of them on their way to GitHub at once", count(publishing.DELIVERED_AT_ONCE)),
    ("of them on their way to the same repository", "1"),
    ("an upload that stands still", key("limits.body", time)),
    ("an upload as a whole", time(bodies.LONGEST)),
    ("parts of the form", count(multipart.MOST_PARTS)),
    ("a field of the form", size(multipart.LARGEST_VALUE)),
    ("a file beside the file", size(multipart.LARGEST_COMPANION)),
    ("all fields and files beside the file", size(multipart.MOST_KEPT)),
    ("what is read of an upload that was refused", size(bodies.MOST_DISCARDED)),
    ("for how long", time(bodies.LINGER)),
    ("tries where others publish at the same time", count(publishing.MOST_TRIES)),
    ("a file's name", f"{uploads._LONGEST_FILENAME} characters"),
    ("a path in an archive", f"{members._LONGEST_PATH:,} bytes"),
    ("folders that it leads through", count(members._DEEPEST_PATH)),
    # Towards GitHub
    ("calls under way", count(places.MOST_AT_ONCE)),
    ("of them of one token", count(places.MOST_OF_A_TOKEN)),
    ("calls that wait", count(places.MOST_WAITING)),
    ("tries of a call", count(len(patience.BACKOFF) + 1)),
    ("pauses before the second and the third try", " and ".join(map(time, patience.BACKOFF))),
    ("the time of a try", key("github.timeout", time)),
    ("an answer", size(transport.LARGEST_BODY)),
    ("the slowest download or upload, beside the timeout", f"{size(transport.SLOWEST)} a second"),
    ("calls for a listing", count(listing.MOST_PAGES)),
    ("files that are looked up in a call", count(lookups.MOST_AT_ONCE)),
    ("such calls of a token at once", count(lookups.MOST_CALLS)),
    (
        "connections that are kept for each host",
        re.findall(r"maxPersistentPerHost = (\d+)", inspect.getsource(pooled_agent))[0],
    ),
    ("what a proxy says to CONNECT", size(tunnels._LONGEST_HEAD)),
    # When GitHub fails
    ("a token whose points are used up, or that GitHub told to wait, rests for", time(points.LONGEST)),
    ("where GitHub does not say how long", time(points.UNTOLD)),
    ("budgets that are remembered as used up", count(default(points.Points, "size"))),
    ("calls in a row that failed", count(breaker.MOST_FAILURES)),
    ("the first pause until it is asked again", time(breaker.FIRST_PAUSE)),
    ("the longest", time(breaker.LONGEST_PAUSE)),
    # The root page
    ("calls for an owner's projects", count(survey.MOST_CALLS)),
    ("points for them", count(survey.MOST_POINTS)),
    ("of them for repositories, of up to 100 each", count(survey.MOST_PAGES)),
    ("calls at once", count(survey.AT_ONCE)),
    ("releases in a call", count(survey.RELEASES_AT_ONCE)),
    ("projects of an owner", count(projects.MOST_PROJECTS)),
    # Names
    ("a project's name", f"{names._LONGEST_NAME} characters"),
    ("a name on its way through the rules", f"{mapping._LONGEST_RESULT:,} characters"),
    ("combinations of tags in a wheel's name", count(names._MOST_TAGS)),
    # The log and metrics
    ("a request's line is written after", time(access.DELAY)),
    ("lines that are written at once", count(access.MOST_LINES)),
    ("a word of a line", size(access._LONGEST)),
    ("the log's file", key("log.max_size", size)),
    ("old files", key("log.keep")),
    ("tokens and budgets in `pypihub_points_left`", count(points.MOST_SHOWN)),
    ("the wait for a worker's metrics", time(reports.PATIENCE)),
    # Start, reload and end
    ("workers", key("server.workers")),
    ("the end waits for answers and uploads", key("server.drain", time)),
    ("then for uploads on their way to GitHub", time(publishing.LONGEST_END)),
    ("and for that", time(publishing.LONGEST_END)),
    ("a connection that was kept, at the end", time(connections.GRACE)),
    ("a worker may take to reload", time(workers._RELOAD)),
    (
        "the pause before a worker that ended is replaced",
        f"none, {time(workers._SHORTEST)}, doubled up to {time(workers._LONGEST)}",
    ),
    ("the life after which it counts from the beginning", time(workers._SOUND)),
    ("between two looks at certificates", time(renewing.PAUSE)),
    ("how long a connection is not accepted where no descriptor is left", time(ports._REST)),
]


def test_the_limits_are_those_of_the_code() -> None:
    told = [(row["what"], row["bound"]) for row in rows("limits.md", "what", "bound")]
    assert told == BOUNDS
