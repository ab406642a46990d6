"""What an interrupt shows, and the only thing that may come back through it."""

from typing import Annotated, Final, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from guarded_agents import binding
from guarded_agents.moments import exact
from guarded_agents.records import ApprovalRequest, Miss, Scheme, SignedVote, Vote

MAX_VOTE_BYTES: Final = 2 * binding.MAX_BYTES + 16_384  # arguments, quoted once more, and all the rest
_Signature = Annotated[str, StringConstraints(max_length=88)]  # 64 bytes in base64


def interrupt_payload(request: ApprovalRequest, *, how: str) -> dict[str, JsonValue]:
    """Return the value of the interrupt: LangChain's ``tool_approval`` shape, and what ours adds.

    *how* tells how to answer. Times are RFC 3339 in UTC.
    """
    return {
        "type": "tool_approval",
        "tool_call_id": request.call_id,
        "name": request.tool,
        "args": binding.parse(request.arguments.encode()),
        "description": (
            f"{request.server}/{request.tool} waits for {request.quorum} of {request.group} ({request.approval_rule})."
            + "".join(f" {line}." for line in why_asked(request))
        ),
        "request_id": request.id,
        "digest": request.digest,
        "server": request.server,
        "rule": request.approval_rule,
        "group": request.group,
        "quorum": request.quorum,
        "requester": request.requester.id,
        "acting_for": request.requester.acting_for,
        "tenant": request.tenant,
        "risk": request.risk.value,
        "backup": request.backup,
        "escalate_at": None if request.escalate_at is None else exact(request.escalate_at),
        "decide_by": exact(request.decide_by),
        "labels": request.labels.model_dump(mode="json"),
        "misses": [miss.model_dump(mode="json") for miss in request.misses],
        "parent": request.parent,
        "how_to_answer": how,
    }


def why_asked(request: ApprovalRequest) -> tuple[str, ...]:
    """Return, for each thing that the call has no authority for, where it was read and what would license it.

    It names arguments, fields and messages, and quotes no value (DESIGN section 7).
    """
    return tuple(map(_why, request.misses))


def _why(miss: Miss) -> str:
    origin, what = miss.origin, f"{miss.argument}{miss.at}" or "the call"
    read = "" if origin is None else f", read in {origin.server}/{origin.tool}{origin.field} (message {origin.message})"
    return f"{what}{read}: it runs unattended where {miss.licensed_by}"


def changed_payload(request: ApprovalRequest) -> dict[str, JsonValue]:
    """Return the value of the interrupt of a request whose row no longer is as it was written: it shows nothing of it.

    An approver would else sign, for what the digest stands for, having seen something else.
    """
    return {
        "type": "tool_approval",
        "request_id": request.id,
        "how_to_answer": "do not: the request's row in the store was changed; verify the audit log",
    }


def _vote(value: object) -> object:
    """Read JSON as strictly as from a file: a resume value comes as Python, where strict would refuse every enum."""
    try:
        text = value.model_dump_json().encode() if isinstance(value, Vote) else orjson.dumps(value)
        if len(text) > MAX_VOTE_BYTES:  # LangGraph keeps each answer, and each wake-up looks at all of them again
            raise PydanticCustomError("vote", "expected a shorter vote")
        return Vote.model_validate_json(text)
    except (ValidationError, orjson.JSONEncodeError):
        # The reason would quote the answer, and so perhaps arguments.
        raise PydanticCustomError("vote", "expected a vote as `approvals` makes it") from None


class ResumeAnswer(BaseModel):
    """The only resume value that is looked at: a vote signed with a key; the ``response_schema`` of ``interrupt``.

    Whatever else comes counts for nothing, and the request waits on. But LangGraph saves a resume value in the
    checkpoint before anybody looks at it. So never send an ID token, or anything secret, as a resume value: an ID
    token is not taken here, and goes to ``guard.vote`` (DESIGN I10).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    vote: Annotated[Vote, BeforeValidator(_vote)]
    signature: _Signature
    scheme: Literal[Scheme.ED25519] = Scheme.ED25519
    second: _Signature | None = None

    def signed(self) -> SignedVote:
        """Return the signed vote, which still has to be checked."""
        return SignedVote(vote=self.vote, signature=self.signature, scheme=self.scheme, second=self.second)
