"""A session's worker: it is given one session's directory, and serves it until its front lets go.

    (idle) ──► BIND + directory ──► root = directory, sealed ──► CALL ──► transaction, plan, REPLY ──► CALL …

One call is one transaction over all collections of the session (``plan_runner``). Between calls the front may
ask for an operation on the session as a whole, with a file of its own to read or write.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NoReturn

import orjson

from sandbox_runtime import job_channel, sealing, wire
from sandbox_runtime.call import END, Binding, Call, Operation, Replay, Reply, Trouble, largest_file
from sandbox_runtime.jail import JailError, Step
from sandbox_runtime.plan_runner import PlanRunner
from sandbox_runtime.session_file import SessionFile
from sandbox_runtime.session_operations import operate
from sandbox_runtime.store.errors import SessionGone, StoreError

_MAKING = (END, "import")  # operations for which a file is made where there is none


def serve(confine: Iterable[Step]) -> NoReturn:
    """Bind, then answer for ever; the front's end of file ends it."""
    _, payload, directory = job_channel.receive_any((wire.Kind.BIND,))
    binding = Binding(**orjson.loads(payload))
    try:
        sealing.enter(directory, confine)
        sealing.limit_memory(binding.memory)
        sealing.limit_files(largest_file(binding.quota))
    except (JailError, OSError) as error:
        _answer(None, Reply(503, trouble=Trouble("session_unusable", str(error)), last=True))
        os._exit(1)
    file = SessionFile(binding)
    runner = PlanRunner(file, binding)
    while True:
        kind, payload, descriptor = job_channel.receive_any((wire.Kind.CALL, wire.Kind.OPERATE))
        body = orjson.loads(payload)
        if kind is wire.Kind.CALL:
            _answer(*runner.answer(_call(body)))
            file.maintain()
        else:
            _answer(*_operate(file, Operation(**body), descriptor))


def _call(body: dict[str, object]) -> Call:
    replay = body.pop("replay")
    return Call(**body, replay=Replay(**replay) if isinstance(replay, dict) else None)  # type: ignore[arg-type]


def _operate(file: SessionFile, operation: Operation, descriptor: int | None) -> tuple[bytes | None, Reply]:
    try:
        database = file.open(write=operation.name in _MAKING)
        if operation.name == END:
            # Before the directory goes: whoever has the file open learns of it with the next transaction.
            database.end()
            return None, Reply(200, last=True)
        result = operate(database, operation.name, operation.options, descriptor)
    except StoreError as error:
        gone = isinstance(error, SessionGone)
        return None, Reply(error.status, trouble=Trouble(error.code, error.detail, error.extra), last=gone)
    except MemoryError:
        detail = "one record or one name does not fit into the memory of a session's worker (LARS_MEMORY)"
        return None, Reply(422, trouble=Trouble("bad_record", detail), last=True)
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return orjson.dumps(result), Reply(200)


def _answer(body: bytes | None, reply: Reply) -> None:
    message = wire.encode_json(wire.Kind.REPLY, reply)
    job_channel.send(message if body is None else wire.encode(wire.Kind.BODY, body) + message)
