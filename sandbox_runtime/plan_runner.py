"""Runs plans on a session's data: one call, one transaction, one reply.

A plan comes judged under the policy ``plan`` and runs with the five names of its contract (``ctx``, ``plan``,
``store``, ``session_store``, ``make_response``) and that policy's builtins. It is committed before its reply
leaves, and rolled back when it fails, answers with a status of 400 or above, or was asked for a dry run.
"""

from __future__ import annotations

import json
import time
import types
from dataclasses import replace

from sandbox_runtime import policy
from sandbox_runtime.call import MAX_HEADER_BYTES, MAX_HEADERS, Binding, Call, Replay, Reply, Trouble
from sandbox_runtime.result import encode_result, type_name
from sandbox_runtime.session_file import SessionFile
from sandbox_runtime.store.errors import SessionGone, StoreError
from sandbox_runtime.store.session_store import SessionStore

_FILE = "<plan>"
_REPLY = frozenset(("status", "body", "headers"))
_LONGEST = 500


class _Failed(Exception):
    """The plan gave no answer; the text is the detail."""


class PlanRunner:
    """Runs the calls of one session; each plan is compiled once."""

    def __init__(self, file: SessionFile, binding: Binding) -> None:
        self._file = file
        self._max_result = binding.max_result
        self._compiled: dict[str, types.CodeType] = {}
        self._texts: dict[str, str] = {}  # of plans that were sent and not compiled yet
        self._out_of_memory = False

    def answer(self, call: Call) -> tuple[bytes | None, Reply]:
        """Body as JSON text, and reply. The transaction is over when this returns."""
        began = time.monotonic()
        last = False
        if call.block is not None:
            # It is sent once, and this call may end before its plan runs: as a replay, or for a busy file.
            self._texts[call.plan_id] = call.block
        try:
            body, reply = self._in_transaction(call)
        except SessionGone as error:
            body, reply, last = None, _refusal(error), True
        except StoreError as error:
            body, reply = None, _refusal(error)
        except _Failed as error:
            body, reply = None, Reply(502, trouble=Trouble("plan_failed", str(error)))
        return body, replace(reply, run=time.monotonic() - began, last=last or self._out_of_memory)

    def _in_transaction(self, call: Call) -> tuple[bytes | None, Reply]:
        database = self._file.open(call.write)
        database.begin(write=call.write)
        try:
            if call.replay is not None:
                kept = database.replays.find(call.replay.key)
                if kept is not None:
                    return _replayed(kept, call.replay)
            body, reply = self._run(call, database.session_store)
            if reply.status < 400 and not call.dry_run:
                if call.replay is not None:
                    database.replays.keep(call.replay, reply.status, reply.headers, body)
                database.commit(maintain=False)
        finally:
            database.rollback()  # of nothing, after a commit
        return body, reply

    def _run(self, call: Call, sessions: SessionStore) -> tuple[bytes | None, Reply]:
        resource = str(call.plan["resource"])
        namespace: dict[str, object] = {
            "__builtins__": policy.plan_builtins(),
            "ctx": {**call.ctx, "body_json": None if call.body is None else json.loads(call.body)},
            "plan": call.plan,
            "store": sessions.collection(resource) if resource else None,
            "session_store": sessions,
            "make_response": make_response,
        }
        code = self._code(call)
        try:
            exec(code, namespace)  # noqa: S102 - a plan, judged, in the jail
        except StoreError:
            raise
        except Exception as error:  # a plan may raise anything; it is raised again as its failure
            self._out_of_memory = isinstance(error, MemoryError)
            raise _Failed(f"the plan raised {type_name(error)}: {error}"[:_LONGEST]) from error
        return self._checked(namespace.get("REPLY"))

    def _code(self, call: Call) -> types.CodeType:
        code = self._compiled.get(call.plan_id)
        if code is None:
            text = self._texts.get(call.plan_id)
            if text is None:
                raise _Failed("the plan's text was never sent")
            code = self._compiled[call.plan_id] = compile(text, _FILE, "exec", dont_inherit=True)
            del self._texts[call.plan_id]
        return code

    def _checked(self, value: object) -> tuple[bytes | None, Reply]:
        if not isinstance(value, dict) or value.keys() != _REPLY:
            raise _Failed("the plan did not set REPLY to what make_response returns")
        status = value["status"]
        if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
            raise _Failed(f"REPLY has the status {status!r:.40}, expected 200 to 599")
        headers = _headers(value["headers"])
        if value["body"] is None:
            return None, Reply(status, headers)
        encoded = encode_result(value["body"], self._max_result)
        if encoded.text is None:
            raise _Failed(f"REPLY has a body that cannot be sent: {encoded.reason}"[:_LONGEST])
        return encoded.text, Reply(status, headers)


def make_response(
    status: int, body: object = None, headers: dict[str, str] | None = None
) -> dict[str, object]:
    """What a plan assigns to REPLY."""
    return {"status": status, "body": body, "headers": headers or {}}


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_HEADERS:
        raise _Failed(f"REPLY has headers that are no object of at most {MAX_HEADERS}")
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise _Failed("REPLY has headers that are no texts")
        if len(name) + len(text) > MAX_HEADER_BYTES:
            raise _Failed(f"REPLY has the header {name[:40]!r} of more than {MAX_HEADER_BYTES} characters")
    return value


def _refusal(error: StoreError) -> Reply:
    return Reply(error.status, trouble=Trouble(error.code, error.detail, error.extra))


def _replayed(
    kept: tuple[str, int, dict[str, str], bytes | None], wanted: Replay
) -> tuple[bytes | None, Reply]:
    fingerprint, status, headers, body = kept
    if fingerprint != wanted.fingerprint:
        detail = "this Idempotency-Key was used for another request; send a new key with a new request"
        return None, Reply(422, trouble=Trouble("idempotency_key_reused", detail))
    return body, Reply(status, {**headers, "Idempotency-Replayed": "true"})
