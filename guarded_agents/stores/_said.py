"""What people said afterwards, as they signed it: of a call in doubt, and of a broken glass."""

import sqlite3
from typing import Final

import orjson

from guarded_agents.records import CallKey, Execution, SignedResolution, SignedReview
from guarded_agents.stores._rows import CLAIM_COLUMNS, CLAIMS, KEY_IS, claim_from, moment

_TENANT: Final = (  # of a call that was never admitted its own row does not say it
    "CASE c.tenant WHEN '' THEN coalesce((SELECT tenant FROM entries e WHERE e.thread = c.thread"
    " AND e.entry = c.entry), '') ELSE c.tenant END"
)


def execution_of(db: sqlite3.Connection, key: CallKey) -> Execution | None:
    """Return the claim row of *key*, its times, and what people said of it."""
    row = db.execute(
        f"SELECT {CLAIM_COLUMNS}, c.tool, {_TENANT}, c.changed_at FROM {CLAIMS} WHERE {KEY_IS}", key
    ).fetchone()
    if row is None:
        return None
    *claim, tool, tenant, changed_at = row
    said = db.execute(
        f"SELECT document, body FROM resolutions LEFT JOIN payloads ON id = payload WHERE {KEY_IS} ORDER BY attempt",
        key,
    )
    return Execution(
        claim_from(tuple(claim)),
        tool,
        tenant,
        moment(changed_at),
        tuple(SignedResolution.model_validate_json(_with_text(*row, of="resolution")) for row in said),
    )


def review_of(db: sqlite3.Connection, request_id: str) -> SignedReview | None:
    """Return the review of the broken glass of a request, None where there is none."""
    row = db.execute(
        "SELECT document, body FROM broken_glass LEFT JOIN payloads ON id = payload"
        " WHERE request = ? AND document IS NOT NULL",
        (request_id,),
    ).fetchone()
    return None if row is None else SignedReview.model_validate_json(_with_text(*row, of="review"))


def _with_text(document: str, body: bytes | None, *, of: str) -> bytes:
    """Return the JSON of a statement exactly as it was signed, unless its text was erased."""
    fields = orjson.loads(document)
    fields[of]["text"] = "" if body is None else orjson.loads(body)
    return orjson.dumps(fields)
