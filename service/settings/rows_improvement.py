"""The rows of self-improvement: when functions are rewritten, and what admits a rewritten one."""

from __future__ import annotations

from service.settings import parsers
from service.settings.row import Setting

IMPROVEMENT: tuple[Setting, ...] = (
    Setting(
        "LARS_AUTO_DEPLOY",
        "false",
        "",
        "Whether a candidate that the evidence admits becomes a canary without a person's approval.",
        parsers.flag(),
    ),
    Setting(
        "LARS_AUTO_ENHANCE_INTERVAL",
        "0",
        "s",
        "Time after which the service begins another run of improvement by itself; 0 never does.",
        parsers.number(0, 1e9),
    ),
    Setting(
        "LARS_IMPROVE_CALLS",
        "5",
        "",
        "Recorded calls of different arguments without which a candidate is not examined.",
        parsers.integer(2, 1000),
    ),
    Setting(
        "LARS_IMPROVE_CANDIDATES",
        "3",
        "",
        "Candidates that a language model may write in one run that does not say how many.",
        parsers.integer(1, 10),
    ),
    Setting(
        "LARS_IMPROVE_TOKENS",
        "100000",
        "tokens",
        "What one run may use at most, in and out, over all its candidates.",
        parsers.integer(16, 10_000_000),
    ),
    Setting(
        "LARS_CANARY_PERCENT",
        "5",
        "%",
        "Share of the calls that a candidate gets while it is watched.",
        parsers.integer(1, 50),
    ),
    Setting(
        "LARS_CANARY_CALLS",
        "20",
        "",
        "Calls that a canary must have answered before it is promoted.",
        parsers.integer(1, 1_000_000),
    ),
    Setting(
        "LARS_CANARY_SECONDS",
        "86400",
        "s",
        "Time in which a canary must have had its calls; then it is rolled back.",
        parsers.number(1, 1e8),
    ),
    Setting(
        "LARS_CANARY_ERRORS",
        "1",
        "%",
        "By how much a canary's error rate may be above that of the version before.",
        parsers.number(0, 100),
    ),
    Setting(
        "LARS_CANARY_SLOWDOWN",
        "1.5",
        "",
        "By what factor a canary's p95 may be above that of the version before.",
        parsers.number(1, 1000),
    ),
)
