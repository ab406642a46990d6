"""The shortest form of `make bench` runs, and prints one JSON document."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._measure import Rounds, Row, Spent, bootstrap

ROOT = Path(__file__).parents[3]
SECTIONS = ("turns", "unstructured", "alone", "deciding", "long_runs", "audit", "waiting", "screening")


def test_the_quick_form_prints_one_json_document_and_progress_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report == json.loads(out.read_text())
    assert report["form"] == "quick"
    assert report["machine"]["cores"] >= 1
    assert min(report["yardstick_sha256_1_mb_ms"]) > 0
    for section in SECTIONS:
        assert report["sections"][section], section
        for row in report["sections"][section]:
            assert row["value"] > 0
            assert row["met"] == (None if row["target"] is None else row["value"] <= row["target"])
            assert row["name"] in done.stderr


def test_one_section_can_be_measured_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", "audit"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(json.loads(done.stdout)["sections"]) == ["audit"]


def test_ratios_are_paired_by_round_so_that_a_slow_round_falls_on_both() -> None:
    speed = iter([1, 1, 1, 1, 1, 1, 50, 50, 2, 2, 1, 1])  # the first two rounds of two variants do not count

    async def work(factor: float) -> Spent:
        return Spent(1.0, factor * next(speed))

    rounds = Rounds({"plain": lambda: work(1.0), "guarded": lambda: work(0.5)})
    asyncio.run(rounds.run(4))
    assert rounds.ratio("guarded", "plain").interval == (0.5, 0.5)
    assert rounds.values("plain") == [1.0, 50.0, 2.0, 1.0]


def test_a_bootstrap_interval_holds_the_median() -> None:
    low, high = bootstrap([1.0, 2.0, 3.0, 4.0, 100.0])
    assert low <= 3.0 <= high


@pytest.mark.parametrize(
    ("value", "target", "met"),
    [(0.9, 0.9, True), (0.91, 0.9, False), (5.0, None, None)],
    ids=["at the target", "beyond it", "without one"],
)
def test_a_row_meets_its_target_up_to_and_including_it(value: float, target: float | None, met: bool | None) -> None:
    assert Row("row", value, "s", target).as_json()["met"] is met
