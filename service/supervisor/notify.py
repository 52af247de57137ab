"""What the service manager is told of the service (sd_notify(3)), where there is one that listens."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import structlog
from structlog.typing import FilteringBoundLogger

_log: FilteringBoundLogger = structlog.get_logger(__name__)
_ADDRESS, _WATCHDOG, _WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
# They are about this process: a child that spoke for it would be believed (NotifyAccess=all), or confused.
VARIABLES = frozenset((_ADDRESS, _WATCHDOG, _WATCHED))


class Notifier:
    """``watchdog``: seconds within which WATCHDOG=1 must come again (sd_watchdog_enabled(3)), or None."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.watchdog = _watchdog(environ)
        self._address = _address(environ.get(_ADDRESS, ""))
        self._socket: socket.socket | None = None
        self._failed = False

    def tell(self, *lines: str) -> bool:
        """Send these as one message. False for what cannot be sent just now, which is logged once."""
        if not self._address:
            return True
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            # Without waiting: a manager that does not read must not stop the supervisor.
            self._socket.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            if not self._failed:
                _log.warning("service_manager_not_told", socket=self._address, reason=str(error))
            self._failed = True
            return False
        return True

    def close(self) -> None:
        """Nothing more is told."""
        self._address = ""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _address(text: str) -> str:
    """A path, or a name without one, which begins with @ there and with a zero byte for the kernel (unix(7)).
    "" for anything else, such as vsock."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else ""


def _watchdog(environ: Mapping[str, str]) -> float | None:
    text = environ.get(_WATCHDOG, "")
    meant = environ.get(_WATCHED, str(os.getpid()))
    if not (text.isascii() and text.isdigit()) or meant != str(os.getpid()):
        return None
    return int(text) / 1e6 or None
