"""No sequence of votes, edits, clocks, revocations, delegations, crashes and deliveries executes without a quorum.

A state machine drives the real thing below the graph, over a SQLite file that its processes share and outlive, beside
the plain model of ``tests.support.approvals_model``. What may be sent is judged by the model inside the server, at the
moment of sending; where requests and claims stand is read from the file after each step, by somebody without a key.
"""

from collections.abc import Callable, Iterator
from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from guarded_agents.nodes import _door
from guarded_agents.records import Verdict
from guarded_agents.stores import _writer
from tests.support.approvals_around import FORGED
from tests.support.approvals_events import calls, events, seldom
from tests.support.approvals_facts import ANA, APART, BOB, BOT, EVE, LEA, MAX, RAJ
from tests.support.approvals_people import People
from tests.support.approvals_plays import LEFT, REACHED, approved, approved_by, held
from tests.support.approvals_world import LEASE_S, waiting_takes_time


class Approvals(People):
    """Two processes over one file, people with keys, a directory, a server, a clock."""

    @initialize(acting=seldom, proposed=calls)
    def start_with(self, acting: bool, proposed: list[tuple[str, int]]) -> None:
        self.begin(acting, proposed)

    @rule(event=events)
    def step(self, event: tuple[str, dict[str, Any]]) -> None:
        name, words = event
        getattr(self, name)(**words)

    @invariant()
    def store_and_model_agree(self) -> None:
        self.the_store_agrees_with_the_model()
        self.no_question_is_asked_twice_on_a_thread()
        self.the_audit_log_is_a_chain()


half = int(APART.total_seconds()) // 2
aheads = st.integers(-half, half) | st.sampled_from([-half, half])


class ApprovalsByTwoClocks(Approvals):
    """The same, where each process has a clock of its own, which may be put back by seconds."""

    @initialize(one=aheads, other=aheads)
    def clocks_differ(self, one: int, other: int) -> None:
        self.differ(one, other)

    @rule(at=st.sampled_from([0, 1]), seconds=st.integers(1, 5))
    def is_put_back(self, at: int, seconds: int) -> None:
        self.step_back(at, seconds)


@pytest.fixture(autouse=True)
def _one_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every transaction run where it is called, and waiting take the model's time: so that runs repeat."""
    monkeypatch.setattr(_writer, "HERE_BELOW_S", inf)
    monkeypatch.setattr(_writer, "FLUSH_AFTER_S", 3_600.0)
    init = Approvals.__init__

    def started(machine: Approvals) -> None:
        init(machine)
        monkeypatch.setattr(_door, "asyncio", waiting_takes_time(machine.model))

    monkeypatch.setattr(Approvals, "__init__", started)


SHORT = settings(
    max_examples=50,
    stateful_step_count=40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.requirement("I2")
@pytest.mark.requirement("I4")
@pytest.mark.requirement("I6")
@pytest.mark.requirement("I7")
@pytest.mark.requirement("I8")
@pytest.mark.timeout(900)  # 15 s of its own, on a disk that others use; and a failure is shrunk for up to 300 s
def test_no_sequence_executes_an_effect_without_a_quorum_over_exactly_what_was_sent_nor_twice() -> None:
    run_state_machine_as_test(Approvals, settings=SHORT)


@pytest.mark.requirement("I2")
@pytest.mark.requirement("I4")
@pytest.mark.requirement("I7")
@pytest.mark.timeout(900)
def test_no_sequence_does_so_where_the_clocks_of_the_processes_differ_by_minutes() -> None:
    run_state_machine_as_test(ApprovalsByTwoClocks, settings=SHORT)


# -- the same, by hand: what the machine has to be able to reach ----------------------------------


@pytest.fixture
def machine(_one_step_at_a_time: None) -> Iterator[Approvals]:
    one = Approvals()
    try:
        one.begin(acting=False, proposed=[])
        yield one
    finally:
        one.teardown()


@pytest.mark.requirement("I4")
@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("play", "reached"), REACHED.values(), ids=REACHED)
@pytest.mark.parametrize("clocks", [None, (-half, half), (half, -half)], ids=["one clock", "behind", "ahead"])
def test_the_machine_reaches_one_effect_and_never_two(
    machine: Approvals, clocks: tuple[int, int] | None, play: Callable[[Approvals], None], reached: str
) -> None:
    if clocks is not None:
        machine.differ(*clocks)
    play(machine)
    assert machine.model.reached[reached]
    assert machine.model.reached["effect"] == 1
    for at in (0, 1):
        machine.wake_twice_at_once(0, at, "ok")
        machine.the_store_agrees_with_the_model()
    assert machine.model.reached["effect"] == 1


@pytest.mark.requirement("I3")
@pytest.mark.requirement("I7")
@pytest.mark.parametrize("kind", [*FORGED, "status", "quorum"])
def test_whoever_can_write_the_store_cannot_approve(machine: Approvals, kind: str) -> None:
    request = held(machine, "pay")
    machine.tampers(request, kind)
    machine.walks_root(request, 0)
    machine.the_store_agrees_with_the_model()
    assert not machine.model.reached["effect"]


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("kind", ["status", "quorum"])
def test_whoever_can_write_the_store_cannot_prolong_what_was_approved(machine: Approvals, kind: str) -> None:
    request = held(machine, "wire")
    approved_by(machine, request, ANA, RAJ)
    machine.pass_time(15 * 60)
    machine.tampers(request, kind)
    machine.walks_root(request, 0)
    machine.the_store_agrees_with_the_model()
    assert not machine.model.reached["effect"]


