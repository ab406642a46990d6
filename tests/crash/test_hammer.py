"""Random crash points, one process after the other: whatever dies, no effect twice and none lost (DESIGN 9, row 9)."""

from random import Random
from typing import Any

import pytest

from tests.crash.conftest import DIED, KILLED, LAPSED_S, App
from tests.crash.process import SCRIPTS

DOUBT, REFUSED = "not known whether", "not carried out"
METHODS = {
    "store.open_entry": ("before", "inside", "after"),
    "store.propose": ("before", "inside", "after"),
    "store.hold": ("before", "inside", "after"),
    "store.vote": ("before", "inside", "after"),
    "store.admit": ("before", "inside", "after"),
    "transport.call": ("before", "after"),
    "store.settle": ("before", "inside", "after"),
    "store.refuse": ("before", "inside", "after"),
    "saver.aput": ("before", "after"),
    "saver.aput_writes": ("before", "after"),
}
EFFECTS = {"topup": ("topup", "topped up B"), "wire": ("wire", "wired 900 to ACME")}
CRASHES = 3


def drawn(random: Random) -> dict[str, Any]:
    """Return where the next process dies, if it gets that far."""
    if random.random() < 0.2:
        return {"death": f"client:{random.choice(('before', 'after'))}:{random.choice(('topup', 'wire', 'balance'))}"}
    if random.random() < 0.1:
        return {"die": ["model"]}
    method = random.choice(list(METHODS))
    return {"die": [f"{method}:{random.choice(METHODS[method])}:{random.choice((1, 1, 2, 3))}"]}


def hammer(app: App, seed: int) -> None:
    random = Random(seed)
    script = random.choice(("topup", "wire", "both", "all"))
    history: list[object] = [seed, script]
    for number in range(random.randint(1, CRASHES)):
        run = drawn(random)
        history.append(run)
        app.deaths(1)
        process = app.start(script, "retry", "approve", at_s=number * LAPSED_S, **run)
        process.communicate(timeout=50)
        assert process.returncode in {0, DIED, KILLED}, history
    report = app.run(script, "retry", "approve", at_s=CRASHES * LAPSED_S)
    check(app, report, script, history)


def check(app: App, report: dict[str, Any], script: str, history: list[object]) -> None:
    assert (report["next"], report["waiting"], report["last"], report["verified"]) == ([], [], "done", True), history
    proposed = [call[2] for call in SCRIPTS[script]]
    assert sorted(report["told"]) == sorted(proposed), history
    happened = [tool for tool, _, _ in app.bank.effects()]
    doubts = 0
    for call in set(proposed) & EFFECTS.keys():
        tool, done = EFFECTS[call]
        told = report["told"][call]
        in_doubt = DOUBT in told
        doubts += in_doubt
        assert happened.count(tool) <= 1, history
        assert in_doubt or told == done or REFUSED in told, history
        assert in_doubt or happened.count(tool) == (told == done), history
        ended = app.outcomes(tool)
        assert not in_doubt or ended == ["in_doubt"], history
        assert told != done or ended == ["executed"], history
        assert REFUSED not in told, history  # nothing here gives a reason to refuse
    assert len(report["doubts_left"]) == doubts, history


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("seed", range(30))
def test_no_crash_repeats_or_loses_an_effect(app: App, seed: int) -> None:
    hammer(app, seed)


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.requirement("I4")
@pytest.mark.parametrize("seed", range(1_000, 1_500))
def test_no_crash_repeats_or_loses_an_effect_for_long(app: App, seed: int) -> None:
    hammer(app, seed)
