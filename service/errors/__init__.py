"""Every error that a caller can be answered with: one tree, one table, one JSON shape.

    LarsError
    ├── StoreRefused                 a session's store refused it: STORE_KINDS says who is at fault
    ├── PlannerFailed                no model could be asked, or none helped: PLANNER_KINDS
    ├── FunctionError                the loaded function is at fault
    │   ├── FunctionFailed
    │   └── FunctionTimeout
    ├── RequestError                 the request is at fault
    │   ├── BadRequest
    │   │   └── MalformedJson
    │   ├── PolicyRefused
    │   ├── Unauthorized             no key, or none that is good
    │   │   ├── KeyMissing
    │   │   ├── KeyMalformed
    │   │   ├── KeyUnknown
    │   │   ├── KeyRevoked
    │   │   └── KeyExpired
    │   ├── ScopeMissing
    │   ├── UploadRefused
    │   ├── NotFound
    │   ├── Conflict
    │   │   └── IdempotencyConflict
    │   ├── PreconditionFailed
    │   ├── MethodNotAllowed
    │   ├── RequestTimeout
    │   ├── PayloadTooLarge
    │   ├── UriTooLong
    │   ├── HeadersTooLarge
    │   ├── RateLimited
    │   ├── UnsupportedMediaType
    │   ├── ModuleFailed
    │   └── ValidationFailed
    └── ServiceError                 the service is at fault
        ├── TryLater
        │   ├── Overloaded
        │   ├── QueueTimeout
        │   ├── TooManyConnections
        │   ├── PlanPending
        │   ├── NotReady
        │   ├── ControlUnavailable
        │   └── LimitsUnavailable
        ├── StorageUnavailable
        ├── PlanFailed
        ├── PlanRefused
        ├── PlannerRequired
        ├── RunTimeout
        ├── WorkerLost
        └── InternalError

What a program does (an exception, a timeout) is no error of the service: it is a 200 with a verdict.
``KINDS`` gives each class its status, code and title, ``STORE_KINDS`` and ``PLANNER_KINDS`` each of the
store's and the planner's codes; ``problem`` makes the answer (RFC 9457). What a caller reads about each code
is in ``service.error_docs``.
"""

from __future__ import annotations

from service.errors.access import (
    ControlUnavailable,
    KeyExpired,
    KeyMalformed,
    KeyMissing,
    KeyRevoked,
    KeyUnknown,
    LimitsUnavailable,
    RateLimited,
    ScopeMissing,
    Unauthorized,
)
from service.errors.base import MISSING, FieldError, LarsError, RequestError, ServiceError, TryLater, shown
from service.errors.body import INSTANCE_PREFIX, MEDIA_TYPE, TYPE_PREFIX, problem
from service.errors.functions import FunctionError, FunctionFailed, FunctionTimeout, ModuleFailed
from service.errors.kinds import KINDS, PLANNER_KINDS, STORE_KINDS, Kind, kind_of
from service.errors.request import (
    BadRequest,
    Conflict,
    HeadersTooLarge,
    IdempotencyConflict,
    MalformedJson,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PolicyRefused,
    PreconditionFailed,
    RequestTimeout,
    UnsupportedMediaType,
    UploadRefused,
    UriTooLong,
    ValidationFailed,
)
from service.errors.service import (
    InternalError,
    NotReady,
    Overloaded,
    PlanFailed,
    PlannerFailed,
    PlannerRequired,
    PlanPending,
    PlanRefused,
    QueueTimeout,
    RunTimeout,
    StorageUnavailable,
    StoreRefused,
    TooManyConnections,
    WorkerLost,
)

__all__ = [
    "INSTANCE_PREFIX",
    "KINDS",
    "MEDIA_TYPE",
    "MISSING",
    "PLANNER_KINDS",
    "STORE_KINDS",
    "TYPE_PREFIX",
    "BadRequest",
    "Conflict",
    "ControlUnavailable",
    "FieldError",
    "FunctionError",
    "FunctionFailed",
    "FunctionTimeout",
    "HeadersTooLarge",
    "IdempotencyConflict",
    "InternalError",
    "KeyExpired",
    "KeyMalformed",
    "KeyMissing",
    "KeyRevoked",
    "KeyUnknown",
    "Kind",
    "LarsError",
    "LimitsUnavailable",
    "MalformedJson",
    "MethodNotAllowed",
    "ModuleFailed",
    "NotFound",
    "NotReady",
    "Overloaded",
    "PayloadTooLarge",
    "PlanFailed",
    "PlanPending",
    "PlanRefused",
    "PlannerFailed",
    "PlannerRequired",
    "PolicyRefused",
    "PreconditionFailed",
    "QueueTimeout",
    "RateLimited",
    "RequestError",
    "RequestTimeout",
    "RunTimeout",
    "ScopeMissing",
    "ServiceError",
    "StorageUnavailable",
    "StoreRefused",
    "TooManyConnections",
    "TryLater",
    "Unauthorized",
    "UnsupportedMediaType",
    "UploadRefused",
    "UriTooLong",
    "ValidationFailed",
    "WorkerLost",
    "kind_of",
    "problem",
    "shown",
]
