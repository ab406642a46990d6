"""Rows to records and back. Functions on a connection: a transaction and a reader use the same ones."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import orjson

from guarded_agents.records import (
    ApprovalRequest,
    CallKey,
    Claim,
    ClaimStatus,
    Confidentiality,
    Integrity,
    Labels,
    Outcome,
    Principal,
    Proposal,
    Reason,
    RequestStatus,
    Risk,
    SignedVote,
    StandingRequest,
    ThreadFacts,
)
from guarded_agents.stores._payloads import dump_json, load_json, put

KEY_IS: Final = "thread = ? AND entry = ? AND turn = ? AND digest = ? AND occurrence = ?"

LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
"""What a row says beyond it, which we never write, is no time."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INTEGRITY: Final = {label: rank for rank, label in enumerate(Integrity)}
_CONFIDENTIALITY: Final = {label: rank for rank, label in enumerate(Confidentiality)}
_LABELS: Final = tuple(
    tuple(Labels(integrity=integrity, confidentiality=kept) for kept in Confidentiality) for integrity in Integrity
)


_RISKS: Final = {-risk.rank: risk for risk in Risk}


def risk_of(column: int) -> Risk:
    """Return the risk of a row, of which a high one sorts first. What we never write counts as high."""
    return _RISKS.get(column, Risk.HIGH)


def micros(moment: datetime) -> int:
    """Return *moment* (aware) as microseconds since 1970, UTC. Raises TypeError for a naive one."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """Return the time (UTC) of *value* microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


def _moment_or_none(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def ranks(labels: Labels) -> tuple[int, int]:
    """Return *labels* as two numbers that grow with strictness, so that SQL's max() is the join."""
    return _INTEGRITY[labels.integrity], _CONFIDENTIALITY[labels.confidentiality]


def labels_of(integrity: int, confidentiality: int) -> Labels:
    """Return the labels of two such numbers. Raises IndexError for what we never write."""
    return _LABELS[integrity][confidentiality]


def stricter(one: Labels, other: Labels) -> Labels:
    """Return the join of both: as `Labels.join`, without making a record."""
    (integrity, kept), (integrity_too, kept_too) = ranks(one), ranks(other)
    return _LABELS[max(integrity, integrity_too)][max(kept, kept_too)]


# -- threads and proposals --------------------------------------------------------------------


@lru_cache(maxsize=4_096)
def principal_from(document: str) -> Principal:
    """Return the principal of a row's document."""
    return Principal.model_validate_json(document)


def thread_of(db: sqlite3.Connection, thread: str) -> ThreadFacts | None:
    """Return what is stored of *thread*; None where no entry was opened."""
    row = db.execute(
        "SELECT t.entry, e.requester, e.tenant, t.integrity, t.confidentiality FROM threads t"
        " JOIN entries e ON e.thread = t.thread AND e.entry = t.entry WHERE t.thread = ?",
        (thread,),
    ).fetchone()
    if row is None:
        return None
    entry, requester, tenant, integrity, kept = row
    return ThreadFacts(thread, entry, principal_from(requester), tenant, _LABELS[integrity][kept])


def requester_of(db: sqlite3.Connection, thread: str, entry: str) -> Principal | None:
    """Return who opened *entry* of *thread*; None where nobody did."""
    row = db.execute("SELECT requester FROM entries WHERE thread = ? AND entry = ?", (thread, entry)).fetchone()
    return None if row is None else principal_from(row[0])


def is_left(db: sqlite3.Connection, thread: str, entry: str) -> bool:
    """Return whether the user has written something newer on *thread* than *entry*."""
    row = db.execute("SELECT entry FROM threads WHERE thread = ?", (thread,)).fetchone()
    return row is not None and row[0] not in (None, entry)


def join_labels(db: sqlite3.Connection, thread: str, labels: Labels) -> None:
    """Make the labels of *thread* at least as strict as *labels*, also before its first entry."""
    db.execute(
        "INSERT INTO threads (thread, integrity, confidentiality) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET"
        " integrity = max(integrity, excluded.integrity),"
        " confidentiality = max(confidentiality, excluded.confidentiality)"
        " WHERE excluded.integrity > integrity OR excluded.confidentiality > confidentiality",
        (thread, *ranks(labels)),
    )


def proposal_of(db: sqlite3.Connection, key: CallKey) -> Proposal | None:
    """Return the stored proposal of *key*; its arguments are empty where they were erased."""
    row = db.execute(
        "SELECT tool, call_id, consequential, attended, integrity, confidentiality, body FROM proposals"
        f" LEFT JOIN payloads ON id = payload WHERE {KEY_IS}",
        key,
    ).fetchone()
    if row is None:
        return None
    tool, call_id, consequential, attended, integrity, kept, body = row
    labels = _LABELS[integrity][kept]
    return Proposal(key, tool, call_id, body or b"", bool(consequential), labels, bool(attended))


def put_proposal(db: sqlite3.Connection, proposal: Proposal) -> None:
    """Record *proposal*, which must not be recorded yet."""
    db.execute(
        "INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *proposal.key,
            proposal.tool,
            proposal.call_id,
            proposal.consequential,
            proposal.attended,
            *ranks(proposal.labels),
            put(db, proposal.canonical),
        ),
    )


