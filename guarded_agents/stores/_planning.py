"""The transactions that pin what a model proposes as the plan of its thread, and that extend one as a person says."""

from collections.abc import Collection
from datetime import datetime

from guarded_agents.errors import RequestClosedError
from guarded_agents.records import Integrity, SignedPlanExtension
from guarded_agents.stores._nonces import spend_nonce
from guarded_agents.stores._results import AuditNote
from guarded_agents.stores._rows import thread_of
from guarded_agents.stores._trail import put_extension, put_plan
from guarded_agents.stores._tx import Tx


def pin(tx: Tx, thread: str, entry: str, tools: Collection[str], *, note: AuditNote, now: datetime) -> bool:
    """Pin *tools* as the plan of *thread*, once, and only while all that it has read is trusted; return whether."""
    facts = thread_of(tx.db, thread)
    if facts is None or facts.entry != entry or facts.labels.integrity is not Integrity.TRUSTED:
        return False
    pinned = put_plan(tx.db, thread, sorted(set(tools)), facts.labels)
    if pinned:
        tx.append([note], now)
    return pinned


def extend_plan(tx: Tx, signed: SignedPlanExtension, entry: str, *, note: AuditNote, now: datetime) -> None:
    """Record the verified extension, once; the same again changes nothing.

    *entry* is the one whose requester it was checked against. Raises RequestClosedError where another is current, or
    where somebody has extended the plan by that tool.
    """
    said = signed.extension
    if not spend_nonce(tx, said.approver, said):
        return
    facts = thread_of(tx.db, said.thread)
    if facts is None or facts.entry != entry:
        raise _closed(said.thread, "the entry that was looked at", "another", "look again, and sign anew")
    if not put_extension(tx.db, signed, facts.labels):
        raise _closed(said.thread, "a tool outside the plan", "one that somebody has added", "nothing is left to do")
    tx.append([note], now)


def _closed(thread: str, expected: str, got: str, action: str) -> RequestClosedError:
    return RequestClosedError(f"plan of thread {thread}", expected=expected, got=got, action=action)
