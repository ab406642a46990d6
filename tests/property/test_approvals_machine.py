"""No sequence of votes, edits, clocks, revocations, delegations, crashes and deliveries executes without a quorum.

A state machine drives the real thing below the graph, over a SQLite file that its processes share and outlive, beside
the plain model of ``tests.support.approvals_model``. What may be sent is judged by the model inside the server, at the
moment of sending; where requests and claims stand is read from the file after each step, by somebody without a key.
"""

from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from guarded_agents.nodes import _door
from guarded_agents.records import Answer, Verdict
from guarded_agents.stores import _writer
from tests.support.approvals_calls import FORGED
from tests.support.approvals_driver import WHY
from tests.support.approvals_model import ANA, ANNA, BOB, EVE, LEA, MAX, PEOPLE, RAJ, VARIANTS, Request
from tests.support.approvals_people import People
from tests.support.approvals_world import LEASE_S, waiting_takes_time

# What leads on is drawn more often than what ends everything.
numbers = st.integers(0, 7)
processes = st.sampled_from([0, 0, 0, 1])
threads = st.sampled_from([0, 0, 0, 1])
tool_names = st.sampled_from(["wire", "wire", "wire", "pay", "pay", "seal", "topup"])
cents = st.sampled_from([500, 500, 600, 700, 800, 500, 600, 700, 800, 50, 50, 2_000])
calls = st.lists(st.tuples(tool_names, cents), min_size=1, max_size=2)
voters = st.sampled_from([ANA, RAJ, ANA, RAJ, LEA, *PEOPLE])
pairs = st.sampled_from([(ANA, RAJ)] * 4 + [(RAJ, BOB), (ANA, BOB), (LEA, RAJ), (ANA, ANNA)])
answers = st.sampled_from([Answer.APPROVE] * 6 + [Answer.REJECT, Answer.RESPOND])
seldom = st.sampled_from([False] * 5 + [True])
flaws = st.sampled_from([None] * 9 + ["digest", "other", "key", "nonce", "early", "ahead", "future", "second"])
modes = st.sampled_from(
    ["ok"] * 6
    + ["lost", "late", "never", "unsent", "proves", "error", "error_lies", "killed", "killed_sent", "killed_after"]
)
happenings = st.sampled_from([None] * 6 + ["lease", "other", "lease+other", "entry", "sweep", "resolve", "cancel"])


EVENTS: dict[str, Any] = {
    "speak": st.builds(
        dict,
        number=numbers,
        kind=st.sampled_from(["vote"] * 4 + ["agree"] * 4 + ["edit", "edit", "delegate", "delegate", "glass"]),
        who=voters,
        to=voters,
        pair=pairs,
        answer=answers,
        amount=cents,
        flaw=flaws,
        at=processes,
        later=seldom,
        mode=modes,
        what=happenings,
        wake=st.booleans(),
    ),
    "propose": st.builds(
        dict, thread=threads, proposed=calls, again=seldom, process=processes, mode=modes, what=happenings
    ),
    "wake": st.builds(
        dict,
        number=numbers,
        kind=st.sampled_from(["one", "one", "two", "worker"]),
        at=processes,
        mode=modes,
        what=happenings,
    ),
    "forge": st.builds(
        dict,
        number=numbers,
        process=processes,
        goto=st.sampled_from(["execute", "execute", "refuse"]),
        change=st.sampled_from([None, None, None, "cents", "turn", "occurrence", "thread", "edit"]),
        amount=cents,
        mode=modes,
    ),
    "afterwards": st.builds(
        dict,
        number=st.integers(0, 31),
        kind=st.sampled_from(["again", "review", "resolve", "resolve"]),
        who=st.sampled_from([RAJ, RAJ, EVE, EVE, *PEOPLE]),
        verdict=st.sampled_from(list(Verdict)),
        flaw=st.sampled_from([None, None, None, "attempt", "key", "early"]),
        at=processes,
    ),
    "pass_time": st.builds(
        dict, step=st.sampled_from([1, 1, 10, 10, 130, LEASE_S + 1, LEASE_S + 1, 305, 601, 20 * 60, 31 * 60, 61 * 60])
    ),
    "change_people": st.builds(
        dict,
        what=st.sampled_from(["member", "key", "fails", "slow", *["restore"] * 4]),
        who=st.sampled_from([ANA, RAJ, MAX, LEA]),
        group=st.sampled_from(["finance", "finance", "leads"]),
        number=st.sampled_from([0, 0, 1]),
    ),
    "operate": st.builds(
        dict,
        what=st.sampled_from(
            ["crash_soon"] * 4 + ["crash", "sweep", "deploy", "drift", "write", "cancel", "arrive", "lose"]
        ),
        at=processes,
        thread=threads,
        variant=st.sampled_from(VARIANTS),
        steps=st.integers(0, 3),
        flag=st.booleans(),
    ),
    "tamper": st.builds(
        dict,
        number=numbers,
        kind=st.sampled_from([*FORGED, "status", "quorum"]),
        wake=st.booleans(),
        sure=seldom,
    ),
}
WEIGHTS = {
    "speak": 6,
    "propose": 2,
    "wake": 2,
    "forge": 1,
    "afterwards": 1,
    "pass_time": 1,
    "change_people": 1,
    "operate": 2,
    "tamper": 1,
}
events = st.sampled_from([name for name, weight in WEIGHTS.items() for _ in range(weight)]).flatmap(
    lambda name: st.tuples(st.just(name), EVENTS[name])
)


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
@pytest.mark.timeout(600)  # it is on disk at each step, and the disk is shared
def test_no_sequence_executes_an_effect_without_a_quorum_over_exactly_what_was_sent_nor_twice() -> None:
    run_state_machine_as_test(Approvals, settings=SHORT)


