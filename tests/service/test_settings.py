"""Settings: the table and the object agree, every bad value is told, and the documentation is the table."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.layers import DEFAULT_FLOOR, Layer
from sandbox_runtime.planning import Price
from service.access.gate import PUBLIC_NAMES
from service.limits.rates import UNLIMITED, read_rates
from service.secret import Secret
from service.settings import (
    SETTINGS,
    Settings,
    SettingsError,
    available_cpus,
    conflicts,
    load_env_file,
    parsers,
    render_markdown,
    unknown_variables,
)
from service.settings.reading import read_table
from service.settings.row import PREFIX, Setting
from service.settings.table import ORDERED

ROOT = Path(__file__).parents[2]
MIB = 1024**2
TIMEOUT_PROBLEM = (
    "LARS_TIMEOUT=61 is above LARS_TIMEOUT_MAX=60 (the default); lower LARS_TIMEOUT or raise LARS_TIMEOUT_MAX"
)


def read(**environ: str) -> Settings:
    """Settings from these variables alone, on four CPUs."""
    return Settings.from_env(environ, cpus=4)


def problems(**environ: str) -> tuple[str, ...]:
    """What is wrong with these variables."""
    with pytest.raises(SettingsError) as caught:
        read(**environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_table_and_object_agree() -> None:
    """One attribute per row, in the order of the table, and no name twice."""
    assert [field.name for field in dataclasses.fields(Settings)] == [setting.field for setting in SETTINGS]
    names = [name for setting in SETTINGS for name in (setting.name, *setting.aliases)]
    assert len(set(names)) == len(names)
    strangers = [setting.name for setting in SETTINGS if not setting.name.startswith(PREFIX)]
    assert strangers == [  # names that their users know
        "STARGATE_API_KEY",
        *("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "TOGETHER_API_KEY"),
        *("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "TOGETHER_BASE_URL"),
        *("LLM_MOCK_HANDLER", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ]
    assert all(setting.help.endswith(".") for setting in SETTINGS)


def test_defaults() -> None:
    """The values of an empty environment on four CPUs."""
    settings = read()
    home = Path("~").expanduser()
    assert dataclasses.asdict(settings) == {
        "host": "127.0.0.1",
        "port": 8000,
        "fd": None,
        "environment": "production",
        "log_level": "info",
        "log_format": "auto",
        "fronts": 1,
        "zygotes": 2,
        "max_workers": 16,
        "pool_size": 8,
        "queue_size": 64,
        "zygote_max_forks": 50_000,
        "execute_policy": "program",
        "timeout_max": 60.0,
        "timeout": 10.0,
        "memory_max": 1024 * MIB,
        "memory": 256 * MIB,
        "cpu_max": 4.0,
        "cpu": 1.0,
        "max_body_bytes": 8 * MIB,
        "max_header_bytes": 32 * 1024,
        "max_headers": 100,
        "header_seconds": 10.0,
        "body_seconds": 30.0,
        "write_seconds": 30.0,
        "max_connections": 4096,
        "buffer_bytes": 256 * MIB,
        "trusted_proxies": (),
        "max_code_bytes": MIB // 2,
        "max_output_bytes": MIB,
        "max_result_bytes": MIB,
        "scratch_bytes": 64 * MIB,
        "max_threads": 64,
        "max_open_files": 256,
        "cgroup": "auto",
        "cgroup_memory": {"percent": 75.0},
        "cgroup_pids": {"percent": 75.0},
        "cgroup_cpu": None,
        "sandbox_floor": DEFAULT_FLOOR,
        "drain_seconds": 10.0,
        "data_root": home / ".local/share/lars",
        "database_url": Secret(f"sqlite+aiosqlite:///{home}/.local/share/lars/control.db"),
        "audit_key": Secret(""),
        "max_exec_ms": 8000,
        "max_plans": 2000,
        "session_workers": 64,
        "default_session": None,
        "cors_origins": (),
        "auth_token": None,
        "stargate_api_key": None,
        "public": frozenset(PUBLIC_NAMES.values()),
        "rate": dataclasses.asdict(UNLIMITED),
        "rate_store": "memory",
        "session_queue": 256,
        "session_idle": 60.0,
        "session_expiry": 0.0,
        "session_quota": 256 * MIB,
        "session_operation_seconds": 300.0,
        "session_sync": "full",
        "contract_workers": 32,
        "contract_queue": 256,
        "contract_idle": 300.0,
        "uploads_dir": home / ".local/share/lars/uploads",
        "uploads_quota": 16 * MIB,
        "openai_api_key": None,
        "anthropic_api_key": None,
        "together_api_key": None,
        "openai_base_url": None,
        "anthropic_base_url": None,
        "together_base_url": None,
        "llm_base_url": None,
        "default_provider": "builtin",
        "fallback_provider": None,
        "llm_model": None,
        "fallback_model": None,
        "planning": "rules",
        "sandbox_llm_allowed_hosts": tuple(
            (f"api.{name}", 0) for name in ("openai.com", "anthropic.com", "together.ai", "together.xyz")
        ),
        "llm_timeout": 30.0,
        "llm_max_output_tokens": 8000,
        "llm_request_tokens": 50_000,
        "llm_day_tokens": None,
        "llm_day_shapes": 200,
        "llm_at_once": 8,
        "llm_prices": {},
        "llm_mock_handler": None,
        "otel_exporter_otlp_endpoint": None,
        "auto_deploy": False,
        "auto_enhance_interval": 0.0,
        "improve_calls": 5,
        "improve_candidates": 3,
        "improve_tokens": 100_000,
        "canary_percent": 5,
        "canary_calls": 20,
        "canary_seconds": 86_400.0,
        "canary_errors": 1.0,
        "canary_slowdown": 1.5,
    }


def test_frozen() -> None:
    """Settings are read once; nothing changes them later."""
    settings = read()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(("cpus", "workers"), [(1, 8), (2, 8), (3, 12), (64, 256)])
def test_defaults_from_the_cpu_count(cpus: int, workers: int) -> None:
    """Four workers per CPU, eight at least; the CPU ceiling is the count."""
    settings = Settings.from_env({}, cpus=cpus)
    assert (settings.max_workers, settings.cpu_max) == (workers, float(cpus))


def test_cpu_count_is_that_of_this_process() -> None:
    """Without a count the kernel is asked what this process may use."""
    assert available_cpus() == len(os.sched_getaffinity(0))
    assert Settings.from_env({}).cpu_max == available_cpus()


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("LARS_HOST", "::", "host", "::"),
        ("LARS_PORT", " 0 ", "port", 0),
        ("LARS_ENVIRONMENT", "Development", "environment", "development"),
        ("LARS_LOG_LEVEL", "WARNING", "log_level", "warning"),
        ("LARS_TIMEOUT", "2.5", "timeout", 2.5),
        ("LARS_MEMORY", "100MiB", "memory", 100 * MIB),
        ("LARS_CPU", "0.05", "cpu", 0.05),
        ("LARS_QUEUE_SIZE", "0", "queue_size", 0),
        ("LARS_EXECUTE_POLICY", "restricted", "execute_policy", "restricted"),
        ("LARS_SANDBOX_FLOOR", "none", "sandbox_floor", ()),
        ("LARS_SANDBOX_FLOOR", "Seccomp, landlock,seccomp", "sandbox_floor", (Layer.SECCOMP, Layer.LANDLOCK)),
        ("LARS_DATA_ROOT", "/srv/lars", "data_root", Path("/srv/lars")),
        ("LARS_RATE", "None", "rate", UNLIMITED),
        ("LARS_RATE", "9/minute, cpu=60", "rate", read_rates(["9/minute", "cpu=60"])),
        ("LARS_RATE_STORE", "Memory", "rate_store", "memory"),
        *[
            ("LARS_RATE_STORE", url, "rate_store", Secret(url))
            for url in (
                "redis://localhost",
                "rediss://user:p%40ss@host:6380/2",
                "redis://:hush@[::1]:6379/0?socket_timeout=2",
                "unix:///run/redis.sock?db=1",
                "unix://user:hush@/run/redis.sock",
            )
        ],
        ("LARS_UPLOADS_DIR", "/srv/uploads", "uploads_dir", Path("/srv/uploads")),
        ("DYNAMIC_API_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("DYNAMIC_API_PORT", "9000", "port", 9000),
        ("SANDBOX_DATA_ROOT", "/data", "data_root", Path("/data")),
        ("UPLOADS_DIR", "/data/uploads", "uploads_dir", Path("/data/uploads")),
        ("API_TIMEOUT", "45", "llm_timeout", 45.0),
        ("ENVIRONMENT", "development", "log_level", "debug"),
        ("LARS_TRUSTED_PROXIES", "10.0.0.0/8, ::1", "trusted_proxies", ("10.0.0.0/8", "::1/128")),
        ("LARS_TRUSTED_PROXIES", "None", "trusted_proxies", ()),
        ("LARS_PORT", "", "port", 8000),
        ("LARS_SANDBOX_FLOOR", "  ", "sandbox_floor", DEFAULT_FLOOR),
    ],
)
def test_value(variable: str, text: str, field: str, value: object) -> None:
    """What a text means; an empty one counts as unset."""
    assert getattr(read(**{variable: text}), field) == value


def test_a_default_yields_to_a_lower_ceiling() -> None:
    """Lowering a ceiling alone is enough; the default below it follows."""
    settings = read(
        LARS_TIMEOUT_MAX="5",
        LARS_MEMORY_MAX="128m",
        LARS_CPU_MAX="0.5",
        LARS_MAX_WORKERS="2",
        LARS_MAX_BODY_BYTES="64k",
    )
    assert (settings.timeout, settings.memory, settings.cpu) == (5.0, 128 * MIB, 0.5)
    assert (settings.pool_size, settings.max_code_bytes) == (2, 65_536)


def test_the_default_of_all_buffers_follows_the_largest_body() -> None:
    assert read(LARS_MAX_BODY_BYTES="64m").buffer_bytes == 256 * MIB
    assert read(LARS_MAX_BODY_BYTES="1g").buffer_bytes == 4 << 30


@pytest.mark.parametrize(("lower", "upper"), ORDERED)
def test_a_value_above_its_ceiling(lower: str, upper: str) -> None:
    """Both names, both values and the remedy are told."""
    environ = (
        {lower: "100m", upper: "50m"}
        if lower.startswith(("LARS_MEM", "LARS_MAX_C", "LARS_MAX_B"))
        else {lower: "9", upper: "4"}
    )
    low, high = environ[lower], environ[upper]
    assert problems(**environ) == (f"{lower}={low} is above {upper}={high}; lower {lower} or raise {upper}",)


def test_a_value_above_a_default_ceiling() -> None:
    """A ceiling that nobody set is said to be the default."""
    assert problems(LARS_TIMEOUT="61") == (TIMEOUT_PROBLEM,)


def test_bad_values_are_reported_together() -> None:
    """Each with variable, value, what is expected and the remedy; and still the order of the sound ones."""
    assert problems(
        LARS_PORT="http",
        ENVIRONMENT="staging",
        LARS_MEMORY_MAX="1.5g",
        LARS_MEMORY="2g",
        LARS_TIMEOUT="61",
    ) == (
        (
            "LARS_PORT='http': expected a whole number from 0 to 65535; "
            "correct it, or unset it for the default (8000)"
        ),
        (
            "ENVIRONMENT='staging': expected production or development; "
            "correct it, or set LARS_ENVIRONMENT, which wins over ENVIRONMENT"
        ),
        (
            "LARS_MEMORY_MAX='1.5g': expected a size from 16m to 1024g, in bytes or with k, m, g; "
            "correct it, or unset it for the default (1g)"
        ),
        TIMEOUT_PROBLEM,
    )


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *[("LARS_PORT", text) for text in ("65536", "-1", "80 80", "8_000", "0x50", "\u0661", "1" * 5000)],
        *[("LARS_TIMEOUT", text) for text in ("0", "nan", "inf", "1e1", "-1", "10s", ".5", "86401")],
        *[("LARS_MEMORY", text) for text in ("15m", "1025g", "lots")],
        *[("LARS_HOST", text) for text in ("a b", "http://x", "x" * 256, "h\u00f6st")],
        *[
            ("LARS_FRONTS", "0"),
            ("LARS_POOL_SIZE", "0"),
            ("LARS_LOG_LEVEL", "loud"),
            ("LARS_LOG_FORMAT", "xml"),
        ],
        *[
            ("LARS_SANDBOX_FLOOR", text)
            for text in ("seccomp,", "seccomp;landlock", "none,seccomp", "seccom")
        ],
        ("LARS_DATA_ROOT", "~no-such-user-here/x"),
        *[
            ("LARS_RATE", text)
            for text in ("9", "9/minute,", "none,9/minute", "cpu=1,cpu=2", "9/minute,8/minute", "0/minute")
        ],
    ],
)
def test_bad_value(variable: str, text: str) -> None:
    """One problem, which starts with the variable; a long value does not flood it."""
    (problem,) = problems(**{variable: text})
    assert problem.startswith(f"{variable}='")
    assert "expected" in problem
    assert len(problem) < 800


def test_a_secret_value_is_not_told() -> None:
    """The problem of a secret setting names the variable only, and its value is a Secret."""
    parse = parsers.Parser("8 letters", lambda text: parsers.integer(0, 1).read(text))
    row = Setting("LARS_TOKEN", "0", "", "A token.", parse, secret=True)
    _, told = read_table((row,), {"LARS_TOKEN": "hush"}, 1)
    assert told == {
        "LARS_TOKEN": "LARS_TOKEN=(hidden): expected 8 letters; correct it, or unset it for the default (0)"
    }
    assert parsers.token().read("hush") == Secret("hush")
    assert parsers.token().read("none") is None
    for text in ("two words", "caf\xe9", "x" * 513, "tab\t"):
        with pytest.raises(ValueError, match=re.escape(text)):
            parsers.token().read(text)


@pytest.mark.parametrize("text", ["redis", "redis://", "http://h", "unix://sock", "redis://a b", "memory://"])
def test_a_store_that_is_none(text: str) -> None:
    """Its text may hold a password, so it is not told."""
    (problem,) = problems(LARS_RATE_STORE=text)
    assert problem.startswith("LARS_RATE_STORE=(hidden): expected memory, or the URL of a Redis")


def test_a_default_that_this_host_cannot_give() -> None:
    """It is refused with the remedy, as a value is; setting the variable mends it."""
    row = Setting("LARS_DIR", "~no-such-user-here/x", "", "A directory.", parsers.path())
    readings, told = read_table((row,), {}, 1)
    assert readings == {}
    assert told["LARS_DIR"].startswith(
        "LARS_DIR has no usable default here ('~no-such-user-here/x'): expected a path"
    )
    assert told["LARS_DIR"].endswith("; set LARS_DIR")
    assert read_table((row,), {"LARS_DIR": "~nobody-either/x"}, 1)[0] == {}
    assert read_table((row,), {"LARS_DIR": "/x"}, 1)[0]["LARS_DIR"].value == Path("/x")


def test_conflicts() -> None:
    """The LARS_ name wins; a conflict is told only where the two differ."""
    environ = {
        "LARS_PORT": "1",
        "DYNAMIC_API_PORT": "2",
        "LARS_HOST": "::1",
        "DYNAMIC_API_HOST": "::1 ",
        "API_TIMEOUT": "5",
        "LARS_DATA_ROOT": "",
        "SANDBOX_DATA_ROOT": "/data",
    }
    (conflict,) = conflicts(environ)
    assert (conflict.used, conflict.ignored) == ("LARS_PORT", "DYNAMIC_API_PORT")
    assert str(conflict) == "LARS_PORT and DYNAMIC_API_PORT differ: LARS_PORT is used; unset DYNAMIC_API_PORT"
    settings = Settings.from_env(environ)
    assert (settings.port, settings.llm_timeout, settings.data_root) == (1, 5.0, Path("/data"))


@pytest.mark.parametrize(
    ("environ", "provider"),
    [
        ({}, "builtin"),
        ({"TOGETHER_API_KEY": "t"}, "together"),
        ({"TOGETHER_API_KEY": "t", "ANTHROPIC_API_KEY": "a"}, "anthropic"),
        ({"TOGETHER_API_KEY": "t", "ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o"}, "openai"),
        ({"ANTHROPIC_API_KEY": "a", "LARS_LLM_BASE_URL": "http://127.0.0.1:8080/v1"}, "openai"),
        ({"OPENAI_API_KEY": "o", "LARS_DEFAULT_PROVIDER": "Builtin"}, "builtin"),
    ],
)
def test_which_model_is_asked(environ: dict[str, str], provider: str) -> None:
    """The first that has a key, unless it is said."""
    assert read(**environ).default_provider == provider


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1"),
        ("LARS_LLM_BASE_URL", "http://[::1]:11434/v1", "http://[::1]:11434/v1"),
        ("LARS_LLM_BASE_URL", "None", None),
        ("LARS_FALLBACK_PROVIDER", "Together", "together"),
        ("LARS_LLM_MODEL", "Qwen/Qwen3-Coder-480B", "Qwen/Qwen3-Coder-480B"),
        ("LARS_SANDBOX_LLM_ALLOWED_HOSTS", "none", ()),
        (
            "LARS_SANDBOX_LLM_ALLOWED_HOSTS",
            "API.example.org, 127.0.0.1:8080,[::1]:1,[::1]",
            (("api.example.org", 0), ("127.0.0.1", 8080), ("::1", 1), ("::1", 0)),
        ),
        ("LARS_LLM_DAY_TOKENS", "0", 0),
        (
            "LARS_LLM_PRICES",
            "a=1/2.5/0, b/c=0.1/0.2/0.05",
            {"a": Price(1, 2.5, 0), "b/c": Price(0.1, 0.2, 0.05)},
        ),
        ("LLM_MOCK_HANDLER", "tests.planners.answer", "tests.planners.answer"),
    ],
)
def test_settings_of_the_planner(variable: str, text: str, value: object) -> None:
    row = next(row for row in SETTINGS if row.name == variable)
    assert getattr(read(**{variable: text}), row.field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *[
            ("OPENAI_BASE_URL", text)
            for text in (
                *("127.0.0.1:8080", "ftp://x", "http://", "http://x:0", "http://x:99999", "http://x/?a=b"),
                *("http://user:pass@x", "http://x/#y", "http://x y", "http://\u00e9"),
            )
        ],
        *[
            ("LARS_SANDBOX_LLM_ALLOWED_HOSTS", text)
            for text in ("http://x", "a b", "x:0", "x:65536", "x:", ",", "*", "*.example.org", "x/y", "-x")
        ],
        *[("LARS_LLM_PRICES", text) for text in ("a", "a=1", "a=1/2", "a=1/2/x", "=1/2/3", "a=1/2/3.4.5")],
        *[("LLM_MOCK_HANDLER", text) for text in ("f", "a.b()", "a..b", "a.1", ".a", "a.b.")],
        *[("LARS_LLM_DAY_TOKENS", text) for text in ("-1", "1.5", "many")],
        ("LARS_FALLBACK_PROVIDER", "builtin"),
        ("LARS_DEFAULT_PROVIDER", "gemini"),
        ("LARS_LLM_MODEL", "a b"),
        ("LARS_PLANNING", "both"),
        ("LARS_LLM_MAX_OUTPUT_TOKENS", "20001"),
    ],
)
def test_bad_settings_of_the_planner(variable: str, text: str) -> None:
    (problem,) = problems(**{variable: text})
    assert problem.startswith(f"{variable}='")
    assert "expected" in problem


def test_a_bad_alias_that_is_not_used() -> None:
    """Only the name that is used has to be right."""
    assert read(LARS_PORT="1", DYNAMIC_API_PORT="http").port == 1


def test_an_older_name_is_known() -> None:
    assert unknown_variables({"LARS_SHUTDOWN_SECONDS": "1"}) == ()
    assert Settings.from_env({"LARS_SHUTDOWN_SECONDS": "1"}).drain_seconds == 1.0


def test_unknown_variables() -> None:
    """Names with our prefix that no row reads, each with the nearest row if one is near."""
    environ = dict.fromkeys(
        (
            "LARS_PROT",
            "LARS_TIMEOUTMAX",
            "LARS_WORKERS",
            "LARS_port",
            "LARS_QQQ",
            "LARS_",
            "LARS_PORT",
            "PATH",
        ),
        "",
    )
    assert unknown_variables(environ) == (
        ("LARS_", None),
        ("LARS_PROT", "LARS_PORT"),
        ("LARS_QQQ", None),
        ("LARS_TIMEOUTMAX", "LARS_TIMEOUT_MAX"),
        ("LARS_WORKERS", "LARS_MAX_WORKERS"),
        ("LARS_port", "LARS_PORT"),
    )


@given(st.dictionaries(st.sampled_from([setting.name for setting in SETTINGS]), st.text(max_size=12)))
def test_any_text_is_settings_or_a_settings_error(environ: dict[str, str]) -> None:
    """No text in any variable causes another exception, and no accepted value is above its ceiling."""
    try:
        settings = Settings.from_env(environ, cpus=2)
    except SettingsError:
        return
    assert settings.timeout <= settings.timeout_max
    assert settings.pool_size <= settings.max_workers


def test_every_setting_is_documented() -> None:
    """docs/settings.md is what the table says; regenerate it with the command in its second line."""
    text = (ROOT / "docs" / "settings.md").read_text()
    assert text == render_markdown()
    for setting in SETTINGS:
        assert f"| `{setting.name}` |" in text
        assert all(
            f"`{alias}`; when both are set, `{setting.name}` wins" in text for alias in setting.aliases
        )


def test_the_documentation_is_printed_by_the_module() -> None:
    """The command that the page names prints the page."""
    printed = subprocess.run(
        [sys.executable, "-m", "service.settings"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout == render_markdown()


def test_env_template(tmp_path: Path) -> None:
    """.env.template is what the table says, and with every sign taken away it is the defaults. Regenerate it
    with the command in its first line."""
    text = (ROOT / ".env.template").read_text()
    printed = subprocess.run(
        [sys.executable, "-m", "service.settings", "env"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert text == printed.stdout
    assert load_env_file(ROOT / ".env.template") == {}
    (tmp_path / "env").write_text(re.sub(r"^#(?=[A-Z])", "", text, flags=re.MULTILINE))
    environ = load_env_file(tmp_path / "env")
    assert list(environ) == [setting.name for setting in SETTINGS]
    assert Settings.from_env(environ, cpus=4) == Settings.from_env({}, cpus=4)
