"""The store signs its log: before anything is sent, over restarts, other processes and changes of the key."""

import sqlite3
from pathlib import Path
from shutil import copyfile

import pytest

from guarded_agents.audit import KeySigner, Kind, Verification, verify
from guarded_agents.errors import NoteError, StoreError
from guarded_agents.stores import AuditNote, SqliteStore
from tests.support.stores import HOUR, NOTE, TEN

OLD, NEW = (KeySigner("desk", bytes([number]) * 32) for number in (1, 2))
OPENED = AuditNote(Kind.LOG_OPENED, {"key": str(OLD.verifier)})
ROTATED = AuditNote(Kind.KEY_ROTATED, {"old": str(OLD.verifier), "new": str(NEW.verifier)})


async def signed(path: Path, signer: KeySigner = OLD) -> SqliteStore:
    store = SqliteStore.open(path, log_id="desk")
    await store.sign_with(signer, [AuditNote(Kind.LOG_OPENED, {"key": str(signer.verifier)})], now=TEN)
    return store


def verified(store: SqliteStore) -> Verification:
    return verify(store.audit_rows(), heads=store.audit_heads(), keys=[OLD.verifier], recorded=[store.audit_head()])


async def test_every_durable_transaction_leaves_a_signed_head(tmp_path: Path) -> None:
    store = await signed(tmp_path / "guard.db")
    for size in range(2, 5):
        await store.append([NOTE], now=TEN)
        assert verified(store).signed == size
    await store.aclose()


async def test_what_is_buffered_is_signed_with_its_group(tmp_path: Path) -> None:
    store = await signed(tmp_path / "guard.db")
    store.note([NOTE] * 5, now=TEN)
    await store.aclose()
    store = SqliteStore.open(tmp_path / "guard.db")
    assert (verified(store).entries, verified(store).signed) == (6, 6)
    await store.aclose()


async def test_of_each_stretch_of_entries_only_the_newest_head_is_kept(tmp_path: Path) -> None:
    store = await signed(tmp_path / "guard.db")
    for _ in range(300):
        await store.append([NOTE] * 2, now=TEN)
    assert [size for size, _ in store.audit_heads()] == [255, 511, 601]
    assert [size for size, _ in store.audit_heads(512)] == [601]
    assert store.signed_head() == dict(store.audit_heads())[601]
    assert verified(store).verified
    await store.aclose()


async def test_a_change_of_the_key_is_an_entry_under_both_and_its_head_stays(tmp_path: Path) -> None:
    store = await signed(tmp_path / "guard.db")
    await store.rotate_key(NEW, ROTATED, now=TEN)
    for _ in range(3):
        await store.append([NOTE], now=TEN)
    assert [size for size, _ in store.audit_heads()] == [2, 5]
    found = verified(store)
    assert (found.verified, found.signed, found.key) == (True, 5, str(NEW.verifier))
    assert store.audit_key() == str(NEW.verifier)
    await store.aclose()


async def test_a_process_that_still_has_the_key_before_writes_nothing(tmp_path: Path) -> None:
    first, second = await signed(tmp_path / "guard.db"), await signed(tmp_path / "guard.db")
    await first.rotate_key(NEW, ROTATED, now=TEN)
    before = first.audit_head()
    with pytest.raises(StoreError, match="expected the key desk"):
        await second.append([NOTE], now=TEN)
    assert first.audit_head() == before
    await first.append([NOTE], now=TEN)
    assert verified(first).verified
    await first.aclose()
    await second.aclose()


async def test_a_log_is_not_signed_with_another_key_than_its_own(tmp_path: Path) -> None:
    await (await signed(tmp_path / "guard.db")).aclose()
    store = SqliteStore.open(tmp_path / "guard.db")
    with pytest.raises(StoreError, match="change the key with `guarded-agents audit rotate`"):
        await store.sign_with(NEW, [NOTE], now=TEN)
    with pytest.raises(StoreError, match="open the log with its own key first"):
        await store.rotate_key(NEW, ROTATED, now=TEN)
    assert store.audit_head().size == 1
    await store.aclose()


class Unreachable:
    """A signer whose token does not answer."""

    verifier = OLD.verifier

    def sign(self, message: bytes) -> bytes:
        raise NoteError("key", expected="a token", got="none", action="plug it in")


async def test_where_the_key_does_not_answer_nothing_is_recorded_and_who_asked_is_told(tmp_path: Path) -> None:
    store = await signed(tmp_path / "guard.db")
    await store.sign_with(OLD, [], now=TEN)
    store._writer.signer = Unreachable()
    with pytest.raises(StoreError):
        await store.append([NOTE], now=TEN)
    store._writer.signer = OLD
    assert store.audit_head().size == 1
    await store.append([NOTE], now=TEN)
    assert verified(store).signed == 2
    await store.aclose()


async def test_a_store_that_is_not_given_a_key_goes_on_and_its_entries_are_under_the_next_head(tmp_path: Path) -> None:
    await (await signed(tmp_path / "guard.db")).aclose()
    plain = SqliteStore.open(tmp_path / "guard.db")
    await plain.append([NOTE] * 3, now=TEN)
    assert (verified(plain).verified, verified(plain).signed) == (True, 1)
    await plain.aclose()
    store = await signed(tmp_path / "guard.db")
    assert verified(store).signed == 5
    await store.aclose()


CHANGES: dict[str, tuple[str, str]] = {
    "a head of other entries": ("UPDATE heads SET size = 2", "do not lead to the signed head"),
    "no heads": ("DELETE FROM heads", "no head of it is signed"),
    "an entry less": ("DELETE FROM audit WHERE sequence = 2", "a head of 3 is kept with it"),
    "no note": ("UPDATE heads SET note = x'00'", "is no signed tree head"),
}


@pytest.mark.requirement("B10")
@pytest.mark.parametrize(("statement", "what"), CHANGES.values(), ids=CHANGES)
async def test_what_is_changed_in_the_file_is_found(tmp_path: Path, statement: str, what: str) -> None:
    store = await signed(tmp_path / "guard.db")
    await store.append([NOTE] * 2, now=TEN)
    other = sqlite3.connect(tmp_path / "guard.db")
    with other:
        other.execute(statement)
    other.close()
    assert any(what in finding.what for finding in verify(store.audit_rows(), heads=store.audit_heads()).findings)
    await store.aclose()


async def test_a_file_that_was_rolled_back_is_found_by_a_head_that_was_kept(tmp_path: Path) -> None:
    store = await signed(tmp_path / "guard.db")
    await store.aclose()
    copyfile(tmp_path / "guard.db", tmp_path / "backup.db")
    store = await signed(tmp_path / "guard.db")
    kept = await store.append([NOTE], now=TEN)
    await store.aclose()
    copyfile(tmp_path / "backup.db", tmp_path / "guard.db")
    store = await signed(tmp_path / "guard.db")
    found = verify(store.audit_rows(), heads=store.audit_heads(), head=kept)
    assert [finding.what for finding in found.findings] == ["the log ends after 2 entries, the head given has 3"]
    await store.append([NOTE] * 5, now=TEN + HOUR)  # it grows past that head
    found = verify(store.audit_rows(), heads=store.audit_heads(), head=kept)
    assert [finding.what for finding in found.findings] == ["the first 3 entries do not lead to the head given"]
    await store.aclose()
