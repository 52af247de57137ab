"""Docstrings in the styles that are usual, and in none."""

from __future__ import annotations

import inspect
import time

import pytest

from service.functions.docstrings import MAX_SUMMARY, read_docstring

NAMES = ("n", "names", "rest")
GOOGLE = """
    Add them up.

    As one does.

    Args:
        n (int): how many,
            at most ten
        names: what to call them
        *rest: all the others
        stranger: is no parameter

    Returns:
        the sum
    """
NUMPY = """
    Add them up.

    As one does.

    Parameters
    ----------
    n : int
        how many,
        at most ten
    names
        what to call them
    *rest : tuple
        all the others

    Returns
    -------
    the sum
    """
SPHINX = """
    Add them up.

    As one does.

    :param int n: how many,
        at most ten
    :param names: what to call them
    :type names: list
        of str
    :param rest: all the others
    :returns: the sum
    """
TOLD = {"n": "how many, at most ten", "names": "what to call them", "rest": "all the others"}


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (GOOGLE, "As one does.\n\n\nReturns:\n    the sum"),
        (NUMPY, "As one does.\n\nReturns\n-------\nthe sum"),
        (SPHINX, "As one does.\n\n:returns: the sum"),
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_styles(text: str, rest: str) -> None:
    """Each parameter has its words, and the text has them no more."""
    found = read_docstring(inspect.cleandoc(text), NAMES)
    assert found.summary == "Add them up."
    assert found.parameters == TOLD
    assert found.description.replace("\n\n\n", "\n\n") == rest.replace("\n\n\n", "\n\n")


@pytest.mark.parametrize(
    ("text", "summary", "description"),
    [
        ("", "", ""),
        ("One line", "One line", ""),
        ("One line\nand a second", "One line", "and a second"),
        ("Args: they are many", "Args: they are many", ""),
        ("Parameters\nare not a section", "Parameters", "are not a section"),
        ("x" * 500, "x" * (MAX_SUMMARY - 3) + "...", ""),
        ("A\x00B\x1b[2J\u202eC", "A B [2J C", ""),
        ("T\n\n<script>1</script> a < b <!-- c", "T", "&lt;script>1&lt;/script> a < b &lt;!-- c"),
        ("T\n\n![x](http://192.0.2.1/x.png) [y](z)", "T", "!&#91;x](http://192.0.2.1/x.png) [y](z)"),
        ("T\n\n\\<b>", "T", "\\&lt;b>"),
    ],
)
def test_texts(text: str, summary: str, description: str) -> None:
    """What has no section, and what would be markup."""
    found = read_docstring(text, NAMES)
    assert (found.summary, found.description, found.parameters) == (summary, description, {})


@pytest.mark.parametrize(
    "text",
    [
        "Args:\n" * 1000,
        "Args:\n " + "(" * 4000,
        ":param " + "a " * 2000,
        ":param " + ":" * 4000,
        "Parameters\n---\n" + " x\n" * 1000,
        " " * 4000 + "<" * 90,
        "\n" * 4000,
        "n" + " " * 4000 + ":",
    ],
    ids=lambda text: text[:10].strip() or "blank",
)
def test_hostile_texts_take_no_time(text: str) -> None:
    """Of the 4096 characters that a signature may have; milliseconds, and a second is generous."""
    began = time.process_time()
    read_docstring(text, NAMES)
    assert time.process_time() - began < 1
