"""Ways to an effect, and away from one, that the state machine of the approvals has to be able to take."""

from guarded_agents.records import Answer, Verdict
from tests.support.approvals_facts import ANA, ANNA, BOB, LEA, MAX, RAJ, WHY, Request
from tests.support.approvals_people import People
from tests.support.approvals_world import LEASE_S


def held(machine: People, tool: str, cents: int = 500) -> Request:
    [slot] = machine.proposes("t0", [(tool, cents)])
    assert slot.request is not None
    return slot.request


def approved_by(machine: People, request: Request, *who: str) -> None:
    for one in who:
        machine.say(request, Answer.APPROVE, one)


def approved(machine: People, request: Request, *who: str, mode: str = "ok") -> None:
    approved_by(machine, request, *who)
    machine.bank.mode = mode
    machine.walks_root(request, 0)


def by_quorum(machine: People) -> None:
    approved(machine, held(machine, "wire"), ANA, RAJ)


def by_edit(machine: People) -> None:
    request = held(machine, "wire")
    machine.say(request, Answer.APPROVE, ANA)
    machine.edits(request, RAJ, 600)
    [edited] = [one for one in machine.model.requests.values() if one.parent is request]
    approved(machine, edited, RAJ, BOB)  # who edited it has no vote
    assert edited.status == "pending"
    approved(machine, edited, ANA)


def by_its_editor(machine: People) -> None:
    request = held(machine, "pay")
    machine.edits(request, RAJ, 600)
    machine.walks_root(request, 0)


def by_delegate(machine: People) -> None:
    request = held(machine, "wire")
    machine.say(request, Answer.DELEGATE, ANA, delegate=BOB)
    approved(machine, request, BOB, ANNA)  # another name of who delegated
    assert request.status == "pending"
    approved(machine, request, RAJ)


def by_backup(machine: People) -> None:
    request = held(machine, "wire")
    approved(machine, request, LEA, ANA)
    machine.pass_time(20 * 60)
    approved(machine, request, LEA)


def by_glass(machine: People) -> None:
    request = held(machine, "wire")
    machine.say(request, Answer.BREAK_GLASS, MAX, text=WHY, flaw="second")
    assert request.status == "pending"
    machine.say(request, Answer.BREAK_GLASS, MAX, text=WHY)
    machine.walks_root(request, 0)


def killed_after_sending(machine: People) -> None:
    request = held(machine, "wire")
    approved(machine, request, ANA, RAJ, mode="killed_after")
    machine.pass_time(LEASE_S + 1)
    machine.walks_root(request, 0)
    assert machine.claim(request.slot)["status"] == "in_doubt"
    machine.resolves(request.slot, RAJ, Verdict.HAPPENED)
    machine.walks_root(request, 0)
    assert request.slot.told_done


def killed_and_sent_again(machine: People) -> None:
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


def new_input(machine: People) -> None:
    machine.write(machine.processes[0], "t0", old=False, acting=False)


def new_input_and_back(machine: People) -> None:
    new_input(machine)
    machine.write(machine.processes[1], "t0", old=True, acting=False)


def cancelled(machine: People) -> None:
    machine.cancel(machine.processes[0], "t0")


LEFT = {"new input": new_input, "new input, and back to the old": new_input_and_back, "cancelled": cancelled}