# -- the same, by hand: what the machine has to be able to reach ----------------------------------


def opened_machine() -> Approvals:
    machine = Approvals()
    machine.begin(acting=False, proposed=[])
    return machine


def held(machine: Approvals, tool: str, cents: int = 500) -> Request:
    [slot] = machine.proposes("t0", [(tool, cents)])
    assert slot.request is not None
    return slot.request


def approved(machine: Approvals, request: Request, *who: str, mode: str = "ok") -> None:
    for one in who:
        machine.say(request, Answer.APPROVE, one)
    machine.bank.mode = mode
    machine.walks_root(request, 0)


def by_quorum(machine: Approvals) -> None:
    approved(machine, held(machine, "wire"), ANA, RAJ)


def by_edit(machine: Approvals) -> None:
    request = held(machine, "wire")
    machine.say(request, Answer.APPROVE, ANA)
    machine.edits(request, RAJ, 600)
    [edited] = [one for one in machine.model.requests.values() if one.parent is request]
    approved(machine, edited, RAJ, BOB)  # neither who edited it counts, nor who approved what it was before
    assert edited.status == "pending"
    approved(machine, edited, ANA)


def by_its_editor(machine: Approvals) -> None:
    request = held(machine, "pay")
    machine.edits(request, RAJ, 600)
    machine.walks_root(request, 0)


def by_delegate(machine: Approvals) -> None:
    request = held(machine, "wire")
    machine.say(request, Answer.DELEGATE, ANA, delegate=BOB)
    approved(machine, request, BOB, ANNA)  # another name of who delegated
    assert request.status == "pending"
    approved(machine, request, RAJ)


def by_backup(machine: Approvals) -> None:
    request = held(machine, "wire")
    approved(machine, request, LEA, ANA)
    machine.pass_time(20 * 60)
    approved(machine, request, LEA)


def by_glass(machine: Approvals) -> None:
    request = held(machine, "wire")
    machine.say(request, Answer.BREAK_GLASS, MAX, text=WHY, flaw="second")
    assert request.status == "pending"
    machine.say(request, Answer.BREAK_GLASS, MAX, text=WHY)
    machine.walks_root(request, 0)


def killed_after_sending(machine: Approvals) -> None:
    request = held(machine, "wire")
    approved(machine, request, ANA, RAJ, mode="killed_after")
    machine.pass_time(LEASE_S + 1)
    machine.walks_root(request, 0)
    assert machine.claim(request.slot)["status"] == "in_doubt"
    machine.run(
        machine.processes[0], machine.resolve_one(machine.processes[0], request.slot, RAJ, Verdict.HAPPENED, flaw=None)
    )
    machine.walks_root(request, 0)
    assert request.slot.told_done


def killed_and_sent_again(machine: Approvals) -> None:
    request = held(machine, "pay")
    approved(machine, request, ANA, mode="killed_sent")
    machine.pass_time(LEASE_S + 1)
    machine.walks_root(request, 0)
    assert request.slot.sends == 2
    machine.deliver(arrives=True)


REACHED = {
    "a quorum": (by_quorum, "sent"),
    "an edit": (by_edit, "edited"),
    "an edit by who may approve": (by_its_editor, "edited"),
    "a delegation": (by_delegate, "delegated"),
    "the backup": (by_backup, "escalated"),
    "broken glass": (by_glass, "glass"),
    "a crash between sending and settling": (killed_after_sending, "killed_after"),
    "an idempotent call that is sent again": (killed_and_sent_again, "killed_sent"),
}


@pytest.mark.requirement("I4")
@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("play", "reached"), REACHED.values(), ids=REACHED)
def test_the_machine_reaches_one_effect_and_never_two(play: Callable[[Approvals], None], reached: str) -> None:
    machine = opened_machine()
    try:
        play(machine)
        assert machine.model.reached[reached]
        assert machine.model.reached["effect"] == 1
        for at in (0, 1):
            machine.wake_twice_at_once(0, at, "ok")
            machine.the_store_agrees_with_the_model()
        assert machine.model.reached["effect"] == 1
    finally:
        machine.teardown()


@pytest.mark.requirement("I3")
@pytest.mark.requirement("I7")
@pytest.mark.parametrize("kind", [*FORGED, "status", "quorum"])
def test_whoever_can_write_the_store_cannot_approve(kind: str) -> None:
    machine = opened_machine()
    try:
        request = held(machine, "pay")
        machine.tampers(request, kind)
        machine.walks_root(request, 0)
        machine.the_store_agrees_with_the_model()
        assert not machine.model.reached["effect"]
    finally:
        machine.teardown()


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_no_longer_sequence_executes_an_effect_without_a_quorum_either() -> None:
    run_state_machine_as_test(Approvals, settings=settings(SHORT, max_examples=3_000, stateful_step_count=60))
