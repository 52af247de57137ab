"""Two thousand requests leave nothing behind: no descriptor, no process, no memory that grows."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import httpx

from tests.supervisor.processes import tree
from tests.supervisor.serving import PATIENCE, Service, serving, wait_until

CLIENTS = 8
# Every way a run ends that costs no time; one in fifty meets its deadline.
CYCLE = (
    *({"code": "print('x' * 1000); result = 42"},) * 40,
    *({"code": "1/0"},) * 3,
    *({"code": "import os; os.kill(os.getpid(), 9)"},) * 3,
    *({"code": "import os; os.write(3, b'x' * 99)"},) * 3,
    {"code": "import time; time.sleep(9)", "timeout": 0.05},
)
VERDICTS = {"ok": 40, "exception": 3, "signal": 6, "timeout": 1}


async def send(url: str, rounds: int) -> Counter[str]:
    """Each of ``CLIENTS`` sends the cycle so often; how many of each verdict came."""
    verdicts: Counter[str] = Counter()
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client:

        async def one() -> None:
            for body in CYCLE * rounds:
                verdicts[(await client.post("/execute", json=body)).json()["verdict"]] += 1

        await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return verdicts


def descriptors(service: Service) -> tuple[int, int, int]:
    """Of the supervisor, the front, and all zygotes: which zygote an idle worker is of may change. A zygote
    is not dumpable, so only root may look into it."""
    (front,) = service.fronts
    zygotes = service.zygotes if os.geteuid() == 0 else []
    return service.supervisor.descriptors, front.descriptors, sum(z.descriptors for z in zygotes)


async def test_two_thousand_requests_leave_nothing_behind(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        await send(service.url, 1)
        service.settle(4)
        members, baseline = len(tree(service.supervisor)), descriptors(service)
        (front,) = service.fronts
        memory = front.memory
        assert await send(service.url, 5) == Counter({name: 5 * CLIENTS * n for name, n in VERDICTS.items()})
        wait_until(lambda: descriptors(service) == baseline, "the descriptors are back at the baseline")
        wait_until(lambda: len(tree(service.supervisor)) == members, "the processes are back at the baseline")
        assert front.memory < 1.5 * memory
        assert list((tmp_path / "tmp").iterdir()) == []
