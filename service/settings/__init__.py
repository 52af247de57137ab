"""The configuration of one service process: read once from the environment, then frozen.

``python -m service.settings`` prints the table of variables that ``docs/settings.md`` holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox_runtime.layers import Layer
from sandbox_runtime.planning import Price
from service.access.gate import Need
from service.cgroup.amounts import Share
from service.env_file import load_env_file
from service.limits.rates import Rates
from service.secret import Secret
from service.settings.parsers import SettingsError
from service.settings.reading import Conflict, conflicting, out_of_order, read_table, unknown
from service.settings.row import Computed, Setting
from service.settings.table import OF_ITSELF, OF_SCRIPTS, ORDERED, SETTINGS

__all__ = [
    "SETTINGS",
    "Conflict",
    "Setting",
    "Settings",
    "SettingsError",
    "conflicts",
    "load_env_file",
    "render_markdown",
    "unknown_variables",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """One attribute per row of ``SETTINGS``, whose help says what it means. Sizes in bytes, times in seconds,
    CPU in cores."""

    host: str
    port: int
    fd: int | None
    environment: Literal["production", "development"]
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["auto", "json", "console"]
    fronts: int
    zygotes: int
    max_workers: int
    pool_size: int
    queue_size: int
    zygote_max_forks: int
    max_body_bytes: int
    max_header_bytes: int
    max_headers: int
    header_seconds: float
    body_seconds: float
    write_seconds: float
    max_connections: int
    buffer_bytes: int
    trusted_proxies: tuple[str, ...]
    sandbox_floor: tuple[Layer, ...]
    drain_seconds: float
    data_root: Path
    cors_origins: tuple[str, ...]
    database_url: Secret
    audit_key: Secret
    auth_token: Secret | None
    stargate_api_key: Secret | None
    public: frozenset[Need]
    rate: Rates
    rate_store: Secret | Literal["memory"]
    execute_policy: Literal["program", "restricted"]
    timeout_max: float
    timeout: float
    memory_max: int
    memory: int
    cpu_max: float
    cpu: float
    max_code_bytes: int
    max_output_bytes: int
    max_result_bytes: int
    scratch_bytes: int
    max_threads: int
    max_open_files: int
    cgroup: Literal["auto", "off"] | Path
    cgroup_memory: int | Share | None
    cgroup_pids: int | Share | None
    cgroup_cpu: float | Share | None
    max_exec_ms: int
    max_plans: int
    session_workers: int
    default_session: str | None
    session_queue: int
    session_idle: float
    session_expiry: float
    session_quota: int
    session_operation_seconds: float
    session_sync: Literal["full", "normal"]
    contract_workers: int
    contract_queue: int
    contract_idle: float
    uploads_dir: Path
    uploads_quota: int
    openai_api_key: Secret | None
    anthropic_api_key: Secret | None
    together_api_key: Secret | None
    openai_base_url: str | None
    anthropic_base_url: str | None
    together_base_url: str | None
    llm_base_url: str | None
    default_provider: Literal["openai", "anthropic", "together", "builtin"]
    fallback_provider: Literal["openai", "anthropic", "together"] | None
    llm_model: str | None
    fallback_model: str | None
    planning: Literal["rules", "llm"]
    sandbox_llm_allowed_hosts: tuple[tuple[str, int], ...]
    llm_timeout: float
    llm_max_output_tokens: int
    llm_request_tokens: int
    llm_day_tokens: int | None
    llm_day_shapes: int
    llm_at_once: int
    llm_prices: Mapping[str, Price]
    llm_mock_handler: str | None
    otel_exporter_otlp_endpoint: str | None
    auto_deploy: bool
    auto_enhance_interval: float
    improve_calls: int
    improve_candidates: int
    improve_tokens: int
    canary_percent: int
    canary_calls: int
    canary_seconds: float
    canary_errors: float
    canary_slowdown: float

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, cpus: int | None = None) -> Settings:
        """Settings as ``environ`` gives them. An empty variable counts as unset. ``cpus``: what defaults are
        computed from; None asks the kernel. SettingsError lists every bad value."""
        readings, problems = read_table(SETTINGS, environ, cpus or available_cpus())
        sentences = [*problems.values(), *out_of_order(ORDERED, readings, problems)]
        if sentences:
            raise SettingsError(sentences)
        values = {setting.field: readings[setting.name].value for setting in SETTINGS}
        values["uploads_dir"] = values["data_root"] / values["uploads_dir"]  # an absolute path stays as it is
        return cls(**values)


def available_cpus() -> int:
    """CPUs that this process may run on: sched_getaffinity(2), not the machine's count."""
    return len(os.sched_getaffinity(0))


def unknown_variables(environ: Mapping[str, str]) -> tuple[tuple[str, str | None], ...]:
    """LARS_ variables that no row reads, each with the nearest name or None; sorted by name."""
    aliases = {alias for setting in SETTINGS for alias in setting.aliases}
    return unknown(
        [setting.name for setting in SETTINGS], environ.keys() - {*OF_SCRIPTS, *OF_ITSELF, *aliases}
    )


def conflicts(environ: Mapping[str, str]) -> tuple[Conflict, ...]:
    """Settings that ``environ`` gives under two names with different values: which is used, which is not."""
    return conflicting(SETTINGS, environ)


_INTRODUCTION = """\
# Settings

<!-- Generated: python -m service.settings > docs/settings.md -->

Every setting is an environment variable, read once when the service starts. `lars serve --env-file FILE` adds
variables from a file of `KEY=VALUE` lines; a variable of the real environment wins over the file.

- A bad value stops the start. All bad values are reported at once, each with what was expected.
- An empty variable counts as unset.
- A `LARS_` variable that is not in this table is warned of, with the nearest name.
- Where a setting has an older name, the `LARS_` name wins when both are set; the start warns if they differ.
- A size is a number of bytes, or a number with `k`, `m` or `g`: powers of 1024, so `100m`, `100MB` and
  `100MiB` are equal.
- No value may be above its ceiling:{ordered}

| variable | default | unit | meaning | accepts |
|---|---|---|---|---|
"""


def render_markdown() -> str:
    """The text of ``docs/settings.md``."""
    ordered = "".join(f"\n  - `{low}` may not be above `{high}`" for low, high in ORDERED)
    return _INTRODUCTION.format(ordered=ordered) + "".join(_row(setting) for setting in SETTINGS)


def _row(setting: Setting) -> str:
    words = ", ".join(word.strip() for word in setting.default_words.split(","))
    default = words if isinstance(setting.default, Computed) else f"`{words}`"
    cells = (f"`{setting.name}`", default, setting.unit, setting.full_help, setting.parse.expects)
    return f"| {' | '.join(cells)} |\n"
