"""Who gives way when a front keeps too much for callers who are slow."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from service.http.holdings import Holding, Holdings, Kept

LIMIT = 100


class Room:
    """Holdings, and the names of those that were cut off, in that order."""

    def __init__(self) -> None:
        self.holdings = Holdings("bodies", LIMIT)
        self.cut: list[str] = []
        self.named: dict[str, Holding] = {}

    def keep(self, name: str, size: int) -> list[str]:
        holding = self.named.setdefault(name, Holding(lambda: self.cut.append(name)))
        self.holdings.keep(holding, size)
        return self.cut


def test_the_oldest_gives_way() -> None:
    room = Room()
    room.keep("a", 40)
    room.keep("b", 40)
    assert room.keep("a", 50) == []
    assert room.keep("c", 20) == ["a"]
    assert room.keep("b", 90) == ["a", "b"]
    assert room.keep("c", 100) == ["a", "b"]


def test_one_that_is_alone_never_does() -> None:
    room = Room()
    assert room.keep("a", 2 * LIMIT) == []
    assert room.keep("b", 1) == ["a"]


def test_what_is_whole_does_not_and_leaves_no_room_for_others() -> None:
    room = Room()
    room.keep("whole", 50)
    room.holdings.settle(room.named["whole"], LIMIT)
    assert room.keep("a", 1) == ["a"]
    room.holdings.drop(room.named["whole"])
    assert room.keep("a", LIMIT) == ["a"]


def test_what_was_let_go_is_forgotten() -> None:
    room = Room()
    room.keep("a", 60)
    room.holdings.drop(room.named["a"])
    room.holdings.drop(room.named["a"])
    assert room.keep("b", LIMIT) == []


def test_of_a_connection_body_and_answers_count_apart() -> None:
    bodies, answers = Holdings("bodies", LIMIT), Holdings("answers", LIMIT)
    cut: list[str] = []

    def new(name: str) -> Kept:
        return Kept(
            bodies, answers, lambda: cut.append(f"{name}: body"), lambda: cut.append(f"{name}: answer")
        )

    one, other = new("one"), new("other")
    one.body(60)
    one.answer(60)
    other.body(60)
    assert cut == ["one: body"]
    other.answer(60)
    assert cut == ["one: body", "one: answer"]
    other.close()
    one.body(LIMIT)
    one.answer(LIMIT)
    assert len(cut) == 2


NAMES = st.sampled_from("abcd")


@given(st.lists(st.tuples(st.sampled_from(("keep", "settle", "drop")), NAMES, st.integers(0, 70))))
def test_what_may_give_way_is_never_above_the_limit(steps: list[tuple[str, str, int]]) -> None:
    """Unless it is alone, or whole ones are."""
    room, kept, whole = Room(), dict[str, int](), dict[str, int]()
    for step, name, size in steps:
        holding = room.named.setdefault(name, Holding(partial(room.cut.append, name)))
        if step == "drop":
            room.holdings.drop(holding)
            kept.pop(name, None)
            whole.pop(name, None)
        elif step == "settle" or name in whole:
            room.holdings.settle(holding, size)
            kept.pop(name, None)
            whole[name] = size
        else:
            room.holdings.keep(holding, size)
            kept[name] = size
            for gone in room.cut:
                kept.pop(gone, None)
            room.cut.clear()
            total = sum(kept.values()) + sum(whole.values())
            assert total <= LIMIT or not kept or len(kept) + len(whole) == 1
        assert room.holdings._total == sum(kept.values()) + sum(whole.values())
