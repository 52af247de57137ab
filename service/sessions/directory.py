"""Where the data of a session lies: ``<data root>/sessions/<2 hex>/<62 hex>``, the digest of who and which.

A name never reaches the file system, only its digest. The service makes the directory before jailed code has
seen it, hands it on as a descriptor, and opens nothing in it by a path. Everything here blocks; OSError.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

import orjson

from sandbox_runtime.domain import Session
from service.sessions.removal import open_anyhow, remove_tree

_MODE = 0o700
_NOBODY = 65534  # whom a worker becomes where the service runs as root: sandbox_runtime.jail
DATA = "data.db"
_BLOCK = 1 << 20
Identity = tuple[int, int]  # device and inode


def digest_of(session: Session) -> str:
    """64 hexadecimal digits. Principal and id are told apart by JSON, so no pair reads as another."""
    if not session.principal:
        return session.session_id
    return hashlib.sha256(orjson.dumps([session.principal, session.session_id])).hexdigest()


def stored_session(digest: str) -> Session:
    """The session of this digest, for who finds its directory and not whose it is. No caller has
    such a principal."""
    return Session("", digest)


def touch(root: Path, sessions: list[Session]) -> None:
    """Note that these are in use."""
    for session in sessions:
        with contextlib.suppress(FileNotFoundError):
            os.utime(_path(root, session))


def open_directory(root: Path, session: Session) -> int:
    """A descriptor of the session's directory, made when there is none."""
    return open_or_make(root, session)[0]


def open_or_make(root: Path, session: Session) -> tuple[int, bool]:
    """The same, and whether it was made."""
    with _parent(root, session) as (beneath, name):
        while True:
            made = _make(name, beneath)
            with contextlib.suppress(FileNotFoundError):  # just removed
                opened = _open(name, beneath)
                os.utime(opened)
                return opened, made


def identity_of(directory: int) -> Identity:
    """Of an open directory: of no other as long as anybody has it open."""
    found = os.fstat(directory)
    return found.st_dev, found.st_ino


def look(root: Path, session: Session, identity: Identity) -> tuple[bool, bool]:
    """Whether this is the session's directory now (it may have been removed, and made anew, since), and
    whether its data are there."""
    path = _path(root, session)
    try:
        found = os.lstat(path)
        return (found.st_dev, found.st_ino) == identity, os.path.lexists(path / DATA)
    except FileNotFoundError:
        return False, False


def exists(root: Path, session: Session) -> bool:
    """Whether the session holds anything. What that is, is for jailed code to look at."""
    try:
        with os.scandir(_path(root, session)) as entries:
            return next(entries, None) is not None
    except FileNotFoundError:
        return False
    except PermissionError:  # its worker owns it and may change its mode
        return True


def remove(root: Path, session: Session) -> None:
    """Out of sight at once, then gone. Follows no link."""
    with _parent(root, session) as (beneath, name):
        away = f"{name}.{secrets.token_hex(8)}"
        try:
            os.rename(name, away, src_dir_fd=beneath, dst_dir_fd=beneath)
        except FileNotFoundError:
            return
        remove_tree(away, beneath)


def copy_data(root: Path, source: Session, file: str, target: Session, most: int) -> bool:
    """Make the bytes of ``file`` of one session, at most ``most``, the data of another that holds nothing.
    False when it holds something, FileNotFoundError when the first is gone. The file itself is left to its
    maker, who may have it open or linked."""
    with _parent(root, source) as (from_beneath, from_name), _parent(root, target) as (beneath, name):
        origin = _open(from_name, from_beneath)
        fresh = f"{name}.{secrets.token_hex(8)}"
        _make(fresh, beneath)
        made = _open(fresh, beneath)
        try:
            _copy(origin, file, made, most)
            os.rename(fresh, name, src_dir_fd=beneath, dst_dir_fd=beneath)
        except OSError:  # the target's directory is not empty: ENOTEMPTY, EEXIST
            remove_tree(fresh, beneath)
            if exists(root, target):
                return False
            raise
        finally:
            with contextlib.suppress(OSError):
                os.unlink(file, dir_fd=origin)
            os.close(origin)
            os.close(made)
    return True


def _copy(origin: int, file: str, made: int, most: int) -> None:
    # NONBLOCK: it may have become a FIFO.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(file, flags, dir_fd=origin), "rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise OSError(f"{file} is no file")
        copy = os.open(DATA, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=made)
        with os.fdopen(copy, "wb") as target:
            while most > 0 and (block := source.read(min(_BLOCK, most))):
                most -= target.write(block)
            target.flush()
            if os.geteuid() == 0:
                os.fchown(copy, _NOBODY, _NOBODY)
            os.fsync(copy)


def try_lock(root: Path, session: Session) -> int | None:
    """A descriptor that nobody else, on any front, gets for this session or a neighbour until it is closed;
    None while another has it. What is locked is above the reach of jailed code (flock(2))."""
    with _parent(root, session) as (beneath, _):
        try:
            fcntl.flock(beneath, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return os.dup(beneath)


@contextlib.contextmanager
def _parent(root: Path, session: Session) -> Iterator[tuple[int, str]]:
    """The directory above the session's, and the name in it."""
    path = _path(root, session)
    parent = path.parent
    parent.mkdir(mode=_MODE, parents=True, exist_ok=True)
    beneath = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield beneath, path.name
    finally:
        os.close(beneath)


def _path(root: Path, session: Session) -> Path:
    digest = digest_of(session)
    return root / "sessions" / digest[:2] / digest[2:]


def _open(name: str, beneath: int) -> int:
    try:
        opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=beneath)
    except PermissionError:  # its worker has changed its mode
        opened = open_anyhow(name, beneath)
    if os.geteuid() == 0:
        os.fchown(opened, _NOBODY, _NOBODY)  # here, for another front may have made it just now
    return opened


def _make(name: str, beneath: int) -> bool:
    try:
        os.mkdir(name, _MODE, dir_fd=beneath)
    except FileExistsError:
        return False
    return True
