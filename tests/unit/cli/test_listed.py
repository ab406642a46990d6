"""Many requests in few lines."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guarded_agents.cli._listed import Line, Listing, asking, differences, left, listing
from guarded_agents.cli._tables import print_requests
from guarded_agents.cli._text import clock, duration
from guarded_agents.records import Confidentiality, Integrity, Labels, RequestStatus, RequestSummary, Risk
from tests.support.stores import request as make_request

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)


def summary(number: int, **changes: Any) -> RequestSummary:
    found = RequestSummary(
        id=f"{number:012x}",
        status=RequestStatus.PENDING,
        risk=Risk.MEDIUM,
        tool="payments/refund",
        principal="desk-agent",
        tenant="default",
        group="finance",
        quorum=1,
        votes=0,
        question=f"q{number}",
        thread=f"t{number}",
        decide_by=NOW + timedelta(hours=4),
        escalate_at=None,
    )
    return found._replace(**changes)


class Summaries:
    """A store that has nothing but summaries."""

    def __init__(self, requests: list[RequestSummary]) -> None:
        self.found = requests

    def requests(self, *, status: RequestStatus | None, limit: int, after: str | None) -> tuple[RequestSummary, ...]:
        start = 0 if after is None else int(after, 16) + 1
        return tuple(self.found[start : start + limit])


def test_a_name_that_does_not_fit_is_folded_at_its_punctuation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    line = summary(
        1,
        tool="customer-payments/refund_to_card",
        principal="support-agent@emea.example.com",
        group="finance-approvers",
    )
    print_requests([Line(line, 12, 0, 1)], with_status=True, now=line.decide_by - timedelta(hours=3))
    _, *rows = capsys.readouterr().out.splitlines()
    cells = " ".join(rows).split()
    for part in ("customer-", "payments/", "refund_to_", "card", "x12", "support-", "agent@emea.", "example.com"):
        assert part in cells
    assert max(map(len, rows)) <= 80


def test_ten_thousand_requests_are_counted_and_folded_quickly() -> None:
    store: Any = Summaries([summary(number, question=f"q{number % 7_000}") for number in range(10_000)])
    before = time.process_time()
    found = listing(store, status=RequestStatus.PENDING, group=None)
    lines = found.lines
    assert time.process_time() - before < 1  # some hundredths of it, on any machine
    assert (len(lines), lines[0].number, lines[6_999].number) == (7_000, 2, 1)
    assert found.title(what="pending", shown=100) == (
        "10,000 pending: 10,000 medium risk; the first 100 of 7,000 questions, --limit shows more"
    )


def test_the_title_says_where_more_were_not_read() -> None:
    found = Listing((summary(1), summary(2, risk=Risk.HIGH)), is_whole=False)
    assert found.title(what="pending", shown=2) == "2 or more pending: 1 high, 1 medium risk"


def test_requests_that_ask_the_same_are_found_by_their_question() -> None:
    store: Any = Summaries([summary(0), summary(1, question="q0"), summary(2)])
    assert asking(store, "q0") == (summary(0).id, summary(1).id)


DIFFERENT = {"risk": Risk.HIGH, "group": "leads", "quorum": 2, "status": RequestStatus.EXPIRED}


@pytest.mark.parametrize(("column", "value"), DIFFERENT.items(), ids=DIFFERENT)
def test_what_asks_the_same_otherwise_is_a_line_of_its_own(column: str, value: Any) -> None:
    one = summary(1)
    assert len(Listing((one, one._replace(id="2" * 12))).lines) == 1
    assert len(Listing((one, one._replace(id="2" * 12, **{column: value}))).lines) == 2


GOES_BY = {
    "labels": Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.PUBLIC),
    "risk": Risk.HIGH,
    "group": "leads",
    "quorum": 2,
    "editor_may_approve": True,
    "definition": "0" * 64,
    "policy": "0" * 64,
    "question": "0" * 64,
}


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(("field", "value"), GOES_BY.items(), ids=GOES_BY)
def test_requests_that_differ_in_what_an_approver_goes_by_are_not_identical(field: str, value: Any) -> None:
    one = make_request()
    assert differences(one, one.model_copy(update={"id": "2" * 12, "thread": "t2", "turn": 7})) == ()
    assert len(differences(one, one.model_copy(update={field: value}))) == 1


LEFT = {
    "none": (None, "-"),
    "days": (timedelta(days=3, hours=5), "3d5h"),
    "hours": (timedelta(hours=47, minutes=5), "47h05m"),
    "minutes": (timedelta(minutes=12, seconds=5), "12m05s"),
    "now": (timedelta(), "over"),
}


@pytest.mark.parametrize(("until", "said"), LEFT.values(), ids=LEFT)
def test_the_time_left_is_said_in_a_few_letters(until: timedelta | None, said: str) -> None:
    assert left(None if until is None else NOW + until, now=NOW) == said


DURATIONS = {
    "seconds": (45.9, "45 s"),
    "minutes": (12 * 60, "12 min"),
    "minutes-and-seconds": (90, "1 min 30 s"),
    "an-hour": (3_600, "1 h"),
    "hours": (3 * 3_600 + 58 * 60, "3 h 58 min"),
    "a-day": (86_400, "1 d"),
    "days": (2 * 86_400 + 4 * 3_600, "2 d 4 h"),
}


@pytest.mark.parametrize(("seconds", "said"), DURATIONS.values(), ids=DURATIONS)
def test_a_duration_is_said_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_clock_says_how_far_it_is() -> None:
    assert clock(NOW + timedelta(minutes=12), now=NOW) == "2026-01-05T10:12:00Z (in 12 min)"
    assert clock(NOW - timedelta(minutes=12), now=NOW) == "2026-01-05T09:48:00Z (12 min ago)"


@pytest.mark.parametrize("columns", [80, 120])
def test_long_and_wide_names_fit_the_terminal_and_ids_stay_whole(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", str(columns))
    request = summary(
        1,
        tool="a-server-with-a-name/a_tool_with_quite_a_long_name_too",
        principal="支払い担当エージェント@example.com",
        group="an-approver-group-of-the-whole-house",
        escalate_at=NOW - timedelta(1),
    )
    listing_ = Listing((request, request._replace(status=RequestStatus.SUPERSEDED, id="0" * 12)))
    print_requests(listing_.lines, with_status=True, now=NOW)
    printed = capsys.readouterr().out
    assert max(map(cell_len, printed.splitlines())) <= columns
    assert request.id in printed
    assert "escalated" in printed
