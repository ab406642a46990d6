"""The verifier of one file: signed heads, keys that hand over, witnesses, heads kept elsewhere, proofs."""

import json
import sqlite3
from base64 import b64decode, b64encode
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.audit import KeySigner, cosign_note, parse_note
from guarded_agents.audit.standalone_verify import COSIGNATURE, SIGNATURE, Key, parse_kept, parse_key, root_by
from tests.support.plain_log import KEY, NEXT, OTHER_WITNESS, STRANGER, WITNESS, PlainLog, body, leaf, root_of
from tests.support.standalone import VKEY, WITNESSED, run

BOTH = (*VKEY, "--vkey", str(NEXT.verifier))
ROTATED = PlainLog().add(3).sign(KEY).rotate(KEY, NEXT)  # entry 3
LOG = PlainLog().add(5).sign(KEY, WITNESS).add(4).sign(KEY)

LOGS = {
    "handed over": (ROTATED.cut(4).sign(KEY, NEXT).add().sign(NEXT), VKEY, []),
    "handed over, both keys given": (ROTATED.cut(4).sign(KEY, NEXT).add().sign(NEXT), BOTH, []),
    "handed over later": (ROTATED.cut(4).sign(KEY).add().sign(KEY, NEXT).add().sign(NEXT), VKEY, []),
    "signed by both for ever": (ROTATED.cut(4).sign(KEY, NEXT).add().sign(KEY, NEXT), VKEY, []),
    "handed over twice at once": (
        ROTATED.cut(4).rotate(NEXT, STRANGER).sign(KEY, NEXT, STRANGER).add().sign(STRANGER),
        VKEY,
        [],
    ),
    "handed over and back": (
        ROTATED.cut(4).sign(KEY, NEXT).rotate(NEXT, KEY).sign(NEXT, KEY).add().sign(KEY),
        VKEY,
        [],
    ),
    "signed by the retired key": (
        ROTATED.cut(4).sign(KEY, NEXT).add().sign(KEY),
        VKEY,
        ["head 5: only a retired key signed it"],
    ),
    "never signed by both": (
        ROTATED.cut(4).sign(NEXT),
        VKEY,
        ["head 4: no key that is trusted at this size signed it"],
    ),
    "signed by both before the entry": (
        PlainLog().add(3).sign(KEY, NEXT).rotate(KEY, NEXT).sign(NEXT),
        VKEY,
        ["head 4: no key that is trusted at this size signed it"],
    ),
    "handed over by a stranger": (
        PlainLog().add(3).sign(KEY).rotate(STRANGER, NEXT).sign(STRANGER, NEXT),
        VKEY,
        ["head 4: no key that is trusted at this size signed it"],
    ),
    "handed over by a stranger beside the key": (
        PlainLog().add(3).sign(KEY).rotate(STRANGER, NEXT).sign(STRANGER, NEXT, KEY).add().sign(NEXT),
        VKEY,
        ["head 5: no key that is trusted at this size signed it"],
    ),
    "handed over to no key": (
        PlainLog().add(1).add(kind="key_rotated", old=str(KEY.verifier), new="x").sign(KEY),
        VKEY,
        ["entry 1: a rotation whose keys cannot be read"],
    ),
    "a key that signed nothing": (LOG, BOTH, [f"log: no head is signed by {NEXT.verifier}, which was given"]),
    "no head": (PlainLog().add(2), VKEY, [f"log: no head is signed by {KEY.verifier}, which was given"]),
    "two witnesses, one without a head": (
        LOG,
        (*WITNESSED, "--witness", str(OTHER_WITNESS.verifier)),
        [f"log: no head is cosigned by the witness {OTHER_WITNESS.verifier}"],
    ),
    "signed by strangers too": (PlainLog().add(2).sign(STRANGER, KEY, OTHER_WITNESS), VKEY, []),
    "signed at the very beginning": (PlainLog().sign(KEY), VKEY, []),
    "no key given": (PlainLog().add(2).sign(STRANGER), (), []),
}


