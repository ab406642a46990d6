"""In which spans a call was held and voted on, kept for who links to them when it goes on."""

import sqlite3

from guarded_agents.records import TraceContext
from guarded_agents.stores._tx import Tx

_HELD = ""  # in the place of a voter
_MOST = 128  # links that a span takes, unless it was set up otherwise (OpenTelemetry specification, span limits)


def put_trace(tx: Tx, request_id: str, context: TraceContext | None, *, voter: str = _HELD) -> None:
    """Record in which span the call of a request was held, or *voter* voted on it. The first stands."""
    if context is not None:
        tx.db.execute("INSERT OR IGNORE INTO traces VALUES (?, ?, ?, ?)", (request_id, voter, *context))


def traces_of(db: sqlite3.Connection, request_id: str) -> tuple[tuple[str, TraceContext], ...]:
    """Return the first 128 such spans of a request, each with who voted in it, and the held one first, with nobody."""
    rows = db.execute(
        "SELECT voter, parent, state FROM traces WHERE request = ? ORDER BY voter LIMIT ?", (request_id, _MOST)
    )
    return tuple((voter, TraceContext(parent, state)) for voter, parent, state in rows)
