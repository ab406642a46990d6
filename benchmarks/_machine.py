"""What the figures were measured on, with a yardstick of the same run."""

import os
import platform
import time
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Final

_PACKAGES: Final = (
    "guarded-agents",
    "langchain-core",
    "langchain-mcp-adapters",
    "langgraph",
    "langgraph-checkpoint-sqlite",
    "mcp",
    "opentelemetry-sdk",
    "pydantic",
)
_MEGABYTE: Final = bytes(1_000_000)


def machine() -> dict[str, object]:
    """Return processor, cores, versions, and the load that others put on the machine meanwhile."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def yardstick_ms() -> float:
    """Return the median time of SHA-256 over 1 MB, in milliseconds of CPU."""
    spent = []
    for _ in range(51):
        start = time.process_time()
        sha256(_MEGABYTE).digest()
        spent.append(time.process_time() - start)
    return round(median(spent) * 1e3, 3)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