@pytest.mark.requirement("audit:signed-heads")
@pytest.mark.parametrize(("log", "given", "faults"), LOGS.values(), ids=LOGS)
def test_a_head_counts_if_a_key_that_is_trusted_at_its_size_signed_it(
    tmp_path: Path, log: PlainLog, given: tuple[str, ...], faults: list[str]
) -> None:
    found = run(log.write(tmp_path / "guard.db"), *given)
    assert found.status == bool(faults)
    assert len(found.faults) == len(faults)
    for fault, expected in zip(found.faults, faults, strict=True):
        assert fault.startswith(expected)


def test_a_rotation_that_was_never_made_good_is_told(tmp_path: Path) -> None:
    found = run(ROTATED.cut(4).sign(KEY).write(tmp_path / "guard.db"), *VKEY)
    assert found.status == 0
    assert "entry 3" in str(found.told["warnings"])
    assert run(tmp_path / "guard.db").told["warnings"] == []  # of keys nothing is said where none is given


def test_of_a_head_that_the_log_signed_and_the_entries_do_not_lead_to_nothing_is_believed(tmp_path: Path) -> None:
    log = ROTATED.cut(4).sign(KEY, NEXT, WITNESS)
    log.heads[4] = PlainLog().add(4, said="otherwise").head(KEY, NEXT, WITNESS)
    found = run(log.add().sign(NEXT).write(tmp_path / "guard.db"), *VKEY, *WITNESSED)
    assert [fault.partition(":")[0] for fault in found.faults] == ["head 4", "head 5", "log"]
    assert (found.told["signed"], found.told["witnessed"]) == (3, [])


def signed(text: str) -> bytes:
    """Return a note of whatever *text*."""
    return f"{text}\n\u2014 desk {b64encode(KEY.verifier.key_id + KEY.sign(text.encode())).decode()}\n".encode()


ROOT = b64encode(root_of(LOG.bodies[:5])).decode()  # 43 characters, of which the last holds two bits of nothing, and =
SPELT = signed(f"desk\n5\n{ROOT}\n")
SPELT = SPELT[:-3] + bytes([SPELT[-3] + 1]) + b"=\n"  # the same for its last bits
OTHERWISE = ROOT[:-2] + chr(ord(ROOT[-2]) + 1) + "="


def test_a_note_of_a_head_is_one(tmp_path: Path) -> None:
    assert b64decode(OTHERWISE) == root_of(LOG.bodies[:5])
    for text in (f"desk\n5\n{ROOT}\n", f"desk\n5\n{ROOT}\nan extension\n"):
        LOG.cut(5).write(tmp_path / "guard.db")
        with closing(sqlite3.connect(tmp_path / "guard.db")) as db, db:
            db.execute("UPDATE heads SET note = ?", (signed(text),))
        assert run(tmp_path / "guard.db", *VKEY).status == 0
        (tmp_path / "guard.db").unlink()


HEADS = {
    "no text": b"",
    "no signature": LOG.heads[5].partition(b"\n\n")[0] + b"\n\n",
    "no end": LOG.heads[5][:-1],
    "two lines": b"desk\n5\n\n" + LOG.heads[5].partition(b"\n\n")[2],
    "no log": LOG.heads[5].replace(b"desk\n", b"\n", 1),
    "a zero before the size": LOG.heads[5].replace(b"\n5\n", b"\n05\n"),
    "a size in letters": LOG.heads[5].replace(b"\n5\n", b"\nfive\n"),
    "a short root": b"desk\n5\nAAEC\n\n" + LOG.heads[5].partition(b"\n\n")[2],
    "a root that is no base64": b"desk\n5\n!\n\n" + LOG.heads[5].partition(b"\n\n")[2],
    "a root spelt otherwise": signed(f"desk\n5\n{OTHERWISE}\n"),
    "a tab": signed(f"desk\n5\n{ROOT}\nan\textension\n"),
    "an empty extension": signed(f"desk\n5\n{ROOT}\n\n"),
    "no root": signed("desk\n5\n\n"),
    "a zero before a signed size": signed(f"desk\n05\n{ROOT}\n"),
    "an empty line of extension": LOG.heads[5].replace(b"\n\n", b"\n\n\n"),
    "a control character": LOG.heads[5].replace(b"\n\n", b"\nsaid\x07\n\n"),
    "no UTF-8": LOG.heads[5].replace(b"desk", b"\xff", 1),
    "another dash": LOG.heads[5].replace("\u2014".encode(), b"-"),
    "a name with a plus sign": LOG.heads[5].replace(b" desk ", b" de+sk "),
    "a line behind": LOG.heads[5] + b"and more\n",
    "a signature without its end": LOG.heads[5].replace(b"=\n", b"\n"),
    "a signature spelt otherwise": SPELT,
    "a hundred and one signatures": LOG.heads[5].partition(b"\n\n")[0]
    + b"\n\n"
    + LOG.heads[5].splitlines(True)[4] * 101,
    "of another size": LOG.heads[9],
    "of another log": PlainLog("bank").add(5).head(KEY),
    "of other entries": PlainLog().add(5, said="otherwise").head(KEY),
    "of another key": LOG.head(STRANGER, size=5),
    "with another text": LOG.heads[5].replace(b"\n\n", b"\nan extension\n\n"),
    "signed by a witness only": LOG.head(WITNESS, size=5),
}


