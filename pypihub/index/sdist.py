"""An sdist that is to be published: one folder with PKG-INFO in it, as installers unpack it (PEP 517, PEP 625)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from typing import BinaryIO

from pypihub.index.headers import LARGEST_METADATA, Identity, only, read_headers
from pypihub.index.members import BrokenArchiveError, Kind, Member, add_once, plain_path, shown
from pypihub.index.names import FileNames
from pypihub.index.tarwalk import tar_members
from pypihub.index.zipwalk import zip_members

_PKG_INFO = b"PKG-INFO"
_SEPARATOR = re.compile(rb"[/\\]")


def read_sdist(filename: str, identity: Identity, file: BinaryIO, size: int) -> Message:
    """The headers of PKG-INFO of the sdist `file` of `size` bytes; `filename` tells its format.

    Raises BrokenArchiveError for every sdist that is not sound, or another release's.
    """
    members = zip_members(file, size) if filename.endswith(".zip") else tar_members(file, size)
    content = _read(members, identity)
    headers = read_headers(content)
    if not identity.is_of(only(headers, "Name"), only(headers, "Version")):
        raise BrokenArchiveError("Its PKG-INFO is another release's: its Name and Version are not the form's.")
    return headers


def _read(members: Iterator[Member], identity: Identity) -> bytes:
    """PKG-INFO, once each member was looked at."""
    found: bytes | None = None
    top: bytes | None = None
    seen: set[int] = set()  # hashes: the paths of 100,000 members would be megabytes
    links = _Links()
    for member in members:
        if top is None:
            top = _top(member, identity)
        if member.path != top and not member.path.startswith(top + b"/"):
            raise BrokenArchiveError(f"'{shown(member.path)}' is not in the folder '{shown(top)}': pack one alone.")
        if member.kind is not Kind.FOLDER:
            add_once(seen, member.path)
        links.check(member)
        if member.path == top + b"/" + _PKG_INFO:
            found = _content(member)
    if found is None:
        raise BrokenArchiveError("It has no PKG-INFO in its folder: build it with a tool like build, uv or hatch.")
    return found


def _top(member: Member, identity: Identity) -> bytes:
    """The folder that all is in. Raises BrokenArchiveError where it is called like another release."""
    top = member.path.partition(b"/")[0]
    if FileNames(identity.project).version(top.decode("ascii", "replace") + ".tar.gz") != identity.version:
        raise BrokenArchiveError(f"Its folder '{shown(top)}' is not called like its name and version.")
    return top


def _content(member: Member) -> bytes:
    if member.kind is not Kind.FILE or member.size > LARGEST_METADATA:
        raise BrokenArchiveError("Its PKG-INFO is no file, or too large.")
    return b"".join(member.content())


class _Links:
    """Sees that links stay in the folder that all is in, and that nothing is unpacked through one."""

    def __init__(self) -> None:
        self._symlinks: set[int] = set()  # keys: see `_keys`

    def check(self, member: Member) -> None:
        """Raises BrokenArchiveError for a member that leads out, or could."""
        if self._leads_through(member.path):
            raise BrokenArchiveError(f"'{shown(member.path)}' is behind a link.")
        if member.kind is Kind.SYMLINK:
            self._check_symlink(member)
            *_, key = _keys(member.path)
            self._symlinks.add(key)
        elif member.kind is Kind.HARDLINK:
            target = plain_path(member.target.removeprefix(b"./"))
            if target.partition(b"/")[0] != member.path.partition(b"/")[0] or self._leads_through(target):
                raise BrokenArchiveError(f"The link '{shown(member.path)}' leads out of its folder.")

    def _leads_through(self, path: bytes) -> bool:
        """Tells whether any folder of the path is a symlink."""
        folders, slash, _ = path.rpartition(b"/")
        return bool(slash and self._symlinks) and not self._symlinks.isdisjoint(_keys(folders))

    def _check_symlink(self, member: Member) -> None:
        """Raises BrokenArchiveError unless the target goes up in front alone, and not to the top folder's parent.

        `a/..` may be anywhere where `a` is a link itself.
        """
        parts = _SEPARATOR.split(member.target)
        up = next((number for number, part in enumerate(parts) if part != b".."), len(parts))
        is_absolute = not parts[0] or parts[0][1:2] == b":" or b"\0" in member.target
        if is_absolute or b".." in parts[up:] or member.path.count(b"/") - up < 1:
            raise BrokenArchiveError(f"The link '{shown(member.path)}' leads out of its folder.")


def _keys(path: bytes) -> Iterator[int]:
    """What stands for each folder on the way along a path, and for the path itself at the end.

    Each goes on from the one before: whole paths from the top would cost the square of a path's length.
    """
    key = 0
    for part in path.split(b"/"):
        key = hash((key, part))
        yield key
