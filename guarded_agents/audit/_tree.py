"""The Merkle tree over the entries: its root, and proofs that an entry is in it and that it only grew.

Exactly RFC 6962 section 2.1, with the verification of RFC 9162 sections 2.1.3.2 and 2.1.4.2. Hashes are 32 bytes.
A tree is read by its perfect subtrees: ``(level, index)`` is the one over the leaves from ``index << level`` to before
``(index + 1) << level``, so that level 0 are the leaves' own hashes. Whoever keeps those of some levels can prove
anything in a time that is the logarithm of the log's size.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

HASH_BYTES: Final = 32
LEVELS: Final = 8  # of every so many one is kept, so that any other subtree is made of at most 256 kept hashes
EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962 section 2.1)."""

Subtrees = Callable[[int, int], bytes]
"""Returns the hash of the perfect subtree (level, index), all of whose leaves are in the log."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node over *left* and *right* (RFC 6962 section 2.1)."""
    return sha256(b"\x01" + left + right).digest()  # 0x01 keeps a node from passing for a leaf


class Subtree(NamedTuple):
    """A perfect subtree: its level, its place among those of that level, and its hash."""

    level: int
    place: int
    hash: bytes


class Frontier:
    """What has to be known of a tree to append to it: the roots of its perfect subtrees, from the largest on."""

    __slots__ = ("roots", "size")

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        """Go on from *roots*, those of a tree of *size* leaves. Raises ValueError for another number than it has."""
        self.size, self.roots = size, list(roots)
        if size < 0 or len(self.roots) != size.bit_count():
            raise ValueError("not the frontier of a tree of that size")

    def append(self, leaf: bytes, whole: list[Subtree] | None = None) -> None:
        """Add *leaf*, the hash of an entry, and to *whole* the subtrees of kept levels that are whole with it."""
        size, roots, level = self.size, self.roots, 0
        while size & 1:
            leaf = node_hash(roots.pop(), leaf)
            size >>= 1
            level += 1
            if not level % LEVELS and whole is not None:
                whole.append(Subtree(level, size, leaf))
        roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        return _joined(self.roots)


def subtrees_of(kept: Callable[[int, int, int], Sequence[bytes]]) -> Subtrees:
    """Return all subtrees, made of those that are *kept*.

    ``kept(level, first, count)`` returns the hashes of so many subtrees of a kept level (0 are the leaves) from *first*
    on. Raises ValueError where there are fewer.
    """

    def subtree(level: int, index: int) -> bytes:
        above = level % LEVELS
        hashes = list(kept(level - above, index << above, 1 << above))
        if len(hashes) != 1 << above:
            raise ValueError("a subtree of the log is missing")
        while len(hashes) > 1:
            hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
        return hashes[0]

    return subtree


def frontier_of(size: int, subtrees: Subtrees) -> Frontier:
    """Return the frontier of the first *size* leaves."""
    return Frontier(size, [subtrees(*place) for place in _perfect(0, size)])


def root_of(size: int, subtrees: Subtrees) -> bytes:
    """Return the root of the first *size* leaves: MTH of RFC 6962 section 2.1."""
    return _range_root(0, size, subtrees) if size else EMPTY_ROOT


def prove_inclusion(index: int, size: int, subtrees: Subtrees) -> tuple[bytes, ...]:
    """Return the audit path of leaf *index* in the first *size*: PATH of RFC 6962 section 2.1.1, leaf's side first.

    Raises ValueError for a leaf that is not among them.
    """
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of that size")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_range_root(middle, end, subtrees))
            end = middle
        else:
            path.append(_range_root(begin, middle, subtrees))
            begin = middle
    return tuple(reversed(path))


def prove_consistency(first: int, second: int, subtrees: Subtrees) -> tuple[bytes, ...]:
    """Return the proof that *second* leaves begin with the *first* of them: PROOF of RFC 6962 section 2.1.2.

    It is empty where the trees are the same, or the first has no leaf. Raises ValueError where it has more.
    """
    if not 0 <= first <= second:
        raise ValueError("the first tree is not the smaller one")
    if first in (0, second):
        return ()
    proof: list[bytes] = []
    begin, end = 0, second
    is_whole = True  # of the first tree: its root is known to whoever verifies
    while first != end:
        middle = begin + _split(end - begin)
        if first <= middle:
            proof.append(_range_root(middle, end, subtrees))
            end = middle
        else:
            proof.append(_range_root(begin, middle, subtrees))
            begin, is_whole = middle, False
    if not is_whole:
        proof.append(_range_root(begin, end, subtrees))
    return tuple(reversed(proof))


def holds_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], *, root: bytes) -> bool:
    """Return whether *proof* shows that *leaf* is the one at *index* of the *size* below *root* (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def holds_consistency(
    first: int, second: int, proof: Sequence[bytes], *, first_root: bytes, second_root: bytes
) -> bool:
    """Return whether *proof* shows that the tree below *second_root* begins with that below *first_root*.

    RFC 9162 section 2.1.4.2; a first tree without leaves is the beginning of any.
    """
    if not 0 <= first <= second:
        return False
    if first in (0, second):
        same = first_root == (EMPTY_ROOT if first == 0 else second_root)
        return same and not proof
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    return bool(path) and _both_roots(first, second, path) == (first_root, second_root)


def _both_roots(first: int, second: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return the roots of both trees as *path* gives them; None where it is too short or too long."""
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    return (old, new) if last == 0 else None


def _split(leaves: int) -> int:
    """Return the largest power of two that is smaller than *leaves*, of which there are two or more."""
    return 1 << (leaves - 1).bit_length() - 1


def _perfect(begin: int, end: int) -> Iterable[tuple[int, int]]:
    """Yield the perfect subtrees that make up the leaves from *begin* to before *end*, from the left.

    *begin* is a multiple of the largest power of two that is not above their number, as in every tree of RFC 6962.
    """
    while begin < end:
        level = (end - begin).bit_length() - 1
        yield level, begin >> level
        begin += 1 << level


def _range_root(begin: int, end: int, subtrees: Subtrees) -> bytes:
    return _joined([subtrees(*place) for place in _perfect(begin, end)])


def _joined(roots: Sequence[bytes]) -> bytes:
    """Return the root over perfect subtrees, from the largest on."""
    if not roots:
        return EMPTY_ROOT
    found = roots[-1]
    for root in reversed(roots[:-1]):
        found = node_hash(root, found)
    return found
