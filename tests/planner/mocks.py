"""What LLM_MOCK_HANDLER may name."""

from __future__ import annotations

import asyncio


def echo(prompt: str) -> dict[str, str]:
    """The end of the prompt, as a program."""
    return {"code": f"print({prompt[-9:]!r})", "assessment": "made up"}


async def patient(prompt: str) -> str:
    """A text, after it has awaited something."""
    await asyncio.sleep(0)
    return f"```python\nprint({len(prompt)})\n```"


def failing(prompt: str) -> str:
    """Never returns."""
    raise LookupError(f"no fixture for {prompt[-9:]}\ud800")


def nothing() -> str:
    """Takes no prompt."""
    return ""


def two(prompt: str, context: object) -> str:
    """Wants more than the prompt."""
    return f"{prompt} {context}"


NOT_A_FUNCTION = 1
