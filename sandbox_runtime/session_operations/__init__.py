"""What is done to a session as a whole, in its own worker: with its database, and one descriptor to read or
write.

describe   what it has and what was learned of it
export     all of it as a tar archive              layout, tar, store/whole
import     from such an archive, or JSON           source, tar, json_reader
fork       a copy of its file
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox_runtime.session_operations.describe import describe
from sandbox_runtime.session_operations.export import export
from sandbox_runtime.session_operations.fork import fork
from sandbox_runtime.session_operations.imports import Counts, import_json, import_tar
from sandbox_runtime.session_operations.source import Source
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import BadQuery, shown

Options = dict[str, object]
Result = dict[str, object]

_FORMATS: Mapping[str, Callable[[SessionDatabase, Source, bool], Counts]] = {
    "tar": import_tar,
    "json": import_json,
}


def operate(database: SessionDatabase, name: str, options: Options, file: int | None) -> Result:
    """Do it, in a transaction of its own. StoreError for all that is wrong with name, options and file; then
    nothing has changed. The result is JSON that orjson can write. ``file`` stays open.

    ``import`` takes the options ``format`` (``tar`` or ``json``) and ``replace`` (false; true drops the
    collections of the same names first).
    """
    operation = _OPERATIONS.get(name)
    if operation is None:
        raise BadQuery(f"there is no operation {shown(name)}; use one of {', '.join(sorted(_OPERATIONS))}")
    function, known = operation
    unknown = sorted(options.keys() - known)
    if unknown:
        raise BadQuery(f"{name} has no option {shown(unknown[0])}; leave it out")
    return function(database, options, file)


def _import(database: SessionDatabase, options: Options, file: int | None) -> Result:
    wanted, replace = options.get("format", "tar"), options.get("replace", False)
    read = _FORMATS.get(wanted) if isinstance(wanted, str) else None
    if read is None:
        raise BadQuery(f"format is {shown(wanted)}; use one of {', '.join(sorted(_FORMATS))}")
    if not isinstance(replace, bool):
        raise BadQuery(f"replace is {shown(replace)}; use true or false")
    counts = read(database, Source(file), replace)
    return {"collections": counts, "records": sum(counts.values())}


_OPERATIONS: Mapping[str, tuple[Callable[[SessionDatabase, Options, int | None], Result], frozenset[str]]] = {
    "describe": (lambda database, _, __: describe(database), frozenset()),
    "export": (lambda database, _, file: export(database, file), frozenset()),
    "import": (_import, frozenset(("format", "replace"))),
    "fork": (lambda database, _, __: fork(database), frozenset()),
}
