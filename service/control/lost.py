"""A control database that was there. Made anew it would know no key, and a service without keys is open to
its machine, and through a proxy to everybody."""

from __future__ import annotations

import os
import stat

from service.control.audit_key import FILE
from service.control.refusal import ControlRefused
from service.database_url import sqlite_path
from service.settings import Settings


def refuse_to_lose(settings: Settings) -> None:
    """ControlRefused where SQLite's file is missing or empty, and the key of its audit log is there. Of a
    database of a server nothing is known, nor where LARS_AUDIT_KEY is the key."""
    path, key = sqlite_path(settings.database_url.reveal()), settings.data_root / FILE
    # The key is made last: another process may be making both just now.
    if path is None or not os.path.exists(key) or _holds(path):
        return
    raise ControlRefused(
        f"the control database {path} is missing or empty, and {key} says that there was one; restore it "
        f"from a backup, or begin with a new one, in which there is no key, by moving {key} elsewhere"
    )


def _holds(path: str) -> bool:
    """What cannot be seen may be there, and what is no file: who opens it will say."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return found.st_size > 0 or not stat.S_ISREG(found.st_mode)
