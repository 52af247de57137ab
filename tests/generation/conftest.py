"""One front for each module here, whose script each test begins anew."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.generation.desk import Desk, open_desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """It stands."""
    async with open_desk(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest.fixture
def desk(front: Desk) -> Desk:
    """With a planner that has not been asked and says nothing."""
    front.planner.begin()
    return front
