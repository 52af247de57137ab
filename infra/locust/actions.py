"""What users do: each is one turn, whose answers are checked."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timetable import Punctual

Action = Callable[["Punctual", float], None]
HASH = "10adf00d" * 5
MODULE = "loadtest"
FUNCTION = "rank"
SOURCE = '''
def rank(values: list[int], top: int = 3) -> dict[str, list[int] | int]:
    """The largest values, and the sum of all."""
    return {"top": sorted(values, reverse=True)[:top], "sum": sum(values)}
'''


def run_program(user: Punctual, due: float) -> None:
    """A small calculation over data, as an agent would send it."""
    numbers = [random.randrange(1000) for _ in range(100)]
    code = "result = sum(data) / len(data)\nprint(f'mean {result:.1f}')"
    answer = user.ask(due, "POST /execute", "POST", "/execute", json={"code": code, "data": numbers})
    if answer.status_code == 200:
        found = answer.json()
        user.check(
            "POST /execute",
            ok=found["verdict"] == "ok" and found["result"] == sum(numbers) / len(numbers),
            said=found["verdict"],
        )


def keep_records(user: Punctual, due: float) -> None:
    """One of five operations on the records of this user's own session."""
    known: list[int] = user.__dict__.setdefault("known", [])
    random.choice(_OPERATIONS if known else _OPERATIONS[:1])(user, due, known)


def _create(user: Punctual, due: float, known: list[int]) -> None:
    item = {"name": f"item {len(known)}", "price": random.randrange(100), "tags": ["new"]}
    made = _ask(user, due, ("POST /items", "POST", "/items"), json=item, expected=(201,))
    if made.status_code == 201:
        known.append(int(made.json()["id"]))


def _get(user: Punctual, due: float, known: list[int]) -> None:
    number = random.choice(known)
    got = _ask(user, due, ("GET /items/ID", "GET", f"/items/{number}"))
    if got.status_code == 200:
        user.check("GET /items/ID", ok=got.json()["id"] == number, said=got.text)


def _list(user: Punctual, due: float, _known: list[int]) -> None:
    _ask(user, due, ("GET /items", "GET", "/items?_limit=10"))


def _search(user: Punctual, due: float, known: list[int]) -> None:
    _ask(user, due, ("GET /items?name=", "GET", f"/items?name=item%20{random.randrange(len(known))}"))


def _patch(user: Punctual, due: float, known: list[int]) -> None:
    number, price = random.choice(known), random.randrange(100)
    changed = _ask(user, due, ("PATCH /items/ID", "PATCH", f"/items/{number}"), json={"price": price})
    if changed.status_code == 200:
        user.check("PATCH /items/ID", ok=changed.json()["price"] == price, said=changed.text)


def _ask(user: Punctual, due: float, request: tuple[str, str, str], **options: Any) -> Any:
    """In the user's own session."""
    session: str = user.__dict__.setdefault("session", f"load-{uuid.uuid4().hex}")
    return user.ask(due, *request, headers={"X-Session-ID": session}, **options)


_OPERATIONS = (_create, _get, _list, _search, _patch)


def call_function(user: Punctual, due: float) -> None:
    """A call of the function that the test has loaded."""
    values = [random.randrange(1000) for _ in range(50)]
    path = f"/function/{HASH}/{FUNCTION}"
    answer = user.ask(due, "POST /function", "POST", path, json={"values": values})
    if answer.status_code == 200:
        right = {"top": sorted(values, reverse=True)[:3], "sum": sum(values)}
        user.check("POST /function", ok=answer.json() == right, said=answer.text)


def do_harm(user: Punctual, due: float) -> None:
    """Something that has to be answered as it deserves, and must be felt by nobody else."""
    what, body, verdicts = random.choice(_HARM)
    answer = user.ask(due, f"hostile: {what}", "POST", "/execute", json=body)
    if answer.status_code == 200:
        found = answer.json()
        user.check(f"hostile: {what}", ok=found["verdict"] in verdicts, said=found["verdict"])


def send_nonsense(user: Punctual, due: float) -> None:
    """What is no request of this service."""
    what, path, data, expected = random.choice(_NONSENSE)
    headers = {"Content-Type": "application/json"}
    user.ask(due, f"nonsense: {what}", "POST", path, data=data, headers=headers, expected=expected)


_HARM = (
    ("endless loop", {"code": "while True: pass", "timeout": 1}, ("timeout", "cpu")),
    ("memory", {"code": "x = [bytearray(1 << 20) for _ in range(100_000)]"}, ("memory", "exception")),
    ("fork", {"code": "import os\nwhile True: os.fork()", "timeout": 2}, ("exception", "syscall", "timeout")),
    (
        "network",
        {"code": "import socket\nsocket.create_connection(('127.0.0.1', 80), 1)"},
        ("exception", "syscall"),
    ),
    (
        "output",
        {"code": "while True: print('x' * 100_000)", "timeout": 2},
        ("output", "exception", "timeout", "cpu"),
    ),
    ("files", {"code": "open('/proc/1/environ').read()"}, ("exception", "syscall")),
    ("exit", {"code": "import os\nos._exit(7)"}, ("exit",)),
    ("signal", {"code": "import os\nos.kill(os.getpid(), 9)"}, ("signal", "exception", "syscall")),
)
_NONSENSE = (
    ("no JSON", "/execute", b"{", (400,)),
    ("deep JSON", "/execute", b"[" * 100_000, (400,)),
    ("no program", "/execute", b'{"code": 7}', (422,)),
    ("unknown member", "/execute", b'{"code": "1", "colour": "red"}', (422,)),
    ("another's path", "/execute/1", b"{}", (404,)),
)