def tool_of(db: sqlite3.Connection, key: CallKey) -> str | None:
    """Return the tool of the recorded proposal of *key*; None where it is not recorded."""
    row = db.execute(f"SELECT tool FROM proposals WHERE {KEY_IS}", key).fetchone()
    return None if row is None else str(row[0])


# -- claims -----------------------------------------------------------------------------------

CLAIM_COLUMNS: Final = (
    "c.thread, c.entry, c.turn, c.digest, c.occurrence, c.status, c.owner, c.attempt, c.lease_until, c.reason,"
    " c.admitted_at, c.outcome_status, c.outcome_is_error, c.outcome_reason, o.body"
)
CLAIMS: Final = "claims c LEFT JOIN payloads o ON o.id = c.outcome_payload"
_BY_KEY: Final = "USING (thread, entry, turn, digest, occurrence)"
CLAIM_OF_PROPOSAL: Final = f"claims c {_BY_KEY}"
REQUEST_OF_PROPOSAL: Final = f"requests r {_BY_KEY}"


def claim_from(
    row: tuple[str, str, int, str, int, str, str, int, int, str, int | None, str | None, int, str, bytes | None],
) -> Claim:
    """Return the claim of a row of ``CLAIM_COLUMNS``; its outcome's content is empty where it was erased."""
    status, owner, attempt, lease_until, reason, admitted_at, ended, is_error, why, body = row[5:]
    outcome = None
    if ended is not None:
        said = load_json(body) if body is not None else ["", None]
        content, artifact = said if isinstance(said, list) else ("", None)
        outcome = Outcome(ClaimStatus(ended), str(content), bool(is_error), Reason(why), artifact)
    return Claim(
        CallKey(*row[:5]),
        ClaimStatus(status),
        owner,
        attempt,
        moment(lease_until),
        Reason(reason),
        outcome,
        None if admitted_at is None else moment(admitted_at),
    )


def claim_of(db: sqlite3.Connection, key: CallKey) -> Claim | None:
    """Return the claim row of *key*."""
    row = db.execute(f"SELECT {CLAIM_COLUMNS} FROM {CLAIMS} WHERE {KEY_IS}", key).fetchone()
    return None if row is None else claim_from(row)


def outcome_columns(
    db: sqlite3.Connection, outcome: Outcome | None
) -> tuple[str | None, bool | None, str | None, int | None]:
    """Store what *outcome* says as a payload; return the columns that name it."""
    if outcome is None:
        return None, None, None, None
    number = put(db, dump_json([outcome.content, outcome.artifact]))
    return outcome.status.value, outcome.is_error, outcome.reason.value, number


# -- requests and votes -----------------------------------------------------------------------

REQUEST_COLUMNS: Final = (
    "r.document, a.body, r.status, r.execute_by, r.settled_at, r.settled_by, t.body, r.broke_glass, r.successor"
)
REQUESTS: Final = "requests r LEFT JOIN payloads a ON a.id = r.arguments LEFT JOIN payloads t ON t.id = r.text"


def standing_from(
    row: tuple[str, bytes | None, str, int | None, int | None, str | None, bytes | None, int, str | None],
) -> StandingRequest:
    """Return the request of a row of ``REQUEST_COLUMNS``; its arguments are empty where they were erased."""
    document, arguments, status, execute_by, settled_at, settled_by, text, broke_glass, successor = row
    literal = '""' if arguments is None else arguments.decode()
    return StandingRequest(
        ApprovalRequest.model_validate_json(f'{document[:-1]},"arguments":{literal}}}'),
        RequestStatus(status),
        _moment_or_none(execute_by),
        _moment_or_none(settled_at),
        settled_by,
        None if text is None else text.decode(),
        bool(broke_glass),
        successor,
    )


def request_of_id(db: sqlite3.Connection, request_id: str) -> StandingRequest | None:
    """Return the request of that id."""
    row = db.execute(f"SELECT {REQUEST_COLUMNS} FROM {REQUESTS} WHERE r.id = ?", (request_id,)).fetchone()
    return None if row is None else standing_from(row)


def request_of_key(db: sqlite3.Connection, key: CallKey) -> StandingRequest | None:
    """Return the request that *key* would consume."""
    row = db.execute(f"SELECT {REQUEST_COLUMNS} FROM {REQUESTS} WHERE {KEY_IS}", key).fetchone()
    return None if row is None else standing_from(row)


def vote_from(document: str, body: bytes | None) -> SignedVote:
    """Return the vote exactly as it was signed, unless its arguments and text were erased."""
    fields = orjson.loads(document)
    arguments, text = orjson.loads(body) if body is not None else (None, None)
    fields["vote"] |= {"arguments": arguments, "text": text}
    return SignedVote.model_validate_json(orjson.dumps(fields))


def put_vote(db: sqlite3.Connection, signed: SignedVote, credentials: Sequence[str]) -> None:
    """Record *signed*, which *credentials* proved; its approver must not have voted on that request yet."""
    vote = signed.vote
    document = signed.model_dump_json(exclude={"vote": {"arguments", "text"}})
    number = put(db, orjson.dumps([vote.arguments, vote.text]))
    db.execute(
        "INSERT INTO votes (request, approver, answer, digest, credentials, document, payload)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            vote.request,
            vote.approver,
            vote.answer.value,
            vote.digest,
            orjson.dumps(tuple(credentials)).decode(),
            document,
            number,
        ),
    )
