"""The signed heads of the log and the key that signs it now, beside it; every change of the key stands in it.

Of the heads of each stretch of entries only the newest is kept, unless it was cosigned or signed by two keys: what came
before is covered by it.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final

from guarded_agents.audit import Note, Signer, TreeHead, parse_head_text, parse_note, sign_head
from guarded_agents.errors import StoreError
from guarded_agents.stores._tx import Tx

STRETCH: Final = 256  # entries
_KEY: Final = "audit_key"  # in ``guard_meta``


def sign_log(tx: Tx, signer: Signer) -> None:
    """Sign the head of the log as *tx* leaves it, unless that is signed. Raises StoreError where the key is another."""
    tree = tx.tree()
    newest = tx.db.execute("SELECT max(size) FROM heads").fetchone()[0]
    if not tree.size or newest == tree.size:
        return
    check_key(tx.db, tx.log, signer)
    put_head(tx, [signer])


def put_head(tx: Tx, signers: Iterable[Signer], *, is_kept: bool = False) -> None:
    """Sign the head of the log by each of *signers*; one that *is_kept* is not replaced by newer ones."""
    tree = tx.tree()
    note = sign_head(TreeHead(tx.log, tree.size, tree.root()), *signers)
    first = (tree.size - 1) // STRETCH * STRETCH
    tx.db.execute("DELETE FROM heads WHERE size > ? AND size < ? AND NOT is_kept", (first, tree.size))
    tx.db.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", (tree.size, note.dump(), is_kept))


def keep_head(tx: Tx, cosigned: Note) -> None:
    """Keep the signatures of *cosigned* with the head that they are of, which stays. Raises StoreError for another."""
    head = parse_head_text(cosigned.text)
    row = tx.db.execute("SELECT note FROM heads WHERE size = ?", (head.size,)).fetchone()
    known = Note(cosigned.text) if row is None else parse_note(row[0])
    if known.text != cosigned.text:
        raise StoreError(
            f"audit log {tx.log}", expected="its own head", got="another", action="verify the log before anything else"
        )
    signatures = dict.fromkeys((*known.signatures, *cosigned.signatures))
    note = Note(cosigned.text, tuple(signatures))
    tx.db.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, 1)", (head.size, note.dump()))


def key_of(db: sqlite3.Connection) -> str | None:
    """Return the key that signs the log now (vkey), None where it never was signed."""
    row = db.execute("SELECT value FROM guard_meta WHERE name = ?", (_KEY,)).fetchone()
    return None if row is None else str(row[0])


def set_key(db: sqlite3.Connection, vkey: str) -> None:
    """Make *vkey* the key that signs the log from now on."""
    db.execute("INSERT OR REPLACE INTO guard_meta VALUES (?, ?)", (_KEY, vkey))


def check_key(db: sqlite3.Connection, log: str, signer: Signer) -> None:
    """Raise StoreError unless the key that signs the log is that of *signer*."""
    own, known = str(signer.verifier), key_of(db)
    if known != own:
        raise StoreError(
            f"audit log {log}",
            expected=f"the key {known}",
            got=f"the key {own}",
            action="use the log's own key file, or change the key with `guarded-agents audit rotate`",
        )


def heads_from(db: sqlite3.Connection, start: int) -> list[tuple[int, bytes]]:
    """Return (size, note) of the next 4,096 signed heads of *start* or more entries."""
    return db.execute("SELECT size, note FROM heads WHERE size >= ? ORDER BY size LIMIT 4096", (start,)).fetchall()


def newest_head(db: sqlite3.Connection) -> bytes | None:
    """Return the note of the largest signed head, None where there is none."""
    row = db.execute("SELECT note FROM heads ORDER BY size DESC LIMIT 1").fetchone()
    return None if row is None else row[0]
