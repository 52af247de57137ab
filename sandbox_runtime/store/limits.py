"""Every bound of the store in one place. Each keeps one hostile request from costing more than its share."""

from __future__ import annotations

MAX_RECORD_BYTES = 1 << 20
MAX_RECORD_DEPTH = 100
MAX_ID_CHARS = 255
# The largest integer id leaves room for a next one in SQLite's 64 bits.
MAX_INTEGER_ID = 2**63 - 2

MAX_NAME_CHARS = 128
MAX_COLLECTIONS = 256

MAX_PATH_CHARS = 256
MAX_PATH_DEPTH = 16
MAX_CONDITIONS = 64
MAX_VALUES = 256
MAX_VALUE_CHARS = 4096
MAX_SORT_KEYS = 8
MAX_FIELDS = 64
MAX_LINKS = 16

# What one call may bring into memory, as JSON text; Python objects take several times as much.
MAX_FETCH_BYTES = 16 << 20
MAX_BULK = 100_000

MAX_PATCH_OPERATIONS = 1000
# Values that the operations of one patch may copy: thirty doublings of one value are a billion.
MAX_PATCH_NODES = 100_000

MAX_LEARNED_NODES = 400
MAX_LEARNED_DEPTH = 5
MAX_LEARNED_ITEMS = 8
MAX_EXAMPLE_BYTES = 2048

MAX_INDEXES_PER_COLLECTION = 6
MAX_INDEXES = 24
# A scan of fewer records takes less than a millisecond.
INDEX_FROM_RECORDS = 1000
INDEX_AFTER_SCANS = 3
