"""The parts of ``scripts/bench.py``: what is measured, against what, and how it is shown."""
