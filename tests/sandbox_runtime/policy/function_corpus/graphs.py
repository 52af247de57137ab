"""Modules as an agent writes them, of graphs and searches: each with calls and what they return."""

from __future__ import annotations

MODULES: dict[str, tuple[str, dict[str, object]]] = {
    "dijkstra": (
        """
import heapq
from collections import defaultdict, deque
from math import inf
from typing import TypeVar

T = TypeVar("T")
Graph = dict[T, dict[T, float]]


def shortest(graph: Graph[str], start: str, goal: str) -> tuple[float, list[str]]:
    distance: defaultdict[str, float] = defaultdict(lambda: inf, {start: 0})
    previous, heap, seen = {}, [(0, start)], set()
    while heap:
        cost, node = heapq.heappop(heap)
        if node in seen:
            continue
        seen.add(node)
        if node == goal:
            break
        for neighbour, weight in graph.get(node, {}).items():
            if (new := cost + weight) < distance[neighbour]:
                distance[neighbour] = new
                previous[neighbour] = node
                heapq.heappush(heap, (new, neighbour))
    path = deque()
    while goal in previous:
        path.appendleft(goal)
        goal = previous[goal]
    return cost, [start, *path]
""",
        {"shortest({'a': {'b': 1, 'c': 5}, 'b': {'c': 1}}, 'a', 'c')": (2, ["a", "b", "c"])},
    ),
    "topological": (
        """
from graphlib import CycleError, TopologicalSorter


def order(dependencies):
    try:
        return list(TopologicalSorter(dependencies).static_order())
    except CycleError as error:
        return {"cycle": sorted(set(error.args[1]))}
""",
        {
            "order({'c': ['b'], 'b': ['a']})": ["a", "b", "c"],
            "order({'a': ['b'], 'b': ['a']})": {"cycle": ["a", "b"]},
        },
    ),
    "a star": (
        """
import heapq
from dataclasses import dataclass, field


@dataclass(order=True)
class Node:
    f_score: float
    position: tuple[int, int] = field(compare=False)
    g_score: float = field(default=0, compare=False)


def path_length(grid: list[str]) -> int | None:
    goal = (len(grid) - 1, len(grid[0]) - 1)
    h = lambda p: abs(p[0] - goal[0]) + abs(p[1] - goal[1])
    heap, best = [Node(h((0, 0)), (0, 0))], {(0, 0): 0}
    while heap:
        node = heapq.heappop(heap)
        if node.position == goal:
            return int(node.g_score)
        for dx, dy in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            x, y = node.position[0] + dx, node.position[1] + dy
            if 0 <= x < len(grid) and 0 <= y < len(grid[0]) and grid[x][y] != "#":
                g = node.g_score + 1
                if g < best.get((x, y), 1e9):
                    best[x, y] = g
                    heapq.heappush(heap, Node(g + h((x, y)), (x, y), g))
    return None
""",
        {"path_length(['..#', '#..', '#..'])": 4},
    ),
    "union find": (
        """
class UnionFind:
    def __init__(self, items=()):
        self._parent = {item: item for item in items}

    def __contains__(self, item):
        return item in self._parent

    def find(self, item):
        parent = self._parent.setdefault(item, item)
        if parent != item:
            parent = self._parent[item] = self.find(parent)
        return parent

    def union(self, a, b):
        self._parent[self.find(a)] = self.find(b)


def components(edges):
    forest = UnionFind()
    for a, b in edges:
        forest.union(a, b)
    groups = {}
    for item in forest._parent:
        groups.setdefault(forest.find(item), []).append(item)
    return sorted(sorted(g) for g in groups.values())
""",
        {"components([(1, 2), (2, 3), (4, 5)])": [[1, 2, 3], [4, 5]]},
    ),
    "queens": (
        """
import itertools
from functools import cache, lru_cache, reduce


def queens(n: int) -> int:
    return sum(
        n == len({c + i for i, c in enumerate(p)}) == len({c - i for i, c in enumerate(p)})
        for p in itertools.permutations(range(n))
    )


@cache
def partitions(n, largest=None):
    largest = n if largest is None else largest
    return 1 if n == 0 else sum(partitions(n - k, k) for k in range(1, min(n, largest) + 1))


@lru_cache(maxsize=None)
def edit_distance(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    replaced = edit_distance(a[1:], b[1:]) + (a[0] != b[0])
    return min(edit_distance(a[1:], b) + 1, edit_distance(a, b[1:]) + 1, replaced)


def product(*values):
    return reduce(lambda x, y: x * y, values, 1)
""",
        {
            "queens(6)": 4,
            "partitions(10)": 42,
            "edit_distance('kitten', 'sitting')": 3,
            "product(2, 3, 4)": 24,
        },
    ),
    "generators": (
        """
from collections.abc import Generator, Iterable, Iterator
from itertools import chain, count, islice, takewhile


def primes() -> Iterator[int]:
    found: list[int] = []
    for n in chain([2], count(3, 2)):
        if all(n % p for p in takewhile(lambda p: p * p <= n, found)):
            found.append(n)
            yield n


def averager() -> Generator[float, float, str]:
    total, n, average = 0.0, 0, 0.0
    while True:
        try:
            total += yield average
        except GeneratorExit:
            return "done"
        n += 1
        average = total / n


def run(values: Iterable[float]):
    average = averager()
    next(average)
    seen = [average.send(v) for v in values]
    average.close()
    return list(islice(primes(), 5)), seen


class Countdown:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if self.n <= 0: raise StopIteration
        self.n -= 1
        return self.n
""",
        {"run([1, 3])": ([2, 3, 5, 7, 11], [1.0, 2.0]), "list(Countdown(3))": [2, 1, 0]},
    ),
}
