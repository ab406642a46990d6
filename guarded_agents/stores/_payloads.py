"""The erasable side of the store: what people, models and servers wrote, by number (DESIGN I10)."""

import json
import sqlite3

import orjson
from pydantic import JsonValue


def put(db: sqlite3.Connection, body: bytes) -> int:
    """Store *body* and return its number."""
    number = db.execute("INSERT INTO payloads (body) VALUES (?)", (body,)).lastrowid
    if number is None:  # pragma: no cover - an INSERT always gives one
        raise sqlite3.InternalError
    return number


def dump_json(value: JsonValue) -> bytes:
    """Return *value* as JSON. A server may answer what orjson refuses: lone surrogates, huge integers."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode()


def load_json(body: bytes) -> JsonValue:
    """Return what `dump_json` wrote. Raises ValueError for anything else."""
    try:
        value: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(body)
        except RecursionError:
            raise ValueError("JSON nested too deeply") from None
    return value
