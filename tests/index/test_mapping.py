"""Replace rules are those of Go's regexp.ReplaceAllString."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypihub.config import Pattern
from pypihub.errors import NotFoundError
from pypihub.index.mapping import Mapping, Rule
from pypihub.index.names import Owner, Repository, normalize_project


def _rule(pattern: str, template: str) -> Rule:
    return Rule(Pattern(pattern), template)


@pytest.mark.parametrize(
    ("pattern", "template", "text", "result"),
    [
        (r"(\w+)-(\w+)", "$2-$1", "py-tool", "tool-py"),
        (r"(\w+)-(\w+)", "${2}_$1", "py-tool", "tool_py"),
        (r"(?P<first>\w+)-", "$first.", "py-tool", "py.tool"),
        (r"(?<first>\w+)-", "${first}x", "py-tool", "pyxtool"),
        ("tool", "<$0>", "py-tool", "py-<tool>"),
        ("(p)y", "$1x", "py-tool", "-tool"),  # the group `1x`, which there is not
        ("(p)y", "${1}x", "py-tool", "px-tool"),
        ("(p)y", "$1_", "py-tool", "-tool"),
        ("(p)y", "$1-", "py-tool", "p--tool"),
        ("(p)y", "$1é", "py", ""),  # letters are those of Unicode
        ("(p)y", "$1²", "py", "p²"),  # and this is none
        ("py", "$1$name${other}", "py-tool", "-tool"),
        ("(x)?py", "[$1]", "py", "[]"),  # a group that took no part
        ("(p)y", "$01", "py", ""),  # no number begins with a zero
        ("(?P<01>p)y", "$01", "py", "p"),  # but a name may
        ("(p)y", "$99999999999999999999", "py", ""),
    ],
)
def test_references_to_groups(pattern: str, template: str, text: str, result: str) -> None:
    assert _rule(pattern, template).replace(text) == result


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("$$", "$"),
        ("$$1", "$1"),
        ("$$$1", "$p"),
        ("$", "$"),
        ("x$", "x$"),
        ("$-", "$-"),
        ("$ 1", "$ 1"),
        ("${", "${"),
        ("${}", "${}"),
        ("${1", "${1"),
        ("${1 }", "${1 }"),
        ("${-}$1", "${-}p"),
        ("$²", "$²"),
        ("\\1\\g<1>", "\\1\\g<1>"),  # Python's references mean nothing
    ],
)
def test_dollars_that_refer_to_nothing_stay(template: str, result: str) -> None:
    assert _rule("(p)y", template).replace("py") == result


@pytest.mark.parametrize(
    ("pattern", "text", "result"),
    [
        (".*", "anything", "x"),  # not twice: the empty match at the end abuts the match before it
        ("", "ab", "xaxbx"),
        ("a*", "baac", "xbxcx"),
        ("a*$", "baa", "bx"),
        ("^", "ab", "xab"),
        ("$", "ab", "abx"),
        ("^a", "aaa", "xaa"),  # ^ is the text's beginning, not the search's
        (r"\b", "ab cd", "xabx xcdx"),
        ("a|ab", "ab", "xb"),  # the leftmost alternative, as in Perl
        ("[^é]*", "aéb", "xéx"),
        ("", "é", "xéx"),
        (".*", "", "x"),
        ("y", "", ""),
        ("(?i)PY", "py-Py", "x-x"),
    ],
)
def test_every_match_is_replaced_once(pattern: str, text: str, result: str) -> None:
    assert _rule(pattern, "x").replace(text) == result


@pytest.mark.parametrize("text", ["hi", "bye"])
def test_a_name_of_several_groups_is_the_one_that_took_part(text: str) -> None:
    assert _rule("(?P<x>hi)|(?P<x>bye)", "<$x>").replace(text) == f"<{text}>"


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "(", "a**", "[b-a]", "(?P<n>a"])
def test_what_re2_does_not_accept_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="Expected a regular expression"):
        Pattern(pattern)


@given(st.text() | st.text("${}1a_x-"), st.text() | st.text("abc-"))
def test_no_template_and_no_text_upsets_a_rule(template: str, text: str) -> None:
    assert isinstance(_rule("(?P<x>a*)(b)?|(c)", template).replace(text), str)


@given(st.text("${}1a_x-"))
def test_a_template_without_dollars_is_taken_literally(template: str) -> None:
    literal = template.replace("$", "")
    assert _rule("(?P<x>.+)", literal).replace("pkg") == literal
    assert _rule("(?P<x>.+)", template.replace("$", "$$")).replace("pkg") == template


_OWNER = Owner("octo")


def test_without_rules_the_repository_is_called_like_the_project() -> None:
    assert Mapping().repository(_OWNER, normalize_project("My_Pkg")) == Repository(_OWNER, "my-pkg")


def test_rules_are_applied_one_after_the_other() -> None:
    mapping = Mapping([_rule("^", "python-"), _rule("-pkg$", ".PKG")])
    assert str(mapping.repository(_OWNER, normalize_project("my-pkg"))) == "octo/python-my.pkg"


def test_all_projects_can_be_in_one_repository() -> None:
    mapping = Mapping([_rule(".*", "packages")])
    assert mapping.repository(_OWNER, normalize_project("whatever")).name == "packages"


@pytest.mark.parametrize("template", ["", "..", "a/b", "../other", "a b", "a\nb", "é", "r" * 101, "$0" * 40])
def test_a_rule_never_leads_outside_the_owners_repositories(template: str) -> None:
    with pytest.raises(NotFoundError):
        Mapping([_rule(".+", template)]).repository(_OWNER, normalize_project("pkg"))


def test_rules_that_lengthen_a_name_come_to_an_end() -> None:
    with pytest.raises(NotFoundError):
        Mapping([_rule("(.)", "$1$1")] * 64).repository(_OWNER, normalize_project("pkg"))
