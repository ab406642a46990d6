"""No text makes screening slow: eight times as long takes about eight times as much, whatever it is made of.

Quadratic work would take sixty-four times as much. CPU time is compared with itself or with a yardstick of the same
minute, never with a clock's seconds.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks._hostile import HOSTILE, hostile
from benchmarks._machine import yardstick_ms
from guarded_agents.screen import (
    WORDINGS,
    HidingDetector,
    InjectionClassifier,
    LinkScreen,
    PatternDetector,
    Redactor,
    Spotlight,
    Stage,
    clean,
    screen,
)
from guarded_agents.weights import injection_weights

SMALL, TIMES, BOUND = 12_500, 8, 24
LEAST_S = 2e-4  # what is quicker than this is measured as this
DETECTORS = (HidingDetector(), PatternDetector(WORDINGS), InjectionClassifier(injection_weights()))
REDACTOR = Redactor(bytes(32))
LINKS = LinkScreen(hosts=["docs.example.com"])
LIGHT = Spotlight("f3Kq0pXz7LmN2aBc")


@contextmanager
def untraced() -> Iterator[None]:
    """Measure what runs in production: the measurement of coverage makes a loop take twice its time."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


def cpu_s(text: str) -> float:
    """Return the least of three times, the patterns warm."""
    times = []
    for _ in range(3):
        with untraced():
            start = time.process_time()
            screened = screen(text, stage=Stage.TOOL_RESULT, detectors=DETECTORS, redactor=REDACTOR, links=LINKS)
            LIGHT.apply(screened.text)
            times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_takes_time_in_its_length(unit: str) -> None:
    few, many = cpu_s(hostile(unit, size=SMALL)), cpu_s(hostile(unit, size=TIMES * SMALL))
    assert many < BOUND * max(few, LEAST_S)


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_what_patterns_see_of_a_hostile_text_is_not_much_longer_than_it(unit: str) -> None:
    text = hostile(unit, size=SMALL)
    assert len(clean(text).eyes.encode()) <= 8 * len(text.encode())


BUDGET_MS = {12_288: 20, 1_000_000: 200}
YARDSTICK_MS = 1.0  # SHA-256 of 1 MB on the machine of the budgets; a slower one has as much more time


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_keeps_within_the_budget_of_its_size(unit: str) -> None:
    slower = max(1.0, yardstick_ms() / YARDSTICK_MS)
    for size, budget_ms in BUDGET_MS.items():
        assert cpu_s(hostile(unit, size=size)) * 1e3 <= budget_ms * slower, size


def test_the_first_text_pays_little_for_states_that_the_set_has_not_built() -> None:
    words = " ".join(sorted({word for known in WORDINGS for word in known.pattern.split() if word.isalpha()}))
    text = clean(f"{words} previous instructions ignore all " * 400).eyes[:12_288]
    slower = max(1.0, yardstick_ms() / YARDSTICK_MS)
    spent = []
    for _ in range(3):
        detectors = (HidingDetector(), PatternDetector(WORDINGS))  # a set that has seen no text
        with untraced():
            start = time.process_time()
            screen(text, stage=Stage.TOOL_RESULT, detectors=detectors, redactor=REDACTOR, links=LINKS)
            spent.append(time.process_time() - start)
    assert min(spent) * 1e3 <= BUDGET_MS[12_288] * slower
