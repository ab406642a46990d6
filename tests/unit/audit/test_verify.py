"""What the verifier finds, and what it cannot."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents import audit
from guarded_agents.audit import (
    CANNOT_PROVE,
    EMPTY_ROOT,
    GENESIS,
    Finding,
    Frontier,
    leaf_hash,
    parse_head,
    seal,
    verify,
)
from guarded_agents.errors import ConfigurationError
from guarded_agents.records import AuditHead

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)
Row = tuple[int, bytes, str]


def a_log(size: int = 5, log: str = "L", note: str = "", times: dict[int, datetime] | None = None) -> list[Row]:
    rows: list[Row] = []
    previous = GENESIS
    for number in range(size):
        at = (times or {}).get(number, TEN + timedelta(seconds=number))
        stored, root = seal("intent", {"n": number, "note": note}, log=log, sequence=number, previous=previous, at=at)
        rows.append((number, stored, root))
        previous = root
    return rows


def root_of(rows: list[Row]) -> str:
    """Return the root of the tree over *rows* (hex)."""
    tree = Frontier()
    for _, _, digest in rows:
        tree.append(bytes.fromhex(digest))
    return tree.root().hex()


def rewritten(rows: list[Row], place: int, **changes: object) -> list[Row]:
    """Return the log with one entry changed and every hash recorded anew, but not the entries after it."""
    entry = orjson.loads(rows[place][1]) | changes
    stored = orjson.dumps({k: v for k, v in entry.items() if v is not None}, option=orjson.OPT_SORT_KEYS)
    return [*rows[:place], (place, stored, leaf_hash(stored)), *rows[place + 1 :]]


def renumbered(rows: list[Row]) -> list[Row]:
    return [(place, stored, root) for place, (_, stored, root) in enumerate(rows)]


def test_a_log_as_it_was_written_is_verified_and_its_head_told() -> None:
    rows = a_log()
    found = verify(rows)
    assert (found.verified, found.entries, found.findings, found.warnings) == (True, 5, (), ())
    assert found.head == AuditHead("L", 5, root_of(rows))
    assert not found.against_head


def test_an_empty_log_has_the_root_of_no_leaves() -> None:
    assert verify([], log="L").head == AuditHead("L", 0, EMPTY_ROOT.hex())
    assert verify([], head=AuditHead("L", 0, EMPTY_ROOT.hex())).verified


ROWS = a_log()
ATTACKS: dict[str, tuple[list[Row], int]] = {
    "changed-byte": ([*ROWS[:2], (2, ROWS[2][1].replace(b'"n":2', b'"n":7'), ROWS[2][2]), *ROWS[3:]], 2),
    "changed-byte-and-hash": (rewritten(ROWS, 2, fields={"n": 7}), 3),
    "changed-hash": ([*ROWS[:2], (2, ROWS[2][1], "0" * 64), *ROWS[3:]], 2),
    "changed-kind": (rewritten(ROWS, 2, kind="vote"), 3),
    "changed-time": (rewritten(ROWS, 2, at="2026-01-05T10:00:02.000001Z"), 3),
    "reordered": ([ROWS[0], ROWS[2], ROWS[1], *ROWS[3:]], 1),
    "reordered-and-renumbered": (renumbered([ROWS[0], ROWS[2], ROWS[1], *ROWS[3:]]), 1),
    "gap": ([*ROWS[:2], *ROWS[3:]], 2),
    "gap-renumbered": (renumbered([*ROWS[:2], *ROWS[3:]]), 2),
    "missing-first": (ROWS[1:], 0),
    "missing-first-renumbered": (renumbered(ROWS[1:]), 0),
    "doubled": ([*ROWS[:3], ROWS[2], *ROWS[3:]], 3),
    "added": ([*ROWS, (5, *seal("intent", {}, log="L", sequence=5, previous="1" * 64, at=TEN + timedelta(9)))], 5),
    "foreign-row": ([*ROWS[:4], a_log(log="M")[4]], 4),
    "other-number-inside": (rewritten(ROWS, 4, sequence=9), 4),
    "not-json": ([*ROWS[:4], (4, b"{", leaf_hash(b"{"))], 4),
    "not-an-object": ([*ROWS[:4], (4, b"[]", leaf_hash(b"[]"))], 4),
    "no-entry": ([*ROWS[:4], (4, b"{}", leaf_hash(b"{}"))], 4),
    "text-for-bytes": ([*ROWS[:4], (4, ROWS[4][1].decode(), ROWS[4][2])], 4),  # type: ignore[list-item]
    "key-too-many": (rewritten(ROWS, 4, more=1), 4),
    "fields-missing": (rewritten(ROWS, 4, fields=None), 4),
    "sequence-a-bool": (rewritten(ROWS[:2], 1, sequence=True), 1),
    "log-a-number": (rewritten(ROWS, 4, log=3), 4),
    "time-of-another-form": (rewritten(ROWS, 4, at="2026-01-05T10:00:04Z"), 4),
    "time-of-another-zone": (rewritten(ROWS, 4, at="2026-01-05T10:00:04.0000+00"), 4),
    "time-without-zone": (rewritten(ROWS, 4, at="2026-01-05T10:00:04.000000"), 4),
    "time-a-number": (rewritten(ROWS, 4, at=5), 4),
    "previous-a-number": (rewritten(ROWS, 4, previous=5), 4),
}


@pytest.mark.requirement("B10")
@pytest.mark.parametrize(("rows", "sequence"), ATTACKS.values(), ids=ATTACKS)
def test_whatever_was_done_to_a_row_is_found_where_it_stands(rows: list[Row], sequence: int) -> None:
    found = verify(rows)
    assert not found.verified
    assert found.findings[0].sequence == sequence


@pytest.mark.requirement("B10")
@given(place=st.integers(0, 4), data=st.data())
def test_no_byte_of_any_entry_can_be_changed(place: int, data: st.DataObject) -> None:
    stored = bytearray(ROWS[place][1])
    at = data.draw(st.integers(0, len(stored) - 1))
    stored[at] ^= data.draw(st.integers(1, 255))
    rows = [*ROWS[:place], (place, bytes(stored), ROWS[place][2]), *ROWS[place + 1 :]]
    assert not verify(rows).verified
    rows[place] = (place, bytes(stored), leaf_hash(bytes(stored)))
    assert not verify(rows, head=AuditHead("L", 5, root_of(ROWS))).verified


KEPT = AuditHead("L", 5, root_of(ROWS))
HEADS: dict[str, tuple[list[Row], AuditHead, str | None]] = {
    "same": (ROWS, KEPT, None),
    "grown-since": (ROWS, AuditHead("L", 3, root_of(ROWS[:3])), None),
    "from-the-beginning": (ROWS, AuditHead("L", 0, EMPTY_ROOT.hex()), None),
    "another-empty-root": (ROWS, AuditHead("L", 0, "1" * 64), "do not lead to the head"),
    "truncated": (ROWS[:4], KEPT, "ends after 4 entries, the head given has 5"),
    "emptied": ([], KEPT, "ends after 0 entries"),
    "rewritten": (a_log(note="forged"), KEPT, "do not lead to the head"),
    "rewritten-and-longer": (a_log(9, note="forged"), KEPT, "do not lead to the head"),
    "another-log": (a_log(log="M"), KEPT, "belongs to another log"),
}


@pytest.mark.requirement("B10")
@pytest.mark.parametrize(("rows", "head", "finding"), HEADS.values(), ids=HEADS)
def test_a_head_kept_elsewhere_shows_truncation_and_rewriting(
    rows: list[Row], head: AuditHead, finding: str | None
) -> None:
    found = verify(rows, head=head)
    assert found.against_head
    assert found.verified is (finding is None)
    assert finding is None or any(finding in what for _, what in found.findings)


@pytest.mark.requirement("B10")
def test_a_head_recorded_with_the_log_shows_what_was_cut_off_or_rewritten_after_it() -> None:
    assert verify(ROWS, recorded=[AuditHead("L", 3, root_of(ROWS[:3])), KEPT]).verified
    for rows in (ROWS[:4], a_log(note="forged"), []):
        found = verify(rows, log="L", recorded=[KEPT])
        assert not found.verified
        assert not found.against_head
        assert "the head recorded" in found.findings[-1].what


def test_a_head_of_another_log_than_the_one_named_is_found() -> None:
    assert verify(ROWS, log="L", head=AuditHead("M", 5, root_of(ROWS))).findings == (
        Finding(5, "the head given is that of another log"),
    )


def test_a_log_is_checked_against_its_name() -> None:
    assert verify(ROWS, log="L").verified
    assert not verify(ROWS, log="M").verified


def test_without_a_head_truncation_is_not_found_and_the_docstring_says_so() -> None:
    assert verify(ROWS[:3]).verified
    assert verify(a_log(note="forged")).verified
    assert "Not proved" in str(verify.__doc__)
    assert "cut off" in CANNOT_PROVE


def test_a_clock_that_went_backwards_is_a_warning() -> None:
    found = verify(a_log(times={3: TEN}))
    assert found.verified
    assert found.warnings == (Finding(3, "the clock went backwards"),)


def test_an_unknown_kind_is_read_as_data() -> None:
    rows = rewritten(ROWS[:1], 0, kind="from_a_later_version")
    assert verify(rows).verified


def test_findings_are_bounded_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit._verify, "MAX_FINDINGS", 3)
    found = verify([(number, b"{", "") for number in range(10)])
    assert (len(found.findings), found.omitted) == (3, 17)


def test_the_head_that_was_printed_is_read_back() -> None:
    assert parse_head(":".join(map(str, KEPT))) == KEPT
    assert parse_head("a:b:5:" + "0" * 64) == AuditHead("a:b", 5, "0" * 64)


BAD_HEADS: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "no-log": lambda: f":5:{GENESIS}",
    "no-size": lambda: f"L::{GENESIS}",
    "negative": lambda: f"L:-1:{GENESIS}",
    "other-digits": lambda: f"L:٥:{GENESIS}",
    "huge": lambda: f"L:{'9' * 19}:{GENESIS}",
    "upper-case": lambda: f"L:5:{'A' * 64}",
    "short": lambda: "L:5:00",
    "two-parts": lambda: f"5:{GENESIS}",
}


@pytest.mark.parametrize("text", BAD_HEADS.values(), ids=BAD_HEADS)
def test_a_head_of_another_form_is_refused(text: Callable[[], str]) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("LOG:SIZE:ROOT")):
        parse_head(text())
