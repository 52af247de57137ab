"""The text of ``.env.template``: every setting with what it means, none of them set."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from service.settings.row import Computed, Setting

_INTRODUCTION = """\
# Settings of LARS. Generated: python -m service.settings env > .env.template
#
# Copy this file, and take away the sign in front of what you change. The copy is for --env-file of
# scripts/deploy.sh, scripts/start_api.sh and lars; deploy.sh finds .env beside this by itself.
# A line is NAME=value: no export, no quotes and no comment behind it, so that every reader takes it alike.
# Whoever can read the file has the keys in it: chmod 600.
"""
_WIDTH = 110


def render_env_template(table: Iterable[Setting]) -> str:
    """Lines that every reader of such files takes for the same, comments at most 110 wide."""
    return _INTRODUCTION + "".join(f"\n{_row(setting)}" for setting in table)


def _row(setting: Setting) -> str:
    text = setting.help
    if isinstance(setting.default, Computed):
        text += f" Default: {setting.default_words}."
    unit = f", {setting.unit}" if setting.unit else ""
    text += f" ({setting.parse.expects}{unit})"
    wrapped = textwrap.fill(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    value = "" if isinstance(setting.default, Computed) else setting.default
    return f"{wrapped}\n#{setting.name}={value}\n"
