"""The layers by name: the JSON of their states, and what is below a floor."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.layers import DEFAULT_FLOOR, STOPS, Layer, LayerState, below_floor, states_from_json

STATES = st.lists(
    st.builds(LayerState, st.sampled_from(Layer), st.booleans(), st.text(max_size=9), st.text(max_size=9))
)


def test_every_layer_says_what_it_stops() -> None:
    assert set(STOPS) == set(Layer)
    assert all(STOPS.values())


def test_the_default_floor_names_no_layer_twice() -> None:
    assert len(set(DEFAULT_FLOOR)) == len(DEFAULT_FLOOR)


@given(STATES)
def test_states_come_back_from_their_json(states: list[LayerState]) -> None:
    assert states_from_json([state.as_json() for state in states]) == tuple(states)


def test_the_json_of_a_state() -> None:
    assert LayerState(Layer.SECCOMP, False, "why", "what to do").as_json() == {
        "layer": "seccomp",
        "in_force": False,
        "stops": STOPS[Layer.SECCOMP],
        "reason": "why",
        "remedy": "what to do",
    }


@pytest.mark.parametrize(
    "rows",
    [
        None,
        {},
        "seccomp",
        [None],
        [[]],
        [{}],
        [{"layer": "seccomp"}],
        [{"layer": "seccomp", "in_force": 1}],
        [{"layer": "moat", "in_force": True}],
        [{"layer": None, "in_force": True}],
    ],
)
def test_what_is_not_a_list_of_states_is_a_value_error(rows: Any) -> None:
    with pytest.raises(ValueError, match=r"layers|not a valid Layer"):
        states_from_json(rows)


def test_below_the_floor_is_what_is_not_in_force_and_what_nobody_reported() -> None:
    states = (LayerState(Layer.SECCOMP, True), LayerState(Layer.SCRATCH, False, "why", "what to do"))
    floor = (Layer.SECCOMP, Layer.SCRATCH, Layer.RLIMITS)
    assert below_floor(states, floor) == (
        states[1],
        LayerState(Layer.RLIMITS, False, "not reported by the sandbox"),
    )
    assert below_floor(states, ()) == ()


@given(STATES, st.lists(st.sampled_from(Layer), unique=True))
def test_a_floor_holds_exactly_when_each_of_its_layers_is_in_force(
    states: list[LayerState], floor: list[Layer]
) -> None:
    in_force = {state.layer: state.in_force for state in states}
    missing = [state.layer for state in below_floor(states, floor)]
    assert missing == [layer for layer in floor if not in_force.get(layer, False)]
