"""What happened, in what order, and can that be proved?

The log is a list of entries, each the exact bytes that were stored, each naming the hash of the
one before it. Hashing is that of an RFC 6962 leaf, over **every** byte, so no field lies outside
the chain. What a chain can and cannot prove is said at `verify`, and in ``docs/audit.md``.
"""

from guarded_agents.audit._cef import to_cef
from guarded_agents.audit._entry import GENESIS, Kind, leaf_hash, place_of, seal
from guarded_agents.audit._heads import HeadCheck, sign_head
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
from guarded_agents.audit._ocsf import OCSF_VERSION, to_ocsf
from guarded_agents.audit._proof import EntryProof, parse_proof
from guarded_agents.audit._tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    Frontier,
    Subtree,
    frontier_of,
    holds_consistency,
    holds_inclusion,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root_of,
    subtrees_of,
)
from guarded_agents.audit._verify import (
    CANNOT_PROVE,
    FROM_THE_FIRST,
    Finding,
    Verification,
    Walk,
    parse_head,
    read_head,
    verify,
    verify_log,
)
from guarded_agents.audit._witness import SIZE_TYPE, Answer, Status, Submission, Witness, parse_submission

__all__ = [
    "CANNOT_PROVE",
    "EMPTY_ROOT",
    "FROM_THE_FIRST",
    "GENESIS",
    "HASH_BYTES",
    "OCSF_VERSION",
    "SIZE_TYPE",
    "Algorithm",
    "Answer",
    "EntryProof",
    "Finding",
    "Frontier",
    "HeadCheck",
    "KeySigner",
    "Kind",
    "Note",
    "NoteSignature",
    "Signer",
    "Status",
    "Submission",
    "Subtree",
    "TreeHead",
    "Verification",
    "Verifier",
    "Walk",
    "Witness",
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
    "parse_proof",
    "parse_submission",
    "parse_verifier",
    "place_of",
    "prove_consistency",
    "prove_inclusion",
    "read_head",
    "root_of",
    "seal",
    "sign_head",
    "sign_note",
    "subtrees_of",
    "to_cef",
    "to_ocsf",
    "verify",
    "verify_log",
]
