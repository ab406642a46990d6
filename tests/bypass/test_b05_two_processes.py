"""B5 from two processes that share the guard's store and the checkpointer's file."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from guarded_agents import Answer, Guard
from guarded_agents.testing import FixedClock
from tests.support.bank import ANA, CONTEXT, NOON, RAJ, Bank, asked, thread, waiting
from tests.support.siege import HAPPENED_TOPUP, HAPPENED_WIRE
from tests.support.siege_process import agent_of

pytestmark = pytest.mark.requirement("B5", "I4", "I7")

ROOT = Path(__file__).parents[2]
ONCE = [HAPPENED_TOPUP, HAPPENED_WIRE]


class Pair:
    """Two processes of one deployment, and a third (this one) that asks."""

    def __init__(self, mode: str, bank: Bank, guard: Guard, agent: Any) -> None:
        self.bank, self.guard, self.agent = bank, guard, agent
        self._before = 0
        command = [sys.executable, "-m", "tests.support.siege_process", mode, str(bank.folder)]
        env = os.environ | {"LANGGRAPH_STRICT_MSGPACK": "true"}
        self._processes = [
            subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for process in self._processes:
            assert self._heard(process) == ["ready"]

    def ask(self, name: str) -> str:
        """Let thread *name* propose a wire, which waits, and a topup; return the id of the request."""
        self._before = len(self.bank.effects())
        self.agent.invoke(asked(), thread(name), context=CONTEXT)
        [request] = waiting(self.agent.get_state(thread(name)))
        return request

    @property
    def effects(self) -> list[tuple[str, str, int]]:
        return self.bank.effects()[self._before :]

    def signed(self, request: str, approver: str = ANA, answer: Answer = Answer.APPROVE) -> Any:
        return self.bank.signed(self.guard, request, answer, approver=approver).model_dump(mode="json")

    def both(self, name: str, *votes: Any, replay: bool = False) -> list[list[str]]:
        """Tell both to go on with thread *name*, while whoever sends a wire is kept waiting; return their errors."""
        slow = self.bank.folder / "slow"
        slow.touch()
        for process, vote in zip(self._processes, votes or (None, None), strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps({"thread": name, "vote": vote, "replay": replay}) + "\n")
            process.stdin.flush()
        for process in self._processes:
            assert self._heard(process) == ["going"]
        slow.unlink()
        return [self._heard(process) for process in self._processes]

    def close(self) -> None:
        for process in self._processes:
            process.communicate(timeout=30)

    @staticmethod
    def _heard(process: "subprocess.Popen[str]") -> list[str]:
        assert process.stdout is not None
        words: list[str] = json.loads(process.stdout.readline())
        return words


@pytest.fixture(scope="module", params=["sync", "async"])
def pair(
    request: pytest.FixtureRequest, bank_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair") / "bank"
    shutil.copytree(bank_template, folder)
    bank = Bank(folder, FixedClock(NOON))
    with SqliteSaver.from_conn_string(str(bank.checkpoints)) as saver, bank.open() as guard:
        pair = Pair(request.param, bank, guard, agent_of(guard, saver))
        yield pair
        pair.close()


def test_one_vote_from_two_processes_runs_it_once(pair: Pair) -> None:
    vote = pair.signed(pair.ask("t1"))
    pair.both("t1", vote, vote)
    assert pair.effects == ONCE


def test_two_votes_from_two_processes_run_it_once(pair: Pair) -> None:
    request = pair.ask("t2")
    pair.both("t2", pair.signed(request), pair.signed(request, RAJ))
    assert pair.effects == ONCE


def test_an_approved_thread_woken_by_two_processes_runs_it_once(pair: Pair) -> None:
    request = pair.ask("t4")
    signed = pair.bank.signed(pair.guard, request)
    pair.guard._services.home.run_sync(pair.guard.vote(signed))
    pair.both("t4")
    assert pair.effects == ONCE


def test_two_processes_that_replay_every_checkpoint_run_nothing_again(pair: Pair) -> None:
    request = pair.ask("t5")
    pair.guard.resume_sync(pair.agent, pair.bank.signed(pair.guard, request))
    assert pair.effects == ONCE
    pair.both("t5", replay=True)
    assert pair.effects == ONCE


def test_two_processes_that_replay_a_waiting_thread_run_only_what_needs_nobody_and_once(pair: Pair) -> None:
    pair.ask("t6")
    pair.both("t6", replay=True)
    assert pair.effects == [HAPPENED_TOPUP]


def test_an_approval_and_a_rejection_from_two_processes_are_settled_by_the_first(pair: Pair) -> None:
    """Last of all: what was rejected here is not asked again for a while."""
    request = pair.ask("t3")
    pair.both("t3", pair.signed(request), pair.signed(request, RAJ, Answer.REJECT))
    standing = pair.guard.store.request(request)
    assert standing is not None
    assert standing.status in ("consumed", "rejected")
    assert pair.effects == (ONCE if standing.status == "consumed" else [HAPPENED_TOPUP])
