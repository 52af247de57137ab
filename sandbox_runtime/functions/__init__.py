"""Loaded functions inside a contract's worker: modules, signatures, arguments, calls, results."""
