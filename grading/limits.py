"""The numbers that a submission's code must keep to, as plain data for the way into the sandbox."""

from __future__ import annotations

from dataclasses import dataclass

#: A submission may take so many times its seconds by the clock, where others have the processors.
PATIENCE = 4


@dataclass(frozen=True)
class Limits:
    """What one submission may use at most."""

    memory_mib: int = 3072
    cpu_seconds: int = 600
    processes: int = 128
    files: int = 512
    disk_mib: int = 256
    file_mib: int = 128
