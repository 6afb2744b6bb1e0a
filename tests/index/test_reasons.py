"""Why assets count or do not: whatever a listing holds, what is told agrees with what the index shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypihub.index.model import Asset, Listing, Release, project_of
from pypihub.index.names import normalize_project
from pypihub.index.reasons import judged

MORNING = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = ("1.0", "1.0.cu118", "1!2.0", "1.0-1", "one", "1.0+local", "")
ENDS = ("-py3-none-any.whl", ".tar.gz", ".zip", ".whl", ".WHL", ".tar.bz2", ".tar.gz.asc", ".txt", "-py3.whl")

filenames = st.builds(
    "{}{}{}".format,
    st.sampled_from(["app-", "My_App-", "my-app-", "my.app-1-", "lib-", ""]),
    st.sampled_from(VERSIONS),
    st.sampled_from(ENDS),
) | st.text(max_size=20)


@st.composite
def listings(draw: st.DrawFn) -> Listing:
    """A listing of a few releases, the same names among them."""
    numbers = count()

    def asset(name: str, size: int, hours: int) -> Asset:
        return Asset(f"RA_{next(numbers)}", name, size, None, MORNING + timedelta(hours=hours))

    assets = st.lists(st.builds(asset, filenames, st.integers(0, 2), st.integers(0, 3)), max_size=6).map(tuple)
    published = st.integers(0, 3).map(lambda hours: MORNING + timedelta(hours=hours))
    drafts = st.builds(Release, st.just("R"), st.just(True), st.none(), assets, st.just("draft"))
    others = st.builds(Release, st.just("R"), st.just(False), published, assets, st.just("v1"))
    return Listing("octo/app", False, tuple(draw(st.lists(others | drafts, max_size=4))))


@given(listing=listings(), name=st.sampled_from(["app", "my-app", "my-app-1", "lib"]))
def test_no_reason_means_that_the_page_has_the_file(listing: Listing, name: str) -> None:
    project = project_of(listing, normalize_project(name))
    told = list(judged(listing, project.name))
    assert [each.asset for each in told] == [asset for release in listing.releases for asset in release.assets]
    assert {each.asset.id for each in told if each.reason is None} == {file.asset_id for file in project.files}
    assert all(each.reason is None or each.reason.isprintable() for each in told)


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("my_app-1.0-py3-none-any.whl", None),
        ("my-app-1.0-1.tar.gz", None),
        ("my_app-1.0.tgz", "it is neither a wheel nor an sdist (.whl, .tar.gz, .zip)"),
        ("my_app-1.0.tar.gz.asc", "it is neither a wheel nor an sdist (.whl, .tar.gz, .zip)"),
        ("my_app-1.0.Tar.Gz", "its name should end in .tar.gz, in lower case"),
        ("My_Lib-1.0-py3-none-any.whl", "it is a file of my-lib"),
        ("my_app-1.0.whl", "its name is no wheel's"),
        ("my_app.zip", "its name is no sdist's (NAME-VERSION)"),
        (
            "my_app-1.0.cu118.tar.gz",
            "GitHub changed its name, which was my_app-1.0+cu118.tar.gz perhaps: upload it again, with a + as %2B",
        ),
        (
            f"my_app-1.0-{'.'.join(f'py3{number}' for number in range(300))}-none-any.whl",
            "its name is not spelled as that of a file of the project, or has too many tags",
        ),
    ],
)
def test_names_have_their_reasons(filename: str, reason: str | None) -> None:
    release = Release("R", False, MORNING, (Asset("RA_1", filename, 1, None, MORNING),), "v1")
    (told,) = judged(Listing("octo/my-app", False, (release,)), normalize_project("my-app"))
    assert told.reason == reason


def test_a_number_of_thousands_of_digits_is_a_reason_too() -> None:
    for filename in (f"app-{'1' * 9000}.tar.gz", f"app-{'1' * 9000}-py3-none-any.whl"):
        release = Release("R", False, MORNING, (Asset("RA_1", filename, 1, None, MORNING),), "v1")
        (told,) = judged(Listing("octo/app", False, (release,)), normalize_project("lib"))
        assert told.reason
