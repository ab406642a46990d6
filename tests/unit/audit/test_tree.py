"""The Merkle tree of RFC 6962: known answers, another implementation, and proofs that prove nothing else."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from guarded_agents.audit import (
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

# The leaves and roots that implementations of RFC 6962 are tested with (certificate-transparency-go, testonly).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
MOST = 70  # leaves, past the sixth power of two
ALL = [b"%d" % number for number in range(MOST)]
ANOTHER = bytes(32)
Hashes = Sequence[bytes]


class Tree:
    """All subtrees of some leaves."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.hashes = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
        self.subtree = lru_cache(maxsize=None)(self._subtree)

    def _subtree(self, level: int, index: int) -> bytes:
        if level == 0:
            return self.hashes[index]
        return node_hash(self.subtree(level - 1, 2 * index), self.subtree(level - 1, 2 * index + 1))

    def root(self, size: int) -> bytes:
        return root_of(size, self.subtree)


TREE = Tree(ALL)
sizes = st.integers(1, MOST)


def spoilt(proof: Hashes) -> list[Hashes]:
    """Return *proof* with each hash changed, each left out, and one more."""
    changed = [[*proof[:at], ANOTHER, *proof[at + 1 :]] for at in range(len(proof))]
    left_out = [[*proof[:at], *proof[at + 1 :]] for at in range(len(proof))]
    return [*changed, *left_out, [*proof, ANOTHER], [ANOTHER, *proof]]


def test_the_roots_are_those_of_the_known_answers() -> None:
    tree = Tree(LEAVES)
    assert [tree.root(size).hex() for size in range(len(LEAVES) + 1)] == list(ROOTS)


def test_a_frontier_gives_the_same_roots_as_it_grows() -> None:
    frontier = Frontier()
    for size in range(MOST):
        assert frontier.root() == TREE.root(size)
        assert frontier.roots == frontier_of(size, TREE.subtree).roots
        frontier.append(TREE.hashes[size])
    assert frontier.root() == TREE.root(MOST)
    assert Frontier().root() == EMPTY_ROOT


@pytest.mark.parametrize(("size", "roots"), [(1, 0), (3, 1), (4, 2), (-1, 1)])
def test_a_frontier_has_a_root_for_each_perfect_subtree(size: int, roots: int) -> None:
    with pytest.raises(ValueError, match="frontier"):
        Frontier(size, [ANOTHER] * roots)


def test_roots_and_paths_are_those_of_another_implementation() -> None:
    other = InmemoryTree.init_from_entries(ALL, algorithm="sha256")
    for size in range(1, MOST + 1):
        assert TREE.root(size) == other.get_root(size)
        for index in range(size):
            path = other.prove_inclusion(index + 1, size).serialize()[
                "path"
            ]  # it counts from 1, and begins with the leaf
            assert [step.hex() for step in prove_inclusion(index, size, TREE.subtree)] == path[1:]


def test_every_leaf_of_every_tree_is_proved_to_be_in_it() -> None:
    for size in range(1, MOST + 1):
        root = TREE.root(size)
        for index in range(size):
            proof = prove_inclusion(index, size, TREE.subtree)
            assert holds_inclusion(TREE.hashes[index], index, size, proof, root=root)
            assert len(proof) <= (size - 1).bit_length()


@given(size=sizes, data=st.data())
def test_a_path_proves_no_other_leaf_place_size_or_root(size: int, data: st.DataObject) -> None:
    index, root = data.draw(st.integers(0, size - 1)), TREE.root(size)
    leaf, proof = TREE.hashes[index], prove_inclusion(index, size, TREE.subtree)
    assert not holds_inclusion(ANOTHER, index, size, proof, root=root)
    assert not holds_inclusion(leaf, index, size, proof, root=ANOTHER)
    for other in range(-1, size + 2):
        assert other == index or not holds_inclusion(leaf, other, size, proof, root=root)
    assert all(not holds_inclusion(leaf, index, size, false, root=root) for false in spoilt(proof))


@given(size=sizes, data=st.data())
def test_growth_is_proved_and_nothing_else_by_the_same_proof(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, size))
    old, new = TREE.root(first), TREE.root(size)
    proof = prove_consistency(first, size, TREE.subtree)
    assert holds_consistency(first, size, proof, first_root=old, second_root=new)
    assert not holds_consistency(first, size, proof, first_root=ANOTHER, second_root=new)
    assert first == 0 or not holds_consistency(first, size, proof, first_root=old, second_root=ANOTHER)
    assert all(not holds_consistency(first, size, false, first_root=old, second_root=new) for false in spoilt(proof))
    for other in range(-1, size + 2):
        assert other == first or not holds_consistency(other, size, proof, first_root=old, second_root=new)


@given(size=sizes, at=st.integers(0, MOST - 1), first=sizes)
def test_a_tree_whose_early_leaf_was_changed_did_not_grow_from_the_old_one(size: int, at: int, first: int) -> None:
    at, first = at % size, min(first, size)
    changed = Tree([*ALL[:at], b"changed", *ALL[at + 1 :]])
    proof = prove_consistency(first, size, changed.subtree)
    holds = holds_consistency(first, size, proof, first_root=TREE.root(first), second_root=changed.root(size))
    assert holds is (at >= first)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_no_leaf_outside_the_tree_is_proved(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        prove_inclusion(index, size, TREE.subtree)


@pytest.mark.parametrize(("first", "second"), [(2, 1), (-1, 1)])
def test_a_tree_is_not_proved_to_have_shrunk(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="smaller"):
        prove_consistency(first, second, TREE.subtree)


def test_a_proof_is_read_from_few_subtrees() -> None:
    asked: list[tuple[int, int]] = []

    def subtree(level: int, index: int) -> bytes:
        asked.append((level, index))
        return ANOTHER

    prove_inclusion(123_456, 1_000_000, subtree)
    assert len(asked) <= 40
    asked.clear()
    prove_consistency(654_321, 1_000_000, subtree)
    assert len(asked) <= 40
