"""The queue against a plain model, and what it promises to each principal."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from service.pool.fair_queue import FairQueue

WHO = st.sampled_from("abcd")


def anybody(_: str) -> bool:
    return True


class Model(RuleBasedStateMachine):
    """Every principal's items as a list, and the principals in the order of their turns."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[int] = FairQueue(10)
        self.lines: dict[str, list[int]] = {}
        self.numbers = count()

    @rule(who=WHO)
    def push(self, who: str) -> None:
        if self.queue.admits(who):
            item = next(self.numbers)
            self.queue.push(who, item)
            self.lines.setdefault(who, []).append(item)

    @rule(barred=st.sets(WHO))
    def pop(self, barred: set[str]) -> None:
        asked: list[str] = []

        def may_have(who: str) -> bool:
            asked.append(who)
            return who not in barred

        found = self.queue.pop(may_have)
        allowed = [who for who in self.lines if who not in barred]
        assert len(asked) == len(set(asked))
        if not allowed:
            assert found is None, "nobody may have it"
            return
        who, line = allowed[0], self.lines.pop(allowed[0])
        assert found == (who, line.pop(0)), "whoever may have it gets it, the first of those whose turn it is"
        if line:
            self.lines[who] = line  # at the end of the turns

    @rule(who=WHO, where=st.integers(0, 9))
    def remove(self, who: str, where: int) -> None:
        line = self.lines.get(who, [])
        item = line[where] if where < len(line) else -1
        self.queue.remove(who, item)
        if item in line:
            line.remove(item)
        if not line:
            self.lines.pop(who, None)

    @invariant()
    def counts(self) -> None:
        assert len(self.queue) == sum(map(len, self.lines.values())) <= 10
        assert {who: self.queue.waiting(who) for who in "abcd" if self.queue.waiting(who)} == {
            who: len(line) for who, line in self.lines.items()
        }


TestModel = Model.TestCase


@given(st.lists(WHO, max_size=60))
def test_nobody_is_served_twice_while_another_waits(order: list[str]) -> None:
    queue: FairQueue[int] = FairQueue(1000)
    for number, who in enumerate(order):
        queue.push(who, number)
    served = []
    while (found := queue.pop(anybody)) is not None:
        served.append(found)
    assert sorted(number for _, number in served) == list(range(len(order)))
    for who in set(order):
        turns = [turn for turn, (other, _) in enumerate(served) if other == who]
        others = len(set(order)) - 1
        gaps = [later - earlier - 1 for earlier, later in zip([-1, *turns], turns, strict=False)]
        assert max(gaps) <= others
        numbers = [number for other, number in served if other == who]
        assert numbers == sorted(numbers)


def test_a_share_of_the_places_is_left_to_others() -> None:
    queue: FairQueue[int] = FairQueue(8)
    numbers = count()
    while queue.admits("greedy"):
        queue.push("greedy", next(numbers))
    assert (queue.waiting("greedy"), queue.admits("other"), queue.admits("")) == (7, True, True)
    queue.push("other", next(numbers))
    assert (queue.admits("third"), queue.admits("")) == (False, False)


def test_the_exempt_may_have_every_place() -> None:
    queue: FairQueue[int] = FairQueue(8)
    numbers = count()
    while queue.admits(""):
        queue.push("", next(numbers))
    assert len(queue) == 8
    assert queue.clear() == list(range(8))
    assert (len(queue), queue.pop(anybody)) == (0, None)
