"""``python -m service``: the same as ``lars serve``, or ``lars`` with the given command."""

import sys

from service.cli import main

sys.exit(main(sys.argv[1:] or ["serve"]))
