"""What is promised, where the promise comes from, and the controls that it serves: the manifest of the tests.

A test proves a requirement by ``@pytest.mark.requirement("I6")``. ``tests/unit/project/test_requirements.py`` holds
both directions: each held requirement has a test, and each marker names a requirement. That the test of an
invariant can fail is shown by the mutants of ``tests/mutants/table.py``, which ``make test-long`` runs.

Sources: DESIGN and FACTS are the design papers of this project; the others are published standards. Controls: SOC 2
is the AICPA's Trust Services Criteria (2017, points of focus 2022), HIPAA the Security Rule (45 CFR 164).
"""

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Whether a requirement is met by this release."""

    HELD = "held"
    PLANNED = "planned"  # promised by the design, not built or not whole yet; a test may already show a part


class Requirement(NamedTuple):
    """One promised behaviour."""

    id: str
    statement: str
    source: str
    soc2: tuple[str, ...] = ()
    hipaa: tuple[str, ...] = ()
    status: Status = Status.HELD


INVARIANTS = (
    Requirement(
        "I1",
        "No tool runs but through the door, and the tool objects that an application holds refuse to run.",
        "DESIGN section 3, I1",
        ("CC6.1", "CC6.8"),
        ("164.312(a)(1)",),
    ),
    Requirement(
        "I2",
        "A permit covers one call: who, where, which tool and definition, which arguments, under which policy entries"
        " and labels, until when; and what was digested is what is sent.",
        "DESIGN section 3, I2; RFC 8785",
        ("CC6.1", "CC8.1", "PI1.3"),
        ("164.312(a)(1)", "164.312(c)(1)"),
    ),
    Requirement(
        "I3",
        "Enforcement trusts nothing found in graph state, in a task's payload or in a resume value.",
        "DESIGN section 3, I3",
        ("CC6.1", "CC6.6"),
        ("164.312(a)(1)", "164.312(c)(1)"),
    ),
    Requirement(
        "I4",
        "A permit is consumed once: no resume, fork, replay, race or crash runs an effect twice, and what is in doubt"
        " is told as in doubt until a person has looked.",
        "DESIGN section 3, I4, and section 8b",
        ("PI1.3", "PI1.4"),
        ("164.312(c)(1)",),
    ),
    Requirement(
        "I5",
        "Decision, claim and intent are on disk before a call with an effect is sent. No record, no call.",
        "DESIGN section 3, I5",
        ("CC7.2", "PI1.5"),
        ("164.312(b)",),
    ),
    Requirement(
        "I6",
        "Whatever is unknown, drifted, malformed, unrecordable, expired or fails is denied with a reason code, and"
        " no option turns that round.",
        "DESIGN section 3, I6",
        ("CC6.1", "CC6.3", "CC7.1"),
        ("164.312(a)(1)",),
    ),
    Requirement(
        "I7",
        "An answer counts only if it is a proven vote of somebody who is entitled when it comes in and again when the"
        " call is sent, and is not the requester, on this very request and in time; a wrong one changes nothing.",
        "DESIGN section 3, I7; RFC 8032",
        ("CC6.1", "CC6.3", "CC8.1"),
        ("164.312(d)", "164.308(a)(4)"),
    ),
    Requirement(
        "I8",
        "Edited arguments are another call: decided afresh, without the votes of the first, and the model is told.",
        "DESIGN section 3, I8",
        ("CC6.1", "CC8.1"),
        ("164.312(c)(1)",),
    ),
    Requirement(
        "I9",
        "The labels of a thread only grow stricter, over turns, restarts and forks, whatever a model, a server or a"
        " writer of state does.",
        "DESIGN section 3, I9",
        ("CC6.1", "CC6.7", "C1.1"),
        ("164.312(a)(1)", "164.502(b)"),
    ),
    Requirement(
        "I10",
        "No key or credential is at rest in state, checkpoints, spans, logs or the audit log; the audit log holds"
        " keyed digests of arguments, never arguments.",
        "DESIGN section 3, I10",
        ("CC6.1", "C1.1"),
        ("164.312(a)(2)(iv)", "164.502(b)"),
    ),
    Requirement(
        "I11",
        "State holds no growing history of governance: a late turn costs what an early one does.",
        "DESIGN section 3, I11",
        ("A1.1",),
    ),
    Requirement(
        "I12",
        "What a hard rule denies, no approval, edit, exception or broken glass permits.",
        "DESIGN section 3, I12",
        ("CC6.1", "CC6.3"),
        ("164.312(a)(1)",),
    ),
)

BYPASSES = (
    Requirement(
        "B1", "A rejected call does not run when something else jumps to the tools.", "FACTS part B", ("CC6.1",)
    ),
    Requirement("B2", "A rejected call does not run when a condition flips on resume.", "FACTS part B", ("CC6.1",)),
    Requirement(
        "B3", "A call that was changed after its approval does not run.", "FACTS part B", ("CC8.1",), ("164.312(c)(1)",)
    ),
    Requirement("B4", "An edit changes arguments and nothing else, and is checked again.", "FACTS part B", ("CC8.1",)),
    Requirement("B5", "An approval that is given twice, or raced, runs its call once.", "FACTS part B", ("PI1.3",)),
    Requirement("B6", "A tool that nobody listed is denied.", "FACTS part B", ("CC6.1", "CC6.8"), ("164.312(a)(1)",)),
    Requirement("B7", "An approval is good for its own arguments and principal alone.", "FACTS part B", ("CC6.3",)),
    Requirement("B8", "Nodes are gated under invoke, ainvoke and stream alike.", "FACTS part B", ("CC6.1",)),
    Requirement(
        "B9",
        "Nobody approves a request of their own, not by a delegate or an emergency either, and an approver's name is"
        " proven.",
        "FACTS part B",
        ("CC6.3",),
        ("164.312(d)",),
    ),
    Requirement(
        "B10",
        "Each field of an audit entry is under its hash: a change, a gap and an exchange are found.",
        "FACTS part B, F28",
        ("CC7.2", "CC7.3"),
        ("164.312(b)", "164.312(c)(2)"),
    ),
    Requirement(
        "B11",
        "Names are compared whole and as written: no substring, glob or case folding.",
        "FACTS part B",
        ("CC6.1",),
    ),
    Requirement(
        "B12", "Neither time, a sweep, load nor a quorum that is not met ever approves.", "FACTS part B", ("CC6.3",)
    ),
    Requirement("B13", "A guard that raises denies the call.", "FACTS part B", ("CC6.1", "CC7.4")),
    Requirement(
        "B14",
        "A name claimed twice, or a definition that changed since its review, is quarantined.",
        "FACTS part B",
        ("CC6.8", "CC7.1", "CC8.1"),
    ),
    Requirement(
        "B15",
        "State forged by an update, a Command, an overwrite in a result or a tool's return gives nothing.",
        "FACTS part B, F12, F13",
        ("CC6.1", "CC6.6"),
        ("164.312(c)(1)",),
    ),
    Requirement(
        "B16",
        "Neither a server's question nor a token step-up widens what was agreed. (Questions are refused now.)",
        "FACTS part B, F24; RFC 6749 section 3.3",
        ("CC6.1", "CC6.3"),
        status=Status.PLANNED,
    ),
)

FACTS = (
    Requirement("G1", "Replays and repeated call ids neither repeat nor lose an effect.", "FACTS G1", ("PI1.3",)),
    Requirement(
        "G2", "A task of unknown origin runs nothing, and requests are found by digest.", "FACTS G2", ("CC6.1",)
    ),
    Requirement(
        "G4", "No model output and no task, however malformed, kills the run of a thread.", "FACTS G4", ("A1.1",)
    ),
    Requirement(
        "G5", "New input closes what waits, and each of its calls is answered before it.", "FACTS G5", ("PI1.3",)
    ),
    Requirement(
        "G6", "Neither a concurrent resume nor a cancelled caller leaves a known outcome in doubt.", "FACTS G6"
    ),
    Requirement("G7", "An overwrite replaces nothing in the state.", "FACTS G7, F12", ("CC6.1",), ("164.312(c)(1)",)),
    Requirement("G8", "Effects are denied unless each step is saved synchronously.", "FACTS G8", ("PI1.5",)),
    Requirement("G9", "Stray wake-ups and stray resume values are waited out.", "FACTS G9", ("CC6.1",)),
    Requirement(
        "G10", "Synchronous and asynchronous entry have the same guard; the one deadlock is refused.", "FACTS G10"
    ),
    Requirement(
        "L1", "What has no canonical form is refused; equal numbers are one value.", "FACTS L1; RFC 8785", ("PI1.2",)
    ),
    Requirement(
        "L4", "A schema that reaches out, stalls or is none is refused.", "FACTS L4; JSON Schema 2020-12", ("A1.1",)
    ),
)

POLICY = (
    Requirement(
        "policy:default-deny",
        "A call is denied unless a rule permits it.",
        "DESIGN section 6; NIST SP 800-162",
        ("CC6.1", "CC6.3"),
        ("164.312(a)(1)",),
    ),
    Requirement(
        "policy:closed",
        "A policy file with an unknown key or value is refused, with its place.",
        "DESIGN section 6",
        ("CC8.1",),
    ),
    Requirement(
        "policy:yaml",
        "YAML is read without its traps: duplicates, implicit types, aliases.",
        "DESIGN section 6, FACTS L6",
    ),
    Requirement(
        "policy:fence", "A condition stays inside the fence, and stalls or crashes nothing.", "FACTS L3", ("A1.1",)
    ),
    Requirement("policy:only-true-permits", "Only the value true permits.", "DESIGN section 6, FACTS L3", ("CC6.1",)),
    Requirement(
        "policy:exceptions-end", "An exception ends at its date, and no rule renews it.", "DESIGN section 6", ("CC6.3",)
    ),
    Requirement(
        "policy:limits",
        "A limit is counted in the transaction that claims the call.",
        "DESIGN sections 6 and 8b",
        ("CC6.1",),
    ),
    Requirement(
        "policy:annotations-only-raise",
        "What a server says of its tools can raise a risk and never lower one.",
        "FACTS F21",
    ),
)

OPERATION = (
    Requirement(
        "approval:break-glass",
        "An emergency approval takes a holder with two keys and a justification, is scoped, capped, expires, is"
        " recorded like any vote and is reviewed by somebody else; an overdue review blocks the next one.",
        "DESIGN section 8",
        ("CC6.3", "CC7.4"),
        ("164.312(a)(2)(ii)",),
    ),
    Requirement(
        "approval:one-person",
        "Delegator and delegate are one person, in one step, and leave a quorum possible.",
        "DESIGN section 8",
        ("CC6.3",),
        ("164.308(a)(4)",),
    ),
    Requirement(
        "approval:queue",
        "What may wait for people is bounded; what is beyond it, or was rejected just now, is refused at once with a"
        " hint.",
        "DESIGN section 8",
        ("A1.1", "CC6.3"),
    ),
    Requirement(
        "approval:revoked",
        "Who may agree, and whether their proof stands, is asked again when the call is sent; a directory that cannot"
        " answer is a deny.",
        "DESIGN sections 8 and 8b",
        ("CC6.2", "CC6.3"),
        ("164.308(a)(3)(ii)(C)", "164.312(d)"),
    ),
    Requirement(
        "approval:resolve",
        "A call in doubt is settled by the signed statement of somebody else than who asked, over the attempt that was"
        " looked at.",
        "DESIGN section 8b.5",
        ("PI1.4", "CC7.4"),
        ("164.312(c)(1)",),
    ),
)

VALUES = (
    Requirement(
        "provenance:authority-of-values",
        "In a tainted thread a consequential value comes from the user, a declared record or an approver.",
        "DESIGN section 7",
        ("CC6.1", "CC6.7"),
    ),
    Requirement(
        "screen:results",
        "What a server answered is screened before the model or a checkpoint sees it.",
        "DESIGN sections 2 and 7",
        ("CC6.6",),
    ),
)

PLANNED = (
    Requirement(
        "audit:signed-heads",
        "A rewrite of the whole log and a truncated tail are found by signed tree heads kept elsewhere.",
        "DESIGN section 8, FACTS F30; RFC 6962",
        ("CC7.2",),
        ("164.312(c)(2)",),
        Status.PLANNED,
    ),
)

WATCHED = (
    Requirement(
        "telemetry:one-picture",
        "The spans of a call that waited lead to where it was held and to each vote; its audit entries name them.",
        "FACTS F23, F27; W3C Trace Context",
        ("CC7.2", "CC7.3"),
    ),
    Requirement(
        "telemetry:beside",
        "Beside other instrumentors of LangChain and MCP nothing breaks, and a call has one span that executes it.",
        "FACTS F27",
        ("CC7.2",),
    ),
    Requirement(
        "telemetry:no-influence",
        "What is decided and recorded is the same whatever tracing does.",
        "FACTS F27",
        ("A1.1", "PI1.4"),
    ),
)

REQUIREMENTS = (*INVARIANTS, *BYPASSES, *FACTS, *POLICY, *OPERATION, *VALUES, *WATCHED, *PLANNED)
