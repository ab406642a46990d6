"""The tables.

Times are integer microseconds since 1970, UTC. What people wrote (arguments, answers, texts) stands
only in ``payloads``, named by number: erasing it sets the body to NULL and touches neither
claim nor audit entry. A payload row is never deleted, so that no number is given twice.
"""

from typing import Final

SCHEMA_VERSION: Final = 6

_KEY: Final = (
    "thread TEXT NOT NULL, entry TEXT NOT NULL, turn INTEGER NOT NULL, digest TEXT NOT NULL,"
    " occurrence INTEGER NOT NULL"
)
_UNIQUE: Final = "(thread, entry, turn, digest, occurrence)"
_CALLS: Final = (
    "CREATE TABLE guard_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE payloads (id INTEGER PRIMARY KEY, body BLOB) STRICT",
    """CREATE TABLE threads (
        thread TEXT PRIMARY KEY, entry TEXT, integrity INTEGER NOT NULL, confidentiality INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE entries (
        thread TEXT NOT NULL, entry TEXT NOT NULL, requester TEXT NOT NULL, tenant TEXT NOT NULL,
        opened_at INTEGER NOT NULL, PRIMARY KEY (thread, entry)
    ) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE proposals (
        {_KEY}, tool TEXT NOT NULL, call_id TEXT NOT NULL, consequential INTEGER NOT NULL,
        attended INTEGER NOT NULL, integrity INTEGER NOT NULL, confidentiality INTEGER NOT NULL,
        payload INTEGER NOT NULL, PRIMARY KEY {_UNIQUE}
    ) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE claims (
        {_KEY}, tool TEXT NOT NULL, requester TEXT NOT NULL, tenant TEXT NOT NULL, status TEXT NOT NULL,
        owner TEXT NOT NULL, attempt INTEGER NOT NULL, lease_until INTEGER NOT NULL, reason TEXT NOT NULL,
        admitted_at INTEGER, changed_at INTEGER NOT NULL,
        outcome_status TEXT, outcome_is_error INTEGER, outcome_reason TEXT, outcome_payload INTEGER,
        PRIMARY KEY {_UNIQUE}
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX claims_of_thread ON claims (thread, tool) WHERE admitted_at IS NOT NULL",
    "CREATE INDEX claims_of_requester ON claims (tool, requester, tenant, admitted_at) WHERE admitted_at IS NOT NULL",
    "CREATE INDEX claims_open ON claims (status, lease_until) WHERE status IN ('sending', 'in_doubt', 'conflict')",
    """CREATE TABLE trail (
        number INTEGER PRIMARY KEY, thread TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
        integrity INTEGER NOT NULL, confidentiality INTEGER NOT NULL, document TEXT NOT NULL, payload INTEGER,
        UNIQUE (thread, kind, name)
    ) STRICT""",
    "CREATE INDEX trail_of_thread ON trail (thread, number)",
    """CREATE TABLE redactions (
        thread TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, payload INTEGER,
        PRIMARY KEY (thread, kind, name)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE audit (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL, hash TEXT NOT NULL) STRICT",
    "CREATE TABLE frontier (size INTEGER NOT NULL, roots BLOB NOT NULL) STRICT",  # one row: of the tree over ``audit``
    """CREATE TABLE subtrees (
        level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, place)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE heads (size INTEGER PRIMARY KEY, note BLOB NOT NULL, is_kept INTEGER NOT NULL) STRICT",
)

# What lists and the queue ask stands in columns, and before the document, so that no JSON is read for it.
# ``risk`` is the negative rank, for the riskiest comes first. ``due`` is since when the thread is to be told
# how its request was settled; it is cleared some time after the thread was. ``asked_at`` is when its group is told,
# and ``again_after`` how long it is not told of the same question again.
_IN_VAIN: Final = "asked_at IS NOT NULL AND status <> 'pending' AND settled_by IS NULL"  # told, and nobody answered
_REQUESTS: Final = (
    f"""CREATE TABLE requests (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, {_KEY}, status TEXT NOT NULL, risk INTEGER NOT NULL,
        tool TEXT NOT NULL, principal TEXT NOT NULL, tenant TEXT NOT NULL, grp TEXT NOT NULL,
        quorum INTEGER NOT NULL, question TEXT NOT NULL, asked_at INTEGER, again_after INTEGER NOT NULL,
        decide_by INTEGER NOT NULL,
        escalate_at INTEGER, escalated_at INTEGER, execute_by INTEGER, settled_at INTEGER, due INTEGER,
        settled_by TEXT, text INTEGER, broke_glass INTEGER NOT NULL DEFAULT 0, successor TEXT,
        arguments INTEGER NOT NULL, document TEXT NOT NULL,
        UNIQUE {_UNIQUE}
    ) STRICT""",
    """CREATE INDEX requests_by_status ON requests (
        status, risk, decide_by, id, tool, principal, tenant, grp, quorum, question, thread, escalate_at
    )""",  # all that a line of a list says
    "CREATE INDEX requests_by_risk ON requests (risk, decide_by, id)",
    "CREATE INDEX requests_of_group ON requests (grp, decide_by, asked_at) WHERE status = 'pending'",
    """CREATE INDEX requests_of_principal ON requests (tenant, principal, decide_by, asked_at)
        WHERE status = 'pending'""",
    "CREATE INDEX requests_of_tenant ON requests (tenant, decide_by, asked_at) WHERE status = 'pending'",
    f"CREATE INDEX requests_told_group ON requests (grp, asked_at) WHERE {_IN_VAIN}",
    f"CREATE INDEX requests_told_principal ON requests (tenant, principal, asked_at) WHERE {_IN_VAIN}",
    f"CREATE INDEX requests_told_tenant ON requests (tenant, asked_at) WHERE {_IN_VAIN}",
    "CREATE INDEX requests_same ON requests (thread, question, decide_by) WHERE status = 'pending'",
    "CREATE INDEX requests_waiting ON requests (question, asked_at, number) WHERE status = 'pending'",
    "CREATE INDEX requests_asked ON requests (question, asked_at) WHERE asked_at IS NOT NULL",
    "CREATE INDEX requests_rejected ON requests (question, settled_at) WHERE status = 'rejected'",
    "CREATE INDEX requests_similar ON requests (tenant, principal, tool) WHERE status <> 'pending'",
    "CREATE INDEX requests_expiring ON requests (decide_by) WHERE status = 'pending'",
    "CREATE INDEX requests_lapsing ON requests (execute_by) WHERE status = 'approved'",
    """CREATE INDEX requests_escalating ON requests (escalate_at)
        WHERE status = 'pending' AND escalate_at IS NOT NULL AND escalated_at IS NULL""",
    "CREATE INDEX requests_due ON requests (due, thread) WHERE due IS NOT NULL",
)
UNREVIEWED: Final = "coalesce(finding, '') NOT IN ('reviewed', 'violation')"  # what we cannot read is no review
_ANSWERS: Final = (
    """CREATE TABLE votes (
        number INTEGER PRIMARY KEY, request TEXT NOT NULL, approver TEXT NOT NULL, answer TEXT NOT NULL,
        digest TEXT NOT NULL, credentials TEXT NOT NULL, document TEXT NOT NULL, payload INTEGER NOT NULL,
        UNIQUE (request, approver)
    ) STRICT""",
    """CREATE TABLE nonces (
        person TEXT NOT NULL, nonce TEXT NOT NULL, statement TEXT NOT NULL, PRIMARY KEY (person, nonce)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE broken_glass (
        request TEXT PRIMARY KEY, approver TEXT NOT NULL, used_at INTEGER NOT NULL, review_due INTEGER NOT NULL,
        reviewers TEXT NOT NULL, noted_at INTEGER, finding TEXT, reviewed_by TEXT, reviewed_at INTEGER,
        document TEXT, payload INTEGER
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX broken_glass_by_due ON broken_glass (review_due, request)",
    f"CREATE INDEX broken_glass_open ON broken_glass (review_due, request) WHERE {UNREVIEWED}",
    "CREATE INDEX broken_glass_by_use ON broken_glass (used_at)",
    f"""CREATE TABLE resolutions (
        {_KEY}, attempt INTEGER NOT NULL, resolver TEXT NOT NULL, verdict TEXT NOT NULL, document TEXT NOT NULL,
        payload INTEGER NOT NULL, PRIMARY KEY (thread, entry, turn, digest, occurrence, attempt)
    ) STRICT, WITHOUT ROWID""",
)

# Leases of those who wake threads and deliver notices. ``due`` and ``until``: not to be taken before. ``is_again``: an
# owner before may have woken the thread.
_WORK: Final = (
    """CREATE TABLE wakes (
        thread TEXT PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL, is_again INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE notices (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, request TEXT NOT NULL,
        risk TEXT NOT NULL, addressee TEXT NOT NULL, at INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
        due INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '', problem TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE INDEX notices_due ON notices (due, number)",
    "CREATE INDEX notices_of ON notices (request)",
)

# In which spans a call was held (no voter) and voted on. For operators: nothing is decided by it, and nobody signs it.
_TRACES: Final = (
    """CREATE TABLE traces (
        request TEXT NOT NULL, voter TEXT NOT NULL, parent TEXT NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (request, voter)
    ) STRICT, WITHOUT ROWID""",
)
TABLES: Final = (*_CALLS, *_REQUESTS, *_ANSWERS, *_WORK, *_TRACES)


def is_text(column: str) -> str:
    """Return the condition that *column* holds UTF-8. A text that does not is read as another, which leads nowhere."""
    return f"is_utf8(CAST({column} AS BLOB))"
