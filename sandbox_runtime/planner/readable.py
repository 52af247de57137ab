"""Which files the planner needs when it is confined: certificates of authorities, and name resolution."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

# Where distributions keep them; libraries look there themselves.
_AUTHORITIES: Final = (
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted/pem",
)
_RUN: Final = Path("/run")
# See their pages in section 5 of the manual.
_NAMES: Final = ("resolv.conf", "hosts", "nsswitch.conf", "gai.conf", "host.conf", "services")


def readable(environ: Mapping[str, str]) -> frozenset[Path]:
    """Real paths of files and directories, all of which exist."""
    return frozenset((*_certificates(environ), *_name_resolution()))


def _certificates(environ: Mapping[str, str]) -> Iterator[Path]:
    defaults = ssl.get_default_verify_paths()
    named = (defaults.cafile, defaults.capath, environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR"))
    for name in (*_AUTHORITIES, *filter(None, named), *_certifi()):
        yield from _with_targets(Path(name))


def _certifi() -> Iterator[str]:
    """The bundle that some HTTP libraries bring with them. It is looked for and not imported."""
    found = find_spec("certifi")
    for directory in (found.submodule_search_locations or ()) if found is not None else ():
        yield os.path.join(directory, "cacert.pem")


def _with_targets(path: Path) -> Iterator[Path]:
    """What the path leads to; and of a directory, what the links in it lead to, which Landlock judges by
    where that lies."""
    yield from _real((path,))
    if path.is_dir():
        yield from _real(entry for entry in path.iterdir() if entry.is_symlink())


def _name_resolution() -> Iterator[Path]:
    for name in _NAMES:
        path = Path("/etc", name)
        for real in _real((path,)):
            yield real
            if _RUN in real.parent.parents:
                # systemd-resolved and the like put a new file in the place of the old one when the network
                # changes, and Landlock knows files, not their names.
                yield real.parent


def _real(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        try:
            yield path.resolve(strict=True)
        except OSError:  # there is none, or it is not for us to read
            continue
