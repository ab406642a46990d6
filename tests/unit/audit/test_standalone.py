"""The verifier of one file: it reads what the package writes, and misses nothing that is done to a log."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guarded_agents.audit import EntryProof, Kind, cosign_note, parse_note, prove_inclusion, seal
from guarded_agents.audit.standalone_verify import parse_entry
from guarded_agents.stores import AuditNote, SqliteStore
from tests.support.plain_log import (
    COSIGNED_S,
    KEY,
    NEXT,
    STRANGER,
    WITNESS,
    PlainLog,
    body,
    leaf,
    root_of,
    rows_of,
    write_tree,
)
from tests.support.standalone import VKEY, WITNESSED, run
from tests.support.stores import NOTE

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)
SIZE = 270  # past a subtree of 256


def a_log() -> PlainLog:
    log = PlainLog().add().sign(KEY).add(4).sign(KEY, WITNESS).add(95).sign(KEY)
    return log.add(156).sign(KEY, WITNESS).add(SIZE - 256).sign(KEY)


LOG = a_log()


def test_a_log_as_it_was_written_is_verified_and_what_was_proved_is_told(tmp_path: Path) -> None:
    found = run(LOG.write(tmp_path / "guard.db"), *VKEY, *WITNESSED)
    assert (found.status, found.faults, found.told["warnings"]) == (0, [], [])
    assert found.told["head"] == f"desk:{SIZE}:{root_of(LOG.bodies).hex()}"
    assert (found.told["signed"], found.told["kept"]) == (SIZE, None)
    assert found.told["witnessed"] == [{"vkey": str(WITNESS.verifier), "size": 256, "at": "2026-01-05T12:00:00Z"}]
    assert "behind 256 entries" in str(found.told["not_proved"])


@pytest.mark.parametrize("size", [*range(20), 255, 256, 257])
def test_the_root_is_that_of_another_implementation(tmp_path: Path, size: int) -> None:
    log = PlainLog().add(size)
    found = run(log.write(tmp_path / "guard.db"))
    assert (found.status, found.told["head"]) == (0, f"desk:{size}:{root_of(log.bodies).hex()}")


async def test_the_package_s_own_store_is_verified(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "guard.db", log_id="desk")
    note = AuditNote(Kind.DECISION, {"said": "é \u2028 \x7f \x01 \U0001f600", "n": [1, -(2**63), None, True]})
    for _ in range(3):
        await store.append([note] * 100, now=TEN)
    head = store.audit_head()
    found = run(tmp_path / "guard.db")  # while it is open
    await store.aclose()
    assert (found.status, found.faults, found.told["warnings"]) == (0, [], [])
    assert found.told["head"] == f"desk:300:{head.root}"
    stored = (tmp_path / "guard.db").read_bytes()
    assert run(tmp_path / "guard.db").status == 0
    assert (tmp_path / "guard.db").read_bytes() == stored


async def test_the_package_s_own_signed_log_change_of_key_witness_and_proof_are_verified(tmp_path: Path) -> None:
    path = tmp_path / "guard.db"
    store = SqliteStore.open(path, log_id="desk")
    await store.sign_with(KEY, [AuditNote(Kind.LOG_OPENED, {"key": str(KEY.verifier)})], now=TEN)
    await store.append([NOTE] * 300, now=TEN)
    cosigned = cosign_note(parse_note(store.signed_head() or b""), WITNESS, at_s=COSIGNED_S)
    await store.keep_head(cosigned)
    changed = AuditNote(Kind.KEY_ROTATED, {"old": str(KEY.verifier), "new": str(NEXT.verifier)})
    await store.rotate_key(NEXT, changed, now=TEN)
    await store.append([NOTE], now=TEN)
    newest, row = parse_note(store.signed_head() or b""), next(store.audit_rows(17))
    proof = EntryProof(row[1], 17, prove_inclusion(17, 303, store.audit_subtree), newest)
    (tmp_path / "17.tlog-proof").write_bytes(proof.dump())
    await store.aclose()
    found = run(path, *VKEY, *WITNESSED)
    assert (found.status, found.faults, found.told["warnings"], found.told["signed"]) == (0, [], [], 303)
    assert "301" in str(found.told["witnessed"])
    assert run(tmp_path / "17.tlog-proof", "--vkey", NEXT.verifier).status == 0
    assert run(tmp_path / "17.tlog-proof", *VKEY).status == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    max_leaves=8,
)


@given(fields=st.dictionaries(st.text(), JSON), at=st.datetimes(timezones=st.just(UTC)), log=st.text())
def test_whatever_the_package_seals_is_an_entry(fields: dict[str, object], at: datetime, log: str) -> None:
    stored, _ = seal("vote", fields, log=log, sequence=7, previous="0" * 64, at=at)  # type: ignore[arg-type]
    entry = parse_entry(stored)
    assert (entry.fields, entry.log, entry.sequence) == (fields, log, 7)


# What is done to a log.

Draw = Callable[[int, int], int]  # from the first number to the second
Change = Callable[[sqlite3.Connection, Draw], int | None]  # returns the first entry that is not as it was


def put(db: sqlite3.Connection, bodies: Sequence[bytes]) -> None:
    """Write other entries, with hashes and tree as they should be for them."""
    db.execute("DELETE FROM audit")
    db.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows_of(bodies))
    write_tree(db, bodies)


def flip(stored: bytes, draw: Draw) -> bytes:
    at = draw(0, len(stored) - 1)
    return stored[:at] + bytes([stored[at] ^ draw(1, 255)]) + stored[at + 1 :]


def flip_a_byte(db: sqlite3.Connection, draw: Draw) -> int:
    place = draw(0, SIZE - 1)
    db.execute("UPDATE audit SET body = ? WHERE sequence = ?", (flip(LOG.bodies[place], draw), place))
    return place


def flip_a_byte_and_write_the_rest_to_fit(db: sqlite3.Connection, draw: Draw) -> int:
    place = draw(0, SIZE - 1)
    put(db, LOG.rebuilt(place, flip(LOG.bodies[place], draw)).bodies)
    return place


def flip_a_byte_of_a_head(db: sqlite3.Connection, draw: Draw) -> int:
    size = (1, 100, SIZE)[draw(0, 2)]  # those that no witness signed, whose line may be changed: C2SP ignores it
    db.execute("UPDATE heads SET note = ? WHERE size = ?", (flip(LOG.heads[size], draw), size))
    return size - 1


def drop(db: sqlite3.Connection, draw: Draw) -> int:
    place = draw(0, SIZE - 1)
    db.execute("DELETE FROM audit WHERE sequence = ?", (place,))
    return place


def drop_and_renumber(db: sqlite3.Connection, draw: Draw) -> int:
    place = draw(0, SIZE - 1)
    put(db, LOG.bodies[:place] + LOG.bodies[place + 1 :])
    return place


def insert(db: sqlite3.Connection, draw: Draw) -> int:
    place, other = draw(0, SIZE), draw(0, SIZE - 1)
    put(db, [*LOG.bodies[:place], LOG.bodies[other], *LOG.bodies[place:]])
    return place + (place == other)  # before itself, it is the second that is not as it was


def swap(db: sqlite3.Connection, draw: Draw) -> int:
    bodies, one = list(LOG.bodies), draw(0, SIZE - 2)
    other = draw(one + 1, SIZE - 1)
    bodies[one], bodies[other] = bodies[other], bodies[one]
    put(db, bodies)
    return one


def duplicate(db: sqlite3.Connection, draw: Draw) -> int:
    db.execute("ALTER TABLE audit RENAME TO old")
    db.execute("CREATE TABLE audit (sequence INTEGER, body BLOB, hash TEXT)")
    db.execute("INSERT INTO audit SELECT * FROM old")
    place = draw(0, SIZE - 1)
    db.execute("INSERT INTO audit SELECT * FROM old WHERE sequence = ?", (place,))
    return place


def truncate_below_a_head(db: sqlite3.Connection, draw: Draw) -> int:
    size = draw(0, SIZE - 1)
    put(db, LOG.bodies[:size])
    return size


def splice(db: sqlite3.Connection, draw: Draw) -> int:
    other, place = PlainLog("bank").add(SIZE), draw(0, SIZE - 1)
    put(db, LOG.bodies[:place] + other.bodies[place:])
    return place


def fork(db: sqlite3.Connection, draw: Draw) -> int:
    place = draw(0, SIZE - 1)
    put(db, PlainLog(bodies=LOG.bodies[:place]).add(SIZE - place, said="otherwise").bodies)
    return place


def sign_with_another_key(db: sqlite3.Connection, draw: Draw) -> int:
    forged = PlainLog().add(SIZE, said="otherwise")
    put(db, forged.bodies)
    for size in LOG.heads:
        db.execute("UPDATE heads SET note = ? WHERE size = ?", (forged.head(STRANGER, size=size), size))
    return 0


def change_one_field(db: sqlite3.Connection, draw: Draw) -> int:
    """Change the value of any key of an entry or of its fields, and write all that comes after it to fit."""
    place = draw(0, SIZE - 1)
    entry = json.loads(LOG.bodies[place])
    for key, other in CHANGED[draw(0, len(CHANGED) - 1)].items():
        entry[key] = other
    put(db, LOG.rebuilt(place, body(entry)).bodies)
    return place


CHANGED: list[dict[str, object]] = [
    {"at": "2026-01-05T10:59:59.999999Z"},
    {"fields": {"n": -1}},
    {"fields": {}},
    {"kind": "vote"},
    {"log": "bank"},
    {"previous": "f" * 64},
    {"sequence": 1_000},
    {"another": 1},
]


def change_a_hash(db: sqlite3.Connection, draw: Draw) -> int:
    place = draw(0, SIZE - 1)
    db.execute("UPDATE audit SET hash = ? WHERE sequence = ?", (leaf(b"other"), place))
    return place


def store_text(db: sqlite3.Connection, draw: Draw) -> int:
    place = draw(0, SIZE - 1)
    db.execute("UPDATE audit SET body = CAST(body AS TEXT) WHERE sequence = ?", (place,))
    return place


def renumber_from_one(db: sqlite3.Connection, draw: Draw) -> int:
    db.execute("UPDATE audit SET sequence = sequence + 1000")
    db.execute("UPDATE audit SET sequence = sequence - 999")
    return 0


def name_another_log(db: sqlite3.Connection, draw: Draw) -> None:
    db.execute("UPDATE guard_meta SET value = 'bank'")


def name_no_log(db: sqlite3.Connection, draw: Draw) -> None:
    db.execute("DELETE FROM guard_meta")


def drop_the_heads(db: sqlite3.Connection, draw: Draw) -> None:
    db.execute(("DELETE FROM heads", "DROP TABLE heads")[draw(0, 1)])


def move_a_head(db: sqlite3.Connection, draw: Draw) -> int:
    db.execute("UPDATE heads SET size = 7 WHERE size = 5")
    return 6


def change_the_kept_tree(db: sqlite3.Connection, draw: Draw) -> None:
    statements = (
        "UPDATE frontier SET size = size - 1",
        "UPDATE frontier SET roots = zeroblob(length(roots))",
        "DELETE FROM frontier",
        "INSERT INTO frontier SELECT * FROM frontier",
        "UPDATE subtrees SET hash = zeroblob(32)",
        "DELETE FROM subtrees",
        "INSERT INTO subtrees VALUES (16, 0, zeroblob(32))",
    )
    db.execute(statements[draw(0, len(statements) - 1)])


CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        flip_a_byte,
        flip_a_byte_and_write_the_rest_to_fit,
        flip_a_byte_of_a_head,
        drop,
        drop_and_renumber,
        insert,
        swap,
        duplicate,
        truncate_below_a_head,
        splice,
        fork,
        sign_with_another_key,
        change_one_field,
        change_a_hash,
        store_text,
        renumber_from_one,
        name_another_log,
        name_no_log,
        drop_the_heads,
        move_a_head,
        change_the_kept_tree,
    )
}


def number_of(fault: str) -> int:
    """Return the entry that *fault* names; of a head, the last one under it."""
    what, _, number = fault.partition(":")[0].partition(" ")
    return {"entry": int(number), "head": int(number) - 1}.get(what, SIZE) if number.isdecimal() else SIZE


@pytest.mark.requirement("B10")
@pytest.mark.requirement("audit:signed-heads")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@settings(max_examples=25)
@given(data=st.data())
def test_whatever_is_done_to_a_log_is_found(change: Change, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = LOG.write(Path(folder) / "guard.db")
        with closing(sqlite3.connect(path)) as db, db:
            place = change(db, lambda first, last: data.draw(st.integers(first, last)))
        found = run(path, *VKEY)
    assert found.status == 1
    if place is not None:  # where it was done, or at the first head behind
        assert place <= min(map(number_of, found.faults)) < next((size for size in LOG.heads if size > place), SIZE + 1)


@settings(max_examples=200)
@given(data=st.data())
def test_a_byte_of_the_file_is_either_found_or_changes_nothing_that_is_read(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = SMALL.write(Path(folder) / "guard.db")
        path.write_bytes(flip(path.read_bytes(), lambda first, last: data.draw(st.integers(first, last))))
        found = run(path, *VKEY)
    assert found.status in (1, 2) or found.told["head"] == f"desk:9:{root_of(SMALL.bodies).hex()}"


SMALL = PlainLog().add(9).sign(KEY)


@pytest.mark.requirement("audit:signed-heads")
@pytest.mark.parametrize("kept", [SIZE, 256])
@given(size=st.sampled_from([0, 1, 5, 99, 100, 255]))
def test_a_file_rolled_back_is_found_by_a_head_that_was_kept_and_by_nothing_else(kept: int, size: int) -> None:
    with TemporaryDirectory() as folder:
        path, head = LOG.cut(size).sign(KEY).write(Path(folder) / "guard.db"), Path(folder) / "head"
        assert run(path, *VKEY).status == 0
        head.write_bytes(LOG.heads[kept])
        found = run(path, *VKEY, "--head", head)
    assert (found.status, found.faults) == (
        1,
        [f"kept head {kept}: the log was cut off: it ends after {size} entries"],
    )


def test_a_clock_that_went_backwards_is_a_warning(tmp_path: Path) -> None:
    log = PlainLog().add(at="2026-01-05T10:00:00.000001Z").add(at="2026-01-05T10:00:00.000000Z").sign(KEY)
    found = run(log.write(tmp_path / "guard.db"), *VKEY)
    assert (found.status, found.told["warnings"]) == (0, [{"place": "entry 1", "what": "the clock went backwards"}])


def test_a_fault_is_named_with_its_place(tmp_path: Path) -> None:
    rows = rows_of(LOG.bodies)
    found = run(LOG.write(tmp_path / "guard.db", rows=[*rows[:3], *rows[6:]]), *VKEY)
    assert found.faults[:2] == [
        "entry 3: missing, as are all before entry 6",
        "entry 6: does not follow the one before it",
    ]
    assert "head 5: the entries do not lead to this root: some were changed, or it is of a fork" in found.faults


OWN_ACCOUNTS: dict[str, tuple[dict[str, object], str]] = {
    "another number": ({"sequence": 7}, "by its own account entry 7"),
    "another log": ({"log": "bank"}, "an entry of another log"),
    "another before it": ({"previous": "f" * 64}, "does not follow the one before it"),
}


@pytest.mark.parametrize(("other", "what"), OWN_ACCOUNTS.values(), ids=OWN_ACCOUNTS)
def test_what_an_entry_says_of_its_place_is_checked_without_any_head(
    tmp_path: Path, other: dict[str, object], what: str
) -> None:
    log = PlainLog().add(5)
    path = log.rebuilt(2, body(json.loads(log.bodies[2]) | other)).write(tmp_path / "guard.db")
    assert run(path).faults == [f"entry 2: {what}"]


NO_ENTRIES = {
    "nothing": b"",
    "no UTF-8": b"\xff",
    "no JSON": b"{",
    "no object": b"[]",
    "other keys": b'{"at":""}',
    "white space": LOG.bodies[0].replace(b":", b": ", 1),
    "other order": LOG.bodies[0].replace(b'"n":0,', b"").replace(b'"}', b'","n":0}'),
    "a key twice": LOG.bodies[0].replace(b'{"n":0', b'{"n":0,"n":0'),
    "a number with a point": LOG.bodies[0].replace(b'"n":0', b'"n":0.0'),
    "a number with an exponent": LOG.bodies[0].replace(b'"n":0', b'"n":1e2'),
    "no number": LOG.bodies[0].replace(b'"n":0', b'"n":NaN'),
    "a negative zero": LOG.bodies[0].replace(b'"n":0', b'"n":-0'),
    "half a character": LOG.bodies[0].replace(b'"n":0', b'"n":"\\ud800"'),
    "an escape for nothing": LOG.bodies[0].replace(b'"n":0', b'"n":"\\u0041"'),
    "nested too deeply": LOG.bodies[0].replace(b'"n":0', b'"n":' + b"[" * 100_000 + b"]" * 100_000),
    "digits without end": LOG.bodies[0].replace(b'"n":0', b'"n":' + b"9" * 5_000),
    "a sequence that is true": LOG.bodies[0].replace(b'"sequence":0', b'"sequence":true'),
    "fields that are a list": body(json.loads(LOG.bodies[0]) | {"fields": []}),
    "no kind": body(json.loads(LOG.bodies[0]) | {"kind": ""}),
    "a day that is none": body(json.loads(LOG.bodies[0]) | {"at": "2026-02-30T10:00:00.000000Z"}),
    "a time without a T": body(json.loads(LOG.bodies[0]) | {"at": "2026-01-05 10:00:00.000000Z"}),
    "a week": body(json.loads(LOG.bodies[0]) | {"at": "2026-W02-1T10:00:00.000000Z"}),
    "three digits": body(json.loads(LOG.bodies[0]) | {"at": "2026-01-05T10:00:00.000Z"}),
}


@pytest.mark.parametrize("stored", NO_ENTRIES.values(), ids=NO_ENTRIES)
def test_bytes_that_are_no_entry_are_found(tmp_path: Path, stored: bytes) -> None:
    found = run(PlainLog(bodies=[stored]).write(tmp_path / "guard.db"))
    assert found.status == 1
    assert [fault.partition(": ")[:2] for fault in found.faults] == [("entry 0", ": ")]
    assert "no entry" in found.faults[0]
