"""What a zygote has imported before it forks, so that no program pays for it again.

Fork costs by the number of mappings and touched pages: everything here is used by many programs and cheap
to carry; what is large and rare (asyncio, ssl, xml) a program imports itself.
"""

from __future__ import annotations

import importlib
import os
import site
import sys

BASE = (
    "json", "math", "re", "random", "datetime", "time", "collections", "itertools", "functools", "string",
    "operator", "decimal", "fractions", "statistics", "dataclasses", "typing", "enum", "copy", "heapq", "bisect",
    "textwrap", "io", "os", "pathlib", "tempfile", "traceback", "linecache", "inspect", "ast", "threading", "contextlib",
    "abc", "types", "weakref", "base64", "hashlib", "struct", "array", "uuid", "csv", "calendar", "numbers",
)  # fmt: skip


def import_modules(names: tuple[str, ...]) -> None:
    """Import each. ImportError when one is not part of this Python."""
    for name in names:
        importlib.import_module(name)
    # What site does for the builtins of a script, without its paths.
    site.setquit()
    site.setcopyright()
    site.sethelper()
    sys.path[:] = ["/tmp", *_standard_paths()]
    os.environ.clear()
    os.environ.update(
        PATH="/usr/bin:/bin", HOME="/tmp", TMPDIR="/tmp", LANG="C.UTF-8", USER="sandbox", LOGNAME="sandbox"
    )


def _standard_paths() -> list[str]:
    prefix = os.path.dirname(os.__file__)
    return [path for path in sys.path if path.startswith(prefix) and "-packages" not in path]


def loaded() -> list[str]:
    """The names of every module now loaded, sorted."""
    return sorted(name for name in sys.modules if not name.startswith("_"))
