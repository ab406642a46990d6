"""Appending to the audit log and verifying it (DESIGN section 9, row 6, as far as it exists)."""

import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from benchmarks._measure import Row
from guarded_agents.audit import KeySigner, Kind, prove_inclusion, verify_log
from guarded_agents.stores import AuditNote, SqliteStore

_NOW: Final = datetime(2026, 1, 5, 10, tzinfo=UTC)
_GROUP: Final = 256  # what the store commits at once
_APPEND_US: Final = 15.0
_VERIFY_S: Final = 6.0
_PROVE_MS: Final = 5.0
_PROOFS: Final = 200
_MILLION: Final = 1_000_000
_FIELDS: Final[dict[str, JsonValue]] = {
    "thread": "3f0c9a3e5c0b4f7a8a4d2b1c0d9e8f7a",
    "entry": "9d1c7c52-5d0e-4b7f-9f62-1a2b3c4d5e6f",
    "call": "b9c7f8410743ffbc301201750743c84fa3fbf49020006863eef11e59b9a8df79",
    "occurrence": 0,
    "tool": "records/lookup_record",
    "status": "executed",
    "reason": "permitted",
}


async def audit_log(*, entries: int) -> AsyncIterator[Row]:
    """Yield what an entry costs to append, in groups, to verify under signed heads, and to prove."""
    with tempfile.TemporaryDirectory(prefix="guarded-agents-bench-") as folder:
        store, signer = SqliteStore.open(Path(folder) / "guard.db", log_id="bench"), KeySigner("bench", b"1" * 32)
        await store.sign_with(signer, [AuditNote(Kind.LOG_OPENED, {"key": str(signer.verifier)})], now=_NOW)
        start = time.process_time()
        for first in range(0, entries, _GROUP):
            group = range(first, min(first + _GROUP, entries))
            await store.append([AuditNote(Kind.OUTCOME, {**_FIELDS, "turn": turn}) for turn in group], now=_NOW)
        appended_s = time.process_time() - start
        yield Row(
            f"append, {entries} entries in groups of {_GROUP}", appended_s / entries * 1e6, "us of CPU", _APPEND_US
        )
        start = time.process_time()
        found = verify_log(store, keys=[signer.verifier])
        verified_s = time.process_time() - start
        start = time.process_time()
        for sequence in range(0, entries, max(1, entries // _PROOFS)):
            prove_inclusion(sequence, entries, store.audit_subtree)
        proven_s = (time.process_time() - start) / len(range(0, entries, max(1, entries // _PROOFS)))
        await store.aclose()
    if not found.verified or found.entries != entries + 1:
        raise RuntimeError("the log does not verify")
    yield Row(
        f"verify {entries} entries, read from the store",
        verified_s,
        "s of CPU",
        _VERIFY_S * entries / _MILLION,
        more={"us_per_entry": round(verified_s / entries * 1e6, 2)},
    )
    yield Row(f"prove an entry of {entries}", proven_s * 1e3, "ms of CPU", _PROVE_MS)