@pytest.mark.requirement("audit:signed-heads")
@pytest.mark.parametrize("note", HEADS.values(), ids=HEADS)
def test_a_head_that_is_not_the_log_s_is_found(tmp_path: Path, note: bytes) -> None:
    path = LOG.write(tmp_path / "guard.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE heads SET note = ? WHERE size = 5", (note,))
    found = run(path, *VKEY)
    assert found.status == 1
    assert all(fault.startswith(("head 5: ", "head 9: ")) for fault in found.faults)


@pytest.mark.parametrize("change", ["note = CAST(note AS TEXT)", "size = 'five'", "size = NULL"])
def test_a_row_that_holds_no_head_is_found(tmp_path: Path, change: str) -> None:
    path = LOG.write(tmp_path / "guard.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("ALTER TABLE heads RENAME TO old")
        db.execute("CREATE TABLE heads (size, note)")
        db.execute("INSERT INTO heads SELECT * FROM old")
        db.execute(f"UPDATE heads SET {change} WHERE size = 5")
    assert run(path, *VKEY).status == 1


def test_a_signature_under_a_known_key_that_is_false_makes_the_head_false(tmp_path: Path) -> None:
    log = PlainLog().add(2).sign(KEY)
    log.heads[2] += f"\u2014 desk {b64encode(KEY.verifier.key_id + bytes(64)).decode()}\n".encode()
    found = run(log.write(tmp_path / "guard.db"), *VKEY)
    assert [fault.partition(":")[0] for fault in found.faults] == ["head 2", "head 2", "log"]


@pytest.mark.parametrize("at", [b"\xff" * 8, b"\x00" * 7 + b"\x01", b""])
def test_a_cosignature_is_of_its_time(tmp_path: Path, at: bytes) -> None:
    log = PlainLog().add(2).sign(KEY)
    forged = b64encode(WITNESS.verifier.key_id + (at + bytes(64) if at else b"short")).decode()
    log.heads[2] += f"\u2014 w/1 {forged}\n".encode()
    found = run(log.write(tmp_path / "guard.db"), *VKEY, *WITNESSED)
    assert [fault.partition(":")[0] for fault in found.faults] == ["head 2", "log"]


def test_the_example_of_the_format_is_read_as_it_is_meant() -> None:
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert str(parse_key(vkey, SIGNATURE)) == vkey
    with pytest.raises(ValueError, match="0x04"):
        parse_key(vkey, COSIGNATURE)


NO_KEYS = {
    "a short key": Key("desk", SIGNATURE, bytes(31)),
    "a name with a space": Key("de sk", SIGNATURE, bytes(32)),
    "a name with a plus sign": Key("de+sk", SIGNATURE, bytes(32)),
    "no name": Key("", SIGNATURE, bytes(32)),
}


@pytest.mark.parametrize("key", NO_KEYS.values(), ids=NO_KEYS)
def test_what_is_no_key_is_refused(key: Key) -> None:
    with pytest.raises(ValueError, match=r"vkey|base64"):
        parse_key(str(key), SIGNATURE)


@pytest.mark.parametrize(("at_s", "status"), [(253_402_300_799, 0), (253_402_300_800, 1), (2**64 - 1, 1)])
def test_a_witness_signs_at_a_time_that_there_is(tmp_path: Path, at_s: int, status: int) -> None:
    log = PlainLog().add(2).sign(KEY)
    log.heads[2] = cosign_note(parse_note(log.heads[2]), WITNESS, at_s=at_s).dump()
    found = run(log.write(tmp_path / "guard.db"), *VKEY, *WITNESSED)
    assert found.status == status
    assert status or "9999-12-31T23:59:59Z" in str(found.told["witnessed"])


# Heads that were kept elsewhere.

KEPT = {
    "a note": (LOG.heads[5], 0),
    "a line": (f"desk:5:{root_of(LOG.bodies[:5]).hex()}\n".encode(), 0),
    "of no signed size": (f"desk:7:{root_of(LOG.bodies[:7]).hex()}".encode(), 0),
    "of nothing": (f"desk:0:{root_of([]).hex()}".encode(), 0),
    "of a longer log": (f"desk:10:{'0' * 64}".encode(), 1),
    "of another log": (f"bank:5:{root_of(LOG.bodies[:5]).hex()}".encode(), 1),
    "of other entries": (f"desk:5:{'0' * 64}".encode(), 1),
    "signed by a stranger": (LOG.head(STRANGER, size=5), 1),
    "no head": (b"hello", 2),
    "of no log": (f":5:{root_of(LOG.bodies[:5]).hex()}".encode(), 2),
    "a zero before the size": (f"desk:05:{root_of(LOG.bodies[:5]).hex()}".encode(), 2),
    "no size": (f"desk:five:{'0' * 64}".encode(), 2),
    "no root": (b"desk:5:00", 2),
    "a note that is none": (b"desk\n\n", 2),
}


@pytest.mark.requirement("audit:signed-heads")
@pytest.mark.parametrize(("kept", "status"), KEPT.values(), ids=KEPT)
def test_a_log_goes_on_from_a_head_that_was_kept(tmp_path: Path, kept: bytes, status: int) -> None:
    path, head = LOG.write(tmp_path / "guard.db"), tmp_path / "head"
    head.write_bytes(kept)
    found = run(path, *VKEY, "--head", head)
    assert found.status == status
    if status == 0:
        assert found.told["kept"] == parse_kept(kept).size


NOT_PROVED = {
    "nothing given": ((), 11, ["no --vkey was given", "without a kept head (--head) or a witness (--witness)"]),
    "a key": (VKEY, 11, ["the last 2 entries lie behind", "without a kept head (--head) or a witness (--witness)"]),
    "a key and a witness": ((*VKEY, *WITNESSED), 11, ["the last 2 entries lie behind", "behind 5 entries"]),
    "all of it signed": ((*VKEY, *WITNESSED), 9, ["behind 5 entries"]),
    "all of it witnessed": ((*VKEY, *WITNESSED), 5, []),
    "a witness alone": (WITNESSED, 5, ["no --vkey was given"]),
}


@pytest.mark.parametrize(("against", "size", "notes"), NOT_PROVED.values(), ids=NOT_PROVED)
def test_what_was_not_proved_is_said(tmp_path: Path, against: tuple[str, ...], size: int, notes: list[str]) -> None:
    log = PlainLog(bodies=list(LOG.bodies), heads=dict(LOG.heads)).add(2).cut(size)
    said = run(log.write(tmp_path / "guard.db"), *against).told["not_proved"]
    assert isinstance(said, list)
    assert len(said) == len(notes)
    for one, expected in zip(said, notes, strict=True):
        assert one.startswith(expected)


# One entry, by its proof.


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 9])
def test_a_proof_shows_that_an_entry_is_in_the_log(tmp_path: Path, size: int) -> None:
    note, path = LOG.head(KEY, WITNESS, size=size), tmp_path / "one.tlog-proof"
    (tmp_path / "head").write_text(f"desk:{size}:{root_of(LOG.bodies[:size]).hex()}")
    for index in range(size):
        path.write_bytes(LOG.proof(index, note, size))
        for against in (VKEY, BOTH, WITNESSED, ("--head", str(tmp_path / "head"))):
            found = run(path, *against)
            assert (found.status, found.faults) == (0, [])
            assert found.told["head"] == f"desk:{size}:{root_of(LOG.bodies[:size]).hex()}"


