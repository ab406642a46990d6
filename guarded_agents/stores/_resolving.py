"""The transaction by which a person settles a call in doubt (DESIGN section 8b.5; TX resolve)."""

from dataclasses import replace
from datetime import datetime

import orjson

from guarded_agents.approval import check_look
from guarded_agents.errors import RequestClosedError
from guarded_agents.records import CallKey, Claim, ClaimStatus, SignedResolution, Verdict
from guarded_agents.stores._closing import existing_row
from guarded_agents.stores._nonces import spend_nonce
from guarded_agents.stores._payloads import put
from guarded_agents.stores._results import AuditNote
from guarded_agents.stores._rows import KEY_IS, micros
from guarded_agents.stores._tx import Tx

_STATUS = {
    Verdict.HAPPENED: ClaimStatus.HAPPENED,
    Verdict.NOT_HAPPENED: ClaimStatus.NOT_HAPPENED,
    Verdict.NOT_OBSERVED: ClaimStatus.NOT_OBSERVED,
}


def resolve(tx: Tx, signed: SignedResolution, key: CallKey, note: AuditNote, *, now: datetime) -> Claim:
    """Settle the claim of *key*, from IN_DOUBT only, over the attempt that was looked at and no other.

    Its outcome stays what the sender saw, if anything. The same resolution again returns the row.
    """
    said = signed.resolution
    claim = existing_row(tx, key, now)
    is_new = spend_nonce(tx, said.resolver, said)
    if claim is not None and not is_new:
        return claim
    if claim is None or claim.status is not ClaimStatus.IN_DOUBT or claim.attempt != said.attempt:
        raise RequestClosedError(
            f"call {said.call}",
            expected=f"attempt {said.attempt} in doubt",
            got="no claim" if claim is None else f"attempt {claim.attempt} that is {claim.status.value}",
            action="list what is in doubt, and look again",
        )
    check_look(said, claim)
    status = _STATUS[said.verdict]
    document = signed.model_dump_json(exclude={"resolution": {"text"}})
    tx.db.execute(
        "INSERT INTO resolutions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, said.attempt, said.resolver, said.verdict.value, document, put(tx.db, orjson.dumps(said.text))),
    )
    tx.db.execute(f"UPDATE claims SET status = ?, changed_at = ? WHERE {KEY_IS}", (status.value, micros(now), *key))
    tx.append([note], now)
    return replace(claim, status=status)
