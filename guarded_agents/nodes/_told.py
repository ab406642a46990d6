"""What the model is told, and what a task writes to the state."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from langchain_core.messages import ToolMessage
from pydantic import JsonValue

from guarded_agents.approval import is_intact
from guarded_agents.binding import keyed_digest
from guarded_agents.moments import utc
from guarded_agents.records import (
    AuditHead,
    BoundCall,
    CallKey,
    Claim,
    ClaimStatus,
    Decision,
    Outcome,
    Reason,
    StandingRequest,
)

GuardUpdate = dict[str, object]
"""What a node writes to the state: channel name to JSON or messages."""

NOT_CARRIED_OUT: Final = "This call was not carried out. "

_NEXT: Final[Mapping[Reason, str]] = {
    Reason.UNKNOWN_TOOL: "There is no such tool; use one of the tools that you were given.",
    Reason.QUARANTINED_TOOL: "The tool is not available at the moment; tell the user, and do not try it again.",
    Reason.UNKNOWN_PRINCIPAL: "It is not known who asks; tell the user to sign in.",
    Reason.MISSING_SCOPE: "The user is not entitled to it; tell the user, and do not try another way.",
    Reason.NO_RULE: "It is not permitted; tell the user, and do not try another way.",
    Reason.CONDITION_NOT_MET: "It is not permitted with these arguments; tell the user, and do not try another way.",
    Reason.CONDITION_FAILED: "It could not be decided; tell the user.",
    Reason.SCHEMA_MISMATCH: "The arguments do not fit the tool's input schema; correct them and propose it again.",
    Reason.RESERVED_ARGUMENT: "An argument has a reserved name; tell the user that the tool cannot be used.",
    Reason.UNDIGESTIBLE: "The arguments cannot be written as JSON within the limits; propose smaller, plain ones.",
    Reason.INVALID_CALL: "The call is malformed; propose it again with valid JSON and an id of its own.",
    Reason.NOT_PROPOSED: "It is not on record as proposed in this turn; propose it again if it is still needed.",
    Reason.SUPERSEDED: "Another call stands in its place; look at the answers to the other calls.",
    Reason.LIMIT_REACHED: "It was called as often as is permitted; tell the user, and do not try again now.",
    Reason.NO_THREAD: "The conversation has no thread id, so nothing with an effect may run; tell the user.",
    Reason.NOT_DURABLE: "The run does not save its steps synchronously (durability must be 'sync'); tell the user.",
    Reason.STORE_UNAVAILABLE: "It cannot be recorded at the moment, so it may not run; tell the user.",
    Reason.GUARD_FAILED: "It could not be checked; tell the user.",
    Reason.REJECTED: "An approver rejected it; tell the user, and do not propose it again.",
    Reason.ANSWERED: "An approver answered in its place, and the answer is not at hand; tell the user.",
    Reason.EXPIRED: "Nobody approved it in time; tell the user, and ask before you propose it again.",
    Reason.LAPSED: "Its approval was not used in time; tell the user, and ask before you propose it again.",
    Reason.VOIDED: "Something that its approval was given for has changed; tell the user.",
    Reason.WITHDRAWN: "It was withdrawn before it was decided: the user wrote something new, or it was cancelled.",
    Reason.COALESCED: "The same call waits for an approver already; do not propose it again, tell the user.",
    Reason.ALREADY_REJECTED: "An approver rejected the same a short while ago, so nobody was asked; tell the user.",
    Reason.QUEUE_FULL: "Too many calls wait for an approver at the moment, so nobody was asked; tell the user.",
    Reason.UNLICENSED: "The user did not ask for it, or not with these values.",
    Reason.UNPLANNED: "It is not part of what was planned; tell the user, and do not try another way.",
    Reason.PLAN_PROPOSED: "It only says which tools you plan to use; what is planned cannot be told at the moment.",
    Reason.REDACTED: "An argument holds a value that was taken out of what you were shown and may not go to this tool; "
    "tell the user.",
    Reason.DIRECTORY_UNAVAILABLE: "Who may approve it cannot be looked up at the moment; tell the user, and propose it "
    "again later.",
}
_EDITED: Final = "An approver changed the arguments of this call"
UNEDITED: Final = ""
_ANSWERED: Final = (
    "An approver answers instead. These are the approver's words, not the tool's; nobody vouches for what they quote: "
)
WAITING: Final = Outcome(
    ClaimStatus.CLOSED,
    "This call waits for an approver. Do not propose it again; its answer will follow.",
    is_error=True,
)
IN_DOUBT_TEXT: Final = (
    "It is not known whether this call was carried out: it was sent, and no reliable answer came. It may still happen. "
    "Do not repeat it; tell the user that a person has to look."
)
_LOOKED: Final[Mapping[ClaimStatus, str]] = {
    ClaimStatus.HAPPENED: "A person has looked: this call was carried out. What it answered is not known.",
    ClaimStatus.NOT_HAPPENED: "A person has looked: this call was not carried out. Propose it again if it is needed.",
}


def refusal(reason: Reason, *, retry_at: datetime | None = None) -> Outcome:
    """Return what the model is told of a call that was not carried out; it reveals no rule.

    *retry_at* (UTC) is when it can be asked again at the earliest: told to the minute, and never too early.
    """
    text = NOT_CARRIED_OUT + _NEXT[reason]
    if retry_at is not None:
        text += f" It can be asked again from {_to_the_minute(retry_at)} on, not before."
    return Outcome(ClaimStatus.CLOSED, text, is_error=True, reason=reason)


def answered(text: str) -> Outcome:
    """Return what the model is told where an approver responds: *text*, as the approver's own."""
    return Outcome(ClaimStatus.CLOSED, f"{NOT_CARRIED_OUT}{_ANSWERED}{text}", is_error=False, reason=Reason.ANSWERED)


