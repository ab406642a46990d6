"""Which threads are to be told that a request of theirs was settled, and who does it: one worker at a time."""

from datetime import datetime

from guarded_agents.stores._rows import CLAIM_OF_PROPOSAL, micros
from guarded_agents.stores._tx import Tx


def take_wakes(tx: Tx, *, owner: str, limit: int, until: datetime, now: datetime) -> tuple[str, ...]:
    """Lease threads that wait to be told to *owner*: first whose lease has ended, then the longest waiting.

    A thread was told where the call has a claim row: the row is closed, or admitted, before anything is told (8b.2).
    One whose lease has ended, because its worker died, or which is to be tried again now, is taken all the same:
    the row was closed perhaps, and the model not told.
    """
    ended = tx.db.execute(
        "SELECT thread FROM wakes WHERE until <= ? ORDER BY until, thread LIMIT ?", (micros(now), limit)
    )
    threads = dict.fromkeys(thread for (thread,) in ended)
    waiting = tx.db.execute(
        "SELECT r.number, r.thread, c.status IS NOT NULL FROM requests r INDEXED BY requests_due"
        f" LEFT JOIN {CLAIM_OF_PROPOSAL}"
        " WHERE r.due IS NOT NULL AND r.thread NOT IN (SELECT thread FROM wakes) ORDER BY r.due, r.thread"
    )
    told = []
    while len(threads) < limit and (row := waiting.fetchone()) is not None:
        number, thread, is_told = row
        if is_told:
            told.append((number,))
        else:
            threads[thread] = None
    waiting.close()
    tx.db.executemany("UPDATE requests SET due = NULL WHERE number = ?", told)
    tx.db.executemany(
        "INSERT OR REPLACE INTO wakes VALUES (?, ?, ?)", ((thread, owner, micros(until)) for thread in threads)
    )
    return tuple(threads)


def woken(tx: Tx, thread: str, *, owner: str, again_at: datetime | None) -> None:
    """End the lease of *owner*; *again_at* is when it is tried again. A lease that passed to another is left alone."""
    if again_at is None:
        tx.db.execute("DELETE FROM wakes WHERE thread = ? AND owner = ?", (thread, owner))
    else:
        tx.db.execute(
            "UPDATE wakes SET owner = '', until = ? WHERE thread = ? AND owner = ?", (micros(again_at), thread, owner)
        )
