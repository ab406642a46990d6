"""The tree over the audit log, as a store keeps it: proofs from few rows, and no word onto a log that was changed."""

from pathlib import Path

import pytest

from guarded_agents.audit import (
    Frontier,
    holds_consistency,
    holds_inclusion,
    prove_consistency,
    prove_inclusion,
    root_of,
)
from guarded_agents.errors import AuditError, StoreError
from guarded_agents.stores import SqliteStore
from tests.support.stores import NOTE, TEN

ENTRIES = 600  # past two subtrees of 256


async def test_heads_and_proofs_are_made_of_what_the_store_keeps(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "guard.db")
    heads = [store.audit_head(), *[await store.append([NOTE] * 50, now=TEN) for _ in range(0, ENTRIES, 50)]]
    leaves = [bytes.fromhex(digest) for _, _, digest in store.audit_rows()]
    whole = Frontier()
    for leaf in leaves:
        whole.append(leaf)
    assert heads[-1][1:] == (ENTRIES, whole.root().hex())
    for head in heads:
        assert root_of(head.size, store.audit_subtree).hex() == head.root
        proof = prove_consistency(head.size, ENTRIES, store.audit_subtree)
        first = bytes.fromhex(head.root)
        assert holds_consistency(head.size, ENTRIES, proof, first_root=first, second_root=whole.root())
    for sequence in (0, 255, 256, 511, 512, ENTRIES - 1):
        path = prove_inclusion(sequence, ENTRIES, store.audit_subtree)
        assert holds_inclusion(leaves[sequence], sequence, ENTRIES, path, root=whole.root())
    await store.aclose()


async def test_two_stores_on_one_file_grow_one_tree(tmp_path: Path) -> None:
    first, second = SqliteStore.open(tmp_path / "guard.db"), SqliteStore.open(tmp_path / "guard.db")
    for _ in range(3):
        await first.append([NOTE], now=TEN)
        await second.append([NOTE, NOTE], now=TEN)
    head = first.audit_head()
    assert head == second.audit_head()
    assert (head.size, head.root) == (9, root_of(9, second.audit_subtree).hex())
    await first.aclose()
    await second.aclose()


CHANGES = {
    "the last entry cut off": "DELETE FROM audit WHERE sequence = 2",
    "an entry added": "INSERT INTO audit VALUES (3, x'7b7d', 'ab')",
    "the tree cut off": "UPDATE frontier SET size = 2",
    "no tree": "DELETE FROM frontier",
    "a tree of another size": "UPDATE frontier SET roots = x'00'",
}


@pytest.mark.requirement("I5")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_nothing_is_added_to_a_log_that_was_changed(tmp_path: Path, change: str) -> None:
    store = SqliteStore.open(tmp_path / "guard.db")
    await store.append([NOTE] * 3, now=TEN)
    store._writer._db.execute(change)
    with pytest.raises(StoreError):
        await store.append([NOTE], now=TEN)
    await store.aclose()


async def test_a_subtree_that_is_not_whole_is_none(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "guard.db")
    await store.append([NOTE] * 3, now=TEN)
    with pytest.raises(AuditError, match="missing"):
        store.audit_subtree(2, 0)
    await store.aclose()
