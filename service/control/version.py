"""Which tables this code works with: the last of ``migrations/versions``."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0005"
