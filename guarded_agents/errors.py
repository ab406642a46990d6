"""The errors of guarded_agents.

::

    GuardError
    ├── ConfigurationError        nothing was started; the command line exits with 2
    │   ├── PolicyError           the policy file (line and column where known)
    │   ├── LockfileError         tools.lock
    │   ├── SchemaError           a tool's JSON Schema that is invalid or beyond the limits
    │   └── AssemblyError         the graph, its state schema, its checkpointer
    ├── BindingError              arguments that have no canonical form (RFC 8785)
    ├── RecordError               JSON that is not the record it stands for
    ├── NoteError                 a signed note, a tree head or a key's text that is none
    ├── StoreError                the store cannot be read or written
    │   └── AuditError            the audit log does not verify
    ├── TransportError            an MCP server
    │   ├── NotSentError          nothing left this process
    │   └── NoReplyError          sent, and no reply: it may have happened
    ├── DeliveryError             a notice that did not reach anybody; it decides nothing
    ├── DirectoryError            who may answer cannot be looked up
    ├── ApprovalError             an answer that does not count; the request waits on
    │   ├── UnknownRequestError   no such request, or its thread does not wait
    │   ├── RequestClosedError    already answered, superseded or withdrawn
    │   ├── ApprovalExpiredError  decide-by has passed
    │   ├── NotEligibleError      not an approver of this request, or its requester
    │   ├── BreakGlassError       no glass may be broken here, or not again yet
    │   └── ProofError            the signature does not fit the statement
    ├── UngatedToolError          a guarded tool was called by itself
    └── WrongLoopError            a synchronous call from the guard's own event loop

Every error says which thing, what was expected, what was got and what to do next, and carries
the same as attributes. None quotes arguments, prompts or tokens.
"""

from datetime import datetime

from guarded_agents.moments import exact


class GuardError(Exception):
    """Base of every error that this package raises.

    Attributes: ``subject`` (which thing), ``expected``, ``got``, ``action`` (what to do next).
    """

    def __init__(self, subject: str, *, expected: str, got: str, action: str) -> None:
        """Word the message from its four parts."""
        self.subject, self.expected, self.got, self.action = subject, expected, got, action
        super().__init__(f"{subject}: expected {expected}, got {got}; {action}")


class ConfigurationError(GuardError):
    """A file or an assembly that cannot be used. Nothing was started."""


class PolicyError(ConfigurationError):
    """A policy file that cannot be used. ``line`` and ``column`` count from 1, None where unknown."""

    def __init__(
        self,
        subject: str,
        *,
        expected: str,
        got: str,
        action: str = "correct the policy file",
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        """Prefix the position, where it is known, to the subject (``file:line:column``)."""
        self.line, self.column = line, column
        where = "" if line is None else f":{line}" + ("" if column is None else f":{column}")
        super().__init__(f"{subject}{where}", expected=expected, got=got, action=action)


class LockfileError(ConfigurationError):
    """A tools.lock that cannot be used."""


class SchemaError(ConfigurationError):
    """A JSON Schema that is invalid, refers outside itself or exceeds the limits of ``schema``."""


class AssemblyError(ConfigurationError):
    """A graph that cannot be guarded as it is."""


class BindingError(GuardError):
    """Arguments that have no canonical form or go beyond the limits of ``binding``."""


class RecordError(GuardError):
    """JSON, of a checkpoint or a resume value, that is not the record it stands for."""

    def __init__(self, subject: str, *, got: str) -> None:
        """Name the record and the rule that was broken, never the value."""
        super().__init__(subject, expected="the JSON of that record", got=got, action="do not trust where it came from")


class NoteError(GuardError):
    """A signed note, a tree head or the text of a key that is none. Nothing of it is believed."""


class StoreError(GuardError):
    """The store cannot be read or written. Whatever needed it is denied."""


class AuditError(StoreError):
    """The audit log does not verify. ``sequence`` is the first entry at fault, from 0, None where that is not known."""

    def __init__(self, subject: str, *, expected: str, got: str, action: str, sequence: int | None = None) -> None:
        """Keep the sequence number of the first entry at fault."""
        self.sequence = sequence
        super().__init__(subject, expected=expected, got=got, action=action)


class TransportError(GuardError):
    """An MCP server that cannot be reached or does not speak the protocol."""


class NotSentError(TransportError):
    """The request never left this process: certainly nothing happened."""


class NoReplyError(TransportError):
    """The request may have left this process and no reply came: it may have happened."""


class DeliveryError(GuardError):
    """A notice that did not reach anybody. It decides nothing: the request waits on and is listed.

    ``is_permanent`` tells that trying again is of no use; ``retry_after_s`` is the least number of seconds
    to wait before trying again, where the other side named one.
    """

    def __init__(
        self,
        subject: str,
        *,
        expected: str,
        got: str,
        action: str,
        is_permanent: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        """Keep whether and when it may be tried again."""
        self.is_permanent, self.retry_after_s = is_permanent, retry_after_s
        super().__init__(subject, expected=expected, got=got, action=action)


class DirectoryError(GuardError):
    """Who may answer, or whose proof counts, cannot be looked up. Whatever needed it is denied."""


class ApprovalError(GuardError):
    """An answer that does not count. The request stays as it was."""


class UnknownRequestError(ApprovalError):
    """No such request, or the thread it belongs to does not wait for it."""


class RequestClosedError(ApprovalError):
    """The request was already answered, superseded or withdrawn."""


class ApprovalExpiredError(ApprovalError):
    """The answer came after the request's decide-by time."""

    def __init__(self, request_id: str, *, decide_by: datetime, answered_at: datetime) -> None:
        """Keep both moments (UTC)."""
        self.request_id, self.decide_by, self.answered_at = request_id, decide_by, answered_at
        super().__init__(
            f"approval {request_id}",
            expected=f"an answer before {exact(decide_by)}",
            got=f"one at {exact(answered_at)}",
            action="ask again",
        )


class NotEligibleError(ApprovalError):
    """The voter may not answer this request: no member of the group, or its requester."""


class BreakGlassError(ApprovalError):
    """The glass may not be broken: not for this tool or rule, too often, or a review is overdue."""


class ProofError(ApprovalError):
    """The proof of identity does not fit the statement."""


class UngatedToolError(GuardError):
    """A guarded tool was called by itself. Its only way is through the guard's execute node."""


class WrongLoopError(GuardError):
    """A synchronous call was made on the event loop that the guard needs to answer it."""


__all__ = [
    "ApprovalError",
    "ApprovalExpiredError",
    "AssemblyError",
    "AuditError",
    "BindingError",
    "BreakGlassError",
    "ConfigurationError",
    "DeliveryError",
    "DirectoryError",
    "GuardError",
    "LockfileError",
    "NoReplyError",
    "NotEligibleError",
    "NotSentError",
    "PolicyError",
    "ProofError",
    "RecordError",
    "RequestClosedError",
    "SchemaError",
    "StoreError",
    "TransportError",
    "UngatedToolError",
    "UnknownRequestError",
    "WrongLoopError",
]
