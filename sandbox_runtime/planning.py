"""What fronts ask of the planner, and what it answers: values that both sides of the wire see.

    front ── ASK {id, task, given, seconds, tokens, …} ──► planner ── HTTPS ──► a provider's model
          ◄─ ANSWER {id, output | failure, calls} ───────────┘
          ── FORGET {id}: the caller has gone ──►

    task       given                                   output
    plan       shape                                   action, resource, block
    generate   query, policy, data (types or null)     code, assessment
    review     code, policy, findings                  assessment, code or null
    improve    module, function, goal, reason,         code, assessment, cases
               signature, calls
    figures    nothing                                 models: what has been called since the planner started

``improve`` is given a function that is served, and recorded calls of it: each has ``arguments`` and
``query``, None where there were none, ``run_ms``, and ``result`` or ``error``, the type of an exception. Each
of ``cases`` has ``arguments``, and ``result`` where the model says what that should be.

JSON objects of their fields, in ``wire`` frames. What a model has written is foreign text: it is judged, and
run in a jail, and nothing of it is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from sandbox_runtime.wire import WireError

Task = Literal["plan", "generate", "review", "improve", "figures"]
TASKS: Final = frozenset(get_args(Task))
# Of the texts in sandbox_runtime/planner/prompts: part of the key of every plan that a model has written. A
# text that is changed has a new number.
PROMPT_VERSIONS: Final[Mapping[str, str]] = {"plan": "1", "generate": "1", "review": "1", "improve": "1"}
PING: Final = b"ping"  # from the supervisor to the planner, which says that it is alive
RETIRE: Final = b"retire"  # the same: another planner has its place
MAX_MESSAGE_BYTES: Final = 4 << 20
MAX_CODE: Final = 256 * 1024  # characters of a program that a model has written
# Why there is no output. What each is over HTTP is in service/errors/kinds.py.
FAILURES: Final = frozenset(
    (
        "planner_not_configured",  # no provider, no key, or its package is not installed
        "llm_bad_reply",  # no usable code in what the model wrote; ``reply`` has it
        "llm_failed",  # status 500 and above
        "llm_host_refused",  # a host outside LARS_SANDBOX_LLM_ALLOWED_HOSTS
        "llm_malformed",  # the answer is not JSON, or not of the provider's form
        "llm_model_unknown",  # status 404
        "llm_overloaded",  # too many calls wait already
        "llm_rate_limited",  # status 429
        "llm_refused",  # the model declined
        "llm_request_budget",  # LARS_LLM_REQUEST_TOKENS would not be enough
        "llm_request_refused",  # status 400, 413, 422 and the like
        "llm_spend_limit",  # the account's money is used up
        "llm_timeout",
        "llm_truncated",  # LARS_LLM_MAX_OUTPUT_TOKENS was reached
        "llm_unauthorized",  # status 401 and 403
        "llm_unavailable",  # it has failed so often that it is not asked for a while
        "llm_unreachable",  # no connection
    )
)


@dataclass(frozen=True, slots=True)
class Repair:
    """The last reply to the same question, and what is wrong with it."""

    reply: str
    problem: str


@dataclass(frozen=True, slots=True)
class Ask:
    """``seconds``: until the answer must be there, whatever it takes. ``tokens``: the most, in and out, that
    all calls for it may use. ``trace``: the W3C traceparent of the request, or "". ``payer``: whose share of
    the places it takes, no provider is told; "" where none is limited."""

    id: int
    task: Task
    given: Mapping[str, Any]
    seconds: float
    tokens: int
    repair: Repair | None = None
    trace: str = ""
    payer: str = ""

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> Ask:
        """From an ASK payload, which only a front writes. WireError."""
        try:
            repair = body["repair"]
            ask = cls(
                int(body["id"]),
                body["task"],
                dict(body["given"]),
                float(body["seconds"]),
                int(body["tokens"]),
                None if repair is None else Repair(str(repair["reply"]), str(repair["problem"])),
                str(body["trace"]),
                str(body["payer"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WireError(f"ASK: {error!r}") from error
        if ask.task not in TASKS:
            raise WireError(f"ASK: task is {ask.task!r:.60}")
        return ask


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request to a provider. ``outcome``: ok, or one of FAILURES. Tokens as the provider counts them,
    estimated where it does not say: ``input_tokens`` with those of them that were ``cached_tokens``, and
    ``output_tokens`` with what the model thought. ``cost``: US dollars, None where price or tokens are not
    known. ``seconds``: until the whole answer was there or given up."""

    provider: str
    model: str
    outcome: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: float | None
    seconds: float

    @property
    def tokens(self) -> int:
        """All that are paid for."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Failure:
    """``code`` is one of FAILURES. ``retry_after``: seconds after which it may be different, or None.
    ``reply``: what the model wrote, for llm_bad_reply."""

    code: str
    detail: str
    retry_after: float | None = None
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Output or failure, and every call that was made for it, in order."""

    id: int
    output: Mapping[str, Any] | None = None
    failure: Failure | None = None
    calls: tuple[ModelCall, ...] = ()

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> Answer:
        """From an ANSWER payload. WireError when it is not of that form."""
        try:
            output, failure = body["output"], body["failure"]
            answer = cls(
                int(body["id"]),
                None if output is None else dict(output),
                None if failure is None else Failure(**failure),
                tuple(ModelCall(**call) for call in body["calls"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WireError(f"ANSWER: {error!r}") from error
        if (answer.output is None) == (answer.failure is None):
            raise WireError("ANSWER: not one of output and failure")
        if answer.failure is not None and answer.failure.code not in FAILURES:
            raise WireError(f"ANSWER: failure is {answer.failure.code!r:.60}")
        return answer


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider as it is configured. ``name``: openai, anthropic, together or mock. ``model``: "" means
    the provider's usual one here. ``base_url``: "" means the SDK's own. ``form``: of an OpenAI-compatible
    server, which knows chat completions alone; responses otherwise. ``key``: the variable that holds its key,
    "" where it needs none."""

    name: str
    model: str = ""
    base_url: str = ""
    form: Literal["responses", "chat"] = "responses"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    output: float
    cached: float


@dataclass(frozen=True, slots=True)
class PlannerConfig:
    """All that the planner is told when it starts, but for the keys.

    ``providers``: the one that is asked, then the one that is asked when it cannot. ``hosts``: those that may
    be connected to, (host, port), port 0 for any of ``ports``. ``ports``: what the kernel lets through, TCP.
    ``timeout``: seconds for one task, however many calls it takes. ``otlp``: where traces go, "" for nowhere.
    ``mock``: package.module.function in the place of a provider, or "". ``debug``: prompts may be logged.
    ``filter``: its seccomp program (struct sock_filter[]), in hexadecimal. ``floor``: the layers of its
    confinement without which it must not serve.
    """

    providers: tuple[Provider, ...]
    hosts: tuple[tuple[str, int], ...]
    ports: tuple[int, ...]
    timeout: float
    max_output: int
    at_once: int
    prices: Mapping[str, Price] = field(default_factory=dict)
    otlp: str = ""
    mock: str = ""
    debug: bool = False
    filter: str = ""
    floor: tuple[str, ...] = ()

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> PlannerConfig:
        """From the supervisor's first message, which is ``orjson.dumps`` of one. WireError."""
        try:
            fields = dict(body)
            fields["providers"] = tuple(Provider(**each) for each in fields["providers"])
            fields["hosts"] = tuple((str(host), int(port)) for host, port in fields["hosts"])
            fields["ports"] = tuple(int(port) for port in fields["ports"])
            fields["floor"] = tuple(map(str, fields["floor"]))
            fields["prices"] = {model: Price(**price) for model, price in fields["prices"].items()}
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise WireError(f"planner config: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Standing:
    """What the planner says of itself when it stands. ``ready``: the names of the providers that can be
    asked. ``why``: a sentence for each that cannot, naming what to set or install. ``layers``: of its own
    confinement, name to "" or why it is not in force."""

    ready: tuple[str, ...]
    why: Mapping[str, str]
    layers: Mapping[str, str]

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> Standing:
        """From its hello. WireError."""
        try:
            return cls(tuple(map(str, body["ready"])), dict(body["why"]), dict(body["layers"]))
        except (KeyError, TypeError, ValueError) as error:
            raise WireError(f"planner hello: {error!r}") from error
