"""Rows that somebody else has written so that they make no record: lists pass them over, and they are named here."""

import sqlite3
from collections.abc import Iterator
from itertools import chain, islice

from guarded_agents.approval import doubt_id
from guarded_agents.records import CallKey
from guarded_agents.stores._reads import CLAIM_HAS_ID, SUMMARY_COLUMNS, readable, summary_from
from guarded_agents.stores._results import UnreadableRow
from guarded_agents.stores._rows import (
    CLAIM_COLUMNS,
    CLAIMS,
    REQUEST_COLUMNS,
    REQUESTS,
    claim_from,
    standing_from,
)
from guarded_agents.stores._tables import is_text


def unreadable(db: sqlite3.Connection, limit: int) -> tuple[UnreadableRow, ...]:
    """Return the rows that make no record: of requests, and of calls that a person may have to look at."""
    return tuple(islice(chain(_requests(db), _claims(db)), limit))


def _requests(db: sqlite3.Connection) -> Iterator[UnreadableRow]:
    rows = db.execute(
        f"SELECT {is_text('r.id')} AND {is_text('r.thread')}, {REQUEST_COLUMNS}, {SUMMARY_COLUMNS} FROM {REQUESTS}"
    )
    columns = REQUEST_COLUMNS.count(",") + 1
    for is_named, *row in rows:
        standing, summary = row[:columns], row[columns:]
        if not (is_named and list(readable([standing], standing_from)) and list(readable([summary], summary_from))):
            yield UnreadableRow("request", summary[0], summary[10])


def _claims(db: sqlite3.Connection) -> Iterator[UnreadableRow]:
    rows = db.execute(
        f"SELECT {CLAIM_HAS_ID}, {CLAIM_COLUMNS} FROM {CLAIMS} WHERE c.status NOT IN ('closed', 'executed', 'failed')"
    )
    for has_id, *row in rows:
        if not (has_id and list(readable([row], claim_from))):
            yield UnreadableRow("call", doubt_id(CallKey(*row[:5])) if has_id else "", row[0])
