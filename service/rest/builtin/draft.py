"""A plan while it is made: the shape taken apart, the program so far, the headers every answer carries."""

from __future__ import annotations

from collections.abc import Mapping

from service.errors import BadRequest
from service.rest.builtin.query import Query, refuse
from service.rest.builtin.route import Route
from service.rest.builtin.text import NONE, Block, literal, parameter, problem, response, segment
from service.rest.plan import MAX_BLOCK, Plan
from service.rest.shape import Shape

MAX_NOTICES = 10
_MAX_SHOWN = 120
# json-server's answers are never kept; any page may read them, and none with the reader's credentials.
_JSON_SERVER = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}


class Draft:
    """One plan in the making. ``applied``: the preferences that the action honours when they are sent.

    ``notices``: what is to be said in Warning. ``always``: headers of all answers, as sources; ``more``: the
    variable with those that only the data can tell, "" while there is none."""

    def __init__(self, shape: Shape, route: Route, query: Query, applied: tuple[str, ...]) -> None:
        self.shape = shape
        self.route = route
        self.query = query
        self.block = Block()
        honoured = (*applied, "handling=strict", "handling=lenient", f"dialect={shape.dialect}")
        self._applied = [token for token in shape.prefer if token in honoured]
        self.notices = self._notices()
        self.always = self._headers()
        self.more = ""

    def _notices(self) -> list[str]:
        """BadRequest for unknown parameters under handling=strict."""
        if self.query.unknown and self.prefers("handling=strict"):
            raise refuse(self.query.unknown)
        return notices(self.query)

    def _headers(self) -> dict[str, str]:
        found = dict(_JSON_SERVER) if self.shape.dialect == "json-server" else {}
        if self.notices:
            found["Warning"] = warning(self.notices)
        if self._applied:
            found["Preference-Applied"] = ", ".join(self._applied)
        return {name: literal(value) for name, value in found.items()}

    def prefers(self, token: str) -> bool:
        """Whether the client sent this preference."""
        return token in self.shape.prefer

    def reply(self, status: int, body: str = NONE, headers: Mapping[str, str] | None = None) -> str:
        """The statement for an answer that is no problem; headers as sources of their values."""
        found = {**(headers or {}), **self.always}
        return response(status, body, found, self.more)

    def written(self, tag: str) -> dict[str, str]:
        """The header with the tag of what was written; a dry run has none, for its tag will be another's."""
        return {} if self.prefers("tx=rollback") else {"ETag": tag}

    def failure(self, status: int, code: str, detail: str) -> str:
        """The statement for a problem."""
        return self.reply(status, problem(status, code, detail))

    def finish(
        self, action: str, last: str, *, write: bool, hints: Mapping[str, object] | None = None
    ) -> Plan:
        """The plan; ``last`` is the program's last statement. ``hints``: more of them."""
        self.block.add(last)
        text = self.block.text()
        if len(text) > MAX_BLOCK:
            raise BadRequest(
                f"the names in path and query make a plan of {len(text)} bytes, the limit is {MAX_BLOCK}; "
                "send fewer or shorter ones"
            )
        rollback = write and self.prefers("tx=rollback")
        obey: dict[str, object] = {"transaction": "rollback" if rollback else "write" if write else "read"}
        obey |= hints or {}
        if self.shape.method == "HEAD":
            obey["body"] = False
        return Plan(
            action=action,
            resource=self.route.resource,
            block=text,
            identifier=f"segments[{self.route.at}]" if self.route.at >= 0 else None,
            criteria={name: f"query.{name}" for name in self.query.filters},
            payload=None if self.shape.body == "none" else "body_json",
            response_hints=obey,
        )

    @property
    def ident(self) -> str:
        """Source of the id in the path."""
        return segment(self.route.at)

    def texts(self, name: str) -> str:
        """Source of a control's comma list as a list of different texts, repeated or not."""
        value = parameter(name)
        joined = f'",".join({value})' if name in self.query.repeated else value
        return f'list(dict.fromkeys({joined}.split(",")))'


def notices(query: Query) -> list[str]:
    """What is to be said of parameters that are not applied, or may have been meant otherwise."""
    said = [f"{plain(each.name)} is not known here and was ignored" for each in query.unknown]
    said += [f"{plain(each.name)}: {plain(each.remedy)}" for each in query.doubtful]
    rest = len(said) - MAX_NOTICES
    return said if rest <= 0 else [*said[:MAX_NOTICES], f"and {rest} more"]


def warning(said: list[str]) -> str:
    """The header's value (RFC 7234 section 5.5)."""
    return f'299 - "{"; ".join(said)}"'


def plain(text: str) -> str:
    """``text`` inside a quoted string of a header: printable ASCII without quotes."""
    kept = (char if char.isascii() and char.isprintable() and char not in '"\\' else "?" for char in text)
    short = "".join(kept)
    return short if len(short) <= _MAX_SHOWN else short[:_MAX_SHOWN] + "..."
