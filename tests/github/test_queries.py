"""The GraphQL queries, held against GitHub's own schema, and how their data is read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import get_variable_values
from msgspec import structs

from pypihub.errors import NotFoundError, UpstreamError
from pypihub.github.decoding import AssetsPage, ReleaseAsset
from pypihub.github.owned import DeeperQuery, OwnedQuery
from pypihub.github.queries import AssetsQuery, ListingQuery, LookupQuery, PageSize, Query
from pypihub.index.model import Asset, Release
from pypihub.index.names import Owner, Repository

_SCHEMA = Path(__file__).parents[2].parent / "shared" / "github" / "schema.graphql"
_LISTING = ListingQuery(Repository(Owner("octo"), "pkg"), after="cursor")
_BACKWARD = replace(_LISTING, after=None, before="end", backward=True)
_MIDDLE = replace(_LISTING, before="end")
_ASSETS = AssetsQuery("RE_1", "cursor")
_ASSET = LookupQuery(("RA_1",))
_ALL = {
    "first page": ListingQuery(Repository(Owner("octo"), "pkg")),
    "forward": _LISTING,
    "last page": replace(_BACKWARD, before=None),
    "backward": _BACKWARD,
    "forward between": _MIDDLE,
    "backward between": replace(_MIDDLE, backward=True),
    "assets": _ASSETS,
    "lookup": _ASSET,
    "owned": OwnedQuery(Owner("octo"), after="cursor"),
    "deeper": DeeperQuery(("R_1", "R_2"), PageSize()),
}
_QUERIES = pytest.mark.parametrize("query", _ALL.values(), ids=_ALL)


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """GitHub's published schema."""
    if not _SCHEMA.exists():
        pytest.skip(f"GitHub's schema is not at {_SCHEMA}")
    return build_schema(_SCHEMA.read_text(), assume_valid=True)


@_QUERIES
@pytest.mark.parametrize("digest", [True, False])
def test_github_understands_the_query(schema: GraphQLSchema, query: Query[Any], digest: bool) -> None:
    document = parse(query.document(digest=digest))
    assert validate(schema, document) == []
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    asked = operation.variable_definitions or ()
    values = get_variable_values(schema, asked, query.variables())
    assert not isinstance(values, list), values
    assert {definition.variable.name.value for definition in asked} == set(query.variables())


@_QUERIES
def test_a_server_without_digests_is_not_asked_for_them(query: Query[Any]) -> None:
    assert "digest" not in query.document(digest=False)


@pytest.mark.parametrize("query", [_LISTING, _ASSETS])
def test_hashes_come_from_githubs_digests(query: Query[Any]) -> None:
    assert "digest" in query.document(digest=True)


def test_names_and_cursors_travel_as_variables() -> None:
    hostile = ListingQuery(Repository(Owner("o"), '") { x }'), after='"')
    assert hostile.document(digest=True) == _LISTING.document(digest=True)
    assert hostile.variables()["name"] == '") { x }'


def test_a_listing_gets_smaller_down_to_single_releases_with_few_assets() -> None:
    sizes = [_LISTING.size]
    query: ListingQuery | None = _LISTING
    while query := query.smaller():
        assert (query.repository, query.after) == (_LISTING.repository, _LISTING.after)
        sizes.append(query.size)
    assert sizes == [PageSize(*size) for size in ((100, 100), (25, 100), (6, 100), (1, 100), (1, 25), (1, 6))]


def test_a_page_of_assets_gets_smaller_and_one_asset_does_not() -> None:
    smaller = _ASSETS.smaller()
    assert smaller == AssetsQuery("RE_1", "cursor", 25)
    last = smaller.smaller()
    assert last is not None
    assert last.smaller() is None
    assert _ASSET.smaller() is None


def test_what_is_missing_is_not_found_unless_it_was_there_before() -> None:
    assert isinstance(_LISTING.missing(), NotFoundError)
    assert isinstance(_ASSET.missing(), NotFoundError)
    assert isinstance(_ASSETS.missing(), UpstreamError)


# How the data is read.


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


