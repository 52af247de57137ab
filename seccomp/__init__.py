"""Seccomp profiles in the OCI runtime format, and their compiler.

    *.json --parse_profile--> Profile --compile_parsed--> BPF bytes, installed by the sandbox

``zygote.json`` is an allow-list, installed once in each zygote and inherited by every worker.
``worker.json`` is short, because each worker pays for its installation: it takes away what only the set-up
of a worker needed.

``container.py`` makes of them the profile for a container engine that LARS runs under.
"""

from seccomp.compiler import CompilerUnavailableError, compile_parsed, compile_profile, load_profile
from seccomp.model import Profile, ProfileError
from seccomp.profile import parse_profile

__all__ = [
    "CompilerUnavailableError",
    "Profile",
    "ProfileError",
    "compile_parsed",
    "compile_profile",
    "load_profile",
    "parse_profile",
]
