"""All that one front has of functions."""

from __future__ import annotations

from dataclasses import dataclass

from service.functions.contracts import Contracts
from service.functions.function_meter import FunctionMeter
from service.functions.modules import Modules
from service.functions.recorder import Recorder
from service.functions.table import FunctionTable
from service.functions.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Functions:
    """``seconds``: how long a call may take, and loading; ``max_code``: bytes of a module."""

    table: FunctionTable
    contracts: Contracts
    uploads: Uploads
    modules: Modules
    meter: FunctionMeter
    recorder: Recorder
    seconds: float
    max_code: int
