"""Plans as a planner writes them, over the collections members and tasks."""

from __future__ import annotations

CREATE = """
    fields = ctx.get("body_json")
    created = store.insert(fields)
    place = f"/{plan['resource']}/{created['id']}"
    REPLY = make_response(201, created, {"Location": place})
"""
GET = """
    found = store.get(ctx["segments"][1])
    if found is None:
        REPLY = make_response(404, {"error": "not found"})
    else:
        REPLY = make_response(200, found)
"""
LIST = """
    asked = ctx["query"]
    limit = min(int(asked.get("limit", "20")), 100)
    offset = max(int(asked.get("offset", "0")), 0)
    items, total = store.list(limit=limit, offset=offset, sort=asked.get("sort"))
    page = {"limit": limit, "offset": offset, "total": total}
    REPLY = make_response(200, {"items": items, "page": page})
"""
SEARCH = """
    filters = {name: value for name, value in ctx["query"].items() if name not in ("limit", "sort")}
    REPLY = make_response(200, store.search(filters))
"""
PUT = """
    if not isinstance(ctx["body_json"], dict):
        REPLY = make_response(400, {"error": "send a JSON object"})
    elif (record := store.replace(ctx["segments"][1], ctx["body_json"])) is None:
        REPLY = make_response(404, {"error": "not found"})
    else:
        REPLY = make_response(200, record)
"""
PATCH = """
    REPLY = make_response(404, {"error": "not found"})
    record = store.update(ctx["segments"][1], ctx["body_json"])
    if record:
        REPLY = make_response(200, record)
"""
DELETE = """
    gone = store.delete(ctx["segments"][1])
    REPLY = make_response(204 if gone else 404, None)
"""
NESTED = """
    parent = store.get(ctx["segments"][1])
    if parent is None:
        REPLY = make_response(404, {"error": "no such parent"})
    else:
        items, total = session_store.collection("tasks").find({"memberId": str(parent["id"])})
        REPLY = make_response(200, {"items": items, "page": {"limit": None, "offset": 0, "total": total}})
"""
STATISTICS = """
    rows = store.search({})
    ages = sorted([row["age"] for row in rows])
    by_tag = {}
    for row in rows:
        for tag in row["tags"]:
            by_tag.setdefault(tag, []).append(row["name"])
    half, odd = divmod(len(ages), 2)
    REPLY = make_response(200, {
        "count": len(rows),
        "mean": round(sum(ages) / len(ages), 1),
        "median": ages[half] if odd else (ages[half - 1] + ages[half]) / 2,
        "worth": sum(row["price"] * 2 for row in rows),
        "names": ", ".join(sorted({row["name"].upper() for row in rows})),
        "by_tag": {tag: names for tag, names in sorted(by_tag.items())},
        "first": next((row["name"] for row in rows if row["age"] > 26), None),
        "all": all(row["age"] > 18 for row in rows), "any": any("c" in row["tags"] for row in rows),
        "shown": [f"{number:03d} {row['name']:<6}{row['price']:>8.2f}" for number, row in enumerate(rows, 1)],
    })
"""
ACTION = """
    match ctx["segments"]:
        case [_, ident, "birthday"]:
            record = store.get(ident)
            if record is None:
                REPLY = make_response(404, {"error": "not found"})
            else:
                REPLY = make_response(200, store.update(ident, {"age": record["age"] + 1}))
        case [_, ident, ("promote" | "demote") as step]:
            REPLY = make_response(501, {"step": step})
        case [_, *rest] if len(rest) > 3:
            REPLY = make_response(400, {"rest": rest})
        case _:
            REPLY = make_response(404, {"error": "no such action"})
"""
BATCH = """
    created, failed = [], []
    for index, row in enumerate(ctx["body_json"]):
        if not isinstance(row, dict) or not str(row.get("name", "")).strip():
            failed.append({"index": index, "error": "name is missing"})
            continue
        row["slug"] = "-".join(row["name"].lower().split())
        row.pop("secret", None)
        created.append({**row, "name": row["name"].strip().title()})
    if failed:
        REPLY = make_response(422, {"errors": failed})
    else:
        REPLY = make_response(201, store.insert_many(created))
"""
CHECK_FIRST = """
    for name in ("name", "age"):
        if name not in ctx["body_json"]:
            REPLY = make_response(422, {"error": f"{name} is missing"})
            break
    else:
        REPLY = make_response(201, store.insert(ctx["body_json"]))
"""
PLAIN_REPLY = """
    REPLY = {"status": 200, "body": session_store.names(), "headers": {}}
"""
ESCAPED = """
    record = store.insert(ctx["body_json"])
    parts = []
    for char in record["id"]:
        if char.isascii() and char.isalnum():
            parts.append(char)
        else:
            parts.extend([f"%{byte:02X}" for byte in bytes(char, "utf-8")])
    ident = "".join(parts)
    REPLY = make_response(201, record, {"Location": "/members/" + ident})
"""
