"""What a model wrote when it was asked for a program: foreign text, which runs in a jail and is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from service.planning.planning import BadReply


@dataclass(frozen=True, slots=True)
class Draft:
    """``assessment``: the model's own word on the program; "" when it gave none."""

    code: str
    assessment: str

    @property
    def reply(self) -> str:
        """As the model is reminded of it."""
        return orjson.dumps({"code": self.code, "assessment": self.assessment}).decode()


def draft_of(output: Mapping[str, Any]) -> Draft:
    """From the output of the task generate. BadReply when there is no program in it. Pure."""
    code, assessment = output.get("code"), output.get("assessment")
    assessment = assessment.strip() if isinstance(assessment, str) else ""
    if not isinstance(code, str) or not code.strip():
        raise BadReply("the model's reply has no program in it", assessment)
    return Draft(code, assessment)
