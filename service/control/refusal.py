"""What an operator has to mend before the control database can be used."""

from __future__ import annotations


class ControlRefused(Exception):
    """The database, or the key of its audit log, is not one that this version can work with. A sentence."""