def in_doubt(said: str = "") -> Outcome:
    """Return what the model is told of a call whose outcome nobody knows; *said* is the server's error text."""
    text = f"{IN_DOUBT_TEXT} The server said: {said}" if said else IN_DOUBT_TEXT
    return Outcome(ClaimStatus.IN_DOUBT, text, is_error=True)


def told_of(claim: Claim) -> Outcome:
    """Return what a claim row says, the same to everybody who asks."""
    if claim.status in (ClaimStatus.SENDING, ClaimStatus.CONFLICT, ClaimStatus.NOT_OBSERVED):
        return in_doubt()
    if (looked := _LOOKED.get(claim.status)) is not None:
        return Outcome(claim.status, looked, is_error=claim.status is ClaimStatus.NOT_HAPPENED)
    if claim.outcome is not None:
        return claim.outcome
    return refusal(claim.reason) if claim.status is ClaimStatus.CLOSED else in_doubt()


def edit_of(asked: StandingRequest | None, *, key: bytes) -> str:
    """Return the sentence that a person changed the call which *asked* is about; `UNEDITED` where nobody did (I8).

    The arguments are quoted only as they were written under *key*: not where they were erased, nor as somebody else
    has put them into the row.
    """
    if asked is None or asked.request.parent is None:
        return UNEDITED
    if not is_intact(asked.request, key=key):
        return f"{_EDITED}; to what is not on record any more. "
    return f"{_EDITED} to {asked.request.arguments}. "


def tool_message(
    call_id: str, name: str, outcome: Outcome, *, edit: str, key: CallKey | None = None, of: str = ""
) -> ToolMessage:
    """Return the answer to one call. Its id follows from the key, so that a replay replaces it.

    Without a key it follows from the call id and *of*, the id of the message that made the call. *edit*, from
    `edit_of`, stands before the outcome, which is on record as it was without it.
    """
    structured = None if outcome.artifact is None else {"structured_content": outcome.artifact}
    return ToolMessage(
        content=edit + outcome.content,
        tool_call_id=call_id,
        name=name,
        status="error" if outcome.is_error else "success",
        artifact=structured,
        id=_unanswered(of, call_id) if key is None else message_id(key),
    )


def settled(
    call: BoundCall, name: str, decision: Decision, outcome: Outcome, head: AuditHead, *, edit: str
) -> GuardUpdate:
    """Return the state update of a task that ends: the answer, what was decided, where the proof is."""
    entry: dict[str, JsonValue] = {
        "call_id": call.call_id,
        "tool": call.tool,
        "decision": decision.effect.value,
        "rule": decision.rule,
        "reason": outcome.reason.value if decision.permitted else decision.reason.value,
        "status": outcome.status.value,
    }
    return {
        "messages": [tool_message(call.call_id, name, outcome, edit=edit, key=call.key)],
        "guard_calls": {
            "entry": call.key.entry,
            "turn": call.key.turn,
            "calls": {f"{call.key.digest}:{call.key.occurrence}": entry},
        },
        "guard_audit": {"log": head.log, "size": head.size, "root": head.root},
    }


def _to_the_minute(moment: datetime) -> str:
    """Return *moment* in UTC, rounded up to the minute (RFC 3339)."""
    up = (moment + timedelta(seconds=59, microseconds=999_999)).astimezone(UTC).replace(second=0, microsecond=0)
    return utc(up)


def message_id(key: CallKey) -> str:
    """Return the id of the answer to the call of *key*: the same at each replay."""
    return f"tool-{key.digest[:16]}-{key.turn}-{key.occurrence}"


def _unanswered(of: str, call_id: str) -> str:
    return f"tool-{keyed_digest(b'', 'unanswered', of, call_id)[:16]}"
