"""The reader: what it accepts, and the exact words with which it refuses the rest."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seccomp import Profile, ProfileError, load_profile, parse_profile
from seccomp.model import Action, ActionKind, Architecture, Comparison, Operator, Rule

GOOD: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
    "syscalls": [
        {"comment": "why", "names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 0, "value": 65536, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
        },
    ],
}


def test_a_profile_becomes_rules_in_order() -> None:
    """One rule for each name; an errno that is not given is EPERM, as the OCI specification says."""
    allow = Action(ActionKind.ALLOW)
    assert parse_profile(json.dumps(GOOD), "good.json") == Profile(
        "good.json",
        Action(ActionKind.ERRNO, 38),
        (Architecture.X86_64, Architecture.AARCH64),
        (
            Rule("read", allow, (), 0),
            Rule("write", allow, (), 0),
            Rule("clone", Action(ActionKind.ERRNO, 1), (Comparison(0, Operator.MASKED_EQ, 65536, 0),), 1),
        ),
    )


def test_a_default_alone_is_a_profile() -> None:
    """The OCI format demands nothing else."""
    assert parse_profile('{"defaultAction":"SCMP_ACT_LOG"}', "x").default == Action(ActionKind.LOG)


@pytest.mark.parametrize("name", ["zygote", "worker", "planner"])
def test_our_profiles_are_read(name: str) -> None:
    """Their origin is the file's name."""
    assert load_profile(name).origin == f"{name}.json"


@pytest.mark.parametrize(
    "name", ["nothing", "../seccomp/zygote", "zygote.json", "", "zygote\n", "/etc/passwd"]
)
def test_there_is_no_other_profile(name: str) -> None:
    """A name is no path."""
    with pytest.raises(ProfileError, match="no seccomp profile is called"):
        load_profile(name)


DELETE = object()
ENTRY: tuple[str | int, ...] = ("syscalls", 0)
ARG: tuple[str | int, ...] = ("syscalls", 1, "args", 0)

# Where in GOOD, what to put there, the message after "bad.json".
WRONG: list[tuple[tuple[str | int, ...], object, str]] = [
    (("flags",), [], ": unknown key 'flags'"),
    (("defaultActon",), "SCMP_ACT_LOG", ": unknown key 'defaultActon'; did you mean 'defaultAction'?"),
    (("defaultAction",), DELETE, ": defaultAction is missing"),
    (
        ("defaultAction",),
        "SCMP_ACT_NOTIFY",
        ".defaultAction: unknown action 'SCMP_ACT_NOTIFY'; known are SCMP_ACT_ALLOW, SCMP_ACT_ERRNO",
    ),
    (("defaultAction",), 1, ".defaultAction: expected a string, not a number"),
    (
        ("defaultAction",),
        "SCMP_ACT_LOG",
        ".defaultErrnoRet: SCMP_ACT_LOG returns no errno; only SCMP_ACT_ERRNO does",
    ),
    (("defaultErrnoRet",), 0, ".defaultErrnoRet: expected an integer from 1 to 4095, not 0"),
    (("defaultErrnoRet",), 4096, ".defaultErrnoRet: expected an integer from 1 to 4095, not 4096"),
    (("defaultErrnoRet",), True, ".defaultErrnoRet: expected an integer from 1 to 4095, not True"),
    (("defaultErrnoRet",), 1.5, ".defaultErrnoRet: expected an integer from 1 to 4095, not a number"),
    (("architectures",), "SCMP_ARCH_X86_64", ": architectures: expected a list, not a string"),
    (
        ("architectures", 1),
        "SCMP_ARCH_X32",
        ": architectures: unknown architecture 'SCMP_ARCH_X32'; known are SCMP_ARCH_X86_64, SCMP_ARCH_AARCH",
    ),
    (("architectures", 1), "SCMP_ARCH_X86_64", ": architectures[1]: 'SCMP_ARCH_X86_64' is named twice"),
    (("syscalls",), {}, ": syscalls: expected a list, not an object"),
    (ENTRY, None, ": syscalls[0]: expected an object, not null"),
    ((*ENTRY, "comment"), 1, ": syscalls[0].comment: expected a string, not a number"),
    ((*ENTRY, "name"), "read", ": syscalls[0]: unknown key 'name'; did you mean 'names'?"),
    ((*ENTRY, "includes"), {}, ": syscalls[0]: unknown key 'includes'"),
    ((*ENTRY, "names"), DELETE, ": syscalls[0].names: expected at least one syscall"),
    ((*ENTRY, "names"), "read", ": syscalls[0].names: expected a list, not a string"),
    ((*ENTRY, "names", 1), [], ": syscalls[0].names[1]: expected a string, not a list"),
    ((*ENTRY, "names", 1), "read", ": syscalls[0].names[1]: 'read' is named twice"),
    ((*ENTRY, "names", 1), "read\0x", ": syscalls[0].names[1]: 'read\\x00x' cannot be the name of a syscall"),
    ((*ENTRY, "names", 1), "", ": syscalls[0].names[1]: '' cannot be the name of a syscall"),
    ((*ENTRY, "names", 1), "Write", ": syscalls[0].names[1]: 'Write' cannot be the name of a syscall"),
    ((*ENTRY, "action"), DELETE, ": syscalls[0]: action is missing"),
    ((*ENTRY, "errnoRet"), 1, ": syscalls[0].errnoRet: SCMP_ACT_ALLOW returns no errno; only"),
    (
        ("syscalls", 1, "errnoRet"),
        38,
        ": syscalls[1] (clone): SCMP_ACT_ERRNO 38 is what the default does already; remove it",
    ),
    ((*ENTRY, "args"), {}, ": syscalls[0].args: expected a list, not an object"),
    (ARG, 5, ": syscalls[1].args[0]: expected an object, not a number"),
    ((*ARG, "mask"), 5, ": syscalls[1].args[0]: unknown key 'mask'"),
    ((*ARG, "op"), DELETE, ": syscalls[1].args[0]: op is missing"),
    ((*ARG, "value"), DELETE, ": syscalls[1].args[0]: value is missing"),
    ((*ARG, "index"), DELETE, ": syscalls[1].args[0]: index is missing"),
    (
        (*ARG, "op"),
        "SCMP_CMP_IN",
        ": syscalls[1].args[0].op: unknown operator 'SCMP_CMP_IN'; known are SCMP_CMP_NE",
    ),
    ((*ARG, "index"), 6, ": syscalls[1].args[0].index: expected an integer from 0 to 5, not 6"),
    ((*ARG, "index"), -1, ": syscalls[1].args[0].index: expected an integer from 0 to 5, not -1"),
    (
        (*ARG, "value"),
        "1",
        ": syscalls[1].args[0].value: expected an integer from 0 to 18446744073709551615, not a",
    ),
    (
        (*ARG, "value"),
        1 << 64,
        ".value: expected an integer from 0 to 18446744073709551615, not 18446744073709551616",
    ),
    ((*ARG, "valueTwo"), 1, ".valueTwo: 1 has bits outside the mask 65536, so it never matches"),
    (
        ARG,
        {"index": 1, "value": 1, "valueTwo": 1, "op": "SCMP_CMP_EQ"},
        ".valueTwo: SCMP_CMP_EQ takes one value; only SCMP_CMP_MASKED_EQ takes two",
    ),
]


