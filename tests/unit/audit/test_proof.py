"""Proofs of one entry: they hold without the log, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.audit import (
    EntryProof,
    KeySigner,
    TreeHead,
    head_text,
    leaf_hash,
    node_hash,
    parse_proof,
    prove_inclusion,
    root_of,
    sign_head,
    sign_note,
    subtrees_of,
)
from guarded_agents.audit import Note as SignedNote
from guarded_agents.errors import NoteError

KEY = KeySigner("desk", b"1" * 32)
STORED = [b'{"n":%d}' % number for number in range(7)]
LEAVES = [bytes.fromhex(leaf_hash(stored)) for stored in STORED]
SUBTREES = subtrees_of(lambda level, first, count: LEAVES[first : first + count])
HEAD = sign_head(TreeHead("desk", 7, root_of(7, SUBTREES)), KEY)
PROOFS = [EntryProof(stored, at, prove_inclusion(at, 7, SUBTREES), HEAD) for at, stored in enumerate(STORED)]


@pytest.mark.parametrize("proof", PROOFS, ids=range(7))
def test_a_proof_comes_back_as_it_was_written_and_holds(proof: EntryProof) -> None:
    assert parse_proof(proof.dump()) == proof
    assert proof.holds(KEY.verifier)


def test_a_proof_is_written_as_the_format_has_it() -> None:
    first, extra, index, *path, empty, origin, size, _, gap, signature, end = PROOFS[6].dump().decode().split("\n")
    assert (first, extra, index) == ("c2sp.org/tlog-proof@v1", "extra eyJuIjo2fQ==", "index 6")
    assert (len(path), empty, gap, end) == (2, "", "", "")
    assert (origin, size) == ("desk", "7")
    assert signature.startswith("\u2014 desk ")


def test_a_proof_of_another_entry_place_head_or_key_does_not_hold() -> None:
    proof = PROOFS[3]
    other = sign_head(TreeHead("desk", 7, node_hash(LEAVES[0], LEAVES[1])), KEY)
    wrong = (
        proof._replace(stored=b'{"n":4}'),
        proof._replace(sequence=4),
        proof._replace(sequence=7),
        proof._replace(path=proof.path[:-1]),
        proof._replace(path=(*proof.path, LEAVES[0])),
        proof._replace(head=other),
        proof._replace(head=sign_note(SignedNote("a text\n"), KEY)),
    )
    assert [one.holds(KEY.verifier) for one in wrong] == [False] * len(wrong)
    assert not proof.holds(KeySigner("desk", b"2" * 32).verifier)


@given(at=st.integers(0, 100_000), bit=st.integers(0, 7))
def test_a_proof_of_which_a_bit_is_changed_does_not_hold_or_says_the_same(at: int, bit: int) -> None:
    whole = PROOFS[2].dump()
    at %= len(whole)
    changed = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
    try:
        proof = parse_proof(changed)
    except NoteError:
        return
    assert not proof.holds(KEY.verifier) or proof[:3] == PROOFS[2][:3]


WHOLE = PROOFS[2].dump().decode()
NONE = {
    "nothing": "",
    "another version": WHOLE.replace("@v1", "@v2"),
    "no entry": WHOLE.replace("extra ", ""),
    "no index": WHOLE.replace("index ", ""),
    "an index with a zero before it": WHOLE.replace("index 2", "index 02"),
    "a hash that is too short": WHOLE.replace("index 2\n", "index 2\nAAAA\n"),
    "more hashes than a tree has levels": WHOLE.replace("index 2\n", "index 2\n" + ("A" * 43 + "=\n") * 64),
    "no head": WHOLE.partition("\n\n")[0] + "\n\n" + head_text(TreeHead("desk", 7, LEAVES[0])),
    "no empty line": WHOLE.replace("\n\n", "\n"),
    "longer than any": WHOLE + " " * 4_000_001,
    "no text": "\ud800",
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_proof(text.encode("utf-8", "surrogatepass"))
