"""Examples for the part of the OpenAPI document that is about programs: what is sent, and what comes back."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

EXECUTE: Final[Json] = {
    "code": "print('Hello, world!')",
    "timeout": 10,
    "memory_limit": "100m",
    "cpu_limit": 0.5,
    "validate_code": True,
}
GENERATE: Final[Json] = {
    "query": "Calculate the first 10 prime numbers",
    "timeout": 15,
    "memory_limit": "200m",
    "cpu_limit": 0.5,
}
_PRIMES: Final = (
    "primes = []\n"
    "n = 2\n"
    "while len(primes) < 10:\n"
    "    if all(n % prime for prime in primes):\n"
    "        primes.append(n)\n"
    "    n += 1\n"
    "print(f'First 10 prime numbers: {primes}')\n"
)
_RAN: Final[Json] = {
    "success": True,
    "result": None,
    "stderr": "",
    "exit_code": 0,
    "error": None,
    "exception": None,
    "verdict": "ok",
    "detail": None,
    "truncated": {},
    "result_repr": None,
    "warnings": [],
    "usage": {"wall": 0.004, "cpu": 0.003, "memory_peak": 18_669_568},
    "timing": {"queue": 0.0001, "bind": 0.001, "run": 0.002, "collect": 0.0002},
}
EXECUTED: Final[Json] = {
    **_RAN,
    "stdout": "Hello, world!\n",
    "execution_time": 0.002,
    "original_code": EXECUTE["code"],
    "executed_code": EXECUTE["code"],
    "validation_result": "Code is safe to execute. No model reviewed it: no language model is configured.",
}
GENERATED: Final[Json] = {
    "query": GENERATE["query"],
    "generated_code": _PRIMES,
    **_RAN,
    "stdout": "First 10 prime numbers: [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]\n",
    "execution_time": 0.002,
    "original_code": _PRIMES,
    "executed_code": _PRIMES,
    "validation_result": "It divides each number by the primes before it; it reads and writes nothing.",
    "model": {
        "provider": "openai",
        "model": "gpt-5.4-mini",
        "calls": 1,
        "input_tokens": 512,
        "output_tokens": 96,
        "cached_tokens": 0,
        "cost_usd": None,
        "repairs": 0,
    },
}
NOT_CONFIGURED: Final[Json] = {
    "type": "urn:lars:error:planner_not_configured",
    "title": "No planner is configured",
    "status": 503,
    "detail": "openai has no key: set OPENAI_API_KEY",
    "code": "planner_not_configured",
    "error": "openai has no key: set OPENAI_API_KEY",
    "instance": "urn:lars:request:d4c9465a349a587a155b2c228945dbb5",
    "request_id": "d4c9465a349a587a155b2c228945dbb5",
}
