"""Putting a module where it can be loaded from, and recording who has."""

from __future__ import annotations

from dataclasses import dataclass

from service.access.principal import Actor
from service.control.control import Control
from service.control.seals import Event
from service.errors import BadRequest, RequestError, kind_of
from service.functions.functions import Functions
from service.functions.names import read_module_place
from service.functions.sources import digest_of

_SUFFIX = ".py"


@dataclass(frozen=True, slots=True)
class Put:
    """What is to be put: ``file`` is the module's name with .py."""

    contract: str
    file: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Uploaded:
    """``size`` in bytes; ``digest``: SHA-256 of the bytes; ``created``: there was none of this name."""

    visible_pixel_hash: str
    module_name: str
    size: int
    digest: str
    created: bool


async def put_module(functions: Functions, control: Control, put: Put, by: Actor) -> Uploaded:
    """Acknowledged when it is on the disk. BadRequest, ValidationFailed, PayloadTooLarge, UploadRefused;
    errors of the service."""
    if not put.file.endswith(_SUFFIX):
        raise BadRequest(f"{put.file[:100]!r} is no module's file; send PUT /uploads/HASH/MODULE.py")
    contract, module = read_module_place(put.contract, put.file.removesuffix(_SUFFIX))
    digest = digest_of(put.data)
    event = Event(by, "function.upload", f"{contract}/{module}", {"size": len(put.data), "digest": digest})
    try:
        is_new = await functions.uploads.write(contract, module, put.data)
    except RequestError as error:
        refused = Event(event.by, event.action, event.target, event.detail, kind_of(error).code)
        await control.audit.append(refused)
        raise
    await control.audit.append(event)
    return Uploaded(contract, module, len(put.data), digest, is_new)
