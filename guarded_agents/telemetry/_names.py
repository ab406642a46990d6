"""Every name that leaves the process as telemetry, declared once; docs/telemetry.md lists the same (a test compares).

``gen_ai.*``, ``mcp.*``, ``error.type`` and ``network.transport`` are OpenTelemetry's (GenAI and MCP conventions, status
Development); ``guarded_agents.*`` are ours, for no convention knows decisions and approvals. `SCHEMA_VERSION` rises
with every name that is changed, added or taken away. Names of other conventions are said only where they are asked for.
"""

from enum import StrEnum
from typing import Final

SCHEMA_VERSION: Final = "0.4.0"

# -- spans ------------------------------------------------------------------------------------

EXECUTE_TOOL: Final = "execute_tool"
GUARD: Final = "guard"


class Stage(StrEnum):
    """What a span ``guard {stage}`` covers."""

    APPROVAL = "approval"  # a call is held: a request is written, and a person is asked
    DECIDE = "decide"  # everything about a call is derived again, and the policy is asked
    EXECUTE = "execute"  # from the claim until the outcome is on record
    SCREEN = "screen"  # what a user wrote or a server answered is looked at
    VOTE = "vote"  # a person's answer is verified and recorded
    WAKE = "wake"  # a thread that waited goes on


# -- attributes of spans ----------------------------------------------------------------------

OPERATION: Final = "gen_ai.operation.name"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"  # only where contents are switched on
TOOL_RESULT: Final = "gen_ai.tool.call.result"  # the same
MCP_METHOD: Final = "mcp.method.name"
NETWORK_TRANSPORT: Final = "network.transport"
ERROR_TYPE: Final = "error.type"
DECISION: Final = "guarded_agents.decision"
RULE: Final = "guarded_agents.rule"
REASON: Final = "guarded_agents.reason"
POLICY: Final = "guarded_agents.policy.digest"
CALL: Final = "guarded_agents.call.digest"
OUTCOME: Final = "guarded_agents.outcome"
PRINCIPAL: Final = "guarded_agents.principal"
APPROVER: Final = "guarded_agents.approver"
REQUEST: Final = "guarded_agents.request"
ANSWER: Final = "guarded_agents.answer"
GROUP: Final = "guarded_agents.group"
QUORUM: Final = "guarded_agents.quorum"
WAIT: Final = "guarded_agents.approval.wait_s"
AUDIT_LOG: Final = "guarded_agents.audit.log"
AUDIT_SEQUENCE: Final = "guarded_agents.audit.sequence"
ROLE: Final = "guarded_agents.role"  # of a link: which span it leads to

# -- attributes of other conventions, off by default (`Semconv`) --------------------------------

GUARDRAIL_COMPONENT: Final = "gen_ai.guardrail.component.name"
GUARDRAIL_TARGET: Final = "gen_ai.guardrail.target.type"
GUARDRAIL_SUBTYPE: Final = "gen_ai.guardrail.target.subtype"
GUARDRAIL_TARGET_ID: Final = "gen_ai.guardrail.target.id"
GUARDRAIL_VERDICT: Final = "gen_ai.guardrail.verdict.type"
GUARDRAIL_CODE: Final = "gen_ai.guardrail.verdict.code"
GUARDRAIL_ACTION: Final = "gen_ai.guardrail.action.type"
GUARDRAIL_POLICY: Final = "gen_ai.guardrail.security.policy.id"
GUARDRAIL_RULE: Final = "gen_ai.guardrail.security.policy.rule.id"
INFERENCE_KIND: Final = "openinference.span.kind"
INFERENCE_TOOL: Final = "tool.name"
INFERENCE_SESSION: Final = "session.id"
INFERENCE_INPUT: Final = "input.value"  # only where contents are switched on, as are the three below
INFERENCE_INPUT_TYPE: Final = "input.mime_type"
INFERENCE_OUTPUT: Final = "output.value"
INFERENCE_OUTPUT_TYPE: Final = "output.mime_type"

# -- metrics, and the attributes that only they have ------------------------------------------

DECISIONS: Final = "guarded_agents.decisions"
APPROVALS: Final = "guarded_agents.approvals"
APPROVAL_WAIT: Final = "guarded_agents.approval.wait"
APPROVALS_PENDING: Final = "guarded_agents.approvals.pending"
APPROVALS_AGE: Final = "guarded_agents.approvals.pending.age"
GLASS_UNREVIEWED: Final = "guarded_agents.break_glass.unreviewed"
IN_DOUBT: Final = "guarded_agents.calls.in_doubt"
FINDINGS: Final = "guarded_agents.screening.findings"
SCREENING_TIME: Final = "guarded_agents.screening.duration"
APPEND_TIME: Final = "guarded_agents.audit.append.duration"
AUDIT_ENTRIES: Final = "guarded_agents.audit.entries"
AUDIT_VERIFIED: Final = "guarded_agents.audit.verified"
AUDIT_VERIFIED_AGE: Final = "guarded_agents.audit.verified.age"
SESSIONS_REOPENED: Final = "guarded_agents.sessions.reopened"
TOOLS_QUARANTINED: Final = "guarded_agents.tools.quarantined"

STAGE: Final = "guarded_agents.stage"
STATUS: Final = "guarded_agents.status"
KIND: Final = "guarded_agents.finding.kind"
REQUIRED: Final = "guarded_agents.finding.required"
SERVER: Final = "guarded_agents.server"

# -- values that a convention gives -----------------------------------------------------------

TOOLS_CALL: Final = "tools/call"
TOOL_ERROR: Final = "tool_error"
UNKNOWN: Final = "unknown"
REFUSE: Final = "refuse"  # the stage at which a call that is not sent is counted
HELD: Final = "held"  # in place of an outcome, in the line of a call that waits for people
BROKE_GLASS: Final = "broke_glass"  # in place of "approved", in what became of a request
OTHER: Final = "_OTHER"

COMPONENT: Final = "guarded_agents"  # of gen_ai.guardrail.*, as are those down to ESCALATE
INPUT: Final = "input"
TOOL_CALL: Final = "tool_call"
ALLOW: Final = "allow"
DENY: Final = "deny"
BLOCK: Final = "block"
ESCALATE: Final = "escalate"  # to a person
JSON: Final = "application/json"
TEXT: Final = "text/plain"


class Role(StrEnum):
    """Which span a link leads to."""

    HELD = "held"
    VOTE = "vote"


class InferenceKind(StrEnum):
    """A span's kind as OpenInference has it."""

    CHAIN = "CHAIN"
    GUARDRAIL = "GUARDRAIL"
    TOOL = "TOOL"


# -- logs, and the fields of audit entries ----------------------------------------------------

LOGGER: Final = "guarded_agents.decisions"
