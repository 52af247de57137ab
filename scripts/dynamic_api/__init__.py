"""The parts of ``scripts/test_dynamic_api.py``: sample functions, the checks, and how one is asked."""