RESOLVERS = {  # who may not say what became of a call in doubt, and who may
    "wire": (500, (LEA, MAX, EVE, BOT, BOB), RAJ),
    "topup": (50, (ANA, RAJ, MAX, BOT, BOB), EVE),
}


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("tool", RESOLVERS)
@pytest.mark.parametrize("mode", ["lost", "late", "never", "error", "error_lies"])
def test_a_call_that_nobody_saw_end_is_in_doubt_until_one_of_those_who_may_says_otherwise(
    machine: Approvals, mode: str, tool: str
) -> None:
    amount, strangers, resolver = RESOLVERS[tool]
    machine.write(machine.processes[0], "t0", old=False, acting=True)  # for Bob, who is of both groups
    [slot] = machine.proposes("t0", [(tool, amount)], mode=mode)
    if slot.request is not None:
        approved(machine, slot.request, ANA, RAJ, mode=mode)
    machine.pass_time(LEASE_S + 1)
    for stranger in strangers:
        for verdict in Verdict:
            machine.resolves(slot, stranger, verdict)
    assert (slot.sends, machine.claim(slot)["status"], slot.told_no) == (1, "in_doubt", False)
    machine.resolves(slot, resolver, Verdict.HAPPENED)
    assert machine.claim(slot)["status"] == "happened"
    machine.the_store_agrees_with_the_model()


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("leave", LEFT.values(), ids=LEFT)
def test_what_is_left_behind_is_closed_whether_it_was_asked_about_or_not(
    machine: Approvals, leave: Callable[[Approvals], None]
) -> None:
    left = machine.proposes("t0", [("topup", 50), ("pay", 500)], routed=False)
    request = held(machine, "wire")
    approved_by(machine, request, ANA, RAJ)
    leave(machine)
    for at in (0, 1):
        for slot in (*left, request.slot):
            machine.walks(slot, at)
    assert {machine.claim(slot)["status"] for slot in (*left, request.slot)} == {"closed"}
    assert request.status == "withdrawn"
    machine.the_store_agrees_with_the_model()


DEPLOYED = {
    "a larger quorum": ("wire", "strict"),
    "no permit": ("wire", "gone"),
    "nobody to ask": ("wire", "open"),
    "others who may break the glass": ("pay", "glass"),
}


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(("tool", "variant"), DEPLOYED.values(), ids=DEPLOYED)
@pytest.mark.parametrize("rewritten", [False, True], ids=["as it was asked", "rewritten in the store"])
def test_what_was_approved_under_one_policy_is_not_sent_under_another(
    machine: Approvals, tool: str, variant: str, rewritten: bool
) -> None:
    request = held(machine, tool)
    approved_by(machine, request, ANA, RAJ)
    assert request.status == "approved"
    machine.end(machine.processes[1], variant)
    if rewritten:
        machine.tampers(request, "policy")
    machine.walks_root(request, 1)
    machine.walks_root(request, 0)
    machine.the_store_agrees_with_the_model()
    assert not machine.model.reached["effect"]


@pytest.mark.requirement("I2")
@pytest.mark.requirement("I8")
def test_an_edit_that_was_signed_under_one_policy_opens_no_request_under_another(machine: Approvals) -> None:
    request = held(machine, "pay")
    machine.edits(request, RAJ, 600, later=True)
    machine.end(machine.processes[1], "glass")
    machine.hand_in(0, 1)
    assert (request.status, len(machine.model.requests)) == ("pending", 1)


REPLAYED = {  # what became of the older call, and whether another may take its place
    "done": ("ok", False),
    "done, and no reply": ("lost", False),
    "an error that proves nothing": ("error", False),
    "killed before it was sent": ("killed", False),
    "an error that proves that nothing happened": ("proves", True),
    "never sent": ("unsent", True),
}


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(("mode", "may_follow"), REPLAYED.values(), ids=REPLAYED)
def test_a_replayed_turn_does_another_thing_only_if_the_older_call_cannot_have_happened(
    machine: Approvals, mode: str, may_follow: bool
) -> None:
    machine.proposes("t0", [("topup", 50)], mode=mode)
    [unattended] = machine.proposes("t0", [("topup", 60)], again=True)
    assert (unattended.effects, unattended.closed) == (int(may_follow), not may_follow)
    [asked] = machine.proposes("t0", [("wire", 500)], again=True)
    assert asked.request is None
    assert asked.closed


@pytest.mark.requirement("I4")
def test_a_replayed_turn_leaves_nothing_open_of_what_it_proposed_before(machine: Approvals) -> None:
    [unattended] = machine.proposes("t0", [("topup", 50)], routed=False)
    [asked] = machine.proposes("t0", [("wire", 500)], again=True)
    assert asked.request is not None
    approved_by(machine, asked.request, ANA, RAJ)
    [newest] = machine.proposes("t0", [("topup", 60)], again=True)
    for slot in (unattended, asked):
        machine.walks(slot, 1)
    assert (unattended.effects, asked.effects, newest.effects) == (0, 0, 1)
    assert asked.request.status == "superseded"


@pytest.mark.long
@pytest.mark.timeout(14_400)  # half an hour of its own
@pytest.mark.parametrize("machine", [Approvals, ApprovalsByTwoClocks])
def test_no_longer_sequence_executes_an_effect_without_a_quorum_either(machine: type[Approvals]) -> None:
    run_state_machine_as_test(machine, settings=settings(SHORT, max_examples=1_000, stateful_step_count=60))
