"""What a zygote has imported before it forks, so that no program pays for it again.

Fork costs by touched pages and, less, by the number of mappings: everything here is used by many programs
and cheap to carry. What maps large libraries (hashlib, ssl, tempfile through its compressors) or brings a
world of its own (asyncio, xml) a program imports itself.
"""

from __future__ import annotations

import importlib
import os
import site
import sys

BASE = tuple(
    """
    abc array ast base64 bisect calendar collections contextlib copy csv dataclasses datetime decimal enum
    fractions functools heapq inspect io itertools json linecache math numbers operator os pathlib random re
    statistics string struct textwrap threading time traceback types typing weakref
    """.split()
)
# Ours, imported before our own modules so that the objects of those lie together and share pages.
OURS = tuple("atexit ctypes gc mmap reprlib resource select socket sysconfig uuid warnings zoneinfo".split())


def import_modules(names: tuple[str, ...]) -> None:
    """Import each, without the at-fork hooks that some of them register. ImportError when one is missing.

    The hooks repair the locks and the thread table of a process that forked with threads running. A zygote
    has none, so there is nothing to repair, and ``threading``'s alone costs every fork a hundred page faults.
    What a child does need, a fresh random state, the worker does itself.
    """
    register, os.register_at_fork = os.register_at_fork, _register_nothing
    try:
        for name in names:
            importlib.import_module(name)
    finally:
        os.register_at_fork = register


def _register_nothing(**_: object) -> None:
    """In the place of os.register_at_fork."""


def look_like_a_script() -> None:
    """The builtins, search path and environment that a program finds."""
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


def hide_ourselves() -> None:
    """Leave programs the modules that a fresh interpreter has, and none of ours: what we import is bound by
    now, and a program that asks for it by name finds nothing."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("orjson", "sandbox_runtime"):
            del sys.modules[name]
    sys.orig_argv[:] = [sys.executable, "main.py"]  # ours names where the service is installed
