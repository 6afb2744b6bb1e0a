"""Names: of projects, owners and repositories, and the file names that belong to a project."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NewType

from packaging.utils import (
    InvalidName,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from pypihub.errors import NotFoundError

Owner = NewType("Owner", str)
"""A GitHub login in lower case: owners compare case-insensitively."""

# Logins are letters, digits and hyphens, up to 39; enterprise-managed users end in `_shortcode`.
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
_TOKEN = re.compile(r"(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{16}", re.ASCII)
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
_FILENAME = re.compile(r"[\x21-\x7e]+")
WHEEL_SUFFIX, SDIST_SUFFIXES = ".whl", (".tar.gz", ".zip")
SUFFIXES = (WHEEL_SUFFIX, *SDIST_SUFFIXES)
"""How the names of distribution files end."""
_LONGEST_NAME = 200
# A wheel's name stands for every combination of its tags. Real ones have a dozen; 255 characters fit 64,000.
_MOST_TAGS = 200


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a project's releases are: GitHub's owner and repository name."""

    owner: Owner
    name: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"


def normalize_project(name: str) -> NormalizedName:
    """The normalized form (PEP 503) of a project's name.

    Raises NotFoundError for what cannot be a project's name: no index has such a project.
    """
    try:
        if len(name) > _LONGEST_NAME:
            raise InvalidName
        return canonicalize_name(name, validate=True)
    except InvalidName:
        raise NotFoundError("This is not a valid project name.") from None


def parse_owner(login: str) -> Owner | None:
    """The owner of a GitHub login, or None for what cannot be one.

    A token in its place, which is somebody's mistake, is none either: owners stand in logs and errors.
    """
    return Owner(login.lower()) if _OWNER.fullmatch(login) and not _TOKEN.match(login) else None


def is_repository_name(name: str) -> bool:
    """Tells whether GitHub could have a repository of this name."""
    return _REPOSITORY.fullmatch(name) is not None and name not in (".", "..")


class FileNames:
    """Recognizes the distribution files of one project by their names.

    A wheel's name tells its project by itself. An sdist's is ambiguous (`my-pkg-1.0-1.tar.gz`), so it is
    read against the name that is known. Made once for a listing: most assets are turned down by one regex.
    """

    def __init__(self, project: NormalizedName) -> None:
        self.project = project
        spelled = r"[-_.]+".join(re.escape(part) for part in project.split("-"))
        self._prefix = re.compile(rf"(?:{spelled})-", re.IGNORECASE | re.ASCII)
        self._versions: dict[str, Version | None] = {}  # one object for all files of a version saves megabytes, too
        self._tails: dict[str, bool] = {}

    def version(self, filename: str) -> Version | None:
        """The version of the wheel or sdist `filename`; None where it is no such file of this project."""
        prefix = self._prefix.match(filename)
        if prefix is None:
            return None
        if filename.endswith(".whl"):
            return self._wheel_version(filename)
        if not _FILENAME.fullmatch(filename):
            return None
        for suffix in SDIST_SUFFIXES:
            if filename.endswith(suffix):
                return read_version(filename[prefix.end() : -len(suffix)])
        return None

    def _wheel_version(self, filename: str) -> Version | None:
        """Each half is parsed once: the files of a release share name and version, and others build and tags."""
        middle = filename.find("-", filename.find("-") + 1)
        if middle < 0:
            return None
        stem, tail = filename[:middle], filename[middle:]
        if tail not in self._tails:
            self._tails[tail] = _is_tail(tail)
        if not self._tails[tail]:
            return None
        if stem not in self._versions:
            self._versions[stem] = self._stem_version(stem)
        return self._versions[stem]

    def _stem_version(self, stem: str) -> Version | None:
        """The version in `name-version`, where the name is the project's."""
        wheel = _parsed_wheel(f"{stem}-py3-none-any.whl")
        return wheel[1] if wheel is not None and wheel[0] == self.project else None


def _is_tail(tail: str) -> bool:
    """Whether a wheel's name may end so, from the build or the tags on."""
    if math.prod(part.count(".") + 1 for part in tail.split("-")[-3:]) > _MOST_TAGS:
        return False
    return _parsed_wheel(f"name-1{tail}") is not None


def _parsed_wheel(filename: str) -> tuple[NormalizedName, Version] | None:
    return read_filename(filename) if _FILENAME.fullmatch(filename) else None


def read_filename(filename: str) -> tuple[NormalizedName, Version] | None:
    """The project and the version that a wheel's or an sdist's name tells by itself; None where it tells none."""
    try:
        return parse_wheel_filename(filename)[:2] if filename.endswith(".whl") else parse_sdist_filename(filename)
    except ValueError:  # InvalidWheelFilename and InvalidSdistFilename are some, and see `read_version`
        return None


def read_version(text: str) -> Version | None:
    """The version (PEP 440) in a text; None where it is none."""
    try:
        return Version(text)
    except ValueError:  # InvalidVersion is one, and what int() says of more than 4,300 digits
        return None
