"""What happened, in what order, and can that be proved?

The log is a list of entries, each the exact bytes that were stored, each naming the hash of the
one before it. Hashing is that of an RFC 6962 leaf, over **every** byte, so no field lies outside
the chain. What a chain can and cannot prove is said at `verify`, and in ``docs/audit.md``.
"""

from guarded_agents.audit._entry import GENESIS, Kind, leaf_hash, place_of, seal
from guarded_agents.audit._note import (
    Algorithm,
    KeySigner,
    Note,
    NoteSignature,
    Signer,
    TreeHead,
    Verifier,
    cosign_note,
    head_text,
    parse_head_text,
    parse_note,
    parse_verifier,
    sign_note,
)
from guarded_agents.audit._tree import (
    EMPTY_ROOT,
    Frontier,
    frontier_of,
    holds_consistency,
    holds_inclusion,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root_of,
)
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
    "EMPTY_ROOT",
    "FROM_THE_FIRST",
    "GENESIS",
    "Algorithm",
    "Finding",
    "Frontier",
    "KeySigner",
    "Kind",
    "Note",
    "NoteSignature",
    "Signer",
    "TreeHead",
    "Verification",
    "Verifier",
    "Walk",
    "cosign_note",
    "frontier_of",
    "head_text",
    "holds_consistency",
    "holds_inclusion",
    "leaf_hash",
    "node_hash",
    "parse_head",
    "parse_head_text",
    "parse_note",
    "parse_verifier",
    "place_of",
    "prove_consistency",
    "prove_inclusion",
    "root_of",
    "seal",
    "sign_note",
    "verify",
]
