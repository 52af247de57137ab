"""One request looked at from all sides: its key, its plan, what judge and proof say of it, what it answers on
the records of a proof. Nothing is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sandbox_runtime.call import PLAN_VERSION
from service.errors import LarsError, PlannerRequired, kind_of
from service.planning.asker import Asker
from service.planning.planning import Planning
from service.rest.builtin import BuiltinPlanner
from service.rest.lookup import beyond_rules
from service.rest.model.llm_planner import LlmPlanner
from service.rest.model.shapes import deep_shape, model_versions
from service.rest.plan import NotExpressible, Plan
from service.rest.proof.observed import Observed
from service.rest.proof.prover import Prover
from service.rest.proof.samples import Sample, samples_of
from service.rest.shape import Shape, shape_of
from service.settings import Settings
from service.state import ServiceState

_BUILTIN = BuiltinPlanner()
_VERSIONS = (("planner", _BUILTIN.version), ("policy", PLAN_VERSION))


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``refusal``: why there is no plan, None where there is one. ``agreement``: with the
    built-in planner's plan, in words. ``reply``: to the request itself, None where nothing ran."""

    key: str
    planner: str
    plan: Plan | None = None
    refusal: LarsError | None = None
    agreement: str = ""
    samples: int = 0
    reply: Observed | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        refusal, reply = self.refusal, self.reply
        return {
            "key": self.key,
            "planner": self.planner,
            "verdict": "allowed" if refusal is None else "refused",
            "refusal": None if refusal is None else _refusal(refusal),
            "proof": None if refusal is not None else {"samples": self.samples, "agreement": self.agreement},
            "plan": None if self.plan is None else self.plan.as_json(),
            "reply": None
            if reply is None
            else {"status": reply.status, "headers": reply.headers, "body": reply.body, "fault": reply.fault},
        }

    def as_text(self) -> str:
        """The same for people."""
        lines = [f"key      {self.key}", f"planner  {self.planner}"]
        if self.refusal is not None:
            return "\n".join([*lines, f"verdict  refused: {self.refusal.detail}"])
        lines += [
            "verdict  allowed",
            f"proof    {self.samples} sample requests without a fault; {self.agreement}",
        ]
        if self.plan is not None:
            lines += _plan_lines(self.plan)
        return "\n".join([*lines, *_reply_lines(self.reply)])


class Examiner:
    """Over the state of a front that serves nobody."""

    def __init__(self, state: ServiceState) -> None:
        self.settings: Settings = state.settings
        self._plans = state.plans
        self._prover = Prover(state.sessions.workers, state.settings)

    async def by_rules(self, sample: Sample) -> Report:
        """With the built-in planner."""
        shape = shape_of(sample.context, _VERSIONS, _BUILTIN.body_depth)
        key = shape.key()
        try:
            plan = _BUILTIN.plan(shape)
            await self._plans.judge(plan.block, None, ())
            await self._prover.prove(shape, plan, None)
        except NotExpressible as error:
            refusal = PlannerRequired(str(error), missing=error.missing)
            return Report(key, _BUILTIN.version, refusal=refusal)
        except LarsError as error:
            return Report(key, _BUILTIN.version, refusal=error)
        return await self._tried(Report(key, _BUILTIN.version, plan, agreement="by rules"), shape, sample)

    async def by_model(self, sample: Sample, planning: Planning) -> Report:
        """With a model, which has to agree with the built-in planner where there is a rule."""
        versions = model_versions(self.settings)
        shape = shape_of(sample.context, versions, _BUILTIN.body_depth)
        asker = Asker("command line")
        try:
            rival, beyond = _rival(shape)
            if beyond is not None:
                shown = beyond_rules(shape, beyond).query
                if shown is None:
                    refusal = PlannerRequired(str(beyond), missing=beyond.missing)
                    return Report(shape.key(), "llm", refusal=refusal)
                shape = deep_shape(sample.context, versions, shown)
            writer = LlmPlanner(planning, self._plans, self._prover, self.settings.llm_timeout)
            plan = await writer.make(shape, asker, rival)
        except LarsError as error:
            return Report(shape.key(), _writer(asker), refusal=error)
        agreement = "it does what the built-in planner's does"
        if beyond is not None:
            agreement = f"the built-in planner has no rule for {beyond.missing}"
        return await self._tried(Report(shape.key(), _writer(asker), plan, None, agreement), shape, sample)

    async def _tried(self, report: Report, shape: Shape, sample: Sample) -> Report:
        if report.plan is None:
            return report
        reply = await self._prover.try_one(shape, report.plan, sample)
        count = len(samples_of(shape))
        return Report(report.key, report.planner, report.plan, None, report.agreement, count, reply)


def _rival(shape: Shape) -> tuple[Plan | None, NotExpressible | None]:
    """The built-in planner's plan, or why it has none."""
    try:
        return _BUILTIN.plan(shape), None
    except NotExpressible as error:
        return None, error


def _writer(asker: Asker) -> str:
    """Who was asked last."""
    return f"{asker.calls[-1].provider}/{asker.calls[-1].model}" if asker.calls else "llm"


def _refusal(error: LarsError) -> dict[str, Any]:
    return {"code": kind_of(error).code, "detail": error.detail, **error.extra}


def _plan_lines(plan: Plan) -> list[str]:
    hints = ", ".join(f"{name}={value}" for name, value in plan.response_hints.items())
    head = [f"action   {plan.action}", f"resource {plan.resource or '-'}", f"hints    {hints}", "program"]
    return [*head, *(f"    {line}" for line in plan.block.splitlines())]


def _reply_lines(reply: Observed | None) -> list[str]:
    if reply is None:
        return []
    if reply.fault:
        return [f"reply    {reply.status}: {reply.fault}"]
    code = f" {reply.code}" if reply.code else ""
    lines = [f"reply    {reply.status}{code}; undone", *(f"    {n}: {v}" for n, v in reply.headers.items())]
    if reply.body is None:
        return lines
    body = json.dumps(reply.body, ensure_ascii=False, indent=2)
    return [*lines, *(f"    {line}" for line in body.splitlines())]
