"""What an agent would upload: a module whose functions are loaded and called, and some that are refused."""

from __future__ import annotations

MODULE = "agent_functions"

AGENT = '''"""Sample functions."""

from dataclasses import dataclass
from typing import Literal, Optional


@dataclass
class Item:
    name: str
    price: float
    count: int = 1


def hello_world(name: str = "world") -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


def calculate_fibonacci(n: int) -> int:
    """The nth Fibonacci number."""
    return n if n < 2 else calculate_fibonacci(n - 1) + calculate_fibonacci(n - 2)


def total(items: list[Item], currency: Literal["EUR", "USD"] = "EUR", note: Optional[str] = None) -> dict:
    """What items cost together."""
    return {"total": sum(item.price * item.count for item in items), "currency": currency, "note": note}


async def divide(a: float, b: float = 1.0) -> float:
    """Fails when b is 0."""
    return a / b


def descend(depth: int = 0) -> int:
    """Ends at the limit of recursion."""
    return descend(depth + 1)
'''
CHANGED = AGENT.replace('f"Hello, {name}!"', 'f"Welcome, {name}!"')
LINE_OF_DIVISION = AGENT.splitlines().index("    return a / b") + 1


def _importing(name: str) -> str:
    head = '"""Imports what is blocked."""'
    return f"{head}\n\nimport {name}\n\n\ndef run() -> str:\n    return {name}.__name__\n"


def _calling(text: str) -> str:
    head = '"""Calls what is blocked."""'
    return f"{head}\n\n\ndef run() -> object:\n    return {text}\n"


# What is blocked -> the module that has it, and the line where.
BLOCKED: dict[str, tuple[str, int]] = {
    **{name: (_importing(name), 3) for name in ("os", "subprocess", "socket", "requests", "urllib")},
    "open": (_calling("open('/etc/passwd').read()"), 5),
    "exec": (_calling("exec('x = 1')"), 5),
    "eval": (_calling("eval('1 + 1')"), 5),
    "compile": (_calling("compile('1', 'x', 'eval')"), 5),
    "__import__": (_calling("__import__('os').getcwd()"), 5),
}


def blocked_module(what: str) -> str:
    """The name of the module that has it."""
    return f"blocked_{what.strip('_')}"
