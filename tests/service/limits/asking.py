"""Requests whose outcome a test knows."""

from __future__ import annotations

import pytest

from service.access.principal import Principal
from service.errors import RateLimited
from service.limits.limiter import Admission, Limiter


async def admitted(limiter: Limiter, who: Principal, *, runs: bool = True) -> Admission:
    """A request of somebody who has limits, and is within them."""
    admission = await limiter.admit(who, runs=runs)
    assert admission is not None
    return admission


async def refused(limiter: Limiter, who: Principal, *, runs: bool = True) -> RateLimited:
    """The refusal of a request."""
    with pytest.raises(RateLimited) as caught:
        await limiter.admit(who, runs=runs)
    return caught.value
