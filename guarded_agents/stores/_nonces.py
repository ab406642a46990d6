"""A nonce of one person is used once, whatever it is that they sign with it."""

from hashlib import sha256

from guarded_agents.errors import ApprovalError
from guarded_agents.records import PlanExtension, Resolution, Review, Vote
from guarded_agents.stores._tx import Tx


def spend_nonce(tx: Tx, person: str, statement: Vote | Review | Resolution | PlanExtension) -> bool:
    """Use the nonce of *statement* up; return whether this is the first time that *person* makes it.

    Raises ApprovalError where another statement of the same person has had the nonce.
    """
    kind = type(statement).__name__.lower()
    digest = sha256(f"{kind}\n{statement.model_dump_json()}".encode()).hexdigest()
    row = tx.db.execute(
        "SELECT statement FROM nonces WHERE person = ? AND nonce = ?", (person, statement.nonce)
    ).fetchone()
    if row is None:
        tx.db.execute("INSERT INTO nonces VALUES (?, ?, ?)", (person, statement.nonce, digest))
    elif row[0] != digest:
        raise ApprovalError(
            f"{kind} by {person}",
            expected="a nonce of its own",
            got="one that another statement had",
            action="make a new statement and sign it",
        )
    return row is None
