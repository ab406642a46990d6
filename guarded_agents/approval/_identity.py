"""Who somebody is, and to which groups they belong: questions that are asked outside, anew each time."""

from datetime import datetime
from typing import NamedTuple, Protocol

from guarded_agents.records import Scheme


class Proof(NamedTuple):
    """What is to be proven: that *who* made the statement *message* (its exact bytes) at *at* (UTC)."""

    who: str
    message: bytes
    at: datetime
    scheme: Scheme
    signature: str


class Authenticator(Protocol):
    """Tells whether a statement is by whom it names. LDAP, SCIM or a smart card may stand in."""

    async def verify(self, proof: Proof, *, group: str, now: datetime, is_fresh: bool) -> str:
        """Return the id of the credential that proves it: two keys of one person have two.

        *group* is the approver group in whose name the statement counts. *is_fresh* is True when the statement
        comes in, False when one that is on record is verified again: a credential that has ended since by
        its own lifetime still counts then, one that was revoked does not.
        Raises ProofError, and DirectoryError where it cannot be told.
        """
        ...


class Directory(Protocol):
    """Tells who belongs to an approver group now."""

    async def members(self, group: str) -> frozenset[str]:
        """Return the members of *group*, nobody for one that is not known. Raises DirectoryError."""
        ...