PROOF = LOG.proof(3, LOG.heads[9], 9)
LINES = PROOF.split(b"\n")
PROOFS = {
    "no extra data": b"\n".join([LINES[0], *LINES[2:]]),
    "no index": b"\n".join([*LINES[:2], *LINES[3:]]),
    "another index": PROOF.replace(b"index 3", b"index 2"),
    "an index behind the end": PROOF.replace(b"index 3", b"index 9"),
    "an index with a zero": PROOF.replace(b"index 3", b"index 03"),
    "a hash too few": b"\n".join([*LINES[:3], *LINES[4:]]),
    "a hash too many": b"\n".join([*LINES[:4], *LINES[3:]]),
    "many hashes too many": b"\n".join([*LINES[:4], *[LINES[4]] * 99, *LINES[4:]]),
    "a hash too short": PROOF.replace(LINES[3], b64encode(b64decode(LINES[3])[1:])),
    "another entry": PROOF.replace(LINES[1], b"extra " + b64encode(LOG.bodies[2])),
    "no entry": PROOF.replace(LINES[1], b"extra " + b64encode(b"{}")),
    "extra data that is no base64": PROOF.replace(LINES[1], b"extra !"),
    "no head": PROOF.partition(b"\n\n")[0],
    "the head of another size": LOG.proof(3, LOG.heads[5], 9),
    "the head of another log": LOG.proof(3, PlainLog("bank").add(9).head(KEY), 9),
    "signed by a stranger": LOG.proof(3, LOG.head(STRANGER), 9),
}


