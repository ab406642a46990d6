"""What a SIEM is told of an entry in whatever format: its parts, what it does, how grave it is, who did it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Final, NamedTuple

import orjson
from pydantic import JsonValue

from guarded_agents.audit._entry import Kind, leaf_hash
from guarded_agents.errors import StoreError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Entry(NamedTuple):
    """The parts of one stored entry. *rest* holds ``previous``, and any key that a newer release adds."""

    leaf: str  # of the exact bytes (hex)
    at: str
    time_ms: int  # since 1970-01-01 UTC, rounded down
    fields: Mapping[str, JsonValue]
    kind: str
    log: str
    sequence: int
    rest: Mapping[str, JsonValue]

    def text(self, name: str | None) -> str | None:
        """Return the field *name* where it is a text that is not empty."""
        value = None if name is None else self.fields.get(name)
        return value if isinstance(value, str) and value else None


def read(stored: bytes) -> Entry:
    """Return the parts of an entry. Raises StoreError for bytes that are none: `verify` says where."""
    try:
        rest: dict[str, JsonValue] = orjson.loads(stored)
        at, fields, kind = rest.pop("at"), rest.pop("fields"), rest.pop("kind")
        log, sequence = rest.pop("log"), rest.pop("sequence")
        orjson.dumps([[fields, rest]])  # nested more deeply than `seal` can write, it could not be sent on
        time_ms = (datetime.fromisoformat(at) - _EPOCH) // _MILLISECOND  # type: ignore[arg-type]  # a TypeError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _unreadable(stored) from None
    if not (isinstance(at, str) and isinstance(fields, dict) and isinstance(kind, str) and isinstance(log, str)):
        raise _unreadable(stored)
    if type(sequence) is not int:
        raise _unreadable(stored)
    return Entry(leaf_hash(stored), at, time_ms, fields, kind, log, sequence, rest)


def _unreadable(stored: bytes) -> StoreError:
    return StoreError(
        f"audit entry of {len(stored)} bytes",
        expected="an entry as it was sealed",
        got="other bytes",
        action="see what `guarded-agents audit verify` says of the log",
    )


# -- what it says ---------------------------------------------------------------------------------


class Severity(IntEnum):
    """How grave it is: ``severity_id`` of OCSF. UNKNOWN is for kinds that this release does not write."""

    UNKNOWN = 0
    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


class Does(Enum):
    """What an entry does: ``class_uid`` and ``activity_id`` of OCSF."""

    API_CREATE = (6003, 1)
    API_UPDATE = (6003, 3)
    API_OTHER = (6003, 99)
    FINDING_CREATE = (2004, 1)
    FINDING_UPDATE = (2004, 2)
    FINDING_CLOSE = (2004, 3)
    BASE_OTHER = (0, 99)

    @property
    def is_finding(self) -> bool:
        """Return whether it is about a Detection Finding."""
        return self.name.startswith("FINDING")


class Went(IntEnum):
    """How an activity went: ``status_id`` of OCSF."""

    UNKNOWN = 0
    SUCCESS = 1
    FAILURE = 2


class Stands(IntEnum):
    """Where a finding stands: ``status_id`` of an OCSF finding."""

    NEW = 1
    IN_PROGRESS = 2
    RESOLVED = 4


class Disposition(IntEnum):
    """What became of the call or text: ``disposition_id`` of OCSF."""

    ALLOWED = 1
    BLOCKED = 2
    QUARANTINED = 3
    RESTORED = 9
    DELAYED = 14
    DETECTED = 15

    @property
    def action_id(self) -> int:
        """Return what the guard did: 1 allowed, 2 denied, 0 where a person has yet to say."""
        return _ACTIONS[self]


_ACTIONS: Final = {
    Disposition.ALLOWED: 1,
    Disposition.BLOCKED: 2,
    Disposition.QUARANTINED: 2,
    Disposition.RESTORED: 1,
    Disposition.DELAYED: 0,
    Disposition.DETECTED: 1,
}


class Meaning(NamedTuple):
    """What an entry means. *of* is the field that names what a finding is about, None where that is the entry."""

    does: Does
    severity: Severity
    status: Went | Stands | None = None
    disposition: Disposition | None = None
    of: str | None = None


WHO: Final[Mapping[str, str]] = MappingProxyType(
    {
        Kind.APPROVAL: "principal",
        Kind.DECISION: "principal",
        Kind.PLAN_EXTENDED: "approver",
        Kind.RESOLUTION: "resolver",
        Kind.REVIEW: "reviewer",
        Kind.VOTE: "approver",
    }
)
"""The field that names who acted."""

SAID: Final[Mapping[str, str]] = MappingProxyType(
    {
        Kind.APPROVAL: "status",
        Kind.DECISION: "effect",
        Kind.FINDING: "required",
        Kind.OUTCOME: "status",
        Kind.RESOLUTION: "verdict",
        Kind.REVIEW: "finding",
        Kind.TOOL_QUARANTINED: "kind",
        Kind.TOOL_RESTORED: "kind",
        Kind.VOTE: "answer",
    }
)
"""The field that says how it went, in our words."""

OTHERWISE: Final = "*"
_INFORMATIONAL, _LOW, _MEDIUM, _HIGH = Severity.INFORMATIONAL, Severity.LOW, Severity.MEDIUM, Severity.HIGH

MEANINGS: Final[Mapping[tuple[str, str], Meaning]] = MappingProxyType(
    {
        (Kind.APPROVAL, "pending"): Meaning(Does.API_CREATE, _INFORMATIONAL, None, Disposition.DELAYED),
        (Kind.APPROVAL, "escalated"): Meaning(Does.API_UPDATE, _LOW, None, Disposition.DELAYED),
        (Kind.APPROVAL, "overdue"): Meaning(Does.FINDING_UPDATE, _HIGH, Stands.NEW, of="request"),
        (Kind.APPROVAL, "expired"): Meaning(Does.API_UPDATE, _LOW, Went.FAILURE, Disposition.BLOCKED),
        (Kind.APPROVAL, "lapsed"): Meaning(Does.API_UPDATE, _LOW, Went.FAILURE, Disposition.BLOCKED),
        (Kind.APPROVAL, OTHERWISE): Meaning(Does.API_UPDATE, _INFORMATIONAL),
        (Kind.DECISION, "permit"): Meaning(Does.API_OTHER, _INFORMATIONAL, Went.SUCCESS, Disposition.ALLOWED),
        (Kind.DECISION, "deny"): Meaning(Does.API_OTHER, _LOW, Went.FAILURE, Disposition.BLOCKED),
        (Kind.DECISION, OTHERWISE): Meaning(Does.API_OTHER, _LOW, Went.FAILURE, Disposition.BLOCKED),
        (Kind.FINDING, "nothing"): Meaning(Does.FINDING_CREATE, _LOW, Stands.NEW, Disposition.DETECTED),
        (Kind.FINDING, "ask"): Meaning(Does.FINDING_CREATE, _MEDIUM, Stands.NEW, Disposition.DETECTED),
        (Kind.FINDING, "quarantine"): Meaning(Does.FINDING_CREATE, _HIGH, Stands.NEW, Disposition.QUARANTINED),
        (Kind.FINDING, "deny"): Meaning(Does.FINDING_CREATE, _HIGH, Stands.NEW, Disposition.BLOCKED),
        (Kind.FINDING, OTHERWISE): Meaning(Does.FINDING_CREATE, _HIGH, Stands.NEW, Disposition.BLOCKED),
        (Kind.INTENT, OTHERWISE): Meaning(Does.API_OTHER, _INFORMATIONAL),
        (Kind.KEY_ROTATED, OTHERWISE): Meaning(Does.API_UPDATE, _MEDIUM, Went.SUCCESS),
        (Kind.LABEL_RAISED, OTHERWISE): Meaning(Does.API_UPDATE, _LOW),
        (Kind.LOG_CLOSED, OTHERWISE): Meaning(Does.API_OTHER, _INFORMATIONAL, Went.SUCCESS),
        (Kind.LOG_OPENED, OTHERWISE): Meaning(Does.API_OTHER, _INFORMATIONAL, Went.SUCCESS),
        (Kind.NOTICE, OTHERWISE): Meaning(Does.API_OTHER, _MEDIUM, Went.FAILURE),
        (Kind.OUTCOME, "executed"): Meaning(Does.API_OTHER, _INFORMATIONAL, Went.SUCCESS),
        (Kind.OUTCOME, "failed"): Meaning(Does.API_OTHER, _LOW, Went.FAILURE),
        (Kind.OUTCOME, "conflict"): Meaning(Does.API_OTHER, _HIGH, Went.UNKNOWN),
        (Kind.OUTCOME, "in_doubt"): Meaning(Does.API_OTHER, _MEDIUM, Went.UNKNOWN),
        (Kind.OUTCOME, OTHERWISE): Meaning(Does.API_OTHER, _MEDIUM, Went.UNKNOWN),
        (Kind.PLAN_EXTENDED, OTHERWISE): Meaning(Does.API_UPDATE, _LOW, Went.SUCCESS),
        (Kind.PLAN_PINNED, OTHERWISE): Meaning(Does.API_CREATE, _INFORMATIONAL, Went.SUCCESS),
        (Kind.POLICY_LOADED, OTHERWISE): Meaning(Does.API_OTHER, _INFORMATIONAL, Went.SUCCESS),
        (Kind.REFUSAL, OTHERWISE): Meaning(Does.API_OTHER, _LOW, Went.FAILURE, Disposition.BLOCKED),
        (Kind.RESOLUTION, "not_observed"): Meaning(Does.API_UPDATE, _MEDIUM, Went.UNKNOWN),
        (Kind.RESOLUTION, OTHERWISE): Meaning(Does.API_UPDATE, _INFORMATIONAL, Went.SUCCESS),
        (Kind.REVIEW, "reviewed"): Meaning(Does.FINDING_CLOSE, _INFORMATIONAL, Stands.RESOLVED, of="request"),
        (Kind.REVIEW, "violation"): Meaning(Does.FINDING_UPDATE, _HIGH, Stands.IN_PROGRESS, of="request"),
        (Kind.REVIEW, OTHERWISE): Meaning(Does.FINDING_UPDATE, _HIGH, Stands.IN_PROGRESS, of="request"),
        (Kind.TOOL_QUARANTINED, "removed"): Meaning(
            Does.FINDING_CREATE, _LOW, Stands.NEW, Disposition.QUARANTINED, of="tool"
        ),
        (Kind.TOOL_QUARANTINED, "unreachable"): Meaning(
            Does.FINDING_CREATE, _LOW, Stands.NEW, Disposition.QUARANTINED, of="tool"
        ),
        (Kind.TOOL_QUARANTINED, OTHERWISE): Meaning(
            Does.FINDING_CREATE, _HIGH, Stands.NEW, Disposition.QUARANTINED, of="tool"
        ),
        (Kind.TOOL_RESTORED, OTHERWISE): Meaning(
            Does.FINDING_CLOSE, _INFORMATIONAL, Stands.RESOLVED, Disposition.RESTORED, of="tool"
        ),
        (Kind.VOTE, "break_glass"): Meaning(Does.FINDING_CREATE, _HIGH, Stands.NEW, of="request"),
        (Kind.VOTE, OTHERWISE): Meaning(Does.API_CREATE, _INFORMATIONAL),
        (Kind.WITHDRAWAL, OTHERWISE): Meaning(Does.API_UPDATE, _INFORMATIONAL, None, Disposition.BLOCKED),
    }
)
"""By kind, and by what its field of `SAID` says; OTHERWISE where it says anything else."""

_STRANGE: Final = Meaning(Does.BASE_OTHER, Severity.UNKNOWN)


def case_of(entry: Entry) -> str:
    """Return which case of its kind *entry* is: the second part of a key of `MEANINGS`."""
    said = entry.text(SAID.get(entry.kind)) or OTHERWISE
    if entry.kind == Kind.APPROVAL:
        if entry.text("review") == "overdue":
            said = "overdue"
        elif "escalated_to" in entry.fields:
            said = "escalated"
    elif entry.kind == Kind.DECISION and entry.text("reason") != "permitted":
        said = "deny"  # permitted by its rule, and refused at the door
    return said if (entry.kind, said) in MEANINGS else OTHERWISE


def meaning_of(entry: Entry) -> Meaning:
    """Return what *entry* means; an event of no class where its kind is none that this release writes."""
    return MEANINGS.get((entry.kind, case_of(entry)), _STRANGE)