def changed(path: tuple[str | int, ...], value: object) -> str:
    """GOOD as JSON with one thing put elsewhere, or taken out."""
    document: Any = copy.deepcopy(GOOD)
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    if value is DELETE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(("path", "value", "message"), WRONG, ids=[f"{p}={v!r:.20}" for p, v, _ in WRONG])
def test_what_is_not_known_is_refused_by_name(
    path: tuple[str | int, ...], value: object, message: str
) -> None:
    """File, entry, what is wrong, and what would be right."""
    with pytest.raises(ProfileError) as refused:
        parse_profile(changed(path, value), "bad.json")
    assert str(refused.value).startswith("bad.json")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.json: not a JSON document: Expecting value"),
        ("[]", "x.json: expected an object, not a list"),
        (
            '{"defaultAction":"SCMP_ACT_LOG","defaultAction":"SCMP_ACT_ALLOW"}',
            "key 'defaultAction' is given twice",
        ),
        ("[" * 200_000, "x.json: not a JSON document: "),
        ('{"defaultErrnoRet":' + "1" * 5000 + "}", "x.json: not a JSON document: "),
    ],
)
def test_what_is_no_profile_at_all(text: str, message: str) -> None:
    """Python's own failures with a document are refusals too."""
    with pytest.raises(ProfileError, match=message.replace("[", r"\[")):
        parse_profile(text, "x.json")


def test_an_argument_is_compared_once() -> None:
    """libseccomp refuses two comparisons of one argument, and runc makes an OR of them."""
    arg = {"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}
    entry = {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [arg, {**arg, "index": 0}, arg]}
    with pytest.raises(ProfileError, match=r"syscalls\[0\].args\[2\].index: argument 1 is compared twice"):
        parse_profile(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [entry]}), "x")


def rule(action: str, *comparisons: tuple[int, str, int, int]) -> dict[str, Any]:
    """An entry for read; a comparison is index, operator without its prefix, value, valueTwo."""
    args = [
        {"index": index, "op": f"SCMP_CMP_{operator}", "value": value, "valueTwo": two}
        for index, operator, value, two in comparisons
    ]
    return {"names": ["read"], "action": f"SCMP_ACT_{action}", "args": args}


