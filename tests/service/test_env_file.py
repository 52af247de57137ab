"""Environment files: what each line means, what is refused, and that faults name file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.env_file import EnvFileError, load_env_file, parse_line
from service.settings.parsers import SettingsError

KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("", None),
        ("   \t\r", None),
        ("# LARS_PORT=1", None),
        ("   # indented", None),
        ("LARS_PORT=8080", ("LARS_PORT", "8080")),
        ("  LARS_PORT = 8080  ", ("LARS_PORT", "8080")),
        ("LARS_PORT=8080\r", ("LARS_PORT", "8080")),
        ("export LARS_PORT=8080", ("LARS_PORT", "8080")),
        ("export\tLARS_PORT=8080", ("LARS_PORT", "8080")),
        ("export=1", ("export", "1")),
        ("EMPTY=", ("EMPTY", "")),
        ("EMPTY= # nothing", ("EMPTY", "")),
        ("A=b # comment", ("A", "b")),
        ("A=b \t # comment", ("A", "b")),
        ("A=b#c", ("A", "b#c")),
        ("A=#b", ("A", "#b")),
        ("A=b=c==", ("A", "b=c==")),
        ("A=two words", ("A", "two words")),
        ("A=$HOME/${X}`id`", ("A", "$HOME/${X}`id`")),
        ("A=it's", ("A", "it's")),
        (r"A=a\nb", ("A", r"a\nb")),
        ("A='single # $X \\n \"'", ("A", 'single # $X \\n "')),
        ("A= 'x' # comment", ("A", "x")),
        ("A='x # y' # z", ("A", "x # y")),
        ("A=''", ("A", "")),
        (r'A="two\nlines \"q\" \\ \$ \t \x"', ("A", 'two\nlines "q" \\ $ \t \\x')),
        ('A="x # y"', ("A", "x # y")),
        ('A="" # nothing', ("A", "")),
        ("A=\u00e9\u2028x", ("A", "\u00e9\u2028x")),
    ],
)
def test_line(line: str, pair: tuple[str, str] | None) -> None:
    """One line, one meaning."""
    assert parse_line(line.encode()) == pair


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"LARS_PORT", "expected KEY=VALUE"),
        (b"=1", "expected KEY=VALUE"),
        (b"1A=1", "expected KEY=VALUE"),
        (b"A-B=1", "expected KEY=VALUE"),
        (b"export A B=1", "expected KEY=VALUE"),
        ("\u00c4=1".encode(), "expected KEY=VALUE"),
        (b"A='x", "opening quote is not closed; end it with '"),
        (b'A="x', 'opening quote is not closed; end it with "'),
        (b'A="x\\"', 'opening quote is not closed; end it with "'),
        (b"A='x'y", "text follows the closing quote"),
        (b"A='x'#y", "text follows the closing quote"),
        (b'A="x" y', "text follows the closing quote"),
        (b"A=\0", "NUL"),
        (b"A=\xff", "UTF-8"),
    ],
)
def test_refused_line(tmp_path: Path, line: bytes, reason: str) -> None:
    """A line that is not an assignment is an error that names file and line."""
    file = tmp_path / "service.env"
    file.write_bytes(b"# first\nGOOD=1\n" + line + b"\nTOKEN=hush\n")
    with pytest.raises(EnvFileError) as caught:
        load_env_file(file)
    assert str(caught.value).startswith(f"{file}, line 3: ")
    assert reason in str(caught.value)
    assert (caught.value.path, caught.value.line) == (file, 3)


def test_errors_never_quote_a_value(tmp_path: Path) -> None:
    """The value of a faulty line may be a secret."""
    file = tmp_path / "service.env"
    file.write_text("TOKEN='hush hush\n")
    with pytest.raises(EnvFileError) as caught:
        load_env_file(file)
    assert "hush" not in str(caught.value)


def test_file(tmp_path: Path) -> None:
    """Of equal keys the last counts; a byte order mark and a missing last newline do not matter."""
    file = tmp_path / "service.env"
    file.write_bytes(b"\xef\xbb\xbfB=1\r\n\r\nA=2\nexport B=3")
    assert load_env_file(str(file)) == {"B": "3", "A": "2"}


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and a directory are settings errors that name the path and the reason."""
    with pytest.raises(SettingsError, match=r"absent\.env: cannot be read \(No such file or directory\)"):
        load_env_file(tmp_path / "absent.env")
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory\)"):
        load_env_file(tmp_path)


@given(KEYS, TEXTS)
def test_double_quotes_hold_any_text(key: str, text: str) -> None:
    """Every text without NUL has a double-quoted spelling."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    assert parse_line(f'{key}="{escaped}" # comment'.encode()) == (key, text)


@given(KEYS, TEXTS.filter(lambda text: "'" not in text and "\n" not in text))
def test_single_quotes_are_literal(key: str, text: str) -> None:
    """Between single quotes nothing has a meaning."""
    assert parse_line(f"export {key}='{text}'".encode()) == (key, text)


@given(st.binary(max_size=60).filter(lambda line: b"\n" not in line))
def test_any_bytes(line: bytes) -> None:
    """Any line is nothing, an assignment or a ValueError."""
    try:
        pair = parse_line(line)
    except ValueError:
        return
    if pair is not None:
        assert pair[0].isidentifier()
        assert "\0" not in pair[1]
