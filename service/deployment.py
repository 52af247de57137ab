"""``python -m service.deployment FILE`` checks a file of settings, and prints what a unit must be told of it.

    listen 127.0.0.1:8000
    network no

The first is a ListenStream= of systemd.socket(5), the second whether anything is asked over the network.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

from service.secret import Secret
from service.settings import Settings, SettingsError, load_env_file

_OVER_NETWORK = ("postgresql", "redis://", "rediss://")


def main(arguments: Sequence[str]) -> int:
    """Exit status 0, or 1 with a sentence for each bad value."""
    try:
        settings = Settings.from_env(load_env_file(arguments[0]))
        sys.stdout.write(f"listen {listen_stream(settings.host, settings.port)}\n")
        sys.stdout.write(f"network {'yes' if asks_network(settings) else 'no'}\n")
    except (SettingsError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def listen_stream(host: str, port: int) -> str:
    """The address that ``service.listen`` would take, as systemd writes it. OSError where there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    address = str(found[0][4][0])
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def asks_network(settings: Settings) -> bool:
    """Whether language models, traces or databases are asked over TCP."""
    stores = (settings.database_url, settings.rate_store)
    texts = [store.reveal() if isinstance(store, Secret) else store for store in stores]
    return (
        settings.default_provider != "builtin"
        or settings.fallback_provider is not None
        or settings.otel_exporter_otlp_endpoint is not None
        or any(text.startswith(_OVER_NETWORK) for text in texts)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
