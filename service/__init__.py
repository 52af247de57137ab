"""The trusted side: HTTP, the pool of workers, and the supervisor. Holds no foreign code."""

__version__ = "0.1.0"
