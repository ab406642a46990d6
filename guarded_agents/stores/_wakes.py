"""Which threads are to be told that a request of theirs was settled, and who does it: one worker at a time."""

from datetime import datetime

from guarded_agents.stores._rows import CLAIM_OF_PROPOSAL, micros
from guarded_agents.stores._tx import Tx


def take_wake(tx: Tx, *, owner: str, until: datetime, now: datetime) -> str | None:
    """Lease a thread that waits to be told to *owner*: first one whose lease has ended, then the longest waiting.

    A thread was told where the call has a claim row: the row is closed, or admitted, before anything is told (8b.2).
    One whose lease has ended, because its worker died, or which is to be tried again now, is taken all the same:
    the row was closed perhaps, and the model not told.
    """
    ended = tx.db.execute("SELECT thread FROM wakes WHERE until <= ? ORDER BY until, thread LIMIT 1", (micros(now),))
    found: tuple[str] | None = ended.fetchone()
    thread = _longest_waiting(tx) if found is None else found[0]
    if thread is not None:
        tx.db.execute("INSERT OR REPLACE INTO wakes VALUES (?, ?, ?)", (thread, owner, micros(until)))
    return thread


def _longest_waiting(tx: Tx) -> str | None:
    """Return the thread that waits longest to be told and is nobody's; what was told meanwhile is no longer due."""
    waiting = tx.db.execute(
        "SELECT r.number, r.thread, c.status IS NOT NULL FROM requests r INDEXED BY requests_due"
        f" LEFT JOIN {CLAIM_OF_PROPOSAL}"
        " WHERE r.due IS NOT NULL AND r.thread NOT IN (SELECT thread FROM wakes) ORDER BY r.due, r.thread"
    )
    told, thread = [], None
    while thread is None and (row := waiting.fetchone()) is not None:
        number, standing, is_told = row
        if is_told:
            told.append((number,))
        else:
            thread = standing
    waiting.close()
    tx.db.executemany("UPDATE requests SET due = NULL WHERE number = ?", told)
    return thread


def woken(tx: Tx, thread: str, *, owner: str, again_at: datetime | None) -> None:
    """End the lease of *owner*; *again_at* is when it is tried again. A lease that passed to another is left alone."""
    if again_at is None:
        tx.db.execute("DELETE FROM wakes WHERE thread = ? AND owner = ?", (thread, owner))
    else:
        tx.db.execute(
            "UPDATE wakes SET owner = '', until = ? WHERE thread = ? AND owner = ?", (micros(again_at), thread, owner)
        )
