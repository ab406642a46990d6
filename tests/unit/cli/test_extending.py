"""``guarded-agents approvals extend-plan``: what a person adds to the plan of a thread."""

from pathlib import Path

import pytest

from tests.support.commands import Command
from tests.support.two_people import ANA, KEYS, KIM, POLICY, RAJ, by, waiting_desks

WORDS = ("extend-plan", "one", "payments/refund", "--text", "It was meant all along.")
pytestmark = pytest.mark.requirement("I7")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return waiting_desks(tmp_path_factory.mktemp("desks") / "run", ("one",))


@pytest.fixture
def planned(desk: Path) -> Path:
    """The policy, with a plan that holds nothing."""
    (desk / "policy.yaml").write_text(f"{POLICY}plan: {{}}\n")
    return desk


@pytest.mark.usefixtures("planned")
def test_a_person_adds_a_tool_to_the_plan_of_a_thread(run: Command) -> None:
    told = run("approvals", *WORDS, *by(RAJ))
    assert (told.status, told.err) == (0, "")
    assert told.out == (
        f"thread one: {RAJ} adds payments/refund to its plan, that is recorded\nthe plan holds: payments/refund\n"
    )
    assert "plan_extended" in run("audit", "tail", "guard.db").out


@pytest.mark.usefixtures("planned")
def test_a_program_is_told_what_the_plan_holds_then(run: Command) -> None:
    told = run("approvals", *WORDS, *by(ANA), "--json")
    assert told.json == {"thread": "one", "tool": "payments/refund", "plan": ["payments/refund"]}
    late = run("approvals", *WORDS, *by(RAJ))
    assert late.status == 1
    assert "plan of thread one: expected a tool outside it, got one that it holds" in late.err


REFUSED = {
    "a thread that is not on record": (
        ("extend-plan", "nine", "payments/refund"),
        by(RAJ),
        "a thread that is on record",
    ),
    "a tool that the policy does not have": (
        ("extend-plan", "one", "payments/x"),
        by(RAJ),
        "as server/tool, got another",
    ),
    "somebody who is not asked": (WORDS, by(KIM), "expected a member of finance, got somebody else"),
    "another person's key": (WORDS, ("--key", KEYS[ANA], "--as", RAJ), "expected a signature by a key of the approver"),
}


@pytest.mark.usefixtures("planned")
@pytest.mark.parametrize(("words", "who", "said"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_count_says_why(run: Command, words: tuple[str, ...], who: tuple[str, ...], said: str) -> None:
    told = run("approvals", *words, *who)
    assert told.status == 1
    assert said in told.err


def test_without_a_plan_there_is_nothing_to_extend(run: Command) -> None:
    told = run("approvals", *WORDS, *by(RAJ))
    assert "expected a policy with a plan, got one without" in told.err


def test_a_kept_statement_is_sent_with_nothing(run: Command, planned: Path) -> None:
    told = run("approvals", *WORDS, *by(RAJ), "--save", "kept.json")
    assert told.status == 0
    assert "payments/refund" in (planned / "kept.json").read_text()
    assert run("approvals", *WORDS, *by(ANA)).status == 0  # for nothing was recorded
