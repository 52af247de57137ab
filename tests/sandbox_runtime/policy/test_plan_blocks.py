"""Plans as a planner writes them: ``plan`` admits them, and on a real store they answer what they should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest

from sandbox_runtime.policy import Allowed, judge
from sandbox_runtime.store.database import SessionDatabase
from tests.sandbox_runtime.policy.plan_blocks import (
    ACTION,
    BATCH,
    CHECK_FIRST,
    CREATE,
    DELETE,
    ESCAPED,
    GET,
    LIST,
    NESTED,
    PATCH,
    PLAIN_REPLY,
    PUT,
    SEARCH,
    STATISTICS,
)
from tests.sandbox_runtime.policy.policy_cases import CAP, PLAN, run_plan

MEMBERS = [
    {"id": 1, "name": "Alice", "age": 30, "tags": ["a", "b"], "price": 2.5},
    {"id": 2, "name": "Bob", "age": 25, "tags": [], "price": 1},
    {"id": 3, "name": "Carol", "age": 35, "tags": ["b"], "price": 4},
]
TASKS = [{"id": 1, "title": "Write", "memberId": 1}, {"id": 2, "title": "Read", "memberId": 2}]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SessionDatabase]:
    opened = SessionDatabase(str(tmp_path / "data.db"), full_sync=False)
    opened.begin(write=True)
    opened.session_store.collection("members").insert_many(MEMBERS)
    opened.session_store.collection("tasks").insert_many(TASKS)
    yield opened
    opened.rollback()
    opened.close()


class Asked(NamedTuple):
    """A request, as far as these plans look at it."""

    segments: list[str]
    query: dict[str, str]
    body: object


def answer(database: SessionDatabase, block: str, asked: Asked) -> Any:
    resource = asked.segments[0]
    ctx = {
        "method": "GET",
        "path": "/" + "/".join(asked.segments),
        "segments": asked.segments,
        "query": asked.query,
        "headers": {"content-type": "application/json"},
        "body_json": asked.body,
        "client": {"ip": "127.0.0.1"},
        "session": {"id": "s", "token": None},
    }
    return run_plan(
        block,
        ctx,
        plan={"resource": resource},
        store=database.session_store.collection(resource),
        session_store=database.session_store,
    )


@pytest.mark.parametrize(
    ("block", "asked", "status", "reply"),
    [
        pytest.param(
            CREATE, Asked(["members"], {}, {"name": "Dan"}), 201, {"id": 4, "name": "Dan"}, id="create"
        ),
        pytest.param(GET, Asked(["tasks", "1"], {}, None), 200, TASKS[0], id="get"),
        pytest.param(GET, Asked(["tasks", "9"], {}, None), 404, {"error": "not found"}, id="get: none"),
        pytest.param(
            LIST,
            Asked(["tasks"], {"limit": "1", "offset": "1", "sort": "-id"}, None),
            200,
            {"items": [TASKS[0]], "page": {"limit": 1, "offset": 1, "total": 2}},
            id="list",
        ),
        pytest.param(
            SEARCH, Asked(["tasks"], {"title__contains": "Wri"}, None), 200, [TASKS[0]], id="search"
        ),
        pytest.param(PUT, Asked(["tasks", "2"], {}, {"title": "x"}), 200, {"id": 2, "title": "x"}, id="put"),
        pytest.param(
            PUT, Asked(["tasks", "2"], {}, []), 400, {"error": "send a JSON object"}, id="put: no object"
        ),
        pytest.param(
            PATCH, Asked(["tasks", "1"], {}, {"title": "x"}), 200, {**TASKS[0], "title": "x"}, id="patch"
        ),
        pytest.param(DELETE, Asked(["tasks", "1"], {}, None), 204, None, id="delete"),
        pytest.param(
            NESTED,
            Asked(["members", "2", "tasks"], {}, None),
            200,
            {"items": [TASKS[1]], "page": {"limit": None, "offset": 0, "total": 1}},
            id="nested",
        ),
        pytest.param(
            STATISTICS,
            Asked(["members"], {}, None),
            200,
            {
                "count": 3,
                "mean": 30.0,
                "median": 30,
                "worth": 15.0,
                "names": "ALICE, BOB, CAROL",
                "by_tag": {"a": ["Alice"], "b": ["Alice", "Carol"]},
                "first": "Alice",
                "all": True,
                "any": False,
                "shown": ["001 Alice     2.50", "002 Bob       1.00", "003 Carol     4.00"],
            },
            id="statistics",
        ),
        pytest.param(
            ACTION, Asked(["members", "2", "birthday"], {}, None), 200, {**MEMBERS[1], "age": 26}, id="action"
        ),
        pytest.param(
            ACTION, Asked(["members", "2", "demote"], {}, None), 501, {"step": "demote"}, id="alternatives"
        ),
        pytest.param(
            BATCH,
            Asked(["members"], {}, [{"name": "dan  the man", "secret": 1}]),
            201,
            [{"id": 4, "name": "Dan  The Man", "slug": "dan-the-man"}],
            id="batch",
        ),
        pytest.param(
            BATCH,
            Asked(["members"], {}, [{"name": "x"}, 5, {"name": " "}]),
            422,
            {"errors": [{"index": 1, "error": "name is missing"}, {"index": 2, "error": "name is missing"}]},
            id="batch: refused",
        ),
        pytest.param(
            CHECK_FIRST,
            Asked(["members"], {}, {"name": "x"}),
            422,
            {"error": "age is missing"},
            id="loop with else",
        ),
        pytest.param(
            PLAIN_REPLY, Asked(["members"], {}, None), 200, ["members", "tasks"], id="reply without helper"
        ),
        pytest.param(ESCAPED, Asked(["members"], {}, {"id": "a é"}), 201, {"id": "a é"}, id="escaped"),
    ],
)
def test_plan_answers(
    block: str, asked: Asked, status: int, reply: object, database: SessionDatabase
) -> None:
    found = answer(database, block, asked)
    assert (found["status"], found["body"]) == (status, reply)


def test_headers_are_the_plans_own(database: SessionDatabase) -> None:
    assert answer(database, CREATE, Asked(["members"], {}, {}))["headers"] == {"Location": "/members/4"}
    located = answer(database, ESCAPED, Asked(["members"], {}, {"id": "a é"}))["headers"]
    assert located == {"Location": "/members/a%20%C3%A9"}


def test_every_method_of_the_store_is_within_reach(database: SessionDatabase) -> None:
    block = """
        a = store.insert({"name": "x"})
        b = store.insert_many([{"name": "y"}, {"name": "y"}])
        c = store.replace(a["id"], {"name": "z"}), store.update("4", {"n": 1}, if_match=store.etag(4))
        d = store.merge_patch(4, {"n": None}), store.json_patch(4, [{"op": "add", "path": "/m", "value": 2}])
        e = store.find({"name": "y"}, sort="-id", limit=1, offset=0, fields="id"), store.list(limit=1)[1]
        f = store.update_where({"name": "y"}, {"name": "w"}, max_affected=2), store.count({"name": "w"})
        g = store.delete_where({"name": "w"}, max_affected=2), store.delete(4, cascade=True)
        h = [row["tasks"] for row in store.embed(store.search({"id": "1"}), "tasks")]
        tasks = session_store.collection("tasks")
        i = [row["member"]["name"] for row in tasks.expand(tasks.search({"id": "2"}), "member")]
        j = store.collection_etag() is None, session_store.exists("tasks"), session_store.drop("tasks")
        REPLY = c[1], d, e, f[1], g, h, i, j, session_store.names()
    """
    assert answer(database, block, Asked(["members"], {}, None)) == (
        {"id": 4, "name": "z", "n": 1},
        ({"id": 4, "name": "z"}, {"id": 4, "name": "z", "m": 2}),
        (([{"id": 6}], 2), 6),
        2,
        (2, True),
        [[TASKS[0]]],
        ["Bob"],
        (False, True, True),
        ["members"],
    )


@pytest.mark.parametrize("block", [CREATE, GET, LIST, SEARCH, PUT, PATCH, DELETE, NESTED, BATCH])
def test_plans_of_a_shape_hold_no_values_of_its_requests(block: str) -> None:
    values = {
        "segments": ["members", "17", "tasks", "name is present"],
        "query": {"limit": "25", "offset": "50", "sort": "age", "title__contains": "Wri"},
        "body": {"name": "Dan", "age": 41, "tags": ["x", 3]},
    }
    verdict = judge(
        dedent(block), PLAN, max_bytes=CAP, values=values, vocabulary={"members", "tasks", "name", "age"}
    )
    assert isinstance(verdict, Allowed)
