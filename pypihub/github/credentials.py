"""Values that never show themselves: tokens and signed URLs."""

from __future__ import annotations

from dataclasses import dataclass

from pypihub.index.names import Owner


class Secret:
    """A text that appears in no log, error or repr; `reveal` is called only where it is put on the wire."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> str:
        raise TypeError(f"a {type(self).__name__} stays in memory")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class Token(Secret):
    """A GitHub token of any kind; it goes to GitHub's API and nowhere else."""


class SignedURL(Secret):
    """A temporary download URL: whoever has it can read the file until it expires."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file's bytes can be had: at a signed URL, or, with a token, at GitHub's API itself."""

    url: SignedURL
    token: Token | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is made with: the owner whose index it asks for, and the caller's token."""

    owner: Owner
    token: Token
