"""The private root: a tmpfs with read-only Python, shared libraries, time zones and four devices.

It has no /proc, no /sys, nothing of the host's /etc, /home, /run or /var. bwrap's order is followed: a
tmpfs becomes the root first, and the host is reachable only under ``_OLD`` until it is detached.
"""

from __future__ import annotations

import os
import sysconfig

from sandbox_runtime import linux

_BASE = "/tmp"  # any directory that exists everywhere; the mount over it is seen by this namespace only
_OLD = "/.old"
_EMPTY = "/.empty"
_LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib64")
_ZONES = "/usr/share/zoneinfo"
_DEVICES = ("null", "zero", "random", "urandom")
_FILES = {
    # The zygote is 1000. In a worker's own user namespace nothing is mapped, which the kernel shows as 65534.
    "/etc/passwd": "".join(f"sandbox:x:{uid}:{uid}:sandbox:/tmp:/bin/false\n" for uid in (65534, 1000)),
    "/etc/group": "sandbox:x:65534:\nsandbox:x:1000:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_LOADER_CACHE = "/etc/ld.so.cache"


def python_paths() -> tuple[str, ...]:
    """What the private root shows of the host, each at its own path: the standard library of the running
    interpreter, shared libraries, time zones."""
    wanted = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *_LIBRARIES, _ZONES)
    kept: list[str] = []
    for path in wanted:
        real = os.path.realpath(path)
        covered = any(real == k or real.startswith(k + "/") for k in kept)
        if os.path.isdir(real) and not covered:
            kept = [k for k in kept if not k.startswith(real + "/")] + [real]
    return tuple(kept)


def hidden_paths() -> tuple[str, ...]:
    """Directories within ``python_paths`` that hold installed packages of the host."""
    stdlib = sysconfig.get_path("stdlib")
    candidates = (
        os.path.join(stdlib, "site-packages"),
        os.path.join(stdlib, "dist-packages"),
        "/usr/lib/python3/dist-packages",
    )
    return tuple(path for path in candidates if os.path.isdir(path))


def build(shown: tuple[str, ...], hidden: tuple[str, ...]) -> None:
    """Make the private root and enter it. The caller's mount namespace must be its own and private."""
    linux.mount("root", _BASE, "tmpfs", linux.MS_NOSUID, "size=4m,nr_inodes=4096,mode=0755")()
    os.mkdir(_BASE + _OLD)
    linux.pivot_root(_BASE, _BASE + _OLD)()
    os.chdir("/")
    os.mkdir(_EMPTY, 0o555)
    for path in shown:
        _show(path)
    for path in hidden:
        _hide(path)
    _copy_library_links()
    for name in _DEVICES:
        _show_device(name)
    for path, text in _FILES.items():
        _write_file(path, text.encode())
    _copy_loader_cache()
    os.mkdir("/tmp", 0o1777)
    linux.set_mount_attributes("/", linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID)()
    linux.unmount_lazily(_OLD)()


def _show(path: str) -> None:
    os.makedirs(path, 0o755, exist_ok=True)
    linux.mount(_OLD + path, path, None, linux.MS_BIND | linux.MS_REC)()
    linux.set_mount_attributes(path, linux.MOUNT_ATTR_NODEV)()


def _hide(path: str) -> None:
    linux.mount(_EMPTY, path, None, linux.MS_BIND)()


def _copy_library_links() -> None:
    for path in _LIBRARIES:
        if os.path.islink(_OLD + path) and not os.path.lexists(path):
            os.symlink(os.readlink(_OLD + path), path)


def _show_device(name: str) -> None:
    path = f"/dev/{name}"
    _write_file(path, b"")
    linux.mount(_OLD + path, path, None, linux.MS_BIND)()


def _write_file(path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _copy_loader_cache() -> None:
    if os.path.isfile(_OLD + _LOADER_CACHE):
        with open(_OLD + _LOADER_CACHE, "rb") as file:
            _write_file(_LOADER_CACHE, file.read())
