"""Develop and test: a model writes candidates, one after the other, until the evidence admits one.

What a candidate was refused for goes into the next question, but nothing of the calls that are held back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox_runtime.planning import Repair
from service.errors import PlannerFailed
from service.functions.recorded_call import RecordedCall
from service.functions.sources import Source, digest_of
from service.functions.values import Function
from service.improvement.cycle.logbook import Logbook
from service.improvement.cycle.searching import Target
from service.improvement.cycle.workshop import Workshop
from service.improvement.difference import difference
from service.improvement.runs.values import Chosen
from service.improvement.trial.examiner import Rewrite
from service.improvement.trial.values import Case, Evidence
from service.planning.planning import BadReply, Question
from service.pool.job import Spent

_DIFF_SECONDS = 5.0
_NO_TOKENS = "llm_request_budget"
_HOPELESS = frozenset(("too_few_calls", "unrepeatable"))  # whatever a candidate says
_SAME = "it is the module as it is; write one that is better"
_AGAIN = "it is what was refused before; write another"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a model has written."""

    code: str
    assessment: str
    cases: tuple[Case, ...]

    @property
    def digest(self) -> str:
        """Of its text."""
        return digest_of(self.code.encode())

    @property
    def reply(self) -> str:
        """As the model is reminded of it."""
        return orjson.dumps({"code": self.code, "assessment": self.assessment}).decode()


class Development:
    """For one run, which has a target."""

    def __init__(self, workshop: Workshop, logbook: Logbook, target: Target) -> None:
        self._workshop = workshop
        self._logbook = logbook
        self._target = target
        self._function = target.ranked.function
        self._refused: set[str] = set()  # digests
        self._latest: Evidence | None = None

    async def go(self) -> Chosen | None:
        """The candidate that is admitted; None when none is, and the run says so. PlannerFailed,
        RateLimited."""
        live = await self._live()
        repair: Repair | None = None
        for number in range(1, self._logbook.run.order.max_candidates + 1):
            try:
                draft = await self._write(number, live, repair)
            except PlannerFailed as error:
                if self._latest is None or error.code != _NO_TOKENS:
                    raise
                break  # what was tried decides
            if isinstance(draft, Repair):
                repair = draft
                continue
            evidence = self._latest = await self._test(number, draft)
            if evidence.verdict == "admitted":
                return _chosen(number, draft, evidence, self._function)
            if evidence.verdict in _HOPELESS:
                break
            repair = self._refuse(draft, evidence)
        await self._give_up()
        return None

    def _refuse(self, draft: Draft, evidence: Evidence) -> Repair:
        self._refused.add(draft.digest)
        return Repair(draft.reply, evidence.problem or evidence.reason)

    async def _give_up(self) -> None:
        reason = "the model wrote nothing of use" if self._latest is None else self._latest.reason
        await self._logbook.step("end", "refused", {"reason": reason}, status="refused", reason=reason)

    async def _live(self) -> str:
        modules, function = self._workshop.functions.modules, self._function
        return (await modules.module(function.digest, function.spec.module)).text

    async def _write(self, number: int, live: str, repair: Repair | None) -> Draft | Repair:
        """A candidate, or what to say of a reply that is none."""
        question = Question("improve", given_for(self._target, live), repair=repair)
        try:
            draft = draft_of(await self._workshop.planning.ask(self._logbook.asker, question))
        except BadReply as error:
            why = {"candidate": number, "reason": error.detail}
            await self._logbook.step("develop", "bad_reply", why, {"reply": error.reply})
            return Repair(error.reply, error.detail)
        deadline = time.monotonic() + _DIFF_SECONDS
        summary = {"candidate": number, "digest": draft.digest, "tokens": self._logbook.asker.tokens}
        more = {
            "assessment": draft.assessment,
            "code": draft.code,
            "diff": await difference(self._workshop.pool, live, draft.code, deadline),
            "cases": len(draft.cases),
        }
        await self._logbook.step("develop", "written", summary, more)
        return draft

    async def _test(self, number: int, draft: Draft) -> Evidence:
        evidence = self._known(draft) or await self._examined(draft)
        summary = {"candidate": number, "digest": draft.digest, "verdict": evidence.verdict}
        outcome = "admitted" if evidence.verdict == "admitted" else "refused"
        more = {"reason": evidence.reason, **evidence.facts}
        await self._logbook.step("test", outcome, summary, more)
        return evidence

    def _known(self, draft: Draft) -> Evidence | None:
        """Of a text that need not be run."""
        if draft.digest == self._function.digest:
            return Evidence("no_gain", _SAME, _SAME)
        if draft.digest in self._refused:
            return Evidence("no_gain", _AGAIN, _AGAIN)
        return None

    async def _examined(self, draft: Draft) -> Evidence:
        source = Source(draft.digest, draft.code)
        rewrite = Rewrite(self._function, source, self._target.samples, draft.cases, self._target.ranked.goal)
        return await self._workshop.examiner.examine(rewrite, Spent())


def _chosen(number: int, draft: Draft, evidence: Evidence, live: Function) -> Chosen:
    return Chosen(number, draft.digest, draft.code, evidence.signature, live.digest, evidence.mended)


def draft_of(output: Mapping[str, Any]) -> Draft:
    """From the output of the task improve. Pure."""
    cases = tuple(
        Case(
            orjson.dumps(case["arguments"]),
            orjson.dumps(case["result"]) if "result" in case else None,
        )
        for case in output.get("cases", ())
    )
    return Draft(str(output.get("code", "")), str(output.get("assessment", "")), cases)


def given_for(target: Target, live: str) -> dict[str, Any]:
    """What the model is told. Pure."""
    function = target.ranked.function
    signature = orjson.loads(function.signature)
    return {
        "module": live,
        "function": function.spec.name,
        "goal": target.ranked.goal,
        "reason": target.ranked.reason,
        "signature": {name: signature.get(name) for name in ("parameters", "returns")},
        "calls": list(_shown(target.samples.shown)),
    }


def _shown(calls: Iterable[RecordedCall]) -> Iterator[dict[str, Any]]:
    """As JSON that the planner reads without loss; a call that cannot be told so is left out."""
    for call in calls:
        try:
            told = {
                "arguments": None if call.body is None else json.loads(call.body),
                "query": call.query,
                **({"error": call.error} if call.value is None else {"result": json.loads(call.value)}),
                "run_ms": round(call.run * 1000, 3),
            }
            orjson.dumps(told)
        except (ValueError, TypeError, RecursionError):  # nested too deep; or integers beyond 64 bits
            continue
        yield told
