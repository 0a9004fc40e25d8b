"""A Corefile's words and blocks are those that CoreDNS sees."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.parsers.corefile.blocks import Malformed, blocks
from workers.parsers.corefile.outline import outline
from workers.parsers.corefile.outside import NoFiles, Variables
from workers.parsers.corefile.words import Word, words


class Two:
    """Two files."""

    def matching(self, pattern: str, origin: str) -> list[str]:
        """Both, for any pattern."""
        assert (pattern, origin) == ("*.override", "")
        return ["a", "b"]

    def read(self, name: str) -> str:
        """A plugin that is called like the file."""
        return f"{name} here"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a b\nc", [("a", 1), ("b", 1), ("c", 2)]),
        ("\ufeffa", [("a", 1)]),
        ('"a b" "" "c\nd" e', [("a b", 1), ("", 1), ("c\nd", 1), ("e", 2)]),
        (r'"a\"b\c"', [(r'a"b\c', 1)]),
        ('a"b c"', [('a"b', 1), ('c"', 1)]),
        ("a\rb", [("ab", 1)]),
        ("# a b\nc", [("c", 2)]),
        ("a#b c\nd", [("a", 1), ("c", 1), ("d", 2)]),
        ('"open', [("open", 1)]),
        ('"', []),
        ("a\x1fb\xa0c", [("a\x1fb", 1), ("c", 1)]),
    ],
)
def test_words(text: str, found: list[tuple[str, int]]) -> None:
    """Quotation marks, comments, Go's white space."""
    assert [(word.text, word.line) for word in words(text)] == found


def test_a_word_over_lines_ends_later() -> None:
    """What follows a quoted word stands on the line of its end."""
    assert Word("a\nb", 3).last_line == 4


def test_imports_and_variables_are_put_in() -> None:
    """Snippets, files and variables; a variable that is not set is remembered with its line."""
    text = "(s) {\n log {$WHAT}\n}\n.:{%PORT%} {\n import s\n import *.override\n errors {$NO}\n}\n"
    variables = Variables({"WHAT": "x", "PORT": "53"})
    (block,) = blocks(text, variables, Two()).servers
    assert block.keys == [".:53"]
    assert {name: [word.text for word in kept] for name, kept in block.plugins.items()} == {
        "log": ["log", "x"],
        "a": ["a", "here"],
        "b": ["b", "here"],
        "errors": ["errors", ""],
    }
    assert variables.unset == {"NO": 7}


def test_a_file_that_is_not_seen_is_told() -> None:
    """The rest is read all the same."""
    found = blocks(". {\n import x\n log\n}\n", Variables({}), NoFiles())
    assert found.unseen == [("x", 2)]
    assert list(found.servers[0].plugins) == ["log"]


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (". {\n log", 2, "is not closed"),
        (". {\n log {\n  class all\n", 2, "is not closed"),
        ("a, {\n}", 1, "a comma promises"),
        ("a,", 1, "a comma promises"),
        ("(s) {\n}\n(s) {\n}\n", 3, "a second time"),
        ("(s)\nlog", 2, "has no block"),
        ("(s) {\n log\n", 2, "is not closed"),
        ("(s) {\n import s\n}\n", 2, "imports itself"),
        (". {\n import\n}\n", 2, "names nothing"),
        ('. {\n import ""\n}\n', 2, "names nothing"),
        (". {\n import a b\n}\n", 2, "takes one name"),
        (". {\n import a*/b*\n}\n", 2, "one wildcard"),
        (". {\n log } x\n}\n", 2, "closes nothing"),
        ("(s) {\n import t\n}\n(t) {\n import s\n}\n. {\n import s\n}\n", 5, "without end"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, line: int, sentence: str) -> None:
    """With the line, in a sentence."""
    with pytest.raises(Malformed, match=sentence) as caught:
        blocks(text, Variables({}), NoFiles())
    assert caught.value.line == line


def test_a_variable_that_holds_itself_ends() -> None:
    """CoreDNS would never come back."""
    assert Variables({"A": "{$A}"}).put_in("{$A}", 1) == "{$A}"
    assert Variables({}).put_in("{$} {$A}", 1) == "{$} {$A}"


@given(st.text(alphabet='ab{}()"#\\ \n,', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text breaks the parser, and any text has an outline."""
    outline(text)
    with contextlib.suppress(Malformed):
        blocks(text, Variables({}), NoFiles())