BOTH = "and both can match one call"
BARE = "a rule without args leaves no call to the other"
COMBINED = "translates"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([rule("LOG"), rule("TRAP")], BARE),
        ([rule("LOG"), rule("LOG")], BARE),
        ([rule("LOG"), rule("TRAP", (0, "EQ", 1, 0))], BARE),
        ([rule("LOG", (0, "EQ", 1, 0)), rule("LOG")], BARE),
        ([rule("LOG", (0, "EQ", 1, 0)), rule("TRAP", (0, "EQ", 1, 0))], BOTH),
        ([rule("LOG", (0, "EQ", 1, 0)), rule("TRAP", (1, "EQ", 2, 0))], BOTH),
        ([rule("LOG", (0, "EQ", 1, 0)), rule("TRAP", (0, "NE", 2, 0))], BOTH),
        ([rule("LOG", (0, "NE", 1, 0)), rule("TRAP", (0, "NE", 2, 0))], BOTH),
        ([rule("LOG", (0, "MASKED_EQ", 6, 2)), rule("TRAP", (0, "MASKED_EQ", 9, 1))], BOTH),
        ([rule("LOG", (0, "MASKED_EQ", 1, 1)), rule("TRAP", (0, "EQ", 5, 0))], BOTH),
        ([rule("LOG", (0, "LT", 5, 0)), rule("TRAP", (0, "GE", 5, 0))], BOTH),
        ([rule("LOG", (0, "LT", 5, 0)), rule("LOG", (0, "GT", 9, 0))], f"{COMBINED} SCMP_CMP_LT wrongly"),
        (
            [rule("LOG", (0, "NE", 5, 0), (1, "EQ", 5, 0)), rule("LOG", (1, "EQ", 6, 0))],
            f"{COMBINED} SCMP_CMP_NE wrongly",
        ),
    ],
)
def test_a_contradiction_is_refused(entries: list[dict[str, Any]], message: str) -> None:
    """Two entries that no order among them could settle, or that libseccomp gets wrong."""
    with pytest.raises(ProfileError, match=message) as refused:
        parse_profile(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": entries}), "x.json")
    assert str(refused.value).startswith("x.json: syscalls[0]")
    assert "read" in str(refused.value)


@pytest.mark.parametrize(
    "entries",
    [
        [rule("LOG", (0, "EQ", 1, 0)), rule("TRAP", (0, "EQ", 2, 0))],
        [rule("LOG", (0, "EQ", 1, 0)), rule("TRAP", (0, "NE", 1, 0))],
        [rule("LOG", (0, "MASKED_EQ", 6, 2)), rule("TRAP", (0, "MASKED_EQ", 12, 4))],
        [rule("LOG", (0, "EQ", 1, 0), (1, "EQ", 1, 0)), rule("TRAP", (0, "EQ", 1, 0), (1, "EQ", 2, 0))],
        [rule("LOG", (0, "EQ", 1, 0)), rule("LOG", (0, "EQ", 1, 0))],
        [rule("LOG", (0, "NE", 1, 0)), rule("LOG", (1, "NE", 1, 0))],
        [rule("LOG", (0, "LT", 5, 0), (1, "NE", 3, 0))],
    ],
)
def test_rules_that_exclude_each_other_are_accepted(entries: list[dict[str, Any]]) -> None:
    """The neighbours of the refusals."""
    parse_profile(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": entries}), "x.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 1 << 65) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
WORDS = [*ActionKind, *Operator, *Architecture, "read", "write", "SCMP_ACT_NOTIFY"]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """GOOD with some of its values replaced by others of its kind, or by anything."""
    document = copy.deepcopy(GOOD)

    def spoil(value: Any) -> Any:
        if draw(st.integers(0, 9)) == 0:
            return draw(JSON | st.sampled_from(WORDS) | st.integers(0, 5))
        if isinstance(value, dict):
            return {key: spoil(inner) for key, inner in value.items()}
        return [spoil(inner) for inner in value] if isinstance(value, list) else value

    return json.dumps(spoil(document))


@given(damaged() | st.text(max_size=20))
@example('{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["\\ud800"],"action":"SCMP_ACT_LOG"}]}')
def test_any_text_is_a_profile_or_is_refused(text: str) -> None:
    """Never another exception; and what is read says only what its types allow."""
    try:
        profile = parse_profile(text, "any.json")
    except ProfileError as refused:
        message = str(refused)
    else:
        message = "any.json"
        assert_sound(profile)
    assert message.startswith("any.json")


def assert_sound(profile: Profile) -> None:
    """What the types of a profile promise, beyond what mypy sees."""
    assert all(r.action != profile.default and r.syscall for r in profile.rules)
    assert all(0 <= c.index <= 5 and 0 <= c.value < 1 << 64 for r in profile.rules for c in r.comparisons)
