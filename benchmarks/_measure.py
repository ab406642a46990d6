"""Clocks, interleaving, and what is made of the numbers: medians and bootstrap intervals."""

import gc
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

AA_WIDTH: Final = 0.06  # wider, and a comparison says nothing (DESIGN section 9)
_RESAMPLES: Final = 2_000
_WARM_UP: Final = 2
_NS: Final = 1e9


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds for one unit of work: elapsed, and CPU of this process and its living children."""

    wall_s: float
    cpu_s: float


Variant = Callable[[], Awaitable[Spent]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. ``met`` is None where there is no target."""

    name: str
    value: float
    unit: str
    target: float | None = None
    interval: tuple[float, float] | None = None
    more: Mapping[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the row as the report has it."""
        met = None if self.target is None else self.value <= self.target
        row: dict[str, object] = {"name": self.name, "value": round(self.value, 4), "unit": self.unit}
        if self.interval is not None:
            row["interval"] = [round(end, 4) for end in self.interval]
        return row | {"target": self.target, "met": met} | dict(self.more)


def cpu_now_s() -> float:
    """Return the CPU seconds so far of this process and its living children (of it alone where there is no /proc)."""
    total = time.process_time()
    with suppress(OSError):
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            for task in Path(f"/proc/{child}/task").iterdir():
                with suppress(OSError):
                    total += int((task / "schedstat").read_text().split()[0]) / _NS
    return total


async def timed(work: Callable[[], Awaitable[object]], *, units: int) -> Spent:
    """Return what one of the *units* of *work* took."""
    cpu, wall = cpu_now_s(), time.perf_counter()
    await work()
    wall = time.perf_counter() - wall
    return Spent(wall / units, (cpu_now_s() - cpu) / units)


class Rounds:
    """Runs every variant once a round, in random order, so that what else the machine does falls on all alike."""

    def __init__(self, variants: Mapping[str, Variant]) -> None:
        """Take the variants by name."""
        self._variants = dict(variants)
        self._random = random.Random(0)  # noqa: S311 - an order, not a secret
        self.spent: dict[str, list[Spent]] = {name: [] for name in variants}

    async def run(self, rounds: int) -> None:
        """Run so many more rounds; the first two of all do not count."""
        first = _WARM_UP if not any(self.spent.values()) else 0
        for number in range(rounds + first):
            names = list(self._variants)
            self._random.shuffle(names)
            for name in names:
                spent = await _without_collector(self._variants[name])
                if number >= first:
                    self.spent[name].append(spent)

    def ratio(self, name: str, base: str, *, clock: str = "cpu_s") -> "Ratio":
        """Return *name* against *base*, round by round, on one clock."""
        mine, other = self.values(name, clock=clock), self.values(base, clock=clock)
        return Ratio.of([one / two for one, two in zip(mine, other, strict=True)])

    def values(self, name: str, *, clock: str = "cpu_s") -> list[float]:
        """Return the seconds per unit of each round."""
        return [getattr(spent, clock) for spent in self.spent[name]]


async def _without_collector(variant: Variant) -> Spent:
    gc.collect()
    gc.disable()
    try:
        return await variant()
    finally:
        gc.enable()


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of paired ratios, and its 95 % bootstrap interval."""

    median: float
    interval: tuple[float, float]

    @classmethod
    def of(cls, ratios: Sequence[float]) -> "Ratio":
        """Return median and interval of *ratios*."""
        return cls(median(ratios), bootstrap(ratios))

    @property
    def width(self) -> float:
        """Return the width of the interval."""
        return self.interval[1] - self.interval[0]


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median of *values*."""
    chance = random.Random(1)  # noqa: S311 - the same numbers give the same interval
    medians = sorted(median(chance.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    return medians[int(_RESAMPLES * 0.025)], medians[int(_RESAMPLES * 0.975)]


def us(seconds: Sequence[float]) -> float:
    """Return the median of *seconds* in microseconds."""
    return round(median(seconds) * 1e6, 1)
