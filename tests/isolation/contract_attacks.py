"""The attack table of contract workers: free Python in the worker of one contract, and exactly what it sees.

What is the same for a session's worker is in that table. Here is what differs: a contract's directory is not
its own to write in.
"""

from __future__ import annotations

from tests.isolation.session_attacks import (
    OTHER_PROCESSES,
    REACHING_OUT,
    RESOURCES,
    STRANGE_FILES,
    SessionAttack,
)

# A session's worker may write a file, whose size is what these are about.
_OF_FILES = {"file-of-more-than-twice-the-quota", "stdout-of-more-than-that"}


def _writes(name: str, call: str, control: object = None) -> SessionAttack:
    """In a directory that holds the file ``own``, which anybody may write."""
    return SessionAttack(name, f"said = tried({call})", "EACCES", "Landlock", control)


READ_ONLY = (
    _writes("make-a-file", "lambda: open('new', 'x').close()"),
    _writes("write-a-file", "lambda: open('own', 'w').close()"),
    _writes("append-to-a-file", "lambda: open('own', 'a').close()"),
    _writes("truncate-a-file", "os.truncate, 'own', 0"),
    _writes("remove-a-file", "os.unlink, 'own'"),
    _writes("hard-link-a-file", "os.link, 'own', 'more'"),
    _writes("rename-a-file", "os.rename, 'own', 'other'"),
    SessionAttack(
        "a-file-without-a-name",
        "said = tried(lambda: os.open('.', os.O_TMPFILE | os.O_RDWR) > 0)",
        "EACCES",
        "Landlock",
        True,
    ),
    SessionAttack(
        "more-words-than-are-kept",
        "said = [tried(os.pwrite, s, b'x', 8 << 20) == 'EFBIG' or 'written' for s in (1, 2)]",
        [True] * 2,
        "RLIMIT_FSIZE",
        ["written"] * 2,
    ),
    SessionAttack("any-word-at-all", "said = tried(os.write, 1, b'x')", "EPERM", "seals", 1),
    SessionAttack(
        "modules-from-its-directory",
        "import sys\nsaid = [path for path in sys.path]",
        [],
        "its search path is empty",
        no_control="what the tester's path is, is the tester's",
    ),
)
ATTACKS = (
    *REACHING_OUT,
    *OTHER_PROCESSES,
    *(attack for attack in RESOURCES if attack.name not in _OF_FILES),
    *STRANGE_FILES,
    *READ_ONLY,
)
