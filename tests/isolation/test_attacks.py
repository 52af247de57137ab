"""Every row of the attack table in the full jail, and its controls."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping

import pytest

from sandbox_runtime.layers import Layer
from tests.isolation.attack import Attack, Exact, Fence, seen
from tests.isolation.attacks.table import ATTACKS
from tests.isolation.host import base_python, program_of, python_for_everyone, targets
from tests.support import Sandboxes

_CONTROLLED = [attack for attack in ATTACKS if attack.control is not None]
_IN_DEPTH = [(attack, layer) for attack in _CONTROLLED if len(attack.layers) > 1 for layer in attack.layers]
_ran: set[str] = set()


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    with Sandboxes() as started:
        yield started


@pytest.fixture(scope="module")
def names() -> Iterator[Mapping[str, str]]:
    with targets() as found:
        yield found


@pytest.fixture(scope="module")
def reachable_python() -> Iterator[str]:
    with python_for_everyone() as executable:
        yield executable


def _needs_machine(attack: Attack) -> None:
    if attack.machine and platform.machine() != attack.machine:
        pytest.skip(f"a {attack.machine} attack")


def _needs_layers(attack: Attack, sandboxes: Sandboxes) -> None:
    missing = set(attack.layers) - sandboxes.in_force()
    if missing:
        pytest.skip(f"this host has no {', '.join(sorted(missing))}")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_fails_in_the_jail(attack: Attack, sandboxes: Sandboxes, names: Mapping[str, str]) -> None:
    _ran.add(attack.name)
    _needs_machine(attack)
    outcome = sandboxes.run(program_of(attack, names), **attack.options)
    got = seen(outcome, stdout=attack.outcome.stdout is not None)
    assert got == attack.outcome, (outcome.detail, outcome.stderr.text)


@pytest.mark.parametrize("attack", _CONTROLLED, ids=lambda attack: attack.name)
def test_control_attack_works_without_what_stops_it(
    attack: Attack, sandboxes: Sandboxes, names: Mapping[str, str]
) -> None:
    _needs_machine(attack)
    options = {**attack.options, **attack.control_options}
    outcome = sandboxes.run(program_of(attack, names), off=(*attack.layers, *attack.also_off), **options)
    assert seen(outcome) == attack.control, (outcome.detail, outcome.stderr.text)
    assert attack.control != attack.outcome


@pytest.mark.parametrize(("attack", "layer"), _IN_DEPTH, ids=lambda value: getattr(value, "name", value))
def test_each_layer_of_a_row_is_enough_alone(
    attack: Attack, layer: Layer, sandboxes: Sandboxes, names: Mapping[str, str], reachable_python: str
) -> None:
    """All that stop this attack are off but one, and it still does not work."""
    _needs_machine(attack)
    _needs_layers(attack, sandboxes)
    others = {*attack.layers, *attack.also_off} - {layer}
    with base_python(reachable_python):
        outcome = sandboxes.run(program_of(attack, names), off=others, **attack.options)
    assert seen(outcome) != attack.control, (outcome.detail, outcome.stderr.text)


def test_every_row_ran() -> None:
    """A row that the parametrization loses would go unnoticed."""
    assert _ran == {attack.name for attack in ATTACKS}


def test_table_is_complete() -> None:
    assert len(ATTACKS) >= 90
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    for attack in ATTACKS:
        assert attack.layers or isinstance(attack.fence, Fence), f"{attack.name}: what stops it?"
        assert (attack.control is None) == bool(attack.no_control), (
            f"{attack.name}: a control, or why there is none"
        )
        assert isinstance(attack.outcome, Exact)


def test_every_layer_stops_something() -> None:
    """A layer that no row needs is one whose loss no test would notice."""
    untested = {
        Layer.CGROUP_LIMITS,  # by effect on a machine that has them: tests/deploy/cgroup_checks.py
        Layer.CGROUP_NAMESPACE,  # shows in /proc/self/cgroup alone, and there is no /proc
        Layer.USER_NAMESPACE,  # every other namespace stands on it
        Layer.MOUNT_NAMESPACE,  # the private root stands on it
        Layer.IPC_NAMESPACE,  # behind seccomp, which refuses every call of it
        Layer.NOT_DUMPABLE,  # test_cross_worker
    }
    assert {layer for attack in ATTACKS for layer in attack.layers} == set(Layer) - untested
