"""The process is killed on each step of a call's way, and a new process goes on (DESIGN I4, I5, 8b).

Intent, claim and the consumption of the permit are one transaction here (8b.1), so "after the intent" and "after the
claim" are the same moment: `store.admit:after`.
"""

import pytest

from tests.crash.conftest import DIED, KILLED, LAPSED_S, App

DOUBT = "not known whether"
# where it dies -> how many effects there are in the end, and whether one of them is in doubt
BEFORE_ITS_CLAIM = {
    "before the intent": "store.admit:before:1",
    "with the intent written and not committed": "store.admit:inside:1",
}
CLAIMED = {
    "after intent and claim": ("store.admit:after:1", 0, True),
    "before the server has got it": ("transport.call:before:1", 0, True),
    "with the reply in hand": ("transport.call:after:1", 1, True),
    "before it settles": ("store.settle:before:1", 1, True),
    "with the outcome written and not committed": ("store.settle:inside:1", 1, True),
    "after it has settled": ("store.settle:after:1", 1, False),
    "in the next node": ("model", 1, False),
}
EARLY = {
    "before the entry is recorded": "store.open_entry:before:1",
    "with the entry recorded": "store.open_entry:after:1",
    "before the proposal is recorded": "store.propose:before:1",
    "with the proposal written and not committed": "store.propose:inside:1",
    "with the proposal recorded": "store.propose:after:1",
} | BEFORE_ITS_CLAIM
BY_THE_SERVER = {"the server has it and writes later": "before", "the server has written": "after"}
HELD = {
    "before the request is written": "store.hold:before:1",
    "with the request written and not committed": "store.hold:inside:1",
    "with the request written": "store.hold:after:1",
}
VOTED = {
    "before the vote": "store.vote:before:1",
    "with the vote written and not committed": "store.vote:inside:1",
    "between vote and wake": "store.vote:after:1",
} | BEFORE_ITS_CLAIM


def ends_well(app: App, report: dict[str, object], tool: str, *, doubt: bool, effects: int = 1) -> None:
    """Check that the run ended, and that effects, messages, doubts and log say the same."""
    assert (report["next"], report["waiting"], report["last"]) == ([], [], "done")
    assert report["kinds"] == ["human", "ai", "tool", "ai"]
    assert [effect[0] for effect in app.bank.effects()] == [tool] * effects
    told = report["told"][tool]  # type: ignore[index]
    assert (DOUBT in told) is doubt
    assert doubt or told in {"topped up B", "wired 900 to ACME"}
    assert report["doubts"] == (["sending"] if doubt else [])  # what the new process found when it started
    assert report["doubts_left"] == (["in_doubt"] if doubt else [])
    assert app.outcomes(tool) == (["in_doubt"] if doubt else ["executed"])


@pytest.mark.requirement("I5")
@pytest.mark.parametrize("die", EARLY.values(), ids=EARLY)
def test_what_certainly_did_not_start_is_executed_once_by_the_next_process(app: App, die: str) -> None:
    app.run("topup", "ask", die=[die], ends=DIED)
    assert app.bank.effects() == []
    ends_well(app, app.run("topup", "retry", at_s=LAPSED_S), "topup", doubt=False)


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(("die", "effects", "doubt"), CLAIMED.values(), ids=CLAIMED)
def test_an_unattended_effect_is_never_sent_again_after_a_crash(app: App, die: str, effects: int, doubt: bool) -> None:
    app.run("topup", "ask", die=[die], ends=DIED)
    ends_well(app, app.run("topup", "retry", at_s=LAPSED_S), "topup", doubt=doubt, effects=effects)


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(("die", "effects", "doubt"), CLAIMED.values(), ids=CLAIMED)
def test_an_approved_effect_is_never_sent_again_after_a_crash(app: App, die: str, effects: int, doubt: bool) -> None:
    app.run("wire", "ask")
    app.run("wire", "approve", die=[die], ends=DIED)
    ends_well(app, app.run("wire", "wake", at_s=LAPSED_S), "wire", doubt=doubt, effects=effects)


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("when", BY_THE_SERVER.values(), ids=BY_THE_SERVER)
@pytest.mark.parametrize(("script", "do"), [("topup", ("ask",)), ("wire", ("ask", "approve"))], ids=["topup", "wire"])
def test_an_effect_whose_client_got_no_reply_is_in_doubt(app: App, when: str, script: str, do: tuple[str, ...]) -> None:
    app.deaths(1)
    app.run(script, *do, death=f"client:{when}:{script}", ends=KILLED)
    ends_well(app, app.run(script, "wake", at_s=LAPSED_S), script, doubt=True)


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("die", HELD.values(), ids=HELD)
def test_a_crash_around_the_request_leaves_one_request_that_can_be_approved(app: App, die: str) -> None:
    app.run("wire", "ask", die=[die], ends=DIED)
    report = app.run("wire", "wake", at_s=LAPSED_S)
    assert len(report["waiting"]) == 1
    assert app.bank.effects() == []
    ends_well(app, app.run("wire", "approve", at_s=2 * LAPSED_S), "wire", doubt=False)
    assert [kind for kind, _ in app.audit()].count("approval") == 1


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("die", VOTED.values(), ids=VOTED)
def test_a_crash_around_the_vote_loses_neither_the_request_nor_the_vote(app: App, die: str) -> None:
    app.run("wire", "ask")  # the process ends while the approval is pending
    app.run("wire", "approve", die=[die], ends=DIED)
    assert app.bank.effects() == []
    report = app.run("wire", "wake", "approve", at_s=LAPSED_S)  # approves only what still waits after the wake
    ends_well(app, report, "wire", doubt=False)
    assert [kind for kind, _ in app.audit()].count("vote") == 1


