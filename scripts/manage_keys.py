#!/usr/bin/env python3
"""Makes, lists, rotates and revokes keys: the same as ``lars keys``, from a checkout.

    scripts/manage_keys.py add --name NAME --env test|prod | list | revoke ID | rotate ID [--overlap 24h]

LARS_VENV names the directory that LARS is installed in (default .venv).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


def main() -> NoReturn:
    """Becomes ``lars keys``; exit code 1 where LARS is not installed."""
    lars = Path(os.environ.get("LARS_VENV") or ROOT / ".venv") / "bin" / "lars"
    if not lars.exists():
        sys.exit(f"manage_keys.py: there is no {lars}; scripts/start_api.sh installs it")
    os.execv(lars, [str(lars), "keys", *sys.argv[1:]])  # noqa: S606 - no shell is what is wanted


if __name__ == "__main__":
    main()
