"""The projects of an owner with their newest versions, told by the names of the files in all repositories' releases.

A project belongs to the one repository that its name leads to by the replace rules; files elsewhere do not count.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from pypihub.errors import NotFoundError, UpstreamError
from pypihub.index.mapping import Mapping
from pypihub.index.model import Home, ListedProject, preference
from pypihub.index.names import SDIST_SUFFIXES, FileNames, Owner, Repository, normalize_project

MOST_PROJECTS = 100_000
"""Projects that one owner may have: a limit for what a hostile one can put into memory."""

_MAY_BE_VERSION = re.compile(r"[vV]?[0-9]")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A version of a project, and when the release with its file was published."""

    version: Version
    published_at: datetime | None
    is_yanked: bool

    @property
    def rank(self) -> tuple[bool, bool, Version]:
        """By what the newest one is told."""
        return preference(self.version, is_yanked=self.is_yanked)


class Projects:
    """Projects of one owner, found out file by file: what is kept is one version of each, however many files there are.

    A wheel's name tells its project by itself. An sdist's may tell of several (`my-pkg-1.0-1.tar.gz` is 1.0-1 of
    `my-pkg` or 1 of `my-pkg-1-0`). Of those that lead to its repository the ones count that other files there make
    certain; where there is none of these, the longest name, since tools of today write no hyphen into a version.
    """

    def __init__(self, owner: Owner, mapping: Mapping) -> None:
        self._owner = owner
        self._mapping = mapping
        self._certain: set[NormalizedName] = set()
        self._doubtful: set[tuple[NormalizedName, ...]] = set()
        self._newest: dict[NormalizedName, _Seen] = {}
        self._homes: dict[str, Home] = {}

    def meet(self, home: Home) -> None:
        """A repository of the owner's, before any of its files."""
        self._homes[home.name.lower()] = home

    def see(
        self,
        repository: str,
        filenames: Iterable[str],
        published_at: datetime | None = None,
        *,
        is_yanked: bool = False,
    ) -> None:
        """Files of one release that can be downloaded from a repository of this name.

        Raises UpstreamError for more projects than one owner may have.
        """
        home = repository.lower()
        readers: dict[str, FileNames | None] = {}  # most files of a release share what is before the version
        for filename in filenames:
            fitting: list[NormalizedName] = []
            for text in _possible_names(filename):
                if text not in readers:
                    readers[text] = self._reader(text, home)
                reader = readers[text]
                version = reader.version(filename) if reader is not None else None
                if reader is not None and version is not None:
                    fitting.append(reader.project)
                    self._note(reader.project, _Seen(version, published_at, is_yanked))
            if len(fitting) == 1:
                self._certain.update(fitting)
            elif fitting and self._certain.isdisjoint(fitting):
                self._doubtful.add(tuple(fitting))
        if len(self._certain) + len(self._doubtful) > MOST_PROJECTS:
            raise UpstreamError(f"{self._owner} has more projects than can be listed.")

    def is_settled(self, repository: str) -> bool:
        """Whether no further file of the repository can add a project.

        Without replace rules that is so once the project of the repository's own name was found, and where the name
        is none that a project can have.
        """
        home = repository.lower()
        return self._mapping.is_identity and (home in self._certain or canonicalize_name(home) != home)

    def names(self) -> tuple[NormalizedName, ...]:
        """The projects found so far, sorted."""
        guessed = {names[0] for names in self._doubtful if self._certain.isdisjoint(names)}
        return tuple(sorted(self._certain | guessed))

    def listed(self) -> tuple[ListedProject, ...]:
        """The projects found so far, sorted by their names; their repositories were met."""
        homes = {name: self._homes[self._mapping.repository(self._owner, name).name] for name in self.names()}
        living = Counter(home.name for home in homes.values())
        return tuple(self._listed(name, home, living[home.name] == 1) for name, home in homes.items())

    def _listed(self, name: NormalizedName, home: Home, is_alone: bool) -> ListedProject:
        seen = self._newest[name]
        version = seen.version
        return ListedProject(
            name, home, is_alone, str(version), seen.published_at, seen.is_yanked, version.is_prerelease
        )

    def _note(self, name: NormalizedName, seen: _Seen) -> None:
        newest = self._newest.get(name)
        if newest is None or seen.rank > newest.rank:
            self._newest[name] = seen

    def _reader(self, text: str, home: str) -> FileNames | None:
        """Recognizes the files of the project that is spelled so; None where its home is elsewhere, or it is none."""
        try:
            name = normalize_project(text)
            is_here = self._mapping.repository(self._owner, name) == Repository(self._owner, home)
        except NotFoundError:
            return None
        return FileNames(name) if is_here else None


def _possible_names(filename: str) -> Iterator[str]:
    """The names, the longest first, of the projects whose file this may be; `FileNames` tells whether it is one.

    That is what stands before a wheel's first hyphen, and before each hyphen of an sdist behind which a version may be.
    """
    if filename.endswith(".whl"):
        yield filename.partition("-")[0]
    for suffix in SDIST_SUFFIXES:
        if filename.endswith(suffix):
            stem = filename.removesuffix(suffix)
            end = stem.rfind("-")
            while end > 0:
                if _MAY_BE_VERSION.match(stem, end + 1):
                    yield stem[:end]
                end = stem.rfind("-", 0, end)
