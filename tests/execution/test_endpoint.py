"""POST /execute without a server: what an endpoint does before it has a job."""

from __future__ import annotations

from service.app import create_app
from service.limits.store import open_store
from service.pool.pool import Pool, PoolSize
from service.settings import Settings
from service.state import new_passage, new_state
from tests.service.http.harness import Exchange


async def test_a_full_pool_refuses_before_the_body_is_read() -> None:
    """Not one chunk is pulled, whatever the body is."""
    pool = Pool(PoolSize(idle=1, workers=1, queue=0))
    settings = Settings.from_env({})
    state = new_state(settings, pool, new_passage(settings, await open_store("memory")))
    app = create_app(state)
    exchange = await Exchange("POST", "/execute", chunks=[b"no JSON"]).run(app)
    assert (exchange.status, exchange.json["code"], exchange.pulled) == (503, "overloaded", 0)
    assert exchange.answer_headers["retry-after"] == "1"
    await state.close()
