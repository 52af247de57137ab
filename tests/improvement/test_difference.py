"""The difference of two modules, made by real workers: what it is, and what hostile texts cannot do to it."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from service.errors import NotReady, QueueTimeout
from service.improvement.difference import MAX_DIFFERENCE, difference
from service.pool.local import local_sandbox
from service.pool.pool import Pool, PoolSize
from tests.support import default_spec

pytestmark = pytest.mark.asyncio(loop_scope="module")
BEFORE = "def f(n):\n    return n\n"
AFTER = "def f(n):\n    return n + 1"
SHOWN = """\
--- before
+++ after
@@ -1,2 +1,2 @@
 def f(n):
-    return n
+    return n + 1
\\ No newline at end of file
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Pool]:
    async with local_sandbox(default_spec(), PoolSize(1, 2, 4)) as sandbox:
        yield sandbox.pool


async def _difference(pool: Pool, before: str, after: str, seconds: float = 20.0) -> str:
    return await difference(pool, before, after, time.monotonic() + seconds)


def _hostile() -> tuple[str, str]:
    """Lines of 110 kinds: no kind is so frequent that difflib passes over it, and each line is met with all
    of its kind, again in each part between two matches."""
    draw, kinds = random.Random(1), [f"{n % 110}\n" for n in range(60_000)]
    return "".join(draw.sample(kinds, len(kinds))), "".join(draw.sample(kinds, len(kinds)))


async def test_what_has_changed_is_shown(pool: Pool) -> None:
    assert await _difference(pool, BEFORE, AFTER) == SHOWN
    assert await _difference(pool, BEFORE, BEFORE) == ""


@pytest.mark.parametrize("text", ["\r", "\f", "\u2028", "\x00", "é\U0001f600", '"""', "{data}", "\\n"])
async def test_lines_end_with_newlines_alone(pool: Pool, text: str) -> None:
    """Whatever else is in them is shown as it is."""
    found = await _difference(pool, "", f"a = 1{text}b = 2\n")
    assert found == f"--- before\n+++ after\n@@ -0,0 +1 @@\n+a = 1{text}b = 2\n"


async def test_half_a_character_is_shown_as_none(pool: Pool) -> None:
    assert (await _difference(pool, "", "a\ud800\n")).endswith("\n+a?\n")


async def test_one_that_is_too_long_is_told(pool: Pool) -> None:
    """With its length; one that just fits is shown, even where its JSON is six times as long."""
    head = len("--- before\n+++ after\n@@ -0,0 +1 @@\n+\n")
    most = "\x01" * (MAX_DIFFERENCE - head)
    assert len(await _difference(pool, "", f"{most}\n")) == MAX_DIFFERENCE
    assert await _difference(pool, "", f"{most}é\n") == (
        f"the difference is too long to be shown: it has {MAX_DIFFERENCE + 2} bytes, the limit is "
        f"{MAX_DIFFERENCE}; compare the texts of the two versions"
    )


async def test_the_longest_modules_can_be_compared(pool: Pool) -> None:
    before = "".join(f"value_{n} = {n}\n" for n in range(26_000))
    assert len(before) > 480 * 1024
    found = await _difference(pool, before, before.replace("value_77 = 77", "value_77 = 78"))
    assert "\n-value_77 = 77\n+value_77 = 78\n" in found


async def test_texts_that_take_long_end_with_their_time(pool: Pool) -> None:
    """After two seconds, or at the deadline; the next one is as quick as ever."""
    before, after = _hostile()
    began = time.monotonic()
    ended = await _difference(pool, before, after)
    assert 1.9 < time.monotonic() - began < 4
    began = time.monotonic()
    assert await _difference(pool, before, after, 0.3) == ended
    assert time.monotonic() - began < 1.5
    assert ended == (
        "the difference is too long to be shown: it was not found in time; compare the texts of the two "
        "versions"
    )
    assert await _difference(pool, BEFORE, AFTER) == SHOWN


async def test_without_the_limit_they_take_longer() -> None:
    """The same in a process of ours."""
    before, after = (text.splitlines() for text in _hostile())
    code = f"from difflib import unified_diff\nlist(unified_diff({before!r}, {after!r}))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-", stdin=asyncio.subprocess.PIPE)
    try:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.communicate(code.encode()), 3)
    finally:
        process.kill()
        await process.wait()


async def test_memory_is_little(pool: Pool) -> None:
    """Texts of nothing but line ends: a sentence, whichever limit is met first."""
    found = await _difference(pool, "\n" * 4_000_000, "\n \n" * 1_500_000)
    assert found.startswith("the difference "), found[:200]


async def test_without_a_worker_it_is_told() -> None:
    """A front that is busy has no difference; one that ends says so as ever."""
    pool = Pool(PoolSize(0, 1, 0))
    assert (await _difference(pool, BEFORE, AFTER)).startswith("the difference could not be made: ")
    await pool.close()
    with pytest.raises(NotReady):
        await _difference(pool, BEFORE, AFTER)


async def test_time_that_is_over_before(pool: Pool) -> None:
    """It is told, though a worker is idle."""
    why = QueueTimeout(retry_after=1).detail
    assert await _difference(pool, BEFORE, AFTER, -1.0) == (
        f"the difference could not be made: {why}; compare the texts of the two versions"
    )
