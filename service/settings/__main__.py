"""``python -m service.settings`` prints ``docs/settings.md``."""

from __future__ import annotations

import sys

from service.settings import render_markdown

sys.stdout.write(render_markdown())
