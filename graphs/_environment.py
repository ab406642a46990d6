"""Where the environment says that spans go: what a stdio server, which inherits next to nothing, is handed on."""

import os
from typing import Final

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def endpoints() -> dict[str, str]:
    """Return the OTLP endpoints that the environment names, by variable."""
    return {name: found for name in _ENDPOINTS if (found := os.environ.get(name))}


__all__ = ["endpoints"]
