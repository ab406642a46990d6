"""What screening took out of the texts of a thread: values behind tokens, and withheld answers.

The rows only grow. Values and answers stand in ``payloads``: erased, a token leads nowhere any more.
"""

import sqlite3
from collections.abc import Collection
from typing import Final

import orjson
from pydantic import JsonValue

from guarded_agents.stores._payloads import load_json, put
from guarded_agents.stores._results import Kept

KeptRow = tuple[str, str, str]  # thread, kind, name

VALUE: Final = "value"
ORIGINAL: Final = "original"


def rows_of(thread: str, kept: Kept) -> dict[KeptRow, bytes | None]:
    """Return the rows that *kept* makes, each with its body."""
    rows: dict[KeptRow, bytes | None] = {(thread, VALUE, token): value.encode() for token, value in kept.values.items()}
    if kept.original is not None:
        rows[thread, ORIGINAL, kept.name] = kept.original
    return rows


def put_kept(db: sqlite3.Connection, row: KeptRow, body: bytes | None) -> None:
    """Write one row, once: the first that is written stands."""
    if db.execute("SELECT 1 FROM redactions WHERE thread = ? AND kind = ? AND name = ?", row).fetchone() is None:
        number = None if body is None else put(db, body)
        db.execute("INSERT INTO redactions (thread, kind, name, payload) VALUES (?, ?, ?, ?)", (*row, number))


def values_behind(db: sqlite3.Connection, thread: str, tokens: Collection[str]) -> dict[str, str]:
    """Return the values behind those *tokens* that are on record for *thread*, by token."""
    rows = db.execute(
        "SELECT name, body FROM redactions JOIN payloads p ON p.id = payload JOIN json_each(?) ON name = value"
        " WHERE thread = ? AND kind = ? AND body IS NOT NULL",
        (orjson.dumps(sorted(tokens)).decode(), thread, VALUE),
    )
    return {token: body.decode() for token, body in rows}


def original_of(db: sqlite3.Connection, thread: str, name: str) -> JsonValue:
    """Return the answer that was withheld from the message *name*; None where none was, or it was erased."""
    row = db.execute(
        "SELECT body FROM redactions JOIN payloads ON id = payload WHERE thread = ? AND kind = ? AND name = ?",
        (thread, ORIGINAL, name),
    ).fetchone()
    return None if row is None or row[0] is None else load_json(row[0])