@pytest.mark.requirement("I4")
def test_a_resume_before_the_lease_has_lapsed_waits_for_it_and_sends_nothing(app: App) -> None:
    app.run("topup", "ask", die=["store.admit:after:1"], ends=DIED)
    report = app.run("topup", "retry", at_s=1, tick_s=20)
    assert DOUBT in report["told"]["topup"]
    assert report["doubts"] == []
    assert report["doubts_left"] == ["in_doubt"]
    assert app.bank.effects() == []


def test_a_read_that_was_interrupted_by_a_crash_is_read_again(app: App) -> None:
    app.run("read", "ask", die=["transport.call:after:1"], ends=DIED)
    report = app.run("read", "retry")
    assert report["told"] == {"balance": "account A holds 1,000.00"}
    assert report["doubts"] == report["doubts_left"] == []
    assert app.audit()


@pytest.mark.requirement("I4")
def test_siblings_of_a_call_in_doubt_are_answered_and_not_sent_again(app: App) -> None:
    app.run("all", "ask", die=["store.settle:after:1"], ends=DIED)
    report = app.run("all", "retry", "approve", at_s=LAPSED_S, die=["store.settle:before:1"], ends=DIED)
    report = app.run("all", "wake", at_s=2 * LAPSED_S)
    assert [tool for tool, _, _ in app.bank.effects()] == ["topup", "wire"]
    assert report["last"] == "done"
    assert report["told"]["topup"] == "topped up B"
    assert DOUBT in report["told"]["wire"]
    assert app.outcomes("wire") == ["in_doubt"]


@pytest.mark.requirement("I4")
def test_new_input_after_a_crash_is_told_of_the_doubt_and_sends_nothing(app: App) -> None:
    app.run("topup", "ask", die=["store.settle:before:1"], ends=DIED)
    report = app.run("read", "new input", at_s=LAPSED_S)
    assert report["kinds"][:4] == ["human", "ai", "tool", "human"]
    assert DOUBT in report["told"]["topup"]
    assert report["doubts"] == ["sending"]
    assert len(report["doubts_left"]) == 1
    assert len(app.bank.effects()) == 1


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("when", ["inside", "after"])
def test_a_crash_while_a_turn_is_closed_changes_nothing_of_what_its_calls_are_told(app: App, when: str) -> None:
    app.run("both", "ask")  # the topup is done, the wire waits
    app.run("read", "new input", die=[f"store.open_entry:{when}:1"], ends=DIED)
    report = app.run("read", "retry")
    assert report["kinds"][:5] == ["human", "ai", "tool", "tool", "human"]
    assert report["told"]["topup"] == "topped up B"
    assert "withdrawn" in report["told"]["wire"]
    assert report["last"] == "done"
    assert len(app.bank.effects()) == 1
