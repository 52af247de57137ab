"""A front whose work beside requests has failed is replaced: it would see no keys, and refuse everybody."""

from __future__ import annotations

from pathlib import Path

from tests.supervisor.serving import serving, wait_until

# Imported by every Python of the service; in fronts, what looks at the keys fails once when it is told to.
CUSTOM = """
import os, sys
if "service.front" in sys.orig_argv:
    from service.access.watch import Watch
    look = Watch._look
    async def look_or_fail(self):
        try:
            os.unlink({file!r})
        except FileNotFoundError:
            return await look(self)
        raise ZeroDivisionError("for a test")
    Watch._look = look_or_fail
"""


def test_a_front_with_a_fault_is_replaced(tmp_path: Path) -> None:
    file, place = tmp_path / "fault", tmp_path / "custom"
    place.mkdir()
    (place / "sitecustomize.py").write_text(CUSTOM.format(file=str(file)))
    with serving(tmp_path / "service", PYTHONPATH=str(place), LARS_FRONTS="2") as service:
        before = {front.pid for front in service.fronts}
        file.touch()
        wait_until(lambda: service.events("front_died"), "the end of a front")
        (fault,) = service.events("front_fault")
        assert "ZeroDivisionError: for a test" in fault["exception"]
        wait_until(lambda: len(service.fronts) == 2, "another front")
        assert len({front.pid for front in service.fronts} & before) == 1
        assert service.answers()
        assert service.stop() == 0