@pytest.mark.requirement("audit:signed-heads")
@pytest.mark.parametrize("proof", PROOFS.values(), ids=PROOFS)
def test_a_proof_that_proves_nothing_is_found(tmp_path: Path, proof: bytes) -> None:
    path = tmp_path / "one.tlog-proof"
    path.write_bytes(proof)
    found = run(path, *VKEY)
    assert found.status == 1
    assert found.faults


@pytest.mark.parametrize("other", [{"sequence": 4}, {"log": "bank"}])
def test_a_proof_of_an_entry_that_belongs_elsewhere_is_found(tmp_path: Path, other: dict[str, object]) -> None:
    log = LOG.rebuilt(3, body(json.loads(LOG.bodies[3]) | other))
    (tmp_path / "one.tlog-proof").write_bytes(log.proof(3, log.head(KEY), 9))
    said = {"sequence": 3, "log": "desk"} | other
    assert run(tmp_path / "one.tlog-proof", *VKEY).faults == [
        f"entry 3: by its own account entry {said['sequence']} of {said['log']}"
    ]


@given(st.data())
def test_no_byte_of_a_proof_can_be_changed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(PROOF) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != PROOF[at]))
    path = tmp_path_factory.getbasetemp() / "changed.tlog-proof"
    path.write_bytes(PROOF[:at] + bytes([other]) + PROOF[at + 1 :])
    assert run(path, *VKEY).status in (1, 2)


def test_a_path_of_no_leaf_leads_nowhere() -> None:
    root = bytes.fromhex(leaf(b""))
    assert root_by([root], root, 0, 1) is None
    assert root_by([], root, 0, 2) is None
    assert root_by([], root, 0, 1) == root
    assert root_by([], root, 0, 0) is None
    assert root_by([], root, 1, 1) is None


def test_a_proof_is_held_against_something(tmp_path: Path) -> None:
    path = tmp_path / "one.tlog-proof"
    path.write_bytes(PROOF)
    assert run(path).status == 2
    assert run(path, *WITNESSED).faults == [f"log: no head is cosigned by the witness {WITNESS.verifier}"]
    for other in (f"desk:9:{'0' * 64}", f"desk:5:{root_of(LOG.bodies[:5]).hex()}"):
        (tmp_path / "head").write_text(other)
        found = run(path, *VKEY, "--head", tmp_path / "head")
        assert found.faults == [f"kept head {other[5]}: another head than the proof's"]


def test_keys_of_one_name_are_two_keys() -> None:
    assert KEY.verifier.name == NEXT.verifier.name
    key = parse_key(str(KEY.verifier), SIGNATURE)
    assert not key.holds(KeySigner("desk", bytes(32)).sign(b"text"), "text")
    assert key.holds(KEY.sign(b"text"), "text")
    assert Key("desk", SIGNATURE, b"short").holds(b"", "text") is False
