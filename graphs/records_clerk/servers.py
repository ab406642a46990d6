"""How the servers of the records clerk are started: two processes over one database."""

from collections.abc import Mapping

from graphs._run import Run, stdio_server


def servers(run: Run) -> Mapping[str, Mapping[str, object]]:
    """Return what ``Guard.open(servers=...)`` takes."""
    return {name: stdio_server(f"graphs.records_clerk.{name}", run.database) for name in ("export", "records")}


__all__ = ["servers"]
