"""``python -m service.settings`` prints ``docs/settings.md``, and with ``env`` ``.env.template``."""

from __future__ import annotations

import sys

from service.settings import SETTINGS, render_markdown
from service.settings.env_template import render_env_template

if sys.argv[1:] == ["env"]:
    sys.stdout.write(render_env_template(SETTINGS))
else:
    sys.stdout.write(render_markdown())
