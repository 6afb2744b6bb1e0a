"""Replace rules: from a project's name to its repository's, exactly as in Go.

The Go original maps names by `regexp.ReplaceAllString`. Configurations written for it keep their meaning:
the patterns are RE2's own, the templates are those of https://pkg.go.dev/regexp#Regexp.Expand, and an empty
match right after another match is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from re import Match

from packaging.utils import NormalizedName

from pypihub.config import Pattern
from pypihub.errors import NotFoundError
from pypihub.index.names import Owner, Repository, is_repository_name

# A rule may lengthen a name (`(.)` → `$1$1`), and rules are applied in turn.
_LONGEST_RESULT = 1000


@dataclass(frozen=True, slots=True)
class _Reference:
    """A reference to a group, by its number. Several groups may share a name: the first that took part counts."""

    groups: tuple[int, ...]


class Rule:
    """One replace rule: a pattern in RE2's syntax and a template in Go's."""

    def __init__(self, pattern: Pattern, template: str) -> None:
        self._regex = pattern.regex
        self._parts = tuple(_parse(template, list(_group_names(pattern.regex.pattern))[: self._regex.groups]))

    def replace(self, text: str) -> str:
        """The text with every match replaced by the template."""
        result: list[str] = []
        last_end = 0
        position = 0
        while position <= len(text) and (match := self._regex.search(text, position)):
            start, end = match.span()
            result.append(text[last_end:start])
            if end > last_end or start == 0:  # not an empty match that abuts the match before it
                result.extend(self._expand(match))
            last_end = end
            position = max(end, position + 1)
        result.append(text[last_end:])
        return "".join(result)

    def _expand(self, match: Match[str]) -> Iterator[str]:
        for part in self._parts:
            if isinstance(part, str):
                yield part
            else:
                yield next((text for group in part.groups if (text := match.group(group)) is not None), "")


class Mapping:
    """Finds a project's repository: the rules are applied to its name one after the other."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)

    @property
    def is_identity(self) -> bool:
        """Whether there is no rule: then every project is in the repository of its own name."""
        return not self._rules

    def repository(self, owner: Owner, project: NormalizedName) -> Repository:
        """The repository of `project` among `owner`'s.

        Raises NotFoundError where the rules lead to what no repository can be called, or grow a name beyond
        a thousand characters on their way (there Go would go on).
        """
        name = [project, *self.steps(project)][-1]
        if not is_repository_name(name):
            raise NotFoundError(f"The replace rules turn {project} into something that is no repository name.")
        return Repository(owner, name.lower())

    def steps(self, project: NormalizedName) -> Iterator[str]:
        """What each rule in its turn makes of the project's name, up to one that makes it too long."""
        name: str = project
        for rule in self._rules:
            name = rule.replace(name)
            yield name
            if len(name) > _LONGEST_RESULT:
                break


# Whatever in a pattern has a parenthesis that opens no group; then a group's beginning, maybe with a name.
_GROUPS = re.compile(
    r"""\\Q.*?(?:\\E|$) | \\. | \[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]
    | (?P<group>\((?!\?)|\(\?P?<(?P<name>[^>]+)>)""",
    re.VERBOSE | re.DOTALL,
)


def _group_names(pattern: str) -> Iterator[str | None]:
    """The names of a pattern's groups in their order; RE2 tells of one group for each name only."""
    return (match["name"] for match in _GROUPS.finditer(pattern) if match["group"])


def _parse(template: str, names: list[str | None]) -> Iterator[str | _Reference]:
    """A template's parts: literal text and references (`$1`, `${1}`, `$name`, `${name}`; `$$` is a dollar)."""
    literal = ""
    position = 0
    while (dollar := template.find("$", position)) >= 0:
        literal += template[position:dollar]
        name, position = _reference(template, dollar + 1)
        if name is None:
            literal += "$"
            continue
        if literal:
            yield literal
            literal = ""
        yield _Reference(_numbers(name, names))
    literal += template[position:]
    if literal:
        yield literal


def _reference(template: str, start: int) -> tuple[str | None, int]:
    """The group's name after a dollar and where the text goes on; None for `$$` and for a dollar by itself."""
    if template.startswith("$", start):
        return None, start + 1
    braced = template.startswith("{", start)
    first = end = start + braced
    while end < len(template) and _is_word(template[end]):
        end += 1
    if end == first or (braced and not template.startswith("}", end)):
        return None, start
    return template[first:end], end + braced


def _is_word(character: str) -> bool:
    # Go's unicode.IsLetter and unicode.IsDigit; str.isalnum would take `²` too.
    return character == "_" or character.isalpha() or character.isdecimal()


def _numbers(name: str, names: list[str | None]) -> tuple[int, ...]:
    """The groups that a reference means: 0 is the whole match, the others count from 1."""
    if name.isascii() and name.isdigit() and len(name) < 10 and str(int(name)) == name:
        return (int(name),) if int(name) <= len(names) else ()
    return tuple(number for number, group in enumerate(names, 1) if group == name)
