"""Sizes: what each spelling means, and that nothing else is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.units import MAX_SIZE, UnitError, format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("100b", 100),
        ("512k", 512 * 1024),
        ("100m", 100 * 1024**2),
        ("100M", 100 * 1024**2),
        ("100MB", 100 * 1024**2),
        ("100MiB", 100 * 1024**2),
        ("100 mb", 100 * 1024**2),
        (" 1g ", 1024**3),
        ("8589934591g", 8589934591 * 1024**3),
        ("007k", 7 * 1024),
    ],
)
def test_spelling(text: str, size: int) -> None:
    """Letters are powers of 1024 in either case; a trailing b changes nothing."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "m",
            "-1",
            "+1",
            "1.5g",
            "1e3",
            "0x10",
            "1_000",
            "100mm",
            "100ib",
            "100t",
            "1  k",
            "1k 1k",
        ),
        *("\u0661\u0662", "1\u212a", "1k\n1", "nan", "inf", "9" * 19, "8589934592g", "1,000"),
    ],
)
def test_refused(text: str) -> None:
    """Fractions, signs, digits and letters of other alphabets, and sizes beyond 2**63 - 1 are no sizes."""
    with pytest.raises(UnitError):
        parse_size(text)


def test_error_names_text_and_forms() -> None:
    """The message alone is enough to mend the value, and a long text does not flood it."""
    with pytest.raises(
        UnitError, match=r"^'1\.5g' is not a size; write whole bytes, or a number and k, m or g"
    ):
        parse_size("1.5g")
    with pytest.raises(UnitError) as caught:
        parse_size("x" * 10_000)
    assert len(str(caught.value)) < 150


@given(st.integers(min_value=0, max_value=10**18 - 1))
def test_format_reads_back(size: int) -> None:
    """``format_size`` loses no byte."""
    assert parse_size(format_size(size)) == size


@given(
    st.integers(0, 10**6), st.sampled_from("kmg"), st.sampled_from(["", "b", "B", "ib", "iB"]), st.booleans()
)
def test_units_agree(count: int, unit: str, tail: str, upper: bool) -> None:
    """Every spelling of a unit is the same factor."""
    text = f"{count}{unit.upper() if upper else unit}{tail}"
    assert parse_size(text) == count * 1024 ** ("kmg".index(unit) + 1)


@given(st.text(max_size=30))
def test_any_text(text: str) -> None:
    """Any text is a size within bounds or a UnitError; never another exception."""
    try:
        size = parse_size(text)
    except UnitError:
        return
    assert 0 <= size <= MAX_SIZE
