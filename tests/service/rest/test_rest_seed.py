"""The service's founding examples, request by request: what is sent, and exactly what must come back.

Bodies are compared as texts, so the order of members counts. Every workflow has sessions of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.service.rest.sessions import Reply, Session


class _ErrorText:
    """Stands for a problem whose ``error`` says something."""


ERROR = _ErrorText()


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its answer. ``sent``: JSON, or bytes as they are. ``reply``: None for no body.
    ``location``: of the new record, None for no such header. ``session``: which of the workflow's."""

    request: str
    status: int
    reply: object = None
    sent: object = None
    location: str | None = None
    session: str = "one"
    headers: Mapping[str, str] = field(default_factory=dict)


def envelope(items: list[Any], total: int, limit: int | None = None, offset: int = 0) -> dict[str, Any]:
    """A list as it is answered."""
    return {"items": items, "page": {"limit": limit, "offset": offset, "total": total}}


def created(path: str, ident: int, sent: Mapping[str, Any], session: str = "one") -> Step:
    """A POST whose record gets this id, as the first member."""
    location = f"{path.rstrip('/')}/{ident}"
    return Step(f"POST {path}", 201, {"id": ident, **sent}, dict(sent), location, session)


ADA = {"name": "Ada", "email": "ada@example.com"}
BEN = {"name": "Ben", "email": "ben@example.com"}
MEMBERS = (
    created("/members/", 1, ADA),
    created("/members/", 2, BEN),
    Step("GET /members/1", 200, {"id": 1, **ADA}),
    Step(
        "GET /members/?limit=10&offset=0&sort=name",
        200,
        envelope([{"id": 1, **ADA}, {"id": 2, **BEN}], 2, limit=10),
    ),
    Step("GET /members/search?name=Ada", 200, [{"id": 1, **ADA}]),
    Step(
        "PUT /members/1",
        200,
        {"id": 1, "name": "Ada King", "email": "king@example.com"},
        {"name": "Ada King", "email": "king@example.com"},
    ),
    Step(
        "PATCH /members/1",
        200,
        {"id": 1, "name": "Ada King", "email": "lovelace@example.com"},
        {"email": "lovelace@example.com"},
    ),
    Step("DELETE /members/1", 204),
    Step("GET /members/1", 404, ERROR),
    Step("GET /members/", 200, envelope([{"id": 2, **BEN}], 1)),
)

CREDENTIAL = (
    Step(
        "POST /members/",
        201,
        {"id": 1, "name": "Ada"},
        {"name": "Ada"},
        "/members/1",
        headers={"Authorization": "Bearer a-made-up-token"},
    ),
)

POST = {"title": "A first text", "author": "Ada", "content": "Where it begins..."}
BLOG = (
    created("/posts", 1, POST),
    Step("GET /posts/1", 200, {"id": 1, **POST}),
    Step(
        "PATCH /posts/1", 200, {"id": 1, **POST, "content": "Where it goes!"}, {"content": "Where it goes!"}
    ),
    Step("DELETE /posts/1", 204),
    Step("GET /posts/1", 404, ERROR),
)

PUMP = {"sku": "PUMP-7", "name": "Hand pump", "price": 19.99, "stock": 30, "category": "tools"}
ORDER = {
    "customer": "c@example.com",
    "items": [{"product_id": 1, "quantity": 3}],
    "total": 59.97,
    "status": "pending",
}
SHOP = (
    created("/products", 1, PUMP),
    Step("PATCH /products/1", 200, {"id": 1, **PUMP, "stock": 27}, {"stock": 27}),
    created("/orders", 1, ORDER),
    Step("GET /products/search?category=tools", 200, [{"id": 1, **PUMP, "stock": 27}]),
    Step("GET /products/search?category=toys", 200, []),
    # The items of an order are a value of it, no collection.
    Step("GET /", 200, {"collections": ["products", "orders"]}),
)

PROJECT = {"name": "Move house", "owner": "ada@example.com", "status": "active", "deadline": "2031-03-31"}
TASK = {"project_id": 1, "title": "Pack", "assignee": "ben@example.com", "status": "todo", "priority": "high"}
TASKS = (
    created("/projects", 1, PROJECT),
    created("/tasks", 1, TASK),
    Step("PATCH /tasks/1", 200, {"id": 1, **TASK, "status": "in_progress"}, {"status": "in_progress"}),
    Step("PATCH /tasks/1", 200, {"id": 1, **TASK, "status": "done"}, {"status": "done"}),
    Step("GET /tasks/1", 200, {"id": 1, **TASK, "status": "done"}),
)