_NO_MORE = {"hasNextPage": False, "endCursor": "x"}
_NO_CURSOR = {"hasNextPage": True, "endCursor": None}
_NODE = {"id": "RA_1", "name": "pkg-1.0.zip", "size": 5, "createdAt": "2026-01-02T03:04:05Z", "digest": "sha256:00"}
_READ = Asset("RA_1", "pkg-1.0.zip", 5, "sha256:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
_RELEASE = {
    "id": "RE_1",
    "isDraft": True,
    "publishedAt": None,
    "tagName": "v1",
    "name": None,
    "releaseAssets": {"pageInfo": {"hasNextPage": True, "endCursor": "a1"}, "nodes": [_NODE]},
}
_RELEASES = {
    "totalCount": 7,
    "pageInfo": {"hasNextPage": True, "endCursor": "r1"},
    "nodes": [_RELEASE, None],
}
_REPOSITORY = {"nameWithOwner": "Octo/Pkg", "isArchived": True, "isPrivate": False, "releases": _RELEASES}
_ASSET_NODE = {
    "__typename": "ReleaseAsset",
    "name": "pkg-1.0.zip",
    "size": 5,
    "createdAt": "2026-01-02T03:04:05Z",
    "url": "https://storage.example/signed",
    "release": {"isDraft": False, "repository": {"nameWithOwner": "Octo/Pkg"}},
}


def test_a_page_of_a_listing_is_read() -> None:
    page, following = _LISTING.decode(_raw({"repository": _REPOSITORY}))
    assert following == replace(_LISTING, after="r1")
    assert (page.name_with_owner, page.is_archived, page.is_private) == ("Octo/Pkg", True, False)
    assert (page.total, page.more) == (7, "r1")
    (part,) = page.parts
    assert (part.release, part.more) == (Release("RE_1", True, None, (_READ,), tag="v1", title=""), "a1")


def test_a_page_that_is_read_backward_goes_on_before_its_beginning() -> None:
    _page, following = _BACKWARD.decode(_raw({"repository": _REPOSITORY}))
    assert following == replace(_BACKWARD, before="r1")


@pytest.mark.parametrize("query", [_MIDDLE, replace(_MIDDLE, backward=True)])
@pytest.mark.parametrize(
    ("opposite", "is_met"), [([], True), ([{"id": "RE_1"}], True), ([{"id": "RE_2"}], False), ([None], False)]
)
def test_a_page_that_reaches_the_other_readers_place_is_the_last(
    query: ListingQuery, opposite: list[object], is_met: bool
) -> None:
    _page, following = query.decode(_raw({"repository": {**_REPOSITORY, "opposite": {"nodes": opposite}}}))
    assert (following is None) is is_met


def test_a_page_of_assets_is_read_with_or_without_digests() -> None:
    plain = {key: value for key, value in _NODE.items() if key != "digest"}
    page, following = _ASSETS.decode(_raw({"node": {"releaseAssets": {"pageInfo": _NO_MORE, "nodes": [plain, None]}}}))
    assert (page, following) == (AssetsPage((structs.replace(_READ, digest=None),), None), None)


def test_an_asset_is_read_and_its_url_does_not_show() -> None:
    (asset,) = _ASSET.decode(_raw({"nodes": [_ASSET_NODE]}))
    assert isinstance(asset, ReleaseAsset)
    assert (asset.id, asset.name, asset.size, asset.is_draft) == ("RA_1", "pkg-1.0.zip", 5, False)
    assert asset.url.reveal() == "https://storage.example/signed"
    assert "signed" not in repr(asset)


@pytest.mark.parametrize("node", [{"__typename": "Release"}, {**_ASSET_NODE, "release": None}])
def test_a_node_that_is_no_released_asset_is_not_found(node: object) -> None:
    (answer,) = _ASSET.decode(_raw({"nodes": [node]}))
    assert isinstance(answer, NotFoundError)


@pytest.mark.parametrize(
    ("query", "data"),
    [
        (_LISTING, None),
        (_LISTING, {"repository": None}),
        (_LISTING, {"repository": {**_REPOSITORY, "nameWithOwner": None}}),
        (_LISTING, {"repository": {**_REPOSITORY, "releases": None}}),
        (_LISTING, {"repository": {**_REPOSITORY, "releases": {**_RELEASES, "nodes": None}}}),
        (_LISTING, {"repository": {**_REPOSITORY, "releases": {**_RELEASES, "pageInfo": None}}}),
        (_LISTING, {"repository": {**_REPOSITORY, "releases": {**_RELEASES, "totalCount": None}}}),
        (_LISTING, {"repository": {**_REPOSITORY, "releases": {**_RELEASES, "pageInfo": _NO_CURSOR}}}),
        (_MIDDLE, {"repository": {**_REPOSITORY, "opposite": {"nodes": None}}}),
        (_ASSETS, {"node": None}),
        (_ASSETS, {"node": {}}),
        (_ASSETS, {"node": {"releaseAssets": {"pageInfo": _NO_MORE, "nodes": [{**_NODE, "size": None}]}}}),
        (_ASSETS, {"node": {"releaseAssets": {"pageInfo": _NO_MORE, "nodes": [{**_NODE, "createdAt": "today"}]}}}),
        (_ASSET, {"nodes": []}),
        (_ASSET, {"nodes": [{**_ASSET_NODE, "url": None}]}),
    ],
)
def test_partial_data_is_refused(query: Query[Any], data: object) -> None:
    """A listing with holes would be an index with holes."""
    with pytest.raises(msgspec.ValidationError):
        query.decode(_raw(data))
