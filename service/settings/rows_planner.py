"""The rows of the planner: which language model is asked, how, and for how much."""

from __future__ import annotations

from service.settings import parsers, planner_parsers
from service.settings.row import Computed, Facts, Setting

_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "together": "TOGETHER_API_KEY"}
_KEY_HELP = "Its key at the provider {}. Only the planner's process is given it."


def _default_provider(facts: Facts) -> str:
    if facts.readings["LARS_LLM_BASE_URL"].value is not None:
        return "openai"
    return next((name for name, key in _KEYS.items() if facts.readings[key].value is not None), "builtin")


def _key(provider: str) -> Setting:
    return Setting(
        _KEYS[provider],
        "none",
        "",
        _KEY_HELP.format(provider),
        parsers.token(),
        secret=True,
        holder="planner",
    )


def _base_url(provider: str) -> Setting:
    name = f"{provider.upper()}_BASE_URL"
    return Setting(
        name, "none", "", f"Where the API of {provider} is; none: its public one.", planner_parsers.url()
    )


PLANNER: tuple[Setting, ...] = (
    *map(_key, _KEYS),
    *map(_base_url, _KEYS),
    Setting(
        "LARS_LLM_BASE_URL",
        "none",
        "",
        "An OpenAI-compatible server (vLLM, Ollama and the like) that is asked as openai, with "
        "OPENAI_API_KEY where it needs one; its path includes /v1.",
        planner_parsers.url(),
    ),
    Setting(
        "LARS_DEFAULT_PROVIDER",
        Computed(
            "openai if LARS_LLM_BASE_URL is set, else the first of openai, anthropic, together with a key, "
            "else builtin",
            _default_provider,
        ),
        "",
        "Which language model is asked. builtin asks none: rules plan requests, and nothing generates code.",
        parsers.choice("openai", "anthropic", "together", "builtin"),
    ),
    Setting(
        "LARS_FALLBACK_PROVIDER",
        "none",
        "",
        "Which is asked when the first one cannot be.",
        planner_parsers.choice_or_none("openai", "anthropic", "together"),
    ),
    Setting(
        "LARS_LLM_MODEL",
        "none",
        "",
        "The model of LARS_DEFAULT_PROVIDER; none: the one in docs/planner.md.",
        planner_parsers.model(),
    ),
    Setting(
        "LARS_FALLBACK_MODEL",
        "none",
        "",
        "The model of LARS_FALLBACK_PROVIDER; none: the one in docs/planner.md.",
        planner_parsers.model(),
    ),
    Setting(
        "LARS_PLANNING",
        "rules",
        "",
        "Who plans a request to a session. rules: the built-in planner, and a language model for what it has "
        "no rule for. llm: a language model, whose plan has to agree with the built-in planner's where there "
        "is one.",
        parsers.choice("rules", "llm"),
    ),
    Setting(
        "LARS_SANDBOX_LLM_ALLOWED_HOSTS",
        "api.openai.com, api.anthropic.com, api.together.ai, api.together.xyz",
        "",
        "The only hosts that the planner may connect to. Without a port: 443, and those of base URLs on that "
        "host.",
        planner_parsers.hosts(),
    ),
    Setting(
        "LARS_LLM_TIMEOUT",
        "30",
        "s",
        "Time in which a language model must have done what a request needs, however many calls it takes.",
        parsers.number(0.1, 3600),
        ("API_TIMEOUT",),
    ),
    Setting(
        "LARS_LLM_MAX_OUTPUT_TOKENS",
        "8000",
        "tokens",
        "What a model may write in one call, thinking included.",
        parsers.integer(16, 20_000),
    ),
    Setting(
        "LARS_LLM_REQUEST_TOKENS",
        "50000",
        "tokens",
        "What one request may use, in and out, over all its calls.",
        parsers.integer(16, 10_000_000),
    ),
    Setting(
        "LARS_LLM_DAY_TOKENS",
        "none",
        "tokens",
        "What the service may use in any 24 hours; a key's own limit is its tokens (LARS_RATE).",
        planner_parsers.integer_or_none(0, 10**12),
    ),
    Setting(
        "LARS_LLM_DAY_SHAPES",
        "200",
        "",
        "New shapes of requests that a language model plans for one caller in any 24 hours.",
        parsers.integer(0, 1_000_000),
    ),
    Setting(
        "LARS_LLM_AT_ONCE",
        "8",
        "",
        "Calls to one provider at once; as many again may wait.",
        parsers.integer(1, 1000),
    ),
    Setting(
        "LARS_LLM_PRICES",
        "none",
        "US$",
        "Prices of a million tokens, from which costs are computed: MODEL=INPUT/OUTPUT/CACHED.",
        planner_parsers.prices(),
    ),
    Setting(
        "LLM_MOCK_HANDLER",
        "none",
        "",
        "package.module.function that answers in a model's place: it gets the prompt, and returns text or an "
        "object.",
        planner_parsers.dotted_name(),
    ),
    Setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "none",
        "",
        "Where OpenTelemetry spans of requests and of calls to models go (OTLP over HTTP); none: nowhere.",
        planner_parsers.url(),
    ),
)
