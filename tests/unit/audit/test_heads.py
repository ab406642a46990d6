"""Signed heads: what is signed leads to the entries, and a key is believed only as the one before says."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.audit import (
    GENESIS,
    Frontier,
    KeySigner,
    Kind,
    TreeHead,
    Verification,
    Verifier,
    read_head,
    seal,
    sign_head,
    verify,
)
from guarded_agents.errors import ConfigurationError
from guarded_agents.records import AuditHead
from tests.support.stores import TEN

OLD, NEW, OTHER = (KeySigner("desk", bytes([number]) * 32) for number in (1, 2, 3))
OPENED = (Kind.LOG_OPENED, {"key": str(OLD.verifier)})
ROTATED = (Kind.KEY_ROTATED, {"old": str(OLD.verifier), "new": str(NEW.verifier)})
NOTE = (Kind.NOTICE, {"n": 1})
Row = tuple[int, bytes, str]
Entry = tuple[str, dict[str, object]]


def a_log(*entries: Entry, log: str = "desk") -> list[Row]:
    rows: list[Row] = []
    previous = GENESIS
    for number, (kind, fields) in enumerate(entries):
        stored, previous = seal(kind, fields, log=log, sequence=number, previous=previous, at=TEN)  # type: ignore[arg-type]
        rows.append((number, stored, previous))
    return rows


def head(rows: Sequence[Row], size: int, *signers: KeySigner, log: str = "desk") -> tuple[int, bytes]:
    tree = Frontier()
    for _, _, digest in rows[:size]:
        tree.append(bytes.fromhex(digest))
    return size, sign_head(TreeHead(log, size, tree.root()), *signers).dump()


def findings(found: Verification) -> list[str]:
    return [what for _, what in found.findings]


LOG = a_log(OPENED, NOTE, NOTE, ROTATED, NOTE, NOTE)
HEADS = [head(LOG, 1, OLD), head(LOG, 3, OLD), head(LOG, 4, OLD, NEW), head(LOG, 6, NEW)]


GIVEN = {"none": (), "the first": (OLD.verifier,), "the last": (NEW.verifier,), "both": (OLD.verifier, NEW.verifier)}


@pytest.mark.parametrize("keys", GIVEN.values(), ids=GIVEN)
def test_a_log_whose_key_was_changed_under_both_is_verified(keys: tuple[Verifier, ...]) -> None:
    found = verify(LOG, heads=HEADS, keys=keys)
    assert findings(found) == []
    assert (found.signed, found.key, found.key_given) == (6, str(NEW.verifier), bool(keys))


def test_entries_after_the_newest_head_are_told_as_not_signed() -> None:
    found = verify(LOG, heads=HEADS[:-1])
    assert (found.verified, found.entries, found.signed) == (True, 6, 4)


def test_a_log_without_a_key_is_no_signed_log() -> None:
    found = verify(a_log((Kind.LOG_OPENED, {"key": None}), NOTE), heads=[])
    assert (found.verified, found.signed, found.key) == (True, 0, None)


KEY = "is not signed by the key of the log"
THIRD = KeySigner("desk", bytes([4]) * 32)
TWICE = a_log(
    OPENED,
    NOTE,
    (Kind.KEY_ROTATED, {"old": str(OLD.verifier), "new": str(OTHER.verifier)}),
    (Kind.KEY_ROTATED, {"old": str(OTHER.verifier), "new": str(THIRD.verifier)}),
)
FORGED: dict[str, tuple[list[Row], list[tuple[int, bytes]], str]] = {
    "signed by another key": (LOG, [head(LOG, 3, OTHER)], KEY),
    "signed by a key to come": (LOG, [head(LOG, 3, NEW)], KEY),
    "signed by a key of the past": (LOG, [*HEADS[:3], head(LOG, 6, OLD)], KEY),
    "two changes at once, of which the first key signs none": (
        TWICE,
        [head(TWICE, 2, OLD), head(TWICE, 4, OTHER, THIRD)],
        KEY,
    ),
    "a change that the old key does not sign": (LOG, [head(LOG, 4, NEW)], KEY),
    "a change that the new key does not sign": (LOG, [head(LOG, 4, OLD)], KEY),
    "of other entries": (LOG, [head(a_log(OPENED, NOTE, OPENED), 3, OLD)], "do not lead to the signed head"),
    "of another log": (LOG, [head(LOG, 3, OLD, log="till")], "is that of another log"),
    "of another size": (LOG, [(3, HEADS[0][1])], "do not lead to the signed head"),
    "no note": (LOG, [(3, b"desk\n3\n")], "is no signed tree head"),
    "a note about something else": (LOG, [(3, b"desk\n\n\xe2\x80\x94 desk AAAAAAAA\n")], "is no signed tree head"),
    "beyond the end": (LOG[:5], HEADS, "a head of 6 is kept with it"),
    "before the beginning": (LOG, [(-1, HEADS[0][1])], "a head of -1 is kept with it"),
    "none at all": (LOG, [], "no head of it is signed"),
    "a key that is none": (a_log((Kind.LOG_OPENED, {"key": "desk+00+AA"})), [], "names a key that is none"),
    "a change to nothing": (a_log(OPENED, (Kind.KEY_ROTATED, {"old": "x"})), [], "names a key that is none"),
    "a change of another key": (
        a_log(OPENED, (Kind.KEY_ROTATED, {"old": str(OTHER.verifier), "new": str(NEW.verifier)})),
        [],
        "changes a key that was not the log's",
    ),
    "heads of a log that names no key": (a_log(NOTE), [head(a_log(NOTE), 1, OLD)], KEY),
    "another key without a change": (
        a_log(OPENED, NOTE, (Kind.LOG_OPENED, {"key": str(OTHER.verifier)})),
        [],
        "no entry changes it",
    ),
}


@pytest.mark.requirement("B10")
@pytest.mark.parametrize(("rows", "heads", "what"), FORGED.values(), ids=FORGED)
def test_a_head_that_does_not_belong_to_the_log_is_found(
    rows: list[Row], heads: list[tuple[int, bytes]], what: str
) -> None:
    found = verify(rows, heads=heads)
    assert any(what in finding for finding in findings(found)), findings(found)
    assert not found.verified


def test_a_log_that_was_signed_anew_by_another_key_is_found_by_whoever_has_the_key() -> None:
    rows = a_log((Kind.LOG_OPENED, {"key": str(OTHER.verifier)}), NOTE)
    heads = [head(rows, 2, OTHER)]
    assert verify(rows, heads=heads).verified  # by its own word
    assert findings(verify(rows, heads=heads, keys=[OLD.verifier])) == ["no head is signed by a key that was given"]


def test_a_key_that_was_lost_is_replaced_where_the_new_one_was_handed_over() -> None:
    heads = [head(LOG, 3, OLD), head(LOG, 4, NEW), head(LOG, 6, NEW)]
    assert not verify(LOG, heads=heads, keys=[OLD.verifier]).verified
    assert verify(LOG, heads=heads, keys=[OLD.verifier, NEW.verifier]).verified


def _flip(rows: list[Row], heads: list[tuple[int, bytes]], at: int) -> None:
    number, stored, digest = rows[at % len(rows)]
    place = at % len(stored)
    rows[number] = (number, stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :], digest)


def _flip_note(rows: list[Row], heads: list[tuple[int, bytes]], at: int) -> None:
    size, note = heads[at % len(heads)]
    place = at % len(note)
    heads[at % len(heads)] = (size, note[:place] + bytes([note[place] ^ 1]) + note[place + 1 :])


def _drop(rows: list[Row], heads: list[tuple[int, bytes]], at: int) -> None:
    del rows[at % len(rows)]


def _double(rows: list[Row], heads: list[tuple[int, bytes]], at: int) -> None:
    rows.insert(at % len(rows), rows[at % len(rows)])


def _swap(rows: list[Row], heads: list[tuple[int, bytes]], at: int) -> None:
    at %= len(rows) - 1
    rows[at], rows[at + 1] = rows[at + 1], rows[at]


def _resign(rows: list[Row], heads: list[tuple[int, bytes]], at: int) -> None:
    size, _ = heads[at % len(heads)]
    heads[at % len(heads)] = head(rows, size, OTHER)


def _fork(rows: list[Row], heads: list[tuple[int, bytes]], at: int) -> None:
    entries = [OPENED, *[NOTE] * (len(rows) - 1)]
    entries[at % (len(rows) - 1) + 1] = (Kind.NOTICE, {"n": 2})
    rows[:] = a_log(*entries)


def _splice(rows: list[Row], heads: list[tuple[int, bytes]], at: int) -> None:
    other = a_log(OPENED, *[(Kind.NOTICE, {"n": 7})] * (len(rows) - 1))
    place = at % (len(rows) - 1) + 1
    rows[place:] = other[place:]


def _cut(rows: list[Row], heads: list[tuple[int, bytes]], at: int) -> None:
    del rows[-(at % (len(rows) - 1) + 1) :]


MUTATIONS = (_flip, _flip_note, _drop, _double, _swap, _resign, _fork, _splice, _cut)


@pytest.mark.requirement("B10")
@given(size=st.integers(3, 20), at=st.integers(0, 10_000), mutate=st.sampled_from(MUTATIONS))
def test_whatever_is_changed_below_a_signed_head_is_found(
    size: int, at: int, mutate: Callable[[list[Row], list[tuple[int, bytes]], int], None]
) -> None:
    rows = a_log(OPENED, *[NOTE] * (size - 1))
    heads = [head(rows, number, OLD) for number in {1, size // 2, size}]
    heads.sort()
    assert verify(rows, heads=heads, keys=[OLD.verifier]).verified
    mutate(rows, heads, at)
    found = verify(rows, heads=heads, keys=[OLD.verifier])
    is_spelt_otherwise = mutate is _flip_note and found.signed == size  # of a signature line, what is not signed
    assert is_spelt_otherwise or not found.verified


def test_a_head_that_was_kept_shows_a_log_that_was_cut_off_at_an_earlier_head() -> None:
    sizes = [size for size, _ in HEADS]
    for shorter, longer in pairwise(sizes):
        heads = [one for one in HEADS if one[0] <= shorter]
        kept = verify(LOG[:longer]).head
        assert verify(LOG[:shorter], heads=heads).verified  # what a log by itself cannot show
        found = verify(LOG[:shorter], heads=heads, head=AuditHead(*kept))
        assert findings(found) == [f"the log ends after {shorter} entries, the head given has {longer}"]


def test_a_head_is_read_as_a_note_or_as_it_was_printed() -> None:
    kept = verify(LOG[:3]).head
    assert read_head(HEADS[1][1]) == kept
    assert read_head(f"{kept.log}:{kept.size}:{kept.root}\n".encode()) == kept
    with pytest.raises(ConfigurationError, match="expected LOG:SIZE:ROOT"):
        read_head(b"\xff")
