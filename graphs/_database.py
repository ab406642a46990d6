"""How the servers of ``graphs`` reach their SQLite database."""

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # what only reads a database must not wait for the MCP SDK
    from mcp.server.fastmcp import Context
    from mcp.server.session import ServerSession

BUSY_TIMEOUT_S: Final = 10.0
IDEMPOTENCY_KEY: Final = "guarded_agents/idempotency_key"  # in ``_meta`` of a call with an effect


def database_argument(argv: Sequence[str]) -> Path:
    """Return the database that the command line names; exit with status 2 where it names none that exists."""
    if len(argv) != 2 or not Path(argv[1]).is_file():  # noqa: PLR2004 - program name and path
        sys.exit(f"usage: python -m {__package__}.<application>.<server> DATABASE (an existing file)")
    return Path(argv[1])


@contextmanager
def transaction(database: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection inside one write transaction: committed at the end, rolled back on an error."""
    with closing(sqlite3.connect(database, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def rows(database: Path, query: str, *parameters: str | int) -> list[dict[str, object]]:
    """Return the rows of *query* as dicts."""
    with closing(sqlite3.connect(database, timeout=BUSY_TIMEOUT_S)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, parameters)]


def idempotency_key(context: "Context[ServerSession, None]") -> str | None:
    """Return the idempotency key that the call carries in ``_meta``, None where it carries none."""
    meta = context.request_context.meta
    key = None if meta is None else (meta.model_extra or {}).get(IDEMPOTENCY_KEY)
    return key if isinstance(key, str) else None


__all__ = ["database_argument", "idempotency_key", "rows", "transaction"]
