"""Which threads are to be told that a request of theirs was settled, and who does it: one worker at a time."""

import sqlite3
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import orjson

from guarded_agents.stores._results import Delayed, Wake
from guarded_agents.stores._rows import CLAIM_OF_PROPOSAL, LAST_MOMENT, micros, moment
from guarded_agents.stores._tables import is_text
from guarded_agents.stores._tx import Tx

QUIET: Final = timedelta(minutes=10)
"""How long after its call was closed or settled a thread is left to whoever runs it. Then a worker looks after it."""

_MAX_NUMBER: Final = 2**63 - 1  # of SQLite, whatever somebody has written into a row
_FREE: Final = (  # nobody's, and not one that the worker cannot wake, or nobody
    "r.thread NOT IN (SELECT thread FROM wakes WHERE until > :now)"
    f" AND r.thread NOT IN (SELECT value FROM json_each(:skip)) AND {is_text('r.thread')}"
)
_APPROVED: Final = (
    "SELECT r.thread FROM requests r INDEXED BY requests_lapsing"
    f" WHERE r.status = 'approved' AND r.execute_by > :now AND {_FREE} ORDER BY r.execute_by, r.thread LIMIT 1"
)
_AGAIN: Final = (
    "SELECT until, thread FROM wakes WHERE until <= :now AND thread NOT IN (SELECT value FROM json_each(:skip))"
    f" AND {is_text('thread')} ORDER BY until, thread LIMIT 1"
)
_DUE: Final = (
    "SELECT r.due, r.thread, r.number, c.status, c.changed_at, c.lease_until, t.entry = r.entry"
    f" FROM requests r INDEXED BY requests_due LEFT JOIN {CLAIM_OF_PROPOSAL} LEFT JOIN threads t ON t.thread = r.thread"
    f" WHERE r.due <= :now AND r.thread NOT IN (SELECT thread FROM wakes) AND {_FREE} ORDER BY r.due, r.thread"
)


def take_wake(tx: Tx, *, owner: str, until: datetime, now: datetime, skip: Collection[str] = ()) -> Wake | None:
    """Lease a thread that waits to be told to *owner*, none of *skip*.

    First one whose call is approved and can still be sent, by when it has to be; then the longest waiting, be it that
    nobody has woken it yet or that its lease has ended: its worker died, or it is to be tried again now. What is
    tried again and again takes its place behind the others each time.
    """
    given: dict[str, int | str] = {"now": micros(now), "skip": orjson.dumps([*skip]).decode()}
    approved: tuple[str] | None = tx.db.execute(_APPROVED, given).fetchone()
    if approved is not None:
        wake = Wake(approved[0])
    else:
        ended = [(until, Wake(thread)) for until, thread in tx.db.execute(_AGAIN, given)]
        waiting = [*ended, *_longest_due(tx, given)]
        if not waiting:
            return None
        _, wake = min(waiting)
    tx.db.execute(
        "INSERT INTO wakes VALUES (?, ?, ?, FALSE)"
        " ON CONFLICT DO UPDATE SET owner = excluded.owner, until = excluded.until, is_again = TRUE",
        (wake.thread, owner, micros(until)),
    )
    return wake


def _longest_due(tx: Tx, given: dict[str, int | str]) -> list[tuple[int, Wake]]:
    """Return since when the thread waits that waits longest to be told and is nobody's, and that thread, if any.

    A row is closed, or admitted, before anything is told (8b.2), and who does that may die in between: a call that has
    a claim row is looked after once that row has been quiet for a while. A thread that the user has written to since
    went on by that.
    """
    quiet, later, over, found = QUIET // timedelta(microseconds=1), [], [], list[tuple[int, Wake]]()
    waiting = tx.db.execute(_DUE, given)
    for due, thread, number, claim, changed_at, lease_until, is_current in waiting:
        if claim is None:
            found = [(due, Wake(thread))]
        elif not is_current:
            over.append((number,))
        elif (ready := max(changed_at + quiet, lease_until)) > given["now"]:
            later.append((min(ready, _MAX_NUMBER), number))
        else:
            found = [(due, Wake(thread, is_told=True))]
        if found:
            break
    waiting.close()
    tx.db.executemany("UPDATE requests SET due = ? WHERE number = ?", later)
    tx.db.executemany("UPDATE requests SET due = NULL WHERE number = ?", over)
    return found


def delayed(db: sqlite3.Connection, now: datetime) -> tuple[Delayed, ...]:
    """Return the threads that are leased at *now* (UTC) or to be tried again later, by until when."""
    rows = db.execute(
        "SELECT thread, min(until, ?), owner <> '' FROM wakes"
        f" WHERE until > ? AND {is_text('thread')} ORDER BY until, thread",
        (micros(LAST_MOMENT), micros(now)),  # whatever somebody has written into a row
    )
    return tuple(Delayed(thread, moment(until), is_leased=bool(is_leased)) for thread, until, is_leased in rows)


def woken(tx: Tx, thread: str, *, owner: str, again_at: datetime | None) -> None:
    """End the lease of *owner*; *again_at* is when it is tried again. A lease that passed to another is left alone.

    Where it is not tried again it was told of each call that is closed or settled.
    """
    if again_at is not None:
        tx.db.execute(
            "UPDATE wakes SET owner = '', until = ? WHERE thread = ? AND owner = ?", (micros(again_at), thread, owner)
        )
    elif tx.db.execute("DELETE FROM wakes WHERE thread = ? AND owner = ?", (thread, owner)).rowcount:
        tx.db.execute(
            "UPDATE requests AS r SET due = NULL WHERE thread = ? AND due IS NOT NULL AND EXISTS"
            " (SELECT 1 FROM claims c WHERE c.thread = r.thread AND c.entry = r.entry AND c.turn = r.turn"
            " AND c.digest = r.digest AND c.occurrence = r.occurrence AND c.status <> 'sending')",
            (thread,),
        )


def give_back(tx: Tx, wake: Wake, *, owner: str, now: datetime) -> None:
    """End the lease of *owner*, who cannot wake that thread: another worker may take it at once.

    It is as if *owner* had not taken it, unless one before may have woken it: that is not forgotten.
    """
    tx.db.execute("DELETE FROM wakes WHERE thread = ? AND owner = ? AND NOT is_again", (wake.thread, owner))
    woken(tx, wake.thread, owner=owner, again_at=now)
