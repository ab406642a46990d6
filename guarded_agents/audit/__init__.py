"""What happened, in what order, and can that be proved?

The log is a list of entries, each the exact bytes that were stored, each naming the hash of the
one before it. Hashing is that of an RFC 6962 leaf, over **every** byte, so no field lies outside
the chain. What a chain can and cannot prove is said at `verify`, and in ``docs/audit.md``.
"""

from guarded_agents.audit._entry import GENESIS, Kind, leaf_hash, place_of, seal
from guarded_agents.audit._verify import (
    CANNOT_PROVE,
    FROM_THE_FIRST,
    Finding,
    Verification,
    Walk,
    parse_head,
    verify,
)

__all__ = [
    "CANNOT_PROVE",
    "FROM_THE_FIRST",
    "GENESIS",
    "Finding",
    "Kind",
    "Verification",
    "Walk",
    "leaf_hash",
    "parse_head",
    "place_of",
    "seal",
    "verify",
]
