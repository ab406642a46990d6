"""How the servers of the refund desk are started: three processes over one database."""

from collections.abc import Mapping

from graphs._run import Run, stdio_server


def servers(run: Run) -> Mapping[str, Mapping[str, object]]:
    """Return what ``Guard.open(servers=...)`` takes."""
    return {name: stdio_server(f"graphs.refund_desk.{name}", run.database) for name in ("mail", "orders", "payments")}


__all__ = ["servers"]
