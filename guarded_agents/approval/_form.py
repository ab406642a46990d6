"""The form that every statement has to have, whatever it is about."""

import re
from datetime import datetime, timedelta
from typing import Final

from guarded_agents.approval._statement import Statement, subject_of
from guarded_agents.errors import ApprovalError, NotEligibleError, ProofError

MAX_TEXT_CHARS: Final = 4_000
MAX_AHEAD_S: Final = 300  # clocks of approvers may run this far ahead
_NONCE: Final = re.compile(r"[0-9a-f]{32}")


def check_nonce(of: Statement) -> None:
    """Raise ApprovalError unless the nonce is 32 hex digits."""
    if not _NONCE.fullmatch(of.nonce):
        raise malformed(of, "a nonce of 32 hex digits", "another")


def check_text(of: Statement, *, needed: str | None) -> None:
    """Raise ApprovalError for a text that is too long, or that is blank where one is *needed* (for what)."""
    if of.text is not None and len(of.text) > MAX_TEXT_CHARS:
        raise malformed(of, f"a text of at most {MAX_TEXT_CHARS:,} characters", f"{len(of.text):,}")
    if needed is not None and not (of.text or "").strip():
        raise malformed(of, needed, "none")


def check_signed(of: Statement, *, since: datetime, since_what: str, now: datetime) -> None:
    """Raise ProofError unless the statement was signed from *since* on and, clocks aside, not after *now* (UTC)."""
    if of.at > now + timedelta(seconds=MAX_AHEAD_S):
        raise unproven(of, "a statement signed now", "one from the future", "set the clock and sign again")
    if of.at < since:
        raise unproven(of, f"a statement signed since {since_what}", "an older one", "set the clock and sign again")


def malformed(of: Statement, expected: str, got: str) -> ApprovalError:
    """Return the error for a statement that has another form."""
    return ApprovalError(subject_of(of), expected=expected, got=got, action="correct it and sign again")


def unproven(of: Statement, expected: str, got: str, action: str) -> ProofError:
    """Return the error for a statement that does not fit what it is about."""
    return ProofError(subject_of(of), expected=expected, got=got, action=action)


def ineligible(of: Statement, expected: str, got: str) -> NotEligibleError:
    """Return the error for a statement by somebody who may not make it."""
    return NotEligibleError(subject_of(of), expected=expected, got=got, action="leave it to somebody else")