WATCH = {
    "name": "Field watch",
    "specs": {
        "display": {"size": "31 mm", "type": "LCD", "resolution": "96x96"},
        "sensors": ["GPS", "thermometer", "barometer", "compass"],
        "battery": {"life": "90 days", "charging": "none"},
    },
    "variants": [
        {"color": "green", "stock": 10, "sku": "FW-GRN"},
        {"color": "grey", "stock": 5, "sku": "FW-GRY"},
    ],
    "price": 149.5,
}
NESTED = (
    created("/products", 1, WATCH),
    Step("GET /products/1", 200, {"id": 1, **WATCH}),
    Step("GET /products/1?fields=specs.display.type", 200, {"specs": {"display": {"type": "LCD"}}}),
)

ROOT = {"name": "Ada", "email": "ada@example.com", "role": "admin", "active": True}
USER = {"name": "Ben", "email": "ben@example.com", "role": "user", "active": True}
USERS = (
    created("/users", 1, ROOT),
    created("/users", 2, USER),
    Step("GET /users/1", 200, {"id": 1, **ROOT}),
    Step("GET /users", 200, envelope([{"id": 1, **ROOT}, {"id": 2, **USER}], 2)),
)

MINE, THEIRS = {"name": "Mine", "price": 10}, {"name": "Theirs", "price": 20}
ISOLATION = (
    created("/products", 1, MINE, "one"),
    created("/products", 1, THEIRS, "two"),
    Step("GET /products/1", 200, {"id": 1, **MINE}, session="one"),
    Step("GET /products/1", 200, {"id": 1, **THEIRS}, session="two"),
    Step("GET /products", 200, envelope([{"id": 1, **MINE}], 1), session="one"),
    Step("GET /products", 200, envelope([], 0), session="three"),
)

ROWS = [{"name": f"Row {number}", "index": number} for number in range(1, 6)]
BATCH = (
    *(created("/items", row["index"], row) for row in ROWS if isinstance(row["index"], int)),
    Step(
        "GET /items?limit=10&offset=0",
        200,
        envelope([{"id": row["index"], **row} for row in ROWS], 5, limit=10),
    ),
)

ERRORS = (
    Step("GET /products/99999", 404, ERROR),
    Step("DELETE /products/99999", 404, ERROR),
    Step("PATCH /products/99999", 404, ERROR, {"price": 50}),
    Step("POST /products", 400, ERROR, b"no json at all"),
    Step("GET /products", 200, envelope([], 0)),
)

WORKFLOWS = {
    "members": MEMBERS,
    "credential": CREDENTIAL,
    "blog": BLOG,
    "shop": SHOP,
    "tasks": TASKS,
    "nested": NESTED,
    "users": USERS,
    "isolation": ISOLATION,
    "batch": BATCH,
    "errors": ERRORS,
}


class Sessions:
    """Any number of sessions, by name."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack
        self._open: dict[str, Session] = {}

    def __getitem__(self, name: str) -> Session:
        if name not in self._open:
            place = self._directory / name
            place.mkdir()
            self._open[name] = self._stack.enter_context(closing(Session(place)))
        return self._open[name]


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    """Empty ones."""
    with ExitStack() as stack:
        yield Sessions(tmp_path, stack)


def check(step: Step, reply: Reply) -> None:
    """Status, body and Location are as the step says."""
    assert reply.status == step.status, (step.request, reply)
    assert reply.headers.get("Location") == step.location, step.request
    if step.reply is ERROR:
        assert isinstance(reply.body["error"], str), step.request
        assert reply.body["error"], step.request
    else:
        assert json.dumps(reply.body) == json.dumps(step.reply), step.request


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow(sessions: Sessions, name: str) -> None:
    """Each step in its turn."""
    for step in WORKFLOWS[name]:
        method, target = step.request.split(" ")
        check(step, sessions[step.session].send(method, target, step.sent, step.headers))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_with_a_slash_at_the_end_of_every_path(sessions: Sessions, name: str) -> None:
    """Means the same as without."""
    for step in WORKFLOWS[name]:
        method, target = step.request.split(" ")
        path, mark, query = target.partition("?")
        slashed = f"{path.rstrip('/')}/{mark}{query}"
        check(step, sessions[step.session].send(method, slashed, step.sent, step.headers))


def test_tags_follow_the_record(sessions: Sessions) -> None:
    """Every answer with a record has its tag; a tag changes with the record and only then."""
    session = sessions["one"]
    tags = []
    for step in BLOG[:3]:
        method, target = step.request.split(" ")
        tags.append(session.send(method, target, step.sent).headers["ETag"])
    assert tags[0] == tags[1] != tags[2]
    assert session.send("GET", "/posts/1").headers["ETag"] == tags[2]
